//! Why nothing became ready for a card.

use super::file_kind::FileKind;
use super::plan::Problem;
use super::setup::{PortError, ProfilesError};
use crate::base::fault::{Code, Fault};
use crate::order::{self, D1Answer, D1Code, Source};
use crate::prepare::{IssuerFileError, PrepareError};
use crate::record::RecordProblems;

/// Why nothing became ready for a card. Nothing was changed then, unless a key was taken out of a pool.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// A file of another kind.
    #[error("{} is neither a record nor an order", .0.what())]
    Kind(FileKind),
    /// An order, and no site that it is for.
    #[error("it is an order, and no site is named that it is for")]
    NoSite,
    /// The order is refused.
    #[error("the order is refused: {}", first(problems))]
    Order {
        /// All problems; of a D1 order each with D1's own code.
        problems: Vec<Problem>,
        /// The answer to the sender of a D1 order.
        answer: Option<D1Answer>,
    },
    /// The record, or its profile, is refused.
    #[error("the record is refused: {}", first(.0))]
    Refused(Vec<Problem>),
    /// The order is for another profile than the one that was named.
    #[error("the order is for profile {0:?}")]
    OtherProfile(String),
    /// The record was not prepared from this order.
    #[error("it is not the record of this order")]
    OtherOrder,
    /// The profile.
    #[error(transparent)]
    Profiles(#[from] ProfilesError),
    /// The issuer's certificate.
    #[error("issuer's certificate: {0}")]
    Issuer(#[source] IssuerFileError),
    /// The pool of card keys.
    #[error("{0}")]
    Pool(PortError),
    /// Data preparation.
    #[error(transparent)]
    Prepare(PrepareError),
}

impl IntakeError {
    /// A record with problems.
    pub(super) fn record(problems: RecordProblems) -> Self {
        let problems = problems.into_iter();
        Self::Refused(problems.map(|it| Problem { path: it.path, code: it.code, message: it.message }).collect())
    }

    /// An order with problems.
    pub(super) fn order(source: Option<Source>, problems: order::Problems) -> Self {
        let answer = order::d1_answer(&problems).filter(|_| source == Some(Source::D1));
        Self::Order { problems: order_problems(source, problems), answer }
    }
}

impl Fault for IntakeError {
    fn code(&self) -> Code {
        match self {
            IntakeError::Kind(_) => Code::FileKind,
            IntakeError::NoSite | IntakeError::OtherProfile(_) | IntakeError::OtherOrder => Code::OperatorInput,
            IntakeError::Order { problems, .. } => problems.first().map_or(Code::OrderSyntax, |it| it.code),
            IntakeError::Refused(problems) => problems.first().map_or(Code::RecordSyntax, |it| it.code),
            IntakeError::Profiles(error) => error.code(),
            IntakeError::Issuer(_) => Code::PrepareIssuer,
            IntakeError::Pool(error) => error.code(),
            IntakeError::Prepare(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            IntakeError::Pool(error) => error.remedy(),
            _ => None,
        }
    }
}

/// Problems of an order as they are shown: of a D1 order with D1's own code.
pub fn order_problems(source: Option<Source>, problems: order::Problems) -> Vec<Problem> {
    let d1 = source == Some(Source::D1);
    let shown = problems.into_iter().map(|problem| {
        let message = match D1Code::of(problem.code).filter(|_| d1) {
            Some(code) => format!("{} ({})", problem.message, code.name()),
            None => problem.message,
        };
        Problem { path: problem.path, code: problem.code, message }
    });
    shown.collect()
}

fn first(problems: &[Problem]) -> String {
    match problems {
        [] => "no problem is named".to_owned(),
        [only] => format!("{}: {}", only.path, only.message),
        [first, rest @ ..] => format!("{}: {} (and {} more)", first.path, first.message, rest.len()),
    }
}
