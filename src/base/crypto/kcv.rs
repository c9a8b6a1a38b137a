//! Key check values: the leftmost bytes of a fixed block enciphered under the key.

use super::{CryptoError, aes_cmac, aes_ecb_encrypt, des_ecb_encrypt, tdes_cmac, tdes_ecb_encrypt};

/// How a key check value is made. The record and the key file always name it; it is never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KcvMethod {
    /// Triple DES over eight bytes 00 (ANSI X9.24-1:2017 A.2).
    DesZero,
    /// AES over sixteen bytes 00.
    AesZero,
    /// AES over sixteen bytes 01 (GlobalPlatform, EMV CPS 2.0).
    AesOnes,
    /// CMAC over one block of 00 (ANSI X9.24-1:2017 A.3): AES for 16-byte blocks, see [`kcv`] for triple DES.
    Cmac,
    /// Of key pairs: SHA-256 over the public key as X.509 writes it (SubjectPublicKeyInfo).
    SpkiSha256,
}

impl KcvMethod {
    /// All of them.
    pub const ALL: [KcvMethod; 5] =
        [KcvMethod::DesZero, KcvMethod::AesZero, KcvMethod::AesOnes, KcvMethod::Cmac, KcvMethod::SpkiSha256];

    /// As it is written in key files and records.
    pub fn name(self) -> &'static str {
        match self {
            KcvMethod::DesZero => "des-zero",
            KcvMethod::AesZero => "aes-zero",
            KcvMethod::AesOnes => "aes-ones",
            KcvMethod::Cmac => "cmac",
            KcvMethod::SpkiSha256 => "spki-sha256",
        }
    }
}

/// The first `length` bytes of the check value of `key`.
///
/// `tdes` tells, for [`KcvMethod::Cmac`] only, that the key is a triple-DES key. [`KcvMethod::DesZero`] takes single DES
/// keys (8 bytes) too.
///
/// # Errors
/// A key length that the method's cipher does not take.
pub fn kcv(key: &[u8], method: KcvMethod, tdes: bool, length: usize) -> Result<Vec<u8>, CryptoError> {
    let mut block = match (method, tdes) {
        (KcvMethod::DesZero, _) if key.len() == 8 => des_ecb_encrypt(key, &[0; 8])?,
        (KcvMethod::DesZero, _) => tdes_ecb_encrypt(key, &[0; 8])?,
        (KcvMethod::AesZero, _) => aes_ecb_encrypt(key, &[0; 16])?,
        (KcvMethod::AesOnes, _) => aes_ecb_encrypt(key, &[1; 16])?,
        (KcvMethod::Cmac, true) => tdes_cmac(key, &[0; 8])?.to_vec(),
        (KcvMethod::Cmac, false) => aes_cmac(key, &[0; 16])?.to_vec(),
        // It is made of a public key, not with a cipher.
        (KcvMethod::SpkiSha256, _) => return Err(CryptoError::KeyLength(key.len())),
    };
    block.truncate(length);
    Ok(block)
}
