//! What data preparation costs: orders read and made into sealed records, with RSA keys made ahead and without, through the
//! key file and through a token. `scripts/bench.sh` runs it; the token is SoftHSM's, and without SoftHSM its rows say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod commands;
#[path = "../readers/figures.rs"]
#[allow(dead_code)]
mod figures;
mod line;
#[path = "../../tests/support/softhsm.rs"]
mod softhsm;
mod timed;
mod token;
#[path = "../../tests/support/token_folder.rs"]
mod token_folder;

use std::process::ExitCode;

fn main() -> ExitCode {
    // `cargo bench` says so; `cargo test --benches` only wants to know that it is built.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    if let Some(code) = softhsm::again(&[token::LABEL]) {
        return code;
    }
    line::records_per_second();
    commands::whole_processes();
    // Only if it is asked for is a missed aim a failure: a busy machine misses some.
    if !figures::aims() && std::env::var_os("PERSO_BENCH_STRICT").is_some() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
