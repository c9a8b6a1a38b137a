//! A worker, and a ledger that loses answers: what is sent to the card, and what the ledger says of it in the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::ledger_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger_support::*;
use perso::base::{Code, Fault};
use perso::ledger::event::Verdict;
use perso::ledger::ids::{CardDigest, PayloadDigest};
use perso::ledger::recover::{SpoolEnd, apply_spool, take_overdue};
use perso::ledger::spool::{Spool, SpoolFolder};
use perso::ledger::worker::{Settled, Start, Worker};
use perso::ledger::{
    Batch, Committed, Difference, EventId, Facts, Fence, IdentityKey, JobId, JobRow, JobState, LedgerStore,
    MemoryStore, Numbered, OrderId, OrderRow, OrderState, Outcome, Query, Refusal, StoreError, What,
};

/// When the ledger loses an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// The call is not carried out.
    Before,
    /// The call is carried out, and its answer is lost.
    After,
}

/// A store that loses the answers of some calls.
struct Lossy {
    inner: Arc<Mutex<MemoryStore>>,
    loss: Loss,
    /// The first call that is lost, from 0, and how many are.
    from: usize,
    count: usize,
    calls: usize,
}

impl Lossy {
    fn call<T>(&mut self, work: impl FnOnce(&mut MemoryStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let lost = (self.from..self.from.saturating_add(self.count)).contains(&self.calls);
        self.calls += 1;
        let unknown = || Err(StoreError::Unknown("lossy".into()));
        match (lost, self.loss) {
            (true, Loss::Before) => unknown(),
            (true, Loss::After) => {
                let _ = work(&mut self.inner.lock().unwrap());
                unknown()
            }
            (false, _) => work(&mut self.inner.lock().unwrap()),
        }
    }
}

impl LedgerStore for Lossy {
    fn facts(&self) -> Facts {
        self.inner.lock().unwrap().facts()
    }
    fn identity_key(&self) -> Option<&IdentityKey> {
        None
    }
    fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError> {
        self.call(|store| store.commit(batch))
    }
    fn renew(&mut self, job: JobId, fence: Fence, length: Duration) -> Result<(), StoreError> {
        self.call(|store| store.renew(job, fence, length))
    }
    fn overdue(&mut self) -> Result<Vec<(JobId, Fence)>, StoreError> {
        self.call(|store| store.overdue())
    }
    fn order(&mut self, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        self.call(|store| store.order(id))
    }
    fn job(&mut self, id: &JobId) -> Result<Option<JobRow>, StoreError> {
        self.call(|store| store.job(id))
    }
    fn jobs_of(&mut self, order: &OrderId) -> Result<Vec<JobRow>, StoreError> {
        self.call(|store| store.jobs_of(order))
    }
    fn orders(&mut self, query: &Query<OrderState>) -> Result<Vec<OrderRow>, StoreError> {
        self.call(|store| store.orders(query))
    }
    fn jobs(&mut self, query: &Query<JobState>) -> Result<Vec<JobRow>, StoreError> {
        self.call(|store| store.jobs(query))
    }
    fn find(&mut self, prefix: &str, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        self.call(|store| store.find(prefix, limit))
    }
    fn of_card(&mut self, card: &CardDigest) -> Result<Vec<OrderRow>, StoreError> {
        self.call(|store| store.of_card(card))
    }
    fn of_payload(&mut self, payload: &PayloadDigest) -> Result<Option<OrderId>, StoreError> {
        self.call(|store| store.of_payload(payload))
    }
    fn of_key(&mut self, key: &perso::ledger::ids::KeyDigest) -> Result<Option<OrderId>, StoreError> {
        self.call(|store| store.of_key(key))
    }
    fn number_of(&mut self, event: &EventId) -> Result<Option<u64>, StoreError> {
        self.call(|store| store.number_of(event))
    }
    fn events(&mut self, after: u64, of: Option<&OrderId>, limit: usize) -> Result<Vec<Numbered>, StoreError> {
        self.call(|store| store.events(after, of, limit))
    }
    fn verify(&mut self) -> Result<Vec<Difference>, StoreError> {
        self.call(|store| store.verify())
    }
}

/// Where a worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Never,
    /// After the step's `about_to`, before or after its bytes.
    InStep(u32, bool),
    /// After every step, before the verdict.
    BeforeVerdict,
}

/// What a worker did.
#[derive(Debug, PartialEq, Eq)]
struct Played {
    /// Steps of which bytes were sent.
    sent: u32,
    verdict: Option<Verdict>,
    settled: Option<Settled>,
}

struct World {
    store: Arc<Mutex<MemoryStore>>,
    time: Time,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let time = Time::default();
        let mut store = MemoryStore::new(origin(), time.ports()).unwrap();
        store.commit(&Writer::new(time.clone()).batch(ready(1))).unwrap();
        Self { store: Arc::new(Mutex::new(store)), time, folder: tempfile::tempdir().unwrap() }
    }

    fn spools(&self) -> SpoolFolder {
        SpoolFolder::open(&self.folder.path().join("spool")).unwrap()
    }

    fn lossy(&self, loss: Loss, from: usize, count: usize) -> Lossy {
        Lossy { inner: Arc::clone(&self.store), loss, from, count, calls: 0 }
    }

    /// Plays a job on a card, and returns what was sent.
    fn play(&self, store: &mut dyn LedgerStore, death: Death, fails_in: Option<u32>) -> Played {
        let mut ports = self.time.ports();
        let mut spool = self.spools().reserve(job(1, 1), fence(7)).unwrap();
        let start =
            Start { by: origin(), job: job(1, 1), record: record(1), plan: plan(), lease: LEASE, before: Vec::new() };
        let mut worker = Worker::start(store, &mut spool, &mut ports, fence(7), start).unwrap();
        worker.identified(chip(1)).unwrap();
        let mut sent = 0;
        for n in 0..3 {
            if let Err(error) = worker.about_to(n) {
                assert_eq!(error.code(), Code::LedgerUnknown, "{error}");
                let verdict = worker.verdict_without();
                let settled = worker.end(verdict, None).unwrap();
                return Played { sent, verdict: Some(verdict), settled: Some(settled) };
            }
            assert!(worker.holds_lease());
            if death == Death::InStep(n, false) {
                return Played { sent, verdict: None, settled: None };
            }
            sent += 1;
            if death == Death::InStep(n, true) {
                return Played { sent, verdict: None, settled: None };
            }
            if fails_in == Some(n) {
                worker.did(n, failed()).unwrap();
                let settled = worker.end(Verdict::Spoiled, None).unwrap();
                return Played { sent, verdict: Some(Verdict::Spoiled), settled: Some(settled) };
            }
            worker.did(n, Outcome::Done).unwrap();
        }
        if death == Death::BeforeVerdict {
            return Played { sent, verdict: None, settled: None };
        }
        let settled = worker.end(Verdict::Good, None).unwrap();
        Played { sent, verdict: Some(Verdict::Good), settled: Some(settled) }
    }

    /// The lease runs out, and a later run looks after what is left. Returns the job's state, none if it was never claimed.
    fn afterwards(&self) -> Option<JobState> {
        self.time.pass(LEASE);
        let mut store = self.store.lock().unwrap();
        let mut ports = self.time.ports();
        take_overdue(&mut *store, &mut ports, &origin()).unwrap();
        for applied in apply_spool(&mut *store, &self.spools()).unwrap() {
            assert_eq!(applied.end, SpoolEnd::Applied, "{applied:?}");
        }
        assert!(self.spools().waiting().unwrap().is_empty());
        assert_eq!(store.verify().unwrap(), []);
        store.job(&job(1, 1)).unwrap().map(|row| row.state)
    }
}

#[test]
fn a_job_needs_one_commit_for_each_step_and_one_for_its_verdict() {
    let world = World::new();
    let mut store = world.lossy(Loss::Before, 99, 0);
    let played = world.play(&mut store, Death::Never, None);
    assert_eq!(played, Played { sent: 3, verdict: Some(Verdict::Good), settled: Some(Settled::Durable) });
    assert_eq!(store.calls, 4);
    assert!(world.spools().waiting().unwrap().is_empty(), "the spool is released");
    assert_eq!(world.afterwards(), Some(JobState::Good));
}

/// Each call loses its answer, before or after it is carried out, once or for good.
#[test]
fn a_lost_answer_never_leaves_a_doubt_and_nothing_is_sent_after_it() {
    let mut seen = Vec::new();
    for from in 0..5 {
        for loss in [Loss::Before, Loss::After] {
            for count in [1, usize::MAX] {
                let world = World::new();
                let mut store = world.lossy(loss, from, count);
                let played = world.play(&mut store, Death::Never, None);
                let what = format!("call {from} lost {loss:?}, {count} times: {played:?}");
                assert_eq!(played.sent as usize, from.min(3), "{what}");
                // A verdict that is only spooled is not yet the ledger's.
                if played.settled == Some(Settled::Spooled) {
                    let mut store = world.store.lock().unwrap();
                    assert!(
                        store.job(&job(1, 1)).unwrap().is_none_or(|row| row.state != JobState::Good || from == 3),
                        "{what}"
                    );
                }
                let state = world.afterwards();
                let wanted = match played.verdict.unwrap() {
                    Verdict::Good => JobState::Good,
                    Verdict::Spoiled => JobState::Spoiled,
                    Verdict::Untouched => JobState::Untouched,
                    Verdict::InDoubt => panic!("{what}"),
                };
                assert!(state == Some(wanted) || (state.is_none() && played.sent == 0), "{what}: {state:?}");
                seen.push(played.settled.unwrap());
            }
        }
    }
    for settled in [Settled::Durable, Settled::Spooled] {
        assert!(seen.contains(&settled), "{settled:?} was not reached");
    }
}

#[test]
fn a_worker_that_dies_leaves_a_blank_before_its_first_byte_and_a_doubt_after_it() {
    let deaths = (0..3).flat_map(|n| [Death::InStep(n, false), Death::InStep(n, true)]).chain([Death::BeforeVerdict]);
    for death in deaths {
        let world = World::new();
        let mut store = world.lossy(Loss::Before, 99, 0);
        world.play(&mut store, death, None);
        // Whether bytes were sent after `about_to`, nobody knows.
        assert_eq!(world.afterwards(), Some(JobState::InDoubt), "{death:?}");
    }
}

#[test]
fn a_step_that_fails_spoils_the_card_and_the_ledger_says_so() {
    for n in 0..3 {
        let world = World::new();
        let mut store = world.lossy(Loss::Before, n as usize + 1, usize::MAX);
        let played = world.play(&mut store, Death::Never, Some(n));
        assert_eq!(played.settled, Some(Settled::Spooled));
        assert_eq!(world.afterwards(), Some(JobState::Spoiled));
    }
}

#[test]
fn an_order_that_another_station_took_is_not_begun_and_leaves_nothing() {
    let world = World::new();
    world.store.lock().unwrap().commit(&Writer::new(world.time.clone()).batch(begun(1, 1, 1, 5))).unwrap_err();
    let mut writer = Writer::new(world.time.clone());
    drop(writer.batch(vec![received(9); 20]));
    world.store.lock().unwrap().commit(&writer.batch(begun(1, 1, 1, 5))).unwrap();
    let mut store = world.lossy(Loss::Before, 99, 0);
    let (mut spool, mut ports) = (world.spools().reserve(job(1, 2), fence(7)).unwrap(), world.time.ports());
    let start =
        Start { by: origin(), job: job(1, 2), record: record(1), plan: plan(), lease: LEASE, before: Vec::new() };
    let mut worker = Worker::start(&mut store, &mut spool, &mut ports, fence(7), start).unwrap();
    worker.identified(chip(1)).unwrap();
    assert!(matches!(worker.about_to(0).unwrap_err().code(), Code::LedgerRecord | Code::LedgerState));
    assert!(!worker.holds_lease());
    assert_eq!(worker.end(worker.verdict_without(), None).unwrap(), Settled::Unclaimed);
    drop(spool);
    assert!(world.spools().waiting().unwrap().is_empty());
}

#[test]
fn a_worker_that_slept_through_its_lease_is_fenced_off_and_its_word_is_kept() {
    let world = World::new();
    let (mut spool, mut ports) = (world.spools().reserve(job(1, 1), fence(7)).unwrap(), world.time.ports());
    let mut store = world.lossy(Loss::Before, 99, 0);
    let start =
        Start { by: origin(), job: job(1, 1), record: record(1), plan: plan(), lease: LEASE, before: Vec::new() };
    let mut worker = Worker::start(&mut store, &mut spool, &mut ports, fence(7), start).unwrap();
    worker.identified(chip(1)).unwrap();
    worker.about_to(0).unwrap();
    world.time.pass(LEASE * 2 / 3);
    assert!(!worker.holds_lease(), "a third before the ledger's end");
    worker.renew().unwrap();
    assert!(worker.holds_lease());
    world.time.pass(LEASE);
    worker.did(0, Outcome::Done).unwrap();
    let mut other = world.time.ports();
    let taken = take_overdue(&mut *world.store.lock().unwrap(), &mut other, &origin()).unwrap();
    assert_eq!(taken, [job(1, 1)]);
    assert_eq!(worker.about_to(1).unwrap_err().code(), Code::LedgerFence);
    assert_eq!(worker.end(Verdict::Spoiled, None).unwrap(), Settled::Spooled);
    // While the worker lives, its spool is left alone.
    let applied = apply_spool(&mut *world.store.lock().unwrap(), &world.spools()).unwrap();
    assert_eq!(applied[0].end, SpoolEnd::InUse);
    drop(spool);
    assert_eq!(world.afterwards(), Some(JobState::Spoiled));
}

#[test]
fn a_spool_whose_job_was_settled_meanwhile_is_kept_and_shown() {
    let world = World::new();
    let mut store = world.lossy(Loss::Before, 1, usize::MAX);
    let played = world.play(&mut store, Death::Never, Some(0));
    assert_eq!(played.settled, Some(Settled::Spooled));
    world.time.pass(LEASE);
    let mut ports = world.time.ports();
    let mut store = world.store.lock().unwrap();
    take_overdue(&mut *store, &mut ports, &origin()).unwrap();
    let settled = What::JobSettled { job: job(1, 1), second: perso::ledger::Text::new("bert") };
    let settled = ports.event(&origin(), settled).unwrap();
    store.commit(&Batch { events: vec![settled], lease: None }).unwrap();
    let applied = apply_spool(&mut *store, &world.spools()).unwrap();
    assert_eq!(applied[0].end, SpoolEnd::Refused(Refusal::Fence(job(1, 1))));
    assert_eq!(world.spools().waiting().unwrap().len(), 1);
}

#[test]
fn a_spool_keeps_what_it_was_given_and_tells_a_torn_event() {
    let folder = tempfile::tempdir().unwrap();
    let spools = SpoolFolder::open(&folder.path().join("s")).unwrap();
    let mut writer = Writer::new(Time::default());
    let events = [writer.event(done(1, 1, 1, 0)), writer.event(ended(1, 1, 1, Verdict::Good))];
    let mut spool = spools.reserve(job(1, 1), fence(1)).unwrap();
    let path = spools.waiting().unwrap()[0].path.clone();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 64 * 1024);
    events.iter().for_each(|event| spool.keep(event).unwrap());
    assert!(spools.reserve(job(1, 1), fence(1)).is_err(), "one file for each claim");
    drop(spool);
    let found = spools.waiting().unwrap();
    assert_eq!((found.len(), found[0].job, found[0].fence), (1, job(1, 1), fence(1)));
    assert_eq!((found[0].events.as_slice(), found[0].torn, found[0].in_use), (&events[..], false, false));
    let whole = std::fs::read(&path).unwrap();
    let first = 36 + serde_json::to_vec(&events[0]).unwrap().len();
    let end = first + 36 + serde_json::to_vec(&events[1]).unwrap().len();
    for at in [first + 3, first + 10, first + 40, end - 1, end + 4, 64 * 1024 - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        std::fs::write(&path, bytes).unwrap();
        let found = &spools.waiting().unwrap()[0];
        assert!(found.torn, "byte {at}");
        assert_eq!(found.events.len(), if at < end { 1 } else { 2 }, "byte {at}");
    }
    for length in [0, 3, 20, first, first + 20] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let found = &spools.waiting().unwrap()[0];
        assert_eq!(found.events.len(), usize::from(length >= first), "{length} bytes");
    }
}

#[test]
fn a_full_spool_refuses_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let spools = SpoolFolder::open(folder.path()).unwrap();
    let mut writer = Writer::new(Time::default());
    let mut spool = spools.reserve(job(1, 1), fence(1)).unwrap();
    let mut kept = 0;
    let error = loop {
        match spool.keep(&writer.event(done(1, 1, 1, 0))) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::LedgerWrite);
    assert!(kept > 64, "room for the steps of the longest plan, not only {kept}");
    let found = &spools.waiting().unwrap()[0];
    assert_eq!((found.events.len(), found.torn, found.in_use), (kept, false, true));
}
