//! Files that are written: claimed under a temporary name, renamed when they are whole. No file of the user's is lost.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::error::CliError;
use super::error_words::{LEFT_OVER, REPLACEABLE};
use super::reading::kind_error;
use super::screen::harmless_json;
use crate::issuance::file_kind::FileKind;

/// Bytes of a file that show what it is.
const BEGINNING: u64 = 4096;

/// Temporary files of this process, and folders of its own with all that is in them.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// What happens to a file of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is never replaced.
    Keep,
    /// It is kept; the message names `--replace`.
    Refuse,
    /// It is replaced when the new one is whole, unless it is of a kind that is never overwritten.
    Replace,
}

impl Existing {
    /// As `--replace` says.
    pub fn replace(replace: bool) -> Self {
        if replace { Existing::Replace } else { Existing::Refuse }
    }
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone: it holds keys, card data or personal data.
    Owner,
    /// As the process's umask says.
    Umask,
}

/// A file that is being written, as `FILE.part`. It gets its name when it is whole; without that it is removed again.
///
/// A device or a pipe is written as it is.
#[derive(Debug)]
pub struct ClaimedFile {
    /// As the user named it.
    path: PathBuf,
    file: File,
    /// None of a device, and once the file has its name.
    temporary: Option<Temporary>,
}

#[derive(Debug)]
struct Temporary {
    part: PathBuf,
    target: PathBuf,
}

impl ClaimedFile {
    /// Claims a file: no other process can claim it until this value is dropped.
    ///
    /// # Errors
    /// It exists and must not be replaced, another process is writing it, or it cannot be made.
    pub fn claim(path: &Path, existing: Existing, access: Access) -> std::result::Result<Self, CliError> {
        let failed = |source| CliError::Write { path: path.to_owned(), source };
        Self::try_claim(path, existing, access).map_err(failed)
    }

    fn try_claim(path: &Path, existing: Existing, access: Access) -> Result<Self> {
        let named = named(path)?;
        if named == Named::Device {
            let file = OpenOptions::new().append(true).open(path)?;
            return Ok(Self { path: path.to_owned(), file, temporary: None });
        }
        // A link stays a link: the file that it names is replaced.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let part = part_of(&target).ok_or_else(|| Error::other("it is not the name of a file"))?;
        may_replace(&target, existing)?;
        let mut claims = temporary_files();
        let file = lock_part(&part, access)?;
        let left_over = file.metadata()?.len() > 0;
        let allowed = if left_over { may_take_over(&part, existing) } else { Ok(()) };
        // Another process may have finished the file a moment ago.
        let allowed = allowed.and_then(|()| may_replace(&target, existing)).and_then(|()| file.set_len(0));
        // The mode that a file is made with says nothing of one that was left there.
        let allowed = allowed.and_then(|()| if access == Access::Owner { for_owner(&file) } else { Ok(()) });
        if let Err(error) = allowed {
            if !left_over {
                let _ = std::fs::remove_file(&part);
            }
            return Err(error);
        }
        claims.push(part.clone());
        Ok(Self { path: path.to_owned(), file, temporary: Some(Temporary { part, target }) })
    }

    /// The file, to be written as things happen.
    ///
    /// # Errors
    /// There is no further file descriptor.
    pub fn stream(&self) -> std::result::Result<File, CliError> {
        self.file.try_clone().map_err(|source| CliError::Write { path: self.path.clone(), source })
    }

    /// Writes a text and finishes the file.
    ///
    /// # Errors
    /// It cannot be written; it is gone then.
    pub fn write(mut self, text: &str) -> std::result::Result<(), CliError> {
        self.put(text)?;
        self.finish()
    }

    /// Writes a value as JSON and finishes the file.
    ///
    /// # Errors
    /// As [`ClaimedFile::write`].
    pub fn write_json(mut self, value: &impl serde::Serialize) -> std::result::Result<(), CliError> {
        self.put_json(value)?;
        self.finish()
    }

    /// Writes a text; the file is finished later.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&mut self, text: &str) -> std::result::Result<(), CliError> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|source| CliError::Write { path: self.path.clone(), source })
    }

    /// Writes a value as JSON; the file is finished later.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_json(&mut self, value: &impl serde::Serialize) -> std::result::Result<(), CliError> {
        let failed = |error: serde_json::Error| CliError::Write { path: self.path.clone(), source: error.into() };
        let text = Zeroizing::new(serde_json::to_string_pretty(value).map_err(failed)? + "\n");
        self.put(&Zeroizing::new(harmless_json(&text).into_owned()))
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// It cannot be made durable or renamed.
    pub fn finish(self) -> std::result::Result<(), CliError> {
        Self::finish_all(vec![self])
    }

    /// As [`ClaimedFile::finish`], of files that belong together: an interruption leaves all of them or none.
    ///
    /// # Errors
    /// The first that cannot be finished.
    pub fn finish_all(files: Vec<Self>) -> std::result::Result<(), CliError> {
        for claimed in files.iter().filter(|claimed| claimed.temporary.is_some()) {
            claimed.file.sync_all().map_err(|source| CliError::Write { path: claimed.path.clone(), source })?;
        }
        let mut claims = temporary_files();
        let mut renamed = Ok(());
        for mut claimed in files {
            let Some(temporary) = claimed.temporary.take() else { continue };
            let done = std::fs::rename(&temporary.part, &temporary.target);
            if done.is_err() {
                let _ = std::fs::remove_file(&temporary.part);
            }
            claims.retain(|part| *part != temporary.part);
            let done = done.and_then(|()| sync_folder(&temporary.target));
            renamed = renamed.and(done.map_err(|source| CliError::Write { path: claimed.path.clone(), source }));
        }
        renamed
    }
}

impl Drop for ClaimedFile {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let mut claims = temporary_files();
            // It was made by this process, and is not whole.
            let _ = std::fs::remove_file(&temporary.part);
            claims.retain(|part| *part != temporary.part);
        }
    }
}

/// Whether a file of this name could be claimed now. A check ahead of the claim; it makes nothing.
///
/// # Errors
/// As [`ClaimedFile::claim`].
pub fn check(path: &Path, existing: Existing) -> std::result::Result<(), CliError> {
    let checked = named(path).and_then(|named| match named {
        Named::Device => Ok(()),
        Named::File => folder(path).metadata().and_then(|_| may_replace(path, existing)),
    });
    checked.map_err(|source| CliError::Write { path: path.to_owned(), source })
}

/// Writes a file whole.
///
/// # Errors
/// As [`ClaimedFile::claim`] and [`ClaimedFile::write`].
pub fn write(path: &Path, text: &str, existing: Existing, access: Access) -> std::result::Result<(), CliError> {
    ClaimedFile::claim(path, existing, access)?.write(text)
}

/// Removes the temporary files of this process. None is renamed or made any more while the guard lives.
pub fn discard_temporary_files() -> MutexGuard<'static, Vec<PathBuf>> {
    let claims = temporary_files();
    for part in claims.iter() {
        remove_temporary(part);
    }
    claims
}

/// Removes a temporary file, or a folder with all that is in it. A folder is removed again if something has come into it
/// meanwhile.
pub(super) fn remove_temporary(part: &Path) {
    let is_folder = part.symlink_metadata().is_ok_and(|it| it.is_dir());
    let _ = if is_folder { std::fs::remove_dir_all(part) } else { std::fs::remove_file(part) };
    if is_folder && part.exists() {
        let _ = std::fs::remove_dir_all(part);
    }
}

/// The temporary files of this process. A signal removes them; it waits while the guard lives.
pub(super) fn temporary_files() -> MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// A regular file, or nothing yet.
    File,
    /// A device, a pipe, or an open descriptor such as /dev/stdout.
    Device,
}

fn named(path: &Path) -> Result<Named> {
    // An open descriptor may lead to a regular file, which is written through it.
    if ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder)) && path.exists() && !path.is_dir() {
        return Ok(Named::Device);
    }
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(metadata) if metadata.is_file() => Ok(Named::File),
        Ok(_) => Ok(Named::Device),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.symlink_metadata() {
            Ok(_) => Err(Error::other("it is a link to a file that does not exist")),
            Err(_) => Ok(Named::File),
        },
        Err(error) => Err(error),
    }
}

/// Whether it is a named pipe or the like, which is opened only when somebody reads it.
pub fn is_pipe(path: &Path) -> bool {
    let descriptor = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    !descriptor && path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn part_of(target: &Path) -> Option<PathBuf> {
    let mut name = target.file_name()?.to_owned();
    name.push(".part");
    Some(target.with_file_name(name))
}

/// What an interrupted run has written is replaced only if that was asked for.
fn may_take_over(part: &Path, existing: Existing) -> Result<()> {
    spare(part)?;
    let kind = match existing {
        Existing::Replace => return Ok(()),
        Existing::Refuse => ErrorKind::AlreadyExists,
        Existing::Keep => ErrorKind::Other,
    };
    Err(Error::new(kind, format!("{LEFT_OVER}{}", part.display())))
}

/// Opens the temporary file and locks it, also one that a killed process has left.
fn lock_part(part: &Path, access: Access) -> Result<File> {
    loop {
        let file = open_part(part, access)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::other("another process is writing it; wait until that one has ended"));
            }
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Another process may have renamed or removed it before it was locked.
        if part.symlink_metadata().is_ok_and(|now| file.metadata().is_ok_and(|ours| is_same(&now, &ours))) {
            return Ok(file);
        }
    }
}

fn open_part(part: &Path, access: Access) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if access == Access::Owner { 0o600 } else { 0o666 });
        options.custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits() as i32);
    }
    let file = options.open(part)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(Error::other(format!("{} is not a regular file", part.display()))),
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(unix)]
fn for_owner(file: &File) -> Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn for_owner(_: &File) -> Result<()> {
    Ok(())
}

fn may_replace(target: &Path, existing: Existing) -> Result<()> {
    if !target.is_file() {
        return Ok(());
    }
    spare(target)?;
    let exists = |why: &str| Err(Error::new(ErrorKind::AlreadyExists, why));
    match existing {
        Existing::Replace => Ok(()),
        Existing::Refuse => exists(REPLACEABLE),
        Existing::Keep => exists("it exists and is never replaced"),
    }
}

/// Refuses to overwrite what cannot be made again.
fn spare(path: &Path) -> Result<()> {
    // What cannot be read shows when it is written.
    let Ok(file) = File::open(path) else { return Ok(()) };
    let mut beginning = Vec::new();
    file.take(BEGINNING).read_to_end(&mut beginning)?;
    match FileKind::of(&beginning) {
        kind if kind.is_irreplaceable() => {
            let why = format!("it is {}, which is never replaced", kind.what());
            Err(Error::new(ErrorKind::AlreadyExists, why))
        }
        _ => Ok(()),
    }
}

/// The kind of a regular file; none of what cannot be read.
fn kind_of(path: &Path) -> Option<FileKind> {
    let mut beginning = Zeroizing::new(Vec::new());
    let file = File::open(path).ok().filter(|_| path.is_file())?;
    file.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    Some(FileKind::of(&beginning))
}

/// Refuses a file that is, for sure, of another kind than a journal. The journal itself refuses a damaged one.
///
/// # Errors
/// [`CliError::Kind`].
pub fn journal_kind(path: &Path) -> std::result::Result<(), CliError> {
    use FileKind as K;
    match kind_of(path) {
        None | Some(K::Journal | K::Empty | K::Json | K::Toml | K::Csv | K::Text | K::Binary) => Ok(()),
        Some(found) => Err(kind_error(path, found, &[K::Journal])),
    }
}

/// The error of a file that exists in the place of one that is never overwritten. `kept` is that one's kind.
pub fn never_overwritten(path: &Path, kept: &str) -> CliError {
    let found = kind_of(path).filter(|kind| *kind != FileKind::Empty).map(|kind| format!(" and is {}", kind.what()));
    let why = format!("{} exists{}; {kept} never overwrites a file", path.display(), found.unwrap_or_default());
    CliError::Advised { option: "--output", why, next: "Name another file with -o.".into() }
}

/// Why a refused run does not write its result. `other` is the message of an error that --replace would not mend.
pub fn kept_from_refusal(error: &CliError, other: impl FnOnce() -> String) -> String {
    match error {
        CliError::Write { path, source } if source.to_string() == REPLACEABLE => {
            format!("{} exists, and a refused run replaces no result; name another file with --result", path.display())
        }
        _ => other(),
    }
}

/// Makes the name of a file durable.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) { File::open(folder(path))?.sync_all() } else { Ok(()) }
}

/// The folder of a file.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn json_in_a_file_has_no_raw_control_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        let value = serde_json::json!({ "name": "a\u{9b}31m\u{202e}b" });
        ClaimedFile::claim(&path, Existing::Keep, Access::Umask).unwrap().write_json(&value).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("}\n") && !text.contains(['\u{9b}', '\u{202e}']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
