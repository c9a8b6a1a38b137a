//! Whole jobs: their commands, their time beside the same bytes sent by nobody, and many at once.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use perso::card::transport::vpcd::Pace;
use perso::issuance::journal::Journal;
use perso::issuance::wire::{Link, Wire};

use crate::desk::{Desk, Exchange, Listening};
use crate::figures::{against, head, in_turns, millis, ratio, row};
use crate::support::{Bench, PROFILES};

/// TA1=96 at 4 MHz.
const TA1_96: Link = Link { wire: Wire::T1, bits_per_second: 250_000 };

fn no_time() -> Pace {
    Box::new(|_, _| Duration::ZERO)
}

fn wire() -> Pace {
    Box::new(|command, answer| Duration::from_micros(TA1_96.micros(command, answer)))
}

/// The wire, and a card that thinks for 10 ms about each command.
fn wire_and_card() -> Pace {
    let wire = wire();
    Box::new(move |command, answer| wire(command, answer) + Duration::from_millis(10))
}

/// STORE DATA commands that a plan has, and that there must be. A card that takes one grouping a command needs more.
pub fn commands() {
    head("STORE DATA commands", &["profile", "the card takes", "commands", "minimum", "ratio", "aim"]);
    for name in PROFILES {
        let Bench { plan, profile, .. } = Bench::new(name);
        let has: usize = plan.applications.iter().map(|app| app.blocks.len()).sum();
        let least: usize = plan.applications.iter().map(|app| app.minimum).sum();
        let [ratio, aim] = match profile.packed() {
            true => against("STORE DATA commands beside their minimum", name, has as f64 / least as f64, 1.0),
            false => [format!("{:.3}", has as f64 / least as f64), "-".into()],
        };
        let takes = if profile.packed() { "as many groupings as fit" } else { "one grouping a command" };
        row(&[name.to_owned(), takes.to_owned(), has.to_string(), least.to_string(), ratio, aim]);
    }
}

/// Each profile beside the same bytes sent through the library alone.
pub fn beside_a_bare_replay() {
    head(
        "A whole job beside a bare replay of its bytes",
        &["profile", "link", "journal", "exchanges", "job", "replay", "ratio", "aim"],
    );
    for name in PROFILES {
        let bench = Bench::new(name);
        let ways = [
            ("no time", "in memory", no_time as fn() -> Pace),
            ("no time", "on the disk", no_time),
            ("TA1=96", "in memory", wire),
            ("TA1=96", "on the disk", wire),
            ("TA1=96, card of 10 ms", "on the disk", wire_and_card),
        ];
        for (link, journal, pace) in ways {
            let desk = Desk::new(0, bench.blank(), pace());
            let script = session(&bench, &desk);
            let folder = tempfile::tempdir().unwrap();
            let mut number = 0;
            let (job, replay) = in_turns(
                15,
                || {
                    number += 1;
                    let path = folder.path().join(number.to_string());
                    timed(&bench, &desk, (journal == "on the disk").then_some(path.as_path()))
                },
                || {
                    desk.put(bench.blank());
                    desk.replay(&script)
                },
            );
            // The aim is of the wire alone, and of what a job is in earnest.
            let [ratio, aim] = match (link, journal) {
                ("TA1=96", "on the disk") => against("job beside its replay, TA1=96", name, ratio(job, replay), 1.035),
                _ => [format!("{:.3}", ratio(job, replay)), "-".into()],
            };
            let [name, link, journal] = [name, link, journal].map(str::to_owned);
            row(&[name, link, journal, script.len().to_string(), millis(job), millis(replay), ratio, aim]);
        }
    }
}

/// One job on a fresh card; the journal on the disk, or in memory.
fn timed(bench: &Bench, desk: &Desk, journal: Option<&Path>) -> Duration {
    desk.put(bench.blank());
    let link = desk.link();
    let began = Instant::now();
    let mut journal = journal.map_or_else(Journal::in_memory, |path| Journal::open(path).unwrap());
    let result = bench.run_over(link, &mut journal);
    let taken = began.elapsed();
    assert_eq!(result.state, "good", "{:?}", result.fault);
    taken
}

/// What goes over the wire in a job. Host and card draw the same each time, so it is always the same.
fn session(bench: &Bench, desk: &Desk) -> Vec<Exchange> {
    let heard = Arc::default();
    let link = Box::new(Listening(desk.link(), Arc::clone(&heard)));
    assert_eq!(bench.run_over(link, &mut Journal::in_memory()).state, "good");
    Arc::into_inner(heard).unwrap().into_inner().unwrap()
}

/// Sixteen cards that take 10 ms for each command, beside one of them.
pub fn sixteen_at_once() {
    const READERS: usize = 16;
    head("Sixteen jobs at once, cards of 10 ms a command", &["profile", "sixteen", "one", "ratio", "aim"]);
    let bench = Bench::new(PROFILES[1]);
    let pace = || -> Pace { Box::new(|_, _| Duration::from_millis(10)) };
    let desks: Vec<Desk> = (0..READERS).map(|reader| Desk::new(reader, bench.blank(), pace())).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    let mut together = |readers: usize| {
        number += 1;
        let place = folder.path().join(number.to_string());
        std::fs::create_dir(&place).unwrap();
        let start = Barrier::new(readers + 1);
        std::thread::scope(|scope| {
            let working: Vec<_> = (0..readers)
                .map(|reader| {
                    let (desk, start, place) = (&desks[reader], &start, &place);
                    scope.spawn(move || {
                        let bench = Bench::new(PROFILES[1]);
                        start.wait();
                        timed(&bench, desk, Some(&place.join(reader.to_string())))
                    })
                })
                .collect();
            start.wait();
            let began = Instant::now();
            for job in working {
                job.join().unwrap();
            }
            began.elapsed()
        })
    };
    let (mut all, mut one) = (Vec::new(), Vec::new());
    for turn in 0..6 {
        let (a, b) = if turn % 2 == 0 {
            let all = together(READERS);
            (all, together(1))
        } else {
            let one = together(1);
            (together(READERS), one)
        };
        // The first turn warms up.
        if turn > 0 {
            all.push(a);
            one.push(b);
        }
    }
    let (all, one) = (crate::figures::median(all), crate::figures::median(one));
    let [ratio, aim] = against("sixteen jobs at once beside one", PROFILES[1], ratio(all, one), 1.05);
    row(&[PROFILES[1].to_owned(), millis(all), millis(one), ratio, aim]);
}
