//! Leases: how long a worker has a job without a further word.

use std::time::Duration;

use super::event::BootTime;
use super::ids::{Fence, JobId};
use super::ports::elapsed;

/// A lease as the worker sees it. It ends a third earlier than in the ledger, and counts from before it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The claim's fence.
    pub fence: Fence,
    asked: BootTime,
    length: Duration,
}

impl Lease {
    /// A lease that was asked for at a moment.
    pub fn new(job: JobId, fence: Fence, asked: BootTime, length: Duration) -> Self {
        Self { job, fence, asked, length }
    }

    /// Whether a state-changing command may still be sent.
    pub fn is_live(&self, now: BootTime) -> bool {
        let length = self.length - self.length / 3;
        elapsed(self.asked, now).is_some_and(|micros| u128::from(micros) < length.as_micros())
    }

    /// The lease after a heartbeat that was sent at a moment and confirmed.
    #[must_use]
    pub fn renewed(self, asked: BootTime) -> Self {
        Self { asked, ..self }
    }
}

/// A lease as the ledger keeps it. No event, and so not computed again: it is over at the latest when the machine restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The claim's fence.
    pub fence: Fence,
    /// Until when, on the clock of the machine that keeps the ledger.
    pub until: BootTime,
}

impl Term {
    /// A term from now on.
    pub fn of(fence: Fence, now: BootTime, length: Duration) -> Self {
        let micros = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        Self { fence, until: BootTime { micros: now.micros.saturating_add(micros), ..now } }
    }

    /// Whether it has run out. Another start of the machine has ended it.
    pub fn is_over(&self, now: BootTime) -> bool {
        self.until.id != now.id || self.until.micros <= now.micros
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::{BootId, OrderId};
    use super::*;

    fn at(boot: u8, seconds: u64) -> BootTime {
        BootTime { id: BootId::new([boot; 16]), micros: seconds * 1_000_000 }
    }

    #[test]
    fn a_worker_stops_a_third_before_its_lease_ends_in_the_ledger() {
        let job = JobId { order: OrderId::new([1; 32]), attempt: 1 };
        let (fence, length) = (Fence::new([2; 8]), Duration::from_secs(30));
        let lease = Lease::new(job, fence, at(1, 100), length);
        let term = Term::of(fence, at(1, 101), length);
        for (now, live, over) in [
            (at(1, 119), true, false),
            (at(1, 120), false, false),
            (at(1, 130), false, false),
            (at(1, 131), false, true),
            (at(2, 101), false, true),
        ] {
            assert_eq!((lease.is_live(now), term.is_over(now)), (live, over), "{now:?}");
        }
        assert!(lease.renewed(at(1, 119)).is_live(at(1, 138)));
    }
}
