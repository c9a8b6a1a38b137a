//! `perso verify`

use std::path::PathBuf;

use clap::Args;

use super::{PassphraseArgs, ProfileArgs, ReaderArgs};

/// `perso verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Compare the card with this prepared record too; takes --keys, and the profile that the record names.
    pub record: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reader: ReaderArgs,
    /// The CA keys that a terminal would trust (docs/ca-keys.md). Without them offline data authentication is skipped.
    #[arg(long, value_name = "FILE")]
    pub ca_keys: Option<PathBuf>,
    /// The key file, for the record and the issuer host's cryptograms: sealed, or an unsealed file of test keys.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
    /// Without a record: the card's profile, by name or file.
    #[arg(long, value_name = "NAME", conflicts_with = "record")]
    pub profile: Option<String>,
    /// Look for this AID, or for all that begin so, besides those of directories, record and profile; may be given several
    /// times.
    #[arg(long, value_name = "AID")]
    pub aid: Vec<String>,
    /// Make a transaction on the card: GENERATE AC, checked by the host's keys, and answered. Only if the profile
    /// allows it too ([verify] generate_ac).
    #[arg(long)]
    pub generate_ac: bool,
    /// Make one offline PIN try, with the PIN on the first line of this file, or of an open descriptor (fd:N). Only if
    /// the profile allows it too ([verify] pin_try), and no try was lost yet.
    #[arg(long, value_name = "FILE|fd:N")]
    pub pin_from: Option<String>,
    /// List every check that was skipped; without it, those skipped for one reason share a line.
    #[arg(long)]
    pub all: bool,
}
