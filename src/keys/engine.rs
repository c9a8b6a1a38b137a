//! What a key store is made of: the few operations in which a software file and a token differ. Everything else is
//! written once, in `custody.rs`.

use super::{Derivation, JweAlgorithm, KeyError, KeyHandle, KeyInfo};
use crate::base::Secret;
use crate::base::crypto::{CryptoError, NONCE, RsaPublic, TAG};
use crate::keys::handle::Label;
use crate::keys::verb::Use;

/// The operations. None of them looks at purposes.
pub trait Engine: Send + Sync {
    /// What is in custody.
    fn infos(&self) -> &[KeyInfo];

    /// What its keys are opened for.
    fn serves(&self) -> Use {
        Use::Job
    }

    /// A handle to a key in custody.
    fn load(&self, info: &KeyInfo) -> Result<KeyHandle, KeyError>;

    /// Another handle to a key that has passed the checks of its opening before; none if it has not yet.
    fn opened(&self, _info: &KeyInfo) -> Option<KeyHandle> {
        None
    }

    /// Keeps that a key has passed the checks of its opening, so that the next opening need not repeat them.
    fn passed(&self, _info: &KeyInfo, _key: &KeyHandle) {}

    /// Another handle to the same key.
    fn copy(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError>;

    /// Takes a value into custody for as long as its handle lives.
    fn take_in(&self, label: Label, value: Secret<Vec<u8>>) -> Result<KeyHandle, KeyError>;

    /// The value of a key. A token gives it for keys only that were derived to be sealed.
    fn value(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError>;

    /// Takes in a key that arrives under a KEK (CBC with a zero IV, or ECB) without its value being seen; none if the
    /// store cannot, so that it is deciphered and taken in.
    fn unwrap_inside(
        &self,
        _kek: &KeyHandle,
        _value: &[u8],
        _cbc: bool,
        _label: Label,
    ) -> Result<Option<KeyHandle>, KeyError> {
        Ok(None)
    }

    /// Derives a key without its value being seen. The label is the new key's. Only a key that is derived `to_seal` gives
    /// its value.
    fn derive(
        &self,
        from: &KeyHandle,
        how: &Derivation<'_>,
        label: Label,
        to_seal: bool,
    ) -> Result<KeyHandle, KeyError>;

    /// A variant of a triple DES key: each byte with this mask. Tokens may not be able to.
    fn variant(&self, from: &KeyHandle, mask: u8, label: Label) -> Result<KeyHandle, KeyError>;

    /// Enciphers whole blocks: CBC with an IV, ECB without.
    fn encrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Deciphers whole blocks: CBC with an IV, ECB without.
    fn decrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Secret<Vec<u8>>, KeyError>;

    /// CMAC of the key's cipher: 8 or 16 bytes.
    fn cmac(&self, key: &KeyHandle, data: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// ISO 9797-1 algorithm 3 over whole blocks.
    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError>;

    /// AES-256-GCM.
    fn gcm_seal(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError>;

    /// AES-256-GCM.
    fn gcm_open(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError>;

    /// The public half of a key pair: SubjectPublicKeyInfo (DER).
    fn public_info(&self, key: &KeyHandle) -> Result<Vec<u8>, KeyError>;

    /// The raw private operation of an RSA key.
    fn rsa_raw(&self, key: &KeyHandle, block: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// The public half of an RSA key.
    fn rsa_public(&self, key: &KeyHandle) -> Result<RsaPublic, KeyError>;

    /// The content key of an encrypted text.
    fn content_key(&self, key: &KeyHandle, how: &JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError>;
}

/// A cipher's error with the name of the key.
pub(super) fn crypto_error(key: &KeyHandle) -> impl Fn(CryptoError) -> KeyError {
    let name = key.name().to_owned();
    move |source| KeyError::Crypto { name: name.clone(), source }
}

/// A key of another kind than the operation takes.
pub(super) fn wrong_kind(key: &KeyHandle) -> KeyError {
    KeyError::Kind { name: key.name().to_owned(), is: key.algorithm() }
}
