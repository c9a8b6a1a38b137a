//! The examples of docs/calc.md, as they are written there. `PERSO_BLESS=1` rewrites what they print.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

#[test]
fn the_examples_print_what_stands_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("docs/calc.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("```console\n").unwrap();
    let (block, after) = rest.split_once("```").unwrap();
    let program = Path::new(assert_cmd::cargo::cargo_bin!("perso")).parent().unwrap();
    let places = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() >= 10, "{block}");
    let mut made = String::new();
    for command in commands {
        let output = Command::new("sh").args(["-c", command]).env("PATH", &places).current_dir(root).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        made += &format!("$ {command}\n{}", String::from_utf8(output.stdout).unwrap());
    }
    if std::env::var_os("PERSO_BLESS").is_some() {
        std::fs::write(&path, format!("{before}```console\n{made}```{after}")).unwrap();
        return;
    }
    assert_eq!(block, made, "docs/calc.md is not what the program prints; PERSO_BLESS=1 rewrites it");
}
