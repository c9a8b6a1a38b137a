//! Scripts of APDUs: refused by their line, or run against a simulated card; never a panic, and nothing sent behind a
//! mismatch.

#![no_main]

#[path = "../common.rs"]
mod common;

use libfuzzer_sys::fuzz_target;
use perso::base::Clock;
use perso::base::chance::Instant;
use perso::card::Card;
use perso::card::script::{Script, Way, run};
use perso::card::sim::SimTransport;

fuzz_target!(|text: &str| {
    let script = match Script::parse(text) {
        Ok(script) => script,
        Err(error) => {
            assert!(error.line >= 1 && error.line <= text.lines().count().max(1));
            return;
        }
    };
    let transport = SimTransport::memory(common::BENCH.blank());
    let mut card = Card::new(Box::new(transport), Clock::fixed(Instant(0)));
    let (report, error) = run(&script, Way::Clear(&mut card), false);
    assert!(error.is_none() || report.fault.is_some());
    let goes_on = text.lines().any(|line| line.split_whitespace().take(3).eq(["on", "mismatch", "go"]));
    let mut before = report.exchanges.iter().rev().skip(1);
    assert!(goes_on || before.all(|exchange| exchange.mismatches.is_empty()));
    let _ = report.lines();
});
