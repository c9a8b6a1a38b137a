//! What must be true within a record, whatever the card product.

use std::collections::HashMap;

use super::file::BodyFile;
use super::{Application, Problem, Record, problem};
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::track::{Fields, Number};
use crate::base::emv::{Afl, Dol, Pan};
use crate::base::fault::Code;

const RECORD: Tag = Tag::of(0x70);
const FCI: Tag = Tag::of(0xA5);

/// Groupings that hold AIP and AFL: for contacts, and those that products use for the antenna. // CPS 1.1 annex A
const LOCATORS: [u16; 4] = [0x9104, 0x9105, 0x9207, 0xB104];

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
            problems.push(problem(path, Code::RecordContradiction, "the application stands twice"));
        }
    }
    tracks(body, &chip, problems);
    print(body, &chip, problems);
}

fn application(path: &str, app: &Application, chip: &mut Chip, problems: &mut Vec<Problem>) {
    // Each interface has its own AFL; an object may stand in the records of both, but once in those of one.
    let located: Vec<(u16, Afl)> =
        LOCATORS.iter().filter_map(|dgi| Some((*dgi, app.clear_value(*dgi).and_then(locator)?))).collect();
    let mut seen: HashMap<(u16, Tag), u16> = HashMap::new();
    for (at, grouping) in app.groupings.iter().enumerate() {
        let dgi = grouping.dgi;
        let path = format!("{path}.groupings[{at}] ({dgi:04X})");
        if app.groupings.iter().take(at).any(|earlier| earlier.dgi == dgi) {
            problems.push(problem(&path, Code::RecordDgi, "the grouping stands twice"));
        }
        let Some(value) = app.clear_value(dgi) else { continue };
        for message in grouping_value(dgi, value) {
            problems.push(problem(&path, Code::RecordTlv, message));
        }
        let [sfi, number] = dgi.to_be_bytes();
        let Ok(objects) = tlv::parse(value) else { continue };
        let naming: Vec<u16> =
            located.iter().filter(|(_, afl)| afl.records().any(|it| it == (sfi, number))).map(|(by, _)| *by).collect();
        if (0x01..=0x0A).contains(&sfi) && !naming.is_empty() {
            for object in objects.iter().flat_map(Tlv::children) {
                for by in &naming {
                    if let Some(other) = seen.insert((*by, object.tag), dgi) {
                        let message = format!("{} stands in record {other:04X} already", object.tag);
                        problems.push(problem(&path, Code::RecordTlv, message));
                    }
                }
                data_element(&path, object, chip, problems);
            }
        }
    }
    lists(path, app, problems);
    for (_, afl) in &located {
        records_of(path, app, afl, problems);
    }
    for dgi in LOCATORS.iter().filter(|dgi| app.clear_value(**dgi).is_some()) {
        if !located.iter().any(|(by, _)| by == dgi) {
            let message = format!("grouping {dgi:04X} holds no AIP and AFL that a terminal could read");
            problems.push(problem(format!("{path}.groupings"), Code::RecordTlv, message));
        }
    }
}

/// What a grouping must look like by its number. // CPS 1.1 annex A
fn grouping_value(dgi: u16, value: &[u8]) -> Vec<String> {
    let [sfi, number] = dgi.to_be_bytes();
    let mut wrong = Vec::new();
    match dgi {
        _ if (0x01..=0x1E).contains(&sfi) => {
            if number == 0 {
                wrong.push("records are numbered from 01".to_owned());
            }
            if value.len() > 254 {
                wrong.push(format!("a record has at most 254 bytes, not {}", value.len()));
            }
            if sfi <= 0x0A {
                match tlv::parse_one(value) {
                    Ok(record) if record.tag == RECORD => {}
                    Ok(other) => wrong.push(format!("a record is a template 70, not {}", other.tag)),
                    Err(error) => wrong.push(format!("broken BER-TLV: {error}")),
                }
            }
        }
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

/// Data elements that something else must agree with, or whose form is laid down.
fn data_element(path: &str, object: &Tlv, chip: &mut Chip, problems: &mut Vec<Problem>) {
    let value = object.value_bytes();
    let mut wrong = |message: &str| {
        problems.push(problem(path, Code::RecordContradiction, format!("{}: {message}", object.tag)));
    };
    match object.tag.number() {
        0x5A => match Pan::from_cn(&value) {
            Ok(pan) if !pan.luhn_ok() => wrong("the PAN's check digit is wrong"),
            Ok(pan) => agree(&mut chip.pan, pan, "the PAN differs between 5A and 57", &mut wrong),
            Err(error) => wrong(&error.to_string()),
        },
        0x57 => match Fields::from_tag57(&value) {
            Ok(fields) => {
                agree(&mut chip.pan, fields.pan.clone(), "the PAN differs between 5A and 57", &mut wrong);
                agree(&mut chip.expiry, fields.expiry.clone(), "the expiry differs between 5F24 and 57", &mut wrong);
                let code = fields.service_code.clone();
                agree(&mut chip.service_code, code, "the service code differs between 5F30 and 57", &mut wrong);
            }
            Err(error) => wrong(&error.to_string()),
        },
        0x5F24 => match value.as_slice() {
            [year, month @ 0x01..=0x12, _] => {
                let expiry = hex::encode([*year, *month]);
                agree(&mut chip.expiry, expiry, "the expiry differs between 5F24 and 57", &mut wrong);
            }
            _ => wrong("it is not a date YYMMDD"),
        },
        0x5F30 => match hex::encode(&value).strip_prefix('0') {
            Some(code) if code.len() == 3 => {
                let code = code.to_owned();
                agree(&mut chip.service_code, code, "the service code differs between 5F30 and 57", &mut wrong);
            }
            _ => wrong("a service code is 0 and three digits"),
        },
        0x8C | 0x8D | 0x9F49 | 0x97 if Dol::parse(&value).is_err() => wrong("it is not a data object list"),
        0x8E if value.len() < 10 || !value.len().is_multiple_of(2) => {
            wrong("a CVM list has an even length of at least 10")
        }
        _ => {}
    }
}

fn agree<T: PartialEq>(known: &mut Option<T>, new: T, message: &str, wrong: &mut impl FnMut(&str)) {
    match known {
        Some(known) if *known != new => wrong(message),
        Some(_) => {}
        None => *known = Some(new),
    }
}

/// The AFL of grouping 9104, written as TLVs or behind the AIP.
fn locator(value: &[u8]) -> Option<Afl> {
    let written = tlv::parse(value)
        .ok()
        .filter(|objects| tlv::find(objects, Tag::of(0x82)).is_some_and(|aip| aip.value_bytes().len() == 2))
        .and_then(|objects| tlv::find(&objects, Tag::of(0x94)).map(Tlv::value_bytes));
    Afl::parse(&written.or_else(|| value.get(2..).map(<[u8]>::to_vec))?).ok()
}

/// Every record of the AFL is there. (Records beside it are the profile's business.) // EMV B3 §10.2
fn records_of(path: &str, app: &Application, afl: &Afl, problems: &mut Vec<Problem>) {
    for (sfi, number) in afl.records() {
        let dgi = u16::from_be_bytes([sfi, number]);
        if !app.groupings.iter().any(|grouping| grouping.dgi == dgi) {
            let message = format!("the AFL names SFI {sfi} record {number}, and there is no grouping {dgi:04X}");
            problems.push(problem(format!("{path}.groupings"), Code::RecordDgi, message));
        }
    }
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
            let month_fits = month.parse::<u8>().is_ok_and(|month| (1..=12).contains(&month));
            (month_fits && year.parse::<u8>().is_ok()).then(|| format!("{year}{month}"))
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
