//! What a job costs over virtual readers, as ratios of one run: `scripts/bench.sh`. Without virtual readers nothing is measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/pcsc_support/mod.rs"]
#[allow(dead_code)]
mod readers;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

use perso::card::transport::vpcd::Pace;
use perso::card::transport::{LinkError, Transport};
use perso::issuance::journal::Journal;
use perso::issuance::wire::{Link, Wire};
use readers::{How, Inserted, insert, name};
use support::{Bench, PROFILES, file_of};

const READERS: usize = 16;
/// Fillings of all readers; in each, half of the readers do one thing and half the other, in turn.
const FILLINGS: usize = 2;
const STARTS: usize = 20;
/// TA1 = 96 at 4 MHz: 512 clocks for 32 bits (ISO 7816-3 §8.3).
const TA1_96: Link = Link { wire: Wire::T1, bits_per_second: 250_000 };

fn main() {
    if readers::vpcd_address().is_none() {
        println!("skipped: no virtual readers (scripts/bench.sh makes them)");
        return;
    }
    commands_against_the_minimum();
    jobs_against_bare_replays();
    readers_at_once();
    start_to_first_command();
}

fn commands_against_the_minimum() {
    println!("\nSTORE DATA commands against the minimum (aim 1.00)");
    for profile in PROFILES {
        let plan = Bench::new(profile).plan;
        let sent: usize = plan.applications.iter().map(|app| app.blocks.len()).sum();
        let minimum: usize = plan.applications.iter().map(|app| app.minimum).sum();
        println!("  {profile:24} {sent:3} / {minimum:3} = {:.2}", sent as f64 / minimum as f64);
    }
}

fn jobs_against_bare_replays() {
    for (title, link) in [("no link time", None), ("link time of TA1=96 at 4 MHz, T=1 (aim 1.02)", Some(TA1_96))] {
        println!("\nwhole job, journal on disk, against a bare replay of the same bytes: {title}");
        for profile in PROFILES {
            job_against_bare_replay(profile, link);
        }
    }
}

fn job_against_bare_replay(profile: &str, link: Option<Link>) {
    let bench = Bench::new(profile);
    let folder = tempfile::tempdir().unwrap();
    let script = session(&bench);
    let (mut jobs, mut replays) = (Vec::new(), Vec::new());
    for filling in 0..FILLINGS {
        let cards = filled(&bench, || How { pace: link.map(on_the_wire), ..How::default() });
        for (reader, card) in cards.iter().enumerate() {
            let mut transport = card.link().unwrap();
            if (reader + filling) % 2 == 0 {
                let file = folder.path().join(format!("{filling}-{reader}"));
                jobs.push(timed(|| run(&bench, transport, &file)));
            } else {
                replays.push(timed(|| replay(&script, &mut *transport)));
            }
        }
        empty(cards);
    }
    let runs = jobs.len();
    let (job, bare) = (median(&mut jobs), median(&mut replays));
    println!(
        "  {profile:24} {:8.2} ms / {:8.2} ms = {:.3}   ({} exchanges, {runs} of each, medians)",
        millis(job),
        millis(bare),
        job.as_secs_f64() / bare.as_secs_f64(),
        script.len(),
    );
}

/// Sixteen jobs at once take as long as one where they overlap perfectly.
fn readers_at_once() {
    println!("\n{READERS} readers at once, 10 ms a command, against one alone (aim 1.05)");
    let bench = Bench::new(PROFILES[0]);
    let folder = tempfile::tempdir().unwrap();
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    let ten = || How { millis: 10, ..How::default() };
    for filling in 0..5 {
        let card = insert(0, bench.blank(), ten());
        alone.push(timed(|| run(&bench, card.link().unwrap(), &folder.path().join(format!("alone-{filling}")))));
        drop(card);
        let cards = filled(&bench, ten);
        let start = Barrier::new(READERS + 1);
        together.push(std::thread::scope(|scope| {
            for (reader, card) in cards.iter().enumerate() {
                let (bench, start) = (&bench, &start);
                let file = folder.path().join(format!("{filling}-{reader}"));
                scope.spawn(move || {
                    start.wait();
                    run(bench, card.link().unwrap(), &file);
                    start.wait();
                });
            }
            start.wait();
            timed(|| {
                start.wait();
            })
        }));
        empty(cards);
    }
    let (alone, together) = (median(&mut alone), median(&mut together));
    println!(
        "  {:24} {:8.2} ms / {:8.2} ms = {:.3}   (5 of each, medians)",
        PROFILES[0],
        millis(together),
        millis(alone),
        together.as_secs_f64() / alone.as_secs_f64(),
    );
}

/// From the start of the process to the first command at the card, with test keys that are not sealed.
fn start_to_first_command() {
    println!("\nstart of the process to the first command at the card (aim 10 ms)");
    let bench = Bench::new(PROFILES[0]);
    let folder = tempfile::tempdir().unwrap();
    let mut took = Vec::new();
    while took.len() < STARTS {
        let (tell, heard) = mpsc::channel();
        let tell = Mutex::new(tell);
        let cards = filled(&bench, || How { pace: Some(listening(&tell)), ..How::default() });
        for reader in 0..READERS {
            let journal = folder.path().join(format!("{}", took.len()));
            let began = Instant::now();
            let ended = Command::new(env!("CARGO_BIN_EXE_perso"))
                .arg("run")
                .arg(file_of(&format!("tests/samples/{}.record.json", PROFILES[0])))
                .arg("--keys")
                .arg(file_of("tests/samples/keys.test.json"))
                .arg("--profiles")
                .arg(file_of("card-profiles"))
                .args(["--reader", &name(reader), "--journal"])
                .arg(journal)
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(ended.success());
            took.push(heard.try_iter().next().expect("the card has heard a command") - began);
        }
        empty(cards);
    }
    took.sort();
    println!(
        "  {:24} {:8.2} ms median, {:.2} to {:.2} ms   ({} starts)",
        PROFILES[0],
        millis(median(&mut took)),
        millis(took[0]),
        millis(took[took.len() - 1]),
        took.len()
    );
}

fn run(bench: &Bench, link: Box<dyn Transport>, journal: &Path) {
    let result = bench.run_over(link, &mut Journal::open(journal).unwrap());
    assert_eq!(result.state, "good", "{:?} {:?}", result.fault, result.findings);
}

enum Exchange {
    Reset,
    Command(Vec<u8>, Vec<u8>),
}

/// Writes down what goes over a link.
struct Listening(Box<dyn Transport>, Arc<Mutex<Vec<Exchange>>>);

impl Transport for Listening {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        let answer = self.0.transmit(command)?;
        self.1.lock().unwrap().push(Exchange::Command(command.to_vec(), answer.clone()));
        Ok(answer)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.1.lock().unwrap().push(Exchange::Reset);
        self.0.reset()
    }
}

/// What goes over the link in one job. Cards and hosts draw the same random numbers in every job here.
fn session(bench: &Bench) -> Vec<Exchange> {
    let card = insert(0, bench.blank(), How::default());
    let heard = Arc::default();
    let link = Listening(card.link().unwrap(), Arc::clone(&heard));
    assert_eq!(bench.run_over(Box::new(link), &mut Journal::in_memory()).state, "good");
    std::mem::take(&mut *heard.lock().unwrap())
}

/// The baseline: the same commands, sent by nobody. An answer that differs would show that they are not the same.
fn replay(script: &[Exchange], transport: &mut dyn Transport) {
    for exchange in script {
        match exchange {
            Exchange::Reset => drop(transport.reset().unwrap()),
            Exchange::Command(command, answer) => assert!(transport.transmit(command).unwrap() == *answer),
        }
    }
}

/// A blank in every reader, put in at the same time.
fn filled(bench: &Bench, how: impl Fn() -> How + Sync) -> Vec<Inserted> {
    std::thread::scope(|scope| {
        let how = &how;
        let hands: Vec<_> =
            (0..READERS).map(|reader| scope.spawn(move || insert(reader, bench.blank(), how()))).collect();
        hands.into_iter().map(|hand| hand.join().unwrap()).collect()
    })
}

fn empty(cards: Vec<Inserted>) {
    std::thread::scope(|scope| cards.into_iter().for_each(|card| drop(scope.spawn(move || drop(card)))));
}

fn on_the_wire(link: Link) -> Pace {
    Box::new(move |command, answer| Duration::from_micros(link.micros(command, answer)))
}

/// Tells when the card has heard each command.
fn listening(tell: &Mutex<mpsc::Sender<Instant>>) -> Pace {
    let tell = tell.lock().unwrap().clone();
    Box::new(move |_, _| {
        // Nobody listens any more once the first one is in.
        let _ = tell.send(Instant::now());
        Duration::ZERO
    })
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
