//! What can go wrong at the program's edge, and what to do next.

use std::path::{Path, PathBuf};

use super::ca_error::CaError;
use super::error_words::{REPLACEABLE, advice_on, count, file_remedy, is, profiles, typed};
use super::paths::{MAX_FILE, is_standard_input, shown};
use super::preparation_error::PreparationError;
use super::problem::Problem;
use crate::base::chance::ChanceError;
use crate::base::{Code, Fault};
use crate::card::CardError;
use crate::card::channel::ChannelError;
use crate::card::trace::TraceError;
use crate::card::transport::LinkError;
use crate::issuance::blank::BlankError;
use crate::issuance::file_kind::FileKind;
use crate::issuance::journal::JournalError;
use crate::issuance::proof::VerifyError;
use crate::keys::file::KeyFileError;
use crate::ledger::StoreError;
use crate::ledger::worker::WorkerError;
use crate::order::{D1Answer, SiteError};

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
    /// A file is of another kind than the command takes.
    #[error("{} {}; {wanted} is expected here", shown(path), is(found))]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: FileKind,
        /// What is wanted, with its article.
        wanted: String,
    },
    /// A folder where a file is wanted.
    #[error("{0} is a folder; a file is expected here")]
    Folder(PathBuf),
    /// No key file where one is needed.
    #[error("{0} needs a key file, and none is named")]
    NoKeys(&'static str),
    /// A file is not text.
    #[error("{} is not UTF-8 text", shown(.0))]
    NotText(PathBuf),
    /// A byte order mark within a text.
    #[error("{path}: line {line} has a UTF-8 byte order mark inside the text")]
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
    /// Another process changes the token.
    #[error("token {0} is being changed by another process")]
    TokenInUse(String),
    /// The lock of a token, or next to a file that is changed.
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
    #[error("the passphrase cannot be read: {0}")]
    Passphrase(std::io::Error),
    /// A file with the passphrase of live keys, or the PIN of their token, that others can read.
    #[error("{0} holds a secret of live keys, and others than you can read it")]
    OpenSecret(PathBuf),
    /// No profile of this name, or more than one.
    #[error("folder {folder} has {} named {name:?}; it has {held}", profiles(*found))]
    ProfileName {
        /// The folder.
        folder: PathBuf,
        /// The name.
        name: String,
        /// How many.
        found: usize,
        /// The names of all that it holds, and the one that was probably meant.
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
    /// The same, with what to do about it.
    #[error("{option}: {why}")]
    Advised {
        /// The option.
        option: &'static str,
        /// What is wrong with its value.
        why: String,
        /// What to do, with a full stop.
        next: String,
    },
    /// An order, and no site that it is for.
    #[error("{0} is an order, and no site is named that it is for")]
    NoSite(String),
    /// A simulated card that is not there.
    #[error("there is no simulated card {0}")]
    NoCardFile(PathBuf),
    /// Another process uses the simulated card.
    #[error("simulated card {0} is in use by another process")]
    CardInUse(PathBuf),
    /// Standard input is at its end after it was read once.
    #[error("- is given twice, and standard input can be read only once")]
    InputTwice,
    /// Neither a code, a rule nor a status word.
    #[error("{text:?} is neither an error code, a rule (R1) nor a status word (6A88){near}")]
    Unexplained {
        /// What was asked for.
        text: String,
        /// What is near to it, in words.
        near: String,
    },
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// Jobs of dead workers.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// No ledger where one is needed.
    #[error("no ledger is named")]
    NoLedger,
    /// Digits that name no order, or several.
    #[error("{text:?} {why}")]
    LedgerName {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] super::config::error::ConfigError),
    /// CA keys, or a test CA.
    #[error(transparent)]
    Ca(#[from] super::ca_error::CaError),
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
    Preparation(#[from] super::preparation_error::PreparationError),
    /// What a port of a job met, with its code.
    #[error("{1}")]
    Port(Code, Box<dyn std::error::Error + Send + Sync>),
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

impl CliError {
    /// The file or folder that it is about.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            CliError::Read { path, .. }
            | CliError::Write { path, .. }
            | CliError::Kind { path, .. }
            | CliError::ByteOrderMark { path, .. }
            | CliError::Keys { path, .. }
            | CliError::Lock { path, .. }
            | CliError::Site { path, .. }
            | CliError::Trace { path, .. }
            | CliError::TooLarge(path)
            | CliError::Folder(path)
            | CliError::NotText(path)
            | CliError::KeysInUse(path)
            | CliError::OpenSecret(path)
            | CliError::NoCardFile(path)
            | CliError::CardInUse(path)
            | CliError::ProfileName { folder: path, .. }
            | CliError::Journal(JournalError::File { path, .. })
            | CliError::Journal(JournalError::Line { path, .. } | JournalError::Order { path, .. })
            | CliError::Journal(JournalError::InUse(path))
            | CliError::Preparation(PreparationError::Issuer { path, .. } | PreparationError::Pool { path, .. })
            | CliError::Ca(CaError::Keys { path, .. }) => Some(path),
            CliError::Ledger(error) => error.path(),
            _ => None,
        }
    }

    /// Whether the only way out is another value of the option, wherever it comes from.
    pub(super) fn is_of_entry(&self) -> bool {
        match self {
            CliError::Option { .. } | CliError::NoCardFile(_) | CliError::Kind { .. } | CliError::Folder(_) => true,
            CliError::Read { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            CliError::Write { source, .. } => {
                source.kind() == std::io::ErrorKind::AlreadyExists && source.to_string() != REPLACEABLE
            }
            _ => false,
        }
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
            | CliError::Advised { .. }
            | CliError::NoSite(_)
            | CliError::InputTwice
            | CliError::Unexplained { .. } => Code::OperatorInput,
            CliError::Kind { .. } | CliError::Folder(_) => Code::FileKind,
            CliError::NoCardFile(_) => Code::ReaderSim,
            CliError::CardInUse(_) => Code::ReaderBusy,
            CliError::Lock { .. } | CliError::NoKeys(_) => Code::OperatorInput,
            CliError::KeysInUse(_) | CliError::TokenInUse(_) => Code::KeyFileBusy,
            CliError::OpenSecret(_) => Code::KeyWeak,
            CliError::Keys { source, .. } => source.code(),
            CliError::ProfileName { .. } => Code::RecordProfile,
            CliError::Refused { problems, .. } | CliError::Order { problems, .. } => {
                problems.first().and_then(|problem| problem.kind).unwrap_or(Code::RecordSyntax)
            }
            CliError::Link(error) => error.code(),
            CliError::Journal(error) => error.code(),
            CliError::Ledger(error) => error.code(),
            CliError::Worker(error) => error.code(),
            CliError::NoLedger | CliError::LedgerName { .. } => Code::OperatorInput,
            CliError::Key(error) => error.code(),
            CliError::Config(error) => error.code(),
            CliError::Ca(error) => error.code(),
            CliError::Card(error) => error.code(),
            CliError::Channel(error) => error.code(),
            CliError::Verify(error) => error.code(),
            CliError::Chance(_) => Code::ProgramFault,
            CliError::Blank(error) => error.code(),
            CliError::Port(code, _) => *code,
            CliError::Preparation(error) => error.code(),
            CliError::Login(error) => error.code(),
            CliError::Trace { source, .. } => source.code(),
        }
    }

    fn remedy(&self) -> Option<String> {
        Some(match self {
            CliError::Read { path, source } => file_remedy(path, source, false),
            CliError::Write { path, source } => file_remedy(path, source, true),
            CliError::Lock { lock, .. } => {
                format!("Get the right to write to the folder of {}, or move the file elsewhere.", lock.display())
            }
            CliError::TooLarge(_) => "Name the right file; none that perso reads is so large.".to_owned(),
            CliError::NotText(_) => "Save the file as UTF-8, or name the right one.".to_owned(),
            CliError::ByteOrderMark { .. } => "Save the file as UTF-8 without a byte order mark.".to_owned(),
            CliError::Advised { next, .. } => next.clone(),
            CliError::NoSite(_) => {
                "Give --site FILE, or set site.file in perso.toml; docs/orders.md describes the file.".to_owned()
            }
            CliError::NoCardFile(path) => format!(
                "Name a card's file, or make one: `perso sim new PROFILE --record RECORD --keys KEYS -o {}`.",
                typed(path)
            ),
            CliError::CardInUse(_) => "Wait until it has ended, or name the file of another card.".to_owned(),
            CliError::InputTwice => "Give - once, and the name of a file for the rest.".to_owned(),
            CliError::Kind { path, found: FileKind::Empty, .. } if is_standard_input(path) => {
                "Redirect a file to the command (`< FILE`), or name the file in the place of -.".to_owned()
            }
            CliError::Kind { path, found, .. } => super::file_advice::advice(found).replace("FILE", &typed(path)),
            CliError::Folder(_) => "Name a file in it.".to_owned(),
            CliError::NoKeys(_) => {
                "Name one with --keys FILE, with PERSO_KEYS, or as keys.file in perso.toml.".to_owned()
            }
            CliError::Site { path, .. } => {
                format!("Correct {}; docs/orders.md describes the site.", path.display())
            }
            CliError::Passphrase(_) => {
                "Give --passphrase-file FILE or --passphrase-fd N, or start the command at a terminal.".to_owned()
            }
            CliError::OpenSecret(path) => {
                format!("Run `chmod 600 {}`; the file must belong to you or root.", typed(path))
            }
            CliError::ProfileName { found: 0, .. } => {
                "Name one of these profiles, or another folder with --profiles.".to_owned()
            }
            CliError::ProfileName { .. } => "Leave one profile of that name in the folder.".to_owned(),
            CliError::Option { option, .. } => advice_on(option, "the command's"),
            CliError::Unexplained { .. } => "Run `perso explain` for a list of all codes.".to_owned(),
            CliError::NoLedger => {
                "Name one with --ledger FILE, with PERSO_LEDGER, or as ledger.file in perso.toml; `perso ledger init FILE` makes a test ledger.".to_owned()
            }
            CliError::LedgerName { .. } => "Run `perso ledger list`, and type the order's first 12 digits.".to_owned(),
            CliError::Ledger(error) => return error.remedy(),
            CliError::Worker(error) => return error.remedy(),
            CliError::Config(error) => return error.remedy(),
            CliError::Link(error) => return error.remedy(),
            CliError::Keys { source, .. } => return source.remedy(),
            CliError::Key(error) => return error.remedy(),
            CliError::Preparation(error) => return error.remedy(),
            _ => return None,
        })
    }
}
