//! The folder of card profiles: their names are read once, and of the profiles only those that are asked for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::args::ProfileArgs;
use super::common::{CliError, Problem, expect, read_text, read_text_kind};
use crate::base::suggest;
use crate::issuance::file_kind::FileKind;
use crate::profile::{Profile, is_toml, peek_name};

/// Reads one profile file.
///
/// # Errors
/// It cannot be read, or is refused with all its problems.
pub fn profile_file(path: &Path) -> Result<Profile, CliError> {
    profile_text(path, &read_text_kind(path, &[FileKind::Profile])?)
}

fn profile_text(path: &Path, text: &str) -> Result<Profile, CliError> {
    Profile::parse(text).map_err(|problems| CliError::Refused {
        what: path.display().to_string(),
        problems: problems
            .into_iter()
            .map(|problem| Problem::new(problem.path, problem.code, problem.message))
            .collect(),
    })
}

/// The profile of this name in the folder of profiles.
///
/// # Errors
/// The folder cannot be read, or does not hold exactly one of that name.
pub fn profile(name: &str, from: &ProfileArgs) -> Result<Profile, CliError> {
    ProfileFolder::open(from)?.read(name)
}

/// The profiles of a folder.
pub struct ProfileFolder {
    folder: PathBuf,
    files: Vec<ProfileFile>,
    parsed: RefCell<BTreeMap<String, Rc<Profile>>>,
}

struct ProfileFile {
    name: String,
    path: PathBuf,
    text: String,
}

impl ProfileFolder {
    /// Reads the names.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(from: &ProfileArgs) -> Result<Self, CliError> {
        let failed = |source| CliError::Read { path: from.profiles.clone(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&from.profiles).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // A pipe of such a name would be waited for without end.
            if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
                // A broken profile next to the wanted one does not matter here; `perso check` finds it.
                let text = read_text(&path).unwrap_or_default();
                files.extend(peek_name(&text).map(|name| ProfileFile { name, path, text }));
            }
        }
        Ok(Self { folder: from.profiles.clone(), files, parsed: RefCell::default() })
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// There is not exactly one of that name, or it is refused with all its problems.
    pub fn read(&self, name: &str) -> Result<Profile, CliError> {
        let mut found: Vec<&ProfileFile> = self.files.iter().filter(|file| file.name == name).collect();
        if found.len() > 1 {
            found.retain(|file| is_toml(&file.text));
        }
        match found.as_slice() {
            [only] => match profile_text(&only.path, &only.text) {
                Ok(profile) => Ok(profile),
                Err(error) => {
                    expect(&only.path, only.text.as_bytes(), &[FileKind::Profile])?;
                    Err(error)
                }
            },
            _ => {
                let mut held: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
                held.sort_unstable();
                Err(CliError::ProfileName {
                    folder: self.folder.clone(),
                    name: name.to_owned(),
                    found: found.len(),
                    held: match found.len() {
                        _ if held.is_empty() => "none".into(),
                        0 => held.join(", ") + &suggest::hint(name, held.iter().copied()),
                        _ => held.join(", "),
                    },
                })
            }
        }
    }

    /// The profile of this name, parsed at the first call only.
    ///
    /// # Errors
    /// As [`ProfileFolder::read`].
    pub fn profile(&self, name: &str) -> Result<Rc<Profile>, CliError> {
        if let Some(known) = self.parsed.borrow().get(name) {
            return Ok(Rc::clone(known));
        }
        let profile = Rc::new(self.read(name)?);
        self.parsed.borrow_mut().insert(name.to_owned(), Rc::clone(&profile));
        Ok(profile)
    }
}
