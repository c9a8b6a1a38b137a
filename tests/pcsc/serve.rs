//! `perso sim serve`: its orders, each given while `perso run` works on the card.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use perso::card::sim::{CardFile, Entry};
use tempfile::TempDir;

use super::readers::{POLL, name, sees, until, vpcd_address};
use super::support::swap::{others, state_after};
use super::support::{Bench, PROFILES, changes_card};
use super::{KEYS, changing, perso, record};

/// The program, serving cards.
struct Served {
    program: Child,
    orders: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Served {
    /// Returns once PC/SC sees the cards.
    fn new(cards: &[PathBuf], options: &[&str]) -> Self {
        let mut program = Command::new(assert_cmd::cargo::cargo_bin!("perso"))
            .args(["sim", "serve", "--connect", &vpcd_address().unwrap().to_string()])
            .args(options)
            .args(cards)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = program.stdin.take().unwrap();
        let said = BufReader::new(program.stdout.take().unwrap()).lines();
        let mut served = Self { program, orders, said };
        cards.iter().for_each(|_| served.says("inserted "));
        for reader in 0..cards.len() {
            if !sees(reader, true, Duration::from_secs(10)) {
                // A busy machine: the service has missed it.
                served.order(&format!("remove {reader}\ninsert {reader}"));
                served.says(&format!("removed {reader}"));
                served.says(&format!("inserted {reader}"));
                until(reader, true);
            }
        }
        served
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// The next line on standard output begins so.
    fn says(&mut self, beginning: &str) {
        let line = self.said.next().unwrap().unwrap();
        assert!(line.starts_with(beginning), "{line}");
    }

    /// Ends it by a signal; its cards go with it.
    fn terminate(mut self, cards: usize) {
        let end = Command::new("kill").args(["-TERM", &self.program.id().to_string()]).status().unwrap();
        assert!(end.success());
        assert_eq!(self.program.wait().unwrap().code(), Some(0));
        (0..cards).for_each(|reader| until(reader, false));
        std::thread::sleep(POLL);
    }
}

pub fn until_a_signal() {
    let bench = Bench::new(PROFILES[0]);
    let folder = tempfile::tempdir().unwrap();
    let cards = ["a.json", "b.json"].map(|file| folder.path().join(file));
    cards.iter().for_each(|card| bench.blank().file().save(card).unwrap());
    let mut served = Served::new(&cards, &[]);
    let journal = folder.path().join("journal");
    let job = ["run", &record(PROFILES[0]), "--keys", KEYS, "--journal", journal.to_str().unwrap(), "--reader"];
    let (code, text) = perso(&[&job[..], &[&name(1)]].concat());
    assert_eq!(code, 0, "{text}");
    served.order("remove 1");
    served.says("removed 1");
    until(1, false);
    served.order("insert 1");
    served.says("inserted 1");
    until(1, true);
    // The state was kept: the card is made already.
    let again = folder.path().join("again");
    let job = ["run", &record(PROFILES[0]), "--keys", KEYS, "--journal", again.to_str().unwrap(), "--reader"];
    let (code, text) = perso(&[&job[..], &[&name(1)]].concat());
    assert_eq!(code, 6, "{text}");
    served.order("tear 0 after");
    let (code, text) = perso(&[&job[..], &[&name(0)]].concat());
    assert_eq!(code, 6, "{text}");
    served.says("removed 0");
    served.terminate(2);
}

impl Drop for Served {
    /// Where a test has failed. Ended already otherwise.
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// What is ordered, at which of the job's exchanges, and what comes of it.
struct Order {
    order: &'static str,
    at: usize,
    state: &'static str,
    code: &'static str,
    exit: i32,
    /// What the server says of it, in order.
    says: &'static [&'static str],
}

/// Each order is given while the card works on one exchange, and so acts on the next; removal acts at once.
pub fn orders_in_mid_job() {
    let bench = Bench::new(PROFILES[0]);
    let whole = bench.run(&[]).card;
    let diary = &whole.state.diary;
    let first = diary.iter().position(|entry| entry.ins == 0xE2).unwrap() + 1;
    let last = diary.iter().rposition(|entry| entry.ins == 0xE2).unwrap() + 1;
    let order = |order, at, state, code, exit, says| Order { order, at, state, code, exit, says };
    let torn: &[&str] = &["removed 0"];
    let swapped: &[&str] = &["swapped 0"];
    let cases = [
        order("tear 0 before", 3, "untouched", "READER-LOST", 6, torn),
        order("tear 0 before", first + 1, "spoiled", "READER-LOST", 7, torn),
        order("tear 0 before", last, "in-doubt", "READER-LOST", 8, torn),
        order("tear 0 after", first, "spoiled", "READER-LOST", 7, torn),
        order("tear 0 after", last, "in-doubt", "READER-LOST", 8, torn),
        order("tear 0 within", first, "spoiled", "READER-LOST", 7, torn),
        order("tear 0 within", last, "in-doubt", "READER-LOST", 8, torn),
        // As a card that is lost: spoiled once it has had a step, in doubt once it has had the last one.
        order("mute 0", 3, "untouched", "READER-MUTE", 6, &[]),
        order("mute 0", first + 1, "spoiled", "READER-MUTE", 7, &[]),
        order("mute 0", last, "in-doubt", "READER-MUTE", 8, &[]),
        order("swap 0 OTHER", first + 1, "spoiled", "CARD-REFUSED", 7, swapped),
        order("swap 0 OTHER", last + 1, "in-doubt", "CARD-SWAPPED", 8, swapped),
        order("swap 0 OTHER", diary.len() - 1, "in-doubt", "CARD-SWAPPED", 8, swapped),
        order("remove 0\ninsert 0 OTHER", first + 1, "spoiled", "READER-LOST", 7, &["removed 0", "inserted 0"]),
    ];
    for case in cases {
        let what = format!("{:?} before exchange {}", case.order, case.at);
        let Done { code, result, card, other } = done(&bench, &case);
        assert_eq!((result["state"].as_str(), code), (Some(case.state), case.exit), "{what}: {result}");
        assert_eq!(result["fault"]["code"], case.code, "{what}");
        // The state follows from what the host has handed over; a mute card is in doubt once it has had anything.
        let handed = diary[..case.at].iter().filter(|entry| changes_card(entry.ins)).count();
        if !case.order.starts_with("mute") && !case.order.starts_with("remove") {
            assert_eq!(case.state, state_after(handed, changing(&whole)), "{what}");
        }
        // Nothing of the job reaches the first card after it.
        let executed = card.state.diary.len();
        let saw = usize::from(matches!(case.order, "tear 0 after" | "tear 0 within"));
        assert_eq!(executed, case.at - 1 + saw, "{what}: {}", list(&card.state.diary));
        assert!(other.is_none_or(|other| other.state.applications[0].groupings.is_empty()), "{what}");
    }
}

fn list(diary: &[Entry]) -> String {
    diary.iter().map(|entry| format!("{:02X} ", entry.ins)).collect()
}

/// What an order in mid-job has left.
struct Done {
    code: i32,
    result: serde_json::Value,
    card: CardFile,
    /// The card that came; none where none was to come.
    other: Option<CardFile>,
}

fn done(bench: &Bench, case: &Order) -> Done {
    assert!(case.at > 2, "before the first exchange the card's file tells nothing");
    let folder = tempfile::tempdir().unwrap();
    let (card, other) = (folder.path().join("card.json"), folder.path().join("other.json"));
    bench.blank().file().save(&card).unwrap();
    let [_, (_, blank), _] = others(bench);
    blank.save(&other).unwrap();
    // Long enough for the order to come in the middle of the exchange before, which follows at once on the one before that.
    let slow = format!("delay 2000 at {}", case.at - 1);
    let mut served = Served::new(std::slice::from_ref(&card), &["--fault", &slow]);
    let running = running(&folder);
    until_diary(&card, case.at - 2);
    std::thread::sleep(Duration::from_millis(500));
    served.order(&case.order.replace("OTHER", other.to_str().unwrap()));
    let output = running.wait_with_output().unwrap();
    case.says.iter().for_each(|line| served.says(line));
    if case.says.last() == Some(&"inserted 0") {
        until(0, true);
    }
    served.terminate(1);
    let read = |path: &Path| -> CardFile { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    Done {
        code: output.status.code().unwrap(),
        result: serde_json::from_slice(&output.stdout).unwrap(),
        card: read(&card),
        other: case.order.contains("OTHER").then(|| read(&other)),
    }
}

/// `perso run` on the card in the first reader.
fn running(folder: &TempDir) -> Child {
    let journal = folder.path().join("journal");
    Command::new(assert_cmd::cargo::cargo_bin!("perso"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "run",
            &record(PROFILES[0]),
            "--keys",
            KEYS,
            "--reader",
            &name(0),
            "--command-timeout",
            "4",
            "--format",
            "json",
        ])
        .args(["--journal", journal.to_str().unwrap()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the card's file tells of so many commands.
fn until_diary(card: &Path, commands: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    // The file is replaced as a whole, and may not be there at that moment.
    let seen = || -> Option<usize> {
        let card: CardFile = serde_json::from_slice(&std::fs::read(card).ok()?).ok()?;
        Some(card.state.diary.len())
    };
    while seen().is_none_or(|seen| seen < commands) {
        assert!(Instant::now() < end, "the job has not come to exchange {commands}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
