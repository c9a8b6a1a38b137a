//! GlobalPlatform commands, one function each.

use crate::card::apdu::{Command, Response};
use crate::card::channel::{ChannelError, Session};
use crate::card::plain::{Card, CardError};

/// SELECT by AID; an empty AID selects what the card selects by default. // GPC 2.3.1 §11.9
///
/// The answer is returned whatever its status word: a blocked application still tells its FCI.
///
/// # Errors
/// The link broke.
pub fn select(card: &mut Card, aid: &[u8]) -> Result<Response, CardError> {
    card.transmit(&Command::new(0x00, 0xA4, 0x04, 0x00).with_data(aid).with_le(256))
}

/// GET DATA outside a channel; the whole answer, with its tag where the card gives one. // GPC 2.3.1 §11.3
///
/// # Errors
/// The link broke, or the card does not hold the object.
pub fn get_data(card: &mut Card, tag: u16) -> Result<Vec<u8>, CardError> {
    get_data_in(card, 0x80, tag)
}

/// GET DATA in a class of commands: 80 with nearly every card, 00 with some.
///
/// # Errors
/// As [`get_data`].
pub(super) fn get_data_in(card: &mut Card, class: u8, tag: u16) -> Result<Vec<u8>, CardError> {
    let [p1, p2] = tag.to_be_bytes();
    let answer = card.transmit(&Command::new(class, 0xCA, p1, p2).with_le(256))?;
    if answer.sw.is_ok() {
        return Ok(answer.into_data());
    }
    Err(CardError::Refused { command: "GET DATA", ins: 0xCA, sw: answer.sw })
}

/// INSTALL [for personalization]: STORE DATA to the domain goes to this application from now on. // GPC 2.3.1 §11.5.2.3.6
///
/// # Errors
/// The session broke, or the card refuses.
pub fn install_for_personalization(session: &mut Session<'_>, aid: &[u8]) -> Result<(), ChannelError> {
    let data = [&[0x00, 0x00, aid.len() as u8], aid, &[0x00, 0x00, 0x00]].concat();
    let answer = session.transmit(&Command::new(0x80, 0xE6, 0x20, 0x00).with_data(data).with_le(256))?;
    accepted(answer, "INSTALL [for personalization]", 0xE6).map(drop)
}

pub(super) fn accepted(answer: Response, command: &'static str, ins: u8) -> Result<Response, ChannelError> {
    if answer.sw.is_ok() { Ok(answer) } else { Err(CardError::Refused { command, ins, sw: answer.sw }.into()) }
}
