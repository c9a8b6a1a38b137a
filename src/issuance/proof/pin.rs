//! One offline PIN try, where product and operator agree, and the try counter is at its limit. // EMV B3 §10.5, B2 §7

use super::VerifyError;
use super::application::Prover;
use super::result::Ended;
use super::shown::{AppProof, Notes, PinProof, View};
use crate::base::Secret;
use crate::base::codec::tlv;
use crate::base::crypto::RsaPublic;
use crate::base::fault::Code;
use crate::card::emv::get_data;
use crate::card::emv::oda::{OfflineReport, Outcome, Step};
use crate::card::emv::transaction::{self as commands, Pin};
use crate::card::{Card, CardError};
use crate::keys::issuer::pin_block_iso2;

const STEP: &str = "offline PIN";

/// What the CVM list says of offline PINs. // EMV B3 annex C3
struct Methods {
    plaintext: bool,
    enciphered: bool,
}

impl Prover<'_> {
    pub(super) fn pin_try(
        &mut self,
        card: &mut Card,
        view: &View<'_>,
        offline: Option<&OfflineReport>,
        proof: &mut AppProof,
        notes: &mut Notes,
    ) -> Result<(), VerifyError> {
        let methods = methods(view);
        if self.contactless || !(methods.plaintext || methods.enciphered) {
            let why =
                if self.contactless { "offline PINs are for contacts" } else { "the CVM list has no offline PIN" };
            notes.add(STEP, Ended::NotApplicable(why.into()));
            return Ok(());
        }
        let consent = self.consent;
        let pin = match self.admitted(view, proof) {
            Err(why) => Err(why),
            Ok(()) => consent.pin.as_ref().ok_or("the operator did not ask for it (--pin-from)"),
        };
        let pin = match pin {
            Ok(pin) => pin,
            Err(why) => {
                notes.add(STEP, Ended::Skipped(why.into()));
                return Ok(());
            }
        };
        let block = pin_block_iso2(pin)?;
        let outcome = match (methods.enciphered, proven_key(offline)) {
            (true, Some((key, how))) => self.enciphered(card, key, &block)?.map(|sw| (sw, how)),
            // Whoever stands between could offer both methods and break the certificate, to have the PIN in the clear.
            (true, None) => {
                let why =
                    "the card offers the PIN enciphered and its key is not proven; the PIN is not sent in the clear";
                notes.add(STEP, Ended::Skipped(why.into()));
                return Ok(());
            }
            (false, _) => Ok((commands::verify_pin(card, &Pin::Plaintext(&block))?, PinProof::Plaintext)),
        };
        match outcome {
            Err(why) => notes.add(STEP, Ended::Failed(Code::CardPin, why)),
            Ok((sw, how)) => {
                proof.app.pin_tried = true;
                if sw.is_ok() {
                    proof.pin = Some(how);
                    proof.limit_shown = self.shows_limit(card, view)?;
                    notes.add(STEP, Ended::Passed);
                } else {
                    notes.add(STEP, Ended::Failed(Code::CardPin, format!("the card answers {sw}")));
                }
            }
        }
        Ok(())
    }

    /// All that must be so before a try is made, but for the operator's word.
    fn admitted(&self, view: &View<'_>, proof: &AppProof) -> Result<(), &'static str> {
        if !self.may.1 {
            return Err("the profile does not allow it ([verify] pin_try)");
        }
        let limit = self.limits.iter().find(|(aid, _)| *aid == view.read.aid).map(|(_, limit)| *limit);
        match (limit, proof.app.pin_tries) {
            (None, _) => Err("the PIN try limit is not known: it stands in grouping 9010 of a record"),
            (_, None) => Err("the card does not tell its PIN try counter (9F17)"),
            (Some(limit), Some(left)) if left != limit => Err("the PIN try counter is not at its limit"),
            _ => Ok(()),
        }
    }

    /// Whether the try counter is at the loaded limit after a right PIN, which sets it there. // EMV B3 §6.5.12
    fn shows_limit(&self, card: &mut Card, view: &View<'_>) -> Result<bool, VerifyError> {
        let limit = self.limits.iter().find(|(aid, _)| *aid == view.read.aid).map(|(_, limit)| vec![*limit]);
        let answer = match get_data(card, 0x9F17) {
            Err(error @ (CardError::Link(_) | CardError::Command(_))) => return Err(error.into()),
            answer => answer.ok().flatten().unwrap_or_default(),
        };
        Ok(tlv::parse_one(&answer).is_ok_and(|it| Some(it.value_bytes()) == limit))
    }

    /// The outer error is the link's; the inner one says why no try was made.
    fn enciphered(
        &mut self,
        card: &mut Card,
        key: &RsaPublic,
        block: &Secret<Vec<u8>>,
    ) -> Result<Result<crate::card::apdu::StatusWord, String>, VerifyError> {
        let challenge = match commands::get_challenge(card) {
            Ok(challenge) => challenge,
            Err(error @ (CardError::Link(_) | CardError::Command(_))) => return Err(error.into()),
            Err(error) => return Ok(Err(format!("no PIN was tried: {error}"))),
        };
        let mut random = vec![0; key.length().saturating_sub(17)];
        self.chance.fill(&mut random)?;
        match commands::encipher_pin(key, block, challenge, &random) {
            Ok(data) => Ok(Ok(commands::verify_pin(card, &Pin::Enciphered(&data))?)),
            Err(_) => Ok(Err("no PIN was tried: the key cannot encipher it".into())),
        }
    }
}

/// The key that the PIN is enciphered with: the card's own for PINs if it states one, else the card's. None if that one
/// is not proven: a terminal does not take the other in its place. // EMV B2 §7.1
fn proven_key(offline: Option<&OfflineReport>) -> Option<(&RsaPublic, PinProof)> {
    let offline = offline?;
    let states_own = offline
        .checks
        .iter()
        .any(|check| check.step == Step::PinCertificate && !matches!(check.outcome, Outcome::NotApplicable(_)));
    match states_own {
        true => offline.pin_key.as_ref().map(|key| (key, PinProof::EncipheredByOwnKey)),
        false => offline.card_key.as_ref().map(|key| (key, PinProof::Enciphered)),
    }
}

fn methods(view: &View<'_>) -> Methods {
    let list = view.value(0x8E).unwrap_or_default();
    let rules = list.get(8..).unwrap_or_default().as_chunks().0;
    let codes: Vec<u8> = rules.iter().map(|[code, _]| code & 0x3F).collect();
    let has = |wanted: [u8; 2]| codes.iter().any(|code| wanted.contains(code));
    Methods { plaintext: has([0x01, 0x03]), enciphered: has([0x04, 0x05]) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::card::emv::oda::{Check, OfflineError};

    /// A card that states a key for PINs whose certificate is wrong has no key for PINs.
    #[test]
    fn a_key_for_pins_that_is_not_proven_is_not_replaced_by_the_cards() {
        let key = |byte| RsaPublic::new(&[&[0xC0], [byte; 62].as_slice(), &[0x01]].concat(), &[3]).unwrap();
        let report = |outcome, pin_key| OfflineReport {
            checks: vec![Check { step: Step::PinCertificate, outcome }],
            test_ca: Some(true),
            issuer_key: Some(key(1)),
            card_key: Some(key(2)),
            pin_key,
        };
        let failed = report(Outcome::Failed(OfflineError::NothingUnpredictable), None);
        assert!(proven_key(Some(&failed)).is_none());
        assert!(proven_key(Some(&report(Outcome::Skipped("the issuer's key is not proven"), None))).is_none());
        let none = report(Outcome::NotApplicable("the card has no key for PINs alone"), None);
        assert!(proven_key(Some(&none)).is_some_and(|(it, how)| *it == key(2) && matches!(how, PinProof::Enciphered)));
        let own = report(Outcome::Passed, Some(key(3)));
        assert!(
            proven_key(Some(&own))
                .is_some_and(|(it, how)| { *it == key(3) && matches!(how, PinProof::EncipheredByOwnKey) })
        );
        assert!(proven_key(None).is_none());
    }
}
