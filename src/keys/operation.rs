//! The operations that the header of a key may allow. // X9.143 table 6

use super::header::Limits;

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
