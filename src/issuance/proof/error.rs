//! Why a verification does not come to its end.

use crate::base::chance::ChanceError;
use crate::base::fault::{Code, Fault};
use crate::card::CardError;
use crate::keys::issuer::IssuerError;

/// Why a verification did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The link.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The host's keys.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// A clock beyond the years that certificates know.
    #[error("the clock of this machine shows no year from 1950 to 2049")]
    Clock,
}

impl Fault for VerifyError {
    fn code(&self) -> Code {
        match self {
            VerifyError::Card(error) => error.code(),
            VerifyError::Issuer(error) => error.code(),
            VerifyError::Chance(_) => Code::ProgramFault,
            VerifyError::Clock => Code::OperatorInput,
        }
    }
}
