//! Rust source as tokens: enough to see which paths a file names. Comments are left out.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use std::path::Path;

/// One source file.
pub struct Source {
    /// Path below `src`, with `/`, e.g. `card/gp/mod.rs`.
    pub path: String,
    /// Number of lines.
    pub lines: usize,
    /// Its tokens.
    pub tokens: Vec<Token>,
}

/// An identifier, a literal (as `"`), `::`, or one character of punctuation.
pub struct Token {
    /// The token.
    pub text: String,
    /// A literal as it is written; empty for every other token.
    pub literal: String,
    /// Line, from 1.
    pub line: usize,
    /// How many inline modules it stands in.
    pub inline_modules: usize,
    /// Whether one of those is `#[cfg(test)]`.
    pub test: bool,
}

/// A path that a file names, e.g. `crate::base::Secret` as `["crate", "base", "Secret"]`.
pub struct Named {
    /// Its segments; `*` for a glob.
    pub segments: Vec<String>,
    /// Line of its first segment.
    pub line: usize,
    /// As for the token.
    pub inline_modules: usize,
    /// As for the token.
    pub test: bool,
}

/// Every file below `src`, with its text.
pub fn tree(root: &Path) -> Vec<(Source, String)> {
    let mut out = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                let text = std::fs::read_to_string(&path).unwrap();
                out.push((Source::new(&below, &text), text));
            }
        }
    }
    out.sort_by(|one, other| one.0.path.cmp(&other.0.path));
    out
}

impl Source {
    /// Reads a file's text.
    pub fn new(path: &str, text: &str) -> Self {
        let mut tokens = tokens(path, text);
        mark_modules(&mut tokens);
        Self { path: path.to_owned(), lines: text.lines().count(), tokens }
    }

    /// The room: the first folder, or a room that is one file; empty for `lib.rs` and `main.rs`.
    pub fn room(&self) -> &str {
        match self.path.split_once('/') {
            Some((room, _)) => room,
            None => self.path.strip_suffix(".rs").filter(|room| !["lib", "main"].contains(room)).unwrap_or(""),
        }
    }

    /// How many modules deep the file itself is: 0 for `lib.rs`, 1 for `card/mod.rs`, 2 for `card/plain.rs`.
    pub fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("mod.rs") || self.room().is_empty() { folders } else { folders + 1 }
    }

    /// The text of token `at`, empty beyond the ends.
    pub fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Every path with at least two segments, and every path in a `use` item, groups spelled out.
    pub fn paths(&self) -> Vec<Named> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let is_use = self.text(at) == "use";
            let start = at + usize::from(is_use);
            let is_root = is_word(self.text(at)) && self.text(at + 1) == "::" && !self.continues(at);
            if is_use || is_root {
                let start = start + usize::from(is_use && self.text(start) == "::");
                let mut found = Vec::new();
                at = self.expand(start, &[], &mut found).max(at + 1);
                let token = &self.tokens[start.min(self.tokens.len() - 1)];
                out.extend(found.into_iter().map(|segments| Named {
                    segments,
                    line: token.line,
                    inline_modules: token.inline_modules,
                    test: token.test,
                }));
            } else {
                at += 1;
            }
        }
        out
    }

    /// Whether a path runs on into token `at`: `a::here`, but not `::here`.
    fn continues(&self, at: usize) -> bool {
        let before = self.text(at.wrapping_sub(2));
        self.text(at.wrapping_sub(1)) == "::"
            && (is_word(before) || before == ">" && self.text(at.wrapping_sub(3)) != "-")
    }

    /// Follows one path from token `at`; returns the first token behind it.
    fn expand(&self, mut at: usize, prefix: &[String], out: &mut Vec<Vec<String>>) -> usize {
        let mut path = prefix.to_vec();
        loop {
            match self.text(at) {
                "{" => {
                    at += 1;
                    while !["}", ""].contains(&self.text(at)) {
                        let next = self.expand(at, &path, out);
                        at = if next == at || self.text(next) == "," { next + 1 } else { next };
                    }
                    return at + 1;
                }
                "*" => {
                    path.push("*".to_owned());
                    out.push(path);
                    return at + 1;
                }
                word if is_word(word) => path.push(word.to_owned()),
                _ => {
                    // A turbofish, or the end of a macro's `$name::`.
                    out.push(path);
                    return at;
                }
            }
            if self.text(at + 1) != "::" {
                out.push(path);
                // `use a::b as c`
                return if self.text(at + 1) == "as" { at + 3 } else { at + 1 };
            }
            at += 2;
        }
    }
}

/// Whether a token is an identifier or keyword.
pub fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The compiler's own tokens, groups opened; what is no Rust has none, and the test says so.
fn tokens(path: &str, text: &str) -> Vec<Token> {
    let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut out = Vec::new();
    flatten(stream, &mut out);
    out
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    let push = |text: &str, span: Span, out: &mut Vec<Token>| {
        let (text, line) = (text.to_owned(), span.start().line);
        out.push(Token { text, literal: String::new(), line, inline_modules: 0, test: false });
    };
    // The first colon of `::`.
    let mut colon = false;
    for tree in stream {
        let joint = std::mem::take(&mut colon);
        match tree {
            TokenTree::Ident(word) => push(word.to_string().trim_start_matches("r#"), word.span(), out),
            TokenTree::Literal(literal) => {
                push("\"", literal.span(), out);
                out.last_mut().unwrap().literal = literal.to_string();
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' && joint => push("::", mark.span(), out),
            TokenTree::Punct(mark) if mark.as_char() == ':' && mark.spacing() == Spacing::Joint => colon = true,
            // A lifetime's tick.
            TokenTree::Punct(mark) if mark.as_char() == '\'' => {}
            TokenTree::Punct(mark) => push(&mark.as_char().to_string(), mark.span(), out),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                if !open.is_empty() {
                    push(open, group.span_open(), out);
                }
                flatten(group.stream(), out);
                if !close.is_empty() {
                    push(close, group.span_close(), out);
                }
            }
        }
    }
}

/// Notes for each token how many `mod name { … }` it stands in, and whether one of them is for tests.
fn mark_modules(tokens: &mut [Token]) {
    let mut braces = 0usize;
    let mut open: Vec<(usize, bool)> = Vec::new();
    for at in 0..tokens.len() {
        tokens[at].inline_modules = open.len();
        tokens[at].test = open.iter().any(|(_, test)| *test);
        match tokens[at].text.as_str() {
            "{" => {
                braces += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    let test = has_cfg_test(&tokens[..at - 2]);
                    open.push((braces, test));
                }
            }
            "}" => {
                if open.last().is_some_and(|(level, _)| *level == braces) {
                    open.pop();
                }
                braces = braces.saturating_sub(1);
            }
            _ => {}
        }
    }
}

/// Whether the attributes that end here include `#[cfg(test)]`.
fn has_cfg_test(before: &[Token]) -> bool {
    let start = before.iter().rposition(|token| ["}", ";", "{"].contains(&token.text.as_str())).map_or(0, |at| at + 1);
    let words: Vec<&str> = before[start..].iter().map(|token| token.text.as_str()).collect();
    words.windows(4).any(|window| window == ["cfg", "(", "test", ")"])
}
