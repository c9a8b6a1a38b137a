//! One application, as soon as it is read and while it is selected: signatures, PIN, cryptograms.

use super::host::Host;
use super::result::{CheckRef, Ended};
use super::shown::{AppProof, Notes, UNKNOWN_VERSION, View};
use super::{Consent, VerifyError};
use crate::base::Chance;
use crate::base::codec::tlv;
use crate::base::crypto::RsaPublic;
use crate::base::emv::Afl;
use crate::base::emv::certificate::MonthYear;
use crate::base::fault::{Code, Fault};
use crate::card::Card;
use crate::card::emv::oda::{self, OfflineError, OfflineReport, Outcome, ReadCard, Step};
use crate::card::emv::{ApplicationContents, Terminal};
use crate::keys::ca_keys::CaKeys;
use crate::record::Record;

const AIP_ODA: u8 = 0x61;
/// What the signature of fDDA covers of the terminal: unpredictable number, amount, currency. // EMV C-3 annex C.1
const FAST_COVERS: &[(u32, u8)] = &[(0x9F37, 4), (0x9F02, 6), (0x5F2A, 2)];

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
