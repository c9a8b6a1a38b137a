//! Offline data authentication as a terminal does it: from what was read of a card up to the CA's key.
//! // EMV B2 §5, §6; B3 §10.3
//!
//! Every method that the card claims is tried, not only the one that a terminal would choose.

mod checks;

pub use checks::{Check, OfflineError, Outcome, Step, tvr_byte_1};

use super::accepted;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::crypto::RsaPublic;
use crate::base::emv::certificate::{
    Combined, IssuerCertificate, MonthYear, open_card, open_cda, open_dda, open_issuer, open_static, transaction_hash,
};
use crate::base::emv::{Afl, Dol, Pan, static_data};
use crate::card::apdu::Command;
use crate::card::plain::{Card, CardError, Misbehaviour};
use crate::keys::ca_keys::{CaKey, CaKeys};

const CA_INDEX: Tag = Tag::of(0x8F);
const PAN: Tag = Tag::of(0x5A);
const TAG_LIST: Tag = Tag::of(0x9F4A);
const SSAD: Tag = Tag::of(0x93);
const DDOL: Tag = Tag::of(0x9F49);
const UNPREDICTABLE: Tag = Tag::of(0x9F37);
const SDAD: Tag = Tag::of(0x9F4B);
const CID: Tag = Tag::of(0x9F27);
const CRYPTOGRAM: Tag = Tag::of(0x9F26);
const RELATED: Tag = Tag::of(0x9F69);
/// First byte of the card authentication related data: fDDA version 01. // EMV C-3 §5.6.1, annex C.1
const FAST_VERSION: u8 = 0x01;
/// Certificate, remainder, exponent.
const ISSUER: [Tag; 3] = [Tag::of(0x90), Tag::of(0x92), Tag::of(0x9F32)];
const ICC: [Tag; 3] = [Tag::of(0x9F46), Tag::of(0x9F48), Tag::of(0x9F47)];
const PIN: [Tag; 3] = [Tag::of(0x9F2D), Tag::of(0x9F2F), Tag::of(0x9F2E)];
/// What a terminal takes where the card has no DDOL: the unpredictable number. // EMV B3 §10.3
const DEFAULT_DDOL: &[u8] = &[0x9F, 0x37, 0x04];

/// Bits of the first byte of the AIP. // EMV B3 annex C1
const AIP_SDA: u8 = 0x40;
const AIP_DDA: u8 = 0x20;
const AIP_CDA: u8 = 0x01;

/// What was read of a card's application.
#[derive(Clone, Copy)]
pub struct ReadCard<'a> {
    /// The first five bytes of its AID.
    pub rid: [u8; 5],
    /// Application interchange profile, tag 82.
    pub aip: [u8; 2],
    /// Application file locator, tag 94.
    pub afl: &'a Afl,
    /// File, record number and the record as READ RECORD gave it, in the order of the AFL.
    pub records: &'a [((u8, u8), Vec<u8>)],
}

/// What the terminal brings.
#[derive(Clone, Copy)]
pub struct Terminal<'a> {
    /// The CA keys that it trusts.
    pub ca_keys: &'a CaKeys,
    /// The month in which it is.
    pub month: MonthYear,
    /// Its unpredictable number, tag 9F37.
    pub unpredictable: [u8; 4],
}

/// What a contactless card answered at once: GET PROCESSING OPTIONS gave its cryptogram. // EMV C-3 §5.4
#[derive(Clone)]
pub struct FastAnswer<'a> {
    /// The objects of the answer.
    pub objects: &'a [Tlv],
    /// Unpredictable number (9F37), amount (9F02) and currency (5F2A) as the card got them, one behind the other. None if
    /// the PDOL did not ask for all of them: a signature cannot cover them then.
    pub given: Option<Vec<u8>>,
}

/// What offline data authentication has shown.
pub struct OfflineReport {
    /// Each check, in the order in which they build on each other.
    pub checks: Vec<Check>,
    /// Whether the CA key that was used is for test cards only; nothing where none was found.
    pub test_ca: Option<bool>,
    /// The issuer's key, where it is proven.
    pub issuer_key: Option<RsaPublic>,
    /// The card's key for DDA and CDA, where it is proven.
    pub card_key: Option<RsaPublic>,
    /// The card's key for the encipherment of PINs, where it has its own and that is proven.
    pub pin_key: Option<RsaPublic>,
}

/// Does SDA, and DDA with INTERNAL AUTHENTICATE where there is a card to ask; of CDA what comes before GENERATE AC, see
/// [`check_combined`]. The application is selected, and GET PROCESSING OPTIONS was answered.
///
/// # Errors
/// The link broke. All that the card does wrong is a failed check.
pub fn authenticate(
    read: &ReadCard<'_>,
    terminal: &Terminal<'_>,
    card: Option<&mut Card>,
) -> Result<OfflineReport, CardError> {
    let mut work = Authentication::new(read, terminal, &[]);
    if work.claims_nothing() {
        return Ok(work.report);
    }
    work.certificates();
    work.dynamic(card)?;
    work.combined();
    Ok(work.report)
}

/// The same for a contactless card that answered at once: its certificates as far as the AFL names records, and the
/// signature of that answer (fDDA) if it gave one. The signature stands in the answer or in a record.
/// // EMV C-3 §5.6.1, annex C.1
pub fn authenticate_fast(read: &ReadCard<'_>, terminal: &Terminal<'_>, fast: &FastAnswer<'_>) -> OfflineReport {
    let mut work = Authentication::new(read, terminal, fast.objects);
    if work.claims_nothing() {
        return work.report;
    }
    work.certificates();
    work.fast(fast);
    work.report
}

struct Authentication<'a> {
    read: &'a ReadCard<'a>,
    terminal: &'a Terminal<'a>,
    objects: Vec<Tlv>,
    report: OfflineReport,
}

impl<'a> Authentication<'a> {
    fn new(read: &'a ReadCard<'a>, terminal: &'a Terminal<'a>, answer: &[Tlv]) -> Self {
        let records = read.records.iter().filter_map(|(_, record)| tlv::parse(record).ok()).flatten();
        let objects = records.chain(answer.iter().cloned()).collect();
        let report =
            OfflineReport { checks: Vec::new(), test_ca: None, issuer_key: None, card_key: None, pin_key: None };
        Self { read, terminal, objects, report }
    }

    fn claims_nothing(&mut self) -> bool {
        let [methods, _] = self.read.aip;
        let nothing = methods & (AIP_SDA | AIP_DDA | AIP_CDA) == 0;
        for step in Step::ALL.into_iter().filter(|_| nothing) {
            self.note(step, Outcome::NotApplicable("the AIP claims no offline data authentication"));
        }
        nothing
    }

    /// All that takes no card: certificates and signed static data.
    fn certificates(&mut self) {
        self.issuer();
        let signed = self.static_data();
        self.signed_static(signed.as_deref());
        self.card_key(signed.as_deref());
        self.pin_key();
    }

    /// From the CA key to the issuer's. // EMV B2 §5.2, §5.3
    fn issuer(&mut self) {
        let ca = self.ca_key();
        self.report.test_ca = ca.as_ref().ok().map(CaKey::is_test);
        let Some(ca) = self.settle(Step::CaKey, ca) else {
            self.note(Step::IssuerCertificate, Outcome::Skipped("there is no CA key to open it with"));
            return;
        };
        let issuer = self.issuer_certificate(&ca);
        self.report.issuer_key = self.settle(Step::IssuerCertificate, issuer).map(|issuer| issuer.key);
    }

    fn ca_key(&self) -> Result<CaKey, OfflineError> {
        let index = match self.object(CA_INDEX)?.as_slice() {
            [index] => *index,
            _ => return Err(OfflineError::Form(CA_INDEX)),
        };
        let unknown = || OfflineError::UnknownCa { rid: hex::encode_upper(self.read.rid), index };
        let key = self.terminal.ca_keys.find(self.read.rid, index).ok_or_else(unknown)?;
        match key.expiry() {
            Some(expiry) if expiry < self.terminal.month => Err(OfflineError::CaExpired(expiry)),
            _ => Ok(key.clone()),
        }
    }

    fn issuer_certificate(&self, ca: &CaKey) -> Result<IssuerCertificate, OfflineError> {
        let [certificate, remainder, exponent] = self.certificate(ISSUER)?;
        let issuer = open_issuer(ca.key(), &certificate, &remainder, &exponent)?;
        issuer.is_for(&self.pan()?)?;
        issuer.is_valid_in(self.terminal.month)?;
        Ok(issuer)
    }

    fn static_data(&mut self) -> Option<Vec<u8>> {
        let tag_list = self.object(TAG_LIST).unwrap_or_default();
        let records = self.read.records;
        let record =
            |sfi, number| records.iter().find(|(place, _)| *place == (sfi, number)).map(|(_, record)| record.clone());
        let data = static_data(self.read.afl, record, &tag_list, self.read.aip).map_err(OfflineError::Static);
        self.settle(Step::StaticData, data)
    }

    /// SDA. // EMV B2 §5.4
    fn signed_static(&mut self, data: Option<&[u8]>) {
        let step = Step::SignedStaticData;
        if self.read.aip[0] & AIP_SDA == 0 {
            return self.note(step, Outcome::NotApplicable("the AIP does not claim SDA"));
        }
        let (Some(issuer), Some(data)) = (self.report.issuer_key.clone(), data) else {
            return self.note(step, Outcome::Skipped(NO_ISSUER_OR_DATA));
        };
        let opened = self.object(SSAD).and_then(|ssad| Ok(open_static(&issuer, &ssad, data)?));
        self.settle(step, opened);
    }

    /// The card's key for DDA and CDA. // EMV B2 §6.4
    fn card_key(&mut self, data: Option<&[u8]>) {
        let step = Step::CardCertificate;
        if self.read.aip[0] & (AIP_DDA | AIP_CDA) == 0 {
            return self.note(step, Outcome::NotApplicable("the AIP claims neither DDA nor CDA"));
        }
        let (Some(issuer), Some(data)) = (self.report.issuer_key.clone(), data) else {
            return self.note(step, Outcome::Skipped(NO_ISSUER_OR_DATA));
        };
        let key = self.proven_key(&issuer, ICC, data);
        self.report.card_key = self.settle(step, key);
    }

    /// The card's key for enciphered PINs, where it has one of its own. // EMV B2 §7.1
    fn pin_key(&mut self) {
        let step = Step::PinCertificate;
        if self.object(PIN[0]).is_err() {
            return self.note(step, Outcome::NotApplicable("the card has no key for PINs alone"));
        }
        let Some(issuer) = self.report.issuer_key.clone() else {
            return self.note(step, Outcome::Skipped(NO_ISSUER_OR_DATA));
        };
        let key = self.proven_key(&issuer, PIN, &[]);
        self.report.pin_key = self.settle(step, key);
    }

    fn proven_key(&self, issuer: &RsaPublic, tags: [Tag; 3], data: &[u8]) -> Result<RsaPublic, OfflineError> {
        let [certificate, remainder, exponent] = self.certificate(tags)?;
        let card = open_card(issuer, &certificate, &remainder, &exponent)?.prove(data)?;
        card.is_for(&self.pan()?)?;
        card.is_valid_in(self.terminal.month)?;
        Ok(card.key)
    }

    /// DDA. // EMV B2 §6.5
    fn dynamic(&mut self, card: Option<&mut Card>) -> Result<(), CardError> {
        let step = Step::DynamicSignature;
        if self.read.aip[0] & AIP_DDA == 0 {
            self.note(step, Outcome::NotApplicable("the AIP does not claim DDA"));
            return Ok(());
        }
        let Some(key) = self.report.card_key.clone() else {
            self.note(step, Outcome::Skipped(NO_CARD_KEY));
            return Ok(());
        };
        let Some(card) = card else {
            self.note(step, Outcome::Skipped("there is no card to ask for INTERNAL AUTHENTICATE"));
            return Ok(());
        };
        let data = match self.ddol_data() {
            Ok(data) => data,
            Err(why) => {
                self.note(step, Outcome::Failed(why));
                return Ok(());
            }
        };
        let opened = match internal_authenticate(card, &data) {
            Ok(sdad) => open_dda(&key, &sdad, &data).map_err(OfflineError::from),
            Err(CardError::Refused { sw, .. }) => Err(OfflineError::Refused(sw)),
            Err(CardError::Misbehaved(_)) => Err(OfflineError::Form(SDAD)),
            Err(error) => return Err(error),
        };
        self.settle(step, opened);
        Ok(())
    }

    /// fDDA: the signature of an answer that was given at once. // EMV C-3 §5.6.1, annex C.1
    fn fast(&mut self, fast: &FastAnswer<'_>) {
        let step = Step::FastSignature;
        if self.read.aip[0] & AIP_DDA == 0 {
            return self.note(step, Outcome::NotApplicable("the AIP does not claim DDA"));
        }
        let Ok(signature) = self.object(SDAD) else {
            return self.note(step, Outcome::Skipped("the card gave no signature (9F4B) for this transaction"));
        };
        let Some(key) = self.report.card_key.clone() else {
            return self.note(step, Outcome::Skipped(NO_CARD_KEY));
        };
        let related = match self.object(RELATED) {
            Ok(related) if related.first() == Some(&FAST_VERSION) => related,
            _ => {
                let why = "the card gives no 9F69 of fDDA version 01: what its signature covers is not known";
                return self.note(step, Outcome::Skipped(why));
            }
        };
        let Some(given) = &fast.given else {
            let why = "the PDOL does not ask for 9F37, 9F02 and 5F2A, which the signature of fDDA covers";
            return self.note(step, Outcome::Skipped(why));
        };
        let covered = [given.as_slice(), &related].concat();
        self.settle(step, open_dda(&key, &signature, &covered).map_err(OfflineError::from));
    }

    /// Values of the DDOL as a terminal without a transaction gives them: zeros, but for the unpredictable number.
    fn ddol_data(&self) -> Result<Vec<u8>, OfflineError> {
        let bytes = self.object(DDOL).unwrap_or_else(|_| DEFAULT_DDOL.to_vec());
        let ddol = Dol::parse(&bytes).map_err(|_| OfflineError::Form(DDOL))?;
        if !ddol.items().iter().any(|(tag, _)| *tag == UNPREDICTABLE) {
            return Err(OfflineError::NothingUnpredictable);
        }
        Ok(ddol.build(|tag| (tag == UNPREDICTABLE).then(|| self.terminal.unpredictable.to_vec())))
    }

    fn combined(&mut self) {
        let outcome = match (self.read.aip[0] & AIP_CDA, &self.report.card_key) {
            (0, _) => Outcome::NotApplicable("the AIP does not claim CDA"),
            (_, None) => Outcome::Skipped(NO_CARD_KEY),
            (_, Some(_)) => Outcome::Skipped("it takes GENERATE AC, which was not asked for"),
        };
        self.note(Step::CombinedSignature, outcome);
    }

    /// Certificate, remainder (empty where there is none) and exponent.
    fn certificate(&self, [certificate, remainder, exponent]: [Tag; 3]) -> Result<[Vec<u8>; 3], OfflineError> {
        Ok([self.object(certificate)?, self.object(remainder).unwrap_or_default(), self.object(exponent)?])
    }

    fn pan(&self) -> Result<Pan, OfflineError> {
        Pan::from_cn(&self.object(PAN)?).map_err(|_| OfflineError::Form(PAN))
    }

    fn object(&self, tag: Tag) -> Result<Vec<u8>, OfflineError> {
        tlv::find(&self.objects, tag).map(Tlv::value_bytes).ok_or(OfflineError::Missing(tag))
    }

    fn settle<T>(&mut self, step: Step, result: Result<T, OfflineError>) -> Option<T> {
        match result {
            Ok(value) => {
                self.note(step, Outcome::Passed);
                Some(value)
            }
            Err(why) => {
                self.note(step, Outcome::Failed(why));
                None
            }
        }
    }

    fn note(&mut self, step: Step, outcome: Outcome) {
        self.report.checks.push(Check { step, outcome });
    }
}

const NO_ISSUER_OR_DATA: &str = "the issuer's key is not proven, or there are no static data";
const NO_CARD_KEY: &str = "the card's key is not proven";

/// INTERNAL AUTHENTICATE with these data; the signed dynamic application data. // EMV B3 §6.5.9
///
/// # Errors
/// The link broke, the card refuses, or its answer holds no signature.
pub fn internal_authenticate(card: &mut Card, data: &[u8]) -> Result<Vec<u8>, CardError> {
    let command = Command::new(0x00, 0x88, 0x00, 0x00).with_data(data).with_le(256);
    let answer = accepted(card.transmit(&command)?, "INTERNAL AUTHENTICATE", 0x88)?;
    let malformed = CardError::Misbehaved(Misbehaviour::Malformed("INTERNAL AUTHENTICATE"));
    let Ok(answer) = tlv::parse_one(&answer.data) else { return Err(malformed) };
    if answer.tag == Tag::of(0x80) {
        return Ok(answer.value_bytes());
    }
    let sdad = tlv::find(answer.children(), SDAD).map(Tlv::value_bytes);
    sdad.filter(|_| answer.tag == Tag::of(0x77)).ok_or(malformed)
}

/// The signature in a card's answer to GENERATE AC (template 77), for a transaction in which `sent` were the values that
/// PDOL and CDOL1 asked for and, at a second one, CDOL2. // EMV B2 §6.6.2
///
/// # Errors
/// The first reason for which a terminal would not take it.
pub fn check_combined(
    card_key: &RsaPublic,
    sent: &[&[u8]],
    unpredictable: [u8; 4],
    answer: &[u8],
) -> Result<Combined, OfflineError> {
    let malformed = |_| OfflineError::Form(Tag::of(0x77));
    let (tag, template, rest) = tlv::split_object(answer).map_err(malformed)?;
    let objects = tlv::parse(template).map_err(malformed)?;
    if tag != Tag::of(0x77) || !rest.is_empty() {
        return Err(OfflineError::Form(tag));
    }
    let object = |tag| tlv::find(&objects, tag).map(Tlv::value_bytes).ok_or(OfflineError::Missing(tag));
    let combined = open_cda(card_key, &object(SDAD)?, unpredictable)?;
    let cid = match object(CID)?.as_slice() {
        [cid] => *cid,
        _ => return Err(OfflineError::Form(CID)),
    };
    // With CDA the cryptogram travels in the signature alone; a card may send it beside.
    let cryptogram = match object(CRYPTOGRAM) {
        Ok(value) => Some(value.try_into().map_err(|_| OfflineError::Form(CRYPTOGRAM))?),
        Err(_) => None,
    };
    combined.is_of(cid, cryptogram, transaction_hash(sent, template).map_err(malformed)?)?;
    Ok(combined)
}
