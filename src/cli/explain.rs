//! `perso explain`: the catalogue and the status words.

use serde::Serialize;

use super::common::{CliError, Out};
use crate::base::emv::rules;
use crate::base::fault::{CATALOGUE, Code, Entry, Spoils};
use crate::card::apdu::{StatusWord, meaning};

/// A row of the catalogue.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Explained {
    /// The stable code.
    code: &'static str,
    /// Where the fault comes from.
    family: &'static str,
    /// `no`, `by-state` or `yes`.
    spoils_card: &'static str,
    /// Whether trying again can help.
    retry_helps: bool,
    /// Exit code where nothing else decides it.
    exit: u8,
    /// What has happened.
    what: &'static str,
    /// What to do next.
    next: &'static str,
}

impl From<Entry> for Explained {
    fn from(entry: Entry) -> Self {
        Self {
            code: entry.code,
            family: entry.family.name(),
            spoils_card: match entry.spoils {
                Spoils::No => "no",
                Spoils::ByState => "by-state",
                Spoils::Yes => "yes",
            },
            retry_helps: entry.retry,
            exit: entry.exit,
            what: entry.what,
            next: entry.next,
        }
    }
}

/// A status word.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Meaning {
    /// The status word, hexadecimal.
    sw: String,
    /// What it means in general.
    meaning: &'static str,
}

/// Explains one code or status word, or lists all codes.
///
/// # Errors
/// What was asked for is neither.
pub fn run(code: Option<&str>, out: &mut Out) -> Result<u8, CliError> {
    match code {
        None => list(out),
        Some(text) if rule_number(text).is_some() => rule(rule_number(text).unwrap_or_default(), out),
        Some(text) => match (Code::find(text), status_word(text)) {
            (Some(code), _) => one(code.entry(), out),
            (None, Some(sw)) => status(sw, out),
            (None, None) => Err(CliError::Unexplained(text.to_owned())),
        },
    }
}

fn list(out: &mut Out) -> Result<u8, CliError> {
    let all: Vec<Explained> = CATALOGUE.iter().map(|(_, entry)| Explained::from(*entry)).collect();
    if !out.json(&all) {
        let row = |entry: &Explained| vec![entry.code.to_owned(), entry.what.to_owned()];
        out.table(&["CODE", "MEANING"], &all.iter().map(row).collect::<Vec<_>>());
    }
    Ok(0)
}

fn one(entry: Entry, out: &mut Out) -> Result<u8, CliError> {
    let explained = Explained::from(entry);
    if !out.json(&explained) {
        out.line(format!("{} ({})", explained.code, explained.family));
        out.line(format!("  What happened:     {}", explained.what));
        out.line(format!("  What to do next:   {}", explained.next));
        out.line(format!(
            "  Card:              {}",
            match entry.spoils {
                Spoils::No => "not spoiled by this.",
                Spoils::ByState => "the state in the result says what to do with it.",
                Spoils::Yes => "spoiled; it must be destroyed.",
            }
        ));
        out.line(format!(
            "  Trying again:      {}",
            if entry.retry { "can help." } else { "does not help before something is corrected." }
        ));
        out.line(format!("  Exit code:         {}", entry.exit));
    }
    Ok(0)
}

/// A consistency rule, R1 and so on.
fn rule_number(text: &str) -> Option<u8> {
    let number = text.strip_prefix(['R', 'r'])?.parse().ok()?;
    rules::find(number).map(|rule| rule.number)
}

fn rule(number: u8, out: &mut Out) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Explained {
        rule: String,
        title: &'static str,
        stages: Vec<&'static str>,
        code: &'static str,
    }
    let Some(rule) = rules::find(number) else { return Err(CliError::Unexplained(format!("R{number}"))) };
    let explained = Explained {
        rule: format!("R{number}"),
        title: rule.title,
        stages: rule.stages.iter().map(|stage| stage.name()).collect(),
        code: rule.code.name(),
    };
    if !out.json(&explained) {
        out.line(format!("{}: {}", explained.rule, explained.title));
        out.line(format!("  Asked at: {}. A record that breaks it: {}", explained.stages.join(", "), explained.code));
    }
    Ok(0)
}

fn status_word(text: &str) -> Option<StatusWord> {
    // A sign is a number's to `from_str_radix`, and none here.
    let digits = text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| u16::from_str_radix(text, 16).ok().map(StatusWord)).flatten()
}

fn status(sw: StatusWord, out: &mut Out) -> Result<u8, CliError> {
    let found = Meaning { sw: sw.to_string(), meaning: meaning(None, sw) };
    if !out.json(&found) {
        out.line(format!("{}: {}", found.sw, found.meaning));
    }
    Ok(0)
}
