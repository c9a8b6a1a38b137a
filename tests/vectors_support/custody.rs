//! A store with one test key, of any purpose.

use perso::base::Secret;
use perso::base::crypto::{self, Cipher, KcvMethod};
use perso::keys::{Algorithm, Kcv, KeyHandle, KeyHeader, KeyInfo, KeyStore, Purpose, SoftwareStore};

use super::text;

/// A triple DES key.
pub fn one_key(purpose: Purpose, value: Vec<u8>) -> Result<(SoftwareStore, KeyHandle), String> {
    one_key_of(Cipher::Tdes, purpose, value)
}

/// A key of this cipher.
pub fn one_key_of(cipher: Cipher, purpose: Purpose, value: Vec<u8>) -> Result<(SoftwareStore, KeyHandle), String> {
    one_key_with(cipher, purpose, value, None)
}

/// A key of this cipher that came with this header.
pub fn one_key_with(
    cipher: Cipher,
    purpose: Purpose,
    value: Vec<u8>,
    header: Option<KeyHeader>,
) -> Result<(SoftwareStore, KeyHandle), String> {
    let algorithm = Algorithm::of(cipher, value.len()).ok_or_else(|| format!("a key of {} bytes", value.len()))?;
    let kcv = crypto::kcv(&value, KcvMethod::Cmac, cipher == Cipher::Tdes, 5).map_err(text)?;
    let info = KeyInfo {
        name: "key".to_owned(),
        zone: String::new(),
        purpose,
        version: 1,
        algorithm,
        kcv: Kcv { method: KcvMethod::Cmac, value: kcv },
        test: true,
        kmcid: None,
        header,
    };
    let store = SoftwareStore::new(vec![(info, Secret::new(value))]);
    let key = store.open("key", purpose).map_err(text)?;
    Ok((store, key))
}
