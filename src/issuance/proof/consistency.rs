//! The consistency rules, asked of what was read of a card.

use std::collections::BTreeMap;

use super::result::CheckRef;
use super::shown::AppProof;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::certificate::{MonthYear, open_card, open_issuer};
use crate::base::emv::rules::{
    self, Certificates, Certified, DirectoryEntry, Failure, Locator, Outcome, Place, Severity, Stage, Subject, Verdict,
};
use crate::base::emv::tag_name;
use crate::base::fault::Code;
use crate::card::emv::{ApplicationContents, CardContents, DirectoryContents};
use crate::issuance::check;
use crate::issuance::outcome::{Finding, Object};
use crate::issuance::result::RuleRef;
use crate::keys::ca_keys::CaKeys;
use crate::profile::Profile;
use crate::record::Record;

/// What is known beside the card.
pub(super) struct Known<'a> {
    pub(super) profile: Option<&'a Profile>,
    pub(super) record: Option<&'a Record>,
    pub(super) ca_keys: Option<&'a CaKeys>,
    pub(super) today: Option<(u16, u8, u8)>,
}

/// Every rule of every application that was read.
pub(super) fn checks(contents: &CardContents, proofs: &[AppProof], known: &Known<'_>) -> Vec<CheckRef> {
    let outcomes = contents.applications.iter().flat_map(|app| {
        let proof = proofs.iter().find(|proof| proof.aid == app.aid);
        rules::all(Stage::Verify, &subject(contents, app, proof, known))
    });
    outcomes
        .chain(contents.directories.iter().flat_map(|it| of_directory(contents, it)))
        .map(|outcome| {
            let shown = RuleRef::of(&outcome);
            let code =
                rules::find(outcome.rule).filter(|_| shown.severity.is_some()).map(|rule| rule.code.name().into());
            CheckRef {
                subject: shown.subject,
                check: shown.rule,
                outcome: shown.verdict,
                severity: shown.severity,
                code,
                why: shown.why,
            }
        })
        .collect()
}

/// R20, R42 and R43 look at directories, which the read-back has compared byte by byte: the card's are the record's.
const OF_DIRECTORIES: [u8; 3] = [20, 42, 43];

/// The rules that refuse data, that the record keeps and its card breaks. What the record breaks itself has been told, or
/// refused, before the card was touched.
pub(super) fn broken(contents: &CardContents, proofs: &[AppProof], known: &Known<'_>) -> Vec<Finding> {
    let loaded = known.record.map(|record| check::rules(Stage::Run, record, known.profile, known.today));
    let loaded = loaded.unwrap_or_default();
    let is_kept = |broken: &Outcome, failure: &Failure| {
        let same = loaded.iter().find(|it| it.rule == broken.rule && it.subject == broken.subject);
        same.is_some_and(|it| match &it.verdict {
            Verdict::Passed => true,
            Verdict::Failed(failures) => failures.iter().all(|held| held.place != failure.place),
            Verdict::NotApplicable(_) | Verdict::Skipped(_) => false,
        })
    };
    let mut found = Vec::new();
    for app in &contents.applications {
        let proof = proofs.iter().find(|proof| proof.aid == app.aid);
        for outcome in rules::all(Stage::Verify, &subject(contents, app, proof, known)) {
            if OF_DIRECTORIES.contains(&outcome.rule) {
                continue;
            }
            let errors = outcome.failures().iter().filter(|failure| failure.severity == Severity::Error);
            for failure in errors.filter(|failure| is_kept(&outcome, failure)) {
                let tag = match failure.place {
                    Place::Tag(tag) => Tag::of(tag),
                    Place::Fci => Tag::of(0x6F),
                    Place::Locator | Place::Answer => Tag::of(0x77),
                    _ => Tag::of(0x70),
                };
                found.push(Finding {
                    code: Code::CardMismatch,
                    aid: app.aid.clone(),
                    at: format!("rule R{}", outcome.rule),
                    object: Object::Tag(tag),
                    name: tag_name(tag).unwrap_or("unknown data element").into(),
                    what: format!("the record keeps the rule, the card does not: {}: {}", failure.place, failure.what),
                });
            }
        }
    }
    found
}

/// What the rules say of the directory that terminals of this interface use, as far as they concern one.
fn of_directory(contents: &CardContents, directory: &DirectoryContents) -> Vec<Outcome> {
    let (name, interface) = if contents.contactless { ("PPSE", "contactless") } else { ("PSE", "contact") };
    let fci = directory.fci.data().and_then(|fci| tlv::parse_one(fci).ok());
    let Some(fci) = fci.filter(|_| directory.name == name) else { return Vec::new() };
    let inside = |tag| fci.children().iter().find(|it| it.tag == Tag::of(tag));
    let records = directory.records.iter().filter_map(|it| Some(((it.sfi, it.record), it.data.data()?)));
    let subject = Subject {
        name: format!("{name} ({interface})"),
        contactless: contents.contactless,
        aid: directory.aid.to_vec(),
        df_name: inside(0x84).map(Tlv::value_bytes),
        fci: inside(0xA5).map(|it| tlv::encode(Tag::of(0xA5), &it.value_bytes())),
        locator: Some(None),
        records: records.collect(),
        // The walk asks for record 1 of the file that 88 names.
        all_records: true,
        answer: Some(Vec::new()),
        internal: Some(Vec::new()),
        ..Subject::default()
    };
    let outcomes = rules::all(Stage::Verify, &subject).into_iter();
    outcomes.filter(|outcome| matches!(outcome.verdict, Verdict::Passed | Verdict::Failed(_))).collect()
}

fn subject<'a>(
    contents: &'a CardContents,
    app: &'a ApplicationContents,
    proof: Option<&AppProof>,
    known: &Known<'_>,
) -> Subject<'a> {
    let interface = if contents.contactless { "contactless" } else { "contact" };
    let fci = app.fci.data().and_then(|fci| tlv::parse_one(fci).ok());
    let inside = |tag| fci.as_ref().and_then(|fci| fci.children().iter().find(|it| it.tag == Tag::of(tag)));
    let options = app.processing_options();
    let records: BTreeMap<(u8, u8), &[u8]> =
        app.records.iter().filter_map(|it| Some(((it.sfi, it.record), it.data.data()?))).collect();
    // What the record loads tells of keys and stripe, which a card does not show.
    let loaded = known.record.and_then(|record| {
        let contact = if contents.contactless { "(contactless)" } else { "(contact)" };
        record.subjects().into_iter().find(|it| it.aid == app.aid && it.name.ends_with(contact))
    });
    let name = if contents.contactless { "PPSE" } else { "PSE" };
    let directory = contents.directories.iter().find(|it| it.name == name && it.fci.data().is_some());
    let mut subject = Subject {
        name: format!("{} ({interface})", hex::encode_upper(&app.aid)),
        contactless: contents.contactless,
        aid: app.aid.clone(),
        df_name: inside(0x84).map(Tlv::value_bytes),
        fci: inside(0xA5).map(|it| tlv::encode(Tag::of(0xA5), &it.value_bytes())),
        locator: options.as_ref().map(|options| Some(Locator { aip: options.aip(), afl: options.afl().to_vec() })),
        records,
        answer: options.map(|_| answer(app)),
        internal: Some(internal(app)),
        groupings: loaded.as_ref().and_then(|it| it.groupings.clone()),
        twins: loaded.as_ref().map_or_else(|| (contents.applications.len() < 2).then(Vec::new), |it| it.twins.clone()),
        directory_kernel: directory.and_then(|it| kernel(it.fci.data()?, &app.aid)),
        issuer_data: issuer_data(app).or_else(|| loaded.as_ref().and_then(|it| it.issuer_data.clone())),
        tracks: loaded.and_then(|it| it.tracks),
        key_sequence_number: proof.and_then(|proof| proof.key_sequence_number),
        certificates: known.ca_keys.and_then(|keys| certificates(app, proof, keys)),
        directory: directory.map(|it| it.lists.clone()),
        directory_entries: directory.map(entries),
        on_card: Some(contents.applications.iter().map(|it| it.aid.clone()).collect()),
        today: known.today,
        ..Subject::default()
    };
    if let Some(profile) = known.profile {
        profile.describe(&mut subject);
    }
    subject
}

/// What GET PROCESSING OPTIONS was answered with besides AIP and AFL; format 1 holds nothing else. // EMV B3 §6.5.8
fn answer(app: &ApplicationContents) -> Vec<Tlv> {
    let answer = app.options.data().and_then(|answer| tlv::parse_one(answer).ok());
    let template = answer.filter(|answer| answer.tag == Tag::of(0x77));
    let objects = template.map(|template| template.children().to_vec()).unwrap_or_default();
    objects.into_iter().filter(|object| ![Tag::of(0x82), Tag::of(0x94)].contains(&object.tag)).collect()
}

/// The kernel identifier (9F2A) of the application's entry in the answer to SELECT of the PPSE.
fn kernel(fci: &[u8], aid: &[u8]) -> Option<Vec<u8>> {
    fn entries(objects: &[Tlv]) -> Vec<&Tlv> {
        let mut found = Vec::new();
        for object in objects {
            match object.tag == Tag::of(0x61) {
                true => found.push(object),
                false => found.extend(entries(object.children())),
            }
        }
        found
    }
    let objects = tlv::parse(fci).ok()?;
    let is_of = |entry: &&Tlv| {
        tlv::find(entry.children(), Tag::of(0x4F)).is_some_and(|name| aid.starts_with(&name.value_bytes()))
    };
    let entry = entries(&objects).into_iter().find(is_of)?;
    tlv::find(entry.children(), Tag::of(0x9F2A)).map(Tlv::value_bytes)
}

/// The entries of a directory: out of a PSE's records, or out of the FCI of a PPSE.
fn entries(directory: &DirectoryContents) -> Vec<DirectoryEntry> {
    let records = directory.records.iter().filter_map(|record| record.data.data());
    let answers = records.chain(directory.fci.data());
    answers.filter_map(|answer| tlv::parse(answer).ok()).flat_map(|objects| DirectoryEntry::all(&objects)).collect()
}

/// The issuer application data of a cryptogram that was made at GET PROCESSING OPTIONS.
fn issuer_data(app: &ApplicationContents) -> Option<Vec<u8>> {
    tlv::find(&answer(app), Tag::of(0x9F10)).map(Tlv::value_bytes)
}

fn internal(app: &ApplicationContents) -> Vec<Tlv> {
    app.objects.iter().filter_map(|(_, seen)| tlv::parse_one(seen.data()?).ok()).collect()
}

/// What can be told of the certificates without believing them; what a terminal thinks of them stands in the checks of
/// offline data authentication.
fn certificates(app: &ApplicationContents, proof: Option<&AppProof>, keys: &CaKeys) -> Option<Certificates> {
    let records = app.records.iter().filter_map(|record| tlv::parse(record.data.data()?).ok());
    let objects: Vec<Tlv> = records.flatten().collect();
    let value = |tag| tlv::find(&objects, Tag::of(tag)).map(Tlv::value_bytes);
    let rest = |tag| value(tag).unwrap_or_default();
    let [index] = value(0x8F)?.try_into().ok()?;
    let ca = keys.find(*app.aid.first_chunk::<5>()?, index)?;
    let certified = |modulus, expiry: MonthYear| Certified { modulus, expiry: (expiry.year(), expiry.month()) };
    let issuer = open_issuer(ca.key(), &value(0x90)?, &rest(0x92), &rest(0x9F32)).ok();
    let open = |[certificate, remainder, exponent]: [u32; 3]| {
        let opened = open_card(&issuer.as_ref()?.key, &value(certificate)?, &rest(remainder), &rest(exponent)).ok()?;
        let card = opened.unproven();
        Some(certified(card.key.length(), card.expiry))
    };
    let icc = [[0x9F46, 0x9F48, 0x9F47], [0x9F2D, 0x9F2F, 0x9F2E]].into_iter().filter_map(open).collect();
    Some(Certificates {
        ca: ca.key().length(),
        issuer: issuer.as_ref().map(|it| certified(it.key.length(), it.expiry)),
        icc,
        faults: proof.map(|proof| proof.offline_faults.clone()).unwrap_or_default(),
    })
}
