//! What the static part of offline data authentication signs. // EMV B3 §10.3

use super::Afl;
use crate::base::codec::tlv::{self, Tag, TlvError};

const RECORD: Tag = Tag::of(0x70);
/// The only tag that a static data authentication tag list may name: the AIP.
const AIP: &[u8] = &[0x82];

/// Why there are no static data to be authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OdaError {
    /// A record that the AFL names is not there.
    #[error("record {record} of file {sfi} is not there")]
    Missing {
        /// Short file identifier.
        sfi: u8,
        /// Record number.
        record: u8,
    },
    /// A record of the files 1 to 10 is not one template 70.
    #[error("record {record} of file {sfi} is not one template 70")]
    Template {
        /// Short file identifier.
        sfi: u8,
        /// Record number.
        record: u8,
    },
    /// A record that is broken BER-TLV.
    #[error("record {record} of file {sfi}: {source}")]
    Tlv {
        /// Short file identifier.
        sfi: u8,
        /// Record number.
        record: u8,
        /// What is wrong with it.
        source: TlvError,
    },
    /// The tag list names something else than the AIP.
    #[error("the static data authentication tag list names something else than the AIP")]
    TagList,
}

/// The static data to be authenticated: the records that the AFL marks, in its order, then the AIP where the tag list
/// (tag 9F4A; empty where the card has none) names it. `record` gives a record as READ RECORD answers it.
///
/// # Errors
/// A record is missing or is not a template 70, or the tag list names another object than the AIP: offline data
/// authentication then fails.
pub fn static_data(
    afl: &Afl,
    record: impl Fn(u8, u8) -> Option<Vec<u8>>,
    tag_list: &[u8],
    aip: [u8; 2],
) -> Result<Vec<u8>, OdaError> {
    let mut out = Vec::new();
    for (sfi, number) in afl.oda_records() {
        let bytes = record(sfi, number).ok_or(OdaError::Missing { sfi, record: number })?;
        let objects = tlv::parse(&bytes).map_err(|source| OdaError::Tlv { sfi, record: number, source })?;
        let value = match objects.as_slice() {
            // EMV B3 §10.3: files 1 to 10 without tag and length of the template, as it stands on the card
            [only] if sfi <= 10 && only.tag == RECORD => {
                let header = bytes.len() - only.value_bytes().len();
                bytes.get(header..).unwrap_or_default()
            }
            _ if sfi <= 10 => return Err(OdaError::Template { sfi, record: number }),
            // files 11 to 30 whole
            _ => &bytes,
        };
        out.extend_from_slice(value);
    }
    match tag_list {
        [] => {}
        AIP => out.extend(aip),
        _ => return Err(OdaError::TagList),
    }
    Ok(out)
}
