//! Application cryptograms, and the issuer's answer to them.

use super::{IssuerError, WorkingKey};
use crate::base::crypto::{CryptoError, pad_80, pad_zero};
use crate::keys::KeyStore;

/// Padding of what a cryptogram is computed over. // ISO/IEC 9797-1
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcPadding {
    /// Method 1: zeros, where the data are not whole blocks (Visa CVN 10).
    Zeros,
    /// Method 2: 80 and zeros, always (EMV, and all others).
    Always80,
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
    let padded = match padding {
        AcPadding::Zeros => pad_zero(data, 8),
        AcPadding::Always80 => pad_80(data, 8),
    };
    key.retail_mac(store, &padded)
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
    let mut block = cryptogram;
    block.iter_mut().zip(response_code).for_each(|(byte, code)| *byte ^= code);
    let arpc = key.encipher(store, &block, false)?;
    arpc.first_chunk().copied().ok_or(IssuerError::Crypto(CryptoError::DataLength(arpc.len())))
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
    if authentication_data.len() > 8 {
        return Err(IssuerError::AuthenticationData(authentication_data.len()));
    }
    let data = [cryptogram.as_slice(), &status_update, authentication_data].concat();
    let [a, b, c, d, ..] = key.retail_mac(store, &pad_80(&data, 8))?;
    Ok([a, b, c, d])
}
