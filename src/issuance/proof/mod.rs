//! Proving a card with the cryptography that a terminal and an issuer host would use.
//!
//! By default only SELECT, GET PROCESSING OPTIONS, READ RECORD, GET DATA and INTERNAL AUTHENTICATE are sent. It repairs
//! nothing and judges nothing by what was sent: each check has passed, has failed, has nothing to check, or could not be
//! made, and says why.

mod answer;
mod application;
mod consistency;
pub(super) mod error;
mod evidence;
mod host;
mod life_cycle;
mod made;
mod pin;
pub mod result;
mod shown;
mod transaction;

use std::sync::{Arc, Mutex};

pub use error::VerifyError;
pub(super) use made::Made;

use application::Prover;
use host::Host;
use result::{CheckRef, Ended, VerifyResult};
use shown::AppProof;

use super::outcome::Step;
use super::plan::Plan;
use super::report::{self, Report};
use super::result::{self as shown_as, Evidence, KeyRef, ProfileRef, ProgramRef, RecordRef, StepRef};
use super::verify::{self, Age, ReadBackReport};
use crate::base::emv::certificate::MonthYear;
use crate::base::fault::Code;
use crate::base::{Chance, Clock, Secret};
use crate::card::emv::{CardContents, Terminal, Wanted, read_and_visit};
use crate::card::transport::Transport;
use crate::card::{Card, CardError, Recorder, TraceEvent};
use crate::keys::KeyStore;
use crate::keys::ca_keys::CaKeys;
use crate::profile::Profile;
use crate::record::Record;

/// What the operator agrees to beyond reading.
#[derive(Default)]
pub struct Consent {
    /// A transaction: GENERATE AC.
    pub generate_ac: bool,
    /// One PIN try, with these digits in ASCII.
    pub pin: Option<Secret<Vec<u8>>>,
}

/// Everything that a verification goes by.
pub struct Verification<'a> {
    /// The card product, where it is known.
    pub profile: Option<&'a Profile>,
    /// The record that the card should hold, and its plan.
    pub record: Option<(&'a Record, &'a Plan)>,
    /// The keys.
    pub store: Option<&'a dyn KeyStore>,
    /// The CA keys.
    pub ca_keys: Option<&'a CaKeys>,
    /// AIDs to look for beside those of record, profile and directories.
    pub aids: Vec<Vec<u8>>,
    /// What the operator agrees to.
    pub consent: Consent,
    /// The time.
    pub clock: Clock,
    /// Randomness: unpredictable number, filling of enciphered PINs.
    pub chance: &'a mut Chance,
    /// The program that does it.
    pub program: ProgramRef,
    /// Whether the card is a simulated one.
    pub simulated: bool,
}

impl Verification<'_> {
    /// Verifies the card behind a link.
    ///
    /// # Errors
    /// The link broke, or a key that the profile names cannot be used. All that the card does wrong is a failed check.
    pub fn run(mut self, transport: Box<dyn Transport>) -> Result<VerifyResult, VerifyError> {
        let started = self.clock.now();
        let day = report::day(started).ok_or(VerifyError::Clock)?;
        let month = MonthYear::new(day.0, day.1).ok_or(VerifyError::Clock)?;
        let steps = Arc::new(Mutex::new(Vec::new()));
        let mut card = self.card(transport, Arc::clone(&steps));
        let contactless = is_contactless(&card.reset()?);

        let mut compared = ReadBackReport::default();
        if let Some((record, plan)) = self.record {
            for (app, loaded) in plan.applications.iter().zip(record.applications()) {
                verify::read_back(&mut card, app, loaded, &[], (contactless, Age::InUse), &mut compared)?;
            }
        }
        let terminal = Terminal { date: bcd(day), unpredictable: self.chance.bytes()? };
        let (contents, proofs) = self.prove(&mut card, &terminal, month, contactless)?;
        if let Some((record, plan)) = self.record {
            answer::compare(&contents, (record, plan), &mut compared);
        }
        let life_cycle = self.final_life_cycle(&mut card)?;
        let personalized = life_cycle.as_ref().is_some_and(|check| check.outcome == "passed");
        evidence::check_values(personalized, &proofs, &mut compared);
        proofs.iter().for_each(|proof| evidence::shrink(proof, &mut compared));

        let known = consistency::Known {
            profile: self.profile,
            record: self.record.map(|(record, _)| record),
            ca_keys: self.ca_keys,
            today: Some(day),
        };
        let mut checks = vec![found(&contents)];
        checks.extend(proofs.iter().flat_map(|proof| proof.checks.iter().cloned()));
        checks.extend(consistency::checks(&contents, &proofs, &known));
        checks.extend(life_cycle);
        let steps = steps.lock().map(|mut steps| std::mem::take(&mut *steps)).unwrap_or_default();
        Ok(self.result(&contents, proofs, checks, compared, steps, started))
    }

    /// Reads the card as a terminal would, and proves what can be proven.
    fn prove(
        &mut self,
        card: &mut Card,
        terminal: &Terminal,
        month: MonthYear,
        contactless: bool,
    ) -> Result<(CardContents, Vec<AppProof>), VerifyError> {
        let product = self.profile.map(Profile::verification);
        let host = match (self.store, product) {
            (Some(store), Some(product)) => Host::new(store, product, self.record.map(|(record, _)| record))?,
            _ => None,
        };
        let no_host = match (self.store, product) {
            (None, _) => "no keys were given (--keys)",
            (_, None) => "no profile was given",
            _ if self.record.is_some_and(|(record, _)| record.has_foreign_keys()) => {
                "the card's keys came with the order: no issuer master key here proves them"
            }
            _ => "the profile names no issuer master key ([verify] imk_ac)",
        };
        let record = self.record.map(|(record, _)| record);
        let loaded = record.iter().flat_map(|it| it.applications()).map(|app| app.aid().to_vec());
        let named = self.profile.iter().flat_map(|it| it.applications()).map(|rule| rule.aid().to_vec());
        let aids = loaded.chain(named).chain(self.aids.iter().cloned()).collect();
        let mut prover = Prover {
            ca_keys: self.ca_keys,
            month,
            terminal,
            contactless,
            host: host.as_ref(),
            no_host,
            record,
            consent: &self.consent,
            may: product.map_or((false, false), |it| (it.may_generate_ac(), it.may_try_pin())),
            limits: record.map(limits).unwrap_or_default(),
            chance: self.chance,
            proofs: Vec::new(),
        };
        let mut failed = None;
        let wanted = Wanted { aids, candidates: true };
        let contents =
            read_and_visit(card, terminal, &wanted, &mut |card, app| kept(&mut failed, || prover.visit(card, app)))?;
        match failed {
            Some(error) => Err(error),
            None => Ok((contents, prover.proofs)),
        }
    }

    /// The final life cycle that the profile states, which a card tells in a channel with its issuer security domain only.
    fn final_life_cycle(&mut self, card: &mut Card) -> Result<Option<CheckRef>, VerifyError> {
        let Some((profile, wanted)) = self.profile.and_then(|it| Some((it, it.final_life_cycle()?))) else {
            return Ok(None);
        };
        let ended = match self.store {
            None => Ended::Skipped("no keys were given (--keys)".into()),
            Some(store) => life_cycle::check(card, profile, store, wanted, self.chance)?,
        };
        Ok(Some(CheckRef::new("card", life_cycle::CHECK, ended)))
    }

    /// The card, with every exchange noted for the result.
    fn card(&self, transport: Box<dyn Transport>, steps: Arc<Mutex<Vec<Step>>>) -> Card {
        let note = Recorder::new(move |event: TraceEvent<'_>| {
            if let Ok(mut steps) = steps.lock() {
                steps.push(report::step(&event));
            }
        });
        let test_keys = self.store.is_some_and(|store| store.keys().iter().all(|key| key.test));
        Card::new(transport, self.clock.clone()).with_recorder(note).with_test_keys(test_keys)
    }

    fn result(
        &self,
        contents: &CardContents,
        proofs: Vec<AppProof>,
        checks: Vec<CheckRef>,
        compared: ReadBackReport,
        steps: Vec<Step>,
        started: crate::base::chance::Instant,
    ) -> VerifyResult {
        let mut report = Report::new(self.simulated, &self.clock);
        if let (Some((record, plan)), Some(store)) = (self.record, self.store) {
            report.subject(record, plan, store);
        }
        let cryptogram = proofs.iter().any(|proof| proof.app.cryptogram_made);
        let record = self.record.map(|(record, _)| record);
        let used = self.profile.map(|it| host::used(it.verification(), record)).unwrap_or_default();
        let made = |aid: &[u8]| proofs.iter().any(|proof| proof.aid == aid && proof.app.cryptogram_made);
        let own: Vec<_> = used.iter().filter(|(aid, _)| made(aid)).collect();
        let keys = if own.is_empty() { used.iter().take(1).collect() } else { own };
        if let (true, Some(store)) = (cryptogram, self.store) {
            let mut names: Vec<&str> = keys.iter().map(|(_, key)| key.imk_ac.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().for_each(|name| report.key(store, name));
        }
        let about = report.about();
        let begun = |step: &&Step| step.header.is_some_and(|it| it.starts_with(&[0x80, 0xA8]));
        let wrong = !compared.findings.is_empty() || checks.iter().any(CheckRef::is_finding);
        VerifyResult {
            perso_verify: result::VERSION,
            verdict: if wrong { "findings" } else { "passed" }.into(),
            simulated: self.simulated,
            interface: if contents.contactless { "contactless" } else { "contact" }.into(),
            atr: hex::encode_upper(&contents.atr),
            record: about.0.as_ref().map(RecordRef::from),
            profile: about.0.as_ref().map(ProfileRef::from).or_else(|| self.profile.map(ProfileRef::from)),
            program: self.program.clone(),
            keys: about.1.iter().map(KeyRef::from).collect(),
            applications: proofs.into_iter().map(|proof| proof.app).collect(),
            transactions: u32::try_from(steps.iter().filter(begun).count()).unwrap_or(u32::MAX),
            checks,
            findings: compared.findings.iter().map(shown_as::Finding::from).collect(),
            proven: compared.proven.iter().map(Evidence::from).collect(),
            loaded_not_proven: compared.not_proven.iter().map(Evidence::from).collect(),
            steps: StepRef::all(&steps),
            started: report::timestamp(started),
            micros: self.clock.now().since(started),
        }
    }
}

/// Does the next of several pieces of work, unless one has failed already. A broken link ends the reading at once; what
/// else fails is kept until it has ended.
fn kept(failed: &mut Option<VerifyError>, work: impl FnOnce() -> Result<(), VerifyError>) -> Result<(), CardError> {
    if failed.is_some() {
        return Ok(());
    }
    match work() {
        Err(VerifyError::Card(error)) => return Err(error),
        Err(error) => *failed = Some(error),
        Ok(()) => {}
    }
    Ok(())
}

fn found(contents: &CardContents) -> CheckRef {
    let none = "no application can be selected: neither by a directory, nor by a known AID, nor by the record's";
    let ended = match contents.applications.is_empty() {
        true => Ended::Failed(Code::CardMismatch, none.into()),
        false => Ended::Passed,
    };
    CheckRef::new("card", "applications", ended)
}

/// The PIN try limits that a record loads: the second byte of grouping 9010.
fn limits(record: &Record) -> Vec<(Vec<u8>, u8)> {
    let limit = |app: &crate::record::Application| Some((app.aid().to_vec(), *app.clear_value(0x9010)?.get(1)?));
    record.applications().iter().filter_map(limit).collect()
}

fn is_contactless(atr: &[u8]) -> bool {
    crate::card::Atr::parse(atr).is_ok_and(|atr| atr.is_contactless())
}

/// YYMMDD in BCD.
fn bcd((year, month, day): (u16, u8, u8)) -> [u8; 3] {
    let bcd = |number: u8| ((number / 10) << 4) | (number % 10);
    [u8::try_from(year % 100).unwrap_or_default(), month, day].map(bcd)
}
