//! BER-TLV, data object lists, file locators, static data, and what a card tells of itself.

use perso::base::codec::tlv::{self, Tag, Tlv, Value as TlvValue};
use perso::base::emv::{Afl, Dol, static_data};
use perso::card::apdu::Command;
use perso::card::gp::{Cplc, KeyInformation};
use serde_json::{Map, Value, json};

use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[
    ("tlv_flat", tlv_flat),
    ("tlv_value", tlv_value),
    ("tlv_encode", tlv_encode),
    ("tlv_reject", tlv_reject),
    ("dol_parse", dol_parse),
    ("dol_build", dol_build),
    ("afl", afl),
    ("afl_reject", afl_reject),
    ("oda_static_data", oda_static_data),
    ("cplc", cplc),
    ("gp_key_info", gp_key_info),
];

fn tlv_flat(inputs: &Inputs<'_>) -> Outputs {
    fn walk(objects: &[Tlv], depth: usize, out: &mut Vec<Value>) {
        for object in objects {
            let value = match &object.value {
                TlvValue::Primitive(bytes) => upper(bytes),
                TlvValue::Constructed(_) | TlvValue::Padded(..) => Value::Null,
            };
            out.push(json!([depth, object.tag.to_string(), value]));
            walk(object.children(), depth + 1, out);
        }
    }
    let mut flat = Vec::new();
    walk(&tlv::parse(&inputs.bytes("data")?).map_err(text)?, 0, &mut flat);
    Ok(json!({ "flat": flat }))
}

fn tlv_value(inputs: &Inputs<'_>) -> Outputs {
    let objects = tlv::parse(&inputs.bytes("data")?).map_err(text)?;
    let mut out = Map::new();
    for name in inputs.list("tags")? {
        let name = name.as_str().ok_or("a tag is no text")?;
        if let Some(object) = tlv::find(&objects, tag(name)?) {
            out.insert(name.to_owned(), upper(object.value_bytes()));
        }
    }
    Ok(Value::Object(out))
}

fn tlv_encode(inputs: &Inputs<'_>) -> Outputs {
    Ok(json!({ "data": upper(encoded(inputs.list("items")?)?) }))
}

/// `[tag, value]` each; the value of a template is a list of the same.
fn encoded(items: &[Value]) -> Result<Vec<u8>, String> {
    let mut data = Vec::new();
    for item in items {
        let (name, value) = match item.as_array().map(Vec::as_slice) {
            Some([Value::String(name), Value::String(value)]) => (name, hex::decode(value).map_err(text)?),
            Some([Value::String(name), Value::Array(inner)]) => (name, encoded(inner)?),
            _ => return Err("an item is not tag and value".to_owned()),
        };
        data.extend(tlv::encode(tag(name)?, &value));
    }
    Ok(data)
}

fn tlv_reject(inputs: &Inputs<'_>) -> Outputs {
    Ok(json!({ "rejected": tlv::parse(&inputs.bytes("data")?).is_err() }))
}

fn dol_parse(inputs: &Inputs<'_>) -> Outputs {
    let dol = Dol::parse(&inputs.bytes("dol")?).map_err(text)?;
    let items: Vec<Value> = dol.items().iter().map(|(tag, length)| json!([tag.to_string(), length])).collect();
    Ok(json!({ "items": items, "total": dol.total() }))
}

fn dol_build(inputs: &Inputs<'_>) -> Outputs {
    let dol = Dol::parse(&inputs.bytes("dol")?).map_err(text)?;
    let values = inputs.object("values")?;
    Ok(json!({ "data": upper(dol.build(|tag| values.bytes(&tag.to_string()).ok())) }))
}

fn afl(inputs: &Inputs<'_>) -> Outputs {
    let afl = Afl::parse(&inputs.bytes("afl")?).map_err(text)?;
    let read = |(sfi, record): (u8, u8)| {
        Command::new(0x00, 0xB2, record, sfi << 3 | 4).with_le(256).to_bytes().map(upper).map_err(text)
    };
    let pairs = |records: &mut dyn Iterator<Item = (u8, u8)>| {
        records.map(|(sfi, record)| json!([sfi, record])).collect::<Vec<Value>>()
    };
    Ok(json!({
        "read_commands": afl.records().map(read).collect::<Result<Vec<Value>, String>>()?,
        "records": pairs(&mut afl.records()),
        "oda_records": pairs(&mut afl.oda_records()),
    }))
}

fn afl_reject(inputs: &Inputs<'_>) -> Outputs {
    Ok(json!({ "rejected": Afl::parse(&inputs.bytes("afl")?).is_err() }))
}

fn oda_static_data(inputs: &Inputs<'_>) -> Outputs {
    let afl = Afl::parse(&inputs.bytes("afl")?).map_err(text)?;
    let records = inputs.object("records")?;
    records.all_known();
    let read = |sfi: u8, record: u8| records.bytes(&format!("{sfi}:{record}")).ok();
    let data = static_data(&afl, read, &inputs.bytes("sdatl")?, inputs.array("aip")?).map_err(text)?;
    Ok(json!({ "static_data": upper(data) }))
}

fn cplc(inputs: &Inputs<'_>) -> Outputs {
    let cplc = Cplc::parse(&inputs.bytes("data")?).map_err(text)?;
    Ok(Value::Object(cplc.fields().map(|(name, value)| (name.to_owned(), upper(value))).collect()))
}

fn gp_key_info(inputs: &Inputs<'_>) -> Outputs {
    let information = KeyInformation::parse(&inputs.bytes("data")?).map_err(text)?;
    let key = |entry: &perso::card::gp::KeyEntry| {
        let components: Vec<Value> =
            entry.components.iter().map(|(kind, length)| json!([hex::encode_upper(kind), length])).collect();
        json!({ "id": upper([entry.id]), "version": upper([entry.version]), "components": components })
    };
    let keys: Vec<Value> = information.keys().iter().map(key).collect();
    Ok(json!({ "count": keys.len(), "keys": keys }))
}

fn tag(name: &str) -> Result<Tag, String> {
    Tag::from_hex(name).ok_or_else(|| format!("{name} is no tag"))
}
