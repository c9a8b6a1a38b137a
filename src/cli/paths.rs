//! The names of files as they are typed and shown.

use std::path::{Path, PathBuf};

/// The folder of profiles if none is named.
pub(super) const PROFILES_FOLDER: &str = "card-profiles";

/// Largest file that is read. Records are a few kilobytes.
pub(super) const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Whether `-` was given in the place of a file: standard input. A file of that name is `./-`.
pub fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The file that an output option names; none for `-`, standard output.
pub fn output_file(option: &Option<PathBuf>) -> Option<&Path> {
    option.as_deref().filter(|path| !is_standard_input(path))
}

/// A file as it is named in results and messages.
pub fn shown(path: &Path) -> String {
    if is_standard_input(path) { STANDARD_INPUT.to_owned() } else { path.display().to_string() }
}

/// The file that a path leads to, links followed, also where it is not there yet. A link to a file that is replaced stays,
/// and what it leads to is replaced.
pub fn real(path: &Path) -> PathBuf {
    // At most 40 links: a ring of them leads nowhere.
    let mut at = path.to_owned();
    for _ in 0..40 {
        if let Ok(known) = at.canonicalize() {
            return known;
        }
        match std::fs::read_link(&at) {
            Ok(to) => at = at.parent().map_or_else(|| to.clone(), |folder| folder.join(&to)),
            Err(_) => break,
        }
    }
    at
}

pub(super) const STANDARD_INPUT: &str = "standard input";
