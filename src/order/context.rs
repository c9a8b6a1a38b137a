//! What an order is checked with: site, keys, and the source's names of paths.

use super::problem::Findings;
use super::site::Site;
use crate::base::fault::Code;
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
            let wanted: Vec<&str> = purposes.iter().map(|purpose| purpose.name()).collect();
            let why =
                format!("the key store has no key {name:?} of purpose {}, which the site names", wanted.join(" or "));
            found.add(path, Code::KeyUnknown, why);
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
