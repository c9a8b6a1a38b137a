//! What is computed with a key, whoever asks. The verbs of `custody.rs` ask the table before they come here.

use zeroize::Zeroizing;

use super::engine::{Engine, crypto_error, wrong_kind};
use super::{Algorithm, Computation, Derivation, KeyError, KeyHandle};
use crate::base::Secret;
use crate::base::crypto::{Cipher, CryptoError, KcvMethod};

pub(super) fn cipher(key: &KeyHandle) -> Result<Cipher, KeyError> {
    key.algorithm().cipher().ok_or_else(|| wrong_kind(key))
}

pub(super) fn zero_iv(cipher: Cipher) -> &'static [u8] {
    match cipher {
        Cipher::Tdes => &[0; 8],
        Cipher::Aes => &[0; 16],
    }
}

/// A derived key's value.
pub(super) fn derived_value(
    engine: &impl Engine,
    from: &KeyHandle,
    how: &Derivation<'_>,
) -> Result<Secret<Vec<u8>>, KeyError> {
    match how {
        Derivation::Ecb(data) => engine.encrypt(from, None, data),
        Derivation::CbcZero(data) => engine.encrypt(from, Some(zero_iv(cipher(from)?)), data),
        Derivation::Cmac { messages, length } => concatenated_cmac(engine, from, messages, *length),
    }
    .map(Secret::new)
}

/// A check value, whoever asks.
pub(super) fn check_value(
    engine: &impl Engine,
    key: &KeyHandle,
    method: KcvMethod,
    length: usize,
) -> Result<Vec<u8>, KeyError> {
    if !key.algorithm().has_check_value(method) {
        return Err(wrong_kind(key));
    }
    let mut value = match method {
        KcvMethod::DesZero => engine.encrypt(key, None, &[0; 8])?,
        KcvMethod::AesZero => engine.encrypt(key, None, &[0; 16])?,
        KcvMethod::AesOnes => engine.encrypt(key, None, &[1; 16])?,
        KcvMethod::Cmac => engine.cmac(key, zero_iv(cipher(key)?))?,
        KcvMethod::SpkiSha256 => crate::base::crypto::sha256(&engine.public_info(key)?).to_vec(),
    };
    value.truncate(length);
    Ok(value)
}

pub(super) fn whole_mac(engine: &impl Engine, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
    if key.algorithm() != Algorithm::Tdes2 {
        return Err(wrong_kind(key));
    }
    if data.is_empty() || !data.len().is_multiple_of(8) {
        return Err(crypto_error(key)(CryptoError::DataLength(data.len())));
    }
    Engine::retail_mac(engine, key, data)
}

/// A cryptogram that does not come out.
pub(super) fn computed(engine: &impl Engine, key: &KeyHandle, how: &Computation<'_>) -> Result<Vec<u8>, KeyError> {
    match how {
        Computation::RetailMac { data, length } => {
            let mac = Zeroizing::new(whole_mac(engine, key, data)?);
            Ok(mac.iter().take(*length).copied().collect())
        }
        Computation::CbcMac(data) => {
            let cipher = cipher(key)?;
            let chained = Zeroizing::new(engine.encrypt(key, Some(zero_iv(cipher)), data)?);
            let start = chained.len().saturating_sub(cipher.block());
            Ok(chained.iter().skip(start).copied().collect())
        }
        Computation::Ecb(data) => engine.encrypt(key, None, data),
        Computation::Cmac { messages, length } => concatenated_cmac(engine, key, messages, *length),
    }
}

pub(super) fn concatenated_cmac(
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
