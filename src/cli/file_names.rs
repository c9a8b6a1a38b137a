//! Names of output files: placeholders, and no two options that name one file.

use std::path::{Path, PathBuf};

use super::claimed::folder;
use super::error::CliError;

/// No two of these options name the same file: one would overwrite the other.
///
/// # Errors
/// The first that does.
pub fn distinct(files: &[(&'static str, Option<&Path>)]) -> Result<(), CliError> {
    let named: Vec<(&'static str, PathBuf)> =
        files.iter().filter_map(|(option, path)| Some((*option, place((*path)?)?))).collect();
    for (at, (option, path)) in named.iter().enumerate() {
        let before = named.iter().take(at).find(|(_, earlier)| earlier == path);
        if let Some((earlier, _)) = before {
            return Err(CliError::Option { option, why: format!("it names the file that {earlier} names") });
        }
    }
    Ok(())
}

/// Where a file is or will be; none for a device, which many may share.
fn place(path: &Path) -> Option<PathBuf> {
    if let Ok(known) = path.canonicalize() {
        return known.is_file().then_some(known);
    }
    Some(folder(path).canonicalize().ok()?.join(path.file_name()?))
}

/// Values for the placeholders in the names of files.
#[derive(Debug, Clone)]
pub struct FileNames {
    /// `{id}`: the record's id.
    pub id: String,
    /// `{attempt}`: how often this record was tried with this journal, from 1; none where that is not known yet.
    pub attempt: Option<usize>,
    /// `{date}` and `{time}`: when the job began, UTC, as in 2026-01-31T09:30:00Z.
    pub started: String,
}

impl FileNames {
    /// The name with its placeholders filled in: `{id}`, `{attempt}`, `{date}` as 2026-01-31, `{time}` as 093000.
    ///
    /// # Errors
    /// A placeholder that does not exist.
    pub fn fill(&self, option: &'static str, template: &Path) -> Result<PathBuf, CliError> {
        let Some(mut rest) = template.to_str().filter(|text| text.contains('{')) else {
            return Ok(template.to_owned());
        };
        let (date, time) = self.started.split_once('T').unwrap_or((&self.started, ""));
        let time: String = time.chars().take(8).filter(char::is_ascii_digit).collect();
        let mut filled = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(before);
            match (name, self.attempt) {
                ("id", _) => filled.push_str(&self.id),
                ("attempt", Some(attempt)) => filled.push_str(&attempt.to_string()),
                ("date", _) => filled.push_str(date),
                ("time", _) => filled.push_str(&time),
                (name, attempt) => {
                    let known =
                        if attempt.is_some() { "{id}, {attempt}, {date} or {time}" } else { "{id}, {date} or {time}" };
                    return Err(CliError::Option {
                        option,
                        why: format!("unknown placeholder {{{name}}}; use {known}"),
                    });
                }
            }
            rest = after;
        }
        Ok(PathBuf::from(filled + rest))
    }
}

/// The parts of a name between its placeholders; one part of a name without any.
pub fn fixed_parts(template: &str) -> Vec<String> {
    let mut parts = template.split('{');
    let first = parts.next().map(String::from);
    let after = parts.map(|part| part.split_once('}').map_or("", |(_, after)| after).to_owned());
    first.into_iter().chain(after).collect()
}
