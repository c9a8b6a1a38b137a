//! Everything between us and the chip. Knows no order and no record.

pub mod apdu;
pub mod sim;
pub mod transport;
