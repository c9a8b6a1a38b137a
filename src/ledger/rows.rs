//! The tables: what the events say of each order and each job. Every row can be computed again from the events.

use serde::{Deserialize, Serialize};

use super::event::{ChipUse, HoldReason, IssuanceKind, Occasion};
use super::ids::{CardDigest, ContentDigest, Fence, JobId, KeyDigest, LedgerId, OrderId, PayloadDigest};
use super::step::Step;
use super::text::Text;

/// The ledger itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Its name.
    pub ledger: LedgerId,
    /// Whether it is for live keys.
    pub live: bool,
}

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$each])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word for it.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }

            /// The state of this name.
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.name() == name)
            }
        }
    };
}

states!(
    /// What has become of an order.
    OrderState {
        /// Taken in and stored.
        Received = "received",
        /// Its record exists; no card is begun.
        Prepared = "prepared",
        /// The first step that changes the chip is durable.
        Personalizing = "personalizing",
        /// Only reading the card can tell.
        InDoubt = "in-doubt",
        /// The chip is good; stripe, print and look may still be to come.
        Good = "good",
        /// The card has passed in every respect.
        Made = "made",
        /// The card was sent.
        Shipped = "shipped",
        /// The card must be destroyed; the order can be made again.
        Spoiled = "spoiled",
        /// A good or made card was taken back; the order can be made again.
        Rejected = "rejected",
        /// The order or its record is wrong.
        Refused = "refused",
        /// No card will be made of it here. Final.
        GivenUp = "given-up",
        /// Cancelled before its card was begun.
        Cancelled = "cancelled",
        /// Its payload was purged.
        Expired = "expired",
    }
);

impl OrderState {
    /// Whether the order may still become a card, or has become one: another order of the same card must wait.
    pub fn holds_others(self) -> bool {
        !matches!(self, Self::Refused | Self::GivenUp | Self::Cancelled | Self::Expired)
    }
}

states!(
    /// What has become of a job.
    JobState {
        /// A worker has it; the chip is untouched.
        Claimed = "claimed",
        /// A step that changes the chip has begun.
        Personalizing = "personalizing",
        /// Only reading the card can tell.
        InDoubt = "in-doubt",
        /// The chip is good.
        Good = "good",
        /// The card has passed in every respect.
        Made = "made",
        /// The card was sent.
        Shipped = "shipped",
        /// The blank is still a blank.
        Untouched = "untouched",
        /// The card must be destroyed.
        Spoiled = "spoiled",
        /// A good or made card was taken back.
        Rejected = "rejected",
    }
);

impl JobState {
    /// Whether the job has not ended: at most one job of an order has not.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Claimed | Self::Personalizing | Self::InDoubt)
    }

    /// Whether the job's card is one: at most one job of an order has such a card.
    pub fn has_card(self) -> bool {
        matches!(self, Self::Good | Self::Made | Self::Shipped)
    }

    /// What the order is while this is its latest job.
    pub fn order_state(self) -> OrderState {
        match self {
            JobState::Claimed | JobState::Untouched => OrderState::Prepared,
            JobState::Personalizing => OrderState::Personalizing,
            JobState::InDoubt => OrderState::InDoubt,
            JobState::Good => OrderState::Good,
            JobState::Made => OrderState::Made,
            JobState::Shipped => OrderState::Shipped,
            JobState::Spoiled => OrderState::Spoiled,
            JobState::Rejected => OrderState::Rejected,
        }
    }
}

states!(
    /// What has become of a step of a job.
    StepState {
        /// Not begun.
        Planned = "planned",
        /// About to begin, or begun; its end is not known.
        Begun = "begun",
        /// Every command was accepted, or the card proves that.
        Done = "done",
        /// A command failed.
        Failed = "failed",
        /// Not one byte was sent.
        Withdrawn = "withdrawn",
    }
);

/// One order: one row for all time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRow {
    /// Its identity.
    pub order: OrderId,
    /// Its format.
    pub source: Text,
    /// What people know it by.
    pub label: Text,
    /// Why the card is issued.
    pub kind: IssuanceKind,
    /// What distinguishes it from other orders of the same card.
    pub occasion: Occasion,
    /// PAN, PSN and expiry of each payment application, as digests.
    pub cards: Vec<CardDigest>,
    /// The encrypted data as it came.
    pub payload: Option<PayloadDigest>,
    /// The sender's idempotency key.
    pub idempotency: Option<KeyDigest>,
    /// The content, without the PIN block.
    pub content: Option<ContentDigest>,
    /// What has become of it.
    pub state: OrderState,
    /// Why it is held, if it is.
    pub held: Option<HoldReason>,
    /// The record that the next attempt uses.
    pub record: Option<Text>,
    /// Whether a further attempt was approved and has not begun.
    pub remake: bool,
    /// Number of attempts.
    pub attempts: u32,
    /// The attempt that has not ended.
    pub live: Option<u32>,
    /// The attempt whose card is good, made or shipped.
    pub card: Option<u32>,
    /// When it was taken in, by the wall clock.
    pub received: u64,
}

/// One job: one attempt to make a card of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRow {
    /// The job.
    pub job: JobId,
    /// What has become of it.
    pub state: JobState,
    /// The record that is used.
    pub record: Text,
    /// Its steps, in order, and what has become of each.
    pub steps: Vec<(Step, StepState)>,
    /// Whether the chip in the reader was identified.
    pub identified: bool,
    /// The chip; none before that, or if the product has no chip identity.
    pub chip: Option<ChipUse>,
    /// The fence of the worker, or of the run of `recover`, that has the job.
    pub fence: Option<Fence>,
    /// The fence that was taken from a worker, until somebody claims the job.
    pub taken: Option<Fence>,
    /// The error code that it ended with.
    pub code: Option<Text>,
    /// Whether the made card was handed to its holder.
    pub handed_over: bool,
    /// The station that claimed it.
    pub station: Text,
    /// The reader.
    pub reader: Option<Text>,
    /// When it was claimed, by the wall clock.
    pub claimed: u64,
    /// When the last event about it was written, by the wall clock.
    pub changed: u64,
}

impl JobRow {
    /// Whether a step that changes the chip has begun and was not withdrawn.
    pub fn is_touched(&self) -> bool {
        self.steps.iter().any(|(step, state)| {
            step.changes_chip() && matches!(state, StepState::Begun | StepState::Done | StepState::Failed)
        })
    }

    /// Whether every step that changes the chip is done.
    pub fn is_whole(&self) -> bool {
        self.steps.iter().all(|(step, state)| !step.changes_chip() || *state == StepState::Done)
    }

    /// The step that has begun and not ended.
    pub fn open_step(&self) -> Option<usize> {
        self.steps.iter().position(|(_, state)| *state == StepState::Begun)
    }

    /// The chip that the job has to itself: no other job may use it.
    pub fn holds_chip(&self) -> Option<&ChipUse> {
        self.chip.as_ref().filter(|_| self.is_touched() && self.state != JobState::Untouched)
    }
}
