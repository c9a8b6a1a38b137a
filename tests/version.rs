//! `perso --version`, and the build script that finds the commit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "../build.rs"]
mod build_script;

#[test]
fn the_version_is_that_of_the_package() {
    let output = assert_cmd::Command::cargo_bin("perso").unwrap().arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let wanted = format!("perso {}", env!("CARGO_PKG_VERSION"));
    let rest = text.trim_end().strip_prefix(&wanted).unwrap_or_else(|| panic!("{text}"));
    let commit = rest.strip_prefix(" (commit ").and_then(|rest| rest.strip_suffix(')'));
    assert!(rest.is_empty() || commit.is_some_and(build_script::is_commit), "{text}");
    let short = assert_cmd::Command::cargo_bin("perso").unwrap().arg("-V").output().unwrap();
    assert_eq!(String::from_utf8(short.stdout).unwrap().trim_end(), wanted);
}
