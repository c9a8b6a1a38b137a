//! R36 to R39: what an issuer's host relies on: its answer, the action codes, the data that a cryptogram covers, 9F10.

use super::{Findings, Place, View};
use crate::base::codec::tlv::{self, Tag};
use crate::base::emv::{CryptogramVersion, Dol, Family, IssuerData};

const NOT_SEEN: &str = "AIP and AFL are not available at this stage";
const NO_PAYMENT: &str = "it is no payment application";
/// AIP: offline data authentication, and issuer authentication by command. // EMV B3 annex C1
const SDA: u8 = 0x40;
const DDA: u8 = 0x20;
const CDA: u8 = 0x01;
const ISSUER: u8 = 0x04;
const CARDHOLDER: u8 = 0x10;
/// Issuer action codes: default, denial, online. // EMV B3 annex A
const DEFAULT: u32 = 0x9F0D;
const DENIAL: u32 = 0x9F0E;
const ONLINE: u32 = 0x9F0F;
/// Terminal verification results, first byte. // EMV B3 annex C5
const NOT_PERFORMED: u8 = 0x80;
const SDA_SELECTED: u8 = 0x02;
const METHODS: [(u8, u8, &str); 3] = [(SDA, 0x40, "SDA"), (DDA, 0x08, "DDA"), (CDA, 0x04, "CDA")];
/// Third byte: cardholder verification failed; and all that says why.
const CVM_FAILED: u8 = 0x80;
const CVM_FAILURES: u8 = 0xF8;
/// Second byte: requested service not allowed, new card.
const NOT_ALLOWED: u8 = 0x10;
const NEW_CARD: u8 = 0x08;
/// Lists of data objects that go to the card, and the one that the terminal hashes.
const LISTS: [u32; 4] = [0x8C, 0x8D, 0x9F49, 0x97];

/// The AIP; otherwise why there is none has been said.
fn profile(view: &View<'_>, findings: &mut Findings) -> Option<u8> {
    match (view.aip(), view.is_payment()) {
        (Some([first, _]), _) => return Some(first),
        (None, Some(false)) => findings.absent(NO_PAYMENT),
        (None, _) => findings.unseen(NOT_SEEN),
    }
    None
}

/// R36. // EMV B3 §10.9, §6.5.4, annex C1
pub(super) fn answer(view: &View<'_>, findings: &mut Findings) {
    let Some(first) = profile(view, findings) else { return };
    answer_length(view, findings);
    if view.subject.contactless {
        return findings.absent("a contactless transaction of one tap brings the card no answer");
    }
    let Some(list) = view.value(0x8D).and_then(|value| Dol::parse(&value).ok()) else {
        return findings.absent("there is no CDOL2 that can be read");
    };
    let (by_command, in_list) = (first & ISSUER != 0, asked(&list, 0x91).is_some());
    let what = match (by_command, in_list) {
        (true, true) => {
            "CDOL2 asks for the issuer's answer (91), and the AIP lets the terminal send it by EXTERNAL AUTHENTICATE too: \
             use one way"
        }
        _ => {
            "the card cannot authenticate the issuer: neither the AIP (byte 1, 04) says EXTERNAL AUTHENTICATE nor does CDOL2 \
             ask for 91"
        }
    };
    findings.should(by_command != in_list, Place::Tag(0x8D), what);
}

/// CDOL2 asks for as much of 91 as the cryptogram version needs. // EMV B2 §8.2, B3 §5.4: a longer value is cut
fn answer_length(view: &View<'_>, findings: &mut Findings) {
    let Some(list) = view.value(0x8D).and_then(|value| Dol::parse(&value).ok()) else { return };
    let shortest = list.items().iter().filter(|(tag, _)| tag.number() == 0x91).map(|(_, length)| *length).min();
    let read = view.subject.issuer_data.as_ref().map(|data| IssuerData::read(data, view.subject.cryptogram));
    let (Some(shortest), Some(IssuerData::Known(version))) = (shortest, read) else { return };
    let Some(needed) = version.answer_length() else { return };
    let what = format!(
        "it asks for {shortest} bytes of the issuer's answer (91), and {} needs {needed}: issuer authentication fails",
        version.name()
    );
    if usize::from(shortest) < needed {
        findings.must(false, Place::Tag(0x8D), &what);
    }
}

/// R37. // EMV B3 §10.7, annex A, annex C5
pub(super) fn action_codes(view: &View<'_>, findings: &mut Findings) {
    let Some(first) = profile(view, findings) else { return };
    let code = |tag: u32| view.value(tag).and_then(|value| <[u8; 5]>::try_from(value).ok());
    // A contactless kernel of some schemes has no use for them.
    if view.subject.contactless && [DEFAULT, DENIAL, ONLINE].into_iter().all(|tag| !view.has(tag)) {
        return findings.absent("no record holds issuer action codes");
    }
    let (default, online) = (code(DEFAULT).unwrap_or([0xFF; 5]), code(ONLINE).unwrap_or([0xFF; 5]));
    let denial = code(DENIAL).unwrap_or_default();
    for (_, failed, name) in METHODS.into_iter().filter(|(method, ..)| first & method != 0) {
        let online_or_not = default[0] & failed != 0 && online[0] & failed != 0;
        let what = format!(
            "a failed {name} neither goes online nor declines: set bit {failed:02X} of byte 1 in Default and Online, or in \
             Denial"
        );
        let place = if default[0] & failed == 0 { DEFAULT } else { ONLINE };
        findings.should(online_or_not || denial[0] & failed != 0, Place::Tag(place), &what);
    }
    let ends_in_failure = super::practice::ends_in_failure(&view.value(0x8E).unwrap_or_default());
    let what = "Denial holds a bit of byte 3, and the CVM list ends with a rule that fails: terminals without the methods before \
                it decline every transaction";
    findings.should(!(ends_in_failure && denial[2] & CVM_FAILURES != 0), Place::Tag(DENIAL), what);
    let fails = super::practice::always_fails(&view.value(0x8E).unwrap_or_default());
    let what = "the CVM list has nothing but rules that fail: cardholder verification fails in every transaction";
    findings.should(first & CARDHOLDER == 0 || !fails, Place::Tag(0x8E), what);
    for (byte, bit, set, why) in always_set(view, first) {
        let refuses = set && denial.get(byte).is_some_and(|held| held & bit != 0);
        let what = format!(
            "every transaction would be declined: {why}, which sets bit {bit:02X} of byte {} of the results, and Denial holds \
             it",
            byte + 1
        );
        findings.must(!refuses, Place::Tag(DENIAL), &what);
    }
}

/// Bits of the terminal verification results that this card sets in every transaction: byte, bit, whether, why.
fn always_set(view: &View<'_>, first: u8) -> [(usize, u8, bool, &'static str); 5] {
    let none = first & (SDA | DDA | CDA) == 0;
    let only_static = first & (SDA | DDA | CDA) == SDA;
    let nothing = view.value(0x9F07).is_some_and(|usage| usage.first().is_some_and(|byte| byte & 0x03 == 0));
    let velocity = view.has(0x9F14) && view.has(0x9F23);
    let register = view.subject.internal.as_ref().and_then(|objects| tlv::find(objects, Tag::of(0x9F13)));
    let fails = first & CARDHOLDER != 0 && super::practice::always_fails(&view.value(0x8E).unwrap_or_default());
    let fresh = velocity && register.is_some_and(|register| register.value_bytes() == [0, 0]);
    [
        (0, NOT_PERFORMED, none, "the AIP has no offline data authentication"),
        (0, SDA_SELECTED, only_static, "the AIP has SDA alone"),
        (1, NOT_ALLOWED, nothing, "the usage control (9F07) allows neither cash machines nor other terminals"),
        (2, CVM_FAILED, fails, "the CVM list has nothing but rules that fail"),
        (1, NEW_CARD, fresh, "the card has never been online (9F13) and cannot get there"),
    ]
}

/// The version that makes this application's cryptograms; otherwise why none can be told has been said.
fn version(view: &View<'_>, findings: &mut Findings) -> Option<CryptogramVersion> {
    let Some(data) = &view.subject.issuer_data else {
        if view.subject.groupings.is_some() && view.is_payment().is_some() {
            findings.absent("no issuer application data (9F10) are loaded");
        } else {
            findings.unseen("the issuer application data (9F10) are not available at this stage");
        }
        return None;
    };
    match IssuerData::read(data, view.subject.cryptogram) {
        IssuerData::Known(version) => Some(version),
        _ => {
            findings.absent("the cryptogram version in 9F10 is not known");
            None
        }
    }
}

/// Whether the version covers the terminal's unpredictable number.
pub(super) fn covers_number(view: &View<'_>) -> bool {
    let read = view.subject.issuer_data.as_ref().map(|data| IssuerData::read(data, view.subject.cryptogram));
    matches!(read, Some(IssuerData::Known(version)) if version.covers().iter().any(|(tag, _)| *tag == 0x9F37))
}

/// The length that a list asks for a tag in; the last where it asks twice.
fn asked(list: &Dol, tag: u32) -> Option<usize> {
    list.items().iter().rev().find(|(held, _)| held.number() == tag).map(|(_, length)| usize::from(*length))
}

/// R38. // EMV B2 §8.1, B3 §5.4; PYEMV for what each version covers
pub(super) fn covered(view: &View<'_>, findings: &mut Findings) {
    if profile(view, findings).is_none() {
        return;
    }
    let Some(version) = version(view, findings) else { return };
    if version.covers().is_empty() {
        return findings.absent("the cryptogram covers what the lists ask for, whatever that is");
    }
    let list = |value: Option<Vec<u8>>| value.and_then(|value| Dol::parse(&value).ok());
    let (options, first) = (list(view.fci(0x9F38)), list(view.value(0x8C)));
    let alone = view.subject.contactless && !view.has(0x8C);
    if alone && version.family != Family::Vsdc {
        return findings.absent("no record holds CDOL1: there is no GENERATE AC");
    }
    if !alone && first.is_none() {
        return findings.absent("there is no CDOL1 that can be read");
    }
    if alone && view.subject.fci.is_none() {
        return findings.unseen("the FCI is not available at this stage");
    }
    let place = Place::Tag(if alone { 0x9F38 } else { 0x8C });
    let names = if alone { "the PDOL does" } else { "PDOL and CDOL1 do" };
    for (tag, length) in version.covers() {
        let there = [&options, &first].into_iter().flatten().any(|list| asked(list, *tag).is_some());
        let shown = Tag::of(*tag);
        let what = format!("{names} not ask for {shown} ({length} bytes), which {} covers", version.name());
        findings.must(there, place, &what);
    }
    let lists = LISTS.iter().filter_map(|tag| Some((*tag, list(view.value(*tag))?)));
    for (at, list) in lists.chain(options.map(|list| (0x9F38, list))) {
        for (tag, length) in version.covers() {
            let fits = list.items().iter().all(|(held, asked)| held.number() != *tag || usize::from(*asked) == *length);
            let shown = Tag::of(*tag);
            let what = format!(
                "it asks for {shown} in another length than {length}, which changes what {} covers",
                version.name()
            );
            findings.must(fits, Place::Tag(at), &what);
        }
    }
}

/// R39. // EMV B3 annex A (9F10); docs/decisions/0040 for the forms
pub(super) fn issuer_data(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Tag(0x9F10);
    let Some(data) = &view.subject.issuer_data else {
        version(view, findings);
        return;
    };
    findings.must(data.len() <= 32, place, "issuer application data have at most 32 bytes");
    match IssuerData::read(data, view.subject.cryptogram) {
        IssuerData::Known(_) => {}
        IssuerData::Malformed(why) => findings.must(false, place, why),
        IssuerData::Unknown(version) => {
            let what = format!(
                "cryptogram version {version:02X} is not known here: nothing can be said of what it covers, and its cryptogram \
                 is not checked"
            );
            findings.should(false, place, &what);
        }
        IssuerData::Ambiguous => {
            let what = "they fit Visa's version 11 and Mastercard's: state cryptogram in the profile's [verify]";
            findings.should(false, place, what);
        }
        IssuerData::NoForm => {
            let what = "they have no form that this program knows: nothing can be said of what the cryptogram covers, and it is \
                        not checked; state cryptogram (vsdc, mchip or plain) in the profile's [verify]";
            findings.should(false, place, what);
        }
    }
}
