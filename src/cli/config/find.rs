//! Where the configuration is looked for, and what the environment says.
//!
//! The command line overrides the environment, and that overrides the file that is found: in the current folder, in
//! the folders above it, then in the user's own folder of configurations. A file that was found, not named, is used only
//! if nobody but the user and root could have put it there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Config;
use super::error::ConfigError;
use crate::cli::error::CliError;
use crate::cli::trust::changeable_by_others;

/// The name of a configuration.
pub(super) const NAME: &str = "perso.toml";
/// The environment variable that names a configuration.
pub(super) const CONFIG_VARIABLE: &str = "PERSO_CONFIG";
/// The environment variable that names the key file.
pub(super) const KEYS_VARIABLE: &str = "PERSO_KEYS";
/// The environment variable that names the ledger.
pub(super) const LEDGER_VARIABLE: &str = "PERSO_LEDGER";
/// The value of `--config` and `PERSO_CONFIG` that means: no configuration.
const NONE: &str = "none";

/// How a configuration was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// By `--config`.
    Option,
    /// By `PERSO_CONFIG`.
    Environment,
    /// In the current folder.
    Here,
    /// In a folder above the current one.
    Above,
    /// In the user's folder of configurations.
    User,
}

impl Found {
    /// In words, after the file's name.
    pub fn words(self) -> &'static str {
        match self {
            Found::Option => "named by --config",
            Found::Environment => "named by PERSO_CONFIG",
            Found::Here => "found in the current folder",
            Found::Above => "found in a folder above the current one",
            Found::User => "found in the user's configuration folder",
        }
    }
}

/// What a search came to.
pub(super) struct Search {
    /// The configuration, if there is one.
    pub(super) config: Option<Config>,
    /// Every file that was looked for, until one was there.
    pub(super) searched: Vec<PathBuf>,
}

/// Finds the configuration that these arguments, the environment or the folders have; none is fine.
///
/// # Errors
/// It cannot be read, is wrong, or could have been put there by another user.
pub(super) fn find(arguments: &[OsString]) -> Result<Search, CliError> {
    let read = |path: PathBuf, found| -> Result<Search, CliError> {
        Ok(Search { config: Some(Config::read(&path, found)?), searched: vec![path] })
    };
    let named = named(arguments).map(|path| (path, Found::Option));
    let named = named.or_else(|| variable(CONFIG_VARIABLE).map(|path| (path.into(), Found::Environment)));
    match named {
        Some((path, _)) if path == Path::new(NONE) => return Ok(Search { config: None, searched: Vec::new() }),
        Some((path, found)) => return read(path, found),
        None => {}
    }
    let mut searched = Vec::new();
    for (path, found) in places() {
        searched.push(path.clone());
        if !path.is_file() {
            continue;
        }
        if let Some((place, why)) = changeable_by_others(&[&path]) {
            return Err(ConfigError::Planted { path, place, why }.into());
        }
        return Ok(Search { config: Some(Config::read(&path, found)?), searched });
    }
    Ok(Search { config: None, searched })
}

/// A variable of the environment; an empty one counts as not set.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The places of the search, first the nearest.
fn places() -> Vec<(PathBuf, Found)> {
    let mut places = vec![(PathBuf::from(NAME), Found::Here)];
    // A folder that was removed meanwhile has none above it.
    let here = std::env::current_dir().ok();
    let above = here.iter().flat_map(|here| here.ancestors().skip(1));
    places.extend(above.map(|folder| (folder.join(NAME), Found::Above)));
    places.extend(user_folder().map(|folder| (folder.join("perso").join(NAME), Found::User)));
    places
}

/// `$XDG_CONFIG_HOME`, which must be absolute, else `~/.config`. // XDG Base Directory 0.8
fn user_folder() -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
}

/// Whether the command line names a configuration.
pub(super) fn is_named(arguments: &[OsString]) -> bool {
    named(arguments).is_some()
}

/// The value of `--config`. It is needed before the arguments can be understood.
fn named(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    while let Some(argument) = rest.next() {
        if argument == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    None
}
