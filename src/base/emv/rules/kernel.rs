//! R28, R29: what the contactless kernels need of a card. R27: what is never made twice.

use super::{Findings, Place, View};
use crate::base::codec::tlv::{self, Tag, Tlv};

/// AIP: dynamic data authentication, which kernel 3 does as fDDA. // EMV B3 annex C1
const DDA: u8 = 0x20;
/// AIP byte 2: EMV mode, to kernel 2. // EMV C-2 annex A.1.16
const EMV_MODE: u8 = 0x80;
/// First byte of the card authentication related data: fDDA version 01. // EMV C-3 §5.6.1, annex C.1
const FAST_VERSION: u8 = 0x01;
/// Kernels by RID, if the directory entry names none. // EMV contactless B §3.3.2.5, table 3-6
const BY_RID: &[([u8; 5], u8)] = &[
    ([0xA0, 0, 0, 0, 0x04], 2),
    ([0xA0, 0, 0, 0, 0x03], 3),
    ([0xA0, 0, 0, 0, 0x25], 4),
    ([0xA0, 0, 0, 0, 0x65], 5),
    ([0xA0, 0, 0, 0x01, 0x52], 6),
    ([0xA0, 0, 0, 0x03, 0x33], 7),
];

/// The kernel that processes the application: as the profile says, else the directory entry, else the RID.
fn kernel(view: &View<'_>) -> Option<u8> {
    let subject = view.subject;
    // Kernel type 00: an international kernel in the low six bits, 0 for the RID's. // EMV contactless B table 3-5
    let entry = match subject.directory_kernel.as_deref() {
        Some([first, ..]) if first & 0xC0 == 0 && first & 0x3F != 0 => Some(first & 0x3F),
        // A domestic kernel, whatever its number.
        Some([first, ..]) if first & 0x80 != 0 => return subject.kernel,
        _ => None,
    };
    let rid = || BY_RID.iter().find(|(rid, _)| subject.aid.starts_with(rid)).map(|(_, kernel)| *kernel);
    subject.kernel.or(entry).or_else(rid)
}

/// Whether this kernel processes the application; otherwise why the rule says nothing is noted.
fn concerns(view: &View<'_>, findings: &mut Findings, number: u8) -> bool {
    match (view.is_payment(), view.subject.contactless, kernel(view)) {
        (Some(true), true, Some(kernel)) if kernel == number => return true,
        (None, ..) => findings.unseen("AIP and AFL are not available at this stage"),
        (Some(false), ..) => findings.absent("it is no payment application"),
        (_, false, _) => findings.absent("it is not the contactless interface"),
        (_, _, Some(kernel)) => findings.absent(&format!("kernel {kernel} processes the application")),
        (_, _, None) => findings.unseen(
            "the kernel is not known: neither the profile ([[application]] kernel), nor 9F2A of the PPSE's entry, nor \
             the RID tells it",
        ),
    }
    false
}

/// R28. // EMV C-2 §6.6 (S4, S456), annex A.1.16
pub(super) fn kernel_2(view: &View<'_>, findings: &mut Findings) {
    if !concerns(view, findings, 2) {
        return;
    }
    if let Some([_, second]) = view.aip() {
        let what = "kernel 2 takes the card for a magnetic stripe card: byte 2 bit 8 is 0";
        findings.must(second & EMV_MODE != 0, Place::Tag(0x82), what);
    }
    for tag in [0x5A, 0x5F24, 0x8C] {
        findings.must_have(view, tag, "kernel 2 ends the transaction without it");
    }
}

/// R29. // EMV C-3 §5.2, §5.4.2, §5.6.1, annex C.1
pub(super) fn kernel_3(view: &View<'_>, findings: &mut Findings) {
    if !concerns(view, findings, 3) {
        return;
    }
    let list = Place::Tag(0x9F38);
    match (view.subject.fci.is_some(), view.pdol()) {
        (false, _) => findings.unseen("the FCI is not available at this stage"),
        (true, None) => findings.must(false, list, "kernel 3 needs a PDOL, and the FCI has none that can be read"),
        (true, Some(pdol)) => {
            let asks = |tag, length| pdol.items().contains(&(Tag::of(tag), length));
            let what = "the PDOL does not ask for the terminal transaction qualifiers (9F66) in 4 bytes";
            findings.must(asks(0x9F66, 4), list, what);
            if signs(view) {
                for (tag, length) in [(0x9F37, 4), (0x9F02, 6), (0x5F2A, 2)] {
                    let what = format!("the PDOL does not ask for {tag:X} in {length} bytes, which fDDA covers");
                    findings.must(asks(tag, length), list, &what);
                }
            }
        }
    }
    findings.must_have(view, 0x57, "kernel 3 ends the transaction without it");
    if let Some(data) = &view.subject.issuer_data {
        findings.must(!data.is_empty(), Place::Tag(0x9F10), "kernel 3 ends the transaction without it");
    }
    if !signs(view) {
        return;
    }
    for tag in [0x5A, 0x5F24, 0x8F, 0x90, 0x9F32, 0x9F46, 0x9F47] {
        findings.must_have(view, tag, "the AIP promises DDA, and kernel 3 needs it for fDDA");
    }
    let related = Place::Tag(0x9F69);
    match view.value(0x9F69) {
        None => findings.must_have(view, 0x9F69, "the AIP promises DDA, and kernel 3 needs it for fDDA"),
        Some(value) => {
            let version = value.first() == Some(&FAST_VERSION) && (5..=16).contains(&value.len());
            findings.must(version, related, "kernel 3 takes fDDA version 01 only, in 5 to 16 bytes");
            findings.must(view.in_record(0x9F69), related, "it stands in a record of the AFL, not in the answer");
        }
    }
}

fn signs(view: &View<'_>) -> bool {
    view.aip().is_some_and(|[first, _]| first & DDA != 0)
}

/// R27. A cryptogram covers the counter, so that one key must not see one value of it twice. // EMV B2 §8.1.2, annex A1.3
pub(super) fn counters(view: &View<'_>, findings: &mut Findings) {
    match (view.is_payment(), &view.subject.twins) {
        (Some(false), _) => findings.absent("it is no payment application"),
        (None, _) => findings.unseen("AIP and AFL are not available at this stage"),
        (_, None) => findings.unseen("the keys of the other applications are not available at this stage"),
        (_, Some(twins)) => {
            let what = format!(
                "{} has the same PAN, sequence number and key with a counter of its own: both make the same cryptograms; \
                 give them other keys or sequence numbers, or state the shared counter ([[application]] counter)",
                twins.iter().map(hex::encode_upper).collect::<Vec<_>>().join(", ")
            );
            findings.should(twins.is_empty(), Place::Tag(0x9F36), &what);
        }
    }
    one_counter(view, findings);
}

/// Applications that share one counter are loaded with one value of it: a card has no second one.
fn one_counter(view: &View<'_>, findings: &mut Findings) {
    let subject = view.subject;
    let own = subject.internal.as_ref().and_then(|held| tlv::find(held, Tag::of(0x9F36))).map(Tlv::value_bytes);
    let Some(own) = own else { return };
    let shared = subject.other_counters.iter().filter(|(aid, _)| subject.counter_shared_with.contains(aid));
    for (aid, _) in shared.filter(|(_, counter)| *counter != own) {
        let what = format!(
            "the application shares its transaction counter with {}, which is loaded with another value of it; load both \
             with the same",
            hex::encode_upper(aid)
        );
        findings.should(false, Place::Tag(0x9F36), &what);
    }
}
