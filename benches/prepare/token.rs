//! A token of SoftHSM in a folder of its own, with the sample keys.

use perso::base::Secret;
use perso::keys::file::Unsealed;
use perso::keys::pkcs11::{Pkcs11Store, TokenPlace, TokenRules};

use crate::softhsm::{self, PIN};

pub const LABEL: &str = "bench";

/// The token with these keys; none without SoftHSM.
pub fn filled(keys: Unsealed) -> Option<Pkcs11Store> {
    let module = softhsm::module()?;
    let place = TokenPlace::labelled(module, LABEL);
    let pin = Secret::new(PIN.as_bytes().to_vec());
    let mut store = Pkcs11Store::open(&place, &pin, &TokenRules::default()).unwrap();
    keys.put_into(&mut store).unwrap();
    Some(store)
}
