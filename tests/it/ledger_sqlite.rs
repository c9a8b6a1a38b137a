//! The ledger in an SQLite file: where it may be, what it refuses to open, and processes that share it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::ledger_support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use ledger_support::*;
use perso::base::{Code, Fault};
use perso::ledger::{LedgerStore, Ports, Refusal, SqliteStore, StoreError, Wait};
use rusqlite::Connection;

fn fresh() -> (tempfile::TempDir, PathBuf, Time) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let time = Time::default();
    SqliteStore::create_test(&path, origin(), &mut time.ports()).unwrap();
    (folder, path, time)
}

fn open(path: &Path, time: &Time) -> SqliteStore {
    SqliteStore::open(path, time.ports()).unwrap()
}

#[track_caller]
fn refused(path: &Path) -> StoreError {
    match SqliteStore::open(path, Time::default().ports()) {
        Err(error) => error,
        Ok(_) => panic!("{} was opened", path.display()),
    }
}

/// Changes the file as another program would.
fn change(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_new_ledger_is_one_file_that_only_its_owner_reads() {
    let (folder, path, time) = fresh();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["ledger.db"]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut store = open(&path, &time);
    assert_eq!(store.verify().unwrap(), []);
    assert_eq!(store.path(), path);
    let mode: String = Connection::open(&path).unwrap().query_row("PRAGMA journal_mode", (), |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let (_folder, path, time) = fresh();
    let mut writer = Writer::new(time.clone());
    let (facts, record) = {
        let mut store = open(&path, &time);
        store.commit(&writer.batch([ready(1), good(1, 1, 1, 1)].concat())).unwrap();
        (store.facts(), store.identity_key().unwrap().record("r"))
    };
    let mut store = open(&path, &time);
    assert_eq!((store.facts(), store.identity_key().unwrap().record("r")), (facts, record));
    assert_eq!(store.jobs_of(&order(1)).unwrap().len(), 1);
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn a_ledger_is_never_made_by_opening_it_and_never_made_over_a_file() {
    let (folder, path, time) = fresh();
    let missing = folder.path().join("missing.db");
    let error = refused(&missing);
    assert_eq!(error.code(), Code::LedgerPlace);
    assert!(error.next().contains("perso ledger init"), "{}", error.next());
    assert!(!missing.exists());
    let before = std::fs::read(&path).unwrap();
    let again = SqliteStore::create_test(&path, origin(), &mut time.ports()).unwrap_err();
    assert!(again.to_string().contains("exists already"), "{again}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let nowhere = SqliteStore::create_test(&folder.path().join("a/b"), origin(), &mut time.ports()).unwrap_err();
    assert_eq!(nowhere.code(), Code::LedgerWrite);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text"), "{\"event\":\"opened\"}\n".repeat(200)).unwrap();
    std::fs::write(path("empty"), "").unwrap();
    change(&path("other"), "CREATE TABLE event (seq INTEGER PRIMARY KEY)");
    for name in ["text", "empty", "other"] {
        let before = std::fs::read(path(name)).unwrap();
        let error = refused(&path(name));
        assert_eq!(error.code(), Code::LedgerPlace, "{name}: {error}");
        assert_eq!(std::fs::read(path(name)).unwrap(), before, "{name}");
    }
    assert_eq!(refused(folder.path()).code(), Code::LedgerPlace);
    assert!(refused(Path::new("/dev/null")).to_string().contains("not a regular file"));
}

#[test]
fn a_newer_or_altered_schema_is_refused() {
    for (sql, expected) in [
        ("INSERT INTO schema VALUES (3, 'ab', 0, 'perso 9.0')", "has version 3"),
        ("UPDATE schema SET sha256 = 'ab'", "another version"),
        ("DELETE FROM schema", "has no version"),
        ("DROP INDEX job_chip", "was altered"),
        ("CREATE TRIGGER t AFTER INSERT ON event BEGIN SELECT 1; END", "was altered"),
        ("ALTER TABLE job ADD COLUMN more TEXT", "was altered"),
        ("DROP INDEX job_live; CREATE INDEX job_live ON job (order_id)", "was altered"),
        ("CREATE TABLE more (a TEXT)", "was altered"),
    ] {
        let (_folder, path, _) = fresh();
        change(&path, sql);
        let error = refused(&path);
        assert_eq!(error.code(), Code::LedgerSchema, "{sql}: {error}");
        assert!(error.to_string().contains(expected), "{sql}: {error}");
    }
}

#[test]
fn a_ledger_whose_first_rows_are_gone_or_changed_is_damaged() {
    for sql in
        ["DELETE FROM facts", "DELETE FROM secret", "UPDATE secret SET value = x'00'", "UPDATE facts SET row = '{}'"]
    {
        let (_folder, path, _) = fresh();
        change(&path, sql);
        assert_eq!(refused(&path).code(), Code::LedgerDamaged, "{sql}");
    }
    let (_folder, path, time) = fresh();
    let mut store = open(&path, &time);
    change(&path, "UPDATE event SET body = replace(body, '\"v\":1', '\"v\":2')");
    assert_eq!(store.verify().unwrap_err().code(), Code::LedgerDamaged);
    change(&path, "UPDATE event SET body = 'x'");
    assert_eq!(store.verify().unwrap_err().code(), Code::LedgerDamaged);
}

#[test]
fn pages_overwritten_with_rubbish_are_noticed() {
    let (_folder, path, time) = fresh();
    let mut writer = Writer::new(time.clone());
    open(&path, &time).commit(&writer.batch([ready(1), good(1, 1, 1, 1)].concat())).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let from = bytes.len() / 2;
    bytes[from..].fill(0x5A);
    std::fs::write(&path, &bytes).unwrap();
    let seen = SqliteStore::open(&path, time.ports()).and_then(|mut store| store.verify());
    let code = seen.expect_err("rubbish was read").code();
    assert!(matches!(code, Code::LedgerDamaged | Code::LedgerSchema), "{code}");
}

/// Not as root, who may write anything.
#[test]
fn a_read_only_ledger_is_refused() {
    let (_folder, path, time) = fresh();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    if std::fs::OpenOptions::new().write(true).open(&path).is_ok() {
        eprintln!("skipped: this user may write a read-only file");
        return;
    }
    let error = SqliteStore::open(&path, time.ports()).map(drop).unwrap_err();
    assert_eq!((error.code(), matches!(error, StoreError::ReadOnly(_))), (Code::LedgerWrite, true));
}

#[test]
fn a_writer_waits_for_another_one_until_its_patience_ends() {
    let (_folder, path, time) = fresh();
    let mut store = open(&path, &time);
    let mut writer = Writer::new(time.clone());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = time.boot().micros;
    let batch = writer.batch(ready(1));
    let error = store.commit(&batch).unwrap_err();
    assert_eq!(error.code(), Code::LedgerBusy);
    let waited = time.boot().micros - began;
    assert!((50_000..56_000).contains(&waited), "{waited}");
    // Reading waits for nobody.
    assert!(store.order(&order(1)).unwrap().is_none());
    other.execute_batch("ROLLBACK").unwrap();
    assert!(!store.commit(&batch).unwrap().repeated);
}

#[test]
fn a_transaction_that_was_refused_leaves_the_ledger_free() {
    let (_folder, path, time) = fresh();
    let (mut one, mut two) = (open(&path, &time), open(&path, &time));
    let mut writer = Writer::new(time.clone());
    assert!(matches!(one.commit(&writer.batch(vec![prepared(1)])), Err(StoreError::Refused(Refusal::NoOrder(_)))));
    two.commit(&writer.batch(ready(1))).unwrap();
    assert!(one.order(&order(1)).unwrap().is_some());
}

/// Effects with waiting that takes its time: threads wait for one another.
fn waiting(time: &Time) -> Ports {
    Ports { wait: Wait::new(std::thread::sleep), patience: Duration::from_secs(3600), ..time.ports() }
}

#[test]
fn two_stations_that_claim_one_order_at_the_same_moment_make_one_card() {
    for round in 0..20 {
        let (_folder, path, time) = fresh();
        let mut writer = Writer::new(time.clone());
        open(&path, &time).commit(&writer.batch(ready(1))).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let stations = [1u8, 2].map(|station| {
            let (path, time, barrier) = (path.clone(), time.clone(), Arc::clone(&barrier));
            let mut writer = writer.clone();
            // Ids of its own.
            (0..station).for_each(|_| drop(writer.batch(vec![received(9); 100])));
            std::thread::spawn(move || {
                let mut store = SqliteStore::open(&path, waiting(&time)).unwrap();
                let batch = writer.batch(begun(1, 1, station, station));
                barrier.wait();
                store.commit(&batch).map(drop)
            })
        });
        let answers = stations.map(|station| station.join().unwrap());
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, 1, "round {round}: {answers:?}");
        let lost = answers.into_iter().find_map(Result::err).unwrap();
        assert!(matches!(lost.code(), Code::LedgerRecord | Code::LedgerState), "{lost}");
        let mut store = open(&path, &time);
        assert_eq!(store.jobs_of(&order(1)).unwrap().len(), 1);
        assert_eq!(store.verify().unwrap(), []);
    }
}

#[test]
fn no_pan_is_in_the_file() {
    let (_folder, path, time) = fresh();
    let mut store = open(&path, &time);
    let mut writer = Writer::new(time.clone());
    let pan = "4761739001010010";
    let digest = store.identity_key().unwrap().card(&perso::base::emv::Pan::parse(pan).unwrap(), Some(1), "2812");
    let order = perso::ledger::event::Received {
        label: perso::ledger::Text::new(&format!("card {pan}")),
        cards: vec![digest],
        ..an_order(1)
    };
    store.commit(&writer.batch(vec![perso::ledger::What::OrderReceived(order)])).unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    assert!(holds(b"476173******0010"));
    assert!(!holds(pan.as_bytes()) && !holds(&hex::decode(pan).unwrap()));
}
