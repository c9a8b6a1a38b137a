//! What an application has been loaded with, and how it is read.

use super::Application;
use crate::base::codec::tlv::{self, Tag};
use crate::base::crypto as cipher;
use crate::card::apdu::Response;

/// Groupings of internal objects, which GET DATA reads and PUT DATA changes.
pub(super) const INTERNAL: [u16; 4] = [0x3000, 0x3001, 0x0D01, 0x0E01];

/// A grouping as it is stored.
pub(super) fn grouping(app: &Application, dgi: u16) -> Option<&[u8]> {
    app.groupings.get(&format!("{dgi:04X}")).map(|value| value.0.as_slice())
}

/// An object out of BER-TLV, at any depth.
pub(super) fn object(data: &[u8], tag: u32) -> Option<Vec<u8>> {
    let objects = tlv::parse(data).ok()?;
    tlv::find(&objects, Tag::of(tag)).map(|found| found.value_bytes())
}

/// The primitive objects of BER-TLV, of a template those within it; nothing of what is not written as BER-TLV.
pub(super) fn objects(data: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let read = tlv::parse(data).unwrap_or_default();
    let flat = read.iter().flat_map(|object| match object.children() {
        [] => std::slice::from_ref(object),
        children => children,
    });
    flat.map(|object| (object.tag.number(), object.value_bytes())).collect()
}

/// An internal object.
pub(super) fn internal(app: &Application, tag: u32) -> Option<Vec<u8>> {
    INTERNAL.iter().filter_map(|dgi| grouping(app, *dgi)).find_map(|value| object(value, tag))
}

/// The counter at the last online transaction.
pub(super) fn last_online(app: &Application) -> u16 {
    let loaded = || internal(app, 0x9F13).and_then(|value| value.try_into().ok()).map(u16::from_be_bytes);
    app.last_online.or_else(loaded).unwrap_or_default()
}

/// The limit of PIN tries.
pub(super) fn try_limit(app: &Application) -> Option<u8> {
    grouping(app, 0x9010).and_then(|value| value.last().copied())
}

/// Where the answer to GET PROCESSING OPTIONS stands: products differ for the antenna.
pub(super) fn options_grouping(app: &Application, contactless: bool) -> Option<&[u8]> {
    let over_antenna = || [0x9105, 0x9207, 0xB104].into_iter().find_map(|dgi| grouping(app, dgi));
    contactless.then(over_antenna).flatten().or_else(|| grouping(app, 0x9104))
}

/// As [`options`], but the fast path needs no file locator.
pub(super) fn antenna_options(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let alone = || object(value, 0x82).filter(|profile| profile.len() == 2 && object(value, 0x94).is_none());
    alone().map(|profile| (profile, Vec::new())).or_else(|| options(value))
}

/// Application interchange profile and file locator out of grouping 9104, written either way.
pub(super) fn options(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (profile, locator) = match (object(value, 0x82), object(value, 0x94)) {
        (Some(profile), Some(locator)) => (profile, locator),
        _ => value.split_at_checked(2).map(|(profile, locator)| (profile.to_vec(), locator.to_vec()))?,
    };
    (profile.len() == 2 && !locator.is_empty() && locator.len().is_multiple_of(4)).then_some((profile, locator))
}

/// The records that a file locator names, as grouping numbers.
pub(super) fn record_names(locator: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    for [file, first, last, _] in locator.as_chunks().0 {
        out.extend((*first..=*last).map(|record| format!("{:02X}{record:02X}", file >> 3)));
    }
    out
}

/// An object in a record that the file locator names.
pub(super) fn located(app: &Application, locator: &[u8], tag: u32) -> Option<Vec<u8>> {
    record_names(locator).iter().filter_map(|name| app.groupings.get(name)).find_map(|record| object(&record.0, tag))
}

/// Whether bytes can be a record of a file: a template 70 in files 1 to 10, anything in the others.
pub(super) fn is_record(file: u8, value: &[u8]) -> bool {
    let is_template = || tlv::parse_one(value).is_ok_and(|record| record.tag == Tag::of(0x70));
    value.len() <= 254 && (file > 0x0A || is_template())
}

/// Whether a grouping's number is that of a record in files 1 to 10.
pub(super) fn is_record_name(name: &str) -> bool {
    u8::from_str_radix(name.get(..2).unwrap_or_default(), 16).is_ok_and(|file| (1..=0x0A).contains(&file))
}

pub(super) fn check_values_are_tdes(keys: &[u8], values: &[u8]) -> bool {
    check_values_are(keys, values, |key| cipher::tdes_ecb_encrypt(key, &[0; 8]).ok())
}

pub(super) fn check_values_are(keys: &[u8], values: &[u8], one: impl Fn(&[u8]) -> Option<Vec<u8>>) -> bool {
    let length = keys.len() / 3;
    let mut pairs = keys.chunks(length.max(1)).zip(values.chunks(3));
    pairs.all(|(key, value)| one(key).is_some_and(|block| block.get(..3) == Some(value)))
}

pub(super) fn ok(data: Vec<u8>) -> Response {
    Response { data, ..Response::status(0x9000) }
}

pub(super) fn tlv(tag: u32, value: &[u8]) -> Vec<u8> {
    tlv::encode(Tag::of(tag), value)
}

pub(super) fn tlv_if_any(tag: u32, value: &[u8]) -> Vec<u8> {
    if value.is_empty() { Vec::new() } else { tlv(tag, value) }
}
