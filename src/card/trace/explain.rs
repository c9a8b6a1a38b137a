//! A trace in words, a line an exchange. Values are told by their tags and lengths only.

use std::collections::VecDeque;

use super::{Line, Trace};
use crate::base::codec::tlv;
use crate::card::apdu::{Command, Response, command_name, meaning};

impl Trace {
    /// Explains the trace: a line for every command, and an indented one for what came back.
    pub fn explain(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut number = 0;
        let mut channel = Channel::default();
        if self.is_bare() {
            out.push("      data was left out, since not every key was a test key; lengths cannot be told".into());
        }
        for line in self.lines() {
            match line {
                Line::Chance(bytes) => out.push(format!("      the host draws {} random bytes", bytes.len())),
                Line::Reset(atr) => {
                    channel = Channel::default();
                    out.push(format!("      reset, ATR {}", hex::encode_upper(atr)));
                }
                Line::Command(bytes) => {
                    number += 1;
                    out.push(format!("{number:>4}  {}", channel.command(bytes)));
                }
                Line::Answer(bytes, micros) => out.push(format!("      {}, {micros} µs", channel.answer(bytes))),
                Line::Lost(why) => out.push(format!("      the link broke: {why}")),
            }
        }
        out
    }
}

/// What is known from the exchanges before: it decides what can be read of a command.
#[derive(Default)]
struct Channel {
    /// Security level and MAC length of EXTERNAL AUTHENTICATE.
    level: Option<(u8, usize)>,
    groupings: Groupings,
    /// Instruction of the last command.
    ins: Option<u8>,
}

impl Channel {
    fn command(&mut self, bytes: &[u8]) -> String {
        let name = command_name(bytes);
        self.ins = bytes.get(1).copied();
        // A trace without data holds the header alone, which reads as a command without data.
        let Ok(command) = Command::parse(bytes) else { return format!("{} bytes that are no command", bytes.len()) };
        let protected = command.cla & 0x04 != 0;
        let detail = self.detail(&command, protected);
        if command.ins == 0xA4 {
            *self = Self { ins: self.ins, ..Self::default() };
        }
        if command.ins == 0x82 && command.cla & 0x80 != 0 {
            // The cryptogram is as long as the MAC: 8 bytes each, or 16.
            self.level = Some((command.p1, command.data.len() / 2));
        }
        let protection = if protected { ", protected" } else { "" };
        format!("{name} ({detail}{protection}), {} bytes of data", command.data.len())
    }

    fn detail(&mut self, command: &Command, protected: bool) -> String {
        let Command { p1, p2, .. } = *command;
        match command.ins {
            0xA4 if command.data.is_empty() => "the default application".into(),
            0xA4 => {
                let next = if p2 == 0x02 { "next of " } else { "" };
                format!("{next}AID {}", hex::encode_upper(&command.data))
            }
            0x50 => format!("key version {p1:02X}, host challenge {}", hex::encode_upper(&command.data)),
            0x82 => format!("security level {p1:02X}"),
            0xE2 => self.store_data(command, protected),
            0xE6 if p1 == 0x20 => "for personalization".into(),
            0xB2 => format!("SFI {} record {p1}", p2 >> 3),
            0xCA => format!("tag {}", hex::encode_upper(if p1 == 0 { vec![p2] } else { vec![p1, p2] })),
            0xF0 => format!("{}, new state {p2:02X}", scope(p1)),
            0xF2 => format!("{}{}", scope(p1), if p2 & 0x01 != 0 { ", next" } else { "" }),
            0x20 => format!("{} PIN", if p2 == 0x88 { "enciphered" } else { "plaintext" }),
            _ => format!("P1 {p1:02X} P2 {p2:02X}"),
        }
    }

    fn store_data(&mut self, command: &Command, protected: bool) -> String {
        let Command { p1, p2, .. } = *command;
        let last = if p1 & 0x80 != 0 { ", last" } else { "" };
        let form = match p1 & 0x60 {
            0x60 => "values enciphered",
            0x20 => "application dependent",
            _ => "values clear",
        };
        let (level, mac) = self.level.unwrap_or_default();
        let listed = match command.data.len().checked_sub(if protected { mac } else { 0 }) {
            _ if protected && level & 0x02 != 0 => String::new(),
            // b5 b4 = 10: BER-TLV in the place of groupings. // GPC 2.3.1 §11.11.2.1
            _ if p1 & 0x18 == 0x10 => String::new(),
            Some(length) => self.groupings.walk(command.data.get(..length).unwrap_or_default()),
            None => String::new(),
        };
        if p1 & 0x80 != 0 {
            self.groupings = Groupings::default();
        }
        format!("block {p2:02X}, {form}{last}{listed}")
    }

    fn answer(&self, bytes: &[u8]) -> String {
        let Ok(answer) = Response::parse(bytes) else { return format!("{} bytes that are no answer", bytes.len()) };
        let shape = match self.ins {
            Some(0x50) => greeting(&answer.data),
            // Shape only: tags and lengths. An answer with an R-MAC is no BER-TLV and is told by its length.
            Some(0xA4 | 0xA8 | 0xB2 | 0xCA | 0xF2) if self.level.is_none_or(|(level, _)| level & 0x30 == 0) => {
                tlv::parse(&answer.data).ok().filter(|all| !all.is_empty()).map(|all| format!(": {all:?}"))
            }
            _ => None,
        };
        let shape = shape.unwrap_or_default();
        format!("{} ({}), {} bytes of data{shape}", answer.sw, meaning(self.ins, answer.sw), answer.data.len())
    }
}

fn scope(p1: u8) -> &'static str {
    match p1 {
        0x80 => "the card",
        0x40 => "applications",
        0x20 => "load files",
        0x10 => "load files and modules",
        _ => "scope unknown",
    }
}

/// Key diversification data, key version and protocol. // GPC 2.3.1 §E.5.1, GPC-D §7.1.1
fn greeting(data: &[u8]) -> Option<String> {
    let (kdd, rest) = data.split_first_chunk::<10>()?;
    let (&[kvn, scp], _) = rest.split_first_chunk::<2>()?;
    Some(format!(": key data {}, key version {kvn:02X}, SCP{scp:02X}", hex::encode_upper(kdd)))
}

/// Data groupings across commands. // CPS 1.1 §4.3.4
#[derive(Default)]
struct Groupings {
    /// Header bytes of a grouping that is cut within its header.
    header: Vec<u8>,
    dgi: u16,
    length: usize,
    /// Value bytes that are still to come.
    rest: usize,
}

impl Groupings {
    fn walk(&mut self, data: &[u8]) -> String {
        let mut data: VecDeque<u8> = data.iter().copied().collect();
        let mut out = String::new();
        while !data.is_empty() {
            if self.rest > 0 {
                let here = self.take(&mut data);
                out += &format!("; DGI {:04X} goes on with {here} of {} bytes", self.dgi, self.length);
                continue;
            }
            self.header.extend(data.pop_front());
            let length = match self.header.as_slice() {
                [_, _, 0xFF, high, low] => usize::from(u16::from_be_bytes([*high, *low])),
                [_, _, short] if *short != 0xFF => usize::from(*short),
                _ => continue,
            };
            if let [high, low, ..] = *self.header.as_slice() {
                self.dgi = u16::from_be_bytes([high, low]);
            }
            self.header.clear();
            (self.length, self.rest) = (length, length);
            let here = self.take(&mut data);
            out += &format!("; DGI {:04X} of {length} bytes", self.dgi);
            if here < length {
                out += &format!(", {here} of them here");
            }
        }
        if !self.header.is_empty() {
            out += &format!("; {} bytes of the next header", self.header.len());
        }
        out
    }

    fn take(&mut self, data: &mut VecDeque<u8>) -> usize {
        let here = self.rest.min(data.len());
        data.drain(..here);
        self.rest -= here;
        here
    }
}
