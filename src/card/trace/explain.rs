//! A trace in words, exchange by exchange. What may be a PAN, a track, a name, a PIN or a key is told by its name and
//! length.

use schemars::JsonSchema;
use serde::Serialize;

use super::inside::{Inside, Insight};
use super::{Line, Trace};
use crate::card::apdu::{Command, Response, command_name, meaning};
use crate::card::words::{self, Groupings, Item};
use crate::keys::KeyStore;

/// What `perso trace show --format json` prints.
#[derive(Clone, Serialize, JsonSchema)]
pub struct TraceView {
    /// Version of this shape: 1.
    pub perso_trace_view: u32,
    /// What stands in the trace's comments.
    pub about: Vec<About>,
    /// Data was left out, since not every key was a test key.
    pub without_data: bool,
    /// Everything that has happened, in order.
    pub events: Vec<Event>,
}

/// A comment of the trace.
#[derive(Clone, Serialize, JsonSchema)]
pub struct About {
    /// Its first word.
    pub key: String,
    /// The rest.
    pub value: String,
}

/// Something that has happened.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The host drew random bytes.
    Chance {
        /// How many.
        length: usize,
    },
    /// The card was reset.
    Reset {
        /// The answer to reset, hexadecimal.
        atr: String,
    },
    /// A command was sent.
    Command(Side),
    /// Its answer.
    Answer(Side),
    /// The link broke.
    Lost {
        /// Why.
        why: String,
    },
}

/// A command or an answer.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Side {
    /// Number of the exchange, from 1.
    pub exchange: u32,
    /// Name of the command; of an answer its status word.
    pub name: String,
    /// Class, instruction and parameters; of an answer the microseconds it took.
    pub header: String,
    /// The parameters in words; of an answer what its status word means.
    pub words: String,
    /// Bytes of data on the wire.
    pub length: usize,
    /// What secure messaging does here, and whether it was checked; absent in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_messaging: Option<String>,
    /// What the data holds, as far as it can be read and may be shown.
    pub items: Vec<Item>,
}

impl Trace {
    /// Explains the trace as text: a line for every command, and indented ones for what is in it and what came back.
    pub fn explain(&self) -> Vec<String> {
        self.view(None).lines()
    }

    /// Explains the trace. With a key store, what is inside of secure channels too, as far as its test keys open them.
    pub fn view(&self, store: Option<&dyn KeyStore>) -> TraceView {
        let mut reader = Reader { insight: Insight::new(store), ..Reader::new() };
        let about = self.meta().iter().map(|(key, value)| About { key: key.clone(), value: value.clone() });
        TraceView {
            perso_trace_view: 1,
            about: about.collect(),
            without_data: self.is_bare(),
            events: self.lines().iter().map(|line| reader.line(line)).collect(),
        }
    }
}

impl TraceView {
    /// The text for people; the comments are left out.
    pub fn lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.without_data {
            out.push("      data was left out, since not every key was a test key; lengths cannot be told".into());
        }
        for event in &self.events {
            match event {
                Event::Chance { length } => out.push(format!("      the host draws {length} random bytes")),
                Event::Reset { atr } => out.push(format!("      reset, ATR {atr}")),
                Event::Lost { why } => out.push(format!("      the link broke: {why}")),
                Event::Command(side) => {
                    let words = if side.words.is_empty() { String::new() } else { format!(" ({})", side.words) };
                    out.push(format!("{:>4}  {}{words}, {} bytes of data", side.exchange, side.name, side.length));
                    side.rest(&mut out);
                }
                Event::Answer(side) => {
                    out.push(format!(
                        "      {} ({}), {} bytes of data, {}",
                        side.name, side.words, side.length, side.header
                    ));
                    side.rest(&mut out);
                }
            }
        }
        out
    }
}

impl Side {
    fn rest(&self, out: &mut Vec<String>) {
        out.extend(self.secure_messaging.iter().map(|text| format!("        {text}")));
        out.extend(self.items.iter().flat_map(Item::lines).map(|line| format!("        {line}")));
    }
}

/// What is known from the exchanges before: it decides what can be read of a command.
struct Reader<'a> {
    insight: Insight<'a>,
    /// Security level and MAC length of EXTERNAL AUTHENTICATE.
    level: Option<(u8, usize)>,
    groupings: Groupings,
    exchange: u32,
    /// The last command, inside of the channel where that could be seen; GET RESPONSE keeps the one before.
    last: Option<Command>,
}

impl<'a> Reader<'a> {
    fn new() -> Self {
        Self { insight: Insight::new(None), level: None, groupings: Groupings::default(), exchange: 0, last: None }
    }

    fn line(&mut self, line: &Line) -> Event {
        match line {
            Line::Chance(bytes) => Event::Chance { length: bytes.len() },
            Line::Reset(atr) => {
                self.end();
                Event::Reset { atr: hex::encode_upper(atr) }
            }
            Line::Command(bytes) => {
                self.exchange += 1;
                Event::Command(self.command(bytes))
            }
            Line::Answer(bytes, micros) => Event::Answer(self.answer(bytes, *micros)),
            Line::Lost(why) => Event::Lost { why: why.clone() },
        }
    }

    fn end(&mut self) {
        self.insight.end();
        (self.level, self.groupings, self.last) = (None, Groupings::default(), None);
    }

    fn command(&mut self, bytes: &[u8]) -> Side {
        let header = hex::encode_upper(bytes.get(..4).unwrap_or(bytes));
        let name = command_name(bytes).to_owned();
        // A trace without data holds the header alone, which reads as a command without data.
        let Ok(command) = Command::parse(bytes) else {
            let words = format!("{} bytes that are no command", bytes.len());
            return self.side(name, header, words, bytes.len());
        };
        if command.ins == 0xA4 && command.cla & 0x04 == 0 {
            self.end();
        }
        let protected = command.cla & 0x04 != 0;
        let inside = self.insight.command(&command);
        if command.ins == 0x82 && command.cla & 0x80 != 0 {
            // The cryptogram is as long as the MAC: 8 bytes each, or 16.
            self.level = Some((command.p1, command.data.len() / 2));
        }
        let layers = protected.then(|| self.layers(&inside));
        let (plain, shown) = match inside {
            Inside::Open(inside) => (true, inside),
            _ => (self.is_plain(&command), self.without_mac(&command)),
        };
        let (mut words, items) = words::command(&shown, plain, &mut self.groupings);
        if protected {
            words += ", protected";
        }
        if command.ins != 0xC0 {
            self.last = Some(shown);
        }
        Side { secure_messaging: layers, items, ..self.side(name, header, words, command.data.len()) }
    }

    /// Whether the data can be read without keys.
    fn is_plain(&self, command: &Command) -> bool {
        command.cla & 0x04 == 0 || self.level.is_some_and(|(level, _)| level & 0x02 == 0)
    }

    fn without_mac(&self, command: &Command) -> Command {
        let mac = if command.cla & 0x04 != 0 { self.level.map_or(0, |(_, mac)| mac) } else { 0 };
        let data = command.data.get(..command.data.len().saturating_sub(mac)).unwrap_or_default();
        Command { data: data.to_vec(), ..command.clone() }
    }

    /// The layers of secure messaging on a protected command, and what became of looking into them.
    fn layers(&self, inside: &Inside<Command>) -> String {
        let (level, mac) = self.level.unwrap_or_default();
        let enciphered = if level & 0x02 != 0 { "data enciphered, " } else { "" };
        let found = match (inside, self.insight.keys()) {
            (Inside::Open(_), Some(keys)) => format!("; checked with {keys}"),
            (Inside::Wrong(why), _) => format!("; DOES NOT CHECK: {why}"),
            _ => String::new(),
        };
        format!("secure messaging: {enciphered}MAC of {mac} bytes{found}")
    }

    fn answer(&mut self, bytes: &[u8], micros: u64) -> Side {
        let header = format!("{micros} µs");
        let Ok(answer) = Response::parse(bytes) else {
            let words = format!("{} bytes that are no answer", bytes.len());
            return self.side(String::new(), header, words, bytes.len());
        };
        let (level, mac) = self.level.unwrap_or_default();
        let in_channel = level & 0x10 != 0 && self.last.as_ref().is_some_and(|last| last.ins != 0x82);
        let inside = self.insight.answer(&answer);
        let layers = (in_channel && answer.data.len() >= mac && mac > 0).then(|| {
            let enciphered = if level & 0x20 != 0 { "data enciphered, " } else { "" };
            let found = match &inside {
                Inside::Open(_) => "; checked".to_owned(),
                Inside::Wrong(why) => format!("; DOES NOT CHECK: {why}"),
                _ => String::new(),
            };
            format!("secure messaging: {enciphered}MAC of {mac} bytes{found}")
        });
        let data = match &inside {
            Inside::Open(inside) => Some(inside.data.as_slice()),
            _ if !in_channel => Some(answer.data.as_slice()),
            _ if level & 0x20 == 0 => answer.data.get(..answer.data.len().saturating_sub(mac)),
            _ => None,
        };
        let items = match (data, &self.last) {
            (Some(data), Some(last)) => words::answer(last, data),
            _ => Vec::new(),
        };
        let ins = self.last.as_ref().map(|last| last.ins);
        let words = meaning(ins, answer.sw).to_owned();
        Side { secure_messaging: layers, items, ..self.side(answer.sw.to_string(), header, words, answer.data.len()) }
    }

    fn side(&self, name: String, header: String, words: String, length: usize) -> Side {
        Side { exchange: self.exchange, name, header, words, length, secure_messaging: None, items: Vec::new() }
    }
}
