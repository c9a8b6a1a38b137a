//! What must be true within a record, whatever the card product.

use super::file::BodyFile;
use super::subject::locator;
use super::{Application, Content, LOCATORS, Problem, Record, problem};
use crate::base::Warning;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::rules::{self, Outcome, Place, Severity, Stage};
use crate::base::emv::track::{Fields, Number};
use crate::base::emv::{Afl, Dol, Pan};
use crate::base::fault::Code;

const FCI: Tag = Tag::of(0xA5);

/// What the chip says of the card: tracks and print must say the same.
#[derive(Default)]
struct Chip {
    pan: Option<Pan>,
    expiry: Option<String>,
    service_code: Option<String>,
}

pub(super) fn record(record: &Record, body: &BodyFile, problems: &mut Vec<Problem>) {
    let mut chip = Chip::default();
    for (at, app) in record.applications.iter().enumerate() {
        application(&format!("body.applications[{at}]"), app, &mut chip, problems);
    }
    for (at, app) in record.applications.iter().enumerate() {
        if record.applications.iter().take(at).any(|earlier| earlier.aid == app.aid) {
            let path = format!("body.applications[{at}].aid");
            problems.push(problem(path, Code::RecordContradiction, "duplicate application"));
        }
    }
    consistency(record, problems);
    tracks(body, &chip, problems);
    print(body, &chip, problems);
    // The id stands in the clear in journals, results and file names.
    if chip.pan.as_ref().is_some_and(|pan| record.header.id.contains(pan.digits())) {
        problems.push(problem("header.id", Code::RecordContradiction, "it holds the PAN; give the record another id"));
    }
}

/// The consistency rules, as far as a record shows what they are about. Warnings refuse nothing.
fn consistency(record: &Record, problems: &mut Vec<Problem>) {
    for subject in record.subjects() {
        let at = record.applications.iter().position(|app| app.aid == subject.aid).unwrap_or(0);
        let Some(app) = record.applications.get(at) else { continue };
        for outcome in rules::all(Stage::Check, &subject) {
            let code = rules::find(outcome.rule).map_or(Code::RecordContradiction, |rule| rule.code);
            for failure in outcome.failures().iter().filter(|failure| failure.severity == Severity::Error) {
                let path = format!("body.applications[{at}].{}", path_of(app, failure.place));
                let found = problem(path, code, format!("{}: {} (R{})", failure.place, failure.what, outcome.rule));
                // What both interfaces show is told once.
                if !problems.contains(&found) {
                    problems.push(found);
                }
            }
        }
    }
}

impl Record {
    /// The warnings among what the consistency rules say of the record, each with its path in it. What both interfaces show
    /// comes once.
    pub fn warnings(&self, outcomes: &[Outcome]) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = Vec::new();
        for outcome in outcomes {
            let name = |app: &Application| format!("{} ", hex::encode_upper(&app.aid));
            let at = self.applications.iter().position(|app| outcome.subject.starts_with(&name(app)));
            for failure in outcome.failures().iter().filter(|failure| failure.severity == Severity::Warning) {
                let within = at.and_then(|at| Some((at, path_of(self.applications.get(at)?, failure.place))));
                let path = within.map_or("body".into(), |(at, path)| format!("body.applications[{at}].{path}"));
                let message = format!("{}: {} (R{})", failure.place, failure.what, outcome.rule);
                let found = Warning::new(path, message);
                if !warnings.contains(&found) {
                    warnings.push(found);
                }
            }
        }
        warnings
    }
}

/// The grouping in which something shows, as a path.
fn path_of(app: &Application, place: Place) -> String {
    let holding = |tag: u32| {
        app.groupings.iter().map(|grouping| grouping.dgi).find(|dgi| {
            let objects = app.clear_value(*dgi).and_then(|value| tlv::parse(value).ok()).unwrap_or_default();
            tlv::find(&objects, Tag::of(tag)).is_some()
        })
    };
    let dgi = match place {
        Place::Record(sfi, number) => Some(u16::from_be_bytes([sfi, number])),
        Place::Grouping(dgi) => Some(dgi),
        Place::Tag(tag) => holding(tag),
        Place::Fci => Some(0x9102),
        Place::Locator | Place::Answer => Some(0x9104),
        Place::Track(_) => None,
    };
    match app.groupings.iter().position(|grouping| Some(grouping.dgi) == dgi) {
        Some(at) => format!("groupings[{at}] ({:04X})", dgi.unwrap_or_default()),
        None => "groupings".into(),
    }
}

fn application(path: &str, app: &Application, chip: &mut Chip, problems: &mut Vec<Problem>) {
    for (at, grouping) in app.groupings.iter().enumerate() {
        let dgi = grouping.dgi;
        let path = format!("{path}.groupings[{at}] ({dgi:04X})");
        if app.groupings.iter().take(at).any(|earlier| earlier.dgi == dgi) {
            problems.push(problem(&path, Code::RecordDgi, "duplicate grouping"));
        }
        let Some(value) = app.clear_value(dgi) else { continue };
        for message in grouping_value(dgi, value) {
            problems.push(problem(&path, Code::RecordTlv, message));
        }
        if (0x0101..0x0B00).contains(&dgi) {
            let objects = tlv::parse(value).unwrap_or_default();
            objects.iter().flat_map(Tlv::children).for_each(|object| chip.learn(object));
        }
    }
    lists(path, app, problems);
    for dgi in LOCATORS.iter().filter(|dgi| app.clear_value(**dgi).is_some()) {
        let located = app.clear_value(*dgi).and_then(locator).is_some_and(|it| Afl::parse(&it.afl).is_ok());
        if !located {
            let message = format!("grouping {dgi:04X} holds no AIP and AFL that a terminal could read");
            problems.push(problem(format!("{path}.groupings"), Code::RecordTlv, message));
        }
    }
}

impl Chip {
    /// What the records say first; whether they agree is the rules' business.
    fn learn(&mut self, object: &Tlv) {
        let value = object.value_bytes();
        match object.tag.number() {
            0x5A => self.pan = self.pan.take().or_else(|| Pan::from_cn(&value).ok()),
            0x57 => {
                let Ok(fields) = Fields::from_tag57(&value) else { return };
                self.pan.get_or_insert_with(|| fields.pan.clone());
                self.expiry.get_or_insert_with(|| fields.expiry.clone());
                self.service_code.get_or_insert_with(|| fields.service_code.clone());
            }
            0x5F24 => {
                if let [year, month, _] = *value.as_slice() {
                    self.expiry.get_or_insert_with(|| hex::encode([year, month]));
                }
            }
            _ => {}
        }
    }
}

/// What a grouping must look like by its number; records are the rules' business. // CPS 1.1 annex A
fn grouping_value(dgi: u16, value: &[u8]) -> Vec<String> {
    let [sfi, number] = dgi.to_be_bytes();
    let mut wrong = Vec::new();
    match dgi {
        _ if (0x01..=0x1E).contains(&sfi) && number == 0 => wrong.push("records are numbered from 01".to_owned()),
        0x9102 | 0x9103 => match tlv::parse_one(value) {
            Ok(fci) if fci.tag == FCI => {
                if let Some(pdol) = tlv::find(fci.children(), Tag::of(0x9F38))
                    && Dol::parse(&pdol.value_bytes()).is_err()
                {
                    wrong.push("9F38 is not a data object list".to_owned());
                }
            }
            Ok(other) => wrong.push(format!("the FCI's proprietary template is A5, not {}", other.tag)),
            Err(error) => wrong.push(format!("broken BER-TLV: {error}")),
        },
        0x3000 | 0x3001 => {
            if let Err(error) = tlv::parse(value) {
                wrong.push(format!("broken BER-TLV: {error}"));
            }
        }
        _ => {}
    }
    wrong
}

/// Groups and tolerated groupings name what is there, and do not meet.
fn lists(path: &str, app: &Application, problems: &mut Vec<Problem>) {
    let has = |dgi: &u16| app.groupings.iter().any(|grouping| grouping.dgi == *dgi);
    let mut grouped: Vec<u16> = Vec::new();
    for (at, group) in app.groups.iter().enumerate() {
        for dgi in group {
            let wrong = if !has(dgi) {
                "is not in the record"
            } else if grouped.contains(dgi) {
                "stands in a group already"
            } else if app.tolerated.contains(dgi) {
                "may be refused by the card, and so must travel alone"
            } else {
                grouped.push(*dgi);
                continue;
            };
            problems.push(problem(format!("{path}.groups[{at}]"), Code::RecordDgi, format!("{dgi:04X} {wrong}")));
        }
    }
    // A card without its keys or its PIN is no card: that it refuses them is never accepted. // CPS 1.1 §5.4.2
    let sealed = |dgi: &u16| {
        let grouping = app.groupings.iter().find(|grouping| grouping.dgi == *dgi);
        grouping.is_some_and(|grouping| matches!(grouping.content, Content::Sealed(_)))
    };
    for dgi in app.tolerated.iter().filter(|dgi| matches!(**dgi, 0x8000..=0x8FFF | 0x9010) || sealed(dgi)) {
        let message = format!(
            "{dgi:04X} holds keys, a PIN or its counter, which the card must not refuse; remove it from tolerate"
        );
        problems.push(problem(format!("{path}.tolerate"), Code::RecordContradiction, message));
    }
    for dgi in app.tolerated.iter().filter(|dgi| !has(dgi)) {
        let message = format!("{dgi:04X} is not in the record");
        problems.push(problem(format!("{path}.tolerate"), Code::RecordDgi, message));
    }
}

/// Alphabet, length, fields; PAN, expiry and service code as on the chip. // ISO/IEC 7813
fn tracks(body: &BodyFile, chip: &Chip, problems: &mut Vec<Problem>) {
    let stripe = &body.stripe;
    let mut check = |name: &str, fields: Result<Option<Fields>, String>| {
        let mut wrong =
            |message: &str| problems.push(problem(format!("body.stripe.{name}"), Code::RecordTrack, message));
        match fields {
            Err(message) => wrong(&message),
            Ok(None) => {}
            Ok(Some(fields)) => {
                if chip.pan.as_ref().is_some_and(|pan| *pan != fields.pan) {
                    wrong("its PAN is not the chip's");
                }
                if chip.expiry.as_ref().is_some_and(|expiry| *expiry != fields.expiry) {
                    wrong("its expiry is not the chip's");
                }
                if chip.service_code.as_ref().is_some_and(|code| *code != fields.service_code) {
                    wrong("its service code is not the chip's");
                }
            }
        }
    };
    if let Some(text) = &stripe.track1 {
        check("track1", Fields::track1(text).map(Some).map_err(|error| error.to_string()));
    }
    if let Some(text) = &stripe.track2 {
        let fields = Number::Two.check(text).and_then(|_| Fields::track2(text));
        check("track2", fields.map(Some).map_err(|error| error.to_string()));
    }
    if let Some(text) = &stripe.track3 {
        check("track3", Number::Three.check(text).map(|_| None).map_err(|error| error.to_string()));
    }
}

fn print(body: &BodyFile, chip: &Chip, problems: &mut Vec<Problem>) {
    let print = &body.print;
    let mut wrong =
        |field: &str, message: &str| problems.push(problem(format!("body.print.{field}"), Code::RecordPrint, message));
    if let Some(text) = &print.pan {
        match Pan::parse(text) {
            Err(error) => wrong("pan", &error.to_string()),
            Ok(pan) if chip.pan.as_ref().is_some_and(|chip| *chip != pan) => wrong("pan", "it is not the chip's"),
            Ok(_) => {}
        }
    }
    let month_year = |text: &str| match text.split_once('/') {
        Some((month, year)) if month.len() == 2 && year.len() == 2 => {
            // A sign is no digit.
            let digits = [month, year].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            let month_fits = month.parse::<u8>().is_ok_and(|month| (1..=12).contains(&month));
            (digits && month_fits).then(|| format!("{year}{month}"))
        }
        _ => None,
    };
    if let Some(text) = &print.expiry {
        match month_year(text) {
            None => wrong("expiry", "it is not MM/YY"),
            Some(expiry) if chip.expiry.as_ref().is_some_and(|chip| *chip != expiry) => {
                wrong("expiry", "it is not the chip's");
            }
            Some(_) => {}
        }
    }
    if print.effective.as_deref().is_some_and(|text| month_year(text).is_none()) {
        wrong("effective", "it is not MM/YY");
    }
    let digits = |text: &String| (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if print.cvv2.as_ref().is_some_and(|text| !digits(text)) {
        wrong("cvv2", "it is not three or four digits");
    }
    for (at, name) in print.names.iter().enumerate() {
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            wrong(&format!("names[{at}]"), "a line has 1 to 64 printable characters");
        }
    }
}
