//! Traces: refused with the line, or explained; never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::card::trace::Trace;
use perso::card::transport::{Replay, Transport};

fuzz_target!(|text: &str| {
    if let Ok(trace) = Trace::parse(text) {
        let _ = trace.explain();
        let _ = trace.chance();
        let mut replay = Replay::new(&trace);
        let _ = replay.reset();
        let _ = replay.transmit(&[0x00, 0xA4, 0x04, 0x00, 0x00]);
    }
});
