//! The sample orders that `perso init lab` makes: a JOSE library of others opens their card data with the laboratory's
//! private keys, and psec reads their PIN blocks with its zone keys. Needs no reader.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::issuing::Strangers;
use super::table::Table;
use super::{hold, installed};

const ORDERS: [&str; 6] = ["own", "d1-instant", "d1-central", "d1-thales", "pismo", "mastercard"];

pub fn run(table: &mut Table) {
    let (who, version) = ("jwcrypto, psec", "1.6.1, 1.3.0");
    let strangers = installed("issuing/bin/python").map(Strangers);
    let folder = tempfile::tempdir().unwrap();
    let labs = ["lab", "another"].map(|name| folder.path().join(name));
    for order in ORDERS {
        let opens = format!("`perso init lab`, orders/{order}.json: the card data opens, the PIN block holds the PIN");
        let other = format!("`perso init lab`, orders/{order}.json: another laboratory's key opens nothing");
        let Some(strangers) = &strangers else {
            [opens, other].iter().for_each(|what| table.skip(who, version, what, "it could not be installed"));
            continue;
        };
        table.attempt(who, version, &opens, || {
            labs.iter().try_for_each(|lab| make(lab))?;
            opened(strangers, &labs[0], order)
        });
        table.attempt(who, version, &other, || {
            let (kid, jwe) = encrypted(&labs[0], order)?;
            let key = value(&labs[1], &kid)?;
            match strangers.ask(&["open_jwe", &key, &jwe]) {
                Err(_) => Ok(()),
                Ok(_) => Err("it opens".into()),
            }
        });
    }
}

/// Makes a laboratory, unless it is there.
fn make(lab: &Path) -> Result<(), String> {
    if lab.exists() {
        return Ok(());
    }
    let output = Command::new(env!("CARGO_BIN_EXE_perso"))
        .args(["--config", "none", "init", "lab"])
        .arg(lab)
        .output()
        .map_err(|error| error.to_string())?;
    hold(output.status.success(), "no laboratory", &String::from_utf8_lossy(&output.stderr))
}

fn json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The `kid` of an order's encrypted card data, and the text.
fn encrypted(lab: &Path, order: &str) -> Result<(String, String), String> {
    use base64::Engine;
    let order = json(&lab.join(format!("orders/{order}.json")))?;
    let places = ["/encrypted_data", "/encryptedData", "/body/encryptedData"];
    let jwe = places.iter().find_map(|place| order.pointer(place)?.as_str()).ok_or("no encrypted data")?;
    let header = jwe.split('.').next().unwrap_or_default();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).map_err(|error| error.to_string())?;
    let header: Value = serde_json::from_slice(&header).map_err(|error| error.to_string())?;
    Ok((header["kid"].as_str().unwrap_or_default().to_owned(), jwe.to_owned()))
}

/// The value of the key that the site has for a `kid` of an order, or of a PIN block.
fn value(lab: &Path, kid: &str) -> Result<String, String> {
    let site = std::fs::read_to_string(lab.join("site.toml")).map_err(|error| error.to_string())?;
    let site: toml::Table = site.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let rules = ["jwe", "pin"].iter().filter_map(|table| site.get(*table)?.as_array()).flatten();
    let text = |rule: &toml::Value, name: &str| rule.get(name).and_then(|it| it.as_str()).map(str::to_owned);
    let name = rules.clone().find(|rule| text(rule, "kid").as_deref() == Some(kid)).and_then(|rule| text(rule, "key"));
    let name = name.ok_or("the site has no such kid")?;
    let keys = json(&lab.join("keys.test.json"))?;
    let key = keys["keys"].as_array().into_iter().flatten().find(|key| key["name"] == name.as_str());
    Ok(key.and_then(|key| key["value"].as_str()).ok_or("no such key")?.to_owned())
}

fn opened(strangers: &Strangers, lab: &Path, order: &str) -> Result<(), String> {
    let (kid, jwe) = encrypted(lab, order)?;
    let clear = strangers.ask(&["open_jwe", &value(lab, &kid)?, &jwe])?;
    let card: Value = serde_json::from_str(&clear).map_err(|error| error.to_string())?;
    let pan = card["pan"].as_str().unwrap_or_default();
    hold(pan == "4761739001010119", "another PAN", &clear)?;
    let pin = &card["pin"];
    let text = |one: &str, other: &str| pin[one].as_str().or(pin[other].as_str()).unwrap_or_default().to_owned();
    let (form, block) = (text("form", "type"), text("block", "encryptedPin"));
    let key = value(lab, pin["kid"].as_str().unwrap_or_default())?;
    let read = match form.as_str() {
        "ISO0" => strangers.ask(&["read_iso0", &key, &block, pan])?,
        "ISO4" => strangers.ask(&["read_iso4", &key, &block, pan])?,
        other => return Err(format!("another form: {other}")),
    };
    let drawn = std::fs::read_to_string(lab.join("pin.txt")).map_err(|error| error.to_string())?;
    hold(read == drawn.trim() && read.len() == 4, "another PIN", "")
}
