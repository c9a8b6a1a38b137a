//! Whose fault it is: every error type answers with one [`Code`] of the catalogue.
//!
//! The catalogue is this one table. `perso explain` prints it, results carry its codes, and tests reach for each of
//! them. Codes are stable: one that has been released is never given another meaning.

/// An error that knows its place in the catalogue.
pub trait Fault: std::error::Error {
    /// The stable code.
    fn code(&self) -> Code;
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
        "Compare the check value of the PIN key with the sender's; then have the PIN sent again for this card.";
    OrderSyntax = "ORDER-SYNTAX", Order, No, false, 3,
        "The order, or what is encrypted in it, is no JSON text of an order that this program knows.",
        "Have the sender correct it; docs/orders.md describes the orders, `perso check` lists every problem by path.";
    OrderFormat = "ORDER-FORMAT", Order, No, false, 3,
        "A field of the order does not have its documented form, or a required one is absent.",
        "Have the sender correct the field that is named.";
    OrderValue = "ORDER-VALUE", Order, No, false, 3,
        "A field of the order has a value that is not permitted, is unknown to this site, or contradicts another.",
        "Have the sender correct the field that is named, or have the site's configuration name what it lacks.";
    OrderCrypto = "ORDER-CRYPTO", Order, No, false, 3,
        "The order's encrypted data does not open: its kid, alg and enc are not listed together, or it was changed.",
        "Compare kid, alg and enc with the site's list, then have the sender encrypt the card data again.";
    OrderNotAllowed = "ORDER-NOT-ALLOWED", Order, No, false, 3,
        "The order asks for something that this site does not do, or names a field of another kind of order.",
        "Send the order to a site that does it; the field that is named says what it is.";
    OrderPin = "ORDER-PIN", Order, No, false, 3,
        "The card needs a PIN, and the order has none.",
        "Have the issuer set the PIN first, then order the card again.";
    PrepareRecipe = "PREPARE-RECIPE", Order, No, false, 3,
        "The card profile cannot prepare this order: it says nothing of data preparation, is another one, or does not hold together.",
        "Use the profile that the order is for, or correct its [prepare]; card-profiles/README.md explains it.";
    PrepareIssuer = "PREPARE-ISSUER", Order, No, false, 3,
        "The issuer's certificate is not given, is of another scheme, or certifies another key than the one in custody.",
        "Give the certificate that the scheme's CA made for the issuer's key (--issuer-certificate).";
    PrepareBlock = "PREPARE-BLOCK", Order, No, false, 3,
        "A prepared TLV block is refused: its MAC is wrong, it is broken, or a tag has no place in the profile.",
        "Compare the key encryption key with the sender's, then have the block made again.";
    PrepareData = "PREPARE-DATA", Order, No, false, 3,
        "The order and the profile together do not give every value that the card needs, or the values contradict each other.",
        "Have the order completed, or the profile's [prepare] corrected; the message names the value.";
    RecordSyntax = "RECORD-SYNTAX", Record, No, false, 3,
        "The record is not a prepared record of a version that this program knows.",
        "Have the record made again by data preparation; `perso check` lists every problem by path.";
    RecordTag = "RECORD-TAG", Record, No, false, 3,
        "The record's seal does not fit: its header or body was changed, or it was sealed under another key.",
        "Fetch the record again from its source; do not edit records by hand.";
    RecordKey = "RECORD-KEY", Record, No, false, 3,
        "The record names a key that the key store does not hold, or whose check value differs.",
        "Compare the names and check values with `perso keys list`, then import the right key or have the record sealed again.";
    RecordProfile = "RECORD-PROFILE", Record, No, false, 3,
        "The record was prepared for another profile, or for another edition of it.",
        "Use the edition of the profile that the record names, or prepare the record again.";
    RecordContradiction = "RECORD-CONTRADICTION", Record, No, false, 3,
        "A fact in the record contradicts the profile or another fact in the record.",
        "Correct the order or the profile, then prepare the record again.";
    RecordTlv = "RECORD-TLV", Record, No, false, 3,
        "A grouping holds broken BER-TLV, or lacks an object that it must hold.",
        "Have data preparation correct the grouping that is named.";
    RecordDgi = "RECORD-DGI", Record, No, false, 3,
        "A data grouping is unknown to the profile, too long, missing, twice there, or in the wrong form.",
        "Have data preparation correct the grouping that is named.";
    RecordTrack = "RECORD-TRACK", Record, No, false, 3,
        "A magnetic track cannot be encoded, or disagrees with the chip.",
        "Have data preparation correct the track that is named.";
    RecordPrint = "RECORD-PRINT", Record, No, false, 3,
        "What is to be printed cannot be, or disagrees with the chip.",
        "Have data preparation correct the field that is named.";
    ProfileSyntax = "PROFILE-SYNTAX", Record, No, false, 3,
        "The profile is not a card profile of a version that this program knows.",
        "Correct the profile; card-profiles/README.md teaches the format.";
    ProfileSense = "PROFILE-SENSE", Record, No, false, 3,
        "The profile is well formed but does not make sense.",
        "Correct the profile at the path that is named; card-profiles/README.md teaches the format.";
    KeyFile = "KEY-FILE", Key, No, false, 5,
        "The key file cannot be read.",
        "Name the right file with --keys; if it is damaged, restore it from the custodian's copy.";
    KeyFileBusy = "KEY-FILE-BUSY", Key, No, true, 5,
        "Another process changes the key file.",
        "Wait until it has ended, then start again.";
    KeyPassphrase = "KEY-PASSPHRASE", Key, No, true, 5,
        "The passphrase does not open the key file, or the file was changed.",
        "Try the passphrase again; if it is right, restore the file from the custodian's copy.";
    KeyUnknown = "KEY-UNKNOWN", Key, No, false, 5,
        "The key store does not hold a key of this name.",
        "Compare the name with `perso keys list`, then import the key.";
    KeyPurpose = "KEY-PURPOSE", Key, No, false, 5,
        "The key exists but is not for this purpose.",
        "Name the right key; a key is never used for another purpose than its own.";
    KeyKcv = "KEY-KCV", Key, No, false, 5,
        "The key's value does not give the check value that stands beside it.",
        "Do not use the key; have the custodians load it again.";
    KeyWeak = "KEY-WEAK", Key, No, false, 5,
        "A key, its check value, its key block protection key, or the passphrase or passphrase file is too weak for live work.",
        "Replace what is named by a stronger one: make a new key with `perso keys generate`, choose a longer passphrase, or run `chmod 600` on its file.";
    KeyLive = "KEY-LIVE", Key, No, false, 5,
        "Live keys are refused: this work is for test keys only.",
        "Use a key file that is marked as test, or wait for the ledger that live work needs.";
    KeyWrapped = "KEY-WRAPPED", Key, No, false, 5,
        "What came under one of our keys does not open with it: it was made with another key, was changed, or is not what it says.",
        "Compare the check values of the wrapping key with the sender's, then have it sent again.";
    KeyToken = "KEY-TOKEN", Key, No, false, 5,
        "The HSM or its PKCS#11 module failed, refused, or is not there.",
        "Look whether the HSM is up and module, token label and PIN are right before you try again: a wrong PIN counts.";
    KeyNoMatch = "KEY-NO-MATCH", Key, No, false, 6,
        "None of the profile's master keys is for the card's KMCID and key version, or more than one is.",
        "Compare the card's key data with the profile's master keys; the wrong stock may be loaded.";
    CaKeys = "CA-KEYS", Key, No, false, 5,
        "The file of CA public keys cannot be used: its form, a value, or a hash is wrong.",
        "Correct the entry that is named, or fetch the key and its hash from the scheme again; docs/ca-keys.md teaches the format.";
    CardBlank = "CARD-BLANK", Card, No, true, 6,
        "The card is not the blank that the profile expects.",
        "Put the card back and take a blank of the right stock.";
    CardProtocol = "CARD-PROTOCOL", Card, No, false, 6,
        "The card speaks another secure channel than the profile states.",
        "Use the profile for this stock, or have the profile corrected; there is no fallback on purpose.";
    CardCryptogram = "CARD-CRYPTOGRAM", Card, No, false, 6,
        "The card's cryptogram is wrong: our keys are not this card's keys. Nothing was sent that could use up its attempts.",
        "Do not try the card again; check master key, key version and diversification as listed.";
    CardChallenge = "CARD-CHALLENGE", Card, No, false, 6,
        "The card's challenge is not the one its sequence counter and AID give.",
        "Have the profile's check_challenge looked at, or suspect the card.";
    CardLogin = "CARD-LOGIN", Card, No, false, 6,
        "The card refused EXTERNAL AUTHENTICATE.",
        "Do not try the card again; its attempts may be limited. Check the security level and the card's life cycle.";
    CardRefused = "CARD-REFUSED", Card, ByState, true, 7,
        "The card refused a command.",
        "Look at the command and status word in the result; `perso explain SW` tells what the status word means.";
    CardMac = "CARD-MAC", Card, ByState, true, 7,
        "An answer of the card lacks its MAC or carries a wrong one.",
        "Treat the card by its state; if it happens again, suspect the reader or something on the line.";
    CardAnswer = "CARD-ANSWER", Card, ByState, true, 7,
        "The card's answer is not what the specification lays down.",
        "Treat the card by its state; if it happens again on other cards, suspect the stock.";
    CardPersonalized = "CARD-PERSONALIZED", Card, ByState, true, 6,
        "The card is personalized already.",
        "Put the card aside and find out whose it is; take a blank.";
    CardMismatch = "CARD-MISMATCH", Card, Yes, true, 7,
        "What was read back is not what was loaded.",
        "Destroy the card and make the order again on new stock.";
    CardSwapped = "CARD-SWAPPED", Card, ByState, true, 7,
        "Another card is in the reader than the one the job began with.",
        "Keep both cards aside; treat the first by the state in the result.";
    CardOda = "CARD-ODA", Card, ByState, true, 7,
        "The card's offline data authentication fails: a terminal would not take its certificates or signatures.",
        "Look at the check that is named: the CA keys, the certificates of the record, the card; treat the card by its state.";
    CardAc = "CARD-AC", Card, ByState, true, 7,
        "The card's application cryptogram is not the issuer host's, or the card does not take the issuer's answer.",
        "Compare the issuer master key, its version, PAN and sequence number with those that the record was prepared with.";
    CardPin = "CARD-PIN", Card, ByState, false, 7,
        "The card does not take the PIN that should be its own.",
        "Do not try again: look whether the PIN belongs to this card; the card's PIN try counter stands in the result.";
    ReaderLost = "READER-LOST", Reader, ByState, true, 7,
        "The link to the card broke.",
        "Treat the card by its state; seat the next card firmly and look at the reader's cable.";
    ReaderMute = "READER-MUTE", Reader, ByState, true, 8,
        "The card or its reader has not answered within the command timeout, or has not finished within the job timeout.",
        "Take the card out and plug the reader in again; treat the card by its state, it may still have been at work.";
    ReaderNone = "READER-NONE", Reader, No, true, 4,
        "There is no such reader, or no card in it.",
        "List the readers with `perso readers`; the simulated card is `--reader sim`.";
    ReaderBusy = "READER-BUSY", Reader, No, true, 4,
        "Another program holds the reader, or it was given up after a mute card.",
        "Close the other program, or plug the reader in again and start anew.";
    ReaderService = "READER-SERVICE", Reader, No, true, 4,
        "The PC/SC service cannot be reached, or this program was built without it.",
        "Start the PC/SC service (pcscd); the simulated card, `--reader sim`, works without it.";
    ReaderSim = "READER-SIM", Reader, No, false, 4,
        "The simulated card's file or fault script cannot be used.",
        "Make a blank with `perso sim new`; `perso run --help` shows the fault script's form.";
    ReplayDiffers = "REPLAY-DIFFERS", Reader, No, false, 10,
        "The host sent something else than the trace holds.",
        "The first difference is named; same record, profile, keys and program give the same bytes.";
    TraceSyntax = "TRACE-SYNTAX", Reader, No, false, 3,
        "The trace is not in the trace format.",
        "docs/trace.md describes the format; the line is named.";
    StripeHere = "STRIPE-HERE", Stripe, No, false, 4,
        "The record wants the stripe written here, and no encoder is attached. No card was touched.",
        "Have the record say where the stripe is made, or write the stripe at a station with an encoder.";
    LedgerWrite = "LEDGER-WRITE", Ledger, ByState, true, 9,
        "The journal cannot be written or read.",
        "Look at the disk and the rights of the journal file; nothing goes on without it.";
    LedgerBusy = "LEDGER-BUSY", Ledger, No, true, 9,
        "Another run has the journal open.",
        "Wait until that run has ended, then start again; two runs at once need a reader, a card and a journal each.";
    PoolBusy = "POOL-BUSY", Ledger, No, true, 9,
        "Another process takes keys from the pool or fills it.",
        "Wait until it has ended, then start again; runs at once may have a pool each.";
    LedgerSyntax = "LEDGER-SYNTAX", Ledger, No, false, 9,
        "The journal holds a line that this program does not understand.",
        "Keep the file, do not edit it, and have it looked at.";
    LedgerRecord = "LEDGER-RECORD", Ledger, No, false, 9,
        "This record has become a card already, or is being made into one.",
        "Look at the result that is named; a second card needs a new order.";
    LedgerCard = "LEDGER-CARD", Ledger, No, true, 9,
        "This chip is settled already: it is another order's card.",
        "Put the card aside and take a blank.";
    LedgerDoubt = "LEDGER-DOUBT", Ledger, No, false, 9,
        "An earlier job with this record or this card is in doubt.",
        "Keep that card aside; it must be read back or declared destroyed before the order can go on.";
    Config = "CONFIG", Operator, No, false, 4,
        "The station's configuration cannot be used, or what it names is not there.",
        "Correct the entry that is named in perso.toml; docs/config.md describes it, `perso config check` looks at all of it.";
    OperatorInput = "OPERATOR-INPUT", Operator, No, false, 2,
        "An input that the operator named cannot be read, or an option has no such value.",
        "Correct what is named; `--help` shows every option.";
    OperatorInterrupted = "OPERATOR-INTERRUPTED", Operator, ByState, true, 6,
        "The program was interrupted by a signal, and ended in an orderly way.",
        "Treat the card by its state. After UNTOUCHED run the same command again; after SPOILED run it with a new blank; \
         after IN DOUBT read the card with `perso verify`.";
    ProgramFault = "PROGRAM-FAULT", Program, ByState, false, 1,
        "The program met something that it should have ruled out.",
        "Please report it with the result file; treat the card by its state.";
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
            assert!(seen.insert(entry.code), "{} stands twice", entry.code);
            assert_eq!(Code::find(entry.code), Some(*code));
            for sentence in [entry.what, entry.next] {
                assert!(sentence.ends_with('.'), "{}: {sentence}", entry.code);
            }
            assert!(matches!(entry.exit, 1..=10));
        }
    }
}
