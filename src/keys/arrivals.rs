//! Keys and values that arrive under a key of ours.

use super::compute::{check_value, cipher, zero_iv};
use super::engine::Engine;
use super::handle::Label;
use super::header::Limits;
use super::policy::{Verb, allowed};
use super::{Kcv, KeyError, KeyHandle, Purpose, Sealed, WrappedKey, weak};
use crate::base::Secret;
use crate::base::crypto::{self, Cipher};

/// Shortest check value that says anything, in bytes.
const SHORTEST_KCV: usize = 3;
/// Whatever is wrong inside a sealed value.
const NOT_SO_SEALED: &str = "another key, another IV, another stated length, or it was changed";

/// Takes in a key that arrives under a KEK, if it has the check value that came with it.
pub(super) fn unwrap_key(
    engine: &impl Engine,
    kek: &KeyHandle,
    wrapped: &WrappedKey<'_>,
    purpose: Purpose,
) -> Result<KeyHandle, KeyError> {
    allowed(kek, Verb::UnwrapKey)?;
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
    let label = Label {
        name: name.to_owned(),
        purpose,
        derived: false,
        algorithm,
        limits: Limits::NONE,
        ..kek.label().clone()
    };
    // Parity is seen of the value only.
    let inside = if odd_parity { None } else { engine.unwrap_inside(kek, value, cbc, label.clone())? };
    let key = match inside {
        Some(key) => key,
        None => {
            let clear = engine.decrypt(kek, cbc.then_some(zero_iv(cipher(kek)?)), value)?;
            let tdes = algorithm.cipher() == Some(Cipher::Tdes);
            if odd_parity && tdes && clear.expose().iter().any(|byte| odd(*byte) != *byte) {
                return Err(KeyError::Parity(name.to_owned()));
            }
            if let Some(weakness) = weak::of_value(algorithm, clear.expose()).filter(|_| !kek.is_test()) {
                return Err(KeyError::Weak { name: name.to_owned(), weakness });
            }
            engine.take_in(label, clear)?
        }
    };
    let seen = Kcv { method: kcv.method, value: check_value(engine, &key, kcv.method, kcv.value.len())? };
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
    // One answer: which of the two is wrong would tell of the clear value.
    let clear = crypto::unpad_80(padded.expose()).ok().filter(|clear| clear.len() == sealed.length);
    Ok(Secret::new(clear.ok_or_else(|| broken(NOT_SO_SEALED))?.to_vec()))
}
