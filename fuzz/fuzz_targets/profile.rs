//! Profiles: refused with paths, or understood; never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::profile::{self, Profile};

fuzz_target!(|text: &str| {
    let _ = profile::peek_name(text);
    match Profile::parse(text) {
        Ok(profile) => assert_eq!(Profile::parse(text).expect("twice the same").hash(), profile.hash()),
        Err(problems) => assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.path.is_empty())),
    }
});
