//! What can go wrong before a record is prepared.

use std::path::PathBuf;

use crate::base::fault::{Code, Fault};
use crate::prepare::{IssuerFileError, PoolError, PrepareError};

/// What can go wrong before a record is prepared.
#[derive(Debug, thiserror::Error)]
pub enum PreparationError {
    /// Data preparation itself.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The issuer's certificate.
    #[error("issuer's certificate {path}: {source}")]
    Issuer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: IssuerFileError,
    },
    /// The pool.
    #[error("pool {path}: {source}")]
    Pool {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PoolError,
    },
    /// Another process holds the pool.
    #[error("pool {0} is in use by another perso: nothing was taken from it; wait until that one has ended")]
    PoolInUse(PathBuf),
    /// The pool cannot be locked.
    #[error("pool {path} cannot be locked through {lock}")]
    PoolLock {
        /// The pool.
        path: PathBuf,
        /// The file that is locked for it.
        lock: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Fault for PreparationError {
    fn code(&self) -> Code {
        match self {
            PreparationError::Prepare(error) => error.code(),
            PreparationError::Issuer { .. } => Code::PrepareIssuer,
            PreparationError::Pool { source, .. } => source.code(),
            PreparationError::PoolInUse(_) => Code::PoolBusy,
            PreparationError::PoolLock { .. } => Code::OperatorInput,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            PreparationError::Issuer { source: IssuerFileError::NotPinned, .. } => {
                "Give --ca-keys FILE with the scheme's CA keys; `perso ca list FILE` shows a file's keys."
            }
            PreparationError::Issuer { source: IssuerFileError::Syntax { .. }, .. } => {
                "Name the file that `perso ca` wrote, or that docs/ca-keys.md describes."
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
