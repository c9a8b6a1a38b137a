//! GENERATE AC, and what a transaction remembers. // EMV B3 §6.5.5, §9, B2 §6.6

use std::sync::Arc;

use super::applet::{self, Keys, Results, Scheme};
use super::blank::Applet;
use super::cryptogram::{self, Key};
use super::data::{grouping, internal, last_online, located, ok, tlv, tlv_if_any};
use super::fault::When;
use super::{Application, SimCard, dol, signature};
use crate::base::crypto as cipher;
use crate::card::apdu::Response;

/// What the terminal has given and the card has answered since GET PROCESSING OPTIONS.
#[derive(Clone, Default)]
pub(super) struct Transaction {
    /// Application interchange profile and file locator, as they were answered.
    pub(super) profile: Vec<u8>,
    pub(super) locator: Vec<u8>,
    /// Values of the terminal by tag, the latest last.
    pub(super) given: Vec<(u32, Vec<u8>)>,
    /// Data of GET PROCESSING OPTIONS, then that of GENERATE AC: what the hash of a combined signature covers.
    pub(super) covered: Vec<u8>,
    pub(super) first: Option<First>,
    /// There is no cryptogram to come.
    pub(super) ended: bool,
    pub(super) issuer: Issuer,
    /// The issuer has answered, and has not approved.
    pub(super) declined: bool,
    /// Script commands whose MAC was right.
    pub(super) scripts: u64,
    /// INTERNAL AUTHENTICATE was answered.
    pub(super) signed: bool,
    /// What a fast signature adds to the records: 9F69 with the card's own number, and 9F4B if a record has room for it.
    pub(super) fast: Vec<(u32, Vec<u8>)>,
}

/// The first cryptogram.
#[derive(Clone)]
pub(super) struct First {
    pub(super) information: u8,
    pub(super) cryptogram: [u8; 8],
    pub(super) key: Arc<Key>,
}

/// Whether the issuer has been authenticated.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Issuer {
    #[default]
    Unasked,
    Right,
    Wrong,
}

/// What can be made of a transaction; the greater, the better for whoever pays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Declined,
    Online,
    Approved,
}

impl Outcome {
    fn of(bits: u8) -> Option<Self> {
        match bits & 0xC0 {
            0x00 => Some(Self::Declined),
            0x40 => Some(Self::Approved),
            0x80 => Some(Self::Online),
            _ => None,
        }
    }

    pub(super) fn information(self) -> u8 {
        match self {
            Self::Declined => 0x00,
            Self::Approved => 0x40,
            Self::Online => 0x80,
        }
    }
}

impl Transaction {
    /// The latest value of the terminal for a tag; zeros where it gave none.
    pub(super) fn value(&self, tag: u32, length: usize) -> Vec<u8> {
        let mut value = self.latest(tag).map(<[u8]>::to_vec).unwrap_or_default();
        value.resize(length, 0);
        value
    }

    pub(super) fn latest(&self, tag: u32) -> Option<&[u8]> {
        self.given.iter().rev().find(|(known, _)| *known == tag).map(|(_, value)| value.as_slice())
    }
}

/// What goes into one cryptogram.
pub(super) struct Inputs<'a> {
    pub(super) scheme: Scheme,
    pub(super) keys: &'a Keys,
    /// Data of this command.
    pub(super) data: &'a [u8],
    pub(super) counter: u16,
    pub(super) issuer_data: &'a [u8],
}

/// The cryptogram and its key.
pub(super) fn cryptogram(transaction: &Transaction, inputs: &Inputs<'_>) -> Option<([u8; 8], Key)> {
    let Inputs { scheme, keys, data, counter, issuer_data } = *inputs;
    let key = match &transaction.first {
        Some(first) => Key::new(first.key.expose().clone()),
        None => scheme.key(&keys.ac, counter, &transaction.value(0x9F37, 4))?,
    };
    let covered = || scheme.covered().iter().flat_map(|(tag, length)| transaction.value(*tag, *length)).collect();
    let asked: Vec<u8> = if scheme.applet == Applet::Plain { data.to_vec() } else { covered() };
    let middle = scheme.middle(&transaction.profile, counter);
    let input = [asked.as_slice(), &middle, &scheme.tail(issuer_data)].concat();
    Some((cryptogram::mac(key.expose(), &input, scheme.pads_80)?, key))
}

impl SimCard {
    /// GENERATE AC: at most what was asked for; a first, and after an online request a second.
    pub(super) fn generate_ac(&mut self, p1: u8, data: &[u8]) -> Response {
        let Some(mut transaction) = self.session.transaction.take() else { return Response::status(0x6985) };
        let answer = self.generated(&mut transaction, p1, data);
        self.session.transaction = Some(transaction);
        answer.unwrap_or_else(Response::status)
    }

    fn generated(&mut self, transaction: &mut Transaction, p1: u8, data: &[u8]) -> Result<Response, u16> {
        let combined = p1 & 0x10 != 0;
        let asked = Outcome::of(p1).filter(|_| p1 & 0x2F == 0).ok_or(0x6A86u16)?;
        let (at, app) = self.application().ok_or(0x6985u16)?;
        let second = transaction.first.is_some();
        if transaction.ended || (second && asked == Outcome::Online) {
            return Err(0x6985);
        }
        let list = located(app, &transaction.locator, if second { 0x8D } else { 0x8C }).ok_or(0x6985u16)?;
        let entries = dol::entries(&list).ok_or(0x6985u16)?;
        let given = dol::given(&entries, data).ok_or(0x6700u16)?;
        let template = applet::template(app, self.contactless);
        let scheme = self.scheme(at, &template).ok_or(0x6985u16)?;
        let keys = applet::keys(app, self.contactless).ok_or(0x6985u16)?;
        let counter = app.atc;
        transaction.given.extend(given);
        if second {
            self.answer_in_list(at, transaction, scheme, &keys);
        }
        let outcome = self.decided(at, transaction, asked, second);
        let issuer_data = scheme.data(&template, self.results(at, transaction, outcome, second));
        let inputs = Inputs { scheme, keys: &keys, data, counter, issuer_data: &issuer_data };
        let (made, key) = cryptogram(transaction, &inputs).ok_or(0x6985u16)?;
        let made = self.spoiled_block(at, 0x9F26, made);
        let information = outcome.information() | self.reason(at, transaction, outcome);
        transaction.covered.extend_from_slice(data);
        let parts = Parts { information, counter, cryptogram: made, issuer_data };
        let answer = if combined && outcome != Outcome::Declined {
            self.combined(at, transaction, parts)?
        } else {
            self.separate(at, parts)
        };
        transaction.ended = second || outcome != Outcome::Online;
        if !second {
            transaction.first = Some(First { information, cryptogram: made, key: Arc::new(key) });
        }
        self.concluded(at, transaction, outcome);
        Ok(ok(answer))
    }

    /// The most that the card agrees to.
    fn decided(&self, at: usize, transaction: &Transaction, asked: Outcome, second: bool) -> Outcome {
        let Some(app) = self.file.state.applications.get(at) else { return Outcome::Declined };
        let refused = app.blocked || transaction.issuer == Issuer::Wrong || transaction.declined;
        match asked {
            _ if refused => Outcome::Declined,
            Outcome::Approved if !second && too_long_offline(app) => Outcome::Online,
            asked => asked,
        }
    }

    /// What the card verification results tell at this cryptogram.
    pub(super) fn results(&self, at: usize, transaction: &Transaction, outcome: Outcome, second: bool) -> Results {
        let Some(app) = self.file.state.applications.get(at) else { return Results::default() };
        let first = transaction.first.as_ref().map_or(outcome.information(), |first| first.information);
        Results {
            first: Some(first),
            second: second.then_some(outcome.information()),
            issuer_failed: transaction.issuer == Issuer::Wrong,
            pin_tried: self.session.pin_tried,
            pin_failed: self.session.pin_failed,
            // Y3 and Z3: the terminal could not go online
            offline: second && matches!(transaction.latest(0x8A), Some(b"Y3" | b"Z3")),
            pin_blocked: pin_blocked(app),
            blocked: app.blocked,
            scripts: app.scripts,
            script_failed: app.script_failed,
            signed: transaction.signed,
        }
    }

    /// Low bits of the cryptogram information data: why it was declined. // EMV B3 table 15
    fn reason(&self, at: usize, transaction: &Transaction, outcome: Outcome) -> u8 {
        match self.file.state.applications.get(at) {
            _ if outcome != Outcome::Declined => 0,
            _ if transaction.issuer == Issuer::Wrong => 3,
            Some(app) if app.blocked => 1,
            Some(app) if pin_blocked(app) => 2,
            _ => 0,
        }
    }

    /// Counters and log, once it is known how a transaction has ended.
    pub(super) fn concluded(&mut self, at: usize, transaction: &Transaction, outcome: Outcome) {
        if !transaction.ended {
            return;
        }
        let entry = (outcome == Outcome::Approved).then(|| self.log_entry(at, transaction)).flatten();
        let Some(app) = self.file.state.applications.get_mut(at) else { return };
        if transaction.issuer == Issuer::Right {
            app.last_online = Some(app.atc);
        }
        if let Some((entry, most)) = entry {
            app.log.insert(0, entry.into());
            app.log.truncate(most);
        }
    }

    /// What the card answers under a tag, wrong where a fault is asked for.
    pub(super) fn spoiled(&self, at: usize, tag: u16, value: Vec<u8>) -> Vec<u8> {
        self.corrupted(at, tag, value, When::Answering)
    }

    /// The same of a cryptogram.
    pub(super) fn spoiled_block(&self, at: usize, tag: u16, value: [u8; 8]) -> [u8; 8] {
        self.spoiled(at, tag, value.to_vec()).try_into().unwrap_or(value)
    }

    fn separate(&self, at: usize, parts: Parts) -> Vec<u8> {
        let Parts { information, counter, cryptogram, issuer_data } = parts;
        let issuer_data = self.spoiled(at, 0x9F10, issuer_data);
        let counter = counter.to_be_bytes();
        if self.file.blank.gpo_format_1 {
            return tlv(0x80, &[&[information], counter.as_slice(), &cryptogram, &issuer_data].concat());
        }
        let inside = [tlv(0x9F27, &[information]), tlv(0x9F36, &counter), tlv(0x9F26, &cryptogram)].concat();
        tlv(0x77, &[inside, tlv_if_any(0x9F10, &issuer_data)].concat())
    }

    /// The answer with the cryptogram inside a signature. // EMV B2 §6.6.1
    fn combined(&mut self, at: usize, transaction: &Transaction, parts: Parts) -> Result<Vec<u8>, u16> {
        let Parts { information, counter, cryptogram, issuer_data } = parts;
        let app = self.file.state.applications.get(at).ok_or(0x6985u16)?;
        let key = signature::signing_key(app, self.contactless).ok_or(0x6985u16)?;
        let before = [tlv(0x9F27, &[information]), tlv(0x9F36, &counter.to_be_bytes())].concat();
        let after = tlv_if_any(0x9F10, &issuer_data);
        let hash = cipher::sha1(&[transaction.covered.as_slice(), &before, &after].concat());
        let number = self.chance::<8>(b"dynamic number");
        let dynamic = [&[8], number.as_slice(), &[information], &cryptogram, &hash].concat();
        let signed = signature::sign(&key, &dynamic, &transaction.value(0x9F37, 4)).ok_or(0x6985u16)?;
        let signed = tlv(0x9F4B, &self.spoiled(at, 0x9F4B, signed));
        let after = tlv_if_any(0x9F10, &self.spoiled(at, 0x9F10, issuer_data));
        let answer = tlv(0x77, &[before, signed, after].concat());
        // A key that is too long for a short answer: such a card would not have been issued.
        if answer.len() > 256 && !self.file.blank.extended { Err(0x6985) } else { Ok(answer) }
    }
}

/// What an answer is made of.
struct Parts {
    information: u8,
    counter: u16,
    cryptogram: [u8; 8],
    issuer_data: Vec<u8>,
}

fn pin_blocked(app: &Application) -> bool {
    app.tries == 0 && grouping(app, 0x9010).is_some()
}

/// Whether more transactions have gone by since the last online one than the lower limit says (9F58, or EMV's own
/// 9F14); without a limit never.
fn too_long_offline(app: &Application) -> bool {
    let limit = [0x9F58, 0x9F14].into_iter().find_map(|tag| internal(app, tag));
    let since = app.atc.saturating_sub(last_online(app));
    limit.and_then(|limit| limit.first().copied()).is_some_and(|limit| since > u16::from(limit))
}
