//! DES and triple DES (FIPS 46-3, SP 800-67) in ECB and CBC.

use des::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit,
};
use des::{Des, TdesEde2, TdesEde3};

use super::CryptoError;
use super::stack::wiping_stack;

/// One arm per key length, the same body in each.
macro_rules! with_tdes {
    ($key:expr, $cipher:ident => $body:expr) => {
        match $key.len() {
            16 => {
                type $cipher = TdesEde2;
                $body
            }
            24 => {
                type $cipher = TdesEde3;
                $body
            }
            other => Err(CryptoError::KeyLength(other)),
        }
    };
}

/// Single DES, ECB, whole 8-byte blocks.
///
/// # Errors
/// A key that is not 8 bytes, data that is not whole blocks.
pub fn des_ecb_encrypt(key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| ecb::<Des>(key, data, BlockCipherEncrypt::encrypt_block))
}

/// Single DES, CBC, whole 8-byte blocks.
///
/// # Errors
/// A key or IV that is not 8 bytes, data that is not whole blocks.
pub fn des_cbc_encrypt(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| cbc_encrypt::<Des>(key, iv, data))
}

/// Triple DES, ECB, whole 8-byte blocks; key of 16 or 24 bytes.
///
/// # Errors
/// Key or data length.
pub fn tdes_ecb_encrypt(key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| with_tdes!(key, C => ecb::<C>(key, data, BlockCipherEncrypt::encrypt_block)))
}

/// The inverse of [`tdes_ecb_encrypt`].
///
/// # Errors
/// Key or data length.
pub fn tdes_ecb_decrypt(key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| with_tdes!(key, C => ecb::<C>(key, data, BlockCipherDecrypt::decrypt_block)))
}

/// Triple DES, CBC, whole 8-byte blocks; key of 16 or 24 bytes.
///
/// # Errors
/// Key, IV or data length.
pub fn tdes_cbc_encrypt(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| with_tdes!(key, C => cbc_encrypt::<C>(key, iv, data)))
}

/// The inverse of [`tdes_cbc_encrypt`].
///
/// # Errors
/// Key, IV or data length.
pub fn tdes_cbc_decrypt(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    wiping_stack(|| with_tdes!(key, C => cbc_decrypt::<C>(key, iv, data)))
}

fn whole_blocks(data: &[u8]) -> Result<(), CryptoError> {
    if data.len().is_multiple_of(8) { Ok(()) } else { Err(CryptoError::DataLength(data.len())) }
}

fn ecb<C>(key: &[u8], data: &[u8], block: impl Fn(&C, &mut Array<u8, C::BlockSize>)) -> Result<Vec<u8>, CryptoError>
where
    C: KeyInit + des::cipher::BlockSizeUser,
{
    whole_blocks(data)?;
    let cipher = C::new_from_slice(key).map_err(|_| CryptoError::KeyLength(key.len()))?;
    let mut out = data.to_vec();
    for array in Array::<u8, C::BlockSize>::slice_as_chunks_mut(&mut out).0 {
        block(&cipher, array);
    }
    Ok(out)
}

fn cbc_encrypt<C>(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError>
where
    C: KeyInit + BlockCipherEncrypt,
{
    whole_blocks(data)?;
    if iv.len() != 8 {
        return Err(CryptoError::IvLength(iv.len()));
    }
    let mut mode = cbc::Encryptor::<C>::new_from_slices(key, iv).map_err(|_| CryptoError::KeyLength(key.len()))?;
    let mut out = data.to_vec();
    for array in Array::<u8, C::BlockSize>::slice_as_chunks_mut(&mut out).0 {
        mode.encrypt_block(array);
    }
    Ok(out)
}

fn cbc_decrypt<C>(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError>
where
    C: KeyInit + BlockCipherDecrypt,
{
    whole_blocks(data)?;
    if iv.len() != 8 {
        return Err(CryptoError::IvLength(iv.len()));
    }
    let mut mode = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| CryptoError::KeyLength(key.len()))?;
    let mut out = data.to_vec();
    for array in Array::<u8, C::BlockSize>::slice_as_chunks_mut(&mut out).0 {
        mode.decrypt_block(array);
    }
    Ok(out)
}
