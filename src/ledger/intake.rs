//! Taking orders in: is this order new, the same one again, or another one of the same card?
//!
//! The decision is made of what the ledger has now; the fold checks it again in the transaction. If another station was
//! faster, it is made once more.

use super::event::{HoldReason, IssuanceKind, Occasion, Origin, Received, SameCard, What};
use super::fold::rivals;
use super::ids::OrderId;
use super::ports::Ports;
use super::refusal::Refusal;
use super::rows::{OrderRow, OrderState};
use super::store::{Batch, LedgerStore, StoreError};
use super::text::Text;

/// Most occasions of one card that are looked through.
const MOST_OCCASIONS: u32 = 1000;
/// Tries, if other stations take orders in at the same moment.
const TRIES: usize = 5;

/// An order that has come in.
pub struct Submission<'a> {
    /// The order. Of a source without occasions, the first one; what was decided about the same card is filled in here.
    pub received: Received,
    /// Of a source without occasions: the identity of the order of occasion `n`.
    pub counted: Option<&'a dyn Fn(u32) -> OrderId>,
    /// Whether the product's cards share one PAN and PSN.
    pub shared_pan: bool,
    /// On a test ledger: hold another order of the same card, as a live ledger does (`--strict`).
    pub strict: bool,
    /// For a record without its order: the second person who approves a further card of the same PAN, PSN and expiry.
    pub second: Option<Text>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The order was taken in. `other` is an order of the same card, if one was found: it is held, or a warning is given.
    Taken {
        /// The order.
        order: OrderId,
        /// Another order of the same card.
        other: Option<OrderId>,
        /// Why it is held, if it is.
        held: Option<HoldReason>,
    },
    /// The order came before. Nothing is started by itself.
    Known {
        /// The order.
        order: OrderId,
        /// Its state.
        state: OrderState,
    },
    /// The order came before with other content, and is not changed any more.
    OtherContent {
        /// The order.
        order: OrderId,
        /// Its state.
        state: OrderState,
    },
    /// The idempotency key came before with an order of other content.
    KeyUsed {
        /// That order.
        order: OrderId,
    },
    /// The order came before with other content, and its card was spoiled or rejected: it is held until a reissue is
    /// approved.
    HeldForReissue {
        /// The order.
        order: OrderId,
    },
}

/// Takes an order in.
///
/// # Errors
/// The store's; [`Refusal::SameCard`] for a record without its order whose card is another job's already.
pub fn submit(
    store: &mut dyn LedgerStore,
    ports: &mut Ports,
    by: &Origin,
    submission: &Submission<'_>,
) -> Result<Answer, StoreError> {
    let mut tries = 0;
    loop {
        let (answer, whats) = decide(store, submission)?;
        let events = whats.into_iter().map(|what| ports.event(by, what)).collect::<Result<Vec<_>, _>>()?;
        if events.is_empty() {
            return Ok(answer);
        }
        match store.commit(&Batch { events, lease: None }) {
            Ok(_) => return Ok(answer),
            Err(StoreError::Refused(refusal)) if tries < TRIES && is_stale(&refusal) => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Another station was faster: what it wrote changes the decision.
fn is_stale(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::OrderKnown(..)
            | Refusal::PayloadKnown(_)
            | Refusal::KeyKnown(_)
            | Refusal::SameCard(_)
            | Refusal::OrderState { .. }
    )
}

fn decide(store: &mut dyn LedgerStore, submission: &Submission<'_>) -> Result<(Answer, Vec<What>), StoreError> {
    let first = &submission.received;
    // The same encrypted data is the first order, whatever is around it.
    if let Some(payload) = &first.payload
        && let Some(order) = store.of_payload(payload)?
        && let Some(row) = store.order(&order)?
        && row.state != OrderState::Expired
    {
        return Ok((Answer::Known { order, state: row.state }, Vec::new()));
    }
    if let Some(key) = &first.idempotency
        && let Some(order) = store.of_key(key)?
        && let Some(row) = store.order(&order)?
    {
        match row.content == first.content {
            true if row.state == OrderState::Expired => {}
            true => return Ok((Answer::Known { order, state: row.state }, Vec::new())),
            false => return Ok((Answer::KeyUsed { order }, Vec::new())),
        }
    }
    let (received, row, further) = current(store, submission)?;
    match row {
        Some(row) if !is_new_operation(&row, &received) => Ok(again(&row, &received)),
        _ => take(store, submission, received, further),
    }
}

/// The order that is meant: of a source without occasions, the first of its occasions that has no card yet. A renewal or
/// replacement of a card that was made is a further one.
fn current(
    store: &mut dyn LedgerStore,
    submission: &Submission<'_>,
) -> Result<(Received, Option<OrderRow>, bool), StoreError> {
    let mut received = submission.received.clone();
    let repeats = matches!(received.kind, IssuanceKind::Renewal | IssuanceKind::Replacement);
    let Some(identity) = submission.counted else {
        let row = store.order(&received.order)?;
        return Ok((received, row, false));
    };
    for n in 1..=MOST_OCCASIONS {
        received.order = identity(n);
        received.occasion = Occasion::Counted { n };
        let row = store.order(&received.order)?;
        if !repeats || row.as_ref().is_none_or(|row| row.card.is_none()) {
            return Ok((received, row, n > 1));
        }
    }
    let (order, state) = (received.order, OrderState::Made);
    Err(Refusal::OrderState { order, state, what: "it has more occasions than are counted" }.into())
}

/// Whether an order that is there takes the content as a new operation.
fn is_new_operation(row: &OrderRow, received: &Received) -> bool {
    match row.state {
        OrderState::Expired => true,
        OrderState::Refused | OrderState::Cancelled => row.content != received.content,
        _ => false,
    }
}

/// An order that is there comes again.
fn again(row: &OrderRow, received: &Received) -> (Answer, Vec<What>) {
    let (order, state) = (row.order, row.state);
    if row.content == received.content || state == OrderState::GivenUp {
        return (Answer::Known { order, state }, Vec::new());
    }
    match state {
        OrderState::Spoiled | OrderState::Rejected => {
            let held = What::OrderHeld { order, reason: HoldReason::OtherContent };
            (Answer::HeldForReissue { order }, vec![held])
        }
        _ => (Answer::OtherContent { order, state }, Vec::new()),
    }
}

/// A new order, or a new operation of one.
fn take(
    store: &mut dyn LedgerStore,
    submission: &Submission<'_>,
    mut received: Received,
    further: bool,
) -> Result<(Answer, Vec<What>), StoreError> {
    let mut same_card = Vec::new();
    for card in &received.cards {
        same_card.extend(store.of_card(card)?);
    }
    received.same_card = if submission.shared_pan { SameCard::SharedPan } else { SameCard::None };
    let other = rivals(&same_card, &received).next().map(|row| row.order);
    let order = received.order;
    let mut after = Vec::new();
    let mut held = None;
    if further {
        held = Some(HoldReason::FurtherCard);
        received.same_card = SameCard::Held;
        after.push(What::OrderHeld { order, reason: HoldReason::FurtherCard });
    } else if let Some(other) = other {
        let strict = submission.strict || store.facts().live;
        match (&received.occasion, &submission.second) {
            _ if !strict => received.same_card = SameCard::Warned,
            (Occasion::Record, None) => return Err(Refusal::SameCard(other).into()),
            (Occasion::Record, Some(second)) => {
                received.same_card = SameCard::Held;
                after.push(What::OrderReleased { order, second: Some(second.clone()) });
            }
            _ => {
                held = Some(HoldReason::SameCard);
                received.same_card = SameCard::Held;
            }
        }
    }
    let mut whats = vec![What::OrderReceived(received)];
    whats.extend(after);
    Ok((Answer::Taken { order, other, held }, whats))
}
