//! A token as `--keys` names it: a PKCS#11 URI. // RFC 7512

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::keys::pkcs11::TokenPlace;

/// The scheme, in any case. // RFC 3986 §3.1
const SCHEME: &str = "pkcs11:";

/// What a URI may have, for messages.
const KNOWN: &str = "it has token, serial, slot-id, model and manufacturer before the question mark and module-path \
    behind it, once each, and nothing else";

/// Whether it names a token and no file.
pub fn is_token(path: &Path) -> bool {
    rest(path).is_some()
}

fn rest(path: &Path) -> Option<&str> {
    let (scheme, rest) = path.to_str()?.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

/// Reads a URI; none if `path` is a file. // RFC 7512 §2.3
///
/// # Errors
/// It is a URI, and lacks or has what it must or may not.
pub fn read(path: &Path) -> Result<Option<TokenPlace>, CliError> {
    let Some(text) = rest(path) else { return Ok(None) };
    let wrong = |why: &str| CliError::Option { option: "--keys", why: format!("a token's URI: {why}") };
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let mut place = TokenPlace::default();
    let mut module = None;
    for (part, in_query) in parts(path, ';', false).chain(parts(query, '&', true)) {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong("a part of it has no value"))?;
        if matches!(name, "pin-value" | "pin-source") {
            return Err(wrong("no PIN in an argument; use --passphrase-file, or type it"));
        }
        let value = decoded(value).ok_or_else(|| wrong("a %-escape in it is none"))?;
        let once = |place: &mut Option<String>| match place.replace(value.clone()) {
            None => Ok(()),
            Some(_) => Err(wrong(KNOWN)),
        };
        match (name, in_query) {
            ("token", false) => once(&mut place.label)?,
            ("serial", false) => once(&mut place.serial)?,
            ("model", false) => once(&mut place.model)?,
            ("manufacturer", false) => once(&mut place.manufacturer)?,
            ("slot-id", false) => {
                let number = value.parse().map_err(|_| wrong("slot-id is a decimal number"))?;
                if place.slot.replace(number).is_some() {
                    return Err(wrong(KNOWN));
                }
            }
            ("module-path", true) => once(&mut module)?,
            _ => return Err(wrong(KNOWN)),
        }
    }
    let named = [&place.label, &place.serial, &place.model, &place.manufacturer].into_iter().any(Option::is_some);
    if !named && place.slot.is_none() {
        return Err(wrong("it names no token; give token, serial or slot-id"));
    }
    let module = module.filter(|module| !module.is_empty());
    let module =
        module.ok_or_else(|| wrong("it needs module-path, as in pkcs11:token=perso?module-path=/usr/lib/module.so"))?;
    Ok(Some(TokenPlace { module: PathBuf::from(module), ..place }))
}

fn parts(text: &str, by: char, in_query: bool) -> impl Iterator<Item = (&str, bool)> {
    text.split(by).filter(|part| !part.is_empty()).map(move |part| (part, in_query))
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let both = digits.iter().all(u8::is_ascii_hexdigit).then_some(&digits)?;
            out.push(u8::from_str_radix(std::str::from_utf8(both).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_member_of_a_uri_is_read_in_any_order_and_the_scheme_in_any_case() {
        for scheme in ["pkcs11:", "PKCS11:", "Pkcs11:"] {
            let uri =
                format!("{scheme}slot-id=7;model=SoftHSM%20v2;manufacturer=m;serial=0a%3b;token=l?module-path=/m.so");
            let place = read(Path::new(&uri)).unwrap().unwrap();
            assert_eq!(place.label.as_deref(), Some("l"));
            assert_eq!(place.serial.as_deref(), Some("0a;"));
            assert_eq!(place.model.as_deref(), Some("SoftHSM v2"));
            assert_eq!(place.manufacturer.as_deref(), Some("m"));
            assert_eq!((place.slot, place.module), (Some(7), PathBuf::from("/m.so")));
        }
        for file in ["pkcs11", "keys.json", "pkcs11/keys", ""] {
            assert!(read(Path::new(file)).unwrap().is_none() && !is_token(Path::new(file)));
        }
        for alone in ["token=a", "serial=a", "slot-id=0", "model=a", "manufacturer=a"] {
            assert!(read(Path::new(&format!("pkcs11:{alone}?module-path=/m.so"))).is_ok());
        }
    }

    #[test]
    fn unknown_misplaced_duplicate_and_malformed_members_are_refused() {
        for (uri, says) in [
            ("pkcs11:", "names no token"),
            ("pkcs11:?module-path=/m.so", "names no token"),
            ("pkcs11:token=a", "needs module-path"),
            ("pkcs11:token=a?module-path=", "needs module-path"),
            ("pkcs11:token=a;token=b?module-path=/m.so", "once each"),
            ("pkcs11:slot-id=1;slot-id=1?module-path=/m.so", "once each"),
            ("pkcs11:token=a?module-path=/m.so&module-path=/n.so", "once each"),
            ("pkcs11:token=a;object=b?module-path=/m.so", "nothing else"),
            ("pkcs11:token=a;module-path=/m.so", "nothing else"),
            ("pkcs11:?token=a&module-path=/m.so", "nothing else"),
            ("pkcs11:TOKEN=a?module-path=/m.so", "nothing else"),
            ("pkcs11:slot-id=x?module-path=/m.so", "decimal"),
            ("pkcs11:slot-id=-1?module-path=/m.so", "decimal"),
            ("pkcs11:token=%zz?module-path=/m.so", "%-escape"),
            ("pkcs11:token=%+1?module-path=/m.so", "%-escape"),
            ("pkcs11:token?module-path=/m.so", "no value"),
            ("pkcs11:token=a?module-path=/m.so&pin-value=1", "no PIN in an argument"),
            ("pkcs11:token=a?module-path=/m.so&pin-source=file:/p", "no PIN in an argument"),
        ] {
            let error = read(Path::new(uri)).err().unwrap().to_string();
            assert!(error.contains(says), "{uri}: {error}");
        }
    }
}
