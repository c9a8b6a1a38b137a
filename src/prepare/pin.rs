//! The PIN: out of the block in which it arrived, inside the key room.

use super::PrepareError;
use crate::base::crypto::KcvMethod;
use crate::keys::pin::{ArrivedPin, Pin, PinFormat};
use crate::keys::{Algorithm, Kcv, KeyError, KeyStore, WrappedKey};
use crate::order::{Order, PinForm};

/// Opens the order's PIN block. Nothing where the order brings none. Digits stay in the key room.
///
/// # Errors
/// The key is not in custody, the transport key's check value is wrong, or the block holds no PIN of this PAN.
pub(super) fn open(order: &Order, store: &dyn KeyStore) -> Result<Option<Pin>, PrepareError> {
    let chip = order.chip();
    let Some(arrived) = chip.pin() else { return Ok(None) };
    let name = arrived.key().ok_or(PrepareError::NoKey("a key for PIN blocks"))?;
    let key = store.open(name, arrived.form().purpose())?;
    let block = arrived.block().expose();
    let pin = match arrived.form() {
        PinForm::Iso0 => {
            store.open_pin(&ArrivedPin::UnderZpk { key: &key, format: PinFormat::Iso0, block }, chip.pan())?
        }
        PinForm::Iso4 => store.open_pin(&ArrivedPin::UnderPek { key: &key, block }, chip.pan())?,
        PinForm::Iso0Tk => {
            let (value, kcv) =
                arrived.transport_key().ok_or(PrepareError::NoKey("the transport key of the PIN block"))?;
            let kcv = Kcv { method: KcvMethod::DesZero, value: kcv.to_vec() };
            let wrapped = WrappedKey {
                name: "the order's transport key",
                value: value.expose(),
                cbc: false,
                algorithm: Algorithm::Tdes2,
                kcv: &kcv,
                odd_parity: false,
            };
            let arrived = ArrivedPin::UnderTransportKey { kek: &key, wrapped, format: PinFormat::Iso0, block };
            store.open_pin(&arrived, chip.pan()).map_err(|error| match error {
                KeyError::Kcv { .. } => PrepareError::TransportKey,
                other => other.into(),
            })?
        }
    };
    match order.product().pin_length() {
        Some(length) if usize::from(length) != pin.length() => Err(PrepareError::PinLength { wanted: length }),
        _ => Ok(Some(pin)),
    }
}
