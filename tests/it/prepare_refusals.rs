//! Data preparation loses nothing of an order and takes nothing wrong: each of it is refused, with what to do next.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;

use std::sync::LazyLock;

use perso::base::crypto::{self, RsaPrivate};
use perso::base::emv::certificate::{Subject, sign_issuer};
use perso::base::{Code, Fault};
use perso::order::{Order, Site};
use perso::prepare::{IssuerCertificate, IssuerFile, Materials, PrepareError, Prepared, prepare};
use perso::profile::Profile;
use perso::record::Record;
use prepared::{KEYS, chance, issuer_for, order_for, text};
use serde_json::{Value, json};

const PAYMENT: &str = "A0000009990301";
const PPSE: &str = "325041592E5359532E4444463031";
const KEK: &str = "0123456789ABCDEFFEDCBA9876543210";
const MAC_KEY: &str = "1122334455667788";

fn order() -> Value {
    order_for("visa-like")
}

/// The sample product with changes, each of which must have changed something.
fn changed(changes: &[(&str, &str)]) -> Profile {
    let mut profile = text("card-profiles/visa-like-debit.toml");
    for (from, to) in changes {
        assert!(profile.contains(from), "{from}");
        profile = profile.replacen(from, to, 1);
    }
    Profile::parse(&profile).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The sample product with tags of prepared blocks in their groupings.
fn with_blocks(tags: &str, changes: &[(&str, &str)]) -> Profile {
    let blocks = format!("[prepare.blocks]\n{tags}\n\n[prepare.keys]");
    changed(&[&[("[prepare.keys]", blocks.as_str())], changes].concat())
}

/// The sample site, where no product asks for a PIN, and what it says of applications is wrong.
static SITE: LazyLock<Site> = LazyLock::new(|| {
    let site = text("tests/samples/orders/site.toml");
    assert!(site.contains("pin_required = true") && site.contains("applications = 1"));
    let site = site.replace("pin_required = true", "pin_required = false");
    Site::parse(&site.replace("applications = 1", "applications = 2")).unwrap()
});

fn prepared(order: &Value, profile: &Profile, issuer: &IssuerCertificate) -> Result<Prepared, PrepareError> {
    let order =
        Order::read(order.to_string().as_bytes(), &SITE, &*KEYS).unwrap_or_else(|problems| panic!("{problems:?}"));
    let (mut chance, issuer, today) = (chance(), Some(issuer), Some((2026, 11, 24)));
    prepare(Materials { order: &order, profile, store: &*KEYS, issuer, pool: None, chance: &mut chance, today })
}

/// It is refused with this code, and the message has all of these words.
fn refused(order: &Value, profile: &Profile, issuer: &IssuerCertificate, code: Code, words: &[&str]) {
    let error = match prepared(order, profile, issuer) {
        Ok(_) => panic!("it was prepared: {words:?}"),
        Err(error) => error,
    };
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

fn with(blocks: &[Value]) -> Value {
    let mut order = order();
    order["card"]["blocks"] = blocks.into();
    order
}

fn block(aid: Option<&str>, data: &str) -> Value {
    let (key, clear) = (hex::decode(MAC_KEY).unwrap(), hex::decode(data).unwrap());
    let mac = crypto::retail_mac(&key.repeat(2), &[0; 8], &crypto::pad_80(&clear, 8)).unwrap();
    let mac_key = hex::encode_upper(crypto::tdes_ecb_encrypt(&hex::decode(KEK).unwrap(), &key).unwrap());
    let mut block = json!({"kek": "1", "mac_key": mac_key, "data": data, "mac": hex::encode_upper(&mac[..4])});
    if let Some(aid) = aid {
        block["aid"] = aid.into();
    }
    block
}

fn value(record: &Record, aid: &str, dgi: u16) -> Option<String> {
    let app = record.applications().iter().find(|app| hex::encode_upper(app.aid()) == aid).unwrap();
    app.clear_value(dgi).map(hex::encode_upper)
}

const ISSUER_DATA: &str = "9F100706011203A40000";

#[test]
fn no_prepared_block_is_lost() {
    let issuer = issuer_for("visa-like");
    let to_9200 = with_blocks("\"9F10\" = \"9200\"", &[]);
    let says = |blocks: &[Value], profile: &Profile, words: &[&str]| {
        refused(&with(blocks), profile, &issuer, Code::PrepareBlock, &[&["prepared block"], words].concat());
    };
    says(&[block(Some("A0000009990302"), ISSUER_DATA)], &to_9200, &["A0000009990302 is not on this card", "aid"]);
    // A grouping that the application has not.
    says(&[block(Some(PPSE), ISSUER_DATA)], &to_9200, &["grouping 9200", PPSE, "[prepare.blocks]"]);
    let nowhere = with_blocks("\"9F10\" = \"92FF\"", &[]);
    says(&[block(None, ISSUER_DATA)], &nowhere, &["grouping 92FF", PAYMENT]);
    // A secret's place: what blocks bring stands in the record's clear groupings.
    let secret = with_blocks("\"9F10\" = \"8010\"", &[]);
    says(&[block(None, ISSUER_DATA)], &secret, &["grouping 8010", "secret", "[prepare.blocks]"]);
    // Twice the same.
    says(&[block(Some(PAYMENT), ISSUER_DATA), block(None, ISSUER_DATA)], &to_9200, &["block 2", "9F10", "second time"]);
    // A grouping that is made with a PIN only, and there is none.
    let mut order = with(&[block(None, "9F170103")]);
    order["card"].as_object_mut().unwrap().remove("pin");
    order["card"]["pvv"] = "0000".into();
    order["product"].as_object_mut().unwrap().remove("pin_required");
    order["product"].as_object_mut().unwrap().remove("pv_key");
    let only = |dgi: &str| (format!("dgi = \"{dgi}\"\n"), format!("dgi = \"{dgi}\"\nonly = \"with-pin\"\n"));
    let (tries, pin) = (only("9010"), only("8010"));
    let tries = with_blocks("\"9F17\" = \"9010\"", &[(&tries.0, &tries.1), (&pin.0, &pin.1)]);
    refused(&order, &tries, &issuer, Code::PrepareBlock, &["grouping 9010", "PIN"]);
}

#[test]
fn a_block_without_a_name_is_for_the_only_application() {
    let issuer = issuer_for("visa-like");
    let profile = with_blocks("\"9F10\" = \"9200\"\n\"DF01\" = \"9200\"", &[]);
    let blocks = [block(Some(PAYMENT), ISSUER_DATA), block(None, "DF010155")];
    let record = prepared(&with(&blocks), &profile, &issuer).unwrap().record;
    assert_eq!(value(&record, PAYMENT, 0x9200).unwrap(), format!("{ISSUER_DATA}DF010155"));
    // The PPSE becomes an application with an AIP: now there are two.
    let ppse = format!("[[prepare.application]]\naid = \"{PPSE}\"\n");
    let two = with_blocks("\"9F10\" = \"9200\"", &[(&ppse, &format!("{ppse}aip = \"0000\"\n"))]);
    let words = ["names no application", "has 2", "aid"];
    refused(&with(&[block(None, ISSUER_DATA)]), &two, &issuer, Code::PrepareBlock, &words);
}

/// A certificate of the sample issuer's key by a CA made for this test: BIN filled with F, last month.
fn certificate(issuer_id: &str, expiry: &str) -> IssuerCertificate {
    static CA: LazyLock<RsaPrivate> = LazyLock::new(|| RsaPrivate::generate(1408, 3, &mut chance()).unwrap());
    let id = hex::decode(issuer_id).unwrap().try_into().unwrap();
    let subject = Subject { expiry: expiry.parse().unwrap(), serial: [0, 0, 1] };
    let (ca, key) = (CA.public(), issuer_for("visa-like").key().clone());
    let issued = sign_issuer(ca, id, subject, &key, |block| CA.raw(block)).unwrap();
    let file = IssuerFile::of([0xA0, 0, 0, 9, 0x99], 0xFE, ca, &issued);
    IssuerCertificate::parse(&serde_json::to_vec(&file).unwrap()).unwrap()
}

#[test]
fn an_issuer_certificate_is_for_the_pan_and_of_today() {
    let profile = changed(&[]);
    for id in ["476FFFFF", "476173FF", "47617390"] {
        prepared(&order(), &profile, &certificate(id, "2035-12")).unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    for id in ["541333FF", "47617391", "476174FF"] {
        let words = ["not for the order's PAN", "--issuer-certificate"];
        refused(&order(), &profile, &certificate(id, "2035-12"), Code::PrepareIssuer, &words);
    }
    let words = ["expired with 2026-10", "--issuer-certificate"];
    refused(&order(), &profile, &certificate("476173FF", "2026-10"), Code::PrepareIssuer, &words);
    // The whole last month is good: that the card outlives it is told, and stops nothing.
    assert!(prepared(&order(), &profile, &certificate("476173FF", "2026-11")).is_ok());
}

#[test]
fn an_order_and_a_product_that_disagree_are_refused() {
    let issuer = issuer_for("visa-like");
    let says = |order: &Value, profile: &Profile, words: &[&str]| {
        refused(order, profile, &issuer, Code::PrepareData, words);
    };
    let bare = changed(&[("stripe = \"elsewhere\"", "stripe = \"none\"")]);
    says(&order(), &bare, &["wants a magnetic stripe", "stripe = \"none\""]);
    // Given tracks are a wish for a stripe.
    let mut given = order();
    given["card"]["stripe"] = false.into();
    assert!(prepared(&given, &bare, &issuer).is_ok());
    given["card"]["track2"] = ";4761739001010119=30122011000012300000?".into();
    says(&given, &bare, &["wants a magnetic stripe"]);
    // A stripe with nothing to write on it.
    let patterns = text("card-profiles/visa-like-debit.toml");
    let line = |name: &str| format!("{}\n", patterns.lines().find(|line| line.starts_with(name)).unwrap());
    let silent = changed(&[(&line("track1 ="), ""), (&line("track2 ="), "")]);
    says(&order(), &silent, &["wants a magnetic stripe", "[prepare.patterns]"]);
    // The site says something else of the product than its profile.
    let mut two = order();
    two["product"]["applications"] = 2.into();
    says(&two, &changed(&[]), &["2 payment applications", "has 1"]);
    let mut antenna = order();
    antenna["product"]["contactless"] = true.into();
    assert!(prepared(&antenna, &changed(&[]), &issuer).is_ok());
    says(&antenna, &changed(&[("aip_contactless = \"2000\"\n", "")]), &["with contactless", "has none"]);
}

#[test]
fn a_signature_of_cda_that_goes_into_no_answer_is_refused() {
    let words = ["1648 bits", "1640 at most", "rsa_bits", "CDA"];
    let long = changed(&[("rsa_bits = 1024", "rsa_bits = 1648")]);
    refused(&order(), &long, &issuer_for("visa-like"), Code::PrepareRecipe, &words);
    // What fits, or is not CDA, goes on to the next question: whether the issuer's key can certify it.
    let without = changed(&[("rsa_bits = 1024", "rsa_bits = 1648"), ("aip = \"7D00\"", "aip = \"7C00\"")]);
    let fitting = changed(&[("rsa_bits = 1024", "rsa_bits = 1640")]);
    for profile in [without, fitting] {
        refused(&order(), &profile, &issuer_for("visa-like"), Code::PrepareIssuer, &["1408", "rsa_bits"]);
    }
}

#[test]
fn a_card_key_longer_than_the_issuers_names_rsa_bits() {
    let long = changed(&[("rsa_bits = 1024", "rsa_bits = 1416")]);
    let words = ["1416 bits", "1408", "rsa_bits"];
    refused(&order(), &long, &issuer_for("visa-like"), Code::PrepareIssuer, &words);
}

/// The first signed record of the sample card, and the one that holds the card's certificate.
const SIGNED: u16 = 0x0201;
const CERTIFICATE: u16 = 0x0205;

#[test]
fn a_block_in_a_signed_record_is_what_is_signed() {
    let issuer = issuer_for("visa-like");
    let profile = with_blocks("\"70\" = \"0201\"\n\"57\" = \"0201\"", &[]);
    let plain = prepared(&order(), &profile, &issuer).unwrap().record;
    // Another issuer country.
    let record = value(&plain, PAYMENT, SIGNED).unwrap().replace("5F28020250", "5F28020280");
    let made = prepared(&with(&[block(Some(PAYMENT), &record)]), &profile, &issuer).unwrap();
    assert_eq!(value(&made.record, PAYMENT, SIGNED).unwrap(), record);
    assert_ne!(value(&plain, PAYMENT, SIGNED).unwrap(), record);
    let told = made.outcomes.iter().filter(|outcome| outcome.rule == 11 && !outcome.failures().is_empty()).count();
    assert_eq!(told, 0);
    // Bare objects get template 70, and are the whole record: what it lacks then refuses the order.
    let bare = with(&[block(Some(PAYMENT), "57024761")]);
    refused(&bare, &profile, &issuer, Code::PrepareData, &["57", "SFI 2 record 1", "R8"]);
}

#[test]
fn r11_opens_what_stands_in_the_finished_record() {
    let issuer = issuer_for("visa-like");
    let profile = with_blocks("\"70\" = \"0205\"", &[]);
    let certificate_of =
        |profile: &Profile| value(&prepared(&order(), profile, &issuer).unwrap().record, PAYMENT, CERTIFICATE).unwrap();
    let good = certificate_of(&profile);
    assert!(prepared(&with(&[block(Some(PAYMENT), &good)]), &profile, &issuer).is_ok());
    let foreign = certificate_of(&changed(&[("rsa_exponent = 3", "rsa_exponent = 65537")]));
    // The last byte of the certificate.
    let end = good.find("9F4681B0").unwrap() + 8 + 2 * 0xB0;
    let other = if &good[end - 1..end] == "0" { "1" } else { "0" };
    let broken = format!("{}{other}{}", &good[..end - 1], &good[end..]);
    let faults = [
        (broken, "card certificate: it does not open"),
        (foreign, "it certifies another key than the one that the card gets"),
    ];
    for (record, why) in faults {
        let order = with(&[block(Some(PAYMENT), &record)]);
        match prepared(&order, &profile, &issuer) {
            Err(PrepareError::Rules(outcomes)) => {
                let told = outcomes.iter().find(|outcome| outcome.rule == 11).unwrap().to_string();
                assert!(told.contains(why), "{told}");
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was prepared: {why}"),
        }
    }
}
