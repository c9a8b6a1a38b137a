//! A card whose answers are written down, and what was sent to it: for tests of the host alone.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use perso::base::Clock;
use perso::base::chance::Instant;
use perso::card::Card;
use perso::card::transport::{LinkError, Transport};

/// What was sent, in hexadecimal.
#[derive(Clone, Default)]
pub struct Sent(Arc<Mutex<Vec<String>>>);

impl Sent {
    /// All of it.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Gives out its answers in order, then is lost.
pub struct Scripted {
    answers: VecDeque<String>,
    sent: Sent,
}

impl Scripted {
    /// A card with these answers, in hexadecimal.
    pub fn new<S: ToString>(answers: &[S]) -> (Self, Sent) {
        let sent = Sent::default();
        (Self { answers: answers.iter().map(ToString::to_string).collect(), sent: sent.clone() }, sent)
    }
}

impl Transport for Scripted {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.sent.0.lock().unwrap().push(hex::encode_upper(command));
        let answer = self.answers.pop_front().ok_or_else(|| LinkError::CardLost("the script is over".into()))?;
        Ok(hex::decode(answer).unwrap())
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        Ok(vec![0x3B, 0x00])
    }
}

/// A card behind such a script, at a clock that stands still.
pub fn card<S: ToString>(answers: &[S]) -> (Card, Sent) {
    let (script, sent) = Scripted::new(answers);
    (Card::new(Box::new(script), Clock::fixed(Instant(1_000_000))), sent)
}
