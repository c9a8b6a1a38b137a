//! `perso ledger …` as a user meets it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::ledger_support;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use ledger_support::*;
use perso::ledger::event::{HoldReason, Received};
use perso::ledger::{LedgerStore, SqliteStore, Text, What};
use serde_json::Value;

struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    /// A folder with an empty ledger.
    fn new() -> Self {
        let lab = Self { folder: tempfile::tempdir().unwrap() };
        let (code, out, err) = lab.perso(&["ledger", "init", "site.db"]);
        assert_eq!(code, 0, "{out}{err}");
        lab
    }

    /// A ledger with a made card, one in doubt, one held and one spoiled; the commands write none of that yet.
    fn busy() -> Self {
        let lab = Self::new();
        let time = Time::default();
        let mut store = SqliteStore::open(&lab.path("site.db"), time.ports()).unwrap();
        let mut writer = Writer::new(time.clone());
        let name = Received { label: Text::new("=1+1, \"x\""), ..an_order(0x33) };
        let whats = [
            ready(0x11),
            good(0x11, 1, 1, 1),
            vec![What::CardMade { job: job(0x11, 1) }],
            ready(0x22),
            begun(0x22, 1, 2, 2),
            vec![What::OrderReceived(name), What::OrderHeld { order: order(0x33), reason: HoldReason::Asked }],
            ready(0x44),
            spoiled(0x44, 1, 4, 4),
        ];
        store.commit(&writer.batch(whats.concat())).unwrap();
        time.pass(LEASE);
        store.commit(&writer.batch(vec![What::LeaseExpired { job: job(0x22, 1), fence: fence(2) }])).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn perso(&self, arguments: &[&str]) -> (i32, String, String) {
        self.with_environment(&[], arguments)
    }

    fn with_environment(&self, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("perso").unwrap();
        for name in ["PERSO_CONFIG", "PERSO_KEYS", "PERSO_LEDGER"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).current_dir(self.folder.path()).args(arguments);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let all = [arguments, &["--ledger", "site.db", "--format", "json"]].concat();
        let (code, out, err) = self.perso(&all);
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str(&out).unwrap()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], exit: i32, says: &str) {
        let (code, out, err) = self.perso(arguments);
        assert_eq!((code, err.contains(says)), (exit, true), "{out}{err}");
    }
}

#[test]
fn a_test_ledger_is_made_once_and_nothing_else_makes_one() {
    let lab = Lab::new();
    lab.fails(&["ledger", "init", "site.db"], 9, "LEDGER-PLACE");
    lab.fails(&["ledger", "list", "--ledger", "other.db"], 9, "perso ledger init");
    assert!(!lab.path("other.db").exists());
    let (code, out, _) = lab.perso(&["ledger", "init", "json.db", "--format", "json"]);
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &made["live"], made["ledger"].as_str().unwrap().len()), (0, &Value::Bool(false), 32));
    // Who made it is in its first event.
    let time = Time::default();
    let first = SqliteStore::open(&lab.path("json.db"), time.ports()).unwrap().events(0, None, 1).unwrap().remove(0);
    assert!(first.event.at.boot.micros > 0 && first.event.at.wall > 1_700_000_000_000_000);
    assert!(!first.event.by.person.as_str().is_empty() && !first.event.by.station.as_str().is_empty());
    assert!(first.event.by.program.as_str().starts_with("perso "));
}

#[test]
fn the_ledger_is_named_by_option_environment_or_configuration() {
    let lab = Lab::busy();
    lab.fails(&["ledger", "list"], 2, "PERSO_LEDGER");
    assert_eq!(lab.with_environment(&[("PERSO_LEDGER", "site.db")], &["ledger", "check"]).0, 0);
    std::fs::create_dir(lab.path("below")).unwrap();
    std::fs::write(lab.path("perso.toml"), "perso_config = 1\n[ledger]\nfile = \"site.db\"\n").unwrap();
    let (code, out, err) = lab.perso(&["ledger", "list"]);
    assert!(code == 0 && out.contains("in-doubt"), "{out}{err}");
    // The environment overrides the configuration, the command line both.
    assert_eq!(lab.with_environment(&[("PERSO_LEDGER", "none.db")], &["ledger", "list"]).0, 9);
    assert_eq!(lab.with_environment(&[("PERSO_LEDGER", "none.db")], &["ledger", "list", "--ledger", "site.db"]).0, 0);
    let (_, out, _) = lab.with_environment(&[("PERSO_LEDGER", "none.db")], &["config", "show"]);
    let replaced = out.lines().find(|line| line.starts_with("ledger.file")).unwrap();
    assert!(replaced.contains("site.db") && replaced.contains("replaced by PERSO_LEDGER"), "{out}");
    let (_, out, _) = lab.perso(&["config", "show"]);
    assert!(!out.contains("replaced"), "{out}");
    // Init takes the named one, too.
    let (code, _, err) = lab.with_environment(&[("PERSO_LEDGER", "new.db")], &["ledger", "init"]);
    assert_eq!((code, lab.path("new.db").is_file()), (0, true), "{err}");
}

#[test]
fn orders_are_listed_by_state_hold_and_day() {
    let lab = Lab::busy();
    let listed = |arguments: &[&str]| {
        let orders = lab.json(&[&["ledger", "list"], arguments].concat())["orders"].clone();
        let digits = |it: &Value| it["order"].as_str().unwrap()[..2].to_owned();
        let mut all: Vec<String> = orders.as_array().unwrap().iter().map(digits).collect();
        all.sort();
        all.join(" ")
    };
    assert_eq!(listed(&[]), "11 22 33 44");
    assert_eq!(listed(&["--state", "in-doubt", "--state", "made"]), "11 22");
    assert_eq!(listed(&["--held"]), "33");
    assert_eq!(listed(&["--limit", "2"]).len(), 5);
    assert_eq!(listed(&["--day", "2026-01-01"]), "");
    let day = lab.json(&["ledger", "list"])["orders"][0]["received"].as_str().unwrap()[..10].to_owned();
    assert_eq!(listed(&["--day", &day]), "11 22 33 44");
    lab.fails(&["ledger", "list", "--ledger", "site.db", "--state", "indoubt"], 2, "in-doubt");
    for day in ["2026-02-30", "yesterday", "20260101x"] {
        lab.fails(&["ledger", "list", "--ledger", "site.db", "--day", day], 2, "--day");
    }
}

#[test]
fn jobs_are_listed_by_state_and_station() {
    let lab = Lab::busy();
    let jobs = lab.json(&["ledger", "list", "--jobs", "--state", "spoiled"])["jobs"].clone();
    assert_eq!((jobs.as_array().unwrap().len(), &jobs[0]["short"]), (1, &Value::from("444444444444-1")));
    assert_eq!(jobs[0]["steps"][0]["state"], "failed");
    let at =
        |station: &str| lab.json(&["ledger", "list", "--jobs", "--station", station])["jobs"].as_array().unwrap().len();
    assert_eq!((at("desk-1"), at("desk-2")), (3, 0));
    let (_, out, _) = lab.perso(&["ledger", "list", "--jobs", "--ledger", "site.db"]);
    let header = out.lines().next().unwrap();
    assert!(header.starts_with("JOB") && header.contains("STATION"), "{out}");
}

#[test]
fn comma_separated_values_are_quoted_and_compute_nothing() {
    let lab = Lab::busy();
    let (code, out, err) = lab.perso(&["ledger", "list", "--csv", "--held", "--ledger", "site.db"]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "order,state,held,jobs,label,format,received");
    assert!(lines[1].starts_with("333333333333,received,it was held on request,0,\"'=1+1, \"\"x\"\"\",own,"), "{out}");
    let (_, out, _) = lab.perso(&["ledger", "show", "4444", "--csv", "--ledger", "site.db"]);
    assert_eq!(out.lines().next(), Some("n,time,event,job,detail,person"));
    assert_eq!(out.lines().count(), 8);
}

#[test]
fn an_order_is_shown_with_its_jobs_its_history_and_what_comes_next() {
    let lab = Lab::busy();
    let (code, out, err) = lab.perso(&["ledger", "show", "222222222222-1", "--ledger", "site.db"]);
    assert_eq!(code, 0, "{err}");
    for part in [
        "in-doubt",
        "Keep the card aside",
        "222222222222-1",
        "cplc-4790-00000002",
        "lease-expired",
        "step-about-to",
        "anna",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let shown = lab.json(&["ledger", "show", "1111"]);
    assert_eq!(shown["order"]["state"], "made");
    assert_eq!(shown["events"].as_array().unwrap().last().unwrap()["event"], "card-made");
    lab.fails(&["ledger", "show", "111", "--ledger", "site.db"], 2, "at least 4");
    lab.fails(&["ledger", "show", "5555", "--ledger", "site.db"], 2, "is not in the ledger");
    lab.fails(&["ledger", "show", "wxyz", "--ledger", "site.db"], 2, "hexadecimal");
    lab.fails(&["ledger", "show", "1111-x", "--ledger", "site.db"], 2, "neither an order nor a job");
}

#[test]
fn digits_that_name_two_orders_are_refused_with_both() {
    let lab = Lab::new();
    let time = Time::default();
    let mut store = SqliteStore::open(&lab.path("site.db"), time.ports()).unwrap();
    let like = |last: u8| {
        let mut bytes = [0xAB; 32];
        bytes[4] = last;
        What::OrderReceived(Received {
            order: perso::ledger::OrderId::new(bytes),
            payload: None,
            cards: vec![],
            ..an_order(1)
        })
    };
    store.commit(&Writer::new(time).batch(vec![like(1), like(2)])).unwrap();
    lab.fails(&["ledger", "show", "abab", "--ledger", "site.db"], 2, "abababab01ab, abababab02ab");
    assert_eq!(lab.json(&["ledger", "show", "ABABABAB01"])["order"]["attempts"], 0);
}

#[test]
fn people_act_on_orders_and_see_what_comes_next() {
    let lab = Lab::busy();
    let act = |arguments: &[&str]| {
        let (code, out, err) = lab.perso(&[&["ledger"], arguments, &["--ledger", "site.db"]].concat());
        (code, format!("{out}{err}"))
    };
    let state = |digits: &str| lab.json(&["ledger", "show", digits])["order"]["state"].as_str().unwrap().to_owned();
    // Held, released, cancelled.
    assert_eq!(act(&["release", "3333"]).0, 0);
    assert!(act(&["release", "3333"]).1.contains("is not held"));
    let (code, text) = act(&["hold", "3333"]);
    assert!(code == 0 && text.contains("A supervisor releases"), "{text}");
    assert_eq!((act(&["cancel", "3333"]).0, state("3333")), (0, "cancelled".into()));
    assert!(act(&["hold", "1111"]).1.contains("[LEDGER-STATE]"), "its card is made");
    // In doubt: two people see it destroyed.
    let me = lab.json(&["ledger", "show", "3333"])["events"].as_array().unwrap().last().unwrap()["person"].clone();
    let (code, text) = act(&["settle", "2222", "--destroyed", "--second", me.as_str().unwrap()]);
    assert!(code == 9 && text.contains("second person"), "{text}");
    assert_eq!(act(&["settle", "2222", "--second", "bert"]).0, 2, "without --destroyed");
    let (code, text) = act(&["settle", "2222-1", "--destroyed", "--second", "bert"]);
    assert!(code == 0 && text.contains("not verified") && text.contains("bert"), "{text}");
    assert_eq!(state("2222"), "spoiled");
    // Remade, given up.
    assert_eq!(act(&["remake", "2222", "--second", "bert"]).0, 0);
    assert_eq!(act(&["give-up", "2222", "--reason", "no stock"]).0, 9, "a remake is open");
    assert_eq!((act(&["give-up", "4444", "--reason", "no stock"]).0, state("4444")), (0, "given-up".into()));
    // Made, handed over, rejected.
    assert_eq!(act(&["made", "1111"]).0, 9, "it is made already");
    assert_eq!(act(&["hand-over", "1111"]).0, 0);
    assert_eq!(act(&["ship", "1111", "--carrier", "post", "--tracking", "R R"]).0, 2);
    assert_eq!(
        (act(&["ship", "1111", "--carrier", "post", "--tracking", "RR1"]).0, state("1111")),
        (0, "shipped".into())
    );
    assert_eq!(act(&["reject", "1111", "--reason", " "]).0, 2);
    let rejected = lab.json(&["ledger", "reject", "1111", "--reason", "pan 4761739001010010 printed twice"]);
    assert_eq!(rejected["order"]["state"], "rejected");
    let (_, history) = act(&["show", "1111"]);
    assert!(history.contains("476173******0010") && !history.contains("4761739001010010"), "{history}");
    assert_eq!(act(&["made", "5555"]).0, 2);
    assert_eq!(lab.json(&["ledger", "check"])["equal"], true);
}

/// The order is tried for the first time at another moment: there is no job to act on.
#[test]
fn an_act_on_a_job_that_is_not_there_is_refused() {
    let lab = Lab::busy();
    lab.fails(&["ledger", "made", "3333", "--ledger", "site.db"], 9, "job 333333333333-1 is not in the ledger");
    lab.fails(&["ledger", "made", "1111-7", "--ledger", "site.db"], 9, "job 111111111111-7 is not in the ledger");
}

/// Any act first takes jobs from workers that died: their leases are of another start of the machine here.
#[test]
fn an_act_takes_jobs_from_dead_workers_first() {
    let lab = Lab::new();
    let time = Time::default();
    let mut store = SqliteStore::open(&lab.path("site.db"), time.ports()).unwrap();
    let whats = [ready(0x55), begun(0x55, 1, 1, 1)].concat();
    store.commit(&Writer::new(time).batch(whats)).unwrap();
    let (code, out, err) =
        lab.perso(&["ledger", "settle", "5555", "--destroyed", "--second", "bert", "--ledger", "site.db"]);
    assert_eq!(code, 0, "{out}{err}");
    let events = lab.json(&["ledger", "show", "5555"])["events"].clone();
    let names: Vec<&str> = events.as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect();
    assert!(names.ends_with(&["step-about-to", "lease-expired", "job-settled"]), "{names:?}");
}

#[test]
fn check_finds_a_row_that_was_changed_by_hand() {
    let lab = Lab::busy();
    assert_eq!(lab.json(&["ledger", "check"])["equal"], true);
    change(&lab.path("site.db"), "UPDATE job SET row = replace(row, '\"in-doubt\"', '\"untouched\"')");
    let (code, out, _) = lab.perso(&["ledger", "check", "--ledger", "site.db"]);
    assert!(code == 10 && out.contains("job 222222222222-1 differs from its events"), "{out}");
}

#[test]
fn a_ledger_that_another_process_writes_can_be_read() {
    let lab = Lab::busy();
    let other = rusqlite::Connection::open(lab.path("site.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(lab.json(&["ledger", "list"])["orders"].as_array().unwrap().len(), 4);
}

/// Changes the file as another program would.
fn change(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}
