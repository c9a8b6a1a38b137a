//! Whose fault it is: every error type answers with one [`Code`] of the catalogue.
//!
//! The catalogue is this one table. `perso explain` prints it, results carry its codes, and tests reach for each of
//! them. Codes are stable: one that has been released is never given another meaning.

/// An error that knows its place in the catalogue.
pub trait Fault: std::error::Error {
    /// The stable code.
    fn code(&self) -> Code;

    /// What to do next about this very error; `None` if what the catalogue says of its code fits. An imperative that can
    /// be followed as printed, with a full stop.
    fn remedy(&self) -> Option<String> {
        None
    }

    /// What to do next.
    fn next(&self) -> String {
        self.remedy().unwrap_or_else(|| self.code().entry().next.to_owned())
    }
}

/// Where a fault comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// What has been asked for.
    Order,
    /// The prepared record, or the profile it names.
    Record,
    /// Keys: absent, wrong, or not for this work.
    Key,
    /// The chip.
    Card,
    /// The reader, its service, or the link.
    Reader,
    /// The magnetic stripe.
    Stripe,
    /// What the operator typed or configured.
    Operator,
    /// The ledger or the journal.
    Ledger,
    /// The program itself.
    Program,
}

impl Family {
    /// The word shown to people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Family::Order => "order",
            Family::Record => "record",
            Family::Key => "key",
            Family::Card => "card",
            Family::Reader => "reader",
            Family::Stripe => "stripe",
            Family::Operator => "operator",
            Family::Ledger => "ledger",
            Family::Program => "program",
        }
    }
}

/// Whether a fault with this code spoils the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spoils {
    /// The blank stays good, or no card was involved.
    No,
    /// It depends on the step: the state in the result says it.
    ByState,
    /// The card must be destroyed.
    Yes,
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The stable code as it is printed.
    pub code: &'static str,
    /// Where the fault comes from.
    pub family: Family,
    /// Whether the card is spoiled.
    pub spoils: Spoils,
    /// Whether doing the same again, on another blank where the card is spoiled, can help.
    pub retry: bool,
    /// Exit code of the program when nothing else decides it (design: exit codes are part of the contract).
    pub exit: u8,
    /// What has happened, in one sentence.
    pub what: &'static str,
    /// What to do next, in one sentence.
    pub next: &'static str,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $family:ident, $spoils:ident, $retry:literal, $exit:literal, $what:literal, $next:literal;)*) => {
        /// A stable error code: the key into [`CATALOGUE`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $what] $name,)*
        }

        /// Every code there is, in the order of the families.
        pub const CATALOGUE: &[(Code, Entry)] = &[
            $((Code::$name, Entry {
                code: $code, family: Family::$family, spoils: Spoils::$spoils, retry: $retry, exit: $exit,
                what: $what, next: $next,
            }),)*
        ];

        impl Code {
            /// Its row of the catalogue.
            pub fn entry(self) -> Entry {
                match self {
                    $(Code::$name => Entry {
                        code: $code, family: Family::$family, spoils: Spoils::$spoils, retry: $retry, exit: $exit,
                        what: $what, next: $next,
                    },)*
                }
            }
        }
    };
}

catalogue! {
    // name = code, family, spoils, retry helps, exit code, what, next
    PinBlock = "PIN-BLOCK", Order, No, false, 3,
        "The PIN cannot be read: its block was made for another PAN, under another key or in another format.",
        "Compare the check value of the PIN key with the sender's (`perso keys list` shows ours), then have the sender send the PIN again.";
    OrderSyntax = "ORDER-SYNTAX", Order, No, false, 3,
        "The order or its decrypted card data is not JSON in a supported format.",
        "Run `perso check` on the order, and have the sender correct each problem; docs/orders.md describes the formats.";
    OrderFormat = "ORDER-FORMAT", Order, No, false, 3,
        "A field of the order does not have its documented form, or a required field is missing.",
        "Have the sender correct the field at the path in the message; docs/orders.md describes its form.";
    OrderValue = "ORDER-VALUE", Order, No, false, 3,
        "A field of the order has a value that is not permitted, is unknown to this site, or contradicts another.",
        "Have the sender correct the field at the path in the message, or add the value to the site file if the site permits it.";
    OrderCrypto = "ORDER-CRYPTO", Order, No, false, 3,
        "The order's encrypted data cannot be decrypted: its kid, alg and enc are not listed together, or it was changed.",
        "Compare kid, alg and enc with [[jwe]] of the site file, then have the sender encrypt the card data again.";
    OrderNotAllowed = "ORDER-NOT-ALLOWED", Order, No, false, 3,
        "The order asks for something that this site does not do, or names a field of another kind of order.",
        "Send the order to a site that does it, or have the sender leave out the field at the path in the message.";
    OrderPin = "ORDER-PIN", Order, No, false, 3,
        "The card needs a PIN, and the order has none.",
        "Have the issuer set the PIN first, then order the card again.";
    PrepareRecipe = "PREPARE-RECIPE", Order, No, false, 3,
        "The card profile cannot prepare this order: it has no `[prepare]` section, is for another product, or contradicts itself.",
        "Use the profile of the order's product, or correct its [prepare]; card-profiles/README.md describes it.";
    PrepareIssuer = "PREPARE-ISSUER", Order, No, false, 3,
        "The issuer certificate is missing, is of another scheme, has expired, or certifies another key than the one in custody.",
        "Give the certificate that the scheme's CA made for the issuer key: `--issuer-certificate FILE`.";
    PrepareBlock = "PREPARE-BLOCK", Order, No, false, 3,
        "A prepared TLV block is refused: its MAC is wrong, it is broken, or a tag has no place in the profile.",
        "Compare the check value of the key encryption key with the sender's, then have the sender make the block again.";
    PrepareData = "PREPARE-DATA", Order, No, false, 3,
        "The order and the profile together do not give every value that the card needs, or the values contradict each other.",
        "Have the sender complete the order, or correct the profile's [prepare]; the message names the value.";
    RecordSyntax = "RECORD-SYNTAX", Record, No, false, 3,
        "The record is not a prepared record of a version that this program knows.",
        "Prepare the record again; `perso check` lists every problem of this one by path.";
    RecordTag = "RECORD-TAG", Record, No, false, 3,
        "The record's seal does not match: its header or body was changed, or it was sealed under another key.",
        "Copy the record from its source again; a record cannot be edited by hand.";
    RecordKey = "RECORD-KEY", Record, No, false, 3,
        "The record names a key that the key store does not have, or whose check value differs.",
        "Compare with `perso keys list`; `perso keys needed` lists what the profile takes. Import the right key or prepare the record again.";
    RecordProfile = "RECORD-PROFILE", Record, No, false, 3,
        "The record was prepared for another profile, or for another edition of it.",
        "Use the edition of the profile that the record names, or prepare the record again.";
    RecordContradiction = "RECORD-CONTRADICTION", Record, No, false, 3,
        "A fact in the record contradicts the profile or another fact in the record.",
        "Correct the order or the profile, then prepare the record again.";
    RecordTlv = "RECORD-TLV", Record, No, false, 3,
        "A grouping has invalid BER-TLV, or lacks an object that it must have.",
        "Correct the order or the profile at the grouping in the message, then prepare the record again.";
    RecordDgi = "RECORD-DGI", Record, No, false, 3,
        "A data grouping is unknown to the profile, too long, missing, a duplicate, or in the wrong form.",
        "Correct the order or the profile at the grouping in the message, then prepare the record again.";
    RecordTrack = "RECORD-TRACK", Record, No, false, 3,
        "A magnetic track cannot be encoded, or disagrees with the chip.",
        "Correct the track in the order, then prepare the record again.";
    RecordPrint = "RECORD-PRINT", Record, No, false, 3,
        "Print data cannot be printed, or disagrees with the chip.",
        "Correct the print data in the order, then prepare the record again.";
    ProfileSyntax = "PROFILE-SYNTAX", Record, No, false, 3,
        "The profile is not a card profile of a version that this program knows.",
        "Correct the profile; card-profiles/README.md describes the format.";
    ProfileSense = "PROFILE-SENSE", Record, No, false, 3,
        "The profile is well formed but contradicts itself, or does not fit the record or the site.",
        "Correct the profile at the path in the message; card-profiles/README.md describes the format.";
    KeyFile = "KEY-FILE", Key, No, false, 5,
        "The key file cannot be read.",
        "Name the right file with --keys; if it is damaged, restore it from the custodian's copy.";
    KeyFileBusy = "KEY-FILE-BUSY", Key, No, true, 5,
        "Another process is changing the key file or token.",
        "Wait until it has ended, then start again.";
    KeyPassphrase = "KEY-PASSPHRASE", Key, No, true, 5,
        "The passphrase does not open the key file, or the file was changed.",
        "Try the passphrase again; if it is right, restore the file from the custodian's copy.";
    KeyUnknown = "KEY-UNKNOWN", Key, No, false, 5,
        "The key store has no key of this name.",
        "Compare the name with `perso keys list`; `perso keys needed` lists the keys of a profile, `perso keys import` brings one in.";
    KeyPurpose = "KEY-PURPOSE", Key, No, false, 5,
        "The key exists but has another purpose.",
        "Name a key of the purpose in the message; `perso keys list` shows the purpose of each key.";
    KeyKcv = "KEY-KCV", Key, No, false, 5,
        "The key does not match its stored check value.",
        "Do not use the key; have the custodians load it again.";
    KeyWeak = "KEY-WEAK", Key, No, false, 5,
        "A key, its check value, its key block protection key, or the passphrase or passphrase file is too weak for live work.",
        "Make a new key with `perso keys generate`, choose a longer passphrase, or run `chmod 600` on the passphrase file.";
    KeyLive = "KEY-LIVE", Key, No, false, 5,
        "Live keys are refused: this work is for test keys only.",
        "Use a key file of test keys; live work needs the ledger, which this version does not have.";
    KeyWrapped = "KEY-WRAPPED", Key, No, false, 5,
        "What came wrapped under one of our keys cannot be unwrapped: it was made under another key, was changed, or states another content.",
        "Compare the check value of the wrapping key with the sender's, then have it sent again.";
    KeyToken = "KEY-TOKEN", Key, No, false, 5,
        "The HSM or its PKCS#11 module failed, refused, or is not there.",
        "Check that the HSM is up and that module, token label and PIN are right before you try again: a wrong PIN counts.";
    KeyNoMatch = "KEY-NO-MATCH", Key, No, false, 6,
        "None of the profile's master keys fits the card's KMCID and key version, or more than one does.",
        "Find the key that fits with `perso explain-auth`; if none does, take a blank of the right stock.";
    CaKeys = "CA-KEYS", Key, No, false, 5,
        "The file of CA public keys cannot be used: its form, a value, or a hash is wrong.",
        "Correct the entry in the message, or fetch the key and its hash from the scheme again; docs/ca-keys.md describes the format.";
    CardBlank = "CARD-BLANK", Card, No, true, 6,
        "The card is not the blank that the profile expects.",
        "Put the card back and take a blank of the right stock.";
    CardProtocol = "CARD-PROTOCOL", Card, No, false, 6,
        "The card uses another secure channel protocol than the profile states.",
        "Use the profile of this stock, or correct [channel] of the profile; perso never falls back to another protocol.";
    CardCryptogram = "CARD-CRYPTOGRAM", Card, No, false, 6,
        "The card's cryptogram is wrong: our keys are not this card's keys. Nothing was sent that could use up its attempts.",
        "Do not run the card again; find the key that fits with `perso explain-auth`, which never authenticates.";
    CardChallenge = "CARD-CHALLENGE", Card, No, false, 6,
        "The card's challenge is not the one that its sequence counter and AID give.",
        "Compare check_challenge of the profile with the card maker's data; if it is right, put the card aside.";
    CardLogin = "CARD-LOGIN", Card, No, false, 6,
        "The card refused EXTERNAL AUTHENTICATE.",
        "Do not try the card again: its attempts may be limited. Compare the profile's security level with what `perso card info` shows.";
    CardRefused = "CARD-REFUSED", Card, ByState, true, 7,
        "The card refused a command.",
        "Run `perso explain` with the status word in the message; treat the card as the result says.";
    CardMac = "CARD-MAC", Card, ByState, true, 7,
        "A response of the card has no MAC or a wrong one.",
        "Treat the card as the result says; if it happens again, suspect the reader or something on the line.";
    CardAnswer = "CARD-ANSWER", Card, ByState, true, 7,
        "The card's response is not what the specification requires.",
        "Treat the card as the result says; if it happens again with other cards, suspect the stock.";
    CardPersonalized = "CARD-PERSONALIZED", Card, ByState, true, 6,
        "The card is personalized already.",
        "Put the card aside and find out whose it is; take a blank.";
    CardMismatch = "CARD-MISMATCH", Card, Yes, true, 7,
        "What was read back is not what was loaded.",
        "Destroy the card and make the order again on new stock.";
    CardSwapped = "CARD-SWAPPED", Card, ByState, true, 7,
        "Another card is in the reader than the one the job began with.",
        "Keep both cards aside; treat the first one as the result says.";
    CardOda = "CARD-ODA", Card, ByState, true, 7,
        "The card's offline data authentication fails: a terminal would reject its certificates or signatures.",
        "Check the CA keys and the issuer certificate that the record was prepared with; treat the card as the result says.";
    CardAc = "CARD-AC", Card, ByState, true, 7,
        "The card's application cryptogram is not the one that the issuer host computes, or the card rejects the issuer's response.",
        "Compare the issuer master key, its version, PAN and sequence number with those that the record was prepared with.";
    CardPin = "CARD-PIN", Card, ByState, false, 7,
        "The card rejects the PIN that should be its own.",
        "Do not try again; check that the PIN belongs to this card. The result has the card's PIN try counter.";
    ReaderLost = "READER-LOST", Reader, ByState, true, 7,
        "The link to the card broke.",
        "Treat the card as the result says; seat the next card firmly and check the reader's cable.";
    ReaderMute = "READER-MUTE", Reader, ByState, true, 8,
        "The card or its reader has not answered within the command timeout, or has not finished within the job timeout.",
        "Take the card out and plug the reader in again; treat the card as the result says, it may still have been at work.";
    ReaderNone = "READER-NONE", Reader, No, true, 4,
        "There is no such reader, or no card in it.",
        "List the readers with `perso readers`, name one with --reader, and put the card into it.";
    ReaderBusy = "READER-BUSY", Reader, No, true, 4,
        "Another program holds the reader, or it was given up after a mute card.",
        "Close the other program, or plug the reader in again, then start again.";
    ReaderService = "READER-SERVICE", Reader, No, true, 4,
        "The PC/SC service cannot be reached, or this program was built without it.",
        "Start the PC/SC service: `systemctl start pcscd.socket`; if it is not installed, `apt-get install pcscd`. `perso doctor` checks it.";
    ReaderSim = "READER-SIM", Reader, No, false, 4,
        "The simulated card's file or fault script cannot be used.",
        "Make a blank with `perso sim new`, or correct --interface or the --fault rule; docs/simulated-card.md describes them.";
    ReplayDiffers = "REPLAY-DIFFERS", Reader, No, false, 10,
        "The host sent something else than the trace has.",
        "Use the record, profile, keys and program that the trace was made with, or correct the change that the first difference shows.";
    TraceSyntax = "TRACE-SYNTAX", Reader, No, false, 3,
        "The trace is not in the trace format.",
        "Correct the trace at the line in the message; docs/trace.md describes the format.";
    StripeHere = "STRIPE-HERE", Stripe, No, false, 4,
        "The record requires stripe encoding here, but no encoder is configured. No card was touched.",
        "Prepare the record with the stripe made elsewhere, or make the card at a station with an encoder.";
    LedgerWrite = "LEDGER-WRITE", Ledger, ByState, true, 9,
        "The journal cannot be written or read.",
        "Check the free space and the rights of the journal file; perso makes no card without it.";
    LedgerBusy = "LEDGER-BUSY", Ledger, No, true, 9,
        "Another run has the journal open.",
        "Wait until that run has ended, then start again; two runs at once need a reader, a card and a journal each.";
    PoolBusy = "POOL-BUSY", Ledger, No, true, 9,
        "Another process takes keys from the pool or fills it.",
        "Wait until it has ended, then start again; runs at once may have a pool each.";
    LedgerSyntax = "LEDGER-SYNTAX", Ledger, No, false, 9,
        "The journal has a line that this program does not understand.",
        "Keep the file, do not edit it, and report it with the line number in the message.";
    LedgerRecord = "LEDGER-RECORD", Ledger, No, false, 9,
        "This record has already become a card, or is being made into one.",
        "Find the card by the job in the message; a second card needs a new order.";
    LedgerCard = "LEDGER-CARD", Ledger, No, true, 9,
        "The journal has this chip as the card of another order.",
        "Put the card aside and take a blank.";
    LedgerDoubt = "LEDGER-DOUBT", Ledger, No, false, 9,
        "An earlier job with this record or this card is in doubt.",
        "Keep that card aside and read it with `perso verify`; this version has no command that releases the record or order.";
    LedgerHeld = "LEDGER-HELD", Ledger, No, false, 9,
        "The order is held, or another order of the same card is open or made.",
        "Compare the two orders; a supervisor releases the order if a further card is wanted.";
    LedgerState = "LEDGER-STATE", Ledger, No, false, 9,
        "The order or job is in a state in which this is not done.",
        "Take the next step that its state allows: `perso ledger show` names it, and docs/ledger.md has the table.";
    LedgerFence = "LEDGER-FENCE", Ledger, ByState, false, 9,
        "The job was taken from this worker, because its lease had run out.",
        "Keep the card aside; `perso ledger show` says what comes next.";
    LedgerUnknown = "LEDGER-UNKNOWN", Ledger, ByState, false, 9,
        "The ledger has not answered in time, or not confirmed a commit: nobody knows whether it was made.",
        "Keep the card aside and check the disk or server that holds the ledger; docs/ledger.md says how the job is settled.";
    LedgerPlace = "LEDGER-PLACE", Ledger, No, false, 9,
        "The file or its place cannot hold a ledger, or it is not a ledger.",
        "Name the ledger's file, on a local disk; `perso ledger init` makes a test ledger.";
    LedgerSchema = "LEDGER-SCHEMA", Ledger, No, false, 9,
        "The schema of the ledger is newer than this program, or was altered.",
        "Use the version of perso that wrote the ledger or a newer one; restore an altered file from its backup.";
    LedgerDamaged = "LEDGER-DAMAGED", Ledger, No, false, 9,
        "The ledger has pages, events or rows that this program did not write so.",
        "Make no card with it; keep a copy of the file and of its -wal file, then restore the last backup.";
    Config = "CONFIG", Operator, No, false, 4,
        "The configuration cannot be used, or a file that it names is not there.",
        "Correct the entry in the message; `perso config check` examines all entries, docs/config.md describes them.";
    OperatorInput = "OPERATOR-INPUT", Operator, No, false, 2,
        "A file that was named cannot be read, or an option has a value that it cannot have.",
        "Check the files and options on the command line; `perso --help` lists the commands, and each has its own --help.";
    OperatorInterrupted = "OPERATOR-INTERRUPTED", Operator, ByState, true, 6,
        "The program was interrupted by a signal, and ended in an orderly way.",
        "Treat the card as the result says. UNTOUCHED: type the command again; SPOILED: take a new blank; IN DOUBT: read the card with `perso verify`.";
    FileKind = "FILE-KIND", Operator, No, false, 2,
        "A file is of another kind than the command takes, or is empty.",
        "Name a file of the kind that the message expects.";
    ProgramFault = "PROGRAM-FAULT", Program, ByState, false, 1,
        "The program met a state that it should have ruled out.",
        "Report it with the result file; treat the card as the result says.";
}

impl Code {
    /// The code as it is printed.
    pub fn name(self) -> &'static str {
        self.entry().code
    }

    /// The code of this name.
    pub fn find(name: &str) -> Option<Code> {
        CATALOGUE.iter().find(|(_, entry)| entry.code.eq_ignore_ascii_case(name)).map(|(code, _)| *code)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_sentences_are_whole() {
        let mut seen = HashSet::new();
        for (code, entry) in CATALOGUE {
            assert!(seen.insert(entry.code), "duplicate {}", entry.code);
            assert_eq!(Code::find(entry.code), Some(*code));
            for sentence in [entry.what, entry.next] {
                assert!(sentence.ends_with('.'), "{}: {sentence}", entry.code);
            }
            assert!(matches!(entry.exit, 1..=10));
        }
    }
}
