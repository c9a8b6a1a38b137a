//! What status words and instructions mean, for people. // ISO 7816-4 §5.6, GPC 2.3.1 §11, EMV B3 §6.3.5

use super::StatusWord;

/// What a status word means in answer to one instruction, and whose meaning it is.
const SPECIFIC: &[(u8, &[u16], &str, &str)] = &[
    (0x50, &[0x6A88], "the card has no key set of this version", "GlobalPlatform"),
    (0x50, &[0x6982, 0x6983], "the key set is blocked", "seen on cards"),
    (
        0x50,
        &[0x6985],
        "no secure channel to be had here; an application that is personalized already answers so",
        "EMV CPS",
    ),
    (0x82, &[0x6300], "the card did not accept the host cryptogram; its attempts may be limited", "GlobalPlatform"),
    (0x82, &[0x6982], "the card did not accept the MAC", "GlobalPlatform"),
    (0x82, &[0x6985], "not preceded by INITIALIZE UPDATE", "GlobalPlatform"),
    (0x82, &[0x6A86], "the card does not have this security level", "GlobalPlatform"),
    (
        0xE2,
        &[0x6A80],
        "wrong data: broken TLV, length or padding, or a key check value that does not match",
        "GlobalPlatform",
    ),
    (0xE2, &[0x6A84], "not enough memory", "GlobalPlatform"),
    (0xE2, &[0x6A86], "mandatory data is missing at the last block, or wrong parameters", "EMV CPS"),
    (0xE2, &[0x6A88], "the application does not know this data grouping", "EMV CPS"),
    (0xE2, &[0x6982], "the MAC was not accepted, or the channel is lost", "GlobalPlatform"),
    (0xE2, &[0x6985], "the application is personalized already, or the order is wrong", "EMV CPS"),
    (0xA4, &[0x6A82], "no such application", "GlobalPlatform"),
    (0xA4, &[0x6A81], "the card is blocked, or does not select like this", "EMV"),
    (0xA4, &[0x6283], "selected, but blocked or locked", "GlobalPlatform, EMV"),
    (0xB2, &[0x6A83], "no such record", "EMV"),
    (0xB2, &[0x6A82], "no such file", "ISO 7816-4"),
    (0xCA, &[0x6A88], "the card does not hold this object", "GlobalPlatform"),
    (0xF2, &[0x6310], "more entries follow", "GlobalPlatform"),
    (0xF2, &[0x6A88], "no application or file of this kind is on the card", "GlobalPlatform"),
    (0xE4, &[0x6A88, 0x6A82], "the application or file to delete is not on the card", "GlobalPlatform"),
    (0xE4, &[0x6985], "it is still in use: delete what refers to it first", "GlobalPlatform"),
    (0xE6, &[0x6A88], "the load file, module or security domain is not on the card", "GlobalPlatform"),
    (0xE6, &[0x6A84], "not enough memory", "GlobalPlatform"),
    (0xE8, &[0x6A84], "not enough memory", "GlobalPlatform"),
    (0xD8, &[0x6A88], "the key to replace is not on the card", "GlobalPlatform"),
    (0xD8, &[0x9484], "the card does not support the key's algorithm", "GlobalPlatform"),
    (0xD8, &[0x9485], "the key check value does not match the key", "GlobalPlatform"),
    (0xF0, &[0x6A80], "the card does not allow this change of life cycle state", "GlobalPlatform"),
    (0xA8, &[0x6985], "the application refuses the transaction; a terminal selects the next one", "EMV"),
    (0xAE, &[0x6985], "not at this point of the transaction; a second cryptogram was asked for too often", "EMV"),
    (0x20, &[0x6983], "the PIN is blocked", "EMV"),
    (0x20, &[0x6984], "the PIN is blocked or not initialized", "EMV"),
];

/// The meaning of a status word in answer to one instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InContext {
    /// The command.
    pub command: &'static str,
    /// What the status word means.
    pub meaning: &'static str,
    /// The specification, or `seen on cards`.
    pub source: &'static str,
}

/// What a status word means in answer to the commands that give it a meaning of their own.
pub fn in_context(sw: StatusWord) -> Vec<InContext> {
    let rows = SPECIFIC.iter().filter(|(_, words, ..)| words.contains(&sw.0));
    let named = |ins: u8| match command_name(&[0x80, ins]) {
        "(unknown command)" => command_name(&[0x00, ins]),
        name => name,
    };
    rows.map(|(ins, _, meaning, source)| InContext { command: named(*ins), meaning, source }).collect()
}

/// Whether ISO 7816-4, GlobalPlatform or EMV give a status word a meaning.
pub fn is_known(sw: StatusWord) -> bool {
    meaning(None, sw) != NOT_KNOWN
}

const NOT_KNOWN: &str = "not a status word of ISO 7816, GlobalPlatform or EMV";

/// The meaning of a status word, in answer to an instruction where that matters.
pub fn meaning(ins: Option<u8>, sw: StatusWord) -> &'static str {
    let own = |(of, words, ..): &&(u8, &[u16], &str, &str)| ins == Some(*of) && words.contains(&sw.0);
    if let Some((.., specific, _)) = SPECIFIC.iter().find(own) {
        return specific;
    }
    match sw.0 {
        0x9000 => "done",
        0x6100..=0x61FF => "more bytes can be fetched",
        0x6202..=0x6280 => "done, with a warning; the card has a query for the host (length: second byte)",
        0x6281 => "done; part of the returned data may be corrupted",
        0x6282 => "done; the file, record or search ended before Le bytes were read",
        0x6283 => "done; the object is blocked or locked",
        0x6284 => "done; the file control information has another format",
        0x6285 => "done; the selected file is in termination state",
        0x6286 => "done; no input from a sensor on the card",
        0x6287 => "done; at least one of the referenced records is deactivated",
        0x6200..=0x62FF => "done, with a warning; nothing was changed",
        0x6381 => "done; the file was filled up by the last write",
        0x63C0..=0x63CF => "verification failed; tries left: last digit",
        0x6300..=0x63FF => "done, with a warning; something was changed",
        0x6401 => "execution error; the card needs an immediate response",
        0x6402..=0x6480 => "execution error; the card has a query for the host (length: second byte)",
        0x6481 => "logical shared access denied",
        0x6482 => "logical channel opening denied",
        0x6400..=0x64FF => "execution error; nothing was changed",
        0x6581 => "memory failure",
        0x6500..=0x65FF => "execution error; something was changed",
        0x6600..=0x66FF => "security-related issue",
        0x6701 => "wrong length: the command's format is not one of ISO 7816-4",
        0x6702 => "wrong length: Lc is not the expected one",
        0x6700..=0x67FF => "wrong length",
        0x6881 => "logical channels are not supported",
        0x6882 => "secure messaging is not supported",
        0x6883 => "the last command of the chain was expected",
        0x6884 => "command chaining is not supported",
        0x6800..=0x68FF => "function of the class byte not supported",
        0x6981 => "the command does not fit the file's structure",
        0x6982 => "security status not satisfied",
        0x6983 => "blocked",
        0x6984 => "the reference data cannot be used",
        0x6985 => "conditions of use not satisfied",
        0x6986 => "command not allowed: no current file",
        0x6987 => "secure messaging data is missing",
        0x6988 => "secure messaging data is wrong",
        0x6999 => "the application refused to be selected",
        0x6900..=0x69FF => "command not allowed",
        0x6A80 => "wrong data",
        0x6A81 => "function not supported, or the card is locked",
        0x6A82 => "file or application not found",
        0x6A83 => "record not found",
        0x6A84 => "not enough memory",
        0x6A85 => "Lc does not fit the TLV structure",
        0x6A86 => "wrong parameters P1 P2",
        0x6A87 => "Lc does not fit the parameters P1 P2",
        0x6A88 => "referenced data not found",
        0x6A89 => "the file exists already",
        0x6A8A => "the DF name exists already",
        0x6A00..=0x6AFF => "wrong parameters P1 P2",
        0x6B00 => "wrong parameters P1 P2",
        0x6C00..=0x6CFF => "wrong Le; the second byte tells the right one",
        0x6D00 => "instruction not supported",
        0x6E00 => "class not supported",
        0x6F00..=0x6FFF => "no diagnosis",
        0x9484 => "algorithm not supported",
        0x9485 => "key check value not accepted",
        _ => NOT_KNOWN,
    }
}

/// The name of a command, by its header.
pub fn command_name(header: &[u8]) -> &'static str {
    let (Some(&cla), Some(&ins)) = (header.first(), header.get(1)) else { return "(not a command)" };
    let proprietary = cla & 0x80 != 0;
    match (ins, proprietary) {
        (0xA4, false) => "SELECT",
        (0xB2, false) => "READ RECORD",
        (0xC0, _) => "GET RESPONSE",
        (0x20, false) => "VERIFY",
        (0x84, false) => "GET CHALLENGE",
        (0x88, false) => "INTERNAL AUTHENTICATE",
        (0x82, _) => "EXTERNAL AUTHENTICATE",
        (0x50, true) => "INITIALIZE UPDATE",
        (0xE2, true) => "STORE DATA",
        (0xE4, true) => "DELETE",
        (0xE6, true) => "INSTALL",
        (0xE8, true) => "LOAD",
        (0xD8, true) => "PUT KEY",
        (0xF0, true) => "SET STATUS",
        (0xF2, true) => "GET STATUS",
        (0xCA, _) => "GET DATA",
        (0xA8, true) => "GET PROCESSING OPTIONS",
        (0xAE, true) => "GENERATE AC",
        (0x7A, true) => "BEGIN R-MAC SESSION",
        (0x78, true) => "END R-MAC SESSION",
        (0x70, false) => "MANAGE CHANNEL",
        _ => "(unknown command)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_word_means_what_it_means_to_its_command() {
        let says = |ins, sw| meaning(ins, StatusWord(sw));
        assert_eq!(says(Some(0xE2), 0x6A88), "the application does not know this data grouping");
        assert_eq!(says(Some(0x50), 0x6A88), "the card has no key set of this version");
        assert_eq!(says(None, 0x6A88), "referenced data not found");
        assert_eq!(
            says(Some(0x82), 0x6300),
            "the card did not accept the host cryptogram; its attempts may be limited"
        );
        assert_eq!(says(Some(0x20), 0x63C2), "verification failed; tries left: last digit");
        assert_eq!(says(None, 0x1234), "not a status word of ISO 7816, GlobalPlatform or EMV");
    }

    #[test]
    fn every_status_word_of_the_reference_has_a_meaning() {
        // ISO/IEC 7816-4:2020, tables 6 and 7.
        let iso = [
            0x6202, 0x6280, 0x6281, 0x6282, 0x6284, 0x6286, 0x6287, 0x6381, 0x6401, 0x6402, 0x6480, 0x6481, 0x6482,
            0x6500, 0x6600, 0x6701, 0x6702, 0x6800, 0x6883, 0x6884, 0x6900, 0x6981, 0x6986, 0x6A00, 0x6A85, 0x6A87,
            0x6A89, 0x6A8A, 0x6F00,
        ];
        for sw in iso {
            let says = meaning(None, StatusWord(sw));
            assert!(!says.is_empty() && !says.starts_with("not a status word"), "{sw:04X}");
        }
        // Every word of a class that ISO defines has a meaning.
        for sw in (0x6100..=0x6CFF).chain([0x6D00, 0x6E00, 0x6F00, 0x9000]) {
            assert!(
                !meaning(None, StatusWord(sw)).starts_with("not a status word") || sw == 0x6B01 || sw >> 8 == 0x6B,
                "{sw:04X}"
            );
        }
        let known = [
            0x9000, 0x6110, 0x6200, 0x6283, 0x6285, 0x6300, 0x63C0, 0x6310, 0x6400, 0x6438, 0x6581, 0x6700, 0x6881,
            0x6882, 0x6982, 0x6983, 0x6984, 0x6985, 0x6987, 0x6988, 0x6999, 0x6A80, 0x6A81, 0x6A82, 0x6A83, 0x6A84,
            0x6A86, 0x6A88, 0x6B00, 0x6C10, 0x6D00, 0x6E00, 0x9484, 0x9485,
        ];
        for sw in known {
            let says = meaning(None, StatusWord(sw));
            assert!(!says.is_empty() && !says.starts_with("not a status word"), "{sw:04X}");
        }
    }

    #[test]
    fn commands_are_named_by_class_and_instruction() {
        assert_eq!(command_name(&[0x84, 0xE2, 0x80, 0x00]), "STORE DATA");
        assert_eq!(command_name(&[0x80, 0x50]), "INITIALIZE UPDATE");
        assert_eq!(command_name(&[0x00, 0xCA]), "GET DATA");
        // The same instruction in the interindustry class is another command.
        assert_eq!(command_name(&[0x00, 0xE2]), "(unknown command)");
        assert_eq!(command_name(&[0x00]), "(not a command)");
    }
}
