//! Whatever a file holds: an error that names it, no panic, nothing touched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const KEYS: &str = "tests/samples/keys.test.json";
const RECORD: &str = "tests/samples/debit-contact-scp02.record.json";
const CLEAR: &str = "tests/samples/debit-contact-scp02.clear.json";
const PROFILE: &str = "card-profiles/debit-contact-scp02.toml";

struct Bench {
    folder: TempDir,
    card: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let card = folder.path().join("card.json").to_str().unwrap().to_owned();
        let made = perso(&["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--record", RECORD, "-o", &card]);
        assert_eq!(made.0, 0, "{}", made.1);
        Self { folder, card }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a command that must fail in a way that helps, and must leave the card as it was.
    fn fails(&self, what: &str, arguments: &[&str]) {
        let before = std::fs::read(&self.card).unwrap();
        let (code, text) = perso(arguments);
        assert!((2..=10).contains(&code), "{what}: exit code {code}: {arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{what}: {text}");
        let named = text
            .split(|c: char| !(c.is_ascii_uppercase() || c == '-'))
            .any(|word| word.contains('-') && word.len() > 6);
        assert!(named || text.contains("Usage:"), "{what}: no code is named: {text}");
        assert_eq!(std::fs::read(&self.card).unwrap(), before, "{what}: the card was touched");
    }

    /// Every command that takes the file in the place of a good one.
    fn everywhere(&self, what: &str, bad: &str, kind: Kind) {
        let reader = format!("sim:{}", self.card);
        let journal = self.path("journal");
        let run = |record: &str, keys: &str| {
            let arguments = ["run", record, "--keys", keys, "--reader", &reader, "--journal", &journal];
            self.fails(what, &arguments);
        };
        match kind {
            Kind::Record => {
                run(bad, KEYS);
                for command in [&["plan"][..], &["record", "show"]] {
                    self.fails(what, &[command, &[bad, "--keys", KEYS]].concat());
                }
                self.fails(what, &["check", bad, "--keys", KEYS]);
            }
            Kind::Keys => {
                run(RECORD, bad);
                self.fails(what, &["keys", "list", bad, "--passphrase-file", KEYS]);
                self.fails(what, &["check", RECORD, "--keys", bad, "--passphrase-file", KEYS]);
            }
            Kind::Clear => self.fails(what, &["record", "seal", bad, "--keys", KEYS]),
            Kind::Profile => self.fails(what, &["check", bad]),
            Kind::Card => {
                let arguments =
                    ["run", RECORD, "--keys", KEYS, "--reader", &format!("sim:{bad}"), "--journal", &journal];
                self.fails(what, &arguments);
            }
            Kind::Trace => {
                self.fails(what, &["trace", "show", bad]);
                self.fails(what, &["trace", "replay", bad, RECORD, "--keys", KEYS]);
            }
            Kind::Journal => {
                self.fails(what, &["run", RECORD, "--keys", KEYS, "--reader", &reader, "--journal", bad]);
            }
            Kind::Faults => {
                let rules = format!("@{bad}");
                self.fails(what, &["run", RECORD, "--keys", KEYS, "--reader", "sim", "--fault", &rules]);
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Record,
    Keys,
    Clear,
    Profile,
    Card,
    Trace,
    Journal,
    Faults,
}

fn perso(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

fn good(kind: Kind, bench: &Bench) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |path: &str| std::fs::read(root.join(path)).unwrap();
    match kind {
        Kind::Record => file(RECORD),
        Kind::Keys => file(KEYS),
        Kind::Clear => file(CLEAR),
        Kind::Profile => file(PROFILE),
        Kind::Card => std::fs::read(&bench.card).unwrap(),
        Kind::Trace => b"# perso-trace 1\n= 3B00\n> 00A4040000\n< 6F009000 12\n".to_vec(),
        Kind::Journal => b"{\"event\":\"opened\",\"job\":\"a#1\",\"record\":\"a\",\"profile\":\"00\"}\n".to_vec(),
        Kind::Faults => b"cut before 7\n".to_vec(),
    }
}

fn bad_files(kind: Kind, good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut bad = vec![
        ("not UTF-8".to_owned(), [&good[..good.len() / 2], &[0xFF, 0xFE, 0x80], &good[good.len() / 2..]].concat()),
        ("deep nesting".to_owned(), b"[".repeat(100_000)),
        ("deep objects".to_owned(), b"{\"a\":".repeat(50_000)),
        ("a number".to_owned(), b"7".to_vec()),
        ("a list".to_owned(), b"[1, 2, 3]".to_vec()),
        ("null".to_owned(), b"null".to_vec()),
        ("zeros".to_owned(), vec![0; 4096]),
        ("huge".to_owned(), b" ".repeat(17 * 1024 * 1024)),
        ("binary".to_owned(), (0u32..20_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
    ];
    if !matches!(kind, Kind::Faults | Kind::Journal | Kind::Trace) {
        bad.push(("empty".to_owned(), Vec::new()));
    }
    // A cut text may still be whole for line formats; there the middle of a line is cut.
    for part in 1..8 {
        let end = good.len() * part / 8;
        let cut = good[..end].to_vec();
        let lines = matches!(kind, Kind::Trace | Kind::Journal | Kind::Faults | Kind::Profile);
        if !lines {
            bad.push((format!("cut at {end}"), cut));
        }
    }
    bad
}

#[test]
fn every_kind_of_bad_file_is_refused_everywhere() {
    let bench = Bench::new();
    for kind in
        [Kind::Record, Kind::Keys, Kind::Clear, Kind::Profile, Kind::Card, Kind::Trace, Kind::Journal, Kind::Faults]
    {
        let extension = if matches!(kind, Kind::Profile) { "toml" } else { "json" };
        let path = bench.path(&format!("bad.{extension}"));
        let good = good(kind, &bench);
        for (what, bytes) in bad_files(kind, &good) {
            std::fs::write(&path, bytes).unwrap();
            bench.everywhere(&format!("{kind:?}: {what}"), &path, kind);
        }
        if !matches!(kind, Kind::Journal) {
            bench.everywhere(&format!("{kind:?}: missing"), &bench.path("nowhere"), kind);
        }
        bench.everywhere(&format!("{kind:?}: a folder"), bench.folder.path().to_str().unwrap(), kind);
    }
}

/// Each field of a record and of a key file with a value of another type.
#[test]
fn every_field_of_another_type_is_refused() {
    let bench = Bench::new();
    for kind in [Kind::Record, Kind::Keys, Kind::Clear, Kind::Card] {
        let good: serde_json::Value = serde_json::from_slice(&good(kind, &bench)).unwrap();
        let mut paths = Vec::new();
        walk(&good, String::new(), &mut paths);
        let step = (paths.len() / 25).max(1);
        for path in paths.iter().step_by(step) {
            let mut bad = good.clone();
            let place = bad.pointer_mut(path).unwrap();
            *place = if place.is_array() { serde_json::json!("text") } else { serde_json::json!([{"a": 1}]) };
            let file = bench.path("bad.json");
            std::fs::write(&file, bad.to_string()).unwrap();
            bench.everywhere(&format!("{kind:?}: {path} of another type"), &file, kind);
        }
    }
}

fn walk(value: &serde_json::Value, path: String, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(name, value)| walk(value, format!("{path}/{}", name.replace('/', "~1")), out));
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| walk(value, format!("{path}/{at}"), out));
        }
        _ => out.push(path.clone()),
    }
    if !path.is_empty() && !value.is_object() {
        out.push(path);
    }
}
