//! RSA certificates and signatures of offline data authentication: opening them as a terminal does, and making them.
//! // EMV B2 §5, §6
//!
//! The host's side only: the simulated card has its own.

mod dynamic;
mod issue;
mod open;

pub use dynamic::{Combined, Dynamic, open_cda, open_dda, sign_cda, sign_dda, transaction_hash};
pub use issue::{IssueError, Issued, Subject, sign_icc, sign_issuer, sign_pin, sign_static};
pub use open::{
    IssuerCertificate, ProvenCard, Static, UnprovenCard, open_card, open_issuer, open_static, recover_static,
};

use super::Pan;
use super::date::century;
use crate::base::crypto::{RsaError, RsaPublic, sha1};

const HEADER: u8 = 0x6A;
const TRAILER: u8 = 0xBC;
const FILLER: u8 = 0xBB;
/// SHA-1, the one hash algorithm that there is.
const SHA_1: u8 = 0x01;
/// RSA, the one public key algorithm that there is.
const RSA: u8 = 0x01;
const HASH: usize = 20;

/// Why a terminal does not take a certificate or a signature. The closed list of named reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It has not the length of the key that is to open it.
    #[error("it has {length} bytes, the key that opens it {modulus}")]
    Length {
        /// Its length in bytes.
        length: usize,
        /// Length of the modulus in bytes.
        modulus: usize,
    },
    /// It is a number that this key cannot have made.
    #[error("it is not below the modulus of the key that opens it")]
    NotBelow,
    /// What it opens to does not end with BC: as a rule another key made it.
    #[error("it does not open: no trailer BC (made by another key?)")]
    Trailer,
    /// What it opens to does not begin with 6A.
    #[error("it does not open: no header 6A")]
    Header,
    /// It is something else: 02 issuer certificate, 03 static data, 04 card certificate, 05 dynamic data.
    #[error("its format is {is:02X}, not {wanted:02X}")]
    Format {
        /// As it stands there.
        is: u8,
        /// As it should be.
        wanted: u8,
    },
    /// Another hash algorithm than SHA-1.
    #[error("its hash algorithm is {0:02X}, not 01")]
    HashAlgorithm(u8),
    /// Another public key algorithm than RSA.
    #[error("its public key algorithm is {0:02X}, not 01")]
    KeyAlgorithm(u8),
    /// The hash does not fit: the certificate, the remainder, the exponent or the data that it signs was changed.
    #[error("its hash does not fit what it signs")]
    Hash,
    /// The remainder has not the length that the certificate asks for.
    #[error("the remainder has {is} bytes, {wanted} are missing in the certificate")]
    Remainder {
        /// Bytes given.
        is: usize,
        /// Bytes that the certificate leaves over.
        wanted: usize,
    },
    /// The exponent has not the length that the certificate states.
    #[error("the exponent has {is} bytes, the certificate states {stated}")]
    ExponentLength {
        /// Bytes given.
        is: usize,
        /// As the certificate states.
        stated: usize,
    },
    /// An exponent other than 3 and 65537. // EMV B2 §B2.1
    #[error("the exponent is neither 03 nor 010001")]
    Exponent,
    /// What it certifies is no public key.
    #[error("what it certifies is no public key")]
    Key,
    /// The issuer identifier is not the beginning of the PAN, or not 3 to 8 digits filled with F.
    #[error("its issuer identifier is not the beginning of the PAN")]
    IssuerIdentifier,
    /// It is for another PAN.
    #[error("it is for another PAN")]
    Pan,
    /// Its expiry is no month.
    #[error("its expiry is no month and year")]
    ExpiryMonth,
    /// It has expired.
    #[error("it has expired with {0}")]
    Expired(MonthYear),
    /// Lengths within the dynamic data that contradict each other.
    #[error("the lengths in its dynamic data contradict each other")]
    DynamicData,
    /// The cryptogram information that was signed is not what the card answered.
    #[error("the signed cryptogram information data is not the card's answer")]
    Cid,
    /// The cryptogram that was signed is not what the card answered.
    #[error("the signed cryptogram is not the card's answer")]
    Cryptogram,
    /// What was signed of the transaction is not what was exchanged.
    #[error("the signed transaction data hash is not that of the exchanged data")]
    TransactionHash,
    /// The library failed.
    #[error("the RSA library failed")]
    Library,
}

/// Month and year as certificates state them: valid to the last day of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthYear {
    year: u16,
    month: u8,
}

impl MonthYear {
    /// A month (1 to 12) of a year (1950 to 2049: two digits tell no other).
    pub fn new(year: u16, month: u8) -> Option<Self> {
        ((1..=12).contains(&month) && (1950..2050).contains(&year)).then_some(Self { year, month })
    }

    /// Reads `MMYY`. // EMV B4 §6.7.3: 00 to 49 are of this century, 50 to 99 of the last
    pub fn from_mmyy(mmyy: [u8; 2]) -> Option<Self> {
        let [month, year] =
            mmyy.map(|byte| (byte >> 4 <= 9 && byte & 15 <= 9).then_some((byte >> 4) * 10 + (byte & 15)));
        Self::new(century(year?), month?)
    }

    /// As certificates have it: `MMYY`.
    pub fn to_mmyy(self) -> [u8; 2] {
        let bcd = |number: u8| ((number / 10) << 4) | (number % 10);
        [bcd(self.month), bcd((self.year % 100) as u8)]
    }

    /// The year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }
}

impl std::str::FromStr for MonthYear {
    type Err = ();

    /// Reads `YYYY-MM`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        let (year, month) =
            text.split_once('-').filter(|(year, month)| digits(year, 4) && digits(month, 2)).ok_or(())?;
        Self::new(year.parse().map_err(|_| ())?, month.parse().map_err(|_| ())?).ok_or(())
    }
}

impl std::fmt::Display for MonthYear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// SHA-1 over RID, index, modulus and exponent: what schemes publish beside a CA public key. // EMV B2 §11.2.2
pub fn ca_key_hash(rid: [u8; 5], index: u8, key: &RsaPublic) -> [u8; 20] {
    sha1(&[&rid, [index].as_slice(), key.modulus(), key.exponent()].concat())
}

/// A PAN as certificates have it: ten bytes, filled with F.
pub(super) fn pan_field(pan: &Pan) -> [u8; 10] {
    let mut field = [0xFF; 10];
    for (byte, pair) in field.iter_mut().zip(pan.digits().as_bytes().chunks(2)) {
        let digit = |at: usize| pair.get(at).map_or(0x0F, |digit| digit - b'0');
        *byte = (digit(0) << 4) | digit(1);
    }
    field
}

/// What a key makes of a block, cut at its fixed ends.
struct Opened {
    /// From the format on, without the hash.
    body: Vec<u8>,
    hash: [u8; HASH],
}

/// Raises a signature and checks what every signed block has. // EMV B2 §A2.1.3
fn open_block(key: &RsaPublic, signature: &[u8], format: u8) -> Result<Opened, CertificateError> {
    let block = key.raw(signature).map_err(|error| match error {
        RsaError::Length { block, modulus } => CertificateError::Length { length: block, modulus },
        RsaError::NotBelow => CertificateError::NotBelow,
        _ => CertificateError::Library,
    })?;
    let (trailer, block) = block.split_last().ok_or(CertificateError::Trailer)?;
    let (header, block) = block.split_first().ok_or(CertificateError::Header)?;
    if *trailer != TRAILER {
        return Err(CertificateError::Trailer);
    }
    if *header != HEADER {
        return Err(CertificateError::Header);
    }
    // A modulus has 64 bytes at least, so that there is always room for a hash.
    let (body, hash) = block.split_last_chunk::<HASH>().ok_or(CertificateError::Trailer)?;
    match body.first() {
        Some(is) if *is != format => Err(CertificateError::Format { is: *is, wanted: format }),
        _ => Ok(Opened { body: body.to_vec(), hash: *hash }),
    }
}

impl Opened {
    /// Whether the hash fits, over the block and what else it covers.
    fn proves(&self, also: &[&[u8]]) -> Result<(), CertificateError> {
        if sha1(&[self.body.as_slice(), &also.concat()].concat()) == self.hash {
            Ok(())
        } else {
            Err(CertificateError::Hash)
        }
    }
}

/// A block to be signed, from its body (format and what follows) and what else the hash covers.
fn closed_block(body: &[u8], also: &[&[u8]]) -> Vec<u8> {
    let hash = sha1(&[body, &also.concat()].concat());
    [&[HEADER], body, &hash, &[TRAILER]].concat()
}

#[cfg(test)]
mod tests;
