//! Locks for what is read, changed and written back, so that one process at a time does it: a file, or a token.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::paths::real;

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// Time that a process takes to make the file of a lock.
const MAKING: Duration = Duration::from_millis(200);
/// How long a key file or a token that another process changes is waited for.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A lock that is held until it is dropped. It is a file of its own, because the one that it protects is replaced. The file
/// goes with the lock: a process that had opened it before finds that its name is another file's now, and opens that one.
pub struct FileLock {
    path: PathBuf,
    file: File,
}

/// Why a lock was not had.
pub enum LockError {
    /// Another process holds it.
    Held,
    /// The file of the lock, and what is wrong with it.
    Failed(PathBuf, Error),
}

impl FileLock {
    /// Locks `PATH.lock`, and waits for it up to `wait`.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn beside(path: &Path, wait: Duration) -> Result<Self, LockError> {
        // A link to a file and the file itself have one lock.
        let mut lock = real(path).into_os_string();
        lock.push(".lock");
        Self::of(PathBuf::from(lock), 0o600, wait)
    }

    /// Locks a token, or what names one, for all users of this machine, and waits for it up to `wait`. `id` tells it from all
    /// others.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn for_all(kind: &str, id: &str, wait: Duration) -> Result<Self, LockError> {
        // Not the folder that the environment names: two users may have two.
        let folder = ["/run/lock", "/tmp"].into_iter().map(PathBuf::from).find(|folder| is_for_all(folder));
        let folder = folder.unwrap_or_else(std::env::temp_dir);
        Self::of(folder.join(format!("perso-{kind}-{id}.lock")), 0o644, wait)
    }

    /// The lock's own file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn of(path: PathBuf, mode: u32, wait: Duration) -> Result<Self, LockError> {
        let end = Instant::now() + wait;
        let mut making: Option<Instant> = None;
        loop {
            let answer = opened(&path, mode);
            making = making.filter(|_| answer.is_err());
            match answer {
                Ok(file) => match file.try_lock() {
                    Ok(()) if is_named(&file, &path) => return Ok(Self { path, file }),
                    // Its holder has removed it meanwhile.
                    Ok(()) => continue,
                    Err(TryLockError::WouldBlock) if Instant::now() < end => {}
                    Err(TryLockError::WouldBlock) => return Err(LockError::Held),
                    Err(TryLockError::Error(error)) => return Err(LockError::Failed(path, error)),
                },
                // Another process has just made it.
                Err(error) if is_passing(&error) && making.get_or_insert_with(Instant::now).elapsed() < MAKING => {}
                Err(error) => return Err(LockError::Failed(path, error)),
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Before it is unlocked. What cannot be removed serves the next one.
        if cfg!(unix) && is_named(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens the file of a lock, or makes it. One that is there is not opened for writing: it may be another user's.
fn opened(path: &Path, mode: u32) -> Result<File, Error> {
    let mut there = OpenOptions::new();
    there.read(true);
    let mut new = OpenOptions::new();
    new.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        there.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
        new.mode(mode);
    }
    match there.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        answer => return answer,
    }
    let file = new.open(path)?;
    // Whatever the umask is.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    Ok(file)
}

/// Whether the file of this name is the one that is open.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |of: std::fs::Metadata| (of.dev(), of.ino());
    let named = std::fs::symlink_metadata(path).map(place);
    file.metadata().map(place).is_ok_and(|open| named.is_ok_and(|named| named == open))
}

/// Elsewhere the files of locks stay.
#[cfg(not(unix))]
fn is_named(_: &File, _: &Path) -> bool {
    true
}

/// Whether all users may make files there, and none can remove another's.
#[cfg(unix)]
fn is_for_all(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(folder).is_ok_and(|folder| folder.is_dir() && folder.permissions().mode() & 0o1777 == 0o1777)
}

/// Elsewhere there are no such folders.
#[cfg(not(unix))]
fn is_for_all(_: &Path) -> bool {
    false
}

fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::PermissionDenied)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let held = FileLock::beside(&path, Duration::ZERO).ok().unwrap();
        assert!(matches!(FileLock::beside(&path, Duration::from_millis(50)), Err(LockError::Held)));
        drop(held);
        #[cfg(unix)]
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(FileLock::beside(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn one_at_a_time_holds_a_lock_whose_file_is_removed_with_it() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let held = FileLock::beside(&path, Duration::from_secs(60)).ok().unwrap();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_a_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("keys.json"), folder.path().join("other"));
        std::fs::write(&other, "x").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("keys.json.lock")).unwrap();
        assert!(matches!(FileLock::beside(&path, Duration::ZERO), Err(LockError::Failed(..))));
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "x");
    }
}
