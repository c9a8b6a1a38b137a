//! Committing a batch: the part that all stores share. The caller holds a transaction open.

use super::event::{BootTime, Event, What};
use super::ids::{EventId, JobId};
use super::lease::Term;
use super::refusal::Refusal;
use super::store::{Batch, Committed, Numbered};
use super::tables::{NotApplied, Tables, apply};

/// The events of a store and its leases, within one transaction.
pub(super) trait Log: Tables {
    /// An event by its id.
    fn find(&self, id: &EventId) -> Result<Option<Numbered>, Self::Error>;
    /// Adds an event behind the others; gives its number.
    fn append(&mut self, event: &Event) -> Result<u64, Self::Error>;
    /// A job's lease.
    fn term(&self, job: &JobId) -> Result<Option<Term>, Self::Error>;
    /// Sets a job's lease.
    fn set_term(&mut self, job: &JobId, term: &Term) -> Result<(), Self::Error>;
}

/// Writes the events of a batch and what they change.
pub(super) fn commit<L: Log>(log: &mut L, batch: &Batch, now: BootTime) -> Result<Committed, NotApplied<L::Error>> {
    let mut committed = Committed { numbers: Vec::with_capacity(batch.events.len()), repeated: false };
    for event in &batch.events {
        if let Some(before) = log.find(&event.id).map_err(NotApplied::Failed)? {
            if before.event != *event {
                return Err(Refusal::EventIdUsed(event.id).into());
            }
            committed.repeated = true;
            committed.numbers.push(before.number);
            continue;
        }
        leased(log, event, now)?;
        apply(log, event)?;
        committed.numbers.push(log.append(event).map_err(NotApplied::Failed)?);
        if let What::JobClaimed { job, fence, .. } = &event.what {
            let length = batch.lease.ok_or(Refusal::Lease(*job))?;
            log.set_term(job, &Term::of(*fence, now, length)).map_err(NotApplied::Failed)?;
        }
    }
    Ok(committed)
}

/// A step begins within the lease, and a job is taken from its worker after it.
fn leased<L: Log>(log: &L, event: &Event, now: BootTime) -> Result<(), NotApplied<L::Error>> {
    match &event.what {
        What::StepAboutTo { job, fence, .. } => {
            let term = log.term(job).map_err(NotApplied::Failed)?;
            // With another fence the fold says that the job was taken over.
            if term.is_none_or(|term| term.fence == *fence && term.is_over(now)) {
                let taken = log.job(job).map_err(NotApplied::Failed)?.is_none_or(|row| row.fence != Some(*fence));
                return if taken { Ok(()) } else { Err(Refusal::Lease(*job).into()) };
            }
            Ok(())
        }
        What::LeaseExpired { job, fence } => {
            let term = log.term(job).map_err(NotApplied::Failed)?;
            let runs = term.is_some_and(|term| term.fence == *fence && !term.is_over(now));
            if runs { Err(Refusal::LeaseRuns(*job).into()) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}
