//! What EMV values say, in words for a technician. Pure; values that must not be shown are not asked for here.
//! // EMV B3 annex C, §5.4, §10.2, §10.5

use super::cvm;
use super::date::century;
use super::{Afl, Dol, tag_name};
use crate::base::codec::tlv::Tag;

/// One bit of a field: byte from 0, mask, meaning.
type Bit = (usize, u8, &'static str);

/// Application interchange profile. // EMV B3 table 37
const AIP: &[Bit] = &[
    (0, 0x80, "XDA supported"),
    (0, 0x40, "SDA supported"),
    (0, 0x20, "DDA supported"),
    (0, 0x10, "cardholder verification supported"),
    (0, 0x08, "terminal risk management to be performed"),
    (0, 0x04, "issuer authentication by EXTERNAL AUTHENTICATE supported"),
    (0, 0x02, "on-device cardholder verification supported (kernel 2)"),
    (0, 0x01, "CDA supported"),
    (1, 0x80, "EMV mode supported (kernel 2), or magnetic stripe mode (kernel 3)"),
];

/// Application usage control. // EMV B3 table 38
const AUC: &[Bit] = &[
    (0, 0x80, "valid for domestic cash"),
    (0, 0x40, "valid for international cash"),
    (0, 0x20, "valid for domestic goods"),
    (0, 0x10, "valid for international goods"),
    (0, 0x08, "valid for domestic services"),
    (0, 0x04, "valid for international services"),
    (0, 0x02, "valid at ATMs"),
    (0, 0x01, "valid at terminals other than ATMs"),
    (1, 0x80, "domestic cashback allowed"),
    (1, 0x40, "international cashback allowed"),
];

/// Terminal verification results, and the issuer action codes, which name the same events. // EMV B3 table 42
const TVR: &[Bit] = &[
    (0, 0x80, "offline data authentication was not performed"),
    (0, 0x40, "SDA failed"),
    (0, 0x20, "ICC data missing"),
    (0, 0x10, "card on the exception file"),
    (0, 0x08, "DDA failed"),
    (0, 0x04, "CDA failed"),
    (0, 0x02, "SDA selected"),
    (0, 0x01, "XDA selected"),
    (1, 0x80, "card and terminal have different application versions"),
    (1, 0x40, "expired application"),
    (1, 0x20, "application not yet effective"),
    (1, 0x10, "requested service not allowed"),
    (1, 0x08, "new card"),
    (2, 0x80, "cardholder verification failed"),
    (2, 0x40, "unknown cardholder verification method"),
    (2, 0x20, "PIN try limit exceeded"),
    (2, 0x10, "PIN entry required, PIN pad missing or not working"),
    (2, 0x08, "PIN entry required, PIN not entered"),
    (2, 0x04, "online PIN entered"),
    (3, 0x80, "floor limit exceeded"),
    (3, 0x40, "lower consecutive offline limit exceeded"),
    (3, 0x20, "upper consecutive offline limit exceeded"),
    (3, 0x10, "selected at random for online processing"),
    (3, 0x08, "merchant forced the transaction online"),
    (3, 0x04, "biometric try limit exceeded"),
    (3, 0x02, "selected biometric type not supported"),
    (3, 0x01, "XDA signature verification failed"),
    (4, 0x80, "default TDOL used"),
    (4, 0x40, "issuer authentication failed"),
    (4, 0x20, "script failed before the final GENERATE AC"),
    (4, 0x10, "script failed after the final GENERATE AC"),
    (4, 0x04, "CA ECC key missing"),
    (4, 0x02, "ECC key recovery failed"),
];

/// What a value says, a line each; nothing where the bytes say it themselves, or where its length is not what its tag has.
pub fn words(tag: Tag, value: &[u8]) -> Vec<String> {
    match (tag.number(), value) {
        (0x82, [_, _]) => bits(AIP, value, "nothing supported"),
        (0x9F07, [_, _]) => bits(AUC, value, "valid nowhere"),
        (0x95 | 0x9F0D..=0x9F0F, [_, _, _, _, _]) => bits(TVR, value, "no condition"),
        (0x94, _) => locator(value),
        (0x8E, _) => cvm::words(value),
        (0x8C | 0x8D | 0x97 | 0x9F38 | 0x9F49 | 0x9F4F, _) => list(value),
        (0x5F24 | 0x5F25, [year, month, day]) => date(*year, *month, *day),
        (0x87, [byte]) => priority(*byte),
        (0x9F17, [tries]) => vec![format!("{tries} PIN tries left")],
        (0x9F36, [high, low]) => vec![format!("{} transactions", u16::from_be_bytes([*high, *low]))],
        (0x9F13, [high, low]) => vec![match u16::from_be_bytes([*high, *low]) {
            0 => "never online".to_owned(),
            at => format!("last online at transaction {at}"),
        }],
        (0x9F4D, [file, records]) => vec![format!("transaction log in file {file}, {records} records")],
        (0x88, [file]) => vec![format!("directory in file {file}")],
        (0x5F30, [high, low]) => service(*high, *low),
        (0x9F4A, [0x82]) => vec!["the AIP takes part in offline data authentication".to_owned()],
        (0x9F4A, _) => vec!["only tag 82 may stand here: offline data authentication fails".to_owned()],
        _ => Vec::new(),
    }
}

fn bits(table: &[Bit], value: &[u8], none: &str) -> Vec<String> {
    let set = table.iter().filter(|(byte, mask, _)| value.get(*byte).is_some_and(|byte| byte & mask != 0));
    let mut out: Vec<String> = set.map(|(.., meaning)| (*meaning).to_owned()).collect();
    for (at, byte) in value.iter().enumerate() {
        let known = table.iter().filter(|(of, ..)| *of == at).fold(0, |known, (_, mask, _)| known | mask);
        if byte & !known != 0 {
            out.push(format!("byte {}: bits {:02X} reserved", at + 1, byte & !known));
        }
    }
    if out.is_empty() { vec![none.to_owned()] } else { out }
}

fn locator(value: &[u8]) -> Vec<String> {
    let afl = match Afl::parse(value) {
        Ok(afl) => afl,
        Err(error) => return vec![error.to_string()],
    };
    let entry = |entry: &super::AflEntry| {
        let records = if entry.first == entry.last {
            format!("record {}", entry.first)
        } else {
            format!("records {} to {}", entry.first, entry.last)
        };
        let authenticated = match entry.oda {
            0 => "none offline authenticated".to_owned(),
            1 => format!("record {} offline authenticated", entry.first),
            several => format!("the first {several} offline authenticated"),
        };
        format!("file {}: {records}, {authenticated}", entry.sfi)
    };
    afl.entries().iter().map(entry).collect()
}

fn list(value: &[u8]) -> Vec<String> {
    let dol = match Dol::parse(value) {
        Ok(dol) => dol,
        Err(error) => return vec![error.to_string()],
    };
    let item = |(tag, length): &(Tag, u8)| {
        let name = tag_name(*tag).map(|name| format!(" {name}")).unwrap_or_default();
        format!("{tag}{name}, {length} {}", if *length == 1 { "byte" } else { "bytes" })
    };
    let mut out: Vec<String> = dol.items().iter().map(item).collect();
    out.push(format!("{} bytes in all", dol.total()));
    out
}

fn date(year: u8, month: u8, day: u8) -> Vec<String> {
    let [Some(year), Some(month), Some(day)] = [year, month, day].map(bcd) else { return not_a_date() };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return not_a_date();
    }
    vec![format!("{:04}-{month:02}-{day:02}", century(year))]
}

fn not_a_date() -> Vec<String> {
    vec!["not a date".to_owned()]
}

fn bcd(byte: u8) -> Option<u8> {
    let (high, low) = (byte >> 4, byte & 0x0F);
    (high < 10 && low < 10).then_some(high * 10 + low)
}

fn priority(byte: u8) -> Vec<String> {
    let place = match byte & 0x0F {
        0 => "no priority".to_owned(),
        place => format!("priority {place}"),
    };
    let confirmed = (byte & 0x80 != 0).then(|| "not selected without the cardholder's confirmation".to_owned());
    std::iter::once(place).chain(confirmed).collect()
}

/// // ISO/IEC 7813 table 4
fn service(high: u8, low: u8) -> Vec<String> {
    let interchange = match high & 0x0F {
        1 => "international",
        2 => "international, chip to be used where possible",
        5 => "national",
        6 => "national, chip to be used where possible",
        7 => "by agreement only",
        9 => "test",
        _ => "interchange reserved",
    };
    let authorisation = match low >> 4 {
        0 => "authorisation as usual",
        2 => "authorisation by the issuer",
        4 => "authorisation by the issuer, but for agreements",
        _ => "authorisation reserved",
    };
    let allowed = match low & 0x0F {
        0 => "no restriction, PIN required",
        1 => "no restriction",
        2 => "goods and services only",
        3 => "ATM only, PIN required",
        4 => "cash only",
        5 => "goods and services only, PIN required",
        6 => "no restriction, PIN where there is a PIN pad",
        7 => "goods and services only, PIN where there is a PIN pad",
        _ => "services reserved",
    };
    [interchange, authorisation, allowed].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn says(tag: u32, value: &[u8]) -> String {
        words(Tag::of(tag), value).join("; ")
    }

    #[test]
    fn bits_are_named_and_reserved_ones_told() {
        assert_eq!(
            says(0x82, &[0x39, 0x00]),
            "DDA supported; cardholder verification supported; terminal risk management to be performed; CDA supported"
        );
        assert_eq!(says(0x82, &[0x00, 0x01]), "byte 2: bits 01 reserved");
        assert_eq!(says(0x9F0E, &[0, 0x10, 0, 0, 0]), "requested service not allowed");
        assert_eq!(says(0x9F0E, &[0; 5]), "no condition");
        assert!(says(0x9F07, &[0xFF, 0x00]).ends_with("valid at terminals other than ATMs"));
        assert_eq!(says(0x82, &[0x39]), "", "another length than the tag's says nothing");
    }

    #[test]
    fn lists_and_locators_are_read_out() {
        assert_eq!(
            says(0x94, &[0x08, 1, 1, 0, 0x18, 1, 3, 2]),
            "file 1: record 1, none offline authenticated; file 3: records 1 to 3, the first 2 offline authenticated"
        );
        assert_eq!(says(0x94, &[0x08, 1, 1]), "an AFL has a multiple of four bytes, 4 to 252, not 3");
        assert_eq!(
            says(0x9F38, &[0x9F, 0x66, 4, 0x9A, 3]),
            "9F66 Terminal transaction qualifiers, or PUNATC track 2, 4 bytes; 9A Transaction date, 3 bytes; 7 bytes in all"
        );
        assert_eq!(says(0x8C, &[0x9F]), "the list is broken: the data ends within the object at offset 0");
    }

    #[test]
    fn dates_counters_and_codes() {
        assert_eq!(says(0x5F24, &[0x30, 0x12, 0x31]), "2030-12-31");
        assert_eq!(says(0x5F24, &[0x99, 0x01, 0x31]), "1999-01-31");
        for wrong in [[0x30, 0x13, 0x01], [0x30, 0x00, 0x01], [0x3A, 0x01, 0x01], [0x30, 0x01, 0x32]] {
            assert_eq!(says(0x5F24, &wrong), "not a date");
        }
        assert_eq!(says(0x87, &[0x81]), "priority 1; not selected without the cardholder's confirmation");
        assert_eq!(says(0x9F36, &[0x01, 0x00]), "256 transactions");
        assert_eq!(says(0x9F13, &[0, 0]), "never online");
        assert_eq!(
            says(0x5F30, &[0x02, 0x01]),
            "international, chip to be used where possible; authorisation as usual; no restriction"
        );
        assert_eq!(says(0x50, b"VISA"), "");
    }

    proptest! {
        #[test]
        fn anything_is_read(tag in prop::sample::select(vec![0x82u32, 0x94, 0x8E, 0x8C, 0x9F38, 0x9F07, 0x9F0D, 0x5F24,
                            0x87, 0x9F17, 0x9F36, 0x9F13, 0x9F4D, 0x5F30, 0x9F4A, 0x95, 0x88]),
                            value in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = words(Tag::of(tag), &value);
        }
    }
}
