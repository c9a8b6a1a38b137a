//! Events that a worker could not commit, kept on this machine until `recover` applies or shows them.
//!
//! One file for each claim. Its space is written when the job is claimed, so that a full disk stops the job before the
//! card. Each event stands behind its length (4 bytes, big-endian) and its SHA-256; zeros follow the last one. An event that
//! a power cut tore has another hash: nothing was done on the strength of it, and it does not count.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::event::Event;
use super::ids::{Fence, JobId};
use crate::base::crypto::sha256;
use crate::base::fault::{Code, Fault};

/// Size of a file.
const SIZE: usize = 64 * 1024;
/// Length and hash before each event.
const HEAD: usize = 4 + 32;
const SUFFIX: &str = ".spool";

/// What cannot be done with the spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The operating system failed.
    #[error("the spool {path} cannot be {what}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    /// The claim's space is used up.
    #[error("the spool {0} is full")]
    Full(PathBuf),
}

impl Fault for SpoolError {
    fn code(&self) -> Code {
        match self {
            SpoolError::Json(_) => Code::ProgramFault,
            _ => Code::LedgerWrite,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            SpoolError::File { path, .. } => {
                let folder = path.parent().unwrap_or(path);
                Some(format!("Check the free space and the rights of {}, then start again.", folder.display()))
            }
            _ => None,
        }
    }
}

/// Where the spools of a machine are.
#[derive(Debug, Clone)]
pub struct SpoolFolder(PathBuf);

/// The spool of one claim.
pub trait Spool: Send {
    /// Keeps an event. When this returns, a power cut cannot take it back.
    ///
    /// # Errors
    /// It cannot be written or made durable.
    fn keep(&mut self, event: &Event) -> Result<(), SpoolError>;

    /// Gives the spool up: the ledger has everything.
    ///
    /// # Errors
    /// It cannot be removed.
    fn release(&mut self) -> Result<(), SpoolError>;
}

/// What one file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledJob {
    /// The file.
    pub path: PathBuf,
    /// The job.
    pub job: JobId,
    /// The claim's fence.
    pub fence: Fence,
    /// Its events, in order.
    pub events: Vec<Event>,
    /// Whether something follows them that is no event: a power cut tore it, or the file is damaged.
    pub torn: bool,
    /// Whether its worker lives.
    pub in_use: bool,
}

impl SpoolFolder {
    /// Uses a folder; makes it, for its owner only, if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(path, "made", error)),
            Err(_) if !path.is_dir() => {
                Err(failed(path, "used", std::io::Error::other("it exists and is not a folder")))
            }
            Ok(()) => sync(path.parent().unwrap_or(path)).map(|()| Self(path.to_owned())),
            Err(_) => Ok(Self(path.to_owned())),
        }
    }

    /// Writes the space of a claim.
    ///
    /// # Errors
    /// There is no space, or no right to write.
    pub fn reserve(&self, job: JobId, fence: Fence) -> Result<FileSpool, SpoolError> {
        let path = self.0.join(format!("{job}-{fence}{SUFFIX}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| failed(&path, "made", error))?;
        let filled = file.write_all(&[0; SIZE]).and_then(|()| file.sync_all());
        // Held as long as the worker lives.
        let filled = filled.and_then(|()| file.lock());
        if let Err(error) = filled {
            // Half a file is of no use to anybody.
            let _ = fs::remove_file(&path);
            return Err(failed(&path, "filled", error));
        }
        sync(&self.0)?;
        Ok(FileSpool { path, file, used: 0 })
    }

    /// Every file, by name.
    ///
    /// # Errors
    /// The folder or a file cannot be read.
    pub fn waiting(&self) -> Result<Vec<SpooledJob>, SpoolError> {
        let read = |error| failed(&self.0, "read", error);
        let mut out = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(read)? {
            let path = entry.map_err(read)?.path();
            if let Some((job, fence)) = named(&path) {
                let Some((bytes, in_use)) = contents(&path)? else { continue };
                let (events, torn) = events(&bytes);
                out.push(SpooledJob { path, job, fence, events, torn, in_use });
            }
        }
        out.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(out)
    }

    /// Removes a file whose events are in the ledger.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, spooled: &SpooledJob) -> Result<(), SpoolError> {
        remove(&spooled.path)
    }
}

/// The spool of one claim, in a file.
pub struct FileSpool {
    path: PathBuf,
    file: File,
    used: usize,
}

impl Spool for FileSpool {
    fn keep(&mut self, event: &Event) -> Result<(), SpoolError> {
        let body = serde_json::to_vec(event).map_err(SpoolError::Json)?;
        let length = u32::try_from(body.len()).map_err(|_| SpoolError::Full(self.path.clone()))?;
        // Behind the last event there is always room for the zero length that ends them.
        let end = self.used.saturating_add(HEAD).saturating_add(body.len());
        if end.saturating_add(4) > SIZE {
            return Err(SpoolError::Full(self.path.clone()));
        }
        let mut entry = length.to_be_bytes().to_vec();
        entry.extend(sha256(&body));
        entry.extend(body);
        let written = self
            .file
            .seek(SeekFrom::Start(self.used as u64))
            .and_then(|_| self.file.write_all(&entry))
            .and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.path, "written", error))?;
        self.used = end;
        Ok(())
    }

    fn release(&mut self) -> Result<(), SpoolError> {
        remove(&self.path)
    }
}

/// The spool of a card that lives no longer than the process: there is nothing to come back to.
#[derive(Debug, Default)]
pub struct NoSpool;

impl Spool for NoSpool {
    fn keep(&mut self, _: &Event) -> Result<(), SpoolError> {
        Ok(())
    }

    fn release(&mut self) -> Result<(), SpoolError> {
        Ok(())
    }
}

/// What a file holds, and whether its worker lives; None if it was released meanwhile.
fn contents(path: &Path) -> Result<Option<(Vec<u8>, bool)>, SpoolError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| failed(path, "read", error))?,
    };
    let in_use = match file.try_lock() {
        Ok(()) => false,
        Err(fs::TryLockError::WouldBlock) => true,
        Err(fs::TryLockError::Error(error)) => return Err(failed(path, "locked", error)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| failed(path, "read", error))?;
    Ok(Some((bytes, in_use)))
}

/// Job and fence in the name of a file.
fn named(path: &Path) -> Option<(JobId, Fence)> {
    let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    let (job, fence) = name.rsplit_once('-')?;
    Some((JobId::parse(job)?, Fence::parse(fence)?))
}

/// The events of a file, and whether something else follows them.
fn events(bytes: &[u8]) -> (Vec<Event>, bool) {
    let mut out = Vec::new();
    let mut rest = bytes;
    loop {
        let Some((length, body)) = rest.split_first_chunk::<4>() else { return (out, !rest.is_empty()) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length == 0 {
            return (out, body.iter().any(|byte| *byte != 0));
        }
        let entry = body.split_first_chunk::<32>().and_then(|(hash, body)| {
            let (body, rest) = body.split_at_checked(length)?;
            let event = serde_json::from_slice(body).ok().filter(|_| sha256(body) == *hash)?;
            Some((event, rest))
        });
        let Some((event, after)) = entry else { return (out, true) };
        out.push(event);
        rest = after;
    }
}

fn remove(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, "removed", error)),
        _ => Ok(()),
    }
}

/// Makes names in a folder durable, on systems that let a folder be opened.
fn sync(folder: &Path) -> Result<(), SpoolError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if !cfg!(unix) {
        return Ok(());
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, "made durable", error))
}

fn failed(path: &Path, what: &'static str, source: std::io::Error) -> SpoolError {
    SpoolError::File { path: path.to_owned(), what, source }
}
