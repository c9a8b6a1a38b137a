//! Traces: refused with the line, or explained; never a panic.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use perso::card::trace::Trace;
use perso::card::transport::{Replay, Transport};
use perso::keys::{SoftwareStore, file};

static KEYS: LazyLock<SoftwareStore> =
    LazyLock::new(|| file::load(include_bytes!("../../tests/samples/keys.test.json"), None).expect("the sample keys"));

fuzz_target!(|text: &str| {
    if let Ok(trace) = Trace::parse(text) {
        let _ = trace.explain();
        let _ = trace.view(Some(&*KEYS)).lines();
        let _ = trace.chance();
        let mut replay = Replay::new(&trace);
        let _ = replay.reset();
        let _ = replay.transmit(&[0x00, 0xA4, 0x04, 0x00, 0x00]);
    }
});
