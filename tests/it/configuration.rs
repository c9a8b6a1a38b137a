//! The configuration, the environment and the command line together: where settings come from, what is refused, and what
//! `config check` says before `run` does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../configuration/entries.rs"]
mod entries;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

struct Done {
    code: i32,
    out: String,
    err: String,
}

/// A station's folder: keys, profiles, site, certificates, a record, an order.
struct Station {
    folder: TempDir,
    environment: Vec<(&'static str, PathBuf)>,
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Station {
    fn new(config: &str) -> Self {
        let station = Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() };
        for folder in
            ["profiles", "below", "below/deeper", "home", "home/.config", "home/.config/perso", "xdg", "xdg/perso"]
        {
            std::fs::create_dir(station.path(folder)).unwrap();
        }
        for entry in std::fs::read_dir(root("card-profiles")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                std::fs::copy(&path, station.path("profiles").join(path.file_name().unwrap())).unwrap();
            }
        }
        for (from, to) in [
            ("tests/samples/keys.test.json", "keys.json"),
            ("tests/samples/debit-aes-scp03.record.json", "record.json"),
            ("tests/samples/orders/visa-like.json", "order.json"),
            ("tests/samples/orders/site.toml", "site.toml"),
            ("tests/samples/issuer/visa-like.issuer.test.json", "issuer.json"),
            ("tests/samples/issuer/ca-keys.test.json", "ca-keys.json"),
            ("tests/samples/issuer/ca.test.json", "ca.json"),
        ] {
            std::fs::copy(root(from), station.path(to)).unwrap();
        }
        std::fs::write(station.path("perso.toml"), config).unwrap();
        station
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn give(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn with(mut self, variable: &'static str, value: impl Into<PathBuf>) -> Self {
        self.environment.push((variable, value.into()));
        self
    }

    fn perso(&self, arguments: &[&str]) -> Done {
        self.perso_in("", arguments)
    }

    fn perso_in(&self, folder: &str, arguments: &[&str]) -> Done {
        let mut command = Command::cargo_bin("perso").unwrap();
        for variable in ["PERSO_CONFIG", "PERSO_KEYS", "XDG_CONFIG_HOME"] {
            command.env_remove(variable);
        }
        command.env("HOME", self.path("home")).envs(self.environment.iter().cloned());
        let output = command.current_dir(self.path(folder)).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A key file with one test key of this name, another than the station's own.
    fn other_keys(&self, file: &str, name: &str) {
        let generate = ["keys", "generate", "--test", "--name", name, "--purpose", "zpk", "--algorithm", "tdes2"];
        let done = self.perso(&[&generate[..], &["--config", "none", "--keys", file]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
    }

    /// Exit code, problems as path and message, and what was skipped.
    fn check(&self) -> (i32, Vec<(String, String)>, Vec<String>) {
        let done = self.perso(&["config", "check", "--format", "json"]);
        let found: Value = serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error} {}", done.err));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let problems = found["problems"].as_array().unwrap();
        let problems = problems.iter().map(|it| (text(&it["path"]), text(&it["message"]))).collect();
        (done.code, problems, found["skipped"].as_array().unwrap().iter().map(text).collect())
    }

    /// Every file with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![self.folder.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.clone(), std::fs::read(path).unwrap());
                }
            }
        }
        found
    }
}

const PLAIN: &str = "perso_config = 1\nkeys.file = \"keys.json\"\nprofiles.folder = \"profiles\"\n";

#[track_caller]
fn good(done: &Done) {
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
}

#[test]
fn the_key_file_of_the_configuration_serves_every_command() {
    let station = Station::new(PLAIN);
    let new = station.perso(&["sim", "new", "debit-aes-scp03", "--record", "record.json", "-o", "card.json"]);
    good(&new);
    let blank = "sim:blank.json";
    good(&station.perso(&["sim", "new", "debit-aes-scp03", "--record", "record.json", "-o", "blank.json"]));
    let kdd = "00000000000000000000";
    for command in [
        &["run", "record.json", "--reader", "sim:card.json", "--trace", "trace"][..],
        &["verify", "record.json", "--reader", "sim:card.json"],
        &["check", "record.json"],
        &["plan", "record.json"],
        &["record", "show", "record.json"],
        &["trace", "show", "trace"],
        &["trace", "replay", "trace", "record.json"],
        &["keys", "list"],
        &["keys", "kcv", "lab-zpk"],
        &["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes"],
        &["keys", "public", "lab-issuer-rsa"],
        &[
            "ca",
            "certify",
            "ca.json",
            "--key",
            "lab-issuer-rsa",
            "--issuer",
            "476173",
            "--expiry",
            "2035-12",
            "--serial",
            "000001",
        ],
        &["pool", "generate", "pool", "--count", "1", "--bits", "512", "--key", "lab-record"],
        &["pool", "status", "pool"],
        &["prepare", "order.json", "--site", "site.toml", "--issuer-certificate", "issuer.json", "-o", "made.json"],
        &["explain-auth", "--reader", blank],
        &["card", "apps", "--reader", "sim:card.json"],
        &["card", "apdu", "--secure", "--profile", "debit-aes-scp03", "--reader", blank, "80CA006600"],
        &["calc", "kcv", "--key", "lab-zpk"],
        &["calc", "diversify", "--key", "lab-kmc-des", "--kdd", kdd],
        &["calc", "session-keys", "--key", "lab-kmc-des", "--sequence", "0001"],
    ] {
        let done = station.perso(command);
        // Another verdict than that no key file is there is none of this test's business.
        assert!(matches!(done.code, 0 | 10), "{command:?}: {}{}", done.out, done.err);
        // Without the configuration each of them asks for its key file, or goes without.
        let without = station.perso(&[command, &["--config", "none", "--profiles", "profiles"]].concat());
        let without = if without.err.contains("'--profiles'") {
            station.perso(&[command, &["--config", "none"]].concat())
        } else {
            without
        };
        let optional = matches!(command[0], "check") || command[..2] == ["trace", "show"];
        assert!(optional || without.err.contains("--keys"), "{command:?}: {}{}", without.out, without.err);
    }
    let doctor = station.perso(&["doctor"]);
    assert!(doctor.out.contains("keys.json: unsealed"), "{}", doctor.out);
}

#[test]
fn keys_list_takes_its_file_as_every_other_command_does() {
    let station = Station::new("perso_config = 1\n");
    for command in [&["keys", "list", "keys.json"][..], &["keys", "list", "--keys", "keys.json"]] {
        let done = station.perso(command);
        assert!(done.code == 0 && done.out.contains("lab-zpk"), "{}", done.err);
    }
    let none = station.perso(&["keys", "list"]);
    assert!(none.code == 2 && none.err.contains("PERSO_KEYS") && none.err.contains("keys.file"), "{}", none.err);
    assert_eq!(station.perso(&["keys", "list", "keys.json", "--keys", "keys.json"]).code, 2);
}

#[test]
fn the_command_line_goes_before_the_environment_and_the_environment_before_the_file() {
    let station = Station::new(PLAIN);
    station.other_keys("second.json", "second");
    station.other_keys("third.json", "third");
    let listed = |station: &Station, arguments: &[&str]| station.perso(&[&["keys", "list"], arguments].concat()).out;
    assert!(listed(&station, &[]).contains("lab-zpk"));
    let second = station.path("second.json");
    let station = station.with("PERSO_KEYS", second);
    assert!(listed(&station, &[]).contains("second "));
    assert!(listed(&station, &["--keys", "third.json"]).contains("third "));
    assert!(listed(&station, &["--config", "none"]).contains("second "));
    // An empty variable is not set.
    let station = station.with("PERSO_KEYS", "");
    assert!(listed(&station, &[]).contains("lab-zpk"));
    // The same of the configuration itself.
    station.give("other.toml", "perso_config = 1\nkeys.file = \"second.json\"\n");
    station.give("third.toml", "perso_config = 1\nkeys.file = \"third.json\"\n");
    let other = station.path("other.toml");
    let station = station.with("PERSO_CONFIG", other);
    assert!(listed(&station, &[]).contains("second "));
    assert!(listed(&station, &["--config", "third.toml"]).contains("third "));
    assert_eq!(station.perso(&["keys", "list", "--config", "none"]).code, 2);
    let station = station.with("PERSO_CONFIG", "none");
    assert_eq!(station.perso(&["keys", "list"]).code, 2);
}

#[test]
fn the_nearest_configuration_is_found_and_paths_are_relative_to_it() {
    let station = Station::new(PLAIN);
    let list = |station: &Station, folder: &str| station.perso_in(folder, &["keys", "list"]);
    for folder in ["", "below", "below/deeper"] {
        assert!(list(&station, folder).out.contains("lab-zpk"), "{folder}");
    }
    station.other_keys("below/second.json", "second");
    station.give("below/perso.toml", "perso_config = 1\nkeys.file = \"second.json\"\n");
    assert!(list(&station, "below/deeper").out.contains("second "));
    std::fs::remove_file(station.path("below/perso.toml")).unwrap();
    std::fs::remove_file(station.path("perso.toml")).unwrap();
    assert_eq!(list(&station, "below").code, 2);
    // The user's own folder comes last: ~/.config, or the one that XDG_CONFIG_HOME names.
    station.other_keys("home/.config/perso/third.json", "third");
    station.give("home/.config/perso/perso.toml", "perso_config = 1\nkeys.file = \"third.json\"\n");
    assert!(list(&station, "below").out.contains("third "));
    station.other_keys("xdg/perso/fourth.json", "fourth");
    station.give("xdg/perso/perso.toml", "perso_config = 1\nkeys.file = \"fourth.json\"\n");
    let xdg = station.path("xdg");
    let station = station.with("XDG_CONFIG_HOME", xdg);
    assert!(list(&station, "below").out.contains("fourth "));
    // A relative one is to be passed over.
    let station = station.with("XDG_CONFIG_HOME", "../xdg");
    assert!(list(&station, "below").out.contains("third "));
    station.give("perso.toml", PLAIN);
    assert!(list(&station, "below").out.contains("lab-zpk"));
}

/// Another user must not choose a station's keys, journal or reader by leaving a file in a folder above.
#[cfg(unix)]
#[test]
fn a_configuration_that_others_could_have_written_is_used_only_if_it_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let station = Station::new(PLAIN);
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(station.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, open, closed) in [("perso.toml", 0o666, 0o644), ("", 0o777, 0o755)] {
        mode(name, open);
        let done = station.perso_in("below", &["keys", "list"]);
        assert_eq!(done.code, 4, "{}", done.err);
        for words in ["perso.toml", "another user", "--config", "[CONFIG]"] {
            assert!(done.err.contains(words), "{words}: {}", done.err);
        }
        assert!(!done.out.contains("lab-zpk"));
        good(&station.perso_in("below", &["keys", "list", "--config", "../perso.toml"]));
        good(&station.perso_in("below", &["explain", "CONFIG"]));
        good(&station.perso_in("below", &["--help"]));
        mode(name, closed);
        good(&station.perso_in("below", &["keys", "list"]));
    }
}

#[test]
fn a_bad_value_names_file_line_and_key_and_what_was_meant() {
    for (config, line, key, says) in [
        ("perso_config = 1\n[keys]\nfile = 3\n", 3, "keys.file", "expected"),
        ("perso_config = 1\n\n[keys]\nfiel = \"x\"\n", 4, "keys", "did you mean file?"),
        ("perso_config = 1\nkees.file = \"x\"\n", 2, "kees", "did you mean keys?"),
        ("perso_config = 2\n", 1, "perso_config", "version 1"),
        ("perso_config = 1\n[options]\ntimeoutt = 3\n", 3, "options.timeoutt", "did you mean timeout?"),
        ("perso_config = 1\n[options.run]\nspeed = 3\n", 3, "options.run.speed", "`perso run` has no option --speed"),
        (
            "perso_config = 1\n[options.\"keys kvc\"]\nlength = 3\n",
            3,
            "options.\"keys kvc\".length",
            "did you mean keys kcv?",
        ),
        ("perso_config = 1\n[options]\nlast-try = \"perhaps\"\n", 3, "options.last-try", "true or false"),
        ("perso_config = 1\n[options.readers]\nwatch = [\"a\", \"b\"]\n", 3, "options.readers.watch", "true or false"),
        ("perso_config = 1\n[readers]\ndefault = [1]\n", 3, "readers.default", "a text in quotes is expected"),
    ] {
        let station = Station::new(config);
        let done = station.perso(&["readers"]);
        assert_eq!(done.code, 4, "{config}: {}", done.err);
        for words in ["perso.toml", &format!("line {line}: "), key, says, "[CONFIG]"] {
            assert!(done.err.contains(words), "{config}: {words}: {}", done.err);
        }
    }
}

/// A value that one command cannot take stops that command alone, and `config check` tells of it.
#[test]
fn a_value_that_an_option_cannot_have_stops_the_commands_that_have_it() {
    let entries = "[options]\ncommand-timeout = \"soon\"\nwire = \"t2\"\n[options.run]\nminimum-level = \"02\"\n";
    let station = Station::new(&format!("{PLAIN}{entries}"));
    let info = station.perso(&["card", "info", "--reader", "sim:nowhere"]);
    assert!(info.code == 4 && info.err.contains("line 5: options.command-timeout"), "{}", info.err);
    let run = station.perso(&["run", "record.json", "--reader", "sim", "--command-timeout", "9"]);
    assert!(run.code == 4 && run.err.contains("options.run.minimum-level"), "{}", run.err);
    let plan = station.perso(&["plan", "record.json"]);
    assert!(plan.code == 4 && plan.err.contains("must be one of t0, t1, contactless"), "{}", plan.err);
    good(&station.perso(&["plan", "record.json", "--wire", "t1"]));
    good(&station.perso(&["keys", "list"]));
    let (code, problems, _) = station.check();
    let paths: Vec<&str> = problems.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(code, 10);
    for path in ["options.command-timeout", "options.wire", "options.run.minimum-level"] {
        assert_eq!(paths.iter().filter(|it| **it == path).count(), 1, "{paths:?}");
    }
}

/// A passphrase is tried on its own key file only: a token would count a wrong PIN.
#[test]
fn the_passphrase_of_the_configuration_goes_with_its_own_key_file() {
    let config = "perso_config = 1\nkeys.file = \"sealed.json\"\nkeys.passphrase_file = \"phrase\"\n";
    let station = Station::new(config);
    for phrase in ["phrase", "second"] {
        station.give(phrase, &format!("{phrase} of the station\n"));
        #[cfg(unix)]
        std::fs::set_permissions(station.path(phrase), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    for (phrase, file) in [("phrase", "sealed.json"), ("second", "second.json")] {
        let seal = ["keys", "seal", "keys.json", "-o", file, "--passphrase-file", phrase, "--config", "none"];
        good(&station.perso(&seal));
    }
    good(&station.perso(&["keys", "kcv", "lab-zpk"]));
    let sealed = station.path("sealed.json");
    good(&station.perso(&[
        "keys",
        "kcv",
        "lab-zpk",
        "--passphrase-file",
        "phrase",
        "--keys",
        sealed.to_str().unwrap(),
    ]));
    let other = station.perso(&["keys", "kcv", "lab-zpk", "--keys", "second.json"]);
    assert!(other.code == 2 && other.err.contains("passphrase cannot be read"), "it was not tried: {}", other.err);
    good(&station.perso(&["keys", "kcv", "lab-zpk", "--keys", "second.json", "--passphrase-file", "second"]));
    let second = station.path("second.json");
    let station = station.with("PERSO_KEYS", second);
    assert_eq!(station.perso(&["keys", "kcv", "lab-zpk"]).code, 2);
}

#[test]
fn config_show_and_doctor_say_where_each_setting_comes_from() {
    let config = format!("{PLAIN}[readers]\ndefault = \"sim\"\n\n[options.run]\ntimeout = 300\n");
    let station = Station::new(&config);
    let shown = |station: &Station, folder: &str, arguments: &[&str]| -> Value {
        let done = station.perso_in(folder, &[&["config", "show", "--format", "json"], arguments].concat());
        good(&done);
        let found: Value = serde_json::from_str(&done.out).unwrap();
        let schema = std::fs::read_to_string(root("docs/schemas/config-show.schema.json")).unwrap();
        assert!(jsonschema::is_valid(&serde_json::from_str(&schema).unwrap(), &found), "{found}");
        found
    };
    let row = |view: &Value, key: &str| {
        let rows = view["settings"].as_array().unwrap();
        rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{key}: {view}")).clone()
    };
    let view = shown(&station, "", &[]);
    assert_eq!((view["found"].as_str(), view["file"].as_str()), (Some("folder"), Some("perso.toml")));
    let keys = row(&view, "keys.file");
    assert_eq!(
        (&keys["line"], &keys["from"], &keys["values"][0]),
        (&2.into(), &"configuration".into(), &"keys.json".into())
    );
    assert_eq!(row(&view, "options.run.timeout")["line"], 8);
    assert_eq!(row(&view, "journal.file")["from"], "program");
    assert_eq!(shown(&station, "below", &[])["found"], "above");
    assert_eq!(shown(&station, "", &["--config", "perso.toml"])["found"], "option");
    assert_eq!(shown(&station, "", &["--config", "none"])["file"], Value::Null);
    let text = station.perso(&["config", "show"]).out;
    assert!(text.contains("perso.toml (found in the current folder)") && text.contains("line 8"), "{text}");
    let doctor = station.perso_in("below", &["doctor"]).out;
    assert!(doctor.contains("perso.toml (found in a folder above"), "{doctor}");
    let second = station.path("keys.json");
    let station = station.with("PERSO_KEYS", &second);
    let view = shown(&station, "", &[]);
    assert_eq!(
        (row(&view, "PERSO_KEYS")["from"].as_str(), &row(&view, "keys.file")["replaced"]),
        (Some("environment"), &true.into())
    );
    assert!(station.perso(&["doctor"]).out.contains("PERSO_KEYS names"));
    let station = station.with("PERSO_CONFIG", "../perso.toml");
    assert_eq!(shown(&station, "below", &[])["found"], "environment");
}

#[test]
fn config_check_says_before_run_does_what_run_refuses_and_changes_nothing() {
    let issuer = "[options]\nissuer-certificate = \"issuer.json\"\n";
    let site = "site.file = \"site.toml\"\n";
    let station = Station::new(&format!("{PLAIN}{site}{issuer}ca-keys = \"ca-keys.json\"\n"));
    let before = station.files();
    assert_eq!(station.check(), (0, vec![], vec![]));
    assert_eq!(before, station.files());
    // A journal of an earlier job, to be read and left as it is.
    let journal = station.path("station.journal");
    let run = station.perso(&["run", "record.json", "--reader", "sim", "--journal", journal.to_str().unwrap()]);
    good(&run);
    std::fs::write(station.path("phrase"), "a passphrase\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(station.path("phrase"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    good(&station.perso(&["keys", "seal", "keys.json", "-o", "sealed.json", "--passphrase-file", "phrase"]));
    // A live key, and a certificate of a key that is not in custody, and one that has expired.
    let generate = ["keys", "generate", "--name", "live", "--purpose", "zpk", "--algorithm", "tdes2"];
    good(&station.perso(&[&generate[..], &["--keys", "live.json", "--passphrase-file", "phrase"]].concat()));
    let modulus = {
        let text = std::fs::read_to_string(station.path("ca-keys.json")).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        found["keys"][0]["modulus"].as_str().unwrap().to_owned()
    };
    station.give("modulus", &modulus);
    let certify = ["ca", "certify", "ca.json", "--issuer", "476173", "--serial", "000001"];
    let made =
        station.perso(&[&certify[..], &["--modulus", "modulus", "--expiry", "2035-12", "-o", "strange.json"]].concat());
    good(&made);
    let made = station
        .perso(&[&certify[..], &["--key", "lab-issuer-rsa", "--expiry", "2020-12", "-o", "expired.json"]].concat());
    good(&made);
    station.give("ca-other.json", &std::fs::read_to_string(root("tests/samples/ca-keys.test.json")).unwrap());
    let keys = "perso_config = 1\nprofiles.folder = \"profiles\"\n";
    for (config, path, says) in [
        (
            format!("{PLAIN}{site}[options]\nissuer-certificate = \"nowhere\"\n"),
            "options.issuer-certificate",
            "cannot be read",
        ),
        (
            format!("{PLAIN}{site}[options.run]\nissuer-certificate = \"expired.json\"\n"),
            "options.run.issuer-certificate",
            "expired",
        ),
        (
            format!("{PLAIN}{site}[options]\nissuer-certificate = \"strange.json\"\n"),
            "options.issuer-certificate",
            "none of the issuer RSA keys",
        ),
        (
            format!("{PLAIN}{site}[options]\nissuer-certificate = \"record.json\"\n"),
            "options.issuer-certificate",
            "is a prepared record",
        ),
        (format!("{PLAIN}{site}{issuer}ca-keys = \"ca-other.json\"\n"), "options.issuer-certificate", "no key of RID"),
        (format!("{PLAIN}{site}{issuer}ca-keys = \"issuer.json\"\n"), "options.ca-keys", "is an issuer certificate"),
        (format!("{PLAIN}[options]\npool = \"keys.json\"\n"), "options.pool", "is a key file"),
        (
            format!("{PLAIN}[options.run]\nminimum-level = \"33\"\n"),
            "options.run.minimum-level: profile debit-contact-scp02",
            "at least 33",
        ),
        (format!("{PLAIN}[run]\ntrace = \"{{idd}}.trace\"\n"), "run.trace", "unknown placeholder {idd}"),
        (format!("{PLAIN}[run]\nresult = \"nowhere/{{id}}.json\"\n"), "run.result", "is not there; make it"),
        (format!("{PLAIN}[options]\nfault = \"cut after x\"\n"), "options.fault", "cut after x"),
        (format!("{keys}keys.file = \"record.json\"\n"), "keys.file", "is a prepared record"),
        (
            format!("{keys}keys.file = \"live.json\"\nkeys.passphrase_file = \"phrase\"\n"),
            "keys.file",
            "live keys are refused",
        ),
        (format!("{PLAIN}site.file = \"keys.json\"\n"), "site.file", "is a key file"),
        (format!("{PLAIN}journal.file = \"record.json\"\n"), "journal.file", "is a prepared record"),
        (format!("{PLAIN}readers.default = \"sim:record.json\"\n"), "readers.default", "is a prepared record"),
        (format!("{PLAIN}readers.default = \"sim:nowhere\"\n"), "readers.default", "nowhere"),
    ] {
        station.give("perso.toml", &config);
        let before = station.files();
        let (code, problems, _) = station.check();
        let found = problems.iter().any(|(at, why)| at == path && why.contains(says));
        assert!(code == 10 && found, "{config}: {problems:?}");
        assert_eq!(before, station.files(), "{config}");
    }
    // What cannot be looked at is said to be skipped.
    for (config, says) in [
        (format!("{keys}keys.file = \"sealed.json\"\n"), "keys.file: it is sealed"),
        (format!("{PLAIN}{site}"), "options.issuer-certificate: it is not set; orders of"),
        (format!("{PLAIN}{site}{issuer}"), "options.ca-keys is not set"),
        (format!("{PLAIN}readers.default = \"ACS\"\n"), "readers.default"),
    ] {
        station.give("perso.toml", &config);
        let (_, _, skipped) = station.check();
        assert!(skipped.iter().any(|line| line.contains(says)), "{config}: {skipped:?}");
    }
    let good_one = format!("{PLAIN}journal.file = \"station.journal\"\nreaders.default = \"sim\"\n");
    station.give("perso.toml", &good_one);
    assert_eq!(station.check(), (0, vec![], vec![]));
    // The key file that the environment names is the one that `run` will take.
    let record = station.path("record.json");
    let station = station.with("PERSO_KEYS", record);
    let (code, problems, _) = station.check();
    assert!(code == 10 && problems[0].0 == "PERSO_KEYS", "{problems:?}");
}

#[test]
fn names_that_were_mistyped_are_suggested_and_strange_ones_are_not() {
    let station = Station::new(PLAIN);
    for (command, meant) in [
        (&["keys", "kcv", "lab-zkp"][..], Some("\"lab-zpk\"")),
        (&["keys", "kcv", "zpk"], Some("\"lab-zpk\"")),
        (&["calc", "kcv", "--key", "lab_zpk"], Some("\"lab-zpk\"")),
        (&["keys", "public", "lab-issuer-rsaa"], Some("\"lab-issuer-rsa\"")),
        (&["keys", "kcv", "wedding"], None),
        (&["sim", "new", "debit-aes-spc03", "--aid", "A000000999", "-o", "x"], Some("debit-aes-scp03")),
        (&["sim", "new", "wedding", "--aid", "A000000999", "-o", "x"], None),
        (&["keys", "generate", "--test", "--name", "x", "--purpose", "zkp", "--algorithm", "tdes2"], Some("zpk")),
        (&["keys", "generate", "--test", "--name", "x", "--purpose", "zpk", "--algorithm", "tdes22"], Some("tdes2")),
        (&["keys", "kcv", "lab-zpk", "--kcv-method", "cmak"], Some("cmac")),
        (&["explain", "CARD-CRYPTOGRM"], Some("CARD-CRYPTOGRAM")),
        (&["explain", "WEDDING"], None),
        (&["raeders"], Some("readers")),
        (&["plan", "record.json", "--wrie", "t1"], Some("--wire")),
    ] {
        let done = station.perso(command);
        assert_ne!(done.code, 0, "{command:?}");
        match meant {
            Some(meant) => {
                let line = done.err.lines().find(|line| line.contains("did you mean") || line.contains("similar"));
                assert!(line.is_some_and(|line| line.contains(meant)), "{command:?}: {}", done.err);
            }
            None => assert!(!done.err.contains("did you mean"), "{command:?}: {}", done.err),
        }
    }
}

#[test]
fn explain_takes_status_words_and_codes_as_people_copy_them() {
    let station = Station::new("perso_config = 1\n");
    for words in [
        &["6A88"][..],
        &["0x6A88"],
        &["6a88"],
        &["6A", "88"],
        &["6A 88"],
        &["6A:88"],
        &["0x6A", "0x88"],
        &["SW=6A88"],
        &["SW", "6A88"],
        &["6A88h"],
    ] {
        let done = station.perso(&[&["explain"], words].concat());
        assert!(done.code == 0 && done.out.starts_with("6A88: referenced data not found"), "{words:?}: {}", done.err);
        for command in ["INITIALIZE UPDATE", "STORE DATA", "GET STATUS"] {
            assert!(done.out.contains(command), "{}", done.out);
        }
    }
    for words in [&["CARD-CRYPTOGRAM"][..], &["card-cryptogram"], &["Card", "Cryptogram"], &["card_cryptogram"]] {
        let done = station.perso(&[&["explain"], words].concat());
        assert!(done.code == 0 && done.out.starts_with("CARD-CRYPTOGRAM ("), "{words:?}: {}", done.err);
    }
    for words in [&["R1"][..], &["r1"], &["rule", "1"]] {
        assert!(station.perso(&[&["explain"], words].concat()).out.starts_with("R1: "), "{words:?}");
    }
    let family = station.perso(&["explain", "stripe"]);
    assert!(family.code == 2 && family.err.contains("STRIPE-HERE"), "{}", family.err);
    let near = station.perso(&["explain", "9001"]);
    assert!(near.out.contains("not a status word") && near.out.contains("near to it: 9000, done"), "{}", near.out);
    for words in ["6A8", "6A88A", "+A88", "R999", "6G88"] {
        assert_eq!(station.perso(&["explain", words]).code, 2, "{words}");
    }
}

/// Without profiles.folder the profiles are those of card-profiles in the working folder, as `perso run` takes them.
#[test]
fn check_uses_the_default_folder_of_profiles() {
    let station = Station::new("perso_config = 1\nsite.file = \"site.toml\"\n");
    let skipped = |skipped: &[String]| skipped.iter().any(|it| it.contains("products that the site names"));
    assert!(skipped(&station.check().2));
    std::fs::rename(station.path("profiles"), station.path("card-profiles")).unwrap();
    assert!(!skipped(&station.check().2));
    let site = std::fs::read_to_string(station.path("site.toml")).unwrap();
    station.give("site.toml", &site.replace("visa-like-debit", "visa-lika"));
    let (code, problems, _) = station.check();
    assert!(code == 10 && problems.iter().any(|(_, why)| why.contains("no profile \"visa-lika\"")), "{problems:?}");
}
