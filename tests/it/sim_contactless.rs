//! The simulated card over its antenna: the fast path of a Visa-like application, checksums and combined signatures of a
//! Mastercard-like one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::emv_card;

use emv_card::*;
use perso::base::emv::certificate::{open_cda, open_dda};
use perso::card::sim::SimCard;

const FAST_LIST: &str = "9F66049F02069F03069F1A0295055F2A029A039C019F3704";
const FAST_DATA: &str = "0000000010000000000000000250800000800009782611240022334455";

/// A Visa-like application over the antenna, with its list and answer.
fn fast() -> Loaded {
    let fci = format!("50065445535420419F3818{FAST_LIST}");
    let certificates = "700E9F4701039F690700000000000000";
    Loaded::new(KEYS, VSDC_10, "3C00")
        .with("8001", &[KEYS[1], KEYS[2], KEYS[0]].concat())
        .with("9103", &format!("A5{:02X}{fci}", fci.len() / 2))
        .with("B104", "820220009404180101005F340101")
        .with("0301", certificates)
        .with("0302", "700E57074761739001010D9F6C021000")
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
