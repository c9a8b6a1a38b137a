//! Orders that are refused, as the one at the station and the one who sent them are told.

use std::path::Path;

use super::common::{CliError, Problem};
use crate::order::{self, D1Code, Source};

/// Problems as they are shown: of a D1 order with D1's own code.
pub(super) fn shown(source: Option<Source>, problems: Vec<order::Problem>) -> Vec<Problem> {
    let d1 = source == Some(Source::D1);
    let shown = problems.into_iter().map(|problem| {
        let message = match D1Code::of(problem.code).filter(|_| d1) {
            Some(code) => format!("{} ({})", problem.message, code.name()),
            None => problem.message,
        };
        Problem::new(problem.path, problem.code, message)
    });
    shown.collect()
}

/// The order is refused; a D1 order with the answer to the one who sent it.
pub(super) fn refused(path: &Path, source: Option<Source>, problems: Vec<order::Problem>) -> CliError {
    let answer = order::d1_answer(&problems).filter(|_| source == Some(Source::D1));
    CliError::Order { what: super::common::shown(path), problems: shown(source, problems), answer }
}
