//! The simulated card after personalization: cryptograms, issuer answers, scripts, PINs and signatures against values
//! from outside, and the rules of the commands. The host's own code is used for nothing but to open signatures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/emv_card.rs"]
mod emv_card;

use emv_card::{AID, CDOL1, Loaded, MODULUS};
use perso::base::codec::tlv::{self, Tag};
use perso::base::crypto::{RsaPublic, retail_mac, sha1, tdes_ecb_encrypt};
use perso::base::emv::certificate::{Combined, open_cda, open_dda};
use perso::card::sim::{CardFile, FaultRule, Hex, SimCard, SimTransport};
use perso::card::transport::Transport;
use proptest::prelude::*;
use serde_json::Value;

const AAC: u8 = 0x00;
const TC: u8 = 0x40;
const ARQC: u8 = 0x80;

/// Any keys: for what does not look at their values.
const KEYS: [&str; 3] =
    ["0275CDC8570E3BDFF231619285D3649D", "5EF7D30DFBDF40C8B55DC44391E943F4", "AD406D7F6D7570916D75E5DCAB8CF737"];
/// Version 18, with which the issuer answers by method 2.
const VSDC_18: &str = "06011203A00000";
/// Version 10, method 1.
const VSDC_10: &str = "06010A03A00000";
/// A transaction as CDOL1 asks for it; its unpredictable number.
const DATA: &str = "000000001000000000000000025080000080000978261124001122334455";
const NUMBER: [u8; 4] = [0x22, 0x33, 0x44, 0x55];

fn vector(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/emv_issuer_crypto.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no vector {name}")).clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}"))
}

/// An answer's data and status word.
fn send(card: &mut SimCard, command: &str) -> (Vec<u8>, u16) {
    let mut data = card.process(&hex::decode(command).unwrap());
    let sw = data.split_off(data.len() - 2);
    (data, u16::from_be_bytes([sw[0], sw[1]]))
}

fn sw(card: &mut SimCard, command: &str) -> String {
    format!("{:04X}", send(card, command).1)
}

/// Header, data and Le.
fn command(header: &str, data: &str) -> String {
    format!("{header}{:02X}{data}00", data.len() / 2)
}

fn select(card: &mut SimCard) -> u16 {
    send(card, &command("00A40400", AID)).1
}

/// SELECT and GET PROCESSING OPTIONS.
fn start(card: &mut SimCard) {
    assert!(matches!(select(card), 0x9000 | 0x6283));
    assert_eq!(sw(card, "80A8000002830000"), "9000");
}

fn generate(card: &mut SimCard, p1: u8, data: &str) -> (Vec<u8>, u16) {
    send(card, &command(&format!("80AE{p1:02X}00"), data))
}

/// An object of an answer.
fn object(answer: &[u8], tag: u32) -> Option<Vec<u8>> {
    tlv::find(&tlv::parse(answer).unwrap(), Tag::of(tag)).map(|one| one.value_bytes())
}

/// Cryptogram information data and cryptogram.
fn cryptogram(answer: (Vec<u8>, u16)) -> (u8, String) {
    assert_eq!(format!("{:04X}", answer.1), "9000");
    (object(&answer.0, 0x9F27).unwrap()[0], hex::encode_upper(object(&answer.0, 0x9F26).unwrap()))
}

/// Derivation by option A. // EMV B2 §A1.4.1; the vectors give master keys of the issuer for scripts.
fn option_a(issuer: &str, pan: &str, psn: &str) -> String {
    let digits = format!("{pan}{psn}");
    let block = hex::decode(&digits[digits.len() - 16..]).unwrap();
    let other: Vec<u8> = block.iter().map(|byte| !byte).collect();
    let key = hex::decode(issuer).unwrap();
    hex::encode_upper([tdes_ecb_encrypt(&key, &block).unwrap(), tdes_ecb_encrypt(&key, &other).unwrap()].concat())
}

/// What a vector's cryptogram covers: data of the terminal, interchange profile, counter, and the rest.
struct Covered {
    terminal: String,
    profile: String,
    atc: u16,
    tail: String,
}

fn covered(vector: &Value) -> Covered {
    let data = text(&vector["inputs"], "data");
    let atc = u16::from_str_radix(&data[62..66], 16).unwrap();
    Covered { terminal: data[..58].into(), profile: data[58..62].into(), atc, tail: data[66..].into() }
}

/// A card with a vector's keys, one transaction before the vector's. `issuer_data` has the vector's results in its
/// middle.
fn card_of(vector: &Value, keys: [&str; 3], issuer_data: &str) -> SimCard {
    let covered = covered(vector);
    let issuer_data = issuer_data.replace("..", &covered.tail);
    let mut card = Loaded::new(keys, &issuer_data, &covered.profile).at(covered.atc - 1).card();
    start(&mut card);
    card
}

/// How the vectors' profiles stand in a card: what stands before and behind what the cryptogram covers.
const PROFILES: [(&str, &str); 7] = [
    ("hsm_visa_cvn10_arqc_arpc", "06010A.."),
    ("hsm_mk_b_sha_letters", ".."),
    ("hsm_mc_cvn16_arqc_arpc", "0110..0000000000000000000000"),
    ("hsm_mc_cvn17_arqc_arpc", ""),
    ("hsm_mc_cvn21_arqc_arpc", ""),
    ("jpos_MCHIP_P80_M1", "0110..0000000000000000000000"),
    ("jpos_CSKD_P80_M1", "0114..0000000000000000000000"),
];

fn template(name: &str, tail: &str) -> String {
    match name {
        // Six bytes of results, then counters: two of the issuer's stand between them.
        "hsm_mc_cvn17_arqc_arpc" => format!("0111{}0000{}", &tail[..12], &tail[12..]),
        "hsm_mc_cvn21_arqc_arpc" => format!("0115{}0000{}", &tail[..12], &tail[12..]),
        _ => PROFILES.iter().find(|(known, _)| *known == name).unwrap().1.replace("..", tail),
    }
}

#[test]
fn the_cards_cryptograms_and_the_issuers_answers_are_those_of_the_vectors() {
    for (name, _) in PROFILES {
        let vector = vector(name);
        let key = text(&vector["derived"], "icc_mk");
        let Covered { terminal, tail, atc, .. } = covered(&vector);
        let answer = match vector["inputs"]["arpc_rc"].as_str() {
            Some(code) => format!("{}{code}", text(&vector["expected"], "arpc")),
            // Method 2: eight bytes at least, with the issuer's own data behind
            None => format!(
                "{}{}{}",
                text(&vector["expected"], "arpc"),
                text(&vector["inputs"], "csu"),
                text(&vector["inputs"], "prop_auth_data")
            ),
        };
        let cdol2 = format!("8A0291{:02X}95059F3704", answer.len() / 2);
        let record = format!("8C15{CDOL1}8D{:02X}{cdol2}", cdol2.len() / 2);
        let record = format!("70{:02X}{record}", record.len() / 2);
        let fresh = || {
            let mut card = card_of(&vector, [key; 3], &template(name, &tail));
            let groupings = &mut card.file_mut().state.applications[0].groupings;
            groupings.insert("0201".into(), Hex(hex::decode(&record).unwrap()));
            assert_eq!(
                cryptogram(generate(&mut card, ARQC, &terminal)),
                (ARQC, text(&vector["expected"], "ac").to_owned()),
                "{name}"
            );
            card
        };
        let second = |answer: &str| format!("3030{answer}0000000000{}", &terminal[50..58]);
        let mut card = fresh();
        let (information, _) = cryptogram(generate(&mut card, TC, &second(&answer)));
        // Version 18's vector has a status update that approves nothing.
        assert_eq!(information, if vector["inputs"]["csu"].is_null() { TC } else { AAC }, "{name}");
        assert_eq!(card.file().state.applications[0].last_online, Some(atc), "{name}: the right answer");
        for place in [0, 7] {
            let mut wrong = hex::decode(&answer).unwrap();
            wrong[place] ^= 1;
            let mut card = fresh();
            let (information, _) = cryptogram(generate(&mut card, TC, &second(&hex::encode_upper(wrong))));
            assert_eq!(information, AAC | 3, "{name}: a wrong answer");
            assert_eq!(card.file().state.applications[0].last_online, None, "{name}");
        }
    }
}

/// Version 10, with EXTERNAL AUTHENTICATE; the first cryptogram was computed by another program.
#[test]
fn external_authenticate_is_answered_once_and_decides_the_second_cryptogram() {
    let data = "0000000100000000000000000840000000000008402501010011223344";
    let fresh = |profile: &str| {
        let mut card = Loaded::new(["0275CDC8570E3BDFF231619285D3649D"; 3], VSDC_10, profile).card();
        start(&mut card);
        assert_eq!(sw(&mut card, "00820000088BB87EC9FF75087E"), "6985", "before any cryptogram");
        generate(&mut card, ARQC, data);
        card
    };
    let mut card = Loaded::new(["0275CDC8570E3BDFF231619285D3649D"; 3], VSDC_10, "3900").card();
    assert_eq!(cryptogram(generate_again(&mut card, data)), (ARQC, "AC31A10FA2C28377".to_owned()));
    let mut card = fresh("3C00");
    let (_, made) = cryptogram(generate_again(&mut card, data));
    let answer = arpc_1("0275CDC8570E3BDFF231619285D3649D", &made, "3030");
    assert_eq!(sw(&mut card, &format!("008200000A{answer}3030")), "9000");
    assert_eq!(sw(&mut card, &format!("008200000A{answer}3030")), "6985", "a second time");
    assert_eq!(cryptogram(generate(&mut card, TC, &second("3030"))).0, TC);
    assert_eq!(format!("{:04X}", generate(&mut card, TC, &second("3030")).1), "6985", "a third cryptogram");

    let mut card = fresh("3C00");
    assert_eq!(sw(&mut card, &format!("008200000A{}3030", "00".repeat(8))), "6300");
    let (information, _) = cryptogram(generate(&mut card, TC, &second("3030")));
    assert_eq!(information, AAC | 3);

    let mut card = fresh("3C00");
    assert_eq!(sw(&mut card, "008200000711223344556677"), "6700");
    let mut card = fresh("3800");
    assert_eq!(sw(&mut card, &format!("008200000A{}3030", "00".repeat(8))), "6985", "the application does not take it");
}

/// Ends what was begun and asks for an online cryptogram once more.
fn generate_again(card: &mut SimCard, data: &str) -> (Vec<u8>, u16) {
    start(card);
    generate(card, ARQC, data)
}

/// Data that CDOL2 of [`Loaded`] asks for, without an issuer's answer.
fn second(code: &str) -> String {
    format!("{code}{}000000000022334455", "00".repeat(10))
}

/// Method 1 by hand. // EMV B2 §8.2.1
fn arpc_1(key: &str, cryptogram: &str, code: &str) -> String {
    let mut block = hex::decode(cryptogram).unwrap();
    let code = hex::decode(code).unwrap();
    block[0] ^= code[0];
    block[1] ^= code[1];
    hex::encode_upper(tdes_ecb_encrypt(&hex::decode(key).unwrap(), &block).unwrap())
}

/// Method 2 by hand, under the common session key. // EMV B2 §8.2.2, §A1.3.1
fn arpc_2(key: &str, atc: u16, cryptogram: &str, update: &str) -> String {
    let half = |mark: u8| {
        let [high, low] = atc.to_be_bytes();
        tdes_ecb_encrypt(&hex::decode(key).unwrap(), &[high, low, mark, 0, 0, 0, 0, 0]).unwrap()
    };
    let input = hex::decode(format!("{cryptogram}{update}8000000000000000")).unwrap();
    let mac = retail_mac(&[half(0xF0), half(0x0F)].concat(), &[0; 8], &input[..16]).unwrap();
    hex::encode_upper(&mac[..4])
}

/// The status update of method 2: what the issuer tells the card to do. // EMV B3 annex C10
#[test]
fn the_issuers_status_update_is_followed() {
    // Update; the second cryptogram's information; PIN tries; application and card blocked.
    for (update, information, tries, blocked) in [
        ("00800000", TC, 1, (false, false)),
        ("00000000", AAC, 1, (false, false)),
        ("02900000", TC, 2, (false, false)),
        ("0F900000", TC, 3, (false, false)),
        ("00A00000", AAC | 1, 1, (true, false)),
    ] {
        let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
        card.file_mut().state.applications[0].tries = 1;
        let (_, made) = cryptogram(generate_again(&mut card, DATA_29));
        let answer = arpc_2(KEYS[0], 1, &made, update);
        assert_eq!(sw(&mut card, &format!("0082000008{answer}{update}")), "9000", "{update}");
        assert_eq!(cryptogram(generate(&mut card, TC, &second("3030"))).0, information, "{update}");
        let state = &card.file().state;
        assert_eq!((state.applications[0].tries, (state.applications[0].blocked, state.blocked)), (tries, blocked));
        assert_eq!(hex::encode_upper(send(&mut card, "80CA9F1300").0), "9F13020001");
    }
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
    let (_, made) = cryptogram(generate_again(&mut card, DATA_29));
    let answer = arpc_2(KEYS[0], 1, &made, "00C00000");
    assert_eq!(sw(&mut card, &format!("0082000008{answer}00C00000")), "9000");
    assert_eq!(select(&mut card), 0x6A81, "the card is blocked");
}

/// The power goes after a command was executed: what it has counted stays counted, what it has begun does not.
#[test]
fn what_is_counted_survives_the_power() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.json");
    Loaded::new(KEYS, VSDC_18, "3C00").card().file().save(&path).unwrap();
    let torn = |at: u32, last: &str| {
        let rule = FaultRule::parse(&format!("cut after {at}")).unwrap();
        let mut link = SimTransport::file(&path).unwrap().with_faults(vec![rule]);
        link.reset().unwrap();
        let before = [command("00A40400", AID), "80A8000002830000".into()];
        for sent in before.iter().map(String::as_str).chain([last]).take(at as usize) {
            let _ = link.transmit(&hex::decode(sent).unwrap());
        }
        SimCard::load(&path).unwrap()
    };
    assert_eq!(torn(2, "").file().state.applications[0].atc, 1);
    for tries in [2, 1, 0] {
        let card = torn(3, "0020008008249999FFFFFFFFFF");
        assert_eq!(card.file().state.applications[0].tries, tries);
    }
    let mut card = torn(3, &command("80AE8000", DATA_29));
    card.reset();
    assert_eq!(card.file().state.applications[0].atc, 5);
    assert_eq!(select(&mut card), 0x9000);
    assert_eq!(format!("{:04X}", generate(&mut card, TC, &second("3030")).1), "6985", "its transaction is gone");
}

/// A card in the transaction of a vector with this cryptogram, with script keys of another vector.
fn scripted(cryptograms: &str, scripts: &Value, pin: &str) -> SimCard {
    let of = vector(cryptograms);
    let inputs = &scripts["inputs"];
    let derived = |name: &str, other: &str| {
        let issuer = inputs[name].as_str().or_else(|| inputs[other].as_str()).unwrap();
        option_a(issuer, text(inputs, "pan"), text(inputs, "psn"))
    };
    let (mac, enc) = (derived("imk_smi", "imk"), derived("imk_smc", "imk"));
    let keys = [text(&of["derived"], "icc_mk"), &mac, &enc];
    let Covered { terminal, tail, .. } = covered(&of);
    let mut card = card_of(&of, keys, &template(cryptograms, &tail));
    card.file_mut().state.applications[0].groupings.insert("8010".into(), Hex(hex::decode(pin).unwrap()));
    assert_eq!(cryptogram(generate(&mut card, ARQC, &terminal)).1, text(&of["expected"], "ac"));
    card
}

#[test]
fn the_vectors_pin_changes_are_obeyed_and_changed_ones_are_not() {
    for (name, cryptograms, pin) in [
        ("hsm_visa10_pin_change_new", "hsm_visa_cvn10_arqc_arpc", "241234FFFFFFFFFF"),
        ("hsm_visa10_pin_change_cur", "hsm_visa_cvn10_arqc_arpc", "248888FFFFFFFFFF"),
        ("hsm_mc16_pin_change", "hsm_mc_cvn16_arqc_arpc", "241234FFFFFFFFFF"),
        ("hsm_mc17_pin_change", "hsm_mc_cvn17_arqc_arpc", "241234FFFFFFFFFF"),
        ("hsm_mc21_pin_change", "hsm_mc_cvn21_arqc_arpc", "241234FFFFFFFFFF"),
    ] {
        let vector = vector(name);
        let sent = text(&vector["expected"], "command");
        let mut card = scripted(cryptograms, &vector, pin);
        card.file_mut().state.applications[0].tries = 0;
        assert_eq!(sw(&mut card, sent), "9000", "{name}");
        assert_eq!(card.file().state.applications[0].tries, 3, "{name}");
        assert_eq!(sw(&mut card, "0020008008249999FFFFFFFFFF"), "9000", "{name}");
        for place in [5, sent.len() / 2 - 1] {
            let mut wrong = hex::decode(sent).unwrap();
            wrong[place] ^= 1;
            let mut card = scripted(cryptograms, &vector, pin);
            assert_eq!(sw(&mut card, &hex::encode_upper(wrong)), "6988", "{name}");
            assert_eq!(sw(&mut card, &format!("0020008008{pin}")), "9000", "{name}: the PIN is as it was");
            let app = &card.file().state.applications[0];
            assert_eq!((app.scripts, app.script_failed), (1, true));
        }
    }
}

#[test]
fn the_vectors_script_macs_are_taken() {
    for (name, cryptograms) in [
        ("hsm_cvn10_app_unblock_mac", "hsm_visa_cvn10_arqc_arpc"),
        ("hsm_mc16_pin_unblock_mac", "hsm_mc_cvn16_arqc_arpc"),
        ("hsm_mc17_pin_unblock_mac", "hsm_mc_cvn17_arqc_arpc"),
        ("hsm_mc21_pin_unblock_mac", "hsm_mc_cvn21_arqc_arpc"),
    ] {
        let vector = vector(name);
        let sent = format!("{}{}", &text(&vector["inputs"], "mac_input")[..10], text(&vector["expected"], "mac"));
        let mut card = scripted(cryptograms, &vector, "241234FFFFFFFFFF");
        let app = &mut card.file_mut().state.applications[0];
        (app.blocked, app.tries) = (true, 0);
        assert_eq!(sw(&mut card, &sent.replacen("84", "80", 1)), "6987", "{name}: no protection");
        assert_eq!(sw(&mut card, &sent), "9000", "{name}");
        let app = &card.file().state.applications[0];
        assert_eq!((app.blocked, app.tries), if sent.starts_with("8418") { (false, 0) } else { (true, 3) }, "{name}");
        // Mastercard's next key is another; Visa's is the same.
        let again = sw(&mut card, &sent);
        assert_eq!(again, if sent.starts_with("8418") { "9000" } else { "6988" }, "{name}");
        let mut card = scripted(cryptograms, &vector, "241234FFFFFFFFFF");
        start(&mut card);
        assert_eq!(sw(&mut card, &sent), "6985", "{name}: no cryptogram in this transaction");
    }
}

/// MAC of a Visa-like script, by hand: the key is the card's with the counter and its complement in its halves.
fn scripted_by_visa(card: &SimCard, made: &str, head: &str, data: &str) -> String {
    let app = &card.file().state.applications[0];
    let counter = app.atc.to_be_bytes();
    let mut key = app.groupings["8000"].0[16..32].to_vec();
    for (at, byte) in counter.iter().enumerate() {
        key[6 + at] ^= byte;
        key[14 + at] ^= !byte;
    }
    let length = data.len() / 2 + 8;
    let input = format!("{head}{length:02X}{:04X}{made}{data}", app.atc);
    let padded = perso::base::crypto::pad_80(&hex::decode(input).unwrap(), 8);
    let mac = perso::base::crypto::retail_mac(&key, &[0; 8], &padded).unwrap();
    format!("{head}{length:02X}{data}{}", hex::encode_upper(mac))
}

#[test]
fn scripts_block_and_change_the_card_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.json");
    let mut card = Loaded::new(KEYS, VSDC_10, "3C00").with("0D01", "9F580105").card();
    let reloaded = |card: &SimCard| {
        card.file().save(&path).unwrap();
        let mut card = SimCard::load(&path).unwrap();
        card.reset();
        card
    };
    let run = |card: &mut SimCard, head: &str, data: &str| {
        let (_, made) = cryptogram(generate_again(card, DATA_29));
        let sent = scripted_by_visa(card, &made, head, data);
        sw(card, &sent)
    };
    assert_eq!(run(&mut card, "84DA9F58", "07"), "9000");
    assert_eq!(run(&mut card, "84DA9F58", "0708"), "6A80");
    assert_eq!(run(&mut card, "84DA9F36", "0000"), "6985");
    assert_eq!(run(&mut card, "84DA9F59", "07"), "6A88");
    assert_eq!(run(&mut card, "84DC010C", "700957074761739001010E"), "9000");
    assert_eq!(run(&mut card, "84DC010C", "57074761739001010E"), "6A80");
    assert_eq!(run(&mut card, "84DC090C", "700957074761739001010E"), "6A83");
    assert_eq!(run(&mut card, "84DC0008", "700957074761739001010E"), "6A86");
    assert_eq!(run(&mut card, "84240003", ""), "6A86");
    let mut card = reloaded(&card);
    start(&mut card);
    assert_eq!(hex::encode_upper(send(&mut card, "80CA9F5800").0), "9F580107");
    assert_eq!(hex::encode_upper(send(&mut card, "00B2010C00").0), "700957074761739001010E");

    assert_eq!(run(&mut card, "841E0000", ""), "9000");
    let mut card = reloaded(&card);
    assert_eq!(select(&mut card), 0x6283);
    assert_eq!(sw(&mut card, "80A8000002830000"), "9000");
    assert_eq!(cryptogram(generate(&mut card, ARQC, DATA_29)).0, AAC | 1, "a blocked application declines");
    assert_eq!(run(&mut card, "84180000", ""), "9000");
    assert_eq!(select(&mut card), 0x9000);

    assert_eq!(run(&mut card, "84160000", ""), "9000");
    assert_eq!(sw(&mut card, "80CA9F3600"), "6A88");
    let mut card = reloaded(&card);
    assert_eq!(select(&mut card), 0x6A81);
    assert_eq!(send(&mut card, "00A4040000").1, 0x9000, "the security domain answers");
}

/// As CDOL1 asks for it.
const DATA_29: &str = "0000000010000000000000000250800000800009782611240022334455";

#[test]
fn a_cryptogram_is_never_better_than_what_was_asked_for() {
    assert_eq!(DATA.len(), DATA_29.len() + 2, "one is a byte too long");
    for (asked, blocked, limit, expected) in [
        (TC, false, None, TC),
        (TC, false, Some("9F580100"), ARQC),
        (TC, false, Some("9F580101"), TC),
        (TC, true, None, AAC),
        (ARQC, false, Some("9F580100"), ARQC),
        (ARQC, true, None, AAC),
        (AAC, false, None, AAC),
        (AAC, false, Some("9F580100"), AAC),
    ] {
        let mut loaded = Loaded::new(KEYS, VSDC_18, "3C00");
        if let Some(limit) = limit {
            loaded = loaded.with("0D01", limit);
        }
        let mut card = loaded.card();
        card.file_mut().state.applications[0].blocked = blocked;
        start(&mut card);
        assert_eq!(format!("{:04X}", generate(&mut card, asked, DATA).1), "6700");
        assert_eq!(format!("{:04X}", generate(&mut card, asked, &DATA_29[2..]).1), "6700");
        assert_eq!(format!("{:04X}", generate(&mut card, asked | 0x01, DATA_29).1), "6A86");
        assert_eq!(format!("{:04X}", generate(&mut card, 0xC0, DATA_29).1), "6A86");
        let (information, _) = cryptogram(generate(&mut card, asked, DATA_29));
        assert_eq!(information & 0xC0, expected);
        // Only an online request has a second part, and that asks for no third.
        let second = |card: &mut SimCard, p1| format!("{:04X}", generate(card, p1, &second("5A33")).1);
        assert_eq!(second(&mut card, ARQC), "6985");
        assert_eq!(second(&mut card, AAC), if expected == ARQC { "9000" } else { "6985" });
        assert_eq!(second(&mut card, AAC), "6985");
    }
}

#[test]
fn the_counter_moves_with_options_and_ends() {
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").at(0xFFFD).card();
    for count in ["FFFE", "FFFF"] {
        start(&mut card);
        assert_eq!(hex::encode_upper(send(&mut card, "80CA9F3600").0), format!("9F3602{count}"));
    }
    assert_eq!(select(&mut card), 0x9000);
    assert_eq!(sw(&mut card, "80A8000002830000"), "6985");
    assert_eq!(select(&mut card), 0x6283, "there is no transaction left in it");
    assert_eq!(sw(&mut card, "80A8000002830000"), "6985");
}

#[test]
fn what_has_happened_stands_in_the_issuer_application_data() {
    let issuer_data = |answer: (Vec<u8>, u16)| hex::encode_upper(object(&answer.0, 0x9F10).unwrap());
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
    start(&mut card);
    assert_eq!(issuer_data(generate(&mut card, ARQC, DATA_29)), "06011203A00000");
    // Second TC, after an online request, without any answer.
    assert_eq!(issuer_data(generate(&mut card, TC, &second("5933"))), "06011203610000");
    start(&mut card);
    assert_eq!(sw(&mut card, "0020008008249999FFFFFFFFFF"), "63C2");
    assert_eq!(issuer_data(generate(&mut card, TC, DATA_29)), "06011203960000");
    card.file_mut().state.applications[0].tries = 0;
    start(&mut card);
    assert_eq!(issuer_data(generate(&mut card, AAC, DATA_29)), "06011203804000");
    let mut card = Loaded::new(KEYS, "0110A50003220000000000000000000000FF", "3C00").card();
    start(&mut card);
    assert_eq!(issuer_data(generate(&mut card, TC, DATA_29)), "0110950003220000000000000000000000FF");
}

#[test]
fn both_answer_formats_say_the_same() {
    let of = |format_1: bool| {
        let mut card = Loaded::new(KEYS, VSDC_18, "3C00").with_rsa(0x82).card();
        card.file_mut().blank.gpo_format_1 = format_1;
        start(&mut card);
        let signed = send(&mut card, "0088000004AABBCCDD00").0;
        (signed, generate(&mut card, ARQC, DATA_29).0)
    };
    let ((signed_1, one), (signed_2, two)) = (of(true), of(false));
    let values = [0x9F27, 0x9F36, 0x9F26, 0x9F10].map(|tag| object(&two, tag).unwrap()).concat();
    assert_eq!(object(&one, 0x80).unwrap(), values);
    assert_eq!(object(&signed_1, 0x80), object(&signed_2, 0x9F4B));
}

fn chip_key() -> RsaPublic {
    RsaPublic::new(&hex::decode(MODULUS).unwrap(), &[3]).unwrap()
}

#[test]
fn internal_authenticate_signs_what_the_list_asks_for() {
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").with_rsa(0x82).card();
    select(&mut card);
    assert_eq!(sw(&mut card, "0088000004AABBCCDD00"), "6985", "before the options");
    start(&mut card);
    assert_eq!(sw(&mut card, "0088000003AABBCC00"), "6700");
    let (first, _) = send(&mut card, "0088000004AABBCCDD00");
    let signed = object(&first, 0x9F4B).unwrap();
    let opened = open_dda(&chip_key(), &signed, &[0xAA, 0xBB, 0xCC, 0xDD]).unwrap();
    assert!(open_dda(&chip_key(), &signed, &[0xAA, 0xBB, 0xCC, 0xDE]).is_err());
    let (second, _) = send(&mut card, "0088000004AABBCCDD00");
    let again = open_dda(&chip_key(), &object(&second, 0x9F4B).unwrap(), &[0xAA, 0xBB, 0xCC, 0xDD]).unwrap();
    assert_ne!(opened.number, again.number, "every signature has a number of its own");
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
    start(&mut card);
    assert_eq!(sw(&mut card, "0088000004AABBCCDD00"), "6985", "without a key");
}

#[test]
fn a_combined_signature_covers_the_whole_exchange() {
    let mut card = Loaded::new(KEYS, VSDC_18, "3D00").with_rsa(0x82).card();
    start(&mut card);
    let mut told = String::new();
    for (p1, data) in [(ARQC, DATA_29.to_owned()), (TC, second("3030"))] {
        let (answer, sw) = generate(&mut card, p1 | 0x10, &data);
        assert_eq!((sw, object(&answer, 0x9F26)), (0x9000, None), "the cryptogram is in the signature");
        told.push_str(&data);
        let signed: Combined = open_cda(&chip_key(), &object(&answer, 0x9F4B).unwrap(), NUMBER).unwrap();
        assert_eq!(signed.cid & 0xC0, p1);
        // EMV B2 §6.6.1: lists' data, then the answer without the signature
        let inside: Vec<u8> = tlv::parse_one(&answer)
            .unwrap()
            .children()
            .iter()
            .filter(|one| one.tag != Tag::of(0x9F4B))
            .flat_map(|one| one.encode())
            .collect();
        assert_eq!(signed.transaction_hash, sha1(&[hex::decode(&told).unwrap(), inside].concat()));
    }
    // What is declined is not signed.
    start(&mut card);
    let (answer, _) = generate(&mut card, AAC | 0x10, DATA_29);
    assert!(object(&answer, 0x9F4B).is_none() && object(&answer, 0x9F26).is_some());
    // The same cryptogram with and without a signature.
    let one = |p1| {
        let mut card = Loaded::new(KEYS, VSDC_18, "3D00").with_rsa(0x82).card();
        start(&mut card);
        generate(&mut card, p1, DATA_29).0
    };
    let signed = open_cda(&chip_key(), &object(&one(ARQC | 0x10), 0x9F4B).unwrap(), NUMBER).unwrap();
    assert_eq!(signed.cryptogram.to_vec(), object(&one(ARQC), 0x9F26).unwrap());
}

/// Enciphered PIN: 7F, block, the card's challenge, filler. // EMV B2 §7.2
#[test]
fn an_enciphered_pin_needs_the_challenge_of_the_command_before() {
    for high in [0x82, 0x83] {
        let mut card = Loaded::new(KEYS, VSDC_18, "3C00").with_rsa(high).card();
        start(&mut card);
        let enciphered = |header: u8, block: &str, challenge: &[u8]| {
            let block = hex::decode(block).unwrap();
            let clear = [&[header], block.as_slice(), challenge, &[0x5A; 111]].concat();
            command("00200088", &hex::encode_upper(chip_key().raw(&clear).unwrap())).trim_end_matches("00").to_owned()
        };
        let challenged = |card: &mut SimCard| {
            let (challenge, sw) = send(card, "0084000000");
            assert_eq!((sw, challenge.len()), (0x9000, 8));
            challenge
        };
        let verify = |card: &mut SimCard, header, block: &str, challenge: &[u8]| {
            let mut sent = enciphered(header, block, challenge);
            // The last byte of what is sent may be 00, which the trimming above must not take.
            while sent.len() < 2 * (5 + 128) {
                sent.push_str("00");
            }
            sw(card, &sent)
        };
        let challenge = challenged(&mut card);
        assert_eq!(verify(&mut card, 0x7F, "241234FFFFFFFFFF", &challenge), "9000");
        assert_eq!(verify(&mut card, 0x7F, "241234FFFFFFFFFF", &challenge), "6985", "a challenge serves once");
        let challenge = challenged(&mut card);
        assert_eq!(sw(&mut card, "80CA9F1700"), "9000");
        assert_eq!(verify(&mut card, 0x7F, "241234FFFFFFFFFF", &challenge), "6985", "and only the next command");
        let challenge = challenged(&mut card);
        assert_eq!(verify(&mut card, 0x7E, "241234FFFFFFFFFF", &challenge), "63C2");
        challenged(&mut card);
        assert_eq!(verify(&mut card, 0x7F, "241234FFFFFFFFFF", &challenge), "63C1", "an old challenge");
        let challenge = challenged(&mut card);
        assert_eq!(verify(&mut card, 0x7F, "249999FFFFFFFFFF", &challenge), "63C0");
        let challenge = challenged(&mut card);
        assert_eq!(verify(&mut card, 0x7F, "241234FFFFFFFFFF", &challenge), "6983");
        assert_eq!(sw(&mut card, "0020008808241234FFFFFFFFFF"), "6983");
        // Power goes and comes: the challenge goes, the tries stay.
        card.file_mut().state.applications[0].tries = 3;
        start(&mut card);
        let challenge = challenged(&mut card);
        card.reset();
        start(&mut card);
        assert_eq!(verify(&mut card, 0x7F, "241234FFFFFFFFFF", &challenge), "6985");
    }
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
    start(&mut card);
    assert_eq!(sw(&mut card, "0020008808241234FFFFFFFFFF"), "6984", "no key for it");
}

#[test]
fn approved_transactions_are_logged_the_latest_first() {
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
    select(&mut card);
    assert_eq!(sw(&mut card, "00B2015C00"), "6A82", "no log yet");
    for (number, asked) in [TC, AAC, TC, TC].into_iter().enumerate() {
        start(&mut card);
        assert_eq!(cryptogram(generate(&mut card, asked, DATA_29)).0, asked, "{number}");
    }
    // Amount, date, counter: two of them, since 9F4D keeps two.
    assert_eq!(hex::encode_upper(send(&mut card, "00B2015C00").0), "0000000010002611240004");
    assert_eq!(hex::encode_upper(send(&mut card, "00B2025C00").0), "0000000010002611240003");
    assert_eq!(sw(&mut card, "00B2035C00"), "6A83");
}

#[test]
fn records_may_wait_for_the_options() {
    let mut card = Loaded::new(KEYS, VSDC_18, "3C00").card();
    select(&mut card);
    assert_eq!(sw(&mut card, "00B2010C00"), "9000");
    card.file_mut().blank.emv.options_first = true;
    select(&mut card);
    assert_eq!(sw(&mut card, "00B2010C00"), "6985");
    start(&mut card);
    assert_eq!(sw(&mut card, "00B2010C00"), "9000");
}

const FAST_LIST: &str = "9F66049F02069F03069F1A0295055F2A029A039C019F3704";
const FAST_DATA: &str = "0000000010000000000000000250800000800009782611240022334455";

/// A Visa-like application over the antenna, with its list and answer.
fn fast() -> Loaded {
    let fci = format!("50065445535420419F3818{FAST_LIST}");
    let certificates = "70139F4701039F6907000000000000009F6C021000";
    Loaded::new(KEYS, VSDC_10, "3C00")
        .with("8001", &[KEYS[1], KEYS[2], KEYS[0]].concat())
        .with("9103", &format!("A5{:02X}{fci}", fci.len() / 2))
        .with("B104", "820220009404180101005F340101")
        .with("0301", certificates)
        .over_antenna()
}

fn fast_options(card: &mut SimCard, qualifiers: &str) -> Vec<u8> {
    assert_eq!(select(card), 0x9000);
    let data = format!("{qualifiers}{FAST_DATA}");
    let (answer, sw) = send(card, &command("80A80000", &format!("83{:02X}{data}", data.len() / 2)));
    assert_eq!(format!("{sw:04X}"), "9000");
    answer
}

#[test]
fn the_fast_path_makes_its_cryptogram_with_the_options() {
    // Online: no signature asked for.
    let mut card = fast().with_rsa(0x82).card();
    let answer = fast_options(&mut card, "20800000");
    assert_eq!(object(&answer, 0x9F27).unwrap(), [ARQC]);
    assert_eq!(object(&answer, 0x94), None);
    for (tag, value) in [
        (0x82, "2000"),
        (0x57, "4761739001010D"),
        (0x5F34, "01"),
        (0x9F10, "06010A03A00000"),
        (0x9F36, "0001"),
        (0x9F6C, "1000"),
    ] {
        assert_eq!(object(&answer, tag).map(hex::encode_upper).as_deref(), Some(value), "{tag:X}");
    }
    // The same data under the antenna's key as a command with contacts would give.
    let contact = Loaded::new([KEYS[1], KEYS[2], KEYS[0]], VSDC_10, "2000").card();
    let mut contact = contact;
    start(&mut contact);
    let expected = cryptogram(generate(&mut contact, ARQC, DATA_29)).1;
    assert_eq!(hex::encode_upper(object(&answer, 0x9F26).unwrap()), expected);
    // There is no other cryptogram.
    assert_eq!(format!("{:04X}", generate(&mut card, ARQC, DATA_29).1), "6985");
    // A terminal that does not speak of the fast path hears profile and locator.
    let answer = fast_options(&mut card, "10000000");
    assert_eq!(hex::encode_upper(answer), "770A82022000940418010100");
    // No signature without a key: online; and nothing for who takes nothing else.
    let mut card = fast().card();
    assert_eq!(object(&fast_options(&mut card, "20000000"), 0x9F27).unwrap(), [ARQC]);
    assert_eq!(object(&fast_options(&mut card, "28000000"), 0x9F27).unwrap(), [AAC]);
}

/// EMV contactless C-3, annex C.1: the signature of the fast path covers the terminal's number, amount and currency
/// and the card authentication related data.
#[test]
fn the_fast_path_signs_what_it_approves() {
    for high in [0x82, 0x84] {
        let mut card = fast().with_rsa(high).card();
        for (qualifiers, outcome) in [("20000000", TC), ("21800000", ARQC)] {
            let answer = fast_options(&mut card, qualifiers);
            assert_eq!(object(&answer, 0x9F27).unwrap(), [outcome]);
            assert_eq!(object(&answer, 0x94).map(hex::encode_upper).as_deref(), Some("18010100"));
            let record = send(&mut card, "00B2011C00").0;
            let related = object(&record, 0x9F69).unwrap();
            assert!(related[0] == 1 && related[5..] == [0x10, 0x00] && related[1..5] != [0; 4], "{related:?}");
            let covered = [hex::decode("223344550000000010000978").unwrap(), related].concat();
            let opened = open_dda(&chip_key(), &object(&answer, 0x9F4B).unwrap(), &covered).unwrap();
            assert_eq!(opened.number, object(&answer, 0x9F36).unwrap());
        }
    }
}

/// CVC3 of pyemv's tests (github:knovichikhin/pyemv@cf6b82d7a1e1).
#[test]
fn the_checksum_is_the_vectors() {
    let key = option_a("01234567899876543210012345678998", "5123456789012345", "00");
    let mut card = Loaded::new(KEYS, "0110A00003220000000000000000000000FF", "1C80")
        .with("A001", "000000000000000BB111BA")
        .with("A002", &key)
        .at(0x005D)
        .over_antenna()
        .card();
    start(&mut card);
    assert_eq!(sw(&mut card, "802A8E800300089900"), "6700");
    let (answer, _) = send(&mut card, "802A8E80040000089900");
    let track_2 = object(&answer, 0x9F61).unwrap();
    assert_eq!(u16::from_be_bytes([track_2[0], track_2[1]]), 29488);
    assert_eq!(object(&answer, 0x9F36).unwrap(), [0x00, 0x5E]);
    assert_ne!(object(&answer, 0x9F60).unwrap(), track_2);
    assert_eq!(sw(&mut card, "802A8E80040000089900"), "6985", "once");
    let mut card = Loaded::new(KEYS, "0110A00003220000000000000000000000FF", "1C80").card();
    start(&mut card);
    assert_eq!(sw(&mut card, "802A8E80040000089900"), "6985", "without its keys");
}

#[test]
fn a_mastercard_like_application_signs_its_cryptogram_over_the_antenna() {
    let mut card = Loaded::new(KEYS, "0114A00003220000000000000000000000FF", "1D80")
        .with("8001", &[KEYS[1], KEYS[2], KEYS[0]].concat())
        .with_rsa(0x84)
        .over_antenna()
        .card();
    start(&mut card);
    let (answer, _) = generate(&mut card, ARQC | 0x10, DATA_29);
    let signed = open_cda(&chip_key(), &object(&answer, 0x9F4B).unwrap(), NUMBER).unwrap();
    let mut contact = Loaded::new([KEYS[1], KEYS[2], KEYS[0]], "0114A00003220000000000000000000000FF", "1D80").card();
    start(&mut contact);
    assert_eq!(hex::encode_upper(signed.cryptogram), cryptogram(generate(&mut contact, ARQC, DATA_29)).1);
}

#[test]
fn a_file_may_state_the_kind_and_old_files_are_read() {
    let loaded = Loaded::new(KEYS, VSDC_10, "3C00");
    let mut file: Value = serde_json::to_value(loaded.card().file()).unwrap();
    for (place, names) in [
        ("/blank", vec!["emv"]),
        ("/state", vec!["blocked"]),
        ("/state/applications/0", vec!["blocked", "last_online", "scripts", "script_failed", "log"]),
    ] {
        let place = file.pointer_mut(place).unwrap().as_object_mut().unwrap();
        names.iter().for_each(|name| assert!(place.remove(*name).is_some(), "{name}"));
    }
    let asked = |file: Value| {
        let mut card = SimCard::of(serde_json::from_value::<CardFile>(file).unwrap());
        card.reset();
        start(&mut card);
        generate(&mut card, ARQC, DATA_29)
    };
    let by_number = asked(file.clone());
    assert_eq!(by_number.1, 0x9000);
    for (kind, sw) in [("vsdc", 0x9000), ("plain", 0x9000), ("mchip", 0x6985)] {
        file["blank"]["emv"] = serde_json::json!({ "applets": { AID: kind } });
        let answer = asked(file.clone());
        assert_eq!((answer.1, answer.0 == by_number.0), (sw, kind == "vsdc"), "{kind}");
    }
}

/// `corrupt TAG …`: the card signs or answers something else than it should.
#[test]
fn a_fault_makes_a_cryptogram_or_a_signature_wrong() {
    let with = |rule: &str| {
        let loaded = Loaded::new(KEYS, VSDC_18, "3D00").with_rsa(0x82).card();
        let rule: Vec<FaultRule> = (!rule.is_empty()).then(|| FaultRule::parse(rule).unwrap()).into_iter().collect();
        let mut link = SimTransport::memory(loaded).with_faults(rule);
        link.reset().unwrap();
        let mut sent = |text: &str| {
            let mut answer = link.transmit(&hex::decode(text).unwrap()).unwrap();
            answer.truncate(answer.len() - 2);
            answer
        };
        sent(&command("00A40400", AID));
        sent("80A8000002830000");
        sent(&command("80AE9000", DATA_29))
    };
    let open = |answer: &[u8]| open_cda(&chip_key(), &object(answer, 0x9F4B).unwrap(), NUMBER);
    let good = with("");
    let signed = open(&good).unwrap();
    let wrong = open(&with("corrupt TAG 9F26 byte 0 mask 80 on answering")).unwrap();
    assert_eq!(wrong.cryptogram[0], signed.cryptogram[0] ^ 0x80);
    assert_eq!(wrong.transaction_hash, signed.transaction_hash);
    assert!(open(&with("corrupt TAG 9F4B byte 9 mask 01 on answering")).is_err());
    let other = with(&format!("corrupt TAG 9F10 in {AID} byte 6 mask 01 on answering"));
    assert_eq!((open(&other).unwrap(), object(&other, 0x9F10) == object(&good, 0x9F10)), (signed, false));
    assert_eq!(with("corrupt TAG 9F26 in A000000998 byte 0 mask 80 on answering"), good);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes in whatever order: no cryptogram is better than what was asked for, no transaction gives more
    /// than two, the counter never goes back, and the tries never go above their limit.
    #[test]
    fn no_order_of_commands_breaks_the_rules(
        steps in proptest::collection::vec((0usize..14, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 1..60)
    ) {
        let mut card = Loaded::new(KEYS, VSDC_18, "3C00").with("0D01", "9F580103").card();
        let (mut made, mut counter) = (0, 0);
        for (kind, byte, data) in steps {
            let data = hex::encode_upper(data);
            let sent = match kind {
                0 | 1 => command("00A40400", AID),
                2 | 3 => "80A8000002830000".into(),
                4 | 5 => command(&format!("80AE{:02X}00", byte & 0xC0), DATA_29),
                6 => command(&format!("80AE{:02X}00", byte & 0xC0), &second("3030")),
                7 => command(&format!("80AE{byte:02X}00"), &data),
                8 => "0020008008241234FFFFFFFFFF".into(),
                9 => "0020008008249999FFFFFFFFFF".into(),
                10 => command("00820000", &data),
                11 => command(&format!("84{:02X}0000", [0x16, 0x18, 0x1E, 0x24, 0xDA, 0xDC][usize::from(byte) % 6]), &data),
                12 => "0084000000".into(),
                _ => "00B2010C00".into(),
            };
            let (answer, sw) = send(&mut card, &sent);
            if sent.starts_with("80A8") && sw == 0x9000 {
                made = 0;
            }
            if sent.starts_with("80AE") && sw == 0x9000 {
                made += 1;
                let asked = u8::from_str_radix(&sent[4..6], 16).unwrap() & 0xC0;
                let given = object(&answer, 0x9F27).unwrap()[0] & 0xC0;
                let rank = |bits| [AAC, ARQC, TC].iter().position(|one| *one == bits).unwrap();
                prop_assert!(rank(given) <= rank(asked), "{asked:02X} {given:02X}");
            }
            prop_assert!(made <= 2);
            let app = &card.file().state.applications[0];
            prop_assert!(app.atc >= counter && app.tries <= 3 && !app.blocked);
            counter = app.atc;
        }
    }
}
