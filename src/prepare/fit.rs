//! Whether what the card will answer goes into an answer.

use super::blocks::Blocks;
use super::larder::{Face, Goods};
use super::{PrepareError, assemble};
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag};
use crate::profile::prepare::{AppRecipe, Content, Derived, Recipe};

/// First byte of an AIP: CDA. // EMV B3 annex C1
const CDA: u8 = 0x01;
const DDA: u8 = 0x20;
/// Longest short answer, with its template.
const WHOLE: usize = 256;
/// Longest data field of a short answer, without a template's tag and length.
const ANSWER: usize = 256 - 3;
/// Beside the signature's value: 9F27 and 9F36 with their values, tag and length of the signature, 9F10 at its longest.
const BESIDE: usize = 4 + 5 + 4 + (3 + 32);
/// 9F10 at its longest. // EMV B3 annex A
const LONGEST_ISSUER_DATA: usize = 32;
/// Longest modulus whose signature goes into the answer to GENERATE AC. // EMV B2 §6.6.1, ISO 7816-4 §5.1
const MOST_BITS: usize = (ANSWER - BESIDE) * 8;

/// The signature of CDA is as long as the card's modulus, and must go into one short answer with what stands beside it.
///
/// # Errors
/// [`PrepareError::LongAnswer`] where it does not.
pub(super) fn answers(recipe: &Recipe) -> Result<(), PrepareError> {
    let cda = |aip: Option<[u8; 2]>| aip.is_some_and(|[first, _]| first & CDA != 0);
    let signs = recipe.applications().iter().any(|app| cda(app.aip) || cda(app.aip_contactless));
    let bits = recipe.rsa_bits();
    if signs && recipe.derives(Derived::IccCertificate) && bits > MOST_BITS {
        return Err(PrepareError::LongAnswer { bits, most: MOST_BITS });
    }
    Ok(())
}

/// The bytes of the signature of fDDA if the contactless answer to GET PROCESSING OPTIONS has no room for it and a record
/// of the recipe has. Whether the answer fits without it is the consistency rules' business (R23). // EMV C-3 §5.4
///
/// # Errors
/// A source of the answer's objects has nothing.
pub(super) fn signature_room(
    app: &AppRecipe,
    goods: &Goods<'_>,
    signature: Option<usize>,
    blocks: &Blocks,
) -> Result<Option<usize>, PrepareError> {
    let signs = app.aip_contactless.is_some_and(|[first, _]| first & DDA != 0);
    let has_room = app.groupings.iter().any(|grouping| grouping.derives(Derived::FastSignature));
    let Some(length) = signature.filter(|_| signs && has_room) else { return Ok(None) };
    let face = Face { goods, contactless: true };
    let value = |dgi: u16| -> Result<Option<Secret<Vec<u8>>>, PrepareError> {
        let Some(grouping) = app.groupings.iter().find(|grouping| grouping.dgi == dgi) else { return Ok(None) };
        Ok(match (blocks.of(&app.aid, dgi), &grouping.content) {
            (Some(filling), _) => Some(filling.value()),
            (None, Content::Fixed(value)) => Some(Secret::new(value.clone())),
            (None, Content::Objects(_, objects)) => {
                Some(assemble::objects(None, objects, &face, &assemble::path(app, grouping))?)
            }
            (None, Content::Derived(_) | Content::Secret(_)) => None,
        })
    };
    let mut inside = assemble::locator(app, true)?.len();
    for grouping in app.groupings.iter().filter(|grouping| grouping.read.answer) {
        let bytes = value(grouping.dgi)?;
        inside += bytes.map_or(0, |bytes| within(bytes.expose()).len());
    }
    let issuer_data = match value(0x9201)? {
        Some(own) => Some(own),
        None => value(0x9200)?,
    };
    // 9F10 bare or as an object; cryptogram, its kind and the counter are the card's own.
    let issuer_data = issuer_data.map_or(LONGEST_ISSUER_DATA, |data| data.expose().len().min(LONGEST_ISSUER_DATA));
    for (tag, length) in [(0x9F10, issuer_data), (0x9F26, 8), (0x9F27, 1), (0x9F36, 2), (0x9F4B, length)] {
        inside += tlv::encode(Tag::of(tag), &vec![0; length]).len();
    }
    let whole = tlv::encode(Tag::of(0x77), &vec![0; inside]).len();
    Ok((whole > WHOLE).then_some(length))
}

/// The objects of a record, without its template if it comes with one.
fn within(value: &[u8]) -> &[u8] {
    match tlv::split_object(value) {
        Ok((tag, inner, [])) if tag == Tag::of(0x70) => inner,
        _ => value,
    }
}
