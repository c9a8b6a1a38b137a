//! The store's calls in SQL.

use std::time::Duration;

use rusqlite::types::Value;

use super::super::commit::{Log, commit};
use super::super::event::{BootTime, Event};
use super::super::identity::IdentityKey;
use super::super::ids::{BootId, CardDigest, EventId, Fence, JobId, KeyDigest, OrderId, PayloadDigest, short};
use super::super::lease::Term;
use super::super::memory::MemoryTables;
use super::super::refusal::Refusal;
use super::super::rows::{Facts, JobRow, JobState, OrderRow, OrderState};
use super::super::store::{Batch, Committed, Difference, LedgerStore, Numbered, Query, StoreError};
use super::super::tables::Tables;
use super::super::verify::compare;
use super::error::{Db, not_applied};
use super::rows::{job_columns, moment, order_columns};
use super::{SqliteStore, patiently};

/// Events that are read at once while the tables are computed again.
const PAGE: usize = 1000;

impl Log for Db {
    fn find(&self, id: &EventId) -> Result<Option<Numbered>, StoreError> {
        self.event(id)
    }

    fn append(&mut self, event: &Event) -> Result<u64, StoreError> {
        self.insert_event(event)
    }

    fn term(&self, job: &JobId) -> Result<Option<Term>, StoreError> {
        let sql = "SELECT fence, boot, until FROM lease WHERE order_id = ?1 AND attempt = ?2";
        let rows = self.rows(sql, (&job.order.bytes()[..], job.attempt), |row| {
            Ok((row.get::<_, [u8; 8]>(0)?, row.get::<_, [u8; 16]>(1)?, row.get::<_, i64>(2)?))
        })?;
        Ok(rows.first().map(|row| term(*row)))
    }

    fn set_term(&mut self, job: &JobId, term: &Term) -> Result<(), StoreError> {
        let sql = "INSERT INTO lease (order_id, attempt, fence, boot, until) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (order_id, attempt) DO UPDATE SET fence = ?3, boot = ?4, until = ?5";
        let (fence, boot) = (&term.fence.bytes()[..], &term.until.id.bytes()[..]);
        self.run(sql, (&job.order.bytes()[..], job.attempt, fence, boot, moment(term.until.micros)))
    }
}

fn term((fence, boot, until): ([u8; 8], [u8; 16], i64)) -> Term {
    let micros = u64::try_from(until).unwrap_or_default();
    Term { fence: Fence::new(fence), until: BootTime { id: BootId::new(boot), micros } }
}

impl SqliteStore {
    /// Reads, and waits if another process keeps it from reading.
    fn read<T>(&mut self, mut read: impl FnMut(&Db) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let Self { db, ports, .. } = self;
        patiently(ports, &db.place, || read(db))
    }
}

impl LedgerStore for SqliteStore {
    fn facts(&self) -> Facts {
        self.facts
    }

    fn identity_key(&self) -> Option<&IdentityKey> {
        self.identity.as_ref()
    }

    fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError> {
        let boot = self.ports.boot.clone();
        self.db.transaction(&mut self.ports, |db| commit(db, batch, boot.now()).map_err(not_applied))
    }

    fn renew(&mut self, job: JobId, fence: Fence, length: Duration) -> Result<(), StoreError> {
        let boot = self.ports.boot.clone();
        self.db.transaction(&mut self.ports, |db| {
            let now = boot.now();
            let held = db.job(&job)?.is_some_and(|row| row.fence == Some(fence));
            let live = db.term(&job)?.is_some_and(|term| term.fence == fence && !term.is_over(now));
            if !(held && live) {
                return Err(Refusal::Lease(job).into());
            }
            db.set_term(&job, &Term::of(fence, now, length))
        })
    }

    fn overdue(&mut self) -> Result<Vec<(JobId, Fence)>, StoreError> {
        let now = self.ports.boot.now();
        self.read(|db| {
            let sql = "SELECT job.row FROM lease JOIN job USING (order_id, attempt) WHERE boot <> ?1 OR until <= ?2";
            let over = db.job_rows(sql, (&now.id.bytes()[..], moment(now.micros)))?;
            let held = over.into_iter().filter(|job| job.state != JobState::InDoubt);
            Ok(held.filter_map(|job| Some((job.job, job.fence?))).collect())
        })
    }

    fn order(&mut self, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        self.read(|db| db.order(id))
    }

    fn job(&mut self, id: &JobId) -> Result<Option<JobRow>, StoreError> {
        self.read(|db| db.job(id))
    }

    fn jobs_of(&mut self, order: &OrderId) -> Result<Vec<JobRow>, StoreError> {
        let sql = "SELECT row FROM job WHERE order_id = ?1 ORDER BY attempt";
        self.read(|db| db.job_rows(sql, [&order.bytes()[..]]))
    }

    fn orders(&mut self, query: &Query<OrderState>) -> Result<Vec<OrderRow>, StoreError> {
        let states = query.states.iter().map(|state| state.name()).collect();
        let mut wanted = Wanted::new(states, "received", query.from, query.until);
        if query.held {
            wanted.conditions.push("held = 1".into());
        }
        let sql = format!("SELECT row FROM orders {} ORDER BY received DESC, order_id LIMIT ?", wanted.text());
        let values = wanted.values(query.limit);
        self.read(|db| db.order_rows(&sql, rusqlite::params_from_iter(&values)))
    }

    fn jobs(&mut self, query: &Query<JobState>) -> Result<Vec<JobRow>, StoreError> {
        let states = query.states.iter().map(|state| state.name()).collect();
        let mut wanted = Wanted::new(states, "claimed", query.from, query.until);
        if let Some(station) = &query.station {
            wanted.conditions.push("station = ?".into());
            wanted.values.push(station.clone().into());
        }
        let order = "ORDER BY claimed DESC, order_id, attempt DESC";
        let sql = format!("SELECT row FROM job {} {order} LIMIT ?", wanted.text());
        let values = wanted.values(query.limit);
        self.read(|db| db.job_rows(&sql, rusqlite::params_from_iter(&values)))
    }

    fn find(&mut self, prefix: &str, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        // The first and the last identity that begin so: a range of the primary key.
        let (Some(first), Some(last)) = (bound_of(prefix, '0'), bound_of(prefix, 'f')) else { return Ok(Vec::new()) };
        let rows = self.read(|db| {
            let sql = "SELECT row FROM orders WHERE order_id BETWEEN ?1 AND ?2 ORDER BY order_id LIMIT ?3";
            db.order_rows(sql, (&first.bytes()[..], &last.bytes()[..], limited(limit)))
        })?;
        Ok(rows.into_iter().map(|order| order.order).collect())
    }

    fn of_card(&mut self, card: &CardDigest) -> Result<Vec<OrderRow>, StoreError> {
        self.read(|db| Tables::of_card(db, card))
    }

    fn of_payload(&mut self, payload: &PayloadDigest) -> Result<Option<OrderId>, StoreError> {
        self.read(|db| Tables::of_payload(db, payload))
    }

    fn of_key(&mut self, key: &KeyDigest) -> Result<Option<OrderId>, StoreError> {
        self.read(|db| Tables::of_key(db, key))
    }

    fn number_of(&mut self, event: &EventId) -> Result<Option<u64>, StoreError> {
        self.read(|db| Ok(db.event(event)?.map(|it| it.number)))
    }

    fn events(&mut self, after: u64, of: Option<&OrderId>, limit: usize) -> Result<Vec<Numbered>, StoreError> {
        let (after, limit) = (moment(after), limited(limit));
        self.read(|db| match of {
            None => db.numbered("SELECT seq, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2", (after, limit)),
            Some(order) => {
                let sql = "SELECT seq, body FROM event WHERE seq > ?1 AND order_id = ?3 ORDER BY seq LIMIT ?2";
                db.numbered(sql, (after, limit, &order.bytes()[..]))
            }
        })
    }

    fn verify(&mut self) -> Result<Vec<Difference>, StoreError> {
        // One transaction that reads: what other processes write meanwhile is not seen.
        self.read(|db| db.run("BEGIN", ()))?;
        let found = verify(&self.db);
        self.db.run("COMMIT", ())?;
        found
    }
}

/// An identity that begins with these digits, filled up with one digit; None if they are not hexadecimal or too many.
fn bound_of(prefix: &str, fill: char) -> Option<OrderId> {
    let missing = 64_usize.checked_sub(prefix.len())?;
    let rest: String = std::iter::repeat_n(fill, missing).collect();
    OrderId::parse(&format!("{prefix}{rest}"))
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A WHERE clause and its values.
struct Wanted {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Wanted {
    fn new(states: Vec<&'static str>, at: &str, from: Option<u64>, until: Option<u64>) -> Self {
        let mut wanted = Self { conditions: Vec::new(), values: Vec::new() };
        if !states.is_empty() {
            wanted.conditions.push(format!("state IN ({})", vec!["?"; states.len()].join(", ")));
            wanted.values.extend(states.into_iter().map(|state| Value::from(state.to_owned())));
        }
        for (sign, limit) in [(">=", from), ("<", until)] {
            if let Some(limit) = limit {
                wanted.conditions.push(format!("{at} {sign} ?"));
                wanted.values.push(moment(limit).into());
            }
        }
        wanted
    }

    fn text(&self) -> String {
        match self.conditions.as_slice() {
            [] => String::new(),
            conditions => format!("WHERE {}", conditions.join(" AND ")),
        }
    }

    fn values(self, limit: usize) -> Vec<Value> {
        self.values.into_iter().chain([limited(limit).into()]).collect()
    }
}

fn verify(db: &Db) -> Result<Vec<Difference>, StoreError> {
    let mut computed = MemoryTables::default();
    let mut after = 0;
    loop {
        let sql = "SELECT seq, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let page = db.numbered(sql, (moment(after), limited(PAGE)))?;
        let Some(last) = page.last().map(|it| it.number) else { break };
        for Numbered { number, event } in &page {
            let refused = |refusal| db.damaged(format!("event {number} does not fit those before it: {refusal}"));
            computed.apply(event).map_err(refused)?;
        }
        after = last;
    }
    let orders = db.order_rows("SELECT row FROM orders ORDER BY order_id", ())?;
    let jobs = db.job_rows("SELECT row FROM job ORDER BY order_id, attempt", ())?;
    let mut out = compare(&computed, &orders, &jobs);
    if db.facts()? != Tables::facts(&computed).unwrap_or_default() {
        out.push(Difference::Row("the row of the ledger differs from its first event".into()));
    }
    columns(db, &orders, &jobs, &mut out)?;
    digests(db, &computed, &mut out)?;
    Ok(out)
}

/// The columns that are searched by say what the rows say.
fn columns(db: &Db, orders: &[OrderRow], jobs: &[JobRow], out: &mut Vec<Difference>) -> Result<(), StoreError> {
    let sql = "SELECT order_id, state, held, received FROM orders ORDER BY order_id";
    let seen = db.rows(sql, (), |row| {
        Ok((row.get::<_, [u8; 32]>(0)?, (row.get::<_, String>(1)?, row.get::<_, bool>(2)?, row.get::<_, i64>(3)?)))
    })?;
    for (order, (id, seen)) in orders.iter().zip(seen) {
        if *order.order.bytes() != id || order_columns(order) != seen {
            out.push(Difference::Row(format!("the columns of order {} differ from its row", short(&order.order))));
        }
    }
    let sql = "SELECT order_id, attempt, state, station, chip, chip_use, claimed FROM job ORDER BY order_id, attempt";
    let seen = db.rows(sql, (), |row| {
        let key: ([u8; 32], u32) = (row.get(0)?, row.get(1)?);
        Ok((key, (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?)))
    })?;
    for (job, (key, seen)) in jobs.iter().zip(seen) {
        if (*job.job.order.bytes(), job.job.attempt) != key || job_columns(job) != seen {
            out.push(Difference::Row(format!("the columns of job {} differ from its row", job.job.short())));
        }
    }
    Ok(())
}

/// The tables that find an order by its card or payload.
fn digests(db: &Db, computed: &MemoryTables, out: &mut Vec<Difference>) -> Result<(), StoreError> {
    let mut keys: Vec<([u8; 32], [u8; 32])> =
        db.rows("SELECT digest, order_id FROM idempotency", (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    keys.sort_unstable();
    if keys != computed.key_index() {
        out.push(Difference::Row("the index of idempotency keys differs from the orders".into()));
    }
    let mut cards: Vec<([u8; 32], [u8; 32])> =
        db.rows("SELECT digest, order_id FROM order_card", (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut payloads: Vec<([u8; 32], [u8; 32])> =
        db.rows("SELECT digest, order_id FROM payload", (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    cards.sort_unstable();
    payloads.sort_unstable();
    if cards != computed.card_index() {
        out.push(Difference::Row("the index of cards differs from the orders".into()));
    }
    if payloads != computed.payload_index() {
        out.push(Difference::Row("the index of payloads differs from the orders".into()));
    }
    Ok(())
}
