//! What SoftHSM lacks: `stand_in.c` is a module that unwraps keys and makes retail MACs, in front of SoftHSM.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use perso::base::crypto::{self, KcvMethod};
use perso::base::emv::Pan;
use perso::keys::issuer::{CardKeyMethod, icc_master_key};
use perso::keys::pkcs11::{Pkcs11Store, TokenPlace, TokenRules};
use perso::keys::{Algorithm, Kcv, KeyError, KeyStore, Purpose, WrappedKey};
use serde_json::Value;

use super::softhsm::PIN;
use super::{sample, suite, token};

pub const TESTS: &[(&str, fn())] = &[
    ("token_that_unwraps_and_makes_macs", token_that_unwraps_and_makes_macs),
    ("keys_that_arrive_are_unwrapped_inside_the_token", keys_that_arrive_are_unwrapped_inside_the_token),
    ("retail_macs_are_made_by_the_mechanism_that_the_site_names", macs_by_the_named_mechanism),
    ("mechanism_that_makes_no_retail_macs_is_refused", mechanism_that_makes_no_retail_macs_is_refused),
    ("key_is_searched_once_for_many_records", key_is_searched_once_for_many_records),
    ("last_try_of_the_pin_is_left_alone_without_consent", last_try_of_the_pin_is_left_alone_without_consent),
];

/// The mechanism of the stand-in.
const RETAIL_MAC: u64 = 0x8000_0A01;

/// The stand-in, compiled.
static STAND_IN: LazyLock<PathBuf> = LazyLock::new(|| {
    // It is there for as long as this process.
    let module = tempfile::tempdir().unwrap().keep().join("stand_in.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/key_stores_support/stand_in.c");
    let flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o"];
    let mut compiler = Command::new("cc");
    let compiled = compiler.args(flags).arg(&module).arg(source).args(["-ldl", "-lpthread"]).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    module
});

/// Opens tokens behind it.
struct StandIn;

impl StandIn {
    fn rules(label: &str) -> TokenRules {
        TokenRules { retail_mac: vec![(label.to_owned(), RETAIL_MAC)], ..TokenRules::default() }
    }

    fn open(label: &str, rules: &TokenRules) -> Result<Pkcs11Store, KeyError> {
        Pkcs11Store::open(&TokenPlace::labelled(&*STAND_IN, label), &token::pin(), rules)
    }

    /// A token with the sample keys, put there through the stand-in.
    fn filled(label: &str) -> Pkcs11Store {
        let mut store = Self::open(label, &Self::rules(label)).unwrap();
        sample().put_into(&mut store).unwrap();
        store
    }
}

/// A token behind the stand-in as commands use it.
struct Bench {
    folder: tempfile::TempDir,
    uri: String,
    pin: String,
    rule: String,
}

struct Done {
    code: i32,
    out: String,
    err: String,
    /// The calls that the stand-in noted.
    calls: Vec<String>,
}

impl Bench {
    fn new(label: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pin = folder.path().join("pin");
        std::fs::write(&pin, PIN).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let uri = format!("pkcs11:token={label}?module-path={}", STAND_IN.display());
        Self { pin: pin.to_str().unwrap().to_owned(), folder, uri, rule: format!("{label}={RETAIL_MAC:#X}") }
    }

    fn perso(&self, arguments: &[&str], flags: Option<u32>) -> Done {
        let log = self.folder.path().join("log");
        let _ = std::fs::remove_file(&log);
        let mut command = Command::new(env!("CARGO_BIN_EXE_perso"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).env("PERSO_STAND_IN_LOG", &log);
        if let Some(flags) = flags {
            command.env("PERSO_STAND_IN_FLAGS", format!("{flags:X}"));
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let calls = std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
        Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr), calls }
    }

    fn keyed(&self, arguments: &[&str], more: &[&str]) -> Done {
        let keys = ["--keys", &self.uri, "--passphrase-file", &self.pin];
        self.perso(&[arguments, &keys, more].concat(), None)
    }
}

impl Done {
    fn count(&self, call: &str) -> usize {
        self.calls.iter().filter(|noted| *noted == call).count()
    }
}

fn token_that_unwraps_and_makes_macs() {
    let kind = suite::Kind { masters_leave: false, variants: false };
    suite::run(&StandIn::filled("stand-in suite"), kind);
}

/// The value never comes into this process: nothing is created from outside.
fn keys_that_arrive_are_unwrapped_inside_the_token() {
    let bench = Bench::new("stand-in orders");
    let load =
        ["keys", "load", "--keys", "tests/samples/keys.test.json", "--into", &bench.uri, "--pin-file", &bench.pin];
    let loaded = bench.perso(&load, None);
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    // An order whose PIN key is in the token, and one whose PIN key comes under a KEK.
    let orders = "tests/samples/orders";
    let site = format!("{orders}/site.toml");
    let certificate = "tests/samples/issuer/visa-like.issuer.test.json";
    let mut order: Value = serde_json::from_slice(&std::fs::read(format!("{orders}/visa-like.json")).unwrap()).unwrap();
    let mut prepared = |name: &str, members: &[(&str, &str)]| {
        members.iter().for_each(|(member, value)| order["card"]["pin"][*member] = (*value).into());
        let [from, to] = ["order", "record"].map(|what| bench.folder.path().join(format!("{name}.{what}.json")));
        std::fs::write(&from, order.to_string()).unwrap();
        let prepare = ["prepare", from.to_str().unwrap(), "--site", &site, "--issuer-certificate", certificate];
        let done = bench.keyed(&prepare, &["-o", to.to_str().unwrap(), "--token-retail-mac", &bench.rule]);
        assert_eq!(done.code, 0, "{name}: {}{}", done.out, done.err);
        done
    };
    let own = prepared("own", &[]);
    // The sample's ZPK under its KEK.
    let key = ("transport_key", "823479F9DB7487166CF5585E56677A06");
    let arrived = prepared("arrived", &[("form", "ISO0TK"), ("kid", "2"), key, ("transport_kcv", "EF9351")]);
    assert_eq!((own.count("unwrap"), arrived.count("unwrap")), (0, 1), "{:?}", arrived.calls);
    // No key is put there from this process that the other order did not need.
    assert_eq!(own.count("create"), arrived.count("create"), "{:?} {:?}", own.calls, arrived.calls);

    // By the store itself, every mode; a wrong key is not kept.
    let store = StandIn::filled("stand-in unwraps");
    let des = "0123456789ABCDEFFEDCBA9876543210";
    let value = hex::decode("10112233445566778899AABBCCDDEEFE").unwrap();
    let kek = store.open("lab-kek", Purpose::Kek).unwrap();
    let key = hex::decode(des).unwrap();
    let ecb = crypto::tdes_ecb_encrypt(&key, &value).unwrap();
    let cbc = crypto::tdes_cbc_encrypt(&key, &[0; 8], &value).unwrap();
    let right = Kcv { method: KcvMethod::DesZero, value: hex::decode("EF9351").unwrap() };
    let wrong = Kcv { value: hex::decode("EF9352").unwrap(), ..right.clone() };
    for (wrapped, cbc) in [(&ecb, false), (&cbc, true)] {
        let arrived = |kcv| WrappedKey {
            name: "arrived",
            value: wrapped,
            cbc,
            algorithm: Algorithm::Tdes2,
            kcv,
            odd_parity: false,
        };
        let zpk = store.unwrap(&kek, &arrived(&right), Purpose::Zpk).unwrap();
        assert_eq!(store.kcv(&zpk, KcvMethod::DesZero, 3).unwrap(), right.value);
        let refused = store.unwrap(&kek, &arrived(&wrong), Purpose::Zpk).err();
        assert!(matches!(refused, Some(KeyError::Kcv { .. })), "{refused:?}");
        // A key that makes MACs needs no companion here, and so no value outside.
        let mac = store.unwrap(&kek, &arrived(&right), Purpose::Mac).unwrap();
        let data: Vec<u8> = (0..24).collect();
        assert_eq!(store.retail_mac(&mac, &data).unwrap(), crypto::retail_mac(&value, &[0; 8], &data).unwrap());
    }
}

/// The searches of a command do not grow with the records.
fn key_is_searched_once_for_many_records() {
    let bench = Bench::new("stand-in finds");
    let load =
        ["keys", "load", "--keys", "tests/samples/keys.test.json", "--into", &bench.uri, "--pin-file", &bench.pin];
    let loaded = bench.perso(&load, None);
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    let searches = |records: usize| {
        let folder = bench.folder.path().join(records.to_string());
        std::fs::create_dir(&folder).unwrap();
        for number in 0..records {
            std::fs::copy("tests/samples/debit-aes-scp03.record.json", folder.join(format!("{number}.json"))).unwrap();
        }
        let done = bench.keyed(&["check", folder.to_str().unwrap()], &[]);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
        done.count("find")
    };
    let one = searches(1);
    assert!(one > 0, "the stand-in notes no search");
    assert_eq!(searches(5), one);
}

/// CVVs, cryptograms and MACs by it, test keys and live ones; no companion is made.
fn macs_by_the_named_mechanism() {
    let label = "stand-in macs";
    let store = StandIn::filled(label);
    let session = token::session(label);
    let infos = store.keys().to_vec();
    for info in infos.iter().filter(|info| matches!(info.purpose, Purpose::Cvk | Purpose::Mac | Purpose::ImkAc)) {
        use cryptoki::object::{Attribute, ObjectClass};
        let find = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Token(true),
            Attribute::Label(info.name.clone().into_bytes()),
        ];
        assert_eq!(session.find_objects(&find).unwrap().len(), 1, "{} has a companion", info.name);
    }
    // A key that is derived for MACs has none either.
    let pan = Pan::parse("4123456789012345").unwrap();
    let imk = store.open("lab-imk-ac", Purpose::ImkAc).unwrap();
    let derived = icc_master_key(&store, &imk, &pan, 1, CardKeyMethod::A).unwrap();
    let known = sample().into_store();
    let own = icc_master_key(&known, &known.open("lab-imk-ac", Purpose::ImkAc).unwrap(), &pan, 1, CardKeyMethod::A);
    let data = [7; 32];
    assert_eq!(store.retail_mac(&derived, &data).unwrap(), known.retail_mac(&own.unwrap(), &data).unwrap());

    // As commands: the site's configuration names it.
    let bench = Bench::new("stand-in config");
    let pan = bench.folder.path().join("pan");
    std::fs::write(&pan, "4123456789012345").unwrap();
    let config = bench.folder.path().join("perso.toml");
    let entries = format!(
        "perso_config = 1\n[keys]\nfile = \"{}\"\npassphrase_file = \"{}\"\n[tokens.\"stand-in config\"]\nretail_mac = {RETAIL_MAC:#X}\n",
        bench.uri, bench.pin
    );
    std::fs::write(&config, entries).unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let load =
        ["keys", "load", "--keys", "tests/samples/keys.test.json", "--into", &bench.uri, "--pin-file", &bench.pin];
    let loaded = bench.perso(&[&load[..], &config].concat(), None);
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    let pan = format!("@{}", pan.display());
    let cvv = ["calc", "cvv", "--pan", &pan, "--expiry", "8701", "--service-code", "101", "--key", "lab-cvk"];
    let done = bench.keyed(&[&cvv[..], &config].concat(), &[]);
    let file = bench.perso(&[&cvv[..], &["--keys", "tests/samples/keys.test.json"]].concat(), None);
    assert!(done.code == 0 && done.out == file.out, "{}{}", done.out, done.err);
    // Two to try the mechanism, and the value.
    assert_eq!(done.count("mac"), 3, "{:?}", done.calls);
    // A live key that makes MACs needs no consent to a companion.
    let live = Bench::new("stand-in live");
    let (keys, passphrase, _) = super::live_keys::samples(live.folder.path());
    let from = ["keys", "load", "--keys", &keys, "--passphrase-file", &passphrase, "--into", &live.uri];
    let without = live.perso(&[&from[..], &["--pin-file", &live.pin]].concat(), None);
    assert!(without.code == 5 && without.err.contains("retail_mac"), "{}", without.err);
    let live = Bench::new("stand-in live 2");
    let from = ["keys", "load", "--keys", &keys, "--passphrase-file", &passphrase, "--into", &live.uri];
    let with = live.perso(&[&from[..], &["--pin-file", &live.pin, "--token-retail-mac", &live.rule]].concat(), None);
    assert_eq!(with.code, 0, "{}", with.err);
}

/// Whatever does not make the known MACs is refused when the token is opened.
fn mechanism_that_makes_no_retail_macs_is_refused() {
    for number in [0x8000_0A02_u64, 0x133, u64::MAX] {
        let rules = TokenRules { retail_mac: vec![("stand-in wrong".to_owned(), number)], ..TokenRules::default() };
        let refused = StandIn::open("stand-in wrong", &rules).err().unwrap();
        assert!(refused.to_string().contains(&format!("{number:#X}")), "{refused}");
    }
    StandIn::open("stand-in wrong", &StandIn::rules("stand-in wrong")).unwrap();
}

/// The flags of the user's PIN. // PKCS#11 v2.40 table 6
const COUNT_LOW: u32 = 0x0001_0000;
const FINAL_TRY: u32 = 0x0002_0000;
const LOCKED: u32 = 0x0004_0000;

fn last_try_of_the_pin_is_left_alone_without_consent() {
    let bench = Bench::new("stand-in pin");
    let list = ["keys", "list", &bench.uri, "--passphrase-file", &bench.pin, "--format", "json"];
    for (flags, consent, code, logins, says) in [
        (0, false, 0, 1, ""),
        (0, true, 0, 1, ""),
        (COUNT_LOW, false, 0, 1, "wrong PIN"),
        (FINAL_TRY, false, 5, 0, "--last-try"),
        (FINAL_TRY | COUNT_LOW, false, 5, 0, "--last-try"),
        (FINAL_TRY, true, 0, 1, ""),
        (LOCKED, false, 5, 0, "locked"),
        (LOCKED, true, 5, 0, "locked"),
    ] {
        let consent: &[&str] = if consent { &["--last-try"] } else { &[] };
        let done = bench.perso(&[&list[..], consent].concat(), Some(flags));
        let result: Value = serde_json::from_str(&done.out).unwrap();
        assert!(done.code == code && done.count("login") == logins, "{flags:X} {consent:?}: {result} {:?}", done.calls);
        assert!(result.to_string().contains(says), "{flags:X} {consent:?}: {result}");
        let told = result["warnings"].as_array().is_some_and(|told| told[0]["path"] == "token/stand-in pin");
        assert_eq!(told, code == 0 && flags != 0, "{flags:X}: {result}");
    }
}
