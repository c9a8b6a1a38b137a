//! A connection, and SQLite's errors as the store's.

use rusqlite::types::FromSql;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params};

use super::super::ports::Ports;
use super::super::store::StoreError;
use super::super::tables::NotApplied;
use super::patiently;

/// A connection and the name of its file.
pub(super) struct Db {
    pub(super) connection: Connection,
    pub(super) place: String,
}

impl Db {
    /// Runs one statement; what it answers is not looked at.
    pub(super) fn run(&self, sql: &str, parameters: impl Params) -> Result<(), StoreError> {
        let run = || {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query(parameters)?;
            while rows.next()?.is_some() {}
            Ok(())
        };
        run().map_err(|error| self.failed("used", error))
    }

    /// The first column of the first row.
    pub(super) fn one<T: FromSql>(&self, sql: &str, parameters: impl Params) -> Result<Option<T>, StoreError> {
        let found = self.connection.query_row(sql, parameters, |row| row.get(0)).optional();
        found.map_err(|error| self.failed("read", error))
    }

    /// The first column of every row.
    pub(super) fn all<T: FromSql>(&self, sql: &str, parameters: impl Params) -> Result<Vec<T>, StoreError> {
        self.rows(sql, parameters, |row| row.get(0))
    }

    /// Every row, read by a function.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let found = || self.connection.prepare(sql)?.query_map(parameters, read)?.collect::<rusqlite::Result<Vec<T>>>();
        found().map_err(|error| self.failed("read", error))
    }

    /// Does something in one transaction that writes. On an error nothing of it stays.
    pub(super) fn transaction<T>(
        &mut self,
        ports: &mut Ports,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let place = self.place.clone();
        patiently(ports, &place, || self.run("BEGIN IMMEDIATE", ()))?;
        match work(self) {
            Ok(done) => self.finish().map(|()| done),
            Err(error) => {
                // SQLite has rolled back by itself after some errors; then there is nothing to roll back.
                let _ = self.run("ROLLBACK", ());
                Err(error)
            }
        }
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        let Err(error) = self.connection.execute("COMMIT", ()) else { return Ok(()) };
        let _ = self.run("ROLLBACK", ());
        match error.sqlite_error_code() {
            // The last frame of the log was not written: the commit has not happened.
            Some(
                ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ReadOnly | ErrorCode::ConstraintViolation,
            ) => Err(self.failed("written", error)),
            // Written, perhaps, and not made durable.
            _ => Err(StoreError::Unknown(self.place.clone())),
        }
    }

    /// Closes the file: its log is merged into it.
    pub(super) fn close(self) -> Result<(), StoreError> {
        self.connection.close().map_err(|(_, error)| failed(&self.place, "closed", error))
    }

    pub(super) fn failed(&self, what: &'static str, error: rusqlite::Error) -> StoreError {
        failed(&self.place, what, error)
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { place: self.place.clone(), what: what.into() }
    }

    pub(super) fn place_error(&self, why: &str) -> StoreError {
        StoreError::Place { path: self.place.clone().into(), why: why.to_owned(), next: None }
    }
}

/// An error of SQLite's as one of the store's.
pub(super) fn failed(place: &str, what: &'static str, error: rusqlite::Error) -> StoreError {
    let damaged = |what: String| StoreError::Damaged { place: place.to_owned(), what };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(place.to_owned()),
        Some(ErrorCode::DiskFull) => StoreError::Full(place.to_owned()),
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly(place.to_owned()),
        Some(ErrorCode::NotADatabase) => {
            StoreError::Place { path: place.into(), why: "it is not a ledger".into(), next: None }
        }
        Some(ErrorCode::DatabaseCorrupt) => damaged("SQLite finds its pages corrupt".into()),
        // The events were accepted, the tables have rows that they do not bear out.
        Some(ErrorCode::ConstraintViolation) => damaged(format!("a row contradicts its events ({error})")),
        _ => StoreError::Failed { place: place.to_owned(), what, source: Box::new(error) },
    }
}

/// What keeps an event from being applied.
pub(super) fn not_applied(error: NotApplied<StoreError>) -> StoreError {
    match error {
        NotApplied::Refused(refusal) => StoreError::Refused(refusal),
        NotApplied::Failed(error) => error,
    }
}
