//! `perso readers`, `perso doctor` and `perso card` as their users call them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::live_keys;
use crate::support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{PROFILES, file_of};
use tempfile::TempDir;

const KEYS: &str = "tests/samples/keys.test.json";

fn perso(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perso"));
    // No service but the one that a test names.
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("PCSCLITE_CSOCK_NAME", "/nowhere/pcscd.comm").args(arguments);
    command
}

fn done(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = perso(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn fits(schema: &str, value: &Value) {
    let text = std::fs::read_to_string(file_of(&format!("docs/schemas/{schema}.schema.json"))).unwrap();
    let validator = jsonschema::validator_for(&json(&text)).unwrap();
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{schema}: {errors:?}");
}

/// A personalized card in a file.
fn card(name: &str, folder: &TempDir) -> String {
    let path = folder.path().join(format!("{name}.json")).display().to_string();
    let record = format!("tests/samples/{name}.record.json");
    assert_eq!(done(&["sim", "new", name, "--keys", KEYS, "--record", &record, "-o", &path]).0, 0);
    let reader = format!("sim:{path}");
    let (code, _, error) = done(&["run", &record, "--keys", KEYS, "--reader", &reader]);
    assert_eq!(code, 0, "{error}");
    reader
}

#[test]
fn every_card_is_looked_into_and_what_is_told_fits_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    for name in PROFILES {
        let reader = card(name, &folder);
        let mut interfaces = vec!["contact"];
        interfaces.extend((name == "dual-interface-scp03").then_some("contactless"));
        for interface in interfaces {
            let common = ["--reader", &reader, "--interface", interface, "--format", "json"];
            let told = |arguments: &[&str], schema: &str| {
                let (code, out, error) = done(&[&["card"], arguments, &common].concat());
                assert_eq!((code, error.as_str()), (0, ""), "{name}");
                let value = json(&out);
                fits(schema, &value);
                assert_eq!(value["simulated"], true);
                value
            };
            let info = told(&["info"], "card-info");
            assert!(info["chip"].as_str().unwrap().starts_with("cplc-"));
            let with_profile = told(&["apps", "--keys", KEYS, "--profile", name], "card-apps");
            let without = told(&["apps", "--keys", KEYS], "card-apps");
            assert_eq!(with_profile["applications"], without["applications"]);
            assert_eq!(with_profile["login"]["master"], without["login"]["master"]);
            let data = told(&["data", "--aid", "A000000999"], "card-data");
            assert_eq!(data["interface"], interface);
            assert!(!data["applications"].as_array().unwrap().is_empty());
        }
    }
}

#[test]
fn a_technician_reads_it_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let reader = card("dual-interface-scp03", &folder);
    let text = |arguments: &[&str]| done(&[arguments, &["--reader", &reader]].concat()).1;
    let info = text(&["card", "info"]);
    for line in [
        "ATR           3BE000FF8131FE4514 (simulated card)",
        "Domain        A000000151000000, selected by default",
        "Channel       SCP03 i=70: pseudo-random challenge, R-MAC, R-ENCRYPTION",
        "Key           version 30 (SCP03), id 01: AES, 16 bytes",
        "IIN           476173",
    ] {
        assert!(info.lines().any(|it| it == line), "{line:?} in\n{info}");
    }
    let apps = text(&["card", "apps", "--keys", KEYS]);
    assert!(apps.contains("  A000000151000000  01 OP_READY\n"), "{apps}");
    assert!(apps.contains("privileges 9E0000: security domain, card lock"), "{apps}");
    let data = text(&["card", "data"]);
    for line in [
        "PSE directory",
        "PPSE directory: 6A82, no such application",
        "      82 Application interchange profile: 1C00",
        "        - cardholder verification supported",
        "        - file 1: record 1, none offline authenticated",
        "      5A Application PAN: [8 bytes] 476173******0119",
        "        - plaintext PIN verified by the card, if the terminal supports it; if it fails, the next rule",
        "    9F17 PIN try counter: 03",
    ] {
        assert!(data.lines().any(|it| it == line), "{line:?} in\n{data}");
    }
    let help = done(&["card", "data", "--help"]).1;
    assert!(help.contains("transaction counter (ATC)"), "{help}");
}

/// A card's file with something changed in it.
fn changed(reader: &str, change: impl Fn(&mut Value)) {
    let path = reader.strip_prefix("sim:").unwrap();
    let mut file = json(&std::fs::read_to_string(path).unwrap());
    change(&mut file);
    std::fs::write(path, file.to_string()).unwrap();
}

#[test]
fn card_apps_says_that_a_key_set_is_blocked() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["debit-contact-scp02", "debit-aes-scp03"] {
        let reader = card(name, &folder);
        changed(&reader, |file| file["blank"]["key_sets"][0]["failed"] = file["blank"]["attempts"].clone());
        let profile = format!("card-profiles/{name}.toml");
        for options in [vec![], vec!["--profile", &profile]] {
            let arguments = [vec!["card", "apps", "--keys", KEYS, "--reader", &reader], options].concat();
            let (code, _, error) = done(&arguments);
            assert!(code == 6 && error.contains("the key set is blocked") && error.contains("6983"), "{code} {error}");
            assert!(!error.contains("Destroy"), "{error}");
        }
    }
}

#[test]
fn card_data_says_that_a_card_is_locked_or_blocked() {
    let folder = tempfile::tempdir().unwrap();
    let reader = card("dual-interface-scp03", &folder);
    changed(&reader, |file| file["state"]["life_cycle"] = 0x7F.into());
    let (code, out, error) = done(&["card", "data", "--reader", &reader]);
    assert!(code == 0 && error.contains("CARD_LOCKED") && out.contains("No application was found"), "{out}{error}");
    // Blocked by its issuer: SELECT is refused, which does not say that nothing is there.
    changed(&reader, |file| {
        file["state"]["life_cycle"] = 1.into();
        file["state"]["blocked"] = true.into();
    });
    let (code, out, _) = done(&["card", "data", "--reader", &reader, "--aid", "A0000009990101", "--no-candidates"]);
    assert!(code == 0 && out.contains("No application could be selected: the card refuses"), "{out}");
    assert!(out.contains("Refused by the card: A0000009990101: 6A81, the card is blocked"), "{out}");
    assert!(!out.contains("not there") && !out.contains("No application was found"), "{out}");
    let view = json(&done(&["card", "data", "--reader", &reader, "--format", "json"]).1);
    fits("card-data", &view);
    assert!(view["refused"].as_array().unwrap().len() > 10 && view["absent"].as_array().unwrap().is_empty(), "{view}");
}

/// `--ceiling` is the old name of `--command-timeout`.
#[test]
fn command_timeout_has_its_old_name_too() {
    let folder = tempfile::tempdir().unwrap();
    let reader = card("debit-contact-scp02", &folder);
    let look = |options: &[&str]| done(&[&["card", "info", "--reader", &reader], options].concat());
    let plain = look(&[]);
    for option in ["--command-timeout", "--ceiling"] {
        let named = look(&[option, "30"]);
        assert_eq!((named.0, &named.1), (0, &plain.1), "{option}: {}", named.2);
        for value in ["0", "3601", "x"] {
            let (code, _, error) = look(&[option, value]);
            assert!(code == 2 && error.contains("--command-timeout"), "{option} {value}: {code} {error}");
        }
    }
    let (code, _, error) = look(&["--ceiling", "1", "--command-timeout", "2"]);
    assert!(code == 2 && error.contains("--command-timeout"), "{error}");
    let help = done(&["card", "info", "--help"]).1;
    assert!(help.contains("--command-timeout <SECONDS>") && !help.contains("--ceiling <"), "{help}");
}

/// Bytes as people paste them are taken by every option that takes an AID.
#[test]
fn aids_are_taken_as_they_are_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let reader = card("debit-contact-scp02", &folder);
    let plain = done(&["card", "data", "--no-candidates", "--reader", &reader, "--aid", "A0000009990101"]).1;
    assert!(plain.contains("Application A0000009990101"), "{plain}");
    let bytes = "0xA0, 0x00, 0x00, 0x09, 0x99, 0x01, 0x01";
    let pasted = ["a0:00:00:09:99:01:01", "A0 00 00 09 99 01 01", "0xA0000009990101", bytes];
    for (turn, aid) in pasted.into_iter().enumerate() {
        let shown = done(&["card", "data", "--no-candidates", "--reader", &reader, "--aid", aid]).1;
        assert!(shown.contains("Application A0000009990101 (asked for with --aid)"), "{aid}: {shown}");
        let verified = done(&["verify", "--reader", &reader, "--aid", aid]);
        assert!(verified.1.contains("Application A0000009990101 (given)"), "{aid}: {}{}", verified.1, verified.2);
        let explained = done(&["explain-auth", "--reader", &reader, "--keys", KEYS, "--aid", aid]);
        assert!(!explained.2.contains("--aid"), "{aid}: {}", explained.2);
        let blank = folder.path().join(format!("blank-{turn}.json")).display().to_string();
        let made = done(&["sim", "new", "debit-contact-scp02", "--keys", KEYS, "--aid", aid, "-o", &blank]);
        assert_eq!(made.0, 0, "{aid}: {}", made.2);
        assert!(std::fs::read_to_string(&blank).unwrap().contains("A0000009990101"), "{aid}");
    }
    for wrong in ["A0:00:00:09", "A000000999010Z", "A0000009990101A0000009990101A000000999"] {
        let (code, _, error) = done(&["card", "data", "--reader", &reader, "--aid", wrong]);
        assert!(code == 2 && error.contains("--aid") && error.contains("5 to 16 bytes"), "{wrong}: {error}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let reader = card(PROFILES[0], &folder);
    for (arguments, code, word) in [
        (vec!["card", "data", "--aid", "A0", "--reader", &reader], 2, "OPERATOR-INPUT"),
        (vec!["card", "apps", "--keys", KEYS, "--reader", &reader, "--key-version", "80"], 2, "00 to 7F"),
        (vec!["card", "apps", "--keys", KEYS, "--reader", &reader, "--key-version", "42"], 6, "6A88"),
        (vec!["card", "data", "--reader", "sim"], 2, "OPERATOR-INPUT"),
        (vec!["card", "info", "--reader", "sim:/nowhere"], 4, "READER-SIM"),
        (vec!["card", "info", "--reader", &reader, "--interface", "contactless"], 4, "READER-SIM"),
        (vec!["card", "info", "--reader", "0"], 4, "READER-SERVICE"),
        (vec!["card", "apps", "--keys", KEYS, "--reader", &reader, "--profile", "debit-aes-scp03"], 6, "CARD-REFUSED"),
        (vec!["card", "apps", "--keys", KEYS, "--reader", &reader, "--profile", "none"], 3, "RECORD-PROFILE"),
    ] {
        let (seen, _, error) = done(&arguments);
        assert_eq!((seen, error.contains(word)), (code, true), "{arguments:?}: {error}");
    }
}

fn checks(report: &Value) -> Vec<(String, String)> {
    let text = |check: &Value, member: &str| check[member].as_str().unwrap().to_owned();
    report["checks"].as_array().unwrap().iter().map(|check| (text(check, "name"), text(check, "state"))).collect()
}

fn doctor(arguments: &[&str]) -> (i32, Value) {
    let (code, out, _) = done(&[&["doctor", "--format", "json"], arguments].concat());
    let report = json(&out);
    fits("doctor", &report);
    assert_eq!(report["ok"] == true, code == 0);
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["remedy"].is_null(), check["state"] == "ok", "{check}");
    }
    (code, report)
}

fn state_of(report: &Value, name: &str) -> String {
    checks(report).into_iter().find(|(check, _)| check == name).unwrap_or_else(|| panic!("{name}: {report}")).1
}

#[test]
fn the_doctor_names_each_problem_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (code, report) = doctor(&["--journal", &path("journal"), "--keys", KEYS]);
    // No service listens where this test says it would.
    let service =
        if cfg!(feature = "pcsc") { ("PC/SC service", "problem", 4) } else { ("PC/SC library", "skipped", 0) };
    assert_eq!((state_of(&report, service.0).as_str(), code), (service.1, service.2));
    for name in ["key file", "profiles", "clock", "journal"] {
        assert_eq!(state_of(&report, name), "ok", "{name}");
    }
    assert_eq!(state_of(&doctor(&[]).1, "key file"), "skipped");
    let nothing = |arguments: &[&str], name: &str| {
        let (code, report) = doctor(arguments);
        assert_eq!((code, state_of(&report, name).as_str()), (4, "problem"), "{arguments:?}");
    };
    std::fs::write(path("broken.json"), "{\"perso_keys\": 1}").unwrap();
    nothing(&["--keys", &path("broken.json")], "key file");
    nothing(&["--keys", &path("none.json")], "key file");
    nothing(&["--profiles", &path("none")], "profiles");
    nothing(&["--journal", &path("none/journal")], "journal");
    std::fs::create_dir(path("profiles")).unwrap();
    nothing(&["--profiles", &path("profiles")], "profiles");
    let profile = std::fs::read_to_string(file_of("card-profiles/debit-aes-scp03.toml")).unwrap();
    std::fs::write(path("profiles/a.toml"), &profile).unwrap();
    assert_eq!(state_of(&doctor(&["--profiles", &path("profiles")]).1, "profiles"), "ok");
    std::fs::write(path("profiles/b.toml"), &profile).unwrap();
    nothing(&["--profiles", &path("profiles")], "profile");
    std::fs::write(path("profiles/b.toml"), "perso_profile = 1").unwrap();
    nothing(&["--profiles", &path("profiles")], "profile");

    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["broken.json", "profiles"], "something was made");
}

#[test]
fn the_doctor_says_who_else_can_read_a_sealed_key_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (sealed, phrase) = (path("sealed.json"), path("phrase"));
    std::fs::write(&phrase, "correct horse\n").unwrap();
    assert_eq!(done(&["keys", "seal", KEYS, "--passphrase-file", &phrase, "-o", &sealed]).0, 0);
    let mode = |mode: u32| std::fs::set_permissions(&sealed, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    assert_eq!(state_of(&doctor(&["--keys", &sealed]).1, "key file"), "problem");
    mode(0o600);
    assert_eq!(state_of(&doctor(&["--keys", &sealed]).1, "key file"), "skipped");
    assert_eq!(state_of(&doctor(&["--keys", &sealed, "--passphrase-file", &phrase]).1, "key file"), "ok");
    std::fs::write(&phrase, "incorrect\n").unwrap();
    assert_eq!(state_of(&doctor(&["--keys", &sealed, "--passphrase-file", &phrase]).1, "key file"), "problem");
}

/// Without a service the watch waits for one, tells so once, and ends cleanly on a signal.
#[test]
#[cfg_attr(not(feature = "pcsc"), ignore = "this program was built without PC/SC")]
fn a_watch_without_a_service_waits_and_ends_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let mut watch = perso(&["readers", "--watch", "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(900));
        assert!(watch.try_wait().unwrap().is_none(), "it did not wait");
        let sent = Command::new("kill").args([signal, &watch.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let output = watch.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
        let lines = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lines.lines().count(), 1, "{lines}");
        let event = json(&lines);
        fits("readers-watch", &event);
        assert_eq!(event["fault"]["code"], "READER-SERVICE");
    }
}

#[test]
fn without_a_service_readers_are_not_listed_and_the_remedy_is_told() {
    let (code, out, error) = done(&["readers"]);
    assert_eq!((code, out.as_str()), (4, ""));
    assert!(error.contains("READER-SERVICE"), "{error}");
    assert!(Path::new(&file_of("docs/schemas/readers.schema.json")).exists());
}

#[test]
fn card_apps_logs_in_with_test_keys_only() {
    let folder = tempfile::tempdir().unwrap();
    let reader = card("debit-contact-scp02", &folder);
    let before = std::fs::read(reader.strip_prefix("sim:").unwrap()).unwrap();
    let (live, passphrase, _) = live_keys::samples(folder.path());
    for how in [&["--profile", "debit-contact-scp02"][..], &[]] {
        let command = ["card", "apps", "--reader", &reader, "--keys", &live, "--passphrase-file", &passphrase];
        let (code, _, error) = done(&[&command[..], how].concat());
        assert!(code == 5 && error.contains("[KEY-LIVE]"), "{code} {error}");
    }
    assert_eq!(std::fs::read(reader.strip_prefix("sim:").unwrap()).unwrap(), before, "nothing was sent");
}
