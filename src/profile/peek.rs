//! What a profile's text shows before it is read.

/// The name that a profile gives itself, for finding it among others; whether it is right is not looked at.
pub fn peek_name(text: &str) -> Option<String> {
    let named = |text: &str| toml::from_str::<toml::Table>(text).ok();
    // A name of the file's own stands before its first section. What looks like one may be a part of a value: the text before
    // it is then no TOML by itself.
    let sections = text.match_indices("\n[").map(|(at, _)| at + 1);
    let before = sections.take(1).next().and_then(|first| text.get(..first)).and_then(named);
    let table = before.or_else(|| named(text))?;
    table.get("name")?.as_str().map(str::to_owned)
}

/// Whether a text is TOML to its end, whatever it holds.
pub fn is_toml(text: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{is_toml, peek_name};

    #[test]
    fn name_is_read_from_before_the_first_section() {
        let named = |text: &str| peek_name(text);
        assert_eq!(named("name = \"a\"\n[x]\nname = \"b\"\n").as_deref(), Some("a"));
        assert_eq!(named("[x]\nname = \"b\"\n"), None);
        assert_eq!(named("title = \"t\"\n[[x]]\nname = \"b\"\n"), None);
        // What follows a section's head within a value is no section.
        assert_eq!(named("text = \"\"\"\n[x]\n\"\"\"\nname = \"a\"\n").as_deref(), Some("a"));
        assert_eq!(named("list = [\n[1],\n]\nname = \"a\"\n").as_deref(), Some("a"));
        assert_eq!(named("text = \"\"\"\nname = \"b\"\n\"\"\"\nname = \"a\"\n[x]\n").as_deref(), Some("a"));
        // A fault further down does not hide the name, one before it does.
        assert_eq!(named("name = \"a\"\n[x]\n=\n").as_deref(), Some("a"));
        assert_eq!(named("=\nname = \"a\"\n[x]\n"), None);
        assert!(!is_toml("name = \"a\"\n[x]\n=\n") && is_toml("name = \"a\"\n[x]\n"));
    }
}
