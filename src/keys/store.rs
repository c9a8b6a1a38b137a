//! What can be asked of a key store.

use super::pin::{ArrivedPin, CardPin, Pin};
use super::tr31::{ArrivedKey, Header, KeyBlock, Version};
use super::{
    CardForm, Computation, Derivation, JweAlgorithm, KeyError, KeyHandle, KeyInfo, PublicKey, Purpose, Sealed,
    WrappedKey,
};
use crate::base::crypto::{KcvMethod, NONCE, RsaPublic, TAG};
use crate::base::emv::Pan;
use crate::base::{Chance, Secret};

/// How the data of a prepared block of card data arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockForm {
    /// It is under the key encryption key too: CBC with a zero IV.
    pub enciphered: bool,
    /// The MAC is over the enciphered data; over the clear data, without padding, otherwise.
    pub mac_over_enciphered: bool,
    /// It was padded before it was enciphered: ISO 9797-1 method 2.
    pub padded: bool,
}

/// Custody of keys: a software key file, or a token behind PKCS#11.
///
/// ```
/// use perso::keys::{KeyStore, Purpose, file};
///
/// let keys = file::load(&std::fs::read("tests/samples/keys.test.json")?, None)?;
/// let store: &dyn KeyStore = &keys;
/// assert!(store.keys().iter().any(|key| key.name == "lab-record" && key.test));
/// assert!(store.open("lab-record", Purpose::Record).is_ok());
/// // A key works for its own purpose only.
/// assert!(store.open("lab-record", Purpose::Kmc).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait KeyStore: Send + Sync {
    /// What is in custody, without any value.
    fn keys(&self) -> &[KeyInfo];

    /// A handle to the key of this name, for this purpose only.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Purpose`], or [`KeyError::Kcv`] where the value does not give the stated
    /// check value.
    fn open(&self, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError>;

    /// Opens every key once: each has its check value, and is a good key of its algorithm.
    ///
    /// # Errors
    /// As [`KeyStore::open`], of the first that does not open.
    fn open_each(&self) -> Result<(), KeyError> {
        self.keys().iter().try_for_each(|key| self.open(&key.name, key.purpose).map(drop))
    }

    /// Derives a key that stays in custody. It is for the same cipher family as `from`.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] on data that the derivation does not take.
    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError>;

    /// As [`KeyStore::derive`], of a key that is sealed for a card next ([`KeyStore::seal_keys`]), or of a test key that is
    /// shown ([`KeyStore::expose_test_key`]). Of other derived keys a token gives no value.
    ///
    /// # Errors
    /// As [`KeyStore::derive`].
    fn derive_to_seal(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError>;

    /// Derives a key that comes out, for one session: S-ENC, S-MAC, S-RMAC, and cryptograms made under a static key.
    ///
    /// # Errors
    /// As [`KeyStore::derive`]; [`KeyError::LiveCalculation`] for a live key in the calculator.
    fn session_key(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<Secret<Vec<u8>>, KeyError>;

    /// Enciphers whole blocks under a key whose purpose is that: ECB, or CBC with a zero IV. PVVs, natural PINs, answers
    /// to cryptograms, PINs in scripts.
    ///
    /// # Errors
    /// [`KeyError::Verb`], [`KeyError::Crypto`] on data that is not whole blocks.
    fn encipher(&self, key: &KeyHandle, data: &[u8], cbc: bool) -> Result<Secret<Vec<u8>>, KeyError>;

    /// Compares a cryptogram with the one that is computed here, in constant time. What was computed does not come out.
    ///
    /// # Errors
    /// [`KeyError::Verb`], [`KeyError::Input`] if `expected` is not the whole cryptogram or has fewer than 4 bytes,
    /// [`KeyError::Crypto`] as the computations.
    fn compare(&self, key: &KeyHandle, how: &Computation<'_>, expected: &[u8]) -> Result<bool, KeyError>;

    /// ISO 9797-1 algorithm 3 ("retail MAC") under a two-key triple DES key, with a zero IV: whole blocks, at least
    /// one; the caller pads. Cryptograms, script MACs, card verification values (their formula is this MAC over two
    /// blocks) and MACs of data that came from elsewhere.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] on another kind of key, or data that is not whole blocks.
    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError>;

    /// As [`KeyStore::retail_mac`], to compare it with a MAC or a card verification value that came. The mode of use of the
    /// key must allow to check values; to make them is not needed.
    ///
    /// # Errors
    /// As [`KeyStore::retail_mac`].
    fn retail_mac_to_check(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError>;

    /// The content key of an encrypted text (A256GCM), under a recipient's private key. An encrypted key that does not
    /// open gives a random content key: the text then does not open, as if it had been changed. // RFC 7518 §4.3, §4.6;
    /// RFC 7516 §11.5
    ///
    /// # Errors
    /// [`KeyError::Purpose`], [`KeyError::Kind`] where the key is none for this way, [`KeyError::NotForIt`] if the
    /// sender's ephemeral key is no point of the curve.
    fn jwe_content_key(&self, key: &KeyHandle, how: JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError>;

    /// The raw private operation of an issuer's RSA key: a certificate or a signature, where the caller has built the
    /// block, as long as the modulus. // EMV B2 §A2.1
    ///
    /// # Errors
    /// [`KeyError::Purpose`], [`KeyError::NotForIt`] where the block is none for this modulus.
    fn rsa_sign(&self, key: &KeyHandle, block: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// The public half of an issuer's RSA key.
    ///
    /// # Errors
    /// [`KeyError::Purpose`], [`KeyError::Kind`].
    fn rsa_public(&self, key: &KeyHandle) -> Result<RsaPublic, KeyError>;

    /// The public half of a key pair, for others.
    ///
    /// # Errors
    /// [`KeyError::Verb`] of another kind of key.
    fn public_key(&self, key: &KeyHandle) -> Result<PublicKey, KeyError>;

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

    /// Seals derived keys under a transport key, one behind the other, as a grouping carries them (DGI 8000): without
    /// their values being seen. Triple DES keys get odd parity. The sealed value, and its clear length.
    ///
    /// # Errors
    /// [`KeyError::Static`] for a key that is not derived, [`KeyError::Purpose`], [`KeyError::Crypto`] on an IV of the
    /// wrong length.
    fn seal_keys(&self, keys: &[&KeyHandle], under: &KeyHandle, iv: &[u8]) -> Result<(Vec<u8>, usize), KeyError>;

    /// The first `length` bytes of the check value (DES, zeros) of each two-key triple DES key in a sealed value, where
    /// they stand one behind the other: without their values being seen.
    ///
    /// # Errors
    /// [`KeyError::Purpose`], [`KeyError::Seal`] where the seal is broken, or it holds no whole keys.
    fn sealed_check_values(&self, from: &KeyHandle, sealed: &Sealed<'_>, length: usize) -> Result<Vec<u8>, KeyError>;

    /// Takes in a key that arrives under a key encryption key. It is for this purpose from then on.
    ///
    /// # Errors
    /// [`KeyError::Kcv`] where the check value is another: then nothing goes on with it. [`KeyError::Purpose`],
    /// [`KeyError::NoKcv`], [`KeyError::Parity`], [`KeyError::NotForIt`] where it has another length.
    fn unwrap(&self, kek: &KeyHandle, wrapped: &WrappedKey<'_>, purpose: Purpose) -> Result<KeyHandle, KeyError>;

    /// Opens a prepared block of card data. Its MAC key arrives under a key encryption key, without a check value: of 8
    /// bytes for a single DES MAC, of 16 for ISO 9797-1 algorithm 3; the MAC is over what `form` says, padded by method 2,
    /// and its leftmost four bytes count.
    ///
    /// # Errors
    /// [`KeyError::NotForIt`] where the MAC is another, or the padding is not there; [`KeyError::Purpose`],
    /// [`KeyError::Crypto`] where enciphered data is not whole blocks.
    fn open_block(
        &self,
        kek: &KeyHandle,
        mac_key: &[u8],
        data: &[u8],
        form: BlockForm,
        mac: [u8; 4],
    ) -> Result<Secret<Vec<u8>>, KeyError>;

    /// Reads the PIN in a block that has arrived for this PAN. It stays in the key room.
    ///
    /// # Errors
    /// [`KeyError::Pin`] with [`PinError::Block`](super::pin::PinError::Block) where key, PAN or format is another, and
    /// as [`KeyStore::unwrap`].
    fn open_pin(&self, arrived: &ArrivedPin<'_>, pan: &Pan) -> Result<Pin, KeyError>;

    /// Seals a PIN for the card's grouping (DGI 8010) under a transport key. The sealed value, and its clear length.
    ///
    /// # Errors
    /// [`KeyError::Purpose`], [`KeyError::Crypto`] on an IV of the wrong length, [`KeyError::Chance`].
    fn seal_pin(
        &self,
        pin: &Pin,
        form: CardPin,
        under: &KeyHandle,
        iv: &[u8],
        chance: &mut Chance,
    ) -> Result<(Vec<u8>, usize), KeyError>;

    /// KBEK and KBAK of a key block protection key for a version of key block. // X9.143 §7.3
    ///
    /// # Errors
    /// [`KeyError::Purpose`], [`KeyError::Tr31`] where the version is for another cipher.
    fn tr31_keys(&self, kbpk: &KeyHandle, version: Version) -> Result<(KeyHandle, KeyHandle), KeyError>;

    /// Opens a key block.
    ///
    /// # Errors
    /// [`KeyError::Tr31`], [`KeyError::Purpose`].
    fn tr31_unwrap(&self, kbpk: &KeyHandle, block: &KeyBlock) -> Result<ArrivedKey, KeyError>;

    /// Takes in a key that has come in a key block, for this purpose.
    ///
    /// # Errors
    /// [`KeyError::Tr31`] where its usage does not allow it, [`KeyError::Value`].
    fn tr31_take(&self, arrived: ArrivedKey, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError>;

    /// Makes a key block of a key in custody, its length hidden where `hide` is set.
    ///
    /// # Errors
    /// [`KeyError::Tr31`], [`KeyError::Purpose`]; [`KeyError::HeaderKcv`] if the header states another check value (KC) than
    /// the key has; [`KeyError::Unable`] where the key cannot leave its store.
    fn tr31_wrap(
        &self,
        kbpk: &KeyHandle,
        header: &Header,
        key: &KeyHandle,
        hide: bool,
        chance: &mut Chance,
    ) -> Result<String, KeyError>;

    /// Opens a body sealed with AES-256-GCM under a record key.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] with [`CryptoError::Tag`](crate::base::crypto::CryptoError::Tag) where header, body or key differ.
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
