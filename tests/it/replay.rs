//! Recorded exchanges of real cards: the host opens the channel and wraps the plain commands of the recording, over a
//! trace in the place of the card. Every byte that it sends must be the recorded one.
//!
//! The traces and scripts in `tests/traces` are made here from the vectors that state a real card, or a card trace, as
//! where they come from; `PERSO_BLESS=1` rewrites them. Their keys are published test keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use perso::base::crypto::{KcvMethod, kcv};
use serde_json::{Value, json};

/// Stands for an answer that the source does not state. An error carries no MAC, so it claims nothing.
const UNKNOWN: &str = "6F00";

fn file_of(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn vectors() -> Vec<Value> {
    let read = |name: &str| -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(file_of(&format!("tests/vectors/{name}.json"))).unwrap()).unwrap()
    };
    [read("scp02"), read("scp03")].concat()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// A recorded session: its handshake, and the steps after it where there are some.
struct Session {
    handshake: Value,
    steps: Vec<(Value, Value)>,
}

fn is_recorded(vector: &Value) -> bool {
    matches!(text(vector, "provenance"), "real card" | "card trace in a project test")
}

/// Every recorded session whose EXTERNAL AUTHENTICATE is known, and recorded handshakes that end before it.
fn sessions() -> (Vec<Session>, Vec<Session>) {
    let all = vectors();
    let (mut sessions, mut without) = (Vec::new(), Vec::new());
    for handshake in all.iter().filter(|vector| is_recorded(vector) && text(vector, "kind").ends_with("_handshake")) {
        if text(&handshake["inputs"], "init_update_cmd").is_empty() {
            assert_eq!(text(handshake, "name"), NO_COMMAND);
            continue;
        }
        if text(&handshake["expected"], "ext_auth_cmd").is_empty() {
            without.push(Session { handshake: handshake.clone(), steps: Vec::new() });
            continue;
        }
        let same = |field: &str, vector: &Value| vector["inputs"][field] == handshake["inputs"][field];
        let wrap = all.iter().find(|vector| {
            text(vector, "kind").ends_with("_wrap")
                && is_recorded(vector)
                && ["init_update_cmd", "init_update_rsp", "security_level"].iter().all(|field| same(field, vector))
        });
        let steps = wrap.map(|wrap| {
            let list = |value: &Value| value["steps"].as_array().unwrap().clone();
            list(&wrap["inputs"]).into_iter().zip(list(&wrap["expected"])).collect()
        });
        sessions.push(Session { handshake: handshake.clone(), steps: steps.unwrap_or_default() });
    }
    (sessions, without)
}

impl Session {
    fn name(&self) -> &str {
        text(&self.handshake, "name")
    }

    fn input(&self, field: &str) -> &str {
        text(&self.handshake["inputs"], field)
    }

    fn source(&self) -> String {
        format!("# source {}\n# provenance {}\n", text(&self.handshake, "source"), text(&self.handshake, "provenance"))
    }

    fn initialize_update(&self) -> &str {
        self.input("init_update_cmd")
    }

    /// Why our host cannot go the way of a recording to its end, and what it says then. Both are shown to end so.
    fn ends_early(&self) -> Option<(&'static str, &'static str)> {
        let (command, answer) = (self.initialize_update(), self.input("init_update_rsp"));
        let lc = usize::from(hex::decode(command).unwrap()[4]);
        if command.len() / 2 == 5 + lc {
            // The recording shows no Le; ours always asks for the answer that it needs.
            return Some(("REPLAY-DIFFERS", "exchange 1: the command has 14 bytes, the trace holds 13"));
        }
        let (asked, answered) = (&command[4..6], &answer[20..22]);
        // That card answers with another key version than it was asked for, which our host refuses on purpose.
        (asked != "00" && asked != answered).then_some(("CARD-PROTOCOL", "key version"))
    }

    fn trace(&self) -> String {
        let command = hex::decode(self.initialize_update()).unwrap();
        let challenge = hex::encode_upper(&command[5..5 + usize::from(command[4])]);
        let mut out = format!(
            "# perso-trace 1\n# vector {}\n{}# answers that the source does not state stand as {UNKNOWN}, of EXTERNAL \
             AUTHENTICATE as 9000\n",
            self.name(),
            self.source()
        );
        writeln!(out, "! {challenge}").unwrap();
        let mut exchange = |command: &str, answer: &str| writeln!(out, "> {command}\n< {answer} 0").unwrap();
        exchange(self.initialize_update(), &format!("{}9000", self.input("init_update_rsp")));
        let authenticate = text(&self.handshake["expected"], "ext_auth_cmd");
        if !authenticate.is_empty() {
            exchange(authenticate, "9000");
        }
        for (given, expected) in &self.steps {
            let answer = given["rsp_wrapped"].as_str().unwrap_or(UNKNOWN);
            exchange(text(expected, "cmd_wrapped"), answer);
        }
        out
    }

    fn script(&self) -> String {
        let mut out = format!("# The plain commands and answers of {}.\n{}", self.name(), self.source());
        for (given, expected) in &self.steps {
            writeln!(out, "{}", text(given, "cmd_plain")).unwrap();
            if let Some(plain) = expected["rsp_plain"].as_str() {
                let (data, sw) = plain.split_at(plain.len() - 4);
                writeln!(out, "sw {sw}\ndata {}", if data.is_empty() { "-" } else { data }).unwrap();
            }
        }
        out
    }

    /// The recorded commands as they were sent, and their answers, for a replay without a channel of our host's own.
    fn raw_script(&self) -> String {
        let mut out = String::new();
        for line in self.trace().lines() {
            if let Some(command) = line.strip_prefix("> ") {
                writeln!(out, "{command}").unwrap();
            } else if let Some(answer) = line.strip_prefix("< ") {
                let (data, sw) = answer.trim_end_matches(" 0").split_at(answer.len() - 6);
                writeln!(out, "sw {sw}\ndata {}", if data.is_empty() { "-" } else { data }).unwrap();
            }
        }
        out
    }

    /// Sends the recorded bytes themselves.
    fn replay_raw(&self, trace: &Path, folder: &Path) -> Output {
        let script = folder.join("raw.apdu");
        std::fs::write(&script, self.raw_script()).unwrap();
        let mut command = Command::cargo_bin("perso").unwrap();
        command.args(["card", "apdu", "--no-reset", "--format", "json", "--reader"]);
        command.arg(format!("replay:{}", trace.display())).arg(script).output().unwrap()
    }

    fn is_scp02(&self) -> bool {
        text(&self.handshake, "kind").starts_with("scp02")
    }

    fn protocol(&self) -> String {
        let answer = self.input("init_update_rsp");
        match (self.is_scp02(), self.input("mode")) {
            (true, _) => format!("scp02:{}", if self.input("option").is_empty() { "15" } else { self.input("option") }),
            (false, "S16") => format!("scp03:{}:s16", &answer[24..26]),
            (false, _) => format!("scp03:{}", &answer[24..26]),
        }
    }

    /// A key file with the session's three keys.
    fn keys(&self, folder: &Path, changed: bool) -> String {
        let mut keys = Vec::new();
        for part in ["enc", "mac", "dek"] {
            let mut value = hex::decode(self.input(&format!("key_{part}"))).unwrap();
            value[0] ^= u8::from(changed) << 4;
            let (algorithm, method) = match (self.is_scp02(), value.len()) {
                (true, _) => ("tdes2", KcvMethod::DesZero),
                (false, 16) => ("aes128", KcvMethod::AesOnes),
                (false, 24) => ("aes192", KcvMethod::AesOnes),
                (false, _) => ("aes256", KcvMethod::AesOnes),
            };
            keys.push(json!({
                "name": format!("vector-{part}"), "zone": "vectors", "purpose": "kmc", "version": 1, "test": true,
                "algorithm": algorithm, "kcv": hex::encode_upper(kcv(&value, method, self.is_scp02(), 3).unwrap()),
                "kcv_method": method.name(), "value": hex::encode_upper(&value),
            }));
        }
        let file = json!({ "perso_keys": 1, "test_keys": "TEST KEYS, PUBLIC: never for live cards", "keys": keys });
        let path = folder.join("keys.json");
        std::fs::write(&path, file.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn replay(&self, trace: &Path, script: &Path, keys: &str) -> Output {
        let mut command = Command::cargo_bin("perso").unwrap();
        command
            .args(["card", "apdu", "--no-reset", "--secure", "--format", "json", "--keys", keys, "--key", "vector"])
            .args(["--protocol", &self.protocol(), "--level", self.input("security_level")])
            .args(["--key-version", &self.initialize_update()[4..6]])
            .args(["--reader", &format!("replay:{}", trace.display())])
            .arg(script);
        command.output().unwrap()
    }
}

fn committed(name: &str, made: &str) -> PathBuf {
    let path = file_of(&format!("tests/traces/{name}"));
    if std::env::var_os("PERSO_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(held, made, "{} is not what the vector gives; PERSO_BLESS=1 rewrites it", path.display());
    path
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn recorded_sessions_are_replayed_byte_for_byte() {
    let (sessions, without) = sessions();
    assert!(sessions.len() >= 15, "only {} sessions", sessions.len());
    let folder = tempfile::tempdir().unwrap();
    // These recordings end before EXTERNAL AUTHENTICATE: what is recorded is sent as it stands, and `perso explain-auth` is
    // shown all of them (tests/it/explain_auth.rs).
    for session in &without {
        let trace = folder.path().join("trace");
        std::fs::write(&trace, session.trace()).unwrap();
        let output = session.replay_raw(&trace, folder.path());
        assert_eq!(output.status.code(), Some(0), "{}: {}", session.name(), said(&output));
    }
    let names: Vec<&str> = without.iter().map(Session::name).collect();
    assert_eq!(names, BEFORE_AUTHENTICATION);
    let mut early = Vec::new();
    let schema = std::fs::read_to_string(file_of("docs/schemas/trace-view.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for session in &sessions {
        let name = session.name();
        let trace = committed(&format!("{name}.trace"), &session.trace());
        let script = committed(&format!("{name}.apdu"), &session.script());
        let keys = session.keys(folder.path(), false);
        let output = session.replay(&trace, &script, &keys);
        if let Some((code, why)) = session.ends_early() {
            early.push(name);
            assert!(said(&output).contains(code) && said(&output).contains(why), "{name}: {}", said(&output));
            // The recording itself holds: its bytes go over the wire, and its MACs are checked below.
            let output = session.replay_raw(&trace, folder.path());
            assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
        } else {
            assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["exchanges"].as_array().unwrap().len(), session.steps.len(), "{name}");
        }

        // The trace opens with the same keys: every MAC is checked, and what was inside is told.
        let mut show = Command::cargo_bin("perso").unwrap();
        let shown = show.args(["trace", "show", trace.to_str().unwrap(), "--keys", &keys]).output().unwrap();
        let shown = said(&shown);
        assert!(!shown.contains("DOES NOT CHECK"), "{name}: {shown}");
        let mut show = Command::cargo_bin("perso").unwrap();
        let json = show.args(["trace", "show", trace.to_str().unwrap(), "--format", "json"]).output().unwrap();
        assert!(schema.is_valid(&serde_json::from_slice(&json.stdout).unwrap()), "{name}: {}", said(&json));
        let protected = session.trace().lines().filter(|line| line.starts_with("> 84")).count();
        assert_eq!(shown.matches("; checked with vector").count(), protected, "{name}: {shown}");
    }
    assert_eq!(early, ["pysim_scp02_handshake", "gppro_15_handshake_level00_i55"]);
    // The page about traces names them all.
    let page = std::fs::read_to_string(file_of("docs/trace.md")).unwrap();
    for name in
        names.iter().chain([&NO_COMMAND]).chain(&early).chain(&sessions.iter().map(Session::name).collect::<Vec<_>>())
    {
        assert!(page.contains(&format!("`{name}`")), "docs/trace.md does not name {name}");
    }
}

/// Recordings that end with INITIALIZE UPDATE.
const BEFORE_AUTHENTICATION: [&str; 3] =
    ["openfips201_48_handshake", "gppro_154_card_cryptogram_i55", "gppro_169_jcop_card_cryptogram_i55"];
/// States challenges and cryptograms, and no command.
const NO_COMMAND: &str = "gppro_98_i10_session";

#[test]
fn one_changed_byte_of_a_recording_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for session in sessions().0.iter().filter(|it| !it.steps.is_empty() && it.ends_early().is_none()) {
        let name = session.name();
        let keys = session.keys(folder.path(), false);
        let (trace, script) = (folder.path().join("trace"), folder.path().join("script"));
        std::fs::write(&script, session.script()).unwrap();
        // The last byte of the last command: of its MAC, or its Le.
        let made = session.trace();
        let at = made.rfind("> ").unwrap();
        let end = at + made[at..].find('\n').unwrap();
        let changed = if &made[end - 1..end] == "0" { "1" } else { "0" };
        std::fs::write(&trace, format!("{}{changed}{}", &made[..end - 1], &made[end..])).unwrap();
        let output = session.replay(&trace, &script, &keys);
        assert_eq!(output.status.code(), Some(10), "{name}: {}", said(&output));
        assert!(said(&output).contains("REPLAY-DIFFERS"), "{name}: {}", said(&output));
    }
}

#[test]
fn wrong_keys_send_nothing_behind_the_cards_cryptogram() {
    let folder = tempfile::tempdir().unwrap();
    for session in sessions().0.iter().filter(|session| session.ends_early().is_none()) {
        let name = session.name();
        let keys = session.keys(folder.path(), true);
        let trace = file_of(&format!("tests/traces/{name}.trace"));
        let output = session.replay(&trace, &file_of(&format!("tests/traces/{name}.apdu")), &keys);
        // Were EXTERNAL AUTHENTICATE sent, the trace would differ first, with another code.
        assert_eq!(output.status.code(), Some(6), "{name}: {}", said(&output));
        assert!(said(&output).contains("CARD-CRYPTOGRAM"), "{name}: {}", said(&output));
    }
}
