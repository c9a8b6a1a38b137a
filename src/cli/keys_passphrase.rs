//! `perso keys passphrase`.

use serde::Serialize;

use super::args::{NewPassphraseArgs, PassphraseArgs};
use super::common::{self, CliError, Out};
use super::ring::Ring;
use super::{stores, token_uri};
use crate::keys::file::KeyFileError;

/// A key file whose passphrase was changed.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Resealed {
    /// The key file.
    resealed: String,
    /// Number of its keys.
    keys: usize,
}

/// Seals a key file under another passphrase. The file is locked, written anew and read back as for any other change.
///
/// # Errors
/// The file is not sealed, a passphrase is wrong, too short for live keys or the same, or the file cannot be changed;
/// then it is as it was.
pub fn run(args: &NewPassphraseArgs, out: &mut Out) -> Result<(), CliError> {
    let path = &args.file.keys;
    if token_uri::is_token(path) {
        let why = "a token has a PIN and no passphrase; change it with the tools of the token".to_owned();
        return Err(CliError::Option { option: "--keys", why });
    }
    // A file that is not there is no new one.
    common::read_kind(path, &[crate::issuance::file_kind::FileKind::KeyFile]).map(zeroize::Zeroizing::new)?;
    let mut ring = Ring::open(&args.file, false, out)?;
    let failed = |source| CliError::Keys { path: path.clone(), source };
    if !ring.is_sealed() {
        return Err(failed(KeyFileError::NotSealed));
    }
    let new = PassphraseArgs {
        passphrase_file: args.new_passphrase_file.clone(),
        passphrase_fd: args.new_passphrase_fd,
        ..PassphraseArgs::default()
    };
    let phrase = common::ask(&new, true, out)?;
    stores::guard_pin(&new, ring.keys.infos().any(|info| !info.test), out)?;
    let keys = ring.keys.infos().count();
    if !ring.change_passphrase(phrase) {
        return Err(failed(KeyFileError::SamePassphrase));
    }
    ring.write()?;
    if !out.json(&Resealed { resealed: path.display().to_string(), keys }) {
        out.line(format!("Changed the passphrase of {}: {keys} keys.", path.display()));
    }
    Ok(())
}
