//! Details of events: why a card is issued, why an order is held, how a job ended.

use serde::{Deserialize, Serialize};

use super::text::{Exact, Text};

/// What distinguishes orders of the same card (design: occasion).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Occasion {
    /// The source gives none: the first is 1, a released further one the next.
    Counted {
        /// From 1.
        n: u32,
    },
    /// A request id of the issuer (THALES `issuerRequestId`).
    Request {
        /// As it came.
        id: Text,
    },
    /// A plastic sequence number (Mastercard).
    PlasticSequence {
        /// As it came.
        n: u32,
    },
    /// A track number (Pismo).
    TrackNumber {
        /// As it came.
        n: u32,
    },
    /// Stated in our own order format.
    Stated {
        /// As it came.
        id: Text,
    },
    /// A record that came without its order.
    Record,
}

impl Occasion {
    /// The number that the source counts up with each card, if it has one.
    pub fn rising(&self) -> Option<u32> {
        match self {
            Occasion::PlasticSequence { n } | Occasion::TrackNumber { n } => Some(*n),
            _ => None,
        }
    }
}

/// Why a card is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuanceKind {
    /// A first card.
    Creation,
    /// The one before expires.
    Renewal,
    /// The one before was lost, stolen or damaged.
    Replacement,
    /// Not stated: a record that came without its order.
    Unknown,
}

impl IssuanceKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            IssuanceKind::Creation => "creation",
            IssuanceKind::Renewal => "renewal",
            IssuanceKind::Replacement => "replacement",
            IssuanceKind::Unknown => "unknown",
        }
    }
}

/// What was decided about other orders of the same card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SameCard {
    /// There is no such order.
    None,
    /// There is one: this one is held until a supervisor releases it.
    Held,
    /// There is one, and a warning was given: on a test ledger only.
    Warned,
    /// The product's cards share one PAN and PSN.
    SharedPan,
}

/// Why an order is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldReason {
    /// Another order of the same card is open or made.
    SameCard,
    /// It asks for a further renewal or replacement of a card already made.
    FurtherCard,
    /// It came again with other content.
    OtherContent,
    /// A person holds it, or the issuer has it held.
    Asked,
}

impl HoldReason {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            HoldReason::SameCard => "another order of the same card is open or made",
            HoldReason::FurtherCard => "it asks for a further card",
            HoldReason::OtherContent => "it came again with other content",
            HoldReason::Asked => "it was held on request",
        }
    }
}

/// How a job ended at the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// One good chip.
    Good,
    /// The blank is still a blank.
    Untouched,
    /// The card must be destroyed.
    Spoiled,
    /// Only reading the card can tell.
    InDoubt,
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Untouched => "untouched",
            Verdict::Spoiled => "spoiled",
            Verdict::InDoubt => "in-doubt",
        }
    }
}

/// A chip, and the number of its use: 1, and more only for cards of a lab that are used again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipUse {
    /// Chip identity.
    pub chip: Exact,
    /// From 1.
    pub n: u32,
}
