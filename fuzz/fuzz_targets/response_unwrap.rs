//! What a card answers within a session, in both protocols at every level: accepted or refused, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perso::base::Secret;
use perso::card::apdu::{Command, Response};
use perso::card::channel::{Mode, Protocol, Scp02, Scp02Keys, Scp03, Scp03Keys, SecurityLevel};

fn key(first: u8) -> Secret<Vec<u8>> {
    Secret::new((first..).take(16).collect())
}

fuzz_target!(|data: &[u8]| {
    let [select, rest @ ..] = data else { return };
    let level = [0x00, 0x01, 0x03, 0x11, 0x13, 0x33][usize::from(select & 0x07) % 6];
    let mode = if select & 0x08 != 0 { Mode::S16 } else { Mode::S8 };
    let command = Command::new(0x80, 0xCA, 0x9F, 0x7F).with_le(256);
    let answers = || rest.split(|byte| *byte == 0x5C).filter_map(|answer| Response::parse(answer).ok());

    let scp02 = Protocol::scp02(0x75).expect("an option of SCP02");
    if let Ok(level) = SecurityLevel::new(level, scp02) {
        let keys = Scp02Keys { enc: key(1), mac: key(2), rmac: key(3) };
        let mut session = Scp02::new(keys, 0x75, level);
        let _ = session.external_authenticate(&[0; 8]);
        for answer in answers() {
            let _ = session.wrap(&command);
            if session.unwrap(answer).is_err() {
                break;
            }
        }
    }
    let scp03 = Protocol::scp03(0x70, mode).expect("an option of SCP03");
    if let Ok(level) = SecurityLevel::new(level, scp03) {
        let keys = Scp03Keys { enc: key(1), mac: key(2), rmac: key(3) };
        let mut session = Scp03::new(keys, mode, level, true);
        let _ = session.external_authenticate(&vec![0; mode.length()]);
        for answer in answers() {
            let _ = session.wrap(&command);
            if session.unwrap(answer).is_err() {
                break;
            }
        }
    }
});
