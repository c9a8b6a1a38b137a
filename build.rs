//! The version with the commit that a release is built from, for `perso --version`.
//!
//! Where the commit comes from, first that is known: the variable PERSO_COMMIT; the file COMMIT, which `git archive`
//! fills in; git, if this folder is a checkout. Without any of them the version stands alone. Nothing else enters: the
//! same commit gives the same bytes. A build for development does without, so that a commit rebuilds nothing.

use std::path::Path;
use std::process::Command;

fn main() {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    println!("cargo::rerun-if-changed=build.rs");
    // A file that is not there would have everything built again each time.
    if Path::new(&root).join("COMMIT").exists() {
        println!("cargo::rerun-if-changed=COMMIT");
    }
    println!("cargo::rerun-if-env-changed=PERSO_COMMIT");
    let stated = std::env::var("PERSO_COMMIT").ok().filter(|commit| is_commit(commit));
    let commit =
        stated.or_else(|| archived(Path::new(&root))).or_else(|| checkout(Path::new(&root)).filter(|_| release));
    if release {
        head(Path::new(&root)).iter().for_each(|file| println!("cargo::rerun-if-changed={file}"));
    }
    let version = env!("CARGO_PKG_VERSION");
    match commit {
        // As long from an archive as from a checkout.
        Some(commit) => println!("cargo::rustc-env=PERSO_VERSION={version} (commit {commit:.12})"),
        None => println!("cargo::rustc-env=PERSO_VERSION={version}"),
    }
}

/// The commit in an archive that `git archive` made: it has replaced the placeholder of the file COMMIT.
fn archived(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("COMMIT")).ok()?;
    text.lines().map(str::trim).find(|line| is_commit(line)).map(String::from)
}

/// The commit that is checked out here. A checkout of something else that this folder lies in does not count.
fn checkout(root: &Path) -> Option<String> {
    root.join(".git").exists().then(|| git(root, &["rev-parse", "HEAD"])).flatten().filter(|it| is_commit(it))
}

/// The files that change when another commit is checked out.
fn head(root: &Path) -> Vec<String> {
    if !root.join(".git").exists() {
        return Vec::new();
    }
    let branch = git(root, &["symbolic-ref", "-q", "HEAD"]);
    let names = ["HEAD".to_owned(), "packed-refs".to_owned()].into_iter().chain(branch);
    let files = names.filter_map(|name| git(root, &["rev-parse", "--git-path", &name]));
    // As with COMMIT.
    files.filter(|file| root.join(file).exists()).collect()
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Whether it looks like a commit's name.
pub fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_git_or_commit_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!((archived(folder.path()), checkout(folder.path())), (None, None));
        assert!(head(folder.path()).is_empty());
        std::fs::write(folder.path().join("COMMIT"), "$Format:%h$\n").unwrap();
        assert_eq!(archived(folder.path()), None);
        std::fs::write(folder.path().join("COMMIT"), "0123abcd4567\n").unwrap();
        assert_eq!(archived(folder.path()).as_deref(), Some("0123abcd4567"));
    }

    #[test]
    fn a_checkout_gives_its_commit_and_the_files_that_change_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            git(
                folder.path(),
                &[&["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"], arguments].concat(),
            )
        };
        if run(&["init", "-q"]).is_none() && !folder.path().join(".git").exists() {
            println!("skipped: git is not installed");
            return;
        }
        assert_eq!(checkout(folder.path()), None);
        run(&["commit", "-q", "--allow-empty", "-m", "first"]);
        let commit = checkout(folder.path()).unwrap();
        assert!(run(&["log", "-1", "--format=%H"]).unwrap().starts_with(&commit), "{commit}");
        let files = head(folder.path());
        assert!(files.len() >= 2 && files.iter().all(|file| folder.path().join(file).exists()), "{files:?}");
    }
}
