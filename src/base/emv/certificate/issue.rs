//! Making certificates and signed static data. The private operation is an argument: the key may be in a token.
//! // EMV B2 §5.1, §6.1, §7.1

use super::{
    CertificateError, FILLER, HASH, MonthYear, RSA, SHA_1, closed_block, open_card, open_issuer, open_static, pan_field,
};
use crate::base::crypto::RsaPublic;
use crate::base::emv::Pan;

/// Why a certificate was not made. `E` is what the signer's key says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError<E> {
    /// A key must not be longer than the one that certifies it.
    #[error(
        "the key to be certified has {subject} bytes, which is more than the {signer} of the key that certifies it"
    )]
    Longer {
        /// Bytes of the key to be certified.
        subject: usize,
        /// Bytes of the signer's.
        signer: usize,
    },
    /// An exponent other than 3 and 65537.
    #[error("the exponent of the key to be certified is neither 3 nor 65537")]
    Exponent,
    /// An issuer identifier that is not 3 to 8 digits filled with F.
    #[error("an issuer identifier is 3 to 8 digits, filled with F")]
    IssuerIdentifier,
    /// Dynamic data that do not fit into the block, or a dynamic number that is not 2 to 8 bytes long.
    #[error("the dynamic data do not fit")]
    DynamicData,
    /// The signer's key failed.
    #[error("the signing key failed: {0}")]
    Signer(E),
    /// What was made does not open with the signer's public key: it is not given out.
    #[error("what was signed does not open again: {0}")]
    Unfit(CertificateError),
}

/// What a certificate says of a key, beside the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Last month in which it is valid.
    pub expiry: MonthYear,
    /// Serial number, unique for the signer.
    pub serial: [u8; 3],
}

/// A certificate as it goes onto the card: tags 90, 92, 9F32; 9F46, 9F48, 9F47; or 9F2D, 9F2F, 9F2E.
/// It opens to a PAN, and does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// As long as the signer's modulus.
    pub certificate: Vec<u8>,
    /// What of the modulus found no room; empty where all did, and its tag is then left out.
    pub remainder: Vec<u8>,
    /// The public exponent: 03, or 010001.
    pub exponent: Vec<u8>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[certificate of {} bytes, remainder of {}]", self.certificate.len(), self.remainder.len())
    }
}

/// Makes an issuer's certificate. `raw` is the private operation of the CA key `ca`.
///
/// # Errors
/// [`IssueError`].
pub fn sign_issuer<E>(
    ca: &RsaPublic,
    issuer_id: [u8; 4],
    subject: Subject,
    key: &RsaPublic,
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Issued, IssueError<E>> {
    let text = hex::encode_upper(issuer_id);
    let digits = text.trim_end_matches('F');
    if !(3..=8).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(IssueError::IssuerIdentifier);
    }
    let issued = sign(ca, 0x02, &issuer_id, subject, key, &[], raw)?;
    open_issuer(ca, &issued.certificate, &issued.remainder, &issued.exponent).map_err(IssueError::Unfit)?;
    Ok(issued)
}

/// Makes a card's certificate (9F46, 9F48, 9F47). `raw` is the private operation of the issuer's key.
///
/// # Errors
/// [`IssueError`].
pub fn sign_icc<E>(
    issuer: &RsaPublic,
    pan: &Pan,
    subject: Subject,
    key: &RsaPublic,
    static_data: &[u8],
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Issued, IssueError<E>> {
    let issued = sign(issuer, 0x04, &pan_field(pan), subject, key, static_data, raw)?;
    open_card(issuer, &issued.certificate, &issued.remainder, &issued.exponent)
        .and_then(|card| card.prove(static_data))
        .map_err(IssueError::Unfit)?;
    Ok(issued)
}

/// Makes the certificate of a card's PIN encipherment key (9F2D, 9F2F, 9F2E): as [`sign_icc`], without static data.
///
/// # Errors
/// [`IssueError`].
pub fn sign_pin<E>(
    issuer: &RsaPublic,
    pan: &Pan,
    subject: Subject,
    key: &RsaPublic,
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Issued, IssueError<E>> {
    sign_icc(issuer, pan, subject, key, &[], raw)
}

/// Makes signed static application data (tag 93).
///
/// # Errors
/// [`IssueError::Signer`], [`IssueError::Unfit`].
pub fn sign_static<E>(
    issuer: &RsaPublic,
    dac: [u8; 2],
    static_data: &[u8],
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, IssueError<E>> {
    let mut body = [&[0x03, SHA_1], dac.as_slice()].concat();
    body.resize(issuer.length() - HASH - 2, FILLER);
    let ssad = raw(&closed_block(&body, &[static_data])).map_err(IssueError::Signer)?;
    open_static(issuer, &ssad, static_data).map_err(IssueError::Unfit)?;
    Ok(ssad)
}

fn sign<E>(
    signer: &RsaPublic,
    format: u8,
    name: &[u8],
    subject: Subject,
    key: &RsaPublic,
    static_data: &[u8],
    raw: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Issued, IssueError<E>> {
    let longer = IssueError::Longer { subject: key.length(), signer: signer.length() };
    let Ok(length) = u8::try_from(key.length()) else { return Err(longer) };
    if key.length() > signer.length() {
        return Err(longer);
    }
    let exponent = key.exponent().to_vec();
    let exponent_length = match exponent.as_slice() {
        [3] => 1,
        [1, 0, 1] => 3,
        _ => return Err(IssueError::Exponent),
    };
    let mut body = [&[format], name, &subject.expiry.to_mmyy(), &subject.serial].concat();
    body.extend([SHA_1, RSA, length, exponent_length]);
    // Header, hash and trailer take the rest of the signer's block. A modulus has 64 bytes at least.
    let room = (signer.length() - HASH - 2).saturating_sub(body.len());
    let (leftmost, remainder) = key.modulus().split_at(room.min(key.length()));
    body.extend_from_slice(leftmost);
    body.resize(signer.length() - HASH - 2, FILLER);
    let block = closed_block(&body, &[remainder, &exponent, static_data]);
    let certificate = raw(&block).map_err(IssueError::Signer)?;
    Ok(Issued { certificate, remainder: remainder.to_vec(), exponent })
}
