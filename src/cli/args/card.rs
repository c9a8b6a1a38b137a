//! `perso card …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{PassphraseArgs, ProfileArgs, ReaderArgs, ReplaceArgs};

/// `perso card …`
#[derive(Debug, Subcommand)]
pub enum CardCommand {
    /// Show what card it is: ATR, CPLC, card data, keys, capability, memory. Opens no channel, changes nothing.
    Info(InfoArgs),
    /// Show the card's registry, with life cycles and privileges. Opens a secure channel for reading, which
    /// moves the key set's sequence counter and nothing else.
    Apps(AppsArgs),
    /// Show what a terminal can read. Directories, applications, records, as a tree; PAN, tracks and name masked. Changes
    /// nothing but the transaction counter (ATC) of each application, which GET PROCESSING OPTIONS moves by one.
    Data(DataArgs),
    /// Send APDUs. From a script file with expected answers, or as hexadecimal; through a secure channel with test keys.
    Apdu(ApduArgs),
}

/// `perso card apdu`
#[derive(Debug, Args)]
pub struct ApduArgs {
    /// A script file (docs/apdu-scripts.md), - for a script on standard input, or commands in hexadecimal, one an
    /// argument. No secret is ever an argument: commands that carry a PIN belong into a file.
    #[arg(required = true, value_name = "FILE|HEX")]
    pub what: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reader: ReaderArgs,
    /// The card is not reset at first. A replayed trace that begins without a reset needs this.
    #[arg(long)]
    pub no_reset: bool,
    /// Continue after a mismatch (still exits 10).
    #[arg(long)]
    pub keep_going: bool,
    /// Open a secure channel first, and send every command through it. Test keys only.
    #[arg(long)]
    pub secure: bool,
    /// The key file. Traces are full, and answers may be logged, only if all its keys are test keys.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    /// AID to select before the channel is opened. With --profile its security domain is selected otherwise; without,
    /// what is selected already.
    #[arg(long, value_name = "AID", requires = "secure")]
    pub aid: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub channel: ChannelArgs,
    /// Write every exchange to this file. In full only while every key of the key file is a test key.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub replace: ReplaceArgs,
}

/// How the secure channel is opened.
#[derive(Debug, Args)]
pub struct ChannelArgs {
    /// The card profile that states the channel: its name, or its file.
    #[arg(long, value_name = "PROFILE", requires = "secure")]
    pub profile: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
    /// Without a profile: the protocol and its `i`, for example scp02:55, scp03:70 or scp03:71:s16.
    #[arg(long, value_name = "PROTOCOL", requires = "secure", conflicts_with = "profile")]
    pub protocol: Option<String>,
    /// Security level, two hexadecimal digits; the profile's otherwise, else 01.
    #[arg(long, value_name = "HEX", requires = "secure")]
    pub level: Option<String>,
    /// Key version to ask for, two hexadecimal digits; the profile's otherwise, else 00, the card's first.
    #[arg(long, value_name = "HEX", requires = "secure")]
    pub key_version: Option<String>,
    /// The key set, as `perso explain-auth` names it: a master key, or what the names of three keys NAME-enc, NAME-mac
    /// and NAME-dek begin with. The profile's master key for this card otherwise.
    #[arg(long, value_name = "NAME", requires = "secure")]
    pub key: Option<String>,
    /// How the card's keys come from the master key: none, emv-cps:N, visa1, visa2 or kdf3; the profile's otherwise,
    /// else none.
    #[arg(long, value_name = "METHOD", requires = "secure")]
    pub diversification: Option<String>,
}

/// `perso card info`
#[derive(Debug, Args)]
pub struct InfoArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reader: ReaderArgs,
}

/// `perso card apps`
#[derive(Debug, Args)]
pub struct AppsArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reader: ReaderArgs,
    /// The key file with the card's master key: sealed, or an unsealed file of test keys.
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
    /// The card's profile, by name or file: it says protocol, level, key version, master key and diversification.
    /// Without it the card says the protocol, and the keys are those that give the card's own cryptogram.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Without a profile: the key version to ask for, two hexadecimal digits; 00 asks for the card's first key set.
    #[arg(long, value_name = "HEX", default_value = "00", conflicts_with = "profile", value_parser = key_version)]
    pub key_version: u8,
}

/// `perso card data`
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reader: ReaderArgs,
    /// Look for this AID, or for all that begin so, besides those that PSE and PPSE list; may be given several times.
    #[arg(long, value_name = "AID")]
    pub aid: Vec<String>,
    /// Do not look for the payment systems' well-known AIDs; only for those that are listed or given.
    #[arg(long)]
    pub no_candidates: bool,
}

fn key_version(text: &str) -> Result<u8, String> {
    let number = u8::from_str_radix(text, 16).ok().filter(|number| text.len() == 2 && *number <= 0x7F);
    number.ok_or_else(|| "a key version is 00 to 7F".to_owned())
}
