//! What of an order only keys and the profile show: the PIN block, prepared TLV blocks, and whether a record comes of it.
//! Nothing that was opened comes out.

use super::{IssuerCertificate, Materials, PrepareError, Prepared, blocks, pin, prepare, try_out};
use crate::base::{Chance, Code, Fault, Warning};
use crate::keys::{KeyError, KeyStore};
use crate::order::{Order, Problem};
use crate::profile::Profile;
use crate::profile::prepare::OrderField;

/// What was found.
#[derive(Default)]
pub struct Examined {
    /// What is wrong with the order, each with the path that its sender knows.
    pub problems: Vec<Problem>,
    /// What could not be looked at, and why.
    pub skipped: Vec<String>,
    /// What the consistency rules warn of in the record that would be made, each with its path in it after `record.`.
    pub warnings: Vec<Warning>,
}

/// Opens the PIN block for the order's PAN, checks the MAC of each prepared block, and prepares a record, which is forgotten
/// then: with new RSA keys and certificates if the issuer's certificate is given, otherwise without.
pub fn examine(
    order: &Order,
    profile: Option<&Profile>,
    store: &dyn KeyStore,
    issuer: Option<&IssuerCertificate>,
    chance: &mut Chance,
    today: Option<(u16, u8, u8)>,
) -> Examined {
    let mut examined = Examined::default();
    if let Err(error) = pin::open(order, store) {
        match problem_of(order, &error) {
            Some(problem) => examined.problems.push(problem),
            None => examined.skipped.push(format!("the PIN block: {error}")),
        }
    }
    let count = order.chip().blocks().len();
    let Some((profile, recipe)) = profile.and_then(|profile| Some((profile, profile.recipe()?))) else {
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
    if examined.problems.is_empty() && examined.skipped.is_empty() {
        let made = match issuer {
            Some(_) => prepare(Materials { order, profile, store, issuer, pool: None, chance, today }),
            None => try_out(order, profile, store, chance, today),
        };
        match made {
            Ok(Prepared { record, outcomes, .. }) => {
                let warnings = record.warnings(&outcomes).into_iter();
                examined.warnings =
                    warnings.map(|it| Warning::new(format!("record.{}", it.path), it.message)).collect();
            }
            Err(PrepareError::Key(error)) => examined.skipped.push(format!("whether a record comes of it: {error}")),
            Err(error) => examined.problems.push(problem_of(order, &error).unwrap_or_else(|| Problem {
                path: order.path("product.profile"),
                code: error.code(),
                message: format!("profile {:?} makes no record of this order: {error}", profile.name()),
            })),
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
        PrepareError::Contactless(_) | PrepareError::NoContactless(_) => "product.contactless".to_owned(),
        PrepareError::Applications { .. } => "product.applications".to_owned(),
        PrepareError::NoStripe(_) => "card.stripe".to_owned(),
        PrepareError::Expiry => "card.expiry".to_owned(),
        PrepareError::ServiceCode => "card.service_code".to_owned(),
        PrepareError::NoPin(_) => "card.pin".to_owned(),
        PrepareError::Validation => "card.pan".to_owned(),
        PrepareError::Track { number, .. } => format!("card.track{number}"),
        PrepareError::Placeholder(name) => match name.as_str() {
            "name" => "card.encoded_name".to_owned(),
            "service_code" => "card.service_code".to_owned(),
            _ => return None,
        },
        PrepareError::Nothing { field: Some(field), .. } => match field {
            OrderField::Name => "card.encoded_name".to_owned(),
            OrderField::ServiceCode => "card.service_code".to_owned(),
            OrderField::Par => "card.par".to_owned(),
            OrderField::Pan => "card.pan".to_owned(),
            OrderField::Psn => "card.psn".to_owned(),
            OrderField::Expiry => "card.expiry".to_owned(),
            OrderField::Effective => "card.effective".to_owned(),
        },
        _ => return None,
    };
    Some(Problem { path: order.path(&own), code: error.code(), message: error.to_string() })
}
