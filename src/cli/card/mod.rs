//! `perso card`: looking into a card, and talking to it.

mod apdu;
mod apps;
mod data;
mod info;

use super::args::{CardCommand, ReaderArgs};
use super::common::{self, CliError, Out};
use super::reader;
use crate::base::Fault;
use crate::base::chance::Instant;
use crate::base::fault::Family;
use crate::card::Card;

const SET_UP: u8 = 4;
const UNTOUCHED: u8 = 6;
const SPOILED: u8 = 7;
const IN_DOUBT: u8 = 8;

/// Looks or talks.
///
/// # Errors
/// The arguments, the keys, the link or the card.
pub fn run(command: &CardCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        CardCommand::Info(args) => info::run(args, out),
        CardCommand::Apps(args) => apps::run(args, out),
        CardCommand::Data(args) => data::run(args, out),
        CardCommand::Apdu(args) => apdu::run(args, out),
    }
}

/// The exit code of an error: a card that was only looked into is neither spoiled nor in doubt. What was sent to it
/// otherwise may have done anything.
pub fn exit(command: &CardCommand, error: &CliError) -> u8 {
    let entry = error.code().entry();
    match (entry.exit, entry.family) {
        (exit, _) if matches!(command, CardCommand::Apdu(_)) => exit,
        _ => exit_of_looking(entry.exit, entry.family),
    }
}

/// The exit code of a fault in a command that only looks.
pub fn exit_of_looking(exit: u8, family: Family) -> u8 {
    match (exit, family) {
        (SPOILED | IN_DOUBT, Family::Reader) => SET_UP,
        (SPOILED | IN_DOUBT, _) => UNTOUCHED,
        (exit, _) => exit,
    }
}

/// The card that is to be looked into.
fn open(args: &ReaderArgs) -> Result<Card, CliError> {
    Ok(Card::new(reader::open(args, "the card")?, common::clock()))
}

/// What a text says of a simulated card.
fn marked(simulated: bool) -> &'static str {
    if simulated { " (simulated card)" } else { "" }
}

/// The date of an instant, UTC.
fn date(now: Instant) -> jiff::civil::Date {
    let micros = i64::try_from(now.0).unwrap_or_default();
    let now = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::tz::TimeZone::UTC.to_datetime(now).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Code;
    use crate::base::fault::CATALOGUE;

    /// Whatever happens to a card that is only looked into, it is neither spoiled nor in doubt; a mute one is the set-up's.
    #[test]
    fn looking_into_a_card_never_ends_spoiled_or_in_doubt() {
        for (code, entry) in CATALOGUE {
            let exit = exit_of_looking(entry.exit, entry.family);
            assert!(!matches!(exit, SPOILED | IN_DOUBT), "{}", code.name());
            assert!(entry.exit == exit || matches!(entry.exit, SPOILED | IN_DOUBT), "{}", code.name());
        }
        let mute = Code::ReaderMute.entry();
        assert_eq!((mute.exit, exit_of_looking(mute.exit, mute.family)), (IN_DOUBT, SET_UP));
    }
}
