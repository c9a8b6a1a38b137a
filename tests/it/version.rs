//! `perso --version`, and the build script that finds the commit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "../../build.rs"]
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

/// The build script, compiled alone and run as a release build of this folder runs it: the version that the program prints.
fn released(script: &std::path::Path, folder: &std::path::Path) -> String {
    let output = std::process::Command::new(script)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("CARGO_MANIFEST_DIR", folder)
        .env("PROFILE", "release")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=PERSO_VERSION="));
    line.unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn run(program: &str, folder: &std::path::Path, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new(program).current_dir(folder).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn a_release_names_its_commit_from_a_checkout_and_from_a_source_archive() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("build-script");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let built = std::process::Command::new(rustc)
        .args(["--edition", "2024", "-o"])
        .arg(&script)
        .arg(root.join("build.rs"))
        .env("CARGO_PKG_VERSION", env!("CARGO_PKG_VERSION"))
        .output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let version = env!("CARGO_PKG_VERSION");
    // A checkout of one commit, with the files that the commit's name is put into.
    let checkout = folder.path().join("checkout");
    std::fs::create_dir(&checkout).unwrap();
    for file in ["COMMIT", ".gitattributes"] {
        std::fs::copy(root.join(file), checkout.join(file)).unwrap();
    }
    assert_eq!(released(&script, &checkout), version, "without git there is no commit");
    let git = |arguments: &[&str]| {
        let person = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        run("git", &checkout, &[&person[..], arguments].concat())
    };
    if git(&["init", "-q"]).is_none() {
        println!("skipped: git is not installed");
        return;
    }
    git(&["add", "-A"]).unwrap();
    git(&["commit", "-q", "-m", "first"]).unwrap();
    let commit = git(&["rev-parse", "HEAD"]).unwrap();
    let wanted = format!("{version} (commit {})", &commit[..12]);
    assert_eq!(released(&script, &checkout), wanted);
    // The archive has no .git.
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    git(&["archive", "--format=tar", "-o", "../archive.tar", "HEAD"]).unwrap();
    if run("tar", &archive, &["-xf", "../archive.tar"]).is_none() {
        println!("skipped: tar is not installed");
        return;
    }
    assert!(!archive.join(".git").exists());
    assert_eq!(released(&script, &archive), wanted);
}
