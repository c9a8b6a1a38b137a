//! From a file to an order: which format it is, what is encrypted in it, and everything that is wrong.

use super::card_data::{no_json, take_card, typed};
use super::context::Context;
use super::file::OrderFile;
use super::json::Node;
use super::problem::Findings;
use super::sense;
use super::site::Site;
use super::{Order, Problems, Source, d1, dates, mastercard, naming, own_shape, pismo, shape};
use crate::base::crypto::sha256;
use crate::base::{Code, Warning};
use crate::keys::KeyStore;

/// Largest order that is read, in bytes.
pub const MAX_ORDER: usize = 1024 * 1024;

/// What was found out about an order.
pub struct Checked {
    /// The format; `None` where it is none of the known ones.
    pub source: Option<Source>,
    /// The order, where nothing is wrong with it and all of it could be read.
    pub order: Option<Order>,
    /// Everything that is wrong.
    pub problems: Problems,
    /// What could not be checked, and why. It does not count as passed.
    pub skipped: Vec<String>,
    /// Warnings; they refuse nothing.
    pub warnings: Vec<Warning>,
}

impl Order {
    /// Reads an order for this site, and opens what is encrypted in it.
    ///
    /// # Errors
    /// Everything that is wrong with it; a required PIN that is absent first.
    pub fn read(bytes: &[u8], site: &Site, store: &dyn KeyStore) -> Result<Self, Problems> {
        let checked = check(bytes, Some(site), Some(store));
        checked.order.ok_or(checked.problems)
    }
}

/// Checks an order as far as it can be: without a site, or without a key store, some of it cannot.
pub fn check(bytes: &[u8], site: Option<&Site>, store: Option<&dyn KeyStore>) -> Checked {
    let context = Context { site, store };
    let mut found = Findings::default();
    let (source, order) = match parse(bytes, &mut found) {
        None => (None, None),
        Some(node) => match format(&node) {
            None => {
                found.add("(file)", Code::OrderSyntax, "not an order in a format that docs/orders.md describes");
                (None, None)
            }
            Some(source) => (Some(source), order(bytes, &node, source, &context, &mut found)),
        },
    };
    found.sort();
    let order = order.filter(|_| found.problems.is_empty() && found.skipped.is_empty()).map(|order| Order {
        warnings: found.warnings.clone(),
        digest: sha256(bytes),
        ..order
    });
    Checked { source, order, problems: found.problems, skipped: found.skipped, warnings: found.warnings }
}

/// The format that a file has by its first members; `None` where it is no order.
pub fn source_of(bytes: &[u8]) -> Option<Source> {
    if bytes.len() > MAX_ORDER {
        return None;
    }
    Node::parse(bytes).ok().as_ref().and_then(format)
}

fn parse(bytes: &[u8], found: &mut Findings) -> Option<Node> {
    if bytes.len() > MAX_ORDER {
        let message = format!("{} bytes are more than an order has ({MAX_ORDER})", bytes.len());
        found.add("(file)", Code::OrderSyntax, message);
        return None;
    }
    Node::parse(bytes).map_err(|error| found.add("(file)", Code::OrderSyntax, no_json(error))).ok()
}

fn format(node: &Node) -> Option<Source> {
    let has = |name| node.get(name).is_some();
    match () {
        () if has("perso_order") => Some(Source::Own),
        () if has("perso_pismo") => Some(Source::Pismo),
        () if has("perso_mastercard") => Some(Source::Mastercard),
        () if has("body") && (has("issuerId") || has("cardId") || has("operationId")) => Some(Source::D1),
        () => None,
    }
}

fn order(bytes: &[u8], node: &Node, source: Source, context: &Context, found: &mut Findings) -> Option<Order> {
    let mut file = match source {
        Source::D1 => d1::read(node, context, found),
        Source::Pismo => pismo::read(node, context, found),
        Source::Mastercard => mastercard::read(node, context, found),
        Source::Own => own(bytes, node, context, found)?,
    };
    dates::expiry_by_rule(&mut file, naming::paths(source), context, found);
    sense::assemble(&file, source, naming::paths(source), context, found)
}

/// Our own file.
fn own(bytes: &[u8], node: &Node, context: &Context, found: &mut Findings) -> Option<OrderFile> {
    // Another version may have other members: it is told of before them. What no version can be is not shown.
    let version = node.whole("perso_order").and_then(|version| u32::try_from(version).ok());
    if let Some(version) = version.filter(|version| *version != 1) {
        let message = format!("version {version} is not known; this program reads version 1");
        found.add("perso_order", Code::OrderSyntax, message);
        return None;
    }
    let before = found.problems.len();
    shape::object(node, own_shape::ORDER, "", found);
    if found.problems.len() > before {
        return None;
    }
    let mut file: OrderFile = typed(bytes, "(file)", found)?;
    take_card(&mut file, "card", "encrypted_data", context, found);
    Some(file)
}
