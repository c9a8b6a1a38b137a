//! PIN blocks.

use perso::base::Secret;
use perso::base::crypto::{self, Cipher};
use perso::base::emv::Pan;
use perso::keys::pin::{ArrivedPin, Pin, PinFormat, Shape, decode, encode, pan_field};
use perso::keys::{KeyStore, Purpose};
use serde_json::{Map, Value, json};

use super::card_values::{pin, shown};
use super::custody::one_key_of;
use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[
    ("pinblock_iso0", iso0),
    ("pinblock_iso1", iso1),
    ("pinblock_iso2", iso2),
    ("pinblock_iso3", iso3),
    ("pinblock_iso0_decode", iso0_decode),
    ("pinblock_iso3_decode", iso3_decode),
    ("pinblock_iso4_fields", iso4_fields),
    ("pinblock_iso4_encrypt", iso4_encrypt),
    ("pinblock_iso4_decrypt", iso4_decrypt),
    ("pinblock_encrypted_tdes", encrypted_tdes),
    ("pinblock_decrypt_tdes", decrypt_tdes),
    ("pinblock_reject", reject),
];

fn iso0(inputs: &Inputs<'_>) -> Outputs {
    block(inputs, &Shape::Iso0(inputs.text("pan")?))
}

fn iso1(inputs: &Inputs<'_>) -> Outputs {
    block(inputs, &Shape::Iso1(&nibbles(inputs.text("fill")?)?))
}

fn iso2(inputs: &Inputs<'_>) -> Outputs {
    block(inputs, &Shape::Iso2)
}

fn iso3(inputs: &Inputs<'_>) -> Outputs {
    block(inputs, &Shape::Iso3(inputs.text("pan")?, &nibbles(inputs.text("fill")?)?))
}

fn block(inputs: &Inputs<'_>, shape: &Shape<'_>) -> Outputs {
    let block = encode(&pin(inputs.text("pin")?)?, shape).map_err(text)?;
    Ok(json!({ "pin_block": upper(block.expose()) }))
}

fn nibbles(hex: &str) -> Result<Vec<u8>, String> {
    hex.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8).ok_or_else(|| "fill".to_owned())).collect()
}

fn iso0_decode(inputs: &Inputs<'_>) -> Outputs {
    decoded(inputs, PinFormat::Iso0)
}

fn iso3_decode(inputs: &Inputs<'_>) -> Outputs {
    decoded(inputs, PinFormat::Iso3)
}

fn decoded(inputs: &Inputs<'_>, format: PinFormat) -> Outputs {
    let block = Secret::new(inputs.bytes("pin_block")?);
    digits(&decode(format, &block, inputs.text("pan")?).map_err(text)?)
}

fn digits(pin: &Pin) -> Outputs {
    Ok(json!({ "pin": shown(pin.expose_test_pin().map_err(text)?) }))
}

fn iso4_fields(inputs: &Inputs<'_>) -> Outputs {
    let field = encode(&pin(inputs.text("pin")?)?, &Shape::Iso4(&[0; 8])).map_err(text)?;
    let pan = pan_field(inputs.text("pan")?).map_err(text)?;
    Ok(json!({ "pin_field_first8": upper(&field.expose()[..8]), "pan_field": upper(&*pan) }))
}

fn iso4_encrypt(inputs: &Inputs<'_>) -> Outputs {
    let key = inputs.bytes("key")?;
    let field = encode(&pin(inputs.text("pin")?)?, &Shape::Iso4(&inputs.array("random")?)).map_err(text)?;
    let a = crypto::aes_ecb_encrypt(&key, field.expose()).map_err(text)?;
    let pan = pan_field(inputs.text("pan")?).map_err(text)?;
    let b: Vec<u8> = a.iter().zip(pan.iter()).map(|(a, pan)| a ^ pan).collect();
    let block = crypto::aes_ecb_encrypt(&key, &b).map_err(text)?;
    Ok(json!({
        "pin_field": upper(field.expose()), "pan_field": upper(&*pan),
        "intermediate_a": upper(a), "intermediate_b": upper(b), "pin_block": upper(block),
    }))
}

/// Through a key store, where the PAN is one; one vector has a PAN of one digit.
fn iso4_decrypt(inputs: &Inputs<'_>) -> Outputs {
    let (key, block) = (inputs.bytes("key")?, inputs.bytes("pin_block")?);
    let mut out = Map::new();
    let pan = inputs.text("pan")?;
    let outer = crypto::aes_ecb_decrypt(&key, &block).map_err(text)?;
    let mixed: Vec<u8> = outer.iter().zip(pan_field(pan).map_err(text)?.iter()).map(|(a, b)| a ^ b).collect();
    let field = crypto::aes_ecb_decrypt(&key, &mixed).map_err(text)?;
    out.insert("random".into(), upper(&field[8..]));
    let pin = match Pan::parse(pan) {
        Ok(pan) => under_pek(key, &block, &pan)?,
        Err(_) => decode(PinFormat::Iso4, &Secret::new(field), "").map_err(text)?,
    };
    out.insert("pin".into(), shown(pin.expose_test_pin().map_err(text)?));
    Ok(Value::Object(out))
}

fn under_pek(key: Vec<u8>, block: &[u8], pan: &Pan) -> Result<Pin, String> {
    let (store, key) = one_key_of(Cipher::Aes, Purpose::Zpk, key)?;
    store.open_pin(&ArrivedPin::UnderPek { key: &key, block }, pan).map_err(text)
}

fn encrypted_tdes(inputs: &Inputs<'_>) -> Outputs {
    let key = inputs.bytes("key")?;
    let shape = match inputs.text("format")? {
        "0" => Shape::Iso0(inputs.text("pan")?),
        other => return Err(format!("format {other}")),
    };
    let clear = encode(&pin(inputs.text("pin")?)?, &shape).map_err(text)?;
    let block = crypto::tdes_ecb_encrypt(&key, clear.expose()).map_err(text)?;
    // And back, through a key store.
    let (store, zpk) = one_key_of(Cipher::Tdes, Purpose::Zpk, key)?;
    let pan = Pan::parse(inputs.text("pan")?).map_err(text)?;
    let arrived = ArrivedPin::UnderZpk { key: &zpk, format: PinFormat::Iso0, block: &block };
    let read = store.open_pin(&arrived, &pan).map_err(text)?;
    if !read.expose_test_pin().map_err(text)?.equals(inputs.text("pin")?.as_bytes()) {
        return Err("the store reads another PIN".to_owned());
    }
    Ok(json!({ "clear_block": upper(clear.expose()), "pin_block": upper(block) }))
}

fn decrypt_tdes(inputs: &Inputs<'_>) -> Outputs {
    // No part of a block of format 1.
    inputs.known(&["pan"]);
    let format = match inputs.text("format")? {
        "1" => PinFormat::Iso1,
        other => return Err(format!("format {other}")),
    };
    let clear = crypto::tdes_ecb_decrypt(&inputs.bytes("key")?, &inputs.bytes("pin_block")?).map_err(text)?;
    let shown_clear = upper(&clear);
    let pin = decode(format, &Secret::new(clear), "").map_err(text)?;
    Ok(json!({ "clear_field": shown_clear, "pin": shown(pin.expose_test_pin().map_err(text)?) }))
}

fn reject(inputs: &Inputs<'_>) -> Outputs {
    let block = inputs.bytes("pin_block")?;
    let pan = inputs.text("pan")?;
    let refused = match inputs.text("decode_kind")? {
        "pinblock_iso0_decode" => decode(PinFormat::Iso0, &Secret::new(block), pan).is_err(),
        "pinblock_iso3_decode" => decode(PinFormat::Iso3, &Secret::new(block), pan).is_err(),
        "pinblock_iso4_decrypt" => under_pek(inputs.bytes("key")?, &block, &Pan::parse(pan).map_err(text)?).is_err(),
        other => return Err(other.to_owned()),
    };
    Ok(json!({ "rejected": refused }))
}
