//! SCP02, explicit initiation: state without I/O. // GPC 2.3.1 annex E

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base::Secret;
use crate::base::crypto::{self, CryptoError};
use crate::card::apdu::{Command, Response};
use crate::card::plain::Misbehaviour;
use crate::keys::{CardKeys, Derivation, KeyError, KeyHandle, KeyStore};

use super::SecurityLevel;

/// Session keys. // GPC 2.3.1 §E.4.1
pub struct Scp02Keys {
    /// S-ENC.
    pub enc: Secret<Vec<u8>>,
    /// S-MAC.
    pub mac: Secret<Vec<u8>>,
    /// S-RMAC.
    pub rmac: Secret<Vec<u8>>,
}

impl Scp02Keys {
    /// Derives the session keys from the card's keys and its sequence counter; S-DEK stays in custody.
    ///
    /// # Errors
    /// The keys are not two-key triple DES.
    pub fn derive(
        store: &dyn KeyStore,
        keys: &CardKeys,
        i: u8,
        sequence: [u8; 2],
    ) -> Result<(Self, KeyHandle), KeyError> {
        let [enc, mac, dek] = bases(keys, i);
        let session =
            |key, constant| store.session_key(key, &Derivation::CbcZero(&derivation_data(constant, sequence)));
        let dek = store.derive(dek, &Derivation::CbcZero(&derivation_data(S_DEK, sequence)))?;
        let keys = Self { enc: session(enc, S_ENC)?, mac: session(mac, S_MAC)?, rmac: session(mac, S_RMAC)? };
        Ok((keys, dek))
    }

    /// The card's cryptogram, full triple-DES CBC-MAC. // GPC 2.3.1 §E.4.2
    ///
    /// # Errors
    /// Never for keys of two-key triple DES.
    pub fn card_cryptogram(&self, host: &[u8], sequence: [u8; 2], card: &[u8]) -> Result<[u8; 8], CryptoError> {
        self.cryptogram(&[host, &sequence, card].concat())
    }

    /// The host's cryptogram.
    ///
    /// # Errors
    /// As [`Scp02Keys::card_cryptogram`].
    pub fn host_cryptogram(&self, host: &[u8], sequence: [u8; 2], card: &[u8]) -> Result<[u8; 8], CryptoError> {
        self.cryptogram(&[&sequence, card, host].concat())
    }

    fn cryptogram(&self, data: &[u8]) -> Result<[u8; 8], CryptoError> {
        crypto::tdes_cbc_mac(self.enc.expose(), &[0; 8], &crypto::pad_80(data, 8))
    }

    /// The pseudo-random card challenge of `i` with b7: MAC over the AID. // GPC 2.3.1 §E.4.2.3
    ///
    /// # Errors
    /// As [`Scp02Keys::card_cryptogram`].
    pub fn expected_challenge(&self, aid: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mac = crypto::retail_mac(self.mac.expose(), &[0; 8], &crypto::pad_80(aid, 8))?;
        Ok(mac.iter().take(6).copied().collect())
    }
}

/// The keys that a session's come from. // GPC 2.3.1 §E.1.1, b1: three base keys, or one for all
pub(super) fn bases(keys: &CardKeys, i: u8) -> [&KeyHandle; 3] {
    let CardKeys { enc, mac, dek } = keys;
    if i & 0x01 == 0 { [enc, enc, enc] } else { [enc, mac, dek] }
}

// GPC 2.3.1 §E.4.1
pub(super) const S_MAC: [u8; 2] = [0x01, 0x01];
pub(super) const S_RMAC: [u8; 2] = [0x01, 0x02];
pub(super) const S_DEK: [u8; 2] = [0x01, 0x81];
pub(super) const S_ENC: [u8; 2] = [0x01, 0x82];

/// What a session key is derived from.
pub(super) fn derivation_data(constant: [u8; 2], sequence: [u8; 2]) -> [u8; 16] {
    let mut data = [0u8; 16];
    for (to, from) in data.iter_mut().zip(constant.into_iter().chain(sequence)) {
        *to = from;
    }
    data
}

/// An SCP02 session's state.
pub struct Scp02 {
    keys: Scp02Keys,
    i: u8,
    level: SecurityLevel,
    /// The last C-MAC; none before EXTERNAL AUTHENTICATE.
    c_chain: Option<[u8; 8]>,
    /// The last R-MAC; the C-MAC of EXTERNAL AUTHENTICATE at first.
    r_chain: [u8; 8],
    /// The last command as the R-MAC sees it.
    command: Zeroizing<Vec<u8>>,
}

impl Scp02 {
    /// A session that begins with EXTERNAL AUTHENTICATE.
    pub fn new(keys: Scp02Keys, i: u8, level: SecurityLevel) -> Self {
        Self { keys, i, level, c_chain: None, r_chain: [0; 8], command: Zeroizing::default() }
    }

    /// The session keys.
    pub fn keys(&self) -> &Scp02Keys {
        &self.keys
    }

    /// EXTERNAL AUTHENTICATE; it carries a MAC at every level. // GPC 2.3.1 §E.5.2
    ///
    /// # Errors
    /// Never for keys of two-key triple DES.
    pub fn external_authenticate(&mut self, cryptogram: &[u8]) -> Result<Command, CryptoError> {
        let plain = Command::new(0x80, 0x82, self.level.byte(), 0).with_data(cryptogram);
        let command = self.with_mac(&plain, &plain.data)?;
        self.r_chain = self.c_chain.unwrap_or_default();
        Ok(command)
    }

    /// Protects a command: MAC over the clear data, then encryption. // GPC 2.3.1 §E.4.4, §E.4.6
    ///
    /// # Errors
    /// As [`Scp02::external_authenticate`].
    pub fn wrap(&mut self, plain: &Command) -> Result<Command, CryptoError> {
        let sent = if self.level.c_decryption() && !plain.data.is_empty() {
            crypto::tdes_cbc_encrypt(self.keys.enc.expose(), &[0; 8], &Zeroizing::new(crypto::pad_80(&plain.data, 8)))?
        } else {
            plain.data.clone()
        };
        let header = header(plain, plain.cla & 0xF8, plain.data.len(), is_long(plain, plain.data.len()));
        self.command = Zeroizing::new([header.as_slice(), plain.data.as_slice()].concat());
        if self.level.c_mac() { self.with_mac(plain, &sent) } else { Ok(plain.clone()) }
    }

    fn with_mac(&mut self, plain: &Command, sent: &[u8]) -> Result<Command, CryptoError> {
        let mac_key = self.keys.mac.expose();
        let icv = match self.c_chain {
            None => [0; 8],
            // GPC 2.3.1 §E.3.4, b5: the last C-MAC, enciphered with the left half of S-MAC
            Some(last) if self.i & 0x10 != 0 => {
                let left = mac_key.get(..8).unwrap_or_default();
                crypto::des_ecb_encrypt(left, &last)?.try_into().unwrap_or(last)
            }
            Some(last) => last,
        };
        let long = is_long(plain, sent.len() + 8);
        // The MAC sees the class with the secure messaging bit and without the channel, and the length with the MAC
        // but without padding.
        let header = header(plain, plain.cla & 0xFC | 0x04, plain.data.len() + 8, long);
        let seen = Zeroizing::new([header.as_slice(), plain.data.as_slice()].concat());
        let mac = crypto::retail_mac(mac_key, &icv, &Zeroizing::new(crypto::pad_80(&seen, 8)))?;
        self.c_chain = Some(mac);
        Ok(Command { cla: plain.cla | 0x04, data: [sent, &mac].concat(), ..plain.clone() })
    }

    /// Checks and removes the protection of an answer. // GPC 2.3.1 §E.4.5
    ///
    /// # Errors
    /// A MAC that is missing where one is due, or wrong.
    pub fn unwrap(&mut self, answer: Response) -> Result<Response, Misbehaviour> {
        if !self.level.r_mac() {
            return Ok(answer);
        }
        let done = answer.sw.is_ok() || answer.sw.is_warning();
        // Cards differ on errors: some send them bare, some with a MAC; the chain advances either way.
        let (data, seen) = match answer.data.split_last_chunk::<8>() {
            Some((data, mac)) => (data, Some(mac)),
            None if done => return Err(Misbehaviour::MissingMac),
            None => (answer.data.as_slice(), None),
        };
        let input =
            Zeroizing::new([self.command.as_slice(), &[data.len() as u8], data, &answer.sw.to_bytes()].concat());
        let padded = Zeroizing::new(crypto::pad_80(&input, 8));
        let mac =
            crypto::retail_mac(self.keys.rmac.expose(), &self.r_chain, &padded).map_err(|_| Misbehaviour::WrongMac)?;
        if seen.is_some_and(|seen| !bool::from(seen.ct_eq(&mac))) {
            return Err(Misbehaviour::WrongMac);
        }
        self.r_chain = mac;
        Ok(Response::new(data, answer.sw))
    }
}

/// Class, instruction, parameters and Lc; Lc is there even for a command without data.
fn header(command: &Command, cla: u8, length: usize, long: bool) -> Vec<u8> {
    let Command { ins, p1, p2, .. } = *command;
    let mut out = vec![cla, ins, p1, p2];
    match long {
        true => out.extend([0, (length >> 8) as u8, length as u8]),
        false => out.push(length as u8),
    }
    out
}

fn is_long(command: &Command, length: usize) -> bool {
    length > 255 || command.le.is_some_and(|le| le > 256)
}
