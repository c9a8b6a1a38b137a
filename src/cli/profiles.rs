//! Profiles from a file, or by name from the folder of profiles.

use std::path::Path;
use std::sync::Arc;

use super::args::ProfileArgs;
use super::common::{CliError, Problem, kind_error, read_text_kind};
use crate::base::suggest;
use crate::issuance::file_kind::FileKind;
use crate::issuance::setup::{ProfileFolder, Profiles, ProfilesError};
use crate::profile::Profile;

/// Reads one profile file.
///
/// # Errors
/// It cannot be read, or is refused with all its problems.
pub fn profile_file(path: &Path) -> Result<Arc<Profile>, CliError> {
    let text = read_text_kind(path, &[FileKind::Profile])?;
    let refused = |problems| ProfilesError::Refused { path: path.to_owned(), problems }.into();
    Profile::parse(&text).map(Arc::new).map_err(refused)
}

/// The profile of this name in the folder of profiles.
///
/// # Errors
/// The folder cannot be read, or does not hold exactly one of that name.
pub fn profile(name: &str, from: &ProfileArgs) -> Result<Arc<Profile>, CliError> {
    Ok(folder(from).profile(name)?)
}

/// The folder of profiles.
pub fn folder(from: &ProfileArgs) -> ProfileFolder {
    ProfileFolder::new(&from.profiles)
}

impl From<ProfilesError> for CliError {
    fn from(error: ProfilesError) -> Self {
        match error {
            ProfilesError::Folder { folder, source } => CliError::Read { path: folder, source },
            ProfilesError::Refused { path, problems } => CliError::Refused {
                what: path.display().to_string(),
                problems: problems.into_iter().map(|it| Problem::new(it.path, it.code, it.message)).collect(),
            },
            ProfilesError::Kind { path, found } => kind_error(&path, found, &[FileKind::Profile]),
            ProfilesError::Name { folder, name, count, held } => {
                let names = held.join(", ");
                let held = match count {
                    _ if held.is_empty() => "none".into(),
                    0 => names + &suggest::hint(&name, held.iter().map(String::as_str)),
                    _ => names,
                };
                CliError::ProfileName { folder, name, found: count, held }
            }
        }
    }
}
