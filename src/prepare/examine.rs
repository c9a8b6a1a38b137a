//! What of an order only keys show, looked at before its record is prepared: the PIN block, prepared TLV blocks. Nothing
//! that was opened comes out.

use super::{PrepareError, blocks, pin};
use crate::base::{Code, Fault};
use crate::keys::{KeyError, KeyStore};
use crate::order::{Order, Problem};
use crate::profile::Profile;

/// What was found.
#[derive(Default)]
pub struct Examined {
    /// What is wrong with the order, each with the path that its sender knows.
    pub problems: Vec<Problem>,
    /// What could not be looked at, and why.
    pub skipped: Vec<String>,
}

/// Opens the PIN block for the order's PAN, and checks the MAC of each prepared block, which is forgotten then.
pub fn examine(order: &Order, profile: Option<&Profile>, store: &dyn KeyStore) -> Examined {
    let mut examined = Examined::default();
    if let Err(error) = pin::open(order, store) {
        match problem_of(order, &error) {
            Some(problem) => examined.problems.push(problem),
            None => examined.skipped.push(format!("the PIN block: {error}")),
        }
    }
    let count = order.chip().blocks().len();
    let Some(recipe) = profile.and_then(Profile::recipe) else {
        if count > 0 {
            let name = order.product().profile();
            examined.skipped.push(format!(
                "the MACs of {count} prepared blocks: what they cover is said by profile {name:?}, and none of that \
                 name with [prepare] could be read (--profiles)"
            ));
        }
        return examined;
    };
    for error in blocks::faults(order, recipe, store) {
        match problem_of(order, &error) {
            Some(problem) => examined.problems.push(problem),
            None => examined.skipped.push(format!("the MACs of prepared blocks: {error}")),
        }
    }
    examined
}

/// The problem of the order that data preparation met; `None` where it is none of the order's, but of keys or profile.
pub fn problem_of(order: &Order, error: &PrepareError) -> Option<Problem> {
    let own = match error {
        PrepareError::Key(KeyError::Pin(_)) if error.code() == Code::PinBlock => "card.pin.block".to_owned(),
        PrepareError::TransportKey => "card.pin.transport_kcv".to_owned(),
        PrepareError::PinLength { .. } => "product.pin_length".to_owned(),
        PrepareError::BlockMac { number } => format!("card.blocks[{}].mac", number - 1),
        PrepareError::Block { number, .. } => format!("card.blocks[{}].data", number - 1),
        _ => return None,
    };
    Some(Problem { path: order.path(&own), code: error.code(), message: error.to_string() })
}
