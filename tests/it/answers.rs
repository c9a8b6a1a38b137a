//! Records whose objects the contactless answer to GET PROCESSING OPTIONS carries: they are proven by that answer, on a card
//! that gives it. And products whose cards a job spoiled although preparation, or the simulated blank, could have known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::prepared;

use std::collections::BTreeSet;

use crate::support::Bench;
use perso::issuance::journal::Journal;
use perso::issuance::result::RunResult;
use perso::keys::ca_keys::CaKeys;
use perso::prepare::PrepareError;
use perso::profile::Profile;
use prepared::{bench_of, issuer_for, order_for, prepared_with, text};

const DEBIT: &str = "A0000009990301";

/// A product's file with other words.
fn changed(product: &str, changes: &[(&str, &str)]) -> String {
    let mut file = text(&format!("card-profiles/{product}.toml"));
    for (from, to) in changes {
        assert!(file.contains(from), "{product} has no {from}");
        file = file.replacen(from, to, 1);
    }
    file
}

fn order_of(product: &str) -> &'static str {
    if product.starts_with("mastercard") { "mastercard-like" } else { "visa-like" }
}

fn bench(product: &str, changes: &[(&str, &str)], contactless: bool) -> Bench {
    let profile = Profile::parse(&changed(product, changes)).unwrap_or_else(|problems| panic!("{problems:?}"));
    Bench { contactless, ..bench_of(order_of(product), profile) }
}

fn ran(bench: &Bench) -> RunResult {
    bench.run_on(bench.blank(), &[], &mut Journal::in_memory()).result
}

/// The numbers of the rules that refuse a product's sample order; none if it is prepared.
fn refusing(product: &str, changes: &[(&str, &str)]) -> BTreeSet<u8> {
    outcomes(product, changes, true)
}

/// The numbers of the rules that refuse, or warn of, a product's sample order.
fn outcomes(product: &str, changes: &[(&str, &str)], errors: bool) -> BTreeSet<u8> {
    let profile = Profile::parse(&changed(product, changes)).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut order = order_for(order_of(product));
    order["product"]["profile"] = product.into();
    match prepared_with(&order, &profile, Some(&issuer_for(order_of(product))), None) {
        Ok(prepared) if errors => prepared.outcomes.iter().filter(|it| it.refuses()).map(|it| it.rule).collect(),
        Ok(prepared) => prepared.outcomes.iter().filter(|it| !it.failures().is_empty()).map(|it| it.rule).collect(),
        Err(PrepareError::Rules(outcomes)) => outcomes.iter().filter(|it| it.refuses()).map(|it| it.rule).collect(),
        Err(PrepareError::Record(problems)) => {
            let rule = |message: &str| message.rsplit_once("(R")?.1.trim_end_matches(')').parse().ok();
            let rules: BTreeSet<u8> = problems.iter().filter_map(|problem| rule(&problem.message)).collect();
            assert!(!rules.is_empty(), "{problems:?}");
            rules
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_record_of_the_answer_is_proven_by_the_answer() {
    let how = |list: &[perso::issuance::result::Evidence]| {
        list.iter().find(|it| it.aid == DEBIT && it.dgi == "0306").map(|it| it.how.clone())
    };
    let contactless = ran(&bench("visa-like-debit", &[], true));
    assert_eq!(contactless.state, "good", "{:?}", contactless.findings);
    assert_eq!(
        how(&contactless.proven).as_deref(),
        Some("the answer to GET PROCESSING OPTIONS carries its objects"),
        "{:?}",
        how(&contactless.loaded_not_proven)
    );
    let contact = ran(&bench("visa-like-debit", &[], false));
    assert_eq!(contact.state, "good", "{:?}", contact.findings);
    assert_eq!(how(&contact.proven), None);
    assert_eq!(how(&contact.loaded_not_proven).as_deref(), Some("it shows over the contactless interface only"));
}

/// The card gives READ RECORD the record, and a terminal never sees it: with keys for a proof and without.
#[test]
fn a_card_whose_answer_lacks_what_was_loaded_for_it_is_spoiled() {
    let without_keys = [("generate_ac = true", "generate_ac = false")];
    for changes in [&[][..], &without_keys] {
        let bench = bench("visa-like-debit", changes, true);
        let mut card = bench.blank();
        card.file_mut().blank.emv.answer_records.insert(DEBIT.into(), Vec::new());
        let ran = bench.run_on(card, &[], &mut Journal::in_memory()).result;
        assert_eq!(ran.state, "spoiled", "{changes:?}");
        let missing: Vec<(&str, &str, &str)> =
            ran.findings.iter().map(|it| (it.code.as_str(), it.at.as_str(), it.tag.as_str())).collect();
        for tag in ["57", "5F34", "9F6C"] {
            assert!(missing.contains(&("CARD-MISMATCH", "GET PROCESSING OPTIONS", tag)), "{tag}: {missing:?}");
        }
        // A finding shows no track.
        assert!(ran.findings.iter().all(|it| !it.what.contains("4761739001010119")));
    }
}

/// The issuer application data of the answer have another form than those that were loaded: nothing else compares them, and
/// the cryptogram over them cannot be checked.
#[test]
fn a_rule_that_the_record_keeps_and_its_card_breaks_is_a_finding() {
    let bench = bench("visa-like-debit", &[], true);
    let bench = Bench {
        ca_keys: Some(CaKeys::parse(text("tests/samples/issuer/ca-keys.test.json").as_bytes()).unwrap()),
        ..bench
    };
    let fault = "corrupt TAG 9F10 byte 2 mask 30 on answering".to_owned();
    let ran = bench.run_on(bench.blank(), &[fault], &mut Journal::in_memory()).result;
    assert_eq!(ran.state, "spoiled", "{:?}", ran.findings);
    assert!(ran.findings.iter().any(|it| it.at == "rule R39" && it.tag == "9F10"), "{:?}", ran.findings);
}

const IN_ANSWER: &str =
    "[[prepare.application.grouping]]\ndgi = \"0A01\"\ntemplate = \"70\"\nread = [\"answer\"]\nput = [\n";

/// Each object of a contactless record of a product in the manner of Mastercard: its answer carries AIP and AFL only.
#[test]
fn a_record_of_the_answer_of_a_card_that_does_not_answer_at_once_is_refused() {
    let antenna =
        "# Over the antenna: the same card, with what a contactless kernel needs for a cryptogram and its signature.\n";
    for object in [
        "  { tag = \"5F24\", order = \"expiry\" },\n",
        "  { tag = \"5A\", order = \"pan\" },\n",
        "  { tag = \"5F34\", order = \"psn\" },\n",
        "  { tag = \"8D\", fixed = \"910A8A0295059F37049F4C08\" },\n",
        "  { tag = \"57\", derive = \"track-equivalent\" },\n",
        "  { tag = \"8F\", derive = \"ca-index\" },\n",
        "  { tag = \"9F46\", derive = \"icc-certificate\" },\n",
        "  { tag = \"9F47\", derive = \"icc-exponent\" },\n",
    ] {
        let file = changed("mastercard-like-debit", &[]);
        let (before, after) = file.split_once(antenna).unwrap();
        assert!(after.contains(object), "{object}");
        let own = format!("{antenna}{IN_ANSWER}{object}]\n\n");
        let with = format!("{before}{own}{}", after.replacen(object, "", 1));
        let profile = Profile::parse(&with).unwrap();
        let order = order_for("mastercard-like");
        let Err(error) = prepared_with(&order, &profile, Some(&issuer_for("mastercard-like")), None) else {
            panic!("{object} is prepared");
        };
        assert!(
            format!("{error:?}").contains("does not make its cryptogram there") || error.to_string().contains("R7"),
            "{object}: {error:?}"
        );
    }
    // The same in a product in the manner of Visa whose PDOL does not ask for the qualifiers.
    let asks = ("9F38\", fixed = \"9F66049F0206", "9F38\", fixed = \"9F35019F0206");
    assert!(refusing("visa-like-debit", &[asks]).contains(&7));
}

#[test]
fn a_record_of_the_answer_without_a_contactless_answer_is_refused_in_the_profile() {
    let file = changed("visa-like-contact", &[("read = \"contact\"", "read = [\"answer\"]")]);
    let problems = Profile::parse(&file).expect_err("it is refused");
    let shown = format!("{problems:?}");
    assert!(shown.contains(".read") && shown.contains("no contactless answer"), "{shown}");
}

/// Mastercard's form of 9F10, or its stated cryptogram, where no record over the contactless interface holds CDOL1.
#[test]
fn a_cryptogram_of_mastercard_without_cdol1_is_refused_over_the_contactless_interface() {
    let visa = "dgi = \"9200\"\nfixed = \"06011203A00000\"";
    let long = format!("1F11{}", "A0".repeat(30));
    let forms = [
        "0110A00000000000000000000000000000FF",
        "0111A00000000000000000000000000000FF",
        "0611A00003220000000000000000000000FF",
        &long,
    ];
    for form in forms {
        let to = format!("dgi = \"9200\"\nfixed = \"{form}\"");
        let changes = [(visa, to.as_str()), ("[verify]\n", "[verify]\ncryptogram = \"mchip\"\n")];
        for changes in [&changes[..1], &changes] {
            if changes.len() == 1 && form == long {
                continue;
            }
            let rules = refusing("visa-like-debit", changes);
            assert!(rules.contains(&9), "{form}: {rules:?}");
        }
    }
    // The second application of two alone.
    let file = changed("visa-like-combo", &[]);
    let at = file.rfind(visa).unwrap();
    let with = file[..at].to_owned()
        + "dgi = \"9200\"\nfixed = \"0114A00000000000000000000000000000FF\""
        + &file[at + visa.len()..];
    let profile = Profile::parse(&with).unwrap();
    let mut order = order_for("visa-like");
    order["product"]["profile"] = "visa-like-combo".into();
    let error = prepared_with(&order, &profile, Some(&issuer_for("visa-like")), None).err().expect("it is refused");
    assert!(format!("{error:?}").contains("Mastercard's, at GENERATE AC only"), "{error:?}");
}

/// A cryptogram as the profile states it: the simulated blank makes it, the host checks it, over both interfaces.
#[test]
fn a_stated_cryptogram_makes_good_cards_over_both_interfaces() {
    let plain = ("[verify]\n", "[verify]\ncryptogram = \"plain\"\n");
    let data = |value: &str| format!("dgi = \"9200\"\nfixed = \"{value}\"");
    let (visa, mastercard) = (
        "dgi = \"9200\"\nfixed = \"06011203A00000\"",
        "dgi = \"9200\"\nfixed = \"0114A00000000000000000000000000000FF\"",
    );
    let values = [
        "06011203A00000",
        "06010A03A00000",
        "06011103A00000",
        "1501850440B100000000",
        "00",
        "0114A00000000000000000000000000000FF",
    ];
    for value in values {
        for (product, from) in [("visa-like-debit", visa), ("mastercard-like-debit", mastercard)] {
            let to = data(value);
            for contactless in [false, true] {
                let ran = ran(&bench(product, &[plain, (from, to.as_str())], contactless));
                assert_eq!(ran.state, "good", "{product} {value} contactless {contactless}: {:?}", ran.findings);
                let proven = ran
                    .proven
                    .iter()
                    .any(|it| (it.dgi == "8000" || it.dgi == "8001") && it.how.contains("cryptograms"));
                assert!(proven, "{product} {value} contactless {contactless}: {:?}", ran.loaded_not_proven);
            }
        }
    }
}

#[test]
fn a_directory_in_another_file_makes_good_cards() {
    for file in ["02", "0A"] {
        let named = format!("tag = \"88\", fixed = \"{file}\"");
        let text = changed("visa-like-debit", &[("tag = \"88\", fixed = \"01\"", &named)]);
        // The profile's own rule for the directory's records.
        let rule = format!("id = \"{file}01\"\nname = \"Directory record\"");
        let text = text.replacen("id = \"0101\"\nname = \"Directory record\"", &rule, 1);
        let (before, directory) = text.rsplit_once("aid = \"315041592E5359532E4444463031\"").unwrap();
        let directory = directory.replacen("dgi = \"0101\"", &format!("dgi = \"{file}01\""), 1);
        let rules = format!("{before}aid = \"315041592E5359532E4444463031\"{directory}");
        let profile = Profile::parse(&rules).unwrap_or_else(|problems| panic!("{problems:?}"));
        let ran = ran(&bench_of("visa-like", profile));
        assert_eq!(ran.state, "good", "{file}: {:?} {:?}", ran.fault, ran.findings);
    }
}

/// GET DATA gives the card's own try counter and life cycle data, whatever is loaded under their tags.
#[test]
fn internal_data_that_the_card_answers_itself_are_refused() {
    let with = |object: &str| {
        let object = format!("  {{ tag = \"9F36\", fixed = \"0000\" }},\n  {object},\n");
        move |product: &str| refusing(product, &[("  { tag = \"9F36\", fixed = \"0000\" },\n", object.as_str())])
    };
    for product in ["visa-like-debit", "visa-like-contact", "mastercard-like-debit"] {
        assert!(with("{ tag = \"9F17\", fixed = \"05\" }")(product).contains(&46), "{product}");
        assert!(!with("{ tag = \"9F17\", fixed = \"03\" }")(product).contains(&46), "{product}");
        assert!(
            with(&format!("{{ tag = \"9F7F\", fixed = \"{}\" }}", "00".repeat(42)))(product).contains(&8),
            "{product}"
        );
    }
}

#[test]
fn a_cvm_list_that_always_fails_is_told() {
    let list = "tag = \"8E\", fixed = \"";
    let file = changed("visa-like-contact", &[]);
    let (_, rest) = file.split_once(list).unwrap();
    let own = format!("{list}{}", rest.split_once('"').unwrap().0);
    let fails = format!("{list}00000000000000000000");
    assert!(outcomes("visa-like-contact", &[(&own, &fails)], false).contains(&37));
    assert!(!outcomes("visa-like-contact", &[], false).contains(&37));
}

#[test]
fn applications_that_share_a_counter_and_load_two_values_are_told() {
    let first = ("tag = \"9F36\", fixed = \"0000\"", "tag = \"9F36\", fixed = \"0100\"");
    assert!(outcomes("visa-like-combo", &[first], false).contains(&27));
    assert!(!outcomes("visa-like-combo", &[], false).contains(&27));
}
