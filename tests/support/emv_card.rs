//! A personalized application in a simulated card, made of a few values: for what it does afterwards.
//! (How it comes to be personalized is shown by whole jobs.)
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::blank;

use perso::base::codec::tlv::{self, Tag};
use perso::base::crypto::{RsaPublic, tdes_ecb_encrypt};
use perso::card::sim::{Application, Blank, CardFile, EmvOptions, Hex, KeySet, SimCard};

pub const AID: &str = "A0000009990101";

/// The chip's key of github:mrautio/emv-card-simulator, whose private half is published there; the vectors of
/// tests/vectors/emv_oda.json hold it too.
pub const MODULUS: &str = "C0C3229FB5DA18D0718416DD70C495B1495A1838B7A1D6AFF2C078ABF24D3073C0CBF1F8FB7D7C4EEF925E00C357B09D\
    D2ED296B15898CC02A0A68BEAEB596AEDF7E5D7AF7718F48E4D4B01B53FC444EB5812D3E3BC186938D711A89296D80AA4ED349B26AFDE3C107221B\
    98E80BEB604D99F0985D4348D4A7D91ADEA0971BFD";
const PARTS: [&str; 5] = [
    "C96F5E7CEFD98AAFFFDF9191A909E6F1307C0AF6673189C087813DADA3C494853E85743EC3EF89E96BF6CB8A0E5A63A877372E669D09A6748C7F4DF6\
     107E6D9A",
    "8E82D3CCA8C84F3351FA22E380318E7BBEE4825EFE0BB0EEBB5D17D663A839EEEC8B3B82F5746E1B5B35F2CC18124EC1064FD13B5BA3A8E8D47D9291\
     A9D073EB",
    "99E5B33B9706A90E2DEDD308BA790007100C28E92B9D4EF6743AB1CEB7241578C3A696B80EAB1FA66A3ADCACD7254EEF3465CA08ED3EF81A84BC206D\
     FDB11113",
    "D5C43DB2FD2C76CCFAF73455404A55B99E56C38E7D118966190BA3C1957C56E662D0D944702EA52908D0EC32241B76218977B9D909757D5D3EBC5BDA\
     7EB8ADE1",
    "E6D88CD96289FD9544E4BC8D17B5800A98123D5DC16BF671AE580AB612B620352579E2141600AF799F584B0342B7F666CE98AF0D63DE7427C71A30A4\
     FC89999D",
];

/// A usual CDOL1, and a CDOL2 with the issuer's answer of ten bytes.
pub const CDOL1: &str = "9F02069F03069F1A0295055F2A029A039C019F3704";
pub const CDOL2: &str = "8A02910A95059F3704";

/// What is loaded into the application, by DGI.
pub struct Loaded {
    pub groupings: Vec<(String, String)>,
    pub atc: u16,
    pub contactless: bool,
    pub emv: EmvOptions,
}

impl Loaded {
    /// Keys for cryptograms, script MACs and script encipherment; issuer application data; interchange profile.
    pub fn new(keys: [&str; 3], issuer_data: &str, profile: &str) -> Self {
        let list = |tag: &str, value: &str| format!("{tag}{:02X}{value}", value.len() / 2);
        let record = [list("8C", CDOL1), list("8D", CDOL2), list("9F49", "9F3704")].concat();
        let groupings = [
            ("8000", keys.concat()),
            ("9010", "0303".into()),
            ("8010", "241234FFFFFFFFFF".into()),
            ("0101", "700957074761739001010D".into()),
            ("0201", list("70", &record)),
            ("3000", "9F360200009F4F089F02069A039F36029F13020000".into()),
            ("9200", issuer_data.into()),
            ("9104", format!("8202{profile}94080801010010010100")),
            ("9102", "A5105006544553542041BF0C059F4D020B02".into()),
        ];
        let groupings = groupings.into_iter().map(|(dgi, value)| (dgi.to_owned(), value)).collect();
        Self { groupings, atc: 0, contactless: false, emv: EmvOptions::default() }
    }

    /// One grouping more, or another value.
    pub fn with(mut self, dgi: &str, value: &str) -> Self {
        self.groupings.retain(|(known, _)| known != dgi);
        self.groupings.push((dgi.to_owned(), value.to_owned()));
        self
    }

    /// The five parts of the published key, from 8201, 8301 or 8401 on.
    pub fn with_rsa(self, high: u8) -> Self {
        PARTS.iter().zip(1..).fold(self, |it, (part, low)| it.with(&format!("{high:02X}{low:02X}"), part))
    }

    /// The counter before the first transaction.
    pub fn at(mut self, atc: u16) -> Self {
        self.atc = atc;
        self
    }

    /// In the field of a contactless reader.
    pub fn over_antenna(mut self) -> Self {
        self.contactless = true;
        self
    }

    /// The card, reset.
    pub fn card(self) -> SimCard {
        let blank = Blank {
            kdd: Hex(vec![0; 10]),
            contactless_atr: Some(Hex(vec![0x3B, 0x80, 0x80, 0x01, 0x01])),
            emv: self.emv,
            ..blank::plain(
                KeySet {
                    version: 1,
                    scp: 2,
                    i: 0x55,
                    s16: false,
                    enc: Hex(vec![0x40; 16]),
                    mac: Hex(vec![0x41; 16]),
                    dek: Hex(vec![0x42; 16]),
                    counter: 0,
                    failed: 0,
                },
                vec![Hex(hex::decode(AID).unwrap())],
            )
        };
        let mut file = CardFile::fresh(blank);
        let bytes = |(dgi, value): (String, String)| (dgi, Hex(hex::decode(value).unwrap()));
        file.state.applications = vec![Application {
            personalized: true,
            groupings: self.groupings.into_iter().map(bytes).collect(),
            atc: self.atc,
            tries: 3,
            ..Application::default()
        }];
        let mut card = SimCard::of(file);
        card.approach(self.contactless).unwrap();
        card.reset();
        card
    }
}

pub const AAC: u8 = 0x00;
pub const TC: u8 = 0x40;
pub const ARQC: u8 = 0x80;

/// Any keys: for what does not look at their values.
pub const KEYS: [&str; 3] =
    ["0275CDC8570E3BDFF231619285D3649D", "5EF7D30DFBDF40C8B55DC44391E943F4", "AD406D7F6D7570916D75E5DCAB8CF737"];
/// Version 18, with which the issuer answers by method 2.
pub const VSDC_18: &str = "06011203A00000";
/// Version 10, method 1.
pub const VSDC_10: &str = "06010A03A00000";
/// A transaction as CDOL1 asks for it; its unpredictable number.
pub const DATA: &str = "000000001000000000000000025080000080000978261124001122334455";
pub const NUMBER: [u8; 4] = [0x22, 0x33, 0x44, 0x55];

/// An answer's data and status word.
pub fn send(card: &mut SimCard, command: &str) -> (Vec<u8>, u16) {
    let mut data = card.process(&hex::decode(command).unwrap());
    let sw = data.split_off(data.len() - 2);
    (data, u16::from_be_bytes([sw[0], sw[1]]))
}

pub fn sw(card: &mut SimCard, command: &str) -> String {
    format!("{:04X}", send(card, command).1)
}

/// Header, data and Le.
pub fn command(header: &str, data: &str) -> String {
    format!("{header}{:02X}{data}00", data.len() / 2)
}

pub fn select(card: &mut SimCard) -> u16 {
    send(card, &command("00A40400", AID)).1
}

/// SELECT and GET PROCESSING OPTIONS.
pub fn start(card: &mut SimCard) {
    assert!(matches!(select(card), 0x9000 | 0x6283));
    assert_eq!(sw(card, "80A8000002830000"), "9000");
}

pub fn generate(card: &mut SimCard, p1: u8, data: &str) -> (Vec<u8>, u16) {
    send(card, &command(&format!("80AE{p1:02X}00"), data))
}

/// An object of an answer.
pub fn object(answer: &[u8], tag: u32) -> Option<Vec<u8>> {
    tlv::find(&tlv::parse(answer).unwrap(), Tag::of(tag)).map(|one| one.value_bytes())
}

/// Cryptogram information data and cryptogram.
pub fn cryptogram(answer: (Vec<u8>, u16)) -> (u8, String) {
    assert_eq!(format!("{:04X}", answer.1), "9000");
    (object(&answer.0, 0x9F27).unwrap()[0], hex::encode_upper(object(&answer.0, 0x9F26).unwrap()))
}

/// Derivation by option A. // EMV B2 §A1.4.1; the vectors give master keys of the issuer for scripts.
pub fn option_a(issuer: &str, pan: &str, psn: &str) -> String {
    let digits = format!("{pan}{psn}");
    let block = hex::decode(&digits[digits.len() - 16..]).unwrap();
    let other: Vec<u8> = block.iter().map(|byte| !byte).collect();
    let key = hex::decode(issuer).unwrap();
    hex::encode_upper([tdes_ecb_encrypt(&key, &block).unwrap(), tdes_ecb_encrypt(&key, &other).unwrap()].concat())
}

/// Ends what was begun and asks for an online cryptogram once more.
pub fn generate_again(card: &mut SimCard, data: &str) -> (Vec<u8>, u16) {
    start(card);
    generate(card, ARQC, data)
}

/// Data that CDOL2 of [`Loaded`] asks for, without an issuer's answer.
pub fn second(code: &str) -> String {
    format!("{code}{}000000000022334455", "00".repeat(10))
}

/// As CDOL1 asks for it.
pub const DATA_29: &str = "0000000010000000000000000250800000800009782611240022334455";

pub fn chip_key() -> RsaPublic {
    RsaPublic::new(&hex::decode(MODULUS).unwrap(), &[3]).unwrap()
}
