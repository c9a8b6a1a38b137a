//! Rules of orders: the century, the catalogue of a site, cards of one carrier, reissues, the expiry rule; and that `check`
//! and data preparation agree on every order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;
use crate::support;

use std::sync::LazyLock;

use order_support::{STORE, encrypt, sample};
use perso::base::{Chance, Warning};
use perso::order::{Checked, Order, Part, Site, check, d1_answer};
use perso::prepare::{IssuerCertificate, Materials, Pool, examine, prepare};
use perso::profile::Profile;
use serde_json::{Value, json};

const TODAY: Option<(u16, u8, u8)> = Some((2026, 11, 24));
/// Sample orders, and the issuer whose certificate goes with them.
const SAMPLES: [(&str, &str); 9] = [
    ("own", "visa-like"),
    ("visa-like", "visa-like"),
    ("mastercard-like", "mastercard-like"),
    ("d1-instant", "visa-like"),
    ("d1-central", "visa-like"),
    ("d1-thales", "visa-like"),
    ("pismo-reissue", "visa-like"),
    ("pismo-combo", "visa-like"),
    ("mastercard-reissue", "mastercard-like"),
];

/// With the card's RSA key of every preparation: making one takes longer than all the rest.
static POOL: LazyLock<String> = LazyLock::new(|| {
    let mut pool = Pool::new();
    pool.fill(1, 1024, 3, &mut chance()).unwrap();
    pool.seal("lab-record", &*STORE, &mut chance()).unwrap()
});

/// The products' profiles, each read once.
static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let folder = std::fs::read_dir(support::file_of("card-profiles")).unwrap();
    let paths = folder.map(|it| it.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "toml"));
    paths.map(|path| Profile::parse(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
});

static SITE: LazyLock<Site> = LazyLock::new(|| Site::parse(&sample("site.toml")).unwrap());

/// A sample order with its card data as D1 encrypts it, which is changed apart.
fn order_of(name: &str) -> (Value, Option<Value>) {
    let order: Value = serde_json::from_str(&sample(&format!("{name}.json"))).unwrap();
    let card = name.starts_with("d1-").then(|| serde_json::from_str(&sample(&format!("{name}.card.json"))).unwrap());
    (order, card)
}

fn bytes(order: &Value, card: Option<&Value>) -> Vec<u8> {
    let mut order = order.clone();
    if let Some(card) = card {
        order["body"]["encryptedData"] = encrypt(card).into();
    }
    order.to_string().into_bytes()
}

fn put(order: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = order.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match (parent, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(name)),
        (Value::Object(members), value) => drop(members.insert(name.into(), value)),
        (Value::Array(values), value) => values[name.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer}"),
    }
}

/// The sample with values at pointers; those of card data that D1 encrypts begin with `/cardData`. Null takes a member away.
fn changed(name: &str, changes: &[(&str, Value)]) -> Vec<u8> {
    let (mut order, mut card) = order_of(name);
    for (pointer, value) in changes {
        match (pointer.strip_prefix("/cardData"), &mut card) {
            (Some(rest), Some(card)) => put(card, rest, value.clone()),
            _ => put(&mut order, pointer, value.clone()),
        }
    }
    bytes(&order, card.as_ref())
}

fn checked_at(site: &Site, name: &str, changes: &[(&str, Value)]) -> Checked {
    check(&changed(name, changes), Some(site), Some(&*STORE))
}

/// It is refused with this path, D1 code and HTTP status, and nothing else is wrong with it.
fn refused_at(site: &Site, name: &str, changes: &[(&str, Value)], path: &str, code: &str) -> String {
    let checked = checked_at(site, name, changes);
    let answer = d1_answer(&checked.problems).unwrap_or_else(|| panic!("{changes:?} is accepted"));
    let problem = &checked.problems[0];
    assert_eq!((problem.path.as_str(), answer.error_code), (path, code), "{changes:?}: {:?}", checked.problems);
    assert_eq!(answer.status, if code == "OPERATION_NOT_ALLOWED" { 403 } else { 400 });
    assert_eq!(answer.error.as_deref(), Some(path.strip_prefix("body.").unwrap_or(path)));
    assert_eq!(checked.problems.len(), 1, "{:?}", checked.problems);
    assert!(checked.order.is_none());
    problem.message.clone()
}

fn refused(name: &str, changes: &[(&str, Value)], path: &str, code: &str) -> String {
    refused_at(&SITE, name, changes, path, code)
}

fn accepted_at(site: &Site, name: &str, changes: &[(&str, Value)]) -> (Order, Vec<Warning>) {
    let checked = checked_at(site, name, changes);
    assert!(checked.problems.is_empty() && checked.skipped.is_empty(), "{:?} {:?}", checked.problems, checked.skipped);
    let order = checked.order.unwrap();
    assert_eq!(order.warnings(), checked.warnings);
    (order, checked.warnings)
}

fn accepted(name: &str, changes: &[(&str, Value)]) -> (Order, Vec<Warning>) {
    accepted_at(&SITE, name, changes)
}

const FORMAT: &str = "FIELD_INVALID_FORMAT";
const VALUE: &str = "FIELD_INVALID_VALUE";
const NOT_ALLOWED: &str = "OPERATION_NOT_ALLOWED";

#[test]
fn every_sample_is_accepted_without_a_warning() {
    for (name, _) in SAMPLES {
        assert_eq!(accepted(name, &[]).1, [], "{name}");
    }
}

// The century.

#[test]
fn an_expiry_of_the_last_century_is_refused_at_its_field() {
    for year in 50..100 {
        let (month, expiry) = (year % 12 + 1, |month: i32| format!("{year:02}{month:02}"));
        refused("own", &[("/card/expiry", expiry(month).into())], "card.expiry", VALUE);
        let exp = format!("{month:02}{year:02}");
        refused("d1-instant", &[("/cardData/exp", exp.into())], "cardData.exp", VALUE);
        for (name, dates) in [
            ("pismo-reissue", &["/request/expiration_date", "/response/expiration_date"][..]),
            ("mastercard-reissue", &["/response/newCardExpiryDate"]),
        ] {
            let mut changes = vec![("/card/expiry", Value::from(expiry(month)))];
            changes.extend(dates.iter().map(|pointer| (*pointer, Value::from(expiry(month)))));
            let checked = checked_at(&SITE, name, &changes);
            assert!(checked.problems.iter().any(|problem| problem.path == "card.expiry"), "{:?}", checked.problems);
        }
    }
    // The issue's: two expiries of ours, and D1's MMYY.
    for expiry in ["9912", "5001"] {
        refused("own", &[("/card/expiry", expiry.into())], "card.expiry", VALUE);
    }
    refused("d1-instant", &[("/cardData/exp", "0150".into())], "cardData.exp", VALUE);
    assert_eq!(accepted("own", &[("/card/expiry", "4912".into())]).0.chip().expiry(), "4912");
}

#[test]
fn an_effective_date_that_5f25_cannot_state_is_refused() {
    for day in ["1930-01-01", "1026-11-24", "1949-12-31", "0026-11-24"] {
        refused("own", &[("/card/effective", day.into())], "card.effective", VALUE);
        refused("d1-instant", &[("/cardData/effectiveDate", day.into())], "cardData.effectiveDate", VALUE);
    }
    assert_eq!(accepted("own", &[("/card/effective", "1950-01-01".into())]).0.chip().effective(), "500101");
    // Without one the day of receipt is effective.
    let early = [("/identity/received_at", json!("1930-11-24T08:30:00Z")), ("/card/effective", Value::Null)];
    refused("own", &early, "identity.received_at", VALUE);
    let early = [("/receivedAt", json!("1930-11-24T08:30:00Z")), ("/cardData/effectiveDate", Value::Null)];
    refused("d1-instant", &early, "receivedAt", VALUE);
}

#[test]
fn track_2_with_the_chips_separator_is_refused() {
    let track = |separator: char| json!(format!(";4761739001010119{separator}30122011000000?"));
    refused("own", &[("/card/track2", track('D'))], "card.track2", VALUE);
    accepted("own", &[("/card/track2", track('='))]);
}

#[test]
fn service_code_digits_without_meaning_are_told() {
    for first in "0123456789".chars() {
        for second in "0123456789".chars() {
            for third in "0123456789".chars() {
                if first != '2' && second != '0' && third != '1' {
                    continue;
                }
                let code = format!("{first}{second}{third}");
                // ISO/IEC 7813
                let known = "125679".contains(first) && "024".contains(second) && "01234567".contains(third);
                let (_, warnings) = accepted("own", &[("/card/service_code", code.clone().into())]);
                let paths: Vec<&str> = warnings.iter().map(|warning| warning.path.as_str()).collect();
                assert_eq!(paths, if known { vec![] } else { vec!["card.service_code"] }, "{code}");
            }
        }
    }
    let track = json!(";4761739001010119=30123011000000?");
    let (_, warnings) = accepted("own", &[("/card/service_code", Value::Null), ("/card/track2", track)]);
    assert_eq!(warnings[0].path, "card.track2");
}

// Check and prepare.

/// Every member that is not a container, with its pointer; encrypted card data of D1 below `/cardData`.
fn leaves(node: &Value, pointer: &str, into: &mut Vec<(String, Value)>) {
    match node {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(value, &format!("{pointer}/{name}"), into));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{pointer}/{at}"), into));
        }
        value => into.push((pointer.to_owned(), value.clone())),
    }
}

/// What a member is changed to: taken away, and values that are near what belongs somewhere.
fn values(own: &Value) -> Vec<Value> {
    let mut values = vec![Value::Null, json!("")];
    match own {
        Value::String(text) => {
            let digits: String = text.chars().filter(char::is_ascii_digit).take(19).collect();
            values.extend([
                json!(format!("{text}0")),
                json!(text.to_lowercase()),
                json!("A".repeat(26)),
                json!(digits),
                json!("5001"),
                json!("0150"),
                json!("1930-01-01"),
                json!("NOPE"),
                json!("00"),
                json!("99"),
                json!("888"),
            ]);
        }
        Value::Bool(flag) => values.push((!flag).into()),
        _ => values.extend([json!(0), json!(1), json!(2), json!(99_999)]),
    }
    values.retain(|value| value != own);
    values
}

/// Members that the samples do not have.
const ADDED: &[(&str, &str)] = &[
    ("/card/track2", ";4761739001010119=30122011000000?"),
    ("/card/track2", ";4761739001010119D30122011000000?"),
    ("/card/track2", ";4761739001010119=30122011?"),
    ("/card/track2", ";4761739001010119=301222100000000000000?"),
    ("/card/track1", "%B4761739001010119^DOE/JANE^30122011000000?"),
    ("/card/track1", "%B4761739001010119^DOE/JOHN^30122011000000?"),
    ("/card/track3", ";014761739001010119=1234?"),
    ("/card/icvv", "123"),
    ("/card/cvv", "123"),
    ("/card/cvv2", "123"),
    ("/card/pvv", "1234"),
    ("/card/par", "TEST0123456789012345678901234"),
    ("/card/encoded_name", "A/B"),
    ("/card/encoded_name", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("/card/service_code", "000"),
    ("/card/service_code", "101"),
    ("/card/old_expiry", "2701"),
];

#[test]
fn check_and_prepare_agree_on_every_order_with_one_member_changed() {
    // Two at once: the samples are of much the same size.
    let (one, two) = SAMPLES.split_at(SAMPLES.len() / 2);
    let found = std::thread::scope(|scope| {
        let halves = [one, two].map(|half| scope.spawn(|| agreement(half)));
        halves.map(|half| half.join().unwrap())
    });
    let faults: Vec<String> = found.iter().flat_map(|(faults, ..)| faults.clone()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let (good, bad) = found.iter().fold((0, 0), |(good, bad), (_, more, worse)| (good + more, bad + worse));
    assert!(good > 100 && bad > 200, "{good} good, {bad} bad");
}

/// Where check and data preparation do not agree; how many orders were good, how many bad.
fn agreement(samples: &[(&str, &str)]) -> (Vec<String>, usize, usize) {
    let mut faults = Vec::new();
    let (mut good, mut bad) = (0, 0);
    for (name, issuer) in samples {
        let issuer = format!("tests/samples/issuer/{issuer}.issuer.test.json");
        let issuer = IssuerCertificate::parse(&std::fs::read(support::file_of(&issuer)).unwrap()).unwrap();
        let (order, card) = order_of(name);
        let mut members = Vec::new();
        leaves(&order, "", &mut members);
        members.retain(|(pointer, _)| pointer != "/body/encryptedData");
        card.iter().for_each(|card| leaves(card, "/cardData", &mut members));
        let mut changes: Vec<(String, Value)> = Vec::new();
        for (at, (pointer, own)) in members.iter().enumerate() {
            // Every value in some sample, not all in each: what a member may be does not depend on the sample.
            let values = values(own);
            let all = pointer.starts_with("/card/") && *name == "own"
                || pointer.starts_with("/cardData/") && *name == "d1-central";
            let some = values.iter().enumerate().filter(|(n, _)| all || (n + at) % 4 == 0);
            changes.extend(some.map(|(_, value)| (pointer.clone(), value.clone())));
        }
        if card.is_none() {
            changes.extend(ADDED.iter().map(|(pointer, value)| ((*pointer).to_owned(), json!(value))));
        }
        for (pointer, value) in changes {
            let bytes = changed(name, &[(&pointer, value.clone())]);
            let checked = check(&bytes, Some(&SITE), Some(&*STORE));
            let mut problems = checked.problems;
            let mut skipped = checked.skipped;
            let named = |order: &Order| PROFILES.iter().find(|it| it.name() == order.product().profile()).unwrap();
            let profile = checked.order.as_ref().map(named);
            if let Some(order) = &checked.order {
                let examined = examine(order, profile, &*STORE, None, &mut chance(), TODAY);
                problems.extend(examined.problems);
                skipped.extend(examined.skipped);
            }
            assert!(!problems.is_empty() || skipped.is_empty(), "{name} {pointer} {value}: {skipped:?}");
            let prepared = match (&checked.order, profile) {
                (Some(order), Some(profile)) => {
                    let (mut chance, issuer) = (chance(), Some(&issuer));
                    let mut pool = Pool::open(POOL.as_bytes(), &*STORE).unwrap();
                    let materials = Materials {
                        order,
                        profile,
                        store: &*STORE,
                        issuer,
                        pool: Some(&mut pool),
                        chance: &mut chance,
                        today: TODAY,
                    };
                    prepare(materials).map(drop).map_err(|error| error.to_string())
                }
                _ => Order::read(&bytes, &SITE, &*STORE).map(drop).map_err(|problems| format!("{problems:?}")),
            };
            if problems.is_empty() {
                good += 1
            } else {
                bad += 1
            }
            if problems.is_empty() != prepared.is_ok() {
                faults.push(format!("{name} {pointer} = {value}: check {problems:?}, prepare {prepared:?}"));
            }
        }
    }
    (faults, good, bad)
}

/// The same in every run.
fn chance() -> Chance {
    let mut state = 1u64;
    Chance::new(move |buffer| {
        for byte in buffer {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (state >> 33) as u8;
        }
        Ok(())
    })
}

// The catalogue.

/// Each identifier of an order with the catalogue's list: pointer, path, list.
const IDENTIFIERS: &[(&str, &str)] = &[
    ("/body/cardProductId", "body.cardProductId"),
    ("/body/services/issuance", "body.services.issuance"),
    ("/body/services/priority", "body.services.priority"),
    ("/body/services/delivery", "body.services.delivery"),
    ("/body/services/packaging", "body.services.packaging"),
    ("/body/services/cardCarrier", "body.services.cardCarrier"),
    ("/body/packagingConfig/inserts/0", "body.packagingConfig.inserts[0]"),
    ("/body/cardDesign/artworkId", "body.cardDesign.artworkId"),
];

/// The site with lines in the catalogue's entry of a product.
fn site_with(product: &str, lines: &str) -> Site {
    let text = sample("site.toml");
    let id = format!("id = \"{product}\"\n");
    assert!(text.contains(&id));
    Site::parse(&text.replace(&id, &format!("{id}{lines}\n"))).unwrap()
}

#[test]
fn an_identifier_that_the_catalogue_does_not_list_is_an_invalid_value() {
    for (pointer, path) in IDENTIFIERS {
        for name in ["NOPE", "nope", "p1"] {
            refused("d1-thales", &[(pointer, name.into())], path, VALUE);
        }
    }
    // Words are compared as they are.
    refused("d1-thales", &[("/body/services/issuance", "creation".into())], "body.services.issuance", VALUE);
    for (pointer, name) in [("delivery", "NO_SHIPMENT"), ("packaging", "NO_PACK"), ("cardCarrier", "NO_CARRIER")] {
        accepted("d1-thales", &[(&format!("/body/services/{pointer}"), name.into())]);
        accepted("d1-thales", &[(&format!("/body/services/{pointer}"), Value::Null)]);
    }
    // Our own orders name them among their values.
    for name in ["priority", "delivery", "packaging", "cardCarrier"] {
        refused("own", &[(&format!("/fulfilment/{name}"), "NOPE".into())], &format!("fulfilment.{name}"), VALUE);
    }
}

#[test]
fn an_identifier_that_the_product_does_not_allow_is_not_allowed() {
    let other = [
        ("issuance", "/body/services/issuance", "[\"RENEWAL\"]"),
        ("priority", "/body/services/priority", "[\"P2\"]"),
        ("delivery", "/body/services/delivery", "[\"COURIER\"]"),
        ("packaging", "/body/services/packaging", "[]"),
        ("carrier", "/body/services/cardCarrier", "[]"),
        ("insert", "/body/packagingConfig/inserts/0", "[\"insert-2\"]"),
        ("artwork", "/body/cardDesign/artworkId", "[\"artwork-2\"]"),
    ];
    for (list, pointer, allowed) in other {
        let text = sample("site.toml").replace("priority = [\"P1\"]\n", "");
        let id = "id = \"product-combo\"\n";
        let site = Site::parse(&text.replace(id, &format!("{id}{list} = {allowed}\n"))).unwrap();
        let (_, path) = IDENTIFIERS.iter().find(|(own, _)| *own == pointer).unwrap();
        let message = refused_at(&site, "d1-thales", &[], path, NOT_ALLOWED);
        assert!(message.contains("\"product-combo\""), "{message}");
    }
    refused(
        "d1-central",
        &[("/body/cardDesign/artworkId", "artwork-2".into())],
        "body.cardDesign.artworkId",
        NOT_ALLOWED,
    );
    let sample_card = [("/body/services/alphaCard", json!(true))];
    refused("d1-central", &sample_card, "body.services.alphaCard", NOT_ALLOWED);
    refused("own", &[("/product/sample", true.into())], "product.sample", NOT_ALLOWED);
    accepted_at(&site_with("product-contact", "samples = true"), "d1-central", &sample_card);
    let none = Site::parse(&sample("site.toml").replace("samples = true", "")).unwrap();
    refused_at(&none, "d1-thales", &[], "body.services.alphaCard", NOT_ALLOWED);
}

#[test]
fn a_product_has_one_profile_and_its_pan_ranges() {
    let other = [("/body/cardProductId", json!("product-contact"))];
    refused("d1-instant", &other, "body.paymentApplication.config", NOT_ALLOWED);
    let text = sample("site.toml").replace("\"476173\"", "\"400000-400009\"").replace("476173-476179", "400000");
    let site = Site::parse(&text).unwrap();
    for name in ["d1-instant", "d1-central", "d1-thales"] {
        refused_at(&site, name, &[], "cardData.pan", NOT_ALLOWED);
    }
    // Without a product identifier the profile and the PAN name the product.
    refused_at(&site, "own", &[], "card.pan", VALUE);
    refused_at(&site, "pismo-reissue", &[], "card.pan", VALUE);
}

#[test]
fn issuance_words_are_the_catalogues() {
    let (order, _) = accepted("d1-instant", &[("/body/services/issuance", "LOST_STOLEN".into())]);
    assert_eq!(order.issuance().name(), "replacement");
}

#[test]
fn lead_time_and_plastic_go_to_those_who_make_the_card() {
    let mut seen = Vec::new();
    accepted("d1-thales", &[]).0.walk(&mut |part, name, value| seen.push((part, name.to_owned(), value.to_owned())));
    for (name, value) in [("leadTimeDays", "1"), ("plastic", "pvc-gold")] {
        assert!(seen.contains(&(Part::Fulfilment, name.into(), value.into())), "{name}");
    }
}

#[test]
fn a_site_without_a_catalogue_takes_every_identifier_and_says_so() {
    let text = sample("site.toml");
    let (before, rest) = text.split_once("# What orders may name.").unwrap();
    let (_, after) = rest.split_once("# Pismo's reissues").unwrap();
    let site = Site::parse(&format!("{before}# Pismo's reissues{after}")).unwrap();
    for (pointer, _) in IDENTIFIERS.iter().filter(|(pointer, _)| !pointer.ends_with("issuance")) {
        let (_, warnings) = accepted_at(&site, "d1-thales", &[(pointer, "NOPE".into())]);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].path, "site.catalogue");
    }
}

#[test]
fn a_catalogue_that_makes_no_sense_is_refused_with_its_path() {
    let wrong = |from: &str, to: &str, path: &str| {
        let text = sample("site.toml");
        assert!(text.contains(from), "{from}");
        let error = Site::parse(&text.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.path, path, "{error}");
    };
    wrong("LOST_STOLEN = \"replacement\"", "LOST_STOLEN = \"gift\"", "catalogue.issuance.LOST_STOLEN");
    wrong("id = \"product-contact\"", "id = \"product-debit\"", "catalogue.product[1].id");
    wrong("profile = \"visa-like-combo\"\npan", "profile = \"gold\"\npan", "catalogue.product[2].profile");
    wrong("[\"476173-476179\"]", "[\"476179-476173\"]", "catalogue.product[2].pan_ranges[0]");
    wrong("[\"476173-476179\"]", "[\"476173\", \"47617\u{663}\"]", "catalogue.product[2].pan_ranges[1]");
    wrong("[\"476173-476179\"]", "[]", "catalogue.product[2].pan_ranges");
    wrong("plastic = \"pvc-gold\"", "plastic = \"gold\"", "catalogue.product[2].plastic");
    wrong("priority = [\"P1\"]", "priority = [\"P1\", \"P9\"]", "catalogue.product[2].priority[1]");
    wrong("months = 48", "months = 0", "profile[3].expiry.months");
    wrong("keep_if_more_than = 3", "keep_if_more_than = 999", "profile[3].expiry.keep_if_more_than");
}

// Carriers, inserts, registration.

#[test]
fn a_number_on_a_carrier_needs_the_carriers_id() {
    let path = "body.cardCarrierConfig.multiCardId";
    for name in ["d1-instant", "d1-central", "d1-thales"] {
        refused(name, &[("/body/cardCarrierConfig/multiCardId", Value::Null)], path, FORMAT);
        accepted(name, &[("/body/cardCarrierConfig/multiCardOrder", Value::Null)]);
    }
}

#[test]
fn a_repeated_insert_is_told() {
    let inserts = |names: &[&str]| [("/body/packagingConfig/inserts", json!(names))];
    let (_, warnings) = accepted("d1-thales", &inserts(&["insert-1", "insert-2", "insert-1"]));
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].path, "body.packagingConfig.inserts[2]");
    assert_eq!(accepted("d1-thales", &inserts(&["insert-1", "insert-2"])).1, []);
}

#[test]
fn implicit_registration_requires_consumer_and_product() {
    let text = sample("site.toml");
    assert!(text.contains("implicit_registration = true"));
    let without = Site::parse(&text.replace("implicit_registration = true", "")).unwrap();
    for channel in ["d1-instant", "d1-central", "d1-thales"] {
        for name in ["consumerId", "cardProductId"] {
            let change = [(&*format!("/body/{name}"), Value::Null)];
            refused(channel, &change, &format!("body.{name}"), FORMAT);
            accepted_at(&without, channel, &change);
        }
    }
}

// Pismo and Mastercard.

#[test]
fn mode_multiple_needs_a_product_with_two_applications() {
    let multiple = [("/response/mode", json!("MULTIPLE")), ("/request/mode_type", Value::Null)];
    let (order, _) = accepted("pismo-reissue", &multiple);
    assert_eq!((order.product().applications(), order.product().profile()), (Some(2), "visa-like-combo"));
    let site = Site::parse(&sample("site.toml").replace("combo = \"visa-like-combo\"\n", "")).unwrap();
    refused_at(&site, "pismo-reissue", &multiple, "response.mode", VALUE);
    refused("pismo-reissue", &[("/response/mode", "MULTIPLE".into())], "response.mode", VALUE);
}

#[test]
fn a_card_that_is_not_valid_until_it_expires_is_refused() {
    let path = "response.valid_until";
    for moment in ["2026-11-24T08:30:00Z", "2026-11-24T08:00:00Z", "1999-01-01T00:00:00Z"] {
        assert!(refused("pismo-reissue", &[("/response/valid_until", moment.into())], path, VALUE).contains("past"));
    }
    for moment in ["2031-01-01T00:00:00Z", "2049-01-01T00:00:00Z"] {
        assert!(refused("pismo-reissue", &[("/response/valid_until", moment.into())], path, VALUE).contains("after"));
    }
    for moment in ["2026-11-24T08:30:01Z", "2030-12-31T23:59:59Z"] {
        accepted("pismo-reissue", &[("/response/valid_until", moment.into())]);
    }
    for part in ["request", "response"] {
        let (pointer, path) = (format!("/{part}/validity_period_hours"), format!("{part}.validity_period_hours"));
        for hours in [0, 36_000, i64::MAX] {
            refused("pismo-reissue", &[(&pointer, hours.into())], &path, VALUE);
        }
        accepted("pismo-reissue", &[(&pointer, 240.into())]);
    }
}

#[test]
fn only_listed_card_statuses_are_made() {
    for status in ["CREATED", "NORMAL"] {
        accepted("pismo-reissue", &[("/response/status", status.into())]);
    }
    for status in ["BLOCKED", "PENDING", "CANCELLED", "UNBOUND", "UNNUMBERED", "normal"] {
        refused("pismo-reissue", &[("/response/status", status.into())], "response.status", NOT_ALLOWED);
    }
    let text = sample("site.toml");
    let line = "card_status = [\"CREATED\", \"NORMAL\"]\n";
    assert!(text.contains(line));
    let default = Site::parse(&text.replace(line, "")).unwrap();
    accepted_at(&default, "pismo-reissue", &[("/response/status", "NORMAL".into())]);
    refused_at(&default, "pismo-reissue", &[("/response/status", "BLOCKED".into())], "response.status", NOT_ALLOWED);
    let blocked = Site::parse(&text.replace(line, "card_status = [\"BLOCKED\"]\n")).unwrap();
    accepted_at(&blocked, "pismo-reissue", &[("/response/status", "BLOCKED".into())]);
    refused_at(&blocked, "pismo-reissue", &[("/response/status", "NORMAL".into())], "response.status", NOT_ALLOWED);
}

#[test]
fn metadata_and_update_tokens_are_echoed() {
    let metadata = json!({"a": "CANARY", "b": [1, true, 1.5], "c": {"d": 18_446_744_073_709_551_615u64}});
    let changes = [("/request/metadata", metadata), ("/request/update_tokens", json!(true))];
    let order = accepted("pismo-reissue", &changes).0;
    let report = perso::issuance::jobs::ReportBack::of(&order).values;
    let expected = [
        ("metadata.a", "CANARY"),
        ("metadata.b[0]", "1"),
        ("metadata.b[1]", "true"),
        ("metadata.b[2]", "1.5"),
        ("metadata.c.d", "18446744073709551615"),
        ("update_tokens", "true"),
    ];
    for (name, value) in expected {
        assert_eq!(report.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn a_reissue_with_plastic_has_a_plastic_sequence_of_2_or_more() {
    let path = "response.newSequenceNumber";
    for kind in ["REISSUE", "RENEW", "REPLACE"] {
        for number in [0, 1] {
            let changes = [("/request/reissueType", kind.into()), ("/response/newSequenceNumber", number.into())];
            refused("mastercard-reissue", &changes, path, VALUE);
        }
        let changes = [("/request/reissueType", kind.into()), ("/response/newSequenceNumber", 2.into())];
        assert_eq!(accepted("mastercard-reissue", &changes).0.plastic_sequence(), Some(2));
    }
}

// The expiry rule.

/// Received on 24 November 2026: more than three months before 28 February 2027 is kept.
#[test]
fn an_order_without_expiry_gets_it_by_the_products_rule() {
    for (old, expiry, words) in [
        ("2702", "2702", "kept"),
        ("3005", "3005", "kept"),
        ("2701", "3011", "48 months"),
        ("2612", "3011", "48 months"),
        ("2511", "3011", "48 months"),
    ] {
        let changes = [("/card/expiry", Value::Null), ("/card/old_expiry", old.into())];
        let (order, warnings) = accepted("mastercard-like", &changes);
        assert_eq!(order.chip().expiry(), expiry, "{old}");
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].path, "card.expiry");
        assert!(warnings[0].message.contains(words) && warnings[0].message.contains(expiry), "{:?}", warnings[0]);
    }
    // More than three months to the day.
    let on = |day: &str| {
        let changes = [
            ("/card/expiry", Value::Null),
            ("/card/old_expiry", "2702".into()),
            ("/identity/received_at", format!("{day}T12:00:00Z").into()),
        ];
        accepted("mastercard-like", &changes).0.chip().expiry().to_owned()
    };
    assert_eq!((on("2026-11-27"), on("2026-11-28")), ("2702".into(), "3011".into()));
}

/// A Mastercard-shaped order that states no expiry at all, and the record that is prepared of it.
#[test]
fn a_mastercard_reissue_takes_the_rule_if_neither_answer_nor_card_data_state_the_expiry() {
    let changes = [
        ("/response/newCardExpiryDate", Value::Null),
        ("/card/expiry", Value::Null),
        ("/card/old_expiry", "2702".into()),
    ];
    let (order, warnings) = accepted("mastercard-reissue", &changes);
    assert_eq!(order.chip().expiry(), "2702");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(order.chip().expiry_rule(), Some(warnings[0].message.as_str()));
    // Neither expiry nor old expiry: one refusal, no warning.
    let checked = checked_at(&SITE, "mastercard-reissue", &changes[..2]);
    assert_eq!(checked.problems.len(), 1, "{:?}", checked.problems);
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    // The card data alone.
    let (order, warnings) = accepted("mastercard-reissue", &changes[..1]);
    assert_eq!((order.chip().expiry(), order.chip().expiry_rule(), warnings), ("3012", None, vec![]));
}

#[test]
fn an_expiry_that_is_stated_needs_no_rule() {
    // Orders of Pismo and Mastercard state it outside the card data.
    for name in ["pismo-reissue", "mastercard-reissue"] {
        let (order, warnings) = accepted(name, &[("/card/expiry", Value::Null)]);
        assert_eq!((order.chip().expiry(), warnings), ("3012", vec![]), "{name}");
    }
    let both = [("/card/old_expiry", json!("2612"))];
    assert_eq!(accepted("mastercard-like", &both).0.chip().expiry(), "3012");
}

#[test]
fn an_order_without_expiry_and_rule_is_refused() {
    refused("mastercard-like", &[("/card/expiry", Value::Null)], "card.expiry", FORMAT);
    let old = |text: &str| [("/card/expiry", Value::Null), ("/card/old_expiry", text.into())];
    // This product has no rule.
    refused("own", &old("2612"), "card.expiry", VALUE);
    let checked = checked_at(&SITE, "mastercard-like", &old("2613"));
    assert_eq!(checked.problems[0].path, "card.old_expiry");
    refused("mastercard-like", &[("/card/old_expiry", "1".into())], "card.old_expiry", FORMAT);
    // D1 states every expiry.
    refused("d1-instant", &[("/cardData/exp", Value::Null)], "cardData.exp", FORMAT);
}
