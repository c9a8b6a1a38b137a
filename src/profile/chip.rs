//! What a product's chips are told apart by.

/// What tells one chip of a product from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// The CPLC if it has a serial number, else the key data of GET DATA CF.
    #[default]
    Cplc,
    /// The key data of GET DATA CF: for cards whose CPLC holds the same serial number on every card.
    KeyData,
    /// The key data in the answer to INITIALIZE UPDATE: for cards without CPLC and CF.
    InitializeUpdate,
    /// Nothing: the card tells the same on every card. A job cannot refuse a chip that it has seen before.
    None,
}

/// How the sequence counter of the secure channel moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SequenceCounter {
    /// It rises with every login, and applications with the same key version and key data share it.
    #[default]
    Shared,
    /// It rises with every login; each application and security domain has its own.
    PerApplication,
    /// It does not rise.
    Constant,
}

impl SequenceCounter {
    pub(super) fn is_default(&self) -> bool {
        *self == SequenceCounter::Shared
    }
}
