//! Whole runs on a simulated card that shows any faults: a verdict each time, and GOOD only where the card is good.

#![no_main]

#[path = "../common.rs"]
mod common;

use std::sync::mpsc;

use libfuzzer_sys::fuzz_target;
use perso::base::chance::Instant;
use perso::base::{Chance, Clock};
use perso::card::sim::{FaultRule, SimTransport};
use perso::issuance::job::Job;
use perso::issuance::journal::Journal;
use perso::issuance::report::Report;
use perso::issuance::state::State;

fuzz_target!(|text: &str| {
    // Waiting teaches nothing, and files are not the fuzzer's to name.
    let rules: Vec<FaultRule> = text
        .lines()
        .filter(|line| !line.contains("delay") && !line.contains("swap"))
        .filter_map(|line| FaultRule::parse(line).ok())
        .collect();
    let bench = &*common::BENCH;
    let transport = SimTransport::memory(bench.blank()).with_faults(rules);
    let card = transport.card();
    let clock = Clock::fixed(Instant(0));
    let mut report = Report::new(true, &clock);
    report.subject(&bench.record, &bench.plan, &bench.store);
    let (progress, _nobody) = mpsc::channel();
    let mut chance = Chance::new(|buffer| {
        buffer.fill(0x5A);
        Ok(())
    });
    let job = Job {
        record: &bench.record,
        profile: &bench.profile,
        plan: &bench.plan,
        store: &bench.store,
        journal: &mut Journal::in_memory(),
        clock,
        chance: &mut chance,
        progress,
        recorder: None,
        stop: perso::base::StopRequest::default(),
        ca_keys: None,
    };
    let result = job.run(Box::new(transport), report);
    if result.state == State::Good {
        let card = card.lock().expect("the card");
        assert!(card.file().state.applications[0].personalized && card.file().state.life_cycle == 0x0F);
        assert!(result.findings.is_empty() && result.fault.is_none());
    }
});
