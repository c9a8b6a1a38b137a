//! A file of the wrong kind: what it is, and which command takes it, whatever the command that it was given to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use perso::cli::file_advice;
use perso::issuance::file_kind::FileKind;
use tempfile::TempDir;

const KEYS: &str = "tests/samples/keys.test.json";
const RECORD: &str = "tests/samples/debit-aes-scp03.record.json";
const ORDER: &str = "tests/samples/orders/visa-like.json";
const SITE: &str = "tests/samples/orders/site.toml";

fn perso(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::cargo_bin("perso").unwrap();
    command.env("PERSO_CONFIG", "none").env_remove("PERSO_KEYS");
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

/// Every file of ours, made by perso or a sample, and well-known files of others.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        let path = |name: &str| files.path(name);
        for arguments in [
            &["sim", "new", "debit-aes-scp03", "--keys", KEYS, "--record", RECORD, "-o", &path("card.json")][..],
            &[
                "run",
                RECORD,
                "--keys",
                KEYS,
                "--reader",
                &format!("sim:{}", path("card.json")),
                "--trace",
                &path("trace"),
            ],
            &[
                "pool",
                "generate",
                &path("pool"),
                "--count",
                "1",
                "--bits",
                "512",
                "--key",
                "lab-record",
                "--keys",
                KEYS,
            ],
            &["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes", "--keys", KEYS, "-o", &path("block")],
        ] {
            let (code, text) = perso(arguments);
            assert_eq!(code, 0, "{arguments:?}: {text}");
        }
        // What is changed is a copy.
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(KEYS), path("keys.json")).unwrap();
        let mut zip = b"PK\x03\x04".to_vec();
        zip.extend([0x14, 0, 0, 0, 0x80, 0xFF]);
        for (name, bytes) in [
            ("empty", &b""[..]),
            ("blank", b" \n\n"),
            ("file.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            ("file.der", b"\x30\x82\x01\x0a\x02\x01"),
            ("file.jwe", b"eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0.AA.AA.AA.AA\n"),
            ("file.csv", b"pan;expiry;name\n4761739001010119;3012;DOE/JANE\n"),
            ("file.xml", b"<?xml version=\"1.0\"?>\n<order><card/></order>\n"),
            ("file.html", b"<!DOCTYPE html>\n<html></html>\n"),
            ("file.pdf", b"%PDF-1.7\n%\xE2\xE3\n"),
            ("file.zip", &zip),
            ("file.gz", b"\x1f\x8b\x08\x00"),
            ("utf16", b"\xff\xfe{\x00\"\x00"),
            ("binary", b"\x00\x01\x02\xff\xfe"),
            ("config.toml", b"perso_config = 1\n"),
        ] {
            std::fs::write(path(name), bytes).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Files with the words that name their kind.
    fn all(&self) -> Vec<(String, &'static str)> {
        let sample = |path: &str| path.to_owned();
        let mut all = vec![
            (sample(ORDER), "an order"),
            (sample("tests/samples/orders/d1-instant.json"), "an order"),
            (sample("tests/samples/orders/mastercard-like.json"), "an order"),
            (sample(RECORD), "a prepared record"),
            (sample("tests/samples/debit-aes-scp03.clear.json"), "a clear record"),
            (sample(KEYS), "a key file"),
            (sample("tests/samples/ca-keys.test.json"), "a file of CA public keys"),
            (sample("tests/samples/issuer/ca.test.json"), "a test CA"),
            (sample("tests/samples/issuer/visa-like.issuer.test.json"), "an issuer certificate"),
            (sample("card-profiles/debit-aes-scp03.toml"), "a card profile"),
            (sample(SITE), "a site"),
        ];
        for (name, kind) in [
            ("card.json", "a simulated card"),
            ("card.json.journal", "a journal"),
            ("trace", "a trace"),
            ("pool", "a pool"),
            ("block", "a TR-31 key block"),
            ("empty", "empty"),
            ("blank", "empty"),
            ("file.pem", "PEM (PRIVATE KEY)"),
            ("file.der", "DER"),
            ("file.jwe", "a JWE"),
            ("file.csv", "a CSV table"),
            ("file.xml", "XML"),
            ("file.html", "HTML"),
            ("file.pdf", "a PDF document"),
            ("file.zip", "a ZIP archive"),
            ("file.gz", "a gzip file"),
            ("utf16", "text in UTF-16"),
            ("binary", "binary data"),
            ("config.toml", "a configuration"),
        ] {
            all.push((self.path(name), kind));
        }
        all
    }

    /// Commands that read a file in the place of FILE, and what they take.
    fn readers(&self) -> Vec<(Vec<String>, &'static [&'static str])> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let card = self.path("card.json");
        let (out, own) = (self.path("out"), self.path("keys.json"));
        [
            (format!("run FILE --keys {KEYS} --reader sim"), &["a prepared record", "an order"][..]),
            (format!("prepare FILE --keys {KEYS} --site {SITE}"), &["an order"]),
            (format!("plan FILE --keys {KEYS}"), &["a prepared record"]),
            (format!("record show FILE --keys {KEYS}"), &["a prepared record"]),
            (format!("record seal FILE --keys {KEYS}"), &["a clear record"]),
            (format!("verify FILE --keys {KEYS} --reader sim:{card}"), &["a prepared record"]),
            (format!("verify --ca-keys FILE --reader sim:{card}"), &["a file of CA public keys"]),
            ("keys list FILE".to_owned(), &["a key file"]),
            ("keys kcv lab-zpk --keys FILE".to_owned(), &["a key file"]),
            ("keys generate --name x --purpose zpk --algorithm tdes2 --test --keys FILE".to_owned(), &["a key file"]),
            (format!("keys seal FILE -o {out} --passphrase-file {KEYS}"), &["a key file"]),
            (format!("keys import --block FILE --kbpk lab-kbpk-aes --name x --keys {own}"), &["a TR-31 key block"]),
            ("ca list FILE".to_owned(), &["a file of CA public keys"]),
            (format!("ca certify FILE --key lab-issuer-rsa --keys {KEYS} --issuer 476173 --expiry 2035-12 --serial 000001"), &["a test CA"]),
            (format!("pool status FILE --keys {KEYS}"), &["a pool"]),
            (format!("prepare {ORDER} --keys {KEYS} --site FILE"), &["a site"]),
            (format!("prepare {ORDER} --keys {KEYS} --site {SITE} --issuer-certificate FILE"), &["an issuer certificate"]),
            (format!("sim new FILE --keys {KEYS} --aid A000000999 -o {out}"), &["a card profile"]),
            ("trace show FILE".to_owned(), &["a trace"]),
            ("card info --reader sim:FILE".to_owned(), &["a simulated card"]),
            (format!("run {RECORD} --keys {KEYS} --reader sim:FILE"), &["a simulated card"]),
            ("explain 6A88 --config FILE".to_owned(), &["a configuration"]),
        ]
        .into_iter()
        .filter(|(command, _)| !command.starts_with("explain"))
        .map(|(command, takes)| (words(&command), takes))
        .collect()
    }
}

fn put(command: &[String], file: &str) -> Vec<String> {
    command.iter().map(|word| word.replace("FILE", file)).collect()
}

#[test]
fn each_command_says_what_a_file_of_another_kind_is_and_which_command_takes_it() {
    let files = Files::new();
    let before = |path: &str| std::fs::read(path).unwrap();
    let all = files.all();
    // Each command meets each kind once in three, so that every pair of neighbours is tried in the time of a test.
    for (number, (command, takes)) in files.readers().into_iter().enumerate() {
        for (at, (file, kind)) in all.iter().enumerate() {
            if takes.contains(kind) || (at + number) % 3 != 0 {
                continue;
            }
            // A path with an extension names a profile's file; a bare word is a profile's name.
            if command[..2] == ["sim", "new"] && Path::new(file).extension().is_none() {
                continue;
            }
            let held = before(file);
            let arguments = put(&command, file);
            let (code, text) = perso(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(code, 2, "{arguments:?}: {text}");
            let first = text
                .lines()
                .find(|line| line.starts_with("perso: "))
                .unwrap_or_else(|| panic!("{arguments:?}: {text}"));
            assert!(
                first.contains(&format!("{file} is {kind}")) && first.contains("is expected here"),
                "{arguments:?}: {text}"
            );
            assert!(text.contains("[FILE-KIND]"), "{text}");
            let of = FileKind::of(&held);
            if let Some(taken_by) = file_advice::taken_by(&of) {
                assert!(text.contains(&taken_by.replace("FILE", file)), "{arguments:?}: {text}");
            }
            assert_eq!(held, before(file), "{arguments:?} changed {file}");
        }
    }
    assert!(!Path::new(&files.path("out")).exists());
}

#[test]
fn a_folder_is_said_to_be_one() {
    let files = Files::new();
    let folder = files.0.path().to_str().unwrap();
    for (command, _) in files.readers() {
        let arguments = put(&command, folder);
        let (code, text) = perso(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        if command[..2] == ["sim", "new"] {
            continue;
        }
        assert!(code == 2 && text.contains(&format!("{folder} is a folder")), "{arguments:?}: {text}");
    }
}

/// A configuration of another kind is refused before any command begins.
#[test]
fn a_configuration_of_another_kind_is_said_to_be_one() {
    let (code, text) = perso(&["readers", "--config", SITE]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("is a site; a configuration is expected") && text.contains("--site"), "{text}");
}

/// What is told of a file does not depend on words that stand deeper inside it, nor on its end.
#[test]
fn kinds_are_told_by_top_level_members_of_whole_and_broken_files() {
    let files = Files::new();
    for (file, _) in files.all() {
        let path = if Path::new(&file).is_absolute() {
            PathBuf::from(&file)
        } else {
            Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)
        };
        let bytes = std::fs::read(path).unwrap();
        let whole = FileKind::of(&bytes);
        if !bytes.starts_with(b"{") {
            continue;
        }
        let nested = [b"{\"a\": [".as_slice(), &bytes, b"]}"].concat();
        assert_eq!(FileKind::of(&nested), FileKind::Json, "{file}");
        let half = bytes.get(..bytes.len() / 2).unwrap();
        assert_eq!(FileKind::of(half), whole, "{file}, broken off");
    }
}

/// Remedies name commands that there are.
#[test]
fn commands_that_are_said_to_take_a_file_exist() {
    let kinds = [
        FileKind::Order,
        FileKind::Record,
        FileKind::ClearRecord,
        FileKind::KeyFile,
        FileKind::CaKeys,
        FileKind::TestCa,
        FileKind::IssuerCertificate,
        FileKind::Pool,
        FileKind::SimulatedCard,
        FileKind::Journal,
        FileKind::Trace,
        FileKind::Profile,
        FileKind::Site,
        FileKind::Config,
        FileKind::KeyBlock,
    ];
    for kind in kinds {
        let taken_by = file_advice::taken_by(&kind).unwrap_or_else(|| panic!("{kind:?}"));
        for command in taken_by.split('`').skip(1).step_by(2).filter_map(|text| text.strip_prefix("perso ")) {
            let words: Vec<&str> =
                command.split(' ').take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
            let (code, help) = perso(&[&words[..], &["--help"]].concat());
            assert_eq!(code, 0, "{command}");
            for option in command.split(' ').filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{command}");
            }
        }
    }
}

/// A member that begins like those of perso says nothing; those of its schemas do.
#[test]
fn every_versioned_output_is_known_and_no_other() {
    let unknown = FileKind::of(br#"{"perso_rec": 1, "id": "x"}"#);
    assert_eq!(unknown, FileKind::Json);
    let mut seen = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")).unwrap() {
        let schema: serde_json::Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let Some(members) = schema["properties"].as_object() else { continue };
        for member in members.keys().filter(|member| member.starts_with("perso_")) {
            seen += 1;
            // Profiles and configurations are TOML.
            let json = FileKind::of(format!("{{\"{member}\": 1}}").as_bytes());
            let toml = FileKind::of(format!("{member} = 1\n").as_bytes());
            assert!(json != FileKind::Json || toml != FileKind::Toml, "{member}");
        }
    }
    assert!(seen > 10, "{seen}");
}
