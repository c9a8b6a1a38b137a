//! RSA keys of cards, made ahead: making one takes longer than everything else about a card.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::PrepareError;
use crate::base::chance::ChanceError;
use crate::base::crypto::{NONCE, RsaError, RsaPrivate};
use crate::base::fault::{Code, Fault};
use crate::base::{Chance, Secret};
use crate::keys::{KeyError, KeyStore, Purpose};

/// A pool of RSA keys. Each key is given out once.
pub struct Pool {
    /// Name of the record key that the file is sealed under; none where there is no file yet.
    sealed_under: Option<String>,
    keys: Vec<Pooled>,
    /// Serial number of the next certificate: 1 to FFFFFF.
    next_serial: u32,
}

/// A key as its primes: a pool is opened for one of its keys, and only that one is built and looked at.
struct Pooled {
    bits: usize,
    exponent: u32,
    p: Secret<Vec<u8>>,
    q: Secret<Vec<u8>>,
}

impl Pooled {
    fn of(bits: usize, exponent: u32, key: &RsaPrivate) -> Result<Self, RsaError> {
        Ok(Self { bits, exponent, p: key.p()?, q: key.q()? })
    }

    /// The key. Its primes were tested when they were made, and have been sealed since.
    fn key(&self) -> Result<RsaPrivate, RsaError> {
        RsaPrivate::from_tested_primes(&self.p, &self.q, &minimal(self.exponent))
    }
}

/// The file of a pool: AES-256-GCM under a record key.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolFile {
    /// Version of this format: 2; 1 is read too.
    perso_pool: u32,
    /// Name of the record key.
    key: String,
    /// Twelve bytes, hexadecimal.
    nonce: String,
    /// The keys, hexadecimal.
    ciphertext: String,
    /// Sixteen bytes, hexadecimal.
    tag: String,
}

/// A key of a pool, within the seal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairFile {
    bits: usize,
    exponent: u32,
    p: String,
    q: String,
}

impl Drop for PairFile {
    fn drop(&mut self) {
        self.p.zeroize();
        self.q.zeroize();
    }
}

/// A pool, within the seal. Version 1 had the keys alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyFile {
    /// Serial number of the next certificate of a card's key.
    next_serial: u32,
    keys: Vec<PairFile>,
}

/// Associated data of the seal: a record's body does not pass for a pool.
const HEADER: &[u8] = b"perso pool 2";
const HEADER_1: &[u8] = b"perso pool 1";
/// The last serial number: three bytes. // EMV B2 §6.4
const LAST_SERIAL: u32 = 0x00FF_FFFF;

/// What is wrong with a pool.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Not a pool's file.
    #[error("it is not a pool of version 1 or 2 (line {line}, column {column})")]
    Syntax {
        /// Line of the first fault.
        line: usize,
        /// Column of the first fault.
        column: usize,
    },
    /// What is sealed is no pool.
    #[error("what is sealed in it is no pool")]
    Seal,
    /// The keys cannot be written as JSON.
    #[error("the keys cannot be written as JSON; the pool is as it was")]
    Unwritable,
    /// A new pool does not open, or opens to other keys.
    #[error("the new pool does not open to the keys that were written; the old one is as it was")]
    NotTheSame,
    /// RSA.
    #[error(transparent)]
    Rsa(#[from] RsaError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
}

impl Fault for PoolError {
    fn code(&self) -> Code {
        match self {
            PoolError::Key(error) => error.code(),
            PoolError::Rsa(_) | PoolError::Chance(_) | PoolError::Unwritable | PoolError::NotTheSame => {
                Code::ProgramFault
            }
            PoolError::Syntax { .. } | PoolError::Seal => Code::PrepareData,
        }
    }
}

impl Pool {
    /// An empty pool, whose certificates count from 1.
    pub fn new() -> Self {
        Self::counting_from([0, 0, 1])
    }

    /// An empty pool, whose certificates count from this serial number.
    pub fn counting_from([high, middle, low]: [u8; 3]) -> Self {
        let next_serial = u32::from_be_bytes([0, high, middle, low]);
        Self { sealed_under: None, keys: Vec::new(), next_serial }
    }

    /// Makes so many keys more.
    ///
    /// # Errors
    /// The size is none, or the random source failed.
    pub fn fill(&mut self, count: usize, bits: usize, exponent: u32, chance: &mut Chance) -> Result<(), PoolError> {
        for _ in 0..count {
            self.keys.push(Pooled::of(bits, exponent, &RsaPrivate::generate(bits, exponent, chance)?)?);
        }
        Ok(())
    }

    /// How many keys there are of each size and exponent.
    pub fn stock(&self) -> Vec<(usize, u32, usize)> {
        let mut stock: Vec<(usize, u32, usize)> = Vec::new();
        for key in &self.keys {
            match stock.iter_mut().find(|(bits, exponent, _)| (*bits, *exponent) == (key.bits, key.exponent)) {
                Some((.., count)) => *count += 1,
                None => stock.push((key.bits, key.exponent, 1)),
            }
        }
        stock
    }

    /// A serial number for a certificate of a card's key, given out once. None is left after FFFFFF.
    pub(super) fn serial(&mut self) -> Result<[u8; 3], PrepareError> {
        if self.next_serial > LAST_SERIAL {
            return Err(PrepareError::NoSerial);
        }
        let [_, high, middle, low] = self.next_serial.to_be_bytes();
        self.next_serial += 1;
        Ok([high, middle, low])
    }

    /// Reads a pool's file.
    ///
    /// # Errors
    /// It is none, or does not open.
    pub fn open(bytes: &[u8], store: &dyn KeyStore) -> Result<Self, PoolError> {
        let syntax = |error: serde_json::Error| PoolError::Syntax { line: error.line(), column: error.column() };
        let file: PoolFile = serde_json::from_slice(bytes).map_err(syntax)?;
        let header = match file.perso_pool {
            1 => HEADER_1,
            2 => HEADER,
            _ => return Err(PoolError::Syntax { line: 1, column: 1 }),
        };
        let key = store.open(&file.key, Purpose::Record)?;
        let hex = |text: &str| hex::decode(text).map_err(|_| PoolError::Seal);
        let nonce = hex(&file.nonce)?.try_into().map_err(|_| PoolError::Seal)?;
        let tag = hex(&file.tag)?.try_into().map_err(|_| PoolError::Seal)?;
        let body = store.open_body(&key, &nonce, header, &hex(&file.ciphertext)?, &tag)?;
        // The parser's words are not passed on: they might quote a prime.
        let body = match file.perso_pool {
            1 => serde_json::from_slice(body.expose()).map(|keys| BodyFile { next_serial: 1, keys }),
            _ => serde_json::from_slice(body.expose()),
        };
        let BodyFile { next_serial, keys } = body.map_err(|_| PoolError::Seal)?;
        let keys = keys.iter().map(PairFile::pooled).collect::<Result<_, _>>()?;
        Ok(Self { sealed_under: Some(file.key), keys, next_serial })
    }

    /// Name of the record key that the pool's file is sealed under; none where there is no file yet.
    pub fn key(&self) -> Option<&str> {
        self.sealed_under.as_deref()
    }

    /// Opens a pool's file that was just written, and compares its keys with these, before it replaces another file.
    ///
    /// # Errors
    /// [`PoolError::NotTheSame`], and as [`Pool::open`].
    pub fn verify(&self, bytes: &[u8], store: &dyn KeyStore) -> Result<(), PoolError> {
        let written = Self::open(bytes, store)?;
        let same = |(one, other): (&Pooled, &Pooled)| {
            (one.bits, one.exponent) == (other.bits, other.exponent)
                && one.p.equals(other.p.expose())
                && one.q.equals(other.q.expose())
        };
        let all = written.keys.len() == self.keys.len() && written.keys.iter().zip(&self.keys).all(same);
        if all { Ok(()) } else { Err(PoolError::NotTheSame) }
    }

    /// The pool's file, sealed under a record key.
    ///
    /// # Errors
    /// The key is not in custody, or the random source failed.
    pub fn seal(&self, key: &str, store: &dyn KeyStore, chance: &mut Chance) -> Result<String, PoolError> {
        let handle = store.open(key, Purpose::Record)?;
        let body = BodyFile { next_serial: self.next_serial, keys: self.keys.iter().map(PairFile::of).collect() };
        let body = Secret::of_json(&body).map_err(|_| PoolError::Unwritable)?;
        let nonce: [u8; NONCE] = chance.bytes()?;
        let (ciphertext, tag) = store.seal_body(&handle, &nonce, HEADER, &body)?;
        let file = PoolFile {
            perso_pool: 2,
            key: key.to_owned(),
            nonce: hex::encode_upper(nonce),
            ciphertext: hex::encode_upper(ciphertext),
            tag: hex::encode_upper(tag),
        };
        let text = serde_json::to_string_pretty(&file).map_err(|_| PoolError::Unwritable)?;
        Ok(text + "\n")
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl PairFile {
    fn of(pooled: &Pooled) -> Self {
        Self {
            bits: pooled.bits,
            exponent: pooled.exponent,
            p: hex::encode_upper(pooled.p.expose()),
            q: hex::encode_upper(pooled.q.expose()),
        }
    }

    fn pooled(&self) -> Result<Pooled, PoolError> {
        let prime = |text: &str| Secret::from_hex(text).ok_or(PoolError::Seal);
        Ok(Pooled { bits: self.bits, exponent: self.exponent, p: prime(&self.p)?, q: prime(&self.q)? })
    }
}

fn minimal(exponent: u32) -> Vec<u8> {
    exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// A key of this size: from the pool, or made now.
///
/// # Errors
/// There is no such size, or the random source failed.
pub(super) fn take(
    pool: Option<&mut Pool>,
    bits: usize,
    exponent: u32,
    chance: &mut Chance,
) -> Result<RsaPrivate, PrepareError> {
    if let Some(pool) = pool
        && let Some(at) = pool.keys.iter().position(|key| (key.bits, key.exponent) == (bits, exponent))
    {
        let taken = pool.keys.remove(at);
        return taken.key().map_err(|error| PrepareError::Rsa(error.to_string()));
    }
    RsaPrivate::generate(bits, exponent, chance).map_err(|error| PrepareError::Rsa(error.to_string()))
}
