//! Which keys fit a card: its answer to INITIALIZE UPDATE compared offline with everything that a key store holds.
//! Sends nothing, and builds no EXTERNAL AUTHENTICATE.

use subtle::ConstantTimeEq;

use super::scp03::expected_challenge;
use super::{Mode, Scp02Keys, Scp03Keys};
use crate::base::crypto::{Cipher, KcvMethod};
use crate::card::apdu::{Command, Response, StatusWord, meaning};
use crate::keys::{CardKeys, Diversification, KeyError, KeyHandle, KeySet, KeyStore};

/// An INITIALIZE UPDATE and its answer, taken apart without any expectation.
pub struct Handshake {
    /// Key version that was asked for; 00 is the card's first.
    pub asked: u8,
    /// Host challenge.
    pub host: Vec<u8>,
    /// Key diversification data.
    pub kdd: [u8; 10],
    /// Key version that the card answered with.
    pub key_version: u8,
    /// The protocol, as far as the answer tells it.
    pub protocol: Answered,
    /// SCP02: two bytes. SCP03: three bytes, or none.
    pub sequence: Vec<u8>,
    /// Card challenge.
    pub challenge: Vec<u8>,
    /// Card cryptogram.
    pub cryptogram: Vec<u8>,
}

/// What an answer tells of the protocol. SCP02 does not tell its `i`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// SCP02.
    Scp02,
    /// SCP03 with this `i`; the mode shows in the length.
    Scp03 {
        /// The `i` parameter.
        i: u8,
        /// S8 or S16.
        mode: Mode,
    },
}

/// Why an exchange cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The command is not INITIALIZE UPDATE with a challenge of 8 or 16 bytes.
    #[error("the command is not INITIALIZE UPDATE with a host challenge of 8 or 16 bytes")]
    Command,
    /// The answer is no answer.
    #[error("the answer has no status word")]
    Answer,
    /// The card refused.
    #[error("the card refused INITIALIZE UPDATE with {0}: {what}", what = meaning(Some(0x50), *.0))]
    Refused(StatusWord),
    /// A protocol that this program does not know.
    #[error("the card answers with SCP{0:02X}, which this program does not speak")]
    Protocol(u8),
    /// A length that no protocol has.
    #[error("the answer of {0} bytes is no answer to INITIALIZE UPDATE that the specifications lay down")]
    Length(usize),
}

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
    /// Takes an exchange apart. The answer may stand with or without its status word.
    ///
    /// # Errors
    /// What keeps it from being compared.
    pub fn read(command: &[u8], answer: &[u8]) -> Result<Self, HandshakeError> {
        let command = Command::parse(command).map_err(|_| HandshakeError::Command)?;
        if command.ins != 0x50 || command.cla & 0x80 == 0 || !matches!(command.data.len(), 8 | 16) {
            return Err(HandshakeError::Command);
        }
        // A published answer often lacks its status word; its length tells.
        let data = match Response::parse(answer).map_err(|_| HandshakeError::Answer)? {
            _ if matches!(answer.len(), 28 | 29 | 32 | 45 | 48) => answer.to_vec(),
            answer if answer.sw.is_ok() => answer.into_data(),
            Response { sw, .. } => return Err(HandshakeError::Refused(sw)),
        };
        Self::of(command.p1, command.into_data(), &data)
    }

    /// The same from what was sent and the answer's data.
    ///
    /// # Errors
    /// As [`Handshake::read`].
    pub fn of(asked: u8, host: Vec<u8>, data: &[u8]) -> Result<Self, HandshakeError> {
        let length = HandshakeError::Length(data.len());
        let (&kdd, rest) = data.split_first_chunk::<10>().ok_or(length)?;
        let (&[key_version, scp], rest) = rest.split_first_chunk::<2>().ok_or(length)?;
        // GPC 2.3.1 §E.5.1.6, GPC-D §7.1.1.6
        let (protocol, before, rest, size) = match (scp, rest) {
            (2, rest) if rest.len() == 16 => {
                let (sequence, rest) = rest.split_at(2);
                (Answered::Scp02, sequence, rest, 6)
            }
            (3, [i, rest @ ..]) => {
                let mode = match rest.len() {
                    16 | 19 => Mode::S8,
                    32 | 35 => Mode::S16,
                    _ => return Err(length),
                };
                (Answered::Scp03 { i: *i, mode }, &[][..], rest, mode.length())
            }
            (2 | 3, _) => return Err(length),
            (other, _) => return Err(HandshakeError::Protocol(other)),
        };
        let (challenge, rest) = rest.split_at_checked(size).ok_or(length)?;
        let cryptogram_length = if protocol == Answered::Scp02 { 8 } else { size };
        let (cryptogram, after) = rest.split_at_checked(cryptogram_length).ok_or(length)?;
        let expected_host = if size == 16 { 16 } else { 8 };
        if host.len() != expected_host {
            return Err(length);
        }
        let sequence = if protocol == Answered::Scp02 { before } else { after };
        let [sequence, challenge, cryptogram] = [sequence, challenge, cryptogram].map(<[u8]>::to_vec);
        Ok(Self { asked, host, kdd, key_version, protocol, sequence, challenge, cryptogram })
    }

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
                    let kcvs = [kcv(store, &keys.enc)?, kcv(store, &keys.mac)?, kcv(store, &keys.dek)?];
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

    /// SCP02's sequence counter.
    pub fn counter(&self) -> [u8; 2] {
        self.sequence.first_chunk::<2>().copied().unwrap_or_default()
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

impl Answered {
    /// The cipher of the protocol's keys.
    pub fn cipher(self) -> Cipher {
        match self {
            Answered::Scp02 => Cipher::Tdes,
            Answered::Scp03 { .. } => Cipher::Aes,
        }
    }
}

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answered::Scp02 => f.write_str("SCP02"),
            Answered::Scp03 { i, mode } => write!(f, "SCP03 i={i:02X} {mode:?}"),
        }
    }
}

/// A card key's check value, as GlobalPlatform makes it.
fn kcv(store: &dyn KeyStore, key: &KeyHandle) -> Result<Vec<u8>, KeyError> {
    let method = match key.algorithm().cipher() {
        Some(Cipher::Tdes) => KcvMethod::DesZero,
        _ => KcvMethod::AesOnes,
    };
    store.kcv(key, method, 3)
}
