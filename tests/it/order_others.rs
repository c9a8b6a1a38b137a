//! Pismo reissues, Mastercard-shaped orders, our own file, and a site's configuration: what is accepted and what is
//! refused, with field and code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use order_support::{checked, encrypt, first, sample, site_text};
use perso::base::Code;
use perso::order::{Issuance, Order, Part, Site, Source, check};
use serde_json::{Value, json};

const FORMAT: &str = "FIELD_INVALID_FORMAT";
const VALUE: &str = "FIELD_INVALID_VALUE";
const NOT_ALLOWED: &str = "OPERATION_NOT_ALLOWED";

fn json_of(name: &str) -> Value {
    serde_json::from_str(&sample(name)).unwrap()
}

/// The sample with a value at a pointer; null takes it away.
fn with(name: &str, pointer: &str, value: Value) -> Value {
    let mut order = json_of(name);
    put(&mut order, pointer, value);
    order
}

fn put(order: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let members = order.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() { drop(members.remove(name)) } else { drop(members.insert(name.into(), value)) }
}

fn accepted(order: &Value) -> Order {
    let checked = checked(order);
    assert!(checked.problems.is_empty() && checked.skipped.is_empty(), "{:?} {:?}", checked.problems, checked.skipped);
    checked.order.unwrap()
}

fn refused(order: &Value, path: &str, code: &str) {
    let checked = checked(order);
    let (seen, answer) = first(&checked).unwrap_or_else(|| panic!("{path}: it is accepted"));
    assert_eq!((seen.as_str(), answer), (path, code), "{:?}", checked.problems);
    assert!(checked.order.is_none());
}

#[test]
fn an_identity_that_holds_the_pan_is_refused() {
    for member in ["issuer", "card", "operation"] {
        for id in ["c-4761739001010119", "4761-7390-0101-0119"] {
            let pointer = format!("/identity/{member}");
            refused(&with("own.json", &pointer, id.into()), &format!("identity.{member}"), VALUE);
        }
    }
    refused(&with("d1-instant.json", "/cardId", "4761739001010119".into()), "cardId", VALUE);
    refused(&with("pismo-reissue.json", "/cardId", "4761739001010119".into()), "cardId", VALUE);
}

#[test]
fn every_sample_is_accepted_and_known() {
    for (name, source) in [
        ("own.json", Source::Own),
        ("pismo-reissue.json", Source::Pismo),
        ("mastercard-reissue.json", Source::Mastercard),
    ] {
        let order = accepted(&json_of(name));
        assert_eq!(order.source(), source);
        assert!(order.is_test());
    }
    for channel in ["instant", "central", "thales"] {
        let name = format!("d1-{channel}.json");
        let order = json_of(&name);
        assert_eq!(accepted(&order).source(), Source::D1);
    }
}

#[test]
fn the_three_counters_are_kept_apart() {
    let mut own = json_of("own.json");
    for (name, value) in [("psn", json!("07")), ("plastic_sequence", json!(8)), ("track_number", json!(9))] {
        own["card"][name] = value;
    }
    let order = accepted(&own);
    assert_eq!((order.chip().psn(), order.plastic_sequence(), order.track_number()), (7, Some(8), Some(9)));
    let pismo = accepted(&json_of("pismo-reissue.json"));
    assert_eq!((pismo.chip().psn(), pismo.plastic_sequence(), pismo.track_number()), (1, None, Some(2)));
    let mastercard = accepted(&json_of("mastercard-reissue.json"));
    assert_eq!((mastercard.chip().psn(), mastercard.plastic_sequence(), mastercard.track_number()), (1, Some(2), None));
    // A line of that name which the sender made up is no counter.
    put(&mut own, "/card/track_number", Value::Null);
    own["report"] = json!({"track_number": "77"});
    assert_eq!(accepted(&own).track_number(), None);
}

#[test]
fn a_counter_that_the_card_data_contradicts_is_refused() {
    let cases = [
        ("mastercard-reissue.json", "/card/plastic_sequence", "response.newSequenceNumber"),
        ("pismo-reissue.json", "/card/track_number", "response.track_number"),
    ];
    for (name, pointer, path) in cases {
        // The answers have 2.
        let agreeing = accepted(&with(name, pointer, 2.into()));
        assert_eq!(agreeing.plastic_sequence().or(agreeing.track_number()), Some(2));
        refused(&with(name, pointer, 3.into()), path, VALUE);
        let mut encrypted = with(name, pointer, 3.into());
        encrypted["encryptedData"] = encrypt(&encrypted["card"]).into();
        put(&mut encrypted, "/card", Value::Null);
        refused(&encrypted, path, VALUE);
    }
    // Where the answer has none, the card data's stands.
    let mut silent = with("pismo-reissue.json", "/response/track_number", Value::Null);
    put(&mut silent, "/card/track_number", 3.into());
    assert_eq!(accepted(&silent).track_number(), Some(3));
}

#[test]
fn pismo_makes_plastic_cards_with_a_pan_only() {
    let name = "pismo-reissue.json";
    for kind in ["VIRTUAL", "TEMPORARY", "RECURRING"] {
        refused(&with(name, "/response/type", kind.into()), "response.type", NOT_ALLOWED);
    }
    refused(&with(name, "/response/type", Value::Null), "response.type", FORMAT);
    let unnumbered = with(name, "/request/status", "UNNUMBERED".into());
    refused(&unnumbered, "request.status", NOT_ALLOWED);
    assert!(checked(&unnumbered).problems[0].message.contains("neither PAN nor PIN"));
    // The example of the documentation says card_type where the definition says type.
    let mut example = with(name, "/response/type", Value::Null);
    example["response"]["card_type"] = "PLASTIC".into();
    accepted(&example);
    example["response"]["card_type"] = "VIRTUAL".into();
    refused(&example, "response.card_type", NOT_ALLOWED);
}

#[test]
fn pismo_selects_product_and_station() {
    let name = "pismo-reissue.json";
    let order = accepted(&json_of(name));
    assert_eq!((order.product().profile(), order.station()), ("dual-interface-scp03", Some("station-1")));
    let mut contact = with(name, "/request/contactless_enabled", false.into());
    put(&mut contact, "/response/contactless_enabled", Value::Null);
    assert_eq!(accepted(&contact).product().profile(), "debit-contact-scp02");
    let combo = accepted(&with(name, "/request/mode_type", "COMBO".into()));
    assert_eq!((combo.product().profile(), combo.product().applications()), ("debit-credit-combo", Some(2)));
    let mut template = with(name, "/request/template_id", "EAFA693A-57B2-4029-97F3-D20D6F06D79B".into());
    put(&mut template, "/request/embossing_group", Value::Null);
    put(&mut template, "/request/contactless_enabled", false.into());
    put(&mut template, "/response/contactless_enabled", false.into());
    assert_eq!(accepted(&template).station(), Some("station-2"));
    put(&mut template, "/request/mode_type", "COMBO".into());
    refused(&template, "request.mode_type", VALUE);
    refused(&with(name, "/request/embossing_group", "EM9".into()), "request.embossing_group", VALUE);
    refused(&with(name, "/response/contactless_enabled", false.into()), "response.contactless_enabled", VALUE);
}

#[test]
fn a_combo_product_must_have_two_applications() {
    let text = site_text().replace("contactless = true\napplications = 2", "contactless = true\napplications = 1");
    let order = with("pismo-reissue.json", "/request/mode_type", "COMBO".into()).to_string();
    let site = Site::parse(&text).unwrap();
    let problems = Order::read(order.as_bytes(), &site, &*order_support::STORE).err().unwrap();
    assert_eq!(problems[0].path, "request.mode_type");
}

#[test]
fn pismo_fields_have_their_form() {
    let name = "pismo-reissue.json";
    let cases: [(&str, Value, &str, &str); 9] = [
        ("/request/pin_length", 5.into(), "request.pin_length", VALUE),
        ("/request/pin_length", 8.into(), "request.pin_length", VALUE),
        ("/request/printed_name", "J4ne".into(), "request.printed_name", FORMAT),
        ("/request/printed_name", "J".into(), "request.printed_name", FORMAT),
        ("/request/embossing_custom_field", "x".repeat(1001).into(), "request.embossing_custom_field", FORMAT),
        ("/x-idempotency-key", "x".repeat(37).into(), "x-idempotency-key", FORMAT),
        ("/request/reason_id", Value::Null, "request.reason_id", FORMAT),
        ("/request/brand", "DINERS".into(), "request.brand", VALUE),
        ("/request/metadata", json!({"a": "x".repeat(3300)}), "request.metadata", FORMAT),
    ];
    for (pointer, value, path, code) in cases {
        refused(&with(name, pointer, value), path, code);
    }
    assert_eq!(accepted(&with(name, "/request/pin_length", 6.into())).product().pin_length(), Some(6));
    assert_eq!(accepted(&with(name, "/request/reason_id", 1730.into())).issuance(), Issuance::Renewal);
    assert_eq!(accepted(&json_of(name)).issuance(), Issuance::Replacement);
}

#[test]
fn pismo_expiry_is_a_month_or_a_date() {
    let name = "pismo-reissue.json";
    for text in ["3012", "2030-12-31T23:59:59Z", "2030-12-01T00:00:00+01:00"] {
        accepted(&with(name, "/response/expiration_date", text.into()));
    }
    for text in ["3013", "2030-13-31T00:00:00Z", "December", "301", "1230"] {
        refused(&with(name, "/response/expiration_date", text.into()), "response.expiration_date", FORMAT);
    }
    refused(&with(name, "/request/expiration_date", "3011".into()), "request.expiration_date", VALUE);
}

#[test]
fn a_pvv_that_is_asked_for_needs_a_key() {
    let order = with("pismo-reissue.json", "/request/generate_pvv", true.into());
    assert!(matches!(accepted(&order).stripe().pvv(), perso::order::Pvv::Computed));
    assert!(matches!(accepted(&json_of("pismo-reissue.json")).stripe().pvv(), perso::order::Pvv::Zero));
    let site = Site::parse(&site_text().replacen("pv_key = \"01\"\n", "", 1)).unwrap();
    let problems = Order::read(order.to_string().as_bytes(), &site, &*order_support::STORE).err().unwrap();
    assert_eq!(problems[0].path, "request.generate_pvv");
    // Whose key it would be cannot be known without a site: nothing is wrong then.
    assert_eq!(check(order.to_string().as_bytes(), None, None).problems, []);
}

#[test]
fn mastercard_needs_the_pin_set_first() {
    let mut order = with("mastercard-reissue.json", "/card/pin", Value::Null);
    order["client"]["postalCode"] = "#".into();
    let checked = checked(&order);
    assert_eq!((checked.problems[0].path.as_str(), checked.problems[0].code), ("card.pin", Code::OrderPin));
    assert_eq!(checked.problems[1].path, "client.postalCode");
}

#[test]
fn mastercard_names_are_capitals_and_26_together() {
    let name = "mastercard-reissue.json";
    let print = |order: &Order| {
        let mut names = Vec::new();
        order.walk(&mut |part, name, value| {
            if part == Part::Print && name.starts_with("name") {
                names.push(value.to_owned());
            }
        });
        names
    };
    assert_eq!(print(&accepted(&json_of(name))), ["MS JANE DOE"]);
    let company = accepted(&with(name, "/client/companyName", "Bank Co".into()));
    assert_eq!(print(&company), ["MS JANE DOE", "BANK CO"]);
    // Without a company, the second line of the card's data is not lost.
    let second = accepted(&with(name, "/card/second_name", "Family".into()));
    assert_eq!(print(&second), ["MS JANE DOE", "FAMILY"]);
    refused(&with(name, "/card/second_name", "x".repeat(27).into()), "card.second_name", FORMAT);
    // Ms Jane and a blank are 8 characters: 18 are left.
    accepted(&with(name, "/client/lastName", "x".repeat(18).into()));
    refused(&with(name, "/client/lastName", "x".repeat(19).into()), "client.lastName", FORMAT);
    refused(&with(name, "/client/companyName", "x".repeat(27).into()), "client.companyName", FORMAT);
}

#[test]
fn mastercard_orders_that_make_no_card_are_refused() {
    let name = "mastercard-reissue.json";
    for (word, code) in [
        ("REPRINT", NOT_ALLOWED),
        ("REISSUE_D", NOT_ALLOWED),
        ("RENEW_D", NOT_ALLOWED),
        ("REPLACE_D", NOT_ALLOWED),
        ("NEW", VALUE),
    ] {
        refused(&with(name, "/request/reissueType", word.into()), "request.reissueType", code);
    }
    for status in ["Sent", "Ready", "Locked"] {
        refused(&with(name, "/productionStatus", status.into()), "productionStatus", NOT_ALLOWED);
    }
    refused(&with(name, "/response/newSequenceNumber", 0.into()), "response.newSequenceNumber", VALUE);
    refused(&with(name, "/response/newCardExpiryDate", "2030-11-30".into()), "response.newCardExpiryDate", VALUE);
    refused(&with(name, "/response/newCardExpiryDate", "soon".into()), "response.newCardExpiryDate", FORMAT);
    refused(&with(name, "/client/addressLine1", Value::Null), "client.addressLine1", FORMAT);
}

#[test]
fn card_data_in_the_clear_is_for_test_orders_only() {
    for name in ["own.json", "pismo-reissue.json", "mastercard-reissue.json"] {
        refused(&with(name, "/test", Value::Null), "card", NOT_ALLOWED);
        let encrypted_data = if name == "own.json" { "encrypted_data" } else { "encryptedData" };
        let mut order = json_of(name);
        order[encrypted_data] = encrypt(&order["card"]).into();
        refused(&order, "card", FORMAT);
        put(&mut order, "/card", Value::Null);
        accepted(&order);
        put(&mut order, "/test", Value::Null);
        refused(&order, "test", NOT_ALLOWED);
        put(&mut order, "/test", true.into());
        put(&mut order, &format!("/{encrypted_data}"), Value::Null);
        refused(&order, encrypted_data, FORMAT);
    }
}

#[test]
fn our_own_order_is_held_to_the_same() {
    let name = "own.json";
    let cases: [(&str, Value, &str, &str); 18] = [
        ("/perso_order", 2.into(), "perso_order", "PARSING_ERROR"),
        ("/identity/issuer", "a b".into(), "identity.issuer", FORMAT),
        ("/identity/received_at", "yesterday".into(), "identity.received_at", FORMAT),
        ("/issuance", "gift".into(), "issuance", VALUE),
        ("/channel", "post".into(), "channel", VALUE),
        ("/station", Value::Null, "station", FORMAT),
        ("/station", "station-9".into(), "station", VALUE),
        ("/center", "center-1".into(), "center", NOT_ALLOWED),
        ("/product/contactless", true.into(), "product.contactless", VALUE),
        ("/product/applications", 2.into(), "product.applications", VALUE),
        ("/product/pin_length", 13.into(), "product.pin_length", VALUE),
        ("/card/pan", "4761739001010118".into(), "card.pan", VALUE),
        ("/card/expiry", "3013".into(), "card.expiry", FORMAT),
        ("/card/service_code", "20".into(), "card.service_code", VALUE),
        ("/card/pin/block", "0123".into(), "card.pin.block", FORMAT),
        ("/card/pin/transport_key", "00".into(), "card.pin.transport_key", NOT_ALLOWED),
        ("/card/pin/kid", "9".into(), "card.pin.kid", VALUE),
        ("/colour", "red".into(), "colour", FORMAT),
    ];
    for (pointer, value, path, code) in cases {
        refused(&with(name, pointer, value), path, code);
    }
    let mut central = with(name, "/channel", "central".into());
    refused(&central, "station", NOT_ALLOWED);
    put(&mut central, "/station", Value::Null);
    put(&mut central, "/center", "center-1".into());
    accepted(&central);
}

#[test]
fn what_is_no_order_is_refused() {
    for (text, path) in [
        ("", "(file)"),
        ("{", "(file)"),
        ("[]", "(file)"),
        ("{\"body\":{}}", "(file)"),
        ("{\"perso_order\":1,\"perso_order\":1}", "(file)"),
    ] {
        let checked = check(text.as_bytes(), None, None);
        assert_eq!((checked.problems[0].path.as_str(), checked.problems[0].code), (path, Code::OrderSyntax), "{text}");
    }
    let long = vec![b' '; perso::order::MAX_ORDER + 1];
    assert_eq!(check(&long, None, None).problems[0].code, Code::OrderSyntax);
    let deep = "[".repeat(100_000);
    assert_eq!(check(deep.as_bytes(), None, None).problems[0].code, Code::OrderSyntax);
}

#[test]
fn what_cannot_be_checked_is_said() {
    let own = sample("own.json");
    let checked = check(own.as_bytes(), None, None);
    assert!(checked.problems.is_empty() && checked.order.is_none());
    assert!(checked.skipped.iter().any(|what| what.contains("no site was given")), "{:?}", checked.skipped);
    let checked = check(own.as_bytes(), Some(&order_support::SITE), None);
    assert!(checked.skipped.iter().any(|what| what.contains("no key store was given")), "{:?}", checked.skipped);
}

#[test]
fn a_view_shows_no_secret() {
    for name in ["own.json", "pismo-reissue.json", "mastercard-reissue.json"] {
        let view = serde_json::to_string(&perso::order::view(&accepted(&json_of(name)))).unwrap();
        for secret in ["4761739001010119", "5413330089010434", "0123456789ABCDEF", "JANE", "Jane", "Sample Road"] {
            assert!(!view.contains(secret), "{name} shows {secret}: {view}");
        }
        assert!(view.contains("******"), "{view}");
    }
}

#[test]
fn a_sites_configuration_must_make_sense() {
    let text = site_text();
    let cases = [
        ("\"instant\", \"central\"", "\"instant\", \"postal\"", "channels[1]"),
        ("\"elsewhere\"", "\"somewhere\"", "stripe"),
        ("alg = \"ECDH-ES\"", "alg = \"none\"", "jwe[0].alg"),
        ("alg = \"ECDH-ES\"", "alg = \"PBES2-HS256+A128KW\"", "jwe[0].alg"),
        ("enc = \"A256GCM\"", "enc = \"A128GCM\"", "jwe[0].enc"),
        ("kid = \"order-ec-1\"", "kid = \"\"", "jwe[0]"),
        ("form = \"ISO0\"", "form = \"ISO9\"", "pin[0].form"),
        ("use = \"oda\"", "use = \"ode\"", "index[0].use"),
        ("keys = [\"lab-issuer-rsa\"]", "keys = []", "index[0].keys"),
        ("combo = \"debit-credit-combo\"", "combo = \"lost\"", "select[0]"),
        ("station = \"station-1\"", "station = \"station-9\"", "select[0].station"),
        ("1730 = \"renewal\"", "1730 = \"creation\"", "reason.1730"),
        ("[reason]", "[reasons]", "(file)"),
    ];
    for (old, new, path) in cases {
        assert!(text.contains(old), "{old}");
        let error = Site::parse(&text.replacen(old, new, 1)).expect_err(new);
        assert_eq!(error.path, path, "{new}: {error}");
    }
}
