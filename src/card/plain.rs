//! The typed exchange with a card, outside a secure channel or below one. The one place where an APDU is logged.

use crate::base::fault::{Code, Fault};
use crate::base::{Clock, Interrupted, chance::Instant};
use crate::card::apdu::{Command, CommandError, Response, StatusWord, meaning};
use crate::card::transport::{LinkError, Transport};

/// Most rounds of GET RESPONSE for one command; 65,536 bytes in pieces of one would be a card's trick.
const MAX_ROUNDS: usize = 512;
/// Most bytes of one answer.
const MAX_ANSWER: usize = 65_536;

/// What happens on the wire, as it happens.
#[derive(Clone, Copy)]
pub enum TraceEvent<'a> {
    /// A reset, and the ATR.
    Reset {
        /// The answer to reset.
        atr: &'a [u8],
    },
    /// A command and its answer.
    Exchange {
        /// Bytes sent.
        command: &'a [u8],
        /// Bytes received.
        response: &'a [u8],
        /// Microseconds from one to the other.
        micros: u64,
    },
    /// The link broke.
    Lost {
        /// The command that had been sent; none for a reset.
        command: Option<&'a [u8]>,
        /// Why, in words.
        why: &'a str,
    },
}

/// Who is told of every exchange.
pub struct Recorder(Box<dyn FnMut(TraceEvent<'_>) + Send>);

impl Recorder {
    /// Wraps a function.
    pub fn new(record: impl FnMut(TraceEvent<'_>) + Send + 'static) -> Self {
        Self(Box::new(record))
    }

    /// Tells of an event.
    pub fn record(&mut self, event: TraceEvent<'_>) {
        (self.0)(event);
    }
}

/// A card behind a transport.
pub struct Card {
    transport: Box<dyn Transport>,
    clock: Clock,
    recorder: Option<Recorder>,
    test_keys: bool,
    gate: Option<Gate>,
}

/// Whether a command may be sent; a reset has no instruction byte.
type Gate = Box<dyn Fn(Option<u8>) -> Result<(), Interrupted> + Send>;

/// What went wrong between us and a card. Three kinds, never mixed.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The link broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The card refused.
    #[error("the card refused {command} with {sw}: {what}", what = meaning(Some(*ins), *sw))]
    Refused {
        /// The command's name.
        command: &'static str,
        /// Its instruction byte.
        ins: u8,
        /// The status word.
        sw: StatusWord,
    },
    /// The card misbehaved.
    #[error("the card misbehaved: {0}")]
    Misbehaved(#[from] Misbehaviour),
    /// A command that no APDU can carry: a fault of ours.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// The closed list of what a card can do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// 61xx without end, or more data than an answer can hold.
    #[error("it announces more data without end")]
    Endless,
    /// 6Cxx to a command that has the Le it asked for.
    #[error("it asks for another Le again and again")]
    LeAgain,
    /// An answer without a MAC where one is due.
    #[error("its answer lacks the MAC that the channel demands")]
    MissingMac,
    /// An answer with a wrong MAC.
    #[error("its answer carries a wrong MAC")]
    WrongMac,
    /// An answer that does not decipher.
    #[error("its answer does not decipher")]
    WrongPadding,
    /// SELECT answered with success and no DF name, or another one: something else was selected, or nothing.
    #[error("it answers SELECT without a DF name that begins with the AID")]
    OtherName,
    /// More data than an application has to answer.
    #[error("its answer to {0} is longer than any that the specification knows")]
    TooLong(&'static str),
    /// An answer that is not what the specification lays down.
    #[error("its answer to {0} is malformed")]
    Malformed(&'static str),
}

impl Fault for CardError {
    fn code(&self) -> Code {
        match self {
            CardError::Link(error) => error.code(),
            CardError::Refused { .. } => Code::CardRefused,
            CardError::Misbehaved(Misbehaviour::MissingMac | Misbehaviour::WrongMac | Misbehaviour::WrongPadding) => {
                Code::CardMac
            }
            CardError::Misbehaved(_) => Code::CardAnswer,
            CardError::Command(_) => Code::ProgramFault,
        }
    }
}

impl Card {
    /// A card behind this transport.
    pub fn new(transport: Box<dyn Transport>, clock: Clock) -> Self {
        Self { transport, clock, recorder: None, test_keys: false, gate: None }
    }

    /// Has every exchange told to a recorder.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Says that every key in use is a test key: only then is data logged, and only at TRACE.
    #[must_use]
    pub fn with_test_keys(mut self, test_keys: bool) -> Self {
        self.test_keys = test_keys;
        self
    }

    /// Asks before each command, and before each reset, whether it may be sent. The exchanges that a command needs (GET
    /// RESPONSE, another Le) belong to it.
    #[must_use]
    pub fn with_gate(mut self, gate: impl Fn(Option<u8>) -> Result<(), Interrupted> + Send + 'static) -> Self {
        self.gate = Some(Box::new(gate));
        self
    }

    fn may_send(&self, ins: Option<u8>) -> Result<(), CardError> {
        let allowed = self.gate.as_ref().map_or(Ok(()), |gate| gate(ins));
        allowed.map_err(|interrupted| LinkError::from(interrupted).into())
    }

    /// Resets the card; returns its ATR.
    ///
    /// # Errors
    /// The link broke, or there is no card.
    pub fn reset(&mut self) -> Result<Vec<u8>, CardError> {
        self.may_send(None)?;
        match self.transport.reset() {
            Ok(atr) => {
                tracing::debug!(atr = %hex::encode_upper(&atr), "reset");
                self.tell(TraceEvent::Reset { atr: &atr });
                Ok(atr)
            }
            Err(error) => Err(self.lost(None, error)),
        }
    }

    /// One exchange: the answer is collected with GET RESPONSE, and a wrong Le is corrected once. Under secure
    /// messaging this is right as it stands: the same bytes are sent again, GET RESPONSE travels unprotected, and no
    /// chain moves. A command that uses up an attempt is never sent again.
    ///
    /// # Errors
    /// The link broke, or the card announces data without end. A status word is never an error here.
    pub fn transmit(&mut self, command: &Command) -> Result<Response, CardError> {
        self.transmit_counted(command).map(|(answer, _)| answer)
    }

    /// As [`Card::transmit`]; also how often the command was sent: twice if its Le was corrected.
    ///
    /// # Errors
    /// As [`Card::transmit`].
    pub fn transmit_counted(&mut self, command: &Command) -> Result<(Response, u32), CardError> {
        self.may_send(Some(command.ins))?;
        self.transport.begin_command();
        let mut answer = self.exchange(command)?;
        // ISO 7816-3 §12.2.6: 6Cxx, the same command with Le = xx
        if answer.sw.sw1() != 0x6C || uses_up_an_attempt(command.ins) {
            return self.collect(command, answer).map(|answer| (answer, 1));
        }
        let again = command.clone().with_le(short_le(answer.sw.sw2()));
        answer = self.exchange(&again)?;
        if answer.sw.sw1() == 0x6C {
            return Err(Misbehaviour::LeAgain.into());
        }
        self.collect(command, answer).map(|answer| (answer, 2))
    }

    /// Fetches what a card has announced.
    fn collect(&mut self, command: &Command, mut answer: Response) -> Result<Response, CardError> {
        // ISO 7816-4 §5.3.4: 61xx, GET RESPONSE on the same logical channel
        for _ in 0..MAX_ROUNDS {
            if answer.sw.sw1() != 0x61 {
                return Ok(answer);
            }
            let fetch = Command::new(command.cla & 0x03, 0xC0, 0, 0).with_le(short_le(answer.sw.sw2()));
            let mut more = self.exchange(&fetch)?;
            if more.sw.sw1() == 0x6C {
                let again = fetch.with_le(short_le(more.sw.sw2()));
                more = self.exchange(&again)?;
            }
            answer.data.append(&mut more.data);
            answer.sw = more.sw;
            if answer.data.len() > MAX_ANSWER {
                break;
            }
        }
        Err(Misbehaviour::Endless.into())
    }

    /// As [`Card::transmit`], for data beyond what one command takes: all parts but the last with the chaining bit.
    /// // ISO 7816-4 §5.3.3
    ///
    /// # Errors
    /// As [`Card::transmit`]. A part that is not answered with 9000 ends the chain with its answer.
    pub fn transmit_chained(&mut self, command: &Command, part: usize) -> Result<Response, CardError> {
        let mut parts = command.data.chunks(part.max(1)).peekable();
        while let Some(data) = parts.next() {
            let mut piece = Command { data: data.to_vec(), ..command.clone() };
            if parts.peek().is_none() {
                return self.transmit(&piece);
            }
            piece.cla |= 0x10;
            piece.le = None;
            let answer = self.transmit(&piece)?;
            if !answer.sw.is_ok() {
                return Ok(answer);
            }
        }
        self.transmit(command)
    }

    fn exchange(&mut self, command: &Command) -> Result<Response, CardError> {
        let bytes = command.to_bytes()?;
        let began = self.clock.now();
        let answered = self.transport.transmit(&bytes);
        let micros = self.clock.now().since(began);
        match answered {
            Ok(answer) => match Response::parse(&answer) {
                Ok(response) => {
                    self.tell(TraceEvent::Exchange { command: &bytes, response: &answer, micros });
                    self.log(command, &response, began, micros);
                    Ok(response)
                }
                // What a torn card looks like through PC/SC: success with less than a status word.
                Err(short) => Err(self.lost(Some(&bytes), LinkError::CardLost(short.to_string()))),
            },
            Err(error) => Err(self.lost(Some(&bytes), error)),
        }
    }

    fn log(&self, command: &Command, response: &Response, _began: Instant, micros: u64) {
        // Nothing is made into text that nobody reads.
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let Command { cla, ins, p1, p2, .. } = *command;
        let header = format!("{cla:02X}{ins:02X}{p1:02X}{p2:02X}");
        tracing::debug!(%header, sent = command.data.len(), received = response.data.len(), sw = %response.sw, micros);
        if self.test_keys && !carries_secret(ins) && tracing::enabled!(tracing::Level::TRACE) {
            tracing::trace!(
                command = %hex::encode_upper(&command.data),
                response = %hex::encode_upper(&response.data),
                "data (test keys only)"
            );
        }
    }

    fn lost(&mut self, command: Option<&[u8]>, error: LinkError) -> CardError {
        tracing::debug!(%error, "link broken");
        self.tell(TraceEvent::Lost { command, why: &error.to_string() });
        error.into()
    }

    fn tell(&mut self, event: TraceEvent<'_>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.record(event);
        }
    }
}

/// VERIFY, CHANGE REFERENCE DATA and their kind carry a PIN, PUT KEY keys: never logged, at no level.
pub(in crate::card) fn carries_secret(ins: u8) -> bool {
    matches!(ins, 0x20 | 0x24 | 0x2C | 0xD8)
}

/// Commands whose second sending may use up a second attempt: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER and
/// EXTERNAL AUTHENTICATE. None of them is corrected after 6Cxx.
fn uses_up_an_attempt(ins: u8) -> bool {
    matches!(ins, 0x20 | 0x24 | 0x2C | 0x82)
}

/// Le as a status word's second byte tells it: 00 stands for 256.
fn short_le(sw2: u8) -> u32 {
    if sw2 == 0 { 256 } else { u32::from(sw2) }
}
