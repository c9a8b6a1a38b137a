//! How a grouping is read back.

use crate::base::codec::tlv::Tag;

/// How a grouping is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadBack {
    /// READ RECORD: the grouping's number is file and record.
    Record,
    /// The answer to SELECT.
    Fci,
    /// The answer to SELECT in a contactless reader.
    FciContactless,
    /// The answer to GET PROCESSING OPTIONS.
    Gpo,
    /// The answer to GET PROCESSING OPTIONS in a contactless reader.
    GpoContactless,
    /// GET DATA, object by object.
    GetData,
    /// GET DATA 9F17 for its first byte.
    PinTryCounter,
    /// The grouping is the bare value of this tag, which is read where the card shows it.
    Tag(u16),
    /// Not at all: it is listed as loaded, not proven.
    None,
}

/// Where a card shows an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// In the answer to SELECT.
    Select,
    /// In the answer to GET PROCESSING OPTIONS.
    ProcessingOptions,
    /// In the answer to GET DATA.
    GetData,
}

/// Objects of an FCI. // EMV B1 §11.3.4
const FCI: &[u16] = &[0x42, 0x50, 0x87, 0x88, 0x5F2D, 0x5F54, 0x5F55, 0x9F11, 0x9F12, 0x9F38, 0x9F4D, 0x9F5A];

/// Groupings whose number is the tag whose bare value they hold. // as applets without templates have them
const BARE: &[u16] = &[0x50, 0x82, 0x87, 0x88, 0x94, 0x5F2D, 0x9F11, 0x9F12, 0x9F38];

impl ReadBack {
    /// As a profile writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "record" => ReadBack::Record,
            "fci" => ReadBack::Fci,
            "fci-contactless" => ReadBack::FciContactless,
            "gpo" => ReadBack::Gpo,
            "gpo-contactless" => ReadBack::GpoContactless,
            "get-data" => ReadBack::GetData,
            "pin-try-counter" => ReadBack::PinTryCounter,
            "none" => ReadBack::None,
            other => {
                let digits = other.strip_prefix("tag:")?;
                let upper = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
                let tag = Tag::from_hex(digits).filter(|tag| upper && !tag.is_constructed())?;
                ReadBack::Tag(u16::try_from(tag.number()).ok()?)
            }
        })
    }

    /// What a grouping's number says. // CPS 1.1 annex A
    pub(super) fn by_number(dgi: u16, sealed: bool) -> Self {
        match dgi {
            _ if sealed => ReadBack::None,
            _ if BARE.contains(&dgi) => ReadBack::Tag(dgi),
            0x0101..=0x1EFF => ReadBack::Record,
            0x9102 => ReadBack::Fci,
            0x9103 => ReadBack::FciContactless,
            0x9104 => ReadBack::Gpo,
            0x3000 => ReadBack::GetData,
            0x9010 => ReadBack::PinTryCounter,
            _ => ReadBack::None,
        }
    }

    /// Why a grouping cannot be read back so.
    pub(super) fn misfit(self, (first, last): (u16, u16)) -> Option<String> {
        let bare = first == last && BARE.contains(&first);
        match self {
            ReadBack::Tag(_) if first != last => Some("a range cannot hold the bare value of one tag".into()),
            ReadBack::Tag(tag) if bare && tag != first => {
                Some(format!("grouping {first:04X} holds the bare value of tag {first:02X}; state tag:{first:02X}"))
            }
            ReadBack::Tag(_) if matches!(first, 0x0101..=0x1EFF | 0x3000 | 0x3001 | 0x9010 | 0x9102..=0x9104) => {
                Some(format!("grouping {first:04X} holds whole objects, not the bare value of one tag"))
            }
            ReadBack::Tag(tag) if Shown::of(tag).is_none() => Some(format!(
                "tag {tag:02X} stands in a record, and is shown neither by SELECT nor by GET PROCESSING OPTIONS nor by GET DATA"
            )),
            ReadBack::Tag(_) | ReadBack::None => None,
            _ if bare => {
                Some(format!("grouping {first:04X} is the bare value of tag {first:02X}; state tag:{first:02X}"))
            }
            _ => Self::fitting(first).filter(|(fitting, _)| !fitting.contains(&self)).map(|(_, state)| {
                format!(
                    "grouping {first:04X} is not read back so: what CPS puts into it is shown elsewhere; state {state}"
                )
            }),
        }
    }

    /// The ways in which a grouping of a number that CPS defines can be read back, and how a profile states them; none of
    /// other numbers. // CPS 1.1 annex A
    fn fitting(dgi: u16) -> Option<(&'static [Self], &'static str)> {
        Some(match dgi {
            0x0101..=0x1EFF => (&[ReadBack::Record], "record or none"),
            0x3000 => (&[ReadBack::GetData], "get-data or none"),
            0x9102 | 0x9103 => (&[ReadBack::Fci, ReadBack::FciContactless], "fci, fci-contactless or none"),
            0x9104 => (&[ReadBack::Gpo, ReadBack::GpoContactless], "gpo, gpo-contactless or none"),
            0x9010 => (&[ReadBack::PinTryCounter], "pin-try-counter or none"),
            0x9000 | 0x9200 => (&[], "none"),
            _ => return None,
        })
    }
}

impl Shown {
    /// Where a card shows this tag; none if in records only.
    pub fn of(tag: u16) -> Option<Self> {
        match tag {
            0x82 | 0x94 => Some(Shown::ProcessingOptions),
            _ if FCI.contains(&tag) => Some(Shown::Select),
            // EMV B3 §6.5.7; issuers and schemes have further ones.
            0x9F00..=0x9F7F | 0xDF00..=0xDF7F => Some(Shown::GetData),
            _ => None,
        }
    }
}
