//! The reader that a command works on.

use std::path::Path;
use std::time::Duration;

use super::args::{Interface, ReaderArgs};
use super::common::{CliError, warn};
use crate::card::sim::SimTransport;
use crate::card::transport::{Transport, pcsc};

/// What `--reader` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A simulated blank that is made for the job.
    FreshBlank,
    /// A simulated card in a file.
    CardFile(&'a Path),
    /// A PC/SC reader: its name, a unique part of it, or its number.
    Reader(&'a str),
}

impl ReaderArgs {
    /// What `--reader` stands for.
    pub fn place(&self) -> Place<'_> {
        match self.reader.strip_prefix("sim") {
            Some("") => Place::FreshBlank,
            Some(rest) if rest.starts_with(':') => Place::CardFile(Path::new(rest.trim_start_matches(':'))),
            _ => Place::Reader(&self.reader),
        }
    }

    /// Whether a simulated card is reached over its antenna.
    pub fn is_contactless(&self) -> bool {
        self.interface == Interface::Contactless
    }

    /// Whether the card is a simulated one in this process.
    pub fn is_simulated(&self) -> bool {
        !matches!(self.place(), Place::Reader(_))
    }
}

/// The link to a card that is there. Where a reader has none yet, one prompt asks for it: put `what` into the reader.
///
/// # Errors
/// There is no such reader or file, no card after the timeout, or another program holds the reader.
pub fn open(args: &ReaderArgs, what: &str) -> Result<Box<dyn Transport>, CliError> {
    match args.place() {
        Place::Reader(wanted) => connect(wanted, args, what),
        Place::CardFile(path) => Ok(Box::new(SimTransport::file(path)?.approach(args.is_contactless())?)),
        Place::FreshBlank => Err(CliError::Option {
            option: "--reader",
            why: "only `perso run` makes a simulated blank of its own; name a card's file: sim:FILE".into(),
        }),
    }
}

fn connect(wanted: &str, args: &ReaderArgs, what: &str) -> Result<Box<dyn Transport>, CliError> {
    let reader = pcsc::find(wanted)?;
    if !reader.card_present && args.timeout > 0 {
        warn(&format!("Put {what} into reader {:?}.", reader.name));
        pcsc::wait_for_card(&reader.name, Duration::from_secs(args.timeout.into()))?;
    }
    Ok(pcsc::connect(&reader.name, Duration::from_secs(args.ceiling.into()))?)
}
