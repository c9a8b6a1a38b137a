//! A token of SoftHSM in a folder of its own, with the sample keys.

use perso::base::Secret;
use perso::keys::file::Unsealed;
use perso::keys::pkcs11::{Pkcs11Store, TokenPlace};

use crate::softhsm::{self, PIN};

pub const LABEL: &str = "bench";

/// The token with these keys; none without SoftHSM.
pub fn filled(keys: Unsealed) -> Option<Pkcs11Store> {
    let module = softhsm::module()?;
    let place = TokenPlace { module: &module, label: LABEL };
    let mut store = Pkcs11Store::open(place, &Secret::new(PIN.as_bytes().to_vec())).unwrap();
    keys.put_into(&mut store).unwrap();
    Some(store)
}
