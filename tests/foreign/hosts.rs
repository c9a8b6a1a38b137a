//! Hosts that open a secure channel and store data: yubikit, Py-GP, and a small one of our own on pyscard. And the cards
//! that every host gets.

use perso::card::sim::{Blank, CardFile, Hex, KeySet, SimCard};

use super::blank;
use super::readers::{How, Inserted, insert, name};
use super::table::Table;
use super::{hold, installed, output, support};

pub const AID: &str = "A0000009990101";
pub const DOMAIN: &str = "A000000151000000";
/// Clear groupings of a small application.
pub const GROUPINGS: [&str; 3] = [
    "01011270105A0847617390010101195F2403301231",
    "91040A82021800940408010100",
    "910210A50E500C53414D504C45204445424954",
];
/// A bit of the first STORE DATA, after SELECT, INITIALIZE UPDATE and EXTERNAL AUTHENTICATE.
pub const FLIP: &str = "flip 8.0 of command 4";
/// The same where the security domain is selected first, whatever comes then.
const FLIP_LATER: &str = "flip 8.0 of command 5";

/// A channel that a host and the card speak.
#[derive(Clone, Copy)]
pub struct Channel {
    pub scp: u8,
    pub i: u8,
    pub level: u8,
}

impl Channel {
    pub fn key(self) -> Vec<u8> {
        (0x40..0x50).collect()
    }

    pub fn wrong_key(self) -> Vec<u8> {
        self.key().iter().map(|byte| byte ^ 0x02).collect()
    }

    /// A blank with these keys in a reader.
    pub fn insert(self, faults: &[&str]) -> Inserted {
        let faults = faults.iter().map(|&rule| rule.to_owned()).collect();
        insert(0, SimCard::new(self.blank()), How { faults, ..How::default() })
    }

    pub fn blank(self) -> Blank {
        let hex = |text: &str| Hex(hex::decode(text).unwrap());
        let key = Hex(self.key());
        Blank {
            // T=1 only.
            atr: hex("3B800181"),
            domain: hex(DOMAIN),
            // yubikit sends no Le; scll and Py-GP not always.
            strict_le: false,
            ..blank::plain(
                KeySet {
                    version: 1,
                    scp: self.scp,
                    i: self.i,
                    s16: false,
                    enc: key.clone(),
                    mac: key.clone(),
                    dek: key,
                    counter: 3,
                    failed: 0,
                },
                vec![hex(AID)],
            )
        }
    }
}

/// The card has everything now, and shows it.
pub fn made(file: &CardFile) -> Result<(), String> {
    let mut card = SimCard::of(file.clone());
    card.reset();
    let mut shown = |command: &str| hex::encode_upper(card.process(&hex::decode(command).unwrap()));
    shown(&format!("00A4040007{AID}00"));
    let record = shown("00B2010C00");
    hold(record == format!("{}9000", &GROUPINGS[0][6..]), "the record is not what was stored", &record)
}

/// The card has nothing.
pub fn untouched(file: &CardFile) -> Result<(), String> {
    hold(file.state.applications[0].groupings.is_empty(), "the card has stored something", "")
}

/// A host as a Python script beside this file.
struct Host {
    who: &'static str,
    version: &'static str,
    place: &'static str,
    script: &'static str,
    channels: &'static [Channel],
    /// What the script wants to know of the channel.
    tells_channel: bool,
    flip: &'static str,
}

const HOSTS: [Host; 2] = [
    Host {
        who: "yubikit",
        version: "5.9.2",
        place: "yubikit",
        script: "yubikit_store.py",
        channels: &[Channel { scp: 3, i: 0x70, level: 0x33 }],
        tells_channel: false,
        flip: FLIP,
    },
    Host {
        who: "Py-GP",
        version: "1.0.0",
        place: "pygp",
        script: "pygp_store.py",
        channels: &[
            Channel { scp: 2, i: 0x15, level: 0x01 },
            Channel { scp: 2, i: 0x15, level: 0x03 },
            Channel { scp: 2, i: 0x55, level: 0x01 },
            Channel { scp: 2, i: 0x55, level: 0x03 },
            Channel { scp: 3, i: 0x00, level: 0x01 },
            Channel { scp: 3, i: 0x00, level: 0x03 },
        ],
        tells_channel: true,
        flip: FLIP_LATER,
    },
];

impl Host {
    fn talk(&self, python: &str, channel: Channel, key: &[u8]) -> Result<(i32, String), String> {
        let script = support::file_of("tests/foreign").join(self.script);
        let mut arguments = vec![script.display().to_string(), name(0), AID.into(), hex::encode_upper(key)];
        if self.tells_channel {
            arguments.extend([format!("{:02X}", channel.i), format!("{:02X}", channel.level)]);
        }
        arguments.extend(GROUPINGS.map(str::to_owned));
        output(python, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// What is done with a host's Python.
type Check<'a> = &'a dyn Fn(&str) -> Result<(), String>;

pub fn run(table: &mut Table) {
    for host in &HOSTS {
        let python = installed(&format!("{}/bin/python", host.place)).map(|path| path.display().to_string());
        for &channel in host.channels {
            let title = format!("SCP{:02X} i={:02X} level {:02X}", channel.scp, channel.i, channel.level);
            let checks: [(&str, Check<'_>); 3] = [
                ("authenticate, STORE DATA", &|python| {
                    let card = channel.insert(&[]);
                    let (code, text) = host.talk(python, channel, &channel.key())?;
                    hold(code == 0 && text.contains("stored"), "it did not come to its end", &text)?;
                    made(&card.file())
                }),
                ("a wrong key is refused", &|python| {
                    let card = channel.insert(&[]);
                    let (code, text) = host.talk(python, channel, &channel.wrong_key())?;
                    hold(
                        code == 3 && text.contains("refused") && !text.contains("authenticated"),
                        "not refused",
                        &text,
                    )?;
                    untouched(&card.file())
                }),
                ("a flipped bit is refused", &|python| {
                    let card = channel.insert(&[host.flip]);
                    let (code, text) = host.talk(python, channel, &channel.key())?;
                    hold(code == 4 && text.contains("store 6982"), "not refused with 6982", &text)?;
                    untouched(&card.file())
                }),
            ];
            for (what, check) in checks {
                let what = format!("{title}: {what}");
                match &python {
                    Some(python) => table.attempt(host.who, host.version, &what, || check(python)),
                    None => table.skip(host.who, host.version, &what, "it could not be installed"),
                }
            }
        }
    }
}
