//! What a terminal answers where a card asks for its data. // EMV B3 §5.4, EMV B4 annex A

use crate::base::codec::tlv::Tag;

/// Values that are the same in every reading: a purchase of 1.00 at an attended terminal that would like to go online.
const DEFAULTS: &[(u32, &[u8])] = &[
    // Amounts and kind of the transaction
    (0x81, &[0x00, 0x00, 0x00, 0x64]),
    (0x9F02, &[0x00, 0x00, 0x00, 0x00, 0x01, 0x00]),
    (0x9F03, &[0x00; 6]),
    (0x9C, &[0x00]),
    (0x5F2A, &[0x09, 0x78]),
    (0x5F36, &[0x02]),
    (0x9F1A, &[0x02, 0x50]),
    (0x9F15, &[0x59, 0x99]),
    // The terminal: attended, offline with online capability; its capabilities
    (0x9F35, &[0x22]),
    (0x9F33, &[0xE0, 0xB8, 0xC8]),
    (0x9F40, &[0x60, 0x00, 0xF0, 0xA0, 0x01]),
    (0x9F1E, b"00000001"),
    (0x9F1C, b"00000001"),
    // EMV mode, contact chip, online PIN, signature; no cryptogram and no verification is asked for.
    (0x9F66, &[0x36, 0x00, 0x00, 0x00]),
];

/// A terminal that reads a card.
#[derive(Clone, PartialEq, Eq)]
pub struct Terminal {
    /// Transaction date, YYMMDD in BCD.
    pub date: [u8; 3],
    /// Unpredictable number.
    pub unpredictable: [u8; 4],
}

impl Terminal {
    /// The value of a terminal's data element; nothing, which a DOL fills with zeros, where it has none.
    pub fn value(&self, tag: Tag) -> Option<Vec<u8>> {
        match tag.number() {
            0x9A => Some(self.date.to_vec()),
            0x9F37 => Some(self.unpredictable.to_vec()),
            number => DEFAULTS.iter().find(|(known, _)| *known == number).map(|(_, value)| value.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::emv::tag_info;

    #[test]
    fn every_default_has_the_length_of_its_element() {
        for (tag, value) in DEFAULTS {
            let info = tag_info(Tag::of(*tag));
            assert!(info.is_some_and(|info| (info.min..=info.max).contains(&value.len())), "{tag:X}");
        }
    }
}
