//! The card's registry: what is on it, and in which state. // GPC 2.3.1 §11.4, §11.10

use super::commands::accepted;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::card::apdu::Command;
use crate::card::channel::{ChannelError, Session};
use crate::card::plain::Misbehaviour;

/// Most rounds of GET STATUS for one list; a registry has some dozens of entries.
const MAX_ROUNDS: usize = 64;

/// Whose status is meant, as P1 of SET STATUS and GET STATUS. // GPC 2.3.1 §11.4, §11.10
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusScope {
    /// The issuer security domain, whose life cycle is the card's.
    IssuerDomain,
    /// Applications and supplementary security domains.
    Applications,
}

/// One entry of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryEntry {
    /// Its AID.
    pub aid: Vec<u8>,
    /// Its life cycle state; of the issuer security domain, the card's.
    pub life_cycle: u8,
    /// Its privileges, no bytes where the card does not tell them.
    pub privileges: Vec<u8>,
    /// AID of the security domain that it belongs to.
    pub domain: Option<Vec<u8>>,
}

impl StatusScope {
    fn p1(self) -> u8 {
        match self {
            StatusScope::IssuerDomain => 0x80,
            StatusScope::Applications => 0x40,
        }
    }
}

/// SET STATUS: gives the card, or an application, a life cycle state. // GPC 2.3.1 §11.10
///
/// # Errors
/// The session broke, or the card refuses.
pub fn set_status(
    session: &mut Session<'_>,
    scope: StatusScope,
    life_cycle: u8,
    aid: &[u8],
) -> Result<(), ChannelError> {
    let mut command = Command::new(0x80, 0xF0, scope.p1(), life_cycle).with_data(aid);
    // An R-MAC is an answer, and an answer takes an Le. // ISO 7816-4 §5.1
    if session.spec().level.r_mac() {
        command.le = Some(256);
    }
    let answer = session.transmit(&command)?;
    accepted(answer, "SET STATUS", 0xF0).map(drop)
}

/// GET STATUS: the registry's entries, in the TLV form, all rounds of it. // GPC 2.3.1 §11.4
///
/// # Errors
/// The session broke, the card refuses, or its answer is not what §11.4.3.1 lays down.
pub fn get_status(session: &mut Session<'_>, scope: StatusScope) -> Result<Vec<RegistryEntry>, ChannelError> {
    let mut all = Vec::new();
    for round in 0..MAX_ROUNDS {
        // b1 of P2: the next occurrences, of the same list. // GPC 2.3.1 §11.4.2
        let p2 = if round == 0 { 0x02 } else { 0x03 };
        let command = Command::new(0x80, 0xF2, scope.p1(), p2).with_data([0x4F, 0x00]).with_le(256);
        let answer = session.transmit(&command)?;
        match answer.sw.0 {
            // None found: an empty list is no failure.
            0x6A88 if round == 0 => return Ok(all),
            0x9000 | 0x6310 => all.extend(entries(&answer.data)?),
            _ => return accepted(answer, "GET STATUS", 0xF2).map(|_| all),
        }
        if answer.sw.is_ok() {
            return Ok(all);
        }
    }
    Err(Misbehaviour::Endless.into())
}

/// The card's life cycle, which is that of its issuer security domain. // GPC 2.3.1 §11.4
///
/// # Errors
/// As [`get_status`]; the card tells no issuer security domain.
pub fn card_life_cycle(session: &mut Session<'_>) -> Result<u8, ChannelError> {
    let entries = get_status(session, StatusScope::IssuerDomain)?;
    entries.first().map(|entry| entry.life_cycle).ok_or_else(|| malformed().into())
}

fn entries(data: &[u8]) -> Result<Vec<RegistryEntry>, Misbehaviour> {
    let objects = tlv::parse(data).map_err(|_| malformed())?;
    objects.iter().map(|object| entry(object).ok_or_else(malformed)).collect()
}

/// `E3 { 4F AID, 9F70 life cycle, C5 privileges, CC security domain, … }`; what this program does not know is left.
fn entry(object: &Tlv) -> Option<RegistryEntry> {
    (object.tag == Tag::of(0xE3)).then_some(())?;
    let value = |tag| tlv::find(object.children(), Tag::of(tag)).map(Tlv::value_bytes);
    // Some cards give the life cycle a second byte, the first is the state. // GPC 2.3.1 §11.4.3
    let life_cycle = value(0x9F70)?.first().copied()?;
    Some(RegistryEntry {
        aid: value(0x4F)?,
        life_cycle,
        privileges: value(0xC5).unwrap_or_default(),
        domain: value(0xCC),
    })
}

fn malformed() -> Misbehaviour {
    Misbehaviour::Malformed("GET STATUS")
}
