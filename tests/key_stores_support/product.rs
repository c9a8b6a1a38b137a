//! The commands over a token, as they are typed.

use std::process::Command;
use std::sync::LazyLock;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use perso::keys::policy::{Grant, Verb, find};
use perso::keys::{Purpose, Use};
use serde_json::{Value, json};

use super::canary::{Canaries, Search};
use super::live_keys;
use super::sample;
use super::softhsm::{self, PIN};
use super::token;

pub const TESTS: &[(&str, fn())] = &[
    ("commands_take_their_keys_from_a_token", commands_take_their_keys_from_a_token),
    ("keys_are_made_and_brought_into_a_token", keys_are_made_and_brought_into_a_token),
    ("uris_that_are_none_are_refused", uris_that_are_none_are_refused),
    ("keys_are_shown_in_public_and_removed", keys_are_shown_in_public_and_removed),
    ("what_is_odd_about_a_pin_file_is_told", what_is_odd_about_a_pin_file_is_told),
    ("keys_of_older_versions_are_told_by_every_command", keys_of_older_versions_are_told_by_every_command),
    ("weak_live_keys_are_not_put_into_a_token", weak_live_keys_are_not_put_into_a_token),
    ("keys_of_every_purpose_are_loaded", keys_of_every_purpose_are_loaded),
    ("weakness_that_a_token_shows_is_told", weakness_that_a_token_shows_is_told),
    ("of_processes_that_make_one_key_at_once_one_succeeds", of_processes_that_make_one_key_at_once_one_succeeds),
    (
        "test_and_live_keys_do_not_get_into_an_empty_token_at_once",
        test_and_live_keys_do_not_get_into_an_empty_token_at_once,
    ),
    ("of_loads_of_one_file_at_once_one_succeeds", of_loads_of_one_file_at_once_one_succeeds),
    ("commands_that_only_read_a_token_run_at_once", commands_that_only_read_a_token_run_at_once),
    ("pin_file_that_others_can_read_is_refused_for_live_keys", pin_file_that_others_can_read_is_refused_for_live_keys),
];

static SECRETS: LazyLock<Search> = LazyLock::new(|| {
    let keys = ["10112233445566778899AABBCCDDEEFE", "0123456789ABCDEFFEDCBA9876543210"];
    Canaries::new().values("a key", keys).text("the token's PIN", PIN).ready()
});

#[derive(Clone)]
struct Done {
    code: i32,
    out: String,
    err: String,
}

struct Bench {
    folder: tempfile::TempDir,
    uri: String,
    pin: String,
}

impl Bench {
    fn new(label: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pin = folder.path().join("pin");
        std::fs::write(&pin, format!("{PIN}\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let uri = softhsm::uri(&token::the_module(), label);
        Self { pin: pin.to_str().unwrap().to_owned(), folder, uri }
    }

    fn perso(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perso"));
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let done = Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        SECRETS.search(&format!("{arguments:?}"), done.out.as_bytes());
        SECRETS.search(&format!("{arguments:?}"), done.err.as_bytes());
        done
    }

    fn keyed(&self, arguments: &[&str]) -> Done {
        self.perso(&[arguments, &["--keys", &self.uri, "--passphrase-file", &self.pin]].concat())
    }

    fn good(&self, arguments: &[&str]) -> String {
        let done = self.keyed(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.out, done.err);
        done.out
    }

    fn load(&self) -> Done {
        let keys = "tests/samples/keys.test.json";
        self.perso(&["keys", "load", "--keys", keys, "--into", &self.uri, "--pin-file", &self.pin])
    }
}

fn commands_take_their_keys_from_a_token() {
    let bench = Bench::new("commands");
    let loaded = bench.load();
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    assert_eq!(loaded.out.lines().count(), sample().infos().count());
    let twice = bench.load();
    assert!(twice.code == 5 && twice.err.contains("duplicate name"), "{}", twice.err);

    let listed = bench.perso(&["keys", "list", &bench.uri, "--passphrase-file", &bench.pin]);
    let file = bench.perso(&["keys", "list", "tests/samples/keys.test.json"]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&listed.out), sorted(&file.out));
    assert_eq!(bench.good(&["keys", "kcv", "lab-zpk"]).trim(), "lab-zpk: KCV EF9351 (des-zero)");

    let record = "tests/samples/debit-aes-scp03.record.json";
    let run = bench.good(&["run", record, "--reader", "sim"]);
    assert!(run.starts_with("GOOD (simulated card)"), "{run}");
    bench.good(&["check", record]);
    bench.good(&["plan", record]);
    let orders = "tests/samples/orders";
    bench.good(&["check", &format!("{orders}/d1-instant.json"), "--site", &format!("{orders}/site.toml")]);

    // What a token keeps, it keeps.
    let export = bench.keyed(&["keys", "export", "lab-zpk", "--kbpk", "lab-kbpk-aes"]);
    assert!(export.code == 5 && export.err.contains("cannot give out a key that it holds"), "{}", export.err);
    let config = bench.folder.path().join("perso.toml");
    let entries =
        format!("perso_config = 1\nkeys.file = \"{}\"\nkeys.passphrase_file = \"{}\"\n", bench.uri, bench.pin);
    std::fs::write(&config, entries).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&bench.pin, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = ["--config", config.to_str().unwrap()];
    let checked = bench.perso(&[&config[..], &["config", "check"]].concat());
    assert_eq!(checked.code, 0, "{}", checked.out);
    let configured = bench.perso(&[&config[..], &["run", record, "--reader", "sim"]].concat());
    assert_eq!(configured.code, 0, "{}", configured.err);
}

fn keys_are_made_and_brought_into_a_token() {
    let bench = Bench::new("made");
    assert_eq!(bench.load().code, 0);
    for (name, purpose, algorithm) in
        [("new-cvk", "cvk", "tdes2"), ("new-kek", "kek", "aes256"), ("new-jwe", "jwe", "p256")]
    {
        bench.good(&["keys", "generate", "--test", "--name", name, "--purpose", purpose, "--algorithm", algorithm]);
        bench.good(&["keys", "kcv", name]);
    }
    let rotated = bench.good(&["keys", "rotate", "lab-zpk"]);
    assert!(rotated.contains("lab-zpk.v2"), "{rotated}");
    let live = bench.keyed(&["keys", "generate", "--name", "live", "--purpose", "kek", "--algorithm", "aes128"]);
    assert!(live.code == 5 && live.err.contains("never both"), "{}", live.err);
    // A key block that the sealed file has made.
    let block = bench.folder.path().join("block");
    let block = block.to_str().unwrap();
    let keys = "tests/samples/keys.test.json";
    let export = ["keys", "export", "lab-pek", "--kbpk", "lab-kbpk-aes", "--keys", keys, "-o", block];
    assert_eq!(bench.perso(&export).code, 0);
    let import = ["keys", "import", "--block", block, "--kbpk", "lab-kbpk-aes", "--name", "came"];
    let imported = bench.good(&[&import[..], &["--kcv", "3544E0", "--kcv-method", "aes-ones"]].concat());
    assert!(imported.contains("3544E0"), "{imported}");
    assert_eq!(
        bench.good(&["keys", "kcv", "came", "--kcv-method", "aes-zero", "--length", "3"]).trim(),
        "came: KCV FDE4FB (aes-zero)"
    );
    // The header of a key block stays in the token's description, and is obeyed: a verify-only CVK.
    let verify_only = "D0112C0TV00E0000FA22225670D1EBF853032A6E3DA9EAC77C723CEE47BCAD4F711376A801F1F35ABE3763046B09B58619F14E6FB55CDF1C";
    std::fs::write(block, verify_only).unwrap();
    let imported = bench.good(&["keys", "import", "--block", block, "--kbpk", "lab-kbpk-aes", "--name", "verify-only"]);
    assert!(imported.contains("C0/V/E"), "{imported}");
    let listed = bench.perso(&["keys", "list", &bench.uri, "--passphrase-file", &bench.pin]);
    assert!(
        listed.out.lines().any(|line| line.starts_with("verify-only") && line.contains("C0/V/E")),
        "{}",
        listed.out
    );
    std::fs::write(block, "4123456789012345").unwrap();
    let pan = format!("@{block}");
    let values = ["--pan", &pan, "--expiry", "8701", "--service-code", "101", "--key", "verify-only"];
    let cvv = bench.keyed(&[&["calc", "cvv"], &values[..]].concat());
    assert!(cvv.code == 5 && cvv.err.contains("mode of use V"), "{}{}", cvv.out, cvv.err);
}

/// From a token and from a file.
fn keys_are_shown_in_public_and_removed() {
    let bench = Bench::new("public");
    assert_eq!(bench.load().code, 0);
    let file = bench.folder.path().join("keys.json");
    std::fs::copy("tests/samples/keys.test.json", &file).unwrap();
    let file = file.to_str().unwrap();
    for name in ["lab-issuer-rsa", "lab-order-ec"] {
        for form in ["pem", "jwk", "numbers"] {
            let asked = ["keys", "public", name, "--form", form];
            let (token, own) = (bench.keyed(&asked), bench.perso(&[&asked[..], &["--keys", file]].concat()));
            let wrong = form == "numbers" && name == "lab-order-ec";
            assert_eq!((token.code, own.code), if wrong { (2, 2) } else { (0, 0) }, "{name} {form} {}", token.err);
            assert_eq!(token.out, own.out, "{name} {form}");
        }
    }
    let symmetric = bench.keyed(&["keys", "public", "lab-zpk"]);
    assert!(symmetric.code == 5 && symmetric.err.contains("KEY-PURPOSE"), "{}", symmetric.err);
    let before = std::fs::read(file).unwrap();
    for name in ["lab-zp", "nobody", ""] {
        let wrong = ["keys", "remove", name];
        assert_eq!(bench.keyed(&wrong).code, 5, "{name}");
        assert_eq!(bench.perso(&[&wrong[..], &["--keys", file]].concat()).code, 5, "{name}");
    }
    assert_eq!(std::fs::read(file).unwrap(), before);
    let remove = ["keys", "remove", "lab-zpk"];
    bench.good(&remove);
    let own = bench.perso(&[&remove[..], &["--keys", file]].concat());
    assert!(own.code == 0 && own.out.contains("Removed: lab-zpk"), "{}", own.err);
    for listed in [
        bench.perso(&["keys", "list", file]),
        bench.perso(&["keys", "list", &bench.uri, "--passphrase-file", &bench.pin]),
    ] {
        assert!(
            listed.code == 0 && !listed.out.contains("lab-zpk ") && listed.out.contains("lab-kek "),
            "{}",
            listed.out
        );
    }
    let nowhere = bench.folder.path().join("none.json");
    let missing = bench.perso(&[&remove[..], &["--keys", nowhere.to_str().unwrap()]].concat());
    assert!(missing.code != 0 && !nowhere.exists(), "{}", missing.err);
}

fn uris_that_are_none_are_refused() {
    let bench = Bench::new("named");
    let module = token::the_module();
    let module = module.display();
    for (uri, exit, says) in [
        (format!("pkcs11:token=named?module-path={module}&pin-value=1234"), 2, "no PIN in an argument"),
        ("pkcs11:token=named".to_owned(), 2, "module-path"),
        (format!("pkcs11:?module-path={module}"), 2, "token"),
        (format!("pkcs11:token=a;token=b?module-path={module}"), 2, "once each"),
        (format!("pkcs11:token=%zz?module-path={module}"), 2, "%-escape"),
        ("pkcs11:token".to_owned(), 2, "no value"),
        (format!("pkcs11:token=nob%6Fdy?module-path={module}"), 5, "nobody"),
        ("pkcs11:token=named?module-path=/nowhere.so".to_owned(), 5, "KEY-TOKEN"),
    ] {
        let done = bench.perso(&["keys", "list", &uri, "--passphrase-file", &bench.pin]);
        assert!(done.code == exit && done.err.contains(says), "{uri}: {} {}", done.code, done.err);
    }
}

fn what_is_odd_about_a_pin_file_is_told() {
    let bench = Bench::new("pin file");
    assert_eq!(bench.load().code, 0);
    let list = |bytes: &[u8], uri: &str| {
        std::fs::write(&bench.pin, bytes).unwrap();
        let kcv = ["keys", "kcv", "lab-zpk", "--format", "json", "--keys", uri, "--passphrase-file", &bench.pin];
        bench.perso(&kcv)
    };
    let told = |done: &Done| -> Vec<String> {
        let result: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        let warnings = result["warnings"].as_array().cloned().unwrap_or_default();
        assert!(warnings.iter().all(|warning| warning["path"] == bench.pin.as_str()), "{warnings:?}");
        warnings.iter().map(|warning| warning["message"].as_str().unwrap().to_owned()).collect()
    };
    let mixed_case = bench.uri.replace("pkcs11:", "PKCS11:");
    for (before, after, uri, says) in [
        ("", "\n", &bench.uri, &[][..]),
        ("\u{FEFF}", "\r\n", &mixed_case, &["byte order mark"]),
        ("", " \t\n", &bench.uri, &["blanks"]),
        ("\u{FEFF}", "  ", &bench.uri, &["byte order mark", "blanks"]),
    ] {
        let done = list(format!("{before}{PIN}{after}").as_bytes(), uri);
        assert_eq!(done.code, 0, "{}", done.err);
        let told = told(&done);
        assert_eq!(told.len(), says.len(), "{told:?}");
        for (told, says) in told.iter().zip(says) {
            assert!(told.contains(says) && done.err.contains(told.as_str()), "{told} {}", done.err);
        }
    }
    // None of these is a PIN, and none is tried: the token would say so next time.
    for empty in [&b""[..], b"\n", b"  \n", b"\xEF\xBB\xBF\n", b"\r\n"] {
        let done = list(empty, &bench.uri);
        // With --format json the error is the result.
        let said = format!("{}{}", done.out, done.err);
        assert!(done.code == 5 && said.contains("the PIN is empty"), "{} {said}", done.code);
    }
    let utf16 = list(b"\xFF\xFE7\x002\x00", &bench.uri);
    assert!(utf16.code == 5 && utf16.out.contains("not UTF-8"), "{}{}", utf16.out, utf16.err);
    let last = ["keys", "kcv", "lab-zpk", "--last-try"];
    std::fs::write(&bench.pin, PIN).unwrap();
    let done = bench.keyed(&last);
    assert!(done.code == 0 && done.err.is_empty(), "{}", done.err);
}

fn keys_of_older_versions_are_told_by_every_command() {
    let bench = Bench::new("older keys");
    assert_eq!(bench.load().code, 0);
    super::tampered::add_older("older keys");
    let record = "tests/samples/debit-aes-scp03.record.json";
    for arguments in [
        &["keys", "kcv", "lab-zpk"][..],
        &["check", record],
        &["plan", record],
        &["run", record, "--reader", "sim"],
        &["record", "show", record],
        &["doctor"],
        &["calc", "kcv", "--key", "old-cvk"],
    ] {
        let done = bench.keyed(arguments);
        let ready = matches!(arguments[0], "doctor");
        assert!(done.code == 0 || ready, "{arguments:?}: {}{}", done.out, done.err);
        assert!(done.err.contains("warning: keys/old-cvk: an older version"), "{arguments:?}: {}", done.err);
    }
}

const LIVE: &str = "live-kek";

/// The description of a live key, as a key file has it.
fn live_key(name: &str, purpose: &str, algorithm: &str, (kcv, method): (&str, &str), value: &str) -> Value {
    json!({ "name": name, "zone": "", "purpose": purpose, "version": 1, "algorithm": algorithm, "kcv": kcv,
        "kcv_method": method, "test": false, "value": value })
}

/// A live key that is not weak.
fn good_live_key() -> Value {
    live_key(LIVE, "kek", "tdes2", ("08D7B4", "des-zero"), "0123456789ABCDEFFEDCBA9876543210")
}

impl Bench {
    /// `keys load` of a sealed file of these live keys.
    fn load_live(&self, keys: &Value) -> Done {
        let (file, passphrase) = live_keys::written(self.folder.path(), keys);
        let from = ["keys", "load", "--keys", &file, "--passphrase-file", &passphrase, "--into", &self.uri];
        self.perso(&[&from[..], &["--pin-file", &self.pin]].concat())
    }

    fn listed(&self) -> Value {
        let list = ["keys", "list", &self.uri, "--passphrase-file", &self.pin, "--format", "json"];
        let done = self.perso(&list);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
        serde_json::from_str(&done.out).unwrap()
    }
}

/// FIPS 46-3: single DES under 0123456789ABCDEF over zeros gives D5D44FF720683D0D. The other was made by openssl.
fn weak_live_keys_are_not_put_into_a_token() {
    let bench = Bench::new("weak live");
    assert_eq!(bench.load_live(&json!([good_live_key()])).code, 0);
    let short = rsa(1016);
    for (weak, says) in [
        (live_key("weak", "kek", "tdes2", ("D5D44F", "des-zero"), "0123456789ABCDEF0123456789ABCDEF"), "equal"),
        (live_key("weak", "kek", "tdes2", ("D5D44F", "des-zero"), "0123456789ABCDEF0022446688AACCEE"), "equal"),
        (live_key("weak", "kek", "tdes2", ("AB9DB7", "des-zero"), "0101010101010101FEDCBA9876543210"), "weak key"),
        (live_key("weak", "record", "aes256", ("F29000", "aes-zero"), &record_value()), "aes-zero"),
        (live_key("weak", "issuer-rsa", "rsa", (&short.1, "spki-sha256"), &short.0), "1016 bits"),
    ] {
        // None is put in if one of them is refused.
        let good = live_key("good", "kek", "tdes2", ("8BAF47", "des-zero"), "404142434445464748494A4B4C4D4E4F");
        let done = bench.load_live(&json!([good, weak]));
        assert!(done.code == 5 && done.err.contains("KEY-WEAK") && done.err.contains(says), "{says}: {}", done.err);
        let names: Vec<Value> =
            bench.listed()["keys"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
        assert_eq!(names, [LIVE], "{says}");
    }
}

/// The value of the sample's record key.
fn record_value() -> String {
    let file: Value = serde_json::from_slice(&std::fs::read("tests/samples/keys.test.json").unwrap()).unwrap();
    let keys = file["keys"].as_array().unwrap();
    keys.iter().find(|key| key["name"] == "lab-record").unwrap()["value"].as_str().unwrap().to_owned()
}

/// A new RSA key in PKCS#8, and its check value.
fn rsa(bits: u32) -> (String, String) {
    let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    let digest = openssl::sha::sha256(&key.public_key_to_der().unwrap());
    (hex::encode_upper(key.private_key_to_pkcs8().unwrap()), hex::encode_upper(&digest[..5]))
}

/// By every command that opens the token, on standard error and in the result.
fn weakness_that_a_token_shows_is_told() {
    let bench = Bench::new("told live");
    let keys: Vec<(u32, Value)> = [1024, 1400, 1408]
        .map(|bits| {
            let (value, kcv) = rsa(bits);
            (bits, live_key(&format!("rsa-{bits}"), "issuer-rsa", "rsa", (&kcv, "spki-sha256"), &value))
        })
        .into();
    let all: Vec<&Value> = keys.iter().map(|(_, key)| key).collect();
    let loaded = bench.load_live(&json!(all));
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    let listed = bench.listed();
    let told: Vec<&str> =
        listed["warnings"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert_eq!(told, ["keys/rsa-1024", "keys/rsa-1400"], "{listed}");
    let done = bench.keyed(&["keys", "kcv", "rsa-1408"]);
    assert!(done.code == 0 && done.err.contains("keys/rsa-1400: the issuer's RSA key has 1400 bits"), "{}", done.err);
    assert!(!done.err.contains("rsa-1408"), "{}", done.err);
    // A test record key as an older key file has it.
    let bench = Bench::new("told test");
    let file = std::fs::read_to_string("tests/samples/keys.test.json").unwrap();
    let (from, to) = (
        "\"kcv\": \"377822C093\",\n      \"kcv_method\": \"cmac\"",
        "\"kcv\": \"F29000\",\n      \"kcv_method\": \"aes-zero\"",
    );
    assert!(file.contains(from));
    let older = bench.folder.path().join("older.json");
    std::fs::write(&older, file.replace(from, to)).unwrap();
    let load = ["keys", "load", "--keys", older.to_str().unwrap(), "--into", &bench.uri, "--pin-file", &bench.pin];
    let done = bench.perso(&load);
    assert!(done.code == 0 && done.err.contains("keys/lab-record: the record or data key"), "{}", done.err);
    let done = bench.keyed(&["keys", "kcv", "lab-zpk"]);
    assert!(done.code == 0 && done.err.contains("keys/lab-record: the record or data key"), "{}", done.err);
    assert!(done.err.contains("aes-zero") && !done.err.contains("issuer"), "{}", done.err);
}

#[cfg(unix)]
fn pin_file_that_others_can_read_is_refused_for_live_keys() {
    use std::os::unix::fs::PermissionsExt;
    let (live, test) = (Bench::new("pin live"), Bench::new("pin test"));
    assert_eq!(live.load_live(&json!([good_live_key()])).code, 0);
    assert_eq!(test.load().code, 0);
    for mode in [0o640, 0o604, 0o644, 0o600, 0o400] {
        for bench in [&live, &test] {
            std::fs::set_permissions(&bench.pin, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let open = mode & 0o044 != 0;
        let generate = ["keys", "generate", "--name", "not-made", "--purpose", "kek", "--algorithm", "aes128"];
        for asked in [&["keys", "kcv", LIVE][..], &generate] {
            if open {
                let done = live.keyed(asked);
                assert!(done.code == 5 && done.err.contains("KEY-WEAK"), "{mode:o} {asked:?}: {}", done.err);
                assert!(done.err.contains("chmod 600"), "{mode:o} {asked:?}: {}", done.err);
            }
        }
        if !open {
            let done = live.keyed(&["keys", "kcv", LIVE]);
            assert!(done.code == 0 && done.err.is_empty(), "{mode:o}: {}", done.err);
        }
        let done = test.keyed(&["keys", "kcv", "lab-zpk"]);
        assert_eq!((done.code, done.err.contains("chmod 600")), (0, open), "{mode:o}: {}", done.err);
    }
    assert_eq!(live.listed()["keys"].as_array().unwrap().len(), 1, "nothing was made by a refused command");
    // The first live key of a token.
    let empty = Bench::new("pin empty");
    std::fs::set_permissions(&empty.pin, std::fs::Permissions::from_mode(0o644)).unwrap();
    let generate = ["keys", "generate", "--name", "not-made", "--purpose", "kek", "--algorithm", "aes128"];
    for done in [empty.load_live(&json!([good_live_key()])), empty.keyed(&generate)] {
        assert!(done.code == 5 && done.err.contains("KEY-WEAK") && done.err.contains("chmod 600"), "{}", done.err);
    }
    std::fs::set_permissions(&empty.pin, std::fs::Permissions::from_mode(0o600)).unwrap();
    let done = empty.load_live(&json!([good_live_key()]));
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(empty.listed()["keys"].as_array().unwrap().len(), 1, "nothing was made by a refused command");
}

/// `keys load` asks for a key's check value, which the policy table grants to every purpose, test and live.
fn keys_of_every_purpose_are_loaded() {
    for (label, test) in [("every purpose", true), ("every live purpose", false)] {
        let bench = Bench::new(label);
        let consent = ["--allow-left-half", label];
        let loaded = if test {
            bench.load()
        } else {
            let (keys, passphrase, _) = live_keys::samples(bench.folder.path());
            let from = ["keys", "load", "--keys", &keys, "--passphrase-file", &passphrase, "--into", &bench.uri];
            bench.perso(&[&from[..], &["--pin-file", &bench.pin], &consent].concat())
        };
        assert_eq!(loaded.code, 0, "{label}: {}", loaded.err);
        let listed = bench.listed();
        let keys = listed["keys"].as_array().unwrap();
        for purpose in Purpose::ALL {
            let row = find(Verb::CheckValue, purpose, false).unwrap();
            assert_eq!(row.grant(Use::Job, test), Grant::Yes, "{purpose}");
            let of: Vec<&Value> = keys.iter().filter(|key| key["purpose"] == purpose.name()).collect();
            assert!(!of.is_empty(), "{purpose} {label}");
            // `keys load` itself has the token compute each check value.
            for key in of {
                let name = key["name"].as_str().unwrap();
                assert!(
                    key["test"] == test && loaded.out.contains(&format!("Loaded: {name}, ")),
                    "{key}: {}",
                    loaded.out
                );
            }
        }
    }
}

/// Of a key that is made.
const MADE: &[&str] = &["--zone", "z", "--purpose", "zpk", "--algorithm", "aes256", "--key-version", "1"];

impl Bench {
    /// Runs commands at the same time, each in a process of its own.
    fn at_once(&self, commands: &[Vec<&str>]) -> Vec<Done> {
        std::thread::scope(|scope| {
            let started: Vec<_> = commands.iter().map(|command| scope.spawn(move || self.keyed(command))).collect();
            started.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }

    fn names(&self) -> Vec<String> {
        let names = self.listed()["keys"].as_array().unwrap().clone();
        names.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn succeeded(done: &[Done]) -> usize {
    done.iter().filter(|done| done.code == 0).count()
}

fn of_processes_that_make_one_key_at_once_one_succeeds() {
    let bench = Bench::new("parallel");
    for round in 0..3 {
        let name = format!("key-{round}");
        let one = [&["keys", "generate", "--name", &name], MADE, &["--test"]].concat();
        let done = bench.at_once(&vec![one; 4]);
        assert_eq!(succeeded(&done), 1, "{}", done.iter().map(|done| done.err.as_str()).collect::<String>());
        let refused = |done: &&Done| done.code != 0;
        for done in done.iter().filter(refused) {
            assert!(done.err.contains("KEY-FILE") && done.err.contains(&name), "{}", done.err);
        }
        assert_eq!(bench.names().len(), round + 1);
    }
    // Keys of several names all get in, and a key is removed once.
    let others = ["a", "b", "c"];
    let make = |name| [&["keys", "generate", "--name", name], MADE, &["--test"]].concat();
    assert_eq!(succeeded(&bench.at_once(&others.map(make))), 3);
    assert_eq!(succeeded(&bench.at_once(&vec![vec!["keys", "remove", "a"]; 3])), 1);
    assert_eq!(bench.names(), ["b", "c", "key-0", "key-1", "key-2"]);
}

fn test_and_live_keys_do_not_get_into_an_empty_token_at_once() {
    let bench = Bench::new("parallel kinds");
    let make = |name, test: &[&'static str]| [&["keys", "generate", "--name", name], MADE, test].concat();
    let commands = [make("t1", &["--test"]), make("l1", &[]), make("t2", &["--test"]), make("l2", &[])];
    let done = bench.at_once(&commands);
    // Those of one kind got in, of the other none.
    let kinds: Vec<bool> = done.iter().map(|done| done.code == 0).collect();
    assert!(kinds == [true, false, true, false] || kinds == [false, true, false, true], "{kinds:?}");
    assert_eq!(bench.names().len(), 2);
}

fn of_loads_of_one_file_at_once_one_succeeds() {
    let bench = Bench::new("parallel loads");
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..3).map(|_| scope.spawn(|| bench.load().code)).collect();
        started.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(bench.names().len(), sample().infos().count());
}

/// SoftHSM writes the token's file at a login: of logins at once some fail, unless they are kept apart.
fn commands_that_only_read_a_token_run_at_once() {
    let bench = Bench::new("parallel readers");
    assert_eq!(bench.keyed(&[&["keys", "generate", "--name", "k"], MADE, &["--test"]].concat()).code, 0);
    // The same token by another URI.
    let mut other = Bench::new("parallel readers");
    other.uri = other.uri.replacen("pkcs11:", "pkcs11:manufacturer=SoftHSM%20project;", 1);
    let read = |bench: &Bench| bench.at_once(&vec![vec!["keys", "kcv", "k"]; 8]);
    for round in 0..4 {
        let done = std::thread::scope(|scope| {
            let others = scope.spawn(|| read(&other));
            [read(&bench), others.join().unwrap()].concat()
        });
        let failed: Vec<&str> = done.iter().filter(|done| done.code != 0).map(|done| done.err.as_str()).collect();
        assert!(done.len() == 16 && failed.is_empty(), "round {round}: {failed:?}");
    }
}
