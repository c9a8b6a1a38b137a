//! Which product an application is a likeness of, and what follows from it: session keys, input of the cryptogram,
//! the issuer's answer, script keys, the issuer application data. // EMV B2 §8, §9, annex A1; PYEMV

use super::blank::{Applet, Application};
use super::cryptogram::{self, Key};
use super::data::{check_values_are_tdes, grouping, object};

/// What an application does, by its kind and its cryptogram version number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme {
    pub(super) applet: Applet,
    /// The key of the cryptogram.
    session: SessionKey,
    /// Padding of the cryptogram's input with 80; else zeros alone.
    pub(super) pads_80: bool,
    tail: Tail,
    pub(super) issuer: IssuerAnswer,
    /// Script keys come from the counter; else from the cryptogram.
    pub(super) scripts_by_counter: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SessionKey {
    /// The master key itself.
    Master,
    Common,
    /// With the terminal's unpredictable number.
    Unpredictable,
}

/// What of the issuer application data ends the cryptogram's input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Whole,
    Results,
    ResultsAndCounters,
    /// The fifth byte alone, without the interchange profile before it.
    Fifth,
}

/// How the issuer answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IssuerAnswer {
    /// Not at all.
    Never,
    /// Method 1 under the master key.
    Master,
    /// Method 1 under the session key.
    Session,
    /// Method 2.
    Status,
}

/// The keys of an application for one interface, clear.
pub(super) struct Keys {
    /// For cryptograms.
    pub(super) ac: Key,
    /// For script MACs.
    pub(super) mac: Key,
    /// For enciphered scripts.
    pub(super) enc: Key,
}

/// What the card verification results tell of.
#[derive(Clone, Copy, Default)]
pub(super) struct Results {
    /// First cryptogram: as its information byte, once it is there.
    pub(super) first: Option<u8>,
    /// The second.
    pub(super) second: Option<u8>,
    pub(super) issuer_failed: bool,
    pub(super) pin_tried: bool,
    pub(super) pin_failed: bool,
    pub(super) offline: bool,
    pub(super) pin_blocked: bool,
    pub(super) blocked: bool,
    pub(super) scripts: u8,
    pub(super) script_failed: bool,
    pub(super) signed: bool,
}

/// The issuer application data as it was personalized: bare, or as an object. Over the antenna 9201 where there is one.
pub(super) fn template(app: &Application, contactless: bool) -> Vec<u8> {
    let over_antenna = grouping(app, 0x9201).filter(|_| contactless);
    let Some(value) = over_antenna.or_else(|| grouping(app, 0x9200)) else { return Vec::new() };
    object(value, 0x9F10).unwrap_or_else(|| value.to_vec())
}

/// The keys that serve an interface: 8001 over the antenna where it is there, else 8000. None where they are not for
/// two-key triple DES: how AES makes a cryptogram is not what this card does.
pub(super) fn keys(app: &Application, contactless: bool) -> Option<Keys> {
    let second = contactless && grouping(app, 0x8001).is_some();
    let (keys, values) = if second { (0x8001, 0x9001) } else { (0x8000, 0x9000) };
    let value = grouping(app, keys).filter(|value| value.len() == 48)?;
    if grouping(app, values).is_some_and(|values| !check_values_are_tdes(value, values)) {
        return None;
    }
    let mut each = value.chunks(16).map(|key| Key::new(key.to_vec()));
    Some(Keys { ac: each.next()?, mac: each.next()?, enc: each.next()? })
}

impl Scheme {
    /// By what the issuer application data say, or by the kind that the card's file states. None where a stated kind
    /// does not know the version number.
    pub(super) fn of(data: &[u8], stated: Option<Applet>) -> Option<Self> {
        let visa = || match data {
            [0x06, _, cvn, 0x03, _, _, _, ..] => Self::short_vsdc(*cvn),
            [0x1F, cvn, ..] if data.len() == 32 => Self::long_vsdc(*cvn),
            _ => None,
        };
        let mastercard = || data.get(1).filter(|_| data.len() >= 8).and_then(|cvn| Self::mchip(*cvn, data.len()));
        match stated {
            Some(Applet::Vsdc) => visa(),
            Some(Applet::Mchip) => mastercard(),
            Some(Applet::Plain) => Some(Self::PLAIN),
            None => Some(visa().or_else(mastercard).unwrap_or(Self::PLAIN)),
        }
    }

    const PLAIN: Self = Self {
        applet: Applet::Plain,
        session: SessionKey::Common,
        pads_80: true,
        tail: Tail::Whole,
        issuer: IssuerAnswer::Session,
        scripts_by_counter: false,
    };

    const COUNTED: Self =
        Self { applet: Applet::Vsdc, issuer: IssuerAnswer::Status, scripts_by_counter: true, ..Self::PLAIN };

    /// Versions 10, 17 and 18: 0A, 11 and 12.
    fn short_vsdc(version: u8) -> Option<Self> {
        let by_master = Self { session: SessionKey::Master, pads_80: false, ..Self::COUNTED };
        match version {
            0x0A => Some(Self { tail: Tail::Results, issuer: IssuerAnswer::Master, ..by_master }),
            0x11 => Some(Self { tail: Tail::Fifth, issuer: IssuerAnswer::Never, ..by_master }),
            0x12 => Some(Self::COUNTED),
            _ => None,
        }
    }

    /// Version 22, which is hexadecimal: the first digit is that of the form.
    fn long_vsdc(version: u8) -> Option<Self> {
        (version == 0x22).then_some(Self { scripts_by_counter: false, ..Self::COUNTED })
    }

    /// Versions 16, 17, 20 and 21; those with counters need them in their data.
    fn mchip(version: u8, length: usize) -> Option<Self> {
        let base = Self { applet: Applet::Mchip, ..Self::PLAIN };
        let (session, issuer) = match version {
            0x10 | 0x11 => (SessionKey::Unpredictable, IssuerAnswer::Master),
            0x14 | 0x15 => (SessionKey::Common, IssuerAnswer::Session),
            _ => return None,
        };
        let tail = if version & 1 == 0 { Tail::Results } else { Tail::ResultsAndCounters };
        (tail == Tail::Results || length >= 18).then_some(Self { session, issuer, tail, ..base })
    }

    /// The key of this transaction's cryptograms.
    pub(super) fn key(self, master: &Key, counter: u16, unpredictable: &[u8]) -> Option<Key> {
        let [high, low] = counter.to_be_bytes();
        match self.session {
            SessionKey::Master => Some(Key::new(master.expose().clone())),
            SessionKey::Common => cryptogram::session_key(master.expose(), [high, low, 0, 0, 0, 0, 0, 0]),
            SessionKey::Unpredictable => {
                let [a, b, c, d]: [u8; 4] = unpredictable.try_into().ok()?;
                cryptogram::session_key(master.expose(), [high, low, 0, 0, a, b, c, d])
            }
        }
    }

    /// What of the issuer application data the cryptogram covers.
    pub(super) fn tail(self, data: &[u8]) -> Vec<u8> {
        let results = if self.applet == Applet::Vsdc { data.get(3..7) } else { data.get(2..8) }.unwrap_or_default();
        match self.tail {
            Tail::Whole => data.to_vec(),
            Tail::Results => results.to_vec(),
            Tail::ResultsAndCounters => [results, data.get(10..18).unwrap_or_default()].concat(),
            Tail::Fifth => data.get(4..5).unwrap_or_default().to_vec(),
        }
    }

    /// What stands between the terminal's data and the issuer application data: interchange profile and counter, or the
    /// counter alone.
    pub(super) fn middle(self, profile: &[u8], counter: u16) -> Vec<u8> {
        let profile = if self.tail == Tail::Fifth { &[] } else { profile };
        [profile, &counter.to_be_bytes()].concat()
    }

    /// The terminal's data that the cryptogram covers, in order, with their lengths. // PYEMV
    pub(super) fn covered(self) -> &'static [(u32, usize)] {
        match self.tail {
            Tail::Fifth => &[(0x9F02, 6), (0x9F37, 4)],
            _ => &[(0x9F02, 6), (0x9F03, 6), (0x9F1A, 2), (0x95, 5), (0x5F2A, 2), (0x9A, 3), (0x9C, 1), (0x9F37, 4)],
        }
    }

    /// The issuer application data of an answer: what was personalized, with what has happened. Other bits than those
    /// stay as they were personalized.
    pub(super) fn data(self, template: &[u8], results: Results) -> Vec<u8> {
        let mut out = template.to_vec();
        let place = match self.applet {
            Applet::Vsdc => 4,
            Applet::Mchip => 2,
            Applet::Plain => return out,
        };
        // Which cryptogram: 00 AAC, 01 TC, 10 ARQC first, and "not asked for" second
        let kind = |information: Option<u8>| information.map_or(0b10, |byte| byte >> 6);
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        if let Some(byte) = out.get_mut(place) {
            *byte = *byte & 0x0F | kind(results.second) << 6 | kind(results.first) << 4;
        }
        if self.applet == Applet::Vsdc {
            let more = [
                bit(results.issuer_failed, 0x08)
                    | bit(results.pin_tried, 0x04)
                    | bit(results.pin_failed, 0x02)
                    | bit(results.offline, 0x01),
                bit(results.pin_blocked, 0x40) | bit(results.blocked, 0x02),
                results.scripts.min(15) << 4 | bit(results.script_failed, 0x08) | bit(results.signed, 0x02),
            ];
            out.iter_mut().skip(place).zip(more).for_each(|(byte, more)| *byte |= more);
        }
        out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const VERSION_22: &str = "1F22010300000000000000000000000000000000000000000000000000000000";

    #[test]
    fn the_version_number_tells_the_kind() {
        for (data, stated, applet) in [
            ("06010A03A00000", None, Some(Applet::Vsdc)),
            ("06011203A00000", None, Some(Applet::Vsdc)),
            ("06011103A00000", None, Some(Applet::Vsdc)),
            ("06011203A000000A0102", None, Some(Applet::Vsdc)),
            (VERSION_22, None, Some(Applet::Vsdc)),
            // Visa's 22 is no version of the short form, nor 16 of any.
            ("06012203A00000", Some(Applet::Vsdc), None),
            ("06011603A00000", Some(Applet::Vsdc), None),
            ("1F22010300", Some(Applet::Vsdc), None),
            // A key index of 06 makes no Visa card of Mastercard's.
            ("0611A00003220000000000000000000000FF", None, Some(Applet::Mchip)),
            ("0611110300220000000000000000000000FF", Some(Applet::Mchip), Some(Applet::Mchip)),
            ("0110A00003220000000000000000000000FF", None, Some(Applet::Mchip)),
            ("0115A00003220000000000000000000322FF", None, Some(Applet::Mchip)),
            // Counters that are not there.
            ("0115A00003220000", None, Some(Applet::Plain)),
            ("", None, Some(Applet::Plain)),
            ("1501850440B100000000", None, Some(Applet::Plain)),
            ("06017703A00000", Some(Applet::Vsdc), None),
            ("06010A03A00000", Some(Applet::Mchip), None),
            ("06010A03A00000", Some(Applet::Plain), Some(Applet::Plain)),
        ] {
            let found = Scheme::of(&hex::decode(data).unwrap(), stated);
            assert_eq!(found.map(|scheme| scheme.applet), applet, "{data}");
        }
    }
}
