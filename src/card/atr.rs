//! The answer to reset. // ISO/IEC 7816-3 §8, EMV B1 §8; PC/SC part 3 §3.1.3 for contactless cards

use std::fmt;

/// Clock rate conversion integers and highest frequencies in kHz by the high half of TA1. // ISO/IEC 7816-3 table 7
const FI: [Option<(u32, u32)>; 16] = [
    Some((372, 4_000)),
    Some((372, 5_000)),
    Some((558, 6_000)),
    Some((744, 8_000)),
    Some((1_116, 12_000)),
    Some((1_488, 16_000)),
    Some((1_860, 20_000)),
    None,
    None,
    Some((512, 5_000)),
    Some((768, 7_500)),
    Some((1_024, 10_000)),
    Some((1_536, 15_000)),
    Some((2_048, 20_000)),
    None,
    None,
];
/// Baud rate adjustment integers by the low half of TA1. // ISO/IEC 7816-3 table 8
const DI: [Option<u32>; 16] = [
    None,
    Some(1),
    Some(2),
    Some(4),
    Some(8),
    Some(16),
    Some(32),
    Some(64),
    Some(12),
    Some(20),
    None,
    None,
    None,
    None,
    None,
    None,
];
/// Registered application provider of PC/SC, which marks a storage card.
const PCSC_RID: [u8; 5] = [0xA0, 0x00, 0x00, 0x03, 0x06];

/// An answer to reset, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atr {
    bytes: Vec<u8>,
    groups: Vec<Group>,
    historical: Vec<u8>,
    check: Check,
    surplus: Vec<u8>,
}

/// Interface bytes TAi, TBi, TCi, and the protocol that they are for; none for the global ones of the first group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Group {
    protocol: Option<u8>,
    ta: Option<u8>,
    tb: Option<u8>,
    tc: Option<u8>,
}

/// The check byte TCK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// T=0 alone: there is none.
    Absent,
    /// It is right.
    Right,
    /// It is not.
    Wrong,
}

/// What the low half of TA1 and its high half mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// TA1; 11 where the ATR has none.
    pub ta1: u8,
    /// Clock rate conversion integer.
    pub fi: u32,
    /// Baud rate adjustment integer.
    pub di: u32,
    /// Highest frequency of the clock in kHz.
    pub khz: u32,
}

/// What is wrong with an answer to reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AtrError {
    /// Shorter than two bytes or longer than 33.
    #[error("an ATR has 2 to 33 bytes, not {0}")]
    Length(usize),
    /// Neither 3B nor 3F.
    #[error("an ATR begins with 3B or 3F, not {0:02X}")]
    Convention(u8),
    /// It ends within the interface bytes or the historical bytes.
    #[error("the ATR ends before what its format bytes announce")]
    Truncated,
}

impl Atr {
    /// Reads an answer to reset. Bytes beyond its end are an error of the reader: they are kept apart ([`Atr::surplus`]).
    ///
    /// # Errors
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, AtrError> {
        let [convention, format, rest @ ..] = bytes else { return Err(AtrError::Length(bytes.len())) };
        if bytes.len() > 33 {
            return Err(AtrError::Length(bytes.len()));
        }
        if !matches!(convention, 0x3B | 0x3F) {
            return Err(AtrError::Convention(*convention));
        }
        let mut rest = rest.iter().copied();
        let mut next = || rest.next().ok_or(AtrError::Truncated);
        let (mut groups, mut follows, mut protocol) = (Vec::new(), format >> 4, None);
        loop {
            let mut group = Group { protocol, ..Group::default() };
            for (bit, place) in [(1, &mut group.ta), (2, &mut group.tb), (4, &mut group.tc)] {
                if follows & bit != 0 {
                    *place = Some(next()?);
                }
            }
            groups.push(group);
            if follows & 8 == 0 {
                break;
            }
            let td = next()?;
            (follows, protocol) = (td >> 4, Some(td & 0x0F));
        }
        let historical = (0..format & 0x0F).map(|_| next()).collect::<Result<Vec<_>, _>>()?;
        // ISO/IEC 7816-3 §8.2.5: absent only where T=0 alone is offered
        let only_t0 = groups.iter().filter_map(|group| group.protocol).all(|protocol| protocol == 0);
        let check = if only_t0 {
            Check::Absent
        } else {
            let tck = next()?;
            let length = bytes.len() - rest.clone().count() - 1;
            let sum = bytes.get(1..length).unwrap_or_default().iter().fold(tck, |sum, byte| sum ^ byte);
            if sum == 0 { Check::Right } else { Check::Wrong }
        };
        Ok(Self { bytes: bytes.to_vec(), groups, historical, check, surplus: rest.collect() })
    }

    /// As it was read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes behind its end, which are no part of it.
    pub fn surplus(&self) -> &[u8] {
        &self.surplus
    }

    /// The transmission protocols that the card offers, in order: 0 for T=0, 1 for T=1. T=15 is none.
    pub fn protocols(&self) -> Vec<u8> {
        let mut named: Vec<u8> = Vec::new();
        for protocol in self.groups.iter().filter_map(|group| group.protocol).filter(|protocol| *protocol != 15) {
            if !named.contains(&protocol) {
                named.push(protocol);
            }
        }
        if named.is_empty() { vec![0] } else { named }
    }

    /// The answer to reset of the same card where it talks T=0 alone: the global interface bytes of the first group and the
    /// historical bytes; no TD1, and so no check byte. // ISO/IEC 7816-3 §8.2.3, §8.2.5
    pub fn with_t0_alone(&self) -> Vec<u8> {
        let Group { ta, tb, tc, .. } = self.groups.first().copied().unwrap_or_default();
        let announced = |(bit, byte): (u8, Option<u8>)| byte.map_or(0, |_| bit);
        let follows: u8 = [(0x10, ta), (0x20, tb), (0x40, tc)].into_iter().map(announced).sum();
        let format = follows | self.historical.len() as u8;
        let convention = self.bytes.first().copied();
        let head = convention.into_iter().chain([format]).chain([ta, tb, tc].into_iter().flatten());
        head.chain(self.historical.iter().copied()).collect()
    }

    /// The speed that TA1 offers; none where its values are reserved.
    pub fn speed(&self) -> Option<Speed> {
        let ta1 = self.groups.first().and_then(|group| group.ta).unwrap_or(0x11);
        let (fi, khz) = (*FI.get(usize::from(ta1 >> 4))?)?;
        let di = (*DI.get(usize::from(ta1 & 0x0F))?)?;
        Some(Speed { ta1, fi, di, khz })
    }

    /// TA2: the card works with one protocol and does not negotiate. // ISO/IEC 7816-3 §8.3
    pub fn specific_mode(&self) -> Option<u8> {
        self.groups.get(1).and_then(|group| group.ta).map(|ta2| ta2 & 0x0F)
    }

    /// T=1: the longest information field that the card takes. // ISO/IEC 7816-3 §11.4.2
    pub fn ifsc(&self) -> Option<u8> {
        let t1 = self.groups.iter().skip(2).find(|group| group.protocol == Some(1));
        self.protocols().contains(&1).then(|| t1.and_then(|group| group.ta).unwrap_or(32))
    }

    /// The historical bytes.
    pub fn historical(&self) -> &[u8] {
        &self.historical
    }

    /// Compact-TLV data objects of the historical bytes: tag and value. // ISO/IEC 7816-4 §12.1.1
    pub fn objects(&self) -> Vec<(u8, &[u8])> {
        let objects = match self.historical.split_first() {
            Some((0x80, rest)) => rest,
            // With category 00 the last three bytes are a status indicator.
            Some((0x00, rest)) => rest.get(..rest.len().saturating_sub(3)).unwrap_or_default(),
            _ => return Vec::new(),
        };
        let (mut out, mut rest) = (Vec::new(), objects);
        while let [head, tail @ ..] = rest {
            let Some((value, after)) = tail.split_at_checked(usize::from(head & 0x0F)) else { break };
            out.push((head >> 4, value));
            rest = after;
        }
        out
    }

    /// Whether the card says that it takes extended lengths; nothing where it does not say. // ISO/IEC 7816-4 §12.1.1.9
    pub fn takes_extended(&self) -> Option<bool> {
        let (_, capabilities) = self.objects().into_iter().find(|(tag, _)| *tag == 7)?;
        capabilities.get(2).map(|third| third & 0x40 != 0)
    }

    /// Made by a reader for a contactless card, which has no ATR of its own. // PC/SC part 3 §3.1.3.2.3
    pub fn is_contactless(&self) -> bool {
        let [_, format, td1, td2, ..] = *self.bytes.as_slice() else { return false };
        format & 0xF0 == 0x80 && td1 == 0x80 && td2 == 0x01
    }

    /// A contactless card that takes no APDUs. // PC/SC part 3 §3.1.3.2.3.2
    pub fn is_storage_card(&self) -> bool {
        self.is_contactless() && self.historical.windows(PCSC_RID.len()).any(|bytes| bytes == PCSC_RID)
    }

    /// Whether the check byte is right.
    pub fn check(&self) -> Check {
        self.check
    }
}

impl Speed {
    /// Bits per second at a clock of so many kHz.
    pub fn bits_per_second(self, khz: u32) -> u32 {
        (u64::from(khz) * 1_000 * u64::from(self.di) / u64::from(self.fi)) as u32
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Speed { ta1, fi, di, khz } = self;
        let most = self.bits_per_second(*khz);
        write!(f, "TA1={ta1:02X} (F={fi}, D={di}), {most} bit/s at {} MHz", f64::from(*khz) / 1_000.0)
    }
}

impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.is_contactless() {
            parts.push(if self.is_storage_card() { "contactless storage card" } else { "contactless" }.to_owned());
        } else {
            let protocols: Vec<String> = self.protocols().iter().map(|protocol| format!("T={protocol}")).collect();
            parts.push(protocols.join(" "));
            parts.push(self.speed().map_or_else(|| "speed reserved".into(), |speed| speed.to_string()));
            parts.extend(self.specific_mode().map(|protocol| format!("specific mode T={protocol}")));
        }
        if !self.historical.is_empty() {
            let text = printable(&self.historical).map(|text| format!(" {text:?}")).unwrap_or_default();
            parts.push(format!("historical {}{text}", hex::encode_upper(&self.historical)));
        }
        if self.check == Check::Wrong {
            parts.push("wrong check byte".into());
        }
        match self.surplus.len() {
            0 => {}
            1 => parts.push("1 byte behind its end, ignored".into()),
            n => parts.push(format!("{n} bytes behind its end, ignored")),
        }
        f.write_str(&parts.join("; "))
    }
}

fn printable(bytes: &[u8]) -> Option<String> {
    let text = bytes.iter().all(|byte| (0x20..0x7F).contains(byte));
    text.then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn atr(text: &str) -> Atr {
        Atr::parse(&hex::decode(text).unwrap()).unwrap()
    }

    #[test]
    fn a_contact_emv_card() {
        let atr = atr("3BE000FF8131FE4514");
        assert_eq!((atr.protocols(), atr.ifsc(), atr.check()), (vec![1], Some(254), Check::Right));
        assert!(!atr.is_contactless() && atr.historical().is_empty());
        assert_eq!(atr.speed().unwrap().bits_per_second(3_720), 10_000);
    }

    #[test]
    fn a_card_with_t0_has_no_check_byte() {
        let atr = atr("3B6500002063CB6800");
        assert_eq!((atr.protocols(), atr.check(), atr.ifsc()), (vec![0], Check::Absent, None));
        assert_eq!(atr.historical(), [0x20, 0x63, 0xCB, 0x68, 0x00]);
    }

    #[test]
    fn both_protocols_historical_bytes_and_a_speed() {
        // A public card's ATR: T=0 and T=1, TA1=18, card capabilities among the historical bytes.
        let atr = atr("3BF81800008131FE450073C8400000900080");
        assert_eq!(atr.protocols(), [1]);
        assert_eq!(atr.speed().unwrap().bits_per_second(4_800), 154_838);
        assert_eq!(atr.objects(), [(7, &[0xC8, 0x40, 0x00][..])]);
        assert_eq!(atr.takes_extended(), Some(false));
        assert_eq!(atr.check(), Check::Right);
    }

    /// Worked out by hand by ISO/IEC 7816-3 §8.2.
    #[test]
    fn of_t0_alone() {
        for (both, t0) in [
            ("3BE000FF8131FE4514", "3B6000FF"),
            ("3B00", "3B00"),
            ("3B6500002063CB6600", "3B6500002063CB6600"),
            ("3F9A9681B1FE451F030102030405060708090A8B", "3F1A960102030405060708090A"),
        ] {
            let atr = atr(both);
            let alone = atr.with_t0_alone();
            assert_eq!(hex::encode_upper(&alone), t0);
            let alone = Atr::parse(&alone).unwrap();
            assert_eq!((alone.protocols(), alone.check()), (vec![0], Check::Absent), "{both}");
            assert_eq!((alone.historical(), alone.speed()), (atr.historical(), atr.speed()), "{both}");
        }
    }

    #[test]
    fn contactless_cards_and_storage_cards() {
        assert!(atr("3B80800101").is_contactless());
        let storage = atr("3B8F8001804F0CA000000306030001000000006A");
        assert!(storage.is_storage_card());
        assert_eq!(storage.to_string().split(';').next(), Some("contactless storage card"));
    }

    #[test]
    fn speed_of_ta1_96() {
        let speed = atr("3B9096801F0099").speed();
        assert_eq!(speed.map(|it| (it.fi, it.di, it.bits_per_second(4_000))), Some((512, 32, 250_000)));
    }

    #[test]
    fn what_is_none_is_refused() {
        let refused = |text: &str| Atr::parse(&hex::decode(text).unwrap()).unwrap_err();
        assert_eq!(refused(""), AtrError::Length(0));
        assert_eq!(refused(&"3B".repeat(34)), AtrError::Length(34));
        assert_eq!(refused("3C00"), AtrError::Convention(0x3C));
        for cut in ["3BE000FF8131FE", "3B65000020", "3BFF", "3B80"] {
            assert_eq!(refused(cut), AtrError::Truncated, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(first in prop_oneof![Just(0x3Bu8), Just(0x3F), any::<u8>()],
                                       tail in prop::collection::vec(any::<u8>(), 0..40)) {
            let bytes = [vec![first], tail].concat();
            if let Ok(atr) = Atr::parse(&bytes) {
                let _ = (atr.to_string(), atr.objects().len(), atr.ifsc(), atr.speed(), atr.takes_extended());
            }
        }
    }
}
