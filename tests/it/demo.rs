//! `perso demo`: each step ends as it says, in under a minute, and nothing is left.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The demonstration, with its folder for temporary files below this one.
fn demo(folder: &std::path::Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perso"));
    command.arg("demo").args(options).env("TMPDIR", folder).current_dir(folder).output().unwrap()
}

fn is_empty(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn demonstration_tells_of_a_good_a_spoiled_and_a_further_card_in_under_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let output = demo(folder.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(text.matches("GOOD (simulated card)").count(), 2, "{text}");
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}: {text}"));
    assert!(at("REFUSED") < at("SPOILED (simulated card). Destroy the card."), "{text}");
    assert!(at("SPOILED") < at("third.json") && at("third.json") < text.rfind("GOOD").unwrap(), "{text}");
    assert!(text.contains("--fault 'cut after 12'") && text.contains("(exit code 7)"), "{text}");
    assert!(is_empty(folder.path()), "something is left");
}

#[test]
fn demonstration_for_programs_fits_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &["--format", "json"]);
    let view: Value = serde_json::from_slice(&output.stdout).unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/demo.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&view), "{view:#}");
    let exits: Vec<u64> = view["steps"].as_array().unwrap().iter().map(|step| step["exit"].as_u64().unwrap()).collect();
    assert!(exits.contains(&7) && exits.contains(&9) && exits.last() == Some(&0), "{exits:?}");
}

#[test]
fn demonstration_without_a_folder_for_temporary_files_says_so() {
    let missing = Command::new(env!("CARGO_BIN_EXE_perso")).arg("demo").env("TMPDIR", "/nowhere").output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere"), "{missing:?}");
}
