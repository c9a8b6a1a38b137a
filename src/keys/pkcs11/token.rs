//! An open token: module, slot, login, session.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::place::{PinState, TokenPlace, TokenRules, may_try};
use super::sessions::Sessions;
use super::template::Abilities;
use crate::base::crypto::{hmac_sha256, retail_mac, sha256};
use crate::base::{Secret, Warning};
use crate::keys::KeyError;
use crate::keys::pkcs11_derive::mechanism_type;

/// An open token, logged in.
pub(in crate::keys) struct Token {
    sessions: Sessions,
    /// The token's label.
    pub(super) label: String,
    /// What tells it from all other tokens, whatever module it is reached by.
    pub(super) id: String,
    pub(super) can: Abilities,
    /// Whether live keys may have a companion.
    pub(super) left_half: bool,
    /// A digest of the PIN that was tested: a second login in one process tests nothing.
    proof: PinProof,
}

struct PinProof {
    key: [u8; 32],
    digest: [u8; 32],
}

/// The tokens that this process is logged in to, by module and slot.
type Logins = HashMap<(PathBuf, u64), Weak<Token>>;

impl Token {
    /// Finds the token and logs in. A wrong PIN is not tried again: tokens lock themselves.
    pub(super) fn open(
        place: &TokenPlace,
        pin: &Secret<Vec<u8>>,
        rules: &TokenRules,
    ) -> Result<(Arc<Self>, Vec<Warning>), KeyError> {
        static LOGINS: Mutex<Option<Logins>> = Mutex::new(None);
        let shown = place.shown();
        let failed = |error: Error| token_error(&shown)(error);
        if pin.is_empty() {
            return Err(refused_next(&shown, "the PIN is empty, and nothing was tried", GIVE_PIN));
        }
        let text = std::str::from_utf8(pin.expose())
            .map_err(|_| refused_next(&shown, "the PIN is not UTF-8 text", GIVE_PIN))?;
        let context = context(&place.module).map_err(failed)?;
        let (slot, info) = find_slot(&context, place)?;
        let label = info.label().to_owned();
        let names = [info.manufacturer_id(), info.model(), info.serial_number(), &label];
        let id = hex::encode(sha256(names.join("\n").as_bytes()));
        let mut logins = LOGINS.lock().unwrap_or_else(PoisonError::into_inner);
        let logins = logins.get_or_insert_default();
        let at = (place.module.clone(), slot.id());
        if let Some(open) = logins.get(&at).and_then(Weak::upgrade) {
            return match open.proof.fits(pin) {
                true => Ok((open, Vec::new())),
                false => {
                    Err(refused_next(&label, "the PIN is not the one that this process has logged in with", GIVE_PIN))
                }
            };
        }
        let state = PinState {
            count_low: info.user_pin_count_low(),
            final_try: info.user_pin_final_try(),
            locked: info.user_pin_locked(),
        };
        let told = may_try(state, rules.last_try).map_err(|why| {
            refused_next(&label, why, if state.locked { UNLOCK } else { "Make sure of the PIN, then give --last-try." })
        })?;
        let warnings = told.map(|told| Warning::new(format!("token/{label}"), told)).into_iter().collect();
        let session = context.open_rw_session(slot).map_err(failed)?;
        session
            .login(UserType::User, Some(&AuthPin::new(text.into())))
            .map_err(|error| login_error(&context, slot, &label, error))?;
        let mut key = [0; 32];
        session.generate_random_slice(&mut key).map_err(failed)?;
        let proof = PinProof { key, digest: hmac_sha256(&key, pin.expose()) };
        let own = rules.retail_mac.iter().find(|(of, _)| *of == label).map(|(_, number)| *number);
        let can = Abilities {
            retail_mac: own.map(|number| tested_mac(&session, number, &label)).transpose()?,
            unwraps_tdes: unwraps(&context, slot, [MechanismType::DES3_ECB, MechanismType::DES3_CBC]),
            unwraps_aes: unwraps(&context, slot, [MechanismType::AES_ECB, MechanismType::AES_CBC]),
        };
        let left_half = rules.left_half.contains(&label);
        let sessions = Sessions::new(context, slot, session);
        let token = Arc::new(Self { sessions, label, id, can, left_half, proof });
        logins.retain(|_, open| open.strong_count() > 0);
        logins.insert(at, Arc::downgrade(&token));
        Ok((token, warnings))
    }

    pub(super) fn with<T>(&self, use_it: impl FnOnce(&Session) -> T) -> T {
        self.sessions.with(use_it)
    }

    pub(super) fn attribute(
        &self,
        object: ObjectHandle,
        kind: AttributeType,
        name: &str,
    ) -> Result<Option<Attribute>, KeyError> {
        let all = self.with(|session| session.get_attributes(object, &[kind])).map_err(token_error(name))?;
        Ok(all.into_iter().next())
    }

    /// All objects of this template.
    pub(super) fn find(&self, template: &[Attribute], name: &str) -> Result<Vec<ObjectHandle>, KeyError> {
        self.with(|session| session.find_objects(template)).map_err(token_error(name))
    }
}

impl PinProof {
    fn fits(&self, pin: &Secret<Vec<u8>>) -> bool {
        Secret::new(self.digest.to_vec()).equals(&hmac_sha256(&self.key, pin.expose()))
    }
}

fn find_slot(context: &Pkcs11, place: &TokenPlace) -> Result<(Slot, TokenInfo), KeyError> {
    let shown = place.shown();
    let failed = |error: Error| token_error(&shown)(error);
    let (mut found, mut unread) = (Vec::new(), None);
    for slot in context.get_slots_with_token().map_err(failed)? {
        let info = match context.get_token_info(slot) {
            Ok(info) if info.token_initialized() => info,
            Ok(_) => continue,
            // Another token's fault is not this one's.
            Err(error) => {
                unread = Some(error);
                continue;
            }
        };
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        if place.slot.is_none_or(|wanted| wanted == slot.id())
            && same(&place.label, info.label())
            && same(&place.serial, info.serial_number())
            && same(&place.model, info.model())
            && same(&place.manufacturer, info.manufacturer_id())
        {
            found.push((slot, info));
        }
    }
    match (found.pop(), found.is_empty(), unread) {
        (Some(only), true, _) => Ok(only),
        (Some(_), false, _) => Err(refused_next(&shown, "there is more than one such token", OTHER_URI)),
        (None, _, Some(error)) => Err(failed(error)),
        (None, _, None) => Err(refused_next(
            &shown,
            "there is no token of this label, serial number, model, manufacturer and slot",
            OTHER_URI,
        )),
    }
}

/// Whether the token unwraps keys by both mechanisms.
fn unwraps(context: &Pkcs11, slot: Slot, by: [MechanismType; 2]) -> bool {
    by.iter().all(|mechanism| context.get_mechanism_info(slot, *mechanism).is_ok_and(|info| info.unwrap()))
}

/// The token's own mechanism of ISO 9797-1 algorithm 3, if it gives the right MACs over one and over three blocks.
fn tested_mac(session: &Session, number: u64, label: &str) -> Result<MechanismType, KeyError> {
    let key: [u8; 16] =
        [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];
    let wrong = |why: &str| refused(label, &format!("mechanism {number:#X}, named for its retail MACs, {why}"));
    // Numbers of mechanisms are 32 bits wide on some systems.
    #[allow(clippy::useless_conversion)]
    let mechanism = mechanism_type(number.try_into().map_err(|_| wrong("is no number of a mechanism"))?);
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::DES2),
        Attribute::Token(false),
        Attribute::Sign(true),
        Attribute::Value(key.to_vec()),
    ];
    let object = session.create_object(&template).map_err(token_error(label))?;
    let data: [u8; 24] = std::array::from_fn(|at| at as u8 + 1);
    let right = [&data[..8], &data].into_iter().all(|data| {
        let made = session.sign(&own_mac(mechanism), object, data);
        let known = retail_mac(&key, &[0; 8], data);
        matches!((made, known), (Ok(made), Ok(known)) if made == known)
    });
    let _ = session.destroy_object(object);
    if right { Ok(mechanism) } else { Err(wrong("does not make ISO 9797-1 algorithm 3 MACs of 8 bytes")) }
}

/// A token's own mechanism, without parameters.
pub(super) fn own_mac(mechanism: MechanismType) -> Mechanism<'static> {
    Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(mechanism, None))
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

/// A token's error with the name of what it was about: the function and its answer, by their names in the specification.
pub(super) fn token_error(name: &str) -> impl Fn(Error) -> KeyError {
    let name = name.to_owned();
    move |error| {
        let why = match &error {
            Error::Pkcs11(answer, function) => format!("C_{function:?} failed: {}", answer_name(answer)),
            other => other.to_string(),
        };
        KeyError::Token { name: name.clone(), why, next: None }
    }
}

/// The name of an answer: `CKR_PIN_INCORRECT` of `PinIncorrect`.
fn answer_name(answer: &RvError) -> String {
    let name = format!("{answer:?}");
    let mut spelled = String::from("CKR");
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            spelled.push('_');
        }
        spelled.push(letter.to_ascii_uppercase());
    }
    spelled
}

/// A login that the token refused. PKCS#11 counts no tries: its flags say if few or one are left.
fn login_error(context: &Pkcs11, slot: Slot, label: &str, error: Error) -> KeyError {
    match &error {
        Error::Pkcs11(RvError::UserAlreadyLoggedIn, _) => {
            refused(label, "this process is logged in already, so the PIN could not be tested; close that login first")
        }
        Error::Pkcs11(answer, _) if is_about_the_pin(answer) => {
            let left = match context.get_token_info(slot) {
                _ if matches!(answer, RvError::PinLocked) => "; its PIN is locked",
                Ok(info) if info.user_pin_locked() => "; its PIN is locked now",
                Ok(info) if info.user_pin_final_try() => "; one try is left",
                Ok(info) if info.user_pin_count_low() => "; it locks itself after a few wrong PINs",
                _ => "",
            };
            let why = format!("it refused the PIN ({}), and nothing was changed{left}", answer_name(answer));
            let next = if left.contains("locked") { UNLOCK } else { ANOTHER_PIN };
            refused_next(label, &why, next)
        }
        _ => token_error(label)(error),
    }
}

fn is_about_the_pin(answer: &RvError) -> bool {
    matches!(
        answer,
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinExpired | RvError::PinLocked
    )
}

/// What to do about a PIN that was not given.
const GIVE_PIN: &str = "Give the PIN of the token's user: --passphrase-file FILE, --passphrase-fd N, or type it.";
/// About a wrong one.
const ANOTHER_PIN: &str = "Make sure of the PIN before the next try: each wrong one counts.";
/// About a locked one.
const UNLOCK: &str = "Have the token's security officer set a new PIN.";
/// About a key whose objects are not as they should be.
pub(super) const PUT_AGAIN: &str = "Remove it with `perso keys remove NAME --keys URI`, then put it there again with \
    `perso keys load` or `perso keys import` (docs/keys.md).";
/// About a URI that names none, or several.
const OTHER_URI: &str =
    "Compare the URI with the tokens that the module's own tool lists; serial and slot-id choose one.";

pub(super) fn refused(name: &str, why: &str) -> KeyError {
    KeyError::Token { name: name.to_owned(), why: why.to_owned(), next: None }
}

pub(super) fn refused_next(name: &str, why: &str, next: &'static str) -> KeyError {
    KeyError::Token { name: name.to_owned(), why: why.to_owned(), next: Some(next) }
}
