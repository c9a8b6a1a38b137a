//! What must be true of an order, wherever it comes from: from the file shape to the order itself.

use jiff::civil::Date;

use super::block::TlvBlock;
use super::context::{Context, Naming, Paths};
use super::dates::{day_of, effective, expiry};
use super::file::{CardFile, OrderFile, ProductFile, Values};
use super::parts::{PLASTIC_SEQUENCE, TRACK_NUMBER};
use super::pin::ArrivedPin;
use super::problem::Findings;
use super::rules as r;
use super::scheme::Scheme;
use super::site::IndexUse;
use super::{Channel, Chip, Identity, Issuance, KeyIndex, Line, Order, Print, Product, Pvv, Source, Stripe, tracks};
use crate::base::Secret;
use crate::base::emv::{Pan, track};
use crate::base::fault::Code;
use crate::keys::Purpose;

/// Makes an order of its file shape. Problems have the paths of the source.
pub(super) fn assemble(
    file: &OrderFile,
    source: Source,
    paths: Paths,
    context: &Context,
    found: &mut Findings,
) -> Option<Order> {
    let name = |own: &str| paths.iter().find(|(ours, _)| *ours == own).map_or(own, |(_, theirs)| *theirs).to_owned();
    let own_path = Naming { name: &name };
    let received = identity(file, &own_path, found);
    let issuance = Issuance::find(&file.issuance);
    if issuance.is_none() {
        found.value(name("issuance"), "must be creation, renewal or replacement");
    }
    let channel = channel(file, source, context, &own_path, found);
    let Some(card) = &file.card else {
        found.skip("the card data: it was not opened, or is not of its shape");
        rule(file, source, context, &own_path, found);
        return None;
    };
    pin_is_there(file, card, context, &own_path, found);
    let pan = pan(card, &own_path, found);
    let scheme = match (&file.product.brand, &pan) {
        (Some(brand), _) => Scheme::of_brand(brand),
        (None, Some(pan)) => Scheme::of_pan(pan),
        (None, None) => Scheme::Other,
    };
    no_pan_in_identity(file, pan.as_ref(), &own_path, found);
    let keys = rule(file, source, context, &own_path, found);
    let added = catalogue(file, source, pan.as_ref(), context, &own_path, found);
    let expiry = expiry(card, received, &own_path, found);
    let effective = effective(card, received, expiry, &own_path, found);
    let given = tracks::read(card, pan.as_ref(), expiry.is_some(), &|own| own_path.card(own), found);
    codes(card, scheme, &own_path, found);
    service_code(card, &given, &own_path, found);
    names(card, &own_path, found);
    let wanted = stripe_wanted(card, &given, pan.as_ref(), context, &own_path, found);
    let pin = card.pin.as_ref().and_then(|pin| ArrivedPin::read(pin, &|own| own_path.card(own), context, found));
    let blocks = blocks(card, &own_path, context, found);
    let pvv = pvv(card, &file.product, &own_path, found);
    let psn = psn(card, &own_path, found);
    let pin_length = pin_length(&file.product, &own_path, found);
    let (issuance, channel, effective) = (issuance?, channel?, effective?);
    if !found.problems.is_empty() {
        return None;
    }
    let secret = |text: &Option<String>| text.clone().map(Secret::new);
    Some(Order {
        test: file.test,
        source,
        identity: Identity {
            issuer: file.identity.issuer.clone(),
            card: file.identity.card.clone(),
            operation: file.identity.operation.clone(),
            received: file.identity.received_at.clone(),
        },
        issuance,
        channel,
        station: file.station.clone(),
        center: file.center.clone(),
        product: Product {
            profile: file.product.profile.clone(),
            scheme,
            contactless: file.product.contactless,
            applications: file.product.applications,
            sample: file.product.sample,
            keys,
            pin_length,
            generate_pvv: file.product.generate_pvv,
        },
        chip: Chip {
            pan: pan?,
            psn,
            expiry: card.expiry.clone(),
            expiry_rule: card.expiry_rule.clone(),
            effective: format!("{:02}{:02}{:02}", effective.year() % 100, effective.month(), effective.day()),
            encoded_name: secret(&card.encoded_name).or(given.name),
            service_code: card.service_code.clone().or(given.service_code),
            icvv: secret(&card.icvv),
            par: secret(&card.par),
            pin,
            blocks,
        },
        stripe: Stripe { wanted, cvv: secret(&card.cvv), pvv, tracks: given.tracks },
        print: Print {
            names: [Some(&card.name), card.second_name.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .map(Secret::new)
                .collect(),
            cvv2: secret(&card.cvv2),
            lines: lines(&file.print),
        },
        fulfilment: lines(&file.fulfilment)
            .into_iter()
            .chain(added.into_iter().map(|(name, value)| Line::new(name, value)))
            .collect(),
        report: report(file, card),
        warnings: Vec::new(),
        digest: [0; 32],
    })
}

fn lines(values: &Values) -> Vec<Line> {
    values.0.iter().map(|(name, value)| Line::new(name, value)).collect()
}

/// The issuer's counters and what else is told back. The counters are kept apart from one another and from the PSN.
fn report(file: &OrderFile, card: &CardFile) -> Vec<Line> {
    let counters = [(PLASTIC_SEQUENCE, card.plastic_sequence), (TRACK_NUMBER, card.track_number)];
    let counters = counters
        .into_iter()
        .filter_map(|(name, number)| Some(Line { counter: true, ..Line::new(name, number?.to_string()) }));
    lines(&file.report).into_iter().chain(counters).collect()
}

fn identity(file: &OrderFile, path: &Naming, found: &mut Findings) -> Option<Date> {
    let identity = &file.identity;
    let all = [("issuer", &identity.issuer), ("card", &identity.card), ("operation", &identity.operation)];
    for (own, value) in all {
        if !r::NAME_64.accepts(value) {
            found.format(path.of(&format!("identity.{own}")), format!("it must be {}", r::NAME_64.words));
        }
    }
    let day = day_of(&identity.received_at);
    if day.is_none() {
        found.format(path.of("identity.received_at"), format!("it must be {}", r::MOMENT.words));
    }
    day
}

/// The identity is shown everywhere, and so may not hold the PAN.
fn no_pan_in_identity(file: &OrderFile, pan: Option<&Pan>, path: &Naming, found: &mut Findings) {
    let Some(pan) = pan else { return };
    let identity = &file.identity;
    for (own, value) in [("issuer", &identity.issuer), ("card", &identity.card), ("operation", &identity.operation)] {
        if pan.masked_in(value) != *value {
            found.value(path.of(&format!("identity.{own}")), "it holds the PAN; give another id");
        }
    }
}

fn channel(
    file: &OrderFile,
    source: Source,
    context: &Context,
    path: &Naming,
    found: &mut Findings,
) -> Option<Channel> {
    let Some(channel) = Channel::find(&file.channel) else {
        found.value(path.of("channel"), "must be instant, central or factory");
        return None;
    };
    match (channel, &file.station, &file.center) {
        (Channel::Instant, None, _) if names_its_product(source) => found.format(path.of("station"), "it is required"),
        (Channel::Central | Channel::Factory, Some(_), _) => {
            found.refuse(path.of("station"), "only an instant order names a station");
        }
        (Channel::Instant | Channel::Factory, _, Some(_)) => {
            found.refuse(path.of("center"), "only a central order names a center");
        }
        _ => {}
    }
    let Some(site) = context.site else {
        found.skip("channel, station, product and keys: no site was given");
        return Some(channel);
    };
    if !site.serves(channel) {
        found.refuse(path.of("channel"), "this site does not serve the channel");
    }
    if file.station.as_ref().is_some_and(|id| !site.has_station(id)) {
        found.value(path.of("station"), "must be one of this site's stations");
    }
    if file.center.as_ref().is_some_and(|id| !site.has_center(id)) {
        found.value(path.of("center"), "it is not this center");
    }
    Some(channel)
}

/// The others have product and station selected by the site, which has then told where it could not.
fn names_its_product(source: Source) -> bool {
    matches!(source, Source::Own | Source::D1)
}

/// A required PIN that is absent is found before anything else of the card.
fn pin_is_there(file: &OrderFile, card: &CardFile, context: &Context, path: &Naming, found: &mut Findings) {
    let by_product =
        context.site.and_then(|site| site.product(&file.product.profile)).is_some_and(|it| it.pin_required);
    if card.pin.is_none() && (file.product.pin_required || by_product) {
        found.add(path.card("pin"), Code::OrderPin, "a card of this product must have its PIN set, and none is there");
    }
}

/// The product must be made here, and be what the order says of it; the keys it names must be here.
fn rule(file: &OrderFile, source: Source, context: &Context, path: &Naming, found: &mut Findings) -> Vec<KeyIndex> {
    let product = &file.product;
    if let Some(site) = context.site {
        match site.product(&product.profile) {
            None if product.profile.is_empty() && !names_its_product(source) => {}
            None => found.value(path.of("product.profile"), "no product of this name is made here"),
            Some(rule) => {
                if product.contactless.is_some_and(|wanted| wanted != rule.contactless) {
                    let what = if rule.contactless { "works" } else { "does not work" };
                    found.value(path.of("product.contactless"), format!("the product {what} without contacts"));
                }
                if product.applications.is_some_and(|wanted| wanted > rule.applications) {
                    found.value(path.of("product.applications"), "the product has not that many applications");
                }
            }
        }
    }
    let all = [
        (IndexUse::Oda, "product.oda_key", &product.oda_key, &[Purpose::IssuerRsa][..]),
        (IndexUse::Derivation, "product.derivation_key", &product.derivation_key, MASTERS),
        (IndexUse::Pv, "product.pv_key", &product.pv_key, &[Purpose::Pvk, Purpose::Pvk3624]),
        (IndexUse::Cv, "product.cv_key", &product.cv_key, &[Purpose::Cvk]),
    ];
    let mut keys = Vec::new();
    for (r#use, own, index, purposes) in all {
        let Some(index) = index else { continue };
        if !r::KEY_INDEX.accepts(index) {
            found.format(path.of(own), format!("it must be {}", r::KEY_INDEX.words));
            continue;
        }
        let names = context.site.map(|site| site.keys_of(r#use, index).unwrap_or_default());
        if names.is_some_and(<[String]>::is_empty) {
            found.value(path.of(own), "this site has no key of this index");
        }
        let names = names.unwrap_or_default();
        names.iter().for_each(|name| context.has_key(name, purposes, &path.of(own), found));
        keys.push(KeyIndex { r#use, index: index.clone(), names: names.to_vec() });
    }
    keys
}

const MASTERS: &[Purpose] =
    &[Purpose::ImkAc, Purpose::ImkSmc, Purpose::ImkSmi, Purpose::ImkDac, Purpose::ImkIdn, Purpose::ImkCvc];

fn pan(card: &CardFile, path: &Naming, found: &mut Findings) -> Option<Pan> {
    match Pan::parse(&card.pan) {
        Ok(pan) if pan.luhn_ok() => Some(pan),
        Ok(_) => {
            found.value(path.card("pan"), "its check digit is wrong");
            None
        }
        Err(error) => {
            found.format(path.card("pan"), error.to_string());
            None
        }
    }
}

/// Identifiers and PAN range by the site's catalogue. Returns what it adds for those who make the card.
fn catalogue(
    file: &OrderFile,
    source: Source,
    pan: Option<&Pan>,
    context: &Context,
    path: &Naming,
    found: &mut Findings,
) -> Vec<(&'static str, String)> {
    let Some(site) = context.site else { return Vec::new() };
    let Some(catalogue) = site.catalogue() else {
        found.warn(
            "site.catalogue",
            "the site has no [catalogue]: products, PAN ranges and service identifiers were not checked",
        );
        return Vec::new();
    };
    catalogue.check(file, source, pan, &|own| path.of(own), found)
}

/// Card verification values have as many digits as the scheme's have.
fn codes(card: &CardFile, scheme: Scheme, path: &Naming, found: &mut Findings) {
    let all = [
        ("cvv", &card.cvv, scheme.encoded_allowed()),
        ("icvv", &card.icvv, scheme.encoded_allowed()),
        ("cvv2", &card.cvv2, scheme.printed_allowed()),
        ("service_code", &card.service_code, &[3]),
    ];
    for (own, code, digits) in all {
        let Some(code) = code else { continue };
        if !code.bytes().all(|byte| byte.is_ascii_digit()) {
            found.format(path.card(own), "it must be digits");
        } else if !digits.contains(&code.len()) {
            let digits: Vec<String> = digits.iter().map(ToString::to_string).collect();
            found.value(path.card(own), format!("for this scheme it has {} digits", digits.join(" or ")));
        }
    }
}

/// A digit of the service code that has no meaning is told: a terminal may treat it in any way.
fn service_code(card: &CardFile, given: &tracks::Given, path: &Naming, found: &mut Findings) {
    let (own, code) = match (&card.service_code, &given.service_code) {
        (Some(code), _) => ("service_code", code),
        (None, Some(code)) => (if card.track1.is_some() { "track1" } else { "track2" }, code),
        (None, None) => return,
    };
    if let Some(message) = track::service_code_meaning(code) {
        found.warn(path.card(own), message);
    }
}

fn names(card: &CardFile, path: &Naming, found: &mut Findings) {
    let all = [
        ("name", Some(&card.name), &r::PRINTED),
        ("second_name", card.second_name.as_ref(), &r::PRINTED),
        ("encoded_name", card.encoded_name.as_ref(), &r::ENCODED),
        ("par", card.par.as_ref(), &r::PAR),
    ];
    for (own, text, rule) in all {
        if text.is_some_and(|text| !rule.accepts(text)) {
            found.format(path.card(own), format!("it must be {}", rule.words));
        }
    }
}

fn stripe_wanted(
    card: &CardFile,
    given: &tracks::Given,
    pan: Option<&Pan>,
    context: &Context,
    path: &Naming,
    found: &mut Findings,
) -> bool {
    let wanted = card.stripe || !given.tracks.is_empty();
    // A track needs a digit more than the shortest PAN has. // ISO/IEC 7813
    if wanted && pan.is_some_and(|pan| pan.digits().len() < 13) {
        found.value(path.card("pan"), "a card with a stripe needs a PAN of at least 13 digits");
    }
    if wanted && context.site.is_some_and(|site| !site.has_stripe()) {
        let own = if card.stripe { "stripe" } else { "track1" };
        found.value(path.card(own), "the card is to have a stripe, and this site has no way to write one");
    }
    wanted
}

fn blocks(card: &CardFile, path: &Naming, context: &Context, found: &mut Findings) -> Vec<TlvBlock> {
    if card.blocks.len() > 10 {
        found.format(path.card("blocks"), "at most 10 blocks are allowed");
    }
    let blocks = card.blocks.iter().enumerate().filter_map(|(at, block)| {
        let path = |own: &str| {
            let theirs = path.of(&format!("card.blocks[].{own}"));
            theirs.replacen("[]", &format!("[{at}]"), 1)
        };
        TlvBlock::read(block, &path, context, found)
    });
    blocks.collect()
}

/// 0000 is for orders that name no key to compute it with. // D1 cardData.pvv
fn pvv(card: &CardFile, product: &ProductFile, path: &Naming, found: &mut Findings) -> Pvv {
    if product.generate_pvv && product.pv_key.is_none() {
        found.value(path.of("product.generate_pvv"), "a PVV is asked for, and no key to compute it with is named");
    }
    match &card.pvv {
        Some(pvv) => {
            if !r::PVV.accepts(pvv) {
                found.format(path.card("pvv"), format!("it must be {}", r::PVV.words));
            }
            Pvv::Given(Secret::new(pvv.clone()))
        }
        None if product.pv_key.is_some() => Pvv::Computed,
        None => Pvv::Zero,
    }
}

/// 00 where it is absent. // D1 guide: PAN sequence number
fn psn(card: &CardFile, path: &Naming, found: &mut Findings) -> u8 {
    match &card.psn {
        None => 0,
        Some(psn) if r::PSN.accepts(psn) => psn.parse().unwrap_or(0),
        Some(_) => {
            found.format(path.card("psn"), format!("it must be {}", r::PSN.words));
            0
        }
    }
}

fn pin_length(product: &ProductFile, path: &Naming, found: &mut Findings) -> Option<u8> {
    let length = product.pin_length?;
    // ISO 9564-1 §7.1
    let fitting = u8::try_from(length).ok().filter(|length| (4..=12).contains(length));
    if fitting.is_none() {
        found.value(path.of("product.pin_length"), "a PIN has 4 to 12 digits");
    }
    fitting
}
