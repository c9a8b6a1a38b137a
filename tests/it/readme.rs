//! The commands of the README's first hour, as they are written there.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::symlink;
use std::path::Path;

/// Exit codes that are not 0, by what the line says of them.
fn expected(line: &str) -> i32 {
    match line {
        _ if line.contains("refused") => 9,
        _ if line.contains("SPOILED") => 7,
        _ => 0,
    }
}

#[test]
fn the_first_hour_runs_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let block = readme.split("## A first hour").nth(1).unwrap().split("```sh\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();

    let folder = tempfile::tempdir().unwrap();
    for name in ["tests", "card-profiles"] {
        symlink(root.join(name), folder.path().join(name)).unwrap();
    }
    std::fs::create_dir_all(folder.path().join("target/release")).unwrap();
    symlink(assert_cmd::cargo::cargo_bin!("perso"), folder.path().join("target/release/perso")).unwrap();

    let mut script = String::new();
    let mut wanted = Vec::new();
    for line in block.lines().filter(|line| !line.is_empty()) {
        script += line;
        script += "\n";
        if line.starts_with("perso ") {
            script += "echo \"code=$?\"\n";
            wanted.push(expected(line));
        }
    }
    assert!(wanted.len() >= 10, "{block}");
    let mut command = std::process::Command::new("bash");
    let output = command.current_dir(folder.path()).args(["-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let seen: Vec<i32> = text.lines().filter_map(|line| line.strip_prefix("code=")?.parse().ok()).collect();
    // `perso doctor` finds what this machine lacks, and that is not for the README to know.
    let doctor =
        block.lines().filter(|line| line.starts_with("perso ")).position(|line| line.starts_with("perso doctor"));
    let checked = |codes: &[i32]| -> Vec<i32> {
        codes.iter().enumerate().filter(|(at, _)| Some(*at) != doctor).map(|(_, code)| *code).collect()
    };
    assert_eq!(checked(&seen), checked(&wanted), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_quickstart_ends_as_the_readme_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let shown = readme.split("## Two commands").nth(1).unwrap().split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    // The command of scripts/quickstart.sh.
    let script = std::fs::read_to_string(root.join("scripts/quickstart.sh")).unwrap();
    let call = script.split("\"$perso\" run ").nth(1).unwrap().split("--journal").next().unwrap().replace('\\', " ");
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perso"))
        .current_dir(root)
        .args(["--config", "none", "run"])
        .args(call.split_whitespace())
        .output()
        .unwrap();
    // Another chip each time, and another time.
    let compared = |text: &str| -> Vec<String> {
        let differs = |line: &&str| ["Chip ", "Took "].iter().any(|word| line.starts_with(word));
        text.lines().map(|line| if differs(&line) { line[..5].to_owned() } else { line.to_owned() }).collect()
    };
    assert_eq!(compared(&String::from_utf8(output.stdout).unwrap()), compared(shown));
}
