//! A reader of certificates that we did not write: the crate `emv` recovers issuer key, card key and signed static data from
//! what a card answers that was made of an order; with another CA key, or one bit flipped, it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;
use crate::stranger;
use crate::support;

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

/// The crate's functions for offline data authentication in a transaction of our own: its flow reads the unpredictable
/// number of CDA from a store of its own, and it knows no contactless kernel.
mod own_flow {
    use std::collections::BTreeMap;

    use emv::core::oda::{CaPublicKey, IccPublicKey, verify_cda, verify_dda};
    use perso::base::emv::{Afl, Dol};
    use perso::card::sim::CardFile;

    use super::*;

    /// What the terminal answers to data object lists: an online purchase that may be approved offline.
    const VALUES: &[(u32, &str)] = &[
        (0x9F66, "20000000"),
        (0x9F02, "000000000100"),
        (0x9F03, "000000000000"),
        (0x9F1A, "0250"),
        (0x95, "0000000000"),
        (0x5F2A, "0978"),
        (0x9A, "261124"),
        (0x9C, "00"),
        (0x9F37, "11223344"),
        (0x9F35, "22"),
        (0x9F33, "E0B8C8"),
        (0x9F34, "1F0302"),
    ];
    const NUMBER: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
    const APPROVED: u8 = 0x40;

    /// The ways in which the crate has found a card to be genuine.
    #[derive(Debug, Default, PartialEq, Eq)]
    pub struct Proven {
        pub sda: bool,
        pub dda: bool,
        pub cda: bool,
        pub fdda: bool,
        pub approved: bool,
    }

    fn given(list: &[u8]) -> Vec<u8> {
        let value =
            |tag: Tag| VALUES.iter().find(|(held, _)| *held == tag.number()).map(|(_, it)| hex::decode(it).unwrap());
        Dol::parse(list).unwrap().build(value)
    }

    struct Terminal(SimCard);

    impl Terminal {
        fn send(&mut self, header: [u8; 4], data: &[u8]) -> Vec<u8> {
            let length = if data.is_empty() { Vec::new() } else { vec![u8::try_from(data.len()).unwrap()] };
            let command = [&header[..], &length, data, &[0]].concat();
            let answer = self.0.process(&command);
            assert!(answer.ends_with(&[0x90, 0x00]), "{}: {}", hex::encode_upper(&command), hex::encode_upper(&answer));
            answer[..answer.len() - 2].to_vec()
        }
    }

    fn objects(answer: &[u8]) -> Vec<Tlv> {
        tlv::parse_one(answer).unwrap().children().to_vec()
    }

    fn find(objects: &[Tlv], tag: u32) -> Option<Vec<u8>> {
        tlv::find(objects, Tag::of(tag)).map(Tlv::value_bytes)
    }

    /// Pays with an application over an interface. `wrong` flips a bit of each signature before the crate sees it.
    pub fn paid(
        card: &CardFile,
        aid: &[u8],
        contactless: bool,
        ca: &CaPublicKey,
        wrong: bool,
    ) -> Result<Proven, String> {
        let mut sim = SimCard::of(card.clone());
        if contactless {
            sim.approach(true).unwrap();
        }
        sim.reset();
        let mut terminal = Terminal(sim);
        let fci = terminal.send([0x00, 0xA4, 0x04, 0x00], aid);
        let list = find(&objects(&fci), 0x9F38).unwrap_or_default();
        let sent = given(&list);
        let options = terminal.send([0x80, 0xA8, 0, 0], &tlv::encode(Tag::of(0x83), &sent));
        let mut seen = objects(&options);
        let (aip, afl) = (find(&seen, 0x82).unwrap(), find(&seen, 0x94).unwrap_or_default());
        let afl = Afl::parse(&afl).unwrap();
        let (mut records, mut static_data) = (BTreeMap::new(), Vec::new());
        for (sfi, number) in afl.records() {
            let record = terminal.send([0x00, 0xB2, number, sfi << 3 | 4], &[]);
            seen.extend(objects(&record));
            records.insert((sfi, number), tlv::parse_one(&record).unwrap().value_bytes());
        }
        afl.oda_records().for_each(|at| static_data.extend_from_slice(&records[&at]));
        if find(&seen, 0x9F4A).as_deref() == Some(&[0x82]) {
            static_data.extend_from_slice(&aip);
        }
        let value = |tag| find(&seen, tag);
        let pan = value(0x5A).ok_or("no PAN")?;
        let rest = |tag| value(tag).filter(|it| !it.is_empty());
        let wanted = |tag: u32| value(tag).ok_or_else(|| format!("no {tag:X}"));
        let issuer =
            recover_issuer_public_key(ca, &wanted(0x90)?, rest(0x92).as_deref(), &wanted(0x9F32)?, &pan, TODAY)
                .map_err(|error| format!("issuer: {error:?}"))?;
        let mut proven = Proven::default();
        let flip = |mut signature: Vec<u8>| {
            if wrong {
                signature[20] ^= 1;
            }
            signature
        };
        if let Some(signed) = value(0x93) {
            proven.sda = verify_sda(&issuer, &flip(signed), &static_data).is_ok();
        }
        let icc = recover_icc_public_key(
            &issuer,
            &wanted(0x9F46)?,
            rest(0x9F48).as_deref(),
            &wanted(0x9F47)?,
            &static_data,
            &pan,
            TODAY,
        )
        .map_err(|error| format!("card: {error:?}"))?;
        // A card that answers at once: its signature is in that answer or in a record. // EMV C-3 annex C.1
        if value(0x9F26).is_some() {
            let covered = [&NUMBER[..], &given(&[0x9F, 0x02, 6]), &given(&[0x5F, 0x2A, 2]), &wanted(0x9F69)?].concat();
            proven.fdda = verify_dda(&icc, &flip(wanted(0x9F4B)?), &covered).is_ok();
            proven.approved = value(0x9F27) == Some(vec![APPROVED]);
            return Ok(proven);
        }
        if aip[0] & 0x20 != 0 {
            let list = value(0x9F49).unwrap_or_else(|| vec![0x9F, 0x37, 4]);
            let covered = given(&list);
            let answer = terminal.send([0x00, 0x88, 0, 0], &covered);
            let signature = find(&objects(&answer), 0x9F4B).ok_or("no signature")?;
            proven.dda = verify_dda(&icc, &flip(signature), &covered).is_ok();
        }
        let covered = given(&wanted(0x8C)?);
        let answer = terminal.send([0x80, 0xAE, 0x50, 0], &covered);
        combined(&mut proven, &icc, &answer, &[sent, covered].concat(), flip)?;
        Ok(proven)
    }

    /// The transaction certificate inside its signature. // EMV B2 §6.6
    fn combined(
        proven: &mut Proven,
        icc: &IccPublicKey,
        answer: &[u8],
        sent: &[u8],
        flip: impl Fn(Vec<u8>) -> Vec<u8>,
    ) -> Result<(), String> {
        let parts = objects(answer);
        let information = find(&parts, 0x9F27).ok_or("no information")?[0];
        let others = parts.iter().filter(|it| it.tag != Tag::of(0x9F4B)).flat_map(Tlv::encode);
        let data: Vec<u8> = sent.iter().copied().chain(others).collect();
        let signature = find(&parts, 0x9F4B).ok_or("no combined signature")?;
        proven.cda = verify_cda(icc, &flip(signature), NUMBER, &data, information).is_ok();
        proven.approved = information == APPROVED;
        Ok(())
    }
}

/// The products with certificates, the sample order and issuer of each, its payment applications, and whether it has a
/// contactless interface.
const SIGNING: [(&str, &str, &[&str], bool); 4] = [
    ("visa-like-debit", "visa-like", &["A0000009990301"], true),
    ("visa-like-contact", "visa-like", &["A0000009990301"], false),
    ("visa-like-combo", "visa-like", &["A0000009990501", "A0000009990502"], true),
    ("mastercard-like-debit", "mastercard-like", &["A0000009990401"], true),
];

#[test]
fn every_product_pays_with_every_way_of_offline_data_authentication_it_has() {
    let mut ways = own_flow::Proven::default();
    for (product, sample, aids, antenna) in SIGNING {
        let profile = support::profile(product);
        let mut order = prepared::order_for(sample);
        order["product"]["profile"] = product.into();
        let made = prepared::prepared_with(&order, &profile, Some(&prepared::issuer_for(sample)), None);
        let record = made.unwrap_or_else(|error| panic!("{product}: {error}")).record;
        let plan = perso::issuance::check::plan(&record, &profile, &*prepared::KEYS).unwrap();
        let bench = support::Bench { record, profile, plan, store: support::keys(), contactless: false, ca_keys: None };
        let ran = bench.run(&[]);
        assert_eq!(ran.result.state, "good", "{product}: {:?}", ran.result.fault);
        for aid in aids.iter().map(|aid| hex::decode(aid).unwrap()) {
            for contactless in [false, true].into_iter().filter(|it| !*it || antenna) {
                let ca = ca(&aid, 0xF1);
                let pay = |wrong| own_flow::paid(&ran.card, &aid, contactless, &ca, wrong);
                let way = format!("{product} {} contactless {contactless}", hex::encode_upper(&aid));
                let good = pay(false).unwrap_or_else(|error| panic!("{way}: {error}"));
                let visa = sample == "visa-like";
                let expected = match (visa, contactless) {
                    (true, false) => own_flow::Proven { sda: true, dda: true, cda: true, fdda: false, approved: true },
                    (true, true) => own_flow::Proven { fdda: true, approved: true, ..own_flow::Proven::default() },
                    (false, false) => {
                        own_flow::Proven { dda: true, cda: true, approved: true, ..own_flow::Proven::default() }
                    }
                    (false, true) => own_flow::Proven { cda: true, approved: true, ..own_flow::Proven::default() },
                };
                assert_eq!(good, expected, "{way}");
                // With one bit of its signatures flipped the crate finds nothing proven.
                let wrong = pay(true).unwrap_or_else(|error| panic!("{way}: {error}"));
                assert_eq!(wrong, own_flow::Proven { approved: true, ..own_flow::Proven::default() }, "{way}");
                ways.sda |= good.sda;
                ways.dda |= good.dda;
                ways.cda |= good.cda;
                ways.fdda |= good.fdda;
                ways.approved = true;
            }
        }
    }
    assert_eq!(ways, own_flow::Proven { sda: true, dda: true, cda: true, fdda: true, approved: true });
}

/// Products without certificates pay in the crate's flow: it notes that no data authentication was performed. Cards with AES
/// keys make no cryptograms in the simulated card (docs/simulated-card.md).
#[test]
fn products_without_certificates_pay_too() {
    for product in ["debit-contact-scp02", "debit-long-packed", "through-domain-scp02"] {
        let ran = support::Bench::new(product).run(&[]);
        assert_eq!(ran.result.state, "good", "{product}: {:?}", ran.result.fault);
        let link = Box::new(SimTransport::memory(SimCard::of(ran.card)));
        let ended = stranger::pay(link, "A0000009990101", "0096", &test_ca(), &[1, 2, 3, 4])
            .unwrap_or_else(|error| panic!("{product}: {error}"));
        assert_eq!((ended.approved, ended.verification_results[0]), (true, 0x80), "{product}: {ended:?}");
    }
}
