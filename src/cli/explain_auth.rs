//! `perso explain-auth`: which of our keys fits this card? Never authenticates.

use super::args::AuthArgs;
use super::common::{self, CliError, Out};
use super::reader;
use crate::base::Chance;
use crate::card::apdu::{Command, Response};
use crate::card::channel::{AuthReport, Handshake, HandshakeError};
use crate::card::gp::{self, CardData};
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
    let (transport, mut chance) = reader::open_with_chance(&reader, "the card")?;
    let mut card = Card::new(transport, common::clock()).with_test_keys(store.keys().iter().all(|key| key.test));
    card.reset()?;
    let selected = gp::select(&mut card, aid.unwrap_or_default())?;
    let offered = match gp::get_data(&mut card, 0x0066) {
        Ok(data) => CardData::parse(&data).ok().map(|data| data.to_string()),
        Err(CardError::Refused { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let (mut host, mut answer) = initialize_update(&mut card, asked, 8, &mut chance)?;
    let mut sent = 1;
    if answer.sw.0 == 0x6700 {
        (host, answer) = initialize_update(&mut card, asked, 16, &mut chance)?;
        sent += 1;
    }
    let read = if answer.sw.is_ok() {
        Handshake::of(asked, host, &answer.data)
    } else {
        Err(HandshakeError::Refused(answer.sw))
    };
    let mut report = judge(read, asked, store, aid)?;
    report.initialize_updates = sent;
    report.offered = offered;
    if !selected.sw.is_ok() {
        report
            .notes
            .insert(0, format!("SELECT was answered with {}: what answers here is not what was meant.", selected.sw));
    }
    if sent == 2 {
        report.notes.insert(
            0,
            "The card does not take a challenge of 8 bytes (6700), so a second INITIALIZE UPDATE was sent with 16; it is safe."
                .into(),
        );
    }
    Ok(report)
}

fn initialize_update(
    card: &mut Card,
    asked: u8,
    length: usize,
    chance: &mut Chance,
) -> Result<(Vec<u8>, Response), CliError> {
    let mut host = vec![0; length];
    chance.fill(&mut host)?;
    // GPC 2.3.1 §E.5.1
    let answer = card.transmit(&Command::new(0x80, 0x50, asked, 0).with_data(host.clone()).with_le(256))?;
    Ok((host, answer))
}
