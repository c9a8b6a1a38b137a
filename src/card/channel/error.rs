//! What can go wrong on the way into a secure channel.

use super::Protocol;
use crate::base::chance::ChanceError;
use crate::base::crypto::CryptoError;
use crate::base::fault::{Code, Fault};
use crate::card::apdu::StatusWord;
use crate::card::plain::{CardError, Misbehaviour};
use crate::card::transport::LinkError;
use crate::keys::KeyError;

/// A channel that did not come to be, or broke.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The link, a refusal, or misbehaviour.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The card answers in another protocol, option or mode than the profile states.
    #[error("the card answers INITIALIZE UPDATE with {seen}, the profile states {wanted}")]
    Protocol {
        /// As the card answers.
        seen: String,
        /// As the profile states.
        wanted: Protocol,
    },
    /// The card answers with another key version than it was asked for.
    #[error("the card answers with key version {seen:02X}, asked for was {wanted:02X}")]
    KeyVersion {
        /// As the card answers.
        seen: u8,
        /// As asked for.
        wanted: u8,
    },
    /// The card's cryptogram is wrong. EXTERNAL AUTHENTICATE was not sent.
    #[error("{0}")]
    Cryptogram(Box<Mismatch>),
    /// The card's challenge is not the documented pseudo-random one, and the profile refuses that.
    #[error("the card's challenge is not the one that its counter and AID {aid} give")]
    Challenge {
        /// The AID that was used.
        aid: String,
    },
    /// The card refused EXTERNAL AUTHENTICATE. It is never sent again.
    #[error("the card refused EXTERNAL AUTHENTICATE at level {level:02X} with {sw}")]
    Login {
        /// The security level.
        level: u8,
        /// The status word.
        sw: StatusWord,
    },
    /// An earlier exchange of this session has failed.
    #[error("the session is over: an earlier exchange has failed")]
    Dead,
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// A cipher did not take what it was given.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Everything that helps to find out why a cryptogram is wrong. Nothing in it is secret.
#[derive(Debug, thiserror::Error)]
#[error(
    "the card's cryptogram is {seen}, our keys give {} ({protocol}, key version {kvn:02X}, key diversification \
     data {kdd}, sequence counter {sequence}, keys from {keys}). Nothing was sent that uses up an attempt. To try: the \
     master key of this stock, another diversification, another key version",
    expected.as_deref().unwrap_or("another")
)]
pub struct Mismatch {
    /// The protocol.
    pub protocol: Protocol,
    /// Key version that the card answered with.
    pub kvn: u8,
    /// Key diversification data, hexadecimal.
    pub kdd: String,
    /// Sequence counter, hexadecimal; `-` where the card states none.
    pub sequence: String,
    /// The card's cryptogram, hexadecimal.
    pub seen: String,
    /// Ours, hexadecimal, of test keys only: with a live key's cryptogram a card could be made to accept a host.
    pub expected: Option<String>,
    /// Names of the keys, with the check values of the card keys derived from them.
    pub keys: String,
}

impl ChannelError {
    pub(super) fn malformed() -> Self {
        CardError::from(Misbehaviour::Malformed("INITIALIZE UPDATE")).into()
    }
}

impl From<Misbehaviour> for ChannelError {
    fn from(misbehaviour: Misbehaviour) -> Self {
        CardError::from(misbehaviour).into()
    }
}

impl From<LinkError> for ChannelError {
    fn from(error: LinkError) -> Self {
        CardError::from(error).into()
    }
}

impl Fault for ChannelError {
    fn code(&self) -> Code {
        match self {
            ChannelError::Card(error) => error.code(),
            ChannelError::Protocol { .. } | ChannelError::KeyVersion { .. } => Code::CardProtocol,
            ChannelError::Cryptogram(_) => Code::CardCryptogram,
            ChannelError::Challenge { .. } => Code::CardChallenge,
            ChannelError::Login { .. } => Code::CardLogin,
            ChannelError::Key(error) => error.code(),
            ChannelError::Dead | ChannelError::Chance(_) | ChannelError::Crypto(_) => Code::ProgramFault,
        }
    }
}
