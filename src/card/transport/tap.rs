//! A link whose exchanges are written into a trace.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{LinkError, Transport};
use crate::card::plain::TraceEvent;
use crate::card::trace::Writer;

/// A trace that several links write into, one after the other.
pub type SharedWriter = Arc<Mutex<Writer<File>>>;

/// A link whose exchanges are written into a trace as the card sees them: also what a foreign host sends.
pub struct Tap<T> {
    link: T,
    writer: SharedWriter,
}

impl<T: Transport> Tap<T> {
    /// The link, with everything that passes it written.
    pub fn new(link: T, writer: SharedWriter) -> Self {
        Self { link, writer }
    }

    fn write(&self, event: &TraceEvent<'_>) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }
}

impl<T: Transport> Transport for Tap<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        let began = Instant::now();
        let answer = self.link.transmit(command);
        match &answer {
            Ok(response) => {
                let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.write(&TraceEvent::Exchange { command, response, micros });
            }
            Err(error) => self.write(&TraceEvent::Lost { command: Some(command), why: &error.to_string() }),
        }
        answer
    }

    fn begin_command(&mut self) {
        self.link.begin_command();
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        let answer = self.link.reset();
        match &answer {
            Ok(atr) => self.write(&TraceEvent::Reset { atr }),
            Err(error) => self.write(&TraceEvent::Lost { command: None, why: &error.to_string() }),
        }
        answer
    }
}
