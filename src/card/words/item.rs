//! A named piece of data, and BER-TLV as a tree of them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::emv::{Format, Pan, TagInfo, tag_info};

/// Longest value that is shown whole, in bytes. No certificate is: a PAN can be recovered from one.
const LONGEST: usize = 40;

/// A named piece of data.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Item {
    /// Its tag, grouping number or position; absent where the name says all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What it is called.
    pub name: String,
    /// Its length in bytes; absent where it is no bytes of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Its value, as far as it may be shown: hexadecimal, text, or words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
}

impl Item {
    /// A name and a value in words.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { tag: None, name: name.into(), length: None, value: Some(value.into()), items: Vec::new() }
    }

    /// Bytes that are told by name and length only.
    pub fn hidden(name: impl Into<String>, length: usize) -> Self {
        Self { tag: None, name: name.into(), length: Some(length), value: None, items: Vec::new() }
    }

    /// Bytes that anybody may see, in hexadecimal.
    pub fn hex(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { length: Some(bytes.len()), ..Self::new(name, shortened(bytes)) }
    }

    /// A name above other items.
    pub fn group(name: impl Into<String>, items: Vec<Item>) -> Self {
        Self { tag: None, name: name.into(), length: None, value: None, items }
    }

    /// The same with a tag.
    #[must_use]
    pub fn tagged(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Lines for people, indented by two blanks for every level.
    pub fn lines(&self) -> Vec<String> {
        let tag = self.tag.as_ref().map(|tag| format!("{tag} ")).unwrap_or_default();
        let length = self.length.map(|length| format!(" [{length}]")).unwrap_or_default();
        let value = self.value.as_ref().map(|value| format!(": {value}")).unwrap_or_default();
        let own = format!("{tag}{}{length}{value}", self.name);
        let inner = self.items.iter().flat_map(Item::lines).map(|line| format!("  {line}"));
        std::iter::once(own).chain(inner).collect()
    }
}

/// BER-TLV as items; none where the bytes are not whole objects, or none at all.
pub fn tlv(data: &[u8]) -> Option<Vec<Item>> {
    tlv::parse(data).ok().filter(|all| !all.is_empty()).map(|all| all.iter().map(object).collect())
}

/// One object. A value is shown only where its tag is known and its value harmless.
pub(super) fn object(object: &Tlv) -> Item {
    if object.tag == Tag::of(0x67) {
        return capability(object);
    }
    let tag = object.tag.to_string();
    let length = object.value_bytes().len();
    let info = tag_info(object.tag);
    let name = info.map(|info| info.name).or_else(|| gp_name(object.tag)).unwrap_or("unknown tag");
    if object.tag.is_constructed() {
        let mut items: Vec<Item> = object.children().iter().map(self::object).collect();
        if object.tag == Tag::of(0xA5) && object.children().iter().any(|child| child.tag == Tag::of(0x73)) {
            items.iter_mut().for_each(of_a_domain);
        }
        // A domain without card recognition data is known by its AID.
        let named = tlv::find(object.children(), Tag::of(0x84)).map(Tlv::value_bytes);
        if object.tag == Tag::of(0x6F) && named.is_some_and(|name| DOMAINS.iter().any(|aid| name.starts_with(aid))) {
            items.iter_mut().flat_map(|item| &mut item.items).for_each(of_a_domain);
        }
        return Item { length: Some(length), ..Item::group(name, items) }.tagged(tag);
    }
    let value = match info {
        _ if length == 0 => None,
        Some(info) => shown(info, &object.value_bytes()),
        None => gp_name(object.tag).map(|_| shortened(&object.value_bytes())),
    };
    Item { value, ..Item::hidden(name, length) }.tagged(tag)
}

/// Card capability information: its tags are numbered anew, and are not those of EMV. // GPC 2.3.1 §H.4
fn capability(object: &Tlv) -> Item {
    let length = object.value_bytes().len();
    let name = gp_name(object.tag).unwrap_or("Card capability information");
    let items = object.children().iter().map(|child| within(child, &CAPABILITY)).collect();
    Item { length: Some(length), ..Item::group(name, items) }.tagged(object.tag.to_string())
}

/// Tags in the card capability information, then those in its A0.
const CAPABILITY: [&[(u32, &str)]; 2] = [
    &[
        (0xA0, "Secure channel protocol"),
        (0x81, "Privileges for security domains"),
        (0x82, "Privileges for applications"),
        (0x83, "Hash algorithms of load files"),
        (0x84, "Ciphers of load files"),
        (0x85, "Ciphers for tokens"),
        (0x86, "Ciphers for receipts"),
        (0x87, "Ciphers for DAPs"),
        (0x88, "Key parameters"),
    ],
    &[
        (0x80, "SCP"),
        (0x81, "Values of i"),
        (0x82, "Key lengths"),
        (0x83, "TLS cipher suites"),
        (0x84, "Longest pre-shared key"),
    ],
];

/// An object by the names of its template, the objects in it by those of the next one.
fn within(object: &Tlv, names: &[&[(u32, &'static str)]]) -> Item {
    let (own, below) = names.split_first().map_or((&[][..], names), |(own, below)| (*own, below));
    let found = own.iter().find(|(tag, _)| object.tag == Tag::of(*tag));
    let name = found.map_or("unknown tag", |(_, name)| name);
    let value = object.value_bytes();
    let item = match object.tag.is_constructed() {
        true => {
            let items = object.children().iter().map(|child| within(child, below)).collect();
            Item { length: Some(value.len()), ..Item::group(name, items) }
        }
        false if found.is_some() && !value.is_empty() => Item::hex(name, &value),
        false => Item::hidden(name, value.len()),
    };
    item.tagged(object.tag.to_string())
}

/// Beginnings of AIDs of issuer security domains. // GPC 2.3.1 §H.6, Visa OpenPlatform
const DOMAINS: [&[u8]; 2] = [&[0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00], &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00]];

/// Two tags mean something else in the FCI of a security domain than in EMV. // GPC 2.3.1 §11.9.3.1
fn of_a_domain(item: &mut Item) {
    match item.tag.as_deref() {
        Some("9F65") => item.name = "Maximum length of command data".into(),
        Some("9F6E") => item.name = "Application production life cycle data".into(),
        _ => {}
    }
}

fn shown(info: &TagInfo, value: &[u8]) -> Option<String> {
    if info.tag == Tag::of(0x5A) {
        return Pan::from_cn(value).ok().map(|pan| pan.to_string());
    }
    if info.sensitive {
        return None;
    }
    let printable = |text: &&str| !text.is_empty() && text.chars().all(|c| !c.is_control());
    match (info.format, std::str::from_utf8(value).ok().filter(printable)) {
        (Format::An | Format::Ans, Some(text)) if value.len() <= LONGEST => Some(format!("{text:?}")),
        _ => Some(shortened(value)),
    }
}

/// Hexadecimal; of a long value the first bytes only.
pub(super) fn shortened(value: &[u8]) -> String {
    match value.get(..8) {
        Some(head) if value.len() > LONGEST => format!("{}…", hex::encode_upper(head)),
        _ => hex::encode_upper(value),
    }
}

/// Names of tags that GlobalPlatform gives. // GPC 2.3.1 §11.3, §11.4.3, annex H
fn gp_name(tag: Tag) -> Option<&'static str> {
    Some(match tag.number() {
        0x06 => "Object identifier",
        0x42 => "Issuer identification number",
        0x45 => "Card image number",
        0x5C => "Tag list",
        0x60 => "Card management type and version",
        0x63 => "Card identification scheme",
        0x64 => "Secure channel protocol and options",
        0x65 => "Card configuration details",
        0x66 => "Card data, or card details",
        0x67 => "Card capability information",
        0x9F70 => "Life cycle state",
        0x9F7F => "Card production life cycle data (CPLC)",
        0xC0 => "Key information data",
        0xC1 => "Sequence counter of the default key version",
        0xC2 => "Confirmation counter",
        0xC4 => "Application's executable load file AID",
        0xC5 => "Privileges",
        0xC6 => "Non-volatile code minimum memory",
        0xC7 => "Volatile memory quota",
        0xC8 => "Non-volatile memory quota",
        0xC9 => "Application specific parameters",
        0xCC => "Associated security domain's AID",
        0xCE => "Executable load file version number",
        0xCF => "Key diversification data, or implicit selection parameter",
        0xD0 => "Key identifier",
        0xD2 => "Key version number",
        0xE0 => "Key information template",
        0xE3 => "GlobalPlatform registry related data",
        0xEA => "TS 102 226 specific parameters",
        0xEF => "System specific parameters",
        0xFF21 => "Extended card resources information",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(data: &str) -> String {
        let items = tlv(&hex::decode(data).unwrap_or_default()).unwrap_or_default();
        items.iter().flat_map(Item::lines).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_may_be_a_customers_is_told_by_name_and_length() {
        let record = lines("70295A0847617390010101195F200954455354204E414D4557114761739001010119D3012201100000006F");
        assert_eq!(
            record,
            "70 Record template [41]\n  5A Application PAN [8]: 476173******0119\n  5F20 Cardholder name [9]\n  \
             57 Track 2 equivalent data [17]"
        );
        // A tag that nobody knows may hold anything.
        assert_eq!(lines("DF01084761739001010119"), "DF01 unknown tag [8]");
        assert_eq!(
            lines("50045445535482021800"),
            "50 Application label [4]: \"TEST\"\n82 Application interchange profile [2]: 1800"
        );
    }

    #[test]
    fn no_certificate_is_shown_whole() {
        assert_eq!(
            lines(&format!("9030{}", "AB".repeat(48))),
            "90 Issuer public key certificate [48]: ABABABABABABABAB…"
        );
        // The PAN can be recovered from these.
        for (tag, name) in [("9F46", "ICC public key certificate"), ("93", "Signed static application data")] {
            assert_eq!(lines(&format!("{tag}30{}", "AB".repeat(48))), format!("{tag} {name} [48]"));
        }
    }
}
