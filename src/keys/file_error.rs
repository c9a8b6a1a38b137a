//! What can go wrong with a key file.

use super::KeyError;
use crate::base::chance::ChanceError;
use crate::base::fault::{Code, Fault};

/// What an unsealed file must say of itself.
pub const MARK: &str = "TEST KEYS, PUBLIC: never for live cards";

/// Fewest characters of a passphrase of live keys.
pub const LEAST_PASSPHRASE: usize = 12;

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not a key file of a known version. The parser's words are not passed on: they might quote a key.
    #[error("it is not a key file of version 1 (line {line}, column {column})")]
    Syntax {
        /// Line of the first fault.
        line: usize,
        /// Column of the first fault.
        column: usize,
    },
    /// Something that a field cannot be.
    #[error("{path}: {why}")]
    Field {
        /// Where.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Unsealed, and not marked as test keys.
    #[error("an unsealed key file must say \"test_keys\": {MARK:?}; live keys are kept sealed")]
    Unmarked,
    /// A passphrase is needed.
    #[error("the key file is sealed and needs its passphrase")]
    Sealed,
    /// The passphrase does not open it.
    #[error("the passphrase does not open it, or the file was changed")]
    Passphrase,
    /// The keys cannot be written as JSON.
    #[error("the keys cannot be written as JSON; the file is as it was")]
    Unwritable,
    /// A new file does not open, or opens to other keys.
    #[error("the new key file does not open to the keys that were written; the old one is as it was")]
    NotTheSame,
    /// Live keys under a short passphrase.
    #[error(
        "a passphrase of live keys has at least {LEAST_PASSPHRASE} characters; choose a longer one, with \
         `perso keys passphrase` for a file that is there"
    )]
    ShortPassphrase,
    /// A passphrase cannot be changed where there is none.
    #[error("the key file is not sealed and has no passphrase; seal it with `perso keys seal`")]
    NotSealed,
    /// A passphrase that is not changed.
    #[error("the new passphrase is the old one; choose another")]
    SamePassphrase,
    /// A key whose check value is wrong, or that its check value method does not take.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
}

impl Fault for KeyFileError {
    fn code(&self) -> Code {
        match self {
            KeyFileError::Passphrase => Code::KeyPassphrase,
            KeyFileError::ShortPassphrase => Code::KeyWeak,
            KeyFileError::Key(error) => error.code(),
            KeyFileError::Chance(_) | KeyFileError::Unwritable | KeyFileError::NotTheSame => Code::ProgramFault,
            _ => Code::KeyFile,
        }
    }
}
