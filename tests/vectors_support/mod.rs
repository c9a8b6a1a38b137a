//! The computations of the known answers. Each takes the inputs alone and gives every output that it has.

mod card_data;
mod card_values;
mod custody;
mod diversification;
mod inputs;
mod issuer;
mod key_blocks;
mod oda;
mod pin_blocks;
mod primitives;
mod scp;
mod scp02;
mod scp03;
pub mod shapes;
mod tracks;
pub mod vector;

use serde_json::Value;

use inputs::Inputs;
use vector::Vector;

/// What a computation gives: an object with every output, or why there is none.
type Outputs = Result<Value, String>;
type Kind = (&'static str, fn(&Inputs<'_>) -> Outputs);

/// Every computation there is. A new one goes into the table of its file, a new file into this list.
const KINDS: &[&[Kind]] = &[
    card_data::KINDS,
    card_values::KINDS,
    diversification::KINDS,
    issuer::KINDS,
    oda::KINDS,
    key_blocks::KINDS,
    pin_blocks::KINDS,
    primitives::KINDS,
    scp::KINDS,
    scp02::KINDS,
    scp03::KINDS,
    tracks::KINDS,
];

/// Computes all outputs of a vector from its inputs.
pub fn compute(vector: &Vector) -> Outputs {
    let (_, compute) = KINDS
        .iter()
        .flat_map(|kinds| kinds.iter())
        .find(|(kind, _)| *kind == vector.kind)
        .ok_or("this kind of computation is not supported")?;
    let inputs = Inputs::new(&vector.inputs);
    let outputs = compute(&inputs)?;
    match inputs.unread() {
        None => Ok(outputs),
        Some(path) => Err(format!("input {path} is not known to this kind of computation")),
    }
}

/// Upper case hexadecimal, as all vectors have it.
fn upper(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(hex::encode_upper(bytes))
}

/// The text of an error.
fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
