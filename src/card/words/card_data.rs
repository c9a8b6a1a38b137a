//! What a card tells of itself: CPLC, card data, key information, registry. // GPC 2.3.1 §11.3, §11.4, annex H

use super::item::Item;
use crate::card::gp::{CardData, Cplc, KeyInformation};

/// The parts of an object that GET DATA gives, beyond its TLV.
pub(super) fn object(tag: u16, data: &[u8]) -> Option<Vec<Item>> {
    match tag {
        0x9F7F => {
            let cplc = Cplc::parse(data).ok()?;
            Some(cplc.fields().map(|(name, value)| cplc_field(name, value)).collect())
        }
        0x0066 => CardData::parse(data).ok().map(|data| vec![Item::new("Secure channels", data.to_string())]),
        _ if tag & 0xFF == 0xE0 => {
            let keys = KeyInformation::parse(data).ok()?;
            Some(
                keys.keys()
                    .iter()
                    .map(|key| {
                        let parts =
                            key.components.iter().map(|(kind, length)| format!("{} of {length} bytes", key_type(kind)));
                        let parts = parts.collect::<Vec<_>>().join(", ");
                        Item::new(format!("Key {:02X}, version {:02X}", key.id, key.version), parts)
                    })
                    .collect(),
            )
        }
        _ => None,
    }
}

fn cplc_field(name: &str, value: &[u8]) -> Item {
    let hexadecimal = hex::encode_upper(value);
    // Y DDD: the last digit of the year and the day of it.
    let date = name.ends_with("date") && value.iter().any(|byte| *byte != 0);
    let words = match hexadecimal.split_at_checked(1) {
        Some((year, day)) if date && hexadecimal.len() == 4 => format!("{hexadecimal} (year …{year}, day {day})"),
        _ => hexadecimal,
    };
    Item::new(name.replace('_', " "), words)
}

/// The name of a key type. // GPC 2.3.1 §11.1.8
fn key_type(kind: &[u8]) -> &'static str {
    match kind.last() {
        Some(0x80) => "DES",
        Some(0x82) => "DES in CBC mode",
        Some(0x83) => "DES in ECB mode",
        Some(0x84) => "DES in CBC mode",
        Some(0x85) => "pre-shared key for TLS",
        Some(0x88) => "AES",
        Some(0x90 | 0x91) => "HMAC-SHA1",
        Some(0xA0) => "RSA public exponent",
        Some(0xA1) => "RSA modulus",
        Some(0xA2..=0xA8) => "RSA private key, a part of it",
        Some(0xB0) => "ECC public key",
        Some(0xB1) => "ECC private key",
        Some(0xF0) => "ECC parameters reference",
        _ => "key of a type that is not known",
    }
}

/// Privileges, one to three bytes. // GPC 2.3.1 §11.1.2
pub(super) fn privileges(value: &[u8]) -> String {
    const NAMES: [[&str; 8]; 3] = [
        [
            "security domain",
            "DAP verification",
            "delegated management",
            "card lock",
            "card terminate",
            "card reset",
            "CVM management",
            "mandated DAP verification",
        ],
        [
            "trusted path",
            "authorized management",
            "token verification",
            "global delete",
            "global lock",
            "global registry",
            "final application",
            "global service",
        ],
        [
            "receipt generation",
            "ciphered load file data block",
            "contactless activation",
            "contactless self-activation",
            "privacy trusted",
            "RFU",
            "RFU",
            "RFU",
        ],
    ];
    let set = value.iter().zip(NAMES).flat_map(|(byte, names)| {
        let bits = names.into_iter().enumerate();
        bits.filter(move |(bit, _)| byte & (0x80 >> bit) != 0).map(|(_, name)| name)
    });
    let set: Vec<&str> = set.collect();
    let words = if set.is_empty() { "none".to_owned() } else { set.join(", ") };
    format!("{} ({words})", hex::encode_upper(value))
}

/// A life cycle state. // GPC 2.3.1 §11.1.1
pub(super) fn life_cycle(scope: u8, state: u8) -> &'static str {
    match (scope, state) {
        (0x80, 0x01) => "OP_READY",
        (0x80, 0x07) => "INITIALIZED",
        (0x80, 0x0F) => "SECURED",
        (0x80, 0x7F) => "CARD_LOCKED",
        (0x80, 0xFF) => "TERMINATED",
        (0x10 | 0x20, 0x01) => "LOADED",
        (0x40, 0x03) => "INSTALLED",
        (0x40, 0x07) => "SELECTABLE",
        (0x40, 0x0F) => "PERSONALIZED, or a state of its own",
        (0x40, state) if state & 0x80 != 0 => "LOCKED",
        (0x40, state) if state & 0x07 == 0x07 => "a state of its own",
        _ => "an RFU state",
    }
}

/// Whose status GET STATUS and SET STATUS mean. // GPC 2.3.1 §11.4.2.1
pub(super) fn scope(p1: u8) -> &'static str {
    match p1 {
        0x80 => "the card",
        0x40 => "applications",
        0x60 => "a security domain and its applications",
        0x20 => "load files",
        0x10 => "load files and modules",
        _ => "scope unknown",
    }
}
