//! Looking into cards: what simulated cards tell is what stands in their own files, whatever the profile, the interface
//! and the protocol; and nothing is changed but what reading must change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use std::sync::{Arc, Mutex};

use perso::base::chance::Instant;
use perso::base::{Chance, Clock, Code, Fault, Secret};
use perso::card::Card;
use perso::card::apdu::Command;
use perso::card::emv::view::{CardDataView, NodeView, card_data};
use perso::card::emv::{CardContents, Terminal, Wanted, read_contents};
use perso::card::gp::view::{CardInfoView, card_info};
use perso::card::gp::{self, Registry};
use perso::card::sim::{CardFile, Hex, SimCard, SimTransport};
use perso::issuance::login::{self, LoginError, LoginView};
use perso::keys::{Algorithm, Kcv, KeyInfo, KeyStore, Purpose, SoftwareStore};
use support::{Bench, PROFILES, keys};

const TERMINAL: Terminal = Terminal { date: [0x26, 0x11, 0x24], unpredictable: [1, 2, 3, 4] };
const TODAY: (u16, u16) = (2026, 328);

/// A card in a reader, and the card itself.
fn inserted(file: CardFile, contactless: bool) -> (Card, Arc<Mutex<SimCard>>) {
    let link = SimTransport::memory(SimCard::of(file)).approach(contactless).unwrap();
    let sim = link.card();
    (Card::new(Box::new(link), Clock::fixed(Instant(1_000_000))), sim)
}

/// The personalized sample of a profile; with T=0 where that is asked for.
fn personalized(bench: &Bench, t0: bool) -> CardFile {
    let mut blank = bench.blank();
    blank.file_mut().blank.t0 = t0;
    let ran = bench.run_on(blank, &[], &mut perso::issuance::journal::Journal::in_memory());
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.fault);
    ran.card
}

fn chance() -> Chance {
    Chance::fixed((0..=255).cycle().take(4096).collect())
}

fn info(file: CardFile, contactless: bool) -> CardInfoView {
    let (mut card, _) = inserted(file, contactless);
    card_info(&gp::look(&mut card).unwrap(), TODAY, true)
}

fn contents(file: CardFile, contactless: bool, wanted: &Wanted) -> (CardContents, CardFile) {
    let (mut card, sim) = inserted(file, contactless);
    let contents = read_contents(&mut card, &TERMINAL, wanted).unwrap();
    let file = sim.lock().unwrap().file().clone();
    (contents, file)
}

/// What changed on the card, apart from its diary.
fn state(file: &CardFile) -> serde_json::Value {
    let mut value = serde_json::to_value(file).unwrap();
    value["state"]["diary"] = serde_json::Value::Null;
    value["state"]["commands"] = serde_json::Value::Null;
    value
}

#[test]
fn card_info_tells_what_stands_in_the_cards_file_and_changes_nothing() {
    for name in PROFILES {
        for bench in Bench::each_way(name) {
            for (t0, fresh) in [(false, false), (true, false), (false, true)] {
                let file = if fresh { bench.blank().file().clone() } else { personalized(&bench, t0) };
                let (mut card, sim) = inserted(file.clone(), bench.contactless);
                let view = card_info(&gp::look(&mut card).unwrap(), TODAY, true);
                assert!(state(sim.lock().unwrap().file()) == state(&file), "{name}: something was changed");
                let blank = &file.blank;
                assert_eq!(view.domain.as_ref().unwrap().aid, hex::encode_upper(&blank.domain.0));
                let serial = view.cplc.iter().find(|field| field.name == "ic_serial").unwrap();
                assert_eq!(serial.value, hex::encode_upper(&blank.cplc.0[12..16]));
                assert_eq!(view.kdd.unwrap(), hex::encode_upper(&blank.kdd.0));
                assert_eq!(view.atr.contactless, bench.contactless);
                let set = &blank.key_sets[0];
                let protocols: Vec<_> = view.protocols.iter().map(|it| (it.scp.clone(), it.i.clone())).collect();
                assert_eq!(protocols, [(format!("{:02X}", set.scp), format!("{:02X}", set.i))]);
                assert_eq!(view.keys.len(), 3 * blank.key_sets.len());
                assert!(view.keys.iter().all(|key| key.version == format!("{:02X}", set.version)));
                let memory = view.memory.unwrap();
                assert_eq!(memory.non_volatile, blank.memory.map(|[kept, _]| kept.into()));
                assert_eq!(memory.applications, Some(blank.applications.len() as u64));
                let counter = u32::from_str_radix(&view.sequence.unwrap(), 16).unwrap();
                assert_eq!(counter, set.counter);
            }
        }
    }
}

/// The identity is the one that results, and therefore journals, have.
#[test]
fn the_chip_is_named_as_in_a_result() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let ran = bench.run(&[]);
        assert_eq!(info(ran.card, false).chip, Some(ran.result.chip.unwrap().id), "{name}");
    }
}

#[test]
fn a_card_without_card_data_is_told_by_its_fci() {
    let mut file = Bench::new(PROFILES[0]).blank().file().clone();
    file.blank.no_card_data = true;
    file.blank.memory = None;
    let view = info(file, false);
    assert_eq!(view.protocols[0].scp, "02");
    let not_told: Vec<&str> = view.not_told.iter().map(|it| it.tag).collect();
    assert_eq!(not_told, ["0066", "0067", "FF21"]);
}

#[test]
fn a_locked_card_is_said_to_be_locked() {
    let mut file = Bench::new(PROFILES[0]).blank().file().clone();
    file.state.life_cycle = 0x7F;
    assert!(info(file, false).domain.unwrap().locked);
}

/// Every record that the card's own AFL names is there, byte for byte as it was stored.
#[test]
fn card_data_reads_every_record_that_was_stored() {
    for name in PROFILES {
        for bench in Bench::each_way(name) {
            for t0 in [false, true] {
                let file = personalized(&bench, t0);
                let listed = file.blank.contactless_atr.is_some();
                let aids: Vec<Vec<u8>> = file.blank.applications.iter().map(|aid| aid.0.clone()).collect();
                let wanted = Wanted { aids: if listed { Vec::new() } else { aids.clone() }, candidates: true };
                let (read, after) = contents(file.clone(), bench.contactless, &wanted);
                assert_eq!(read.contactless, bench.contactless);
                let is_directory = |aid: &[u8]| aid.ends_with(b"PAY.SYS.DDF01");
                let payment: Vec<&Vec<u8>> = aids.iter().filter(|aid| !is_directory(aid)).collect();
                assert_eq!(read.applications.iter().map(|app| &app.aid).collect::<Vec<_>>(), payment, "{name}");
                for app in &read.applications {
                    let at = aids.iter().position(|aid| *aid == app.aid).unwrap();
                    let stored = &file.state.applications[at].groupings;
                    assert!(!app.records.is_empty());
                    for record in &app.records {
                        let dgi = format!("{:02X}{:02X}", record.sfi, record.record);
                        assert!(record.data.data() == Some(stored[&dgi].0.as_slice()), "{name}: {dgi}");
                    }
                    // GET PROCESSING OPTIONS counts a transaction, once; nothing else moves.
                    assert_eq!(after.state.applications[at].atc, file.state.applications[at].atc + 1);
                    assert_eq!(after.state.applications[at].tries, file.state.applications[at].tries);
                    assert!(after.state.applications[at].groupings == *stored);
                }
                assert!(after.blank.key_sets.iter().zip(&file.blank.key_sets).all(|(a, b)| a.counter == b.counter));
            }
        }
    }
}

#[test]
fn each_interface_shows_its_own_directory_and_records() {
    let bench = Bench::new("dual-interface-scp03");
    let file = personalized(&bench, false);
    let view = |contactless| card_data(&contents(file.clone(), contactless, &Wanted::default()).0, true);
    let (contact, antenna) = (view(false), view(true));
    let states = |view: &CardDataView| view.directories.iter().map(|it| (it.name, it.fci.state)).collect::<Vec<_>>();
    assert_eq!(states(&contact), [("PSE", "data"), ("PPSE", "refused")]);
    assert_eq!(states(&antenna), [("PSE", "refused"), ("PPSE", "data")]);
    assert_eq!((contact.applications[0].found, antenna.applications[0].found), ("PSE", "PPSE"));
    assert_eq!(contact.directories[0].lists, antenna.directories[1].lists);
    let files = |view: &CardDataView| -> Vec<(u8, u8)> {
        view.applications[0].records.iter().map(|record| (record.sfi, record.record)).collect()
    };
    assert_ne!(files(&contact), files(&antenna));
    assert_eq!((contact.interface, antenna.interface), ("contact", "contactless"));
}

fn nodes<'a>(list: &'a [NodeView], out: &mut Vec<&'a NodeView>) {
    for node in list {
        out.push(node);
        nodes(&node.children, out);
    }
}

#[test]
fn values_are_named_and_explained_and_what_is_sensitive_is_masked() {
    for format_1 in [false, true] {
        let mut file = personalized(&Bench::new("dual-interface-scp03"), false);
        file.blank.gpo_format_1 = format_1;
        let view = card_data(&contents(file, false, &Wanted::default()).0, true);
        let app = &view.applications[0];
        let mut all = Vec::new();
        nodes(&app.fci.objects, &mut all);
        nodes(&app.options.objects, &mut all);
        app.records.iter().for_each(|record| nodes(&record.answer.objects, &mut all));
        app.objects.iter().for_each(|object| nodes(&object.answer.objects, &mut all));
        let node = |tag: &str| *all.iter().find(|node| node.tag == tag).unwrap_or_else(|| panic!("{tag}"));
        let words = [
            "cardholder verification supported",
            "terminal risk management to be performed",
            "issuer authentication by EXTERNAL AUTHENTICATE supported",
        ];
        assert_eq!(node("82").words, words);
        assert_eq!(node("94").words.len(), 2);
        assert_eq!(node("5A").text.as_deref(), Some("476173******0119"));
        for tag in ["57", "5A", "5F20", "9F1F"] {
            assert!(node(tag).masked && node(tag).value.is_none() && node(tag).words.is_empty(), "{tag}");
        }
        assert_eq!(node("5F24").words, ["2030-12-31"]);
        assert_eq!(node("9F17").words, ["3 PIN tries left"]);
        assert!(all.iter().all(|node| node.name.is_some()), "a sample's tag is not in the dictionary");
        let text = serde_json::to_string(&view).unwrap();
        assert!(!text.contains("4761739001010119") && !text.contains(&hex::encode_upper("TEST/SAMPLE")));
    }
}

#[test]
fn what_is_looked_for_and_not_there_is_told() {
    let file = personalized(&Bench::new(PROFILES[0]), false);
    let wanted = Wanted { aids: vec![vec![0xA0, 0, 0, 9, 9, 9, 7], vec![0xA0, 0, 0, 9, 9]], candidates: false };
    let (read, _) = contents(file, false, &wanted);
    assert_eq!(read.absent, [vec![0xA0, 0, 0, 9, 9, 9, 7], vec![0xA0, 0, 0, 9, 9]]);
    assert!(read.applications.is_empty());
}

/// A blank's application tells next to nothing, and that is no failure.
#[test]
fn a_blank_is_read_too() {
    let bench = Bench::new(PROFILES[0]);
    let file = bench.blank().file().clone();
    let wanted = Wanted { aids: vec![file.blank.applications[0].0.clone()], candidates: true };
    let view = card_data(&contents(file, false, &wanted).0, true);
    let app = &view.applications[0];
    assert_eq!((app.fci.state, app.options.state, app.options.sw.as_deref()), ("data", "refused", Some("6985")));
    assert!(app.objects.iter().all(|object| object.answer.sw.as_deref() == Some("6A88")));
}

fn apps(
    bench: &Bench,
    file: CardFile,
    with_profile: bool,
    store: &dyn KeyStore,
) -> (Result<(Registry, LoginView), LoginError>, CardFile) {
    let (mut card, sim) = inserted(file, bench.contactless);
    let mut chance = chance();
    let mut read = || {
        let told = gp::look(&mut card)?;
        let (mut session, view) = if with_profile {
            login::with_profile(&mut card, &bench.profile, store, &mut chance)?
        } else {
            login::with_any_key(&mut card, 0x00, told.recognition(), store, &mut chance)?
        };
        Ok((gp::registry(&mut session)?, view))
    };
    let read = read();
    let file = sim.lock().unwrap().file().clone();
    (read, file)
}

#[test]
fn the_registry_is_read_with_a_profile_and_without_one() {
    for name in PROFILES {
        for bench in Bench::each_way(name) {
            for (with_profile, no_card_data) in [(true, false), (false, false), (false, true)] {
                let mut file = personalized(&bench, false);
                file.blank.no_card_data = no_card_data;
                let before = file.clone();
                let (read, after) = apps(&bench, file, with_profile, &keys());
                let (registry, login) = read.unwrap_or_else(|error| panic!("{name}: {error}"));
                let card = registry.card.told().unwrap();
                assert_eq!((card.len(), card[0].life_cycle), (1, after.state.life_cycle));
                let aids: Vec<_> =
                    registry.applications.told().unwrap().iter().map(|entry| entry.aid.clone()).collect();
                assert_eq!(aids, after.blank.applications.iter().map(|aid| aid.0.clone()).collect::<Vec<_>>());
                // A load file for each application, with the application as its module.
                let load_files = registry.load_files.told().unwrap();
                let modules: Vec<_> = load_files.iter().flat_map(|entry| entry.modules.clone()).collect();
                assert_eq!(modules, aids, "{name}");
                for (application, load_file) in registry.applications.told().unwrap().iter().zip(load_files) {
                    assert_eq!(application.load_file.as_ref(), Some(&load_file.aid), "{name}");
                    assert_eq!(application.domain.as_ref(), Some(&after.blank.domain.0), "{name}");
                }
                assert!(bench.profile.masters().contains(&login.master));
                // Nothing moved but the sequence counter, by one.
                assert_eq!(after.blank.key_sets[0].counter, before.blank.key_sets[0].counter + 1);
                assert_eq!(after.blank.key_sets[0].failed, 0);
                assert!(state(&after)["state"] == state(&before)["state"], "{name}: something was changed");
            }
        }
    }
}

/// GET STATUS with a tag list, with more entries than one answer holds, and without a channel. // GPC 2.3.1 §11.4.2
#[test]
fn get_status_obeys_tag_lists_and_needs_authentication() {
    let bench = Bench::new("debit-contact-scp02");
    let mut file = bench.blank().file().clone();
    file.blank.applications = (1..=12).map(|n| Hex(vec![0xA0, 0, 0, 9, 0x99, 1, n])).collect();
    file = CardFile::fresh(file.blank);
    let (mut card, sim) = inserted(file, false);
    for data in ["024F0000", "094F005C054F9F70C5C400", "035C014F00", "00"] {
        let command = hex::decode(format!("80F24002{data}")).unwrap();
        assert_eq!(sim.lock().unwrap().process(&command), [0x69, 0x82], "{data}");
    }
    let told = gp::look(&mut card).unwrap();
    let mut chance = chance();
    let (mut session, _) = login::with_any_key(&mut card, 0x00, told.recognition(), &keys(), &mut chance).unwrap();
    let mut status = |p1: u8, p2: u8, data: &str| {
        let command = Command::new(0x80, 0xF2, p1, p2).with_data(hex::decode(data).unwrap()).with_le(256);
        let answer = session.transmit(&command).unwrap();
        (answer.sw.0, hex::encode_upper(&answer.data))
    };
    // One object of each entry, in the order of the registry whatever the list's.
    let one = "4F07A0000009990103";
    assert_eq!(status(0x40, 0x02, &format!("{one}5C014F")), (0x9000, "E3094F07A0000009990103".into()));
    assert_eq!(
        status(0x40, 0x02, &format!("{one}5C04C59F704F")),
        (0x9000, "E3124F07A00000099901039F700107C503000000".into())
    );
    assert_eq!(status(0x40, 0x02, &format!("{one}5C0112")), (0x9000, "E300".into()), "an object that it does not have");
    assert_eq!(
        status(0x40, 0x02, one),
        (0x9000, "E3274F07A00000099901039F700107C503000000C409A00000015153494D03CC08A000000151000000".into())
    );
    assert_eq!(
        status(0x10, 0x02, "4F09A00000015153494D03").1,
        "E3264F09A00000015153494D039F700101CE020100CC08A0000001510000008407A0000009990103"
    );
    assert!(!status(0x20, 0x02, "4F09A00000015153494D03").1.contains("8407A0"));
    // In pieces.
    let mut all = String::new();
    let mut rounds = 0;
    loop {
        let (sw, entries) = status(0x40, if rounds == 0 { 0x02 } else { 0x03 }, "4F00");
        assert!(matches!(sw, 0x9000 | 0x6310) && entries.len() / 2 <= 256, "{sw:04X}");
        all += &entries;
        rounds += 1;
        if sw == 0x9000 {
            break;
        }
    }
    assert!(rounds > 1);
    assert_eq!(all.matches("E3274F07A00000099901").count(), 12);
    for (data, sw) in [("5C014F", 0x6A80), ("4F01", 0x6A80), ("4F005C029F", 0x6A80), ("4F005C019F", 0x6A80)] {
        assert_eq!(status(0x40, 0x02, data).0, sw, "{data}");
    }
    assert_eq!(status(0x40, 0x03, "4F00").0, 0x6985, "the next of a list that has ended");
    assert_eq!(status(0x40, 0x02, "4F06A00000000301").0, 0x6A88);
    assert_eq!(status(0x60, 0x02, "4F00").0, 0x6A86);
    assert_eq!(status(0x40, 0x00, "4F00").0, 0x6A86);
}

/// A command whose Le is too small is sent again with the same MAC: the card has not moved its channel. // pitfalls 29
#[test]
fn a_wrong_le_is_corrected_within_a_secure_channel() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let (mut card, sim) = inserted(bench.blank().file().clone(), false);
        let told = gp::look(&mut card).unwrap();
        let (mut session, _) =
            login::with_any_key(&mut card, 0x00, told.recognition(), &keys(), &mut chance()).unwrap();
        for _ in 0..2 {
            let answer = session.transmit(&Command::new(0x80, 0xCA, 0x9F, 0x7F).with_le(5)).unwrap();
            assert_eq!((answer.sw.0, answer.data.len()), (0x9000, 45), "{name}");
        }
        let diary = sim.lock().unwrap().file().state.diary.clone();
        let told: Vec<_> = diary.iter().filter(|entry| entry.ins == 0xCA && entry.sw >> 8 == 0x6C).collect();
        assert_eq!(told.len(), 2, "{name}");
        assert!(told.iter().all(|entry| !entry.executed), "{name}: refused for its Le, so not executed");
    }
}

/// Without a profile the card says which channel it opens: every option of either protocol, both modes of SCP03.
#[test]
fn every_channel_is_found_out_without_a_profile() {
    let change = |name: &str, i: u8, s16: bool| {
        let bench = Bench::new(name);
        let mut file = bench.blank().file().clone();
        (file.blank.key_sets[0].i, file.blank.key_sets[0].s16) = (i, s16);
        let (read, _) = apps(&bench, file, false, &keys());
        read.unwrap_or_else(|error| panic!("i={i:02X} S16: {s16}: {error}")).1.protocol
    };
    for i in [0x04, 0x05, 0x14, 0x15, 0x24, 0x25, 0x34, 0x35, 0x44, 0x45, 0x54, 0x55, 0x64, 0x65, 0x74, 0x75] {
        assert_eq!(change("debit-contact-scp02", i, false), format!("SCP02 i={i:02X}"));
    }
    for i in [0x00, 0x10, 0x20, 0x30, 0x60, 0x70] {
        assert_eq!(change("debit-aes-scp03", i, false), format!("SCP03 i={i:02X} S8"));
        for i in [i, i | 0x01, i | 0x08] {
            assert_eq!(change("debit-aes-scp03", i, true), format!("SCP03 i={i:02X} S16"));
        }
    }
}

/// One master key, in a file of its own.
fn store(algorithm: Algorithm, value: &str, test: bool) -> SoftwareStore {
    use perso::base::crypto::{Cipher, KcvMethod, kcv};
    let value = hex::decode(value).unwrap();
    let (method, des) = match algorithm.cipher() {
        Some(Cipher::Tdes) => (KcvMethod::DesZero, true),
        _ => (KcvMethod::AesOnes, false),
    };
    let kcv = Kcv { method, value: kcv(&value, method, des, 3).unwrap() };
    let (name, zone) = ("master".to_owned(), "here".to_owned());
    let info =
        KeyInfo { name, zone, purpose: Purpose::Kmc, version: 9, algorithm, kcv, test, kmcid: None, header: None };
    SoftwareStore::new(vec![(info, Secret::new(value))])
}

#[test]
fn live_keys_of_another_version_may_be_used_for_reading() {
    let bench = Bench::new(PROFILES[0]);
    let live = store(Algorithm::Tdes2, "404142434445464748494A4B4C4D4E4F", false);
    let (read, _) = apps(&bench, personalized(&bench, false), false, &live);
    let (_, login) = read.unwrap();
    assert_eq!(
        (login.master.as_str(), login.diversification.as_str(), login.level.as_str()),
        ("master", "emv-cps:4", "01")
    );
}

/// A card's cryptogram proves one of its three keys only: what is one of three is not taken for all of them, and where keys
/// that fit differ, none is taken.
#[test]
fn keys_that_fit_by_one_of_three_are_not_guessed() {
    let bench = Bench::new(PROFILES[0]);
    let file = bench.blank().file().clone();
    let set = &file.blank.key_sets[0];
    let own = [&set.enc, &set.mac, &set.dek].map(|key| hex::encode(&key.0));
    let stored = |keys: &[(&str, &str)]| {
        let each = keys.iter().map(|(name, value)| {
            let info = KeyInfo { name: (*name).into(), ..store(Algorithm::Tdes2, value, true).keys()[0].clone() };
            (info, Secret::new(hex::decode(value).unwrap()))
        });
        SoftwareStore::new(each.collect())
    };
    let three = [("card-enc", own[0].as_str()), ("card-mac", &own[1]), ("card-dek", &own[2])];
    let (read, after) = apps(&bench, file.clone(), false, &stored(&three));
    assert_eq!(read.unwrap().1.master, "card");
    assert_eq!(after.blank.key_sets[0].failed, 0);
    for (keys, code) in [
        // One of three, alone.
        (&three[..1], Code::KeyNoMatch),
        // Two that fit alike by their ENC, as sets of three: which MAC is the card's, nobody knows.
        (
            &[three[0], three[1], three[2], ("other-enc", &own[0]), ("other-mac", &own[2]), ("other-dek", &own[2])],
            Code::KeyNoMatch,
        ),
    ] {
        let (read, after) = apps(&bench, file.clone(), false, &stored(keys));
        assert_eq!(read.err().unwrap().code(), code);
        assert!(after.state.diary.iter().all(|entry| entry.ins != 0x82), "EXTERNAL AUTHENTICATE was sent");
    }
}

/// Rule: never EXTERNAL AUTHENTICATE after a card cryptogram that does not fit.
#[test]
fn keys_that_do_not_fit_cost_the_card_no_attempt() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let algorithm = match bench.blank().file().blank.key_sets[0].scp {
            2 => Algorithm::Tdes2,
            _ => Algorithm::Aes128,
        };
        let wrong = store(algorithm, "0123456789ABCDEFFEDCBA9876543210", true);
        let file = personalized(&bench, false);
        let logins = |file: &CardFile| file.state.diary.iter().filter(|entry| entry.ins == 0x82).count();
        let before = logins(&file);
        let (read, after) = apps(&bench, file, false, &wrong);
        let error = read.err().unwrap();
        assert_eq!(error.code(), Code::CardCryptogram, "{name}: {error}");
        assert_eq!((logins(&after), after.blank.key_sets[0].failed), (before, 0), "{name}");
        // With the profile: its master key has another value here.
        let renamed = renamed(&bench, "0123456789ABCDEFFEDCBA9876543210", algorithm);
        let (read, after) = apps(&bench, personalized(&bench, false), true, &renamed);
        assert_eq!(read.err().unwrap().code(), Code::CardCryptogram, "{name}");
        assert_eq!((logins(&after), after.blank.key_sets[0].failed), (before, 0), "{name}");
    }
}

/// The profile's master key by name and version, with another value.
fn renamed(bench: &Bench, value: &str, algorithm: Algorithm) -> SoftwareStore {
    let wrong = store(algorithm, value, true);
    let mut info = wrong.keys()[0].clone();
    info.name = bench.profile.masters()[0].clone();
    info.version = bench.blank().file().blank.key_sets[0].version;
    SoftwareStore::new(vec![(info, Secret::new(hex::decode(value).unwrap()))])
}

#[test]
fn a_key_file_without_a_fitting_kind_of_key_is_refused_before_any_login() {
    let bench = Bench::new("debit-aes-scp03");
    let (read, after) = apps(
        &bench,
        bench.blank().file().clone(),
        false,
        &store(Algorithm::Tdes2, "404142434445464748494A4B4C4D4E4F", true),
    );
    assert_eq!(read.err().unwrap().code(), Code::KeyNoMatch);
    assert!(after.state.diary.iter().all(|entry| entry.ins != 0x82));
}
