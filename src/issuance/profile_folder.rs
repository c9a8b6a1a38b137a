//! Card profiles by name: the port that jobs ask, and a folder of TOML files behind it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::file_kind::FileKind;
use crate::base::fault::{Code, Fault};
use crate::profile::{self, Profile, is_toml, peek_name};

/// Largest profile that is read, in bytes.
const MOST: u64 = 16 * 1024 * 1024;
/// UTF-8 byte order mark.
const BOM: char = '\u{feff}';

/// Gives a profile by its name.
pub trait Profiles: Send + Sync {
    /// The profile of this name.
    ///
    /// # Errors
    /// There is not exactly one of that name, or it is refused with all its problems.
    fn profile(&self, name: &str) -> Result<Arc<Profile>, ProfilesError>;
}

/// Why a profile is not there.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// The folder cannot be read.
    #[error("{folder} cannot be read")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The profile is refused.
    #[error("profile {path} is refused")]
    Refused {
        /// Its file.
        path: PathBuf,
        /// All its problems.
        problems: Vec<profile::Problem>,
    },
    /// The file is of another kind.
    #[error("{path} is {}; a card profile is expected here", found.what())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: FileKind,
    },
    /// No profile of this name, or more than one.
    #[error("folder {folder} has {count} profiles named {name:?}")]
    Name {
        /// The folder.
        folder: PathBuf,
        /// The name.
        name: String,
        /// How many.
        count: usize,
        /// The names of all profiles there, sorted.
        held: Vec<String>,
    },
}

impl Fault for ProfilesError {
    fn code(&self) -> Code {
        match self {
            ProfilesError::Folder { .. } => Code::OperatorInput,
            ProfilesError::Refused { problems, .. } => {
                problems.first().map_or(Code::ProfileSyntax, |problem| problem.code)
            }
            ProfilesError::Kind { .. } => Code::FileKind,
            ProfilesError::Name { .. } => Code::RecordProfile,
        }
    }
}

/// Profiles that are in memory.
impl Profiles for Vec<Arc<Profile>> {
    fn profile(&self, name: &str) -> Result<Arc<Profile>, ProfilesError> {
        let named: Vec<_> = self.iter().filter(|profile| profile.name() == name).collect();
        match named.as_slice() {
            [only] => Ok(Arc::clone(only)),
            _ => {
                let mut held: Vec<String> = self.iter().map(|profile| profile.name().to_owned()).collect();
                held.sort_unstable();
                let (folder, name) = (PathBuf::from("(memory)"), name.to_owned());
                Err(ProfilesError::Name { folder, name, count: named.len(), held })
            }
        }
    }
}

/// A folder of profiles. Their names are read at the first call, and each profile is parsed once.
pub struct ProfileFolder {
    folder: PathBuf,
    files: OnceLock<Vec<ProfileFile>>,
    parsed: Mutex<BTreeMap<String, Arc<Profile>>>,
}

struct ProfileFile {
    name: String,
    path: PathBuf,
    text: String,
}

impl ProfileFolder {
    /// The profiles of a folder, which is not read yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: OnceLock::new(), parsed: Mutex::default() }
    }

    fn files(&self) -> Result<&[ProfileFile], ProfilesError> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let read = self.read_names()?;
        Ok(self.files.get_or_init(|| read))
    }

    fn read_names(&self) -> Result<Vec<ProfileFile>, ProfilesError> {
        let failed = |source| ProfilesError::Folder { folder: self.folder.clone(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // A pipe of such a name would be waited for without end.
            if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
                // A broken profile next to the wanted one does not matter here; a check of the folder finds it.
                let text = text_of(&path).unwrap_or_default();
                files.extend(peek_name(&text).map(|name| ProfileFile { name, path, text }));
            }
        }
        Ok(files)
    }

    fn read(&self, name: &str) -> Result<Profile, ProfilesError> {
        let files = self.files()?;
        let mut found: Vec<&ProfileFile> = files.iter().filter(|file| file.name == name).collect();
        if found.len() > 1 {
            found.retain(|file| is_toml(&file.text));
        }
        let [only] = found.as_slice() else {
            let mut held: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
            held.sort_unstable();
            let (folder, name) = (self.folder.clone(), name.to_owned());
            return Err(ProfilesError::Name { folder, name, count: found.len(), held });
        };
        Profile::parse(&only.text).map_err(|problems| {
            match FileKind::other_than(&[FileKind::Profile], only.text.as_bytes()) {
                Some(found) => ProfilesError::Kind { path: only.path.clone(), found },
                None => ProfilesError::Refused { path: only.path.clone(), problems },
            }
        })
    }
}

impl Profiles for ProfileFolder {
    fn profile(&self, name: &str) -> Result<Arc<Profile>, ProfilesError> {
        if let Some(known) = self.parsed.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(known));
        }
        let profile = Arc::new(self.read(name)?);
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        parsed.insert(name.to_owned(), Arc::clone(&profile));
        Ok(profile)
    }
}

/// A file's text without the byte order mark that editors write in front; one further inside makes it none.
fn text_of(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(MOST + 1).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= MOST)?;
    let text = text.strip_prefix(BOM).map(str::to_owned).unwrap_or(text);
    (!text.contains(BOM)).then_some(text)
}
