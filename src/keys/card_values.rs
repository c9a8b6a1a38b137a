//! Values by which an issuer knows its cards: CVV and its kin under a card verification key, dynamic ones under a
//! card's own key.

use zeroize::Zeroizing;

use super::custody::for_purpose;
use super::pin::decimal_digits;
use super::usage::{Operation, header_allows};
use super::{KeyError, KeyHandle, KeyStore, Purpose};
use crate::base::Secret;
use crate::base::crypto::pad_80;
use crate::base::emv::Pan;

/// Service code in the value of the chip's track data (iCVV); the track's own service code stays the real one.
pub const ICVV_SERVICE_CODE: &str = "999";
/// Service code in the printed value (CVV2).
pub const CVV2_SERVICE_CODE: &str = "000";
/// Digits of the PAN that a dynamic CVV replaces by the transaction counter.
const COUNTER_DIGITS: usize = 4;

/// What a CVV is computed of.
#[derive(Clone, Copy)]
pub struct CvvInput<'a> {
    /// The card's PAN.
    pub pan: &'a Pan,
    /// Four digits, in the order that the issuer uses: YYMM for stripe and chip; for the printed value YYMM or MMYY.
    pub expiry: &'a str,
    /// Three digits: the real ones, [`ICVV_SERVICE_CODE`] or [`CVV2_SERVICE_CODE`].
    pub service_code: &'a str,
}

/// CVV, iCVV or CVV2: so many digits (1 to 5) in ASCII.
///
/// # Errors
/// [`KeyError::Purpose`], [`KeyError::Input`] by what cannot be, or the store fails.
pub fn cvv(
    store: &dyn KeyStore,
    cvk: &KeyHandle,
    input: &CvvInput<'_>,
    length: usize,
) -> Result<Secret<Vec<u8>>, KeyError> {
    for_purpose(cvk, Purpose::Cvk)?;
    header_allows(cvk, Operation::Make)?;
    verification_value(store, cvk, input.pan.digits(), input, length)
}

/// A dynamic CVV, three digits in ASCII, under a card's own key: the PAN's first four digits are replaced by the
/// transaction counter's last four (decimal).
///
/// # Errors
/// As [`cvv`].
pub fn dcvv(
    store: &dyn KeyStore,
    card_key: &KeyHandle,
    input: &CvvInput<'_>,
    counter: &str,
) -> Result<Secret<Vec<u8>>, KeyError> {
    for_card_values(card_key)?;
    let rest = input.pan.digits().get(COUNTER_DIGITS..).unwrap_or_default();
    if counter.len() != COUNTER_DIGITS {
        return Err(KeyError::Input("a dynamic CVV takes four digits of the transaction counter"));
    }
    let replaced = Zeroizing::new(format!("{counter}{rest}"));
    verification_value(store, card_key, &replaced, input, 3)
}

/// The static value that a card's dynamic CVCs begin with (IVCVC3), for DGI A001: two bytes.
///
/// # Errors
/// [`KeyError::Purpose`], or the store fails.
pub fn ivcvc3(store: &dyn KeyStore, card_key: &KeyHandle, track: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
    for_card_values(card_key)?;
    let mac = store.retail_mac(card_key, &Zeroizing::new(pad_80(track, 8)))?;
    Ok(Secret::new(mac.last_chunk::<2>().map(|last| last.to_vec()).unwrap_or_default()))
}

/// A dynamic CVC (CVC3): five digits in ASCII, of which a track takes as many from the right as it has room for.
///
/// # Errors
/// [`KeyError::Purpose`], [`KeyError::Input`] on another IVCVC3 than two bytes, or the store fails.
pub fn cvc3(
    store: &dyn KeyStore,
    card_key: &KeyHandle,
    ivcvc3: &Secret<Vec<u8>>,
    unpredictable: [u8; 4],
    counter: [u8; 2],
) -> Result<Secret<Vec<u8>>, KeyError> {
    for_card_values(card_key)?;
    if ivcvc3.len() != 2 {
        return Err(KeyError::Input("an IVCVC3 has two bytes"));
    }
    let block = Zeroizing::new([ivcvc3.expose().as_slice(), &unpredictable, &counter].concat());
    let enciphered = store.encipher(card_key, &block, false)?;
    let [high, low] = enciphered.expose().last_chunk::<2>().copied().unwrap_or_default();
    Ok(Secret::new(format!("{:05}", u16::from_be_bytes([high, low])).into_bytes()))
}

/// The retail MAC over PAN, expiry and service code, filled with zeros to two blocks; its decimal digits first.
fn verification_value(
    store: &dyn KeyStore,
    key: &KeyHandle,
    pan: &str,
    input: &CvvInput<'_>,
    length: usize,
) -> Result<Secret<Vec<u8>>, KeyError> {
    if input.expiry.len() != 4 || input.service_code.len() != 3 {
        return Err(KeyError::Input("a CVV takes four digits of expiry and three of service code"));
    }
    if !(1..=5).contains(&length) {
        return Err(KeyError::Input("a CVV has 1 to 5 digits"));
    }
    let digits = Zeroizing::new(format!("{:0<32}", format!("{pan}{}{}", input.expiry, input.service_code)));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(KeyError::Input("a CVV is computed of digits"));
    }
    let data = Zeroizing::new(
        digits
            .as_bytes()
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | (digit - b'0')))
            .collect::<Vec<u8>>(),
    );
    Ok(decimal_digits(&Zeroizing::new(store.retail_mac(key, &data)?)[..], length))
}

/// A card's own key, derived from an issuer's master key for such values.
fn for_card_values(key: &KeyHandle) -> Result<(), KeyError> {
    if key.purpose() == Purpose::ImkCvc {
        return Ok(());
    }
    Err(KeyError::Purpose { name: key.name().to_owned(), is: key.purpose(), wanted: Purpose::ImkCvc })
}
