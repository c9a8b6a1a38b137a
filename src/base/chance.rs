//! Time and chance as arguments: given by the program's edge, so that tests and replays are exact.

use std::sync::Arc;

/// What could not be had: the source of randomness, or a replay that has no more of it.
#[derive(Debug, thiserror::Error)]
#[error("the random source failed: {0}")]
pub struct ChanceError(pub String);

type Fill = dyn FnMut(&mut [u8]) -> Result<(), ChanceError> + Send;

/// A source of random bytes.
pub struct Chance(Box<Fill>);

impl Chance {
    /// Wraps a function that fills a buffer with random bytes.
    pub fn new(fill: impl FnMut(&mut [u8]) -> Result<(), ChanceError> + Send + 'static) -> Self {
        Self(Box::new(fill))
    }

    /// Hands out `bytes` in order, then fails: for tests and replays.
    pub fn fixed(bytes: Vec<u8>) -> Self {
        let mut rest = std::collections::VecDeque::from(bytes);
        Self::new(move |buffer| {
            if rest.len() < buffer.len() {
                return Err(ChanceError("the fixed bytes are used up".into()));
            }
            let length = buffer.len();
            let taken = rest.drain(..length);
            buffer.iter_mut().zip(taken).for_each(|(to, from)| *to = from);
            Ok(())
        })
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    /// When the source has failed or is used up.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ChanceError> {
        (self.0)(buffer)
    }

    /// `N` random bytes.
    ///
    /// # Errors
    /// As [`Chance::fill`].
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ChanceError> {
        let mut buffer = [0u8; N];
        self.fill(&mut buffer)?;
        Ok(buffer)
    }
}

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// Microseconds from `earlier` to `self`; 0 if the clock went back.
    pub fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A clock. Cheap to clone; every clone tells the same time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Clock {
    /// Wraps a function that tells the time.
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands still: for tests and replays.
    pub fn fixed(at: Instant) -> Self {
        Self::new(move || at)
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        (self.0)()
    }
}
