//! Commands, responses and status words of ISO/IEC 7816-4. No I/O.

mod command;
mod response;
mod status;

pub use command::{Command, CommandError};
pub use response::{Response, ResponseError, StatusWord};
pub use status::{InContext, command_name, in_context, is_known, meaning};
