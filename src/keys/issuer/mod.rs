//! What an issuer's host computes with its master keys: card keys, session keys, cryptograms, scripts.
//! // EMV B2 §8, A1.1 to A1.4
//!
//! Master keys stay in their store. What passes through this process's memory, each as a [`Secret`]: the session keys of
//! the two methods that are no encipherment (VIS secure messaging and the EMV 2000 tree) and the card key they are made
//! from, the PIN block of a script, and four bytes of a card's key that VIS mixes into it.

mod cryptogram;
mod pin_change;
mod session;

pub use cryptogram::{
    AcPadding, application_cryptogram, arpc_1, arpc_2, is_application_cryptogram, is_arpc_1, is_arpc_2,
};
pub use pin_change::{PinCipher, encipher_pin, pin_block_iso2, pin_block_vis, script_mac, script_mac_input};
pub use session::{SessionMethod, Tree, WorkingKey, session_key, tree_session_key, visa_session_key};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Derivation, KeyError, KeyHandle, KeyStore};
use crate::base::Secret;
use crate::base::crypto::{CryptoError, sha1};
use crate::base::emv::Pan;
use crate::base::fault::{Code, Fault};

/// Why something was not computed.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The store refused, or could not.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A PAN sequence number that is not two digits.
    #[error("a PAN sequence number is two digits")]
    Psn,
    /// A PIN that is not 4 to 12 digits, or another length than the one it is mixed with.
    #[error("a PIN has 4 to 12 digits")]
    Pin,
    /// A branch factor or a height that does not reach every ATC.
    #[error("a tree of height {height} with branch factor {branch} does not hold 65,536 keys, or is no tree")]
    Tree {
        /// Levels.
        height: u8,
        /// Branches of each key.
        branch: u8,
    },
    /// Proprietary authentication data of more than eight bytes.
    #[error("proprietary authentication data have 8 bytes at most, not {0}")]
    AuthenticationData(usize),
    /// A script MAC of another length than 4 to 8 bytes.
    #[error("a script MAC has 4 to 8 bytes, not {0}")]
    MacLength(usize),
    /// The cipher did not take what it was given.
    #[error("a session key: {0}")]
    Crypto(#[from] CryptoError),
}

impl Fault for IssuerError {
    fn code(&self) -> Code {
        match self {
            IssuerError::Key(error) => error.code(),
            IssuerError::Crypto(_) => Code::ProgramFault,
            IssuerError::Psn
            | IssuerError::Pin
            | IssuerError::Tree { .. }
            | IssuerError::AuthenticationData(_)
            | IssuerError::MacLength(_) => Code::OperatorInput,
        }
    }
}

/// How a card's key comes from an issuer master key. // EMV B2 A1.4
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CardKeyMethod {
    /// Option A: the rightmost 16 digits of PAN and PSN.
    A,
    /// Option B: for PANs of more than 16 digits their hash, else as option A.
    B,
}

/// Whether the lowest bit of each byte of a DES key is set to odd parity. It changes no cipher, MAC or check value, but
/// the bytes that a card is given, and those that VIS mixes into a PIN block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parity {
    /// Set to odd. What EMV asks for. // EMV B2 A1.4
    Odd,
    /// Left as it comes.
    AsDerived,
}

/// A card's key under an issuer master key, in custody: for cryptograms and session keys. `psn` is a byte of two digits
/// as tag 5F34 has it; 00 where the card has none.
///
/// # Errors
/// [`IssuerError::Psn`], or the store fails.
pub fn icc_master_key(
    store: &dyn KeyStore,
    imk: &KeyHandle,
    pan: &Pan,
    psn: u8,
    method: CardKeyMethod,
) -> Result<KeyHandle, IssuerError> {
    let data = diversification(pan, psn, method)?;
    Ok(store.derive(imk, &Derivation::Ecb(&data[..]))?)
}

/// The same key, which [`KeyStore::seal_keys`] seals for the card next.
///
/// # Errors
/// As [`icc_master_key`].
pub fn icc_master_key_to_seal(
    store: &dyn KeyStore,
    imk: &KeyHandle,
    pan: &Pan,
    psn: u8,
    method: CardKeyMethod,
) -> Result<KeyHandle, IssuerError> {
    let data = diversification(pan, psn, method)?;
    Ok(store.derive_to_seal(imk, &Derivation::Ecb(&data[..]))?)
}

/// The same key as a value that goes onto the card.
///
/// # Errors
/// As [`icc_master_key`].
pub fn icc_master_key_value(
    store: &dyn KeyStore,
    imk: &KeyHandle,
    pan: &Pan,
    psn: u8,
    method: CardKeyMethod,
    parity: Parity,
) -> Result<Secret<Vec<u8>>, IssuerError> {
    let data = diversification(pan, psn, method)?;
    Ok(with_parity(store.session_key(imk, &Derivation::Ecb(&data[..]))?, parity))
}

/// A DES key with its parity bits set, or as it is.
pub fn with_parity(key: Secret<Vec<u8>>, parity: Parity) -> Secret<Vec<u8>> {
    match parity {
        Parity::AsDerived => key,
        Parity::Odd => Secret::new(key.expose().iter().map(|byte| odd(*byte)).collect()),
    }
}

fn odd(byte: u8) -> u8 {
    let high = byte & 0xFE;
    high | u8::from(high.count_ones().is_multiple_of(2))
}

/// Two blocks: the diversification data and their complement.
fn diversification(pan: &Pan, psn: u8, method: CardKeyMethod) -> Result<Zeroizing<[u8; 16]>, IssuerError> {
    if psn >> 4 > 9 || psn & 15 > 9 {
        return Err(IssuerError::Psn);
    }
    let digits = Zeroizing::new(format!("{}{psn:02X}", pan.digits()));
    let mut y = match method {
        CardKeyMethod::B if pan.digits().len() > 16 => hashed(&digits),
        _ => rightmost(&digits),
    };
    let mut out = Zeroizing::new([0; 16]);
    for (at, byte) in out.iter_mut().enumerate() {
        let half = y.get(at % 8).copied().unwrap_or_default();
        *byte = if at < 8 { half } else { !half };
    }
    y.zeroize();
    Ok(out)
}

/// The rightmost 16 digits, zeros in front where there are fewer.
fn rightmost(digits: &str) -> [u8; 8] {
    let filled = Zeroizing::new(format!("{digits:0>16}"));
    packed(filled.bytes().skip(filled.len() - 16).map(|digit| digit - b'0'))
}

/// The first 16 decimal digits of the hash over the digits; where it has fewer, its letters follow, A as 0 to F as 5.
fn hashed(digits: &str) -> [u8; 8] {
    let even = Zeroizing::new(if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") });
    let bcd: Zeroizing<Vec<u8>> = Zeroizing::new(
        even.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | (digit - b'0'))).collect(),
    );
    let nibbles: Vec<u8> = sha1(&bcd).iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
    let numbers = nibbles.iter().copied().filter(|nibble| *nibble <= 9);
    let letters = nibbles.iter().copied().filter(|nibble| *nibble > 9).map(|nibble| nibble - 10);
    packed(numbers.chain(letters).take(16))
}

/// Sixteen digits as eight bytes.
fn packed(digits: impl Iterator<Item = u8>) -> [u8; 8] {
    let mut out = [0; 8];
    for (at, digit) in digits.enumerate() {
        if let Some(byte) = out.get_mut(at / 2) {
            *byte = (*byte << 4) | digit;
        }
    }
    out
}

#[cfg(test)]
mod tests;
