//! SHA-1, SHA-256 (FIPS 180-4) and HMAC (FIPS 198-1).

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::stack::wiping_stack;

/// SHA-1; EMV's certificates still use it.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    Sha1::digest(data).into()
}

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// SHA-256 of what comes in parts: `fill` puts the next into the buffer and tells its length, 0 at the end.
///
/// # Errors
/// As `fill`.
pub fn sha256_in_parts<E>(
    buffer: &mut [u8],
    mut fill: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<[u8; 32], E> {
    let mut hash = Sha256::new();
    loop {
        let length = fill(buffer)?;
        match buffer.get(..length) {
            None | Some([]) => return Ok(hash.finalize().into()),
            Some(part) => hash.update(part),
        }
    }
}

/// HMAC-SHA-256, any key length.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    wiping_stack(|| {
        // HMAC takes keys of any length; the fallback cannot be reached.
        match Hmac::<Sha256>::new_from_slice(key) {
            Ok(mut mac) => {
                mac.update(data);
                mac.finalize().into_bytes().into()
            }
            Err(_) => [0; 32],
        }
    })
}
