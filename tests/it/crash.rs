//! SIGKILL, SIGINT and SIGTERM of `perso run` at random moments. What became of the cards is read from the simulated
//! cards' own files, never from what perso says. `scripts/crash.sh N SEED` runs it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::run_support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use perso::card::trace::Trace;
use run_support::{Bench, Done, KEYS, RECORD, done, root, signal_to, start};
use serde_json::Value;

/// Exchanges of a job on the sample.
const EXCHANGES: usize = 35;
const CLEAR: &str = "tests/samples/debit-aes-scp03.clear.json";
const OLD_RESULT: &str = "the result of an earlier run";
/// The life cycle that the sample's profile sets at last.
const SECURED: u64 = 15;

/// The state of a card, from its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    /// It has executed no command that changes it.
    Blank,
    /// It has executed some.
    Begun,
    /// Everything is stored, and its life cycle is not the final one yet.
    Stored,
    /// Everything is stored, and its life cycle is the final one.
    Complete,
}

fn card(bench: &Bench, name: &str) -> Card {
    let file = bench.json(name);
    let personalized = file["state"]["applications"].as_array().unwrap().iter().all(|app| app["personalized"] == true);
    match bench.changes(name) {
        0 => Card::Blank,
        _ if !personalized => Card::Begun,
        _ if file["state"]["life_cycle"] == SECURED => Card::Complete,
        _ => Card::Stored,
    }
}

/// What is sent to the run: the first signal, and whether another one follows.
#[derive(Debug, Clone, Copy)]
struct Attack {
    name: &'static str,
    signals: &'static [&'static str],
    grace: &'static str,
}

const ATTACKS: [Attack; 6] = [
    Attack { name: "KILL", signals: &["KILL"], grace: "10" },
    Attack { name: "INT", signals: &["INT"], grace: "10" },
    Attack { name: "INT INT", signals: &["INT", "INT"], grace: "10" },
    Attack { name: "TERM", signals: &["TERM"], grace: "10" },
    Attack { name: "TERM INT", signals: &["TERM", "INT"], grace: "10" },
    Attack { name: "TERM, no grace", signals: &["TERM"], grace: "0" },
];

/// Splitmix64: the same seed gives the same moments.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text:?}")))
}

#[test]
fn interrupted_runs_end_as_the_cards_own_files_say() {
    let (runs, seed) = (number("PERSO_CRASH_RUNS", 12), number("PERSO_CRASH_SEED", 1));
    let mut random = Random(seed);
    let stock = Stock::new();
    let whole = stock.time_of_a_run();
    let mut table: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for number in 0..runs {
        let attack = ATTACKS[number as usize % ATTACKS.len()];
        // Some come when it is over.
        let first = Duration::from_micros(random.below(whole.as_micros() as u64 * 21 / 20));
        let second = Duration::from_micros(random.below(whole.as_micros() as u64 / 3));
        let what = format!("run {number} of seed {seed}: {} after {first:?}, {second:?}", attack.name);
        let bench = stock.bench();
        let ended = interrupted(&bench, attack, first, second);
        let verdict = verdict(&bench, &ended, &what);
        after(&bench, verdict, &what);
        // A killed run says nothing: the table has what its card's file says.
        let column = match (verdict, card(&bench, "one.json")) {
            ("killed", Card::Blank) => "killed: blank",
            ("killed", Card::Begun | Card::Stored) => "killed: begun",
            ("killed", Card::Complete) => "killed: done",
            (verdict, _) => verdict,
        };
        *table.entry((attack.name, column)).or_default() += 1;
    }
    print(&table, runs, seed, whole);
}

/// Blanks and a second record, made once and copied.
struct Stock(Bench);

impl Stock {
    fn new() -> Self {
        let bench = Bench::new();
        bench.card("one.json");
        bench.card("two.json");
        let clear = std::fs::read_to_string(root().join(CLEAR)).unwrap();
        std::fs::write(bench.path("clear"), clear.replace("\"sample-aes-0001\"", "\"another-order\"")).unwrap();
        let sealed = ["record", "seal", &bench.path("clear"), "--keys", KEYS, "-o", &bench.path("another")];
        assert_eq!(done(&sealed).code, Some(0));
        // A card that takes its time, so that most signals come while it works.
        let rules: String = (1..=EXCHANGES).map(|at| format!("delay 5 at {at}\n")).collect();
        std::fs::write(bench.path("rules"), rules).unwrap();
        Self(bench)
    }

    fn bench(&self) -> Bench {
        let bench = Bench::new();
        for name in ["one.json", "two.json", "another", "rules"] {
            std::fs::copy(self.0.path(name), bench.path(name)).unwrap();
        }
        std::fs::write(bench.path("result"), OLD_RESULT).unwrap();
        bench
    }

    fn time_of_a_run(&self) -> Duration {
        let bench = self.bench();
        let since = Instant::now();
        let made = bench.run("one.json", &["--fault", &format!("@{}", bench.path("rules"))]);
        assert_eq!((made.code, card(&bench, "one.json")), (Some(0), Card::Complete), "{}", made.text);
        assert_eq!(bench.executed("one.json").len(), EXCHANGES);
        since.elapsed()
    }
}

fn interrupted(bench: &Bench, attack: Attack, first: Duration, second: Duration) -> Done {
    let (rules, trace, result) = (format!("@{}", bench.path("rules")), bench.path("trace"), bench.path("result"));
    let files = ["--fault", &rules, "--trace", &trace, "--result", &result, "--replace", "--grace", attack.grace];
    let job = bench.job("one.json", &files);
    let mut child = start(&job.iter().map(String::as_str).collect::<Vec<_>>());
    for (signal, wait) in attack.signals.iter().zip([first, second]) {
        std::thread::sleep(wait);
        // Nobody else has its number while it has not been waited for.
        if child.try_wait().unwrap().is_none() {
            signal_to(&child, signal);
        }
    }
    Done::of(child.wait_with_output().unwrap())
}

/// The verdict of the run, which must agree with the card's file, with its result and with its trace.
fn verdict(bench: &Bench, ended: &Done, what: &str) -> &'static str {
    let truth = card(bench, "one.json");
    let result = bench.read("result");
    let parsed = serde_json::from_str::<Value>(&result).ok();
    let said = format!("{what}: {truth:?}, {:?}, {}", ended.code, ended.text);
    assert!(parsed.is_some() || result == OLD_RESULT, "half a result: {said}");
    let verdict = match (ended.code, ended.signal) {
        (Some(0), _) => "good",
        (Some(6), _) => "untouched",
        (Some(7), _) => "spoiled",
        (Some(8), _) => "in-doubt",
        (None, Some(9)) => "killed",
        // Before the program has its handlers for signals.
        (None, Some(2 | 15)) => "ended",
        _ => panic!("an unexpected end: {said}"),
    };
    match verdict {
        "good" => assert_eq!(truth, Card::Complete, "{said}"),
        "untouched" | "ended" => assert_eq!(truth, Card::Blank, "{said}"),
        "spoiled" => assert!(matches!(truth, Card::Begun | Card::Stored), "{said}"),
        _ => {}
    }
    match (verdict, &parsed) {
        ("killed" | "ended", None) => {}
        // Killed when all was done.
        ("killed", Some(result)) => assert_eq!(result["state"], "good", "{said}"),
        (verdict, Some(result)) => assert_eq!(result["state"], verdict, "{said}"),
        (_, None) => panic!("no result: {said}"),
    }
    let trace = ["trace", "trace.part"].iter().find(|name| bench.names().iter().any(|there| there == *name));
    // A run that is killed at its very end may have named its result and not yet its trace.
    assert!(trace != Some(&"trace.part") || verdict == "killed", "{said}");
    let traced = trace.map_or(0, |name| Trace::parse(&bench.read(name)).unwrap().exchanges().len());
    let executed = bench.executed("one.json").len();
    // A killed run may not have written what the card was doing.
    let missing = usize::from(verdict == "killed");
    assert!((executed.saturating_sub(missing)..=executed).contains(&traced), "traced {traced} of {executed}: {said}");
    verdict
}

/// What can be done with the order and with the card afterwards.
fn after(bench: &Bench, verdict: &'static str, what: &str) {
    let truth = card(bench, "one.json");
    let journal = std::fs::read_to_string(bench.path("journal")).unwrap_or_default();
    let in_doubt = verdict == "in-doubt" || (verdict == "killed" && is_open(&journal));
    let again = bench.run("two.json", &[]);
    let said = format!("{what}: {verdict}, {truth:?}: {}", again.text);
    let other = card(bench, "two.json");
    match (truth, in_doubt) {
        // The order is made already, and not again.
        _ if verdict == "good" => assert_eq!((again.code, other), (Some(9), Card::Blank), "{said}"),
        (Card::Complete, false) => assert_eq!((again.code, other), (Some(9), Card::Blank), "{said}"),
        // It is not made again while nobody knows; what the card is can be read.
        (_, true) => {
            assert_eq!((again.code, other), (Some(9), Card::Blank), "{said}");
            assert!(again.text.contains("LEDGER-DOUBT"), "{said}");
            let reader = format!("sim:{}", bench.path("one.json"));
            let read = done(&["verify", RECORD, "--keys", KEYS, "--reader", &reader]);
            // `perso verify` looks at the life cycle, too.
            let equal = truth == Card::Complete;
            assert_eq!(read.code == Some(0), equal, "{said}: {}", read.text);
        }
        // It goes on at once, on another blank.
        (Card::Blank | Card::Begun | Card::Stored, false) => {
            assert_eq!((again.code, other), (Some(0), Card::Complete), "{said}")
        }
    }
    let complete = ["one.json", "two.json"].iter().filter(|name| card(bench, name) == Card::Complete).count();
    assert!(complete <= 1, "two cards of one record: {said}");
    // No card twice: what has begun, or is in doubt, becomes no other order's card.
    if truth != Card::Blank {
        let before = bench.changes("one.json");
        let (reader, journal) = (format!("sim:{}", bench.path("one.json")), bench.path("journal"));
        let another = ["run", &bench.path("another"), "--keys", KEYS, "--reader", &reader, "--journal", &journal];
        let twice = done(&another);
        assert!(twice.code != Some(0) && bench.changes("one.json") == before, "{what}: {}", twice.text);
    }
}

/// Whether the last job in the journal has begun a step and was not settled.
fn is_open(journal: &str) -> bool {
    journal.contains("\"event\":\"about-to\"") && !journal.contains("\"event\":\"settled\"")
}

fn print(table: &BTreeMap<(&str, &str), usize>, runs: u64, seed: u64, whole: Duration) {
    let verdicts =
        ["good", "untouched", "spoiled", "in-doubt", "killed: blank", "killed: begun", "killed: done", "ended"];
    println!("\n{runs} runs, seed {seed}; a run takes {} ms", whole.as_millis());
    println!("{:<16}{}", "signal", verdicts.map(|verdict| format!("{verdict:>15}")).concat());
    for attack in ATTACKS {
        let counts = verdicts.map(|verdict| table.get(&(attack.name, verdict)).copied().unwrap_or_default());
        println!("{:<16}{}", attack.name, counts.map(|count| format!("{count:>15}")).concat());
    }
    println!(
        "killed: by SIGKILL, with the card's state; ended: by a signal that came before the program could handle it"
    );
}
