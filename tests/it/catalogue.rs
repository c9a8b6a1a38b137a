//! Every code of the catalogue is provoked by some test; those that no other test provokes are here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use perso::base::Secret;
use perso::base::fault::CATALOGUE;
use perso::card::sim::SimCard;
use perso::issuance::blank::{self, Wanted};
use perso::issuance::journal::Journal;
use perso::keys::{KeyStore, SoftwareStore};
use support::{Bench, Ran, file_of, keys};

const KEYS: &str = "tests/samples/keys.test.json";
const RECORD: &str = "tests/samples/debit-aes-scp03.record.json";
const NAME: &str = "debit-aes-scp03";

/// Exit code and text of the program.
fn perso(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    // No PC/SC service listens there.
    command.env("PCSCLITE_CSOCK_NAME", "/nonexistent/pcscd.comm");
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn refused(arguments: &[&str], exit: i32, code: &str) {
    let (seen, text) = perso(arguments);
    assert_eq!((seen, text.contains(code)), (exit, true), "{code}: {text}");
}

#[track_caller]
fn ended(ran: &Ran, state: &str, code: &str) {
    let fault = ran.result.fault.as_ref().map(|fault| fault.code.as_str());
    assert_eq!((ran.result.state.as_str(), fault), (state, Some(code)));
}

fn on(bench: &Bench, card: SimCard) -> Ran {
    bench.run_on(card, &[], &mut Journal::in_memory())
}

#[test]
fn keys_that_are_not_there_or_not_for_this() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let new = ["sim", "new", NAME, "--keys", KEYS, "--record", RECORD, "-o", &path("card")];
    refused(&[&new[..], &["--master", "nobody"]].concat(), 5, "KEY-UNKNOWN");
    let clear = std::fs::read_to_string(file_of("tests/samples/debit-aes-scp03.clear.json")).unwrap();
    let swapped = clear.replace("\"record_key\": \"lab-record\"", "\"record_key\": \"lab-kmc-aes\"");
    assert_ne!(clear, swapped);
    std::fs::write(path("clear"), swapped).unwrap();
    refused(&["record", "seal", &path("clear"), "--keys", KEYS], 5, "KEY-PURPOSE");

    let bench = Bench::new(NAME);
    let mut card = bench.blank();
    card.file_mut().blank.kdd.0[0] ^= 0xFF;
    ended(&on(&bench, card), "untouched", "KEY-NO-MATCH");
}

/// One live key among the keys, used or not: nothing is sent to the card.
#[test]
fn live_keys_are_refused_before_the_card_is_powered() {
    let mut bench = Bench::new(NAME);
    let test = keys();
    let live = test.keys().iter().map(|info| {
        let key = test.open(&info.name, info.purpose).unwrap();
        let value = test.expose_test_key(&key).unwrap().expose().clone();
        let test = info.name != "lab-kmc-des";
        (perso::keys::KeyInfo { test, ..info.clone() }, Secret::new(value))
    });
    let card = bench.blank();
    bench.store = SoftwareStore::new(live.collect());
    let ran = on(&bench, card);
    ended(&ran, "refused", "KEY-LIVE");
    assert!(ran.card.state.diary.is_empty());
}

#[test]
fn cards_that_speak_otherwise_or_are_swapped() {
    let bench = Bench::new(NAME);
    let mut card = bench.blank();
    card.file_mut().blank.key_sets[0].i = 0x60;
    ended(&on(&bench, card), "untouched", "CARD-PROTOCOL");

    let whole = bench.run(&[]);
    let first = whole.card.state.diary.iter().position(|entry| entry.ins == 0xE2).unwrap() + 1;
    let last = whole.card.state.diary.iter().rposition(|entry| entry.ins == 0xE2).unwrap() + 1;
    ended(&bench.run(&[format!("flip 0.0 of answer {first}")]), "spoiled", "CARD-MAC");

    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.json");
    let wanted =
        Wanted { profile: &bench.profile, aids: blank::aids(&bench.record), master: None, serial: Some([9, 9, 9, 9]) };
    let chance = &mut perso::base::Chance::fixed(Vec::new());
    blank::make(&wanted, &bench.store, chance).unwrap().file().save(&other).unwrap();
    let ran = bench.run(&[format!("swap {} at {}", other.display(), last + 1)]);
    ended(&ran, "spoiled", "CARD-SWAPPED");
}

#[test]
fn readers_stripes_and_words() {
    refused(&["readers"], 4, "READER-SERVICE");
    let folder = tempfile::tempdir().unwrap();
    let card = format!("sim:{}", folder.path().join("card").display());
    refused(&["run", RECORD, "--keys", KEYS, "--reader", &card], 4, "READER-SIM");
    assert!(folder.path().read_dir().unwrap().next().is_none(), "a mistyped name has left a journal");
    refused(&["explain", "NONSENSE"], 2, "OPERATOR-INPUT");
    let here = |clear: &mut serde_json::Value| clear["body"]["stripe"]["made"] = "here".into();
    let ran = Bench::changed(NAME, |profile| profile, here).run(&[]);
    ended(&ran, "refused", "STRIPE-HERE");
    assert!(ran.card.state.diary.is_empty());
}

#[test]
fn orders_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("order.json");
    for (sample, pointer, value, code) in [
        ("own", "/perso_order", serde_json::json!(""), "ORDER-FORMAT"),
        ("own", "/issuance", serde_json::json!("gift"), "ORDER-VALUE"),
        ("pismo-reissue", "/test", serde_json::json!(false), "ORDER-NOT-ALLOWED"),
    ] {
        let text = std::fs::read_to_string(file_of(&format!("tests/samples/orders/{sample}.json"))).unwrap();
        let mut order: serde_json::Value = serde_json::from_str(&text).unwrap();
        *order.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&path, order.to_string()).unwrap();
        refused(&["check", path.to_str().unwrap(), "--keys", KEYS], 10, code);
    }
}

#[test]
fn journals_that_cannot_be_used_and_chips_that_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    std::fs::write(&journal, "{\"event\":\"opened\"}\n").unwrap();
    let run = ["run", RECORD, "--keys", KEYS, "--reader", "sim", "--journal"];
    refused(&[&run[..], &[journal.to_str().unwrap()]].concat(), 9, "LEDGER-SYNTAX");
    refused(&[&run[..], &["/nonexistent/journal"]].concat(), 9, "LEDGER-WRITE");

    let mut journal = Journal::in_memory();
    let bench = Bench::new(NAME);
    assert_eq!(bench.run_on(bench.blank(), &[], &mut journal).result.state, "good");
    // Another order on the same chip.
    let other = Bench::changed(NAME, |profile| profile, |clear| clear["id"] = "another-order".into());
    let ran = other.run_on(other.blank(), &[], &mut journal);
    ended(&ran, "untouched", "LEDGER-CARD");
    assert!(ran.card.state.diary.iter().all(|entry| entry.ins != 0x50));
}

/// A code stands in a test, as it is printed or as `Code::…`. Left out: what nothing should ever provoke.
#[test]
fn every_code_is_provoked_by_a_test() {
    let mut tests = String::new();
    for folder in ["tests", "src"] {
        for path in rust_files(&file_of(folder)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let from = if folder == "tests" { Some(0) } else { text.find("#[cfg(test)]") };
            tests += from.map_or("", |from| &text[from..]);
        }
    }
    let untested: Vec<&str> = CATALOGUE
        .iter()
        .filter(|(code, entry)| !tests.contains(&format!("Code::{code:?}")) && !tests.contains(entry.code))
        .map(|(_, entry)| entry.code)
        .filter(|code| *code != "PROGRAM-FAULT")
        .collect();
    assert!(untested.is_empty(), "no test provokes {untested:?}");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let nested = |path: PathBuf| match path.is_dir() {
        true => rust_files(&path),
        false if path.extension().is_some_and(|extension| extension == "rs") => vec![path],
        false => Vec::new(),
    };
    entries.flat_map(nested).collect()
}
