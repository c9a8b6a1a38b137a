//! INITIALIZE UPDATE: sent in one place, and its answer read in one place. // GPC 2.3.1 §E.5.1, GPC-D §7.1.1

use super::{ChannelError, Mode};
use crate::base::Chance;
use crate::base::crypto::Cipher;
use crate::card::apdu::{Command, Response, StatusWord, meaning};
use crate::card::plain::Card;

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
    #[error("unexpected INITIALIZE UPDATE response length: {0} bytes")]
    Length(usize),
}

/// INITIALIZE UPDATE as it was sent, and what came of it.
pub struct Asked {
    /// The answer, taken apart.
    pub handshake: Result<Handshake, HandshakeError>,
    /// How often INITIALIZE UPDATE was sent: again if its Le was corrected, or for another length of the challenge.
    pub sent: u32,
    /// The card did not take the first length of the challenge (6700).
    pub longer: bool,
}

/// Sends INITIALIZE UPDATE to what is selected, with a host challenge of the first of these lengths; with the next where the
/// card does not take it (6700). The card is as it was before. A refusal is an answer.
///
/// # Errors
/// The link, misbehaviour, or randomness.
pub fn initialize_update(
    card: &mut Card,
    key_version: u8,
    lengths: &[usize],
    chance: &mut Chance,
) -> Result<Asked, ChannelError> {
    let mut asked = Asked { handshake: Err(HandshakeError::Command), sent: 0, longer: false };
    for length in lengths {
        let mut host = vec![0; *length];
        chance.fill(&mut host)?;
        let command = Command::new(0x80, 0x50, key_version, 0).with_data(host.clone()).with_le(256);
        let (answer, sent) = card.transmit_counted(&command)?;
        asked.longer = asked.sent > 0;
        asked.sent += sent;
        if answer.sw.is_ok() {
            asked.handshake = Handshake::of(key_version, host, &answer.data);
            return Ok(asked);
        }
        asked.handshake = Err(HandshakeError::Refused(answer.sw));
        if answer.sw.0 != 0x6700 {
            return Ok(asked);
        }
    }
    Ok(asked)
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
        Self::of(command.p1, command.into_data(), &data)?.of_its_length(data.len())
    }

    /// The same from what was sent and the answer's data. Whether the host challenge is as long as the card's is not
    /// looked at.
    ///
    /// # Errors
    /// [`HandshakeError::Length`], [`HandshakeError::Protocol`].
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
        let sequence = if protocol == Answered::Scp02 { before } else { after };
        let [sequence, challenge, cryptogram] = [sequence, challenge, cryptogram].map(<[u8]>::to_vec);
        Ok(Self { asked, host, kdd, key_version, protocol, sequence, challenge, cryptogram })
    }

    /// The same, if the host challenge has the length of the card's.
    fn of_its_length(self, answer: usize) -> Result<Self, HandshakeError> {
        let wanted = match self.protocol {
            Answered::Scp02 => 8,
            Answered::Scp03 { mode, .. } => mode.length(),
        };
        if self.host.len() == wanted { Ok(self) } else { Err(HandshakeError::Length(answer)) }
    }

    /// SCP02's sequence counter.
    pub fn counter(&self) -> [u8; 2] {
        self.sequence.first_chunk::<2>().copied().unwrap_or_default()
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
