//! A sealed key file whose keys are not marked as test keys. The program makes none yet, so it is written here by the
//! format's description (docs/keys.md). The value is the published test key all the same.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use perso::base::crypto::gcm_seal;
use serde_json::json;

pub const NAME: &str = "live-kmc-des";

/// Writes the key file and its passphrase; returns both names.
pub fn sealed(folder: &Path) -> (String, String) {
    let keys = json!([{
        "name": NAME, "zone": "live", "purpose": "kmc", "version": 1, "algorithm": "tdes2", "kcv": "8BAF47",
        "kcv_method": "des-zero", "test": false, "value": "404142434445464748494A4B4C4D4E4F",
    }]);
    let (salt, nonce) = ([3u8; 16], [5u8; 12]);
    let parameters = argon2::Params::new(64, 1, 1, Some(32)).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
    let mut key = [0; 32];
    argon2.hash_password_into(b"open", &salt, &mut key).unwrap();
    let header = format!("perso_keys 1 argon2id 64 1 1 {}", hex::encode_upper(salt));
    let (ciphertext, tag) = gcm_seal(&key, &nonce, header.as_bytes(), keys.to_string().as_bytes()).unwrap();
    let file = json!({ "perso_keys": 1, "sealed": {
        "kdf": "argon2id", "memory_kib": 64, "passes": 1, "lanes": 1, "salt": hex::encode_upper(salt),
        "nonce": hex::encode_upper(nonce), "ciphertext": hex::encode_upper(ciphertext), "tag": hex::encode_upper(tag),
    }});
    let (path, passphrase) = (folder.join("live.json"), folder.join("passphrase"));
    std::fs::write(&path, file.to_string()).unwrap();
    std::fs::write(&passphrase, "open\n").unwrap();
    (path.to_str().unwrap().into(), passphrase.to_str().unwrap().into())
}
