//! Logging in to a card's issuer security domain: as a profile says, or as the card itself says and with whatever master
//! key fits. Nothing is changed on the card but its counters.
//!
//! Which key fits is found out offline, against one card cryptogram. EXTERNAL AUTHENTICATE is sent once, and only with keys
//! that gave the card's own cryptogram.

use schemars::JsonSchema;
use serde::Serialize;

use super::options;
use crate::base::Chance;
use crate::base::crypto::Cipher;
use crate::base::fault::{Code, Fault};
use crate::card::channel::{
    self, ChallengeCheck, ChannelError, ChannelSpec, Greeting, Protocol, SecurityLevel, Session, SpecError,
};
use crate::card::gp::{self, CardData, Domain};
use crate::card::{Card, CardError};
use crate::keys::{self, Diversification, KeyError, KeyInfo, KeyStore, Purpose};
use crate::profile::Profile;

/// The level without a profile: commands carry a MAC, which a secured card demands.
const LEVEL: u8 = 0x01;

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
    /// Name of the master key.
    pub master: String,
    /// How the card's keys come from it.
    pub diversification: &'static str,
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
    /// No issuer security domain.
    #[error("no issuer security domain can be selected on the card: neither by default nor by any known AID")]
    NoDomain,
    /// No master key of the right kind.
    #[error(
        "the key file holds no master key (purpose kmc, {cipher}) for {protocol} cards with key diversification data {kdd}"
    )]
    NoMaster {
        /// The cipher that the protocol needs.
        cipher: &'static str,
        /// The card's protocol.
        protocol: Protocol,
        /// The card's key diversification data, hexadecimal.
        kdd: String,
    },
    /// None of the master keys gives the card's cryptogram.
    #[error(
        "none of the master keys gives the card's cryptogram ({protocol}, key version {key_version:02X}, key \
         diversification data {kdd}); compared were {compared}. Nothing was sent that uses up an attempt"
    )]
    NoFit {
        /// The card's protocol.
        protocol: Protocol,
        /// The card's key version.
        key_version: u8,
        /// The card's key diversification data, hexadecimal.
        kdd: String,
        /// Names and diversifications.
        compared: String,
    },
}

impl Fault for LoginError {
    fn code(&self) -> Code {
        match self {
            LoginError::Card(error) => error.code(),
            LoginError::Channel(error) => error.code(),
            LoginError::Spec(_) => Code::CardProtocol,
            LoginError::Key(error) => error.code(),
            LoginError::NoDomain => Code::CardBlank,
            LoginError::NoMaster { .. } => Code::KeyNoMatch,
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
    let master = keys::select_kmc(store, profile.masters(), greeting.kdd(), greeting.key_version())?;
    log_in(greeting, &spec, store, master.name(), profile.diversification())
}

/// Logs in as the card says, with the master key and the diversification that fit. `key_version` 00 asks for the card's
/// first key set.
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
    let domain: Domain = gp::select_domain(card)?.ok_or(LoginError::NoDomain)?;
    let offer = channel::offer(card, key_version, card_data.or(domain.recognition.as_ref()), chance)?;
    let candidates = candidates(store, offer.protocol, &offer.kdd, offer.key_version);
    if candidates.is_empty() {
        let cipher = if cipher(offer.protocol) == Cipher::Tdes { "triple DES" } else { "AES" };
        return Err(LoginError::NoMaster { cipher, protocol: offer.protocol, kdd: hex::encode_upper(offer.kdd) });
    }
    let spec = ChannelSpec {
        protocol: offer.protocol,
        level: SecurityLevel::new(LEVEL, offer.protocol)?,
        key_version,
        check_challenge: ChallengeCheck::Warn,
        aid: domain.aid,
        counter_without_data: true,
    };
    let greeting = channel::begin(card, &spec, chance)?;
    for (name, diversification) in &candidates {
        let master = store.open(name, Purpose::Kmc)?;
        let set = keys::card_keys(store, &master, diversification, greeting.kdd())?;
        if greeting.fits(store, set)? {
            return log_in(greeting, &spec, store, name, *diversification);
        }
    }
    let named = candidates.iter().map(|(name, how)| format!("{name} ({})", words(how)));
    Err(LoginError::NoFit {
        protocol: offer.protocol,
        key_version: greeting.key_version(),
        kdd: hex::encode_upper(greeting.kdd()),
        compared: named.collect::<Vec<_>>().join(", "),
    })
}

/// Every master key that could be the card's, with every diversification of its cipher; those of the card's key version
/// first. Whether one fits, the card's cryptogram tells.
pub fn candidates(
    store: &dyn KeyStore,
    protocol: Protocol,
    kdd: &[u8; 10],
    key_version: u8,
) -> Vec<(String, Diversification)> {
    let wanted = cipher(protocol);
    let fits = |info: &&KeyInfo| {
        info.purpose == Purpose::Kmc
            && info.algorithm.cipher() == Some(wanted)
            && info.kmcid.is_none_or(|kmcid| kdd.starts_with(&kmcid))
    };
    let mut masters: Vec<&KeyInfo> = store.keys().iter().filter(fits).collect();
    masters.sort_by_key(|info| info.version != key_version);
    let ways: &[Diversification] = match wanted {
        Cipher::Tdes => &[Diversification::EmvCps { offset: 4 }, Diversification::Visa2, Diversification::None],
        Cipher::Aes => &[Diversification::Kdf3, Diversification::None],
    };
    masters.iter().flat_map(|info| ways.iter().map(|way| (info.name.clone(), *way))).collect()
}

fn cipher(protocol: Protocol) -> Cipher {
    match protocol {
        Protocol::Scp02 { .. } => Cipher::Tdes,
        Protocol::Scp03 { .. } => Cipher::Aes,
    }
}

fn words(diversification: &Diversification) -> &'static str {
    match diversification {
        Diversification::None => "not diversified",
        Diversification::EmvCps { .. } => "EMV CPS",
        Diversification::Visa1 => "VISA, first form",
        Diversification::Visa2 => "VISA2",
        Diversification::Kdf3 => "KDF3",
    }
}

fn log_in<'c>(
    greeting: Greeting<'c>,
    spec: &ChannelSpec,
    store: &dyn KeyStore,
    master: &str,
    diversification: Diversification,
) -> Result<(Session<'c>, LoginView), LoginError> {
    let (kdd, key_version) = (*greeting.kdd(), greeting.key_version());
    let opened = store.open(master, Purpose::Kmc)?;
    let set = keys::card_keys(store, &opened, &diversification, &kdd)?;
    let session = greeting.login(store, set)?;
    let view = LoginView {
        aid: hex::encode_upper(&spec.aid),
        protocol: spec.protocol.to_string(),
        level: format!("{:02X}", spec.level.byte()),
        key_version: format!("{key_version:02X}"),
        kdd: hex::encode_upper(kdd),
        master: master.to_owned(),
        diversification: words(&diversification),
        challenge: session.challenge_note().map(str::to_owned),
    };
    Ok((session, view))
}
