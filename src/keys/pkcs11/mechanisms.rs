//! Mechanisms with their parameters, and what is computed next to them.

use std::ffi::c_ulong;

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::types::Ulong;
use zeroize::Zeroizing;

use crate::base::crypto::{Cipher, CryptoError, NONCE, TAG};
use crate::keys::compute::cipher;
use crate::keys::engine::crypto_error;
use crate::keys::{KeyError, KeyHandle};

/// A key's cipher in ECB or CBC mode. Lengths are looked at before the token is asked.
pub(super) fn mechanism(key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Mechanism<'static>, KeyError> {
    let family = cipher(key)?;
    whole_blocks(key, family, data)?;
    let bad_iv = |iv: &[u8]| crypto_error(key)(CryptoError::IvLength(iv.len()));
    match (family, iv) {
        (Cipher::Tdes, None) => Ok(Mechanism::Des3Ecb),
        (Cipher::Aes, None) => Ok(Mechanism::AesEcb),
        (Cipher::Tdes, Some(iv)) => Ok(Mechanism::Des3Cbc(iv.try_into().map_err(|_| bad_iv(iv))?)),
        (Cipher::Aes, Some(iv)) => Ok(Mechanism::AesCbc(iv.try_into().map_err(|_| bad_iv(iv))?)),
    }
}

pub(super) fn whole_blocks(key: &KeyHandle, family: Cipher, data: &[u8]) -> Result<(), KeyError> {
    if data.len().is_multiple_of(family.block()) {
        return Ok(());
    }
    Err(crypto_error(key)(CryptoError::DataLength(data.len())))
}

pub(super) fn gcm<'a>(iv: &'a mut [u8; NONCE], header: &'a [u8]) -> Result<Mechanism<'a>, Error> {
    Ok(Mechanism::AesGcm(GcmParams::new(iv, header, Ulong::from(TAG as c_ulong * 8))?))
}

/// Multiplied by two in the field of the block's size. // SP 800-38B §6.1
pub(super) fn doubled(block: &[u8]) -> Zeroizing<Vec<u8>> {
    let constant = if block.len() == 8 { 0x1B } else { 0x87 };
    let carried = block.first().is_some_and(|first| first & 0x80 != 0);
    let following = block.iter().skip(1).copied().chain([0]);
    let mut out: Zeroizing<Vec<u8>> =
        Zeroizing::new(block.iter().zip(following).map(|(byte, next)| byte << 1 | next >> 7).collect());
    if let (true, Some(last)) = (carried, out.last_mut()) {
        *last ^= constant;
    }
    out
}
