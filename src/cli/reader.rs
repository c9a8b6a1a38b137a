//! The reader that a command works on.

use std::path::Path;
use std::time::Duration;

use super::args::{Interface, ReaderArgs};
use super::claimed::temporary_files;
use super::common::{self, CliError, warn};
use super::lock::{FileLock, LockError};
use crate::base::{Chance, StopRequest};
use crate::card::sim::SimTransport;
use crate::card::trace::Trace;
use crate::card::transport::{Limits, LinkError, Replay, Transport, Watched, pcsc};
use crate::issuance::file_kind::FileKind;

/// What `--reader` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A simulated blank that is made for the job.
    FreshBlank,
    /// A simulated card in a file.
    CardFile(&'a Path),
    /// A trace in the place of a card.
    Trace(&'a Path),
    /// A PC/SC reader: its name, a unique part of it, or its number.
    Reader(&'a str),
}

impl ReaderArgs {
    /// What `--reader` stands for.
    pub fn place(&self) -> Place<'_> {
        if let Some(trace) = self.reader.strip_prefix("replay:") {
            return Place::Trace(Path::new(trace));
        }
        match self.reader.strip_prefix("sim") {
            Some("") => Place::FreshBlank,
            Some(rest) => match rest.strip_prefix(':') {
                Some(file) => Place::CardFile(Path::new(file)),
                None => Place::Reader(&self.reader),
            },
            None => Place::Reader(&self.reader),
        }
    }

    /// How long the card may take.
    pub fn limits(&self) -> Limits {
        Limits {
            command: Duration::from_secs(self.limits.command_timeout.into()),
            job: Duration::from_secs(self.limits.job_timeout.into()),
        }
    }

    /// Whether a simulated card is reached contactless.
    pub fn is_contactless(&self) -> bool {
        self.interface == Interface::Contactless
    }

    /// Whether the card is a simulated one in this process.
    pub fn is_simulated(&self) -> bool {
        !matches!(self.place(), Place::Reader(_))
    }
}

/// The link to a card that is there. Where a reader has none yet, one prompt asks for it: put `what` into the reader.
///
/// # Errors
/// There is no such reader or file, no card after the timeout, or another program holds the reader.
pub fn open(args: &ReaderArgs, what: &str) -> Result<Box<dyn Transport>, CliError> {
    open_until(args, what, &StopRequest::default())
}

/// As [`open`]; a request to stop ends the waiting.
///
/// # Errors
/// As [`open`]; a request to stop came.
pub fn open_until(args: &ReaderArgs, what: &str, stop: &StopRequest) -> Result<Box<dyn Transport>, CliError> {
    match args.place() {
        Place::Reader(wanted) => connect(wanted, args, what, stop),
        Place::CardFile(path) => {
            let (card, lock) = claimed_card_file(path)?;
            Ok(held(limited(card.approach(args.is_contactless())?, args.limits())?, lock))
        }
        Place::Trace(path) => Ok(Box::new(Replay::new(&trace(path)?))),
        Place::FreshBlank => Err(CliError::Advised {
            option: "--reader",
            why: "`sim` is a new blank, which only `perso run` uses; this command reads a card that is there".into(),
            next: "Give --reader sim:FILE with a card's file, or the name of a reader from `perso readers`.".into(),
        }),
    }
}

/// A simulated card behind the time limits of a reader: one that answers late is as mute as any other.
///
/// # Errors
/// There is no thread for it.
pub fn limited(mut card: SimTransport, limits: Limits) -> Result<Box<dyn Transport>, LinkError> {
    let link = Watched::start("the simulated card", limits, move |requests| {
        requests.opened(Ok(()));
        requests.serve(&mut card);
    })?;
    Ok(Box::new(link))
}

/// As [`open`], and the randomness to talk to it with: the system's, but of a trace what the host drew then.
///
/// # Errors
/// As [`open`].
pub fn open_with_chance(
    args: &ReaderArgs,
    what: &str,
    stop: &StopRequest,
) -> Result<(Box<dyn Transport>, Chance), CliError> {
    let chance = match args.place() {
        Place::Trace(path) => Chance::fixed(trace(path)?.chance()),
        _ => common::chance(),
    };
    Ok((open_until(args, what, stop)?, chance))
}

/// A simulated card from its file.
///
/// # Errors
/// It cannot be read, or is of another kind.
pub fn card_file(path: &Path) -> Result<SimTransport, CliError> {
    if path.is_file() {
        common::read_kind(path, &[FileKind::SimulatedCard]).map(zeroize::Zeroizing::new)?;
    } else if path.is_dir() {
        return Err(CliError::Folder(path.to_owned()));
    } else if !path.exists() {
        return Err(CliError::NoCardFile(path.to_owned()));
    }
    Ok(SimTransport::file(path)?)
}

/// A simulated card from its file, which no other process can use while the lock lives.
///
/// # Errors
/// As [`card_file`]; another process uses it.
pub fn claimed_card_file(path: &Path) -> Result<(SimTransport, Option<CardLock>), CliError> {
    // The kind first: no lock is made next to what is no card.
    let card = card_file(path)?;
    if !path.is_file() {
        return Ok((card, None));
    }
    let lock = FileLock::beside(path, Duration::ZERO).map_err(|error| match error {
        LockError::Held => CliError::CardInUse(path.to_owned()),
        LockError::Failed(lock, source) => CliError::Lock { path: path.to_owned(), lock, source },
    })?;
    // Its state may have changed before it was locked.
    Ok((card_file(path)?, Some(CardLock::new(lock))))
}

/// The lock of a card's file. A signal removes the lock's file as it does temporary ones.
pub struct CardLock(Option<FileLock>);

impl CardLock {
    fn new(lock: FileLock) -> Self {
        temporary_files().push(lock.path().to_owned());
        Self(Some(lock))
    }
}

impl Drop for CardLock {
    fn drop(&mut self) {
        let mut files = temporary_files();
        if let Some(lock) = self.0.take() {
            files.retain(|file| file != lock.path());
        }
    }
}

/// A card's link with the lock of its file: the lock goes with the link.
pub fn held(link: Box<dyn Transport>, lock: Option<CardLock>) -> Box<dyn Transport> {
    Box::new(Held { link, _lock: lock })
}

struct Held {
    link: Box<dyn Transport>,
    _lock: Option<CardLock>,
}

impl Transport for Held {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.link.transmit(command)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn begin_command(&mut self) {
        self.link.begin_command();
    }
}

/// Reads a trace.
///
/// # Errors
/// It cannot be read, or is no trace.
pub fn trace(path: &Path) -> Result<Trace, CliError> {
    Trace::parse(&common::read_text_kind(path, &[FileKind::Trace])?)
        .map_err(|source| CliError::Trace { path: path.to_owned(), source })
}

/// Without `--timeout` a card is waited for, a reader is not: a mistyped name is told at once.
const FOR_A_CARD: u32 = 120;

fn connect(wanted: &str, args: &ReaderArgs, what: &str, stop: &StopRequest) -> Result<Box<dyn Transport>, CliError> {
    let mut wait = Duration::from_secs(args.timeout.unwrap_or(FOR_A_CARD).into());
    let service = pcsc::Service::open()?;
    let (mut reader, mut asked) = (service.look(wanted)?, false);
    let mut waited = false;
    if reader.is_none() && args.timeout.is_some_and(|seconds| seconds > 0) {
        warn(&format!("Plug in reader {wanted:?}, and put {what} into it."));
        let (found, left) = pcsc::wait_for_reader(wanted, wait, stop)?;
        (reader, wait, asked, waited) = (Some(found), left, true, true);
    }
    let reader = match reader {
        Some(reader) => reader,
        None => pcsc::find(wanted)?,
    };
    if !reader.card_present && !wait.is_zero() {
        if !asked {
            warn(&format!("Put {what} into reader {:?}.", reader.name));
        }
        pcsc::wait_for_card(&reader.name, wait, stop)?;
        waited = true;
    }
    stop.check().map_err(LinkError::from)?;
    // A service that was restarted during the wait is not known to the connection from before it.
    match waited {
        true => Ok(pcsc::connect(&reader.name, args.limits())?),
        false => Ok(service.connect(&reader.name, args.limits())?),
    }
}
