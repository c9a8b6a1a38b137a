//! Gathering the result of a job while it runs.

use super::chip::Chip;
pub use super::dates::{day, timestamp};
use super::login::Login;
use super::logins::Logins;
use super::outcome::{ChipSeen, FeederTask, JobFault, Outcome, SameCard, Step, Subject};
use super::plan::Plan;
use super::result::FaultRef;
use super::state::State;
use super::verify::ReadBackReport;
use crate::base::emv::rules;
use crate::base::{Clock, Code, Fault};
use crate::card::TraceEvent;
use crate::card::apdu::{StatusWord, command_name};
use crate::keys::{KeyInfo, KeyStore};
use crate::profile::Profile;
use crate::record::{Record, StripeMade};

/// An outcome in the making.
#[derive(Debug)]
pub struct Report {
    /// Microseconds that nobody worked: a card was waited for.
    waited: u64,
    outcome: Outcome,
    logins: Logins,
}

impl Report {
    /// A report on a job that starts now.
    pub fn new(simulated: bool, clock: &Clock) -> Self {
        Self {
            waited: 0,
            logins: Logins::default(),
            outcome: Outcome {
                state: State::Refused,
                code: None,
                fault: None,
                simulated,
                job: None,
                subject: None,
                keys: Vec::new(),
                chip: None,
                same_card: None,
                channels: Vec::new(),
                steps: Vec::new(),
                findings: Vec::new(),
                proven: Vec::new(),
                not_proven: Vec::new(),
                counters: Vec::new(),
                rules: Vec::new(),
                started: clock.now(),
                micros: 0,
            },
        }
    }

    /// What is being made.
    pub fn subject(&mut self, record: &Record, plan: &Plan, store: &dyn KeyStore) {
        self.outcome.subject = Some(Subject {
            record: record.id().to_owned(),
            pan: record.masked_pan(),
            sample: record.is_sample(),
            profile: plan.profile.clone(),
            profile_hash: plan.profile_hash,
            stripe: record.stripe().made(),
            tracks: record.stripe().tracks().len(),
            feeder: feeder(record),
        });
        for name in record.key_names() {
            self.key(store, &name);
        }
    }

    /// A key that is used.
    pub fn key(&mut self, store: &dyn KeyStore, name: &str) {
        if let Some(info) = store.keys().iter().find(|info| info.name == name)
            && !self.outcome.keys.contains(info)
        {
            self.outcome.keys.push(info.clone());
        }
    }

    /// What it is about, and its keys.
    pub(super) fn about(self) -> (Option<Subject>, Vec<KeyInfo>) {
        (self.outcome.subject, self.outcome.keys)
    }

    /// A reader and a card were waited for, so many microseconds. They are no part of the time that the job took.
    pub fn waited(&mut self, micros: u64) {
        self.waited = self.waited.saturating_add(micros);
    }

    /// The job's name in the journal.
    pub fn job(&mut self, name: &str) {
        self.outcome.job = Some(name.to_owned());
    }

    /// The chip.
    pub fn chip(&mut self, chip: &Chip) {
        let id = chip.id().map(str::to_owned);
        self.outcome.chip = Some(ChipSeen { id, source: chip.source(), atr: chip.atr().to_vec() });
    }

    /// The logins so far.
    pub(super) fn logins(&mut self) -> &mut Logins {
        &mut self.logins
    }

    /// Why it was one card from the first command to the last.
    pub(super) fn same_card(&mut self, profile: &Profile) {
        let Some(identity) = self.outcome.chip.as_ref().map(|chip| chip.source) else { return };
        let check = self.logins.check(profile.sequence_counter());
        let by = match identity {
            "none" => "the card has no identity: \"one card once\" is not held".to_owned(),
            "cplc" => "the card is known by its CPLC".to_owned(),
            source => format!("the card is known by its key data ({source})"),
        };
        let rests_on = format!("{by}; {}", check.words());
        self.outcome.same_card = Some(SameCard { identity, sequence_counter: check.name(), rests_on });
    }

    /// A channel that was opened.
    pub fn channel(&mut self, login: Login) {
        self.outcome.channels.push(login);
    }

    /// What the read-back has shown.
    pub fn read_back(&mut self, found: ReadBackReport) {
        let outcome = &mut self.outcome;
        outcome.code = outcome.code.or(found.findings.first().map(|first| first.code));
        outcome.findings = found.findings;
        outcome.proven = found.proven;
        outcome.not_proven = found.not_proven;
        outcome.counters = found.counters;
    }

    /// What the consistency rules say of the record.
    pub fn rules(&mut self, outcomes: &[rules::Outcome]) {
        self.outcome.rules = outcomes.to_vec();
    }

    /// A fault that ended the job, and the state it leaves.
    pub fn fault(&mut self, error: &dyn Fault, state: State) -> State {
        let code = error.code();
        let FaultRef { message, next, .. } = FaultRef::of(error);
        let next = if code == Code::OperatorInterrupted { after_interruption(state).to_owned() } else { next };
        self.outcome.code = Some(code);
        self.outcome.fault = Some(JobFault { code, message, next });
        state
    }

    /// The code of what went wrong, where something did.
    pub fn code(&self) -> Option<Code> {
        self.outcome.code
    }

    /// The outcome.
    pub fn finish(self, state: State, steps: Vec<Step>, clock: &Clock) -> Outcome {
        let micros = clock.now().since(self.outcome.started).saturating_sub(self.waited);
        Outcome { state, steps, micros, ..self.outcome }
    }
}

/// What to do after a signal has ended the job.
fn after_interruption(state: State) -> &'static str {
    match state {
        State::Untouched | State::Refused => "Type the same command again: record and card are as they were.",
        State::Spoiled => "Put in a new blank, then type the same command again.",
        State::InDoubt => "Keep the card aside and read it with `perso verify`.",
        State::Good => "The card was finished before the signal could stop the job.",
    }
}

/// Stripe before print: a printed card cannot be encoded any more in most machines.
pub(super) fn feeder(record: &Record) -> Vec<FeederTask> {
    let tracks: Vec<String> = match record.stripe().made() {
        StripeMade::Nowhere => Vec::new(),
        StripeMade::Here | StripeMade::Elsewhere => {
            record.stripe().tracks().iter().map(|track| format!("track {track}")).collect()
        }
    };
    let tasks = [("stripe", tracks), ("print", record.print().parts())];
    let tasks = tasks.into_iter().filter(|(_, parts)| !parts.is_empty());
    tasks.map(|(kind, parts)| FeederTask { kind, parts }).collect()
}

/// One exchange.
pub(super) fn step(event: &TraceEvent<'_>) -> Step {
    let header = |command: &[u8]| command.first_chunk::<4>().copied();
    match event {
        TraceEvent::Reset { .. } => Step { command: "RESET", header: None, sw: None, micros: 0 },
        TraceEvent::Exchange { command, response, micros } => Step {
            command: command_name(command),
            header: header(command),
            sw: response.last_chunk::<2>().map(|sw| StatusWord(u16::from_be_bytes(*sw))),
            micros: *micros,
        },
        TraceEvent::Lost { command, .. } => Step {
            command: command.map_or("RESET", command_name),
            header: command.and_then(header),
            sw: None,
            micros: 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::chance::Instant;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn waiting_for_a_card_is_no_part_of_the_time() {
        let now = std::sync::Arc::new(AtomicU64::new(1_000));
        let shared = now.clone();
        let clock = Clock::new(move || Instant(shared.load(Ordering::Relaxed)));
        let took = |waited: u64| {
            let mut report = Report::new(true, &Clock::fixed(Instant(1_000)));
            report.waited(waited);
            report.finish(State::Good, Vec::new(), &clock).micros
        };
        now.store(9_000, Ordering::Relaxed);
        assert_eq!((took(0), took(7_500), took(9_000)), (8_000, 500, 0));
    }
}
