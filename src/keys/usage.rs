//! The operations that the header of a key allows. // X9.143 tables 4 and 6

use super::header::Limits;
use super::{KeyError, KeyHandle, Purpose};

/// An operation with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderOperation {
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

impl HeaderOperation {
    /// All of them.
    pub const ALL: [HeaderOperation; 11] = [
        HeaderOperation::Make,
        HeaderOperation::Verify,
        HeaderOperation::Encrypt,
        HeaderOperation::Decrypt,
        HeaderOperation::Derive,
        HeaderOperation::Wrap,
        HeaderOperation::Unwrap,
        HeaderOperation::Sign,
        HeaderOperation::Agree,
        HeaderOperation::CheckValue,
        HeaderOperation::Export,
    ];

    /// The operation in the words of a message: "the key does not allow to …".
    pub fn words(self) -> &'static str {
        match self {
            HeaderOperation::Make => "make values",
            HeaderOperation::Verify => "check values",
            HeaderOperation::Encrypt => "encrypt",
            HeaderOperation::Decrypt => "decrypt",
            HeaderOperation::Derive => "derive keys",
            HeaderOperation::Wrap => "wrap keys",
            HeaderOperation::Unwrap => "unwrap keys",
            HeaderOperation::Sign => "sign",
            HeaderOperation::Agree => "agree on keys",
            HeaderOperation::CheckValue => "compute check values",
            HeaderOperation::Export => "export it",
        }
    }

    /// Whether limits allow it.
    pub fn allowed_by(self, limits: Limits) -> bool {
        let modes = match self {
            HeaderOperation::Make => "CGBN",
            HeaderOperation::Verify => "CVBN",
            HeaderOperation::Encrypt | HeaderOperation::Wrap => "BEN",
            HeaderOperation::Decrypt => "BDTN",
            HeaderOperation::Unwrap => "BDN",
            HeaderOperation::Derive => "XBN",
            HeaderOperation::Sign => "STN",
            HeaderOperation::Agree => "DBXTN",
            HeaderOperation::CheckValue => return true,
            HeaderOperation::Export => return limits.exportability != 'N',
        };
        modes.contains(limits.mode)
    }
}

/// The operations that a purpose is for. A key block is taken in if its mode of use allows one of them.
pub fn operations(purpose: Purpose) -> &'static [HeaderOperation] {
    match purpose {
        Purpose::Kmc
        | Purpose::ImkAc
        | Purpose::ImkSmc
        | Purpose::ImkSmi
        | Purpose::ImkDac
        | Purpose::ImkIdn
        | Purpose::ImkCvc => &[HeaderOperation::Derive],
        Purpose::Record | Purpose::Transport | Purpose::Data => &[HeaderOperation::Encrypt, HeaderOperation::Decrypt],
        Purpose::Kek => &[HeaderOperation::Unwrap],
        Purpose::Kbpk => &[HeaderOperation::Wrap, HeaderOperation::Unwrap],
        Purpose::Zpk => &[HeaderOperation::Decrypt],
        Purpose::Cvk | Purpose::Pvk3624 | Purpose::Pvk | Purpose::Mac => {
            &[HeaderOperation::Make, HeaderOperation::Verify]
        }
        Purpose::IssuerRsa => &[HeaderOperation::Sign],
        Purpose::Jwe => &[HeaderOperation::Agree],
    }
}

/// Refuses an operation that the header of the key does not allow.
///
/// # Errors
/// [`KeyError::Limited`].
pub fn header_allows(key: &KeyHandle, operation: HeaderOperation) -> Result<(), KeyError> {
    header_allows_one(key, &[operation])
}

/// Refuses a key whose header allows none of these operations.
///
/// # Errors
/// [`KeyError::Limited`] with the first of them.
pub fn header_allows_one(key: &KeyHandle, operations: &[HeaderOperation]) -> Result<(), KeyError> {
    let limits = key.limits();
    match operations.first() {
        Some(first) if !operations.iter().any(|operation| operation.allowed_by(limits)) => {
            Err(KeyError::Limited { name: key.name().to_owned(), operation: *first, limits })
        }
        _ => Ok(()),
    }
}
