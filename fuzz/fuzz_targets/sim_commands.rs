//! Any commands, one after the other, to a blank simulated card: a status word each, never a panic.

#![no_main]

#[path = "../common.rs"]
mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut card = common::BENCH.blank();
    card.reset();
    let mut rest = data;
    while let [length, tail @ ..] = rest {
        let (command, after) = tail.split_at(usize::from(*length).min(tail.len()));
        assert!(card.process(command).len() >= 2);
        rest = after;
    }
});
