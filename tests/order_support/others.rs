//! Valid orders of our own shape, Pismo reissues and Mastercard-shaped orders, from a seed. The card's data is the one
//! that D1 orders are generated with, in our own shape.

use serde_json::{Map, Value, json};

use super::generate::{Rng, card, pan};

const ID: &str = "ABCXYZabcxyz0189_-";
const LETTERS: &str = "ABCXYZabcxyz ";
const TEXT: &str = "ABCXYZabcxyzÄéßñ019 ,.'_#;:/-!?(){}";

/// Our own order.
pub fn own(rng: &mut Rng) -> Value {
    let products = [
        ("debit-contact-scp02", false, 1),
        ("dual-interface-scp03", true, 1),
        ("debit-credit-combo", true, 2),
        ("offline-pin", true, 1),
    ];
    let (profile, contactless, applications) = products[rng.below(products.len())];
    let card = ours(rng, profile == "offline-pin", |_| true);
    let mut product = json!({"profile": profile});
    may(rng, &mut product, "contactless", |_| contactless.into());
    may(rng, &mut product, "applications", |rng| rng.between(1, applications).into());
    may(rng, &mut product, "sample", |rng| rng.yes().into());
    for name in ["oda_key", "derivation_key", "pv_key", "cv_key"] {
        may(rng, &mut product, name, |rng| rng.one(&["01", "02"]).into());
    }
    may(rng, &mut product, "pin_length", |rng| rng.between(4, 12).into());
    if let Some(brand) = brand(&card).filter(|_| rng.yes()) {
        product["brand"] = brand.into();
    }
    product["pin_required"] = (!card["pin"].is_null() && rng.yes()).into();
    product["generate_pvv"] = (!product["pv_key"].is_null() && rng.yes()).into();
    let mut order = json!({
        "perso_order": 1,
        "identity": {
            "issuer": rng.text(ID, 1, 64), "card": rng.text(ID, 1, 64), "operation": rng.text(ID, 1, 64),
            "received_at": moment(rng),
        },
        "issuance": rng.one(&["creation", "renewal", "replacement"]),
        "channel": rng.one(&["instant", "central", "factory"]),
        "product": product,
        "test": true,
        "card": card,
    });
    match order["channel"].as_str() {
        Some("instant") => order["station"] = rng.one(&["station-1", "station-2"]).into(),
        Some("central") => may(rng, &mut order, "center", |_| "center-1".into()),
        _ => {}
    }
    for name in ["print", "fulfilment", "report"] {
        may(rng, &mut order, name, |rng| {
            (0..rng.between(0, 4)).map(|at| (format!("line_{}", "abcd".split_at(at).0), text(rng, 40))).collect()
        });
    }
    // What is absent may be said to be.
    for name in ["brand", "pv_key", "pin_length"] {
        if order["product"][name].is_null() && rng.below(4) == 0 {
            order["product"][name] = Value::Null;
        }
    }
    order
}

/// A Pismo reissue: request and answer tell of the same card.
pub fn pismo(rng: &mut Rng) -> Value {
    let (select, with, without, combo) = [
        (json!({"embossing_group": "EM1-branch"}), true, true, true),
        (json!({"embossing_group": "EM2-branch"}), true, true, true),
        (json!({"template_id": "EAFA693A-57B2-4029-97F3-D20D6F06D79B"}), false, true, false),
        (json!({"template_id": "T-1"}), true, false, false),
        (json!({"template_id": "T-2"}), true, false, false),
    ][rng.below(5)]
    .clone();
    let card = ours(rng, select["template_id"] == "T-2", |_| true);
    let combo = combo && rng.yes();
    let contactless = with && (combo || !without || rng.yes());
    let (name, expiry) = (rng.text(LETTERS, 2, 26), card["expiry"].as_str().unwrap().to_owned());
    let mut request = select;
    request["reason_id"] = rng.one_of(&[0, 1, 7, 1730, 99_999]).into();
    request["contactless_enabled"] = contactless.into();
    let mut response = json!({"type": "PLASTIC", "program": {"id": rng.text(ID, 1, 64)}, "org": {"id": "TN-1"}});
    if rng.below(8) == 0 {
        let kind = response.as_object_mut().unwrap().remove("type").unwrap();
        response["card_type"] = kind;
    }
    may(rng, &mut request, "printed_name", |_| name.clone().into());
    may(rng, &mut request, "pin_length", |rng| rng.one_of(&[4, 6]).into());
    may(rng, &mut request, "cvv_rotation_interval_hours", |rng| rng.between(0, 4320).into());
    may(rng, &mut request, "embossing_custom_field", |rng| text(rng, 1000));
    may(rng, &mut request, "metadata", |rng| json!({"a": text(rng, 100), "b": [1, true, {"c": 1.5}]}));
    may(rng, &mut request, "mode_type", |_| if combo { "COMBO" } else { "SINGLE" }.into());
    may(rng, &mut request, "expiration_date", |rng| date(rng, &expiry));
    // The shortest life of a card here ends with January 2027.
    may(rng, &mut request, "validity_period_hours", |rng| rng.between(1, 1000).into());
    for name in ["abu_enabled", "update_tokens", "atm_change_online_pin_when_script_sent"] {
        may(rng, &mut request, name, |rng| rng.yes().into());
    }
    if !request["embossing_group"].is_null() {
        may(rng, &mut request, "generate_pvv", |rng| rng.yes().into());
    }
    if let Some(brand) = brand(&card).filter(|_| rng.yes()) {
        request["brand"] = brand.into();
    }
    if combo {
        response["mode"] = rng.one(&["COMBO", "MULTIPLE"]).into();
    } else {
        may(rng, &mut response, "mode", |rng| rng.one(&["CREDIT", "DEBIT"]).into());
    }
    may(rng, &mut response, "printed_name", |_| name.into());
    may(rng, &mut response, "contactless_enabled", |_| contactless.into());
    may(rng, &mut response, "expiration_date", |rng| date(rng, &expiry));
    may(rng, &mut response, "issuing_date", moment);
    may(rng, &mut response, "track_number", |rng| counter(rng, &card["track_number"], 1, 9999));
    may(rng, &mut response, "id", |rng| rng.between(0, 9_999_999).into());
    may(rng, &mut response, "valid_until", |_| "2027-01-15T12:00:00Z".into());
    may(rng, &mut response, "stage", |rng| text(rng, 50));
    may(rng, &mut response, "status", |rng| rng.one(&["CREATED", "NORMAL"]).into());
    may(rng, &mut response, "name", |rng| text(rng, 50));
    may(rng, &mut response, "embossing_custom_field", |rng| text(rng, 1000));
    let mut order = json!({
        "perso_pismo": 1, "test": true, "orgId": rng.text(ID, 1, 64), "customerId": rng.text(ID, 1, 64),
        "accountId": rng.between(1, 9_999_999), "cardId": rng.text(ID, 1, 64), "operationId": rng.text(ID, 1, 64),
        "receivedAt": moment(rng), "request": request, "response": response, "card": card,
    });
    may(rng, &mut order, "x-idempotency-key", |rng| rng.text(ID, 1, 36).into());
    order
}

/// What the card's data counts, where it does; answers count from `least`.
fn counter(rng: &mut Rng, stated: &Value, least: usize, most: usize) -> Value {
    if stated.is_null() { rng.between(least, most).into() } else { stated.clone() }
}

/// A Mastercard-shaped order.
pub fn mastercard(rng: &mut Rng) -> Value {
    let mut card = ours(rng, true, |pan| pan.starts_with("53"));
    if card["plastic_sequence"] == 1 {
        card["plastic_sequence"] = 2.into();
    }
    if !card["second_name"].is_null() {
        card["second_name"] = rng.text("ABCabc .'-", 1, 26).into();
    }
    let expiry = card["expiry"].as_str().unwrap().to_owned();
    // Title, first and last name have 26 characters together, with the blanks between them.
    let mut client = json!({"firstName": rng.text("ABCabc'.-/", 1, 10), "lastName": rng.text("ABCabc '.-/", 1, 10)});
    client["city"] = rng.text("ABCabcÄé019 -", 1, 32).into();
    client["country"] = rng.one(&["FRA", "DEU", "FR"]).into();
    client["addressLine1"] = rng.text("ABCabcÄé019 ,.'#-/", 1, 64).into();
    client["postalCode"] = rng.text("ABC019 -", 1, 10).into();
    may(rng, &mut client, "title", |rng| rng.one(&["Ms", "Mr", "Dr."]).into());
    may(rng, &mut client, "companyName", |rng| rng.text("ABCabc .'/-", 1, 26).into());
    for name in ["addressLine2", "addressLine3"] {
        may(rng, &mut client, name, |rng| rng.text("ABCabcÄé019 ,.'#-/", 1, 64).into());
    }
    let mut order = json!({
        "perso_mastercard": 1, "test": true, "issuerId": rng.text(ID, 1, 64), "cardContractId": rng.text(ID, 1, 64),
        "operationId": rng.text(ID, 1, 64), "receivedAt": moment(rng), "productionStatus": "Marked",
        "request": {"reissueType": rng.one(&["REISSUE", "RENEW", "REPLACE"])},
        "response": {
            "newCardExpiryDate": date(rng, &expiry), "plasticId": rng.text(ID, 1, 64),
            "newSequenceNumber": counter(rng, &card["plastic_sequence"], 2, 999),
        },
        "client": client, "card": card,
    });
    may(rng, &mut order, "productCode", |rng| rng.text(ID, 1, 64).into());
    order
}

fn may(rng: &mut Rng, to: &mut Value, name: &str, make: impl FnOnce(&mut Rng) -> Value) {
    if rng.yes() {
        to[name] = make(rng);
    }
}

fn text(rng: &mut Rng, most: usize) -> Value {
    rng.text(TEXT, 1, most).into()
}

fn moment(rng: &mut Rng) -> Value {
    let zone = rng.one(&["Z", "+01:00", "-08:00"]);
    let (month, day, hour) = (rng.between(1, 11), rng.between(1, 28), rng.between(0, 23));
    format!("2026-{month:02}-{day:02}T{hour:02}:30:0{}{zone}", rng.one(&["0", "0.5"])).into()
}

/// The month YYMM, as it is or in a date of it.
fn date(rng: &mut Rng, month: &str) -> Value {
    let (year, month) = month.split_at(2);
    let day = rng.between(1, 28);
    match rng.below(4) {
        0 => format!("{year}{month}"),
        1 => format!("20{year}-{month}"),
        2 => format!("20{year}-{month}-{day:02}"),
        _ => format!("20{year}-{month}-{day:02}T23:59:59{}", rng.one(&["Z", "+01:00"])),
    }
    .into()
}

/// The network's name, where the PAN is of one whose codes have three digits.
fn brand(card: &Value) -> Option<&'static str> {
    let pan = card["pan"].as_str()?;
    let all = [("4", "VISA"), ("53", "MASTERCARD")];
    all.into_iter().find(|(start, _)| pan.starts_with(start)).map(|(_, brand)| brand)
}

/// Card data as D1 has it, in our shape.
fn ours(rng: &mut Rng, pin: bool, fits: fn(&str) -> bool) -> Value {
    let theirs = loop {
        let card = card(rng);
        if fits(card["pan"].as_str().unwrap()) && (!pin || !card["pin"].is_null()) {
            break card;
        }
    };
    let (month, year) = theirs["exp"].as_str().unwrap().split_at(2);
    let mut card = json!({"expiry": format!("{year}{month}")});
    let names = [
        ("pan", "pan"),
        ("name", "name"),
        ("secondName", "second_name"),
        ("cvv2", "cvv2"),
        ("icvv", "icvv"),
        ("cvv1", "cvv"),
        ("panSequenceNumber", "psn"),
        ("effectiveDate", "effective"),
        ("pvv", "pvv"),
        ("encodedName", "encoded_name"),
        ("paymentAccountReference", "par"),
    ];
    renamed(&theirs, &names, &mut card);
    if let Some(tracks) = theirs.get("trackData") {
        renamed(tracks, &[("track1", "track1"), ("track2", "track2"), ("track3", "track3")], &mut card);
    } else {
        may(rng, &mut card, "service_code", |rng| rng.one(&["201", "221", "601"]).into());
    }
    if let Some(pin) = theirs.get("pin") {
        let names = [
            ("type", "form"),
            ("encryptedPin", "block"),
            ("kid", "kid"),
            ("transportKeyValue", "transport_key"),
            ("transportKeyKCV", "transport_kcv"),
        ];
        card["pin"] = json!({});
        renamed(pin, &names, &mut card["pin"]);
    }
    if let Some(blocks) = theirs["applications"].as_array() {
        card["blocks"] = blocks.iter().map(block).collect();
    }
    card["stripe"] = (!theirs["cardProductionType"].is_null()).into();
    may(rng, &mut card, "plastic_sequence", |rng| rng.between(1, 99).into());
    may(rng, &mut card, "track_number", |rng| rng.between(1, 99).into());
    card
}

fn block(theirs: &Value) -> Value {
    let names = [
        ("kekId", "kek"),
        ("macKey", "mac_key"),
        ("tlvData", "data"),
        ("mac", "mac"),
        ("appletAid", "aid"),
        ("appletDataLength", "size"),
        ("appletStartCode", "start_code"),
        ("tlvDataLength", "length"),
    ];
    let mut block = Value::Object(Map::new());
    renamed(theirs, &names, &mut block);
    block
}

fn renamed(from: &Value, names: &[(&str, &str)], to: &mut Value) {
    for (theirs, ours) in names {
        if let Some(value) = from.get(*theirs) {
            to[*ours] = value.clone();
        }
    }
}

/// A PAN of our generator that is none of Mastercard's: for orders that contradict themselves.
pub fn another_pan(rng: &mut Rng, than: &Value) -> Value {
    loop {
        let pan = Value::from(pan(rng));
        if pan != *than && pan.as_str().unwrap().len() == 16 {
            return pan;
        }
    }
}
