//! `perso verify` on simulated cards: a good card is proven, a wrong one is found by the right check, and nothing is moved
//! that was not asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;
use crate::proof;
use crate::support;

use std::collections::BTreeSet;

use perso::base::emv::rules::Stage;
use perso::base::{Secret, crypto};
use perso::card::sim::CardFile;
use perso::issuance::check as whole;
use perso::issuance::journal::Journal;
use perso::issuance::proof::Consent;
use perso::issuance::proof::result::VerifyResult;
use perso::keys::ca_keys::CaKeys;
use perso::keys::{SoftwareStore, file};
use perso::order::{Order, Site};
use perso::profile::Profile;
use proof::{PIN, Proof, Wanted, check, failed};
use support::{Bench, PROFILES, Ran};

/// The checks that use cryptography, of a card that has everything.
const CRYPTOGRAPHIC: [&str; 11] = [
    "CA key",
    "issuer certificate",
    "static data to be authenticated",
    "SDA",
    "card certificate",
    "DDA",
    "CDA",
    "offline PIN",
    "cryptogram",
    "issuer authentication",
    "second cryptogram",
];

/// The end of a profile whose cryptograms are EMV's common ones.
const PLAIN: &str =
    "\n[verify]\ngenerate_ac = true\npin_try = true\nimk_ac = \"vectors-imk-ac\"\ncryptogram = \"plain\"\n";

fn instructions(result: &VerifyResult) -> BTreeSet<String> {
    result.steps.iter().filter_map(|step| step.header.as_ref()).map(|header| header[2..4].to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn with_pin(pin: &str) -> Consent {
    Consent { generate_ac: false, pin: Some(Secret::new(pin.as_bytes().to_vec())) }
}

/// Not the lowest bit: in a DES key it is parity.
fn corrupt(card: &mut CardFile, dgi: &str, byte: usize) {
    card.state.applications[0].groupings.get_mut(dgi).unwrap().0[byte] ^= 0x02;
}

/// What a verification of this card, with keys or without, says of its final life cycle, and its verdict.
fn life_cycle(
    bench: &Bench,
    card: CardFile,
    store: Option<&dyn perso::keys::KeyStore>,
) -> (Option<(String, String)>, String) {
    let verification = perso::issuance::proof::Verification {
        profile: Some(&bench.profile),
        record: Some((&bench.record, &bench.plan)),
        store,
        ca_keys: None,
        aids: Vec::new(),
        consent: Consent::default(),
        clock: perso::base::Clock::fixed(perso::base::chance::Instant(1_795_000_000_000_000)),
        chance: &mut prepared::chance(),
        program: perso::issuance::result::ProgramRef { version: "test".into(), sha256: None },
        simulated: true,
    };
    let transport = perso::card::sim::SimTransport::memory(perso::card::sim::SimCard::of(card));
    let result = verification.run(Box::new(transport)).unwrap();
    let found = result.checks.iter().find(|it| it.check == "final life cycle");
    (found.map(|it| (it.outcome.clone(), it.why.clone().unwrap_or_default())), result.verdict)
}

/// Power is lost before SET STATUS: all data is there, and the card is not finished.
#[test]
fn a_card_that_was_not_closed_is_a_finding() {
    let mut closing = 0;
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]).card;
        let store = support::keys();
        let at = whole.state.diary.iter().position(|entry| entry.ins == 0xF0);
        let (ended, verdict) = life_cycle(&bench, whole, Some(&store));
        let Some(at) = at else {
            assert_eq!((ended, bench.profile.final_life_cycle()), (None, None), "{name}");
            continue;
        };
        closing += 1;
        assert_eq!((ended.unwrap().0.as_str(), verdict.as_str()), ("passed", "passed"), "{name}");
        let cut = bench.run(&[format!("cut before {}", at + 1)]).card;
        let (ended, verdict) = life_cycle(&bench, cut.clone(), Some(&store));
        let (outcome, why) = ended.unwrap();
        assert_eq!((outcome.as_str(), verdict.as_str()), ("failed", "findings"), "{name}: {why}");
        assert!(why.contains("0F"), "{name}: {why}");
        // Without keys, or with those of other cards, nobody can ask.
        assert_eq!(life_cycle(&bench, cut.clone(), None).0.unwrap().0, "skipped", "{name}");
        let mut foreign = cut;
        foreign.blank.kdd.0.fill(0x77);
        assert_eq!(life_cycle(&bench, foreign, Some(&store)).0.unwrap().0, "skipped", "{name}");
    }
    assert!(closing >= 2, "{closing}");
}

#[test]
fn a_good_card_is_proven_by_all_that_it_has() {
    let proof = Proof::new(&Wanted::default());
    let (result, card) = proof.everything(proof.card());
    assert_eq!(result.verdict, "passed", "{:?}", failed(&result));
    for name in CRYPTOGRAPHIC {
        assert_eq!(check(&result, name).outcome, "passed", "{name}");
    }
    let proven = |dgi: &str| result.proven.iter().any(|it| it.dgi == dgi);
    for dgi in ["8000", "8010", "8201", "8202", "8203", "8204", "8205", "9010", "0201", "0204", "9104", "9102", "3000"]
    {
        assert!(proven(dgi), "{dgi}");
    }
    let left: Vec<&str> = result.loaded_not_proven.iter().map(|it| it.dgi.as_str()).collect();
    assert_eq!(left, ["9200", "A002", "A001"]);
    let app = &result.applications[0];
    assert_eq!(app.atc.as_deref(), Some(format!("{:04X}", card.state.applications[0].atc).as_str()));
    assert!(app.cryptogram_made && app.pin_tried);
    assert_eq!(app.test_ca, Some(true));
    assert!(result.keys.iter().any(|key| key.name == "vectors-imk-ac" && key.test));
}

#[test]
fn by_default_it_only_reads_and_moves_nothing_but_the_stated_transactions() {
    let proof = Proof::new(&Wanted::default());
    let before = proof.card();
    let (result, mut after) = proof.verify(before.clone(), Consent::default(), &[]);
    assert_eq!(result.verdict, "passed", "{:?}", failed(&result));
    assert_eq!(instructions(&result), set(&["A4", "A8", "B2", "CA", "88"]));
    let moved = after.state.applications[0].atc - before.state.applications[0].atc;
    assert_eq!(u32::from(moved), result.transactions);
    after.state.applications[0].atc = before.state.applications[0].atc;
    let file = |card: &CardFile| {
        let mut value = serde_json::to_value(card).unwrap();
        // What it was asked is written down there.
        value["state"].as_object_mut().unwrap().remove("diary").unwrap();
        value["state"].as_object_mut().unwrap().remove("commands").unwrap();
        value
    };
    assert!(file(&before) == file(&after), "something else has moved");
    for (name, why) in [
        ("CDA", "GENERATE AC"),
        ("offline PIN", "--pin-from"),
        ("cryptogram", "--generate-ac"),
        ("issuer authentication", "--generate-ac"),
        ("second cryptogram", "--generate-ac"),
    ] {
        let it = check(&result, name);
        assert_eq!(it.outcome, "skipped", "{name}");
        assert!(it.why.as_ref().unwrap().contains(why), "{name}: {:?}", it.why);
    }
    let left: Vec<&str> = result.loaded_not_proven.iter().map(|it| it.dgi.as_str()).collect();
    assert_eq!(left, ["9010", "8010", "9200", "A002", "A001", "8000", "9000"], "DDA has proven the key for signatures");
}

/// What is changed on the card, and the checks that find it. A record's own bytes are found by the comparison too.
#[test]
fn every_corrupted_object_is_found_by_its_check() {
    let proof = Proof::new(&Wanted::default());
    let good = proof.card();
    let cases: [(&str, usize, &[&str]); 9] = [
        // 8F
        ("0202", 5, &["CA key"]),
        // 90
        ("0202", 60, &["issuer certificate"]),
        // 93
        ("0203", 40, &["SDA"]),
        // 9F46
        ("0204", 40, &["card certificate"]),
        // an action code among the static data
        ("0201", 120, &["SDA", "card certificate"]),
        // a part of the private key: the card cannot sign a cryptogram either, and refuses
        ("8205", 20, &["DDA", "cryptogram"]),
        ("8000", 3, &["cryptogram"]),
        ("8010", 2, &["offline PIN"]),
        // the AFL's first file: what it names is not there, and with it the CDOLs
        ("9104", 6, &["R7", "cryptogram"]),
    ];
    for (dgi, byte, expected) in cases {
        let mut card = good.clone();
        corrupt(&mut card, dgi, byte);
        let (result, _) = proof.everything(card);
        assert_eq!(result.verdict, "findings", "{dgi}");
        let found = failed(&result);
        for name in expected {
            assert!(found.contains(name), "{dgi} byte {byte}: {name} is not among {found:?}");
        }
        let other = CRYPTOGRAPHIC.iter().filter(|name| found.contains(name) && !expected.contains(name));
        let other: Vec<&&str> = other.collect();
        assert!(other.is_empty(), "{dgi} byte {byte}: also {other:?}");
    }
}

#[test]
fn a_wrong_answer_is_found_and_a_wrong_cryptogram_is_never_answered() {
    let proof = Proof::new(&Wanted::default());
    let cases: [(&str, &[&str]); 3] = [
        ("corrupt TAG 9F26 byte 0 mask 80 on answering", &["cryptogram"]),
        ("corrupt TAG 9F4B byte 9 mask 80 on answering", &["DDA", "CDA"]),
        // The cryptogram stands within the signature, which covers 9F10.
        ("corrupt TAG 9F10 byte 4 mask 08 on answering", &["CDA"]),
    ];
    for (fault, expected) in cases {
        let consent = Consent { generate_ac: true, pin: None };
        let (result, _) = proof.verify(proof.card(), consent, &[fault]);
        let found: Vec<&str> = failed(&result).into_iter().filter(|it| CRYPTOGRAPHIC.contains(it)).collect();
        assert_eq!(found, expected, "{fault}");
        let answered = instructions(&result).contains("82");
        assert_eq!(answered, check(&result, "cryptogram").outcome == "passed", "{fault}");
        assert!(!answered, "{fault}");
        assert_eq!(check(&result, "issuer authentication").outcome, "skipped", "{fault}");
    }
}

#[test]
fn what_cannot_be_checked_is_skipped_with_the_reason() {
    let proof = Proof::new(&Wanted::default());
    let all = || Consent { generate_ac: true, pin: Some(Secret::new(PIN.as_bytes().to_vec())) };
    let (result, _) = proof.asked(proof.card(), &[], |it| {
        it.consent = all();
        it.ca_keys = None;
    });
    for name in &CRYPTOGRAPHIC[..7] {
        let it = check(&result, name);
        assert_eq!((it.outcome.as_str(), it.why.as_deref()), ("skipped", Some("no CA keys were given")), "{name}");
    }
    assert_eq!(check(&result, "cryptogram").outcome, "passed", "without CDA");

    let before = proof.card();
    let (result, card) = proof.asked(before.clone(), &[], |it| {
        it.consent = all();
        (it.record, it.store, it.profile) = (None, None, None);
        it.aids = vec![hex::decode("A0000009990101").unwrap()];
    });
    assert_eq!(result.verdict, "passed", "{:?}", failed(&result));
    assert!(check(&result, "cryptogram").why.as_ref().unwrap().contains("--keys"));
    assert!(check(&result, "offline PIN").why.as_ref().unwrap().contains("pin_try"));
    assert!(result.proven.is_empty() && result.loaded_not_proven.is_empty() && result.record.is_none());
    assert_eq!(result.transactions, 1, "nothing is compared");
    assert_eq!(card.state.applications[0].atc, before.state.applications[0].atc + 1);
}

/// Neither the profile alone nor the operator alone suffices.
#[test]
fn the_profile_has_to_agree_too() {
    let proof = Proof::new(&Wanted { verify: "\n[verify]\nimk_ac = \"vectors-imk-ac\"\n", ..Wanted::default() });
    let (result, card) = proof.everything(proof.card());
    assert!(check(&result, "cryptogram").why.as_ref().unwrap().contains("generate_ac"));
    assert!(check(&result, "offline PIN").why.as_ref().unwrap().contains("pin_try"));
    assert_eq!(instructions(&result), set(&["A4", "A8", "B2", "CA", "88"]));
    assert_eq!(card.state.applications[0].tries, 3);
}

#[test]
fn a_pin_is_tried_once_and_only_where_no_try_was_lost() {
    let proof = Proof::new(&Wanted::default());
    let (result, card) = proof.verify(proof.card(), with_pin("4321"), &[]);
    let it = check(&result, "offline PIN");
    assert_eq!((it.outcome.as_str(), it.code.as_deref()), ("failed", Some("CARD-PIN")));
    assert!(result.applications[0].pin_tried);
    assert!(result.loaded_not_proven.iter().any(|it| it.dgi == "8010"));
    assert_eq!(card.state.applications[0].tries, 2);
    let (result, card) = proof.verify(card, with_pin(PIN), &[]);
    let it = check(&result, "offline PIN");
    assert_eq!(it.outcome, "skipped");
    assert!(it.why.as_ref().unwrap().contains("not at its limit"), "{:?}", it.why);
    assert_eq!(result.applications[0].pin_tries, Some(2));
    assert_eq!(card.state.applications[0].tries, 2);
}

#[test]
fn a_pin_goes_enciphered_where_the_cvm_list_says_so() {
    let proof = Proof::new(&Wanted { cvm: "440342031E031F03", ..Wanted::default() });
    let (result, _) = proof.verify(proof.card(), with_pin(PIN), &[]);
    assert_eq!(check(&result, "offline PIN").outcome, "passed", "{:?}", check(&result, "offline PIN"));
    assert!(instructions(&result).contains("84"), "a challenge is fetched first");
    // Without a proven key there is no way to encipher, and no try is made.
    let (result, card) = proof.asked(proof.card(), &[], |it| {
        it.consent = with_pin(PIN);
        it.ca_keys = None;
    });
    assert_eq!(check(&result, "offline PIN").outcome, "skipped");
    assert!(!instructions(&result).contains("20"));
    assert_eq!(card.state.applications[0].tries, 3);
}

#[test]
fn a_pin_that_may_go_enciphered_never_goes_in_the_clear() {
    // Both ways are offered, in either order; the card's key is not proven for lack of CA keys, or by its certificate.
    for cvm in ["410344031E031F03", "440341031E031F03", "450301031E031F03", "430344031E031F03"] {
        let proof = Proof::new(&Wanted { cvm, ..Wanted::default() });
        let (result, _) = proof.verify(proof.card(), with_pin(PIN), &[]);
        assert_eq!(check(&result, "offline PIN").outcome, "passed", "{cvm}");
        assert!(instructions(&result).contains("84"), "{cvm}: enciphered");
        // No CA keys; then 8F, 90, 9F46 and the static data changed.
        for changed in [None, Some(("0202", 5)), Some(("0202", 60)), Some(("0204", 40)), Some(("0201", 120))] {
            let mut card = proof.card();
            if let Some((dgi, byte)) = changed {
                corrupt(&mut card, dgi, byte);
            }
            let (result, card) = proof.asked(card, &[], |it| {
                it.consent = with_pin(PIN);
                it.ca_keys = it.ca_keys.filter(|_| changed.is_some());
            });
            let it = check(&result, "offline PIN");
            assert_eq!(it.outcome, "skipped", "{cvm} {changed:?}: {it:?}");
            assert!(it.why.as_ref().unwrap().contains("not sent in the clear"), "{cvm}: {it:?}");
            assert!(!instructions(&result).contains("20"), "{cvm}: no PIN is sent");
            assert_eq!(card.state.applications[0].tries, 3, "{cvm}");
            assert!(result.loaded_not_proven.iter().any(|it| it.dgi == "8010"), "{cvm}: the PIN is not proven");
        }
    }
}

/// Cryptogram versions of both schemes and EMV's own, with the issuer's answer as a command and within CDOL2.
#[test]
fn every_known_version_is_computed_and_answered() {
    for issuer_data in [
        "06010A03A00000",
        "06011203A00000",
        "1F220103A0000000000000000000000000000000000000000000000000000000",
        "0110A00003220000000000000000000000FF",
        "0111A00003220000000000000000000000FF",
        "0114A00003220000000000000000000000FF",
        "0115A00003220000000000000000000000FF",
        "1501850440B100000000",
    ] {
        for (aip, cdol2) in [("7D00", ""), ("7900", "910A"), ("7900", "9108"), ("5800", "9110"), ("5C00", "910A")] {
            let method_1 = !(issuer_data.starts_with("1F22") || &issuer_data[4..6] == "12");
            if method_1 && cdol2 == "9108" {
                continue;
            }
            // Only the product can say whose they are.
            let stated = issuer_data.starts_with("15").then_some(PLAIN);
            let verify = stated.unwrap_or(Wanted::default().verify);
            let proof = Proof::new(&Wanted { aip, cdol2, issuer_data, verify, ..Wanted::default() });
            let (result, card) = proof.everything(proof.card());
            for name in ["cryptogram", "issuer authentication", "second cryptogram"] {
                let it = check(&result, name);
                assert_eq!(it.outcome, "passed", "{issuer_data} {aip} {cdol2}: {it:?}");
            }
            let app = &card.state.applications[0];
            assert_eq!(app.last_online, Some(app.atc), "{issuer_data} {aip} {cdol2}: the card believes the issuer");
        }
    }
    // Visa's version 17 (11) knows no answer of the issuer's.
    for (aip, cdol2) in [("7D00", ""), ("7900", "910A"), ("5800", "")] {
        let proof = Proof::new(&Wanted { aip, cdol2, issuer_data: "06011103A00000", ..Wanted::default() });
        let (result, card) = proof.everything(proof.card());
        for (name, outcome) in
            [("cryptogram", "passed"), ("issuer authentication", "not applicable"), ("second cryptogram", "passed")]
        {
            let it = check(&result, name);
            assert_eq!(it.outcome, outcome, "{aip} {cdol2}: {it:?}");
        }
        assert_eq!(card.state.applications[0].last_online, None);
    }
    // An issuer's answer that nothing takes.
    let proof = Proof::new(&Wanted { aip: "7900", ..Wanted::default() });
    let (result, _) = proof.everything(proof.card());
    assert_eq!(check(&result, "issuer authentication").outcome, "not applicable");
    assert_eq!(check(&result, "second cryptogram").outcome, "passed");
}

/// Every profile of the repository, over each interface: made, then verified with nothing but the record.
#[test]
fn every_sample_card_is_as_its_record_says() {
    let keys = support::keys();
    for name in PROFILES {
        for bench in Bench::each_way(name) {
            let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
            assert_eq!(ran.result.state, "good", "{name}");
            let other = Proof {
                bench,
                ca_keys: CaKeys::new(Vec::new()),
                store: support::keys(),
                clear: serde_json::Value::Null,
                profile: String::new(),
            };
            let (result, card) = other.asked(ran.card.clone(), &[], |it| it.store = Some(&keys));
            let way = if other.bench.contactless { "contactless" } else { "contact" };
            assert_eq!(result.interface, way, "{name}");
            assert!(result.findings.is_empty(), "{name}: {:?}", result.findings);
            assert!(failed(&result).is_empty(), "{name} {way}: {:?}", failed(&result));
            assert!(!result.proven.is_empty(), "{name}");
            let atc = |card: &CardFile| card.state.applications.iter().map(|app| u32::from(app.atc)).sum::<u32>();
            assert_eq!(atc(&card) - atc(&ran.card), result.transactions, "{name}");
        }
    }
}

/// At the end of a job, what is read-only is proven where there are CA keys; a transaction is made where the profile says so.
#[test]
fn a_job_proves_its_card() {
    let silent = Wanted { verify: "", ..Wanted::default() };
    let mut proof = Proof::new(&silent);
    let run = |proof: &Proof, fault: &[&str]| {
        let faults: Vec<String> = fault.iter().map(|it| (*it).to_owned()).collect();
        proof.bench.run_on(proof.bench.blank(), &faults, &mut Journal::in_memory())
    };
    let left = |ran: &Ran| ran.result.loaded_not_proven.iter().map(|it| it.dgi.clone()).collect::<Vec<_>>();
    let sent = |ran: &Ran, ins: &str| {
        let headers = ran.result.steps.iter().filter_map(|step| step.header.as_deref());
        headers.filter(|header| &header[2..4] == ins).count()
    };
    let signing = ["8201", "8202", "8203", "8204", "8205"];
    let ran = run(&proof, &[]);
    assert!(signing.iter().all(|dgi| left(&ran).iter().any(|it| it == dgi)), "{:?}", left(&ran));
    assert_eq!((sent(&ran, "88"), sent(&ran, "AE")), (0, 0));
    assert!(ran.result.counters.is_empty());
    let used = |ran: &Ran| {
        let counter = ran.result.counters.iter().find(|counter| counter.atc.is_some()).unwrap();
        assert!(u16::from_str_radix(counter.atc.as_ref().unwrap(), 16).unwrap() > 0);
        counter.cryptogram_made
    };

    proof.bench.ca_keys = Some(proof.ca_keys.clone());
    let ran = run(&proof, &[]);
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.findings);
    assert!(signing.iter().all(|dgi| ran.result.proven.iter().any(|it| it.dgi == *dgi)));
    assert_eq!(left(&ran), ["9010", "8010", "9200", "A002", "A001"]);
    assert_eq!((sent(&ran, "88"), sent(&ran, "AE"), sent(&ran, "20")), (1, 0, 0));
    assert!(!used(&ran));

    // A key that went wrong as it was stored.
    let ran = run(&proof, &["corrupt DGI 8205 byte 20 mask 02 after loading"]);
    assert_eq!(ran.result.state, "spoiled");
    assert_eq!(ran.result.findings[0].code, "CARD-ODA");
    // A terminal without the CA's key cannot tell, and a card is not spoiled by that.
    proof.bench.ca_keys = Some(CaKeys::new(Vec::new()));
    let ran = run(&proof, &[]);
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.findings);
    assert!(signing.iter().all(|dgi| left(&ran).iter().any(|it| it == dgi)));

    let proof = Proof::new(&Wanted::default());
    let ran = run(&proof, &[]);
    assert_eq!(ran.result.state, "good", "{:?}", ran.result.findings);
    assert_eq!((sent(&ran, "88"), sent(&ran, "AE"), sent(&ran, "20")), (0, 2, 0));
    assert!(used(&ran));
    assert!(ran.result.proven.iter().any(|it| it.dgi == "8000" && it.how.contains("the host computes")));
    let ran = run(&proof, &["corrupt DGI 8000 byte 3 mask 02 after loading"]);
    assert_eq!((ran.result.state.as_str(), ran.result.findings[0].code.as_str()), ("spoiled", "CARD-AC"));
    // Without the issuer master key no card is touched.
    let mut proof = proof;
    proof.bench.store = support::keys();
    let ran = run(&proof, &[]);
    assert_eq!(ran.result.state, "refused");
    assert!(ran.result.steps.is_empty());
}

/// With a second issuer master key for cryptograms.
fn store_of_two() -> SoftwareStore {
    let value = "FEDCBA98765432100123456789ABCDEF";
    let kcv = crypto::tdes_ecb_encrypt(&hex::decode(value).unwrap(), &[0; 8]).unwrap();
    let mut keys = proof::keys_file();
    keys["keys"].as_array_mut().unwrap().push(serde_json::json!({
        "name": "other-imk-ac", "zone": "lab", "purpose": "imk-ac", "version": 1, "algorithm": "tdes2",
        "kcv": hex::encode_upper(&kcv[..3]), "kcv_method": "des-zero", "test": true, "value": value
    }));
    file::load(keys.to_string().as_bytes(), None).unwrap()
}

/// A card that is prepared from an order, made by a job that makes a transaction on it, and what it is verified with.
fn prepared_card(order: &serde_json::Value, site: &Site, profile: &str) -> (Proof, Ran) {
    let profile = Profile::parse(profile).unwrap_or_else(|problems| panic!("{problems:?}"));
    let store = store_of_two();
    let order =
        Order::read(order.to_string().as_bytes(), site, &store).unwrap_or_else(|problems| panic!("{problems:?}"));
    let issuer = prepared::issuer_for("visa-like");
    let made = prepared::prepared_from(&order, &profile, &store, Some(&issuer), None);
    let record = made.unwrap_or_else(|error| panic!("{error}")).record;
    let plan = whole::plan(&record, &profile, &store).unwrap_or_else(|problems| panic!("{problems:?}"));
    let bench = Bench { record, profile, plan, store, contactless: false, ca_keys: Some(CaKeys::new(Vec::new())) };
    let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
    let (clear, profile) = (serde_json::Value::Null, String::new());
    (Proof { bench, store: store_of_two(), ca_keys: CaKeys::new(Vec::new()), clear, profile }, ran)
}

fn cryptogram_of(proof: &Proof, card: &CardFile, with_record: bool) -> (String, Option<String>) {
    let (result, _) = proof.asked(card.clone(), &[], |it| {
        it.consent = Consent { generate_ac: true, pin: None };
        it.record = it.record.filter(|_| with_record);
    });
    let it = check(&result, "cryptogram");
    (it.outcome.clone(), it.code.clone())
}

/// An order may name other issuer master keys than the product's: its card is good, and is proven by those.
#[test]
fn a_card_is_proven_by_the_keys_that_its_order_names() {
    let index = "\n[[index]]\nuse = \"derivation\"\nindex = \"03\"\n\
                 keys = [\"other-imk-ac\", \"lab-imk-smi\", \"lab-imk-smc\"]\n";
    let site = prepared::text("tests/samples/orders/site.toml") + index;
    let site = Site::parse(&site).unwrap();
    let mut order = prepared::order_for("visa-like");
    order["product"]["derivation_key"] = "03".into();
    let (proof, ran) = prepared_card(&order, &site, &prepared::text("card-profiles/visa-like-debit.toml"));
    assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
    assert!(ran.result.proven.iter().any(|it| it.dgi == "8000" && it.how.contains("the host computes")));
    assert_eq!(proof.bench.record.cryptogram_key().unwrap().imk_ac, "other-imk-ac");
    assert_eq!(cryptogram_of(&proof, &ran.card, true), ("passed".into(), None));
    // Without the record nobody knows of the order's index.
    assert_eq!(cryptogram_of(&proof, &ran.card, false), ("failed".into(), Some("CARD-AC".into())));
}

/// A PAN of 19 digits, where the two derivations differ.
#[test]
fn a_card_is_proven_by_the_derivation_that_it_is_prepared_by() {
    let profile = prepared::text("card-profiles/visa-like-debit.toml").replace("icc_key = \"A\"", "icc_key = \"B\"");
    let mut order = prepared::order_for("visa-like");
    // Its last digits are the sample's: the PIN block stays right.
    order["card"]["pan"] = "4761731739001010117".into();
    let (proof, ran) = prepared_card(&order, &prepared::SITE, &profile);
    assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
    assert_eq!(cryptogram_of(&proof, &ran.card, true), ("passed".into(), None));
    assert_eq!(cryptogram_of(&proof, &ran.card, false), ("passed".into(), None), "the profile says it too");
    let stated =
        |option: &str| Profile::parse(&profile.replace("[verify]", &format!("[verify]\ncard_key = {option:?}")));
    assert!(stated("b").is_ok());
    let problems = stated("a").err().unwrap();
    assert_eq!((problems.len(), problems[0].path.as_str()), (1, "verify.card_key"));
}

/// Two applications with one PAN may have a sequence number or keys of their own, and each is proven by its own.
#[test]
fn application_with_its_own_sequence_number_or_keys_is_proven_by_them() {
    let combo = prepared::text("card-profiles/visa-like-combo.toml").replace("\ncounter = \"A0000009990501\"", "");
    let second = "[[prepare.application]]\naid = \"A0000009990502\"\n";
    let stating = |own: &str| {
        assert!(combo.contains(second));
        combo.replace(second, &format!("{second}{own}\n"))
    };
    let mut order = prepared::order_for("visa-like");
    order["product"]["profile"] = "visa-like-combo".into();
    let own_key = "keys = { imk_ac = \"other-imk-ac\" }";
    for own in ["psn = 2", own_key, &format!("psn = 2\n{own_key}")] {
        let (proof, ran) = prepared_card(&order, &prepared::SITE, &stating(own));
        assert_eq!(ran.result.state, "good", "{own}: {:?} {:?}", ran.result.fault, ran.result.findings);
        let outcomes = whole::rules(Stage::Run, &proof.bench.record, Some(&proof.bench.profile), Some((2026, 11, 24)));
        let shared = outcomes.iter().filter(|it| it.rule == 27);
        assert!(shared.clone().count() > 0 && shared.clone().all(|it| it.failures().is_empty()), "{own}");
        for with_record in [true, false] {
            let (result, _) = proof.asked(ran.card.clone(), &[], |it| {
                it.consent = Consent { generate_ac: true, pin: None };
                it.record = it.record.filter(|_| with_record);
            });
            let checks: Vec<_> = result.checks.iter().filter(|it| it.check == "cryptogram").collect();
            assert_eq!(checks.len(), 2);
            assert!(checks.iter().all(|it| it.outcome == "passed"), "{own} {with_record}: {:?}", failed(&result));
        }
    }
    let keys = Profile::parse(&stating(own_key)).unwrap();
    let named = keys.named_keys().into_iter().find(|it| it.path == "prepare.application[1].keys.imk_ac").unwrap();
    assert_eq!((named.name, named.purpose), ("other-imk-ac", perso::keys::Purpose::ImkAc));
    let problems = Profile::parse(&stating("psn = 100")).err().unwrap();
    assert_eq!((problems.len(), problems[0].path.as_str()), (1, "prepare.application[1].psn"));
}

/// A renewal is made before it is effective: the card is good, and a decline is right if Denial holds the bit.
#[test]
fn card_that_is_not_effective_yet_declines_and_is_good() {
    let file = prepared::text("card-profiles/visa-like-contact.toml");
    let mut order = prepared::order_for("visa-like");
    order["product"]["profile"] = "visa-like-contact".into();
    order["product"]["contactless"] = false.into();
    order["card"]["effective"] = "2027-02-01".into();
    let denial = "{ tag = \"9F0E\", fixed = \"0010000000\" }";
    assert!(file.contains(denial));
    for (value, declines) in [("0030000000", true), ("0010000000", false)] {
        let profile = file.replace(denial, &denial.replace("0010000000", value));
        let (proof, ran) = prepared_card(&order, &prepared::SITE, &profile);
        assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
        let outcomes = whole::rules(Stage::Run, &proof.bench.record, Some(&proof.bench.profile), Some((2026, 11, 24)));
        let told: Vec<_> = outcomes.iter().filter(|it| !it.failures().is_empty()).collect();
        assert!(told.len() == 1 && told[0].rule == 44 && !told[0].refuses(), "{told:?}");
        let (result, _) = proof.everything(ran.card);
        assert_eq!(check(&result, "cryptogram").outcome, "passed");
        let second = check(&result, "second cryptogram");
        let expected = if declines { "not applicable" } else { "passed" };
        assert_eq!(second.outcome, expected, "{:?}", second.why);
        assert_eq!(second.why.as_deref().is_some_and(|why| why.contains("5F25")), declines);
        assert!(failed(&result).iter().all(|it| it.contains("R44") || *it == "CA key"), "{:?}", failed(&result));
    }
}

/// A scheme's card of a version that is not known here may be sound: nobody can tell, and it is not spoiled.
#[test]
fn a_cryptogram_of_an_unknown_version_is_skipped() {
    let long = format!("1F4201{}", "A0".repeat(29));
    for issuer_data in ["06011403A00000", "0199A00003220000000000000000000000FF", long.leak()] {
        let proof = Proof::new(&Wanted { issuer_data, ..Wanted::default() });
        let (result, _) = proof.everything(proof.card());
        let it = check(&result, "cryptogram");
        assert_eq!(it.outcome, "skipped", "{issuer_data}");
        assert!(it.why.as_ref().unwrap().contains("version"), "{:?}", it.why);
        assert!(failed(&result).is_empty(), "{issuer_data}: {:?}", failed(&result));
    }
    // Where the profile says how it is made, it is checked.
    let verify = "\n[verify]\ngenerate_ac = true\nimk_ac = \"vectors-imk-ac\"\ncryptogram = \"plain\"\n";
    let proof = Proof::new(&Wanted { issuer_data: "06011403A00000", verify, ..Wanted::default() });
    let (result, _) = proof.everything(proof.card());
    assert_eq!(check(&result, "cryptogram").outcome, "passed");
}

/// Check values are compared as a card is loaded: a blank, or a card that was not closed, proves nothing by them.
#[test]
fn check_values_prove_a_personalized_card_only() {
    let keys = support::keys();
    for name in PROFILES {
        let bench = Bench::new(name);
        if bench.profile.final_life_cycle().is_none() {
            continue;
        }
        let whole = bench.run(&[]).card;
        let blank = bench.blank().file().clone();
        let other = Proof {
            bench,
            ca_keys: CaKeys::new(Vec::new()),
            store: support::keys(),
            clear: serde_json::Value::Null,
            profile: String::new(),
        };
        let proven = |card: CardFile| {
            let (result, _) = other.asked(card, &[], |it| it.store = Some(&keys));
            let checked = |it: &&perso::issuance::result::Evidence| it.how.contains("check values");
            (result.proven.iter().filter(checked).count(), result.loaded_not_proven.iter().filter(checked).count())
        };
        let (proven_by_them, left) = proven(whole);
        assert!(proven_by_them > 0 && left == 0, "{name}: {proven_by_them} {left}");
        assert_eq!(proven(blank), (0, proven_by_them), "{name}");
    }
}
