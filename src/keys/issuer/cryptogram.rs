//! Application cryptograms, and the issuer's answer to them.

use super::{IssuerError, WorkingKey};
use crate::base::crypto::{CryptoError, pad_80, pad_zero};
use crate::keys::{Computation, KeyStore};

/// Padding of what a cryptogram is computed over. // ISO/IEC 9797-1
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcPadding {
    /// Method 1: zeros, where the data are not whole blocks (Visa CVN 10).
    Zeros,
    /// Method 2: 80 and zeros, always (EMV, and all others).
    Always80,
}

impl AcPadding {
    fn padded(self, data: &[u8]) -> Vec<u8> {
        match self {
            AcPadding::Zeros => pad_zero(data, 8),
            AcPadding::Always80 => pad_80(data, 8),
        }
    }
}

/// An application cryptogram (ARQC, TC, AAC): a retail MAC over what the card product takes. // EMV B2 §8.1
///
/// # Errors
/// The store fails.
pub fn application_cryptogram(
    store: &dyn KeyStore,
    key: &WorkingKey,
    data: &[u8],
    padding: AcPadding,
) -> Result<[u8; 8], IssuerError> {
    key.retail_mac(store, &padding.padded(data))
}

/// Whether a card's cryptogram is the one over these data. What was computed does not come out of the store.
///
/// # Errors
/// The store fails.
pub fn is_application_cryptogram(
    store: &dyn KeyStore,
    key: &WorkingKey,
    data: &[u8],
    padding: AcPadding,
    stated: [u8; 8],
) -> Result<bool, IssuerError> {
    key.compare(store, &Computation::RetailMac { data: &padding.padded(data), length: 8 }, &stated)
}

/// ARPC, method 1: the cryptogram with the authorization response code (two characters) added, enciphered. Tag 91 is it
/// and the code. // EMV B2 §8.2.1
///
/// # Errors
/// The store fails.
pub fn arpc_1(
    store: &dyn KeyStore,
    key: &WorkingKey,
    cryptogram: [u8; 8],
    response_code: [u8; 2],
) -> Result<[u8; 8], IssuerError> {
    let arpc = key.encipher(store, &with_code(cryptogram, response_code), false)?;
    arpc.first_chunk().copied().ok_or(IssuerError::Crypto(CryptoError::DataLength(arpc.len())))
}

/// Whether an ARPC is the one of method 1.
///
/// # Errors
/// The store fails.
pub fn is_arpc_1(
    store: &dyn KeyStore,
    key: &WorkingKey,
    cryptogram: [u8; 8],
    response_code: [u8; 2],
    stated: [u8; 8],
) -> Result<bool, IssuerError> {
    key.compare(store, &Computation::Ecb(&with_code(cryptogram, response_code)), &stated)
}

fn with_code(mut cryptogram: [u8; 8], response_code: [u8; 2]) -> [u8; 8] {
    cryptogram.iter_mut().zip(response_code).for_each(|(byte, code)| *byte ^= code);
    cryptogram
}

/// ARPC, method 2: four bytes of a MAC over cryptogram, card status update and proprietary authentication data (8 bytes
/// at most). Tag 91 is it, the update and the data. // EMV B2 §8.2.2
///
/// # Errors
/// [`IssuerError::AuthenticationData`], or the store fails.
pub fn arpc_2(
    store: &dyn KeyStore,
    key: &WorkingKey,
    cryptogram: [u8; 8],
    status_update: [u8; 4],
    authentication_data: &[u8],
) -> Result<[u8; 4], IssuerError> {
    let data = answer(cryptogram, status_update, authentication_data)?;
    let [a, b, c, d, ..] = key.retail_mac(store, &data)?;
    Ok([a, b, c, d])
}

/// Whether an ARPC is the one of method 2.
///
/// # Errors
/// As [`arpc_2`].
pub fn is_arpc_2(
    store: &dyn KeyStore,
    key: &WorkingKey,
    cryptogram: [u8; 8],
    status_update: [u8; 4],
    authentication_data: &[u8],
    stated: [u8; 4],
) -> Result<bool, IssuerError> {
    let data = answer(cryptogram, status_update, authentication_data)?;
    key.compare(store, &Computation::RetailMac { data: &data, length: 4 }, &stated)
}

fn answer(cryptogram: [u8; 8], status_update: [u8; 4], authentication_data: &[u8]) -> Result<Vec<u8>, IssuerError> {
    if authentication_data.len() > 8 {
        return Err(IssuerError::AuthenticationData(authentication_data.len()));
    }
    Ok(pad_80(&[cryptogram.as_slice(), &status_update, authentication_data].concat(), 8))
}
