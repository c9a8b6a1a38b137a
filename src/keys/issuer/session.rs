//! Session keys. // EMV B2 A1.3; EMV 2000 B2 A1.3; VIS

use subtle::ConstantTimeEq;

use super::IssuerError;
use crate::base::Secret;
use crate::base::crypto::{self, KcvMethod};
use crate::keys::{Computation, Derivation, KeyError, KeyHandle, KeyStore};

/// How a session key comes from a card's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMethod {
    /// There is none: the card's key itself (Visa CVN 10).
    None,
    /// EMV common session key derivation over this diversification value: the ATC and six bytes 00 for cryptograms, the
    /// ARQC for scripts.
    Common([u8; 8]),
    /// Mastercard: over ATC, 00 00 and unpredictable number.
    Mastercard {
        /// Application transaction counter, tag 9F36.
        atc: [u8; 2],
        /// Unpredictable number, tag 9F37.
        unpredictable: [u8; 4],
    },
}

impl SessionMethod {
    /// EMV common session key derivation for cryptograms: over the ATC and six bytes 00.
    pub fn of_atc([high, low]: [u8; 2]) -> Self {
        SessionMethod::Common([high, low, 0, 0, 0, 0, 0, 0])
    }
}

/// A key that works for one transaction.
pub enum WorkingKey {
    /// In the custody of a store.
    InCustody(KeyHandle),
    /// In this process, wiped on drop: keys of the methods that are no encipherment, which a store cannot derive.
    Held(Secret<Vec<u8>>),
}

/// Makes a session key from a card's key.
///
/// # Errors
/// The store fails.
pub fn session_key(
    store: &dyn KeyStore,
    card_key: &KeyHandle,
    method: SessionMethod,
) -> Result<WorkingKey, IssuerError> {
    Ok(match method {
        SessionMethod::None => WorkingKey::InCustody(store.duplicate(card_key)?),
        SessionMethod::Common(r) => WorkingKey::InCustody(store.derive(card_key, &Derivation::Ecb(&two_halves(r)))?),
        SessionMethod::Mastercard { atc: [high, low], unpredictable: [a, b, c, d] } => {
            let r = [high, low, 0, 0, a, b, c, d];
            WorkingKey::InCustody(store.derive(card_key, &Derivation::Ecb(&two_halves(r)))?)
        }
    })
}

/// The third byte is F0 for the left half, 0F for the right.
fn two_halves(r: [u8; 8]) -> Vec<u8> {
    let half = |mark| r.iter().enumerate().map(move |(at, byte)| if at == 2 { mark } else { *byte });
    half(0xF0).chain(half(0x0F)).collect()
}

/// The session key of VIS secure messaging: the ATC added to the left half of a card's key, its complement to the right.
/// No store derives so, so that the card's key must be at hand ([`super::icc_master_key_value`]; parity does not matter).
pub fn visa_session_key(card_key: &Secret<Vec<u8>>, [high, low]: [u8; 2]) -> WorkingKey {
    let mask = [0, 0, 0, 0, 0, 0, high, low, 0, 0, 0, 0, 0, 0, !high, !low];
    WorkingKey::Held(xor(card_key.expose(), &mask))
}

/// The tree of session keys of EMV 2000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// Levels, 1 to 16.
    pub height: u8,
    /// Branches of each key, 2 to 255.
    pub branch: u8,
    /// What stands in for the grandparent of the first level.
    pub iv: [u8; 16],
}

/// The session key of an ATC in the tree below a card's key. The card's key is data in it, so that it must be at hand.
///
/// # Errors
/// [`IssuerError::Tree`] where two ATCs would have the same key.
pub fn tree_session_key(card_key: &Secret<Vec<u8>>, atc: [u8; 2], tree: Tree) -> Result<WorkingKey, IssuerError> {
    let Tree { height, branch, .. } = tree;
    let keys = u64::from(branch).saturating_pow(u32::from(height));
    if !(1..=16).contains(&height) || branch < 2 || keys < 1 << 16 {
        return Err(IssuerError::Tree { height, branch });
    }
    let atc = u64::from(u16::from_be_bytes(atc));
    let mut grandparent = Secret::new(tree.iv.to_vec());
    let mut parent = Secret::new(card_key.expose().clone());
    for level in 1..=height {
        let position = atc / u64::from(branch).saturating_pow(u32::from(height - level));
        let child = child(&parent, &grandparent, (position % u64::from(branch)) as u8)?;
        if level == height {
            return Ok(WorkingKey::Held(xor(child.expose(), grandparent.expose())));
        }
        (grandparent, parent) = (parent, child);
    }
    Err(IssuerError::Tree { height, branch })
}

/// The grandparent's halves, marked with the branch, under the parent.
fn child(parent: &Secret<Vec<u8>>, grandparent: &Secret<Vec<u8>>, branch: u8) -> Result<Secret<Vec<u8>>, IssuerError> {
    let mask = [0, 0, 0, 0, 0, 0, 0, branch, 0, 0, 0, 0, 0, 0, 0, branch ^ 0xF0];
    let data = xor(grandparent.expose(), &mask);
    Ok(Secret::new(crypto::tdes_ecb_encrypt(parent.expose(), data.expose())?))
}

fn xor(one: &[u8], other: &[u8]) -> Secret<Vec<u8>> {
    Secret::new(one.iter().zip(other).map(|(one, other)| one ^ other).collect())
}

impl WorkingKey {
    /// ISO 9797-1 algorithm 3 over whole blocks.
    pub(super) fn retail_mac(&self, store: &dyn KeyStore, data: &[u8]) -> Result<[u8; 8], IssuerError> {
        Ok(match self {
            WorkingKey::InCustody(key) => store.retail_mac(key, data)?,
            WorkingKey::Held(key) => crypto::retail_mac(key.expose(), &[0; 8], data)?,
        })
    }

    /// Triple DES over whole blocks: CBC with a zero IV, or ECB.
    /// Compares a cryptogram; a key that is held in this process has no table to ask.
    pub(super) fn compare(
        &self,
        store: &dyn KeyStore,
        how: &Computation<'_>,
        expected: &[u8],
    ) -> Result<bool, IssuerError> {
        match (self, how) {
            (WorkingKey::InCustody(key), how) => Ok(store.compare(key, how, expected)?),
            (WorkingKey::Held(_), Computation::RetailMac { data, length }) => {
                let made = self.retail_mac(store, data)?;
                Ok(made.get(..*length).is_some_and(|made| bool::from(made.ct_eq(expected))))
            }
            (WorkingKey::Held(_), Computation::Ecb(data)) => {
                Ok(bool::from(self.encipher(store, data, false)?.ct_eq(expected)))
            }
            (WorkingKey::Held(_), _) => Err(KeyError::Input("a card's key makes no such cryptogram").into()),
        }
    }

    pub(super) fn encipher(&self, store: &dyn KeyStore, data: &[u8], cbc: bool) -> Result<Vec<u8>, IssuerError> {
        Ok(match self {
            WorkingKey::InCustody(key) => store.encipher(key, data, cbc)?.expose().clone(),
            WorkingKey::Held(key) if cbc => crypto::tdes_cbc_encrypt(key.expose(), &[0; 8], data)?,
            WorkingKey::Held(key) => crypto::tdes_ecb_encrypt(key.expose(), data)?,
        })
    }

    /// The first `length` bytes of its check value: triple DES over eight bytes 00.
    ///
    /// # Errors
    /// The store fails.
    pub fn kcv(&self, store: &dyn KeyStore, length: usize) -> Result<Vec<u8>, IssuerError> {
        Ok(match self {
            WorkingKey::InCustody(key) => store.kcv(key, KcvMethod::DesZero, length)?,
            WorkingKey::Held(key) => crypto::kcv(key.expose(), KcvMethod::DesZero, true, length)?,
        })
    }
}
