//! An answer in words, by the command that it answers.

use super::card_data;
use super::item::{Item, shortened, tlv};
use crate::card::apdu::Command;
use crate::card::channel::{Answered, Handshake};

/// The items of an answer's data, which is in the clear and without a MAC behind it.
pub fn answer(command: &Command, data: &[u8]) -> Vec<Item> {
    if data.is_empty() {
        return Vec::new();
    }
    let hidden = || vec![Item::hidden("data", data.len())];
    let tag = u16::from_be_bytes([command.p1, command.p2]);
    match command.ins {
        0x50 => handshake(command, data).unwrap_or_else(hidden),
        // A challenge of the card is random and no secret.
        0x84 => vec![Item::hex("challenge", data)],
        // PC/SC part 3 §3.2.2.1.3: a reader's answer, without tags.
        0xCA if command.cla == 0xFF && tag == 0x0000 => vec![Item::hex("UID", data)],
        0xCA if command.cla == 0xFF && tag == 0x0100 => vec![Item::hex("historical bytes", data)],
        0xCA => {
            let parts = card_data::object(tag, data);
            let raw = matches!(tag, 0x9F7F | 0x0066 | 0x00CF | 0x00C1 | 0x00C2).then(|| vec![Item::hex("value", data)]);
            parts.or_else(|| tlv(data)).or(raw).unwrap_or_else(hidden)
        }
        0xF2 if command.p2 & 0x02 == 0 => old_status(command.p1, data).unwrap_or_else(hidden),
        0xF2 => {
            tlv(data).map(|all| all.into_iter().map(|item| registry(command.p1, item)).collect()).unwrap_or_else(hidden)
        }
        0xA4 | 0xB2 | 0xA8 | 0xAE | 0xC0 => {
            tlv(data).map(|all| all.into_iter().map(format_1).collect()).unwrap_or_else(hidden)
        }
        // Keys' check values, receipts.
        0xD8 => vec![Item::hex("key version and check values", data)],
        _ => hidden(),
    }
}

/// Key diversification data, key version and protocol. // GPC 2.3.1 §E.5.1, GPC-D §7.1.1
fn handshake(command: &Command, data: &[u8]) -> Option<Vec<Item>> {
    let read = Handshake::of(command.p1, command.data.clone(), data).ok()?;
    let mut out = vec![
        Item::new("key data", hex::encode_upper(read.kdd)),
        Item::new("key version", format!("{:02X}", read.key_version)),
        Item::new("protocol", read.protocol.to_string()),
    ];
    if !read.sequence.is_empty() {
        out.push(Item::new("sequence counter", hex::encode_upper(&read.sequence)));
    }
    if read.protocol == Answered::Scp02 {
        out.push(Item::new("i", "not in the answer of SCP02; the card data (66) may have it"));
    }
    out.push(Item::new("card challenge", hex::encode_upper(&read.challenge)));
    out.push(Item::new("card cryptogram", hex::encode_upper(&read.cryptogram)));
    Some(out)
}

/// Response template format 1 has no tags inside: AIP and AFL, or the parts of a cryptogram. // EMV B3 §6.5.8.4
fn format_1(item: Item) -> Item {
    if item.tag.as_deref() == Some("80") { Item { value: None, ..item } } else { item }
}

/// Life cycle and privileges of an entry in words. // GPC 2.3.1 §11.4.3.1
fn registry(scope: u8, mut item: Item) -> Item {
    for inner in &mut item.items {
        let Some(bytes) = inner.value.as_ref().and_then(|value| hex::decode(value).ok()) else { continue };
        match (inner.tag.as_deref(), bytes.as_slice()) {
            (Some("9F70"), [state, ..]) => {
                inner.value = Some(format!("{} {}", hex::encode_upper(&bytes), card_data::life_cycle(scope, *state)));
            }
            (Some("C5"), _) => inner.value = Some(card_data::privileges(&bytes)),
            _ => {}
        }
    }
    item
}

/// AID, life cycle and privileges one after the other. // GPC 2.3.1 §11.4.3.1, the older form
fn old_status(scope: u8, data: &[u8]) -> Option<Vec<Item>> {
    let mut out = Vec::new();
    let mut rest = data;
    while let [length, after @ ..] = rest {
        let (aid, after) = after.split_at_checked(usize::from(*length))?;
        let [state, privileges, after @ ..] = after else { return None };
        let words = format!(
            "{state:02X} {}, privileges {}",
            card_data::life_cycle(scope, *state),
            card_data::privileges(&[*privileges])
        );
        out.push(Item::new(format!("AID {}", shortened(aid)), words));
        rest = if scope == 0x10 { return Some(out) } else { after };
    }
    Some(out)
}
