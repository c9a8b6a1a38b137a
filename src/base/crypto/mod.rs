//! Standard ciphers and MACs, one function each. Nothing here knows a protocol.

mod aes;
mod cmac;
mod des;
mod digest;
mod gcm;
mod kcv;
mod mac;
mod pad;
mod rsa;
mod stack;

pub use self::aes::{aes_cbc_decrypt, aes_cbc_encrypt, aes_ecb_decrypt, aes_ecb_encrypt};
pub use self::cmac::{aes_cmac, tdes_cmac};
pub use self::des::{
    des_cbc_encrypt, des_ecb_encrypt, tdes_cbc_decrypt, tdes_cbc_encrypt, tdes_ecb_decrypt, tdes_ecb_encrypt,
};
pub use self::digest::{hmac_sha256, sha1, sha256, sha256_in_parts};
pub use self::gcm::{NONCE, TAG, gcm_open, gcm_seal};
pub use self::kcv::{KcvMethod, kcv};
pub use self::mac::{retail_mac, tdes_cbc_mac};
pub use self::pad::{pad_80, pad_80_if_needed, pad_length, pad_zero, unpad_80};
pub use self::rsa::{RsaError, RsaPrivate, RsaPublic, is_unchanged};

/// A cipher was called with lengths it does not take, or an authentication tag did not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// Key length that the cipher does not have.
    #[error("the cipher takes no key of {0} bytes")]
    KeyLength(usize),
    /// Data that is not whole blocks.
    #[error("{0} bytes are not whole blocks")]
    DataLength(usize),
    /// An initial value of the wrong length.
    #[error("the initial value has {0} bytes")]
    IvLength(usize),
    /// Padding that ISO/IEC 9797-1 method 2 does not produce.
    #[error("the padding is broken")]
    Padding,
    /// The authentication tag does not match: other key, other header or changed data.
    #[error("the authentication tag does not match")]
    Tag,
}

/// Block ciphers by family; the key length selects the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// Triple DES with two (16 bytes) or three (24 bytes) keys; 8-byte blocks.
    Tdes,
    /// AES-128, -192 or -256; 16-byte blocks.
    Aes,
}

impl Cipher {
    /// Block length in bytes.
    pub fn block(self) -> usize {
        match self {
            Cipher::Tdes => 8,
            Cipher::Aes => 16,
        }
    }

    /// CBC encryption of whole blocks.
    ///
    /// # Errors
    /// Key, IV or data length.
    pub fn cbc_encrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Cipher::Tdes => tdes_cbc_encrypt(key, iv, data),
            Cipher::Aes => aes_cbc_encrypt(key, iv, data),
        }
    }

    /// CBC decryption of whole blocks.
    ///
    /// # Errors
    /// Key, IV or data length.
    pub fn cbc_decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Cipher::Tdes => tdes_cbc_decrypt(key, iv, data),
            Cipher::Aes => aes_cbc_decrypt(key, iv, data),
        }
    }

    /// ECB encryption of whole blocks.
    ///
    /// # Errors
    /// Key or data length.
    pub fn ecb_encrypt(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Cipher::Tdes => tdes_ecb_encrypt(key, data),
            Cipher::Aes => aes_ecb_encrypt(key, data),
        }
    }

    /// ECB decryption of whole blocks.
    ///
    /// # Errors
    /// Key or data length.
    pub fn ecb_decrypt(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Cipher::Tdes => tdes_ecb_decrypt(key, data),
            Cipher::Aes => aes_ecb_decrypt(key, data),
        }
    }
}
