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
    use super::*;

    #[test]
    fn prints_masked() {
        let pan = Pan::parse("4761739001010119").unwrap();
        assert_eq!(format!("{pan} {pan:?}"), "476173******0119 476173******0119");
        assert!(pan.luhn_ok());
    }

    #[test]
    fn odd_lengths_are_filled_on_the_right() {
        assert_eq!(
            Pan::from_cn(&[0x37, 0x42, 0x45, 0x00, 0x17, 0x41, 0x00, 0x7F]).unwrap().digits(),
            "374245001741007"
        );
        assert_eq!(Pan::from_cn(&[0x12, 0x3F]), Err(PanError::Length(3)));
    }
}
