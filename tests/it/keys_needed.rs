//! `perso keys needed`: what it says is missing can be made by the lines that it prints, and then nothing is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn perso(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_perso"))
        .args(["--config", "none"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn needed(profile: &str, keys: &str) -> (Option<i32>, Value) {
    let output = perso(&["keys", "needed", profile, "--keys", keys, "--format", "json"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).expect(&text))
}

fn rows(view: &Value) -> &[Value] {
    view["keys"].as_array().unwrap()
}

#[test]
fn every_product_has_its_sample_keys() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("card-profiles")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let (code, view) = needed(path.to_str().unwrap(), "tests/samples/keys.test.json");
            assert_eq!(code, Some(0), "{view:#}");
            assert!(rows(&view).iter().all(|key| key["there"] == "yes" && key["make"].is_null()), "{view:#}");
        }
    }
}

#[test]
fn missing_keys_are_made_by_the_lines_that_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.json");
    let file = file.to_str().unwrap();
    let (code, view) = needed("visa-like-debit", file);
    assert_eq!(code, Some(10));
    let all = rows(&view).len();
    assert!(all >= 9 && rows(&view).iter().all(|key| key["there"] == "no"), "{view:#}");
    for (made, key) in rows(&view).iter().enumerate() {
        let line: Vec<&str> = key["make"].as_str().unwrap().split(' ').skip(1).collect();
        let output = perso(&line);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (code, view) = needed("visa-like-debit", file);
        assert_eq!(code == Some(0), made + 1 == all, "{view:#}");
        assert_eq!(rows(&view)[made]["there"], "yes");
    }
}

#[test]
fn keys_of_another_purpose_or_version_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.json");
    let file = file.to_str().unwrap();
    for (name, purpose, algorithm) in [("lab-imk-ac", "cvk", "tdes2"), ("lab-kmc-des", "kmc", "tdes2")] {
        // The product asks for key version 01.
        let arguments = ["keys", "generate", "--keys", file, "--test", "--name", name, "--purpose", purpose];
        let output = perso(&[&arguments[..], &["--algorithm", algorithm, "--key-version", "7"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (code, view) = needed("visa-like-debit", file);
    assert_eq!(code, Some(10));
    let there = |name: &str| rows(&view).iter().find(|key| key["name"] == name).unwrap()["there"].clone();
    let make = |name: &str| rows(&view).iter().find(|key| key["name"] == name).unwrap()["make"].clone();
    assert!(make("lab-imk-ac").is_null() && make("lab-kmc-des").is_null(), "the name is taken");
    assert_eq!((there("lab-imk-ac"), there("lab-kmc-des")), ("other purpose".into(), "other version".into()));
}

#[test]
fn unknown_profile_and_broken_key_file_are_errors() {
    let output = perso(&["keys", "needed", "no-such-product", "--keys", "tests/samples/keys.test.json"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("no-such-product"));
    let output = perso(&["keys", "needed", "visa-like-debit", "--keys", "Cargo.toml"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("Cargo.toml"));
}
