//! `perso explain`: the catalogue and the status words.

use serde::Serialize;

use super::common::{CliError, Out};
use crate::base::emv::rules;
use crate::base::fault::{CATALOGUE, Code, Entry, Spoils};
use crate::base::suggest;
use crate::card::apdu::{StatusWord, in_context, is_known, meaning};

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
    /// What it means in answer to commands that give it a meaning of their own.
    contexts: Vec<Context>,
    /// Known status words that differ in one digit; only if this one is not known.
    near: Vec<String>,
}

/// A status word in answer to one command.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Context {
    /// The command.
    command: &'static str,
    /// What the status word means.
    meaning: &'static str,
    /// The specification.
    source: &'static str,
}

/// Most near matches that are listed.
const MOST_NEAR: usize = 6;

/// Explains one code, rule or status word, or lists all codes.
///
/// # Errors
/// The requested one is not among them.
pub fn run(words: &[String], out: &mut Out) -> Result<u8, CliError> {
    let text = words.join(" ");
    let text = text.trim();
    if words.is_empty() {
        return list(out);
    }
    let code = text.replace(['_', ' '], "-");
    match (Code::find(&code), rule_number(text), status_word(text)) {
        (Some(code), ..) => one(code.entry(), out),
        (_, Some(number), _) => rule(number, out),
        (_, _, Some(sw)) => status(sw, out),
        _ => Err(unexplained(text, &code)),
    }
}

/// With the codes that are near: of the same family, with the same word, or mistyped.
fn unexplained(text: &str, code: &str) -> CliError {
    let names = CATALOGUE.iter().map(|(_, entry)| entry.code);
    let near = suggest::all_near(code, names);
    let listed = near.iter().take(MOST_NEAR).copied().collect::<Vec<_>>().join(", ");
    let near = match near.len() {
        0 => String::new(),
        1 => format!("; did you mean {listed}?"),
        2..=MOST_NEAR => format!("; near to it are {listed}"),
        more => format!("; near to it are {listed} and {} more", more - MOST_NEAR),
    };
    CliError::Unexplained { text: text.to_owned(), near }
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
    let lower = text.to_ascii_lowercase();
    let digits = lower.strip_prefix("rule").or(lower.strip_prefix('r'))?.trim();
    let number = digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
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
    let Some(rule) = rules::find(number) else { return Err(unexplained(&format!("R{number}"), "")) };
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

/// A status word as people copy it: `6A88`, `6a88`, `0x6A88`, `6A 88`, `6A:88`, `SW=6A88`, `6A88h`.
fn status_word(text: &str) -> Option<StatusWord> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_prefix("sw").map_or(text.as_str(), |rest| rest.trim_start_matches([' ', ':', '=']));
    let parts = text.split([' ', ':', '-', ',', '=']).filter(|part| !part.is_empty());
    let digits: String = parts.map(|part| part.strip_prefix("0x").unwrap_or(part)).collect();
    let digits = digits.strip_suffix('h').unwrap_or(&digits);
    // A sign is a number's to `from_str_radix`, and none here.
    let is_word = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_word.then(|| u16::from_str_radix(digits, 16).ok().map(StatusWord)).flatten()
}

fn status(sw: StatusWord, out: &mut Out) -> Result<u8, CliError> {
    let contexts = in_context(sw).into_iter();
    let contexts = contexts.map(|it| Context { command: it.command, meaning: it.meaning, source: it.source }).collect();
    let near = if is_known(sw) { Vec::new() } else { near(sw) };
    let found = Meaning { sw: sw.to_string(), meaning: meaning(None, sw), contexts, near };
    if !out.json(&found) {
        out.line(format!("{}: {}", found.sw, found.meaning));
        for context in &found.contexts {
            out.line(format!("  in answer to {:<22} {} ({})", context.command, context.meaning, context.source));
        }
        for near in &found.near {
            out.line(format!("  near to it: {near}"));
        }
    }
    Ok(0)
}

/// Known status words that differ in one digit, with their meanings; two neighbours swapped come first.
fn near(sw: StatusWord) -> Vec<String> {
    let digits = |word: u16| [12, 8, 4, 0].map(|shift| (word >> shift) & 0xF);
    let own = digits(sw.0);
    let swapped = |other: [u16; 4]| {
        (0..3).any(|at| {
            let mut own = own;
            own.swap(at, at + 1);
            own == other
        })
    };
    let differs = |other: [u16; 4]| own.iter().zip(other).filter(|(a, b)| **a != *b).count() == 1;
    // Words whose last digits count something stand for all of them.
    let listed = (0x6000..=0x6FFF).chain(0x9000..=0x9FFF).filter(|word| !matches!(word >> 8, 0x61 | 0x6C));
    let known: Vec<u16> = listed
        .filter(|word| {
            is_known(StatusWord(*word))
                && meaning(None, StatusWord(*word)) != meaning(None, StatusWord(word.wrapping_add(1)))
        })
        .collect();
    let mut near: Vec<u16> = known.iter().copied().filter(|word| swapped(digits(*word))).collect();
    near.extend(known.iter().copied().filter(|word| differs(digits(*word))));
    near.truncate(MOST_NEAR);
    near.into_iter().map(|word| format!("{:04X}, {}", word, meaning(None, StatusWord(word)))).collect()
}
