//! Writing a trace as things happen.

use std::io::Write;

use super::{BARE, FIRST_LINE};
use crate::card::plain::TraceEvent;

/// Writes a trace as things happen.
pub struct Writer<W: Write> {
    out: W,
    full: bool,
    broken: bool,
}

impl<W: Write> Writer<W> {
    /// Begins a trace. `full`: every key in use is a test key; otherwise data is left out.
    pub fn new(out: W, full: bool, meta: &[(&str, String)]) -> Self {
        let mut writer = Self { out, full, broken: false };
        writer.line(FIRST_LINE);
        for (key, value) in meta {
            writer.line(&format!("# {key} {value}"));
        }
        if !full {
            writer.line(&format!("# {BARE}"));
        }
        writer
    }

    /// Whether the trace is incomplete, since it could not be written at some point.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Random bytes that the host drew.
    pub fn chance(&mut self, bytes: &[u8]) {
        if self.full && !bytes.is_empty() {
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

    /// A trace that cannot be written must not stop a card that is being made.
    fn line(&mut self, text: &str) {
        // What comes from outside (a record's name, a driver's message) must not begin a line of its own.
        let text = text.replace(|c: char| c.is_control(), " ");
        if !self.broken && writeln!(self.out, "{text}").and_then(|()| self.out.flush()).is_err() {
            self.broken = true;
        }
    }
}
