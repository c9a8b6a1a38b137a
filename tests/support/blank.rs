//! A blank with nothing special about it: T=1 over contacts, short commands, an Le where an answer may come. Who needs more
//! says so on top of it.

use perso::card::sim::{Blank, EmvOptions, Hex, KeySet};

/// A blank with this key set and these applications, none of them personalized.
pub fn plain(key_set: KeySet, applications: Vec<Hex>) -> Blank {
    Blank {
        atr: Hex(vec![0x3B, 0x80, 0x80, 0x01, 0x01]),
        cplc: Hex(vec![0; 42]),
        kdd: Hex((0..10).collect()),
        domain: Hex(vec![0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00]),
        key_sets: vec![key_set],
        applications,
        contactless_atr: None,
        t0: false,
        memory: None,
        extended: false,
        strict_le: true,
        gpo_format_1: false,
        r_mac_on_errors: false,
        no_card_data: false,
        attempts: 10,
        seed: 1,
        ignores_challenge_option: false,
        fixed_challenge: None,
        emv: EmvOptions::default(),
    }
}
