//! Cards that wish a host ill, from a seed: garbage, answers without end, bombs, another chip each time, no answer.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use perso::card::sim::{SimCard, SimTransport};
use perso::card::transport::{LinkError, Transport};

/// What a card does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Random bytes and status words.
    Garbage,
    /// Answers of 65,536 bytes.
    Huge,
    /// 61xx to everything.
    More,
    /// 6Cxx to everything.
    WrongLe,
    /// 6Cxx, then one byte and 61xx without end.
    Drip,
    /// An FCI that fits, and thousands of objects or levels of templates in everything.
    Bomb,
    /// 32 records of a PSE, each as full of AIDs as it can be; every AID can be selected.
    Directory,
    /// Another CPLC each time.
    OtherChip,
    /// 9000 to everything, without data.
    Lax,
    /// STORE DATA is answered with success and never carried out, but everything else is.
    Forgetful,
    /// The last STORE DATA of each application is answered with success and dropped.
    NeverEnds,
    /// No answer, from some command on.
    Mute,
    /// Every answer comes late.
    Slow,
    /// Less than a status word.
    Short,
    /// A good card's answers with flipped bits.
    Flipped,
    /// Registry and tags without end, once it is logged in to.
    Endless,
}

/// All of them.
pub const KINDS: [Kind; 16] = [
    Kind::Garbage,
    Kind::Huge,
    Kind::More,
    Kind::WrongLe,
    Kind::Drip,
    Kind::Bomb,
    Kind::Directory,
    Kind::OtherChip,
    Kind::Lax,
    Kind::Forgetful,
    Kind::NeverEnds,
    Kind::Mute,
    Kind::Slow,
    Kind::Short,
    Kind::Flipped,
    Kind::Endless,
];

/// A hostile card.
pub struct Hostile {
    kind: Kind,
    state: u64,
    card: SimTransport,
    number: u64,
    pause: Duration,
}

impl Hostile {
    /// The card of a seed. Behind it is a good one, which some kinds make use of. `pause` is how late a slow card is.
    pub fn new(seed: u64, card: SimCard, pause: Duration) -> Self {
        let kind = KINDS[seed as usize % KINDS.len()];
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self { kind, state, card: SimTransport::memory(card), number: 0, pause }
    }

    /// What it does.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn answer(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        let ins = command.get(1).copied().unwrap_or_default();
        let aid = command.get(5..).map(|data| data.strip_suffix(&[0]).unwrap_or(data)).unwrap_or_default().to_vec();
        let kind = self.kind;
        Ok(match kind {
            Kind::Garbage => {
                let length = self.next() as usize % 300;
                let words = [0x9000u16, 0x6283, 0x6310, 0x6110, 0x6C10, 0x6A82, 0x6985, 0x0000, 0xFFFF];
                let sw = words[self.next() as usize % words.len()];
                [self.bytes(length), sw.to_be_bytes().to_vec()].concat()
            }
            Kind::Huge => [vec![self.next() as u8; 65_536], vec![0x90, 0x00]].concat(),
            Kind::More => [self.bytes(16), vec![0x61, 0x10]].concat(),
            Kind::WrongLe => vec![0x6C, self.next() as u8],
            Kind::Drip if ins != 0xC0 && self.number.is_multiple_of(2) => vec![0x6C, 0x01],
            Kind::Drip => {
                std::thread::sleep(self.pause / 20);
                vec![0xAA, 0x61, 0x01]
            }
            Kind::Bomb => self.bomb(ins, &aid),
            Kind::Directory => self.directory(ins, &aid),
            Kind::Lax => vec![0x90, 0x00],
            Kind::Short => self.bytes(self.number as usize % 2),
            Kind::Mute if self.number > 3 + self.state % 20 => {
                std::thread::sleep(self.pause * 8);
                return Err(LinkError::CardLost("mute".into()));
            }
            Kind::Slow => {
                std::thread::sleep(self.pause);
                self.card.transmit(command)?
            }
            Kind::Forgetful if ins == 0xE2 => vec![0x90, 0x00],
            Kind::NeverEnds if ins == 0xE2 && command.get(2).is_some_and(|p1| p1 & 0x80 != 0) => vec![0x90, 0x00],
            Kind::Endless if ins == 0xF2 => {
                let entry = [0xE3, 0x0C, 0x4F, 0x05, 0xA0, 0x00, 0x00, 0x00, 0x03, 0x9F, 0x70, 0x01, 0x07, 0xC5];
                [entry.repeat(4_000), vec![0x63, 0x10]].concat()
            }
            Kind::OtherChip | Kind::Flipped | Kind::Mute | Kind::Forgetful | Kind::NeverEnds | Kind::Endless => {
                let mut answer = self.card.transmit(command)?;
                if self.kind == Kind::OtherChip && command.starts_with(&[0x80, 0xCA, 0x9F, 0x7F]) && answer.len() > 20 {
                    answer[15] = self.next() as u8;
                    answer[16] = self.next() as u8;
                }
                if self.kind == Kind::Flipped && self.next().is_multiple_of(4) {
                    let at = self.next() as usize % answer.len();
                    answer[at] ^= 1 << (self.next() % 8);
                }
                answer
            }
        })
    }

    /// An FCI with the name that was asked for, and something in it.
    fn fci(aid: &[u8], inside: &[u8]) -> Vec<u8> {
        let name = if aid.is_empty() { &[0xA0, 0, 0, 0x01, 0x51, 0, 0, 0][..] } else { aid };
        let proprietary = [&[0xA5, 0x82], &(inside.len() as u16).to_be_bytes()[..], inside].concat();
        let whole = [&[0x84, name.len() as u8], name, &proprietary].concat();
        [&[0x6F, 0x82], &(whole.len() as u16).to_be_bytes()[..], &whole, &[0x90, 0x00]].concat()
    }

    fn bomb(&mut self, ins: u8, aid: &[u8]) -> Vec<u8> {
        let objects = match self.next() % 4 {
            0 => [0xC0, 0x00].repeat(900),
            // Names and PANs, to be looked for in everything else.
            1 => [&[0x5F, 0x20, 0x06][..], &self.bytes(6)].concat().repeat(200),
            2 => (0..130u8)
                .flat_map(|n| [&[0x5A, 0x08, 0x41, 0x11, 0x11, 0x11, 0x11, 0x11][..], &[n, 0x10]].concat())
                .collect(),
            _ => (0..900).flat_map(|_| [0x70, 0x82, 0x07, 0x00]).collect(),
        };
        match ins {
            0xA4 => Self::fci(aid, if self.next().is_multiple_of(2) { &objects } else { &[0x88, 0x01, 0x01] }),
            // Every file, every record.
            0xA8 => {
                let afl: Vec<u8> = (1..=30u8).flat_map(|sfi| [sfi << 3, 1, 0xFF, 0]).collect();
                [
                    &[0x77, 0x81, (6 + afl.len() + 1) as u8, 0x82, 0x02, 0x7D, 0x00, 0x94, 0x81, afl.len() as u8][..],
                    &afl,
                    &[0x90, 0x00],
                ]
                .concat()
            }
            _ => [&[0x70, 0x82], &(objects.len() as u16).to_be_bytes()[..], &objects, &[0x90, 0x00]].concat(),
        }
    }

    fn directory(&mut self, ins: u8, aid: &[u8]) -> Vec<u8> {
        match ins {
            0xA4 => Self::fci(aid, &[0x88, 0x01, 0x01]),
            0xB2 => {
                let entries: Vec<u8> = (0..220)
                    .flat_map(|_| {
                        let name = self.bytes(4);
                        [&[0x61, 0x07, 0x4F, 0x05, 0xA0][..], &name].concat()
                    })
                    .collect();
                [&[0x70, 0x82], &(entries.len() as u16).to_be_bytes()[..], &entries, &[0x90, 0x00]].concat()
            }
            _ => vec![0x6A, 0x88],
        }
    }
}

impl Transport for Hostile {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.number += 1;
        self.answer(command)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.card.reset()
    }
}
