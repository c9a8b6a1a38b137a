//! Keys in a token behind PKCS#11: an HSM, or SoftHSM. Master keys never leave it. docs/keys.md says what passes
//! through this process's memory, and what the token is asked for.
//!
//! A key is up to three objects in the token: the key object itself (label: its name; CKA_ID: see `identity`); for
//! two-key triple DES keys that make MACs in a token without such a mechanism, a companion of its left half twice, which
//! is single DES; and a data object of the application `perso` with its description.

mod engine;
mod identity;
mod mechanisms;
pub(super) mod object;
mod opened;
mod place;
mod sessions;
mod template;
mod token;
mod usages;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::{KeyError, KeyHandle, KeyInfo, file, weak};
use crate::base::{Secret, Warning};
pub use place::{TokenPlace, TokenRules};
use template::needs_companion;
use token::{PUT_AGAIN, Token, refused_next, token_error};

/// The application of the data objects that describe keys.
const APPLICATION: &[u8] = b"perso";

/// A key store in a token.
pub struct Pkcs11Store {
    infos: Vec<KeyInfo>,
    /// The description of each, as it is in the token.
    descriptions: Vec<Vec<u8>>,
    token: Arc<Token>,
    /// Keys that have passed the checks of their opening, by name, with the CKA_ID of their objects.
    opened: Mutex<HashMap<String, (KeyHandle, Vec<u8>)>>,
    warnings: Vec<Warning>,
}

impl file::Unsealed {
    /// Puts all of them into a token, where they stay.
    ///
    /// # Errors
    /// As [`Pkcs11Store::put`]. No key is put in if one of them would be refused; if the token itself fails, those before
    /// are in it.
    pub fn put_into(&self, token: &mut Pkcs11Store) -> Result<(), KeyError> {
        self.each().try_for_each(|(info, value)| {
            weak::refuse_live(info, weak::of(info, value))?;
            token.admit(info)
        })?;
        self.each().try_for_each(|(info, value)| token.put(info, value))
    }
}

impl Pkcs11Store {
    /// Opens a token and compares every key object with its description.
    ///
    /// # Errors
    /// [`KeyError::Token`] if module, token or PIN is wrong, or a description is not the one that its key was put there
    /// with; [`KeyError::Mixed`] if it holds test and live keys.
    pub fn open(place: &TokenPlace, pin: &Secret<Vec<u8>>, rules: &TokenRules) -> Result<Self, KeyError> {
        Self::open_locked(place, pin, rules, |_| Ok::<_, KeyError>(())).map(|(store, ())| store)
    }

    /// Opens a token to change it. `lock` gets a text that tells the token from all others; what it returns is had before
    /// the token's keys are read, and is to be held until they are changed.
    ///
    /// # Errors
    /// As [`Pkcs11Store::open`], and those of `lock`.
    pub fn open_locked<L, E: From<KeyError>>(
        place: &TokenPlace,
        pin: &Secret<Vec<u8>>,
        rules: &TokenRules,
        lock: impl FnOnce(&str) -> Result<L, E>,
    ) -> Result<(Self, L), E> {
        let (token, warnings) = Token::open(place, pin, rules)?;
        let lock = lock(&token.id)?;
        Ok((Self::of(token, warnings)?, lock))
    }

    fn of(token: Arc<Token>, warnings: Vec<Warning>) -> Result<Self, KeyError> {
        let mut store = Self { infos: Vec::new(), descriptions: Vec::new(), token, opened: Mutex::default(), warnings };
        for (info, description) in descriptions(&store.token)? {
            store.infos.push(info);
            store.descriptions.push(description);
        }
        if let Some((one, other)) = mixed(&store.infos) {
            return Err(KeyError::Mixed(one, other));
        }
        for (info, description) in store.infos.iter().zip(&store.descriptions) {
            let Some(found) = store.find(info, description)? else { continue };
            if found.older {
                store.warnings.push(Warning::new(format!("keys/{}", info.name), OLDER));
            }
            let weakness = weak::of_public(info, store.modulus_bits(info, &found)?);
            store.warnings.extend(weakness.and_then(|weakness| weak::warning(info, weakness)));
        }
        Ok(store)
    }

    /// What should be known of the token and its keys.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether a key would be taken in. Nothing changes.
    ///
    /// # Errors
    /// As [`Pkcs11Store::put`], but for what only the token can say.
    pub fn admit(&self, info: &KeyInfo) -> Result<(), KeyError> {
        let no = |field, why| KeyError::Refused { name: info.name.clone(), field, why };
        if self.infos.iter().any(|other| other.name == info.name) {
            return Err(no("name", "duplicate name"));
        }
        if self.infos.iter().any(|other| other.test != info.test) {
            return Err(no("test", "a token holds test keys or live keys, never both"));
        }
        if !info.purpose.takes(info.algorithm) {
            return Err(no("algorithm", "no key of this purpose is of this algorithm (docs/keys.md)"));
        }
        if needs_companion(info.purpose, info.algorithm, false, self.token.can) && !info.test && !self.token.left_half {
            return Err(no("purpose", CONSENT));
        }
        if !objects_of(&self.token, &info.name)?.is_empty() {
            let why =
                "the token holds objects of this name without a description; remove them with `perso keys remove`";
            return Err(no("name", why));
        }
        Ok(())
    }

    /// Puts a key into the token, where it stays: not extractable, sensitive, neither modifiable nor copyable, of no more
    /// use than its purpose. A key pair comes in PKCS#8 (DER).
    ///
    /// # Errors
    /// [`KeyError::Refused`] if the name is taken, test and live keys would mix, or a live key needs a companion without
    /// the site's consent; [`KeyError::Value`], [`KeyError::Token`].
    pub fn put(&mut self, info: &KeyInfo, value: &Secret<Vec<u8>>) -> Result<(), KeyError> {
        self.admit(info)?;
        let description = file::describe(info)?.into_bytes();
        let keys = template::of_value(info, value, &description, self.token.can);
        let mut templates = keys.ok_or_else(|| KeyError::Value { name: info.name.clone() })?;
        templates.push(vec![
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Application(APPLICATION.to_vec()),
            Attribute::Label(info.name.clone().into_bytes()),
            Attribute::Value(description.clone()),
            Attribute::Copyable(false),
            Attribute::Modifiable(false),
        ]);
        let mut made = Vec::new();
        for template in &templates {
            match self.token.with(|session| session.create_object(template)) {
                Ok(object) => made.push(object),
                Err(error) => {
                    // Half a key is none; what cannot be taken away is not described, and so is not seen.
                    for object in made {
                        let _ = self.token.with(|session| session.destroy_object(object));
                    }
                    return Err(token_error(&info.name)(error));
                }
            }
        }
        self.infos.push(info.clone());
        self.descriptions.push(description);
        Ok(())
    }

    /// Removes every object of a key from a token, also of one whose description is missing or wrong. `lock` as for
    /// [`Pkcs11Store::open_locked`].
    ///
    /// # Errors
    /// [`KeyError::Unknown`] if no key has this name, [`KeyError::Token`], and those of `lock`.
    pub fn remove<L, E: From<KeyError>>(
        place: &TokenPlace,
        pin: &Secret<Vec<u8>>,
        rules: &TokenRules,
        name: &str,
        lock: impl FnOnce(&str) -> Result<L, E>,
    ) -> Result<Vec<Warning>, E> {
        let (token, warnings) = Token::open(place, pin, rules)?;
        let _lock = lock(&token.id)?;
        // The description goes last, so that what is left of a removal that was cut off is still named.
        let described = [data_objects(), vec![Attribute::Label(name.as_bytes().to_vec())]].concat();
        let objects = [objects_of(&token, name)?, token.find(&described, name)?].concat();
        if objects.is_empty() {
            return Err(KeyError::Unknown(name.into()).into());
        }
        for object in objects {
            token.with(|session| session.destroy_object(object)).map_err(token_error(name))?;
        }
        Ok(warnings)
    }
}

/// Told of a key that an older version put into the token.
const OLDER: &str = "an older version put this key into the token, where it can be modified, copied and used beyond its \
    purpose. Remove it with `perso keys remove`, then put it there again with `perso keys load` or `perso keys import`";

/// Why a live key is not given a companion.
const CONSENT: &str = "a live key of this purpose makes MACs for which this token names no mechanism. Name one as \
    retail_mac of the token in perso.toml, or allow a companion of its left half there (allow_left_half; docs/keys.md)";

fn data_objects() -> Vec<Attribute> {
    vec![Attribute::Class(ObjectClass::DATA), Attribute::Application(APPLICATION.to_vec())]
}

/// The descriptions in a token, by name.
fn descriptions(token: &Token) -> Result<Vec<(KeyInfo, Vec<u8>)>, KeyError> {
    let mut all: Vec<(KeyInfo, Vec<u8>)> = Vec::new();
    for object in token.find(&data_objects(), &token.label)? {
        let label = match token.attribute(object, AttributeType::Label, &token.label)? {
            Some(Attribute::Label(label)) => String::from_utf8_lossy(&label).into_owned(),
            _ => String::new(),
        };
        let described = match token.attribute(object, AttributeType::Value, &label)? {
            Some(Attribute::Value(text)) => file::described(&text).ok().map(|info| (info, text)),
            _ => None,
        };
        let why = "its description in the token cannot be read";
        let described = described.ok_or_else(|| refused_next(&label, why, PUT_AGAIN))?;
        if described.0.name != label {
            return Err(refused_next(&label, "its description in the token is of another key", PUT_AGAIN));
        }
        if all.iter().any(|(info, _)| info.name == label) {
            return Err(refused_next(&label, "the token has two descriptions of it", PUT_AGAIN));
        }
        all.push(described);
    }
    all.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    Ok(all)
}

/// The key objects of a name that this program has made.
fn objects_of(token: &Token, name: &str) -> Result<Vec<ObjectHandle>, KeyError> {
    let mut ours = Vec::new();
    for class in [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        let template = [Attribute::Class(class), Attribute::Token(true), Attribute::Label(name.as_bytes().to_vec())];
        for object in token.find(&template, name)? {
            if let Some(Attribute::Id(id)) = token.attribute(object, AttributeType::Id, name)?
                && identity::is_ours(&id)
            {
                ours.push(object);
            }
        }
    }
    Ok(ours)
}

fn mixed(infos: &[KeyInfo]) -> Option<(String, String)> {
    let first = infos.first()?;
    let other = infos.iter().find(|info| info.test != first.test)?;
    Some((first.name.clone(), other.name.clone()))
}
