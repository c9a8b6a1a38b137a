//! SCP03: state without I/O. // GPC-D (Amendment D)

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::base::Secret;
use crate::base::crypto::{self, CryptoError};
use crate::card::apdu::{Command, Response};
use crate::card::plain::Misbehaviour;
use crate::keys::{CardKeys, Derivation, KeyError, KeyStore};

use super::{Mode, SecurityLevel};

pub(super) const CARD_CRYPTOGRAM: u8 = 0x00;
const HOST_CRYPTOGRAM: u8 = 0x01;
const CARD_CHALLENGE: u8 = 0x02;
pub(super) const S_ENC: u8 = 0x04;
pub(super) const S_MAC: u8 = 0x06;
pub(super) const S_RMAC: u8 = 0x07;

/// The messages whose CMACs, put together and cut to `length` bytes, are the derived value. // GPC-D §4.1.5
pub fn kdf(constant: u8, length: usize, context: &[u8]) -> Vec<Vec<u8>> {
    let bits = (length * 8) as u16;
    let message = |counter: usize| {
        let mut message = vec![0; 11];
        message.extend([constant, 0x00]);
        message.extend(bits.to_be_bytes());
        message.push(counter as u8);
        message.extend_from_slice(context);
        message
    };
    (1..=length.div_ceil(16)).map(message).collect()
}

/// Session keys. // GPC-D §6.2.1
pub struct Scp03Keys {
    /// S-ENC.
    pub enc: Secret<Vec<u8>>,
    /// S-MAC.
    pub mac: Secret<Vec<u8>>,
    /// S-RMAC.
    pub rmac: Secret<Vec<u8>>,
}

impl Scp03Keys {
    /// Derives the session keys from the card's keys and both challenges.
    ///
    /// # Errors
    /// The keys are not AES.
    pub fn derive(store: &dyn KeyStore, keys: &CardKeys, host: &[u8], card: &[u8]) -> Result<Self, KeyError> {
        let context = [host, card].concat();
        let session = |key: &crate::keys::KeyHandle, constant| {
            let length = key.algorithm().key_length();
            store.session_key(key, &Derivation::Cmac { messages: &kdf(constant, length, &context), length })
        };
        Ok(Self { enc: session(&keys.enc, S_ENC)?, mac: session(&keys.mac, S_MAC)?, rmac: session(&keys.mac, S_RMAC)? })
    }

    /// The card's cryptogram. // GPC-D §6.2.2.2
    ///
    /// # Errors
    /// Never for AES keys.
    pub fn card_cryptogram(&self, host: &[u8], card: &[u8], mode: Mode) -> Result<Vec<u8>, CryptoError> {
        self.cryptogram(CARD_CRYPTOGRAM, host, card, mode)
    }

    /// The host's cryptogram. // GPC-D §6.2.2.3
    ///
    /// # Errors
    /// Never for AES keys.
    pub fn host_cryptogram(&self, host: &[u8], card: &[u8], mode: Mode) -> Result<Vec<u8>, CryptoError> {
        self.cryptogram(HOST_CRYPTOGRAM, host, card, mode)
    }

    fn cryptogram(&self, constant: u8, host: &[u8], card: &[u8], mode: Mode) -> Result<Vec<u8>, CryptoError> {
        let mut out = Vec::new();
        for message in kdf(constant, mode.length(), &[host, card].concat()) {
            out.extend(crypto::aes_cmac(self.mac.expose(), &message)?);
        }
        out.truncate(mode.length());
        Ok(out)
    }
}

/// The pseudo-random card challenge: from the static K-ENC, the sequence counter and the AID. // GPC-D §6.2.2.1
///
/// # Errors
/// The keys are not AES.
pub fn expected_challenge(
    store: &dyn KeyStore,
    keys: &CardKeys,
    sequence: [u8; 3],
    aid: &[u8],
    mode: Mode,
) -> Result<Vec<u8>, KeyError> {
    let length = mode.length();
    let messages = kdf(CARD_CHALLENGE, length, &[&sequence, aid].concat());
    let challenge = store.session_key(&keys.enc, &Derivation::Cmac { messages: &messages, length })?;
    Ok(challenge.expose().clone())
}

/// An SCP03 session's state.
pub struct Scp03 {
    keys: Scp03Keys,
    mode: Mode,
    level: SecurityLevel,
    counter_without_data: bool,
    /// MAC chaining value: the whole MAC of the last command.
    chain: [u8; 16],
    counter: u128,
}

impl Scp03 {
    /// A session that begins with EXTERNAL AUTHENTICATE.
    pub fn new(keys: Scp03Keys, mode: Mode, level: SecurityLevel, counter_without_data: bool) -> Self {
        Self { keys, mode, level, counter_without_data, chain: [0; 16], counter: 0 }
    }

    /// The session keys.
    pub fn keys(&self) -> &Scp03Keys {
        &self.keys
    }

    /// EXTERNAL AUTHENTICATE; it carries a MAC at every level. // GPC-D §7.1.2
    ///
    /// # Errors
    /// Never for AES keys.
    pub fn external_authenticate(&mut self, cryptogram: &[u8]) -> Result<Command, CryptoError> {
        self.with_mac(Command::new(0x80, 0x82, self.level.byte(), 0).with_data(cryptogram))
    }

    /// Protects a command: encryption, then MAC over what is sent. // GPC-D §6.2.4, §6.2.6
    ///
    /// # Errors
    /// Never for AES keys.
    pub fn wrap(&mut self, plain: &Command) -> Result<Command, CryptoError> {
        if !self.level.c_mac() {
            return Ok(plain.clone());
        }
        let mut command = plain.clone();
        // The counter advances for commands without data too; some cards do not know that.
        if !command.data.is_empty() || self.counter_without_data {
            self.counter += 1;
        }
        if self.level.c_decryption() && !command.data.is_empty() {
            let icv = crypto::aes_ecb_encrypt(self.keys.enc.expose(), &self.counter.to_be_bytes())?;
            let padded = Zeroizing::new(crypto::pad_80(&command.data, 16));
            let enciphered = crypto::aes_cbc_encrypt(self.keys.enc.expose(), &icv, &padded)?;
            command.data.zeroize();
            command.data = enciphered;
        }
        self.with_mac(command)
    }

    fn with_mac(&mut self, command: Command) -> Result<Command, CryptoError> {
        let length = command.data.len() + self.mode.length();
        let mut input = Zeroizing::new(Vec::with_capacity(self.chain.len() + 7 + command.data.len()));
        input.extend_from_slice(&self.chain);
        // The header as it is sent, but for the logical channel.
        input.extend([command.cla & 0xFC | 0x04, command.ins, command.p1, command.p2]);
        if length > 255 || command.le.is_some_and(|le| le > 256) {
            input.extend([0, (length >> 8) as u8, length as u8]);
        } else {
            input.push(length as u8);
        }
        input.extend_from_slice(&command.data);
        self.chain = crypto::aes_cmac(self.keys.mac.expose(), &input)?;
        let mac = self.chain.get(..self.mode.length()).unwrap_or_default();
        let data = [command.data.as_slice(), mac].concat();
        let mut sent = Command::new(command.cla | 0x04, command.ins, command.p1, command.p2).with_data(data);
        sent.le = command.le;
        Ok(sent)
    }

    /// Checks and removes the protection of an answer. // GPC-D §6.2.5, §6.2.7
    ///
    /// # Errors
    /// A MAC that is missing where one is due, or wrong; data that does not decipher.
    pub fn unwrap(&mut self, answer: Response) -> Result<Response, Misbehaviour> {
        // GPC-D §6.2.5: an error carries neither data nor MAC.
        if !self.level.r_mac() || !(answer.sw.is_ok() || answer.sw.is_warning()) {
            return Ok(answer);
        }
        let at = answer.data.len().checked_sub(self.mode.length()).ok_or(Misbehaviour::MissingMac)?;
        let (data, seen) = answer.data.split_at(at);
        let input = [&self.chain, data, &answer.sw.to_bytes()].concat();
        let mac = crypto::aes_cmac(self.keys.rmac.expose(), &input).map_err(|_| Misbehaviour::WrongMac)?;
        if !mac.get(..seen.len()).is_some_and(|mac| bool::from(mac.ct_eq(seen))) {
            return Err(Misbehaviour::WrongMac);
        }
        // An answer without data is the MAC alone: there is nothing to decipher.
        if !self.level.r_encryption() || data.is_empty() {
            return Ok(Response::new(data, answer.sw));
        }
        let key = self.keys.enc.expose();
        let counter = (self.counter | 0x80 << 120).to_be_bytes();
        let clear = crypto::aes_ecb_encrypt(key, &counter)
            .and_then(|icv| crypto::aes_cbc_decrypt(key, &icv, data))
            .and_then(|padded| crypto::unpad_80(&Zeroizing::new(padded)).map(<[u8]>::to_vec))
            .map_err(|_| Misbehaviour::WrongPadding)?;
        Ok(Response::new(clear, answer.sw))
    }
}
