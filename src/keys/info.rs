//! What may be told of a key.

use std::fmt;

use crate::base::crypto::{Cipher, KcvMethod};

/// Cipher and key length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Two-key triple DES, 16 bytes.
    Tdes2,
    /// Three-key triple DES, 24 bytes.
    Tdes3,
    /// AES with 16 bytes.
    Aes128,
    /// AES with 24 bytes.
    Aes192,
    /// AES with 32 bytes.
    Aes256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Tdes2, Algorithm::Tdes3, Algorithm::Aes128, Algorithm::Aes192, Algorithm::Aes256];

    /// As it is written in key files.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Tdes2 => "tdes2",
            Algorithm::Tdes3 => "tdes3",
            Algorithm::Aes128 => "aes128",
            Algorithm::Aes192 => "aes192",
            Algorithm::Aes256 => "aes256",
        }
    }

    /// Key length in bytes.
    pub fn key_length(self) -> usize {
        match self {
            Algorithm::Tdes2 | Algorithm::Aes128 => 16,
            Algorithm::Tdes3 | Algorithm::Aes192 => 24,
            Algorithm::Aes256 => 32,
        }
    }

    /// The cipher family.
    pub fn cipher(self) -> Cipher {
        match self {
            Algorithm::Tdes2 | Algorithm::Tdes3 => Cipher::Tdes,
            Algorithm::Aes128 | Algorithm::Aes192 | Algorithm::Aes256 => Cipher::Aes,
        }
    }

    /// The member of a family with this key length.
    pub fn of(cipher: Cipher, key_length: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.cipher() == cipher && it.key_length() == key_length)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a key is for. A key is never used for anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Personalization master key: card keys are diversified from it (TR-31 usage E5).
    Kmc,
    /// Seals the bodies of records: AES-256-GCM.
    Record,
    /// Transport key TK: seals secret groupings within records.
    Transport,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 3] = [Purpose::Kmc, Purpose::Record, Purpose::Transport];

    /// As it is written in key files.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Kmc => "kmc",
            Purpose::Record => "record",
            Purpose::Transport => "transport",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key check value with the method that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kcv {
    /// How it is made.
    pub method: KcvMethod,
    /// Three to sixteen bytes.
    pub value: Vec<u8>,
}

impl fmt::Display for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", hex::encode_upper(&self.value), self.method.name())
    }
}

/// What may be told of a key in custody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Unique in its store; what records and profiles refer to.
    pub name: String,
    /// Whose key it is, or between whom.
    pub zone: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Version, 0 to 255; of a KMC the key version number that its card keys carry.
    pub version: u8,
    /// Cipher and key length.
    pub algorithm: Algorithm,
    /// Check value.
    pub kcv: Kcv,
    /// Test keys never work on a live ledger, nor live keys elsewhere.
    pub test: bool,
    /// Of a KMC: the KMCID that cards of this key answer with (first six bytes of the key diversification data).
    /// `None`: cards with any KMCID.
    pub kmcid: Option<[u8; 6]>,
}
