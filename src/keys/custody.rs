//! The verbs of a key store, written once over the engine of each.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::arrivals::{odd, unseal, unwrap_key};
use super::compute::{check_value, cipher, computed, derived_value, whole_mac, zero_iv};
use super::engine::{Engine, crypto_error, wrong_kind};
use super::handle::Label;
use super::header::Limits;
use super::pin::{self, ArrivedPin, CardPin, Pin};
use super::pkcs8::from_pkcs8;
use super::policy::{Grant, Verb, allowed};
use super::private::random_content_key;
use super::tr31::{self, ArrivedKey, Header, KeyBlock, Version};
use super::{
    Algorithm, BlockForm, CardForm, CardPadding, Computation, Derivation, JweAlgorithm, Kcv, KeyError, KeyHandle,
    KeyInfo, KeyStore, PublicKey, Purpose, Sealed, WrappedKey, weak,
};
use crate::base::chance::ChanceError;
use crate::base::crypto::{self, Cipher, CryptoError, KcvMethod, NONCE, RsaPublic, TAG};
use crate::base::emv::Pan;
use crate::base::{Chance, Secret};

/// Longest check value that the calculator gives of a live key, in bytes.
const LIVE_KCV: usize = 3;
/// Shortest cryptogram that is compared, in bytes: a shorter one could be found by asking.
const SHORTEST_COMPARED: usize = 4;

impl<E: Engine> KeyStore for E {
    fn keys(&self) -> &[KeyInfo] {
        self.infos()
    }

    fn open(&self, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError> {
        let info = self.infos().iter().find(|info| info.name == name);
        let info = info.ok_or_else(|| KeyError::unknown(name, self.infos()))?;
        if info.purpose != purpose {
            return Err(KeyError::Purpose { name: name.to_owned(), is: info.purpose, wanted: purpose });
        }
        if let Some(key) = self.opened(info) {
            return Ok(key.serving(self.serves()));
        }
        let key = self.load(info)?.serving(self.serves());
        let seen = check_value(self, &key, info.kcv.method, info.kcv.value.len())?;
        let seen = Kcv { method: info.kcv.method, value: seen };
        if seen != info.kcv {
            return Err(KeyError::Kcv { name: name.to_owned(), stated: info.kcv.clone(), seen });
        }
        if let Some(header) = &info.header {
            compare_header(self, name, &key, &header.blocks)?;
        }
        if !info.test {
            weak::refuse_live(info, weak::of_open(self, info, &key)?)?;
        }
        self.passed(info, &key);
        Ok(key)
    }

    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError> {
        derived(self, from, how, false)
    }

    fn derive_to_seal(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError> {
        derived(self, from, how, true)
    }

    fn session_key(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        allowed(from, Verb::SessionKey)?;
        derived_value(self, from, how)
    }

    fn encipher(&self, key: &KeyHandle, data: &[u8], cbc: bool) -> Result<Secret<Vec<u8>>, KeyError> {
        allowed(key, Verb::Encipher)?;
        self.encrypt(key, if cbc { Some(zero_iv(cipher(key)?)) } else { None }, data).map(Secret::new)
    }

    fn compare(&self, key: &KeyHandle, how: &Computation<'_>, expected: &[u8]) -> Result<bool, KeyError> {
        allowed(key, Verb::Compare)?;
        let made = Zeroizing::new(computed(self, key, how)?);
        if expected.len() != made.len() || expected.len() < SHORTEST_COMPARED {
            return Err(KeyError::Input("a cryptogram is compared whole, and has at least 4 bytes"));
        }
        Ok(bool::from(made.ct_eq(expected)))
    }

    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        allowed(key, Verb::Mac)?;
        whole_mac(self, key, data)
    }

    fn retail_mac_to_check(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        allowed(key, Verb::CheckMac)?;
        whole_mac(self, key, data)
    }

    fn duplicate(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError> {
        self.copy(key)
    }

    fn kcv(&self, key: &KeyHandle, method: KcvMethod, length: usize) -> Result<Vec<u8>, KeyError> {
        if allowed(key, Verb::CheckValue)? == Grant::ThreeBytes && length > LIVE_KCV {
            return Err(KeyError::LiveCheckValue(key.name().to_owned()));
        }
        check_value(self, key, method, length)
    }

    fn reseal(
        &self,
        from: &KeyHandle,
        sealed: &Sealed<'_>,
        to: &KeyHandle,
        form: CardForm,
    ) -> Result<Vec<u8>, KeyError> {
        allowed(from, Verb::OpenSealed)?;
        allowed(to, Verb::EncipherForCard)?;
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
        allowed(key, Verb::Seal)?;
        let padded = Secret::new(crypto::pad_80(clear.expose(), cipher(key)?.block()));
        self.encrypt(key, Some(iv), padded.expose())
    }

    fn seal_keys(&self, keys: &[&KeyHandle], under: &KeyHandle, iv: &[u8]) -> Result<(Vec<u8>, usize), KeyError> {
        allowed(under, Verb::Seal)?;
        let mut all = Zeroizing::new(Vec::with_capacity(keys.len() * 32));
        for key in keys {
            together(key, under)?;
            if !key.is_derived() {
                return Err(KeyError::Static(key.name().to_owned()));
            }
            allowed(key, Verb::GoSealed)?;
            let parity = cipher(key)? == Cipher::Tdes;
            all.extend(self.value(key)?.expose().iter().map(|byte| if parity { odd(*byte) } else { *byte }));
        }
        let clear = Secret::new(std::mem::take(&mut *all));
        Ok((KeyStore::seal(self, under, iv, &clear)?, clear.len()))
    }

    fn sealed_check_values(&self, from: &KeyHandle, sealed: &Sealed<'_>, length: usize) -> Result<Vec<u8>, KeyError> {
        allowed(from, Verb::OpenSealed)?;
        let algorithm = Algorithm::Tdes2;
        if sealed.length == 0 || !sealed.length.is_multiple_of(algorithm.key_length()) {
            return Err(KeyError::Seal { name: from.name().to_owned(), why: "its stated length is not whole keys" });
        }
        let clear = unseal(self, from, sealed)?;
        let keys = clear.expose().chunks_exact(algorithm.key_length());
        let values = keys.map(|key| {
            let label = Label { algorithm, derived: true, limits: Limits::NONE, ..from.label().clone() };
            check_value(self, &self.take_in(label, Secret::new(key.to_vec()))?, KcvMethod::DesZero, length)
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
        allowed(kek, Verb::OpenCardBlock)?;
        let key = self.decrypt(kek, None, mac_key)?;
        if weak::has_equal_halves(key.expose()) {
            return Err(KeyError::WeakBlockKey);
        }
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
        tr31::block_keys(self, kbpk, version, Verb::OpenKeyBlock)
    }

    fn tr31_unwrap(&self, kbpk: &KeyHandle, block: &KeyBlock) -> Result<ArrivedKey, KeyError> {
        tr31::unwrap(self, kbpk, block)
    }

    fn tr31_take(&self, arrived: ArrivedKey, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError> {
        let (algorithm, test, serves) = (arrived.algorithm()?, arrived.is_test(), arrived.serves());
        let purpose = arrived.purpose(Some(purpose))?;
        if !purpose.takes(algorithm) {
            return Err(KeyError::Kind { name: name.to_owned(), is: algorithm });
        }
        let header = arrived.header();
        let limits = Limits { mode: header.mode, exportability: header.exportability };
        let label = Label { name: name.to_owned(), purpose, derived: false, algorithm, test, limits, serves };
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
        allowed(kbpk, Verb::MakeKeyBlock)?;
        allowed(key, Verb::LeaveInKeyBlock)?;
        together(kbpk, key)?;
        tr31::leaves_as(key.limits(), header)?;
        compare_header(self, key.name(), key, &header.blocks)?;
        let header = &tr31::restated(self, kbpk, header)?;
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
        allowed(key, Verb::OpenBody)?;
        self.gcm_open(key, nonce, header, body, tag)
    }

    fn seal_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError> {
        allowed(key, Verb::SealBody)?;
        self.gcm_seal(key, nonce, header, body)
    }

    fn jwe_content_key(&self, key: &KeyHandle, how: JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        allowed(key, Verb::OpenContentKey)?;
        // Drawn before it is known whether it is needed. // RFC 7516 §11.5
        let substitute = random_content_key().map_err(|_| KeyError::Chance(ChanceError("OpenSSL".into())))?;
        match (self.content_key(key, &how), how) {
            // The text then does not open, and nobody learns whether the key or the text is wrong.
            (Err(KeyError::NotForIt(_)), JweAlgorithm::RsaOaep256 { .. }) => Ok(substitute),
            (answer, _) => answer,
        }
    }

    fn rsa_sign(&self, key: &KeyHandle, block: &[u8]) -> Result<Vec<u8>, KeyError> {
        allowed(key, Verb::Sign)?;
        self.rsa_raw(key, block)
    }

    fn rsa_public(&self, key: &KeyHandle) -> Result<RsaPublic, KeyError> {
        allowed(key, Verb::PublicKey)?;
        Engine::rsa_public(self, key)
    }

    fn public_key(&self, key: &KeyHandle) -> Result<PublicKey, KeyError> {
        allowed(key, Verb::PublicKey)?;
        PublicKey::from_info(&self.public_info(key)?).ok_or_else(|| KeyError::Value { name: key.name().to_owned() })
    }

    fn expose_test_key(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        // The fence does not rest on the table alone.
        if !key.is_test() {
            return Err(KeyError::Live(key.name().to_owned()));
        }
        allowed(key, Verb::Expose)?;
        self.value(key)
    }
}

/// Compares the check value in the header of a key (KC) with the key. // X9.143 §6.3.6.8
fn compare_header(
    engine: &impl Engine,
    name: &str,
    key: &KeyHandle,
    blocks: &[tr31::OptionalBlock],
) -> Result<(), KeyError> {
    let Some(cipher) = key.algorithm().cipher() else { return Ok(()) };
    for block in blocks.iter().filter(|block| block.id == "KC") {
        let wrong = KeyError::HeaderKcv(name.to_owned());
        let Some((method, stated)) = tr31::stated_check_value(&block.data, cipher) else { return Err(wrong) };
        if !bool::from(check_value(engine, key, method, stated.len())?.ct_eq(&stated)) {
            return Err(wrong);
        }
    }
    Ok(())
}

fn derived(engine: &impl Engine, from: &KeyHandle, how: &Derivation<'_>, to_seal: bool) -> Result<KeyHandle, KeyError> {
    allowed(from, Verb::Derive)?;
    let length = match how {
        Derivation::Ecb(data) | Derivation::CbcZero(data) => data.len(),
        Derivation::Cmac { length, .. } => *length,
    };
    let algorithm =
        Algorithm::of(cipher(from)?, length).ok_or_else(|| crypto_error(from)(CryptoError::KeyLength(length)))?;
    engine.derive(from, how, Label { algorithm, derived: true, limits: Limits::NONE, ..from.label().clone() }, to_seal)
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
