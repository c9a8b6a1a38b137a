//! The simulated card after personalization: the rules of its commands, and what it signs. The host's own code is used for
//! nothing but to open signatures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::emv_card;

use emv_card::*;
use perso::base::codec::tlv::{self, Tag};
use perso::base::crypto::sha1;
use perso::base::emv::certificate::{Combined, open_cda, open_dda};
use perso::card::sim::{CardFile, FaultRule, SimCard, SimTransport};
use perso::card::transport::Transport;
use proptest::prelude::*;
use serde_json::Value;

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
