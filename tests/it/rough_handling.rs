//! Killed runs, two at once, files that must not be lost, outputs that cannot be written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use tempfile::TempDir;

const KEYS: &str = "tests/samples/keys.test.json";
const NAME: &str = "debit-aes-scp03";
const RECORD: &str = "tests/samples/debit-aes-scp03.record.json";
const CLEAR: &str = "tests/samples/debit-aes-scp03.clear.json";

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn card(&self, name: &str) -> String {
        let path = self.path(name);
        let (code, text) = perso(&["sim", "new", NAME, "--keys", KEYS, "--record", RECORD, "-o", &path]);
        assert_eq!(code, 0, "{text}");
        path
    }
}

fn perso(arguments: &[&str]) -> (i32, String) {
    let output = Command::cargo_bin("perso").unwrap().current_dir(root()).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Killed within a step: while it lives nobody else may use its card or its journal, afterwards record and chip are in doubt.
#[test]
fn a_killed_run_leaves_record_and_chip_in_doubt() {
    let bench = Bench::new();
    let (card, journal) = (bench.card("card.json"), bench.path("journal"));
    let reader = format!("sim:{card}");
    let job = ["run", RECORD, "--keys", KEYS, "--reader", &reader, "--journal", &journal];
    let mut killed = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perso"))
        .current_dir(root())
        .args(job)
        .args(["--fault", "delay 60000 at 12"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("about-to")) {
        assert!(Instant::now() < until, "the run has not begun its step");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (code, text) = perso(&job);
    assert_eq!((code, text.contains("READER-BUSY")), (4, true), "{text}");
    let elsewhere = format!("sim:{}", bench.card("second.json"));
    let (code, text) = perso(&["run", RECORD, "--keys", KEYS, "--reader", &elsewhere, "--journal", &journal]);
    assert_eq!((code, text.contains("LEDGER-BUSY")), (9, true), "{text}");
    killed.kill().unwrap();
    killed.wait().unwrap();

    let (code, text) = perso(&job);
    assert_eq!((code, text.contains("LEDGER-DOUBT")), (9, true), "{text}");
    // Another order does not get that card either.
    let clear = std::fs::read_to_string(root().join(CLEAR)).unwrap();
    let clear = clear.replace("\"sample-aes-0001\"", "\"another-order\"");
    let (other, sealed) = (bench.path("other.clear.json"), bench.path("other.json"));
    std::fs::write(&other, clear).unwrap();
    assert_eq!(perso(&["record", "seal", &other, "--keys", KEYS, "-o", &sealed]).0, 0);
    let (code, text) = perso(&["run", &sealed, "--keys", KEYS, "--reader", &reader, "--journal", &journal]);
    assert_eq!((code, text.contains("LEDGER-DOUBT")), (9, true), "{text}");
    // A half line, as a power cut leaves it, changes nothing of that.
    let whole = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, whole + "{\"event\":\"sett").unwrap();
    assert_eq!(perso(&job).0, 9);
}

/// No output replaces a journal, a record, a key file, a card or a profile, whichever option names it.
#[test]
fn what_cannot_be_had_again_is_never_overwritten() {
    let bench = Bench::new();
    let reader = format!("sim:{}", bench.card("card.json"));
    let journal = bench.path("card.json.journal");
    assert_eq!(perso(&["run", RECORD, "--keys", KEYS, "--reader", &reader]).0, 0);
    for (name, from) in [
        ("record.json", RECORD),
        ("clear.json", CLEAR),
        ("keys.json", KEYS),
        ("profile.toml", "card-profiles/debit-aes-scp03.toml"),
    ] {
        std::fs::copy(root().join(from), bench.path(name)).unwrap();
    }
    std::fs::write(bench.path("passphrase"), "a b c d\n").unwrap();
    let phrase = bench.path("passphrase");
    for name in ["card.json", "record.json", "clear.json", "keys.json", "profile.toml", "card.json.journal"] {
        let path = bench.path(name);
        let before = std::fs::read(&path).unwrap();
        for arguments in [
            &["run", RECORD, "--keys", KEYS, "--reader", "sim", "--result", &path][..],
            &["run", RECORD, "--keys", KEYS, "--reader", "sim", "--trace", &path],
            &["record", "seal", CLEAR, "--keys", KEYS, "-o", &path],
            &["keys", "seal", KEYS, "--passphrase-file", &phrase, "-o", &path],
        ] {
            let (code, text) = perso(arguments);
            assert_eq!((code, text.contains("never replaced")), (2, true), "{arguments:?}: {text}");
            assert!(std::fs::read(&path).unwrap() == before, "{arguments:?} has overwritten it");
        }
    }
    // Results and traces are replaced if that is asked for, but not by each other, nor by a journal.
    let (one, two) = (bench.path("one"), bench.path("two"));
    let job = ["run", RECORD, "--keys", KEYS, "--reader", "sim"];
    for _ in 0..2 {
        assert_eq!(perso(&[&job[..], &["--trace", &one, "--result", &two, "--replace"]].concat()).0, 0);
    }
    for (a, b) in [("--trace", "--result"), ("--journal", "--result"), ("--trace", "--journal")] {
        let (code, text) = perso(&[&job[..], &[a, &bench.path("same"), b, &bench.path("./same")]].concat());
        assert_eq!((code, text.contains("names the file that")), (2, true), "{text}");
        assert!(!Path::new(&bench.path("same")).exists());
    }
    let (code, text) = perso(&["run", RECORD, "--keys", KEYS, "--reader", &reader, "--result", &journal]);
    assert_eq!(code, 2, "{text}");
}

#[cfg(unix)]
#[test]
fn files_of_ours_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    std::fs::write(bench.path("passphrase"), "a b c d\n").unwrap();
    let sealed = bench.path("sealed");
    assert_eq!(perso(&["keys", "seal", KEYS, "--passphrase-file", &bench.path("passphrase"), "-o", &sealed]).0, 0);
    assert_eq!(std::fs::metadata(&sealed).unwrap().permissions().mode() & 0o077, 0);
}

/// Devices without end or without memory, and pipes: an error, and never a hang.
#[cfg(unix)]
#[test]
fn a_device_is_no_journal_and_no_card() {
    let bench = Bench::new();
    for device in ["/dev/full", "/dev/null", "/dev/zero"] {
        let (code, text) = perso(&["run", RECORD, "--keys", KEYS, "--reader", "sim", "--journal", device]);
        assert_eq!((code, text.contains("not a regular file")), (9, true), "{device}: {text}");
        let (code, text) = perso(&["run", RECORD, "--keys", KEYS, "--reader", &format!("sim:{device}")]);
        assert_eq!((code, text.contains("not a regular file")), (4, true), "{device}: {text}");
    }
    assert_eq!(perso(&["check", "/dev/zero"]).0, 10);
    // A pipe among the profiles is not waited for.
    let profiles = bench.path("profiles");
    std::fs::create_dir(&profiles).unwrap();
    std::fs::copy(root().join("card-profiles/debit-aes-scp03.toml"), format!("{profiles}/a.toml")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(format!("{profiles}/b.toml")).status().unwrap().success());
    let (code, text) = perso(&["plan", RECORD, "--keys", KEYS, "--profiles", &profiles]);
    assert_eq!(code, 0, "{text}");
}

/// What became of the card is the exit code, whatever becomes of the files about it; and it is told.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_does_not_change_the_verdict() {
    let job = ["run", RECORD, "--keys", KEYS, "--reader", "sim"];
    let (code, text) = perso(&[&job[..], &["--result", "/dev/full"]].concat());
    assert_eq!((code, text.contains("the result is not kept")), (0, true), "{text}");
    let (code, text) = perso(&[&job[..], &["--trace", "/dev/full"]].concat());
    assert_eq!((code, text.contains("the trace is not complete")), (0, true), "{text}");
    let to_full = |arguments: &[&str]| {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perso"));
        let output = command.current_dir(root()).args(arguments).stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).contains("standard output cannot be written");
        (output.status.code().unwrap(), told)
    };
    assert_eq!(to_full(&job), (0, true));
    assert_eq!(to_full(&[&job[..], &["--fault", "cut after 12"]].concat()), (7, true));
    assert_eq!(to_full(&["explain"]), (2, true), "what was asked for is lost, and that is no success");
}

#[test]
fn odd_words_are_refused_with_a_remedy() {
    let bench = Bench::new();
    let run = |reader: &str| perso(&["run", RECORD, "--keys", KEYS, "--reader", reader]);
    for reader in ["", "sim:"] {
        let (code, text) = run(reader);
        assert_eq!((code, text.contains("perso ")), (2, true), "{text}");
    }
    assert_eq!(perso(&["explain", "+A88"]).0, 2, "a sign is no digit");
    let (code, text) = perso(&["sim", "new", "nope", "--keys", KEYS, "--record", RECORD, "-o", &bench.path("card")]);
    assert_eq!((code, text.contains(NAME)), (3, true), "the profiles that are there are named: {text}");
}

/// A clear record is checked like the record that would be made of it; without keys that is skipped, and said.
#[test]
fn clear_records_are_checked_all_through() {
    let bench = Bench::new();
    let wrong = bench.path("wrong.json");
    let text = std::fs::read_to_string(root().join(CLEAR)).unwrap();
    std::fs::write(&wrong, text.replace("4761739001010119", "4761739001010118")).unwrap();
    let (code, text) = perso(&["check", CLEAR, "--keys", KEYS]);
    assert_eq!((code, text.contains("ok")), (0, true), "{text}");
    let (code, text) = perso(&["check", &wrong, "--keys", KEYS]);
    assert_eq!((code, text.contains("RECORD-")), (10, true), "{text}");
    let (code, text) = perso(&["check", &wrong]);
    assert_eq!((code, text.contains("skipped: everything in the body")), (0, true), "{text}");
    // A file that cannot be read does not keep the others from being checked.
    let (code, text) = perso(&["check", "no such file", CLEAR, "--keys", KEYS]);
    assert!(code == 10 && text.contains("cannot be read") && text.contains("(clear record): ok"), "{text}");
}
