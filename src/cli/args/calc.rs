//! `perso calc …`
//!
//! None of it derives `Debug`: a value may hold a PAN.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::help::VALUES;
use super::{CertificateArgs, PassphraseArgs};

/// `perso calc …`
#[derive(Subcommand)]
pub enum CalcCommand {
    /// The check value of a key, by every method that its kind has.
    Kcv(KeyCheckArgs),
    /// A card's keys from a master key and the card's key diversification data.
    Diversify(DiversifyArgs),
    /// Session keys and cryptograms of SCP02 and SCP03.
    SessionKeys(SessionKeysArgs),
    /// PIN blocks of ISO 9564 formats 0 to 4; test keys only.
    #[command(subcommand)]
    PinBlock(PinBlockCommand),
    /// CVV, iCVV or CVV2; test keys only.
    Cvv(CvvArgs),
    /// PVV of a PIN; test keys only.
    Pvv(PvvArgs),
    /// IBM 3624: the natural PIN, the offset of a PIN, the PIN of an offset; test keys only.
    Offset(OffsetArgs),
    /// A card's key under an issuer master key.
    IccKey(IccKeyArgs),
    /// An application cryptogram (ARQC, TC, AAC); live keys compare it only.
    Arqc(ArqcArgs),
    /// The issuer's answer to a cryptogram, method 1 or 2; live keys compare it only.
    Arpc(ArpcArgs),
    /// A TR-31 key block: its header, and with the KBPK whether it opens, and the key's check value.
    Tr31(Tr31Args),
    /// BER-TLV as a tree, with names.
    Tlv(OneValue),
    /// Data groupings (DGIs) as they go onto a card.
    Dgi(OneValue),
    /// A data object list: what it asks for, and the data for it.
    Dol(DolArgs),
    /// An answer to reset.
    Atr(OneValue),
    /// Track 1, track 2, or track 2 equivalent data (tag 57, with D for the separator).
    Track(OneValue),
    /// The check digit of a PAN or another number. Exit code 10 if it is wrong.
    Luhn(LuhnArgs),
    /// Open certificates and signatures, from a CA's or an issuer's key on. Exit code 10 if one does not open.
    Certificate(Box<CertificateArgs>),
}

/// A PAN would show.
impl std::fmt::Debug for CalcCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[a calculation]")
    }
}

/// One value that is not secret.
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct OneValue {
    /// Hexadecimal, or the track or number; @FILE, or - for standard input.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub value: String,
}

/// `perso calc luhn`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct LuhnArgs {
    /// The number; @FILE, or - for standard input.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub value: String,
    /// The number has no check digit yet: compute it.
    #[arg(long)]
    pub compute: bool,
}

/// Where a key lies: in a key file, or in the clear.
#[derive(Args)]
pub struct KeyPlaceArgs {
    /// The key file.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub passphrase: PassphraseArgs,
    /// Read a test key in hexadecimal from this file; - for standard input, /dev/fd/N for a descriptor.
    #[arg(long, value_name = "FILE")]
    pub key_from: Option<String>,
    /// Clear keys and PINs that are given are test keys and test PINs.
    #[arg(long)]
    pub test_keys: bool,
}

/// Where a key comes from.
#[derive(Args)]
pub struct KeyArgs {
    /// Name of the key in the key file.
    #[arg(long, value_name = "NAME", conflicts_with = "key_from", required_unless_present = "key_from")]
    pub key: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: KeyPlaceArgs,
}

/// `perso calc kcv`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct KeyCheckArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyArgs,
    /// With --key-from: a key of 16 or 24 bytes is one of AES; triple DES otherwise.
    #[arg(long)]
    pub aes: bool,
    /// Bytes of each check value.
    #[arg(long, value_name = "BYTES", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub length: u8,
}

/// `perso calc diversify`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct DiversifyArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyArgs,
    /// none, emv-cps:0 to emv-cps:4, visa1, visa2 or kdf3 (AES).
    #[arg(long, value_name = "METHOD", default_value = "emv-cps:4")]
    pub method: String,
    /// Key diversification data: the first ten bytes of the answer to INITIALIZE UPDATE.
    #[arg(long, value_name = "HEX")]
    pub kdd: String,
}

/// `perso calc session-keys`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct SessionKeysArgs {
    /// --key names a master key, or a set of three; --key-from holds one key, or ENC, MAC and DEK in three lines.
    #[command(flatten)]
    pub key: KeyArgs,
    /// How the card's keys come from a master key: as with `perso calc diversify`.
    #[arg(long, value_name = "METHOD", default_value = "none")]
    pub method: String,
    /// The INITIALIZE UPDATE command.
    #[arg(long, value_name = "HEX", requires = "answer", required_unless_present_any = ["sequence", "card_challenge"])]
    pub command: Option<String>,
    /// The card's answer to it.
    #[arg(long, value_name = "HEX", requires = "command")]
    pub answer: Option<String>,
    /// Instead of an exchange, SCP02: the sequence counter, two bytes.
    #[arg(long, value_name = "HEX", conflicts_with_all = ["command", "card_challenge"])]
    pub sequence: Option<String>,
    /// Instead of an exchange, SCP03: the card's challenge.
    #[arg(long, value_name = "HEX", requires = "host_challenge", conflicts_with = "command")]
    pub card_challenge: Option<String>,
    /// With --card-challenge: the host's challenge.
    #[arg(long, value_name = "HEX", requires = "card_challenge")]
    pub host_challenge: Option<String>,
    /// SCP02: the `i` parameter, which no answer contains.
    #[arg(long, value_name = "HEX", default_value = "15")]
    pub option: String,
}

/// Formats of PIN blocks.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BlockFormat {
    /// Format 0.
    #[value(name = "0")]
    Iso0,
    /// Format 1: no PAN.
    #[value(name = "1")]
    Iso1,
    /// Format 2: for the card's chip, never between hosts.
    #[value(name = "2")]
    Iso2,
    /// Format 3.
    #[value(name = "3")]
    Iso3,
    /// Format 4: AES.
    #[value(name = "4")]
    Iso4,
}

/// Where a key comes from, where there is one.
#[derive(Args)]
pub struct PinKeyArgs {
    /// Name of the key in the key file; without a key a PIN block is in the clear, and a key block stays closed.
    #[arg(long, value_name = "NAME", conflicts_with = "key_from")]
    pub key: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: KeyPlaceArgs,
}

/// `perso calc pin-block …`
#[derive(Subcommand)]
pub enum PinBlockCommand {
    /// Make a block of a PIN.
    #[command(after_help = VALUES)]
    Encode {
        /// Format of the block.
        #[arg(long, value_enum, default_value = "0")]
        to: BlockFormat,
        /// Read the test PIN from this file; - for standard input.
        #[arg(long, value_name = "FILE")]
        pin_from: String,
        /// The PAN: @FILE, or - for standard input. Formats 0, 3 and 4.
        #[arg(long, value_name = "VALUE")]
        pan: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs)]
        key: PinKeyArgs,
    },
    /// Read the PIN of a block; test keys only.
    #[command(after_help = VALUES)]
    Decode {
        /// Format of the block.
        #[arg(long, value_enum, default_value = "0")]
        from: BlockFormat,
        /// The block: typed if it is enciphered, else @FILE or -.
        #[arg(long, value_name = "VALUE")]
        block: String,
        /// The PAN: @FILE, or - for standard input. Formats 0, 3 and 4.
        #[arg(long, value_name = "VALUE")]
        pan: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs)]
        key: PinKeyArgs,
    },
    /// Put a PIN under another key, or into another format; test keys only.
    #[command(after_help = VALUES)]
    Translate {
        /// Format of the block: 0, 3 or 4.
        #[arg(long, value_enum, default_value = "0")]
        from: BlockFormat,
        /// The block.
        #[arg(long, value_name = "VALUE")]
        block: String,
        /// The PAN: @FILE, or - for standard input.
        #[arg(long, value_name = "VALUE")]
        pan: String,
        #[command(flatten)]
        #[allow(missing_docs)]
        key: KeyArgs,
        /// Format of the new block: 0, 3 or 4.
        #[arg(long, value_enum, default_value = "0")]
        to: BlockFormat,
        /// Name of the new key in the key file.
        #[arg(long, value_name = "NAME", required_unless_present = "to_key_from")]
        to_key: Option<String>,
        /// Read the new key, a test key, from this file.
        #[arg(long, value_name = "FILE", conflicts_with = "to_key")]
        to_key_from: Option<String>,
    },
}

/// `perso calc cvv`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct CvvArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyArgs,
    /// The PAN: @FILE, or - for standard input.
    #[arg(long, value_name = "VALUE")]
    pub pan: String,
    /// Expiry, four digits: YYMM; for CVV2 as the issuer has it.
    #[arg(long, value_name = "DIGITS")]
    pub expiry: String,
    /// Service code, three digits; 999 gives the iCVV, 000 the CVV2.
    #[arg(long, value_name = "DIGITS")]
    pub service_code: String,
    /// Digits of the value.
    #[arg(long, value_name = "DIGITS", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub length: u8,
}

/// `perso calc pvv`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct PvvArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyArgs,
    /// The PAN: @FILE, or - for standard input.
    #[arg(long, value_name = "VALUE")]
    pub pan: String,
    /// Index of the key (PVKI).
    #[arg(long, value_name = "DIGIT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=9))]
    pub index: u8,
    /// Read the test PIN from this file; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub pin_from: String,
}

/// `perso calc offset`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct OffsetArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyArgs,
    /// Validation data, sixteen hexadecimal digits, mostly a part of the PAN with filling: @FILE, or -.
    #[arg(long, value_name = "VALUE")]
    pub validation: String,
    /// Decimalization table, sixteen digits.
    #[arg(long, value_name = "DIGITS", default_value = "0123456789012345")]
    pub table: String,
    /// Read a test PIN from this file, and make its offset.
    #[arg(long, value_name = "FILE")]
    pub pin_from: Option<String>,
    /// Make the PIN of this offset.
    #[arg(long, value_name = "DIGITS", conflicts_with = "pin_from")]
    pub offset: Option<String>,
}

/// Which card.
#[derive(Args)]
pub struct CardArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyArgs,
    /// The PAN: @FILE, or - for standard input.
    #[arg(long, value_name = "VALUE")]
    pub pan: String,
    /// PAN sequence number, two digits.
    #[arg(long, value_name = "DIGITS", default_value = "00")]
    pub psn: String,
    /// EMV option of the card's key: A, or B (a hash for PANs of more than 16 digits).
    #[arg(long, value_name = "OPTION", default_value = "A", value_parser = ["A", "B"])]
    pub option: String,
}

/// `perso calc icc-key`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct IccKeyArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub card: CardArgs,
}

/// How a session key comes from a card's key.
#[derive(Args)]
pub struct SessionArgs {
    /// EMV common session key, Mastercard's with the unpredictable number, or none: the card's key itself (CVN 10).
    #[arg(long, value_name = "METHOD", default_value = "common", value_parser = ["common", "mastercard", "none"])]
    pub session: String,
    /// Application transaction counter, tag 9F36.
    #[arg(long, value_name = "HEX")]
    pub atc: Option<String>,
    /// Unpredictable number, tag 9F37; for --session mastercard.
    #[arg(long, value_name = "HEX")]
    pub un: Option<String>,
    /// Common session key over these eight bytes, instead of the ATC and six bytes 00.
    #[arg(long, value_name = "HEX", conflicts_with = "atc")]
    pub diversification: Option<String>,
}

/// `perso calc arqc`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct ArqcArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub card: CardArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub session: SessionArgs,
    /// What the cryptogram is computed over, without padding.
    #[arg(long, value_name = "VALUE")]
    pub data: String,
    /// ISO 9797-1 padding: 1 zeros (CVN 10), 2 80 and zeros (all others).
    #[arg(long, value_name = "METHOD", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub padding: u8,
    /// The card's cryptogram, to be compared: exit code 10 if it differs.
    #[arg(long, value_name = "HEX")]
    pub expect: Option<String>,
}

/// `perso calc arpc`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct ArpcArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub card: CardArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub session: SessionArgs,
    /// The card's cryptogram.
    #[arg(long, value_name = "HEX")]
    pub arqc: String,
    /// Method 1: the authorization response code, two bytes in hexadecimal (3030 for 00).
    #[arg(long, value_name = "HEX", required_unless_present = "csu", conflicts_with = "csu")]
    pub arc: Option<String>,
    /// Method 2: the card status update, four bytes.
    #[arg(long, value_name = "HEX")]
    pub csu: Option<String>,
    /// Method 2: proprietary authentication data, eight bytes at most.
    #[arg(long, value_name = "HEX", requires = "csu")]
    pub authentication_data: Option<String>,
    /// An ARPC to be compared, without code or update: 8 bytes for method 1, 4 for method 2. Exit code 10 if it is another.
    #[arg(long, value_name = "HEX")]
    pub expect: Option<String>,
}

/// `perso calc tr31`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct Tr31Args {
    /// The key block: typed, @FILE, or -.
    #[arg(value_name = "BLOCK", allow_hyphen_values = true)]
    pub block: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: PinKeyArgs,
}

/// `perso calc dol`
#[derive(Args)]
#[command(after_help = VALUES)]
pub struct DolArgs {
    /// The list, hexadecimal; @FILE, or - for standard input.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub dol: String,
    /// The value of a tag; may be given several times. The data are built then; a tag without a value gives zeros.
    #[arg(long, value_name = "TAG=HEX")]
    pub value: Vec<String>,
}
