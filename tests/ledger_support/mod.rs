//! A small world for tests of the ledger: a clock that is moved by hand, numbered events, three orders, two chips.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perso::base::chance::Instant;
use perso::base::{Chance, Clock};
use perso::ledger::event::{
    BootTime, ChipUse, IssuanceKind, Moment, Occasion, Origin, Received, SameCard, VERSION, Verdict,
};
use perso::ledger::ids::{BootId, CardDigest, PayloadDigest};
use perso::ledger::{
    Aid, Batch, BootClock, Event, EventId, Exact, Fence, JobId, LedgerId, OrderId, Outcome, Ports, Step, Text, Wait,
    What,
};

/// Length of the leases of the tests.
pub const LEASE: Duration = Duration::from_secs(30);

/// A clock that is moved by hand. Clones share it.
#[derive(Clone)]
pub struct Time {
    micros: Arc<AtomicU64>,
    boot: Arc<AtomicU64>,
    ports: Arc<AtomicU64>,
}

impl Default for Time {
    fn default() -> Self {
        Self { micros: Arc::new(AtomicU64::new(1_000_000)), boot: Arc::new(AtomicU64::new(1)), ports: Arc::default() }
    }
}

impl Time {
    pub fn pass(&self, time: Duration) {
        self.micros.fetch_add(time.as_micros() as u64, Ordering::SeqCst);
    }

    /// The machine starts again.
    pub fn restart(&self) {
        self.boot.fetch_add(1, Ordering::SeqCst);
        self.micros.store(5, Ordering::SeqCst);
    }

    pub fn boot(&self) -> BootTime {
        let id = BootId::new(u128::from(self.boot.load(Ordering::SeqCst)).to_be_bytes());
        BootTime { id, micros: self.micros.load(Ordering::SeqCst) }
    }

    pub fn moment(&self) -> Moment {
        Moment { wall: 1_790_000_000_000_000 + self.boot().micros, boot: self.boot() }
    }

    /// Effects on this clock: waiting moves it.
    pub fn ports(&self) -> Ports {
        let (wall, boot, wait) = (self.clone(), self.clone(), self.clone());
        // Each its own numbers, the same in every run.
        let mut state = (self.ports.fetch_add(1, Ordering::SeqCst) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Ports {
            clock: Clock::new(move || Instant(wall.moment().wall)),
            boot: BootClock::new(move || boot.boot()),
            chance: Chance::new(move |buffer| {
                for byte in buffer.iter_mut() {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    *byte = state as u8;
                }
                Ok(())
            }),
            wait: Wait::new(move |time| wait.pass(time)),
            patience: Duration::from_millis(50),
        }
    }
}

pub fn origin() -> Origin {
    Origin {
        person: Text::new("anna"),
        station: Text::new("desk-1"),
        reader: Some(Text::new("reader 0")),
        program: Text::new("perso test"),
        profile: None,
        keys: Vec::new(),
    }
}

/// Writes events with ids of their own.
#[derive(Clone)]
pub struct Writer {
    n: u64,
    pub time: Time,
    pub by: Origin,
}

impl Writer {
    pub fn new(time: Time) -> Self {
        Self { n: 0, time, by: origin() }
    }

    /// The ids of the events that follow count from here.
    pub fn number_from(&mut self, n: u64) {
        self.n = n;
    }

    pub fn event(&mut self, what: What) -> Event {
        self.n += 1;
        let id = EventId::new((u128::from(self.n) << 64).to_be_bytes());
        Event { v: VERSION, id, at: self.time.moment(), by: self.by.clone(), spooled: false, what }
    }

    pub fn spooled(&mut self, what: What) -> Event {
        Event { spooled: true, ..self.event(what) }
    }

    pub fn batch(&mut self, whats: Vec<What>) -> Batch {
        let events = whats.into_iter().map(|what| self.event(what)).collect();
        Batch { events, lease: Some(LEASE) }
    }
}

pub fn order(n: u8) -> OrderId {
    OrderId::new([n; 32])
}

pub fn job(order_n: u8, attempt: u32) -> JobId {
    JobId { order: order(order_n), attempt }
}

pub fn fence(n: u8) -> Fence {
    Fence::new([n; 8])
}

pub fn card(n: u8) -> CardDigest {
    CardDigest::new([n; 32])
}

pub fn payload(n: u8) -> PayloadDigest {
    PayloadDigest::new([n; 32])
}

pub fn chip(n: u8) -> Option<ChipUse> {
    chip_use(n, 1)
}

pub fn chip_use(n: u8, again: u32) -> Option<ChipUse> {
    Some(ChipUse { chip: Exact::new(&format!("cplc-4790-{n:08}")).unwrap(), n: again })
}

pub fn store(n: u8) -> Step {
    Step::Store { aid: Aid::new(&[0xA0, 0, 0, 0, n]).unwrap() }
}

/// Two applications, then the final life cycle.
pub fn plan() -> Vec<Step> {
    let aid = Aid::new(&[0xA0, 0, 0, 1, 0x51]).unwrap();
    vec![store(1), store(2), Step::SetStatus { aid, life_cycle: 0x0F }]
}

/// One application, then stripe and print.
pub fn plan_with_stripe() -> Vec<Step> {
    vec![Step::Feed, store(1), Step::Stripe, Step::Print]
}

pub fn created(live: bool) -> What {
    What::LedgerCreated { ledger: LedgerId::new([9; 16]), live }
}

pub fn an_order(n: u8) -> Received {
    Received {
        order: order(n),
        source: Text::new("own"),
        label: Text::new(&format!("card {n}")),
        kind: IssuanceKind::Creation,
        occasion: Occasion::Counted { n: 1 },
        cards: vec![card(n)],
        payload: Some(payload(n)),
        idempotency: None,
        content: None,
        same_card: SameCard::None,
    }
}

pub fn received(n: u8) -> What {
    What::OrderReceived(an_order(n))
}

pub fn prepared(n: u8) -> What {
    What::OrderPrepared { order: order(n), record: record(n) }
}

pub fn record(n: u8) -> Text {
    Text::new(&format!("record-{n}"))
}

pub fn claimed(n: u8, attempt: u32, by: u8, plan: Vec<Step>) -> What {
    What::JobClaimed { job: job(n, attempt), fence: fence(by), record: record(n), plan }
}

pub fn identified(n: u8, attempt: u32, by: u8, chip: Option<ChipUse>) -> What {
    What::ChipIdentified { job: job(n, attempt), fence: fence(by), chip }
}

pub fn about_to(n: u8, attempt: u32, by: u8, at: u32, step: Step) -> What {
    What::StepAboutTo { job: job(n, attempt), fence: fence(by), n: at, step }
}

pub fn did(n: u8, attempt: u32, by: u8, at: u32, outcome: Outcome) -> What {
    What::StepDid { job: job(n, attempt), fence: fence(by), n: at, outcome }
}

pub fn done(n: u8, attempt: u32, by: u8, at: u32) -> What {
    did(n, attempt, by, at, Outcome::Done)
}

pub fn failed() -> Outcome {
    Outcome::Failed { code: Text::new("CARD-REFUSED") }
}

pub fn ended(n: u8, attempt: u32, by: u8, verdict: Verdict) -> What {
    What::JobEnded { job: job(n, attempt), fence: fence(by), verdict, code: None }
}

/// An order that is ready to be made.
pub fn ready(n: u8) -> Vec<What> {
    vec![received(n), prepared(n)]
}

/// A job until its first step is about to begin: one commit.
pub fn begun(n: u8, attempt: u32, by: u8, in_chip: u8) -> Vec<What> {
    vec![
        claimed(n, attempt, by, plan()),
        identified(n, attempt, by, chip(in_chip)),
        about_to(n, attempt, by, 0, plan()[0].clone()),
    ]
}

/// What follows [`begun`] until every step is done.
pub fn stepped(n: u8, attempt: u32, by: u8) -> Vec<What> {
    let mut whats = vec![done(n, attempt, by, 0)];
    for (at, step) in plan().into_iter().enumerate().skip(1) {
        whats.push(about_to(n, attempt, by, at as u32, step));
        whats.push(done(n, attempt, by, at as u32));
    }
    whats
}

/// A whole job with a good card.
pub fn good(n: u8, attempt: u32, by: u8, in_chip: u8) -> Vec<What> {
    let mut whats = begun(n, attempt, by, in_chip);
    whats.extend(stepped(n, attempt, by));
    whats.push(ended(n, attempt, by, Verdict::Good));
    whats
}

/// A whole job with a spoiled card.
pub fn spoiled(n: u8, attempt: u32, by: u8, in_chip: u8) -> Vec<What> {
    let mut whats = begun(n, attempt, by, in_chip);
    whats.push(did(n, attempt, by, 0, failed()));
    whats.push(ended(n, attempt, by, Verdict::Spoiled));
    whats
}

/// A job that died in its first step: its lease ran out.
pub fn in_doubt(n: u8, attempt: u32, by: u8, in_chip: u8) -> Vec<What> {
    let mut whats = begun(n, attempt, by, in_chip);
    whats.push(What::LeaseExpired { job: job(n, attempt), fence: fence(by) });
    whats
}
