//! `perso keys …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{PassphraseArgs, ProfileArgs, ReplaceArgs};

/// `perso keys …`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the keys of a key file: names, purposes, versions and check values.
    List {
        /// The key file; without it, the one that --keys, PERSO_KEYS or perso.toml names.
        #[arg(value_name = "FILE", conflicts_with = "keys")]
        file: Option<PathBuf>,
        /// The same, as with every other command.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        #[command(flatten)]
        #[allow(missing_docs)]
        passphrase: PassphraseArgs,
    },
    /// Seal an unsealed file of test keys under a passphrase.
    Seal {
        /// The unsealed key file.
        keys: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs)]
        passphrase: PassphraseArgs,
        /// Write here.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Bring a key in: from a TR-31 key block, or (laboratory only) from components. Shows its check value.
    Import(ImportArgs),
    /// Make a key at random. Shows its check value.
    Generate(GenerateArgs),
    /// Make a successor of a key: same purpose, kind and zone, version one higher. The old key stays for what needs it.
    Rotate(RotateArgs),
    /// Write a key as a TR-31 key block under a key block protection key.
    Export(ExportArgs),
    /// Put the keys of a key file into a token, where they stay: not extractable, sensitive.
    Load(LoadArgs),
    /// Show a key's check value, by any method that its kind has.
    Kcv(KcvArgs),
    /// Show the public half of a key pair: PEM, JWK, or modulus and exponent.
    Public(PublicArgs),
    /// Remove a key from its file or token. It asks nothing: have a copy of what is still needed.
    Remove(RemoveArgs),
    /// Change the passphrase of a sealed key file. The keys stay as they are.
    Passphrase(NewPassphraseArgs),
    /// List the keys that a product takes: which are there, and how the others are made. Exit code 10 if one is missing.
    Needed(NeededArgs),
}

/// `perso keys needed`
#[derive(Debug, Args)]
pub struct NeededArgs {
    /// The profile: its name, or its file.
    pub profile: String,
    /// The key file, which need not exist yet. Or a token: pkcs11:token=LABEL?module-path=FILE
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profiles: ProfileArgs,
}

/// `perso keys passphrase`
#[derive(Debug, Args)]
pub struct NewPassphraseArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    /// Read the new passphrase from the first line of this file, instead of asking for it twice.
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_fd")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Read the new passphrase from the first line of this open descriptor.
    #[arg(long, value_name = "N")]
    pub new_passphrase_fd: Option<u32>,
}

/// `perso keys public`
#[derive(Debug, Args)]
pub struct PublicArgs {
    /// The key.
    pub key: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    /// How it is written.
    #[arg(long, value_name = "FORM", default_value = "pem")]
    pub form: PublicForm,
    /// Write here; standard output otherwise.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub replace: ReplaceArgs,
}

/// How a public key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PublicForm {
    /// SubjectPublicKeyInfo in PEM.
    Pem,
    /// JSON Web Key.
    Jwk,
    /// Modulus and exponent of an RSA key, hexadecimal.
    Numbers,
}

/// `perso keys remove`
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The key.
    pub key: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
}

/// `perso keys load`
#[derive(Debug, Args)]
pub struct LoadArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    /// The token: pkcs11:token=LABEL?module-path=FILE
    #[arg(long, value_name = "URI")]
    pub into: PathBuf,
    /// Read the token's PIN from the first line of this file, instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
}

/// Which key file.
#[derive(Debug, Args)]
pub struct KeyFileArgs {
    /// The key file; where it is changed, it is replaced whole. Or a token: pkcs11:token=LABEL?module-path=FILE
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
}

/// What a new key is called, and whose it is.
#[derive(Debug, Args)]
pub struct NamedArgs {
    /// Name of the new key: 1 to 64 letters, digits and - . _ /
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Whose key it is, or between whom.
    #[arg(long, value_name = "ZONE", default_value = "")]
    pub zone: String,
    /// Version; of a KMC the key version number of its cards.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub key_version: u8,
    /// Of a KMC: the KMCID of its cards, twelve hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub kmcid: Option<String>,
    /// How its check value is made: des-zero, aes-zero, aes-ones, cmac or spki-sha256. Default: des-zero for triple DES,
    /// cmac for AES, spki-sha256 for key pairs.
    #[arg(long, value_name = "METHOD")]
    pub kcv_method: Option<String>,
}

/// `perso keys import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub named: NamedArgs,
    /// What the key is for; the block's usage must allow it. Default: what the usage says.
    #[arg(long, value_name = "PURPOSE", required_if_eq("lab", "true"))]
    pub purpose: Option<String>,
    /// Read the key block from this file; `-` is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "lab", conflicts_with = "lab", requires = "kbpk")]
    pub block: Option<PathBuf>,
    /// Name of the key block protection key, in the same key file.
    #[arg(long, value_name = "NAME")]
    pub kbpk: Option<String>,
    /// The key comes in components in the clear: test keys only.
    #[arg(long, requires = "algorithm")]
    pub lab: bool,
    /// A file with one component in hexadecimal; give it once for each. Without it the components are asked for.
    #[arg(long, value_name = "FILE", requires = "lab")]
    pub component: Vec<PathBuf>,
    /// How many components are asked for.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=9))]
    pub components: u8,
    /// Kind of a key that comes in components: tdes2, tdes3, aes128, aes192, aes256.
    #[arg(long, value_name = "ALGORITHM", requires = "lab")]
    pub algorithm: Option<String>,
    /// Take the key in although the key block protection key is weaker than the key.
    #[arg(long, requires = "block")]
    pub accept_weak_kbpk: bool,
    /// The check value that the key must have, hexadecimal: it came by another way than the key.
    #[arg(long, value_name = "HEX")]
    pub kcv: Option<String>,
}

/// `perso keys generate`
#[derive(Debug, Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub named: NamedArgs,
    /// What the key is for.
    #[arg(long, value_name = "PURPOSE")]
    pub purpose: String,
    /// Kind of key: tdes2, tdes3, aes128, aes192, aes256, rsa, p256.
    #[arg(long, value_name = "ALGORITHM")]
    pub algorithm: String,
    /// Length of an RSA modulus.
    #[arg(long, value_name = "BITS", default_value_t = 1408)]
    pub bits: usize,
    /// Exponent of an RSA key: 3 or 65537.
    #[arg(long, value_name = "E", default_value_t = 3)]
    pub exponent: u32,
    /// It is a test key. A new file of test keys is left unsealed and marked so.
    #[arg(long)]
    pub test: bool,
}

/// `perso keys rotate`
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The key to be followed.
    pub key: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    /// Name of the successor. Default: the old name with the new version, such as `zpk-bank.v2`.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// `perso keys export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The key.
    pub key: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    /// Name of the key block protection key, in the same key file.
    #[arg(long, value_name = "NAME")]
    pub kbpk: String,
    /// Version of the key block. Default: D under an AES key, B under a triple DES key.
    #[arg(long, value_name = "A|B|C|D|E")]
    pub block_version: Option<char>,
    /// Whether the receiver may export it again: E (under a trusted key), N (no), S (under any key). A key that came with
    /// E does not leave with S, one that came with N not at all.
    #[arg(long, value_name = "E|N|S", default_value_t = 'N')]
    pub exportability: char,
    /// Write here; standard output otherwise.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub replace: ReplaceArgs,
}

/// `perso keys kcv`
#[derive(Debug, Args)]
pub struct KcvArgs {
    /// The key.
    pub key: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: KeyFileArgs,
    /// des-zero, aes-zero, aes-ones, cmac or spki-sha256. Default: as it stands in the key file.
    #[arg(long, value_name = "METHOD")]
    pub kcv_method: Option<String>,
    /// How many bytes of it. Default: as many as the key file has.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(3..=8))]
    pub length: Option<u8>,
}
