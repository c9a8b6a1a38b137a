//! One suite over every kind of key store: the same keys, the same verbs, the same answers, all of them from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "key_stores_support/mod.rs"]
mod suite;

use perso::keys::file;

#[test]
fn the_sealed_file() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/keys.test.json");
    let store = file::load(&std::fs::read(path).unwrap(), None).unwrap();
    suite::run(&store, suite::Kind { masters_leave: true, variants: true });
}
