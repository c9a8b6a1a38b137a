//! R1 to R6, R21, R22, R24, R26: who the card belongs to and until when, and the values that must say the same.

use super::{Findings, Place, View};
use crate::base::emv::Pan;
use crate::base::emv::date::{century, last_day};
use crate::base::emv::track::Fields;

const PAN: Place = Place::Tag(0x5A);
const TRACK_EQUIVALENT: Place = Place::Tag(0x57);
const EXPIRY: Place = Place::Tag(0x5F24);
/// Fields that may hold a card verification value: track 2 and 1 on the chip, the same for the contactless interface.
const CVV_FIELDS: &[u32] = &[0x57, 0x9F1F, 0x56, 0x9F6B];
const NOT_SEEN: &str = "AIP and AFL are not available at this stage";

/// The value of an object of records or answer; otherwise why there is none has been told.
fn wanted(view: &View<'_>, tag: u32, findings: &mut Findings) -> Option<Vec<u8>> {
    let value = view.value(tag);
    match (&value, view.is_payment()) {
        (Some(_), _) => {}
        (None, None) => findings.unseen(NOT_SEEN),
        (None, Some(true)) if view.there(tag).is_none() => findings.unseen(super::ANSWER_NOT_SEEN),
        (None, Some(_)) => findings.absent("the card does not give what is compared"),
    }
    value
}

/// R1. // EMV B3 annex A
pub(super) fn pan(view: &View<'_>, findings: &mut Findings) {
    let (Some(_), Some(_)) = (wanted(view, 0x5A, findings), wanted(view, 0x57, findings)) else { return };
    match (view.pan(), view.track_equivalent()) {
        (Some(pan), Some(fields)) => findings.must(pan == fields.pan, PAN, "the PAN differs between 5A and 57"),
        // R3 and R4 say what is wrong with them.
        _ => findings.absent("5A or 57 cannot be read"),
    }
}

/// R2. // EMV B3 annex A
pub(super) fn track_equivalent(view: &View<'_>, findings: &mut Findings) {
    if wanted(view, 0x57, findings).is_none() {
        return;
    }
    let Some(fields) = view.track_equivalent() else { return findings.absent("57 cannot be read") };
    if let Some([year, month, _]) = view.value(0x5F24).as_deref() {
        let same = fields.expiry == hex::encode([*year, *month]);
        findings.must(same, EXPIRY, "the expiry differs between 5F24 and 57");
    }
    match view.value(0x5F30).map(hex::encode) {
        None => findings.absent("the card does not give 5F30"),
        Some(text) => match text.strip_prefix('0').filter(|code| code.len() == 3) {
            Some(code) => {
                let same = code == fields.service_code;
                findings.must(same, Place::Tag(0x5F30), "the service code differs between 5F30 and 57");
            }
            None => findings.must(false, Place::Tag(0x5F30), "a service code is 0 and three digits"),
        },
    }
}

/// R3. // EMV B3 annex A
pub(super) fn track_form(view: &View<'_>, findings: &mut Findings) {
    // A scheme may give 9F6B another meaning.
    if let Some(value) = view.value(0x9F6B).map(zeroize::Zeroizing::new) {
        let what = "it is not track 2 data: digits with one D, filled with F";
        findings.should(Fields::from_tag57(&value).is_ok(), Place::Tag(0x9F6B), what);
    }
    if let Some(value) = view.value(0x56).map(zeroize::Zeroizing::new) {
        let text = std::str::from_utf8(&value).map(|text| zeroize::Zeroizing::new(format!("%{text}?")));
        let what = "it is not track 1 data: B, PAN, ^, name, ^, expiry and service code";
        findings.should(text.is_ok_and(|text| Fields::track1(&text).is_ok()), Place::Tag(0x56), what);
    }
    let Some(value) = wanted(view, 0x57, findings) else { return };
    match Fields::from_tag57(&value) {
        Ok(_) => findings.must(true, TRACK_EQUIVALENT, ""),
        Err(error) => findings.must(false, TRACK_EQUIVALENT, &error.to_string()),
    }
}

/// R4. // ISO/IEC 7812-1
pub(super) fn pan_form(view: &View<'_>, findings: &mut Findings) {
    let Some(value) = wanted(view, 0x5A, findings) else { return };
    match Pan::from_cn(&value) {
        Err(error) => findings.must(false, PAN, &error.to_string()),
        Ok(pan) => {
            findings.must(pan.luhn_ok(), PAN, "the PAN's check digit is wrong");
            let prefixes = &view.subject.prefixes;
            if !prefixes.is_empty() {
                let fits = prefixes.iter().any(|prefix| pan.digits().starts_with(prefix.as_str()));
                findings.must(fits, PAN, "the PAN does not begin as the product's PANs do");
            }
        }
    }
}

/// R5. // EMV B3 annex A, §10.4.3
pub(super) fn dates(view: &View<'_>, findings: &mut Findings) {
    let Some(value) = wanted(view, 0x5F24, findings) else { return };
    let Some(expiry) = date(&value) else { return findings.must(false, EXPIRY, "it is not a date YYMMDD") };
    let last = last_day(expiry.0, expiry.1);
    findings.should(expiry.2 == last, EXPIRY, "it is not the last day of its month");
    match view.subject.today {
        Some(today) => findings.must(today <= expiry, EXPIRY, "the card has expired"),
        None => findings.unseen("today's date is not known here"),
    }
    let effective = Place::Tag(0x5F25);
    match view.value(0x5F25).map(|value| date(&value)) {
        None => {}
        Some(None) => findings.must(false, effective, "it is not a date YYMMDD"),
        Some(Some(from)) => findings.must(from <= expiry, effective, "the card is valid only after it has expired"),
    }
}

/// R6. // ISO/IEC 7813 §5.1
pub(super) fn name(view: &View<'_>, findings: &mut Findings) {
    let Some(name) = wanted(view, 0x5F20, findings) else { return };
    let Some(tracks) = &view.subject.tracks else {
        return findings.unseen("the stripe is not available at this stage");
    };
    match tracks.one.as_ref().and_then(|track| track.name.as_deref()) {
        None => findings.absent("there is no track 1"),
        Some(track) => {
            let same = trimmed(&name) == track.trim_end().as_bytes();
            findings.should(same, Place::Tag(0x5F20), "the name differs from the one on track 1");
        }
    }
}

fn trimmed(name: &[u8]) -> &[u8] {
    name.trim_ascii_end()
}

/// R21. The stripe's value must be of no use to whoever has read the chip, and the reverse.
pub(super) fn chip_cvv(view: &View<'_>, findings: &mut Findings) {
    let fields: Vec<(u32, Vec<u8>)> = CVV_FIELDS.iter().filter_map(|tag| Some((*tag, view.value(*tag)?))).collect();
    if fields.is_empty() {
        wanted(view, 0x57, findings);
        return;
    }
    for (tag, value) in &fields {
        same_as_stripe(view, *tag, value, findings);
        if let Some(held) = &view.subject.stripe_values {
            let what = "it holds the stripe's card verification value: whoever reads the chip could make a stripe";
            findings.must(!held.contains(tag), Place::Tag(*tag), what);
        }
    }
    if !view.has(0x57) {
        return;
    }
    match view.subject.chip_cvv_matches {
        Some(matches) => {
            findings.should(matches, TRACK_EQUIVALENT, "57 does not hold the value that the issuer's key gives");
        }
        None => findings.unseen("the value itself is not computed here"),
    }
}

/// Without a key: whether a field of the chip has the discretionary data of the stripe's track.
fn same_as_stripe(view: &View<'_>, tag: u32, value: &[u8], findings: &mut Findings) {
    let value = zeroize::Zeroizing::new(value.to_vec());
    let text = || std::str::from_utf8(&value).ok();
    let first = matches!(tag, 0x56 | 0x9F1F);
    let own = match tag {
        0x9F1F => text().map(str::to_owned),
        0x56 => text().and_then(|text| Fields::track1(&format!("%{text}?")).ok()).map(|it| it.discretionary.clone()),
        _ => Fields::from_tag57(&value).ok().map(|it| it.discretionary.clone()),
    };
    let Some(own) = own.map(zeroize::Zeroizing::new) else { return findings.absent("it cannot be read") };
    let Some(tracks) = &view.subject.tracks else {
        return findings.unseen("the stripe is not available at this stage");
    };
    match if first { &tracks.one } else { &tracks.two } {
        None => findings.absent("there is no such track"),
        Some(track) => {
            let what = "it holds the same discretionary data as the stripe";
            findings.should(track.discretionary != *own, Place::Tag(tag), what);
        }
    }
}

/// R22. // EMV B2 annex A1.4; CPS 1.1 annex A
pub(super) fn sequence_number(view: &View<'_>, findings: &mut Findings) {
    if view.is_payment() == Some(false) {
        return findings.absent("it is no payment application");
    }
    let keys = (0x8000..=0x800F).map(|dgi| view.grouping(dgi));
    if keys.into_iter().all(|loaded| loaded == Some(false)) {
        return findings.absent("no keys are loaded");
    }
    let stated = view.value(0x5F34).and_then(|value| value.first().copied()).unwrap_or(0);
    match view.subject.key_sequence_number {
        Some(_) if view.there(0x5F34).is_none() => findings.unseen(super::ANSWER_NOT_SEEN),
        Some(number) => {
            let what = "the keys were derived with another PAN sequence number";
            findings.must(number == stated, Place::Tag(0x5F34), what);
        }
        None => findings.unseen("the PAN sequence number of the key derivation is not available at this stage"),
    }
    match view.subject.check_values_match {
        Some(matches) => {
            findings.must(matches, Place::Grouping(0x9000), "the key check values are not those of the keys");
        }
        None if view.grouping(0x9000) == Some(false) => findings.absent("no check values are loaded"),
        None => findings.unseen("the keys are sealed; the card compares them with their check values"),
    }
}

/// R24. // ISO/IEC 7813 table 4
pub(super) fn service_code(view: &View<'_>, findings: &mut Findings) {
    match (view.service_code(), view.is_payment()) {
        (Some(code), _) => {
            let chip = code.starts_with(['2', '6']);
            findings.should(chip, Place::Tag(0x5F30), "its first digit says that the card has no chip");
        }
        (None, None) => findings.unseen(NOT_SEEN),
        (None, Some(_)) => findings.absent("there is no service code"),
    }
}

/// R26. // ISO/IEC 7813 table 4
pub(super) fn pin_rules(view: &View<'_>, findings: &mut Findings) {
    let place = Place::Tag(0x5F30);
    let Some(code) = view.service_code() else {
        return match view.is_payment() {
            None => findings.unseen(NOT_SEEN),
            Some(_) => findings.absent("there is no service code"),
        };
    };
    findings.should(code != "000", place, "a service code of 000 is for card verification values only");
    let asks = match code.chars().nth(2) {
        Some('0' | '3' | '5') => "demands a PIN",
        Some('6' | '7') => "asks for a PIN where there is a PIN pad",
        _ => return,
    };
    match view.cvms() {
        None => findings.absent("there is no CVM list"),
        Some(cvms) => {
            let what = format!("it {asks}, and the CVM list has no PIN");
            findings.should(cvms.iter().any(|cvm| cvm.is_pin()), place, &what);
        }
    }
}

/// YYMMDD. // EMV B4 §6.7.3 for the century
fn date(value: &[u8]) -> Option<(u16, u8, u8)> {
    let [year_bcd, month, day] = value else { return None };
    let (year, month, day) = (year(*year_bcd)?, bcd(*month)?, bcd(*day)?);
    ((1..=12).contains(&month) && (1..=last_day(year, month)).contains(&day)).then_some((year, month, day))
}

pub(super) fn year(byte: u8) -> Option<u16> {
    bcd(byte).map(century)
}

pub(super) fn bcd(byte: u8) -> Option<u8> {
    let (high, low) = (byte >> 4, byte & 0x0F);
    (high < 10 && low < 10).then_some(high * 10 + low)
}
