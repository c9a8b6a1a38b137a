//! Each rule with data that was prepared from a sample order: untouched it breaks no rule at any stage; with the
//! one thing changed that a rule watches, that rule fails and no other. `rules.rs` has each way of breaking each rule.
//!
//! Four stages, four ways to change something: for *prepare* the product or the order, for *check* and *run* the prepared
//! record, for *verify* the finished card.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::chip_data;
use crate::prepared;
use crate::support;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chip_data::{Data, PAYMENT, object};
use perso::base::chance::Instant;
use perso::base::codec::tlv::{self, Tag, Tlv};
use perso::base::emv::rules::{RULES, Stage};
use perso::base::emv::track::Fields;
use perso::base::{Clock, Secret};
use perso::card::sim::{CardFile, SimCard, SimTransport};
use perso::issuance::check;
use perso::issuance::journal::Journal;
use perso::issuance::proof::result::VerifyResult;
use perso::issuance::proof::{Consent, Verification};
use perso::issuance::result::ProgramRef;
use perso::keys::KeyStore;
use perso::keys::ca_keys::CaKeys;
use perso::prepare::{PrepareError, Prepared};
use perso::profile::Profile;
use perso::record::{Content, Draft, DraftApplication, DraftPrint, DraftValue, Problem, Record, StripeMade};
use prepared::{KEYS, PRODUCTS, chance, issuer_for, order_for, prepared_with, profile_for, text};
use serde_json::Value;
use support::Bench;

const PRODUCT: &str = "visa-like";
const PSE: &str = "315041592E5359532E4444463031";
const TODAY: (u16, u8, u8) = (2026, 11, 24);

static GOOD: LazyLock<Prepared> = LazyLock::new(|| {
    prepared_with(&order_for(PRODUCT), &profile_for(PRODUCT), Some(&issuer_for(PRODUCT)), None).unwrap()
});
/// The card of that record.
static CARD: LazyLock<CardFile> = LazyLock::new(|| {
    let bench = prepared::bench(PRODUCT, false);
    let ran = bench.run_on(bench.blank(), &[], &mut Journal::in_memory());
    assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
    ran.card
});

type Rules = BTreeSet<u8>;

/// What is changed for a rule in record and card, and the stages that see it. Where a stage is missing, the reason is
/// beside it.
struct Sample {
    rule: u8,
    change: fn(&mut Data),
    stages: &'static [Stage],
}

use Stage::{Check, Run, Verify};

const fn sample(rule: u8, stages: &'static [Stage], change: fn(&mut Data)) -> Sample {
    Sample { rule, change, stages }
}

const ALL: &[Stage] = &[Check, Run, Verify];
const RECORD: &[Stage] = &[Check, Run];

const SAMPLES: &[Sample] = &[
    sample(1, ALL, |it| it.inside(PAYMENT, 0x0201, |objects| replace(objects, 0x5A, "4111111111111111"))),
    sample(2, ALL, |it| it.set(0x5F30, Some("0221"))),
    sample(3, ALL, |it| it.set(0x57, Some("47617390010101193012201100000006"))),
    sample(4, ALL, |it| {
        let track = it.track().replace("4761739001010119", "4761739001010118");
        it.set(0x57, Some(&track));
        it.set(0x5A, Some("4761739001010118"));
    }),
    sample(5, ALL, |it| it.set(0x5F24, Some("301230"))),
    sample(6, ALL, |it| it.set(0x5F20, Some("534F4D45424F4459"))),
    // The record that the rules look at elsewhere is the one with 57: without it they have nothing to compare.
    sample(7, ALL, |it| drop(it.groupings.remove(&(PAYMENT.to_owned(), 0x0101)))),
    sample(8, ALL, |it| it.add(0x0204, 0x9F0D, "B860AC8800")),
    sample(9, ALL, |it| it.set(0x8D, None)),
    sample(10, ALL, |it| {
        let locator = it.grouping(0x9104);
        let at = locator.iter().position(|byte| *byte == 0x7D).unwrap();
        locator[at] = 0x3D;
    }),
    // A record alone shows no CA key: nothing can be recovered before a card is proven. Prepare has its own sample.
    sample(11, &[Verify], |it| it.grouping(0x0203)[20] ^= 1),
    sample(12, ALL, |it| it.set(0x9F4A, Some("8295"))),
    sample(13, ALL, |it| it.set(0x8E, None)),
    sample(14, ALL, |it| it.set(0x8E, Some("000000000000000041034203420302031E031F"))),
    sample(15, ALL, |it| it.set(0x8D, Some("9F02069F03069F1A0295055F2A029A039C019F3704"))),
    sample(16, ALL, |it| it.set(0x5F28, None)),
    sample(17, ALL, |it| it.set(0x9F11, None)),
    sample(18, ALL, |it| it.add(0x9102, 0x9F38, "9F1A025A08")),
    sample(19, ALL, |it| it.inside(PAYMENT, 0x9102, |objects| log(objects, "0A0A"))),
    sample(20, ALL, |it| {
        it.inside(PSE, 0x0101, |objects| {
            *objects = tlv::parse(&hex::decode("61134F07A000000999030250054445424954870101").unwrap()).unwrap();
        });
    }),
    sample(21, ALL, |it| {
        let track = stripe().1.trim_start_matches(';').trim_end_matches('?').replace('=', "D");
        let filled = if track.len() % 2 == 1 { track + "F" } else { track };
        it.set(0x57, Some(&filled));
    }),
    // The keys are sealed in a record, and a card's cryptogram shows only whether they are the right ones: see the last
    // test. Prepare has its own sample.
    sample(22, &[], |it| it.set(0x5F34, Some("02"))),
    // A finished card answers a record of more than 254 bytes with an error: it is not there then (R7).
    sample(23, RECORD, |it| it.add(0x0204, 0xDF20, &"00".repeat(200))),
    sample(24, ALL, |it| it.service_code("101")),
    sample(25, ALL, |it| it.set(0x9F08, Some("7777"))),
    sample(26, ALL, |it| {
        it.service_code("220");
        it.set(0x8E, Some("00000000000000001E031F00"));
    }),
    // Products of one payment application have no second one, and this card is read by its contacts: tests/it/contactless.rs
    // has the samples of the contactless kernels and of two applications with one key.
    sample(27, &[], |_| ()),
    sample(28, &[], |_| ()),
    // Record alone: over its contacts a card does not show it.
    sample(29, RECORD, |it| it.inside(PAYMENT, 0x0305, |objects| replace(objects, 0x9F69, "00000000000000"))),
    sample(36, ALL, |it| it.set(0x8D, Some("8A02910A9F3704"))),
    sample(37, ALL, |it| it.set(0x9F0D, Some("B860AC8800"))),
    // A card with contacts does not show its 9F10 before it makes a cryptogram; a record says what it loads.
    sample(38, RECORD, |it| it.set(0x8C, Some("9F02069F03069F1A0295055F2A029C019F3704"))),
    sample(39, RECORD, |it| *it.grouping(0x9200) = hex::decode("06011603A00000").unwrap()),
    sample(40, ALL, |it| it.set(0x8D, Some("8A029F02069F03069F1A0295055F2A029A039C019F3704DF2001"))),
    sample(41, ALL, |it| it.set(0x9F42, Some("0ABC"))),
    // The directory's records that nothing names are not read from a card.
    sample(42, RECORD, |it| it.inside(PSE, 0x9102, |objects| replace(objects, 0x88, "02"))),
    sample(43, ALL, |it| it.set(0x87, Some("02"))),
    sample(44, ALL, |it| it.set(0x9F07, Some("0300"))),
    // A card in use shows the counter that it has come to.
    sample(45, RECORD, |it| {
        let internal = it.grouping(0x3000);
        let at = internal.windows(3).position(|it| *it == [0x9F, 0x36, 0x02]).unwrap();
        internal[at + 3..at + 5].fill(0xFF);
    }),
    // A card in use shows the counter that it has come to, and no limit.
    sample(46, RECORD, |it| *it.grouping(0x9010) = vec![4, 3]),
];

/// Another log entry, inside the issuer's discretionary template.
fn log(objects: &mut [Tlv], value: &str) {
    let template = objects.iter_mut().find(|held| held.tag == Tag::of(0xBF0C)).unwrap();
    *template = tlv::parse_one(&tlv::encode(Tag::of(0xBF0C), &object(0x9F4D, value).encode())).unwrap();
}

fn replace(objects: &mut [Tlv], tag: u32, value: &str) {
    *objects.iter_mut().find(|held| held.tag == Tag::of(tag)).unwrap() = object(tag, value);
}

/// Tracks 1 and 2 of the record.
fn stripe() -> (String, String) {
    let tracks = GOOD.record.subjects().remove(0).tracks.unwrap();
    let (one, two): (Fields, Fields) = (tracks.one.unwrap(), tracks.two.unwrap());
    let name = one.name.clone().unwrap();
    let data = |it: &Fields| format!("{}{}{}", it.expiry, it.service_code, it.discretionary);
    (format!("%B{}^{name}^{}?", one.pan.digits(), data(&one)), format!(";{}={}?", two.pan.digits(), data(&two)))
}

/// The record again, with this data.
fn record_of(data: &Data) -> Result<Record, Vec<Problem>> {
    let (good, (one, two)) = (&GOOD.record, stripe());
    let [one, two] = [one, two].map(|track| track.replace("3012201", &format!("3012{}", data.code)));
    let applications = good.applications().iter().map(|app| {
        let aid = hex::encode_upper(app.aid());
        let groupings = app.groupings().iter().filter_map(|grouping| {
            let held = data.groupings.get(&(aid.clone(), grouping.dgi()))?;
            let value = match (held, grouping.content()) {
                (Some(clear), _) => DraftValue::Clear(Secret::new(clear.clone())),
                (None, Content::Sealed(sealed)) => DraftValue::Sealed {
                    key: sealed.key().to_owned(),
                    iv: sealed.iv().unwrap().to_vec(),
                    ciphertext: sealed.ciphertext().to_vec(),
                    length: sealed.length(),
                },
                (None, Content::Clear(_)) => return None,
            };
            Some((grouping.dgi(), value))
        });
        DraftApplication {
            aid: app.aid().to_vec(),
            method: app.method().clone(),
            groupings: groupings.collect(),
            cryptogram_key: None,
        }
    });
    let draft = Draft {
        id: "changed-1".into(),
        profile: (good.header().profile_name().to_owned(), good.header().profile_sha256().to_owned()),
        record_key: "lab-record".into(),
        applications: applications.collect(),
        stripe: StripeMade::Elsewhere,
        tracks: [Some(Secret::new(one)), Some(Secret::new(two)), None],
        print: DraftPrint::default(),
        cryptogram_key: None,
        foreign_keys: false,
        sample: false,
        expiry_rule: None,
        order: None,
    };
    draft.seal(&*KEYS, &mut chance()).map(|(_, record)| record)
}

/// Rules by the numbers that messages end with: `… (R7)`.
fn named(problems: &[Problem]) -> Rules {
    let rule = |problem: &Problem| problem.message.rsplit_once("(R")?.1.trim_end_matches(')').parse().ok();
    problems.iter().filter_map(rule).collect()
}

/// The rules that refuse the record or warn of it. A record with an error is not even opened, for `check` or for `run`.
fn of_record(data: &Data, stage: Stage) -> Rules {
    let record = match record_of(data) {
        Ok(record) => record,
        Err(problems) => return named(&problems),
    };
    let outcomes = check::rules(stage, &record, Some(&profile_for(PRODUCT)), Some(TODAY));
    outcomes.iter().filter(|outcome| !outcome.failures().is_empty()).map(|outcome| outcome.rule).collect()
}

/// What a finished card is told of, with what is changed about it.
fn of_card(change: Option<fn(&mut Data)>, consent: Consent) -> VerifyResult {
    let mut card = CARD.clone();
    if let Some(change) = change {
        let before = Data::of_record(&GOOD.record);
        let mut data = Data::of_record(&GOOD.record);
        change(&mut data);
        let aids = card.blank.applications.iter().map(|aid| hex::encode_upper(&aid.0));
        for (aid, app) in aids.zip(&mut card.state.applications) {
            for (at, value) in before.groupings.iter().filter(|((own, _), _)| *own == aid) {
                let name = format!("{:04X}", at.1);
                match data.groupings.get(at) {
                    None => drop(app.groupings.remove(&name)),
                    Some(Some(changed)) if Some(changed) != value.as_ref() => {
                        app.groupings.get_mut(&name).unwrap().0 = changed.clone();
                    }
                    Some(_) => {}
                }
            }
        }
    }
    let bench = prepared_bench();
    let ca_keys = CaKeys::parse(text("tests/samples/issuer/ca-keys.test.json").as_bytes()).unwrap();
    let verification = Verification {
        profile: Some(&bench.profile),
        record: Some((&bench.record, &bench.plan)),
        store: Some(&*KEYS as &dyn KeyStore),
        ca_keys: Some(&ca_keys),
        aids: Vec::new(),
        consent,
        clock: Clock::fixed(Instant(1_795_521_600_000_000)),
        chance: &mut chance(),
        program: ProgramRef { version: "test".into(), sha256: None },
        simulated: true,
    };
    let transport = SimTransport::memory(SimCard::of(card)).approach(false).unwrap();
    verification.run(Box::new(transport)).unwrap()
}

fn broken(result: &VerifyResult) -> Rules {
    let failed = result.checks.iter().filter(|check| check.outcome == "failed");
    failed.filter_map(|check| check.check.strip_prefix('R')?.parse().ok()).collect()
}

fn prepared_bench() -> &'static Bench {
    static BENCH: LazyLock<Bench> = LazyLock::new(|| prepared::bench(PRODUCT, false));
    &BENCH
}

fn of_sample(sample: &Sample, stage: Stage) -> Rules {
    if stage != Verify {
        let mut data = Data::of_record(&GOOD.record);
        (sample.change)(&mut data);
        return of_record(&data, stage);
    }
    let mut rules = broken(&of_card(Some(sample.change), Consent::default()));
    // Whoever changes what the issuer has signed breaks the signature too.
    if sample.rule != 11 {
        rules.remove(&11);
    }
    rules
}

#[test]
fn what_was_prepared_breaks_no_rule_at_any_stage() {
    for name in PRODUCTS {
        let profile = profile_for(name);
        let prepared = prepared_with(&order_for(name), &profile, Some(&issuer_for(name)), None).unwrap();
        let later = RECORD.iter().flat_map(|stage| check::rules(*stage, &prepared.record, Some(&profile), Some(TODAY)));
        let outcomes: Vec<_> = prepared.outcomes.iter().cloned().chain(later).collect();
        assert!(outcomes.iter().all(|outcome| outcome.failures().is_empty()), "{name}: {outcomes:?}");
    }
    for stage in RECORD {
        assert_eq!(of_record(&Data::of_record(&GOOD.record), *stage), Rules::new(), "{}", stage.name());
    }
    assert_eq!(broken(&of_card(None, Consent { generate_ac: true, pin: None })), Rules::new());
}

#[test]
fn what_a_rule_watches_breaks_that_rule_in_record_and_card() {
    let mut wrong = Vec::new();
    for sample in SAMPLES {
        for stage in ALL {
            let expected = if sample.stages.contains(stage) { Rules::from([sample.rule]) } else { continue };
            let rules = of_sample(sample, *stage);
            if rules != expected {
                wrong.push(format!("R{} at {}: {rules:?}", sample.rule, stage.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let numbers: Vec<u8> = SAMPLES.iter().map(|sample| sample.rule).collect();
    assert_eq!(numbers, RULES.iter().map(|rule| rule.number).collect::<Vec<_>>());
}

/// What is changed for a rule before the data is prepared: words of the product's file, or members of the order's card.
struct Before<'a> {
    rule: u8,
    product: &'a [(&'a str, &'a str)],
    order: &'a [(&'a str, &'a str)],
}

const fn product<'a>(rule: u8, product: &'a [(&'a str, &'a str)]) -> Before<'a> {
    Before { rule, product, order: &[] }
}

const CVM: &str = r#"{ tag = "8E", fixed = "000000000000000044034103420302031E031F00" }"#;

const BEFORE: &[Before<'static>] = &[
    product(1, &[(r#"{ tag = "5A", order = "pan" }"#, r#"{ tag = "5A", fixed = "4761739001010010" }"#)]),
    product(2, &[(r#"{ tag = "5F30", order = "service-code" }"#, r#"{ tag = "5F30", fixed = "0221" }"#)]),
    product(
        3,
        &[(
            r#"{ tag = "57", derive = "track-equivalent" }"#,
            r#"{ tag = "57", fixed = "47617390010101193012201100000006" }"#,
        )],
    ),
    product(4, &[("[rules]\n", "[rules]\npan_prefixes = [\"5\"]\n")]),
    product(
        5,
        &[(r#"{ tag = "5F25", order = "effective", optional = true }"#, r#"{ tag = "5F25", fixed = "310101" }"#)],
    ),
    product(
        6,
        &[(r#"{ tag = "5F20", order = "name", optional = true }"#, r#"{ tag = "5F20", fixed = "534F4D45424F4459" }"#)],
    ),
    product(7, &[("dgi = \"9104\"\nderive = \"locator\"", "dgi = \"9104\"\nfixed = \"82027D0094080801010010010601\"")]),
    product(
        8,
        &[(
            r#"{ tag = "93", derive = "signed-static-data" }"#,
            r#"{ tag = "93", derive = "signed-static-data" }, { tag = "9F0D", fixed = "B860AC8800" }"#,
        )],
    ),
    product(9, &[("  { tag = \"8D\", fixed = \"8A029F02069F03069F1A0295055F2A029A039C019F3704\" },\n", "")]),
    product(10, &[("aip = \"7D00\"", "aip = \"3D00\"")]),
    Before { rule: 11, product: &[], order: &[("expiry", "4912")] },
    product(13, &[(CVM, r#"{ tag = "9F44", fixed = "02" }"#)]),
    product(14, &[(CVM, r#"{ tag = "8E", fixed = "000000000000000044034103420302031E031F" }"#)]),
    product(15, &[("8D\", fixed = \"8A029F0206", "8D\", fixed = \"9F0206")]),
    product(16, &[("  { tag = \"5F28\", fixed = \"0250\" },\n", "")]),
    product(17, &[("  { tag = \"9F11\", fixed = \"01\" },\n", "")]),
    product(18, &[("9F38\", fixed = \"9F6604", "9F38\", fixed = \"5A089F6604")]),
    product(19, &[("{ tag = \"9F4D\", fixed = \"0B0A\" }", "{ tag = \"9F4D\", fixed = \"0A0A\" }")]),
    // An AID that no application has is refused in the profile.
    product(
        20,
        &[(
            "{ tag = \"4F\", fixed = \"A0000009990301\" }",
            "{ tag = \"4F\", fixed = \"325041592E5359532E4444463031\" }",
        )],
    ),
    product(21, &[("chip2 = \"{pvki}{pvv}{icvv}00\"", "chip2 = \"{pvki}{pvv}{cvv}00\"")]),
    product(22, &[(r#"{ tag = "5F34", order = "psn" }"#, r#"{ tag = "5F34", fixed = "02" }"#)]),
    product(
        23,
        &[(
            r#"{ tag = "93", derive = "signed-static-data" }"#,
            concat!(
                r#"{ tag = "93", derive = "signed-static-data" }, { tag = "DF20", fixed = ""#,
                "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
                "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
                "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
                r#"" }"#
            ),
        )],
    ),
    Before { rule: 24, product: &[], order: &[("service_code", "101")] },
    product(25, &[(r#"{ tag = "9F08", fixed = "0096" }"#, r#"{ tag = "9F08", fixed = "7777" }"#)]),
    Before {
        rule: 26,
        product: &[(CVM, r#"{ tag = "8E", fixed = "00000000000000001E031F00" }"#)],
        order: &[("service_code", "220")],
    },
    product(28, &[("kernel = 3", "kernel = 2"), ("aip_contactless = \"2000\"", "aip_contactless = \"2080\"")]),
    product(29, &[("9F69\", fixed = \"01", "9F69\", fixed = \"00")]),
    product(36, &[("8D\", fixed = \"8A029F0206", "8D\", fixed = \"8A02910A9F0206")]),
    product(37, &[("FC60AC8800", "B860AC8800")]),
    product(
        38,
        &[("8C\", fixed = \"9F02069F03069F1A0295055F2A029A03", "8C\", fixed = \"9F02069F03069F1A0295055F2A02")],
    ),
    product(39, &[("fixed = \"06011203A00000\"", "fixed = \"06011603A00000\"")]),
    product(40, &[("8D\", fixed = \"8A029F0206", "8D\", fixed = \"8A029F0206DF2001")]),
    product(41, &[("9F42\", fixed = \"0978", "9F42\", fixed = \"0ABC")]),
    product(42, &[("88\", fixed = \"01", "88\", fixed = \"02")]),
    product(43, &[("87\", fixed = \"01\" },\n  { tag = \"5F2D", "87\", fixed = \"02\" },\n  { tag = \"5F2D")]),
    product(44, &[("9F07\", fixed = \"FFC0", "9F07\", fixed = \"0300")]),
    product(46, &[("dgi = \"9010\"\nderive = \"pin-tries\"", "dgi = \"9010\"\nfixed = \"0403\"")]),
    product(45, &[("9F36\", fixed = \"0000", "9F36\", fixed = \"FFFF")]),
];

/// The rules that data preparation says are broken.
fn of_preparation(before: &Before<'_>) -> Result<Rules, String> {
    let mut file = text("card-profiles/visa-like-debit.toml");
    for (from, to) in before.product {
        assert!(file.contains(from), "{from}");
        file = file.replacen(from, to, 1);
    }
    let mut order: Value = order_for(PRODUCT);
    for (name, value) in before.order {
        order["card"][*name] = (*value).into();
    }
    let profile = Profile::parse(&file).map_err(|problems| format!("{problems:?}"))?;
    match prepared_with(&order, &profile, Some(&issuer_for(PRODUCT)), None) {
        Ok(Prepared { outcomes, .. }) | Err(PrepareError::Rules(outcomes)) => {
            Ok(outcomes.iter().filter(|outcome| !outcome.failures().is_empty()).map(|outcome| outcome.rule).collect())
        }
        Err(PrepareError::Record(problems)) => Ok(named(&problems)),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn what_a_rule_watches_breaks_that_rule_in_preparation() {
    let mut wrong = Vec::new();
    for before in BEFORE {
        match of_preparation(before) {
            Ok(rules) if rules == Rules::from([before.rule]) => {}
            other => wrong.push(format!("R{}: {other:?}", before.rule)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What a terminal does not authenticate is not signed: preparation ends before there is data to ask R12 of.
    let others = product(12, &[(r#"{ tag = "9F4A", fixed = "82" }"#, r#"{ tag = "9F4A", fixed = "8295" }"#)]);
    let refused = of_preparation(&others).unwrap_err();
    assert!(refused.contains("no static data to be authenticated"), "{refused}");
    // R27 takes two applications: tests/it/contactless.rs.
    let numbers: Rules = BEFORE.iter().map(|before| before.rule).chain([12, 27]).collect();
    assert_eq!(numbers, RULES.iter().map(|rule| rule.number).collect::<Rules>());
}

#[test]
fn keys_of_another_sequence_number_show_in_the_cards_cryptogram() {
    let sample = SAMPLES.iter().find(|sample| sample.rule == 22).unwrap();
    let consent = || Consent { generate_ac: true, pin: None };
    let (good, changed) = (of_card(None, consent()), of_card(Some(sample.change), consent()));
    let outcome = |result: &VerifyResult, name: &str| {
        result.checks.iter().find(|check| check.check == name).unwrap().outcome.clone()
    };
    assert_eq!(outcome(&good, "cryptogram"), "passed");
    // The host derives the key with the number that the card states: the cryptogram is not its own, and which number it
    // was cannot be seen.
    assert_eq!((outcome(&changed, "cryptogram").as_str(), outcome(&changed, "R22").as_str()), ("failed", "skipped"));
}

/// The product's file with other words for a record that is read over the contactless interface.
fn with_read(from: &str, to: &str) -> Result<Rules, String> {
    of_preparation(&product(0, &[(from, to)]))
}

const ANSWERED: &str = "dgi = \"0306\"\ntemplate = \"70\"\nread = [\"answer\"]";

#[test]
fn an_object_of_answer_and_contactless_record_is_refused() {
    // The record of the answer is named by the AFL too: each of its objects comes once. With 57 in both, twice.
    let named = |read: &str| format!("dgi = \"0306\"\ntemplate = \"70\"\nread = {read}");
    assert_eq!(with_read(ANSWERED, &named("[\"contact\", \"answer\"]")), Ok(Rules::from([8])), "57 is in 0101 too");
    let first = "{ tag = \"5A\", order = \"pan\" },\n  { tag = \"5F24\", order = \"expiry\" },\n  { tag = \"5F28\"";
    let twice = format!("{{ tag = \"57\", derive = \"track-equivalent\" }},\n  {first}");
    assert_eq!(with_read(first, &twice), Ok(Rules::from([8])));
    let refused = with_read(ANSWERED, &named("[\"contactless\", \"answer\"]")).unwrap_err();
    assert!(refused.contains("grouping") && refused.contains("read") && refused.contains("twice"), "{refused}");
    let refused = with_read(ANSWERED, &named("[\"answer\", \"answer\"]")).unwrap_err();
    assert!(refused.contains("duplicate place"), "{refused}");
    let refused = with_read(ANSWERED, &format!("{}\nsigned = true", named("[]"))).unwrap_err();
    assert!(refused.contains("signed") && refused.contains("no AFL names the record"), "{refused}");
}

#[test]
fn a_record_outside_every_afl_and_answer_can_be_stated() {
    let unread = |read: &str| {
        let extra = format!(
            "[[prepare.application.grouping]]\ndgi = \"0401\"\n{read}template = \"70\"\nput = [{{ tag = \"DF20\", fixed = \"00\" }}]\n\n"
        );
        let before = "[[prepare.application.grouping]]\ndgi = \"3000\"";
        with_read(before, &format!("{extra}{before}"))
    };
    assert_eq!(unread("read = []\n"), Ok(Rules::new()));
    for words in [
        "read = [\"contact\"]\n",
        "read = \"contactless\"\n",
        "read = [\"contactless\", \"contact\"]\n",
        "",
        "read = [\"answer\"]\n",
    ] {
        assert_eq!(unread(words), Ok(Rules::new()), "{words}");
    }
    // No AFL names it, and nothing says so: the AFL is a fixed value here.
    let record = GOOD.record.subjects();
    let contact =
        record.iter().find(|subject| !subject.contactless && subject.locator.as_ref().unwrap().is_some()).unwrap();
    assert!(!contact.records.is_empty());
    let outcomes = check::rules(Check, &GOOD.record, None, Some(TODAY));
    assert!(outcomes.iter().any(|it| it.rule == 7 && it.to_string().contains("no AFL names the record")));
    assert!(
        check::rules(Check, &GOOD.record, Some(&profile_for(PRODUCT)), Some(TODAY))
            .iter()
            .all(|it| it.failures().is_empty())
    );
}
