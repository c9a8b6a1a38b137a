//! A station's configuration, `perso.toml`: defaults for what commands take. docs/config.md describes it.
//!
//! It decides nothing by itself: each entry becomes the default of an option, so that `--help` shows it and the command
//! line has the last word.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{ArgPredicate, Resettable};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::args::PassphraseArgs;
use super::common::{self, CliError};
use super::token_uri;
use super::trust::changeable_by_others;
use crate::base::{Code, Fault};

/// Where it is looked for.
const NAME: &str = "perso.toml";

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not of this form.
    #[error("configuration {path}: {why}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says; a configuration holds no secret.
        why: String,
    },
    /// A PKCS#11 module that others could have put there.
    #[error(
        "configuration {path}: the PKCS#11 module {module} is not loaded: {place}: {why}; correct its owner and mode, or \
         name the token on the command line"
    )]
    Module {
        /// The file.
        path: PathBuf,
        /// The module.
        module: PathBuf,
        /// What others can change.
        place: PathBuf,
        /// How.
        why: &'static str,
    },
    /// An option that no command has.
    #[error("configuration {path}: options: {option}: {why}")]
    Option {
        /// The file.
        path: PathBuf,
        /// As it stands there.
        option: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl Fault for ConfigError {
    fn code(&self) -> Code {
        Code::Config
    }
}

/// A station's configuration. Paths are relative to the file's own folder.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Version of this format: 1.
    perso_config: u32,
    /// The site: which stations and centers orders may name, and from whom encrypted orders are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<SiteConfig>,
    /// Where keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<KeysConfig>,
    /// What is settled for tokens, by their labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tokens: BTreeMap<String, TokenConfig>,
    /// Card profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profiles: Option<ProfilesConfig>,
    /// The journal of cards that real readers make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) journal: Option<JournalConfig>,
    /// Readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) readers: Option<ReadersConfig>,
    /// Files that `perso run` writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunConfig>,
    /// Defaults of any other option, by its long name without dashes; below the name of a command
    /// (`[options."keys export"]`) for that command only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, OptionValue>,
}

/// The site.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// The file that describes it; `--site`.
    pub(super) file: PathBuf,
}

/// Where keys are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The key file, or a token as `pkcs11:token=LABEL?module-path=FILE`; `--keys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    /// A file with its passphrase, or the token's PIN, which nobody else may read; `--passphrase-file`. Without it the
    /// passphrase is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) passphrase_file: Option<PathBuf>,
}

/// A token, by its label.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The number of the mechanism by which the token makes retail MACs (ISO 9797-1 algorithm 3); `--token-retail-mac`.
    /// PKCS#11 standardizes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retail_mac: Option<u64>,
    /// Whether live keys that make such MACs may have a companion of their left half, which makes them as weak as single
    /// DES for whoever has the PIN; `--allow-left-half`.
    #[serde(default)]
    allow_left_half: bool,
}

/// Card profiles.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilesConfig {
    /// Their folder; `--profiles`.
    pub(super) folder: PathBuf,
}

/// The journal.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// Its file, for cards in real readers where `--journal` names no other.
    pub(super) file: PathBuf,
}

/// Readers.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadersConfig {
    /// The reader that is taken where none is named; `--reader`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
}

/// Files that `perso run` writes. `{id}`, `{attempt}`, `{date}` and `{time}` in their names stand for the record's id, the
/// number of the attempt, and when it began.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The result; `--result`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<PathBuf>,
    /// The trace; `--trace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<PathBuf>,
}

/// The default of an option.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OptionValue {
    /// Yes or no: an option without a value.
    Flag(bool),
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// Of an option that may be given several times.
    List(Vec<String>),
    /// Of one command.
    Command(BTreeMap<String, OptionValue>),
}

/// A configuration with its place.
pub struct Config {
    pub(super) path: PathBuf,
    pub(super) file: ConfigFile,
}

impl Config {
    /// The configuration that the arguments name with `--config`, or the one of the working folder; none is fine.
    ///
    /// # Errors
    /// It cannot be read, or is wrong.
    pub fn find(arguments: &[OsString]) -> Result<Option<Self>, CliError> {
        match named(arguments) {
            Some(path) => Self::read(&path).map(Some),
            None if Path::new(NAME).is_file() => Self::read(Path::new(NAME)).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// It cannot be read, or is wrong.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let text = common::read_text(path)?;
        let syntax = |why: String| ConfigError::Syntax { path: path.to_owned(), why };
        let file: ConfigFile = toml::from_str(&text).map_err(|error| syntax(error.to_string().trim().to_owned()))?;
        if file.perso_config != 1 {
            return Err(syntax("perso_config: only version 1 is known".to_owned()).into());
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Gives its defaults to the options of every command.
    ///
    /// # Errors
    /// It names an option that no command has, or one in a way that the option has not.
    pub fn apply(&self, command: Command) -> Result<Command, CliError> {
        let defaults = self.defaults();
        let mut known = vec![false; defaults.len()];
        let command = with_defaults(command, "", &defaults, &mut known);
        match defaults.iter().zip(known).find(|(given, known)| given.by_name && !known) {
            None => Ok(command),
            Some((default, _)) => Err(ConfigError::Option {
                path: self.path.clone(),
                option: default.shown(),
                why: "no command has such an option, or it is given otherwise",
            }
            .into()),
        }
    }

    /// Whether the tokens that a command takes from this configuration may be opened.
    ///
    /// # Errors
    /// [`ConfigError::Module`].
    pub fn trusted_for(&self, matches: &ArgMatches) -> Result<(), CliError> {
        for id in matches.ids() {
            let defaulted = matches.value_source(id.as_str()) == Some(ValueSource::DefaultValue);
            let values = matches.try_get_raw(id.as_str()).ok().flatten().filter(|_| defaulted);
            values.into_iter().flatten().try_for_each(|value| self.trusts(Path::new(value)))?;
        }
        matches.subcommand().map_or(Ok(()), |(_, matches)| self.trusted_for(matches))
    }

    /// Whether a token that this configuration names may be opened: nobody but the user and root can change the file, the
    /// module, or a folder above them.
    ///
    /// # Errors
    /// [`ConfigError::Module`].
    pub fn trusts(&self, keys: &Path) -> Result<(), CliError> {
        // What is no URI of a token is refused where it is read.
        let Ok(Some(token)) = token_uri::read(keys) else { return Ok(()) };
        let module = token.module.as_path();
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

    fn defaults(&self) -> Vec<Given> {
        let ConfigFile { site, keys, profiles, journal, readers, run, options, .. } = &self.file;
        let mut out = Vec::new();
        let mut path = |long: &str, path: Option<&PathBuf>| {
            out.extend(path.map(|path| Given::new(None, long, vec![self.place(path).into_os_string()])));
        };
        path("site", site.as_ref().map(|site| &site.file));
        let (token, file): (Vec<_>, Vec<_>) =
            keys.iter().flat_map(|keys| &keys.file).partition(|path| token_uri::is_token(path));
        path("keys", file.first().copied());
        path("passphrase-file", keys.as_ref().and_then(|keys| keys.passphrase_file.as_ref()));
        path("profiles", profiles.as_ref().map(|profiles| &profiles.folder));
        path("station-journal", journal.as_ref().map(|journal| &journal.file));
        let run_files = run.iter().flat_map(|run| [("result", &run.result), ("trace", &run.trace)]);
        for (long, file) in run_files {
            let values = file.iter().map(|file| self.place(file).into_os_string()).collect::<Vec<_>>();
            if !values.is_empty() {
                out.push(Given::new(Some(&"run".to_owned()), long, values));
            }
        }
        out.extend(token.first().map(|uri| Given::new(None, "keys", vec![uri.as_os_str().to_owned()])));
        let PassphraseArgs { token_retail_mac, allow_left_half, .. } = self.passphrase(None);
        for (long, values) in [("token-retail-mac", token_retail_mac), ("allow-left-half", allow_left_half)] {
            if !values.is_empty() {
                out.push(Given::new(None, long, values.into_iter().map(OsString::from).collect()));
            }
        }
        let reader = readers.as_ref().and_then(|readers| readers.default.as_ref());
        out.extend(reader.map(|reader| Given::new(None, "reader", vec![reader.into()])));
        for (name, value) in options {
            match value {
                OptionValue::Command(options) => {
                    let given = |(long, value): (&String, &OptionValue)| Given::new(Some(name), long, value.values());
                    out.extend(options.iter().map(given).map(Given::by_name));
                }
                value => out.push(Given::new(None, name, value.values()).by_name()),
            }
        }
        out
    }
}

impl OptionValue {
    fn values(&self) -> Vec<OsString> {
        match self {
            OptionValue::Flag(flag) => vec![flag.to_string().into()],
            OptionValue::Number(number) => vec![number.to_string().into()],
            OptionValue::Text(text) => vec![text.into()],
            OptionValue::List(list) => list.iter().map(OsString::from).collect(),
            // A command within a command: there is no such option.
            OptionValue::Command(_) => Vec::new(),
        }
    }
}

/// The default of an option, of one command or of all.
struct Given {
    command: Option<String>,
    long: String,
    values: Vec<OsString>,
    /// It stands among the options: some command must have it.
    by_name: bool,
}

impl Given {
    fn new(command: Option<&String>, long: &str, values: Vec<OsString>) -> Self {
        Self { command: command.cloned(), long: long.to_owned(), values, by_name: false }
    }

    fn by_name(self) -> Self {
        Self { by_name: true, ..self }
    }

    fn shown(&self) -> String {
        match &self.command {
            Some(command) => format!("{command}: {}", self.long),
            None => self.long.clone(),
        }
    }

    /// Whether it is for this option of this command, and can be.
    fn fits(&self, path: &str, arg: &Arg) -> bool {
        let here = self.command.as_ref().is_none_or(|command| command == path);
        let several = matches!(arg.get_action(), ArgAction::Append);
        let flag = matches!(arg.get_action(), ArgAction::SetTrue);
        let taken = match self.values.as_slice() {
            [one] if flag => one == "true" || one == "false",
            [_] => matches!(arg.get_action(), ArgAction::Set) || several,
            values => several && !values.is_empty(),
        };
        here && taken && is_name_of(arg, &self.long)
    }
}

/// Its long name, or an old one that is still accepted.
fn is_name_of(arg: &Arg, long: &str) -> bool {
    arg.get_long() == Some(long) || arg.get_all_aliases().unwrap_or_default().contains(&long)
}

fn with_defaults(mut command: Command, path: &str, defaults: &[Given], known: &mut [bool]) -> Command {
    let mut changes = Vec::new();
    for arg in command.get_arguments() {
        let fitting = || defaults.iter().enumerate().filter(|(_, default)| default.fits(path, arg));
        fitting().for_each(|(at, _)| known.iter_mut().skip(at).take(1).for_each(|it| *it = true));
        // One command's own default before that of all.
        let Some((_, default)) = fitting().max_by_key(|(_, default)| default.command.is_some()) else { continue };
        changes.push((arg.get_id().clone(), excluded(&command, arg), default.values.clone()));
    }
    for (id, excluded, values) in changes {
        command = command.mut_arg(id, |arg| {
            let arg = arg.required(false).required_unless_present(Resettable::Reset);
            // What the command line rules out is not brought back by a default.
            let unset = |arg: Arg, other| arg.default_value_if(other, ArgPredicate::IsPresent, None::<&str>);
            excluded.into_iter().fold(arg, unset).default_values(values)
        });
    }
    let subcommands: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in subcommands {
        let below = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(&name, |sub| with_defaults(sub, &below, defaults, known));
    }
    command
}

/// The options that do not go together with this one.
fn excluded(command: &Command, arg: &Arg) -> Vec<clap::Id> {
    let against = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|conflict| conflict.get_id() == other.get_id())
    };
    let others = command.get_arguments().filter(|other| against(arg, other) || against(other, arg));
    others.map(|other| other.get_id().clone()).collect()
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
