//! Whichever store a command was given.

use std::marker::PhantomData;

use super::engine::Engine;
use super::handle::Label;
use super::pkcs11::Pkcs11Store;
use super::verb::Use;
use super::{Derivation, JweAlgorithm, KeyError, KeyHandle, KeyInfo, SoftwareStore};
use crate::base::Secret;
use crate::base::crypto::{NONCE, RsaPublic, TAG};

/// Keys for jobs: the use of every store, unless it is opened for the calculator.
pub enum ForJobs {}

/// Keys for `perso calc`.
pub enum ForCalculator {}

/// What a store's keys are opened for, as a type: a calculation that takes an `AnyStore<ForCalculator>` cannot be
/// given a job's keys.
pub trait Serving: Send + Sync {
    /// As a value.
    const USE: Use;
}

impl Serving for ForJobs {
    const USE: Use = Use::Job;
}

impl Serving for ForCalculator {
    const USE: Use = Use::Calculator;
}

/// A key file or a token.
pub struct AnyStore<S = ForJobs> {
    kind: Kind,
    serving: PhantomData<S>,
}

enum Kind {
    File(SoftwareStore),
    Token(Pkcs11Store),
}

impl<S: Serving> From<SoftwareStore> for AnyStore<S> {
    fn from(store: SoftwareStore) -> Self {
        Self { kind: Kind::File(store), serving: PhantomData }
    }
}

impl<S: Serving> From<Pkcs11Store> for AnyStore<S> {
    fn from(store: Pkcs11Store) -> Self {
        Self { kind: Kind::Token(store), serving: PhantomData }
    }
}

macro_rules! each {
    ($store:expr, $inner:ident => $call:expr) => {
        match &$store.kind {
            Kind::File($inner) => $call,
            Kind::Token($inner) => $call,
        }
    };
}

impl<S: Serving> Engine for AnyStore<S> {
    fn serves(&self) -> Use {
        S::USE
    }

    fn infos(&self) -> &[KeyInfo] {
        each!(self, store => Engine::infos(store))
    }

    fn load(&self, info: &KeyInfo) -> Result<KeyHandle, KeyError> {
        each!(self, store => Engine::load(store, info))
    }

    fn opened(&self, info: &KeyInfo) -> Option<KeyHandle> {
        each!(self, store => Engine::opened(store, info))
    }

    fn passed(&self, info: &KeyInfo, key: &KeyHandle) {
        each!(self, store => Engine::passed(store, info, key));
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

    fn unwrap_inside(
        &self,
        kek: &KeyHandle,
        value: &[u8],
        cbc: bool,
        label: Label,
    ) -> Result<Option<KeyHandle>, KeyError> {
        each!(self, store => Engine::unwrap_inside(store, kek, value, cbc, label))
    }

    fn derive(
        &self,
        from: &KeyHandle,
        how: &Derivation<'_>,
        label: Label,
        to_seal: bool,
    ) -> Result<KeyHandle, KeyError> {
        each!(self, store => Engine::derive(store, from, how, label, to_seal))
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

    fn public_info(&self, key: &KeyHandle) -> Result<Vec<u8>, KeyError> {
        each!(self, store => Engine::public_info(store, key))
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
