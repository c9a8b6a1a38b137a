//! The card's final life cycle. A card that lost power before SET STATUS has all its data, and is not finished.
//! // GPC 2.3.1 §11.10, table 11-6

use super::VerifyError;
use super::result::Ended;
use crate::base::Chance;
use crate::base::fault::Code;
use crate::card::channel::ChannelError;
use crate::card::{Card, CardError, gp};
use crate::issuance::login::{self, LoginError};
use crate::keys::KeyStore;
use crate::profile::Profile;

/// The name of the check.
pub(super) const CHECK: &str = "final life cycle";

/// Asks the card in a secure channel with its issuer security domain. Moves the domain's sequence counter, nothing else. The
/// check is skipped if no channel can be opened; a card with a wrong cryptogram gets no EXTERNAL AUTHENTICATE.
///
/// # Errors
/// The link broke.
pub(super) fn check(
    card: &mut Card,
    profile: &Profile,
    store: &dyn KeyStore,
    wanted: u8,
    chance: &mut Chance,
) -> Result<Ended, VerifyError> {
    match asked(card, profile, store, chance) {
        Ok(seen) if seen == wanted => Ok(Ended::Passed),
        Ok(seen) => {
            let why = format!("the card's life cycle is {seen:02X}, the profile's final one is {wanted:02X}");
            Ok(Ended::Failed(Code::CardMismatch, why))
        }
        Err(
            LoginError::Channel(ChannelError::Card(error @ CardError::Link(_)))
            | LoginError::Card(error @ CardError::Link(_)),
        ) => Err(error.into()),
        Err(error) => Ok(Ended::Skipped(format!("no secure channel to ask for it: {error}"))),
    }
}

fn asked(card: &mut Card, profile: &Profile, store: &dyn KeyStore, chance: &mut Chance) -> Result<u8, LoginError> {
    let (mut session, _) = login::with_profile(card, profile, store, chance)?;
    let seen = gp::card_life_cycle(&mut session)?;
    session.close();
    Ok(seen)
}
