//! AES (FIPS 197) in ECB and CBC; the key length selects AES-128, -192 or -256.

use aes::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit,
};
use aes::{Aes128, Aes192, Aes256};

use super::CryptoError;
use super::stack::wiping_stack;

/// One arm per key length, the same body in each.
macro_rules! with_aes {
    ($key:expr, $cipher:ident => $body:expr) => {
        match $key.len() {
            16 => {
                type $cipher = Aes128;
                $body
            }
            24 => {
                type $cipher = Aes192;
                $body
            }
            32 => {
                type $cipher = Aes256;
                $body
            }
            other => Err(CryptoError::KeyLength(other)),
        }
    };
}

/// AES, ECB, whole 16-byte blocks.
///
/// # Errors
/// Key or data length.
pub fn aes_ecb_encrypt(key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| with_aes!(key, C => ecb::<C>(key, data, BlockCipherEncrypt::encrypt_block)))
}

/// The inverse of [`aes_ecb_encrypt`].
///
/// # Errors
/// Key or data length.
pub fn aes_ecb_decrypt(key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| with_aes!(key, C => ecb::<C>(key, data, BlockCipherDecrypt::decrypt_block)))
}

/// AES, CBC, whole 16-byte blocks.
///
/// # Errors
/// Key, IV or data length.
pub fn aes_cbc_encrypt(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| {
        with_aes!(key, C => {
            check(iv, data)?;
            let mut mode = cbc::Encryptor::<C>::new_from_slices(key, iv).map_err(|_| CryptoError::KeyLength(key.len()))?;
            Ok(each_block(data, |block| mode.encrypt_block(block)))
        })
    })
}

/// The inverse of [`aes_cbc_encrypt`].
///
/// # Errors
/// Key, IV or data length.
pub fn aes_cbc_decrypt(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| {
        with_aes!(key, C => {
            check(iv, data)?;
            let mut mode = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| CryptoError::KeyLength(key.len()))?;
            Ok(each_block(data, |block| mode.decrypt_block(block)))
        })
    })
}

type Block = Array<u8, aes::cipher::consts::U16>;

fn check(iv: &[u8], data: &[u8]) -> Result<(), CryptoError> {
    match (iv.len(), data.len().is_multiple_of(16)) {
        (16, true) => Ok(()),
        (16, false) => Err(CryptoError::DataLength(data.len())),
        (other, _) => Err(CryptoError::IvLength(other)),
    }
}

fn ecb<C>(key: &[u8], data: &[u8], apply: impl Fn(&C, &mut Block)) -> Result<Vec<u8>, CryptoError>
where
    C: KeyInit,
{
    check(&[0; 16], data)?;
    let cipher = C::new_from_slice(key).map_err(|_| CryptoError::KeyLength(key.len()))?;
    Ok(each_block(data, |block| apply(&cipher, block)))
}

fn each_block(data: &[u8], mut apply: impl FnMut(&mut Block)) -> Vec<u8> {
    let mut out = data.to_vec();
    Block::slice_as_chunks_mut(&mut out).0.iter_mut().for_each(&mut apply);
    out
}
