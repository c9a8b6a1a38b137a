//! Traces: every exchange with a card as lines of text. `docs/trace.md` describes the format.
//!
//! A trace is written in full only while every key in use is a test key; otherwise data is left out, and the trace
//! says so, can still be explained, and cannot be replayed.

mod explain;
mod inside;
mod write;

pub use explain::{About, Event, Side, TraceView};
pub use write::Writer;

use crate::base::fault::{Code, Fault};
use crate::card::apdu::{Command, Response};

const FIRST_LINE: &str = "# perso-trace 1";
/// The comment that says that data was left out.
const BARE: &str = "without data";

/// A trace that has been read.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    meta: Vec<(String, String)>,
    lines: Vec<Line>,
    bare: bool,
}

/// One line that means something.
#[derive(Clone, PartialEq, Eq)]
pub enum Line {
    /// `!` Random bytes that the host drew.
    Chance(Vec<u8>),
    /// `=` A reset, and the ATR.
    Reset(Vec<u8>),
    /// `>` A command.
    Command(Vec<u8>),
    /// `<` Its answer, and the microseconds it took.
    Answer(Vec<u8>, u64),
    /// `x` The link broke.
    Lost(String),
}

/// What is not a trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Not this format, or not this version.
    #[error("line 1 is not {FIRST_LINE:?}")]
    Version,
    /// A line that is none of the format's, or stands where it cannot.
    #[error("line {line}: {why}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Fault for TraceError {
    fn code(&self) -> Code {
        Code::TraceSyntax
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "trace of {} lines", self.lines.len())
    }
}

impl std::fmt::Debug for Line {
    /// Kind and length only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, length) = match self {
            Line::Chance(bytes) => ("chance", bytes.len()),
            Line::Reset(bytes) => ("reset", bytes.len()),
            Line::Command(bytes) => ("command", bytes.len()),
            Line::Answer(bytes, _) => ("answer", bytes.len()),
            Line::Lost(why) => ("lost", why.len()),
        };
        write!(f, "{kind}[{length}]")
    }
}

impl Trace {
    /// Reads a trace.
    ///
    /// # Errors
    /// The first line that is wrong, by its number. The last command may lack its answer: the program was killed.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut numbered = text.lines().enumerate();
        if numbered.next().map(|(_, line)| line.trim_end()) != Some(FIRST_LINE) {
            return Err(TraceError::Version);
        }
        let mut trace = Self { meta: Vec::new(), lines: Vec::new(), bare: false };
        for (index, line) in numbered {
            trace.take(line.trim_end()).map_err(|why| TraceError::Line { line: index + 1, why })?;
        }
        Ok(trace)
    }

    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        let (mark, rest) = line.split_at_checked(1).unwrap_or(("", line));
        let rest = rest.trim();
        let asked = matches!(self.lines.last(), Some(Line::Command(_)));
        let parsed = match mark {
            "" if rest.is_empty() => return Ok(()),
            "#" => {
                self.comment(rest);
                return Ok(());
            }
            "<" if !asked => return Err("an answer without a command"),
            "<" => {
                let (data, micros) = rest.split_once(' ').ok_or("an answer without its microseconds")?;
                Line::Answer(bytes(data)?, micros.trim().parse().map_err(|_| "the microseconds are not a number")?)
            }
            "x" => Line::Lost(rest.to_owned()),
            "!" | "=" | ">" if asked => return Err("the command before has no answer"),
            "!" => Line::Chance(bytes(rest)?),
            "=" => Line::Reset(bytes(rest)?),
            ">" => Line::Command(bytes(rest)?),
            _ => return Err("not a line of a trace"),
        };
        self.lines.push(parsed);
        Ok(())
    }

    fn comment(&mut self, rest: &str) {
        if rest == BARE {
            self.bare = true;
        } else if let Some((key, value)) = rest.split_once(' ') {
            self.meta.push((key.to_owned(), value.trim().to_owned()));
        }
    }

    /// What stands in the comment lines: key and value.
    pub fn meta(&self) -> &[(String, String)] {
        &self.meta
    }

    /// The value of the first comment with this key.
    pub fn stated(&self, key: &str) -> Option<&str> {
        self.meta.iter().find(|(held, _)| held == key).map(|(_, value)| value.as_str())
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Every command with its whole answer: fetched by GET RESPONSE, or sent again with another Le, if the card asked for it.
    /// A command that the trace has no whole answer for is left out.
    pub fn exchanges(&self) -> Vec<(Command, Response)> {
        let mut out: Vec<(Command, Response)> = Vec::new();
        let mut pending: Option<(Command, Vec<u8>)> = None;
        for line in &self.lines {
            match line {
                Line::Command(bytes) => {
                    let Ok(command) = Command::parse(bytes) else { continue };
                    if command.ins != 0xC0 || pending.is_none() {
                        pending = Some((command, Vec::new()));
                    }
                }
                Line::Answer(bytes, _) => {
                    let (Some((command, mut data)), Ok(answer)) = (pending.take(), Response::parse(bytes)) else {
                        continue;
                    };
                    data.extend_from_slice(&answer.data);
                    match answer.sw.sw1() {
                        0x61 => pending = Some((command, data)),
                        0x6C => {}
                        _ => out.push((command, Response::new(data, answer.sw))),
                    }
                }
                Line::Chance(_) => {}
                Line::Reset(_) | Line::Lost(_) => pending = None,
            }
        }
        out
    }

    /// Whether data was left out, since not every key was a test key. Such a trace cannot be replayed.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// All random bytes that the host drew, in order: what a replay needs.
    pub fn chance(&self) -> Vec<u8> {
        let drawn = self.lines.iter().filter_map(|line| match line {
            Line::Chance(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        drawn.collect::<Vec<_>>().concat()
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = hex::decode(text).map_err(|_| "not hexadecimal")?;
    if bytes.is_empty() { Err("no bytes") } else { Ok(bytes) }
}
