//! Whether what the card will answer goes into an answer.

use super::PrepareError;
use crate::profile::prepare::{Derived, Recipe};

/// First byte of an AIP: CDA. // EMV B3 annex C1
const CDA: u8 = 0x01;
/// Longest data field of a short answer, without a template's tag and length.
const ANSWER: usize = 256 - 3;
/// Beside the signature's value: 9F27 and 9F36 with their values, tag and length of the signature, 9F10 at its longest.
const BESIDE: usize = 4 + 5 + 4 + (3 + 32);
/// Longest modulus whose signature goes into the answer to GENERATE AC. // EMV B2 §6.6.1, ISO 7816-4 §5.1
const MOST_BITS: usize = (ANSWER - BESIDE) * 8;

/// The signature of CDA is as long as the card's modulus, and must go into one short answer with what stands beside it.
///
/// # Errors
/// [`PrepareError::LongAnswer`] where it does not.
pub(super) fn answers(recipe: &Recipe) -> Result<(), PrepareError> {
    let cda = |aip: Option<[u8; 2]>| aip.is_some_and(|[first, _]| first & CDA != 0);
    let signs = recipe.applications().iter().any(|app| cda(app.aip) || cda(app.aip_contactless));
    let bits = recipe.rsa_bits();
    if signs && recipe.derives(Derived::IccCertificate) && bits > MOST_BITS {
        return Err(PrepareError::LongAnswer { bits, most: MOST_BITS });
    }
    Ok(())
}
