//! `perso config check`: whether everything that the configuration names is there and good.

use std::path::Path;

use serde::Serialize;

use super::args::ConfigCommand;
use super::claimed;
use super::common::{self, CliError, Out, Problem};
use super::config::Config;
use super::config_resolve as resolve;
use super::token_uri;
use crate::base::{Code, Fault};
use crate::keys::{AnyStore, KeyStore, file};
use crate::order::Site;
use crate::profile::Profile;

/// What was found.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(title = "ConfigCheck")]
pub struct Checked {
    /// The configuration.
    file: String,
    /// Every problem with its path in the configuration.
    problems: Vec<Problem>,
    /// What could not be checked, and why. It does not count as passed.
    skipped: Vec<String>,
}

/// Checks the configuration.
///
/// # Errors
/// There is none.
pub fn run(command: ConfigCommand, config: Option<&Config>, out: &mut Out) -> Result<u8, CliError> {
    let ConfigCommand::Check = command;
    let config = config.ok_or_else(|| CliError::Option {
        option: "--config",
        why: "there is no perso.toml in this folder, and none is named".to_owned(),
    })?;
    let mut checked = Checked { file: config.path.display().to_string(), problems: Vec::new(), skipped: Vec::new() };
    let site = site(config, &mut checked);
    let store = keys(config, &mut checked, out);
    let profiles = profiles(config, &mut checked);
    names(site.as_ref(), store.as_ref(), profiles.as_deref(), &mut checked);
    journal(config, &mut checked);
    if config.file.readers.is_some() {
        checked
            .skipped
            .push("readers: whether a reader is there is seen when it is used; `perso readers` lists them".into());
    }
    if !out.json(&checked) {
        print(&checked, out);
    }
    Ok(if checked.problems.is_empty() { 0 } else { 10 })
}

fn print(checked: &Checked, out: &mut Out) {
    let verdict = match (checked.problems.len(), checked.skipped.is_empty()) {
        (0, true) => "ok".to_owned(),
        (0, false) => "ok as far as it was checked".to_owned(),
        (1, _) => "one problem".to_owned(),
        (n, _) => format!("{n} problems"),
    };
    out.line(format!("{}: {verdict}", checked.file));
    for problem in &checked.problems {
        out.line(format!("  {}: {} [{}]", problem.path, problem.message, problem.code));
    }
    for skipped in &checked.skipped {
        out.line(format!("  skipped: {skipped}"));
    }
}

impl Checked {
    fn problem(&mut self, path: impl Into<String>, error: &impl Fault) {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        self.problems.push(Problem::new(path, error.code(), format!("{error}{cause}")));
    }
}

/// What site and profiles name must be there; where one side was not read, that is said.
fn names(site: Option<&Site>, store: Option<&AnyStore>, profiles: Option<&[Profile]>, checked: &mut Checked) {
    let Checked { problems, skipped, .. } = checked;
    let mut add = |problem| problems.push(problem);
    let mut skip =
        |what: &str, without: &str| skipped.push(format!("{what}: {without} could not be read, or is not named"));
    match (site, profiles) {
        (Some(site), Some(profiles)) => resolve::products(site, profiles, &mut add),
        (Some(_), None) => skip("the products that the site names", "profiles.folder"),
        (None, _) => {}
    }
    match (site, store) {
        (Some(site), Some(store)) => resolve::site_keys(site, store, &mut add),
        (Some(_), None) => skip("the keys that the site names", "keys.file"),
        (None, _) => {}
    }
    match (profiles, store) {
        (Some(profiles), Some(store)) => {
            profiles.iter().for_each(|profile| resolve::profile_keys(profile, store, &mut add));
        }
        (Some(_), None) => skip("the keys that the profiles name", "keys.file"),
        (None, _) => {}
    }
}

fn site(config: &Config, checked: &mut Checked) -> Option<Site> {
    match common::site(&config.place(&config.file.site.as_ref()?.file)) {
        Ok(site) => Some(site),
        Err(error) => {
            checked.problem("site.file", &error);
            None
        }
    }
}

fn keys(config: &Config, checked: &mut Checked, out: &mut Out) -> Option<AnyStore> {
    let keys = config.file.keys.as_ref()?;
    let passphrase = keys.passphrase_file.as_ref().map(|path| config.place(path));
    if let Some(path) = &passphrase {
        private("keys.passphrase_file", path, checked);
    }
    let named = keys.file.as_ref()?;
    let token = token_uri::is_token(named);
    let path = if token { named.clone() } else { config.place(named) };
    let sealed = if token { Ok(true) } else { is_sealed(&path) };
    let opened = match sealed {
        Ok(true) if passphrase.is_none() => {
            let what = if token { "it is a token" } else { "it is sealed" };
            checked.skipped.push(format!("keys.file: {what}, and keys.passphrase_file is not given"));
            return None;
        }
        Ok(_) => config.trusts(&path).and_then(|()| common::keys(&path, &config.passphrase(passphrase), out)),
        Err(error) => Err(error),
    };
    match opened {
        Ok(store) => {
            for key in store.keys() {
                if let Err(error) = store.open(&key.name, key.purpose) {
                    checked.problem("keys.file", &error);
                }
            }
            return Some(store);
        }
        // It was named already.
        Err(CliError::Read { path: unread, .. }) if unread != path => {}
        Err(error) => checked.problem("keys.file", &error),
    }
    None
}

fn is_sealed(path: &Path) -> Result<bool, CliError> {
    let bytes = zeroize::Zeroizing::new(common::read(path)?);
    file::is_sealed(&bytes).map_err(|source| CliError::Keys { path: path.to_owned(), source })
}

/// A file with a secret in it is there, and nobody else reads it.
fn private(name: &str, path: &Path, checked: &mut Checked) {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(source) => return checked.problem(name, &CliError::Read { path: path.to_owned(), source }),
    };
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        let message = format!("others can read {}; chmod 600 it", path.display());
        checked.problems.push(Problem::new(name, Code::Config, message));
    }
    #[cfg(not(unix))]
    let _ = metadata;
}

/// The profiles that can be read.
fn profiles(config: &Config, checked: &mut Checked) -> Option<Vec<Profile>> {
    let folder = config.place(&config.file.profiles.as_ref()?.folder);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(source) => {
            checked.problem("profiles.folder", &CliError::Read { path: folder, source });
            return None;
        }
    };
    let mut read = Vec::new();
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    if paths.is_empty() {
        let message = format!("{} holds no profile (*.toml)", folder.display());
        checked.problems.push(Problem::new("profiles.folder", Code::Config, message));
    }
    for path in paths {
        match common::profile_file(&path) {
            Ok(profile) => read.push(profile),
            Err(CliError::Refused { problems, .. }) => checked.problems.extend(problems.into_iter().map(|problem| {
                Problem { path: format!("profiles.folder: {}: {}", path.display(), problem.path), ..problem }
            })),
            Err(error) => checked.problem("profiles.folder", &error),
        }
    }
    Some(read)
}

fn journal(config: &Config, checked: &mut Checked) {
    let Some(journal) = &config.file.journal else { return };
    let path = config.place(&journal.file);
    let folder = claimed::folder(&path);
    if path.is_dir() || !folder.is_dir() {
        let message = format!("{} cannot be a file: its folder is not there, or it is a folder", path.display());
        checked.problems.push(Problem::new("journal.file", Code::Config, message));
    }
}
