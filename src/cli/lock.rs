//! A lock next to a file that is read, changed and replaced: one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock that is held until it is dropped. It is a file of its own, because the one that it protects is replaced. It
/// stays in its folder: if it were removed, two processes could each lock a file of its name.
pub struct FileLock(#[allow(dead_code)] File);

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
        let mut lock = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&lock).map_err(|error| LockError::Failed(lock.clone(), error))?;
        let end = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(LockError::Held),
                Err(TryLockError::Error(error)) => return Err(LockError::Failed(lock, error)),
            }
        }
    }
}
