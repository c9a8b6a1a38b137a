//! Logging in to a card's issuer security domain: as a profile says, or as the card itself says and with whatever master
//! key fits. Nothing is changed on the card but its counters.
//!
//! Which key fits is found out offline, against one card cryptogram. EXTERNAL AUTHENTICATE is sent once, and only with keys
//! that gave the card's own cryptogram.

use schemars::JsonSchema;
use serde::Serialize;

use super::options;
use crate::base::Chance;
use crate::base::chance::ChanceError;
use crate::base::fault::{Code, Fault};
use crate::card::channel::{
    self, Answered, ChallengeCheck, ChannelError, ChannelSpec, Comparison, Fit, Greeting, HandshakeError, Protocol,
    SecurityLevel, Session, SpecError,
};
use crate::card::gp::{self, CardData};
use crate::card::{Card, CardError};
use crate::keys::{self, CardKeys, Diversification, KeyError, KeyStore};
use crate::profile::Profile;

/// The level without a profile: commands carry a MAC, which a secured card demands.
const LEVEL: u8 = 0x01;
/// SCP02's `i` where the card data does not tell it: the one that most cards have.
const USUAL_SCP02: u8 = 0x15;

/// How the login was made, to be looked at.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LoginView {
    /// AID of the security domain.
    pub aid: String,
    /// Protocol and options.
    pub protocol: String,
    /// Security level, hexadecimal.
    pub level: String,
    /// Key version that the card answered with, hexadecimal.
    pub key_version: String,
    /// Key diversification data, hexadecimal.
    pub kdd: String,
    /// Name of the master key, or of the set of three keys.
    pub master: String,
    /// How the card's keys come from it.
    pub diversification: String,
    /// What the check of the card's challenge had to say.
    pub challenge: Option<String>,
}

/// A login that did not come to be.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The link, a refusal, or misbehaviour.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A channel that no specification knows; a profile that makes sense has none.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
    /// The answer to INITIALIZE UPDATE.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// No issuer security domain.
    #[error("no issuer security domain can be selected on the card: neither by default nor by any known AID")]
    NoDomain,
    /// Keys give the card's cryptogram, and which are the card's three is not clear.
    #[error(
        "the card's cryptogram is given by {0}; it proves one of the card's three keys only, so that this is not enough to \
         log in. Nothing was sent that uses up an attempt. Name a profile, or leave only the card's own set in the key file"
    )]
    Unclear(String),
    /// None of the keys gives the card's cryptogram.
    #[error(
        "none of the keys gives the card's cryptogram ({protocol}, key version {key_version:02X}, key diversification data \
         {kdd}; {compared} combinations of keys and diversifications were compared, see `perso explain-auth`). Nothing was \
         sent that uses up an attempt"
    )]
    NoFit {
        /// The card's protocol.
        protocol: Protocol,
        /// The card's key version.
        key_version: u8,
        /// The card's key diversification data, hexadecimal.
        kdd: String,
        /// How many combinations were compared; none where no key is for the protocol's cipher.
        compared: usize,
    },
}

impl Fault for LoginError {
    fn code(&self) -> Code {
        match self {
            LoginError::Card(error) => error.code(),
            LoginError::Channel(error) => error.code(),
            LoginError::Spec(_) | LoginError::Handshake(HandshakeError::Protocol(_)) => Code::CardProtocol,
            LoginError::Key(error) => error.code(),
            LoginError::Chance(_) | LoginError::Handshake(HandshakeError::Command) => Code::ProgramFault,
            LoginError::Handshake(HandshakeError::Refused(_)) => Code::CardRefused,
            LoginError::Handshake(HandshakeError::Length(_) | HandshakeError::Answer) => Code::CardAnswer,
            LoginError::NoDomain => Code::CardBlank,
            LoginError::NoFit { compared: 0, .. } | LoginError::Unclear(_) => Code::KeyNoMatch,
            LoginError::NoFit { .. } => Code::CardCryptogram,
        }
    }
}

/// Logs in as the profile says. The domain is selected first.
///
/// # Errors
/// The card refuses, speaks something else than the profile says, or its cryptogram is not that of the profile's keys.
pub fn with_profile<'c>(
    card: &'c mut Card,
    profile: &Profile,
    store: &dyn KeyStore,
    chance: &mut Chance,
) -> Result<(Session<'c>, LoginView), LoginError> {
    let spec = options::spec(profile, profile.domain())?;
    let answer = gp::select(card, profile.domain())?;
    if !answer.sw.is_ok() && answer.sw.0 != 0x6283 {
        return Err(CardError::Refused { command: "SELECT", ins: 0xA4, sw: answer.sw }.into());
    }
    let greeting = channel::begin(card, &spec, chance)?;
    let keys = keys_for(&greeting, profile.masters(), profile.diversification(), store)?;
    let (session, login) = log_in(greeting, store, keys)?;
    Ok((session, login.view()))
}

/// Logs in as the card says, with the keys and the diversification that fit. `key_version` 00 asks for the card's first key
/// set.
///
/// # Errors
/// There is no issuer security domain, the card refuses, speaks nothing that this program speaks, or no key fits.
pub fn with_any_key<'c>(
    card: &'c mut Card,
    key_version: u8,
    card_data: Option<&CardData>,
    store: &dyn KeyStore,
    chance: &mut Chance,
) -> Result<(Session<'c>, LoginView), LoginError> {
    let domain = gp::select_domain(card)?.ok_or(LoginError::NoDomain)?;
    // A card that has S16 only takes no challenge of eight bytes.
    let handshake = channel::initialize_update(card, key_version, &[8, 16], chance)?.handshake?;
    let protocol = protocol(handshake.protocol, card_data.or(domain.recognition.as_ref()))?;
    let comparison = handshake.compare(store, None)?;
    let fit = the_one(&comparison)?.ok_or_else(|| LoginError::NoFit {
        protocol,
        key_version: handshake.key_version,
        kdd: hex::encode_upper(handshake.kdd),
        compared: comparison.compared,
    })?;
    let spec = ChannelSpec {
        protocol,
        level: SecurityLevel::new(LEVEL, protocol)?,
        key_version,
        check_challenge: ChallengeCheck::Warn,
        aid: domain.aid,
        counter_without_data: true,
    };
    let greeting = channel::begin(card, &spec, chance)?;
    let keys = fit.set.card_keys(store, fit.method, greeting.kdd())?;
    let keys = ChosenKeys { master: fit.set.name().to_owned(), method: fit.method, keys };
    let (session, login) = log_in(greeting, store, keys)?;
    Ok((session, login.view()))
}

/// The keys that fit. The cryptogram proves one of the three only, and a wrong one of the others would cost the card an
/// attempt: keys that differ are not guessed among.
fn the_one<'a, 's>(comparison: &'a Comparison<'s>) -> Result<Option<&'a Fit<'s>>, LoginError> {
    let fits: Vec<&Fit<'s>> = comparison.fits.iter().collect();
    let named = || fits.iter().map(|fit| format!("{} ({})", fit.set.name(), fit.method.name()));
    let whole: Vec<&Fit<'s>> = fits.iter().copied().filter(|fit| !fit.set.is_one_of_three()).collect();
    match whole.as_slice() {
        [] if fits.is_empty() => Ok(None),
        [first, others @ ..] if others.iter().all(|other| other.kcvs == first.kcvs) => Ok(Some(first)),
        _ => Err(LoginError::Unclear(named().collect::<Vec<_>>().join(", "))),
    }
}

/// SCP02 does not tell its `i` here: the first in the card data that this program speaks. In SCP03 cards disagree which bit
/// stands for S16; the mode shows in the length.
fn protocol(answered: Answered, card_data: Option<&CardData>) -> Result<Protocol, SpecError> {
    match answered {
        Answered::Scp03 { i, mode: mode @ channel::Mode::S8 } => Protocol::scp03(i & !0x09, mode),
        Answered::Scp03 { i, mode } => Protocol::scp03(i, mode),
        Answered::Scp02 => {
            let protocols = card_data.map(CardData::protocols).unwrap_or_default();
            let options = protocols.iter().filter(|(scp, _)| *scp == 2).filter_map(|(_, i)| u8::try_from(*i).ok());
            let spoken = options.into_iter().find(|i| Protocol::scp02(*i).is_ok());
            Protocol::scp02(spoken.unwrap_or(USUAL_SCP02))
        }
    }
}

/// The keys of a card, and what they come from.
pub struct ChosenKeys {
    /// Name of the master key, or of the set of three keys.
    pub master: String,
    /// How the card's keys come from it.
    pub method: Diversification,
    /// The card's keys.
    pub keys: CardKeys,
}

/// The one of these master keys that is for the card, and the card's keys. // CPS 1.1 §4.1
///
/// # Errors
/// None of them is for the card, or more than one.
pub fn keys_for(
    greeting: &Greeting<'_>,
    masters: &[String],
    method: Diversification,
    store: &dyn KeyStore,
) -> Result<ChosenKeys, KeyError> {
    let master = keys::select_kmc(store, masters, method, greeting.kdd(), greeting.key_version())?;
    let keys = keys::card_keys(store, &master, &method, greeting.kdd())?;
    Ok(ChosenKeys { master: master.name().to_owned(), method, keys })
}

/// A login that the card has accepted.
#[derive(Debug, Clone)]
pub struct Login {
    spec: ChannelSpec,
    key_version: u8,
    kdd: [u8; 10],
    master: String,
    method: Diversification,
    kcvs: [Vec<u8>; 3],
    challenge: Option<String>,
}

/// Compares the card's cryptogram and, only if it is right, sends EXTERNAL AUTHENTICATE, once.
///
/// # Errors
/// As [`Greeting::login`].
pub fn log_in<'c>(
    greeting: Greeting<'c>,
    store: &dyn KeyStore,
    chosen: ChosenKeys,
) -> Result<(Session<'c>, Login), ChannelError> {
    let ChosenKeys { master, method, keys } = chosen;
    let (kdd, key_version, kcvs) = (*greeting.kdd(), greeting.key_version(), keys.check_values(store)?);
    let session = greeting.login(store, keys)?;
    let challenge = session.challenge_note().map(str::to_owned);
    let login = Login { spec: session.spec().clone(), key_version, kdd, master, method, kcvs, challenge };
    Ok((session, login))
}

impl Login {
    /// To be looked at.
    pub fn view(self) -> LoginView {
        LoginView {
            aid: hex::encode_upper(&self.spec.aid),
            protocol: self.spec.protocol.to_string(),
            level: format!("{:02X}", self.spec.level.byte()),
            key_version: format!("{:02X}", self.key_version),
            kdd: hex::encode_upper(self.kdd),
            master: self.master,
            diversification: self.method.name(),
            challenge: self.challenge,
        }
    }

    /// Check values of the card's keys ENC, MAC and DEK.
    pub fn kcvs(&self) -> &[Vec<u8>; 3] {
        &self.kcvs
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_card_data_tells_the_option_of_scp02() {
        let data = |oids: &[&str]| {
            let each: String = oids.iter().map(|oid| format!("640B06092A864886FC6B04{oid}")).collect();
            CardData::parse(&hex::decode(format!("73{:02X}{each}", each.len() / 2)).unwrap()).unwrap()
        };
        let option = |oids: &[&str]| protocol(Answered::Scp02, Some(&data(oids))).unwrap();
        assert_eq!(option(&["0370", "0255"]), Protocol::Scp02 { i: 0x55 });
        // Implicit initiation is not spoken.
        assert_eq!(option(&["021A", "0235"]), Protocol::Scp02 { i: 0x35 });
        assert_eq!(option(&["0370"]), Protocol::Scp02 { i: USUAL_SCP02 });
        assert_eq!(protocol(Answered::Scp02, None), Protocol::scp02(USUAL_SCP02));
    }
}
