//! Why a record was not prepared.

use crate::base::chance::ChanceError;
use crate::base::codec::tlv::Tag;
use crate::base::emv::certificate::MonthYear;
use crate::base::emv::rules::Outcome;
use crate::base::fault::{Code, Fault};
use crate::keys::KeyError;
use crate::keys::issuer::IssuerError;
use crate::profile::prepare::OrderField;
use crate::record::RecordProblems;

/// Why a record was not prepared. No value is ever quoted.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The profile does not say how its cards are prepared.
    #[error("profile {0:?} has no [prepare]: its records come from elsewhere")]
    NoRecipe(String),
    /// The order is for another product.
    #[error("the order is for profile {order:?}, not {profile:?}")]
    OtherProfile {
        /// The order's.
        order: String,
        /// The one that was given.
        profile: String,
    },
    /// The order wants no antenna.
    #[error("the order wants a card without contactless, and profile {0:?} has it; choose a profile for contacts only")]
    Contactless(String),
    /// The order wants an antenna.
    #[error(
        "the order wants a card with contactless, and profile {0:?} has none; choose a profile with both interfaces"
    )]
    NoContactless(String),
    /// The order wants more payment applications.
    #[error(
        "the order wants {wanted} payment applications, and profile {profile:?} has {has}; choose another profile, and \
         correct the site's [[product]]"
    )]
    Applications {
        /// The product's profile.
        profile: String,
        /// As ordered.
        wanted: u32,
        /// As the profile has them.
        has: usize,
    },
    /// A stripe that would be lost.
    #[error("the order wants a magnetic stripe, and {0}, or order the card without")]
    NoStripe(&'static str),
    /// The order's expiry is no month.
    #[error("invalid expiry month")]
    Expiry,
    /// An object whose source has nothing.
    #[error("{path}: {tag} cannot be filled: {what} is not there; mark it optional in the profile, or have it ordered")]
    Nothing {
        /// Application and grouping.
        path: String,
        /// The object.
        tag: Tag,
        /// What is not there.
        what: String,
        /// The order's field that it is.
        field: Option<OrderField>,
    },
    /// The profile's recipe does not hold together for an application.
    #[error("application {aid}: {what}")]
    Recipe {
        /// The application.
        aid: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A placeholder without a value.
    #[error("a pattern asks for {{{0}}}, and there is nothing for it")]
    Placeholder(String),
    /// What a pattern gives is no track.
    #[error("track {number} cannot be made from its pattern: {why}")]
    Track {
        /// The track.
        number: u8,
        /// What is wrong with it.
        why: String,
    },
    /// Neither order nor profile have a service code.
    #[error("neither the order nor the profile's [prepare.make] has a service code")]
    ServiceCode,
    /// Something needs a PIN, and the order has none.
    #[error("{0} is wanted, and the order brings no PIN")]
    NoPin(&'static str),
    /// The PAN has not the digits that are validation data.
    #[error(
        "an offset is wanted, and the PAN is too short for the profile's [prepare.offset]: correct first or digits"
    )]
    Validation,
    /// A PIN of another length than was asked for.
    #[error("the order says that the PIN has {wanted} digits, and the one that came has not")]
    PinLength {
        /// As ordered.
        wanted: u8,
    },
    /// The site's configuration has no key for what the order names.
    #[error("{0} is wanted, and neither the order's index nor the profile names one")]
    NoKey(&'static str),
    /// Offline data authentication without an issuer's certificate.
    #[error("the product signs its cards, and no issuer's certificate was given (--issuer-certificate)")]
    NoIssuer,
    /// The issuer's key is not the certified one.
    #[error("key {0:?} is not the one that the issuer's certificate certifies")]
    OtherIssuerKey(String),
    /// A certificate of another scheme.
    #[error("the issuer's certificate is of another scheme than application {0}")]
    OtherRid(String),
    /// A certificate for another issuer's PANs.
    #[error(
        "the issuer's certificate is not for the order's PAN: its issuer identifier is not the beginning of it; give the \
         one of the PAN's BIN (--issuer-certificate)"
    )]
    OtherIssuer,
    /// A certificate that no terminal takes any longer.
    #[error(
        "the issuer's certificate has expired with {0}; have the scheme certify the issuer's key again, and give the new \
         one (--issuer-certificate)"
    )]
    IssuerExpired(MonthYear),
    /// The issuer's key cannot certify a longer one.
    #[error(
        "the card's RSA key has {card} bits, the issuer's, which must certify it, {issuer}: lower rsa_bits in the profile's \
         [prepare.make], or have a longer key of the issuer's certified"
    )]
    LongerKey {
        /// Bits of the card's key.
        card: usize,
        /// Bits of the issuer's.
        issuer: usize,
    },
    /// A signature of CDA that goes into no answer.
    #[error(
        "an application's AIP has CDA, and its signature of {bits} bits does not go into an answer to GENERATE AC of 256 \
         bytes: set rsa_bits in the profile's [prepare.make] to {most} at most, or take CDA out of the AIP"
    )]
    LongAnswer {
        /// Bits of the card's key.
        bits: usize,
        /// The most that go.
        most: usize,
    },
    /// A certificate or signature could not be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(String),
    /// The pool has counted to its end.
    #[error(
        "the pool has no serial number left for certificates (the last is FFFFFF); begin a new pool with another issuer key"
    )]
    NoSerial,
    /// An RSA key could not be made or taken from the pool.
    #[error("the card's RSA key: {0}")]
    Rsa(String),
    /// A transport key that is another than its check value says.
    #[error("the transport key of the PIN block has another check value than the order states")]
    TransportKey,
    /// A prepared TLV block whose MAC is wrong.
    #[error("prepared block {number}: its MAC is wrong")]
    BlockMac {
        /// Which, from 1.
        number: usize,
    },
    /// A prepared TLV block.
    #[error("prepared block {number}: {why}")]
    Block {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// What was prepared is no good record.
    #[error("the record that comes out is refused: {}", first(.0))]
    Record(RecordProblems),
    /// What was prepared breaks a consistency rule.
    #[error("the data breaks {}", named(.0))]
    Rules(Vec<Outcome>),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An issuer's computation.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
}

fn first(problems: &RecordProblems) -> String {
    problems.first().map(|problem| format!("{}: {}", problem.path, problem.message)).unwrap_or_default()
}

fn named(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Fault for PrepareError {
    fn code(&self) -> Code {
        match self {
            PrepareError::NoRecipe(_)
            | PrepareError::OtherProfile { .. }
            | PrepareError::Recipe { .. }
            | PrepareError::LongAnswer { .. } => Code::PrepareRecipe,
            PrepareError::NoIssuer
            | PrepareError::OtherIssuerKey(_)
            | PrepareError::OtherRid(_)
            | PrepareError::OtherIssuer
            | PrepareError::LongerKey { .. }
            | PrepareError::IssuerExpired(_) => Code::PrepareIssuer,
            PrepareError::Key(error) => error.code(),
            PrepareError::Issuer(error) => error.code(),
            PrepareError::Chance(_) | PrepareError::Certificate(_) | PrepareError::NoSerial | PrepareError::Rsa(_) => {
                Code::ProgramFault
            }
            PrepareError::NoKey(_) => Code::KeyUnknown,
            PrepareError::Block { .. } | PrepareError::BlockMac { .. } => Code::PrepareBlock,
            PrepareError::TransportKey => Code::PinBlock,
            _ => Code::PrepareData,
        }
    }
}
