//! `perso prepare`, `perso pool`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{PassphraseArgs, ReplaceArgs, Sources};

/// What data preparation takes beside keys and profiles.
#[derive(Debug, Clone, Default, Args)]
pub struct PreparationArgs {
    /// Orders only: the site (TOML) that the order is for; docs/orders.md describes it.
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Orders only: the issuer's certificate, for products with offline data authentication.
    #[arg(long, value_name = "FILE")]
    pub issuer_certificate: Option<PathBuf>,
    /// Orders only: RSA keys made ahead with `perso pool`; a key that is taken is taken out of the file.
    #[arg(long, value_name = "FILE")]
    pub pool: Option<PathBuf>,
    /// Orders only: write what others have to do for the card (encoding, printing, packing, sending), and what is reported
    /// to the sender of the order, into this file. The old name --jobs is accepted for one more version.
    #[arg(long, alias = "jobs", value_name = "FILE")]
    pub fulfilment: Option<PathBuf>,
}

/// `perso prepare`
#[derive(Debug, Args)]
pub struct PrepareArgs {
    /// The order; - for standard input.
    pub order: PathBuf,
    /// The card profile. Must be the order's.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sources: Sources,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub preparation: PreparationArgs,
    /// The CA keys (docs/ca-keys.md) that the issuer's certificate is opened with. Live keys need them; without them the
    /// certificate is opened with the CA key in its own file, and that is said.
    #[arg(long, value_name = "FILE")]
    pub ca_keys: Option<PathBuf>,
    /// Write the record here; standard output otherwise.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub replace: ReplaceArgs,
}

/// `perso pool …`
#[derive(Debug, Subcommand)]
pub enum PoolCommand {
    /// Make RSA keys ahead, and add them to a pool.
    Generate {
        /// The pool; made if it does not exist.
        pool: PathBuf,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
        /// Bits of the modulus.
        #[arg(long, value_name = "BITS", default_value_t = 1024)]
        bits: usize,
        /// Public exponent: 3 or 65537.
        #[arg(long, value_name = "E", default_value_t = 3)]
        exponent: u32,
        /// A new pool counts the serial numbers of certificates from here: three bytes. Pools of one issuer key need
        /// ranges of their own.
        #[arg(long, value_name = "HEX")]
        first_serial: Option<String>,
        /// Name of the record key that the pool is sealed under.
        #[arg(long, value_name = "NAME")]
        key: String,
        /// The key file.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs)]
        passphrase: PassphraseArgs,
    },
    /// How many keys of each size there are.
    Status {
        /// The pool.
        pool: PathBuf,
        /// The key file.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs)]
        passphrase: PassphraseArgs,
    },
}
