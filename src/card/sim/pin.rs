//! VERIFY and GET CHALLENGE. // EMV B2 §7, B3 §6.5.12, §6.5.6

use super::cps::{is_iso_2, pin_digits};
use super::data::{grouping, ok, try_limit};
use super::{SimCard, signature};
use crate::base::Secret;
use crate::card::apdu::Response;

impl SimCard {
    /// GET CHALLENGE: eight bytes that the next command may use.
    pub(super) fn get_challenge(&mut self) -> Response {
        if self.application().is_none() {
            return Response::status(0x6985);
        }
        let challenge = self.chance::<8>(b"challenge");
        self.session.challenge = Some(challenge);
        ok(challenge.to_vec())
    }

    /// VERIFY: the PIN in the clear, or enciphered under the public key for it.
    pub(super) fn verify(&mut self, enciphered: bool, data: &[u8], challenge: Option<[u8; 8]>) -> Response {
        let Some((at, app)) = self.application() else { return Response::status(0x6985) };
        let Some(stored) = grouping(app, 0x8010).and_then(pin_digits) else { return Response::status(0x6984) };
        if app.tries == 0 {
            return Response::status(0x6983);
        }
        let key = if enciphered { signature::pin_key(app) } else { None };
        let length = match (&key, enciphered) {
            (Some(key), _) => key.public().length(),
            (None, true) => return Response::status(0x6984),
            (None, false) => 8,
        };
        if data.len() != length {
            return Response::status(0x6700);
        }
        if enciphered && challenge.is_none() {
            return Response::status(0x6985);
        }
        let Some(app) = self.file.state.applications.get_mut(at) else { return Response::status(0x6F00) };
        // The tries are counted down before the comparison, so that tearing the card gains nothing.
        app.tries -= 1;
        let block = match (key, challenge) {
            (Some(key), Some(challenge)) => deciphered(&key, data, challenge),
            _ => Some(Secret::new(data.to_vec())),
        };
        // Whatever the format in the card, a terminal sends format 2.
        let given = block.filter(|block| is_iso_2(block.expose())).and_then(|block| pin_digits(block.expose()));
        let right = given.is_some_and(|given| given.equals(stored.expose()));
        self.session.pin_tried = true;
        self.session.pin_failed = !right;
        if right {
            app.tries = try_limit(app).unwrap_or(app.tries + 1);
            return Response::status(0x9000);
        }
        Response::status(0x63C0 | u16::from(app.tries & 0x0F))
    }
}

/// The PIN block out of 7F, block, the card's challenge, and padding. // EMV B2 §7.2
fn deciphered(key: &crate::base::crypto::RsaPrivate, data: &[u8], challenge: [u8; 8]) -> Option<Secret<Vec<u8>>> {
    let clear = Secret::new(key.raw(data).ok()?);
    let (header, rest) = clear.expose().split_first()?;
    let (block, rest) = rest.split_at_checked(8)?;
    (*header == 0x7F && rest.starts_with(&challenge)).then(|| Secret::new(block.to_vec()))
}
