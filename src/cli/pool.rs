//! `perso pool`, and a pool in this process's hands alone while keys are taken out of it or put into it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::args::PoolCommand;
use super::common::{self, CliError, Out};
use super::lock::{FileLock, LockError};
use super::paths::real;
use super::preparation_error::PreparationError;
use super::progress::Counter;
use super::replaced;
use crate::issuance::file_kind::FileKind;
use crate::issuance::setup::{self, CardKeyPool, PortError};
use crate::keys::KeyStore;
use crate::prepare::{Pool, PoolError};

/// A pool that no other process takes from until this is gone.
pub struct HeldPool {
    path: PathBuf,
    keys: Pool,
    _lock: FileLock,
}

impl HeldPool {
    /// Locks a pool and opens it.
    ///
    /// # Errors
    /// It is in use, cannot be locked, or does not open.
    pub fn open(path: &Path, store: &dyn KeyStore) -> Result<Self, CliError> {
        // Another file, or none, gets no lock next to it.
        common::read_kind(path, &[FileKind::Pool]).map(drop)?;
        Self::lock(path, |path| open(path, store))
    }

    /// Locks a pool and opens it; an empty one where there is no file yet.
    fn open_or_new(path: &Path, store: &dyn KeyStore, first_serial: Option<[u8; 3]>) -> Result<Self, CliError> {
        Self::lock(path, |path| match path.exists() {
            true => open(path, store),
            false => Ok(first_serial.map_or_else(Pool::new, Pool::counting_from)),
        })
    }

    fn lock(path: &Path, open: impl FnOnce(&Path) -> Result<Pool, CliError>) -> Result<Self, CliError> {
        // A link to a pool and the pool itself have one lock.
        let path = real(path);
        let _lock = lock_beside(&path)?;
        let keys = open(&path)?;
        Ok(Self { path, keys, _lock })
    }

    fn save_under(&self, key: &str, store: &dyn KeyStore) -> Result<(), CliError> {
        let failed = |source| PreparationError::Pool { path: self.path.clone(), source };
        let text = self.keys.seal(key, store, &mut common::chance()).map_err(failed)?;
        replaced::replace(&self.path, &text, |written| Ok(self.keys.verify(written, store).map_err(failed)?))
    }
}

/// The pool in a file.
pub struct PoolFile(pub PathBuf);

impl CardKeyPool for PoolFile {
    fn hold(&self, keys: &dyn KeyStore) -> Result<Box<dyn setup::HeldPool>, PortError> {
        Ok(Box::new(HeldPool::open(&self.0, keys)?))
    }
}

impl setup::HeldPool for HeldPool {
    fn keys(&mut self) -> &mut Pool {
        &mut self.keys
    }

    /// Replaces the file, sealed under the key that it came with.
    fn save(self: Box<Self>, keys: &dyn KeyStore) -> Result<(), PortError> {
        let key = self.keys.key().unwrap_or_default().to_owned();
        Ok(self.save_under(&key, keys)?)
    }
}

impl From<CliError> for PortError {
    fn from(error: CliError) -> Self {
        Box::new(error)
    }
}

fn serial(text: &str) -> Result<[u8; 3], CliError> {
    let bytes: Option<[u8; 3]> = common::bytes("--first-serial", text).ok().and_then(|bytes| bytes.try_into().ok());
    let wrong =
        || CliError::Option { option: "--first-serial", why: "must be three bytes in hexadecimal, from 000001".into() };
    bytes.filter(|serial| *serial != [0; 3]).ok_or_else(wrong)
}

/// Opens a pool without taking from it.
///
/// # Errors
/// It cannot be read, or does not open.
pub(super) fn open(path: &Path, store: &dyn KeyStore) -> Result<Pool, CliError> {
    let failed = |source| PreparationError::Pool { path: path.to_owned(), source };
    Ok(Pool::open(&common::read_kind(path, &[FileKind::Pool])?, store).map_err(failed)?)
}

fn lock_beside(path: &Path) -> Result<FileLock, PreparationError> {
    FileLock::beside(path, Duration::ZERO).map_err(|error| match error {
        LockError::Held => PreparationError::PoolInUse(path.to_owned()),
        LockError::Failed(lock, source) => PreparationError::PoolLock { path: path.to_owned(), lock, source },
    })
}

#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct StockView {
    /// Bits of the modulus.
    bits: usize,
    /// Public exponent.
    exponent: u32,
    /// How many keys.
    keys: usize,
}

/// Fills a pool, or tells what is in it.
///
/// # Errors
/// The pool, its key or an option is wrong, or another process uses the pool.
pub fn run(command: &PoolCommand, out: &mut Out) -> Result<u8, CliError> {
    let stock = match command {
        PoolCommand::Status { pool, keys, passphrase } => open(pool, &common::keys(keys, passphrase, out)?)?.stock(),
        PoolCommand::Generate { pool: path, count, bits, exponent, first_serial, key, keys, passphrase } => {
            let store = common::keys(keys, passphrase, out)?;
            if !matches!(exponent, 3 | 65_537) || !(512..=1984).contains(bits) || !bits.is_multiple_of(8) {
                let why = "EMV keys have 512 to 1984 bits in whole bytes, and exponent 3 or 65537".into();
                return Err(CliError::Option { option: "--bits, --exponent", why });
            }
            let first = first_serial.as_deref().map(serial).transpose()?;
            if first.is_some() && path.exists() {
                let why = "the pool is there already and goes on counting; leave the option out".into();
                return Err(CliError::Option { option: "--first-serial", why });
            }
            let mut pool = HeldPool::open_or_new(path, &store, first)?;
            let failed = |source: PoolError| PreparationError::Pool { path: path.clone(), source };
            let (counter, mut chance) = (Counter::begin("making RSA keys", *count, out.is_quiet()), common::chance());
            for done in 1..=*count {
                pool.keys.fill(1, *bits, *exponent, &mut chance).map_err(failed)?;
                counter.done(done);
            }
            drop(counter);
            pool.save_under(key, &store)?;
            pool.keys.stock()
        }
    };
    let stock: Vec<StockView> =
        stock.into_iter().map(|(bits, exponent, keys)| StockView { bits, exponent, keys }).collect();
    if !out.json(&stock) {
        let row = |line: &StockView| vec![line.bits.to_string(), line.exponent.to_string(), line.keys.to_string()];
        match stock.as_slice() {
            [] => out.line("The pool is empty."),
            stock => out.table(&["BITS", "EXPONENT", "KEYS"], &stock.iter().map(row).collect::<Vec<_>>()),
        }
    }
    Ok(0)
}
