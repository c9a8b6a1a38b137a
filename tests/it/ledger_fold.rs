//! The fold: which event may follow which.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::ledger_support;

use ledger_support::*;
use perso::ledger::event::{HoldReason, IssuanceKind, Occasion, Received, SameCard, Verdict};
use perso::ledger::ids::ContentDigest;
use perso::ledger::memory::MemoryTables;
use perso::ledger::{Event, JobState, OrderState, Outcome, Refusal, Step, Text, What};

/// Tables, and the writer of the next event.
struct World {
    tables: MemoryTables,
    writer: Writer,
}

impl World {
    /// A test ledger with the events; each must be accepted.
    #[track_caller]
    fn with(whats: Vec<What>) -> Self {
        Self::of(false, whats)
    }

    #[track_caller]
    fn of(live: bool, whats: Vec<What>) -> Self {
        let mut world = Self { tables: MemoryTables::default(), writer: Writer::new(Time::default()) };
        world.then(vec![created(live)]);
        world.then(whats);
        world
    }

    #[track_caller]
    fn then(&mut self, whats: Vec<What>) {
        for what in whats {
            let event = self.writer.event(what);
            if let Err(refusal) = self.tables.apply(&event) {
                panic!("{refusal}: {event:?}");
            }
        }
    }

    /// The event is refused, and changes nothing.
    #[track_caller]
    fn refuses(&mut self, what: What) -> Refusal {
        let event = self.writer.event(what);
        self.refuses_event(&event)
    }

    #[track_caller]
    fn refuses_event(&mut self, event: &Event) -> Refusal {
        let before = self.tables.clone();
        let refusal = self.tables.apply(event).expect_err("refused");
        assert!(self.tables == before, "{refusal}, but the tables have changed");
        refusal
    }

    fn order(&self, n: u8) -> OrderState {
        self.tables.orders().find(|row| row.order == order(n)).unwrap().state
    }

    fn job(&self, n: u8, attempt: u32) -> JobState {
        self.tables.jobs().find(|row| row.job == job(n, attempt)).unwrap().state
    }
}

fn all(parts: &[Vec<What>]) -> Vec<What> {
    parts.concat()
}

#[test]
fn an_order_becomes_one_good_card() {
    let mut world = World::with(all(&[ready(1), good(1, 1, 1, 1)]));
    assert_eq!((world.order(1), world.job(1, 1)), (OrderState::Good, JobState::Good));
    assert!(matches!(world.refuses(claimed(1, 2, 2, plan())), Refusal::HasCard(_)));
    world.then(vec![What::CardMade { job: job(1, 1) }]);
    assert!(matches!(world.refuses(claimed(1, 2, 2, plan())), Refusal::HasCard(_)));
    world.then(vec![What::CardHandedOver { job: job(1, 1) }]);
    assert!(matches!(world.refuses(What::CardHandedOver { job: job(1, 1) }), Refusal::JobState { .. }));
    assert_eq!(world.order(1), OrderState::Made);
}

#[test]
fn the_first_event_makes_the_ledger_and_is_the_only_one_that_does() {
    let mut world = World::with(Vec::new());
    assert_eq!(world.refuses(created(false)), Refusal::Created);
    let mut empty = World { tables: MemoryTables::default(), writer: Writer::new(Time::default()) };
    assert_eq!(empty.refuses(received(1)), Refusal::Created);
}

#[test]
fn an_event_of_another_version_is_refused() {
    let mut world = World::with(Vec::new());
    let event = Event { v: 2, ..world.writer.event(received(1)) };
    assert_eq!(world.refuses_event(&event), Refusal::Version(2));
}

#[test]
fn an_order_has_one_row_for_all_time() {
    let mut world = World::with(ready(1));
    assert!(matches!(world.refuses(received(1)), Refusal::OrderKnown(_, OrderState::Prepared)));
    world.then(good(1, 1, 1, 1));
    assert!(matches!(world.refuses(received(1)), Refusal::OrderKnown(_, OrderState::Good)));
    // After cancelled, refused or expired it is a new operation of the same order.
    for end in [
        What::OrderCancelled { order: order(2) },
        What::OrderRefused { order: order(2), code: Text::new("ORDER-FIELD") },
        What::OrderExpired { order: order(2) },
    ] {
        world.then(vec![received(2), end, received(2), What::OrderCancelled { order: order(2) }]);
    }
    world.then(vec![received(2), What::OrderGivenUp { order: order(2), reason: Text::new("no stock") }]);
    assert!(matches!(world.refuses(received(2)), Refusal::OrderKnown(_, OrderState::GivenUp)));
}

#[test]
fn the_same_payload_is_the_first_order_whatever_its_ids_are() {
    let mut world = World::with(ready(1));
    let other = Received { payload: Some(payload(1)), ..an_order(2) };
    assert_eq!(world.refuses(What::OrderReceived(other)), Refusal::PayloadKnown(order(1)));
}

#[test]
fn an_idempotency_key_leads_to_one_order() {
    let key = Some(perso::ledger::ids::KeyDigest::new([3; 32]));
    let with = |n| What::OrderReceived(Received { idempotency: key, ..an_order(n) });
    let mut world = World::with(vec![with(1)]);
    assert_eq!(world.refuses(with(2)), Refusal::KeyKnown(order(1)));
    world.then(vec![What::OrderCancelled { order: order(1) }, with(1)]);
}

#[test]
fn another_order_of_the_same_card_is_held() {
    let mut world = World::of(true, ready(1));
    let other = |same_card| What::OrderReceived(Received { cards: vec![card(7), card(1)], same_card, ..an_order(2) });
    assert_eq!(world.refuses(other(SameCard::None)), Refusal::SameCard(order(1)));
    assert!(matches!(world.refuses(other(SameCard::Warned)), Refusal::TestOnly(_)));
    world.then(vec![other(SameCard::Held), prepared(2)]);
    assert!(matches!(world.refuses(claimed(2, 1, 1, plan())), Refusal::Held(_, HoldReason::SameCard)));
    world.then(vec![What::OrderReleased { order: order(2), second: None }, claimed(2, 1, 1, plan())]);
    assert_eq!(world.refuses(What::OrderReleased { order: order(2), second: None }), Refusal::NotHeld(order(2)));
}

#[test]
fn on_a_test_ledger_a_warning_is_enough_for_another_order_of_the_same_card() {
    let mut world = World::with(ready(1));
    let other = Received { cards: vec![card(1)], same_card: SameCard::Warned, ..an_order(2) };
    world.then(vec![What::OrderReceived(other), prepared(2), claimed(2, 1, 1, plan())]);
}

#[test]
fn orders_of_the_same_card_that_do_not_wait() {
    let mut world = World::of(true, ready(1));
    let like = |n, change: fn(&mut Received)| {
        let mut order = Received { cards: vec![card(1)], ..an_order(n) };
        change(&mut order);
        What::OrderReceived(order)
    };
    world.then(vec![
        like(2, |order| order.kind = IssuanceKind::Renewal),
        like(3, |order| order.same_card = SameCard::SharedPan),
    ]);
    // A plastic sequence above all before; not compared with orders without one.
    assert!(matches!(
        world.refuses(like(4, |order| order.occasion = Occasion::PlasticSequence { n: 9 })),
        Refusal::SameCard(_)
    ));
    let mut world = World::of(true, Vec::new());
    let sequence = |n, plastic| {
        let occasion = Occasion::PlasticSequence { n: plastic };
        What::OrderReceived(Received { cards: vec![card(1)], occasion, ..an_order(n) })
    };
    world.then(vec![sequence(1, 4), sequence(2, 5)]);
    assert!(matches!(world.refuses(sequence(3, 5)), Refusal::SameCard(_)));
    // An order that ended without a card holds nobody.
    world.then(vec![
        What::OrderCancelled { order: order(1) },
        What::OrderCancelled { order: order(2) },
        sequence(3, 3),
    ]);
}

#[test]
fn two_workers_never_have_one_order() {
    let mut world = World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan())]]));
    assert!(matches!(world.refuses(claimed(1, 2, 2, plan())), Refusal::HasLiveJob(_, JobState::Claimed)));
    assert!(matches!(world.refuses(claimed(1, 1, 2, plan())), Refusal::HasLiveJob(..)));
    world.then(vec![identified(1, 1, 1, chip(1)), about_to(1, 1, 1, 0, store(1))]);
    assert!(matches!(world.refuses(claimed(1, 2, 2, plan())), Refusal::OrderState { .. }));
}

#[test]
fn attempts_are_numbered_without_a_gap() {
    let mut world = World::with(ready(1));
    assert_eq!(world.refuses(claimed(1, 2, 1, plan())), Refusal::Attempt(job(1, 1)));
    assert_eq!(world.refuses(claimed(1, 0, 1, plan())), Refusal::Attempt(job(1, 1)));
}

#[test]
fn a_plan_is_checked_when_it_is_claimed() {
    let mut world = World::with(ready(1));
    for plan in [Vec::new(), vec![Step::Feed, Step::Print], vec![store(1), Step::Stripe, store(2)], vec![store(1); 65]]
    {
        assert!(matches!(world.refuses(claimed(1, 1, 1, plan)), Refusal::Plan(_)));
    }
    let other = What::JobClaimed { job: job(1, 1), fence: fence(1), record: record(2), plan: plan() };
    assert!(matches!(world.refuses(other), Refusal::Plan(_)));
    world.then(vec![claimed(1, 1, 1, vec![store(1); 64])]);
}

#[test]
fn an_order_is_prepared_before_it_is_claimed() {
    let mut world = World::with(vec![received(1)]);
    assert!(matches!(world.refuses(claimed(1, 1, 1, plan())), Refusal::Plan(_) | Refusal::OrderState { .. }));
}

#[test]
fn a_chip_belongs_to_one_job() {
    let mut world = World::with(all(&[ready(1), ready(2), spoiled(1, 1, 1, 1), vec![claimed(2, 1, 2, plan())]]));
    assert!(
        matches!(world.refuses(identified(2, 1, 2, chip(1))), Refusal::ChipUsed { job: holder, .. } if holder == job(1, 1))
    );
    world.then(vec![identified(2, 1, 2, chip(2))]);
}

#[test]
fn two_jobs_that_identified_one_chip_do_not_both_begin() {
    let mut world = World::with(all(&[
        ready(1),
        ready(2),
        vec![claimed(1, 1, 1, plan()), claimed(2, 1, 2, plan())],
        vec![identified(1, 1, 1, chip(1)), identified(2, 1, 2, chip(1)), about_to(1, 1, 1, 0, store(1))],
    ]));
    assert!(matches!(world.refuses(about_to(2, 1, 2, 0, store(1))), Refusal::ChipUsed { .. }));
}

#[test]
fn a_chip_is_used_again_on_a_test_ledger_only_and_in_turn() {
    let parts = [ready(1), ready(2), spoiled(1, 1, 1, 1), vec![claimed(2, 1, 2, plan())]];
    let mut live = World::of(true, all(&parts));
    assert!(matches!(live.refuses(identified(2, 1, 2, chip_use(1, 2))), Refusal::ChipAgain(_)));
    let mut test = World::with(all(&parts));
    assert!(matches!(test.refuses(identified(2, 1, 2, chip_use(1, 3))), Refusal::ChipAgain(_)));
    assert!(matches!(test.refuses(identified(2, 1, 2, chip_use(1, 0))), Refusal::ChipAgain(_)));
    test.then(vec![identified(2, 1, 2, chip_use(1, 2)), about_to(2, 1, 2, 0, store(1))]);
}

#[test]
fn an_untouched_chip_goes_back_to_stock() {
    let mut world = World::with(all(&[ready(1), ready(2), begun(1, 1, 1, 1)]));
    world.then(vec![did(1, 1, 1, 0, Outcome::Withdrawn), ended(1, 1, 1, Verdict::Untouched)]);
    assert_eq!(world.order(1), OrderState::Prepared);
    world.then(begun(2, 1, 2, 1));
    world.then(begun(1, 2, 3, 2));
}

#[test]
fn a_product_without_chip_identity_is_made_too() {
    let mut world = World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan()), identified(1, 1, 1, None)]]));
    world.then(vec![about_to(1, 1, 1, 0, store(1))]);
    world.then(stepped(1, 1, 1));
    world.then(vec![ended(1, 1, 1, Verdict::Good)]);
}

#[test]
fn a_wrong_fence_writes_nothing() {
    let mut world = World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan())]]));
    assert_eq!(world.refuses(identified(1, 1, 2, chip(1))), Refusal::Fence(job(1, 1)));
    world.then(vec![identified(1, 1, 1, chip(1))]);
    assert_eq!(world.refuses(about_to(1, 1, 2, 0, store(1))), Refusal::Fence(job(1, 1)));
    world.then(vec![about_to(1, 1, 1, 0, store(1))]);
    assert_eq!(world.refuses(done(1, 1, 2, 0)), Refusal::Fence(job(1, 1)));
    assert_eq!(world.refuses(ended(1, 1, 2, Verdict::Spoiled)), Refusal::Fence(job(1, 1)));
    assert_eq!(world.refuses(What::LeaseExpired { job: job(1, 1), fence: fence(2) }), Refusal::Fence(job(1, 1)));
}

#[test]
fn steps_follow_the_plan() {
    let mut world = World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan())]]));
    let step = |refusal| matches!(refusal, Refusal::Step { .. });
    assert!(step(world.refuses(about_to(1, 1, 1, 0, store(1)))), "before the chip is identified");
    world.then(vec![identified(1, 1, 1, chip(1))]);
    assert!(step(world.refuses(about_to(1, 1, 1, 0, store(2)))), "another step than the plan's");
    assert!(step(world.refuses(about_to(1, 1, 1, 1, store(2)))), "before the first one");
    assert!(step(world.refuses(about_to(1, 1, 1, 9, store(1)))), "a number beyond the plan");
    assert!(step(world.refuses(done(1, 1, 1, 0))), "an end without a beginning");
    world.then(vec![about_to(1, 1, 1, 0, store(1))]);
    assert!(step(world.refuses(about_to(1, 1, 1, 0, store(1)))), "the same one twice");
    assert!(step(world.refuses(about_to(1, 1, 1, 1, store(2)))), "before the end of the one before");
    world.then(vec![done(1, 1, 1, 0)]);
    assert!(step(world.refuses(done(1, 1, 1, 0))), "the same end twice");
    world.then(vec![about_to(1, 1, 1, 1, store(2)), did(1, 1, 1, 1, failed())]);
    assert!(step(world.refuses(about_to(1, 1, 1, 2, plan()[2].clone()))), "after a step that failed");
}

#[test]
fn stripe_and_print_follow_a_good_chip() {
    let plan = plan_with_stripe();
    let mut world = World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan.clone())]]));
    world.then(vec![about_to(1, 1, 1, 0, Step::Feed), done(1, 1, 1, 0)]);
    assert_eq!(world.job(1, 1), JobState::Claimed, "feeding leaves a blank a blank");
    world.then(vec![identified(1, 1, 1, chip(1)), about_to(1, 1, 1, 1, store(1)), done(1, 1, 1, 1)]);
    assert!(matches!(world.refuses(about_to(1, 1, 1, 2, Step::Stripe)), Refusal::JobState { .. }));
    world.then(vec![ended(1, 1, 1, Verdict::Good), about_to(1, 1, 1, 2, Step::Stripe), done(1, 1, 1, 2)]);
    assert_eq!(world.job(1, 1), JobState::Good);
    world.then(vec![about_to(1, 1, 1, 3, Step::Print), done(1, 1, 1, 3), What::CardMade { job: job(1, 1) }]);
}

#[test]
fn a_verdict_says_no_more_than_its_steps() {
    let verdict = |refusal| matches!(refusal, Refusal::Verdict { .. });
    let mut world = World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan()), identified(1, 1, 1, chip(1))]]));
    for early in [Verdict::Good, Verdict::Spoiled, Verdict::InDoubt] {
        assert!(verdict(world.refuses(ended(1, 1, 1, early))), "{early:?} before the first step");
    }
    world.then(vec![about_to(1, 1, 1, 0, store(1))]);
    assert!(verdict(world.refuses(ended(1, 1, 1, Verdict::Untouched))));
    assert!(verdict(world.refuses(ended(1, 1, 1, Verdict::Good))));
    let mut whole = stepped(1, 1, 1);
    let last = whole.pop().unwrap();
    world.then(whole);
    assert!(verdict(world.refuses(ended(1, 1, 1, Verdict::Good))), "the last step has not ended");
    world.then(vec![last, ended(1, 1, 1, Verdict::Good)]);
    assert!(matches!(world.refuses(ended(1, 1, 1, Verdict::Spoiled)), Refusal::JobState { .. }));
}

#[test]
fn a_failed_step_never_gives_a_good_card() {
    let mut world = World::with(all(&[ready(1), begun(1, 1, 1, 1)]));
    let mut steps = stepped(1, 1, 1);
    *steps.last_mut().unwrap() = did(1, 1, 1, 2, failed());
    world.then(steps);
    assert!(matches!(world.refuses(ended(1, 1, 1, Verdict::Good)), Refusal::Verdict { .. }));
    world.then(vec![ended(1, 1, 1, Verdict::InDoubt)]);
    assert_eq!((world.order(1), world.job(1, 1)), (OrderState::InDoubt, JobState::InDoubt));
}

#[test]
fn a_worker_that_died_before_the_first_step_leaves_a_blank() {
    let expired = What::LeaseExpired { job: job(1, 1), fence: fence(1) };
    let mut world =
        World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan()), identified(1, 1, 1, chip(1)), expired]]));
    assert_eq!((world.order(1), world.job(1, 1)), (OrderState::Prepared, JobState::Untouched));
    assert_eq!(world.refuses(about_to(1, 1, 1, 0, store(1))), Refusal::Fence(job(1, 1)));
    world.then(begun(1, 2, 2, 1));
}

#[test]
fn a_worker_that_died_in_a_step_leaves_a_doubt_and_is_fenced_off() {
    let mut world = World::with(all(&[ready(1), in_doubt(1, 1, 1, 1)]));
    assert_eq!((world.order(1), world.job(1, 1)), (OrderState::InDoubt, JobState::InDoubt));
    for late in [done(1, 1, 1, 0), ended(1, 1, 1, Verdict::Spoiled), about_to(1, 1, 1, 1, store(2))] {
        assert_eq!(world.refuses(late), Refusal::Fence(job(1, 1)));
    }
    assert!(matches!(world.refuses(claimed(1, 2, 2, plan())), Refusal::HasLiveJob(_, JobState::InDoubt)));
}

#[test]
fn recover_applies_a_spooled_event_of_the_worker_until_somebody_claims_the_job() {
    let mut world = World::with(all(&[ready(1), in_doubt(1, 1, 1, 1)]));
    let wrong = world.writer.spooled(done(1, 1, 2, 0));
    assert_eq!(world.refuses_event(&wrong), Refusal::Fence(job(1, 1)));
    let withdrawn = world.writer.spooled(did(1, 1, 1, 0, Outcome::Withdrawn));
    world.tables.apply(&withdrawn).unwrap();
    let untouched = world.writer.spooled(ended(1, 1, 1, Verdict::Untouched));
    world.tables.apply(&untouched).unwrap();
    assert_eq!((world.order(1), world.job(1, 1)), (OrderState::Prepared, JobState::Untouched));

    let mut world = World::with(all(&[ready(1), in_doubt(1, 1, 1, 1)]));
    world.then(vec![What::RecoveryClaimed { job: job(1, 1), fence: fence(5) }]);
    let late = world.writer.spooled(done(1, 1, 1, 0));
    assert_eq!(world.refuses_event(&late), Refusal::Fence(job(1, 1)));
    let beginning = world.writer.spooled(about_to(1, 1, 5, 1, store(2)));
    assert_eq!(world.refuses_event(&beginning), Refusal::Spooled);
    // recover itself ends no step of the worker's.
    assert!(matches!(world.refuses(done(1, 1, 5, 0)), Refusal::JobState { .. }));
}

#[test]
fn a_spooled_verdict_of_a_worker_is_its_verdict() {
    let mut world = World::with(all(&[ready(1), begun(1, 1, 1, 1), stepped(1, 1, 1)]));
    world.then(vec![What::LeaseExpired { job: job(1, 1), fence: fence(1) }]);
    let verdict = world.writer.spooled(ended(1, 1, 1, Verdict::Good));
    world.tables.apply(&verdict).unwrap();
    assert_eq!(world.job(1, 1), JobState::Good);
}

fn recovered(verdict: Verdict, proven: &[u32], equal: bool) -> What {
    What::JobRecovered { job: job(1, 1), fence: fence(5), verdict, proven: proven.to_vec(), equal }
}

#[test]
fn recover_finds_a_card_good_only_by_what_is_durable_or_proven() {
    let doubt = || {
        let mut world = World::with(all(&[ready(1), begun(1, 1, 1, 1), stepped(1, 1, 1)[..3].to_vec()]));
        // The first step is done, the second as well; the last has begun.
        world.then(vec![
            about_to(1, 1, 1, 2, plan()[2].clone()),
            What::LeaseExpired { job: job(1, 1), fence: fence(1) },
        ]);
        world.then(vec![What::RecoveryClaimed { job: job(1, 1), fence: fence(5) }]);
        world
    };
    let mut world = doubt();
    let refused = |refusal| matches!(refusal, Refusal::Verdict { .. });
    assert!(refused(world.refuses(recovered(Verdict::Good, &[], true))), "the last step is not proven");
    assert!(refused(world.refuses(recovered(Verdict::Good, &[2], false))), "the read-back is not equal");
    assert!(refused(world.refuses(recovered(Verdict::Good, &[2, 1], true))), "not in ascending order");
    assert!(refused(world.refuses(recovered(Verdict::Good, &[3], true))), "no such step");
    assert!(refused(world.refuses(recovered(Verdict::InDoubt, &[], false))));
    assert!(refused(world.refuses(recovered(Verdict::Untouched, &[], false))));
    let old =
        What::JobRecovered { job: job(1, 1), fence: fence(1), verdict: Verdict::Spoiled, proven: vec![], equal: false };
    assert_eq!(world.refuses(old), Refusal::Fence(job(1, 1)));
    world.then(vec![recovered(Verdict::Good, &[2], true)]);
    assert_eq!(world.order(1), OrderState::Good);
    let mut world = doubt();
    world.then(vec![recovered(Verdict::Spoiled, &[], false)]);
    assert_eq!(world.order(1), OrderState::Spoiled);
}

#[test]
fn recover_never_finds_a_card_good_whose_step_failed_or_that_has_no_identity() {
    let mut world = World::with(all(&[ready(1), begun(1, 1, 1, 1)]));
    let mut steps = stepped(1, 1, 1);
    *steps.last_mut().unwrap() = did(1, 1, 1, 2, failed());
    world.then(steps);
    world.then(vec![ended(1, 1, 1, Verdict::InDoubt), What::RecoveryClaimed { job: job(1, 1), fence: fence(5) }]);
    assert!(matches!(world.refuses(recovered(Verdict::Good, &[2], true)), Refusal::Verdict { .. }));

    let mut world = World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan()), identified(1, 1, 1, None)]]));
    world.then(vec![about_to(1, 1, 1, 0, store(1))]);
    world.then(stepped(1, 1, 1));
    world.then(vec![ended(1, 1, 1, Verdict::InDoubt), What::RecoveryClaimed { job: job(1, 1), fence: fence(5) }]);
    assert!(matches!(world.refuses(recovered(Verdict::Good, &[], true)), Refusal::Verdict { .. }));
}

#[test]
fn a_later_run_of_recover_takes_over_from_one_that_died() {
    let mut world = World::with(all(&[ready(1), in_doubt(1, 1, 1, 1)]));
    world.then(vec![What::RecoveryClaimed { job: job(1, 1), fence: fence(4) }]);
    world.then(vec![What::RecoveryClaimed { job: job(1, 1), fence: fence(5) }]);
    assert_eq!(world.refuses(What::RecoveryClaimed { job: job(1, 1), fence: fence(5) }), Refusal::Fence(job(1, 1)));
    world.then(vec![recovered(Verdict::Spoiled, &[], false)]);
}

#[test]
fn settling_as_destroyed_takes_two() {
    let mut world = World::with(all(&[ready(1), in_doubt(1, 1, 1, 1)]));
    let settled = |second: &str| What::JobSettled { job: job(1, 1), second: Text::new(second) };
    for one in ["anna", "Anna ", "", " "] {
        assert_eq!(world.refuses(settled(one)), Refusal::SecondPerson, "{one:?}");
    }
    world.then(vec![settled("bert")]);
    assert_eq!((world.order(1), world.job(1, 1)), (OrderState::Spoiled, JobState::Spoiled));
    assert!(matches!(world.refuses(settled("bert")), Refusal::JobState { .. }));
}

#[test]
fn after_a_spoiled_card_the_next_run_is_the_next_attempt_on_a_test_ledger() {
    let mut test = World::with(all(&[ready(1), spoiled(1, 1, 1, 1)]));
    test.then(good(1, 2, 2, 2));
    let mut test = World::with(all(&[ready(1), spoiled(1, 1, 1, 1), vec![prepared(1)]]));
    test.then(good(1, 2, 2, 2));
}

#[test]
fn on_a_live_ledger_a_remake_is_approved_by_two_and_prepared_anew() {
    let mut live = World::of(true, all(&[ready(1), spoiled(1, 1, 1, 1)]));
    assert!(matches!(live.refuses(claimed(1, 2, 2, plan())), Refusal::OrderState { .. }));
    assert!(matches!(live.refuses(prepared(1)), Refusal::OrderState { .. }));
    let remake = |second: &str| What::RemakeApproved { order: order(1), second: Text::new(second) };
    assert_eq!(live.refuses(remake("anna")), Refusal::SecondPerson);
    live.then(vec![remake("bert")]);
    assert!(matches!(live.refuses(remake("bert")), Refusal::OrderState { .. }));
    let given_up = What::OrderGivenUp { order: order(1), reason: Text::new("no stock") };
    assert!(matches!(live.refuses(given_up.clone()), Refusal::OrderState { .. }), "a remake is open");
    assert!(matches!(live.refuses(claimed(1, 2, 2, plan())), Refusal::OrderState { .. } | Refusal::Plan(_)));
    live.then(vec![prepared(1)]);
    live.then(spoiled(1, 2, 2, 2));
    live.then(vec![given_up]);
    assert_eq!(live.order(1), OrderState::GivenUp);
}

#[test]
fn a_record_without_its_order_is_used_again() {
    let from_record = What::OrderReceived(Received { occasion: Occasion::Record, ..an_order(1) });
    let mut live = World::of(true, all(&[vec![from_record, prepared(1)], spoiled(1, 1, 1, 1)]));
    live.then(vec![What::RemakeApproved { order: order(1), second: Text::new("bert") }]);
    live.then(good(1, 2, 2, 2));
}

#[test]
fn a_reissue_takes_the_corrected_content() {
    let mut live = World::of(true, all(&[ready(1), good(1, 1, 1, 1)]));
    let reissue =
        What::ReissueApproved { order: order(1), content: ContentDigest::new([4; 32]), second: Text::new("bert") };
    assert!(matches!(live.refuses(reissue.clone()), Refusal::OrderState { .. }), "the card is good");
    live.then(vec![What::CardRejected { job: job(1, 1), reason: Text::new("name") }]);
    live.then(vec![What::OrderHeld { order: order(1), reason: HoldReason::OtherContent }, reissue]);
    let row = live.tables.orders().next().unwrap();
    assert_eq!((row.content, row.held), (Some(ContentDigest::new([4; 32])), None));
    live.then(vec![prepared(1)]);
    live.then(good(1, 2, 2, 2));
}

#[test]
fn a_hold_is_obeyed_until_the_chip_is_begun() {
    let hold = What::OrderHeld { order: order(1), reason: HoldReason::Asked };
    let mut world =
        World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan()), identified(1, 1, 1, chip(1)), hold.clone()]]));
    assert!(matches!(world.refuses(about_to(1, 1, 1, 0, store(1))), Refusal::Held(..)));
    world.then(vec![ended(1, 1, 1, Verdict::Untouched)]);
    assert!(matches!(world.refuses(claimed(1, 2, 1, plan())), Refusal::Held(..)));
    world.then(vec![What::OrderReleased { order: order(1), second: None }]);
    world.then(begun(1, 2, 1, 1));
    assert!(matches!(world.refuses(hold), Refusal::OrderState { .. }));
}

#[test]
fn a_cancellation_is_obeyed_until_the_chip_is_begun() {
    let cancel = What::OrderCancelled { order: order(1) };
    let mut world =
        World::with(all(&[ready(1), vec![claimed(1, 1, 1, plan()), identified(1, 1, 1, chip(1)), cancel.clone()]]));
    assert!(matches!(world.refuses(about_to(1, 1, 1, 0, store(1))), Refusal::OrderState { .. }));
    assert!(matches!(world.refuses(received(1)), Refusal::HasLiveJob(..)), "its worker has not noticed yet");
    world.then(vec![ended(1, 1, 1, Verdict::Untouched)]);
    assert_eq!(world.order(1), OrderState::Cancelled);
    world.then(vec![received(1)]);
    let mut world = World::with(all(&[ready(1), begun(1, 1, 1, 1)]));
    assert!(matches!(world.refuses(cancel), Refusal::OrderState { .. }));
}

#[test]
fn only_made_cards_are_handed_over_or_shipped_and_a_card_can_be_taken_back() {
    let mut world = World::with(all(&[ready(1), good(1, 1, 1, 1)]));
    let shipped = What::CardShipped {
        job: job(1, 1),
        carrier: Text::new("post"),
        tracking: perso::ledger::Exact::new("Z1").unwrap(),
    };
    assert!(matches!(world.refuses(shipped.clone()), Refusal::JobState { .. }));
    assert!(matches!(world.refuses(What::CardHandedOver { job: job(1, 1) }), Refusal::JobState { .. }));
    world.then(vec![What::CardMade { job: job(1, 1) }, shipped]);
    assert!(matches!(world.refuses(What::CardMade { job: job(1, 1) }), Refusal::JobState { .. }));
    let reject = What::CardRejected { job: job(1, 1), reason: Text::new("damaged") };
    world.then(vec![reject.clone()]);
    assert_eq!(world.order(1), OrderState::Rejected);
    assert!(matches!(world.refuses(reject), Refusal::JobState { .. }));
    assert!(
        matches!(world.refuses(claimed(1, 2, 2, plan())), Refusal::OrderState { .. }),
        "a remake is approved first"
    );
}

#[test]
fn an_event_about_nothing_is_refused() {
    let mut world = World::with(ready(1));
    assert!(matches!(world.refuses(prepared(2)), Refusal::NoOrder(_)));
    assert!(matches!(world.refuses(done(1, 1, 1, 0)), Refusal::NoJob(_)));
    assert!(matches!(world.refuses(claimed(2, 1, 1, plan())), Refusal::NoOrder(_)));
}

/// Each event as it is written: read back equal, and nothing in it that it does not know.
#[test]
fn events_are_read_back_as_they_were_written() {
    let mut writer = Writer::new(Time::default());
    let mut whats = all(&[vec![created(true)], ready(1), good(1, 1, 1, 1), spoiled(2, 1, 1, 1), in_doubt(3, 1, 1, 2)]);
    whats.extend([recovered(Verdict::Spoiled, &[0], false), did(1, 1, 1, 0, Outcome::Withdrawn)]);
    whats.extend([
        claimed(
            4,
            1,
            1,
            vec![
                Step::Load { aid: perso::ledger::Aid::new(&[1; 5]).unwrap() },
                Step::Install { aid: perso::ledger::Aid::new(&[1; 16]).unwrap() },
                Step::Delete { aid: perso::ledger::Aid::new(&[0xAB; 6]).unwrap() },
                Step::PutKey { aid: perso::ledger::Aid::new(&[1; 6]).unwrap(), version: 0x30 },
                Step::Feed,
                Step::Stripe,
                Step::Print,
            ],
        ),
        What::CardShipped {
            job: job(1, 1),
            carrier: Text::new("post"),
            tracking: perso::ledger::Exact::new("4761739001010010").unwrap(),
        },
        What::JobSettled { job: job(1, 1), second: Text::new("b") },
    ]);
    for what in whats {
        let event = writer.event(what);
        let text = json_canon::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).expect(&text), event);
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["what"]["surprise"] = 1.into();
        assert!(serde_json::from_value::<Event>(json).is_err(), "{text}");
    }
}
