//! Gathering the result of a job while it runs.

use super::chip::Chip;
use super::logins::Logins;
use super::plan::Plan;
use super::result::{
    ChannelRef, ChipRef, FaultRef, FeederJob, KeyRef, ProfileRef, ProgramRef, RecordRef, RuleRef, RunResult,
    SameCardRef, StepRef, VERSION,
};
use super::state::State;
use super::verify::ReadBackReport;
use crate::base::chance::Instant;
use crate::base::emv::rules;
use crate::base::{Clock, Code, Fault};
use crate::card::TraceEvent;
use crate::card::apdu::command_name;
use crate::keys::{KeyInfo, KeyStore};
use crate::profile::Profile;
use crate::record::{Record, StripeMade};

/// A result in the making.
#[derive(Debug)]
pub struct Report {
    started: Instant,
    /// Microseconds that nobody worked: a card was waited for.
    waited: u64,
    code: Option<Code>,
    result: RunResult,
    /// What the feeder has to do if the card is good.
    feeder: Vec<FeederJob>,
    /// Where the chip's identity comes from, once it is known.
    identity: Option<&'static str>,
    logins: Logins,
}

impl Report {
    /// A report on a job that starts now.
    pub fn new(program: ProgramRef, simulated: bool, clock: &Clock) -> Self {
        let started = clock.now();
        Self {
            started,
            waited: 0,
            code: None,
            feeder: Vec::new(),
            identity: None,
            logins: Logins::default(),
            result: RunResult {
                perso_result: VERSION,
                state: State::Refused.name().into(),
                action: State::Refused.action(None).into(),
                simulated,
                job: None,
                record: None,
                profile: None,
                program,
                keys: Vec::new(),
                chip: None,
                same_card: None,
                channels: Vec::new(),
                steps: Vec::new(),
                findings: Vec::new(),
                proven: Vec::new(),
                loaded_not_proven: Vec::new(),
                counters: Vec::new(),
                stripe: None,
                rules: Vec::new(),
                feeder: Vec::new(),
                fault: None,
                warnings: Vec::new(),
                started: timestamp(started),
                micros: 0,
            },
        }
    }

    /// What is being made.
    pub fn subject(&mut self, record: &Record, plan: &Plan, store: &dyn KeyStore) {
        self.result.record = Some(RecordRef::of(record));
        self.result.profile = Some(ProfileRef { name: plan.profile.clone(), sha256: hex::encode(plan.profile_hash) });
        self.stripe(record);
        self.feeder = feeder(record);
        for name in record.key_names() {
            self.key(store, &name);
        }
    }

    /// A key that is used.
    pub fn key(&mut self, store: &dyn KeyStore, name: &str) {
        if let Some(info) = store.keys().iter().find(|info| info.name == name) {
            let key = key_ref(info);
            if !self.result.keys.contains(&key) {
                self.result.keys.push(key);
            }
        }
    }

    /// What it is about: record, profile, keys.
    pub(super) fn about(self) -> (Option<RecordRef>, Option<ProfileRef>, Vec<KeyRef>) {
        (self.result.record, self.result.profile, self.result.keys)
    }

    /// A reader and a card were waited for, so many microseconds. They are no part of the time that the job took.
    pub fn waited(&mut self, micros: u64) {
        self.waited = self.waited.saturating_add(micros);
    }

    /// The job's name in the journal.
    pub fn job(&mut self, name: &str) {
        self.result.job = Some(name.to_owned());
    }

    /// The chip.
    pub fn chip(&mut self, chip: &Chip) {
        self.identity = Some(chip.source());
        let id = chip.id().unwrap_or("none").to_owned();
        self.result.chip = Some(ChipRef { id, atr: hex::encode_upper(chip.atr()) });
    }

    /// The logins so far.
    pub(super) fn logins(&mut self) -> &mut Logins {
        &mut self.logins
    }

    /// What it rests on that one card was in the reader from the first command to the last.
    pub(super) fn same_card(&mut self, profile: &Profile) {
        let Some(identity) = self.identity else { return };
        let check = self.logins.check(profile.sequence_counter());
        let one_card_once = identity != "none";
        let by = match identity {
            "none" => "the card has no identity: \"one card once\" is not held".to_owned(),
            "cplc" => "the card is known by its CPLC".to_owned(),
            source => format!("the card is known by its key data ({source})"),
        };
        self.result.same_card = Some(SameCardRef {
            identity: identity.into(),
            one_card_once,
            sequence_counter: check.name().into(),
            rests_on: format!("{by}; {}", check.words()),
        });
    }

    /// A channel that was opened.
    pub fn channel(&mut self, channel: ChannelRef) {
        self.result.channels.push(channel);
    }

    /// What the read-back has shown.
    pub fn read_back(&mut self, found: ReadBackReport) {
        if let (None, Some(first)) = (self.code, found.findings.first()) {
            self.code = Code::find(&first.code);
        }
        self.result.findings = found.findings;
        self.result.proven = found.proven;
        self.result.loaded_not_proven = found.not_proven;
        self.result.counters = found.counters;
    }

    /// The stripe, which this program does not write: the record says where it is made.
    fn stripe(&mut self, record: &Record) {
        let stripe = record.stripe();
        let checked = match stripe.tracks().len() {
            0 => "the record holds no track".to_owned(),
            1 => "one track checked against the chip".to_owned(),
            n => format!("{n} tracks checked against the chip"),
        };
        self.result.stripe = Some(match stripe.made() {
            StripeMade::Elsewhere => format!("not written; it is made elsewhere; {checked}"),
            StripeMade::Nowhere => format!("not written; the card has none; {checked}"),
            StripeMade::Here => format!("not written; the record wants it written here; {checked}"),
        });
    }

    /// What the consistency rules say of the record.
    pub fn rules(&mut self, outcomes: &[rules::Outcome]) {
        self.result.rules = outcomes.iter().map(RuleRef::of).collect();
    }

    /// A fault that ended the job, and the state it leaves.
    pub fn fault(&mut self, error: &dyn Fault, state: State) -> State {
        self.code = Some(error.code());
        let fault = FaultRef::of(error);
        self.result.fault = Some(match error.code() {
            Code::OperatorInterrupted => FaultRef { next: after_interruption(state).to_owned(), ..fault },
            _ => fault,
        });
        state
    }

    /// The code of what went wrong, where something did.
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// The result.
    pub fn finish(mut self, state: State, steps: Vec<StepRef>, clock: &Clock) -> RunResult {
        self.result.state = state.name().into();
        self.result.action = state.action(self.code).into();
        self.result.steps = steps;
        if state == State::Good {
            self.result.feeder = self.feeder;
        }
        self.result.micros = clock.now().since(self.started).saturating_sub(self.waited);
        self.result
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
pub(super) fn feeder(record: &Record) -> Vec<FeederJob> {
    let tracks: Vec<String> = match record.stripe().made() {
        StripeMade::Nowhere => Vec::new(),
        StripeMade::Here | StripeMade::Elsewhere => {
            record.stripe().tracks().iter().map(|track| format!("track {track}")).collect()
        }
    };
    let jobs = [("stripe", tracks), ("print", record.print().parts())];
    jobs.into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(kind, parts)| FeederJob { kind: kind.into(), parts })
        .collect()
}

/// One exchange as the result shows it.
pub(super) fn step(n: u32, event: &TraceEvent<'_>) -> StepRef {
    let (command, header, sw, micros) = match event {
        TraceEvent::Reset { .. } => ("RESET".to_owned(), None, None, 0),
        TraceEvent::Exchange { command, response, micros } => (
            command_name(command).to_owned(),
            header(command),
            response.last_chunk::<2>().map(hex::encode_upper),
            *micros,
        ),
        TraceEvent::Lost { command, .. } => {
            (command.map_or("RESET", command_name).to_owned(), command.and_then(header), None, 0)
        }
    };
    StepRef { n, command, header, sw, micros }
}

fn header(command: &[u8]) -> Option<String> {
    command.first_chunk::<4>().map(hex::encode_upper)
}

/// A profile as results name it.
pub(super) fn profile_ref(profile: &Profile) -> ProfileRef {
    ProfileRef { name: profile.name().to_owned(), sha256: hex::encode(profile.hash()) }
}

fn key_ref(info: &KeyInfo) -> KeyRef {
    KeyRef {
        name: info.name.clone(),
        purpose: info.purpose.name().into(),
        version: info.version,
        kcv: hex::encode_upper(&info.kcv.value),
        kcv_method: info.kcv.method.name().into(),
        test: info.test,
    }
}

/// The day in UTC: year, month, day.
pub fn day(at: Instant) -> Option<(u16, u8, u8)> {
    let time = jiff::Timestamp::from_microsecond(i64::try_from(at.0).ok()?).ok()?;
    let date = jiff::tz::TimeZone::UTC.to_datetime(time).date();
    Some((u16::try_from(date.year()).ok()?, u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?))
}

/// RFC 3339, UTC, to the microsecond.
pub fn timestamp(at: Instant) -> String {
    jiff::Timestamp::from_microsecond(i64::try_from(at.0).unwrap_or(i64::MAX))
        .map_or_else(|_| String::from("unknown"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn waiting_for_a_card_is_no_part_of_the_time() {
        let now = std::sync::Arc::new(AtomicU64::new(1_000));
        let shared = now.clone();
        let clock = Clock::new(move || Instant(shared.load(Ordering::Relaxed)));
        let took = |waited: u64| {
            let mut report = Report::new(ProgramRef::unhashed(), true, &Clock::fixed(Instant(1_000)));
            report.waited(waited);
            report.finish(State::Good, Vec::new(), &clock).micros
        };
        now.store(9_000, Ordering::Relaxed);
        assert_eq!((took(0), took(7_500), took(9_000)), (8_000, 500, 0));
    }
}
