//! Records that data preparation makes from the sample orders.
#![allow(dead_code)]

use std::sync::LazyLock;

use perso::base::Chance;
use perso::issuance::check;
use perso::keys::SoftwareStore;
use perso::order::{Order, Site};
use perso::prepare::{IssuerCertificate, Materials, Pool, PrepareError, Prepared, prepare};
use perso::profile::Profile;
use serde_json::Value;

use crate::support::{self, Bench, file_of};

/// The products whose cards are prepared here.
pub const PRODUCTS: [&str; 2] = ["visa-like", "mastercard-like"];

pub static KEYS: LazyLock<SoftwareStore> = LazyLock::new(support::keys);
/// The sample site without its catalogue: PANs of other ranges are prepared, too.
pub static SITE: LazyLock<Site> = LazyLock::new(|| {
    let text = text("tests/samples/orders/site.toml");
    let (before, rest) = text.split_once("# What orders may name.").unwrap();
    let (_, after) = rest.split_once("# Pismo's reissues").unwrap();
    Site::parse(&format!("{before}# Pismo's reissues{after}")).unwrap()
});

pub fn text(path: &str) -> String {
    std::fs::read_to_string(file_of(path)).unwrap()
}

pub fn order_for(product: &str) -> Value {
    serde_json::from_str(&text(&format!("tests/samples/orders/{product}.json"))).unwrap()
}

pub fn issuer_for(product: &str) -> IssuerCertificate {
    IssuerCertificate::parse(text(&format!("tests/samples/issuer/{product}.issuer.test.json")).as_bytes()).unwrap()
}

pub fn profile_for(product: &str) -> Profile {
    support::profile(&format!("{product}-debit"))
}

pub fn read(order: &Value) -> Order {
    Order::read(order.to_string().as_bytes(), &SITE, &*KEYS).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The same in every run.
pub fn chance() -> Chance {
    let mut state = 1u64;
    Chance::new(move |buffer| {
        for byte in buffer {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (state >> 33) as u8;
        }
        Ok(())
    })
}

pub fn prepared_with(
    order: &Value,
    profile: &Profile,
    issuer: Option<&IssuerCertificate>,
    pool: Option<&mut Pool>,
) -> Result<Prepared, PrepareError> {
    prepared_from(&read(order), profile, &KEYS, issuer, pool)
}

pub fn prepared_from(
    order: &Order,
    profile: &Profile,
    store: &SoftwareStore,
    issuer: Option<&IssuerCertificate>,
    pool: Option<&mut Pool>,
) -> Result<Prepared, PrepareError> {
    let mut chance = chance();
    let today = Some((2026, 11, 24));
    prepare(Materials { order, profile, store, issuer, pool, chance: &mut chance, today })
}

/// A bench for the card of a product's sample order.
pub fn bench(product: &str, contactless: bool) -> Bench {
    Bench { contactless, ..bench_of(product, profile_for(product)) }
}

/// The same of a profile that was changed, in a reader with contacts.
pub fn bench_of(product: &str, profile: Profile) -> Bench {
    let prepared = prepared_with(&order_for(product), &profile, Some(&issuer_for(product)), None)
        .unwrap_or_else(|error| panic!("{product}: {error}"));
    let plan = check::plan(&prepared.record, &profile, &*KEYS).unwrap_or_else(|problems| panic!("{problems:?}"));
    Bench { record: prepared.record, profile, plan, store: support::keys(), contactless: false, ca_keys: None }
}
