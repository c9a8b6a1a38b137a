//! CA keys, certificates and signatures of offline data authentication, and the parts of RSA keys.

use perso::base::Secret;
use perso::base::crypto::{RsaPrivate, RsaPublic, sha1};
use perso::base::emv::Pan;
use perso::base::emv::certificate::{
    IssuerCertificate, MonthYear, Subject, UnprovenCard, ca_key_hash, open_card, open_cda, open_dda, open_issuer,
    open_static, recover_static, sign_icc, sign_issuer,
};
use serde_json::{Value, json};

use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[
    ("capk_hash", capk_hash),
    ("oda_issuer_cert", issuer_cert),
    ("oda_icc_cert", icc_cert),
    ("oda_sda", sda),
    ("oda_dda", dda),
    ("oda_cda", cda),
    ("oda_issue_issuer_cert", issue_issuer_cert),
    ("oda_issue_icc_cert", issue_icc_cert),
    ("rsa_crt", rsa_crt),
];

fn public(inputs: &Inputs<'_>, modulus: &str, exponent: &str) -> Result<RsaPublic, String> {
    RsaPublic::new(&inputs.bytes(modulus)?, &inputs.bytes(exponent)?).map_err(text)
}

fn capk_hash(inputs: &Inputs<'_>) -> Outputs {
    let key = public(inputs, "modulus", "exponent")?;
    Ok(json!({ "sha1": upper(ca_key_hash(inputs.array("rid")?, inputs.byte("index")?, &key)) }))
}

fn issuer(inputs: &Inputs<'_>) -> Result<IssuerCertificate, String> {
    let ca = public(inputs, "ca_modulus", "ca_exponent")?;
    let (remainder, exponent) = (inputs.bytes("issuer_remainder")?, inputs.bytes("issuer_exponent")?);
    open_issuer(&ca, &inputs.bytes("issuer_cert")?, &remainder, &exponent).map_err(text)
}

fn card(inputs: &Inputs<'_>) -> Result<UnprovenCard, String> {
    let (remainder, exponent) = (inputs.bytes("icc_remainder")?, inputs.bytes("icc_exponent")?);
    open_card(&issuer(inputs)?.key, &inputs.bytes("icc_cert")?, &remainder, &exponent).map_err(text)
}

/// The card's key; proven where the source gives the static data.
fn card_key(inputs: &Inputs<'_>) -> Result<RsaPublic, String> {
    let card = card(inputs)?;
    if inputs.optional_text("static_data")?.is_some() {
        return Ok(card.prove(&inputs.bytes("static_data")?).map_err(text)?.key);
    }
    Ok(card.unproven().key)
}

fn issuer_cert(inputs: &Inputs<'_>) -> Outputs {
    let issuer = issuer(inputs)?;
    Ok(json!({
        "issuer_id": upper(issuer.issuer_id), "expiry_mmyy": upper(issuer.expiry.to_mmyy()),
        "serial": upper(issuer.serial), "modulus_length": issuer.key.length(),
        "issuer_modulus": upper(issuer.key.modulus()), "hash": upper(issuer.hash),
    }))
}

fn icc_cert(inputs: &Inputs<'_>) -> Outputs {
    let mut proven = Value::Null;
    if inputs.optional_text("static_data")?.is_some() {
        proven = json!(card(inputs)?.prove(&inputs.bytes("static_data")?).is_ok());
    }
    let card = card(inputs)?.unproven();
    Ok(json!({
        "pan": upper(card.pan_field()), "expiry_mmyy": upper(card.expiry.to_mmyy()), "serial": upper(card.serial),
        "modulus_length": card.key.length(), "icc_modulus": upper(card.key.modulus()), "hash": upper(card.hash),
        "hash_ok": proven,
    }))
}

fn sda(inputs: &Inputs<'_>) -> Outputs {
    let (issuer, ssad) = (issuer(inputs)?.key, inputs.bytes("ssad")?);
    if inputs.optional_text("static_data")?.is_none() {
        let recovered = recover_static(&issuer, &ssad).map_err(text)?;
        return Ok(json!({ "dac": upper(recovered.dac), "hash": upper(recovered.hash) }));
    }
    let opened = open_static(&issuer, &ssad, &inputs.bytes("static_data")?);
    let Ok(opened) = opened else { return Ok(json!({ "hash_ok": false })) };
    Ok(json!({ "dac": upper(opened.dac), "hash": upper(opened.hash), "hash_ok": true }))
}

fn dda(inputs: &Inputs<'_>) -> Outputs {
    let opened = open_dda(&card_key(inputs)?, &inputs.bytes("sdad")?, &inputs.bytes("ddol_data")?);
    let Ok(opened) = opened else { return Ok(json!({ "hash_ok": false })) };
    Ok(json!({ "icc_dynamic_number": upper(opened.number), "hash": upper(opened.hash), "hash_ok": true }))
}

fn cda(inputs: &Inputs<'_>) -> Outputs {
    let opened = open_cda(&card_key(inputs)?, &inputs.bytes("sdad")?, inputs.array("un")?);
    let data = inputs.optional_text("transaction_data")?.map(|_| inputs.bytes("transaction_data")).transpose()?;
    let Ok(opened) = opened else { return Ok(json!({ "hash_ok": false })) };
    let transaction_data_hash_ok = data.map(|data| sha1(&data) == opened.transaction_hash);
    Ok(json!({
        "transaction_data_hash_ok": transaction_data_hash_ok,
        "icc_dynamic_number": upper(opened.number), "cid": upper([opened.cid]), "ac": upper(opened.cryptogram),
        "transaction_data_hash": upper(opened.transaction_hash), "hash": upper(opened.hash), "hash_ok": true,
    }))
}

/// The key of the signer; these sources sign with the public exponent 3, and say nothing of it.
fn signer(inputs: &Inputs<'_>, modulus: &str, private: &str) -> Result<RsaPrivate, String> {
    RsaPrivate::from_exponents(&inputs.bytes(modulus)?, &[3], &Secret::new(inputs.bytes(private)?)).map_err(text)
}

fn subject(inputs: &Inputs<'_>) -> Result<Subject, String> {
    let expiry = MonthYear::from_mmyy(inputs.array("expiry_mmyy")?).ok_or("no month")?;
    Ok(Subject { expiry, serial: inputs.array("serial")? })
}

fn issue_issuer_cert(inputs: &Inputs<'_>) -> Outputs {
    let ca = signer(inputs, "ca_modulus", "ca_private_exponent")?;
    let key = public(inputs, "issuer_modulus", "issuer_exponent")?;
    let issuer_id = inputs.array("issuer_id")?;
    let made = sign_issuer(ca.public(), issuer_id, subject(inputs)?, &key, |block| ca.raw(block)).map_err(text)?;
    Ok(json!({ "issuer_cert": upper(made.certificate), "issuer_remainder": upper(made.remainder) }))
}

fn issue_icc_cert(inputs: &Inputs<'_>) -> Outputs {
    let issuer = signer(inputs, "issuer_modulus", "issuer_private_exponent")?;
    let key = public(inputs, "icc_modulus", "icc_exponent")?;
    let pan = Pan::from_cn(&inputs.bytes("pan10")?).map_err(text)?;
    let data = inputs.bytes("static_data")?;
    let made = sign_icc(issuer.public(), &pan, subject(inputs)?, &key, &data, |block| issuer.raw(block));
    let made = made.map_err(text)?;
    Ok(json!({ "icc_cert": upper(made.certificate), "icc_remainder": upper(made.remainder) }))
}

fn rsa_crt(inputs: &Inputs<'_>) -> Outputs {
    let prime = |name: &str| inputs.bytes(name).map(Secret::new);
    let key = RsaPrivate::from_primes(&prime("p")?, &prime("q")?, &inputs.bytes("e")?).map_err(text)?;
    Ok(json!({
        "modulus": upper(key.public().modulus()), "dp": upper(key.dp().map_err(text)?.expose()),
        "dq": upper(key.dq().map_err(text)?.expose()), "qinv": upper(key.q_inverse().map_err(text)?.expose()),
    }))
}
