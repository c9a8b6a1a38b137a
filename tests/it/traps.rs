//! Traps that other tools fell into, on a card whose answers are written down: published sessions, or rather those of the
//! reference that they stand in (GlobalPlatform notes 8.4, CPS notes 10), with one thing changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use crate::scripted;

use perso::base::crypto::KcvMethod;
use perso::base::{Chance, Fault, Secret};
use perso::card::apdu::Command;
use perso::card::channel::{ChallengeCheck, ChannelError, ChannelSpec, Mode, Protocol, SecurityLevel, Session, begin};
use perso::card::{CardError, Misbehaviour};
use perso::keys::{Algorithm, CardKeys, Kcv, KeyInfo, KeyStore, Purpose, SoftwareStore};
use scripted::card;

/// A published session: keys, channel, challenge, greeting.
struct Published {
    keys: [(&'static str, &'static str); 3],
    algorithm: Algorithm,
    protocol: Protocol,
    host: &'static str,
    greeting: &'static str,
}

fn scp02() -> Published {
    Published {
        keys: [
            ("98D15F0884FC3D21665067845A3ACB3D", "977EC4"),
            ("B0F46DCD2032538C7377678A382EA562", "DEE651"),
            ("F550A7EB6A9B6B2036A5C76776B07DDB", "4D03F4"),
        ],
        algorithm: Algorithm::Tdes2,
        protocol: Protocol::scp02(0x55).unwrap(),
        host: "0011223344556677",
        greeting: "412345FFFFFFA1B2C3D4010200018899AABBCCDD3D9F5B45D8C029C8",
    }
}

fn scp03() -> Published {
    Published {
        keys: [
            ("101112131415161718191A1B1C1D1E1F", "013808"),
            ("202122232425262728292A2B2C2D2E2F", "840DE5"),
            ("303132333435363738393A3B3C3D3E3F", "5EAADA"),
        ],
        algorithm: Algorithm::Aes128,
        protocol: Protocol::scp03(0x70, Mode::S8).unwrap(),
        host: "0011223344556677",
        greeting: "412345FFFFFFA1B2C3D40103702ADBC35627AAC2FFD3B30C4D1BF3632A000001",
    }
}

impl Published {
    /// What the card answers with after the login, and what was sent then.
    fn at(
        &self,
        level: u8,
        counter_without_data: bool,
        answers: &[&str],
        work: impl FnOnce(&mut Session<'_>),
    ) -> Result<Vec<String>, ChannelError> {
        let method = if self.algorithm == Algorithm::Tdes2 { KcvMethod::DesZero } else { KcvMethod::AesOnes };
        let key = |(name, (value, kcv)): (&str, (&str, &str))| {
            let info = KeyInfo {
                name: name.into(),
                zone: "test".into(),
                purpose: Purpose::Kmc,
                version: 1,
                algorithm: self.algorithm,
                kcv: Kcv { method, value: hex::decode(kcv).unwrap() },
                test: true,
                kmcid: None,
                header: None,
            };
            (info, Secret::new(hex::decode(value).unwrap()))
        };
        let store = SoftwareStore::new(["enc", "mac", "dek"].into_iter().zip(self.keys).map(key).collect());
        let open = |name| store.open(name, Purpose::Kmc).unwrap();
        let spec = ChannelSpec {
            protocol: self.protocol,
            level: SecurityLevel::new(level, self.protocol).unwrap(),
            key_version: 1,
            check_challenge: ChallengeCheck::Off,
            aid: Vec::new(),
            counter_without_data,
        };
        let greeting = format!("{}9000", self.greeting);
        let (mut card, sent) = card(&[&[greeting.as_str(), "9000"], answers].concat());
        let mut chance = Chance::fixed(hex::decode(self.host).unwrap());
        let keys = CardKeys { enc: open("enc"), mac: open("mac"), dek: open("dek") };
        let mut session = begin(&mut card, &spec, &mut chance)?.login(&store, keys)?;
        work(&mut session);
        drop(session);
        Ok(sent.all().split_off(2))
    }
}

fn store() -> Command {
    Command::new(0x80, 0xE2, 0, 0)
        .with_data(hex::decode("01011270105A0841234567890123455F2403301231").unwrap())
        .with_le(256)
}

fn get() -> Command {
    Command::new(0x80, 0xCA, 0x00, 0xCF).with_le(256)
}

fn missing(error: &ChannelError) -> bool {
    matches!(error, ChannelError::Card(CardError::Misbehaved(Misbehaviour::MissingMac)))
}

#[test]
fn trap_1_r_macs_begin_with_the_mac_of_the_login_and_count_an_empty_lc() {
    let sent = scp02()
        .at(0x11, true, &["7541BADCDA550E349000", "CF0A412345FFFFFFA1B2C3D43C995A9A285210D69000"], |session| {
            assert!(session.transmit(&store()).unwrap().data.is_empty());
            assert_eq!(hex::encode_upper(&session.transmit(&get()).unwrap().data), "CF0A412345FFFFFFA1B2C3D4");
        })
        .unwrap();
    assert_eq!(sent[1], "84CA00CF088B67DEE7CB81C5C100");
}

#[test]
fn trap_2_a_success_or_a_warning_without_its_r_mac_ends_the_session_and_an_error_does_not() {
    for (published, level) in [(scp02(), 0x11), (scp03(), 0x13), (scp03(), 0x33)] {
        for word in ["9000", "6200", "6300"] {
            let work = |session: &mut Session<'_>| {
                let error = session.transmit(&store()).unwrap_err();
                assert!(missing(&error), "{word}: {error}");
                assert_eq!(error.code().name(), "CARD-MAC");
                assert!(matches!(session.transmit(&get()), Err(ChannelError::Dead)));
            };
            assert_eq!(published.at(level, true, &[word, "9000"], work).unwrap().len(), 1, "the dead session has sent");
        }
        let work = |session: &mut Session<'_>| {
            assert_eq!(session.transmit(&store()).unwrap().sw.0, 0x6A80);
            assert_eq!(session.transmit(&get()).unwrap().sw.0, 0x6A88);
        };
        assert_eq!(published.at(level, true, &["6A80", "6A88"], work).unwrap().len(), 2);
    }
}

/// The ciphertext of the reference's first command, whose counter is 1, shows which counter was taken.
#[test]
fn trap_3_the_counter_advances_without_data_unless_the_card_is_known_not_to() {
    let first = "201A301BBD68969D476C6DDD940303F4E574DEC075E4E84C52E5104FCE901F03";
    for (counts, same) in [(true, false), (false, true)] {
        let work = |session: &mut Session<'_>| {
            assert!(session.transmit(&get()).unwrap().sw.is_ok());
            assert!(session.transmit(&store()).unwrap().sw.is_ok());
        };
        let sent = scp03().at(0x03, counts, &["9000", "9000"], work).unwrap();
        assert_eq!(sent[1].contains(first), same, "{}", sent[1]);
    }
}

#[test]
fn trap_11_the_mode_is_taken_from_the_length_whatever_bit_stands_for_it() {
    let greeting = |i: &str| {
        format!("412345FFFFFFA1B2C3D40103{i}A541BE1316ED0B4A8176B62E75FD23422FD2D8BEDAA6CA1E64D6BA69745C01BB000001")
    };
    for i in ["70", "71", "78", "79"] {
        let s16 = Published {
            protocol: Protocol::scp03(0x70, Mode::S16).unwrap(),
            host: "00112233445566778899AABBCCDDEEFF",
            greeting: Box::leak(greeting(i).into_boxed_str()),
            ..scp03()
        };
        let sent = s16.at(0x33, true, &["6A80"], |session| drop(session.transmit(&store()).unwrap())).unwrap();
        assert_eq!(sent.len(), 1, "{i}");
        let s8 = Published { greeting: s16.greeting, ..scp03() };
        assert!(matches!(s8.at(0x33, true, &[], |_| ()), Err(ChannelError::Protocol { .. })), "{i}");
    }
}

#[test]
fn trap_23_an_answer_without_data_is_the_r_mac_alone_though_answers_are_enciphered() {
    let answers = ["7451B6D798D4BFF29000", "DDFF877FE0FD9D95785F2003E3716A3186ED6135EF729EBA9000"];
    let work = |session: &mut Session<'_>| {
        assert!(session.transmit(&store()).unwrap().data.is_empty());
        assert_eq!(hex::encode_upper(&session.transmit(&get()).unwrap().data), "CF0B01412345FFFFFFA1B2C3D4");
    };
    scp03().at(0x33, true, &answers, work).unwrap();
}

#[test]
fn trap_28_no_class_slips_through_a_session_unprotected() {
    let work = |session: &mut Session<'_>| {
        for class in [0x00, 0x80, 0x90, 0xA0] {
            let _ = session.transmit(&Command::new(class, 0xB2, 1, 0x0C).with_le(256));
        }
    };
    let sent = scp02().at(0x01, true, &["9000"; 4], work).unwrap();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|command| command.len() == 2 * (5 + 8 + 1)), "{sent:?}");
    assert!(sent.iter().all(|command| u8::from_str_radix(&command[..2], 16).unwrap() & 0x04 != 0), "{sent:?}");
}

#[test]
fn trap_29_another_le_sends_the_same_bytes_and_get_response_moves_no_chain() {
    let answers =
        ["7541BADCDA550E349000", "6C14", "6114", "CF0A412345FFFFFFA1B2C3D43C995A9A285210D69000", "6C02", "6C02"];
    let sent = scp02()
        .at(0x11, true, &answers, |session| {
            session.transmit(&store()).unwrap();
            assert_eq!(session.transmit(&get()).unwrap().data.len(), 12);
            // Asked for once more, it is not given in to for ever.
            let again = session.transmit(&get()).unwrap_err();
            assert!(matches!(again, ChannelError::Card(CardError::Misbehaved(Misbehaviour::LeAgain))), "{again}");
        })
        .unwrap();
    assert_eq!(sent[1..4], ["84CA00CF088B67DEE7CB81C5C100", "84CA00CF088B67DEE7CB81C5C114", "00C0000014"]);
    assert_eq!(sent.len(), 6);
}
