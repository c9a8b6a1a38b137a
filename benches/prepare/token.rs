//! A token of SoftHSM in a folder of its own, with the sample keys.

use std::path::PathBuf;
use std::process::Command;

use perso::base::Secret;
use perso::keys::file::Unsealed;
use perso::keys::pkcs11::{Pkcs11Store, TokenPlace};
use tempfile::TempDir;

/// Set where the configuration of SoftHSM is ours: the module's path.
pub const MARK: &str = "PERSO_BENCH_TOKEN_MODULE";

const LABEL: &str = "bench";
const PIN: &str = "726354";

/// SoftHSM's module, where it and its tool are installed.
pub fn module() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ];
    let module = places.iter().map(PathBuf::from).find(|path| path.exists())?;
    Command::new("softhsm2-util").arg("--version").output().ok().map(|_| module)
}

/// A folder with a configuration and an empty token.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    let conf = folder.path().join("softhsm2.conf");
    std::fs::write(&conf, text).unwrap();
    let init = ["--init-token", "--free", "--label", LABEL, "--so-pin", "12345678", "--pin", PIN];
    let made = Command::new("softhsm2-util").args(init).env("SOFTHSM2_CONF", &conf).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

/// The token with these keys; none without SoftHSM.
pub fn filled(keys: Unsealed) -> Option<Pkcs11Store> {
    let module = PathBuf::from(std::env::var_os(MARK)?);
    let place = TokenPlace { module: &module, label: LABEL };
    let mut store = Pkcs11Store::open(place, &Secret::new(PIN.as_bytes().to_vec())).unwrap();
    keys.put_into(&mut store).unwrap();
    Some(store)
}
