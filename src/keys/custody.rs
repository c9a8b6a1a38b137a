//! The verbs of a key store, written once over the engine of each.

use super::engine::{Engine, crypto_error, wrong_kind};
use super::handle::Label;
use super::{
    Algorithm, CardForm, CardPadding, Derivation, JweAlgorithm, Kcv, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose,
    Sealed,
};
use crate::base::Secret;
use crate::base::crypto::{self, Cipher, CryptoError, KcvMethod, NONCE, TAG};

impl<E: Engine> KeyStore for E {
    fn keys(&self) -> &[KeyInfo] {
        self.infos()
    }

    fn open(&self, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError> {
        let info = self.infos().iter().find(|info| info.name == name);
        let info = info.ok_or_else(|| KeyError::Unknown(name.to_owned()))?;
        if info.purpose != purpose {
            return Err(KeyError::Purpose { name: name.to_owned(), is: info.purpose, wanted: purpose });
        }
        let key = self.load(info)?;
        let seen = Kcv { method: info.kcv.method, value: self.kcv(&key, info.kcv.method, info.kcv.value.len())? };
        if seen != info.kcv {
            return Err(KeyError::Kcv { name: name.to_owned(), stated: info.kcv.clone(), seen });
        }
        Ok(key)
    }

    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError> {
        let length = match how {
            Derivation::Ecb(data) | Derivation::CbcZero(data) => data.len(),
            Derivation::Cmac { length, .. } => *length,
        };
        let algorithm =
            Algorithm::of(cipher(from)?, length).ok_or_else(|| crypto_error(from)(CryptoError::KeyLength(length)))?;
        Engine::derive(self, from, how, Label { algorithm, derived: true, ..from.label().clone() })
    }

    fn session_key(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        match how {
            Derivation::Ecb(data) => self.encrypt(from, None, data),
            Derivation::CbcZero(data) => self.encrypt(from, Some(zero_iv(cipher(from)?)), data),
            Derivation::Cmac { messages, length } => concatenated_cmac(self, from, messages, *length),
        }
        .map(Secret::new)
    }

    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        if key.algorithm() != Algorithm::Tdes2 {
            return Err(wrong_kind(key));
        }
        if data.is_empty() || !data.len().is_multiple_of(8) {
            return Err(crypto_error(key)(CryptoError::DataLength(data.len())));
        }
        Engine::retail_mac(self, key, data)
    }

    fn duplicate(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError> {
        self.copy(key)
    }

    fn kcv(&self, key: &KeyHandle, method: KcvMethod, length: usize) -> Result<Vec<u8>, KeyError> {
        if !key.algorithm().has_check_value(method) {
            return Err(wrong_kind(key));
        }
        let mut value = match method {
            KcvMethod::DesZero => self.encrypt(key, None, &[0; 8])?,
            KcvMethod::AesZero => self.encrypt(key, None, &[0; 16])?,
            KcvMethod::AesOnes => self.encrypt(key, None, &[1; 16])?,
            KcvMethod::Cmac => self.cmac(key, zero_iv(cipher(key)?))?,
            KcvMethod::SpkiSha256 => self.fingerprint(key)?.to_vec(),
        };
        value.truncate(length);
        Ok(value)
    }

    fn reseal(
        &self,
        from: &KeyHandle,
        sealed: &Sealed<'_>,
        to: &KeyHandle,
        form: CardForm,
    ) -> Result<Vec<u8>, KeyError> {
        for_purpose(from, Purpose::Transport)?;
        let clear = unseal(self, from, sealed)?;
        let cipher = cipher(to)?;
        let padded = Secret::new(match form.padding {
            CardPadding::None => clear.expose().clone(),
            CardPadding::Always => crypto::pad_80(clear.expose(), cipher.block()),
            CardPadding::IfNeeded => crypto::pad_80_if_needed(clear.expose(), cipher.block()),
        });
        self.encrypt(to, form.cbc.then(|| zero_iv(cipher)), padded.expose())
    }

    fn seal(&self, key: &KeyHandle, iv: &[u8], clear: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        let padded = Secret::new(crypto::pad_80(clear.expose(), cipher(key)?.block()));
        self.encrypt(key, Some(iv), padded.expose())
    }

    fn open_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError> {
        for_purpose(key, Purpose::Record)?;
        self.gcm_open(key, nonce, header, body, tag)
    }

    fn seal_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError> {
        for_purpose(key, Purpose::Record)?;
        self.gcm_seal(key, nonce, header, body)
    }

    fn jwe_content_key(&self, key: &KeyHandle, how: JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        for_purpose(key, Purpose::Jwe)?;
        self.content_key(key, &how)
    }

    fn expose_test_key(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        if !key.is_test() {
            return Err(KeyError::Live(key.name().to_owned()));
        }
        self.value(key)
    }
}

/// A key is used for its own purpose only, and what was derived from it for another.
pub(super) fn for_purpose(key: &KeyHandle, wanted: Purpose) -> Result<(), KeyError> {
    if key.purpose() == wanted && !key.is_derived() {
        return Ok(());
    }
    Err(KeyError::Purpose { name: key.name().to_owned(), is: key.purpose(), wanted })
}

pub(super) fn cipher(key: &KeyHandle) -> Result<Cipher, KeyError> {
    key.algorithm().cipher().ok_or_else(|| wrong_kind(key))
}

pub(super) fn zero_iv(cipher: Cipher) -> &'static [u8] {
    match cipher {
        Cipher::Tdes => &[0; 8],
        Cipher::Aes => &[0; 16],
    }
}

fn concatenated_cmac(
    engine: &impl Engine,
    key: &KeyHandle,
    messages: &[Vec<u8>],
    length: usize,
) -> Result<Vec<u8>, KeyError> {
    let mut out = Vec::with_capacity(messages.len() * cipher(key)?.block());
    for message in messages {
        out.extend(engine.cmac(key, message)?);
    }
    if out.len() < length {
        return Err(crypto_error(key)(CryptoError::DataLength(length)));
    }
    out.truncate(length);
    Ok(out)
}

/// Takes a value out of its seal under a transport key.
pub(super) fn unseal(engine: &impl Engine, from: &KeyHandle, sealed: &Sealed<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
    let broken = |why| KeyError::Seal { name: from.name().to_owned(), why };
    let padded = engine.decrypt(from, sealed.iv, sealed.ciphertext).map_err(|error| match error {
        KeyError::Crypto { .. } => broken("it is not whole blocks, or its IV has the wrong length"),
        other => other,
    })?;
    let clear = crypto::unpad_80(padded.expose()).map_err(|_| broken("its padding is broken"))?;
    if clear.len() != sealed.length {
        return Err(broken("its length is not the stated one"));
    }
    Ok(Secret::new(clear.to_vec()))
}
