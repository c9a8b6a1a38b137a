//! Prepared TLV blocks in every form that a profile names. The blocks are made here, with OpenSSL's ciphers alone: what makes them shares
//! nothing with what opens them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;
use crate::support;

use std::sync::LazyLock;

use openssl::symm::{Cipher, Crypter, Mode};
use perso::base::{Code, Fault};
use perso::card::sim::SimCard;
use perso::issuance::check;
use perso::issuance::journal::Journal;
use perso::prepare::{IssuerCertificate, PrepareError, Prepared};
use perso::profile::Profile;
use perso::record::{Application, Content, Record};
use prepared::{KEYS, issuer_for, order_for, prepared_with, text};
use serde_json::{Value, json};
use support::Bench;

const PAYMENT: &str = "A0000009990301";
const KEK: &str = "0123456789ABCDEFFEDCBA9876543210";
const SINGLE: &str = "1122334455667788";
const DOUBLE: &str = "1122334455667788AABBCCDDEEFF0011";
const ISSUER_DATA: &str = "9F100706011203A40000";

static ISSUER: LazyLock<IssuerCertificate> = LazyLock::new(|| issuer_for("visa-like"));

/// Triple DES with OpenSSL, CBC with a zero IV, whole blocks.
fn tdes(mode: Mode, key: &[u8], data: &[u8]) -> Vec<u8> {
    let key: Vec<u8> = key.iter().copied().cycle().take(24).collect();
    let mut crypter = Crypter::new(Cipher::des_ede3_cbc(), mode, &key, Some(&[0; 8])).unwrap();
    crypter.pad(false);
    let mut out = vec![0; data.len() + 8];
    let mut length = crypter.update(data, &mut out).unwrap();
    length += crypter.finalize(&mut out[length..]).unwrap();
    out.truncate(length);
    out
}

fn pad(data: &[u8]) -> Vec<u8> {
    let mut padded = [data, &[0x80]].concat();
    padded.resize(padded.len().next_multiple_of(8), 0);
    padded
}

/// ISO 9797-1 MAC algorithm 3, or algorithm 1 where the key has one half; padding method 2; the leftmost four bytes.
fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let (first, last) = (&key[..8], &key[key.len() - 8..]);
    let chained = tdes(Mode::Encrypt, first, &pad(data));
    let block = &chained[chained.len() - 8..];
    let block = tdes(Mode::Decrypt, last, block);
    tdes(Mode::Encrypt, first, &block)[..4].to_vec()
}

/// How a block is made.
#[derive(Clone, Copy)]
struct Form {
    enciphered: bool,
    mac_over_enciphered: bool,
    padded: bool,
}

const CLEAR: Form = Form { enciphered: false, mac_over_enciphered: false, padded: false };
const SECRET: Form = Form { enciphered: true, mac_over_enciphered: true, padded: true };

fn block(data: &str, form: Form, mac_key: &str) -> Value {
    let (clear, kek, key) = (hex::decode(data).unwrap(), hex::decode(KEK).unwrap(), hex::decode(mac_key).unwrap());
    let sent = match (form.enciphered, form.padded) {
        (true, true) => tdes(Mode::Encrypt, &kek, &pad(&clear)),
        (true, false) => tdes(Mode::Encrypt, &kek, &clear),
        (false, _) => clear.clone(),
    };
    let mac = mac(&key, if form.mac_over_enciphered { &sent } else { &clear });
    // The MAC key comes in ECB: each half for itself.
    let mac_key: Vec<u8> = key.chunks(8).flat_map(|half| tdes(Mode::Encrypt, &kek, half)).collect();
    json!({
        "aid": PAYMENT, "kek": "1", "mac_key": hex::encode_upper(mac_key), "data": hex::encode_upper(&sent),
        "length": sent.len().to_string(), "mac": hex::encode_upper(mac),
    })
}

/// The sample product, with places for tags, and blocks of this form.
fn profile(form: Form, places: &str) -> Profile {
    let mut said = String::new();
    if form.enciphered {
        said += "blocks_enciphered = true\n";
    }
    if form.mac_over_enciphered {
        said += "blocks_mac = \"enciphered\"\n";
    }
    if form.padded {
        said += "blocks_padded = true\n";
    }
    let text = text("card-profiles/visa-like-debit.toml");
    let text = text.replacen("[prepare]\n", &format!("[prepare]\n{said}"), 1);
    let text = text.replacen("[prepare.keys]", &format!("[prepare.blocks]\n{places}\n\n[prepare.keys]"), 1);
    Profile::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn made(blocks: &[Value], profile: &Profile) -> Result<Prepared, PrepareError> {
    let mut order = order_for("visa-like");
    order["card"]["blocks"] = blocks.into();
    prepared_with(&order, profile, Some(&ISSUER), None)
}

fn payment(record: &Record) -> &Application {
    record.applications().iter().find(|app| hex::encode_upper(app.aid()) == PAYMENT).unwrap()
}

fn value(record: &Record, dgi: u16) -> String {
    hex::encode_upper(payment(record).clear_value(dgi).unwrap())
}

#[track_caller]
fn refused(blocks: &[Value], profile: &Profile, words: &[&str]) {
    let error = made(blocks, profile).map(|_| ()).expect_err("it was prepared");
    assert_eq!(error.code(), Code::PrepareBlock, "{error}");
    let told = error.to_string();
    assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
}

fn good(record: Record, profile: Profile) -> SimCard {
    let plan = check::plan(&record, &profile, &*KEYS).unwrap_or_else(|problems| panic!("{problems:?}"));
    let bench = Bench { record, profile, plan, store: support::keys(), contactless: false, ca_keys: None };
    let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
    assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
    SimCard::of(ran.card)
}

#[test]
fn mac_keys_of_single_des_are_told_or_refused_by_the_site_and_equal_halves_refused() {
    let place = "\"9F10\" = \"9200\"";
    // Equal but for parity bits.
    for halves in [SINGLE.repeat(2), format!("{SINGLE}1023324554677689")] {
        refused(&[block(ISSUER_DATA, CLEAR, &halves)], &profile(CLEAR, place), &["prepared block 1", "equal halves"]);
    }
    let with = |key: &str| {
        let mut order = order_for("visa-like");
        order["card"]["blocks"] = json!([block(ISSUER_DATA, CLEAR, DOUBLE), block(ISSUER_DATA, CLEAR, key)]);
        order
    };
    let told_of = |key: &str| {
        let order = prepared::read(&with(key));
        order.warnings().iter().filter(|it| it.path.contains("mac_key")).cloned().collect::<Vec<_>>()
    };
    assert!(told_of(DOUBLE).is_empty());
    let told = told_of(SINGLE);
    assert!(
        told.len() == 1 && told[0].path == "card.blocks[1].mac_key" && told[0].message.contains("single DES"),
        "{told:?}"
    );
    let strict = format!("refuse_single_des_macs = true\n{}", text("tests/samples/orders/site.toml"));
    let strict = perso::order::Site::parse(&strict).unwrap();
    let read = |order: &Value| perso::order::Order::read(order.to_string().as_bytes(), &strict, &*KEYS);
    assert!(read(&with(DOUBLE)).is_ok());
    let found = read(&with(SINGLE)).map(|_| ()).expect_err("it was taken");
    assert!(
        found.len() == 1 && found[0].path == "card.blocks[1].mac_key" && found[0].code == Code::OrderValue,
        "{found:?}"
    );
}

#[test]
fn the_mac_is_over_what_the_profile_says() {
    // 16 bytes of objects, so that data without padding is whole blocks too.
    let objects = format!("{ISSUER_DATA}DF0103010203");
    let places = "\"9F10\" = \"9200\"\n\"DF01\" = \"9200\"";
    let all =
        [(false, false, false), (true, false, false), (true, true, false), (true, false, true), (true, true, true)];
    let forms = all.map(|(enciphered, mac_over_enciphered, padded)| Form { enciphered, mac_over_enciphered, padded });
    for (at, form) in forms.into_iter().enumerate() {
        for mac_key in [SINGLE, DOUBLE] {
            let sent = block(&objects, form, mac_key);
            for (with, other) in forms.into_iter().enumerate() {
                let made = made(std::slice::from_ref(&sent), &profile(other, places));
                assert_eq!(made.is_ok(), at == with, "sent as {at}, read as {with}: {:?}", made.map(|_| ()).err());
            }
            let profile = profile(form, places);
            assert_eq!(value(&made(std::slice::from_ref(&sent), &profile).unwrap().record, 0x9200), objects);
            // One bit of the MAC, one of the data.
            for (member, at) in [("mac", 7), ("data", 9)] {
                let mut changed = sent.clone();
                let mut text = changed[member].as_str().unwrap().to_owned().into_bytes();
                text[at] = if text[at] == b'0' { b'1' } else { b'0' };
                changed[member] = String::from_utf8(text).unwrap().into();
                refused(&[changed], &profile, &["prepared block 1", "MAC"]);
            }
        }
    }
    // Enciphered data that is no whole blocks.
    let form = Form { enciphered: true, mac_over_enciphered: true, padded: false };
    let mut broken = block(&objects, form, DOUBLE);
    let short = hex::decode(&broken["data"].as_str().unwrap()[..30]).unwrap();
    broken["data"] = hex::encode_upper(&short).into();
    broken["length"] = "15".into();
    broken["mac"] = hex::encode_upper(mac(&hex::decode(DOUBLE).unwrap(), &short)).into();
    refused(&[broken], &profile(form, places), &["whole blocks"]);
}

#[test]
fn objects_of_a_record_stand_in_template_70() {
    let bare = profile(CLEAR, "\"57\" = \"0101\"\n\"5F20\" = \"0101\"\n\"9F1F\" = \"0101\"");
    let record = value(&made(&[], &bare).unwrap().record, 0x0101);
    assert_eq!(&record[..2], "70");
    let objects = &record[4..];
    // Bare objects get the template, in one block or in several.
    let prepared = made(&[block(objects, CLEAR, DOUBLE)], &bare).unwrap();
    assert_eq!(value(&prepared.record, 0x0101), record);
    let name = objects.find("5F20").unwrap();
    let parts = [block(&objects[..name], CLEAR, DOUBLE), block(&objects[name..], CLEAR, SINGLE)];
    assert_eq!(value(&made(&parts, &bare).unwrap().record, 0x0101), record);
    // A template without a place of its own is opened, and its objects find theirs.
    assert_eq!(value(&made(&[block(&record, CLEAR, DOUBLE)], &bare).unwrap().record, 0x0101), record);
    good(prepared.record, bare);
    // A whole record keeps the template that it brings, and nothing comes beside it.
    let whole = profile(CLEAR, "\"70\" = \"0101\"\n\"57\" = \"0101\"");
    let brought = block(&record, CLEAR, DOUBLE);
    assert_eq!(value(&made(std::slice::from_ref(&brought), &whole).unwrap().record, 0x0101), record);
    let track = block(&objects[..name], CLEAR, DOUBLE);
    refused(&[brought, track], &whole, &["block 2", "57", "a whole record"]);
    // Internal data has no template.
    let internal = profile(CLEAR, "\"9F36\" = \"3000\"\n\"9F4F\" = \"3000\"");
    let objects = "9F360200009F4F039F3602";
    assert_eq!(value(&made(&[block(objects, CLEAR, DOUBLE)], &internal).unwrap().record, 0x3000), objects);
}

#[test]
fn secrets_come_enciphered_and_are_sealed_again() {
    // Another PIN than the order's, in the block that the card stores. // ISO 9564-1 format 2
    let places = "\"DF01\" = \"8010\"";
    let profile = |form| self::profile(form, places);
    let pin = block("DF0108245678FFFFFFFFFF", SECRET, DOUBLE);
    let prepared = made(std::slice::from_ref(&pin), &profile(SECRET)).unwrap();
    let grouping = payment(&prepared.record).groupings().iter().find(|it| it.dgi() == 0x8010).unwrap();
    assert!(matches!(grouping.content(), Content::Sealed(_)), "it stands in the clear");
    assert_eq!(grouping.length(), 8);
    assert!(!prepared.text.contains("245678FFFFFFFFFF"));
    let mut card = good(prepared.record, profile(SECRET));
    card.reset();
    let aid = hex::decode(PAYMENT).unwrap();
    assert_eq!(card.process(&[&[0, 0xA4, 4, 0, 7][..], &aid, &[0]].concat()).last_chunk(), Some(&[0x90, 0x00]));
    card.process(&[0x80, 0xA8, 0, 0, 2, 0x83, 0, 0]);
    let verify = |block: &str| [&[0, 0x20, 0, 0x80, 8][..], &hex::decode(block).unwrap()].concat();
    assert_eq!(card.process(&verify("241234FFFFFFFFFF")), [0x63, 0xC2]);
    assert_eq!(card.process(&verify("245678FFFFFFFFFF")), [0x90, 0x00]);
    // Never in the clear, and never two values for one secret.
    refused(
        &[block("DF0108245678FFFFFFFFFF", CLEAR, DOUBLE)],
        &profile(CLEAR),
        &["8010", "secret", "blocks_enciphered"],
    );
    refused(&[pin.clone(), pin], &profile(SECRET), &["second time"]);
    let two = self::profile(SECRET, "\"DF01\" = \"8010\"\n\"DF02\" = \"8010\"");
    refused(&[block("DF0108245678FFFFFFFFFFDF020101", SECRET, DOUBLE)], &two, &["DF02", "one value"]);
}

#[test]
fn keys_that_come_in_a_block_get_their_own_check_values() {
    let places = "\"DF01\" = \"8000\"";
    let profile = profile(SECRET, places);
    let keys =
        ["0123456789ABCDEFFEDCBA9876543210", "11223344556677889900AABBCCDDEEFF", "22334455667788990011BBCCDDEEFFAA"];
    let prepared = made(&[block(&format!("DF0130{}", keys.concat()), SECRET, SINGLE)], &profile).unwrap();
    let check_values: Vec<String> = keys
        .iter()
        .map(|key| hex::encode_upper(&tdes(Mode::Encrypt, &hex::decode(key).unwrap(), &[0; 8])[..3]))
        .collect();
    assert_eq!(value(&prepared.record, 0x9000), check_values.concat());
    // No master key of ours proves such a card, and the record does not say that one does.
    assert!(prepared.record.cryptogram_key().is_none());
    assert!(made(&[], &profile).unwrap().record.cryptogram_key().is_some());
    good(prepared.record, profile);
}

#[test]
fn what_is_said_of_enciphered_data_needs_enciphered_data() {
    for (said, path) in
        [("blocks_mac = \"enciphered\"\n", "prepare.blocks_mac"), ("blocks_padded = true\n", "prepare.blocks_padded")]
    {
        let text = text("card-profiles/visa-like-debit.toml").replacen("[prepare]\n", &format!("[prepare]\n{said}"), 1);
        let problems = Profile::parse(&text).unwrap_err();
        assert_eq!(problems.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), [path]);
    }
}
