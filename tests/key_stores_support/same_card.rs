//! The same order through the sealed file and through the token, with the same randomness: the same record, the same bytes for the card,
//! the same card.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use perso::base::chance::Instant;
use perso::base::{Chance, Clock};
use perso::card::sim::SimTransport;
use perso::card::transport::{LinkError, Transport};
use perso::issuance::blank::{self, Wanted};
use perso::issuance::check;
use perso::issuance::job::Job;
use perso::issuance::journal::Journal;
use perso::issuance::report::Report;
use perso::issuance::state::State;
use perso::keys::KeyStore;
use perso::order::{Order, Site};
use perso::prepare::{IssuerCertificate, Materials, prepare};
use perso::profile::Profile;
use perso::record::Record;
use serde_json::Value;

use super::sample;
use super::token;

pub const TESTS: &[(&str, fn())] = &[
    ("an_order_becomes_the_same_record_and_card", an_order_becomes_the_same_record_and_card),
    ("an_order_becomes_the_same_bytes_before_the_channel", an_order_becomes_the_same_bytes_before_the_channel),
    ("the_sample_records_become_the_same_cards", the_sample_records_become_the_same_cards),
];

/// The products that have an order and an issuer's certificate.
const PRODUCTS: [&str; 2] = ["visa-like", "mastercard-like"];

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The same in every run.
fn chance() -> Chance {
    let mut state = 7u64;
    Chance::new(move |buffer| {
        for byte in buffer {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (state >> 33) as u8;
        }
        Ok(())
    })
}

fn parsed(text: &str) -> Profile {
    Profile::parse(text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn profile_text(name: &str) -> String {
    text(&format!("card-profiles/{name}.toml"))
}

/// The record of a product's sample order, as one text.
fn prepared(store: &dyn KeyStore, product: &str, profile: &Profile) -> String {
    let site = Site::parse(&text("tests/samples/orders/site.toml")).unwrap();
    let issuer = text(&format!("tests/samples/issuer/{product}.issuer.test.json"));
    let issuer = IssuerCertificate::parse(issuer.as_bytes()).unwrap();
    let order = Order::read(text(&format!("tests/samples/orders/{product}.json")).as_bytes(), &site, store);
    let order = order.unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut chance = chance();
    let today = Some((2026, 11, 24));
    let issuer = Some(&issuer);
    prepare(Materials { order: &order, profile, store, issuer, pool: None, chance: &mut chance, today })
        .unwrap_or_else(|error| panic!("{product}: {error}"))
        .text
}

/// Writes down the commands that go over a link.
struct Listening<T>(T, Arc<Mutex<Vec<Vec<u8>>>>);

impl<T: Transport> Transport for Listening<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.1.lock().unwrap().push(command.to_vec());
        self.0.transmit(command)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.0.reset()
    }
}

/// What a job leaves: the card, as its file holds it, and every command.
struct Made {
    card: Value,
    commands: Vec<Vec<u8>>,
}

fn made(store: &dyn KeyStore, record: &str, profile: &Profile) -> Made {
    let record = Record::open(record.as_bytes(), store).unwrap_or_else(|problems| panic!("{problems:?}"));
    let plan = check::plan(&record, profile, store).unwrap_or_else(|problems| panic!("{problems:?}"));
    let wanted = Wanted { profile, aids: blank::aids(&record), master: None, serial: Some([0, 0, 0, 0x2A]) };
    let blank = blank::make(&wanted, &sample().into_store(), &mut Chance::fixed(Vec::new())).unwrap();
    let transport = SimTransport::memory(blank);
    let held = transport.card();
    let commands = Arc::default();
    let clock = Clock::fixed(Instant(1_700_000_000_000_000));
    let mut report = Report::new(true, &clock);
    report.subject(&record, &plan, store);
    let (told, _nobody) = mpsc::channel();
    let (mut chance, mut journal) = (chance(), Journal::in_memory());
    let job = Job {
        record: &record,
        profile,
        plan: &plan,
        store,
        ca_keys: None,
        journal: &mut journal,
        clock,
        chance: &mut chance,
        progress: told,
        recorder: None,
        stop: perso::base::StopRequest::default(),
    };
    let result = job.run(Box::new(Listening(transport, Arc::clone(&commands))), report);
    assert_eq!(result.state, State::Good, "{}: {:?} {:?}", profile.name(), result.fault, result.findings);
    let card = serde_json::to_value(held.lock().unwrap().file()).unwrap();
    let commands = commands.lock().unwrap().clone();
    Made { card, commands }
}

/// From the order to the card, all of it with this store.
fn from_order(store: &dyn KeyStore, product: &str, profile: &Profile) -> (String, Made) {
    let record = prepared(store, product, profile);
    let made = made(store, &record, profile);
    (record, made)
}

fn an_order_becomes_the_same_record_and_card() {
    let (file, token) = (sample().into_store(), token::filled("order"));
    for product in PRODUCTS {
        let profile = parsed(&profile_text(&format!("{product}-debit")));
        let (record, one) = from_order(&file, product, &profile);
        let (other_record, other) = from_order(&token, product, &profile);
        assert_eq!(record, other_record, "{product}");
        assert_eq!(one.card, other.card, "{product}");
        assert_eq!(one.commands, other.commands, "{product}: what went over the wire");
        // It is the order's card, and another randomness would have shown.
        let groupings = &one.card["state"]["applications"][0]["groupings"];
        assert!(groupings["8010"].is_string() && groupings["8201"].is_string(), "{product}");
    }
}

/// With commands that are authenticated only: STORE DATA without its MAC is what was to be sent before the channel.
fn an_order_becomes_the_same_bytes_before_the_channel() {
    let (file, token) = (sample().into_store(), token::filled("bytes"));
    for product in PRODUCTS {
        let text = profile_text(&format!("{product}-debit"));
        let level = text.lines().find(|line| line.starts_with("level = ")).unwrap().to_owned();
        let profile = parsed(&text.replace(&level, "level = \"01\""));
        let bytes = |store: &dyn KeyStore| -> Vec<Vec<u8>> {
            let commands = from_order(store, product, &profile).1.commands;
            let stored = commands.iter().filter(|command| command[1] == 0xE2);
            stored.map(|command| command[5..5 + usize::from(command[4]) - 8].to_vec()).collect()
        };
        let (one, other) = (bytes(&file), bytes(&token));
        assert_eq!(one, other, "{product}");
        // Records stand there in the clear: the PAN's object among them.
        let all = one.concat();
        assert!(all.len() > 1000 && all.windows(2).any(|part| part == [0x5A, 0x08]), "{product}: {}", all.len());
    }
}

fn the_sample_records_become_the_same_cards() {
    let (file, token) = (sample().into_store(), token::filled("records"));
    for name in
        ["debit-contact-scp02", "debit-aes-scp03", "debit-long-packed", "dual-interface-scp03", "through-domain-scp02"]
    {
        let record = text(&format!("tests/samples/{name}.record.json"));
        let profile = parsed(&profile_text(name));
        assert_eq!(made(&file, &record, &profile).card, made(&token, &record, &profile).card, "{name}");
    }
}
