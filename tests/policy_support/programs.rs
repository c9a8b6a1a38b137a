//! Every verb of `perso calc` and `perso keys`, as clap's command tree has them, with a key of every purpose.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use assert_cmd::Command;
use perso::keys::policy::{Grant, Verb, find};
use perso::keys::{Purpose, Use};
use serde_json::{Value, json};

use crate::live_keys;

const PAN: &str = "4761739001010119";
const PIN: &str = "739184";
const KBPK: &str = "lab-kbpk-aes";

/// Keys, test or live: one of each purpose.
pub struct Keys {
    folder: tempfile::TempDir,
    test: bool,
    /// A key file, or the URI of a token.
    store: String,
    /// Options that open it.
    open: Vec<String>,
    /// The passphrase of a sealed file of these keys.
    passphrase: String,
    /// If they are in a token, the file that they come from.
    source: Option<Box<Keys>>,
}

pub struct Ran {
    pub code: i32,
    pub json: Value,
    pub all: Vec<u8>,
}

impl Keys {
    pub fn in_file(test: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (live, passphrase, _) = live_keys::samples(folder.path());
        let store = match test {
            true => folder.path().join("test.json").to_str().unwrap().to_owned(),
            false => live,
        };
        if test {
            std::fs::copy(sample(), &store).unwrap();
        }
        let open = if test { vec![] } else { vec!["--passphrase-file".to_owned(), passphrase.clone()] };
        Self::of(folder, test, store, open, passphrase)
    }

    fn of(folder: tempfile::TempDir, test: bool, store: String, open: Vec<String>, passphrase: String) -> Self {
        std::fs::write(folder.path().join("pin"), PIN).unwrap();
        Self { folder, test, store, open, passphrase, source: None }
    }

    /// The same keys in an empty token, whose URI and options these are; `load` puts them there.
    pub fn into_token(self, uri: &str, open: &[&str], load: &[&str]) -> Self {
        let ran = self.ask(&["keys", "load"], &[], &[&["--into", uri], load].concat(), "");
        assert_eq!(ran.code, 0, "{}", String::from_utf8_lossy(&ran.all));
        let open = open.iter().map(|option| (*option).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let token = Self::of(folder, self.test, uri.to_owned(), open, self.passphrase.clone());
        Self { source: Some(Box::new(self)), ..token }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perso"));
        let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).args(["--format", "json"]);
        let output = command.write_stdin(input).output().unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ran { code: output.status.code().unwrap(), json, all: [output.stdout, output.stderr].concat() }
    }

    /// With a key of the store.
    fn ask(&self, verb: &[&str], key: &[&str], arguments: &[&str], input: &str) -> Ran {
        let open: Vec<&str> = self.open.iter().map(String::as_str).collect();
        self.run(&[verb, key, arguments, &["--keys", &self.store], &open].concat(), input)
    }

    /// The same keys in a file that may be changed; a token is changed itself.
    fn changeable(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut store = self.store.clone();
        if self.source.is_none() {
            store = folder.path().join("keys.json").to_str().unwrap().to_owned();
            std::fs::copy(&self.store, &store).unwrap();
        }
        Self::of(folder, self.test, store, self.open.clone(), self.passphrase.clone())
    }
}

fn sample() -> String {
    format!("{}/tests/samples/keys.test.json", env!("CARGO_MANIFEST_DIR"))
}

fn sample_keys() -> &'static [Value] {
    static KEYS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(sample()).unwrap()).unwrap();
        file["keys"].as_array().unwrap().clone()
    });
    &KEYS
}

/// Does the work for every purpose, a thread for each of some of them: most of the time is other processes'.
fn each_purpose(work: impl Fn(Purpose) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(purpose) = Purpose::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(*purpose);
                }
            });
        }
    });
}

/// The name of the first sample key of a purpose: triple DES if there is a choice.
fn name(purpose: Purpose) -> String {
    let keys = sample_keys();
    let found = keys.iter().find(|key| key["purpose"] == purpose.name()).unwrap();
    found["name"].as_str().unwrap().to_owned()
}

fn leaves(command: &[&str]) -> BTreeSet<String> {
    let output = Command::cargo_bin("perso").unwrap().args(command).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let listed: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    let mut found = BTreeSet::new();
    for verb in listed {
        let whole = [command, &[verb]].concat();
        let below = leaves(&whole);
        match below.is_empty() {
            true => found.extend([whole[1..].join(" ")]),
            false => found.extend(below),
        }
    }
    found
}

/// What a verb of the calculator asks of a key.
struct Calc {
    verb: &'static str,
    /// The purposes that it takes.
    takes: &'static [Purpose],
    /// What it asks the store for.
    asks: Verb,
    /// Of a key that was derived from the one that is named.
    derived: bool,
    /// What the value is called that comes out.
    value: &'static str,
    /// If the value is refused, its check value is told.
    or_check_value: bool,
    /// If the value is refused, a whole one is compared.
    or_compare: bool,
    arguments: &'static [&'static str],
}

const MASTERS: &[Purpose] =
    &[Purpose::ImkAc, Purpose::ImkSmc, Purpose::ImkSmi, Purpose::ImkDac, Purpose::ImkIdn, Purpose::ImkCvc];

const fn calc(
    verb: &'static str,
    takes: &'static [Purpose],
    asks: Verb,
    value: &'static str,
    arguments: &'static [&'static str],
) -> Calc {
    Calc { verb, takes, asks, derived: false, value, or_check_value: false, or_compare: false, arguments }
}

const CALC: &[Calc] = &[
    calc("calc kcv", &Purpose::ALL, Verb::CheckValue, "KCV", &[]),
    Calc {
        derived: true,
        or_check_value: true,
        ..calc("calc diversify", &[Purpose::Kmc], Verb::Expose, "K-ENC", &["--kdd", "00010203040506070809"])
    },
    Calc { or_compare: true, ..calc("calc session-keys", &[Purpose::Kmc], Verb::SessionKey, "card cryptogram", &[]) },
    calc(
        "calc pin-block encode",
        &[Purpose::Zpk],
        Verb::Encipher,
        "PIN block",
        &["--pan", "-", "--pin-from", "{pin}", "--test-keys"],
    ),
    calc("calc pin-block decode", &[Purpose::Zpk], Verb::OpenPin, "PIN", &["--pan", "-", "--block", "{block}"]),
    calc(
        "calc pin-block translate",
        &[Purpose::Zpk],
        Verb::OpenPin,
        "PIN block",
        &["--pan", "-", "--block", "{block}", "--to-key", "lab-zpk", "--to", "3"],
    ),
    calc("calc cvv", &[Purpose::Cvk], Verb::Mac, "CVV", &["--pan", "-", "--expiry", "3012", "--service-code", "201"]),
    calc("calc pvv", &[Purpose::Pvk], Verb::Encipher, "PVV", &["--pan", "-", "--pin-from", "{pin}", "--test-keys"]),
    calc("calc offset", &[Purpose::Pvk3624], Verb::Encipher, "natural PIN", &["--validation", "4761739001010FFF"]),
    Calc {
        derived: true,
        or_check_value: true,
        ..calc("calc icc-key", MASTERS, Verb::Expose, "card key", &["--pan", "-"])
    },
    Calc {
        derived: true,
        or_compare: true,
        ..calc(
            "calc arqc",
            &[Purpose::ImkAc],
            Verb::Mac,
            "cryptogram",
            &["--pan", "-", "--atc", "0001", "--data", "0102"],
        )
    },
    Calc {
        derived: true,
        or_compare: true,
        ..calc(
            "calc arpc",
            &[Purpose::ImkAc],
            Verb::Encipher,
            "ARPC",
            &["--pan", "-", "--atc", "0001", "--arqc", "0102030405060708", "--arc", "3030"],
        )
    },
    Calc { or_check_value: true, ..calc("calc tr31", &[Purpose::Kbpk], Verb::Expose, "key", &["{key block}"]) },
];

/// Verbs that know no secret key.
const CALC_WITHOUT_KEYS: &[&str] =
    &["calc tlv", "calc dgi", "calc dol", "calc atr", "calc track", "calc luhn", "calc certificate"];

/// Every verb × every purpose × test and live.
pub fn calc_verbs() {
    let known: BTreeSet<String> =
        CALC.iter().map(|row| row.verb).chain(CALC_WITHOUT_KEYS.iter().copied()).map(str::to_owned).collect();
    let built: BTreeSet<String> = leaves(&["calc"]).into_iter().map(|verb| format!("calc {verb}")).collect();
    assert_eq!(known, built, "a verb of `perso calc` has no row here: say what it asks of a key");
    for verb in CALC_WITHOUT_KEYS {
        let words: Vec<&str> = verb.split(' ').collect();
        let help = Command::cargo_bin("perso").unwrap().args(words).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(!help.contains("--keys <"), "{verb} takes keys: give it a row");
    }
    calc_verbs_with(&Keys::in_file(true), &Keys::in_file(false));
}

/// Every verb that takes a key × every purpose, with test keys and live keys.
pub fn calc_verbs_with(tests: &Keys, lives: &Keys) {
    each_purpose(|purpose| {
        for row in CALC {
            // What the same values give as test keys is what the live key must not show.
            let (word, mut value) = one(row, purpose, tests, None);
            assert_eq!(word, expected(row, purpose, tests), "{} with a test key for {purpose}", row.verb);
            if let (None, Some(source)) = (&value, &tests.source) {
                value = one(row, purpose, source, None).1;
            }
            let (word, _) = one(row, purpose, lives, value.as_deref());
            assert_eq!(word, expected(row, purpose, lives), "{} with a live key for {purpose}", row.verb);
        }
    });
    swapped_challenges(tests, lives);
}

/// What the table says that the verb does.
fn expected(row: &Calc, purpose: Purpose, keys: &Keys) -> &'static str {
    let grant =
        |verb, derived| find(verb, purpose, derived).map_or(Grant::No, |it| it.grant(Use::Calculator, keys.test));
    match grant(row.asks, row.derived) {
        _ if !row.takes.contains(&purpose) => "KEY-PURPOSE",
        // A token keeps session keys, and gives out no cryptogram without them.
        Grant::Yes if row.asks == Verb::SessionKey && keys.source.is_some() => "KEY-PURPOSE",
        Grant::Yes => "value",
        Grant::ThreeBytes => "three bytes",
        Grant::No if row.or_compare && grant(Verb::Compare, true) == Grant::Yes => "yes or no",
        Grant::No if row.or_check_value && grant(Verb::CheckValue, true) != Grant::No => "check value",
        Grant::No => "KEY-LIVE",
    }
}

/// What the verb does, and the value if it comes out.
fn one(row: &Calc, purpose: Purpose, keys: &Keys, known: Option<&str>) -> (String, Option<String>) {
    let key = name(purpose);
    let pin = keys.path("pin");
    let mut arguments: Vec<&str> = row
        .arguments
        .iter()
        .map(|argument| match *argument {
            "{pin}" => &*pin,
            "{block}" => &**CLEAR_BLOCK,
            "{key block}" => &**KEY_BLOCK,
            other => other,
        })
        .collect();
    let words: Vec<&str> = row.verb.split(' ').collect();
    let exchange;
    if row.verb == "calc session-keys" {
        exchange = [COMMAND.to_owned(), format!("{ANSWER}{}", known.unwrap_or("0102030405060708"))];
        arguments.extend(["--command", &exchange[0], "--answer", &exchange[1]]);
    } else if let (true, Some(known)) = (row.or_compare, known) {
        arguments.extend(["--expect", known]);
    }
    let ran = keys.ask(&words, &["--key", &key], &arguments, PAN);
    if let Some(code) = ran.json["fault"]["code"].as_str() {
        assert_eq!(ran.code, 5, "{} {key}: {}", row.verb, ran.json);
        return (code.to_owned(), None);
    }
    let results = ran.json["results"]
        .as_array()
        .unwrap_or_else(|| panic!("{} {key}: {}", row.verb, String::from_utf8_lossy(&ran.all)));
    let is_value = |name: &str| name == row.value || (row.value == "KCV" && name.starts_with("KCV "));
    let line = results.iter().find(|line| line["name"].as_str().is_some_and(is_value));
    let line = line.unwrap_or_else(|| panic!("{} {key}: {}", row.verb, ran.json));
    let Some(value) = line["value"].as_str() else {
        // Nothing of what the same values give as test keys.
        if let Some(known) = known {
            assert!(!String::from_utf8_lossy(&ran.all).contains(known), "{} {key}", row.verb);
        }
        if !row.or_compare {
            let told = results.iter().any(|line| line["name"].as_str().is_some_and(|name| name.contains("KCV")));
            return (if told { "check value" } else { "nothing" }.to_owned(), None);
        }
        // A right one is called right, a wrong one wrong.
        assert_eq!((ran.json["right"].as_bool(), ran.code), (Some(true), 0), "{} {key}: {}", row.verb, ran.json);
        let wrong =
            arguments.iter().map(|argument| argument.replace(known.unwrap(), "0807060504030201")).collect::<Vec<_>>();
        let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
        let ran = keys.ask(&words, &["--key", &key], &wrong, PAN);
        assert_eq!((ran.json["right"].as_bool(), ran.code), (Some(false), 10), "{} {key}: {}", row.verb, ran.json);
        return ("yes or no".to_owned(), None);
    };
    if row.verb == "calc kcv" {
        // How far it goes.
        let long = keys.ask(&words, &["--key", &key], &["--length", "4"], PAN);
        assert_eq!(value.len(), 6);
        let word = if long.json["fault"]["code"] == "KEY-LIVE" { "three bytes" } else { "value" };
        return (word.to_owned(), None);
    }
    ("value".to_owned(), Some(value.to_owned()))
}

/// INITIALIZE UPDATE; its answer but for the cryptogram. The host challenge begins as the sequence counter.
const COMMAND: &str = "80502000080001A62C37FA630400";
const ANSWER: &str = "0000000000000000000070020001AB4524ABEE7C";

/// A PIN block that does not matter under another key, and is one under the sample ZPK.
static CLEAR_BLOCK: LazyLock<String> = LazyLock::new(|| {
    let keys = Keys::in_file(true);
    let pin = keys.path("pin");
    let arguments = ["--pan", "-", "--test-keys", "--pin-from", &pin];
    let ran = keys.ask(&["calc", "pin-block", "encode"], &["--key", "lab-zpk"], &arguments, PAN);
    let results = ran.json["results"].as_array().unwrap();
    results.iter().find(|line| line["name"] == "PIN block").unwrap()["value"].as_str().unwrap().to_owned()
});

/// A key block under the triple DES KBPK of the samples.
static KEY_BLOCK: LazyLock<String> = LazyLock::new(|| {
    let keys = Keys::in_file(true);
    let ran = keys.ask(&["keys", "export", "lab-cvk"], &["--kbpk", &name(Purpose::Kbpk)], &[], "");
    ran.json["block"].as_str().unwrap_or_else(|| panic!("{}", ran.json)).to_owned()
});

/// With host and card challenge swapped, the card's cryptogram is the host's: neither is shown of live keys.
fn swapped_challenges(tests: &Keys, lives: &Keys) {
    let cases = [
        // SCP02, and an answer whose counter and challenge are that host challenge.
        (
            "lab-kmc-des",
            COMMAND,
            ANSWER,
            "80502000080001AB4524ABEE7C00",
            "00000000000000000000700200 01A62C37FA6304",
            8,
        ),
        // SCP03: the host's cryptogram differs from the card's by a constant, and is not shown either.
        (
            "lab-kmc-aes",
            "80500000081B10000000000A0F00",
            "000000000000000000003003000102030405060708",
            "8050000008010203040506070800",
            "00000000000000000000300300 1B10000000000A0F",
            8,
        ),
    ];
    for (key, command, answer, swapped, swapped_answer, length) in cases {
        let cryptogram = "00".repeat(length);
        let asked = |keys: &Keys, command: &str, answer: &str, cryptogram: &str| {
            let answer = format!("{answer}{cryptogram}").replace(' ', "");
            keys.ask(&["calc", "session-keys"], &["--key", key], &["--command", command, "--answer", &answer], "")
        };
        let of = |ran: &Ran, name: &str| {
            let line =
                ran.json["results"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap().clone();
            line["value"].as_str().map(str::to_owned)
        };
        let tests = tests.source.as_deref().unwrap_or(tests);
        let card = of(&asked(tests, command, answer, &cryptogram), "card cryptogram").unwrap();
        let right = asked(tests, command, answer, &card);
        let host = of(&right, "host cryptogram").unwrap();
        for ran in [
            asked(lives, command, answer, &card),
            asked(lives, command, answer, &cryptogram),
            asked(lives, swapped, swapped_answer, &cryptogram),
            asked(lives, swapped, swapped_answer, &card),
        ] {
            assert!(ran.code == 0 || ran.code == 10, "{}", ran.json);
            let all = String::from_utf8_lossy(&ran.all).into_owned();
            // What is typed may be quoted; what is computed not.
            assert!(!all.contains(&host), "{key}: {all}");
            assert!(of(&ran, "card cryptogram").is_none() && of(&ran, "host cryptogram").is_none());
        }
    }
}

/// What a verb of `perso keys` asks for; none for those that ask nothing of a key.
const KEYS: &[(&str, Option<Verb>)] = &[
    ("list", None),
    ("needed", None),
    ("seal", None),
    ("generate", None),
    ("rotate", None),
    ("load", Some(Verb::CheckValue)),
    ("import", Some(Verb::OpenKeyBlock)),
    ("export", Some(Verb::LeaveInKeyBlock)),
    ("kcv", Some(Verb::CheckValue)),
    ("public", Some(Verb::PublicKey)),
    ("remove", None),
    ("needed", None),
    ("passphrase", None),
];

/// Every verb × every purpose × test and live: the table's word for a job.
pub fn keys_verbs() {
    let known: BTreeSet<String> = KEYS.iter().map(|(verb, _)| (*verb).to_owned()).collect();
    let built = leaves(&["keys"]);
    assert_eq!(known, built, "a verb of `perso keys` has no row here: say what it asks of a key");
    for test in [true, false] {
        keys_verbs_with(&Keys::in_file(test));
    }
}

/// Fails if a key is shown, or the command has not ended as the table says.
fn checked(ran: Ran, allowed: bool, what: &str) -> Ran {
    refused_as(ran, if allowed { None } else { Some("KEY-PURPOSE") }, what)
}

/// The same with the code of another refusal.
fn refused_as(ran: Ran, code: Option<&str>, what: &str) -> Ran {
    let all = String::from_utf8_lossy(&ran.all).to_uppercase();
    let shown = sample_keys().iter().any(|key| all.contains(&key["value"].as_str().unwrap().to_uppercase()));
    assert!(!shown, "{what} shows a key");
    match code {
        None => assert_eq!(ran.code, 0, "{what}: {all}"),
        Some(code) => assert_eq!((ran.code, &ran.json["fault"]["code"]), (5, &json!(code)), "{what}: {all}"),
    }
    ran
}

/// Every verb but `load` × every purpose.
pub fn keys_verbs_with(keys: &Keys) {
    let (test, in_token) = (keys.test, keys.source.is_some());
    let source = keys.source.as_deref().unwrap_or(keys);
    let granted = |verb, purpose| find(verb, purpose, false).map_or(Grant::No, |row| row.grant(Use::Job, test));
    let open: Vec<&str> = keys.open.iter().map(String::as_str).collect();
    checked(keys.run(&[&["keys", "list", &keys.store], &open[..]].concat(), ""), true, "list");
    each_purpose(|purpose| {
        let (key, what) = (name(purpose), |verb: &str| format!("{verb} {purpose}, test {test}, token {in_token}"));
        let allowed = |verb| granted(verb, purpose) == Grant::Yes;
        checked(keys.ask(&["keys", "kcv", &key], &[], &[], ""), allowed(Verb::CheckValue), &what("kcv"));
        checked(keys.ask(&["keys", "public", &key], &[], &[], ""), allowed(Verb::PublicKey), &what("public"));
        let export =
            |from: &Keys| from.ask(&["keys", "export", &key], &["--kbpk", KBPK], &["--exportability", "E"], "");
        // A token gives out no key, whatever the table grants.
        checked(export(keys), allowed(Verb::LeaveInKeyBlock) && !in_token, &what("export"));
        let made = export(source);
        // Under a key of another purpose nothing leaves, and nothing comes in.
        let block = keys.path(&format!("block-{purpose}"));
        std::fs::write(&block, made.json["block"].as_str().unwrap()).unwrap();
        let under = keys.ask(&["keys", "export", "lab-cvk"], &["--kbpk", &key], &[], "");
        checked(under, allowed(Verb::MakeKeyBlock) && !in_token, &what("export under"));
        // A file that a command has changed is sealed at full cost: each begins with a new copy.
        let came = format!("came-{purpose}");
        let named = ["--block", &block, "--name", &came, "--purpose", purpose.name()];
        // A KBPK of triple DES opens no block of version D.
        if !allowed(Verb::OpenKeyBlock) {
            let under = keys.changeable().ask(&["keys", "import"], &["--kbpk", &key], &named, "");
            checked(under, false, &what("import under"));
        }
        let changed = keys.changeable();
        checked(changed.ask(&["keys", "import"], &["--kbpk", KBPK], &named, ""), true, &what("import"));
        checked(changed.ask(&["keys", "remove", &came], &[], &[], ""), true, &what("remove"));
        checked(keys.changeable().ask(&["keys", "rotate", &key], &[], &[], ""), true, &what("rotate"));
        let algorithm = sample_keys().iter().find(|it| it["name"] == key.as_str()).unwrap()["algorithm"].clone();
        let new = format!("new-{purpose}");
        let new = ["--name", &new, "--purpose", purpose.name(), "--algorithm", algorithm.as_str().unwrap()];
        let marked: &[&str] = if test { &["--test"] } else { &[] };
        checked(keys.changeable().ask(&["keys", "generate"], &new, marked, ""), true, &what("generate"));
        of_a_file(keys, purpose, &what("of a file"));
    });
}

/// `list`, `seal` and `passphrase`, which ask nothing of a key: a file with one key of this purpose. A token refuses the
/// last two.
fn of_a_file(keys: &Keys, purpose: Purpose, what: &str) {
    let new = keys.path(&format!("new passphrase {purpose}"));
    std::fs::write(&new, "ochre badger lantern").unwrap();
    std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let phrase = ["--passphrase-file", &keys.passphrase];
    let sealed = keys.path(&format!("sealed-{purpose}.json"));
    if keys.source.is_some() {
        let seal = keys.run(&[&["keys", "seal", &keys.store, "--output", &sealed], &phrase[..]].concat(), "");
        assert!(seal.code != 0 && !Path::new(&sealed).exists(), "seal {what}: {}", seal.json);
        let changed = keys.ask(&["keys", "passphrase"], &[], &["--new-passphrase-file", &new], "");
        assert!(changed.code != 0 && String::from_utf8_lossy(&changed.all).contains("token"), "{what}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut one = sample_keys().iter().find(|key| key["purpose"] == purpose.name()).unwrap().clone();
    one["test"] = keys.test.into();
    let listed = |file: &str, phrase: &str| {
        let ran = checked(keys.run(&["keys", "list", file, "--passphrase-file", phrase], ""), true, what);
        let purposes: Vec<&Value> = ran.json["keys"].as_array().unwrap().iter().map(|key| &key["purpose"]).collect();
        assert_eq!(purposes, [purpose.name()], "list {what}");
    };
    // Live keys must be in a sealed file already: `seal` opens none of them.
    let clear = json!({ "perso_keys": 1, "test_keys": "TEST KEYS, PUBLIC: never for live cards", "keys": [one] });
    let file = folder.path().join("clear.json");
    std::fs::write(&file, clear.to_string()).unwrap();
    let seal = keys.run(&[&["keys", "seal", file.to_str().unwrap(), "--output", &sealed], &phrase[..]].concat(), "");
    let (sealed, passphrase) = if keys.test {
        checked(seal, true, what);
        (sealed, keys.passphrase.clone())
    } else {
        assert!(seal.code == 5 && !Path::new(&sealed).exists(), "seal {what}: {}", seal.json);
        live_keys::written(folder.path(), &json!([one]))
    };
    listed(&sealed, &passphrase);
    let change = ["keys", "passphrase", "--keys", &sealed, "--passphrase-file", &passphrase];
    checked(keys.run(&[&change[..], &["--new-passphrase-file", &new]].concat(), ""), true, what);
    listed(&sealed, &new);
    let old = keys.run(&["keys", "list", &sealed, "--passphrase-file", &passphrase], "");
    refused_as(old, Some("KEY-PASSPHRASE"), what);
}
