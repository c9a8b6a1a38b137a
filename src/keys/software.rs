//! Keys held in this process.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::compute::{check_value, cipher, derived_value};
use super::engine::{Engine, crypto_error, wrong_kind};
use super::handle::{Label, Repr};
use super::private::{PrivateKey, PrivateKeyError};
use super::{Derivation, JweAlgorithm, Kcv, KeyError, KeyHandle, KeyInfo, weak};
use crate::base::crypto::{self, Cipher, NONCE, RsaPublic, TAG};
use crate::base::{Secret, Warning};

/// A key store in this process's memory. The values are wiped when it goes.
pub struct SoftwareStore {
    infos: Vec<KeyInfo>,
    /// Places in the lists by name.
    places: HashMap<String, usize>,
    values: Vec<Secret<Vec<u8>>>,
    /// Private keys that were opened and tested.
    tested: Vec<OnceLock<PrivateKey>>,
    /// Keys that have passed the checks of their opening.
    passed: Vec<AtomicBool>,
}

impl SoftwareStore {
    /// A store of these keys: those of ciphers as they are, private keys in PKCS#8 (DER). Check values are compared
    /// when a key is opened.
    pub fn new(keys: Vec<(KeyInfo, Secret<Vec<u8>>)>) -> Self {
        let (infos, values): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        for value in &values {
            super::lock_pages(value);
        }
        let tested = infos.iter().map(|_| OnceLock::new()).collect();
        let passed = infos.iter().map(|_| AtomicBool::new(false)).collect();
        let places = infos.iter().enumerate().map(|(at, info): (usize, &KeyInfo)| (info.name.clone(), at)).collect();
        Self { infos, places, values, tested, passed }
    }

    /// The check value of a key, whatever is stated beside it.
    pub(super) fn check_value(&self, info: &KeyInfo) -> Result<Vec<u8>, KeyError> {
        check_value(self, &self.load(info)?, info.kcv.method, info.kcv.value.len())
    }

    /// Tests a private key in full, prime tests included, before it is stored: they are not repeated at each use.
    pub(super) fn test_whole(&self, info: &KeyInfo) -> Result<(), KeyError> {
        Self::test(&self.load(info)?)
    }

    fn test(key: &KeyHandle) -> Result<(), KeyError> {
        match key.repr() {
            Repr::Private(private) if !private.is_good() => Err(KeyError::Value { name: key.name().to_owned() }),
            _ => Ok(()),
        }
    }

    /// Compares every symmetric key's check value with the one that is stated beside it. A private key's, and whether it has
    /// changed, are tested where it is opened: for every key of a file at each start that would take long.
    pub(super) fn compare_check_values(&self) -> Result<(), KeyError> {
        let mut symmetric = self.infos.iter().filter(|info| info.algorithm.cipher().is_some());
        symmetric.try_for_each(|info| {
            let seen = Kcv { method: info.kcv.method, value: self.check_value(info)? };
            let (name, stated) = (info.name.clone(), info.kcv.clone());
            if seen == info.kcv { Ok(()) } else { Err(KeyError::Kcv { name, stated, seen }) }
        })
    }

    /// Its weak keys. Live ones among them are refused when they are opened.
    pub fn warnings(&self) -> Vec<Warning> {
        let weak = |(info, value)| weak::of(info, value).and_then(|weakness| weak::warning(info, weakness));
        self.infos.iter().zip(&self.values).filter_map(weak).collect()
    }

    /// Whether it holds live keys.
    pub fn is_live(&self) -> bool {
        self.infos.iter().any(|info| !info.test)
    }

    fn of(label: Label, value: Secret<Vec<u8>>) -> Result<KeyHandle, KeyError> {
        let bad = |name: &str| KeyError::Value { name: name.to_owned() };
        let repr = match label.algorithm.cipher() {
            Some(_) if value.len() != label.algorithm.key_length() => return Err(bad(&label.name)),
            Some(_) => Repr::Held(value),
            None => Repr::Private(PrivateKey::read(&value, label.algorithm).ok_or_else(|| bad(&label.name))?),
        };
        Ok(KeyHandle::new(label, repr))
    }
}

impl Engine for SoftwareStore {
    fn infos(&self) -> &[KeyInfo] {
        &self.infos
    }

    fn load(&self, info: &KeyInfo) -> Result<KeyHandle, KeyError> {
        let found = self
            .places
            .get(&info.name)
            .and_then(|&at| Some((self.infos.get(at)?, self.values.get(at)?, self.tested.get(at)?)));
        let (held, value, tested) = found.ok_or_else(|| KeyError::Unknown(info.name.clone().into()))?;
        if let Some(private) = tested.get().filter(|_| held.algorithm == info.algorithm) {
            return Ok(KeyHandle::new(Label::of(info), Repr::Private(private.clone())));
        }
        let key = Self::of(Label::of(info), Secret::new(value.expose().clone()))?;
        if let (Repr::Private(private), true) = (key.repr(), held.algorithm == info.algorithm) {
            tested.get_or_init(|| private.clone());
        }
        Ok(key)
    }

    fn opened(&self, info: &KeyInfo) -> Option<KeyHandle> {
        let at = *self.places.get(&info.name)?;
        // A store's values never change.
        self.passed.get(at)?.load(Ordering::Relaxed).then(|| self.load(info).ok())?
    }

    fn passed(&self, info: &KeyInfo, _key: &KeyHandle) {
        let passed = self.places.get(&info.name).and_then(|&at| self.passed.get(at));
        passed.into_iter().for_each(|passed| passed.store(true, Ordering::Relaxed));
    }

    fn copy(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError> {
        let repr = match key.repr() {
            Repr::Held(value) => Repr::Held(Secret::new(value.expose().clone())),
            Repr::Private(private) => Repr::Private(private.clone()),
            Repr::Token(_) => return Err(KeyError::Foreign(key.name().to_owned())),
        };
        Ok(KeyHandle::new(key.label().clone(), repr))
    }

    fn take_in(&self, label: Label, value: Secret<Vec<u8>>) -> Result<KeyHandle, KeyError> {
        let key = Self::of(label, value)?;
        Self::test(&key)?;
        Ok(key)
    }

    fn value(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        match key.repr() {
            Repr::Held(value) => Ok(Secret::new(value.expose().clone())),
            Repr::Private(private) => private.to_pkcs8().map_err(private_error(key)),
            Repr::Token(_) => Err(KeyError::Foreign(key.name().to_owned())),
        }
    }

    fn derive(
        &self,
        from: &KeyHandle,
        how: &Derivation<'_>,
        label: Label,
        _to_seal: bool,
    ) -> Result<KeyHandle, KeyError> {
        Self::of(label, derived_value(self, from, how)?)
    }

    fn variant(&self, from: &KeyHandle, mask: u8, label: Label) -> Result<KeyHandle, KeyError> {
        Self::of(label, Secret::new(held(from)?.iter().map(|byte| byte ^ mask).collect()))
    }

    fn encrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cipher = cipher(key)?;
        match iv {
            Some(iv) => cipher.cbc_encrypt(held(key)?, iv, data),
            None => cipher.ecb_encrypt(held(key)?, data),
        }
        .map_err(crypto_error(key))
    }

    fn decrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        let cipher = cipher(key)?;
        match iv {
            Some(iv) => cipher.cbc_decrypt(held(key)?, iv, data),
            None => cipher.ecb_decrypt(held(key)?, data),
        }
        .map(Secret::new)
        .map_err(crypto_error(key))
    }

    fn cmac(&self, key: &KeyHandle, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        match cipher(key)? {
            Cipher::Tdes => crypto::tdes_cmac(held(key)?, data).map(|mac| Zeroizing::new(mac).to_vec()),
            Cipher::Aes => crypto::aes_cmac(held(key)?, data).map(|mac| Zeroizing::new(mac).to_vec()),
        }
        .map_err(crypto_error(key))
    }

    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        crypto::retail_mac(held(key)?, &[0; 8], data).map_err(crypto_error(key))
    }

    fn gcm_seal(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError> {
        crypto::gcm_seal(held(key)?, nonce, header, body.expose()).map_err(crypto_error(key))
    }

    fn gcm_open(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError> {
        crypto::gcm_open(held(key)?, nonce, header, body, tag).map(Secret::new).map_err(crypto_error(key))
    }

    fn public_info(&self, key: &KeyHandle) -> Result<Vec<u8>, KeyError> {
        private(key)?.public_info().map_err(private_error(key))
    }

    fn rsa_raw(&self, key: &KeyHandle, block: &[u8]) -> Result<Vec<u8>, KeyError> {
        private(key)?.rsa_raw(block).map_err(private_error(key))
    }

    fn rsa_public(&self, key: &KeyHandle) -> Result<RsaPublic, KeyError> {
        private(key)?.rsa_public().map_err(private_error(key))
    }

    fn content_key(&self, key: &KeyHandle, how: &JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        private(key)?.content_key(how).map_err(private_error(key))
    }
}

fn held(key: &KeyHandle) -> Result<&[u8], KeyError> {
    match key.repr() {
        Repr::Held(value) => Ok(value.expose()),
        Repr::Private(_) => Err(wrong_kind(key)),
        Repr::Token(_) => Err(KeyError::Foreign(key.name().to_owned())),
    }
}

fn private(key: &KeyHandle) -> Result<&PrivateKey, KeyError> {
    match key.repr() {
        Repr::Private(private) => Ok(private),
        Repr::Held(_) => Err(wrong_kind(key)),
        Repr::Token(_) => Err(KeyError::Foreign(key.name().to_owned())),
    }
}

fn private_error(key: &KeyHandle) -> impl Fn(PrivateKeyError) -> KeyError {
    let (name, is) = (key.name().to_owned(), key.algorithm());
    move |error| match error {
        PrivateKeyError::Kind => KeyError::Kind { name: name.clone(), is },
        PrivateKeyError::NotForIt => KeyError::NotForIt(name.clone()),
    }
}
