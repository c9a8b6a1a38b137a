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
    /// Most characters with both sentinels, the LRC not counted: 78, 39 and 106. With the LRC, which the encoder
    /// computes, a track holds 79, 40 and 107; between the sentinels 76, 37 and 104 are left.
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

    /// Checks alphabet and length, and takes the sentinels off where they are written: both or none, and never the
    /// LRC. The length counts both sentinels even where they are not written, for the encoder adds them.
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

/// What is wrong with the digits of a service code: those that have no meaning. `None` if all have one, or if it is not
/// three digits. // ISO/IEC 7813 §6.5
pub fn service_code_meaning(code: &str) -> Option<String> {
    const MEANINGS: [&str; 3] = ["125679", "024", "01234567"];
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unknown = |(at, digit): (usize, char)| {
        let known = MEANINGS.get(at).is_some_and(|known| known.contains(digit));
        (!known).then(|| format!("digit {} of the service code has no meaning", at + 1))
    };
    let unknown: Vec<String> = code.chars().enumerate().filter_map(unknown).collect();
    (!unknown.is_empty())
        .then(|| format!("{}: ISO/IEC 7813 defines 1 2 5 6 7 9, then 0 2 4, then 0 to 7", unknown.join(", ")))
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
        self.name.zeroize();
        self.expiry.zeroize();
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

    /// Tag 57 with these fields: `D` separates, F fills the last byte. // EMV B3 annex A
    ///
    /// # Errors
    /// A field holds something else than digits, or the whole is longer than 19 bytes.
    pub fn to_tag57(&self) -> Result<Vec<u8>, TrackError> {
        let mut text = format!("{}D{}{}{}", self.pan.digits(), self.expiry, self.service_code, self.discretionary);
        if !text.len().is_multiple_of(2) {
            text.push('F');
        }
        let digits = [&self.expiry, &self.service_code, &self.discretionary];
        let value = if !digits.iter().all(|field| field.bytes().all(|byte| byte.is_ascii_digit())) {
            Err(TrackError::Fields("tag 57 holds something else than digits and one D"))
        } else if text.len() > 2 * 19 {
            Err(TrackError::Fields("tag 57 has more than 19 bytes"))
        } else {
            hex::decode(&text).map_err(|_| TrackError::Fields("tag 57 is not hexadecimal"))
        };
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
        if !matches!(expiry.get(2..).and_then(|month| month.parse().ok()), Some(1..=12)) {
            return Err(TrackError::Fields("the expiry is not a month YYMM"));
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
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Number; 3] = [Number::One, Number::Two, Number::Three];

    #[test]
    fn the_longest_tracks_fit_and_one_more_does_not() {
        for (number, most) in ALL.into_iter().zip([76, 37, 104]) {
            let with_sentinels = |length| format!("{}{}?", number.start(), "1".repeat(length));
            assert_eq!(with_sentinels(most).len(), number.max());
            assert!(number.check(&with_sentinels(most)).is_ok());
            assert!(number.check(&"1".repeat(most)).is_ok());
            let too_long = Err(TrackError::Length { length: number.max() + 1, max: number.max() });
            assert_eq!(number.check(&with_sentinels(most + 1)), too_long);
            assert_eq!(number.check(&"1".repeat(most + 1)), too_long);
        }
    }

    /// ISO/IEC 7813, service code: interchange and technology, authorization processing, services and PIN.
    #[test]
    fn service_code_digits_without_meaning_are_named() {
        for code in ["101", "201", "220", "221", "601", "702", "520", "906", "246", "27", "2010", "2x1"] {
            assert_eq!(service_code_meaning(code), None, "{code}");
        }
        for (code, digits) in [("001", "1"), ("301", "1"), ("211", "2"), ("208", "3"), ("209", "3"), ("838", "123")] {
            let message = service_code_meaning(code).unwrap();
            for digit in ["1", "2", "3"] {
                let named = message.contains(&format!("digit {digit} of the service code"));
                assert_eq!(named, digits.contains(digit), "{code}: {message}");
            }
        }
    }

    #[test]
    fn lower_case_and_lone_sentinels_are_refused() {
        assert_eq!(Number::One.check("Babc"), Err(TrackError::Alphabet(2)));
        assert_eq!(Number::One.check("A\u{e9}"), Err(TrackError::Alphabet(2)));
        assert_eq!(Number::Two.check("12A"), Err(TrackError::Alphabet(3)));
        assert_eq!(Number::Two.check(";123"), Err(TrackError::Sentinel));
        assert_eq!(Number::Two.check("123?"), Err(TrackError::Sentinel));
        assert_eq!(Number::Two.check(";12?3?"), Err(TrackError::Sentinel));
        assert_eq!(Number::Three.check(";"), Err(TrackError::Sentinel));
    }

    #[test]
    fn separators_are_counted() {
        for track in ["4761739001010119=2212201", ";4761739001010119=22122011758928889?"] {
            assert_eq!(Fields::track2(track).unwrap().expiry, "2212");
        }
        for track in ["47617390010101192212201", "4761739001010119=2212=201", "4761739001010119==201"] {
            assert!(matches!(Fields::track2(track), Err(TrackError::Fields(_))), "{track}");
        }
        let track1 = |text: &str| Fields::track1(text).map(|fields| fields.name.clone().unwrap());
        assert_eq!(track1("%B4761739001010119^CARD/TEST^2212201000?").unwrap(), "CARD/TEST");
        for track in [
            "A4761739001010119^CARD/TEST^2212201",
            "B4761739001010119^CARD/TEST 2212201",
            "B4761739001010119^CARD^TEST^2212201",
            "B4761739001010119^C^2212201",
            "B4761739001010119^CARD/TEST^221220",
            "B4761739001010119^CARD/TEST^2213201",
            "B4761739001010119^CARD/TEST^22A2201",
            "B47617390010^CARD/TEST^2212201",
        ] {
            assert!(track1(track).is_err(), "{track}");
        }
    }

    #[test]
    fn tag_57_is_digits_and_one_d() {
        let refused = |value: &str| Fields::from_tag57(&hex::decode(value).unwrap()).is_err();
        assert!(!refused("4761739001010119D22122011758928889"));
        assert!(refused("4761739001010119D2212201175892888D"));
        assert!(refused("4761739001010119A22122011758928889"));
        assert!(refused("4761739001010119D221220117589288FF"));
        assert!(refused("4761739001010119D221220117589288890000000000"));
        let mut fields = Fields::from_tag57(&hex::decode("4761739001010119D2212201175892888F").unwrap()).unwrap();
        assert_eq!(fields.discretionary, "175892888");
        fields.discretionary = "17X".to_owned();
        assert!(fields.to_tag57().is_err());
        fields.discretionary = "0".repeat(40);
        assert!(fields.to_tag57().is_err());
    }

    #[test]
    fn nothing_but_the_masked_pan_expiry_and_service_code_is_printed() {
        let fields = Fields::track1("B4761739001010119^CARD/TEST^22122018765432").unwrap();
        assert_eq!(format!("{fields:?}"), "476173******0119 expiry 2212 service code 201");
    }

    proptest! {
        #[test]
        fn track_2_and_tag_57_hold_the_same(
            pan in "[0-9]{12,19}", year in "[0-9]{2}", month in 1..=12u8, service_code in "[0-9]{3}", rest in "[0-9]{0,10}",
        ) {
            let text = format!("{pan}={year}{month:02}{service_code}{rest}");
            let fields = Fields::track2(&text).unwrap();
            prop_assert_eq!(Fields::track2(&format!(";{text}?")).unwrap(), fields.clone());
            prop_assert_eq!(Fields::from_tag57(&fields.to_tag57().unwrap()).unwrap(), fields);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,120}") {
            for number in ALL {
                if let Ok(content) = number.check(&text) {
                    prop_assert!(content.len() + 2 <= number.max());
                }
            }
            let _ = (Fields::track1(&text), Fields::track2(&text));
        }
    }
}
