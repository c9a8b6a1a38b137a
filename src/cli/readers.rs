//! `perso readers`: what PC/SC sees.

use super::common::{CliError, Out};
use crate::card::transport::pcsc;

/// Lists the readers.
///
/// # Errors
/// The PC/SC service cannot be used.
pub fn run(out: &mut Out) -> Result<u8, CliError> {
    let readers = pcsc::readers()?;
    if !out.json(&readers) {
        if readers.is_empty() {
            out.line("No reader. The simulated card is `--reader sim`.");
        }
        for (number, reader) in readers.iter().enumerate() {
            let card = match (&reader.atr, reader.card_present) {
                (Some(atr), _) => format!("card, ATR {atr}"),
                (None, true) => "card, mute".into(),
                (None, false) => "empty".into(),
            };
            out.line(format!("{number}: {} ({card})", reader.name));
        }
    }
    Ok(0)
}
