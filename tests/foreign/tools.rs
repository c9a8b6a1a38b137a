//! Tools of every day: pyscard, opensc-tool, pcsc_scan. They list, reset and exchange.

use super::hosts::Channel;
use super::readers::name;
use super::table::Table;
use super::{hold, installed, output, support};

const CARD: Channel = Channel { scp: 3, i: 0x70, level: 0x33 };
const ATR: &str = "3B800181";
const SELECT: &str = "00A4040008A00000015100000000";

pub fn run(table: &mut Table) {
    pyscard(table);
    opensc(table);
    scan(table);
}

fn pyscard(table: &mut Table) {
    let (who, version, what) = ("pyscard", "2.3.1", "list, reset, exchange");
    let Some(python) = installed("yubikit/bin/python") else {
        return table.skip(who, version, what, "it could not be installed");
    };
    table.attempt(who, version, what, || {
        let _card = CARD.insert(&[]);
        let script = support::file_of("tests/foreign/pyscard_talk.py").display().to_string();
        let (_, text) = output(&python.display().to_string(), &[&script, &name(0), SELECT])?;
        hold(text.contains("listed 1"), "the reader is not listed", &text)?;
        hold(text.contains(&format!("reset {ATR} {ATR}")), "no ATR after the reset", &text)?;
        hold(text.lines().any(|line| line.starts_with("answer 6F") && line.ends_with("9000")), "no answer", &text)
    });
}

/// A package's version as the distribution has it.
fn version(package: &str) -> Option<String> {
    let (code, text) = output("dpkg-query", &["-W", "-f=${Version}", package]).ok()?;
    (code == 0).then(|| format!("{} (distribution)", text.trim()))
}

fn there(program: &str) -> bool {
    output("sh", &["-c", &format!("command -v {program}")]).is_ok_and(|(code, _)| code == 0)
}

fn opensc(table: &mut Table) {
    let (who, what) = ("opensc-tool", "list, reset, exchange");
    let version = version("opensc").unwrap_or_else(|| "(distribution)".into());
    if !there("opensc-tool") {
        return table.skip(who, &version, what, "it is not installed");
    }
    table.attempt(who, &version, what, || {
        let _card = CARD.insert(&[]);
        let (_, text) = output("opensc-tool", &["--list-readers"])?;
        hold(text.contains(&name(0)), "the reader is not listed", &text)?;
        let (code, text) = output("opensc-tool", &["--reader", "0", "--reset"])?;
        hold(code == 0, "the reset failed", &text)?;
        let (_, text) = output("opensc-tool", &["--reader", "0", "--atr"])?;
        hold(text.to_uppercase().replace(':', "").contains(ATR), "no ATR", &text)?;
        let (_, text) = output("opensc-tool", &["--reader", "0", "--send-apdu", SELECT])?;
        hold(text.contains("SW1=0x90, SW2=0x00") && text.contains("6F"), "no answer", &text)
    });
}

fn scan(table: &mut Table) {
    let (who, what) = ("pcsc_scan", "list, ATR");
    let version = version("pcsc-tools").unwrap_or_else(|| "(distribution)".into());
    if !there("pcsc_scan") {
        return table.skip(who, &version, what, "it is not installed");
    }
    table.attempt(who, &version, what, || {
        let _card = CARD.insert(&[]);
        let (_, text) = output("timeout", &["5", "pcsc_scan", "-n", "-t", "2"])?;
        hold(text.contains(&name(0)), "the reader is not listed", &text)?;
        hold(text.replace(' ', "").contains(ATR), "no ATR", &text)
    });
}
