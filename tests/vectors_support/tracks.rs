//! Tracks, track 2 equivalent data, check digits.

use perso::base::emv::track::Fields;
use perso::base::emv::{Pan, luhn_check_digit, luhn_valid};
use serde_json::json;

use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[("track1", track1), ("track2", track2), ("track2_equiv", track2_equiv), ("luhn", luhn)];

fn track1(inputs: &Inputs<'_>) -> Outputs {
    outputs(&Fields::track1(inputs.text("track1")?).map_err(text)?)
}

/// Written with `D` it is the hexadecimal of tag 57 or 9F6B, written with `=` it is the stripe's.
fn track2(inputs: &Inputs<'_>) -> Outputs {
    let track2 = inputs.text("track2")?;
    let fields =
        if track2.contains('D') { Fields::from_tag57(&inputs.bytes("track2")?) } else { Fields::track2(track2) };
    outputs(&fields.map_err(text)?)
}

fn outputs(fields: &Fields) -> Outputs {
    Ok(json!({
        "pan": fields.pan.digits(),
        "name": fields.name,
        "expiry_yymm": fields.expiry,
        "service_code": fields.service_code,
        "discretionary": fields.discretionary,
    }))
}

fn track2_equiv(inputs: &Inputs<'_>) -> Outputs {
    let fields = Fields {
        pan: Pan::parse(inputs.text("pan")?).map_err(text)?,
        name: None,
        expiry: inputs.text("expiry_yymm")?.to_owned(),
        service_code: inputs.text("service_code")?.to_owned(),
        discretionary: inputs.text("discretionary")?.to_owned(),
    };
    Ok(json!({ "tag57": upper(fields.to_tag57().map_err(text)?) }))
}

fn luhn(inputs: &Inputs<'_>) -> Outputs {
    let number = inputs.text("number")?;
    let (payload, _) = number.split_at_checked(number.len().saturating_sub(1)).ok_or("not ASCII")?;
    let check_digit = luhn_check_digit(payload).ok_or("not digits")?.to_string();
    Ok(json!({ "valid": luhn_valid(number), "check_digit": check_digit }))
}
