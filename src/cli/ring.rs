//! A key file while it is changed, or a token that keys are put into.

use std::path::{Path, PathBuf};

use super::args::KeyFileArgs;
use super::common::{self, CliError, Out};
use super::lock::{FileLock, LockError, PATIENCE};
use super::paths::real;
use super::replaced;
use super::stores::{self, TokenLock};
use super::token_uri;
use crate::base::Secret;
use crate::issuance::file_kind::FileKind;
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
        /// Held from before the file is read until it is replaced.
        _lock: FileLock,
    },
    Token {
        store: Box<Pkcs11Store>,
        /// Held from before its keys are read until they are changed.
        _lock: TokenLock,
    },
}

impl Ring {
    /// Locks a key file, opens it and compares every check value; or begins a new one, unsealed for test keys. Or opens a token.
    ///
    /// # Errors
    /// The file, the token or its secret is wrong.
    pub fn open(args: &KeyFileArgs, test: bool, out: &mut Out) -> Result<Self, CliError> {
        if let Some(place) = token_uri::read(&args.keys)? {
            let (store, lock) = stores::token_to_change(&place, &args.passphrase, out)?;
            let place = Place::Token { store: Box::new(store), _lock: lock };
            return Ok(Self { keys: Unsealed::default(), place });
        }
        let path = args.keys.clone();
        if path.exists() {
            // Before a lock is made next to a file of another kind.
            common::read_kind(&path, &[FileKind::KeyFile]).map(zeroize::Zeroizing::new)?;
        }
        let lock = lock(&path)?;
        let failed = |source| CliError::Keys { path: path.clone(), source };
        let (keys, passphrase) = match path.exists() {
            true => {
                let bytes = zeroize::Zeroizing::new(common::read_kind(&path, &[FileKind::KeyFile])?);
                let sealed = file::is_sealed(&bytes).map_err(failed)?;
                let passphrase = sealed.then(|| common::ask(&args.passphrase, false, out)).transpose()?;
                (file::read(&bytes, passphrase.as_ref()).map_err(failed)?, passphrase)
            }
            false if test => (Unsealed::default(), None),
            false => (Unsealed::default(), Some(common::ask(&args.passphrase, true, out)?)),
        };
        let live =
            if keys.infos().next().is_some() { keys.infos().any(|info| !info.test) } else { passphrase.is_some() };
        match keys.infos().next() {
            Some(_) => stores::guard(&args.passphrase, &path, passphrase.as_ref(), live, out)?,
            // A file that is not there yet has no keys to be told of; a short passphrase is refused when it is written.
            None if passphrase.is_some() => stores::guard_pin(&args.passphrase, live, out)?,
            None => {}
        }
        let ring = Self { keys, place: Place::File { path, passphrase, _lock: lock } };
        ring.tell(out);
        Ok(ring)
    }

    /// The keys of a key file that is not changed.
    ///
    /// # Errors
    /// The file or its passphrase is wrong.
    pub fn read(args: &KeyFileArgs, out: &mut Out) -> Result<Unsealed, CliError> {
        let bytes = zeroize::Zeroizing::new(common::read_kind(&args.keys, &[FileKind::KeyFile])?);
        let failed = |source| CliError::Keys { path: args.keys.clone(), source };
        let sealed = file::is_sealed(&bytes).map_err(failed)?;
        let passphrase = sealed.then(|| common::ask(&args.passphrase, false, out)).transpose()?;
        let keys = file::read(&bytes, passphrase.as_ref()).map_err(failed)?;
        let live = keys.infos().any(|info| !info.test);
        stores::guard(&args.passphrase, &args.keys, passphrase.as_ref(), live, out)?;
        keys.warnings().into_iter().for_each(|warning| out.warning(warning));
        Ok(keys)
    }

    /// Whether its keys lie in a sealed file.
    pub fn is_sealed(&self) -> bool {
        matches!(&self.place, Place::File { passphrase: Some(_), .. })
    }

    /// Has a sealed file sealed under this passphrase from now on; returns false if it is the old one, or there is none.
    pub fn change_passphrase(&mut self, new: Secret<Vec<u8>>) -> bool {
        match &mut self.place {
            Place::File { passphrase: Some(old), .. } if !old.equals(new.expose()) => {
                *old = new;
                true
            }
            _ => false,
        }
    }

    /// Tells of weak keys.
    pub fn tell(&self, out: &mut Out) {
        self.keys.warnings().into_iter().for_each(|warning| out.warning(warning));
    }

    /// Uses the keys that are there.
    pub fn with<T>(&self, use_it: impl FnOnce(&dyn KeyStore) -> T) -> T {
        match &self.place {
            Place::File { .. } => use_it(&self.keys.to_store()),
            Place::Token { store, .. } => use_it(store.as_ref()),
        }
    }

    /// Writes the file, or puts the new keys into the token.
    ///
    /// # Errors
    /// It cannot be; a file is then as it was.
    pub fn write(self) -> Result<(), CliError> {
        let (path, passphrase, _lock) = match self.place {
            Place::Token { mut store, _lock } => return Ok(self.keys.put_into(&mut store)?),
            Place::File { path, passphrase, _lock } => (path, passphrase, _lock),
        };
        let failed = |source| CliError::Keys { path: path.clone(), source };
        let text = match &passphrase {
            Some(passphrase) => file::seal(&self.keys, passphrase, &mut common::chance()).map_err(failed)?,
            None => file::mark(&self.keys).map_err(failed)?,
        };
        // A link stays a link: the file that it leads to is changed, as it is that file that is locked.
        replaced::replace(&real(&path), &zeroize::Zeroizing::new(text), |written| {
            file::verify(written, passphrase.as_ref(), &self.keys).map_err(failed)
        })
    }
}

fn lock(path: &Path) -> Result<FileLock, CliError> {
    FileLock::beside(path, PATIENCE).map_err(|error| match error {
        LockError::Held => CliError::KeysInUse(path.to_owned()),
        LockError::Failed(lock, source) => CliError::Lock { path: path.to_owned(), lock, source },
    })
}
