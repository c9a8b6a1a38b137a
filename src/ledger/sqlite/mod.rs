//! The ledger in an SQLite file: durable with every commit, shared by the processes of one machine.

mod error;
mod place;
mod rows;
mod schema;
mod store;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use self::error::Db;
use super::event::{Origin, What};
use super::identity::IdentityKey;
use super::ids::LedgerId;
use super::ports::{Ports, elapsed};
use super::rows::Facts;
use super::store::StoreError;
use super::tables::{Tables, apply};
use crate::base::Secret;

/// Name of the identity key among the secrets of a test ledger.
const IDENTITY: &str = "ledger-identity";

/// A ledger in an SQLite file.
pub struct SqliteStore {
    db: Db,
    ports: Ports,
    facts: Facts,
    identity: Option<IdentityKey>,
}

impl SqliteStore {
    /// Makes a test ledger in a new file. Its identity key is drawn and kept in it.
    ///
    /// The file appears under its name only when it is whole.
    ///
    /// # Errors
    /// The file exists, its place cannot hold a ledger, or it cannot be written.
    pub fn create_test(path: &Path, origin: Origin, ports: &mut Ports) -> Result<Facts, StoreError> {
        let folder = place::folder(path);
        place::suits(path, &folder)?;
        if path.symlink_metadata().is_ok() {
            return Err(place::exists(path));
        }
        let facts = Facts { ledger: LedgerId::new(ports.chance.bytes()?), live: false };
        let created = What::LedgerCreated { ledger: facts.ledger, live: facts.live };
        let event = ports.event(&origin, created)?;
        let key = Secret::new(ports.chance.bytes::<32>()?);
        let new = place::NewFile::make(path, &folder, &facts.ledger)?;
        let mut db = Db { connection: connect(new.path(), path)?, place: path.display().to_string() };
        guard(&db)?;
        durable(&db)?;
        db.transaction(ports, |db| {
            schema::migrate(db, schema::MIGRATIONS, event.at.wall, event.by.program.as_str())?;
            db.run("INSERT INTO secret (name, value) VALUES (?1, ?2)", (IDENTITY, &key.expose()[..]))?;
            apply(db, &event).map_err(error::not_applied)?;
            db.insert_event(&event)?;
            Ok(())
        })?;
        db.close()?;
        new.publish(path, &folder)?;
        Ok(facts)
    }

    /// Opens a ledger. Its schema is looked at before anything else is read.
    ///
    /// # Errors
    /// It does not exist, its place or its schema does not suit, or it cannot be written.
    pub fn open(path: &Path, ports: Ports) -> Result<Self, StoreError> {
        place::is_there(path)?;
        place::suits(path, &place::folder(path))?;
        let db = Db { connection: connect(path, path)?, place: path.display().to_string() };
        Self::opened(db, ports)
    }

    fn opened(mut db: Db, mut ports: Ports) -> Result<Self, StoreError> {
        if db.connection.is_readonly("main").map_err(|error| db.failed("opened", error))? {
            return Err(StoreError::ReadOnly(db.place));
        }
        patiently(&mut ports, &db.place.clone(), || {
            guard(&db)?;
            schema::check(&db, schema::MIGRATIONS)?;
            durable(&db)
        })?;
        let wall = ports.clock.now().0;
        let program = concat!("perso ", env!("CARGO_PKG_VERSION"));
        if schema::is_older(&db, schema::MIGRATIONS)? {
            db.transaction(&mut ports, |db| schema::migrate(db, schema::MIGRATIONS, wall, program))?;
        }
        let Some(facts) = db.facts()? else { return Err(db.damaged("it has no first event")) };
        let identity = identity_key(&db, facts)?;
        Ok(Self { db, ports, facts, identity })
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.db.place)
    }
}

/// The identity key of a test ledger.
fn identity_key(db: &Db, facts: Facts) -> Result<Option<IdentityKey>, StoreError> {
    let value = db.secret(IDENTITY)?;
    match (value, facts.live) {
        (Some(value), false) => {
            let key: Option<[u8; 32]> = value.expose().as_slice().try_into().ok();
            let key = key.ok_or_else(|| db.damaged("its identity key has not 32 bytes"))?;
            Ok(Some(IdentityKey::new(Secret::new(key))))
        }
        (None, true) => Ok(None),
        (None, false) => Err(db.damaged("it has no identity key")),
        (Some(_), true) => Err(db.damaged("a live ledger holds a key")),
    }
}

fn connect(path: &Path, shown: &Path) -> Result<Connection, StoreError> {
    // One thread at a time has the connection; the store is never made by opening it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .map_err(|error| error::failed(&shown.display().to_string(), "opened", error))
}

/// Settings of the connection that change nothing in the file: another program's file stays as it is.
fn guard(db: &Db) -> Result<(), StoreError> {
    db.connection.busy_timeout(Duration::ZERO).map_err(|error| db.failed("opened", error))?;
    db.run("PRAGMA trusted_schema = OFF", ())?;
    db.run("PRAGMA cell_size_check = ON", ())?;
    db.run("PRAGMA foreign_keys = ON", ())
}

/// The settings that durability rests on. They are read back: SQLite answers with what it has, not with what was asked.
fn durable(db: &Db) -> Result<(), StoreError> {
    db.run("PRAGMA secure_delete = ON", ())?;
    let mode: String = db.one("PRAGMA journal_mode = WAL", ())?.unwrap_or_default();
    if mode != "wal" {
        return Err(db.place_error("its file system has no shared memory for a write-ahead log (WAL)"));
    }
    db.run("PRAGMA synchronous = FULL", ())?;
    let synchronous: i64 = db.one("PRAGMA synchronous", ())?.unwrap_or_default();
    let foreign_keys: i64 = db.one("PRAGMA foreign_keys", ())?.unwrap_or_default();
    if (synchronous, foreign_keys) != (2, 1) {
        return Err(db.place_error("SQLite does not accept the settings that durability needs"));
    }
    Ok(())
}

/// Tries until another process lets it, or patience ends.
fn patiently<T>(
    ports: &mut Ports,
    place: &str,
    mut attempt: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let began = ports.boot.now();
    loop {
        match attempt() {
            Err(StoreError::Busy(_)) => {}
            done => return done,
        }
        let waited = elapsed(began, ports.boot.now()).unwrap_or(u64::MAX);
        if u128::from(waited) >= ports.patience.as_micros() {
            return Err(StoreError::Busy(place.to_owned()));
        }
        ports.pause()?;
    }
}
