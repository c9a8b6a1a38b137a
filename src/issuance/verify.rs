//! Reading a card back as a terminal would, and comparing it with what was loaded.
//!
//! Read-only. It repairs nothing: it returns findings, and evidence for what it found to be right. Whatever it cannot
//! read is listed as *loaded, not proven*; nothing is taken to be right because it was sent.

use super::compare;
use super::outcome::{Counter, Evidence, Finding, Object};
use super::plan::{AppPlan, Grouping};
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::{self, Afl, Dol};
use crate::base::fault::{Code, Fault};
use crate::card::{Card, CardError, emv as terminal};
use crate::profile::{ReadBack, Shown};
use crate::record::Application;

const FCI: Tag = Tag::of(0x6F);
const DF_NAME: Tag = Tag::of(0x84);
const FCI_PROPRIETARY: Tag = Tag::of(0xA5);
const PDOL: Tag = Tag::of(0x9F38);
const AIP: Tag = Tag::of(0x82);
const AFL: Tag = Tag::of(0x94);
const TRY_COUNTER: Tag = Tag::of(0x9F17);
const RECORD: Tag = Tag::of(0x70);
/// What moves while a card is used: transaction counter, last online one, PIN tries.
const COUNTERS: [Tag; 3] = [TRANSACTION_COUNTER, Tag::of(0x9F13), TRY_COUNTER];
const TRANSACTION_COUNTER: Tag = Tag::of(0x9F36);

/// How much a card has lived since it was personalized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Not at all: its counters are as they were loaded.
    Fresh,
    /// It may have been used: its counters have moved.
    InUse,
}

/// What reading one application back has shown.
#[derive(Debug, Default)]
pub struct ReadBackReport {
    /// What is not as it was loaded.
    pub findings: Vec<Finding>,
    /// What was read and is equal.
    pub proven: Vec<Evidence>,
    /// What cannot be read.
    pub not_proven: Vec<Evidence>,
    /// Groupings that a card compares with their check values while it is loaded. They are proven if this card was loaded.
    pub check_values: Vec<Evidence>,
    /// Transaction counters that a proof behind the read-back has used.
    pub counters: Vec<Counter>,
}

/// Reads one application back. The card has just been reset; nothing is selected.
///
/// `refused` tells of groupings that the card was allowed to refuse, and did. `contactless` tells over which interface the card
/// is read: what shows over the other one only is not proven. Of a card in use the counters are there, and may be anything.
///
/// # Errors
/// Only where the link broke: then the read-back has not ended. Everything that the card does wrong is a finding.
pub fn read_back(
    card: &mut Card,
    app: &AppPlan,
    loaded: &Application,
    refused: &[u16],
    (contactless, age): (bool, Age),
    report: &mut ReadBackReport,
) -> Result<(), CardError> {
    let has = |how| app.groupings.iter().any(|grouping| grouping.read_back == how);
    let fci = if contactless && has(ReadBack::FciContactless) { ReadBack::FciContactless } else { ReadBack::Fci };
    let gpo = if contactless && has(ReadBack::GpoContactless) { ReadBack::GpoContactless } else { ReadBack::Gpo };
    let mut reading = Reading { card, app, loaded, refused, age, contactless, fci, gpo, report };
    if !app.interface.is_reached(contactless) {
        reading.unreached();
        return Ok(());
    }
    let fci = reading.select()?;
    reading.data_objects()?;
    reading.processing_options(fci.as_deref())?;
    reading.records()?;
    reading.unread();
    Ok(())
}

struct Reading<'a> {
    card: &'a mut Card,
    app: &'a AppPlan,
    loaded: &'a Application,
    refused: &'a [u16],
    age: Age,
    contactless: bool,
    /// What SELECT and GET PROCESSING OPTIONS show over the interface that the card is read over.
    fci: ReadBack,
    gpo: ReadBack,
    report: &'a mut ReadBackReport,
}

impl<'a> Reading<'a> {
    /// SELECT; the FCI's proprietary template is grouping 9102. // EMV B1 §11.3
    fn select(&mut self) -> Result<Option<Vec<u8>>, CardError> {
        let answer = terminal::select(self.card, &self.app.aid);
        let Some(fci) = self.answered(answer, "SELECT", FCI)? else { return Ok(None) };
        let raw = fci.raw().to_vec();
        let groupings = self.groupings(self.fci);
        // The comparison below finds another DF name by itself.
        if groupings.is_empty() && !fci.names(&self.app.aid) {
            let what = "the answer has no DF name that begins with the AID: the application was not selected";
            self.find(Code::CardMismatch, "SELECT", DF_NAME, what.into());
        }
        self.bare_in_fci(&raw);
        for grouping in groupings {
            let loaded = self.clear(grouping).unwrap_or_default();
            let expected = tlv::encode(FCI, &[&tlv::encode(DF_NAME, &self.app.aid), loaded].concat());
            self.compare(grouping, "the answer to SELECT", FCI_PROPRIETARY, &expected, &raw);
        }
        Ok(Some(raw))
    }

    /// Groupings that are the bare value of an object of the FCI.
    fn bare_in_fci(&mut self, fci: &[u8]) {
        let objects = tlv::parse(fci).unwrap_or_default();
        for (grouping, tag) in self.bare(Shown::Select) {
            let read = tlv::find(&objects, tag).map(Tlv::value_bytes);
            self.compare_bare(grouping, "the answer to SELECT", tag, read.as_deref());
        }
    }

    /// The loaded groupings that are the bare value of a tag which the card shows there.
    fn bare(&self, shown: Shown) -> Vec<(&'a Grouping, Tag)> {
        let tag = |grouping: &'a Grouping| match grouping.read_back {
            ReadBack::Tag(tag) if Shown::of(tag) == Some(shown) => Some((grouping, Tag::of(u32::from(tag)))),
            _ => None,
        };
        let loaded = self.app.groupings.iter().filter(|grouping| !self.refused.contains(&grouping.dgi));
        loaded.filter_map(tag).collect()
    }

    fn compare_bare(&mut self, grouping: &Grouping, at: &str, tag: Tag, read: Option<&[u8]>) {
        let loaded = self.clear(grouping).unwrap_or_default();
        match read {
            Some(read) if read == loaded => self.prove(grouping, format!("read back: {tag} in {at}")),
            Some(read) => self.find(Code::CardMismatch, at, tag, compare::bytes(tag, loaded, read)),
            None => self.find(Code::CardMismatch, at, tag, "the card does not show it".into()),
        }
    }

    /// GET DATA, before GET PROCESSING OPTIONS counts the application transaction counter up. // EMV B3 §6.5.7
    fn data_objects(&mut self) -> Result<(), CardError> {
        for grouping in self.groupings(ReadBack::GetData) {
            let Some(objects) = self.clear(grouping).and_then(|value| tlv::parse(value).ok()) else {
                self.find(Code::RecordTlv, "GET DATA", FCI, "the grouping is not BER-TLV".into());
                continue;
            };
            let before = self.report.findings.len();
            for object in &objects {
                self.data_object(object.tag, &object.value_bytes())?;
            }
            if self.report.findings.len() == before {
                let moved = objects.iter().any(|it| self.moves(it.tag));
                let but = if moved { "; counters move with use, and were not compared" } else { "" };
                self.prove(grouping, format!("read back: {}{but}", tags(&objects)));
            }
        }
        for (grouping, tag) in self.bare(Shown::GetData) {
            let before = self.report.findings.len();
            self.data_object(tag, self.clear(grouping).unwrap_or_default())?;
            if self.report.findings.len() == before {
                let moved = self.age == Age::InUse && COUNTERS.contains(&tag);
                let but = if moved { "; counters move with use, and were not compared" } else { "" };
                self.prove(grouping, format!("read back: {tag}{but}"));
            }
        }
        // What the profile expects beside what was loaded need only be there.
        for tag in &self.app.read_too {
            let answer = terminal::get_data(self.card, *tag);
            let tag = Tag::of(u32::from(*tag));
            if let Some(None) = self.answered(answer, "GET DATA", tag)? {
                self.find(
                    Code::CardMismatch,
                    "GET DATA",
                    tag,
                    "the profile expects it, the card does not hold it".into(),
                );
            }
        }
        for grouping in self.groupings(ReadBack::PinTryCounter) {
            self.try_counter(grouping)?;
        }
        Ok(())
    }

    fn data_object(&mut self, tag: Tag, loaded: &[u8]) -> Result<(), CardError> {
        let Ok(number) = u16::try_from(tag.number()) else {
            self.find(Code::RecordTlv, "GET DATA", tag, "GET DATA cannot name this tag".into());
            return Ok(());
        };
        let answer = terminal::get_data(self.card, number);
        match self.answered(answer, "GET DATA", tag)? {
            None => {}
            Some(None) => self.find(Code::CardMismatch, "GET DATA", tag, "the card does not hold it".into()),
            Some(Some(read)) => {
                let moved = self.moves(tag);
                let now = tlv::parse_one(&read).ok().filter(|it| moved && it.tag == tag).map(|it| it.value_bytes());
                let expected = now.filter(|now| now.len() == loaded.len());
                let expected = tlv::encode(tag, expected.as_deref().unwrap_or(loaded));
                for difference in compare::differences(&expected, &read, tag) {
                    self.find(Code::CardMismatch, "GET DATA", difference.tag, difference.what);
                }
            }
        }
        Ok(())
    }

    /// Whether an object moves between loading and reading: counters of a card in use, and a transaction counter that another
    /// application moves too.
    fn moves(&self, tag: Tag) -> bool {
        let used = self.age == Age::InUse && COUNTERS.contains(&tag);
        used || (self.app.shares_counter && tag == TRANSACTION_COUNTER)
    }

    /// Grouping 9010 holds the try counter, which can be read, and the try limit, which cannot.
    fn try_counter(&mut self, grouping: &Grouping) -> Result<(), CardError> {
        let Some((counter, limit)) =
            self.clear(grouping).and_then(<[u8]>::split_first).map(|(&counter, rest)| (counter, !rest.is_empty()))
        else {
            self.find(Code::RecordDgi, "GET DATA", TRY_COUNTER, "the grouping is empty".into());
            return Ok(());
        };
        let before = self.report.findings.len();
        self.data_object(TRY_COUNTER, &[counter])?;
        if self.report.findings.len() == before {
            let how = match self.age {
                Age::Fresh => "read back: PIN try counter 9F17",
                Age::InUse => "the card has a PIN try counter 9F17; it moves with use, and was not compared",
            };
            self.prove(grouping, how.into());
        }
        if limit {
            self.report.not_proven.push(self.evidence(grouping, "the PIN try limit cannot be read".into()));
        }
        Ok(())
    }

    /// GET PROCESSING OPTIONS: AIP and AFL are grouping 9104. // EMV B3 §6.5.8
    fn processing_options(&mut self, fci: Option<&[u8]>) -> Result<(), CardError> {
        let groupings = self.groupings(self.gpo);
        let bare = self.bare(Shown::ProcessingOptions);
        if groupings.is_empty() && bare.is_empty() {
            return Ok(());
        }
        let answer = terminal::get_processing_options(self.card, &pdol_data(fci));
        let Some(read) = self.answered(answer, "GET PROCESSING OPTIONS", AIP)? else { return Ok(()) };
        for (grouping, tag) in bare {
            let aip = read.aip();
            let read = if tag == AIP { aip.as_slice() } else { read.afl() };
            self.compare_bare(grouping, "GET PROCESSING OPTIONS", tag, Some(read));
        }
        for grouping in groupings {
            let Some((aip, afl)) = self.clear(grouping).and_then(compare::processing_data) else {
                self.find(Code::RecordTlv, "GET PROCESSING OPTIONS", AFL, "the grouping holds no AIP and AFL".into());
                continue;
            };
            let before = self.report.findings.len();
            for (tag, loaded, read) in [(AIP, aip.as_slice(), read.aip().as_slice()), (AFL, &afl, read.afl())] {
                if loaded != read {
                    let what = compare::bytes(tag, loaded, read);
                    self.find(Code::CardMismatch, "GET PROCESSING OPTIONS", tag, what);
                }
            }
            if self.report.findings.len() == before {
                self.prove(grouping, "read back: AIP 82 and AFL 94".into());
            }
        }
        Ok(())
    }

    /// Every record of the AFL, and every other record that was loaded, except those whose objects the answer to GET
    /// PROCESSING OPTIONS carries: only a transaction shows that answer. // EMV B3 §10.2, EMV C-3 §5.4
    fn records(&mut self) -> Result<(), CardError> {
        for grouping in self.groupings(ReadBack::Record) {
            if grouping.is_answered(self.contactless) {
                let how = match self.contactless {
                    true => compare::ANSWER_NOT_SEEN.to_owned(),
                    false => compare::elsewhere("contactless", self.app.interface.is_reached(true)),
                };
                self.report.not_proven.push(self.evidence(grouping, how));
                continue;
            }
            let [sfi, record] = grouping.dgi.to_be_bytes();
            let at = format!("SFI {sfi} record {record}");
            let answer = terminal::read_record(self.card, sfi, record);
            let Some(read) = self.answered(answer, &at, RECORD)? else { continue };
            let loaded = self.clear(grouping).unwrap_or_default();
            self.compare(grouping, &at, RECORD, loaded, &read);
        }
        for (sfi, record) in self.afl_records_not_loaded() {
            let at = format!("SFI {sfi} record {record}");
            self.find(Code::CardMismatch, &at, AFL, "the AFL names a record that was not loaded".into());
        }
        Ok(())
    }

    fn afl_records_not_loaded(&self) -> Vec<(u8, u8)> {
        let bare = self.bare(Shown::ProcessingOptions).into_iter().filter(|(_, tag)| *tag == AFL);
        let bare = bare.filter_map(|(grouping, _)| self.clear(grouping)).map(<[u8]>::to_vec);
        let afl = self
            .app
            .groupings
            .iter()
            .filter(|grouping| matches!(grouping.read_back, ReadBack::Gpo | ReadBack::GpoContactless))
            .filter_map(|grouping| compare::processing_data(self.clear(grouping)?))
            .map(|(_, afl)| afl)
            .chain(bare)
            .filter_map(|afl| Afl::parse(&afl).ok());
        afl.flat_map(|afl| afl.records().collect::<Vec<_>>())
            .filter(|&(sfi, record)| {
                let dgi = u16::from_be_bytes([sfi, record]);
                !self.app.groupings.iter().any(|grouping| grouping.dgi == dgi && !self.refused.contains(&dgi))
            })
            .collect()
    }

    /// Nothing of the application shows over this interface.
    fn unreached(&mut self) {
        let how = format!("the application can be selected over the {} interface only", self.app.interface.name());
        for grouping in &self.app.groupings {
            if !self.refused.contains(&grouping.dgi) {
                self.report.not_proven.push(self.evidence(grouping, how.clone()));
            }
        }
        self.refusals();
    }

    fn unread(&mut self) {
        let pairs = [
            (ReadBack::Fci, self.fci, "contact"),
            (ReadBack::FciContactless, self.fci, "contactless"),
            (ReadBack::Gpo, self.gpo, "contact"),
            (ReadBack::GpoContactless, self.gpo, "contactless"),
        ];
        for (how, here, interface) in pairs {
            if how != here {
                // A terminal of the other interface never selects the application.
                let reached = self.app.interface.is_reached(interface == "contactless");
                for grouping in self.groupings(how) {
                    let how = compare::elsewhere(interface, reached);
                    self.report.not_proven.push(self.evidence(grouping, how));
                }
            }
        }
        for grouping in self.groupings(ReadBack::None) {
            match grouping.checked_with.filter(|other| self.was_loaded(*other)) {
                Some(other) => {
                    let how = format!("the card compared it with the check values ({other:04X}) as it was stored");
                    let evidence = self.evidence(grouping, how);
                    let ReadBackReport { proven, check_values, .. } = &mut *self.report;
                    if self.age == Age::Fresh { proven } else { check_values }.push(evidence);
                }
                None => {
                    let how = if grouping.sealed {
                        "secret: the card never shows it"
                    } else {
                        "the profile states no way to read it back"
                    };
                    self.report.not_proven.push(self.evidence(grouping, how.into()));
                }
            }
        }
        self.refusals();
    }

    fn refusals(&mut self) {
        for &dgi in self.refused {
            if let Some(grouping) = self.app.groupings.iter().find(|grouping| grouping.dgi == dgi) {
                let how = "not on the card: refused with 6A88, which the record tolerates".into();
                self.report.not_proven.push(self.evidence(grouping, how));
            }
        }
    }

    fn was_loaded(&self, dgi: u16) -> bool {
        self.app.groupings.iter().any(|grouping| grouping.dgi == dgi) && !self.refused.contains(&dgi)
    }

    /// The clear value of a grouping; the record's, since a plan holds none.
    fn clear(&self, grouping: &Grouping) -> Option<&'a [u8]> {
        self.loaded.clear_value(grouping.dgi)
    }

    /// The loaded groupings that are read back in this way.
    fn groupings(&self, how: ReadBack) -> Vec<&'a Grouping> {
        let loaded = |grouping: &&Grouping| grouping.read_back == how && !self.refused.contains(&grouping.dgi);
        self.app.groupings.iter().filter(loaded).collect()
    }

    fn compare(&mut self, grouping: &Grouping, at: &str, within: Tag, loaded: &[u8], read: &[u8]) {
        let differences = compare::differences(loaded, read, within);
        if differences.is_empty() {
            self.prove(grouping, format!("read back: {at}"));
        }
        for difference in differences {
            self.find(Code::CardMismatch, at, difference.tag, difference.what);
        }
    }

    /// What the card answered; a refusal or a malformed answer becomes a finding, a broken link ends the reading.
    fn answered<T>(&mut self, answer: Result<T, CardError>, at: &str, tag: Tag) -> Result<Option<T>, CardError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error @ CardError::Link(_)) => Err(error),
            Err(error) => {
                self.find(error.code(), at, tag, error.to_string());
                Ok(None)
            }
        }
    }

    fn find(&mut self, code: Code, at: &str, tag: Tag, what: String) {
        self.report.findings.push(Finding {
            code,
            aid: self.app.aid.clone(),
            at: at.to_owned(),
            object: Object::Tag(tag),
            name: emv::tag_name(tag).unwrap_or("unknown data element").into(),
            what,
        });
    }

    fn prove(&mut self, grouping: &Grouping, how: String) {
        self.report.proven.push(self.evidence(grouping, how));
    }

    fn evidence(&self, grouping: &Grouping, how: String) -> Evidence {
        Evidence { aid: self.app.aid.clone(), dgi: grouping.dgi, name: grouping.name.clone(), how }
    }
}

/// The PDOL's values as a reader without a transaction gives them: all zero. // EMV B3 §5.4
fn pdol_data(fci: Option<&[u8]>) -> Vec<u8> {
    let objects = fci.and_then(|fci| tlv::parse(fci).ok()).unwrap_or_default();
    let pdol = tlv::find(&objects, PDOL).and_then(|pdol| Dol::parse(&pdol.value_bytes()).ok());
    pdol.map(|pdol| pdol.build(|_| None)).unwrap_or_default()
}

fn tags(objects: &[Tlv]) -> String {
    objects.iter().map(|object| object.tag.to_string()).collect::<Vec<_>>().join(", ")
}
