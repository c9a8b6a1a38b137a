//! Whether a configuration may name a PKCS#11 module: a module's code runs in this process, with the user's rights.

use std::path::{Path, PathBuf};

/// The first of these paths, or of the folders above them, that somebody other than the user or root can change, and
/// why. Links are followed; both what a path names and what it leads to are looked at.
pub fn changeable_by_others(paths: &[&Path]) -> Option<(PathBuf, &'static str)> {
    paths.iter().find_map(|path| {
        let named = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let real = named.canonicalize().unwrap_or_else(|_| named.clone());
        let places: Vec<&Path> = named.ancestors().chain(real.ancestors()).collect();
        places.into_iter().find_map(|place| Some((place.to_owned(), why(place)?)))
    })
}

#[cfg(unix)]
fn why(place: &Path) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    // What is not there fails to load by itself; what cannot be looked at is not trusted.
    let metadata = match std::fs::metadata(place) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(_) => return Some("its owner and mode cannot be read"),
    };
    let user = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    judged((metadata.uid(), metadata.gid()), metadata.mode(), metadata.is_dir(), user)
}

#[cfg(not(unix))]
fn why(_: &Path) -> Option<&'static str> {
    None
}

/// Judges owner and group, mode, and whether it is a folder, for this user and group.
fn judged(owner: (u32, u32), mode: u32, folder: bool, user: (u32, u32)) -> Option<&'static str> {
    if owner.0 != user.0 && owner.0 != 0 {
        return Some("it belongs to another user");
    }
    // In a sticky folder nobody renames or removes what belongs to somebody else.
    if folder && mode & 0o1000 != 0 {
        return None;
    }
    if mode & 0o002 != 0 {
        return Some("everybody can write to it");
    }
    (mode & 0o020 != 0 && owner.1 != user.1).then_some("a group other than your own can write to it")
}

#[cfg(test)]
mod tests {
    use super::judged;

    #[test]
    fn owner_group_and_mode_are_judged() {
        let user = (1000, 1000);
        for (owner, mode, folder, trusted) in [
            ((1000, 1000), 0o644, false, true),
            ((0, 0), 0o755, true, true),
            ((1000, 1000), 0o775, true, true),
            ((1001, 1000), 0o644, false, false),
            ((1001, 1001), 0o1777, true, false),
            ((0, 0), 0o1777, true, true),
            ((0, 0), 0o1777, false, false),
            ((0, 0), 0o777, true, false),
            ((1000, 1000), 0o666, false, false),
            ((0, 50), 0o775, true, false),
            ((0, 50), 0o755, true, true),
            ((1000, 50), 0o664, false, false),
        ] {
            assert_eq!(judged(owner, mode, folder, user).is_none(), trusted, "{owner:?} {mode:o} {folder}");
        }
    }
}
