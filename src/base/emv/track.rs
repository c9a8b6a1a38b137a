//! Magnetic tracks and track 2 equivalent data. // ISO/IEC 7811-2, 7813, 4909

use std::fmt;

use zeroize::Zeroize;

use super::Pan;

/// The tracks of a stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// IATA, 6 bits and parity.
    One,
    /// ABA, 4 bits and parity.
    Two,
    /// THRIFT, 4 bits and parity.
    Three,
}

/// What is wrong with a track. Never tells what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrackError {
    /// A character that the track cannot hold.
    #[error("character {0} is not in the track's alphabet")]
    Alphabet(usize),
    /// Too long.
    #[error("{length} characters with sentinels, at most {max} fit beside the LRC")]
    Length {
        /// Characters, start and end sentinel included, LRC not.
        length: usize,
        /// The most there can be.
        max: usize,
    },
    /// Sentinels where only one is written.
    #[error("a start or end sentinel stands inside, or only one of the two is written")]
    Sentinel,
    /// The fields of ISO/IEC 7813 are not there.
    #[error("{0}")]
    Fields(&'static str),
}

impl Number {
    /// Most characters with both sentinels, the LRC not counted: 78, 39 and 106.
    pub fn max(self) -> usize {
        match self {
            Number::One => 78,
            Number::Two => 39,
            Number::Three => 106,
        }
    }

    fn start(self) -> char {
        if self == Number::One { '%' } else { ';' }
    }

    fn allows(self, character: char) -> bool {
        match self {
            Number::One => (' '..='_').contains(&character),
            Number::Two | Number::Three => ('0'..='?').contains(&character),
        }
    }

    /// Checks alphabet and length, and takes the sentinels off where they are written.
    ///
    /// # Errors
    /// The first thing that keeps the track from being encoded.
    pub fn check(self, text: &str) -> Result<&str, TrackError> {
        if let Some(at) = text.chars().position(|character| !self.allows(character)) {
            return Err(TrackError::Alphabet(at + 1));
        }
        let content = match (text.strip_prefix(self.start()), text.strip_suffix('?')) {
            (Some(rest), Some(_)) => rest.strip_suffix('?').ok_or(TrackError::Sentinel)?,
            (None, None) => text,
            _ => return Err(TrackError::Sentinel),
        };
        if content.contains([self.start(), '?']) {
            return Err(TrackError::Sentinel);
        }
        match content.len() + 2 {
            length if length > self.max() => Err(TrackError::Length { length, max: self.max() }),
            _ => Ok(content),
        }
    }
}

/// The fields of track 1 (format B), track 2, or track 2 equivalent data.
#[derive(Clone, PartialEq, Eq)]
pub struct Fields {
    /// The PAN.
    pub pan: Pan,
    /// The name, on track 1.
    pub name: Option<String>,
    /// Expiry, YYMM.
    pub expiry: String,
    /// Service code, three digits.
    pub service_code: String,
    /// Discretionary data.
    pub discretionary: String,
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.discretionary.zeroize();
    }
}

impl fmt::Debug for Fields {
    /// The discretionary data holds CVV and PVV.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} expiry {} service code {}", self.pan, self.expiry, self.service_code)
    }
}

impl Fields {
    /// Track 1 in format B, with or without sentinels. // ISO/IEC 7813 §5.1
    ///
    /// # Errors
    /// It cannot be encoded, or lacks a field.
    pub fn track1(text: &str) -> Result<Self, TrackError> {
        let content = Number::One.check(text)?;
        let content = content.strip_prefix('B').ok_or(TrackError::Fields("the format code is not B"))?;
        let mut parts = content.split('^');
        let (Some(pan), Some(name), Some(rest), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(TrackError::Fields("there are not exactly two separators ^"));
        };
        if !(2..=26).contains(&name.len()) {
            return Err(TrackError::Fields("the name has not 2 to 26 characters"));
        }
        Self::of(pan, Some(name), rest)
    }

    /// Track 2, with or without sentinels; `=` and `D` both separate. // ISO/IEC 7813 §5.2
    ///
    /// # Errors
    /// It cannot be encoded, or lacks a field.
    pub fn track2(text: &str) -> Result<Self, TrackError> {
        let mut text = text.replace('D', "=");
        let fields = Number::Two.check(&text).and_then(|content| {
            let mut parts = content.split('=');
            match (parts.next(), parts.next(), parts.next()) {
                (Some(pan), Some(rest), None) => Self::of(pan, None, rest),
                _ => Err(TrackError::Fields("there is not exactly one separator =")),
            }
        });
        text.zeroize();
        fields
    }

    /// Track 2 equivalent data, tag 57. // EMV B3 annex A
    ///
    /// # Errors
    /// It is longer than 19 bytes, or lacks a field.
    pub fn from_tag57(value: &[u8]) -> Result<Self, TrackError> {
        if value.len() > 19 {
            return Err(TrackError::Fields("tag 57 has more than 19 bytes"));
        }
        let mut text = hex::encode_upper(value);
        let content = text.strip_suffix('F').unwrap_or(&text);
        let fields = if content.contains(['A', 'B', 'C', 'E', 'F']) {
            Err(TrackError::Fields("tag 57 holds something else than digits and one D"))
        } else {
            Self::track2(content)
        };
        text.zeroize();
        fields
    }

    /// Tag 57 with these fields.
    pub fn to_tag57(&self) -> Vec<u8> {
        let mut text = format!("{}D{}{}{}", self.pan.digits(), self.expiry, self.service_code, self.discretionary);
        if !text.len().is_multiple_of(2) {
            text.push('F');
        }
        let value = hex::decode(&text).unwrap_or_default();
        text.zeroize();
        value
    }

    fn of(pan: &str, name: Option<&str>, rest: &str) -> Result<Self, TrackError> {
        let pan = Pan::parse(pan).map_err(|_| TrackError::Fields("the PAN has not 12 to 19 digits"))?;
        let (Some((expiry, after)), true) = (rest.split_at_checked(4), rest.is_ascii()) else {
            return Err(TrackError::Fields("expiry and service code are missing"));
        };
        let (service_code, discretionary) =
            after.split_at_checked(3).ok_or(TrackError::Fields("the service code is missing"))?;
        if !expiry.bytes().chain(service_code.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(TrackError::Fields("expiry or service code is not numeric"));
        }
        Ok(Self {
            pan,
            name: name.map(str::to_owned),
            expiry: expiry.to_owned(),
            service_code: service_code.to_owned(),
            discretionary: discretionary.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_tracks_fit_and_one_more_does_not() {
        for (number, fill, most) in [(Number::One, "A", 76), (Number::Two, "1", 37), (Number::Three, "1", 104)] {
            assert!(number.check(&fill.repeat(most)).is_ok());
            assert!(matches!(number.check(&fill.repeat(most + 1)), Err(TrackError::Length { .. })));
        }
    }

    #[test]
    fn lower_case_and_lone_sentinels_are_refused() {
        assert_eq!(Number::One.check("Babc"), Err(TrackError::Alphabet(2)));
        assert_eq!(Number::Two.check(";123"), Err(TrackError::Sentinel));
        assert_eq!(Number::Two.check(";12?3?"), Err(TrackError::Sentinel));
    }
}
