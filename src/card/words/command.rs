//! A command in words: its parameters, and what it carries.

use super::card_data::{life_cycle, scope};
use super::grouping::Groupings;
use super::install::{install, purpose};
use super::item::{Item, tlv};
use crate::card::apdu::Command;

/// The parameters of a command in a few words, and the items of its data. `plain`: the data is in the clear, and
/// without a MAC behind it.
pub fn command(command: &Command, plain: bool, groupings: &mut Groupings) -> (String, Vec<Item>) {
    let Command { p1, p2, .. } = *command;
    let data = if plain { command.data.as_slice() } else { &[] };
    let gp = command.cla & 0x80 != 0;
    match command.ins {
        0xA4 => select(command, data),
        0x50 if gp => {
            let version = if p1 == 0 { " (the card's first)" } else { "" };
            (format!("key version {p1:02X}{version}, host challenge {}", hex::encode_upper(data)), Vec::new())
        }
        0x82 => (format!("security level {p1:02X}: {}", level(p1)), Vec::new()),
        0xE2 if gp => store_data(p1, p2, data, plain, groupings),
        0xE6 if gp => (purpose(p1), if plain { install(p1, data) } else { Vec::new() }),
        0xE8 if gp => (format!("block {p2:02X}{}", if p1 & 0x80 != 0 { ", last" } else { "" }), hidden(data)),
        0xE4 if gp => {
            let related = if p2 & 0x80 != 0 { "an object and what belongs to it" } else { "an object" };
            (related.into(), tlv(data).unwrap_or_default())
        }
        0xD8 if gp => (put_key(p1, p2), hidden(data)),
        0xF0 if gp => {
            let aid = if data.is_empty() { Vec::new() } else { vec![Item::hex("AID", data)] };
            (format!("{}, new state {p2:02X} {}", scope(p1), life_cycle(p1, p2)), aid)
        }
        0xF2 if gp => {
            let form = if p2 & 0x02 != 0 { "as TLV" } else { "in the old form" };
            let next = if p2 & 0x01 != 0 { ", next" } else { "" };
            (format!("{}{next}, {form}", scope(p1)), tlv(data).unwrap_or_default())
        }
        // PC/SC part 3 §3.2.2.1.3: the reader answers.
        0xCA if command.cla == 0xFF && (p1, p2) == (0, 0) => ("UID of a contactless card".into(), hidden(data)),
        0xCA if command.cla == 0xFF && (p1, p2) == (1, 0) => ("historical bytes".into(), hidden(data)),
        0xCA => (format!("tag {}", hex::encode_upper(if p1 == 0 { vec![p2] } else { vec![p1, p2] })), hidden(data)),
        0xB2 => (format!("SFI {} record {p1}", p2 >> 3), Vec::new()),
        0xA8 if gp => ("what the card asked for in its PDOL".into(), hidden(data)),
        0xAE if gp => (cryptogram(p1).into(), hidden(data)),
        0x20 => (format!("{} PIN; never shown", if p2 == 0x88 { "enciphered" } else { "plaintext" }), hidden(data)),
        0x24 | 0x2C => ("a PIN may be in it; never shown".into(), hidden(data)),
        0xC0 => ("the rest of an answer".into(), Vec::new()),
        0x7A => (format!("level {p1:02X}"), hidden(data)),
        _ => (format!("P1 {p1:02X} P2 {p2:02X}"), hidden(data)),
    }
}

fn hidden(data: &[u8]) -> Vec<Item> {
    if data.is_empty() { Vec::new() } else { vec![Item::hidden("data", data.len())] }
}

fn select(command: &Command, data: &[u8]) -> (String, Vec<Item>) {
    let next = if command.p2 & 0x03 == 0x02 { "next of " } else { "" };
    let words = match (command.p1, data) {
        (_, []) => "the default application".to_owned(),
        (0x04, data) => match std::str::from_utf8(data) {
            Ok(name) if name.ends_with("SYS.DDF01") => format!("{next}{name}"),
            _ => format!("{next}AID {}", hex::encode_upper(data)),
        },
        (p1, _) => format!("P1 {p1:02X} P2 {:02X}", command.p2),
    };
    (words, Vec::new())
}

/// A security level. // GPC 2.3.1 §E.1.5, GPC-D §7.1.2.1
fn level(p1: u8) -> &'static str {
    match p1 {
        0x00 => "authentication only",
        0x01 => "MAC on commands",
        0x03 => "commands enciphered and with a MAC",
        0x10 => "MAC on answers",
        0x11 => "MAC on commands and answers",
        0x13 => "commands enciphered, MAC on commands and answers",
        0x33 => "commands and answers enciphered and with a MAC",
        _ => "RFU",
    }
}

/// P1 of STORE DATA. // GPC 2.3.1 §11.11.2.1
fn store_data(p1: u8, p2: u8, data: &[u8], plain: bool, groupings: &mut Groupings) -> (String, Vec<Item>) {
    let last = if p1 & 0x80 != 0 { ", last" } else { "" };
    let form = match p1 & 0x60 {
        0x60 => "values enciphered",
        0x20 => "application dependent",
        _ => "values clear",
    };
    let items = match (plain, p1 & 0x18) {
        (false, _) => Vec::new(),
        // b5 b4 = 10: BER-TLV in the place of groupings.
        (true, 0x10) => tlv(data).unwrap_or_else(|| hidden(data)),
        _ => groupings.walk(data, p1 & 0x60 == 0x60),
    };
    if p1 & 0x80 != 0 {
        *groupings = Groupings::default();
    }
    (format!("block {p2:02X}, {form}{last}"), items)
}

/// P1 and P2 of PUT KEY; the data is keys. // GPC 2.3.1 §11.8.2
fn put_key(p1: u8, p2: u8) -> String {
    let version = match p1 & 0x7F {
        0 => "a new key version".to_owned(),
        version => format!("in the place of key version {version:02X}"),
    };
    let several = if p2 & 0x80 != 0 { "keys from" } else { "key" };
    let more = if p1 & 0x80 != 0 { ", more follow" } else { "" };
    format!("{version}, {several} {:02X}{more}", p2 & 0x7F)
}

/// P1 of GENERATE AC. // EMV B3 §6.5.5.2
fn cryptogram(p1: u8) -> &'static str {
    match p1 & 0xC0 {
        0x00 => "AAC: decline",
        0x40 => "TC: approve offline",
        0x80 => "ARQC: go online",
        _ => "an RFU cryptogram type",
    }
}
