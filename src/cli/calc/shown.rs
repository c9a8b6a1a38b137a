//! What a calculation prints.

use schemars::JsonSchema;
use serde::Serialize;

use crate::card::words::Item;
use crate::keys::KeyHandle;

/// Exit code where something that was to be right is not.
const FINDINGS: u8 = 10;

/// A calculation: how it was done, and what came of it.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Calculated {
    /// Which one.
    calculation: &'static str,
    /// Whether test keys were used; none where no key was.
    #[serde(skip_serializing_if = "Option::is_none")]
    test_keys: Option<bool>,
    /// How it was done, in order. Never a secret.
    steps: Vec<Line>,
    /// What came of it.
    results: Vec<Line>,
    /// What was looked at, as a tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
    /// Whether what was to be right is right; none where nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<bool>,
    /// What should be known beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// A named value.
#[derive(Serialize, JsonSchema)]
struct Line {
    /// What it is.
    name: String,
    /// Its value: hexadecimal, digits or words; absent where it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Why the value is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<&'static str>,
}

impl Calculated {
    /// Nothing done yet.
    pub fn new(calculation: &'static str) -> Self {
        let (steps, results, items, notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { calculation, test_keys: None, steps, results, items, right: None, notes }
    }

    /// Takes note that a key was used: one live key among several makes all of it live.
    pub fn used(&mut self, key: &KeyHandle) {
        self.used_as(key.name(), key.is_test());
    }

    /// The same of a key by its name.
    pub fn used_as(&mut self, name: &str, test: bool) {
        self.test_keys = Some(self.test_keys.unwrap_or(true) && test);
        self.step("key", format!("{name} ({})", if test { "test key" } else { "live key" }));
    }

    /// Whether no live key was used.
    pub fn is_test(&self) -> bool {
        self.test_keys.unwrap_or(true)
    }

    /// A step on the way.
    pub fn step(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.steps.push(Line { name: name.into(), value: Some(value.into()), withheld: None });
    }

    /// A result that anybody may see.
    pub fn result(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.results.push(Line { name: name.into(), value: Some(value.into()), withheld: None });
    }

    /// The same in hexadecimal.
    pub fn bytes(&mut self, name: impl Into<String>, value: impl AsRef<[u8]>) {
        self.result(name, hex::encode_upper(value));
    }

    /// A result that is there, and not shown.
    pub fn withheld(&mut self, name: impl Into<String>, why: &'static str) {
        self.results.push(Line { name: name.into(), value: None, withheld: Some(why) });
    }

    /// What was looked at.
    pub fn items(&mut self, items: Vec<Item>) {
        self.items.extend(items);
    }

    /// Whether something that was to be right is.
    pub fn is_right(&mut self, right: bool) {
        self.right = Some(self.right.unwrap_or(true) && right);
    }

    /// Something beside.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let widest = self.steps.iter().chain(&self.results).map(|line| line.name.chars().count()).max().unwrap_or(0);
        let written = |line: &Line| {
            let value = match (&line.value, line.withheld) {
                (Some(value), _) => value.clone(),
                (None, why) => format!("not shown: {}", why.unwrap_or("a secret")),
            };
            format!("{:<widest$}  {value}", line.name).trim_end().to_owned()
        };
        let mut out: Vec<String> = self.steps.iter().map(written).collect();
        if !out.is_empty() && !self.results.is_empty() {
            out.push(String::new());
        }
        out.extend(self.results.iter().map(written));
        out.extend(self.items.iter().flat_map(Item::lines));
        out.extend(self.notes.iter().map(|note| format!("note: {note}")));
        out
    }

    /// The program's exit code.
    pub fn exit(&self) -> u8 {
        if self.right == Some(false) { FINDINGS } else { 0 }
    }
}
