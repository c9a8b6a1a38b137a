//! D1 orders: a thousand generated valid ones of each channel are accepted, a thousand with one thing wrong are refused
//! with the right field and code, and each trap of the published definition has a failing sample.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use order_support::generate::{Rng, block, pin, valid};
use order_support::{checked, encrypt, encrypt_rsa, envelope, first};
use perso::order::{Channel, Pvv, Source};
use serde_json::{Value, json};

const CHANNELS: [&str; 3] = ["THALES", "INSTANT", "CENTRAL"];

#[test]
fn a_thousand_valid_orders_of_each_channel_are_accepted() {
    for (number, channel) in CHANNELS.into_iter().enumerate() {
        for seed in 0..1000u64 {
            let mut rng = Rng::new(seed + 1000 * number as u64 + 1);
            let (mut body, card) = valid(channel, &mut rng);
            if seed % 50 == 0 {
                body["encryptedData"] = encrypt_rsa(&card).into();
            }
            let checked = checked(&envelope(&body, &card));
            assert!(checked.problems.is_empty(), "{channel} {seed}: {:?}", checked.problems);
            assert!(checked.skipped.is_empty(), "{channel} {seed}: {:?}", checked.skipped);
            let order = checked.order.unwrap();
            assert_eq!(order.source(), Source::D1);
            assert_eq!(order.chip().pan().digits(), card["pan"].as_str().unwrap());
            let expected = [Channel::Factory, Channel::Instant, Channel::Central][number];
            assert_eq!(order.channel(), expected);
            assert!(order.is_test());
        }
    }
}

/// One thing that is wrong: what is changed in body and card data (false where this order has nothing to change), the
/// path and the code of the answer.
type Mutation = (fn(&mut Value, &mut Value, &mut Rng) -> bool, &'static str, &'static str);

const FORMAT: &str = "FIELD_INVALID_FORMAT";
const VALUE: &str = "FIELD_INVALID_VALUE";
const NOT_ALLOWED: &str = "OPERATION_NOT_ALLOWED";

fn set(value: &mut Value, path: &str, to: impl Into<Value>) -> bool {
    *value.pointer_mut(path).unwrap_or(&mut Value::Null) = to.into();
    value.pointer(path).is_some()
}

fn drop(value: &mut Value, name: &str) -> bool {
    value.as_object_mut().unwrap().remove(name).is_some()
}

fn without_first_day(card: &mut Value) -> bool {
    drop(card, "effectiveDate");
    true
}

fn without_tracks(card: &mut Value) -> bool {
    card.as_object_mut().unwrap().remove("trackData");
    true
}

const MUTATIONS: &[Mutation] = &[
    (|b, _, _| drop(b, "distributionChannel"), "body.distributionChannel", FORMAT),
    (|b, _, _| set(b, "/distributionChannel", "BRANCH"), "body.distributionChannel", VALUE),
    (|b, _, _| drop(b, "services"), "body.services", FORMAT),
    (|b, _, _| drop(&mut b["services"], "issuance"), "body.services.issuance", FORMAT),
    (|b, _, _| set(b, "/services/issuance", "GIFT"), "body.services.issuance", VALUE),
    (|b, _, _| set(b, "/services/issuance", "NEW CARD"), "body.services.issuance", FORMAT),
    (|b, _, _| set(b, "/services/pinMailer", "yes"), "body.services.pinMailer", FORMAT),
    (
        |b, _, r| {
            b["services"]["priority"] = r.text("A", 65, 90).into();
            true
        },
        "body.services.priority",
        FORMAT,
    ),
    (|b, _, _| drop(b, "paymentApplication"), "body.paymentApplication", FORMAT),
    (|b, _, _| set(b, "/paymentApplication/config", "gold"), "body.paymentApplication.config", VALUE),
    (
        |b, _, _| {
            b["paymentApplication"]["odaKeyIndex"] = "7F".into();
            true
        },
        "body.paymentApplication.odaKeyIndex",
        VALUE,
    ),
    (
        |b, _, _| {
            b["paymentApplication"]["pvKeyIndex"] = "7F".into();
            true
        },
        "body.paymentApplication.pvKeyIndex",
        VALUE,
    ),
    (
        |b, _, _| {
            b["paymentApplication"]["cvKeyIndex"] = "0a".into();
            true
        },
        "body.paymentApplication.cvKeyIndex",
        FORMAT,
    ),
    (
        |b, _, _| {
            b["paymentApplication"]["derivationKeyIndex"] = "001".into();
            true
        },
        "body.paymentApplication.derivationKeyIndex",
        FORMAT,
    ),
    (|b, _, _| set(b, "/persoStation", "station-9"), "body.persoStation", VALUE),
    (|b, _, _| drop(b, "persoStation"), "body.persoStation", FORMAT),
    (|b, _, _| set(b, "/persoCenter", "center-9"), "body.persoCenter", VALUE),
    (
        |b, _, _| {
            let thales = b["distributionChannel"] == "THALES";
            b["persoStation"] = "station-1".into();
            thales
        },
        "body.persoStation",
        NOT_ALLOWED,
    ),
    (
        |b, _, _| {
            let instant = b["distributionChannel"] == "INSTANT";
            b["shipment"] = json!({});
            instant
        },
        "body.shipment",
        NOT_ALLOWED,
    ),
    (|b, _, _| drop(b, "shipment"), "body.shipment", FORMAT),
    (|b, _, _| set(b, "/shipment/type", "DRONE"), "body.shipment.type", VALUE),
    (
        |b, _, _| b["shipment"].is_object() && drop(&mut b["shipment"]["deliveryAddress"], "city"),
        "body.shipment.deliveryAddress.city",
        FORMAT,
    ),
    (
        |b, _, _| set(b, "/shipment/deliveryAddress/countryCode", "fr"),
        "body.shipment.deliveryAddress.countryCode",
        FORMAT,
    ),
    (|b, _, _| set(b, "/shipment/deliveryAddress/email", "nobody"), "body.shipment.deliveryAddress.email", FORMAT),
    (
        |b, _, _| {
            b["consumerId"] = "a b!".into();
            true
        },
        "body.consumerId",
        FORMAT,
    ),
    (
        |b, _, _| {
            b["cardProductId"] = "näme".into();
            true
        },
        "body.cardProductId",
        FORMAT,
    ),
    (
        |b, _, _| {
            b["cardDesign"] = json!({"images": ["a", "b", "c", "d", "e", "f"]});
            true
        },
        "body.cardDesign.images",
        FORMAT,
    ),
    (
        |b, _, _| {
            b["cardDesign"] = json!({"customLines": ["a", "b|c"]});
            true
        },
        "body.cardDesign.customLines[1]",
        FORMAT,
    ),
    (
        |b, _, _| {
            b["cardCarrierConfig"] = json!({"language": "en"});
            true
        },
        "body.cardCarrierConfig.language",
        FORMAT,
    ),
    (
        |b, _, _| {
            b["colour"] = "red".into();
            true
        },
        "body.colour",
        FORMAT,
    ),
    (
        |b, _, _| {
            b["encryptedData"] = "a.b.c".into();
            true
        },
        "body.encryptedData",
        FORMAT,
    ),
    (|_, c, _| drop(c, "pan"), "cardData.pan", FORMAT),
    (|_, c, _| without_tracks(c) && set(c, "/pan", "4761739001010118"), "cardData.pan", VALUE),
    (|_, c, _| without_tracks(c) && set(c, "/pan", "47617390010"), "cardData.pan", FORMAT),
    (|_, c, _| set(c, "/exp", "1327"), "cardData.exp", FORMAT),
    (|_, c, _| without_tracks(c) && without_first_day(c) && set(c, "/exp", "1026"), "cardData.exp", VALUE),
    (|_, c, _| drop(c, "name"), "cardData.name", FORMAT),
    (
        |_, c, r| {
            c["cvv2"] = r.digits(5).into();
            true
        },
        "cardData.cvv2",
        FORMAT,
    ),
    (
        |_, c, _| {
            c["cvv2"] = if c["pan"].as_str().unwrap().starts_with("37") { "123" } else { "1234" }.into();
            !c["pan"].as_str().unwrap().starts_with("62")
        },
        "cardData.cvv2",
        VALUE,
    ),
    (
        |_, c, _| {
            c["icvv"] = if c["pan"].as_str().unwrap().starts_with("37") { "123" } else { "12345" }.into();
            !c["pan"].as_str().unwrap().starts_with("62")
        },
        "cardData.icvv",
        VALUE,
    ),
    (
        |_, c, r| {
            c["cvv1"] = r.digits(4).into();
            true
        },
        "cardData.cvv1",
        FORMAT,
    ),
    (
        |_, c, _| {
            c["panSequenceNumber"] = "1".into();
            true
        },
        "cardData.panSequenceNumber",
        FORMAT,
    ),
    (
        |_, c, _| {
            c["effectiveDate"] = "2026-02-30".into();
            true
        },
        "cardData.effectiveDate",
        FORMAT,
    ),
    (
        |_, c, _| {
            c["effectiveDate"] = "2050-01-01".into();
            true
        },
        "cardData.effectiveDate",
        VALUE,
    ),
    (
        |_, c, _| {
            c["pvv"] = "12A4".into();
            true
        },
        "cardData.pvv",
        FORMAT,
    ),
    (
        |_, c, _| {
            without_tracks(c) && {
                c["encodedName"] = "doe/jane".into();
                true
            }
        },
        "cardData.encodedName",
        FORMAT,
    ),
    (
        |_, c, r| {
            c["paymentAccountReference"] = r.text("A", 28, 28).into();
            true
        },
        "cardData.paymentAccountReference",
        FORMAT,
    ),
    (
        |_, c, _| {
            c["cardProductionType"] = "CHIP_CARD".into();
            true
        },
        "cardData.cardProductionType",
        VALUE,
    ),
    (
        |_, c, r| {
            c["pin"] = pin(r);
            c["pin"]["type"] = "ISO3".into();
            true
        },
        "cardData.pin.type",
        VALUE,
    ),
    (
        |_, c, r| {
            c["pin"] = pin(r);
            c["pin"]["kid"] = "9".into();
            true
        },
        "cardData.pin.kid",
        VALUE,
    ),
    (
        |_, c, r| {
            c["pin"] = pin(r);
            c["pin"]["encryptedPin"] = "12".into();
            true
        },
        "cardData.pin.encryptedPin",
        FORMAT,
    ),
    (
        |_, c, r| {
            c["pin"] = pin(r);
            drop(&mut c["pin"], "transportKeyKCV")
        },
        "cardData.pin.transportKeyKCV",
        FORMAT,
    ),
    (
        |_, c, r| {
            c["applications"] = json!([block(r), block(r)]);
            set(c, "/applications/1/kekId", "9")
        },
        "cardData.applications[1].kekId",
        VALUE,
    ),
    (
        |_, c, r| {
            c["applications"] = json!([block(r)]);
            drop(&mut c["applications"][0], "mac")
        },
        "cardData.applications[0].mac",
        FORMAT,
    ),
    (
        |_, c, _| {
            c["cvv3"] = "123".into();
            true
        },
        "cardData.cvv",
        FORMAT,
    ),
];

#[test]
fn a_thousand_orders_with_one_thing_wrong_are_refused_with_the_right_field() {
    let mut used = vec![0; MUTATIONS.len()];
    for (number, channel) in CHANNELS.into_iter().enumerate() {
        let (mut done, mut seed) = (0, 0u64);
        while done < 1000 {
            seed += 1;
            let mut rng = Rng::new(90_000 + seed + 100_000 * number as u64);
            let (mut body, mut card) = valid(channel, &mut rng);
            let at = seed as usize % MUTATIONS.len();
            let (mutate, path, code) = MUTATIONS[at];
            if !mutate(&mut body, &mut card, &mut rng) {
                continue;
            }
            done += 1;
            used[at] += 1;
            let checked = checked(&envelope(&body, &card));
            assert!(checked.order.is_none(), "{channel} {seed}: {path} is accepted");
            let (seen, answer) = first(&checked).unwrap_or_else(|| panic!("{channel} {seed}: nothing at {path}"));
            // The names of unknown members are shown only where they are plain words.
            let expected = if path == "cardData.cvv" { "cardData.(unknown)" } else { path };
            assert_eq!((seen.as_str(), answer), (expected, code), "{channel} {seed}: {:?}", checked.problems);
            assert_eq!(checked.problems.len(), 1, "{channel} {seed}: {:?}", checked.problems);
        }
    }
    assert!(used.iter().all(|times| *times > 0), "{used:?}");
}

fn plain() -> (Value, Value) {
    let body = json!({
        "distributionChannel": "INSTANT", "persoStation": "station-1", "services": {"issuance": "CREATION"},
        "paymentApplication": {"config": "debit-contact-scp02"},
    });
    let card = json!({"pan": "4761739001010119", "exp": "1230", "name": "JANE DOE"});
    (body, card)
}

fn tracks(one: &str, two: &str, three: Option<&str>) -> Value {
    let mut tracks = json!({"track1": one, "track2": two});
    if let Some(three) = three {
        tracks["track3"] = three.into();
    }
    tracks
}

const ONE: &str = "%B4761739001010119^DOE/JANE^301220100000?";
const TWO: &str = ";4761739001010119=301220100000?";

fn refused(body: &Value, card: &Value, path: &str, code: &str) {
    let checked = checked(&envelope(body, card));
    let found = first(&checked);
    assert_eq!(found, Some((path.to_owned(), code)).map(|(path, code)| (path, codes(code))), "{:?}", checked.problems);
}

fn codes(code: &str) -> &'static str {
    let all = [FORMAT, VALUE, NOT_ALLOWED, "CRYPTO_ERROR", "PARSING_ERROR"];
    all.into_iter().find(|it| *it == code).unwrap()
}

#[test]
fn tracks_hold_no_more_than_a_stripe_does() {
    let (body, mut card) = plain();
    card["trackData"] = tracks(ONE, TWO, None);
    assert!(checked(&envelope(&body, &card)).order.is_some());
    // Each fits its published pattern, and no stripe.
    let long = format!("%B4761739001010119^{:<26}^3012201{}?", "DOE/JANE", "1".repeat(39));
    card["trackData"] = tracks(&long, TWO, None);
    refused(&body, &card, "cardData.trackData.track1", VALUE);
    let long = format!(";4761739001010119=3012201{}?", "1".repeat(20));
    card["trackData"] = tracks(ONE, &long, None);
    refused(&body, &card, "cardData.trackData.track2", VALUE);
    let long = format!(";4761739001010119={}?", "1".repeat(107));
    card["trackData"] = tracks(ONE, TWO, Some(&long));
    refused(&body, &card, "cardData.trackData.track3", VALUE);
    let lower = ONE.replace("00000?", "0000a?");
    card["trackData"] = tracks(&lower, TWO, None);
    refused(&body, &card, "cardData.trackData.track1", VALUE);
}

#[test]
fn tracks_say_what_the_order_says() {
    let (body, card) = plain();
    let with = |one: &str, two: &str, three: Option<&str>| {
        let mut card = card.clone();
        card["trackData"] = tracks(one, two, three);
        card
    };
    let other = "4000000000000002";
    let pan = "4761739001010119";
    refused(&body, &with(&ONE.replace(pan, other), TWO, None), "cardData.trackData.track1", VALUE);
    refused(&body, &with(ONE, &TWO.replace(pan, other), None), "cardData.trackData.track2", VALUE);
    refused(&body, &with(ONE, TWO, Some(&format!(";{other}=1?"))), "cardData.trackData.track3", VALUE);
    // An expiry that was written YYMM where MMYY is meant: as MMYY it is a month too.
    refused(&body, &with(ONE, &TWO.replace("=3012", "=1230"), None), "cardData.trackData.track2", VALUE);
    let mut swapped = with(&ONE.replace("^3012", "^2809"), &TWO.replace("=3012", "=2809"), None);
    swapped["exp"] = "0928".into();
    assert!(checked(&envelope(&body, &swapped)).order.is_some());
    swapped["exp"] = "0929".into();
    refused(&body, &swapped, "cardData.trackData.track1", VALUE);
    refused(&body, &with(ONE, &TWO.replace("=3012201", "=3012101"), None), "cardData.trackData.track2", VALUE);
    let mut named = with(ONE, TWO, None);
    named["encodedName"] = "DOE/JOHN".into();
    refused(&body, &named, "cardData.trackData.track1", VALUE);
}

#[test]
fn odd_digits_and_wrong_lengths_of_tlv_blocks_are_refused() {
    let (body, mut card) = plain();
    let good =
        json!({"kekId": "1", "macKey": "00112233445566778899AABBCCDDEEFF", "tlvData": "9F3602", "mac": "01020304"});
    let cases: [(&str, Value, &str); 8] = [
        ("macKey", "00112233445566778".into(), FORMAT),
        ("macKey", "001122334455667788".into(), FORMAT),
        ("tlvData", "9F36020".into(), FORMAT),
        ("tlvData", "00".repeat(10_001).into(), FORMAT),
        ("tlvDataLength", "4".into(), VALUE),
        ("tlvDataLength", "00000".into(), FORMAT),
        ("appletAid", "A0000".into(), FORMAT),
        ("appletStartCode", "A0000".into(), FORMAT),
    ];
    for (name, value, code) in cases {
        card["applications"] = json!([good]);
        card["applications"][0][name] = value;
        refused(&body, &card, &format!("cardData.applications[0].{name}"), code);
    }
    card["applications"] = json!([good]);
    card["applications"][0]["tlvDataLength"] = "3".into();
    let order = checked(&envelope(&body, &card)).order.unwrap();
    assert_eq!(order.chip().blocks()[0].mac_method(), perso::order::BlockMac::Retail);
    card["applications"][0]["macKey"] = "0011223344556677".into();
    let order = checked(&envelope(&body, &card)).order.unwrap();
    assert_eq!(order.chip().blocks()[0].mac_method(), perso::order::BlockMac::SingleDes);
    assert_eq!(order.chip().blocks()[0].key(), Some("lab-kek"));
}

#[test]
fn a_stripe_needs_a_pan_of_thirteen_digits_and_a_way_to_write_it() {
    let (body, mut card) = plain();
    card["pan"] = "476173900103".into();
    assert!(checked(&envelope(&body, &card)).order.is_some());
    card["cardProductionType"] = "MAG_AND_CHIP_CARD".into();
    refused(&body, &card, "cardData.pan", VALUE);
    card["pan"] = "4761739001010119".into();
    assert!(checked(&envelope(&body, &card)).order.unwrap().stripe().is_wanted());
    let none = order_support::site_text().replace("stripe = \"elsewhere\"", "stripe = \"none\"");
    let site = perso::order::Site::parse(&none).unwrap();
    let order = envelope(&body, &card).to_string();
    let problems = perso::order::Order::read(order.as_bytes(), &site, &*order_support::STORE).err().unwrap();
    assert_eq!(problems[0].path, "cardData.cardProductionType");
}

#[test]
fn a_channel_that_is_not_served_is_not_allowed() {
    let text = order_support::site_text().replace("\"instant\", \"central\", \"factory\"", "\"central\"");
    let site = perso::order::Site::parse(&text).unwrap();
    let (body, card) = plain();
    let order = envelope(&body, &card).to_string();
    let problems = perso::order::Order::read(order.as_bytes(), &site, &*order_support::STORE).err().unwrap();
    let answer = perso::order::d1_answer(&problems).unwrap();
    assert_eq!((answer.status, answer.error_code), (403, NOT_ALLOWED));
    assert_eq!(answer.error.as_deref(), Some("distributionChannel"));
}

#[test]
fn the_answer_has_the_first_fault_and_our_report_all_of_them() {
    let (mut body, mut card) = plain();
    body["paymentApplication"]["config"] = "gold".into();
    body["services"]["pinMailer"] = 1.into();
    card["pan"] = "4761739001010118".into();
    card["cvv2"] = "12".into();
    let checked = checked(&envelope(&body, &card));
    let paths: Vec<&str> = checked.problems.iter().map(|problem| problem.path.as_str()).collect();
    let all = ["body.services.pinMailer", "cardData.cvv2", "cardData.pan", "body.paymentApplication.config"];
    assert_eq!(paths, all);
    let answer = perso::order::d1_answer(&checked.problems).unwrap();
    let told = json!({"status": 400, "errorCode": FORMAT, "error": "services.pinMailer"});
    assert_eq!(serde_json::to_value(&answer).unwrap(), told);
}

#[test]
fn a_required_pin_that_is_absent_is_refused_first() {
    let (mut body, mut card) = plain();
    body["paymentApplication"]["config"] = "offline-pin".into();
    body["services"]["pinMailer"] = 1.into();
    refused(&body, &card, "cardData.pin", FORMAT);
    assert_eq!(checked(&envelope(&body, &card)).problems[0].code, perso::base::Code::OrderPin);
    body["services"]["pinMailer"] = true.into();
    card["pin"] = json!({"type": "ISO0", "encryptedPin": "0123456789ABCDEF", "kid": "1"});
    assert!(checked(&envelope(&body, &card)).order.is_some());
}

#[test]
fn defaults_are_the_documented_ones() {
    let (mut body, mut card) = plain();
    let order = checked(&envelope(&body, &card)).order.unwrap();
    assert_eq!(order.chip().psn(), 0);
    assert_eq!(order.chip().effective(), "261124");
    assert_eq!(order.chip().expiry(), "3012");
    assert!(matches!(order.stripe().pvv(), Pvv::Zero));
    assert!(order.chip().encoded_name().is_none());
    let fulfilment = |name: &str| {
        order.fulfilment().iter().find(|line| line.name == name).map(|line| line.value.expose().clone()).unwrap()
    };
    assert_eq!(fulfilment("delivery"), "NO_SHIPMENT");
    assert_eq!(fulfilment("packaging"), "NO_PACK");
    assert_eq!(fulfilment("cardCarrier"), "NO_CARRIER");
    assert_eq!(fulfilment("pinMailer"), "false");
    body["paymentApplication"]["pvKeyIndex"] = "01".into();
    card["trackData"] = tracks(ONE, TWO, None);
    let order = checked(&envelope(&body, &card)).order.unwrap();
    assert!(matches!(order.stripe().pvv(), Pvv::Computed));
    assert_eq!(order.chip().encoded_name().unwrap().expose(), "DOE/JANE");
    assert_eq!(order.chip().service_code(), Some("201"));
    card["pvv"] = "1234".into();
    let order = checked(&envelope(&body, &card)).order.unwrap();
    assert!(matches!(order.stripe().pvv(), Pvv::Given(pvv) if pvv.expose() == "1234"));
}

#[test]
fn a_carrier_in_a_bulk_shipment_needs_the_consumers_address() {
    let (mut body, card) = plain();
    body["distributionChannel"] = "CENTRAL".into();
    drop(&mut body, "persoStation");
    let address = json!({"lastName": "DOE", "line1": "1 ROAD", "zipCode": "1", "city": "X", "countryCode": "FR"});
    body["shipment"] = json!({"type": "BULK", "deliveryAddress": address});
    assert!(checked(&envelope(&body, &card)).order.is_some());
    body["services"]["cardCarrier"] = "CARRIER-1".into();
    refused(&body, &card, "body.shipment.individualAddress", FORMAT);
    body["shipment"]["individualAddress"] = address;
    assert!(checked(&envelope(&body, &card)).order.is_some());
}

#[test]
fn the_envelope_carries_what_the_body_lacks() {
    let (body, card) = plain();
    let whole = envelope(&body, &card);
    for name in ["issuerId", "cardId", "operationId", "receivedAt"] {
        let mut order = whole.clone();
        drop(&mut order, name);
        assert_eq!(first(&checked(&order)), Some((name.to_owned(), FORMAT)));
    }
    let mut order = whole.clone();
    order["receivedAt"] = "2026-13-24T08:30:00Z".into();
    assert_eq!(first(&checked(&order)), Some(("receivedAt".to_owned(), FORMAT)));
}

#[test]
fn text_that_is_no_json_is_a_parsing_error() {
    let (mut body, card) = plain();
    let header = order_support::header("ECDH-ES", "A256GCM", "order-ec-1");
    for text in [&b"{"[..], b"\xFF", br#"{"pan":"1","pan":"2"}"#] {
        let jwe = order_support::encrypt_with(text, &header);
        body["encryptedData"] = jwe.into();
        refused(&body, &card, "body.encryptedData", "PARSING_ERROR");
    }
    body["encryptedData"] = encrypt(&json!([1])).into();
    refused(&body, &card, "cardData", FORMAT);
}
