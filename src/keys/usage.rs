//! The operations that the header of a key allows. // X9.143 tables 4 and 6

pub use super::operation::Operation;
use super::{KeyError, KeyHandle, Purpose};

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
