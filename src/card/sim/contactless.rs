//! Contactless: the fast path of a Visa-like application, the checksum of a Mastercard-like one.
//! // EMV C-3 annex C.1; PAYPASS

use super::applet;
use super::blank::Applet;
use super::cryptogram::Key;
use super::data::{located, ok, tlv, tlv_if_any};
use super::generate::{Inputs, Outcome, Transaction, cryptogram};
use super::{Application, SimCard, data, signature};
use crate::card::apdu::Response;

/// First byte of the terminal transaction qualifiers: the fast path, offline only, authentication of online ones.
const FAST: u8 = 0x20;
const OFFLINE_ONLY: u8 = 0x08;
const SIGNED_ONLINE: u8 = 0x01;
/// Second byte: an online cryptogram is required.
const ONLINE: u8 = 0x80;
/// Longest answer without extended length.
const LONGEST: usize = 256;
/// Objects that the card makes for each transaction: what was personalized under them is room, not data.
const DYNAMIC: [u32; 7] = [0x82, 0x94, 0x9F10, 0x9F26, 0x9F27, 0x9F36, 0x9F4B];

impl SimCard {
    /// Whether GET PROCESSING OPTIONS makes the cryptogram itself: a contactless application whose PDOL asks for the
    /// terminal's qualifiers, to a terminal that says so. Mastercard-like ones never do.
    pub(super) fn is_fast(&self, at: usize, app: &Application, given: &[(u32, Vec<u8>)]) -> bool {
        let says =
            given.iter().any(|(tag, value)| *tag == 0x9F66 && value.first().is_some_and(|byte| byte & FAST != 0));
        let scheme = self.scheme(at, &applet::template(app, true));
        // Without keys that make a cryptogram it answers as with contacts.
        let makes = applet::keys(app, true).is_some();
        self.contactless && says && makes && scheme.is_some_and(|scheme| scheme.applet != Applet::Mchip)
    }

    /// The one answer of the fast path; the counter has moved already.
    pub(super) fn fast(&mut self, at: usize, transaction: &mut Transaction) -> Option<Vec<u8>> {
        let app = self.file.state.applications.get(at)?;
        let (template, keys, counter) = (applet::template(app, true), applet::keys(app, true)?, app.atc);
        let scheme = self.scheme(at, &template)?;
        let qualifiers = transaction.value(0x9F66, 4);
        let has = |at: usize, bit: u8| qualifiers.get(at).is_some_and(|byte| byte & bit != 0);
        let key = signature::signing_key(app, true).filter(|_| !transaction.locator.is_empty());
        // What is approved offline is signed; who takes nothing else does not hear of going online.
        let outcome = match (has(0, OFFLINE_ONLY), key.is_some() && !has(1, ONLINE)) {
            _ if app.blocked => Outcome::Declined,
            (_, true) => Outcome::Approved,
            (true, false) => Outcome::Declined,
            (false, false) => Outcome::Online,
        };
        let results = self.results(at, transaction, outcome, false);
        let issuer_data = scheme.data(&template, results);
        // The command's data: what the PDOL asked for.
        let asked = transaction.covered.clone();
        let inputs = Inputs { scheme, keys: &keys, data: &asked, counter, issuer_data: &issuer_data };
        let (made, _) = cryptogram(transaction, &inputs)?;
        let made = self.spoiled_block(at, 0x9F26, made);
        let carried = self.carried(at, &transaction.locator);
        let options = carried.iter().find(|(tag, _)| *tag == 0x9F6C).map(|(_, value)| value.clone());
        let is_signed = outcome == Outcome::Approved || (outcome == Outcome::Online && has(0, SIGNED_ONLINE));
        let signed = match key.filter(|_| is_signed) {
            Some(key) => {
                let (covered, related) = self.covered(at, transaction, &options.unwrap_or_default());
                let dynamic = [[2].as_slice(), &counter.to_be_bytes()].concat();
                transaction.fast.extend(related.map(|related| (0x9F69, related)));
                Some(self.spoiled(at, 0x9F4B, signature::sign(&key, &dynamic, &covered)?))
            }
            None => None,
        };
        // A record with room for a signature of this length takes it; a long one would not go into the answer.
        let room = |length| {
            let app = self.file.state.applications.get(at);
            app.and_then(|app| located(app, &transaction.locator, 0x9F4B)).is_some_and(|value| value.len() == length)
        };
        let (in_record, in_answer) = match &signed {
            Some(value) if room(value.len()) => (signed.clone(), None),
            _ => (None, signed.clone()),
        };
        transaction.fast.extend(in_record.map(|value| (0x9F4B, value)));
        // Records are read only for the certificates that go with a signature.
        let locator = signed.as_ref().map(|_| transaction.locator.clone()).unwrap_or_default();
        let carried: Vec<Vec<u8>> = carried.iter().map(|(tag, value)| tlv(*tag, value)).collect();
        let answer = [
            tlv(0x82, &transaction.profile),
            tlv_if_any(0x94, &locator),
            carried.concat(),
            tlv_if_any(0x9F10, &self.spoiled(at, 0x9F10, issuer_data)),
            tlv(0x9F26, &made),
            tlv(0x9F27, &[outcome.information()]),
            tlv(0x9F36, &counter.to_be_bytes()),
            tlv_if_any(0x9F4B, &in_answer.unwrap_or_default()),
        ];
        let answer = tlv(0x77, &answer.concat());
        // One answer, without a second part: such a card would not have been issued.
        if answer.len() > LONGEST && !self.file.blank.extended {
            return None;
        }
        transaction.ended = true;
        self.concluded(at, transaction, outcome);
        Some(answer)
    }

    /// What a fast signature covers of the terminal, and the card authentication related data where a record has room
    /// for them: version 01, the card's own number, the options, and what was loaded behind them. // EMV C-3 annex A.2
    fn covered(&self, at: usize, transaction: &Transaction, options: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
        let number = transaction.value(0x9F37, 4);
        let app = self.file.state.applications.get(at);
        let room = app.and_then(|app| located(app, &transaction.locator, 0x9F69));
        let Some(mut related) = room.filter(|value| (5..=16).contains(&value.len())) else { return (number, None) };
        let own = self.chance::<4>(b"card number");
        let written = [&[1], own.as_slice(), options.get(..2).unwrap_or(&[0, 0])].concat();
        related.iter_mut().zip(written).for_each(|(byte, made)| *byte = made);
        let covered = [number, transaction.value(0x9F02, 6), transaction.value(0x5F2A, 2), related.clone()].concat();
        (covered, Some(related))
    }

    /// The personalized objects that the fast answer carries: those beside AIP and AFL, then those of the records that the
    /// card's file states, or else of the records that no AFL names; each tag once, and none that a record of the AFL gives.
    fn carried(&self, at: usize, locator: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let Some(app) = self.file.state.applications.get(at) else { return Vec::new() };
        let named = |name: &String| {
            let contact = data::grouping(app, 0x9104).and_then(data::options).map(|(_, locator)| locator);
            data::record_names(locator).contains(name)
                || contact.is_some_and(|it| data::record_names(&it).contains(name))
        };
        let aid = self.file.blank.applications.get(at).map(|aid| hex::encode_upper(&aid.0)).unwrap_or_default();
        let stated = self.file.blank.emv.answer_records.get(&aid);
        let records = app.groupings.iter().filter(|(name, _)| match stated {
            Some(stated) => stated.contains(name),
            None => data::is_record_name(name) && !named(name),
        });
        let options = data::options_grouping(app, true).into_iter();
        let mut out: Vec<(u32, Vec<u8>)> = Vec::new();
        for value in options.chain(records.map(|(_, record)| record.0.as_slice())) {
            for (tag, value) in data::objects(value) {
                let again = out.iter().any(|(held, _)| *held == tag);
                if !again && !DYNAMIC.contains(&tag) && located(app, locator, tag).is_none() {
                    out.push((tag, value));
                }
            }
        }
        out
    }

    /// COMPUTE CRYPTOGRAPHIC CHECKSUM: once after GET PROCESSING OPTIONS. // PAYPASS
    pub(super) fn compute_checksum(&mut self, data: &[u8]) -> Response {
        let Some(mut transaction) = self.session.transaction.take() else { return Response::status(0x6985) };
        let answer = self.checksum(&mut transaction, data);
        self.session.transaction = Some(transaction);
        answer.map_or_else(Response::status, ok)
    }

    fn checksum(&mut self, transaction: &mut Transaction, data: &[u8]) -> Result<Vec<u8>, u16> {
        let (at, app) = self.application().ok_or(0x6985u16)?;
        let (initial, key) = checksum_key(app).ok_or(0x6985u16)?;
        if transaction.ended || transaction.first.is_some() || app.blocked {
            return Err(0x6985);
        }
        let list = located(app, &transaction.locator, 0x9F69).unwrap_or_else(|| vec![0x9F, 0x6A, 0x04]);
        let entries = super::dol::entries(&list).ok_or(0x6985u16)?;
        let given = super::dol::given(&entries, data).ok_or(0x6700u16)?;
        transaction.given.extend(given);
        let number = transaction.value(0x9F6A, 4);
        let [track_1, track_2] = initial;
        let one = |initial: [u8; 2]| super::cryptogram::checksum(key.expose(), &initial, &number, app.atc);
        let (first, second) = (one(track_1).ok_or(0x6985u16)?, one(track_2).ok_or(0x6985u16)?);
        transaction.ended = true;
        let inside = [
            tlv(0x9F61, &self.spoiled(at, 0x9F61, second)),
            tlv(0x9F60, &self.spoiled(at, 0x9F60, first)),
            tlv(0x9F36, &app.atc.to_be_bytes()),
        ];
        Ok(tlv(0x77, &inside.concat()))
    }
}

/// Of tracks 1 and 2.
type Initial = [[u8; 2]; 2];

/// Initial values for tracks 1 and 2 out of A001, and the key, A002. // PAYPASS
fn checksum_key(app: &Application) -> Option<(Initial, Key)> {
    let control = data::grouping(app, 0xA001).filter(|value| value.len() == 11)?;
    let key = data::grouping(app, 0xA002).filter(|value| value.len() == 16)?;
    let [a, b, c, d]: [u8; 4] = control.get(7..11)?.try_into().ok()?;
    Some(([[a, b], [c, d]], Key::new(key.to_vec())))
}
