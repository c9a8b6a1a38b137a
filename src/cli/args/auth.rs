//! `perso explain-auth`

use std::path::PathBuf;

use clap::Args;

use super::{Interface, LimitArgs, PassphraseArgs, ReaderArgs};

/// `perso explain-auth`
#[derive(Debug, Args)]
pub struct AuthArgs {
    /// The key file whose keys are compared. Live keys too: only names and check values are shown.
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    /// The card: `sim:FILE`, `replay:FILE`, or a PC/SC reader as with `perso run`.
    #[arg(long, value_name = "READER", required_unless_present = "command", conflicts_with = "command")]
    pub reader: Option<String>,
    /// Simulated cards only: the interface that the card is reached over.
    #[arg(long, value_enum, default_value_t = Interface::Contact)]
    pub interface: Interface,
    /// Wait this long for the reader and for a card in it; 0 does not wait. Without it (also in perso.toml) a card is
    /// waited for 120 s, and a missing reader is an error at once.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub limits: LimitArgs,
    /// Key version to ask for, two hexadecimal digits; 00 is the card's first.
    #[arg(long, value_name = "HEX", default_value = "00", conflicts_with = "command")]
    pub key_version: String,
    /// AID to select first. Otherwise what the card selects by default. It also enters the check of the card's
    /// challenge.
    #[arg(long, value_name = "AID")]
    pub aid: Option<String>,
    /// Instead of a card: an INITIALIZE UPDATE command that was sent, in hexadecimal. It holds nothing secret.
    #[arg(long, value_name = "HEX", requires = "answer")]
    pub command: Option<String>,
    /// The answer to it, with or without its status word.
    #[arg(long, value_name = "HEX", requires = "command")]
    pub answer: Option<String>,
}

impl AuthArgs {
    /// The reader, where a card is asked.
    pub fn reader(&self) -> Option<ReaderArgs> {
        let reader = self.reader.clone()?;
        Some(ReaderArgs { reader, interface: self.interface, timeout: self.timeout, limits: self.limits })
    }
}
