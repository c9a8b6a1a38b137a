//! Keys that are weaker than their algorithm promises.

use super::engine::Engine;
use super::handle::Repr;
use super::pkcs8::modulus_bits;
use super::weakness::{LEAST_ISSUER_BITS, SHORT_ISSUER_BITS, Weakness};
use super::{Algorithm, KeyError, KeyHandle, KeyInfo, Purpose};
use crate::base::crypto::{Cipher, KcvMethod};
use crate::base::{Secret, Warning};

/// Length of a DES key in bytes.
const DES: usize = 8;
/// Weak and semi-weak keys of DES, with odd parity. // SP 800-67 revision 2 §3.4.2
const WEAK_DES: [[u8; DES]; 16] = [
    [0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01],
    [0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE],
    [0xE0, 0xE0, 0xE0, 0xE0, 0xF1, 0xF1, 0xF1, 0xF1],
    [0x1F, 0x1F, 0x1F, 0x1F, 0x0E, 0x0E, 0x0E, 0x0E],
    [0x01, 0x1F, 0x01, 0x1F, 0x01, 0x0E, 0x01, 0x0E],
    [0x1F, 0x01, 0x1F, 0x01, 0x0E, 0x01, 0x0E, 0x01],
    [0x01, 0xE0, 0x01, 0xE0, 0x01, 0xF1, 0x01, 0xF1],
    [0xE0, 0x01, 0xE0, 0x01, 0xF1, 0x01, 0xF1, 0x01],
    [0x01, 0xFE, 0x01, 0xFE, 0x01, 0xFE, 0x01, 0xFE],
    [0xFE, 0x01, 0xFE, 0x01, 0xFE, 0x01, 0xFE, 0x01],
    [0x1F, 0xE0, 0x1F, 0xE0, 0x0E, 0xF1, 0x0E, 0xF1],
    [0xE0, 0x1F, 0xE0, 0x1F, 0xF1, 0x0E, 0xF1, 0x0E],
    [0x1F, 0xFE, 0x1F, 0xFE, 0x0E, 0xFE, 0x0E, 0xFE],
    [0xFE, 0x1F, 0xFE, 0x1F, 0xFE, 0x0E, 0xFE, 0x0E],
    [0xE0, 0xFE, 0xE0, 0xFE, 0xF1, 0xFE, 0xF1, 0xFE],
    [0xFE, 0xE0, 0xFE, 0xE0, 0xFE, 0xF1, 0xFE, 0xF1],
];

/// Refuses a weak live key.
///
/// # Errors
/// [`KeyError::Weak`].
pub(super) fn refuse_live(info: &KeyInfo, weakness: Option<Weakness>) -> Result<(), KeyError> {
    match weakness.filter(|weakness| !info.test && weakness.is_refused_for_live()) {
        Some(weakness) => Err(KeyError::Weak { name: info.name.clone(), weakness }),
        None => Ok(()),
    }
}

/// The warning about a weak key.
pub(super) fn warning(info: &KeyInfo, weakness: Weakness) -> Option<Warning> {
    let told = !info.test || weakness.is_told_for_test();
    told.then(|| Warning::new(format!("keys/{}", info.name), weakness.to_string()))
}

/// The weakness of a key by its description and value; key pairs in PKCS#8.
pub(super) fn of(info: &KeyInfo, value: &Secret<Vec<u8>>) -> Option<Weakness> {
    let by_value = || match info.purpose {
        // Without opening it: OpenSSL would leave parts of the private key in memory.
        Purpose::IssuerRsa => modulus_bits(value).and_then(of_issuer_bits),
        _ => of_value(info.algorithm, value.expose()),
    };
    of_description(info).or_else(by_value)
}

/// The weakness of an open key. Of a key in a token the value cannot be judged: it was when it was put there.
pub(super) fn of_open(engine: &impl Engine, info: &KeyInfo, key: &KeyHandle) -> Result<Option<Weakness>, KeyError> {
    if let Some(weakness) = of_description(info) {
        return Ok(Some(weakness));
    }
    Ok(match (info.purpose, key.repr()) {
        (Purpose::IssuerRsa, _) => of_issuer_bits(engine.rsa_public(key)?.bits()),
        (_, Repr::Held(value)) => of_value(info.algorithm, value.expose()),
        _ => None,
    })
}

/// The weakness of a key by its description and the length of its modulus: all that a token shows.
pub(super) fn of_public(info: &KeyInfo, bits: Option<usize>) -> Option<Weakness> {
    let issuer = bits.filter(|_| info.purpose == Purpose::IssuerRsa);
    of_description(info).or_else(|| issuer.and_then(of_issuer_bits))
}

fn of_description(info: &KeyInfo) -> Option<Weakness> {
    (info.purpose.hides_aes_zero(info.test) && info.kcv.method == KcvMethod::AesZero).then_some(Weakness::GhashKey)
}

/// Whether both halves of a 16-byte DES key are equal but for parity.
pub(super) fn has_equal_halves(value: &[u8]) -> bool {
    of_value(Algorithm::Tdes2, value) == Some(Weakness::EqualParts)
}

/// The weakness of a cipher key's value.
pub(super) fn of_value(algorithm: Algorithm, value: &[u8]) -> Option<Weakness> {
    if algorithm.cipher() != Some(Cipher::Tdes) {
        return None;
    }
    let same =
        |one: &[u8; DES], other: &[u8; DES]| one.iter().zip(other).fold(0, |seen, (a, b)| seen | ((a ^ b) & 0xFE)) == 0;
    let parts = value.as_chunks().0;
    let pairs = parts.iter().enumerate().flat_map(|(at, one)| parts.iter().skip(at + 1).map(move |other| (one, other)));
    if pairs.into_iter().any(|(one, other)| same(one, other)) {
        return Some(Weakness::EqualParts);
    }
    parts.iter().any(|part| WEAK_DES.iter().any(|weak| same(part, weak))).then_some(Weakness::WeakDes)
}

/// The weakness of an issuer key of this many bits.
fn of_issuer_bits(bits: usize) -> Option<Weakness> {
    match bits {
        0..LEAST_ISSUER_BITS => Some(Weakness::ShortRsa(bits)),
        LEAST_ISSUER_BITS..SHORT_ISSUER_BITS => Some(Weakness::SmallRsa(bits)),
        _ => None,
    }
}
