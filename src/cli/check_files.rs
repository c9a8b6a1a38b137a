//! The files of a folder for `perso check`, and the total of all files.

use std::path::{Path, PathBuf};

use super::out::Out;
use super::screen;

/// How the files came out.
#[derive(Default)]
pub(super) struct Total {
    good: usize,
    partly: usize,
    /// Files with problems.
    pub(super) faulty: usize,
    problems: usize,
    /// Files in folders that are of no kind that is checked.
    pub(super) others: usize,
}

impl Total {
    /// Counts a file and its problems; the file was checked whole or in part.
    pub(super) fn count(&mut self, problems: usize, whole: bool) {
        self.problems += problems;
        match (problems, whole) {
            (0, true) => self.good += 1,
            (0, false) => self.partly += 1,
            _ => self.faulty += 1,
        }
    }

    /// One line.
    pub(super) fn print(&self, out: &mut Out) {
        let mut text = format!("{}: {} ok", files(self.good + self.partly + self.faulty), self.good);
        if self.partly > 0 {
            text += &format!(", {} ok as far as they were checked", self.partly);
        }
        if self.faulty > 0 {
            text += &format!(", {} with problems ({} in all)", self.faulty, self.problems);
        }
        if self.others > 0 {
            text += &format!("; {} of other kinds not checked", files(self.others));
        }
        let style = if self.faulty > 0 { screen::BAD } else { screen::GOOD };
        out.styled(style, "Total", format!("Total    {text}"));
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// All files below a folder by name, without hidden ones; symbolic links to folders are not followed.
pub(super) fn below(folder: &Path) -> Vec<Result<PathBuf, (PathBuf, std::io::Error)>> {
    let failed = |error| vec![Err((folder.to_owned(), error))];
    let mut entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return failed(error),
    };
    entries.retain(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(below(&path)),
            // A pipe or a device would be waited for.
            Ok(_) if path.is_file() => found.push(Ok(path)),
            Ok(_) => {}
            Err(error) => found.push(Err((path, error))),
        }
    }
    found
}
