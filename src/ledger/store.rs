//! A store of the ledger: events and their tables, committed together.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::Breach;
use super::event::Event;
use super::identity::IdentityKey;
use super::ids::{CardDigest, EventId, Fence, JobId, KeyDigest, OrderId, PayloadDigest};
use super::refusal::Refusal;
use super::rows::{Facts, JobRow, JobState, OrderRow, OrderState};
use super::tables::NotApplied;
use crate::base::chance::ChanceError;
use crate::base::fault::{Code, Fault};

/// Where the ledger is kept. One test suite runs over every implementation (`tests/it/ledger_stores.rs`).
pub trait LedgerStore: Send {
    /// The ledger: its name, and whether it is for live keys.
    fn facts(&self) -> Facts;

    /// The identity key of a test ledger, which is kept in it; None for a live ledger, whose key is in the key store.
    fn identity_key(&self) -> Option<&IdentityKey>;

    /// Writes events and what they change, all of them or none. When this returns, a power cut cannot take them back.
    ///
    /// # Errors
    /// [`StoreError::Refused`], and nothing was written; [`StoreError::Unknown`], and nobody knows; every other one, and
    /// nothing was written. A call that is answered after [`StoreError::Unknown`] sees what became of that commit.
    fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError>;

    /// Renews a worker's lease, counted from now.
    ///
    /// # Errors
    /// The job was taken from the worker, or the lease has run out; the store's.
    fn renew(&mut self, job: JobId, fence: Fence, length: Duration) -> Result<(), StoreError>;

    /// Jobs of which the lease has run out, with the fence to take.
    ///
    /// # Errors
    /// The store's; so for all that follow.
    fn overdue(&mut self) -> Result<Vec<(JobId, Fence)>, StoreError>;

    /// One order.
    ///
    /// # Errors
    /// The store's.
    fn order(&mut self, id: &OrderId) -> Result<Option<OrderRow>, StoreError>;

    /// One job.
    ///
    /// # Errors
    /// The store's.
    fn job(&mut self, id: &JobId) -> Result<Option<JobRow>, StoreError>;

    /// The jobs of an order, by attempt.
    ///
    /// # Errors
    /// The store's.
    fn jobs_of(&mut self, order: &OrderId) -> Result<Vec<JobRow>, StoreError>;

    /// Orders that fit a query, the latest first.
    ///
    /// # Errors
    /// The store's.
    fn orders(&mut self, query: &Query<OrderState>) -> Result<Vec<OrderRow>, StoreError>;

    /// Jobs that fit a query, the latest first.
    ///
    /// # Errors
    /// The store's.
    fn jobs(&mut self, query: &Query<JobState>) -> Result<Vec<JobRow>, StoreError>;

    /// Orders whose identity begins with these hexadecimal digits, at most `limit`.
    ///
    /// # Errors
    /// The store's.
    fn find(&mut self, prefix: &str, limit: usize) -> Result<Vec<OrderId>, StoreError>;

    /// Orders of a card, the latest first.
    ///
    /// # Errors
    /// The store's.
    fn of_card(&mut self, card: &CardDigest) -> Result<Vec<OrderRow>, StoreError>;

    /// The order with a payload.
    ///
    /// # Errors
    /// The store's.
    fn of_payload(&mut self, payload: &PayloadDigest) -> Result<Option<OrderId>, StoreError>;

    /// The order that came with an idempotency key first.
    ///
    /// # Errors
    /// The store's.
    fn of_key(&mut self, key: &KeyDigest) -> Result<Option<OrderId>, StoreError>;

    /// The number of an event; None if it was never committed.
    ///
    /// # Errors
    /// The store's.
    fn number_of(&mut self, event: &EventId) -> Result<Option<u64>, StoreError>;

    /// Events behind a number, in order, at most `limit`; only those of one order if one is named.
    ///
    /// # Errors
    /// The store's.
    fn events(&mut self, after: u64, of: Option<&OrderId>, limit: usize) -> Result<Vec<Numbered>, StoreError>;

    /// Computes the tables again from the events, and compares. Returns every difference, and every rule that does not
    /// hold.
    ///
    /// # Errors
    /// The store's; an event does not fit those before it.
    fn verify(&mut self) -> Result<Vec<Difference>, StoreError>;
}

/// Events that are committed together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The lease of the job that one of them claims.
    pub lease: Option<Duration>,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The numbers of the events.
    pub numbers: Vec<u64>,
    /// Whether they had been committed before.
    pub repeated: bool,
}

/// An event and its number in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// From 1.
    pub number: u64,
    /// The event.
    pub event: Event,
}

/// Which orders or jobs are wanted.
#[derive(Debug, Clone)]
pub struct Query<S> {
    /// In one of these states; empty for all.
    pub states: Vec<S>,
    /// Held orders only.
    pub held: bool,
    /// At this station.
    pub station: Option<String>,
    /// Taken in (order) or claimed (job) at this moment of the wall clock or later.
    pub from: Option<u64>,
    /// Taken in or claimed before this moment.
    pub until: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

impl<S> Default for Query<S> {
    fn default() -> Self {
        Self { states: Vec::new(), held: false, station: None, from: None, until: None, limit: usize::MAX }
    }
}

/// Something in the tables that the events do not bear out, or a rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A row differs from what the events give.
    Row(String),
    /// A rule does not hold.
    Rule(Breach),
}

/// What a store refuses, or cannot do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An event does not fit what has happened.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another process has been writing for too long.
    #[error("the ledger {0} is being written by another process")]
    Busy(String),
    /// No answer: whether a commit has happened is not known.
    #[error("the ledger {0} has not answered in time, or not confirmed a commit")]
    Unknown(String),
    /// No space is left.
    #[error("no space is left for the ledger {0}")]
    Full(String),
    /// The file may not be written.
    #[error("the ledger {0} cannot be written: it is read-only")]
    ReadOnly(String),
    /// The place cannot hold a ledger, or holds none.
    #[error("{path} cannot be used as a ledger: {why}")]
    Place {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
        /// What to do next, if what the catalogue says does not fit.
        next: Option<String>,
    },
    /// A schema that this program does not know.
    #[error("the schema of the ledger {place} {why}")]
    Schema {
        /// The ledger.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// Tables or events that this program did not write so.
    #[error("the ledger {place} is damaged: {what}")]
    Damaged {
        /// The ledger.
        place: String,
        /// What is damaged.
        what: String,
    },
    /// The operating system or the database failed.
    #[error("the ledger {place} cannot be {what}")]
    Failed {
        /// The ledger.
        place: String,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The random source failed.
    #[error(transparent)]
    Chance(#[from] ChanceError),
}

impl StoreError {
    /// The ledger's file, if the error is about it.
    pub fn path(&self) -> Option<&Path> {
        match self {
            StoreError::Refused(_) | StoreError::Chance(_) => None,
            StoreError::Busy(place) | StoreError::Unknown(place) | StoreError::Full(place) => Some(Path::new(place)),
            StoreError::ReadOnly(place) => Some(Path::new(place)),
            StoreError::Place { path, .. } => Some(path),
            StoreError::Schema { place, .. } | StoreError::Damaged { place, .. } | StoreError::Failed { place, .. } => {
                Some(Path::new(place))
            }
        }
    }
}

impl Fault for StoreError {
    fn code(&self) -> Code {
        match self {
            StoreError::Refused(refusal) => refusal.code(),
            StoreError::Busy(_) => Code::LedgerBusy,
            StoreError::Unknown(_) => Code::LedgerUnknown,
            StoreError::Full(_) | StoreError::ReadOnly(_) | StoreError::Failed { .. } => Code::LedgerWrite,
            StoreError::Place { .. } => Code::LedgerPlace,
            StoreError::Schema { .. } => Code::LedgerSchema,
            StoreError::Damaged { .. } => Code::LedgerDamaged,
            StoreError::Chance(_) => Code::ProgramFault,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            StoreError::Refused(refusal) => refusal.remedy(),
            StoreError::Place { next, .. } => next.clone(),
            StoreError::Full(place) => {
                Some(format!("Free some space on the file system of {place}, then start again; nothing was lost."))
            }
            StoreError::ReadOnly(place) => {
                Some(format!("Give the user who runs perso the right to write {place} and its folder."))
            }
            _ => None,
        }
    }
}

impl From<NotApplied<Infallible>> for StoreError {
    fn from(error: NotApplied<Infallible>) -> Self {
        match error {
            NotApplied::Refused(refusal) => StoreError::Refused(refusal),
            NotApplied::Failed(never) => match never {},
        }
    }
}
