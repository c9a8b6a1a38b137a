//! Exit codes of a job: part of the contract.

use crate::base::Code;
use crate::issuance::outcome::Outcome;
use crate::issuance::state::State;

/// Checks that have failed, or a test whose fault never came.
pub const FINDINGS: u8 = 10;
/// Configuration, reader or service.
pub const SET_UP: u8 = 4;

/// The exit code of a job.
pub fn of_job(outcome: &Outcome) -> u8 {
    let of_fault = outcome.fault.as_ref().map(|fault| exit(fault.code));
    match outcome.state {
        State::Good => 0,
        // The journal's own faults have a code of their own, as long as no card was touched.
        State::Untouched if of_fault == Some(9) => 9,
        State::Untouched => 6,
        State::Spoiled => 7,
        State::InDoubt => 8,
        State::Refused => of_fault.unwrap_or(3),
    }
}

/// The exit code of a fault.
pub fn exit(code: Code) -> u8 {
    code.entry().exit
}
