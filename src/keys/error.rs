//! What can go wrong with keys.

use super::info::article;
use super::operation::Operation;
use super::pin::PinError;
use super::tr31::Tr31Error;
use super::verb::Verb;
use super::weakness::Weakness;
use super::{Algorithm, Kcv, KeyInfo, Limits, Purpose};
use crate::base::chance::ChanceError;
use crate::base::crypto::CryptoError;
use crate::base::fault::{Code, Fault};
use crate::base::suggest;

/// A name that no key has, and the name that was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    name: String,
    meant: Option<String>,
}

impl<T: Into<String>> From<T> for UnknownName {
    fn from(name: T) -> Self {
        Self { name: name.into(), meant: None }
    }
}

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.name)?;
        self.meant.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean {meant:?}?"))
    }
}

impl KeyError {
    /// [`KeyError::Unknown`], with the nearest of the names that there are.
    pub fn unknown<'a>(name: &str, held: impl IntoIterator<Item = &'a KeyInfo>) -> Self {
        let meant = suggest::nearest(name, held.into_iter().map(|info| info.name.as_str()));
        KeyError::Unknown(UnknownName { name: name.to_owned(), meant: meant.map(str::to_owned) })
    }
}

/// What went wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key of this name.
    #[error("there is no key named {0}")]
    Unknown(UnknownName),
    /// The key is for something else.
    #[error("key {name:?} is {} {is} key, not {} {wanted} key", article(is.name()), article(wanted.name()))]
    Purpose {
        /// Name of the key.
        name: String,
        /// What it is for.
        is: Purpose,
        /// What it was asked for.
        wanted: Purpose,
    },
    /// Keys of this purpose do not do that.
    #[error("key {name:?} is {} {is} key and may not {}", article(is.name()), verb.words())]
    Verb {
        /// Name of the key.
        name: String,
        /// What it is for.
        is: Purpose,
        /// What was asked of it.
        verb: Verb,
    },
    /// A live key in the calculator.
    #[error("key {name:?} is live: in `perso calc` it may not {}; use a test key", verb.words())]
    LiveCalculation {
        /// Name of the key.
        name: String,
        /// What was asked of it.
        verb: Verb,
    },
    /// More of a live key's check value than the calculator gives.
    #[error("key {0:?} is live: `perso calc` gives at most 3 bytes of its check value")]
    LiveCheckValue(String),
    /// The value does not give the check value.
    #[error("key {name:?} has check value {seen}, not {stated}")]
    Kcv {
        /// Name of the key.
        name: String,
        /// As stated beside the key.
        stated: Kcv,
        /// As computed.
        seen: Kcv,
    },
    /// The check value in the header that came with a key is not the key's.
    #[error("key {0:?}: optional block KC of its header states another check value than the key has")]
    HeaderKcv(String),
    /// A sealed value is broken.
    #[error("a value sealed under key {name:?} does not open: {why}")]
    Seal {
        /// Name of the transport key.
        name: String,
        /// In words.
        why: &'static str,
    },
    /// A live key where only test keys are allowed.
    #[error("key {0:?} is not a test key")]
    Live(String),
    /// None, or more than one, of the named master keys fits the card.
    #[error("{how_many} of the profile's master keys ({names}) is for KMCID {kmcid} with key version {kvn:02X}")]
    NoMatch {
        /// `none` or `more than one`.
        how_many: &'static str,
        /// The card's KMCID, hexadecimal.
        kmcid: String,
        /// The card's key version.
        kvn: u8,
        /// The names that were looked at.
        names: String,
    },
    /// The header of the key does not allow the operation.
    #[error(
        "key {name:?} came with mode of use {} and exportability {}, which do not allow to {}; use another key, or ask its sender for a key block that allows it",
        limits.mode, limits.exportability, operation.words()
    )]
    Limited {
        /// Name of the key.
        name: String,
        /// The operation.
        operation: Operation,
        /// Its mode of use and exportability.
        limits: Limits,
    },
    /// A live key that is too weak.
    #[error("key {name:?} is live and weak: {weakness}")]
    Weak {
        /// Name of the key.
        name: String,
        /// In what way.
        weakness: Weakness,
    },
    /// The MAC key of a prepared TLV block.
    #[error("the MAC key of the block has 16 bytes and equal halves, which is single DES; have the block made again")]
    WeakBlockKey,
    /// A handle that another store gave out.
    #[error("key {0:?} is in the custody of another store")]
    Foreign(String),
    /// Something that a key of a key file cannot be.
    #[error("key {name:?}: {field}: {why}")]
    Refused {
        /// Name of the key.
        name: String,
        /// Which field of it.
        field: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// A test key and a live key for one work.
    #[error("key {0:?} and key {1:?}: one is a test key, the other is live")]
    Mixed(String, String),
    /// A value that is no key of its kind.
    #[error("the value of key {name:?} is no key of the algorithm that is stated for it")]
    Value {
        /// Name of the key.
        name: String,
    },
    /// A key of another kind than the operation takes.
    #[error("key {name:?} is a key of {is}, which this cannot be done with")]
    Kind {
        /// Name of the key.
        name: String,
        /// What it is.
        is: Algorithm,
    },
    /// What came was not made for this key, or was changed on its way.
    #[error("what came is not for key {0:?}, or was changed")]
    NotForIt(String),
    /// A check value that is too short to be one, or of a method that the key's kind has not.
    #[error("key {0:?} comes with no check value of three bytes or more by a method that its kind has")]
    NoKcv(String),
    /// A key whose bytes have not odd parity, where that is asked for.
    #[error("key {0:?} has not odd parity")]
    Parity(String),
    /// A master key where only a derived one is given out.
    #[error("key {0:?} is a master key and cannot be exported, even wrapped")]
    Static(String),
    /// What this kind of store cannot do.
    #[error("the key store of key {name:?} cannot {what}")]
    Unable {
        /// Name of the key.
        name: String,
        /// What was asked of it.
        what: &'static str,
    },
    /// A token, or its PKCS#11 module, failed or refused.
    #[error("{name}: the token: {why}")]
    Token {
        /// Name of the key, or label of the token.
        name: String,
        /// In words, or the module's function and its answer.
        why: String,
        /// What to do next, if it is known.
        next: Option<&'static str>,
    },
    /// Something that a computation does not take.
    #[error("{0}")]
    Input(&'static str),
    /// A PIN or its block.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// A key block.
    #[error(transparent)]
    Tr31(#[from] Tr31Error),
    /// A key's description that cannot be written.
    #[error("the description of key {0:?} cannot be written as JSON")]
    Undescribed(String),
    /// No randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// The cipher did not take what it was given.
    #[error("key {name:?}: {source}")]
    Crypto {
        /// Name of the key.
        name: String,
        /// What the cipher said.
        source: CryptoError,
    },
}

impl Fault for KeyError {
    fn code(&self) -> Code {
        match self {
            KeyError::Unknown(_) => Code::KeyUnknown,
            KeyError::Purpose { .. } | KeyError::Verb { .. } | KeyError::Kind { .. } | KeyError::Limited { .. } => {
                Code::KeyPurpose
            }
            KeyError::Value { .. } | KeyError::Refused { .. } => Code::KeyFile,
            KeyError::NotForIt(_) | KeyError::Parity(_) => Code::KeyWrapped,
            KeyError::Weak { .. } | KeyError::WeakBlockKey => Code::KeyWeak,
            KeyError::NoKcv(_) => Code::KeyKcv,
            KeyError::Static(_) | KeyError::Unable { .. } => Code::KeyPurpose,
            KeyError::Token { .. } => Code::KeyToken,
            KeyError::Input(_) => Code::OperatorInput,
            KeyError::Pin(error) => error.code(),
            KeyError::Tr31(error) => error.code(),
            KeyError::Kcv { .. } | KeyError::HeaderKcv(_) => Code::KeyKcv,
            KeyError::Seal { .. } | KeyError::Crypto { source: CryptoError::Tag | CryptoError::Padding, .. } => {
                Code::RecordTag
            }
            KeyError::Live(_)
            | KeyError::LiveCalculation { .. }
            | KeyError::LiveCheckValue(_)
            | KeyError::Mixed(..) => Code::KeyLive,
            KeyError::NoMatch { .. } => Code::KeyNoMatch,
            KeyError::Foreign(_) | KeyError::Crypto { .. } | KeyError::Chance(_) | KeyError::Undescribed(_) => {
                Code::ProgramFault
            }
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            KeyError::Tr31(error) => return error.remedy(),
            KeyError::Token { next, .. } => return next.map(str::to_owned),
            KeyError::Refused { field: "name", .. } => {
                "Choose another name; `perso keys list` shows those that are taken."
            }
            KeyError::Refused { field: "test", .. } => {
                "Keep test keys and live keys in key files or tokens of their own."
            }
            KeyError::Refused { field: "kcv_method", .. } => "Give another --kcv-method; docs/keys.md lists them.",
            KeyError::Refused { .. } => "Check what the message names; docs/keys.md describes every field of a key.",
            KeyError::Limited { .. } => "Name another key, or ask the sender for a key block that allows it.",
            KeyError::LiveCheckValue(_) => "Ask for 3 bytes, or use a test key.",
            KeyError::LiveCalculation { .. } => "Use a test key; a job or `--expect` works with the live one.",
            KeyError::Weak { weakness: Weakness::GhashKey, .. } => {
                "Remove it with `perso keys remove`, then import it again with `perso keys import`; or make a new one."
            }
            KeyError::Weak { .. } => "Make a new key with `perso keys generate`, or ask the sender for another one.",
            KeyError::HeaderKcv(_) => {
                "Restore the key file from its copy, or remove the key and import its key block again."
            }
            KeyError::Mixed(..) => "Name test keys only, or live keys only.",
            _ => return None,
        };
        Some(text.to_owned())
    }
}
