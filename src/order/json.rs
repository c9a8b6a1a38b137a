//! JSON as it arrives: wiped when it goes, and without members that stand twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use serde::ser::{Serialize, Serializer};

use crate::base::Secret;

/// One JSON value. Text is taken for secret, whatever it holds: card data and addresses travel in the same file.
pub(super) enum Node {
    Null,
    Flag(bool),
    Whole(i64),
    /// A number that is not whole, or too large to be anything that an order states.
    Number(Secret<String>),
    Text(Secret<String>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Where a text stops being JSON. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) twice: bool,
}

impl Node {
    /// Reads a whole text.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NotJson> {
        serde_json::from_slice(bytes).map_err(|error| NotJson {
            line: error.line(),
            column: error.column(),
            twice: error.is_data() && error.to_string().starts_with(TWICE),
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Map(members) => members.iter().find(|(own, _)| own == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The text of a member.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Node::as_text)
    }

    /// The flag of a member.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Node::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The whole number of a member.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Node::Whole(number)) => Some(*number),
            _ => None,
        }
    }

    /// The value as a JSON text again.
    pub(super) fn to_json(&self) -> Option<Secret<Vec<u8>>> {
        Secret::of_json(self).ok()
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text.expose()),
            _ => None,
        }
    }

    /// The elements of a list member; none where it is absent.
    pub(super) fn list(&self, name: &str) -> &[Node] {
        match self.get(name) {
            Some(Node::List(nodes)) => nodes,
            _ => &[],
        }
    }

    /// Every value below this one that is not a container, with its path.
    pub(super) fn leaves(&self, path: &str, see: &mut dyn FnMut(&str, String)) {
        match self {
            Node::Null => {}
            Node::Flag(flag) => see(path, flag.to_string()),
            Node::Whole(number) => see(path, number.to_string()),
            Node::Number(text) => see(path, text.expose().clone()),
            Node::Text(text) => see(path, text.expose().clone()),
            Node::List(nodes) => {
                for (at, node) in nodes.iter().enumerate() {
                    node.leaves(&format!("{path}[{at}]"), see);
                }
            }
            Node::Map(members) => {
                for (name, node) in members {
                    node.leaves(&join(path, name), see);
                }
            }
        }
    }
}

/// A member's path.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

const TWICE: &str = "duplicate member";

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Null | Node::Number(_) => serializer.serialize_unit(),
            Node::Flag(flag) => serializer.serialize_bool(*flag),
            Node::Whole(number) => serializer.serialize_i64(*number),
            Node::Text(text) => serializer.serialize_str(text.expose()),
            Node::List(nodes) => serializer.collect_seq(nodes),
            Node::Map(members) => serializer.collect_map(members.iter().map(|(name, node)| (name, node))),
        }
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(i64::try_from(number).map_or_else(|_| Node::Number(Secret::new(number.to_string())), Node::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Number(Secret::new(number.to_string())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(Secret::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = elements.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        while let Some((name, node)) = entries.next_entry::<String, Node>()? {
            // Two readers that take the first and the last of them would make two different cards of one order.
            if members.iter().any(|(earlier, _)| *earlier == name) {
                return Err(A::Error::custom(TWICE));
            }
            members.push((name, node));
        }
        Ok(Node::Map(members))
    }
}
