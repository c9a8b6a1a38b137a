//! Doing it once, and being able to prove it: where record, profile and card meet.

pub mod journal;
pub mod result;
pub mod state;
pub mod wire;
