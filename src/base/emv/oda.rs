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
        let broken = |source| OdaError::Tlv { sfi, record: number, source };
        let objects = tlv::parse(&bytes).map_err(broken)?;
        let value = match objects.as_slice() {
            // EMV B3 §10.3: files 1 to 10 without tag and length of the template, else as it stands on the card
            [only] if sfi <= 10 && only.tag == RECORD => {
                let start = bytes.iter().take_while(|&&byte| byte == 0).count();
                tlv::split_object(bytes.get(start..).unwrap_or_default()).map_err(broken)?.1
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const AIP_VALUE: [u8; 2] = [0x5C, 0x00];

    fn of(afl: [u8; 4], record: &str, tag_list: &[u8]) -> Result<String, OdaError> {
        let record = hex::decode(record).unwrap();
        let afl = Afl::parse(&afl).unwrap();
        static_data(&afl, |_, _| (!record.is_empty()).then(|| record.clone()), tag_list, AIP_VALUE)
            .map(hex::encode_upper)
    }

    #[test]
    fn files_up_to_10_go_without_their_template_and_others_whole() {
        let record = "70055F28020840";
        assert_eq!(of([10 << 3, 1, 1, 1], record, &[]).unwrap(), "5F28020840");
        assert_eq!(of([11 << 3, 1, 1, 1], record, &[]).unwrap(), record);
        assert_eq!(of([10 << 3, 1, 1, 0], record, &[0x82]).unwrap(), "5C00");
        // Bytes within the template stay as the card has written them.
        assert_eq!(of([8, 1, 1, 1], "00708106005F280208400000", &[]).unwrap(), "005F28020840");
    }

    #[test]
    fn what_makes_authentication_fail_is_refused() {
        assert_eq!(of([8, 1, 1, 1], "", &[]), Err(OdaError::Missing { sfi: 1, record: 1 }));
        assert_eq!(of([8, 1, 1, 1], "5F28020840", &[]), Err(OdaError::Template { sfi: 1, record: 1 }));
        assert!(matches!(of([8, 1, 1, 1], "70055F2802", &[]), Err(OdaError::Tlv { .. })));
        assert_eq!(of([8, 1, 1, 1], "70055F28020840", &[0x82, 0x95]), Err(OdaError::TagList));
    }
}
