//! What a card tells of itself: pure readers.

use std::fmt;

use crate::base::codec::tlv::{self, Tag, TlvError};

/// An object that the card gave and that is not what GlobalPlatform lays down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverError {
    /// Broken BER-TLV.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// CPLC of another length than 42 bytes.
    #[error("CPLC has 42 bytes, not {0}")]
    Cplc(usize),
    /// A template that is not the one that was asked for.
    #[error("the template {0} is not there")]
    Template(Tag),
    /// An entry that is cut short.
    #[error("a key entry is cut short")]
    KeyEntry,
}

/// Card production life cycle data, tag 9F7F. // GPC 2.1.1 §9.1.4 (no longer in later editions)
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cplc([u8; 42]);

/// The fields: name, offset, length.
const CPLC_FIELDS: &[(&str, usize, usize)] = &[
    ("ic_fabricator", 0, 2),
    ("ic_type", 2, 2),
    ("os_id", 4, 2),
    ("os_date", 6, 2),
    ("os_level", 8, 2),
    ("ic_fab_date", 10, 2),
    ("ic_serial", 12, 4),
    ("ic_batch", 16, 2),
    ("module_fab", 18, 2),
    ("module_date", 20, 2),
    ("icc_manufacturer", 22, 2),
    ("embedding_date", 24, 2),
    ("pre_personalizer", 26, 2),
    ("pre_personalization_date", 28, 2),
    ("pre_personalization_equipment", 30, 4),
    ("personalizer", 34, 2),
    ("personalization_date", 36, 2),
    ("personalization_equipment", 38, 4),
];

/// What identifies a chip: fabricator, type, fabrication date, serial number and batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChipId(String);

impl fmt::Display for ChipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Cplc {
    /// Reads CPLC with or without its tag: cards give both.
    ///
    /// # Errors
    /// It has another length.
    pub fn parse(data: &[u8]) -> Result<Self, DiscoverError> {
        let value = match data {
            [0x9F, 0x7F, _, value @ ..] => value,
            value => value,
        };
        value.first_chunk::<42>().map(|cplc| Self(*cplc)).ok_or(DiscoverError::Cplc(value.len()))
    }

    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let (_, offset, length) = CPLC_FIELDS.iter().find(|(field, ..)| *field == name)?;
        self.0.get(*offset..offset + length)
    }

    /// All fields in order: name and value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        CPLC_FIELDS.iter().filter_map(|&(name, offset, length)| Some((name, self.0.get(offset..offset + length)?)))
    }

    /// The names of all fields.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CPLC_FIELDS.iter().map(|(name, ..)| *name)
    }

    /// The chip's identity.
    pub fn chip_id(&self) -> ChipId {
        let field = |name| hex::encode_upper(self.field(name).unwrap_or_default());
        let parts = ["ic_fabricator", "ic_type", "ic_fab_date", "ic_serial", "ic_batch"].map(field);
        ChipId(parts.join("-"))
    }
}

impl fmt::Debug for Cplc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

/// Card data, tag 66: the secure channel protocols that a card offers. // GPC 2.3.1 annex H.2
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardData(Vec<(u8, u16)>);

impl CardData {
    /// Reads card data, or the recognition data 73 alone. Protocols that this program does not know are kept.
    ///
    /// # Errors
    /// Broken BER-TLV, or no recognition data.
    pub fn parse(data: &[u8]) -> Result<Self, DiscoverError> {
        let objects = tlv::parse(data)?;
        let recognition = tlv::find(&objects, Tag::of(0x73)).ok_or(DiscoverError::Template(Tag::of(0x73)))?;
        let schemes = recognition.children().iter().filter(|object| object.tag == Tag::of(0x64));
        let oids = schemes.flat_map(|scheme| scheme.children()).filter(|object| object.tag == Tag::of(0x06));
        Ok(Self(oids.filter_map(|oid| scheme(&oid.value_bytes())).collect()))
    }

    /// Protocol number and `i` of every protocol.
    pub fn protocols(&self) -> &[(u8, u16)] {
        &self.0
    }
}

/// 1.2.840.114283.4.scp.i; both are base-128 numbers.
fn scheme(oid: &[u8]) -> Option<(u8, u16)> {
    let rest = oid.strip_prefix(&[0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04])?;
    // Some cards write an i above 7F as one plain byte.
    if let [scp, i] = rest {
        return Some((*scp, u16::from(*i)));
    }
    let mut numbers = Vec::new();
    let mut number = 0u16;
    for &byte in rest {
        number = number.checked_mul(128)?.checked_add(u16::from(byte & 0x7F))?;
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    match numbers.as_slice() {
        [scp, i] => Some((u8::try_from(*scp).ok()?, *i)),
        _ => None,
    }
}

impl fmt::Display for CardData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no secure channel");
        }
        let each = self.0.iter().map(|(scp, i)| format!("SCP{scp:02X} i={i:02X}"));
        f.write_str(&each.collect::<Vec<_>>().join(", "))
    }
}

/// Key information template, tag E0. // GPC 2.3.1 §11.3.3.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInformation(Vec<KeyEntry>);

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// Key identifier.
    pub id: u8,
    /// Key version number.
    pub version: u8,
    /// Type and length in bytes of every component. Types of the extended format begin with FF.
    pub components: Vec<(Vec<u8>, usize)>,
}

impl KeyInformation {
    /// Reads the template.
    ///
    /// # Errors
    /// Broken BER-TLV, or an entry cut short.
    pub fn parse(data: &[u8]) -> Result<Self, DiscoverError> {
        let objects = tlv::parse(data)?;
        let template =
            objects.iter().find(|object| object.tag == Tag::of(0xE0)).ok_or(DiscoverError::Template(Tag::of(0xE0)))?;
        let entries = template.children().iter().filter(|object| object.tag == Tag::of(0xC0));
        entries.map(|entry| key_entry(&entry.value_bytes())).collect::<Result<_, _>>().map(Self)
    }

    /// The keys.
    pub fn keys(&self) -> &[KeyEntry] {
        &self.0
    }
}

fn key_entry(value: &[u8]) -> Result<KeyEntry, DiscoverError> {
    let (&[id, version], mut rest) = value.split_first_chunk::<2>().ok_or(DiscoverError::KeyEntry)?;
    let mut components = Vec::new();
    let extended = rest.first() == Some(&0xFF);
    while let [first, tail @ ..] = rest {
        let (kind, length, after) = match (first, tail) {
            (0xFF, [kind, high, low, after @ ..]) => {
                (vec![0xFF, *kind], usize::from(u16::from_be_bytes([*high, *low])), after)
            }
            // The extended format names a component by FF; whatever else follows (usage and access, on some cards a
            // public exponent) ends the list.
            _ if extended => break,
            (kind, [length, after @ ..]) => (vec![*kind], usize::from(*length), after),
            _ => return Err(DiscoverError::KeyEntry),
        };
        components.push((kind, length));
        rest = after;
    }
    Ok(KeyEntry { id, version, components })
}
