//! EMV data elements: a dictionary, and the objects that are lists of something.

mod afl;
pub mod certificate;
mod cvm;
pub mod date;
mod dictionary;
mod dol;
mod issuer_data;
mod oda;
mod pan;
pub mod rules;
mod shown;
pub mod track;
mod words;

pub use afl::{Afl, AflEntry, AflError};
pub use dictionary::{Format, TagInfo, tag_info, tag_name, tag_name_of};
pub use dol::{Dol, DolError};
pub use issuer_data::{Covered, CryptogramVersion, Family, IssuerData};
pub use oda::{OdaError, static_data};
pub use pan::{Pan, PanError, luhn_check_digit, luhn_valid};
pub use shown::{Shown, Taboo};
pub use words::words;
