//! `perso run`

use std::path::PathBuf;

use clap::Args;

use super::{KeepArgs, PreparationArgs, ReaderArgs, ReplaceArgs, Sources};

/// What a site asks of a profile's security level.
#[derive(Debug, Clone, Copy, Args)]
pub struct LevelArgs {
    /// The least security level of a profile that this site runs: two hexadecimal digits, each of whose protections the
    /// profile's level must have.
    #[arg(long, value_name = "LEVEL", default_value = "01", value_parser = security_level)]
    pub minimum_level: u8,
}

/// A security level, P1 of EXTERNAL AUTHENTICATE.
fn security_level(text: &str) -> Result<u8, String> {
    let level = u8::from_str_radix(text, 16).ok().filter(|_| text.len() == 2);
    level
        .filter(|level| matches!(level, 0x00 | 0x01 | 0x03 | 0x11 | 0x13 | 0x33))
        .ok_or_else(|| "must be 00, 01, 03, 11, 13 or 33".to_owned())
}

/// `perso run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The prepared record, or an order, which is prepared first; - for standard input.
    pub record: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub keep: KeepArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub preparation: PreparationArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sources: Sources,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reader: ReaderArgs,
    /// The CA keys (docs/ca-keys.md): the issuer's certificate of an order is opened with them, and the card is proven at
    /// the end as a terminal would (docs/verify.md). Live keys need them.
    #[arg(long, value_name = "FILE")]
    pub ca_keys: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub level: LevelArgs,
    /// The journal, which keeps an order from becoming two cards. Default: FILE.journal beside `sim:FILE`; none that
    /// lasts for `sim`; perso.journal in the working folder for a reader.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// The same, from the configuration: for cards in a reader only.
    #[arg(long, value_name = "FILE", hide = true)]
    pub station_journal: Option<PathBuf>,
    /// Write every exchange to this file, as FILE.part until the job has ended. In full only while every key in use is a
    /// test key. {id}, {attempt}, {date} and {time} in the name stand for the record's id, the number of the attempt, and
    /// when it began (UTC).
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Write the result as JSON to this file as well. {id}, {attempt}, {date} and {time} as with --trace.
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub replace: ReplaceArgs,
    /// After SIGTERM, finish the card within this time; then stop after the command in hand.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=3600))]
    pub grace: u32,
    /// Faults that the simulated card shall show, e.g. `cut before 7`; may be given several times, or name a file of
    /// such lines with @FILE.
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
}
