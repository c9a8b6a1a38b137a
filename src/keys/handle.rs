//! A key that can be used but not seen.

use std::fmt;

use super::Algorithm;
use crate::base::Secret;

/// A key in custody. Other rooms see its name, algorithm and whether it is a test key; only its store can use it.
pub struct KeyHandle {
    name: String,
    algorithm: Algorithm,
    test: bool,
    repr: Repr,
}

/// Where the value is.
pub(super) enum Repr {
    /// In this process, wiped on drop.
    Held(Secret<Vec<u8>>),
}

impl KeyHandle {
    pub(super) fn held(name: String, algorithm: Algorithm, test: bool, value: Secret<Vec<u8>>) -> Self {
        Self { name, algorithm, test, repr: Repr::Held(value) }
    }

    pub(super) fn repr(&self) -> &Repr {
        &self.repr
    }

    /// The key's name; of a derived key, the name of the key it comes from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Cipher and key length.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it is a test key, or comes from one.
    pub fn is_test(&self) -> bool {
        self.test
    }
}

impl fmt::Debug for KeyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[key {} {}]", self.name, self.algorithm)
    }
}
