//! The part of the fold that is about orders.

use super::super::event::{Event, HoldReason, IssuanceKind, Occasion, Received, SameCard, What};
use super::super::ids::JobId;
use super::super::refusal::Refusal;
use super::super::rows::{Facts, JobState, OrderRow, OrderState};
use super::{Scope, two};

/// Takes an order in: a new one, or a further operation of one that ended without a card.
pub(super) fn receive(scope: &Scope, facts: Facts, event: &Event, received: &Received) -> Result<OrderRow, Refusal> {
    let again = |state| matches!(state, OrderState::Refused | OrderState::Cancelled | OrderState::Expired);
    let before = match &scope.order {
        Some(order) if !again(order.state) => return Err(Refusal::OrderKnown(order.order, order.state)),
        // The worker of a cancelled order has not noticed yet.
        Some(OrderRow { live: Some(attempt), .. }) => {
            return Err(Refusal::HasLiveJob(JobId { order: received.order, attempt: *attempt }, JobState::Claimed));
        }
        before => before.as_ref(),
    };
    if let Some(other) = scope.same_payload.filter(|other| *other != received.order) {
        return Err(Refusal::PayloadKnown(other));
    }
    if let Some(other) = scope.same_key.filter(|other| *other != received.order) {
        return Err(Refusal::KeyKnown(other));
    }
    let other = rivals(&scope.same_card, received).next();
    match (received.same_card, other) {
        (SameCard::None, Some(other)) => return Err(Refusal::SameCard(other.order)),
        (SameCard::Warned, Some(_)) if facts.live => {
            return Err(Refusal::TestOnly("a further order of the same card with a mere warning"));
        }
        _ => {}
    }
    let held = (received.same_card == SameCard::Held).then_some(HoldReason::SameCard);
    Ok(OrderRow {
        order: received.order,
        source: received.source.clone(),
        label: received.label.clone(),
        kind: received.kind,
        occasion: received.occasion.clone(),
        cards: received.cards.clone(),
        payload: received.payload,
        idempotency: received.idempotency,
        content: received.content,
        state: OrderState::Received,
        held,
        record: None,
        remake: false,
        attempts: before.map_or(0, |order| order.attempts),
        live: None,
        card: None,
        received: event.at.wall,
    })
}

/// The orders of the same card that a new one must wait for.
pub fn rivals<'a>(same_card: &'a [OrderRow], received: &'a Received) -> impl Iterator<Item = &'a OrderRow> {
    let unknown = IssuanceKind::Unknown;
    let same_kind = move |kind| kind == received.kind || kind == unknown || received.kind == unknown;
    let rivals =
        move |order: &&OrderRow| order.order != received.order && order.state.holds_others() && same_kind(order.kind);
    // A plastic sequence or track number above all before is a further card by itself.
    let rises = received.occasion.rising().is_some_and(|new| {
        let mut before = same_card.iter().filter(rivals);
        before.all(|order| order.occasion.rising().is_some_and(|old| old < new))
    });
    same_card.iter().filter(rivals).filter(move |_| !rises && received.same_card != SameCard::SharedPan)
}

/// What people and programs do with an order that no job has at the moment.
pub(super) fn act(mut order: OrderRow, facts: Facts, event: &Event) -> Result<OrderRow, Refusal> {
    let id = order.order;
    let refused = |state, what| Err(Refusal::OrderState { order: id, state, what });
    let retryable = matches!(order.state, OrderState::Spoiled | OrderState::Rejected);
    let before_card = matches!(order.state, OrderState::Received | OrderState::Prepared);
    match &event.what {
        What::OrderPrepared { record, .. } => {
            let again = order.state == OrderState::Spoiled && !facts.live;
            if order.live.is_some() || !(before_card || again) {
                return refused(order.state, "its record is prepared before a card is begun");
            }
            order.record = Some(record.clone());
            order.state = OrderState::Prepared;
        }
        What::OrderRefused { .. } => {
            if order.live.is_some() || !before_card {
                return refused(order.state, "it is refused before a card is begun");
            }
            order.state = OrderState::Refused;
        }
        What::OrderHeld { reason, .. } => {
            if !(before_card || retryable) {
                return refused(order.state, "it is held before a card is begun");
            }
            order.held = Some(*reason);
        }
        What::OrderReleased { second, .. } => {
            second.iter().try_for_each(|second| two(event, second))?;
            order.held.take().ok_or(Refusal::NotHeld(id))?;
        }
        What::OrderCancelled { .. } => {
            if !before_card {
                return refused(order.state, "it is cancelled before a card is begun");
            }
            order.state = OrderState::Cancelled;
        }
        What::OrderGivenUp { .. } => {
            if order.live.is_some() || order.remake || !(before_card || retryable) {
                return refused(order.state, "it is given up while no card and no remake of it is open");
            }
            order.state = OrderState::GivenUp;
        }
        What::OrderExpired { .. } => {
            if order.live.is_some() || !(before_card || retryable) {
                return refused(order.state, "it expires while no card of it is open or made");
            }
            order.state = OrderState::Expired;
        }
        What::RemakeApproved { second, .. } | What::ReissueApproved { second, .. } => {
            if !retryable {
                return refused(order.state, "a further attempt follows a spoiled or rejected card");
            }
            two(event, second)?;
            let from_record = order.occasion == Occasion::Record;
            if let What::ReissueApproved { content, .. } = &event.what {
                order.content = Some(*content);
            }
            order.remake = true;
            // A record that came without its order is used again; every other one is prepared anew.
            order.state = if from_record { OrderState::Prepared } else { OrderState::Received };
            order.record = order.record.filter(|_| from_record);
            order.held = order.held.filter(|reason| *reason != HoldReason::OtherContent);
        }
        _ => return Err(Refusal::NoOrder(id)),
    }
    if !order.state.holds_others() {
        (order.held, order.remake) = (None, false);
    }
    Ok(order)
}
