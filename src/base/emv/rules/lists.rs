//! R13 to R19, R25: lists, usage, names, versions.

use super::{Findings, Place, View};
use crate::base::codec::tlv::{self, Tag};
use crate::base::emv::Dol;

/// AIP: cardholder verification is supported. // EMV B3 annex C1
const CARDHOLDER: u8 = 0x10;
const CDA: u8 = 0x01;
/// Longest list of data objects. // EMV B3 annex A
const LONGEST: usize = 252;
/// Conditions that compare amounts in the application's currency. // EMV B3 annex C3
const AMOUNTS: std::ops::RangeInclusive<u8> = 0x06..=0x09;
/// Data that terminals give. // EMV B3 annex A, source "terminal"; EMV contactless books
const TERMINAL: &[u32] = &[
    0x81, 0x95, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x5F2A, 0x5F36, 0x5F57, 0x8A, 0x9F01, 0x9F02, 0x9F03, 0x9F04, 0x9F06,
    0x9F09, 0x9F15, 0x9F16, 0x9F1A, 0x9F1B, 0x9F1C, 0x9F1D, 0x9F1E, 0x9F21, 0x9F33, 0x9F34, 0x9F35, 0x9F37, 0x9F39,
    0x9F3A, 0x9F3C, 0x9F3D, 0x9F40, 0x9F41, 0x9F4E, 0x9F53, 0x9F5C, 0x9F66, 0x9F6A, 0x9F7A, 0x9F7C, 0x9F7E,
];
/// Application versions that kernels are known to accept.
const VERSIONS: &[[u8; 2]] = &[[0x00, 0x01], [0x00, 0x02], [0x00, 0x96]];
const NOT_SEEN: &str = "AIP and AFL are not available at this stage";
const FCI_NOT_SEEN: &str = "the FCI is not available at this stage";

fn absent(view: &View<'_>, findings: &mut Findings, why: &str) {
    if view.is_payment().is_none() { findings.unseen(NOT_SEEN) } else { findings.absent(why) }
}

/// R13. // EMV B3 §10.5
pub(super) fn cardholder(view: &View<'_>, findings: &mut Findings) {
    let Some([first, _]) = view.aip() else { return absent(view, findings, "it is no payment application") };
    if first & CARDHOLDER != 0 {
        let what = "the AIP promises cardholder verification, and there is no CVM list";
        // Contactless kernels of some schemes have their own rules instead of the list.
        let severity = if view.subject.contactless { super::Severity::Warning } else { super::Severity::Error };
        findings.hold_there(view.there(0x8E), severity, 0x8E, what);
    }
    let Some(cvms) = view.cvms() else { return findings.absent("there is no CVM list") };
    if cvms.iter().any(|cvm| cvm.is_offline_pin()) {
        for dgi in [0x8010, 0x9010] {
            match view.grouping(dgi) {
                Some(there) => {
                    let what = "the CVM list asks the card for a PIN, and the grouping is not there";
                    findings.must(there, Place::Grouping(dgi), what);
                }
                None => findings.unseen("whether a PIN was loaded cannot be read"),
            }
        }
    }
    if cvms.iter().any(|cvm| cvm.is_enciphered()) {
        let certified = if view.has(0x9F46) { Some(true) } else { view.there(0x9F2D) };
        let what = "the CVM list asks for an enciphered PIN, and the card has no certificate for it";
        findings.hold_there(certified, super::Severity::Error, 0x9F2D, what);
    }
    findings.must(true, Place::Tag(0x8E), "");
}

/// R14. // EMV B3 annex C3
pub(super) fn cvm_list(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Tag(0x8E);
    let Some(list) = view.value(0x8E) else { return absent(view, findings, "there is no CVM list") };
    let possible = list.len() >= 10 && list.len().is_multiple_of(2);
    findings.must(possible, place, "a CVM list has an even length of at least 10");
    let cvms = view.cvms().unwrap_or_default();
    let methods = cvms.iter().all(|cvm| matches!(cvm.method, 0x00..=0x05 | 0x1E | 0x1F | 0x20..=0x3E));
    findings.must(methods, place, "it has a method that is reserved for future use");
    let conditions = cvms.iter().all(|cvm| matches!(cvm.condition, 0x00..=0x09 | 0x80..));
    findings.must(conditions, place, "it has a condition that is reserved for future use");
    let amounts = cvms.iter().any(|cvm| AMOUNTS.contains(&cvm.condition));
    if amounts {
        let what = "the CVM list compares amounts, and the application's currency is not there";
        findings.must_have(view, 0x9F42, what);
    }
}

/// R15. // EMV B3 §5.4, §6.5.5
pub(super) fn cdols(view: &View<'_>, findings: &mut Findings) {
    let lists = [(0x8C, Some(0x9F37)), (0x8D, Some(0x8A)), (0x9F49, Some(0x9F37)), (0x97, None)];
    let mut any = false;
    for (tag, demanded) in lists {
        let Some(value) = view.value(tag) else { continue };
        any = true;
        let place = Place::Tag(tag);
        let Ok(dol) = Dol::parse(&value) else {
            findings.must(false, place, "it is not a data object list");
            continue;
        };
        findings.must(value.len() <= LONGEST && dol.total() <= LONGEST, place, "it asks for more than 252 bytes");
        if let Some(demanded) = demanded {
            let asks = dol.items().iter().any(|(item, _)| *item == Tag::of(demanded));
            let what = format!("it does not ask for {}", Tag::of(demanded));
            // Without the terminal's random number a cryptogram can be made beforehand. CDA signs it, and most versions
            // cover it.
            let combined = view.aip().is_some_and(|[first, _]| first & CDA != 0);
            let needed = tag != 0x8C || combined || super::issuer::covers_number(view);
            if needed { findings.must(asks, place, &what) } else { findings.should(asks, place, &what) }
        }
    }
    if let Some([first, _]) = view.aip()
        && first & CDA != 0
    {
        findings.must_have(view, 0x8C, "the AIP promises CDA, which needs CDOL1");
    }
    if !any {
        absent(view, findings, "the card gives no data object list");
    }
}

/// R16. // EMV B3 annex C2, §10.4.2
pub(super) fn usage(view: &View<'_>, findings: &mut Findings) {
    match view.value(0x9F07).as_deref() {
        Some([first, second]) => {
            let countries = first & 0xFC != 0 || second & 0xC0 != 0;
            if !countries {
                return findings.absent("the usage control tells no country from another");
            }
            let what = "the usage control tells countries apart, and the issuer's is not there";
            findings.hold_there(view.there(0x5F28), super::Severity::Warning, 0x5F28, what);
        }
        Some(_) => findings.must(false, Place::Tag(0x9F07), "a usage control has two bytes"),
        None => absent(view, findings, "there is no usage control"),
    }
}

/// R17. // EMV B1 §12.4
pub(super) fn preferred_name(view: &View<'_>, findings: &mut Findings) {
    match (&view.subject.fci, view.fci(0x9F12), view.fci(0x9F11)) {
        (None, ..) => findings.unseen(FCI_NOT_SEEN),
        (Some(_), None, _) => findings.absent("there is no preferred name"),
        (Some(_), Some(_), None) => findings.must(false, Place::Tag(0x9F11), "there is no code table for 9F12"),
        (Some(_), Some(_), Some(table)) => {
            let known = matches!(table.as_slice(), [0x01..=0x10]);
            findings.must(known, Place::Tag(0x9F11), "there is no such code table");
        }
    }
}

/// R18. // EMV B3 §5.4, annex A
pub(super) fn pdol(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Tag(0x9F38);
    if view.subject.fci.is_none() {
        return findings.unseen(FCI_NOT_SEEN);
    }
    let Some(list) = view.fci(0x9F38) else { return findings.absent("there is no PDOL") };
    let Ok(dol) = Dol::parse(&list) else { return findings.must(false, place, "it is not a data object list") };
    findings.must(list.len() <= LONGEST && dol.total() <= LONGEST, place, "it asks for more than 252 bytes");
    let foreign: Vec<String> = dol
        .items()
        .iter()
        .filter(|(tag, _)| !TERMINAL.contains(&tag.number()))
        .map(|(tag, _)| tag.to_string())
        .collect();
    let what = format!("it asks for {}, which terminals do not have", foreign.join(", "));
    findings.should(foreign.is_empty(), place, &what);
}

/// R19. // EMV B3 annex D
pub(super) fn log(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Tag(0x9F4D);
    let what = "it stands in records or answer: what reads logs looks for it in the FCI";
    findings.should(!view.has(0x9F4D), place, what);
    if view.subject.fci.is_none() {
        return findings.unseen(FCI_NOT_SEEN);
    }
    let Some(entry) = view.fci(0x9F4D) else {
        // What reads logs does so with contacts.
        let format = view.subject.internal.as_ref().is_some_and(|it| tlv::find(it, Tag::of(0x9F4F)).is_some());
        if format && !view.subject.contactless {
            let what = "there is a log format (9F4F), and no log entry says in which file the log is";
            return findings.should(false, place, what);
        }
        return findings.absent("there is no log");
    };
    let [sfi, records] = *entry.as_slice() else {
        return findings.must(false, place, "a log entry has two bytes");
    };
    findings.must((11..=30).contains(&sfi) && records > 0, place, "it names no file 11 to 30 with records");
    match &view.subject.internal {
        None => findings.unseen("the internal data objects are not available at this stage"),
        Some(internal) => match tlv::find(internal, Tag::of(0x9F4F)) {
            None => findings.must(false, Place::Tag(0x9F4F), "there is a log and no log format"),
            Some(format) => {
                let list = Dol::parse(&format.value_bytes()).is_ok_and(|list| !list.items().is_empty());
                findings.must(list, Place::Tag(0x9F4F), "it is not a data object list");
            }
        },
    }
}

/// R25. // EMV B3 §10.4.1
pub(super) fn version(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Tag(0x9F08);
    match view.value(0x9F08).as_deref() {
        Some([high, low]) => {
            let version = [*high, *low];
            let known = VERSIONS.contains(&version) || view.subject.versions.contains(&version);
            findings.should(known, place, "neither kernels nor the product are known to have this version");
        }
        Some(_) => findings.must(false, place, "a version has two bytes"),
        None => absent(view, findings, "there is no version, which counts as equal to the terminal's"),
    }
}
