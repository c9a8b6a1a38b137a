//! The chip that a job has in the reader.

use crate::card::Atr;
use crate::card::gp::{CardData, Cplc};

/// A chip, identified.
#[derive(Debug, Clone)]
pub struct Chip {
    pub(super) id: Option<String>,
    pub(super) source: &'static str,
    pub(super) atr: Vec<u8>,
    pub(super) cplc: Option<Cplc>,
    pub(super) kdd: Option<Vec<u8>>,
    pub(super) card_data: Option<CardData>,
}

impl Chip {
    /// Identity: CPLC fabricator, type, fabrication date, serial and batch; else the key diversification data. None if the
    /// product has no identity.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Where the identity comes from: `cplc`, `key-data`, `initialize-update` or `none`.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Whether it is read over its antenna, which shows in the ATR that the reader makes.
    pub fn is_contactless(&self) -> bool {
        Atr::parse(&self.atr).is_ok_and(|atr| atr.is_contactless())
    }

    /// The answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }

    /// What is compared when the card is looked at again. Without an identity, everything that it tells.
    pub(super) fn known_by(&self) -> String {
        let bytes = |data: &Option<Vec<u8>>| data.as_ref().map(hex::encode_upper).unwrap_or_default();
        let atr = hex::encode_upper(&self.atr);
        self.id.clone().unwrap_or_else(|| format!("ATR {atr}, CPLC {:?}, key data {}", self.cplc, bytes(&self.kdd)))
    }
}
