//! A whole job in process, on a simulated card that can be looked at afterwards.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod swap;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use perso::base::chance::Instant;
use perso::base::{Chance, Clock};
use perso::card::sim::{CardFile, FaultRule, SimCard, SimTransport};
use perso::card::transport::Transport;
use perso::issuance::blank::{self, Wanted};
use perso::issuance::check;
use perso::issuance::job::Job;
use perso::issuance::journal::Journal;
use perso::issuance::plan::Plan;
use perso::issuance::report::Report;
use perso::issuance::result::RunResult;
use perso::keys::{SoftwareStore, file};
use perso::profile::Profile;
use perso::record::Record;

/// The profiles of the repository; each has a sample record.
pub const PROFILES: [&str; 5] =
    ["debit-contact-scp02", "debit-aes-scp03", "debit-long-packed", "dual-interface-scp03", "through-domain-scp02"];

/// A file of the repository.
pub fn file_of(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The sample keys.
pub fn keys() -> SoftwareStore {
    file::load(&std::fs::read(file_of("tests/samples/keys.test.json")).unwrap(), None).unwrap()
}

/// A profile of the repository.
pub fn profile(name: &str) -> Profile {
    let text = std::fs::read_to_string(file_of(&format!("card-profiles/{name}.toml"))).unwrap();
    Profile::parse(&text).unwrap()
}

/// Everything that is ready before a card is asked for.
pub struct Bench {
    pub profile: Profile,
    pub record: Record,
    pub plan: Plan,
    pub store: SoftwareStore,
    /// The card is in a contactless reader.
    pub contactless: bool,
    /// The card is proven by these at the end.
    pub ca_keys: Option<perso::keys::ca_keys::CaKeys>,
}

/// What a run has left.
pub struct Ran {
    pub result: RunResult,
    pub card: CardFile,
}

impl Bench {
    /// The sample of a profile.
    pub fn new(name: &str) -> Self {
        let store = keys();
        let profile = profile(name);
        let bytes = std::fs::read(file_of(&format!("tests/samples/{name}.record.json"))).unwrap();
        let record = Record::open(&bytes, &store).unwrap();
        let plan = check::plan(&record, &profile, &store).unwrap();
        Self { profile, record, plan, store, contactless: false, ca_keys: None }
    }

    /// Every way of reading the sample of a profile: with contacts, and over the antenna where the product has one.
    pub fn each_way(name: &str) -> Vec<Self> {
        let with_contacts = Self::new(name);
        let antenna = with_contacts.profile.is_dual_interface();
        let over_antenna = antenna.then(|| Self { contactless: true, ..Self::new(name) });
        std::iter::once(with_contacts).chain(over_antenna).collect()
    }

    /// A profile and a clear record that are changed samples.
    pub fn changed(
        name: &str,
        profile: impl FnOnce(String) -> String,
        record: impl FnOnce(&mut serde_json::Value),
    ) -> Self {
        let store = keys();
        let text = std::fs::read_to_string(file_of(&format!("card-profiles/{name}.toml"))).unwrap();
        let profile = Profile::parse(&profile(text)).unwrap();
        let clear = std::fs::read(file_of(&format!("tests/samples/{name}.clear.json"))).unwrap();
        let mut clear: serde_json::Value = serde_json::from_slice(&clear).unwrap();
        record(&mut clear);
        let mut chance = Chance::fixed((0..=255).cycle().take(4096).collect());
        let sealed =
            perso::record::seal(clear.to_string().as_bytes(), &store, &hex::encode(profile.hash()), &mut chance)
                .unwrap();
        let record = Record::open(sealed.as_bytes(), &store).unwrap();
        let plan = check::plan(&record, &profile, &store).unwrap();
        Self { profile, record, plan, store, contactless: false, ca_keys: None }
    }

    /// A blank that is the same every time.
    pub fn blank(&self) -> SimCard {
        let wanted = Wanted {
            profile: &self.profile,
            aids: blank::aids(&self.record),
            master: None,
            serial: Some([0x00, 0x00, 0x00, 0x2A]),
        };
        blank::make(&wanted, &self.store, &mut Chance::fixed(Vec::new())).unwrap()
    }

    /// One job on a fresh blank, with these faults.
    pub fn run(&self, faults: &[String]) -> Ran {
        self.run_on(self.blank(), faults, &mut Journal::in_memory())
    }

    /// One job on this card.
    pub fn run_on(&self, card: SimCard, faults: &[String], journal: &mut Journal) -> Ran {
        let rules = faults.iter().map(|rule| FaultRule::parse(rule).unwrap()).collect();
        let transport = SimTransport::memory(card).with_faults(rules).approach(self.contactless).unwrap();
        let card: Arc<Mutex<SimCard>> = transport.card();
        let result = self.run_over(Box::new(transport), journal);
        let card = card.lock().unwrap().file().clone();
        Ran { result, card }
    }

    /// One job over this link.
    pub fn run_over(&self, transport: Box<dyn Transport>, journal: &mut Journal) -> RunResult {
        let clock = Clock::fixed(Instant(1_700_000_000_000_000));
        let mut report = Report::new(true, &clock);
        report.subject(&self.record, &self.plan, &self.store);
        let (told, _nobody) = mpsc::channel();
        let mut drawn = 0u8;
        let mut chance = Chance::new(move |buffer| {
            buffer.iter_mut().for_each(|byte| {
                drawn = drawn.wrapping_add(1);
                *byte = drawn;
            });
            Ok(())
        });
        let job = Job {
            record: &self.record,
            profile: &self.profile,
            plan: &self.plan,
            store: &self.store,
            ca_keys: self.ca_keys.as_ref(),
            journal,
            clock,
            chance: &mut chance,
            progress: told,
            recorder: None,
            stop: perso::base::StopRequest::default(),
        };
        RunResult::from(&job.run(transport, report))
    }
}

/// Instructions that change a card. (INSTALL [for personalization] does not.)
pub fn changes_card(ins: u8) -> bool {
    matches!(ins, 0xE2 | 0xD8 | 0xF0 | 0xE4 | 0xE8)
}
