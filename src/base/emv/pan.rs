//! Primary account numbers.

use std::fmt;

use zeroize::Zeroize;

/// A PAN of 12 to 19 digits. Prints as its first six and last four digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Pan(String);

/// What is not a PAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PanError {
    /// Another number of digits than 12 to 19.
    #[error("a PAN has 12 to 19 digits, not {0}")]
    Length(usize),
    /// Something that is no digit.
    #[error("a PAN has digits only")]
    Digits,
}

impl Pan {
    /// Reads digits.
    ///
    /// # Errors
    /// Too few, too many, or not digits.
    pub fn parse(digits: &str) -> Result<Self, PanError> {
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PanError::Digits);
        }
        if !(12..=19).contains(&digits.len()) {
            return Err(PanError::Length(digits.len()));
        }
        Ok(Self(digits.to_owned()))
    }

    /// Reads the value of tag 5A: compressed numeric, filled with F on the right. // EMV B3 §4.3
    ///
    /// # Errors
    /// As [`Pan::parse`].
    pub fn from_cn(value: &[u8]) -> Result<Self, PanError> {
        let mut text = hex::encode_upper(value);
        let pan = Self::parse(text.trim_end_matches('F'));
        text.zeroize();
        pan
    }

    /// All digits. Every use is a place to look at in a review.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// A text in which it stands masked, also where blanks, hyphens or dots are between its digits.
    pub fn masked_in(&self, text: &str) -> String {
        let (mut masked, mut rest) = (String::new(), text);
        while let Some(first) = rest.chars().next() {
            let length = match self.begins(rest) {
                Some(length) => {
                    masked += &self.to_string();
                    length
                }
                None => {
                    masked.push(first);
                    first.len_utf8()
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        masked
    }

    /// Length of what a text begins with, where that is this PAN.
    fn begins(&self, text: &str) -> Option<usize> {
        let mut digits = self.0.bytes();
        let mut wanted = digits.next()?;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if byte == wanted => match digits.next() {
                    Some(next) => wanted = next,
                    None => return Some(at + 1),
                },
                b' ' | b'-' | b'.' if at > 0 => {}
                _ => return None,
            }
        }
        None
    }

    /// Whether the last digit is the check digit. // ISO/IEC 7812-1 annex B
    pub fn luhn_ok(&self) -> bool {
        luhn_valid(&self.0)
    }
}

impl Drop for Pan {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Display for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = |at: usize| at >= 6 && at + 4 < self.0.len();
        for (at, digit) in self.0.chars().enumerate() {
            write!(f, "{}", if masked(at) { '*' } else { digit })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether the last digit of a number is its check digit; no for anything that is not digits.
pub fn luhn_valid(number: &str) -> bool {
    match number.split_at_checked(number.len().saturating_sub(1)) {
        Some((payload, last)) if !last.is_empty() => {
            luhn_check_digit(payload).is_some_and(|digit| digit.to_string() == last)
        }
        _ => false,
    }
}

/// The check digit that belongs behind these digits. // ISO/IEC 7812-1 annex B
pub fn luhn_check_digit(payload: &str) -> Option<u32> {
    let mut sum = 0;
    for (at, digit) in payload.chars().rev().enumerate() {
        let digit = digit.to_digit(10)?;
        let weighted = if at % 2 == 0 { digit * 2 } else { digit };
        sum += weighted / 10 + weighted % 10;
    }
    Some((10 - sum % 10) % 10)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_masked() {
        let pan = Pan::parse("4761739001010119").unwrap();
        assert_eq!(format!("{pan} {pan:?}"), "476173******0119 476173******0119");
        assert!(pan.luhn_ok());
    }

    #[test]
    fn masked_in_a_text_however_its_digits_are_grouped() {
        let pan = Pan::parse("4761739001010119").unwrap();
        for (text, masked) in [
            ("card 4761739001010119.", "card 476173******0119."),
            ("é4761-7390-0101-0119/4761 7390 0101 0119", "é476173******0119/476173******0119"),
            ("44761.7390.0101.0119 ", "4476173******0119 "),
            ("476173900101011", "476173900101011"),
            ("4761739001010118 4761", "4761739001010118 4761"),
            ("", ""),
        ] {
            assert_eq!(pan.masked_in(text), masked);
        }
    }

    #[test]
    fn odd_lengths_are_filled_on_the_right() {
        assert_eq!(
            Pan::from_cn(&[0x37, 0x42, 0x45, 0x00, 0x17, 0x41, 0x00, 0x7F]).unwrap().digits(),
            "374245001741007"
        );
        assert_eq!(Pan::from_cn(&[0x12, 0x3F]), Err(PanError::Length(3)));
    }

    #[test]
    fn what_is_no_pan_is_refused() {
        assert_eq!(Pan::parse("47617390010"), Err(PanError::Length(11)));
        assert_eq!(Pan::parse("47617390010101190000"), Err(PanError::Length(20)));
        assert_eq!(Pan::parse("4761 7390 0101 0119"), Err(PanError::Digits));
        assert_eq!(Pan::parse("47617390010101\u{0661}"), Err(PanError::Digits));
        // F fills the end only, and nothing else than digits stands before it.
        assert_eq!(Pan::from_cn(&hex::decode("47617F9001010119").unwrap()), Err(PanError::Digits));
        assert_eq!(Pan::from_cn(&hex::decode("4761739001010A19").unwrap()), Err(PanError::Digits));
    }

    proptest! {
        #[test]
        fn one_check_digit_fits(payload in "[0-9]{1,18}") {
            let fitting: Vec<u32> = (0..10).filter(|digit| luhn_valid(&format!("{payload}{digit}"))).collect();
            prop_assert_eq!(fitting, vec![luhn_check_digit(&payload).unwrap()]);
        }

        #[test]
        fn digits_survive_tag_5a(digits in "[0-9]{12,19}") {
            let filled = if digits.len() % 2 == 0 { digits.clone() } else { format!("{digits}F") };
            let pan = Pan::from_cn(&hex::decode(filled).unwrap()).unwrap();
            prop_assert_eq!(pan.digits(), digits);
        }

        #[test]
        fn anything_has_a_check_digit_or_none(text in ".{0,24}") {
            let _ = (luhn_valid(&text), luhn_check_digit(&text), Pan::parse(&text));
        }
    }
}
