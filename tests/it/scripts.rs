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
    let minimum = include_str!("../../Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = "));
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

#[test]
fn a_released_program_that_names_another_commit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("perso");
    let commit = String::from_utf8(bash(&["-c", "git rev-parse HEAD"]).stdout).unwrap();
    let Some(commit) = commit.get(..12) else {
        println!("skipped: this is not a checkout");
        return;
    };
    for (says, code) in [(format!("perso 0.1.0 (commit {commit})"), 0), ("perso 0.1.0 (commit 0123456789ab)".into(), 1)]
    {
        std::fs::write(&program, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        bash(&["-ec", "chmod +x \"$0\"", program.to_str().unwrap()]);
        let output = bash(&["-ec", ". scripts/lib.sh; version_names_commit \"$0\"", program.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }
}

/// In a private PC/SC service: the caller's folder is the command's, and reader n has the n-th card of `perso sim serve`.
#[test]
fn virtual_readers_keep_the_callers_folder_and_reader_n_has_card_n() {
    const READERS: usize = 16;
    let there = bash(&["-c", "command -v pcscd && find /usr/lib /usr/local/lib -name 'libifdvpcd.so*' | grep -q ."]);
    if !there.status.success() {
        println!("skipped: pcscd or vsmartcard's vpcd is not installed");
        return;
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = tempfile::tempdir().unwrap();
    let perso = assert_cmd::cargo::cargo_bin("perso");
    for number in 0..READERS {
        let made = Command::new(&perso)
            .current_dir(folder.path())
            .args(["sim", "new", "debit-aes-scp03", "--aid", "A0000009990101", "--config", "none"])
            .args(["--keys", &format!("{root}/tests/samples/keys.test.json")])
            .args(["--profiles", &format!("{root}/card-profiles")])
            .args(["--serial", &format!("{:08X}", 0xA0 + number), "-o", &format!("{number}.json")])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", said(&made));
    }
    let script = r#"
        pwd
        cards=(); for ((n = 0; n < $1; n++)); do cards+=("$n.json"); done
        "$0" sim serve --config none --connect "$PERSO_VPCD" "${cards[@]}" >serve.log 2>&1 </dev/null &
        serve=$!
        for ((n = 0; n < $1; n++)); do
          # Until this card has come into its reader.
          for ((try = 0; try < 100; try++)); do grep -q "^inserted $n " serve.log && break; sleep 0.1; done
          "$0" card info --config none --reader "$n" --timeout 20 | grep -o 'cplc-[-0-9A-F]*' || echo "reader $n: no card"
        done
        kill "$serve"; wait "$serve" || true
    "#;
    for way in [&["--readers", "16"][..], &["--no-namespace", "--readers", "16"]] {
        let output = Command::new(format!("{root}/scripts/virtual-readers.sh"))
            .current_dir(folder.path())
            .args(way)
            .args(["bash", "-c", script, perso.to_str().unwrap(), &READERS.to_string()])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Without a right to a namespace, or while root's own service runs, there is nothing to be tried.
        if ["no namespace of one's own", "own PC/SC service runs"].iter().any(|why| said(&output).contains(why)) {
            println!("skipped: {}", said(&output).trim());
            continue;
        }
        let mut lines = text.lines();
        let here = folder.path().canonicalize().unwrap();
        assert_eq!(lines.next().map(std::path::PathBuf::from), Some(here), "{way:?}: {}", said(&output));
        let chips: Vec<&str> = lines.collect();
        assert_eq!(chips.len(), READERS, "{way:?}: {}", said(&output));
        for (number, chip) in chips.iter().enumerate() {
            assert!(chip.contains(&format!("-{:08X}-", 0xA0 + number)), "{way:?}: reader {number} has {chip}");
        }
    }
}
