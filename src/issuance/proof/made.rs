//! Proving a card at the end of its job: what is read-only, and a transaction where its profile says so.

use super::application::Prover;
use super::host::{self, Host};
use super::{Consent, VerifyError, answer, bcd, consistency, evidence};
use crate::base::codec::tlv::Tag;
use crate::base::emv::certificate::MonthYear;
use crate::base::emv::tag_name;
use crate::base::fault::Code;
use crate::base::{Chance, Clock};
use crate::card::Card;
use crate::card::emv::{Terminal, Wanted, read_and_visit};
use crate::issuance::outcome::{Counter, Finding, Object};
use crate::issuance::plan::Plan;
use crate::issuance::report;
use crate::issuance::verify::ReadBackReport;
use crate::keys::ca_keys::CaKeys;
use crate::keys::issuer::IssuerError;
use crate::keys::{KeyStore, Purpose};
use crate::profile::Profile;
use crate::record::Record;

/// What a job proves its card by.
pub(crate) struct Made<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) record: &'a Record,
    pub(crate) plan: &'a Plan,
    pub(crate) store: &'a dyn KeyStore,
    pub(crate) ca_keys: Option<&'a CaKeys>,
    pub(crate) clock: Clock,
}

impl Made<'_> {
    /// Whether there is anything to prove it by: keys, or an answer to GET PROCESSING OPTIONS that carries what was loaded.
    /// A transaction takes the issuer master key, which must be there before a
    /// card is touched.
    ///
    /// # Errors
    /// The store does not hold the key that record or profile name for the transaction.
    pub(crate) fn is_wanted(&self, contactless: bool) -> Result<bool, IssuerError> {
        let verification = self.profile.verification();
        let transaction = verification.may_generate_ac();
        let keys = if transaction { host::used(verification, Some(self.record)) } else { Vec::new() };
        for (_, key) in &keys {
            self.store.open(&key.imk_ac, Purpose::ImkAc)?;
        }
        let mut groupings = self.plan.applications.iter().flat_map(|app| &app.groupings);
        let answered = contactless && groupings.any(|grouping| grouping.is_answered(contactless));
        Ok(!keys.is_empty() || self.ca_keys.is_some() || answered)
    }

    /// Proves what can be proven, and adds it to what the read-back has found.
    ///
    /// # Errors
    /// The link broke, or the host failed.
    pub(crate) fn prove(
        &self,
        card: &mut Card,
        contactless: bool,
        chance: &mut Chance,
        found: &mut ReadBackReport,
    ) -> Result<(), VerifyError> {
        let day = report::day(self.clock.now()).ok_or(VerifyError::Clock)?;
        let verification = self.profile.verification();
        let transaction = verification.may_generate_ac();
        let host = if transaction { Host::new(self.store, verification, Some(self.record))? } else { None };
        let terminal = Terminal { date: bcd(day), unpredictable: chance.bytes()? };
        let mut prover = Prover {
            ca_keys: self.ca_keys,
            month: MonthYear::new(day.0, day.1).ok_or(VerifyError::Clock)?,
            terminal: &terminal,
            contactless,
            host: host.as_ref(),
            no_host: "the profile does not allow a transaction ([verify] generate_ac)",
            record: Some(self.record),
            consent: &Consent { generate_ac: transaction, pin: None },
            may: (transaction, false),
            limits: Vec::new(),
            chance,
            proofs: Vec::new(),
        };
        let aids = self.record.applications().iter().map(|app| app.aid().to_vec()).collect();
        let mut failed = None;
        let contents = read_and_visit(card, &terminal, &Wanted { aids, candidates: false }, &mut |card, app| {
            super::kept(&mut failed, || prover.visit(card, app))
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        answer::compare(&contents, (self.record, self.plan), found);
        let proofs = prover.proofs;
        for proof in &proofs {
            evidence::shrink(proof, found);
            found.counters.push(Counter {
                aid: proof.aid.clone(),
                atc: proof.atc.clone(),
                cryptogram_made: proof.app.cryptogram_made,
            });
            let faults = proof.offline_faults.iter().map(|what| (Code::CardOda, what.clone()));
            // A cryptogram that is wrong, or that the data on the card do not allow.
            let refused = proof.checks.iter().filter_map(|it| {
                let mut codes = [Code::CardAc, Code::RecordDgi].into_iter();
                let code = codes.find(|code| it.code.as_deref() == Some(code.name()))?;
                Some((code, format!("{}: {}", it.check, it.why.clone().unwrap_or_default())))
            });
            for (code, what) in faults.chain(refused) {
                let (tag, at) = match code {
                    Code::CardAc | Code::RecordDgi => (Tag::of(0x9F26), "GENERATE AC"),
                    _ => (Tag::of(0x9F46), "offline data authentication"),
                };
                found.findings.push(Finding {
                    code,
                    aid: proof.aid.clone(),
                    at: at.to_owned(),
                    object: Object::Tag(tag),
                    name: tag_name(tag).unwrap_or("unknown data element").into(),
                    what,
                });
            }
        }
        let known = consistency::Known {
            profile: Some(self.profile),
            record: Some(self.record),
            ca_keys: self.ca_keys,
            today: Some(day),
        };
        found.findings.extend(consistency::broken(&contents, &proofs, &known));
        Ok(())
    }
}
