//! Paddings of ISO/IEC 9797-1.

use super::CryptoError;

/// Method 2: 80, then 00 to whole blocks; always adds at least one byte.
pub fn pad_80(data: &[u8], block: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + block);
    out.extend_from_slice(data);
    out.push(0x80);
    out.resize(out.len().next_multiple_of(block), 0);
    out
}

/// Method 2, but only when the data is not whole blocks already.
pub fn pad_80_if_needed(data: &[u8], block: usize) -> Vec<u8> {
    if data.len().is_multiple_of(block) { data.to_vec() } else { pad_80(data, block) }
}

/// Method 1: 00 to whole blocks, nothing when the data is whole blocks; empty data becomes one block.
pub fn pad_zero(data: &[u8], block: usize) -> Vec<u8> {
    let mut out = data.to_vec();
    out.resize(data.len().max(1).next_multiple_of(block), 0);
    out
}

/// Method 3: the length of the data in bits as one block, then zeros up to whole blocks.
pub fn pad_length(data: &[u8], block: usize) -> Vec<u8> {
    let bits = (data.len() as u128 * 8).to_be_bytes();
    let mut out = vec![0; block.saturating_sub(bits.len())];
    out.extend(bits.iter().skip(bits.len().saturating_sub(block)));
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(block), 0);
    out
}

/// Removes method 2: trailing 00, then exactly one 80.
///
/// # Errors
/// [`CryptoError::Padding`] where there is no 80 before the zeros.
pub fn unpad_80(data: &[u8]) -> Result<&[u8], CryptoError> {
    let end = data.iter().rposition(|&byte| byte != 0).ok_or(CryptoError::Padding)?;
    match data.split_at_checked(end) {
        Some((rest, [0x80, ..])) => Ok(rest),
        _ => Err(CryptoError::Padding),
    }
}
