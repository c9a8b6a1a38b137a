//! What to do next: each remedy of the catalogue can be followed as it is printed, and fits where it is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use perso::base::fault::CATALOGUE;

/// What a remedy begins with: something to do.
const VERBS: &[&str] = &[
    "Check", "Close", "Compare", "Copy", "Correct", "Destroy", "Do not", "Find", "Give", "Have", "Keep", "List",
    "Make", "Name", "Prepare", "Put", "Report", "Run", "Send", "Start", "Take", "Treat", "Try", "Use", "Wait",
];

/// What nobody can follow, or what does not belong in front of a real reader.
const REFUSED: &[&str] = &[
    "what is named",
    "that is named",
    "Correct what",
    "--reader sim",
    "looked at",
    "at hand",
    "teaches",
    "as listed",
    "somebody",
    "whoever",
    "TODO",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn help(command: &[&str]) -> Option<String> {
    let mut program = Command::cargo_bin("perso").unwrap();
    let output = program.current_dir(root()).args(command).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // An unknown word after a command is an argument of it: its own help shows the whole command.
    (output.status.success() && text.contains(&format!("Usage: perso {}", command.join(" ")))).then_some(text)
}

/// Texts between back-quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, out),
            false if path.extension().is_some_and(|extension| extension == "rs") => out.push(path),
            false => {}
        }
    }
}

#[test]
fn each_remedy_of_the_catalogue_can_be_followed_as_printed() {
    let known: BTreeSet<String> = [&["run"][..], &["prepare"], &["sim", "serve"], &["doctor"], &["plan"]]
        .iter()
        .flat_map(|command| options(&help(command).unwrap()))
        .collect();
    for (_, entry) in CATALOGUE {
        let code = entry.code;
        assert!(VERBS.iter().any(|verb| entry.next.starts_with(&format!("{verb} "))), "{code}: {}", entry.next);
        for phrase in REFUSED {
            assert!(!entry.next.contains(phrase) && !entry.what.contains(phrase), "{code}: {phrase:?}");
        }
        for command in quoted(entry.next).filter_map(|text| text.strip_prefix("perso ")) {
            let words: Vec<&str> = command.split(' ').filter(|word| !word.starts_with('-')).collect();
            assert!(help(&words).is_some() || words.is_empty(), "{code}: there is no `perso {command}`");
        }
        for option in options(entry.next).iter().filter(|option| *option != "--help") {
            assert!(known.contains(option), "{code}: there is no {option}");
        }
        for word in entry.next.split([' ', ';', ',']).filter(|word| word.contains('/') && word.contains(".md")) {
            let path = word.trim_end_matches('.');
            assert!(root().join(path).is_file(), "{code}: {path}");
        }
        assert!(entry.next.len() <= 160, "{code}: {} characters", entry.next.len());
    }
}

/// No message of the program sends a counter to the simulated card, or asks to correct something that it does not name.
#[test]
fn no_message_has_a_remedy_that_cannot_be_followed() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 100);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let line = line.trim_start();
            // Help describes options, also those for tests.
            if line.starts_with("//") || path.ends_with("file_kind.rs") {
                continue;
            }
            for phrase in ["Correct what", "correct what", "what is named", "`--reader sim`", "is `--reader sim"] {
                assert!(!line.contains(phrase), "{}:{}: {phrase:?}", path.display(), number + 1);
            }
        }
    }
}
