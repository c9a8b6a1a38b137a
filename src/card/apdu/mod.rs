//! Commands, responses and status words of ISO/IEC 7816-4. No I/O.

mod command;
mod response;

pub use command::{Command, CommandError};
pub use response::{Response, ResponseError, StatusWord};
