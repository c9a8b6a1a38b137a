//! `perso.toml`: defaults for what commands take; the command line has the last word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

struct Bench {
    folder: TempDir,
}

struct Done {
    code: i32,
    out: String,
    err: String,
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Bench {
    /// A station's folder with keys, profiles and a record.
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder };
        std::fs::create_dir(bench.path("profiles")).unwrap();
        std::fs::create_dir(bench.path("elsewhere")).unwrap();
        for name in ["debit-contact-scp02", "debit-aes-scp03"] {
            std::fs::copy(root(&format!("card-profiles/{name}.toml")), bench.path(&format!("profiles/{name}.toml")))
                .unwrap();
        }
        std::fs::copy(root("tests/samples/keys.test.json"), bench.path("keys.json")).unwrap();
        std::fs::copy(root("tests/samples/debit-contact-scp02.record.json"), bench.path("record.json")).unwrap();
        std::fs::write(bench.path("perso.toml"), config).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn perso(&self, arguments: &[&str]) -> Done {
        self.perso_in("", arguments)
    }

    fn perso_in(&self, folder: &str, arguments: &[&str]) -> Done {
        let mut command = Command::cargo_bin("perso").unwrap();
        command.env_remove("PERSO_CONFIG").env_remove("PERSO_KEYS").env_remove("PERSO_LEDGER");
        let output = command.current_dir(self.path(folder)).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

const CONFIG: &str = r#"
perso_config = 1
keys.file = "keys.json"
profiles.folder = "profiles"
journal.file = "station.journal"
readers.default = "sim"

[options]
wire = "t0"
format = "json"

[options.plan]
speed = 9600

[options."keys kcv"]
kcv-method = "cmac"
"#;

#[test]
fn defaults_come_from_the_working_folder_or_from_a_named_file() {
    let bench = Bench::new(CONFIG);
    let run = bench.perso(&["run", "record.json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let result: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&result["state"], &result["simulated"]), (&"good".into(), &true.into()));
    assert!(!bench.path("station.journal").exists(), "simulated cards are no entries of the station's journal");
    // From another folder the paths are still those of the file's own.
    let there = bench.perso_in("elsewhere", &["run", "../record.json", "--config", "../perso.toml"]);
    assert_eq!(there.code, 0, "{}", there.err);
    let there = bench.perso_in("elsewhere", &["--config=../perso.toml", "run", "../record.json"]);
    assert_eq!(there.code, 0, "{}", there.err);
    let there = bench.perso_in("elsewhere", &["run", "../record.json"]);
    assert_eq!(there.code, 0, "a configuration of a folder above is found: {}", there.err);
    let without = bench.perso_in("elsewhere", &["run", "../record.json", "--config", "none"]);
    assert_eq!(without.code, 2, "{}", without.err);
}

#[test]
fn the_command_line_has_the_last_word() {
    let bench = Bench::new(CONFIG);
    let time = |arguments: &[&str]| -> f64 {
        let done = bench.perso(&[&["plan", "record.json"], arguments].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        let plan: Value = serde_json::from_str(&done.out).unwrap();
        plan["wire_micros"].as_f64().unwrap_or_else(|| panic!("{plan}"))
    };
    let (slow, fast) = (time(&[]), time(&["--speed", "250000"]));
    assert!(slow > fast * 10.0, "{slow} {fast}");
    let kcv =
        |arguments: &[&str]| bench.perso(&[&["keys", "kcv", "lab-pek", "--format", "text"], arguments].concat()).out;
    assert_eq!(kcv(&[]).trim(), "lab-pek: KCV 53E107 (cmac)");
    assert_eq!(kcv(&["--kcv-method", "aes-zero"]).trim(), "lab-pek: KCV FDE4FB (aes-zero)");
    let reader = bench.perso(&["run", "record.json", "--reader", "nobody"]);
    assert_eq!(reader.code, 4, "{}", reader.err);
}

/// What the command line rules out is not brought back by a default.
#[test]
fn a_default_does_not_contradict_the_command_line() {
    let config = "perso_config = 1\nkeys.file = \"sealed.json\"\nkeys.passphrase_file = \"wrong\"\n";
    let bench = Bench::new(config);
    std::fs::write(bench.path("wrong"), "wrong\n").unwrap();
    std::fs::write(bench.path("right"), "right\n").unwrap();
    let seal = ["keys", "seal", "keys.json", "-o", "sealed.json", "--passphrase-file", "right"];
    assert_eq!(bench.perso(&seal).code, 0);
    assert_eq!(bench.perso(&["keys", "kcv", "lab-zpk"]).code, 5);
    let mut command = Command::cargo_bin("perso").unwrap();
    command.env_remove("PERSO_CONFIG").env_remove("PERSO_KEYS");
    let fd = ["keys", "kcv", "lab-zpk", "--passphrase-fd", "0"];
    let output = command.current_dir(bench.path("")).args(fd).write_stdin("right\n").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "lab-zpk: KCV EF9351 (des-zero)");
}

#[test]
fn what_is_wrong_in_it_is_named() {
    for (config, says) in [
        ("# nothing\n", "perso_config"),
        ("perso_config = 2", "version 1"),
        ("perso_config = 1\nnonsense = 1", "nonsense"),
        ("perso_config = 1\nkeys.fiel = \"x\"", "fiel"),
        ("perso_config = ", "line 1: "),
        ("perso_config = 1\noptions.nonsense = 1", "options.nonsense"),
        ("perso_config = 1\noptions.run.speed = 1", "options.run.speed"),
        ("perso_config = 1\noptions.ceiling = [\"1\", \"2\"]", "options.ceiling"),
        ("perso_config = 1\noptions.lab = \"perhaps\"", "options.lab"),
    ] {
        let bench = Bench::new(config);
        let done = bench.perso(&["calc", "luhn", "4761739001010119"]);
        assert!(done.code == 4 && done.err.contains(says) && done.err.contains("CONFIG"), "{config}: {}", done.err);
    }
    let bench = Bench::new("perso_config = 1\noptions.ceiling = \"many\"");
    assert_eq!(bench.perso(&["card", "info", "--reader", "sim:card.json"]).code, 4);
    let none = bench.perso(&["calc", "luhn", "4761739001010119", "--config", "nowhere.toml"]);
    assert!(none.code == 2 && none.err.contains("nowhere.toml"), "{}", none.err);
}

#[test]
fn check_looks_at_everything_that_is_named() {
    let bench = Bench::new(CONFIG);
    let check = || {
        let done = bench.perso(&["config", "check"]);
        let found: Value = serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error} {}", done.err));
        let schema = std::fs::read_to_string(root("docs/schemas/config-check.schema.json")).unwrap();
        assert!(jsonschema::is_valid(&serde_json::from_str(&schema).unwrap(), &found), "{found}");
        let paths: Vec<String> =
            found["problems"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap().to_owned()).collect();
        (done.code, paths)
    };
    assert_eq!(check(), (0, vec![]));
    let write = |config: &str| std::fs::write(bench.path("perso.toml"), config).unwrap();
    let json = "\n[options]\nformat = \"json\"\n";
    let wrong = |entries: &str, paths: &[&str]| {
        write(&format!("perso_config = 1\n{entries}{json}"));
        let (code, found) = check();
        assert_eq!((code, found.iter().map(String::as_str).collect::<Vec<_>>()), (10, paths.to_vec()), "{entries}");
    };
    wrong("keys.file = \"nowhere\"", &["keys.file"]);
    wrong("keys.file = \"record.json\"", &["keys.file"]);
    wrong("keys.passphrase_file = \"nowhere\"", &["keys.passphrase_file"]);
    wrong("profiles.folder = \"nowhere\"", &["profiles.folder"]);
    wrong("profiles.folder = \"elsewhere\"", &["profiles.folder"]);
    wrong("journal.file = \"nowhere/journal\"", &["journal.file"]);
    wrong("journal.file = \"profiles\"", &["journal.file"]);
    wrong("site.file = \"record.json\"", &["site.file"]);
    std::fs::write(bench.path("phrase"), "x\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(bench.path("phrase"), std::fs::Permissions::from_mode(0o644)).unwrap();
        // As `run` has it: test keys are used, with a warning in the same words.
        bench.perso(&["keys", "seal", "keys.json", "-o", "guarded.json", "--passphrase-file", "phrase"]);
        write("perso_config = 1\nkeys.file = \"guarded.json\"\nkeys.passphrase_file = \"phrase\"\n");
        let used = bench.perso(&["keys", "kcv", "lab-zpk"]);
        let checked = bench.perso(&["config", "check"]);
        let warning = "phrase: others than you can read it; run `chmod 600` on it";
        for done in [&used, &checked] {
            assert!(done.code == 0 && done.err.matches(warning).count() == 1, "{}{}", done.out, done.err);
            assert!(!done.out.contains("chmod"), "{}", done.out);
        }
        write("perso_config = 1\nkeys.passphrase_file = \"phrase\"\n");
        assert!(bench.perso(&["config", "check"]).err.contains(warning));
        std::fs::set_permissions(bench.path("phrase"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut keys = std::fs::read_to_string(bench.path("keys.json")).unwrap();
    keys = keys.replacen("8BAF47", "8BAF48", 1);
    std::fs::write(bench.path("bad.json"), keys).unwrap();
    wrong("keys.file = \"bad.json\"", &["keys.file"]);
    let text = std::fs::read_to_string(bench.path("profiles/debit-aes-scp03.toml")).unwrap();
    std::fs::write(bench.path("profiles/debit-aes-scp03.toml"), text.replace("level = ", "lievel = ")).unwrap();
    write(&format!("perso_config = 1\nprofiles.folder = \"profiles\"\n{json}"));
    let (code, found) = check();
    assert!(code == 10 && found.iter().all(|path| path.contains("debit-aes-scp03.toml")), "{found:?}");
    // Sealed, with the passphrase at hand.
    let sealed = bench.perso(&["keys", "seal", "keys.json", "-o", "sealed.json", "--passphrase-file", "phrase"]);
    assert_eq!(sealed.code, 0, "{}", sealed.err);
    write(&format!("perso_config = 1\nkeys.file = \"sealed.json\"\nkeys.passphrase_file = \"phrase\"\n{json}"));
    assert_eq!(check(), (0, vec![]));
    std::fs::write(bench.path("phrase"), "y\n").unwrap();
    assert_eq!(check(), (10, vec!["keys.file".to_owned()]));
    std::fs::remove_file(bench.path("perso.toml")).unwrap();
    assert_eq!(bench.perso(&["config", "check"]).code, 2);
}

#[test]
fn the_documented_sample_is_one() {
    let text = std::fs::read_to_string(root("docs/config.md")).unwrap();
    let sample = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let schema = std::fs::read_to_string(root("docs/schemas/config.schema.json")).unwrap();
    let table: toml::Table = toml::from_str(sample).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    assert!(validator.is_valid(&serde_json::to_value(table).unwrap()));
    let bench = Bench::new(sample);
    let done = bench.perso(&["calc", "luhn", "4761739001010119"]);
    assert_eq!(done.code, 0, "{}", done.err);
}
