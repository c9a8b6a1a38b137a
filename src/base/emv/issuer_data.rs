//! Issuer application data (tag 9F10): its forms, the cryptogram version in it, and what that version covers.
//!
//! The forms are those that public tables give: formats 0, 1 and 3 of Visa (`06 DKI CVN 03 …`), formats 2 and 4
//! (`1F CVN DKI …`, 32 bytes; the first digit of the version is the format), Mastercard's (`DKI CVN CVR …`, where the
//! version is 10 to 15 and at least 18 bytes come with counters). // PYEMV, emv-utils; docs/decisions/0040

/// A data element that a cryptogram covers: tag and length in bytes.
pub type Covered = (u32, usize);

/// What the cryptograms of most versions cover of the terminal's data, in order. // PYEMV
const AMOUNTS_TO_NUMBER: &[Covered] =
    &[(0x9F02, 6), (0x9F03, 6), (0x9F1A, 2), (0x95, 5), (0x5F2A, 2), (0x9A, 3), (0x9C, 1), (0x9F37, 4)];
/// What Visa's version 11 covers of it.
const AMOUNT_AND_NUMBER: &[Covered] = &[(0x9F02, 6), (0x9F37, 4)];
/// Bytes of Visa's longer form, and the first of them: the length of the rest.
const LONG: usize = 32;
const LONG_FIRST: u8 = 0x1F;
/// Fewest bytes of Visa's short form, its first byte, and its fourth: the length of the verification results.
const SHORT: usize = 7;
const SHORT_FIRST: u8 = 0x06;
const SHORT_RESULTS: u8 = 0x03;
/// Mastercard's: fewest bytes, those with counters, and the lengths of whole ones.
const RESULTS: usize = 8;
const WITH_COUNTERS: usize = 18;
const WHOLE: [usize; 4] = [18, 20, 26, 28];

/// Whose rules make a cryptogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Visa's.
    Vsdc,
    /// Mastercard's.
    Mchip,
    /// EMV's own common rules: everything that the command carries.
    Plain,
}

/// A cryptogram version that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CryptogramVersion {
    /// Whose it is.
    pub family: Family,
    /// Its number as it stands in 9F10; 0 for [`Family::Plain`].
    pub number: u8,
}

/// What issuer application data say of their cryptograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssuerData {
    /// A known version in its own form.
    Known(CryptogramVersion),
    /// The form of a scheme, with a version that this program does not know.
    Unknown(u8),
    /// They fit Visa's version 11 and Mastercard's: only the product can say which it is.
    Ambiguous,
    /// No form that this program knows: only the product can say whose it is.
    NoForm,
    /// A version in another form than its own, and what is wrong with it.
    Malformed(&'static str),
}

impl CryptogramVersion {
    const fn vsdc(number: u8) -> Self {
        Self { family: Family::Vsdc, number }
    }

    const fn mchip(number: u8) -> Self {
        Self { family: Family::Mchip, number }
    }

    /// The terminal's data that the cryptogram covers, in order; nothing for what covers the command's data as they are.
    pub fn covers(self) -> &'static [Covered] {
        match (self.family, self.number) {
            (Family::Plain, _) => &[],
            (Family::Vsdc, 0x11) => AMOUNT_AND_NUMBER,
            _ => AMOUNTS_TO_NUMBER,
        }
    }

    /// Fewest bytes of the issuer's answer (91); none if the version knows no answer. // EMV B2 §8.2, PYEMV
    pub fn answer_length(self) -> Option<usize> {
        match (self.family, self.number) {
            (Family::Vsdc, 0x11) => None,
            // Method 2: four bytes and the card status update
            (Family::Vsdc, 0x12 | 0x22) => Some(8),
            // Method 1: eight bytes and the response code
            _ => Some(10),
        }
    }

    /// As it is shown.
    pub fn name(self) -> String {
        match self.family {
            Family::Vsdc => format!("Visa's version {:02X}", self.number),
            Family::Mchip => format!("Mastercard's version {:02X}", self.number),
            Family::Plain => "EMV's common cryptogram".to_owned(),
        }
    }
}

impl IssuerData {
    /// Reads issuer application data. `stated` is what the product says of them; it decides where it stands.
    pub fn read(data: &[u8], stated: Option<Family>) -> Self {
        match stated {
            Some(Family::Plain) => PLAIN,
            Some(Family::Vsdc) => vsdc(data).unwrap_or(Self::Malformed("it has no form of Visa's")),
            Some(Family::Mchip) => mchip(data).unwrap_or(Self::Malformed("it has no form of Mastercard's")),
            None => unstated(data),
        }
    }
}

const PLAIN: IssuerData = IssuerData::Known(CryptogramVersion { family: Family::Plain, number: 0 });

fn unstated(data: &[u8]) -> IssuerData {
    use IssuerData::{Ambiguous, Known, Malformed, NoForm, Unknown};
    match (vsdc(data), mchip(data)) {
        (Some(Known(visa)), Some(Known(_))) if data.len() >= WITH_COUNTERS && visa.number == 0x11 => Ambiguous,
        (Some(Known(visa)), _) => Known(visa),
        (_, Some(Known(mastercard))) => Known(mastercard),
        (Some(Unknown(version)), _) => Unknown(version),
        (Some(Malformed(why)), _) => Malformed(why),
        (_, Some(Unknown(version))) => Unknown(version),
        // What has too few bytes for Mastercard's version may be another's own.
        _ => NoForm,
    }
}

/// Visa's forms. Nothing where it begins as none of them.
fn vsdc(data: &[u8]) -> Option<IssuerData> {
    match data {
        [SHORT_FIRST, _, version, SHORT_RESULTS, ..] if data.len() >= SHORT => Some(match (version >> 4, version) {
            (_, 0x0A | 0x11 | 0x12) => IssuerData::Known(CryptogramVersion::vsdc(*version)),
            (2 | 4, _) => IssuerData::Malformed("the cryptogram version is one of Visa's form of 32 bytes"),
            _ => IssuerData::Unknown(*version),
        }),
        [SHORT_FIRST, _, 0x0A | 0x12, ..] => Some(IssuerData::Malformed(
            "Visa's short form is 06, a key index, the version, 03 and three bytes of results at least",
        )),
        [LONG_FIRST, version, ..] if data.len() == LONG => Some(match (version >> 4, version) {
            (_, 0x22) => IssuerData::Known(CryptogramVersion::vsdc(*version)),
            (0 | 1 | 3, _) => IssuerData::Malformed("the cryptogram version is not one of Visa's form of 32 bytes"),
            _ => IssuerData::Unknown(*version),
        }),
        [LONG_FIRST, 0x22, ..] => Some(IssuerData::Malformed("Visa's version 22 has 32 bytes")),
        _ => None,
    }
}

/// Mastercard's form. Nothing where neither version nor length are of it.
fn mchip(data: &[u8]) -> Option<IssuerData> {
    let version = *data.get(1)?;
    match version {
        0x10 | 0x14 if data.len() >= RESULTS => Some(IssuerData::Known(CryptogramVersion::mchip(version))),
        0x11 | 0x15 if data.len() >= WITH_COUNTERS => Some(IssuerData::Known(CryptogramVersion::mchip(version))),
        0x10 | 0x11 | 0x14 | 0x15 => Some(IssuerData::Malformed("Mastercard's version 11 or 15 has 18 bytes at least")),
        _ if WHOLE.contains(&data.len()) => Some(IssuerData::Unknown(version)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str, stated: Option<Family>) -> IssuerData {
        IssuerData::read(&hex::decode(text).unwrap(), stated)
    }

    const V22: &str = "1F22010300000000000000000000000000000000000000000000000000000000";

    #[test]
    fn versions_are_read_out_of_their_own_forms() {
        for (text, number) in
            [("06010A03A00000", 0x0A), ("06011103A00000", 0x11), ("06011203A000000A0102", 0x12), (V22, 0x22)]
        {
            assert_eq!(read(text, None), IssuerData::Known(CryptogramVersion::vsdc(number)), "{text}");
        }
        for (text, number) in [
            ("0110A00003220000000000000000000000FF", 0x10),
            ("0111A00003220000000000000000000000FF", 0x11),
            // A key index of 06 makes no Visa card of it: there is no length of results.
            ("0611A00003220000000000000000000000FF", 0x11),
            ("0114A00003220000", 0x14),
            ("0115A00003220000000000000000000322FF", 0x15),
        ] {
            assert_eq!(read(text, None), IssuerData::Known(CryptogramVersion::mchip(number)), "{text}");
        }
        for text in ["", "1501850440B100000000", "0115A00003220000"] {
            assert_eq!(read(text, None), IssuerData::NoForm, "{text}");
            assert_eq!(read(text, Some(Family::Plain)), PLAIN, "{text}");
        }
    }

    #[test]
    fn what_visa_and_mastercard_share_is_settled_by_the_product() {
        let both = "0611110300220000000000000000000000FF";
        assert_eq!(read(both, None), IssuerData::Ambiguous);
        assert_eq!(read(both, Some(Family::Vsdc)), IssuerData::Known(CryptogramVersion::vsdc(0x11)));
        assert_eq!(read(both, Some(Family::Mchip)), IssuerData::Known(CryptogramVersion::mchip(0x11)));
        assert_eq!(read(both, Some(Family::Plain)), PLAIN);
    }

    #[test]
    fn unknown_versions_and_other_forms_are_told_apart() {
        for (text, version) in [
            ("06011603A00000", 0x16),
            ("06017703A00000", 0x77),
            ("1F42010300000000000000000000000000000000000000000000000000000000", 0x42),
            ("0177A00003220000000000000000000000FF", 0x77),
        ] {
            assert_eq!(read(text, None), IssuerData::Unknown(version), "{text}");
        }
        for text in ["060112", "06011204A00000", "1F2201030000", "06012203A00000", &V22.replacen("1F22", "1F12", 1)] {
            assert!(matches!(read(text, None), IssuerData::Malformed(_)), "{text}");
        }
        for (text, stated) in [("0110A000", Family::Vsdc), ("06010A03A00000", Family::Mchip)] {
            assert!(matches!(read(text, Some(stated)), IssuerData::Malformed(_)), "{text}");
        }
    }
}
