//! R42 and R43: directories.

use super::subject::DirectoryEntry;
use super::{Findings, Place, View};

const PSE: &[u8] = b"1PAY.SYS.DDF01";
const NOT_SEEN: &str = "the interface's directory is not available at this stage";

/// R42. // EMV B1 §11.3.4 table 43, §12.2.3
pub(super) fn file(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Tag(0x88);
    if view.subject.aid != PSE {
        return findings.absent("it is not the directory for contact terminals");
    }
    if view.subject.fci.is_none() {
        return findings.unseen("the FCI is not available at this stage");
    }
    match view.fci(0x88).as_deref() {
        Some([file @ 0x01..=0x0A]) if view.subject.all_records => {
            let there = view.subject.records.contains_key(&(*file, 1));
            findings.must(there, place, "it names a file whose record 1 is not there: a terminal finds no application");
        }
        Some([0x01..=0x0A]) => findings.unseen("records that nothing names cannot be found by reading"),
        Some(_) => findings.must(false, place, "the directory's file is one byte, 01 to 0A"),
        None => findings.must(false, place, "there is none, and without it no terminal finds the directory's records"),
    }
}

/// R43. // EMV B1 §12.2.3 table 46, §12.4; EMV contactless B §3.3.1
pub(super) fn entries(view: &View<'_>, findings: &mut Findings) {
    match view.is_payment() {
        None => return findings.unseen("AIP and AFL are not available at this stage"),
        Some(false) => return findings.absent("it is no payment application"),
        Some(true) => {}
    }
    let Some(entries) = &view.subject.directory_entries else { return findings.unseen(NOT_SEEN) };
    let aid = &view.subject.aid;
    let whole = entries.iter().find(|entry| entry.aid == *aid);
    let prefix = entries.iter().find(|entry| entry.aid.len() < aid.len() && aid.starts_with(&entry.aid));
    let Some(entry) = whole.or(prefix) else {
        // R20 says that the directory does not name it.
        return findings.absent("the directory does not name the application");
    };
    let what = "the directory names the beginning of the AID: a terminal compares it whole with its own list";
    findings.should(whole.is_some(), Place::Tag(0x4F), what);
    let place = Place::Tag(0x87);
    let order = |entry: &DirectoryEntry| entry.priority.map(|priority| priority & 0x0F).filter(|order| *order != 0);
    let equal = entries.iter().filter(|other| other.aid != entry.aid).any(|other| order(other) == order(entry));
    let what = "another entry of the directory has the same priority";
    findings.should(order(entry).is_none() || !equal, place, what);
    match view.subject.fci.as_ref().map(|_| view.fci(0x87)) {
        None => findings.unseen("the FCI is not available at this stage"),
        Some(Some(own)) => {
            let same = entry.priority.is_none_or(|listed| own == [listed]);
            findings.should(same, place, "the priority in the FCI is another than that in the directory");
        }
        Some(None) => {}
    }
}
