//! Given tracks: used as they are, so everything in them must be what the order says elsewhere.

use super::file::CardFile;
use super::problem::Findings;
use crate::base::Secret;
use crate::base::emv::Pan;
use crate::base::emv::track::{Fields, Number};

/// What the given tracks say.
#[derive(Default)]
pub(super) struct Given {
    pub(super) tracks: Vec<(u8, Secret<String>)>,
    /// The name of track 1.
    pub(super) name: Option<Secret<String>>,
    pub(super) service_code: Option<String>,
}

/// Reads the tracks and holds them against PAN and expiry. The published patterns let longer tracks through than a
/// stripe holds, and letters that it does not have.
pub(super) fn read(
    card: &CardFile,
    pan: Option<&Pan>,
    expiry_is_read: bool,
    path: &dyn Fn(&str) -> String,
    found: &mut Findings,
) -> Given {
    let expiry = expiry_is_read.then_some(card.expiry.as_str());
    let mut given = Given::default();
    let all = [(1, "track1", &card.track1), (2, "track2", &card.track2), (3, "track3", &card.track3)];
    for (number, own, text) in all {
        let Some(text) = text else { continue };
        let path = path(own);
        match fields(number, text) {
            Ok(Some(fields)) => agree(&fields, card, (pan, expiry), &mut given, &path, found),
            Ok(None) if number == 3 && !third_is_of(text, pan) => {
                found.value(path.clone(), "its PAN is not the one of the order");
            }
            Ok(None) => {}
            Err(message) => found.value(path.clone(), message),
        }
        given.tracks.push((number, Secret::new(text.clone())));
    }
    given
}

/// Track 3 has only its PAN read: what follows is the issuer's. // ISO/IEC 4909
fn fields(number: u8, text: &str) -> Result<Option<Fields>, String> {
    match number {
        1 => Fields::track1(text).map(Some),
        2 if text.contains('D') => return Err("the separator is =; D is its form in the chip (57)".into()),
        2 => Fields::track2(text).map(Some),
        _ => Number::Three.check(text).map(|_| None),
    }
    .map_err(|error| error.to_string())
}

fn agree(
    fields: &Fields,
    card: &CardFile,
    (pan, expiry): (Option<&Pan>, Option<&str>),
    given: &mut Given,
    path: &str,
    found: &mut Findings,
) {
    if pan.is_some_and(|pan| *pan != fields.pan) {
        found.value(path, "its PAN is not the one of the order");
    }
    if expiry.is_some_and(|expiry| expiry != fields.expiry) {
        found.value(path, "its expiry YYMM is not the one of the order");
    }
    let code = given.service_code.get_or_insert_with(|| fields.service_code.clone());
    if *code != fields.service_code || card.service_code.as_ref().is_some_and(|own| *own != fields.service_code) {
        found.value(path, "its service code is not the one stated elsewhere");
    }
    if let Some(name) = &fields.name {
        let same = |own: &String| own.trim_end() == name.trim_end();
        if card.encoded_name.as_ref().is_some_and(|own| !same(own)) {
            found.value(path, "its name is not the encoded name of the order");
        }
        given.name = Some(Secret::new(name.clone()));
    }
}

fn third_is_of(text: &str, pan: Option<&Pan>) -> bool {
    let own = text.trim_start_matches(';').split('=').next().unwrap_or_default();
    // Track 3 may begin with a format code of two digits. // ISO/IEC 4909
    pan.is_none_or(|pan| own == pan.digits() || own.get(2..) == Some(pan.digits()))
}
