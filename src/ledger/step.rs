//! Steps of a job: what is durable before its first byte is sent.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::text::Text;

/// An application identifier, 5 to 16 bytes. // ISO/IEC 7816-4 §8.2.1.2
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aid(Vec<u8>);

impl Aid {
    /// Takes 5 to 16 bytes; None for another number.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (5..=16).contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Aid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Aid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(&text).ok().filter(|_| text == text.to_ascii_uppercase());
        bytes.and_then(|bytes| Self::new(&bytes)).ok_or_else(|| de::Error::custom("not an AID in hexadecimal"))
    }
}

/// One step of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// LOAD of a package.
    Load {
        /// The package.
        aid: Aid,
    },
    /// INSTALL of an application.
    Install {
        /// The application.
        aid: Aid,
    },
    /// DELETE of a package, an application or a security domain.
    Delete {
        /// Its AID.
        aid: Aid,
    },
    /// PUT KEY into a security domain.
    PutKey {
        /// The security domain.
        aid: Aid,
        /// Version of the new key set.
        version: u8,
    },
    /// SET STATUS of the card, an application or a security domain.
    SetStatus {
        /// Whose life cycle.
        aid: Aid,
        /// The new life cycle.
        life_cycle: u8,
    },
    /// STORE DATA of one application, all of it.
    Store {
        /// The application.
        aid: Aid,
    },
    /// A card is fed into the reader.
    Feed,
    /// The magnetic stripe is encoded.
    Stripe,
    /// The card is printed.
    Print,
}

impl Step {
    /// Whether the step changes the chip. From the first such step on, the card is not a blank any more.
    pub fn changes_chip(&self) -> bool {
        !matches!(self, Step::Feed | Step::Stripe | Step::Print)
    }

    /// Whether the step follows a good chip.
    pub fn follows_chip(&self) -> bool {
        matches!(self, Step::Stripe | Step::Print)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Load { aid } => write!(f, "load {aid}"),
            Step::Install { aid } => write!(f, "install {aid}"),
            Step::Delete { aid } => write!(f, "delete {aid}"),
            Step::PutKey { aid, version } => write!(f, "put-key {aid} {version:02X}"),
            Step::SetStatus { aid, life_cycle } => write!(f, "set-status {aid} {life_cycle:02X}"),
            Step::Store { aid } => write!(f, "store {aid}"),
            Step::Feed => f.write_str("feed"),
            Step::Stripe => f.write_str("stripe"),
            Step::Print => f.write_str("print"),
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// Every command of it was accepted.
    Done,
    /// A command of it failed.
    Failed {
        /// The error code.
        code: Text,
    },
    /// Not one byte of it was sent.
    Withdrawn,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Failed { code } => write!(f, "failed {code}"),
            Outcome::Withdrawn => f.write_str("withdrawn"),
        }
    }
}
