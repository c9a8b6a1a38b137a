//! Looking inside the secure channel of a trace, with test keys: the host's own protocol wraps what was deciphered, and
//! only if that gives the traced bytes again is a MAC called right.

use crate::base::Secret;
use crate::base::crypto::{self, CryptoError};
use crate::card::apdu::{Command, Response};
use crate::card::channel::{Answered, Handshake, Mode, Protocol, Scp02, Scp02Keys, Scp03, Scp03Keys, SecurityLevel};
use crate::keys::{CardKeys, KeyStore};

/// What was found inside.
pub(super) enum Inside<T> {
    /// Nothing to look into: no keys, no channel, or sent in the clear.
    Clear,
    /// There is a channel, and it cannot be looked into.
    Closed,
    /// Deciphered, every MAC right.
    Open(T),
    /// It does not check.
    Wrong(&'static str),
}

/// The channel as it is followed through a trace.
pub(super) struct Insight<'a> {
    store: Option<&'a dyn KeyStore>,
    asked: Option<Vec<u8>>,
    greeting: Option<(Handshake, CardKeys, String)>,
    /// The ways of the protocol that fit all exchanges so far; the trace does not say which it is.
    states: Vec<State>,
    level: u8,
    /// The last protected command, as it went over the wire and inside: it may be sent again with another Le.
    last: Option<(Command, Command)>,
    /// The parts of an answer that comes in pieces.
    held: Vec<u8>,
}

enum State {
    Scp02(Box<Scp02>),
    Scp03 { state: Box<Scp03>, mode: Mode, counter: u128, always: bool },
}

impl<'a> Insight<'a> {
    pub(super) fn new(store: Option<&'a dyn KeyStore>) -> Self {
        Self { store, asked: None, greeting: None, states: Vec::new(), level: 0, last: None, held: Vec::new() }
    }

    /// A reset or a SELECT ends the channel.
    pub(super) fn end(&mut self) {
        *self = Self::new(self.store);
    }

    /// Follows a command as it went over the wire.
    pub(super) fn command(&mut self, command: &Command) -> Inside<Command> {
        if command.ins == 0x50 && command.cla & 0x80 != 0 {
            self.end();
            self.asked = command.to_bytes().ok();
            return Inside::Clear;
        }
        if command.ins == 0x82 && command.cla & 0x80 != 0 {
            return self.login(command);
        }
        if self.level & 0x01 == 0 || command.cla & 0x04 == 0 {
            return Inside::Clear;
        }
        if let Some((sent, inside)) = &self.last
            && same_but_le(sent, command)
        {
            return Inside::Open(inside.clone());
        }
        if self.states.is_empty() {
            return Inside::Closed;
        }
        let mut found = None;
        self.states.retain_mut(|state| match state.unwrap_command(command, self.level) {
            Some(inside) => {
                found = Some(inside);
                true
            }
            None => false,
        });
        match found {
            Some(inside) => {
                self.last = Some((command.clone(), inside.clone()));
                Inside::Open(inside)
            }
            None => Inside::Wrong("the MAC is wrong, or the data does not decipher"),
        }
    }

    /// Follows an answer as it went over the wire.
    pub(super) fn answer(&mut self, answer: &Response) -> Inside<Response> {
        if let Some(asked) = self.asked.take() {
            // Over T=0 the answer is fetched by GET RESPONSE, or the command is sent again with another Le.
            self.held.extend_from_slice(&answer.data);
            match answer.sw.sw1() {
                0x61 => self.asked = Some(asked),
                0x6C => self.held.clear(),
                _ => {
                    let whole = Response::new(std::mem::take(&mut self.held), answer.sw);
                    self.greet(&asked, &whole);
                }
            }
            return Inside::Clear;
        }
        if self.level & 0x10 == 0 || self.last.is_none() {
            return Inside::Clear;
        }
        self.held.extend_from_slice(&answer.data);
        if matches!(answer.sw.sw1(), 0x61 | 0x6C) {
            return Inside::Clear;
        }
        if self.states.is_empty() {
            return Inside::Closed;
        }
        let whole = Response::new(std::mem::take(&mut self.held), answer.sw);
        let mut found = None;
        self.states.retain_mut(|state| match state.unwrap_answer(whole.clone()) {
            Some(inside) => {
                found = Some(inside);
                true
            }
            None => false,
        });
        found.map_or(Inside::Wrong("the MAC is missing or wrong, or the data does not decipher"), Inside::Open)
    }

    /// The key set that the channel was opened with.
    pub(super) fn keys(&self) -> Option<&str> {
        self.greeting.as_ref().map(|(_, _, name)| name.as_str())
    }

    fn greet(&mut self, asked: &[u8], answer: &Response) {
        let Some(store) = self.store else { return };
        let Ok(handshake) = Handshake::read(asked, &answer.to_bytes()) else { return };
        let Ok(comparison) = handshake.compare(store, None) else { return };
        // One of a card's three keys gives the card's cryptogram by itself, and no MAC.
        let tests = comparison.fits.iter().filter(|fit| fit.set.is_test());
        let fit = tests.min_by_key(|fit| fit.set.is_one_of_three());
        let keys = fit.and_then(|fit| {
            let keys = fit.set.card_keys(store, fit.method, &handshake.kdd).ok()?;
            Some((keys, format!("{}, diversification {}", fit.set.name(), fit.method.name())))
        });
        self.greeting = keys.map(|(keys, name)| (handshake, keys, name));
    }

    fn login(&mut self, command: &Command) -> Inside<Command> {
        self.level = command.p1;
        self.last = None;
        let (Some(store), Some((handshake, keys, _))) = (self.store, &self.greeting) else {
            return Inside::Closed;
        };
        // Hosts differ in Le: the MAC does not cover it, and T=0 has none. // GPC 2.3.1 §E.5.2
        let mut states = Vec::new();
        for (mut state, cryptogram) in states_of(store, handshake, keys, command.p1) {
            let made = match &mut state {
                State::Scp02(state) => state.external_authenticate(&cryptogram),
                State::Scp03 { state, .. } => state.external_authenticate(&cryptogram),
            };
            if made.is_ok_and(|made| same_but_le(&made, command)) {
                states.push(state);
            }
        }
        self.states = states;
        if self.states.is_empty() {
            return Inside::Wrong("the host cryptogram or the MAC is wrong");
        }
        let bare = Command { cla: command.cla & !0x04, data: Vec::new(), ..command.clone() };
        Inside::Open(bare)
    }
}

/// Every way of the protocol that a session may go on in, with the host cryptogram.
fn states_of(store: &dyn KeyStore, handshake: &Handshake, keys: &CardKeys, level: u8) -> Vec<(State, Vec<u8>)> {
    let mut out = Vec::new();
    match handshake.protocol {
        // Three keys or one, ICV enciphered or not; the other bits make no difference here. // GPC 2.3.1 §E.1.1
        Answered::Scp02 => {
            for i in [0x15, 0x05, 0x14, 0x04] {
                let counter = handshake.counter();
                let Ok((session, _)) = Scp02Keys::derive(store, keys, i, counter) else { continue };
                let cryptogram = session.host_cryptogram(&handshake.host, counter, &handshake.challenge);
                let level = Protocol::scp02(i).and_then(|protocol| SecurityLevel::new(level, protocol));
                if let (Ok(cryptogram), Ok(level)) = (cryptogram, level) {
                    out.push((State::Scp02(Box::new(Scp02::new(session, i, level))), cryptogram.to_vec()));
                }
            }
        }
        // Cards disagree whether the counter advances for commands without data.
        Answered::Scp03 { mode, .. } => {
            for always in [true, false] {
                let Ok(session) = Scp03Keys::derive(store, keys, &handshake.host, &handshake.challenge) else {
                    continue;
                };
                let cryptogram = session.host_cryptogram(&handshake.host, &handshake.challenge, mode);
                // The level is what the card has accepted, whatever its `i` says.
                let level = Protocol::scp03(0x70, mode).and_then(|protocol| SecurityLevel::new(level, protocol));
                if let (Ok(cryptogram), Ok(level)) = (cryptogram, level) {
                    let state = Box::new(Scp03::new(session, mode, level, always));
                    out.push((State::Scp03 { state, mode, counter: 0, always }, cryptogram));
                }
            }
        }
    }
    out
}

impl State {
    /// The command inside, if wrapping it gives the command of the wire.
    fn unwrap_command(&mut self, wire: &Command, level: u8) -> Option<Command> {
        let enciphered = level & 0x02 != 0;
        let mac = match self {
            State::Scp02(_) => 8,
            State::Scp03 { mode, .. } => mode.length(),
        };
        let (data, _) = wire.data.split_at_checked(wire.data.len().checked_sub(mac)?)?;
        if let State::Scp03 { counter, always, .. } = self
            && (*always || !data.is_empty())
        {
            *counter += 1;
        }
        let data = if enciphered && !data.is_empty() { self.decipher(data).ok()? } else { data.to_vec() };
        let inside = Command { cla: wire.cla & !0x04, data, ..wire.clone() };
        let again = match self {
            State::Scp02(state) => state.wrap(&inside),
            State::Scp03 { state, .. } => state.wrap(&inside),
        };
        (again.ok()? == *wire).then_some(inside)
    }

    fn decipher(&self, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let padded = Secret::new(match self {
            State::Scp02(state) => crypto::tdes_cbc_decrypt(state.keys().enc.expose(), &[0; 8], data)?,
            State::Scp03 { state, counter, .. } => {
                let key = state.keys().enc.expose();
                let icv = crypto::aes_ecb_encrypt(key, &counter.to_be_bytes())?;
                crypto::aes_cbc_decrypt(key, &icv, data)?
            }
        });
        crypto::unpad_80(padded.expose()).map(<[u8]>::to_vec)
    }

    fn unwrap_answer(&mut self, answer: Response) -> Option<Response> {
        match self {
            State::Scp02(state) => state.unwrap(answer).ok(),
            State::Scp03 { state, .. } => state.unwrap(answer).ok(),
        }
    }
}

/// Whether two commands differ in their Le at most.
fn same_but_le(one: &Command, other: &Command) -> bool {
    let header = |it: &Command| [it.cla, it.ins, it.p1, it.p2];
    header(one) == header(other) && one.data == other.data
}
