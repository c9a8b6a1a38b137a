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

/// Every kind of card, and every command that talks to a card.
pub fn commands_end_within_their_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let cases: Vec<(usize, &str)> = (0..KINDS.len())
        .flat_map(|kind| ["info", "apps", "data", "verify", "run", "explain-auth"].map(|command| (kind, command)))
        .collect();
    let took = on_all_readers(cases, |reader, (seed, command)| {
        let bench = Bench::new(PROFILES[0]);
        let (kind, hand, serving) =
            inserted(reader, || Hostile::new(seed as u64, bench.blank(), Duration::from_millis(300)));
        let journal = folder.path().join(format!("{seed}")).display().to_string();
        let (reader_name, record) = (name(reader), record(PROFILES[0]));
        let limits = ["--reader", &reader_name, "--command-timeout", "1", "--job-timeout", "4"];
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
        let what = format!("{kind:?}, {command}: exit code {code} after {took:?}: {text:.300}");
        // The job's limit, a command more to let go of the reader, and a busy machine.
        assert!(took < Duration::from_secs(4 + 1 + 20), "{what}");
        assert!(!text.contains("panicked") && code != 101, "{what}");
        if command == "run" && !matches!(kind, Kind::Slow | Kind::Mute | Kind::Endless) {
            assert_ne!(code, 0, "{what}");
        }
        hand.remove();
        serving.join().unwrap();
        until(reader, false);
        std::thread::sleep(POLL);
        took
    });
    println!("{} commands, the slowest in {:?}", took.len(), took.iter().max());
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
