//! A folder in which the program works, and everything that it has told or written there.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::canary::Search;

/// What the program has told or written.
pub struct Seen {
    pub what: String,
    pub bytes: Vec<u8>,
    /// It may show what the wire shows while every key is a test key: traces, and the log at its last level.
    pub wire: bool,
}

/// What goes in lies in `in`, and may hold anything. Everything else is looked through after each command: `out`, the folder itself,
/// and the one for temporary files.
pub struct Desk {
    folder: TempDir,
    pub seen: Vec<Seen>,
    secret_files: Vec<String>,
}

/// The folder of the repository.
pub fn root(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["in", "out", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, seen: Vec::new(), secret_files: Vec::new() }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A file that goes in.
    pub fn give(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(&format!("in/{name}"));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A file that holds secrets because it is made to: a simulated card, an unsealed file of test keys.
    pub fn holds_secrets(&mut self, name: &str) -> String {
        self.secret_files.push(name.to_owned());
        self.path(name)
    }

    pub fn run(&mut self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    pub fn run_with(&mut self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::cargo_bin("perso").unwrap();
        command.current_dir(self.folder.path()).env("TMPDIR", self.path("tmp")).env("HOME", self.path("tmp"));
        let output = command.args(arguments).write_stdin(input).output().unwrap();
        let said = arguments.join(" ");
        let trace_log = arguments.windows(2).any(|pair| pair == ["--log", "trace"]);
        self.saw(format!("standard output of {said}"), output.stdout.clone(), false);
        self.saw(format!("standard error of {said}"), output.stderr.clone(), trace_log);
        let mut files = Vec::new();
        walk(self.folder.path(), &mut files);
        for path in files {
            let name = path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned();
            if !name.starts_with("in/") && !self.secret_files.contains(&name) {
                let what = format!("{name}, after {said}");
                self.saw(what, std::fs::read(&path).unwrap(), name.ends_with(".trace"));
            }
        }
        output
    }

    /// The same, and it must end with this exit code.
    #[track_caller]
    pub fn ends(&mut self, exit: i32, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {told}");
        output
    }

    fn saw(&mut self, what: String, bytes: Vec<u8>, wire: bool) {
        self.seen.push(Seen { what, bytes, wire });
    }

    /// Nothing that was seen holds a secret, nor, but for what shows the wire, anything of the card's data.
    #[track_caller]
    pub fn search(&self, secrets: &Search, wire: &Search) {
        for seen in &self.seen {
            secrets.search(&seen.what, &seen.bytes);
            if !seen.wire {
                wire.search(&seen.what, &seen.bytes);
            }
        }
        // Nothing is left behind in the folder for temporary files.
        let mut left = Vec::new();
        walk(Path::new(&self.path("tmp")), &mut left);
        assert!(left.is_empty(), "{left:?}");
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
