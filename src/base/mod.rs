//! The ground floor: codecs, ciphers, secrets, faults and the EMV dictionary.
//!
//! Nothing here does I/O, reads a clock or draws randomness.

pub mod chance;
pub mod codec;
pub mod crypto;
pub mod emv;
pub mod fault;
pub mod secret;
pub mod stop;
pub mod suggest;
pub mod warning;

pub use chance::{Chance, Clock};
pub use fault::{Code, Fault};
pub use secret::Secret;
pub use stop::{Interrupted, StopRequest};
pub use warning::Warning;
