//! `perso config check` resolves what site and profiles name: keys, products, profiles.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A station's folder: the sample site, keys and profiles.
struct Station {
    folder: TempDir,
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Station {
    fn new() -> Self {
        let station = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(station.path("profiles")).unwrap();
        for entry in root("card-profiles").read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "toml") {
                std::fs::copy(&path, station.path("profiles").join(path.file_name().unwrap())).unwrap();
            }
        }
        std::fs::copy(root("tests/samples/keys.test.json"), station.path("keys.json")).unwrap();
        std::fs::copy(root("tests/samples/orders/site.toml"), station.path("site.toml")).unwrap();
        station.configure("keys.file = \"keys.json\"\nsite.file = \"site.toml\"\nprofiles.folder = \"profiles\"\n");
        station
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, entries: &str) {
        let text = format!("perso_config = 1\n{entries}\n[options]\nformat = \"json\"\n");
        std::fs::write(self.path("perso.toml"), text).unwrap();
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        std::fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
    }

    /// Exit code, problems as path and message, and what was skipped.
    fn check(&self) -> (i32, Vec<(String, String)>, Vec<String>) {
        let mut command = Command::cargo_bin("perso").unwrap();
        command.env_remove("PERSO_CONFIG").env_remove("PERSO_KEYS");
        let output = command.current_dir(self.folder.path()).args(["config", "check"]).output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let problems = found["problems"].as_array().unwrap();
        let problems = problems.iter().map(|it| (text(&it["path"]), text(&it["message"]))).collect();
        let skipped = found["skipped"].as_array().unwrap().iter().map(text).collect();
        (output.status.code().unwrap(), problems, skipped)
    }
}

#[test]
fn the_sample_station_names_nothing_that_is_not_there() {
    let (code, problems, skipped) = Station::new().check();
    assert_eq!((code, problems), (0, vec![]));
    assert!(matches!(skipped.as_slice(), [only] if only.contains("options.issuer-certificate")), "{skipped:?}");
}

#[test]
fn each_name_that_leads_nowhere_is_told_by_its_field() {
    let cases: &[(&str, &str, &str, &str, &[&str])] = &[
        (
            "site.toml",
            "key = \"lab-order-ec\"",
            "key = \"lost\"",
            "site.file: jwe[0].key",
            &["\"lost\"", "lab-order-ec (zone lab, version 1)"],
        ),
        ("site.toml", "key = \"lab-zpk\"", "key = \"lab-kek\"", "site.file: pin[0].key", &["is a kek key", "lab-zpk"]),
        ("site.toml", "key = \"lab-kek\"", "key = \"lab-zpk\"", "site.file: pin[1].key", &["is a zpk key"]),
        ("site.toml", "1 = \"lab-kek\"", "1 = \"lost\"", "site.file: kek.1", &["for kek it holds"]),
        ("site.toml", "\"lab-imk-smi\"", "\"lab-cvk\"", "site.file: index[1].keys[1]", &["is a cvk key"]),
        ("site.toml", "[\"lab-cvk\"]", "[\"lost\"]", "site.file: index[3].keys[0]", &["for cvk it holds lab-cvk"]),
        ("site.toml", "applications = 2", "applications = 3", "site.file: profile[2].applications", &["has 2 payment"]),
        (
            "site.toml",
            "contactless = false",
            "contactless = true",
            "site.file: profile[1].contactless",
            &["has no contactless application"],
        ),
        (
            "profiles/visa-like-debit.toml",
            "record_key = \"lab-record\"",
            "record_key = \"lost\"",
            "profile visa-like-debit: prepare.record_key",
            &["for record it holds"],
        ),
        (
            "profiles/visa-like-debit.toml",
            "transport_key = \"lab-tk-des\"",
            "transport_key = \"lab-kek\"",
            "profile visa-like-debit: prepare.transport_key",
            &["is a kek key"],
        ),
        (
            "profiles/visa-like-debit.toml",
            "\npvk = \"lab-pvk\"",
            "\npvk = \"lost\"",
            "profile visa-like-debit: prepare.keys.pvk",
            &["\"lost\""],
        ),
        (
            "profiles/debit-aes-scp03.toml",
            "[\"lab-kmc-aes\"]",
            "[\"lost\"]",
            "profile debit-aes-scp03: keys.master",
            &["none of lost", "for kmc it holds"],
        ),
        (
            "profiles/debit-aes-scp03.toml",
            "key_version = \"30\"",
            "key_version = \"31\"",
            "profile debit-aes-scp03: channel.key_version",
            &["version 31", "lab-kmc-aes has 30"],
        ),
    ];
    for (file, from, to, path, words) in cases {
        let station = Station::new();
        station.change(file, from, to);
        let (code, problems, _) = station.check();
        let [(seen, message)] = problems.as_slice() else { panic!("{path}: {problems:?}") };
        assert_eq!((code, seen.as_str()), (10, *path), "{message}");
        assert!(words.iter().all(|word| message.contains(word)), "{path}: {message}");
    }
}

#[test]
fn a_product_must_be_a_profile_from_which_cards_can_be_prepared() {
    let station = Station::new();
    std::fs::remove_file(station.path("profiles/visa-like-combo.toml")).unwrap();
    let (code, problems, _) = station.check();
    assert_eq!((code, problems[0].0.as_str()), (10, "site.file: profile[2].name"), "{problems:?}");
    assert!(problems[0].1.contains("visa-like-debit"), "{problems:?}");
    let station = Station::new();
    let product =
        "\n[[profile]]\nname = \"debit-aes-scp03\"\ncontactless = false\napplications = 1\npin_required = false\n";
    station.change("site.toml", "\n[reason]", &format!("{product}\n[reason]"));
    let (code, problems, _) = station.check();
    assert_eq!((code, problems[0].0.as_str()), (10, "site.file: profile[4].name"), "{problems:?}");
    assert!(problems[0].1.contains("[prepare]"), "{problems:?}");
}

#[test]
fn what_cannot_be_resolved_is_said_to_be_skipped() {
    let station = Station::new();
    station.configure("site.file = \"site.toml\"\n");
    let (code, problems, skipped) = station.check();
    assert_eq!((code, problems), (0, vec![]));
    assert!(skipped.iter().any(|it| it.contains("products that the site names")), "{skipped:?}");
    assert!(skipped.iter().any(|it| it.contains("keys that the site names")), "{skipped:?}");
    station.configure("profiles.folder = \"profiles\"\n");
    assert!(station.check().2.iter().any(|it| it.contains("keys that the profiles name")));
}
