//! Cards that come into the place of the one which a job began with.

use perso::base::Chance;
use perso::card::sim::{CardFile, Entry};
use perso::issuance::blank::{self, Wanted};

use super::{Bench, changes_card};

/// Three that would pass for it: one that the same order was made on before, a blank of the same stock, and one that the
/// same order was loaded on, which nobody has read back yet.
pub fn others(bench: &Bench) -> [(&'static str, CardFile); 3] {
    let whole = bench.run(&[]).card;
    let last = whole.state.diary.iter().rposition(|entry| entry.ins == 0xE2).unwrap() + 1;
    let loaded = bench.run(&[format!("cut after {last}")]).card;
    let serial = Some([9, 9, 9, 9]);
    let wanted = Wanted { profile: &bench.profile, aids: blank::aids(&bench.record), master: None, serial };
    let another = blank::make(&wanted, &bench.store, &mut Chance::fixed(Vec::new())).unwrap();
    let renamed = |mut card: CardFile| {
        card.blank.cplc.0[13] ^= 0xFF;
        card
    };
    [("a made card", renamed(whole)), ("a blank", another.file().clone()), ("a loaded card", renamed(loaded))]
}

/// Exchanges of a job, counted from 1, at which the chip's identity is asked for.
pub fn identifications(diary: &[Entry]) -> Vec<usize> {
    (1..=diary.len()).filter(|n| matches!(diary[n - 1], Entry { ins: 0xCA, p1: 0x9F, p2: 0x7F, .. })).collect()
}

/// Design, section 5: what a failure means after so many state-changing commands, to whichever card they were handed.
pub fn state_after(handed: usize, planned: usize) -> &'static str {
    match handed {
        0 => "untouched",
        handed if handed < planned => "spoiled",
        _ => "in-doubt",
    }
}

/// State-changing commands that a card was handed.
pub fn changing(card: &CardFile) -> usize {
    card.state.diary.iter().filter(|entry| changes_card(entry.ins)).count()
}
