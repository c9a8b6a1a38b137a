//! The data of INSTALL and DELETE. // GPC 2.3.1 §11.2, §11.5

use super::card_data::privileges;
use super::item::{Item, tlv};

/// The names of the fields of INSTALL's data, by P1.
fn fields(p1: u8) -> [&'static str; 6] {
    match p1 & 0x7E {
        0x02 => ["Load file AID", "Security domain AID", "Load file hash", "Load parameters", "Load token", ""],
        0x10 => ["Security domain AID", "(empty)", "Application AID", "(empty)", "(empty)", "Extradition token"],
        0x20 => ["(empty)", "(empty)", "Application AID", "(empty)", "(empty)", "(empty)"],
        0x40 => ["Security domain AID", "(empty)", "Application AID", "Privileges", "Parameters", "Token"],
        _ => ["Load file AID", "Module AID", "Application AID", "Privileges", "Install parameters", "Install token"],
    }
}

/// What INSTALL is for. // GPC 2.3.1 §11.5.2.1
pub(super) fn purpose(p1: u8) -> String {
    let bits = [
        (0x02, "load"),
        (0x04, "install"),
        (0x08, "make selectable"),
        (0x10, "extradition"),
        (0x20, "personalization"),
        (0x40, "registry update"),
    ];
    let named: Vec<&str> = bits.iter().filter(|(bit, _)| p1 & bit != 0).map(|(_, name)| *name).collect();
    if named.is_empty() { format!("P1 {p1:02X}") } else { format!("for {}", named.join(" and ")) }
}

/// Length and value, six times or until the data ends.
pub(super) fn install(p1: u8, data: &[u8]) -> Vec<Item> {
    let mut out = Vec::new();
    let mut rest = data;
    for name in fields(p1) {
        let Some((length, after)) = rest.split_first() else { break };
        let (length, after) = match (length, after) {
            (0x81, [long, after @ ..]) => (usize::from(*long), after),
            _ => (usize::from(*length), after),
        };
        let Some((value, after)) = after.split_at_checked(length) else {
            out.push(Item::hidden("a field that is cut", rest.len()));
            break;
        };
        rest = after;
        out.extend(field(name, value));
    }
    out
}

fn field(name: &'static str, value: &[u8]) -> Option<Item> {
    match (name, value) {
        (_, []) => None,
        ("Privileges", value) => Some(Item::new(name, privileges(value))),
        (name, value) if name.ends_with("AID") => Some(Item::hex(name, value)),
        // Application parameters are the application's own and may hold anything: C9 is told by its length.
        (name, value) if name.ends_with("arameters") => {
            let items = tlv(value).unwrap_or_default().into_iter().map(hide_c9).collect();
            Some(Item { length: Some(value.len()), ..Item::group(name, items) })
        }
        (name, value) => Some(Item::hidden(name, value.len())),
    }
}

fn hide_c9(item: Item) -> Item {
    if item.tag.as_deref() == Some("C9") { Item { value: None, ..item } } else { item }
}
