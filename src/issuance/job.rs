//! One record, one card, one verdict: what a job needs, and what it tells while it runs. `attempt.rs` is how it runs.

use std::sync::mpsc::{Sender, channel};

use super::intake::Ready;
use super::journal::Journal;
use super::plan::Plan;
use super::setup::Setup;
use crate::base::{Chance, Clock, StopRequest};
use crate::card::Recorder;
use crate::keys::KeyStore;
use crate::keys::ca_keys::CaKeys;
use crate::profile::Profile;
use crate::record::Record;

/// Everything that a job needs and that was ready before a card was asked for.
///
/// ```
/// use std::sync::Arc;
///
/// use perso::base::chance::Instant;
/// use perso::base::{Chance, Clock};
/// use perso::card::sim::SimTransport;
/// use perso::issuance::blank::{self, Wanted};
/// use perso::issuance::intake;
/// use perso::issuance::job::Job;
/// use perso::issuance::journal::Journal;
/// use perso::issuance::report::Report;
/// use perso::issuance::setup::{ProfileFolder, Setup};
/// use perso::issuance::state::State;
/// use perso::keys::file;
///
/// let keys = file::load(&std::fs::read("tests/samples/keys.test.json")?, None)?;
/// let profiles = ProfileFolder::new("card-profiles".as_ref());
/// let chance = Chance::fixed((0..=255).cycle().take(4096).collect());
/// let clock = Clock::fixed(Instant(1_700_000_000_000_000));
/// let mut setup = Setup::new(Arc::new(keys), Arc::new(profiles), clock, chance);
///
/// let record = std::fs::read("tests/samples/debit-aes-scp03.record.json")?;
/// let ready = intake::take(&record, &mut setup, &mut Vec::new())?;
/// let wanted = Wanted { profile: &ready.profile, aids: blank::aids(&ready.record), master: None, serial: None };
/// let card = SimTransport::memory(blank::make(&wanted, &*setup.keys, &mut setup.chance)?);
///
/// let mut journal = Journal::in_memory();
/// let mut report = Report::new(true, &setup.clock);
/// report.subject(&ready.record, &ready.plan, &*setup.keys);
/// let outcome = Job::new(&ready, &mut setup, &mut journal).run(Box::new(card), report);
/// assert_eq!(outcome.state, State::Good);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Job<'a> {
    /// The record, opened and checked against its profile.
    pub record: &'a Record,
    /// The profile.
    pub profile: &'a Profile,
    /// The plan made of the two.
    pub plan: &'a Plan,
    /// The keys.
    pub store: &'a dyn KeyStore,
    /// The CA keys that the card is proven by at the end; none where it is not.
    pub ca_keys: Option<&'a CaKeys>,
    /// The journal.
    pub journal: &'a mut Journal,
    /// The time.
    pub clock: Clock,
    /// Randomness for challenges.
    pub chance: &'a mut Chance,
    /// Progress events; the receiver may be dropped.
    pub progress: Sender<ProgressEvent>,
    /// Where every exchange is written down, where that is wanted.
    pub recorder: Option<Recorder>,
    /// A request to stop. Before the first state-changing command it ends the job UNTOUCHED; after it the card is finished,
    /// unless a second request comes.
    pub stop: StopRequest,
}

/// What a job is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressEvent {
    /// The card is identified.
    Identifying,
    /// An application is loaded.
    Loading {
        /// Its label (tag 50), if the record shows one: as the issuer wrote it, so not to be trusted by a terminal.
        label: Option<String>,
        /// Its AID.
        aid: Vec<u8>,
    },
    /// STORE DATA commands of all applications.
    Stored {
        /// Sent and answered.
        done: u32,
        /// All.
        all: u32,
    },
    /// The card is read back.
    ReadingBack,
    /// The card is proven by cryptograms and signatures.
    Proving,
    /// The card's final life cycle is set.
    SettingLifeCycle,
}

impl<'a> Job<'a> {
    /// A job on what is ready, with nobody listening to its progress, no recorder, and nobody to stop it.
    pub fn new(ready: &'a Ready, setup: &'a mut Setup, journal: &'a mut Journal) -> Self {
        let (progress, _) = channel();
        Self {
            record: &ready.record,
            profile: &ready.profile,
            plan: &ready.plan,
            store: &*setup.keys,
            ca_keys: setup.ca_keys.as_ref(),
            journal,
            clock: setup.clock.clone(),
            chance: &mut setup.chance,
            progress,
            recorder: None,
            stop: StopRequest::default(),
        }
    }

    pub(super) fn emit(&self, event: ProgressEvent) {
        // The receiver may be dropped.
        let _ = self.progress.send(event);
    }
}
