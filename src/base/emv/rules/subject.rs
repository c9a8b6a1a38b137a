//! What a rule can look at: one application over one interface, as far as a stage sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Stage;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::track::Fields;
use crate::base::emv::{Afl, AflError, Dol, Family, IssuerData, Pan, tag_name};

/// Where something shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A data object.
    Tag(u32),
    /// A record: SFI and number.
    Record(u8, u8),
    /// The FCI.
    Fci,
    /// AIP and AFL.
    Locator,
    /// The answer to GET PROCESSING OPTIONS.
    Answer,
    /// A data grouping.
    Grouping(u16),
    /// A magnetic track.
    Track(u8),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tag(tag) => {
                let tag = Tag::of(*tag);
                write!(f, "{tag}{}", tag_name(tag).map(|name| format!(" {name}")).unwrap_or_default())
            }
            Place::Record(sfi, number) => write!(f, "SFI {sfi} record {number}"),
            Place::Fci => f.write_str("FCI"),
            Place::Locator => f.write_str("AIP and AFL"),
            Place::Answer => f.write_str("the answer to GET PROCESSING OPTIONS"),
            Place::Grouping(dgi) => write!(f, "DGI {dgi:04X}"),
            Place::Track(number) => write!(f, "track {number}"),
        }
    }
}

/// AIP and AFL as the card answers GET PROCESSING OPTIONS, or as they will be loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Locator {
    /// Application interchange profile.
    pub aip: [u8; 2],
    /// Application file locator.
    pub afl: Vec<u8>,
}

/// The tracks of the magnetic stripe. An absent track is one that is not written.
#[derive(Default)]
pub struct Tracks {
    /// Track 1.
    pub one: Option<Fields>,
    /// Track 2.
    pub two: Option<Fields>,
}

/// What a recovered certificate tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certified {
    /// Length of the modulus that it certifies, in bytes.
    pub modulus: usize,
    /// Its expiry as year and month, four digits.
    pub expiry: (u16, u8),
}

/// What recovering the certificates has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Length of the CA's modulus in bytes.
    pub ca: usize,
    /// The issuer certificate.
    pub issuer: Option<Certified>,
    /// The ICC certificate, and the PIN encipherment certificate.
    pub icc: Vec<Certified>,
    /// What could not be recovered or is wrong, in words.
    pub faults: Vec<String>,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The AID (4F).
    pub aid: Vec<u8>,
    /// The priority indicator (87).
    pub priority: Option<u8>,
}

impl DirectoryEntry {
    /// The entries (61) among these objects, at any depth.
    pub fn all(objects: &[Tlv]) -> Vec<Self> {
        let inside = |object: &Tlv| {
            let value = |tag| tlv::find(object.children(), Tag::of(tag)).map(Tlv::value_bytes);
            let aid = (object.tag == Tag::of(0x61)).then(|| value(0x4F)).flatten();
            let priority = || value(0x87).and_then(|value| value.first().copied());
            aid.map_or_else(|| Self::all(object.children()), |aid| vec![Self { aid, priority: priority() }])
        };
        objects.iter().flat_map(inside).collect()
    }
}

/// One application over one interface. `None`: this stage cannot see it.
#[derive(Default)]
pub struct Subject<'a> {
    /// How it is called in outcomes: AID and interface.
    pub name: String,
    /// Reached over the antenna.
    pub contactless: bool,
    /// The AID that selects it.
    pub aid: Vec<u8>,
    /// DF name (84) that the card answered SELECT with.
    pub df_name: Option<Vec<u8>>,
    /// The FCI's proprietary template A5, whole.
    pub fci: Option<Vec<u8>>,
    /// AIP and AFL. `Some(None)`: the application has none, and is no payment application.
    pub locator: Option<Option<Locator>>,
    /// Records by SFI and number, those of the AFL and others.
    pub records: BTreeMap<(u8, u8), &'a [u8]>,
    /// Whether `records` holds more than the AFL names: every record that is on the card.
    pub all_records: bool,
    /// Records that are there for something else: another interface, a log file, the answer to GET PROCESSING OPTIONS.
    pub declared: BTreeSet<(u8, u8)>,
    /// Records whose objects the card's application gives in the answer to GET PROCESSING OPTIONS, as the product states.
    pub answered_records: BTreeSet<(u8, u8)>,
    /// Objects of the answer to GET PROCESSING OPTIONS other than AIP and AFL.
    pub answer: Option<Vec<Tlv>>,
    /// Issuer application data (9F10) as it is loaded.
    pub issuer_data: Option<Vec<u8>>,
    /// Internal data objects: 9F36, 9F17, 9F4F and others. // DGI 3000, or GET DATA
    pub internal: Option<Vec<Tlv>>,
    /// The data groupings that are loaded.
    pub groupings: Option<BTreeSet<u16>>,
    /// PIN try counter and limit as they are loaded. // DGI 9010
    pub pin_tries: Option<Vec<u8>>,
    /// The key check values beside the keys are theirs.
    pub check_values_match: Option<bool>,
    /// PAN sequence number that the card's keys were derived with.
    pub key_sequence_number: Option<u8>,
    /// The stripe.
    pub tracks: Option<Tracks>,
    /// Whether 57 holds the value that the chip's own calculation gives.
    pub chip_cvv_matches: Option<bool>,
    /// Fields of the chip that hold the stripe's card verification value and not the chip's.
    pub stripe_values: Option<BTreeSet<u32>>,
    /// The certificates.
    pub certificates: Option<Certificates>,
    /// Other applications of the card with the same PAN, sequence number and key for cryptograms, and a transaction counter
    /// of their own: their AIDs.
    pub twins: Option<Vec<Vec<u8>>>,
    /// The other applications that use the same transaction counter, as the product states it.
    pub counter_shared_with: Vec<Vec<u8>>,
    /// Transaction counters (9F36) that the card's other applications are loaded with, by AID.
    pub other_counters: Vec<(Vec<u8>, Vec<u8>)>,
    /// The contactless kernel that processes the application, as the product states it.
    pub kernel: Option<u8>,
    /// The kernel identifier (9F2A) of the application's entry in the interface's directory.
    pub directory_kernel: Option<Vec<u8>>,
    /// AIDs that the interface's directory names.
    pub directory: Option<Vec<Vec<u8>>>,
    /// The entries of the interface's directory.
    pub directory_entries: Option<Vec<DirectoryEntry>>,
    /// Whose cryptograms the application makes, if the product says it.
    pub cryptogram: Option<Family>,
    /// AIDs of the applications on the card.
    pub on_card: Option<Vec<Vec<u8>>>,
    /// Today: year, month, day.
    pub today: Option<(u16, u8, u8)>,
    /// How the product's PANs begin; none: the product does not say.
    pub prefixes: Vec<String>,
    /// Application versions that the product allows beside those that every kernel knows.
    pub versions: Vec<[u8; 2]>,
}

/// A subject, read once for all rules.
pub(super) struct View<'s> {
    pub(super) stage: Stage,
    pub(super) subject: &'s Subject<'s>,
    /// The AFL, where there is one.
    pub(super) afl: Option<Result<Afl, AflError>>,
    /// Objects that a terminal has after GET PROCESSING OPTIONS and READ RECORD, and where each comes from.
    objects: Vec<(Tlv, Place)>,
    /// Objects of the FCI's proprietary template.
    fci: Vec<Tlv>,
}

/// A cardholder verification rule. // EMV B3 annex C3
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cvm {
    /// Method, the low six bits.
    pub method: u8,
    /// Condition.
    pub condition: u8,
}

impl Cvm {
    /// The PIN is compared by the card.
    pub fn is_offline_pin(self) -> bool {
        matches!(self.method, 0x01 | 0x03 | 0x04 | 0x05)
    }

    /// The PIN travels to the card enciphered.
    pub fn is_enciphered(self) -> bool {
        matches!(self.method, 0x04 | 0x05)
    }

    /// A PIN is asked for, wherever it is compared.
    pub fn is_pin(self) -> bool {
        self.is_offline_pin() || self.method == 0x02
    }
}

impl Subject<'_> {
    /// The card answers GET PROCESSING OPTIONS with the objects of these records, which no AFL names.
    pub fn answer_with(&mut self, records: &[(u8, u8)]) {
        let objects = objects_of(records.iter().filter_map(|at| self.records.get(at).copied()));
        self.answer.get_or_insert_default().extend(objects);
        self.declared.extend(records.iter().copied());
        self.answered_records.extend(records.iter().copied());
    }

    /// The objects of the answer to GET PROCESSING OPTIONS and of the records that the AFL names.
    pub fn objects(&self) -> Vec<Tlv> {
        View::new(Stage::Check, self).objects.into_iter().map(|(object, _)| object).collect()
    }
}

/// The objects within the templates of records.
fn objects_of<'a>(records: impl Iterator<Item = &'a [u8]>) -> Vec<Tlv> {
    let templates = records.filter_map(|record| tlv::parse(record).ok()).flatten();
    templates.flat_map(|template| template.children().to_vec()).collect()
}

impl<'s> View<'s> {
    pub(super) fn new(stage: Stage, subject: &'s Subject<'s>) -> Self {
        let afl = match &subject.locator {
            Some(Some(locator)) => Some(Afl::parse(&locator.afl)),
            _ => None,
        };
        let named: Vec<(u8, u8)> = match &afl {
            Some(Ok(afl)) => afl.records().collect(),
            _ => Vec::new(),
        };
        let mut objects: Vec<(Tlv, Place)> = Vec::new();
        if let Some(Some(locator)) = &subject.locator {
            let located = [(0x82, locator.aip.to_vec()), (0x94, locator.afl.clone())].into_iter();
            let located = located.filter(|(_, value)| !value.is_empty());
            objects.extend(located.map(|(tag, value)| (Tlv::primitive(Tag::of(tag), value), Place::Answer)));
        }
        objects.extend(subject.answer.iter().flatten().map(|object| (object.clone(), Place::Answer)));
        for at in named {
            let read = subject.records.get(&at).and_then(|record| tlv::parse(record).ok()).unwrap_or_default();
            for object in read.into_iter().filter(|object| object.tag == Tag::of(0x70)) {
                objects.extend(object.children().iter().map(|child| (child.clone(), Place::Record(at.0, at.1))));
            }
        }
        let template = subject.fci.as_ref().and_then(|fci| tlv::parse_one(fci).ok());
        let fci = template.filter(|it| it.tag == Tag::of(0xA5)).map(|it| it.children().to_vec()).unwrap_or_default();
        Self { stage, subject, afl, objects, fci }
    }

    /// Whether it is a payment application; no for a directory. None where that cannot be seen.
    pub(super) fn is_payment(&self) -> Option<bool> {
        self.subject.locator.as_ref().map(Option::is_some)
    }

    pub(super) fn aip(&self) -> Option<[u8; 2]> {
        self.subject.locator.as_ref()?.as_ref().map(|locator| locator.aip)
    }

    /// Every object of the answer to GET PROCESSING OPTIONS and of the AFL's records, with the place it comes from.
    pub(super) fn objects(&self) -> &[(Tlv, Place)] {
        &self.objects
    }

    /// The objects of the answer to GET PROCESSING OPTIONS, AIP and AFL among them.
    pub(super) fn answered(&self) -> impl Iterator<Item = &Tlv> {
        self.objects.iter().filter(|(_, place)| *place == Place::Answer).map(|(object, _)| object)
    }

    /// Whether a record of the AFL holds an object.
    pub(super) fn in_record(&self, tag: u32) -> bool {
        self.objects.iter().any(|(object, place)| object.tag == Tag::of(tag) && *place != Place::Answer)
    }

    /// The PDOL, if the FCI has one that can be read.
    pub(super) fn pdol(&self) -> Option<Dol> {
        Dol::parse(&self.fci(0x9F38)?).ok()
    }

    /// A contactless card whose PDOL asks for the terminal transaction qualifiers (9F66) makes its cryptogram at GET
    /// PROCESSING OPTIONS. One in the manner of Mastercard waits for GENERATE AC. // EMV C-3 §5.2, EMV C-2 §6.6
    pub(super) fn answers_at_once(&self) -> bool {
        self.asks_for_qualifiers() && !self.is_of_mastercard()
    }

    /// Whether the PDOL of a contactless application asks for the terminal transaction qualifiers (9F66).
    pub(super) fn asks_for_qualifiers(&self) -> bool {
        let asks = |list: Dol| list.items().iter().any(|(tag, _)| *tag == Tag::of(0x9F66));
        self.subject.contactless && self.pdol().is_some_and(asks)
    }

    /// Whether the issuer application data (9F10), or the product, say that cryptograms are made as Mastercard's.
    pub(super) fn is_of_mastercard(&self) -> bool {
        let stated = self.subject.cryptogram;
        let read = self.subject.issuer_data.as_ref().map(|data| IssuerData::read(data, stated));
        let known = matches!(read, Some(IssuerData::Known(version)) if version.family == Family::Mchip);
        known || stated == Some(Family::Mchip)
    }

    /// Whether the card signs (fDDA) the answer that it gives at once.
    pub(super) fn signs_at_once(&self) -> bool {
        self.answers_at_once() && self.aip().is_some_and(|[first, _]| first & 0x20 != 0) && self.has(0x9F46)
    }

    /// Bytes of the card's modulus, and so of its signature: as its certificate says, or by the remainder beside the
    /// certificate.
    pub(super) fn card_modulus(&self) -> Option<usize> {
        let certified = self.subject.certificates.as_ref().and_then(|found| found.icc.first());
        // EMV B2 §6.1: the certificate holds N_I - 42 bytes of a modulus that has a remainder
        let by_remainder = || Some(self.value(0x9F46)?.len().saturating_sub(42) + self.value(0x9F48)?.len());
        certified.map(|certified| certified.modulus).or_else(by_remainder)
    }

    /// Whether an object is there. None if it may be in an answer to GET PROCESSING OPTIONS that this stage cannot see.
    pub(super) fn there(&self, tag: u32) -> Option<bool> {
        match self.has(tag) {
            true => Some(true),
            false => self.subject.answer.as_ref().map(|_| false),
        }
    }

    /// The value of an object in the answer to GET PROCESSING OPTIONS or in the AFL's records.
    pub(super) fn value(&self, tag: u32) -> Option<Vec<u8>> {
        self.objects.iter().find(|(object, _)| object.tag == Tag::of(tag)).map(|(object, _)| object.value_bytes())
    }

    pub(super) fn has(&self, tag: u32) -> bool {
        self.objects.iter().any(|(object, _)| object.tag == Tag::of(tag))
    }

    /// The objects of the FCI's proprietary template.
    pub(super) fn fci_objects(&self) -> &[Tlv] {
        &self.fci
    }

    /// The value of an object in the FCI, at any depth.
    pub(super) fn fci(&self, tag: u32) -> Option<Vec<u8>> {
        tlv::find(&self.fci, Tag::of(tag)).map(Tlv::value_bytes)
    }

    pub(super) fn pan(&self) -> Option<Pan> {
        Pan::from_cn(&self.value(0x5A)?).ok()
    }

    pub(super) fn track_equivalent(&self) -> Option<Fields> {
        Fields::from_tag57(&self.value(0x57)?).ok()
    }

    /// Three digits, from 5F30 or else from 57.
    pub(super) fn service_code(&self) -> Option<String> {
        let stated = self.value(0x5F30).map(hex::encode).and_then(|text| text.strip_prefix('0').map(str::to_owned));
        stated.or_else(|| self.track_equivalent().map(|fields| fields.service_code.clone()))
    }

    /// The rules of the CVM list, where it has a possible length.
    pub(super) fn cvms(&self) -> Option<Vec<Cvm>> {
        let list = self.value(0x8E)?;
        let rules = list.get(8..)?;
        let pairs = rules.as_chunks().0.iter();
        Some(pairs.map(|[code, condition]| Cvm { method: code & 0x3F, condition: *condition }).collect())
    }

    /// Whether a grouping is loaded. None where that cannot be seen.
    pub(super) fn grouping(&self, dgi: u16) -> Option<bool> {
        self.subject.groupings.as_ref().map(|groupings| groupings.contains(&dgi))
    }
}
