//! Pismo reissues, Mastercard-shaped orders and our own: a thousand generated valid ones of each are accepted, a
//! thousand with one thing wrong are refused with exactly that member. `order_d1.rs` does the same for D1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod order_support;

use order_support::generate::Rng;
use order_support::{checked, encrypt, encrypt_rsa, first, others};
use perso::order::Source;
use serde_json::{Value, json};

const FORMAT: &str = "FIELD_INVALID_FORMAT";
const VALUE: &str = "FIELD_INVALID_VALUE";
const NOT_ALLOWED: &str = "OPERATION_NOT_ALLOWED";
const ORDERS: u64 = 1000;

/// A kind of order: its generator, the member that holds encrypted card data, and what can be wrong with it.
struct Kind {
    source: Source,
    make: fn(&mut Rng) -> Value,
    encrypted: &'static str,
    seed: u64,
    mutations: fn() -> Vec<Mutation>,
    required: &'static [&'static str],
    objects: &'static [&'static str],
}

const KINDS: [Kind; 3] = [
    Kind {
        source: Source::Own,
        make: others::own,
        encrypted: "encrypted_data",
        seed: 1_000_000,
        mutations: of_own,
        required: &[
            "/identity",
            "/identity/issuer",
            "/identity/card",
            "/identity/operation",
            "/identity/received_at",
            "/issuance",
            "/channel",
            "/product",
            "/product/profile",
        ],
        objects: &["", "/identity", "/product"],
    },
    Kind {
        source: Source::Pismo,
        make: others::pismo,
        encrypted: "encryptedData",
        seed: 2_000_000,
        mutations: of_pismo,
        required: &[
            "/orgId",
            "/customerId",
            "/accountId",
            "/cardId",
            "/operationId",
            "/receivedAt",
            "/request",
            "/response",
            "/request/reason_id",
        ],
        objects: &["", "/request", "/response", "/response/program", "/response/org"],
    },
    Kind {
        source: Source::Mastercard,
        make: others::mastercard,
        encrypted: "encryptedData",
        seed: 3_000_000,
        mutations: of_mastercard,
        required: &[
            "/issuerId",
            "/cardContractId",
            "/operationId",
            "/receivedAt",
            "/productionStatus",
            "/request",
            "/request/reissueType",
            "/response",
            "/response/newCardExpiryDate",
            "/response/plasticId",
            "/response/newSequenceNumber",
            "/client",
            "/client/firstName",
            "/client/lastName",
            "/client/addressLine1",
            "/client/postalCode",
            "/client/city",
            "/client/country",
        ],
        objects: &["", "/request", "/response", "/client"],
    },
];

/// What every kind's card data must have, and the objects in it.
const CARD_REQUIRED: &[&str] = &[
    "/card/pan",
    "/card/expiry",
    "/card/name",
    "/card/pin/form",
    "/card/pin/block",
    "/card/pin/kid",
    "/card/blocks/0/kek",
];
const CARD_OBJECTS: &[&str] = &["/card", "/card/pin", "/card/blocks/0"];

/// Every fourth order has its card data encrypted.
fn generated(kind: &Kind, rng: &mut Rng) -> Value {
    (kind.make)(rng)
}

fn sealed(kind: &Kind, mut order: Value, seed: u64) -> Value {
    // What is no object is no card data: it stays where it is.
    if seed.is_multiple_of(4) && order["card"].is_object() {
        let card = order.as_object_mut().unwrap().remove("card").unwrap();
        order[kind.encrypted] = if seed.is_multiple_of(40) { encrypt_rsa(&card) } else { encrypt(&card) }.into();
    }
    order
}

#[test]
fn a_thousand_valid_orders_of_each_kind_are_accepted() {
    for kind in &KINDS {
        for seed in 0..ORDERS {
            let order = generated(kind, &mut Rng::new(kind.seed + seed));
            let pan = order["card"]["pan"].as_str().unwrap().to_owned();
            let checked = checked(&sealed(kind, order, seed));
            let what = format!("{} {seed}", kind.source.name());
            assert!(checked.problems.is_empty() && checked.skipped.is_empty(), "{what}: {:?}", checked.problems);
            let order = checked.order.unwrap_or_else(|| panic!("{what}"));
            assert_eq!((order.source(), order.chip().pan().digits()), (kind.source, pan.as_str()), "{what}");
            assert!(order.is_test(), "{what}");
        }
    }
}

#[test]
fn what_is_generated_has_the_shape_that_is_published() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/order.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for seed in 0..ORDERS {
        let order = generated(&KINDS[0], &mut Rng::new(KINDS[0].seed + seed));
        assert!(schema.is_valid(&order), "{seed}: {:?}", schema.iter_errors(&order).map(|it| it.to_string()).next());
    }
}

/// Spoils an order; false where this order has nothing to be spoiled so.
type Spoil = Box<dyn Fn(&mut Value, &mut Rng) -> bool>;

/// One thing that is wrong: how it is made so (false where this order has nothing to change), and the answer.
struct Mutation {
    spoil: Spoil,
    path: String,
    code: &'static str,
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
fn path_of(pointer: &str) -> String {
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

fn missing(pointer: &'static str) -> Mutation {
    spoilt(path_of(pointer), FORMAT, move |order, _| take(order, pointer))
}

/// A member that nobody published. // docs/decisions/0006
fn unknown(parent: &'static str) -> Mutation {
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

fn of_own() -> Vec<Mutation> {
    let mut all = vec![
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

fn of_pismo() -> Vec<Mutation> {
    let mut all = vec![
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
        spoilt("request.contactless_enabled", VALUE, |order, _| {
            let combo = order["response"]["mode"] == "COMBO" || order["request"]["mode_type"] == "COMBO";
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

fn of_mastercard() -> Vec<Mutation> {
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

#[test]
fn a_thousand_orders_with_one_thing_wrong_are_refused_with_the_right_field() {
    let mut faults = Vec::new();
    for kind in &KINDS {
        let mut mutations = (kind.mutations)();
        mutations.extend(kind.required.iter().copied().map(missing));
        mutations.extend(kind.objects.iter().copied().map(unknown));
        let mut used = vec![0; mutations.len()];
        let (mut done, mut seed) = (0, 0);
        while done < ORDERS {
            seed += 1;
            assert!(seed < 20 * ORDERS, "too few orders can be spoilt: {used:?}");
            let mut rng = Rng::new(kind.seed + 500_000 + seed);
            let mut order = generated(kind, &mut rng);
            let at = done as usize % mutations.len();
            let mutation = &mutations[at];
            if !(mutation.spoil)(&mut order, &mut rng) {
                continue;
            }
            done += 1;
            used[at] += 1;
            // An order that is no test has no key here that opens it: its card data stays in the clear.
            let order = if mutation.path == "card" { order } else { sealed(kind, order, seed / 7) };
            faults.extend(wrong(&order, kind, seed, &mutation.path, mutation.code));
        }
        assert!(used.iter().all(|times| *times > 0), "{used:?}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is not as it should be about an order with one thing wrong.
fn wrong(order: &Value, kind: &Kind, seed: u64, path: &str, code: &str) -> Option<String> {
    let checked = checked(order);
    let right = first(&checked).is_some_and(|(seen, answer)| seen == path && answer == code);
    let fault = !right || checked.problems.len() != 1 || checked.order.is_some();
    fault.then(|| format!("{} {seed}: {path} {code}: {:?}", kind.source.name(), checked.problems))
}

#[test]
fn a_member_of_another_type_is_refused_wherever_it_stands() {
    let mut faults = Vec::new();
    for kind in &KINDS {
        for seed in 0..ORDERS {
            let mut rng = Rng::new(kind.seed + 700_000 + seed);
            let mut order = generated(kind, &mut rng);
            let mut pointers = Vec::new();
            members(&order, "", &mut pointers);
            // What the sender puts there is the sender's.
            pointers.retain(|pointer| !pointer.starts_with("/request/metadata/"));
            let pointer = pointers[rng.below(pointers.len())].clone();
            let value = order.pointer_mut(&pointer).unwrap();
            *value = another_type(value, &mut rng);
            faults.extend(wrong(&sealed(kind, order, seed), kind, seed, &path_of(&pointer), FORMAT));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn members(node: &Value, pointer: &str, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match node {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(values) => values.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children.into_iter().filter(|(_, child)| !child.is_null()) {
        let pointer = format!("{pointer}/{name}");
        members(child, &pointer, into);
        into.push(pointer);
    }
}

fn another_type(value: &Value, rng: &mut Rng) -> Value {
    let others = [json!("7"), json!(7), json!(7.5), json!(true), json!([]), json!({})];
    loop {
        let other = &others[rng.below(others.len())];
        if std::mem::discriminant(other) != std::mem::discriminant(value) {
            return other.clone();
        }
    }
}
