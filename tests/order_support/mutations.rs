//! What can be wrong with Pismo reissues, Mastercard-shaped orders and our own: one thing at a time, with the answer.

use serde_json::{Value, json};

use super::generate::Rng;
use super::others;

pub const FORMAT: &str = "FIELD_INVALID_FORMAT";
pub const VALUE: &str = "FIELD_INVALID_VALUE";
pub const NOT_ALLOWED: &str = "OPERATION_NOT_ALLOWED";

/// What every kind's card data must have, and the objects in it.
const CARD_REQUIRED: &[&str] =
    &["/card/pan", "/card/name", "/card/pin/form", "/card/pin/block", "/card/pin/kid", "/card/blocks/0/kek"];
const CARD_OBJECTS: &[&str] = &["/card", "/card/pin", "/card/blocks/0"];

/// Makes an order wrong; false where there is nothing of the kind in it.
pub type Spoil = dyn Fn(&mut Value, &mut Rng) -> bool;

/// One thing that is wrong: how it is made so (false where this order has nothing to change), and the answer.
pub struct Mutation {
    pub spoil: Box<Spoil>,
    pub path: String,
    pub code: &'static str,
}

fn spoilt(
    path: impl Into<String>,
    code: &'static str,
    spoil: impl Fn(&mut Value, &mut Rng) -> bool + 'static,
) -> Mutation {
    Mutation { spoil: Box::new(spoil), path: path.into(), code }
}

/// A member has this value.
fn has(pointer: &'static str, value: impl Into<Value>, code: &'static str) -> Mutation {
    let value = value.into();
    spoilt(path_of(pointer), code, move |order, _| put(order, pointer, value.clone()))
}

fn put(order: &mut Value, pointer: &str, value: Value) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let Some(members) = order.pointer_mut(parent).and_then(Value::as_object_mut) else { return false };
    members.insert(name.into(), value.clone()) != Some(value)
}

fn take(order: &mut Value, pointer: &str) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    order.pointer_mut(parent).and_then(Value::as_object_mut).is_some_and(|it| it.remove(name).is_some())
}

/// As the answer names it: `/card/blocks/0/kek` is `card.blocks[0].kek`.
pub fn path_of(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(at) => path += &format!("[{at}]"),
            Err(_) if path.is_empty() => path += part,
            Err(_) => path += &format!(".{part}"),
        }
    }
    path
}

pub fn missing(pointer: &'static str) -> Mutation {
    spoilt(path_of(pointer), FORMAT, move |order, _| take(order, pointer))
}

/// A member that nobody published. // docs/decisions/0006
pub fn unknown(parent: &'static str) -> Mutation {
    let path = path_of(&format!("{parent}/colour"));
    spoilt(path, FORMAT, move |order, _| put(order, &format!("{parent}/colour"), "red".into()))
}

/// What can be wrong with the card data of every kind.
fn of_card() -> Vec<Mutation> {
    let long = |letter: &str, count: usize| letter.repeat(count);
    let mut all: Vec<Mutation> = CARD_REQUIRED.iter().copied().map(missing).collect();
    all.extend(CARD_OBJECTS.iter().copied().map(unknown));
    all.extend([
        has("/card/pan", "47617390010", FORMAT),
        has("/card/pan", long("4", 20), FORMAT),
        has("/card/pan", "4761739001O10119", FORMAT),
        spoilt("card.pan", VALUE, wrong_check_digit),
        has("/card/expiry", "3013", FORMAT),
        has("/card/expiry", "300", FORMAT),
        spoilt("card.name", FORMAT, |order, _| {
            // A printed name of request, answer or client stands for it.
            let named = ["request", "response"].iter().any(|part| !order[*part]["printed_name"].is_null());
            !named && order["client"].is_null() && put(order, "/card/name", "tab\there".into())
        }),
        has("/card/psn", "1", FORMAT),
        has("/card/psn", "100", FORMAT),
        has("/card/plastic_sequence", -1, VALUE),
        has("/card/effective", "2026-02-30", FORMAT),
        has("/card/effective", "2050-01-01", VALUE),
        has("/card/effective", "1949-12-31", VALUE),
        has("/card/effective", "1026-11-24", VALUE),
        spoilt("card.expiry", VALUE, |order, rng| {
            // Tracks and answers state the right one: they are compared with what can be a card's expiry only.
            let year = rng.between(50, 99);
            put(order, "/card/expiry", format!("{year}{:02}", rng.between(1, 12)).into())
        }),
        spoilt("card.track2", VALUE, |order, _| {
            let Some(track) = order["card"]["track2"].as_str().map(|track| track.replacen('=', "D", 1)) else {
                return false;
            };
            put(order, "/card/track2", track.into())
        }),
        second_name(""),
        second_name(long("x", 65)),
        second_name("tab\there"),
        has("/card/cvv", "12A", FORMAT),
        has("/card/cvv2", "12", VALUE),
        has("/card/icvv", "1234", VALUE),
        has("/card/pvv", "12345", FORMAT),
        has("/card/pvv", "12A4", FORMAT),
        has("/card/par", long("A", 28), FORMAT),
        has("/card/par", long("a", 29), FORMAT),
        spoilt("card.encoded_name", FORMAT, |order, _| {
            order["card"]["track1"].is_null() && put(order, "/card/encoded_name", "doe/jane".into())
        }),
        spoilt("card.service_code", VALUE, |order, _| {
            order["card"]["track2"].is_null() && put(order, "/card/service_code", "20".into())
        }),
        spoilt("card.track2", VALUE, |order, rng| {
            let other = others::another_pan(rng, &order["card"]["pan"]);
            let track = format!(";{}={}201?", other.as_str().unwrap(), order["card"]["expiry"].as_str().unwrap());
            !order["card"]["track2"].is_null() && put(order, "/card/track2", track.into())
        }),
        spoilt("card.track1", VALUE, |order, _| {
            !order["card"]["track1"].is_null() && put(order, "/card/encoded_name", "SOMEBODY/ELSE".into())
        }),
        spoilt("card.track3", VALUE, |order, _| put(order, "/card/track3", long_track3().into())),
        has("/card/pin/form", "ISO3", VALUE),
        has("/card/pin/block", "0123", FORMAT),
        has("/card/pin/kid", "9", VALUE),
        has("/card/pin/kid", "1234", FORMAT),
        spoilt("card.pin.transport_key", NOT_ALLOWED, |order, _| {
            order["card"]["pin"]["form"] != "ISO0TK" && put(order, "/card/pin/transport_key", "00".repeat(16).into())
        }),
        spoilt("card.pin.transport_kcv", FORMAT, |order, _| take(order, "/card/pin/transport_kcv")),
        has("/card/blocks/0/mac_key", "001122334455667788", FORMAT),
        has("/card/blocks/0/data", "9F36020", FORMAT),
        has("/card/blocks/0/kek", "9", VALUE),
        has("/card/blocks/0/mac", "010203", FORMAT),
        spoilt("card.blocks[0].length", VALUE, |order, _| put(order, "/card/blocks/0/length", "2".into())),
        spoilt("card.blocks", FORMAT, |order, rng| {
            put(
                order,
                "/card/blocks",
                (0..11).map(|_| json!({"kek": rng.text("1", 1, 1), "mac_key": "", "data": "", "mac": ""})).collect(),
            )
        }),
    ]);
    all
}

/// Where a company is named, it is the second line.
fn second_name(text: impl Into<Value>) -> Mutation {
    let text = text.into();
    spoilt("card.second_name", FORMAT, move |order, _| {
        order["client"]["companyName"].is_null() && put(order, "/card/second_name", text.clone())
    })
}

fn wrong_check_digit(order: &mut Value, _: &mut Rng) -> bool {
    let Some(pan) = order["card"]["pan"].as_str().filter(|_| order["card"]["track2"].is_null()) else { return false };
    let digit = (pan.bytes().last().unwrap() - b'0' + 1) % 10;
    let pan = format!("{}{digit}", &pan[..pan.len() - 1]);
    put(order, "/card/pan", pan.into())
}

fn long_track3() -> String {
    format!(";4761739001010119={}?", "1".repeat(107))
}

pub fn of_own() -> Vec<Mutation> {
    let mut all = vec![
        missing("/card/expiry"),
        has("/perso_order", 2, "PARSING_ERROR"),
        has("/perso_order", "1", FORMAT),
        spoilt("card", NOT_ALLOWED, |order, _| put(order, "/test", false.into())),
        has("/identity/issuer", "", FORMAT),
        has("/identity/card", "x".repeat(65), FORMAT),
        has("/identity/operation", "a b", FORMAT),
        has("/identity/received_at", "2026-11-24", FORMAT),
        has("/issuance", "gift", VALUE),
        has("/channel", "post", VALUE),
        spoilt("station", FORMAT, |order, _| take(order, "/station")),
        spoilt("station", VALUE, |order, _| {
            order["channel"] == "instant" && put(order, "/station", "station-9".into())
        }),
        spoilt("station", NOT_ALLOWED, |order, _| {
            order["channel"] != "instant" && put(order, "/station", "station-1".into())
        }),
        spoilt("center", VALUE, |order, _| order["channel"] == "central" && put(order, "/center", "center-9".into())),
        spoilt("center", NOT_ALLOWED, |order, _| {
            order["channel"] != "central" && put(order, "/center", "center-1".into())
        }),
        has("/product/profile", "gold", VALUE),
        spoilt("product.contactless", VALUE, |order, _| {
            let contact = order["product"]["profile"] == "debit-contact-scp02";
            put(order, "/product/contactless", contact.into())
        }),
        has("/product/applications", 3, VALUE),
        has("/product/oda_key", "1", FORMAT),
        has("/product/derivation_key", "99", VALUE),
        has("/product/cv_key", "G1", FORMAT),
        has("/product/pv_key", "FF", VALUE),
        has("/product/pin_length", 3, VALUE),
        has("/product/pin_length", 13, VALUE),
        spoilt("product.generate_pvv", VALUE, |order, _| {
            take(order, "/product/pv_key");
            put(order, "/product/generate_pvv", true.into())
        }),
        spoilt("card.pin", FORMAT, |order, _| {
            take(order, "/card/pin");
            put(order, "/product/pin_required", true.into())
        }),
        spoilt("report.colour", FORMAT, |order, _| put(order, "/report/colour", 7.into())),
    ];
    all.extend(of_card());
    all
}

pub fn of_pismo() -> Vec<Mutation> {
    let mut all = vec![
        // The answer's expiry stands in for it.
        spoilt("card.expiry", FORMAT, |order, _| {
            let stated = ["request", "response"].iter().any(|part| !order[*part]["expiration_date"].is_null());
            !stated && take(order, "/card/expiry")
        }),
        has("/perso_pismo", 2, VALUE),
        has("/accountId", 0, VALUE),
        has("/orgId", "x".repeat(65), FORMAT),
        has("/receivedAt", "yesterday", FORMAT),
        has("/x-idempotency-key", "x".repeat(37), FORMAT),
        has("/request/reason_id", -1, VALUE),
        has("/request/pin_length", 5, VALUE),
        has("/request/pin_length", 8, VALUE),
        has("/request/cvv_rotation_interval_hours", 4321, VALUE),
        has("/request/printed_name", "J", FORMAT),
        has("/request/printed_name", "x".repeat(27), FORMAT),
        has("/request/printed_name", "J4NE DOE", FORMAT),
        has("/request/embossing_custom_field", "x".repeat(1001), FORMAT),
        has("/request/metadata", json!({"a": "x".repeat(3201)}), FORMAT),
        has("/request/mode_type", "DOUBLE", VALUE),
        has("/request/brand", "DINERS", VALUE),
        has("/request/status", "CREATED", VALUE),
        has("/request/expiration_date", "1330", FORMAT),
        has("/response/expiration_date", "2030-13-31T00:00:00Z", FORMAT),
        has("/response/expiration_date", "5012", VALUE),
        has("/response/issuing_date", "2026-11-24", FORMAT),
        spoilt("response.issuing_date", FORMAT, |order, _| {
            order["card"]["effective"].is_null() && put(order, "/response/issuing_date", "2026-13-24T08:30:00Z".into())
        }),
        spoilt("response.issuing_date", VALUE, |order, _| {
            order["card"]["effective"].is_null() && put(order, "/response/issuing_date", "2051-01-24T08:30:00Z".into())
        }),
        has("/response/track_number", 0, VALUE),
        has("/response/status", "BLOCKED", NOT_ALLOWED),
        has("/response/valid_until", "2025-12-31T23:59:59Z", VALUE),
        has("/response/valid_until", "2050-01-01T00:00:00Z", VALUE),
        has("/response/validity_period_hours", 0, VALUE),
        has("/request/validity_period_hours", 500_000, VALUE),
        has("/request/validity_period_hours", i64::MAX, VALUE),
        spoilt("response.mode", VALUE, |order, _| {
            order["request"]["template_id"] == "T-1"
                && order["request"]["mode_type"] != "SINGLE"
                && put(order, "/response/mode", "MULTIPLE".into())
        }),
        has("/response/mode", "GIFT", VALUE),
        has("/response/type", "VIRTUAL", NOT_ALLOWED),
        has("/response/card_type", "TEMPORARY", NOT_ALLOWED),
        spoilt("response.type", FORMAT, |order, _| take(order, "/response/type")),
        has("/request/status", "UNNUMBERED", NOT_ALLOWED),
        has("/response/status", "UNNUMBERED", NOT_ALLOWED),
        has("/request/embossing_group", "E", FORMAT),
        spoilt("request.embossing_group", VALUE, |order, _| {
            order["request"]["template_id"].is_null() && put(order, "/request/embossing_group", "EM9".into())
        }),
        spoilt("request.template_id", VALUE, |order, _| {
            !order["request"]["template_id"].is_null() && put(order, "/request/template_id", "T-9".into())
        }),
        spoilt("request.mode_type", VALUE, |order, _| {
            !order["request"]["template_id"].is_null() && put(order, "/request/mode_type", "COMBO".into())
        }),
        spoilt("response.mode", VALUE, |order, _| {
            order["request"]["mode_type"] == "SINGLE"
                && order["request"]["contactless_enabled"] == true
                && order["request"]["template_id"].is_null()
                && put(order, "/response/mode", "COMBO".into())
        }),
        spoilt("response.mode", VALUE, |order, _| {
            order["request"]["mode_type"] == "SINGLE"
                && order["request"]["contactless_enabled"] == true
                && order["request"]["template_id"].is_null()
                && put(order, "/response/mode", "MULTIPLE".into())
        }),
        spoilt("request.contactless_enabled", VALUE, |order, _| {
            let combo = ["COMBO", "MULTIPLE"].iter().any(|mode| order["response"]["mode"] == *mode)
                || order["request"]["mode_type"] == "COMBO";
            take(order, "/response/contactless_enabled");
            combo && put(order, "/request/contactless_enabled", false.into())
        }),
        spoilt("response.contactless_enabled", VALUE, |order, _| {
            let asked = order["request"]["contactless_enabled"] == true;
            put(order, "/response/contactless_enabled", (!asked).into())
        }),
        spoilt("response.printed_name", VALUE, |order, _| {
            !order["request"]["printed_name"].is_null() && put(order, "/response/printed_name", "Somebody Else".into())
        }),
        spoilt("request.generate_pvv", VALUE, |order, _| {
            !order["request"]["template_id"].is_null() && put(order, "/request/generate_pvv", true.into())
        }),
        spoilt("card.pin", FORMAT, |order, _| order["request"]["template_id"] == "T-2" && take(order, "/card/pin")),
        spoilt("card", NOT_ALLOWED, |order, _| put(order, "/test", false.into())),
    ];
    all.extend(of_card());
    all
}

pub fn of_mastercard() -> Vec<Mutation> {
    let mut all = vec![
        has("/perso_mastercard", 0, VALUE),
        has("/issuerId", "a b", FORMAT),
        has("/cardContractId", "x".repeat(65), FORMAT),
        has("/receivedAt", "2026-02-30T00:00:00Z", FORMAT),
        has("/productCode", "", FORMAT),
        has("/productionStatus", "Locked", NOT_ALLOWED),
        has("/request/reissueType", "REPRINT", NOT_ALLOWED),
        has("/request/reissueType", "REISSUE_D", NOT_ALLOWED),
        has("/request/reissueType", "NEW", VALUE),
        has("/response/newSequenceNumber", 0, VALUE),
        has("/response/newSequenceNumber", 1, VALUE),
        has("/response/newSequenceNumber", -1, VALUE),
        has("/response/newSequenceNumber", 1000, VALUE),
        has("/response/newSequenceNumber", 1.5, FORMAT),
        has("/response/newCardExpiryDate", "soon", FORMAT),
        has("/response/newCardExpiryDate", "2050-01-31", VALUE),
        has("/response/plasticId", "a/b", FORMAT),
        has("/client/title", "", FORMAT),
        has("/client/firstName", "J4ne", FORMAT),
        has("/client/lastName", "x".repeat(27), FORMAT),
        spoilt("client.lastName", FORMAT, |order, _| put(order, "/client/lastName", "x".repeat(26).into())),
        has("/client/companyName", "x".repeat(27), FORMAT),
        has("/client/addressLine1", "", FORMAT),
        has("/client/addressLine2", "x".repeat(65), FORMAT),
        has("/client/addressLine3", "<b>", FORMAT),
        has("/client/postalCode", "12345678901", FORMAT),
        has("/client/city", "x".repeat(33), FORMAT),
        has("/client/country", "", FORMAT),
        spoilt("card.pin", FORMAT, |order, _| take(order, "/card/pin")),
        spoilt("card", NOT_ALLOWED, |order, _| put(order, "/test", false.into())),
    ];
    // The name is the client's; the card's data must have one all the same.
    all.push(missing("/card/name"));
    all.extend(of_card().into_iter().filter(|mutation| mutation.path != "card.name"));
    all
}
