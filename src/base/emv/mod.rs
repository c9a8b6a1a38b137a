//! EMV data elements: a dictionary, and the objects that are lists of something.

mod afl;
pub mod certificate;
mod dictionary;
mod dol;
mod oda;
mod pan;
pub mod rules;
pub mod track;

pub use afl::{Afl, AflEntry, AflError};
pub use dictionary::{Format, TagInfo, tag_info, tag_name};
pub use dol::{Dol, DolError};
pub use oda::{OdaError, static_data};
pub use pan::{Pan, PanError, luhn_check_digit, luhn_valid};
