//! The card's side of SCP02 and SCP03. // GPC 2.3.1 annex E, GPC-D

use std::sync::Arc;

use super::blank::KeySet;
use crate::base::Secret;
use crate::base::crypto as cipher;
use crate::card::apdu::{Command, Response};

type Bytes = Secret<Vec<u8>>;

/// Keys of one session.
struct Keys {
    enc: Bytes,
    mac: Bytes,
    rmac: Bytes,
    /// What groupings are enciphered under.
    dek: Bytes,
}

/// INITIALIZE UPDATE was answered; EXTERNAL AUTHENTICATE is expected.
#[derive(Clone)]
pub(super) struct Pending {
    key_set: usize,
    scp: u8,
    i: u8,
    /// Length of cryptogram and MAC.
    length: usize,
    keys: Arc<Keys>,
    host_cryptogram: Vec<u8>,
}

/// An open channel.
#[derive(Clone)]
pub(super) struct Channel {
    scp: u8,
    i: u8,
    length: usize,
    level: u8,
    keys: Arc<Keys>,
    /// SCP02: the last C-MAC. SCP03: the whole MAC of the last command.
    chain: Vec<u8>,
    /// SCP02: the last R-MAC.
    answer_chain: [u8; 8],
    counter: u64,
}

/// A command whose protection is wrong.
pub(super) struct Rejected;

impl From<cipher::CryptoError> for Rejected {
    fn from(_: cipher::CryptoError) -> Self {
        Rejected
    }
}

fn aes_derive(key: &[u8], constant: u8, bytes: usize, context: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut counter = 1u8;
    while out.len() < bytes {
        let mut message = [0u8; 16];
        let bits = ((bytes * 8) as u16).to_be_bytes();
        // Label of twelve bytes that ends with the constant, a zero, the length in bits, the counter.
        for (place, value) in [(11, constant), (13, *bits.first()?), (14, *bits.last()?), (15, counter)] {
            *message.get_mut(place)? = value;
        }
        out.extend(cipher::aes_cmac(key, &[&message, context].concat()).ok()?);
        counter += 1;
    }
    out.truncate(bytes);
    Some(out)
}

fn des_derive(key: &[u8], constant: [u8; 2], counter: [u8; 2]) -> Option<Bytes> {
    let data = [&constant[..], &counter[..], &[0; 12]].concat();
    cipher::tdes_cbc_encrypt(key, &[0; 8], &data).ok().map(Secret::new)
}

impl Pending {
    /// Draws the card's challenge and answers. Nothing where the key set cannot be used.
    ///
    /// `aid` is what a computed challenge comes from; with none it is `random` whatever the options say.
    pub(super) fn greet(
        key_set: usize,
        set: &KeySet,
        kdd: &[u8],
        host: &[u8],
        random: &[u8],
        aid: Option<&[u8]>,
    ) -> Option<(Vec<u8>, Self)> {
        match set.scp {
            2 => Self::greet_02(key_set, set, kdd, host, random, aid),
            _ => Self::greet_03(key_set, set, kdd, host, random, aid),
        }
    }

    fn greet_02(
        key_set: usize,
        set: &KeySet,
        kdd: &[u8],
        host: &[u8],
        random: &[u8],
        aid: Option<&[u8]>,
    ) -> Option<(Vec<u8>, Self)> {
        let [_, _, high, low] = set.counter.to_be_bytes();
        let counter = [high, low];
        // With b1 clear there is one key for everything.
        let (mac, dek) = if set.i & 1 == 1 { (&set.mac.0, &set.dek.0) } else { (&set.enc.0, &set.enc.0) };
        let keys = Keys {
            enc: des_derive(&set.enc.0, [1, 0x82], counter)?,
            mac: des_derive(mac, [1, 1], counter)?,
            rmac: des_derive(mac, [1, 2], counter)?,
            dek: des_derive(dek, [1, 0x81], counter)?,
        };
        let challenge = if let Some(aid) = aid.filter(|_| set.i & 0x40 != 0) {
            let mac = cipher::retail_mac(keys.mac.expose(), &[0; 8], &cipher::pad_80(aid, 8)).ok()?;
            mac.get(..6)?.to_vec()
        } else {
            random.get(..6)?.to_vec()
        };
        let cryptogram = |parts: [&[u8]; 3]| {
            cipher::tdes_cbc_mac(keys.enc.expose(), &[0; 8], &cipher::pad_80(&parts.concat(), 8)).ok()
        };
        let card = cryptogram([host, &counter, &challenge])?;
        let host_cryptogram = cryptogram([&counter, &challenge, host])?.to_vec();
        let answer = [kdd, &[set.version, 2], &counter, &challenge, &card].concat();
        Some((answer, Self { key_set, scp: 2, i: set.i, length: 8, keys: Arc::new(keys), host_cryptogram }))
    }

    fn greet_03(
        key_set: usize,
        set: &KeySet,
        kdd: &[u8],
        host: &[u8],
        random: &[u8],
        aid: Option<&[u8]>,
    ) -> Option<(Vec<u8>, Self)> {
        let length = if set.s16 { 16 } else { 8 };
        let [_, counter @ ..] = set.counter.to_be_bytes();
        let pseudo = set.i & 0x10 != 0;
        let challenge = if let Some(aid) = aid.filter(|_| pseudo) {
            aes_derive(&set.enc.0, 2, length, &[&counter, aid].concat())?
        } else {
            random.get(..length)?.to_vec()
        };
        let context = [host, &challenge].concat();
        let session = |key: &[u8], constant| aes_derive(key, constant, key.len(), &context).map(Secret::new);
        let keys = Keys {
            enc: session(&set.enc.0, 4)?,
            mac: session(&set.mac.0, 6)?,
            rmac: session(&set.mac.0, 7)?,
            dek: Secret::new(set.dek.0.clone()),
        };
        let card = aes_derive(keys.mac.expose(), 0, length, &context)?;
        let host_cryptogram = aes_derive(keys.mac.expose(), 1, length, &context)?;
        let tail: &[u8] = if pseudo { &counter } else { &[] };
        let answer = [kdd, &[set.version, 3, set.i], &challenge, &card, tail].concat();
        Some((answer, Self { key_set, scp: 3, i: set.i, length, keys: Arc::new(keys), host_cryptogram }))
    }

    pub(super) fn key_set(&self) -> usize {
        self.key_set
    }

    /// Whether the card has this security level.
    pub(super) fn has_level(&self, level: u8) -> bool {
        match (self.scp, level) {
            (_, 0x00 | 0x01 | 0x03) => true,
            (2, 0x11 | 0x13) => true,
            (3, 0x11 | 0x13) => self.i & 0x20 != 0,
            (3, 0x33) => self.i & 0x60 == 0x60,
            _ => false,
        }
    }
}

impl Channel {
    /// EXTERNAL AUTHENTICATE, or the status word that refuses it.
    pub(super) fn open(command: &Command, pending: Pending) -> Result<Self, u16> {
        let Pending { scp, i, length, keys, host_cryptogram, .. } = pending;
        let Some((cryptogram, mac)) = command.data.split_at_checked(length) else { return Err(0x6700) };
        if mac.len() != length {
            return Err(0x6700);
        }
        if cryptogram != host_cryptogram {
            return Err(0x6300);
        }
        let header = [0x84, 0x82, command.p1, 0, 2 * length as u8];
        let first = [&header, cryptogram].concat();
        let computed = match scp {
            2 => cipher::retail_mac(keys.mac.expose(), &[0; 8], &cipher::pad_80(&first, 8)).map(|mac| mac.to_vec()),
            _ => cipher::aes_cmac(keys.mac.expose(), &[&[0; 16], first.as_slice()].concat()).map(|mac| mac.to_vec()),
        };
        let chain = computed.map_err(|_| 0x6F00u16)?;
        if chain.get(..length) != Some(mac) {
            return Err(0x6982);
        }
        let answer_chain = chain.first_chunk::<8>().copied().unwrap_or_default();
        Ok(Self { scp, i, length, level: command.p1, keys, chain, answer_chain, counter: 0 })
    }

    pub(super) fn wants_mac(&self) -> bool {
        self.level & 0x01 != 0
    }

    pub(super) fn answers_with_mac(&self) -> bool {
        self.level & 0x10 != 0
    }

    /// What groupings are enciphered under, and whether in CBC.
    pub(super) fn dek(&self) -> (&[u8], bool) {
        (self.keys.dek.expose(), self.scp == 3)
    }

    /// The plain command.
    pub(super) fn unwrap(&mut self, command: &Command) -> Result<Command, Rejected> {
        if !self.wants_mac() {
            return Err(Rejected);
        }
        let at = command.data.len().checked_sub(self.length).ok_or(Rejected)?;
        let (sent, mac) = command.data.split_at(at);
        let plain = match self.scp {
            2 => self.unwrap_02(command, sent, mac)?,
            _ => self.unwrap_03(command, sent, mac)?,
        };
        Ok(Command { cla: command.cla & !0x04, data: plain, ..command.clone() })
    }

    /// Decipher, then check the MAC over the clear data.
    fn unwrap_02(&mut self, command: &Command, sent: &[u8], mac: &[u8]) -> Result<Vec<u8>, Rejected> {
        let plain = if self.level & 0x02 != 0 && !sent.is_empty() {
            let padded = cipher::tdes_cbc_decrypt(self.keys.enc.expose(), &[0; 8], sent)?;
            cipher::unpad_80(&padded)?.to_vec()
        } else {
            sent.to_vec()
        };
        let icv: [u8; 8] = if self.i & 0x10 != 0 {
            let half = self.keys.mac.expose().get(..8).ok_or(Rejected)?;
            cipher::des_ecb_encrypt(half, &self.chain)?.try_into().map_err(|_| Rejected)?
        } else {
            self.chain.as_slice().try_into().map_err(|_| Rejected)?
        };
        let head = head(command.cla, command, plain.len() + 8);
        let input = cipher::pad_80(&[head, plain.clone()].concat(), 8);
        let computed = cipher::retail_mac(self.keys.mac.expose(), &icv, &input)?;
        if computed != mac {
            return Err(Rejected);
        }
        self.chain = computed.to_vec();
        Ok(plain)
    }

    /// Check the MAC over what was sent, then decipher.
    fn unwrap_03(&mut self, command: &Command, sent: &[u8], mac: &[u8]) -> Result<Vec<u8>, Rejected> {
        self.counter += 1;
        let input = [self.chain.clone(), head(command.cla, command, command.data.len()), sent.to_vec()].concat();
        let computed = cipher::aes_cmac(self.keys.mac.expose(), &input)?;
        if computed.get(..self.length) != Some(mac) {
            return Err(Rejected);
        }
        self.chain = computed.to_vec();
        if self.level & 0x02 == 0 || sent.is_empty() {
            return Ok(sent.to_vec());
        }
        let key = self.keys.enc.expose();
        let icv = cipher::aes_ecb_encrypt(key, &self.count(0x00))?;
        let padded = cipher::aes_cbc_decrypt(key, &icv, sent)?;
        Ok(cipher::unpad_80(&padded)?.to_vec())
    }

    fn count(&self, first: u8) -> Vec<u8> {
        [&[first, 0, 0, 0, 0, 0, 0, 0], self.counter.to_be_bytes().as_slice()].concat()
    }

    /// The protected answer to a plain command.
    pub(super) fn wrap(&mut self, plain: &Command, answer: Response, errors_too: bool) -> Response {
        if !self.answers_with_mac() {
            return answer;
        }
        let good = matches!(answer.sw.sw1(), 0x90 | 0x62 | 0x63);
        let wrapped = if self.scp == 2 { self.wrap_02(plain, &answer) } else { self.wrap_03(&answer, good) };
        match wrapped {
            Some(data) if good || (self.scp == 2 && errors_too) => Response { data, sw: answer.sw },
            _ => Response::status(answer.sw.0),
        }
    }

    /// The chain moves with every answer, whether its MAC is sent or not.
    fn wrap_02(&mut self, plain: &Command, answer: &Response) -> Option<Vec<u8>> {
        let input = [
            head(plain.cla & !0x07, plain, plain.data.len()),
            plain.data.clone(),
            vec![answer.data.len() as u8],
            answer.data.clone(),
            answer.sw.to_bytes().to_vec(),
        ];
        let input = cipher::pad_80(&input.concat(), 8);
        self.answer_chain = cipher::retail_mac(self.keys.rmac.expose(), &self.answer_chain, &input).ok()?;
        Some([answer.data.as_slice(), &self.answer_chain].concat())
    }

    fn wrap_03(&mut self, answer: &Response, good: bool) -> Option<Vec<u8>> {
        if !good {
            return None;
        }
        let mut data = answer.data.clone();
        if self.level & 0x20 != 0 && !data.is_empty() {
            let key = self.keys.enc.expose();
            let icv = cipher::aes_ecb_encrypt(key, &self.count(0x80)).ok()?;
            data = cipher::aes_cbc_encrypt(key, &icv, &cipher::pad_80(&data, 16)).ok()?;
        }
        let input = [self.chain.as_slice(), &data, &answer.sw.to_bytes()].concat();
        let mac = cipher::aes_cmac(self.keys.rmac.expose(), &input).ok()?;
        data.extend(mac.iter().take(self.length));
        Some(data)
    }
}

/// Class, instruction, parameters and a length, in the form in which the command travels.
fn head(cla: u8, command: &Command, length: usize) -> Vec<u8> {
    let mut out = vec![cla, command.ins, command.p1, command.p2];
    if command.needs_extended() {
        out.extend([0, (length >> 8) as u8, length as u8]);
    } else {
        out.push(length as u8);
    }
    out
}
