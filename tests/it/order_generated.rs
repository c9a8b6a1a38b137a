//! Pismo reissues, Mastercard-shaped orders and our own: a thousand generated valid ones of each are accepted, a
//! thousand with one thing wrong are refused with exactly that member. `order_d1.rs` does the same for D1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::order_support;

use order_support::generate::Rng;
use order_support::mutations::{FORMAT, Mutation, missing, of_mastercard, of_own, of_pismo, path_of, unknown};
use order_support::{checked, encrypt, encrypt_rsa, first, others};
use perso::order::Source;
use serde_json::{Value, json};

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
