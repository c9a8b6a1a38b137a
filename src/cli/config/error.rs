//! What is wrong with a configuration, and what to do next.

use std::path::{Path, PathBuf};

use crate::base::{Code, Fault};

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, not of this form, or a value that cannot be.
    #[error("configuration {}{}{why}", at(path, *line), colon(key))]
    Value {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: Option<usize>,
        /// The dotted key; empty if the fault is of the file as a whole.
        key: String,
        /// What is wrong; a configuration holds no secret.
        why: String,
    },
    /// A variable of the environment with a value that cannot be.
    #[error("environment variable {variable}: {why}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A file that was found, not named, and that others could have put there.
    #[error("configuration {path} was found and is not used, since another user could have written it: {place}: {why}")]
    Planted {
        /// The file.
        path: PathBuf,
        /// What others can change.
        place: PathBuf,
        /// How.
        why: &'static str,
    },
    /// A PKCS#11 module that others could have put there.
    #[error("configuration {path}: the PKCS#11 module {module} is not loaded: {place}: {why}")]
    Module {
        /// The file.
        path: PathBuf,
        /// The module.
        module: PathBuf,
        /// What others can change.
        place: PathBuf,
        /// How.
        why: &'static str,
    },
    /// No configuration where one is needed.
    #[error("no configuration was found and none was named")]
    None,
}

fn at(path: &Path, line: Option<usize>) -> String {
    line.map_or_else(|| format!("{}: ", path.display()), |line| format!("{}, line {line}: ", path.display()))
}

fn colon(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

impl Fault for ConfigError {
    fn code(&self) -> Code {
        match self {
            ConfigError::None => Code::OperatorInput,
            _ => Code::Config,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            ConfigError::Value { key, path, .. } if !key.is_empty() => {
                Some(format!("Correct {key} in {}; docs/config.md describes every entry.", path.display()))
            }
            ConfigError::Value { path, .. } => {
                Some(format!("Correct {}; docs/config.md shows a whole configuration.", path.display()))
            }
            ConfigError::Environment { variable, .. } => Some(format!("Correct {variable}, or unset it.")),
            ConfigError::Planted { path, .. } => Some(format!(
                "If the file is yours, name it with `--config {}` or make it and its folders writable by you alone; \
                 `--config none` goes on without.",
                path.display()
            )),
            ConfigError::Module { place, .. } if place.parent().is_none_or(|it| it.as_os_str().is_empty()) => {
                Some(format!("Write the module with its folder, as in module-path=/usr/lib/{}.", place.display()))
            }
            ConfigError::Module { place, .. } => Some(format!(
                "Correct the owner and mode of {}, or name the token on the command line with --keys.",
                place.display()
            )),
            ConfigError::None => {
                Some("Write perso.toml as docs/config.md shows, or name one with --config FILE.".to_owned())
            }
        }
    }
}
