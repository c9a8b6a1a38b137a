//! R44: what some products do on purpose and others by mistake. It is told only. R45 and R46: counters
//! that leave nothing.

use super::{Findings, Place, View};
use crate::base::codec::tlv::{self, Tag};

/// AIP: cardholder verification is supported. // EMV B3 annex C1
const CARDHOLDER: u8 = 0x10;
/// AIP: on-device verification, of kernel 2 alone; EMV or magnetic stripe mode and relay resistance, contactless only.
/// // EMV B3 annex C1, EMV C-2 annex A.1.16
const ON_DEVICE: u8 = 0x02;
const XDA: u8 = 0x80;
const OF_KERNELS: u8 = 0x81;
const RELAY_RESISTANCE: u8 = 0x01;
/// Most PIN tries: the low half byte of 63Cx.
const MOST_TRIES: u8 = 15;
/// Card transaction qualifiers (9F6C): online PIN or signature; verified on the device; reserved bits. // Visa VCPS, EMV C-3
const CVM_REQUIRED: u8 = 0xC0;
const ON_DEVICE_VERIFIED: u8 = 0x80;
const RESERVED: [u8; 2] = [0x01, 0x3F];
/// Counters from which a card can make no transaction any more after it has been made and proven, or few.
const LAST: u16 = 0xFFF0;
const FEW: u16 = 0xF000;

/// R44. // EMV B3 §10.4.3, §10.5, annexes C1 to C3
pub(super) fn unusual(view: &View<'_>, findings: &mut Findings) {
    let first = match (view.aip(), view.is_payment()) {
        (Some([first, _]), _) => first,
        (None, Some(false)) => return findings.absent("it is no payment application"),
        (None, _) => return findings.unseen("AIP and AFL are not available at this stage"),
    };
    if let Some(usage) = view.value(0x9F07).filter(|usage| usage.len() == 2) {
        usage_control(&usage, findings);
    }
    effective(view, findings);
    interchange_profile(view, findings);
    qualifiers(view, findings);
    if let Some(list) = view.value(0x8E) {
        let what = "there is a CVM list, and the AIP does not say that the card supports cardholder verification";
        findings.should(first & CARDHOLDER != 0, Place::Tag(0x8E), what);
        cvm_list(&list, findings);
    }
    findings.absent("there is nothing of the kind");
}

/// R45. // EMV B3 §6.5.5, B2 §8.1.2: a counter at its end makes no cryptogram any more
pub(super) fn counter(view: &View<'_>, findings: &mut Findings) {
    let Some(internal) = &view.subject.internal else {
        return findings.unseen("the internal data objects are not available at this stage");
    };
    let value = |tag| tlv::find(internal, Tag::of(tag)).and_then(|it| <[u8; 2]>::try_from(it.value_bytes()).ok());
    let Some(counter) = value(0x9F36).map(u16::from_be_bytes) else {
        return findings.absent("the card does not give its transaction counter");
    };
    let place = Place::Tag(0x9F36);
    findings.must(
        counter < LAST,
        place,
        "it leaves no transactions: making and proving a card takes some, and it ends at FFFF",
    );
    findings.should(!(FEW..LAST).contains(&counter), place, "it leaves fewer than 4,096 transactions");
    if let Some(online) = value(0x9F13).map(u16::from_be_bytes) {
        let what = "it is greater than the transaction counter (9F36): terminals take the offline limits as exceeded";
        findings.should(online <= counter, Place::Tag(0x9F13), what);
    }
}

/// R46. // EMV B3 §10.5.1, CPS 1.1 annex A
pub(super) fn pin_tries(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Grouping(0x9010);
    match (view.subject.pin_tries.as_deref(), view.grouping(0x9010)) {
        (Some([counter, limit]), _) => {
            findings.must((1..=MOST_TRIES).contains(limit), place, "the PIN try limit is not 1 to 15");
            findings.must(counter <= limit, place, "the PIN try counter is above its limit");
            findings.should(
                counter == limit,
                place,
                "the PIN try counter is below its limit: the card begins with fewer tries",
            );
        }
        (Some([counter]), _) => {
            findings.must((1..=MOST_TRIES).contains(counter), place, "the PIN try counter is not 1 to 15");
            findings.should(
                false,
                place,
                "it has a PIN try counter and no limit: products may take the counter for both",
            );
        }
        (Some(_), _) => findings.must(false, place, "it is a PIN try counter and a PIN try limit, one byte each"),
        (None, None) => findings.unseen("PIN try counter and limit are not available at this stage"),
        (None, Some(_)) => findings.absent("no PIN try counter is loaded"),
    }
    // A card's own counter moves.
    let internal = view.subject.internal.as_ref().filter(|_| view.stage != super::Stage::Verify);
    let Some(internal) = internal.and_then(|held| tlv::find(held, Tag::of(0x9F17))) else { return };
    let counter = view.subject.pin_tries.as_ref().and_then(|tries| tries.first().copied());
    let what =
        "it is not the PIN try counter of grouping 9010, which GET DATA gives; leave 9F17 out of the internal data";
    findings.must(counter.is_some_and(|counter| internal.value_bytes() == [counter]), Place::Tag(0x9F17), what);
}

/// Bits of the AIP that no terminal of this interface knows. // EMV B3 annex C1
fn interchange_profile(view: &View<'_>, findings: &mut Findings) {
    let Some([first, second]) = view.aip() else { return };
    let what = "the AIP claims XDA, which older terminals do not know and this program does not check";
    findings.should(first & XDA == 0, Place::Tag(0x82), what);
    let what = "the AIP claims the relay resistance protocol, which this program does not check";
    let relay = view.subject.contactless && second & RELAY_RESISTANCE != 0;
    findings.should(!relay, Place::Tag(0x82), what);
    let reserved = match view.subject.contactless {
        true => second & !OF_KERNELS != 0,
        false => first & ON_DEVICE != 0 || second != 0,
    };
    findings.should(!reserved, Place::Tag(0x82), "the AIP has bits that are reserved for future use on this interface");
}

/// Card transaction qualifiers of an answer with a cryptogram. // EMV C-3 §5.7
fn qualifiers(view: &View<'_>, findings: &mut Findings) {
    let Some([first, second]) = view.value(0x9F6C).and_then(|value| <[u8; 2]>::try_from(value).ok()) else { return };
    // Elsewhere 9F6C is the magnetic stripe version. // EMV C-2 annex A.1
    if !view.answers_at_once() {
        return;
    }
    let place = Place::Tag(0x9F6C);
    let verified = first & CVM_REQUIRED != 0 || second & ON_DEVICE_VERIFIED != 0;
    let what = "the card asks for no cardholder verification: neither online PIN nor signature, and none on a device";
    findings.should(verified, place, what);
    let reserved = first & RESERVED[0] != 0 || second & RESERVED[1] != 0;
    findings.should(!reserved, place, "it has bits that are reserved for future use");
}

/// The rules of a CVM list: code and condition.
fn rules(list: &[u8]) -> Vec<(u8, u8)> {
    let rules = list.get(8..).unwrap_or_default();
    rules.as_chunks::<2>().0.iter().map(|[code, condition]| (*code, *condition)).collect()
}

/// Whether a CVM list ends with "fail CVM processing, always" behind other rules. // EMV B3 annex C3
pub(super) fn ends_in_failure(list: &[u8]) -> bool {
    let rules = rules(list);
    rules.len() > 1 && rules.last().is_some_and(|(code, condition)| code & 0x3F == 0 && *condition == 0)
}

/// Whether every rule of a CVM list, or the first that always applies, fails.
pub(super) fn always_fails(list: &[u8]) -> bool {
    let rules = rules(list);
    let last = rules.iter().position(|(code, condition)| code & 0x40 == 0 && *condition == 0);
    let reached = last.map_or(rules.len(), |at| at + 1);
    !rules.is_empty() && rules.iter().take(reached).all(|(code, _)| code & 0x3F == 0)
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
    let Some(amounts) = list.get(..8) else { return };
    let rules = rules(list);
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
