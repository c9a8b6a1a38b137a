//! What is printed for programs fits the schemas in docs/schemas.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use assert_cmd::Command;
use serde_json::Value;

const KEYS: &str = "tests/samples/keys.test.json";
const RECORD: &str = "tests/samples/debit-aes-scp03.record.json";
const CLEAR: &str = "tests/samples/debit-aes-scp03.clear.json";
const PROFILE: &str = "card-profiles/debit-aes-scp03.toml";

/// What is printed, once it fits the schema, and the exit code.
fn fits(schema: &str, arguments: &[&str]) -> (Value, i32) {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut command = Command::cargo_bin("perso").unwrap();
    let output = command.current_dir(root).args(arguments).args(["--format", "json"]).output().unwrap();
    let printed: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    let text = std::fs::read_to_string(format!("{root}/docs/schemas/{schema}.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&printed).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{arguments:?}: {errors:?}");
    (printed, output.status.code().unwrap())
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (checked, code) = fits("check", &["check", RECORD, CLEAR, PROFILE, KEYS, "--keys", KEYS]);
    assert_eq!((checked.as_array().unwrap().len(), code), (4, 0), "{checked}");
    let (checked, code) = fits("check", &["check", "README.md", "no such file", RECORD]);
    assert_eq!(code, 10);
    assert_eq!(checked[2]["problems"], serde_json::json!([]));
    fits("plan", &["plan", RECORD, "--keys", KEYS]);
    fits("record-show", &["record", "show", RECORD, "--keys", KEYS]);
    fits("keys-list", &["keys", "list", KEYS]);
    let (public, _) = fits("keys-public", &["keys", "public", "lab-issuer-rsa", "--keys", KEYS]);
    assert!(public["modulus"].is_string() && public["jwk"]["n"].is_string(), "{public}");
    let (public, _) = fits("keys-public", &["keys", "public", "lab-order-ec", "--keys", KEYS]);
    assert!(public["modulus"].is_null() && public["jwk"]["x"].is_string(), "{public}");
    std::fs::copy(format!("{}/{KEYS}", env!("CARGO_MANIFEST_DIR")), path("copy")).unwrap();
    let (removed, _) = fits("keys-remove", &["keys", "remove", "lab-zpk", "--keys", &path("copy")]);
    assert_eq!(removed["removed"], "lab-zpk");
    fits("explain-all", &["explain"]);
    fits("explain", &["explain", "CARD-CRYPTOGRAM"]);
    fits("explain-status-word", &["explain", "6A88"]);
    std::fs::write(path("passphrase"), "a b c d\n").unwrap();
    for (command, file) in [
        (vec!["sim", "new", "debit-aes-scp03", "--keys", KEYS, "--record", RECORD], "card"),
        (vec!["record", "seal", CLEAR, "--keys", KEYS], "record"),
        (vec!["keys", "seal", KEYS, "--passphrase-file", &path("passphrase")], "keys"),
    ] {
        let (written, code) = fits("written", &[&command[..], &["-o", &path(file)]].concat());
        assert_eq!((written["written"].as_str(), code), (Some(path(file).as_str()), 0));
        assert!(std::path::Path::new(&path(file)).exists());
    }
    std::fs::write(path("new"), "e f g h\n").unwrap();
    let phrases = ["--passphrase-file", &path("passphrase"), "--new-passphrase-file", &path("new")];
    let (changed, code) =
        fits("keys-passphrase", &[&["keys", "passphrase", "--keys", &path("keys")][..], &phrases].concat());
    assert_eq!((changed["resealed"].as_str(), code), (Some(path("keys").as_str()), 0));
    let (failed, code) = fits("fault", &["plan", "README.md", "--keys", KEYS]);
    assert_eq!((failed["fault"]["code"].as_str(), code), (Some("FILE-KIND"), 2));
    fits("fault", &["plan", "no such file", "--keys", KEYS]);
    let (result, code) = fits("result", &["run", RECORD, "--keys", KEYS, "--reader", "sim"]);
    assert_eq!((result["state"].as_str(), code), (Some("good"), 0));
    fits("result", &["run", RECORD, "--keys", KEYS, "--reader", "sim", "--fault", "cut after 12"]);
    let trace = path("trace");
    fits("result", &["run", RECORD, "--keys", KEYS, "--reader", "sim", "--trace", &trace]);
    assert_eq!(fits("result", &["trace", "replay", &trace, RECORD, "--keys", KEYS]).1, 0);
    // Cut short, it is not the same any more; the result is JSON all the same, and the verdict stands beside it.
    let text = std::fs::read_to_string(&trace).unwrap();
    std::fs::write(&trace, text.lines().take(40).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert_eq!(fits("result", &["trace", "replay", &trace, RECORD, "--keys", KEYS]).1, 10);
}
