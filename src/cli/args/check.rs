//! `perso check`

use std::path::PathBuf;

use clap::Args;

use super::{LevelArgs, PassphraseArgs, ProfileArgs};

/// `perso check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Orders, records, profiles (*.toml) and key files, told apart by what they hold; - for standard input. Of a folder,
    /// all files of these kinds in it and below it.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// The key file that orders and records are opened with. Without it what is encrypted is skipped.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// The site (TOML) that orders are checked against. Without it only their form is checked.
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Orders only: the issuer's certificate. With it each order is prepared with certificates and new RSA keys, without it
    /// with neither.
    #[arg(long, value_name = "FILE", requires_all = ["keys", "site"])]
    pub issuer_certificate: Option<PathBuf>,
    /// The CA keys (docs/ca-keys.md) that the issuer's certificate is opened with. Live keys need them.
    #[arg(long, value_name = "FILE", requires = "issuer_certificate")]
    pub ca_keys: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub level: LevelArgs,
}
