//! Rust source as tokens: enough to see which paths a file names. Comments and the text of literals are left out.

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

/// Every file below `src`.
pub fn tree(root: &Path) -> Vec<Source> {
    let mut out = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                out.push(Source::new(&below, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    out.sort_by(|one, other| one.path.cmp(&other.path));
    out
}

impl Source {
    /// Reads a file's text.
    pub fn new(path: &str, text: &str) -> Self {
        let mut tokens = tokens(text);
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

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(&c) = chars.get(at) {
        let (kind, length) = lex(&chars[at..]);
        let piece: String = chars[at..at + length].iter().collect();
        let text = match kind {
            Kind::Skip => None,
            Kind::Literal => Some("\"".to_owned()),
            Kind::Word => Some(piece.strip_prefix("r#").unwrap_or(&piece).to_owned()),
            Kind::Punctuation if piece == "::" => Some(piece.clone()),
            Kind::Punctuation => Some(c.to_string()),
        };
        out.extend(text.map(|text| Token { text, line, inline_modules: 0, test: false }));
        line += piece.matches('\n').count();
        at += length;
    }
    out
}

enum Kind {
    Skip,
    Literal,
    Word,
    Punctuation,
}

/// What begins here, and how many characters it takes.
fn lex(rest: &[char]) -> (Kind, usize) {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    let until = |stop: &dyn Fn(&char) -> bool| rest.iter().position(stop).unwrap_or(rest.len());
    let word = until(&|c| !(c.is_alphanumeric() || *c == '_'));
    if rest[0].is_whitespace() {
        (Kind::Skip, 1)
    } else if starts("//") {
        (Kind::Skip, until(&|c| *c == '\n'))
    } else if starts("/*") {
        (Kind::Skip, block_comment(rest))
    } else if let Some(length) = raw_string(rest) {
        (Kind::Literal, length)
    } else if starts("\"") || starts("b\"") || starts("c\"") {
        (Kind::Literal, quoted(rest, '"'))
    } else if starts("b'") || (starts("'") && is_char_literal(rest)) {
        (Kind::Literal, quoted(rest, '\''))
    } else if starts("r#") && rest.get(2).is_some_and(|c| c.is_alphabetic()) {
        (Kind::Word, 2 + rest[2..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count())
    } else if rest[0].is_ascii_digit() {
        (Kind::Literal, word)
    } else if word > 0 {
        (Kind::Word, word)
    } else if starts("::") {
        (Kind::Punctuation, 2)
    } else {
        (Kind::Punctuation, 1)
    }
}

fn is_char_literal(rest: &[char]) -> bool {
    rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = rest.iter().position(|&c| c == quote).unwrap_or(0) + 1;
    while let Some(&c) = rest.get(at) {
        match c {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[char]) -> Option<usize> {
    let letters = rest.iter().take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    if !(1..=2).contains(&letters) || rest[letters - 1] != 'r' {
        return None;
    }
    let hashes = rest[letters..].iter().take_while(|c| **c == '#').count();
    if rest.get(letters + hashes) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = letters + hashes + 1;
    let length = rest[body..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| body + length + end.len()))
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
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
