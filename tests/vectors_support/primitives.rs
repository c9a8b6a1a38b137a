//! Ciphers, MACs, paddings, check values.

use perso::base::crypto::{self, KcvMethod};
use serde_json::json;

use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[
    ("aes_cmac", aes_cmac),
    ("tdes_cmac", tdes_cmac),
    ("iso9797_alg1", iso9797_alg1),
    ("iso9797_alg3", iso9797_alg3),
    ("iso9797_pad", iso9797_pad),
    ("kcv", kcv),
];

fn aes_cmac(inputs: &Inputs<'_>) -> Outputs {
    let mac = crypto::aes_cmac(&inputs.bytes("key")?, &inputs.bytes("data")?).map_err(text)?;
    Ok(json!({ "mac": upper(mac) }))
}

fn tdes_cmac(inputs: &Inputs<'_>) -> Outputs {
    let mac = crypto::tdes_cmac(&inputs.bytes("key")?, &inputs.bytes("data")?).map_err(text)?;
    Ok(json!({ "mac": upper(mac) }))
}

fn iso9797_alg1(inputs: &Inputs<'_>) -> Outputs {
    let mac = crypto::tdes_cbc_mac(&inputs.bytes("key")?, &[0; 8], &padded(inputs, 8)?).map_err(text)?;
    mac_of_length(inputs, &mac)
}

fn iso9797_alg3(inputs: &Inputs<'_>) -> Outputs {
    let mac = crypto::retail_mac(&inputs.bytes("key")?, &[0; 8], &padded(inputs, 8)?).map_err(text)?;
    mac_of_length(inputs, &mac)
}

fn iso9797_pad(inputs: &Inputs<'_>) -> Outputs {
    Ok(json!({ "padded": upper(padded(inputs, inputs.number("block")?)?) }))
}

fn kcv(inputs: &Inputs<'_>) -> Outputs {
    let method = match inputs.text("method")? {
        "des_zero" => KcvMethod::DesZero,
        "aes_zero" => KcvMethod::AesZero,
        "aes_gp_01" => KcvMethod::AesOnes,
        other => return Err(format!("there is no method {other}")),
    };
    let tdes = method == KcvMethod::DesZero;
    let kcv = crypto::kcv(&inputs.bytes("key")?, method, tdes, inputs.number("length")?).map_err(text)?;
    Ok(json!({ "kcv": upper(kcv) }))
}

fn mac_of_length(inputs: &Inputs<'_>, mac: &[u8; 8]) -> Outputs {
    let mac = mac.get(..inputs.number_or("length", 8)?).ok_or("the MAC is shorter than asked for")?;
    Ok(json!({ "mac": upper(mac) }))
}

/// The data in the padding that the vector names.
fn padded(inputs: &Inputs<'_>, block: usize) -> Result<Vec<u8>, String> {
    let data = inputs.bytes("data")?;
    match inputs.text("padding")? {
        "1" => Ok(crypto::pad_zero(&data, block)),
        "2" => Ok(crypto::pad_80(&data, block)),
        "3" => Ok(crypto::pad_length(&data, block)),
        other => Err(format!("there is no padding method {other}")),
    }
}
