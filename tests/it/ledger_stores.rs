//! One suite over every store of the ledger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::ledger_support;

use std::time::Duration;

use ledger_support::*;
use perso::base::{Code, Fault};
use perso::ledger::event::{HoldReason, Verdict};
use perso::ledger::{
    Batch, Bounded, JobState, LedgerStore, MemoryStore, OrderState, Query, Refusal, SqliteStore, StoreError, What,
};

/// A store, the clock that it uses, and the writer of its events.
struct Bench {
    store: Box<dyn LedgerStore>,
    time: Time,
    writer: Writer,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn memory() -> Self {
        let time = Time::default();
        let store = MemoryStore::new(origin(), time.ports()).unwrap();
        Self::new(Box::new(store), time, tempfile::tempdir().unwrap())
    }

    fn sqlite() -> Self {
        let time = Time::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        SqliteStore::create_test(&path, origin(), &mut time.ports()).unwrap();
        let store = SqliteStore::open(&path, time.ports()).unwrap();
        Self::new(Box::new(store), time, folder)
    }

    /// The SQLite store, each call with a deadline.
    fn bounded() -> Self {
        let mut bench = Self::sqlite();
        let store =
            std::mem::replace(&mut bench.store, Box::new(MemoryStore::new(origin(), bench.time.ports()).unwrap()));
        bench.store = Box::new(Bounded::new(store, "ledger.db", Duration::from_secs(600)));
        bench
    }

    fn new(store: Box<dyn LedgerStore>, time: Time, folder: tempfile::TempDir) -> Self {
        let writer = Writer::new(time.clone());
        Self { store, time, writer, _folder: folder }
    }

    fn batch(&mut self, whats: Vec<What>) -> Batch {
        self.writer.batch(whats)
    }

    #[track_caller]
    fn commit(&mut self, whats: Vec<What>) {
        let batch = self.batch(whats);
        self.store.commit(&batch).unwrap();
    }

    #[track_caller]
    fn refused(&mut self, whats: Vec<What>) -> Refusal {
        let batch = self.batch(whats);
        match self.store.commit(&batch) {
            Err(StoreError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn verified(&mut self) {
        assert_eq!(self.store.verify().unwrap(), []);
    }
}

macro_rules! suite {
    ($($name:ident,)*) => {
        mod memory {
            $(#[test] fn $name() { super::$name(super::Bench::memory()); })*
        }
        mod bounded {
            $(#[test] fn $name() { super::$name(super::Bench::bounded()); })*
        }
        mod sqlite {
            $(#[test] fn $name() { super::$name(super::Bench::sqlite()); })*
        }
    };
}

suite!(
    an_order_becomes_a_card_and_the_tables_follow,
    a_batch_is_written_whole_or_not_at_all,
    a_repeated_commit_finds_its_events,
    an_event_id_is_used_once,
    a_claim_takes_a_lease,
    a_step_begins_within_the_lease_only,
    a_job_is_taken_from_its_worker_after_its_lease_only,
    a_restart_of_the_machine_ends_every_lease,
    a_renewed_lease_runs_on,
    a_good_card_keeps_its_worker_until_it_is_made,
    orders_and_jobs_are_found_by_state_station_and_day,
    orders_are_found_by_the_beginning_of_their_identity,
    events_are_read_in_order_and_by_order,
    cards_and_payloads_lead_to_their_orders,
    a_test_ledger_has_its_identity_key,
    refusals_have_their_codes,
);

fn an_order_becomes_a_card_and_the_tables_follow(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(begun(1, 1, 1, 1));
    assert_eq!(bench.store.order(&order(1)).unwrap().unwrap().state, OrderState::Personalizing);
    for what in stepped(1, 1, 1) {
        bench.commit(vec![what]);
    }
    bench.commit(vec![ended(1, 1, 1, Verdict::Good)]);
    assert_eq!(bench.store.order(&order(1)).unwrap().unwrap().state, OrderState::Good);
    assert_eq!(bench.store.job(&job(1, 1)).unwrap().unwrap().state, JobState::Good);
    assert!(bench.store.order(&order(2)).unwrap().is_none());
    assert!(bench.store.job(&job(1, 2)).unwrap().is_none());
    bench.commit(vec![received(2), prepared(2)]);
    bench.commit(spoiled(2, 1, 2, 2));
    bench.commit(good(2, 2, 3, 3));
    let jobs = bench.store.jobs_of(&order(2)).unwrap();
    assert_eq!(jobs.iter().map(|job| job.state).collect::<Vec<_>>(), [JobState::Spoiled, JobState::Good]);
    bench.verified();
}

fn a_batch_is_written_whole_or_not_at_all(mut bench: Bench) {
    bench.commit(ready(1));
    let mut whats = begun(1, 1, 1, 1);
    whats.push(done(1, 1, 9, 0));
    assert_eq!(bench.refused(whats), Refusal::Fence(job(1, 1)));
    assert!(bench.store.job(&job(1, 1)).unwrap().is_none());
    assert_eq!(bench.store.order(&order(1)).unwrap().unwrap().attempts, 0);
    assert_eq!(bench.store.events(0, None, 100).unwrap().len(), 3);
    bench.commit(begun(1, 1, 1, 1));
    bench.verified();
}

fn a_repeated_commit_finds_its_events(mut bench: Bench) {
    bench.commit(ready(1));
    let batch = bench.batch(begun(1, 1, 1, 1));
    let first = bench.store.commit(&batch).unwrap();
    assert!(!first.repeated);
    // However late the repeat comes: the lease is over, the job has gone on.
    bench.commit(vec![done(1, 1, 1, 0)]);
    bench.time.pass(LEASE * 2);
    let again = bench.store.commit(&batch).unwrap();
    assert_eq!((again.numbers.clone(), again.repeated), (first.numbers, true));
    assert_eq!(bench.store.number_of(&batch.events[1].id).unwrap(), Some(again.numbers[1]));
    assert_eq!(bench.store.number_of(&bench.writer.clone().event(received(3)).id).unwrap(), None);
    bench.verified();
}

fn an_event_id_is_used_once(mut bench: Bench) {
    let batch = bench.batch(vec![received(1)]);
    bench.store.commit(&batch).unwrap();
    let mut other = batch.clone();
    other.events[0].what = received(2);
    assert!(matches!(bench.store.commit(&other), Err(StoreError::Refused(Refusal::EventIdUsed(_)))));
}

fn a_claim_takes_a_lease(mut bench: Bench) {
    bench.commit(ready(1));
    let batch = Batch { lease: None, ..bench.batch(vec![claimed(1, 1, 1, plan())]) };
    assert!(matches!(bench.store.commit(&batch), Err(StoreError::Refused(Refusal::Lease(_)))));
    assert!(bench.store.job(&job(1, 1)).unwrap().is_none());
    bench.commit(vec![claimed(1, 1, 1, plan())]);
}

fn a_step_begins_within_the_lease_only(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(vec![claimed(1, 1, 1, plan()), identified(1, 1, 1, chip(1))]);
    bench.time.pass(LEASE);
    assert_eq!(bench.refused(vec![about_to(1, 1, 1, 0, store(1))]), Refusal::Lease(job(1, 1)));
    // Whose fence is not the job's learns that.
    assert_eq!(bench.refused(vec![about_to(1, 1, 2, 0, store(1))]), Refusal::Fence(job(1, 1)));
    // What has happened is written down, late or not: nobody else has the job yet.
    bench.commit(vec![ended(1, 1, 1, Verdict::Untouched)]);
    bench.verified();
}

fn a_job_is_taken_from_its_worker_after_its_lease_only(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(begun(1, 1, 1, 1));
    let expired = What::LeaseExpired { job: job(1, 1), fence: fence(1) };
    bench.time.pass(LEASE - Duration::from_micros(1));
    assert_eq!(bench.store.overdue().unwrap(), []);
    assert_eq!(bench.refused(vec![expired.clone()]), Refusal::LeaseRuns(job(1, 1)));
    bench.time.pass(Duration::from_micros(1));
    assert_eq!(bench.store.overdue().unwrap(), [(job(1, 1), fence(1))]);
    bench.commit(vec![expired]);
    assert_eq!(bench.store.overdue().unwrap(), []);
    assert_eq!(bench.refused(vec![done(1, 1, 1, 0)]), Refusal::Fence(job(1, 1)));
    assert!(bench.store.renew(job(1, 1), fence(1), LEASE).is_err());
    bench.verified();
}

fn a_restart_of_the_machine_ends_every_lease(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(begun(1, 1, 1, 1));
    bench.time.restart();
    assert_eq!(bench.store.overdue().unwrap(), [(job(1, 1), fence(1))]);
    bench.commit(vec![What::LeaseExpired { job: job(1, 1), fence: fence(1) }]);
}

fn a_renewed_lease_runs_on(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(begun(1, 1, 1, 1));
    bench.commit(vec![done(1, 1, 1, 0)]);
    bench.time.pass(LEASE / 2);
    assert_eq!(bench.store.renew(job(1, 1), fence(2), LEASE).unwrap_err().code(), Code::LedgerFence);
    bench.store.renew(job(1, 1), fence(1), LEASE).unwrap();
    bench.time.pass(LEASE - Duration::from_secs(1));
    bench.commit(vec![about_to(1, 1, 1, 1, store(2)), done(1, 1, 1, 1)]);
    bench.time.pass(Duration::from_secs(1));
    assert_eq!(bench.store.renew(job(1, 1), fence(1), LEASE).unwrap_err().code(), Code::LedgerFence);
    bench.verified();
}

fn a_good_card_keeps_its_worker_until_it_is_made(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(good(1, 1, 1, 1));
    bench.time.pass(LEASE);
    assert_eq!(bench.store.overdue().unwrap(), [(job(1, 1), fence(1))]);
    bench.commit(vec![What::LeaseExpired { job: job(1, 1), fence: fence(1) }]);
    assert_eq!(bench.store.job(&job(1, 1)).unwrap().unwrap().state, JobState::Good);
    assert_eq!(bench.store.overdue().unwrap(), []);
    bench.commit(vec![What::CardMade { job: job(1, 1) }]);
    bench.verified();
}

fn orders_and_jobs_are_found_by_state_station_and_day(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(good(1, 1, 1, 1));
    bench.time.pass(Duration::from_secs(86_400));
    let day = bench.time.moment().wall;
    bench.commit(ready(2));
    bench.writer.by.station = perso::ledger::Text::new("desk-2");
    bench.commit(in_doubt_after(2));
    bench.time.pass(LEASE);
    bench.commit(vec![What::LeaseExpired { job: job(2, 1), fence: fence(2) }]);
    bench.commit(vec![received(3), What::OrderHeld { order: order(3), reason: HoldReason::Asked }]);
    let orders = |bench: &mut Bench, query: Query<OrderState>| {
        bench.store.orders(&query).unwrap().iter().map(|row| row.order.bytes()[0]).collect::<Vec<_>>()
    };
    assert_eq!(orders(&mut bench, Query::default()), [3, 2, 1]);
    assert_eq!(orders(&mut bench, Query { limit: 2, ..Query::default() }), [3, 2]);
    assert_eq!(orders(&mut bench, Query { from: Some(day), ..Query::default() }), [3, 2]);
    assert_eq!(orders(&mut bench, Query { until: Some(day), ..Query::default() }), [1]);
    assert_eq!(orders(&mut bench, Query { held: true, ..Query::default() }), [3]);
    let states = vec![OrderState::Good, OrderState::InDoubt];
    assert_eq!(orders(&mut bench, Query { states, ..Query::default() }), [2, 1]);
    let jobs = |bench: &mut Bench, query: Query<JobState>| {
        bench.store.jobs(&query).unwrap().iter().map(|row| row.job.order.bytes()[0]).collect::<Vec<_>>()
    };
    assert_eq!(jobs(&mut bench, Query::default()), [2, 1]);
    assert_eq!(jobs(&mut bench, Query { states: vec![JobState::InDoubt], ..Query::default() }), [2]);
    assert_eq!(jobs(&mut bench, Query { station: Some("desk-1".into()), ..Query::default() }), [1]);
    assert_eq!(jobs(&mut bench, Query { until: Some(day), ..Query::default() }), [1]);
    assert!(jobs(&mut bench, Query { from: Some(day), limit: 0, ..Query::default() }).is_empty());
}

/// A job that is in its first step.
fn in_doubt_after(n: u8) -> Vec<What> {
    begun(n, 1, n, n)
}

fn orders_are_found_by_the_beginning_of_their_identity(mut bench: Bench) {
    bench.commit([ready(0x12), ready(0x13), ready(0x22)].concat());
    assert_eq!(bench.store.find("1", 10).unwrap(), [order(0x12), order(0x13)]);
    assert_eq!(bench.store.find("131", 10).unwrap(), [order(0x13)]);
    assert_eq!(bench.store.find("1", 1).unwrap(), [order(0x12)]);
    assert_eq!(bench.store.find(&order(0x22).to_string(), 10).unwrap(), [order(0x22)]);
    for none in ["3", "2222%", "22'", "2_"] {
        assert_eq!(bench.store.find(none, 10).unwrap(), [], "{none}");
    }
}

fn events_are_read_in_order_and_by_order(mut bench: Bench) {
    bench.commit(ready(1));
    bench.commit(ready(2));
    bench.commit(good(1, 1, 1, 1));
    let all = bench.store.events(0, None, usize::MAX).unwrap();
    assert_eq!(all.iter().map(|it| it.number).collect::<Vec<_>>(), (1..=14).collect::<Vec<_>>());
    let page = bench.store.events(4, None, 3).unwrap();
    assert_eq!(page.iter().map(|it| it.number).collect::<Vec<_>>(), [5, 6, 7]);
    let of_two = bench.store.events(0, Some(&order(2)), 100).unwrap();
    assert_eq!(of_two.iter().map(|it| it.number).collect::<Vec<_>>(), [4, 5]);
    assert!(matches!(all[0].event.what, What::LedgerCreated { live: false, .. }));
}

fn cards_and_payloads_lead_to_their_orders(mut bench: Bench) {
    bench.commit(ready(1));
    assert_eq!(bench.store.of_payload(&payload(1)).unwrap(), Some(order(1)));
    assert_eq!(bench.store.of_payload(&payload(2)).unwrap(), None);
    assert_eq!(bench.store.of_card(&card(1)).unwrap().len(), 1);
    assert!(bench.store.of_card(&card(2)).unwrap().is_empty());
    let same = perso::ledger::event::Received { cards: vec![card(1)], ..an_order(2) };
    assert_eq!(bench.refused(vec![What::OrderReceived(same)]), Refusal::SameCard(order(1)));
    let renewal = perso::ledger::event::Received {
        cards: vec![card(1)],
        kind: perso::ledger::event::IssuanceKind::Renewal,
        ..an_order(2)
    };
    bench.commit(vec![What::OrderReceived(renewal)]);
    let of_card: Vec<_> = bench.store.of_card(&card(1)).unwrap().iter().map(|row| row.order).collect();
    assert_eq!(of_card, [order(2), order(1)]);
}

fn a_test_ledger_has_its_identity_key(bench: Bench) {
    assert!(!bench.store.facts().live);
    let key = bench.store.identity_key().unwrap();
    assert_ne!(key.record("a"), key.record("b"));
}

fn refusals_have_their_codes(mut bench: Bench) {
    bench.commit([ready(1), ready(2), ready(3)].concat());
    bench.commit(good(1, 1, 1, 1));
    bench.commit(begun(2, 1, 2, 2));
    bench.commit(vec![What::OrderHeld { order: order(3), reason: HoldReason::Asked }]);
    for (what, code) in [
        (claimed(1, 2, 3, plan()), Code::LedgerRecord),
        (claimed(3, 1, 3, plan()), Code::LedgerHeld),
        (done(2, 1, 9, 0), Code::LedgerFence),
        (prepared(1), Code::LedgerState),
    ] {
        assert_eq!(bench.refused(vec![what]).code(), code);
    }
    bench.commit(vec![What::OrderReleased { order: order(3), second: None }, claimed(3, 1, 3, plan())]);
    assert_eq!(bench.refused(vec![identified(3, 1, 3, chip(1))]).code(), Code::LedgerCard);
    bench.time.pass(LEASE);
    bench.commit(vec![What::LeaseExpired { job: job(2, 1), fence: fence(2) }]);
    assert_eq!(bench.refused(vec![claimed(2, 2, 3, plan())]).code(), Code::LedgerDoubt);
}

/// A store that works when it is let, and then does what was asked.
struct Frozen {
    inner: MemoryStore,
    gate: std::sync::Arc<std::sync::Mutex<()>>,
}

impl Frozen {
    fn inner(&mut self) -> &mut MemoryStore {
        drop(self.gate.lock().unwrap());
        &mut self.inner
    }
}

impl LedgerStore for Frozen {
    fn facts(&self) -> perso::ledger::Facts {
        self.inner.facts()
    }
    fn identity_key(&self) -> Option<&perso::ledger::IdentityKey> {
        self.inner.identity_key()
    }
    fn commit(&mut self, batch: &Batch) -> Result<perso::ledger::Committed, StoreError> {
        self.inner().commit(batch)
    }
    fn renew(
        &mut self,
        job: perso::ledger::JobId,
        fence: perso::ledger::Fence,
        length: Duration,
    ) -> Result<(), StoreError> {
        self.inner().renew(job, fence, length)
    }
    fn overdue(&mut self) -> Result<Vec<(perso::ledger::JobId, perso::ledger::Fence)>, StoreError> {
        self.inner().overdue()
    }
    fn order(&mut self, id: &perso::ledger::OrderId) -> Result<Option<perso::ledger::OrderRow>, StoreError> {
        self.inner().order(id)
    }
    fn job(&mut self, id: &perso::ledger::JobId) -> Result<Option<perso::ledger::JobRow>, StoreError> {
        self.inner().job(id)
    }
    fn jobs_of(&mut self, order: &perso::ledger::OrderId) -> Result<Vec<perso::ledger::JobRow>, StoreError> {
        self.inner().jobs_of(order)
    }
    fn orders(&mut self, query: &Query<OrderState>) -> Result<Vec<perso::ledger::OrderRow>, StoreError> {
        self.inner().orders(query)
    }
    fn jobs(&mut self, query: &Query<JobState>) -> Result<Vec<perso::ledger::JobRow>, StoreError> {
        self.inner().jobs(query)
    }
    fn find(&mut self, prefix: &str, limit: usize) -> Result<Vec<perso::ledger::OrderId>, StoreError> {
        self.inner().find(prefix, limit)
    }
    fn of_card(&mut self, card: &perso::ledger::ids::CardDigest) -> Result<Vec<perso::ledger::OrderRow>, StoreError> {
        self.inner().of_card(card)
    }
    fn of_payload(
        &mut self,
        payload: &perso::ledger::ids::PayloadDigest,
    ) -> Result<Option<perso::ledger::OrderId>, StoreError> {
        self.inner().of_payload(payload)
    }
    fn of_key(&mut self, key: &perso::ledger::ids::KeyDigest) -> Result<Option<perso::ledger::OrderId>, StoreError> {
        self.inner().of_key(key)
    }
    fn number_of(&mut self, event: &perso::ledger::EventId) -> Result<Option<u64>, StoreError> {
        self.inner().number_of(event)
    }
    fn events(
        &mut self,
        after: u64,
        of: Option<&perso::ledger::OrderId>,
        limit: usize,
    ) -> Result<Vec<perso::ledger::Numbered>, StoreError> {
        self.inner().events(after, of, limit)
    }
    fn verify(&mut self) -> Result<Vec<perso::ledger::Difference>, StoreError> {
        self.inner().verify()
    }
}

/// A commit without an answer may still happen; one that had not begun never does.
#[test]
fn every_call_returns_by_its_deadline_while_the_store_is_frozen() {
    let time = Time::default();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(()));
    let inner = MemoryStore::new(origin(), time.ports()).unwrap();
    let frozen = Frozen { inner, gate: std::sync::Arc::clone(&gate) };
    let mut store = Bounded::new(Box::new(frozen), "far", Duration::from_millis(50));
    let mut writer = Writer::new(time);
    let (first, second) = (writer.batch(ready(1)), writer.batch(ready(2)));
    let held = gate.lock().unwrap();
    let unknown = store.commit(&first).unwrap_err();
    assert_eq!(unknown.code(), Code::LedgerUnknown, "{unknown}");
    assert_eq!(store.commit(&second).unwrap_err().code(), Code::LedgerBusy);
    assert_eq!(store.order(&order(1)).map(drop).unwrap_err().code(), Code::LedgerBusy);
    drop(held);
    // The deadline is short; the thread may need a moment of its own.
    let found = loop {
        match store.number_of(&first.events[0].id) {
            Ok(found) => break found,
            Err(error) => assert_eq!(error.code(), Code::LedgerBusy),
        }
    };
    assert_eq!(found, Some(2));
    assert!(store.commit(&first).unwrap().repeated);
    assert!(store.order(&order(2)).unwrap().is_none());
}

/// As `ready(1)`, with an idempotency key.
fn keyed() -> Vec<What> {
    let idempotency = Some(perso::ledger::ids::KeyDigest::new([3; 32]));
    vec![What::OrderReceived(perso::ledger::event::Received { idempotency, ..an_order(1) }), prepared(1)]
}

/// Rows that were changed behind the ledger's back.
#[test]
fn verify_finds_each_row_that_its_events_do_not_bear_out() {
    let changes = [
        ("UPDATE orders SET state = 'spoiled'", "columns of order"),
        (
            "UPDATE orders SET row = replace(row, '\"state\":\"good\"', '\"state\":\"prepared\"')",
            "differs from its events",
        ),
        ("UPDATE orders SET row = replace(row, '\"attempts\":1', '\"attempts\":0')", "differs from its events"),
        ("UPDATE job SET chip = NULL", "columns of job"),
        ("UPDATE job SET station = 'x'", "columns of job"),
        ("UPDATE job SET row = replace(row, '\"done\"', '\"planned\"')", "differs from its events"),
        ("DELETE FROM job", "is missing"),
        ("DELETE FROM order_card", "index of cards"),
        ("DELETE FROM payload", "index of payloads"),
        ("DELETE FROM idempotency", "index of idempotency keys"),
        ("DELETE FROM event WHERE seq > 10", "no event|differs"),
        ("UPDATE facts SET row = replace(row, 'false', 'true')", "the row of the ledger"),
    ];
    for (sql, expected) in changes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let time = Time::default();
        SqliteStore::create_test(&path, origin(), &mut time.ports()).unwrap();
        let mut store = SqliteStore::open(&path, time.ports()).unwrap();
        let mut writer = Writer::new(time.clone());
        store.commit(&writer.batch([keyed(), good(1, 1, 1, 1)].concat())).unwrap();
        assert_eq!(store.verify().unwrap(), []);
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        let found = store.verify().unwrap();
        let text = format!("{found:?}");
        assert!(expected.split('|').any(|word| text.contains(word)), "{sql}: {text}");
    }
}

/// What the fold refuses, the schema refuses too, should the fold ever be wrong.
#[test]
fn the_schema_refuses_a_second_live_job_a_second_card_and_a_chip_used_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let time = Time::default();
    SqliteStore::create_test(&path, origin(), &mut time.ports()).unwrap();
    let mut store = SqliteStore::open(&path, time.ports()).unwrap();
    let mut writer = Writer::new(time.clone());
    let whats = [ready(1), ready(2), ready(3), good(1, 1, 1, 1), begun(2, 1, 2, 2)].concat();
    store.commit(&writer.batch(whats)).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    let insert = |order: u8, attempt: u32, state: &str, chip: Option<&str>| {
        let sql = "INSERT INTO job (order_id, attempt, state, station, chip, chip_use, claimed, row) \
                   VALUES (?1, ?2, ?3, 's', ?4, 1, 0, '{}')";
        other.execute(sql, (&[order; 32][..], attempt, state, chip))
    };
    let taken = chip(1).unwrap().chip;
    for (order, attempt, state, chip) in [
        (1, 2, "made", None),
        (2, 2, "claimed", None),
        (3, 1, "spoiled", Some(taken.as_str())),
        (1, 1, "spoiled", None),
    ] {
        let refused = insert(order, attempt, state, chip).unwrap_err().to_string();
        assert!(refused.contains("UNIQUE"), "{state}: {refused}");
    }
    insert(3, 1, "untouched", None).unwrap();
}
