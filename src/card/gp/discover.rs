//! What a card tells of itself: pure readers.

use std::fmt;

use crate::base::codec::tlv::{self, Tag, TlvError};

/// An object that the card gave and that is not what GlobalPlatform lays down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverError {
    /// Broken BER-TLV.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// CPLC of another length than 42 or 45 bytes.
    #[error("CPLC has 42 bytes, or 45 on some cards, not {0}")]
    Cplc(usize),
    /// More than an object of a card can have.
    #[error("it has {0} bytes, which is more than any such object has")]
    TooLong(usize),
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

/// Whether data can tell one chip from another: all 00, all FF, a mixture of the two, or one byte again and again is what
/// cards without a number of their own have.
pub fn identifies(data: &[u8]) -> bool {
    data.iter().any(|&byte| byte != 0x00 && byte != 0xFF) && data.iter().any(|byte| Some(byte) != data.first())
}

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
    /// It has another length, or is cut short.
    pub fn parse(data: &[u8]) -> Result<Self, DiscoverError> {
        let value = match data {
            [0x9F, 0x7F, ..] => tlv::split_object(data)?.1,
            value => value,
        };
        // Some cards add three bytes that nobody has laid down.
        match (value.first_chunk::<42>(), value.len()) {
            (Some(cplc), 42 | 45) => Ok(Self(*cplc)),
            (_, length) => Err(DiscoverError::Cplc(length)),
        }
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

    /// Whether it tells one chip from another: some makers leave the serial number empty, or fill it with one byte.
    pub fn identifies(&self) -> bool {
        self.field("ic_serial").is_some_and(identifies)
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
pub struct CardData {
    protocols: Vec<(u8, u16)>,
    version: Option<String>,
}

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
        let protocols = oids.filter_map(|oid| scheme(&oid.value_bytes())).collect();
        let management = recognition.children().iter().find(|object| object.tag == Tag::of(0x60));
        let version = management.and_then(|object| tlv::find(object.children(), Tag::of(0x06)));
        Ok(Self { protocols, version: version.and_then(|oid| specification(&oid.value_bytes())) })
    }

    /// Protocol number and `i` of every protocol.
    pub fn protocols(&self) -> &[(u8, u16)] {
        &self.protocols
    }

    /// Version of the specification that the card follows, e.g. `2.2` or `2.2.1`.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

/// 1.2.840.114283.2.version. // GPC 2.3.1 §H.2
fn specification(oid: &[u8]) -> Option<String> {
    let version = oid.strip_prefix(&[0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x02])?;
    let parts: Vec<String> = version.iter().map(u8::to_string).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

/// 1.2.840.114283.4.scp.i. The protocol is one plain byte even above 7F (SCP80); an `i` above 7F is a base-128 number,
/// or one plain byte on cards that do not know that. // GPC 2.3.1 §H.2
fn scheme(oid: &[u8]) -> Option<(u8, u16)> {
    match oid.strip_prefix(&[0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04])? {
        [scp, i] => Some((*scp, u16::from(*i))),
        [scp, high, low] if high & 0x80 != 0 && low & 0x80 == 0 => {
            Some((*scp, u16::from(high & 0x7F) << 7 | u16::from(*low)))
        }
        _ => None,
    }
}

impl fmt::Display for CardData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.protocols.is_empty() {
            return f.write_str("no secure channel");
        }
        let each = self.protocols.iter().map(|(scp, i)| format!("SCP{scp:02X} i={i:02X}"));
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
            (0xFF, _) => return Err(DiscoverError::KeyEntry),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // A card's answer that was published with an issue of GlobalPlatformPro; see tests/vectors/card_data.json.
    const CPLC: &str = "47906A1582314176009661330000114A1424114261331143613311446133130B00000000000000000000";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn cplc_comes_in_three_dresses() {
        let plain = Cplc::parse(&bytes(CPLC)).unwrap();
        assert_eq!(Cplc::parse(&bytes(&format!("9F7F2A{CPLC}"))).unwrap(), plain);
        assert_eq!(Cplc::parse(&bytes(&format!("9F7F2D{CPLC}000000"))).unwrap(), plain);
        assert_eq!(plain.chip_id().to_string(), "4790-6A15-6133-0000114A-1424");
        assert_eq!(plain.fields().map(|(_, value)| value.len()).sum::<usize>(), 42);
    }

    #[test]
    fn cplc_of_another_length_is_refused() {
        assert_eq!(Cplc::parse(&[]), Err(DiscoverError::Cplc(0)));
        assert_eq!(Cplc::parse(&bytes(&CPLC[2..])), Err(DiscoverError::Cplc(41)));
        assert_eq!(Cplc::parse(&bytes(&format!("{CPLC}00"))), Err(DiscoverError::Cplc(43)));
        assert!(matches!(Cplc::parse(&bytes("9F7F2A4790")), Err(DiscoverError::Tlv(_))));
    }

    #[test]
    fn card_data_names_every_protocol() {
        let oid = |tail: &str| format!("64{:02X}06{:02X}2A864886FC6B04{tail}", 9 + tail.len() / 2, 7 + tail.len() / 2);
        let data = |oids: &[&str]| {
            let inside: String = oids.iter().map(|tail| oid(tail)).collect();
            bytes(&format!("73{:02X}{inside}", inside.len() / 2))
        };
        let protocols = |data: &[u8]| CardData::parse(data).unwrap().protocols().to_vec();
        // SCP02 i=55 and SCP80 i=00, from a public trace
        let traced = "663D733B06072A864886FC6B01600B06092A864886FC6B020202630906072A864886FC6B03640B06092A864886FC6B040255\
                      640B06092A864886FC6B048000";
        assert_eq!(protocols(&bytes(traced)), [(2, 0x55), (0x80, 0)]);
        assert_eq!(CardData::parse(&bytes(traced)).unwrap().to_string(), "SCP02 i=55, SCP80 i=00");
        assert_eq!(CardData::parse(&bytes(traced)).unwrap().version(), Some("2.2"));
        assert_eq!(CardData::parse(&data(&["0370"])).unwrap().version(), None);
        assert_eq!(protocols(&data(&["0370", "7F01"])), [(3, 0x70), (0x7F, 1)]);
        // i = F0, as a base-128 number and as a plain byte
        assert_eq!(protocols(&data(&["038170", "03F0"])), [(3, 0xF0), (3, 0xF0)]);
        // What is no protocol is passed over.
        assert_eq!(protocols(&data(&["", "03", "03010101", "0315"])), [(3, 0x15)]);
        assert_eq!(CardData::parse(&bytes("6600")), Err(DiscoverError::Template(Tag::of(0x73))));
        assert!(matches!(CardData::parse(&bytes("6605730306")), Err(DiscoverError::Tlv(_))));
    }

    #[test]
    fn key_entries_of_both_formats_are_read() {
        let keys = |text: &str| KeyInformation::parse(&bytes(text)).map(|information| information.keys().to_vec());
        let entry = |components: &[(&str, usize)]| KeyEntry {
            id: 1,
            version: 0x30,
            components: components.iter().map(|(kind, length)| (bytes(kind), *length)).collect(),
        };
        assert_eq!(keys("E006C00401308810").unwrap(), [entry(&[("88", 16)])]);
        assert_eq!(keys("E008C0060130A103A080").unwrap(), [entry(&[("A1", 3), ("A0", 128)])]);
        assert_eq!(keys("E00CC00A0130FF88002001180100").unwrap(), [entry(&[("FF88", 32)])]);
        assert_eq!(keys("E00EC00C0130FFA10080FFA0000300FF").unwrap(), [entry(&[("FFA1", 128), ("FFA0", 3)])]);
        for broken in ["E003C00101", "E005C003013088", "E006C0040130FF88", "E009C0070130FF880010FF"] {
            assert_eq!(keys(broken), Err(DiscoverError::KeyEntry), "{broken}");
        }
        assert_eq!(keys("E000").unwrap(), []);
        assert_eq!(keys("C00401308810"), Err(DiscoverError::Template(Tag::of(0xE0))));
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(head in 0usize..4, tail in prop::collection::vec(any::<u8>(), 0..60)) {
            let heads = [vec![], bytes("9F7F2A"), [&bytes("7309640706")[..], &[0x05]].concat(), bytes("E010C00E0130")];
            let data = [heads.into_iter().nth(head).unwrap_or_default(), tail].concat();
            let _ = (Cplc::parse(&data), CardData::parse(&data), KeyInformation::parse(&data));
        }
    }
}
