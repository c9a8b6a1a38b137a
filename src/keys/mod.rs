//! Who holds the secrets.
//!
//! Static keys and card DEKs are [`KeyHandle`]s: other rooms can have them derive, encipher and re-encipher, never
//! show themselves. Session keys for ENC, MAC and R-MAC come out as [`Secret`](crate::base::Secret)s and live for one
//! session.

pub mod ca_keys;
pub mod card_values;
mod custody;
pub mod diversify;
mod engine;
mod error;
pub mod file;
mod handle;
mod info;
pub mod issuer;
pub mod pin;
mod private;
pub mod sets;
mod software;
mod store;
pub mod test_ca;
pub mod tr31;
mod verbs;

pub use diversify::{CardKeys, Diversification, card_keys, select_kmc};
pub use error::KeyError;
pub use handle::KeyHandle;
pub use info::{Algorithm, Kcv, KeyInfo, Purpose};
pub use sets::KeySet;
pub use software::SoftwareStore;
pub use store::KeyStore;
pub use verbs::{CardForm, CardPadding, Derivation, JweAlgorithm, Sealed, WrappedKey};

use crate::base::Secret;
use crate::base::crypto::{CryptoError, KcvMethod, NONCE, TAG};
use crate::base::fault::{Code, Fault};

/// Custody of keys: a software key file, or a token behind PKCS#11.
pub trait KeyStore: Send + Sync {
    /// What is in custody, without any value.
    fn keys(&self) -> &[KeyInfo];

    /// A handle to the key of this name, for this purpose only.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Purpose`], or [`KeyError::Kcv`] where the value does not give the stated
    /// check value.
    fn open(&self, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError>;

    /// Derives a key that stays in custody. It is for the same cipher family as `from`.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] on data that the derivation does not take.
    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError>;

    /// Derives a key that comes out, for one session: S-ENC, S-MAC, S-RMAC, and cryptograms made under a static key.
    ///
    /// # Errors
    /// As [`KeyStore::derive`].
    fn session_key(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<Secret<Vec<u8>>, KeyError>;

    /// ISO 9797-1 algorithm 3 ("retail MAC") under a two-key triple DES key, with a zero IV: whole blocks, at least
    /// one; the caller pads. Cryptograms, script MACs, card verification values (their formula is this MAC over two
    /// blocks) and MACs of data that came from elsewhere.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] on another kind of key, or data that is not whole blocks.
    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError>;

    /// The content encryption key of an encrypted text, under a recipient's private key. // RFC 7518 §4.3, §4.6
    ///
    /// # Errors
    /// [`KeyError::Crypto`] where the key is of another kind, or the text is not for it.
    fn jwe_content_key(&self, key: &KeyHandle, _how: JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        Err(KeyError::Foreign(key.name().to_owned()))
    }

    /// Another handle to the same key.
    ///
    /// # Errors
    /// [`KeyError::Foreign`] where the handle is not of this store.
    fn duplicate(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError>;

    /// The first `length` bytes of the key's check value.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] where the method is not for the key's cipher.
    fn kcv(&self, key: &KeyHandle, method: KcvMethod, length: usize) -> Result<Vec<u8>, KeyError>;

    /// Takes a value out of its seal under `from` and enciphers it for the card under `to` (a card's DEK), without
    /// the clear value leaving the store. A `from` key must be a transport key.
    ///
    /// # Errors
    /// [`KeyError::Seal`] where the seal is broken or its length differs, [`KeyError::Crypto`] where the value is not
    /// whole blocks and no padding is asked for.
    fn reseal(
        &self,
        from: &KeyHandle,
        sealed: &Sealed<'_>,
        to: &KeyHandle,
        form: CardForm,
    ) -> Result<Vec<u8>, KeyError>;

    /// Seals a value under a transport key: ISO 9797-1 method 2, then CBC with this IV (one block).
    ///
    /// # Errors
    /// [`KeyError::Crypto`] on an IV of the wrong length.
    fn seal(&self, key: &KeyHandle, iv: &[u8], value: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError>;

    /// Opens a body sealed with AES-256-GCM under a record key.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] with [`CryptoError::Tag`] where header, body or key differ.
    fn open_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError>;

    /// Seals a body with AES-256-GCM under a record key; returns ciphertext and tag.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] where the key is not AES-256.
    fn seal_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError>;

    /// The value of a key that is marked test, or was derived from one: for simulated blanks, vectors and the
    /// calculator. The one place where a static key leaves custody.
    ///
    /// # Errors
    /// [`KeyError::Live`] for every other key.
    fn expose_test_key(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError>;
}

/// How the content key of an encrypted text is had.
#[derive(Clone, Copy)]
pub enum JweAlgorithm<'a> {
    /// ECDH-ES on P-256, direct, for A256GCM.
    EcdhEs {
        /// The sender's ephemeral point, uncompressed: 65 bytes.
        epk: &'a [u8],
        /// PartyUInfo.
        apu: &'a [u8],
        /// PartyVInfo.
        apv: &'a [u8],
    },
    /// RSA-OAEP with SHA-256.
    RsaOaep256 {
        /// The content key under the recipient's public key.
        encrypted_key: &'a [u8],
    },
}

/// How a key comes from another.
#[derive(Debug, Clone, Copy)]
pub enum Derivation<'a> {
    /// ECB encryption of whole blocks: EMV CPS and VISA2 diversification.
    Ecb(&'a [u8]),
    /// CBC encryption of whole blocks with a zero IV: SCP02 session keys.
    CbcZero(&'a [u8]),
    /// CMACs over the messages, concatenated and cut to `length` bytes: SP 800-108 as SCP03 and KDF3 use it.
    Cmac {
        /// One message per block of output.
        messages: &'a [Vec<u8>],
        /// Output length in bytes.
        length: usize,
    },
}

/// A value under a transport key, as it stands in a record.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// CBC with this IV; ECB (records of older sites) where there is none.
    pub iv: Option<&'a [u8]>,
    /// Whole blocks.
    pub ciphertext: &'a [u8],
    /// Length of the clear value in bytes.
    pub length: usize,
}

/// Padding that the card expects inside an enciphered grouping (CPS, property of the DGI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardPadding {
    /// The value is whole blocks already.
    None,
    /// 80 00…, always at least one byte.
    Always,
    /// 80 00…, only where the value is not whole blocks.
    IfNeeded,
}

impl CardPadding {
    /// Length after padding, for a cipher block of `block` bytes; `None` where no padding is allowed and it takes some.
    pub fn padded(self, length: usize, block: usize) -> Option<usize> {
        match self {
            CardPadding::None => length.is_multiple_of(block).then_some(length),
            CardPadding::Always => Some((length + 1).next_multiple_of(block)),
            CardPadding::IfNeeded => Some(length.next_multiple_of(block)),
        }
    }
}

/// How a grouping is enciphered for the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardForm {
    /// Padding before encryption.
    pub padding: CardPadding,
    /// CBC with a zero IV (SCP03); otherwise ECB (SCP02).
    pub cbc: bool,
}

/// What went wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key of this name.
    #[error("there is no key named {0:?}")]
    Unknown(String),
    /// The key is for something else.
    #[error("key {name:?} is a {is} key, not a {wanted} key")]
    Purpose {
        /// Name of the key.
        name: String,
        /// What it is for.
        is: Purpose,
        /// What it was asked for.
        wanted: Purpose,
    },
    /// The value does not give the check value.
    #[error("key {name:?} has check value {seen}, not {stated}")]
    Kcv {
        /// Name of the key.
        name: String,
        /// As stated beside the key.
        stated: Kcv,
        /// As computed.
        seen: Kcv,
    },
    /// A sealed value is broken.
    #[error("a value sealed under key {name:?} does not open: {why}")]
    Seal {
        /// Name of the transport key.
        name: String,
        /// In words.
        why: &'static str,
    },
    /// A live key where only test keys are allowed.
    #[error("key {0:?} is not a test key")]
    Live(String),
    /// None, or more than one, of the named master keys fits the card.
    #[error("{how_many} of the profile's master keys ({names}) is for KMCID {kmcid} with key version {kvn:02X}")]
    NoMatch {
        /// `none` or `more than one`.
        how_many: &'static str,
        /// The card's KMCID, hexadecimal.
        kmcid: String,
        /// The card's key version.
        kvn: u8,
        /// The names that were looked at.
        names: String,
    },
    /// A handle that another store gave out.
    #[error("key {0:?} is in the custody of another store")]
    Foreign(String),
    /// The cipher did not take what it was given.
    #[error("key {name:?}: {source}")]
    Crypto {
        /// Name of the key.
        name: String,
        /// What the cipher said.
        source: CryptoError,
    },
}

impl Fault for KeyError {
    fn code(&self) -> Code {
        match self {
            KeyError::Unknown(_) => Code::KeyUnknown,
            KeyError::Purpose { .. } => Code::KeyPurpose,
            KeyError::Kcv { .. } => Code::KeyKcv,
            KeyError::Seal { .. } | KeyError::Crypto { source: CryptoError::Tag | CryptoError::Padding, .. } => {
                Code::RecordTag
            }
            KeyError::Live(_) => Code::KeyLive,
            KeyError::NoMatch { .. } => Code::KeyNoMatch,
            KeyError::Foreign(_) | KeyError::Crypto { .. } => Code::ProgramFault,
        }
    }
}
