//! `perso doctor`

use std::path::PathBuf;

use clap::Args;

use super::{PassphraseArgs, ProfileArgs};

/// `perso doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The key file that is to be used. Without it keys are not checked, and that is said.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
    /// The journal that is to be used.
    #[arg(long, value_name = "FILE", default_value = "perso.journal")]
    pub journal: PathBuf,
}
