//! What can end a job before its verdict.

use super::journal::JournalError;
use super::proof::error::VerifyError;
use crate::base::Interrupted;
use crate::base::chance::ChanceError;
use crate::base::fault::{Code, Fault};
use crate::card::CardError;
use crate::card::apdu::StatusWord;
use crate::card::channel::{ChannelError, SpecError};
use crate::card::cps::CpsError;
use crate::keys::KeyError;

/// A fault that ended a job. What it means for the card is the job's [`State`](super::state::State), not the fault's.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The link, the card's refusal, or the card's misbehaviour.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The secure channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// STORE DATA.
    #[error(transparent)]
    Cps(#[from] CpsError),
    /// A channel that no specification knows.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A request to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// A live key, and no ledger that live work needs.
    #[error("key {0:?} is a live key, and live keys are refused until there is a ledger")]
    Live(String),
    /// The record wants the stripe written here.
    #[error("the record wants its magnetic stripe written here, and this station has no encoder")]
    StripeHere,
    /// Not the blank that the profile expects.
    #[error("the card is not the blank that the profile expects: {what} is {seen}, not {wanted}")]
    Blank {
        /// What was looked at.
        what: &'static str,
        /// As the card has it.
        seen: String,
        /// As the profile wants it.
        wanted: String,
    },
    /// The card data (GET DATA 66) names no channel like the profile's.
    #[error("the card data offers {offered}, the profile states {wanted}")]
    CardData {
        /// The channels in the card data.
        offered: String,
        /// The profile's channel.
        wanted: String,
    },
    /// The application is there but personalized already.
    #[error("application {aid} is personalized already: {what}")]
    Personalized {
        /// The application.
        aid: String,
        /// How that shows.
        what: String,
    },
    /// Another chip than the one the job began with.
    #[error("{step}: the card in the reader is {seen}, the job began with {began}")]
    Swapped {
        /// When it was noticed.
        step: &'static str,
        /// Identity now.
        seen: String,
        /// Identity at the beginning.
        began: String,
    },
    /// Another card with the same identity and keys: its sequence counter is not that of the job's card.
    #[error(
        "the sequence counter of {aid} is {now}, and it was {before} at the last login, {sent} INITIALIZE UPDATE commands \
         earlier: another card with the same keys is in the reader. If cards of this product count otherwise, state it as \
         [quirks] sequence_counter in the profile"
    )]
    Cloned {
        /// What was logged in to.
        aid: String,
        /// Counter at the last login.
        before: u32,
        /// Counter now.
        now: u32,
        /// INITIALIZE UPDATE commands since the last login.
        sent: u32,
    },
    /// The card refused a command that the job cannot go on without.
    #[error("the card refused {command} with {sw} ({meaning})")]
    Refused {
        /// The command, and what it carried.
        command: String,
        /// The status word.
        sw: StatusWord,
        /// What it means.
        meaning: &'static str,
    },
    /// The final life cycle was set, and the card does not confirm it.
    #[error("the card's life cycle is {seen} after SET STATUS, not {wanted}")]
    LifeCycle {
        /// As GET STATUS says.
        seen: String,
        /// As the profile wants it.
        wanted: String,
    },
    /// Proving the card.
    #[error("proving the card: {0}")]
    Proof(#[source] Box<VerifyError>),
    /// Something that the checks before the card should have ruled out.
    #[error("{0}")]
    Inconsistent(&'static str),
}

impl From<VerifyError> for JobError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Card(error) => JobError::Card(error),
            VerifyError::Chance(error) => JobError::Chance(error),
            error @ (VerifyError::Issuer(_) | VerifyError::Clock) => JobError::Proof(Box::new(error)),
        }
    }
}

impl Fault for JobError {
    fn code(&self) -> Code {
        match self {
            JobError::Card(error) => error.code(),
            JobError::Channel(error) => error.code(),
            JobError::Cps(error) => error.code(),
            JobError::Key(error) => error.code(),
            JobError::Journal(error) => error.code(),
            JobError::Interrupted(interrupted) => interrupted.code(),
            JobError::Chance(_) | JobError::Spec(_) | JobError::Inconsistent(_) => Code::ProgramFault,
            JobError::Proof(error) => error.code(),
            JobError::Live(_) => Code::KeyLive,
            JobError::StripeHere => Code::StripeHere,
            JobError::Blank { .. } => Code::CardBlank,
            JobError::CardData { .. } => Code::CardProtocol,
            JobError::Personalized { .. } => Code::CardPersonalized,
            JobError::Swapped { .. } | JobError::Cloned { .. } => Code::CardSwapped,
            JobError::Refused { .. } => Code::CardRefused,
            JobError::LifeCycle { .. } => Code::CardMismatch,
        }
    }
}
