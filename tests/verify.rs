//! `perso verify` on simulated cards: a good card is proven, a wrong one is found by the right check, and nothing is moved
//! that was not asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/proof.rs"]
mod proof;
mod support;

use perso::issuance::proof::Consent;
use proof::{Proof, Wanted, check, failed};

const CRYPTOGRAPHIC: [&str; 10] = [
    "CA key",
    "issuer certificate",
    "static data to be authenticated",
    "SDA",
    "card certificate",
    "DDA",
    "CDA",
    "offline PIN",
    "cryptogram",
    "issuer authentication",
];

#[test]
fn a_good_card_is_proven_by_all_that_it_has() {
    let proof = Proof::new(&Wanted::default());
    let (result, _) = proof.everything(proof.card());
    for it in &result.checks { eprintln!("{it:?}"); }
    for it in &result.loaded_not_proven { eprintln!("LEFT {it:?}"); }
    for it in &result.findings { eprintln!("FINDING {it:?}"); }
    assert_eq!(result.verdict, "passed", "{:?}", failed(&result));
    for name in CRYPTOGRAPHIC.iter().chain(&["second cryptogram"]) {
        assert_eq!(check(&result, name).outcome, "passed", "{name}");
    }
    let _ = Consent::default();
}
