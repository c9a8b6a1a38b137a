//! Running a script, and what is told of it.

use schemars::JsonSchema;
use serde::Serialize;
use zeroize::Zeroizing;

use super::parse::{Capture, Script, What};
use super::template::Variables;
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::card::apdu::{Command, Response, command_name, meaning};
use crate::card::channel::{ChannelError, Session};
use crate::card::plain::Card;
use crate::card::words::{self, Groupings, Item};

/// The way that commands take.
pub enum Way<'a, 'c> {
    /// In the clear.
    Clear(&'a mut Card),
    /// Every one of them through a secure channel.
    Secure(&'a mut Session<'c>),
}

/// What `perso card apdu --format json` prints.
#[derive(Clone, Serialize, JsonSchema)]
pub struct ScriptReport {
    /// Version of this shape: 1.
    pub perso_apdu: u32,
    /// `as-expected`, `differs` (an answer is not the expected one), or `broken` (the script could not go on).
    pub verdict: String,
    /// The secure channel and its keys; absent in the clear.
    pub channel: Option<String>,
    /// Every exchange, in order.
    pub exchanges: Vec<ExchangeView>,
    /// Commands of the script that were not sent, or not answered.
    pub not_sent: usize,
    /// Where it is broken: what has happened. No fault of the expectations.
    pub fault: Option<String>,
}

/// A command and its answer. Values that may be a customer's are told by name and length.
#[derive(Clone, Serialize, JsonSchema)]
pub struct ExchangeView {
    /// Line of the script.
    pub line: usize,
    /// The label before it.
    pub label: Option<String>,
    /// Name of the command; `reset` for a reset.
    pub name: String,
    /// Class, instruction and parameters, hexadecimal; of a reset, nothing.
    pub header: String,
    /// The parameters in words; of a reset the ATR.
    pub words: String,
    /// Bytes of data that the command carries, before any protection.
    pub sent: usize,
    /// What they hold.
    pub command: Vec<Item>,
    /// The status word, hexadecimal; absent for a reset.
    pub sw: Option<String>,
    /// What it means.
    pub meaning: String,
    /// Bytes of data in the answer, after any protection was removed.
    pub received: usize,
    /// What they hold.
    pub answer: Vec<Item>,
    /// What is not as expected.
    pub mismatches: Vec<String>,
    /// Parts of the answer that were kept: names and lengths.
    pub kept: Vec<String>,
}

/// Runs a script: until its end, an answer that is not the expected one (unless it goes on then), or a broken link.
/// The error, where there is one, comes beside what was done up to it.
pub fn run(script: &Script, mut way: Way<'_, '_>, go_on: bool) -> (ScriptReport, Option<ChannelError>) {
    let mut runner = Runner {
        variables: Variables::new(),
        groupings: Groupings::default(),
        label: None,
        exchanges: Vec::new(),
        last: None,
        go_on,
        stopped: false,
        fault: None,
    };
    let mut error = None;
    for step in script.steps() {
        if runner.is_over() {
            break;
        }
        if let Err(failed) = runner.step(step.line, &step.what, &mut way) {
            runner.fault = Some(format!("line {}: {failed}", step.line));
            error = Some(failed);
        }
    }
    let answered = runner.exchanges.iter().filter(|exchange| exchange.sw.is_some()).count();
    let commands = script.steps().iter().filter(|step| matches!(step.what, What::Command(_))).count();
    (runner.report(commands.saturating_sub(answered)), error)
}

struct Runner {
    variables: Variables,
    groupings: Groupings,
    label: Option<String>,
    exchanges: Vec<ExchangeView>,
    last: Option<Response>,
    go_on: bool,
    stopped: bool,
    fault: Option<String>,
}

impl Runner {
    fn is_over(&self) -> bool {
        self.fault.is_some() || self.stopped
    }

    fn step(&mut self, line: usize, what: &What, way: &mut Way<'_, '_>) -> Result<(), ChannelError> {
        match what {
            What::Label(text) => self.label = Some(text.clone()),
            What::GoOn(go_on) => self.go_on = *go_on,
            What::Set(name, template) => match template.fill(&self.variables) {
                Ok(value) => {
                    self.variables.insert(name.clone(), value);
                }
                Err(why) => self.fault = Some(format!("line {line}: {why}")),
            },
            What::Reset if self.may_go_on() => self.reset(line, way)?,
            What::Command(template) if self.may_go_on() => match self.command(template) {
                Ok(command) => self.send(line, &command, way)?,
                Err(why) => self.fault = Some(format!("line {line}: {why}")),
            },
            // A mismatch ends it; that is no fault.
            What::Reset | What::Command(_) => self.stopped = true,
            What::Expect(expectation) => {
                let differs = self.last.as_ref().and_then(|answer| expectation.differs(answer, &self.variables));
                let exchange = self.exchanges.last_mut();
                exchange.into_iter().for_each(|exchange| exchange.mismatches.extend(differs.clone()));
            }
            What::Keep(name, capture) => self.keep(line, name, capture),
        }
        Ok(())
    }

    /// Whether the next command may go out: the last answer was as expected, or that does not matter.
    fn may_go_on(&self) -> bool {
        self.go_on || self.exchanges.iter().all(|exchange| exchange.mismatches.is_empty())
    }

    fn command(&self, template: &super::template::Template) -> Result<Command, &'static str> {
        let bytes = template.fill(&self.variables)?;
        Command::parse(&bytes).map_err(|_| "the bytes are no command: its lengths do not add up")
    }

    fn reset(&mut self, line: usize, way: &mut Way<'_, '_>) -> Result<(), ChannelError> {
        let atr = match way {
            Way::Clear(card) => card.reset()?,
            // The caller refuses such a script; a session would not outlive it.
            Way::Secure(_) => return Err(ChannelError::Dead),
        };
        self.last = None;
        self.groupings = Groupings::default();
        let words = format!("ATR {}", hex::encode_upper(atr));
        let view = self.view(line, "reset", String::new(), words);
        self.exchanges.push(view);
        Ok(())
    }

    fn send(&mut self, line: usize, command: &Command, way: &mut Way<'_, '_>) -> Result<(), ChannelError> {
        let header = [command.cla, command.ins, command.p1, command.p2];
        let (words, items) = words::command(command, true, &mut self.groupings);
        let mut view = self.view(line, command_name(&header), hex::encode_upper(header), words);
        (view.sent, view.command) = (command.data.len(), items);
        let answer = match way {
            Way::Clear(card) => card.transmit(command)?,
            Way::Secure(session) => session.transmit(command)?,
        };
        view.sw = Some(answer.sw.to_string());
        view.meaning = meaning(Some(command.ins), answer.sw).to_owned();
        view.received = answer.data.len();
        view.answer = words::answer(command, &answer.data);
        self.exchanges.push(view);
        self.last = Some(answer);
        Ok(())
    }

    fn view(&mut self, line: usize, name: &str, header: String, words: String) -> ExchangeView {
        ExchangeView {
            line,
            label: self.label.take(),
            name: name.to_owned(),
            header,
            words,
            sent: 0,
            command: Vec::new(),
            sw: None,
            meaning: String::new(),
            received: 0,
            answer: Vec::new(),
            mismatches: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn keep(&mut self, line: usize, name: &str, capture: &Capture) {
        let value = self.last.as_ref().and_then(|answer| part(answer, capture));
        let Some(exchange) = self.exchanges.last_mut() else { return };
        match value {
            Some(value) => {
                exchange.kept.push(format!("{name} [{}]", value.len()));
                self.variables.insert(name.to_owned(), Zeroizing::new(value));
            }
            None => {
                exchange.mismatches.push(format!("line {line}: the answer does not hold what {name} is to keep"));
                // Nothing that uses the variable can be sent; an old value must not stand in for it.
                self.variables.remove(name);
            }
        }
    }

    fn report(self, not_sent: usize) -> ScriptReport {
        let differs = self.exchanges.iter().any(|exchange| !exchange.mismatches.is_empty());
        let verdict = match (&self.fault, differs) {
            (_, true) => "differs",
            (Some(_), false) => "broken",
            (None, false) => "as-expected",
        };
        ScriptReport {
            perso_apdu: 1,
            verdict: verdict.to_owned(),
            channel: None,
            exchanges: self.exchanges,
            not_sent,
            fault: self.fault,
        }
    }
}

fn part(answer: &Response, capture: &Capture) -> Option<Vec<u8>> {
    match capture {
        Capture::Status => Some(answer.sw.to_bytes().to_vec()),
        Capture::Bytes(from, to) => answer.data.get(*from..to.unwrap_or(answer.data.len())).map(<[u8]>::to_vec),
        Capture::Tag(path) => {
            let objects = tlv::parse(&answer.data).ok()?;
            let mut within = objects.as_slice();
            let mut found = None;
            for tag in path {
                let object = first(within, *tag)?;
                within = object.children();
                found = Some(object);
            }
            found.map(Tlv::value_bytes)
        }
    }
}

/// The first object of a tag, at any depth. The reader of TLV bounds the depth.
fn first(objects: &[Tlv], tag: Tag) -> Option<&Tlv> {
    objects.iter().find_map(|object| if object.tag == tag { Some(object) } else { first(object.children(), tag) })
}

impl ScriptReport {
    /// The text for people.
    pub fn lines(&self) -> Vec<String> {
        let mut out: Vec<String> = self.channel.iter().map(|channel| format!("Channel  {channel}")).collect();
        for exchange in &self.exchanges {
            out.extend(exchange.label.iter().map(|label| format!("-- {label}")));
            exchange.lines(&mut out);
        }
        out.extend(self.fault.iter().map(|fault| format!("Broken   {fault}")));
        if self.not_sent > 0 {
            let commands = if self.not_sent == 1 { "command" } else { "commands" };
            out.push(format!("Not sent {} {commands}", self.not_sent));
        }
        out.push(match self.verdict.as_str() {
            "as-expected" if self.exchanges.len() == 1 => "AS EXPECTED, 1 exchange.".to_owned(),
            "as-expected" => format!("AS EXPECTED, {} exchanges.", self.exchanges.len()),
            "differs" => "DIFFERS from what is expected.".to_owned(),
            _ => "BROKEN OFF.".to_owned(),
        });
        out
    }
}

impl ExchangeView {
    fn lines(&self, out: &mut Vec<String>) {
        let words = if self.words.is_empty() { String::new() } else { format!(" ({})", self.words) };
        let header = if self.header.is_empty() { String::new() } else { format!("{} ", self.header) };
        let sent = if self.sent > 0 { format!(", {} bytes of data", self.sent) } else { String::new() };
        out.push(format!("{:>4}  {header}{}{words}{sent}", self.line, self.name));
        out.extend(self.command.iter().flat_map(Item::lines).map(|line| format!("        {line}")));
        if let Some(sw) = &self.sw {
            out.push(format!("      {sw} ({}), {} bytes of data", self.meaning, self.received));
        }
        out.extend(self.answer.iter().flat_map(Item::lines).map(|line| format!("        {line}")));
        out.extend(self.kept.iter().map(|kept| format!("      kept {kept}")));
        out.extend(self.mismatches.iter().map(|mismatch| format!("    ! {mismatch}")));
    }
}
