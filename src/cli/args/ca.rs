//! `perso ca …`

use std::path::PathBuf;

use clap::Subcommand;

use super::{PassphraseArgs, ReplaceArgs};

/// `perso ca …`
#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// List the CA public keys of a file; every hash is checked.
    List {
        /// The file of CA keys (docs/ca-keys.md).
        keys: PathBuf,
    },
    /// Make a test CA, for cards of a laboratory.
    NewTest {
        /// The scheme: first five bytes of its AIDs, hexadecimal.
        #[arg(long, value_name = "HEX")]
        rid: String,
        /// Index of the key (tag 8F), hexadecimal.
        #[arg(long, value_name = "HEX")]
        index: String,
        /// Last month in which the key is valid.
        #[arg(long, value_name = "YYYY-MM")]
        expiry: String,
        /// Length of the key.
        #[arg(long, value_name = "BITS", default_value_t = 1408)]
        bits: usize,
        /// Write the CA here; it holds the private key.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Write its public key here, as a file of CA keys.
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs)]
        replace: ReplaceArgs,
    },
    /// Have a test CA certify an issuer's public key: prints tags 90, 92 and 9F32.
    Certify {
        /// The test CA.
        ca: PathBuf,
        /// A file with the issuer's modulus in hexadecimal.
        #[arg(long, value_name = "FILE", required_unless_present = "key", conflicts_with = "key")]
        modulus: Option<PathBuf>,
        /// Name of the issuer's RSA key in the key file, instead of a modulus.
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// The key file.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        #[command(flatten)]
        #[allow(missing_docs)]
        passphrase: PassphraseArgs,
        /// Write the certificate here too, as `perso prepare --issuer-certificate` takes it.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        #[allow(missing_docs)]
        replace: ReplaceArgs,
        /// The issuer's public exponent.
        #[arg(long, value_name = "HEX", default_value = "03")]
        exponent: String,
        /// The first 3 to 8 digits of the issuer's PANs.
        #[arg(long, value_name = "DIGITS")]
        issuer: String,
        /// Last month in which the certificate is valid.
        #[arg(long, value_name = "YYYY-MM")]
        expiry: String,
        /// Serial number, six hexadecimal digits.
        #[arg(long, value_name = "HEX")]
        serial: String,
    },
}
