//! How PINs come in and go out: under which keys, in which formats.

use zeroize::Zeroizing;

use super::{Pin, PinError, PinFormat, Shape, decode, encode, pan_field};
use crate::base::crypto::Cipher;
use crate::base::emv::Pan;
use crate::base::{Chance, Secret};
use crate::keys::arrivals::{unseal, unwrap_key};
use crate::keys::compute::cipher;
use crate::keys::engine::{Engine, wrong_kind};
use crate::keys::policy::{Verb, allowed};
use crate::keys::{KeyError, KeyHandle, Purpose, Sealed, WrappedKey};

/// A PIN as it has arrived.
pub enum ArrivedPin<'a> {
    /// Format 0 or 3 under a zone's PIN key (3DES).
    UnderZpk {
        /// The key, of purpose `zpk`.
        key: &'a KeyHandle,
        /// Format 0 or 3.
        format: PinFormat,
        /// Eight bytes.
        block: &'a [u8],
    },
    /// Format 0 or 3 under a key that came along, itself under a KEK.
    UnderTransportKey {
        /// The KEK.
        kek: &'a KeyHandle,
        /// The PIN key under it, with its check value.
        wrapped: WrappedKey<'a>,
        /// Format 0 or 3.
        format: PinFormat,
        /// Eight bytes.
        block: &'a [u8],
    },
    /// Format 4 under an AES PIN key.
    UnderPek {
        /// The key, of purpose `zpk`.
        key: &'a KeyHandle,
        /// Sixteen bytes.
        block: &'a [u8],
    },
    /// A block without PAN (format 1 or 2) inside a grouping that is sealed under a transport key. // CPS 1.1 §4.3.4
    Sealed {
        /// The key, of purpose `transport`.
        key: &'a KeyHandle,
        /// Format 1 or 2.
        format: PinFormat,
        /// The grouping.
        sealed: Sealed<'a>,
    },
}

/// How the PIN goes into the card (DGI 8010).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardPin {
    /// Format 2, or format 1 for the few applets that want it.
    pub format: PinFormat,
    /// The block alone (8 bytes), or with eight random bytes behind it for cards with AES keys.
    pub wide: bool,
}

/// Opens a block and reads the PIN that is in it for this PAN.
pub(in crate::keys) fn open(engine: &impl Engine, arrived: &ArrivedPin<'_>, pan: &Pan) -> Result<Pin, KeyError> {
    match arrived {
        ArrivedPin::UnderZpk { key, format, block } => {
            allowed(key, Verb::OpenPin)?;
            under_tdes(engine, key, *format, block, pan)
        }
        ArrivedPin::UnderTransportKey { kek, wrapped, format, block } => {
            let key = unwrap_key(engine, kek, wrapped, Purpose::Zpk)?;
            under_tdes(engine, &key, *format, block, pan)
        }
        ArrivedPin::UnderPek { key, block } => {
            allowed(key, Verb::OpenPin)?;
            under_aes(engine, key, block, pan)
        }
        ArrivedPin::Sealed { key, format, sealed } => {
            allowed(key, Verb::OpenSealed)?;
            if !matches!(format, PinFormat::Iso1 | PinFormat::Iso2) {
                return Err(KeyError::Pin(PinError::Block));
            }
            let value = unseal(engine, key, sealed)?;
            // A wide block has eight random bytes behind it.
            let block = Secret::new(value.expose().iter().take(8).copied().collect());
            let whole = matches!(value.len(), 8 | 16);
            let pin = decode(*format, &block, pan.digits())?.under(key.is_test());
            if whole { Ok(pin) } else { Err(KeyError::Pin(PinError::Block)) }
        }
    }
}

fn under_tdes(
    engine: &impl Engine,
    key: &KeyHandle,
    format: PinFormat,
    block: &[u8],
    pan: &Pan,
) -> Result<Pin, KeyError> {
    if cipher(key)? != Cipher::Tdes {
        return Err(wrong_kind(key));
    }
    // Formats without a PAN are bound to no card: they do not travel between zones. // ISO 9564-1 §9.2
    if !matches!(format, PinFormat::Iso0 | PinFormat::Iso3) || block.len() != 8 {
        return Err(KeyError::Pin(PinError::Block));
    }
    let clear = engine.decrypt(key, None, block)?;
    Ok(decode(format, &clear, pan.digits())?.under(key.is_test()))
}

/// Deciphered, the PAN field taken out, deciphered again. // ISO 9564-1 §9.4.2.4
fn under_aes(engine: &impl Engine, key: &KeyHandle, block: &[u8], pan: &Pan) -> Result<Pin, KeyError> {
    if cipher(key)? != Cipher::Aes {
        return Err(wrong_kind(key));
    }
    if block.len() != 16 {
        return Err(KeyError::Pin(PinError::Block));
    }
    let outer = engine.decrypt(key, None, block)?;
    let pan_field = pan_field(pan.digits())?;
    let inner = Zeroizing::new(outer.expose().iter().zip(pan_field.iter()).map(|(a, b)| a ^ b).collect::<Vec<u8>>());
    let clear = engine.decrypt(key, None, &inner)?;
    Ok(decode(PinFormat::Iso4, &clear, "")?.under(key.is_test()))
}

/// The value of DGI 8010, in the clear.
pub(in crate::keys) fn sealed_value(
    pin: &Pin,
    form: CardPin,
    chance: &mut Chance,
) -> Result<Secret<Vec<u8>>, KeyError> {
    let block = match form.format {
        PinFormat::Iso2 => encode(pin, &Shape::Iso2)?,
        PinFormat::Iso1 => {
            let random = Zeroizing::new(chance.bytes::<7>()?);
            let nibbles = random.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).take(14 - pin.length());
            encode(pin, &Shape::Iso1(&Zeroizing::new(nibbles.collect::<Vec<u8>>())))?
        }
        PinFormat::Iso0 | PinFormat::Iso3 | PinFormat::Iso4 => return Err(KeyError::Pin(PinError::Filling)),
    };
    if !form.wide {
        return Ok(block);
    }
    Ok(Secret::new([block.expose().as_slice(), &chance.bytes::<8>()?].concat()))
}
