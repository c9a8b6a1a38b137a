//! Every channel, every level, every awkward size, short and extended: what the host sends is what the card stores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::blank;

use std::sync::{Arc, Mutex};

use perso::base::chance::Instant;
use perso::base::crypto::KcvMethod;
use perso::base::{Chance, Clock, Secret};
use perso::card::Card;
use perso::card::channel::{self, ChallengeCheck, ChannelError, ChannelSpec, Mode, Protocol, SecurityLevel, Session};
use perso::card::cps::{self, Packing, Personalization, Piece};
use perso::card::gp;
use perso::card::sim::{Blank, FaultRule, Hex, KeySet, SimCard, SimTransport};
use perso::keys::{self, Algorithm, CardPadding, Kcv, KeyInfo, KeyStore, Purpose, Sealed, SoftwareStore};

const AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x09, 0x99, 0x01, 0x01];

fn key(name: &str, purpose: Purpose, algorithm: Algorithm, value: Vec<u8>) -> (KeyInfo, Secret<Vec<u8>>) {
    let method = if algorithm == Algorithm::Tdes2 { KcvMethod::DesZero } else { KcvMethod::AesZero };
    let kcv = perso::base::crypto::kcv(&value, method, algorithm == Algorithm::Tdes2, 3).unwrap();
    let info = KeyInfo {
        name: name.into(),
        zone: "lab".into(),
        purpose,
        version: 1,
        algorithm,
        kcv: Kcv { method, value: kcv },
        test: true,
        kmcid: None,
        header: None,
    };
    (info, Secret::new(value))
}

/// One card, and everything that is needed to talk to it.
struct Case {
    protocol: Protocol,
    i: u8,
    algorithm: Algorithm,
    level: u8,
    extended: bool,
}

struct Talk {
    card: Card,
    inside: Arc<Mutex<SimCard>>,
    store: SoftwareStore,
    spec: ChannelSpec,
}

impl Case {
    fn scp02(i: u8, level: u8, extended: bool) -> Self {
        Self { protocol: Protocol::scp02(i).unwrap(), i, algorithm: Algorithm::Tdes2, level, extended }
    }

    fn scp03(i: u8, mode: Mode, algorithm: Algorithm, level: u8, extended: bool) -> Self {
        let answered = if mode == Mode::S16 { i | 0x01 } else { i };
        Self { protocol: Protocol::scp03(i, mode).unwrap(), i: answered, algorithm, level, extended }
    }

    fn name(&self) -> String {
        format!(
            "{} {} level {:02X}{}",
            self.protocol,
            self.algorithm,
            self.level,
            if self.extended { " extended" } else { "" }
        )
    }

    /// `right`: the host has the card's keys.
    fn talk(&self, right: bool, faults: &[&str]) -> Talk {
        let master: Vec<u8> = (0x40u8..).take(self.algorithm.key_length()).collect();
        let scp = if matches!(self.protocol, Protocol::Scp02 { .. }) { 2 } else { 3 };
        let blank = Blank {
            extended: self.extended,
            ..blank::plain(
                KeySet {
                    version: 1,
                    scp,
                    i: self.i,
                    s16: matches!(self.protocol, Protocol::Scp03 { mode: Mode::S16, .. }),
                    enc: Hex(master.clone()),
                    mac: Hex(master.clone()),
                    dek: Hex(master.clone()),
                    counter: 7,
                    failed: 0,
                },
                vec![Hex(AID.to_vec())],
            )
        };
        let mut host_key = master;
        if !right {
            host_key[0] ^= 0x02;
        }
        let store = SoftwareStore::new(vec![
            key("kmc", Purpose::Kmc, self.algorithm, host_key),
            key("tk", Purpose::Transport, Algorithm::Aes128, vec![0x11; 16]),
        ]);
        let rules = faults.iter().map(|rule| FaultRule::parse(rule).unwrap()).collect();
        let transport = SimTransport::memory(SimCard::new(blank)).with_faults(rules);
        let inside = transport.card();
        let mut card = Card::new(Box::new(transport), Clock::fixed(Instant(0)));
        card.reset().unwrap();
        let spec = ChannelSpec {
            protocol: self.protocol,
            level: SecurityLevel::new(self.level, self.protocol).unwrap(),
            key_version: 1,
            check_challenge: ChallengeCheck::Refuse,
            aid: AID.to_vec(),
            counter_without_data: true,
        };
        Talk { card, inside, store, spec }
    }
}

fn login<'c>(talk: &'c mut Talk) -> Result<Session<'c>, ChannelError> {
    gp::select(&mut talk.card, &AID).unwrap();
    let greeting = channel::begin(
        &mut talk.card,
        &talk.spec,
        &mut Chance::new(|buffer| {
            buffer.fill(0x5A);
            Ok(())
        }),
    )?;
    let master = talk.store.open("kmc", Purpose::Kmc).unwrap();
    let set = keys::card_keys(&talk.store, &master, &keys::Diversification::None, greeting.kdd()).unwrap();
    greeting.login(&talk.store, set)
}

/// Stores a clear grouping of each size, then a sealed one of the same sizes, and compares the card's state.
fn store_and_compare(case: &Case, sizes: &[usize], packed: bool) {
    let mut talk = case.talk(true, &[]);
    let name = case.name();
    let value = |size: usize| (0..size).map(|at| (at * 7 + size) as u8).collect::<Vec<u8>>();
    let groupings: Vec<(u16, Vec<u8>, bool)> = sizes
        .iter()
        .enumerate()
        .flat_map(|(at, &size)| [(0xA100 + at as u16, value(size), false), (0xA200 + at as u16, value(size), true)])
        .collect();
    let spec = talk.spec.clone();
    let block = spec.protocol.block();
    let pieces: Vec<Piece> = groupings
        .iter()
        .map(|(dgi, value, sealed)| {
            let len = if *sealed { CardPadding::Always.padded(value.len(), block).unwrap() } else { value.len() };
            Piece { dgi: *dgi, len, sealed: *sealed, together: None, alone: false }
        })
        .collect();
    let max_data = spec.max_data(if case.extended { 4_000 } else { 255 });
    let packing = Packing { packed, spanning: true, max_data, dgi_format: false };
    let blocks = cps::pack(&pieces, &packing).unwrap();

    let transport = SoftwareStore::new(vec![key("tk", Purpose::Transport, Algorithm::Aes128, vec![0x11; 16])]);
    let tk = transport.open("tk", Purpose::Transport).unwrap();
    let mut session = login(&mut talk).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(session.challenge_note(), None, "{name}");
    let encodings: Vec<Vec<u8>> = groupings
        .iter()
        .map(|(dgi, value, sealed)| {
            let on_card = if *sealed {
                let ciphertext = transport.seal(&tk, &[9; 16], &Secret::new(value.clone())).unwrap();
                let sealed = Sealed { iv: Some(&[9; 16]), ciphertext: &ciphertext, length: value.len() };
                transport.reseal(&tk, &sealed, session.dek(), session.card_form(CardPadding::Always)).unwrap()
            } else {
                value.clone()
            };
            cps::encode(*dgi, &on_card).unwrap()
        })
        .collect();
    let mut personalization = Personalization::new(&mut session, false);
    let (last, rest) = blocks.split_last().unwrap();
    for block in rest {
        let data = cps::materialize(block, |at| encodings.get(at).map(Vec::as_slice)).unwrap();
        let sw = personalization.store(block, &data).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(sw.is_ok(), "{name}: block {:02X}: {sw}", block.p2);
    }
    let data = cps::materialize(last, |at| encodings.get(at).map(Vec::as_slice)).unwrap();
    // The card is incomplete, and says so at the last block; what it has stored it keeps.
    assert_eq!(personalization.finish(last, &data).unwrap().0, 0x6A86, "{name}");

    let inside = talk.inside.lock().unwrap();
    let app = &inside.file().state.applications[0];
    for (dgi, value, sealed) in &groupings {
        let stored = &app.groupings[&format!("{dgi:04X}")].0;
        let expected = if *sealed { perso::base::crypto::pad_80(value, block) } else { value.clone() };
        assert!(*stored == expected, "{name}: DGI {dgi:04X} of {} bytes is not as it was sent", value.len());
    }
}

fn sizes() -> Vec<usize> {
    let mut sizes = vec![1, 126, 127, 128, 129];
    sizes.extend(236..=256);
    sizes.extend([600, 5_000]);
    sizes
}

const LEVELS_02: [u8; 5] = [0x00, 0x01, 0x03, 0x11, 0x13];
const LEVELS_03: [u8; 6] = [0x00, 0x01, 0x03, 0x11, 0x13, 0x33];

#[test]
fn every_size_at_every_level_of_both_channels() {
    for packed in [false, true] {
        for extended in [false, true] {
            for level in LEVELS_02 {
                store_and_compare(&Case::scp02(0x55, level, extended), &sizes(), packed);
            }
            for level in LEVELS_03 {
                for mode in [Mode::S8, Mode::S16] {
                    let case = Case::scp03(0x70, mode, Algorithm::Aes128, level, extended);
                    store_and_compare(&case, &sizes(), packed);
                }
            }
        }
    }
}

#[test]
fn every_option_of_scp02() {
    for i in [0x04, 0x05, 0x14, 0x15, 0x24, 0x25, 0x34, 0x35, 0x44, 0x45, 0x54, 0x55, 0x64, 0x65, 0x74, 0x75] {
        for level in LEVELS_02 {
            store_and_compare(&Case::scp02(i, level, false), &[1, 127, 300], true);
        }
    }
}

#[test]
fn every_option_of_scp03() {
    for algorithm in [Algorithm::Aes128, Algorithm::Aes192, Algorithm::Aes256] {
        for mode in [Mode::S8, Mode::S16] {
            for i in [0x00, 0x10, 0x20, 0x30, 0x60, 0x70] {
                let protocol = Protocol::scp03(i, mode).unwrap();
                for level in LEVELS_03.into_iter().filter(|level| SecurityLevel::new(*level, protocol).is_ok()) {
                    store_and_compare(&Case::scp03(i, mode, algorithm, level, false), &[1, 127, 300], true);
                }
            }
        }
    }
}

#[test]
fn a_wrong_key_sends_no_external_authenticate() {
    for case in [Case::scp02(0x55, 0x03, false), Case::scp03(0x70, Mode::S16, Algorithm::Aes256, 0x33, false)] {
        let mut talk = case.talk(false, &[]);
        assert!(matches!(login(&mut talk), Err(ChannelError::Cryptogram(_))), "{}", case.name());
        let inside = talk.inside.lock().unwrap();
        assert_eq!(inside.file().blank.key_sets[0].failed, 0);
        assert!(inside.file().state.diary.iter().all(|entry| entry.ins != 0x82));
    }
}

#[test]
fn one_flipped_bit_ends_the_session() {
    for case in [
        Case::scp02(0x55, 0x13, false),
        Case::scp03(0x70, Mode::S8, Algorithm::Aes128, 0x13, false),
        Case::scp03(0x70, Mode::S16, Algorithm::Aes256, 0x33, false),
    ] {
        // SELECT, INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, then GET DATA.
        for bit in ["0.0", "5.3"] {
            let rule = format!("flip {bit} of answer 4");
            let mut talk = case.talk(true, &[&rule]);
            let mut session = login(&mut talk).unwrap();
            let command = perso::card::apdu::Command::new(0x80, 0xCA, 0x9F, 0x7F).with_le(256);
            assert!(session.transmit(&command).is_err(), "{}: {rule}", case.name());
            assert!(matches!(session.transmit(&command), Err(ChannelError::Dead)), "{}", case.name());
        }
        // And the other way round: the card drops the channel.
        let mut talk = case.talk(true, &["flip 9.0 of command 4"]);
        let mut session = login(&mut talk).unwrap();
        let command = perso::card::apdu::Command::new(0x80, 0xCA, 0x9F, 0x7F).with_le(256);
        assert_eq!(session.transmit(&command).unwrap().sw.0, 0x6982, "{}", case.name());
        assert_eq!(session.transmit(&command).unwrap().sw.0, 0x6982, "{}", case.name());
    }
}

#[test]
fn a_card_that_answers_in_another_protocol_is_refused() {
    let spoken = Case::scp03(0x70, Mode::S8, Algorithm::Aes128, 0x33, false);
    let mut talk = spoken.talk(true, &[]);
    for protocol in [
        Protocol::scp02(0x55).unwrap(),
        Protocol::scp03(0x60, Mode::S8).unwrap(),
        Protocol::scp03(0x30, Mode::S8).unwrap(),
    ] {
        talk.spec.protocol = protocol;
        talk.spec.level = SecurityLevel::new(0x01, protocol).unwrap();
        assert!(matches!(login(&mut talk), Err(ChannelError::Protocol { .. })), "{protocol}");
    }
}
