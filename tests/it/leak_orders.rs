//! Nothing that an order holds gets out of `perso check`: not where it is right, not where any one of its values is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;
use crate::order_support;

use std::sync::LazyLock;

use assert_cmd::Command;
use canary::{Canaries, Search};
use order_support::{SITE, STORE, encrypt, envelope, sample};
use perso::order::{check, d1_answer, view};
use serde_json::{Value, json};

const ORDERS: [&str; 3] = ["own.json", "pismo-reissue.json", "mastercard-reissue.json"];
/// A PAN, a PIN block and a name at once: as text, as a value and as a member's name.
const CANARY: &str = "5413339000001513";

/// What may not be seen of the sample orders: PANs, PIN blocks, names, codes, tracks, MAC keys, addresses.
const SECRETS: [&str; 13] = [
    "4761739001010119",
    "5413330089010434",
    "0123456789ABCDEF",
    "JANE DOE",
    "DOE/JANE",
    "Sample Road",
    "301220100000",
    "0011223344556677",
    "9F3602000001",
    "TEST01234567890",
    "jane@bank",
    "123456789",
    "NDc2MTczOTAwMTAxMDExO",
];

static OWN: LazyLock<Search> = LazyLock::new(|| Canaries::new().values("a value", SECRETS).ready());
static WITH_CANARY: LazyLock<Search> =
    LazyLock::new(|| Canaries::new().values("a value", SECRETS).digits("the canary", CANARY).ready());

/// Pointers to every value that is no container, and to every object.
fn places(value: &Value, at: &str, leaves: &mut Vec<String>, objects: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            objects.push(at.to_owned());
            members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), leaves, objects));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(n, value)| places(value, &format!("{at}/{n}"), leaves, objects));
        }
        _ => leaves.push(at.to_owned()),
    }
}

/// Every order with one value, or the name of one member, replaced by the canary.
fn spoiled(value: &Value) -> Vec<Value> {
    let (mut leaves, mut objects) = (Vec::new(), Vec::new());
    places(value, "", &mut leaves, &mut objects);
    let mut all = Vec::new();
    for at in leaves {
        for canary in [
            json!(CANARY),
            json!(format!("{CANARY}<|>")),
            json!([CANARY]),
            json!({CANARY: CANARY}),
            json!(5413339000001513u64),
        ] {
            let mut order = value.clone();
            *order.pointer_mut(&at).unwrap() = canary;
            all.push(order);
        }
    }
    for at in objects {
        let mut order = value.clone();
        order.pointer_mut(&at).unwrap().as_object_mut().unwrap().insert(CANARY.into(), CANARY.into());
        all.push(order);
    }
    all
}

/// Everything that `check` tells of an order.
fn told(order: &Value) -> String {
    let text = order.to_string();
    let mut told = String::new();
    for (site, store) in
        [(None, None), (Some(&*SITE), None), (Some(&*SITE), Some(&*STORE as &dyn perso::keys::KeyStore))]
    {
        let checked = check(text.as_bytes(), site, store);
        told += &format!("{:?} {:?} {:?}", checked.problems, checked.skipped, d1_answer(&checked.problems));
        if let Some(order) = &checked.order {
            told += &serde_json::to_string(&view(order)).unwrap();
        }
    }
    told
}

fn search(what: &str, told: &str, may_show_the_canary: bool) {
    let search = if may_show_the_canary { &OWN } else { &WITH_CANARY };
    search.search(what, told.as_bytes());
}

#[test]
fn no_value_of_an_order_is_told() {
    let mut orders = 0;
    for name in ORDERS {
        let order: Value = serde_json::from_str(&sample(name)).unwrap();
        search(name, &told(&order), false);
        for order in spoiled(&order) {
            orders += 1;
            // An id that has its form is made to be shown: whose order it is.
            let ids = ["issuer", "card", "operation", "orgId", "cardId", "issuerId", "cardContractId", "operationId"];
            let is_id = |node: &Value| ids.iter().any(|id| node.get(id) == Some(&CANARY.into()));
            let shown = is_id(&order) || order.get("identity").is_some_and(is_id);
            search(name, &told(&order), shown);
        }
    }
    assert!(orders > 300, "only {orders} orders");
}

#[test]
fn nothing_of_encrypted_card_data_is_told() {
    let body: Value = serde_json::from_str(&sample("d1-instant.json")).unwrap();
    let mut body = body["body"].clone();
    body.as_object_mut().unwrap().remove("encryptedData");
    let card: Value = serde_json::from_str(&sample("d1-everything.card.json")).unwrap();
    search("a D1 order", &told(&envelope(&body, &card)), false);
    for card in spoiled(&card) {
        search("faulty card data", &told(&envelope(&body, &card)), false);
    }
    for body in spoiled(&body) {
        let mut order = envelope(&json!({"encryptedData": "x"}), &card);
        order["body"] = body;
        if order["body"]["encryptedData"].is_null() {
            order["body"]["encryptedData"] = encrypt(&card).into();
        }
        search("a faulty body", &told(&order), false);
    }
}

#[test]
fn the_program_shows_nothing_of_an_order() {
    let folder = tempfile::tempdir().unwrap();
    let site = "tests/samples/orders/site.toml";
    let keys = "tests/samples/keys.test.json";
    for name in ORDERS.into_iter().chain(["d1-instant.json", "d1-central.json", "d1-thales.json"]) {
        let whole = sample(name);
        let faulty = whole.replace("4761739001010119", CANARY).replace("5413330089010434", CANARY);
        // Cut off within the card's data: what the JSON parser says is not passed on.
        let cut = whole.split_at(whole.find("expiry").unwrap_or(whole.len() - 20)).0.to_owned();
        for (at, text) in [whole.clone(), faulty, cut].into_iter().enumerate() {
            let path = folder.path().join(format!("{at}-{name}"));
            std::fs::write(&path, text).unwrap();
            for format in ["text", "json"] {
                for more in [vec![], vec!["--site", site], vec!["--site", site, "--keys", keys]] {
                    let mut command = Command::cargo_bin("perso").unwrap();
                    command.current_dir(env!("CARGO_MANIFEST_DIR"));
                    command.args(["check", path.to_str().unwrap(), "--format", format, "--log", "trace"]).args(more);
                    let output = command.output().unwrap();
                    let shown =
                        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
                    assert!(shown.contains("order"), "{name}: {shown}");
                    search(name, &shown, false);
                }
            }
        }
    }
}
