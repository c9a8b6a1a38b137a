//! One search for values that may be seen nowhere: as they are, in hexadecimal, as digits two to a byte, in base64, as a list of
//! numbers; whole or in part.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use aho_corasick::AhoCorasick;

/// So many bytes, or characters, of a value in a row are a leak.
pub const PART: usize = 8;
/// So many digits of a number in a row: a masked PAN shows six and four of them, not in a row.
pub const DIGITS: usize = 10;
/// Base64 shorter than this stands anywhere by chance.
const BASE64: usize = 8;
/// Parts of long values are looked for at every so manyth byte.
const LONG: usize = 64;

/// A way of writing a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Bytes,
    Hex,
    Text,
    Compressed,
    Base64,
    Numbers,
}

/// What is looked for.
#[derive(Default)]
pub struct Canaries {
    exact: Patterns,
    any_case: Patterns,
}

#[derive(Default)]
struct Patterns {
    text: Vec<Vec<u8>>,
    names: Vec<(String, Form)>,
}

impl Patterns {
    fn push(&mut self, name: &str, form: Form, pattern: impl Into<Vec<u8>>) {
        self.text.push(pattern.into());
        self.names.push((name.to_owned(), form));
    }
}

/// Parts of a value: each that overlaps its neighbour, or of a long value one behind the other.
fn parts<T>(value: &[T], length: usize) -> impl Iterator<Item = &[T]> {
    let step = if value.len() > LONG { length } else { 1 };
    value.windows(length.min(value.len())).step_by(step)
}

/// Base64 without what depends on its neighbours, for each place that the bytes can have within groups of three.
fn base64(bytes: &[u8]) -> Vec<String> {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let mut all = Vec::new();
    for bytes in (0..3).filter_map(|skip| bytes.get(skip..)) {
        let whole = bytes.len() * 8 / 6;
        all.extend([STANDARD_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)].map(|text| text[..whole].to_owned()));
    }
    all.retain(|text| text.len() >= BASE64);
    all
}

fn joined(bytes: &[u8], between: &str, one: impl Fn(&u8) -> String) -> String {
    bytes.iter().map(one).collect::<Vec<_>>().join(between)
}

impl Canaries {
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes: a key, a PIN block, a prime.
    pub fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 4, "{name} is too short to be found");
        for part in parts(bytes, PART) {
            self.exact.push(name, Form::Bytes, part);
            for between in ["", " ", ":", "-", ",", ", ", ", 0x"] {
                self.any_case.push(name, Form::Hex, joined(part, between, |byte| format!("{byte:02X}")));
            }
            for between in [",", ", "] {
                self.exact.push(name, Form::Numbers, joined(part, between, u8::to_string));
            }
            base64(part).into_iter().for_each(|text| self.exact.push(name, Form::Base64, text));
        }
        self
    }

    /// Text: a name, a passphrase.
    pub fn text(mut self, name: &str, text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        for part in parts(&characters, PART) {
            self.any_case.push(name, Form::Text, part.iter().collect::<String>());
        }
        self.bytes(name, text.as_bytes())
    }

    /// Digits: a PAN, a PIN, what stands on a track. At least ten.
    pub fn digits(mut self, name: &str, digits: &str) -> Self {
        assert!(digits.len() >= DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit()), "{name}");
        for part in parts(digits.as_bytes(), DIGITS) {
            let text = std::str::from_utf8(part).unwrap();
            self.exact.push(name, Form::Text, text);
            self.exact.push(name, Form::Compressed, hex::decode(text).unwrap());
            self = self.bytes(name, part);
        }
        for between in [" ", "-"] {
            let groups: Vec<&str> = (0..digits.len()).step_by(4).filter_map(|at| digits.get(at..at + 4)).collect();
            self.exact.push(name, Form::Text, groups.join(between));
        }
        // With the first digit in either half of a byte.
        for digits in [digits, &digits[1..]] {
            self = self.bytes(name, &hex::decode(&digits[..digits.len() & !1]).unwrap());
        }
        self
    }

    /// What is too short for anything else: as this file has it.
    pub fn exactly(mut self, name: &str, text: &str) -> Self {
        self.exact.push(name, Form::Text, text);
        self
    }

    /// Whatever a text stands for: digits, bytes in hexadecimal, or itself.
    pub fn value(self, name: &str, text: &str) -> Self {
        match hex::decode(text) {
            _ if text.len() >= DIGITS && text.len() <= 19 && text.bytes().all(|it| it.is_ascii_digit()) => {
                self.digits(name, text)
            }
            Ok(bytes) if bytes.len() >= PART => self.bytes(name, &bytes),
            _ => self.text(name, text),
        }
    }

    /// Each of them, as [`Canaries::value`].
    pub fn values<'a>(self, name: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        texts.into_iter().fold(self, |all, text| all.value(name, text))
    }

    pub fn ready(self) -> Search {
        let automaton = |patterns: &[Vec<u8>], any_case| {
            AhoCorasick::builder().ascii_case_insensitive(any_case).build(patterns).unwrap()
        };
        Search {
            exact: automaton(&self.exact.text, false),
            any_case: automaton(&self.any_case.text, true),
            names: [self.exact.names, self.any_case.names],
        }
    }
}

/// The search, ready to be used many times.
pub struct Search {
    exact: AhoCorasick,
    any_case: AhoCorasick,
    names: [Vec<(String, Form)>; 2],
}

impl Search {
    /// The first canary that is there, and how it is written.
    pub fn found(&self, bytes: &[u8]) -> Option<(&str, Form)> {
        let [exact, any_case] = &self.names;
        let seen = self.exact.find(bytes).map(|it| &exact[it.pattern().as_usize()]);
        let seen = seen.or_else(|| self.any_case.find(bytes).map(|it| &any_case[it.pattern().as_usize()]));
        seen.map(|(name, form)| (name.as_str(), *form))
    }

    /// All canaries that are there, by name.
    pub fn all_found(&self, bytes: &[u8]) -> std::collections::BTreeSet<&str> {
        let [exact, any_case] = &self.names;
        let exact = self.exact.find_overlapping_iter(bytes).map(|it| exact[it.pattern().as_usize()].0.as_str());
        let any_case =
            self.any_case.find_overlapping_iter(bytes).map(|it| any_case[it.pattern().as_usize()].0.as_str());
        exact.chain(any_case).collect()
    }

    /// Nothing of them is there.
    #[track_caller]
    pub fn search(&self, what: &str, bytes: &[u8]) {
        if let Some((name, form)) = self.found(bytes) {
            panic!("{what} shows {name}, as {form:?}: {}", String::from_utf8_lossy(bytes));
        }
    }
}
