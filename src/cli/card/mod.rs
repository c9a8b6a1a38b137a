//! `perso card`: looking into a card, and talking to it.

mod apdu;

use super::args::CardCommand;
use super::common::{CliError, Out};

/// Looks or talks.
///
/// # Errors
/// The arguments, the keys, the link or the card.
pub fn run(command: &CardCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        CardCommand::Apdu(args) => apdu::run(args, out),
    }
}
