//! JWE in compact serialization: refused or taken apart, never a panic; and never opened by a key that is not listed.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::keys::{SoftwareStore, file};
use perso::order::{Jwe, Site};

static KEYS: LazyLock<SoftwareStore> =
    LazyLock::new(|| file::load(include_bytes!("../../tests/samples/keys.test.json"), None).expect("the sample keys"));
static NOBODY: LazyLock<Site> = LazyLock::new(|| Site::parse("").expect("a site without keys"));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(jwe) = Jwe::parse(text) {
        assert!(jwe.open(&NOBODY, &*KEYS).is_err());
    }
});
