//! The simulated card by itself: published sessions from the card's side, its counters, and how strict it is.
//! The host's channel code is used only where the channel is not what is tested.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::blank;
use crate::support;

use perso::base::chance::Instant;
use perso::base::{Chance, Clock};
use perso::card::apdu::Command;
use perso::card::channel::{ChallengeCheck, ChannelSpec, Protocol, SecurityLevel, Session};
use perso::card::sim::{Blank, Hex, KeySet, SimCard, SimTransport};
use perso::card::{Card, channel, gp};
use perso::keys::{self, KeyStore, Purpose};
use serde_json::Value;
use support::Bench;

const DOMAIN: &str = "A000000151000000";

/// The vectors of a file that are of one of these kinds.
fn vectors(file: &str, kinds: &[&str]) -> Vec<Value> {
    let text = std::fs::read_to_string(support::file_of(&format!("tests/vectors/{file}"))).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let all = all.as_array().unwrap().clone();
    all.into_iter().filter(|vector| kinds.contains(&vector["kind"].as_str().unwrap())).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or_default()).unwrap()
}

/// The card that answered INITIALIZE UPDATE in a published session; none where the session leaves out what the
/// pseudo-random challenge is made of.
fn card_of(vector: &Value) -> Option<(SimCard, Vec<u8>)> {
    let inputs = &vector["inputs"];
    let answer = bytes(&inputs["init_update_rsp"]);
    if answer.len() < 28 {
        return None;
    }
    let scp = answer[11];
    let (i, s16, counter, challenge) = if scp == 2 {
        let i = inputs["option"].as_str().map_or(0x15, |text| u8::from_str_radix(text, 16).unwrap());
        (i & !0x40, false, u32::from(u16::from_be_bytes([answer[12], answer[13]])), answer[14..20].to_vec())
    } else {
        let s16 = inputs["mode"] == "S16";
        let length = if s16 { 16 } else { 8 };
        let counter = match answer.get(13 + 2 * length..13 + 2 * length + 3) {
            Some(three) => u32::from_be_bytes([0, three[0], three[1], three[2]]),
            None => 0,
        };
        (answer[12], s16, counter, answer[13..13 + length].to_vec())
    };
    let pseudo = scp == 3 && i & 0x10 != 0;
    let aid = inputs["aid"].as_str();
    if pseudo && aid.is_none() {
        return None;
    }
    let key = |name: &str| Hex(bytes(&inputs[name]));
    let card = SimCard::new(Blank {
        kdd: Hex(answer[..10].to_vec()),
        domain: Hex(hex::decode(aid.unwrap_or(DOMAIN)).unwrap()),
        // Some published hosts leave out their Le.
        strict_le: false,
        seed: 0,
        fixed_challenge: Some(Hex(challenge)),
        ..blank::plain(
            KeySet {
                version: answer[10],
                scp,
                i,
                s16,
                enc: key("key_enc"),
                mac: key("key_mac"),
                dek: key("key_dek"),
                counter,
                failed: 0,
            },
            Vec::new(),
        )
    });
    Some((card, answer))
}

/// INITIALIZE UPDATE as published, but for a key version that this card has.
fn greet(card: &mut SimCard, vector: &Value) -> Vec<u8> {
    card.reset();
    let mut command = bytes(&vector["inputs"]["init_update_cmd"]);
    command[2] = 0;
    if command.len() == 5 + usize::from(command[4]) {
        command.push(0);
    }
    card.process(&command)
}

#[test]
fn published_sessions_are_answered_byte_for_byte_and_their_hosts_accepted() {
    let mut shown = 0;
    for (file, kind) in [("scp02.json", "scp02_handshake"), ("scp03.json", "scp03_handshake")] {
        for vector in vectors(file, &[kind]) {
            let name = vector["name"].as_str().unwrap();
            let Some((mut card, expected)) = card_of(&vector) else {
                println!("skipped: {name}: the session does not tell the AID, or is not whole");
                continue;
            };
            let answer = greet(&mut card, &vector);
            assert_eq!(hex::encode(&answer), hex::encode([&expected[..], &[0x90, 0x00]].concat()), "{name}");
            let authenticate = bytes(&vector["expected"]["ext_auth_cmd"]);
            if authenticate.is_empty() {
                continue;
            }
            // An Le that some hosts send is allowed.
            assert_eq!(card.process(&authenticate), [0x90, 0x00], "{name}");
            shown += 1;
        }
    }
    println!("{shown} sessions");
    assert!(shown >= 15, "only {shown} sessions were shown");
}

/// The EXTERNAL AUTHENTICATE of a session's commands stands with the session's handshake.
fn authentication(commands: &Value) -> Option<Vec<u8>> {
    let same = |one: &Value| {
        ["key_enc", "init_update_cmd", "init_update_rsp", "security_level"]
            .iter()
            .all(|name| one["inputs"][name] == commands["inputs"][name])
    };
    ["scp02", "scp03"]
        .into_iter()
        .flat_map(|name| vectors(&format!("{name}.json"), &[&format!("{name}_handshake")]))
        .find(same)
        .map(|found| bytes(&found["expected"]["ext_auth_cmd"]))
}

#[test]
fn published_protected_commands_are_understood_and_their_forgeries_are_not() {
    let mut shown = 0;
    for (file, kind) in [("scp02.json", "scp02_wrap"), ("scp03.json", "scp03_wrap")] {
        for vector in vectors(file, &[kind]) {
            let name = vector["name"].as_str().unwrap();
            let Some((mut card, _)) = card_of(&vector) else { continue };
            let answer = greet(&mut card, &vector);
            if !answer.ends_with(&[0x90, 0x00]) {
                panic!("{name}: {}", hex::encode(answer));
            }
            let Some(authenticate) = authentication(&vector) else {
                println!("skipped: {name}: its EXTERNAL AUTHENTICATE is not published");
                continue;
            };
            assert_eq!(card.process(&authenticate), [0x90, 0x00], "{name}");
            for (number, step) in vector["expected"]["steps"].as_array().unwrap().iter().enumerate() {
                let wrapped = bytes(&step["cmd_wrapped"]);
                let sw = |answer: Vec<u8>| u16::from_be_bytes([answer[answer.len() - 2], answer[answer.len() - 1]]);
                let seen = sw(card.process(&wrapped));
                assert_ne!(seen, 0x6982, "{name}, step {number}");
                shown += 1;
            }
            // A byte of the last command changed: the channel is gone.
            let steps = vector["expected"]["steps"].as_array().unwrap();
            let mut forged = bytes(&steps.last().unwrap()["cmd_wrapped"]);
            forged[5] ^= 1;
            let answer = card.process(&forged);
            assert!(answer == [0x69, 0x82] || answer == [0x67, 0x00], "{name}: {}", hex::encode(answer));
        }
    }
    println!("{shown} commands");
    assert!(shown >= 10, "only {shown} commands were shown");
}

#[test]
fn failed_authentications_are_counted_across_power_cuts_and_block_the_key_set() {
    let bench = Bench::new("debit-contact-scp02");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.json");
    bench.blank().file().save(&path).unwrap();
    let greeting = hex::decode("8050000008001122334455667700").unwrap();
    let wrong = hex::decode(format!("8482030010{}", "00".repeat(16))).unwrap();
    for attempt in 1..=10 {
        let mut card = SimCard::load(&path).unwrap();
        card.reset();
        assert!(card.process(&greeting).ends_with(&[0x90, 0x00]), "attempt {attempt}");
        assert_eq!(card.process(&wrong), [0x63, 0x00], "attempt {attempt}");
        // The pending session is gone: a second try needs a new INITIALIZE UPDATE.
        assert_eq!(card.process(&wrong), [0x69, 0x85]);
        assert_eq!(card.file().blank.key_sets[0].failed, attempt);
        card.file().save(&path).unwrap();
    }
    let mut card = SimCard::load(&path).unwrap();
    card.reset();
    assert_eq!(card.process(&greeting), [0x69, 0x83]);
    let ran = bench.run_on(card, &[], &mut perso::issuance::journal::Journal::in_memory());
    assert_eq!(ran.result.state, "untouched");
}

#[test]
fn a_good_authentication_clears_the_count_and_moves_the_counter() {
    let bench = Bench::new("debit-contact-scp02");
    let mut card = bench.blank();
    card.file_mut().blank.key_sets[0].failed = 9;
    let ran = bench.run_on(card, &[], &mut perso::issuance::journal::Journal::in_memory());
    assert_eq!(ran.result.state, "good");
    let set = &ran.card.blank.key_sets[0];
    assert_eq!((set.failed, set.counter), (0, 1));
}

/// VERIFY in plain text: EMV Book 3 §6.5.12.
#[test]
fn the_pin_is_verified_and_its_tries_are_counted() {
    for name in support::PROFILES {
        let mut card = SimCard::of(Bench::new(name).run(&[]).card);
        let aid = card.file().blank.applications[0].0.clone();
        let select = |card: &mut SimCard| {
            let command = [&[0x00, 0xA4, 0x04, 0x00, aid.len() as u8], &aid[..], &[0x00]].concat();
            assert!(card.process(&command).ends_with(&[0x90, 0x00]));
        };
        let verify = |card: &mut SimCard, pin: &str| {
            let mut block = format!("2{}{pin}", pin.len());
            block.extend(std::iter::repeat_n('F', 16 - block.len()));
            card.process(&hex::decode(format!("0020008008{block}")).unwrap())
        };
        card.reset();
        select(&mut card);
        assert_eq!(verify(&mut card, "9999"), [0x63, 0xC2], "{name}");
        assert_eq!(verify(&mut card, "1234"), [0x90, 0x00], "{name}");
        assert_eq!(card.file().state.applications[0].tries, 3);
        for (left, pin) in [(2, "0000"), (1, "4321"), (0, "12345")] {
            assert_eq!(verify(&mut card, pin), [0x63, 0xC0 | left], "{name}");
            // Power goes and comes: the count stays.
            card = SimCard::of(card.file().clone());
            card.reset();
            select(&mut card);
        }
        assert_eq!(verify(&mut card, "1234"), [0x69, 0x83], "{name}");
        assert_eq!(card.process(&hex::decode("0020000008241234FFFFFFFFFF").unwrap()), [0x6A, 0x86]);
    }
}

/// P1, P2 and data of a STORE DATA command.
type Sent<'a> = (u8, u8, &'a str);

/// Sends STORE DATA commands of a host that does not care, and returns the last status word.
fn store(name: &str, blocks: &[Sent<'_>]) -> u16 {
    let bench = Bench::new(name);
    let transport = SimTransport::memory(bench.blank());
    let mut card = Card::new(Box::new(transport), Clock::fixed(Instant(0)));
    card.reset().unwrap();
    let aid = bench.record.applications()[0].aid().to_vec();
    gp::select(&mut card, &aid).unwrap();
    let protocol = Protocol::scp02(0x55).unwrap();
    let spec = ChannelSpec {
        protocol,
        level: SecurityLevel::new(0x03, protocol).unwrap(),
        key_version: 1,
        check_challenge: ChallengeCheck::Refuse,
        aid,
        counter_without_data: true,
    };
    let mut chance = Chance::fixed(vec![0x5A; 64]);
    let greeting = channel::begin(&mut card, &spec, &mut chance).unwrap();
    let master = bench.store.open(&bench.profile.masters()[0], Purpose::Kmc).unwrap();
    let set = keys::card_keys(&bench.store, &master, &bench.profile.diversification(), greeting.kdd()).unwrap();
    let mut session: Session<'_> = greeting.login(&bench.store, set).unwrap();
    let mut last = 0;
    for (p1, p2, data) in blocks {
        let command = Command::new(0x80, 0xE2, *p1, *p2).with_data(hex::decode(data).unwrap());
        last = session.transmit(&command).unwrap().sw.0;
    }
    last
}

/// 9F10 has 32 bytes at most. // EMV B3 annex A
const LONG_ISSUER_DATA: &str = "9200249F1021000000000000000000000000000000000000000000000000000000000000000000";

/// CPS 1.1 §5.4.2: each refusal has its own status word.
#[test]
fn the_applet_is_strict() {
    let wrong_kcv =
        [(0x60, 0x00, "800030".to_owned() + &"11".repeat(48)), (0x00, 0x01, "900009".to_owned() + &"22".repeat(9))];
    let wrong_kcv: Vec<Sent<'_>> = wrong_kcv.iter().map(|(p1, p2, data)| (*p1, *p2, data.as_str())).collect();
    let cases: &[(&str, &[Sent<'_>], u16)] = &[
        ("a good grouping", &[(0x00, 0x00, "9010020303")], 0x9000),
        ("an unknown grouping", &[(0x00, 0x00, "77770101")], 0x6A88),
        ("wrong key check values", &wrong_kcv, 0x6A80),
        ("a grouping cut short at the last command", &[(0x80, 0x00, "90100203")], 0x6A80),
        ("a last command with mandatory data missing", &[(0x80, 0x00, "9010020303")], 0x6A86),
        ("block 01 first", &[(0x00, 0x01, "9010020303")], 0x6A86),
        ("block 00 twice", &[(0x00, 0x00, "9010020303"), (0x00, 0x00, "9010020303")], 0x6A86),
        ("a PIN block in the clear", &[(0x00, 0x00, "801008241234FFFFFFFFFF")], 0x6A80),
        ("a clear grouping as if it were enciphered", &[(0x60, 0x00, "9010080303030303030303")], 0x6A80),
        ("encryption bits that are reserved", &[(0x20, 0x00, "9010020303")], 0x6A86),
        ("a record that is no template 70", &[(0x00, 0x00, "01010371015A")], 0x6A80),
        ("an FCI that is no A5", &[(0x00, 0x00, "910203700150")], 0x6A80),
        ("more PIN tries than four bits hold", &[(0x00, 0x00, "9010021303")], 0x6A80),
        ("a component of a key in the clear", &[(0x00, 0x00, "8401080102030405060780")], 0x6A80),
        ("a sixth component", &[(0x60, 0x00, "8406080102030405060780")], 0x6A88),
        ("a checksum key in the clear", &[(0x00, 0x00, "A0021000112233445566778899AABBCCDDEEFF")], 0x6A80),
        ("issuer application data of 33 bytes", &[(0x00, 0x00, LONG_ISSUER_DATA)], 0x6A80),
        ("check values of eight bytes", &[(0x00, 0x00, "9000081122334455667788")], 0x6A80),
    ];
    for (what, blocks, expected) in cases {
        let seen = store("debit-contact-scp02", blocks);
        assert_eq!(format!("{seen:04X}"), format!("{expected:04X}"), "{what}");
    }
}

/// An application that was personalized takes no second personalization, whatever the host knows. // CPS 1.1 §4.3.5
#[test]
fn a_second_personalization_is_refused_by_the_card_itself() {
    let bench = Bench::new("debit-contact-scp02");
    let mut card = SimCard::of(bench.run(&[]).card);
    card.reset();
    let aid = &bench.record.applications()[0].aid().to_vec();
    let select = [&[0x00, 0xA4, 0x04, 0x00, aid.len() as u8], &aid[..], &[0x00]].concat();
    assert!(card.process(&select).ends_with(&[0x90, 0x00]));
    assert_eq!(card.process(&hex::decode("8050000008001122334455667700").unwrap()), [0x69, 0x85]);
    // Without a channel nothing is stored at all.
    assert_eq!(card.process(&hex::decode("80E20000059010020303").unwrap()), [0x69, 0x82]);
}

#[test]
fn le_is_strict_and_other_channels_and_classes_are_refused() {
    let mut card = Bench::new("debit-contact-scp02").blank();
    card.reset();
    let mut sw = |text: &str| {
        let answer = card.process(&hex::decode(text).unwrap());
        hex::encode_upper(&answer[answer.len() - 2..])
    };
    for (command, expected) in [
        ("00A4040000", "9000"),
        ("80CA9F7F00", "9000"),
        ("80CA9F7F", "6700"),
        ("80CA9F7F05", "6C2D"),
        ("80CA9F7F2D", "9000"),
        // Hosts differ in whether SELECT has an Le.
        ("00A40400", "9000"),
        ("00A4040007A0000009990101", "9000"),
        ("00A4040000", "9000"),
        ("80CA004200", "9000"),
        ("80CA004500", "9000"),
        ("80CA006700", "9000"),
        ("80CADF7F00", "6A88"),
        ("00A404000100", "6A82"),
        ("00A4000000", "6A86"),
        ("01A4040000", "6881"),
        ("40A4040000", "6881"),
        ("0070000001", "6881"),
        ("00D0000001", "6D00"),
        ("90CA9F7F00", "6884"),
        ("A0CA9F7F00", "6E00"),
        ("FFCA000000", "6E00"),
        ("84CA9F7F08112233445566778800", "6982"),
        ("8482000010", "6985"),
        ("80F28002024F0000", "6982"),
        ("80F0800F", "6982"),
        ("80E6200000", "6982"),
        ("00", "6700"),
    ] {
        assert_eq!(sw(command), expected, "{command}");
    }
}

#[test]
fn a_wrong_le_moves_nothing() {
    let bench = Bench::new("debit-contact-scp02");
    let mut card = SimCard::of(bench.run(&[]).card);
    card.reset();
    let mut say = |text: &str| {
        let answer = card.process(&hex::decode(text).unwrap());
        (hex::encode_upper(answer), card.file().state.applications[0].atc)
    };
    let (_, before) = say("00A4040007A0000009990101");
    let (told, after) = say("80A800000783050250E0E0C80A");
    assert!(told.starts_with("6C") && after == before, "{told} {before} {after}");
    let (answer, after) = say(&format!("80A800000783050250E0E0C8{}", &told[2..4]));
    assert!(answer.ends_with("9000") && after == before + 1, "{answer}");
}

#[test]
fn the_diary_is_bounded_and_challenges_go_on_differing() {
    let mut card = Bench::new("debit-aes-scp03").blank();
    card.file_mut().blank.key_sets[0].i &= !0x10;
    card.reset();
    let command = hex::decode("8050000008001122334455667700").unwrap();
    let answers: std::collections::BTreeSet<Vec<u8>> = (0..1100).map(|_| card.process(&command)).collect();
    assert_eq!(answers.len(), 1100, "each challenge is another");
    assert_eq!((card.file().state.diary.len(), card.file().state.commands), (1024, 1100));
}

#[test]
fn a_uid_is_answered_over_the_contactless_interface_only() {
    let bench = Bench::new("dual-interface-scp03");
    let mut card = bench.blank();
    card.approach(true).unwrap();
    card.reset();
    let uid = card.process(&hex::decode("FFCA000000").unwrap());
    assert_eq!((uid.len(), &uid[7..]), (9, &[0x90, 0x00][..]));
    card.reset();
    assert_eq!(card.process(&hex::decode("FFCA000000").unwrap()), uid, "it is the card's own");
    assert_eq!(card.process(&hex::decode("FFCA010000").unwrap()), [0x6E, 0x00]);
    card.approach(false).unwrap();
    card.reset();
    assert_eq!(card.process(&hex::decode("FFCA000000").unwrap()), [0x6E, 0x00]);
}

#[test]
fn store_data_of_rfu_or_ber_tlv_format_is_refused() {
    let grouping = "9010020303";
    for (p1, sw) in [(0x10, 0x6A86), (0x18, 0x6A86), (0x02, 0x6A86), (0x04, 0x6A86), (0x40, 0x6A86), (0x20, 0x6A86)] {
        assert_eq!(store("debit-contact-scp02", &[(p1, 0, grouping)]), sw, "{p1:02X}");
    }
    for p1 in [0x00, 0x01, 0x08] {
        assert_eq!(store("debit-contact-scp02", &[(p1, 0, grouping)]), 0x9000, "{p1:02X}");
    }
}

/// GET RESPONSE keeps the command's class with some hosts. // pitfalls 31
#[test]
fn get_response_is_taken_with_the_commands_class() {
    let mut card = Bench::new("debit-contact-scp02").blank();
    card.file_mut().blank.t0 = true;
    card.reset();
    let mut say = |text: &str| hex::encode_upper(card.process(&hex::decode(text).unwrap()));
    for class in ["00", "80"] {
        assert!(say("8050000008001122334455667700").starts_with("611C"));
        assert_eq!(say(&format!("{class}C000001C")).len(), 60, "{class}");
    }
    assert!(say("8050000008001122334455667700").starts_with("611C"));
    assert_eq!(say("84C000001C"), "6982", "another class than the command's is no GET RESPONSE");
}

/// A direct application and one through its domain end alike; the domain's INSTALL [for personalization] comes first.
#[test]
fn an_application_is_personalized_through_its_security_domain() {
    for name in support::PROFILES {
        let bench = Bench::changed(
            name,
            |profile| profile,
            |record| record["body"]["applications"][0]["method"] = serde_json::json!({"through": DOMAIN}),
        );
        let ran = bench.run(&[]);
        assert_eq!(ran.result.state, "good", "{name}: {:?} {:?}", ran.result.fault, ran.result.findings);
        let installs = ran.card.state.diary.iter().filter(|entry| entry.ins == 0xE6 && entry.p1 == 0x20).count();
        assert_eq!(installs, 1, "{name}");
        let direct = Bench::new(name).run(&[]);
        assert!(
            direct.card.state.applications[0].groupings == ran.card.state.applications[0].groupings,
            "{name}: the card holds something else than after direct personalization"
        );
    }
}

/// CPS 1.1 §5.4.2: 6A88 to a grouping that the record tolerates is no failure; to any other it is.
#[test]
fn a_tolerated_refusal_is_told_and_the_card_is_good() {
    let add = |tolerate: bool| {
        move |record: &mut Value| {
            let app = &mut record["body"]["applications"][0];
            // Between others, so that it is not the last command.
            app["groupings"].as_array_mut().unwrap().insert(3, serde_json::json!({"dgi": "7777", "value": "0102"}));
            if tolerate {
                app["tolerate"] = serde_json::json!(["7777"]);
            }
        }
    };
    let profile = |text: String| text + "\n[[dgi]]\nid = \"7777\"\nname = \"Product data\"\n";
    for name in support::PROFILES {
        let ran = Bench::changed(name, profile, add(true)).run(&[]);
        assert_eq!(ran.result.state, "good", "{name}: {:?} {:?}", ran.result.fault, ran.result.findings);
        let json = serde_json::to_string(&ran.result).unwrap();
        assert!(json.contains("7777") && json.contains("6A88"), "{name}: the refusal is not told: {json}");
        let ran = Bench::changed(name, profile, add(false)).run(&[]);
        assert_eq!(ran.result.state, "spoiled", "{name}");
        assert_eq!(ran.result.fault.unwrap().code, "CARD-REFUSED", "{name}");
    }
}

/// What the card does not take of an RSA key, and what it misses at the end. // CPS 1.1 §5.4.2, EMV B3 annex C1
#[test]
fn rsa_keys_are_checked_when_they_are_stored_and_missed_when_they_are_promised() {
    let name = "debit-long-packed";
    let groupings = |record: &mut Value, change: &dyn Fn(&mut Vec<Value>)| {
        change(record["body"]["applications"][0]["groupings"].as_array_mut().unwrap());
    };
    let change = |dgi: &'static str, from: &'static str, to: &'static str| {
        move |all: &mut Vec<Value>| {
            let one = all.iter_mut().find(|one| one["dgi"] == dgi).unwrap();
            let value = if one["secret"].is_null() { &mut one["value"] } else { &mut one["secret"]["value"] };
            let text = value.as_str().unwrap();
            assert!(text.contains(from), "{dgi}");
            *value = Value::String(text.replacen(from, to, 1));
        }
    };
    let without = |dgis: &'static str| {
        move |all: &mut Vec<Value>| all.retain(|one| !one["dgi"].as_str().unwrap().starts_with(dgis))
    };
    // The host would not send a promise that the record does not keep: the card is made to see one.
    const DYNAMIC: &str = "corrupt DGI 9104 byte 2 mask 38 on storing";
    const COMBINED: &str = "corrupt DGI 9104 byte 2 mask 01 on storing";
    type Change<'a> = Box<dyn Fn(&mut Vec<Value>) + 'a>;
    // What is done to the record, the fault of the card, and how it refuses.
    type Case<'a> = (&'a str, Option<Change<'a>>, Option<&'a str>, Option<&'a str>);
    let cases: [Case<'_>; 9] = [
        ("as it is", None, None, None),
        ("dynamic authentication promised, key there", None, Some(DYNAMIC), None),
        ("combined signatures promised, key there", None, Some(COMBINED), None),
        ("another q", Some(Box::new(change("8204", "E2EC0D", "E2EC0F"))), None, Some("6A80")),
        ("another inverse", Some(Box::new(change("8201", "629CAF", "629CAE"))), None, Some("6A80")),
        ("q missing", Some(Box::new(without("8204"))), None, Some("6A86")),
        ("no key, none promised", Some(Box::new(without("82"))), None, None),
        ("no key, dynamic authentication promised", Some(Box::new(without("82"))), Some(DYNAMIC), Some("6A86")),
        ("no key, combined signatures promised", Some(Box::new(without("82"))), Some(COMBINED), Some("6A86")),
    ];
    for (what, changed, rule, refused) in cases {
        let profile = |text: String| text.replace("mandatory = true", "mandatory = false");
        let bench = Bench::changed(name, profile, |record| {
            if let Some(changed) = &changed {
                groupings(record, changed);
            }
        });
        let ran = bench.run(&rule.map(str::to_owned).into_iter().collect::<Vec<_>>());
        // A refusal of the last command is read back after, so that it comes as a finding.
        let fault = ran.result.fault.iter().map(|fault| fault.message.clone());
        let told: String = fault.chain(ran.result.findings.iter().map(|finding| finding.what.clone())).collect();
        let personalized = ran.card.state.applications[0].personalized;
        assert_eq!(personalized, refused.is_none(), "{what}: {told}");
        assert!(refused.is_none_or(|sw| told.contains(sw)), "{what}: {told}");
        // A promise that is not the record's is noticed when it is read back.
        assert_eq!(ran.result.state == "good", refused.is_none() && rule.is_none(), "{what}: {told}");
    }
}

/// A card whose file says that PIN blocks come in format 1 takes no format 2.
#[test]
fn the_format_of_the_pin_block_is_the_cards() {
    let bench = Bench::new("debit-contact-scp02");
    let mut card = bench.blank();
    card.file_mut().blank.emv.pin_format_1 = true;
    let ran = bench.run_on(card, &[], &mut perso::issuance::journal::Journal::in_memory());
    assert_eq!(ran.result.state, "spoiled");
    assert!(ran.result.fault.unwrap().message.contains("6A80"));
}

/// The same job over extended APDUs takes fewer commands and stores the same.
#[test]
fn extended_commands_store_the_same() {
    let name = "debit-long-packed";
    let short = Bench::new(name).run(&[]);
    let extended = Bench::changed(
        name,
        |profile| profile.replace("spanning = true", "spanning = true\nmax_command = 2000"),
        |_| (),
    );
    let long = extended.run(&[]);
    assert_eq!(long.result.state, "good", "{:?}", long.result.fault);
    let stores = |ran: &support::Ran| ran.card.state.diary.iter().filter(|entry| entry.ins == 0xE2).count();
    assert!(stores(&long) < stores(&short), "{} and {}", stores(&long), stores(&short));
    assert!(long.card.state.applications[0].groupings == short.card.state.applications[0].groupings);
}

/// A card that says that it takes short lengths only, or talks T=0 alone, is refused before anything is sent to it.
#[test]
fn extended_commands_are_not_sent_to_a_card_that_cannot_take_them() {
    for (atr, state) in [
        ("3BE000FF8131FE4514", "good"),
        // Compact-TLV 7, card capabilities: the third byte has 40 for extended lengths, or has it not.
        ("3B85018073800140B6", "good"),
        ("3B85018073800100F6", "untouched"),
        // T=0 alone.
        ("3B00", "untouched"),
    ] {
        let run = |most: &str| {
            let words = format!("spanning = true\n{most}");
            let blank = |profile: String| profile.replace("3BE000FF8131FE4514", atr).replace("spanning = true", &words);
            Bench::changed("debit-long-packed", blank, |_| ()).run(&[])
        };
        let ran = run("max_command = 2000");
        assert_eq!(ran.result.state, state, "{atr}: {:?}", ran.result.fault);
        if let Some(fault) = ran.result.fault {
            assert!(fault.code == "CARD-BLANK" && fault.message.contains("longest command"), "{}", fault.message);
            assert!(ran.card.state.diary.iter().all(|entry| !matches!(entry.ins, 0x50 | 0xE2)), "{atr}");
        }
        // Short commands suit all of them.
        assert_eq!(run("").result.state, "good", "{atr}");
    }
}

/// Two cards whose maker left the serial number empty are two cards.
#[test]
fn a_card_without_a_serial_number_is_known_by_its_key_diversification_data() {
    let bench = Bench::new("debit-aes-scp03");
    let mut card = bench.blank();
    card.file_mut().blank.cplc.0[12..18].fill(0);
    let ran = bench.run_on(card, &[], &mut perso::issuance::journal::Journal::in_memory());
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.fault);
    assert!(ran.result.chip.unwrap().id.starts_with("kdd-"));
}

/// `check_challenge`: a card with option 40 (SCP02) or 10 (SCP03) whose challenge is not the computed one.
#[test]
fn an_unexpected_card_challenge_is_off_warned_of_or_refused() {
    for (name, length) in [("debit-contact-scp02", 6), ("debit-aes-scp03", 8)] {
        for (word, state) in [("off", "good"), ("warn", "good"), ("refuse", "untouched")] {
            let bench = Bench::changed(
                name,
                |profile| profile.replace("check_challenge = \"warn\"", &format!("check_challenge = \"{word}\"")),
                |_| (),
            );
            let mut blank = bench.blank();
            // The card says that its challenge is computed, and draws it all the same.
            let file = blank.file_mut();
            file.blank.fixed_challenge = Some(Hex(vec![0xC7; length]));
            file.blank.ignores_challenge_option = true;
            let ran = bench.run_on(blank, &[], &mut perso::issuance::journal::Journal::in_memory());
            assert_eq!(ran.result.state, state, "{name} {word}: {:?}", ran.result.fault);
            let told = serde_json::to_string(&ran.result).unwrap().contains("\"challenge\":\"");
            assert_eq!(told, word == "warn", "{name} {word}");
            if word == "refuse" {
                assert_eq!(ran.result.fault.unwrap().code, "CARD-CHALLENGE");
                assert!(ran.card.state.diary.iter().all(|entry| entry.ins != 0x82));
            }
        }
    }
}

/// SCP02 with R-MAC: some cards answer errors with a MAC, most do not; both are taken. // GPC 2.3.1 §E.4.5
#[test]
fn errors_with_and_without_r_mac_are_both_understood() {
    for r_mac_on_errors in [false, true] {
        let bench = Bench::changed(
            "debit-contact-scp02",
            |profile| {
                profile.replace("level = \"03\"", "level = \"13\"")
                    + "\n[[dgi]]\nid = \"7777\"\nname = \"Product data\"\n"
            },
            |record| {
                record["body"]["stated"] = serde_json::json!({});
                let app = &mut record["body"]["applications"][0];
                app["groupings"].as_array_mut().unwrap().insert(0, serde_json::json!({"dgi": "7777", "value": "01"}));
                app["tolerate"] = serde_json::json!(["7777"]);
            },
        );
        let mut blank = bench.blank();
        blank.file_mut().blank.r_mac_on_errors = r_mac_on_errors;
        let ran = bench.run_on(blank, &[], &mut perso::issuance::journal::Journal::in_memory());
        assert_eq!(ran.result.state, "good", "{r_mac_on_errors}: {:?}", ran.result.fault);
    }
}

/// T=0: whatever has data to answer to a command with data is fetched with GET RESPONSE, under secure messaging too.
#[test]
fn every_profile_ends_good_on_a_card_with_t0() {
    for name in support::PROFILES {
        let bench = Bench::new(name);
        let mut card = bench.blank();
        card.file_mut().blank.t0 = true;
        let ran = bench.run_on(card, &[], &mut perso::issuance::journal::Journal::in_memory());
        assert_eq!(ran.result.state, "good", "{name}: {:?} {:?}", ran.result.fault, ran.result.findings);
        assert!(ran.card.state.diary.iter().any(|entry| entry.ins == 0xC0), "{name}: no GET RESPONSE");
        assert!(ran.card.state.diary.iter().any(|entry| entry.sw >> 8 == 0x61), "{name}: no 61xx");
        let direct = bench.run(&[]);
        for (there, here) in ran.card.state.applications.iter().zip(&direct.card.state.applications) {
            assert!(there.groupings == here.groupings, "{name}");
        }
    }
}

#[test]
fn t0_hands_out_what_waits_in_pieces_and_once() {
    let bench = Bench::new("debit-contact-scp02");
    let mut card = SimCard::of(bench.run(&[]).card);
    card.file_mut().blank.t0 = true;
    card.reset();
    let mut say = |text: &str| hex::encode_upper(card.process(&hex::decode(text).unwrap()));
    let select = "00A4040007A000000999010100";
    let whole = say(select);
    assert!(whole.starts_with("61") && whole.len() == 4, "{whole}");
    let length = u8::from_str_radix(&whole[2..], 16).unwrap();
    assert_eq!(say("00C00000FF"), format!("6C{length:02X}"));
    let first = say("00C0000010");
    assert_eq!((first.len(), &first[32..34]), (36, "61"));
    let rest = say(&format!("00C00000{:02X}", length - 16));
    assert!(rest.ends_with("9000"));
    assert!(format!("{}{rest}", &first[..32]).starts_with("6F"));
    assert_eq!(say("00C0000001"), "6985");
    // Another command in between, and what waited is gone.
    assert!(say(select).starts_with("61"));
    say("80CA9F3600");
    assert_eq!(say("00C0000010"), "6985");
    // Without data there is nothing to fetch: the answer comes at once, and a wrong Le is told.
    assert_eq!(say("80CA9F7F05"), "6C2D");
    assert!(say("80CA9F7F2D").ends_with("9000"));
}

/// What shows over one interface only, and the directories. // EMV B1 §12, EMV contactless B §3.3
#[test]
fn a_dual_interface_card_shows_each_interface_its_own() {
    let bench = Bench::new("dual-interface-scp03");
    let made = bench.run(&[]).card;
    let say = |card: &mut SimCard, text: &str| hex::encode_upper(card.process(&hex::decode(text).unwrap()));
    let (pse, ppse) = ("00A404000E315041592E5359532E444446303100", "00A404000E325041592E5359532E444446303100");
    let application = "00A4040007A000000999010100";
    for contactless in [false, true] {
        let mut card = SimCard::of(made.clone());
        card.approach(contactless).unwrap();
        let atr = hex::encode_upper(card.reset());
        assert_eq!(atr, if contactless { "3B80800101" } else { "3BE000FF8131FE4514" });
        assert_eq!(say(&mut card, pse).ends_with("6A82"), contactless);
        assert_eq!(say(&mut card, ppse).ends_with("6A82"), !contactless);
        assert_eq!(
            say(&mut card, application).contains("9F66049F02069F03069F1A0295055F2A029A039C019F3704"),
            contactless
        );
        let options = if contactless {
            say(&mut card, &format!("80A80000238321{}00", "00".repeat(33)))
        } else {
            say(&mut card, "80A8000007830500000000 0000".replace(' ', "").as_str())
        };
        assert!(options.ends_with("9000"), "{options}");
        assert_eq!(options.contains("1801010010020200"), contactless, "{options}");
    }
    let mut plain = Bench::new("debit-contact-scp02").blank();
    assert!(plain.approach(true).is_err());
}

#[test]
fn partial_names_find_one_application_after_the_other() {
    let bench = Bench::new("dual-interface-scp03");
    let mut card = SimCard::of(bench.run(&[]).card);
    card.reset();
    let mut say = |text: &str| hex::encode_upper(card.process(&hex::decode(text).unwrap()));
    assert!(say("00A4040005A00000099900").contains("8407A0000009990101"));
    assert!(say("00A4040205A00000099900").contains("8407A0000009990102"));
    assert_eq!(say("00A4040205A00000099900"), "6A82");
    // A SELECT that finds nothing leaves the selected one selected.
    assert_eq!(say("00A4040007A000000003101000"), "6A82");
    assert!(say("80CA9F3600").ends_with("9000"));
}

/// Which blanks are refused, untouched. // card-profiles/README.md, [blank]
#[test]
fn a_blank_of_another_life_cycle_or_without_an_application_is_refused() {
    let bench = Bench::new("through-domain-scp02");
    let mut card = bench.blank();
    card.file_mut().state.life_cycle = 0x07;
    let ran = bench.run_on(card, &[], &mut perso::issuance::journal::Journal::in_memory());
    assert_eq!((ran.result.state.as_str(), ran.result.fault.unwrap().code.as_str()), ("untouched", "CARD-BLANK"));

    let bench = Bench::new("dual-interface-scp03");
    let mut card = bench.blank();
    let file = card.file_mut();
    file.blank.applications.pop();
    file.state.applications.pop();
    let ran = bench.run_on(card, &[], &mut perso::issuance::journal::Journal::in_memory());
    assert_eq!((ran.result.state.as_str(), ran.result.fault.unwrap().code.as_str()), ("untouched", "CARD-BLANK"));
    assert!(ran.card.state.diary.iter().all(|entry| entry.ins != 0xE2));
}

/// The same order over the antenna: what shows with contacts only is listed, and the reverse.
#[test]
fn a_dual_interface_card_is_good_over_either_interface() {
    let [contact, antenna] = ["contact", "contactless"].map(|interface| {
        let bench = Bench { contactless: interface == "contactless", ..Bench::new("dual-interface-scp03") };
        let ran = bench.run(&[]);
        assert_eq!(ran.result.state, "good", "{interface}: {:?} {:?}", ran.result.fault, ran.result.findings);
        let other = if interface == "contact" { "contactless" } else { "contact" };
        let listed: Vec<String> = ran
            .result
            .loaded_not_proven
            .into_iter()
            .filter(|item| item.how.contains("interface only"))
            .inspect(|item| assert!(item.how.contains(&format!("the {other} interface only")), "{}", item.how))
            .map(|item| item.dgi)
            .collect();
        listed
    });
    assert_eq!(contact, ["9103", "B104", "9103", "B104", "9102"]);
    assert_eq!(antenna, ["9102", "9104", "9102", "9104", "0101", "9102"]);
}
