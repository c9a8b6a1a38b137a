//! `perso explain-auth`: which of our keys fits this card? Never authenticates.

use super::args::AuthArgs;
use super::common::{self, CliError, Out};
use super::reader::{self, Place};
use crate::base::StopRequest;
use crate::card::apdu::{Command, Response, StatusWord};
use crate::card::channel::{AuthReport, Handshake, HandshakeError, initialize_update};
use crate::card::gp::{self, CardData, KeyInformation};
use crate::card::trace::Trace;
use crate::card::{Card, CardError};
use crate::keys::{AnyStore, KeyStore};

/// Compares, and prints what was found. Exit code 10 where no key fits.
///
/// # Errors
/// The arguments, the keys or the link.
pub fn run(args: &AuthArgs, out: &mut Out) -> Result<u8, CliError> {
    let aid = args.aid.as_deref().map(|aid| common::aid("--aid", aid)).transpose()?;
    let store = common::keys(&args.keys, &args.passphrase, out)?;
    let report = match (&args.command, &args.answer) {
        (Some(command), Some(answer)) => {
            let (command, answer) = (common::bytes("--command", command)?, common::bytes("--answer", answer)?);
            let asked = command.get(2).copied().unwrap_or_default();
            match Handshake::read(&command, &answer) {
                Err(HandshakeError::Command) => {
                    return Err(CliError::Option { option: "--command", why: HandshakeError::Command.to_string() });
                }
                read => judge(read, asked, &store, aid.as_deref())?,
            }
        }
        _ => ask(args, &store, aid.as_deref())?,
    };
    if !out.json(&report) {
        report.lines().iter().for_each(|line| out.line(line));
    }
    Ok(if report.verdict == "fits" { 0 } else { 10 })
}

fn judge(
    read: Result<Handshake, HandshakeError>,
    asked: u8,
    store: &AnyStore,
    aid: Option<&[u8]>,
) -> Result<AuthReport, CliError> {
    match read {
        Ok(handshake) => {
            let comparison = handshake.compare(store, aid)?;
            Ok(AuthReport::compared(&handshake, &comparison, store))
        }
        Err(error) => Ok(AuthReport::failed(error, asked)),
    }
}

/// Asks a card: SELECT, card data, one INITIALIZE UPDATE; a second one with a challenge of 16 bytes only where the card
/// does not take 8.
fn ask(args: &AuthArgs, store: &AnyStore, aid: Option<&[u8]>) -> Result<AuthReport, CliError> {
    let asked = common::byte("--key-version", &args.key_version)?;
    let Some(reader) = args.reader() else {
        return Err(CliError::Option { option: "--reader", why: "it is missing".into() });
    };
    if let Place::Trace(path) = reader.place() {
        return traced(&reader::trace(path)?, store, aid);
    }
    let (transport, mut chance) = reader::open_with_chance(&reader, "the card", &StopRequest::default())?;
    let mut card = Card::new(transport, common::clock()).with_test_keys(store.keys().iter().all(|key| key.test));
    card.reset()?;
    let selected = gp::select(&mut card, aid.unwrap_or_default())?;
    let offered = told(&mut card, 0x0066)?.and_then(|data| CardData::parse(&data).ok());
    let keys = told(&mut card, 0x00E0)?.and_then(|data| KeyInformation::parse(&data).ok());
    let sent = initialize_update(&mut card, asked, &[8, 16], &mut chance)?;
    let mut report = judge(sent.handshake, asked, store, aid)?;
    report.initialize_updates = sent.sent;
    report.card_tells(
        offered.as_ref().map(ToString::to_string),
        offered.as_ref().map(CardData::protocols).unwrap_or_default(),
        &versions(keys.as_ref()),
        selected.sw,
    );
    if sent.longer {
        report.notes.insert(0, SECOND.into());
    }
    Ok(report)
}

/// A card that takes challenges of 16 bytes only.
const SECOND: &str =
    "The card does not take a challenge of 8 bytes (6700), so a second INITIALIZE UPDATE was sent with 16; it is safe.";

/// An object of the card; none if the card refuses it.
fn told(card: &mut Card, tag: u16) -> Result<Option<Vec<u8>>, CliError> {
    match gp::get_data(card, tag) {
        Ok(data) => Ok(Some(data)),
        Err(CardError::Refused { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn versions(keys: Option<&KeyInformation>) -> Vec<u8> {
    keys.map(|keys| keys.keys().iter().map(|key| key.version).collect()).unwrap_or_default()
}

/// The first INITIALIZE UPDATE of a trace that the card accepted, else the last one, whatever made the trace.
fn traced(trace: &Trace, store: &AnyStore, aid: Option<&[u8]>) -> Result<AuthReport, CliError> {
    if trace.is_bare() {
        let why = "the trace holds no data, since not every key was a test key; ask the card itself".into();
        return Err(CliError::Option { option: "--reader", why });
    }
    let exchanges = trace.exchanges();
    let is = |ins: u8, command: &Command| command.ins == ins && command.cla & 0x80 != 0;
    let greetings: Vec<&(Command, Response)> = exchanges.iter().filter(|(command, _)| is(0x50, command)).collect();
    let answered = greetings.iter().find(|(_, answer)| answer.sw.is_ok()).or(greetings.last());
    let Some((command, answer)) = answered else {
        let why = "the trace has no INITIALIZE UPDATE with an answer".into();
        return Err(CliError::Option { option: "--reader", why });
    };
    let read = if answer.sw.is_ok() {
        Handshake::of(command.p1, command.data.clone(), &answer.data)
    } else {
        Err(HandshakeError::Refused(answer.sw))
    };
    let mut report = judge(read, command.p1, store, aid)?;
    report.initialize_updates = u32::try_from(greetings.len()).unwrap_or(u32::MAX);
    let object = |tag: [u8; 2]| {
        let mut asked = exchanges.iter().filter(|(command, _)| command.ins == 0xCA && [command.p1, command.p2] == tag);
        asked.find(|(_, answer)| answer.sw.is_ok()).map(|(_, answer)| answer.data.clone())
    };
    let offered = object([0x00, 0x66]).and_then(|data| CardData::parse(&data).ok());
    let keys = object([0x00, 0xE0]).and_then(|data| KeyInformation::parse(&data).ok());
    let at = exchanges.iter().position(|(own, _)| std::ptr::eq(own, command)).unwrap_or_default();
    let selected = exchanges.iter().take(at).rev().find(|(command, _)| command.ins == 0xA4);
    report.card_tells(
        offered.as_ref().map(ToString::to_string),
        offered.as_ref().map(CardData::protocols).unwrap_or_default(),
        &versions(keys.as_ref()),
        selected.map_or(StatusWord(0x9000), |(_, it)| it.sw),
    );
    if greetings.iter().take_while(|(own, _)| !std::ptr::eq(own, command)).any(|(_, it)| it.sw.0 == 0x6700) {
        report.notes.insert(0, SECOND.into());
    }
    report.notes.push(format!("Read from a trace with {} INITIALIZE UPDATE; nothing was sent.", greetings.len()));
    Ok(report)
}
