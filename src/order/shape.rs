//! Checks JSON against a table of fields: what D1, Pismo and Mastercard publish, and our own order; one table each.

use super::json::{Node, join};
use super::problem::Findings;
use super::rules::Rule;

/// A member of an object.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    /// Whether `null` says that it is absent.
    pub(super) nullable: bool,
    pub(super) kind: Kind,
}

/// What a member may hold.
pub(super) enum Kind {
    /// Text of a rule.
    Text(&'static Rule),
    /// Text; what it must look like is checked elsewhere.
    AnyText,
    /// One of these words.
    Word(&'static [&'static str]),
    Flag,
    /// A whole number in these bounds.
    Whole(i64, i64),
    /// At most so many texts of a rule.
    Texts(usize, &'static Rule),
    Object(&'static [Field]),
    /// At most so many objects.
    Objects(usize, &'static [Field]),
    /// An object whose fields go by one of its own members. The published `oneOf` is not read: taken literally it
    /// refuses valid orders.
    Branch(&'static Branch),
    /// Texts by names that the sender chooses.
    Named,
    /// Any object of at most so many bytes.
    Anything(usize),
}

/// Objects that are told apart by a word.
pub(super) struct Branch {
    /// The member with the word.
    pub(super) by: &'static str,
    /// The word, and the fields that go with it; the member with the word is among them.
    pub(super) arms: &'static [(&'static str, &'static [Field])],
}

pub(super) const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, required: true, nullable: false, kind }
}

pub(super) const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, required: false, nullable: false, kind }
}

pub(super) const fn null_or(name: &'static str, kind: Kind) -> Field {
    Field { name, required: false, nullable: true, kind }
}

/// Holds an object against its fields.
pub(super) fn object(node: &Node, fields: &[Field], path: &str, found: &mut Findings) {
    members(node, fields, &[], path, found);
}

/// Holds an object against the fields that go with its word.
pub(super) fn branch(node: &Node, branch: &Branch, path: &str, found: &mut Findings) {
    let Node::Map(_) = node else {
        return found.format(path, "it is not an object");
    };
    let by = join(path, branch.by);
    let word = match node.get(branch.by) {
        None => return found.format(by, "it is required"),
        Some(node) => node.as_text(),
    };
    let arm = word.and_then(|word| branch.arms.iter().find(|(own, _)| *own == word));
    let Some((_, fields)) = arm else {
        let words: Vec<&str> = branch.arms.iter().map(|(word, _)| *word).collect();
        return match word {
            Some(_) => found.value(by, format!("must be one of {}", words.join(", "))),
            None => found.format(by, "it is not text"),
        };
    };
    let others: Vec<&str> = branch.arms.iter().flat_map(|(_, fields)| fields.iter().map(|field| field.name)).collect();
    members(node, fields, &others, path, found);
}

fn members(node: &Node, fields: &[Field], others: &[&str], path: &str, found: &mut Findings) {
    let Node::Map(members) = node else {
        return found.format(if path.is_empty() { "(file)" } else { path }, "it is not an object");
    };
    for field in fields {
        let path = join(path, field.name);
        match node.get(field.name) {
            None if field.required => found.format(path, "it is required"),
            None => {}
            Some(Node::Null) if field.nullable => {}
            Some(member) => value(member, &field.kind, &path, found),
        }
    }
    for (name, _) in members {
        if fields.iter().any(|field| field.name == name) {
            continue;
        }
        let path = join(path, &shown(name));
        if others.contains(&name.as_str()) {
            found.refuse(path, "it does not belong to an order of this kind");
        } else {
            // What the station does not know could be what makes the card another one.
            found.format(path, "no such property is published");
        }
    }
}

fn value(node: &Node, kind: &Kind, path: &str, found: &mut Findings) {
    match (kind, node) {
        (Kind::Text(rule), Node::Text(text)) => {
            if !rule.accepts(text.expose()) {
                found.format(path, format!("it must be {}", rule.words));
            }
        }
        (Kind::Word(words), Node::Text(text)) => {
            if !words.contains(&text.expose().as_str()) {
                found.value(path, format!("must be one of {}", words.join(", ")));
            }
        }
        (Kind::AnyText, Node::Text(_)) | (Kind::Flag, Node::Flag(_)) => {}
        (Kind::Whole(least, most), Node::Whole(number)) => {
            if number < least || number > most {
                found.value(path, format!("it is not between {least} and {most}"));
            }
        }
        (Kind::Texts(most, rule), Node::List(nodes)) => {
            many(nodes.len(), *most, path, found);
            for (at, node) in nodes.iter().enumerate() {
                value(node, &Kind::Text(rule), &format!("{path}[{at}]"), found);
            }
        }
        (Kind::Object(fields), _) => object(node, fields, path, found),
        (Kind::Objects(most, fields), Node::List(nodes)) => {
            many(nodes.len(), *most, path, found);
            for (at, node) in nodes.iter().enumerate() {
                object(node, fields, &format!("{path}[{at}]"), found);
            }
        }
        (Kind::Branch(by), _) => branch(node, by, path, found),
        (Kind::Named, Node::Map(members)) => {
            for (name, node) in members {
                value(node, &Kind::AnyText, &join(path, &shown(name)), found);
            }
        }
        (Kind::Anything(most), Node::Map(_)) => {
            let mut length = 0;
            node.leaves("", &mut |path, text| length += path.len() + text.len());
            if length > *most {
                found.format(path, format!("it has more than {most} bytes"));
            }
        }
        (Kind::Text(_) | Kind::AnyText | Kind::Word(_), _) => found.format(path, "it is not text"),
        (Kind::Flag, _) => found.format(path, "it is neither true nor false"),
        (Kind::Whole(..), _) => found.format(path, "it is not a whole number"),
        (Kind::Texts(..) | Kind::Objects(..), _) => found.format(path, "it is not a list"),
        (Kind::Named | Kind::Anything(_), _) => found.format(path, "it is not an object"),
    }
}

fn many(number: usize, most: usize, path: &str, found: &mut Findings) {
    if number > most {
        found.format(path, format!("it has {number} entries, at most {most} are allowed"));
    }
}

/// A name that someone else chose, as far as it can be shown: a number in it could be a PAN.
fn shown(name: &str) -> String {
    let plain = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if plain && !name.is_empty() { name.to_owned() } else { "(unknown)".to_owned() }
}
