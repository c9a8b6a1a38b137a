//! Faults on demand, one rule a line.
//!
//! ```text
//! cut before 7                                       the link is cut before exchange 7 reaches the card
//! cut after 7                                        the card executes exchange 7, its answer is lost
//! cut before 7 then power                            as above, and the card has power again after a reset
//! flip 3.0 of answer 5                               bit 0 of byte 3 (from 0) of the answer to exchange 5
//! flip 3.0 of command 5                              the same of the command, before the card sees it
//! sw 6A80 at 9                                       exchange 9 is answered so and not executed
//! delay 250 at 4                                     exchange 4 takes 250 ms longer
//! swap other.json at 12                              from exchange 12 on, another card is in the reader
//! corrupt DGI 0201 byte 5 mask 01 on storing         a stored byte is changed before the card checks it
//! corrupt DGI 0201 byte 5 mask 01 after loading      a stored byte is changed once the application is personalized
//! corrupt DGI 0201 in A000000999 byte 5 mask 01 …    the same, in applications whose AID begins so
//! corrupt TAG 9F26 byte 0 mask 80 on answering       a cryptogram, signature or checksum that the card makes is wrong
//! ```
//!
//! Exchanges count from 1, from the moment the card was put into the reader; resets do not count.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One rule, and whether it has changed anything yet. Clones share that.
#[derive(Debug, Clone)]
pub struct FaultRule {
    pub(super) rule: Rule,
    text: String,
    fired: Arc<AtomicBool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    Cut { at: u32, after: bool, power: bool },
    Flip { at: u32, byte: usize, bit: u8, answer: bool },
    Status { at: u32, sw: u16 },
    Delay { at: u32, millis: u64 },
    Swap { at: u32, card: PathBuf },
    Corrupt(Corruption),
}

/// A byte that the card stores wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// The grouping; or the tag of what is answered.
    pub dgi: u16,
    /// How the application's AID begins.
    pub aid: Vec<u8>,
    /// The byte, from 0.
    pub byte: usize,
    /// The bits.
    pub mask: u8,
    /// When.
    pub when: When,
}

/// When a stored byte changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the card checks what it stores.
    Storing,
    /// Once the application is personalized.
    Loaded,
    /// When it is answered: 9F26, 9F4B, 9F10, 9F60, 9F61.
    Answering,
}

/// A rule that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fault rule, e.g. `cut before 7`, `sw 6A80 at 9`")]
pub struct FaultRuleError(String);

impl FaultRule {
    /// Reads a rule.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, FaultRuleError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let rule = rule(&words).ok_or_else(|| FaultRuleError(text.to_owned()))?;
        Ok(Self { rule, text: words.join(" "), fired: Arc::default() })
    }

    /// The rule as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has changed anything: a rule that never fires tests nothing.
    pub fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Relaxed)
    }

    pub(super) fn fire(&self) {
        self.fired.store(true, Ordering::Relaxed);
    }
}

fn rule(words: &[&str]) -> Option<Rule> {
    match words {
        ["cut", when @ ("before" | "after"), at, power @ ..] => {
            let power = match power {
                [] => false,
                ["then", "power"] => true,
                _ => return None,
            };
            Some(Rule::Cut { at: exchange(at)?, after: *when == "after", power })
        }
        ["flip", place, "of", what @ ("answer" | "command"), at] => {
            let (byte, bit) = place.split_once('.')?;
            let bit = bit.parse().ok().filter(|bit| *bit < 8)?;
            Some(Rule::Flip { at: exchange(at)?, byte: byte.parse().ok()?, bit, answer: *what == "answer" })
        }
        ["sw", sw, "at", at] if sw.len() == 4 => {
            Some(Rule::Status { at: exchange(at)?, sw: u16::from_str_radix(sw, 16).ok()? })
        }
        ["delay", millis, "at", at] => {
            let millis = millis.parse().ok().filter(|millis| *millis <= 600_000)?;
            Some(Rule::Delay { at: exchange(at)?, millis })
        }
        ["swap", card, "at", at] => Some(Rule::Swap { at: exchange(at)?, card: PathBuf::from(card) }),
        ["corrupt", what @ ("DGI" | "TAG"), dgi, "in", aid, rest @ ..] => corruption(what, dgi, aid, rest),
        ["corrupt", what @ ("DGI" | "TAG"), dgi, rest @ ..] => corruption(what, dgi, "", rest),
        _ => None,
    }
}

/// Tags that can be answered wrongly.
const ANSWERED: [u16; 5] = [0x9F26, 0x9F4B, 0x9F10, 0x9F60, 0x9F61];

fn corruption(what: &str, dgi: &str, aid: &str, words: &[&str]) -> Option<Rule> {
    let ["byte", byte, "mask", mask, when @ ..] = words else { return None };
    let dgi = u16::from_str_radix(dgi, 16).ok()?;
    Some(Rule::Corrupt(Corruption {
        dgi,
        aid: hex::decode(aid).ok()?,
        byte: byte.parse().ok()?,
        mask: u8::from_str_radix(mask, 16).ok()?,
        when: match (what, when) {
            ("DGI", ["on", "storing"]) => When::Storing,
            ("DGI", ["after", "loading"]) => When::Loaded,
            ("TAG", ["on", "answering"]) if ANSWERED.contains(&dgi) => When::Answering,
            _ => return None,
        },
    }))
}

fn exchange(word: &str) -> Option<u32> {
    word.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_documentation_is_one() {
        let documented = include_str!("fault.rs").lines().filter_map(|line| line.strip_prefix("//! "));
        let rules = documented.skip_while(|line| *line != "```text").skip(1).take_while(|line| *line != "```");
        let mut seen = 0;
        for line in rules {
            let rule = line.split("    ").next().unwrap_or_default().replace('…', "on storing");
            let rule = rule.trim();
            assert!(FaultRule::parse(rule).is_ok(), "{rule}");
            seen += 1;
        }
        assert_eq!(seen, 12);
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "cut",
            "cut before 0",
            "cut before x",
            "sw 9 at 1",
            "flip 1.8 of answer 1",
            "swap at 3",
            "corrupt TAG 9F36 byte 0 mask 01 on answering",
            "corrupt DGI 9F26 byte 0 mask 01 on answering",
        ] {
            assert!(FaultRule::parse(text).is_err(), "{text}");
        }
    }
}
