//! Which chip is this, and is it the blank that the profile expects?

use super::error::JobError;
use super::options;
use super::plan::Plan;
use crate::card::gp::{self, CardData, Cplc};
use crate::card::{Atr, Card, CardError};
use crate::profile::Profile;
use crate::record::{Method, Record};

/// A chip, identified.
#[derive(Debug, Clone)]
pub struct Chip {
    id: String,
    atr: Vec<u8>,
    cplc: Option<Cplc>,
    card_data: Option<CardData>,
}

impl Chip {
    /// Identity: CPLC fabricator, type, fabrication date, serial and batch; else the key diversification data.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is read over its antenna, which shows in the ATR that the reader makes.
    pub fn is_contactless(&self) -> bool {
        Atr::parse(&self.atr).is_ok_and(|atr| atr.is_contactless())
    }

    /// The answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }
}

/// Resets the card and identifies it at its issuer security domain. Changes nothing on the card.
///
/// # Errors
/// The link broke, or the card tells nothing that identifies it.
pub fn chip(card: &mut Card, profile: &Profile) -> Result<Chip, JobError> {
    let chip = identity(card, profile)?;
    let card_data = optional(gp::get_data(card, 0x0066))?.and_then(|data| CardData::parse(&data).ok());
    Ok(Chip { card_data, ..chip })
}

/// All of a chip but its card data.
fn identity(card: &mut Card, profile: &Profile) -> Result<Chip, JobError> {
    let atr = card.reset()?;
    gp::select(card, profile.domain())?;
    let cplc = optional(gp::get_data(card, 0x9F7F))?.and_then(|data| Cplc::parse(&data).ok());
    let kdd = match cplc.as_ref().is_some_and(Cplc::identifies) {
        true => None,
        false => optional(gp::get_data(card, 0x00CF))?,
    };
    let id = gp::chip_id(cplc.as_ref(), kdd.as_deref()).ok_or_else(|| JobError::Blank {
        what: "its identity",
        seen: "not to be had (neither a serial number in its CPLC nor key diversification data)".into(),
        wanted: "one of the two".into(),
    })?;
    Ok(Chip { id, atr, cplc, card_data: None })
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
        if !answer.sw.is_ok() {
            return Err(JobError::Blank {
                what: "its set of applications",
                seen: format!("without {} (SELECT is answered with {})", hex::encode_upper(app.aid()), answer.sw),
                wanted: "one with every application of the record".into(),
            });
        }
    }
    Ok(())
}

/// Resets the card and makes sure that it is still the same chip.
///
/// # Errors
/// The link broke, or it is another chip.
pub fn same_chip(card: &mut Card, began: &Chip, profile: &Profile, step: &'static str) -> Result<(), JobError> {
    let now = identity(card, profile)?;
    if now.id != began.id {
        return Err(JobError::Swapped { step, seen: now.id, began: began.id.clone() });
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
