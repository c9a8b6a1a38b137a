//! The operations of a token.

use std::ffi::c_ulong;
use std::sync::Arc;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use zeroize::Zeroizing;

use super::{KEY, LEFT, Pkcs11Store, TokenObject, refused, template, token_error};
use crate::base::Secret;
use crate::base::crypto::{Cipher, CryptoError, NONCE, RsaPublic, TAG, sha256};
use crate::keys::compute::{cipher, zero_iv};
use crate::keys::engine::{Engine, crypto_error, wrong_kind};
use crate::keys::handle::{Label, Repr};
use crate::keys::pkcs11_derive::by_encryption;
use crate::keys::private::{CONTENT_KEY, LEAST_JWE_BITS, concat_kdf, is_point, p256_info, rsa_info};
use crate::keys::{Algorithm, Derivation, JweAlgorithm, KeyError, KeyHandle, KeyInfo, oaep};

impl Engine for Pkcs11Store {
    fn infos(&self) -> &[KeyInfo] {
        &self.infos
    }

    fn load(&self, info: &KeyInfo) -> Result<KeyHandle, KeyError> {
        let pair = info.algorithm.cipher().is_none();
        let class = if pair { ObjectClass::PRIVATE_KEY } else { ObjectClass::SECRET_KEY };
        let key = self.token.find(class, &info.name, KEY)?;
        let key = key.ok_or_else(|| refused(&info.name, "the token describes it and does not hold it"))?;
        let left = if pair { None } else { self.token.find(class, &info.name, LEFT)? };
        for object in [Some(key), left].into_iter().flatten() {
            self.stays(object, &info.name)?;
        }
        let object = TokenObject { token: self.token.clone(), key, left, for_session: false };
        Ok(KeyHandle::new(Label::of(info), Repr::Token(Arc::new(object))))
    }

    fn copy(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError> {
        match key.repr() {
            Repr::Token(object) if object.is_of(&self.token) => {
                Ok(KeyHandle::new(key.label().clone(), Repr::Token(object.clone())))
            }
            _ => Err(KeyError::Foreign(key.name().to_owned())),
        }
    }

    fn take_in(&self, label: Label, value: Secret<Vec<u8>>) -> Result<KeyHandle, KeyError> {
        let bad = || KeyError::Value { name: label.name.clone() };
        let create = |template: Vec<Attribute>| {
            let template = [template::kept(false), template].concat();
            self.token.with(|session| session.create_object(&template)).map_err(token_error(&label.name))
        };
        let (key, left) = match label.algorithm.cipher() {
            Some(_) => template::cipher_key(label.purpose, label.algorithm, &value).ok_or_else(bad)?,
            None => (template::pair(label.purpose, label.algorithm, &value).ok_or_else(bad)?.0, None),
        };
        let mut object = TokenObject { token: self.token.clone(), key: create(key)?, left: None, for_session: true };
        object.left = left.map(create).transpose()?;
        Ok(KeyHandle::new(label, Repr::Token(Arc::new(object))))
    }

    fn value(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        if !key.is_derived() {
            return Err(KeyError::Unable { name: key.name().to_owned(), what: "give out a key that it holds" });
        }
        self.read(self.object(key)?.key, key)
    }

    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>, label: Label) -> Result<KeyHandle, KeyError> {
        let (family, base) = (cipher(from)?, self.object(from)?.key);
        let (data, cbc) = match how {
            Derivation::Ecb(data) => (Zeroizing::new(data.to_vec()), false),
            Derivation::CbcZero(data) => (Zeroizing::new(data.to_vec()), true),
            Derivation::Cmac { messages, .. } => (self.last_blocks(from, messages)?, false),
        };
        whole_blocks(from, family, &data)?;
        let template = template::derived(label.algorithm);
        let one = |cbc: bool, data: &[u8]| {
            by_encryption(family, cbc, data, |mechanism| {
                self.token.with(|session| session.derive_key(mechanism, base, &template))
            })
            .map_err(token_error(from.name()))
        };
        let mut object =
            TokenObject { token: self.token.clone(), key: one(cbc, &data)?, left: None, for_session: true };
        // Single DES with the left half: the first block twice. It needs no chaining.
        if let (Algorithm::Tdes2, Some(first)) = (label.algorithm, data.get(..8)) {
            object.left = Some(one(false, &Zeroizing::new([first, first].concat()))?);
        }
        Ok(KeyHandle::new(label, Repr::Token(Arc::new(object))))
    }

    fn variant(&self, from: &KeyHandle, _mask: u8, _label: Label) -> Result<KeyHandle, KeyError> {
        let what = "make variants of a key; ask for key blocks of version B or D";
        Err(KeyError::Unable { name: from.name().to_owned(), what })
    }

    fn encrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.encipher_with(key, self.object(key)?.key, iv, data)
    }

    fn decrypt(&self, key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        let (object, mechanism) = (self.object(key)?.key, mechanism(key, iv, data)?);
        if data.is_empty() {
            return Ok(Secret::new(Vec::new()));
        }
        let clear = self.token.with(|session| session.decrypt(&mechanism, object, data));
        clear.map(Secret::new).map_err(token_error(key.name()))
    }

    fn cmac(&self, key: &KeyHandle, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        let last = self.last_blocks(key, &[data.to_vec()])?;
        self.encrypt(key, None, &last)
    }

    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        let object = self.object(key)?;
        let (first, last) = data.split_at(data.len().saturating_sub(8));
        let mut block = Zeroizing::new(last.to_vec());
        if !first.is_empty() {
            let left = object.left.ok_or_else(|| KeyError::Unable {
                name: key.name().to_owned(),
                what: "make retail MACs with this key, whose left half it does not hold",
            })?;
            let chained = self.encipher_with(key, left, Some(&[0; 8]), first)?;
            let chained = chained.iter().skip(first.len() - 8);
            block.iter_mut().zip(chained).for_each(|(byte, chained)| *byte ^= chained);
        }
        let mac = self.encrypt(key, None, &block)?;
        mac.try_into().map_err(|_| crypto_error(key)(CryptoError::DataLength(data.len())))
    }

    fn gcm_seal(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError> {
        let object = self.object(key)?.key;
        let mut iv = *nonce;
        let sealed = gcm(&mut iv, header)
            .and_then(|mechanism| self.token.with(|session| session.encrypt(&mechanism, object, body.expose())))
            .map_err(token_error(key.name()))?;
        let short = || crypto_error(key)(CryptoError::DataLength(sealed.len()));
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or_else(short)?;
        Ok((body.to_vec(), *tag))
    }

    fn gcm_open(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError> {
        let object = self.object(key)?.key;
        let mut iv = *nonce;
        let sealed = [body, tag].concat();
        let opened = gcm(&mut iv, header)
            .and_then(|mechanism| self.token.with(|session| session.decrypt(&mechanism, object, &sealed)));
        opened.map(Secret::new).map_err(|error| match error {
            // Tokens do not agree on the answer to a wrong tag.
            Error::Pkcs11(RvError::EncryptedDataInvalid | RvError::GeneralError | RvError::FunctionFailed, _) => {
                crypto_error(key)(CryptoError::Tag)
            }
            other => token_error(key.name())(other),
        })
    }

    fn fingerprint(&self, key: &KeyHandle) -> Result<[u8; 32], KeyError> {
        let info = match key.algorithm() {
            Algorithm::Rsa => {
                let (modulus, exponent) = self.rsa_parts(key)?;
                rsa_info(&modulus, &exponent)
            }
            Algorithm::P256 => {
                let public = self.token.find(ObjectClass::PUBLIC_KEY, key.name(), KEY)?;
                let public = public.ok_or_else(|| refused(key.name(), "its public half is not in the token"))?;
                match self.token.attribute(public, AttributeType::EcPoint, key.name())? {
                    // The octet string's head: 04 41.
                    Some(Attribute::EcPoint(point)) => p256_info(point.get(2..).unwrap_or_default()),
                    _ => None,
                }
            }
            _ => return Err(wrong_kind(key)),
        };
        info.map(|info| sha256(&info)).ok_or_else(|| refused(key.name(), "its public half cannot be read"))
    }

    fn rsa_raw(&self, key: &KeyHandle, block: &[u8]) -> Result<Vec<u8>, KeyError> {
        let object = self.object(key)?.key;
        self.below_modulus(key, block)?;
        self.token.with(|session| session.sign(&Mechanism::RsaX509, object, block)).map_err(token_error(key.name()))
    }

    fn rsa_public(&self, key: &KeyHandle) -> Result<RsaPublic, KeyError> {
        let (modulus, exponent) = self.rsa_parts(key)?;
        RsaPublic::new(&modulus, &exponent).map_err(|_| wrong_kind(key))
    }

    fn content_key(&self, key: &KeyHandle, how: &JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        match (how, key.algorithm()) {
            (JweAlgorithm::EcdhEs { epk, apu, apv }, Algorithm::P256) => {
                Ok(concat_kdf(&self.agree(key, epk)?, b"A256GCM", CONTENT_KEY, apu, apv))
            }
            (JweAlgorithm::RsaOaep256 { encrypted_key }, Algorithm::Rsa) => self.decrypt_oaep(key, encrypted_key),
            _ => Err(wrong_kind(key)),
        }
    }
}

impl Pkcs11Store {
    fn object<'k>(&self, key: &'k KeyHandle) -> Result<&'k TokenObject, KeyError> {
        match key.repr() {
            Repr::Token(object) if object.is_of(&self.token) => Ok(object),
            _ => Err(KeyError::Foreign(key.name().to_owned())),
        }
    }

    /// A key that the token holds for good must not be readable: who made it so made a mistake.
    fn stays(&self, object: ObjectHandle, name: &str) -> Result<(), KeyError> {
        let wanted = [AttributeType::Extractable, AttributeType::Sensitive];
        let seen = self.token.with(|session| session.get_attributes(object, &wanted)).map_err(token_error(name))?;
        if seen.contains(&Attribute::Extractable(false)) && seen.contains(&Attribute::Sensitive(true)) {
            return Ok(());
        }
        Err(refused(name, "it can be read out of the token; put it there again, not extractable and sensitive"))
    }

    fn read(&self, object: ObjectHandle, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        match self.token.attribute(object, AttributeType::Value, key.name())? {
            // A token that keeps it gives nothing rather than an error.
            Some(Attribute::Value(value)) if !value.is_empty() => Ok(Secret::new(value)),
            _ => Err(KeyError::Unable { name: key.name().to_owned(), what: "give out this key" }),
        }
    }

    fn encipher_with(
        &self,
        key: &KeyHandle,
        object: ObjectHandle,
        iv: Option<&[u8]>,
        data: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let mechanism = mechanism(key, iv, data)?;
        if data.is_empty() {
            return Ok(Vec::new());
        }
        self.token.with(|session| session.encrypt(&mechanism, object, data)).map_err(token_error(key.name()))
    }

    /// Of each message, the block whose encryption is its CMAC: the last block, mixed with what was chained and with the
    /// subkey. // SP 800-38B §6.2
    fn last_blocks(&self, key: &KeyHandle, messages: &[Vec<u8>]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let block = cipher(key)?.block();
        let zero = Zeroizing::new(self.encrypt(key, None, zero_iv(cipher(key)?))?);
        let whole_subkey = doubled(&zero);
        let padded_subkey = doubled(&whole_subkey);
        let mut out = Zeroizing::new(Vec::with_capacity(messages.len() * block));
        for message in messages {
            let whole = !message.is_empty() && message.len().is_multiple_of(block);
            let at = if whole { message.len() - block } else { message.len() - message.len() % block };
            let (first, last) = message.split_at(at);
            let mut last = Zeroizing::new(last.to_vec());
            if !whole {
                last.push(0x80);
                last.resize(block, 0);
            }
            let chained = Zeroizing::new(self.encrypt(key, Some(zero_iv(cipher(key)?)), first)?);
            let chained = chained.iter().skip(first.len().saturating_sub(block)).copied().chain(std::iter::repeat(0));
            let subkey = if whole { &whole_subkey } else { &padded_subkey };
            out.extend(
                last.iter().zip(chained).zip(subkey.iter()).map(|((byte, chained), subkey)| byte ^ chained ^ subkey),
            );
        }
        Ok(out)
    }

    fn rsa_parts(&self, key: &KeyHandle) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        if key.algorithm() != Algorithm::Rsa {
            return Err(wrong_kind(key));
        }
        let object = self.object(key)?.key;
        let part = |kind| self.token.attribute(object, kind, key.name());
        match (part(AttributeType::Modulus)?, part(AttributeType::PublicExponent)?) {
            (Some(Attribute::Modulus(modulus)), Some(Attribute::PublicExponent(exponent))) => Ok((modulus, exponent)),
            _ => Err(refused(key.name(), "its public half cannot be read")),
        }
    }

    /// Both are big-endian: bytes of one length compare as numbers.
    fn below_modulus(&self, key: &KeyHandle, block: &[u8]) -> Result<usize, KeyError> {
        let (modulus, _) = self.rsa_parts(key)?;
        if block.len() != modulus.len() || block >= modulus.as_slice() {
            return Err(KeyError::NotForIt(key.name().to_owned()));
        }
        Ok(modulus.len() * 8)
    }

    /// ECDH inside the token; the shared secret comes out, since the token has no Concat KDF.
    fn agree(&self, key: &KeyHandle, point: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        let not_for_it = || KeyError::NotForIt(key.name().to_owned());
        if !is_point(point) {
            return Err(not_for_it());
        }
        let object = self.object(key)?.key;
        let template = template::shared_secret();
        let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), point));
        let shared = self.token.with(|session| session.derive_key(&mechanism, object, &template));
        let shared = shared.map_err(token_error(key.name()))?;
        let shared = TokenObject { token: self.token.clone(), key: shared, left: None, for_session: true };
        self.read(shared.key, key)
    }

    /// The raw operation inside the token: many know OAEP with SHA-1 only.
    fn decrypt_oaep(&self, key: &KeyHandle, ciphertext: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        if self.below_modulus(key, ciphertext)? < LEAST_JWE_BITS as usize {
            return Err(wrong_kind(key));
        }
        let object = self.object(key)?.key;
        let encoded = self.token.with(|session| session.decrypt(&Mechanism::RsaX509, object, ciphertext));
        let encoded = Secret::new(encoded.map_err(token_error(key.name()))?);
        oaep::unpad(&encoded, CONTENT_KEY).ok_or_else(|| KeyError::NotForIt(key.name().to_owned()))
    }
}

/// A key's cipher in ECB or CBC mode. Lengths are looked at before the token is asked.
fn mechanism(key: &KeyHandle, iv: Option<&[u8]>, data: &[u8]) -> Result<Mechanism<'static>, KeyError> {
    let family = cipher(key)?;
    whole_blocks(key, family, data)?;
    let bad_iv = |iv: &[u8]| crypto_error(key)(CryptoError::IvLength(iv.len()));
    match (family, iv) {
        (Cipher::Tdes, None) => Ok(Mechanism::Des3Ecb),
        (Cipher::Aes, None) => Ok(Mechanism::AesEcb),
        (Cipher::Tdes, Some(iv)) => Ok(Mechanism::Des3Cbc(iv.try_into().map_err(|_| bad_iv(iv))?)),
        (Cipher::Aes, Some(iv)) => Ok(Mechanism::AesCbc(iv.try_into().map_err(|_| bad_iv(iv))?)),
    }
}

fn whole_blocks(key: &KeyHandle, family: Cipher, data: &[u8]) -> Result<(), KeyError> {
    if data.len().is_multiple_of(family.block()) {
        return Ok(());
    }
    Err(crypto_error(key)(CryptoError::DataLength(data.len())))
}

fn gcm<'a>(iv: &'a mut [u8; NONCE], header: &'a [u8]) -> Result<Mechanism<'a>, Error> {
    Ok(Mechanism::AesGcm(GcmParams::new(iv, header, Ulong::from(TAG as c_ulong * 8))?))
}

/// Multiplied by two in the field of the block's size. // SP 800-38B §6.1
fn doubled(block: &[u8]) -> Zeroizing<Vec<u8>> {
    let constant = if block.len() == 8 { 0x1B } else { 0x87 };
    let carried = block.first().is_some_and(|first| first & 0x80 != 0);
    let following = block.iter().skip(1).copied().chain([0]);
    let mut out: Zeroizing<Vec<u8>> =
        Zeroizing::new(block.iter().zip(following).map(|(byte, next)| byte << 1 | next >> 7).collect());
    if let (true, Some(last)) = (carried, out.last_mut()) {
        *last ^= constant;
    }
    out
}
