//! Processes that write one ledger and are killed: what was confirmed is there, and nothing is half done.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ledger_support::*;
use perso::ledger::event::Verdict;
use perso::ledger::{LedgerStore, Ports, SqliteStore, Wait};

/// Names the ledger and the writer in the writing process.
const LEDGER: &str = "PERSO_TEST_LEDGER";
const WRITER: &str = "PERSO_TEST_WRITER";
/// Cards of each writing process.
const CARDS: u8 = 20;

fn open(path: &Path) -> SqliteStore {
    let time = Time::default();
    let ports = Ports { wait: Wait::new(std::thread::sleep), patience: Duration::from_secs(3600), ..time.ports() };
    SqliteStore::open(path, ports).unwrap()
}

/// The process that is killed: makes one card after another, and says what was confirmed. Nothing by itself.
#[test]
fn a_writing_process() {
    let (Some(path), Ok(writer)) = (std::env::var_os(LEDGER), std::env::var(WRITER)) else { return };
    let who: u8 = writer.parse().unwrap();
    let mut store = open(Path::new(&path));
    let mut writer = Writer::new(Time::default());
    writer.number_from(u64::from(who) << 32);
    for n in 0..CARDS {
        let card = who * CARDS + n;
        store.commit(&writer.batch(ready(card))).unwrap();
        store.commit(&writer.batch(begun(card, 1, card, card))).unwrap();
        println!("begun {card}");
        store.commit(&writer.batch(stepped(card, 1, card))).unwrap();
        store.commit(&writer.batch(vec![ended(card, 1, card, Verdict::Good)])).unwrap();
        println!("good {card}");
    }
}

#[test]
fn what_was_confirmed_survives_a_kill_and_nothing_is_half_done() {
    let (mut confirmed, mut killed) = (0, 0);
    for round in 0..4u64 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        SqliteStore::create_test(&path, origin(), &mut Time::default().ports()).unwrap();
        let writers = [0u8, 1, 2].map(|who| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["ledger_kills::a_writing_process", "--exact", "--nocapture", "--test-threads=1"]);
            command.env(LEDGER, &path).env(WRITER, who.to_string());
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        });
        // The first is killed after a few words, the second soon after it, the third goes on to its end.
        let words = 3 + round * 5;
        let mut said: Vec<String> = Vec::new();
        for (at, mut writer) in writers.into_iter().enumerate() {
            let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
            let lines = lines.filter(|line| line.contains("begun ") || line.contains("good "));
            let mut seen: Vec<String> = Vec::new();
            for line in lines {
                seen.push(line);
                if at < 2 && seen.len() as u64 == words {
                    writer.kill().unwrap();
                    killed += 1;
                }
            }
            writer.wait().unwrap();
            said.extend(seen);
        }
        let mut store = open(&path);
        assert_eq!(store.verify().unwrap(), [], "round {round}");
        for line in &said {
            // The harness's own words may stand in front.
            let words: Vec<&str> = line.split_whitespace().rev().take(2).collect();
            let (card, what): (u8, &str) = (words[0].parse().unwrap(), words[1]);
            let state = store.job(&job(card, 1)).unwrap().unwrap_or_else(|| panic!("{line} is lost")).state;
            let good = state.has_card();
            assert!(good || (what == "begun" && state.is_live()), "{line}: {state:?}");
            confirmed += 1;
        }
        // The third writer was not disturbed by the death of the others.
        let mut last = |card: u8| store.job(&job(card, 1)).unwrap().is_some_and(|row| row.state.has_card());
        assert_eq!((2 * CARDS..3 * CARDS).filter(|card| last(*card)).count(), usize::from(CARDS), "round {round}");
    }
    assert_eq!(killed, 8);
    assert!(confirmed > 200, "only {confirmed}");
}
