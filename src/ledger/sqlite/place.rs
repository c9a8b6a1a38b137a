//! Where a ledger may be: on a local file system, in a regular file of its own.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::super::ids::LedgerId;
use super::super::store::StoreError;

/// The folder that holds a file.
pub(super) fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The file is there, and a regular one.
pub(super) fn is_there(path: &Path) -> Result<(), StoreError> {
    let seen = match fs::metadata(path) {
        Ok(seen) => seen,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Place {
                path: path.to_owned(),
                why: "it does not exist".into(),
                next: Some("Check the path, or make a test ledger with `perso ledger init FILE`.".into()),
            });
        }
        Err(error) => return Err(failed(path, "opened", error)),
    };
    if seen.is_file() { Ok(()) } else { Err(place(path, "it is not a regular file")) }
}

/// A ledger is not made over a file that is there.
pub(super) fn exists(path: &Path) -> StoreError {
    StoreError::Place {
        path: path.to_owned(),
        why: "it exists already".into(),
        next: Some("Name a file that does not exist yet; a ledger is never replaced.".into()),
    }
}

/// The file system keeps what is written, and its locks hold.
#[cfg(target_os = "linux")]
pub(super) fn suits(path: &Path, folder: &Path) -> Result<(), StoreError> {
    let seen = rustix::fs::statfs(folder).map_err(|error| failed(path, "opened", error.into()))?;
    match network(i128::from(seen.f_type) & 0xFFFF_FFFF) {
        Some(name) => Err(StoreError::Place {
            path: path.to_owned(),
            why: format!("its file system ({name}) is not local: locks and syncs cannot be relied on"),
            next: Some("Put the ledger on a local disk; many machines share one in a PostgreSQL server.".into()),
        }),
        None => Ok(()),
    }
}

/// Other systems do not say what a file system is in one way.
#[cfg(not(target_os = "linux"))]
pub(super) fn suits(_: &Path, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// The name of a file system that is shared over a network, or served by a program (linux/magic.h).
#[cfg(target_os = "linux")]
fn network(magic: i128) -> Option<&'static str> {
    const TYPES: &[(i128, &str)] = &[
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFE53_4D42, "SMB2"),
        (0xFF53_4D42, "CIFS"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9p"),
        (0x5346_414F, "AFS"),
        (0x6B41_4653, "AFS"),
        (0x00C3_6400, "Ceph"),
        (0x0BD0_0BD0, "Lustre"),
        (0x7375_7245, "Coda"),
        (0x564C, "NCP"),
        (0x0116_1970, "GFS2"),
        (0x7461_636F, "OCFS2"),
        (0x4750_4653, "GPFS"),
    ];
    TYPES.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

fn place(path: &Path, why: &str) -> StoreError {
    StoreError::Place { path: path.to_owned(), why: why.to_owned(), next: None }
}

fn failed(path: &Path, what: &'static str, error: std::io::Error) -> StoreError {
    let shown = path.display().to_string();
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full(shown),
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => StoreError::ReadOnly(shown),
        _ => StoreError::Failed { place: shown, what, source: Box::new(error) },
    }
}

/// A ledger in the making, under a name of its own until it is whole. Removed if it never is.
pub(super) struct NewFile(PathBuf);

impl NewFile {
    /// An empty file that only its owner can read.
    pub(super) fn make(path: &Path, folder: &Path, ledger: &LedgerId) -> Result<Self, StoreError> {
        let own = folder.join(format!(".perso-ledger-{ledger}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&own).map_err(|error| failed(path, "made", error))?;
        Ok(Self(own))
    }

    /// Where it is now.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it its name, unless there is a file of that name, and makes the name durable.
    pub(super) fn publish(self, path: &Path, folder: &Path) -> Result<(), StoreError> {
        let made = |error| failed(path, "made", error);
        File::open(&self.0).and_then(|file| file.sync_all()).map_err(made)?;
        match fs::hard_link(&self.0, path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(exists(path)),
            Err(error) => return Err(made(error)),
        }
        fs::remove_file(&self.0).map_err(made)?;
        if cfg!(unix) { File::open(folder).and_then(|folder| folder.sync_all()).map_err(made) } else { Ok(()) }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            // Gone already where all went well.
            let _ = fs::remove_file(name);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Values of linux/magic.h and of `stat -f`.
    #[test]
    fn file_systems_over_a_network_are_known_by_their_numbers() {
        for magic in [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997] {
            assert!(network(magic).is_some(), "{magic:X}");
        }
        // ext4, xfs, btrfs, tmpfs, overlayfs
        for magic in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630] {
            assert!(network(magic).is_none(), "{magic:X}");
        }
    }
}
