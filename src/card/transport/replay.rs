//! A trace in the place of a card: every command must be the one that the trace holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{LinkError, Transport};
use crate::card::trace::{Line, Trace};

/// Replays a trace. The first difference ends it.
pub struct Replay {
    lines: std::vec::IntoIter<Line>,
    exchange: u32,
    bare: bool,
    left: Arc<AtomicUsize>,
}

impl Replay {
    /// A replay from the trace's beginning. A trace without data fails at the first command, and says why.
    pub fn new(trace: &Trace) -> Self {
        let card: Vec<Line> = trace.lines().iter().filter(|line| !matches!(line, Line::Chance(_))).cloned().collect();
        let left = Arc::new(AtomicUsize::new(card.len()));
        Self { lines: card.into_iter(), exchange: 0, bare: trace.is_bare(), left }
    }

    /// Whether everything in the trace has happened.
    pub fn is_over(&self) -> bool {
        self.lines.len() == 0
    }

    /// How many lines of the trace have not happened yet; to be asked after the replay has been given away.
    pub fn left(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.left)
    }

    fn next(&mut self) -> Option<Line> {
        let line = self.lines.next();
        self.left.store(self.lines.len(), Ordering::Relaxed);
        line
    }

    fn differs(&self, difference: String) -> LinkError {
        LinkError::Replay { exchange: self.exchange, difference }
    }
}

impl Transport for Replay {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.exchange += 1;
        if self.bare {
            return Err(self.differs("the trace was written without data and cannot be replayed".into()));
        }
        match self.next() {
            Some(Line::Command(held)) if held == command => {}
            Some(Line::Command(held)) => return Err(self.differs(first_difference(&held, command))),
            Some(_) => return Err(self.differs("the trace holds a reset here, the host sends a command".into())),
            None => return Err(self.differs("the trace is over, the host sends another command".into())),
        }
        match self.next() {
            Some(Line::Answer(answer, _)) => Ok(answer),
            Some(Line::Lost(why)) => Err(LinkError::CardLost(why)),
            _ => Err(self.differs("the trace holds no answer".into())),
        }
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        match self.next() {
            Some(Line::Reset(atr)) => Ok(atr),
            Some(Line::Lost(why)) => Err(LinkError::CardLost(why)),
            _ => Err(self.differs("the host resets the card, the trace holds something else here".into())),
        }
    }
}

fn first_difference(held: &[u8], sent: &[u8]) -> String {
    let at = held.iter().zip(sent).position(|(held, sent)| held != sent);
    match at {
        Some(at) => {
            let byte = |bytes: &[u8]| bytes.get(at).map(|byte| format!("{byte:02X}")).unwrap_or_default();
            format!("byte {} of the command is {}, the trace holds {}", at + 1, byte(sent), byte(held))
        }
        None => format!("the command has {} bytes, the trace holds {}", sent.len(), held.len()),
    }
}
