//! What a terminal does in a transaction beyond reading: cryptograms, the issuer's answer, the cardholder's PIN.
//! // EMV B3 §6.5
//!
//! Each of these moves something on the card (cryptogram state, PIN try counter), so that nothing here is called but where
//! product and operator have agreed.

use zeroize::Zeroizing;

use super::accepted;
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::crypto::{RsaError, RsaPublic};
use crate::card::apdu::{Command, StatusWord};
use crate::card::plain::{Card, CardError, Misbehaviour};

const CID: Tag = Tag::of(0x9F27);
const ATC: Tag = Tag::of(0x9F36);
const CRYPTOGRAM: Tag = Tag::of(0x9F26);
const ISSUER_DATA: Tag = Tag::of(0x9F10);

/// A kind of application cryptogram. // EMV B3 §6.5.5
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// AAC: the transaction is declined.
    Declined,
    /// TC: it is approved.
    Approved,
    /// ARQC: the issuer shall decide.
    Online,
}

impl Kind {
    /// As the trade names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Declined => "AAC",
            Kind::Approved => "TC",
            Kind::Online => "ARQC",
        }
    }

    /// Of the cryptogram information data; nothing where the bits are reserved.
    pub fn of(information: u8) -> Option<Self> {
        match information & 0xC0 {
            0x00 => Some(Kind::Declined),
            0x40 => Some(Kind::Approved),
            0x80 => Some(Kind::Online),
            _ => None,
        }
    }

    fn parameter(self) -> u8 {
        match self {
            Kind::Declined => 0x00,
            Kind::Approved => 0x40,
            Kind::Online => 0x80,
        }
    }
}

/// What a card answers with a cryptogram.
#[derive(Clone, PartialEq, Eq)]
pub struct Generated {
    /// Cryptogram information data, tag 9F27.
    pub information: u8,
    /// Application transaction counter, tag 9F36.
    pub atc: [u8; 2],
    /// The cryptogram, tag 9F26; nothing where it travels within a signature alone.
    pub cryptogram: Option<[u8; 8]>,
    /// Issuer application data, tag 9F10.
    pub issuer_data: Vec<u8>,
    /// The answer as the card gave it: a combined signature covers its bytes.
    pub raw: Vec<u8>,
}

/// GENERATE AC with the data that a CDOL asks for; `combined` asks for the signature of CDA. // EMV B3 §6.5.5
///
/// # Errors
/// The link broke, the card refuses, or its answer lacks what a terminal needs.
pub fn generate_ac(card: &mut Card, kind: Kind, combined: bool, data: &[u8]) -> Result<Generated, CardError> {
    let p1 = kind.parameter() | if combined { 0x10 } else { 0 };
    let command = Command::new(0x80, 0xAE, p1, 0x00).with_data(data).with_le(256);
    let answer = accepted(card.transmit(&command)?, "GENERATE AC", 0xAE)?;
    generated(&answer.data).ok_or(CardError::Misbehaved(Misbehaviour::Malformed("GENERATE AC")))
}

/// The cryptogram within an answer, in either format: of GENERATE AC, or of a contactless card's GET PROCESSING OPTIONS.
pub fn generated(answer: &[u8]) -> Option<Generated> {
    let object = tlv::parse_one(answer).ok()?;
    if object.tag == Tag::of(0x80) {
        let value = object.value_bytes();
        let (&[information, high, low], rest) = value.split_first_chunk::<3>()?;
        let (cryptogram, issuer_data) = rest.split_first_chunk::<8>()?;
        let issuer_data = issuer_data.to_vec();
        let raw = answer.to_vec();
        return Some(Generated { information, atc: [high, low], cryptogram: Some(*cryptogram), issuer_data, raw });
    }
    let value = |tag| tlv::find(object.children(), tag).map(Tlv::value_bytes);
    (object.tag == Tag::of(0x77)).then_some(())?;
    let information = match value(CID)?.as_slice() {
        [information] => *information,
        _ => return None,
    };
    Some(Generated {
        information,
        atc: value(ATC)?.try_into().ok()?,
        cryptogram: value(CRYPTOGRAM).map(|bytes| bytes.try_into().ok()).map_or(Some(None), |it| it.map(Some))?,
        issuer_data: value(ISSUER_DATA).unwrap_or_default(),
        raw: answer.to_vec(),
    })
}

/// EXTERNAL AUTHENTICATE with the issuer authentication data, tag 91: what the card thinks of the issuer's answer.
/// // EMV B3 §6.5.4
///
/// # Errors
/// The link broke.
pub fn external_authenticate(card: &mut Card, data: &[u8]) -> Result<StatusWord, CardError> {
    Ok(card.transmit(&Command::new(0x00, 0x82, 0x00, 0x00).with_data(data))?.sw)
}

/// GET CHALLENGE: eight bytes. // EMV B3 §6.5.6
///
/// # Errors
/// The link broke, the card refuses, or it answers another length.
pub fn get_challenge(card: &mut Card) -> Result<[u8; 8], CardError> {
    let answer = accepted(card.transmit(&Command::new(0x00, 0x84, 0x00, 0x00).with_le(256))?, "GET CHALLENGE", 0x84)?;
    answer.into_data().try_into().map_err(|_| CardError::Misbehaved(Misbehaviour::Malformed("GET CHALLENGE")))
}

/// How a PIN goes to the card.
pub enum Pin<'a> {
    /// A block of ISO 9564-1 format 2.
    Plaintext(&'a Secret<Vec<u8>>),
    /// What [`encipher_pin`] has made.
    Enciphered(&'a [u8]),
}

/// VERIFY: one PIN try. The status word is the card's verdict. // EMV B3 §6.5.12
///
/// # Errors
/// The link broke.
pub fn verify_pin(card: &mut Card, pin: &Pin<'_>) -> Result<StatusWord, CardError> {
    let (p2, data) = match pin {
        Pin::Plaintext(block) => (0x80, block.expose().as_slice()),
        Pin::Enciphered(data) => (0x88, *data),
    };
    Ok(card.transmit(&Command::new(0x00, 0x20, 0x00, p2).with_data(data))?.sw)
}

/// Enciphers a PIN block for VERIFY: 7F, block, the card's challenge, random bytes; `random` is as many as are missing (the modulus less 17). // EMV B2 §7.2
///
/// # Errors
/// The RSA library, or a key too short for it.
pub fn encipher_pin(
    key: &RsaPublic,
    block: &Secret<Vec<u8>>,
    challenge: [u8; 8],
    random: &[u8],
) -> Result<Vec<u8>, RsaError> {
    let clear = Zeroizing::new([&[0x7F], block.expose().as_slice(), &challenge, random].concat());
    key.raw(&clear)
}
