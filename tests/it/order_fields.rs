//! `docs/fields.md`: every published property has one destination there, and changing it changes that part of an order
//! and no other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use std::collections::{BTreeMap, BTreeSet};

use order_support::{checked, envelope, sample};
use perso::issuance::jobs::{Fulfilment, ReportBack};
use perso::order::rules::RULES;
use serde_json::{Value, json};

const PLACES: [&str; 8] = ["chip", "stripe", "print", "fulfilment", "report", "members", "ignored", "answer"];

/// Property, destination, note.
fn table() -> Vec<(String, String, String)> {
    let text = include_str!("../../docs/fields.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cell = |line: &str, at: usize| line.split('|').nth(at).unwrap().trim().replace('`', "");
    rows.map(|line| (cell(line, 1), cell(line, 2), cell(line, 3))).collect()
}

#[test]
fn every_published_property_has_one_destination() {
    let published: Vec<&str> = include_str!("../upstream/properties.txt").lines().collect();
    let rows = table();
    for property in &published {
        let found = rows.iter().filter(|(own, _, _)| own == property).count();
        assert_eq!(found, 1, "{property}");
    }
    assert_eq!(rows.len(), published.len());
    for (property, place, note) in &rows {
        assert!(PLACES.contains(&place.as_str()), "{property}: {place}");
        assert!(place != "ignored" || !note.is_empty(), "{property} is ignored without a reason");
    }
}

#[test]
fn every_published_pattern_is_used_anchored_and_compiles() {
    let published: Vec<String> = serde_json::from_str(include_str!("../upstream/patterns.json")).unwrap();
    for pattern in &published {
        assert!(RULES.iter().any(|(_, rule)| rule.published == pattern), "{pattern} is not used");
    }
    for (name, rule) in RULES {
        assert!(rule.compiles(), "{name}");
        assert!(rule.used.starts_with('^') && rule.used.ends_with('$'), "{name} is not anchored");
        let known = rule.published.is_empty() || published.iter().any(|pattern| pattern == rule.published);
        assert!(known, "{name} states a pattern that is not published");
        assert!(!rule.accepts("\n") && !rule.accepts("<|>\u{0}"), "{name}");
    }
}

/// What unanchored and misread patterns would let through.
#[test]
fn rules_accept_whole_texts_only() {
    let rule = |name: &str| RULES.iter().find(|(own, _)| *own == name).unwrap().1;
    for name in ["CONSUMER_THALES", "PRODUCT_THALES"] {
        assert!(rule(name).accepts("consumer-1"));
        assert!(!rule(name).accepts("consumer-1; and more") && !rule(name).accepts("consumer-1\n"));
    }
    assert!(rule("LINE").accepts(&"ä".repeat(256)) && !rule("LINE").accepts(&"ä".repeat(257)));
    assert!(rule("IMAGE").accepts("a-b_c.d/e\\f") && !rule("IMAGE").accepts("a b"));
    // A digit is one of ten, whatever Unicode counts as one.
    assert!(!rule("PAN").accepts("476173900101\u{0661}119") && !rule("CVV2").accepts("12\u{0663}"));
    assert!(rule("EMAIL").accepts("jane@bank.example") && !rule("EMAIL").accepts("jane@bank"));
}

/// The values of an order by part.
fn parts(order: &Value) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let checked = checked(order);
    assert!(checked.problems.is_empty() && checked.skipped.is_empty(), "{:?} {:?}", checked.problems, checked.skipped);
    let mut parts: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    checked.order.unwrap().walk(&mut |part, name, value| {
        parts.entry(part.name().into()).or_default().insert((name.into(), value.into()));
    });
    parts
}

/// What becomes of the order in a file of jobs, but for what its record says.
fn handed_over(order: &Value) -> Value {
    let order = checked(order).order.unwrap();
    json!({"fulfilment": Fulfilment::of(&order), "report": ReportBack::of(&order)})
}

/// One order with everything in it, by document and variant, and how to send it.
struct Base {
    body: Value,
    card: Value,
}

fn d1(channel: &str, shipment: &str, pin: &str) -> Base {
    let mut body: Value = serde_json::from_str(&sample("d1-everything.body.json")).unwrap();
    let card: Value = serde_json::from_str(&sample("d1-everything.card.json")).unwrap();
    body["distributionChannel"] = channel.into();
    let members = body.as_object_mut().unwrap();
    match channel {
        "INSTANT" => ["persoCenter", "shipment", "issuerRequestId", "packagingConfig"].as_slice(),
        "CENTRAL" => &["persoStation", "issuerRequestId", "packagingConfig"],
        _ => &["persoStation", "persoCenter"],
    }
    .iter()
    .for_each(|name| drop(members.remove(*name)));
    if shipment == "INDIVIDUAL" && channel != "INSTANT" {
        body["shipment"]["type"] = "INDIVIDUAL".into();
        for name in ["individualAddress", "groupId", "orderId"] {
            body["shipment"].as_object_mut().unwrap().remove(name);
        }
    }
    let mut base = Base { body, card };
    base.card["pin"] = match pin {
        "ISO0" => json!({"type": "ISO0", "encryptedPin": "0123456789ABCDEF", "kid": "1"}),
        "ISO4" => json!({"type": "ISO4", "encryptedPin": "00112233445566778899AABBCCDDEEFF", "kid": "3"}),
        _ => json!({
            "type": "ISO0TK", "encryptedPin": "0123456789ABCDEF", "kid": "2",
            "transportKeyValue": "00112233445566778899AABBCCDDEEFF", "transportKeyKCV": "08D7B4",
        }),
    };
    base
}

impl Base {
    fn order(&self) -> Value {
        envelope(&self.body, &self.card)
    }
}

/// Changes what stands at the pointers; null takes it away.
fn changed(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, new) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = value.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        match (parent, new) {
            (Value::Object(members), Value::Null) => drop(members.remove(name)),
            (Value::Object(members), new) => drop(members.insert(name.into(), new.clone())),
            (Value::Array(values), new) => values[name.parse::<usize>().unwrap()] = new.clone(),
            _ => panic!("{pointer}"),
        }
    }
    value
}

/// The parts that differ.
fn differing(one: &Value, other: &Value) -> Vec<String> {
    let (one, other) = (parts(one), parts(other));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

struct Canaries {
    seen: BTreeSet<String>,
    rows: BTreeMap<String, String>,
}

impl Canaries {
    fn new() -> Self {
        Self { seen: BTreeSet::new(), rows: table().into_iter().map(|(name, place, _)| (name, place)).collect() }
    }

    /// Sends the order as it is and with the changes; what differs must be the property's destination.
    fn send(&mut self, property: &str, order: &Value, other: &Value) {
        let place = self.rows.get(property).unwrap_or_else(|| panic!("{property} is not in docs/fields.md"));
        let expected: Vec<String> = if place == "ignored" { Vec::new() } else { vec![place.clone()] };
        assert_ne!(order, other, "{property}: nothing was changed");
        assert_eq!(differing(order, other), expected, "{property}");
        // What is written for others holds it too, in its own part, and nothing of other destinations.
        let (before, after) = (handed_over(order), handed_over(other));
        for part in ["fulfilment", "report"] {
            assert_eq!(before[part] != after[part], place == part, "{property}: {part}");
        }
        self.seen.insert(property.to_owned());
    }

    /// Every property of the document that can change an order was sent.
    fn all_of(&self, document: &str, but: &[&str]) {
        let start = format!("{document} ");
        for (property, place) in self.rows.iter().filter(|(name, _)| name.starts_with(&start)) {
            let sent = self.seen.contains(property);
            let exempt = ["members", "answer"].contains(&place.as_str()) || but.contains(&property.as_str());
            assert!(sent != exempt, "{property}: sent {sent}, {place}");
        }
    }
}

#[test]
fn each_property_of_a_d1_order_reaches_its_destination_only() {
    let mut canaries = Canaries::new();
    for (channel, schema) in
        [("THALES", "cardRequestThales"), ("INSTANT", "cardRequestInstant"), ("CENTRAL", "cardRequestCentral")]
    {
        let base = d1(channel, "BULK", "ISO0");
        let mut fields = vec![
            ("consumerId", json!("canary-1")),
            ("cardProductId", json!("canary-2")),
            ("state", json!("SUSPENDED")),
            ("oldCardId", json!("canary-3")),
        ];
        match channel {
            "THALES" => fields.push(("issuerRequestId", json!("canary-4"))),
            "INSTANT" => fields.push(("persoStation", json!("station-2"))),
            _ => fields.push(("persoCenter", Value::Null)),
        }
        for (name, value) in fields {
            let body = changed(base.body.clone(), &[(&format!("/{name}"), value)]);
            canaries.send(&format!("d1-order {schema}.{name}"), &base.order(), &envelope(&body, &base.card));
        }
    }
    // The channel cannot be changed without what belongs to it.
    let mut central = d1("CENTRAL", "BULK", "ISO0");
    central.body.as_object_mut().unwrap().remove("persoCenter");
    let thales = changed(central.body.clone(), &[("/distributionChannel", "THALES".into())]);
    let instant = changed(
        central.body.clone(),
        &[
            ("/distributionChannel", "INSTANT".into()),
            ("/shipment", Value::Null),
            ("/persoStation", "station-1".into()),
        ],
    );
    for (schema, body) in
        [("cardRequestThales", &thales), ("cardRequestCentral", &thales), ("cardRequestInstant", &instant)]
    {
        let property = format!("d1-order {schema}.distributionChannel");
        canaries.send(&property, &central.order(), &envelope(body, &central.card));
    }
    let base = d1("THALES", "BULK", "ISO0");
    for (property, pointer, value) in d1_fields() {
        let body = changed(base.body.clone(), &[(pointer, value)]);
        canaries.send(&format!("d1-order {property}"), &base.order(), &envelope(&body, &base.card));
    }
    for schema in ["shipmentIndividual", "shipmentBulk"] {
        let property = format!("d1-order {schema}.type");
        canaries.send(&property, &base.order(), &d1("THALES", "INDIVIDUAL", "ISO0").order());
    }
    let operation = changed(base.order(), &[("/operationId", "canary-5".into())]);
    let same = changed(operation.clone(), &[("/operationId", "operation-1".into())]);
    canaries.send("d1-order cardOperationResponse.operationId", &same, &operation);
    canaries.all_of("d1-order", &[]);
}

fn d1_fields() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("services.issuance", "/services/issuance", "RENEWAL".into()),
        ("services.priority", "/services/priority", "CANARY".into()),
        ("services.delivery", "/services/delivery", "CANARY".into()),
        ("services.packaging", "/services/packaging", "CANARY".into()),
        ("services.cardCarrier", "/services/cardCarrier", "CANARY".into()),
        ("services.pinMailer", "/services/pinMailer", true.into()),
        ("services.alphaCard", "/services/alphaCard", true.into()),
        ("cardDesign.images", "/cardDesign/images/0", "canary".into()),
        ("cardDesign.customLines", "/cardDesign/customLines/0", "canary".into()),
        ("cardDesign.cardImage", "/cardDesign/cardImage", "canary".into()),
        ("cardDesign.artworkId", "/cardDesign/artworkId", "canary".into()),
        ("cardDesign.memberId", "/cardDesign/memberId", "canary".into()),
        ("paymentApplication.config", "/paymentApplication/config", "dual-interface-scp03".into()),
        ("paymentApplication.odaKeyIndex", "/paymentApplication/odaKeyIndex", "02".into()),
        ("paymentApplication.derivationKeyIndex", "/paymentApplication/derivationKeyIndex", "02".into()),
        ("paymentApplication.pvKeyIndex", "/paymentApplication/pvKeyIndex", "02".into()),
        ("paymentApplication.cvKeyIndex", "/paymentApplication/cvKeyIndex", "02".into()),
        ("cardCarrierConfig.language", "/cardCarrierConfig/language", "FR".into()),
        ("cardCarrierConfig.images", "/cardCarrierConfig/images/0", "canary".into()),
        ("cardCarrierConfig.customLines", "/cardCarrierConfig/customLines/0", "canary".into()),
        ("cardCarrierConfig.multiCardId", "/cardCarrierConfig/multiCardId", "canary".into()),
        ("cardCarrierConfig.multiCardOrder", "/cardCarrierConfig/multiCardOrder", "77".into()),
        ("packagingConfig.inserts", "/packagingConfig/inserts/0", "canary".into()),
        ("shipmentBulk.groupId", "/shipment/groupId", "canary".into()),
        ("shipmentBulk.orderId", "/shipment/orderId", "canary".into()),
        ("address.title", "/shipment/deliveryAddress/title", "canary".into()),
        ("address.firstName", "/shipment/deliveryAddress/firstName", "canary".into()),
        ("address.lastName", "/shipment/individualAddress/lastName", "canary".into()),
        ("address.companyName", "/shipment/deliveryAddress/companyName", "canary".into()),
        ("address.line1", "/shipment/individualAddress/line1", "canary".into()),
        ("address.line2", "/shipment/deliveryAddress/line2", "canary".into()),
        ("address.line3", "/shipment/deliveryAddress/line3", "canary".into()),
        ("address.line4", "/shipment/deliveryAddress/line4", "canary".into()),
        ("address.city", "/shipment/deliveryAddress/city", "canary".into()),
        ("address.state", "/shipment/deliveryAddress/state", "canary".into()),
        ("address.zipCode", "/shipment/deliveryAddress/zipCode", "CANARY".into()),
        ("address.countryCode", "/shipment/deliveryAddress/countryCode", "QQ".into()),
        ("address.email", "/shipment/deliveryAddress/email", "canary@bank.example".into()),
        (
            "address.mobilePhoneNumber.countryCode",
            "/shipment/deliveryAddress/mobilePhoneNumber/countryCode",
            "+999".into(),
        ),
        (
            "address.mobilePhoneNumber.phoneNumber",
            "/shipment/deliveryAddress/mobilePhoneNumber/phoneNumber",
            "999".into(),
        ),
    ]
}

#[test]
fn each_property_of_the_card_data_reaches_its_destination_only() {
    let mut canaries = Canaries::new();
    let mut plain = d1("INSTANT", "", "ISO0");
    plain.card.as_object_mut().unwrap().remove("trackData");
    let whole = d1("INSTANT", "", "ISO0");
    // Without tracks: PAN and expiry stand on them too, and must be equal there.
    let fields: Vec<(&str, &Base, &str, Value)> = vec![
        ("pan", &plain, "/pan", "4000000000000002".into()),
        ("exp", &plain, "/exp", "0131".into()),
        ("name", &whole, "/name", "CANARY".into()),
        ("secondName", &whole, "/secondName", "CANARY".into()),
        ("cvv2", &whole, "/cvv2", "987".into()),
        ("icvv", &whole, "/icvv", "987".into()),
        ("panSequenceNumber", &whole, "/panSequenceNumber", "77".into()),
        ("effectiveDate", &whole, "/effectiveDate", "2026-12-25".into()),
        ("trackData.track1", &whole, "/trackData/track1", "%B4761739001010119^DOE/JANE^301220109CANARY?".into()),
        ("trackData.track2", &whole, "/trackData/track2", ";4761739001010119=3012201987?".into()),
        ("trackData.track3", &whole, "/trackData/track3", ";4761739001010119=987?".into()),
        ("cvv1", &whole, "/cvv1", "987".into()),
        ("pvv", &whole, "/pvv", "9876".into()),
        ("encodedName", &plain, "/encodedName", "CANARY/C".into()),
        ("paymentAccountReference", &whole, "/paymentAccountReference", "CANARY00000000000000000000000".into()),
        ("cardProductionType", &plain, "/cardProductionType", Value::Null),
    ];
    for (name, base, pointer, value) in fields {
        let card = changed(base.card.clone(), &[(pointer, value)]);
        canaries.send(&format!("d1-card cardData.{name}"), &base.order(), &envelope(&base.body, &card));
    }
    let pins = [
        ("pinblock3DESISO0", "ISO0", "4", "FEDCBA9876543210", "ISO4"),
        ("pinblock3DESISO0TK", "ISO0TK", "5", "FEDCBA9876543210", "ISO0"),
        ("pinblockAESISO4", "ISO4", "6", "FFEEDDCCBBAA99887766554433221100", "ISO0"),
    ];
    for (schema, form, kid, block, other) in pins {
        let base = d1("INSTANT", "", form);
        let mut fields = vec![("encryptedPin", block), ("kid", kid)];
        if form == "ISO0TK" {
            fields.extend([("transportKeyValue", "FFEEDDCCBBAA99887766554433221100"), ("transportKeyKCV", "FFEEDD")]);
        }
        for (name, value) in fields {
            let card = changed(base.card.clone(), &[(&format!("/pin/{name}"), value.into())]);
            canaries.send(&format!("d1-card {schema}.{name}"), &base.order(), &envelope(&base.body, &card));
        }
        canaries.send(&format!("d1-card {schema}.type"), &base.order(), &d1("INSTANT", "", other).order());
    }
    let block = [
        ("appletAid", json!("A0000009990199")),
        ("appletDataLength", json!("999")),
        ("appletStartCode", json!("CAFE")),
        ("kekId", json!("2")),
        ("macKey", json!("CAFECAFECAFECAFE")),
        ("tlvData", json!("CAFECAFE0102")),
        ("mac", json!("CAFECAFE")),
        ("tlvDataLength", Value::Null),
    ];
    for (name, value) in block {
        let card = changed(whole.card.clone(), &[(&format!("/applications/0/{name}"), value)]);
        canaries.send(&format!("d1-card tlvBlock.{name}"), &whole.order(), &envelope(&whole.body, &card));
    }
    canaries.all_of("d1-card", &[]);
}

#[test]
fn each_property_of_a_pismo_reissue_reaches_its_destination_only() {
    let mut canaries = Canaries::new();
    let base: Value = serde_json::from_str(&sample("pismo-reissue.json")).unwrap();
    let both = |name: &str, value: Value| {
        vec![(format!("/request/{name}"), value.clone()), (format!("/response/{name}"), value)]
    };
    let one = |pointer: &str, value: Value| vec![(pointer.to_owned(), value)];
    let expiry = |text: &str| {
        let mut all = both("expiration_date", text.into());
        all.push(("/card/expiry".into(), "3109".into()));
        all
    };
    let request = |name: &str, value: Value| one(&format!("/request/{name}"), value);
    let response = |name: &str, value: Value| one(&format!("/response/{name}"), value);
    let cases: Vec<(&str, Vec<(String, Value)>)> = vec![
        ("SubmitReissue.reason_id", request("reason_id", 42.into())),
        ("SubmitReissue.printed_name", both("printed_name", "CANARY".into())),
        ("SubmitReissue.pin_length", request("pin_length", 6.into())),
        ("SubmitReissue.cvv_rotation_interval_hours", request("cvv_rotation_interval_hours", 99.into())),
        ("SubmitReissue.embossing_group", request("embossing_group", "EM2-branch".into())),
        ("SubmitReissue.embossing_custom_field", request("embossing_custom_field", "CANARY".into())),
        ("SubmitReissue.contactless_enabled", both("contactless_enabled", false.into())),
        ("SubmitReissue.metadata", request("metadata", json!({"canary": "CANARY"}))),
        ("SubmitReissue.abu_enabled", request("abu_enabled", true.into())),
        ("SubmitReissue.mode_type", request("mode_type", "COMBO".into())),
        ("SubmitReissue.update_tokens", request("update_tokens", true.into())),
        ("SubmitReissue.brand", request("brand", "ELO".into())),
        ("SubmitReissue.generate_pvv", request("generate_pvv", true.into())),
        ("SubmitReissue.expiration_date", expiry("3109")),
        ("SubmitReissue.validity_period_hours", request("validity_period_hours", 99.into())),
        (
            "SubmitReissue.atm_change_online_pin_when_script_sent",
            request("atm_change_online_pin_when_script_sent", true.into()),
        ),
        ("ReissueCardResponse.program.id", response("program/id", "9999".into())),
        ("ReissueCardResponse.account.id", response("account/id", 9999.into())),
        ("ReissueCardResponse.customer.id", response("customer/id", 9999.into())),
        ("ReissueCardResponse.org.id", response("org/id", "TN-9999".into())),
        ("ReissueCardResponse.id", response("id", 9999.into())),
        ("ReissueCardResponse.status", response("status", "NORMAL".into())),
        ("ReissueCardResponse.stage", response("stage", "CANARY".into())),
        ("ReissueCardResponse.issuing_date", response("issuing_date", "2026-12-25T00:00:00Z".into())),
        ("ReissueCardResponse.expiration_date", expiry("2031-09-30T00:00:00Z")),
        ("ReissueCardResponse.printed_name", both("printed_name", "CANARY".into())),
        ("ReissueCardResponse.name", response("name", "CANARY".into())),
        ("ReissueCardResponse.track_number", response("track_number", 99.into())),
        ("ReissueCardResponse.transaction_limit", response("transaction_limit", "99.00".into())),
        ("ReissueCardResponse.contactless_enabled", both("contactless_enabled", false.into())),
        ("ReissueCardResponse.abu_enabled", response("abu_enabled", true.into())),
        ("ReissueCardResponse.validity_period_hours", response("validity_period_hours", 99.into())),
        ("ReissueCardResponse.valid_until", response("valid_until", "2029-01-01T00:00:00Z".into())),
        ("parameter.accountId", one("/accountId", 9999.into())),
        ("parameter.customerId", one("/customerId", "9999".into())),
        ("parameter.cardId", one("/cardId", "canary".into())),
        ("parameter.x-idempotency-key", one("/x-idempotency-key", "canary".into())),
    ];
    for (property, changes) in cases {
        let changes: Vec<(&str, Value)> =
            changes.iter().map(|(pointer, value)| (pointer.as_str(), value.clone())).collect();
        canaries.send(&format!("pismo {property}"), &base, &changed(base.clone(), &changes));
    }
    // The answer's, where the request has none.
    let less =
        changed(base.clone(), &[("/request/embossing_custom_field", Value::Null), ("/request/mode_type", Value::Null)]);
    let custom = changed(less.clone(), &[("/response/embossing_custom_field", "CANARY".into())]);
    canaries.send("pismo ReissueCardResponse.embossing_custom_field", &less, &custom);
    canaries.send(
        "pismo ReissueCardResponse.mode",
        &less,
        &changed(less.clone(), &[("/response/mode", "COMBO".into())]),
    );
    // A template that selects another product at the same station; the group, which is passed on, stays out of it.
    let none =
        changed(base.clone(), &[("/request/embossing_group", "none".into()), ("/request/template_id", "T-1".into())]);
    let other = changed(none.clone(), &[("/request/template_id", "T-2".into())]);
    canaries.send("pismo SubmitReissue.template_id", &none, &other);
    // What makes an order one that is refused: `tests/it/order_others.rs`.
    canaries.all_of(
        "pismo",
        &["pismo SubmitReissue.status", "pismo ReissueCardResponse.type", "pismo ReissueCardResponse.card_type"],
    );
}

#[test]
fn each_property_of_a_mastercard_order_reaches_its_destination_only() {
    let mut canaries = Canaries::new();
    let base: Value = serde_json::from_str(&sample("mastercard-reissue.json")).unwrap();
    let cases: Vec<(&str, Vec<(&str, Value)>)> = vec![
        ("card_contract_id", vec![("/cardContractId", "canary".into())]),
        ("reissueType", vec![("/request/reissueType", "RENEW".into())]),
        (
            "newCardExpiryDate",
            vec![("/response/newCardExpiryDate", "2031-09-30".into()), ("/card/expiry", "3109".into())],
        ),
        ("plasticId", vec![("/response/plasticId", "canary".into())]),
        ("newSequenceNumber", vec![("/response/newSequenceNumber", 99.into())]),
        ("firstName", vec![("/client/firstName", "Canary".into())]),
        ("lastName", vec![("/client/lastName", "Canary".into())]),
        ("addressLine1", vec![("/client/addressLine1", "canary".into())]),
        ("addressLine2", vec![("/client/addressLine2", "canary".into())]),
        ("addressLine3", vec![("/client/addressLine3", "canary".into())]),
        ("postalCode", vec![("/client/postalCode", "CANARY".into())]),
        ("city", vec![("/client/city", "canary".into())]),
        ("country", vec![("/client/country", "canary".into())]),
    ];
    for (property, changes) in cases {
        canaries.send(&format!("mastercard {property}"), &base, &changed(base.clone(), &changes));
    }
    canaries.all_of("mastercard", &["mastercard productionStatus"]);
}
