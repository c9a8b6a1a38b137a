//! R44: what some products do on purpose and others by mistake. It is told only.

use super::{Findings, Place, View};

/// AIP: cardholder verification is supported. // EMV B3 annex C1
const CARDHOLDER: u8 = 0x10;

/// R44. // EMV B3 §10.4.3, §10.5, annexes C1 to C3
pub(super) fn unusual(view: &View<'_>, findings: &mut Findings) {
    let first = match (view.aip(), view.is_payment()) {
        (Some([first, _]), _) => first,
        (None, Some(false)) => return findings.absent("it is no payment application"),
        (None, _) => return findings.unseen("AIP and AFL are not seen here"),
    };
    if let Some(usage) = view.value(0x9F07).filter(|usage| usage.len() == 2) {
        usage_control(&usage, findings);
    }
    effective(view, findings);
    if let Some(list) = view.value(0x8E) {
        let what = "there is a CVM list, and the AIP does not say that the card supports cardholder verification";
        findings.should(first & CARDHOLDER != 0, Place::Tag(0x8E), what);
        cvm_list(&list, findings);
    }
    findings.absent("there is nothing of the kind");
}

/// A usage control that leaves no transaction. // EMV B3 annex C2
fn usage_control(usage: &[u8], findings: &mut Findings) {
    let [first, second] = usage else { return };
    let (terminals, services) = (first & 0x03 != 0, first & 0xFC != 0 || second & 0xC0 != 0);
    findings.should(terminals && services, Place::Tag(0x9F07), "the usage control allows nothing");
}

/// A card that is handed out before it may be used: a renewal.
fn effective(view: &View<'_>, findings: &mut Findings) {
    let Some([year, month, day]) = view.value(0x5F25).and_then(|value| <[u8; 3]>::try_from(value).ok()) else { return };
    let bcd = super::identity::bcd;
    let (Some(year), Some(month), Some(day)) = (super::identity::year(year), bcd(month), bcd(day)) else { return };
    match view.subject.today {
        None => findings.unseen("today's date is not known here"),
        Some(today) => {
            let what = "the card is not effective yet: until then terminals decline it, or ask the issuer";
            findings.should((year, month, day) <= today, Place::Tag(0x5F25), what);
        }
    }
}

/// Rules of schemes and issuers, rules that nothing reaches, amounts of zero. // EMV B3 §10.5, annex C3
fn cvm_list(list: &[u8], findings: &mut Findings) {
    let place = Place::Tag(0x8E);
    let (Some(amounts), Some(rules)) = (list.get(..8), list.get(8..)) else { return };
    let rules: Vec<(u8, u8)> = rules.as_chunks::<2>().0.iter().map(|[code, condition]| (*code, *condition)).collect();
    let own = rules.iter().any(|(code, condition)| (0x20..=0x3E).contains(&(code & 0x3F)) || *condition >= 0x80);
    findings.should(!own, place, "it has a method or a condition that a scheme or an issuer gives a meaning");
    // Always: it succeeds or, without leave to go on, fails. No CVM always succeeds.
    let last = |(code, condition): &(u8, u8)| *condition == 0 && (code & 0x40 == 0 || code & 0x3F == 0x1F);
    let unreached = rules.iter().position(last).is_some_and(|at| at + 1 < rules.len());
    findings.should(!unreached, place, "it has rules behind one that always decides");
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let (x, y) = amounts.split_at(4);
    for (amount, conditions, name) in [(x, [0x06, 0x07], "X"), (y, [0x08, 0x09], "Y")] {
        let compared = rules.iter().any(|(_, condition)| conditions.contains(condition));
        findings.should(!compared || !zero(amount), place, &format!("it compares amounts with {name}, which is zero"));
    }
}
