//! What reading a card back finds, and what it cannot find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::support;

use std::collections::BTreeSet;

use perso::card::sim::CardFile;
use perso::issuance::journal::Journal;
use support::{Bench, PROFILES, swap};

/// A grouping: its application, and its number.
type Place = (String, String);

/// Groupings of a good card, with their lengths as the card keeps them.
fn stored(bench: &Bench) -> Vec<(Place, usize)> {
    let card = bench.run(&[]).card;
    let applications = card.blank.applications.iter().zip(&card.state.applications);
    let all = applications.flat_map(|(aid, app)| {
        let aid = hex::encode_upper(&aid.0);
        app.groupings.iter().map(move |(dgi, value)| ((aid.clone(), dgi.clone()), value.0.len()))
    });
    all.collect()
}

fn not_proven(bench: &Bench) -> BTreeSet<Place> {
    bench.run(&[]).result.loaded_not_proven.into_iter().map(|it| (it.aid, it.dgi)).collect()
}

fn every_way() -> impl Iterator<Item = (String, Bench)> {
    PROFILES.into_iter().flat_map(|name| {
        let label = move |bench: &Bench| format!("{name}{}", if bench.contactless { " contactless" } else { "" });
        Bench::each_way(name).into_iter().map(move |bench| (label(&bench), bench))
    })
}

#[test]
fn every_byte_of_every_object_that_is_read_back_is_noticed() {
    for (name, bench) in every_way() {
        let hidden = not_proven(&bench);
        let mut flips = 0;
        for (place, length) in stored(&bench) {
            // Of 9010 the first byte, the try counter, is read back.
            let read = match place.1.as_str() {
                "9010" => 1,
                "8000" | "9000" | "8001" | "9001" => 0,
                _ if hidden.contains(&place) => 0,
                _ => length,
            };
            let (aid, dgi) = &place;
            for byte in 0..read {
                let rule = format!("corrupt DGI {dgi} in {aid} byte {byte} mask 01 after loading");
                let ran = bench.run(std::slice::from_ref(&rule));
                assert_eq!(ran.result.state, "spoiled", "{name}: {rule}");
                let finding = ran.result.findings.first().unwrap_or_else(|| panic!("{name}: {rule}: no finding"));
                assert!(!finding.tag.is_empty() && !finding.name.is_empty(), "{name}: {rule}: {finding:?}");
                assert_eq!(finding.aid, *aid, "{name}: {rule}");
                flips += 1;
            }
        }
        println!("{name}: {flips} bytes flipped, all noticed");
        assert!(flips > 200);
    }
}

/// The list *loaded, not proven* is exactly what the verdict would overlook: a byte of each grouping is changed as the
/// card stores it, and where any such card is called good, the grouping must stand in the list.
#[test]
fn what_the_verdict_overlooks_is_what_it_says_it_cannot_prove() {
    for (name, bench) in every_way() {
        let mut overlooked = BTreeSet::new();
        for (place, length) in stored(&bench) {
            let (aid, dgi) = &place;
            // Each byte of these costs a search for primes; that none slips through is shown by the card's own tests.
            let step = if checked_by_the_card(dgi) { length / 3 } else { 1 };
            for byte in (0..length).step_by(step) {
                // Not the lowest bit: in a DES key that is parity, which is no part of the key.
                for mask in ["02", "10"] {
                    let ran = bench.run(&[format!("corrupt DGI {dgi} in {aid} byte {byte} mask {mask} on storing")]);
                    if ran.result.state == "good" {
                        overlooked.insert(place.clone());
                    }
                }
                // One byte that slips through is enough; reading on costs time only.
                if overlooked.contains(&place) {
                    break;
                }
            }
        }
        let listed: BTreeSet<_> = not_proven(&bench).into_iter().filter(|(_, dgi)| !checked_by_the_card(dgi)).collect();
        assert_eq!(overlooked, listed, "{name}");
        println!("{name}: overlooked and listed: {overlooked:?}");
    }
}

/// The simulated card refuses parts of an RSA key that do not fit together. Other cards may not, so that they stand in
/// the list all the same.
fn checked_by_the_card(dgi: &str) -> bool {
    dgi.starts_with("82")
}

#[test]
fn a_wrong_master_key_uses_up_no_attempt() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let mut card = bench.blank();
        for set in &mut card.file_mut().blank.key_sets {
            // Another master key gives three other card keys.
            for key in [&mut set.enc, &mut set.mac, &mut set.dek] {
                key.0[0] ^= 0x02;
            }
        }
        let ran = bench.run_on(card, &[], &mut Journal::in_memory());
        assert_eq!(ran.result.state, "untouched");
        let fault = ran.result.fault.unwrap();
        assert_eq!(fault.code, "CARD-CRYPTOGRAM");
        for told in ["SCP0", "key version", "476173FFFFFF", "lab-kmc", "diversification ", "To try"] {
            assert!(fault.message.contains(told), "{told} is missing: {}", fault.message);
        }
        assert_eq!(ran.card.blank.key_sets[0].failed, 0);
        assert!(ran.card.state.diary.iter().all(|entry| entry.ins != 0x82), "EXTERNAL AUTHENTICATE was sent");
    }
}

#[test]
fn a_second_run_on_the_same_card_is_refused_and_changes_nothing() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let first = bench.run(&[]);
        let before = first.card.state.applications[0].groupings.clone();
        // Without a journal that knows the chip, the card itself says it.
        let again = bench.run_on(perso::card::sim::SimCard::of(first.card.clone()), &[], &mut Journal::in_memory());
        assert_eq!(again.result.state, "untouched", "{name}");
        // Where something else shows first that it is no blank, that is told.
        let code = again.result.fault.unwrap().code;
        assert!(["CARD-PERSONALIZED", "CARD-BLANK"].contains(&code.as_str()), "{name}: {code}");
        assert!(again.card.state.applications[0].groupings == before);
    }
}

/// Once the chip is known, whatever card comes in its place is found out, and the state follows from both cards' files.
#[test]
fn a_card_that_is_swapped_is_never_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.json");
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]).card;
        let (exchanges, planned) = (whole.state.diary.len(), swap::changing(&whole));
        let known = swap::identifications(&whole.state.diary)[0];
        assert_eq!(swap::identifications(&whole.state.diary).last(), Some(&exchanges), "the chip has the last word");
        for (which, other) in swap::others(&bench) {
            let before = swap::changing(&other);
            for n in known + 1..=exchanges {
                other.save(&path).unwrap();
                let ran = bench.run(&[format!("swap {} at {n}", path.display())]);
                let second: CardFile = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                let handed = swap::changing(&ran.card) + swap::changing(&second) - before;
                let what = format!("{name}: {which} from exchange {n} on: {:?}", ran.result.fault);
                assert_eq!(ran.result.state, swap::state_after(handed, planned), "{what}");
                assert!(ran.result.fault.is_some(), "{what}");
            }
        }
    }
}

#[test]
fn a_refused_store_data_spoils_the_card_and_nothing_is_sent_again() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]).card.state.diary;
        let stores: Vec<usize> = (1..=whole.len()).filter(|n| whole[n - 1].ins == 0xE2).collect();
        for n in &stores {
            for sw in ["6A80", "6A84", "6982", "6581", "6A88"] {
                let ran = bench.run(&[format!("sw {sw} at {n}")]);
                assert_eq!(ran.result.state, "spoiled", "{name}: {sw} at {n}: {:?}", ran.result.fault);
                let sent = ran.card.state.diary.iter().filter(|entry| entry.ins == 0xE2).count();
                let position = stores.iter().position(|it| it == n).unwrap() + 1;
                assert_eq!(sent, position, "{name}: {sw} at {n}: STORE DATA was sent after a refusal");
            }
        }
    }
}

/// The sample whose AIP, AFL and FCI are loaded as bare values of their tags.
fn with_bare_values() -> Bench {
    let lines = |text: String| {
        let text =
            text.replace("id = \"9104\"\nname = \"AIP and AFL\"\nmandatory = true", "id = \"0082\"\nname = \"AIP\"");
        let text = text.replace(
            "id = \"9102\"\nname = \"FCI proprietary template\"\nmandatory = true",
            "id = \"0094\"\nname = \"AFL\"",
        );
        let more =
            ["0050", "0087", "9F38", "5F2D"].map(|id| format!("\n[[dgi]]\nid = \"{id}\"\nname = \"Tag {id}\"\n"));
        text + &more.concat() + "\n[[dgi]]\nid = \"A0FF\"\nname = \"Options\"\n"
    };
    Bench::changed("debit-contact-scp02", lines, |record| {
        let groupings = record["body"]["applications"][0]["groupings"].as_array_mut().unwrap();
        groupings.retain(|it| it["dgi"] != "9104" && it["dgi"] != "9102");
        for (dgi, value) in [
            ("A0FF", "01"),
            ("0082", "1800"),
            ("0094", "0801010010010100"),
            ("0050", "53414D504C45204445424954"),
            ("0087", "01"),
            ("9F38", "9F1A029F3302"),
            ("5F2D", "656E"),
        ] {
            groupings.push(serde_json::json!({ "dgi": dgi, "value": value }));
        }
    })
}

#[test]
fn bare_values_are_read_back_where_the_card_shows_their_tags() {
    let bench = with_bare_values();
    let ran = bench.run(&[]);
    assert_eq!(ran.result.state, "good", "{:?} {:?}", ran.result.fault, ran.result.findings);
    for dgi in ["0082", "0094", "0050", "0087", "9F38", "5F2D"] {
        let proven = ran.result.proven.iter().find(|it| it.dgi == dgi).unwrap_or_else(|| panic!("{dgi} is not proven"));
        assert!(proven.how.starts_with("read back: "), "{dgi}: {}", proven.how);
    }
    // What is listed as not proven has a reason that is true.
    let options = ran.result.loaded_not_proven.iter().find(|it| it.dgi == "A0FF").unwrap();
    assert_eq!(options.how, "the profile states no way to read it back");
    // AIP, AFL; label, priority: each byte counts.
    for (dgi, bytes) in [("9104", [2, 3, 6, 13]), ("9102", [4, 8, 15, 18])] {
        for byte in bytes {
            let ran = bench.run(&[format!("corrupt DGI {dgi} byte {byte} mask 01 after loading")]);
            assert_eq!(ran.result.state, "spoiled", "{dgi} byte {byte}: {:?}", ran.result.findings);
        }
    }
}

#[test]
fn wrong_combinations_of_bare_values_are_refused() {
    let text = std::fs::read_to_string(support::file_of("card-profiles/debit-contact-scp02.toml")).unwrap();
    let line =
        |id: &str, read_back: &str| format!("\n[[dgi]]\nid = \"{id}\"\nname = \"x\"\nread_back = \"{read_back}\"\n");
    for (lines, says) in [
        (line("0082", "gpo"), "state tag:82"),
        (line("0050", "fci"), "state tag:50"),
        (line("0094", "tag:82"), "state tag:94"),
        (line("9F38", "get-data"), "state tag:9F38"),
        (line("A0F0", "tag:5A"), "stands in a record"),
        (line("A0F0", "tag:A5"), "is not one of"),
        (line("A0F0", "tag:9f38"), "is not one of"),
        (line("A0F0", "tag:"), "is not one of"),
        (line("A0F0", "tags"), "is not one of"),
        (line("A0F0-A0FF", "tag:9F38"), "a range"),
        (line("0301", "get-data"), "state record or none"),
        (line("0301", "tag:9F38"), "whole objects"),
        (line("A0F0", "tag:50") + &line("A0F1", "tag:50"), "the same tag"),
        (line("A0F0", "tag:50").replace("name", "sealed = true\nname"), "sealed"),
    ] {
        let problems = perso::profile::Profile::parse(&(text.clone() + &lines)).unwrap_err();
        let named =
            problems.iter().find(|it| it.message.contains(says)).unwrap_or_else(|| panic!("{lines}: {problems:?}"));
        assert!(named.path.starts_with("dgi[") && named.path.ends_with("read_back"), "{lines}: {}", named.path);
    }
    // Numbers that CPS defines: every other way.
    for (dgi, fitting) in [
        ("0201", &["record"][..]),
        ("3000", &["get-data"]),
        ("9000", &[]),
        ("9010", &["pin-try-counter"]),
        ("9102", &["fci", "fci-contactless"]),
        ("9103", &["fci", "fci-contactless"]),
        ("9104", &["gpo", "gpo-contactless"]),
        ("9200", &[]),
    ] {
        for way in ["record", "fci", "fci-contactless", "gpo", "gpo-contactless", "get-data", "pin-try-counter", "none"]
        {
            let parsed = perso::profile::Profile::parse(&(text.clone() + &line(dgi, way)));
            let problems = parsed.err().unwrap_or_default();
            let refused = problems.iter().any(|it| it.message.contains("is not read back so"));
            assert_eq!(refused, way != "none" && !fitting.contains(&way), "{dgi} {way}: {problems:?}");
        }
    }
    // A record against its profile: by `check`, `run` and `plan`, and by `record seal`.
    let folder = tempfile::tempdir().unwrap();
    let (profiles, clear) = (folder.path().join("profiles"), folder.path().join("clear.json"));
    std::fs::create_dir(&profiles).unwrap();
    let known = ["0050", "0082", "0094"].map(|id| format!("\n[[dgi]]\nid = \"{id}\"\nname = \"Tag {id}\"\n")).concat();
    let optional = text.replace("mandatory = true", "");
    std::fs::write(profiles.join("a.toml"), optional.clone() + &known).unwrap();
    let sample = std::fs::read_to_string(support::file_of("tests/samples/debit-contact-scp02.clear.json")).unwrap();
    for (removed, added, says) in [
        ("none", vec![("0082", "1800")], "AIP and AFL in one grouping"),
        ("none", vec![("0050", "54455354")], "a whole FCI"),
        ("9104", vec![("0082", "1800")], "must both be there"),
        ("9104", vec![("0094", "080101001001 0100")], "must both be there"),
        ("9104", vec![("0082", "18"), ("0094", "0801010010010100")], "not a value of tag 82"),
        ("9104", vec![("0082", "1800"), ("0094", "080101")], "a multiple of four bytes"),
        ("9102", vec![("0050", "500454455354")], "bare value"),
    ] {
        let mut record: serde_json::Value = serde_json::from_str(&sample).unwrap();
        let groupings = record["body"]["applications"][0]["groupings"].as_array_mut().unwrap();
        groupings.retain(|it| it["dgi"] != removed);
        groupings.extend(
            added.iter().map(|(dgi, value)| serde_json::json!({ "dgi": dgi, "value": value.replace(' ', "") })),
        );
        std::fs::write(&clear, record.to_string()).unwrap();
        for command in [&["record", "seal"][..], &["check"]] {
            let output = assert_cmd::Command::cargo_bin("perso")
                .unwrap()
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .args(command)
                .arg(&clear)
                .args(["--keys", "tests/samples/keys.test.json", "--profiles", profiles.to_str().unwrap()])
                .output()
                .unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert!(!output.status.success() && text.contains(says), "{command:?} {added:?}: {text}");
        }
    }
}
