//! A key file while it is changed, or a token that keys are put into.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::KeyFileArgs;
use super::common::{self, CliError};
use super::stores::TokenUri;
use crate::base::Secret;
use crate::keys::KeyStore;
use crate::keys::file::{self, Unsealed};
use crate::keys::pkcs11::Pkcs11Store;

/// Keys, and where they lie.
pub struct Ring {
    /// Of a file all its keys; of a token the new ones.
    pub keys: Unsealed,
    place: Place,
}

enum Place {
    File {
        path: PathBuf,
        /// Of a sealed file: it is sealed again under the same.
        passphrase: Option<Secret<Vec<u8>>>,
    },
    Token(Box<Pkcs11Store>),
}

impl Ring {
    /// Opens a key file and compares every check value; or begins a new one, unsealed for test keys. Or opens a token.
    ///
    /// # Errors
    /// The file, the token or its secret is wrong.
    pub fn open(args: &KeyFileArgs, test: bool) -> Result<Self, CliError> {
        if let Some(token) = TokenUri::read(&args.keys)? {
            let place = Place::Token(Box::new(token.open(&args.passphrase)?));
            return Ok(Self { keys: Unsealed::default(), place });
        }
        let path = args.keys.clone();
        let failed = |source| CliError::Keys { path: path.clone(), source };
        let (keys, passphrase) = match path.exists() {
            true => {
                let bytes = common::read(&path)?;
                let sealed = file::is_sealed(&bytes).map_err(failed)?;
                let passphrase = sealed.then(|| common::ask(&args.passphrase, false)).transpose()?;
                (file::read(&bytes, passphrase.as_ref()).map_err(failed)?, passphrase)
            }
            false if test => (Unsealed::default(), None),
            false => (Unsealed::default(), Some(common::ask(&args.passphrase, true)?)),
        };
        Ok(Self { keys, place: Place::File { path, passphrase } })
    }

    /// Uses the keys that are there.
    pub fn with<T>(&self, use_it: impl FnOnce(&dyn KeyStore) -> T) -> T {
        match &self.place {
            Place::File { .. } => use_it(&self.keys.to_store()),
            Place::Token(token) => use_it(token.as_ref()),
        }
    }

    /// Writes the file, or puts the new keys into the token.
    ///
    /// # Errors
    /// It cannot be; a file is then as it was.
    pub fn write(self) -> Result<(), CliError> {
        let (path, passphrase) = match self.place {
            Place::Token(mut token) => return Ok(self.keys.put_into(&mut token)?),
            Place::File { path, passphrase } => (path, passphrase),
        };
        let failed = |source| CliError::Keys { path: path.clone(), source };
        let text = match &passphrase {
            Some(passphrase) => file::seal(&self.keys, passphrase, &mut common::chance()).map_err(failed)?,
            None => file::mark(&self.keys).map_err(failed)?,
        };
        replace(&path, &zeroize::Zeroizing::new(text))
    }
}

/// Replaces a file whole: another process sees the old one or the new one, and it lasts.
fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| failed(std::io::Error::other("it is no name of a file")))?;
    let beside = folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = write_new(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if let Err(error) = written {
        // What is left of the new file is no use to anybody.
        let _ = std::fs::remove_file(&beside);
        return Err(failed(error));
    }
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
