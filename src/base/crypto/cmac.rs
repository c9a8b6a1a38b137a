//! CMAC (SP 800-38B) with AES and triple DES.

use aes::{Aes128, Aes192, Aes256};
use cmac::{Cmac, KeyInit, Mac};
use des::{TdesEde2, TdesEde3};
use zeroize::{Zeroize, Zeroizing};

use super::CryptoError;
use super::stack::wiping_stack;

/// AES-CMAC, 16 bytes.
///
/// # Errors
/// Key length.
pub fn aes_cmac(key: &[u8], data: &[u8]) -> Result<[u8; 16], CryptoError> {
    wiping_stack(|| {
        let mac = match key.len() {
            16 => compute::<Cmac<Aes128>>(key, data)?,
            24 => compute::<Cmac<Aes192>>(key, data)?,
            32 => compute::<Cmac<Aes256>>(key, data)?,
            other => return Err(CryptoError::KeyLength(other)),
        };
        mac.as_slice().try_into().map_err(|_| CryptoError::KeyLength(key.len()))
    })
}

/// Triple-DES CMAC, 8 bytes; key of 16 or 24 bytes.
///
/// # Errors
/// Key length.
pub fn tdes_cmac(key: &[u8], data: &[u8]) -> Result<[u8; 8], CryptoError> {
    wiping_stack(|| {
        let mac = match key.len() {
            16 => compute::<Cmac<TdesEde2>>(key, data)?,
            24 => compute::<Cmac<TdesEde3>>(key, data)?,
            other => return Err(CryptoError::KeyLength(other)),
        };
        mac.as_slice().try_into().map_err(|_| CryptoError::KeyLength(key.len()))
    })
}

/// What comes out may be half a session key: it is wiped where it was.
fn compute<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::KeyLength(key.len()))?;
    mac.update(data);
    let mut block = mac.finalize().into_bytes();
    let out = Zeroizing::new(block.to_vec());
    block.as_mut_slice().zeroize();
    Ok(out)
}
