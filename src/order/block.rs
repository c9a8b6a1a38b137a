//! Prepared TLV blocks: chip data that someone else has prepared. Carried, not opened: MAC and encipherment are checked
//! where the keys are. // D1 tlvBlock

use super::Site;
use super::context::Context;
use super::file::BlockFile;
use super::problem::Findings;
use crate::base::Secret;
use crate::keys::Purpose;

/// Most bytes of a block's data: 20,000 digits. // D1 tlvBlock.tlvData
const MAX_DATA: usize = 10_000;
/// Length of a single DES key in bytes.
const DES: usize = 8;
const SINGLE_DES: &str = "the MAC key has 8 bytes, which is single DES; ask for one of 16 bytes (sites may refuse it: refuse_single_des_macs)";

/// A prepared block. What the MAC covers, and whether the data is enciphered, is the profile's word.
pub struct TlvBlock {
    aid: Option<Vec<u8>>,
    kek: String,
    key: Option<String>,
    mac_key: Secret<Vec<u8>>,
    data: Secret<Vec<u8>>,
    mac: [u8; 4],
}

/// How a block's MAC is made: it goes by the length of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockMac {
    /// Single DES CBC: a key of 8 bytes.
    SingleDes,
    /// ISO 9797-1 algorithm 3: a key of 16 bytes.
    Retail,
}

impl TlvBlock {
    pub(super) fn read(
        file: &BlockFile,
        path: &dyn Fn(&str) -> String,
        context: &Context,
        found: &mut Findings,
    ) -> Option<Self> {
        let before = found.problems.len();
        let aid = file.aid.as_ref().map(|text| hex::decode(text).unwrap_or_default());
        if aid.as_ref().is_some_and(|aid| !(5..=16).contains(&aid.len())) {
            found.format(path("aid"), "an AID has 5 to 16 bytes in hexadecimal");
        }
        // What they count and start is not published: they have their form, and nothing is done with them.
        let start_code = file.start_code.as_ref().map(|text| hex::decode(text).unwrap_or_default());
        if start_code.as_ref().is_some_and(|code| !(2..=32).contains(&code.len())) {
            found.format(path("start_code"), "it is not 2 to 32 bytes in hexadecimal");
        }
        let size = file.size.as_deref().map(|text| number(text, 3));
        if matches!(size, Some(None | Some(0))) {
            found.format(path("size"), "it is not a size in one to three digits");
        }
        // The published pattern takes an odd number of digits, and lengths that no key has.
        let mac_key = Secret::from_hex(&file.mac_key).unwrap_or_else(|| Secret::new(Vec::new()));
        if !matches!(mac_key.len(), 8 | 16) {
            found.format(path("mac_key"), "a MAC key has 8 or 16 bytes in hexadecimal");
        }
        let single = mac_key.len() == DES;
        if single && context.site.is_some_and(Site::refuses_single_des_macs) {
            found
                .value(path("mac_key"), "this site takes no MAC keys of 8 bytes (single DES); ask for one of 16 bytes");
        }
        let data = Secret::from_hex(&file.data).unwrap_or_else(|| Secret::new(Vec::new()));
        if !(3..=MAX_DATA).contains(&data.len()) {
            found.format(path("data"), format!("it is not 3 to {MAX_DATA} whole bytes in hexadecimal"));
        }
        match file.length.as_deref().map(|text| number(text, 4)) {
            None => {}
            Some(None) => found.format(path("length"), "it is not a length in one to four digits"),
            Some(Some(length)) if length as usize != data.len() && !data.is_empty() => {
                found.value(path("length"), format!("it states {length} bytes, and {} are there", data.len()));
            }
            Some(Some(_)) => {}
        }
        let mac = hex::decode(&file.mac).ok().and_then(|mac| <[u8; 4]>::try_from(mac).ok());
        if mac.is_none() {
            found.format(path("mac"), "it is not four bytes in hexadecimal");
        }
        let key = key(file, path, context, found);
        if found.problems.len() > before {
            return None;
        }
        if single {
            found.warn(path("mac_key"), SINGLE_DES);
        }
        Some(Self { aid, kek: file.kek.clone(), key, mac_key, data, mac: mac? })
    }

    /// AID of the application that it is for, where it names one.
    pub fn aid(&self) -> Option<&[u8]> {
        self.aid.as_deref()
    }

    /// The key encryption key's id in the order.
    pub fn kek(&self) -> &str {
        &self.kek
    }

    /// Its name in the key store, where a site was given.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The MAC key under it.
    pub fn mac_key(&self) -> &Secret<Vec<u8>> {
        &self.mac_key
    }

    /// How the MAC is made.
    pub fn mac_method(&self) -> BlockMac {
        if self.mac_key.len() == 8 { BlockMac::SingleDes } else { BlockMac::Retail }
    }

    /// The data as it arrived, enciphered or not.
    pub fn data(&self) -> &Secret<Vec<u8>> {
        &self.data
    }

    /// The leftmost four bytes of the MAC. The data must not be used before it was checked.
    pub fn mac(&self) -> [u8; 4] {
        self.mac
    }

    pub(super) fn walk(&self, at: usize, say: &mut dyn FnMut(&str, &str)) {
        let mut say = |name: &str, value: &str| say(&format!("block {} {name}", at + 1), value);
        self.aid.iter().for_each(|aid| say("aid", &hex::encode_upper(aid)));
        say("kek", &self.kek);
        say("mac key", &hex::encode_upper(self.mac_key.expose()));
        say("data", &hex::encode_upper(self.data.expose()));
        say("mac", &hex::encode_upper(self.mac));
    }
}

/// The key encryption key that the block names.
fn key(file: &BlockFile, path: &dyn Fn(&str) -> String, context: &Context, found: &mut Findings) -> Option<String> {
    if number(&file.kek, 3).is_none() {
        found.format(path("kek"), "it is not one to three digits");
        return None;
    }
    let site = context.site?;
    let Some(name) = site.kek(&file.kek) else {
        found.value(path("kek"), "this site has no key encryption key of this id");
        return None;
    };
    context.has_key(name, &[Purpose::Kek], &path("kek"), found);
    Some(name.to_owned())
}

fn number(text: &str, most: usize) -> Option<u32> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}
