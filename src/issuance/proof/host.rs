//! The issuer host's side of a transaction: what cryptogram the card must make, and what the issuer answers.
//! // EMV B2 §8, PYEMV

use crate::base::emv::Pan;
use crate::keys::issuer::{
    AcPadding, CardKeyMethod, IssuerError, SessionMethod, WorkingKey, application_cryptogram, arpc_1, arpc_2,
    icc_master_key, session_key,
};
use crate::keys::{KeyHandle, KeyStore, Purpose};
use crate::profile::{CryptogramKind, Verification};
use crate::record::{CryptogramKey, Record};

/// The code that stands for an approval, two characters. // EMV B4 annex A6
pub(super) const APPROVED: [u8; 2] = *b"00";
/// A card status update that approves the transaction and changes nothing. // EMV B3 annex C10
const STATUS_UPDATE: [u8; 4] = [0x00, 0x80, 0x00, 0x00];

/// An issuer's keys for a product.
pub(super) struct Host<'a> {
    store: &'a dyn KeyStore,
    imk: KeyHandle,
    method: CardKeyMethod,
    kind: Option<CryptogramKind>,
}

/// How an application's cryptograms are made and answered.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    kind: CryptogramKind,
    session: Session,
    padding: AcPadding,
    tail: Tail,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Session {
    CardKey,
    Common,
    Unpredictable,
}

/// What of the issuer application data ends the cryptogram's input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Whole,
    Results,
    ResultsAndCounters,
}

#[derive(Clone, Copy)]
enum Answer {
    /// Method 1 under the card's key.
    One,
    /// Method 1 under the session key.
    OneOfSession,
    /// Method 2 under the session key.
    Two,
}

/// What a transaction is about.
#[derive(Clone)]
pub(super) struct Transaction {
    /// Data that the card was sent with this cryptogram's command.
    pub(super) sent: Vec<u8>,
    /// Amounts, countries, TVR, date, type and unpredictable number, as the schemes' cryptograms have them.
    pub(super) amounts: Vec<u8>,
    pub(super) aip: [u8; 2],
    pub(super) atc: [u8; 2],
    pub(super) unpredictable: [u8; 4],
}

/// What the card's key is derived with; nothing where the profile names no key, or the card's came with the order. The
/// profile says whether, and its record by which: an order may have named other keys than the product's.
pub(super) fn used(profile: Verification<'_>, record: Option<&Record>) -> Option<CryptogramKey> {
    if record.is_some_and(Record::has_foreign_keys) {
        return None;
    }
    let imk_ac = profile.imk_ac()?.to_owned();
    let prepared = record.and_then(Record::cryptogram_key).cloned();
    Some(prepared.unwrap_or(CryptogramKey { imk_ac, method: profile.card_key() }))
}

/// The keys of one card for one transaction.
pub(super) struct Keys {
    card: KeyHandle,
    session: WorkingKey,
}

impl<'a> Host<'a> {
    /// The card's issuer master key out of the store; nothing where the profile names none.
    ///
    /// # Errors
    /// The store does not hold the key that [`used`] names, or holds it for something else.
    pub(super) fn new(
        store: &'a dyn KeyStore,
        profile: Verification<'_>,
        record: Option<&Record>,
    ) -> Result<Option<Self>, IssuerError> {
        let Some(CryptogramKey { imk_ac, method }) = used(profile, record) else { return Ok(None) };
        Ok(Some(Self { store, imk: store.open(&imk_ac, Purpose::ImkAc)?, method, kind: profile.cryptogram() }))
    }

    /// How cryptograms are made, by what the card says of itself; nothing where its version is not known.
    pub(super) fn scheme(&self, issuer_data: &[u8]) -> Option<Scheme> {
        Scheme::of(issuer_data, self.kind)
    }

    /// The keys for a transaction. `psn` as tag 5F34 has it.
    pub(super) fn keys(&self, scheme: Scheme, pan: &Pan, psn: u8, it: &Transaction) -> Result<Keys, IssuerError> {
        let card = icc_master_key(self.store, &self.imk, pan, psn, self.method)?;
        let method = match scheme.session {
            Session::CardKey => SessionMethod::None,
            Session::Common => SessionMethod::of_atc(it.atc),
            Session::Unpredictable => SessionMethod::Mastercard { atc: it.atc, unpredictable: it.unpredictable },
        };
        let session = session_key(self.store, &card, method)?;
        Ok(Keys { card, session })
    }

    /// The cryptogram that the card must answer with these issuer application data.
    pub(super) fn cryptogram(
        &self,
        scheme: Scheme,
        keys: &Keys,
        it: &Transaction,
        issuer_data: &[u8],
    ) -> Result<[u8; 8], IssuerError> {
        let asked = if scheme.kind == CryptogramKind::Plain { &it.sent } else { &it.amounts };
        let data = [asked.as_slice(), &it.aip, &it.atc, &scheme.tail(issuer_data)].concat();
        application_cryptogram(self.store, &keys.session, &data, scheme.padding)
    }

    /// The issuer's approval, tag 91. Method 2 fills `length` bytes (8 to 16) with proprietary data of zeros.
    pub(super) fn approval(
        &self,
        scheme: Scheme,
        keys: &Keys,
        cryptogram: [u8; 8],
        length: usize,
    ) -> Result<Vec<u8>, IssuerError> {
        let one = |key: &WorkingKey| arpc_1(self.store, key, cryptogram, APPROVED);
        Ok(match scheme.answer {
            Answer::One => {
                let card = session_key(self.store, &keys.card, SessionMethod::None)?;
                [one(&card)?.as_slice(), &APPROVED].concat()
            }
            Answer::OneOfSession => [one(&keys.session)?.as_slice(), &APPROVED].concat(),
            Answer::Two => {
                let own = vec![0; length.clamp(8, 16) - 8];
                let mac = arpc_2(self.store, &keys.session, cryptogram, STATUS_UPDATE, &own)?;
                [mac.as_slice(), &STATUS_UPDATE, &own].concat()
            }
        })
    }
}

/// Whether these issuer application data have a scheme's form. Where the version is one that is not known here, how the
/// cryptogram is made is not known either.
fn is_of_a_scheme(issuer_data: &[u8]) -> bool {
    match issuer_data {
        [6, _, _, _, _, _, _, ..] => true,
        // Visa's longer form. The first byte is the length of what follows.
        [0x1F, ..] if issuer_data.len() == 32 => true,
        // Mastercard's: key index, version, CVR, DAC or ICC dynamic number, counters; two lengths of them, and two bytes more.
        _ => matches!(issuer_data.len(), 18 | 20 | 26 | 28),
    }
}

impl Scheme {
    const PLAIN: Self = Self {
        kind: CryptogramKind::Plain,
        session: Session::Common,
        padding: AcPadding::Always80,
        tail: Tail::Whole,
        answer: Answer::OneOfSession,
    };

    fn of(issuer_data: &[u8], stated: Option<CryptogramKind>) -> Option<Self> {
        let visa = match issuer_data {
            [6, _, version, _, _, _, _, ..] => Self::vsdc(*version),
            _ => None,
        };
        let mastercard = match issuer_data {
            [_, version, _, _, _, _, _, _, ..] => Self::mchip(*version, issuer_data.len()),
            _ => None,
        };
        match stated {
            Some(CryptogramKind::Vsdc) => visa,
            Some(CryptogramKind::Mchip) => mastercard,
            Some(CryptogramKind::Plain) => Some(Self::PLAIN),
            None => visa.or(mastercard).or_else(|| (!is_of_a_scheme(issuer_data)).then_some(Self::PLAIN)),
        }
    }

    /// Cryptogram versions 10, 18 and 22.
    fn vsdc(version: u8) -> Option<Self> {
        let base = Self { kind: CryptogramKind::Vsdc, answer: Answer::Two, ..Self::PLAIN };
        match version {
            0x0A => Some(Self {
                session: Session::CardKey,
                padding: AcPadding::Zeros,
                tail: Tail::Results,
                answer: Answer::One,
                ..base
            }),
            0x12 | 0x16 => Some(base),
            _ => None,
        }
    }

    /// Cryptogram versions 16, 17, 20 and 21; the odd ones cover counters, which must be there.
    fn mchip(version: u8, length: usize) -> Option<Self> {
        let (session, answer) = match version {
            0x10 | 0x11 => (Session::Unpredictable, Answer::One),
            0x14 | 0x15 => (Session::Common, Answer::OneOfSession),
            _ => return None,
        };
        let tail = if version & 1 == 0 { Tail::Results } else { Tail::ResultsAndCounters };
        let whole = tail == Tail::Results || length >= 18;
        whole.then_some(Self { kind: CryptogramKind::Mchip, session, tail, answer, ..Self::PLAIN })
    }

    fn tail(self, data: &[u8]) -> Vec<u8> {
        let results = if self.kind == CryptogramKind::Vsdc { data.get(3..7) } else { data.get(2..8) };
        let results = results.unwrap_or_default();
        match self.tail {
            Tail::Whole => data.to_vec(),
            Tail::Results => results.to_vec(),
            Tail::ResultsAndCounters => [results, data.get(10..18).unwrap_or_default()].concat(),
        }
    }
}
