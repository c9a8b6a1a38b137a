//! The names of files as they are typed and shown.

use std::path::{Path, PathBuf};

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

pub(super) const STANDARD_INPUT: &str = "standard input";
