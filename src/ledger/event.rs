//! Events: the only truth of the ledger. Everything else is computed from them.
//!
//! An event is written as canonical JSON (RFC 8785) and never changed. `v` is the version of its shape; a program refuses
//! events of a version that it does not know.

use serde::{Deserialize, Serialize};

pub use super::details::{ChipUse, HoldReason, IssuanceKind, Occasion, SameCard, Verdict};
use super::ids::{
    BootId, CardDigest, ContentDigest, EventId, Fence, JobId, KeyDigest, LedgerId, OrderId, PayloadDigest, ProfileHash,
};
use super::step::{Outcome, Step};
use super::text::{Exact, Text};

/// The version of the events that this program writes.
pub const VERSION: u32 = 1;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Version of its shape, [`VERSION`].
    pub v: u32,
    /// Drawn before the first try to commit it.
    pub id: EventId,
    /// When it happened.
    pub at: Moment,
    /// Who wrote it, and with what.
    pub by: Origin,
    /// Whether `recover` applies it from a spool, on behalf of the worker that could not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spooled: bool,
    /// What happened.
    pub what: What,
}

/// A moment on two clocks. Events are ordered by their number in the ledger, never by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Microseconds since the Unix epoch, by the machine's wall clock.
    pub wall: u64,
    /// The same moment on the clock that is never set.
    pub boot: BootTime,
}

/// A moment since the machine's start (CLOCK_BOOTTIME).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootTime {
    /// Which start.
    pub id: BootId,
    /// Microseconds since then.
    pub micros: u64,
}

/// Who wrote an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The person.
    pub person: Text,
    /// The station.
    pub station: Text,
    /// The reader, if one was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<Text>,
    /// The program and its version.
    pub program: Text,
    /// The profile, if one was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileHash>,
    /// The keys that were used, by name and check value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyCheck>,
}

/// A key that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCheck {
    /// Its name in the key store.
    pub name: Text,
    /// Its check value, hexadecimal.
    pub kcv: Text,
}

/// An order as it is taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// Its identity.
    pub order: OrderId,
    /// Its format: `d1`, `pismo`, `mastercard`, `own` or `record`.
    pub source: Text,
    /// What people know it by: its card id or record id.
    pub label: Text,
    /// Why the card is issued.
    pub kind: IssuanceKind,
    /// What distinguishes it from other orders of the same card.
    pub occasion: Occasion,
    /// PAN, PSN and expiry of each payment application, as digests, in ascending order.
    pub cards: Vec<CardDigest>,
    /// The encrypted data as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadDigest>,
    /// The sender's idempotency key (Pismo `x-idempotency-key`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<KeyDigest>,
    /// The content after decryption, without the PIN block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentDigest>,
    /// What was decided about other orders of the same card.
    pub same_card: SameCard,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// The ledger was made. Always the first event.
    LedgerCreated {
        /// Its name.
        ledger: LedgerId,
        /// Whether it is for live keys.
        live: bool,
    },
    /// An order was taken in.
    OrderReceived(Received),
    /// Its record was prepared.
    OrderPrepared {
        /// The order.
        order: OrderId,
        /// Id of the record.
        record: Text,
    },
    /// The order or its record is wrong.
    OrderRefused {
        /// The order.
        order: OrderId,
        /// The error code.
        code: Text,
    },
    /// The order must wait.
    OrderHeld {
        /// The order.
        order: OrderId,
        /// Why.
        reason: HoldReason,
    },
    /// The order goes on.
    OrderReleased {
        /// The order.
        order: OrderId,
        /// The second person, if the act takes two.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<Text>,
    },
    /// The order is cancelled before its card was begun.
    OrderCancelled {
        /// The order.
        order: OrderId,
    },
    /// No card will be made of the order here. Final.
    OrderGivenUp {
        /// The order.
        order: OrderId,
        /// Why.
        reason: Text,
    },
    /// The order's payload was purged before its card was made.
    OrderExpired {
        /// The order.
        order: OrderId,
    },
    /// A further attempt with the order's content is approved, after its card was spoiled or rejected.
    RemakeApproved {
        /// The order.
        order: OrderId,
        /// The second person.
        second: Text,
    },
    /// A further attempt with corrected content is approved, after its card was spoiled or rejected.
    ReissueApproved {
        /// The order.
        order: OrderId,
        /// The corrected content.
        content: ContentDigest,
        /// The second person.
        second: Text,
    },
    /// A worker takes the order's next attempt.
    JobClaimed {
        /// The job.
        job: JobId,
        /// Proves from now on that the worker has it.
        fence: Fence,
        /// The record that is used.
        record: Text,
        /// Its steps, in order.
        plan: Vec<Step>,
    },
    /// The chip in the reader was identified.
    ChipIdentified {
        /// The job.
        job: JobId,
        /// The claim's fence.
        fence: Fence,
        /// The chip; none if the product has no chip identity.
        chip: Option<ChipUse>,
    },
    /// A step is about to begin: durable before its first byte.
    StepAboutTo {
        /// The job.
        job: JobId,
        /// The claim's fence.
        fence: Fence,
        /// Number of the step in the plan, from 0.
        n: u32,
        /// The step.
        step: Step,
    },
    /// A step has ended.
    StepDid {
        /// The job.
        job: JobId,
        /// The claim's fence.
        fence: Fence,
        /// Number of the step in the plan.
        n: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// The job has ended at the reader.
    JobEnded {
        /// The job.
        job: JobId,
        /// The claim's fence.
        fence: Fence,
        /// How.
        verdict: Verdict,
        /// The error code, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Text>,
    },
    /// The worker's lease ran out, and the job was taken from it.
    LeaseExpired {
        /// The job.
        job: JobId,
        /// The fence that was taken from the worker.
        fence: Fence,
    },
    /// `recover` takes a job in doubt.
    RecoveryClaimed {
        /// The job.
        job: JobId,
        /// Proves from now on that this run of `recover` has it.
        fence: Fence,
    },
    /// `recover` has read the card.
    JobRecovered {
        /// The job.
        job: JobId,
        /// Fence of [`What::RecoveryClaimed`].
        fence: Fence,
        /// What was found: good or spoiled.
        verdict: Verdict,
        /// Numbers of the steps that the card itself proves, in ascending order.
        proven: Vec<u32>,
        /// Whether the read-back was equal and the final life cycle is set.
        equal: bool,
    },
    /// The card of a job in doubt was destroyed.
    JobSettled {
        /// The job.
        job: JobId,
        /// The second person.
        second: Text,
    },
    /// Chip, stripe, print and look have passed.
    CardMade {
        /// The job.
        job: JobId,
    },
    /// A good, made or shipped card is taken back.
    CardRejected {
        /// The job.
        job: JobId,
        /// Why.
        reason: Text,
    },
    /// A made card was handed to its holder.
    CardHandedOver {
        /// The job.
        job: JobId,
    },
    /// A made card was sent.
    CardShipped {
        /// The job.
        job: JobId,
        /// By whom.
        carrier: Text,
        /// Number of the shipment.
        tracking: Exact,
    },
}

impl What {
    /// The job that the event is about.
    pub fn job(&self) -> Option<JobId> {
        match self {
            What::JobClaimed { job, .. }
            | What::ChipIdentified { job, .. }
            | What::StepAboutTo { job, .. }
            | What::StepDid { job, .. }
            | What::JobEnded { job, .. }
            | What::LeaseExpired { job, .. }
            | What::RecoveryClaimed { job, .. }
            | What::JobRecovered { job, .. }
            | What::JobSettled { job, .. }
            | What::CardMade { job }
            | What::CardRejected { job, .. }
            | What::CardHandedOver { job }
            | What::CardShipped { job, .. } => Some(*job),
            _ => None,
        }
    }

    /// The order that the event is about.
    pub fn order(&self) -> Option<OrderId> {
        match self {
            What::LedgerCreated { .. } => None,
            What::OrderReceived(received) => Some(received.order),
            What::OrderPrepared { order, .. }
            | What::OrderRefused { order, .. }
            | What::OrderHeld { order, .. }
            | What::OrderReleased { order, .. }
            | What::OrderCancelled { order }
            | What::OrderGivenUp { order, .. }
            | What::OrderExpired { order }
            | What::RemakeApproved { order, .. }
            | What::ReissueApproved { order, .. } => Some(*order),
            other => other.job().map(|job| job.order),
        }
    }
}
