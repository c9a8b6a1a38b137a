//! Profile and record in their own words, turned into the card room's options. The only place that knows both.

use crate::base::crypto::Cipher;
use crate::card::channel::{ChallengeCheck, ChannelSpec, Mode, Protocol, SecurityLevel, SpecError};
use crate::card::cps::Packing;
use crate::card::gp::CardData;
use crate::keys::{CardPadding, Diversification};
use crate::profile::{self, CheckChallenge, Profile};
use crate::record::{Application, Method};

/// The final SET STATUS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalState {
    /// AID of the issuer security domain.
    pub domain: Vec<u8>,
    /// Life cycle byte. // GPC 2.3.1 table 11-6
    pub life_cycle: u8,
}

/// The channel to an application, or to the security domain it is personalized through.
///
/// # Errors
/// A channel that no specification knows; a profile that makes sense has none.
pub fn channel(profile: &Profile, app: &Application) -> Result<ChannelSpec, SpecError> {
    let aid = match app.method() {
        Method::Direct => app.aid(),
        Method::Through(domain) => domain,
    };
    spec(profile, aid)
}

/// The channel to something with this AID.
///
/// # Errors
/// As [`channel`].
pub fn spec(profile: &Profile, aid: &[u8]) -> Result<ChannelSpec, SpecError> {
    let channel = profile.channel();
    let protocol = match channel.protocol {
        profile::Protocol::Scp02 { i } => Protocol::scp02(i)?,
        profile::Protocol::Scp03 { i, s16 } => Protocol::scp03(i, if s16 { Mode::S16 } else { Mode::S8 })?,
    };
    Ok(ChannelSpec {
        protocol,
        level: SecurityLevel::new(channel.level, protocol)?,
        key_version: channel.key_version,
        check_challenge: match channel.check_challenge {
            CheckChallenge::Off => ChallengeCheck::Off,
            CheckChallenge::Warn => ChallengeCheck::Warn,
            CheckChallenge::Refuse => ChallengeCheck::Refuse,
        },
        aid: aid.to_vec(),
        counter_without_data: profile.counter_without_data(),
    })
}

/// How the groupings are packed.
pub fn packing(profile: &Profile, max_data: usize) -> Packing {
    Packing { packed: profile.packed(), spanning: profile.spanning(), max_data, dgi_format: profile.dgi_format() }
}

/// The final SET STATUS, where the profile has one.
pub fn final_state(profile: &Profile) -> Option<FinalState> {
    profile.final_life_cycle().map(|life_cycle| FinalState { domain: profile.domain().to_vec(), life_cycle })
}

/// The cipher of the card's DEK.
pub fn dek_cipher(profile: &Profile) -> Cipher {
    match profile.channel().protocol {
        profile::Protocol::Scp02 { .. } => Cipher::Tdes,
        profile::Protocol::Scp03 { .. } => Cipher::Aes,
    }
}

/// The padding that the card expects in a grouping.
pub fn padding_of(profile: &Profile, aid: &[u8], dgi: u16) -> CardPadding {
    profile.dgi(aid, dgi).map_or(CardPadding::None, profile::DgiRule::padding)
}

/// Whether the card data offers the profile's channel; the bits that cards use for S16 are not looked at.
pub fn offers(data: &CardData, profile: &Profile) -> bool {
    data.protocols().iter().any(|&(scp, i)| match profile.channel().protocol {
        profile::Protocol::Scp02 { i: wanted } => scp == 2 && i == u16::from(wanted),
        profile::Protocol::Scp03 { i: wanted, .. } => scp == 3 && (i ^ u16::from(wanted)) & !0x09 == 0,
    })
}

/// The profile's channel in words.
pub fn protocol_text(profile: &Profile) -> String {
    match profile.channel().protocol {
        profile::Protocol::Scp02 { i } => format!("SCP02 i={i:02X}"),
        profile::Protocol::Scp03 { i, s16 } => format!("SCP03 i={i:02X} {}", if s16 { "S16" } else { "S8" }),
    }
}

/// The profile's diversification in words.
pub fn diversification_text(profile: &Profile) -> String {
    match profile.diversification() {
        Diversification::None => "none".into(),
        Diversification::EmvCps { offset } => format!("emv-cps from byte {offset} on"),
        Diversification::Visa1 => "visa1".into(),
        Diversification::Visa2 => "visa2".into(),
        Diversification::Kdf3 => "kdf3".into(),
    }
}

/// Whether bytes are as a pattern has them: hexadecimal, `..` for any byte.
pub fn matches(pattern: &str, bytes: &[u8]) -> bool {
    let pairs: Vec<&[u8]> = pattern.as_bytes().chunks(2).collect();
    pairs.len() == bytes.len()
        && pairs.iter().zip(bytes).all(|(pair, byte)| {
            *pair == b".." || std::str::from_utf8(pair).is_ok_and(|pair| u8::from_str_radix(pair, 16) == Ok(*byte))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_byte_for_byte() {
        assert!(matches("3B..00", &[0x3B, 0x7F, 0x00]));
        assert!(matches("3b", &[0x3B]));
        assert!(!matches("3B..", &[0x3B]));
        assert!(!matches("3C", &[0x3B]));
    }
}
