//! The operations of a token.

use std::sync::{Arc, PoisonError};

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use zeroize::Zeroizing;

use super::Pkcs11Store;
use super::mechanisms::{doubled, gcm, mechanism, whole_blocks};
use super::object::{Mac, TokenObject};
use super::template::{self, Shape, Stay, companion, needs_companion, shapes};
use super::token::{own_mac, refused, token_error};
use super::usages::{self, Usage};
use crate::base::Secret;
use crate::base::crypto::{Cipher, CryptoError, NONCE, RsaPublic, TAG};
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
        let at = self.infos.iter().position(|known| known.name == info.name);
        let description =
            at.and_then(|at| self.descriptions.get(at)).ok_or_else(|| KeyError::Unknown(info.name.clone().into()))?;
        let found = self.find(info, description)?;
        let found = found.ok_or_else(|| refused(&info.name, "the token describes it and does not hold it"))?;
        let mac = self.compare(info, &found)?;
        let object = TokenObject::in_token(&self.token, found.key, mac);
        Ok(KeyHandle::new(Label::of(info), Repr::Token(Arc::new(object))))
    }

    fn opened(&self, info: &KeyInfo) -> Option<KeyHandle> {
        let (key, id) = {
            let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let (key, id) = opened.get(&info.name)?;
            (self.copy(key).ok()?, id.clone())
        };
        // An object that was removed or replaced meanwhile is looked for anew.
        (self.id(&key)? == id).then_some(key)
    }

    fn passed(&self, info: &KeyInfo, key: &KeyHandle) {
        if let (Ok(key), Some(id)) = (self.copy(key), self.id(key)) {
            self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(info.name.clone(), (key, id));
        }
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
        let create = |shape: &Shape, secret: Vec<Attribute>| {
            let template = [secret, shape.template()].concat();
            self.token.with(|session| session.create_object(&template)).map_err(token_error(&label.name))
        };
        let shape = self.session_shape(&label, Stay::Session);
        let secret = match label.algorithm.cipher() {
            Some(_) => template::cipher_key(label.algorithm, &value).ok_or_else(bad)?,
            None => template::pair(label.algorithm, &value).ok_or_else(bad)?.0,
        };
        let mut object = TokenObject::for_session(&self.token, create(&shape, secret)?);
        object.mac = match self.has_companion(&label) {
            true => Mac::Left(create(&companion(Stay::Session), template::left_half(&value).ok_or_else(bad)?)?),
            false => own_or_none(&shape),
        };
        Ok(KeyHandle::new(label, Repr::Token(Arc::new(object))))
    }

    fn unwrap_inside(
        &self,
        kek: &KeyHandle,
        value: &[u8],
        cbc: bool,
        label: Label,
    ) -> Result<Option<KeyHandle>, KeyError> {
        let family = cipher(kek)?;
        let offered = match family {
            Cipher::Tdes => self.token.can.unwraps_tdes,
            Cipher::Aes => self.token.can.unwraps_aes,
        };
        // A companion is made of the value, which a token that unwraps does not give out.
        if !offered || self.has_companion(&label) {
            return Ok(None);
        }
        let mechanism = mechanism(kek, cbc.then_some(zero_iv(family)), value)?;
        let shape = self.session_shape(&label, Stay::Session);
        let template: Vec<Attribute> = template::length(label.algorithm).into_iter().chain(shape.template()).collect();
        let object = self.object(kek)?.key;
        match self.token.with(|session| session.unwrap_key(&mechanism, object, value, &template)) {
            Ok(key) => {
                let mut object = TokenObject::for_session(&self.token, key);
                object.mac = own_or_none(&shape);
                Ok(Some(KeyHandle::new(label, Repr::Token(Arc::new(object)))))
            }
            Err(Error::Pkcs11(RvError::KeyFunctionNotPermitted | RvError::MechanismInvalid, _)) => Ok(None),
            Err(error) => Err(token_error(kek.name())(error)),
        }
    }

    fn value(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        if !key.is_derived() {
            return Err(KeyError::Unable { name: key.name().to_owned(), what: "give out a key that it holds" });
        }
        self.read(self.object(key)?.key, key)
    }

    fn derive(
        &self,
        from: &KeyHandle,
        how: &Derivation<'_>,
        label: Label,
        to_seal: bool,
    ) -> Result<KeyHandle, KeyError> {
        let (family, base) = (cipher(from)?, self.object(from)?.key);
        if !usages::of(from.purpose(), from.algorithm(), from.is_derived()).contains(&Usage::Derive) {
            let what = "derive keys from this key, whose purpose does not need it";
            return Err(KeyError::Unable { name: from.name().to_owned(), what });
        }
        let (data, cbc) = match how {
            Derivation::Ecb(data) => (Zeroizing::new(data.to_vec()), false),
            Derivation::CbcZero(data) => (Zeroizing::new(data.to_vec()), true),
            Derivation::Cmac { messages, .. } => (self.last_blocks(from, messages)?, false),
        };
        whole_blocks(from, family, &data)?;
        let one = |shape: &Shape, cbc: bool, data: &[u8]| {
            let length = template::length(label.algorithm);
            let template: Vec<Attribute> = length.into_iter().chain(shape.template()).collect();
            by_encryption(family, cbc, data, |mechanism| {
                self.token.with(|session| session.derive_key(mechanism, base, &template))
            })
            .map_err(token_error(from.name()))
        };
        let shape = self.session_shape(&label, if to_seal { Stay::ToSeal } else { Stay::Session });
        let mut object = TokenObject::for_session(&self.token, one(&shape, cbc, &data)?);
        object.mac = match data.get(..8).filter(|_| self.has_companion(&label)) {
            // Single DES with the left half: the first block twice. It needs no chaining.
            Some(first) => Mac::Left(one(&companion(Stay::Session), false, &Zeroizing::new([first, first].concat()))?),
            None => own_or_none(&shape),
        };
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
        let bad = || crypto_error(key)(CryptoError::DataLength(data.len()));
        if let (Mac::Own, Some(mechanism)) = (object.mac, self.token.can.retail_mac) {
            let mac = self.token.with(|session| session.sign(&own_mac(mechanism), object.key, data));
            return mac.map_err(token_error(key.name()))?.try_into().map_err(|_| bad());
        }
        let (first, last) = data.split_at(data.len().saturating_sub(8));
        let mut block = Zeroizing::new(last.to_vec());
        if !first.is_empty() {
            let Mac::Left(left) = object.mac else {
                let what = "make retail MACs with this key: the site names no mechanism for them and has not allowed \
                    a companion key (retail_mac, allow_left_half of the token in perso.toml), or the key was put there before";
                return Err(KeyError::Unable { name: key.name().to_owned(), what });
            };
            let chained = self.encipher_with(key, left, Some(&[0; 8]), first)?;
            let chained = chained.iter().skip(first.len() - 8);
            block.iter_mut().zip(chained).for_each(|(byte, chained)| *byte ^= chained);
        }
        let mac = self.encrypt(key, None, &block)?;
        mac.try_into().map_err(|_| bad())
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

    fn public_info(&self, key: &KeyHandle) -> Result<Vec<u8>, KeyError> {
        let info = match key.algorithm() {
            Algorithm::Rsa => {
                let (modulus, exponent) = self.rsa_parts(key)?;
                rsa_info(&modulus, &exponent)
            }
            Algorithm::P256 => p256_info(&self.ec_point(key)?),
            _ => return Err(wrong_kind(key)),
        };
        info.ok_or_else(|| refused(key.name(), "its public half cannot be read"))
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
    /// The CKA_ID of a key's object; none if the object is no longer there.
    fn id(&self, key: &KeyHandle) -> Option<Vec<u8>> {
        match self.token.attribute(self.object(key).ok()?.key, AttributeType::Id, key.name()) {
            Ok(Some(Attribute::Id(id))) => Some(id),
            _ => None,
        }
    }

    fn object<'k>(&self, key: &'k KeyHandle) -> Result<&'k TokenObject, KeyError> {
        match key.repr() {
            Repr::Token(object) if object.is_of(&self.token) => Ok(object),
            _ => Err(KeyError::Foreign(key.name().to_owned())),
        }
    }

    /// The attributes of a session object of this label.
    fn session_shape(&self, label: &Label, stay: Stay) -> Shape {
        let Label { purpose, algorithm, derived, .. } = label;
        let first = shapes(*purpose, *algorithm, *derived, stay, self.token.can).into_iter().next();
        first.unwrap_or_else(|| companion(stay))
    }

    /// Whether a session key is given a companion; a live one only with the site's consent.
    fn has_companion(&self, label: &Label) -> bool {
        let Label { purpose, algorithm, derived, test, .. } = label;
        needs_companion(*purpose, *algorithm, *derived, self.token.can) && (*test || self.token.left_half)
    }

    /// The uncompressed point of an EC key: 65 bytes.
    fn ec_point(&self, key: &KeyHandle) -> Result<Vec<u8>, KeyError> {
        let missing = || refused(key.name(), "its public half is not in the token, or there are two");
        let template = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::Token(true),
            Attribute::Label(key.name().as_bytes().to_vec()),
        ];
        let found = self.token.find(&template, key.name())?;
        let [public] = found.as_slice() else { return Err(missing()) };
        match self.token.attribute(*public, AttributeType::EcPoint, key.name())? {
            // The octet string's head: 04 41.
            Some(Attribute::EcPoint(point)) if point.len() == 67 => Ok(point.get(2..).unwrap_or_default().to_vec()),
            _ => Err(missing()),
        }
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
        let object = self.object(key)?;
        if let Some(parts) = object.rsa.get() {
            return Ok(parts.clone());
        }
        let part = |kind| self.token.attribute(object.key, kind, key.name());
        match (part(AttributeType::Modulus)?, part(AttributeType::PublicExponent)?) {
            (Some(Attribute::Modulus(modulus)), Some(Attribute::PublicExponent(exponent))) => {
                Ok(object.rsa.get_or_init(|| (modulus, exponent)).clone())
            }
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
        let shared = TokenObject::for_session(&self.token, shared);
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

fn own_or_none(shape: &Shape) -> Mac {
    if shape.makes_macs() { Mac::Own } else { Mac::None }
}
