//! Traces: every exchange with a card as lines of text. `docs/trace.md` describes the format.
//!
//! A trace is written in full only while every key in use is a test key; otherwise data is left out, and the trace
//! says so and cannot be replayed.

use std::io::Write;

use super::apdu::{Command, Response, command_name, meaning};
use super::plain::TraceEvent;
use crate::base::fault::{Code, Fault};

const FIRST_LINE: &str = "# perso-trace 1";

/// A trace that has been read.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    meta: Vec<(String, String)>,
    lines: Vec<Line>,
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
    /// A line that is none of the format's.
    #[error("line {0} is not a line of a trace")]
    Line(usize),
    /// A trace without data: live keys were in use.
    #[error("the trace was written without data, since not every key was a test key")]
    Bare,
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

impl Trace {
    /// Reads a trace.
    ///
    /// # Errors
    /// The number of the first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut numbered = text.lines().enumerate();
        if numbered.next().map(|(_, line)| line.trim_end()) != Some(FIRST_LINE) {
            return Err(TraceError::Version);
        }
        let mut trace = Self { meta: Vec::new(), lines: Vec::new() };
        for (index, line) in numbered {
            let line = line.trim_end();
            let wrong = TraceError::Line(index + 1);
            let (mark, rest) = line.split_at_checked(1).unwrap_or(("", ""));
            let rest = rest.trim();
            match mark {
                "" => {}
                "#" => {
                    if let Some((key, value)) = rest.split_once(' ') {
                        trace.meta.push((key.to_owned(), value.trim().to_owned()));
                    }
                    if rest == "without data" {
                        return Err(TraceError::Bare);
                    }
                }
                "!" => trace.lines.push(Line::Chance(hex::decode(rest).map_err(|_| wrong)?)),
                "=" => trace.lines.push(Line::Reset(hex::decode(rest).map_err(|_| wrong)?)),
                ">" => trace.lines.push(Line::Command(hex::decode(rest).map_err(|_| wrong)?)),
                "<" => {
                    let (data, micros) = rest.split_once(' ').unwrap_or((rest, "0"));
                    let data = hex::decode(data).map_err(|_| wrong.clone())?;
                    trace.lines.push(Line::Answer(data, micros.trim().parse().map_err(|_| wrong)?));
                }
                "x" => trace.lines.push(Line::Lost(rest.to_owned())),
                _ => return Err(wrong),
            }
        }
        Ok(trace)
    }

    /// What stands in the comment lines: key and value.
    pub fn meta(&self) -> &[(String, String)] {
        &self.meta
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// All random bytes that the host drew, in order: what a replay needs.
    pub fn chance(&self) -> Vec<u8> {
        let drawn = self.lines.iter().filter_map(|line| match line {
            Line::Chance(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        drawn.collect::<Vec<_>>().concat()
    }

    /// Explains the trace, a line an exchange.
    pub fn explain(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut number = 0;
        let mut sent: Option<&[u8]> = None;
        for line in &self.lines {
            match line {
                Line::Chance(bytes) => out.push(format!("      the host draws {} random bytes", bytes.len())),
                Line::Reset(atr) => out.push(format!("      reset, ATR {}", hex::encode_upper(atr))),
                Line::Command(bytes) => {
                    number += 1;
                    out.push(format!("{number:>4}  {}", explain_command(bytes)));
                    sent = Some(bytes);
                }
                Line::Answer(bytes, micros) => out.push(format!("      {}", explain_answer(sent, bytes, *micros))),
                Line::Lost(why) => out.push(format!("      the link broke: {why}")),
            }
        }
        out
    }
}

/// The command's name with what its parameters say; data is told by its length only.
fn explain_command(bytes: &[u8]) -> String {
    let Ok(command) = Command::parse(bytes) else { return format!("{} bytes that are no command", bytes.len()) };
    let Command { p1, p2, .. } = command;
    let detail = match command.ins {
        0xA4 => format!("AID {}", hex::encode_upper(&command.data)),
        0x50 => format!("key version {p1:02X}, host challenge {}", hex::encode_upper(&command.data)),
        0x82 => format!("security level {p1:02X}"),
        0xE2 => {
            let last = if p1 & 0x80 != 0 { ", last" } else { "" };
            let form = match p1 & 0x60 {
                0x60 => "enciphered groupings",
                0x20 => "application dependent",
                _ => "clear groupings",
            };
            format!("block {p2:02X}, {form}{last}{}", first_grouping(&command))
        }
        0xB2 => format!("SFI {} record {p1}", p2 >> 3),
        0xCA => format!("tag {p1:02X}{p2:02X}"),
        0xF0 => format!("new status {p2:02X}"),
        _ => format!("P1 {p1:02X} P2 {p2:02X}"),
    };
    let protected = if command.cla & 0x04 != 0 { ", protected" } else { "" };
    format!("{} ({detail}{protected}), {} bytes of data", command_name(bytes), command.data.len())
}

/// Number and length of the first grouping, where it stands in the clear.
fn first_grouping(command: &Command) -> String {
    match command.data.as_slice() {
        [high, low, length, ..] if command.cla & 0x04 == 0 => {
            format!(", begins with DGI {high:02X}{low:02X} length {length:02X}")
        }
        _ => String::new(),
    }
}

fn explain_answer(sent: Option<&[u8]>, bytes: &[u8], micros: u64) -> String {
    let Ok(answer) = Response::parse(bytes) else { return format!("{} bytes that are no answer", bytes.len()) };
    let ins = sent.and_then(|sent| sent.get(1)).copied();
    format!("{} ({}), {} bytes of data, {micros} µs", answer.sw, meaning(ins, answer.sw), answer.data.len())
}

/// Writes a trace as things happen.
pub struct Writer<W: Write> {
    out: W,
    full: bool,
    broken: bool,
}

impl<W: Write> Writer<W> {
    /// Begins a trace. `full`: every key in use is a test key.
    pub fn new(out: W, full: bool, meta: &[(&str, String)]) -> Self {
        let mut writer = Self { out, full, broken: false };
        writer.line(FIRST_LINE);
        for (key, value) in meta {
            writer.line(&format!("# {key} {value}"));
        }
        if !full {
            writer.line("# without data");
        }
        writer
    }

    /// Random bytes that the host drew.
    pub fn chance(&mut self, bytes: &[u8]) {
        if self.full {
            self.line(&format!("! {}", hex::encode_upper(bytes)));
        }
    }

    /// What has happened on the wire.
    pub fn event(&mut self, event: &TraceEvent<'_>) {
        match *event {
            TraceEvent::Reset { atr } => self.line(&format!("= {}", hex::encode_upper(atr))),
            TraceEvent::Exchange { command, response, micros } => {
                self.command(command);
                let from = if self.full { 0 } else { response.len().saturating_sub(2) };
                let shown = response.get(from..).unwrap_or_default();
                self.line(&format!("< {} {micros}", hex::encode_upper(shown)));
            }
            TraceEvent::Lost { command, why } => {
                if let Some(command) = command {
                    self.command(command);
                }
                self.line(&format!("x {why}"));
            }
        }
    }

    fn command(&mut self, command: &[u8]) {
        let shown = if self.full { command } else { command.get(..4).unwrap_or_default() };
        self.line(&format!("> {}", hex::encode_upper(shown)));
    }

    /// A trace that cannot be written must not stop a card that is being made; it is said once.
    fn line(&mut self, text: &str) {
        if !self.broken && writeln!(self.out, "{text}").and_then(|()| self.out.flush()).is_err() {
            self.broken = true;
            tracing::warn!("the trace cannot be written any more");
        }
    }
}
