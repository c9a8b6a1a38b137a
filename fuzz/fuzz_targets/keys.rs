//! Key files: refused or opened, never a panic, and never a run of argon2id that a hostile file has made long.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::keys::file;

fuzz_target!(|data: &[u8]| {
    if file::is_sealed(data).is_ok_and(|sealed| !sealed) {
        let _ = file::load(data, None);
    }
    let _ = file::read_unsealed(data);
});
