//! CBC-MACs of ISO/IEC 9797-1. The caller pads.

use super::{CryptoError, des_cbc_encrypt, tdes_cbc_encrypt};

/// Algorithm 3 ("retail MAC"): single-DES CBC with the left key half over all blocks but the last, the whole two-key
/// triple DES over the last. `data` must be whole 8-byte blocks, at least one; `key` 16 bytes.
///
/// # Errors
/// Key, IV or data length.
pub fn retail_mac(key: &[u8], iv: &[u8; 8], data: &[u8]) -> Result<[u8; 8], CryptoError> {
    let (Some((left, _)), 16) = (key.split_at_checked(8), key.len()) else {
        return Err(CryptoError::KeyLength(key.len()));
    };
    let (first, last) =
        data.len().checked_sub(8).map(|at| data.split_at(at)).ok_or(CryptoError::DataLength(data.len()))?;
    let chained = des_cbc_encrypt(left, iv, first)?;
    tdes_cbc_mac(key, &last_block(&chained).unwrap_or(*iv), last)
}

/// Algorithm 1 with triple DES: the last block of the CBC encryption. `data` must be whole blocks, at least one.
///
/// # Errors
/// Key, IV or data length.
pub fn tdes_cbc_mac(key: &[u8], iv: &[u8; 8], data: &[u8]) -> Result<[u8; 8], CryptoError> {
    last_block(&tdes_cbc_encrypt(key, iv, data)?).ok_or(CryptoError::DataLength(data.len()))
}

fn last_block(data: &[u8]) -> Option<[u8; 8]> {
    data.last_chunk::<8>().copied()
}
