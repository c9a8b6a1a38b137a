//! Keys in a token behind PKCS#11: an HSM, or SoftHSM. Master keys never leave it. docs/keys.md tells what passes
//! through this process's memory.
//!
//! A key is three things in the token: the key object itself (label: its name, id `key`); for two-key triple DES keys
//! that make MACs a companion of its left half twice (id `left`), which is single DES; and a data object of the
//! application `perso` with what may be told of it.

mod engine;
mod object;
mod template;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::{KeyError, KeyInfo, file};
use crate::base::Secret;
pub(super) use object::TokenObject;

/// Whose data objects are ours.
const APPLICATION: &[u8] = b"perso";
/// The key itself.
const KEY: &[u8] = b"key";
/// Its left half, twice.
const LEFT: &[u8] = b"left";

/// A key store in a token.
pub struct Pkcs11Store {
    infos: Vec<KeyInfo>,
    token: Arc<Token>,
}

/// Where a token is.
#[derive(Clone, Copy)]
pub struct TokenPlace<'a> {
    /// The PKCS#11 module (a shared library).
    pub module: &'a Path,
    /// The token's label.
    pub label: &'a str,
}

/// An open, logged-in session. It is used by one thread at a time.
struct Token(Mutex<Session>);

impl Pkcs11Store {
    /// Opens a token. A wrong PIN is not tried again: tokens lock themselves.
    ///
    /// # Errors
    /// [`KeyError::Token`] where module, token or PIN is wrong; [`KeyError::Mixed`] where it holds test and live keys.
    pub fn open(place: TokenPlace<'_>, pin: &Secret<Vec<u8>>) -> Result<Self, KeyError> {
        let failed = |error: Error| token_error(place.label)(error);
        let context = context(place.module).map_err(failed)?;
        let mut found = Vec::new();
        for slot in context.get_slots_with_initialized_token().map_err(failed)? {
            if context.get_token_info(slot).map_err(failed)?.label() == place.label {
                found.push(slot);
            }
        }
        let slot = match found.as_slice() {
            [only] => *only,
            [] => return Err(refused(place.label, "there is no token of this label")),
            _ => return Err(refused(place.label, "there is more than one token of this label")),
        };
        let session = context.open_rw_session(slot).map_err(failed)?;
        let text = std::str::from_utf8(pin.expose()).map_err(|_| refused(place.label, "the PIN is not UTF-8 text"))?;
        match session.login(UserType::User, Some(&AuthPin::new(text.into()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(failed(error)),
        }
        let token = Arc::new(Token(Mutex::new(session)));
        let infos = token.infos()?;
        if let Some((one, other)) = mixed(&infos) {
            return Err(KeyError::Mixed(one, other));
        }
        Ok(Self { infos, token })
    }

    /// Puts a key into the token, where it stays: not extractable, sensitive. A key pair comes in PKCS#8 (DER).
    ///
    /// # Errors
    /// [`KeyError::Refused`] where the name is taken or test and live keys would mix, [`KeyError::Value`],
    /// [`KeyError::Token`].
    pub fn put(&mut self, info: &KeyInfo, value: &Secret<Vec<u8>>) -> Result<(), KeyError> {
        let no = |field, why| KeyError::Refused { name: info.name.clone(), field, why };
        if self.infos.iter().any(|other| other.name == info.name) {
            return Err(no("name", "it stands twice"));
        }
        if self.infos.iter().any(|other| other.test != info.test) {
            return Err(no("test", "a token holds test keys or live keys, never both"));
        }
        if !info.purpose.takes(info.algorithm) {
            return Err(no("algorithm", "no key of this purpose is of this algorithm (docs/keys.md)"));
        }
        let description = file::describe(info);
        let data = [
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Application(APPLICATION.to_vec()),
            Attribute::Label(info.name.clone().into_bytes()),
            Attribute::Value(description.into_bytes()),
        ];
        let templates = template::of_value(info, value).ok_or_else(|| KeyError::Value { name: info.name.clone() })?;
        let mut made = Vec::new();
        for template in templates.iter().map(Vec::as_slice).chain([data.as_slice()]) {
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
        Ok(())
    }
}

impl Token {
    fn with<T>(&self, use_it: impl FnOnce(&Session) -> T) -> T {
        use_it(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the data objects tell.
    fn infos(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let ours = [Attribute::Class(ObjectClass::DATA), Attribute::Application(APPLICATION.to_vec())];
        let mut infos: Vec<KeyInfo> = Vec::new();
        for object in self.with(|session| session.find_objects(&ours)).map_err(token_error("(token)"))? {
            let value = self.attribute(object, AttributeType::Value, "(token)")?;
            let info = match value {
                Some(Attribute::Value(text)) => file::described(&text).ok(),
                _ => None,
            };
            infos.push(info.ok_or_else(|| refused("(token)", "a description of a key in it cannot be read"))?);
        }
        infos.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(infos)
    }

    fn attribute(&self, object: ObjectHandle, kind: AttributeType, name: &str) -> Result<Option<Attribute>, KeyError> {
        let all = self.with(|session| session.get_attributes(object, &[kind])).map_err(token_error(name))?;
        Ok(all.into_iter().next())
    }

    /// The one object of a class with this label and id.
    fn find(&self, class: ObjectClass, name: &str, id: &[u8]) -> Result<Option<ObjectHandle>, KeyError> {
        let template =
            [Attribute::Class(class), Attribute::Label(name.as_bytes().to_vec()), Attribute::Id(id.to_vec())];
        let found = self.with(|session| session.find_objects(&template)).map_err(token_error(name))?;
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(*only)),
            _ => Err(refused(name, "the token holds more than one such key")),
        }
    }
}

/// A module is loaded once for the process: its last user would shut it down for all others.
fn context(module: &Path) -> Result<Pkcs11, Error> {
    static LOADED: Mutex<Option<HashMap<PathBuf, Pkcs11>>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    if let Some(context) = loaded.get(module) {
        return Ok(context.clone());
    }
    let context = Pkcs11::new(module)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(error),
    }
    loaded.insert(module.to_owned(), context.clone());
    Ok(context)
}

fn mixed(infos: &[KeyInfo]) -> Option<(String, String)> {
    let first = infos.first()?;
    let other = infos.iter().find(|info| info.test != first.test)?;
    Some((first.name.clone(), other.name.clone()))
}

/// A token's error with the name of what it was about.
fn token_error(name: &str) -> impl Fn(Error) -> KeyError {
    let name = name.to_owned();
    move |error| KeyError::Token { name: name.clone(), why: error.to_string() }
}

fn refused(name: &str, why: &str) -> KeyError {
    KeyError::Token { name: name.to_owned(), why: why.to_owned() }
}
