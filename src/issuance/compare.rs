//! Comparing what was read with what was loaded, object by object, without showing what must not be seen.

use crate::base::codec::tlv::{self, Tag, Tlv, Value};
use crate::base::emv;

/// One object that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The object's tag.
    pub tag: Tag,
    /// What differs, masked.
    pub what: String,
}

/// Compares two encodings. `within` is the tag that is named where one of them is not well-formed BER-TLV.
///
/// Empty exactly when the bytes are equal.
pub fn differences(loaded: &[u8], read: &[u8], within: Tag) -> Vec<Difference> {
    if loaded == read {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let (Ok(loaded), Ok(read)) = (tlv::parse(loaded), tlv::parse(read)) {
        compare(&loaded, &read, &mut found);
    }
    if found.is_empty() {
        // Not well formed any more, or the same objects written in another way.
        found.push(Difference { tag: within, what: bytes(within, loaded, read) });
    }
    found
}

/// Says how two values differ; values are shown only where the dictionary says that they may be.
pub fn bytes(tag: Tag, loaded: &[u8], read: &[u8]) -> String {
    let public = emv::tag_info(tag).is_some_and(|info| !info.sensitive);
    if public && !tag.is_constructed() && loaded.len() <= 32 && read.len() <= 32 {
        return format!("loaded {}, read {}", hex::encode_upper(loaded), hex::encode_upper(read));
    }
    if loaded.len() != read.len() {
        return format!("loaded {} bytes, read {}", loaded.len(), read.len());
    }
    match loaded.iter().zip(read).position(|(loaded, read)| loaded != read) {
        Some(at) => format!("differs from byte {} of {}", at + 1, loaded.len()),
        None => "is written in another way".to_owned(),
    }
}

fn compare(loaded: &[Tlv], read: &[Tlv], found: &mut Vec<Difference>) {
    for (index, object) in loaded.iter().enumerate() {
        let tag = object.tag;
        // The n-th object of a tag is compared with the n-th: directories hold several entries 61.
        let nth = loaded.iter().take(index).filter(|earlier| earlier.tag == tag).count();
        match read.iter().filter(|other| other.tag == tag).nth(nth).map(|other| (&object.value, &other.value)) {
            None => found.push(Difference { tag, what: "is missing".to_owned() }),
            Some((Value::Constructed(loaded), Value::Constructed(read))) => compare(loaded, read, found),
            Some((loaded, read)) if loaded == read => {}
            Some((Value::Primitive(loaded), Value::Primitive(read))) => {
                found.push(Difference { tag, what: bytes(tag, loaded, read) });
            }
            Some(_) => found.push(Difference { tag, what: "has another form".to_owned() }),
        }
    }
    for (index, object) in read.iter().enumerate() {
        let tag = object.tag;
        let nth = read.iter().take(index).filter(|earlier| earlier.tag == tag).count();
        if loaded.iter().filter(|other| other.tag == tag).nth(nth).is_none() {
            found.push(Difference { tag, what: "was read but not loaded".to_owned() });
        }
    }
}

/// Why a record whose objects the contactless answer to GET PROCESSING OPTIONS carries is not proven by reading.
pub const ANSWER_NOT_SEEN: &str =
    "the contactless answer to GET PROCESSING OPTIONS, which carries its objects, was not seen";

/// Why a grouping that the profile reads back over the other interface is not compared.
pub fn elsewhere(interface: &str, reached: bool) -> String {
    match reached {
        true => format!("it shows over the {interface} interface only"),
        false => format!("it is read back over the {interface} interface, over which nothing selects the application"),
    }
}

/// AIP and AFL of grouping 9104, written as TLVs or as AIP, then AFL.
pub fn processing_data(value: &[u8]) -> Option<([u8; 2], Vec<u8>)> {
    if let Ok(objects) = tlv::parse(value)
        && let (Some(aip), Some(afl)) = (tlv::find(&objects, Tag::of(0x82)), tlv::find(&objects, Tag::of(0x94)))
    {
        return Some((aip.value_bytes().try_into().ok()?, afl.value_bytes()));
    }
    value.split_first_chunk::<2>().map(|(aip, afl)| (*aip, afl.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "70105A0841234567890123455F2403301231";

    fn differ(loaded: &str, read: &str) -> Vec<String> {
        let bytes = |text| hex::decode(text).unwrap_or_default();
        differences(&bytes(loaded), &bytes(read), Tag::of(0x70))
            .iter()
            .map(|it| format!("{} {}", it.tag, it.what))
            .collect()
    }

    #[test]
    fn equal_is_equal() {
        assert!(differ(RECORD, RECORD).is_empty());
    }

    #[test]
    fn a_changed_value_is_named_by_its_tag() {
        assert_eq!(differ(RECORD, "70105A0841234567890123455F2403301232"), ["5F24 loaded 301231, read 301232"]);
    }

    #[test]
    fn a_pan_is_never_shown() {
        assert_eq!(differ(RECORD, "70105A0841234567890123465F2403301231"), ["5A differs from byte 8 of 8"]);
    }

    #[test]
    fn another_tag_shows_as_missing_and_surplus() {
        assert_eq!(
            differ(RECORD, "70105B0841234567890123455F2403301231"),
            ["5A is missing", "5B was read but not loaded"]
        );
    }

    #[test]
    fn what_is_no_longer_well_formed_is_named_by_its_template() {
        assert_eq!(differ(RECORD, "70115A0841234567890123455F2403301231"), ["70 differs from byte 2 of 18"]);
    }

    #[test]
    fn the_same_objects_in_another_order_are_not_equal() {
        assert_eq!(differ("9F360100820100", "8201009F360100").len(), 1);
    }
}
