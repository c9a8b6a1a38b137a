//! CVV, PVV, offsets, dynamic values.

use perso::base::Secret;
use perso::base::emv::Pan;
use perso::keys::card_values::{CvvInput, cvc3, cvv, dcvv, ivcvc3};
use perso::keys::issuer::{CardKeyMethod, Parity, icc_master_key, icc_master_key_value};
use perso::keys::pin::{Ibm3624, Pin, pin_from_offset, pin_offset, pvv};
use perso::keys::{KeyHandle, KeyStore, Purpose, SoftwareStore};
use serde_json::{Map, Value, json};

use super::custody::one_key;
use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[("cvv", cvv_), ("pvv", pvv_), ("ibm3624", ibm3624), ("dcvv", dcvv_), ("cvc3", cvc3_)];

fn cvv_(inputs: &Inputs<'_>) -> Outputs {
    let (store, cvk) = one_key(Purpose::Cvk, inputs.bytes("cvk")?)?;
    let pan = pan(inputs)?;
    Ok(json!({ "cvv": shown(cvv(&store, &cvk, &input(&pan, inputs)?, 3).map_err(text)?) }))
}

fn pvv_(inputs: &Inputs<'_>) -> Outputs {
    let (store, pvk) = one_key(Purpose::Pvk, inputs.bytes("pvk")?)?;
    let index = inputs.text("pvki")?.parse().map_err(text)?;
    let pin = pin(inputs.text("pin")?)?;
    Ok(json!({ "pvv": shown(pvv(&store, &pvk, &pan(inputs)?, index, &pin).map_err(text)?) }))
}

fn ibm3624(inputs: &Inputs<'_>) -> Outputs {
    let (store, pvk) = one_key(Purpose::Pvk3624, inputs.bytes("pvk")?)?;
    let part: String = inputs
        .text("pan")?
        .chars()
        .skip(inputs.number("verify_offset")?)
        .take(inputs.number("verify_length")?)
        .collect();
    let filling = inputs.text("pad")?.repeat(16 - part.len());
    let validation = format!("{part}{filling}");
    let method = Ibm3624 { validation: &validation, table: inputs.text("table")? };
    let mut out = Map::new();
    out.insert("natural_pin".into(), shown(method.natural(&store, &pvk).map_err(text)?));
    if let Some(offset) = inputs.optional_text("offset")? {
        let pin = pin_from_offset(&store, &pvk, &method, offset).map_err(text)?;
        out.insert("pin".into(), shown(pin.expose_test_pin().map_err(text)?));
    }
    if let Some(digits) = inputs.optional_text("pin")? {
        out.insert("offset".into(), shown(pin_offset(&store, &pvk, &method, &pin(digits)?).map_err(text)?));
    }
    Ok(Value::Object(out))
}

fn dcvv_(inputs: &Inputs<'_>) -> Outputs {
    let card = Card::new(inputs)?;
    let value = dcvv(&card.store, &card.key, &input(&card.pan, inputs)?, inputs.text("atc_digits")?).map_err(text)?;
    Ok(json!({ "dcvv": shown(value), "icc_mk": upper(card.value.expose()) }))
}

fn cvc3_(inputs: &Inputs<'_>) -> Outputs {
    let card = Card::new(inputs)?;
    let iv = match inputs.optional_text("track")? {
        Some(_) => ivcvc3(&card.store, &card.key, &inputs.bytes("track")?).map_err(text)?,
        None => Secret::new(inputs.bytes("ivcvc3")?),
    };
    let value = cvc3(&card.store, &card.key, &iv, inputs.array("un")?, inputs.array("atc")?).map_err(text)?;
    let kcv = card.store.kcv(&card.key, perso::base::crypto::KcvMethod::DesZero, 2).map_err(text)?;
    let digits = String::from_utf8(value.expose().clone()).map_err(text)?;
    Ok(json!({
        "icc_mk": upper(card.value.expose()), "icc_mk_kcv2": upper(kcv), "ivcvc3": upper(iv.expose()),
        "cvc3_5": digits, "cvc3_3": digits[2..],
    }))
}

/// A card's key for dynamic values.
struct Card {
    store: SoftwareStore,
    key: KeyHandle,
    value: Secret<Vec<u8>>,
    pan: Pan,
}

impl Card {
    fn new(inputs: &Inputs<'_>) -> Result<Self, String> {
        let (store, imk) = one_key(Purpose::ImkCvc, inputs.bytes("imk")?)?;
        let (pan, psn) = (pan(inputs)?, inputs.byte("psn")?);
        let method = match inputs.text("option")? {
            "A" => CardKeyMethod::A,
            "B" => CardKeyMethod::B,
            other => return Err(format!("option {other}")),
        };
        let key = icc_master_key(&store, &imk, &pan, psn, method).map_err(text)?;
        let value = icc_master_key_value(&store, &imk, &pan, psn, method, Parity::Odd).map_err(text)?;
        Ok(Self { store, key, value, pan })
    }
}

fn pan(inputs: &Inputs<'_>) -> Result<Pan, String> {
    Pan::parse(inputs.text("pan")?).map_err(text)
}

fn input<'a>(pan: &'a Pan, inputs: &Inputs<'a>) -> Result<CvvInput<'a>, String> {
    Ok(CvvInput { pan, expiry: inputs.text("expiry")?, service_code: inputs.text("service_code")? })
}

pub fn pin(digits: &str) -> Result<Pin, String> {
    Pin::from_ascii(&Secret::new(digits.as_bytes().to_vec())).map_err(text)
}

/// Digits in ASCII.
pub fn shown(digits: Secret<Vec<u8>>) -> Value {
    Value::String(String::from_utf8_lossy(digits.expose()).into_owned())
}
