//! Cards of prepared products in a contactless reader: what the answer to GET PROCESSING OPTIONS carries, the signature of
//! fDDA and the certificates under it, keys of every length, kernels, and two applications with one key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;
use crate::support;

use std::sync::LazyLock;

use perso::base::Clock;
use perso::base::chance::Instant;
use perso::base::codec::tlv::{self, Tag};
use perso::base::emv::rules::{Outcome, Stage};
use perso::card::sim::{CardFile, FaultRule, Hex, SimCard, SimTransport};
use perso::issuance::check;
use perso::issuance::journal::Journal;
use perso::issuance::proof::result::VerifyResult;
use perso::issuance::proof::{Consent, Verification};
use perso::issuance::result::ProgramRef;
use perso::keys::KeyStore;
use perso::keys::ca_keys::CaKeys;
use perso::prepare::{PrepareError, Prepared};
use perso::profile::Profile;
use prepared::{KEYS, bench, bench_of, chance, issuer_for, order_for, prepared_with, profile_for, text};
use support::Bench;

const PRODUCT: &str = "visa-like";
const TODAY: (u16, u8, u8) = (2026, 11, 24);
const VISA: &str = "card-profiles/visa-like-debit.toml";
const COMBO: &str = "card-profiles/visa-like-combo.toml";

static BENCH: LazyLock<Bench> = LazyLock::new(|| bench(PRODUCT, true));
static CARD: LazyLock<CardFile> = LazyLock::new(|| made(&BENCH));

/// A product's file with other words.
fn changed(file: &str, changes: &[(&str, &str)]) -> Profile {
    let mut file = text(file);
    for (from, to) in changes {
        assert!(file.contains(from), "{from}");
        file = file.replace(from, to);
    }
    Profile::parse(&file).unwrap()
}

/// A whole job in the bench's reader.
fn made(bench: &Bench) -> CardFile {
    let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
    assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
    ran.card
}

fn verified(bench: &Bench, card: &CardFile, faults: &[&str]) -> VerifyResult {
    verified_with(bench, card, faults, Consent::default())
}

fn verified_with(bench: &Bench, card: &CardFile, faults: &[&str], consent: Consent) -> VerifyResult {
    let ca_keys = CaKeys::parse(text("tests/samples/issuer/ca-keys.test.json").as_bytes()).unwrap();
    let verification = Verification {
        profile: Some(&bench.profile),
        record: Some((&bench.record, &bench.plan)),
        store: Some(&*KEYS as &dyn KeyStore),
        ca_keys: Some(&ca_keys),
        aids: Vec::new(),
        consent,
        clock: Clock::fixed(Instant(1_795_000_000_000_000)),
        chance: &mut chance(),
        program: ProgramRef { version: "test".into(), sha256: None },
        simulated: true,
    };
    let faults = faults.iter().map(|rule| FaultRule::parse(rule).unwrap()).collect();
    let transport = SimTransport::memory(SimCard::of(card.clone())).with_faults(faults);
    verification.run(Box::new(transport.approach(bench.contactless).unwrap())).unwrap()
}

/// How a check of the payment application has ended, and why.
fn ended(result: &VerifyResult, check: &str) -> (String, String) {
    let found = result.checks.iter().find(|it| it.check == check).unwrap_or_else(|| panic!("no {check}"));
    (found.outcome.clone(), found.why.clone().unwrap_or_default())
}

/// Issuer application data of no scheme's form, of a version that is not known, or of two schemes' form: told at preparation,
/// and no card is asked for a cryptogram that nobody could check, over either interface.
#[test]
fn a_cryptogram_of_unknown_form_is_told_and_skipped_over_both_interfaces() {
    for (product, known) in
        [("visa-like", "06011203A00000"), ("mastercard-like", "0114A00000000000000000000000000000FF")]
    {
        for data in ["1501850440B100000000", "06011303A00000", "06011303", "00", "0611110300220000000000000000000000FF"]
        {
            let file = format!("card-profiles/{product}-debit.toml");
            let profile = changed(&file, &[(&format!("fixed = \"{known}\""), &format!("fixed = \"{data}\""))]);
            let prepared = prepared_with(&order_for(product), &profile, Some(&issuer_for(product)), None).unwrap();
            assert!(failing(&prepared.outcomes).contains(&39), "{product} {data} is not told");
            for contactless in [false, true] {
                let bench = Bench { contactless, ..bench_of(product, profile.clone()) };
                let card = made(&bench);
                let consent = Consent { generate_ac: true, pin: None };
                let result = verified_with(&bench, &card, &[], consent);
                let (outcome, why) = ended(&result, "cryptogram");
                assert_eq!(outcome, "skipped", "{product} {data} contactless {contactless}: {why}");
                assert!(why.contains("9F10") && why.contains("[verify] cryptogram"), "{why}");
                assert_eq!(result.verdict, "passed", "{product} {data} contactless {contactless}: {:?}", result.checks);
            }
        }
    }
}

/// The product says that its cryptograms are EMV's common ones: nothing is told, and the card's is checked.
#[test]
fn a_cryptogram_of_stated_form_is_checked() {
    let changes = [
        ("fixed = \"0114A00000000000000000000000000000FF\"", "fixed = \"1501850440B100000000\""),
        ("[verify]\n", "[verify]\ncryptogram = \"plain\"\n"),
    ];
    let profile = changed("card-profiles/mastercard-like-debit.toml", &changes);
    for contactless in [false, true] {
        let bench = Bench { contactless, ..bench_of("mastercard-like", profile.clone()) };
        let result = verified_with(&bench, &made(&bench), &[], Consent { generate_ac: true, pin: None });
        assert_eq!(ended(&result, "cryptogram").0, "passed", "contactless {contactless}");
    }
}

/// What ends with a spoiled card otherwise is refused before there is one.
#[test]
fn what_no_card_could_prove_is_refused_at_preparation() {
    let refused = |product: &str, from: &str, to: &str, rule: u8| {
        let profile = changed(&format!("card-profiles/{product}-debit.toml"), &[(from, to)]);
        match prepared_with(&order_for(product), &profile, Some(&issuer_for(product)), None) {
            Err(PrepareError::Rules(outcomes)) => assert!(failing(&outcomes).contains(&rule), "{to}: {outcomes:?}"),
            Err(PrepareError::Record(problems)) => {
                let named = format!("(R{rule})");
                assert!(problems.iter().any(|problem| problem.message.ends_with(&named)), "{to}: {problems:?}");
            }
            other => panic!("{to}: {:?}", other.map(|_| ()).map_err(|error| error.to_string())),
        }
    };
    for length in ["00", "01", "07", "08", "09"] {
        refused("mastercard-like", "\"8D\", fixed = \"910A", &format!("\"8D\", fixed = \"91{length}"), 36);
    }
    for counter in ["FFFF", "FFFE", "FFFD", "FFF0"] {
        let of = |value: &str| format!("\"9F36\", fixed = \"{value}\"");
        refused("visa-like", &of("0000"), &of(counter), 45);
        refused("mastercard-like", &of("0000"), &of(counter), 45);
    }
}

fn prepared_of(profile: &Profile) -> Result<Prepared, PrepareError> {
    prepared_with(&order_for(PRODUCT), profile, Some(&issuer_for(PRODUCT)), None)
}

/// The rules that a preparation refuses or warns of.
fn broken(profile: &Profile) -> Vec<u8> {
    match prepared_of(profile) {
        Ok(Prepared { outcomes, .. }) | Err(PrepareError::Rules(outcomes)) => failing(&outcomes),
        Err(error) => panic!("{error}"),
    }
}

fn failing(outcomes: &[Outcome]) -> Vec<u8> {
    let mut rules: Vec<u8> = outcomes.iter().filter(|it| !it.failures().is_empty()).map(|it| it.rule).collect();
    rules.dedup();
    rules
}

/// The answer to GET PROCESSING OPTIONS of a terminal that takes everything at once, and then each record of its AFL.
fn tapped(card: &CardFile, aid: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut card = SimCard::of(card.clone());
    card.approach(true).unwrap();
    card.reset();
    let mut send = |text: &str| {
        let answer = card.process(&hex::decode(text).unwrap());
        assert!(answer.ends_with(&[0x90, 0x00]), "{text}: {}", hex::encode_upper(&answer));
        answer[..answer.len() - 2].to_vec()
    };
    send(&format!("00A40400{:02X}{aid}00", aid.len() / 2));
    let data = TAP;
    let answer = send(&format!("80A80000{:02X}83{:02X}{data}00", data.len() / 2 + 2, data.len() / 2));
    let objects = tlv::parse(&answer).unwrap();
    let afl = tlv::find(&objects, Tag::of(0x94)).unwrap().value_bytes();
    let mut records = Vec::new();
    for entry in afl.chunks(4) {
        for record in entry[1]..=entry[2] {
            records.push(send(&format!("00B2{record:02X}{:02X}00", entry[0] | 4)));
        }
    }
    (answer, records)
}

const DEBIT: &str = "A0000009990301";
/// What the products' PDOL asks for: qualifiers, amounts, country, results, currency, date, type, number.
const TAP: &str =
    concat!("20000000", "000000000100", "000000000000", "0250", "0000000000", "0978", "261124", "00", "11223344");

#[test]
fn no_object_comes_twice_in_answer_and_records() {
    let (answer, records) = tapped(&CARD, DEBIT);
    let mut tags: Vec<String> = Vec::new();
    for bytes in [answer].iter().chain(&records) {
        let template = tlv::parse_one(bytes).unwrap();
        tags.extend(template.children().iter().map(|object| object.tag.to_string()));
    }
    let mut once = tags.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), tags.len(), "{tags:?}");
    for tag in ["57", "5F34", "9F6C", "9F26", "9F4B", "5A", "5F24", "90", "9F46", "9F69"] {
        assert!(tags.iter().any(|held| held == tag), "{tag} in {tags:?}");
    }
}

#[test]
fn the_contactless_signature_is_checked() {
    let result = verified(&BENCH, &CARD, &[]);
    for check in ["CA key", "issuer certificate", "card certificate", "fDDA", "R8", "R29"] {
        assert_eq!(ended(&result, check).0, "passed", "{check}: {}", ended(&result, check).1);
    }
    assert_eq!(result.verdict, "passed");
    // The card has the private key to its certificate.
    assert!(result.loaded_not_proven.iter().all(|it| !it.dgi.starts_with("82")));
    let wrong = verified(&BENCH, &CARD, &["corrupt TAG 9F4B byte 0 mask 80 on answering"]);
    assert_eq!((ended(&wrong, "fDDA").0.as_str(), wrong.verdict.as_str()), ("failed", "findings"));
}

/// Each object of each contactless record but the card's own number: one bit of its last byte.
#[test]
fn a_flipped_bit_in_any_contactless_record_is_found() {
    let at = BENCH.record.applications().iter().position(|app| hex::encode_upper(app.aid()) == DEBIT).unwrap();
    for name in ["0301", "0302", "0303", "0304"] {
        let record = CARD.state.applications[at].groupings[name].0.clone();
        let template = tlv::parse_one(&record).unwrap();
        let mut position = record.len() - template.value_bytes().len();
        for object in template.children() {
            position += object.encode().len();
            let mut card = CARD.clone();
            let mut bytes = record.clone();
            bytes[position - 1] ^= 0x01;
            card.state.applications[at].groupings.insert(name.into(), Hex(bytes));
            let result = verified(&BENCH, &card, &[]);
            let steps = ["CA key", "issuer certificate", "static data to be authenticated", "card certificate", "fDDA"];
            assert!(steps.iter().any(|step| ended(&result, step).0 == "failed"), "{} of {name}", object.tag);
        }
    }
}

/// Without a signature the certificates that the AFL names are opened all the same.
#[test]
fn certificates_are_opened_without_a_signature_too() {
    let at = BENCH.record.applications().iter().position(|app| hex::encode_upper(app.aid()) == DEBIT).unwrap();
    let mut card = CARD.clone();
    // An application whose PDOL does not ask for 9F66 answers with AIP and AFL alone.
    let fci = card.state.applications[at].groupings["9103"].0.clone();
    let fci = hex::encode_upper(fci).replace("9F66049F0206", "9F35019F0206");
    let bytes = hex::decode(fci).unwrap();
    card.state.applications[at].groupings.insert("9103".into(), Hex(bytes));
    let result = verified(&BENCH, &card, &[]);
    for check in ["issuer certificate", "card certificate", "DDA"] {
        assert_eq!(ended(&result, check).0, "passed", "{check}");
    }
    let mut flipped = card.state.applications[at].groupings["0304"].0.clone();
    flipped[20] ^= 0x01;
    card.state.applications[at].groupings.insert("0304".into(), Hex(flipped));
    assert_eq!(ended(&verified(&BENCH, &card, &[]), "card certificate").0, "failed");
}

#[test]
fn a_signature_of_unknown_form_is_skipped_and_no_passed_check() {
    let at = BENCH.record.applications().iter().position(|app| hex::encode_upper(app.aid()) == DEBIT).unwrap();
    let mut card = CARD.clone();
    card.state.applications[at].groupings.insert("0305".into(), Hex(vec![0x70, 0x03, 0x9F, 0x6E, 0x00]));
    let result = verified(&BENCH, &card, &[]);
    let (outcome, why) = ended(&result, "fDDA");
    assert!(outcome == "skipped" && why.contains("9F69"), "{outcome} {why}");
    assert_eq!(ended(&result, "R29").0, "failed");
}

/// Every length of the card's key that the issuer's key can certify.
#[test]
fn keys_of_every_length_sign_over_the_contactless_interface() {
    let named = "  { tag = \"57\", derive = \"track-equivalent\" },\n  { tag = \"5F34\", order = \"psn\" },\n";
    // The name in the answer makes it longer than a long signature allows.
    let with_name = format!("{named}  {{ tag = \"5F20\", order = \"name\", optional = true }},\n");
    for (bits, longer, in_record) in
        [(1024, true, false), (1152, false, false), (1408, false, false), (1408, true, true)]
    {
        let to = format!("rsa_bits = {bits}");
        let mut changes = vec![("rsa_bits = 1024", to.as_str())];
        if longer {
            changes.push((named, &with_name));
        }
        let bench = Bench { contactless: true, ..bench_of(PRODUCT, changed(VISA, &changes)) };
        let card = made(&bench);
        let (answer, records) = tapped(&card, DEBIT);
        let holds =
            |bytes: &[u8]| tlv::find(&tlv::parse(bytes).unwrap(), Tag::of(0x9F4B)).map(|it| it.value_bytes().len());
        assert!(answer.len() <= 256, "{bits}");
        assert_eq!(holds(&answer).is_none(), in_record, "{bits}");
        assert_eq!(records.iter().find_map(|record| holds(record)).is_some(), in_record, "{bits}");
        let result = verified(&bench, &card, &[]);
        assert_eq!(ended(&result, "fDDA").0, "passed", "{bits}: {}", ended(&result, "fDDA").1);
        assert_eq!(result.verdict, "passed", "{bits}");
        let contact = Bench { contactless: false, ..bench_of(PRODUCT, changed(VISA, &changes)) };
        assert_eq!(verified(&contact, &made(&contact), &[]).verdict, "passed", "{bits}");
    }
}

#[test]
fn an_answer_that_is_too_long_is_refused_at_preparation() {
    let named = "  { tag = \"57\", derive = \"track-equivalent\" },\n  { tag = \"5F34\", order = \"psn\" },\n";
    let with_name = format!("{named}  {{ tag = \"5F20\", order = \"name\", optional = true }},\n");
    let no_room = ("  { tag = \"9F4B\", derive = \"fast-signature\" },\n", "");
    let changes = [("rsa_bits = 1024", "rsa_bits = 1408"), (named, with_name.as_str()), no_room];
    let error = prepared_of(&changed(VISA, &changes)).err().unwrap().to_string();
    assert!(
        error.contains("more than 256 bytes") && error.contains("fast-signature") && error.contains("R23"),
        "{error}"
    );
    // No signature, and yet too long.
    let long = format!("{named}  {{ tag = \"DF20\", fixed = \"{}\" }},\n", "00".repeat(200));
    assert_eq!(broken(&changed(VISA, &[(named, &long)])), [23]);
}

/// Debit and credit of a combined card have one PAN, sequence number and key.
#[test]
fn two_applications_with_one_key_share_a_counter_or_are_told() {
    let own = changed(COMBO, &[("\ncounter = \"A0000009990501\"", "")]);
    let sharing = changed(COMBO, &[]);
    let prepared = |profile: &Profile| {
        let mut order = order_for(PRODUCT);
        order["product"]["profile"] = "visa-like-combo".into();
        prepared_with(&order, profile, Some(&issuer_for(PRODUCT)), None)
    };
    let (own_made, shared) = (prepared(&own).unwrap(), prepared(&sharing).unwrap());
    assert_eq!(failing(&own_made.outcomes), [27], "told, and not refused");
    assert_eq!(failing(&shared.outcomes), [0u8; 0]);
    let told = own_made.outcomes.iter().find(|it| it.rule == 27 && !it.failures().is_empty()).unwrap().to_string();
    assert!(told.contains("warning") && told.contains("A000000999050") && told.contains("counter"), "{told}");
    for stage in [Stage::Check, Stage::Run] {
        assert_eq!(failing(&check::rules(stage, &own_made.record, Some(&own), Some(TODAY))), [27]);
        assert_eq!(failing(&check::rules(stage, &shared.record, Some(&sharing), Some(TODAY))), [0u8; 0]);
    }
    // The simulated card counts both applications' transactions with one counter, or makes one cryptogram twice.
    for (profile, made_of, same) in [(own, own_made, true), (sharing, shared, false)] {
        for contactless in [false, true] {
            let plan = check::plan(&made_of.record, &profile, &*KEYS).unwrap();
            let record = perso::record::Record::open(made_of.text.as_bytes(), &*KEYS).unwrap();
            let bench =
                Bench { record, profile: profile.clone(), plan, store: support::keys(), contactless, ca_keys: None };
            let card = made(&bench);
            let mut sim = SimCard::of(card);
            sim.approach(true).unwrap();
            let one = cryptogram(&mut sim, "A0000009990501");
            let other = cryptogram(&mut sim, "A0000009990502");
            assert_eq!(one == other, same, "{contactless}");
        }
    }
}

/// Cryptogram and counter of one tap with the same data every time.
fn cryptogram(card: &mut SimCard, aid: &str) -> (Vec<u8>, Vec<u8>) {
    card.reset();
    card.process(&hex::decode(format!("00A40400{:02X}{aid}00", aid.len() / 2)).unwrap());
    let data = TAP;
    let answer = card
        .process(&hex::decode(format!("80A80000{:02X}83{:02X}{data}00", data.len() / 2 + 2, data.len() / 2)).unwrap());
    assert!(answer.ends_with(&[0x90, 0x00]), "{}", hex::encode_upper(&answer));
    let objects = tlv::parse(&answer[..answer.len() - 2]).unwrap();
    let value = |tag| tlv::find(&objects, Tag::of(tag)).unwrap().value_bytes();
    (value(0x9F26), value(0x9F36))
}

#[test]
fn a_shared_counter_and_a_kernel_must_be_possible() {
    let wrong = |from: &str, to: &str| {
        let file = text(COMBO).replacen(from, to, 1);
        Profile::parse(&file).unwrap_err().iter().map(|it| it.path.clone()).collect::<Vec<_>>().join("\n")
    };
    let counter = "counter = \"A0000009990501\"";
    assert!(wrong(counter, "counter = \"A0000009990502\"").contains("application[1].counter"));
    assert!(wrong(counter, "counter = \"A0000009990509\"").contains("application[1].counter"));
    assert!(wrong(counter, "counter = \"A0\"").contains("application[1].counter"));
    assert!(wrong("kernel = 3", "kernel = 0").contains("application[0].kernel"));
    assert!(wrong("kernel = 3", "kernel = 64").contains("application[0].kernel"));
}

/// Every product with a contactless interface states the kernel of its applications.
#[test]
fn sample_profiles_state_their_kernels() {
    let folder = support::file_of("card-profiles");
    let mut stated = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        if file.extension().is_none_or(|it| it != "toml") {
            continue;
        }
        let profile = Profile::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let paying = profile.applications().iter().filter(|app| !app.aid().ends_with(b"PAY.SYS.DDF01"));
        for app in paying.filter(|_| profile.is_dual_interface()) {
            assert!(app.kernel().is_some(), "{}: {}", file.display(), hex::encode_upper(app.aid()));
            stated += 1;
        }
    }
    assert!(stated >= 6, "{stated}");
}

/// The products have an online PIN, which the card transaction qualifiers must ask for. // EMV C-3 annex A.2
#[test]
fn card_transaction_qualifiers_ask_for_the_products_cardholder_verification() {
    let combo = Bench { contactless: true, ..bench_of_combo() };
    for (card, aids) in [(CARD.clone(), &[DEBIT][..]), (made(&combo), &["A0000009990501", "A0000009990502"])] {
        for aid in aids {
            let (answer, _) = tapped(&card, aid);
            let objects = tlv::parse(&answer).unwrap();
            let qualifiers = tlv::find(&objects, Tag::of(0x9F6C)).unwrap().value_bytes();
            // Online PIN; online if the signature fails, and if the card has expired; no signature, no other interface.
            assert_eq!(qualifiers, [0xA8, 0x00], "{aid}");
        }
    }
}

fn bench_of_combo() -> Bench {
    let profile = changed(COMBO, &[]);
    let mut order = order_for(PRODUCT);
    order["product"]["profile"] = "visa-like-combo".into();
    let made_of = prepared_with(&order, &profile, Some(&issuer_for(PRODUCT)), None).unwrap();
    let plan = check::plan(&made_of.record, &profile, &*KEYS).unwrap();
    Bench { record: made_of.record, profile, plan, store: support::keys(), contactless: false, ca_keys: None }
}

/// The directory of the interface is asked the rules, too: R42 finds that the PSE names a file that is not there.
#[test]
fn directory_is_asked_the_rules_when_a_card_is_verified() {
    let bench = Bench { contactless: false, ..bench(PRODUCT, false) };
    let of_pse = |card: &CardFile| {
        let result = verified(&bench, card, &[]);
        let it = result.checks.into_iter().find(|it| it.check == "R42" && it.subject == "PSE (contact)").unwrap();
        (it.outcome, it.why.unwrap_or_default())
    };
    assert_eq!(of_pse(&CARD).0, "passed");
    let text = serde_json::to_string(&*CARD).unwrap();
    for (file, why) in [("02", "record 1 is not there"), ("1F", "01 to 0A")] {
        let wrong = text.replacen("A5088801015F2D02656E", &format!("A5088801{file}5F2D02656E"), 1);
        assert_ne!(text, wrong);
        let (outcome, told) = of_pse(&serde_json::from_str(&wrong).unwrap());
        assert!(outcome == "failed" && told.contains(why), "{file}: {outcome} {told}");
    }
    // Over the other interface nobody asks the PSE.
    let result = verified(&BENCH, &CARD, &[]);
    assert!(result.checks.iter().all(|it| it.subject != "PSE (contact)"));
    assert!(result.checks.iter().any(|it| it.subject == "PPSE (contactless)"));
}

#[test]
fn the_kernel_of_a_product_is_asked_about_its_card() {
    let result = verified(&BENCH, &CARD, &[]);
    assert_eq!(ended(&result, "R29").0, "passed");
    assert_eq!(ended(&result, "R28").0, "not applicable");
    let other = bench("mastercard-like", true);
    let result = verified(&other, &made(&other), &[]);
    assert_eq!(ended(&result, "R28").0, "passed");
    // Neither the profile nor the directory nor the RID of test cards tells a kernel.
    let unknown = Bench { contactless: true, ..bench_of(PRODUCT, changed(VISA, &[("\nkernel = 3", "")])) };
    let result = verified(&unknown, &made(&unknown), &[]);
    for rule in ["R28", "R29"] {
        let (outcome, why) = ended(&result, rule);
        assert!(outcome == "skipped" && why.contains("kernel is not known"), "{rule}: {outcome} {why}");
    }
    // The entry of the PPSE names it.
    let entry = "    { tag = \"87\", fixed = \"01\" },\n  ] }] },\n]";
    let named = "    { tag = \"87\", fixed = \"01\" },\n    { tag = \"9F2A\", fixed = \"03\" },\n  ] }] },\n]";
    let named = changed(VISA, &[("\nkernel = 3", ""), (entry, named)]);
    let bench = Bench { contactless: true, ..bench_of(PRODUCT, named) };
    assert_eq!(ended(&verified(&bench, &made(&bench), &[]), "R29").0, "passed");
    // What the kernel would end the transaction for is refused at preparation.
    for (from, to) in [
        ("9F38\", fixed = \"9F66049F0206", "9F38\", fixed = \"9F35019F0206"),
        ("5F2A029A039C019F3704\" },\n  { tag = \"5F2D\"", "9A039C019F3704\" },\n  { tag = \"5F2D\""),
        ("  { tag = \"57\", derive = \"track-equivalent\" },\n  { tag = \"5F34\"", "  { tag = \"5F34\""),
        ("  { tag = \"9F69\", fixed = \"01000000000000\" },\n", ""),
    ] {
        // A version that does not cover the currency: R38 has nothing to say of it.
        let version = ("fixed = \"06011203A00000\"", "fixed = \"06011103A00000\"");
        // Without 9F66 the answer carries nothing that was loaded for it either.
        let expected: &[u8] = if to.contains("9F35") { &[7, 29] } else { &[29] };
        assert_eq!(broken(&changed(VISA, &[(from, to), version])), expected, "{to}");
    }
    let master = "card-profiles/mastercard-like-debit.toml";
    let refused = |from: &str, to: &str| {
        let made = prepared_with(
            &order_for("mastercard-like"),
            &changed(master, &[(from, to)]),
            Some(&issuer_for("mastercard-like")),
            None,
        );
        match made {
            Err(PrepareError::Rules(outcomes)) => failing(&outcomes),
            other => panic!("{:?}", other.err().map(|error| error.to_string())),
        }
    };
    assert_eq!(refused("aip_contactless = \"1980\"", "aip_contactless = \"1900\""), [28]);
    let _ = profile_for;
}
