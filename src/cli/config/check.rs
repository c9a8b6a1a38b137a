//! `perso config check`: whether everything that the configuration names is there and good.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::defaults::{Default, Origin};
use super::error::ConfigError;
use super::find::KEYS_VARIABLE;
use super::references;
use super::{Config, Settings};
use crate::base::{Code, Fault};
use crate::cli::common::{self, CliError, Out, Problem};
use crate::cli::file_names::FileNames;
use crate::cli::preparation_error::PreparationError;
use crate::cli::profiles;
use crate::cli::stores::guard_pin;
use crate::cli::{claimed, token_uri};
use crate::issuance::JobError;
use crate::issuance::file_kind::FileKind;
use crate::issuance::result::FaultRef;
use crate::issuance::{check, report};
use crate::keys::ca_keys::CaKeys;
use crate::keys::{AnyStore, KeyInfo, KeyStore, Purpose, file};
use crate::order::Site;
use crate::prepare::IssuerFileError;
use crate::profile::Profile;
use crate::profile::prepare::Derived;

/// What `perso run` asks of a profile's security level, unless the site says another.
const LEAST_LEVEL: u8 = 0x01;

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
pub(super) fn run(settings: &Settings, out: &mut Out) -> Result<u8, CliError> {
    let config = settings.config().ok_or(ConfigError::None)?;
    let mut checked = Checked { file: config.path.display().to_string(), problems: Vec::new(), skipped: Vec::new() };
    for error in settings.wrong_entries() {
        let path = match &error {
            CliError::Config(ConfigError::Value { key, .. }) => key.clone(),
            CliError::Config(ConfigError::Environment { variable, .. }) => (*variable).to_owned(),
            _ => "(configuration)".to_owned(),
        };
        checked.problem(path, &error);
    }
    let site = site(config, &mut checked);
    let store = keys(settings, config, &mut checked, out);
    let profiles = profiles(config, &mut checked);
    names(config, site.as_ref(), store.as_ref(), profiles.as_deref(), &mut checked);
    run_of(
        settings,
        &Named { site: site.as_ref(), store: store.as_ref(), profiles: profiles.as_deref() },
        &mut checked,
    );
    journal(config, &mut checked);
    reader(config, &mut checked);
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
    /// Adds the problem of what failed.
    fn outcome<T, E: Fault>(&mut self, path: impl Into<String>, outcome: Result<T, E>) {
        if let Err(error) = outcome {
            self.problem(path, &error);
        }
    }

    fn problem(&mut self, path: impl Into<String>, error: &impl Fault) {
        self.problems.push(Problem::new(path, error.code(), FaultRef::of(error).message));
    }
}

/// What site and profiles name must be there; where one side was not read, that is said.
fn names(
    config: &Config,
    site: Option<&Site>,
    store: Option<&AnyStore>,
    profiles: Option<&[Arc<Profile>]>,
    checked: &mut Checked,
) {
    let Checked { problems, skipped, .. } = checked;
    let mut add = |problem| problems.push(problem);
    let set = |entry: &str| match entry {
        "keys.file" => config.file.keys.as_ref().is_some_and(|keys| keys.file.is_some()),
        _ => config.file.profiles.is_some(),
    };
    let mut skip = |what: &str, without: &str| {
        let why = if set(without) { "was not read" } else { "is not set" };
        skipped.push(format!("{what}: {without} {why}"));
    };
    match (site, profiles) {
        (Some(site), Some(profiles)) => references::products(site, profiles, &mut add),
        (Some(_), None) => skip("the products that the site names", "profiles.folder"),
        (None, _) => {}
    }
    match (site, store) {
        (Some(site), Some(store)) => references::site_keys(site, store, &mut add),
        (Some(_), None) => skip("the keys that the site names", "keys.file"),
        (None, _) => {}
    }
    match (profiles, store) {
        (Some(profiles), Some(store)) => {
            profiles.iter().for_each(|profile| references::profile_keys(profile, store, &mut add));
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

fn keys(settings: &Settings, config: &Config, checked: &mut Checked, out: &mut Out) -> Option<AnyStore> {
    let own = config.keys();
    let from_environment = settings.keys.as_ref().map(PathBuf::from);
    let passphrase = config.file.keys.as_ref().and_then(|keys| keys.passphrase_file.as_ref());
    let passphrase = passphrase.map(|path| config.place(path));
    if let Some(path) = &passphrase
        && let Err(source) = std::fs::metadata(path)
    {
        checked.problem("keys.passphrase_file", &CliError::Read { path: path.clone(), source });
    }
    // A passphrase goes with its own key file.
    let passphrase = passphrase.filter(|_| from_environment.is_none() || own.is_none() || from_environment == own);
    // Of a file that is opened, this is said when it is.
    if let (None, Some(path)) = (from_environment.as_ref().or(own.as_ref()), &passphrase) {
        checked.outcome("keys.passphrase_file", guard_pin(&config.passphrase(Some(path.clone())), false, out));
    }
    let label = if from_environment.is_some() { KEYS_VARIABLE } else { "keys.file" };
    let path = from_environment.clone().or(own)?;
    let token = token_uri::is_token(&path);
    let sealed = if token { Ok(true) } else { is_sealed(&path) };
    let opened = match sealed {
        Ok(true) if passphrase.is_none() => {
            let (what, secret) = if token { ("it is a token", "PIN") } else { ("it is sealed", "passphrase") };
            let asks = format!("`perso run` asks for the {secret}");
            checked.skipped.push(format!("{label}: {what} and keys.passphrase_file is not set; {asks}"));
            return None;
        }
        Ok(_) => {
            let trusted = if from_environment.is_some() { Ok(()) } else { config.trusts(&path) };
            trusted.and_then(|()| common::keys(&path, &config.passphrase(passphrase), out))
        }
        Err(error) => Err(error),
    };
    match opened {
        Ok(store) => {
            for key in store.keys() {
                if let Err(error) = store.open(&key.name, key.purpose) {
                    checked.problem(label, &error);
                }
            }
            if let Some(live) = store.keys().iter().find(|key| !key.test) {
                checked.problem(label, &JobError::Live(live.name.clone()));
            }
            return Some(store);
        }
        Err(error @ CliError::OpenSecret(_)) => checked.problem("keys.passphrase_file", &error),
        // It was named already.
        Err(CliError::Read { path: unread, .. }) if unread != path => {}
        Err(error) => checked.problem(label, &error),
    }
    None
}

fn is_sealed(path: &Path) -> Result<bool, CliError> {
    let bytes = zeroize::Zeroizing::new(common::read_kind(path, &[FileKind::KeyFile])?);
    file::is_sealed(&bytes).map_err(|source| CliError::Keys { path: path.to_owned(), source })
}

/// The profiles that can be read.
fn profiles(config: &Config, checked: &mut Checked) -> Option<Vec<Arc<Profile>>> {
    let folder = match &config.file.profiles {
        Some(profiles) => config.place(&profiles.folder),
        // What `perso run` takes then.
        None => Some(PathBuf::from(crate::cli::paths::PROFILES_FOLDER)).filter(|folder| folder.is_dir())?,
    };
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
        match profiles::profile_file(&path) {
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
    } else if path.is_file() {
        // A journal that is there is the station's memory: it is read, never written here.
        match common::read(&path) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => {
                let kind = common::expect(&path, &bytes, &[FileKind::Journal]);
                checked.outcome("journal.file", kind);
            }
            Err(error) => checked.problem("journal.file", &error),
        }
    }
}

fn reader(config: &Config, checked: &mut Checked) {
    let Some(named) = config.file.readers.as_ref().and_then(|readers| readers.default.as_deref()) else { return };
    match named.strip_prefix("sim:") {
        Some(file) => {
            let opened = crate::cli::reader::card_file(Path::new(file)).map(drop);
            checked.outcome("readers.default", opened);
        }
        None if named == "sim" => {}
        None => checked
            .skipped
            .push("readers.default: whether this reader is there; `perso readers` lists those that are".into()),
    }
}

/// What site, keys and profiles came to.
struct Named<'a> {
    site: Option<&'a Site>,
    store: Option<&'a AnyStore>,
    profiles: Option<&'a [Arc<Profile>]>,
}

/// What else `perso run` would refuse, whatever the order: certificates, the pool, the security level.
fn run_of(settings: &Settings, named: &Named<'_>, checked: &mut Checked) {
    let given = |long: &str| {
        let fits = |it: &&Default| it.long == long && it.command.as_ref().is_none_or(|command| command == "run");
        let all = settings.defaults();
        let found = all.iter().filter(fits).max_by_key(|it| it.command.is_some())?;
        let Origin::File { key, .. } = &found.origin else { return None };
        Some((key.clone(), PathBuf::from(found.values.first()?)))
    };
    let ca_keys = given("ca-keys").and_then(|(key, path)| match crate::cli::ca::ca_keys(&path) {
        Ok(keys) => Some(keys),
        Err(error) => {
            checked.problem(key, &error);
            None
        }
    });
    let products = made_here(named);
    match given("issuer-certificate") {
        Some((key, path)) => certificate(&key, &path, ca_keys.as_ref(), named, checked),
        None => {
            let need = products.iter().filter(|profile| needs_certificate(profile)).map(|profile| profile.name());
            let need: Vec<&str> = need.collect();
            if !need.is_empty() {
                checked.skipped.push(format!(
                    "options.issuer-certificate: it is not set; orders of {} are refused without --issuer-certificate",
                    need.join(", ")
                ));
            }
        }
    }
    if let Some((key, path)) = given("pool") {
        match named.store {
            Some(store) => {
                let opened = crate::cli::pool::open(&path, store);
                checked.outcome(key, opened);
            }
            None => checked.skipped.push(format!("{key}: it opens with the key file, which was not read")),
        }
    }
    for (option, long) in [("--result", "result"), ("--trace", "trace")] {
        if let Some((key, path)) = given(long) {
            output(option, &key, &path, checked);
        }
    }
    if let Some((key, rule)) = given("fault") {
        checked.outcome(key, crate::cli::run::faults(&[rule.display().to_string()]));
    }
    let minimum = given("minimum-level").and_then(|(key, level)| {
        let level = u8::from_str_radix(level.to_str()?, 16).ok();
        // Another value is a problem already.
        level.filter(|level| matches!(level, 0x00 | 0x01 | 0x03 | 0x11 | 0x13 | 0x33)).map(|level| (key, level))
    });
    let (key, minimum) = minimum.unwrap_or_else(|| ("profiles.folder".to_owned(), LEAST_LEVEL));
    for profile in named.profiles.unwrap_or_default() {
        if let Err(problem) = check::minimum_level(profile, minimum) {
            let path = format!("{key}: profile {}", profile.name());
            checked.problems.push(Problem::new(path, problem.code, problem.message));
        }
    }
}

/// A file that each run writes: its placeholders, and its folder.
fn output(option: &'static str, key: &str, path: &Path, checked: &mut Checked) {
    let of_any_run = FileNames { id: "id".into(), attempt: Some(1), started: "2026-01-31T09:30:00Z".into() };
    match of_any_run.fill(option, path) {
        Err(error) => checked.problem(key, &error),
        Ok(path) if !claimed::folder(&path).is_dir() => {
            let message = format!("the folder {} is not there; make it", claimed::folder(&path).display());
            checked.problems.push(Problem::new(key, Code::Config, message));
        }
        Ok(_) => {}
    }
}

/// The profiles of the products that the site makes; without a site, all.
fn made_here<'a>(named: &Named<'a>) -> Vec<&'a Profile> {
    let all = named.profiles.unwrap_or_default().iter().map(|profile| &**profile);
    match named.site {
        Some(site) => all.filter(|profile| site.product(profile.name()).is_some()).collect(),
        None => Vec::new(),
    }
}

/// Whether its cards carry the issuer's certificate.
fn needs_certificate(profile: &Profile) -> bool {
    profile.recipe().is_some_and(|recipe| recipe.derives(Derived::IssuerCertificate))
}

/// The issuer's certificate: opened with CA keys, not expired, for a key in custody.
fn certificate(key: &str, path: &Path, ca_keys: Option<&CaKeys>, named: &Named<'_>, checked: &mut Checked) {
    let certificate = match crate::cli::prepare::certificate(path) {
        Ok(certificate) => certificate,
        Err(error) => return checked.problem(key, &error),
    };
    let issuer = |source| PreparationError::Issuer { path: path.to_owned(), source };
    let live = named.store.is_some_and(|store| store.keys().iter().any(|key| !key.test));
    match ca_keys {
        Some(keys) => {
            let pinned = certificate.pinned(keys, live).map_err(issuer);
            checked.outcome(key, pinned);
        }
        None if live => checked.problem(key, &issuer(IssuerFileError::NotPinned)),
        None => checked.skipped.push(format!(
            "{key}: whether the scheme issued it: options.ca-keys is not set, so it was opened with the CA key in its own file"
        )),
    }
    if let Err(error) = certificate.is_valid_on(report::day(common::clock().now())) {
        checked.problem(key, &PreparationError::Prepare(error));
    }
    let Some(store) = named.store else {
        return checked.skipped.push(format!("{key}: whether it certifies a key of the key file, which was not read"));
    };
    let certified = |info: &KeyInfo| {
        let public = store.open(&info.name, Purpose::IssuerRsa).and_then(|handle| store.rsa_public(&handle));
        public.is_ok_and(|public| public == *certificate.key())
    };
    if !store.keys().iter().filter(|info| info.purpose == Purpose::IssuerRsa).any(certified) {
        let message = format!("{} certifies none of the issuer RSA keys in the key store", path.display());
        checked.problems.push(Problem::new(key, Code::PrepareIssuer, message));
    }
}
