//! The worker's side of a job: what is durable before which byte, and what happens if the ledger does not answer.
//!
//! The claim, the chip and the first step that is about to begin are one commit. `did` rides with the next commit. If there
//! is no answer, the worker sends nothing of the step, keeps `withdrawn` in its spool, and ends the job.

use std::time::Duration;

use super::event::{ChipUse, Event, Origin, Verdict, What};
use super::ids::{EventId, Fence, JobId};
use super::lease::Lease;
use super::ports::Ports;
use super::spool::{Spool, SpoolError};
use super::step::{Outcome, Step};
use super::store::{Batch, LedgerStore, StoreError};
use super::text::Text;
use crate::base::chance::ChanceError;
use crate::base::fault::{Code, Fault};

/// A job that a worker has, or is about to claim.
pub struct Worker<'a> {
    store: &'a mut dyn LedgerStore,
    spool: &'a mut dyn Spool,
    ports: &'a mut Ports,
    by: Origin,
    job: JobId,
    fence: Fence,
    plan: Vec<Step>,
    length: Duration,
    lease: Option<Lease>,
    /// Events that wait for the next commit.
    waiting: Vec<Event>,
    /// The commit that was not answered, if there is one: its step is withdrawn.
    unanswered: Option<Unanswered>,
    /// Whether a step that changes the chip is durable.
    begun: bool,
}

/// A commit that was not answered.
struct Unanswered {
    /// Its last event, `about_to`.
    about_to: EventId,
    /// What it brought along.
    before: Vec<Event>,
    /// The end of its step.
    withdrawn: Event,
}

/// What a worker starts with.
pub struct Start {
    /// Who writes.
    pub by: Origin,
    /// The job.
    pub job: JobId,
    /// The record that is used.
    pub record: Text,
    /// Its steps, in order.
    pub plan: Vec<Step>,
    /// Length of the lease.
    pub lease: Duration,
    /// Events that the claim is committed with: the order received and prepared in the same run.
    pub before: Vec<What>,
}

/// What has become of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is in the ledger.
    Durable,
    /// It is only in the spool: the card is IN DOUBT until `recover` has applied it.
    Spooled,
    /// The job was never claimed, so that the ledger need not know of it: nothing has happened.
    Unclaimed,
}

/// Why a step may not begin.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// The plan has no such step.
    #[error("the plan has no step {0}")]
    Plan(u32),
}

impl Fault for WorkerError {
    fn code(&self) -> Code {
        match self {
            WorkerError::Store(error) => error.code(),
            WorkerError::Spool(error) => error.code(),
            WorkerError::Chance(_) | WorkerError::Plan(_) => Code::ProgramFault,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            WorkerError::Store(error) => error.remedy(),
            WorkerError::Spool(error) => error.remedy(),
            _ => None,
        }
    }
}

impl<'a> Worker<'a> {
    /// Takes a job up. Nothing is written yet; the space of the spool has been.
    ///
    /// # Errors
    /// The random source failed.
    pub fn start(
        store: &'a mut dyn LedgerStore,
        spool: &'a mut dyn Spool,
        ports: &'a mut Ports,
        fence: Fence,
        start: Start,
    ) -> Result<Self, WorkerError> {
        let Start { by, job, record, plan, lease, before } = start;
        let mut worker = Self {
            store,
            spool,
            ports,
            by,
            job,
            fence,
            plan: plan.clone(),
            length: lease,
            lease: None,
            waiting: Vec::new(),
            unanswered: None,
            begun: false,
        };
        for what in before.into_iter().chain([What::JobClaimed { job, fence, record, plan }]) {
            worker.wait_with(what)?;
        }
        Ok(worker)
    }

    /// The chip in the reader is identified; none if the product has no chip identity.
    ///
    /// # Errors
    /// The random source failed.
    pub fn identified(&mut self, chip: Option<ChipUse>) -> Result<(), WorkerError> {
        self.wait_with(What::ChipIdentified { job: self.job, fence: self.fence, chip })
    }

    /// Makes it durable that a step is about to begin. Only then may its first byte be sent.
    ///
    /// # Errors
    /// It is not durable: send nothing of the step, and end the job with [`Worker::verdict_without`].
    pub fn about_to(&mut self, n: u32) -> Result<(), WorkerError> {
        let step = usize::try_from(n).ok().and_then(|at| self.plan.get(at)).cloned().ok_or(WorkerError::Plan(n))?;
        let changes_chip = step.changes_chip();
        let about_to = self.event(What::StepAboutTo { job: self.job, fence: self.fence, n, step })?;
        // Made before the commit: the random source cannot fail when it is needed.
        let outcome = Outcome::Withdrawn;
        let withdrawn = self.event(What::StepDid { job: self.job, fence: self.fence, n, outcome })?;
        let asked = self.ports.boot.now();
        let mut events = self.waiting.clone();
        events.push(about_to.clone());
        match self.store.commit(&Batch { events, lease: Some(self.length) }) {
            Ok(_) => {
                self.waiting.clear();
                if self.lease.is_none() {
                    self.lease = Some(Lease::new(self.job, self.fence, asked, self.length));
                }
                self.begun |= changes_chip;
                Ok(())
            }
            Err(error @ StoreError::Unknown(_)) => {
                let before = std::mem::take(&mut self.waiting);
                let mut kept: Vec<Event> = before.iter().filter(|event| of_worker(event)).cloned().collect();
                kept.push(withdrawn.clone());
                self.unanswered = Some(Unanswered { about_to: about_to.id, before, withdrawn });
                self.keep(&kept)?;
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a command that changes the card may be sent now: asked right before each.
    pub fn holds_lease(&self) -> bool {
        self.lease.is_some_and(|lease| lease.is_live(self.ports.boot.now()))
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// The job was taken away, or the ledger does not answer.
    pub fn renew(&mut self) -> Result<(), WorkerError> {
        let asked = self.ports.boot.now();
        self.store.renew(self.job, self.fence, self.length)?;
        self.lease = self.lease.map(|lease| lease.renewed(asked));
        Ok(())
    }

    /// A step has ended. It is committed with what comes next.
    ///
    /// # Errors
    /// The random source failed.
    pub fn did(&mut self, n: u32, outcome: Outcome) -> Result<(), WorkerError> {
        self.wait_with(What::StepDid { job: self.job, fence: self.fence, n, outcome })
    }

    /// The verdict of a job whose next step could not begin: UNTOUCHED if no step before it did.
    pub fn verdict_without(&self) -> Verdict {
        if self.begun { Verdict::Spoiled } else { Verdict::Untouched }
    }

    /// Writes the verdict. Without a durable one the card is in doubt, whatever is known of it here.
    ///
    /// # Errors
    /// It could be written neither into the ledger nor into the spool.
    pub fn end(&mut self, verdict: Verdict, code: Option<Text>) -> Result<Settled, WorkerError> {
        let ended = self.event(What::JobEnded { job: self.job, fence: self.fence, verdict, code })?;
        let mut claimed = self.lease.is_some();
        let mut events = match self.unanswered.take() {
            None => std::mem::take(&mut self.waiting),
            Some(unanswered) => match self.store.number_of(&unanswered.about_to) {
                Ok(Some(_)) => {
                    claimed = true;
                    vec![unanswered.withdrawn]
                }
                Ok(None) => unanswered.before,
                Err(_) => {
                    // All that comes before it is in the spool already.
                    self.keep([&ended])?;
                    return Ok(Settled::Spooled);
                }
            },
        };
        events.push(ended);
        let batch = Batch { events, lease: Some(self.length) };
        let settled = match self.store.commit(&batch) {
            Ok(_) => Settled::Durable,
            // Claim and end are one commit: whether it was made or not, no card was touched.
            Err(_) if !claimed => Settled::Unclaimed,
            Err(_) => {
                self.keep(batch.events.iter().filter(|event| of_worker(event)))?;
                return Ok(Settled::Spooled);
            }
        };
        // What is left in the spool says nothing that the ledger does not.
        let _ = self.spool.release();
        Ok(settled)
    }

    fn wait_with(&mut self, what: What) -> Result<(), WorkerError> {
        let event = self.event(what)?;
        self.waiting.push(event);
        Ok(())
    }

    fn event(&mut self, what: What) -> Result<Event, ChanceError> {
        self.ports.event(&self.by, what)
    }

    fn keep<'e>(&mut self, events: impl IntoIterator<Item = &'e Event>) -> Result<(), SpoolError> {
        events.into_iter().try_for_each(|event| self.spool.keep(event))
    }
}

/// What `recover` applies from a spool: the ends of steps and of the job.
fn of_worker(event: &Event) -> bool {
    matches!(event.what, What::StepDid { .. } | What::JobEnded { .. })
}
