//! `perso calc certificate`

use std::path::PathBuf;

use clap::Args;

use super::help::VALUES;

/// `perso calc certificate`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct CertificateArgs {
    /// File of CA keys (docs/ca-keys.md).
    #[arg(long, value_name = "FILE", requires_all = ["rid", "index"])]
    pub ca_keys: Option<PathBuf>,
    /// Scheme of the CA key, five bytes.
    #[arg(long, value_name = "HEX", requires = "ca_keys")]
    pub rid: Option<String>,
    /// Index of the CA key, one byte (tag 8F).
    #[arg(long, value_name = "HEX", requires = "ca_keys")]
    pub index: Option<String>,
    /// The CA's modulus, instead of --ca-keys.
    #[arg(long, value_name = "VALUE", conflicts_with = "ca_keys")]
    pub ca_modulus: Option<String>,
    /// The CA's exponent.
    #[arg(long, value_name = "HEX", default_value = "03")]
    pub ca_exponent: String,
    /// Issuer public key certificate, tag 90.
    #[arg(long, value_name = "VALUE", conflicts_with = "issuer_modulus", required_unless_present = "issuer_modulus")]
    pub issuer_certificate: Option<String>,
    /// Issuer public key remainder, tag 92.
    #[arg(long, value_name = "VALUE", default_value = "")]
    pub issuer_remainder: String,
    /// The issuer's exponent, tag 9F32.
    #[arg(long, value_name = "HEX", default_value = "03")]
    pub issuer_exponent: String,
    /// The issuer's modulus, instead of a CA's key and the issuer's certificate.
    #[arg(long, value_name = "VALUE")]
    pub issuer_modulus: Option<String>,
    /// ICC public key certificate, tag 9F46; or that of the PIN key, tag 9F2D, without static data.
    #[arg(long, value_name = "VALUE")]
    pub icc_certificate: Option<String>,
    /// ICC public key remainder, tag 9F48.
    #[arg(long, value_name = "VALUE", default_value = "")]
    pub icc_remainder: String,
    /// The card's exponent, tag 9F47.
    #[arg(long, value_name = "HEX", default_value = "03")]
    pub icc_exponent: String,
    /// Static data to be authenticated: the records in order, and what tag 9F4A names. Without them the hash of a card's
    /// certificate is not compared. They hold the PAN: @FILE, or -.
    #[arg(long, value_name = "VALUE")]
    pub static_data: Option<String>,
    /// Signed static application data, tag 93.
    #[arg(long, value_name = "VALUE", requires = "static_data")]
    pub ssad: Option<String>,
    /// Signed dynamic application data, tag 9F4B.
    #[arg(long, value_name = "VALUE", requires = "icc_certificate")]
    pub sdad: Option<String>,
    /// With --sdad of INTERNAL AUTHENTICATE (DDA): the data that the DDOL asked for.
    #[arg(long, value_name = "HEX", requires = "sdad")]
    pub ddol_data: Option<String>,
    /// With --sdad of GENERATE AC (CDA): the unpredictable number.
    #[arg(long, value_name = "HEX", requires = "sdad", conflicts_with = "ddol_data")]
    pub un: Option<String>,
    /// The PAN that the certificates should be for: @FILE, or -.
    #[arg(long, value_name = "VALUE")]
    pub pan: Option<String>,
}
