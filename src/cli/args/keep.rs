//! What `perso run` keeps of an order beside the card.

use std::path::PathBuf;

use clap::Args;

/// What is kept of the preparation of an order.
#[derive(Debug, Clone, Default, Args)]
pub struct KeepArgs {
    /// Orders only: keep the sealed record that is prepared in this file, which must not be there yet.
    #[arg(long = "record", id = "kept-record", value_name = "FILE")]
    pub record: Option<PathBuf>,
}
