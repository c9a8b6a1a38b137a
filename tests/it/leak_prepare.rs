//! From an order to a proven card: PAN, PIN, tracks, card verification values, keys of the site, of the sender and of the card go in or
//! are made; nothing that `perso` tells or writes on the way shows them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::canary;
use crate::leak_desk;
use crate::order_support;

use canary::{Canaries, Search};
use leak_desk::{Desk, root};
use openssl::pkey::{PKey, Private};
use order_support::{encrypt, encrypt_rsa, envelope};
use perso::base::crypto::{self, gcm_open};
use perso::base::emv::luhn_check_digit;
use serde_json::{Value, json};

/// Long enough to be searched for: the card takes up to twelve digits.
const PIN: &str = "739184620517";
const NAME: &str = "CANARY/YELLOW";
const PRINTED: &str = "YELLOW CANARY";
const CVV2: &str = "987";
const DISCRETIONARY: &str = "4920683517";
const PAR: &str = "Q7CANARY0PAR0YELLOW0123456789";
const TRANSPORT_KEY: &str = "6B9D2F40A8C7135E91E4D35C7A086FB2";
const MAC_KEY: &str = "C4B5A697887960514233241506F7E8D9";
const BLOCK: &str = "9F100706011203A4C0DE";
const LEVELS: [&str; 3] = ["warn", "debug", "trace"];

fn pan() -> String {
    let payload = "476173918264530";
    format!("{payload}{}", luhn_check_digit(payload).unwrap())
}

fn sample_keys() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root("tests/samples/keys.test.json")).unwrap()).unwrap()
}

fn key(name: &str) -> Vec<u8> {
    let keys = sample_keys();
    let found = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
    hex::decode(found["value"].as_str().unwrap()).unwrap()
}

fn tdes(key: &[u8], clear: &[u8]) -> String {
    hex::encode_upper(crypto::tdes_ecb_encrypt(key, clear).unwrap())
}

/// The PIN field. // ISO 9564-1 §9.3.1
fn pin_field() -> Vec<u8> {
    hex::decode(format!("0{:X}{PIN:F<14}", PIN.len())).unwrap()
}

/// Mixed with the PAN's last twelve digits but one. // ISO 9564-1 §9.3.1
fn iso0() -> Vec<u8> {
    let pan = hex::decode(format!("0000{}", &pan()[3..15])).unwrap();
    pin_field().iter().zip(pan).map(|(a, b)| a ^ b).collect()
}

/// With fixed filling. // ISO 9564-1 §9.4.2
fn iso4() -> String {
    let field = hex::decode(format!("4{:X}{PIN:A<14}1122334455667788", PIN.len())).unwrap();
    let pan = hex::decode(format!("4{:0<31}", pan())).unwrap();
    let inner = crypto::aes_ecb_encrypt(&key("lab-pek"), &field).unwrap();
    let mixed: Vec<u8> = inner.iter().zip(pan).map(|(a, b)| a ^ b).collect();
    hex::encode_upper(crypto::aes_ecb_encrypt(&key("lab-pek"), &mixed).unwrap())
}

/// Our own order, with a block of chip data that someone else has prepared.
fn own() -> Value {
    let text = std::fs::read_to_string(root("tests/samples/orders/visa-like.json")).unwrap();
    let mut order: Value = serde_json::from_str(&text).unwrap();
    let card = &mut order["card"];
    card["pan"] = pan().into();
    card["name"] = PRINTED.into();
    card["encoded_name"] = NAME.into();
    card["cvv2"] = CVV2.into();
    card["par"] = PAR.into();
    card["pin"]["block"] = tdes(&key("lab-zpk"), &iso0()).into();
    let data = hex::decode(BLOCK).unwrap();
    let mac = crypto::retail_mac(&hex::decode(MAC_KEY).unwrap(), &[0; 8], &crypto::pad_80(&data, 8)).unwrap();
    card["blocks"] = json!([{
        "aid": "A0000009990301", "kek": "1", "mac_key": tdes(&key("lab-kek"), &hex::decode(MAC_KEY).unwrap()), "data": BLOCK,
        "mac": hex::encode_upper(&mac[..4]),
    }]);
    order
}

/// A D1 order with everything in it, and this PIN.
fn d1(pin: Value, rsa: bool) -> Value {
    let mut body = json!({
        "distributionChannel": "INSTANT", "persoStation": "station-1", "consumerId": "consumer-1", "cardProductId": "product-debit", "services": {"issuance": "CREATION"},
        "paymentApplication": {
            "config": "visa-like-debit", "odaKeyIndex": "01", "derivationKeyIndex": "01", "pvKeyIndex": "01", "cvKeyIndex": "01",
        },
    });
    let (track1, track2) =
        (format!("%B{}^{NAME}^3012201{DISCRETIONARY}?", pan()), format!(";{}=3012201{DISCRETIONARY}?", pan()));
    let card = json!({
        "pan": pan(), "exp": "1230", "name": PRINTED, "cvv2": CVV2, "encodedName": NAME, "paymentAccountReference": PAR,
        "trackData": {"track1": track1, "track2": track2}, "pin": pin,
    });
    if rsa {
        body["encryptedData"] = encrypt_rsa(&card).into();
    }
    let mut order = envelope(&body, &card);
    if !rsa {
        order["body"]["encryptedData"] = encrypt(&card).into();
    }
    order
}

/// Every kind of order, by name.
fn orders() -> Vec<(&'static str, Value)> {
    let transport = hex::decode(TRANSPORT_KEY).unwrap();
    let kcv = crypto::kcv(&transport, crypto::KcvMethod::DesZero, true, 3).unwrap();
    let iso0_tk = json!({
        "type": "ISO0TK", "kid": "2", "encryptedPin": tdes(&transport, &iso0()),
        "transportKeyValue": tdes(&key("lab-kek"), &transport), "transportKeyKCV": hex::encode_upper(kcv),
    });
    vec![
        ("own", own()),
        ("d1-iso4", d1(json!({"type": "ISO4", "kid": "3", "encryptedPin": iso4()}), false)),
        ("d1-transport-key", d1(iso0_tk, true)),
    ]
}

/// The same orders, each wrong in a way that is found late.
fn wrong_orders() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    let mut put = |name, path: &str, value: Value| {
        let mut order = own();
        *order.pointer_mut(path).unwrap() = value;
        all.push((name, order));
    };
    put("wrong-pin", "/card/pin/block", tdes(&key("lab-zpk"), &pin_field()).into());
    put("wrong-mac", "/card/blocks/0/mac", "00000000".into());
    put("wrong-mac-key", "/card/blocks/0/mac_key", MAC_KEY.into());
    put("wrong-data", "/card/blocks/0/data", format!("{BLOCK}00").into());
    put("wrong-name", "/card/encoded_name", format!("{NAME}<>").into());
    put("wrong-pan", "/card/pan", format!("{}0", pan()).into());
    put("wrong-product", "/product/profile", NAME.into());
    let iso4 = json!({"type": "ISO4", "kid": "3", "encryptedPin": iso4()});
    let mut order = d1(iso4, false);
    let text = order["body"]["encryptedData"].as_str().unwrap();
    order["body"]["encryptedData"] = format!("{}AAAA", &text[..text.len() - 4]).into();
    all.push(("wrong-tag", order));
    all
}

/// What of a private key nobody may see.
fn private_parts(all: Canaries, name: &str, key: &PKey<Private>) -> Canaries {
    if let Ok(ec) = key.ec_key() {
        return all.bytes(name, &ec.private_key().to_vec());
    }
    let rsa = key.rsa().unwrap();
    let parts = [Some(rsa.d()), rsa.p(), rsa.q(), rsa.dmp1(), rsa.dmq1(), rsa.iqmp()];
    parts.into_iter().fold(all, |all, part| all.bytes(name, &part.unwrap().to_vec()))
}

/// What is secret before the program has run.
fn given_secrets() -> Canaries {
    let keys = sample_keys();
    let mut all = Canaries::new();
    for key in keys["keys"].as_array().unwrap() {
        let (name, value) = (key["name"].as_str().unwrap(), key["value"].as_str().unwrap());
        // A key pair's public half is made to be shown.
        all = match key["algorithm"].as_str().unwrap() {
            "rsa" | "p256" => {
                private_parts(all, name, &PKey::private_key_from_der(&hex::decode(value).unwrap()).unwrap())
            }
            _ => all.value(name, value),
        };
    }
    // The PIN's fields of formats 0 and 2, and what format 0 enciphers.
    let fields = [format!("2C{PIN}FF"), format!("0C{PIN}FF"), hex::encode(iso0())];
    all.digits("the PIN", PIN)
        .values("the PIN's field", fields.iter().map(String::as_str))
        .values("a sender's key", [TRANSPORT_KEY, MAC_KEY])
        .bytes("a content key", &(7..39).collect::<Vec<u8>>())
        .exactly("the CVV2", &format!("\"{CVV2}\""))
}

/// What stands on the card's data, and on the wire.
fn card_data() -> Search {
    Canaries::new()
        .digits("the PAN", &pan())
        .digits("the track's own data", DISCRETIONARY)
        .text("the name", NAME)
        .text("the printed name", PRINTED)
        .text("the PAR", PAR)
        .ready()
}

/// Keys that were made for the card, as the simulated card's file has them, which is for tests only.
fn made_secrets(mut all: Canaries, card: &str) -> Canaries {
    let file: Value = serde_json::from_str(&std::fs::read_to_string(card).unwrap()).unwrap();
    let groupings = &file["state"]["applications"][0]["groupings"];
    for dgi in ["8000", "8010", "8201", "8202", "8203", "8204", "8205"] {
        all = all.value(dgi, groupings[dgi].as_str().unwrap());
    }
    for set in file["blank"]["key_sets"].as_array().unwrap() {
        for name in ["enc", "mac", "dek"] {
            all = all.value("a key of the card", set[name].as_str().unwrap());
        }
    }
    all
}

/// Primes of the keys in a pool, opened here by its description.
fn pooled_secrets(all: Canaries, pool: &str) -> Canaries {
    let file: Value = serde_json::from_str(&std::fs::read_to_string(pool).unwrap()).unwrap();
    let part = |name: &str| hex::decode(file[name].as_str().unwrap()).unwrap();
    let (nonce, tag) = (part("nonce").try_into().unwrap(), part("tag").try_into().unwrap());
    let clear = gcm_open(&key("lab-record"), &nonce, b"perso pool 2", &part("ciphertext"), &tag).unwrap();
    let body: Value = serde_json::from_slice(&clear).unwrap();
    let pairs = body["keys"].as_array().unwrap();
    assert!(pairs.len() >= 2, "the pool is empty");
    let primes = pairs.iter().flat_map(|pair| [pair["p"].as_str().unwrap(), pair["q"].as_str().unwrap()]);
    all.values("a prime of the pool", primes)
}

/// The profile of the sample product, which takes a prepared block too.
fn profiles(desk: &Desk) -> String {
    let text = std::fs::read_to_string(root("card-profiles/visa-like-debit.toml")).unwrap();
    let blocks = "[prepare.blocks]\n\"9F10\" = \"9200\"\n\n[prepare.keys]";
    std::fs::create_dir(desk.path("in/profiles")).unwrap();
    desk.give("profiles/visa-like-debit.toml", text.replace("[prepare.keys]", blocks));
    desk.path("in/profiles")
}

/// What the commands share.
struct Bureau {
    desk: Desk,
    keys: [String; 4],
    order: [String; 4],
    ca_keys: String,
    pin: String,
}

impl Bureau {
    fn new() -> Self {
        let desk = Desk::new();
        let keys = ["--keys".into(), root("tests/samples/keys.test.json"), "--profiles".into(), profiles(&desk)];
        let order = [
            "--site".into(),
            root("tests/samples/orders/site.toml"),
            "--issuer-certificate".into(),
            root("tests/samples/issuer/visa-like.issuer.test.json"),
        ];
        let pin = desk.give("pin", format!("{PIN}\n"));
        Self { desk, keys, order, ca_keys: root("tests/samples/issuer/ca-keys.test.json"), pin }
    }

    fn with<'a>(&'a self, arguments: &[&'a str], of_orders: bool) -> Vec<String> {
        let order = self.order.iter().filter(|_| of_orders).map(String::as_str);
        arguments.iter().copied().chain(self.keys.iter().map(String::as_str)).chain(order).map(str::to_owned).collect()
    }

    /// Ends with this code, whatever the level of the log and the format.
    #[track_caller]
    fn ends(&mut self, exit: i32, arguments: &[&str], of_orders: bool, ways: &[(&str, &str)]) {
        for (log, format) in ways {
            // A record is never replaced.
            let made = if arguments[0] == "prepare" { "out/record" } else { "out/journal" };
            let _ = std::fs::remove_file(self.desk.path(made));
            let all = self.with(arguments, of_orders);
            let all: Vec<&str> = all.iter().map(String::as_str).chain(["--log", *log, "--format", *format]).collect();
            self.desk.ends(exit, &all);
        }
    }
}

const EVERY_WAY: [(&str, &str); 4] = [("warn", "json"), ("debug", "text"), ("trace", "text"), ("trace", "json")];
const ONE_WAY: [(&str, &str); 1] = [("trace", "json")];

#[test]
fn from_an_order_to_a_proven_card_no_canary_is_shown() {
    let mut bureau = Bureau::new();
    let path = |name: &str| bureau.desk.path(name);
    let (record, pool, journal) = (path("out/record"), path("out/pool"), path("out/journal"));
    let (trace, result) = (path("out/run.trace"), path("out/result"));
    let mut secrets = given_secrets();

    let keys = ["--keys".to_owned(), root("tests/samples/keys.test.json")];
    for format in ["text", "json"] {
        let fill = ["pool", "generate", &pool, "--count", "8", "--key", "lab-record", &keys[0], &keys[1]];
        bureau.desk.ends(0, &[&fill[..], &["--format", format, "--log", "trace"]].concat());
        bureau.desk.ends(0, &["pool", "status", &pool, &keys[0], &keys[1], "--format", format, "--log", "trace"]);
    }
    secrets = pooled_secrets(secrets, &pool);

    let kept =
        [("--journal", journal.as_str()), ("--trace", &trace), ("--result", &result), ("--ca-keys", &bureau.ca_keys)];
    let kept: Vec<String> = kept
        .into_iter()
        .flat_map(|(option, value)| [option.to_owned(), value.to_owned()])
        .chain(["--replace".to_owned()])
        .collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    for (name, order) in orders() {
        let order = bureau.desk.give(name, order.to_string());
        let site = root("tests/samples/orders/site.toml");
        for (log, format) in EVERY_WAY {
            let check = ["check", &order, "--site", &site, &keys[0], &keys[1], "--log", log, "--format", format];
            bureau.desk.ends(0, &check);
        }
        bureau.ends(0, &["prepare", &order], true, &ONE_WAY);
        bureau.ends(0, &["prepare", &order, "-o", &record, "--pool", &pool], true, &EVERY_WAY);
        bureau.ends(0, &["record", "show", &record], false, &EVERY_WAY);
        bureau.ends(0, &["plan", &record], false, &EVERY_WAY);

        let card_name = format!("out/{name}.card");
        let card = bureau.desk.holds_secrets(&card_name);
        bureau.ends(
            0,
            &["sim", "new", "visa-like-debit", "--record", &record, "-o", &card],
            false,
            &[("trace", "text")],
        );
        let reader = format!("sim:{card}");
        bureau.ends(0, &[&["run", &order, "--reader", &reader][..], &kept].concat(), true, &ONE_WAY);
        bureau.desk.ends(0, &["trace", "show", &trace]);
        bureau.desk.ends(0, &["trace", "show", &trace, &keys[0], &keys[1], "--format", "json"]);
        secrets = made_secrets(secrets, &card);

        let verify = ["verify", "--reader", &reader, "--ca-keys", &bureau.ca_keys.clone()];
        bureau.ends(0, &[&verify[..], &["--profile", "visa-like-debit"]].concat(), false, &EVERY_WAY);
        let pin = bureau.pin.clone();
        let whole = [&verify[..], &["--profile", "visa-like-debit", "--generate-ac", "--pin-from", &pin]].concat();
        bureau.ends(0, &whole, false, &EVERY_WAY);
        // Against a record of another order: everything differs, and nothing of it is told.
        bureau.ends(10, &[&verify[..], &[&record, "--generate-ac", "--pin-from", &pin]].concat(), false, &ONE_WAY);
        for interface in ["contact", "contactless"] {
            bureau.desk.ends(0, &["card", "data", "--reader", &reader, "--interface", interface, "--log", "debug"]);
        }
    }
    bureau.desk.search(&secrets.ready(), &card_data());
}

#[test]
fn what_goes_wrong_on_the_way_shows_no_canary() {
    let mut bureau = Bureau::new();
    let path = |name: &str| bureau.desk.path(name);
    let (record, journal, trace, result) =
        (path("out/record"), path("out/journal"), path("out/run.trace"), path("out/result"));
    let kept = ["--reader", "sim", "--journal", &journal, "--trace", &trace, "--result", &result, "--replace"];
    let mut refused = 0;
    for (name, order) in wrong_orders() {
        let order = bureau.desk.give(name, order.to_string());
        for arguments in [&["prepare", &order, "-o", &record][..], &[&["run", &order][..], &kept].concat()] {
            for log in LEVELS {
                let all = bureau.with(arguments, true);
                let all: Vec<&str> = all.iter().map(String::as_str).chain(["--log", log, "--format", "json"]).collect();
                let code = bureau.desk.run(&all).status.code().unwrap();
                assert!(matches!(code, 2..=5), "{name}: {code}");
                refused += 1;
            }
        }
    }
    assert!(refused > 40);
    let order = bureau.desk.give("own", own().to_string());
    for (fault, exit) in [
        ("cut before 30", 7),
        ("cut after 60", 8),
        ("sw 6A80 at 40", 7),
        ("corrupt DGI 0201 byte 6 mask 01 after loading", 7),
        ("corrupt DGI 8010 byte 0 mask 10 on storing", 7),
        ("flip 20.1 of answer 8", 6),
    ] {
        let arguments = [&["run", &order, "--fault", fault][..], &kept].concat();
        let all = bureau.with(&arguments, true);
        let all: Vec<&str> = all.iter().map(String::as_str).chain(["--log", "trace", "--format", "json"]).collect();
        for name in [&journal, &trace] {
            let _ = std::fs::remove_file(name);
        }
        let done = bureau.desk.run(&all);
        assert_eq!(done.status.code(), Some(exit), "{fault}: {}", String::from_utf8_lossy(&done.stderr));
    }
    bureau.desk.search(&given_secrets().ready(), &card_data());
}

/// The canaries are real: what is made to hold them holds them, and the search finds them there.
#[test]
fn the_card_itself_holds_the_canaries() {
    let mut bureau = Bureau::new();
    let card = bureau.desk.holds_secrets("out/card");
    let (record, order) = (bureau.desk.path("out/record"), bureau.desk.give("own", own().to_string()));
    bureau.ends(0, &["prepare", &order, "-o", &record], true, &ONE_WAY);
    bureau.ends(0, &["sim", "new", "visa-like-debit", "--record", &record, "-o", &card], false, &[("warn", "text")]);
    bureau.ends(0, &["run", &record, "--reader", &format!("sim:{card}")], false, &ONE_WAY);
    let file = std::fs::read(&card).unwrap();
    let data = card_data();
    assert_eq!(data.all_found(&file).into_iter().collect::<Vec<_>>(), ["the PAN", "the PAR", "the name"]);
    assert!(given_secrets().ready().all_found(&file).contains("the PIN"));
    let secrets = made_secrets(Canaries::new(), &card).ready();
    let found = secrets.all_found(&file);
    assert!(
        ["8000", "8010", "8201", "8202", "8203", "8204", "8205"].iter().all(|dgi| found.contains(dgi)),
        "{found:?}"
    );
    // And what went in.
    assert_eq!(given_secrets().ready().found(PIN.as_bytes()).unwrap().0, "the PIN");
    assert!(data.found(own().to_string().as_bytes()).is_some());
}
