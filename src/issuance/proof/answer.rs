//! Records whose objects the contactless answer to GET PROCESSING OPTIONS carries, against that answer. // EMV C-3 §5.4

use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::tag_name;
use crate::base::fault::Code;
use crate::card::emv::CardContents;
use crate::issuance::compare;
use crate::issuance::outcome::{Evidence, Finding, Object};
use crate::issuance::plan::{AppPlan, Grouping, Plan};
use crate::issuance::verify::ReadBackReport;
use crate::record::{Application, Record};

const AT: &str = "GET PROCESSING OPTIONS";
const HOW: &str = "the answer to GET PROCESSING OPTIONS carries its objects";
/// The application cryptogram: without it the card has not answered at once.
const CRYPTOGRAM: Tag = Tag::of(0x9F26);
/// Objects that a card makes for each transaction: AIP, AFL, issuer application data, cryptogram and its information,
/// transaction counter, signature.
const MADE: [u32; 7] = [0x82, 0x94, 0x9F10, 0x9F26, 0x9F27, 0x9F36, 0x9F4B];

/// Compares every record of the answer with the answer that a terminal has got. A difference is a finding; a record whose
/// objects are all there is proven.
pub(super) fn compare(contents: &CardContents, (record, plan): (&Record, &Plan), report: &mut ReadBackReport) {
    if !contents.contactless {
        return;
    }
    for (app, loaded) in plan.applications.iter().zip(record.applications()) {
        let Some(read) = contents.applications.iter().find(|it| it.aid == app.aid) else { continue };
        let answer = read.options.data().and_then(|answer| tlv::parse_one(answer).ok());
        let objects = answer.map(|answer| answer.children().to_vec()).unwrap_or_default();
        for grouping in app.groupings.iter().filter(|grouping| grouping.is_answered(true)) {
            one(app, grouping, loaded, &objects, report);
        }
    }
}

fn one(app: &AppPlan, grouping: &Grouping, loaded: &Application, answer: &[Tlv], report: &mut ReadBackReport) {
    let dgi = grouping.dgi;
    // Refused by the card, and said so: it is not on the card.
    let is_it = |it: &Evidence| it.aid == app.aid && it.dgi == dgi && it.how == compare::ANSWER_NOT_SEEN;
    let Some(held) = report.not_proven.iter().position(is_it) else { return };
    let Some(value) = loaded.clear_value(grouping.dgi) else { return };
    let objects: Vec<Tlv> = tlv::parse(value).unwrap_or_default().iter().flat_map(flat).collect();
    let mut differences: Vec<(Tag, String)> = Vec::new();
    if tlv::find(answer, CRYPTOGRAM).is_none() {
        differences.push((CRYPTOGRAM, "is missing: the card does not answer at once".to_owned()));
    }
    for object in objects.iter().filter(|object| !MADE.contains(&object.tag.number())) {
        match tlv::find(answer, object.tag).map(Tlv::value_bytes) {
            None => differences.push((object.tag, format!("is missing; DGI {dgi:04X} holds it for this answer"))),
            Some(read) if read == object.value_bytes() => {}
            Some(read) => differences.push((object.tag, compare::bytes(object.tag, &object.value_bytes(), &read))),
        }
    }
    if differences.is_empty() {
        let proven = report.not_proven.remove(held);
        report.proven.push(Evidence { how: HOW.to_owned(), ..proven });
    }
    for (tag, what) in differences {
        report.findings.push(Finding {
            code: Code::CardMismatch,
            aid: app.aid.clone(),
            at: AT.to_owned(),
            object: Object::Tag(tag),
            name: tag_name(tag).unwrap_or("unknown data element").into(),
            what,
        });
    }
}

/// The objects of a template, or the object itself.
fn flat(object: &Tlv) -> Vec<Tlv> {
    match object.children() {
        [] => vec![object.clone()],
        children => children.to_vec(),
    }
}
