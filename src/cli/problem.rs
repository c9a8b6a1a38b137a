//! What is wrong with an input, as it is shown.

use crate::base::Code;

/// One problem of an input, as it is shown.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// Where.
    pub path: String,
    /// Catalogue code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) kind: Option<Code>,
}

impl Problem {
    /// A problem at a path.
    pub fn new(path: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self { path: path.into(), code: code.name().into(), message: message.into(), kind: Some(code) }
    }
}
