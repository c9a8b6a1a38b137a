//! Data groupings, across commands. // CPS 1.1 §4.3.4

use super::item::{Item, tlv};
use zeroize::Zeroizing;

/// Largest value that is kept until it is whole.
const MOST_KEPT: usize = 4096;

/// Where the walk through groupings stands between two commands.
#[derive(Default)]
pub struct Groupings {
    /// Header bytes of a grouping that is cut within its header.
    header: Vec<u8>,
    dgi: u16,
    length: usize,
    /// Value bytes that are still to come.
    rest: usize,
    value: Zeroizing<Vec<u8>>,
}

impl Groupings {
    /// Walks through the data of one STORE DATA. `enciphered`: the values are under the card's DEK, as P1 says.
    pub fn walk(&mut self, data: &[u8], enciphered: bool) -> Vec<Item> {
        let mut data = data;
        let mut out = Vec::new();
        loop {
            if self.rest > 0 {
                let goes_on = !self.value.is_empty() || self.rest < self.length;
                let here = self.take(&mut data);
                out.push(self.item(here, goes_on, enciphered));
            }
            let Some((first, tail)) = data.split_first() else { break };
            data = tail;
            self.header.push(*first);
            self.length = match self.header.as_slice() {
                [_, _, 0xFF, high, low] => usize::from(u16::from_be_bytes([*high, *low])),
                [_, _, short] if *short != 0xFF => usize::from(*short),
                _ => continue,
            };
            if let [high, low, ..] = *self.header.as_slice() {
                self.dgi = u16::from_be_bytes([high, low]);
            }
            self.header.clear();
            self.value = Zeroizing::default();
            self.rest = self.length;
            if self.rest == 0 || data.is_empty() {
                out.push(self.item(0, false, enciphered));
            }
        }
        if !self.header.is_empty() {
            out.push(Item::hidden("the header of the next grouping, cut", self.header.len()));
        }
        out
    }

    /// Whether no grouping is cut where the walk stands.
    pub fn is_whole(&self) -> bool {
        self.header.is_empty() && self.rest == 0
    }

    fn take(&mut self, data: &mut &[u8]) -> usize {
        let here = self.rest.min(data.len());
        let (taken, after) = data.split_at_checked(here).unwrap_or((data, &[]));
        if self.value.len() + here <= MOST_KEPT {
            self.value.extend_from_slice(taken);
        }
        *data = after;
        self.rest -= here;
        here
    }

    fn item(&self, here: usize, goes_on: bool, enciphered: bool) -> Item {
        let secret = enciphered || self.dgi >> 12 == 0x8;
        let whole = self.rest == 0 && self.value.len() == self.length;
        let items = if secret || !whole { None } else { tlv(&self.value) };
        let name = dgi_name(self.dgi);
        let value = match (here == self.length, goes_on) {
            (true, _) => secret.then(|| "secret".to_owned()),
            (false, false) => Some(format!("{here} of them here")),
            (false, true) => Some(format!("goes on with {here}")),
        };
        let item = Item { value, ..Item::hidden(name, self.length) };
        Item { items: items.unwrap_or_default(), ..item }.tagged(format!("DGI {:04X}", self.dgi))
    }
}

/// What a grouping is called where no profile says it. // CPS 1.1 annex A
pub fn dgi_name(dgi: u16) -> String {
    let [high, low] = dgi.to_be_bytes();
    let name = match (high, low) {
        (0x01..=0x1E, 0x01..) => return format!("record {low} of SFI {high}"),
        (0x00, 0x62) => "file creation",
        (0x00, 0xCF) => "key diversification data",
        (0x30, 0x00 | 0x01) => "internal data objects",
        (0x7F, 0x01) => "secure channel keys, attributes",
        (0x7F, 0xFF) => "final data",
        (0x80, 0x00) => "symmetric keys",
        (0x80, 0x01) => "symmetric keys, second set",
        (0x80, 0x10) => "offline PIN block",
        (0x81, 0x01) => "ICC private exponent",
        (0x81, 0x03) => "ICC modulus",
        (0x81, 0x02) => "PIN encipherment private exponent",
        (0x81, 0x04) => "PIN encipherment modulus",
        (0x82, 0x01) => "ICC key, q⁻¹ mod p",
        (0x82, 0x02) => "ICC key, d mod (q-1)",
        (0x82, 0x03) => "ICC key, d mod (p-1)",
        (0x82, 0x04) => "ICC key, q",
        (0x82, 0x05) => "ICC key, p",
        (0x83, 0x01..=0x05) => "PIN encipherment key, a part of it",
        (0x84, 0x01..=0x05) => "contactless ICC key, a part of it",
        (0x8F, 0x01) => "secure channel keys",
        (0x90, 0x00) => "check values of the symmetric keys",
        (0x90, 0x01) => "check values of the second set",
        (0x90, 0x10) => "PIN try counter and limit",
        (0x91, 0x02) => "answer to SELECT",
        (0x91, 0x03) => "answer to SELECT, other interface",
        (0x91, 0x04) => "answer to GET PROCESSING OPTIONS",
        (0x92, 0x00) => "issuer application data",
        (0x9F, 0x66) => "CPLC, personalization",
        (0x9F, 0x67) => "CPLC, pre-personalization",
        (0x80..=0x8F, _) => "secret data of the application",
        (0x90..=0x9F, _) => "control data of the application",
        _ => "data of the application",
    };
    name.to_owned()
}
