//! R40 and R41: what lists of data objects ask for, and the length and format of every element that the dictionary knows.

use super::{Findings, Place, Severity, View};
use crate::base::codec::tlv::{self, Tlv};
use crate::base::emv::{Dol, Format, TagInfo, tag_info};

/// Numeric elements with an odd number of digits: the first half byte is zero. // EMV B3 annex A
const ODD: &[u32] = &[0x5F28, 0x5F2A, 0x5F30, 0x5F36, 0x9F1A, 0x9F3C, 0x9F3D, 0x9F42, 0x9F44, 0x9F51, 0x9F57];
/// Elements whose form has a rule of its own.
const OWN_RULE: &[u32] = &[0x57, 0x5A, 0x8E, 0x94, 0x5F24, 0x9F07, 0x9F08, 0x9F4A, 0x9F4D];
const LOG_ENTRY: u32 = 0x9F4D;
/// Lists of data objects in the records.
const LISTS: [u32; 4] = [0x8C, 0x8D, 0x9F49, 0x97];

/// R40. // EMV B3 §5.4: how values of other lengths, and those of unknown tags, are filled
pub(super) fn asked(view: &View<'_>, findings: &mut Findings) {
    let records = LISTS.iter().filter_map(|tag| Some((*tag, view.value(*tag)?)));
    let lists: Vec<_> = records.chain(view.fci(0x9F38).map(|list| (0x9F38, list))).collect();
    if lists.is_empty() {
        return match view.is_payment() {
            None => findings.unseen("AIP and AFL are not available at this stage"),
            Some(_) => findings.absent("there is no data object list"),
        };
    }
    for (at, value) in lists {
        let Ok(list) = Dol::parse(&value) else { continue };
        let place = Place::Tag(at);
        for (tag, length) in list.items() {
            match tag_info(*tag) {
                None => {
                    let what =
                        format!("it asks for {tag}, which this program does not know: a terminal may send zeros");
                    findings.should(false, place, &what);
                }
                Some(info) => {
                    let what = format!(
                        "it asks for {tag} in {length} bytes, and the element has {}: a terminal cuts or fills it",
                        lengths(info)
                    );
                    findings.should(fits(info, usize::from(*length)), place, &what);
                }
            }
        }
    }
}

/// R41. // EMV B3 §4.3, annex A; EMV contactless books
pub(super) fn forms(view: &View<'_>, findings: &mut Findings) {
    let mut held: Vec<&Tlv> = view.objects().iter().map(|(object, _)| object).collect();
    let elsewhere = view.fci_objects().iter().chain(view.subject.internal.iter().flatten());
    let records: Vec<Tlv> = match view.is_payment() {
        Some(true) => Vec::new(),
        _ => view.subject.records.values().filter_map(|record| tlv::parse(record).ok()).flatten().collect(),
    };
    held.extend(records.iter());
    let elsewhere: Vec<&Tlv> = elsewhere.collect();
    if view.is_payment().is_none() {
        findings.unseen("AIP and AFL are not available at this stage");
    }
    if held.is_empty() && elsewhere.is_empty() {
        return findings.absent("there is no data element");
    }
    held.into_iter().for_each(|object| form(object, |tag| tag != LOG_ENTRY && OWN_RULE.contains(&tag), findings));
    // The rules of their own look at records and answer; that of the log entry at the FCI.
    elsewhere.into_iter().for_each(|object| form(object, |tag| tag == LOG_ENTRY, findings));
}

/// One object, and what is inside it.
fn form(object: &Tlv, has_own_rule: fn(u32) -> bool, findings: &mut Findings) {
    object.children().iter().for_each(|child| form(child, has_own_rule, findings));
    let number = object.tag.number();
    let Some(info) = tag_info(object.tag).filter(|_| object.children().is_empty() && !has_own_rule(number)) else {
        return findings.must(true, Place::Tag(number), "");
    };
    let value = zeroize::Zeroizing::new(object.value_bytes());
    // What the scheme of another product may define in another way is told only.
    let severity = if info.proprietary { Severity::Warning } else { Severity::Error };
    let what = format!("it has {} bytes, and the element has {}", value.len(), lengths(info));
    let long = fits(info, value.len());
    findings.hold(long, severity, Place::Tag(number), &what);
    if long && let Err(what) = written(info, &value) {
        findings.hold(false, severity, Place::Tag(number), what);
    }
}

/// Whether an element may have so many bytes.
fn fits(info: &TagInfo, length: usize) -> bool {
    let possible = (info.min..=info.max).contains(&length);
    possible
        && match info.tag.number() {
            // Exponents 3 and 65537; 8 or 11 characters; Visa's and Mastercard's; track 2 mask and terminal qualifiers
            0x9F32 | 0x9F47 | 0x9F2E => length != 2,
            0x5F54 => matches!(length, 8 | 11),
            0x9F5D => matches!(length, 3 | 6),
            0x9F66 => length != 3,
            0x5F2D | 0x9F3B => length.is_multiple_of(2),
            _ => true,
        }
}

/// The lengths of an element, in words.
fn lengths(info: &TagInfo) -> String {
    match info.tag.number() {
        0x9F32 | 0x9F47 | 0x9F2E => "1 or 3".to_owned(),
        0x5F54 => "8 or 11".to_owned(),
        0x9F5D => "3 or 6".to_owned(),
        0x9F66 => "2 or 4".to_owned(),
        0x5F2D => "2, 4, 6 or 8".to_owned(),
        _ if info.min == info.max => info.min.to_string(),
        _ => format!("{} to {}", info.min, info.max),
    }
}

/// Whether a value is written as its element asks. // EMV B3 §4.3
fn written(info: &TagInfo, value: &[u8]) -> Result<(), &'static str> {
    let number = info.tag.number();
    let mut nibbles = value.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let (good, what) = match info.format {
        Format::N if !nibbles.all(|nibble| nibble < 10) => (false, "it must be decimal digits"),
        // Several codes, or several exponents: each right-justified in its bytes.
        Format::N if matches!(number, 0x9F3B | 0x9F43) => {
            let each = if number == 0x9F3B { 2 } else { 1 };
            let right = value.chunks(each).all(|code| code.first().is_none_or(|byte| byte >> 4 == 0));
            (right, "each code has an odd number of digits: its first half byte must be 0")
        }
        Format::N => {
            let first = value.first().is_none_or(|byte| byte >> 4 == 0);
            (!ODD.contains(&number) || first, "it has an odd number of digits: the first half byte must be 0")
        }
        Format::Cn => {
            let (digits, what) = (nibbles.collect::<Vec<_>>(), "it must be decimal digits, filled with F on the right");
            let end = digits.iter().position(|nibble| *nibble > 9).unwrap_or(digits.len());
            (digits.iter().skip(end).all(|nibble| *nibble == 0x0F), what)
        }
        Format::An if matches!(number, 0x5F2D | 0x5F55 | 0x5F56) => {
            (value.iter().all(u8::is_ascii_alphabetic), "it must be letters")
        }
        Format::An => (value.iter().all(u8::is_ascii_alphanumeric), "it must be letters and digits"),
        Format::Ans if number == 0x50 => {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
            (value.iter().all(plain), "it must be letters, digits and spaces")
        }
        // ISO/IEC 8859, as 9F11 says
        Format::Ans if number == 0x9F12 => {
            (value.iter().all(|byte| matches!(byte, 0x20..=0x7E | 0xA0..)), "it must be characters of ISO/IEC 8859")
        }
        Format::Ans => (value.iter().all(|byte| matches!(byte, 0x20..=0x7E)), "it must be printable characters"),
        Format::B => (true, ""),
    };
    if good { Ok(()) } else { Err(what) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::codec::tlv::Tag;

    fn judged(tag: u32, value: &str) -> bool {
        let object = Tlv::primitive(Tag::of(tag), hex::decode(value).unwrap_or_default());
        let mut findings = Findings::default();
        form(&object, |tag| OWN_RULE.contains(&tag), &mut findings);
        findings.failures.is_empty()
    }

    #[test]
    fn lengths_and_formats_are_those_of_the_dictionary() {
        for (tag, value) in [
            (0x5F28, "0250"),
            (0x9F42, "0978"),
            (0x5F2D, "656E6672"),
            (0x9F0D, "0000000000"),
            (0x9F44, "02"),
            (0x50, "56495341204445424954"),
            (0x9F12, "4361727465E9"),
            (0x9F20, "123F"),
            (0x9F32, "03"),
            (0x9F32, "010001"),
            (0x9F5D, "000000"),
            (0x5F54, "4141414142423232"),
            (0x9F10, "06010A03A00000"),
            (0x5F2D, "454E"),
            (0x9F7C, ""),
            (0x9F3B, "09780840"),
            (0x9F43, "0202"),
            (0x42, "476173"),
            (0x9F0C, "47617390"),
        ] {
            assert!(judged(tag, value), "{tag:X} {value}");
        }
        for (tag, value) in [
            ("5F28", "250000"),
            ("5F28", "1250"),
            ("9F42", "0ABC"),
            ("9F0D", "00000000"),
            ("5F2D", "454E47"),
            ("5F2D", "3131"),
            ("9F44", "12"),
            ("50", "4445424954C9"),
            ("50", ""),
            ("9F20", "12F3"),
            ("9F32", "0101"),
            ("9F13", "00"),
            ("9F17", "0303"),
            ("87", "0101"),
            ("9F69", &"00".repeat(253)),
            ("5F20", "41"),
            ("9F24", "2D"),
            ("5F25", "26AA01"),
            ("9F11", "1F"),
            ("5F54", "414141"),
            ("9F6C", "280000"),
            ("9F4B", ""),
            ("9F3B", "09788400"),
            ("9F3B", "9780"),
            ("9F43", "0220"),
            ("42", "4761"),
            ("42", "47617A"),
            ("9F0C", "4761739000"),
        ] {
            let tag = u32::from_str_radix(tag, 16).unwrap_or_default();
            assert!(!judged(tag, value), "{tag:X} {value}");
        }
    }
}
