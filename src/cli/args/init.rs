//! `perso init …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `perso init …`
#[derive(Debug, Subcommand)]
pub enum InitCommand {
    /// Make a laboratory in a new folder. Configuration, test ledger, site, product, test keys, test CA with the issuer's
    /// certificate, key pairs for encrypted orders, sample orders, README.md with the next commands.
    Lab(InitLabArgs),
}

/// `perso init lab`
#[derive(Debug, Args)]
pub struct InitLabArgs {
    /// The folder. It must not exist, or be empty.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The product's own AID, hexadecimal; once for each payment application of the product. Default: the sample's.
    #[arg(long, value_name = "HEX")]
    pub aid: Vec<String>,
    /// Name of the product, of its profile and the beginning of its keys' names: small letters, digits and hyphens.
    #[arg(long, value_name = "NAME", default_value = "my-card")]
    pub name: String,
    /// The sample product to begin with: visa-like-debit, visa-like-contact, visa-like-combo or mastercard-like-debit.
    #[arg(long, value_name = "PRODUCT", default_value = "visa-like-debit")]
    pub product: String,
}
