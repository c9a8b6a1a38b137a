//! A station's configuration, `perso.toml`: defaults for what commands take. docs/config.md describes it.
//!
//! It decides nothing by itself: each entry becomes the default of an option, so that `--help` shows it and the command
//! line has the last word.

mod check;
mod defaults;
pub mod entry;
pub mod error;
mod file;
mod find;
mod place;
mod references;
mod show;
mod words;

pub use check::Checked;
pub use file::ConfigFile;
pub use find::Found;
pub(super) use references::keys_of;
pub use show::ConfigView;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use self::defaults::{Default, Misfit, Origin, Taken};
use self::entry::Entry;
use self::error::ConfigError;
use self::file::{OptionValue, TokenConfig};
use self::find::{CONFIG_VARIABLE, KEYS_VARIABLE, LEDGER_VARIABLE};
use super::args::{ConfigCommand, PassphraseArgs};
use super::error::CliError;
use super::out::Out;
use super::reading::read_text_kind;
use super::token_uri;
use super::trust::changeable_by_others;
use crate::issuance::file_kind::FileKind;

/// What the configuration and the environment settle for every command.
pub struct Settings {
    config: Option<Config>,
    /// The files that were looked for.
    searched: Vec<PathBuf>,
    /// The key file that `PERSO_KEYS` names.
    keys: Option<OsString>,
    /// The ledger that `PERSO_LEDGER` names.
    ledger: Option<OsString>,
    misfits: Vec<Misfit>,
    unknown: Vec<(Origin, String)>,
    taken: Vec<Taken>,
}

impl Settings {
    /// Reads the configuration and the environment.
    ///
    /// # Errors
    /// The configuration cannot be read, is wrong, or could have been put there by another user.
    pub fn find(arguments: &[OsString]) -> Result<Self, CliError> {
        let find::Search { config, searched } = find::find(arguments)?;
        let keys = find::variable(KEYS_VARIABLE);
        let ledger = find::variable(LEDGER_VARIABLE);
        Ok(Self { config, searched, keys, ledger, misfits: Vec::new(), unknown: Vec::new(), taken: Vec::new() })
    }

    /// No settings: for help, and for what explains errors.
    pub fn none() -> Self {
        Self {
            config: None,
            searched: Vec::new(),
            keys: None,
            ledger: None,
            misfits: Vec::new(),
            unknown: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// The configuration, if there is one.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// Where settings come from, in words.
    pub fn sources(&self) -> String {
        let config = match &self.config {
            Some(config) => format!("{} ({})", config.path.display(), config.found.words()),
            None => "none".to_owned(),
        };
        let named = |variable: &str, value: &Option<OsString>| {
            value.as_ref().map(|value| format!("; {variable} names {}", value.display())).unwrap_or_default()
        };
        format!("{config}{}{}", named(KEYS_VARIABLE, &self.keys), named(LEDGER_VARIABLE, &self.ledger))
    }

    /// Gives the defaults to the options of every command.
    pub fn apply(&mut self, command: Command) -> Command {
        let applied = defaults::apply(command, &self.defaults());
        self.misfits = applied.misfits;
        self.unknown = applied.unknown;
        self.taken = applied.taken;
        applied.command
    }

    /// The command that is run, and what the configuration and the environment give to it: its error messages name both.
    pub fn entries(&self, matches: &ArgMatches) -> (String, Vec<Entry>) {
        let (path, own) = deepest(matches);
        let used = |it: &&Taken| {
            (it.command == path || it.command.is_empty())
                && own.ids().any(|id| *id == it.id)
                && own.value_source(it.id.as_str()) == Some(ValueSource::DefaultValue)
        };
        let config = self.config.as_ref().map(|config| config.path.as_path()).unwrap_or(Path::new(""));
        let entry = |it: &Taken| Entry::new(&it.default.long, &it.default.values, &it.default.origin, config);
        let entries = self.taken.iter().filter(used).map(entry).collect();
        (path.clone(), entries)
    }

    /// The entry for messages about a configuration that cannot be used: `PERSO_CONFIG`, if it names one.
    pub fn entry_of_environment(arguments: &[OsString]) -> Vec<Entry> {
        let named = find::variable(CONFIG_VARIABLE).filter(|_| !find::is_named(arguments));
        named.iter().map(|path| Entry::of_variable(CONFIG_VARIABLE, Path::new(path))).collect()
    }

    fn defaults(&self) -> Vec<Default> {
        let mut defaults = self.config.as_ref().map(Config::defaults).unwrap_or_default();
        let variables = [("keys", &self.keys, KEYS_VARIABLE), ("ledger", &self.ledger, LEDGER_VARIABLE)];
        for (long, value, variable) in variables {
            defaults.extend(value.as_ref().map(|value| Default {
                command: None,
                long: long.to_owned(),
                values: vec![value.clone()],
                origin: Origin::Environment(variable),
                must_fit: false,
                only_with_keys: None,
            }));
        }
        defaults
    }

    /// Whether a command may begin: every entry is for some option, the command's own options have values that can be, and
    /// tokens that the configuration names may be opened.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn allow(&self, matches: &ArgMatches) -> Result<(), CliError> {
        if let Some((origin, why)) = self.unknown.first() {
            return Err(self.wrong(origin, why));
        }
        let (path, matches_of) = deepest(matches);
        let explicit = |id: &clap::Id| {
            matches_of.ids().any(|own| own == id)
                && matches_of.value_source(id.as_str()).is_some_and(|source| source != ValueSource::DefaultValue)
        };
        let used = |it: &&Misfit| (it.command == path || it.command.is_empty()) && !explicit(&it.id);
        if let Some(misfit) = self.misfits.iter().find(used) {
            return Err(self.wrong(&misfit.origin, &misfit.why));
        }
        match &self.config {
            Some(config) => config.trusted_for(matches, self.keys.as_ref()),
            None => Ok(()),
        }
    }

    /// Everything that is wrong with entries of the configuration and the environment: what `allow` refuses, for every
    /// command.
    fn wrong_entries(&self) -> Vec<CliError> {
        let all = self.unknown.iter().map(|(origin, why)| (origin, why));
        let mut once: Vec<(&Origin, &String)> = Vec::new();
        for (origin, why) in all.chain(self.misfits.iter().map(|it| (&it.origin, &it.why))) {
            // Several commands may have the option.
            if once.iter().all(|(earlier, _)| *earlier != origin) {
                once.push((origin, why));
            }
        }
        once.into_iter().map(|(origin, why)| self.wrong(origin, why)).collect()
    }

    fn wrong(&self, origin: &Origin, why: &str) -> CliError {
        let why = why.to_owned();
        match origin {
            Origin::Environment(variable) => ConfigError::Environment { variable, why }.into(),
            Origin::File { key, line } => {
                let path = self.config.as_ref().map(|config| config.path.clone()).unwrap_or_default();
                ConfigError::Value { path, line: *line, key: key.clone(), why }.into()
            }
        }
    }
}

/// The command in hand: its path, and its own matches.
fn deepest(matches: &ArgMatches) -> (String, &ArgMatches) {
    let (mut path, mut at) = (Vec::new(), matches);
    while let Some((name, below)) = at.subcommand() {
        path.push(name);
        at = below;
    }
    (path.join(" "), at)
}

/// `perso config …`
///
/// # Errors
/// There is no configuration.
pub fn run(command: ConfigCommand, settings: &Settings, out: &mut Out) -> Result<u8, CliError> {
    match command {
        ConfigCommand::Check => check::run(settings, out),
        ConfigCommand::Show => Ok(show::run(settings, out)),
    }
}

/// A configuration with its place.
pub struct Config {
    path: PathBuf,
    file: ConfigFile,
    found: Found,
    text: String,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// It cannot be read, or is wrong.
    fn read(path: &Path, found: Found) -> Result<Self, CliError> {
        let text = read_text_kind(path, &[FileKind::Config])?;
        let wrong = |line, key: String, why: String| ConfigError::Value { path: path.to_owned(), line, key, why };
        let file: ConfigFile = toml::from_str(&text).map_err(|error| {
            let at = error.span().map(|span| span.start);
            let key = at.and_then(|at| place::key_at(&text, at)).unwrap_or_default();
            let why = words::plain(&error.message().trim().replace('\n', "; "));
            wrong(at.map(|at| place::line_at(&text, at)), key, why)
        })?;
        if file.perso_config != 1 {
            let line = place::line_of(&text, &["perso_config"]);
            return Err(wrong(line, "perso_config".to_owned(), "only version 1 is known".to_owned()).into());
        }
        Ok(Self { path: path.to_owned(), file, found, text })
    }

    /// Whether the tokens that a command takes from this configuration may be opened.
    ///
    /// # Errors
    /// [`ConfigError::Module`].
    fn trusted_for(&self, matches: &ArgMatches, own: Option<&OsString>) -> Result<(), CliError> {
        for id in matches.ids() {
            let defaulted = matches.value_source(id.as_str()) == Some(ValueSource::DefaultValue);
            let values = matches.try_get_raw(id.as_str()).ok().flatten().filter(|_| defaulted);
            // What the environment names is the user's own word.
            let mut named = values.into_iter().flatten().filter(|value| own.is_none_or(|own| own != value));
            named.try_for_each(|value| self.trusts(Path::new(value)))?;
        }
        matches.subcommand().map_or(Ok(()), |(_, matches)| self.trusted_for(matches, own))
    }

    /// Whether a token that this configuration names may be opened: nobody but the user and root can change the file, the
    /// module, or a folder above them.
    ///
    /// # Errors
    /// [`ConfigError::Module`].
    fn trusts(&self, keys: &Path) -> Result<(), CliError> {
        // What is no URI of a token is refused where it is read.
        let Ok(Some(token)) = token_uri::read(keys) else { return Ok(()) };
        let module = token.module.as_path();
        if module.parent().is_none_or(|folder| folder.as_os_str().is_empty()) {
            // Another file than the one in this folder would be loaded.
            let why = "it is named without a folder, so that it is searched for in the system's library folders";
            let (path, place) = (self.path.clone(), module.to_owned());
            return Err(ConfigError::Module { path, module: module.to_owned(), place, why }.into());
        }
        match changeable_by_others(&[&self.path, module]) {
            None => Ok(()),
            Some((place, why)) => {
                Err(ConfigError::Module { path: self.path.clone(), module: module.to_owned(), place, why }.into())
            }
        }
    }

    /// A path of the file, seen from where the program runs.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// How a key file or a token is opened as the configuration has it.
    pub(super) fn passphrase(&self, file: Option<PathBuf>) -> PassphraseArgs {
        let tokens = &self.file.tokens;
        let mac =
            |(label, token): (&String, &TokenConfig)| token.retail_mac.map(|number| format!("{label}={number:#X}"));
        let allowed = tokens.iter().filter(|(_, token)| token.allow_left_half).map(|(label, _)| label.clone());
        PassphraseArgs {
            passphrase_file: file,
            token_retail_mac: tokens.iter().filter_map(mac).collect(),
            allow_left_half: allowed.collect(),
            ..PassphraseArgs::default()
        }
    }

    /// The key file or token that it names, seen from where the program runs.
    fn keys(&self) -> Option<PathBuf> {
        let named = self.file.keys.as_ref()?.file.as_ref()?;
        Some(if token_uri::is_token(named) { named.clone() } else { self.place(named) })
    }

    /// A key of two names, and its line.
    fn origin(&self, key: &[&str]) -> Origin {
        let shown = key.iter().map(|name| place::shown(name)).collect::<Vec<_>>().join(".");
        Origin::File { key: shown, line: place::line_of(&self.text, key) }
    }

    fn defaults(&self) -> Vec<Default> {
        let ConfigFile { site, keys, profiles, journal, ledger, readers, run, options, .. } = &self.file;
        let own_keys = self.keys();
        let entry = |long: &str, key: &[&str], values: Vec<OsString>| Default {
            command: None,
            long: long.to_owned(),
            values,
            origin: self.origin(key),
            must_fit: false,
            only_with_keys: None,
        };
        let mut out = Vec::new();
        let mut path = |long: &str, key: &[&str], path: Option<&PathBuf>| {
            out.extend(path.map(|path| entry(long, key, vec![self.place(path).into_os_string()])));
        };
        path("site", &["site", "file"], site.as_ref().map(|site| &site.file));
        path("profiles", &["profiles", "folder"], profiles.as_ref().map(|profiles| &profiles.folder));
        path("ledger", &["ledger", "file"], ledger.as_ref().map(|ledger| &ledger.file));
        path("station-journal", &["journal", "file"], journal.as_ref().map(|journal| &journal.file));
        out.extend(own_keys.iter().map(|keys| entry("keys", &["keys", "file"], vec![keys.clone().into()])));
        // A passphrase goes with its own key file: for another it is wrong, and a token counts a wrong PIN.
        out.extend(keys.iter().flat_map(|keys| &keys.passphrase_file).map(|file| Default {
            only_with_keys: own_keys.as_ref().map(|keys| keys.clone().into_os_string()),
            ..entry("passphrase-file", &["keys", "passphrase_file"], vec![self.place(file).into_os_string()])
        }));
        let PassphraseArgs { token_retail_mac, allow_left_half, .. } = self.passphrase(None);
        for (long, values) in [("token-retail-mac", token_retail_mac), ("allow-left-half", allow_left_half)] {
            if !values.is_empty() {
                out.push(entry(long, &["tokens"], values.into_iter().map(OsString::from).collect()));
            }
        }
        for (name, file) in run.iter().flat_map(|run| [("result", &run.result), ("trace", &run.trace)]) {
            out.extend(file.iter().map(|file| Default {
                command: Some("run".to_owned()),
                ..entry(name, &["run", name], vec![self.place(file).into_os_string()])
            }));
        }
        let doctor = journal.as_ref().map(|journal| Default {
            command: Some("doctor".to_owned()),
            ..entry("journal", &["journal", "file"], vec![self.place(&journal.file).into_os_string()])
        });
        out.extend(doctor);
        let reader = readers.as_ref().and_then(|readers| readers.default.as_ref());
        out.extend(reader.map(|reader| entry("reader", &["readers", "default"], vec![reader.into()])));
        for (name, value) in options {
            match value {
                OptionValue::Command(options) => out.extend(options.iter().map(|(long, value)| Default {
                    command: Some(name.clone()),
                    must_fit: true,
                    ..entry(long, &["options", name, long], value.values())
                })),
                value => out.push(Default { must_fit: true, ..entry(name, &["options", name], value.values()) }),
            }
        }
        out
    }
}
