//! Reading a script. Everything that can be wrong with it is found before the first byte goes to a card.

use std::collections::HashSet;

use super::expect::{Count, DataPattern, Expectation, StatusPattern};
use super::template::{Template, Variables, named};
use crate::base::codec::tlv::Tag;
use crate::card::apdu::Command;
use crate::card::plain::carries_secret;

/// Most steps of a script.
pub const MOST_STEPS: usize = 100_000;

/// A script that has been read.
pub struct Script {
    steps: Vec<Step>,
}

/// One line that means something.
pub struct Step {
    /// Its number, from 1.
    pub line: usize,
    /// What it says.
    pub what: What,
}

/// What a line says.
pub enum What {
    /// `:` A label for people: what comes now.
    Label(String),
    /// `reset`
    Reset,
    /// `set NAME = BYTES`
    Set(String, Template),
    /// A command.
    Command(Template),
    /// `sw`, `data`, `length`: what the last answer is expected to be.
    Expect(Expectation),
    /// `> NAME = …`: keeps a part of the last answer.
    Keep(String, Capture),
    /// `on mismatch stop` or `on mismatch go on`.
    GoOn(bool),
}

/// Which part of an answer is kept.
pub enum Capture {
    /// `bytes A..B`: from byte A on, B not included; to the end where B is absent.
    Bytes(usize, Option<usize>),
    /// `tag T` or `tag T/T`: the value of the first object of this tag, wherever it stands; of a path, each within the
    /// one before.
    Tag(Vec<Tag>),
    /// `sw`: the status word.
    Status,
}

/// What is wrong with a script. No line is quoted: it may hold a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ScriptError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut steps = Vec::new();
        let mut known = HashSet::new();
        let mut answered = false;
        for (index, line) in text.lines().enumerate() {
            let wrong = |why| ScriptError { line: index + 1, why };
            let line = without_comment(line).trim();
            if line.is_empty() {
                continue;
            }
            let what = step(line).map_err(wrong)?;
            check(&what, &mut known, &mut answered).map_err(wrong)?;
            steps.push(Step { line: index + 1, what });
            if steps.len() > MOST_STEPS {
                return Err(wrong("the script has more steps than a card should be given at once"));
            }
        }
        Ok(Self { steps })
    }

    /// Whether it sends nothing.
    pub fn is_empty(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step.what, What::Command(_) | What::Reset))
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a command in it carries a PIN or a key, or may: its instruction stands in a variable.
    pub fn carries_secret(&self) -> bool {
        self.steps.iter().any(|step| match &step.what {
            What::Command(template) => template.instruction().is_none_or(carries_secret),
            _ => false,
        })
    }

    /// The line of the first `reset`, which ends a secure channel.
    pub fn resets(&self) -> Option<usize> {
        self.steps.iter().find(|step| matches!(step.what, What::Reset)).map(|step| step.line)
    }
}

/// The line up to a `#` that stands at its beginning or behind a blank.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return line.get(..at).unwrap_or_default();
        }
        before = c;
    }
    line
}

fn step(line: &str) -> Result<What, &'static str> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match word {
        ":" => Ok(What::Label(rest.chars().filter(|c| !c.is_control()).take(200).collect())),
        "reset" if rest.is_empty() => Ok(What::Reset),
        "set" => {
            let (name, value) = rest.split_once('=').ok_or("set NAME = BYTES")?;
            Ok(What::Set(named(name)?, Template::parse(value)?))
        }
        "sw" => {
            let all: Result<Vec<_>, _> =
                rest.split_whitespace().filter(|word| *word != "or").map(StatusPattern::parse).collect();
            all.and_then(|all| {
                if all.is_empty() { Err("which status word?") } else { Ok(What::Expect(Expectation::Status(all))) }
            })
        }
        "data" => DataPattern::parse(rest).map(|pattern| What::Expect(Expectation::Data(pattern))),
        "length" => Count::parse(rest).map(|count| What::Expect(Expectation::Length(count))),
        ">" => {
            let (name, part) = rest.split_once('=').ok_or("> NAME = bytes A..B, tag T, or sw")?;
            Ok(What::Keep(named(name)?, capture(part.trim())?))
        }
        "on" => match rest.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["mismatch", "stop"] => Ok(What::GoOn(false)),
            ["mismatch", "go", "on"] => Ok(What::GoOn(true)),
            _ => Err("on mismatch stop, or on mismatch go on"),
        },
        _ => Template::parse(line).map(What::Command).map_err(|why| match why {
            "it is not whole bytes in hexadecimal" => "neither a word of scripts nor a command in hexadecimal",
            why => why,
        }),
    }
}

fn capture(text: &str) -> Result<Capture, &'static str> {
    const WRONG: &str = "bytes A..B with numbers from 0, tag T with a tag in hexadecimal, or sw";
    match text.split_once(char::is_whitespace).unwrap_or((text, "")) {
        ("sw", "") => Ok(Capture::Status),
        ("bytes", range) => {
            let (from, to) = range.trim().split_once("..").ok_or(WRONG)?;
            let number = |text: &str| text.trim().parse::<usize>().map_err(|_| WRONG);
            let (from, to) = (number(from)?, if to.trim().is_empty() { None } else { Some(number(to)?) });
            if to.is_some_and(|to| to <= from) {
                Err("the end stands behind the beginning")
            } else {
                Ok(Capture::Bytes(from, to))
            }
        }
        ("tag", path) => {
            let tags: Option<Vec<Tag>> = path.trim().split('/').map(Tag::from_hex).collect();
            tags.map(Capture::Tag).ok_or(WRONG)
        }
        _ => Err(WRONG),
    }
}

/// Why bytes are no command. Logs show a status word behind commands and answers alike.
fn why_no_command(bytes: &[u8]) -> &'static str {
    match bytes.split_last_chunk::<2>() {
        Some((before, [0x90, 0x00] | [0x61..=0x6F, _])) if Command::parse(before).is_ok() => {
            "the bytes end with a status word: leave it out, or expect it in a line of its own, e.g. sw 9000"
        }
        _ => "the bytes are no command: its lengths do not add up",
    }
}

/// Variables have a value before they are used, and what is expected follows a command.
fn check(what: &What, known: &mut HashSet<String>, answered: &mut bool) -> Result<(), &'static str> {
    let use_all = |known: &HashSet<String>, mut names: Box<dyn Iterator<Item = &str> + '_>| {
        if names.all(|name| known.contains(name)) { Ok(()) } else { Err("a variable in it has no value yet") }
    };
    match what {
        What::Label(_) | What::GoOn(_) => {}
        What::Reset => *answered = false,
        What::Set(name, template) => {
            use_all(known, Box::new(template.names()))?;
            known.insert(name.clone());
        }
        What::Command(template) => {
            use_all(known, Box::new(template.names()))?;
            if template.names().next().is_none() {
                let bytes = template.fill(&Variables::new())?;
                Command::parse(&bytes).map_err(|_| why_no_command(&bytes))?;
            }
            *answered = true;
        }
        What::Expect(_) | What::Keep(..) if !*answered => return Err("there is no command before it"),
        What::Expect(Expectation::Data(pattern)) => use_all(known, Box::new(pattern.names()))?,
        What::Expect(_) => {}
        What::Keep(name, _) => {
            known.insert(name.clone());
        }
    }
    Ok(())
}
