//! What an issuer keeps to know a PIN again: PVV, and the offset of the IBM 3624 method.

use zeroize::Zeroizing;

use super::{LONGEST, Pin, PinError, SHORTEST};
use crate::base::Secret;
use crate::base::emv::Pan;
use crate::keys::custody::for_purpose;
use crate::keys::usage::{Operation, header_allows};
use crate::keys::{KeyError, KeyHandle, KeyStore, Purpose};

/// The PVV, four digits in ASCII: of eleven digits of the PAN (without the check digit), the key's index and the first
/// four digits of the PIN, enciphered under the PVK, the first four decimal digits.
///
/// # Errors
/// [`KeyError::Purpose`], [`PinError::Pan`] where the index is no digit, or the store fails.
pub fn pvv(
    store: &dyn KeyStore,
    pvk: &KeyHandle,
    pan: &Pan,
    index: u8,
    pin: &Pin,
) -> Result<Secret<Vec<u8>>, KeyError> {
    for_purpose(pvk, Purpose::Pvk)?;
    header_allows(pvk, Operation::Make)?;
    if index > 9 {
        return Err(KeyError::Pin(PinError::Pan));
    }
    let payload = pan.digits().len().saturating_sub(1);
    let eleven = pan.digits().bytes().take(payload).skip(payload.saturating_sub(11)).map(|digit| digit - b'0');
    let digits = Zeroizing::new(eleven.chain([index]).chain(pin.digits().iter().copied().take(4)).collect::<Vec<u8>>());
    let block =
        Zeroizing::new(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, n| byte << 4 | n)).collect::<Vec<u8>>());
    let enciphered = store.encipher(pvk, &block, false)?;
    Ok(decimal_digits(enciphered.expose(), 4))
}

/// The first `count` decimal digits of some bytes in hexadecimal; where there are fewer, the letters follow, A as 0 to F
/// as 5. In ASCII.
pub(in crate::keys) fn decimal_digits(bytes: &[u8], count: usize) -> Secret<Vec<u8>> {
    let nibbles = || bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    let numbers = nibbles().filter(|nibble| *nibble <= 9);
    let letters = nibbles().filter(|nibble| *nibble > 9).map(|nibble| nibble - 10);
    Secret::new(numbers.chain(letters).take(count).map(|digit| digit + b'0').collect())
}

/// What the IBM 3624 method takes beside key and PIN.
#[derive(Clone, Copy)]
pub struct Ibm3624<'a> {
    /// Validation data: sixteen hexadecimal digits, mostly a part of the PAN with filling.
    pub validation: &'a str,
    /// Decimalization table: sixteen digits, for 0 to F.
    pub table: &'a str,
}

impl Ibm3624<'_> {
    /// The natural PIN: the validation data enciphered, each digit through the table.
    ///
    /// All sixteen digits; a PIN takes as many from the left as it has.
    ///
    /// # Errors
    /// [`KeyError::Purpose`], [`PinError::Ibm3624`], or the store fails.
    pub fn natural(&self, store: &dyn KeyStore, pvk: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        for_purpose(pvk, Purpose::Pvk3624)?;
        header_allows(pvk, Operation::Make)?;
        let bad = || KeyError::Pin(PinError::Ibm3624);
        let table = self.table.as_bytes();
        if table.len() != 16 || !table.iter().all(u8::is_ascii_digit) || self.validation.len() != 16 {
            return Err(bad());
        }
        let block = Zeroizing::new(hex::decode(self.validation).map_err(|_| bad())?);
        let enciphered = store.encipher(pvk, &block, false)?;
        let nibbles = enciphered.expose().iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
        let digits = nibbles.map(|nibble| table.get(usize::from(nibble)).copied().unwrap_or(b'0'));
        Ok(Secret::new(digits.collect()))
    }
}

/// The offset from the natural PIN to this one, digit by digit without carry; as many digits in ASCII as the PIN has.
///
/// # Errors
/// As [`Ibm3624::natural`].
pub fn pin_offset(
    store: &dyn KeyStore,
    pvk: &KeyHandle,
    method: &Ibm3624<'_>,
    pin: &Pin,
) -> Result<Secret<Vec<u8>>, KeyError> {
    let natural = method.natural(store, pvk)?;
    let digits = pin.digits().iter().zip(natural.expose());
    Ok(Secret::new(digits.map(|(digit, natural)| (digit + 10 - (natural - b'0')) % 10 + b'0').collect()))
}

/// The PIN of an offset (digits in ASCII): as long as the offset.
///
/// # Errors
/// [`PinError::Offset`], and as [`Ibm3624::natural`].
pub fn pin_from_offset(
    store: &dyn KeyStore,
    pvk: &KeyHandle,
    method: &Ibm3624<'_>,
    offset: &str,
) -> Result<Pin, KeyError> {
    if !(SHORTEST..=LONGEST).contains(&offset.len()) || !offset.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(KeyError::Pin(PinError::Offset));
    }
    let natural = method.natural(store, pvk)?;
    let digits = offset.bytes().zip(natural.expose()).map(|(offset, natural)| (offset - b'0' + natural - b'0') % 10);
    Ok(Pin::of(digits, pvk.is_test())?)
}
