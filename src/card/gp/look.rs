//! What a card tells of itself without any channel, as a value. Nothing is judged and nothing is changed.

use super::capability::{CardCapability, CardResources, object_value};
use super::discover::{CardData, Cplc, DiscoverError, KeyInformation, identifies};
use super::{get_data_in, select};
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::card::apdu::StatusWord;
use crate::card::emv::Fci;
use crate::card::plain::{Card, CardError};

/// AIDs of issuer security domains, in the order in which they are tried; first of all what is selected by default.
/// // GPC 2.3.1 §H.6; the rest as cards have them
const DOMAINS: &[&[u8]] = &[
    &[],
    &[0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00],
    &[0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00],
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00], // Visa OpenPlatform, old JCOP
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00],
    &[0xA0, 0x00, 0x00, 0x00, 0x18, 0x43, 0x4D, 0x00], // Gemplus
];

/// What the card answered to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<T> {
    /// It told.
    Told(T),
    /// It refused.
    Refused(StatusWord),
    /// It answered with something that is no such object.
    Unreadable(DiscoverError),
}

impl<T> Told<T> {
    /// What it told.
    pub fn told(&self) -> Option<&T> {
        match self {
            Told::Told(told) => Some(told),
            Told::Refused(_) | Told::Unreadable(_) => None,
        }
    }
}

/// A security domain that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its AID, as its FCI tells it, else as it was selected; empty where it was selected by default and tells none.
    pub aid: Vec<u8>,
    /// Selected without an AID.
    pub by_default: bool,
    /// The answer's status word: 6283 where the card is locked.
    pub sw: StatusWord,
    /// Card recognition data within its FCI.
    pub recognition: Option<CardData>,
}

/// All that was told.
#[derive(Debug, Clone)]
pub struct CardLook {
    /// The answer to reset.
    pub atr: Vec<u8>,
    /// The issuer security domain; none where nothing that looks like one could be selected.
    pub domain: Option<Domain>,
    /// Card production life cycle data.
    pub cplc: Told<Cplc>,
    /// Issuer identification number.
    pub iin: Told<Vec<u8>>,
    /// Card image number.
    pub cin: Told<Vec<u8>>,
    /// Card data.
    pub card_data: Told<CardData>,
    /// Card capability information.
    pub capability: Told<CardCapability>,
    /// Keys.
    pub keys: Told<KeyInformation>,
    /// Sequence counter of the default key set.
    pub sequence: Told<Vec<u8>>,
    /// Key diversification data as the card gives it, with its tag or without: so it stands in journals.
    pub kdd: Told<Vec<u8>>,
    /// Free memory.
    pub resources: Told<CardResources>,
}

impl CardLook {
    /// The chip's identity, as journals have it; none where the card tells nothing that identifies it.
    pub fn chip_id(&self) -> Option<String> {
        chip_id(self.cplc.told(), self.kdd.told().map(Vec::as_slice))
    }

    /// Whether the card has remote management, as a UICC has it: SCP80 or SCP81 among the protocols that it lists. None if
    /// it lists none.
    pub fn has_remote_management(&self) -> Option<bool> {
        let data = self.recognition().map(CardData::protocols).unwrap_or_default().iter().map(|(scp, _)| *scp);
        let capability = self.capability.told().map(|told| told.protocols.as_slice()).unwrap_or_default();
        let mut all = data.chain(capability.iter().map(|protocol| protocol.scp)).peekable();
        all.peek()?;
        Some(all.any(|scp| matches!(scp, 0x80 | 0x81)))
    }

    /// Card data: what GET DATA gave, else what stands in the domain's FCI.
    pub fn recognition(&self) -> Option<&CardData> {
        self.card_data.told().or_else(|| self.domain.as_ref()?.recognition.as_ref())
    }
}

/// Identity of a chip: CPLC fabricator, type, fabrication date, serial number and batch; if its maker left the serial
/// number empty, or there is no CPLC, the key diversification data, without tag and length if the card gives them.
pub fn chip_id(cplc: Option<&Cplc>, kdd: Option<&[u8]>) -> Option<String> {
    let from_kdd =
        || kdd.map(|data| object_value(0x00CF, data)).filter(|data| identifies(data)).map(|data| key_data_id(&data));
    cplc.filter(|cplc| cplc.identifies()).map(|cplc| format!("cplc-{}", cplc.chip_id())).or_else(from_kdd)
}

/// Identity of a chip by its key diversification data, without tag and length.
pub fn key_data_id(data: &[u8]) -> String {
    format!("kdd-{}", hex::encode_upper(data))
}

/// Resets the card, selects its issuer security domain and asks for everything that needs no channel.
///
/// # Errors
/// The link broke, or the card misbehaved. A refusal is an answer.
pub fn look(card: &mut Card) -> Result<CardLook, CardError> {
    let atr = card.reset()?;
    let domain = select_domain(card)?;
    let mut asking = Asking { card, class: 0x80 };
    Ok(CardLook {
        atr,
        domain,
        cplc: asking.read(0x9F7F, Cplc::parse)?,
        iin: asking.value(0x0042)?,
        cin: asking.value(0x0045)?,
        card_data: asking.read(0x0066, CardData::parse)?,
        capability: asking.read(0x0067, CardCapability::parse)?,
        keys: asking.read(0x00E0, KeyInformation::parse)?,
        sequence: asking.value(0x00C1)?,
        kdd: asking.read(0x00CF, |data| Ok(data.to_vec()))?,
        resources: asking.read(0xFF21, CardResources::parse)?,
    })
}

/// Selects the issuer security domain. What a card selects by default need not be it: on a personalized card it may be an
/// application.
///
/// # Errors
/// The link broke, or the card misbehaved.
pub fn select_domain(card: &mut Card) -> Result<Option<Domain>, CardError> {
    for aid in DOMAINS {
        let answer = select(card, aid)?;
        // 6283: the card is locked, and tells its FCI all the same. // GPC 2.3.1 §11.9.3.2
        if !answer.sw.is_ok() && answer.sw.0 != 0x6283 {
            continue;
        }
        let found = domain(aid, &answer.data, answer.sw);
        // A careless application answers 9000 to an AID that is not its own.
        if if aid.is_empty() { is_domain(&found) } else { Fci::of(&answer.data).names(aid) } {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Longest answer that is read; objects of a card have some hundreds of bytes.
const LONGEST: usize = 8_192;

fn domain(aid: &[u8], fci: &[u8], sw: StatusWord) -> Domain {
    let fci = if fci.len() > LONGEST { &[] } else { fci };
    let objects = tlv::parse(fci).unwrap_or_default();
    let named = tlv::find(&objects, Tag::of(0x84)).map(Tlv::value_bytes);
    Domain {
        aid: named.filter(|name| (5..=16).contains(&name.len())).unwrap_or_else(|| aid.to_vec()),
        by_default: aid.is_empty(),
        sw,
        recognition: CardData::parse(fci).ok(),
    }
}

/// Its FCI has card recognition data, or its AID is a known one.
fn is_domain(found: &Domain) -> bool {
    let known = DOMAINS.iter().any(|aid| !aid.is_empty() && found.aid.starts_with(aid));
    known || found.recognition.is_some()
}

struct Asking<'c> {
    card: &'c mut Card,
    /// GET DATA is in the proprietary class on most cards, in the interindustry one on others.
    class: u8,
}

impl Asking<'_> {
    fn read<T>(
        &mut self,
        tag: u16,
        parse: impl FnOnce(&[u8]) -> Result<T, DiscoverError>,
    ) -> Result<Told<T>, CardError> {
        let answered = match get_data_in(self.card, self.class, tag) {
            Err(CardError::Refused { sw: StatusWord(0x6E00), .. }) if self.class == 0x80 => {
                self.class = 0x00;
                get_data_in(self.card, self.class, tag)
            }
            other => other,
        };
        match answered {
            Ok(data) if data.len() > LONGEST => Ok(Told::Unreadable(DiscoverError::TooLong(data.len()))),
            Ok(data) => Ok(parse(&data).map_or_else(Told::Unreadable, Told::Told)),
            Err(CardError::Refused { sw, .. }) => Ok(Told::Refused(sw)),
            Err(error) => Err(error),
        }
    }

    fn value(&mut self, tag: u16) -> Result<Told<Vec<u8>>, CardError> {
        self.read(tag, |data| Ok(object_value(tag, data)))
    }
}
