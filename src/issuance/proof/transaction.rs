//! A transaction: the card's cryptograms against the host's, and the issuer's answer. // EMV B3 §6.5.4, §6.5.5, B2 §8

use subtle::ConstantTimeEq;

use super::VerifyError;
use super::host::{APPROVED, Host, Keys, Scheme, Transaction};
use super::result::Ended;
use super::shown::{AIP_CDA, AIP_ISSUER, AppProof, Notes, UNKNOWN_VERSION, View};
use crate::base::codec::tlv::Tag;
use crate::base::crypto::RsaPublic;
use crate::base::fault::{Code, Fault};
use crate::card::emv::transaction::{self as commands, Generated, Kind};
use crate::card::emv::{Terminal, oda};
use crate::card::{Card, CardError};

const CRYPTOGRAM: &str = "cryptogram";
const ANSWER: &str = "issuer authentication";
const SECOND: &str = "second cryptogram";
/// The checks of a transaction, beside CDA.
pub(super) const STEPS: [&str; 3] = [CRYPTOGRAM, ANSWER, SECOND];

const ISSUER_ANSWER: Tag = Tag::of(0x91);
const RESPONSE_CODE: Tag = Tag::of(0x8A);
const TERMINAL_QUALIFIERS: Tag = Tag::of(0x9F66);
const VERIFICATION_RESULTS: Tag = Tag::of(0x95);
/// Issuer action code, denial.
const DENIAL: u32 = 0x9F0E;
/// Terminal verification results: the application is not yet effective. // EMV B3 annex C5
const NOT_YET_EFFECTIVE: [u8; 5] = [0x00, 0x20, 0x00, 0x00, 0x00];
/// Issuer authentication data have 8 to 16 bytes. // EMV B3 §6.5.4
const LONGEST: usize = 16;

/// One application's transaction.
pub(super) struct Work<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) view: &'a View<'a>,
    pub(super) host: &'a Host<'a>,
    /// The card's key, where it is proven.
    pub(super) card_key: Option<&'a RsaPublic>,
    pub(super) proof: &'a mut AppProof,
    pub(super) notes: &'a mut Notes,
}

/// The first cryptogram, and it was the host's.
struct First {
    scheme: Scheme,
    keys: Keys,
    cryptogram: [u8; 8],
    kind: Option<Kind>,
    transaction: Transaction,
}

impl Work<'_> {
    /// The cryptogram that was made at GET PROCESSING OPTIONS; there is no second one. // EMV C-3
    pub(super) fn at_once(&mut self, made: &Generated) -> Result<(), VerifyError> {
        self.proof.app.cryptogram_made = true;
        self.first(made, made.cryptogram, self.view.pdol.clone())?;
        for step in [ANSWER, SECOND] {
            self.notes.add(step, Ended::NotApplicable("a contactless transaction of one tap has none".into()));
        }
        Ok(())
    }

    /// An online request, the issuer's approval, and the cryptogram after it.
    pub(super) fn with(&mut self, card: &mut Card) -> Result<(), VerifyError> {
        let Some(list) = self.view.list(0x8C) else {
            match (self.proof.contactless, self.view.asks_for(TERMINAL_QUALIFIERS), self.view.value(0x8C)) {
                (true, true, None) => self.fail(
                    CRYPTOGRAM,
                    "the answer to GET PROCESSING OPTIONS holds none (9F26), although the PDOL asks for 9F66",
                ),
                // As a card with magnetic stripe mode alone; rule R9 tells it at preparation.
                (true, false, None) => {
                    self.skip(
                        &[CRYPTOGRAM],
                        "no cryptogram can be asked for: the PDOL has no 9F66, and no record holds CDOL1",
                    );
                }
                _ => self.lacks(CRYPTOGRAM, "the records hold no CDOL1 (8C) that is a data object list"),
            }
            self.skip(&[ANSWER, SECOND], "there is no first cryptogram");
            return Ok(());
        };
        let data = list.build(|tag| self.value(tag));
        let kind = if self.declines() { Kind::Declined } else { Kind::Online };
        let combined = kind == Kind::Online && self.view.aip[0] & AIP_CDA != 0 && self.card_key.is_some();
        let Some(made) = self.generate(card, kind, combined, &data, CRYPTOGRAM)? else {
            self.skip(&[ANSWER, SECOND], "there is no first cryptogram");
            return Ok(());
        };
        self.proof.app.cryptogram_made = true;
        let cryptogram = if combined { self.combined(&made, &data) } else { made.cryptogram };
        match self.first(&made, cryptogram, data.clone())? {
            Some(first) if first.kind == Some(Kind::Online) => self.answered(card, &first),
            Some(first) if first.kind == Some(Kind::Declined) && self.is_early() => {
                let why = "the card declines, as it should: it is not effective yet (5F25)";
                [ANSWER, SECOND].iter().for_each(|step| self.notes.add(step, Ended::NotApplicable(why.into())));
                Ok(())
            }
            Some(_) => {
                let why = "the card did not ask for the issuer's answer";
                [ANSWER, SECOND].iter().for_each(|step| self.notes.add(step, Ended::NotApplicable(why.into())));
                Ok(())
            }
            // Never an answer to a cryptogram that is not the card's own.
            None => {
                self.skip(&[ANSWER, SECOND], "an issuer does not answer a cryptogram that is not proven");
                Ok(())
            }
        }
    }

    /// CDA: the cryptogram out of the signature over it, where that is right.
    fn combined(&mut self, made: &Generated, data: &[u8]) -> Option<[u8; 8]> {
        let step = oda::Step::CombinedSignature.name();
        let sent = [self.view.pdol.as_slice(), data];
        let key = self.card_key?;
        // A card that declines does not sign. // EMV B2 §6.6
        if Kind::of(made.information) == Some(Kind::Declined) {
            self.notes.add(step, Ended::Skipped("the card declines, and does not sign that".into()));
            return made.cryptogram;
        }
        match oda::check_combined(key, &sent, self.terminal.unpredictable, &made.raw) {
            Ok(combined) => {
                self.proof.signed = true;
                self.notes.add(step, Ended::Passed);
                Some(combined.cryptogram)
            }
            Err(why) => {
                self.proof.offline_faults.push(format!("{step}: {why}"));
                self.notes.add(step, Ended::Failed(why.code(), why.to_string()));
                made.cryptogram
            }
        }
    }

    /// Compares the first cryptogram with the host's.
    fn first(
        &mut self,
        made: &Generated,
        cryptogram: Option<[u8; 8]>,
        sent: Vec<u8>,
    ) -> Result<Option<First>, VerifyError> {
        let Some(cryptogram) = cryptogram else {
            self.skip(&[CRYPTOGRAM], "the cryptogram is within a signature that cannot be opened");
            return Ok(None);
        };
        let Some(pan) = self.view.pan() else {
            self.lacks(CRYPTOGRAM, "there is no PAN to derive the card's key with");
            return Ok(None);
        };
        let Some(scheme) = self.host.scheme(&made.issuer_data) else {
            self.skip(&[CRYPTOGRAM], UNKNOWN_VERSION);
            return Ok(None);
        };
        let covered = [0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37];
        let values = covered.into_iter().filter_map(|tag| Some((tag, self.value(Tag::of(tag))?))).collect();
        let transaction =
            Transaction { sent, values, aip: self.view.aip, atc: made.atc, unpredictable: self.terminal.unpredictable };
        let psn = self.view.psn();
        let Some(keys) = self.host.keys((&self.proof.aid, scheme), &pan, psn, &transaction)? else {
            self.skip(&[CRYPTOGRAM], "no issuer master key is known for the application");
            return Ok(None);
        };
        let host = self.host.cryptogram(scheme, &keys, &transaction, &made.issuer_data)?;
        if !bool::from(host.ct_eq(&cryptogram)) {
            self.fail(CRYPTOGRAM, "the card's cryptogram is not the host's: its key, PAN or sequence number differs");
            return Ok(None);
        }
        self.proof.cryptogram = true;
        self.proof.key_sequence_number = Some(psn);
        let kind = Kind::of(made.information);
        match kind {
            Some(Kind::Declined) if !self.is_early() => {
                self.fail(CRYPTOGRAM, "it is the host's, but the card declines the transaction (AAC)")
            }
            _ => self.notes.add(CRYPTOGRAM, Ended::Passed),
        }
        Ok(Some(First { scheme, keys, cryptogram, kind, transaction }))
    }

    /// The issuer approves: by EXTERNAL AUTHENTICATE where the AIP says so, else as 91 in CDOL2. // EMV B3 §10.9
    fn answered(&mut self, card: &mut Card, first: &First) -> Result<(), VerifyError> {
        // Contactless kernels ask for one cryptogram; only a card that has CDOL2 anyway is asked for a second. // EMV C-2 §6.6
        if self.proof.contactless && self.view.value(0x8D).is_none() {
            let why = "a contactless transaction of one tap has none, and the card has no CDOL2";
            [ANSWER, SECOND].iter().for_each(|step| self.notes.add(step, Ended::NotApplicable(why.into())));
            return Ok(());
        }
        let Some(list) = self.view.list(0x8D) else {
            self.lacks(SECOND, "the records hold no CDOL2 (8D) that is a data object list");
            self.skip(&[ANSWER], "there is no second cryptogram");
            return Ok(());
        };
        let in_list =
            list.items().iter().find(|(tag, _)| *tag == ISSUER_ANSWER).map(|(_, length)| usize::from(*length));
        let by_command = self.view.aip[0] & AIP_ISSUER != 0;
        let length = if by_command { 8 } else { in_list.unwrap_or(8).min(LONGEST) };
        let approval = self.host.approval(first.scheme, &first.keys, first.cryptogram, length)?;
        let answers = approval.is_some();
        let approval = approval.unwrap_or_default();
        if !answers {
            self.notes.add(ANSWER, Ended::NotApplicable("the cryptogram version has no issuer's answer".into()));
        } else if by_command {
            let sw = commands::external_authenticate(card, &approval)?;
            if !sw.is_ok() {
                self.fail(ANSWER, &format!("the card does not take the issuer's answer: {sw}"));
                self.skip(&[SECOND], "the issuer's answer was not taken");
                return Ok(());
            }
            self.notes.add(ANSWER, Ended::Passed);
        }
        let data = list.build(|tag| match tag {
            RESPONSE_CODE => Some(APPROVED.to_vec()),
            ISSUER_ANSWER => Some(approval.clone()),
            other => self.value(other),
        });
        let Some(made) = self.generate(card, Kind::Approved, false, &data, SECOND)? else {
            if answers && !by_command {
                self.notes.add(ANSWER, Ended::Skipped("there is no second cryptogram to tell".into()));
            }
            return Ok(());
        };
        let kind = Kind::of(made.information);
        if answers && !by_command {
            self.notes.add(
                ANSWER,
                match (in_list, kind, made.information & 0x07) {
                    (None, _, _) => Ended::NotApplicable("neither AIP nor CDOL2 takes the issuer's answer".into()),
                    (_, _, 3) => Ended::Failed(Code::CardAc, "the card says that issuer authentication failed".into()),
                    (_, Some(Kind::Approved), _) => Ended::Passed,
                    _ => Ended::Skipped("the card declines, and does not say why".into()),
                },
            );
        }
        let mut transaction = Transaction { sent: data, ..first.transaction.clone() };
        transaction.atc = made.atc;
        let host = self.host.cryptogram(first.scheme, &first.keys, &transaction, &made.issuer_data)?;
        match (made.cryptogram, kind) {
            (Some(cryptogram), _) if !bool::from(cryptogram.ct_eq(&host)) => self.fail(SECOND, "it is not the host's"),
            (None, _) => self.fail(SECOND, "there is none in the answer"),
            (_, Some(Kind::Approved)) => self.notes.add(SECOND, Ended::Passed),
            (_, kind) => {
                let name = kind.map_or("of no known kind", Kind::name);
                self.fail(SECOND, &format!("the issuer approved, the card answers {name}"));
            }
        }
        Ok(())
    }

    /// The terminal's value of a data element at GENERATE AC: it has read the records by then.
    fn value(&self, tag: Tag) -> Option<Vec<u8>> {
        match tag {
            VERIFICATION_RESULTS if self.is_early() => Some(NOT_YET_EFFECTIVE.to_vec()),
            other => self.terminal.value(other),
        }
    }

    /// Whether the card's effective date is still to come. At GET PROCESSING OPTIONS a terminal does not know that yet.
    /// // EMV B3 §10.4.3
    fn is_early(&self) -> bool {
        let at_once = self.view.value(0x9F26).is_some();
        let from = self.view.value(0x5F25).and_then(|value| <[u8; 3]>::try_from(value).ok());
        !at_once && from.is_some_and(|from| full(from) > full(self.terminal.date))
    }

    /// Whether the issuer has terminals decline a card that is not effective yet. // EMV B3 §10.7
    fn declines(&self) -> bool {
        let denial = self.view.value(DENIAL).unwrap_or_default();
        self.is_early() && denial.iter().zip(NOT_YET_EFFECTIVE).any(|(held, bit)| held & bit != 0)
    }

    /// GENERATE AC; what the card does wrong is a failed step.
    fn generate(
        &mut self,
        card: &mut Card,
        kind: Kind,
        combined: bool,
        data: &[u8],
        step: &str,
    ) -> Result<Option<Generated>, VerifyError> {
        match commands::generate_ac(card, kind, combined, data) {
            Ok(made) => Ok(Some(made)),
            Err(error @ (CardError::Link(_) | CardError::Command(_))) => Err(error.into()),
            Err(error) => {
                self.fail(step, &error.to_string());
                Ok(None)
            }
        }
    }

    fn fail(&mut self, step: &str, why: &str) {
        self.notes.add(step, Ended::Failed(Code::CardAc, why.to_owned()));
    }

    /// What the data on the card lack: a matter of its record and profile, not of its keys.
    fn lacks(&mut self, step: &str, why: &str) {
        self.notes.add(step, Ended::Failed(Code::RecordDgi, why.to_owned()));
    }

    fn skip(&mut self, steps: &[&str], why: &str) {
        steps.iter().for_each(|step| self.notes.add(step, Ended::Skipped(why.to_owned())));
    }
}

/// A date YYMMDD in BCD with its century, for comparing. // EMV B4 §6.7.3
fn full([year, month, day]: [u8; 3]) -> [u8; 4] {
    [if year < 0x50 { 0x20 } else { 0x19 }, year, month, day]
}
