//! What has been shown of one application, and what its checks go by.

use super::result::{ApplicationRef, CheckRef, Ended};
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::{Dol, Pan};
use crate::card::emv::{ApplicationContents, Terminal};

pub(super) const AIP_ISSUER: u8 = 0x04;

pub(super) const AIP_CDA: u8 = 0x01;

/// Why a cryptogram is not checked. Preparation tells it (R39).
pub(super) const UNKNOWN_VERSION: &str =
    "the cryptogram version in 9F10 is not one that this program knows ([verify] cryptogram in the profile)";
/// What has been shown of an application.
pub(super) struct AppProof {
    pub(super) aid: Vec<u8>,
    pub(super) contactless: bool,
    pub(super) app: ApplicationRef,
    /// Transaction counter (9F36).
    pub(super) atc: Option<Vec<u8>>,
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

impl AppProof {
    pub(super) fn new(read: &ApplicationContents, contactless: bool) -> Self {
        let object = |tag: u32| {
            let (_, seen) = read.objects.iter().find(|(held, _)| *held == Tag::of(tag))?;
            Some(tlv::parse_one(seen.data()?).ok()?.value_bytes())
        };
        let atc = object(0x9F36);
        let app = ApplicationRef {
            aid: hex::encode_upper(&read.aid),
            found: read.found.to_owned(),
            atc: atc.as_deref().map(hex::encode_upper),
            pin_tries: object(0x9F17).and_then(|value| value.first().copied()),
            cryptogram_made: false,
            pin_tried: false,
            test_ca: None,
        };
        Self {
            aid: read.aid.clone(),
            contactless,
            app,
            atc,
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

/// How the PIN went to the card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PinProof {
    Plaintext,
    /// Under the key for signatures.
    Enciphered,
    /// Under a key for PINs alone.
    EncipheredByOwnKey,
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
    pub(super) fn given(&self, terminal: &Terminal, wanted: &[(u32, u8)]) -> Option<Vec<u8>> {
        let list = Dol::parse(&crate::card::emv::Fci::of(self.read.fci.data()?).parse().ok()?.pdol?).ok()?;
        let one = |(tag, length): &(u32, u8)| {
            let asked = list.items().contains(&(Tag::of(*tag), *length));
            terminal.value(Tag::of(*tag)).filter(|value| asked && value.len() == usize::from(*length))
        };
        Some(wanted.iter().map(one).collect::<Option<Vec<_>>>()?.concat())
    }
}

/// The checks of one application as they are made; a later one of the same name replaces the earlier.
pub(super) struct Notes {
    pub(super) subject: String,
    pub(super) checks: Vec<CheckRef>,
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
