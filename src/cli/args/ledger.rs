//! `perso ledger …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `perso ledger …`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Make a test ledger in a new file. Its identity key is drawn and kept in it.
    Init {
        /// The file, on a local disk. Default: the one that --ledger, PERSO_LEDGER or perso.toml names.
        file: Option<PathBuf>,
        #[command(flatten)]
        #[allow(missing_docs)]
        ledger: LedgerArgs,
    },
    /// List orders, or jobs, the latest first.
    List(LedgerListArgs),
    /// Show an order: its state, its jobs, and its history.
    Show(LedgerShowArgs),
    /// Compute the tables again from the events, and compare.
    Check {
        #[command(flatten)]
        #[allow(missing_docs)]
        ledger: LedgerArgs,
    },
    #[command(flatten)]
    #[allow(missing_docs)]
    Act(ActCommand),
}

/// The commands of `perso ledger` that write.
#[derive(Debug, Subcommand)]
pub enum ActCommand {
    /// Hold an order: no card of it is begun until it is released.
    Hold(ActArgs),
    /// Release a held order.
    Release(ActArgs),
    /// Cancel an order before its card is begun.
    Cancel(ActArgs),
    /// Give an order up: it is never made here.
    GiveUp {
        #[command(flatten)]
        #[allow(missing_docs)]
        act: ActArgs,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Approve a further attempt after a spoiled or rejected card. Takes two people.
    Remake {
        #[command(flatten)]
        #[allow(missing_docs)]
        act: ActArgs,
        /// The second person.
        #[arg(long, value_name = "NAME")]
        second: String,
    },
    /// Settle a card in doubt as destroyed. Takes two people who have seen that.
    Settle {
        #[command(flatten)]
        #[allow(missing_docs)]
        act: ActArgs,
        /// The card was destroyed.
        #[arg(long, required = true)]
        destroyed: bool,
        /// The second person.
        #[arg(long, value_name = "NAME")]
        second: String,
    },
    /// Confirm stripe, print and look of a good card.
    Made(ActArgs),
    /// Take a good, made or shipped card back: it must be destroyed.
    Reject {
        #[command(flatten)]
        #[allow(missing_docs)]
        act: ActArgs,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Hand a made card to its holder.
    HandOver(ActArgs),
    /// Ship a made card.
    Ship {
        #[command(flatten)]
        #[allow(missing_docs)]
        act: ActArgs,
        /// Who carries it.
        #[arg(long, value_name = "NAME")]
        carrier: String,
        /// Number of the shipment: letters, digits and - / . : _ +
        #[arg(long, value_name = "NUMBER")]
        tracking: String,
    },
}

/// Which ledger.
#[derive(Debug, Clone, Args)]
pub struct LedgerArgs {
    /// The ledger's file.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Wait this long while another process writes.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(..=3600))]
    pub wait: u32,
}

/// Which order, in which ledger.
#[derive(Debug, Clone, Args)]
pub struct ActArgs {
    /// The order's first digits (at least 4), or a job, as `perso ledger list` prints them.
    pub order: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub ledger: LedgerArgs,
}

/// `perso ledger list`
#[derive(Debug, Args)]
pub struct LedgerListArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub ledger: LedgerArgs,
    /// List jobs (attempts to make a card) instead of orders.
    #[arg(long)]
    pub jobs: bool,
    /// Only those in this state, such as in-doubt; may be given several times.
    #[arg(long, value_name = "STATE")]
    pub state: Vec<String>,
    /// Only held orders.
    #[arg(long, conflicts_with = "jobs")]
    pub held: bool,
    /// Only jobs of this station.
    #[arg(long, value_name = "NAME", requires = "jobs")]
    pub station: Option<String>,
    /// Only orders taken in, or jobs claimed, on this day (UTC).
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: Option<String>,
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Print CSV (RFC 4180) with a header.
    #[arg(long)]
    pub csv: bool,
}

/// `perso ledger show`
#[derive(Debug, Args)]
pub struct LedgerShowArgs {
    /// The order's first digits (at least 4), or a job, as `perso ledger list` prints them.
    pub order: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub ledger: LedgerArgs,
    /// Print the history as CSV (RFC 4180) with a header.
    #[arg(long)]
    pub csv: bool,
}
