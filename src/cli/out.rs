//! Results on standard output, the rest on standard error.

use std::io::{IsTerminal, Write};

use owo_colors::{OwoColorize, Style};
use serde::Serialize;

use super::args::Format;
use crate::base::Warning;
use crate::issuance::state::State;

/// Where results go, and in which form.
pub struct Out {
    format: Format,
    colour: bool,
    broken: bool,
    lost: bool,
    warnings: Vec<Warning>,
}

/// Takes warnings: [`Out`] prints them, a list keeps them for later.
pub trait WarningSink {
    /// Takes one warning.
    fn take(&mut self, warning: Warning);
}

impl WarningSink for Out {
    fn take(&mut self, warning: Warning) {
        self.warning(warning);
    }
}

impl WarningSink for Vec<Warning> {
    fn take(&mut self, warning: Warning) {
        self.push(warning);
    }
}

/// What is printed for a program where a file was written.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Written {
    /// The file.
    written: String,
}

impl Out {
    /// Colour only on a terminal, and never where NO_COLOR says so.
    pub fn new(format: Format) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            format,
            colour: wanted && std::io::stdout().is_terminal(),
            broken: false,
            lost: false,
            warnings: Vec::new(),
        }
    }

    /// Prints a warning on standard error and keeps it for the JSON result.
    pub fn warning(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            warn(&format!("perso: warning: {warning}"));
            self.warnings.push(warning);
        }
    }

    /// The warnings so far.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Prints `value` and returns true if JSON is asked for. An object gets the member `warnings` unless it has one or
    /// there are none.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> bool {
        if self.format == Format::Json {
            match self.with_warnings(value) {
                Ok(text) => self.write(&text),
                Err(error) => warn(&format!("the result cannot be written as JSON: {error}")),
            }
            return true;
        }
        false
    }

    fn with_warnings<T: Serialize + ?Sized>(&self, value: &T) -> serde_json::Result<String> {
        if self.warnings.is_empty() {
            return serde_json::to_string_pretty(value);
        }
        let mut value = serde_json::to_value(value)?;
        if let Some(members) = value.as_object_mut() {
            members.entry("warnings").or_insert(serde_json::to_value(&self.warnings)?);
        }
        serde_json::to_string_pretty(&value)
    }

    /// As [`Out::json`], in one line: for streams of values.
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> bool {
        if self.format == Format::Json {
            match serde_json::to_string(value) {
                Ok(text) => self.write(&text),
                Err(error) => warn(&format!("the result cannot be written as JSON: {error}")),
            }
            return true;
        }
        false
    }

    /// Whether whoever read this has gone away.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Prints a line for people; nothing where JSON is asked for.
    pub fn line(&mut self, text: impl AsRef<str>) {
        if self.format == Format::Text {
            self.write(text.as_ref());
        }
    }

    /// A line for people beside a result; on standard error where the result is JSON.
    pub fn aside(&mut self, text: &str) {
        match self.format {
            Format::Text => self.write(text),
            Format::Json => warn(text),
        }
    }

    /// Tells that a file was written.
    pub fn written(&mut self, path: &std::path::Path, text: impl AsRef<str>) {
        if !self.json(&Written { written: path.display().to_string() }) {
            self.write(text.as_ref());
        }
    }

    /// Something could not be written, and not because nobody wanted to read on.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Prints a file that was asked for on standard output, in either format.
    pub fn raw(&mut self, text: &str) {
        self.write(text.trim_end_matches('\n'));
    }

    /// A state in its colour.
    pub fn state(&self, state: State) -> String {
        let style = match state {
            State::Good => Style::new().green().bold(),
            State::Untouched | State::Refused => Style::new().yellow().bold(),
            State::Spoiled | State::InDoubt => Style::new().red().bold(),
        };
        if self.colour { state.to_string().style(style).to_string() } else { state.to_string() }
    }

    /// A reader that has gone away (`perso … | head`) is not our fault, and nothing more is written to it.
    fn write(&mut self, text: &str) {
        if self.broken {
            return;
        }
        if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
            self.broken = true;
            self.lost = error.kind() != std::io::ErrorKind::BrokenPipe;
            if self.lost {
                warn(&format!("perso: standard output cannot be written: {error}"));
            }
        }
    }
}

/// A line on standard error.
pub fn warn(text: &str) {
    // There is nowhere left to report to when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text_of(value: &impl Serialize, warnings: &[&Warning]) -> serde_json::Value {
        let mut out = Out::new(Format::Json);
        warnings.iter().for_each(|warning| out.warning((*warning).clone()));
        serde_json::from_str(&out.with_warnings(value).unwrap()).unwrap()
    }

    #[test]
    fn warnings_become_a_member_of_an_object_and_only_once() {
        let warning = Warning::new("keys/a", "weak");
        let value = serde_json::json!({ "name": "x" });
        assert_eq!(text_of(&value, &[]), value);
        assert_eq!(
            text_of(&value, &[&warning, &warning]),
            serde_json::json!({ "name": "x", "warnings": [{ "path": "keys/a", "message": "weak" }] })
        );
        let own = serde_json::json!({ "warnings": [] });
        assert_eq!(text_of(&own, &[&warning]), own);
        let list = serde_json::json!([1]);
        assert_eq!(text_of(&list, &[&warning]), list);
    }
}
