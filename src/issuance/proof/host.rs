//! The issuer host's side of a transaction: what cryptogram the card must make, and what the issuer answers.
//! // EMV B2 §8, PYEMV

use crate::base::emv::{CryptogramVersion, Family, IssuerData, Pan};
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
/// Its first byte: proprietary authentication data follow, and the answer covers them. // EMV B2 §8.2.2
const PROPRIETARY_DATA: u8 = 0x80;

/// An issuer's keys for a product.
pub(super) struct Host<'a> {
    store: &'a dyn KeyStore,
    /// Issuer master keys by application.
    keys: Vec<(Vec<u8>, KeyHandle, CardKeyMethod)>,
    kind: Option<CryptogramKind>,
}

/// How an application's cryptograms are made and answered.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    version: CryptogramVersion,
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
    /// The second byte of the verification results alone.
    SecondResult,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The version knows no answer of the issuer's.
    None,
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
    /// The terminal's values of what the schemes' cryptograms cover, by tag.
    pub(super) values: Vec<(u32, Vec<u8>)>,
    pub(super) aip: [u8; 2],
    pub(super) atc: [u8; 2],
    pub(super) unpredictable: [u8; 4],
}

impl Transaction {
    /// The terminal's values of what a version covers, in its order. A value that the terminal has not is zeros.
    fn covered(&self, version: CryptogramVersion) -> Vec<u8> {
        let value = |(tag, length): &(u32, usize)| {
            let known = self.values.iter().find(|(held, _)| held == tag).map(|(_, value)| value.clone());
            known.unwrap_or_else(|| vec![0; *length])
        };
        version.covers().iter().flat_map(value).collect()
    }
}

/// What the card's key is derived with; nothing where the profile names no key, or the card's came with the order. The
/// profile says whether, and its record by which: an order may have named other keys than the product's.
fn key_of(profile: Verification<'_>, record: Option<&Record>, aid: &[u8]) -> Option<CryptogramKey> {
    if record.is_some_and(Record::has_foreign_keys) {
        return None;
    }
    let imk_ac = profile.imk_ac_of(aid)?.to_owned();
    let prepared = record.and_then(|record| record.cryptogram_key_of(aid)).cloned();
    Some(prepared.unwrap_or(CryptogramKey { imk_ac, method: profile.card_key() }))
}

/// What the keys of the card's applications are derived with; nothing as with [`key_of`]. The first is that of an
/// application which neither record nor profile names.
pub(super) fn used(profile: Verification<'_>, record: Option<&Record>) -> Vec<(Vec<u8>, CryptogramKey)> {
    let loaded = record.iter().flat_map(|it| it.applications()).map(|app| app.aid().to_vec());
    let prepared = profile.own_keys().map(<[u8]>::to_vec);
    // The empty AID: of an application that neither record nor profile names.
    let aids = std::iter::once(Vec::new()).chain(loaded).chain(prepared);
    aids.filter_map(|aid| key_of(profile, record, &aid).map(|key| (aid, key))).collect()
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
        let open = |(aid, CryptogramKey { imk_ac, method })| -> Result<_, IssuerError> {
            Ok((aid, store.open(&imk_ac, Purpose::ImkAc)?, method))
        };
        let keys = used(profile, record).into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        Ok((!keys.is_empty()).then(|| Self { store, keys, kind: profile.cryptogram() }))
    }

    /// How cryptograms are made, by what the card says of itself; nothing where its version is not known.
    pub(super) fn scheme(&self, issuer_data: &[u8]) -> Option<Scheme> {
        Scheme::of(issuer_data, self.kind)
    }

    /// The keys of an application for a transaction; none if there is no master key. `psn` as tag 5F34 has it.
    pub(super) fn keys(
        &self,
        (aid, scheme): (&[u8], Scheme),
        pan: &Pan,
        psn: u8,
        it: &Transaction,
    ) -> Result<Option<Keys>, IssuerError> {
        let own = self.keys.iter().find(|(held, ..)| held == aid);
        let Some((_, imk, method)) = own.or(self.keys.first()) else { return Ok(None) };
        let card = icc_master_key(self.store, imk, pan, psn, *method)?;
        let method = match scheme.session {
            Session::CardKey => SessionMethod::None,
            Session::Common => SessionMethod::of_atc(it.atc),
            Session::Unpredictable => SessionMethod::Mastercard { atc: it.atc, unpredictable: it.unpredictable },
        };
        let session = session_key(self.store, &card, method)?;
        Ok(Some(Keys { card, session }))
    }

    /// The cryptogram that the card must answer with these issuer application data.
    pub(super) fn cryptogram(
        &self,
        scheme: Scheme,
        keys: &Keys,
        it: &Transaction,
        issuer_data: &[u8],
    ) -> Result<[u8; 8], IssuerError> {
        let data = [scheme.input(it), scheme.tail(issuer_data)].concat();
        application_cryptogram(self.store, &keys.session, &data, scheme.padding)
    }

    /// The issuer's approval, tag 91; nothing where the version has none. Method 2 fills `length` bytes (8 to 16) with
    /// proprietary data of zeros, and says in the status update that they are there. // EMV B2 §8.2.2, B3 annex C10
    pub(super) fn approval(
        &self,
        scheme: Scheme,
        keys: &Keys,
        cryptogram: [u8; 8],
        length: usize,
    ) -> Result<Option<Vec<u8>>, IssuerError> {
        let code = scheme.response_code();
        let one = |key: &WorkingKey| arpc_1(self.store, key, cryptogram, code);
        Ok(Some(match scheme.answer {
            Answer::None => return Ok(None),
            Answer::One => {
                let card = session_key(self.store, &keys.card, SessionMethod::None)?;
                [one(&card)?.as_slice(), &code].concat()
            }
            Answer::OneOfSession => [one(&keys.session)?.as_slice(), &code].concat(),
            Answer::Two => {
                let own = vec![0; length.clamp(8, 16) - 8];
                let mut update = STATUS_UPDATE;
                if let ([first, ..], false) = (&mut update, own.is_empty()) {
                    *first |= PROPRIETARY_DATA;
                }
                let mac = arpc_2(self.store, &keys.session, cryptogram, update, &own)?;
                [mac.as_slice(), &update, &own].concat()
            }
        }))
    }
}

impl Scheme {
    const PLAIN: Self = Self {
        version: CryptogramVersion { family: Family::Plain, number: 0 },
        session: Session::Common,
        padding: AcPadding::Always80,
        tail: Tail::Whole,
        answer: Answer::OneOfSession,
    };

    /// Nothing where the version is not known, or not in its own form: how the cryptogram is made is not known then either.
    fn of(issuer_data: &[u8], stated: Option<CryptogramKind>) -> Option<Self> {
        match IssuerData::read(issuer_data, stated.map(CryptogramKind::family)) {
            IssuerData::Known(version) => Some(Self::of_version(version)),
            _ => None,
        }
    }

    fn of_version(version: CryptogramVersion) -> Self {
        let common = Self { version, ..Self::PLAIN };
        let card_key = Self { session: Session::CardKey, padding: AcPadding::Zeros, ..common };
        let (one, session) = (Answer::One, Answer::OneOfSession);
        match (version.family, version.number) {
            (Family::Plain, _) => common,
            (Family::Vsdc, 0x0A) => Self { tail: Tail::Results, answer: one, ..card_key },
            (Family::Vsdc, 0x11) => Self { tail: Tail::SecondResult, answer: Answer::None, ..card_key },
            (Family::Vsdc, _) => Self { answer: Answer::Two, ..common },
            (Family::Mchip, 0x10) => {
                Self { session: Session::Unpredictable, tail: Tail::Results, answer: one, ..common }
            }
            (Family::Mchip, 0x11) => {
                Self { session: Session::Unpredictable, tail: Tail::ResultsAndCounters, answer: one, ..common }
            }
            (Family::Mchip, 0x14) => Self { tail: Tail::Results, answer: session, ..common },
            (Family::Mchip, _) => Self { tail: Tail::ResultsAndCounters, answer: session, ..common },
        }
    }

    /// What stands before 9F10 in the cryptogram's input.
    fn input(self, it: &Transaction) -> Vec<u8> {
        match (self.version.family, self.tail) {
            (Family::Plain, _) => [it.sent.as_slice(), &it.aip, &it.atc].concat(),
            (_, Tail::SecondResult) => [it.covered(self.version).as_slice(), &it.atc].concat(),
            _ => [it.covered(self.version).as_slice(), &it.aip, &it.atc].concat(),
        }
    }

    fn tail(self, data: &[u8]) -> Vec<u8> {
        let results = if self.version.family == Family::Vsdc { data.get(3..7) } else { data.get(2..8) };
        let results = results.unwrap_or_default();
        match self.tail {
            Tail::Whole => data.to_vec(),
            Tail::Results => results.to_vec(),
            Tail::ResultsAndCounters => [results, data.get(10..18).unwrap_or_default()].concat(),
            Tail::SecondResult => data.get(4..5).unwrap_or_default().to_vec(),
        }
    }

    /// The issuer's response code that approves, of method 1. Mastercard's is two bytes of bits, not the characters of
    /// 8A: the second says 10, approve. // docs/decisions/0040
    fn response_code(self) -> [u8; 2] {
        if self.version.family == Family::Mchip { [0x00, 0x10] } else { APPROVED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known versions in their forms.
    #[test]
    fn every_version_of_the_table_has_a_scheme_of_its_own() {
        let long = format!("1F22{}", "00".repeat(30));
        let forms = [
            ("06010A03A00000", Tail::Results, 8),
            ("06011103A00000", Tail::SecondResult, 2),
            ("06011203A00000", Tail::Whole, 8),
            (long.as_str(), Tail::Whole, 8),
            ("0110A00003220000000000000000000000FF", Tail::Results, 8),
            ("0111A00003220000000000000000000000FF", Tail::ResultsAndCounters, 8),
            ("0114A00003220000000000000000000000FF", Tail::Results, 8),
            ("0115A00003220000000000000000000000FF", Tail::ResultsAndCounters, 8),
        ];
        for (text, tail, covered) in forms {
            let scheme = Scheme::of(&hex::decode(text).unwrap_or_default(), None);
            let found = scheme.map(|it| (it.tail == tail, it.version.covers().len()));
            assert_eq!(found, Some((true, covered)), "{text}");
        }
        for text in ["06011603A00000", "06017703A00000", "0611110300220000000000000000000000FF", "060112"] {
            assert!(Scheme::of(&hex::decode(text).unwrap_or_default(), None).is_none(), "{text}");
        }
    }
}
