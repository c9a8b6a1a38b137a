//! What may be shown of a card's values: nothing that holds a PAN, a track or a name.
//!
//! The dictionary says which tags hold such. That is not enough: a card may repeat its PAN where nobody expects it, so
//! what the sensitive objects held is looked for in every other value too.

use zeroize::Zeroizing;

use super::dictionary::{Format, tag_info};
use super::pan::{Pan, luhn_valid};
use super::track::Fields;
use crate::base::codec::tlv::{Tag, Tlv, Value};

/// Shortest name that is looked for elsewhere: shorter ones stand in values by chance.
const SHORTEST_NAME: usize = 5;

/// Most sensitive values that are looked for elsewhere; a card has some dozens.
const MOST_LEARNT: usize = 256;

/// A value as it may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// All bytes in hexadecimal; none where they may not be shown.
    pub hex: Option<String>,
    /// As text, where the value is one; or what may be shown of a value that is masked.
    pub text: Option<String>,
}

impl Shown {
    /// Whether it was masked.
    pub fn is_masked(&self) -> bool {
        self.hex.is_none()
    }
}

/// What must not be shown, as it was found on a card.
#[derive(Default)]
pub struct Taboo {
    /// Digits of PANs.
    pans: Vec<Pan>,
    /// Names and everything else that a sensitive object holds.
    values: Vec<Zeroizing<Vec<u8>>>,
    /// There are more than are kept: nothing more is shown that could hold one.
    full: bool,
}

impl Taboo {
    /// Takes note of the sensitive objects among these, at any depth.
    pub fn learn(&mut self, objects: &[Tlv]) {
        for object in objects {
            match &object.value {
                Value::Constructed(children) | Value::Padded(children, _) => self.learn(children),
                Value::Primitive(value) if is_sensitive(object.tag) => self.learn_value(object.tag, value),
                Value::Primitive(_) => {}
            }
        }
    }

    fn learn_value(&mut self, tag: Tag, value: &[u8]) {
        if self.pans.len() + self.values.len() >= MOST_LEARNT {
            self.full = true;
            return;
        }
        let pan = match tag.number() {
            0x5A => Pan::from_cn(value).ok(),
            0x57 | 0x9F6B => track2_pan(value),
            0x56 => track1_pan(value),
            _ => None,
        };
        if let Some(pan) = pan
            && !self.pans.contains(&pan)
        {
            self.pans.push(pan);
        }
        let text = value.trim_ascii();
        if text.len() >= SHORTEST_NAME && text.iter().any(|byte| byte != text.first().unwrap_or(byte)) {
            let text = Zeroizing::new(text.to_vec());
            if !self.values.contains(&text) {
                self.values.push(text);
            }
        }
    }

    /// A value as it may be shown.
    pub fn show(&self, tag: Tag, value: &[u8]) -> Shown {
        // ICC and PIN encipherment certificates hold the PAN, signed static data a hash over it: with the public keys, that
        // everybody has, it can be recovered.
        if matches!(tag.number(), 0x93 | 0x9F46 | 0x9F2D) {
            return masked("not shown: the PAN can be recovered from it".to_owned());
        }
        if is_sensitive(tag) {
            return masked(sensitive(tag, value));
        }
        if (self.full && value.len() >= SHORTEST_NAME) || self.holds(value) {
            return masked("not shown: holds what must not be shown".to_owned());
        }
        if tag_info(tag).is_none() && looks_like_pan(value) {
            return masked("not shown: may hold a PAN".to_owned());
        }
        Shown { hex: Some(hex::encode_upper(value)), text: text(tag, value) }
    }

    /// Whether a PAN or a name stands in a value, at whatever half byte, in BCD or in text.
    fn holds(&self, value: &[u8]) -> bool {
        let digits = Zeroizing::new(hex::encode(value));
        let in_text = |needle: &[u8]| !needle.is_empty() && value.windows(needle.len()).any(|window| window == needle);
        self.pans.iter().any(|pan| digits.contains(pan.digits()) || in_text(pan.digits().as_bytes()))
            || self.values.iter().any(|taboo| in_text(taboo))
    }
}

fn is_sensitive(tag: Tag) -> bool {
    tag_info(tag).is_some_and(|info| info.sensitive)
}

fn masked(text: String) -> Shown {
    Shown { hex: None, text: Some(text) }
}

/// What may be shown of a sensitive value.
fn sensitive(tag: Tag, value: &[u8]) -> String {
    let not_shown = || "not shown".to_owned();
    match tag.number() {
        0x5A => Pan::from_cn(value).map_or_else(|_| "not shown: not a PAN".to_owned(), |pan| pan.to_string()),
        0x57 | 0x9F6B => Fields::from_tag57(value).map_or_else(|_| not_shown(), |track| track2(&track)),
        _ => not_shown(),
    }
}

/// PAN, expiry and service code: the discretionary data holds a CVV.
fn track2(track: &Fields) -> String {
    format!("{}, expiry {}, service code {}, the rest not shown", track.pan, track.expiry, track.service_code)
}

/// The digits before the separator, whatever follows them.
fn track2_pan(value: &[u8]) -> Option<Pan> {
    let digits = Zeroizing::new(hex::encode_upper(value));
    Pan::parse(digits.split('D').next()?).ok()
}

/// Format B without its code: PAN, separator, name. // ISO/IEC 7813 §6.1
fn track1_pan(value: &[u8]) -> Option<Pan> {
    let text = std::str::from_utf8(value).ok()?;
    Pan::parse(text.strip_prefix('B').unwrap_or(text).split('^').next()?).ok()
}

/// Text where its format says that it is one and every byte can be printed.
fn text(tag: Tag, value: &[u8]) -> Option<String> {
    let format = tag_info(tag).map(|info| info.format)?;
    let printable = !value.is_empty() && value.iter().all(|byte| (0x20..0x7F).contains(byte));
    let is_name = tag.number() == 0x84 && (value.starts_with(b"1PAY") || value.starts_with(b"2PAY"));
    (printable && (matches!(format, Format::An | Format::Ans) || is_name))
        .then(|| String::from_utf8_lossy(value).into_owned())
}

/// Digits that could be a PAN, in BCD or in text: 13 to 19 of them with the right check digit.
fn looks_like_pan(value: &[u8]) -> bool {
    let packed = Zeroizing::new(hex::encode(value));
    let plain: Zeroizing<String> =
        Zeroizing::new(value.iter().map(|byte| if byte.is_ascii_digit() { char::from(*byte) } else { '.' }).collect());
    [packed, plain].iter().any(|text| text.split(|digit: char| !digit.is_ascii_digit()).any(run_holds_pan))
}

fn run_holds_pan(run: &str) -> bool {
    let mut candidates =
        (0..run.len()).flat_map(|from| (13..=19).filter_map(move |length| run.get(from..from + length)));
    candidates.any(|digits| !digits.starts_with('0') && luhn_valid(digits))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::codec::tlv;

    const PAN: &str = "5413330089010434";

    fn show(taboo: &Taboo, tag: u32, value: &str) -> (Option<String>, Option<String>) {
        let shown = taboo.show(Tag::of(tag), &hex::decode(value).unwrap());
        (shown.hex, shown.text)
    }

    #[test]
    fn sensitive_tags_are_masked_and_others_shown() {
        let none = Taboo::default();
        assert_eq!(show(&none, 0x5A, PAN), (None, Some("541333******0434".into())));
        assert_eq!(show(&none, 0x5A, "5413"), (None, Some("not shown: not a PAN".into())));
        let track = format!("{PAN}D30122010000000063600F");
        assert_eq!(
            show(&none, 0x57, &track),
            (None, Some("541333******0434, expiry 3012, service code 201, the rest not shown".into()))
        );
        assert_eq!(show(&none, 0x57, "1234"), (None, Some("not shown".into())));
        assert_eq!(show(&none, 0x5F20, "43414E415259"), (None, Some("not shown".into())));
        assert_eq!(show(&none, 0x50, "56495341"), (Some("56495341".into()), Some("VISA".into())));
        assert_eq!(show(&none, 0x82, "3900"), (Some("3900".into()), None));
        // What a certificate of the card says can be recovered by everybody.
        for tag in [0x93, 0x9F46, 0x9F2D] {
            assert_eq!(show(&none, tag, "0102").0, None);
        }
    }

    #[test]
    fn what_a_card_repeats_elsewhere_is_masked_there_too() {
        let mut taboo = Taboo::default();
        let record = format!("70175A08{PAN}5F200A{}", hex::encode("CANARY/YEL"));
        taboo.learn(&tlv::parse(&hex::decode(record).unwrap()).unwrap());
        // In BCD, shifted by half a byte, in text; the name.
        let text = hex::encode(PAN);
        let name = hex::encode("xCANARY/YELx");
        for value in [format!("AA{PAN}BB"), format!("A{PAN}B"), format!("00{text}"), name] {
            assert_eq!(show(&taboo, 0x9F10, &value).0, None, "{value}");
            assert_eq!(show(&taboo, 0xDF01, &value).0, None, "{value}");
        }
        assert!(show(&taboo, 0x9F10, "06010A03A00000").0.is_some());
    }

    #[test]
    fn an_unknown_tag_with_something_like_a_pan_is_masked() {
        let none = Taboo::default();
        assert_eq!(show(&none, 0xDF01, &format!("01{PAN}D2")).0, None);
        assert_eq!(show(&none, 0xDF01, &hex::encode(PAN)).0, None);
        assert!(show(&none, 0xDF01, "54133300890A0434").0.is_some(), "too few digits in a row");
        assert!(show(&none, 0xDF01, "00000000000000000000").0.is_some());
    }

    proptest! {
        #[test]
        fn a_pan_is_never_shown(before in prop::collection::vec(any::<u8>(), 0..20), after in "[0-9A-F]{0,9}", tag in
                                prop::sample::select(vec![0x57u32, 0x5A, 0x9F10, 0xDF01, 0x50, 0x9F05, 0x56])) {
            let mut taboo = Taboo::default();
            taboo.learn(&[Tlv::primitive(Tag::of(0x5A), hex::decode(PAN).unwrap())]);
            let mut digits = format!("{}{PAN}{after}", hex::encode(before));
            if digits.len() % 2 == 1 {
                digits.push('F');
            }
            let shown = taboo.show(Tag::of(tag), &hex::decode(digits).unwrap());
            prop_assert!(shown.hex.is_none());
            prop_assert!(!shown.text.unwrap_or_default().contains(PAN));
        }
    }
}
