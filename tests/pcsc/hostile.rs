//! Hostile cards in readers: the program ends within its deadline, says what is wrong, and calls no such card good.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use perso::card::transport::vpcd::{self, Hand, Pace};

use super::readers::{POLL, connect, name, sees, until};
use super::support::{Bench, PROFILES};
use super::{KEYS, on_all_readers, perso, record};

#[path = "../support/hostile.rs"]
mod cards;

use cards::{Hostile, KINDS, Kind};

/// Cards: every kind with several seeds.
const CARDS: usize = 100;
const COMMANDS: [&str; 6] = ["info", "apps", "data", "verify", "run", "explain-auth"];
/// All cards with all commands, on two processors.
const BUDGET: Duration = Duration::from_secs(120);
/// What each command is given: `--job-timeout`, in seconds.
const JOB: u64 = 3;
/// What a command may take beyond it: the exchange in hand (`--command-timeout 1`), letting go of the reader, and the start
/// of the program.
const MARGIN: u64 = 7;
/// The same on a machine that others use too.
const MARGIN_SHARED: u64 = 21;

/// Whether the machine does other work at the same time, as its user says (docs/campaigns.md): times are then bounded loosely.
fn is_shared() -> bool {
    std::env::var_os("PERSO_SHARED_MACHINE").is_some()
}

/// Every command that talks to a card, on 100 cards, as many at once as there are readers. Each command finds the card as
/// nobody has touched it: the service loses some kinds after one command.
pub fn commands_end_within_their_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let cases: Vec<(usize, &str)> = (0..CARDS).flat_map(|seed| COMMANDS.map(|command| (seed, command))).collect();
    let began = Instant::now();
    let took = on_all_readers(cases, |reader, (seed, command)| {
        let name_of = PROFILES[seed / KINDS.len() % PROFILES.len()];
        let bench = Bench::new(name_of);
        let (kind, hand, serving) =
            inserted(reader, || Hostile::new(seed as u64, bench.blank(), Duration::from_millis(300)));
        let took = carried_out(command, kind, (reader, seed), name_of, folder.path());
        hand.remove();
        serving.join().unwrap();
        until(reader, false);
        std::thread::sleep(POLL);
        took
    });
    let (whole, slowest) = (began.elapsed(), took.iter().max());
    println!("{CARDS} cards with {} commands in {whole:?}, the slowest in {slowest:?}", COMMANDS.len());
    let within = whole <= BUDGET || is_shared();
    assert!(within, "{whole:?} instead of {BUDGET:?}; set PERSO_SHARED_MACHINE=1 on a machine with other work");
}

/// One command of the program, and how long it took.
fn carried_out(
    command: &str,
    kind: Kind,
    (reader, seed): (usize, usize),
    profile: &str,
    folder: &std::path::Path,
) -> Duration {
    let journal = folder.join(format!("{seed}")).display().to_string();
    let (reader_name, record) = (name(reader), record(profile));
    let job = JOB.to_string();
    let limits = ["--reader", &reader_name, "--command-timeout", "1", "--job-timeout", &job];
    let arguments: Vec<&str> = match command {
        "info" => vec!["card", "info"],
        "apps" => vec!["card", "apps", "--keys", KEYS],
        "data" => vec!["card", "data"],
        "verify" => vec!["verify", &record, "--keys", KEYS],
        "run" => vec!["run", &record, "--keys", KEYS, "--journal", &journal],
        _ => vec!["explain-auth", "--keys", KEYS],
    };
    let began = Instant::now();
    let (code, text) = perso(&[&arguments[..], &limits].concat());
    let took = began.elapsed();
    let what = format!("seed {seed}, {kind:?}, {command}: exit code {code} after {took:?}: {text:.300}");
    let margin = if is_shared() { MARGIN_SHARED } else { MARGIN };
    assert!(took < Duration::from_secs(JOB + margin), "{what}");
    assert!(!text.contains("panicked") && code != 101, "{what}");
    if command == "run" && !matches!(kind, Kind::Slow | Kind::Mute | Kind::Endless) {
        assert_ne!(code, 0, "{what}");
    }
    took
}

/// A hostile card that PC/SC sees. On a busy machine the service may miss it: then it is taken out and put in again.
fn inserted(reader: usize, card: impl Fn() -> Hostile) -> (Kind, Hand, JoinHandle<()>) {
    for _ in 0..4 {
        let (mut card, stream, hand) = (card(), connect(reader), Hand::default());
        let kind = card.kind();
        let mine = hand.clone();
        let serving = std::thread::spawn(move || {
            let pace: Pace = Box::new(|_, _| Duration::ZERO);
            vpcd::serve(stream, &mut card, &pace, &mine);
        });
        if sees(reader, true, Duration::from_secs(10)) {
            return (kind, hand, serving);
        }
        hand.remove();
        serving.join().unwrap();
        std::thread::sleep(POLL * 2);
    }
    panic!("reader {}: no card is seen", name(reader));
}
