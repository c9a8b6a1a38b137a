//! What a card tells of itself, to be looked at.

use schemars::JsonSchema;
use serde::Serialize;

use super::look::{CardLook, Told};
use super::words;
use super::{CardCapability, CardData, CardResources, Cplc, CplcDate, KeyEntry, KeyInformation, object_value};
use crate::base::codec::tlv::Tag;
use crate::base::emv::Taboo;
use crate::card::apdu::{StatusWord, meaning};
use crate::card::atr_view::AtrView;

/// Version of the shape.
const VERSION: u32 = 1;

/// What `perso card info --format json` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CardInfoView {
    /// Version of this shape: 1.
    pub perso_card_info: u32,
    /// Whether the card was a simulated one.
    pub simulated: bool,
    /// The answer to reset.
    pub atr: AtrView,
    /// The issuer security domain; none where nothing that looks like one could be selected.
    pub domain: Option<DomainView>,
    /// The chip's identity, as journals and results have it.
    pub chip: Option<String>,
    /// Card production life cycle data, field by field.
    pub cplc: Vec<CplcFieldView>,
    /// Issuer identification number, hexadecimal.
    pub iin: Option<String>,
    /// Card image number, hexadecimal; not shown where it could be a PAN.
    pub cin: Option<String>,
    /// Version of the GlobalPlatform specification that the card says it follows.
    pub version: Option<String>,
    /// Secure channel protocols of the card data.
    pub protocols: Vec<ProtocolView>,
    /// Card capability information.
    pub capability: Option<CapabilityView>,
    /// Keys, without any value.
    pub keys: Vec<KeyView>,
    /// Sequence counter of the default key set, hexadecimal.
    pub sequence: Option<String>,
    /// Key diversification data, hexadecimal.
    pub kdd: Option<String>,
    /// Free memory.
    pub memory: Option<MemoryView>,
    /// What the card does not tell, and why.
    pub not_told: Vec<NotToldView>,
}

/// A security domain that was selected.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DomainView {
    /// Its AID; empty where it was selected by default and does not tell it.
    pub aid: String,
    /// Selected without an AID.
    pub by_default: bool,
    /// The answer's status word: 6283 where the card is locked.
    pub sw: String,
    /// Whether the card is locked.
    pub locked: bool,
}

/// A field of CPLC.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CplcFieldView {
    /// Its name.
    pub name: &'static str,
    /// Its value, hexadecimal.
    pub value: String,
    /// Of a date: the plausible day, RFC 3339. The card tells only the last digit of the year, so that it may be ten
    /// years earlier.
    pub plausible_date: Option<String>,
    /// What it says, in words: of dates, and of fabricators and operating systems that public tables name.
    pub words: Option<String>,
}

/// A secure channel protocol.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProtocolView {
    /// Its number in two hexadecimal digits.
    pub scp: String,
    /// Its options `i`, hexadecimal.
    pub i: String,
    /// What the options say.
    pub words: Vec<&'static str>,
}

/// Card capability information.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CapabilityView {
    /// Every protocol with each of its options.
    pub protocols: Vec<ProtocolView>,
    /// SCP03: key lengths in bits.
    pub scp03_key_bits: Vec<u16>,
    /// Privileges that a supplementary security domain can be given.
    pub domain_privileges: Vec<&'static str>,
    /// Privileges that an application can be given.
    pub application_privileges: Vec<&'static str>,
    /// Hash algorithms for load files.
    pub hashes: Vec<String>,
    /// What else it holds: tag and value, hexadecimal.
    pub others: Vec<[String; 2]>,
}

/// A key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyView {
    /// Key version number, hexadecimal.
    pub version: String,
    /// What the version is for, where GlobalPlatform reserves it.
    pub purpose: Option<&'static str>,
    /// Key identifier, hexadecimal.
    pub id: String,
    /// Type and length in bytes of every component.
    pub components: Vec<ComponentView>,
}

/// A component of a key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ComponentView {
    /// Its type in words.
    pub kind: String,
    /// Its length in bytes.
    pub length: usize,
}

/// Free memory, in bytes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MemoryView {
    /// Applications that are installed.
    pub applications: Option<u64>,
    /// Memory that keeps its contents.
    pub non_volatile: Option<u64>,
    /// Memory that does not.
    pub volatile: Option<u64>,
}

/// Something that the card does not tell.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NotToldView {
    /// What.
    pub what: &'static str,
    /// The tag that it was asked for by.
    pub tag: &'static str,
    /// Why, in words.
    pub why: String,
}

/// As it may be shown. `today`: the year, and the day of the year.
pub fn card_info(look: &CardLook, today: (u16, u16), simulated: bool) -> CardInfoView {
    let mut not_told = Vec::new();
    let mut note = |what, tag, why: Option<String>| not_told.extend(why.map(|why| NotToldView { what, tag, why }));
    note("CPLC", "9F7F", why(&look.cplc));
    note("issuer identification number", "0042", why(&look.iin));
    note("card image number", "0045", why(&look.cin));
    note("card data", "0066", why(&look.card_data));
    note("card capability information", "0067", why(&look.capability));
    note("key information", "00E0", why(&look.keys));
    note("sequence counter", "00C1", why(&look.sequence));
    note("key diversification data", "00CF", why(&look.kdd));
    note("free memory", "FF21", why(&look.resources));
    let text = |told: &Told<Vec<u8>>| told.told().map(hex::encode_upper);
    CardInfoView {
        perso_card_info: VERSION,
        simulated,
        atr: AtrView::of(&look.atr),
        domain: look.domain.as_ref().map(|domain| DomainView {
            aid: hex::encode_upper(&domain.aid),
            by_default: domain.by_default,
            sw: domain.sw.to_string(),
            locked: domain.sw == StatusWord(0x6283),
        }),
        chip: look.chip_id(),
        cplc: look.cplc.told().map(|cplc| fields(cplc, today)).unwrap_or_default(),
        iin: text(&look.iin),
        cin: look.cin.told().map(|value| image_number(value)),
        version: look.recognition().and_then(CardData::version).map(str::to_owned),
        protocols: look.recognition().map(protocols).unwrap_or_default(),
        capability: look.capability.told().map(capability),
        keys: look.keys.told().map(|told| keys(told, look.has_remote_management())).unwrap_or_default(),
        sequence: text(&look.sequence),
        kdd: look.kdd.told().map(|data| hex::encode_upper(object_value(0x00CF, data))),
        memory: look.resources.told().map(memory),
        not_told,
    }
}

/// Issuers choose it, and nothing keeps them from the PAN.
fn image_number(value: &[u8]) -> String {
    let shown = Taboo::default().show(Tag::of(0x45), value);
    shown.hex.or(shown.text).unwrap_or_default()
}

fn why<T>(told: &Told<T>) -> Option<String> {
    match told {
        Told::Told(_) => None,
        Told::Refused(sw) => Some(format!("{sw}: {}", meaning(Some(0xCA), *sw))),
        Told::Unreadable(error) => Some(format!("the answer cannot be read: {error}")),
    }
}

fn fields(cplc: &Cplc, today: (u16, u16)) -> Vec<CplcFieldView> {
    let field = |(name, value): (&'static str, &[u8])| {
        let date = match <[u8; 2]>::try_from(value) {
            Ok(value) if name.ends_with("_date") => Some(CplcDate::read(value, today)),
            _ => None,
        };
        let day = match date {
            Some(CplcDate::Day { year, month, day }) => Some(format!("{year:04}-{month:02}-{day:02}")),
            _ => None,
        };
        let words = date.map(|date| match (&day, date) {
            (Some(day), _) => format!("{day}, or ten years earlier"),
            (None, CplcDate::NotSet) => "not set".to_owned(),
            (None, _) => "not a date".to_owned(),
        });
        let words = words.or_else(|| words::cplc_name(name, value).map(str::to_owned));
        CplcFieldView { name, value: hex::encode_upper(value), plausible_date: day, words }
    };
    cplc.fields().map(field).collect()
}

fn protocols(data: &CardData) -> Vec<ProtocolView> {
    data.protocols().iter().map(|&(scp, i)| protocol(scp, i)).collect()
}

fn protocol(scp: u8, i: u16) -> ProtocolView {
    ProtocolView { scp: format!("{scp:02X}"), i: format!("{i:02X}"), words: words::protocol_option(scp, i) }
}

fn capability(capability: &CardCapability) -> CapabilityView {
    let each = capability
        .protocols
        .iter()
        .flat_map(|known| known.options.iter().map(move |option| protocol(known.scp, u16::from(*option))));
    let sizes = capability.protocols.iter().filter_map(|known| known.key_sizes).fold(0, |all, sizes| all | sizes);
    let bits = [(0x01, 128), (0x02, 192), (0x04, 256)].into_iter().filter(|(mask, _)| sizes & mask != 0);
    CapabilityView {
        protocols: each.collect(),
        scp03_key_bits: bits.map(|(_, bits)| bits).collect(),
        domain_privileges: words::privileges(&capability.domain_privileges),
        application_privileges: words::privileges(&capability.application_privileges),
        hashes: capability.hashes.iter().map(|hash| words::hash(*hash)).collect(),
        others: capability.others.iter().map(|(tag, value)| [tag.to_string(), hex::encode_upper(value)]).collect(),
    }
}

fn keys(information: &KeyInformation, remote: Option<bool>) -> Vec<KeyView> {
    let key = |key: &KeyEntry| KeyView {
        version: format!("{:02X}", key.version),
        purpose: words::key_version(key.version, remote),
        id: format!("{:02X}", key.id),
        components: key
            .components
            .iter()
            .map(|(kind, length)| ComponentView { kind: words::key_type(kind), length: *length })
            .collect(),
    };
    information.keys().iter().map(key).collect()
}

fn memory(resources: &CardResources) -> MemoryView {
    let CardResources { applications, non_volatile, volatile } = *resources;
    MemoryView { applications, non_volatile, volatile }
}
