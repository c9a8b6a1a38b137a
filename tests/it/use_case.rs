//! The use-case layer as a batch or a service calls it: from bytes to a card through `Setup`, `intake` and `Job`, without the
//! command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::prepared::{chance, issuer_for, text};
use crate::support::keys;

use perso::base::chance::Instant;
use perso::base::{Clock, Code, Fault};
use perso::card::sim::SimTransport;
use perso::issuance::blank::{self, Wanted};
use perso::issuance::intake::{self, IntakeError, Note, Ready};
use perso::issuance::job::Job;
use perso::issuance::journal::Journal;
use perso::issuance::outcome::Outcome;
use perso::issuance::report::Report;
use perso::issuance::setup::{CardKeyPool, HeldPool, PortError, ProfileFolder, Profiles, Setup};
use perso::issuance::state::State;
use perso::keys::{KeyError, KeyStore};
use perso::order::Site;
use perso::prepare::Pool;

const RECORD: &str = "tests/samples/debit-aes-scp03.record.json";
const ORDER: &str = "tests/samples/orders/visa-like.json";

fn setup() -> Setup {
    let profiles = ProfileFolder::new("card-profiles".as_ref());
    Setup::new(Arc::new(keys()), Arc::new(profiles), Clock::fixed(Instant(1_784_000_000_000_000)), chance())
}

/// Makes a card from the bytes of a record or an order.
fn make(bytes: &[u8], setup: &mut Setup, journal: &mut Journal) -> Result<Outcome, IntakeError> {
    let mut notes = Vec::new();
    let ready: Ready = intake::take(bytes, setup, &mut notes)?;
    let outcomes = ready.rules(setup, &mut notes)?;
    let mut report = Report::new(true, &setup.clock);
    report.subject(&ready.record, &ready.plan, &*setup.keys);
    report.rules(&outcomes);
    let wanted = Wanted { profile: &ready.profile, aids: blank::aids(&ready.record), master: None, serial: None };
    let card = blank::make(&wanted, &*setup.keys, &mut setup.chance).expect("the profile describes its blank");
    Ok(Job::new(&ready, setup, journal).run(Box::new(SimTransport::memory(card)), report))
}

#[test]
fn record_becomes_a_good_card_once() {
    let (record, mut journal) = (text(RECORD), Journal::in_memory());
    let made = make(record.as_bytes(), &mut setup(), &mut journal).unwrap();
    assert_eq!((made.state, made.findings.len(), made.code), (State::Good, 0, None), "{:?}", made.fault);
    let again = make(record.as_bytes(), &mut setup(), &mut journal).unwrap();
    assert_eq!((again.state, again.code, again.steps.len()), (State::Refused, Some(Code::LedgerRecord), 0));
}

fn for_orders() -> Setup {
    let site = Site::parse(&text("tests/samples/orders/site.toml")).unwrap();
    Setup { site: Some(site), issuer: Some(issuer_for("visa-like")), ..setup() }
}

#[test]
fn order_becomes_a_good_card() {
    let made = make(text(ORDER).as_bytes(), &mut for_orders(), &mut Journal::in_memory()).unwrap();
    assert_eq!(made.state, State::Good, "{:?}", made.fault);
}

#[test]
fn issuer_certificate_without_ca_keys_is_noted() {
    let mut notes = Vec::new();
    intake::take(text(ORDER).as_bytes(), &mut for_orders(), &mut notes).unwrap();
    assert!(notes.contains(&Note::IssuerNotPinned), "{notes:?}");
}

#[test]
fn input_that_no_card_is_made_from_is_refused_with_a_code() {
    let refused = |bytes: &[u8], setup: &mut Setup| make(bytes, setup, &mut Journal::in_memory()).err().unwrap();
    let kind = refused(b"{\"perso_keys\": 1}", &mut setup());
    assert!(matches!(kind, IntakeError::Kind(_)) && kind.code() == Code::FileKind);
    assert!(matches!(refused(text(ORDER).as_bytes(), &mut setup()), IntakeError::NoSite));
    let broken = refused(b"{\"perso_order\": 1}", &mut for_orders());
    assert!(matches!(&broken, IntakeError::Order { problems, answer: None } if !problems.is_empty()), "{broken}");
    let mut high = Setup { minimum_level: Some(0x33), ..setup() };
    let record = text("tests/samples/debit-contact-scp02.record.json");
    assert!(matches!(refused(record.as_bytes(), &mut high), IntakeError::Refused(problems) if problems.len() == 1));
    let elsewhere = ProfileFolder::new("tests/samples".as_ref());
    let mut without = Setup { profiles: Arc::new(elsewhere), ..setup() };
    let unknown = refused(record.as_bytes(), &mut without);
    assert!(matches!(unknown, IntakeError::Profiles(_)) && unknown.code() == Code::RecordProfile);
}

#[test]
fn profile_of_a_folder_is_parsed_once() {
    let folder = ProfileFolder::new("card-profiles".as_ref());
    let (first, second) = (folder.profile("debit-aes-scp03").unwrap(), folder.profile("debit-aes-scp03").unwrap());
    assert!(Arc::ptr_eq(&first, &second));
}

/// A pool in memory that counts how often it is saved, or cannot be.
#[derive(Clone)]
struct Counted {
    pool: Arc<Mutex<Option<Pool>>>,
    saved: Arc<AtomicU32>,
    broken: bool,
}

struct Held {
    pool: Pool,
    back: Counted,
}

impl CardKeyPool for Counted {
    fn hold(&self, _: &dyn KeyStore) -> Result<Box<dyn HeldPool>, PortError> {
        let pool = self.pool.lock().unwrap().take().expect("held once");
        Ok(Box::new(Held { pool, back: self.clone() }))
    }
}

impl HeldPool for Held {
    fn keys(&mut self) -> &mut Pool {
        &mut self.pool
    }

    fn save(self: Box<Self>, _: &dyn KeyStore) -> Result<(), PortError> {
        if self.back.broken {
            return Err(Box::new(KeyError::unknown("pool", [])));
        }
        self.back.saved.fetch_add(1, Ordering::Relaxed);
        *self.back.pool.lock().unwrap() = Some(self.pool);
        Ok(())
    }
}

#[test]
fn no_record_is_given_out_before_the_pool_without_its_key_is_saved() {
    for broken in [false, true] {
        let mut keys = Pool::new();
        keys.fill(2, 1024, 3, &mut chance()).unwrap();
        let pool = Counted { pool: Arc::new(Mutex::new(Some(keys))), saved: Arc::default(), broken };
        let mut setup = Setup { pool: Some(Box::new(pool.clone())), ..for_orders() };
        let taken = intake::take(text(ORDER).as_bytes(), &mut setup, &mut Vec::new());
        let left = pool.pool.lock().unwrap().as_ref().map(|pool| pool.stock().iter().map(|it| it.2).sum::<usize>());
        match broken {
            true => assert!(matches!(taken, Err(IntakeError::Pool(error)) if error.code() == Code::KeyUnknown)),
            false => assert!(taken.is_ok() && pool.saved.load(Ordering::Relaxed) == 1 && left == Some(1), "{left:?}"),
        }
    }
}
