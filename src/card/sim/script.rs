//! Issuer scripts: commands with a MAC of the issuer's, some of them enciphered. // EMV B2 §9, B3 §6.5, PYEMV

use super::applet::{self, Keys, Scheme};
use super::blank::Applet;
use super::cps::{is_iso_2, pin_digits};
use super::cryptogram::{self, Key, xor};
use super::data::{self, INTERNAL, grouping, object, try_limit};
use super::generate::First;
use super::{Hex, SimCard};
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag};
use crate::base::crypto as cipher;
use crate::card::apdu::{Command, Response};

/// Commands that only an issuer sends.
pub(super) fn is_script(ins: u8) -> bool {
    matches!(ins, 0x16 | 0x18 | 0x1E | 0x24 | 0xDA | 0xDC)
}

/// MACs have four to eight bytes.
const SHORTEST: usize = 4;
const LONGEST: usize = 8;

impl SimCard {
    /// One command of a script, after the first cryptogram of a transaction: its MAC is looked at first.
    pub(super) fn script(&mut self, command: &Command) -> Response {
        match self.scripted(command) {
            Ok(()) => Response::status(0x9000),
            Err(sw) => Response::status(sw),
        }
    }

    fn scripted(&mut self, command: &Command) -> Result<(), u16> {
        let (at, app) = self.application().ok_or(0x6985u16)?;
        check_parameters(command)?;
        let template = applet::template(app, self.contactless);
        let scheme = self.scheme(at, &template).ok_or(0x6985u16)?;
        let keys = applet::keys(app, self.contactless).ok_or(0x6985u16)?;
        let counter = app.atc;
        let transaction = self.session.transaction.as_ref().ok_or(0x6985u16)?;
        let first = transaction.first.as_ref().ok_or(0x6985u16)?;
        let (data, mac) = split(command, scheme, self.file.blank.emv.script_mac).ok_or(0x6987u16)?;
        let derive = |master| script_key(scheme, master, counter, first, transaction.scripts);
        let (mac_key, enc_key) = (derive(&keys.mac).ok_or(0x6985u16)?, derive(&keys.enc).ok_or(0x6985u16)?);
        let Command { cla, ins, p1, p2, .. } = *command;
        let head = [cla, ins, p1, p2, command.data.len() as u8];
        let input = [head.as_slice(), &counter.to_be_bytes(), &first.cryptogram, data].concat();
        let computed = cryptogram::mac(mac_key.expose(), &input, true).ok_or(0x6985u16)?;
        let right = computed.get(..mac.len()).is_some_and(|computed| cryptogram::same(computed, mac));
        if right && let Some(transaction) = self.session.transaction.as_mut() {
            transaction.scripts += 1;
        }
        let done = if right { self.obey(at, command, data, scheme, &keys, &enc_key) } else { Err(0x6988) };
        if let Some(app) = self.file.state.applications.get_mut(at) {
            app.scripts = app.scripts.saturating_add(1).min(15);
            app.script_failed |= done.is_err();
        }
        done
    }

    fn obey(
        &mut self,
        at: usize,
        command: &Command,
        data: &[u8],
        scheme: Scheme,
        keys: &Keys,
        enc_key: &Key,
    ) -> Result<(), u16> {
        let app = self.file.state.applications.get_mut(at).ok_or(0x6F00u16)?;
        match command.ins {
            0x1E => app.blocked = true,
            0x18 => app.blocked = false,
            0x16 => self.file.state.blocked = true,
            0x24 => {
                if command.p2 != 0 {
                    let stored = grouping(app, 0x8010).and_then(pin_digits).ok_or(0x6985u16)?;
                    let current = (command.p2 == 1).then_some(&stored);
                    let block = new_pin(scheme, keys, enc_key, data, current).ok_or(0x6A80u16)?;
                    app.groupings.insert("8010".into(), Hex(block.expose().clone()));
                }
                app.tries = try_limit(app).ok_or(0x6985u16)?;
            }
            0xDA => put_data(app, u16::from_be_bytes([command.p1, command.p2]), data)?,
            _ => {
                let name = format!("{:02X}{:02X}", command.p2 >> 3, command.p1);
                let fits = data::is_record(command.p2 >> 3, data);
                let record = app.groupings.get_mut(&name).ok_or(0x6A83u16)?;
                if !fits {
                    return Err(0x6A80);
                }
                *record = Hex(data.to_vec());
            }
        }
        Ok(())
    }
}

/// P1 and P2, before the MAC is looked at.
fn check_parameters(command: &Command) -> Result<(), u16> {
    let fits = match command.ins {
        0x16 | 0x18 | 0x1E => command.p1 == 0 && command.p2 == 0,
        0x24 => command.p1 == 0 && command.p2 <= 2,
        0xDC => command.p1 != 0 && command.p2 & 7 == 4,
        _ => true,
    };
    if fits { Ok(()) } else { Err(0x6A86) }
}

/// What is protected, and the MAC behind it; none where there is no room for a MAC.
fn split(command: &Command, scheme: Scheme, mac: u8) -> Option<(&[u8], &[u8])> {
    let data = command.data.as_slice();
    let before = match (command.ins, command.p2) {
        (0x16 | 0x18 | 0x1E, _) | (0x24, 0) => 0,
        (0x24, _) if scheme.applet == Applet::Mchip => 8,
        (0x24, _) => 16,
        _ => data.len().checked_sub(usize::from(mac))?,
    };
    let (data, mac) = data.split_at_checked(before)?;
    (SHORTEST..=LONGEST).contains(&mac.len()).then_some((data, mac))
}

/// The key of this command. Mastercard's, and EMV's own, come from the cryptogram, one on for each command before.
fn script_key(scheme: Scheme, master: &Key, counter: u16, first: &First, before: u64) -> Option<Key> {
    if scheme.scripts_by_counter {
        return cryptogram::counted_key(master.expose(), counter);
    }
    let steps = if scheme.applet == Applet::Mchip { before } else { 0 };
    let value = u64::from_be_bytes(first.cryptogram).wrapping_add(steps);
    cryptogram::session_key(master.expose(), value.to_be_bytes())
}

/// The new PIN as a format 2 block, out of enciphered data. // PYEMV
fn new_pin(
    scheme: Scheme,
    keys: &Keys,
    key: &Key,
    data: &[u8],
    current: Option<&Secret<Vec<u8>>>,
) -> Option<Secret<Vec<u8>>> {
    let key = key.expose();
    let block = match scheme.applet {
        Applet::Vsdc => {
            let clear = Secret::new(cipher::tdes_ecb_decrypt(key, data).ok()?);
            let (length, rest) = cipher::unpad_80(clear.expose()).ok()?.split_first()?;
            let block = rest.get(..8).filter(|_| *length == 8 && rest.len() == 8)?;
            let mask = [&[0; 4], keys.ac.expose().get(4..8)?].concat();
            let digits = current.map_or(vec![0; 8], |digits| nibbles(digits.expose()));
            let block = xor(&xor(block, &mask), &digits);
            // As format 2 but for its first digit, which is 0.
            let (first, rest) = block.split_first()?;
            (first >> 4 == 0).then(|| [&[first | 0x20], rest].concat())?
        }
        // No other has a way to prove the current PIN with.
        _ if current.is_some() => return None,
        Applet::Mchip => cipher::tdes_cbc_decrypt(key, &[0; 8], data).ok()?,
        Applet::Plain => {
            let clear = Secret::new(cipher::tdes_cbc_decrypt(key, &[0; 8], data).ok()?);
            cipher::unpad_80(clear.expose()).ok()?.to_vec()
        }
    };
    (is_iso_2(&block) && pin_digits(&block).is_some()).then(|| Secret::new(block))
}

/// Digits two to a byte from the left, zeros behind.
fn nibbles(digits: &[u8]) -> Vec<u8> {
    let mut out = vec![0u8; 8];
    for (at, digit) in digits.iter().enumerate() {
        if let Some(byte) = out.get_mut(at / 2) {
            *byte |= (digit & 0x0F) << if at % 2 == 0 { 4 } else { 0 };
        }
    }
    out
}

/// PUT DATA: an internal object that is there, with a value as long as the one that it has.
fn put_data(app: &mut super::Application, tag: u16, value: &[u8]) -> Result<(), u16> {
    // Counters and tries are the card's own. // EMV B3 §6.5.7
    if matches!(tag, 0x9F36 | 0x9F13 | 0x9F17) {
        return Err(0x6985);
    }
    let tag = u32::from(tag);
    for dgi in INTERNAL {
        let Some(have) = grouping(app, dgi).filter(|have| object(have, tag).is_some()) else { continue };
        let objects = tlv::parse(have).map_err(|_| 0x6A80u16)?;
        let same_length = objects.iter().any(|one| one.tag == Tag::of(tag) && one.value_bytes().len() == value.len());
        if !same_length {
            return Err(0x6A80);
        }
        let put = |one: &tlv::Tlv| if one.tag == Tag::of(tag) { tlv::encode(one.tag, value) } else { one.encode() };
        let after: Vec<u8> = objects.iter().flat_map(put).collect();
        app.groupings.insert(format!("{dgi:04X}"), Hex(after));
        return Ok(());
    }
    Err(0x6A88)
}
