//! What perso costs over PC/SC, beside what the same bytes cost without it and beside hosts that we did not write, all in
//! one run: `scripts/bench.sh`, which makes the virtual readers. Without them it does nothing.
//!
//! What is compared is measured in turns, so that a machine that is busy for a while is busy for both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../tests/support/blank.rs"]
mod blank;
mod desk;
mod figures;
mod jobs;
mod program;
#[path = "../../tests/pcsc_support/mod.rs"]
#[allow(dead_code)]
mod readers;
mod strangers;
#[path = "../../tests/support/mod.rs"]
mod support;

fn main() {
    // `cargo bench` says so; `cargo test --benches` only wants to know that it is built.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    if readers::vpcd_address().is_none() {
        println!("skipped: there are no virtual readers; scripts/bench.sh makes them");
        return;
    }
    jobs::commands();
    jobs::beside_a_bare_replay();
    jobs::sixteen_at_once();
    program::start_and_memory();
    strangers::the_same_work();
    // Only where it is asked for is a missed aim a failure: a busy machine misses some.
    if !figures::aims() && std::env::var_os("PERSO_BENCH_STRICT").is_some() {
        std::process::exit(1);
    }
}
