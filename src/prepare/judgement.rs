//! The consistency rules, with what only data preparation knows: it has the keys and the record.
//!
//! What keys show (R21, R22) is computed again from the record that came out, not from what went into it: PAN, expiry,
//! sequence number and check values are read from its groupings, and the card's keys are looked at inside the key store,
//! out of the sealed grouping itself.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::authentication::IssuerCertificate;
use super::larder;
use super::recovery;
use super::secrets::Secrets;
use super::values::{self, Values};
use super::{PrepareError, Recipe};
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::crypto::KcvMethod;
use crate::base::emv::Pan;
use crate::base::emv::certificate::MonthYear;
use crate::base::emv::rules::{self, Outcome, Stage, Subject};
use crate::base::emv::track::Fields;
use crate::keys::issuer::icc_master_key;
use crate::keys::pin::Pin;
use crate::keys::usage::{Operation, header_allows};
use crate::keys::{Purpose, Sealed};
use crate::order::IndexUse;
use crate::profile::Profile;
use crate::profile::prepare::{AppRecipe, Pattern, Role};
use crate::record::{Application, Content, Record, SealedValue};

/// The service code that the chip's own value is computed with, whatever the card's is.
const CHIP: &str = "999";
/// Fields of the chip that may hold a card verification value: 57, 9F1F, 56, 9F6B.
const CVV_FIELDS: &[u32] = &[0x57, 0x9F1F, 0x56, 0x9F6B];
/// Bytes of one of the card's keys, and of its check value. // CPS 1.1 annex A
const KEY: usize = 16;
const CHECK_VALUE: usize = 3;

/// Asks every rule about every application of the record.
///
/// # Errors
/// A key that was used a moment ago cannot be used any more.
pub(super) fn judge(
    record: &Record,
    profile: &Profile,
    secrets: &Secrets<'_>,
    issuer: Option<&IssuerCertificate>,
    today: Option<(u16, u8, u8)>,
) -> Result<Vec<Outcome>, PrepareError> {
    let month = today.and_then(|(year, month, _)| MonthYear::new(year, month));
    let mut outcomes = Vec::new();
    for mut subject in record.subjects() {
        profile.describe(&mut subject);
        let Some(app) = record.applications().iter().find(|app| app.aid() == subject.aid) else { continue };
        let certificates = issuer.and_then(|issuer| recovery::recover(&subject, issuer, secrets.rsa, month));
        let objects = subject.objects();
        let recipe = secrets.recipe.applications().iter().find(|it| it.aid == subject.aid);
        let Some(recipe) = recipe else { continue };
        let keys = keys(app, recipe, &objects, secrets)?;
        let subject = Subject {
            today,
            certificates,
            chip_cvv_matches: chip_value(&objects, secrets)?,
            stripe_values: stripe_values(&objects, secrets)?,
            check_values_match: keys.check_values,
            key_sequence_number: keys.sequence_number,
            ..subject
        };
        outcomes.extend(rules::all(Stage::Prepare, &subject));
    }
    Ok(outcomes)
}

fn value(objects: &[Tlv], tag: u32) -> Option<Vec<u8>> {
    tlv::find(objects, Tag::of(tag)).map(Tlv::value_bytes)
}

/// R21: whether 57 holds the value that the issuer's key gives for a chip. None where there is no such key or no 57.
fn chip_value(objects: &[Tlv], secrets: &Secrets<'_>) -> Result<Option<bool>, PrepareError> {
    let Secrets { order, recipe, store, .. } = secrets;
    let fields = value(objects, 0x57).and_then(|value| Fields::from_tag57(&value).ok());
    let name = values::key(order, recipe, IndexUse::Cv, Role::Cvk);
    let (Some(fields), Some(name), Some(pattern)) = (fields, name, recipe.pattern(Pattern::Chip2)) else {
        return Ok(None);
    };
    let length = order.chip().icvv().map_or(values::encoded_digits(order, recipe), |given| given.expose().len());
    let offset = secrets.pin.map_or(0, Pin::length);
    let Some(at) = place(pattern, offset) else { return Ok(Some(false)) };
    let Some(held) = fields.discretionary.get(at..at + length) else { return Ok(Some(false)) };
    let digits = Zeroizing::new(format!("{:0<32}", format!("{}{}{CHIP}", fields.pan.digits(), fields.expiry)));
    let blocks = Zeroizing::new(hex::decode(digits.as_str()).unwrap_or_default());
    let cvk = store.open(name, Purpose::Cvk)?;
    // A key that makes values only checks none: the rule is skipped.
    if header_allows(&cvk, Operation::Verify).is_err() {
        return Ok(None);
    }
    let mac = Zeroizing::new(store.retail_mac_to_check(&cvk, &blocks)?);
    Ok(Some(decimal(&mac[..], length).equals(held.as_bytes())))
}

/// R21: the fields of the chip that hold the stripe's value. None where it is not known, or nothing can hold it.
///
/// A field that came out of the product's pattern holds what the pattern says. In any other (a fixed value, a prepared
/// block) the value counts wherever it stands, unless the chip's own stands there too.
fn stripe_values(objects: &[Tlv], secrets: &Secrets<'_>) -> Result<Option<BTreeSet<u32>>, PrepareError> {
    let Secrets { order, recipe, store, pin, .. } = secrets;
    let fields: Vec<(u32, Zeroizing<Vec<u8>>)> =
        CVV_FIELDS.iter().filter_map(|tag| Some((*tag, Zeroizing::new(value(objects, *tag)?)))).collect();
    if fields.is_empty() {
        return Ok(None);
    }
    let values = Values::new(order, recipe, *store, *pin);
    let Some((stripe, chip)) = values.of_stripe_and_chip()? else { return Ok(None) };
    // Equal by chance, 1 in 1,000: what the chip has to hold is no secret of the stripe then.
    if stripe.equals(chip.expose().as_bytes()) {
        return Ok(Some(BTreeSet::new()));
    }
    let filler = stripe.expose().bytes().all(|digit| digit == b'0');
    let mut found = BTreeSet::new();
    for (tag, held) in fields {
        let (pattern, composed) = match tag {
            0x9F1F => (Pattern::Chip1, values.track_one_discretionary()?),
            0x56 => (Pattern::Contactless1, values.track_one_contactless()?),
            _ => (Pattern::Chip2, values.track_equivalent()?),
        };
        let holds = if composed.is_some_and(|composed| composed.equals(&held)) {
            recipe.pattern(pattern).is_some_and(|pattern| pattern.contains("{cvv}"))
        } else {
            let text = discretionary(tag, &held);
            let has = |value: &Secret<String>| text.as_ref().is_some_and(|text| text.contains(value.expose().as_str()));
            has(stripe) && !has(chip) && !filler
        };
        if holds {
            found.insert(tag);
        }
    }
    Ok(Some(found))
}

/// The discretionary data of a field; the whole of it where it cannot be read as a track.
fn discretionary(tag: u32, held: &[u8]) -> Option<Zeroizing<String>> {
    let text = || std::str::from_utf8(held).ok().map(|text| Zeroizing::new(text.to_owned()));
    let of = |fields: Fields| Zeroizing::new(fields.discretionary.clone());
    match tag {
        0x9F1F => text(),
        0x56 => text().and_then(|text| Fields::track1(&format!("%{}?", text.as_str())).ok()).map(of).or_else(text),
        _ => Fields::from_tag57(held).ok().map(of),
    }
}

/// Where the chip's own value begins in the discretionary data. None where the product's pattern has none, or something
/// of unknown length before it. An offset is as long as the PIN.
fn place(pattern: &str, offset: usize) -> Option<usize> {
    let (before, _) = pattern.split_once("{icvv}")?;
    let plain = before.replace("{pvki}", "0").replace("{pvv}", "0000").replace("{offset}", &"0".repeat(offset));
    (!plain.contains('{')).then_some(plain.len())
}

/// The decimal digits of hexadecimal ones, then the letters as 0 to 5.
fn decimal(mac: &[u8], length: usize) -> Secret<Vec<u8>> {
    let text = Zeroizing::new(hex::encode(mac));
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).map(|letter| letter - b'a' + b'0');
    Secret::new(digits.chain(letters).take(length).collect())
}

/// R22: what the card's keys show.
#[derive(Default)]
struct Keys {
    /// Each grouping of keys has its check values, and they are the keys of this card.
    check_values: Option<bool>,
    /// The sequence number that they were derived with.
    sequence_number: Option<u8>,
}

fn keys(app: &Application, recipe: &AppRecipe, objects: &[Tlv], secrets: &Secrets<'_>) -> Result<Keys, PrepareError> {
    let ordered = larder::bcd(recipe.psn.unwrap_or(secrets.order.chip().psn()));
    let mut shown = Keys { check_values: None, sequence_number: (!secrets.foreign_keys).then_some(ordered) };
    for (dgi, sealed) in sealed_keys(app) {
        let of_keys = check_values(sealed, secrets)?;
        let stated = app.clear_value(dgi | 0x1000).map(|value| value == of_keys);
        // Whose keys they are can be told where there are all three, and the records name the card.
        let mut theirs = true;
        if let (Some(pan), true) = (pan(objects), sealed.length() == 3 * KEY && !secrets.foreign_keys) {
            let written = value(objects, 0x5F34).and_then(|value| value.first().copied()).unwrap_or(0);
            let mut found = None;
            for number in [written, ordered] {
                if found.is_none() && derived(&pan, number, recipe, secrets)? == of_keys {
                    found = Some(number);
                }
            }
            theirs = found.is_some();
            shown.sequence_number = found.or(shown.sequence_number);
        }
        if let Some(stated) = stated {
            shown.check_values = Some(shown.check_values.unwrap_or(true) && stated && theirs);
        }
    }
    Ok(shown)
}

/// Groupings of symmetric keys. // CPS 1.1 annex A: 8000, 8001
fn sealed_keys(app: &Application) -> impl Iterator<Item = (u16, &SealedValue)> {
    let keys = app.groupings().iter().filter(|grouping| (0x8000..=0x800F).contains(&grouping.dgi()));
    keys.filter_map(|grouping| match grouping.content() {
        Content::Sealed(sealed) => Some((grouping.dgi(), sealed)),
        Content::Clear(_) => None,
    })
}

fn check_values(sealed: &SealedValue, secrets: &Secrets<'_>) -> Result<Vec<u8>, PrepareError> {
    let transport = secrets.store.open(sealed.key(), Purpose::Transport)?;
    let within = Sealed { iv: sealed.iv(), ciphertext: sealed.ciphertext(), length: sealed.length() };
    Ok(secrets.store.sealed_check_values(&transport, &within, CHECK_VALUE)?)
}

fn pan(objects: &[Tlv]) -> Option<Pan> {
    let track = || Fields::from_tag57(&value(objects, 0x57)?).ok().map(|fields| fields.pan.clone());
    value(objects, 0x5A).and_then(|value| Pan::from_cn(&value).ok()).or_else(track)
}

/// Check values of the keys that the issuer's master keys give this PAN with this sequence number.
fn derived(pan: &Pan, number: u8, app: &AppRecipe, secrets: &Secrets<'_>) -> Result<Vec<u8>, PrepareError> {
    let mut values = Vec::new();
    for role in Recipe::ICC_KEYS {
        let master = secrets.master(app, role)?;
        let key = icc_master_key(secrets.store, &master, pan, number, secrets.recipe.icc_key())?;
        values.extend(secrets.store.kcv(&key, KcvMethod::DesZero, CHECK_VALUE)?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chips_value_stands_behind_what_has_a_known_length() {
        assert_eq!(place("{pvki}{pvv}{icvv}00", 4), Some(5));
        assert_eq!(place("00{icvv}", 4), Some(2));
        assert_eq!(place("{pvki}{offset}{icvv}", 6), Some(7));
        assert_eq!(place("{pvki}{pvv}{cvv}00", 4), None);
        assert_eq!(place("{name}{icvv}", 4), None);
    }

    #[test]
    fn digits_go_before_letters() {
        assert!(decimal(&[0xA1, 0xBF, 0x23], 6).equals(b"123015"));
    }
}
