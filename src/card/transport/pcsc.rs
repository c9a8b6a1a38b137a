//! Real readers, through PC/SC.

use std::time::{Duration, Instant};

use super::chosen::{choose, meant};
use super::{Limits, LinkError, Transport};

pub use super::chosen::Reader;
use crate::base::StopRequest;

/// Whether this program was built with PC/SC.
pub const BUILT: bool = cfg!(feature = "pcsc");

/// The readers that PC/SC knows.
///
/// # Errors
/// The service cannot be used, or this program was built without it.
pub fn readers() -> Result<Vec<Reader>, LinkError> {
    imp::readers()
}

/// Watches readers and cards come and go.
#[derive(Default)]
pub struct Watcher(imp::Watcher);

impl Watcher {
    /// All readers, once at the first call and then each time that something has changed; nothing where `wait` has passed.
    ///
    /// # Errors
    /// The service cannot be used. It may come back: ask again later.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Vec<Reader>>, LinkError> {
        self.0.next(wait)
    }
}

/// The reader that is meant: by its exact name, a unique part of it, or its number in [`readers`].
///
/// # Errors
/// There is no such reader, or more than one.
pub fn find(wanted: &str) -> Result<Reader, LinkError> {
    choose(&readers()?, wanted).cloned()
}

/// A connection to the PC/SC service. The link to a card goes on with the one that has found its reader.
pub struct Service(imp::Service);

impl Service {
    /// Connects to the service.
    ///
    /// # Errors
    /// The service cannot be used.
    pub fn open() -> Result<Self, LinkError> {
        imp::Service::open().map(Self)
    }

    /// As [`find`], but nothing if there is no such reader yet.
    ///
    /// # Errors
    /// There is more than one, or the service cannot be used.
    pub fn look(&self, wanted: &str) -> Result<Option<Reader>, LinkError> {
        let readers = self.0.readers()?;
        if meant(&readers, wanted).is_empty() { Ok(None) } else { choose(&readers, wanted).cloned().map(Some) }
    }

    /// As [`connect`], over this connection.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn connect(self, name: &str, limits: Limits) -> Result<Box<dyn Transport>, LinkError> {
        imp::connect(name, limits, Some(self.0))
    }
}

/// Waits until a reader is plugged in that is meant so. The reader, and what is left of the wait. A service that is started
/// anew meanwhile is waited for as well.
///
/// # Errors
/// There is none after `wait`, or more than one; or a request to stop came.
pub fn wait_for_reader(wanted: &str, wait: Duration, stop: &StopRequest) -> Result<(Reader, Duration), LinkError> {
    let until = Instant::now() + wait;
    let mut watcher = Watcher::default();
    loop {
        stop.check()?;
        let left = until.saturating_duration_since(Instant::now());
        match watcher.next(left.min(SLICE)) {
            Ok(Some(readers)) if !meant(&readers, wanted).is_empty() => {
                let reader = choose(&readers, wanted)?.clone();
                return Ok((reader, until.saturating_duration_since(Instant::now())));
            }
            Ok(_) if left.is_zero() => {
                let why = format!("no reader named like {wanted:?} was plugged in within {} s", wait.as_secs());
                return Err(LinkError::NoCard(why));
            }
            Ok(_) => {}
            Err(gone) if left.is_zero() => return Err(gone),
            Err(_) => std::thread::sleep(left.min(SLICE)),
        }
    }
}

/// How often a service that has gone is asked for. Nobody is woken either where a program takes a card to itself or lets go
/// of it, so that is looked for as often.
const SLICE: Duration = Duration::from_millis(500);

/// Waits until a card is in the reader of this exact name.
///
/// # Errors
/// There is none after `wait`, or the reader or the service has gone; or a request to stop came.
pub fn wait_for_card(name: &str, wait: Duration, stop: &StopRequest) -> Result<(), LinkError> {
    imp::wait_for_card(name, wait, stop)
}

/// Connects to the card in the reader of this exact name, exclusively and with one transaction until the link is
/// dropped. No command takes longer than the limits say.
///
/// # Errors
/// There is no card in it, it does not answer to reset, or another program holds it.
pub fn connect(name: &str, limits: Limits) -> Result<Box<dyn Transport>, LinkError> {
    imp::connect(name, limits, None)
}

/// T=0 carries no Le with a command that has data: the card announces its answer with 61xx. // ISO 7816-3 §12.2.5
#[cfg_attr(not(feature = "pcsc"), allow(dead_code))]
fn without_le(command: &[u8]) -> &[u8] {
    match command.get(4) {
        Some(&lc) if lc != 0 && command.len() == 6 + usize::from(lc) => {
            command.get(..command.len() - 1).unwrap_or(command)
        }
        _ => command,
    }
}

#[cfg(not(feature = "pcsc"))]
#[path = "pcsc/absent.rs"]
mod imp;

#[cfg(feature = "pcsc")]
mod imp {
    use std::ffi::CString;
    use std::time::{Duration, Instant};

    use pcsc::{
        Card, Context, Disposition, Error, MAX_ATR_SIZE, PNP_NOTIFICATION, Protocol, Protocols, ReaderState, Scope,
        ShareMode, State, Transaction,
    };

    use super::{Limits, LinkError, Reader, SLICE, StopRequest, Transport};
    use crate::card::transport::Watched;
    use crate::card::transport::watched::Requests;

    /// Most readers that the service has; it takes no longer list, the entry for readers that come included.
    const MOST_READERS: usize = 16;
    /// Room for the names of a reader, which PC/SC limits to 128 bytes each.
    const NAMES: usize = 512;
    /// Room for the longest answer: 65,536 bytes and a status word. A buffer that is too small loses the answer.
    const ANSWER: usize = 65_536 + 2;

    fn establish() -> Result<Context, LinkError> {
        Context::establish(Scope::User).map_err(service)
    }

    /// A context.
    pub struct Service(Context);

    impl Service {
        pub fn open() -> Result<Self, LinkError> {
            establish().map(Self)
        }

        pub fn readers(&self) -> Result<Vec<Reader>, LinkError> {
            readers_of(&self.0)
        }
    }

    pub fn readers() -> Result<Vec<Reader>, LinkError> {
        readers_of(&establish()?)
    }

    fn readers_of(context: &Context) -> Result<Vec<Reader>, LinkError> {
        let mut states: Vec<ReaderState> =
            names(context)?.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
        match context.get_status_change(Some(Duration::ZERO), &mut states) {
            Ok(()) | Err(Error::Timeout) => Ok(states.iter().map(reader).collect()),
            Err(error) => Err(service(error)),
        }
    }

    fn names(context: &Context) -> Result<Vec<CString>, LinkError> {
        match context.list_readers_owned() {
            Ok(names) => Ok(names),
            Err(Error::NoReadersAvailable) => Ok(Vec::new()),
            Err(error) => Err(service(error)),
        }
    }

    fn reader(state: &ReaderState) -> Reader {
        Reader {
            name: state.name().to_string_lossy().into_owned(),
            card_present: state.event_state().contains(State::PRESENT),
            exclusive: state.event_state().contains(State::EXCLUSIVE),
            mute: state.event_state().contains(State::MUTE),
            atr: (!state.atr().is_empty()).then(|| hex::encode_upper(state.atr())),
        }
    }

    /// Watches all readers. A service that was restarted needs a new context: old ones are dead for ever.
    #[derive(Default)]
    pub struct Watcher {
        context: Option<Context>,
        states: Vec<ReaderState>,
        told: Option<Vec<Reader>>,
    }

    impl Watcher {
        pub fn next(&mut self, wait: Duration) -> Result<Option<Vec<Reader>>, LinkError> {
            let changed = self.poll(wait);
            if changed.is_err() {
                *self = Self::default();
            }
            changed
        }

        fn poll(&mut self, wait: Duration) -> Result<Option<Vec<Reader>>, LinkError> {
            let until = Instant::now() + wait;
            if self.context.is_none() {
                self.context = Some(establish()?);
            }
            let Some(context) = &self.context else { return Ok(None) };
            loop {
                let mut names = names(context)?;
                if names.len() < MOST_READERS {
                    names.push(PNP_NOTIFICATION().to_owned());
                }
                self.states.retain(|state| names.iter().any(|known| known.as_c_str() == state.name()));
                for name in names {
                    if !self.states.iter().any(|state| state.name() == name.as_c_str()) {
                        self.states.push(ReaderState::new(name, State::UNAWARE));
                    }
                }
                self.states.iter_mut().for_each(ReaderState::sync_current_state);
                let left = until.saturating_duration_since(Instant::now());
                match context.get_status_change(Some(left.min(SLICE)), &mut self.states) {
                    Ok(()) => {}
                    Err(Error::Timeout) if self.told.is_some() && left <= SLICE => return Ok(None),
                    Err(Error::Timeout) => {}
                    Err(Error::UnknownReader) => continue,
                    Err(error) => return Err(service(error)),
                }
                let plugged = names_of(&self.states);
                let now: Vec<Reader> = plugged.map(reader).collect();
                if self.told.as_ref() != Some(&now) {
                    self.told = Some(now.clone());
                    return Ok(Some(now));
                }
            }
        }
    }

    fn names_of(states: &[ReaderState]) -> impl Iterator<Item = &ReaderState> {
        states.iter().filter(|state| state.name() != PNP_NOTIFICATION())
    }

    pub fn wait_for_card(name: &str, wait: Duration, stop: &StopRequest) -> Result<(), LinkError> {
        let (reader, until) = (c_name(name)?, Instant::now() + wait);
        loop {
            // A service that was restarted needs a new context, and has the reader a moment later.
            stop.check()?;
            let gone = match wait_in_one_context(&reader, until, stop) {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    return Err(LinkError::NoCard(format!(
                        "no card was put into {name:?} within {} s",
                        wait.as_secs()
                    )));
                }
                Err(interrupted @ LinkError::Interrupted(_)) => return Err(interrupted),
                Err(gone) => gone,
            };
            if Instant::now() + SLICE > until {
                return Err(gone);
            }
            std::thread::sleep(SLICE);
        }
    }

    /// Whether a card has come. An error is the end of the context or of the reader.
    fn wait_in_one_context(reader: &CString, until: Instant, stop: &StopRequest) -> Result<bool, LinkError> {
        let context = establish()?;
        let mut states = [ReaderState::new(reader.clone(), State::UNAWARE)];
        loop {
            stop.check()?;
            let left = until.saturating_duration_since(Instant::now());
            match context.get_status_change(Some(left.min(SLICE)), &mut states) {
                Ok(()) => {}
                Err(Error::Timeout) if left <= SLICE => return Ok(false),
                Err(Error::Timeout) => continue,
                Err(error) => return Err(unconnected(error)),
            }
            if states.iter().any(|state| state.event_state().contains(State::PRESENT)) {
                return Ok(true);
            }
            states.iter_mut().for_each(ReaderState::sync_current_state);
        }
    }

    pub fn connect(name: &str, limits: Limits, service: Option<Service>) -> Result<Box<dyn Transport>, LinkError> {
        let reader = c_name(name)?;
        let watched = Watched::start(name, limits, move |requests| match open(&reader, service) {
            // The transaction borrows the card, so both live here until the near end hangs up.
            Ok(mut card) => {
                hold(&mut card, requests);
                // The next user finds the card without power: nothing of this session is left in it. Whether that works
                // no longer matters to anybody.
                let _ = card.disconnect(Disposition::UnpowerCard);
            }
            Err(error) => requests.opened(Err(error)),
        })?;
        Ok(Box::new(watched))
    }

    /// One context for each thread: the library holds a lock for each context while a card works.
    fn open(name: &CString, service: Option<Service>) -> Result<Card, LinkError> {
        let context = service.map_or_else(establish, |service| Ok(service.0))?;
        context.connect(name, ShareMode::Exclusive, Protocols::ANY).map_err(unconnected)
    }

    /// One transaction for the whole card. The near end opens the link when all that can be prepared is prepared, and never
    /// waits for a person while it is open: Windows resets a card whose transaction idles for five seconds.
    fn hold(card: &mut Card, requests: &mut Requests) {
        match card.transaction() {
            Err(error) => requests.opened(Err(unconnected(error))),
            Ok(transaction) => {
                requests.opened(Ok(()));
                let mut held = Held { protocol: None, transaction, answer: vec![0; ANSWER] };
                requests.serve(&mut held);
            }
        }
    }

    struct Held<'c> {
        transaction: Transaction<'c>,
        /// Asked for at the first command, or at a reset.
        protocol: Option<Option<Protocol>>,
        answer: Vec<u8>,
    }

    impl Transport for Held<'_> {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
            let transaction = &self.transaction;
            let protocol =
                self.protocol.get_or_insert_with(|| status(transaction).ok().and_then(|(_, protocol)| protocol));
            let command = match protocol {
                Some(Protocol::T0) => super::without_le(command),
                _ => command,
            };
            let answer =
                self.transaction.transmit(command, &mut self.answer).map_err(|error| lost(error, "transmitting"))?;
            // A torn link shows as success with no bytes, or with a part of the answer.
            if answer.len() < 2 {
                return Err(LinkError::CardLost(format!("an answer of {} bytes", answer.len())));
            }
            Ok(answer.to_vec())
        }

        fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
            self.transaction
                .reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard)
                .map_err(|error| lost(error, "resetting"))?;
            let (atr, protocol) = status(&self.transaction).map_err(|error| lost(error, "reading the ATR"))?;
            self.protocol = Some(protocol);
            Ok(atr)
        }
    }

    /// ATR and protocol, asked for once: with room for the longest names, no call is needed for the lengths.
    fn status(card: &Card) -> Result<(Vec<u8>, Option<Protocol>), Error> {
        let (mut names, mut atr) = ([0; NAMES], [0; MAX_ATR_SIZE]);
        match card.status2(&mut names, &mut atr) {
            Ok(status) => Ok((status.atr().to_vec(), status.protocol2())),
            Err(Error::InsufficientBuffer) => {
                let status = card.status2_owned()?;
                Ok((status.atr().to_vec(), status.protocol2()))
            }
            Err(error) => Err(error),
        }
    }

    fn c_name(name: &str) -> Result<CString, LinkError> {
        CString::new(name).map_err(|_| LinkError::NoCard("a reader's name has no zero byte".into()))
    }

    fn service(error: Error) -> LinkError {
        LinkError::Service(format!("{error}; is the daemon (pcscd) running?"))
    }

    /// While connecting, nothing has happened to a card yet.
    fn unconnected(error: Error) -> LinkError {
        match error {
            Error::SharingViolation => LinkError::Busy,
            // A service that is killed is told of as trouble within.
            Error::NoService | Error::ServiceStopped | Error::CommError | Error::InternalError => service(error),
            Error::UnresponsiveCard | Error::UnpoweredCard | Error::ProtoMismatch => {
                LinkError::NoCard(format!("the card does not answer to reset ({error})"))
            }
            other => LinkError::NoCard(other.to_string()),
        }
    }

    /// Once connected, the card is lost whatever the reason is: reader unplugged, card pulled, daemon gone.
    fn lost(error: Error, doing: &str) -> LinkError {
        LinkError::CardLost(format!("{error}, while {doing}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_t0_a_command_with_data_carries_no_le() {
        assert_eq!(without_le(&[0, 0xA4, 4, 0, 2, 0x31, 0x41, 0]), [0, 0xA4, 4, 0, 2, 0x31, 0x41]);
        assert_eq!(without_le(&[0, 0xA4, 4, 0, 2, 0x31, 0x41]), [0, 0xA4, 4, 0, 2, 0x31, 0x41]);
        assert_eq!(without_le(&[0, 0xB2, 1, 0x0C, 0]), [0, 0xB2, 1, 0x0C, 0]);
        assert_eq!(without_le(&[0, 0xB2]), [0, 0xB2]);
    }

    /// Asked before the service is: it need not be there.
    #[test]
    fn request_to_stop_ends_waiting() {
        let stop = StopRequest::default();
        stop.request("SIGINT");
        let minute = Duration::from_secs(60);
        assert!(matches!(wait_for_reader("any", minute, &stop), Err(LinkError::Interrupted(_))));
        if BUILT {
            assert!(matches!(wait_for_card("any", minute, &stop), Err(LinkError::Interrupted(_))));
        }
    }
}
