//! Places in a TOML text: from a dotted key to its line, and from an offset to the key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The number of the line, from 1, at which the value of a dotted key stands.
pub(super) fn line_of(text: &str, key: &[&str]) -> Option<usize> {
    // Also of a text with faults elsewhere.
    let (table, _) = DeTable::parse_recoverable(text);
    let mut at = table.get_ref();
    let (last, above) = key.split_last()?;
    for name in above {
        let (_, DeValue::Table(below)) = entry(at, name)? else { return None };
        at = below;
    }
    let (span, _) = entry(at, last)?;
    Some(line_at(text, span.start))
}

/// The dotted key of the value, or of the name, at this offset.
pub(super) fn key_at(text: &str, offset: usize) -> Option<String> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut key = within(table.get_ref(), offset)?;
    key.reverse();
    Some(key.join("."))
}

/// The names from the innermost outwards. The span of a table is its header's, so that all are looked through.
fn within(table: &DeTable<'_>, offset: usize) -> Option<Vec<String>> {
    table.iter().find_map(|(name, value)| {
        let below = match value.get_ref() {
            DeValue::Table(below) => within(below, offset),
            _ => None,
        };
        let here = || (covers(name, offset) || covers(value, offset)).then(Vec::new);
        let mut key = below.or_else(here)?;
        key.push(shown(name.get_ref()));
        Some(key)
    })
}

/// The number of the line, from 1, of an offset.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A name as it is written in a dotted key: quoted if it has to be.
pub(super) fn shown(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { format!("{name:?}") }
}

fn entry<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<(std::ops::Range<usize>, &'t DeValue<'i>)> {
    let (key, value) = table.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
    Some((key.span(), value.get_ref()))
}

fn covers<T>(place: &Spanned<T>, offset: usize) -> bool {
    place.span().contains(&offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a = 1\n[keys]\nfile = \"x\"\n\n[options.\"keys kcv\"]\nlength = 9\n";

    #[test]
    fn dotted_keys_have_lines_and_offsets_have_keys() {
        for (key, line) in [
            (&["a"][..], Some(1)),
            (&["keys", "file"], Some(3)),
            (&["options", "keys kcv", "length"], Some(6)),
            (&["keys", "none"], None),
            (&["a", "b"], None),
        ] {
            assert_eq!(line_of(TEXT, key), line, "{key:?}");
        }
        for (part, key) in [("1", "a"), ("\"x\"", "keys.file"), ("9", "options.\"keys kcv\".length")] {
            assert_eq!(key_at(TEXT, TEXT.find(part).unwrap_or_default()).as_deref(), Some(key));
        }
    }
}
