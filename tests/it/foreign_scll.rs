//! A host that we did not write, on our simulated card: the crate `scll` in process.
//!
//! What `scll` cannot do, and so is not shown here: SCP02 with other options than the one it is told (there is no check
//! against the answer), key versions by card data, extended APDUs, groupings under the DEK (it enciphers keys only, for PUT
//! KEY), and level 11 in SCP02, which it lowers to 01. It takes S16 from bit 08 of `i`, where cards are seen with bit 01; the
//! blanks here state bit 08 for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::blank;
use crate::scll_support;

use std::sync::{Arc, Mutex};

use perso::card::sim::{Blank, FaultRule, Hex, KeySet, SimCard, SimTransport};
use perso::card::transport::Transport as _;
use scll::CardManager;
use scll::backend::{KeyBackend, KeyKind};
use scll::backend_rustcrypto::RustCryptoBackend;
use scll::error::ScllError;
use scll::model::ScpVariant;
use scll::report::ScpTargetKind;
use scll::workflow::{OpenScpArgs, SdKeys};
use scll_support::{Bridge, Counting};

const AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x09, 0x99, 0x01, 0x01];

struct Case {
    scp: u8,
    i: u8,
    kind: KeyKind,
    length: usize,
    level: u8,
}

impl Case {
    fn name(&self) -> String {
        format!("SCP{:02X} i={:02X} {} bytes level {:02X}", self.scp, self.i, self.length, self.level)
    }

    fn key(&self) -> Vec<u8> {
        (0x40u8..).take(self.length).collect()
    }

    fn blank(&self) -> Blank {
        Blank {
            // scll drops the Le of a command that it wraps for SCP02, even where the answer will carry an R-MAC.
            strict_le: self.scp == 3 || self.level & 0x10 == 0,
            ..blank::plain(
                KeySet {
                    version: 1,
                    scp: self.scp,
                    i: self.i,
                    s16: self.scp == 3 && self.i & 0x08 != 0,
                    enc: Hex(self.key()),
                    mac: Hex(self.key()),
                    dek: Hex(self.key()),
                    counter: 3,
                    failed: 0,
                },
                vec![Hex(AID.to_vec())],
            )
        }
    }

    /// Opens the channel with `scll`; what comes back has it open.
    fn open(&self, key: &[u8], faults: &[&str]) -> (Result<Manager, ScllError>, Arc<Mutex<SimCard>>) {
        let rules = faults.iter().map(|rule| FaultRule::parse(rule).unwrap()).collect();
        let mut transport = SimTransport::memory(SimCard::new(self.blank())).with_faults(rules);
        let inside = transport.card();
        transport.reset().unwrap();
        let backend = RustCryptoBackend::new(Counting(42));
        let handle = backend.import_key(self.kind, key).unwrap();
        let mut manager = CardManager::new(Bridge(Box::new(transport)), backend);
        let variant = match self.scp {
            2 => ScpVariant::Scp02 { i_param: self.i },
            _ => ScpVariant::Scp03 { i_param: self.i },
        };
        let opened = manager.open_scp(&OpenScpArgs {
            target_aid: &AID,
            target_kind: ScpTargetKind::ApplicationAid,
            sd_keys: SdKeys { enc: handle, mac: handle, dek: handle },
            advertised: &[variant],
            force_scp: None,
            kvn: 1,
            requested_level: self.level,
        });
        let opened = opened.map(|effective| {
            assert_eq!(effective.security_level_effective, self.level, "{}: another level was opened", self.name());
            manager
        });
        (opened, inside)
    }
}

type Manager = CardManager<Bridge, RustCryptoBackend<Counting>>;

/// Every level that both sides know.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, levels) in [(0x15, [0x01, 0x03, 0x13]), (0x55, [0x01, 0x03, 0x13])] {
        for level in levels {
            cases.push(Case { scp: 2, i, kind: KeyKind::TripleDesDouble, length: 16, level });
        }
    }
    for (kind, length) in [(KeyKind::Aes128, 16), (KeyKind::Aes192, 24), (KeyKind::Aes256, 32)] {
        for s16 in [0x00, 0x08] {
            for level in [0x01, 0x03, 0x11, 0x13, 0x33] {
                cases.push(Case { scp: 3, i: 0x70 | s16, kind, length, level });
            }
        }
    }
    cases
}

const RECORD: &str = "70105A0847617390010101195F2403301231";
const FCI: &str = "A50E500C53414D504C45204445424954";
const OPTIONS: &str = "82021800940408010100";

/// Clear groupings of a small application, and its keys' check values left out.
fn groupings() -> Vec<Vec<u8>> {
    [("0101", RECORD), ("9104", OPTIONS), ("9102", FCI)]
        .iter()
        .map(|(dgi, value)| hex::decode(format!("{dgi}{:02X}{value}", value.len() / 2)).unwrap())
        .collect()
}

fn store_data(p1: u8, p2: u8, data: &[u8], le: bool) -> Vec<u8> {
    let mut command = vec![0x80, 0xE2, p1, p2, data.len() as u8];
    command.extend_from_slice(data);
    if le {
        command.push(0);
    }
    command
}

#[test]
fn a_foreign_host_personalizes_our_card() {
    for case in cases() {
        let (manager, inside) = case.open(&case.key(), &[]);
        let mut manager = manager.unwrap_or_else(|error| panic!("{}: {error:?}", case.name()));
        for (number, grouping) in groupings().iter().enumerate() {
            let p1 = if number == 2 { 0x80 } else { 0x00 };
            let command = store_data(p1, number as u8, grouping, case.level & 0x10 != 0);
            let report = manager.transmit(&command).unwrap_or_else(|error| panic!("{}: {error:?}", case.name()));
            assert_eq!(report.sw, 0x9000, "{}: STORE DATA {number}", case.name());
        }
        let mut card = inside.lock().unwrap();
        assert!(card.file().state.applications[0].personalized, "{}", case.name());
        card.reset();
        let mut shown = |command: &str| hex::encode_upper(card.process(&hex::decode(command).unwrap()));
        assert_eq!(shown("00A4040007A000000999010100"), format!("6F198407A0000009990101{FCI}9000"));
        assert_eq!(shown("00B2010C00"), format!("{RECORD}9000"), "{}", case.name());
        assert_eq!(shown("80A8000002830000"), "770A820218009404080101009000");
    }
}

#[test]
fn a_foreign_host_with_a_wrong_key_is_refused() {
    for case in cases() {
        let mut key = case.key();
        key.iter_mut().for_each(|byte| *byte ^= 0x02);
        let (manager, inside) = case.open(&key, &[]);
        assert!(manager.is_err(), "{}", case.name());
        assert_eq!(inside.lock().unwrap().file().blank.key_sets[0].failed, 0, "scll checks the card's cryptogram too");
    }
}

#[test]
fn a_foreign_host_hears_of_a_flipped_bit() {
    for case in cases() {
        // SELECT, INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, then the first STORE DATA.
        let (manager, inside) = case.open(&case.key(), &["flip 8.0 of command 4"]);
        let mut manager = manager.unwrap_or_else(|error| panic!("{}: {error:?}", case.name()));
        let command = store_data(0x00, 0x00, &groupings()[0], case.level & 0x10 != 0);
        let refused = match manager.transmit(&command) {
            Ok(report) => report.sw == 0x6982,
            Err(_) => true,
        };
        assert!(refused, "{}: the card took a changed command", case.name());
        assert!(inside.lock().unwrap().file().state.applications[0].groupings.is_empty(), "{}", case.name());
    }
}
