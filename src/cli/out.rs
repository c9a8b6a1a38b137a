//! Results on standard output, the rest on standard error.

use std::io::{IsTerminal, Write};

use anstyle::Style;
use serde::Serialize;

use super::args::Format;
use super::config::entry::{Entry, named_by};
use super::error::CliError;
use super::error_words::advice_on;
use super::screen::{self, Stream, harmless, harmless_json, wrapped};
use crate::base::Warning;
use crate::issuance::result::FaultRef;
use crate::issuance::state::State;

/// Where results go, and in which form.
pub struct Out {
    format: Format,
    colour: bool,
    quiet: bool,
    broken: bool,
    lost: bool,
    warnings: Vec<Warning>,
    command: Option<String>,
    entries: Vec<Entry>,
    /// In the place of standard output.
    #[cfg(test)]
    pub(super) copy: Option<Vec<u8>>,
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
    /// Colour as `--color`, the environment and the terminal have it.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            colour: Stream::Output.has_colour(),
            quiet: false,
            broken: false,
            lost: false,
            warnings: Vec::new(),
            command: None,
            entries: Vec::new(),
            #[cfg(test)]
            copy: None,
        }
    }

    /// Without progress, if `quiet`.
    pub fn quiet(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// For the errors of this command, with what the configuration and the environment give to it.
    pub fn of_command(self, command: String, entries: Vec<Entry>) -> Self {
        Self { command: Some(command), entries, ..self }
    }

    /// With what the environment gives to every command.
    pub fn entries(self, entries: Vec<Entry>) -> Self {
        Self { entries, ..self }
    }

    /// Where the value of an option comes from, if not from the command line.
    pub fn entry(&self, long: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_of(long))
    }

    /// An error as it is shown. If it is about a value that the configuration or the environment gave, it names the entry.
    pub fn fault(&self, error: &CliError) -> FaultRef {
        let mut fault = FaultRef::of(error);
        if let (CliError::Option { option, .. }, Some(command)) = (error, &self.command) {
            fault.next = advice_on(option, &format!("`perso {command}`")).replace("` --help", " --help`");
        }
        let Some(entry) = named_by(&self.entries, error, &fault.message) else { return fault };
        let message = match error {
            CliError::Config(_) => fault.message,
            _ => format!("{} ({})", fault.message, entry.shown()),
        };
        let next = if error.is_of_entry() { entry.advice() } else { format!("{} {}", fault.next, entry.advice()) };
        FaultRef { message, next, ..fault }
    }

    /// Whether results are for programs.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether progress is not wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The form that results are printed in.
    pub fn format(&self) -> Format {
        self.format
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
                Ok(text) => self.write(&harmless_json(&text)),
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
                Ok(text) => self.write(&harmless_json(&text)),
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

    /// Prints a line for people, wrapped on a terminal; nothing if JSON is asked for.
    pub fn line(&mut self, text: impl AsRef<str>) {
        if self.format == Format::Text {
            let text = harmless(text.as_ref());
            self.write(&wrapped(&text, Stream::Output.width()));
        }
    }

    /// As [`Out::line`], with `word` in this style: its first occurrence, in front of everything that a file or a card
    /// said.
    pub fn styled(&mut self, style: Style, word: &str, text: impl AsRef<str>) {
        if self.format == Format::Text {
            let text = harmless(text.as_ref());
            let text = wrapped(&text, Stream::Output.width());
            self.write(&self.painted(style, word, &text));
        }
    }

    /// A line whose end has this style, whatever stands before it.
    pub fn headed(&mut self, head: impl AsRef<str>, style: Style, end: &str) {
        if self.format == Format::Text {
            let text = format!("{}{end}", harmless(head.as_ref()));
            let text = wrapped(&text, Stream::Output.width());
            let line = match text.strip_suffix(end).filter(|_| self.colour) {
                Some(before) => format!("{before}{style}{end}{style:#}"),
                None => text.into_owned(),
            };
            self.write(&line);
        }
    }

    fn painted(&self, style: Style, word: &str, text: &str) -> String {
        match text.split_once(word).filter(|_| self.colour) {
            Some((before, after)) => format!("{before}{style}{word}{style:#}{after}"),
            None => text.to_owned(),
        }
    }

    /// A table with a header: columns two blanks apart, wrapped to the terminal's width.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        if self.format == Format::Text {
            let lines = screen::table(header, rows, Stream::Output.width());
            for (at, line) in lines.iter().enumerate() {
                let heading = Style::new().bold();
                let line = if at == 0 && self.colour { format!("{heading}{line}{heading:#}") } else { line.clone() };
                self.write(&line);
            }
        }
    }

    /// A line for people next to a result; on standard error if the result is JSON.
    pub fn aside(&mut self, text: &str) {
        match self.format {
            Format::Text => self.line(text),
            Format::Json => warn(text),
        }
    }

    /// Tells that a file was written.
    pub fn written(&mut self, path: &std::path::Path, text: impl AsRef<str>) {
        if !self.json(&Written { written: path.display().to_string() }) {
            self.line(text);
        }
    }

    /// Something could not be written, and not because nobody wanted to read on.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Prints a file that was asked for on standard output, in either format: byte for byte, except on a terminal.
    pub fn raw(&mut self, text: &str) {
        let text = text.trim_end_matches('\n');
        if std::io::stdout().is_terminal() { self.event(text) } else { self.write(text) }
    }

    /// Prints text in either format, its line ends as they are.
    pub fn event(&mut self, text: &str) {
        let lines: Vec<_> = text.split('\n').map(harmless).collect();
        self.write(&lines.join("\n"));
    }

    /// A line that begins with a state, in its colour.
    pub fn state(&mut self, state: State, rest: &str) {
        let style = match state {
            State::Good => screen::GOOD,
            State::Untouched | State::Refused => screen::WARNING,
            State::Spoiled | State::InDoubt => screen::BAD,
        };
        let word = state.to_string();
        self.styled(style, &word, format!("{word}{rest}"));
    }

    /// A reader that has gone away (`perso … | head`) is not our fault, and nothing more is written to it.
    fn write(&mut self, text: &str) {
        if self.broken {
            return;
        }
        #[cfg(test)]
        if let Some(copy) = &mut self.copy {
            copy.extend([text.as_bytes(), b"\n"].concat());
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

/// A line on standard error, wrapped on a terminal.
pub fn warn(text: &str) {
    let text = harmless(text);
    let text = wrapped(&text, Stream::Error.width());
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
