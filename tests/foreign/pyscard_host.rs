//! A host of our own on pyscard, with the habits of gpshell, GlobalPlatformPro and pySim: SELECT without Le, EXTERNAL
//! AUTHENTICATE with Le, GET STATUS with a tag list, GET RESPONSE in the class of its command; over T=0 and T=1.

use perso::card::sim::{Blank, Hex, SimCard};

use super::hosts::{AID, Channel, DOMAIN, GROUPINGS, made, untouched};
use super::readers::{How, Inserted, insert, name};
use super::table::Table;
use super::{hold, installed, output, support};

const CHANNELS: [Channel; 3] = [
    Channel { scp: 2, i: 0x15, level: 0x01 },
    Channel { scp: 2, i: 0x55, level: 0x01 },
    Channel { scp: 3, i: 0x70, level: 0x01 },
];
/// A bit of the first STORE DATA, for a host that lists the security domain's applications before: SELECT, GET STATUS, INITIALIZE UPDATE,
/// EXTERNAL AUTHENTICATE, GET STATUS, SELECT, INITIALIZE UPDATE, EXTERNAL AUTHENTICATE; then STORE DATA.
const FLIP_T1: &str = "flip 8.0 of command 9";
/// Over T=0 each of the two INITIALIZE UPDATE and SELECT, and the second GET STATUS, is followed by GET RESPONSE.
const FLIP_T0: &str = "flip 8.0 of command 14";

/// The card in its reader.
fn card(channel: Channel, t0: bool, faults: &[&str]) -> Inserted {
    let blank = Blank { strict_le: true, ..channel.blank() };
    // T=0 only.
    let blank = if t0 { Blank { t0, atr: Hex(vec![0x3B, 0x60, 0x00, 0x00]), ..blank } } else { blank };
    insert(
        0,
        SimCard::new(blank),
        How { faults: faults.iter().map(|&rule| rule.to_owned()).collect(), ..How::default() },
    )
}

fn talk(python: &str, channel: Channel, t0: bool, key: &[u8]) -> Result<(i32, String), String> {
    let script = support::file_of("tests/foreign/pyscard_host.py").display().to_string();
    let protocol = if t0 { "T0" } else { "T1" };
    let (reader, key, i) = (name(0), hex::encode_upper(key), format!("{:02X}", channel.i));
    let mut arguments = vec![script.as_str(), &reader, protocol, DOMAIN, AID, &key, &i];
    arguments.extend(GROUPINGS);
    output(python, &arguments)
}

pub fn run(table: &mut Table) {
    let python = installed("yubikit/bin/python").map(|path| path.display().to_string());
    for channel in CHANNELS {
        for t0 in [true, false] {
            let protocol = if t0 { "T=0" } else { "T=1" };
            let title = format!("SCP{:02X} i={:02X} level 01, {protocol}", channel.scp, channel.i);
            let mut attempt = |what: &str, work: &dyn Fn(&str) -> Result<(), String>| {
                let (who, version, what) = ("host on pyscard", "2.3.1", format!("{title}: {what}"));
                match &python {
                    Some(python) => table.attempt(who, version, &what, || work(python)),
                    None => table.skip(who, version, &what, "it could not be installed"),
                }
            };
            attempt("GET STATUS with a tag list, authenticate, STORE DATA", &|python| {
                let card = card(channel, t0, &[]);
                let (code, text) = talk(python, channel, t0, &channel.key())?;
                hold(code == 0 && text.contains("stored"), "it did not come to its end", &text)?;
                let listed = text.lines().filter(|line| line.starts_with("listed ")).collect::<Vec<_>>();
                // Tags 4F and 9F70 alone were asked for.
                hold(listed == [format!("listed E3 4F={AID} 9F70=07")], "not the one application", &text)?;
                made(&card.file())
            });
            attempt("a wrong key is refused", &|python| {
                let card = card(channel, t0, &[]);
                let (code, text) = talk(python, channel, t0, &channel.wrong_key())?;
                hold(code == 3 && text.contains("refused") && !text.contains("authenticated"), "not refused", &text)?;
                untouched(&card.file())
            });
            attempt("a flipped bit is refused", &|python| {
                let card = card(channel, t0, &[if t0 { FLIP_T0 } else { FLIP_T1 }]);
                let (code, text) = talk(python, channel, t0, &channel.key())?;
                hold(code == 4 && text.contains("store 6982"), "not refused with 6982", &text)?;
                untouched(&card.file())
            });
        }
    }
}
