//! The scripts: what they say of themselves, and what becomes of a run in which things were skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Output};

fn bash(arguments: &[&str]) -> Output {
    Command::new("bash").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn what_was_skipped_has_not_passed() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary");
    for (text, outcome) in [
        ("tried 77\n", "passed|77 passed"),
        (
            "tried 70\nskipped 3 yubikit: it could not be installed\nskipped 4 pyemv: no network\n",
            "passed|70 passed, 7 skipped: yubikit: it could not be installed; pyemv: no network",
        ),
        ("tried 0\nskipped 77 all: no readers\n", "skipped|all: no readers"),
        ("", "skipped|it has left no summary"),
    ] {
        std::fs::write(&summary, text).unwrap();
        let output = bash(&["-ec", ". scripts/lib.sh; strangers_outcome \"$0\"", summary.to_str().unwrap()]);
        assert_eq!(said(&output).trim(), outcome);
    }
    let missing = folder.path().join("missing");
    let output = bash(&["-ec", ". scripts/lib.sh; strangers_outcome \"$0\"", missing.to_str().unwrap()]);
    assert_eq!(said(&output).trim(), "skipped|it has left no summary");
}

#[test]
fn virtual_readers_tell_how_they_are_used() {
    let help = bash(&["scripts/virtual-readers.sh", "--help"]);
    assert!(help.status.success());
    for option in ["--readers N", "--no-namespace", "--ready", "PERSO_VPCD"] {
        assert!(said(&help).contains(option), "{option} is not in\n{}", said(&help));
    }
    assert!(!said(&help).contains("set -euo"), "{}", said(&help));
    for (wrong, why) in [
        (&["--readers", "17", "true"][..], "--readers takes 1 to 16"),
        (&["--readers"], "--readers takes 1 to 16"),
        (&["--nothing", "true"], "--nothing is no option"),
        (&[], "usage: "),
    ] {
        let output = bash(&[&["scripts/virtual-readers.sh"], wrong].concat());
        assert!(!output.status.success() && said(&output).contains(why), "{wrong:?}: {}", said(&output));
    }
}

#[test]
fn lints_are_denied_only_for_the_toolchain_that_the_project_names() {
    let named = bash(&["-ec", ". scripts/lib.sh; lint_toolchain"]);
    let named = said(&named).trim().to_owned();
    let minimum = include_str!("../Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = "));
    assert_eq!(minimum, Some(format!("\"{named}\"").as_str()), "the oldest supported toolchain is the named one");
    for (found, denied) in [
        (format!("{named}.0"), true),
        (format!("{named}.3"), true),
        ("1.99.0".to_owned(), false),
        ("1.99.0-nightly".to_owned(), false),
        ("2.0.0".to_owned(), false),
    ] {
        let output = bash(&["-c", ". scripts/lib.sh; lints_are_denied \"$0\"", &found]);
        assert_eq!(output.status.success(), denied, "{found}: {}", said(&output));
    }
}

#[test]
fn a_toolchain_is_installed_without_updating_rustup() {
    for script in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts")).unwrap() {
        let path = script.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("rustup toolchain install")) {
            assert!(line.contains("--no-self-update"), "{}: {line}", path.display());
        }
    }
}
