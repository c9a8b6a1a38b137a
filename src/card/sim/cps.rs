//! Personalization of an application, strictly. // CPS 1.1 §4.3.4, CPS 2.0

use super::channel::Channel;
use super::data::{
    antenna_options, check_values_are, check_values_are_tdes, grouping, internal, is_record, object, options,
    options_grouping, record_names,
};
use super::fault::{Corruption, Rule, When};
use super::{Application, Hex, Selected, SimCard, data, signature};
use crate::base::Secret;
use crate::base::codec::tlv::{self, Tag};
use crate::base::crypto as cipher;
use crate::card::apdu::Response;

/// STORE DATA on its way: what stands between two commands.
#[derive(Clone, Default)]
pub(super) struct Intake {
    /// Bytes of a grouping that goes on in the next command.
    rest: Vec<u8>,
    /// The encryption bits that those bytes came with.
    sealed: bool,
    next_block: u8,
    /// The application has just been personalized.
    pub(super) ended: bool,
}

/// A grouping as the card has taken it.
struct Taken {
    dgi: u16,
    value: Vec<u8>,
}

impl SimCard {
    pub(super) fn store_data(&mut self, p1: u8, p2: u8, data: &[u8]) -> Response {
        let Some(at) = self.target() else { return Response::status(0x6985) };
        if self.session.channel.is_none() {
            return Response::status(0x6982);
        }
        if self.file.state.applications.get(at).is_none_or(|app| app.personalized) {
            return Response::status(0x6985);
        }
        let answer = match self.take(at, p1, p2, data) {
            Ok(()) => Response::status(0x9000),
            Err(sw) => Response::status(sw),
        };
        if answer.sw.is_ok() && p1 & 0x80 != 0 { self.complete(at) } else { answer }
    }

    fn target(&self) -> Option<usize> {
        match (self.session.selected, self.session.forward) {
            (Selected::Application(at), _) => Some(at),
            (Selected::Domain, forward) => forward,
        }
    }

    /// Takes one command whole, or nothing of it.
    fn take(&mut self, at: usize, p1: u8, p2: u8, data: &[u8]) -> Result<(), u16> {
        // RFU bits, and data that is said to be BER-TLV: this card takes groupings. // GPC 2.3.1 table 11-89
        if p1 & 0x10 != 0 || p1 & 0x06 != 0 {
            return Err(0x6A86);
        }
        let sealed = match p1 & 0x60 {
            0x00 => false,
            0x60 => true,
            _ => return Err(0x6A86),
        };
        if p2 != self.session.intake.next_block {
            return Err(0x6A86);
        }
        // Refused commands are counted too: a host may go on after a grouping that the card does not know.
        self.session.intake.next_block = p2.wrapping_add(1);
        let mut buffer = std::mem::take(&mut self.session.intake.rest);
        if !buffer.is_empty() && sealed != self.session.intake.sealed {
            return Err(0x6A80);
        }
        buffer.extend_from_slice(data);

        let mut app = self.file.state.applications.get(at).cloned().ok_or(0x6F00u16)?;
        let mut rest = buffer.as_slice();
        while let Some((dgi, value, after)) = next_grouping(rest) {
            if !knows(dgi) {
                return Err(0x6A88);
            }
            let value = if sealed { self.decipher(value)? } else { value.to_vec() };
            let taken = self.check(Taken { dgi, value: self.corrupted(at, dgi, value, When::Storing) }, sealed)?;
            store(&mut app, taken)?;
            rest = after;
        }
        // An unknown grouping is refused with its first command, not with its last.
        if let [high, low, ..] = rest
            && !knows(u16::from_be_bytes([*high, *low]))
        {
            return Err(0x6A88);
        }
        if p1 & 0x80 != 0 && !rest.is_empty() {
            return Err(0x6A80);
        }
        let intake = &mut self.session.intake;
        intake.rest = rest.to_vec();
        intake.sealed = sealed;
        if let Some(place) = self.file.state.applications.get_mut(at) {
            *place = app;
        }
        Ok(())
    }

    fn decipher(&self, value: &[u8]) -> Result<Vec<u8>, u16> {
        let Some((key, cbc)) = self.session.channel.as_ref().map(Channel::dek) else { return Err(0x6982) };
        let clear =
            if cbc { cipher::aes_cbc_decrypt(key, &[0; 16], value) } else { cipher::tdes_ecb_decrypt(key, value) };
        clear.map_err(|_| 0x6A80)
    }

    /// What can be checked of one grouping.
    fn check(&self, taken: Taken, sealed: bool) -> Result<Taken, u16> {
        let Taken { dgi, value } = taken;
        let [high, _] = dgi.to_be_bytes();
        let aes = self.session.channel.as_ref().is_some_and(|channel| channel.dek().1);
        let fits = match dgi {
            // The key of the checksums of a contactless stripe likeness.
            0xA002 if value.len() == 16 => sealed,
            _ if matches!(high, 0x80..=0x84) => sealed,
            _ if matches!(high, 0x01..=0x1E | 0x30 | 0x90..=0x92) => !sealed,
            _ => true,
        } && match dgi {
            0x8000 | 0x8001 => matches!(value.len(), 48 | 72 | 96),
            0x9000 | 0x9001 => value.len() == 9,
            0x8010 => self.takes_pin_block(&value, aes),
            0x9010 => takes_tries(&value),
            0x9102 | 0x9103 => tlv::parse_one(&value).is_ok_and(|fci| fci.tag == Tag::of(0xA5)),
            0x9104 => options(&value).is_some(),
            0x0082 => value.len() == 2,
            0x0094 => !value.is_empty() && value.len().is_multiple_of(4),
            0x9105 | 0x9207 | 0xB104 => antenna_options(&value).is_some(),
            0x9200 | 0x9201 => value.len() <= 35 && object(&value, 0x9F10).is_none_or(|data| data.len() <= 32),
            0x3000 => tlv::parse(&value).is_ok() && object(&value, 0x9F36).is_none_or(|counter| counter.len() == 2),
            0x3001 => tlv::parse(&value).is_ok(),
            _ if (0x01..=0x1E).contains(&high) => is_record(high, &value),
            _ => true,
        };
        if !fits {
            return Err(0x6A80);
        }
        // Components of RSA keys come padded; the card keeps them bare.
        let value = match high {
            0x81..=0x84 => cipher::unpad_80(&value).map_err(|_| 0x6A80u16)?.to_vec(),
            _ => value,
        };
        Ok(Taken { dgi, value })
    }

    fn takes_pin_block(&self, value: &[u8], aes: bool) -> bool {
        let block = match (value.len(), aes) {
            (8, false) => value,
            // CPS 2.0 §3.4.4: the block, then eight random bytes
            (16, true) => value.get(..8).unwrap_or_default(),
            _ => return false,
        };
        pin_digits(block).is_some() && is_iso_2(block) != self.file.blank.emv.pin_format_1
    }

    pub(super) fn corrupted(&self, at: usize, dgi: u16, mut value: Vec<u8>, when: When) -> Vec<u8> {
        let aid = self.file.blank.applications.get(at).map(|aid| aid.0.as_slice()).unwrap_or_default();
        let meant = |it: &Corruption| it.dgi == dgi && it.when == when && aid.starts_with(&it.aid);
        for fault in &self.corruptions {
            let Rule::Corrupt(corruption) = &fault.rule else { continue };
            if meant(corruption)
                && let Some(byte) = value.get_mut(corruption.byte)
            {
                *byte ^= corruption.mask;
                fault.fire();
            }
        }
        value
    }

    /// The last command was taken: is everything there that the application needs?
    fn complete(&mut self, at: usize) -> Response {
        let aid_is = |name: &[u8]| self.file.blank.applications.get(at).is_some_and(|aid| aid.0 == name);
        let kind = if aid_is(b"2PAY.SYS.DDF01") {
            Kind::Ppse
        } else if aid_is(b"1PAY.SYS.DDF01") {
            Kind::Pse
        } else {
            Kind::Payment
        };
        let Some(app) = self.file.state.applications.get(at) else { return Response::status(0x6F00) };
        if !is_complete(app, kind) {
            return Response::status(0x6A86);
        }
        let after: Vec<(String, Hex)> = app
            .groupings
            .iter()
            .map(|(name, value)| {
                let dgi = u16::from_str_radix(name, 16).unwrap_or_default();
                (name.clone(), Hex(self.corrupted(at, dgi, value.0.clone(), When::Loaded)))
            })
            .collect();
        if let Some(app) = self.file.state.applications.get_mut(at) {
            app.groupings = after.into_iter().collect();
            app.personalized = true;
            app.tries = grouping(app, 0x9010).and_then(|value| value.first().copied()).unwrap_or_default();
            let counter = internal(app, 0x9F36);
            app.atc = counter.and_then(|value| value.try_into().ok()).map(u16::from_be_bytes).unwrap_or_default();
        }
        self.session.intake = Intake { ended: true, ..Intake::default() };
        Response::status(0x9000)
    }
}

enum Kind {
    Payment,
    Pse,
    Ppse,
}

/// The next whole grouping: number, value, and what follows it.
fn next_grouping(data: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (header, length) = match data {
        [_, _, 0xFF, high, low, ..] => (5, usize::from(u16::from_be_bytes([*high, *low]))),
        [_, _, 0xFF, ..] => return None,
        [_, _, length, ..] => (3, usize::from(*length)),
        _ => return None,
    };
    let dgi = u16::from_be_bytes([*data.first()?, *data.get(1)?]);
    let value = data.get(header..header + length)?;
    Some((dgi, value, data.get(header + length..)?))
}

fn knows(dgi: u16) -> bool {
    let [high, low] = dgi.to_be_bytes();
    match high {
        0x00 => matches!(low, 0x50 | 0x82 | 0x87 | 0x94),
        0x5F => low == 0x2D,
        0x9F => matches!(low, 0x11 | 0x12 | 0x38),
        0x01..=0x1E => low != 0,
        0x30 => low <= 1,
        0x80 => matches!(low, 0x00 | 0x01 | 0x10),
        0x81 => (1..=6).contains(&low),
        0x82..=0x84 => (1..=5).contains(&low),
        0x90 => matches!(low, 0x00 | 0x01 | 0x10),
        0x91 => (2..=5).contains(&low),
        0x92 => low <= 1 || low == 7,
        0xA0..=0xBF => true,
        _ => false,
    }
}

fn store(app: &mut Application, taken: Taken) -> Result<(), u16> {
    let bare = matches!(taken.dgi, 0x0050 | 0x0082 | 0x0087 | 0x0094 | 0x5F2D | 0x9F11 | 0x9F12 | 0x9F38);
    app.groupings.insert(format!("{:04X}", taken.dgi), Hex(taken.value));
    if bare {
        compose(app);
    }
    for (keys, values) in [(0x8000, 0x9000), (0x8001, 0x9001)] {
        if matches!(taken.dgi, dgi if dgi == keys || dgi == values)
            && let (Some(keys), Some(values)) = (grouping(app, keys), grouping(app, values))
            && !check_values_match(keys, values)
        {
            return Err(0x6A80);
        }
    }
    if signature::fits(app, taken.dgi) { Ok(()) } else { Err(0x6A80) }
}

/// What an applet that is loaded with bare values answers: its templates are made of them.
fn compose(app: &mut Application) {
    let part = |app: &Application, tag: u16| {
        let tag_bytes: Vec<u8> = tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        let value = grouping(app, tag)?;
        Some([tag_bytes, vec![u8::try_from(value.len()).ok()?], value.to_vec()].concat())
    };
    if let (Some(profile), Some(locator)) = (part(app, 0x82), part(app, 0x94)) {
        app.groupings.insert("9104".into(), Hex([profile, locator].concat()));
    }
    let shown = [0x50, 0x87, 0x9F38, 0x5F2D, 0x9F11, 0x9F12].into_iter().filter_map(|tag| part(app, tag));
    let shown: Vec<u8> = shown.flatten().collect();
    if let (false, Ok(length)) = (shown.is_empty(), u8::try_from(shown.len())) {
        let header = if length < 0x80 { vec![0xA5, length] } else { vec![0xA5, 0x81, length] };
        app.groupings.insert("9102".into(), Hex([header, shown].concat()));
    }
}

/// Two-key triple DES over zeros, or AES over ones: one of the two fits all three keys, or the values are wrong.
fn check_values_match(keys: &[u8], values: &[u8]) -> bool {
    check_values_are_tdes(keys, values)
        || check_values_are(keys, values, |key| cipher::aes_ecb_encrypt(key, &[1; 16]).ok())
}

/// The PIN's digits, one to a byte, out of an ISO 9564 block of format 2 (digits, then F) or format 1 (digits, then
/// anything), which may stand before random bytes.
pub(super) fn pin_digits(value: &[u8]) -> Option<Secret<Vec<u8>>> {
    let block = value.get(..8)?;
    let nibbles = Secret::new(block.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).collect::<Vec<u8>>());
    let [format, length, rest @ ..] = nibbles.expose().as_slice() else { return None };
    let (pin, fill) = rest.split_at_checked(usize::from(*length))?;
    let filled = *format == 1 || (*format == 2 && fill.iter().all(|nibble| *nibble == 0x0F));
    let good = filled && (4..=12).contains(length) && pin.iter().all(|digit| *digit <= 9);
    good.then(|| Secret::new(pin.to_vec()))
}

pub(super) fn is_iso_2(block: &[u8]) -> bool {
    block.first().is_some_and(|byte| byte >> 4 == 2)
}

/// Tries left and their limit, four bits each; one byte where both are the same.
fn takes_tries(value: &[u8]) -> bool {
    match value {
        [both] => *both <= 0x0F,
        [left, limit] => *left <= 0x0F && *limit <= 0x0F,
        _ => false,
    }
}

fn is_complete(app: &Application, kind: Kind) -> bool {
    let has = |name: &str| app.groupings.contains_key(name);
    match kind {
        Kind::Ppse => has("9102"),
        // Record 1 of the file that its file control information names. // EMV B1 §12.2.3
        Kind::Pse => {
            let file = grouping(app, 0x9102).and_then(|fci| object(fci, 0x88));
            match file.as_deref() {
                Some([file]) => has(&format!("{file:02X}01")),
                _ => app.groupings.keys().any(|name| data::is_record_name(name)),
            }
        }
        Kind::Payment => {
            let contact = grouping(app, 0x9104).and_then(options);
            let antenna = options_grouping(app, true).and_then(antenna_options);
            has("9102")
                && contact.is_some_and(|(profile, locator)| {
                    record_names(&locator).iter().all(|name| has(name)) && has_what_it_promises(app, &profile, false)
                })
                && antenna.is_none_or(|(profile, _)| has_what_it_promises(app, &profile, true))
                && signature::all_whole(app)
        }
    }
}

/// Whether the keys are there that an application interchange profile promises: to sign (dynamic and combined data
/// authentication), and to know the issuer by. // EMV B3 annex C1
fn has_what_it_promises(app: &Application, profile: &[u8], contactless: bool) -> bool {
    let bits = profile.first().copied().unwrap_or_default();
    (bits & 0x21 == 0 || signature::has_signing_key(app, contactless))
        && (bits & 0x04 == 0 || grouping(app, 0x8000).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ISO 9564-1: examples of psec and openemv/pinblock, and what is none.
    #[test]
    fn pin_blocks_of_two_formats_are_read_and_no_others() {
        for (block, digits) in [
            ("241234FFFFFFFFFF", "1234"),
            ("2C123456789012FF", "123456789012"),
            ("2534567FFFFFFFFF", "34567"),
            ("1512345EDCBA9876", "12345"),
            ("241234FFFFFFFFFFA1B2C3D4E5F60718", "1234"),
            ("241234FFFFFFFFFE", ""),
            ("24123AFFFFFFFFFF", ""),
            ("23123FFFFFFFFFFF", ""),
            ("2D1234567890123F", ""),
            ("041234FFFFFFFFFF", ""),
            ("241234", ""),
        ] {
            let found = pin_digits(&hex::decode(block).unwrap_or_default());
            let text = found.map(|pin| pin.expose().iter().map(|digit| char::from(b'0' + digit)).collect::<String>());
            assert_eq!(text.unwrap_or_default(), digits, "{block}");
        }
    }
}
