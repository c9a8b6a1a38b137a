//! The card data of an order: in the clear, or encrypted for this site.

use super::context::Context;
use super::file::{CardFile, OrderFile};
use super::json::{Node, NotJson};
use super::jwe::{Jwe, JweError};
use super::problem::Findings;
use super::{own_shape, shape};
use crate::base::{Code, Fault};

/// Card data in the clear, which is for test data only, or encrypted; never both.
pub(super) fn take_card(file: &mut OrderFile, clear: &str, path: &str, context: &Context, found: &mut Findings) {
    match (&file.card, file.encrypted_data.clone()) {
        (Some(_), Some(_)) => found.format(clear, "the card data stands there twice, clear and encrypted"),
        (None, None) => found.format(path, "it is required: the card data, encrypted"),
        // A mark that could not be read was told of.
        (Some(_), None) if !file.test && !found.is_faulty("test") => {
            found.refuse(clear, "card data in the clear is for orders that are marked as test");
        }
        (Some(_), None) => {}
        (None, Some(text)) => {
            let Some(opened) = open_card(&text, path, context, found) else { return };
            if opened.test != file.test {
                found.refuse("test", "the order's mark is not that of the key that its card data is encrypted for");
            }
            file.card = card_of(&opened.node, found);
        }
    }
}

/// Card data in our own shape, clear or opened; `None` where something of its shape is wrong.
pub(super) fn card_of(node: &Node, found: &mut Findings) -> Option<CardFile> {
    let before = found.problems.len();
    shape::object(node, own_shape::CARD, "card", found);
    if found.problems.len() > before {
        return None;
    }
    node.to_json().and_then(|text| typed(text.expose(), "card", found))
}

/// A counter that the answer states too: the card data may leave it to the answer, and may not contradict it. What the
/// answer has in another form was told of.
pub(super) fn counted(own: &mut Option<u32>, told: Option<i64>, path: &str, what: &str, found: &mut Findings) {
    let Some(told) = told.and_then(|number| u32::try_from(number).ok()) else { return };
    if own.is_some_and(|own| own != told) {
        found.value(path, format!("it is not the {what} of the card's data"));
    }
    *own = Some(told);
}

/// Encrypted card data that was opened.
pub(super) struct Opened {
    pub(super) node: Node,
    pub(super) test: bool,
}

/// Opens encrypted card data, where a site and a key store were given.
pub(super) fn open_card(text: &str, path: &str, context: &Context, found: &mut Findings) -> Option<Opened> {
    let jwe = match Jwe::parse(text) {
        Ok(jwe) => jwe,
        Err(error) => {
            found.add(path, error.code(), error.to_string());
            return None;
        }
    };
    let (Some(site), Some(store)) = (context.site, context.store) else {
        found.skip("the encrypted card data: it takes a site and its keys to open it");
        return None;
    };
    let (clear, test) = match jwe.open(site, store) {
        Ok(opened) => opened,
        Err(error) => {
            found.add(path, error.code(), JweError::to_string(&error));
            return None;
        }
    };
    match Node::parse(clear.expose()) {
        Ok(node) => Some(Opened { node, test }),
        Err(error) => {
            found.add(path, Code::OrderSyntax, no_json(error));
            None
        }
    }
}

/// The parser's words are passed on only where they cannot quote a value.
pub(super) fn typed<T: serde::de::DeserializeOwned>(bytes: &[u8], path: &str, found: &mut Findings) -> Option<T> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let words = error.to_string();
    let message = if words.starts_with("missing field") || words.starts_with("duplicate field") {
        words
    } else if words.starts_with("unknown field") {
        format!("a member is not known, at line {} column {}", error.line(), error.column())
    } else {
        format!("it is not of the shape that it must have, at line {} column {}", error.line(), error.column())
    };
    found.add(path, Code::OrderFormat, message);
    None
}

pub(super) fn no_json(error: NotJson) -> String {
    let what = if error.twice { "duplicate member" } else { "it is not JSON" };
    format!("{what}, at line {} column {}", error.line, error.column)
}
