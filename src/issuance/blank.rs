//! A simulated blank, as the card maker of a profile's stock would deliver it.

use super::options;
use crate::base::Chance;
use crate::base::chance::ChanceError;
use crate::base::codec::tlv::{self, Tag};
use crate::base::emv::IssuerData;
use crate::base::fault::{Code, Fault};
use crate::card::gp::Cplc;
use crate::card::sim::{Applet, Blank, EmvOptions, Hex, KeySet, SimCard};
use crate::card::{Atr, AtrError};
use crate::keys::{self, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose};
use crate::profile::prepare::{Content, Recipe, Source};
use crate::profile::{self, CryptogramKind, Profile};
use crate::record::Record;

/// AID of the issuer security domain where the profile names none. // GPC 2.3.1 §H.6
const DOMAIN: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];
/// A contact EMV card with T=1.
const ATR: &str = "3BE000FF8131FE4514";

/// What a contactless reader makes of a card without historical bytes. // PC/SC part 3 §3.1.3.2.3
const CONTACTLESS_ATR: &str = "3B80800101";

/// Issuer application data. // EMV B3 annex A
const ISSUER_DATA: Tag = Tag::of(0x9F10);

/// What is wanted.
pub struct Wanted<'a> {
    /// The card product.
    pub profile: &'a Profile,
    /// AIDs of the applications that are installed.
    pub aids: Vec<Vec<u8>>,
    /// Name of the master key, where the profile names several.
    pub master: Option<&'a str>,
    /// Chip serial number; drawn at random otherwise.
    pub serial: Option<[u8; 4]>,
}

/// A blank that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BlankError {
    /// The master key is not clear.
    #[error("the profile names several master keys in custody ({0}); say which one with --master")]
    Master(String),
    /// None of the profile's master keys is in custody.
    #[error("none of the profile's master keys ({0}) is in custody")]
    NoMaster(String),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Randomness.
    #[error(transparent)]
    Chance(#[from] ChanceError),
}

impl Fault for BlankError {
    fn code(&self) -> Code {
        match self {
            BlankError::Master(_) => Code::OperatorInput,
            BlankError::NoMaster(_) => Code::KeyUnknown,
            BlankError::Key(error) => error.code(),
            BlankError::Chance(_) => Code::ProgramFault,
        }
    }
}

/// AIDs of a record's applications, and of the domains they are personalized through that are no issuer domain.
pub fn aids(record: &Record) -> Vec<Vec<u8>> {
    record.applications().iter().map(|app| app.aid().to_vec()).collect()
}

/// Makes a blank. Its keys come from a test master key; a live one is refused.
///
/// # Errors
/// The master key is not clear, not in custody, or live.
pub fn make(wanted: &Wanted<'_>, store: &dyn KeyStore, chance: &mut Chance) -> Result<SimCard, BlankError> {
    let (info, master) = master(wanted, store)?;
    let serial = match wanted.serial {
        Some(serial) => serial,
        None => chance.bytes()?,
    };
    // KMCID, then chip serial number. // CPS 1.1 §4.1.2
    let kmcid = info.kmcid.unwrap_or([0; 6]);
    let kdd: [u8; 10] = std::array::from_fn(|at| *kmcid.iter().chain(&serial).nth(at).unwrap_or(&0));
    let set = keys::card_keys_to_show(store, &master, &wanted.profile.diversification(), &kdd)?;
    let value = |key: &KeyHandle| store.expose_test_key(key).map(|key| Hex(key.expose().clone()));
    let channel = wanted.profile.channel();
    let (scp, i, s16) = match channel.protocol {
        profile::Protocol::Scp02 { i } => (2, i, false),
        profile::Protocol::Scp03 { i, s16 } => (3, i, s16),
    };
    let domain = if wanted.profile.domain().is_empty() { DOMAIN.to_vec() } else { wanted.profile.domain().to_vec() };
    let atr = concrete(wanted.profile.blank_atr().unwrap_or(ATR));
    let mut card = SimCard::new(Blank {
        // It talks what its ATR offers: T=1 where there is a choice.
        t0: Atr::parse(&atr).is_ok_and(|atr| atr.protocols() == [0]),
        atr: Hex(atr),
        cplc: Hex(cplc(wanted.profile, serial)),
        kdd: Hex(kdd.to_vec()),
        domain: Hex(domain),
        key_sets: vec![KeySet {
            version: info.version,
            scp,
            i,
            s16,
            enc: value(&set.enc)?,
            mac: value(&set.mac)?,
            dek: value(&set.dek)?,
            counter: 0,
            failed: 0,
        }],
        applications: wanted.aids.iter().cloned().map(Hex).collect(),
        contactless_atr: wanted
            .profile
            .is_dual_interface()
            .then(|| Hex(concrete(wanted.profile.blank_contactless_atr().unwrap_or(CONTACTLESS_ATR)))),
        memory: Some([64 * 1024, 4 * 1024]),
        extended: wanted.profile.max_command() > 255,
        strict_le: true,
        gpo_format_1: false,
        r_mac_on_errors: false,
        no_card_data: false,
        attempts: 10,
        seed: u64::from(u32::from_be_bytes(serial)),
        ignores_challenge_option: false,
        fixed_challenge: None,
        emv: emv(wanted.profile, &wanted.aids),
    });
    if let Some(life_cycle) = wanted.profile.blank_life_cycle() {
        card.file_mut().state.life_cycle = life_cycle;
    }
    Ok(card)
}

/// What the profile states of how its applications answer.
fn emv(profile: &Profile, aids: &[Vec<u8>]) -> EmvOptions {
    let mut options = EmvOptions::default();
    if let Some(stated) = profile.verification().cryptogram() {
        let makes = aids.iter().filter(|aid| knows_versions(profile, aid, stated));
        options.applets = makes.map(|aid| (hex::encode_upper(aid), applet(stated))).collect();
    }
    options.pin_format_1 = profile.recipe().is_some_and(Recipe::pin_block_is_iso1);
    for app in profile.recipe().iter().flat_map(|recipe| recipe.applications()) {
        let answered = app.groupings.iter().filter(|grouping| grouping.read.answer);
        let names: Vec<String> = answered.map(|grouping| format!("{:04X}", grouping.dgi)).collect();
        if !names.is_empty() {
            options.answer_records.insert(hex::encode_upper(&app.aid), names);
        }
    }
    for app in profile.applications() {
        let counter = profile.counter(app.aid());
        if counter != app.aid() {
            options.shared_counters.insert(hex::encode_upper(app.aid()), hex::encode_upper(counter));
        }
    }
    options
}

/// The kind of simulated application that makes the cryptograms that a profile states.
fn applet(stated: CryptogramKind) -> Applet {
    match stated {
        CryptogramKind::Vsdc => Applet::Vsdc,
        CryptogramKind::Mchip => Applet::Mchip,
        CryptogramKind::Plain => Applet::Plain,
    }
}

/// Whether an application's issuer application data (9F10), as far as the recipe has them, are of versions that the stated
/// kind knows. A simulated application of a stated kind makes no other cryptogram.
fn knows_versions(profile: &Profile, aid: &[u8], stated: CryptogramKind) -> bool {
    let apps = profile.recipe().into_iter().flat_map(Recipe::applications).filter(|app| app.aid == *aid);
    let groupings = apps.flat_map(|app| &app.groupings).filter(|grouping| matches!(grouping.dgi, 0x9200 | 0x9201));
    let mut data = groupings.filter_map(|grouping| match &grouping.content {
        Content::Fixed(value) => {
            let object = tlv::parse_one(value).ok().filter(|object| object.tag == ISSUER_DATA);
            Some(object.map_or_else(|| value.clone(), |object| object.value_bytes()))
        }
        Content::Objects(_, objects) => objects.iter().find_map(|object| match &object.source {
            Source::Fixed(value) if object.tag == ISSUER_DATA => Some(value.clone()),
            _ => None,
        }),
        _ => None,
    });
    data.all(|data| matches!(IssuerData::read(&data, Some(stated.family())), IssuerData::Known(_)))
}

/// Has a blank talk T=0 alone, and say so in its ATR. Whether the profile's jobs still take it for their blank.
///
/// # Errors
/// Its ATR is none.
pub fn talk_t0(card: &mut SimCard, profile: &Profile) -> Result<bool, AtrError> {
    let blank = &mut card.file_mut().blank;
    blank.atr = Hex(Atr::parse(&blank.atr.0)?.with_t0_alone());
    blank.t0 = true;
    Ok(profile.blank_atr().is_none_or(|pattern| options::matches(pattern, &blank.atr.0)))
}

fn master<'s>(wanted: &Wanted<'_>, store: &'s dyn KeyStore) -> Result<(&'s KeyInfo, KeyHandle), BlankError> {
    let names = wanted.profile.masters();
    let fits = |info: &&KeyInfo| match wanted.master {
        Some(name) => info.name == name,
        None => names.contains(&info.name),
    };
    let held: Vec<&KeyInfo> = store.keys().iter().filter(fits).collect();
    match held.as_slice() {
        [only] => Ok((only, store.open(&only.name, Purpose::Kmc)?)),
        [] => Err(BlankError::NoMaster(names.join(", "))),
        several => {
            Err(BlankError::Master(several.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ")))
        }
    }
}

/// CPLC with the profile's fields, the serial number, and zeros elsewhere.
fn cplc(profile: &Profile, serial: [u8; 4]) -> Vec<u8> {
    let blank = [0u8; 42];
    let Ok(layout) = Cplc::parse(&blank) else { return blank.to_vec() };
    let mut out = Vec::new();
    for (name, zeros) in layout.fields() {
        let wanted = profile.blank_cplc().find(|(field, _)| *field == name).map(|(_, value)| concrete(value));
        let value = match (name, wanted) {
            (_, Some(value)) if value.len() == zeros.len() => value,
            ("ic_serial", _) => serial.to_vec(),
            _ => zeros.to_vec(),
        };
        out.extend(value);
    }
    out
}

/// A pattern with zeros for any byte.
fn concrete(pattern: &str) -> Vec<u8> {
    hex::decode(pattern.replace("..", "00")).unwrap_or_default()
}
