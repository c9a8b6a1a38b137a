//! Whichever store a command was given.

use super::engine::Engine;
use super::handle::Label;
use super::pkcs11::Pkcs11Store;
use super::{Derivation, JweAlgorithm, KeyError, KeyHandle, KeyInfo, SoftwareStore};
use crate::base::Secret;
use crate::base::crypto::{NONCE, RsaPublic, TAG};

/// A key file or a token.
pub enum AnyStore {
    /// A key file's keys, in this process.
    File(SoftwareStore),
    /// A token.
    Token(Pkcs11Store),
}

macro_rules! each {
    ($store:expr, $inner:ident => $call:expr) => {
        match $store {
            AnyStore::File($inner) => $call,
            AnyStore::Token($inner) => $call,
        }
    };
}

impl Engine for AnyStore {
    fn infos(&self) -> &[KeyInfo] {
        each!(self, store => Engine::infos(store))
    }

    fn load(&self, info: &KeyInfo) -> Result<KeyHandle, KeyError> {
        each!(self, store => Engine::load(store, info))
    }

    fn copy(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError> {
        each!(self, store => Engine::copy(store, key))
    }

    fn take_in(&self, label: Label, value: Secret<Vec<u8>>) -> Result<KeyHandle, KeyError> {
        each!(self, store => Engine::take_in(store, label, value))
    }

    fn value(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        each!(self, store => Engine::value(store, key))
    }

    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>, label: Label) -> Result<KeyHandle, KeyError> {
        each!(self, store => Engine::derive(store, from, how, label))
    }

    fn variant(&self, from: &KeyHandle, mask: u8, label: Label) -> Result<KeyHandle, KeyError> {
        each!(self, store => Engine::variant(store, from, mask, label))
    }

    fn encrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        each!(self, store => Engine::encrypt(store, key, iv, data))
    }

    fn decrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        each!(self, store => Engine::decrypt(store, key, iv, data))
    }

    fn cmac(&self, key: &KeyHandle, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        each!(self, store => Engine::cmac(store, key, data))
    }

    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        each!(self, store => Engine::retail_mac(store, key, data))
    }

    fn gcm_seal(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError> {
        each!(self, store => Engine::gcm_seal(store, key, nonce, header, body))
    }

    fn gcm_open(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError> {
        each!(self, store => Engine::gcm_open(store, key, nonce, header, body, tag))
    }

    fn fingerprint(&self, key: &KeyHandle) -> Result<[u8; 32], KeyError> {
        each!(self, store => Engine::fingerprint(store, key))
    }

    fn rsa_raw(&self, key: &KeyHandle, block: &[u8]) -> Result<Vec<u8>, KeyError> {
        each!(self, store => Engine::rsa_raw(store, key, block))
    }

    fn rsa_public(&self, key: &KeyHandle) -> Result<RsaPublic, KeyError> {
        each!(self, store => Engine::rsa_public(store, key))
    }

    fn content_key(&self, key: &KeyHandle, how: &JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        each!(self, store => Engine::content_key(store, key, how))
    }
}
