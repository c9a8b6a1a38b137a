//! What may be told of a key.

use std::fmt;

use super::header::KeyHeader;
use crate::base::crypto::{Cipher, KcvMethod};

/// What kind of key it is: cipher and key length, or one of the two kinds of key pairs.
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
    /// An RSA key pair.
    Rsa,
    /// A key pair on the curve P-256.
    P256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 7] = [
        Algorithm::Tdes2,
        Algorithm::Tdes3,
        Algorithm::Aes128,
        Algorithm::Aes192,
        Algorithm::Aes256,
        Algorithm::Rsa,
        Algorithm::P256,
    ];

    /// As it is written in key files.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Tdes2 => "tdes2",
            Algorithm::Tdes3 => "tdes3",
            Algorithm::Aes128 => "aes128",
            Algorithm::Aes192 => "aes192",
            Algorithm::Aes256 => "aes256",
            Algorithm::Rsa => "rsa",
            Algorithm::P256 => "p256",
        }
    }

    /// The kind of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Key length of a cipher in bytes; 0 for key pairs.
    pub fn key_length(self) -> usize {
        match self {
            Algorithm::Tdes2 | Algorithm::Aes128 => 16,
            Algorithm::Tdes3 | Algorithm::Aes192 => 24,
            Algorithm::Aes256 => 32,
            Algorithm::Rsa | Algorithm::P256 => 0,
        }
    }

    /// The cipher family; `None` for key pairs.
    pub fn cipher(self) -> Option<Cipher> {
        match self {
            Algorithm::Tdes2 | Algorithm::Tdes3 => Some(Cipher::Tdes),
            Algorithm::Aes128 | Algorithm::Aes192 | Algorithm::Aes256 => Some(Cipher::Aes),
            Algorithm::Rsa | Algorithm::P256 => None,
        }
    }

    /// How its check value is made where nobody says otherwise, and of how many bytes it is. // X9.24-1:2017 annex A
    pub fn check_value(self) -> (KcvMethod, usize) {
        match self.cipher() {
            Some(Cipher::Tdes) => (KcvMethod::DesZero, 3),
            Some(Cipher::Aes) => (KcvMethod::Cmac, 5),
            None => (KcvMethod::SpkiSha256, 8),
        }
    }

    /// Whether keys of this kind have check values by this method.
    pub fn has_check_value(self, method: KcvMethod) -> bool {
        match method {
            KcvMethod::DesZero => self.cipher() == Some(Cipher::Tdes),
            KcvMethod::AesZero | KcvMethod::AesOnes => self.cipher() == Some(Cipher::Aes),
            KcvMethod::Cmac => self.cipher().is_some(),
            KcvMethod::SpkiSha256 => self.cipher().is_none(),
        }
    }

    /// The member of a family with this key length.
    pub fn of(cipher: Cipher, key_length: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.cipher() == Some(cipher) && it.key_length() == key_length)
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
    /// Key encryption key: keys arrive under it (K0).
    Kek,
    /// Key block protection key of TR-31 (K1).
    Kbpk,
    /// PIN encryption key between two zones (P0).
    Zpk,
    /// Issuer master key for application cryptograms (E0).
    ImkAc,
    /// Issuer master key for secure messaging with confidentiality (E1).
    ImkSmc,
    /// Issuer master key for secure messaging with integrity (E2).
    ImkSmi,
    /// Issuer master key for data authentication codes (E3).
    ImkDac,
    /// Issuer master key for dynamic numbers (E4).
    ImkIdn,
    /// Issuer master key for dynamic card verification codes (E6).
    ImkCvc,
    /// Card verification key (C0).
    Cvk,
    /// PIN verification key of the IBM 3624 method (V1).
    Pvk3624,
    /// PIN verification key of the PVV method (V2).
    Pvk,
    /// MAC key of data that comes from elsewhere (M3).
    Mac,
    /// Enciphers data (D0).
    Data,
    /// An issuer's RSA key: signs certificates of cards and static data (S0).
    IssuerRsa,
    /// Recipient's private key of encrypted orders (JWE).
    Jwe,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 19] = [
        Purpose::Kmc,
        Purpose::Record,
        Purpose::Transport,
        Purpose::Kek,
        Purpose::Kbpk,
        Purpose::Zpk,
        Purpose::ImkAc,
        Purpose::ImkSmc,
        Purpose::ImkSmi,
        Purpose::ImkDac,
        Purpose::ImkIdn,
        Purpose::ImkCvc,
        Purpose::Cvk,
        Purpose::Pvk3624,
        Purpose::Pvk,
        Purpose::Mac,
        Purpose::Data,
        Purpose::IssuerRsa,
        Purpose::Jwe,
    ];

    /// Whether a check value by `aes-zero` gives away GHASH's key of a record key: of record keys, and of live data keys,
    /// since a record key in a key block (usage D0) can be taken in as one.
    pub fn hides_aes_zero(self, test: bool) -> bool {
        self == Purpose::Record || (self == Purpose::Data && !test)
    }

    /// The purpose of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether a key of this kind can serve it.
    pub fn takes(self, algorithm: Algorithm) -> bool {
        match self {
            Purpose::Record => algorithm == Algorithm::Aes256,
            Purpose::IssuerRsa => algorithm == Algorithm::Rsa,
            Purpose::Jwe => algorithm.cipher().is_none(),
            // Their formulas are two-key triple DES. // EMV B2 A1.4, ISO 9797-1 algorithm 3
            Purpose::ImkAc
            | Purpose::ImkSmc
            | Purpose::ImkSmi
            | Purpose::ImkDac
            | Purpose::ImkIdn
            | Purpose::ImkCvc
            | Purpose::Cvk
            | Purpose::Pvk
            | Purpose::Pvk3624 => algorithm == Algorithm::Tdes2,
            Purpose::Kmc
            | Purpose::Transport
            | Purpose::Kek
            | Purpose::Kbpk
            | Purpose::Zpk
            | Purpose::Mac
            | Purpose::Data => algorithm.cipher().is_some(),
        }
    }

    /// As it is written in key files.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Kmc => "kmc",
            Purpose::Record => "record",
            Purpose::Transport => "transport",
            Purpose::Kek => "kek",
            Purpose::Kbpk => "kbpk",
            Purpose::Zpk => "zpk",
            Purpose::ImkAc => "imk-ac",
            Purpose::ImkSmc => "imk-smc",
            Purpose::ImkSmi => "imk-smi",
            Purpose::ImkDac => "imk-dac",
            Purpose::ImkIdn => "imk-idn",
            Purpose::ImkCvc => "imk-cvc",
            Purpose::Cvk => "cvk",
            Purpose::Pvk3624 => "pvk-3624",
            Purpose::Pvk => "pvk",
            Purpose::Mac => "mac",
            Purpose::Data => "data",
            Purpose::IssuerRsa => "issuer-rsa",
            Purpose::Jwe => "jwe",
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
    /// The header of the key block that it came in; `None`: no limits.
    pub header: Option<KeyHeader>,
}

/// The article before a name of a purpose or an algorithm.
pub(super) fn article(name: &str) -> &'static str {
    // RSA is read by its letters.
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) || name.starts_with("rsa") { "an" } else { "a" }
}
