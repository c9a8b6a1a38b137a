//! What the host's commands look like on the wire, and how their answers are taken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use crate::scripted;

use perso::base::crypto::KcvMethod;
use perso::base::{Chance, Fault, Secret};
use perso::card::apdu::Command;
use perso::card::channel::{ChallengeCheck, ChannelError, ChannelSpec, Protocol, SecurityLevel, Session, begin};
use perso::card::gp::StatusScope;
use perso::card::{CardError, Misbehaviour, emv, gp};
use perso::keys::{Algorithm, Diversification, Kcv, KeyInfo, KeyStore, Purpose, SoftwareStore, card_keys};
use scripted::card;

const VISA: [u8; 7] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10];

/// A session at level 00, whose commands travel as they are, on a card with these answers; what was sent in it.
fn session(answers: &[&'static str], work: impl FnOnce(&mut Session<'_>)) -> Vec<String> {
    let info = KeyInfo {
        name: "kmc".into(),
        zone: "test".into(),
        purpose: Purpose::Kmc,
        version: 1,
        algorithm: Algorithm::Tdes2,
        kcv: Kcv { method: KcvMethod::DesZero, value: vec![0x8B, 0xAF, 0x47] },
        test: true,
        kmcid: None,
        header: None,
    };
    let value = hex::decode("404142434445464748494A4B4C4D4E4F").unwrap();
    let store = SoftwareStore::new(vec![(info, Secret::new(value))]);
    let protocol = Protocol::scp02(0x15).unwrap();
    let spec = ChannelSpec {
        protocol,
        level: SecurityLevel::new(0x00, protocol).unwrap(),
        key_version: 1,
        check_challenge: ChallengeCheck::Off,
        aid: Vec::new(),
        counter_without_data: true,
    };
    let greeting = "412345FFFFFFA1B2C3D4010200018899AABBCCDD3D9F5B45D8C029C89000";
    let (mut card, sent) = card(&[&[greeting, "9000"], answers].concat());
    let mut chance = Chance::fixed(hex::decode("0011223344556677").unwrap());
    let greeting = begin(&mut card, &spec, &mut chance).unwrap();
    let master = store.open("kmc", Purpose::Kmc).unwrap();
    let keys = card_keys(&store, &master, &Diversification::EmvCps { offset: 4 }, greeting.kdd()).unwrap();
    let mut session = greeting.login(&store, keys).unwrap();
    work(&mut session);
    drop(session);
    sent.all().split_off(2)
}

#[test]
fn select_takes_the_default_application_without_an_aid() {
    let (mut card, sent) = card(&["6A82", "9000"]);
    assert_eq!(gp::select(&mut card, &VISA).unwrap().sw.0, 0x6A82);
    assert!(gp::select(&mut card, &[]).unwrap().sw.is_ok());
    assert_eq!(sent.all(), ["00A4040007A000000003101000", "00A4040000"]);
}

#[test]
fn trap_25_every_command_whose_answer_has_data_takes_an_le() {
    let (mut card, sent) = card(&["9F3602000A9000", "9F7F9000", "70009000", "800239009000", "6F009000"]);
    emv::get_data(&mut card, 0x9F36).unwrap();
    gp::get_data(&mut card, 0x9F7F).unwrap();
    emv::read_record(&mut card, 1, 1).unwrap();
    emv::get_processing_options(&mut card, &[]).unwrap();
    emv::select(&mut card, &VISA).unwrap();
    let expected = ["80CA9F3600", "80CA9F7F00", "00B2010C00", "80A8000002830000", "00A4040007A000000003101000"];
    assert_eq!(sent.all(), expected);
}

#[test]
fn trap_22_extended_cases_3e_and_4e_are_read_where_their_length_stands() {
    let data = vec![0xAB; 300];
    let case3 = hex::decode(format!("80E2000000012C{}", "AB".repeat(300))).unwrap();
    assert_eq!(Command::parse(&case3).unwrap(), Command::new(0x80, 0xE2, 0, 0).with_data(data.clone()));
    let case4 = [case3, vec![0x00, 0x00]].concat();
    assert_eq!(Command::parse(&case4).unwrap(), Command::new(0x80, 0xE2, 0, 0).with_data(data).with_le(65_536));
}

#[test]
fn get_data_of_an_absent_object_is_an_answer_and_no_failure() {
    let (mut card, _) = card(&["6A88", "6982"]);
    assert_eq!(emv::get_data(&mut card, 0x9F17).unwrap(), None);
    assert!(matches!(emv::get_data(&mut card, 0x9F17), Err(CardError::Refused { ins: 0xCA, .. })));
}

#[test]
fn both_formats_of_processing_options_are_read_and_others_refused() {
    let fine = ["800639000801010090 00", "770A82023900940408010100 9000"].map(|text| text.replace(' ', ""));
    for answer in fine {
        let (mut card, sent) = card(&[answer]);
        let read = emv::get_processing_options(&mut card, &[0x11, 0x22]).unwrap();
        assert_eq!((read.aip(), read.afl()), ([0x39, 0x00], [0x08, 0x01, 0x01, 0x00].as_slice()));
        assert_eq!(sent.all(), ["80A80000048302112200"]);
    }
    // No AIP; an AIP of one byte; another template; cut short; nothing at all.
    for answer in ["770694040801010 09000", "77038201399000", "6F008000 9000", "80063900089000", "80019000", "9000"] {
        let (mut card, _) = card(&[answer.replace(' ', "")]);
        let error = emv::get_processing_options(&mut card, &[]).unwrap_err();
        assert!(matches!(error, CardError::Misbehaved(Misbehaviour::Malformed(_))), "{answer}: {error}");
        assert_eq!(error.code().name(), "CARD-ANSWER");
    }
}

#[test]
fn an_fci_tells_what_a_terminal_needs() {
    let fci = "6F2D8407A0000000031010A522500456495341870101 9F38039F66049F1101019F120456495341BF0C059F4D020B05";
    let fci = fci.replace(' ', "");
    let (mut terminal, sent) = card(&[format!("{fci}9000")]);
    let fci = emv::select_next(&mut terminal, &VISA[..5]).unwrap().parse().unwrap();
    assert_eq!(sent.all(), ["00A4040205A00000000300"]);
    assert_eq!(fci.df_name, VISA);
    assert_eq!(fci.label.as_deref(), Some(b"VISA".as_slice()));
    assert_eq!((fci.priority, fci.code_table, fci.directory), (Some(1), Some(1), None));
    assert_eq!(fci.pdol.as_deref(), Some([0x9F, 0x66, 0x04].as_slice()));
    assert_eq!(fci.discretionary.len(), 1);
    // No DF name; a DF name too short; no proprietary template; a priority of two bytes; another template.
    let broken = [
        "6F02A5009000",
        "6F088404A0000000A5009000",
        "6F098407A00000000310109000",
        "6F0F8407A0000000031010A504870201019000",
        "770B8407A0000000031010A5009000",
    ];
    for answer in broken {
        let (mut terminal, _) = card(&[answer]);
        let read = emv::select(&mut terminal, &VISA).unwrap().parse();
        assert_eq!(read, Err(Misbehaviour::Malformed("SELECT")), "{answer}");
    }
}

#[test]
fn install_for_personalization_is_as_the_reference_shows() {
    let sent = session(&["009000", "6A88"], |session| {
        gp::install_for_personalization(session, &VISA).unwrap();
        let refused = gp::install_for_personalization(session, &VISA).unwrap_err();
        assert!(matches!(refused, ChannelError::Card(CardError::Refused { ins: 0xE6, .. })));
    });
    assert_eq!(sent[0], "80E620000D000007A000000003101000000000");
}

#[test]
fn the_registry_is_read_in_all_its_rounds() {
    let one = "E3124F07A00000000310109F70010FC503000000";
    let two = "E3134F08A0000001510000009F700107CC03A00001";
    let sent = session(&[&format!("{one}6310"), &format!("{two}9000")].map(|text| &*text.clone().leak()), |session| {
        let entries = gp::get_status(session, StatusScope::Applications).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].aid.as_slice(), entries[0].life_cycle), (VISA.as_slice(), 0x0F));
        assert_eq!((entries[1].life_cycle, entries[1].domain.as_deref()), (0x07, Some([0xA0, 0x00, 0x01].as_slice())));
    });
    assert_eq!(sent, ["80F24002024F0000", "80F24003024F0000"]);
}

#[test]
fn the_life_cycle_is_set_and_read_and_a_broken_registry_is_told() {
    let isd = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];
    let answers = ["9000", "E30E4F08A0000001510000009F70010F9000", "E3004F9000", "9000", "6A88", "6985"];
    let sent = session(&answers, |session| {
        gp::set_status(session, StatusScope::IssuerDomain, 0x0F, &isd).unwrap();
        assert_eq!(gp::card_life_cycle(session).unwrap(), 0x0F);
        for _ in 0..3 {
            let error = gp::card_life_cycle(session).unwrap_err();
            let malformed = matches!(error, ChannelError::Card(CardError::Misbehaved(Misbehaviour::Malformed(_))));
            assert!(malformed, "{error}");
        }
        let refused = gp::set_status(session, StatusScope::Applications, 0x80, &VISA).unwrap_err();
        assert!(matches!(refused, ChannelError::Card(CardError::Refused { ins: 0xF0, .. })));
    });
    assert_eq!(sent[0], "80F0800F08A000000151000000");
    assert_eq!(sent[1], "80F28002024F0000");
}

/// The older form: length and AID, life cycle, privileges, and a load file's modules.
#[test]
fn the_registry_of_an_older_card_is_read_in_its_own_form() {
    let answers = [
        // The issuer domain: no TLV form here.
        "6A86",
        "08A0000001510000000F9E9000",
        // Applications, in two rounds.
        "6A86",
        "07A000000003101007006310",
        "07A000000004101087009000",
        // Load files with modules.
        "6A86",
        "06A0000000031001000207A00000000310A107A00000000310A29000",
    ];
    let sent = session(&answers, |session| {
        let registry = gp::registry(session).unwrap();
        let card = registry.card.told().unwrap();
        assert_eq!((card[0].life_cycle, card[0].privileges.as_slice()), (0x0F, [0x9E].as_slice()));
        let states: Vec<u8> = registry.applications.told().unwrap().iter().map(|entry| entry.life_cycle).collect();
        assert_eq!(states, [0x07, 0x87]);
        let files = registry.load_files.told().unwrap();
        assert_eq!((files.len(), files[0].modules.len()), (1, 2));
        assert_eq!(files[0].modules[1], hex::decode("A00000000310A2").unwrap());
    });
    let parameters: Vec<&str> = sent.iter().map(|command| &command[..8]).collect();
    let expected = ["80F28002", "80F28000", "80F24002", "80F24000", "80F24001", "80F21002", "80F21000"];
    assert_eq!(parameters, expected);
}

#[test]
fn lists_that_a_card_does_not_tell_are_part_of_the_registry() {
    // Modules are refused, load files told; applications are refused in either form.
    let file = "E30F4F06A000000003109F700101CE01029000";
    let answers = ["6985", "6A88", "6A86", "6A86", file];
    session(&answers, |session| {
        let registry = gp::registry(session).unwrap();
        assert_eq!(registry.card, gp::Told::Refused(perso::card::apdu::StatusWord(0x6985)));
        assert_eq!(registry.applications, gp::Told::Told(Vec::new()));
        let files = registry.load_files.told().unwrap();
        assert_eq!((files[0].life_cycle, files[0].version.as_deref()), (0x01, Some([0x02].as_slice())));
    });
}

#[test]
fn an_older_registry_that_is_cut_short_is_malformed() {
    for broken in ["08A000000151", "02A000", "02A0000F", "05A0"] {
        let answer: &'static str = format!("{broken}9000").leak();
        session(&["6A80", answer], |session| {
            let error = gp::get_status(session, StatusScope::Applications).unwrap_err();
            let malformed = matches!(error, ChannelError::Card(CardError::Misbehaved(Misbehaviour::Malformed(_))));
            assert!(malformed, "{broken}: {error}");
        });
    }
}

#[test]
fn a_registry_without_end_is_cut_off() {
    let answers = vec!["6310"; 100];
    let sent = session(&answers, |session| {
        let error = gp::get_status(session, StatusScope::Applications).unwrap_err();
        assert!(matches!(error, ChannelError::Card(CardError::Misbehaved(Misbehaviour::Endless))));
    });
    assert_eq!(sent.len(), 64);
}
