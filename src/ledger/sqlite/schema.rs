//! The schema and its versions: numbered, hashed, forward only.
//!
//! A file is opened only if each of its migrations is one of ours, word for word, and its tables are those that they make.

use rusqlite::Connection;

use super::super::store::StoreError;
use super::error::Db;
use crate::base::crypto::sha256;

/// Marks a file as a ledger of this program: `pers`.
const APPLICATION_ID: i64 = 0x7065_7273;

/// One step of the schema.
pub(super) struct Migration {
    /// From 1, without a gap.
    pub(super) version: i64,
    /// Its statements.
    pub(super) sql: &'static str,
}

/// Every migration, in order. A released one never changes.
pub(super) const MIGRATIONS: &[Migration] = &[Migration { version: 1, sql: include_str!("migrations/0001.sql") }];

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS schema (
    version INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    program TEXT NOT NULL
) STRICT";

/// Applies the migrations that are missing. The caller has a transaction open.
pub(super) fn migrate(db: &mut Db, all: &[Migration], wall: u64, program: &str) -> Result<(), StoreError> {
    db.run(SCHEMA, ())?;
    db.run(&format!("PRAGMA application_id = {APPLICATION_ID}"), ())?;
    let applied = applied(db)?;
    for migration in all.iter().skip(applied.len()) {
        db.connection.execute_batch(migration.sql).map_err(|error| db.failed("written", error))?;
        let wall = i64::try_from(wall).unwrap_or(i64::MAX);
        let row = (migration.version, hash(migration), wall, program);
        db.run("INSERT INTO schema (version, sha256, applied_at, program) VALUES (?1, ?2, ?3, ?4)", row)?;
    }
    Ok(())
}

/// The schema is one that this program knows.
pub(super) fn check(db: &Db, all: &[Migration]) -> Result<(), StoreError> {
    let id: i64 = db.one("PRAGMA application_id", ())?.unwrap_or_default();
    if id != APPLICATION_ID {
        return Err(db.place_error("it is not a ledger"));
    }
    let schema = |why: String| StoreError::Schema { place: db.place.clone(), why };
    let applied = applied(db)?;
    if let Some((version, _)) = applied.get(all.len()) {
        let known = all.last().map_or(0, |migration| migration.version);
        return Err(schema(format!("has version {version}, this program knows versions up to {known}")));
    }
    if applied.is_empty() {
        return Err(schema("has no version".into()));
    }
    for ((version, sha256), migration) in applied.iter().zip(all) {
        if (*version, sha256) != (migration.version, &hash(migration)) {
            return Err(schema(format!("was made by another version {version} than this program's")));
        }
    }
    let known = all.get(..applied.len()).unwrap_or_default();
    if objects(db)? != expected(db, known)? {
        return Err(schema("was altered: its tables or indexes are not those that this program made".into()));
    }
    Ok(())
}

/// Whether migrations are missing.
pub(super) fn is_older(db: &Db, all: &[Migration]) -> Result<bool, StoreError> {
    Ok(applied(db)?.len() < all.len())
}

fn applied(db: &Db) -> Result<Vec<(i64, String)>, StoreError> {
    db.rows("SELECT version, sha256 FROM schema ORDER BY version", (), |row| Ok((row.get(0)?, row.get(1)?)))
}

fn hash(migration: &Migration) -> String {
    hex::encode(sha256(migration.sql.as_bytes()))
}

type Object = (String, String, String, Option<String>);

/// Tables, indexes, triggers and views of a database; not those that SQLite keeps for itself.
fn objects(db: &Db) -> Result<Vec<Object>, StoreError> {
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               ORDER BY type, name";
    db.rows(sql, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
}

/// What the migrations make in an empty database.
fn expected(db: &Db, all: &[Migration]) -> Result<Vec<Object>, StoreError> {
    let connection = Connection::open_in_memory().map_err(|error| db.failed("opened", error))?;
    let mut empty = Db { connection, place: db.place.clone() };
    migrate(&mut empty, all, 0, "")?;
    objects(&empty)
}
