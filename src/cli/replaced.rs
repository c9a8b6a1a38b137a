//! A key file or a pool that is replaced by what became of it.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::claimed::{sync_folder, temporary_files};
use super::common::{self, CliError};

/// Replaces a file whole and durably, after what was written has been read back and verified. Only for a file that the
/// caller has just read, and holds the lock of.
///
/// # Errors
/// It cannot be written, or is not what was meant. The file is as it was, unless only its folder could not be made
/// durable.
pub fn replace(path: &Path, text: &str, verify: impl FnOnce(&[u8]) -> Result<(), CliError>) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let name = path.file_name().ok_or_else(|| failed(Error::other("it is not the name of a file")))?;
    let next = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    temporary_files().push(next.clone());
    let written = write_new(&next, text).map_err(failed).and_then(|()| verify(&Zeroizing::new(common::read(&next)?)));
    let mut claims = temporary_files();
    let renamed = written.and_then(|()| std::fs::rename(&next, path).map_err(failed));
    claims.retain(|part| *part != next);
    if renamed.is_err() {
        let _ = std::fs::remove_file(&next);
    }
    renamed.and_then(|()| sync_folder(path).map_err(failed))
}

/// The lock that the caller holds makes a file of this name one that a killed process has left.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
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
