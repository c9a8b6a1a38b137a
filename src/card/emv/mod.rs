//! The terminal's side of an EMV application. Reading only. // EMV B1 §11, B3 §6.5

pub mod oda;
mod select;
mod terminal;
pub mod transaction;
pub mod view;
mod walk;

pub use select::{Fci, FciData, select, select_next};
pub use terminal::Terminal;
pub use walk::{
    ApplicationContents, CANDIDATES, CardContents, DirectoryContents, RecordContents, Seen, Visit, WHOLE_AIDS, Wanted,
    read_and_visit, read_contents,
};

use crate::base::codec::tlv::{self, Tag};
use crate::card::apdu::{Command, Response};
use crate::card::plain::{Card, CardError, Misbehaviour};

/// What GET PROCESSING OPTIONS tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessingOptions {
    aip: [u8; 2],
    afl: Vec<u8>,
}

impl ProcessingOptions {
    /// Application interchange profile, tag 82.
    pub fn aip(&self) -> [u8; 2] {
        self.aip
    }

    /// Application file locator, tag 94.
    pub fn afl(&self) -> &[u8] {
        &self.afl
    }
}

/// GET PROCESSING OPTIONS with the values that the PDOL asks for; both formats of the answer. // EMV B3 §6.5.8
///
/// # Errors
/// The link broke, the card refuses, or its answer has no AIP.
pub fn get_processing_options(card: &mut Card, pdol_data: &[u8]) -> Result<ProcessingOptions, CardError> {
    let answer = initiate(card, pdol_data)?;
    processing_options(&answer).ok_or(CardError::Misbehaved(Misbehaviour::Malformed("GET PROCESSING OPTIONS")))
}

/// GET PROCESSING OPTIONS; the answer as the card gives it. // EMV B3 §6.5.8
fn initiate(card: &mut Card, pdol_data: &[u8]) -> Result<Vec<u8>, CardError> {
    let command = Command::new(0x80, 0xA8, 0x00, 0x00).with_data(tlv::encode(Tag::of(0x83), pdol_data)).with_le(256);
    Ok(accepted(card.transmit(&command)?, "GET PROCESSING OPTIONS", 0xA8)?.into_data())
}

fn processing_options(data: &[u8]) -> Option<ProcessingOptions> {
    let answer = tlv::parse_one(data).ok()?;
    if answer.tag == Tag::of(0x80) {
        let value = answer.value_bytes();
        let (aip, afl) = value.split_first_chunk::<2>()?;
        return Some(ProcessingOptions { aip: *aip, afl: afl.to_vec() });
    }
    let object = |tag| tlv::find(answer.children(), Tag::of(tag)).map(|found| found.value_bytes());
    (answer.tag == Tag::of(0x77)).then_some(())?;
    Some(ProcessingOptions { aip: object(0x82)?.try_into().ok()?, afl: object(0x94).unwrap_or_default() })
}

/// READ RECORD; the record as the card gives it. // EMV B3 §6.5.11
///
/// # Errors
/// The link broke, or the card refuses.
pub fn read_record(card: &mut Card, sfi: u8, record: u8) -> Result<Vec<u8>, CardError> {
    let command = Command::new(0x00, 0xB2, record, sfi << 3 | 0x04).with_le(256);
    Ok(accepted(card.transmit(&command)?, "READ RECORD", 0xB2)?.into_data())
}

/// GET DATA; tag, length and value, or nothing where the card does not hold the object. // EMV B3 §6.5.7
///
/// # Errors
/// The link broke, or the card refuses otherwise.
pub fn get_data(card: &mut Card, tag: u16) -> Result<Option<Vec<u8>>, CardError> {
    let [p1, p2] = tag.to_be_bytes();
    let answer = card.transmit(&Command::new(0x80, 0xCA, p1, p2).with_le(256))?;
    if answer.sw.0 == 0x6A88 {
        return Ok(None);
    }
    Ok(Some(accepted(answer, "GET DATA", 0xCA)?.into_data()))
}

/// Longest answer that is taken of a payment application; EMV's have 256 bytes at most. // EMV B1 §9.4.2
const LONGEST: usize = 2_048;

fn accepted(answer: Response, command: &'static str, ins: u8) -> Result<Response, CardError> {
    if answer.data.len() > LONGEST {
        return Err(Misbehaviour::TooLong(command).into());
    }
    if answer.sw.is_ok() { Ok(answer) } else { Err(CardError::Refused { command, ins, sw: answer.sw }) }
}
