//! A warning: something that the user should know, while the command goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A warning with the place it is about. It is printed on standard error and is part of the JSON result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Path of the field, key or option it is about, e.g. `keys/lab-zpk` or `applications[0].records`.
    pub path: String,
    /// What is wrong and what to do about it. Never a secret value.
    pub message: String,
}

impl Warning {
    /// A warning about a place.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
