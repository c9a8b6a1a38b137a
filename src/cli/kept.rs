//! A file that is kept: claimed before anything is done, written once, and never over another.

use std::fs::File;
use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::common::CliError;
use super::output;

/// A file that is claimed. It is gone again where nothing was written into it.
pub(super) struct Kept {
    path: PathBuf,
    file: Option<File>,
}

impl Kept {
    /// Makes the file, for its owner's eyes.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub(super) fn claim(path: &Path) -> Result<Self, CliError> {
        let file = output::new_file(path).map_err(|error| {
            let there = error.kind() == ErrorKind::AlreadyExists;
            let source = if there { Error::other("it is there already, and is never replaced") } else { error };
            CliError::Write { path: path.to_owned(), source }
        })?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// As [`Kept::write`].
    pub(super) fn write_json(self, value: &impl serde::Serialize) -> Result<(), CliError> {
        let path = self.path.clone();
        let failed = |error: serde_json::Error| CliError::Write { path, source: error.into() };
        let text = serde_json::to_string_pretty(value).map_err(failed)?;
        self.write(&(text + "\n"))
    }

    /// Writes it, and makes it last.
    ///
    /// # Errors
    /// It cannot be written; it is gone then.
    pub(super) fn write(mut self, text: &str) -> Result<(), CliError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let lasting =
            written.and_then(|()| File::open(output::folder(&self.path))).and_then(|folder| folder.sync_all());
        lasting.map_err(|source| CliError::Write { path: self.path.clone(), source })?;
        self.file = None;
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Nothing is lost with it: it was made by this process, and holds nothing whole.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
