//! A folder that is made whole or not at all: built next to its place, then renamed.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::cli::claimed::{self, Access, ClaimedFile, Existing};
use crate::cli::common::CliError;

/// A folder that is being made, as `DIR.part`. It is removed again unless it is finished.
pub(in crate::cli) struct NewFolder {
    part: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl NewFolder {
    /// Begins a folder of this name.
    ///
    /// # Errors
    /// It exists and is not empty, it is the current folder, or it cannot be made.
    pub(in crate::cli) fn begin(folder: &Path) -> Result<Self, CliError> {
        let failed = |source| CliError::Write { path: folder.to_owned(), source };
        let target = target(folder)?;
        let mut name = target.file_name().ok_or_else(|| failed(ErrorKind::InvalidInput.into()))?.to_owned();
        name.push(".part");
        let part = target.with_file_name(name);
        // A signal from here on removes it.
        let mut temporary = claimed::temporary_files();
        std::fs::create_dir(&part).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => refused(
                folder,
                format!("{} exists: another process makes it, or was interrupted", part.display()),
                format!("Remove {} if no such process runs, then start again.", part.display()),
            ),
            _ => failed(error),
        })?;
        temporary.push(part.clone());
        Ok(Self { part, target, finished: false })
    }

    /// Where a file of it is written now.
    pub(in crate::cli) fn path(&self, name: &str) -> PathBuf {
        self.part.join(name)
    }

    /// Writes a file, and makes its folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, name: &str, text: &str, access: Access) -> Result<(), CliError> {
        let path = self.path(name);
        // One level: a folder that a signal has removed is not made again.
        let made = std::fs::create_dir(claimed::folder(&path));
        let made = made.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) });
        made.map_err(|source| CliError::Write { path: path.clone(), source })?;
        claimed::write(&path, text, Existing::Keep, access)
    }

    /// Writes a value that is not secret as JSON.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), CliError> {
        ClaimedFile::claim(&self.path(name), Existing::Keep, Access::Umask)?.write_json(value)
    }

    /// Gives the folder its name, in the place of an empty one.
    ///
    /// # Errors
    /// Something has come to its place meanwhile, or it cannot be renamed.
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        let failed = |source| CliError::Write { path: self.target.clone(), source };
        let mut temporary = claimed::temporary_files();
        // A folder takes the place of an empty folder, of nothing else.
        std::fs::rename(&self.part, &self.target).map_err(failed)?;
        temporary.retain(|path| *path != self.part);
        self.finished = true;
        claimed::sync_folder(&self.target).map_err(failed)
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if !self.finished {
            let mut temporary = claimed::temporary_files();
            // It was made by this process, and is not whole.
            claimed::remove_temporary(&self.part);
            temporary.retain(|path| *path != self.part);
        }
    }
}

/// The folder without links; nothing is in it.
fn target(folder: &Path) -> Result<PathBuf, CliError> {
    let failed = |source| CliError::Write { path: folder.to_owned(), source };
    match folder.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = claimed::folder(folder).canonicalize().map_err(failed)?;
            let name = folder.file_name().ok_or_else(|| failed(Error::from(ErrorKind::InvalidInput)))?;
            Ok(parent.join(name))
        }
        Err(error) => Err(failed(error)),
        Ok(_) => {
            let another = "Name a folder that does not exist yet.".to_owned();
            let target = folder.canonicalize().map_err(failed)?;
            if !target.is_dir() {
                return Err(refused(folder, "it is a file".into(), another));
            }
            if std::fs::read_dir(&target).map_err(failed)?.next().is_some() {
                return Err(refused(folder, "the folder is not empty".into(), another));
            }
            if std::env::current_dir().is_ok_and(|current| current == target) {
                return Err(refused(folder, "it is the current folder".into(), another));
            }
            Ok(target)
        }
    }
}

fn refused(folder: &Path, why: String, next: String) -> CliError {
    CliError::Advised { option: "DIR", why: format!("{}: {why}", folder.display()), next }
}
