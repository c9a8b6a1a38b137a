//! BER-TLV as EMV and GlobalPlatform use it (EMV Book 3, Annex B; ISO/IEC 7816-4), strictly.
//!
//! The package `iso7816-tlv` says which tags there are, and gives the tests a second opinion; it is named in this file
//! only. Objects are read and written here, because its version 0.4.4 makes a template one byte short where a value in it has 127 bytes, refuses lengths that are not in their
//! shortest form within templates although cards send them, drops errors when it reads several objects, and overflows
//! the stack on a few kilobytes of nested templates.
//!
//! Reading never panics: the nesting is bounded before a template is entered, and every length is held against the
//! bytes that are there.

use std::fmt;

use iso7816_tlv::ber;
use zeroize::Zeroizing;

use super::padding::padding;

/// Deepest nesting that is read. EMV needs five.
pub const MAX_DEPTH: usize = 16;

/// A BER tag of one to three bytes, which is as long as ISO/IEC 7816-4 makes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u32);

/// What is wrong with a piece of BER-TLV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    /// The data ends within a tag, a length or a value.
    #[error("the data ends within the object at offset {0}")]
    Truncated(usize),
    /// A tag that there cannot be: 00, or more than three bytes.
    #[error("there is no such tag at offset {0}")]
    Tag(usize),
    /// A length of more than four bytes, or the indefinite form.
    #[error("the length at offset {0} is not in definite form of at most four bytes")]
    Length(usize),
    /// Templates nested deeper than [`MAX_DEPTH`].
    #[error("templates are nested too deep at offset {0}")]
    Depth(usize),
}

impl Tag {
    /// The tag with these bytes, e.g. `Tag::of(0x9F36)`.
    pub const fn of(bytes: u32) -> Self {
        Self(bytes)
    }

    /// Bytes as one number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Whether the value is a sequence of objects (bit 6 of the first byte).
    pub fn is_constructed(self) -> bool {
        self.to_bytes().first().is_some_and(|byte| byte & 0x20 != 0)
    }

    /// The one to three bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let bytes = self.0.to_be_bytes();
        let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(3);
        bytes.iter().skip(start).copied().collect()
    }

    /// Reads a tag written as two, four or six hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = hex::decode(text).ok()?;
        let (tag, rest) = read_tag(&bytes, 0).ok()?;
        rest.is_empty().then_some(tag)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.to_bytes()))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One object.
#[derive(Clone, PartialEq, Eq)]
pub struct Tlv {
    /// Its tag.
    pub tag: Tag,
    /// Its value.
    pub value: Value,
}

/// The value of an object.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Bytes.
    Primitive(Zeroizing<Vec<u8>>),
    /// Objects within a template.
    Constructed(Vec<Tlv>),
    /// Objects within a template with padding between them, and the template's bytes as they are.
    Padded(Vec<Tlv>, Zeroizing<Vec<u8>>),
}

impl fmt::Debug for Tlv {
    /// Shape only: values may hold a PAN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Primitive(bytes) => write!(f, "{}[{}]", self.tag, bytes.len()),
            Value::Constructed(children) | Value::Padded(children, _) => write!(f, "{}{children:?}", self.tag),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Primitive(bytes) => write!(f, "[{}]", bytes.len()),
            Value::Constructed(children) | Value::Padded(children, _) => write!(f, "{children:?}"),
        }
    }
}

impl Tlv {
    /// A primitive object.
    pub fn primitive(tag: Tag, value: impl Into<Vec<u8>>) -> Self {
        Self { tag, value: Value::Primitive(Zeroizing::new(value.into())) }
    }

    /// A template.
    pub fn template(tag: Tag, children: Vec<Tlv>) -> Self {
        Self { tag, value: Value::Constructed(children) }
    }

    /// The value's bytes: of a template, the encoding of what it holds, with the padding that was read.
    pub fn value_bytes(&self) -> Vec<u8> {
        match &self.value {
            Value::Primitive(bytes) => bytes.to_vec(),
            Value::Constructed(children) => encode_all(children),
            Value::Padded(_, bytes) => bytes.to_vec(),
        }
    }

    /// The objects of a template; nothing for a primitive object.
    pub fn children(&self) -> &[Tlv] {
        match &self.value {
            Value::Primitive(_) => &[],
            Value::Constructed(children) | Value::Padded(children, _) => children,
        }
    }

    /// Tag, length in its shortest form, value.
    pub fn encode(&self) -> Vec<u8> {
        encode(self.tag, &self.value_bytes())
    }
}

/// One object in bytes; the length in its shortest form.
pub fn encode(tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut out = tag.to_bytes();
    let length = value.len();
    match length {
        0..=0x7F => out.push(length as u8),
        _ => {
            let bytes = length.to_be_bytes();
            let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(7);
            out.push(0x80 | (bytes.len() - start) as u8);
            out.extend(bytes.iter().skip(start));
        }
    }
    out.extend_from_slice(value);
    out
}

/// Objects in bytes, one after the other.
pub fn encode_all(objects: &[Tlv]) -> Vec<u8> {
    objects.iter().flat_map(Tlv::encode).collect()
}

/// Reads objects to the end of `data`. Padding before, between and after objects is skipped: bytes 00 (EMV Book 3, Annex
/// B1), and bytes FF that begin no tag (ISO/IEC 7816-4 §6.3).
///
/// # Errors
/// The first thing that is wrong, with its offset.
pub fn parse(data: &[u8]) -> Result<Vec<Tlv>, TlvError> {
    parse_at(data, 0, MAX_DEPTH)
}

/// Reads exactly one object that fills `data`.
///
/// # Errors
/// As [`parse`]; [`TlvError::Truncated`] at 0 where there is not exactly one.
pub fn parse_one(data: &[u8]) -> Result<Tlv, TlvError> {
    let mut objects = parse(data)?;
    match (objects.pop(), objects.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(TlvError::Truncated(0)),
    }
}

/// The first object with this tag, at any depth, in order of appearance.
pub fn find(objects: &[Tlv], tag: Tag) -> Option<&Tlv> {
    objects.iter().find_map(|object| if object.tag == tag { Some(object) } else { find(object.children(), tag) })
}

/// The tag at the start of `data`, and what follows it.
///
/// # Errors
/// The data ends within the tag, or there is no such tag.
pub fn split_tag(data: &[u8]) -> Result<(Tag, &[u8]), TlvError> {
    read_tag(data, 0)
}

/// Tag and value of the object at the start of `data`, byte for byte as they stand there, and what follows it.
///
/// # Errors
/// The data ends within the object, or there is no such tag or length.
pub fn split_object(data: &[u8]) -> Result<(Tag, &[u8], &[u8]), TlvError> {
    read_object(data, 0)
}

fn parse_at(data: &[u8], base: usize, depth: usize) -> Result<Vec<Tlv>, TlvError> {
    let mut rest = data;
    let mut objects = Vec::new();
    loop {
        rest = rest.get(padding(rest)..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(objects);
        }
        let at = base + data.len() - rest.len();
        let (tag, value, after) = read_object(rest, at)?;
        let value = if tag.is_constructed() {
            let inner = depth.checked_sub(1).ok_or(TlvError::Depth(at))?;
            let children = parse_at(value, base + data.len() - after.len() - value.len(), inner)?;
            match children_are_all(value) {
                true => Value::Constructed(children),
                false => Value::Padded(children, Zeroizing::new(value.to_vec())),
            }
        } else {
            Value::Primitive(Zeroizing::new(value.to_vec()))
        };
        objects.push(Tlv { tag, value });
        rest = after;
    }
}

/// Whether objects stand in a value without padding around the outermost ones.
fn children_are_all(value: &[u8]) -> bool {
    let mut rest = value;
    while !rest.is_empty() {
        match (padding(rest), read_object(rest, 0)) {
            (0, Ok((_, _, after))) => rest = after,
            _ => return false,
        }
    }
    true
}

fn read_object(data: &[u8], at: usize) -> Result<(Tag, &[u8], &[u8]), TlvError> {
    let (tag, after) = read_tag(data, at)?;
    let (length, after) = read_length(after, at)?;
    let (value, after) = after.split_at_checked(length).ok_or(TlvError::Truncated(at))?;
    Ok((tag, value, after))
}

fn read_tag(data: &[u8], at: usize) -> Result<(Tag, &[u8]), TlvError> {
    let (&first, mut rest) = data.split_first().ok_or(TlvError::Truncated(at))?;
    let mut number = u32::from(first);
    // ISO/IEC 7816-4 §5.2.2.1: the number goes on while bit 8 is set.
    let mut more = first & 0x1F == 0x1F;
    while more {
        let (&next, tail) = rest.split_first().ok_or(TlvError::Truncated(at))?;
        if number > 0xFFFF {
            return Err(TlvError::Tag(at));
        }
        number = number << 8 | u32::from(next);
        more = next & 0x80 != 0;
        rest = tail;
    }
    match ber::Tag::try_from(number) {
        Ok(_) => Ok((Tag(number), rest)),
        Err(_) => Err(TlvError::Tag(at)),
    }
}

fn read_length(data: &[u8], at: usize) -> Result<(usize, &[u8]), TlvError> {
    let (&first, rest) = data.split_first().ok_or(TlvError::Truncated(at))?;
    match first {
        0..=0x7F => Ok((usize::from(first), rest)),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F)).ok_or(TlvError::Truncated(at))?;
            Ok((bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest))
        }
        _ => Err(TlvError::Length(at)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_around_the_edges_survive_a_round_trip() {
        for length in [0usize, 1, 126, 127, 128, 129, 255, 256, 65_535, 65_536] {
            let inner = Tlv::primitive(Tag::of(0x9F10), vec![0xA5; length]);
            let outer = Tlv::template(Tag::of(0x70), vec![inner.clone(), inner]);
            assert_eq!(parse_one(&outer.encode()).unwrap(), outer);
        }
    }

    #[test]
    fn a_length_takes_two_bytes_from_128_on() {
        for (length, header) in [(126, "107E"), (127, "107F"), (128, "108180"), (129, "108181"), (256, "10820100")] {
            let bytes = encode(Tag::of(0x10), &vec![0; length]);
            assert_eq!(hex::encode_upper(&bytes[..bytes.len() - length]), header);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| (0..depth).fold(vec![], |inner, _| encode(Tag::of(0x30), &inner));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert!(matches!(parse(&nested(MAX_DEPTH + 1)), Err(TlvError::Depth(_))));
        assert!(matches!(parse(&nested(2_000)), Err(TlvError::Depth(_))));
        assert!(parse(&[0x30, 0x7F].repeat(2_048)).is_err());
    }

    #[test]
    fn padding_is_skipped_around_objects_and_not_within() {
        let objects = parse(&hex::decode("0000700700005A02000100009F360000").unwrap()).unwrap();
        assert_eq!(format!("{objects:?}"), "[70[5A[2]], 9F36[0]]");
        // The value of a primitive object keeps its zeros.
        assert_eq!(find(&objects, Tag::of(0x5A)).unwrap().value_bytes(), [0x00, 0x01]);
        assert_eq!(parse(&[0; 8]).unwrap(), []);
    }

    /// ISO/IEC 7816-4 §6.3: 00 and FF before, between and after objects mean nothing.
    #[test]
    fn padding_of_ff_is_skipped_and_tags_that_begin_with_ff_are_read() {
        let shape = |text: &str| format!("{:?}", parse(&hex::decode(text).unwrap()).unwrap());
        assert_eq!(shape("FFFF5A020001FF9F360200010000FFFF"), "[5A[2], 9F36[2]]");
        assert_eq!(shape("700DFF5A020001FFFF9F36020001FF"), "[70[5A[2], 9F36[2]]]");
        assert_eq!(shape("FFFFFFFF"), "[]");
        assert_eq!(shape("5A02FFFF"), "[5A[2]]");
        assert_eq!(shape("FF2103810101"), "[FF21[81[1]]]");
        assert_eq!(shape("FFFF2103810101"), "[FF21[81[1]]]");
        assert_eq!(shape("FF810503810101"), "[FF8105[81[1]]]");
    }

    #[test]
    fn a_template_with_padding_inside_keeps_its_length_and_bytes() {
        for text in ["70095A02000100FF9F3600", "7007005A02000100FF", "7709FFFF5A0200019F3600"] {
            let bytes = hex::decode(text).unwrap();
            let object = parse_one(&bytes).unwrap();
            assert_eq!(object.value_bytes(), bytes[2..], "{text}");
            assert_eq!(object.encode(), bytes, "{text}");
            assert_eq!(object.children()[0].value_bytes(), [0x00, 0x01]);
        }
        // Padding deeper inside is kept, too.
        let bytes = hex::decode("6F0DA50B5000FF9F110101BF0C0000").unwrap();
        let object = parse_one(&bytes).unwrap();
        assert_eq!(object.encode(), bytes);
        // The same data with other padding are other bytes.
        assert_ne!(parse(&hex::decode("70045A010000").unwrap()), parse(&hex::decode("70035A0100").unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = |text: &str| parse(&hex::decode(text).unwrap()).unwrap_err();
        assert_eq!(error("8201"), TlvError::Truncated(0));
        assert_eq!(error("8201009F"), TlvError::Truncated(3));
        assert_eq!(error("7003820201"), TlvError::Truncated(2));
        assert_eq!(error("9F8181810100"), TlvError::Tag(0));
        assert_eq!(error("8280"), TlvError::Length(0));
        assert_eq!(error("82850000000001"), TlvError::Length(0));
        assert_eq!(error("8284FFFFFFFF00"), TlvError::Truncated(0));
        assert_eq!(Tag::from_hex("00"), None);
        assert_eq!(Tag::from_hex("9F"), None);
        assert_eq!(Tag::from_hex("5F2D00"), None);
        assert_eq!(Tag::from_hex("DFDF39"), Some(Tag::of(0xDF_DF39)));
    }

    /// Primitive and constructed tags of one to three bytes.
    fn tag(constructed: bool) -> impl Strategy<Value = Tag> {
        let bit = if constructed { 0x20 } else { 0 };
        let class = prop_oneof![Just(0x40u32), Just(0x80), Just(0xC0)];
        let one = (class.clone(), 0u32..0x1F).prop_map(move |(class, number)| class | bit | number);
        let two = (class.clone(), 0u32..0x80).prop_map(move |(class, next)| (class | bit | 0x1F) << 8 | next);
        let three = (class, 0x80u32..0x100, 0u32..0x80)
            .prop_map(move |(class, second, third)| (class | bit | 0x1F) << 16 | second << 8 | third);
        // FF before a byte that begins a tag by itself is padding.
        let is_read = |tag: &u32| match tag.to_be_bytes() {
            [0, 0, 0xFF, next] | [0, 0xFF, next, _] => super::super::padding::begins_private_tag(next),
            _ => true,
        };
        prop_oneof![4 => one, 4 => two, 1 => three].prop_filter("no tag", is_read).prop_map(Tag::of)
    }

    fn object(longest: usize) -> impl Strategy<Value = Tlv> {
        let value = prop::collection::vec(any::<u8>(), 0..=longest);
        let primitive = (tag(false), value).prop_map(|(tag, value)| Tlv::primitive(tag, value));
        primitive.prop_recursive(4, 24, 5, |inner| {
            (tag(true), prop::collection::vec(inner, 0..5)).prop_map(|(tag, inner)| Tlv::template(tag, inner))
        })
    }

    /// What the other reader has read, as our type.
    fn theirs(object: &ber::Tlv) -> Tlv {
        let tag = Tag::of(object.tag().to_bytes().iter().fold(0, |tag, &byte| tag << 8 | u32::from(byte)));
        match object.value() {
            ber::Value::Primitive(bytes) => Tlv::primitive(tag, bytes.clone()),
            ber::Value::Constructed(inner) => Tlv::template(tag, inner.iter().map(theirs).collect()),
        }
    }

    proptest! {
        #[test]
        fn objects_survive_a_round_trip(objects in prop::collection::vec(object(300), 0..4), zeros in 0usize..3) {
            let bytes: Vec<u8> = objects.iter().flat_map(|object| [object.encode(), vec![0; zeros]].concat()).collect();
            prop_assert_eq!(parse(&bytes), Ok(objects));
        }

        #[test]
        fn an_object_cut_short_is_refused(object in object(150), at in any::<prop::sample::Index>()) {
            let bytes = object.encode();
            let at = 1 + at.index(bytes.len() - 1);
            // The first byte of a tag that begins with FF is padding by itself.
            prop_assume!(padding(&bytes[..at]) < at);
            prop_assert!(parse(&bytes[..at]).is_err());
        }

        #[test]
        fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(objects) = parse(&bytes) {
                prop_assert_eq!(parse(&encode_all(&objects)), Ok(objects));
            }
        }

        /// Up to 100 bytes in all, where the other reader's faults with lengths do not show.
        #[test]
        fn another_reader_agrees(object in object(20)) {
            let bytes = object.encode();
            prop_assume!(bytes.len() <= 100);
            prop_assert_eq!(theirs(&ber::Tlv::from_bytes(&bytes).unwrap()), object);
        }
    }
}
