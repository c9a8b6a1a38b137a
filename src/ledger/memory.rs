//! Tables in memory: for a simulated blank that lives as long as the process, and for computing tables again.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::event::{ChipUse, Event};
use super::fold::Change;
use super::ids::{CardDigest, JobId, KeyDigest, OrderId, PayloadDigest};
use super::refusal::Refusal;
use super::rows::{Facts, JobRow, OrderRow};
use super::tables::{MOST_OF_A_CARD, NotApplied, Tables, apply};

/// Tables in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryTables {
    facts: Option<Facts>,
    orders: BTreeMap<OrderId, OrderRow>,
    jobs: BTreeMap<JobId, JobRow>,
    chips: BTreeMap<ChipUse, JobId>,
    cards: BTreeMap<CardDigest, Vec<OrderId>>,
    payloads: BTreeMap<PayloadDigest, OrderId>,
    keys: BTreeMap<KeyDigest, OrderId>,
}

impl MemoryTables {
    /// Applies one event.
    ///
    /// # Errors
    /// It does not fit what has happened.
    pub fn apply(&mut self, event: &Event) -> Result<Change, Refusal> {
        apply(self, event).map_err(|error| match error {
            NotApplied::Refused(refusal) => refusal,
            NotApplied::Failed(never) => match never {},
        })
    }

    /// Every order, by identity.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRow> {
        self.orders.values()
    }

    /// Card digests and the orders that have them, in ascending order.
    pub(super) fn card_index(&self) -> Vec<([u8; 32], [u8; 32])> {
        let pairs =
            self.cards.iter().flat_map(|(card, orders)| orders.iter().map(|order| (*card.bytes(), *order.bytes())));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable();
        pairs
    }

    /// Payloads and the orders that had them first, in ascending order.
    pub(super) fn payload_index(&self) -> Vec<([u8; 32], [u8; 32])> {
        self.payloads.iter().map(|(payload, order)| (*payload.bytes(), *order.bytes())).collect()
    }

    /// Idempotency keys and the orders that came with them first, in ascending order.
    pub(super) fn key_index(&self) -> Vec<([u8; 32], [u8; 32])> {
        self.keys.iter().map(|(key, order)| (*key.bytes(), *order.bytes())).collect()
    }

    /// Every job, by order and attempt.
    pub fn jobs(&self) -> impl Iterator<Item = &JobRow> {
        self.jobs.values()
    }
}

impl Tables for MemoryTables {
    type Error = Infallible;

    fn facts(&self) -> Result<Option<Facts>, Infallible> {
        Ok(self.facts)
    }

    fn order(&self, id: &OrderId) -> Result<Option<OrderRow>, Infallible> {
        Ok(self.orders.get(id).cloned())
    }

    fn job(&self, id: &JobId) -> Result<Option<JobRow>, Infallible> {
        Ok(self.jobs.get(id).cloned())
    }

    fn chip_holder(&self, chip: &ChipUse) -> Result<Option<JobId>, Infallible> {
        Ok(self.chips.get(chip).copied())
    }

    fn of_card(&self, card: &CardDigest) -> Result<Vec<OrderRow>, Infallible> {
        let ids = self.cards.get(card).into_iter().flatten().rev().take(MOST_OF_A_CARD);
        Ok(ids.filter_map(|id| self.orders.get(id)).cloned().collect())
    }

    fn of_payload(&self, payload: &PayloadDigest) -> Result<Option<OrderId>, Infallible> {
        Ok(self.payloads.get(payload).copied())
    }

    fn of_key(&self, key: &KeyDigest) -> Result<Option<OrderId>, Infallible> {
        Ok(self.keys.get(key).copied())
    }

    fn write(&mut self, change: &Change) -> Result<(), Infallible> {
        self.facts = change.facts.or(self.facts);
        if let Some(order) = &change.order {
            for card in &order.cards {
                let of_card = self.cards.entry(*card).or_default();
                if !of_card.contains(&order.order) {
                    of_card.push(order.order);
                }
            }
            if let Some(payload) = order.payload {
                self.payloads.entry(payload).or_insert(order.order);
            }
            if let Some(key) = order.idempotency {
                self.keys.entry(key).or_insert(order.order);
            }
            self.orders.insert(order.order, order.clone());
        }
        if let Some(job) = &change.job {
            if let Some(chip) = self.jobs.get(&job.job).and_then(JobRow::holds_chip) {
                self.chips.remove(chip);
            }
            if let Some(chip) = job.holds_chip() {
                self.chips.insert(chip.clone(), job.job);
            }
            self.jobs.insert(job.job, job.clone());
        }
        Ok(())
    }
}
