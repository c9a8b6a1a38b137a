//! `perso readers`

use clap::Args;

/// `perso readers`
#[derive(Debug, Args)]
pub struct ReadersArgs {
    /// Go on and tell what changes, until a signal ends it; a PC/SC service that goes away is waited for. With
    /// `--format json`, one line for each change.
    #[arg(long)]
    pub watch: bool,
}
