//! What the objects of an application take their values from.

use std::collections::BTreeMap;

use super::PrepareError;
use super::assemble::{self, Larder};
use super::authentication::Signed;
use super::blocks::Blocks;
use super::values::Values;
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag};
use crate::base::emv::{self, Afl};
use crate::order::Order;
use crate::profile::prepare::{AppRecipe, Content, Derived, OrderField};

/// Everything that is known before the groupings are put together.
pub(super) struct Goods<'a> {
    order: &'a Order,
    /// PAN sequence number of the application.
    psn: u8,
    service_code: Option<&'a str>,
    track_equivalent: Option<Secret<Vec<u8>>>,
    track_one: Option<Secret<Vec<u8>>>,
    track_contactless: Option<Secret<Vec<u8>>>,
    /// Offline data authentication by interface: contactless or not.
    pub(super) signed: BTreeMap<bool, Signed>,
    /// Bytes of the signature of fDDA, if a record has to hold it.
    pub(super) signature_room: Option<usize>,
}

/// The goods as one interface sees them.
pub(super) struct Face<'g, 'a> {
    pub(super) goods: &'g Goods<'a>,
    pub(super) contactless: bool,
}

impl<'a> Goods<'a> {
    pub(super) fn new(app: &AppRecipe, order: &'a Order, values: &'a Values<'a>) -> Result<Self, PrepareError> {
        Ok(Self {
            order,
            psn: app.psn.unwrap_or(order.chip().psn()),
            service_code: values.service_code(),
            track_equivalent: values.track_equivalent()?,
            track_one: values.track_one_discretionary()?,
            track_contactless: values.track_one_contactless()?,
            signed: BTreeMap::new(),
            signature_room: None,
        })
    }
}

impl Larder for Face<'_, '_> {
    fn order(&self, field: OrderField) -> Option<Secret<Vec<u8>>> {
        let chip = self.goods.order.chip();
        let bytes = match field {
            OrderField::Pan => compressed(chip.pan().digits()),
            OrderField::Psn => Some(vec![bcd(self.goods.psn)]),
            OrderField::Expiry => expiry(chip.expiry()),
            OrderField::Effective => hex::decode(chip.effective()).ok(),
            OrderField::Name => chip.encoded_name().map(|name| name.expose().clone().into_bytes()),
            OrderField::ServiceCode => self.goods.service_code.and_then(|code| hex::decode(format!("0{code}")).ok()),
            OrderField::Par => chip.par().map(|par| par.expose().clone().into_bytes()),
        };
        bytes.filter(|bytes| !bytes.is_empty()).map(Secret::new)
    }

    fn derived(&self, derived: Derived) -> Option<Secret<Vec<u8>>> {
        let again = |value: &Secret<Vec<u8>>| Secret::new(value.expose().clone());
        match derived {
            Derived::TrackEquivalent => self.goods.track_equivalent.as_ref().map(again),
            Derived::TrackOneDiscretionary => self.goods.track_one.as_ref().map(again),
            Derived::TrackOneContactless => self.goods.track_contactless.as_ref().map(again),
            Derived::FastSignature => self.goods.signature_room.map(|length| Secret::new(vec![0; length])),
            _ => {
                let signed = self.goods.signed.get(&self.contactless)?;
                signed.get(&derived).filter(|value| !value.is_empty()).map(|value| Secret::new(value.clone()))
            }
        }
    }
}

/// Two digits as a byte.
pub(super) fn bcd(number: u8) -> u8 {
    ((number / 10) << 4) | (number % 10)
}

/// Compressed numeric: filled with F on the right. // EMV B3 §4.3
fn compressed(digits: &str) -> Option<Vec<u8>> {
    let filler = if digits.len().is_multiple_of(2) { "" } else { "F" };
    hex::decode(format!("{digits}{filler}")).ok()
}

/// The last day of the month of YYMM. // EMV B3 annex A
fn expiry(yymm: &str) -> Option<Vec<u8>> {
    let number = |range: std::ops::Range<usize>| yymm.get(range).and_then(|text| text.parse::<u8>().ok());
    let (year, month) = number(0..2).zip(number(2..4))?;
    let last = emv::rules::last_day(emv::rules::century(year), month);
    Some(vec![bcd(year), bcd(month), bcd(last)])
}

/// The static data to be authenticated over one interface, as they finally stand: a prepared block goes before what the
/// recipe has. // EMV B3 §10.3
///
/// # Errors
/// A signed record has a source without a value, or what a block makes of it cannot be signed.
pub(super) fn static_data(
    app: &AppRecipe,
    contactless: bool,
    goods: &Goods<'_>,
    blocks: &Blocks,
) -> Result<Secret<Vec<u8>>, PrepareError> {
    let wrong = |what| PrepareError::Recipe { aid: hex::encode_upper(&app.aid), what };
    let bytes = assemble::afl(&app.groupings, contactless);
    if bytes.is_empty() {
        return Ok(Secret::new(Vec::new()));
    }
    let afl = Afl::parse(&bytes).map_err(|_| wrong("its records give no AFL"))?;
    let face = Face { goods, contactless };
    let mut records: BTreeMap<(u8, u8), Secret<Vec<u8>>> = BTreeMap::new();
    let mut tag_list = Vec::new();
    let mut by_block = None;
    for grouping in app.groupings.iter().filter(|it| it.read.is_located(contactless)) {
        let Some(at) = grouping.record().filter(|_| grouping.signed) else { continue };
        let value = match (blocks.of(&app.aid, grouping.dgi), &grouping.content) {
            (Some(filling), _) => {
                by_block.get_or_insert(filling.number);
                filling.value()
            }
            (None, Content::Objects(template, objects)) => {
                assemble::objects(*template, objects, &face, &assemble::path(app, grouping))?
            }
            (None, Content::Fixed(value)) => Secret::new(value.clone()),
            (None, Content::Derived(_) | Content::Secret(_)) => continue,
        };
        let objects = tlv::parse(value.expose()).unwrap_or_default();
        if let Some(list) = tlv::find(&objects, Tag::of(0x9F4A)) {
            tag_list = list.value_bytes();
        }
        records.insert(at, value);
    }
    let record = |sfi, number| records.get(&(sfi, number)).map(|value| value.expose().clone());
    let aip = app.aip(contactless).unwrap_or_default();
    emv::static_data(&afl, record, &tag_list, aip).map(Secret::new).map_err(|error| match by_block {
        Some(number) => PrepareError::Block {
            number,
            why: format!(
                "it fills a signed record, which cannot be signed then: {error}; have the whole record ordered"
            ),
        },
        None => wrong("its signed records give no static data to be authenticated"),
    })
}
