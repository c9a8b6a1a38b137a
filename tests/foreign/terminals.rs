//! Terminals that read cards which we personalized: python-emv and the crate `emv`.

use std::collections::BTreeMap;

use perso::card::sim::{Hex, SimCard};
use perso::issuance::journal::Journal;

use super::readers::{How, Inserted, insert, name};
use super::support::{Bench, PROFILES, file_of};
use super::table::Table;
use super::{hold, installed, output};

pub fn run(table: &mut Table) {
    for profile in PROFILES {
        python_emv(table, profile);
        kernel(table, profile);
    }
}

/// The first application of the clear record: its AID, and its groupings that are not secret.
fn application(profile: &str) -> (String, Vec<(String, String)>) {
    let text = std::fs::read(file_of(&format!("tests/samples/{profile}.clear.json"))).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let application = &record["body"]["applications"][0];
    let clear = |it: &serde_json::Value| Some((it["dgi"].as_str()?.to_owned(), it["value"].as_str()?.to_owned()));
    let groupings = application["groupings"].as_array().unwrap().iter().filter_map(clear).collect();
    (application["aid"].as_str().unwrap().to_owned(), groupings)
}

/// The profile's sample, personalized over the reader.
fn made(profile: &str) -> Result<Inserted, String> {
    let bench = Bench::new(profile);
    let card = insert(0, bench.blank(), How::default());
    let result = bench.run_over(card.link().map_err(|error| error.to_string())?, &mut Journal::in_memory());
    hold(result.state == "good", "the card was not made", &result.state)?;
    Ok(card)
}

/// The same card again in a reader, now one that speaks T=0 only: python-emv speaks nothing else.
fn made_t0(profile: &str) -> Result<Inserted, String> {
    let mut file = made(profile)?.file();
    file.blank.atr = Hex(vec![0x3B, 0x00]);
    file.blank.t0 = true;
    Ok(insert(0, SimCard::of(file), How::default()))
}

fn python_emv(table: &mut Table, profile: &str) {
    let (who, version) = ("python-emv", "1.0.14");
    let as_record = format!("{profile}: PAN, expiry, label, AIP, AFL as in the record");
    let as_ours = format!("{profile}: all data elements as `perso card data` prints them");
    let Some(python) = installed("emv/bin/python").map(|path| path.display().to_string()) else {
        [as_record, as_ours].iter().for_each(|what| table.skip(who, version, what, "it could not be installed"));
        return;
    };
    let (aid, groupings) = application(profile);
    table.attempt(who, version, &as_record, || {
        let _card = made_t0(profile)?;
        let seen = read(&python, &aid)?;
        let all: String = groupings.iter().map(|(_, value)| value.as_str()).collect();
        for tag in ["5A", "5F24", "50", "82", "94"] {
            let value = seen.get(tag).ok_or(format!("it did not see {tag}"))?;
            let element = format!("{tag}{:02X}{value}", value.len() / 2);
            hold(all.contains(&element), &format!("{tag} is not the record's"), "")?;
        }
        Ok(())
    });
    table.attempt(who, version, &as_ours, || {
        let _card = made_t0(profile)?;
        let (theirs, ours) = (read(&python, &aid)?, card_data(&aid)?);
        let tags = |seen: Vec<&String>| seen.into_iter().cloned().collect::<Vec<_>>().join(" ");
        let (their_tags, our_tags) = (tags(theirs.keys().collect()), tags(ours.keys().collect()));
        hold(their_tags == our_tags, "the tags differ", &format!("{their_tags} / ours {our_tags}"))?;
        hold(ours.len() > 15, "too few tags", &our_tags)?;
        for tag in ["8E", "9F07", "5A", "57"] {
            hold(ours.contains_key(tag), &format!("{tag} is not there to be compared"), &our_tags)?;
        }
        for (tag, element) in &ours {
            let value = &theirs[tag];
            let same = match &element.shown {
                Shown::Whole(ours) => ours == value,
                Shown::Masked(ours) => element.length == value.len() / 2 && *ours == masked(tag, value),
            };
            hold(same, &format!("{tag} differs"), "")?;
        }
        Ok(())
    });
}

/// What python-emv sees, by tag.
fn read(python: &str, aid: &str) -> Result<BTreeMap<String, String>, String> {
    let script = file_of("tests/foreign/emv_read.py").display().to_string();
    let (code, text) = output(python, &[&script, &name(0), aid])?;
    hold(code == 0, "it could not read the card", &text)?;
    let last = text.lines().rev().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(last).map_err(|error| error.to_string())
}

struct Element {
    length: usize,
    shown: Shown,
}

enum Shown {
    /// All bytes.
    Whole(String),
    /// What is told of a value that is masked.
    Masked(String),
}

/// What we tell of a masked value, worked out of all of it: digits of a PAN, and of track 2 what stands around them.
fn masked(tag: &str, value: &str) -> String {
    let pan =
        |digits: &str| format!("{}{}{}", &digits[..6], "*".repeat(digits.len() - 10), &digits[digits.len() - 4..]);
    match (tag, value.split_once('D')) {
        ("5A", _) => pan(value.trim_end_matches('F')),
        ("57", Some((digits, rest))) => {
            format!("{}, expiry {}, service code {}, the rest not shown", pan(digits), &rest[..4], &rest[4..7])
        }
        _ => "not shown".into(),
    }
}

/// What `perso card data` sees in the answers to SELECT, GET PROCESSING OPTIONS and READ RECORD, by tag.
fn card_data(aid: &str) -> Result<BTreeMap<String, Element>, String> {
    let program = assert_cmd::cargo::cargo_bin!("perso").display().to_string();
    let arguments = ["card", "data", "--reader", &name(0), "--aid", aid, "--format", "json", "--log", "off"];
    let (code, text) = output(&program, &arguments)?;
    hold(code == 0, "`perso card data` failed", &text)?;
    let view: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let application = view["applications"].as_array().unwrap().iter().find(|it| it["aid"] == aid);
    let application = application.ok_or("`perso card data` did not find the application")?;
    let mut elements = BTreeMap::new();
    ["fci", "options", "records"].iter().for_each(|part| collect(&application[part], &mut elements));
    Ok(elements)
}

fn collect(node: &serde_json::Value, into: &mut BTreeMap<String, Element>) {
    match node {
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        serde_json::Value::Object(members) => {
            let text = |name: &str| node[name].as_str().map(str::to_owned);
            let masked = || text("text").filter(|_| node["masked"] == true).map(Shown::Masked);
            if let (Some(tag), Some(length)) = (node["tag"].as_str(), node["length"].as_u64())
                && let Some(shown) = text("value").map(Shown::Whole).or_else(masked)
            {
                into.insert(tag.to_owned(), Element { length: length as usize, shown });
            }
            members.values().for_each(|member| collect(member, into));
        }
        _ => {}
    }
}

/// A terminal kernel runs a transaction. Only what it prints of the card's data is looked at; how the transaction ends is
/// its own affair.
fn kernel(table: &mut Table, profile: &str) {
    let (who, version) = ("emv (crate)", "0.1.1");
    let what = format!("{profile}: name, label, AIP, AFL as in the record, all records read");
    let Some(program) = installed("emv-kernel/bin/emv-test-transaction") else {
        return table.skip(who, version, &what, "it could not be installed");
    };
    let (aid, groupings) = application(profile);
    table.attempt(who, version, &what, || {
        let _card = made(profile)?;
        let (_, text) = output(&program.display().to_string(), &["--aid", &aid])?;
        let value = |dgi: &str| groupings.iter().find(|(name, _)| name == dgi).map_or("", |(_, value)| value.as_str());
        // 9104 is AIP, then AFL; of 9102 the label is the first element.
        let (options, control) = (value("9104"), hex::decode(value("9102")).unwrap());
        let label = String::from_utf8_lossy(&control[4..4 + usize::from(control[3])]).into_owned();
        let seen = |wanted: String| hold(text.lines().any(|line| line.trim() == wanted), &wanted, &text);
        seen(format!("DF Name:   {aid}"))?;
        seen(format!("Label:     {label}"))?;
        seen(format!("AIP:  {}", &options[4..8]))?;
        for entry in hex::decode(&options[12..]).unwrap().chunks(4) {
            let [file, first, last, signed] = entry else { return Err("the record's AFL is odd".into()) };
            seen(format!("SFI={} records {first}..={last} (oda count {signed})", file >> 3))?;
        }
        hold(text.contains("TagStore primitives: "), "the records were not read", &text)
    });
}
