//! What several commands need: time, chance, files, keys, profiles.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub use super::error::CliError;
pub use super::file_names::distinct;
pub use super::out::{Out, warn};
pub use super::paths::{output_file, shown};
pub use super::problem::Problem;
pub use super::reading::{
    expect, kind_error, read, read_as_it_is, read_kind, read_text, read_text_kind, standard_input,
};
pub use super::stores::{ask, keys};
use crate::base::chance::{ChanceError, Instant};
use crate::base::{Chance, Clock};
use crate::issuance::file_kind::FileKind;
use crate::issuance::result::ProgramRef;
use crate::order::Site;

/// Bytes of the executable that are in memory at once.
const HASHED_AT_ONCE: usize = 64 * 1024;

/// The key file that a command needs.
///
/// # Errors
/// None is named: neither on the command line, nor by `PERSO_KEYS`, nor in the configuration.
pub fn named_keys<'a>(keys: Option<&'a PathBuf>, what: &'static str) -> Result<&'a Path, CliError> {
    keys.map(PathBuf::as_path).ok_or(CliError::NoKeys(what))
}

/// The system's clock.
pub fn clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Instant(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    })
}

/// The system's randomness.
pub fn chance() -> Chance {
    Chance::new(|buffer| getrandom::fill(buffer).map_err(|error| ChanceError(error.to_string())))
}

/// This program, with the hash of its executable.
pub fn program() -> ProgramRef {
    ProgramRef { sha256: executable_hash().ok().map(hex::encode), ..ProgramRef::unhashed() }
}

fn executable_hash() -> std::io::Result<[u8; 32]> {
    let mut file = std::fs::File::open(std::env::current_exe()?)?;
    crate::base::crypto::sha256_in_parts(&mut vec![0; HASHED_AT_ONCE], |part| file.read(part))
}

pub use crate::base::codec::pasted::compact;

/// An option's bytes, in hexadecimal.
///
/// # Errors
/// It is not hexadecimal. The value is not quoted: it may be longer than a line, and is in the shell's history.
pub fn bytes(option: &'static str, text: &str) -> Result<Vec<u8>, CliError> {
    let digits = compact(text);
    hex::decode(digits.as_bytes()).map_err(|error| {
        let why = match error {
            hex::FromHexError::OddLength => {
                format!("an odd number of hexadecimal digits ({}); a byte has two", digits.chars().count())
            }
            _ => "it is not bytes in hexadecimal".to_owned(),
        };
        CliError::Option { option, why }
    })
}

/// An option's one byte, in hexadecimal.
///
/// # Errors
/// It is not two hexadecimal digits.
pub fn byte(option: &'static str, text: &str) -> Result<u8, CliError> {
    let byte = (text.len() == 2).then(|| u8::from_str_radix(text, 16).ok()).flatten();
    byte.ok_or_else(|| CliError::Option { option, why: format!("{text:?} is not two hexadecimal digits") })
}

/// An option's AID.
///
/// # Errors
/// It is not 5 to 16 bytes in hexadecimal.
pub fn aid(option: &'static str, text: &str) -> Result<Vec<u8>, CliError> {
    let aid = hex::decode(compact(text).as_bytes()).ok().filter(|aid| (5..=16).contains(&aid.len()));
    aid.ok_or_else(|| CliError::Option { option, why: format!("{text:?} is not 5 to 16 bytes in hexadecimal") })
}

/// A site from its file.
///
/// # Errors
/// It cannot be read, or does not make sense.
pub fn site(path: &Path) -> Result<Site, CliError> {
    Site::parse(&read_text_kind(path, &[FileKind::Site])?)
        .map_err(|source| CliError::Site { path: path.to_owned(), source })
}
