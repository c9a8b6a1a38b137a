//! Files and standard input, read whole: bounded, without a byte order mark, and without copies of secrets.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::error::CliError;
use super::paths::{MAX_FILE, STANDARD_INPUT, is_standard_input};
use crate::issuance::file_kind::FileKind;

/// A file's bytes, up to a size that nothing of ours reaches.
///
/// # Errors
/// It cannot be read, is too large, or has a byte order mark inside.
pub fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = read_as_it_is(path)?;
    // Editors write a byte order mark in front of UTF-8 text.
    if bytes.starts_with(BOM.as_bytes()) {
        // Not by `drain`: the bytes may be a secret's, and what is moved leaves a copy behind.
        bytes.rotate_left(BOM.len());
        let end = bytes.len() - BOM.len();
        bytes.get_mut(end..).unwrap_or_default().fill(0);
        bytes.truncate(end);
    }
    // Everything that is read so is text; no parser names a mark further inside.
    match bytes.windows(BOM.len()).position(|window| window == BOM.as_bytes()) {
        None => Ok(bytes),
        Some(at) => {
            bytes.truncate(at);
            let line = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
            bytes.fill(0);
            Err(CliError::ByteOrderMark { path: path.to_owned(), line })
        }
    }
}

/// Reads a file with its byte order mark: of a secret it is told.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn read_as_it_is(path: &Path) -> Result<Vec<u8>, CliError> {
    if is_standard_input(path) {
        return standard_input_bytes();
    }
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(CliError::Folder(path.to_owned()));
    }
    let size = metadata.map_or(0, |metadata| metadata.len());
    let bytes = read_whole(&mut file, size, MAX_FILE + 1).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(CliError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

/// A byte order mark in UTF-8.
const BOM: &str = "\u{feff}";

/// Text without a byte order mark in front; one further inside is named, since no parser does.
fn without_mark(path: &Path, text: String) -> Result<String, CliError> {
    let text = text.strip_prefix(BOM).map(str::to_owned).unwrap_or(text);
    match text.split_once(BOM) {
        None => Ok(text),
        Some((before, _)) => {
            Err(CliError::ByteOrderMark { path: path.to_owned(), line: before.matches('\n').count() + 1 })
        }
    }
}

/// Reads up to `most` bytes, of which there are likely `size`. It may be a secret: a buffer that is too small is wiped
/// when the bytes move to a larger one.
///
/// # Errors
/// It cannot be read.
fn read_whole(from: &mut dyn Read, size: u64, most: u64) -> std::io::Result<Vec<u8>> {
    let (size, most) = (usize::try_from(size).unwrap_or(usize::MAX), usize::try_from(most).unwrap_or(usize::MAX));
    // One byte more shows the end.
    let mut buffer = Zeroizing::new(vec![0; size.saturating_add(1).clamp(4096, most)]);
    let mut length = 0;
    loop {
        if length == most {
            break;
        }
        if length == buffer.len() {
            let mut larger = Zeroizing::new(vec![0; (length * 2).min(most)]);
            larger.iter_mut().zip(buffer.iter()).for_each(|(to, from)| *to = *from);
            buffer = larger;
        }
        match from.read(buffer.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(length);
    Ok(std::mem::take(&mut *buffer))
}

/// Standard input is at its end after it was read once: a second reader would take an empty file for the user's.
static READ: AtomicBool = AtomicBool::new(false);

fn standard_input_bytes() -> Result<Vec<u8>, CliError> {
    let path = PathBuf::from(STANDARD_INPUT);
    if READ.swap(true, Ordering::Relaxed) {
        return Err(CliError::InputTwice);
    }
    match read_whole(&mut std::io::stdin().lock(), 0, MAX_FILE + 1) {
        Err(source) => Err(CliError::Read { path, source }),
        Ok(bytes) if bytes.len() as u64 > MAX_FILE => Err(CliError::TooLarge(path)),
        Ok(bytes) => Ok(bytes),
    }
}

/// The text of standard input.
///
/// # Errors
/// As [`read_text`].
pub fn standard_input() -> Result<String, CliError> {
    read_text(Path::new("-"))
}

/// A file's text.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, CliError> {
    text_of(path, read(path)?)
}

/// The text of a file that was read.
///
/// # Errors
/// It is not UTF-8.
pub fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, CliError> {
    let text = String::from_utf8(bytes).map_err(|_| CliError::NotText(path.to_owned()))?;
    without_mark(path, text)
}

/// Refuses a file that is, for sure, of no wanted kind.
///
/// # Errors
/// [`CliError::Kind`].
pub fn expect(path: &Path, bytes: &[u8], wanted: &[FileKind]) -> Result<(), CliError> {
    FileKind::other_than(wanted, bytes).map_or(Ok(()), |found| Err(kind_error(path, found, wanted)))
}

/// A file of another kind than the wanted ones.
pub fn kind_error(path: &Path, found: FileKind, wanted: &[FileKind]) -> CliError {
    let word = |kind: &FileKind| if *kind == FileKind::Text { "text".to_owned() } else { kind.what() };
    let wanted = wanted.iter().map(word).collect::<Vec<_>>().join(" or ");
    CliError::Kind { path: path.to_owned(), found, wanted }
}

/// Reads a file of these kinds.
///
/// # Errors
/// As [`read`] and [`expect`].
pub fn read_kind(path: &Path, wanted: &[FileKind]) -> Result<Vec<u8>, CliError> {
    let bytes = Zeroizing::new(read(path)?);
    expect(path, &bytes, wanted)?;
    let mut bytes = bytes;
    Ok(std::mem::take(&mut *bytes))
}

/// Reads the text of a file of these kinds.
///
/// # Errors
/// As [`read_text`] and [`expect`].
pub fn read_text_kind(path: &Path, wanted: &[FileKind]) -> Result<String, CliError> {
    text_of(path, read_kind(path, wanted)?)
}
