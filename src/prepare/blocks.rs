//! Prepared TLV blocks: chip data that someone else has prepared. The MAC goes first. // D1 tlvBlock

use std::collections::BTreeMap;

use super::PrepareError;
use crate::base::Secret;
use crate::base::codec::tlv;
use crate::keys::{KeyError, KeyStore, Purpose};
use crate::order::{Order, TlvBlock};
use crate::profile::prepare::Recipe;

/// Groupings that blocks fill, by number.
pub(super) type Filled = BTreeMap<u16, Secret<Vec<u8>>>;

/// Checks and opens every block of the order; by AID, an empty one for blocks that name none.
///
/// # Errors
/// A MAC is wrong, the data is no BER-TLV, or a tag has no place in the profile's `[prepare.blocks]`.
pub(super) fn open(
    order: &Order,
    recipe: &Recipe,
    store: &dyn KeyStore,
) -> Result<BTreeMap<Vec<u8>, Filled>, PrepareError> {
    let mut filled: BTreeMap<Vec<u8>, Filled> = BTreeMap::new();
    for (at, block) in order.chip().blocks().iter().enumerate() {
        let wrong = |why: String| PrepareError::Block { number: at + 1, why };
        let data = checked(block, recipe, store, at + 1)?;
        let objects =
            tlv::parse(data.expose()).map_err(|error| wrong(format!("its data is broken BER-TLV: {error}")))?;
        let groupings = filled.entry(block.aid().map(<[u8]>::to_vec).unwrap_or_default()).or_default();
        for object in objects {
            let dgi = recipe.block_grouping(object.tag).ok_or_else(|| {
                wrong(format!("the profile's [prepare.blocks] has no grouping for tag {}", object.tag))
            })?;
            // Several objects of one grouping stand one behind the other.
            let before = groupings.remove(&dgi).unwrap_or_else(|| Secret::new(Vec::new()));
            let whole = [before.expose().as_slice(), &object.encode()].concat();
            groupings.insert(dgi, Secret::new(whole));
        }
    }
    Ok(filled)
}

/// What the blocks have for a grouping of an application.
pub(super) fn of(blocks: &BTreeMap<Vec<u8>, Filled>, aid: &[u8], dgi: u16) -> Option<Secret<Vec<u8>>> {
    let named = blocks.get(aid).or_else(|| blocks.get([].as_slice()));
    named.and_then(|filled| filled.get(&dgi)).map(|value| Secret::new(value.expose().clone()))
}

/// The clear data of a block whose MAC is right. The MAC is taken over the clear data.
fn checked(
    block: &TlvBlock,
    recipe: &Recipe,
    store: &dyn KeyStore,
    number: usize,
) -> Result<Secret<Vec<u8>>, PrepareError> {
    let name = block.key().ok_or(PrepareError::NoKey("a key encryption key of prepared blocks"))?;
    let kek = store.open(name, Purpose::Kek)?;
    let (mac_key, data) = (block.mac_key().expose(), block.data().expose());
    store.open_block(&kek, mac_key, data, recipe.blocks_enciphered(), block.mac()).map_err(|error| match error {
        KeyError::NotForIt(_) => PrepareError::Block { number, why: "its MAC is wrong".into() },
        other => other.into(),
    })
}
