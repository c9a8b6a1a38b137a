//! From what `--keys` names to a key store: a key file, or a token by its PKCS#11 URI.

use std::path::{Path, PathBuf};

use super::args::PassphraseArgs;
use super::error::CliError;
use super::lock::{FileLock, LockError, PATIENCE};
use super::out::WarningSink;
use super::protect::protect;
use super::reading::{read_as_it_is, read_kind};
use super::token_uri;
use crate::base::crypto::sha256;
use crate::base::{Secret, Warning};
use crate::issuance::file_kind::FileKind;
use crate::keys::file;
use crate::keys::pkcs11::{Pkcs11Store, TokenPlace, TokenRules};
use crate::keys::{AnyStore, ForCalculator, KeyStore, Serving, lock_pages};

/// Opens a token. Its PIN comes as a passphrase does.
///
/// # Errors
/// The PIN cannot be read; module, token or PIN is wrong.
pub fn token(
    place: &TokenPlace,
    passphrase: &PassphraseArgs,
    told: &mut dyn WarningSink,
) -> Result<Pkcs11Store, CliError> {
    let pin = secret(passphrase, Asked::Pin, told)?;
    token_locked(place, passphrase, &pin, told, |_| Ok(())).map(|(store, ())| store)
}

/// Opens a token to change it. No other process of this machine changes it until the lock is dropped.
///
/// # Errors
/// As [`token`]; [`CliError::TokenInUse`].
pub fn token_to_change(
    place: &TokenPlace,
    passphrase: &PassphraseArgs,
    told: &mut dyn WarningSink,
) -> Result<(Pkcs11Store, TokenLock), CliError> {
    let pin = secret(passphrase, Asked::Pin, told)?;
    // Before its module is loaded, which keeps a copy of what is in the token.
    let uri = lock_uri(place)?;
    let (store, token) = token_locked(place, passphrase, &pin, told, |id| lock_token(place, id))?;
    Ok((store, TokenLock { _uri: uri, _token: token }))
}

/// What keeps other processes of this machine from changing a token.
pub struct TokenLock {
    _uri: FileLock,
    /// Whatever URI names it.
    _token: FileLock,
}

fn token_locked<L>(
    place: &TokenPlace,
    passphrase: &PassphraseArgs,
    pin: &Secret<Vec<u8>>,
    told: &mut dyn WarningSink,
    lock: impl FnOnce(&str) -> Result<L, CliError>,
) -> Result<(Pkcs11Store, L), CliError> {
    let rules = rules(passphrase)?;
    let login = lock_login(place);
    let (store, lock) = Pkcs11Store::open_locked(place, pin, &rules, |id| {
        drop(login);
        lock(id)
    })?;
    store.warnings().iter().for_each(|warning| told.take(warning.clone()));
    guard_pin(passphrase, store.keys().iter().any(|key| !key.test), told)?;
    Ok((store, lock))
}

fn lock_token(place: &TokenPlace, id: &str) -> Result<FileLock, CliError> {
    lock_for_all(place, "token", id)
}

/// What the URI says, since the token's own names are not known before its module is loaded.
fn lock_uri(place: &TokenPlace) -> Result<FileLock, CliError> {
    let TokenPlace { module, label, serial, model, manufacturer, slot } = place;
    let module = module.canonicalize().unwrap_or_else(|_| module.clone());
    let text = format!("{module:?} {label:?} {serial:?} {model:?} {manufacturer:?} {slot:?}");
    lock_for_all(place, "uri", &hex::encode(sha256(text.as_bytes())))
}

/// Keeps logins to one module's tokens apart: SoftHSM writes the token's file at a login, and answers CKR_GENERAL_ERROR if two
/// do. No lock is needed to read keys, so a command goes on without one that it does not get.
fn lock_login(place: &TokenPlace) -> Option<FileLock> {
    let module = place.module.canonicalize().unwrap_or_else(|_| place.module.clone());
    let id = hex::encode(sha256(module.as_os_str().as_encoded_bytes()));
    FileLock::for_all("login", &id, PATIENCE).ok()
}

fn lock_for_all(place: &TokenPlace, kind: &str, id: &str) -> Result<FileLock, CliError> {
    FileLock::for_all(kind, id, PATIENCE).map_err(|error| match error {
        LockError::Held => CliError::TokenInUse(place.shown()),
        LockError::Failed(lock, source) => CliError::Lock { path: PathBuf::from(place.shown()), lock, source },
    })
}

/// Removes a key from a token, also one whose description keeps the token from being opened.
///
/// # Errors
/// As [`token`], and there is no such key.
pub fn remove_from_token(
    place: &TokenPlace,
    passphrase: &PassphraseArgs,
    name: &str,
    told: &mut dyn WarningSink,
) -> Result<(), CliError> {
    let pin = secret(passphrase, Asked::Pin, told)?;
    let _uri = lock_uri(place)?;
    let rules = rules(passphrase)?;
    let login = lock_login(place);
    let warnings = Pkcs11Store::remove(place, &pin, &rules, name, |id| {
        drop(login);
        lock_token(place, id)
    })?;
    warnings.into_iter().for_each(|warning| told.take(warning));
    Ok(())
}

/// What is settled for tokens, by their labels.
fn rules(args: &PassphraseArgs) -> Result<TokenRules, CliError> {
    let wrong = || CliError::Option {
        option: "--token-retail-mac",
        why: "give the token's label, = and the mechanism's number, such as perso=0x80000A01".to_owned(),
    };
    let retail_mac = |text: &String| {
        let (label, number) = text.rsplit_once('=').ok_or_else(wrong)?;
        let number = match number.strip_prefix("0x").or_else(|| number.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => number.parse(),
        };
        Ok::<_, CliError>((label.to_owned(), number.map_err(|_| wrong())?))
    };
    Ok(TokenRules {
        retail_mac: args.token_retail_mac.iter().map(retail_mac).collect::<Result<_, _>>()?,
        left_half: args.allow_left_half.clone(),
        last_try: args.last_try,
    })
}

/// Opens a key file for a job, asking for its passphrase only if it is sealed; or a token.
///
/// # Errors
/// The file, the token or its secret is wrong.
pub fn keys(path: &Path, passphrase: &PassphraseArgs, told: &mut dyn WarningSink) -> Result<AnyStore, CliError> {
    opened(path, passphrase, told)
}

/// Opens a key file or a token for `perso calc`: its live keys answer almost nothing.
///
/// # Errors
/// As [`keys`].
pub fn calculator_keys(
    path: &Path,
    passphrase: &PassphraseArgs,
    told: &mut dyn WarningSink,
) -> Result<AnyStore<ForCalculator>, CliError> {
    opened(path, passphrase, told)
}

fn opened<S: Serving>(
    path: &Path,
    passphrase: &PassphraseArgs,
    told: &mut dyn WarningSink,
) -> Result<AnyStore<S>, CliError> {
    if let Some(place) = token_uri::read(path)? {
        return Ok(token(&place, passphrase, told)?.into());
    }
    let bytes = zeroize::Zeroizing::new(read_kind(path, &[FileKind::KeyFile])?);
    let failed = |source| CliError::Keys { path: path.to_owned(), source };
    let phrase = if file::is_sealed(&bytes).map_err(failed)? { Some(ask(passphrase, false, told)?) } else { None };
    let store = file::load(&bytes, phrase.as_ref()).map_err(failed)?;
    guard(passphrase, path, phrase.as_ref(), store.is_live(), told)?;
    store.warnings().into_iter().for_each(|warning| told.take(warning));
    Ok(store.into())
}

/// Refuses a passphrase file of live keys that others can read, and tells of one of test keys; tells of live keys under a
/// short passphrase.
///
/// # Errors
/// [`CliError::OpenSecret`].
pub fn guard(
    from: &PassphraseArgs,
    keys: &Path,
    passphrase: Option<&Secret<Vec<u8>>>,
    live: bool,
    told: &mut dyn WarningSink,
) -> Result<(), CliError> {
    if passphrase.is_some() {
        guard_pin(from, live, told)?;
    }
    if live && passphrase.is_some_and(file::is_short) {
        let why = format!(
            "the passphrase of these live keys has fewer than {} characters; choose a longer one with `perso keys passphrase`",
            file::LEAST_PASSPHRASE
        );
        told.take(Warning::new(keys.display().to_string(), why));
    }
    Ok(())
}

/// Refuses a passphrase or PIN file of live keys that others can read, and tells of one of test keys.
///
/// # Errors
/// [`CliError::OpenSecret`].
pub fn guard_pin(from: &PassphraseArgs, live: bool, told: &mut dyn WarningSink) -> Result<(), CliError> {
    match open_to_others(from) {
        Some(path) if live => Err(CliError::OpenSecret(path)),
        Some(path) => {
            told.take(Warning::new(
                path.display().to_string(),
                "others than you can read it; run `chmod 600` on it, and let it belong to you",
            ));
            Ok(())
        }
        None => Ok(()),
    }
}

/// The file that the secret comes from, by its name or by a descriptor, if others than the user and root can read it.
#[cfg(unix)]
fn open_to_others(from: &PassphraseArgs) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let path = place_of_secret(from)?;
    let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
    // The file behind a descriptor, whose name can be typed elsewhere.
    let named = std::fs::canonicalize(&path).unwrap_or(path);
    // Its owner can read it whatever its mode is.
    let anothers = ![rustix::process::geteuid().as_raw(), 0].contains(&metadata.uid());
    (anothers || metadata.mode() & 0o044 != 0).then_some(named)
}

/// Elsewhere there are no such permissions.
#[cfg(not(unix))]
fn open_to_others(_: &PassphraseArgs) -> Option<PathBuf> {
    None
}

/// Where a secret comes from that is not typed: its file, or the file of its descriptor.
fn place_of_secret(from: &PassphraseArgs) -> Option<PathBuf> {
    let descriptor = from.passphrase_fd.map(|descriptor| PathBuf::from(format!("/dev/fd/{descriptor}")));
    descriptor.or_else(|| from.passphrase_file.clone())
}

/// The passphrase of a key file: from a file, a descriptor, or the terminal, where a new one is asked for twice.
///
/// # Errors
/// It cannot be read.
pub fn ask(from: &PassphraseArgs, new: bool, told: &mut dyn WarningSink) -> Result<Secret<Vec<u8>>, CliError> {
    secret(from, Asked::Passphrase { new }, told)
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Passphrase { new: bool },
    Pin,
}

fn secret(from: &PassphraseArgs, asked: Asked, told: &mut dyn WarningSink) -> Result<Secret<Vec<u8>>, CliError> {
    protect();
    let secret = read_secret(from, asked, told)?;
    lock_pages(&secret);
    Ok(secret)
}

fn read_secret(from: &PassphraseArgs, asked: Asked, told: &mut dyn WarningSink) -> Result<Secret<Vec<u8>>, CliError> {
    if let Some(path) = place_of_secret(from) {
        let bytes = Secret::new(read_as_it_is(&path)?);
        let (line, notes) = first_line(bytes.expose(), asked);
        notes.iter().for_each(|note| told.take(Warning::new(path.display().to_string(), *note)));
        return Ok(Secret::new(line.to_vec()));
    }
    let prompt = |text: &str| {
        rpassword::prompt_password(text).map(String::into_bytes).map(Secret::new).map_err(CliError::Passphrase)
    };
    let first = prompt(match asked {
        Asked::Pin => "PIN of the token: ",
        Asked::Passphrase { new: false } => "Passphrase of the key file: ",
        Asked::Passphrase { new: true } => "New passphrase of the key file: ",
    })?;
    if asked == (Asked::Passphrase { new: true }) && !prompt("Once more: ")?.equals(first.expose()) {
        return Err(CliError::Passphrase(std::io::Error::other("the two differ")));
    }
    Ok(first)
}

/// The first line of a secret's file, and what should be told of it. A PIN is used without byte order mark and blanks: as
/// it stands it would use up a try. A passphrase is used as it stands: a file may be sealed with it.
fn first_line(bytes: &[u8], asked: Asked) -> (&[u8], Vec<&'static str>) {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let bare = line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(line);
    let trimmed = bare.trim_ascii();
    let (mark, blanks) = (bare.len() < line.len(), trimmed.len() < bare.len());
    let mut notes = Vec::new();
    if asked == Asked::Pin {
        notes
            .extend(mark.then_some("the file begins with a byte order mark, which was left out of the PIN; remove it"));
        notes.extend(blanks.then_some("there are blanks around the PIN, which were left out; remove them"));
        return (trimmed, notes);
    }
    let mark_note =
        "the file begins with a byte order mark, which is taken as part of the passphrase; remove it if it is not";
    let blanks_note =
        "the passphrase begins or ends with blanks, which are taken as part of it; remove them if they are not";
    notes.extend(mark.then_some(mark_note));
    notes.extend(blanks.then_some(blanks_note));
    (line, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_and_blanks_are_left_out_of_a_pin_and_kept_in_a_passphrase() {
        let new = Asked::Passphrase { new: false };
        for (bytes, pin, passphrase, told) in [
            (&b"1234\n"[..], &b"1234"[..], &b"1234"[..], 0),
            (b"1234\r\nmore", b"1234", b"1234", 0),
            (b"12 34", b"12 34", b"12 34", 0),
            (b"1234 \t\r\n", b"1234", b"1234 \t", 1),
            (b" 1234", b"1234", b" 1234", 1),
            (b"\xEF\xBB\xBF1234\n", b"1234", b"\xEF\xBB\xBF1234", 1),
            (b"\xEF\xBB\xBF1234 \n", b"1234", b"\xEF\xBB\xBF1234 ", 2),
            (b"\xEF\xBB\xBF \n", b"", b"\xEF\xBB\xBF ", 2),
            (b"\n1234", b"", b"", 0),
            (b"", b"", b"", 0),
        ] {
            for (asked, expected) in [(Asked::Pin, pin), (new, passphrase)] {
                let (line, notes) = first_line(bytes, asked);
                assert_eq!((line, notes.len()), (expected, told), "{bytes:02X?}");
            }
        }
    }
}
