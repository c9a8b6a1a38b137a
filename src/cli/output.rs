//! The files that are written. None ever replaces what cannot be had again.

use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::common::{self, CliError};

/// What a file begins with that is never replaced, and what it is.
const PRECIOUS: &[(&str, &str)] = &[
    ("{\"event\":", "a journal"),
    ("{\"perso_record\"", "a prepared record"),
    ("{\"perso_clear_record\"", "a clear record"),
    ("{\"perso_keys\"", "a key file"),
    ("{\"perso_pool\"", "a pool of card keys"),
    ("{\"simulated_card\"", "a simulated card"),
    ("{\"perso_test_ca\"", "a test CA"),
    ("{\"perso_issuer_certificate\"", "an issuer's certificate"),
    ("{\"perso_jobs\"", "the jobs of an order"),
    ("{\"perso_order\"", "an order"),
    ("{\"perso_pismo\"", "an order"),
    ("{\"perso_mastercard\"", "an order"),
    ("perso_profile=", "a card profile"),
];
/// So much of a file shows what it is.
const BEGINNING: u64 = 4096;

/// Writes a file for its owner's eyes, whoever could read the one that was there, and makes it durable.
///
/// # Errors
/// It cannot be written, or would replace something precious.
pub fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    spare(path).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    // A terminal or a pipe has no owner to be kept for, and nothing to make durable.
    let lasting = file.metadata().map_err(failed)?.is_file();
    if lasting {
        for_owner(&file).and_then(|()| file.set_len(0)).map_err(failed)?;
    }
    file.write_all(text.as_bytes()).map_err(failed)?;
    if lasting { file.sync_all().map_err(failed) } else { Ok(()) }
}

/// Before anything is in it: the mode that a file is made with says nothing of one that was there.
#[cfg(unix)]
fn for_owner(file: &File) -> Result<(), Error> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn for_owner(_: &File) -> Result<(), Error> {
    Ok(())
}

/// Replaces a file whole: another process sees the old one or the new one, and it lasts. Only for what the caller
/// has just read from there, under a lock. What was written is read back and verified before it takes the file's place.
///
/// # Errors
/// It cannot be written, or is not what was meant. The file is as it was, unless only its folder could not be made
/// durable.
pub fn replace(path: &Path, text: &str, verify: impl FnOnce(&[u8]) -> Result<(), CliError>) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let folder = folder(path);
    let name = path.file_name().ok_or_else(|| failed(Error::other("it is no name of a file")))?;
    let beside = folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = write_new(&beside, text)
        .map_err(failed)
        .and_then(|()| verify(&Zeroizing::new(common::read(&beside)?)))
        .and_then(|()| std::fs::rename(&beside, path).map_err(failed));
    if let Err(error) = written {
        // What is left of the new file is no use to anybody.
        let _ = std::fs::remove_file(&beside);
        return Err(error);
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let mut file = new_file(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes a file that is not there yet, for its owner's eyes.
pub fn new_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The folder that a file is in, or will be.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that can be written, made before there is anything to write.
pub struct Target {
    path: PathBuf,
    file: File,
}

/// Makes a file to be written later.
///
/// # Errors
/// It cannot be made, or would replace something precious.
pub fn create(path: &Path) -> Result<Target, CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    spare(path).map_err(failed)?;
    let file = File::create(path).map_err(failed)?;
    Ok(Target { path: path.to_owned(), file })
}

impl Target {
    /// The file itself.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write<T: serde::Serialize>(mut self, value: &T) -> Result<(), CliError> {
        let written = serde_json::to_writer_pretty(&mut self.file, value)
            .map_err(Error::from)
            .and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|source| CliError::Write { path: self.path, source })
    }
}

/// No two of these options name the same file: one would overwrite the other.
///
/// # Errors
/// The first that does.
pub fn distinct(files: &[(&'static str, Option<&Path>)]) -> Result<(), CliError> {
    let named: Vec<(&'static str, PathBuf)> =
        files.iter().filter_map(|(option, path)| Some((*option, place((*path)?)?))).collect();
    for (at, (option, path)) in named.iter().enumerate() {
        let before = named.iter().take(at).find(|(_, earlier)| earlier == path);
        if let Some((earlier, _)) = before {
            return Err(CliError::Option { option, why: format!("it names the file that {earlier} names") });
        }
    }
    Ok(())
}

/// Where a file is or will be; none for a device, which many may share.
fn place(path: &Path) -> Option<PathBuf> {
    if let Ok(known) = path.canonicalize() {
        return known.is_file().then_some(known);
    }
    Some(folder(path).canonicalize().ok()?.join(path.file_name()?))
}

/// Refuses to replace what cannot be had again.
fn spare(path: &Path) -> Result<(), Error> {
    // What is not there is not replaced; what cannot be read shows when it is written.
    let Some(file) = path.is_file().then(|| File::open(path).ok()).flatten() else { return Ok(()) };
    let mut beginning = Vec::new();
    file.take(BEGINNING).read_to_end(&mut beginning)?;
    let text: String = String::from_utf8_lossy(&beginning).lines().map(without_comment).collect();
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    match PRECIOUS.iter().find(|(start, _)| text.starts_with(start)) {
        Some((_, what)) => Err(Error::other(format!("it is {what} already, which is never replaced"))),
        None => Ok(()),
    }
}

/// A line without what stands behind #, as profiles have it.
fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn file_is_replaced_once_its_successor_was_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        std::fs::write(&path, "old").unwrap();
        replace(&path, "new", |written| {
            assert_eq!((written, std::fs::read(&path).unwrap().as_slice()), (&b"new"[..], &b"old"[..]));
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["keys.json"]);
    }

    #[test]
    fn successor_that_is_not_what_was_meant_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        std::fs::write(&path, "old").unwrap();
        let refused = replace(&path, "new", |_| Err(CliError::TooLarge(path.clone())));
        assert!(matches!(refused, Err(CliError::TooLarge(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["keys.json"]);
        // A file that is not there yet is not made either.
        let none = folder.path().join("none.json");
        assert!(replace(&none, "new", |_| Err(CliError::TooLarge(none.clone()))).is_err());
        assert_eq!(names(folder.path()), ["keys.json"]);
    }
}
