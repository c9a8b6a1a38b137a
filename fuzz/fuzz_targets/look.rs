//! A card that answers anything is looked into: there is an end, and nothing that stands in its sensitive objects is shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::base::Clock;
use perso::base::chance::Instant;
use perso::base::codec::tlv::Tag;
use perso::base::emv::{Taboo, words};
use perso::card::Card;
use perso::card::emv::view::card_data;
use perso::card::emv::{Terminal, Wanted, read_contents};
use perso::card::gp;
use perso::card::gp::view::card_info;
use perso::card::transport::{LinkError, Transport};

/// Takes its answers from the input: a length and so many bytes, over and over; `9000` where there are none.
struct Answers {
    data: Vec<u8>,
    at: usize,
    /// Exchanges that are left; every walk must end before that.
    left: u32,
}

impl Transport for Answers {
    fn transmit(&mut self, _command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.left = self.left.checked_sub(1).expect("the walk has no end");
        let Some(&length) = self.data.get(self.at % self.data.len().max(1)) else { return Ok(vec![0x90, 0x00]) };
        self.at += 1;
        let from = self.at % self.data.len();
        let to = (from + usize::from(length & 0x7F)).min(self.data.len());
        self.at += to - from;
        let mut answer = self.data[from..to].to_vec();
        if length & 0x80 == 0 {
            answer.extend([0x90, 0x00]);
        }
        Ok(answer)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        Ok(self.data.iter().take(40).copied().collect())
    }
}

fn card(data: &[u8]) -> Card {
    let link = Answers { data: data.to_vec(), at: 0, left: 1_000_000 };
    Card::new(Box::new(link), Clock::fixed(Instant(1)))
}

fuzz_target!(|data: &[u8]| {
    if let Ok(look) = gp::look(&mut card(data)) {
        let _ = serde_json::to_string(&card_info(&look, (2026, 328), true)).expect("it is JSON");
    }
    let terminal = Terminal { date: [0x26, 0x11, 0x24], unpredictable: [1, 2, 3, 4] };
    let wanted = Wanted { aids: vec![vec![0xA0, 0x00, 0x00, 0x00, 0x03]], candidates: false };
    if let Ok(contents) = read_contents(&mut card(data), &terminal, &wanted) {
        let _ = serde_json::to_string(&card_data(&contents, true)).expect("it is JSON");
    }
    let _ = gp::CardCapability::parse(data);
    let _ = gp::CardResources::parse(data);
    for tag in [0x82, 0x8C, 0x8E, 0x94, 0x9F07, 0x9F0D, 0x9F38, 0x5F24, 0x87] {
        let _ = words(Tag::of(tag), data);
        let _ = Taboo::default().show(Tag::of(tag), data);
    }
});
