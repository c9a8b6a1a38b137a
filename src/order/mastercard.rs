//! Mastercard-shaped orders: what the API's reissue and the personalization file have in common. The file's own schema
//! is agreed at onboarding and not public.

use super::card_data::{card_of, counted, take_card};
use super::context::{Context, Paths};
use super::dates::{is_month, month_of};
use super::file::{IdentityFile, OrderFile, ProductFile};
use super::json::Node;
use super::members::{leaves, option, text};
use super::problem::Findings;
use super::rules as r;
use super::shape::{self, Field, Kind, may, must};
use super::{Issuance, Source};

/// What the envelope calls our paths.
pub(super) const PATHS: Paths = &[
    ("identity.issuer", "issuerId"),
    ("identity.card", "cardContractId"),
    ("identity.operation", "operationId"),
    ("identity.received_at", "receivedAt"),
    ("issuance", "request.reissueType"),
    ("station", "productCode"),
    ("channel", "productCode"),
    ("product.profile", "productCode"),
    ("card.name", "client.lastName"),
];

/// Most characters of a printed line. // Mastercard Processing: embossing lines
const LINE: usize = 26;

static ENVELOPE: &[Field] = &[
    must("perso_mastercard", Kind::Whole(1, 1)),
    may("test", Kind::Flag),
    must("issuerId", Kind::Text(&r::NAME_64)),
    must("cardContractId", Kind::Text(&r::NAME_64)),
    must("operationId", Kind::Text(&r::NAME_64)),
    must("receivedAt", Kind::Text(&r::MOMENT)),
    may("productCode", Kind::Text(&r::NAME_64)),
    must("productionStatus", Kind::Text(&r::NAME_64)),
    must("request", Kind::Object(&[must("reissueType", Kind::Text(&r::NAME_64))])),
    must("response", Kind::Object(RESPONSE)),
    must("client", Kind::Object(CLIENT)),
    may("card", Kind::Anything(usize::MAX)),
    may("encryptedData", Kind::Text(&r::JWE)),
];

static RESPONSE: &[Field] = &[
    // Without it the card's data state the expiry, or the old one for the product's rule.
    may("newCardExpiryDate", Kind::Text(&r::ANY_TEXT)),
    must("plasticId", Kind::Text(&r::NAME_64)),
    must("newSequenceNumber", Kind::Whole(0, 999)),
];

static CLIENT: &[Field] = &[
    may("title", Kind::Text(&r::MASTERCARD_NAME)),
    must("firstName", Kind::Text(&r::MASTERCARD_NAME)),
    must("lastName", Kind::Text(&r::MASTERCARD_NAME)),
    may("companyName", Kind::Text(&r::MASTERCARD_NAME)),
    must("addressLine1", Kind::Text(&r::ADDRESS)),
    may("addressLine2", Kind::Text(&r::ADDRESS)),
    may("addressLine3", Kind::Text(&r::ADDRESS)),
    must("postalCode", Kind::Text(&r::ZIP)),
    must("city", Kind::Text(&r::CITY)),
    must("country", Kind::Text(&r::ANY_TEXT)),
];

/// Reads an envelope into our own shape.
pub(super) fn read(node: &Node, context: &Context, found: &mut Findings) -> OrderFile {
    shape::object(node, ENVELOPE, "", found);
    let nothing = Node::Null;
    let member = |name| node.get(name).unwrap_or(&nothing);
    let (request, response, client) = (member("request"), member("response"), member("client"));
    let mut file = OrderFile {
        perso_order: 1,
        test: node.flag("test").unwrap_or(false),
        identity: IdentityFile {
            issuer: text(node, "issuerId"),
            card: text(node, "cardContractId"),
            operation: text(node, "operationId"),
            received_at: text(node, "receivedAt"),
        },
        issuance: issuance(request, found).map_or_else(String::new, |it| it.name().into()),
        channel: "instant".into(),
        // The PIN must be set before a card is ordered. // Order a physical card, note
        product: ProductFile { brand: Some("MASTERCARD".into()), pin_required: true, ..ProductFile::default() },
        fulfilment: leaves(node, &["client"], &["title", "firstName", "lastName", "companyName"]),
        report: leaves(response, &["plasticId"], &[]),
        encrypted_data: option(node, "encryptedData"),
        ..OrderFile::default()
    };
    marked(node, found);
    select(node, &mut file, context, found);
    if let Some(card) = node.get("card") {
        file.card = card_of(card, found);
        if file.card.is_none() {
            return file;
        }
    }
    take_card(&mut file, "card", "encryptedData", context, found);
    merge(&mut file, response, client, found);
    file
}

fn issuance(request: &Node, found: &mut Findings) -> Option<Issuance> {
    let path = "request.reissueType";
    match request.text("reissueType") {
        Some("REISSUE" | "REPLACE") => Some(Issuance::Replacement),
        Some("RENEW") => Some(Issuance::Renewal),
        Some("REPRINT") => {
            found.refuse(path, "it asks for a PIN mailer only, no card");
            None
        }
        Some(word) if word.ends_with("_D") => {
            found.refuse(path, "it asks for a digital card, which has no plastic");
            None
        }
        Some(_) => {
            found.value(path, "must be REISSUE, RENEW or REPLACE");
            None
        }
        None => None,
    }
}

fn marked(node: &Node, found: &mut Findings) {
    if node.text("productionStatus").is_some_and(|status| status != "Marked") {
        found.refuse("productionStatus", "only a card contract that is Marked is to be produced");
    }
}

fn select(node: &Node, file: &mut OrderFile, context: &Context, found: &mut Findings) {
    let Some(site) = context.site else {
        found.skip("which product and station it is for: no site was given");
        return;
    };
    match site.select(Source::Mastercard, Some("MASTERCARD"), node.text("productCode"), None) {
        Some(rule) => {
            file.product.profile.clone_from(&rule.profile);
            file.station = Some(rule.station.clone());
            file.product.pv_key.clone_from(&rule.pv_key);
        }
        None => found.value("productCode", "this site has no product for it"),
    }
}

/// Names, expiry and plastic sequence belong to the card.
fn merge(file: &mut OrderFile, response: &Node, client: &Node, found: &mut Findings) {
    let Some(card) = &mut file.card else { return };
    let parts = [client.text("title"), client.text("firstName"), client.text("lastName")];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
    if name.len() > LINE {
        found
            .format("client.lastName", format!("title, first and last name have more than {LINE} characters together"));
    }
    card.name = name;
    // Without a company the second line is what the card's data has, if anything.
    if let Some(company) = client.text("companyName") {
        card.second_name = Some(company.to_ascii_uppercase());
    } else if let Some(line) = &mut card.second_name {
        if line.chars().count() > LINE {
            found.format("card.second_name", format!("a line has at most {LINE} characters"));
        }
        line.make_ascii_uppercase();
    }
    let path = "response.newSequenceNumber";
    // Issuing a Card: a virtual card has plastic sequence 1, its first physical card 2.
    if response.whole("newSequenceNumber").is_some_and(|number| (0..2).contains(&number)) {
        found.value(path, "must be 2 or more: 1 is the virtual card, which has no plastic");
    }
    counted(&mut card.plastic_sequence, response.whole("newSequenceNumber"), path, "plastic sequence", found);
    match response.text("newCardExpiryDate").map(month_of) {
        Some(None) => found.format("response.newCardExpiryDate", "it is neither YYMM nor a date"),
        // The answer's expiry is the card's, if the card data leaves it to the answer.
        Some(Some(month)) if card.expiry.is_empty() => card.expiry = month,
        Some(Some(month)) if is_month(&card.expiry) && month != card.expiry => {
            found.value("response.newCardExpiryDate", "it is not the expiry of the card's data");
        }
        _ => {}
    }
}
