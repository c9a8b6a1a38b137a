//! Prepared records, and clear records with the same body: refused or opened, never a panic.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::base::Chance;
use perso::keys::{SoftwareStore, file};
use perso::record::{self, Record};

static KEYS: LazyLock<SoftwareStore> =
    LazyLock::new(|| file::load(include_bytes!("../../tests/samples/keys.test.json"), None).expect("the sample keys"));

fuzz_target!(|data: &[u8]| {
    let _ = record::peek(data);
    let _ = Record::open(data, &*KEYS);
    let mut chance = Chance::new(|buffer| {
        buffer.fill(7);
        Ok(())
    });
    if let Ok(sealed) = record::seal(data, &*KEYS, &"00".repeat(32), &mut chance) {
        Record::open(sealed.as_bytes(), &*KEYS).expect("what was sealed opens");
    }
});
