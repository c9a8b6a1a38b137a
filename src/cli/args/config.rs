//! `perso config …`

use clap::Subcommand;

/// `perso config …`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Look whether everything that the configuration names is there and good.
    Check,
    /// Show every setting, and where it comes from: the configuration with its line, the environment, or the program.
    Show,
}
