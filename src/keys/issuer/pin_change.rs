//! Issuer scripts: their MAC, and the PIN that they carry. // EMV B2 §9, A1.1; VIS

use zeroize::Zeroizing;

use super::{IssuerError, WorkingKey};
use crate::base::Secret;
use crate::base::crypto::pad_80;
use crate::keys::KeyStore;

/// How a script's confidential data are enciphered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinCipher {
    /// VIS: a byte with the length before it, 80 and zeros behind it, ECB.
    Visa,
    /// Mastercard: whole blocks as they are, CBC.
    Mastercard,
    /// EMV: 80 and zeros behind it always, CBC. // EMV B2 A1.1
    Emv,
}

/// What the MAC of a script command goes over: the header with the final Lc, then ATC and cryptogram, which do not travel,
/// then the data.
pub fn script_mac_input(header: [u8; 5], atc: [u8; 2], cryptogram: [u8; 8], data: &[u8]) -> Vec<u8> {
    [header.as_slice(), &atc, &cryptogram, data].concat()
}

/// The MAC of a script command, 4 to 8 bytes. `data` are not padded yet.
///
/// # Errors
/// [`IssuerError::MacLength`], or the store fails.
pub fn script_mac(store: &dyn KeyStore, key: &WorkingKey, data: &[u8], length: usize) -> Result<Vec<u8>, IssuerError> {
    if !(4..=8).contains(&length) {
        return Err(IssuerError::MacLength(length));
    }
    Ok(key.retail_mac(store, &pad_80(data, 8))?.into_iter().take(length).collect())
}

/// Enciphers a PIN block for a script.
///
/// # Errors
/// A block that is not whole blocks where there is no padding, or the store fails.
pub fn encipher_pin(
    store: &dyn KeyStore,
    key: &WorkingKey,
    block: &Secret<Vec<u8>>,
    cipher: PinCipher,
) -> Result<Vec<u8>, IssuerError> {
    let clear = match cipher {
        PinCipher::Mastercard => Zeroizing::new(block.expose().clone()),
        PinCipher::Emv => Zeroizing::new(pad_80(block.expose(), 8)),
        PinCipher::Visa => {
            let length = u8::try_from(block.len()).unwrap_or(u8::MAX);
            let with_length = Zeroizing::new([&[length], block.expose().as_slice()].concat());
            Zeroizing::new(pad_80(&with_length, 8))
        }
    };
    key.encipher(store, &clear, cipher != PinCipher::Visa)
}

/// A PIN block of ISO 9564-1 format 2, from digits in ASCII.
///
/// # Errors
/// [`IssuerError::Pin`].
pub fn pin_block_iso2(pin: &Secret<Vec<u8>>) -> Result<Secret<Vec<u8>>, IssuerError> {
    block(pin, 0x20)
}

/// A PIN block of VIS: the new PIN, mixed with the second four bytes of the card's cryptogram key (with odd parity, see
/// [`super::icc_master_key_value`]) and, where the script is to know the card, with the current PIN.
///
/// # Errors
/// [`IssuerError::Pin`].
pub fn pin_block_vis(
    pin: &Secret<Vec<u8>>,
    current: Option<&Secret<Vec<u8>>>,
    cryptogram_key: &Secret<Vec<u8>>,
) -> Result<Secret<Vec<u8>>, IssuerError> {
    let plain = block(pin, 0x00)?;
    let key = cryptogram_key.expose().iter().skip(4).take(4);
    let mask = Zeroizing::new([0; 4].iter().chain(key).copied().collect::<Vec<u8>>());
    let current = match current {
        None => Zeroizing::new(vec![0; 8]),
        Some(current) => Zeroizing::new(nibbles(current, 0)?),
    };
    let mixed = plain.expose().iter().zip(mask.iter()).zip(current.iter());
    Ok(Secret::new(mixed.map(|((byte, key), current)| byte ^ key ^ current).collect()))
}

/// A control nibble, the length, the digits, and F.
fn block(pin: &Secret<Vec<u8>>, control: u8) -> Result<Secret<Vec<u8>>, IssuerError> {
    let digits = Zeroizing::new(nibbles(pin, 0xF)?);
    let first = control | u8::try_from(pin.len()).unwrap_or_default();
    Ok(Secret::new([&[first], digits.get(..7).unwrap_or_default()].concat()))
}

/// The digits from the left, filled to eight bytes.
fn nibbles(pin: &Secret<Vec<u8>>, filler: u8) -> Result<Vec<u8>, IssuerError> {
    if !(4..=12).contains(&pin.len()) || !pin.expose().iter().all(u8::is_ascii_digit) {
        return Err(IssuerError::Pin);
    }
    let nibble = |at: usize| pin.expose().get(at).map_or(filler, |digit| digit - b'0');
    Ok((0..8).map(|at| (nibble(2 * at) << 4) | nibble(2 * at + 1)).collect())
}
