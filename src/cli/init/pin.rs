//! The PIN of a laboratory's sample cards, drawn for it, and its blocks as orders carry them.

use zeroize::Zeroizing;

use super::keys::LabKeys;
use crate::base::{Chance, Secret};
use crate::cli::common::CliError;
use crate::keys::KeyError;
use crate::keys::pin::{self, Pin, Shape, pan_field};

/// Digits of the PIN.
pub(super) const LENGTH: usize = 4;
/// Bytes below this one give ten digits equally often.
const EVEN: u8 = 250;

/// The PIN of the sample cards.
pub(super) struct LabPin {
    digits: Secret<Vec<u8>>,
    pin: Pin,
}

/// Draws a PIN.
///
/// # Errors
/// The random source fails.
pub(super) fn draw(chance: &mut Chance) -> Result<LabPin, CliError> {
    let mut digits = Zeroizing::new(Vec::with_capacity(LENGTH));
    while digits.len() < LENGTH {
        let [byte] = chance.bytes::<1>()?;
        if byte < EVEN {
            digits.push(b'0' + byte % 10);
        }
    }
    let digits = Secret::new(std::mem::take(&mut *digits));
    let pin = Pin::from_ascii(&digits).map_err(KeyError::Pin)?;
    Ok(LabPin { digits, pin })
}

impl LabPin {
    /// The line of its file.
    ///
    /// # Errors
    /// Never: it is digits.
    pub(super) fn line(&self) -> Result<Secret<String>, CliError> {
        let line = [self.digits.expose().as_slice(), b"\n"].concat();
        let text = String::from_utf8(line).map_err(|_| KeyError::Pin(pin::PinError::Digits))?;
        Ok(Secret::new(text))
    }

    /// Its block of format 0 under a zone key. // ISO 9564-1 §9.3.1
    ///
    /// # Errors
    /// There is no such key.
    pub(super) fn iso0(&self, keys: &LabKeys, zone_key: &str, pan: &str) -> Result<String, CliError> {
        let clear = pin::encode(&self.pin, &Shape::Iso0(pan)).map_err(KeyError::Pin)?;
        Ok(hex::encode_upper(keys.under_zone_key(zone_key, clear.expose())?.expose()))
    }

    /// Its block of format 4 under an AES zone key: the PAN is mixed in between two encipherments. // ISO 9564-1 §9.4.2.3
    ///
    /// # Errors
    /// As [`LabPin::iso0`], and the random source fails.
    pub(super) fn iso4(
        &self,
        keys: &LabKeys,
        zone_key: &str,
        pan: &str,
        chance: &mut Chance,
    ) -> Result<String, CliError> {
        let field = pin::encode(&self.pin, &Shape::Iso4(&chance.bytes()?)).map_err(KeyError::Pin)?;
        let once = keys.under_zone_key(zone_key, field.expose())?;
        let pan = pan_field(pan).map_err(KeyError::Pin)?;
        let mixed = Zeroizing::new(once.expose().iter().zip(pan.iter()).map(|(a, b)| a ^ b).collect::<Vec<u8>>());
        Ok(hex::encode_upper(keys.under_zone_key(zone_key, &mixed)?.expose()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_drawn_evenly() {
        // 250 to 255 give no digit.
        let mut chance = Chance::fixed(vec![255, 9, 250, 10, 249, 251, 128]);
        let pin = draw(&mut chance).unwrap();
        assert!(pin.line().unwrap().equals(b"9098\n"), "the PIN is another");
        assert!(draw(&mut Chance::fixed(vec![1, 2, 3])).is_err());
    }
}
