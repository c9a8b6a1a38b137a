//! What several commands need: time, chance, files, keys, profiles.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::args::ProfileArgs;
pub use super::file_names::distinct;
pub use super::out::{Out, WarningSink, warn};
use super::reading::MAX_FILE;
pub use super::reading::{
    is_standard_input, output_file, read, read_as_it_is, read_text, read_whole, shown, standard_input,
};
pub use super::stores::{ask, keys};
use crate::base::chance::{ChanceError, Instant};
use crate::base::{Chance, Clock, Code, Fault};
use crate::card::CardError;
use crate::card::channel::ChannelError;
use crate::card::trace::TraceError;
use crate::card::transport::LinkError;
use crate::issuance::blank::BlankError;
use crate::issuance::journal::JournalError;
use crate::issuance::proof::VerifyError;
use crate::issuance::result::ProgramRef;
use crate::keys::file::KeyFileError;
use crate::order::{D1Answer, Site, SiteError};
use crate::profile::Profile;
use zeroize::Zeroizing;

/// Bytes of the executable that are in memory at once.
const HASHED_AT_ONCE: usize = 64 * 1024;

/// What can go wrong at the program's edge.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than anything that perso reads.
    #[error("{0} is larger than {MAX_FILE} bytes, which nothing that perso reads is")]
    TooLarge(PathBuf),
    /// A file is not text.
    #[error("{0} is not UTF-8 text")]
    NotText(PathBuf),
    /// A byte order mark within a text.
    #[error("{path}: line {line} has a UTF-8 byte order mark inside the text; remove it, or save the file without one")]
    ByteOrderMark {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The key file.
    #[error("key file {path}: {source}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyFileError,
    },
    /// Another process changes the key file.
    #[error("key file {0} is being changed by another process")]
    KeysInUse(PathBuf),
    /// The lock next to a file that is changed.
    #[error("{path} cannot be locked by {lock}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// The lock's file.
        lock: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The site's configuration.
    #[error("site {path}: {source}")]
    Site {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SiteError,
    },
    /// The passphrase could not be had.
    #[error(
        "the passphrase cannot be read: {0}; where there is no terminal, give --passphrase-file or --passphrase-fd"
    )]
    Passphrase(std::io::Error),
    /// A file with the passphrase of live keys, or the PIN of their token, that others can read.
    #[error("{0} holds a secret of live keys, and group or others can read it; run `chmod 600` on it")]
    OpenSecret(PathBuf),
    /// No profile of this name, or more than one.
    #[error("folder {folder} holds {found} profiles named {name:?} and must hold one; it has {held}")]
    ProfileName {
        /// The folder.
        folder: PathBuf,
        /// The name.
        name: String,
        /// How many.
        found: usize,
        /// The names of all that it holds.
        held: String,
    },
    /// Input that was refused, every problem with its path.
    #[error("{what} is refused: {}", count(problems))]
    Refused {
        /// What was refused.
        what: String,
        /// The problems.
        problems: Vec<Problem>,
    },
    /// An order that was refused.
    #[error("{what} is refused: {}", count(problems))]
    Order {
        /// What was refused.
        what: String,
        /// The problems.
        problems: Vec<Problem>,
        /// What the one who sent a D1 order is answered.
        answer: Option<D1Answer>,
    },
    /// An option has no such value.
    #[error("{option}: {why}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong with its value.
        why: String,
    },
    /// Neither a code nor a status word.
    #[error(
        "{0:?} is neither an error code nor a status word of four hexadecimal digits; `perso explain` lists the codes"
    )]
    Unexplained(String),
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] super::config::ConfigError),
    /// CA keys, or a test CA.
    #[error(transparent)]
    Ca(#[from] super::ca::CaError),
    /// The card, or the link to it.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A secure channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A verification that did not come to its end.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The random source failed.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// A simulated blank.
    #[error(transparent)]
    Blank(#[from] BlankError),
    /// Data preparation.
    #[error(transparent)]
    Preparation(#[from] super::prepare::PreparationError),
    /// Logging in to a card.
    #[error(transparent)]
    Login(#[from] crate::issuance::login::LoginError),
    /// A trace.
    #[error("trace {path}: {source}")]
    Trace {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TraceError,
    },
}

/// One problem of an input, as it is shown.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// Where.
    pub path: String,
    /// Catalogue code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) kind: Option<Code>,
}

impl Problem {
    /// A problem at a path.
    pub fn new(path: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self { path: path.into(), code: code.name().into(), message: message.into(), kind: Some(code) }
    }
}

impl Fault for CliError {
    fn code(&self) -> Code {
        match self {
            CliError::Read { .. }
            | CliError::TooLarge(_)
            | CliError::NotText(_)
            | CliError::ByteOrderMark { .. }
            | CliError::Write { .. }
            | CliError::Passphrase(_)
            | CliError::Site { .. }
            | CliError::Option { .. }
            | CliError::Unexplained(_) => Code::OperatorInput,
            CliError::Lock { .. } => Code::OperatorInput,
            CliError::KeysInUse(_) => Code::KeyFileBusy,
            CliError::OpenSecret(_) => Code::KeyWeak,
            CliError::Keys { source, .. } => source.code(),
            CliError::ProfileName { .. } => Code::RecordProfile,
            CliError::Refused { problems, .. } | CliError::Order { problems, .. } => {
                problems.first().and_then(|problem| problem.kind).unwrap_or(Code::RecordSyntax)
            }
            CliError::Link(error) => error.code(),
            CliError::Journal(error) => error.code(),
            CliError::Key(error) => error.code(),
            CliError::Config(error) => error.code(),
            CliError::Ca(error) => error.code(),
            CliError::Card(error) => error.code(),
            CliError::Channel(error) => error.code(),
            CliError::Verify(error) => error.code(),
            CliError::Chance(_) => Code::ProgramFault,
            CliError::Blank(error) => error.code(),
            CliError::Preparation(error) => error.code(),
            CliError::Login(error) => error.code(),
            CliError::Trace { source, .. } => source.code(),
        }
    }
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "one problem".into(),
        n => format!("{n} problems"),
    }
}

/// The system's clock.
pub fn clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Instant(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    })
}

/// The system's randomness.
pub fn chance() -> Chance {
    Chance::new(|buffer| getrandom::fill(buffer).map_err(|error| ChanceError(error.to_string())))
}

/// This program, with the hash of its executable.
pub fn program() -> ProgramRef {
    ProgramRef { sha256: executable_hash().ok().map(hex::encode), ..ProgramRef::unhashed() }
}

/// The same, while the caller does other things: it takes some milliseconds.
pub fn program_meanwhile() -> impl FnOnce() -> ProgramRef {
    let hashing = std::thread::spawn(program);
    move || hashing.join().unwrap_or_else(|_| ProgramRef::unhashed())
}

fn executable_hash() -> std::io::Result<[u8; 32]> {
    let mut file = std::fs::File::open(std::env::current_exe()?)?;
    crate::base::crypto::sha256_in_parts(&mut vec![0; HASHED_AT_ONCE], |part| file.read(part))
}

/// An option's bytes, in hexadecimal.
///
/// # Errors
/// It is not hexadecimal. The value is not quoted: it may be longer than a line, and is in the shell's history.
pub fn bytes(option: &'static str, text: &str) -> Result<Vec<u8>, CliError> {
    hex::decode(compact(text).as_bytes())
        .map_err(|_| CliError::Option { option, why: "it is not bytes in hexadecimal".into() })
}

/// Hexadecimal as people paste it: without blanks, colons, hyphens, commas, prefixes 0x and byte order marks.
/// It may be a secret, so that its copy is wiped and never moves.
pub fn compact(text: &str) -> Zeroizing<String> {
    let separates = |c: char| c.is_whitespace() || matches!(c, ':' | '-' | ',' | '\u{feff}');
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    for part in text.split(separates) {
        digits.push_str(part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")).unwrap_or(part));
    }
    digits
}

/// An option's one byte, in hexadecimal.
///
/// # Errors
/// It is not two hexadecimal digits.
pub fn byte(option: &'static str, text: &str) -> Result<u8, CliError> {
    let byte = (text.len() == 2).then(|| u8::from_str_radix(text, 16).ok()).flatten();
    byte.ok_or_else(|| CliError::Option { option, why: format!("{text:?} is not two hexadecimal digits") })
}

/// An option's AID.
///
/// # Errors
/// It is not 5 to 16 bytes in hexadecimal.
pub fn aid(option: &'static str, text: &str) -> Result<Vec<u8>, CliError> {
    let aid = hex::decode(compact(text).as_bytes()).ok().filter(|aid| (5..=16).contains(&aid.len()));
    aid.ok_or_else(|| CliError::Option { option, why: format!("{text:?} is not 5 to 16 bytes in hexadecimal") })
}

/// A site from its file.
///
/// # Errors
/// It cannot be read, or does not make sense.
pub fn site(path: &Path) -> Result<Site, CliError> {
    Site::parse(&read_text(path)?).map_err(|source| CliError::Site { path: path.to_owned(), source })
}

/// Reads one profile file.
///
/// # Errors
/// It cannot be read, or is refused with all its problems.
pub fn profile_file(path: &Path) -> Result<Profile, CliError> {
    Profile::parse(&read_text(path)?).map_err(|problems| CliError::Refused {
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
    let failed = |source| CliError::Read { path: from.profiles.clone(), source };
    let (mut found, mut held) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(&from.profiles).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // A pipe of such a name would be waited for without end.
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            // A broken profile beside the one that is wanted does not matter here; `perso check` finds it.
            let text = read_text(&path).unwrap_or_default();
            let Some(named) = crate::profile::peek_name(&text) else { continue };
            if named == name {
                found.push(path);
            }
            held.push(named);
        }
    }
    held.sort();
    match found.as_slice() {
        [only] => profile_file(only),
        _ => Err(CliError::ProfileName {
            folder: from.profiles.clone(),
            name: name.to_owned(),
            found: found.len(),
            held: if held.is_empty() { "none".into() } else { held.join(", ") },
        }),
    }
}
