//! Data object lists: tags and lengths, without values. // EMV B3 §5.4

use super::dictionary::{Format, tag_info};
use crate::base::codec::tlv::{self, Tag, TlvError};

/// A data object list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dol(Vec<(Tag, u8)>);

/// What is wrong with a data object list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DolError {
    /// A tag that is none.
    #[error("the list is broken: {0}")]
    Tag(#[from] TlvError),
    /// A tag without a length.
    #[error("the last tag has no length")]
    Length,
}

impl Dol {
    /// Reads a list.
    ///
    /// # Errors
    /// It ends within a tag or before a length.
    pub fn parse(data: &[u8]) -> Result<Self, DolError> {
        let mut items = Vec::new();
        let mut rest = data;
        while !rest.is_empty() {
            let (tag, after) = tlv::split_tag(rest)?;
            let (&length, after) = after.split_first().ok_or(DolError::Length)?;
            items.push((tag, length));
            rest = after;
        }
        Ok(Self(items))
    }

    /// Tags and lengths in order.
    pub fn items(&self) -> &[(Tag, u8)] {
        &self.0
    }

    /// Length of the data that the list asks for.
    pub fn total(&self) -> usize {
        self.0.iter().map(|(_, length)| usize::from(*length)).sum()
    }

    /// The data that the list asks for. Values that are not known are zero; others are cut or filled as their format
    /// asks.
    pub fn build(&self, value: impl Fn(Tag) -> Option<Vec<u8>>) -> Vec<u8> {
        let fitted = |&(tag, length): &(Tag, u8)| match value(tag) {
            Some(value) => fit(tag, &value, usize::from(length)),
            None => vec![0; usize::from(length)],
        };
        self.0.iter().flat_map(fitted).collect()
    }
}

/// Numeric values keep their right end, others their left; compressed numeric is filled with F, others with zero.
fn fit(tag: Tag, value: &[u8], length: usize) -> Vec<u8> {
    let format = tag_info(tag).map(|info| info.format);
    if format == Some(Format::N) {
        let kept = value.get(value.len().saturating_sub(length)..).unwrap_or_default();
        return [vec![0; length - kept.len()], kept.to_vec()].concat();
    }
    let filler = if format == Some(Format::Cn) { 0xFF } else { 0x00 };
    let mut out = value.to_vec();
    out.resize(length, filler);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_cut_short_is_refused() {
        assert_eq!(Dol::parse(&[0x9F]), Err(DolError::Tag(TlvError::Truncated(0))));
        assert_eq!(Dol::parse(&[0x9F, 0x02]), Err(DolError::Length));
        assert_eq!(Dol::parse(&[]).unwrap().total(), 0);
    }

    #[test]
    fn values_are_cut_and_filled_as_their_format_asks() {
        let built = |dol: &str, value: &str| {
            let value = hex::decode(value).unwrap();
            hex::encode_upper(Dol::parse(&hex::decode(dol).unwrap()).unwrap().build(|_| Some(value.clone())))
        };
        // Numeric keeps its right end, compressed numeric and bytes their left.
        assert_eq!(built("9F0204", "000000001234"), "00001234");
        assert_eq!(built("9F0208", "000000001234"), "0000000000001234");
        assert_eq!(built("5A04", "476173900101"), "47617390");
        assert_eq!(built("5A08", "476173900101"), "476173900101FFFF");
        assert_eq!(built("9503", "0102030405"), "010203");
        assert_eq!(built("9507", "0102030405"), "01020304050000");
        // What the dictionary does not know is taken as bytes.
        assert_eq!(built("DF0103", "0102"), "010200");
    }

    proptest! {
        #[test]
        fn what_is_built_has_the_length_asked_for(
            bytes in prop::collection::vec(any::<u8>(), 0..64), value in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            if let Ok(dol) = Dol::parse(&bytes) {
                prop_assert_eq!(dol.build(|_| None), vec![0; dol.total()]);
                prop_assert_eq!(dol.build(|_| Some(value.clone())).len(), dol.total());
            }
        }
    }
}
