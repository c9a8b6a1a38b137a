//! What can be wrong with CA keys and test CAs.

use std::path::PathBuf;

use crate::base::fault::{Code, Fault};
use crate::keys::ca_keys::CaKeysError;
use crate::keys::test_ca::TestCaError;

/// What is wrong with a file of CA keys, or a test CA.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The file of CA keys.
    #[error("CA keys {path}: {source}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<CaKeysError>,
    },
    /// The test CA.
    #[error("test CA {path}: {source}")]
    Test {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<TestCaError>,
    },
}

impl Fault for CaError {
    fn code(&self) -> Code {
        match self {
            CaError::Keys { source, .. } => source.code(),
            CaError::Test { source, .. } => source.code(),
        }
    }
}
