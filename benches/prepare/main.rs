//! What data preparation costs: orders read and made into sealed records, with RSA keys made ahead and without, through the
//! key file and through a token. `scripts/bench.sh` runs it; the token is SoftHSM's, and without SoftHSM its rows say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../readers/figures.rs"]
#[allow(dead_code)]
mod figures;
mod line;
mod timed;
mod token;

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // `cargo bench` says so; `cargo test --benches` only wants to know that it is built.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    // The module reads its configuration when it is loaded, from the environment.
    if std::env::var_os(token::MARK).is_none()
        && let Some(module) = token::module()
    {
        let folder = token::folder();
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(std::env::args_os().skip(1));
        again.env("SOFTHSM2_CONF", folder.path().join("softhsm2.conf")).env(token::MARK, module);
        let code = again.status().unwrap().code();
        return ExitCode::from(u8::try_from(code.unwrap_or(1)).unwrap_or(1));
    }
    line::records_per_second();
    ExitCode::SUCCESS
}
