//! The dictionary of data elements. // EMV B3 annex A, contactless books

use crate::base::codec::tlv::Tag;

/// How a value is written. // EMV B3 §4.3
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Numeric: BCD, zeros on the left.
    N,
    /// Compressed numeric: BCD, F on the right.
    Cn,
    /// Letters and digits.
    An,
    /// Letters, digits and special characters.
    Ans,
    /// Bytes.
    B,
}

/// What is known of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagInfo {
    /// The tag.
    pub tag: Tag,
    /// Its name.
    pub name: &'static str,
    /// How its value is written.
    pub format: Format,
    /// Fewest bytes.
    pub min: usize,
    /// Most bytes.
    pub max: usize,
    /// Whether the value must never be shown: it holds a PAN, a name, a track or something secret.
    pub sensitive: bool,
    /// Whether schemes and issuers give the tag a meaning of their own, so that length and format may be others. // EMV B3
    /// annex B: 9F50 to 9F7F
    pub proprietary: bool,
}

/// The row of a tag.
pub fn tag_info(tag: Tag) -> Option<&'static TagInfo> {
    DICTIONARY.binary_search_by_key(&tag, |info| info.tag).ok().and_then(|at| DICTIONARY.get(at))
}

/// The name of a tag.
pub fn tag_name(tag: Tag) -> Option<&'static str> {
    tag_info(tag).map(|info| info.name)
}

/// The name of a tag in an application of this AID, if its scheme has one of its own. // Visa VCPS, EMV C-2 annex A
pub fn tag_name_of(tag: Tag, aid: &[u8]) -> Option<&'static str> {
    const VISA: [u8; 5] = [0xA0, 0x00, 0x00, 0x00, 0x03];
    const MASTERCARD: [u8; 5] = [0xA0, 0x00, 0x00, 0x00, 0x04];
    match (tag.number(), *aid.first_chunk::<5>()?) {
        (0x9F5D, VISA) => Some("Available offline spending amount"),
        (0x9F5D, MASTERCARD) => Some("Application capabilities information"),
        _ => None,
    }
}

const fn row(tag: u32, name: &'static str, format: Format, min: usize, max: usize, sensitive: bool) -> TagInfo {
    TagInfo { tag: Tag::of(tag), name, format, min, max, sensitive, proprietary: false }
}

/// A row that one scheme has so, and another may not.
const fn own(tag: u32, name: &'static str, format: Format, min: usize, max: usize) -> TagInfo {
    TagInfo { proprietary: true, ..row(tag, name, format, min, max, false) }
}

/// In the order of the tags' numbers.
#[rustfmt::skip]
const DICTIONARY: &[TagInfo] = &[
    row(0x42, "Issuer identification number (IIN)", Format::N, 3, 3, false),
    row(0x4F, "Application identifier (AID)", Format::B, 5, 16, false),
    row(0x50, "Application label", Format::Ans, 1, 16, false),
    row(0x56, "Track 1 data", Format::Ans, 1, 76, true),
    row(0x57, "Track 2 equivalent data", Format::B, 1, 19, true),
    row(0x5A, "Application PAN", Format::Cn, 1, 10, true),
    row(0x61, "Application template", Format::B, 0, 252, false),
    row(0x6F, "FCI template", Format::B, 0, 252, false),
    row(0x70, "Record template", Format::B, 0, 252, false),
    row(0x73, "Directory discretionary template", Format::B, 0, 252, false),
    row(0x77, "Response template format 2", Format::B, 0, 255, false),
    row(0x80, "Response template format 1", Format::B, 0, 255, false),
    row(0x81, "Amount, authorised (binary)", Format::B, 4, 4, false),
    row(0x82, "Application interchange profile", Format::B, 2, 2, false),
    row(0x83, "Command template", Format::B, 0, 255, false),
    row(0x84, "Dedicated file name", Format::B, 5, 16, false),
    row(0x87, "Application priority indicator", Format::B, 1, 1, false),
    row(0x88, "Short file identifier", Format::B, 1, 1, false),
    row(0x89, "Authorisation code", Format::An, 6, 6, false),
    row(0x8A, "Authorisation response code", Format::An, 2, 2, false),
    row(0x8C, "Card risk management DOL 1", Format::B, 0, 252, false),
    row(0x8D, "Card risk management DOL 2", Format::B, 0, 252, false),
    row(0x8E, "Cardholder verification method list", Format::B, 10, 252, false),
    row(0x8F, "CA public key index", Format::B, 1, 1, false),
    row(0x90, "Issuer public key certificate", Format::B, 1, 248, false),
    row(0x91, "Issuer authentication data", Format::B, 8, 16, false),
    row(0x92, "Issuer public key remainder", Format::B, 1, 248, false),
    row(0x93, "Signed static application data", Format::B, 1, 248, true),
    row(0x94, "Application file locator", Format::B, 4, 252, false),
    row(0x95, "Terminal verification results", Format::B, 5, 5, false),
    row(0x97, "Transaction certificate DOL", Format::B, 0, 252, false),
    row(0x98, "Transaction certificate hash value", Format::B, 20, 20, false),
    row(0x99, "Transaction PIN data", Format::B, 1, 255, true),
    row(0x9A, "Transaction date", Format::N, 3, 3, false),
    row(0x9B, "Transaction status information", Format::B, 2, 2, false),
    row(0x9C, "Transaction type", Format::N, 1, 1, false),
    row(0x9D, "Directory definition file name", Format::B, 5, 16, false),
    row(0xA5, "FCI proprietary template", Format::B, 0, 252, false),
    row(0x5F20, "Cardholder name", Format::Ans, 2, 26, true),
    row(0x5F24, "Application expiration date", Format::N, 3, 3, false),
    row(0x5F25, "Application effective date", Format::N, 3, 3, false),
    row(0x5F28, "Issuer country code", Format::N, 2, 2, false),
    row(0x5F2A, "Transaction currency code", Format::N, 2, 2, false),
    row(0x5F2D, "Language preference", Format::An, 2, 8, false),
    row(0x5F30, "Service code", Format::N, 2, 2, false),
    row(0x5F34, "PAN sequence number", Format::N, 1, 1, false),
    row(0x5F36, "Transaction currency exponent", Format::N, 1, 1, false),
    row(0x5F50, "Issuer URL", Format::Ans, 1, 255, false),
    row(0x5F53, "IBAN", Format::B, 1, 34, true),
    row(0x5F54, "Bank identifier code", Format::B, 8, 11, false),
    row(0x5F55, "Issuer country code (alpha 2)", Format::An, 2, 2, false),
    row(0x5F56, "Issuer country code (alpha 3)", Format::An, 3, 3, false),
    row(0x9F01, "Acquirer identifier", Format::N, 6, 6, false),
    row(0x9F02, "Amount, authorised (numeric)", Format::N, 6, 6, false),
    row(0x9F03, "Amount, other (numeric)", Format::N, 6, 6, false),
    row(0x9F04, "Amount, other (binary)", Format::B, 4, 4, false),
    row(0x9F05, "Application discretionary data", Format::B, 1, 32, false),
    row(0x9F06, "AID (terminal)", Format::B, 5, 16, false),
    row(0x9F07, "Application usage control", Format::B, 2, 2, false),
    row(0x9F08, "Application version number (card)", Format::B, 2, 2, false),
    row(0x9F09, "Application version number (terminal)", Format::B, 2, 2, false),
    row(0x9F0A, "Application selection registered proprietary data", Format::B, 4, 252, false),
    row(0x9F0B, "Cardholder name extended", Format::Ans, 27, 45, true),
    row(0x9F0C, "Issuer identification number extended (IINE)", Format::N, 3, 4, false),
    row(0x9F0D, "Issuer action code, default", Format::B, 5, 5, false),
    row(0x9F0E, "Issuer action code, denial", Format::B, 5, 5, false),
    row(0x9F0F, "Issuer action code, online", Format::B, 5, 5, false),
    row(0x9F10, "Issuer application data", Format::B, 1, 32, false),
    row(0x9F11, "Issuer code table index", Format::N, 1, 1, false),
    row(0x9F12, "Application preferred name", Format::Ans, 1, 16, false),
    row(0x9F13, "Last online ATC register", Format::B, 2, 2, false),
    row(0x9F14, "Lower consecutive offline limit", Format::B, 1, 1, false),
    row(0x9F15, "Merchant category code", Format::N, 2, 2, false),
    row(0x9F16, "Merchant identifier", Format::Ans, 15, 15, false),
    row(0x9F17, "PIN try counter", Format::B, 1, 1, false),
    row(0x9F18, "Issuer script identifier", Format::B, 4, 4, false),
    row(0x9F19, "Token requestor ID", Format::N, 6, 6, false),
    row(0x9F1A, "Terminal country code", Format::N, 2, 2, false),
    row(0x9F1B, "Terminal floor limit", Format::B, 4, 4, false),
    row(0x9F1C, "Terminal identification", Format::An, 8, 8, false),
    row(0x9F1D, "Terminal risk management data", Format::B, 1, 8, false),
    row(0x9F1E, "Interface device serial number", Format::An, 8, 8, false),
    row(0x9F1F, "Track 1 discretionary data", Format::Ans, 0, 255, true),
    row(0x9F20, "Track 2 discretionary data", Format::Cn, 0, 255, true),
    row(0x9F21, "Transaction time", Format::N, 3, 3, false),
    row(0x9F22, "CA public key index (terminal)", Format::B, 1, 1, false),
    row(0x9F23, "Upper consecutive offline limit", Format::B, 1, 1, false),
    row(0x9F24, "Payment account reference", Format::An, 29, 29, true),
    row(0x9F26, "Application cryptogram", Format::B, 8, 8, false),
    row(0x9F27, "Cryptogram information data", Format::B, 1, 1, false),
    row(0x9F29, "Extended selection", Format::B, 0, 16, false),
    row(0x9F2A, "Kernel identifier", Format::B, 1, 8, false),
    row(0x9F2D, "ICC PIN encipherment public key certificate", Format::B, 1, 248, true),
    row(0x9F2E, "ICC PIN encipherment public key exponent", Format::B, 1, 3, false),
    row(0x9F2F, "ICC PIN encipherment public key remainder", Format::B, 1, 248, false),
    row(0x9F32, "Issuer public key exponent", Format::B, 1, 3, false),
    row(0x9F33, "Terminal capabilities", Format::B, 3, 3, false),
    row(0x9F34, "CVM results", Format::B, 3, 3, false),
    row(0x9F35, "Terminal type", Format::N, 1, 1, false),
    row(0x9F36, "Application transaction counter", Format::B, 2, 2, false),
    row(0x9F37, "Unpredictable number", Format::B, 4, 4, false),
    row(0x9F38, "Processing options DOL", Format::B, 0, 252, false),
    row(0x9F39, "Point-of-service entry mode", Format::N, 1, 1, false),
    row(0x9F3A, "Amount, reference currency", Format::B, 4, 4, false),
    row(0x9F3B, "Application reference currency", Format::N, 2, 8, false),
    row(0x9F3C, "Transaction reference currency code", Format::N, 2, 2, false),
    row(0x9F3D, "Transaction reference currency exponent", Format::N, 1, 1, false),
    row(0x9F40, "Additional terminal capabilities", Format::B, 5, 5, false),
    row(0x9F41, "Transaction sequence counter", Format::N, 2, 4, false),
    row(0x9F42, "Application currency code", Format::N, 2, 2, false),
    row(0x9F43, "Application reference currency exponent", Format::N, 1, 4, false),
    row(0x9F44, "Application currency exponent", Format::N, 1, 1, false),
    row(0x9F45, "Data authentication code", Format::B, 2, 2, false),
    row(0x9F46, "ICC public key certificate", Format::B, 1, 248, true),
    row(0x9F47, "ICC public key exponent", Format::B, 1, 3, false),
    row(0x9F48, "ICC public key remainder", Format::B, 1, 248, false),
    row(0x9F49, "Dynamic data authentication DOL", Format::B, 0, 252, false),
    row(0x9F4A, "Static data authentication tag list", Format::B, 0, 252, false),
    row(0x9F4B, "Signed dynamic application data", Format::B, 1, 248, false),
    row(0x9F4C, "ICC dynamic number", Format::B, 2, 8, false),
    row(0x9F4D, "Log entry", Format::B, 2, 2, false),
    row(0x9F4E, "Merchant name and location", Format::Ans, 0, 255, false),
    row(0x9F4F, "Log format", Format::B, 0, 252, false),
    row(0x9F50, "Offline accumulator balance", Format::N, 6, 6, false),
    own(0x9F51, "Application currency code (proprietary)", Format::N, 2, 2),
    own(0x9F52, "Application default action", Format::B, 0, 6),
    own(0x9F53, "Consecutive transaction limit (proprietary)", Format::B, 1, 1),
    own(0x9F54, "Cumulative transaction amount limit (proprietary)", Format::N, 6, 6),
    own(0x9F56, "Issuer authentication indicator (proprietary)", Format::B, 1, 255),
    own(0x9F57, "Issuer country code (proprietary)", Format::N, 2, 2),
    own(0x9F58, "Lower consecutive offline limit (proprietary)", Format::B, 1, 1),
    own(0x9F59, "Upper consecutive offline limit (proprietary)", Format::B, 1, 1),
    row(0x9F5A, "Application program identifier", Format::B, 1, 16, false),
    own(0x9F5C, "Cumulative transaction amount upper limit (proprietary)", Format::N, 6, 6),
    row(0x9F5D, "Available offline spending amount, or application capabilities", Format::B, 3, 6, false),
    row(0x9F60, "CVC3, track 1", Format::B, 2, 2, true),
    row(0x9F61, "CVC3, track 2", Format::B, 2, 2, true),
    row(0x9F62, "PCVC3, track 1", Format::B, 6, 6, false),
    row(0x9F63, "PUNATC, track 1", Format::B, 6, 6, false),
    row(0x9F64, "NATC, track 1", Format::B, 1, 1, false),
    row(0x9F65, "PCVC3, track 2", Format::B, 2, 2, false),
    row(0x9F66, "Terminal transaction qualifiers, or PUNATC track 2", Format::B, 2, 4, false),
    row(0x9F67, "NATC, track 2", Format::B, 1, 1, false),
    row(0x9F68, "Card additional processes", Format::B, 4, 4, false),
    row(0x9F69, "Card authentication related data, or UDOL", Format::B, 0, 252, false),
    row(0x9F6A, "Unpredictable number (numeric)", Format::N, 4, 4, false),
    row(0x9F6B, "Track 2 data", Format::B, 1, 19, true),
    row(0x9F6C, "Card transaction qualifiers, or magnetic stripe version", Format::B, 2, 2, false),
    row(0x9F6D, "Magnetic stripe application version (reader)", Format::B, 2, 2, false),
    row(0x9F6E, "Form factor indicator, or third party data", Format::B, 4, 32, false),
    own(0x9F72, "Consecutive transaction limit, international (proprietary)", Format::B, 1, 1),
    own(0x9F73, "Currency conversion factor (proprietary)", Format::B, 1, 255),
    own(0x9F75, "Cumulative transaction amount limit, dual currency (proprietary)", Format::N, 6, 6),
    row(0x9F7C, "Customer exclusive data", Format::B, 0, 32, true),
    row(0xBF0C, "FCI issuer discretionary data", Format::B, 0, 222, false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found() {
        assert!(DICTIONARY.is_sorted_by(|a, b| a.tag < b.tag));
        for info in DICTIONARY {
            assert_eq!(tag_info(info.tag), Some(info));
            assert!(info.min <= info.max, "{}", info.name);
        }
    }
}
