//! A ledger in memory: for a simulated blank that lives as long as the process.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use super::commit::{Log, commit};
use super::event::ChipUse;
use super::event::{Event, Origin, What};
use super::fold::Change;
use super::identity::IdentityKey;
use super::ids::{CardDigest, EventId, Fence, JobId, KeyDigest, LedgerId, OrderId, PayloadDigest};
use super::lease::Term;
use super::memory::MemoryTables;
use super::ports::Ports;
use super::refusal::Refusal;
use super::rows::{Facts, JobRow, JobState, OrderRow, OrderState};
use super::store::{Batch, Committed, Difference, LedgerStore, Numbered, Query, StoreError};
use super::tables::Tables;
use super::verify::compare;
use crate::base::Secret;

/// A ledger in memory. It ends with the process.
pub struct MemoryStore {
    log: MemoryLog,
    ports: Ports,
    facts: Facts,
    identity: IdentityKey,
}

impl MemoryStore {
    /// An empty test ledger.
    ///
    /// # Errors
    /// The random source failed.
    pub fn new(origin: Origin, mut ports: Ports) -> Result<Self, StoreError> {
        let facts = Facts { ledger: LedgerId::new(ports.chance.bytes()?), live: false };
        let identity = IdentityKey::new(Secret::new(ports.chance.bytes()?));
        let created = What::LedgerCreated { ledger: facts.ledger, live: facts.live };
        let event = ports.event(&origin, created)?;
        let mut store = Self { log: MemoryLog::default(), ports, facts, identity };
        store.commit(&Batch { events: vec![event], lease: None })?;
        Ok(store)
    }
}

#[derive(Clone, Default)]
struct MemoryLog {
    tables: MemoryTables,
    events: Vec<Event>,
    ids: HashMap<EventId, u64>,
    terms: BTreeMap<JobId, Term>,
}

impl Tables for MemoryLog {
    type Error = Infallible;

    fn facts(&self) -> Result<Option<Facts>, Infallible> {
        self.tables.facts()
    }

    fn order(&self, id: &OrderId) -> Result<Option<OrderRow>, Infallible> {
        self.tables.order(id)
    }

    fn job(&self, id: &JobId) -> Result<Option<JobRow>, Infallible> {
        self.tables.job(id)
    }

    fn chip_holder(&self, chip: &ChipUse) -> Result<Option<JobId>, Infallible> {
        self.tables.chip_holder(chip)
    }

    fn of_card(&self, card: &CardDigest) -> Result<Vec<OrderRow>, Infallible> {
        self.tables.of_card(card)
    }

    fn of_payload(&self, payload: &PayloadDigest) -> Result<Option<OrderId>, Infallible> {
        self.tables.of_payload(payload)
    }

    fn of_key(&self, key: &KeyDigest) -> Result<Option<OrderId>, Infallible> {
        self.tables.of_key(key)
    }

    fn write(&mut self, change: &Change) -> Result<(), Infallible> {
        self.tables.write(change)
    }
}

impl Log for MemoryLog {
    fn find(&self, id: &EventId) -> Result<Option<Numbered>, Infallible> {
        let number = self.ids.get(id).copied();
        Ok(number.and_then(|number| self.numbered(number)))
    }

    fn append(&mut self, event: &Event) -> Result<u64, Infallible> {
        self.events.push(event.clone());
        let number = self.events.len() as u64;
        self.ids.insert(event.id, number);
        Ok(number)
    }

    fn term(&self, job: &JobId) -> Result<Option<Term>, Infallible> {
        Ok(self.terms.get(job).copied())
    }

    fn set_term(&mut self, job: &JobId, term: &Term) -> Result<(), Infallible> {
        self.terms.insert(*job, *term);
        Ok(())
    }
}

impl MemoryLog {
    fn numbered(&self, number: u64) -> Option<Numbered> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.events.get(at).map(|event| Numbered { number, event: event.clone() })
    }
}

/// An answer of tables that cannot fail.
fn sure<T>(answer: Result<T, Infallible>) -> T {
    match answer {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

impl LedgerStore for MemoryStore {
    fn facts(&self) -> Facts {
        self.facts
    }

    fn identity_key(&self) -> Option<&IdentityKey> {
        Some(&self.identity)
    }

    fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError> {
        let before = self.log.clone();
        let committed = commit(&mut self.log, batch, self.ports.boot.now());
        if committed.is_err() {
            self.log = before;
        }
        Ok(committed?)
    }

    fn renew(&mut self, job: JobId, fence: Fence, length: Duration) -> Result<(), StoreError> {
        let now = self.ports.boot.now();
        let held = sure(self.log.job(&job)).is_some_and(|row| row.fence == Some(fence));
        match self.log.terms.get_mut(&job) {
            Some(term) if held && term.fence == fence && !term.is_over(now) => *term = Term::of(fence, now, length),
            _ => return Err(Refusal::Lease(job).into()),
        }
        Ok(())
    }

    fn overdue(&mut self) -> Result<Vec<(JobId, Fence)>, StoreError> {
        let now = self.ports.boot.now();
        let over = self.log.terms.iter().filter(|(_, term)| term.is_over(now));
        let held = over.filter(|(job, term)| {
            sure(self.log.job(job)).is_some_and(|row| row.fence == Some(term.fence) && row.state != JobState::InDoubt)
        });
        Ok(held.map(|(job, term)| (*job, term.fence)).collect())
    }

    fn order(&mut self, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        Ok(sure(self.log.order(id)))
    }

    fn job(&mut self, id: &JobId) -> Result<Option<JobRow>, StoreError> {
        Ok(sure(self.log.job(id)))
    }

    fn jobs_of(&mut self, order: &OrderId) -> Result<Vec<JobRow>, StoreError> {
        Ok(self.log.tables.jobs().filter(|job| job.job.order == *order).cloned().collect())
    }

    fn orders(&mut self, query: &Query<OrderState>) -> Result<Vec<OrderRow>, StoreError> {
        let wanted = |order: &&OrderRow| {
            (query.states.is_empty() || query.states.contains(&order.state))
                && (!query.held || order.held.is_some())
                && query.from.is_none_or(|from| from <= order.received)
                && query.until.is_none_or(|until| order.received < until)
        };
        let mut found: Vec<OrderRow> = self.log.tables.orders().filter(wanted).cloned().collect();
        found.sort_by_key(|order| (std::cmp::Reverse(order.received), order.order));
        found.truncate(query.limit);
        Ok(found)
    }

    fn jobs(&mut self, query: &Query<JobState>) -> Result<Vec<JobRow>, StoreError> {
        let wanted = |job: &&JobRow| {
            (query.states.is_empty() || query.states.contains(&job.state))
                && query.station.as_ref().is_none_or(|station| station == job.station.as_str())
                && query.from.is_none_or(|from| from <= job.claimed)
                && query.until.is_none_or(|until| job.claimed < until)
        };
        let mut found: Vec<JobRow> = self.log.tables.jobs().filter(wanted).cloned().collect();
        found.sort_by_key(|job| (std::cmp::Reverse(job.claimed), job.job.order, std::cmp::Reverse(job.job.attempt)));
        found.truncate(query.limit);
        Ok(found)
    }

    fn find(&mut self, prefix: &str, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let orders = self.log.tables.orders().map(|order| order.order);
        Ok(orders.filter(|order| order.to_string().starts_with(prefix)).take(limit).collect())
    }

    fn of_card(&mut self, card: &CardDigest) -> Result<Vec<OrderRow>, StoreError> {
        Ok(sure(self.log.of_card(card)))
    }

    fn of_payload(&mut self, payload: &PayloadDigest) -> Result<Option<OrderId>, StoreError> {
        Ok(sure(self.log.of_payload(payload)))
    }

    fn of_key(&mut self, key: &KeyDigest) -> Result<Option<OrderId>, StoreError> {
        Ok(sure(self.log.of_key(key)))
    }

    fn number_of(&mut self, event: &EventId) -> Result<Option<u64>, StoreError> {
        Ok(self.log.ids.get(event).copied())
    }

    fn events(&mut self, after: u64, of: Option<&OrderId>, limit: usize) -> Result<Vec<Numbered>, StoreError> {
        let numbers = after.saturating_add(1)..=self.log.events.len() as u64;
        let all = numbers.filter_map(|number| self.log.numbered(number));
        let wanted = all.filter(|it| of.is_none_or(|order| it.event.what.order() == Some(*order)));
        Ok(wanted.take(limit).collect())
    }

    fn verify(&mut self) -> Result<Vec<Difference>, StoreError> {
        let mut computed = MemoryTables::default();
        for event in &self.log.events {
            computed.apply(event)?;
        }
        let orders: Vec<OrderRow> = self.log.tables.orders().cloned().collect();
        let jobs: Vec<JobRow> = self.log.tables.jobs().cloned().collect();
        Ok(compare(&computed, &orders, &jobs))
    }
}
