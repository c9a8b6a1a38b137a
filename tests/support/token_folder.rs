//! Tokens of SoftHSM in a folder of their own, made by its own tool.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The user PIN of every token.
pub const PIN: &str = "726354";

/// Tokens that only processes with their configuration see.
pub struct Tokens {
    module: PathBuf,
    folder: TempDir,
}

impl Tokens {
    /// An empty token for each label; none without SoftHSM. A module that runs does not see new tokens.
    pub fn new(labels: &[&str]) -> Option<Self> {
        let tokens = Self { module: installed()?, folder: tempfile::tempdir().unwrap() };
        let place = tokens.folder.path().join("tokens");
        std::fs::create_dir(&place).unwrap();
        let text =
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", place.display());
        std::fs::write(tokens.configuration(), text).unwrap();
        for label in labels {
            let init = ["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN];
            let mut command = Command::new("softhsm2-util");
            let made = tokens.seen_by(command.args(init)).output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Some(tokens)
    }

    /// SoftHSM's module.
    pub fn module(&self) -> &Path {
        &self.module
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("softhsm2.conf")
    }

    /// A command that sees these tokens.
    pub fn seen_by<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SOFTHSM2_CONF", self.configuration())
    }
}

/// The URI of a token.
pub fn uri(module: &Path, label: &str) -> String {
    format!("pkcs11:token={label}?module-path={}", module.display())
}

fn installed() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ];
    let module = places.iter().map(PathBuf::from).find(|path| path.exists())?;
    Command::new("softhsm2-util").arg("--version").output().ok().map(|_| module)
}
