//! What a site's configuration names that stands elsewhere: keys and products, each with its path.

use super::{IndexUse, PinForm, Site};
use crate::keys::Purpose;

/// A key that the configuration names.
pub struct SiteKey<'a> {
    /// Where in the configuration.
    pub path: String,
    /// Its name.
    pub name: &'a str,
    /// What it may be for.
    pub purposes: &'static [Purpose],
}

impl Site {
    /// Every key that it names, in the order of the file.
    pub fn named_keys(&self) -> Vec<SiteKey<'_>> {
        let file = self.file();
        let jwe = file.jwe.iter().enumerate().map(|(at, rule)| SiteKey {
            path: format!("jwe[{at}].key"),
            name: &rule.key,
            purposes: &[Purpose::Jwe],
        });
        let pin = file.pin.iter().enumerate().map(|(at, rule)| SiteKey {
            path: format!("pin[{at}].key"),
            name: &rule.key,
            purposes: match PinForm::find(&rule.form) {
                Some(PinForm::Iso0Tk) => &[Purpose::Kek],
                _ => &[Purpose::Zpk],
            },
        });
        let kek =
            file.kek.iter().map(|(id, name)| SiteKey { path: format!("kek.{id}"), name, purposes: &[Purpose::Kek] });
        let index = file.index.iter().enumerate().flat_map(|(at, rule)| {
            let purposes = purposes(&rule.r#use);
            let path = move |number: usize| format!("index[{at}].keys[{number}]");
            rule.keys.iter().enumerate().map(move |(number, name)| SiteKey { path: path(number), name, purposes })
        });
        jwe.chain(pin).chain(kek).chain(index).collect()
    }

    /// Every product that it names, with its path.
    pub fn named_products(&self) -> Vec<(String, &str)> {
        let products = self.file().profile.iter().enumerate();
        products.map(|(at, rule)| (format!("profile[{at}]"), rule.name.as_str())).collect()
    }
}

/// What the keys of an index are for.
fn purposes(r#use: &str) -> &'static [Purpose] {
    match IndexUse::ALL.into_iter().find(|it| it.name() == r#use) {
        Some(IndexUse::Oda) => &[Purpose::IssuerRsa],
        Some(IndexUse::Pv) => &[Purpose::Pvk, Purpose::Pvk3624],
        Some(IndexUse::Cv) => &[Purpose::Cvk],
        Some(IndexUse::Derivation) | None => {
            &[Purpose::ImkAc, Purpose::ImkSmi, Purpose::ImkSmc, Purpose::ImkCvc, Purpose::ImkDac, Purpose::ImkIdn]
        }
    }
}
