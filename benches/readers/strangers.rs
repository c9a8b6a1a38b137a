//! The same work done by hosts that we did not write: SELECT, authentication, eight STORE DATA of 186 bytes.

use std::path::PathBuf;
use std::process::Command as Program;
use std::time::{Duration, Instant};

use pcsc::{Card as Bare, Disposition};
use perso::base::chance::Instant as Moment;
use perso::base::{Chance, Clock};
use perso::card::apdu::Command;
use perso::card::channel::{ChallengeCheck, ChannelSpec, Mode, Protocol, SecurityLevel, begin};
use perso::card::sim::{Blank, Hex, KeySet as CardSet, SimCard};
use perso::card::{Card, gp};
use perso::keys::{Diversification, KeySet};
use scll::CardManager;
use scll::backend::{KeyBackend, KeyKind};
use scll::backend_rustcrypto::RustCryptoBackend;
use scll::limits::RAPDU_MAX;
use scll::model::ScpVariant;
use scll::report::ScpTargetKind;
use scll::transport::{AtrAts, Transport, TransportCaps, TransportError, TransportProtocol};
use scll::workflow::{OpenScpArgs, SdKeys};

use crate::blank;
use crate::desk::Desk;
use crate::figures::{head, median, millis, ratio, row};
use crate::support::keys;

const AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x09, 0x99, 0x01, 0x01];
/// The sample keys' KMCs, as they stand.
const KEY: [u8; 16] = *b"@ABCDEFGHIJKLMNO";
const TURNS: usize = 5;
/// How often one turn does the work.
const EACH: usize = 10;

#[derive(Clone, Copy)]
struct Work {
    scp: u8,
    i: u8,
    level: u8,
}

enum Host {
    Scll,
    /// Its environment under target/foreign.
    Python(&'static str),
}

/// Each host beside ours, in turns.
pub fn the_same_work() {
    head("The same authentication and STORE DATA", &["host", "channel", "theirs", "ours", "theirs / ours"]);
    let cases = [
        ("scll", Host::Scll, Work { scp: 2, i: 0x55, level: 0x03 }),
        ("scll", Host::Scll, Work { scp: 3, i: 0x70, level: 0x33 }),
        ("Py-GP", Host::Python("pygp"), Work { scp: 2, i: 0x55, level: 0x03 }),
        ("Py-GP", Host::Python("pygp"), Work { scp: 3, i: 0x00, level: 0x03 }),
        ("yubikit", Host::Python("yubikit"), Work { scp: 3, i: 0x70, level: 0x33 }),
    ];
    for (name, host, work) in cases {
        let channel = format!("SCP{:02X} i={:02X} level {:02X}", work.scp, work.i, work.level);
        if let Host::Python(environment) = host
            && !python(environment).is_file()
        {
            let why = format!("skipped: target/foreign/{environment} is not installed");
            row(&[name.to_owned(), channel, why, "-".into(), "-".into()]);
            continue;
        }
        let desk = Desk::new(0, SimCard::new(work.blank()), Box::new(|_, _| Duration::ZERO));
        let (mut theirs, mut mine) = (Vec::new(), Vec::new());
        for turn in 0..=TURNS {
            desk.put(SimCard::new(work.blank()));
            let a = match host {
                Host::Scll => work.scll(&desk),
                Host::Python(environment) => work.python(&desk, environment),
            };
            desk.put(SimCard::new(work.blank()));
            let b = work.ours(&desk);
            // The first turn warms up.
            if turn > 0 {
                theirs.extend(a);
                mine.extend(b);
            }
        }
        let (theirs, mine) = (median(theirs), median(mine));
        row(&[name.to_owned(), channel, millis(theirs), millis(mine), format!("{:.2}", ratio(theirs, mine))]);
    }
}

/// Grouping 0101 to 0108, each a record with a filler.
fn grouping(number: u8) -> Vec<u8> {
    let filler = [0xC1; 175];
    let mut grouping = vec![0x01, number + 1, 0xB6, 0x70, 0x81, 0xB3, 0x9F, 0x46, 0x81, 0xAF];
    grouping.extend_from_slice(&filler);
    grouping[2] = (grouping.len() - 3) as u8;
    grouping
}

impl Work {
    fn blank(self) -> Blank {
        Blank {
            atr: Hex(hex::decode("3BE000FF8131FE4514").unwrap()),
            // Not every host sends an Le with each command that may answer.
            strict_le: false,
            ..blank::plain(
                CardSet {
                    version: 1,
                    scp: self.scp,
                    i: self.i,
                    s16: false,
                    enc: Hex(KEY.to_vec()),
                    mac: Hex(KEY.to_vec()),
                    dek: Hex(KEY.to_vec()),
                    counter: 3,
                    failed: 0,
                },
                vec![Hex(AID.to_vec())],
            )
        }
    }

    fn ours(self, desk: &Desk) -> Vec<Duration> {
        let store = keys();
        let set = KeySet::find(&store, if self.scp == 2 { "lab-kmc-des" } else { "lab-kmc-aes" }).unwrap();
        let protocol = match self.scp {
            2 => Protocol::scp02(self.i),
            _ => Protocol::scp03(self.i, Mode::S8),
        };
        let protocol = protocol.unwrap();
        let spec = ChannelSpec {
            protocol,
            level: SecurityLevel::new(self.level, protocol).unwrap(),
            key_version: 1,
            check_challenge: ChallengeCheck::Off,
            aid: AID.to_vec(),
            counter_without_data: true,
        };
        let mut card = Card::new(desk.link(), Clock::fixed(Moment(0)));
        let mut chance = Chance::new(random);
        (0..EACH)
            .map(|_| {
                let began = Instant::now();
                assert!(gp::select(&mut card, &AID).unwrap().sw.is_ok());
                let greeting = begin(&mut card, &spec, &mut chance).unwrap();
                let keys = set.card_keys(&store, Diversification::None, greeting.kdd()).unwrap();
                let mut session = greeting.login(&store, keys).unwrap();
                for number in 0..8 {
                    let command = Command::new(0x80, 0xE2, 0x00, number).with_data(grouping(number));
                    assert!(session.transmit(&command).unwrap().sw.is_ok());
                }
                began.elapsed()
            })
            .collect()
    }

    fn scll(self, desk: &Desk) -> Vec<Duration> {
        let backend = RustCryptoBackend::new(Rand);
        let kind = if self.scp == 2 { KeyKind::TripleDesDouble } else { KeyKind::Aes128 };
        let key = backend.import_key(kind, &KEY).unwrap();
        let mut card = desk.bare();
        card.reconnect(pcsc::ShareMode::Exclusive, pcsc::Protocols::ANY, Disposition::ResetCard).unwrap();
        let mut manager = CardManager::new(Bridge(card), backend);
        let variant = match self.scp {
            2 => ScpVariant::Scp02 { i_param: self.i },
            _ => ScpVariant::Scp03 { i_param: self.i },
        };
        (0..EACH)
            .map(|_| {
                let began = Instant::now();
                let opened = manager.open_scp(&OpenScpArgs {
                    target_aid: &AID,
                    target_kind: ScpTargetKind::ApplicationAid,
                    sd_keys: SdKeys { enc: key, mac: key, dek: key },
                    advertised: &[variant],
                    force_scp: None,
                    kvn: 1,
                    requested_level: self.level,
                });
                assert_eq!(opened.unwrap().security_level_effective, self.level);
                for number in 0..8 {
                    let data = grouping(number);
                    let mut command = vec![0x80, 0xE2, 0x00, number, data.len() as u8];
                    command.extend_from_slice(&data);
                    if self.level & 0x10 != 0 {
                        command.push(0);
                    }
                    assert_eq!(manager.transmit(&command).unwrap().sw, 0x9000);
                }
                began.elapsed()
            })
            .collect()
    }

    /// A script that does it as often, and prints how many seconds each took.
    fn python(self, desk: &Desk, environment: &str) -> Vec<Duration> {
        let output = Program::new(python(environment))
            .arg("benches/readers/strangers.py")
            .args([environment, &desk.name(), &format!("{:02X}", self.scp), &EACH.to_string()])
            .args((0..8).map(|number| hex::encode_upper(grouping(number))))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let times: Vec<Duration> = text
            .lines()
            .filter_map(|line| line.strip_prefix("seconds "))
            .map(|seconds| Duration::from_secs_f64(seconds.parse().unwrap()))
            .collect();
        assert_eq!(times.len(), EACH, "{environment}: {text}{told}");
        times
    }
}

fn python(environment: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/foreign").join(environment).join("bin/python3")
}

fn random(buffer: &mut [u8]) -> Result<(), perso::base::chance::ChanceError> {
    rand_core::RngCore::fill_bytes(&mut Rand, buffer);
    Ok(())
}

/// The system's randomness.
struct Rand;

impl rand_core::RngCore for Rand {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        openssl::rand::rand_bytes(buffer).unwrap();
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

impl rand_core::CryptoRng for Rand {}

/// `scll`'s idea of a transport, straight over the PC/SC library.
struct Bridge(Bare);

impl Transport for Bridge {
    fn transmit(&mut self, command: &[u8]) -> Result<heapless::Vec<u8, RAPDU_MAX>, TransportError> {
        let mut buffer = [0; 258];
        let answer = self.0.transmit(command, &mut buffer).map_err(|_| TransportError::CardRemoved)?;
        heapless::Vec::from_slice(answer).map_err(|()| TransportError::ProtocolError)
    }

    fn capabilities(&self) -> TransportCaps {
        TransportCaps { handles_t0_get_response: false, protocol: TransportProtocol::T1, contactless: false }
    }

    fn reset(&mut self) -> Result<AtrAts, TransportError> {
        let lost = |_| TransportError::CardRemoved;
        self.0.reconnect(pcsc::ShareMode::Exclusive, pcsc::Protocols::ANY, Disposition::ResetCard).map_err(lost)?;
        let status = self.0.status2_owned().map_err(lost)?;
        let bytes = heapless::Vec::from_slice(status.atr()).map_err(|()| TransportError::ProtocolError)?;
        Ok(AtrAts { bytes, protocol: TransportProtocol::T1 })
    }

    fn protocol(&self) -> TransportProtocol {
        TransportProtocol::T1
    }

    fn is_connected(&self) -> bool {
        true
    }
}
