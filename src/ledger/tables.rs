//! Applying an event to the tables of a store: look up what it concerns, fold, write what changes.

use super::event::{ChipUse, Event, What};
use super::fold::{Change, Scope, fold};
use super::ids::{CardDigest, JobId, KeyDigest, OrderId, PayloadDigest};
use super::refusal::Refusal;
use super::rows::{Facts, JobRow, OrderRow};

/// The tables of a store, within one transaction.
pub trait Tables {
    /// What can fail in reading and writing them.
    type Error;

    /// The ledger.
    ///
    /// # Errors
    /// The store's; so for all of these.
    fn facts(&self) -> Result<Option<Facts>, Self::Error>;
    /// One order.
    ///
    /// # Errors
    /// The store's.
    fn order(&self, id: &OrderId) -> Result<Option<OrderRow>, Self::Error>;
    /// One job.
    ///
    /// # Errors
    /// The store's.
    fn job(&self, id: &JobId) -> Result<Option<JobRow>, Self::Error>;
    /// The job that has this chip to itself.
    ///
    /// # Errors
    /// The store's.
    fn chip_holder(&self, chip: &ChipUse) -> Result<Option<JobId>, Self::Error>;
    /// Orders of a card, at most [`MOST_OF_A_CARD`], the latest first.
    ///
    /// # Errors
    /// The store's.
    fn of_card(&self, card: &CardDigest) -> Result<Vec<OrderRow>, Self::Error>;
    /// The order with a payload.
    ///
    /// # Errors
    /// The store's.
    fn of_payload(&self, payload: &PayloadDigest) -> Result<Option<OrderId>, Self::Error>;
    /// The order that came with an idempotency key first.
    ///
    /// # Errors
    /// The store's.
    fn of_key(&self, key: &KeyDigest) -> Result<Option<OrderId>, Self::Error>;
    /// Writes the rows that an event changes.
    ///
    /// # Errors
    /// The store's.
    fn write(&mut self, change: &Change) -> Result<(), Self::Error>;
}

/// Most orders of one card that are compared with a new one.
pub const MOST_OF_A_CARD: usize = 1000;

/// Why an event was not applied.
#[derive(Debug)]
pub enum NotApplied<E> {
    /// It does not fit what has happened.
    Refused(Refusal),
    /// The tables could not be read or written.
    Failed(E),
}

impl<E> From<Refusal> for NotApplied<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Applies one event.
///
/// # Errors
/// It is refused, or the store fails.
pub fn apply<T: Tables>(tables: &mut T, event: &Event) -> Result<Change, NotApplied<T::Error>> {
    let scope = scope(tables, event).map_err(NotApplied::Failed)?;
    let change = fold(&scope, event)?;
    tables.write(&change).map_err(NotApplied::Failed)?;
    Ok(change)
}

/// The rows that an event can concern.
fn scope<T: Tables>(tables: &T, event: &Event) -> Result<Scope, T::Error> {
    let mut scope = Scope { facts: tables.facts()?, chip_used_before: true, ..Scope::default() };
    if let Some(order) = event.what.order() {
        scope.order = tables.order(&order)?;
    }
    if let Some(job) = event.what.job() {
        scope.job = tables.job(&job)?;
    }
    if let What::OrderReceived(received) = &event.what {
        for card in &received.cards {
            scope.same_card.extend(tables.of_card(card)?);
        }
        if let Some(payload) = &received.payload {
            scope.same_payload = tables.of_payload(payload)?;
        }
        if let Some(key) = &received.idempotency {
            scope.same_key = tables.of_key(key)?;
        }
    }
    let chip = match &event.what {
        What::ChipIdentified { chip, .. } => chip.clone(),
        What::StepAboutTo { .. } => scope.job.as_ref().and_then(|job| job.chip.clone()),
        _ => None,
    };
    if let Some(chip) = chip {
        let own = event.what.job();
        scope.chip_holder = tables.chip_holder(&chip)?.filter(|holder| Some(*holder) != own);
        if let Some(before) = chip.n.checked_sub(1).filter(|n| *n > 0) {
            scope.chip_used_before = tables.chip_holder(&ChipUse { n: before, ..chip })?.is_some();
        }
    }
    Ok(scope)
}
