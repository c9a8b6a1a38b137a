//! SoftHSM, with tokens in a folder of their own, made by its own tool. Its module reads the folder from the environment when
//! it is loaded, so a program that uses it starts itself again.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use tempfile::TempDir;

/// The user PIN of every token.
pub const PIN: &str = "726354";

/// Set where the configuration of SoftHSM is ours: the module's path.
const MARK: &str = "PERSO_SOFTHSM_MODULE";

/// SoftHSM's module, in a program that was started again; none without SoftHSM.
pub fn module() -> Option<PathBuf> {
    std::env::var_os(MARK).map(PathBuf::from)
}

/// Runs this program again with an empty token for each label, and returns how that ended; none where it is the second run
/// already, or there is no SoftHSM. A module that runs does not see new tokens.
pub fn again(labels: &[&str]) -> Option<ExitCode> {
    if module().is_some() {
        return None;
    }
    let module = installed()?;
    let folder = folder(labels);
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(std::env::args_os().skip(1));
    again.env("SOFTHSM2_CONF", folder.path().join("softhsm2.conf")).env(MARK, module);
    let code = again.status().unwrap().code();
    Some(ExitCode::from(u8::try_from(code.unwrap_or(1)).unwrap_or(1)))
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

fn folder(labels: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    let conf = folder.path().join("softhsm2.conf");
    std::fs::write(&conf, text).unwrap();
    for label in labels {
        let init = ["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN];
        let made = Command::new("softhsm2-util").args(init).env("SOFTHSM2_CONF", &conf).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    folder
}
