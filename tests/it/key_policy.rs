//! The policy table of the key store: each verb asks it, `perso calc` and `perso keys` obey it, docs/keys.md shows it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::policy_support;

use std::collections::BTreeSet;

use perso::keys::policy::{Grant, Stage, TABLE, Use, Verb, find};
use perso::keys::{KeyError, Purpose};
use policy_support::{programs, verbs};

/// What no table may ever say.
#[test]
fn live_keys_in_the_calculator_give_check_values_and_compare_only() {
    for row in TABLE {
        let expected: &[Verb] = match row.calculator_live {
            Grant::No => continue,
            Grant::ThreeBytes => &[Verb::CheckValue],
            // Nothing comes out of the store by these.
            Grant::Yes => &[Verb::Derive, Verb::Compare, Verb::OpenKeyBlock],
        };
        assert!(expected.contains(&row.verb), "{:?} {:?}", row.verb, row.purposes);
    }
    for purpose in [Purpose::Zpk, Purpose::Pvk, Purpose::Pvk3624, Purpose::Cvk] {
        for verb in Verb::ALL.into_iter().filter(|it| *it != Verb::CheckValue) {
            let grant = find(verb, purpose, false).map_or(Grant::No, |row| row.calculator_live);
            assert_eq!(grant, Grant::No, "{verb:?} {purpose}");
        }
    }
    for row in TABLE {
        let jobs = [row.job_test, row.job_live];
        let only_test = matches!(row.verb, Verb::Expose | Verb::SessionKey) && row.job_live == Grant::No;
        assert!(jobs[0] == jobs[1] || only_test, "test keys do what live keys do: {:?}", row.verb);
    }
}

#[test]
fn no_line_of_the_table_is_hidden_by_another() {
    let mut seen = BTreeSet::new();
    for row in TABLE {
        for purpose in row.purposes {
            let stages: &[bool] = match row.stage {
                Stage::Master => &[false],
                Stage::Derived => &[true],
                Stage::Any => &[false, true],
            };
            for derived in stages {
                let place = (format!("{:?}", row.verb), purpose.name(), *derived);
                assert!(seen.insert(place.clone()), "{place:?} stands in two lines");
            }
        }
    }
}

/// Every verb × every purpose × the key itself and a derived one × jobs and calculator × test and live.
#[test]
fn every_verb_of_the_key_store_asks_the_table() {
    let mut compared = 0;
    for (test, serves) in [(true, Use::Job), (false, Use::Job), (true, Use::Calculator), (false, Use::Calculator)] {
        for purpose in Purpose::ALL {
            let keys = verbs::Keys::of(purpose, test, serves);
            for derived in [false, true] {
                let Some(key) = keys.key(derived) else { continue };
                for verb in Verb::ALL {
                    let grant = find(verb, purpose, derived).map_or(Grant::No, |row| row.grant(serves, test));
                    let done = verbs::ask(verb, &keys, &key);
                    let refused = matches!(
                        done,
                        Err(KeyError::Purpose { .. }
                            | KeyError::Verb { .. }
                            | KeyError::Live(_)
                            | KeyError::LiveCalculation { .. }
                            | KeyError::Static(_))
                    );
                    let what = format!("{verb:?} by a {purpose} key, derived {derived}, test {test}, {serves:?}");
                    assert_eq!(refused, grant == Grant::No, "{what}: {done:?}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 4 * 19 * 22, "{compared}");
}

#[test]
fn of_a_live_key_the_calculator_gives_three_bytes_of_a_check_value() {
    for purpose in Purpose::ALL {
        let keys = verbs::Keys::of(purpose, false, Use::Calculator);
        let key = keys.key(false).unwrap();
        let kcv = |length| keys.kcv(&key, length);
        assert_eq!(kcv(3).unwrap().len(), 3);
        assert!(matches!(kcv(4), Err(KeyError::LiveCheckValue(_))), "{purpose}");
        assert!(verbs::Keys::of(purpose, false, Use::Job).open_kcv(8).is_ok());
    }
}

#[test]
fn docs_show_the_table() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md")).unwrap();
    let word = |grant| match grant {
        Grant::No => "no",
        Grant::ThreeBytes => "3 bytes",
        Grant::Yes => "yes",
    };
    let mut lines = vec![
        "| a key may | purposes | which | job, test key | job, live key | calculator, test key | calculator, live key |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for row in TABLE {
        let purposes = match row.purposes.len() {
            all if all == Purpose::ALL.len() => "all".to_owned(),
            _ => row.purposes.iter().map(|purpose| format!("`{purpose}`")).collect::<Vec<_>>().join(", "),
        };
        let stage = match row.stage {
            Stage::Master => "the key itself",
            Stage::Derived => "a key derived from it",
            Stage::Any => "both",
        };
        let grants = [row.job_test, row.job_live, row.calculator_test, row.calculator_live].map(word).join(" | ");
        lines.push(format!("| {} | {purposes} | {stage} | {grants} |", row.verb.words()));
    }
    let table = lines.join("\n");
    assert!(docs.contains(&table), "docs/keys.md must have this table:\n{table}");
}

#[test]
fn every_calc_verb_does_what_the_table_says() {
    programs::calc_verbs();
}

#[test]
fn every_keys_verb_does_what_the_table_says() {
    programs::keys_verbs();
}
