//! What the one who sent an order calls a path of ours.

use super::context::Paths;
use super::{Order, Source, d1, mastercard, pismo};

/// The source's names for our paths; our own orders have none.
pub(super) fn paths(source: Source) -> Paths {
    match source {
        Source::D1 => d1::PATHS,
        Source::Pismo => pismo::PATHS,
        Source::Mastercard => mastercard::PATHS,
        Source::Own => &[],
    }
}

impl Order {
    /// A path of our own shape, such as `card.blocks[0].mac`, as it stands in the order that came.
    pub fn path(&self, own: &str) -> String {
        let (plain, number) = match own.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
        {
            Some((before, (number, after))) => (format!("{before}[]{after}"), Some(number)),
            None => (own.to_owned(), None),
        };
        let theirs = paths(self.source).iter().find(|(ours, _)| *ours == plain).map_or(plain.as_str(), |(_, it)| it);
        match number {
            Some(number) => theirs.replacen("[]", &format!("[{number}]"), 1),
            None => theirs.to_owned(),
        }
    }
}
