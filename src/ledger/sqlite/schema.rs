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
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("migrations/0001.sql") },
    Migration { version: 2, sql: include_str!("migrations/0002.sql") },
];

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn with(all: &[Migration]) -> Db {
        let connection = Connection::open_in_memory().unwrap();
        let mut db = Db { connection, place: "memory".into() };
        migrate(&mut db, all, 7, "perso test").unwrap();
        db
    }

    #[test]
    fn an_older_schema_is_brought_forward_and_then_is_the_same_as_a_new_one() {
        for (at, _) in MIGRATIONS.iter().enumerate().skip(1) {
            let mut db = with(MIGRATIONS.get(..at).unwrap());
            check(&db, MIGRATIONS).unwrap();
            assert!(is_older(&db, MIGRATIONS).unwrap());
            migrate(&mut db, MIGRATIONS, 8, "perso test").unwrap();
            assert!(!is_older(&db, MIGRATIONS).unwrap());
            check(&db, MIGRATIONS).unwrap();
            assert_eq!(objects(&db).unwrap(), objects(&with(MIGRATIONS)).unwrap());
            migrate(&mut db, MIGRATIONS, 9, "perso test").unwrap();
            let applied: Vec<i64> = db.all("SELECT applied_at FROM schema ORDER BY version", ()).unwrap();
            assert_eq!(applied, [vec![7; at], vec![8; MIGRATIONS.len() - at]].concat());
        }
    }

    /// An older program meets the schema of this one.
    #[test]
    fn a_newer_schema_is_refused_by_an_older_program() {
        let db = with(MIGRATIONS);
        let older = check(&db, MIGRATIONS.get(..1).unwrap()).unwrap_err();
        assert!(older.to_string().contains("has version 2, this program knows versions up to 1"), "{older}");
    }

    #[test]
    fn migrations_are_numbered_from_1() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=i64::try_from(MIGRATIONS.len()).unwrap()).collect::<Vec<_>>());
    }
}
