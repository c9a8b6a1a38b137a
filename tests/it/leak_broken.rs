//! Clear records, cards and key files with one value broken, in every way and place: what is said of them quotes none of
//! their values.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use std::collections::BTreeSet;

use perso::base::Chance;
use perso::card::sim::SimCard;
use perso::keys::file;
use serde_json::{Value, json};
use support::{Bench, PROFILES, file_of, keys, profile};

/// So many characters of a value that stand in a message are a quotation.
const QUOTED: usize = 8;
/// Values that are no secret, and what is said of them may quote them.
const HARMLESS: [&str; 17] = [
    "kcv_method",
    "purpose",
    "simulated_card",
    "kcv",
    "kmcid",
    "id",
    "profile",
    "record_key",
    "aid",
    "dgi",
    "key",
    "method",
    "made",
    "name",
    "zone",
    "algorithm",
    "test_keys",
];

/// Every place of a value, as a JSON pointer, with its text.
fn texts(value: &Value, at: String, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, it)| texts(it, format!("{at}/{name}"), out)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, it)| texts(it, format!("{at}/{n}"), out)),
        Value::String(text) => out.push((at, text.clone())),
        _ => {}
    }
}

/// A value, broken in every way.
fn broken(text: &str) -> Vec<Value> {
    let middle = text.len() / 2;
    let other = |byte: &str| if byte == "7" { "8" } else { "7" };
    vec![
        json!(&text[..text.len() - 1]),
        json!(&text[..middle]),
        json!(format!("{text}Z")),
        json!(format!("{text}00")),
        json!(format!(" {text}")),
        json!(format!("9{}", &text[1..])),
        json!(format!("{}{}{}", &text[..middle], other(&text[middle..=middle]), &text[middle + 1..])),
        json!(format!("{text}{text}")),
        json!(text.replace(['=', '^'], "D")),
        json!([text]),
        json!({ text: text }),
        json!({ "value": text, "key": [text] }),
    ]
}

/// Breaks each value in turn; `said` tells what is said of the outcome. How many outcomes were looked at.
fn search(whole: &Value, said: impl Fn(&[u8]) -> Option<String>) -> usize {
    let mut places = Vec::new();
    texts(whole, String::new(), &mut places);
    let mut looked_at = 0;
    for (at, text) in places.iter().filter(|(_, text)| text.is_ascii() && text.len() >= 3) {
        if HARMLESS.iter().any(|name| at.ends_with(&format!("/{name}"))) {
            continue;
        }
        for value in broken(text) {
            let mut changed = whole.clone();
            *changed.pointer_mut(at).unwrap() = value.clone();
            let Some(said) = said(changed.to_string().as_bytes()) else { continue };
            looked_at += 1;
            let quotes: BTreeSet<&[u8]> = text.as_bytes().windows(QUOTED.min(text.len())).collect();
            let quoted = said.as_bytes().windows(QUOTED.min(text.len())).any(|part| quotes.contains(part));
            assert!(!quoted, "{at}, made {value}: {said}");
        }
    }
    looked_at
}

#[test]
fn what_is_said_of_broken_records_quotes_no_value() {
    let store = keys();
    for name in PROFILES {
        let clear = std::fs::read(file_of(&format!("tests/samples/{name}.clear.json"))).unwrap();
        let hash = hex::encode(profile(name).hash());
        let looked_at = search(&serde_json::from_slice(&clear).unwrap(), |bytes| {
            let mut chance = Chance::fixed((0..=255).cycle().take(8192).collect());
            let problems = perso::record::seal(bytes, &store, &hash, &mut chance).err()?;
            Some(problems.iter().map(|problem| format!("{}: {}\n", problem.path, problem.message)).collect())
        });
        assert!(looked_at > 50, "{name}: only {looked_at} broken records");
    }
}

#[test]
fn what_is_said_of_broken_key_files_and_cards_quotes_no_value() {
    let whole = std::fs::read(file_of("tests/samples/keys.test.json")).unwrap();
    let looked_at =
        search(&serde_json::from_slice(&whole).unwrap(), |bytes| Some(file::load(bytes, None).err()?.to_string()));
    assert!(looked_at > 50, "only {looked_at} broken key files");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let made = Bench::new("debit-aes-scp03").run(&[]);
    made.card.save(&path).unwrap();
    let whole = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let looked_at = search(&whole, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        Some(SimCard::load(&path).err()?.to_string())
    });
    assert!(looked_at > 50, "only {looked_at} broken cards");
}
