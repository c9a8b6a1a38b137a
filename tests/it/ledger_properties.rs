//! Any events in any order: what is accepted keeps every rule, what is refused changes nothing, and the tables are what the
//! events give.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::ledger_support;

use std::collections::BTreeSet;

use ledger_support::*;
use perso::ledger::check::{Invariant, check};
use perso::ledger::event::{ChipUse, HoldReason, IssuanceKind, Received, SameCard, Verdict};
use perso::ledger::ids::ContentDigest;
use perso::ledger::memory::MemoryTables;
use perso::ledger::{
    Batch, Event, Exact, JobRow, JobState, LedgerStore, OrderRow, OrderState, Outcome, Refusal, SqliteStore, StepState,
    StoreError, Text, What,
};
use proptest::prelude::*;

/// A choice of what comes next: plausible for the most part.
#[derive(Debug, Clone, Copy)]
struct Choice {
    kind: u8,
    order: u8,
    chip: u8,
    /// Now and then a wrong fence, step or attempt.
    wrong: u8,
    pick: u8,
}

prop_compose! {
    fn choice()(kind in 0u8..60, order in 1u8..4, chip in 1u8..3, wrong in 0u8..12, pick in 0u8..6) -> Choice {
        Choice { kind, order, chip, wrong, pick }
    }
}

/// The event of a choice, from what is known of the order's latest job.
fn event(writer: &mut Writer, tables: &MemoryTables, choice: Choice) -> Event {
    let Choice { order: n, wrong, pick, .. } = choice;
    let row = tables.orders().find(|row| row.order == order(n));
    let attempts = row.map_or(0, |row| row.attempts);
    let latest = tables.jobs().find(|row| row.job == job(n, attempts));
    let this = if wrong == 0 { attempts + 1 } else { attempts };
    let held = latest.and_then(|job| job.fence.or(job.taken));
    let by = held.filter(|_| wrong != 1).map_or(pick, |fence| fence.bytes()[0]);
    let planned = latest.map_or(0, |job| job.steps.iter().filter(|(_, state)| *state != StepState::Planned).count());
    let next = if wrong == 2 { u32::from(pick) } else { planned as u32 };
    let now = next.saturating_sub(1);
    let step = latest.and_then(|job| job.steps.get(next as usize)).map_or(store(pick), |(step, _)| step.clone());
    let verdict = [Verdict::Good, Verdict::Good, Verdict::Spoiled, Verdict::Untouched, Verdict::InDoubt];
    let verdict = verdict[usize::from(pick) % 5];
    let second = Text::new(if wrong == 3 { "anna" } else { "bert" });
    let order_id = order(n);
    let job_id = job(n, this);
    let what = match if choice.kind < 40 { choice.kind } else { plausible(row, latest, pick) } {
        0..=2 => {
            let kind = if pick == 0 { IssuanceKind::Renewal } else { IssuanceKind::Creation };
            let same_card =
                [SameCard::None, SameCard::Held, SameCard::Warned, SameCard::SharedPan][usize::from(pick) % 4];
            let cards = vec![card(if wrong == 4 { 1 } else { n })];
            What::OrderReceived(Received { kind, same_card, cards, ..an_order(n) })
        }
        3..=5 => prepared(n),
        6 => What::OrderHeld { order: order_id, reason: HoldReason::Asked },
        7 => What::OrderReleased { order: order_id, second: None },
        8 if wrong < 4 => What::OrderCancelled { order: order_id },
        9 if wrong < 2 => What::OrderGivenUp { order: order_id, reason: Text::new("x") },
        9 if wrong < 4 => What::OrderRefused { order: order_id, code: Text::new("X") },
        9 => What::OrderExpired { order: order_id },
        10 => What::RemakeApproved { order: order_id, second },
        11 => What::ReissueApproved { order: order_id, content: ContentDigest::new([pick; 32]), second },
        8 | 12..=15 => {
            let plan = if pick == 5 { plan_with_stripe() } else { plan() };
            claimed(n, if wrong == 0 { attempts } else { attempts + 1 }, pick, plan)
        }
        16..=18 => {
            let n_use = if wrong == 5 { 2 } else { 1 };
            identified(n, this, by, (pick != 4).then(|| chip_use(choice.chip, n_use).unwrap()))
        }
        19..=23 => What::StepAboutTo { job: job_id, fence: fence(by), n: next, step },
        24..=28 => {
            let outcome = match pick {
                0 => failed(),
                1 => Outcome::Withdrawn,
                _ => Outcome::Done,
            };
            did(n, this, by, now, outcome)
        }
        29..=31 => ended(n, this, by, verdict),
        32 => What::LeaseExpired { job: job_id, fence: fence(by) },
        33 => What::RecoveryClaimed { job: job_id, fence: fence(pick) },
        34 => What::JobRecovered { job: job_id, fence: fence(by), verdict, proven: vec![now], equal: pick != 5 },
        35 if wrong < 6 => What::JobSettled { job: job_id, second },
        35 | 36 => What::CardMade { job: job_id },
        37 => What::CardRejected { job: job_id, reason: Text::new("print") },
        38 => What::CardHandedOver { job: job_id },
        _ => What::CardShipped { job: job_id, carrier: Text::new("post"), tracking: Exact::new("1").unwrap() },
    };
    let spooled = matches!(what, What::StepDid { .. } | What::JobEnded { .. }) && wrong > 8;
    Event { spooled, ..writer.event(what) }
}

/// The kind of event that a worker, or a person, would write next.
fn plausible(order: Option<&OrderRow>, job: Option<&JobRow>, pick: u8) -> u8 {
    let state = order.map_or(OrderState::Refused, |order| order.state);
    match (state, job) {
        (OrderState::Received, _) => 3,
        (OrderState::Refused | OrderState::Cancelled | OrderState::Expired | OrderState::GivenUp, _) => 0,
        (OrderState::Rejected, _) => 10,
        (_, Some(job)) => match job.state {
            JobState::Claimed if !job.identified => 16,
            JobState::Claimed | JobState::Personalizing if job.open_step().is_some() => 24,
            JobState::Personalizing if job.is_whole() => 29,
            JobState::Claimed | JobState::Personalizing => 19,
            JobState::InDoubt if pick > 2 => 33,
            JobState::InDoubt => 34,
            JobState::Good => 36,
            JobState::Made => 38 + pick % 2,
            JobState::Shipped => 37,
            JobState::Untouched | JobState::Spoiled | JobState::Rejected => 12,
        },
        (_, None) => 12,
    }
}

fn rows(tables: &MemoryTables) -> (Vec<OrderRow>, Vec<JobRow>) {
    (tables.orders().cloned().collect(), tables.jobs().cloned().collect())
}

/// Applies the events of the choices; returns the accepted ones.
fn play(choices: &[Choice]) -> (MemoryTables, Vec<Event>) {
    let mut writer = Writer::new(Time::default());
    let mut tables = MemoryTables::default();
    let first = writer.event(created(false));
    tables.apply(&first).unwrap();
    let mut accepted = vec![first];
    for choice in choices {
        let event = event(&mut writer, &tables, *choice);
        let before = tables.clone();
        let applied = tables.apply(&event);
        match applied {
            Ok(_) => {
                let (orders, jobs) = rows(&tables);
                let breaches = check(&orders, &jobs);
                assert!(breaches.is_empty(), "{breaches:?} after {event:?}");
                accepted.push(event);
            }
            Err(refusal) => assert!(tables == before, "{refusal}, but the tables have changed: {event:?}"),
        }
    }
    (tables, accepted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_holds_after_every_event_and_the_tables_are_what_the_events_give(
        choices in prop::collection::vec(choice(), 1..400)
    ) {
        let (tables, accepted) = play(&choices);
        let mut rebuilt = MemoryTables::default();
        for event in &accepted {
            let text = json_canon::to_string(event).unwrap();
            rebuilt.apply(&serde_json::from_str(&text).unwrap()).unwrap();
        }
        prop_assert!(rebuilt == tables);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_accepts_and_refuses_the_same_events_and_its_tables_are_what_they_give(
        choices in prop::collection::vec(choice(), 100..300)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let time = Time::default();
        SqliteStore::create_test(&path, origin(), &mut time.ports()).unwrap();
        let mut store = SqliteStore::open(&path, time.ports()).unwrap();
        let (mut writer, mut tables) = (Writer::new(time.clone()), MemoryTables::default());
        let first = store.events(0, None, 1).unwrap().remove(0);
        tables.apply(&first.event).unwrap();
        let mut written = 0;
        for choice in choices {
            let event = event(&mut writer, &tables, choice);
            if matches!(event.what, What::LeaseExpired { .. }) && choice.wrong > 6 {
                time.pass(LEASE);
            }
            let expected = tables.clone().apply(&event).map(drop);
            match (store.commit(&Batch { events: vec![event.clone()], lease: Some(LEASE) }), expected) {
                (Ok(_), Ok(())) => {
                    tables.apply(&event).unwrap();
                    written += 1;
                }
                // Leases are the store's; the fold does not know them.
                (Err(StoreError::Refused(Refusal::Lease(_) | Refusal::LeaseRuns(_))), _) => {}
                (Err(StoreError::Refused(seen)), Err(expected)) => prop_assert_eq!(seen, expected),
                (seen, expected) => prop_assert!(false, "{seen:?}, expected {expected:?}: {event:?}"),
            }
        }
        prop_assert!(written > 10, "only {written} events were accepted");
        let found = store.verify().unwrap();
        prop_assert!(found.is_empty(), "{found:?}");
    }
}

/// The choices reach every state: what holds above does not hold for want of events.
#[test]
fn the_properties_reach_every_state_and_most_refusals() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut orders, mut jobs, mut refusals) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..60 {
        let choices = prop::collection::vec(choice(), 400).new_tree(&mut runner).unwrap().current();
        let mut writer = Writer::new(Time::default());
        let mut tables = MemoryTables::default();
        tables.apply(&writer.event(created(false))).unwrap();
        for choice in choices {
            let event = event(&mut writer, &tables, choice);
            if let Err(refusal) = tables.apply(&event) {
                let name = format!("{refusal:?}");
                refusals.insert(name.split(['(', ' ', '{']).next().unwrap().to_owned());
            }
            orders.extend(tables.orders().map(|row| row.state));
            jobs.extend(tables.jobs().map(|row| row.state));
        }
    }
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), OrderState::ALL);
    assert_eq!(jobs.into_iter().collect::<Vec<_>>(), JobState::ALL);
    for name in [
        "OrderKnown",
        "SameCard",
        "OrderState",
        "Held",
        "NotHeld",
        "HasCard",
        "HasLiveJob",
        "Attempt",
        "JobState",
        "Fence",
        "ChipUsed",
        "Step",
        "Verdict",
        "SecondPerson",
        "NoOrder",
        "NoJob",
    ] {
        assert!(refusals.contains(name), "{name} was never reached: {refusals:?}");
    }
}

/// Rows in which no rule is broken: an order with a spoiled and a good card, and one in doubt.
fn sound() -> (Vec<OrderRow>, Vec<JobRow>) {
    let mut writer = Writer::new(Time::default());
    let mut tables = MemoryTables::default();
    let whats = [
        vec![created(false)],
        ready(1),
        spoiled(1, 1, 1, 1),
        good(1, 2, 2, 2),
        ready(2),
        begun(2, 1, 3, 3),
        received_and_cancelled(3),
    ];
    for what in whats.concat() {
        tables.apply(&writer.event(what)).unwrap();
    }
    rows(&tables)
}

fn received_and_cancelled(n: u8) -> Vec<What> {
    vec![received(n), What::OrderCancelled { order: order(n) }]
}

/// A fault planted in each rule is found by that rule.
#[test]
fn a_fault_planted_in_each_rule_is_found() {
    type Fault = fn(&mut Vec<OrderRow>, &mut Vec<JobRow>);
    let faults: [(Invariant, Fault); 15] = [
        (Invariant::OneLiveJob, |_, jobs| {
            (jobs[0].state, jobs[0].fence) = (JobState::Personalizing, jobs[2].fence);
        }),
        (Invariant::OneLiveJob, |orders, _| orders[1].live = None),
        (Invariant::OneCard, |_, jobs| {
            jobs[0].state = JobState::Good;
        }),
        (Invariant::OneCard, |orders, _| orders[0].card = None),
        (Invariant::OneJobPerChip, |_, jobs| jobs[1].chip = jobs[0].chip.clone()),
        (Invariant::OneJobPerChip, |_, jobs| {
            jobs[2].chip = Some(ChipUse { n: 1, chip: jobs[1].chip.clone().unwrap().chip });
        }),
        (Invariant::NothingLost, |_, jobs| drop(jobs.remove(0))),
        (Invariant::NothingLost, |orders, _| drop(orders.remove(1))),
        (Invariant::NothingLost, |orders, _| orders[2].attempts = 1),
        (Invariant::OrderFollowsJob, |orders, _| orders[0].state = OrderState::Prepared),
        (Invariant::GoodIsWhole, |_, jobs| jobs[1].steps[2].1 = StepState::Begun),
        (Invariant::UntouchedIsBlank, |_, jobs| jobs[0].state = JobState::Untouched),
        (Invariant::StepsInOrder, |_, jobs| jobs[2].steps[1].1 = StepState::Begun),
        (Invariant::Fenced, |_, jobs| jobs[2].fence = None),
        (Invariant::FinalIsFinal, |orders, _| orders[0].state = OrderState::Cancelled),
    ];
    let (orders, jobs) = sound();
    assert_eq!(check(&orders, &jobs), []);
    let mut shown = BTreeSet::new();
    for (invariant, plant) in faults {
        let (mut orders, mut jobs) = sound();
        plant(&mut orders, &mut jobs);
        let found = check(&orders, &jobs);
        assert!(found.iter().any(|breach| breach.invariant == invariant), "{invariant:?}: {found:?}");
        shown.insert(invariant);
    }
    assert_eq!(shown.into_iter().collect::<Vec<_>>(), Invariant::ALL);
}
