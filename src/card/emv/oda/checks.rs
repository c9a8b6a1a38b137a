//! What is checked, and how it ends.

use crate::base::codec::tlv::Tag;
use crate::base::emv::OdaError;
use crate::base::emv::certificate::{CertificateError, MonthYear};
use crate::base::fault::{Code, Fault};
use crate::card::apdu::StatusWord;

/// A check of offline data authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The terminal has the CA key that the card names.
    CaKey,
    /// The issuer's public key certificate.
    IssuerCertificate,
    /// The static data to be authenticated can be put together.
    StaticData,
    /// SDA: the signed static application data.
    SignedStaticData,
    /// The card's public key certificate.
    CardCertificate,
    /// The certificate of the card's key for enciphered PINs.
    PinCertificate,
    /// DDA: the card's signature over an unpredictable number.
    DynamicSignature,
    /// CDA: the card's signature over its cryptogram.
    CombinedSignature,
    /// fDDA: the signature that a contactless card gives with its answer to GET PROCESSING OPTIONS.
    FastSignature,
}

impl Step {
    /// All of them but fDDA, which takes the place of DDA and CDA for a card that answers at once; in the order in which
    /// they build on each other.
    pub const ALL: [Step; 8] = [
        Step::CaKey,
        Step::IssuerCertificate,
        Step::StaticData,
        Step::SignedStaticData,
        Step::CardCertificate,
        Step::PinCertificate,
        Step::DynamicSignature,
        Step::CombinedSignature,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Step::CaKey => "CA key",
            Step::IssuerCertificate => "issuer certificate",
            Step::StaticData => "static data to be authenticated",
            Step::SignedStaticData => "SDA",
            Step::CardCertificate => "card certificate",
            Step::PinCertificate => "PIN key certificate",
            Step::DynamicSignature => "DDA",
            Step::CombinedSignature => "CDA",
            Step::FastSignature => "fDDA",
        }
    }
}

/// How a check has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// A terminal would not take it.
    Failed(OfflineError),
    /// There is nothing to check, and why.
    NotApplicable(&'static str),
    /// It could not be checked, and why.
    Skipped(&'static str),
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub step: Step,
    /// How it has ended.
    pub outcome: Outcome,
}

/// Why a check has failed. The closed list of reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfflineError {
    /// An object that the AIP makes mandatory is in none of the records.
    #[error("the card has no object {0}")]
    Missing(Tag),
    /// An object that is not in its form.
    #[error("object {0} is malformed")]
    Form(Tag),
    /// The terminal has not this CA key.
    #[error("there is no CA key with index {index:02X} of RID {rid}")]
    UnknownCa {
        /// The scheme, hexadecimal.
        rid: String,
        /// Index, tag 8F.
        index: u8,
    },
    /// The CA key is not valid any more.
    #[error("the CA key has expired with {0}")]
    CaExpired(MonthYear),
    /// There are no static data to be authenticated.
    #[error(transparent)]
    Static(#[from] OdaError),
    /// A certificate or a signature is not taken.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The DDOL does not ask for the unpredictable number, so that a signature would prove nothing.
    #[error("the DDOL does not ask for the unpredictable number 9F37")]
    NothingUnpredictable,
    /// The card refuses to sign.
    #[error("the card refuses with {0}")]
    Refused(StatusWord),
}

impl Fault for OfflineError {
    fn code(&self) -> Code {
        Code::CardOda
    }
}

/// The first byte of the terminal verification results, as far as offline data authentication sets it: by the method that
/// a terminal with all three would choose. A check that was skipped sets no bit. // EMV B3 §10.3, annex C5
pub fn tvr_byte_1(aip: [u8; 2], checks: &[Check]) -> u8 {
    let path = [Step::CaKey, Step::IssuerCertificate, Step::StaticData];
    let key = Step::CardCertificate;
    let (steps, failed) = match aip {
        [methods, _] if methods & 0x01 != 0 => ([path.as_slice(), &[key, Step::CombinedSignature]].concat(), 0x04),
        [methods, _] if methods & 0x20 != 0 => ([path.as_slice(), &[key, Step::DynamicSignature]].concat(), 0x08),
        [methods, _] if methods & 0x40 != 0 => ([path.as_slice(), &[Step::SignedStaticData]].concat(), 0x42),
        _ => return 0x80,
    };
    let mut tvr = if failed == 0x42 { 0x02 } else { 0 };
    for check in checks.iter().filter(|check| steps.contains(&check.step)) {
        match &check.outcome {
            Outcome::Failed(OfflineError::Missing(_)) => tvr |= failed | 0x20,
            Outcome::Failed(_) => tvr |= failed,
            _ => {}
        }
    }
    tvr
}
