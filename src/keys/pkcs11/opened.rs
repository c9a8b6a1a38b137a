//! Key objects as they are found in a token, compared with their description and their purpose.

use std::ffi::c_ulong;

use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass, ObjectHandle};
use openssl::bn::BigNum;

use super::identity::{self, OLD_KEY, OLD_LEFT, Part};
use super::object::Mac;
use super::template::{Shape, Stay, companion, shapes};
use super::token::{PUT_AGAIN, refused, refused_next, token_error};
use super::{OLDER, Pkcs11Store};
use crate::keys::{Algorithm, KeyError, KeyInfo};

/// The mechanisms of ours that the crate can read back.
const NAMED: [MechanismType; 6] = [
    MechanismType::AES_ECB,
    MechanismType::AES_CBC,
    MechanismType::AES_GCM,
    MechanismType::AES_CBC_ENCRYPT_DATA,
    MechanismType::RSA_X_509,
    MechanismType::ECDH1_DERIVE,
];

/// The objects of a key.
pub(super) struct Found {
    pub(super) key: ObjectHandle,
    pub(super) left: Option<ObjectHandle>,
    /// An older version has made them.
    pub(super) older: bool,
}

impl Pkcs11Store {
    /// The objects of a key by their ids; none if the token does not hold it.
    ///
    /// # Errors
    /// An object's id is not the one that the description gives, or there are several.
    pub(super) fn find(&self, info: &KeyInfo, description: &[u8]) -> Result<Option<Found>, KeyError> {
        let class = match info.algorithm.cipher() {
            Some(_) => ObjectClass::SECRET_KEY,
            None => ObjectClass::PRIVATE_KEY,
        };
        let name = info.name.as_str();
        let template = [Attribute::Class(class), Attribute::Token(true), Attribute::Label(name.as_bytes().to_vec())];
        let (mut key, mut left, mut older) = (None, None, false);
        for object in self.token.find(&template, name)? {
            let id = match self.token.attribute(object, AttributeType::Id, name)? {
                Some(Attribute::Id(id)) if identity::is_ours(&id) => id,
                // Another program's.
                _ => continue,
            };
            let place = match id.as_slice() {
                id if id == identity::of(Part::Key, info, description) => &mut key,
                id if id == identity::of(Part::Left, info, description) => &mut left,
                OLD_KEY => {
                    older = true;
                    &mut key
                }
                OLD_LEFT => &mut left,
                _ => {
                    let why = "its description was changed or replaced: the key object's CKA_ID is another";
                    return Err(refused_next(name, why, PUT_AGAIN));
                }
            };
            if place.replace(object).is_some() {
                return Err(refused_next(name, "the token holds more than one such key", PUT_AGAIN));
            }
        }
        Ok(key.map(|key| Found { key, left, older }))
    }

    /// Compares a key that the token holds with its purpose: who made it otherwise made a mistake.
    ///
    /// # Errors
    /// It can be read, used beyond its purpose, modified or copied; or an older version made a live one.
    pub(super) fn compare(&self, info: &KeyInfo, found: &Found) -> Result<Mac, KeyError> {
        let name = info.name.as_str();
        for object in [Some(found.key), found.left].into_iter().flatten() {
            self.stays(object, name)?;
        }
        let left = found.left.filter(|_| info.test || self.token.left_half);
        let by_left = left.map_or(Mac::None, Mac::Left);
        if found.older {
            return if info.test { Ok(by_left) } else { Err(refused_next(name, OLDER, PUT_AGAIN)) };
        }
        if let Some(left) = found.left {
            self.has_shape(left, &companion(Stay::Token), name)?;
        }
        let mut other = None;
        for shape in shapes(info.purpose, info.algorithm, false, Stay::Token, self.token.can) {
            match self.has_shape(found.key, &shape, name) {
                Ok(()) => return Ok(if shape.makes_macs() { Mac::Own } else { by_left }),
                Err(error) => other = other.or(Some(error)),
            }
        }
        Err(other.unwrap_or_else(|| refused(name, "its purpose has no attributes")))
    }

    /// The length of an RSA key's modulus in bits; none of other keys.
    pub(super) fn modulus_bits(&self, info: &KeyInfo, found: &Found) -> Result<Option<usize>, KeyError> {
        if info.algorithm != Algorithm::Rsa {
            return Ok(None);
        }
        match self.token.attribute(found.key, AttributeType::Modulus, &info.name)? {
            Some(Attribute::Modulus(modulus)) => {
                let number =
                    BigNum::from_slice(&modulus).map_err(|_| refused(&info.name, "its modulus is too long"))?;
                Ok(usize::try_from(number.num_bits()).ok())
            }
            _ => Ok(None),
        }
    }

    fn stays(&self, object: ObjectHandle, name: &str) -> Result<(), KeyError> {
        let wanted = [AttributeType::Extractable, AttributeType::Sensitive];
        let seen = self.token.with(|session| session.get_attributes(object, &wanted)).map_err(token_error(name))?;
        if seen.contains(&Attribute::Extractable(false)) && seen.contains(&Attribute::Sensitive(true)) {
            return Ok(());
        }
        Err(refused_next(name, "it can be read out of the token", PUT_AGAIN))
    }

    fn has_shape(&self, object: ObjectHandle, shape: &Shape, name: &str) -> Result<(), KeyError> {
        let wanted: Vec<Attribute> =
            shape.flags.iter().cloned().chain([Attribute::Copyable(false), Attribute::Modifiable(false)]).collect();
        let kinds: Vec<AttributeType> = wanted.iter().map(Attribute::attribute_type).collect();
        let seen = self.token.with(|session| session.get_attributes(object, &kinds)).map_err(token_error(name))?;
        let other = wanted.iter().find(|wanted| !seen.contains(wanted)).map(|other| other.attribute_type().to_string());
        let other = match other {
            None if !self.permits(object, &shape.mechanisms, name)? => Some("CKA_ALLOWED_MECHANISMS".to_owned()),
            other => other,
        };
        match other {
            None => Ok(()),
            Some(other) => {
                Err(refused_next(name, &format!("{other} is not as its purpose has it (docs/keys.md)"), PUT_AGAIN))
            }
        }
    }

    /// Whether the mechanisms that the token permits are these. A mechanism that the crate cannot name cannot be
    /// read back: of a list with one of them the length is compared.
    fn permits(&self, object: ObjectHandle, wanted: &[MechanismType], name: &str) -> Result<bool, KeyError> {
        let kind = AttributeType::AllowedMechanisms;
        let info = self.token.with(|session| session.get_attribute_info(object, &[kind])).map_err(token_error(name))?;
        let length = wanted.len() * size_of::<c_ulong>();
        if !matches!(info.as_slice(), [AttributeInfo::Available(seen)] if *seen == length) {
            return Ok(false);
        }
        if !wanted.iter().all(|mechanism| NAMED.contains(mechanism)) {
            return Ok(true);
        }
        Ok(match self.token.attribute(object, kind, name) {
            Ok(Some(Attribute::AllowedMechanisms(seen))) => wanted.iter().all(|mechanism| seen.contains(mechanism)),
            _ => false,
        })
    }
}
