//! The card's registry: what is on it, and in which state. // GPC 2.3.1 §11.4, §11.10

use super::commands::accepted;
use super::look::Told;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::card::apdu::{Command, Response};
use crate::card::channel::{ChannelError, Session};
use crate::card::plain::{CardError, Misbehaviour};

/// Most rounds of GET STATUS for one list; a registry has some dozens of entries.
const MAX_ROUNDS: usize = 64;
/// Most entries of one list.
const MOST_ENTRIES: usize = 4_096;

/// Whose status is meant, as P1 of SET STATUS and GET STATUS. // GPC 2.3.1 §11.4, §11.10
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusScope {
    /// The issuer security domain, whose life cycle is the card's.
    IssuerDomain,
    /// Applications and supplementary security domains.
    Applications,
    /// Load files.
    LoadFiles,
    /// Load files with their modules.
    Modules,
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
    /// AID of the load file that an application comes from.
    pub load_file: Option<Vec<u8>>,
    /// Version of a load file.
    pub version: Option<Vec<u8>>,
    /// AIDs of a load file's modules.
    pub modules: Vec<Vec<u8>>,
}

impl StatusScope {
    fn p1(self) -> u8 {
        match self {
            StatusScope::IssuerDomain => 0x80,
            StatusScope::Applications => 0x40,
            StatusScope::LoadFiles => 0x20,
            StatusScope::Modules => 0x10,
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

/// GET STATUS: the registry's entries, in the TLV form, all rounds of it; in the older form where the card does not know
/// the other. // GPC 2.3.1 §11.4, GPC 2.1.1 §9.4.3
///
/// # Errors
/// The session broke, the card refuses, or its answer is not what §11.4.3.1 lays down.
pub fn get_status(session: &mut Session<'_>, scope: StatusScope) -> Result<Vec<RegistryEntry>, ChannelError> {
    match listed(session, scope, Form::Tlv)? {
        Listed::Entries(entries) => Ok(entries),
        // Wrong P2, or wrong data: cards before 2.2 know the older form only.
        Listed::Refused(answer) if matches!(answer.sw.0, 0x6A86 | 0x6A80) => match listed(session, scope, Form::Old)? {
            Listed::Entries(entries) => Ok(entries),
            Listed::Refused(_) => accepted(answer, "GET STATUS", 0xF2).map(|_| Vec::new()),
        },
        Listed::Refused(answer) => accepted(answer, "GET STATUS", 0xF2).map(|_| Vec::new()),
    }
}

/// How entries are written: b2 of P2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Tlv,
    Old,
}

enum Listed {
    Entries(Vec<RegistryEntry>),
    Refused(Response),
}

fn listed(session: &mut Session<'_>, scope: StatusScope, form: Form) -> Result<Listed, ChannelError> {
    let mut all = Vec::new();
    for round in 0..MAX_ROUNDS {
        // b1 of P2: the next occurrences, of the same list. // GPC 2.3.1 §11.4.2
        let p2 = u8::from(form == Form::Tlv) << 1 | u8::from(round > 0);
        let command = Command::new(0x80, 0xF2, scope.p1(), p2).with_data([0x4F, 0x00]).with_le(256);
        let answer = session.transmit(&command)?;
        match (answer.sw.0, form) {
            // None found: an empty list is no failure.
            (0x6A88, _) if round == 0 => return Ok(Listed::Entries(all)),
            (0x9000 | 0x6310, Form::Tlv) => all.extend(entries(&answer.data)?),
            (0x9000 | 0x6310, Form::Old) => all.extend(old_entries(&answer.data, scope).ok_or_else(malformed)?),
            _ => return Ok(Listed::Refused(answer)),
        }
        if answer.sw.is_ok() && all.len() <= MOST_ENTRIES {
            return Ok(Listed::Entries(all));
        }
        if all.len() > MOST_ENTRIES {
            break;
        }
    }
    Err(Misbehaviour::Endless.into())
}

/// The whole registry. // GPC 2.3.1 §11.4
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The issuer security domain.
    pub card: Told<Vec<RegistryEntry>>,
    /// Applications and supplementary security domains.
    pub applications: Told<Vec<RegistryEntry>>,
    /// Load files, with their modules where the card tells them.
    pub load_files: Told<Vec<RegistryEntry>>,
}

/// Reads the whole registry. A list that the card refuses to tell is part of the answer.
///
/// # Errors
/// The session broke, or an answer is not what §11.4.3.1 lays down.
pub fn registry(session: &mut Session<'_>) -> Result<Registry, ChannelError> {
    let card = told(get_status(session, StatusScope::IssuerDomain))?;
    let applications = told(get_status(session, StatusScope::Applications))?;
    // Not every card tells modules.
    let load_files = match told(get_status(session, StatusScope::Modules))? {
        Told::Refused(_) => told(get_status(session, StatusScope::LoadFiles))?,
        told => told,
    };
    Ok(Registry { card, applications, load_files })
}

fn told<T>(answer: Result<T, ChannelError>) -> Result<Told<T>, ChannelError> {
    match answer {
        Ok(told) => Ok(Told::Told(told)),
        Err(ChannelError::Card(CardError::Refused { sw, .. })) => Ok(Told::Refused(sw)),
        Err(error) => Err(error),
    }
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
    let modules = object.children().iter().filter(|child| child.tag == Tag::of(0x84));
    Some(RegistryEntry {
        aid: value(0x4F)?,
        life_cycle,
        privileges: value(0xC5).unwrap_or_default(),
        domain: value(0xCC),
        load_file: value(0xC4),
        version: value(0xCE),
        modules: modules.map(Tlv::value_bytes).collect(),
    })
}

/// Length and AID, life cycle, privileges, one after the other; with modules: their number, and length and AID of each.
/// // GPC 2.1.1 §9.4.3.1
fn old_entries(data: &[u8], scope: StatusScope) -> Option<Vec<RegistryEntry>> {
    let (mut out, mut rest) = (Vec::new(), data);
    while let [length, after @ ..] = rest {
        let (aid, after) = after.split_at_checked(usize::from(*length))?;
        let (&[life_cycle, privileges], mut after) = after.split_first_chunk::<2>()?;
        let mut modules = Vec::new();
        if scope == StatusScope::Modules {
            let (count, tail) = after.split_first()?;
            after = tail;
            for _ in 0..*count {
                let (length, tail) = after.split_first()?;
                let (module, tail) = tail.split_at_checked(usize::from(*length))?;
                modules.push(module.to_vec());
                after = tail;
            }
        }
        let (aid, privileges) = (aid.to_vec(), vec![privileges]);
        out.push(RegistryEntry { aid, life_cycle, privileges, domain: None, load_file: None, version: None, modules });
        rest = after;
    }
    Some(out)
}

fn malformed() -> Misbehaviour {
    Misbehaviour::Malformed("GET STATUS")
}
