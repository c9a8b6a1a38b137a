//! SELECT and its answer, the FCI. // EMV B1 §11.3

use super::accepted;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::card::apdu::Command;
use crate::card::plain::{Card, CardError, Misbehaviour};

/// The answer to SELECT as the card gave it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fci(Vec<u8>);

/// What the FCI of an application, or of a directory, tells. // EMV B1 §11.3.4
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FciData {
    /// DF name, tag 84.
    pub df_name: Vec<u8>,
    /// Application label, tag 50.
    pub label: Option<Vec<u8>>,
    /// Application priority indicator, tag 87.
    pub priority: Option<u8>,
    /// SFI of the directory, tag 88: of a PSE only.
    pub directory: Option<u8>,
    /// PDOL, tag 9F38.
    pub pdol: Option<Vec<u8>>,
    /// Issuer code table index, tag 9F11.
    pub code_table: Option<u8>,
    /// Application preferred name, tag 9F12.
    pub preferred_name: Option<Vec<u8>>,
    /// FCI issuer discretionary data, tag BF0C: what it holds.
    pub discretionary: Vec<Tlv>,
}

impl std::fmt::Debug for Fci {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FCI of {} bytes", self.0.len())
    }
}

impl Fci {
    /// The answer to SELECT, as it was kept.
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The bytes, without the status word.
    pub fn raw(&self) -> &[u8] {
        &self.0
    }

    /// Reads it: `6F { 84, A5 { … } }`. Objects that are not named here are left alone.
    ///
    /// # Errors
    /// [`Misbehaviour::Malformed`]: broken BER-TLV, no template 6F, no DF name of 5 to 16 bytes, no template A5, or
    /// an object of one byte that has another length.
    pub fn parse(&self) -> Result<FciData, Misbehaviour> {
        self.data().ok_or(Misbehaviour::Malformed("SELECT"))
    }

    /// DF name, tag 84 in template 6F; read even if the rest is not as a specification has it.
    pub fn df_name(&self) -> Option<Vec<u8>> {
        // EMV's have 256 bytes at most. // EMV B1 §9.4.2
        let objects = tlv::parse(self.0.get(..).filter(|fci| fci.len() <= 2_048)?).ok()?;
        let fci = objects.iter().find(|object| object.tag == Tag::of(0x6F))?;
        let name = child(fci.children(), 0x84)?.value_bytes();
        (5..=16).contains(&name.len()).then_some(name)
    }

    /// Whether it has a DF name that begins with this AID. A Java Card hands SELECT of an unknown AID to the selected
    /// application, and careless ones answer 9000: without such a name nothing was selected.
    pub fn names(&self, aid: &[u8]) -> bool {
        self.df_name().is_some_and(|name| name.starts_with(aid))
    }

    /// Whether it holds what only a personalized application or directory shows: a label, a PDOL, the file of a directory,
    /// or issuer discretionary data.
    pub fn is_personalized(&self) -> bool {
        let objects = tlv::parse(&self.0).unwrap_or_default();
        let fci = objects.iter().find(|object| object.tag == Tag::of(0x6F)).map(Tlv::children).unwrap_or_default();
        let shown = child(fci, 0xA5).map(Tlv::children).unwrap_or_default();
        [0x50, 0x88, 0x9F38, 0xBF0C].iter().any(|tag| child(shown, *tag).is_some())
    }

    fn data(&self) -> Option<FciData> {
        let fci = tlv::parse_one(&self.0).ok()?;
        (fci.tag == Tag::of(0x6F)).then_some(())?;
        let df_name = child(fci.children(), 0x84)?.value_bytes();
        (5..=16).contains(&df_name.len()).then_some(())?;
        let proprietary = child(fci.children(), 0xA5)?.children();
        let bytes = |tag| child(proprietary, tag).map(Tlv::value_bytes);
        Some(FciData {
            df_name,
            label: bytes(0x50),
            priority: one_byte(proprietary, 0x87)?,
            directory: one_byte(proprietary, 0x88)?,
            pdol: bytes(0x9F38),
            code_table: one_byte(proprietary, 0x9F11)?,
            preferred_name: bytes(0x9F12),
            discretionary: child(proprietary, 0xBF0C).map(|found| found.children().to_vec()).unwrap_or_default(),
        })
    }
}

/// SELECT by AID, the first or only occurrence. The FCI is not read yet, so that a card whose FCI is broken can still
/// be compared byte by byte.
///
/// # Errors
/// The link broke, or the card refuses.
pub fn select(card: &mut Card, aid: &[u8]) -> Result<Fci, CardError> {
    occurrence(card, aid, 0x00)
}

/// SELECT of the next application whose AID begins so. // EMV B1 §11.3.2, §12.3.1
///
/// # Errors
/// As [`select`]; 6A82 where there is no further one.
pub fn select_next(card: &mut Card, aid: &[u8]) -> Result<Fci, CardError> {
    occurrence(card, aid, 0x02)
}

fn occurrence(card: &mut Card, aid: &[u8], p2: u8) -> Result<Fci, CardError> {
    let command = Command::new(0x00, 0xA4, 0x04, p2).with_data(aid).with_le(256);
    Ok(Fci(accepted(card.transmit(&command)?, "SELECT", 0xA4)?.into_data()))
}

/// A direct child: the same tag deeper down means something else (50 and 87 stand in directory entries too).
fn child(objects: &[Tlv], tag: u32) -> Option<&Tlv> {
    objects.iter().find(|object| object.tag == Tag::of(tag))
}

/// Outer `None`: the object is there with another length than one.
fn one_byte(objects: &[Tlv], tag: u32) -> Option<Option<u8>> {
    match child(objects, tag).map(Tlv::value_bytes).as_deref() {
        None => Some(None),
        Some([byte]) => Some(Some(*byte)),
        Some(_) => None,
    }
}
