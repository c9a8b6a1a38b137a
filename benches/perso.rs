//! What perso's own work costs: `cargo bench`. Each figure means something beside its neighbours of the same run only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::mpsc;

use divan::{Bencher, black_box};
use perso::base::chance::Instant;
use perso::base::codec::tlv;
use perso::base::{Chance, Clock};
use perso::card::sim::{SimCard, SimTransport};
use perso::card::transport::{LinkError, Transport};
use perso::issuance::blank::{self, Wanted};
use perso::issuance::check;
use perso::issuance::job::Job;
use perso::issuance::journal::Journal;
use perso::issuance::plan::Plan;
use perso::issuance::report::Report;
use perso::issuance::state::State;
use perso::keys::{SoftwareStore, file};
use perso::profile::Profile;
use perso::record::Record;

const PROFILES: [&str; 3] = ["debit-contact-scp02", "debit-aes-scp03", "debit-long-packed"];

fn main() {
    divan::main();
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Everything that is ready before a card is asked for.
struct Bench {
    profile: Profile,
    record: Record,
    plan: Plan,
    store: SoftwareStore,
}

impl Bench {
    fn new(name: &str) -> Self {
        let store = file::load(&read("tests/samples/keys.test.json"), None).unwrap();
        let text = String::from_utf8(read(&format!("card-profiles/{name}.toml"))).unwrap();
        let profile = Profile::parse(&text).unwrap();
        let record = Record::open(&read(&format!("tests/samples/{name}.record.json")), &store).unwrap();
        let plan = check::plan(&record, &profile, &store).unwrap();
        Self { profile, record, plan, store }
    }

    fn blank(&self) -> SimCard {
        let wanted = Wanted {
            profile: &self.profile,
            aids: blank::aids(&self.record),
            master: None,
            serial: Some([1, 2, 3, 4]),
        };
        blank::make(&wanted, &self.store, &mut Chance::fixed(Vec::new())).unwrap()
    }

    /// One whole job. Its randomness is always the same, so that its commands are.
    fn run(&self, transport: Box<dyn Transport>) {
        let clock = Clock::fixed(Instant(0));
        let mut report = Report::new(true, &clock);
        report.subject(&self.record, &self.plan, &self.store);
        let (told, _nobody) = mpsc::channel();
        let mut chance = Chance::new(|buffer| {
            buffer.fill(0x5A);
            Ok(())
        });
        let job = Job {
            record: &self.record,
            profile: &self.profile,
            plan: &self.plan,
            store: &self.store,
            ca_keys: None,
            journal: &mut Journal::in_memory(),
            clock,
            chance: &mut chance,
            progress: told,
            recorder: None,
            stop: perso::base::StopRequest::default(),
        };
        assert_eq!(job.run(transport, report).state, State::Good);
    }
}

/// Writes down what goes over a link.
struct Listening<T>(T, std::sync::Arc<std::sync::Mutex<Vec<Exchange>>>);

enum Exchange {
    Reset(Vec<u8>),
    Command(Vec<u8>, Vec<u8>),
}

impl<T: Transport> Transport for Listening<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        let answer = self.0.transmit(command)?;
        self.1.lock().unwrap().push(Exchange::Command(command.to_vec(), answer.clone()));
        Ok(answer)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        let atr = self.0.reset()?;
        self.1.lock().unwrap().push(Exchange::Reset(atr.clone()));
        Ok(atr)
    }
}

/// A card that knows its answers by heart and so costs nothing: what is left is the host.
struct ByHeart(std::vec::IntoIter<Exchange>);

impl Transport for ByHeart {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        match self.0.next() {
            Some(Exchange::Command(_, answer)) => Ok(answer),
            _ => Err(LinkError::CardLost("the script is over".into())),
        }
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        match self.0.next() {
            Some(Exchange::Reset(atr)) => Ok(atr),
            _ => Err(LinkError::CardLost("the script is over".into())),
        }
    }
}

fn session(bench: &Bench) -> Vec<Exchange> {
    let heard = std::sync::Arc::default();
    bench.run(Box::new(Listening(SimTransport::memory(bench.blank()), std::sync::Arc::clone(&heard))));
    std::sync::Arc::into_inner(heard).unwrap().into_inner().unwrap()
}

/// Opening, checking and planning a record: what happens before a card is asked for.
#[divan::bench(args = PROFILES)]
fn a_record_made_ready(bencher: Bencher, name: &str) {
    bencher.bench(|| Bench::new(black_box(name)));
}

/// Host and simulated card together.
#[divan::bench(args = PROFILES)]
fn b_job_on_the_simulated_card(bencher: Bencher, name: &str) {
    let bench = Bench::new(name);
    bencher
        .with_inputs(|| Box::new(SimTransport::memory(bench.blank())))
        .bench_values(|transport| bench.run(transport));
}

/// The host alone.
#[divan::bench(args = PROFILES)]
fn c_job_on_a_card_that_costs_nothing(bencher: Bencher, name: &str) {
    let bench = Bench::new(name);
    bencher.with_inputs(|| Box::new(ByHeart(session(&bench).into_iter()))).bench_values(|card| bench.run(card));
}

/// The baseline: the same commands sent to the simulated card by nobody.
#[divan::bench(args = PROFILES)]
fn d_bare_replay_on_the_simulated_card(bencher: Bencher, name: &str) {
    let bench = Bench::new(name);
    let script = session(&bench);
    bencher.with_inputs(|| SimTransport::memory(bench.blank())).bench_values(|mut transport| {
        for exchange in &script {
            match exchange {
                Exchange::Reset(_) => drop(transport.reset().unwrap()),
                Exchange::Command(command, answer) => assert!(transport.transmit(command).unwrap() == *answer),
            }
        }
    });
}

/// BER-TLV of a whole FCI.
#[divan::bench]
fn e_tlv_parse(bencher: Bencher) {
    let bench = Bench::new(PROFILES[0]);
    let fci = bench.record.applications()[0].clear_value(0x9102).unwrap().to_vec();
    bencher.bench(|| tlv::parse(black_box(&fci)).unwrap());
}
