//! A key that can be used but not seen.

use std::fmt;
use std::sync::Arc;

use super::header::Limits;
use super::pkcs11::object::TokenObject;
use super::private::PrivateKey;
use super::verb::Use;
use super::{Algorithm, KeyInfo, Purpose};
use crate::base::Secret;

/// A key in custody. Other rooms see its name, kind, purpose and whether it is a test key; only its store can use it.
pub struct KeyHandle {
    label: Label,
    repr: Repr,
}

/// What may be told of a key in use.
#[derive(Clone)]
pub struct Label {
    pub name: String,
    pub purpose: Purpose,
    /// It comes from the key of that name.
    pub derived: bool,
    pub algorithm: Algorithm,
    pub test: bool,
    /// What the header of its key block allows; nothing is limited of a derived key.
    pub limits: Limits,
    /// What its store was opened for.
    pub serves: Use,
}

impl Label {
    /// Of a key in custody.
    pub(super) fn of(info: &KeyInfo) -> Self {
        let KeyInfo { name, purpose, algorithm, test, header, .. } = info;
        Self {
            name: name.clone(),
            purpose: *purpose,
            derived: false,
            algorithm: *algorithm,
            test: *test,
            limits: Limits::of(header.as_ref()),
            serves: Use::Job,
        }
    }
}

/// Where the value is.
pub(super) enum Repr {
    /// In this process, wiped on drop.
    Held(Secret<Vec<u8>>),
    /// A private key in this process.
    Private(PrivateKey),
    /// In a token.
    Token(Arc<TokenObject>),
}

impl KeyHandle {
    pub(super) fn new(label: Label, repr: Repr) -> Self {
        Self { label, repr }
    }

    /// The same key for this use.
    pub(super) fn serving(mut self, serves: Use) -> Self {
        self.label.serves = serves;
        self
    }

    /// What its store was opened for.
    pub(super) fn serves(&self) -> Use {
        self.label.serves
    }

    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    pub(super) fn repr(&self) -> &Repr {
        &self.repr
    }

    /// The key's name; of a derived key, the name of the key it comes from.
    pub fn name(&self) -> &str {
        &self.label.name
    }

    /// What it is for; of a derived key, what the key it comes from is for.
    pub fn purpose(&self) -> Purpose {
        self.label.purpose
    }

    /// Whether it comes from the key whose name it has.
    pub fn is_derived(&self) -> bool {
        self.label.derived
    }

    /// What kind of key it is.
    pub fn algorithm(&self) -> Algorithm {
        self.label.algorithm
    }

    /// The limits of its header; none for a derived key.
    pub fn limits(&self) -> Limits {
        self.label.limits
    }

    /// Whether it is a test key, or comes from one.
    pub fn is_test(&self) -> bool {
        self.label.test
    }
}

impl fmt::Debug for KeyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[key {} {}]", self.label.name, self.label.algorithm)
    }
}
