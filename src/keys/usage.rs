//! The operations that the header of a key allows. // X9.143 tables 4 and 6

use super::header::Limits;
use super::{KeyError, KeyHandle, Purpose};

/// An operation with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Make a MAC, a card verification value, a PVV or an offset.
    Make,
    /// Check such a value.
    Verify,
    /// Encipher data or PIN blocks.
    Encrypt,
    /// Decipher data or PIN blocks.
    Decrypt,
    /// Derive keys: card keys, session keys.
    Derive,
    /// Protect another key: make a key block, or encipher the key.
    Wrap,
    /// Take a key in that arrives under this key.
    Unwrap,
    /// Sign with a private key.
    Sign,
    /// Agree on a key, or open the content key of an encrypted text.
    Agree,
    /// Compute a check value. Every key allows it.
    CheckValue,
    /// Write the key itself as a key block.
    Export,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 11] = [
        Operation::Make,
        Operation::Verify,
        Operation::Encrypt,
        Operation::Decrypt,
        Operation::Derive,
        Operation::Wrap,
        Operation::Unwrap,
        Operation::Sign,
        Operation::Agree,
        Operation::CheckValue,
        Operation::Export,
    ];

    /// The operation in the words of a message: "the key does not allow to …".
    pub fn words(self) -> &'static str {
        match self {
            Operation::Make => "make values",
            Operation::Verify => "check values",
            Operation::Encrypt => "encrypt",
            Operation::Decrypt => "decrypt",
            Operation::Derive => "derive keys",
            Operation::Wrap => "wrap keys",
            Operation::Unwrap => "unwrap keys",
            Operation::Sign => "sign",
            Operation::Agree => "agree on keys",
            Operation::CheckValue => "compute check values",
            Operation::Export => "export it",
        }
    }

    /// Whether limits allow it.
    pub fn allowed_by(self, limits: Limits) -> bool {
        let modes = match self {
            Operation::Make => "CGBN",
            Operation::Verify => "CVBN",
            Operation::Encrypt | Operation::Wrap => "BEN",
            Operation::Decrypt => "BDTN",
            Operation::Unwrap => "BDN",
            Operation::Derive => "XBN",
            Operation::Sign => "STN",
            Operation::Agree => "DBXTN",
            Operation::CheckValue => return true,
            Operation::Export => return limits.exportability != 'N',
        };
        modes.contains(limits.mode)
    }
}

/// The operations that a purpose is for. A key block is taken in if its mode of use allows one of them.
pub fn operations(purpose: Purpose) -> &'static [Operation] {
    match purpose {
        Purpose::Kmc
        | Purpose::ImkAc
        | Purpose::ImkSmc
        | Purpose::ImkSmi
        | Purpose::ImkDac
        | Purpose::ImkIdn
        | Purpose::ImkCvc => &[Operation::Derive],
        Purpose::Record | Purpose::Transport | Purpose::Data => &[Operation::Encrypt, Operation::Decrypt],
        Purpose::Kek => &[Operation::Unwrap],
        Purpose::Kbpk => &[Operation::Wrap, Operation::Unwrap],
        Purpose::Zpk => &[Operation::Decrypt],
        Purpose::Cvk | Purpose::Pvk3624 | Purpose::Pvk | Purpose::Mac => &[Operation::Make, Operation::Verify],
        Purpose::IssuerRsa => &[Operation::Sign],
        Purpose::Jwe => &[Operation::Agree],
    }
}

/// Refuses an operation that the header of the key does not allow.
///
/// # Errors
/// [`KeyError::Limited`].
pub fn header_allows(key: &KeyHandle, operation: Operation) -> Result<(), KeyError> {
    header_allows_one(key, &[operation])
}

/// Refuses a key whose header allows none of these operations.
///
/// # Errors
/// [`KeyError::Limited`] with the first of them.
pub fn header_allows_one(key: &KeyHandle, operations: &[Operation]) -> Result<(), KeyError> {
    let limits = key.limits();
    match operations.first() {
        Some(first) if !operations.iter().any(|operation| operation.allowed_by(limits)) => {
            Err(KeyError::Limited { name: key.name().to_owned(), operation: *first, limits })
        }
        _ => Ok(()),
    }
}
