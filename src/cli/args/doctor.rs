//! `perso doctor`

use std::path::PathBuf;

use clap::Args;

use super::{PassphraseArgs, ProfileArgs};

/// `perso doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The key file to check. Without it that check is skipped.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
    /// The journal to check.
    #[arg(long, value_name = "FILE", default_value = "perso.journal")]
    pub journal: PathBuf,
}
