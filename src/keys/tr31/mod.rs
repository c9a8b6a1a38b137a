//! TR-31 key blocks (ANSI X9.143): keys that travel under a key block protection key, with what they are for.
//!
//! A block is opened in this order: its form, its MAC (compared in constant time), then what is inside. The KBPK stays
//! in its store, as do the two keys that are derived from it.

mod crypt;
mod header;
mod usage;

pub use crypt::{ArrivedKey, warnings};
pub use header::{Header, KeyBlock, Version};

pub use super::header::OptionalBlock;
pub use usage::{mode_of, purposes, usage_of};

pub(super) use crypt::{block_keys, restated, stated_check_value, unwrap, wrap};
pub(super) use usage::leaves_as;

use std::fmt;

use crate::base::fault::{Code, Fault};
use crate::keys::Purpose;
use crate::keys::info::article;

/// What is wrong with a key block, or with using it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tr31Error {
    /// Too short or too long to be a key block, or something else than printable ASCII.
    #[error("it is no key block of 16 to 9999 printable characters")]
    Form,
    /// The stated length is another than the block has.
    #[error("the key block says that it has {stated:?} characters, and has {seen}")]
    Length {
        /// As stated in the header.
        stated: String,
        /// As counted.
        seen: usize,
    },
    /// A version that is not known.
    #[error("key blocks of version {0:?} are not known; A to E are")]
    Version(char),
    /// A field of the header that is not as it must be.
    #[error("the key block's header: {0}")]
    Header(&'static str),
    /// An optional block that does not fit.
    #[error("optional block {0} of the key block overruns it, or is malformed")]
    OptionalBlock(usize),
    /// Ciphertext or MAC of a length that there is not, or not hexadecimal in capital letters.
    #[error("the key block's {0} is not hexadecimal in capital letters of a length that its version has")]
    Body(&'static str),
    /// The MAC is another: another KBPK, or the block was changed.
    #[error("the key block's MAC does not fit: it was made under another key, or was changed")]
    Mac,
    /// What is inside is no key of the stated algorithm.
    #[error("the key in the key block has not a length that its algorithm has")]
    Key,
    /// The KBPK cannot protect blocks of this version.
    #[error("key blocks of version {version} are not protected by {} {kbpk} key", article(kbpk.name()))]
    Kbpk {
        /// The block's.
        version: Version,
        /// The key's algorithm.
        kbpk: crate::keys::Algorithm,
    },
    /// The usage is not the one that is asked for.
    #[error("a key of usage {usage} is no {wanted} key")]
    Usage {
        /// As stated in the header.
        usage: String,
        /// What it was asked for.
        wanted: Purpose,
    },
    /// The mode of use does not allow what the purpose needs.
    #[error("a key with mode of use {mode:?} does not serve as {wanted} key")]
    Mode {
        /// As stated in the header.
        mode: char,
        /// What it was asked for.
        wanted: Purpose,
    },
    /// A component of a key.
    #[error(
        "the key block carries a component of a key (key version {0:?}), not a key; ask for the whole key in one key block"
    )]
    Component(String),
    /// A block that its sender made for its own storage.
    #[error("the key block is for storage only (key context 1); ask its sender for a key block for exchange")]
    Storage,
    /// An optional block with a check value that is not the key's.
    #[error(
        "optional block {0} of the key block states another check value than the key has; ask its sender which is right"
    )]
    CheckValue(&'static str),
    /// The key block protection key is weaker than the key in the block.
    #[error(
        "the key block protection key is weaker than the key that it protects; use a stronger one, or take it in with \
         --accept-weak-kbpk"
    )]
    WeakKbpk,
    /// A live key would leave under a weaker key block protection key.
    #[error("the live key block protection key is weaker than the key that it would protect; use a stronger one")]
    WeakLiveKbpk,
    /// The header does not allow to leave with this one.
    #[error("the key came with {field} {kept:?} and does not leave with {asked:?}")]
    Wider {
        /// Which field.
        field: &'static str,
        /// As it came.
        kept: String,
        /// As it was asked for.
        asked: String,
    },
    /// A key of a kind that this program keeps none of, such as single DES or HMAC.
    #[error("keys of algorithm {algorithm:?} with {bits} bits are not kept here")]
    Kind {
        /// As stated in the header.
        algorithm: char,
        /// Length of the key.
        bits: usize,
    },
}

impl Fault for Tr31Error {
    fn code(&self) -> Code {
        match self {
            Tr31Error::Usage { .. }
            | Tr31Error::Mode { .. }
            | Tr31Error::Kbpk { .. }
            | Tr31Error::Component(_)
            | Tr31Error::Storage
            | Tr31Error::Wider { .. }
            | Tr31Error::Kind { .. } => Code::KeyPurpose,
            Tr31Error::CheckValue(_) => Code::KeyKcv,
            Tr31Error::WeakKbpk | Tr31Error::WeakLiveKbpk => Code::KeyWeak,
            _ => Code::KeyWrapped,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Tr31Error::Component(_)
            | Tr31Error::Storage
            | Tr31Error::Usage { .. }
            | Tr31Error::Mode { .. }
            | Tr31Error::Kind { .. }
            | Tr31Error::Form
            | Tr31Error::Length { .. }
            | Tr31Error::Version(_)
            | Tr31Error::Header(_)
            | Tr31Error::OptionalBlock(_)
            | Tr31Error::Body(_)
            | Tr31Error::Key => {
                "Compare the header with what was agreed (`perso calc tr31` shows it), then ask the sender for another key block."
            }
            Tr31Error::CheckValue(_) => "Ask the sender for the key's check value, then for another key block.",
            Tr31Error::Kbpk { .. } => "Name another key block protection key, or another --block-version.",
            Tr31Error::Wider { .. } => "Export it with the header that it came with.",
            Tr31Error::WeakKbpk => "Agree on a stronger key block protection key, or give --accept-weak-kbpk.",
            Tr31Error::WeakLiveKbpk => "Agree on a stronger key block protection key.",
            Tr31Error::Mac => return None,
        };
        Some(text.to_owned())
    }
}

/// What should be known of a block that was opened or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// Versions A and C are deprecated: their MAC has four bytes and their keys are variants.
    Deprecated(Version),
    /// The KBPK is weaker than the key that it protects.
    WeakKbpk,
    /// A check value in an optional block that was not compared: keys of this kind have none.
    NotCompared(&'static str),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Deprecated(version) => {
                write!(f, "key blocks of version {version} are deprecated; ask for version B or D")
            }
            Warning::NotCompared(id) => {
                write!(f, "optional block {id} was not compared: keys of this algorithm have no check value here")
            }
            Warning::WeakKbpk => f.write_str("the key block protection key is weaker than the key that it protects"),
        }
    }
}
