//! Terminals that read cards which we personalized: python-emv and the crate `emv`.

use perso::issuance::journal::Journal;

use super::readers::{How, insert, name};
use super::support::{Bench, PROFILES, file_of};
use super::table::Table;
use super::{hold, installed, output};

pub fn run(table: &mut Table) {
    for profile in PROFILES {
        python_emv(table, profile);
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

fn python_emv(table: &mut Table, profile: &str) {
    let (who, version) = ("python-emv", "1.0.14");
    let what = format!("{profile}: PAN, expiry, label, AIP, AFL as in the record");
    let Some(python) = installed("emv/bin/python") else {
        return table.skip(who, version, &what, "it could not be installed");
    };
    let (aid, groupings) = application(profile);
    let all: String = groupings.iter().map(|(_, value)| value.as_str()).collect();
    if all.contains("9F38") {
        return table.skip(who, version, &what, "the card asks for terminal data (PDOL), and it always sends none");
    }
    table.attempt(who, version, &what, || {
        let bench = Bench::new(profile);
        let card = insert(0, bench.blank(), How::default());
        let result = bench.run_over(card.link().map_err(|error| error.to_string())?, &mut Journal::in_memory());
        hold(result.state == "good", "the card was not made", &format!("{:?}", result.state))?;
        let script = file_of("tests/foreign/emv_read.py").display().to_string();
        let (code, text) = output(&python.display().to_string(), &[&script, &name(0), &aid])?;
        hold(code == 0, "it could not read the card", &text)?;
        let last = text.lines().rev().find(|line| line.starts_with('{')).unwrap_or_default();
        let seen: std::collections::BTreeMap<String, String> =
            serde_json::from_str(last).map_err(|error| error.to_string())?;
        for tag in ["5A", "5F24", "50", "82", "94"] {
            let value = seen.get(tag).ok_or(format!("it did not see {tag}"))?;
            let element = format!("{tag}{:02X}{value}", value.len() / 2);
            hold(all.contains(&element), &format!("{tag} is not the record's"), "")?;
        }
        Ok(())
    });
}
