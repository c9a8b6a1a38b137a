//! Whole jobs through the real PC/SC stack: pcscd, vpcd, simulated cards. `scripts/virtual-readers.sh --readers 16` makes
//! the readers; without them every test here is reported as ignored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "pcsc/hostile.rs"]
mod hostile;
#[path = "pcsc/plug.rs"]
mod plug;
#[path = "support/prepared.rs"]
mod prepared;
#[path = "pcsc_support/mod.rs"]
mod readers;
#[path = "pcsc/serve.rs"]
mod serve;
mod support;
#[path = "pcsc/swaps.rs"]
mod swaps;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use perso::card::sim::{CardFile, SimCard};
use perso::card::transport::vpcd::Trick;
use perso::card::transport::{Limits, LinkError, pcsc};
use perso::issuance::journal::Journal;
use perso::issuance::result::RunResult;
use readers::{How, Inserted, insert, name};
use support::swap::{changing, state_after};
use support::{Bench, PROFILES, changes_card, file_of};

const READERS: usize = 16;
const KEYS: &str = "tests/samples/keys.test.json";

fn main() {
    let mut arguments = Arguments::from_args();
    // One after the other: each has all readers to itself.
    arguments.test_threads = Some(1);
    let there = readers::vpcd_address().is_some();
    let tests: &[(&str, fn())] = &[
        ("every profile ends good", every_profile_ends_good),
        ("sixteen readers work at once", sixteen_readers_work_at_once),
        ("orders become good cards", orders_become_good_cards),
        ("extended commands reach the card", extended_commands_reach_the_card),
        ("a cut ends as the card's own file says", cuts_end_as_the_cards_own_file_says),
        ("a half answer is never good", a_half_answer_is_never_good),
        ("an unnoticed swap is found out", swaps::unnoticed),
        ("a noticed swap is found out", swaps::noticed),
        ("a mute card is given up at the command timeout", a_mute_card_is_given_up_at_the_command_timeout),
        ("commands end within their deadline on hostile cards", hostile::commands_end_within_their_deadline),
        ("a second program is kept out", a_second_program_is_kept_out),
        ("the program waits for a card", the_program_waits_for_a_card),
        ("the program serves cards until a signal", serve::until_a_signal),
        ("orders to the served cards end a job as they should", serve::orders_in_mid_job),
        ("a reader that is not there is told at once", plug::told_at_once),
        ("a signal ends the waiting for reader and card untouched", plug::interrupted),
        ("readers are watched", readers_are_watched),
        ("the program looks into cards", the_program_looks_into_cards),
        ("the doctor finds this machine ready", the_doctor_finds_this_machine_ready),
        // Last: it takes every other connection down.
        ("the service dies and comes back", the_service_dies_and_comes_back),
        ("the program watches readers through a restart", the_program_watches_readers_through_a_restart),
        ("the program waits for a card through a restart", the_program_waits_for_a_card_through_a_restart),
        ("the program waits for a reader", plug::waited_for),
    ];
    let trial = |(title, test): &(&str, fn())| {
        let test = *test;
        Trial::test(*title, move || std::panic::catch_unwind(test).map_err(|_| Failed::without_message()))
            .with_ignored_flag(!there)
    };
    libtest_mimic::run(&arguments, tests.iter().map(trial).collect()).exit();
}

fn run(bench: &Bench, card: &Inserted) -> RunResult {
    bench.run_over(card.link().unwrap(), &mut Journal::in_memory())
}

/// Does `work` for each item, on as many readers as there are.
fn on_all_readers<T: Send, R: Send>(items: Vec<T>, work: impl Fn(usize, T) -> R + Sync) -> Vec<R> {
    let items: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            let (items, next, done, work) = (&items, &next, &done, &work);
            scope.spawn(move || {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(reader, item.lock().unwrap().take().unwrap());
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn every_profile_ends_good() {
    let each = PROFILES.into_iter().flat_map(Bench::each_way);
    let t1 = each.map(|bench| (bench, false));
    let t0 = PROFILES.into_iter().map(|name| (Bench::changed(name, with_t0, |_| ()), true));
    on_all_readers(t1.chain(t0).collect(), |reader, (bench, t0)| {
        let what = format!("{}, contactless: {}, T=0: {t0}", bench.profile.name(), bench.contactless);
        let mut blank = bench.blank();
        blank.file_mut().blank.t0 = t0;
        blank.approach(bench.contactless).unwrap();
        let card = insert(reader, blank, How::default());
        // The service takes the protocol from the answer to reset.
        let atr = pcsc::readers().unwrap().into_iter().find(|it| it.name == name(reader)).unwrap().atr.unwrap();
        assert_eq!(atr == T0_ATR, t0, "{what}: {atr}");
        let result = run(&bench, &card);
        assert_eq!(result.state, "good", "{what}: {:?} {:?}", result.fault, result.findings);
        let direct = bench.run(&[]);
        assert_eq!(result.loaded_not_proven.len(), direct.result.loaded_not_proven.len(), "{what}");
        for (there, here) in card.file().state.applications.iter().zip(&direct.card.state.applications) {
            assert!(there.groupings == here.groupings, "{what}: not what the same job stores without a reader");
        }
    });
}

/// No measurement (scripts/bench.sh measures), but what readers one after the other could never do: sixteen slow cards in less
/// than three times the time of one. And each reader makes its own card.
fn sixteen_readers_work_at_once() {
    let bench = Bench::new(PROFILES[1]);
    let direct = bench.run(&[]).card;
    let job = |reader: usize| {
        let bench = Bench::new(PROFILES[1]);
        let mut blank = bench.blank();
        // The last byte of its serial number, which is nobody's where it is zero.
        blank.file_mut().blank.cplc.0[15] = reader as u8 + 1;
        let card = insert(reader, blank, How { millis: 40, ..How::default() });
        (bench, card)
    };
    let at_once = |readers: usize| {
        let ready: Vec<_> = (0..readers).map(job).collect();
        let began = Instant::now();
        let results: Vec<RunResult> = std::thread::scope(|scope| {
            let running: Vec<_> = ready.iter().map(|(bench, card)| scope.spawn(|| run(bench, card))).collect();
            running.into_iter().map(|running| running.join().unwrap()).collect()
        });
        let took = began.elapsed();
        for (reader, (result, (_, card))) in results.iter().zip(&ready).enumerate() {
            assert_eq!(result.state, "good", "{reader}: {:?} {:?}", result.fault, result.findings);
            let serial = format!("-000000{:02X}-", reader + 1);
            assert!(result.chip.as_ref().unwrap().id.contains(&serial), "{reader}: {:?}", result.chip);
            for (there, here) in card.file().state.applications.iter().zip(&direct.state.applications) {
                assert!(there.groupings == here.groupings, "{reader}: not what the same job stores alone");
            }
        }
        took
    };
    let one = at_once(1);
    let all = at_once(READERS);
    println!("one: {one:?}; {READERS} at once: {all:?}");
    assert!(all < one * 3, "one took {one:?}, {READERS} at once {all:?}");
}

/// An answer to reset of a card that speaks T=0 only.
const T0_ATR: &str = "3B00";

/// The profile for such blanks.
fn with_t0(profile: String) -> String {
    let changed = profile.replace("\natr = \"3BE000FF8131FE4514\"", &format!("\natr = \"{T0_ATR}\""));
    assert!(changed != profile, "the profile's answer to reset is another one");
    changed
}

/// Data preparation, then the job, over each interface and protocol.
fn orders_become_good_cards() {
    let ways = prepared::PRODUCTS.into_iter().flat_map(|product| {
        [(false, false), (false, true), (true, false)].map(|(contactless, t0)| (product, contactless, t0))
    });
    on_all_readers(ways.collect(), |reader, (product, contactless, t0)| {
        let bench = prepared::bench(product, contactless);
        let mut blank = bench.blank();
        blank.file_mut().blank.t0 = t0;
        blank.approach(contactless).unwrap();
        let card = insert(reader, blank, How::default());
        let result = run(&bench, &card);
        assert_eq!(result.state, "good", "{product}, contactless: {contactless}, T=0: {t0}: {:?}", result.fault);
    });
}

fn extended_commands_reach_the_card() {
    let name = "debit-long-packed";
    for most in [300, 2_000, 60_000] {
        let wide = format!("spanning = true\nmax_command = {most}");
        let bench = Bench::changed(name, |profile| profile.replace("spanning = true", &wide), |_| ());
        let card = insert(0, bench.blank(), How::default());
        let result = run(&bench, &card);
        assert_eq!(result.state, "good", "{most}: {:?} {:?}", result.fault, result.findings);
    }
}

/// As `power_cuts.rs`, over the real stack: the state follows from the commands that were handed over.
fn expected(card: &CardFile, planned: usize) -> &'static str {
    state_after(changing(card), planned)
}

fn cuts_end_as_the_cards_own_file_says() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]).card;
        let (exchanges, planned) = (whole.state.diary.len(), changing(&whole));
        let rules: Vec<String> =
            (1..=exchanges).flat_map(|n| [format!("cut before {n}"), format!("cut after {n}")]).collect();
        let seen = on_all_readers(rules, |reader, rule| {
            let card = insert(reader, bench.blank(), How { faults: vec![rule.clone()], ..How::default() });
            let result = run(&bench, &card);
            let state = expected(&card.file(), planned);
            assert_eq!(result.state, state, "{name}: {rule}: {:?}", result.fault);
            assert_eq!(result.fault.unwrap().code, "READER-LOST", "{name}: {rule}");
            state
        });
        let mut outcomes = BTreeMap::new();
        seen.iter().for_each(|state| *outcomes.entry(*state).or_insert(0) += 1);
        println!("{name}: {exchanges} exchanges, {outcomes:?}");
        assert_eq!(seen.len(), exchanges * 2);
    }
}

/// vpcd hands on what it has of an answer as if it were all.
fn a_half_answer_is_never_good() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]).card;
        let exchanges: Vec<usize> = (1..=whole.state.diary.len()).collect();
        on_all_readers(exchanges, |reader, n| {
            let how = How { trick: Some((n, Trick::TearWithin)), ..How::default() };
            let card = insert(reader, bench.blank(), how);
            let result = run(&bench, &card);
            assert_ne!(result.state, "good", "{name}: half an answer to exchange {n}");
            if changing(&card.file()) == 0 {
                assert_eq!(result.state, "untouched", "{name}: {n}");
            } else {
                assert_ne!(result.state, "untouched", "{name}: {n}");
            }
        });
    }
}

fn a_mute_card_is_given_up_at_the_command_timeout() {
    let bench = Bench::new(PROFILES[0]);
    let whole = bench.run(&[]).card;
    let first = whole.state.diary.iter().position(|entry| changes_card(entry.ins)).unwrap() + 1;
    let timeout = Duration::from_secs(2);
    // Each leaves its reader in quarantine, so readers from the far end, and the last is for a good neighbour.
    let cases = [(2, "untouched"), (first, "spoiled"), (first + 3, "spoiled"), (whole.state.diary.len(), "in-doubt")];
    std::thread::scope(|scope| {
        for (at, (n, state)) in cases.into_iter().enumerate() {
            let bench = &bench;
            scope.spawn(move || {
                let reader = 12 + at;
                let how = How { trick: Some((n, Trick::Mute)), ..How::default() };
                let card = insert(reader, bench.blank(), how);
                let link = pcsc::connect(&name(reader), Limits::of_command(timeout)).unwrap();
                let began = Instant::now();
                let result = bench.run_over(link, &mut Journal::in_memory());
                let took = began.elapsed();
                assert_eq!(result.state, state, "mute at {n}: {:?}", result.fault);
                assert_eq!(result.fault.unwrap().code, "READER-MUTE");
                assert!(took >= timeout && took < timeout * 3, "mute at {n}: {took:?}");
                assert!(matches!(
                    pcsc::connect(&name(reader), Limits::of_command(timeout)),
                    Err(LinkError::Quarantined(_))
                ));
                drop(card);
            });
        }
        let neighbour = insert(0, bench.blank(), How { millis: 50, ..How::default() });
        let result = run(&bench, &neighbour);
        assert_eq!(result.state, "good", "the neighbour: {:?}", result.fault);
    });
}

fn a_second_program_is_kept_out() {
    let bench = Bench::new(PROFILES[0]);
    let card = insert(0, bench.blank(), How { millis: 20, ..How::default() });
    let first = card.link().unwrap();
    let intruder = perso(&["run", &record(PROFILES[0]), "--keys", KEYS, "--reader", &name(0)]);
    assert_eq!(intruder.0, 4, "{}", intruder.1);
    assert!(intruder.1.contains("READER-BUSY"), "{}", intruder.1);
    assert!(matches!(card.link(), Err(LinkError::Busy)));
    let result = bench.run_over(first, &mut Journal::in_memory());
    assert_eq!(result.state, "good", "{:?}", result.fault);
    // The reader is free again.
    drop(card.link().unwrap());
}

fn the_program_waits_for_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let (code, text) = run_in_reader_1(&journal, "1");
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("READER-NONE") && text.contains("Put the blank into reader"), "{text}");
    made_by_a_waiting_run(&journal, || ());
}

fn the_program_waits_for_a_card_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    made_by_a_waiting_run(&folder.path().join("journal"), || {
        kill_service();
        start_service();
    });
    let journal = folder.path().join("another");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run_in_reader_1(&journal, "3"));
        std::thread::sleep(Duration::from_millis(500));
        kill_service();
        let (code, text) = waiting.join().unwrap();
        assert_eq!((code, text.contains("READER-SERVICE")), (4, true), "{text}");
    });
    start_service();
}

/// The program waits, something happens, and the card comes.
fn made_by_a_waiting_run(journal: &Path, meanwhile: impl FnOnce()) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run_in_reader_1(journal, "30"));
        std::thread::sleep(Duration::from_millis(500));
        meanwhile();
        let card = insert(1, Bench::new(PROFILES[0]).blank(), How::default());
        let (code, text) = waiting.join().unwrap();
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("GOOD. Take the card."), "{text}");
        assert_eq!(text.matches("Put the blank").count(), 1, "{text}");
        drop(card);
    });
}

fn run_in_reader_1(journal: &Path, seconds: &str) -> (i32, String) {
    let (record, reader, journal) = (record(PROFILES[0]), name(1), journal.to_str().unwrap());
    perso(&["run", &record, "--keys", KEYS, "--reader", &reader, "--journal", journal, "--timeout", seconds])
}

fn readers_are_watched() {
    let mut watcher = pcsc::Watcher::default();
    let wait = Duration::from_secs(10);
    let first = watcher.next(wait).unwrap().unwrap();
    assert_eq!(first.len(), READERS);
    assert!(first.iter().all(|reader| !reader.card_present), "{first:?}");
    assert_eq!(watcher.next(Duration::from_millis(50)).unwrap(), None);
    let card = insert(3, Bench::new(PROFILES[0]).blank(), How::default());
    let seen = watcher.next(wait).unwrap().unwrap();
    let there: Vec<&str> = seen.iter().filter(|it| it.card_present).map(|it| it.name.as_str()).collect();
    assert_eq!(there, [name(3)]);
    let link = card.link().unwrap();
    // Somebody has the card to himself now.
    assert!(watcher.next(wait).unwrap().unwrap().iter().any(|it| it.exclusive));
    drop(link);
    drop(card);
    while watcher.next(wait).unwrap().unwrap().iter().any(|it| it.card_present) {}
}

/// What is told over a reader is what the same card tells without one.
fn the_program_looks_into_cards() {
    let each = PROFILES.into_iter().flat_map(|name| Bench::each_way(name).into_iter().map(move |bench| (name, bench)));
    let ways: Vec<_> = each.flat_map(|(name, bench)| [false, true].map(|t0| (name, bench.contactless, t0))).collect();
    let folder = tempfile::tempdir().unwrap();
    on_all_readers(ways, |reader, (name, contactless, t0)| {
        let bench = Bench { contactless, ..Bench::new(name) };
        let mut blank = bench.blank();
        blank.file_mut().blank.t0 = t0;
        let made = bench.run_on(blank, &[], &mut Journal::in_memory()).card;
        let path = folder.path().join(format!("{name}-{contactless}-{t0}.json"));
        made.save(&path).unwrap();
        let mut card = SimCard::of(made);
        card.approach(contactless).unwrap();
        let _card = insert(reader, card, How::default());
        let in_file = format!("sim:{}", path.display());
        let interface = if contactless { "contactless" } else { "contact" };
        let tell = |command: &[&str], reader: &str| -> serde_json::Value {
            let common = ["--interface", interface, "--format", "json", "--reader", reader];
            let (code, text) = perso(&[&["card"], command, &common].concat());
            assert_eq!(code, 0, "{name} {command:?}: {text}");
            serde_json::from_str(&text).unwrap()
        };
        for (command, members) in [
            (&["info"][..], &["atr", "chip", "domain", "keys", "memory", "protocols", "cplc"][..]),
            (&["data", "--aid", "A000000999"], &["directories", "applications", "interface"]),
            (&["apps", "--keys", KEYS], &["card", "applications", "login"]),
        ] {
            let (there, here) = (tell(command, &readers::name(reader)), tell(command, &in_file));
            for member in members {
                // The virtual reader hands out the card's own ATR.
                assert_eq!(there[member], here[member], "{name} {command:?} {member}");
            }
            assert_eq!((&there["simulated"], &here["simulated"]), (&false.into(), &true.into()));
        }
    });
}

fn the_doctor_finds_this_machine_ready() {
    let journal = tempfile::tempdir().unwrap();
    let journal = journal.path().join("journal").display().to_string();
    let arguments = ["doctor", "--keys", KEYS, "--journal", &journal, "--format", "json"];
    let (code, text) = perso(&arguments);
    assert_eq!(code, 0, "{text}");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["state"] == "ok"), "{text}");
    assert_eq!(checks.iter().filter(|check| check["name"] == "reader").count(), READERS);
}

fn the_program_watches_readers_through_a_restart() {
    use std::io::BufRead;

    let mut watch = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perso"))
        .args(["readers", "--watch", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (tell, heard) = std::sync::mpsc::channel::<serde_json::Value>();
    let reading = std::thread::spawn(move || {
        lines.for_each(|line| drop(tell.send(serde_json::from_str(&line).expect("one JSON value a line"))));
    });
    // Waits for a line that is so.
    let until = |what: &str, wanted: &dyn Fn(&serde_json::Value) -> bool| {
        let end = Instant::now() + Duration::from_secs(15);
        while let Ok(event) = heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if wanted(&event) {
                return;
            }
        }
        panic!("not told: {what}");
    };
    let present = |event: &serde_json::Value| -> Option<Vec<usize>> {
        let readers = event["readers"].as_array()?;
        let there = readers.iter().enumerate().filter(|(_, reader)| reader["card_present"] == true);
        Some(there.map(|(number, _)| number).collect())
    };
    until("all readers empty", &|event| present(event) == Some(Vec::new()));
    let card = insert(2, Bench::new(PROFILES[0]).blank(), How::default());
    until("a card", &|event| {
        present(event).is_some_and(|there| there.len() == 1) && event["readers"].to_string().contains("T=1")
    });
    drop(card);
    until("the card has gone", &|event| present(event) == Some(Vec::new()));
    kill_service();
    until("the service has gone", &|event| event["fault"]["code"] == "READER-SERVICE");
    start_service();
    until("the service is back", &|event| present(event) == Some(Vec::new()));
    let end = std::process::Command::new("kill").args(["-INT", &watch.id().to_string()]).status().unwrap();
    assert!(end.success());
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    reading.join().unwrap();
}

fn the_service_dies_and_comes_back() {
    let bench = Bench::new(PROFILES[0]);
    let whole = bench.run(&[]).card;
    let planned = changing(&whole);
    let first = whole.state.diary.iter().position(|entry| changes_card(entry.ins)).unwrap() + 1;
    let mut watcher = pcsc::Watcher::default();
    watcher.next(Duration::from_secs(5)).unwrap();
    for n in [2, first + 2, whole.state.diary.len() - 1] {
        // The card is slow at this exchange, and the service is killed meanwhile.
        let card = insert(0, bench.blank(), How { faults: vec![format!("delay 1500 at {n}")], ..How::default() });
        let link = card.link().unwrap();
        let result = std::thread::scope(|scope| {
            let running = scope.spawn(|| bench.run_over(link, &mut Journal::in_memory()));
            let end = Instant::now() + Duration::from_secs(10);
            while card.file().state.diary.len() + 1 < n && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(300));
            kill_service();
            running.join().unwrap()
        });
        let began = Instant::now();
        assert!(watcher.next(Duration::from_secs(5)).is_err(), "the watcher has noticed nothing");
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(result.state, expected(&card.file(), planned), "at {n}: {:?}", result.fault);
        assert_eq!(result.fault.unwrap().code, "READER-LOST");
        start_service();
        drop(card);
        // In the same process, with a new context: the next job is good.
        let card = insert(0, bench.blank(), How::default());
        let result = run(&bench, &card);
        assert_eq!(result.state, "good", "after the service came back: {:?}", result.fault);
        drop(card);
        assert!(watcher.next(Duration::from_secs(5)).unwrap().is_some());
    }
}

fn kill_service() {
    let pid = std::fs::read_to_string(std::env::var("PERSO_PCSCD").unwrap()).unwrap();
    let done = std::process::Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
    assert!(done.success());
    // Its socket stays behind, as after a crash.
    std::thread::sleep(Duration::from_millis(200));
}

fn start_service() {
    let done = std::process::Command::new(std::env::var("PERSO_PCSCD_START").unwrap()).status().unwrap();
    assert!(done.success());
}

fn record(name: &str) -> String {
    file_of(&format!("tests/samples/{name}.record.json")).display().to_string()
}

fn perso(arguments: &[&str]) -> (i32, String) {
    let output = assert_cmd::Command::cargo_bin("perso")
        .unwrap()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.code().unwrap(), text)
}
