//! Derivation mechanisms that the crate `cryptoki` does not name: encryption of data with ECB, and with triple DES in CBC
//! mode. The one file with `unsafe` in it, and one line of it.

#![allow(unsafe_code)]

use std::ffi::c_ulong;

use cryptoki::mechanism::ekdf::AesCbcDeriveParams;
use cryptoki::mechanism::misc::KeyDerivationStringData;
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};

use crate::base::crypto::Cipher;

/// PKCS#11 v2.40 §2.15, mechanism types.
pub(super) const DES3_ECB_ENCRYPT_DATA: c_ulong = 0x1102;
pub(super) const DES3_CBC_ENCRYPT_DATA: c_ulong = 0x1103;
pub(super) const AES_ECB_ENCRYPT_DATA: c_ulong = 0x1104;

/// CK_DES_CBC_ENCRYPT_DATA_PARAMS
#[repr(C)]
struct DesCbcData {
    iv: [u8; 8],
    data: *const u8,
    length: c_ulong,
}

/// Calls `use_it` with the mechanism that derives a key by enciphering `data` (whole blocks): in CBC mode with a zero
/// IV, or in ECB mode.
pub(super) fn by_encryption<T>(cipher: Cipher, cbc: bool, data: &[u8], use_it: impl FnOnce(&Mechanism<'_>) -> T) -> T {
    let string = KeyDerivationStringData::new(data);
    match (cipher, cbc) {
        (Cipher::Tdes, false) => use_it(&unnamed(DES3_ECB_ENCRYPT_DATA, &string)),
        (Cipher::Aes, false) => use_it(&unnamed(AES_ECB_ENCRYPT_DATA, &string)),
        (Cipher::Tdes, true) => {
            let length = c_ulong::try_from(data.len()).unwrap_or(c_ulong::MAX);
            use_it(&unnamed(DES3_CBC_ENCRYPT_DATA, &DesCbcData { iv: [0; 8], data: data.as_ptr(), length }))
        }
        (Cipher::Aes, true) => use_it(&Mechanism::AesCbcEncryptData(AesCbcDeriveParams::new([0; 16], data))),
    }
}

/// A mechanism by its number. The parameters are those that PKCS#11 lays down for it, and live as long as it does.
fn unnamed<T>(number: c_ulong, parameters: &T) -> Mechanism<'_> {
    Mechanism::VendorDefined(VendorDefinedMechanism::new(mechanism_type(number), Some(parameters)))
}

/// The type of a mechanism by its number.
pub(super) fn mechanism_type(number: c_ulong) -> MechanismType {
    // SAFETY: `MechanismType` is a transparent wrapper of the number (its crate relies on that as well), for which every
    // value is valid: it is one that tokens answer to, or refuse.
    unsafe { std::mem::transmute::<c_ulong, MechanismType>(number) }
}
