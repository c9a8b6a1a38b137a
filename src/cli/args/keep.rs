//! Files that `perso run` keeps, and what happens to files that exist.

use std::path::PathBuf;

use clap::Args;

use crate::cli::claimed::Existing;

/// What is kept of the preparation of an order.
#[derive(Debug, Clone, Default, Args)]
pub struct KeepArgs {
    /// Orders only: keep the sealed record that is prepared in this file. If the file exists and is the record of this very
    /// order, the card is made from it, and nothing is prepared.
    #[arg(long = "record", id = "kept-record", value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// What happens to files that exist.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct ReplaceArgs {
    /// Replace output files that exist. Without it they are refused. Records, keys, cards, journals and orders are never
    /// replaced.
    #[arg(long)]
    pub replace: bool,
}

impl ReplaceArgs {
    /// What happens to a file of the same name.
    pub fn existing(self) -> Existing {
        Existing::replace(self.replace)
    }
}
