//! From an order to a good card: data preparation, with every form in which a PIN arrives, prepared blocks, certificates up to the CA
//! key, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;
use crate::support;

use std::sync::LazyLock;

use perso::base::codec::tlv::{self, Tag};
use perso::base::crypto;
use perso::base::emv::certificate::{open_card, open_static};
use perso::base::emv::rules::{Outcome, Severity, Verdict};
use perso::base::emv::{Afl, Pan, static_data};
use perso::base::{Code, Fault};
use perso::card::sim::SimCard;
use perso::issuance::check;
use perso::issuance::journal::Journal;
use perso::issuance::result::RunResult;
use perso::prepare::{IssuerCertificate, Materials, Pool, PrepareError, Prepared, prepare};
use perso::profile::Profile;
use perso::record::{Application, Record};
use prepared::{KEYS, PRODUCTS, bench, chance, issuer_for, order_for, prepared_with, profile_for, read, text};
use serde_json::{Value, json};
use support::Bench;

const PAN: &str = "4761739001010119";
const PAYMENT: &str = "A0000009990301";

static ISSUER: LazyLock<IssuerCertificate> = LazyLock::new(|| issuer_for("visa-like"));

fn order() -> Value {
    order_for("visa-like")
}

fn prepared(order: &Value, profile: &Profile) -> Result<Prepared, PrepareError> {
    prepared_with(order, profile, Some(&ISSUER), None)
}

fn profile() -> Profile {
    profile_for("visa-like")
}

fn changed(change: impl Fn(&str) -> String) -> Profile {
    Profile::parse(&change(&text("card-profiles/visa-like-debit.toml")))
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn payment(record: &Record) -> &Application {
    record.applications().iter().find(|app| hex::encode_upper(app.aid()) == PAYMENT).unwrap()
}

fn made(record: Record, profile: Profile, contactless: bool) -> (RunResult, SimCard) {
    let plan = check::plan(&record, &profile, &*KEYS).unwrap_or_else(|problems| panic!("{problems:?}"));
    let bench = Bench { record, profile, plan, store: support::keys(), contactless, ca_keys: None };
    let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
    (ran.result, SimCard::of(ran.card))
}

fn tdes(key: &str, block: &[u8]) -> String {
    hex::encode_upper(crypto::tdes_ecb_encrypt(&hex::decode(key).unwrap(), block).unwrap())
}

/// ISO 9564 format 0, by the reference's worked chain: PIN field mixed with the PAN's last twelve digits but one.
fn iso0(pin: &str) -> Vec<u8> {
    let pin = hex::decode(format!("0{:X}{pin:F<14}", pin.len())).unwrap();
    let pan = hex::decode(format!("0000{}", &PAN[PAN.len() - 13..PAN.len() - 1])).unwrap();
    pin.iter().zip(pan).map(|(a, b)| a ^ b).collect()
}

const ZPK: &str = "10112233445566778899AABBCCDDEEFE";
const KEK: &str = "0123456789ABCDEFFEDCBA9876543210";
const PEK: &str = "00112233445566778899AABBCCDDEEFF";

#[test]
fn every_form_of_pin_becomes_the_same_card() {
    let arrives: &[(&str, Value)] = &[
        ("ISO0", json!({"form": "ISO0", "kid": "1", "block": tdes(ZPK, &iso0("1234"))})),
        (
            "ISO0TK",
            json!({
                "form": "ISO0TK", "kid": "2", "block": tdes(ZPK, &iso0("1234")),
                "transport_key": tdes(KEK, &hex::decode(ZPK).unwrap()), "transport_kcv": "EF9351",
            }),
        ),
        ("ISO4", json!({"form": "ISO4", "kid": "3", "block": iso4("1234")})),
    ];
    for (form, pin) in arrives {
        let mut order = order();
        order["card"]["pin"] = pin.clone();
        let prepared = prepared(&order, &profile()).unwrap_or_else(|error| panic!("{form}: {error}"));
        let (result, mut card) = made(prepared.record, profile(), false);
        assert_eq!(result.state, "good", "{form}: {:?} {:?}", result.fault, result.findings);
        // The card itself knows the PIN, and no other.
        card.reset();
        let aid = hex::decode(PAYMENT).unwrap();
        assert_eq!(card.process(&[&[0, 0xA4, 4, 0, 7][..], &aid, &[0]].concat()).last_chunk(), Some(&[0x90, 0x00]));
        card.process(&[0x80, 0xA8, 0, 0, 2, 0x83, 0, 0]);
        let verify = |block: &str| [&[0, 0x20, 0, 0x80, 8][..], &hex::decode(block).unwrap()].concat();
        assert_eq!(card.process(&verify("241235FFFFFFFFFF")), [0x63, 0xC2], "{form}");
        assert_eq!(card.process(&verify("241234FFFFFFFFFF")), [0x90, 0x00], "{form}");
    }
}

/// A product whose applet takes PIN blocks of ISO 9564 format 1, with every kind of length.
#[test]
fn pin_blocks_of_format_1_make_good_cards() {
    let file = text("card-profiles/visa-like-debit.toml");
    let with = file.replacen("pin_block = \"iso2\"", "pin_block = \"iso1\"", 1);
    assert_ne!(with, file);
    let profile = Profile::parse(&with).unwrap();
    for pin in ["1234", "12345", "123456789012"] {
        let mut order = order();
        order["card"]["pin"] = json!({"form": "ISO0", "kid": "1", "block": tdes(ZPK, &iso0(pin))});
        let prepared = prepared(&order, &profile).unwrap_or_else(|error| panic!("{pin}: {error}"));
        let (result, mut card) = made(prepared.record, profile.clone(), false);
        assert_eq!(result.state, "good", "{} digits: {:?} {:?}", pin.len(), result.fault, result.findings);
        // A terminal sends format 2, whatever the card stores.
        card.reset();
        let aid = hex::decode(PAYMENT).unwrap();
        assert_eq!(card.process(&[&[0, 0xA4, 4, 0, 7][..], &aid, &[0]].concat()).last_chunk(), Some(&[0x90, 0x00]));
        card.process(&[0x80, 0xA8, 0, 0, 2, 0x83, 0, 0]);
        let block = hex::decode(format!("2{:X}{pin:F<14}", pin.len())).unwrap();
        assert_eq!(card.process(&[&[0, 0x20, 0, 0x80, 8][..], &block].concat()), [0x90, 0x00], "{}", pin.len());
    }
}

/// ISO 9564 format 4 with fixed filling. // ISO 9564-1 §9.4.2
fn iso4(pin: &str) -> String {
    let key = hex::decode(PEK).unwrap();
    let field = hex::decode(format!("4{}{pin:A<14}1122334455667788", pin.len())).unwrap();
    let pan = hex::decode(format!("{}{PAN:0<31}", PAN.len() - 12)).unwrap();
    let inner = crypto::aes_ecb_encrypt(&key, &field).unwrap();
    let mixed: Vec<u8> = inner.iter().zip(pan).map(|(a, b)| a ^ b).collect();
    hex::encode_upper(crypto::aes_ecb_encrypt(&key, &mixed).unwrap())
}

#[test]
fn every_product_ends_good_over_both_interfaces_and_keeps_every_rule() {
    for product in PRODUCTS {
        let made = prepared_with(&order_for(product), &profile_for(product), Some(&issuer_for(product)), None).unwrap();
        let broken: Vec<_> = made.outcomes.iter().filter(|outcome| !outcome.failures().is_empty()).collect();
        assert!(broken.is_empty(), "{product}: {broken:?}");
        for contactless in [false, true] {
            let bench = bench(product, contactless);
            let result = bench.run_on(bench.blank(), &[], &mut Journal::in_memory()).result;
            assert_eq!(result.state, "good", "{product}: {:?} {:?}", result.fault, result.findings);
        }
    }
}

/// What a rule says of the payment application, over every interface.
fn verdicts(outcomes: &[Outcome], rule: u8) -> Vec<&Verdict> {
    let of_payment = outcomes.iter().filter(|it| it.rule == rule && it.subject.starts_with("A000000999"));
    of_payment.map(|it| &it.verdict).collect()
}

#[test]
fn what_only_keys_show_is_computed_again_from_the_record() {
    for product in PRODUCTS {
        let made = prepared_with(&order_for(product), &profile_for(product), Some(&issuer_for(product)), None).unwrap();
        for rule in [21, 22] {
            assert_eq!(verdicts(&made.outcomes, rule), [&Verdict::Passed; 2], "{product}: R{rule}");
        }
    }
    // The order brings a value that the issuer's key does not give: a warning.
    let mut foreign = order();
    foreign["card"]["icvv"] = "000".into();
    for verdict in verdicts(&prepared(&foreign, &profile()).unwrap().outcomes, 21) {
        let Verdict::Failed(failures) = verdict else { panic!("{verdict:?}") };
        assert!(failures.iter().any(|it| it.what.contains("the issuer's key")), "{failures:?}");
    }
}

/// The rules that refuse an order, by their numbers and tags.
fn refusing(order: &Value, profile: &Profile) -> Vec<(u8, String)> {
    match prepared(order, profile) {
        Ok(_) => Vec::new(),
        Err(PrepareError::Rules(outcomes)) => {
            let mut found: Vec<_> = outcomes
                .iter()
                .flat_map(|it| it.failures().iter().filter(|it| it.severity == Severity::Error).map(|f| (it.rule, f)))
                .map(|(rule, failure)| (rule, failure.place.to_string()))
                .collect();
            found.dedup();
            found
        }
        Err(error) => panic!("{error}"),
    }
}

const CHIP_57: &str = "{ tag = \"57\", derive = \"track-equivalent\" }";
const CHIP2: &str = "chip2 = \"{pvki}{pvv}{icvv}00\"";
const CHIP1: &str = "chip1 = \"{pvki}{pvv}00{icvv}000000\"";

/// Row by row: whoever reads the chip must not learn the stripe's card verification value.
#[test]
fn the_stripes_value_on_the_chip_is_refused_in_every_field_that_may_hold_one() {
    let leaking = |tag: &str, change: &dyn Fn(&str) -> String| {
        let found = refusing(&order(), &changed(|text| change(text)));
        assert!(
            !found.is_empty() && found.iter().all(|(rule, place)| *rule == 21 && place.starts_with(tag)),
            "{found:?}"
        );
    };
    leaking("57", &|text| text.replace(CHIP2, "chip2 = \"{pvki}{pvv}{cvv}01\""));
    leaking("9F1F", &|text| text.replace(CHIP1, "chip1 = \"{pvki}{pvv}00{cvv}000001\""));
    // Nothing excuses it: not even the chip's own value in the same field.
    leaking("9F1F", &|text| text.replace(CHIP1, "chip1 = \"{cvv}00{icvv}000001\""));
    let with = |text: &str, tag: &str| text.replacen(CHIP_57, &format!("{CHIP_57}, {tag}"), 1);
    let contactless = |rest: &str| format!("{CHIP2}\ncontactless1 = \"B{{pan}}^ /^{{expiry}}{{service_code}}{rest}\"");
    let asked = "{ tag = \"56\", derive = \"track-one-contactless\" }";
    leaking("56", &|text| with(text, asked).replace(CHIP2, &contactless("{pvki}{pvv}00{cvv}000001")));
    let good = prepared(&order(), &profile()).unwrap();
    let cvv = good.record.subjects().remove(0).tracks.unwrap().two.unwrap().discretionary[5..8].to_owned();
    // A fixed value, at another place than the pattern's.
    let code = format!("4761739001010119D30122010{cvv}{}", if cvv.len() % 2 == 1 { "" } else { "F" });
    leaking("9F6B", &|text| with(text, &format!("{{ tag = \"9F6B\", fixed = \"{code}\" }}")));

    // The chip's value, or none, is right.
    for rest in ["{pvki}{pvv}00{icvv}000000", "0000000000"] {
        let profile = changed(|text| with(text, asked).replace(CHIP2, &contactless(rest)));
        assert_eq!(refusing(&order(), &profile), [], "{rest}");
    }
    // Equal by chance, 1 in 1,000.
    let mut equal = order();
    (equal["card"]["cvv"], equal["card"]["icvv"]) = ("123".into(), "123".into());
    assert_eq!(refusing(&equal, &profile()), []);
    assert_eq!(refusing(&equal, &changed(|text| text.replace(CHIP2, "chip2 = \"{pvki}{pvv}{cvv}01\""))), []);
    // Without a key nobody knows: what is the same as on the stripe is told.
    let without = changed(|text| {
        let text = text.replace("cvk = \"lab-cvk\"\n", "").replace("{cvv}", "000").replace("{icvv}", "111");
        text.replace("chip2 = \"{pvki}{pvv}11100\"", "chip2 = \"{pvki}{pvv}00000\"")
    });
    let mut plain = order();
    plain["product"].as_object_mut().map(|product| product.remove("cv_key"));
    let outcomes = prepared(&plain, &without).unwrap().outcomes;
    let told = verdicts(&outcomes, 21)
        .into_iter()
        .any(|it| matches!(it, Verdict::Failed(failures) if failures[0].severity == Severity::Warning));
    assert!(told, "{outcomes:?}");
}

#[test]
fn keys_that_are_not_the_cards_are_refused() {
    let check_values = |text: &str| {
        text.replace("dgi = \"9000\"\nderive = \"check-values\"", "dgi = \"9000\"\nfixed = \"0123456789ABCDEF01\"")
    };
    let number = |text: &str| text.replace("{ tag = \"5F34\", order = \"psn\" }", "{ tag = \"5F34\", fixed = \"07\" }");
    for (recipe, what) in [(changed(check_values), "check values"), (changed(number), "another PAN sequence number")] {
        match prepared(&order(), &recipe) {
            Err(PrepareError::Rules(outcomes)) => {
                assert!(outcomes.iter().all(|it| it.rule == 22), "{what}: {outcomes:?}");
                assert!(outcomes[0].failures()[0].what.contains(what), "{what}: {outcomes:?}");
            }
            other => panic!("{what}: {:?}", other.map(|made| made.outcomes)),
        }
    }
}

#[test]
fn certificates_lead_from_the_card_to_the_ca() {
    let prepared = prepared(&order(), &profile()).unwrap();
    let app = payment(&prepared.record);
    for (dgi, certificates, aip) in [(0x9104, [0x0203, 0x0205], [0x7D, 0x00]), (0x9207, [0x0303, 0x0304], [0x20, 0x00])]
    {
        let located = tlv::parse(app.clear_value(dgi).unwrap()).unwrap();
        let afl = Afl::parse(&tlv::find(&located, Tag::of(0x94)).unwrap().value_bytes()).unwrap();
        assert!(afl.oda_records().count() > 0);
        let record = |sfi, number| app.clear_value(u16::from_be_bytes([sfi, number])).map(<[u8]>::to_vec);
        let data = static_data(&afl, record, &[0x82], aip).unwrap();
        let value = |dgi: u16, tag: u32| {
            let objects = tlv::parse(app.clear_value(dgi).unwrap()).unwrap();
            tlv::find(&objects, Tag::of(tag)).map(|object| object.value_bytes()).unwrap_or_default()
        };
        let [_, icc] = certificates;
        let (certificate, remainder) = (value(icc, 0x9F46), value(icc, 0x9F48));
        let card =
            open_card(ISSUER.key(), &certificate, &remainder, &value(icc, 0x9F47)).unwrap().prove(&data).unwrap();
        card.is_for(&Pan::parse(PAN).unwrap()).unwrap();
        assert_eq!(card.key.bits(), 1024);
        if dgi == 0x9104 {
            open_static(ISSUER.key(), &value(0x0204, 0x93), &data).unwrap();
        }
    }
}

#[test]
fn stripe_and_chip_hold_values_of_their_own() {
    // The verification values of the sample key over this PAN are compared with what the key room's vectors pin.
    let prepared = prepared(&order(), &profile()).unwrap();
    let tracks = prepared.record.subjects().remove(0).tracks.unwrap();
    let (one, two) = (tracks.one.unwrap(), tracks.two.unwrap());
    assert_eq!((one.expiry.as_str(), one.service_code.as_str()), ("3012", "201"));
    let objects = tlv::parse(payment(&prepared.record).clear_value(0x0101).unwrap()).unwrap();
    let equivalent = tlv::find(&objects, Tag::of(0x57)).unwrap().value_bytes();
    let chip = perso::base::emv::track::Fields::from_tag57(&equivalent).unwrap();
    assert!(chip.pan == two.pan && chip.expiry == two.expiry);
    // PVKI and PVV are the same on both, the card verification value is not.
    assert_eq!(chip.discretionary[..5], two.discretionary[..5]);
    assert_ne!(chip.discretionary[5..8], two.discretionary[5..8]);
}

#[test]
fn a_pool_gives_each_key_once_and_its_file_opens_with_its_key_only() {
    let mut pool = Pool::new();
    pool.fill(2, 1024, 3, &mut chance()).unwrap();
    let file = pool.seal("lab-record", &*KEYS, &mut chance()).unwrap();
    let mut pool = Pool::open(file.as_bytes(), &*KEYS).unwrap();
    assert_eq!(pool.stock(), [(1024, 3, 2)]);
    let modulus = |prepared: &Prepared| {
        let objects = tlv::parse(payment(&prepared.record).clear_value(0x0205).unwrap()).unwrap();
        tlv::find(&objects, Tag::of(0x9F46)).unwrap().value_bytes()
    };
    let first = prepared_with(&order(), &profile(), Some(&ISSUER), Some(&mut pool)).unwrap();
    let second = prepared_with(&order(), &profile(), Some(&ISSUER), Some(&mut pool)).unwrap();
    assert!(pool.stock().is_empty());
    assert_ne!(modulus(&first), modulus(&second));
    let broken = file.replacen("\"tag\": \"", "\"tag\": \"00", 1);
    assert!(Pool::open(broken.as_bytes(), &*KEYS).is_err());
    assert!(Pool::open(b"{}", &*KEYS).is_err());
}

fn refused(order: &Value, profile: &Profile, issuer: Option<&IssuerCertificate>) -> (Code, String) {
    match prepared_with(order, profile, issuer, None) {
        Ok(_) => panic!("it was prepared"),
        Err(error) => (error.code(), error.to_string()),
    }
}

#[test]
fn what_cannot_be_prepared_is_refused_by_name() {
    let good = order();
    let code = |order: &Value, profile: &Profile, issuer| refused(order, profile, issuer).0;
    assert_eq!(code(&good, &support::profile("debit-contact-scp02"), None), Code::PrepareRecipe);
    assert_eq!(code(&good, &profile(), None), Code::PrepareIssuer);
    let mut unnamed = good.clone();
    unnamed["product"].as_object_mut().unwrap().remove("oda_key");
    let keyless = changed(|text| text.replace("issuer = \"lab-issuer-rsa\"\n", ""));
    assert_eq!(code(&unnamed, &keyless, Some(&ISSUER)), Code::KeyUnknown);
    // Nothing has a service code.
    let mut order = good.clone();
    order["card"].as_object_mut().unwrap().remove("service_code");
    let silent = changed(|text| text.replace("service_code = \"201\"\n", ""));
    assert_eq!(refused(&order, &silent, Some(&ISSUER)).0, Code::PrepareData);
    // An order that was right when it came, for a card that has expired since.
    let order = read(&good);
    let (mut chance, profile) = (chance(), profile());
    let today = Some((2031, 1, 1));
    let late = Materials {
        order: &order,
        profile: &profile,
        store: &*KEYS,
        issuer: Some(&ISSUER),
        pool: None,
        chance: &mut chance,
        today,
    };
    assert!(matches!(prepare(late), Err(PrepareError::Rules(outcomes)) if outcomes[0].rule == 5));
}

#[test]
fn no_message_quotes_a_value() {
    let mut order = order();
    order["card"]["pin"]["block"] = "0123456789ABCDEF".into();
    let (code, message) = refused(&order, &profile(), Some(&ISSUER));
    assert_eq!(code, Code::PinBlock);
    for secret in [PAN, "0123456789ABCDEF", "1234"] {
        assert!(!message.contains(secret), "{message}");
    }
}

/// A block of chip data that someone else has prepared: its MAC over the clear data, its MAC key under the KEK.
fn block(data: &str, mac_key: &str) -> Value {
    let (key, clear) = (hex::decode(mac_key).unwrap(), hex::decode(data).unwrap());
    let mac = crypto::retail_mac(&key.repeat(16 / key.len()), &[0; 8], &crypto::pad_80(&clear, 8)).unwrap();
    json!({
        "aid": PAYMENT, "kek": "1", "mac_key": tdes(KEK, &key), "data": data, "mac": hex::encode_upper(&mac[..4]),
    })
}

#[test]
fn prepared_blocks_fill_their_groupings_once_their_mac_is_right() {
    let recipe =
        changed(|text| text.replace("[prepare.keys]", "[prepare.blocks]\n\"9F10\" = \"9200\"\n\n[prepare.keys]"));
    for mac_key in ["1122334455667788", "1122334455667788AABBCCDDEEFF0011"] {
        let mut order = order();
        order["card"]["blocks"] = json!([block("9F100706011203A40000", mac_key)]);
        let prepared = prepared(&order, &recipe).unwrap();
        let filled = payment(&prepared.record).clear_value(0x9200).unwrap();
        assert_eq!(hex::encode_upper(filled), "9F100706011203A40000");
        order["card"]["blocks"][0]["mac"] = "00000000".into();
        assert_eq!(refused(&order, &recipe, Some(&ISSUER)).0, Code::PrepareBlock);
    }
    let mut order = order();
    order["card"]["blocks"] = json!([block("9F0902008C", "1122334455667788")]);
    assert_eq!(refused(&order, &recipe, Some(&ISSUER)).0, Code::PrepareBlock);
}
