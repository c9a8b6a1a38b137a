//! Data preparation: an order and a card product become a prepared record.
//!
//! The product's profile says where each value comes from ([`Recipe`]); keys stay in custody and come into the record
//! sealed under its transport key. Nothing here knows a card.

mod assemble;
mod authentication;
mod blocks;
mod error;
mod examine;
mod fit;
mod judgement;
mod larder;
mod pattern;
mod pin;
mod pool;
mod recovery;
mod secrets;
mod values;

pub use authentication::{IssuerCertificate, IssuerFile, IssuerFileError};
pub use error::PrepareError;
pub use examine::{Examined, examine, problem_of};
pub use pool::{Pool, PoolError, PoolFile};

use std::collections::BTreeMap;

use self::authentication::{CardRsa, Serials, Signing};
use self::blocks::Blocks;
use self::larder::{Face, Goods};
use self::secrets::Secrets;
use self::values::Values;
use crate::base::emv::certificate::MonthYear;
use crate::base::emv::rules::{self, Outcome};
use crate::base::{Chance, Secret};
use crate::keys::KeyStore;
use crate::keys::pin::Pin;
use crate::order::{IndexUse, Order};
use crate::profile::Profile;
use crate::profile::prepare::{AppRecipe, Content, Derived, GroupingRecipe, Only, Recipe, Role, StripePlace};
use crate::record::{Draft, DraftApplication, DraftPrint, DraftValue, Method, Record, StripeMade};

/// What data preparation works with.
pub struct Materials<'a> {
    /// What is asked for.
    pub order: &'a Order,
    /// The card product.
    pub profile: &'a Profile,
    /// The keys.
    pub store: &'a dyn KeyStore,
    /// The issuer's certificate, where the product has offline data authentication.
    pub issuer: Option<&'a IssuerCertificate>,
    /// RSA keys made ahead; without it they are made now.
    pub pool: Option<&'a mut Pool>,
    /// Randomness.
    pub chance: &'a mut Chance,
    /// Today: year, month, day.
    pub today: Option<(u16, u8, u8)>,
}

/// A record that was prepared.
pub struct Prepared {
    /// The file.
    pub text: String,
    /// The record, opened again and checked.
    pub record: Record,
    /// What the consistency rules say.
    pub outcomes: Vec<Outcome>,
}

/// Prepares the record of an order.
///
/// # Errors
/// The product has no recipe, a key or value is missing, or the data breaks a rule; nothing has been written then.
pub fn prepare(materials: Materials<'_>) -> Result<Prepared, PrepareError> {
    let Materials { order, profile, store, issuer, pool, chance, today } = materials;
    let recipe = profile.recipe().ok_or_else(|| PrepareError::NoRecipe(profile.name().to_owned()))?;
    suits(order, profile)?;
    fit::answers(recipe)?;
    let pin = pin::open(order, store)?;
    let values = Values::new(order, recipe, store, pin.as_ref());
    let mut pool = pool;
    let rsa = rsa(recipe, pool.as_deref_mut(), chance)?;
    let signing = Authentication::Real(issuer);
    make(order, profile, recipe, store, &values, pin.as_ref(), &rsa, signing, pool, chance, today)
}

/// Prepares a record as [`prepare`] does, but without RSA keys, certificates and signatures, and keeps nothing of it: shows
/// whether an order can be prepared.
///
/// # Errors
/// As [`prepare`], but for what only RSA keys and the issuer's certificate show.
pub(crate) fn try_out(
    order: &Order,
    profile: &Profile,
    store: &dyn KeyStore,
    chance: &mut Chance,
    today: Option<(u16, u8, u8)>,
) -> Result<Prepared, PrepareError> {
    let recipe = profile.recipe().ok_or_else(|| PrepareError::NoRecipe(profile.name().to_owned()))?;
    suits(order, profile)?;
    fit::answers(recipe)?;
    let pin = pin::open(order, store)?;
    let values = Values::new(order, recipe, store, pin.as_ref());
    let rsa = CardRsa { icc: None, pin: None };
    make(order, profile, recipe, store, &values, pin.as_ref(), &rsa, Authentication::Placeholders, None, chance, today)
}

/// Where the values of offline data authentication come from.
#[derive(Clone, Copy)]
enum Authentication<'a> {
    /// From the issuer's key and certificate.
    Real(Option<&'a IssuerCertificate>),
    /// Zeros: nothing is signed.
    Placeholders,
}

/// Makes the record and asks the rules about it.
#[allow(clippy::too_many_arguments)]
fn make(
    order: &Order,
    profile: &Profile,
    recipe: &Recipe,
    store: &dyn KeyStore,
    values: &Values<'_>,
    pin: Option<&Pin>,
    rsa: &CardRsa,
    authentication: Authentication<'_>,
    mut pool: Option<&mut Pool>,
    chance: &mut Chance,
    today: Option<(u16, u8, u8)>,
) -> Result<Prepared, PrepareError> {
    let issuer = match authentication {
        Authentication::Real(issuer) => issuer,
        Authentication::Placeholders => None,
    };
    let mut blocks = blocks::open(order, recipe, store)?;
    let foreign_keys = blocks.bring_keys();
    let secrets = Secrets { order, recipe, store, pin, rsa, foreign_keys };

    let mut applications = Vec::new();
    for app in recipe.applications() {
        let mut goods = match authentication {
            Authentication::Real(issuer) => {
                goods(app, order, recipe, values, store, issuer, rsa, &blocks, pool.as_deref_mut(), chance, today)?
            }
            Authentication::Placeholders => placeholders(app, order, recipe, values)?,
        };
        let signature = match authentication {
            Authentication::Real(_) => rsa.icc.as_ref().map(|key| key.public().length()),
            Authentication::Placeholders => Some(recipe.rsa_bits() / 8),
        };
        goods.signature_room = fit::signature_room(app, &goods, signature, &blocks)?;
        let signs = matches!(authentication, Authentication::Real(_));
        applications.push(application((app, profile), &goods, &secrets, &mut blocks, signs, chance)?);
    }
    blocks.finish()?;
    let draft = Draft {
        id: record_id(order),
        profile: (profile.name().to_owned(), hex::encode(profile.hash())),
        record_key: recipe.record_key().to_owned(),
        applications,
        stripe: match recipe.stripe() {
            StripePlace::Elsewhere => StripeMade::Elsewhere,
            StripePlace::Here => StripeMade::Here,
            StripePlace::Nowhere => StripeMade::Nowhere,
        },
        tracks: tracks(order, recipe, values)?,
        print: print(order, values)?,
        cryptogram_key: secrets.cryptogram_key()?,
        foreign_keys,
        sample: order.product().is_sample(),
        expiry_rule: order.chip().expiry_rule().map(str::to_owned),
        order: Some(*order.digest()),
    };
    let (text, record) = draft.seal(store, chance).map_err(PrepareError::Record)?;
    let outcomes = judgement::judge(&record, profile, &secrets, issuer, today)?;
    if outcomes.iter().any(Outcome::refuses) {
        return Err(PrepareError::Rules(outcomes.into_iter().filter(Outcome::refuses).collect()));
    }
    Ok(Prepared { text, record, outcomes })
}

/// The order and the product go together.
fn suits(order: &Order, profile: &Profile) -> Result<(), PrepareError> {
    let product = order.product();
    if product.profile() != profile.name() {
        return Err(PrepareError::OtherProfile {
            order: product.profile().to_owned(),
            profile: profile.name().to_owned(),
        });
    }
    let Some(recipe) = profile.recipe() else { return Ok(()) };
    let antenna = recipe.applications().iter().any(|app| app.aip_contactless.is_some());
    match product.contactless() {
        Some(false) if antenna => return Err(PrepareError::Contactless(profile.name().to_owned())),
        Some(true) if !antenna => return Err(PrepareError::NoContactless(profile.name().to_owned())),
        _ => {}
    }
    let has = recipe.applications().iter().filter(|app| app.is_payment()).count();
    if let Some(wanted) = product.applications().filter(|wanted| *wanted as usize > has) {
        return Err(PrepareError::Applications { profile: profile.name().to_owned(), wanted, has });
    }
    if order.stripe().is_wanted() && recipe.stripe() == StripePlace::Nowhere {
        return Err(PrepareError::NoStripe("the profile has stripe = \"none\"; choose a profile with a stripe"));
    }
    Ok(())
}

/// A record's id names its order: a second record of the same order has the same id, and is refused where it is made.
pub fn record_id(order: &Order) -> String {
    let identity = order.identity();
    let whole = format!("{}:{}:{}", identity.issuer(), identity.card(), identity.operation());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if whole.len() <= 64 && whole.bytes().all(fits) {
        return whole;
    }
    hex::encode(crate::base::crypto::sha256(whole.as_bytes()))
}

/// The card's RSA keys, as far as anything asks for them.
fn rsa(recipe: &Recipe, mut pool: Option<&mut Pool>, chance: &mut Chance) -> Result<CardRsa, PrepareError> {
    let mut key = |wanted: bool| match wanted {
        true => pool::take(pool.as_deref_mut(), recipe.rsa_bits(), recipe.rsa_exponent(), chance).map(Some),
        false => Ok(None),
    };
    Ok(CardRsa {
        icc: key(recipe.derives(Derived::IccCertificate))?,
        pin: key(recipe.derives(Derived::PinCertificate))?,
    })
}

/// Everything that the objects of an application take their values from.
#[allow(clippy::too_many_arguments)]
fn goods<'a>(
    app: &AppRecipe,
    order: &'a Order,
    recipe: &'a Recipe,
    values: &'a Values<'a>,
    store: &dyn KeyStore,
    issuer: Option<&IssuerCertificate>,
    rsa: &CardRsa,
    blocks: &Blocks,
    pool: Option<&mut Pool>,
    chance: &mut Chance,
    today: Option<(u16, u8, u8)>,
) -> Result<Goods<'a>, PrepareError> {
    let mut goods = Goods::new(app, order, values)?;
    let wants = |derived| app_derives(app, derived);
    let signatures = [Derived::SignedStaticData, Derived::IccCertificate, Derived::PinCertificate];
    if !signatures.into_iter().any(wants) && !wants(Derived::IssuerCertificate) {
        return Ok(goods);
    }
    let issuer = issuer.ok_or(PrepareError::NoIssuer)?;
    let name =
        values::key(order, recipe, IndexUse::Oda, Role::Issuer).ok_or(PrepareError::NoKey("the issuer's RSA key"))?;
    let key = authentication::issuer_key(store, name, issuer, order.chip().pan(), today)?;
    if !app.aid.starts_with(&issuer.rid()) {
        return Err(PrepareError::OtherRid(hex::encode_upper(&app.aid)));
    }
    let mut signing = Signing {
        store,
        issuer,
        key: &key,
        pan: order.chip().pan(),
        expiry: month(order.chip().expiry())?,
        serials: match pool {
            Some(pool) => Serials::Counted(pool),
            None => Serials::Drawn(chance.bytes()?),
        },
        dac: recipe.dac().map_or_else(|| chance.bytes(), Ok)?,
    };
    for contactless in [false, true] {
        if app.aip(contactless).is_some() {
            let data = larder::static_data(app, contactless, &goods, blocks)?;
            goods.signed.insert(contactless, signing.sign(rsa, data.expose(), wants)?);
        }
    }
    Ok(goods)
}

/// The values of an application without any signature.
fn placeholders<'a>(
    app: &AppRecipe,
    order: &'a Order,
    recipe: &Recipe,
    values: &'a Values<'a>,
) -> Result<Goods<'a>, PrepareError> {
    let mut goods = Goods::new(app, order, values)?;
    month(order.chip().expiry())?;
    for contactless in [false, true] {
        if app.aip(contactless).is_some() {
            goods.signed.insert(contactless, authentication::placeholders(recipe.rsa_bits() / 8));
        }
    }
    Ok(goods)
}

fn app_derives(app: &AppRecipe, derived: Derived) -> bool {
    app.groupings.iter().any(|grouping| grouping.derives(derived))
}

fn month(yymm: &str) -> Result<MonthYear, PrepareError> {
    let number = |range: std::ops::Range<usize>| yymm.get(range).and_then(|text| text.parse::<u8>().ok());
    let read = number(0..2).zip(number(2..4));
    read.and_then(|(year, month)| MonthYear::new(rules::century(year), month)).ok_or(PrepareError::Expiry)
}

fn application(
    (app, profile): (&AppRecipe, &Profile),
    goods: &Goods<'_>,
    secrets: &Secrets<'_>,
    blocks: &mut Blocks,
    signs: bool,
    chance: &mut Chance,
) -> Result<DraftApplication, PrepareError> {
    let mut groupings: Vec<(u16, DraftValue)> = Vec::new();
    let made = app.groupings.iter().filter(|grouping| match grouping.only {
        Some(Only::WithPin) => secrets.pin.is_some(),
        None => true,
    });
    for grouping in made {
        let value = match blocks.take(&app.aid, grouping.dgi) {
            Some(filling) if matches!(grouping.content, Content::Secret(_)) => {
                secrets.sealed_value(&filling.value(), chance)?
            }
            Some(filling) => DraftValue::Clear(filling.value()),
            None if !signs && is_rsa(&grouping.content) => {
                let part = Secret::new(vec![0; secrets.recipe.rsa_bits() / 16]);
                secrets.sealed_value(&part, chance)?
            }
            None => {
                // Check values are of the keys that the card compares them with, which may stand further ahead.
                let keys = profile.checked_with(&app.aid, grouping.dgi);
                let keys = groupings.iter().find(|(dgi, _)| Some(*dgi) == keys).or(groupings.last());
                value(app, grouping, goods, secrets, keys, chance)?
            }
        };
        groupings.push((grouping.dgi, value));
    }
    let method = app.through.clone().map_or(Method::Direct, Method::Through);
    let cryptogram_key = secrets.own_cryptogram_key(app)?;
    Ok(DraftApplication { aid: app.aid.clone(), method, groupings, cryptogram_key })
}

/// Whether a grouping holds a part of an RSA key.
fn is_rsa(content: &Content) -> bool {
    use crate::profile::prepare::Secrets as Part;
    matches!(content, Content::Secret(part) if !matches!(part, Part::IccKeys | Part::CvcKey | Part::PinBlock))
}

fn value(
    app: &AppRecipe,
    grouping: &GroupingRecipe,
    goods: &Goods<'_>,
    secrets: &Secrets<'_>,
    before: Option<&(u16, DraftValue)>,
    chance: &mut Chance,
) -> Result<DraftValue, PrepareError> {
    let path = assemble::path(app, grouping);
    Ok(match &grouping.content {
        Content::Fixed(value) => DraftValue::Clear(Secret::new(value.clone())),
        Content::Objects(template, objects) => {
            let face = Face { goods, contactless: grouping.is_contactless_only() };
            DraftValue::Clear(assemble::objects(*template, objects, &face, &path)?)
        }
        Content::Derived(derived) => DraftValue::Clear(secrets.derived(*derived, app, before)?),
        Content::Secret(secret) => secrets.sealed(*secret, app, chance)?,
    })
}

/// The tracks; an order that wants a stripe gets one at least.
fn tracks(order: &Order, recipe: &Recipe, values: &Values<'_>) -> Result<[Option<Secret<String>>; 3], PrepareError> {
    if recipe.stripe() == StripePlace::Nowhere {
        return Ok([None, None, None]);
    }
    let tracks = [values.track(1)?, values.track(2)?, values.track(3)?];
    if order.stripe().is_wanted() && tracks.iter().all(Option::is_none) {
        let why =
            "neither the order nor the profile's [prepare.patterns] has a track; have one ordered, or add a pattern";
        return Err(PrepareError::NoStripe(why));
    }
    Ok(tracks)
}

/// What is printed. Whatever the order has beside what everybody prints travels under its own name.
fn print(order: &Order, values: &Values<'_>) -> Result<DraftPrint, PrepareError> {
    let chip = order.chip();
    let month_year = |digits: &str| match (digits.get(2..4), digits.get(0..2)) {
        (Some(month), Some(year)) => Some(format!("{month}/{year}")),
        _ => None,
    };
    let again = |text: &Secret<String>| Secret::new(text.expose().clone());
    let mut fields: BTreeMap<String, Secret<String>> =
        order.print().lines().iter().map(|line| (line.name.clone(), again(&line.value))).collect();
    if order.product().is_sample() {
        fields.insert("sample".into(), Secret::new("SAMPLE CARD, NOT FOR USE".to_owned()));
    }
    Ok(DraftPrint {
        pan: Some(Secret::new(chip.pan().digits().to_owned())),
        expiry: month_year(chip.expiry()),
        effective: month_year(chip.effective()),
        names: order.print().names().iter().map(again).collect(),
        cvv2: values.printed()?,
        design: None,
        fields,
    })
}
