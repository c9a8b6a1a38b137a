//! The pool of card keys in the hands of several processes: no key goes into two cards, whatever fails or runs beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(unix)]

use crate::prepared;
use crate::support;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use perso::base::codec::tlv::{self, Tag};
use perso::base::emv::certificate::open_card;
use perso::keys::KeyStore;
use perso::prepare::Pool;
use perso::record::Record;
use prepared::{KEYS, chance, issuer_for, order_for, prepared_with, profile_for};
use serde_json::Value;
use tempfile::TempDir;

const KEY_FILE: &str = "tests/samples/keys.test.json";
const ORDER: &str = "tests/samples/orders/visa-like.json";
const SOURCES: [&str; 4] = [
    "--site",
    "tests/samples/orders/site.toml",
    "--issuer-certificate",
    "tests/samples/issuer/visa-like.issuer.test.json",
];

/// A folder with a pool in it.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn with(keys: usize) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let mut pool = Pool::new();
        pool.fill(keys, 1024, 3, &mut chance()).unwrap();
        fs::write(bench.path("pool"), pool.seal("lab-record", &*KEYS, &mut chance()).unwrap()).unwrap();
        bench
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn pool(&self) -> Pool {
        Pool::open(&fs::read(self.path("pool")).unwrap(), &*KEYS).unwrap()
    }

    fn left(&self) -> usize {
        self.pool().stock().iter().map(|(.., keys)| keys).sum()
    }

    /// What the pool would give, in turn.
    fn moduli(&self) -> Vec<Vec<u8>> {
        let (mut pool, order, issuer) = (self.pool(), order_for("visa-like"), issuer_for("visa-like"));
        let mut next = || prepared_with(&order, &profile_for("visa-like"), Some(&issuer), Some(&mut pool)).unwrap();
        (0..self.left()).map(|_| modulus(&next().record)).collect()
    }

    fn prepare(&self, output: &str) -> Command {
        self.prepare_with(KEY_FILE, output)
    }

    fn prepare_with(&self, keys: &str, output: &str) -> Command {
        let pool = self.path("pool");
        let mut command = perso(&["prepare", ORDER, "--keys", keys, "--pool", &pool, "-o", output]);
        command.args(SOURCES);
        command
    }

    /// The modulus in a record that was written.
    fn written(&self, name: &str) -> Vec<u8> {
        modulus(&Record::open(&fs::read(self.path(name)).unwrap(), &*KEYS).unwrap())
    }
}

fn perso(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("perso"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The modulus of the card's key. The certificate around it has a number of its own each time.
fn modulus(record: &Record) -> Vec<u8> {
    let application = record.applications().iter().find(|app| app.clear_value(0x0205).is_some()).unwrap();
    let objects = tlv::parse(application.clear_value(0x0205).unwrap()).unwrap();
    let value = |tag| tlv::find(&objects, Tag::of(tag)).map(|object| object.value_bytes()).unwrap_or_default();
    let issuer = issuer_for("visa-like");
    let card = open_card(issuer.key(), &value(0x9F46), &value(0x9F48), &value(0x9F47)).unwrap().unproven();
    card.key.modulus().to_vec()
}

#[track_caller]
fn good(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn in_use(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{text}");
    assert!(text.contains("POOL-BUSY") && text.contains("in use"), "{text}");
}

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The serial number of a record's first certificate of a card's key.
fn serial(record: &Record) -> u32 {
    let application = record.applications().iter().find(|app| app.clear_value(0x0205).is_some()).unwrap();
    let objects = tlv::parse(application.clear_value(0x0205).unwrap()).unwrap();
    let value = |tag| tlv::find(&objects, Tag::of(tag)).map(|object| object.value_bytes()).unwrap_or_default();
    let issuer = issuer_for("visa-like");
    let card = open_card(issuer.key(), &value(0x9F46), &value(0x9F48), &value(0x9F47)).unwrap().unproven();
    let [high, middle, low] = card.serial;
    u32::from_be_bytes([0, high, middle, low])
}

#[test]
fn certificates_of_a_pool_have_serial_numbers_of_their_own() {
    let (order, profile, issuer) = (order_for("visa-like"), profile_for("visa-like"), issuer_for("visa-like"));
    let mut pool = Pool::new();
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..3 {
        pool.fill(2, 1024, 3, &mut chance()).unwrap();
        // Keys are made on demand when the pool is empty; it counts for them too.
        for card in 0..3 {
            let made = prepared_with(&order, &profile, Some(&issuer), Some(&mut pool)).unwrap();
            let serial = serial(&made.record);
            assert!(seen.insert(serial), "round {round}, card {card}: {serial:06X} is there twice");
        }
        // The count is in the file.
        let text = pool.seal("lab-record", &*KEYS, &mut chance()).unwrap();
        assert!(text.contains("\"perso_pool\": 2"), "{text}");
        pool = Pool::open(text.as_bytes(), &*KEYS).unwrap();
    }
    assert_eq!(seen.first(), Some(&1));
    // Two processes take turns at one file, and so at its count.
    let bench = Bench::with(2);
    let serials: Vec<u32> = ["a", "b"]
        .map(|name| {
            good(&bench.prepare(&bench.path(name)).output().unwrap());
            serial(&Record::open(&fs::read(bench.path(name)).unwrap(), &*KEYS).unwrap())
        })
        .to_vec();
    assert!(serials[0] != serials[1], "{serials:?}");
}

#[test]
fn a_pool_ends_with_its_last_serial_number() {
    let (order, profile, issuer) = (order_for("visa-like"), profile_for("visa-like"), issuer_for("visa-like"));
    let mut pool = Pool::counting_from([0xFF, 0xFF, 0xFF]);
    pool.fill(1, 1024, 3, &mut chance()).unwrap();
    // The last number is used once; a card with certificates for both interfaces asks for a second.
    let mut made = (0..2).map(|_| prepared_with(&order, &profile, Some(&issuer), Some(&mut pool)));
    let refused = made.find_map(Result::err).unwrap();
    assert!(refused.to_string().contains("no serial number left"), "{refused}");
}

#[test]
fn a_pool_of_version_1_is_read_and_counts_from_then_on() {
    let key = KEYS.open("lab-record", perso::keys::Purpose::Record).unwrap();
    let mut pool = Pool::new();
    pool.fill(1, 1024, 3, &mut chance()).unwrap();
    let file: Value = serde_json::from_str(&pool.seal("lab-record", &*KEYS, &mut chance()).unwrap()).unwrap();
    let bytes = |member: &str| hex::decode(file[member].as_str().unwrap()).unwrap();
    let (nonce, tag) = (bytes("nonce").try_into().unwrap(), bytes("tag").try_into().unwrap());
    let body = KEYS.open_body(&key, &nonce, b"perso pool 2", &bytes("ciphertext"), &tag).unwrap();
    let body: Value = serde_json::from_slice(body.expose()).unwrap();
    // As version 1 had it: the keys alone.
    let old = perso::base::Secret::new(serde_json::to_vec(&body["keys"]).unwrap());
    let (ciphertext, tag) = KEYS.seal_body(&key, &nonce, b"perso pool 1", &old).unwrap();
    let old = serde_json::json!({
        "perso_pool": 1, "key": "lab-record", "nonce": hex::encode_upper(nonce),
        "ciphertext": hex::encode_upper(ciphertext), "tag": hex::encode_upper(tag),
    });
    let mut read = Pool::open(old.to_string().as_bytes(), &*KEYS).unwrap();
    assert_eq!(read.stock(), [(1024, 3, 1)]);
    let (order, profile, issuer) = (order_for("visa-like"), profile_for("visa-like"), issuer_for("visa-like"));
    let made = prepared_with(&order, &profile, Some(&issuer), Some(&mut read)).unwrap();
    assert_eq!(serial(&made.record), 1);
}

#[test]
fn processes_at_once_never_take_the_same_key() {
    let bench = Bench::with(8);
    let started: Vec<_> = (0..6).map(|n| bench.prepare(&bench.path(&format!("record{n}"))).spawn().unwrap()).collect();
    let ended: Vec<Output> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let mut taken = Vec::new();
    for (n, output) in ended.iter().enumerate() {
        let name = format!("record{n}");
        match output.status.success() {
            true => taken.push(bench.written(&name)),
            false => {
                in_use(output);
                assert!(!PathBuf::from(bench.path(&name)).exists());
            }
        }
    }
    assert!(!taken.is_empty());
    assert_eq!(bench.left(), 8 - taken.len());
    let all = taken.len();
    taken.extend(bench.moduli());
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 8, "one of the {all} keys that were taken went into two cards, or is in the pool yet");
}

#[test]
fn an_order_for_another_profile_than_was_named_costs_no_key() {
    let bench = Bench::with(1);
    let output = bench.prepare(&bench.path("record")).args(["--profile", "visa-like-contact"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("the order is for profile"), "{text}");
    assert_eq!(bench.left(), 1);
    assert!(!PathBuf::from(bench.path("record")).exists());
}

#[test]
fn a_pool_that_is_held_is_refused_to_every_command_that_changes_it() {
    let bench = Bench::with(1);
    let pool = bench.path("pool");
    let link = bench.path("link");
    std::os::unix::fs::symlink(&pool, &link).unwrap();
    let before = fs::read(&pool).unwrap();
    let lock = File::create(bench.path("pool.lock")).unwrap();
    lock.lock().unwrap();
    in_use(&bench.prepare(&bench.path("record")).output().unwrap());
    let mut run = perso(&["run", ORDER, "--keys", KEY_FILE, "--reader", "sim", "--pool", &link]);
    in_use(&run.args(SOURCES).output().unwrap());
    let generate = ["pool", "generate", &pool, "--count", "1", "--key", "lab-record", "--keys", KEY_FILE];
    in_use(&perso(&generate).output().unwrap());
    assert!(fs::read(&pool).unwrap() == before && !PathBuf::from(bench.path("record")).exists());
    // To look does not take.
    good(&perso(&["pool", "status", &pool, "--keys", KEY_FILE]).output().unwrap());
    drop(lock);
    good(&perso(&generate).output().unwrap());
    assert_eq!((bench.left(), mode(&pool)), (2, 0o600));
    let mut run = perso(&["run", ORDER, "--keys", KEY_FILE, "--reader", "sim", "--pool", &link]);
    good(&run.args(SOURCES).output().unwrap());
    assert_eq!(bench.left(), 1);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_key_whose_record_could_not_be_written_is_never_given_again() {
    let bench = Bench::with(3);
    let moduli = bench.moduli();
    // A folder that does not exist is noticed before a key is taken, a full disk is not.
    for (output, left) in [(bench.path("nowhere/record").as_str(), 3), ("/dev/full", 2)] {
        let failed = bench.prepare(output).output().unwrap();
        assert_eq!(failed.status.code(), Some(2), "{}", String::from_utf8_lossy(&failed.stderr));
        assert_eq!(bench.left(), left);
    }
    good(&bench.prepare(&bench.path("record")).output().unwrap());
    assert!(bench.written("record") == moduli[1]);
}

/// The pipe has no reader: the process stands between the pool and the record until it is killed.
#[test]
fn a_key_of_a_process_that_was_killed_is_never_given_again() {
    let bench = Bench::with(3);
    let moduli = bench.moduli();
    let pipe = bench.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = bench.prepare(&pipe).spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while bench.left() == 3 {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < patience, "it took no key");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    good(&bench.prepare(&bench.path("record")).output().unwrap());
    assert!(bench.written("record") == moduli[1]);
}

#[test]
fn a_pool_stays_sealed_under_its_own_key() {
    let bench = Bench::with(2);
    let mut keys: Value = serde_json::from_slice(&fs::read(support::file_of(KEY_FILE)).unwrap()).unwrap();
    let list = keys["keys"].as_array_mut().unwrap();
    let mut own = list.iter().find(|key| key["name"] == "lab-record").unwrap().clone();
    own["name"] = "lab-pool".into();
    list.push(own);
    let key_file = bench.path("keys");
    fs::write(&key_file, keys.to_string()).unwrap();
    let sealed = fs::read_to_string(bench.path("pool")).unwrap();
    fs::write(bench.path("pool"), sealed.replace("\"lab-record\"", "\"lab-pool\"")).unwrap();
    good(&bench.prepare_with(&key_file, &bench.path("record")).output().unwrap());
    let pool: Value = serde_json::from_slice(&fs::read(bench.path("pool")).unwrap()).unwrap();
    assert_eq!(pool["key"], "lab-pool");
}

#[test]
fn no_record_replaces_a_pool_and_what_is_replaced_is_for_its_owner_only() {
    let bench = Bench::with(2);
    let other = bench.path("other");
    fs::copy(bench.path("pool"), &other).unwrap();
    let before = fs::read(&other).unwrap();
    let refused = bench.prepare(&other).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("it is a pool of card keys, which is never replaced"));
    assert!(!refused.status.success() && fs::read(&other).unwrap() == before);

    let open = bench.path("open");
    fs::write(&open, "something longer than it will be".repeat(10_000)).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    good(&bench.prepare(&open).arg("--replace").output().unwrap());
    assert_eq!(mode(&open), 0o600);
    bench.written("open");
}
