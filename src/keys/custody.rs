//! The verbs of a key store, written once over the engine of each.

use zeroize::Zeroizing;

use super::engine::{Engine, crypto_error, wrong_kind};
use super::handle::Label;
use super::header::Limits;
use super::pin::{self, ArrivedPin, CardPin, Pin};
use super::private::from_pkcs8;
use super::tr31::{self, ArrivedKey, Header, KeyBlock, Version};
use super::{
    Algorithm, BlockForm, CardForm, CardPadding, Derivation, JweAlgorithm, Kcv, KeyError, KeyHandle, KeyInfo, KeyStore,
    Purpose, Sealed, WrappedKey,
};
use crate::base::crypto::{self, Cipher, CryptoError, KcvMethod, NONCE, RsaPublic, TAG};
use crate::base::emv::Pan;
use crate::base::{Chance, Secret};

/// Shortest check value that says anything, in bytes.
const SHORTEST_KCV: usize = 3;

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
        Engine::derive(
            self,
            from,
            how,
            Label { algorithm, derived: true, limits: Limits::NONE, ..from.label().clone() },
        )
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
        together(from, to)?;
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
        for_purpose(key, Purpose::Transport)?;
        let padded = Secret::new(crypto::pad_80(clear.expose(), cipher(key)?.block()));
        self.encrypt(key, Some(iv), padded.expose())
    }

    fn seal_keys(&self, keys: &[&KeyHandle], under: &KeyHandle, iv: &[u8]) -> Result<(Vec<u8>, usize), KeyError> {
        let mut all = Zeroizing::new(Vec::with_capacity(keys.len() * 32));
        for key in keys {
            together(key, under)?;
            if !key.is_derived() {
                return Err(KeyError::Static(key.name().to_owned()));
            }
            let parity = cipher(key)? == Cipher::Tdes;
            all.extend(self.value(key)?.expose().iter().map(|byte| if parity { odd(*byte) } else { *byte }));
        }
        let clear = Secret::new(std::mem::take(&mut *all));
        Ok((KeyStore::seal(self, under, iv, &clear)?, clear.len()))
    }

    fn sealed_check_values(&self, from: &KeyHandle, sealed: &Sealed<'_>, length: usize) -> Result<Vec<u8>, KeyError> {
        for_purpose(from, Purpose::Transport)?;
        let clear = unseal(self, from, sealed)?;
        let algorithm = Algorithm::Tdes2;
        let keys = clear.expose().chunks_exact(algorithm.key_length());
        if clear.is_empty() || !keys.remainder().is_empty() {
            return Err(KeyError::Seal { name: from.name().to_owned(), why: "it holds no whole keys" });
        }
        let values = keys.map(|key| {
            let label = Label { algorithm, derived: true, limits: Limits::NONE, ..from.label().clone() };
            self.kcv(&self.take_in(label, Secret::new(key.to_vec()))?, KcvMethod::DesZero, length)
        });
        Ok(values.collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn unwrap(&self, kek: &KeyHandle, wrapped: &WrappedKey<'_>, purpose: Purpose) -> Result<KeyHandle, KeyError> {
        unwrap_key(self, kek, wrapped, purpose)
    }

    fn open_block(
        &self,
        kek: &KeyHandle,
        mac_key: &[u8],
        data: &[u8],
        form: BlockForm,
        mac: [u8; 4],
    ) -> Result<Secret<Vec<u8>>, KeyError> {
        for_purpose(kek, Purpose::Kek)?;
        let key = self.decrypt(kek, None, mac_key)?;
        // A single DES MAC is algorithm 3 under a key whose halves are equal.
        let key = Secret::new(key.expose().iter().copied().cycle().take(16).collect::<Vec<u8>>());
        let right = |of: &[u8]| {
            let padded = Secret::new(crypto::pad_80(of, 8));
            let seen = crypto::retail_mac(key.expose(), &[0; 8], padded.expose()).map_err(crypto_error(kek))?;
            let right = Secret::new(mac.to_vec()).equals(seen.get(..4).unwrap_or_default());
            if right { Ok(()) } else { Err(KeyError::NotForIt(kek.name().to_owned())) }
        };
        // Nothing is opened whose MAC can be checked before.
        if form.mac_over_enciphered || !form.enciphered {
            right(data)?;
        }
        if !form.enciphered {
            return Ok(Secret::new(data.to_vec()));
        }
        let clear = self.decrypt(kek, Some(zero_iv(cipher(kek)?)), data)?;
        let clear = match form.padded {
            true => {
                let bare = crypto::unpad_80(clear.expose()).map(<[u8]>::to_vec).map(Secret::new);
                bare.map_err(|_| KeyError::NotForIt(kek.name().to_owned()))?
            }
            false => clear,
        };
        if !form.mac_over_enciphered {
            right(clear.expose())?;
        }
        Ok(clear)
    }

    fn open_pin(&self, arrived: &ArrivedPin<'_>, pan: &Pan) -> Result<Pin, KeyError> {
        pin::open(self, arrived, pan)
    }

    fn seal_pin(
        &self,
        pin: &Pin,
        form: CardPin,
        under: &KeyHandle,
        iv: &[u8],
        chance: &mut Chance,
    ) -> Result<(Vec<u8>, usize), KeyError> {
        let clear = pin::sealed_value(pin, form, chance)?;
        Ok((KeyStore::seal(self, under, iv, &clear)?, clear.len()))
    }

    fn tr31_keys(&self, kbpk: &KeyHandle, version: Version) -> Result<(KeyHandle, KeyHandle), KeyError> {
        tr31::block_keys(self, kbpk, version)
    }

    fn tr31_unwrap(&self, kbpk: &KeyHandle, block: &KeyBlock) -> Result<ArrivedKey, KeyError> {
        tr31::unwrap(self, kbpk, block)
    }

    fn tr31_take(&self, arrived: ArrivedKey, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError> {
        let (algorithm, test) = (arrived.algorithm()?, arrived.is_test());
        let purpose = arrived.purpose(Some(purpose))?;
        if !purpose.takes(algorithm) {
            return Err(KeyError::Kind { name: name.to_owned(), is: algorithm });
        }
        let header = arrived.header();
        let limits = Limits { mode: header.mode, exportability: header.exportability };
        let label = Label { name: name.to_owned(), purpose, derived: false, algorithm, test, limits };
        let value = arrived.into_value().ok_or_else(|| KeyError::Value { name: name.to_owned() })?;
        self.take_in(label, value)
    }

    fn tr31_wrap(
        &self,
        kbpk: &KeyHandle,
        header: &Header,
        key: &KeyHandle,
        hide: bool,
        chance: &mut Chance,
    ) -> Result<String, KeyError> {
        together(kbpk, key)?;
        let value = self.value(key)?;
        let value = match key.algorithm().cipher() {
            Some(_) => value,
            None => from_pkcs8(&value, key.algorithm()).ok_or_else(|| wrong_kind(key))?,
        };
        tr31::wrap(self, kbpk, header, &value, hide, chance)
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

    fn rsa_sign(&self, key: &KeyHandle, block: &[u8]) -> Result<Vec<u8>, KeyError> {
        for_purpose(key, Purpose::IssuerRsa)?;
        self.rsa_raw(key, block)
    }

    fn rsa_public(&self, key: &KeyHandle) -> Result<RsaPublic, KeyError> {
        for_purpose(key, Purpose::IssuerRsa)?;
        Engine::rsa_public(self, key)
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

/// Test keys and live keys never work together.
fn together(one: &KeyHandle, other: &KeyHandle) -> Result<(), KeyError> {
    if one.is_test() == other.is_test() {
        return Ok(());
    }
    Err(KeyError::Mixed(one.name().to_owned(), other.name().to_owned()))
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
    // Whole from the start: what grows leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(messages.len() * cipher(key)?.block()));
    for message in messages {
        out.extend_from_slice(&Zeroizing::new(engine.cmac(key, message)?));
    }
    if out.len() < length {
        return Err(crypto_error(key)(CryptoError::DataLength(length)));
    }
    out.truncate(length);
    Ok(std::mem::take(&mut *out))
}

/// Takes in a key that arrives under a KEK, if it has the check value that came with it.
pub(super) fn unwrap_key(
    engine: &impl Engine,
    kek: &KeyHandle,
    wrapped: &WrappedKey<'_>,
    purpose: Purpose,
) -> Result<KeyHandle, KeyError> {
    for_purpose(kek, Purpose::Kek)?;
    let WrappedKey { name, value, cbc, algorithm, kcv, odd_parity } = *wrapped;
    if !purpose.takes(algorithm) || algorithm.cipher().is_none() {
        return Err(KeyError::Kind { name: name.to_owned(), is: algorithm });
    }
    if !(SHORTEST_KCV..=16).contains(&kcv.value.len()) || !algorithm.has_check_value(kcv.method) {
        return Err(KeyError::NoKcv(name.to_owned()));
    }
    if value.len() != algorithm.key_length() || !value.len().is_multiple_of(cipher(kek)?.block()) {
        return Err(KeyError::NotForIt(kek.name().to_owned()));
    }
    let clear = engine.decrypt(kek, cbc.then_some(zero_iv(cipher(kek)?)), value)?;
    if odd_parity && algorithm.cipher() == Some(Cipher::Tdes) && clear.expose().iter().any(|byte| odd(*byte) != *byte) {
        return Err(KeyError::Parity(name.to_owned()));
    }
    let label =
        Label { name: name.to_owned(), purpose, derived: false, algorithm, test: kek.is_test(), limits: Limits::NONE };
    let key = engine.take_in(label, clear)?;
    let seen = Kcv { method: kcv.method, value: engine.kcv(&key, kcv.method, kcv.value.len())? };
    if seen != *kcv {
        return Err(KeyError::Kcv { name: name.to_owned(), stated: kcv.clone(), seen });
    }
    Ok(key)
}

/// A byte of a DES key with odd parity.
pub(super) fn odd(byte: u8) -> u8 {
    let high = byte & 0xFE;
    high | u8::from(high.count_ones().is_multiple_of(2))
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
