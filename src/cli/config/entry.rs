//! Where the options of a command come from, for its error messages: an entry of the configuration, or a variable of the
//! environment.

use std::path::{Path, PathBuf};

use super::defaults::Origin;
use crate::cli::error::CliError;
use crate::cli::file_names;

/// An option of this command that the command line does not give.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The option's long name; none of `PERSO_CONFIG`.
    long: Option<String>,
    /// Its values.
    values: Vec<String>,
    /// Where it comes from.
    origin: Origin,
    /// The configuration.
    config: PathBuf,
}

impl Entry {
    pub(super) fn new(long: &str, values: &[std::ffi::OsString], origin: &Origin, config: &Path) -> Self {
        let values = values.iter().map(|value| Path::new(value).display().to_string()).collect();
        Self { long: Some(long.to_owned()), values, origin: origin.clone(), config: config.to_owned() }
    }

    /// A file that a variable of the environment names, for every command.
    pub(super) fn of_variable(variable: &'static str, path: &Path) -> Self {
        let values = vec![path.display().to_string()];
        Self { long: None, values, origin: Origin::Environment(variable), config: path.to_owned() }
    }

    /// Whether it gives this option.
    pub fn is_of(&self, long: &str) -> bool {
        self.long.as_deref() == Some(long)
    }

    /// The place, as a message names it: `perso.toml: keys.file`.
    pub fn shown(&self) -> String {
        match &self.origin {
            Origin::File { key, .. } => format!("{}: {key}", self.config.display()),
            Origin::Environment(variable) => format!("environment variable {variable}"),
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> String {
        let option = match &self.long {
            Some(long) => format!(", or give --{} on the command line", long.trim_start_matches("station-")),
            None => ", or unset it".to_owned(),
        };
        match &self.origin {
            Origin::File { key, line } => {
                let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
                format!("Correct {key} in {}{line}{option}.", self.config.display())
            }
            Origin::Environment(variable) => format!("Correct {variable}{option}."),
        }
    }

    /// Whether a message is about this option or its value.
    fn is_meant(&self, error: &CliError, message: &str) -> bool {
        let option = match error {
            CliError::Option { option, .. } | CliError::Advised { option, .. } => {
                self.long.as_deref().is_some_and(|long| option.strip_prefix("--") == Some(long))
            }
            // Problems of an input may name an option that refuses it.
            CliError::Refused { problems, .. } | CliError::Order { problems, .. } => self
                .long
                .as_deref()
                .is_some_and(|long| problems.iter().any(|problem| problem.message.contains(&format!("(--{long})")))),
            _ => false,
        };
        let of_value = |value: &String| {
            let value = value.strip_prefix("sim:").or_else(|| value.strip_prefix('@')).unwrap_or(value);
            let path = error.path().is_some_and(|path| !value.is_empty() && path.starts_with(value));
            path || names(message, value)
        };
        option || self.values.iter().any(of_value)
    }
}

/// The entry that an error is about; of several the one with the longest value.
pub fn named_by<'a>(entries: &'a [Entry], error: &CliError, message: &str) -> Option<&'a Entry> {
    let meant = entries.iter().filter(|entry| entry.is_meant(error, message));
    meant.max_by_key(|entry| entry.values.iter().map(String::len).max())
}

/// Whether a message names this file or reader, or a file in this folder, as a whole word. Numbers and words of an option
/// name nothing.
fn names(message: &str, value: &str) -> bool {
    let parts = file_names::fixed_parts(value);
    let Some((first, rest)) = parts.split_first().filter(|_| !value.is_empty()) else { return false };
    let quoted = message.contains(&format!("{value:?}"));
    let is_name = value.contains(['.', '/', '\\', '-', '_']) && value.parse::<f64>().is_err();
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let at = |(at, found): (usize, &str)| {
        let before = message.get(..at).and_then(|text| text.chars().next_back());
        let mut after = message.get(at + found.len()..).unwrap_or_default();
        for piece in rest {
            let Some((filled, left)) = after.split_once(piece.as_str()) else { return false };
            if filled.contains(char::is_whitespace) {
                return false;
            }
            after = left;
        }
        let begins = !before.is_some_and(|c| part(c) || matches!(c, '/' | '.'));
        let mut following = after.chars();
        let ends = match following.next() {
            Some('.') => !following.next().is_some_and(part),
            Some(c) => !part(c),
            None => true,
        };
        begins && ends
    };
    quoted || is_name && message.match_indices(first.as_str()).any(at)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_value_is_named_as_a_whole_word_or_as_the_folder_above() {
        for (message, value) in [
            ("keys.json cannot be read", "keys.json"),
            ("./profiles/a.toml is refused", "./profiles"),
            ("traces/r-1.trace cannot be written", "traces/{id}-{attempt}.trace"),
            ("r-1.json cannot be written", "{id}.json"),
            ("no reader \"ACS\"", "ACS"),
            ("key file a/keys.json: damaged", "a/keys.json"),
        ] {
            assert!(names(message, value), "{message} {value}");
        }
        for (message, value) in [
            ("other-keys.json cannot be read", "keys.json"),
            ("a/keys.json cannot be read", "keys.json"),
            ("keys.json.part cannot be written", "keys.json"),
            ("7 problems in line 30", "30"),
            ("the reader is gone", "reader"),
            ("traces/ r.trace", "traces/{id}.trace"),
            ("record.json cannot be read", ""),
        ] {
            assert!(!names(message, value), "{message} {value}");
        }
    }
}
