//! What the parser of a configuration says, in plain words.

use crate::base::suggest;

/// The parser's message without its names of types. Another message stays as it is.
pub(super) fn plain(message: &str) -> String {
    if let Some((word, fields)) = unknown_field(message) {
        let fields: Vec<&str> = fields.collect();
        let meant = suggest::hint(word, fields.iter().copied());
        return format!("there is no entry {word:?} here; expected {}{meant}", fields.join(", "));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("the entry {} is missing", name.trim_matches('`'));
    }
    let Some((found, expected)) = message.strip_prefix("invalid ").and_then(|rest| rest.split_once(", expected "))
    else {
        return message.to_owned();
    };
    let found = found.strip_prefix("type: ").or_else(|| found.strip_prefix("value: ")).unwrap_or(found);
    format!("{} is expected, not {}", kind(expected), kind(found).replace('`', ""))
}

/// A type of the parser as it is called in TOML.
fn kind(of: &str) -> String {
    let named = |prefix: &str, word: &str| of.strip_prefix(prefix).map(|rest| format!("{word}{rest}"));
    match of {
        "path string" | "a string" | "a borrowed string" => "a text in quotes".to_owned(),
        "u32" | "u64" | "i64" => "a whole number from 0".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a map" | "map" => "a table".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        _ if of.starts_with("struct ") => "a table, in [brackets],".to_owned(),
        _ => named("integer ", "the number ")
            .or_else(|| named("floating point ", "the number "))
            .or_else(|| named("string ", "the text "))
            .or_else(|| named("boolean ", ""))
            .unwrap_or_else(|| of.to_owned()),
    }
}

/// The word and the fields of a message about a field that is not known.
fn unknown_field(message: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn messages_name_no_types_of_the_parser() {
        for (message, words) in [
            ("invalid type: integer `3`, expected path string", "a text in quotes is expected, not the number 3"),
            ("invalid type: string \"a\", expected u32", "a whole number from 0 is expected, not the text \"a\""),
            ("invalid type: sequence, expected a string", "a text in quotes is expected, not a list"),
            (
                "invalid type: string \"a\", expected struct KeysConfig",
                "a table, in [brackets], is expected, not the text \"a\"",
            ),
            ("missing field `perso_config`", "the entry perso_config is missing"),
            (
                "unknown field `fiel`, expected `file` or `passphrase_file`",
                "there is no entry \"fiel\" here; expected file, passphrase_file; did you mean file?",
            ),
            ("key with no value, expected `=`", "key with no value, expected `=`"),
        ] {
            assert_eq!(plain(message), words);
        }
    }
}
