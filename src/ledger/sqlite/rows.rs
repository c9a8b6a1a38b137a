//! Rows of the tables in SQL.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::event::{ChipUse, Event};
use super::super::fold::Change;
use super::super::ids::{CardDigest, EventId, JobId, KeyDigest, OrderId, PayloadDigest};
use super::super::rows::{Facts, JobRow, OrderRow};
use super::super::store::{Numbered, StoreError};
use super::super::tables::{MOST_OF_A_CARD, Tables};
use super::error::Db;
use crate::base::Secret;

impl Db {
    /// A value as canonical JSON.
    pub(super) fn json(&self, value: &impl Serialize) -> Result<String, StoreError> {
        json_canon::to_string(value).map_err(|error| StoreError::Failed {
            place: self.place.clone(),
            what: "written",
            source: Box::new(error),
        })
    }

    /// A value of the tables.
    pub(super) fn parse<T: DeserializeOwned>(&self, what: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| self.damaged(format!("{what} cannot be read: {error}")))
    }

    pub(super) fn order_rows(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<OrderRow>, StoreError> {
        let rows: Vec<String> = self.all(sql, parameters)?;
        rows.iter().map(|row| self.parse("a row of an order", row)).collect()
    }

    pub(super) fn job_rows(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<JobRow>, StoreError> {
        let rows: Vec<String> = self.all(sql, parameters)?;
        rows.iter().map(|row| self.parse("a row of a job", row)).collect()
    }

    /// Writes an event; gives its number.
    pub(super) fn insert_event(&self, event: &Event) -> Result<u64, StoreError> {
        let order = event.what.order();
        let order = order.as_ref().map(|order| &order.bytes()[..]);
        let row = (&event.id.bytes()[..], order, self.json(event)?);
        self.run("INSERT INTO event (id, order_id, body) VALUES (?1, ?2, ?3)", row)?;
        let number = self.connection.last_insert_rowid();
        u64::try_from(number).map_err(|_| self.damaged("an event has a negative number"))
    }

    /// An event that was committed, by its id.
    pub(super) fn event(&self, id: &EventId) -> Result<Option<Numbered>, StoreError> {
        Ok(self.numbered("SELECT seq, body FROM event WHERE id = ?1", [&id.bytes()[..]])?.pop())
    }

    pub(super) fn numbered(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<Numbered>, StoreError> {
        let rows: Vec<(i64, String)> = self.rows(sql, parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let numbered = |(number, body): &(i64, String)| {
            let event = self.parse(&format!("event {number}"), body)?;
            let number = u64::try_from(*number).map_err(|_| self.damaged("an event has a negative number"))?;
            Ok(Numbered { number, event })
        };
        rows.iter().map(numbered).collect()
    }

    /// A key of a test ledger.
    pub(super) fn secret(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        Ok(self.one::<Vec<u8>>("SELECT value FROM secret WHERE name = ?1", [name])?.map(Secret::new))
    }

    fn id<T>(&self, bytes: Option<Vec<u8>>, new: fn([u8; 32]) -> T) -> Result<Option<T>, StoreError> {
        let read = |bytes: Vec<u8>| {
            let bytes = bytes.try_into().map_err(|_| self.damaged("an identity has not 32 bytes"))?;
            Ok(new(bytes))
        };
        bytes.map(read).transpose()
    }
}

/// The columns of a job besides its row: `job`.
pub(super) fn job_columns(job: &JobRow) -> (String, String, Option<String>, Option<i64>, i64) {
    let chip = job.holds_chip();
    (
        job.state.name().to_owned(),
        job.station.as_str().to_owned(),
        chip.map(|chip| chip.chip.as_str().to_owned()),
        chip.map(|chip| i64::from(chip.n)),
        moment(job.claimed),
    )
}

/// The columns of an order besides its row: `orders`.
pub(super) fn order_columns(order: &OrderRow) -> (String, bool, i64) {
    (order.state.name().to_owned(), order.held.is_some(), moment(order.received))
}

/// A moment as SQL has it.
pub(super) fn moment(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

impl Tables for Db {
    type Error = StoreError;

    fn facts(&self) -> Result<Option<Facts>, StoreError> {
        let row: Option<String> = self.one("SELECT row FROM facts", ())?;
        row.map(|row| self.parse("the row of the ledger", &row)).transpose()
    }

    fn order(&self, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        Ok(self.order_rows("SELECT row FROM orders WHERE order_id = ?1", [&id.bytes()[..]])?.pop())
    }

    fn job(&self, id: &JobId) -> Result<Option<JobRow>, StoreError> {
        let key = (&id.order.bytes()[..], id.attempt);
        Ok(self.job_rows("SELECT row FROM job WHERE order_id = ?1 AND attempt = ?2", key)?.pop())
    }

    fn chip_holder(&self, chip: &ChipUse) -> Result<Option<JobId>, StoreError> {
        let sql = "SELECT row FROM job WHERE chip = ?1 AND chip_use = ?2";
        Ok(self.job_rows(sql, (chip.chip.as_str(), chip.n))?.pop().map(|job| job.job))
    }

    fn of_card(&self, card: &CardDigest) -> Result<Vec<OrderRow>, StoreError> {
        let sql = "SELECT row FROM order_card JOIN orders USING (order_id) WHERE digest = ?1 ORDER BY n DESC LIMIT ?2";
        self.order_rows(sql, (&card.bytes()[..], MOST_OF_A_CARD as i64))
    }

    fn of_payload(&self, payload: &PayloadDigest) -> Result<Option<OrderId>, StoreError> {
        let found = self.one("SELECT order_id FROM payload WHERE digest = ?1", [&payload.bytes()[..]])?;
        self.id(found, OrderId::new)
    }

    fn of_key(&self, key: &KeyDigest) -> Result<Option<OrderId>, StoreError> {
        let found = self.one("SELECT order_id FROM idempotency WHERE digest = ?1", [&key.bytes()[..]])?;
        self.id(found, OrderId::new)
    }

    fn write(&mut self, change: &Change) -> Result<(), StoreError> {
        if let Some(facts) = &change.facts {
            self.run("INSERT INTO facts (one, row) VALUES (1, ?1)", [self.json(facts)?])?;
        }
        if let Some(order) = &change.order {
            self.write_order(order)?;
        }
        if let Some(job) = &change.job {
            self.write_job(job)?;
        }
        Ok(())
    }
}

impl Db {
    fn write_order(&self, order: &OrderRow) -> Result<(), StoreError> {
        let id = &order.order.bytes()[..];
        let (state, held, received) = order_columns(order);
        let sql = "INSERT INTO orders (order_id, state, held, received, row) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (order_id) DO UPDATE SET state = ?2, held = ?3, received = ?4, row = ?5";
        self.run(sql, (id, state, held, received, self.json(order)?))?;
        for card in &order.cards {
            let sql = "INSERT INTO order_card (digest, order_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.run(sql, (&card.bytes()[..], id))?;
        }
        if let Some(key) = &order.idempotency {
            let sql = "INSERT INTO idempotency (digest, order_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.run(sql, (&key.bytes()[..], id))?;
        }
        if let Some(payload) = &order.payload {
            let sql = "INSERT INTO payload (digest, order_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.run(sql, (&payload.bytes()[..], id))?;
        }
        Ok(())
    }

    fn write_job(&self, job: &JobRow) -> Result<(), StoreError> {
        let (state, station, chip, chip_use, claimed) = job_columns(job);
        let sql = "INSERT INTO job (order_id, attempt, state, station, chip, chip_use, claimed, row)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            ON CONFLICT (order_id, attempt) DO UPDATE SET state = ?3, station = ?4, chip = ?5, chip_use = ?6, claimed = ?7,
            row = ?8";
        let (order, attempt) = (&job.job.order.bytes()[..], job.job.attempt);
        self.run(sql, (order, attempt, state, station, chip, chip_use, claimed, self.json(job)?))?;
        if job.fence.is_none() {
            self.run("DELETE FROM lease WHERE order_id = ?1 AND attempt = ?2", (order, attempt))?;
        }
        Ok(())
    }
}
