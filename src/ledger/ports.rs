//! The effects that a store has besides its own file: clocks, randomness, waiting. Given by the program's edge.

use std::sync::Arc;
use std::time::Duration;

use super::event::{BootTime, Event, Moment, Origin, VERSION, What};
use super::ids::EventId;
use crate::base::chance::ChanceError;
use crate::base::{Chance, Clock};

/// A clock that counts from the machine's start and is never set. Clones share it.
#[derive(Clone)]
pub struct BootClock(Arc<dyn Fn() -> BootTime + Send + Sync>);

impl BootClock {
    /// Wraps a function that gives the time.
    pub fn new(now: impl Fn() -> BootTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    pub fn now(&self) -> BootTime {
        (self.0)()
    }
}

/// Waits for a while. Clones share it.
#[derive(Clone)]
pub struct Wait(Arc<dyn Fn(Duration) + Send + Sync>);

impl Wait {
    /// Wraps a function that waits.
    pub fn new(wait: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(wait))
    }

    /// Waits.
    pub fn pause(&self, time: Duration) {
        (self.0)(time);
    }
}

/// The effects of a store.
pub struct Ports {
    /// The wall clock.
    pub clock: Clock,
    /// The clock of leases.
    pub boot: BootClock,
    /// Randomness.
    pub chance: Chance,
    /// Waiting for another process.
    pub wait: Wait,
    /// How long to wait for another process that writes (`--wait`).
    pub patience: Duration,
}

impl Ports {
    /// Now, on both clocks.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.clock.now().0, boot: self.boot.now() }
    }

    /// A new event, with an id and the time.
    ///
    /// # Errors
    /// The random source failed.
    pub fn event(&mut self, by: &Origin, what: What) -> Result<Event, ChanceError> {
        let id = EventId::new(self.chance.bytes()?);
        Ok(Event { v: VERSION, id, at: self.moment(), by: by.clone(), spooled: false, what })
    }

    /// A pause before the next try, 0.2 to 5 ms at random, so that processes that wait do not move in step.
    ///
    /// # Errors
    /// The random source failed.
    pub fn pause(&mut self) -> Result<(), ChanceError> {
        let [high, low] = self.chance.bytes::<2>()?;
        let micros = 200 + u64::from(u16::from_be_bytes([high, low])) * 4800 / 65536;
        self.wait.pause(Duration::from_micros(micros));
        Ok(())
    }
}

/// Microseconds from one moment to a later one of the same start of the machine; None if the machine was started again.
pub fn elapsed(from: BootTime, to: BootTime) -> Option<u64> {
    (from.id == to.id).then(|| to.micros.saturating_sub(from.micros))
}
