//! Key sets: which keys of a store a card's three keys may come from.

use super::{CardKeys, Diversification, KeyError, KeyInfo, KeyStore, Purpose, card_keys};

/// The ends of the names of a set of three different keys.
const ENDS: [&str; 3] = ["-enc", "-mac", "-dek"];

/// What a card's keys may come from: one master key for all three, or three keys `NAME-enc`, `NAME-mac`, `NAME-dek`
/// that are the card's own.
#[derive(Clone)]
pub struct KeySet<'a> {
    name: String,
    parts: [&'a KeyInfo; 3],
}

impl<'a> KeySet<'a> {
    /// All sets of a store, in the order of its keys.
    pub fn all(store: &'a dyn KeyStore) -> Vec<Self> {
        let masters: Vec<&KeyInfo> = store.keys().iter().filter(|key| key.purpose == Purpose::Kmc).collect();
        let mut sets = Vec::new();
        for first in &masters {
            sets.push(Self { name: first.name.clone(), parts: [*first; 3] });
            let Some(stem) = first.name.strip_suffix(ENDS[0]) else { continue };
            let part = |end: &str| {
                let name = format!("{stem}{end}");
                masters.iter().find(|key| key.name == name && key.algorithm == first.algorithm).copied()
            };
            if let [Some(enc), Some(mac), Some(dek)] = ENDS.map(part) {
                // A key of that name is a set too, and one name must not mean both.
                let taken = masters.iter().any(|key| key.name == stem);
                let name = if taken { ENDS.map(|end| format!("{stem}{end}")).join("/") } else { stem.to_owned() };
                sets.push(Self { name, parts: [enc, mac, dek] });
            }
        }
        sets
    }

    /// Sets of three of which some are there and others are not: what their names begin with, and the names that are
    /// missing. A card's three keys are found by the three names only.
    pub fn incomplete(masters: &[&KeyInfo]) -> Vec<(String, Vec<String>)> {
        let mut out: Vec<(String, Vec<String>)> = Vec::new();
        let stems = masters.iter().filter_map(|key| ENDS.iter().find_map(|end| key.name.strip_suffix(end)));
        for stem in stems {
            let names = ENDS.map(|end| format!("{stem}{end}"));
            let absent = |name: &String| !masters.iter().any(|key| key.name == *name);
            let absent: Vec<String> = names.into_iter().filter(absent).collect();
            if !absent.is_empty() && !out.iter().any(|(known, _)| known == stem) {
                out.push((stem.to_owned(), absent));
            }
        }
        out
    }

    /// The set of this name.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Purpose`] for a key of another purpose.
    pub fn find(store: &'a dyn KeyStore, name: &str) -> Result<Self, KeyError> {
        let found = Self::all(store).into_iter().find(|set| set.name == name);
        found.ok_or_else(|| match store.keys().iter().find(|info| info.name == name) {
            Some(info) => KeyError::Purpose { name: name.to_owned(), is: info.purpose, wanted: Purpose::Kmc },
            None => KeyError::unknown(name, store.keys()),
        })
    }

    /// Its name: the master key's, or what the names of the three keys begin with; where a key has that name too, the
    /// three names with slashes between.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is three keys of one card, which are not diversified.
    pub fn is_three(&self) -> bool {
        self.parts.iter().any(|part| part.name != self.name)
    }

    /// Whether it is one key whose name says that it is one of three, which are not all the same then.
    pub fn is_one_of_three(&self) -> bool {
        !self.is_three() && ENDS.iter().any(|end| self.name.ends_with(end))
    }

    /// What may be told of the keys that ENC, MAC and DEK come from.
    pub fn parts(&self) -> [&'a KeyInfo; 3] {
        self.parts
    }

    /// Whether all of it is marked as test keys.
    pub fn is_test(&self) -> bool {
        self.parts.iter().all(|part| part.test)
    }

    /// The diversifications that make sense for it.
    pub fn methods(&self) -> Vec<Diversification> {
        let cipher = self.parts.map(|part| part.algorithm.cipher());
        let suits = |method: &Diversification| {
            (!self.is_three() || *method == Diversification::None)
                && cipher.iter().flatten().all(|it| method.suits(*it))
        };
        Diversification::ALL.into_iter().filter(suits).collect()
    }

    /// The card's keys.
    ///
    /// # Errors
    /// A key's value does not give its check value, or its cipher is not the method's.
    pub fn card_keys(
        &self,
        store: &dyn KeyStore,
        method: Diversification,
        kdd: &[u8; 10],
    ) -> Result<CardKeys, KeyError> {
        let [enc, mac, dek] = self.parts;
        if self.is_three() {
            let open = |part: &KeyInfo| store.open(&part.name, Purpose::Kmc);
            return Ok(CardKeys { enc: open(enc)?, mac: open(mac)?, dek: open(dek)? });
        }
        card_keys(store, &store.open(&enc.name, Purpose::Kmc)?, &method, kdd)
    }
}
