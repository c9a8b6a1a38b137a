//! R7, R8, R9, R20, R23: records, locator, directories, sizes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Place, Severity, View};
use crate::base::codec::tlv::{self, Tag, Tlv};

const NO_LOCATOR: &str = "AIP and AFL are not available at this stage";
const NO_PAYMENT: &str = "it is no payment application";
/// Longest answer beside its status word.
const ANSWER: usize = 256;
/// Issuer application data (9F10) at its longest. // EMV B3 annex A
const ISSUER_DATA: usize = 32;
/// Application cryptogram, its information data, transaction counter, issuer application data. Not the dynamic signature:
/// a contactless card may keep it for a record.
const OF_ANSWERS: [u32; 4] = [0x9F26, 0x9F27, 0x9F36, 0x9F10];
/// What every card answers to GET DATA by itself: its production life cycle data.
const OF_CARD: [u32; 1] = [0x9F7F];
/// Longest record. // EMV B3 §7.1
const RECORD: usize = 254;

/// R7. // EMV B3 §10.2
pub(super) fn locator(view: &View<'_>, findings: &mut Findings) {
    let afl = match &view.afl {
        Some(Ok(afl)) => afl,
        Some(Err(error)) => return findings.must(false, Place::Tag(0x94), &error.to_string()),
        None if view.is_payment() == Some(false) => return findings.absent(NO_PAYMENT),
        None => return findings.unseen(NO_LOCATOR),
    };
    for (sfi, number) in afl.records() {
        let there = view.subject.records.contains_key(&(sfi, number));
        findings.must(there, Place::Record(sfi, number), "the AFL names the record, and it is not there");
    }
    // Only an answer with a cryptogram carries more than AIP and AFL. // EMV C-3 §5.4, EMV C-2 §6.6
    if view.subject.fci.is_some() && !view.answers_at_once() {
        let what = "the product says that the answer to GET PROCESSING OPTIONS carries its objects, and the card does not make \
                    its cryptogram there: the PDOL lacks 9F66, or 9F10 has Mastercard's form; use read = [\"contactless\"]";
        for &(sfi, number) in &view.subject.answered_records {
            findings.must(false, Place::Record(sfi, number), what);
        }
    }
    if !view.subject.all_records {
        return findings.unseen("records that no AFL names cannot be found by reading");
    }
    for &(sfi, number) in view.subject.records.keys() {
        let used = afl.records().any(|it| it == (sfi, number)) || view.subject.declared.contains(&(sfi, number));
        findings.should(used, Place::Record(sfi, number), "no AFL names the record, and nothing else declares it");
    }
}

/// R8. // EMV B3 §7.1, CPS 1.1 annex A
pub(super) fn records(view: &View<'_>, findings: &mut Findings) {
    for (&(sfi, number), record) in view.subject.records.iter().filter(|((sfi, _), _)| (1..=10).contains(sfi)) {
        let place = Place::Record(sfi, number);
        match tlv::parse_one(record) {
            Ok(object) => findings.must(object.tag == Tag::of(0x70), place, "the record is not one template 70"),
            Err(error) => findings.must(false, place, &format!("the record is broken BER-TLV: {error}")),
        }
    }
    // EMV B3 §10.2: a terminal ends the transaction at a second occurrence, wherever it read the first
    let mut seen: BTreeMap<Tag, Vec<Place>> = BTreeMap::new();
    for (object, place) in view.objects() {
        seen.entry(object.tag).or_default().push(*place);
    }
    // EMV B3 §6.5.5, EMV C-3 §2.4: the card itself puts these into its answers to GENERATE AC, or to a contactless
    // GET PROCESSING OPTIONS
    for (object, place) in view.objects() {
        if matches!(place, Place::Record(..)) && OF_ANSWERS.contains(&object.tag.number()) {
            let what = format!("duplicate object: {place} and the answer with the application cryptogram both hold it");
            findings.must(false, Place::Tag(object.tag.number()), &what);
        }
    }
    for (tag, places) in &seen {
        if let [first, second, ..] = places.as_slice() {
            let what = format!("duplicate object: {first} and {second} both hold it");
            findings.must(false, Place::Tag(tag.number()), &what);
        }
    }
    let fci = view.subject.fci.as_ref().and_then(|fci| tlv::parse(fci).ok()).unwrap_or_default();
    let entries = view.subject.records.values().filter_map(|record| tlv::parse(record).ok()).flatten();
    let internal = view.subject.internal.iter().flatten().cloned().collect::<Vec<_>>();
    // GPC 2.3.1 §H.6: the card itself answers GET DATA for them
    for tag in OF_CARD.into_iter().filter(|_| view.stage != super::Stage::Verify) {
        let loaded = internal.iter().any(|object| object.tag == Tag::of(tag));
        let what =
            "duplicate object: GET DATA of this tag gives the chip's own value; leave it out of the internal data";
        if loaded {
            findings.must(false, Place::Tag(tag), what);
        }
    }
    let mut elsewhere = twice(&internal);
    fci.iter().for_each(|template| within(template, &mut elsewhere));
    for tag in elsewhere {
        findings.must(false, Place::Tag(tag.number()), "duplicate object");
    }
    // Of records that no AFL names here too: directory entries, and what another interface reads.
    let mut in_one = BTreeSet::new();
    entries.for_each(|template| within(&template, &mut in_one));
    for tag in in_one {
        let told = seen.get(&tag).is_some_and(|places| places.len() > 1);
        findings.must(told, Place::Tag(tag.number()), "duplicate object in one record");
    }
    if view.subject.records.is_empty() {
        findings.absent("there is no record");
    }
}

/// Adds the tags that come twice in one template, at any depth.
fn within(template: &Tlv, tags: &mut BTreeSet<Tag>) {
    let children = template.children();
    tags.append(&mut twice(children));
    children.iter().for_each(|child| within(child, tags));
}

/// Tags of primitive objects that come twice next to each other; templates such as directory entries may be several.
fn twice(objects: &[Tlv]) -> BTreeSet<Tag> {
    let mut seen = BTreeSet::new();
    objects.iter().map(|it| it.tag).filter(|tag| !tag.is_constructed() && !seen.insert(*tag)).collect()
}

/// R9. // EMV B3 §7.2
pub(super) fn mandatory(view: &View<'_>, findings: &mut Findings) {
    match view.is_payment() {
        None => return findings.unseen(NO_LOCATOR),
        Some(false) => return findings.absent(NO_PAYMENT),
        // EMV contactless books: what a kernel reads is its own matter
        Some(true) if view.subject.contactless => {
            if view.asks_for_qualifiers() && view.is_of_mastercard() && !view.has(0x9F26) {
                let what = "no cryptogram can be made: the card makes one as Mastercard's, at GENERATE AC only, and no record \
                            holds CDOL1; give 9F10 Visa's form, or a contactless record 8C";
                findings.must_have(view, 0x8C, what);
            }
            let made = view.answers_at_once() || view.has(0x9F26);
            let way = view.subject.fci.as_ref().map(|_| made).filter(|made| *made).or(view.there(0x8C));
            let what = "no cryptogram can be made: the PDOL does not ask for 9F66, and no record holds CDOL1";
            findings.hold_there(way, Severity::Warning, 0x8C, what);
            return findings.absent("each contactless kernel wants its own");
        }
        Some(true) => {}
    }
    for tag in [0x5A, 0x5F24, 0x8C, 0x8D] {
        findings.must_have(view, tag, "no record of the AFL holds it");
    }
}

/// R20. // EMV B1 §11.3, §12.2
pub(super) fn directory(view: &View<'_>, findings: &mut Findings) {
    let subject = view.subject;
    match &subject.df_name {
        Some(name) => findings.must(*name == subject.aid, Place::Tag(0x84), "it is not the AID that was selected"),
        None if view.stage == super::Stage::Verify => findings.unseen("the card told no DF name"),
        None => {}
    }
    match &subject.directory {
        None => findings.unseen("the interface's directory is not available at this stage"),
        Some(listed) => {
            if view.is_payment() == Some(true) {
                let named = listed.iter().any(|aid| subject.aid.starts_with(aid));
                findings.must(named, Place::Tag(0x4F), "the interface's directory does not name the application");
            }
            for aid in listed {
                match &subject.on_card {
                    None => findings.unseen("the card's applications are not available at this stage"),
                    Some(on_card) => {
                        let there = on_card.iter().any(|held| held.starts_with(aid));
                        let what = format!("the directory names {}, which is not on the card", hex::encode_upper(aid));
                        findings.must(there, Place::Tag(0x4F), &what);
                    }
                }
            }
        }
    }
}

/// R23. // EMV B3 §6.5.8, §6.5.11; EMV B1 §11.3.4
pub(super) fn sizes(view: &View<'_>, findings: &mut Findings) {
    for (&(sfi, number), record) in &view.subject.records {
        findings.must(record.len() <= RECORD, Place::Record(sfi, number), "a record has at most 254 bytes");
    }
    match &view.subject.fci {
        Some(proprietary) => {
            let name = tlv::encode(Tag::of(0x84), &view.subject.aid);
            let fci = tlv::encode(Tag::of(0x6F), &[name, proprietary.clone()].concat());
            findings.must(fci.len() <= ANSWER, Place::Fci, "the answer to SELECT has more than 256 bytes");
        }
        None => findings.unseen("the FCI is not available at this stage"),
    }
    match &view.subject.locator {
        Some(Some(_)) => options_answer(view, findings),
        Some(None) => {}
        None => findings.unseen(NO_LOCATOR),
    }
}

/// The whole answer to GET PROCESSING OPTIONS. A contactless card that answers at once adds its cryptogram, and a signature
/// if no record takes it. // EMV B3 §6.5.8, EMV C-3 §5.4
fn options_answer(view: &View<'_>, findings: &mut Findings) {
    let loaded: usize = view.answered().map(|object| object.encode().len()).sum();
    let is_real = view.answered().any(|object| object.tag == Tag::of(0x9F26));
    let room = |(tag, length): (u32, usize)| match view.answered().any(|object| object.tag == Tag::of(tag)) {
        true => 0,
        false => tlv::encode(Tag::of(tag), &vec![0; length]).len(),
    };
    let mut added = 0;
    let signs = view.signs_at_once() && !view.in_record(0x9F4B) && !is_real;
    let signature = view.card_modulus().filter(|_| signs);
    if view.answers_at_once() && !is_real {
        let issuer_data = view.subject.issuer_data.as_ref().map_or(ISSUER_DATA, |data| data.len().min(ISSUER_DATA));
        added += [(0x9F10, issuer_data), (0x9F26, 8), (0x9F27, 1), (0x9F36, 2)].into_iter().map(room).sum::<usize>();
        added += signature.map_or(0, |length| room((0x9F4B, length)));
    }
    let answer = tlv::encode(Tag::of(0x77), &vec![0; loaded + added]);
    let mut what = "the answer to GET PROCESSING OPTIONS has more than 256 bytes".to_owned();
    if added > 0 && signature.is_some() {
        what += "; a record of the AFL can take the signature 9F4B (derive = \"fast-signature\")";
    }
    findings.must(answer.len() <= ANSWER, Place::Answer, &what);
    if view.subject.answer.is_none() {
        findings.unseen(super::ANSWER_NOT_SEEN);
    }
    if signs && signature.is_none() {
        findings.unseen("the length of the card's signature is not available at this stage");
    }
}
