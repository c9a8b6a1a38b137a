//! BER-TLV as EMV uses it (EMV Book 3, Annex B), strictly.
//!
//! `iso7816-tlv` is used for tags only, and only here: its readers lose errors and overflow the stack on deep nesting.

use std::fmt;

/// Deepest nesting that is read. EMV needs five.
pub const MAX_DEPTH: usize = 16;

/// A BER tag of one to four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u32);

/// What is wrong with a piece of BER-TLV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    /// The data ends within a tag, a length or a value.
    #[error("the data ends within the object at offset {0}")]
    Truncated(usize),
    /// A tag that BER does not allow, or of more than four bytes.
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

    /// The one to four bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let bytes = self.0.to_be_bytes();
        let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(3);
        bytes.iter().skip(start).copied().collect()
    }

    /// Reads a tag written as two to eight hexadecimal digits.
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
    Primitive(Vec<u8>),
    /// Objects within a template.
    Constructed(Vec<Tlv>),
}

impl fmt::Debug for Tlv {
    /// Shape only: values may hold a PAN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Primitive(bytes) => write!(f, "{}[{}]", self.tag, bytes.len()),
            Value::Constructed(children) => write!(f, "{}{children:?}", self.tag),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Primitive(bytes) => write!(f, "[{}]", bytes.len()),
            Value::Constructed(children) => write!(f, "{children:?}"),
        }
    }
}

impl Tlv {
    /// A primitive object.
    pub fn primitive(tag: Tag, value: impl Into<Vec<u8>>) -> Self {
        Self { tag, value: Value::Primitive(value.into()) }
    }

    /// A template.
    pub fn template(tag: Tag, children: Vec<Tlv>) -> Self {
        Self { tag, value: Value::Constructed(children) }
    }

    /// The value's bytes: of a template, the encoding of what it holds.
    pub fn value_bytes(&self) -> Vec<u8> {
        match &self.value {
            Value::Primitive(bytes) => bytes.clone(),
            Value::Constructed(children) => encode_all(children),
        }
    }

    /// The objects of a template; nothing for a primitive object.
    pub fn children(&self) -> &[Tlv] {
        match &self.value {
            Value::Primitive(_) => &[],
            Value::Constructed(children) => children,
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

/// Reads objects to the end of `data`. Bytes 00 before, between and after objects are skipped (EMV Book 3, Annex B1).
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
/// The data ends within the tag, or the tag has more than four bytes.
pub fn split_tag(data: &[u8]) -> Result<(Tag, &[u8]), TlvError> {
    read_tag(data, 0)
}

fn parse_at(data: &[u8], base: usize, depth: usize) -> Result<Vec<Tlv>, TlvError> {
    let mut rest = data;
    let mut objects = Vec::new();
    loop {
        while let [0, tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(objects);
        }
        let at = base + data.len() - rest.len();
        let (tag, after_tag) = read_tag(rest, at)?;
        let (length, after_length) = read_length(after_tag, at)?;
        let (value, after) = after_length.split_at_checked(length).ok_or(TlvError::Truncated(at))?;
        let value = if tag.is_constructed() {
            let inner = depth.checked_sub(1).ok_or(TlvError::Depth(at))?;
            Value::Constructed(parse_at(value, base + data.len() - after.len() - value.len(), inner)?)
        } else {
            Value::Primitive(value.to_vec())
        };
        objects.push(Tlv { tag, value });
        rest = after;
    }
}

fn read_tag(data: &[u8], at: usize) -> Result<(Tag, &[u8]), TlvError> {
    let (&first, mut rest) = data.split_first().ok_or(TlvError::Truncated(at))?;
    let mut number = u32::from(first);
    if first & 0x1F == 0x1F {
        loop {
            let (&next, tail) = rest.split_first().ok_or(TlvError::Truncated(at))?;
            if number > 0x00FF_FFFF {
                return Err(TlvError::Tag(at));
            }
            number = number << 8 | u32::from(next);
            rest = tail;
            if next & 0x80 == 0 {
                break;
            }
        }
    }
    Ok((Tag(number), rest))
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
#[allow(clippy::unwrap_used)]
mod tests {
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
    fn nesting_is_bounded() {
        let mut bytes = vec![];
        for _ in 0..2_000 {
            bytes = encode(Tag::of(0x30), &bytes);
        }
        assert!(matches!(parse(&bytes), Err(TlvError::Depth(_))));
        assert!(parse(&[0x30, 0x7F].repeat(2_048)).is_err());
    }
}
