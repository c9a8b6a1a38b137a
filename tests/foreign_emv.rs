//! A reader of certificates that we did not write: the crate `emv` recovers issuer key, card key and signed static data from
//! what a card answers that was made of an order; with another CA key, or one bit flipped, it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/prepared.rs"]
mod prepared;
#[path = "support/stranger.rs"]
mod stranger;
mod support;

use emv::core::oda::{CaPublicKey, recover_icc_public_key, recover_issuer_public_key, verify_sda};
use perso::base::Clock;
use perso::base::chance::Instant;
use perso::base::codec::tlv::{self, Tag, Tlv};
use perso::card::Card;
use perso::card::emv::{ApplicationContents, Seen, Terminal, Wanted, read_contents};
use perso::card::sim::{SimCard, SimTransport};
use perso::profile::Profile;
use serde_json::Value;

const TERMINAL: Terminal = Terminal { date: [0x26, 0x11, 0x24], unpredictable: [1, 2, 3, 4] };
/// The crate's way to write November 2026.
const TODAY: [u8; 2] = [0x11, 0x26];

/// What a terminal sees of an application.
struct Told {
    /// Certificate, remainder, exponent of the issuer's key; then of the card's.
    keys: [[Vec<u8>; 3]; 2],
    signed_static: Vec<u8>,
    static_data: Vec<u8>,
    pan: Vec<u8>,
    ca: CaPublicKey,
}

type Change = fn(&mut Told);

/// What the crate recovers: both moduli, and whether the signed static data holds.
fn recovered(told: &Told) -> Result<[Vec<u8>; 2], &'static str> {
    let [issuer, card] = &told.keys;
    let remainder = |of: &[Vec<u8>; 3]| (!of[1].is_empty()).then(|| of[1].clone());
    let issuer_key =
        recover_issuer_public_key(&told.ca, &issuer[0], remainder(issuer).as_deref(), &issuer[2], &told.pan, TODAY)
            .map_err(|_| "issuer")?;
    if !told.signed_static.is_empty() {
        verify_sda(&issuer_key, &told.signed_static, &told.static_data).map_err(|_| "static")?;
    }
    let card_key = recover_icc_public_key(
        &issuer_key,
        &card[0],
        remainder(card).as_deref(),
        &card[2],
        &told.static_data,
        &told.pan,
        TODAY,
    )
    .map_err(|_| "card")?;
    Ok([issuer_key.modulus, card_key.modulus])
}

fn told(product: &str) -> Told {
    let ran = prepared::bench(product, false).run(&[]);
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.fault);
    let link = SimTransport::memory(SimCard::of(ran.card));
    let mut card = Card::new(Box::new(link), Clock::fixed(Instant(1_000_000)));
    let contents = read_contents(&mut card, &TERMINAL, &Wanted::default()).unwrap();
    let [app] = contents.applications.as_slice() else { panic!("{} applications", contents.applications.len()) };
    let records: Vec<(bool, Tlv)> =
        app.records.iter().map(|record| (record.authenticated, tlv::parse_one(data(&record.data)).unwrap())).collect();
    let objects: Vec<Tlv> = records.iter().flat_map(|(_, record)| tlv::parse(&record.value_bytes()).unwrap()).collect();
    let value = |tag| tlv::find(&objects, Tag::of(tag)).map(Tlv::value_bytes).unwrap_or_default();
    let mut static_data: Vec<u8> =
        records.iter().filter(|(signed, _)| *signed).flat_map(|(_, record)| record.value_bytes()).collect();
    if value(0x9F4A) == [0x82] {
        static_data.extend(interchange_profile(app));
    }
    Told {
        keys: [[0x90, 0x92, 0x9F32], [0x9F46, 0x9F48, 0x9F47]].map(|tags| tags.map(value)),
        signed_static: value(0x93),
        static_data,
        pan: value(0x5A),
        ca: ca(&app.aid, value(0x8F)[0]),
    }
}

fn data(seen: &Seen) -> &[u8] {
    match seen {
        Seen::Data(data) => data,
        _ => panic!("the card did not answer"),
    }
}

/// The AIP, in either format of the answer to GET PROCESSING OPTIONS.
fn interchange_profile(app: &ApplicationContents) -> Vec<u8> {
    let answer = tlv::parse_one(data(&app.options)).unwrap().value_bytes();
    match data(&app.options)[0] {
        0x80 => answer[..2].to_vec(),
        _ => tlv::find(&tlv::parse(&answer).unwrap(), Tag::of(0x82)).unwrap().value_bytes(),
    }
}

/// The test CA's key of this scheme and index.
fn ca(aid: &[u8], index: u8) -> CaPublicKey {
    let file: Value = serde_json::from_str(&prepared::text("tests/samples/issuer/ca-keys.test.json")).unwrap();
    let bytes = |key: &Value, name: &str| hex::decode(key[name].as_str().unwrap()).unwrap();
    let keys = file["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| bytes(key, "rid") == aid[..5] && bytes(key, "index") == [index]).unwrap();
    let (modulus, exponent) = (bytes(key, "modulus"), bytes(key, "exponent"));
    CaPublicKey { rid: aid[..5].try_into().unwrap(), index, modulus, exponent }
}

#[test]
fn certificates_of_prepared_cards_are_recovered() {
    let mut signed = 0;
    for product in prepared::PRODUCTS {
        let told = told(product);
        let [issuer, card] = recovered(&told).unwrap_or_else(|what| panic!("{product}: {what}"));
        assert!(issuer.len() >= card.len() && card.len() >= 64, "{product}");
        signed += usize::from(!told.signed_static.is_empty());
    }
    assert!(signed > 0, "no product has signed static data");
}

#[test]
fn a_flipped_bit_is_not_recovered() {
    let changes: [(&str, Change); 6] = [
        ("issuer", |told| told.keys[0][0][20] ^= 1),
        ("issuer", |told| told.ca.modulus[20] ^= 1),
        ("issuer", |told| told.pan[0] ^= 0x10),
        ("static", |told| told.static_data[5] ^= 1),
        ("static", |told| told.signed_static[20] ^= 1),
        ("card", |told| told.keys[1][0][20] ^= 1),
    ];
    for product in prepared::PRODUCTS {
        for (number, (what, change)) in changes.into_iter().enumerate() {
            let mut told = told(product);
            // A product without signed static data has it in the card's certificate only.
            let what = match (what, told.signed_static.is_empty(), number) {
                ("static", true, 3) => "card",
                ("static", true, _) => continue,
                _ => what,
            };
            change(&mut told);
            assert_eq!(recovered(&told).err(), Some(what), "{product}, change {number}");
        }
    }
}

/// The products with their AIP, without CDA, and the version of their application.
const AIPS: [(&str, &str, &str, &str); 2] = [
    ("visa-like", "aip = \"7D00\"", "aip = \"7C00\"", "0096"),
    ("mastercard-like", "aip = \"3900\"", "aip = \"3800\"", "0002"),
];
/// TVR, first byte: DDA failed, CDA failed, SDA selected. // EMV B3 annex C5
const DDA_FAILED: u8 = 0x08;
const CDA_FAILED: u8 = 0x04;
const SDA_SELECTED: u8 = 0x02;

/// The card of a product, changed or not, pays in a terminal of the crate's, which has these CA keys and is given this PIN.
fn paid(at: usize, change: (&str, &str), keys: &[CaPublicKey], pin: [u8; 4]) -> stranger::Ended {
    let (product, .., version) = AIPS[at];
    let text = prepared::text(&format!("card-profiles/{product}-debit.toml"));
    assert!(text.contains(change.0));
    let profile = Profile::parse(&text.replacen(change.0, change.1, 1)).unwrap();
    let payment = profile.recipe().unwrap().applications().iter().find(|app| app.is_payment());
    let aid = hex::encode_upper(&payment.unwrap().aid);
    let ran = prepared::bench_of(product, profile).run(&[]);
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.fault);
    let link = Box::new(SimTransport::memory(SimCard::of(ran.card)));
    stranger::pay(link, &aid, version, keys, &pin).unwrap_or_else(|error| panic!("{product}: {error}"))
}

fn test_ca() -> Vec<CaPublicKey> {
    stranger::ca_keys(&prepared::text("tests/samples/issuer/ca-keys.test.json"))
}

#[test]
fn a_terminal_of_others_finds_nothing_wrong_with_prepared_cards() {
    for (at, (product, cda, dda, _)) in AIPS.into_iter().enumerate() {
        for aip in [cda, dda] {
            let ended = paid(at, (cda, aip), &test_ca(), [1, 2, 3, 4]);
            assert_eq!((ended.approved, ended.verification_results), (true, [0; 5]), "{product} {aip}: {ended:?}");
            // Data authentication, cardholder verification and risk management were performed; only a signature that was
            // verified gives the dynamic number.
            assert_eq!(ended.status[0] & 0xC8, 0xC8, "{product} {aip}: {ended:?}");
            assert!(ended.dynamic_number.is_some(), "{product} {aip}");
        }
    }
    let ended = paid(0, (AIPS[0].1, "aip = \"5C00\""), &test_ca(), [1, 2, 3, 4]);
    assert_eq!(
        (ended.approved, ended.verification_results, ended.dynamic_number),
        (true, [SDA_SELECTED, 0, 0, 0, 0], None)
    );
}

#[test]
fn a_terminal_of_others_finds_what_is_wrong() {
    let mut other_ca = test_ca();
    other_ca.iter_mut().for_each(|key| key.modulus[20] ^= 1);
    for (at, (product, cda, dda, _)) in AIPS.into_iter().enumerate() {
        for (aip, failed) in [(cda, CDA_FAILED), (dda, DDA_FAILED)] {
            let ended = paid(at, (cda, aip), &other_ca, [1, 2, 3, 4]);
            assert_eq!(ended.verification_results[0], failed, "{product} {aip}: {ended:?}");
            assert!(ended.dynamic_number.is_none(), "{product} {aip}");
        }
        // The card refuses the PIN: cardholder verification fails, or the next method is taken, the PIN that the issuer tests.
        let ended = paid(at, (cda, cda), &test_ca(), [1, 2, 3, 5]);
        assert_ne!(ended.verification_results[2] & 0x84, 0, "{product}: {ended:?}");
    }
}
