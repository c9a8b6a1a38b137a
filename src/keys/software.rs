//! Keys held in this process.

use super::handle::Repr;
use super::{
    Algorithm, CardForm, CardPadding, Derivation, Kcv, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose, Sealed,
};
use crate::base::Secret;
use crate::base::crypto::{self, Cipher, CryptoError, KcvMethod, NONCE, TAG};

/// A key store in this process's memory. The values are wiped when it goes.
pub struct SoftwareStore {
    infos: Vec<KeyInfo>,
    values: Vec<Secret<Vec<u8>>>,
}

impl SoftwareStore {
    /// A store of these keys. Check values are compared when a key is opened.
    pub fn new(keys: Vec<(KeyInfo, Secret<Vec<u8>>)>) -> Self {
        let (infos, values) = keys.into_iter().unzip();
        Self { infos, values }
    }
}

impl KeyStore for SoftwareStore {
    fn keys(&self) -> &[KeyInfo] {
        &self.infos
    }

    fn open(&self, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError> {
        let (info, value) = self
            .infos
            .iter()
            .zip(&self.values)
            .find(|(info, _)| info.name == name)
            .ok_or_else(|| KeyError::Unknown(name.to_owned()))?;
        if info.purpose != purpose {
            return Err(KeyError::Purpose { name: name.to_owned(), is: info.purpose, wanted: purpose });
        }
        let handle = KeyHandle::held(info.name.clone(), info.algorithm, info.test, Secret::new(value.expose().clone()));
        let seen = Kcv { method: info.kcv.method, value: self.kcv(&handle, info.kcv.method, info.kcv.value.len())? };
        if seen != info.kcv {
            return Err(KeyError::Kcv { name: name.to_owned(), stated: info.kcv.clone(), seen });
        }
        Ok(handle)
    }

    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError> {
        let value = self.session_key(from, how)?;
        let algorithm = Algorithm::of(from.algorithm().cipher(), value.len())
            .ok_or_else(|| crypto_error(from)(CryptoError::KeyLength(value.len())))?;
        Ok(KeyHandle::held(from.name().to_owned(), algorithm, from.is_test(), value))
    }

    fn session_key(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        let cipher = from.algorithm().cipher();
        let key = value(from)?.expose();
        match how {
            Derivation::Ecb(data) => cipher.ecb_encrypt(key, data),
            Derivation::CbcZero(data) => cipher.cbc_encrypt(key, zero_iv(cipher), data),
            Derivation::Cmac { messages, length } => concatenated_cmac(cipher, key, messages, *length),
        }
        .map(Secret::new)
        .map_err(crypto_error(from))
    }

    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        if key.algorithm() != Algorithm::Tdes2 {
            return Err(crypto_error(key)(CryptoError::KeyLength(key.algorithm().key_length())));
        }
        crypto::retail_mac(value(key)?.expose(), &[0; 8], data).map_err(crypto_error(key))
    }

    fn duplicate(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError> {
        let copy = Secret::new(value(key)?.expose().clone());
        Ok(KeyHandle::held(key.name().to_owned(), key.algorithm(), key.is_test(), copy))
    }

    fn kcv(&self, key: &KeyHandle, method: KcvMethod, length: usize) -> Result<Vec<u8>, KeyError> {
        let cipher = key.algorithm().cipher();
        let fits = match method {
            KcvMethod::DesZero => cipher == Cipher::Tdes,
            KcvMethod::AesZero | KcvMethod::AesOnes => cipher == Cipher::Aes,
            KcvMethod::Cmac => true,
        };
        if !fits {
            return Err(crypto_error(key)(CryptoError::KeyLength(key.algorithm().key_length())));
        }
        crypto::kcv(value(key)?.expose(), method, cipher == Cipher::Tdes, length).map_err(crypto_error(key))
    }

    fn reseal(
        &self,
        from: &KeyHandle,
        sealed: &Sealed<'_>,
        to: &KeyHandle,
        form: CardForm,
    ) -> Result<Vec<u8>, KeyError> {
        let clear = open_sealed(from, sealed)?;
        let cipher = to.algorithm().cipher();
        let padded = Secret::new(match form.padding {
            CardPadding::None => clear.expose().clone(),
            CardPadding::Always => crypto::pad_80(clear.expose(), cipher.block()),
            CardPadding::IfNeeded => crypto::pad_80_if_needed(clear.expose(), cipher.block()),
        });
        let key = value(to)?.expose();
        if form.cbc {
            cipher.cbc_encrypt(key, zero_iv(cipher), padded.expose())
        } else {
            cipher.ecb_encrypt(key, padded.expose())
        }
        .map_err(crypto_error(to))
    }

    fn seal(&self, key: &KeyHandle, iv: &[u8], clear: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        let cipher = key.algorithm().cipher();
        let padded = Secret::new(crypto::pad_80(clear.expose(), cipher.block()));
        cipher.cbc_encrypt(value(key)?.expose(), iv, padded.expose()).map_err(crypto_error(key))
    }

    fn open_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError> {
        crypto::gcm_open(value(key)?.expose(), nonce, header, body, tag).map(Secret::new).map_err(crypto_error(key))
    }

    fn seal_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError> {
        crypto::gcm_seal(value(key)?.expose(), nonce, header, body.expose()).map_err(crypto_error(key))
    }

    fn expose_test_key(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        if !key.is_test() {
            return Err(KeyError::Live(key.name().to_owned()));
        }
        Ok(Secret::new(value(key)?.expose().clone()))
    }
}

fn value(key: &KeyHandle) -> Result<&Secret<Vec<u8>>, KeyError> {
    match key.repr() {
        Repr::Held(value) => Ok(value),
    }
}

fn crypto_error(key: &KeyHandle) -> impl Fn(CryptoError) -> KeyError {
    let name = key.name().to_owned();
    move |source| KeyError::Crypto { name: name.clone(), source }
}

fn zero_iv(cipher: Cipher) -> &'static [u8] {
    match cipher {
        Cipher::Tdes => &[0; 8],
        Cipher::Aes => &[0; 16],
    }
}

fn concatenated_cmac(cipher: Cipher, key: &[u8], messages: &[Vec<u8>], length: usize) -> Result<Vec<u8>, CryptoError> {
    let mut out = Vec::with_capacity(messages.len() * cipher.block());
    for message in messages {
        match cipher {
            Cipher::Tdes => out.extend(crypto::tdes_cmac(key, message)?),
            Cipher::Aes => out.extend(crypto::aes_cmac(key, message)?),
        }
    }
    if out.len() < length {
        return Err(CryptoError::DataLength(length));
    }
    out.truncate(length);
    Ok(out)
}

fn open_sealed(from: &KeyHandle, sealed: &Sealed<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
    let broken = |why| KeyError::Seal { name: from.name().to_owned(), why };
    let cipher = from.algorithm().cipher();
    let key = value(from)?.expose();
    let padded = match sealed.iv {
        Some(iv) => cipher.cbc_decrypt(key, iv, sealed.ciphertext),
        None => cipher.ecb_decrypt(key, sealed.ciphertext),
    }
    .map(Secret::new)
    .map_err(|_| broken("it is not whole blocks, or its IV has the wrong length"))?;
    let clear = crypto::unpad_80(padded.expose()).map_err(|_| broken("its padding is broken"))?;
    if clear.len() != sealed.length {
        return Err(broken("its length is not the stated one"));
    }
    Ok(Secret::new(clear.to_vec()))
}
