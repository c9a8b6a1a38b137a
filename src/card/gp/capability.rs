//! What a card tells of its capabilities and its memory: pure readers.

use super::discover::DiscoverError;
use crate::base::codec::tlv::{self, Tag, Tlv};

/// Card capability information, tag 67. // GPC 2.3.1 §H.4
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardCapability {
    /// The secure channel protocols.
    pub protocols: Vec<ProtocolCapability>,
    /// Privileges that a supplementary security domain can be given, three bytes.
    pub domain_privileges: Vec<u8>,
    /// Privileges that an application can be given, three bytes.
    pub application_privileges: Vec<u8>,
    /// Hash algorithms for load files, by number.
    pub hashes: Vec<u8>,
    /// What else it holds: tag and value.
    pub others: Vec<(Tag, Vec<u8>)>,
}

/// What the card can do in one secure channel protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolCapability {
    /// Number of the protocol.
    pub scp: u8,
    /// Values of `i`.
    pub options: Vec<u8>,
    /// SCP03: key lengths, b1 AES-128, b2 AES-192, b3 AES-256.
    pub key_sizes: Option<u8>,
}

impl CardCapability {
    /// Reads the template.
    ///
    /// # Errors
    /// Broken BER-TLV, or another template.
    pub fn parse(data: &[u8]) -> Result<Self, DiscoverError> {
        let objects = template(data, 0x67)?;
        let value = |tag| objects.iter().find(|object| object.tag == Tag::of(tag)).map(Tlv::value_bytes);
        let protocols = objects.iter().filter(|object| object.tag == Tag::of(0xA0)).filter_map(protocol).collect();
        let named = [0xA0, 0x81, 0x82, 0x83].map(Tag::of);
        let others = objects.iter().filter(|object| !named.contains(&object.tag));
        Ok(Self {
            protocols,
            domain_privileges: value(0x81).unwrap_or_default(),
            application_privileges: value(0x82).unwrap_or_default(),
            hashes: value(0x83).unwrap_or_default(),
            others: others.map(|object| (object.tag, object.value_bytes())).collect(),
        })
    }
}

fn protocol(object: &Tlv) -> Option<ProtocolCapability> {
    let value = |tag| object.children().iter().find(|child| child.tag == Tag::of(tag)).map(Tlv::value_bytes);
    Some(ProtocolCapability {
        scp: value(0x80)?.first().copied()?,
        options: value(0x81).unwrap_or_default(),
        key_sizes: value(0x82).and_then(|sizes| sizes.first().copied()),
    })
}

/// Extended card resources, tag FF21. // ETSI TS 102 226 §8.2.1.7.2
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardResources {
    /// Applications that are installed.
    pub applications: Option<u64>,
    /// Free bytes that keep their contents.
    pub non_volatile: Option<u64>,
    /// Free bytes that do not.
    pub volatile: Option<u64>,
}

impl CardResources {
    /// Reads the template. A number of more than eight bytes, or of none, counts as not told.
    ///
    /// # Errors
    /// Broken BER-TLV, or another template.
    pub fn parse(data: &[u8]) -> Result<Self, DiscoverError> {
        let objects = template(data, 0xFF21)?;
        let number = |tag| {
            let value = objects.iter().find(|object| object.tag == Tag::of(tag)).map(Tlv::value_bytes)?;
            let fits = (1..=8).contains(&value.len());
            fits.then(|| value.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
        };
        Ok(Self { applications: number(0x81), non_volatile: number(0x82), volatile: number(0x83) })
    }
}

/// What a template holds; cards also give it without its own tag and length.
fn template(data: &[u8], tag: u32) -> Result<Vec<Tlv>, DiscoverError> {
    let objects = tlv::parse(data)?;
    match objects.as_slice() {
        [only] if only.tag == Tag::of(tag) => Ok(only.children().to_vec()),
        [] => Err(DiscoverError::Template(Tag::of(tag))),
        several => {
            let inside = several.iter().all(|object| matches!(object.tag.number(), 0x81..=0x88 | 0xA0));
            if inside { Ok(objects) } else { Err(DiscoverError::Template(Tag::of(tag))) }
        }
    }
}

/// The value of a data object that cards give with or without its tag: IIN 42, CIN 45, sequence counter C1, KDD CF.
pub fn object_value(tag: u16, data: &[u8]) -> Vec<u8> {
    match tlv::split_object(data) {
        Ok((found, value, [])) if found == Tag::of(u32::from(tag)) => value.to_vec(),
        _ => data.to_vec(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn protocols_privileges_and_hashes_are_read() {
        // Laid out as globalplatform section 3.5 has it: SCP02 i=55 75, SCP03 with two key lengths, SHA-1 and SHA-256.
        let data =
            "67 23 A007 800102 81025575 A00B 800103 8103007010 820103 8103FFFE80 82031E0600 83020102".replace(' ', "");
        let length = bytes(&data).len() - 2;
        let data = format!("67{length:02X}{}", data.get(4..).unwrap());
        let read = CardCapability::parse(&bytes(&data)).unwrap();
        let told = |scp, options: &[u8], key_sizes| ProtocolCapability { scp, options: options.to_vec(), key_sizes };
        assert_eq!(read.protocols, [told(2, &[0x55, 0x75], None), told(3, &[0x00, 0x70, 0x10], Some(3))]);
        assert_eq!(read.domain_privileges, [0xFF, 0xFE, 0x80]);
        assert_eq!(read.hashes, [1, 2]);
        assert_eq!(CardCapability::parse(&bytes("6600")), Err(DiscoverError::Template(Tag::of(0x67))));
        assert!(matches!(CardCapability::parse(&bytes("6705A0")), Err(DiscoverError::Tlv(_))));
    }

    #[test]
    fn free_memory_comes_in_any_width_and_without_its_template() {
        let read = |text: &str| CardResources::parse(&bytes(text)).unwrap();
        let told = |applications, non_volatile, volatile| CardResources { applications, non_volatile, volatile };
        assert_eq!(read("FF210F 810105 82040000FFFF 8304000009CF"), told(Some(5), Some(65_535), Some(2_511)));
        assert_eq!(read("81020105 8202FFFF 830101"), told(Some(0x105), Some(65_535), Some(1)));
        assert_eq!(read("FF2102 8100"), told(None, None, None));
        assert_eq!(read("FF210B 8209010000000000000000"), told(None, None, None));
        assert_eq!(CardResources::parse(&[]), Err(DiscoverError::Template(Tag::of(0xFF21))));
    }

    #[test]
    fn objects_come_with_and_without_their_tag() {
        assert_eq!(object_value(0x42, &bytes("4203476173")), bytes("476173"));
        assert_eq!(object_value(0x42, &bytes("476173")), bytes("476173"));
        assert_eq!(object_value(0xCF, &bytes("CF02ABCD00")), bytes("CF02ABCD00"), "something follows: as it is");
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(head in 0usize..4, tail in prop::collection::vec(any::<u8>(), 0..60)) {
            let heads = ["", "6720A007", "FF2110", "670B"];
            let data = [bytes(heads.into_iter().nth(head).unwrap_or_default()), tail].concat();
            let _ = (CardCapability::parse(&data), CardResources::parse(&data), object_value(0x42, &data));
        }
    }
}
