//! An answer to reset, to be looked at.

use schemars::JsonSchema;
use serde::Serialize;

use super::atr::{Atr, Check};

/// An answer to reset in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AtrView {
    /// All of it, hexadecimal.
    pub bytes: String,
    /// In one line.
    pub summary: String,
    /// What is wrong with it; the parts below are empty then.
    pub error: Option<String>,
    /// Made by a reader for a contactless card.
    pub contactless: bool,
    /// A contactless card that takes no APDUs.
    pub storage_card: bool,
    /// Protocols that the card offers: `T=0`, `T=1`.
    pub protocols: Vec<String>,
    /// The one protocol that the card works with, where it does not negotiate (TA2).
    pub specific_mode: Option<String>,
    /// What TA1 offers; none for a contactless card, or where it is reserved.
    pub speed: Option<SpeedView>,
    /// T=1: the longest information field that the card takes.
    pub ifsc: Option<u8>,
    /// Whether the card says that it takes extended lengths; none where it does not say.
    pub extended: Option<bool>,
    /// Historical bytes, hexadecimal.
    pub historical: String,
    /// Data objects within the historical bytes: tag and value, hexadecimal.
    pub objects: Vec<[String; 2]>,
    /// Bytes behind its end, hexadecimal, which are no part of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub surplus: String,
    /// The check byte: `right`, `wrong`, or `absent` where T=0 alone is offered.
    pub check: &'static str,
}

/// The speed that TA1 offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpeedView {
    /// TA1, hexadecimal; 11 where the ATR has none.
    pub ta1: String,
    /// Clock rate conversion integer F.
    pub f: u32,
    /// Baud rate adjustment integer D.
    pub d: u32,
    /// Highest frequency of the clock, kHz.
    pub khz: u32,
    /// Bits per second at that frequency.
    pub bits_per_second: u32,
}

impl AtrView {
    /// Of these bytes, whatever they are.
    pub fn of(bytes: &[u8]) -> Self {
        match Atr::parse(bytes) {
            Ok(atr) => Self::read(&atr),
            Err(error) => Self {
                bytes: hex::encode_upper(bytes),
                summary: error.to_string(),
                error: Some(error.to_string()),
                contactless: false,
                storage_card: false,
                protocols: Vec::new(),
                specific_mode: None,
                speed: None,
                ifsc: None,
                extended: None,
                historical: String::new(),
                objects: Vec::new(),
                surplus: String::new(),
                check: "absent",
            },
        }
    }

    fn read(atr: &Atr) -> Self {
        let protocol = |number: u8| format!("T={number}");
        let speed = atr.speed().filter(|_| !atr.is_contactless()).map(|speed| SpeedView {
            ta1: format!("{:02X}", speed.ta1),
            f: speed.fi,
            d: speed.di,
            khz: speed.khz,
            bits_per_second: speed.bits_per_second(speed.khz),
        });
        Self {
            bytes: hex::encode_upper(atr.bytes()),
            summary: atr.to_string(),
            error: None,
            contactless: atr.is_contactless(),
            storage_card: atr.is_storage_card(),
            protocols: atr.protocols().into_iter().map(protocol).collect(),
            specific_mode: atr.specific_mode().map(protocol),
            speed,
            ifsc: atr.ifsc(),
            extended: atr.takes_extended(),
            historical: hex::encode_upper(atr.historical()),
            objects: atr
                .objects()
                .into_iter()
                .map(|(tag, value)| [format!("{tag:X}"), hex::encode_upper(value)])
                .collect(),
            surplus: hex::encode_upper(atr.surplus()),
            check: match atr.check() {
                Check::Absent => "absent",
                Check::Right => "right",
                Check::Wrong => "wrong",
            },
        }
    }
}
