//! PINs: in one buffer that is wiped, from the block in which they arrive to the block in which they leave.
//!
//! Outside this room a [`Pin`] can be handed on, and compared by its store's verbs; it cannot be read.

mod arrive;
mod format;
mod verify;

pub use arrive::{ArrivedPin, CardPin};
pub use format::{Shape, decode, encode, pan_field};
pub use verify::{Ibm3624, pin_from_offset, pin_offset, pvv};

pub(super) use arrive::{open, sealed_value};
pub(super) use verify::decimal_digits;

use zeroize::Zeroizing;

use crate::base::Secret;
use crate::base::fault::{Code, Fault};

/// Shortest PIN. // ISO 9564-1 §4
const SHORTEST: usize = 4;
/// Longest PIN. // ISO 9564-1 §4
const LONGEST: usize = 12;

/// A PIN of 4 to 12 digits. It has no `Debug`, `Display` or `Clone`, and is wiped when it goes.
pub struct Pin {
    /// One digit a byte, 0 to 9; the rest is zero. In a box: a PIN that moves leaves no copy behind.
    digits: Zeroizing<Box<[u8]>>,
    length: usize,
    test: bool,
}

/// Formats of PIN blocks. // ISO 9564-1 §9
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinFormat {
    /// Format 0: filled with F, mixed with the PAN.
    Iso0,
    /// Format 1: filled at random, no PAN.
    Iso1,
    /// Format 2: filled with F, no PAN; for the card's chip only.
    Iso2,
    /// Format 3: filled at random with A to F, mixed with the PAN.
    Iso3,
    /// Format 4: sixteen bytes under AES, mixed with the PAN between two encryptions.
    Iso4,
}

impl PinFormat {
    /// Length of the block in bytes.
    pub fn length(self) -> usize {
        if self == PinFormat::Iso4 { 16 } else { 8 }
    }
}

/// What is wrong with a PIN or its block. One answer for everything that a block can have, so that nothing is told of
/// its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// No PIN of this PAN is in the block.
    #[error("the PIN block holds no PIN for this PAN: another key, another PAN or another format")]
    Block,
    /// Something that is no PIN.
    #[error("a PIN has 4 to 12 digits")]
    Digits,
    /// A format that is mixed with a PAN, and no PAN of 1 to 19 digits.
    #[error("this format of PIN block needs a PAN of 1 to 19 digits")]
    Pan,
    /// Not as much filling as the format takes, or other filling.
    #[error("this format of PIN block is filled otherwise")]
    Filling,
    /// A table, or data, that the IBM 3624 method does not take.
    #[error("the IBM 3624 method takes sixteen digits as table, and sixteen hexadecimal digits as validation data")]
    Ibm3624,
    /// An offset that is not as many digits as it must be.
    #[error("the offset has not 4 to 12 digits")]
    Offset,
    /// A PIN that did not come under a test key.
    #[error("the PIN is not a test PIN")]
    Live,
}

impl Fault for PinError {
    fn code(&self) -> Code {
        match self {
            PinError::Live => Code::KeyLive,
            _ => Code::PinBlock,
        }
    }
}

impl Pin {
    /// A PIN from digits in ASCII that somebody has typed.
    ///
    /// # Errors
    /// [`PinError::Digits`].
    pub fn from_ascii(digits: &Secret<Vec<u8>>) -> Result<Self, PinError> {
        if !digits.expose().iter().all(u8::is_ascii_digit) {
            return Err(PinError::Digits);
        }
        Self::of(digits.expose().iter().map(|digit| digit - b'0'), true)
    }

    /// Digits as numbers. Everything else is refused.
    fn of(numbers: impl Iterator<Item = u8>, test: bool) -> Result<Self, PinError> {
        let mut pin = Self { digits: Zeroizing::new(Box::from([0; LONGEST])), length: 0, test };
        for number in numbers {
            let place = pin.digits.get_mut(pin.length).ok_or(PinError::Digits)?;
            if number > 9 {
                return Err(PinError::Digits);
            }
            *place = number;
            pin.length += 1;
        }
        if pin.length < SHORTEST { Err(PinError::Digits) } else { Ok(pin) }
    }

    /// The same, under a key that may be live.
    fn under(self, test: bool) -> Self {
        Self { test, ..self }
    }

    /// Its digits as numbers.
    fn digits(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }

    /// How many digits it has.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The digits in ASCII, of a PIN that came in the clear or under a test key: for vectors and the calculator.
    ///
    /// # Errors
    /// [`PinError::Live`] for every other PIN.
    pub fn expose_test_pin(&self) -> Result<Secret<Vec<u8>>, PinError> {
        if !self.test {
            return Err(PinError::Live);
        }
        Ok(Secret::new(self.digits().iter().map(|digit| digit + b'0').collect()))
    }
}
