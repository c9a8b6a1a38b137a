//! The link is cut before and after every exchange of every profile's job. What must have become of the card is computed
//! from the card's own file, never from the host's report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use perso::card::sim::{CardFile, Entry};
use support::{Bench, PROFILES, changes_card};

fn changing(diary: &[Entry]) -> usize {
    diary.iter().filter(|entry| changes_card(entry.ins)).count()
}

/// Design, section 5: by how many of the state-changing commands were handed over, whether or not they arrived.
fn expected(card: &CardFile, planned: usize) -> &'static str {
    match changing(&card.state.diary) {
        0 => "untouched",
        handed if handed < planned => "spoiled",
        _ => "in-doubt",
    }
}

#[test]
fn every_cut_ends_as_the_cards_own_file_says() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]);
        assert_eq!(whole.result.state, "good", "{:?}", whole.result.fault);
        let exchanges = whole.card.state.diary.len();
        let planned = changing(&whole.card.state.diary);
        println!("{name}: {exchanges} exchanges, {planned} of them change the card");
        assert_eq!(planned as u32, bench.plan.state_changing());

        let mut seen = std::collections::BTreeMap::new();
        for n in 1..=exchanges {
            for when in ["before", "after"] {
                for power in ["", " then power"] {
                    let rule = format!("cut {when} {n}{power}");
                    let ran = bench.run(std::slice::from_ref(&rule));
                    let expected = expected(&ran.card, planned);
                    assert_eq!(ran.result.state, expected, "{name}: {rule}");
                    let fault = ran.result.fault.expect("a cut is a fault");
                    assert_eq!(fault.code, "READER-LOST", "{name}: {rule}");
                    // Nothing is sent to a card after its link broke.
                    let diary = &ran.card.state.diary;
                    assert_eq!(diary.len(), n, "{name}: {rule}");
                    assert_eq!(diary[n - 1].executed, when == "after", "{name}: {rule}");
                    *seen.entry(expected).or_insert(0) += 1;
                }
            }
        }
        println!("  outcomes: {seen:?}");
        for state in ["untouched", "spoiled", "in-doubt"] {
            assert!(seen.contains_key(state), "{name} never came to {state}");
        }
    }
}

#[test]
fn an_untouched_blank_is_good_for_another_try() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]);
        let first = whole.card.state.diary.iter().position(|entry| changes_card(entry.ins)).unwrap();
        for n in 1..=first {
            let ran = bench.run(&[format!("cut after {n}")]);
            let again = bench.run_on(
                perso::card::sim::SimCard::of(ran.card),
                &[],
                &mut perso::issuance::journal::Journal::in_memory(),
            );
            assert_eq!(again.result.state, "good", "{name}: cut after {n}: {:?}", again.result.fault);
        }
    }
}
