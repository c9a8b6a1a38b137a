//! One attempt: from the card in the reader to its verdict.

use std::sync::{Arc, Mutex};

use super::chip::Chip;
use super::error::JobError;
use super::identify;
use super::job::{Job, ProgressEvent};
use super::journal::Event;
use super::outcome::{Outcome, Step};
use super::personalize::{self, Loaded};
use super::proof::{Made, VerifyError};
use super::report::Report;
use super::state::{Progress, State};
use super::verify::{self, Age, ReadBackReport};
use crate::base::fault::{Code, Family, Fault};
use crate::card::transport::Transport;
use crate::card::{Card, Recorder, TraceEvent};
use crate::record::StripeMade;

/// Whether a card with this fault, untouched, would be put back to the blanks.
fn goes_back(code: Code) -> bool {
    let of_card = matches!(code.entry().family, Family::Card | Family::Key);
    of_card && State::Untouched.action(Some(code)) == State::Untouched.action(None)
}

/// STORE DATA and SET STATUS: the state-changing commands of a job.
fn changes_card(ins: u8) -> bool {
    matches!(ins, 0xE2 | 0xF0)
}

impl<'a> Job<'a> {
    /// Makes the card. Never fails: whatever happens is in the outcome. `report` brings what is known so far.
    pub fn run(mut self, transport: Box<dyn Transport>, mut report: Report) -> Outcome {
        let mut progress = Progress::new(self.plan.state_changing());
        let job = self.journal.next_job(self.record.id());
        let steps = Arc::new(Mutex::new(Vec::new()));
        let mut card = self.card(transport, Arc::clone(&steps));

        let state = match self.admit(&job) {
            Err(error) => report.fault(&error, State::Refused),
            Ok(()) => {
                report.job(&job);
                let state = match self.attempt(&job, &mut card, &mut progress, &mut report) {
                    Ok(state) => state,
                    // Before it goes back to the blanks: is it somebody's finished card?
                    Err(error) if progress.handed() == 0 && goes_back(error.code()) => {
                        let error = identify::finished(&mut card, self.record).unwrap_or(error);
                        report.fault(&error, State::Untouched)
                    }
                    Err(error) => report.fault(&error, progress.state_on_failure()),
                };
                self.settle(&job, state, &mut report)
            }
        };
        let steps = steps.lock().map(|mut steps| std::mem::take(&mut *steps)).unwrap_or_default();
        report.same_card(self.profile);
        report.finish(state, steps, &self.clock)
    }

    /// Whether the job may begin, as far as that is known without a card. Writes nothing.
    ///
    /// # Errors
    /// Why not. [`Job::end`] makes the outcome of it.
    pub fn may_begin(&self) -> Result<(), JobError> {
        if let Some(live) = self.store.keys().iter().find(|key| !key.test) {
            return Err(JobError::Live(live.name.clone()));
        }
        if self.record.stripe().made() == StripeMade::Here {
            return Err(JobError::StripeHere);
        }
        self.made().is_wanted(false).map_err(VerifyError::from)?;
        Ok(self.journal.admit_record(self.record.id())?)
    }

    /// The outcome of a job that ends before there is a card.
    pub fn end(self, error: &dyn Fault, state: State, mut report: Report) -> Outcome {
        let state = report.fault(error, state);
        report.finish(state, Vec::new(), &self.clock)
    }

    /// Live keys need a ledger, a stripe written here needs an encoder, and a record is made once.
    fn admit(&mut self, job: &str) -> Result<(), JobError> {
        self.may_begin()?;
        self.journal.append(&Event::Opened {
            job: job.to_owned(),
            record: self.record.id().to_owned(),
            profile: hex::encode(self.plan.profile_hash),
        })?;
        Ok(())
    }

    fn attempt(
        &mut self,
        job: &str,
        card: &mut Card,
        progress: &mut Progress,
        report: &mut Report,
    ) -> Result<State, JobError> {
        self.emit(ProgressEvent::Identifying);
        let chip = identify::chip(self, card, report.logins())?;
        report.chip(&chip);
        if let Some(id) = chip.id() {
            self.journal.admit_chip(id)?;
            self.journal.append(&Event::Chip { job: job.to_owned(), chip: id.to_owned() })?;
        }
        identify::blank(&chip, self.profile)?;
        identify::lengths(&chip, self.plan)?;
        if self.profile.blank_has_applets() {
            identify::applets(card, self.record)?;
        }
        if let Some(life_cycle) = self.profile.blank_life_cycle() {
            personalize::blank_life_cycle(self, card, life_cycle, report)?;
        }

        let loaded = personalize::all(self, job, card, &chip, progress, report)?;
        self.emit(ProgressEvent::ReadingBack);
        let mut found = self.read_back(card, &chip, &loaded, report)?;
        found.findings.splice(0..0, loaded.iter().flat_map(|app| app.findings.iter().cloned()));
        if found.findings.is_empty() && self.made().is_wanted(chip.is_contactless()).map_err(VerifyError::from)? {
            self.emit(ProgressEvent::Proving);
            let made = self.made();
            // A borrow of its own: the randomness is not a part of what is proven.
            made.prove(card, chip.is_contactless(), self.chance, &mut found)?;
        }
        let equal = found.findings.is_empty();
        report.read_back(found);
        // What was read was on the card that was loaded only where that one is still there.
        let same = identify::same_chip(self, card, &chip, report.logins(), "after reading back");
        if !equal {
            // The read-back has ended: a card that is lost now says nothing more about it, another card does.
            return match same {
                Err(error @ JobError::Swapped { .. }) => Err(error),
                _ => Ok(State::Spoiled),
            };
        }
        same?;
        if self.plan.final_state.is_some() {
            self.emit(ProgressEvent::SettingLifeCycle);
            personalize::close(self, job, card, &chip, progress, report)?;
        }
        Ok(State::Good)
    }

    /// What the card is proven by.
    fn made(&self) -> Made<'a> {
        Made {
            profile: self.profile,
            record: self.record,
            plan: self.plan,
            store: self.store,
            ca_keys: self.ca_keys,
            clock: self.clock.clone(),
        }
    }

    fn read_back(
        &mut self,
        card: &mut Card,
        chip: &Chip,
        loaded: &[Loaded],
        report: &mut Report,
    ) -> Result<ReadBackReport, JobError> {
        let mut found = ReadBackReport::default();
        identify::same_chip(self, card, chip, report.logins(), "before reading back")?;
        for ((app, record), loaded) in self.plan.applications.iter().zip(self.record.applications()).zip(loaded) {
            verify::read_back(card, app, record, &loaded.refused, (chip.is_contactless(), Age::Fresh), &mut found)?;
        }
        Ok(found)
    }

    /// The last word in the journal. If even that cannot be written, the job stays open there, which means in doubt;
    /// the result must not say more than the journal.
    fn settle(&mut self, job: &str, state: State, report: &mut Report) -> State {
        let event = Event::Settled {
            job: job.to_owned(),
            state: state.name().into(),
            code: report.code().map(Code::name).map(String::from),
        };
        match self.journal.append(&event) {
            Ok(()) => state,
            Err(error) if matches!(state, State::Good | State::InDoubt) => report.fault(&error, State::InDoubt),
            Err(error) => report.fault(&error, state),
        }
    }

    /// The card, with every exchange noted for the result and passed on to the trace.
    fn card(&mut self, transport: Box<dyn Transport>, steps: Arc<Mutex<Vec<Step>>>) -> Card {
        let mut onward = self.recorder.take();
        let note = Recorder::new(move |event: TraceEvent<'_>| {
            if let Ok(mut steps) = steps.lock() {
                steps.push(super::report::step(&event));
            }
            if let Some(onward) = &mut onward {
                onward.record(event);
            }
        });
        let stop = self.stop.clone();
        // State-changing commands are asked about before they are counted.
        let gate = move |ins: Option<u8>| if ins.is_some_and(changes_card) { Ok(()) } else { stop.check() };
        Card::new(transport, self.clock.clone()).with_recorder(note).with_test_keys(true).with_gate(gate)
    }
}
