//! Cards that wish a host ill: every command ends within its deadline, nothing panics, memory is bounded, and no card is
//! called good that is not. The same over PC/SC: tests/pcsc.rs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/hostile.rs"]
mod cards;
use crate::support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cards::{Hostile, Kind};
use perso::base::chance::Instant as Moment;
use perso::base::{Chance, Clock};
use perso::card::apdu::Command;
use perso::card::channel::Handshake;
use perso::card::emv::view::card_data;
use perso::card::emv::{Terminal, Wanted, read_contents};
use perso::card::gp::view::card_info;
use perso::card::transport::{Limits, Transport, Watched};
use perso::card::{Card, gp};
use perso::issuance::journal::Journal;
use perso::issuance::login;
use perso::issuance::proof::{Consent, Verification};
use perso::issuance::registry_view::card_apps;
use perso::issuance::result::ProgramRef;
use support::{Bench, PROFILES};

const CARDS: u64 = 100;
const COMMANDS: [&str; 6] = ["info", "apps", "data", "verify", "run", "explain-auth"];
/// How late the slow ones are.
const PAUSE: Duration = Duration::from_millis(100);
const LIMITS: Limits = Limits { command: Duration::from_millis(400), job: Duration::from_millis(1_500) };

fn clock() -> Clock {
    Clock::fixed(Moment(1_795_000_000_000_000))
}

fn chance() -> Chance {
    Chance::fixed(vec![7; 1024])
}

/// What came of a command, in a word, and how many bytes it would print.
fn carried_out(command: &str, bench: &Bench, link: Box<dyn Transport>) -> (String, usize) {
    let told = |text: Result<String, String>| match text {
        Ok(text) => ("ok".to_owned(), text.len()),
        Err(error) => (error, 0),
    };
    let card = |link| Card::new(link, clock());
    match command {
        "info" => told(match gp::look(&mut card(link)) {
            Ok(look) => Ok(serde_json::to_string(&card_info(&look, (2026, 1), false)).unwrap()),
            Err(error) => Err(error.to_string()),
        }),
        "apps" => {
            let mut card = card(link);
            let read = || -> Result<String, String> {
                let look = gp::look(&mut card).map_err(|error| error.to_string())?;
                let (mut session, login) =
                    login::with_any_key(&mut card, 0, look.recognition(), &bench.store, &mut chance())
                        .map_err(|error| error.to_string())?;
                let registry = gp::registry(&mut session).map_err(|error| error.to_string())?;
                Ok(serde_json::to_string(&card_apps(&registry, login, false)).unwrap())
            };
            let mut read = read;
            told(read())
        }
        "data" => {
            let terminal = Terminal { date: [0x26, 0x11, 0x24], unpredictable: [1, 2, 3, 4] };
            let wanted = Wanted { aids: Vec::new(), candidates: true };
            told(match read_contents(&mut card(link), &terminal, &wanted) {
                Ok(contents) => Ok(serde_json::to_string(&card_data(&contents, false)).unwrap()),
                Err(error) => Err(error.to_string()),
            })
        }
        "verify" => {
            let verification = Verification {
                profile: Some(&bench.profile),
                record: Some((&bench.record, &bench.plan)),
                store: Some(&bench.store),
                ca_keys: None,
                aids: Vec::new(),
                consent: Consent::default(),
                clock: clock(),
                chance: &mut chance(),
                program: ProgramRef { version: "test".into(), sha256: None },
                simulated: false,
            };
            match verification.run(link) {
                Ok(result) => (result.verdict.clone(), serde_json::to_string(&result).unwrap().len()),
                Err(error) => (error.to_string(), 0),
            }
        }
        "run" => {
            let result = bench.run_over(link, &mut Journal::in_memory());
            (result.state.clone(), serde_json::to_string(&result).unwrap().len())
        }
        _ => {
            let mut card = card(link);
            let mut ask = || -> Result<String, String> {
                card.reset().map_err(|error| error.to_string())?;
                gp::select(&mut card, &[]).map_err(|error| error.to_string())?;
                let host = vec![7; 8];
                let command = Command::new(0x80, 0x50, 0, 0).with_data(host.clone()).with_le(256);
                let answer = card.transmit(&command).map_err(|error| error.to_string())?;
                let handshake = Handshake::of(0, host, &answer.data).map_err(|error| error.to_string())?;
                let comparison = handshake.compare(&bench.store, None).map_err(|error| error.to_string())?;
                Ok(format!("{} compared", comparison.compared))
            };
            told(ask())
        }
    }
}

/// The most memory that this process has had, in bytes; none where the system does not tell.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[test]
fn every_command_ends_within_its_deadline_on_a_hostile_card() {
    let benches: Vec<Bench> = PROFILES.iter().map(|name| Bench::new(name)).collect();
    let (next, slowest) = (AtomicU64::new(0), Mutex::new((Duration::ZERO, String::new())));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= CARDS * COMMANDS.len() as u64 {
                        return;
                    }
                    let (seed, command) = (job / COMMANDS.len() as u64, COMMANDS[job as usize % COMMANDS.len()]);
                    let bench = &benches[(seed / 16) as usize % benches.len()];
                    let mut card = Hostile::new(seed, bench.blank(), PAUSE);
                    let kind = card.kind();
                    let link = Watched::start(&format!("hostile {job}"), LIMITS, move |requests| {
                        requests.opened(Ok(()));
                        requests.serve(&mut card);
                    });
                    let began = Instant::now();
                    let (came, printed) = carried_out(command, bench, Box::new(link.unwrap()));
                    let took = began.elapsed();
                    let what = format!("seed {seed}, {kind:?}, {command}: {came}, {printed} bytes in {took:?}");
                    // The job's limit, one command more to let go of the reader, and time to show it on a busy machine.
                    assert!(took < LIMITS.job + LIMITS.command + Duration::from_secs(15), "{what}");
                    assert!(printed < 64 * 1024 * 1024, "{what}");
                    if command == "run" && kind != Kind::Slow && kind != Kind::Mute && kind != Kind::Endless {
                        assert_ne!(came, "good", "{what}");
                    }
                    if matches!(kind, Kind::Lax | Kind::Garbage | Kind::Directory) && command == "verify" {
                        assert_ne!(came, "passed", "{what}");
                    }
                    let mut slowest = slowest.lock().unwrap();
                    if took > slowest.0 {
                        *slowest = (took, what);
                    }
                }
            });
        }
    });
    println!("{} commands in {:?}; the slowest: {}", CARDS * 6, began.elapsed(), slowest.lock().unwrap().1);
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    match most_memory() {
        Some(bytes) => {
            println!("most memory: {} MB", bytes / 1024 / 1024);
            assert!(bytes < 1024 * 1024 * 1024, "{bytes}");
        }
        None => println!("memory: skipped, this system does not tell it"),
    }
}
