//! What an order is checked with: site, keys, and the source's names of paths.

use super::problem::Findings;
use super::site::Site;
use crate::keys::{KeyStore, Purpose};

/// What an order is held against. What is absent leaves something unchecked, and that is said.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) site: Option<&'a Site>,
    pub(super) store: Option<&'a dyn KeyStore>,
}

impl Context<'_> {
    /// Says so where the key store does not hold a key of this name for one of these purposes.
    pub(super) fn has_key(&self, name: &str, purposes: &[Purpose], path: &str, found: &mut Findings) {
        let Some(store) = self.store else {
            return found.skip("whether the keys that it needs are there: no key store was given");
        };
        if !store.keys().iter().any(|key| key.name == name && purposes.contains(&key.purpose)) {
            found.value(path, format!("the site's key for it, {name:?}, is not in the key store for this purpose"));
        }
    }
}

/// Our own paths, and what the source calls the same.
pub(super) type Paths = &'static [(&'static str, &'static str)];

/// The source's names for our paths.
pub(super) struct Naming<'a> {
    pub(super) name: &'a dyn Fn(&str) -> String,
}

impl Naming<'_> {
    /// The source's name of a path, which may have an index.
    pub(super) fn of(&self, own: &str) -> String {
        let indexed = own.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)));
        match indexed {
            Some((before, (number, after))) => {
                (self.name)(&format!("{before}[]{after}")).replacen("[]", &format!("[{number}]"), 1)
            }
            None => (self.name)(own),
        }
    }

    pub(super) fn card(&self, own: &str) -> String {
        (self.name)(&format!("card.{own}"))
    }
}
