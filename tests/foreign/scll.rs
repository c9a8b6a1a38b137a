//! The crate `scll` over PC/SC; tests/it/foreign_scll.rs has more of it in process.

use perso::card::transport::Transport as Link;
use scll::CardManager;
use scll::backend::{KeyBackend, KeyKind};
use scll::backend_rustcrypto::RustCryptoBackend;
use scll::model::ScpVariant;
use scll::report::ScpTargetKind;
use scll::workflow::{OpenScpArgs, SdKeys};

use super::hosts::{AID, Channel, FLIP, GROUPINGS, made, untouched};
use super::scll_support::{Bridge, Counting};
use super::table::Table;

const VERSION: &str = "1.0.5";
const CHANNELS: [Channel; 6] = [
    Channel { scp: 2, i: 0x55, level: 0x01 },
    Channel { scp: 2, i: 0x55, level: 0x03 },
    Channel { scp: 2, i: 0x55, level: 0x13 },
    Channel { scp: 3, i: 0x70, level: 0x01 },
    Channel { scp: 3, i: 0x70, level: 0x03 },
    Channel { scp: 3, i: 0x70, level: 0x33 },
];

enum Ended {
    NotOpened,
    NotStored,
    Stored,
}

fn talk(link: Box<dyn Link>, channel: Channel, key: &[u8]) -> Ended {
    let kind = if channel.scp == 2 { KeyKind::TripleDesDouble } else { KeyKind::Aes128 };
    let backend = RustCryptoBackend::new(Counting(42));
    let handle = backend.import_key(kind, key).unwrap();
    let mut manager = CardManager::new(Bridge(link), backend);
    let variant = match channel.scp {
        2 => ScpVariant::Scp02 { i_param: channel.i },
        _ => ScpVariant::Scp03 { i_param: channel.i },
    };
    let opened = manager.open_scp(&OpenScpArgs {
        target_aid: &hex::decode(AID).unwrap(),
        target_kind: ScpTargetKind::ApplicationAid,
        sd_keys: SdKeys { enc: handle, mac: handle, dek: handle },
        advertised: &[variant],
        force_scp: None,
        kvn: 1,
        requested_level: channel.level,
    });
    let Ok(opened) = opened else { return Ended::NotOpened };
    assert_eq!(opened.security_level_effective, channel.level, "another level was opened");
    for (number, grouping) in GROUPINGS.iter().enumerate() {
        let last = if number + 1 == GROUPINGS.len() { 0x80 } else { 0 };
        let mut command = vec![0x80, 0xE2, last, number as u8, (grouping.len() / 2) as u8];
        command.extend(hex::decode(grouping).unwrap());
        if channel.level & 0x10 != 0 {
            command.push(0);
        }
        match manager.transmit(&command) {
            Ok(report) if report.sw == 0x9000 => {}
            _ => return Ended::NotStored,
        }
    }
    Ended::Stored
}

pub fn run(table: &mut Table) {
    for channel in CHANNELS {
        let title = format!("SCP{:02X} i={:02X} level {:02X}", channel.scp, channel.i, channel.level);
        table.attempt("scll", VERSION, &format!("{title}: authenticate, STORE DATA"), || {
            let card = channel.insert(&[]);
            match talk(card.link().map_err(|error| error.to_string())?, channel, &channel.key()) {
                Ended::Stored => made(&card.file()),
                Ended::NotOpened => Err("the channel was not opened".into()),
                Ended::NotStored => Err("STORE DATA was refused".into()),
            }
        });
        table.attempt("scll", VERSION, &format!("{title}: a wrong key is refused"), || {
            let card = channel.insert(&[]);
            match talk(card.link().map_err(|error| error.to_string())?, channel, &channel.wrong_key()) {
                Ended::NotOpened => untouched(&card.file()),
                _ => Err("the channel was opened".into()),
            }
        });
        table.attempt("scll", VERSION, &format!("{title}: a flipped bit is refused"), || {
            let card = channel.insert(&[FLIP]);
            match talk(card.link().map_err(|error| error.to_string())?, channel, &channel.key()) {
                Ended::NotStored => untouched(&card.file()),
                Ended::NotOpened => Err("the channel was not opened".into()),
                Ended::Stored => Err("the card took a changed command".into()),
            }
        });
    }
}
