//! Everything between us and the chip. Knows no order and no record.

pub mod apdu;
mod atr;
pub mod atr_view;
pub mod channel;
pub mod cps;
pub mod emv;
pub mod gp;
pub mod plain;
pub mod script;
pub mod sim;
pub mod trace;
pub mod transport;
pub mod words;

pub use atr::{Atr, AtrError};
pub use plain::{Card, CardError, Misbehaviour, Recorder, TraceEvent};
