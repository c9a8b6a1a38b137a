//! From INITIALIZE UPDATE to a session.

use subtle::ConstantTimeEq;

use super::error::Mismatch;
use super::handshake::{Answered, Handshake, HandshakeError, initialize_update};
use super::scp03::expected_challenge;
use super::{ChallengeCheck, ChannelError, ChannelSpec, Mode, Protocol, Scp02, Scp02Keys, Scp03, Scp03Keys};
use crate::base::Chance;
use crate::card::apdu::{Command, Response};
use crate::card::plain::{Card, CardError};
use crate::keys::{CardForm, CardKeys, CardPadding, KeyHandle, KeyStore};

/// Sends INITIALIZE UPDATE and reads the answer. The card is as it was before. // GPC 2.3.1 §E.5.1, GPC-D §7.1.1
///
/// # Errors
/// The card refuses, or answers in another protocol, option, mode or key version than the profile states. There is
/// no fallback.
pub fn begin<'c>(card: &'c mut Card, spec: &ChannelSpec, chance: &mut Chance) -> Result<Greeting<'c>, ChannelError> {
    let asked = initialize_update(card, spec.key_version, &[spec.challenge_length()], chance)?;
    let handshake = asked.handshake.map_err(|error| unread(error, spec.protocol))?;
    is_as_stated(&handshake, spec.protocol)?;
    // Version 00 asks for the card's first key set, FF is how cards name factory keys.
    if spec.key_version != 0 && handshake.key_version != spec.key_version {
        return Err(ChannelError::KeyVersion { seen: handshake.key_version, wanted: spec.key_version });
    }
    Ok(Greeting { card, spec: spec.clone(), handshake, sent: asked.sent })
}

/// The card's answer to INITIALIZE UPDATE, its protocol compared with the profile's. The card is borrowed from here on.
pub struct Greeting<'c> {
    card: &'c mut Card,
    spec: ChannelSpec,
    handshake: Handshake,
    sent: u32,
}

/// Why an answer cannot be read, as an error of the channel.
fn unread(error: HandshakeError, wanted: Protocol) -> ChannelError {
    match error {
        HandshakeError::Refused(sw) => CardError::Refused { command: "INITIALIZE UPDATE", ins: 0x50, sw }.into(),
        HandshakeError::Protocol(scp) => ChannelError::Protocol { seen: format!("SCP{scp:02X}"), wanted },
        HandshakeError::Length(_) | HandshakeError::Answer | HandshakeError::Command => ChannelError::malformed(),
    }
}

/// The card answers in the protocol, option and mode that are stated.
fn is_as_stated(handshake: &Handshake, wanted: Protocol) -> Result<(), ChannelError> {
    let differs = |seen: String| Err(ChannelError::Protocol { seen, wanted });
    match (handshake.protocol, wanted) {
        (Answered::Scp02, Protocol::Scp02 { .. }) => Ok(()),
        (Answered::Scp03 { i: seen, mode: seen_mode }, Protocol::Scp03 { i, mode }) => {
            let seen = Protocol::Scp03 { i: seen, mode: seen_mode };
            let without = handshake.sequence.is_empty();
            match seen {
                // The mode shows in the length alone; cards disagree which bit of i stands for S16.
                Protocol::Scp03 { i: bits, .. } if seen_mode != mode || (bits ^ i) & !0x09 != 0 => {
                    differs(seen.to_string())
                }
                _ if without == wanted.pseudo_random() => {
                    differs(format!("{seen} {} a sequence counter", if without { "without" } else { "with" }))
                }
                _ => Ok(()),
            }
        }
        (Answered::Scp02, Protocol::Scp03 { .. }) => differs("SCP02".to_owned()),
        (Answered::Scp03 { .. }, Protocol::Scp02 { .. }) => differs("SCP03".to_owned()),
    }
}

/// A session's protocol state, ready for EXTERNAL AUTHENTICATE: exists only once the card's cryptogram was right.
struct Verified {
    state: State,
    host_cryptogram: Vec<u8>,
    dek: KeyHandle,
    note: Option<String>,
}

enum State {
    Scp02(Box<Scp02>),
    Scp03(Box<Scp03>),
}

impl<'c> Greeting<'c> {
    /// Key diversification data.
    pub fn kdd(&self) -> &[u8; 10] {
        &self.handshake.kdd
    }

    /// Key version number.
    pub fn key_version(&self) -> u8 {
        self.handshake.key_version
    }

    /// Sequence counter; empty where the card states none.
    pub fn sequence(&self) -> &[u8] {
        &self.handshake.sequence
    }

    /// How often INITIALIZE UPDATE was sent: twice if its Le was corrected.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// Compares the card's cryptogram, and only if it is right sends EXTERNAL AUTHENTICATE.
    ///
    /// # Errors
    /// [`ChannelError::Cryptogram`] and [`ChannelError::Challenge`]: nothing was sent. [`ChannelError::Login`]: the
    /// card refused; it must not be tried again.
    pub fn login(self, store: &dyn KeyStore, keys: CardKeys) -> Result<Session<'c>, ChannelError> {
        let verified = self.verify(store, keys)?;
        let Verified { mut state, host_cryptogram, dek, note } = verified;
        let command = match &mut state {
            State::Scp02(scp02) => scp02.external_authenticate(&host_cryptogram)?,
            State::Scp03(scp03) => scp03.external_authenticate(&host_cryptogram)?,
        };
        let answer = self.card.transmit(&command)?;
        if !answer.sw.is_ok() {
            return Err(ChannelError::Login { level: self.spec.level.byte(), sw: answer.sw });
        }
        Ok(Session { card: self.card, spec: self.spec, state: Some(state), dek, note })
    }

    fn verify(&self, store: &dyn KeyStore, keys: CardKeys) -> Result<Verified, ChannelError> {
        match self.spec.protocol {
            Protocol::Scp02 { i } => self.verify_scp02(store, keys, i),
            Protocol::Scp03 { mode, .. } => self.verify_scp03(store, keys, mode),
        }
    }

    fn verify_scp02(&self, store: &dyn KeyStore, keys: CardKeys, i: u8) -> Result<Verified, ChannelError> {
        let sequence: [u8; 2] = self.handshake.sequence.as_slice().try_into().map_err(|_| ChannelError::malformed())?;
        let (session, dek) = Scp02Keys::derive(store, &keys, i, sequence)?;
        let expected = session.card_cryptogram(&self.handshake.host, sequence, &self.handshake.challenge)?;
        self.compare(store, &keys, &expected)?;
        let note = self.check_challenge(|| Ok(session.expected_challenge(&self.spec.aid)?))?;
        let host_cryptogram =
            session.host_cryptogram(&self.handshake.host, sequence, &self.handshake.challenge)?.to_vec();
        let state = Scp02::new(session, i, self.spec.level);
        Ok(Verified { state: State::Scp02(Box::new(state)), host_cryptogram, dek, note })
    }

    fn verify_scp03(&self, store: &dyn KeyStore, keys: CardKeys, mode: Mode) -> Result<Verified, ChannelError> {
        let Handshake { challenge, sequence, .. } = &self.handshake;
        let session = Scp03Keys::derive(store, &keys, &self.handshake.host, challenge)?;
        let expected = session.card_cryptogram(&self.handshake.host, challenge, mode)?;
        self.compare(store, &keys, &expected)?;
        let note = self.check_challenge(|| {
            let sequence = sequence.as_slice().try_into().map_err(|_| ChannelError::malformed())?;
            Ok(expected_challenge(store, &keys, sequence, &self.spec.aid, mode)?)
        })?;
        let host_cryptogram = session.host_cryptogram(&self.handshake.host, challenge, mode)?;
        let state = Scp03::new(session, mode, self.spec.level, self.spec.counter_without_data);
        // GPC-D §6.2.8: there is no session DEK, the static one is used
        Ok(Verified { state: State::Scp03(Box::new(state)), host_cryptogram, dek: keys.dek, note })
    }

    fn compare(&self, store: &dyn KeyStore, keys: &CardKeys, expected: &[u8]) -> Result<(), ChannelError> {
        if bool::from(expected.ct_eq(&self.handshake.cryptogram)) {
            return Ok(());
        }
        let kcvs = keys.check_values(store).map(|each| each.map(hex::encode_upper).join(" "));
        let hex_or_dash = |bytes: &[u8]| if bytes.is_empty() { "-".to_owned() } else { hex::encode_upper(bytes) };
        Err(ChannelError::Cryptogram(Box::new(Mismatch {
            protocol: self.spec.protocol,
            kvn: self.handshake.key_version,
            kdd: hex::encode_upper(self.handshake.kdd),
            sequence: hex_or_dash(&self.handshake.sequence),
            seen: hex::encode_upper(&self.handshake.cryptogram),
            expected: [&keys.enc, &keys.mac, &keys.dek]
                .iter()
                .all(|key| key.is_test())
                .then(|| hex::encode_upper(expected)),
            keys: format!("{} with check values {}", keys.enc.name(), kcvs.unwrap_or_default()),
        })))
    }

    /// The pseudo-random challenge cannot be relied on to be right, since cards disagree which AID enters it.
    fn check_challenge(
        &self,
        expected: impl FnOnce() -> Result<Vec<u8>, ChannelError>,
    ) -> Result<Option<String>, ChannelError> {
        if !self.spec.protocol.pseudo_random() || self.spec.check_challenge == ChallengeCheck::Off {
            return Ok(None);
        }
        if expected()? == self.handshake.challenge {
            return Ok(None);
        }
        let aid = hex::encode_upper(&self.spec.aid);
        match self.spec.check_challenge {
            ChallengeCheck::Refuse => Err(ChannelError::Challenge { aid }),
            _ => Ok(Some(format!("the card's challenge is not the one that its counter and AID {aid} give"))),
        }
    }
}

/// An open secure channel. Using the card beside it does not compile; after a failed exchange it is dead.
pub struct Session<'c> {
    card: &'c mut Card,
    spec: ChannelSpec,
    /// Taken out for every exchange and put back only when it succeeded.
    state: Option<State>,
    dek: KeyHandle,
    note: Option<String>,
}

impl Session<'_> {
    /// One protected exchange. Commands of every class are protected; none slips by.
    ///
    /// # Errors
    /// The link broke or the card misbehaved: the session is dead then. A status word is never an error here.
    pub fn transmit(&mut self, plain: &Command) -> Result<Response, ChannelError> {
        let mut state = self.state.take().ok_or(ChannelError::Dead)?;
        let command = match &mut state {
            State::Scp02(scp02) => scp02.wrap(plain)?,
            State::Scp03(scp03) => scp03.wrap(plain)?,
        };
        let answer = self.card.transmit(&command)?;
        let answer = match &mut state {
            State::Scp02(scp02) => scp02.unwrap(answer)?,
            State::Scp03(scp03) => scp03.unwrap(answer)?,
        };
        self.state = Some(state);
        Ok(answer)
    }

    /// What was agreed.
    pub fn spec(&self) -> &ChannelSpec {
        &self.spec
    }

    /// The key that sensitive data is enciphered under: S-DEK in SCP02, the static DEK in SCP03.
    pub fn dek(&self) -> &KeyHandle {
        &self.dek
    }

    /// How a grouping is enciphered under [`Session::dek`]. // CPS 1.1 §5.5.1; GPC-D §6.2.8
    pub fn card_form(&self, padding: CardPadding) -> CardForm {
        CardForm { padding, cbc: matches!(self.spec.protocol, Protocol::Scp03 { .. }) }
    }

    /// What the check of the card's challenge had to say.
    pub fn challenge_note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Ends the session; the keys are wiped. The card ends its side with the next SELECT or reset.
    pub fn close(self) {}
}
