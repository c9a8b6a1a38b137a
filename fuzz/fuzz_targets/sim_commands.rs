//! Any commands, one after the other, to a simulated card: a status word each, never a panic.
//!
//! The first byte says which card: a blank, or a personalized one with contacts, over the antenna, of either scheme.

#![no_main]

#[path = "../../tests/support/blank.rs"]
mod blank;
#[path = "../common.rs"]
mod common;
#[path = "../../tests/support/emv_card.rs"]
mod emv_card;

use emv_card::Loaded;
use libfuzzer_sys::fuzz_target;
use perso::card::sim::SimCard;

const KEY: &str = "0275CDC8570E3BDFF231619285D3649D";

fn card(kind: u8) -> SimCard {
    let visa = || Loaded::new([KEY; 3], "06010A03A00000", "3D00").with_rsa(0x82).with("0D01", "9F580105");
    let mastercard = || {
        Loaded::new([KEY; 3], "0110A00003220000000000000000000000FF", "3D80")
            .with_rsa(0x82)
            .with("A001", "000000000000000BB111BA")
            .with("A002", KEY)
    };
    match kind & 7 {
        1 => visa().card(),
        2 => visa().with("9103", "A5079F38049F66049F3704").over_antenna().card(),
        3 => mastercard().card(),
        4 => mastercard().with_rsa(0x84).over_antenna().card(),
        _ => {
            let mut card = common::BENCH.blank();
            card.reset();
            card
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let mut card = card(*kind);
    while let [length, tail @ ..] = rest {
        let (command, after) = tail.split_at(usize::from(*length).min(tail.len()));
        assert!(card.process(command).len() >= 2);
        rest = after;
    }
});
