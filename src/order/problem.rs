//! What is wrong with an order, and what the one who sent it is told.

use serde::Serialize;

use crate::base::{Code, Warning};

/// One thing that is wrong with an order. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a path into the order as it arrived; what stands in encrypted data has the path it has in there.
    pub path: String,
    /// Catalogue code.
    pub code: Code,
    /// What is wrong.
    pub message: String,
}

/// Everything that is wrong with an order. A required PIN that is absent stands first.
pub type Problems = Vec<Problem>;

/// What is wrong with a site's configuration: a path and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct SiteError {
    /// Where.
    pub path: String,
    /// What.
    pub message: String,
}

/// The error codes of the D1 order API that an order can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum D1Code {
    /// A field does not have its documented form, or a required one is absent.
    FieldInvalidFormat,
    /// A field has its form, and a value that is not permitted.
    FieldInvalidValue,
    /// The encrypted data does not open.
    CryptoError,
    /// The encrypted data is no JSON text.
    ParsingError,
    /// This site does not do that.
    OperationNotAllowed,
}

impl D1Code {
    /// As it is written in an answer.
    pub fn name(self) -> &'static str {
        match self {
            D1Code::FieldInvalidFormat => "FIELD_INVALID_FORMAT",
            D1Code::FieldInvalidValue => "FIELD_INVALID_VALUE",
            D1Code::CryptoError => "CRYPTO_ERROR",
            D1Code::ParsingError => "PARSING_ERROR",
            D1Code::OperationNotAllowed => "OPERATION_NOT_ALLOWED",
        }
    }

    /// What the D1 API calls a problem with this catalogue code; `None` where it is none of an order's.
    pub fn of(code: Code) -> Option<D1Code> {
        match code {
            Code::OrderSyntax => Some(D1Code::ParsingError),
            Code::OrderFormat | Code::OrderPin => Some(D1Code::FieldInvalidFormat),
            // A MAC that is wrong is a value that is not permitted: nothing was to be decrypted.
            // Data preparation names a field of the order only if its value is not permitted for the product.
            Code::OrderValue | Code::PrepareBlock | Code::PrepareData => Some(D1Code::FieldInvalidValue),
            Code::OrderCrypto | Code::PinBlock => Some(D1Code::CryptoError),
            Code::OrderNotAllowed => Some(D1Code::OperationNotAllowed),
            _ => None,
        }
    }
}

/// A D1 error answer: its HTTP status, and its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct D1Answer {
    /// HTTP status of the answer; no part of its body.
    pub status: u16,
    /// One of the API's error codes.
    #[serde(rename = "errorCode")]
    pub error_code: &'static str,
    /// The first faulty field; none with CRYPTO_ERROR, of which the API tells nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the D1 API answers to an order with these problems: the first of them. `None` where there is none.
pub fn d1_answer(problems: &[Problem]) -> Option<D1Answer> {
    let first = problems.first()?;
    // What is no fault of the order is a fault of ours.
    let Some(code) = D1Code::of(first.code) else {
        return Some(D1Answer { status: 500, error_code: "INTERNAL_ERROR", error: None });
    };
    let status = if code == D1Code::OperationNotAllowed { 403 } else { 400 };
    // The API's own words: the body is the request, and the card data has no path to it.
    let field = first.path.strip_prefix("body.").unwrap_or(&first.path);
    let error = (code != D1Code::CryptoError).then(|| field.to_owned());
    Some(D1Answer { status, error_code: code.name(), error })
}

/// Collects problems.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Problems,
    /// What could not be checked, and why.
    pub(super) skipped: Vec<String>,
    /// Warnings; the order is accepted all the same.
    pub(super) warnings: Vec<Warning>,
}

impl Findings {
    /// One path is told of once, by what was found first; and nothing is said of what lies below a faulty place.
    pub(super) fn add(&mut self, path: impl Into<String>, code: Code, message: impl Into<String>) {
        let path = path.into();
        if !self.is_faulty(&path) {
            self.problems.push(Problem { path, code, message: message.into() });
        }
    }

    /// Whether a path, or a place that it lies below, was told of.
    pub(super) fn is_faulty(&self, path: &str) -> bool {
        let told = |earlier: &Problem| {
            path.strip_prefix(&earlier.path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.problems.iter().any(told)
    }

    pub(super) fn format(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.add(path, Code::OrderFormat, message);
    }

    pub(super) fn value(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.add(path, Code::OrderValue, message);
    }

    pub(super) fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.add(path, Code::OrderNotAllowed, message);
    }

    /// Adds a warning once.
    pub(super) fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let warning = Warning::new(path, message);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Says once that something could not be checked.
    pub(super) fn skip(&mut self, what: &str) {
        if !self.skipped.iter().any(|earlier| earlier == what) {
            self.skipped.push(what.to_owned());
        }
    }

    /// A required PIN that is absent is refused first.
    pub(super) fn sort(&mut self) {
        self.problems.sort_by_key(|problem| problem.code != Code::OrderPin);
    }
}
