//! A simulated card in a reader.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Rule;
use super::{FaultRule, SimCard};
use crate::card::transport::{LinkError, Transport};

/// The link to a simulated card, kept in memory or in a file.
pub struct SimTransport {
    card: Arc<Mutex<SimCard>>,
    path: Option<PathBuf>,
    faults: Vec<FaultRule>,
    exchange: u32,
    power: Power,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    Off,
    On,
    /// Cut; a reset may bring it back.
    Cut {
        returns: bool,
    },
}

impl SimTransport {
    /// A card that lives as long as the process.
    pub fn memory(card: SimCard) -> Self {
        Self { card: Arc::new(Mutex::new(card)), path: None, faults: Vec::new(), exchange: 0, power: Power::Off }
    }

    /// A card in a file, which is rewritten after every exchange.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn file(path: &Path) -> Result<Self, LinkError> {
        Ok(Self { path: Some(path.to_owned()), ..Self::memory(SimCard::load(path)?) })
    }

    /// In a contactless reader, or in one with contacts.
    ///
    /// # Errors
    /// The card has no antenna.
    pub fn approach(self, contactless: bool) -> Result<Self, LinkError> {
        self.lock().approach(contactless)?;
        Ok(self)
    }

    /// With faults on demand.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<FaultRule>) -> Self {
        for fault in faults {
            match fault.rule {
                Rule::Corrupt(_) => self.lock().corruptions.push(fault),
                _ => self.faults.push(fault),
            }
        }
        self
    }

    /// The card itself, for tests that look at it afterwards.
    pub fn card(&self) -> Arc<Mutex<SimCard>> {
        Arc::clone(&self.card)
    }

    fn lock(&self) -> MutexGuard<'_, SimCard> {
        self.card.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self) -> Result<(), LinkError> {
        match &self.path {
            Some(path) => self.lock().file().save(path),
            None => Ok(()),
        }
    }

    fn cut(&mut self, power: bool) -> LinkError {
        self.power = Power::Cut { returns: power };
        LinkError::CardLost(format!("the simulated card lost power at exchange {}", self.exchange))
    }

    fn swap(&mut self, path: &Path) -> Result<(), LinkError> {
        let mut card = SimCard::load(path)?;
        // Where it cannot follow into a contactless reader, it is a card with contacts there.
        let _ = card.approach(self.lock().is_contactless());
        card.reset();
        self.card = Arc::new(Mutex::new(card));
        self.path = Some(path.to_owned());
        Ok(())
    }
}

impl Transport for SimTransport {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        if self.power != Power::On {
            return Err(LinkError::CardLost("the simulated card has no power".into()));
        }
        self.exchange += 1;
        let mut sent = command.to_vec();
        let mut forced = None;
        let mut cut_after = None;
        let mut flips = Vec::new();
        let now: Vec<FaultRule> =
            self.faults.iter().filter(|fault| at(&fault.rule) == self.exchange).cloned().collect();
        for fault in now {
            if !matches!(fault.rule, Rule::Flip { .. }) {
                fault.fire();
            }
            match fault.rule.clone() {
                Rule::Cut { after: false, power, .. } => {
                    self.lock().note(command, false, 0);
                    self.keep()?;
                    return Err(self.cut(power));
                }
                Rule::Cut { after: true, power, .. } => cut_after = Some(power),
                Rule::Flip { byte, bit, answer: false, .. } => flip(&mut sent, byte, bit, &fault),
                Rule::Flip { byte, bit, answer: true, .. } => flips.push((byte, bit, fault)),
                Rule::Status { sw, .. } => forced = Some(sw),
                Rule::Delay { millis, .. } => std::thread::sleep(Duration::from_millis(millis)),
                Rule::Swap { card, .. } => self.swap(&card)?,
                Rule::Corrupt(_) => {}
            }
        }
        let mut answer = match forced {
            Some(sw) => {
                self.lock().note(&sent, false, sw);
                sw.to_be_bytes().to_vec()
            }
            None => self.lock().process(&sent),
        };
        self.keep()?;
        if let Some(power) = cut_after {
            return Err(self.cut(power));
        }
        for (byte, bit, fault) in flips {
            flip(&mut answer, byte, bit, &fault);
        }
        Ok(answer)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        if self.power == (Power::Cut { returns: false }) {
            return Err(LinkError::CardLost("the simulated card has no power".into()));
        }
        self.power = Power::On;
        Ok(self.lock().reset())
    }
}

fn at(rule: &Rule) -> u32 {
    match rule {
        Rule::Cut { at, .. }
        | Rule::Flip { at, .. }
        | Rule::Status { at, .. }
        | Rule::Delay { at, .. }
        | Rule::Swap { at, .. } => *at,
        Rule::Corrupt(_) => 0,
    }
}

fn flip(bytes: &mut [u8], byte: usize, bit: u8, fault: &FaultRule) {
    if let Some(byte) = bytes.get_mut(byte) {
        *byte ^= 1 << bit;
        fault.fire();
    }
}
