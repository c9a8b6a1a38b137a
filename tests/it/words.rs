//! Phrases that no message and no document has.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

/// Phrases that were replaced by plain ones.
const DROPPED: [&str; 17] = [
    "stands twice",
    "it is none of",
    "no moment of RFC",
    "specifications lay down",
    "not laid down",
    "no month of a card",
    "for the antenna",
    "over the antenna",
    "not seen here",
    "last digit tells",
    "so many bytes",
    "nothing is to be done",
    "in a state of its own",
    "does not vary",
    "Programs that are not ours",
    "of no use any more",
    "is no derived key",
];

fn files(folder: &Path, ends: &str, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ends, out);
        } else if path.to_str().unwrap().ends_with(ends) {
            out.push(path);
        }
    }
}

#[test]
fn messages_and_documents_have_none_of_the_dropped_phrases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![root.join("README.md")];
    files(&root.join("docs"), ".md", &mut all);
    files(&root.join("src"), ".rs", &mut all);
    assert!(all.len() > 100, "{}", all.len());
    let mut found = Vec::new();
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        // Comments of the code are not what users read.
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (at, line) in lines {
            let phrases = DROPPED.iter().filter(|phrase| line.contains(*phrase));
            found.extend(phrases.map(|phrase| format!("{}:{}: {phrase}", path.display(), at + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
