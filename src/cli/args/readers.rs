//! `perso readers`

use clap::Args;

/// `perso readers`
#[derive(Debug, Args)]
pub struct ReadersArgs {
    /// Report changes until interrupted. A PC/SC service that goes away is waited for. With `--format json`, one line for
    /// each change.
    #[arg(long)]
    pub watch: bool,
}
