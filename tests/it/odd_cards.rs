//! Looking into cards that do not behave: what they refuse or garble is told, nothing hangs, nothing leaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};

use perso::base::chance::Instant;
use perso::base::codec::tlv::Tag;
use perso::base::{Chance, Clock, Code, Fault};
use perso::card::Card;
use perso::card::apdu::Command;
use perso::card::emv::view::{CardDataView, card_data};
use perso::card::emv::{Terminal, Wanted, read_contents};
use perso::card::gp;
use perso::card::gp::Told;
use perso::card::gp::view::card_info;
use perso::card::transport::{LinkError, Transport};
use perso::issuance::login;
use perso::keys::SoftwareStore;
use proptest::prelude::*;

type Sent = Arc<Mutex<Vec<String>>>;

/// A card that answers by a rule: command in hexadecimal, answer in hexadecimal.
struct Ruled<F> {
    rule: F,
    sent: Sent,
}

impl<F: FnMut(&str) -> String + Send> Transport for Ruled<F> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        let command = hex::encode_upper(command);
        let answer = (self.rule)(&command);
        self.sent.lock().unwrap().push(command);
        Ok(hex::decode(answer.replace(' ', "")).unwrap())
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        Ok(vec![0x3B, 0x00])
    }
}

fn card(rule: impl FnMut(&str) -> String + Send + 'static) -> (Card, Sent) {
    let sent = Sent::default();
    let link = Ruled { rule, sent: sent.clone() };
    (Card::new(Box::new(link), Clock::fixed(Instant(1_000_000))), sent)
}

const TERMINAL: Terminal = Terminal { date: [0x26, 0x11, 0x24], unpredictable: [1, 2, 3, 4] };

fn read(rule: impl FnMut(&str) -> String + Send + 'static, aids: &[&str]) -> (CardDataView, Vec<String>) {
    let (mut card, sent) = card(rule);
    let wanted = Wanted { aids: aids.iter().map(|aid| hex::decode(aid).unwrap()).collect(), candidates: false };
    let view = card_data(&read_contents(&mut card, &TERMINAL, &wanted).unwrap(), false);
    let sent = sent.lock().unwrap().clone();
    (view, sent)
}

fn tlv(tag: &str, value: &str) -> String {
    let length = value.len() / 2;
    if length < 0x80 { format!("{tag}{length:02X}{value}") } else { format!("{tag}81{length:02X}{value}") }
}

const AID: &str = "A0000000031010";

/// The FCI of an application with these objects in its proprietary template.
fn fci(aid: &str, inside: &str) -> String {
    tlv("6F", &format!("{}{}", tlv("84", aid), tlv("A5", inside)))
}

/// An application with this answer to GET PROCESSING OPTIONS and these records.
fn application<O: ToString, R: Fn(&str) -> String + Send + 'static>(
    options: O,
    record: R,
) -> Box<dyn FnMut(&str) -> String + Send> {
    let options = options.to_string();
    Box::new(move |command| match command {
        select if select.starts_with("00A40400") && select.contains(AID) => fci(AID, "") + "9000",
        options_ if options_.starts_with("80A8") => options.clone(),
        read if read.starts_with("00B2") => record(read),
        _ => "6A82".into(),
    })
}

/// A tag that each scheme defines for itself has the name of the application's scheme.
#[test]
fn names_are_those_of_the_applications_scheme() {
    for (aid, name) in [
        ("A0000000031010", "Available offline spending amount"),
        ("A0000000041010", "Application capabilities information"),
        ("A0000001523010", "Available offline spending amount, or application capabilities"),
    ] {
        let inside = tlv("BF0C", &format!("{}{}", tlv("9F5D", "000000"), tlv("9F0A", "00010501")));
        let rule = move |command: &str| match command {
            select if select.starts_with("00A40400") && select.contains(aid) => fci(aid, &inside) + "9000",
            options if options.starts_with("80A8") => "770A 8202 8000 940408010100 9000".replace(' ', ""),
            record if record.starts_with("00B2") => tlv("70", &tlv("9F5D", "000000")) + "9000",
            _ => "6A82".to_owned(),
        };
        let (view, _) = read(rule, &[aid]);
        let view = serde_json::to_value(&view.applications[0]).unwrap();
        fn nodes(value: &serde_json::Value, found: &mut Vec<(String, String, Vec<String>)>) {
            if let (Some(tag), Some(name)) = (value["tag"].as_str(), value["name"].as_str()) {
                let words = value["words"].as_array().cloned().unwrap_or_default();
                let words = words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
                found.push((tag.into(), name.into(), words));
            }
            match value {
                serde_json::Value::Array(list) => list.iter().for_each(|it| nodes(it, found)),
                serde_json::Value::Object(map) => map.values().for_each(|it| nodes(it, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        nodes(&view, &mut found);
        let named: Vec<&str> =
            found.iter().filter(|(tag, ..)| tag == "9F5D").map(|(_, name, _)| name.as_str()).collect();
        assert_eq!(named, [name, name], "{aid}: in FCI and record");
        assert!(
            found
                .iter()
                .any(|(tag, name, _)| tag == "9F0A" && name == "Application selection registered proprietary data")
        );
        // XDA: bit 8 of the AIP, and two bits of results and action codes.
        assert!(found.iter().any(|(tag, _, words)| tag == "82" && words == &["XDA supported"]), "{found:?}");
    }
    let words = |value: &[u8]| perso::base::emv::words(Tag::of(0x9F0D), value);
    assert_eq!(words(&[0x01, 0, 0, 0, 0]), ["XDA selected"]);
    assert_eq!(words(&[0, 0, 0, 0x01, 0]), ["XDA signature verification failed"]);
    assert_eq!(perso::base::emv::words(Tag::of(0x95), &[0x01, 0, 0, 0x01, 0]).len(), 2);
}

/// ISO 7816-4 §5.3.3: the chaining bit in all parts but the last, which alone asks for an answer.
#[test]
fn a_chain_ends_where_a_part_is_refused() {
    let command = Command { cla: 0x80, ins: 0xE2, p1: 0x01, p2: 0x02, data: vec![1, 2, 3, 4, 5], le: Some(256) };
    let chain = |refused: &'static str| {
        let (mut card, sent) = card(move |part| if part == refused { "6883".into() } else { "9000".into() });
        let answer = card.transmit_chained(&command, 2).unwrap();
        let sent = sent.lock().unwrap().clone();
        (answer.sw.0, sent)
    };
    let parts = ["90E20102020102", "90E20102020304", "80E20102010500"];
    assert_eq!(chain("none"), (0x9000, parts.map(str::to_owned).to_vec()));
    assert_eq!(chain(parts[1]), (0x6883, parts[..2].iter().map(|part| (*part).to_owned()).collect()));
}

#[test]
fn a_card_that_refuses_everything_is_told_as_such() {
    for sw in ["6D00", "6E00", "6985", "6A82", "6F00"] {
        let (mut card, _) = card(move |_| sw.to_owned());
        let view = card_info(&gp::look(&mut card).unwrap(), (2026, 1), false);
        assert!(view.domain.is_none() && view.chip.is_none() && view.cplc.is_empty() && view.protocols.is_empty());
        assert_eq!(view.not_told.len(), 9, "{sw}");
        assert!(view.not_told.iter().all(|it| it.why.starts_with(sw)));
        let (view, _) = read(move |_| sw.to_owned(), &[AID]);
        assert!(view.applications.is_empty());
        // Only 6A82 says that there is none.
        let refused: Vec<_> = view.refused.iter().map(|it| (it.aid.as_str(), it.sw.as_str())).collect();
        match sw {
            "6A82" => assert_eq!((view.absent.as_slice(), refused.len()), (&[AID.to_owned()][..], 0)),
            _ => assert_eq!((view.absent.len(), refused), (0, vec![(AID, sw)])),
        }
    }
}

#[test]
fn the_domain_is_looked_for_by_every_known_aid() {
    // Nothing by default, then the one of old cards.
    let domain = "A000000003000000";
    let (mut old, sent) = card(move |command| match command {
        select if select.starts_with("00A40400") && select.contains(domain) => fci(domain, "") + "9000",
        _ => "6A82".into(),
    });
    let found = gp::look(&mut old).unwrap().domain.unwrap();
    assert_eq!((hex::encode_upper(&found.aid), found.by_default), (domain.into(), false));
    let selects: Vec<String> = sent.lock().unwrap().iter().filter(|it| it.starts_with("00A4")).cloned().collect();
    assert_eq!(
        selects,
        ["00A4040000", "00A4040008A00000015100000000", "00A4040007A000000151000000", "00A4040008A00000000300000000"]
    );
}

/// A personalized card may select its payment application by default: that is not the domain.
#[test]
fn what_is_selected_by_default_need_not_be_the_domain() {
    let domain = "A000000151000000";
    let rule = move |with_domain: bool| {
        move |command: &str| match command {
            "00A4040000" => fci(AID, "") + "9000",
            select if with_domain && select.starts_with("00A40400") && select.contains(domain) => {
                fci(domain, "") + "9000"
            }
            _ => "6A82".to_owned(),
        }
    };
    let (mut normal, _) = card(rule(true));
    assert_eq!(hex::encode_upper(gp::look(&mut normal).unwrap().domain.unwrap().aid), domain);
    let (mut hidden, _) = card(rule(false));
    assert!(gp::look(&mut hidden).unwrap().domain.is_none());
}

#[test]
fn get_data_goes_in_the_other_class_where_the_card_wants_that() {
    let (mut card, sent) = card(|command| match command {
        select if select.starts_with("00A4") => fci("A000000151000000", "") + "9000",
        get if get.starts_with("80CA") => "6E00".into(),
        "00CA004500" => "4503ABCDEF9000".into(),
        _ => "6A88".into(),
    });
    let look = gp::look(&mut card).unwrap();
    assert_eq!(look.cin, Told::Told(vec![0xAB, 0xCD, 0xEF]));
    assert_eq!(sent.lock().unwrap().iter().filter(|it| it.starts_with("80CA")).count(), 1, "asked once");
}

#[test]
fn answers_that_are_no_such_object_are_told_as_unreadable() {
    let (mut card, _) = card(|command| match command {
        select if select.starts_with("00A4") => fci("A000000151000000", "") + "9000",
        _ => "9F7F03112233 9000".into(),
    });
    let view = card_info(&gp::look(&mut card).unwrap(), (2026, 1), false);
    for tag in ["9F7F", "0066", "0067", "00E0", "FF21"] {
        let why = &view.not_told.iter().find(|it| it.tag == tag).unwrap().why;
        assert!(why.starts_with("the answer cannot be read"), "{tag}: {why}");
    }
}

/// EMV B1 §11.3.4: without a DF name that begins with the AID nothing was selected.
#[test]
fn select_counts_only_with_a_df_name_that_begins_with_the_aid() {
    let other = tlv("6F", &format!("{}{}", tlv("84", "A0000000041010"), tlv("A5", "")));
    let nameless = tlv("6F", &tlv("A5", &tlv("50", "544553")));
    for lax in ["", "6F00", "0102030405", &other, &nameless, &tlv("84", AID), &tlv("6F", &tlv("84", "A000"))] {
        let answer = format!("{lax}9000");
        let (view, sent) = read(
            move |command| match command {
                select if select.starts_with("00A4") => answer.clone(),
                _ => "9000".into(),
            },
            &[AID],
        );
        assert_eq!((view.applications.len(), view.absent.as_slice()), (0, &[AID.to_owned()][..]), "{lax}");
        assert!(view.directories.iter().all(|it| it.fci.state == "malformed" && it.lists.is_empty()), "{lax}");
        assert!(sent.iter().all(|command| command.starts_with("00A4")), "{lax}: {sent:?}");
        let answer = format!("{lax}9000");
        let (mut lax_card, _) =
            card(move |command| if command.starts_with("00A4") { answer.clone() } else { "6A88".into() });
        assert!(gp::look(&mut lax_card).unwrap().domain.is_none(), "{lax}");
    }
    // A longer name than was asked for is right: that is partial selection.
    let (view, _) = read(
        |command| match command {
            select if select.starts_with("00A40400") && select.contains("A000000003") => fci(AID, "") + "9000",
            _ => "6A82".into(),
        },
        &["A000000003"],
    );
    assert_eq!(view.applications[0].aid, AID);
}

#[test]
fn whole_aids_are_tried_where_partial_selection_finds_nothing() {
    use perso::card::emv::{CANDIDATES, WHOLE_AIDS};
    for aid in WHOLE_AIDS {
        assert!(CANDIDATES.iter().any(|candidate| aid.starts_with(candidate)), "{aid:02X?}");
        let exact = format!("00A40400{:02X}{}00", aid.len(), hex::encode_upper(aid));
        let name = hex::encode_upper(aid);
        let (mut whole, sent) =
            card(move |command| if command == exact { fci(&name, "") + "9000" } else { "6A82".into() });
        let wanted = Wanted { aids: Vec::new(), candidates: true };
        let view = card_data(&read_contents(&mut whole, &TERMINAL, &wanted).unwrap(), false);
        let found: Vec<&str> = view.applications.iter().map(|app| app.aid.as_str()).collect();
        assert_eq!(found, [hex::encode_upper(aid)]);
        assert_eq!(view.absent.len(), CANDIDATES.len() - 1, "what was found is not absent");
        assert!(sent.lock().unwrap().len() < 100);
    }
}

/// 32 records, each with as many AIDs as an answer takes: each is named once, so many are kept, and the rest is counted.
#[test]
fn directory_of_thousands_of_aids_is_cut_off_and_said() {
    let pse = hex::encode_upper("1PAY.SYS.DDF01");
    let mut number = 0u32;
    let began = std::time::Instant::now();
    let (view, sent) = read(
        move |command| match command {
            select if select.starts_with("00A40400") && select.contains(&pse) => fci(&pse, "880101") + "9000",
            record if record.starts_with("00B2") => {
                let entries: String = (0..180)
                    .map(|_| {
                        number += 1;
                        tlv("61", &tlv("4F", &format!("A0{number:08X}")))
                    })
                    .collect();
                let length = entries.len() / 2;
                format!("7082{length:04X}{entries}9000")
            }
            _ => "6A82".into(),
        },
        &[],
    );
    let pse = &view.directories[0];
    assert_eq!((pse.records.len(), pse.lists.len(), pse.left_out), (32, 64, 32 * 180 - 64));
    assert_eq!(view.absent.len(), 64);
    assert!(sent.len() < 200, "{}", sent.len());
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

/// No answer of a payment application is longer than 256 bytes; one of 60,000 is not kept, nor is more than a card can hold.
#[test]
fn long_answers_are_not_kept() {
    let long = tlv("70", &"00".repeat(100)) + &"00".repeat(60_000) + "9000";
    let options = "770A 8202 3900 9404 08010300 9000";
    let (view, _) = read(application(options, move |_| long.clone()), &[AID]);
    assert!(view.applications[0].records.iter().all(|record| record.answer.state == "malformed"));
    // Many long ones: what is kept of a card has an end, and what is not read is said.
    let afl: String = (1..=30).map(|sfi: u8| format!("{:02X}01FF00", sfi << 3)).collect();
    let options = tlv("77", &format!("82020000{}", tlv("94", &afl))) + "9000";
    let record = format!("708207FC{}9000", "C000".repeat(1022));
    let (view, _) = read(application(options, move |_| record.clone()), &[AID]);
    let app = &view.applications[0];
    assert!(app.records.len() <= 65, "{}", app.records.len());
    assert_eq!(app.records.len() + app.unread, 30 * 255);
}

/// Signed static data holds a hash over the PAN: with the public keys and the digits that are shown, it gives the PAN back.
#[test]
fn signed_static_data_and_certificates_are_not_shown() {
    for tag in ["93", "9F46", "9F2D"] {
        let canary = "C0FFEE99".repeat(30);
        let record = tlv("70", &tlv(tag, &canary));
        let options = "770A 8202 3900 9404 08010100 9000";
        let (view, _) = read(application(options, move |_| record.clone() + "9000"), &[AID]);
        let node = &view.applications[0].records[0].answer.objects[0].children[0];
        assert!(node.masked && node.value.is_none() && node.length == 120, "{tag}");
        assert!(!serde_json::to_string(&view).unwrap().contains("C0FFEE99"), "{tag}");
    }
}

#[test]
fn a_card_that_does_not_know_next_does_not_make_the_walk_endless() {
    let (view, sent) = read(
        |command| match command {
            select if select.starts_with("00A40") && select.contains("A000000003") => fci(AID, "") + "9000",
            _ => "6A88".into(),
        },
        &["A000000003", AID],
    );
    assert_eq!(view.applications.len(), 1);
    assert_eq!(sent.iter().filter(|it| it.starts_with("80A8")).count(), 1, "read once");
}

#[test]
fn a_card_with_applications_without_end_is_cut_off() {
    let mut next = 0u32;
    let (view, sent) = read(
        move |command| match command {
            select if select.starts_with("00A40") && select.contains("A000000003") => {
                next += 1;
                fci(&format!("A000000003{next:08X}"), "") + "9000"
            }
            _ => "6A88".into(),
        },
        &["A000000003"],
    );
    assert_eq!(view.applications.len(), 32);
    assert!(sent.len() < 300);
}

#[test]
fn a_locator_of_thousands_of_records_is_cut_off_and_said() {
    let afl: String = (1..=30).map(|sfi: u8| format!("{:02X}01FF00", sfi << 3)).collect();
    let options = tlv("77", &format!("82020000{}", tlv("94", &afl))) + "9000";
    let (view, sent) = read(application(options, |_| "70009000".into()), &[AID]);
    let app = &view.applications[0];
    assert_eq!((app.records.len(), app.unread), (128, 30 * 255 - 128));
    assert!(sent.len() < 200);
}

#[test]
fn records_that_are_refused_or_broken_are_told_and_not_shown() {
    let options = "770A 8202 3900 9404 08010300 9000";
    let (view, _) = read(
        application(options, |command| match &command[4..6] {
            "01" => "6A83".into(),
            "02" => "70085A0854133300890104 9000".into(),
            _ => "70048F0101 009000".into(),
        }),
        &[AID],
    );
    let answers: Vec<_> = view.applications[0].records.iter().map(|record| &record.answer).collect();
    assert_eq!((answers[0].state, answers[0].sw.as_deref()), ("refused", Some("6A83")));
    assert_eq!(answers[1].state, "malformed");
    assert!(answers[1].why.as_ref().unwrap().contains("not shown"), "{:?}", answers[1].why);
    assert_eq!(answers[2].state, "data");
    assert!(!serde_json::to_string(&view).unwrap().contains("541333008901"));
}

#[test]
fn refused_and_broken_processing_options_leave_the_rest_readable() {
    for (options, state) in
        [("6985", "refused"), ("9000", "data"), ("77038202399000", "malformed"), ("770694040801FF019000", "data")]
    {
        let (view, sent) = read(application(options, |_| "70009000".into()), &[AID]);
        let app = &view.applications[0];
        assert_eq!(app.options.state, state, "{options}");
        assert!(app.records.is_empty(), "{options}");
        assert_eq!(sent.iter().filter(|it| it.starts_with("80CA")).count(), 4, "{options}");
    }
}

#[test]
fn a_pdol_is_answered_to_the_byte_and_one_that_no_command_carries_is_refused() {
    // TTQ, amount, date, unpredictable number, something unknown.
    let pdol = tlv("9F38", "9F66049F02069A039F3704DF0102");
    let (_, sent) = read(
        move |command| match command {
            select if select.starts_with("00A40400") && select.contains(AID) => fci(AID, &pdol) + "9000",
            _ => "6A82".into(),
        },
        &[AID],
    );
    let expected = "80A8000015831336000000000000000100261124010203040000 00".replace(' ', "");
    assert!(sent.contains(&expected), "{sent:?}");
    let wide = tlv("9F38", "9F02FF9F03FF");
    let (view, sent) = read(
        move |command| match command {
            select if select.starts_with("00A40400") && select.contains(AID) => fci(AID, &wide) + "9000",
            _ => "6A82".into(),
        },
        &[AID],
    );
    assert_eq!(view.applications[0].options.state, "malformed");
    assert!(sent.iter().all(|it| !it.starts_with("80A8")));
}

#[test]
fn get_data_comes_with_and_without_its_tag() {
    let (view, _) = read(
        |command| match command {
            select if select.starts_with("00A40400") && select.contains(AID) => fci(AID, "") + "9000",
            "80CA9F3600" => "9F3602000A9000".into(),
            "80CA9F1300" => "00039000".into(),
            _ => "6A88".into(),
        },
        &[AID],
    );
    let objects = &view.applications[0].objects;
    assert_eq!(objects[0].answer.objects[0].words, ["10 transactions"]);
    assert_eq!(objects[1].answer.objects[0].words, ["last online at transaction 3"]);
    assert_eq!(objects[2].answer.sw.as_deref(), Some("6A88"));
}

/// A login stops where the card speaks something else, refuses or garbles; EXTERNAL AUTHENTICATE is never sent.
#[test]
fn no_login_to_a_card_that_speaks_something_else() {
    let store = SoftwareStore::new(Vec::new());
    let head = "476173FFFFFF0000002A";
    let cases = [
        (format!("{head}0101{}9000", "A5".repeat(16)), Code::CardProtocol),
        (format!("{head}2002{}9000", "A5".repeat(16)), Code::KeyNoMatch),
        (format!("{head}2002{}9000", "A5".repeat(15)), Code::CardAnswer),
        (format!("{head}2003709000"), Code::CardAnswer),
        ("9000".into(), Code::CardAnswer),
        ("6A88".into(), Code::CardRefused),
        ("6700".into(), Code::CardRefused),
    ];
    for (greeting, code) in cases {
        let answer = greeting.clone();
        let (mut card, sent) = card(move |command| match command {
            select if select.starts_with("00A4") => fci("A000000151000000", "") + "9000",
            greet if greet.starts_with("8050") => answer.clone(),
            _ => "6A88".into(),
        });
        let mut chance = Chance::fixed(vec![7; 64]);
        let error = login::with_any_key(&mut card, 0x00, None, &store, &mut chance).err().unwrap();
        assert_eq!(error.code(), code, "{greeting}: {error}");
        assert!(sent.lock().unwrap().iter().all(|command| !command.starts_with("8482")));
    }
    let (mut card, _) = card(|_| "6A82".into());
    let error = login::with_any_key(&mut card, 0x00, None, &store, &mut Chance::fixed(Vec::new())).err().unwrap();
    assert_eq!(error.code(), Code::CardBlank);
}

/// A card that repeats its PAN and name in objects of its own.
#[test]
fn a_pan_is_shown_nowhere() {
    let pan = "5413330089010434";
    let name = hex::encode_upper("CANARY/YELLOW");
    let record = [
        tlv("5A", pan),
        tlv("5F20", &name),
        tlv("DF01", &format!("0{pan}F")),
        tlv("9F10", &hex::encode_upper(pan)),
        tlv("DF02", &format!("AB{name}CD")),
        tlv("50", &hex::encode_upper(format!("CARD {pan}"))),
    ]
    .concat();
    let record = tlv("70", &record);
    let options = "770A 8202 3900 9404 08010100 9000";
    let (view, _) = read(application(options, move |_| record.clone() + "9000"), &[AID]);
    let text = serde_json::to_string(&view).unwrap();
    for canary in [pan.to_owned(), hex::encode_upper(pan), name.clone(), "CANARY/YELLOW".into()] {
        assert!(!text.contains(&canary), "{canary} in {text}");
    }
    let children = &view.applications[0].records[0].answer.objects[0].children;
    assert_eq!(children.len(), 6);
    assert!(children.iter().all(|node| node.masked));
}

#[test]
fn a_pan_as_a_cards_name_or_number_is_not_shown_either() {
    let pan = "5413330089010434";
    let record = tlv("70", &tlv("5A", pan));
    let (view, _) = read(
        move |command| match command {
            select if select.starts_with("00A40400") && select.contains(pan) => fci(pan, "") + "9000",
            options if options.starts_with("80A8") => "770A82023900940408010100 9000".into(),
            read if read.starts_with("00B2") => record.clone() + "9000",
            _ => "6A82".into(),
        },
        &[pan],
    );
    assert_eq!(view.applications.len(), 1);
    assert!(!serde_json::to_string(&view).unwrap().contains(pan));
    let (mut numbered, _) = card(move |command| match command {
        "80CA004500" => format!("4508{pan}9000"),
        _ => "6A88".into(),
    });
    let view = card_info(&gp::look(&mut numbered).unwrap(), (2026, 1), false);
    assert!(view.cin.unwrap().starts_with("not shown"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a card answers, there is an end and a view.
    #[test]
    fn any_answers_are_read(answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20),
                            good in any::<bool>()) {
        let mut at = 0;
        let rule = move |_: &str| {
            at += 1;
            let answer = answers.get(at % answers.len()).cloned().unwrap_or_default();
            hex::encode_upper(answer) + if good || at % 3 == 0 { "9000" } else { "6A88" }
        };
        let rule = Arc::new(Mutex::new(rule));
        let again = rule.clone();
        let (mut first, _) = card(move |command| (rule.lock().unwrap())(command));
        if let Ok(look) = gp::look(&mut first) {
            let _ = serde_json::to_string(&card_info(&look, (2026, 1), false)).unwrap();
        }
        let (mut second, _) = card(move |command| (again.lock().unwrap())(command));
        let wanted = Wanted { aids: vec![vec![0xA0, 0, 0, 0, 3]], candidates: true };
        if let Ok(contents) = read_contents(&mut second, &TERMINAL, &wanted) {
            let _ = serde_json::to_string(&card_data(&contents, false)).unwrap();
        }
    }
}
