//! Live keys, in a sealed file as a custodian would keep them: nothing is sent to a card, and no output shows them.
//!
//! The program itself seals test keys only, so the file is put together here, from what docs/keys.md says of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use assert_cmd::Command;
use serde_json::{Value, json};

const RECORD: &str = "tests/samples/debit-contact-scp02.record.json";
const PASSPHRASE: &str = "canary passphrase 5D1F";

/// The sample keys, marked live, sealed; and their values.
fn sealed() -> (String, Vec<String>) {
    let path = format!("{}/tests/samples/keys.test.json", env!("CARGO_MANIFEST_DIR"));
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let keys = file["keys"].as_array_mut().unwrap();
    keys.iter_mut().for_each(|key| key["test"] = false.into());
    let values = keys.iter().map(|key| key["value"].as_str().unwrap().to_owned()).collect();
    let (salt, nonce) = ([3u8; 16], [4u8; 12]);
    let mut key = [0u8; 32];
    let params = argon2::Params::new(64, 1, 1, Some(32)).unwrap();
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(PASSPHRASE.as_bytes(), &salt, &mut key)
        .unwrap();
    let header = format!("perso_keys 1 argon2id 64 1 1 {}", hex::encode_upper(salt));
    let clear = serde_json::to_vec(&file["keys"]).unwrap();
    let (ciphertext, tag) = perso::base::crypto::gcm_seal(&key, &nonce, header.as_bytes(), &clear).unwrap();
    let text = json!({
        "perso_keys": 1,
        "sealed": {
            "kdf": "argon2id", "memory_kib": 64, "passes": 1, "lanes": 1,
            "salt": hex::encode_upper(salt), "nonce": hex::encode_upper(nonce),
            "ciphertext": hex::encode_upper(ciphertext), "tag": hex::encode_upper(tag),
        },
    });
    (text.to_string(), values)
}

#[test]
fn live_keys_reach_no_card_and_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, values) = sealed();
    std::fs::write(path("live"), file).unwrap();
    std::fs::write(path("passphrase"), PASSPHRASE).unwrap();
    let [live, passphrase, card, sealed, journal, trace] =
        ["live", "passphrase", "card", "sealed", "journal", "trace"].map(path);
    let keys = ["--keys", &live, "--passphrase-file", &passphrase];
    let with = |arguments: &[&'static str], rest: &[&str]| -> Vec<String> {
        arguments.iter().chain(rest).chain(&keys).map(ToString::to_string).collect()
    };
    let clear = "tests/samples/debit-contact-scp02.clear.json";
    let listed = ["keys", "list", &live, "--passphrase-file", &passphrase].map(str::to_owned).to_vec();
    // The sample record was made with test keys, and a live store does not open it.
    let cases = [
        (listed, 0),
        (with(&["record", "seal", clear], &["-o", &sealed]), 5),
        (with(&["sim", "new", "debit-contact-scp02", "--aid", "A0000009990101"], &["-o", &card]), 5),
        (with(&["plan", RECORD], &[]), 3),
        (with(&["run", RECORD, "--reader", "sim"], &["--journal", &journal, "--trace", &trace]), 3),
    ];
    for (arguments, exit) in cases {
        for format in ["text", "json"] {
            let mut command = Command::cargo_bin("perso").unwrap();
            let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(&arguments);
            let output = command.args(["--log", "trace", "--format", format]).output().unwrap();
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).to_uppercase();
            assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {text}");
            for value in &values {
                let parts: Vec<&str> = (0..value.len() - 15).map(|at| &value[at..at + 16]).collect();
                assert!(!parts.iter().any(|part| text.contains(&part.to_uppercase())), "{arguments:?} shows a key");
            }
            assert!(!text.contains(&PASSPHRASE.to_uppercase()), "{arguments:?} shows the passphrase");
        }
    }
    for made in ["journal", "trace", "card", "sealed"] {
        assert!(!folder.path().join(made).exists(), "{made} was made");
    }
}
