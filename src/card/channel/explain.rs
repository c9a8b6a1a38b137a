//! Which keys fit a card: its answer to INITIALIZE UPDATE compared offline with everything that a key store holds.
//! Sends nothing, and builds no EXTERNAL AUTHENTICATE.

use subtle::ConstantTimeEq;

use super::handshake::{Answered, Handshake};
use super::scp03::expected_challenge;
use super::{Scp02Keys, Scp03Keys};
use crate::keys::{CardKeys, Diversification, KeyError, KeySet, KeyStore};

/// A set of keys that fits.
pub struct Fit<'a> {
    /// The set.
    pub set: KeySet<'a>,
    /// How the card's keys come from it.
    pub method: Diversification,
    /// Check values of the card's ENC, MAC and DEK, three bytes.
    pub kcvs: [Vec<u8>; 3],
    /// Where an AID was given: whether the card's challenge is the documented pseudo-random one of that AID.
    pub pseudo_random: Option<bool>,
}

/// What the comparison has found.
pub struct Comparison<'a> {
    /// How many combinations of keys and diversifications were compared.
    pub compared: usize,
    /// Those that fit.
    pub fits: Vec<Fit<'a>>,
    /// Key sets whose cipher is not the protocol's.
    pub other_cipher: Vec<String>,
}

impl Handshake {
    /// Compares every key set and diversification with the card's cryptogram. All are tried, and every comparison is
    /// in constant time: how long it takes tells nothing.
    ///
    /// # Errors
    /// A key whose value does not give its check value.
    pub fn compare<'a>(&self, store: &'a dyn KeyStore, aid: Option<&[u8]>) -> Result<Comparison<'a>, KeyError> {
        let mut out = Comparison { compared: 0, fits: Vec::new(), other_cipher: Vec::new() };
        for set in KeySet::all(store) {
            if !set.parts().iter().all(|part| part.algorithm.cipher() == Some(self.protocol.cipher())) {
                out.other_cipher.push(set.name().to_owned());
                continue;
            }
            for method in set.methods() {
                out.compared += 1;
                let keys = set.card_keys(store, method, &self.kdd)?;
                if self.fits(store, &keys)? {
                    let kcvs = keys.check_values(store)?;
                    let pseudo_random = aid.map(|aid| self.is_pseudo_random(store, &keys, aid)).transpose()?;
                    out.fits.push(Fit { set: set.clone(), method, kcvs, pseudo_random });
                }
            }
        }
        Ok(out)
    }

    /// Whether the card's cryptogram is made with these keys. SCP02 proves K-ENC so, SCP03 K-MAC. // GPC 2.3.1 §E.4.2,
    /// GPC-D §6.2.2.2
    ///
    /// # Errors
    /// Keys of another store or another cipher.
    pub fn fits(&self, store: &dyn KeyStore, keys: &CardKeys) -> Result<bool, KeyError> {
        let expected = match self.protocol {
            Answered::Scp02 => {
                let (session, _) = Scp02Keys::derive(store, keys, 0x15, self.counter())?;
                session.card_cryptogram(&self.host, self.counter(), &self.challenge).map(Vec::from)
            }
            Answered::Scp03 { mode, .. } => {
                let session = Scp03Keys::derive(store, keys, &self.host, &self.challenge)?;
                session.card_cryptogram(&self.host, &self.challenge, mode)
            }
        };
        let expected = expected.map_err(|source| KeyError::Crypto { name: keys.enc.name().to_owned(), source })?;
        Ok(bool::from(expected.ct_eq(&self.cryptogram)))
    }

    fn is_pseudo_random(&self, store: &dyn KeyStore, keys: &CardKeys, aid: &[u8]) -> Result<bool, KeyError> {
        let expected = match self.protocol {
            Answered::Scp02 => {
                let (session, _) = Scp02Keys::derive(store, keys, 0x15, self.counter())?;
                let challenge = session.expected_challenge(aid);
                challenge.map_err(|source| KeyError::Crypto { name: keys.mac.name().to_owned(), source })?
            }
            Answered::Scp03 { mode, .. } => match self.sequence.as_slice().try_into() {
                Ok(sequence) => expected_challenge(store, keys, sequence, aid, mode)?,
                Err(_) => return Ok(false),
            },
        };
        Ok(bool::from(expected.ct_eq(&self.challenge)))
    }
}
