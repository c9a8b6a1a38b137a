//! What people do with an order: one event each.

use super::view::ActView;
use super::{find, open, patience};
use crate::cli::args::{ActArgs, ActCommand};
use crate::cli::common::{CliError, Out};
use crate::cli::machine;
use crate::ledger::event::HoldReason;
use crate::ledger::recover::take_overdue;
use crate::ledger::{Batch, Exact, JobId, LedgerStore, OrderId, OrderRow, Text, What};

/// Writes the event of a command.
///
/// # Errors
/// The ledger refuses it, or cannot be used.
pub(super) fn run(command: &ActCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        ActCommand::Hold(act) => {
            order(act, None, out, |order| Ok(What::OrderHeld { order, reason: HoldReason::Asked }))
        }
        ActCommand::Release(act) => order(act, None, out, |order| Ok(What::OrderReleased { order, second: None })),
        ActCommand::Cancel(act) => order(act, None, out, |order| Ok(What::OrderCancelled { order })),
        ActCommand::GiveUp { act, reason } => {
            order(act, None, out, |order| Ok(What::OrderGivenUp { order, reason: named("--reason", reason)? }))
        }
        ActCommand::Remake { act, second } => order(act, Some(second), out, |order| {
            Ok(What::RemakeApproved { order, second: named("--second", second)? })
        }),
        ActCommand::Settle { act, second, .. } => {
            job(act, Some(second), out, |job| Ok(What::JobSettled { job, second: named("--second", second)? }))
        }
        ActCommand::Made(act) => job(act, None, out, |job| Ok(What::CardMade { job })),
        ActCommand::Reject { act, reason } => {
            job(act, None, out, |job| Ok(What::CardRejected { job, reason: named("--reason", reason)? }))
        }
        ActCommand::HandOver(act) => job(act, None, out, |job| Ok(What::CardHandedOver { job })),
        ActCommand::Ship { act, carrier, tracking } => job(act, None, out, |job| {
            let tracking = Exact::new(tracking).ok_or_else(|| CliError::Option {
                option: "--tracking",
                why: "must be letters, digits and - / . : _ +".into(),
            })?;
            Ok(What::CardShipped { job, carrier: named("--carrier", carrier)?, tracking })
        }),
    }
}

/// An act on an order.
fn order(
    act: &ActArgs,
    second: Option<&String>,
    out: &mut Out,
    what: impl FnOnce(OrderId) -> Result<What, CliError>,
) -> Result<u8, CliError> {
    write(act, second, out, |_, order, _| what(order))
}

/// An act on a job: the one that is named, else the order's latest.
fn job(
    act: &ActArgs,
    second: Option<&String>,
    out: &mut Out,
    what: impl FnOnce(JobId) -> Result<What, CliError>,
) -> Result<u8, CliError> {
    write(act, second, out, |row, order, attempt| {
        // An order that was never tried has no job 1: the ledger says so.
        let attempt = attempt.unwrap_or(row.attempts.max(1));
        what(JobId { order, attempt })
    })
}

fn write(
    act: &ActArgs,
    second: Option<&String>,
    out: &mut Out,
    what: impl FnOnce(&OrderRow, OrderId, Option<u32>) -> Result<What, CliError>,
) -> Result<u8, CliError> {
    let mut store = open(&act.ledger)?;
    let (mut ports, by) = (machine::ports(patience(&act.ledger)), machine::origin());
    // A worker that died leaves its job as it was: first it is taken from it.
    take_overdue(store.as_mut(), &mut ports, &by)?;
    let (order, attempt) = find(store.as_mut(), &act.order)?;
    let what = what(&row(store.as_mut(), order, act)?, order, attempt)?;
    let event = ports.event(&by, what)?;
    store.commit(&Batch { events: vec![event], lease: None })?;
    let people = second.map(|second| [by.person.to_string(), Text::new(second).to_string()]);
    let view = ActView::new(&row(store.as_mut(), order, act)?, people);
    if !out.json(&view) {
        view.print(out);
    }
    Ok(0)
}

fn row(store: &mut dyn LedgerStore, order: OrderId, act: &ActArgs) -> Result<OrderRow, CliError> {
    let missing = || CliError::LedgerName { text: act.order.clone(), why: "is not in the ledger".into() };
    store.order(&order)?.ok_or_else(missing)
}

/// A text that must not be empty.
fn named(option: &'static str, text: &str) -> Result<Text, CliError> {
    let text = Text::new(text.trim());
    if text.as_str().is_empty() { Err(CliError::Option { option, why: "it is empty".into() }) } else { Ok(text) }
}
