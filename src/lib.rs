//! `perso` personalizes payment smart cards.
//!
//! A prepared record goes in; the chip is loaded through a GlobalPlatform secure channel as EMV CPS prescribes, read
//! back as a terminal would, and the verdict says with evidence whether one order has become exactly one good card.
//!
//! The rooms, from the ground up; a room may use those below it, never one above (`tests/it/architecture.rs`):
//!
//! - [`base`]: codecs, ciphers, secrets, the EMV dictionary. No I/O, no clock, no randomness.
//! - [`keys`]: who holds the secrets.
//! - [`ledger`]: what has happened: events, their tables, their store.
//! - [`order`] (what has been asked for), [`profile`] (a card product), [`record`] (one prepared card) and [`card`] (everything between us and the chip),
//!   which do not know one another.
//! - [`issuance`]: doing it once, and being able to prove it.
//! - [`cli`]: what the user types and reads.

pub mod base;
pub mod card;
pub mod cli;
pub mod issuance;
pub mod keys;
pub mod ledger;
pub mod order;
pub mod prepare;
pub mod profile;
pub mod record;
