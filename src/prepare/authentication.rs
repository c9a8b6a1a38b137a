//! Offline data authentication: the issuer's certificate, the card's RSA keys, their certificates, signed static data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PrepareError;
use super::pool::Pool;
use crate::base::crypto::{RsaPrivate, RsaPublic};
use crate::base::emv::Pan;
use crate::base::emv::certificate::{
    IssueError, Issued, IssuerCertificate as Opened, MonthYear, Subject, open_issuer, sign_icc, sign_pin, sign_static,
};
use crate::keys::ca_keys::CaKeys;
use crate::keys::{KeyError, KeyHandle, KeyStore, Purpose};
use crate::profile::prepare::Derived;

/// An issuer's certificate as the scheme's CA, or a test CA, has made it.
pub struct IssuerCertificate {
    rid: [u8; 5],
    ca_index: u8,
    ca: RsaPublic,
    certificate: Vec<u8>,
    remainder: Vec<u8>,
    exponent: Vec<u8>,
    /// What stands in it.
    opened: Opened,
}

/// The file of an issuer's certificate.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerFile {
    /// Version of this format: 1.
    perso_issuer_certificate: u32,
    /// RID of the scheme, hexadecimal.
    rid: String,
    /// Index of the CA's key (8F), hexadecimal.
    ca_index: String,
    /// The CA's modulus, hexadecimal.
    ca_modulus: String,
    /// The CA's exponent, hexadecimal.
    ca_exponent: String,
    /// Tag 90, hexadecimal.
    certificate: String,
    /// Tag 92, hexadecimal; empty where the certificate holds the whole modulus.
    #[serde(default)]
    remainder: String,
    /// Tag 9F32, hexadecimal.
    exponent: String,
}

impl IssuerFile {
    /// The file of a certificate that a CA has made.
    pub fn of(rid: [u8; 5], ca_index: u8, ca: &RsaPublic, issued: &Issued) -> Self {
        Self {
            perso_issuer_certificate: 1,
            rid: hex::encode_upper(rid),
            ca_index: hex::encode_upper([ca_index]),
            ca_modulus: hex::encode_upper(ca.modulus()),
            ca_exponent: hex::encode_upper(ca.exponent()),
            certificate: hex::encode_upper(&issued.certificate),
            remainder: hex::encode_upper(&issued.remainder),
            exponent: hex::encode_upper(&issued.exponent),
        }
    }
}

/// What is wrong with the file of an issuer's certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerFileError {
    /// Not a file of version 1.
    #[error("it is not a file of an issuer's certificate of version 1 (line {line}, column {column})")]
    Syntax {
        /// Line of the first fault.
        line: usize,
        /// Column of the first fault.
        column: usize,
    },
    /// Opened with nothing that is trusted.
    #[error("live keys need a CA key that you trust; give --ca-keys with a file of the scheme's CA keys")]
    NotPinned,
    /// A field that cannot be.
    #[error("{field}: {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl IssuerCertificate {
    /// Reads the file, and opens the certificate with the CA's key that stands beside it.
    ///
    /// # Errors
    /// A field cannot be, or the certificate does not open.
    pub fn parse(bytes: &[u8]) -> Result<Self, IssuerFileError> {
        let file: IssuerFile = serde_json::from_slice(bytes)
            .map_err(|error| IssuerFileError::Syntax { line: error.line(), column: error.column() })?;
        let wrong = |field, why: &str| IssuerFileError::Field { field, why: why.to_owned() };
        if file.perso_issuer_certificate != 1 {
            return Err(wrong("perso_issuer_certificate", "only version 1 is known"));
        }
        let bytes = |field, text: &str| hex::decode(text).map_err(|_| wrong(field, "it is not hexadecimal"));
        let rid = bytes("rid", &file.rid)?.try_into().map_err(|_| wrong("rid", "it has five bytes"))?;
        let [ca_index] = *bytes("ca_index", &file.ca_index)? else { return Err(wrong("ca_index", "it has one byte")) };
        let modulus = bytes("ca_modulus", &file.ca_modulus)?;
        let ca = RsaPublic::new(&modulus, &bytes("ca_exponent", &file.ca_exponent)?)
            .map_err(|error| wrong("ca_modulus", &error.to_string()))?;
        let (certificate, remainder) = (bytes("certificate", &file.certificate)?, bytes("remainder", &file.remainder)?);
        let exponent = bytes("exponent", &file.exponent)?;
        let opened = open_issuer(&ca, &certificate, &remainder, &exponent)
            .map_err(|error| wrong("certificate", &error.to_string()))?;
        Ok(Self { rid, ca_index, ca, certificate, remainder, exponent, opened })
    }

    /// Compares the CA's key in the file with the one that is trusted, and so what the certificate was opened with.
    ///
    /// # Errors
    /// The trusted keys have none of this RID and index, or another; or a test CA's for a live issuer.
    pub fn pinned(&self, keys: &CaKeys, live: bool) -> Result<(), IssuerFileError> {
        let wrong = |field, why: String| IssuerFileError::Field { field, why };
        let (rid, index) = (hex::encode_upper(self.rid), self.ca_index);
        let pinned = keys.find(self.rid, index).ok_or_else(|| {
            wrong(
                "ca_index",
                format!(
                    "the file of --ca-keys has no key of RID {rid} with index {index:02X}; add that key to it, or name \
                     another file with --ca-keys"
                ),
            )
        })?;
        if *pinned.key() != self.ca {
            let why = format!("it is not the key that the CA keys have for RID {rid} and index {index:02X}");
            return Err(wrong("ca_modulus", why));
        }
        if live && pinned.is_test() {
            return Err(wrong("ca_index", "the key is a test CA's, and the issuer's key is live".into()));
        }
        Ok(())
    }

    /// RID of the scheme.
    pub fn rid(&self) -> [u8; 5] {
        self.rid
    }

    /// The issuer's public key.
    pub fn key(&self) -> &RsaPublic {
        &self.opened.key
    }

    /// Index of the CA's key.
    pub(super) fn ca_index(&self) -> u8 {
        self.ca_index
    }

    /// The CA's key.
    pub(super) fn ca(&self) -> &RsaPublic {
        &self.ca
    }

    /// Whether terminals take it for the cards of this PAN, today. // EMV B2 §6.3
    ///
    /// # Errors
    /// It is for another issuer's PANs, or has expired.
    fn is_good_for(&self, pan: &Pan, today: Option<(u16, u8, u8)>) -> Result<(), PrepareError> {
        self.opened.is_for(pan).map_err(|_| PrepareError::OtherIssuer)?;
        self.is_valid_on(today)
    }

    /// Whether terminals take it on this day; an unknown day is not compared. // EMV B2 §6.3
    ///
    /// # Errors
    /// It has expired.
    pub fn is_valid_on(&self, today: Option<(u16, u8, u8)>) -> Result<(), PrepareError> {
        match today.and_then(|(year, month, _)| MonthYear::new(year, month)) {
            Some(month) => self.opened.is_valid_in(month).map_err(|_| PrepareError::IssuerExpired(self.opened.expiry)),
            None => Ok(()),
        }
    }
}

/// The card's RSA keys.
pub(super) struct CardRsa {
    /// For DDA and CDA.
    pub(super) icc: Option<RsaPrivate>,
    /// For the encipherment of the PIN.
    pub(super) pin: Option<RsaPrivate>,
}

/// Serial numbers of the certificates of a card's keys.
pub(super) enum Serials<'a> {
    /// Counted: each certificate has its own.
    Counted(&'a mut Pool),
    /// Drawn at random for this application.
    Drawn([u8; 3]),
}

impl Serials<'_> {
    fn next(&mut self) -> Result<[u8; 3], PrepareError> {
        match self {
            Serials::Counted(pool) => pool.serial(),
            Serials::Drawn(serial) => Ok(*serial),
        }
    }
}

/// What the records are to hold.
pub(super) struct Signing<'a> {
    pub(super) store: &'a dyn KeyStore,
    pub(super) issuer: &'a IssuerCertificate,
    pub(super) key: &'a KeyHandle,
    pub(super) pan: &'a Pan,
    /// Last month of the card.
    pub(super) expiry: MonthYear,
    pub(super) serials: Serials<'a>,
    pub(super) dac: [u8; 2],
}

/// The values of the tags of offline data authentication.
pub(super) type Signed = BTreeMap<Derived, Vec<u8>>;

/// The issuer's key in custody, which must be the one that the certificate certifies, for this PAN and today.
pub(super) fn issuer_key(
    store: &dyn KeyStore,
    name: &str,
    issuer: &IssuerCertificate,
    pan: &Pan,
    today: Option<(u16, u8, u8)>,
) -> Result<KeyHandle, PrepareError> {
    issuer.is_good_for(pan, today)?;
    let key = store.open(name, Purpose::IssuerRsa)?;
    if store.rsa_public(&key)? != *issuer.key() {
        return Err(PrepareError::OtherIssuerKey(name.to_owned()));
    }
    Ok(key)
}

impl Signing<'_> {
    /// Signs for the records that take part, over one interface.
    pub(super) fn sign(
        &mut self,
        rsa: &CardRsa,
        static_data: &[u8],
        wants: impl Fn(Derived) -> bool,
    ) -> Result<Signed, PrepareError> {
        let issuer = self.issuer;
        let mut signed = Signed::from([
            (Derived::CaIndex, vec![issuer.ca_index]),
            (Derived::IssuerCertificate, issuer.certificate.clone()),
            (Derived::IssuerRemainder, issuer.remainder.clone()),
            (Derived::IssuerExponent, issuer.exponent.clone()),
        ]);
        let (store, key, expiry) = (self.store, self.key, self.expiry);
        let raw = |block: &[u8]| store.rsa_sign(key, block);
        if wants(Derived::SignedStaticData) {
            let ssad = sign_static(issuer.key(), self.dac, static_data, raw).map_err(issue)?;
            signed.insert(Derived::SignedStaticData, ssad);
        }
        if let (Some(icc), true) = (&rsa.icc, wants(Derived::IccCertificate)) {
            let subject = Subject { expiry, serial: self.serials.next()? };
            let issued = sign_icc(issuer.key(), self.pan, subject, icc.public(), static_data, raw).map_err(issue)?;
            let tags = [Derived::IccCertificate, Derived::IccRemainder, Derived::IccExponent];
            put(&mut signed, tags, issued);
        }
        if let (Some(pin), true) = (&rsa.pin, wants(Derived::PinCertificate)) {
            let subject = Subject { expiry, serial: self.serials.next()? };
            let issued = sign_pin(issuer.key(), self.pan, subject, pin.public(), raw).map_err(issue)?;
            put(&mut signed, [Derived::PinCertificate, Derived::PinRemainder, Derived::PinExponent], issued);
        }
        Ok(signed)
    }
}

/// Zeros in place of every value, as long as a modulus of so many bytes makes them.
pub(super) fn placeholders(modulus: usize) -> Signed {
    let one = |derived, length| (derived, vec![0; length]);
    Signed::from([
        one(Derived::CaIndex, 1),
        one(Derived::IssuerCertificate, modulus),
        one(Derived::IssuerExponent, 1),
        one(Derived::SignedStaticData, modulus),
        one(Derived::IccCertificate, modulus),
        one(Derived::IccExponent, 1),
        one(Derived::PinCertificate, modulus),
        one(Derived::PinExponent, 1),
    ])
}

fn put(signed: &mut Signed, tags: [Derived; 3], issued: Issued) {
    let [certificate, remainder, exponent] = tags;
    signed.insert(certificate, issued.certificate);
    signed.insert(remainder, issued.remainder);
    signed.insert(exponent, issued.exponent);
}

fn issue(error: IssueError<KeyError>) -> PrepareError {
    match error {
        IssueError::Signer(error) => error.into(),
        IssueError::Longer { subject, signer } => PrepareError::LongerKey { card: subject * 8, issuer: signer * 8 },
        other => PrepareError::Certificate(other.to_string()),
    }
}
