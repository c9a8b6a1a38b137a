//! One suite over every kind of key store: the same keys, the same verbs, the same answers, all of them from outside.
//!
//! The token is SoftHSM's, in a folder of its own: this program starts itself again with `SOFTHSM2_CONF` naming it, since
//! the module reads it from there. Without SoftHSM the token's tests are reported as ignored, never as passed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "key_stores_support/attributes.rs"]
mod attributes;
#[path = "support/canary.rs"]
mod canary;
mod live_keys;
#[path = "key_stores_support/policy.rs"]
mod policy;
#[path = "key_stores_support/product.rs"]
mod product;
#[path = "policy_support/programs.rs"]
mod programs;
#[path = "key_stores_support/same_card.rs"]
mod same_card;
#[path = "support/softhsm.rs"]
mod softhsm;
#[path = "key_stores_support/stand_in.rs"]
mod stand_in;
#[path = "key_stores_support/mod.rs"]
mod suite;
#[path = "key_stores_support/tampered.rs"]
mod tampered;
#[path = "key_stores_support/token.rs"]
mod token;
#[path = "support/token_folder.rs"]
mod token_folder;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use perso::keys::file::{self, Unsealed};

/// The sample keys, open for change.
pub fn sample() -> Unsealed {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/keys.test.json");
    file::read(&std::fs::read(path).unwrap(), None).unwrap()
}

fn tests() -> impl Iterator<Item = &'static (&'static str, fn())> {
    let lists = [
        token::TESTS,
        attributes::TESTS,
        tampered::TESTS,
        same_card::TESTS,
        product::TESTS,
        stand_in::TESTS,
        policy::TESTS,
    ];
    lists.into_iter().flatten()
}

fn main() -> ExitCode {
    if let Some(code) = softhsm::again(token::LABELS) {
        return code;
    }
    let ready = softhsm::module().is_some();
    if !ready {
        eprintln!("key_stores: softhsm2 is not installed: the token's tests are ignored");
    }
    let file = || {
        suite::run(&sample().into_store(), suite::Kind { masters_leave: true, variants: true });
        Ok(())
    };
    let mut trials = vec![Trial::test("the_sealed_file", file)];
    for (name, test) in tests() {
        trials.push(
            Trial::test(*name, || {
                test();
                Ok(())
            })
            .with_ignored_flag(!ready),
        );
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
