//! What has happened: events, their fold, and the stores that keep them.
//!
//! Events are the only truth. The tables next to them (orders, jobs, chips) are computed from the events by one pure
//! function ([`fold`]) and written in the same transaction; [`LedgerStore::verify`] computes them again and compares.
//! No PAN is in any of it: orders, payloads and cards are known by digests under the ledger's identity key.
//!
//! docs/ledger.md describes the states; docs/decisions/0050-ledger-events.md which event must be durable when.

mod bounded;
pub mod check;
mod commit;
mod details;
pub mod event;
pub mod fold;
pub mod identity;
pub mod ids;
pub mod intake;
pub mod lease;
pub mod memory;
mod memory_store;
pub mod ports;
pub mod recover;
mod refusal;
pub mod rows;
pub mod spool;
mod sqlite;
pub mod step;
mod store;
mod tables;
mod text;
mod verify;
pub mod worker;

pub use bounded::{Bounded, DEADLINE};
pub use event::{Event, Origin, What};
pub use identity::IdentityKey;
pub use ids::{EventId, Fence, JobId, LedgerId, OrderId};
pub use lease::Lease;
pub use memory_store::MemoryStore;
pub use ports::{BootClock, Ports, Wait};
pub use refusal::Refusal;
pub use rows::{Facts, JobRow, JobState, OrderRow, OrderState, StepState};
pub use sqlite::SqliteStore;
pub use step::{Aid, Outcome, Step};
pub use store::{Batch, Committed, Difference, LedgerStore, Numbered, Query, StoreError};
pub use text::{Exact, Text};
