//! The traps of the upstream documents, each by its name, with an order that falls into it: refused with the right field
//! and code, or read the right way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use order_support::{checked, encrypt_with, envelope, first, header, sample};
use perso::order::{Channel, Order, Part, Pvv, d1_answer};
use serde_json::{Value, json};

/// What must come of an order.
enum Answer {
    Refused(&'static str, &'static str),
    /// Taken, and read like this.
    Read(fn(&Order) -> bool),
}

use Answer::{Read, Refused};

struct Trap {
    name: &'static str,
    order: Value,
    answer: Answer,
}

const FORMAT: &str = "FIELD_INVALID_FORMAT";
const VALUE: &str = "FIELD_INVALID_VALUE";
const NOT_ALLOWED: &str = "OPERATION_NOT_ALLOWED";
const CRYPTO: &str = "CRYPTO_ERROR";

const PAN: &str = "4761739001010119";
const ONE: &str = "%B4761739001010119^DOE/JANE^301220100000?";
const TWO: &str = ";4761739001010119=301220100000?";

fn trap(name: &'static str, order: Value, answer: Answer) -> Trap {
    Trap { name, order, answer }
}

/// A D1 order of a channel with changes to body and card data; a null takes a member away.
fn d1(channel: &str, body: &[(&str, Value)], card: &[(&str, Value)]) -> Value {
    let mut whole = json!({
        "distributionChannel": channel, "services": {"issuance": "CREATION"},
        "paymentApplication": {"config": "debit-contact-scp02"},
    });
    let address = json!({"lastName": "DOE", "line1": "1 ROAD", "zipCode": "1", "city": "X", "countryCode": "FR"});
    match channel {
        "INSTANT" => whole["persoStation"] = "station-1".into(),
        "THALES" => {
            for (name, id) in [("issuerRequestId", "r-1"), ("consumerId", "c-1"), ("cardProductId", "p-1")] {
                whole[name] = id.into();
            }
            whole["shipment"] = json!({"type": "INDIVIDUAL", "deliveryAddress": address});
        }
        _ => whole["shipment"] = json!({"type": "INDIVIDUAL", "deliveryAddress": address}),
    }
    let mut data = json!({"pan": PAN, "exp": "1230", "name": "JANE DOE"});
    changed(&mut whole, body);
    changed(&mut data, card);
    envelope(&whole, &data)
}

fn instant(card: &[(&str, Value)]) -> Value {
    d1("INSTANT", &[], card)
}

fn with_tracks(one: &str, two: &str) -> Value {
    instant(&[("trackData", json!({"track1": one, "track2": two}))])
}

fn with_block(changes: &[(&str, Value)]) -> Value {
    let mut block =
        json!({"kekId": "1", "macKey": "00112233445566778899AABBCCDDEEFF", "tlvData": "9F3602", "mac": "01020304"});
    changed(&mut block, changes);
    instant(&[("applications", json!([block]))])
}

/// An order whose card data is encrypted under this header.
fn under(alg: &str, kid: &str) -> Value {
    let card = json!({"pan": PAN, "exp": "1230", "name": "JANE DOE"});
    let jwe = encrypt_with(card.to_string().as_bytes(), &header(alg, "A256GCM", kid));
    d1("INSTANT", &[("encryptedData", jwe.into())], &[])
}

fn changed(to: &mut Value, changes: &[(&str, Value)]) {
    for (name, value) in changes {
        let members = to.as_object_mut().unwrap();
        if value.is_null() { drop(members.remove(*name)) } else { drop(members.insert((*name).into(), value.clone())) }
    }
}

/// A sample with a member of an object changed; a null takes it away.
fn of_sample(name: &str, changes: &[(&str, &str, Value)]) -> Value {
    let mut order: Value = serde_json::from_str(&sample(name)).unwrap();
    for (parent, member, value) in changes {
        changed(order.pointer_mut(parent).unwrap(), &[(member, value.clone())]);
    }
    order
}

fn pismo(changes: &[(&str, &str, Value)]) -> Value {
    of_sample("pismo-reissue.json", changes)
}

fn mastercard(changes: &[(&str, &str, Value)]) -> Value {
    of_sample("mastercard-reissue.json", changes)
}

/// The printed lines.
fn names(order: &Order) -> Vec<String> {
    order.print().names().iter().map(|name| name.expose().clone()).collect()
}

fn says(order: &Order, wanted: Part, value: &str) -> bool {
    let mut found = false;
    order.walk(&mut |part, _, held| found |= part == wanted && held == value);
    found
}

/// Published patterns that let more through than there is.
fn d1_patterns() -> Vec<Trap> {
    let long_one = format!("%B{PAN}^{:<26}^3012201{}?", "DOE/JANE", "1".repeat(39));
    let long_two = format!(";{PAN}=3012201{}?", "1".repeat(20));
    let long_three = json!({"track1": ONE, "track2": TWO, "track3": format!(";{PAN}={}?", "1".repeat(107))});
    let line = |text: &str| json!({"customLines": [text]});
    vec![
        trap("a track 1 of 96 characters", with_tracks(&long_one, TWO), Refused("cardData.trackData.track1", VALUE)),
        trap("a track 2 of 49 characters", with_tracks(ONE, &long_two), Refused("cardData.trackData.track2", VALUE)),
        trap(
            "a track 3 of 129 characters",
            instant(&[("trackData", long_three)]),
            Refused("cardData.trackData.track3", VALUE),
        ),
        trap(
            "lower case on track 1",
            with_tracks(&ONE.replace("00000?", "0000a?"), TWO),
            Refused("cardData.trackData.track1", VALUE),
        ),
        trap(
            "a MAC key of an odd number of digits",
            with_block(&[("macKey", "00112233445566778".into())]),
            Refused("cardData.applications[0].macKey", FORMAT),
        ),
        trap(
            "TLV data of an odd number of digits",
            with_block(&[("tlvData", "9F36020".into())]),
            Refused("cardData.applications[0].tlvData", FORMAT),
        ),
        trap(
            "TLV data of 10,000 bytes, whose length has five digits",
            with_block(&[("tlvData", "00".repeat(10_000).into()), ("tlvDataLength", "10000".into())]),
            Refused("cardData.applications[0].tlvDataLength", FORMAT),
        ),
        trap(
            "TLV data of 10,000 bytes without a length",
            with_block(&[("tlvData", "00".repeat(10_000).into())]),
            Read(|order| order.chip().blocks()[0].data().len() == 10_000),
        ),
        trap(
            "a stated length that is not the data's",
            with_block(&[("tlvDataLength", "6".into())]),
            Refused("cardData.applications[0].tlvDataLength", VALUE),
        ),
        trap(
            "a pattern that does not compile: customLines with a hyphen",
            d1("INSTANT", &[("cardDesign", line("A-Z / 1?"))], &[]),
            Read(|order| says(order, Part::Print, "A-Z / 1?")),
        ),
        trap(
            "a pattern that does not compile: customLines with what it does not list",
            d1("INSTANT", &[("cardDesign", line("<b>"))], &[]),
            Refused("body.cardDesign.customLines[0]", FORMAT),
        ),
        trap(
            "a pattern without anchors: consumerId of THALES",
            d1("THALES", &[("consumerId", "c 1!".into())], &[]),
            Refused("body.consumerId", FORMAT),
        ),
        trap(
            "a pattern without anchors: cardProductId of THALES",
            d1("THALES", &[("cardProductId", "x".repeat(49).into())], &[]),
            Refused("body.cardProductId", FORMAT),
        ),
        trap(
            "digits of another script",
            instant(&[("pan", "٤761739001010119".into())]),
            Refused("cardData.pan", FORMAT),
        ),
    ]
}

/// What stands where nobody looks, and what two members say differently.
fn d1_meaning() -> Vec<Trap> {
    vec![
        trap("exp is MMYY, the tracks are YYMM", with_tracks(ONE, TWO), Read(|order| order.chip().expiry() == "3012")),
        trap("exp as YYMM", instant(&[("exp", "3012".into())]), Refused("cardData.exp", FORMAT)),
        trap(
            "exp that is not the month of a track",
            with_tracks(ONE, &TWO.replace("=3012", "=3011")),
            Refused("cardData.trackData.track2", VALUE),
        ),
        trap(
            "a track MMYY",
            with_tracks(&ONE.replace("^3012", "^1230"), TWO),
            Refused("cardData.trackData.track1", VALUE),
        ),
        trap(
            "a PAN of 12 digits without a stripe",
            instant(&[("pan", "476173900103".into())]),
            Read(|order| order.chip().pan().digits().len() == 12),
        ),
        trap(
            "a PAN of 12 digits on a stripe",
            instant(&[("pan", "476173900103".into()), ("cardProductionType", "MAG_AND_CHIP_CARD".into())]),
            Refused("cardData.pan", VALUE),
        ),
        trap("no PSN", instant(&[]), Read(|order| order.chip().psn() == 0)),
        trap(
            "no encodedName, and a track 1",
            with_tracks(ONE, TWO),
            Read(|order| order.chip().encoded_name().is_some_and(|name| name.expose() == "DOE/JANE")),
        ),
        trap(
            "a given track is used as it is",
            with_tracks(ONE, TWO),
            Read(|order| order.stripe().tracks()[0].1.expose() == ONE && order.stripe().tracks()[1].1.expose() == TWO),
        ),
        trap("no PVV and no key for one", instant(&[]), Read(|order| matches!(order.stripe().pvv(), Pvv::Zero))),
        trap(
            "no PVV and a key for one",
            d1("INSTANT", &[("paymentApplication", json!({"config": "debit-contact-scp02", "pvKeyIndex": "01"}))], &[]),
            Read(|order| matches!(order.stripe().pvv(), Pvv::Computed)),
        ),
        trap(
            "a kid of four characters with ISO0",
            instant(&[("pin", json!({"type": "ISO0", "encryptedPin": "0123456789ABCDEF", "kid": "1234"}))]),
            Refused("cardData.pin.kid", FORMAT),
        ),
        trap(
            "a kid with a letter and ISO4",
            instant(&[("pin", json!({"type": "ISO4", "encryptedPin": "00".repeat(16), "kid": "A"}))]),
            Refused("cardData.pin.kid", FORMAT),
        ),
        trap(
            "a MAC key of 8 bytes is single DES",
            with_block(&[("macKey", "0011223344556677".into())]),
            Read(|order| order.chip().blocks()[0].mac_method() == perso::order::BlockMac::SingleDes),
        ),
    ]
}

/// Channels and what belongs to them.
fn d1_channels() -> Vec<Trap> {
    let bulk = |group: bool| {
        let address = json!({"lastName": "DOE", "line1": "1 ROAD", "zipCode": "1", "city": "X", "countryCode": "FR"});
        let mut shipment = json!({"type": "BULK", "deliveryAddress": address});
        if group {
            shipment["groupId"] = "g-1".into();
        }
        shipment
    };
    let mut individual = bulk(true);
    individual["type"] = "INDIVIDUAL".into();
    let mut bare = d1("INSTANT", &[], &[])["body"].clone();
    bare["operationId"] = "operation-1".into();
    let mut renewal = d1("INSTANT", &[("services", json!({"issuance": "RENEWAL"}))], &[]);
    renewal["operationId"] = "operation-2".into();
    vec![
        trap("oneOf: a THALES order", d1("THALES", &[], &[]), Read(|order| order.channel() == Channel::Factory)),
        trap("oneOf: a CENTRAL order", d1("CENTRAL", &[], &[]), Read(|order| order.channel() == Channel::Central)),
        trap(
            "oneOf: a BULK shipment",
            d1("CENTRAL", &[("shipment", bulk(true))], &[]),
            Read(|order| says(order, Part::Fulfilment, "g-1")),
        ),
        trap(
            "a group in an INDIVIDUAL shipment",
            d1("CENTRAL", &[("shipment", individual)], &[]),
            Refused("body.shipment.groupId", NOT_ALLOWED),
        ),
        trap("INSTANT has no issuerRequestId", instant(&[]), Read(|order| order.channel() == Channel::Instant)),
        trap(
            "issuerRequestId of INSTANT",
            d1("INSTANT", &[("issuerRequestId", "r-1".into())], &[]),
            Refused("body.issuerRequestId", NOT_ALLOWED),
        ),
        trap(
            "INSTANT without its station",
            d1("INSTANT", &[("persoStation", Value::Null)], &[]),
            Refused("body.persoStation", FORMAT),
        ),
        trap(
            "a station of somebody else",
            d1("INSTANT", &[("persoStation", "station-9".into())], &[]),
            Refused("body.persoStation", VALUE),
        ),
        trap(
            "INSTANT with a shipment",
            d1("INSTANT", &[("shipment", bulk(false))], &[]),
            Refused("body.shipment", NOT_ALLOWED),
        ),
        trap(
            "CENTRAL of another center",
            d1("CENTRAL", &[("persoCenter", "center-9".into())], &[]),
            Refused("body.persoCenter", VALUE),
        ),
        // Issuer and card stand in the URL: a bare body says of no card.
        trap("a body without its envelope", bare, Refused("(file)", "PARSING_ERROR")),
        trap(
            "a renewal of the same card is a new order",
            renewal,
            Read(|order| order.identity().card() == "card-1" && order.identity().operation() == "operation-2"),
        ),
        trap(
            "a config that is no product here",
            d1("INSTANT", &[("paymentApplication", json!({"config": "gold"}))], &[]),
            Refused("body.paymentApplication.config", VALUE),
        ),
        trap("alg none", under("none", "order-ec-1"), Refused("body.encryptedData", CRYPTO)),
        trap("PBES2", under("PBES2-HS256+A128KW", "order-ec-1"), Refused("body.encryptedData", CRYPTO)),
        trap("a kid that is not listed", under("ECDH-ES", "order-ec-9"), Refused("body.encryptedData", CRYPTO)),
        trap("the kid of another algorithm", under("ECDH-ES", "order-rsa-1"), Refused("body.encryptedData", CRYPTO)),
    ]
}

fn pismo_traps() -> Vec<Trap> {
    let name = |text: &str| [("/request", "printed_name", text.into()), ("/response", "printed_name", Value::Null)];
    let contact =
        [("/request", "contactless_enabled", false.into()), ("/response", "contactless_enabled", false.into())];
    let month = |text: &str| pismo(&[("/response", "expiration_date", text.into())]);
    vec![
        trap(
            "UNNUMBERED has neither PAN nor PIN",
            pismo(&[("/request", "status", "UNNUMBERED".into())]),
            Refused("request.status", NOT_ALLOWED),
        ),
        trap(
            "UNNUMBERED in the answer",
            pismo(&[("/response", "status", "UNNUMBERED".into())]),
            Refused("response.status", NOT_ALLOWED),
        ),
        trap(
            "a VIRTUAL card is no plastic",
            pismo(&[("/response", "type", "VIRTUAL".into())]),
            Refused("response.type", NOT_ALLOWED),
        ),
        trap(
            "contactless_enabled is false",
            pismo(&contact),
            Read(|order| {
                order.product().profile() == "debit-contact-scp02" && order.product().contactless() == Some(false)
            }),
        ),
        trap(
            "contactless_enabled is absent",
            pismo(&contact.clone().map(|(parent, member, _)| (parent, member, Value::Null))),
            Read(|order| order.product().contactless() == Some(true)),
        ),
        trap(
            "COMBO has two applications",
            pismo(&[("/request", "mode_type", "COMBO".into())]),
            Read(|order| {
                order.product().applications() == Some(2) && order.product().profile() == "debit-credit-combo"
            }),
        ),
        trap(
            "COMBO of a product with one",
            pismo(&[
                ("/request", "mode_type", "COMBO".into()),
                ("/request", "embossing_group", Value::Null),
                ("/request", "template_id", "T-1".into()),
            ]),
            Refused("request.mode_type", VALUE),
        ),
        trap("pin_length 5", pismo(&[("/request", "pin_length", 5.into())]), Refused("request.pin_length", VALUE)),
        trap(
            "pin_length 6",
            pismo(&[("/request", "pin_length", 6.into())]),
            Read(|order| order.product().pin_length() == Some(6)),
        ),
        trap(
            "pin_length is absent",
            pismo(&[("/request", "pin_length", Value::Null)]),
            Read(|order| order.product().pin_length() == Some(4)),
        ),
        trap("an expiry YYMM", month("3012"), Read(|order| order.chip().expiry() == "3012")),
        trap("an expiry of RFC 3339", month("2030-12-31T00:00:00Z"), Read(|order| order.chip().expiry() == "3012")),
        trap("an expiry MMYY", month("1230"), Refused("response.expiration_date", FORMAT)),
        trap("another expiry than the card's", month("3011"), Refused("response.expiration_date", VALUE)),
        trap("a printed name of one letter", pismo(&name("J")), Refused("request.printed_name", FORMAT)),
        trap("a printed name of 27 letters", pismo(&name(&"J".repeat(27))), Refused("request.printed_name", FORMAT)),
        trap("a printed name with a hyphen", pismo(&name("Jane-Doe")), Refused("request.printed_name", FORMAT)),
        trap(
            "a custom field of 1001 characters",
            pismo(&[("/request", "embossing_custom_field", "x".repeat(1001).into())]),
            Refused("request.embossing_custom_field", FORMAT),
        ),
        trap(
            "an idempotency key of 37 characters",
            pismo(&[("", "x-idempotency-key", "x".repeat(37).into())]),
            Refused("x-idempotency-key", FORMAT),
        ),
        trap(
            "reason_id is required",
            pismo(&[("/request", "reason_id", Value::Null)]),
            Refused("request.reason_id", FORMAT),
        ),
        trap(
            "generate_pvv",
            pismo(&[("/request", "generate_pvv", true.into())]),
            Read(|order| matches!(order.stripe().pvv(), Pvv::Computed)),
        ),
        trap(
            "track_number is no PAN sequence number",
            pismo(&[("/response", "track_number", 7.into())]),
            Read(|order| {
                order.track_number() == Some(7) && order.chip().psn() == 1 && order.plastic_sequence().is_none()
            }),
        ),
    ]
}

fn mastercard_traps() -> Vec<Trap> {
    let kind = |word: &str| mastercard(&[("/request", "reissueType", word.into())]);
    vec![
        trap("the PIN must be set first", mastercard(&[("/card", "pin", Value::Null)]), Refused("card.pin", FORMAT)),
        trap(
            "names are printed in capitals",
            mastercard(&[("/client", "companyName", "Bank Co".into())]),
            Read(|order| names(order) == ["MS JANE DOE", "BANK CO"]),
        ),
        trap(
            "names have 26 characters together",
            mastercard(&[("/client", "lastName", "x".repeat(18).into())]),
            Read(|order| names(order)[0].len() == 26),
        ),
        trap(
            "names of 27 characters together",
            mastercard(&[("/client", "lastName", "x".repeat(19).into())]),
            Refused("client.lastName", FORMAT),
        ),
        trap(
            "a company of 27 characters",
            mastercard(&[("/client", "companyName", "x".repeat(27).into())]),
            Refused("client.companyName", FORMAT),
        ),
        trap("REPRINT makes a PIN mailer only", kind("REPRINT"), Refused("request.reissueType", NOT_ALLOWED)),
        trap("REISSUE_D has no plastic", kind("REISSUE_D"), Refused("request.reissueType", NOT_ALLOWED)),
        trap("RENEW_D has no plastic", kind("RENEW_D"), Refused("request.reissueType", NOT_ALLOWED)),
        trap("REPLACE_D has no plastic", kind("REPLACE_D"), Refused("request.reissueType", NOT_ALLOWED)),
        trap("RENEW renews", kind("RENEW"), Read(|order| order.issuance() == perso::order::Issuance::Renewal)),
        trap(
            "Locked after production",
            mastercard(&[("", "productionStatus", "Locked".into())]),
            Refused("productionStatus", NOT_ALLOWED),
        ),
        trap(
            "the plastic sequence is no PAN sequence number",
            mastercard(&[("/response", "newSequenceNumber", 2.into())]),
            Read(|order| {
                order.plastic_sequence() == Some(2) && order.chip().psn() == 1 && order.track_number().is_none()
            }),
        ),
        trap(
            "another expiry than the card's",
            mastercard(&[("/response", "newCardExpiryDate", "2030-11-30".into())]),
            Refused("response.newCardExpiryDate", VALUE),
        ),
        trap(
            "no address",
            mastercard(&[("/client", "addressLine1", Value::Null)]),
            Refused("client.addressLine1", FORMAT),
        ),
        trap(
            "no plasticId",
            mastercard(&[("/response", "plasticId", Value::Null)]),
            Refused("response.plasticId", FORMAT),
        ),
    ]
}

#[test]
fn every_trap_of_the_upstream_documents_is_avoided() {
    let kinds = [d1_patterns(), d1_meaning(), d1_channels(), pismo_traps(), mastercard_traps()];
    let mut caught = Vec::new();
    for Trap { name, order, answer } in kinds.into_iter().flatten() {
        let checked = checked(&order);
        let good = match answer {
            Refused(path, code) => {
                checked.order.is_none()
                    && checked.problems.len() == 1
                    && first(&checked).is_some_and(|(seen, answer)| seen == path && answer == code)
            }
            Read(right) => checked.order.as_ref().is_some_and(right),
        };
        if !good {
            caught.push(format!("{name}: {:?}", checked.problems));
        }
    }
    assert!(caught.is_empty(), "{}", caught.join("\n"));
}

#[test]
fn what_is_answered_may_not_be_retried_and_does_not_help_an_attacker() {
    let refused = checked(&under("none", "order-ec-1"));
    let answer = d1_answer(&refused.problems).unwrap();
    // Only 503 may be sent again as it is; and of what does not open nothing more is told.
    assert_eq!((answer.status, answer.error_code, answer.error), (400, CRYPTO, None));
    let other = checked(&d1("INSTANT", &[("issuerRequestId", "r-1".into())], &[]));
    assert_eq!(d1_answer(&other.problems).unwrap().status, 403);
}
