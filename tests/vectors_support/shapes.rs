//! Kinds and members that a file of vectors may state and those of `tests/vectors/` do not, built from vectors that are
//! there; and members that nobody knows.

use std::path::Path;

use serde_json::{Value, json};

use super::compute;
use super::vector::Vector;

/// A vector that states this and nothing else.
fn check(kind: &str, inputs: Value, expected: Value) -> Result<(), String> {
    let vector = Vector::of(&json!({ "name": kind, "kind": kind, "inputs": inputs, "expected": expected }))?;
    vector.compare(&compute(&vector)?).map_err(|why| format!("{kind}: {why}"))
}

fn stored(folder: &Path, file: &str, name: &str) -> Result<Value, String> {
    let text = std::fs::read(folder.join(file)).map_err(|error| error.to_string())?;
    let vectors: Vec<Value> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    vectors.into_iter().find(|vector| vector["name"] == name).ok_or_else(|| format!("{name} is not there"))
}

/// Each shape is computed.
pub fn known(folder: &Path) -> Result<(), String> {
    let nested = json!([["70", [["9C", "FF"], ["A5", [["9F37", "8B55633B"]]]]], ["9C", ""]]);
    check("tlv_encode", json!({ "items": nested }), json!({ "data": "700C9C01FFA5079F37048B55633B9C00" }))?;

    // FIPS 46-3's cipher over eight zero bytes.
    let single = json!({ "key": "0123456789ABCDEF", "method": "des_zero", "length": 3 });
    check("kcv", single, json!({ "kcv": "D5D44F" }))?;

    let mut signed = stored(folder, "emv_oda.json", "bf_contact_upi_09_sda")?;
    signed["inputs"].as_object_mut().ok_or("no inputs")?.remove("static_data");
    check("oda_sda", signed["inputs"].clone(), signed["derived"].clone())?;

    let mut combined = stored(folder, "emv_oda.json", "mcF1_cda")?;
    combined["inputs"]["transaction_data"] = json!("00");
    check("oda_cda", combined["inputs"].clone(), json!({ "hash_ok": true, "transaction_data_hash_ok": false }))?;

    // Of 16 digits a PAN is taken as by option A. // EMV B2 A1.4.2
    let mut dynamic = stored(folder, "cvv_pvv_offset.json", "jpos_dcvv_0")?;
    dynamic["inputs"]["option"] = json!("B");
    check("dcvv", dynamic["inputs"].clone(), dynamic["expected"].clone())?;

    let session = stored(folder, "scp02.json", "chenpengcong_31_cryptogram")?;
    let dek = json!({ "key": session["derived"]["s_dek"], "method": "des_zero", "length": 3 });
    let vector = Vector::of(&json!({ "name": "-", "kind": "kcv", "inputs": dek, "expected": { "kcv": "" } }))?;
    check("scp02_session_keys", session["inputs"].clone(), json!({ "s_dek_kcv": compute(&vector)?["kcv"] }))
}

/// From a master key to the card's cryptogram; another cryptogram is refused.
pub fn master_key_to_card_cryptogram(folder: &Path) -> Result<(), String> {
    let master = stored(folder, "key_diversification.json", "gppro_visa2")?;
    let keys = &master["derived"];
    let (sequence, host, challenge) = ("0000", "1234567891234567", "B17EECA5CEB9");
    let session = compute(&Vector::of(&json!({
        "name": "-", "kind": "scp02_session_keys", "expected": { "s_enc": "" },
        "inputs": {
            "key_enc": keys["k_enc"], "key_mac": keys["k_mac"], "key_dek": keys["k_dek"], "seq": sequence,
        },
    }))?)?;
    let cryptograms = compute(&Vector::of(&json!({
        "name": "-", "kind": "scp02_cryptograms", "expected": { "card_cryptogram": "" },
        "inputs": {
            "s_enc": session["s_enc"], "seq": sequence, "host_challenge": host, "card_challenge": challenge,
        },
    }))?)?;
    let inputs = |cryptogram: &str| {
        let kdd = master["inputs"]["kdd"].as_str().unwrap_or_default();
        json!({
            "master": master["inputs"]["master"], "scheme": "visa2", "scp": "02", "security_level": "03",
            "init_update_cmd": format!("8050000008{host}00"),
            "init_update_rsp": format!("{kdd}FF02{sequence}{challenge}{cryptogram}"),
        })
    };
    let seen = cryptograms["card_cryptogram"].as_str().ok_or("no cryptogram")?;
    check(
        "div_then_scp",
        inputs(seen),
        json!({
            "k_enc": keys["k_enc"], "k_dek": keys["k_dek"], "card_cryptogram": seen, "s_enc": session["s_enc"],
            "host_cryptogram": cryptograms["host_cryptogram"],
        }),
    )?;
    match check("div_then_scp", inputs("0000000000000000"), json!({ "card_cryptogram": "0000000000000000" })) {
        Err(why) if why.contains("cryptogram is another") => Ok(()),
        other => Err(format!("a wrong cryptogram: {other:?}")),
    }
}

/// A kind, an input and an output that the runner does not know are each refused.
pub fn unknown(folder: &Path) -> Result<(), String> {
    let vector = stored(folder, "scp02.json", "chenpengcong_31_card_cryptogram")?;
    for what in ["kind", "input", "output"] {
        let mut changed = vector.clone();
        match what {
            "kind" => changed["kind"] = json!("no_such_kind"),
            "input" => changed["inputs"]["no_such_input"] = json!("00"),
            _ => changed["expected"]["no_such_output"] = json!("00"),
        }
        let changed = Vector::of(&changed)?;
        if compute(&changed).and_then(|outputs| changed.compare(&outputs)).is_ok() {
            return Err(format!("an unknown {what} passes"));
        }
    }
    // A member of one step of a session as well.
    let text = std::fs::read(folder.join("scp02.json")).map_err(|error| error.to_string())?;
    let vectors: Vec<Value> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let mut session = vectors.into_iter().find(|it| it["kind"] == "scp02_wrap").ok_or("no session")?;
    session["inputs"]["steps"][0]["no_such_input"] = json!("00");
    match compute(&Vector::of(&session)?) {
        Err(why) if why.contains("steps[0].no_such_input") => Ok(()),
        other => Err(format!("an unknown member of a step: {other:?}")),
    }
}
