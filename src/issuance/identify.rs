//! Which chip is this, and is it the blank that the profile expects?

use super::chip::Chip;
use super::error::JobError;
use super::job::Job;
use super::logins::Logins;
use super::options;
use super::plan::Plan;
use crate::card::apdu::{Response, StatusWord};
use crate::card::channel::{self, ChannelError};
use crate::card::emv::Fci;
use crate::card::gp::{self, CardData, Cplc};
use crate::card::{Atr, Card, CardError};
use crate::keys::Diversification;
use crate::profile::{Identity, Profile};
use crate::record::{Method, Record};

/// The directories of payment systems: a finished card has one at least. // EMV B1 §12.2, EMV contactless B §3.3.1
const DIRECTORIES: [&[u8]; 2] = [b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"];

/// Resets the card and identifies it at its issuer security domain. Changes nothing on the card, but with
/// `identity = "initialize-update"` the sequence counter of cards that count INITIALIZE UPDATE.
///
/// # Errors
/// The link broke, or the card tells nothing that identifies it.
pub fn chip(job: &mut Job<'_>, card: &mut Card, logins: &mut Logins) -> Result<Chip, JobError> {
    let chip = identity(job, card, logins)?;
    let card_data = optional(gp::get_data(card, 0x0066))?.and_then(|data| CardData::parse(&data).ok());
    Ok(Chip { card_data, ..chip })
}

/// All of a chip but its card data.
fn identity(job: &mut Job<'_>, card: &mut Card, logins: &mut Logins) -> Result<Chip, JobError> {
    let profile = job.profile;
    let atr = card.reset()?;
    gp::select(card, profile.domain())?;
    let cplc = optional(gp::get_data(card, 0x9F7F))?.and_then(|data| Cplc::parse(&data).ok());
    let by_cplc = profile.identity() == Identity::Cplc && cplc.as_ref().is_some_and(Cplc::identifies);
    let asks_cf = !by_cplc && profile.identity() != Identity::InitializeUpdate;
    let kdd = if asks_cf { optional(gp::get_data(card, 0x00CF))? } else { None };
    let own = || kdd.as_deref().filter(|data| has_serial(profile, &gp::object_value(0x00CF, data)));
    let (id, source) = match profile.identity() {
        Identity::Cplc => (gp::chip_id(cplc.as_ref(), own()), if by_cplc { "cplc" } else { "key-data" }),
        Identity::KeyData => (gp::chip_id(None, own()), "key-data"),
        Identity::InitializeUpdate => (key_data(job, card, logins)?, "initialize-update"),
        Identity::None => return Ok(Chip { id: None, source: "none", atr, cplc, kdd, card_data: None }),
    };
    if id.is_none() {
        return Err(JobError::Blank {
            what: "its identity",
            seen: format!(
                "none by {source} (serial number or key data absent, all 00 or FF, or one byte repeated, also the serial number in key data)"
            ),
            wanted: "one that differs from chip to chip; [blank] identity in the profile says where it is".into(),
        });
    }
    Ok(Chip { id, source, atr, cplc, kdd, card_data: None })
}

/// Whether the serial number within key diversification data can tell one chip from another: where the diversification
/// says which bytes it has. The rest is the same for all cards of a batch. // CPS 1.1 §4.1.2, GPC 2.3.1 (Visa's method)
fn has_serial(profile: &Profile, kdd: &[u8]) -> bool {
    let serial = match profile.diversification() {
        Diversification::EmvCps { offset } => offset + 2..offset + 6,
        Diversification::Visa2 => 4..8,
        _ => return true,
    };
    kdd.get(serial).is_none_or(gp::identifies)
}

/// The key diversification data in the answer to INITIALIZE UPDATE. EXTERNAL AUTHENTICATE is not sent.
fn key_data(job: &mut Job<'_>, card: &mut Card, logins: &mut Logins) -> Result<Option<String>, JobError> {
    let spec = options::spec(job.profile, job.profile.domain())?;
    match channel::begin(card, &spec, job.chance) {
        Ok(greeting) => {
            logins.sent(greeting.sent());
            let kdd = greeting.kdd();
            Ok((gp::identifies(kdd) && has_serial(job.profile, kdd)).then(|| gp::key_data_id(kdd)))
        }
        Err(ChannelError::Card(CardError::Refused { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Compares the chip with the profile's expected blank, and its card data with the profile's channel.
///
/// # Errors
/// The first thing that differs.
pub fn blank(chip: &Chip, profile: &Profile) -> Result<(), JobError> {
    let differs = |what, seen: String, wanted: &str| Err(JobError::Blank { what, seen, wanted: wanted.to_owned() });
    let expected = if chip.is_contactless() { profile.blank_contactless_atr() } else { profile.blank_atr() };
    if let Some(pattern) = expected
        && !options::matches(pattern, &chip.atr)
    {
        return differs("its ATR", hex::encode_upper(&chip.atr), pattern);
    }
    for (field, pattern) in profile.blank_cplc() {
        let seen = chip.cplc.as_ref().and_then(|cplc| cplc.field(field));
        if !seen.is_some_and(|seen| options::matches(pattern, seen)) {
            let seen = seen.map_or_else(|| "absent".to_owned(), hex::encode_upper);
            return differs("its CPLC", format!("{field} {seen}"), pattern);
        }
    }
    // The card data may be absent; where it is there, it must not contradict the profile.
    if let Some(data) = &chip.card_data
        && !options::offers(data, profile)
    {
        return Err(JobError::CardData { offered: data.to_string(), wanted: options::protocol_text(profile) });
    }
    Ok(())
}

/// The card takes the longest command of the plan, as far as it says.
///
/// # Errors
/// Its ATR says that it takes no extended lengths, or offers T=0 alone, which cannot carry them.
pub fn lengths(chip: &Chip, plan: &Plan) -> Result<(), JobError> {
    let longest = plan.longest_command();
    let Some(atr) = Atr::parse(&chip.atr).ok().filter(|_| longest > 255) else { return Ok(()) };
    let why = match (atr.takes_extended(), atr.is_contactless(), atr.protocols().as_slice()) {
        (Some(false), ..) => "255 bytes: its ATR says that it takes no extended lengths",
        // ISO/IEC 7816-3 §12.2: short lengths only; ENVELOPE is not spoken here
        (_, false, [0]) => "255 bytes: it talks T=0, which has no extended lengths",
        _ => return Ok(()),
    };
    let wanted = format!("{longest} bytes (the profile's store_data.max_command)");
    Err(JobError::Blank { what: "the longest command that it takes", seen: why.into(), wanted })
}

/// Every application of the record is on the card: that one is missing must show before the first is begun.
///
/// # Errors
/// The link broke, or an application cannot be selected.
pub fn applets(card: &mut Card, record: &Record) -> Result<(), JobError> {
    // A single application that opens its own channel is selected first thing anyway.
    if let [only] = record.applications()
        && *only.method() == Method::Direct
    {
        return Ok(());
    }
    for app in record.applications() {
        let answer = gp::select(card, app.aid())?;
        if !answer.sw.is_ok() && answer.sw.0 != BLOCKED {
            return Err(JobError::Blank {
                what: "its set of applications",
                seen: format!("without {} (SELECT is answered with {})", hex::encode_upper(app.aid()), answer.sw),
                wanted: "one with every application of the record".into(),
            });
        }
        is_named(app.aid(), &answer)?;
    }
    Ok(())
}

/// The application is blocked. A blank's never is. // EMV B1 §11.3.5
const BLOCKED: u16 = 0x6283;

/// An applet that was selected to be personalized. A blank may have no FCI yet; if it has one, its DF name begins with the
/// AID.
///
/// # Errors
/// It is blocked, or another application has answered.
pub fn is_named(aid: &[u8], answer: &Response) -> Result<(), JobError> {
    if answer.sw == StatusWord(BLOCKED) {
        let what = "SELECT is answered with 6283: the application is blocked".into();
        return Err(JobError::Personalized { aid: hex::encode_upper(aid), what });
    }
    match Fci::of(&answer.data).df_name() {
        Some(name) if !name.starts_with(aid) => Err(JobError::Blank {
            what: "the application that SELECT finds",
            seen: hex::encode_upper(name),
            wanted: hex::encode_upper(aid),
        }),
        _ => Ok(()),
    }
}

/// Whether the card looks like somebody's finished card: an application of the record, or a directory, that shows what only
/// a personalized one does. Asked when a card is not the expected blank, before anything was changed.
pub fn finished(card: &mut Card, record: &Record) -> Option<JobError> {
    let aids = record.applications().iter().map(|app| app.aid()).chain(DIRECTORIES);
    for aid in aids {
        let answer = gp::select(card, aid).ok()?;
        let fci = Fci::of(&answer.data);
        if answer.sw.0 == BLOCKED || (answer.sw.is_ok() && fci.names(aid) && fci.is_personalized()) {
            let what = "its answer to SELECT is that of a personalized application".into();
            return Some(JobError::Personalized { aid: hex::encode_upper(aid), what });
        }
    }
    None
}

/// Resets the card and makes sure that it is still the same chip.
///
/// # Errors
/// The link broke, or it is another chip.
pub fn same_chip(
    job: &mut Job<'_>,
    card: &mut Card,
    began: &Chip,
    logins: &mut Logins,
    step: &'static str,
) -> Result<(), JobError> {
    let now = match identity(job, card, logins) {
        // The chip that the job began with has an identity.
        Err(JobError::Blank { seen, .. }) => return Err(JobError::Swapped { step, seen, began: began.known_by() }),
        now => now?,
    };
    if now.known_by() != began.known_by() {
        return Err(JobError::Swapped { step, seen: now.known_by(), began: began.known_by() });
    }
    Ok(())
}

/// A card's refusal to tell is an answer; a broken link is not.
fn optional(answer: Result<Vec<u8>, CardError>) -> Result<Option<Vec<u8>>, JobError> {
    match answer {
        Ok(data) => Ok(Some(data)),
        Err(CardError::Refused { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
