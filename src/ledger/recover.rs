//! What any later run does about workers that died: takes overdue jobs from them, and applies what they left in the spool.

use super::event::{Event, Origin, Verdict, What};
use super::ids::JobId;
use super::ports::Ports;
use super::refusal::Refusal;
use super::spool::{SpoolFolder, SpooledJob};
use super::step::Outcome;
use super::store::{Batch, LedgerStore, StoreError};
use super::worker::WorkerError;

/// What became of a spool.
#[derive(Debug)]
pub struct Applied {
    /// The file and its events.
    pub spooled: SpooledJob,
    /// What became of it.
    pub end: SpoolEnd,
}

/// What became of a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpoolEnd {
    /// Its worker lives: it is left alone.
    InUse,
    /// The ledger has everything, and the file is gone.
    Applied,
    /// The ledger refuses an event. The file stays, for people to look at.
    Refused(Refusal),
    /// Something in it cannot be read. The file stays.
    Torn,
}

/// Takes jobs from workers whose lease has run out. Returns those that were taken.
///
/// # Errors
/// The store's.
pub fn take_overdue(store: &mut dyn LedgerStore, ports: &mut Ports, by: &Origin) -> Result<Vec<JobId>, WorkerError> {
    let mut taken = Vec::new();
    for (job, fence) in store.overdue()? {
        let event = ports.event(by, What::LeaseExpired { job, fence })?;
        match store.commit(&Batch { events: vec![event], lease: None }) {
            Ok(_) => taken.push(job),
            // Its worker was faster, or another run.
            Err(StoreError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(taken)
}

/// Applies what dead workers left in the spool. An event that the ledger refuses stays, and is returned.
///
/// # Errors
/// The store's, the spool's.
pub fn apply_spool(store: &mut dyn LedgerStore, folder: &SpoolFolder) -> Result<Vec<Applied>, WorkerError> {
    let mut out = Vec::new();
    for spooled in folder.waiting()? {
        let end = if spooled.in_use { SpoolEnd::InUse } else { apply(store, &spooled)? };
        if end == SpoolEnd::Applied {
            folder.remove(&spooled)?;
        }
        out.push(Applied { spooled, end });
    }
    Ok(out)
}

fn apply(store: &mut dyn LedgerStore, spooled: &SpooledJob) -> Result<SpoolEnd, WorkerError> {
    for event in &spooled.events {
        // The commit that was not answered was made after all.
        if store.number_of(&event.id)?.is_some() {
            continue;
        }
        let event = Event { spooled: true, ..event.clone() };
        match store.commit(&Batch { events: vec![event.clone()], lease: None }) {
            Ok(_) => {}
            Err(StoreError::Refused(refusal)) if is_moot(&event, &refusal) => {}
            Err(StoreError::Refused(refusal)) => return Ok(SpoolEnd::Refused(refusal)),
            Err(error) => return Err(error.into()),
        }
    }
    // A torn event was never confirmed, so that nothing was done on the strength of it; but damage looks the same.
    Ok(if spooled.torn { SpoolEnd::Torn } else { SpoolEnd::Applied })
}

/// Whether an event is about something that never came into the ledger: the step did not begin, or the job was not claimed.
fn is_moot(event: &Event, refusal: &Refusal) -> bool {
    match &event.what {
        What::StepDid { outcome: Outcome::Withdrawn, .. } => {
            matches!(refusal, Refusal::Step { .. } | Refusal::NoJob(_) | Refusal::NoOrder(_))
        }
        // Any other verdict about a job that the ledger does not know is shown: it may come from before a restored backup.
        What::JobEnded { verdict: Verdict::Untouched, .. } => {
            matches!(refusal, Refusal::NoJob(_) | Refusal::NoOrder(_))
        }
        _ => false,
    }
}
