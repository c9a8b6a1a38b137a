//! AES-256-GCM (SP 800-38D).

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use zeroize::Zeroize;

use super::CryptoError;
use super::stack::wiping_stack;

/// Nonce length in bytes.
pub const NONCE: usize = 12;
/// Tag length in bytes.
pub const TAG: usize = 16;

/// Encrypts; returns ciphertext (as long as `plain`) and tag.
///
/// # Errors
/// A key that is not 32 bytes.
pub fn gcm_seal(
    key: &[u8],
    nonce: &[u8; NONCE],
    aad: &[u8],
    plain: &[u8],
) -> Result<(Vec<u8>, [u8; TAG]), CryptoError> {
    wiping_stack(|| {
        let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| CryptoError::KeyLength(key.len()))?;
        let mut out = plain.to_vec();
        let tag = cipher
            .encrypt_inout_detached(&Nonce::from(*nonce), aad, out.as_mut_slice().into())
            .map_err(|_| CryptoError::DataLength(plain.len()))?;
        Ok((out, tag.into()))
    })
}

/// Checks the tag, then decrypts.
///
/// # Errors
/// A key that is not 32 bytes, or a tag that does not match: then nothing of the plaintext is handed out.
pub fn gcm_open(
    key: &[u8],
    nonce: &[u8; NONCE],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG],
) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| {
        let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| CryptoError::KeyLength(key.len()))?;
        let mut out = ciphertext.to_vec();
        let opened =
            cipher.decrypt_inout_detached(&Nonce::from(*nonce), aad, out.as_mut_slice().into(), &Tag::from(*tag));
        if opened.is_err() {
            out.zeroize();
            return Err(CryptoError::Tag);
        }
        Ok(out)
    })
}
