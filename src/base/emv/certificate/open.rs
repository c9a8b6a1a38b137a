//! Opening certificates and signed static data. // EMV B2 §5.3, §5.4, §6.3, §6.4, §7.1

use super::{CertificateError, MonthYear, Opened, RSA, SHA_1, open_block, pan_field};
use crate::base::crypto::RsaPublic;
use crate::base::emv::Pan;

/// An issuer's public key certificate (tags 90, 92, 9F32) whose hash fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerCertificate {
    /// The first 3 to 8 digits of the PANs that it is for, filled with F.
    pub issuer_id: [u8; 4],
    /// Last month in which it is valid.
    pub expiry: MonthYear,
    /// Serial number, unique for its CA.
    pub serial: [u8; 3],
    /// The issuer's public key.
    pub key: RsaPublic,
    /// Its hash.
    pub hash: [u8; 20],
}

impl IssuerCertificate {
    /// Whether it is for this PAN. // EMV B2 §6.3 step 8
    ///
    /// # Errors
    /// [`CertificateError::IssuerIdentifier`].
    pub fn is_for(&self, pan: &Pan) -> Result<(), CertificateError> {
        let text = hex::encode_upper(self.issuer_id);
        let digits = text.trim_end_matches('F');
        let fits = (3..=8).contains(&digits.len()) && pan.digits().starts_with(digits);
        if fits { Ok(()) } else { Err(CertificateError::IssuerIdentifier) }
    }

    /// Whether it is valid in this month. // EMV B2 §6.3 step 9
    ///
    /// # Errors
    /// [`CertificateError::Expired`].
    pub fn is_valid_in(&self, month: MonthYear) -> Result<(), CertificateError> {
        valid(self.expiry, month)
    }
}

/// Opens an issuer's certificate with the CA's key; `remainder` is empty where there is none.
///
/// # Errors
/// The first reason of [`CertificateError`] for which a terminal would not take it, but for the PAN and the month: ask
/// [`IssuerCertificate::is_for`] and [`IssuerCertificate::is_valid_in`].
pub fn open_issuer(
    ca: &RsaPublic,
    certificate: &[u8],
    remainder: &[u8],
    exponent: &[u8],
) -> Result<IssuerCertificate, CertificateError> {
    let opened = open_block(ca, certificate, 0x02)?;
    let Fields { subject, expiry, serial, key } =
        read(&opened, remainder, exponent, || opened.proves(&[remainder, exponent]))?;
    Ok(IssuerCertificate { issuer_id: subject, expiry, serial, key, hash: opened.hash })
}

/// A card's certificate whose hash has not been held against the static data yet.
pub struct UnprovenCard {
    opened: Opened,
    fields: Fields<10>,
    remainder: Vec<u8>,
    exponent: Vec<u8>,
}

/// A card's certificate (tags 9F46 to 9F48, or 9F2D to 9F2F) whose hash fits. It holds a PAN, and does not print.
pub struct ProvenCard {
    pan: [u8; 10],
    /// Last month in which it is valid.
    pub expiry: MonthYear,
    /// Serial number, unique for its issuer.
    pub serial: [u8; 3],
    /// The card's public key.
    pub key: RsaPublic,
    /// Its hash.
    pub hash: [u8; 20],
}

/// Opens a card's certificate with the issuer's key, as far as that goes without the static data.
///
/// # Errors
/// The first reason for which a terminal would not take it, but for the hash.
pub fn open_card(
    issuer: &RsaPublic,
    certificate: &[u8],
    remainder: &[u8],
    exponent: &[u8],
) -> Result<UnprovenCard, CertificateError> {
    let opened = open_block(issuer, certificate, 0x04)?;
    let fields = read(&opened, remainder, exponent, || Ok(()))?;
    Ok(UnprovenCard { opened, fields, remainder: remainder.to_vec(), exponent: exponent.to_vec() })
}

impl UnprovenCard {
    /// Holds the hash against the static data to be authenticated; none for a PIN encipherment certificate.
    ///
    /// # Errors
    /// [`CertificateError::Hash`].
    pub fn prove(self, static_data: &[u8]) -> Result<ProvenCard, CertificateError> {
        self.opened.proves(&[&self.remainder, &self.exponent, static_data])?;
        Ok(self.unproven())
    }

    /// What it says, whether it is true or not: for looking at a certificate whose static data are not at hand.
    pub fn unproven(self) -> ProvenCard {
        let Fields { subject, expiry, serial, key } = self.fields;
        ProvenCard { pan: subject, expiry, serial, key, hash: self.opened.hash }
    }
}

impl ProvenCard {
    /// Whether it is for this PAN. // EMV B2 §6.4 step 8
    ///
    /// # Errors
    /// [`CertificateError::Pan`].
    pub fn is_for(&self, pan: &Pan) -> Result<(), CertificateError> {
        if self.pan == pan_field(pan) { Ok(()) } else { Err(CertificateError::Pan) }
    }

    /// Whether it is valid in this month.
    ///
    /// # Errors
    /// [`CertificateError::Expired`].
    pub fn is_valid_in(&self, month: MonthYear) -> Result<(), CertificateError> {
        valid(self.expiry, month)
    }

    /// The PAN as it stands there: ten bytes, filled with F. Every use is a place to look at in a review.
    pub fn pan_field(&self) -> &[u8; 10] {
        &self.pan
    }
}

/// Signed static application data (tag 93) whose hash fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Static {
    /// Data authentication code, tag 9F45.
    pub dac: [u8; 2],
    /// Its hash.
    pub hash: [u8; 20],
}

/// Opens signed static application data with the issuer's key.
///
/// # Errors
/// The first reason for which a terminal would not take it.
pub fn open_static(issuer: &RsaPublic, ssad: &[u8], static_data: &[u8]) -> Result<Static, CertificateError> {
    let (opened, recovered) = recover(issuer, ssad)?;
    opened.proves(&[static_data])?;
    Ok(recovered)
}

/// Recovers signed static application data with the issuer's key. Proves nothing: the hash is not compared with any
/// static data.
///
/// # Errors
/// The block is not of this key, or not signed static application data.
pub fn recover_static(issuer: &RsaPublic, ssad: &[u8]) -> Result<Static, CertificateError> {
    recover(issuer, ssad).map(|(_, recovered)| recovered)
}

fn recover(issuer: &RsaPublic, ssad: &[u8]) -> Result<(Opened, Static), CertificateError> {
    let opened = open_block(issuer, ssad, 0x03)?;
    let [_, algorithm, dac @ ..] = opened.body.first_chunk::<4>().ok_or(CertificateError::Header)?;
    if *algorithm != SHA_1 {
        return Err(CertificateError::HashAlgorithm(*algorithm));
    }
    let recovered = Static { dac: *dac, hash: opened.hash };
    Ok((opened, recovered))
}

fn valid(expiry: MonthYear, month: MonthYear) -> Result<(), CertificateError> {
    if month <= expiry { Ok(()) } else { Err(CertificateError::Expired(expiry)) }
}

/// What stands in a certificate; the subject's name has `S` bytes.
struct Fields<const S: usize> {
    subject: [u8; S],
    expiry: MonthYear,
    serial: [u8; 3],
    key: RsaPublic,
}

/// Reads a certificate. `prove` is asked when the hash can be looked at, before anything of it is believed.
fn read<const S: usize>(
    opened: &Opened,
    remainder: &[u8],
    exponent: &[u8],
    prove: impl FnOnce() -> Result<(), CertificateError>,
) -> Result<Fields<S>, CertificateError> {
    let mut reader = opened.body.get(1..).unwrap_or_default();
    let subject = take::<S>(&mut reader)?;
    let (expiry, serial) = (take::<2>(&mut reader)?, take::<3>(&mut reader)?);
    let [hash_algorithm, key_algorithm, length, exponent_length] = take::<4>(&mut reader)?;
    if hash_algorithm != SHA_1 {
        return Err(CertificateError::HashAlgorithm(hash_algorithm));
    }
    let (length, stated) = (usize::from(length), usize::from(exponent_length));
    let wanted = length.saturating_sub(reader.len());
    if remainder.len() != wanted {
        return Err(CertificateError::Remainder { is: remainder.len(), wanted });
    }
    if exponent.len() != stated {
        return Err(CertificateError::ExponentLength { is: exponent.len(), stated });
    }
    prove()?;
    if key_algorithm != RSA {
        return Err(CertificateError::KeyAlgorithm(key_algorithm));
    }
    if !matches!(exponent, [3] | [1, 0, 1]) {
        return Err(CertificateError::Exponent);
    }
    // The rest of the block is filler where the modulus is shorter.
    let modulus = [reader.get(..length).unwrap_or(reader), remainder].concat();
    let key = RsaPublic::new(&modulus, exponent).map_err(|_| CertificateError::Key)?;
    let expiry = MonthYear::from_mmyy(expiry).ok_or(CertificateError::ExpiryMonth)?;
    Ok(Fields { subject, expiry, serial, key })
}

/// A modulus has 64 bytes at least, so that the fixed fields always fit before the hash.
fn take<const N: usize>(reader: &mut &[u8]) -> Result<[u8; N], CertificateError> {
    let (taken, rest) = reader.split_first_chunk::<N>().ok_or(CertificateError::Header)?;
    *reader = rest;
    Ok(*taken)
}
