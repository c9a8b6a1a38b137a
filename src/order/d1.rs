//! D1 orders: the envelope around a request, and the card data within its encrypted data.

use super::card_data::open_card;
use super::context::{Context, Paths};
use super::d1_shape::{CARD, ENVELOPE};
use super::file::{BlockFile, CardFile, IdentityFile, OrderFile, PinFile, ProductFile, Values};
use super::json::Node;
use super::members::{leaves, option, text};
use super::problem::Findings;
use super::shape;
use super::site::Site;

/// What D1 calls our paths.
pub(super) const PATHS: Paths = &[
    ("identity.issuer", "issuerId"),
    ("identity.card", "cardId"),
    ("identity.operation", "operationId"),
    ("identity.received_at", "receivedAt"),
    ("issuance", "body.services.issuance"),
    ("report.cardProductId", "body.cardProductId"),
    ("product.sample", "body.services.alphaCard"),
    ("fulfilment.priority", "body.services.priority"),
    ("fulfilment.delivery", "body.services.delivery"),
    ("fulfilment.packaging", "body.services.packaging"),
    ("fulfilment.cardCarrier", "body.services.cardCarrier"),
    ("fulfilment.packagingConfig.inserts[]", "body.packagingConfig.inserts[]"),
    ("print.cardDesign.artworkId", "body.cardDesign.artworkId"),
    ("channel", "body.distributionChannel"),
    ("station", "body.persoStation"),
    ("center", "body.persoCenter"),
    ("product.profile", "body.paymentApplication.config"),
    ("product.oda_key", "body.paymentApplication.odaKeyIndex"),
    ("product.derivation_key", "body.paymentApplication.derivationKeyIndex"),
    ("product.pv_key", "body.paymentApplication.pvKeyIndex"),
    ("product.cv_key", "body.paymentApplication.cvKeyIndex"),
    ("card.pan", "cardData.pan"),
    ("card.psn", "cardData.panSequenceNumber"),
    ("card.expiry", "cardData.exp"),
    ("card.effective", "cardData.effectiveDate"),
    ("card.name", "cardData.name"),
    ("card.second_name", "cardData.secondName"),
    ("card.encoded_name", "cardData.encodedName"),
    ("card.cvv", "cardData.cvv1"),
    ("card.cvv2", "cardData.cvv2"),
    ("card.icvv", "cardData.icvv"),
    ("card.pvv", "cardData.pvv"),
    ("card.track1", "cardData.trackData.track1"),
    ("card.track2", "cardData.trackData.track2"),
    ("card.track3", "cardData.trackData.track3"),
    ("card.stripe", "cardData.cardProductionType"),
    ("card.par", "cardData.paymentAccountReference"),
    ("card.pin", "cardData.pin"),
    ("card.pin.form", "cardData.pin.type"),
    ("card.pin.block", "cardData.pin.encryptedPin"),
    ("card.pin.kid", "cardData.pin.kid"),
    ("card.pin.transport_key", "cardData.pin.transportKeyValue"),
    ("card.pin.transport_kcv", "cardData.pin.transportKeyKCV"),
    ("card.blocks", "cardData.applications"),
    ("card.blocks[].aid", "cardData.applications[].appletAid"),
    ("card.blocks[].size", "cardData.applications[].appletDataLength"),
    ("card.blocks[].start_code", "cardData.applications[].appletStartCode"),
    ("card.blocks[].kek", "cardData.applications[].kekId"),
    ("card.blocks[].mac_key", "cardData.applications[].macKey"),
    ("card.blocks[].length", "cardData.applications[].tlvDataLength"),
    ("card.blocks[].data", "cardData.applications[].tlvData"),
    ("card.blocks[].mac", "cardData.applications[].mac"),
];

/// Reads an envelope into our own shape.
pub(super) fn read(node: &Node, context: &Context, found: &mut Findings) -> OrderFile {
    shape::object(node, ENVELOPE, "", found);
    let nothing = Node::Null;
    let body = node.get("body").unwrap_or(&nothing);
    carrier_has_an_address(body, found);
    carrier_of_several_cards(body, found);
    inserts_are_unique(body, found);
    registration(body, context, found);
    let services = body.get("services").unwrap_or(&nothing);
    let mut file = OrderFile {
        perso_order: 1,
        identity: IdentityFile {
            issuer: text(node, "issuerId"),
            card: text(node, "cardId"),
            operation: text(node, "operationId"),
            received_at: text(node, "receivedAt"),
        },
        issuance: issuance(services, context, found),
        issuance_word: option(services, "issuance"),
        channel: match body.text("distributionChannel") {
            Some("THALES") => "factory".into(),
            Some("INSTANT") => "instant".into(),
            Some("CENTRAL") => "central".into(),
            _ => String::new(),
        },
        station: option(body, "persoStation"),
        center: option(body, "persoCenter"),
        product: product(body, services),
        print: leaves(body, &["cardDesign"], &[]),
        fulfilment: fulfilment(body, services),
        report: leaves(body, &["consumerId", "cardProductId", "issuerRequestId"], &[]),
        ..OrderFile::default()
    };
    if let Some(opened) =
        body.text("encryptedData").and_then(|text| open_card(text, "body.encryptedData", context, found))
    {
        shape::object(&opened.node, CARD, "cardData", found);
        file.test = opened.test;
        file.card = Some(card(&opened.node));
    }
    file
}

fn product(body: &Node, services: &Node) -> ProductFile {
    let nothing = Node::Null;
    let payment = body.get("paymentApplication").unwrap_or(&nothing);
    ProductFile {
        profile: text(payment, "config"),
        sample: services.flag("alphaCard").unwrap_or(false),
        oda_key: option(payment, "odaKeyIndex"),
        derivation_key: option(payment, "derivationKeyIndex"),
        pv_key: option(payment, "pvKeyIndex"),
        cv_key: option(payment, "cvKeyIndex"),
        ..ProductFile::default()
    }
}

/// Everything about making, packing and sending, with the documented defaults.
fn fulfilment(body: &Node, services: &Node) -> Values {
    let mut values = leaves(body, &["cardCarrierConfig", "packagingConfig", "shipment"], &["line4"]);
    values.extend(leaves(services, &["priority", "delivery", "packaging", "cardCarrier", "pinMailer"], &[]));
    for (name, default) in
        [("delivery", "NO_SHIPMENT"), ("packaging", "NO_PACK"), ("cardCarrier", "NO_CARRIER"), ("pinMailer", "false")]
    {
        values.0.entry(name.into()).or_insert_with(|| default.into());
    }
    values
}

/// A carrier in a bulk shipment is addressed to the consumer. // D1 shipmentBulk.individualAddress
fn carrier_has_an_address(body: &Node, found: &mut Findings) {
    let carrier = body.get("services").and_then(|services| services.text("cardCarrier"));
    let Some(shipment) = body.get("shipment").filter(|it| it.text("type") == Some("BULK")) else { return };
    if carrier.is_some_and(|name| name != "NO_CARRIER") && shipment.get("individualAddress").is_none() {
        found.format("body.shipment.individualAddress", "it is required for a card carrier in a bulk shipment");
    }
}

/// The kind of issuance that the site's catalogue gives a word, or without a catalogue the word itself.
fn issuance(services: &Node, context: &Context, found: &mut Findings) -> String {
    let Some(word) = services.text("issuance") else { return String::new() };
    let Some(catalogue) = context.site.and_then(Site::catalogue) else { return word.to_ascii_lowercase() };
    match catalogue.issuance(word) {
        Some(kind) => kind.name().into(),
        None => {
            found.value("body.services.issuance", "not listed in the site's catalogue.issuance");
            String::new()
        }
    }
}

/// The order of a card on a carrier means something only among cards with one `multiCardId`. // D1 cardCarrierConfig
fn carrier_of_several_cards(body: &Node, found: &mut Findings) {
    let Some(carrier) = body.get("cardCarrierConfig") else { return };
    if carrier.get("multiCardOrder").is_some() && carrier.get("multiCardId").is_none() {
        found.format("body.cardCarrierConfig.multiCardId", "required together with multiCardOrder");
    }
}

/// Each insert is a unique identifier. // D1 packagingConfig.inserts
fn inserts_are_unique(body: &Node, found: &mut Findings) {
    let Some(packaging) = body.get("packagingConfig") else { return };
    let inserts: Vec<Option<&str>> = packaging.list("inserts").iter().map(Node::as_text).collect();
    for (at, insert) in inserts.iter().enumerate() {
        if insert.is_some() && inserts.iter().take(at).any(|earlier| earlier == insert) {
            found.warn(
                format!("body.packagingConfig.inserts[{at}]"),
                "repeats an earlier insert; name each insert once",
            );
        }
    }
}

/// Consumer and product are mandatory for implicit registration. // D1 cardRequest
fn registration(body: &Node, context: &Context, found: &mut Findings) {
    if !context.site.is_some_and(Site::registers) {
        return;
    }
    for name in ["consumerId", "cardProductId"] {
        if body.get(name).is_none() {
            found.format(format!("body.{name}"), "required: this site has implicit_registration = true");
        }
    }
}

/// The card data in our own shape. What is absent or of another form was found before.
fn card(node: &Node) -> CardFile {
    let nothing = Node::Null;
    let tracks = node.get("trackData").unwrap_or(&nothing);
    CardFile {
        pan: text(node, "pan"),
        psn: option(node, "panSequenceNumber"),
        expiry: node.text("exp").and_then(year_first).unwrap_or_default(),
        expiry_rule: None,
        old_expiry: None,
        effective: option(node, "effectiveDate"),
        name: text(node, "name"),
        second_name: option(node, "secondName"),
        encoded_name: option(node, "encodedName"),
        pin: node.get("pin").map(pin),
        cvv: option(node, "cvv1"),
        cvv2: option(node, "cvv2"),
        icvv: option(node, "icvv"),
        pvv: option(node, "pvv"),
        track1: option(tracks, "track1"),
        track2: option(tracks, "track2"),
        track3: option(tracks, "track3"),
        service_code: None,
        plastic_sequence: None,
        track_number: None,
        stripe: node.get("cardProductionType").is_some(),
        par: option(node, "paymentAccountReference"),
        blocks: node.list("applications").iter().map(block).collect(),
    }
}

/// MMYY in the order, YYMM on the tracks and in the chip.
fn year_first(month_first: &str) -> Option<String> {
    month_first.split_at_checked(2).map(|(month, year)| format!("{year}{month}"))
}

fn pin(node: &Node) -> PinFile {
    PinFile {
        form: text(node, "type"),
        block: text(node, "encryptedPin"),
        kid: text(node, "kid"),
        transport_key: option(node, "transportKeyValue"),
        transport_kcv: option(node, "transportKeyKCV"),
    }
}

fn block(node: &Node) -> BlockFile {
    BlockFile {
        aid: option(node, "appletAid"),
        size: option(node, "appletDataLength"),
        start_code: option(node, "appletStartCode"),
        kek: text(node, "kekId"),
        mac_key: text(node, "macKey"),
        length: option(node, "tlvDataLength"),
        data: text(node, "tlvData"),
        mac: text(node, "mac"),
    }
}
