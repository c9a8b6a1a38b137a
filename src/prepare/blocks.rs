//! Prepared TLV blocks: chip data that someone else has prepared. The MAC goes first. // D1 tlvBlock

use std::collections::BTreeMap;

use super::PrepareError;
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::keys::{KeyError, KeyStore, Purpose};
use crate::order::{Order, TlvBlock};
use crate::profile::prepare::{AppRecipe, Content, Recipe};

/// What the order's blocks have for the groupings of the applications. What is there must come into the record.
pub(super) struct Blocks {
    filled: BTreeMap<(Vec<u8>, u16), Filling>,
}

/// What fills a grouping.
pub(super) struct Filling {
    /// The block that began it, from 1.
    pub(super) number: usize,
    /// Its objects, one behind the other; of a secret, its value.
    inside: Secret<Vec<u8>>,
    /// The template around them, where they do not bring it.
    template: Option<Tag>,
    tags: Vec<Tag>,
}

impl Filling {
    /// The grouping's value.
    pub(super) fn value(&self) -> Secret<Vec<u8>> {
        match self.template {
            Some(template) => Secret::new(tlv::encode(template, self.inside.expose())),
            None => Secret::new(self.inside.expose().clone()),
        }
    }
}

/// Checks and opens every block of the order.
///
/// # Errors
/// A MAC is wrong, the data is no BER-TLV, a block belongs to no application or could belong to several, or a tag has no
/// place there.
pub(super) fn open(order: &Order, recipe: &Recipe, store: &dyn KeyStore) -> Result<Blocks, PrepareError> {
    let mut blocks = Blocks { filled: BTreeMap::new() };
    for (at, block) in order.chip().blocks().iter().enumerate() {
        blocks.take_in(block, at + 1, recipe, store)?;
    }
    Ok(blocks)
}

/// As [`open`], but every block's fault instead of the first.
pub(super) fn faults(order: &Order, recipe: &Recipe, store: &dyn KeyStore) -> Vec<PrepareError> {
    let mut blocks = Blocks { filled: BTreeMap::new() };
    let all = order.chip().blocks().iter().enumerate();
    all.filter_map(|(at, block)| blocks.take_in(block, at + 1, recipe, store).err()).collect()
}

/// The application that a block is for: the one it names, or the card's only payment application.
fn application<'r>(block: &TlvBlock, recipe: &'r Recipe) -> Result<&'r AppRecipe, String> {
    let apps = recipe.applications();
    if let Some(aid) = block.aid() {
        return apps.iter().find(|app| app.aid == aid).ok_or_else(|| {
            let aid = hex::encode_upper(aid);
            format!("application {aid} is not on this card; correct the block's aid, or choose a profile that has it")
        });
    }
    let payment: Vec<&AppRecipe> = apps.iter().filter(|app| app.is_payment()).collect();
    let candidates = if payment.is_empty() { apps.iter().collect() } else { payment };
    match candidates.as_slice() {
        [only] => Ok(only),
        _ => Err(format!("it names no application, and the card has {}; have its aid ordered", candidates.len())),
    }
}

impl Blocks {
    /// Checks a block, and adds its objects to their groupings.
    fn take_in(
        &mut self,
        block: &TlvBlock,
        number: usize,
        recipe: &Recipe,
        store: &dyn KeyStore,
    ) -> Result<(), PrepareError> {
        let wrong = |why: String| PrepareError::Block { number, why };
        let data = checked(block, recipe, store, number)?;
        let objects =
            tlv::parse(data.expose()).map_err(|error| wrong(format!("its data is broken BER-TLV: {error}")))?;
        if objects.is_empty() {
            return Err(wrong("there is no object in its data; leave the block out of the order".into()));
        }
        let app = application(block, recipe).map_err(wrong)?;
        for object in placed(objects, recipe) {
            let dgi = recipe.block_grouping(object.tag).ok_or_else(|| {
                wrong(format!("the profile's [prepare.blocks] has no grouping for tag {}", object.tag))
            })?;
            self.add(app, dgi, &object, recipe, number).map_err(wrong)?;
        }
        Ok(())
    }

    /// Objects of one grouping stand one behind the other in its template, whether their blocks name the application or
    /// not. A whole record brings its template. A secret is its object's value, as the grouping holds no tag.
    fn add(&mut self, app: &AppRecipe, dgi: u16, object: &Tlv, recipe: &Recipe, number: usize) -> Result<(), String> {
        let (aid, tag) = (hex::encode_upper(&app.aid), object.tag);
        let grouping = app.groupings.iter().find(|grouping| grouping.dgi == dgi).ok_or_else(|| {
            format!(
                "tag {tag} goes to grouping {dgi:04X}, which application {aid} has not; correct the profile's \
                 [prepare.blocks], or give the application the grouping"
            )
        })?;
        let secret = matches!(grouping.content, Content::Secret(_));
        if secret && !recipe.block_form().enciphered {
            return Err(format!(
                "tag {tag} goes to grouping {dgi:04X} of application {aid}, which is secret, and blocks come in the clear; \
                 correct the profile's [prepare.blocks], or have them enciphered (blocks_enciphered)"
            ));
        }
        let template = grouping.template().filter(|template| !secret && *template != tag);
        let empty = || Filling { number, inside: Secret::new(Vec::new()), template, tags: Vec::new() };
        let filling = self.filled.entry((app.aid.clone(), dgi)).or_insert_with(empty);
        if filling.tags.contains(&tag) {
            return Err(format!("tag {tag} comes a second time for grouping {dgi:04X}; have it ordered once"));
        }
        if !filling.tags.is_empty() && (secret || filling.template != template) {
            let whole = if secret { "one value" } else { "a whole record" };
            return Err(format!("tag {tag} cannot come beside what fills grouping {dgi:04X} already: {whole}"));
        }
        let encoded = Secret::new(if secret { object.value_bytes() } else { object.encode() });
        filling.tags.push(tag);
        filling.inside = Secret::new([filling.inside.expose().as_slice(), encoded.expose()].concat());
        Ok(())
    }

    /// What they have for a grouping of an application.
    pub(super) fn of(&self, aid: &[u8], dgi: u16) -> Option<&Filling> {
        self.filled.get(&(aid.to_vec(), dgi))
    }

    /// As [`Blocks::of`], for the record. What was taken is not left over.
    pub(super) fn take(&mut self, aid: &[u8], dgi: u16) -> Option<Filling> {
        self.filled.remove(&(aid.to_vec(), dgi))
    }

    /// Whether they bring a card's symmetric keys, which no master key of ours gave. // CPS 1.1 annex A
    pub(super) fn bring_keys(&self) -> bool {
        self.filled.keys().any(|(_, dgi)| (0x8000..=0x800F).contains(dgi))
    }

    /// All of it must have been taken.
    ///
    /// # Errors
    /// [`PrepareError::Block`]: a block is for a grouping that this card does not get.
    pub(super) fn finish(self) -> Result<(), PrepareError> {
        let Some(((aid, dgi), filling)) = self.filled.into_iter().next() else { return Ok(()) };
        let aid = hex::encode_upper(aid);
        let why = format!(
            "application {aid} gets no grouping {dgi:04X} on this card (it is made with a PIN only); leave the block out, \
             or have a PIN ordered"
        );
        Err(PrepareError::Block { number: filling.number, why })
    }
}

/// The objects that have places: those of a template 70 that has none itself, one by one.
fn placed(objects: Vec<Tlv>, recipe: &Recipe) -> Vec<Tlv> {
    let record = Tag::of(0x70);
    let opens = |object: &Tlv| object.tag == record && recipe.block_grouping(record).is_none();
    let each = objects.into_iter().flat_map(|object| match opens(&object) {
        true => tlv::parse(&object.value_bytes()).unwrap_or_else(|_| vec![object]),
        false => vec![object],
    });
    each.collect()
}

/// The clear data of a block whose MAC is right, over what the profile says.
fn checked(
    block: &TlvBlock,
    recipe: &Recipe,
    store: &dyn KeyStore,
    number: usize,
) -> Result<Secret<Vec<u8>>, PrepareError> {
    let name = block.key().ok_or(PrepareError::NoKey("a key encryption key of prepared blocks"))?;
    let kek = store.open(name, Purpose::Kek)?;
    let (mac_key, data) = (block.mac_key().expose(), block.data().expose());
    store.open_block(&kek, mac_key, data, recipe.block_form(), block.mac()).map_err(|error| match error {
        KeyError::NotForIt(_) => PrepareError::BlockMac { number },
        KeyError::WeakBlockKey => {
            PrepareError::Block { number, why: "its MAC key has equal halves, which is single DES".into() }
        }
        KeyError::Crypto { .. } => {
            PrepareError::Block { number, why: "its enciphered data is not whole blocks".into() }
        }
        other => other.into(),
    })
}
