//! One application, as soon as it is read and while it is selected: signatures, PIN, cryptograms.

use super::host::Host;
use super::result::{ApplicationRef, CheckRef, Ended};
use super::{Consent, VerifyError};
use crate::base::Chance;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::crypto::RsaPublic;
use crate::base::emv::certificate::MonthYear;
use crate::base::emv::{Afl, Dol, Pan};
use crate::base::fault::{Code, Fault};
use crate::card::Card;
use crate::card::emv::oda::{self, OfflineError, OfflineReport, Outcome, ReadCard, Step};
use crate::card::emv::{ApplicationContents, Terminal};
use crate::keys::ca_keys::CaKeys;
use crate::record::Record;

pub(super) const AIP_ISSUER: u8 = 0x04;
pub(super) const AIP_CDA: u8 = 0x01;
const AIP_ODA: u8 = 0x61;
/// Why a cryptogram is not checked. Preparation tells it (R39).
pub(super) const UNKNOWN_VERSION: &str =
    "the cryptogram version in 9F10 is not one that this program knows ([verify] cryptogram in the profile)";
/// What the signature of fDDA covers of the terminal: unpredictable number, amount, currency. // EMV C-3 annex C.1
const FAST_COVERS: &[(u32, u8)] = &[(0x9F37, 4), (0x9F02, 6), (0x5F2A, 2)];

/// What has been shown of an application.
pub(super) struct AppProof {
    pub(super) aid: Vec<u8>,
    pub(super) contactless: bool,
    pub(super) app: ApplicationRef,
    pub(super) checks: Vec<CheckRef>,
    /// The steps of offline data authentication that failed, but for a CA key that the terminal has not.
    pub(super) offline_faults: Vec<String>,
    /// DDA or CDA: the card has the private key to its certificate.
    pub(super) signed: bool,
    /// Its cryptogram is the host's.
    pub(super) cryptogram: bool,
    /// The sequence number that the card's key was derived with, where its cryptogram has proven it.
    pub(super) key_sequence_number: Option<u8>,
    /// The PIN was right; whether it went enciphered, under a key of its own or not.
    pub(super) pin: Option<PinProof>,
    /// After the right PIN the try counter was at the limit that the record loads.
    pub(super) limit_shown: bool,
}

/// How the PIN went to the card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PinProof {
    Plaintext,
    /// Under the key for signatures.
    Enciphered,
    /// Under a key for PINs alone.
    EncipheredByOwnKey,
}

/// What all applications of a card have in common.
pub(super) struct Prover<'a> {
    pub(super) ca_keys: Option<&'a CaKeys>,
    pub(super) month: MonthYear,
    pub(super) terminal: &'a Terminal,
    pub(super) contactless: bool,
    pub(super) host: Option<&'a Host<'a>>,
    /// Why there is no host, where there is none.
    pub(super) no_host: &'static str,
    /// The record that the card was made from, if it is known.
    pub(super) record: Option<&'a Record>,
    pub(super) consent: &'a Consent,
    /// The profile agrees to a transaction, to a PIN try.
    pub(super) may: (bool, bool),
    /// The PIN try limit of each application, as the record loads it.
    pub(super) limits: Vec<(Vec<u8>, u8)>,
    pub(super) chance: &'a mut Chance,
    pub(super) proofs: Vec<AppProof>,
}

/// What the checks of one application go by.
pub(super) struct View<'a> {
    pub(super) read: &'a ApplicationContents,
    pub(super) aip: [u8; 2],
    /// The objects of its records, and of the answer to GET PROCESSING OPTIONS.
    pub(super) objects: Vec<Tlv>,
    pub(super) pdol: Vec<u8>,
}

impl View<'_> {
    pub(super) fn value(&self, tag: u32) -> Option<Vec<u8>> {
        tlv::find(&self.objects, Tag::of(tag)).map(Tlv::value_bytes)
    }

    pub(super) fn list(&self, tag: u32) -> Option<Dol> {
        Dol::parse(&self.value(tag)?).ok()
    }

    /// The PAN of 5A, or else of 57.
    pub(super) fn pan(&self) -> Option<Pan> {
        if let Some(value) = self.value(0x5A) {
            return Pan::from_cn(&value).ok();
        }
        let track = zeroize::Zeroizing::new(hex::encode_upper(self.value(0x57)?));
        Pan::parse(track.split('D').next()?).ok()
    }

    /// The PAN sequence number; 00 where the card has none.
    pub(super) fn psn(&self) -> u8 {
        self.value(0x5F34).and_then(|value| value.first().copied()).unwrap_or_default()
    }

    /// Whether the card's PDOL asks for an element.
    pub(super) fn asks_for(&self, tag: Tag) -> bool {
        let list = self.read.fci.data().and_then(|fci| crate::card::emv::Fci::of(fci).parse().ok()?.pdol);
        let list = list.and_then(|list| Dol::parse(&list).ok());
        list.is_some_and(|list| list.items().iter().any(|(asked, _)| *asked == tag))
    }

    /// Values of the terminal as the card got them with GET PROCESSING OPTIONS, one behind the other. None if the PDOL does
    /// not ask for each of them with this length.
    fn given(&self, terminal: &Terminal, wanted: &[(u32, u8)]) -> Option<Vec<u8>> {
        let list = Dol::parse(&crate::card::emv::Fci::of(self.read.fci.data()?).parse().ok()?.pdol?).ok()?;
        let one = |(tag, length): &(u32, u8)| {
            let asked = list.items().contains(&(Tag::of(*tag), *length));
            terminal.value(Tag::of(*tag)).filter(|value| asked && value.len() == usize::from(*length))
        };
        Some(wanted.iter().map(one).collect::<Option<Vec<_>>>()?.concat())
    }
}

impl Prover<'_> {
    /// Proves what can be proven of the application that is selected.
    pub(super) fn visit(&mut self, card: &mut Card, read: &ApplicationContents) -> Result<(), VerifyError> {
        let interface = if self.contactless { "contactless" } else { "contact" };
        let mut proof = AppProof::new(read, self.contactless);
        let subject = format!("{} ({interface})", hex::encode_upper(&read.aid));
        let Some(options) = read.processing_options() else {
            let why = "the card does not answer GET PROCESSING OPTIONS with AIP and AFL".to_owned();
            proof.checks.push(CheckRef::new(&subject, "processing options", Ended::Failed(Code::CardMismatch, why)));
            self.proofs.push(proof);
            return Ok(());
        };
        let records = read.records.iter().filter_map(|record| record.data.data());
        let answers = records.chain(read.options.data());
        let objects = answers.filter_map(|answer| tlv::parse(answer).ok()).flatten().collect();
        let view = View { read, aip: options.aip(), objects, pdol: read.pdol_data(self.terminal) };
        let mut notes = Notes { subject, checks: Vec::new() };
        notes.add("processing options", Ended::Passed);

        let offline = self.offline(card, &view, options.afl(), &mut proof, &mut notes)?;
        self.pin_try(card, &view, offline.as_ref(), &mut proof, &mut notes)?;
        let card_key = offline.as_ref().and_then(|report| report.card_key.as_ref());
        self.transaction(card, &view, card_key, &mut proof, &mut notes)?;
        proof.checks.append(&mut notes.checks);
        self.proofs.push(proof);
        Ok(())
    }

    /// Offline data authentication up to the CA key. // EMV B3 §10.3
    fn offline(
        &mut self,
        card: &mut Card,
        view: &View<'_>,
        afl: &[u8],
        proof: &mut AppProof,
        notes: &mut Notes,
    ) -> Result<Option<OfflineReport>, VerifyError> {
        let all = |notes: &mut Notes, ended: fn(&str) -> Ended, why: &str| {
            Step::ALL.into_iter().for_each(|step| notes.add(step.name(), ended(why)));
        };
        if view.aip[0] & AIP_ODA == 0 {
            all(notes, |why| Ended::NotApplicable(why.into()), "the AIP claims no offline data authentication");
            return Ok(None);
        }
        let Some(ca_keys) = self.ca_keys else {
            all(notes, |why| Ended::Skipped(why.into()), "no CA keys were given");
            return Ok(None);
        };
        let at_once = view.value(0x9F26).is_some();
        if at_once && afl.is_empty() {
            let why = "the card made its cryptogram at GET PROCESSING OPTIONS, and names no records";
            all(notes, |why| Ended::Skipped(why.into()), why);
            if view.value(0x9F4B).is_some() {
                let why = "the card signed its answer, and names no record with certificates for it".to_owned();
                notes.add(Step::FastSignature.name(), Ended::Failed(Code::CardOda, why));
            }
            return Ok(None);
        }
        let (Ok(afl), Some(rid)) = (Afl::parse(afl), view.read.aid.first_chunk::<5>()) else {
            all(notes, |why| Ended::Skipped(why.into()), "the AFL names no records");
            return Ok(None);
        };
        let records = view.read.records.iter();
        let records: Vec<((u8, u8), Vec<u8>)> =
            records.filter_map(|it| Some(((it.sfi, it.record), it.data.data()?.to_vec()))).collect();
        let read = ReadCard { rid: *rid, aip: view.aip, afl: &afl, records: &records };
        let unpredictable = self.terminal.unpredictable;
        let terminal = oda::Terminal { ca_keys, month: self.month, unpredictable };
        let report = if at_once {
            let answer = view.read.options.data().and_then(|answer| tlv::parse_one(answer).ok());
            let objects = answer.map(|answer| answer.children().to_vec()).unwrap_or_default();
            let fast = oda::FastAnswer { objects: &objects, given: view.given(self.terminal, FAST_COVERS) };
            oda::authenticate_fast(&read, &terminal, &fast)
        } else {
            oda::authenticate(&read, &terminal, Some(card))?
        };
        for check in &report.checks {
            let ended = match &check.outcome {
                Outcome::Passed => Ended::Passed,
                Outcome::Failed(why) => Ended::Failed(why.code(), why.to_string()),
                Outcome::NotApplicable(why) => Ended::NotApplicable((*why).to_owned()),
                Outcome::Skipped(why) => Ended::Skipped((*why).to_owned()),
            };
            if let Outcome::Failed(why) = &check.outcome
                && !matches!(why, OfflineError::UnknownCa { .. } | OfflineError::CaExpired(_))
            {
                proof.offline_faults.push(format!("{}: {why}", check.step.name()));
            }
            let dynamic = matches!(check.step, Step::DynamicSignature | Step::FastSignature);
            proof.signed |= dynamic && check.outcome == Outcome::Passed;
            notes.add(check.step.name(), ended);
        }
        proof.app.test_ca = report.test_ca;
        Ok(Some(report))
    }

    /// The cryptogram that a contactless card makes at GET PROCESSING OPTIONS, or a transaction where all agree to one.
    fn transaction(
        &mut self,
        card: &mut Card,
        view: &View<'_>,
        card_key: Option<&RsaPublic>,
        proof: &mut AppProof,
        notes: &mut Notes,
    ) -> Result<(), VerifyError> {
        let at_once = view.read.options.data().and_then(crate::card::emv::transaction::generated);
        let why = match (&at_once, self.host) {
            (_, None) => Some(self.no_host),
            (_, Some(host)) if self.is_of_unknown_version(host, &view.read.aid) => Some(UNKNOWN_VERSION),
            (Some(_), _) => None,
            (None, _) if !self.may.0 => Some("the profile does not allow it ([verify] generate_ac)"),
            (None, _) if !self.consent.generate_ac => Some("the operator did not ask for it (--generate-ac)"),
            (None, _) => None,
        };
        let (Some(host), None) = (self.host, why) else {
            let why = why.unwrap_or(self.no_host);
            super::transaction::STEPS.iter().for_each(|step| notes.add(step, Ended::Skipped(why.to_owned())));
            return Ok(());
        };
        let mut work = super::transaction::Work { terminal: self.terminal, view, host, card_key, proof, notes };
        match at_once {
            Some(made) => work.at_once(&made),
            None => work.with(card),
        }
    }
}

impl Prover<'_> {
    /// Whether the record loads issuer application data whose cryptograms this program cannot compute. The card is then asked
    /// for none.
    fn is_of_unknown_version(&self, host: &Host<'_>, aid: &[u8]) -> bool {
        let apps = self.record.iter().flat_map(|record| record.applications());
        let loaded = apps.filter(|app| app.aid() == aid).find_map(|app| app.issuer_data(self.contactless));
        loaded.is_some_and(|data| host.scheme(&data).is_none())
    }
}

impl AppProof {
    fn new(read: &ApplicationContents, contactless: bool) -> Self {
        let object = |tag: u32| {
            let (_, seen) = read.objects.iter().find(|(held, _)| *held == Tag::of(tag))?;
            Some(tlv::parse_one(seen.data()?).ok()?.value_bytes())
        };
        let app = ApplicationRef {
            aid: hex::encode_upper(&read.aid),
            found: read.found.to_owned(),
            atc: object(0x9F36).map(hex::encode_upper),
            pin_tries: object(0x9F17).and_then(|value| value.first().copied()),
            cryptogram_made: false,
            pin_tried: false,
            test_ca: None,
        };
        Self {
            aid: read.aid.clone(),
            contactless,
            app,
            checks: Vec::new(),
            offline_faults: Vec::new(),
            signed: false,
            cryptogram: false,
            key_sequence_number: None,
            pin: None,
            limit_shown: false,
        }
    }
}

/// The checks of one application as they are made; a later one of the same name replaces the earlier.
pub(super) struct Notes {
    subject: String,
    checks: Vec<CheckRef>,
}

impl Notes {
    pub(super) fn add(&mut self, check: &str, ended: Ended) {
        let new = CheckRef::new(&self.subject, check, ended);
        match self.checks.iter_mut().find(|held| held.check == check) {
            Some(held) => *held = new,
            None => self.checks.push(new),
        }
    }
}
