//! A deadline for every call of a store, also if its disk or server has stopped answering.
//!
//! The store works in a thread of its own. A call that gets no answer in time returns [`StoreError::Unknown`]: what was
//! asked may have happened, or may still happen. A call that has not begun by then never does.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::identity::IdentityKey;
use super::ids::{CardDigest, EventId, Fence, JobId, KeyDigest, OrderId, PayloadDigest};
use super::rows::{Facts, JobRow, JobState, OrderRow, OrderState};
use super::store::{Batch, Committed, Difference, LedgerStore, Numbered, Query, StoreError};

/// The deadline, if nobody states another one.
pub const DEADLINE: Duration = Duration::from_secs(3);

type Request = Box<dyn FnOnce(&mut dyn LedgerStore) + Send>;

/// A store whose calls return in time.
pub struct Bounded {
    requests: Mutex<Sender<Request>>,
    deadline: Duration,
    place: String,
    facts: Facts,
    identity: Option<IdentityKey>,
}

/// A request waits, has begun, or was given up before it began.
const WAITS: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Bounded {
    /// Puts a store into a thread of its own. `place` is what messages call the ledger.
    pub fn new(mut store: Box<dyn LedgerStore>, place: &str, deadline: Duration) -> Self {
        let (facts, identity) = (store.facts(), store.identity_key().cloned());
        let (requests, queue) = mpsc::channel::<Request>();
        // It ends when the last request is sent; a store that never answers keeps it, and nothing waits for it.
        std::thread::spawn(move || {
            for request in queue {
                request(store.as_mut());
            }
        });
        Self { requests: Mutex::new(requests), deadline, place: place.to_owned(), facts, identity }
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn LedgerStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = mpsc::channel();
        let state = Arc::new(AtomicU8::new(WAITS));
        let begun = Arc::clone(&state);
        let request: Request = Box::new(move |store| {
            if begun.compare_exchange(WAITS, BEGUN, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                // Nobody listens any more if the deadline has passed.
                let _ = answer.send(work(store));
            }
        });
        let unknown = || StoreError::Unknown(self.place.clone());
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).send(request).map_err(|_| unknown())?;
        answered.recv_timeout(self.deadline).unwrap_or_else(|_| {
            match state.compare_exchange(WAITS, GIVEN_UP, Ordering::SeqCst, Ordering::SeqCst) {
                // An earlier call is still under way.
                Ok(_) => Err(StoreError::Busy(self.place.clone())),
                // The answer may have come between the deadline and now.
                Err(_) => answered.try_recv().unwrap_or_else(|_| Err(unknown())),
            }
        })
    }
}

impl LedgerStore for Bounded {
    fn facts(&self) -> Facts {
        self.facts
    }

    fn identity_key(&self) -> Option<&IdentityKey> {
        self.identity.as_ref()
    }

    fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError> {
        let batch = batch.clone();
        self.ask(move |store| store.commit(&batch))
    }

    fn renew(&mut self, job: JobId, fence: Fence, length: Duration) -> Result<(), StoreError> {
        self.ask(move |store| store.renew(job, fence, length))
    }

    fn overdue(&mut self) -> Result<Vec<(JobId, Fence)>, StoreError> {
        self.ask(|store| store.overdue())
    }

    fn order(&mut self, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        let id = *id;
        self.ask(move |store| store.order(&id))
    }

    fn job(&mut self, id: &JobId) -> Result<Option<JobRow>, StoreError> {
        let id = *id;
        self.ask(move |store| store.job(&id))
    }

    fn jobs_of(&mut self, order: &OrderId) -> Result<Vec<JobRow>, StoreError> {
        let order = *order;
        self.ask(move |store| store.jobs_of(&order))
    }

    fn orders(&mut self, query: &Query<OrderState>) -> Result<Vec<OrderRow>, StoreError> {
        let query = query.clone();
        self.ask(move |store| store.orders(&query))
    }

    fn jobs(&mut self, query: &Query<JobState>) -> Result<Vec<JobRow>, StoreError> {
        let query = query.clone();
        self.ask(move |store| store.jobs(&query))
    }

    fn find(&mut self, prefix: &str, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let prefix = prefix.to_owned();
        self.ask(move |store| store.find(&prefix, limit))
    }

    fn of_card(&mut self, card: &CardDigest) -> Result<Vec<OrderRow>, StoreError> {
        let card = *card;
        self.ask(move |store| store.of_card(&card))
    }

    fn of_payload(&mut self, payload: &PayloadDigest) -> Result<Option<OrderId>, StoreError> {
        let payload = *payload;
        self.ask(move |store| store.of_payload(&payload))
    }

    fn of_key(&mut self, key: &KeyDigest) -> Result<Option<OrderId>, StoreError> {
        let key = *key;
        self.ask(move |store| store.of_key(&key))
    }

    fn number_of(&mut self, event: &EventId) -> Result<Option<u64>, StoreError> {
        let event = *event;
        self.ask(move |store| store.number_of(&event))
    }

    fn events(&mut self, after: u64, of: Option<&OrderId>, limit: usize) -> Result<Vec<Numbered>, StoreError> {
        let of = of.copied();
        self.ask(move |store| store.events(after, of.as_ref(), limit))
    }

    /// Reads every event, and may take longer than the deadline on a large ledger: give this store a longer one.
    fn verify(&mut self) -> Result<Vec<Difference>, StoreError> {
        self.ask(|store| store.verify())
    }
}
