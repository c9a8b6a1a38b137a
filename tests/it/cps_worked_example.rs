//! The worked example of the CPS reference, command for command: what the host sends at levels 01, 03 and 11 to a card
//! whose answers are written down. The values come from outside this program.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use crate::scripted;

use perso::base::crypto::KcvMethod;
use perso::base::{Chance, Secret};
use perso::card::apdu::Command;
use perso::card::channel::{ChallengeCheck, ChannelError, ChannelSpec, Protocol, SecurityLevel, Session, begin};
use perso::card::cps::{self, Packing, Personalization, Piece};
use perso::keys::{
    Algorithm, CardPadding, Diversification, Kcv, KeyInfo, KeyStore, Purpose, Sealed, SoftwareStore, card_keys,
};

const KDD: [u8; 10] = [0x41, 0x23, 0x45, 0xFF, 0xFF, 0xFF, 0xA1, 0xB2, 0xC3, 0xD4];
const INITIALIZE_UPDATE: &str = "8050010008001122334455667700";
const GREETING: &str = "412345FFFFFFA1B2C3D4010200018899AABBCCDD3D9F5B45D8C029C89000";

/// Number, value, enciphered: the groupings of the example in their order.
const GROUPINGS: [(u16, &str, bool); 5] = [
    (0x0101, "70105A0841234567890123455F2403301231", false),
    (0x8010, "241234FFFFFFFFFF", true),
    (0x9010, "0303", false),
    (0x8000, "0275CDC8570E3BDFF231619285D3649D0275CDC8570E3BDFF231619285D3649D0275CDC8570E3BDFF231619285D3649D", true),
    (0x9000, "13A7FD13A7FD13A7FD", false),
];

const LEVEL_01: [&str; 6] = [
    "8482010010BB006D2EA1DA1BF11332A1644681ACA6",
    "84E200001D01011270105A0841234567890123455F2403301231CAC68CCD329A072E",
    "84E2600113801008E73E47CAE8B77E5BDA8B8C94B386C6BE",
    "84E200020D9010020303E012B4AE99193824",
    concat!(
        "84E260033B800030",
        "2F05DF3882B6F8E3F6325E38F806B194",
        "2F05DF3882B6F8E3F6325E38F806B194",
        "2F05DF3882B6F8E3F6325E38F806B194",
        "98EFCA2185BFC99A"
    ),
    "84E280041490000913A7FD13A7FD13A7FD499776C7E3404533",
];

const LEVEL_03: [&str; 6] = [
    "8482030010BB006D2EA1DA1BF1C5E80C0FC7797E9C",
    "84E20000207E9034E9B75AFA28B58154D52C7D6C54CB8B2FC65BD3ABC276FB9979ECAA62BF",
    "84E260011844C2FE62D826EE5B330D4FAEC99960D6F94D2B174832CAB4",
    "84E2000210278E0BA04C837EBC67E0C9CF6BBD6D3A",
    concat!(
        "84E2600340EF5F7D7B2863BEE15C1E41D8FB6D65A5065DB3717C3467E4602EB0C895C6D3112ED024B38E715B28BD0A9BEC4D",
        "1AA47EEAEB378AB79BBD745B3509B640CD9C01"
    ),
    "84E2800418AB5101C15A72D779F22232227FD74AF2501067EC64773445",
];

fn key(name: &str, purpose: Purpose, value: &str, kcv: &str) -> (KeyInfo, Secret<Vec<u8>>) {
    let info = KeyInfo {
        name: name.into(),
        zone: "test".into(),
        purpose,
        version: 1,
        algorithm: Algorithm::Tdes2,
        kcv: Kcv { method: KcvMethod::DesZero, value: hex::decode(kcv).unwrap() },
        test: true,
        kmcid: None,
        header: None,
    };
    (info, Secret::new(hex::decode(value).unwrap()))
}

fn store() -> SoftwareStore {
    let value = "404142434445464748494A4B4C4D4E4F";
    SoftwareStore::new(vec![
        key("kmc", Purpose::Kmc, value, "8BAF47"),
        // Any transport key does: what it seals is opened again before the card sees it.
        key("tk", Purpose::Transport, value, "8BAF47"),
    ])
}

fn spec(level: u8) -> ChannelSpec {
    let protocol = Protocol::scp02(0x55).unwrap();
    ChannelSpec {
        protocol,
        level: SecurityLevel::new(level, protocol).unwrap(),
        key_version: 1,
        // The example's challenge was chosen, not computed.
        check_challenge: ChallengeCheck::Off,
        aid: Vec::new(),
        counter_without_data: true,
    }
}

/// Opens the example's session on a card with these answers, runs `work`, and returns all that was sent.
fn run(level: u8, answers: &[&'static str], work: impl FnOnce(&mut Session<'_>, &SoftwareStore)) -> Vec<String> {
    let store = store();
    let (mut card, sent) = scripted::card(&[&[GREETING, "9000"], answers].concat());
    let mut chance = Chance::fixed(hex::decode("0011223344556677").unwrap());
    let greeting = begin(&mut card, &spec(level), &mut chance).unwrap();
    assert_eq!(greeting.kdd(), &KDD);
    let master = store.open("kmc", Purpose::Kmc).unwrap();
    let keys = card_keys(&store, &master, &Diversification::EmvCps { offset: 4 }, greeting.kdd()).unwrap();
    let mut session = greeting.login(&store, keys).unwrap();
    work(&mut session, &store);
    drop(session);
    sent.all()
}

/// Packs one grouping for each command, seals what is secret under the session's DEK, and stores all.
fn personalize(session: &mut Session<'_>, store: &SoftwareStore) {
    let tk = store.open("tk", Purpose::Transport).unwrap();
    let form = session.card_form(CardPadding::None);
    let mut pieces = Vec::new();
    let mut encodings = Vec::new();
    for (dgi, value, sealed) in GROUPINGS {
        let clear = hex::decode(value).unwrap();
        let length = clear.len();
        let value = if sealed {
            let iv = [0x5A; 8];
            let ciphertext = store.seal(&tk, &iv, &Secret::new(clear)).unwrap();
            let sealed = Sealed { iv: Some(&iv), ciphertext: &ciphertext, length };
            store.reseal(&tk, &sealed, session.dek(), form).unwrap()
        } else {
            clear
        };
        pieces.push(Piece { dgi, len: value.len(), sealed, together: None, alone: false });
        encodings.push(cps::encode(dgi, &value).unwrap());
    }
    let packing = Packing { packed: false, spanning: false, max_data: session.spec().max_data(255), dgi_format: false };
    let blocks = cps::pack(&pieces, &packing).unwrap();
    let (last, before) = blocks.split_last().unwrap();
    let data = |block| cps::materialize(block, |piece| encodings.get(piece).map(Vec::as_slice)).unwrap();
    let mut personalization = Personalization::new(session, false);
    for block in before {
        assert!(personalization.store(block, &data(block)).unwrap().is_ok());
    }
    assert!(personalization.finish(last, &data(last)).unwrap().is_ok());
}

#[test]
fn level_01_command_for_command() {
    let sent = run(0x01, &["9000"; 5], personalize);
    assert_eq!(sent[0], INITIALIZE_UPDATE);
    assert_eq!(sent[1..], LEVEL_01);
}

#[test]
fn level_03_command_for_command() {
    let sent = run(0x03, &["9000"; 5], personalize);
    assert_eq!(sent[0], INITIALIZE_UPDATE);
    assert_eq!(sent[1..], LEVEL_03);
}

/// The listing leaves Le out; a command whose answer has data, be it an R-MAC alone, takes one on the wire.
#[test]
fn level_11_command_for_command_with_the_card_s_macs() {
    let answers = ["7541BADCDA550E349000", "CF0A412345FFFFFFA1B2C3D43C995A9A285210D69000"];
    let sent = run(0x11, &answers, |session, _| {
        let record = hex::decode("01011270105A0841234567890123455F2403301231").unwrap();
        let store = Command::new(0x80, 0xE2, 0x00, 0x00).with_data(record).with_le(256);
        assert!(session.transmit(&store).unwrap().data.is_empty());
        let answer = session.transmit(&Command::new(0x80, 0xCA, 0x00, 0xCF).with_le(256)).unwrap();
        assert_eq!(hex::encode_upper(&answer.data), "CF0A412345FFFFFFA1B2C3D4");
        assert!(answer.sw.is_ok());
    });
    assert_eq!(
        sent[1..],
        [
            "8482110010BB006D2EA1DA1BF10C731F21E9E2756D",
            "84E200001D01011270105A0841234567890123455F24033012317175A2A1457103FA00",
            "84CA00CF088B67DEE7CB81C5C100",
        ]
    );
}

#[test]
fn level_11_with_one_flipped_bit_in_the_card_s_mac_ends_the_session() {
    let sent = run(0x11, &["7541BADCDA550E359000", "9000"], |session, _| {
        let record = hex::decode("01011270105A0841234567890123455F2403301231").unwrap();
        let store = Command::new(0x80, 0xE2, 0x00, 0x00).with_data(record).with_le(256);
        assert!(matches!(session.transmit(&store), Err(ChannelError::Card(_))));
        assert!(matches!(session.transmit(&store), Err(ChannelError::Dead)));
    });
    assert_eq!(sent.len(), 3);
}

#[test]
fn a_wrong_master_key_sends_initialize_update_and_nothing_else() {
    let store = SoftwareStore::new(vec![key("kmc", Purpose::Kmc, "0123456789ABCDEFFEDCBA9876543210", "08D7B4")]);
    let (mut card, sent) = scripted::card(&[GREETING, "9000"]);
    let mut chance = Chance::fixed(hex::decode("0011223344556677").unwrap());
    let greeting = begin(&mut card, &spec(0x01), &mut chance).unwrap();
    let master = store.open("kmc", Purpose::Kmc).unwrap();
    let keys = card_keys(&store, &master, &Diversification::EmvCps { offset: 4 }, greeting.kdd()).unwrap();
    assert!(matches!(greeting.login(&store, keys), Err(ChannelError::Cryptogram(_))));
    assert_eq!(sent.all(), [INITIALIZE_UPDATE]);
}
