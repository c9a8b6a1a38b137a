//! Phrases that the messages of the command line share.

use std::path::Path;

use super::paths::is_standard_input;
use super::problem::Problem;
use crate::issuance::file_kind::FileKind;

/// Why a file is not written if `--replace` would help.
pub(super) const REPLACEABLE: &str = "it exists, and --replace is not given";

/// Why a file is not written if an interrupted run was writing it; the temporary file follows.
pub(super) const LEFT_OVER: &str = "an interrupted run has left ";

/// What to do about the value of an option, or about an input. `command` has the help.
pub(in crate::cli) fn advice_on(option: &str, command: &str) -> String {
    match option {
        _ if option.starts_with("--") => format!("Correct {option}; {command} --help describes it."),
        "(signals)" => "Report it with the system's name and version.".to_owned(),
        _ => format!("Correct the input; {command} --help describes it, with examples."),
    }
}

/// How many profiles there are, in words.
pub(in crate::cli) fn profiles(found: usize) -> String {
    if found == 0 { "no profile".to_owned() } else { format!("{found} profiles") }
}

/// A path as it is typed.
pub(in crate::cli) fn typed(path: &Path) -> String {
    if is_standard_input(path) {
        return "-".to_owned();
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '+' | ',' | '=' | '@');
    let shown = path.display().to_string();
    if shown.chars().all(plain) { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}

/// What to do if a file cannot be read or written.
pub(in crate::cli) fn file_remedy(path: &Path, error: &std::io::Error, written: bool) -> String {
    use std::io::ErrorKind;
    if let (Some(part), true) = (error.to_string().strip_prefix(LEFT_OVER), written) {
        let or = if error.kind() == ErrorKind::AlreadyExists { ", or give --replace" } else { "" };
        return format!("Move {part} away{or}.");
    }
    match (error.kind(), written) {
        (ErrorKind::NotFound, false) => "Check the file's name and the current folder.".to_owned(),
        (ErrorKind::NotFound, true) => "Create its folder first, or name a file elsewhere.".to_owned(),
        (ErrorKind::PermissionDenied, false) => {
            format!("Have the owner of {} give you the right to read it.", path.display())
        }
        (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem, true) => {
            "Name a file in a folder that you may write to.".to_owned()
        }
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, true) => {
            "Free space on the disk, then start again.".to_owned()
        }
        (ErrorKind::AlreadyExists, true) if error.to_string() == REPLACEABLE => {
            "Name another file, or give --replace.".to_owned()
        }
        (ErrorKind::AlreadyExists | ErrorKind::Other | ErrorKind::IsADirectory, true) => {
            "Name another file.".to_owned()
        }
        (_, false) => "Check the disk or the share that holds the file, then start again.".to_owned(),
        (_, true) => "Check the disk or the share, or name a file elsewhere.".to_owned(),
    }
}

/// The verb and the kind of a file.
pub(in crate::cli) fn is(found: &FileKind) -> String {
    format!("is {}", found.what())
}

pub(in crate::cli) fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "one problem".into(),
        n => format!("{n} problems"),
    }
}
