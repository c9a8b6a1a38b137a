//! The fold: what is known, and one event, give what is known afterwards, or a refusal. A pure function.
//!
//! It sees the rows that one event can concern ([`Scope`]) and returns those that change ([`Change`]). Every store uses
//! this one function, within the transaction that writes the event.

mod job;
mod order;

pub use order::rivals;

use super::event::{Event, VERSION, What};
use super::ids::{JobId, OrderId};
use super::refusal::Refusal;
use super::rows::{Facts, JobRow, OrderRow};
use super::text::Text;

/// The rows that one event can concern.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The ledger; none before its first event.
    pub facts: Option<Facts>,
    /// The event's order.
    pub order: Option<OrderRow>,
    /// The event's job.
    pub job: Option<JobRow>,
    /// The other job that has the event's chip, or its job's.
    pub chip_holder: Option<JobId>,
    /// Whether the chip's use before this one belongs to a job; true for the first use.
    pub chip_used_before: bool,
    /// For an order that is taken in: others of one of its cards.
    pub same_card: Vec<OrderRow>,
    /// For an order that is taken in: another one with the same payload.
    pub same_payload: Option<OrderId>,
    /// For an order that is taken in: another one with the same idempotency key.
    pub same_key: Option<OrderId>,
}

/// The rows as they are afterwards; none for those that do not change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The ledger.
    pub facts: Option<Facts>,
    /// The order.
    pub order: Option<OrderRow>,
    /// The job.
    pub job: Option<JobRow>,
}

/// Computes what an event changes.
///
/// # Errors
/// The event does not fit what has happened.
pub fn fold(scope: &Scope, event: &Event) -> Result<Change, Refusal> {
    if event.v != VERSION {
        return Err(Refusal::Version(event.v));
    }
    if event.spooled && !matches!(event.what, What::StepDid { .. } | What::JobEnded { .. }) {
        return Err(Refusal::Spooled);
    }
    let facts = match (&event.what, scope.facts) {
        (What::LedgerCreated { ledger, live }, None) => {
            return Ok(Change { facts: Some(Facts { ledger: *ledger, live: *live }), ..Change::default() });
        }
        (What::LedgerCreated { .. }, Some(_)) | (_, None) => return Err(Refusal::Created),
        (_, Some(facts)) => facts,
    };
    if let What::OrderReceived(received) = &event.what {
        let order = order::receive(scope, facts, event, received)?;
        return Ok(Change { order: Some(order), ..Change::default() });
    }
    let Some(id) = event.what.order() else { return Err(Refusal::Created) };
    let row = scope.order.clone().ok_or(Refusal::NoOrder(id))?;
    match event.what.job() {
        Some(_) => job::fold(scope, facts, row, event),
        None => Ok(Change { order: Some(order::act(row, facts, event)?), ..Change::default() }),
    }
}

/// An act of two people takes two.
fn two(event: &Event, second: &Text) -> Result<(), Refusal> {
    let same = second.as_str().trim().eq_ignore_ascii_case(event.by.person.as_str().trim());
    if same || second.as_str().trim().is_empty() { Err(Refusal::SecondPerson) } else { Ok(()) }
}
