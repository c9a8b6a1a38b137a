//! Every fault that the simulated card can be told to have, at every exchange: which code it comes out as. One fault, one
//! code, and never a good card that is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use std::collections::BTreeMap;

use perso::base::Code;
use support::{Bench, PROFILES, Ran};

/// The one code of a result, held against the catalogue and the program's exit codes.
fn code(ran: &Ran) -> String {
    let state = ran.result.state.as_str();
    match (&ran.result.fault, ran.result.findings.first()) {
        (None, None) => {
            assert_eq!(state, "good");
            "good".to_owned()
        }
        (Some(fault), _) => {
            assert_ne!(state, "good");
            assert!(Code::find(&fault.code).is_some(), "{} is not in the catalogue", fault.code);
            assert!(!fault.message.is_empty() && !fault.next.is_empty());
            fault.code.clone()
        }
        (None, Some(finding)) => {
            assert_ne!(state, "good");
            assert!(Code::find(&finding.code).is_some(), "{} is not in the catalogue", finding.code);
            finding.code.clone()
        }
    }
}

/// Exchanges of a good job by instruction: the first of each, counted from one.
fn first_of(ins: u8, ran: &Ran) -> usize {
    ran.card.state.diary.iter().position(|entry| entry.ins == ins).unwrap() + 1
}

#[test]
fn each_fault_at_its_place_has_its_code() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]);
        assert_eq!(code(&whole), "good");
        let (greeting, login, store) = (first_of(0x50, &whole), first_of(0x82, &whole), first_of(0xE2, &whole));
        let options = first_of(0xA8, &whole);
        let cases = [
            (format!("delay 1 at {store}"), "good"),
            (format!("cut before {store}"), "READER-LOST"),
            (format!("cut after {store}"), "READER-LOST"),
            // The card's cryptogram.
            (format!("flip 21.0 of answer {greeting}"), "CARD-CRYPTOGRAM"),
            (format!("sw 6A88 at {greeting}"), "CARD-REFUSED"),
            (format!("sw 6985 at {greeting}"), "CARD-PERSONALIZED"),
            // The host's cryptogram, on its way to the card.
            (format!("flip 6.0 of command {login}"), "CARD-LOGIN"),
            (format!("sw 6300 at {login}"), "CARD-LOGIN"),
            (format!("sw 6982 at {login}"), "CARD-LOGIN"),
            (format!("sw 6A80 at {store}"), "CARD-REFUSED"),
            (format!("flip 6.0 of command {store}"), "CARD-REFUSED"),
            ("corrupt DGI 0201 byte 20 mask 01 after loading".to_owned(), "CARD-MISMATCH"),
            (format!("sw 6985 at {options}"), "CARD-REFUSED"),
            (format!("flip 0.0 of answer {options}"), "CARD-ANSWER"),
        ];
        for (rule, expected) in cases {
            let ran = bench.run(std::slice::from_ref(&rule));
            assert_eq!(code(&ran), expected, "{name}: {rule}: {:?} {:?}", ran.result.fault, ran.result.findings);
        }
    }
}

/// A bit that flips on the line, in any byte of any exchange, either way: there is an end, a code, and no card that is
/// called good while it holds something else than a good card holds.
#[test]
fn a_flipped_bit_never_makes_a_card_that_is_wrongly_called_good() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]);
        let exchanges = whole.card.state.diary.len();
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for n in 1..=exchanges {
            for direction in ["command", "answer"] {
                for byte in [0, 1, 2, 3, 4, 5, 9, 12, 17, 30] {
                    let rule = format!("flip {byte}.3 of {direction} {n}");
                    let ran = bench.run(std::slice::from_ref(&rule));
                    let code = code(&ran);
                    if code == "good" {
                        assert!(
                            ran.card.state.applications[0].groupings == whole.card.state.applications[0].groupings,
                            "{name}: {rule}: called good, and is not"
                        );
                        assert!(ran.card.state.applications[0].personalized, "{name}: {rule}");
                    }
                    *seen.entry(code).or_default() += 1;
                }
            }
        }
        println!("{name}: {seen:?}");
    }
}
