//! Pismo reissues: request and answer of the API, with the card's data.

use super::card_data::{card_of, counted, take_card};
use super::context::{Context, Paths};
use super::dates::{is_month, month_of};
use super::file::{IdentityFile, OrderFile, ProductFile, Values};
use super::json::Node;
use super::members::{leaves, option, text};
use super::pismo_shape::ENVELOPE;
use super::problem::Findings;
use super::site::Site;
use super::{Issuance, Source, shape};
use crate::base::emv::date;

/// What the envelope calls our paths.
pub(super) const PATHS: Paths = &[
    ("identity.issuer", "orgId"),
    ("identity.card", "cardId"),
    ("identity.operation", "operationId"),
    ("identity.received_at", "receivedAt"),
    ("station", "request.embossing_group"),
    ("channel", "request.embossing_group"),
    ("product.profile", "request.template_id"),
    ("product.contactless", "request.contactless_enabled"),
    ("product.applications", "request.mode_type"),
    ("product.pin_length", "request.pin_length"),
    ("product.generate_pvv", "request.generate_pvv"),
];

/// Reads an envelope into our own shape.
pub(super) fn read(node: &Node, context: &Context, found: &mut Findings) -> OrderFile {
    shape::object(node, ENVELOPE, "", found);
    let nothing = Node::Null;
    let (request, response) = (node.get("request").unwrap_or(&nothing), node.get("response").unwrap_or(&nothing));
    can_be_made(request, response, context.site, found);
    let reason = request.whole("reason_id");
    let issuance = reason.and_then(|id| context.site.map(|site| site.reason(id))).unwrap_or(Issuance::Replacement);
    let mut file = OrderFile {
        perso_order: 1,
        test: node.flag("test").unwrap_or(false),
        identity: IdentityFile {
            issuer: text(node, "orgId"),
            card: text(node, "cardId"),
            operation: text(node, "operationId"),
            received_at: text(node, "receivedAt"),
        },
        issuance: issuance.name().into(),
        channel: "instant".into(),
        product: product(request, response, found),
        report: report(node, request, response),
        fulfilment: leaves(request, &["embossing_group"], &[]),
        print: leaves(request, &["embossing_custom_field"], &[]),
        encrypted_data: option(node, "encryptedData"),
        ..OrderFile::default()
    };
    if file.print.is_empty() {
        file.print.extend(leaves(response, &["embossing_custom_field"], &[]));
    }
    if let Some(site) = context.site {
        select(&mut file, request, site, found);
    } else {
        found.skip("which product and station it is for: no site was given");
    }
    card(node, &mut file, context, found);
    merge(&mut file, request, response, found);
    validity(&file, request, response, found);
    file
}

/// What no card can be made of, with the reason.
fn can_be_made(request: &Node, response: &Node, site: Option<&Site>, found: &mut Findings) {
    for name in ["type", "card_type"] {
        if response.text(name).is_some_and(|kind| kind != "PLASTIC") {
            found.refuse(format!("response.{name}"), "only a PLASTIC card is a card that can be personalized");
        }
    }
    if response.get("type").is_none() && response.get("card_type").is_none() {
        found.format("response.type", "it is required: only a PLASTIC card can be personalized");
    }
    if let (Some(status), Some(site)) = (response.text("status"), site)
        && status != "UNNUMBERED"
        && !site.makes_status(status)
    {
        found.refuse("response.status", "cards of this status are not made here (card_status of the site)");
    }
    for (node, path) in [(request, "request.status"), (response, "response.status")] {
        if node.text("status") == Some("UNNUMBERED") {
            let why = "an UNNUMBERED card has neither PAN nor PIN yet; order it when the issuer has given them";
            found.refuse(path, why);
        }
    }
    // The published list of lengths is 4 and 6.
    if request.whole("pin_length") == Some(5) {
        found.value("request.pin_length", "it is neither 4 nor 6");
    }
}

fn product(request: &Node, response: &Node, found: &mut Findings) -> ProductFile {
    // MULTIPLE is the older word for a card with a credit and a debit application. // Pismo Mode
    let mode = response.text("mode").filter(|mode| ["COMBO", "MULTIPLE"].contains(mode));
    let combo = request.text("mode_type") == Some("COMBO") || mode.is_some();
    let single = request.text("mode_type") == Some("SINGLE");
    if let Some(mode) = mode.filter(|_| single) {
        found.value("response.mode", format!("the request asks for a single card, the answer tells of a {mode} card"));
    }
    let contactless = [request.flag("contactless_enabled"), response.flag("contactless_enabled")];
    if let [Some(asked), Some(told)] = contactless
        && asked != told
    {
        found.value("response.contactless_enabled", "it is not what the request asks for");
    }
    ProductFile {
        brand: option(request, "brand"),
        contactless: Some(contactless.into_iter().flatten().next().unwrap_or(true)),
        applications: combo.then_some(2),
        // The documented default.
        pin_length: Some(request.whole("pin_length").and_then(|it| u32::try_from(it).ok()).unwrap_or(4)),
        ..ProductFile::default()
    }
}

/// Brand, template and embossing group select product and station, as the site is configured.
fn select(file: &mut OrderFile, request: &Node, site: &Site, found: &mut Findings) {
    // What could not be read selects nothing, and was told of.
    if ["brand", "template_id", "embossing_group"].iter().any(|name| found.is_faulty(&format!("request.{name}"))) {
        return;
    }
    let (brand, template, group) =
        (request.text("brand"), request.text("template_id"), request.text("embossing_group"));
    let Some(rule) = site.select(Source::Pismo, brand, template, group) else {
        let path = if template.is_some() { "request.template_id" } else { "request.embossing_group" };
        return found.value(path, "this site has no product for this brand, template and embossing group");
    };
    let combo = file.product.applications == Some(2);
    let contactless = file.product.contactless == Some(true);
    let profile = match (combo, contactless) {
        (true, _) => rule.combo.as_ref(),
        (false, true) => Some(&rule.profile),
        (false, false) => rule.contact_only.as_ref(),
    };
    match profile {
        Some(profile) => file.product.profile.clone_from(profile),
        None if combo && request.text("mode_type") != Some("COMBO") => {
            found.value("response.mode", "no product with two applications is made here for it")
        }
        None if combo => found.value("request.mode_type", "no product with two applications is made here for it"),
        None => found.value("request.contactless_enabled", "no product without contactless is made here for it"),
    }
    file.station = Some(rule.station.clone());
    // The key is the site's: a reissue names none. Without the wish for a PVV none is computed.
    file.product.generate_pvv = request.flag("generate_pvv").unwrap_or(false);
    if file.product.generate_pvv {
        file.product.pv_key.clone_from(&rule.pv_key);
    }
}

fn report(node: &Node, request: &Node, response: &Node) -> Values {
    let mut report = leaves(node, &["customerId", "accountId", "x-idempotency-key"], &[]);
    report.extend(leaves(request, &["reason_id", "metadata", "update_tokens"], &[]));
    let answer = leaves(response, &["id", "program", "account", "customer", "org", "status", "stage"], &[]);
    report.0.extend(answer.0.iter().map(|(name, value)| (format!("response.{name}"), value.clone())));
    report
}

/// The card's data, clear or encrypted, in our own shape.
fn card(node: &Node, file: &mut OrderFile, context: &Context, found: &mut Findings) {
    if let Some(card) = node.get("card") {
        file.card = card_of(card, found);
        if file.card.is_none() {
            return;
        }
    }
    take_card(file, "card", "encryptedData", context, found);
}

/// Name, expiry, first day and reissue counter of the answer belong to the card; where both state them they agree.
fn merge(file: &mut OrderFile, request: &Node, response: &Node, found: &mut Findings) {
    let asked = request.text("expiration_date");
    let told = response.text("expiration_date");
    let Some(card) = &mut file.card else { return };
    for (path, text) in [("request.expiration_date", asked), ("response.expiration_date", told)] {
        let Some(text) = text else { continue };
        match month_of(text) {
            None => found.format(path, "it is neither YYMM nor a date of RFC 3339"),
            // The answer's expiry is the card's, if the card data leaves it to the answer.
            Some(month) if card.expiry.is_empty() => card.expiry = month,
            Some(month) if is_month(&card.expiry) && card.expiry != month => {
                found.value(path, "it is not the expiry of the card's data");
            }
            Some(_) => {}
        }
    }
    let readable =
        |node: &Node, path: &str| node.text("printed_name").filter(|_| !found.is_faulty(path)).map(str::to_owned);
    let names = [readable(request, "request.printed_name"), readable(response, "response.printed_name")];
    if let [Some(asked), Some(told)] = &names
        && asked != told
    {
        found.value("response.printed_name", "it is not the name that the request has");
    }
    if let Some(name) = names.into_iter().flatten().next() {
        card.name = name;
    }
    let track_number = response.whole("track_number");
    counted(&mut card.track_number, track_number, "response.track_number", "track number", found);
    if card.effective.is_none() {
        card.effective = first_day(response, &card.expiry, found);
    }
}

/// `valid_until`, and the hours that it is computed from, end after receipt and not after the expiry. // Pismo ValidUntil
fn validity(file: &OrderFile, request: &Node, response: &Node, found: &mut Findings) {
    let Ok(received) = file.identity.received_at.parse::<jiff::Timestamp>() else { return };
    let expiry = file.card.as_ref().and_then(|card| last_day(&card.expiry));
    let mut check = |path: &str, end: Option<jiff::Timestamp>| {
        let Some(end) = end else { return found.value(path, "not a moment that a card can be valid until") };
        if end <= received {
            found.value(path, "in the past: the card would not be valid any more when it is made");
        } else if expiry.is_some_and(|expiry| jiff::tz::Offset::UTC.to_datetime(end).date() > expiry) {
            found.value(path, "after the expiry of the card's data");
        }
    };
    for (node, part) in [(request, "request"), (response, "response")] {
        if let Some(hours) = node.whole("validity_period_hours").filter(|hours| *hours >= 0) {
            let span = jiff::Span::new().try_hours(hours).ok();
            check(&format!("{part}.validity_period_hours"), span.and_then(|span| received.checked_add(span).ok()));
        }
    }
    if let Some(text) = response.text("valid_until") {
        check("response.valid_until", text.parse().ok());
    }
}

/// The last day of a month YYMM.
fn last_day(yymm: &str) -> Option<jiff::civil::Date> {
    let (year, month) = yymm.split_at_checked(2).filter(|_| is_month(yymm))?;
    let year = i16::try_from(date::century(year.parse().ok()?)).ok()?;
    Some(jiff::civil::Date::new(year, month.parse().ok()?, 1).ok()?.last_of_month())
}

/// The day of issue, where it is one that a card of this expiry can have.
fn first_day(response: &Node, expiry: &str, found: &mut Findings) -> Option<String> {
    let path = "response.issuing_date";
    let text = response.text("issuing_date").filter(|_| !found.is_faulty(path))?;
    let day = text.parse::<jiff::Timestamp>().ok().and_then(|_| text.get(..10)).map(str::to_owned);
    match day.as_deref().and_then(month_of) {
        None => found.format(path, "not an RFC 3339 timestamp"),
        Some(first) if is_month(expiry) && first.as_str() > expiry => {
            found.value(path, "the card would become effective after it expires");
        }
        Some(_) => return day,
    }
    None
}
