//! Orders that come in: new ones, the same again, and others of the same card.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use crate::ledger_support::*;
use perso::base::Secret;
use perso::base::emv::Pan;
use perso::ledger::event::{HoldReason, IssuanceKind, Occasion, Received};
use perso::ledger::identity::{ApplicationParts, OccasionPart, OrderParts};
use perso::ledger::ids::ContentDigest;
use perso::ledger::intake::{Answer, Submission, submit};
use perso::ledger::{
    IdentityKey, LedgerStore, MemoryStore, OrderId, OrderState, Ports, Refusal, SqliteStore, StoreError, Text, Wait,
    What,
};

/// An order as a source sends it.
#[derive(Clone)]
struct Sent {
    issuer: &'static str,
    card: &'static str,
    kind: IssuanceKind,
    pan: &'static str,
    expiry: &'static str,
    /// None: the source gives none.
    request: Option<&'static str>,
    /// An idempotency key.
    key: Option<&'static str>,
    content: u8,
    payload: u8,
}

const SENT: Sent = Sent {
    issuer: "bank",
    card: "c1",
    kind: IssuanceKind::Creation,
    pan: "4761739001010010",
    expiry: "2812",
    request: None,
    key: None,
    content: 1,
    payload: 1,
};

struct World {
    store: MemoryStore,
    ports: Ports,
    writer: Writer,
    strict: bool,
}

impl World {
    fn new() -> Self {
        let time = Time::default();
        let store = MemoryStore::new(origin(), time.ports()).unwrap();
        Self { store, ports: time.ports(), writer: Writer::new(time), strict: true }
    }

    fn send(&mut self, sent: &Sent) -> Answer {
        send(&mut self.store, &mut self.ports, sent, self.strict)
    }

    #[track_caller]
    fn taken(&mut self, sent: &Sent) -> OrderId {
        match self.send(sent) {
            Answer::Taken { order, held: None, .. } => order,
            other => panic!("{other:?}"),
        }
    }

    /// Makes the order's card, in a chip of its own.
    #[track_caller]
    fn make(&mut self, order: OrderId, verdict: perso::ledger::event::Verdict) {
        use perso::ledger::{JobId, Outcome};
        let attempt = self.store.order(&order).unwrap().unwrap().attempts + 1;
        let (job, fence) = (JobId { order, attempt }, fence(1));
        let record = record(1);
        let outcome = if verdict == perso::ledger::event::Verdict::Good { Outcome::Done } else { failed() };
        let in_chip = order.bytes()[0].wrapping_add(attempt as u8);
        let whats = vec![
            What::OrderPrepared { order, record: record.clone() },
            What::JobClaimed { job, fence, record, plan: vec![store(1)] },
            What::ChipIdentified { job, fence, chip: chip(in_chip) },
            What::StepAboutTo { job, fence, n: 0, step: store(1) },
            What::StepDid { job, fence, n: 0, outcome },
            What::JobEnded { job, fence, verdict, code: None },
        ];
        self.write(whats);
    }

    #[track_caller]
    fn write(&mut self, whats: Vec<What>) {
        let batch = self.writer.batch(whats);
        self.store.commit(&batch).unwrap();
    }

    fn state(&mut self, order: OrderId) -> (OrderState, Option<HoldReason>) {
        let row = self.store.order(&order).unwrap().unwrap();
        (row.state, row.held)
    }

    fn orders(&mut self) -> usize {
        self.store.orders(&perso::ledger::Query::default()).unwrap().len()
    }
}

fn send(store: &mut dyn LedgerStore, ports: &mut Ports, sent: &Sent, strict: bool) -> Answer {
    let key = IdentityKey::new(Secret::new([5; 32]));
    let pan = Pan::parse(sent.pan).unwrap();
    let applications = [ApplicationParts { aid: b"A0000", pan: &pan, psn: Some(1), expiry: Some(sent.expiry) }];
    let identity = |occasion| {
        let Sent { issuer, card, kind, .. } = *sent;
        key.order(&OrderParts { issuer, card, kind, applications: &applications, occasion })
    };
    let occasion = sent.request.map_or(OccasionPart::Counted(1), OccasionPart::Request);
    let received = Received {
        order: identity(occasion),
        source: Text::new("d1"),
        label: Text::new(sent.card),
        kind: sent.kind,
        occasion: occasion.event(),
        cards: vec![key.card(&pan, Some(1), sent.expiry)],
        payload: Some(payload(sent.payload)),
        idempotency: sent.key.map(|it| key.idempotency("bank", it)),
        content: Some(ContentDigest::new([sent.content; 32])),
        same_card: perso::ledger::event::SameCard::None,
    };
    let counted = |n| identity(OccasionPart::Counted(n));
    let counted: Option<&dyn Fn(u32) -> OrderId> = if sent.request.is_none() { Some(&counted) } else { None };
    submit(store, ports, &origin(), &Submission { received, counted, shared_pan: false, strict, second: None }).unwrap()
}

use perso::ledger::event::Verdict::{Good, Spoiled};

#[test]
fn the_same_payload_gets_the_first_answer_whatever_its_ids_are() {
    let mut world = World::new();
    let order = world.taken(&SENT);
    let others = [
        SENT,
        Sent { issuer: "BANK", ..SENT },
        Sent { card: "c2", ..SENT },
        Sent { request: Some("r1"), ..SENT },
        Sent { kind: IssuanceKind::Replacement, ..SENT },
    ];
    for sent in &others {
        assert_eq!(world.send(sent), Answer::Known { order, state: OrderState::Received });
    }
    world.make(order, Good);
    for sent in &others {
        assert_eq!(world.send(sent), Answer::Known { order, state: OrderState::Good });
    }
    assert_eq!(world.orders(), 1);
}

#[test]
fn an_idempotency_key_gets_the_first_answer_or_a_conflict() {
    let mut world = World::new();
    let order = world.taken(&Sent { key: Some("k"), ..SENT });
    let again = Sent { key: Some("k"), payload: 2, card: "c9", ..SENT };
    assert_eq!(world.send(&again), Answer::Known { order, state: OrderState::Received });
    let other = Sent { content: 2, payload: 3, ..again };
    assert_eq!(world.send(&other), Answer::KeyUsed { order });
    world.make(order, Good);
    assert_eq!(world.send(&other), Answer::KeyUsed { order });
    assert_eq!(world.orders(), 1);
    let key = IdentityKey::new(Secret::new([5; 32]));
    assert_eq!(world.store.of_key(&key.idempotency("bank", "k")).unwrap(), Some(order));
    assert_eq!(world.store.of_key(&key.idempotency("bankk", "")).unwrap(), None);
}

#[test]
fn the_same_content_under_a_new_envelope_is_the_same_order() {
    let mut world = World::new();
    let order = world.taken(&SENT);
    let again = Sent { payload: 2, ..SENT };
    assert_eq!(world.send(&again), Answer::Known { order, state: OrderState::Received });
    world.make(order, Good);
    assert_eq!(world.send(&again), Answer::Known { order, state: OrderState::Good });
}

#[test]
fn other_content_is_refused_while_the_order_is_open_or_has_its_card() {
    let mut world = World::new();
    let order = world.taken(&SENT);
    let other = Sent { payload: 2, content: 2, ..SENT };
    assert_eq!(world.send(&other), Answer::OtherContent { order, state: OrderState::Received });
    world.make(order, Good);
    assert_eq!(world.send(&other), Answer::OtherContent { order, state: OrderState::Good });
    assert_eq!(world.state(order).1, None);
}

#[test]
fn other_content_after_a_spoiled_card_is_held_for_a_reissue() {
    let mut world = World::new();
    let order = world.taken(&SENT);
    world.make(order, Spoiled);
    assert_eq!(world.send(&Sent { payload: 2, ..SENT }), Answer::Known { order, state: OrderState::Spoiled });
    let other = Sent { payload: 3, content: 2, ..SENT };
    assert_eq!(world.send(&other), Answer::HeldForReissue { order });
    assert_eq!(world.state(order), (OrderState::Spoiled, Some(HoldReason::OtherContent)));
}

#[test]
fn other_content_after_a_refusal_or_a_cancellation_is_a_new_operation_of_the_same_order() {
    let mut world = World::new();
    let order = world.taken(&SENT);
    world.write(vec![What::OrderRefused { order, code: Text::new("ORDER-FIELD") }]);
    assert_eq!(world.send(&Sent { payload: 2, ..SENT }), Answer::Known { order, state: OrderState::Refused });
    assert_eq!(world.taken(&Sent { payload: 3, content: 2, ..SENT }), order);
    world.write(vec![What::OrderCancelled { order }]);
    assert_eq!(world.taken(&Sent { payload: 4, content: 3, ..SENT }), order);
    assert_eq!(world.orders(), 1);
}

#[test]
fn an_expired_order_takes_any_content_and_a_given_up_one_none() {
    let mut world = World::new();
    let order = world.taken(&SENT);
    world.write(vec![What::OrderExpired { order }]);
    assert_eq!(world.taken(&SENT), order);
    world.write(vec![What::OrderGivenUp { order, reason: Text::new("no stock") }]);
    let other = Sent { payload: 2, content: 2, ..SENT };
    assert_eq!(world.send(&other), Answer::Known { order, state: OrderState::GivenUp });
}

#[test]
fn a_second_replacement_without_an_occasion_is_held_as_the_next_one() {
    let mut world = World::new();
    let replacement = Sent { kind: IssuanceKind::Replacement, ..SENT };
    let first = world.taken(&replacement);
    // Before its card is made it is the same order.
    let second = Sent { payload: 2, ..replacement.clone() };
    assert_eq!(world.send(&second), Answer::Known { order: first, state: OrderState::Received });
    world.make(first, Good);
    let Answer::Taken { order, other, held } = world.send(&second) else { panic!("not taken") };
    assert_eq!((other, held), (Some(first), Some(HoldReason::FurtherCard)));
    assert_ne!(order, first);
    assert_eq!(world.state(order), (OrderState::Received, Some(HoldReason::FurtherCard)));
    // The same again is that order; the third one waits until the second has its card.
    assert_eq!(world.send(&second), Answer::Known { order, state: OrderState::Received });
    let third = Sent { payload: 3, ..replacement.clone() };
    assert_eq!(world.send(&third), Answer::Known { order, state: OrderState::Received });
    world.write(vec![What::OrderReleased { order, second: None }]);
    world.make(order, Good);
    let Answer::Taken { order: last, held, .. } = world.send(&third) else { panic!("not taken") };
    assert_eq!(held, Some(HoldReason::FurtherCard));
    let row = world.store.order(&last).unwrap().unwrap();
    assert_eq!(row.occasion, Occasion::Counted { n: 3 });
}

#[test]
fn a_renewal_with_another_expiry_is_another_order() {
    let mut world = World::new();
    let first = world.taken(&SENT);
    world.make(first, Good);
    let renewal = Sent { kind: IssuanceKind::Renewal, expiry: "3112", payload: 2, content: 2, ..SENT };
    assert_ne!(world.taken(&renewal), first);
}

#[test]
fn the_same_card_under_other_ids_is_held_with_the_first_order() {
    for change in
        [(|sent| sent.issuer = "Bank") as fn(&mut Sent), |sent| sent.card = "C1", |sent| sent.request = Some("r1")]
    {
        let mut world = World::new();
        let first = world.taken(&SENT);
        let mut other = Sent { payload: 2, ..SENT };
        change(&mut other);
        let held = |answer| matches!(answer, Answer::Taken { other: Some(other), held: Some(HoldReason::SameCard), .. } if other == first);
        assert!(held(world.send(&other)));
        let mut loose = World::new();
        loose.strict = false;
        let first = loose.taken(&SENT);
        let warned = loose.send(&other);
        assert!(matches!(warned, Answer::Taken { other: Some(other), held: None, .. } if other == first), "{warned:?}");
    }
}

#[test]
fn requests_of_an_issuer_are_orders_of_their_own_once_the_card_differs() {
    let mut world = World::new();
    let first = world.taken(&Sent { request: Some("r1"), ..SENT });
    let again = Sent { request: Some("r1"), payload: 2, ..SENT };
    assert_eq!(world.send(&again), Answer::Known { order: first, state: OrderState::Received });
    let other = Sent { request: Some("r2"), payload: 3, pan: "4761739001010119", ..SENT };
    assert_ne!(world.taken(&other), first);
}

#[test]
fn a_record_without_its_order_is_refused_for_a_card_that_was_ordered_unless_two_approve() {
    let mut world = World::new();
    let first = world.taken(&SENT);
    let key = IdentityKey::new(Secret::new([5; 32]));
    let pan = Pan::parse(SENT.pan).unwrap();
    let from_record = |second: Option<&str>, strict| Submission {
        received: Received {
            order: key.record("r-1"),
            source: Text::new("record"),
            label: Text::new("r-1"),
            kind: IssuanceKind::Unknown,
            occasion: Occasion::Record,
            cards: vec![key.card(&pan, Some(1), SENT.expiry)],
            payload: None,
            idempotency: None,
            content: None,
            same_card: perso::ledger::event::SameCard::None,
        },
        counted: None,
        shared_pan: false,
        strict,
        second: second.map(Text::new),
    };
    let refused = submit(&mut world.store, &mut world.ports, &origin(), &from_record(None, true)).unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::SameCard(other)) if other == first));
    let alone = submit(&mut world.store, &mut world.ports, &origin(), &from_record(Some("Anna"), true)).unwrap_err();
    assert!(matches!(alone, StoreError::Refused(Refusal::SecondPerson)));
    assert_eq!(world.orders(), 1);
    let answer = submit(&mut world.store, &mut world.ports, &origin(), &from_record(Some("bert"), true)).unwrap();
    assert_eq!(answer, Answer::Taken { order: key.record("r-1"), other: Some(first), held: None });
    assert_eq!(world.state(key.record("r-1")), (OrderState::Received, None));
}

/// Twenty stations, one order under twenty envelopes: one row, and one answer of all.
#[test]
fn stations_that_take_one_order_in_at_the_same_moment_make_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let time = Time::default();
    SqliteStore::create_test(&path, origin(), &mut time.ports()).unwrap();
    let barrier = Arc::new(Barrier::new(20));
    let stations = (0..20u8).map(|n| {
        let (path, time, barrier) = (path.clone(), time.clone(), Arc::clone(&barrier));
        std::thread::spawn(move || {
            let ports =
                || Ports { wait: Wait::new(std::thread::sleep), patience: Duration::from_secs(3600), ..time.ports() };
            let (mut store, mut own) = (SqliteStore::open(&path, ports()).unwrap(), ports());
            let issuer = if n % 2 == 0 { "bank" } else { "other" };
            let sent = Sent { payload: n, issuer, ..SENT };
            barrier.wait();
            send(&mut store, &mut own, &sent, true)
        })
    });
    let stations: Vec<_> = stations.collect();
    let answers: Vec<Answer> = stations.into_iter().map(|station| station.join().unwrap()).collect();
    let taken = |held: bool| {
        answers.iter().filter(|it| matches!(it, Answer::Taken { held: reason, .. } if reason.is_some() == held)).count()
    };
    // One for each issuer; the later of the two is held.
    assert_eq!((taken(false), taken(true)), (1, 1), "{answers:?}");
    assert_eq!(SqliteStore::open(&path, time.ports()).unwrap().verify().unwrap(), []);
}
