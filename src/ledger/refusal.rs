//! What the ledger refuses: an event that does not fit what has happened. Nothing is written then.

use super::event::{HoldReason, VERSION};
use super::ids::{EventId, JobId, OrderId, short};
use super::rows::{JobState, OrderState};
use crate::base::fault::{Code, Fault};

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the first event, or a second first one.
    #[error("the ledger has been made already, or not yet")]
    Created,
    /// An event of a shape that this program does not write.
    #[error("the event has version {0}, this program knows version {VERSION}")]
    Version(u32),
    /// An event id that was used for another event.
    #[error("event {0} was written with other content")]
    EventIdUsed(EventId),
    /// No such order.
    #[error("order {} is not in the ledger", short(.0))]
    NoOrder(OrderId),
    /// The order is there already.
    #[error("order {} is in the ledger already: {}", short(.0), .1.name())]
    OrderKnown(OrderId, OrderState),
    /// The same payload came before, as another order.
    #[error("the same encrypted data came before, as order {}", short(.0))]
    PayloadKnown(OrderId),
    /// The sender's idempotency key came before, with another order.
    #[error("the idempotency key came before, with order {}", short(.0))]
    KeyKnown(OrderId),
    /// Another order of the same card is open or made, and nothing was decided about it.
    #[error("order {} is for the same card (PAN, PSN, expiry)", short(.0))]
    SameCard(OrderId),
    /// The order is in a state in which this is not done.
    #[error("order {} is {}: {what}", short(.order), .state.name())]
    OrderState {
        /// The order.
        order: OrderId,
        /// Its state.
        state: OrderState,
        /// What is not done then.
        what: &'static str,
    },
    /// The order is held.
    #[error("order {} is held: {}", short(.0), .1.words())]
    Held(OrderId, HoldReason),
    /// The order is not held.
    #[error("order {} is not held", short(.0))]
    NotHeld(OrderId),
    /// A card of the order is good, made or shipped.
    #[error("order {} has become a card in job {}", short(&.0.order), .0.short())]
    HasCard(JobId),
    /// Another job of the order has not ended.
    #[error("job {} of the order has not ended: {}", .0.short(), .1.name())]
    HasLiveJob(JobId, JobState),
    /// The attempts of an order are numbered from 1, without a gap.
    #[error("the next job of the order is {}", .0.short())]
    Attempt(JobId),
    /// The plan of a job is empty, too long, or out of order.
    #[error("the plan of the job {0}")]
    Plan(&'static str),
    /// No such job.
    #[error("job {} is not in the ledger", .0.short())]
    NoJob(JobId),
    /// The job is in a state in which this is not done.
    #[error("job {} is {}: {what}", .job.short(), .state.name())]
    JobState {
        /// The job.
        job: JobId,
        /// Its state.
        state: JobState,
        /// What is not done then.
        what: &'static str,
    },
    /// The fence is not the job's: somebody else has it.
    #[error("job {} was taken over by another worker", .0.short())]
    Fence(JobId),
    /// The worker's lease has run out.
    #[error("the lease of job {} has run out", .0.short())]
    Lease(JobId),
    /// The worker's lease still runs.
    #[error("the lease of job {} has not run out", .0.short())]
    LeaseRuns(JobId),
    /// The chip belongs to another job.
    #[error("chip {chip} belongs to job {}", .job.short())]
    ChipUsed {
        /// Chip identity.
        chip: String,
        /// The job.
        job: JobId,
    },
    /// A chip is used again, but not as the next use, or on a live ledger.
    #[error("chip {0} cannot be used again so")]
    ChipAgain(String),
    /// A step that is not the next one.
    #[error("step {n} of job {} {why}", .job.short())]
    Step {
        /// The job.
        job: JobId,
        /// Number of the step.
        n: u32,
        /// Why not.
        why: &'static str,
    },
    /// A verdict that the events do not bear out.
    #[error("job {} cannot end so: {why}", .job.short())]
    Verdict {
        /// The job.
        job: JobId,
        /// Why not.
        why: &'static str,
    },
    /// An act of two by one person.
    #[error("a second person must be named, other than the first")]
    SecondPerson,
    /// Something that only a test ledger allows.
    #[error("{0}: on a test ledger only")]
    TestOnly(&'static str),
    /// A spooled event about something that `recover` does not apply.
    #[error("only the end of a step and the end of a job come from a spool")]
    Spooled,
}

impl Fault for Refusal {
    fn code(&self) -> Code {
        match self {
            Refusal::OrderKnown(..)
            | Refusal::PayloadKnown(_)
            | Refusal::KeyKnown(_)
            | Refusal::HasCard(_)
            | Refusal::HasLiveJob(_, JobState::Claimed | JobState::Personalizing) => Code::LedgerRecord,
            Refusal::HasLiveJob(..) => Code::LedgerDoubt,
            Refusal::SameCard(_) | Refusal::Held(..) => Code::LedgerHeld,
            Refusal::ChipUsed { .. } | Refusal::ChipAgain(_) => Code::LedgerCard,
            Refusal::Fence(_) | Refusal::Lease(_) => Code::LedgerFence,
            Refusal::Version(_) => Code::LedgerSchema,
            _ => Code::LedgerState,
        }
    }
}
