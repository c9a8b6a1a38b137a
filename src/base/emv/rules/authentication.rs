//! R10, R11, R12: offline data authentication.

use super::subject::Certified;
use super::{Findings, Place, View};

const SDA: u8 = 0x40;
const DDA: u8 = 0x20;
const CDA: u8 = 0x01;
/// Longest modulus. // EMV B2 §5.1
const LONGEST: usize = 248;

/// The first AIP byte; otherwise why there is none has been told.
fn promised(view: &View<'_>, findings: &mut Findings) -> Option<u8> {
    match (view.aip(), view.is_payment()) {
        (Some([first, _]), _) => return Some(first),
        (None, Some(false)) => findings.absent("it is no payment application"),
        (None, _) => findings.unseen("AIP and AFL are not available at this stage"),
    }
    None
}

/// R10. // EMV B3 §7.2 table 27, EMV B3 §10.3
pub(super) fn profile(view: &View<'_>, findings: &mut Findings) {
    let Some(first) = promised(view, findings) else { return };
    let (sda, dynamic) = (first & SDA != 0, first & (DDA | CDA) != 0);
    let mut wanted = Vec::new();
    if sda || dynamic {
        wanted.extend([0x8F, 0x90, 0x9F32]);
    }
    if sda {
        wanted.push(0x93);
    }
    if dynamic {
        wanted.extend([0x9F46, 0x9F47]);
    }
    for tag in wanted {
        findings.must_have(view, tag, "the AIP promises what needs it, and the card does not give it");
    }
    if dynamic {
        private_key(view, findings);
    }
    if let (true, Some(Ok(afl))) = (view.subject.contactless, &view.afl) {
        let signed: Vec<Place> = afl.oda_records().map(|(sfi, number)| Place::Record(sfi, number)).collect();
        // EMV C-3 §5.6.1: the card writes its number and its signature for each transaction
        let changing = view.objects().iter().filter(|(object, _)| matches!(object.tag.number(), 0x9F69 | 0x9F4B));
        for (object, place) in changing {
            let what = "the card writes it for each transaction; a signed record cannot hold it";
            findings.must(!signed.contains(place), Place::Tag(object.tag.number()), what);
        }
    }
    findings.should(sda || !view.has(0x93), Place::Tag(0x93), "the AIP does not promise SDA");
    findings.should(dynamic || !view.has(0x9F46), Place::Tag(0x9F46), "the AIP promises neither DDA nor CDA");
}

/// Either exponent and modulus, or the five parts of the Chinese remainder form; for the antenna some products have a
/// key of its own. // CPS 1.1 annex A
fn private_key(view: &View<'_>, findings: &mut Findings) {
    let all = |groupings: &[u16]| groupings.iter().all(|dgi| view.grouping(*dgi) == Some(true));
    if view.subject.groupings.is_none() {
        return findings.unseen("whether the private key was loaded cannot be read");
    }
    let parts = |first: u16| (first..first + 5).collect::<Vec<_>>();
    let there = all(&[0x8101, 0x8103]) || all(&parts(0x8201)) || view.subject.contactless && all(&parts(0x8401));
    findings.must(there, Place::Grouping(0x8201), "the AIP promises DDA or CDA, and no private key is loaded");
}

/// R11. // EMV B2 §5.3, §6.3, §6.4
pub(super) fn certificates(view: &View<'_>, findings: &mut Findings) {
    let Some(first) = promised(view, findings) else { return };
    if first & (SDA | DDA | CDA) == 0 {
        return findings.absent("the AIP promises no offline data authentication");
    }
    let Some(found) = &view.subject.certificates else {
        return findings.unseen("the certificates were not recovered: no CA key is known");
    };
    for fault in &found.faults {
        findings.must(false, Place::Tag(0x90), fault);
    }
    findings.must(found.ca <= LONGEST, Place::Tag(0x8F), "the CA's modulus has more than 248 bytes");
    if let Some(issuer) = &found.issuer {
        let fits = issuer.modulus <= found.ca;
        findings.must(fits, Place::Tag(0x90), "the issuer's modulus is longer than the CA's");
        outlives(view, findings, issuer, 0x90);
        for icc in &found.icc {
            let fits = icc.modulus <= issuer.modulus;
            findings.must(fits, Place::Tag(0x9F46), "the card's modulus is longer than the issuer's");
            outlives(view, findings, icc, 0x9F46);
        }
    }
}

fn outlives(view: &View<'_>, findings: &mut Findings, certified: &Certified, tag: u32) {
    let Some([year, month, _]) = view.value(0x5F24).and_then(|value| <[u8; 3]>::try_from(value).ok()) else { return };
    let (Some(year), Some(month)) = (super::identity::year(year), super::identity::bcd(month)) else { return };
    findings.should(certified.expiry >= (year, month), Place::Tag(tag), "the certificate ends before the card does");
}

/// R12. // EMV B3 §10.3
pub(super) fn tag_list(view: &View<'_>, findings: &mut Findings) {
    match (view.value(0x9F4A), view.is_payment()) {
        (Some(list), _) => findings.must(list == [0x82], Place::Tag(0x9F4A), "it names something else than the AIP"),
        (None, None) => findings.unseen("AIP and AFL are not available at this stage"),
        (None, _) => findings.absent("there is no such list"),
    }
}
