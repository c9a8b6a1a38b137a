//! Sealed key files whose keys are not marked as test keys. The program seals such keys only where it makes them itself, so they
//! are put together here, by the format's description (docs/keys.md). The values are published test keys all the same.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;

use perso::base::crypto::gcm_seal;
use serde_json::{Value, json};

pub const NAME: &str = "live-kmc-des";
pub const PASSPHRASE: &str = "canary 5D1F heliotrope";

/// One live key: the file's name, and its passphrase's.
pub fn sealed(folder: &Path) -> (String, String) {
    let keys = json!([{
        "name": NAME, "zone": "live", "purpose": "kmc", "version": 1, "algorithm": "tdes2", "kcv": "8BAF47",
        "kcv_method": "des-zero", "test": false, "value": "404142434445464748494A4B4C4D4E4F",
    }]);
    written(folder, &keys)
}

/// The sample keys marked live: the file's name, its passphrase's, the values.
pub fn samples(folder: &Path) -> (String, String, Vec<String>) {
    let path = format!("{}/tests/samples/keys.test.json", env!("CARGO_MANIFEST_DIR"));
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let keys = file["keys"].as_array_mut().unwrap();
    keys.iter_mut().for_each(|key| key["test"] = false.into());
    let values = keys.iter().map(|key| key["value"].as_str().unwrap().to_owned()).collect();
    let (live, passphrase) = written(folder, &file["keys"]);
    (live, passphrase, values)
}

/// A sealed file of these keys, and its passphrase's.
pub fn written(folder: &Path, keys: &Value) -> (String, String) {
    written_under(PASSPHRASE, folder, keys)
}

/// The same under another passphrase.
pub fn written_under(phrase: &str, folder: &Path, keys: &Value) -> (String, String) {
    let (salt, nonce) = ([3u8; 16], [5u8; 12]);
    let parameters = argon2::Params::new(64, 1, 1, Some(32)).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
    let mut key = [0; 32];
    argon2.hash_password_into(phrase.as_bytes(), &salt, &mut key).unwrap();
    let header = format!("perso_keys 1 argon2id 64 1 1 {}", hex::encode_upper(salt));
    let (ciphertext, tag) = gcm_seal(&key, &nonce, header.as_bytes(), keys.to_string().as_bytes()).unwrap();
    let file = json!({ "perso_keys": 1, "sealed": {
        "kdf": "argon2id", "memory_kib": 64, "passes": 1, "lanes": 1, "salt": hex::encode_upper(salt),
        "nonce": hex::encode_upper(nonce), "ciphertext": hex::encode_upper(ciphertext), "tag": hex::encode_upper(tag),
    }});
    let (path, passphrase) = (folder.join("live.json"), folder.join("passphrase"));
    std::fs::write(&path, file.to_string()).unwrap();
    std::fs::write(&passphrase, format!("{phrase}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    (path.to_str().unwrap().into(), passphrase.to_str().unwrap().into())
}
