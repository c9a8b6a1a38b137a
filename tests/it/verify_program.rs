//! `perso verify` as it is typed: exit codes, schema, files that are wrong, and no secret in any output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;
use crate::proof;
use crate::support;

use std::process::Output;

use assert_cmd::Command;
use canary::Canaries;
use proof::{PAN, Proof, Wanted};
use serde_json::Value;
use support::file_of;
use tempfile::TempDir;

/// A folder with a profile, keys, CA keys, a record, a PIN, and a card that was made of them.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let proof = Proof::new(&Wanted::default());
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(desk.0.path().join("profiles")).unwrap();
        desk.write("profiles/product.toml", &proof.profile);
        desk.write("keys.json", &proof::keys_file().to_string());
        desk.write("ca.json", &serde_json::to_string(&proof.ca_keys.to_file()).unwrap());
        desk.write("clear.json", &proof.clear.to_string());
        desk.write("pin", "1234\n");
        let sources = ["--keys", "keys.json", "--profiles", "profiles"];
        for arguments in [
            &["record", "seal", "clear.json", "-o", "record.json"][..],
            &["sim", "new", "profiles/product.toml", "--record", "record.json", "-o", "card.json"],
            &["run", "record.json", "--reader", "sim:card.json", "--ca-keys", "ca.json", "--trace", "run.trace"],
        ] {
            let output = desk.perso(&[arguments, &sources].concat());
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        desk
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn perso(&self, arguments: &[&str]) -> Output {
        Command::cargo_bin("perso").unwrap().current_dir(self.0.path()).args(arguments).output().unwrap()
    }

    /// Exit code, standard output, standard error of a verification of the card.
    fn verify(&self, more: &[&str]) -> (i32, String, String) {
        let begin = ["verify", "--reader", "sim:card.json", "--profiles", "profiles"];
        let output = self.perso(&[&begin, more].concat());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }
}

fn fits_schema(json: &str) -> Value {
    let schema = std::fs::read_to_string(file_of("docs/schemas/verify.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert!(schema.is_valid(&value), "{json}");
    value
}

const WITH_RECORD: &[&str] = &["record.json", "--keys", "keys.json"];
const ALL: &[&str] =
    &["record.json", "--keys", "keys.json", "--ca-keys", "ca.json", "--generate-ac", "--pin-from", "pin"];

#[test]
fn a_card_is_verified_from_the_command_line() {
    let desk = Desk::new();
    let (code, text, error) = desk.verify(ALL);
    assert_eq!((code, error.as_str()), (0, ""), "{text}");
    assert!(text.starts_with("PASSED: nothing has failed (simulated card)"), "{text}");
    assert!(text.contains("a cryptogram was made, one PIN try was made, TEST CA"), "{text}");
    let (code, json, _) = desk.verify(&[ALL, &["--format", "json"]].concat());
    let result = fits_schema(&json);
    assert_eq!((code, result["verdict"].as_str()), (0, Some("passed")));
    assert_eq!(result["record"]["pan"], "476173******0119");

    // Nothing but the card: what cannot be checked is said.
    let (code, text, _) = desk.verify(&["--aid", "A000000999"]);
    assert_eq!(code, 0, "{text}");
    let folded = text.lines().find(|line| line.ends_with(": no CA keys were given")).unwrap();
    assert!(folded.starts_with("Skipped  CA key, issuer certificate,") && folded.contains(", DDA, CDA"), "{text}");
    let (_, text, _) = desk.verify(&["--aid", "A000000999", "--all"]);
    assert!(text.contains("Skipped  DDA A0000009990101 (contact): no CA keys were given"), "{text}");
    assert!(text.contains("Not compared with a record: none was given."), "{text}");
    let (code, json, _) = desk.verify(&["--profile", "profiles/product.toml", "--format", "json"]);
    let result = fits_schema(&json);
    assert_eq!((code, result["verdict"].as_str()), (10, Some("findings")), "the profile names no AID");
    assert_eq!(result["profile"]["name"], "debit-long-packed");

    // Another card: a finding for people, with exit code 10.
    let path = desk.0.path().join("card.json");
    let mut card: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    card["state"]["applications"][0]["groupings"]["8010"] = "244321FFFFFFFFFF".into();
    std::fs::write(&path, card.to_string()).unwrap();
    let (code, text, _) = desk.verify(ALL);
    assert_eq!(code, 10);
    assert!(text.starts_with("FINDINGS (simulated card)"), "{text}");
    assert!(text.contains("Failed   offline PIN"), "{text}");
    assert!(text.contains("[CARD-PIN]"), "{text}");
}

#[test]
fn the_trace_of_a_proven_job_replays() {
    let desk = Desk::new();
    let arguments = ["trace", "replay", "run.trace", "record.json", "--keys", "keys.json", "--profiles", "profiles"];
    let output = desk.perso(&[&arguments[..], &["--ca-keys", "ca.json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("The replay equals the trace."), "{text}");
    let output = desk.perso(&arguments);
    assert_eq!(output.status.code(), Some(10), "without the CA keys it is another job");
}

#[test]
fn what_is_wrong_is_said_before_a_card_is_asked_for() {
    let desk = Desk::new();
    let before = std::fs::read(desk.0.path().join("card.json")).unwrap();
    desk.write("letters", "12a4\n");
    desk.write("short", "123\n");
    desk.write("broken.json", "{}");
    for (arguments, code, says) in [
        (&["record.json"][..], 2, "--keys"),
        (&["record.json", "--keys", "none.json"], 2, "none.json"),
        (&["broken.json", "--keys", "keys.json"], 3, "broken.json"),
        (&["--ca-keys", "broken.json"], 5, "broken.json"),
        (&["--ca-keys", "none.json"], 2, "none.json"),
        (&["--pin-from", "letters"], 2, "--pin-from"),
        (&["--pin-from", "short"], 2, "--pin-from"),
        (&["--pin-from", "fd:x"], 2, "--pin-from"),
        (&["--pin-from", "absent"], 2, "absent"),
        (&["--aid", "A0"], 2, "--aid"),
        (&["--profile", "nobody"], 3, "nobody"),
    ] {
        let (is, out, error) = desk.verify(arguments);
        assert_eq!(is, code, "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert!(out.is_empty() && !error.contains("12a4"), "{arguments:?}");
    }
    assert_eq!(before, std::fs::read(desk.0.path().join("card.json")).unwrap(), "a card was touched");
    // No key of that name for cryptograms: a fault of the keys.
    let sample = file_of("tests/samples/keys.test.json");
    let (code, _, error) = desk.verify(&["record.json", "--keys", sample.to_str().unwrap(), "--generate-ac"]);
    assert_eq!(code, 5, "{error}");
}

#[test]
fn no_output_shows_a_secret() {
    let desk = Desk::new();
    let key = proof::keys_file()["keys"].as_array().unwrap().last().unwrap()["value"].as_str().unwrap().to_owned();
    let secrets = Canaries::new().values("the key or PIN", [key.as_str(), "241234FFFFFFFFFF"]).ready();
    let on_the_wire = Canaries::new().digits("the PAN", PAN).text("the name", "TEST/SAMPLE CARD").ready();
    for log in ["off", "warn", "debug", "trace"] {
        for format in ["text", "json"] {
            for arguments in [ALL, WITH_RECORD] {
                let (_, out, error) = desk.verify(&[arguments, &["--log", log, "--format", format]].concat());
                let what = format!("{arguments:?} --log {log}");
                secrets.search(&what, out.as_bytes());
                secrets.search(&what, error.as_bytes());
                on_the_wire.search(&what, out.as_bytes());
                // Test keys: with --log trace the wire may be seen.
                if log != "trace" {
                    on_the_wire.search(&what, error.as_bytes());
                }
            }
        }
    }
}
