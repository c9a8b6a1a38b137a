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
