//! A link on a thread of its own, with a time limit for every command and for all of them together.
//!
//! A mute card blocks the PC/SC library for ever, and nothing wakes it. So the thread that calls the library does
//! nothing else, and the near end stops waiting when the time is over: the thread is abandoned, and its reader is not
//! used again by this process. A card that announces more data again and again is stopped by the same limits.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{LinkError, Transport};

/// How long a card may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one command with all its GET RESPONSE and corrected Le.
    pub command: Duration,
    /// For all commands together, from the opening of the link on.
    pub job: Duration,
}

impl Limits {
    /// The limits if none are stated: 60 s for a command, since a card that makes an RSA key takes tens of seconds, and
    /// 15 minutes for all.
    pub const STANDARD: Limits = Limits { command: Duration::from_secs(60), job: Duration::from_secs(900) };

    /// A limit for each command, and the standard one for all.
    pub const fn of_command(command: Duration) -> Self {
        Self { command, ..Self::STANDARD }
    }
}

/// Readers whose thread was abandoned.
static QUARANTINE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The near end of a link: asks, and waits no longer than the limits.
pub struct Watched {
    reader: String,
    limits: Limits,
    /// When the link was opened.
    opened: Instant,
    /// When the present command began.
    began: Instant,
    /// None once the thread was abandoned or has ended.
    link: Option<(Sender<Request>, Receiver<Answer>)>,
}

enum Request {
    Transmit(Zeroizing<Vec<u8>>),
    Reset,
}

type Answer = Result<Vec<u8>, LinkError>;

/// The far end, in the link's own thread.
pub struct Requests {
    requests: Receiver<Request>,
    answers: Sender<Answer>,
}

impl Watched {
    /// Starts a thread that opens the link and then serves it.
    ///
    /// # Errors
    /// The reader is in quarantine, the thread cannot be had, or `work` told that it cannot open the link or told nothing
    /// within the limit of a command.
    pub fn start(
        reader: &str,
        limits: Limits,
        work: impl FnOnce(&mut Requests) + Send + 'static,
    ) -> Result<Self, LinkError> {
        if quarantine().contains(reader) {
            return Err(LinkError::Quarantined(reader.to_owned()));
        }
        let (ask, requests) = channel();
        let (answers, hear) = channel();
        std::thread::Builder::new()
            .name(format!("card in {reader}"))
            .spawn(move || work(&mut Requests { requests, answers }))
            .map_err(|error| LinkError::Service(format!("no thread for the reader: {error}")))?;
        let now = Instant::now();
        let mut watched = Self { reader: reader.to_owned(), limits, opened: now, began: now, link: Some((ask, hear)) };
        watched.hear()?;
        Ok(watched)
    }

    fn ask(&mut self, request: Request) -> Answer {
        if self.link.is_some() && self.left().is_zero() {
            // Nothing is under way: the thread ends by itself, and the reader is free.
            self.link = None;
            return Err(self.over());
        }
        if let Some((ask, _)) = &self.link {
            // A thread that has ended is noticed when nothing comes back.
            let _ = ask.send(request);
        }
        self.hear()
    }

    fn hear(&mut self) -> Answer {
        let Some((_, hear)) = &self.link else {
            return Err(LinkError::CardLost("the link has ended already".into()));
        };
        match hear.recv_timeout(self.left()) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => {
                self.link = None;
                Err(LinkError::CardLost("the link's thread has ended".into()))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.link = None;
                quarantine().insert(self.reader.clone());
                Err(self.over())
            }
        }
    }

    /// What is left for the present command.
    fn left(&self) -> Duration {
        let command = self.limits.command.saturating_sub(self.began.elapsed());
        command.min(self.limits.job.saturating_sub(self.opened.elapsed()))
    }

    fn over(&self) -> LinkError {
        let Limits { command, job } = self.limits;
        if self.opened.elapsed() >= job && self.began.elapsed() < command {
            return LinkError::Slow { seconds: job.as_secs_f64() };
        }
        LinkError::Mute { seconds: command.as_secs_f64() }
    }
}

impl Transport for Watched {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.ask(Request::Transmit(Zeroizing::new(command.to_vec())))
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.begin_command();
        self.ask(Request::Reset)
    }

    fn begin_command(&mut self) {
        self.began = Instant::now();
    }
}

impl Drop for Watched {
    /// Returns when the reader is free again, or after the limit of a command.
    fn drop(&mut self) {
        if let Some((ask, hear)) = self.link.take() {
            drop(ask);
            while hear.recv_timeout(self.limits.command).is_ok() {}
        }
    }
}

impl Requests {
    /// Tells that the link is open, or why it is not. To be called once, before [`Requests::serve`].
    pub fn opened(&mut self, opened: Result<(), LinkError>) {
        // Nobody listens any more after the limit; then the thread ends at its next request.
        let _ = self.answers.send(opened.map(|()| Vec::new()));
    }

    /// Serves a transport until the near end hangs up.
    pub fn serve(&mut self, transport: &mut dyn Transport) {
        while let Ok(request) = self.requests.recv() {
            let answer = match request {
                Request::Transmit(command) => transport.transmit(&command),
                Request::Reset => transport.reset(),
            };
            if self.answers.send(answer).is_err() {
                return;
            }
        }
    }
}

fn quarantine() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    QUARANTINE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::Fault;

    struct Echo;

    impl Transport for Echo {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
            match command {
                [0xFF] => loop {
                    std::thread::park();
                },
                other => Ok(other.to_vec()),
            }
        }

        fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
            Ok(vec![0x3B])
        }
    }

    fn echo(reader: &str) -> Result<Watched, LinkError> {
        limited(reader, Limits::of_command(Duration::from_millis(50)))
    }

    fn limited(reader: &str, limits: Limits) -> Result<Watched, LinkError> {
        Watched::start(reader, limits, |requests| {
            requests.opened(Ok(()));
            requests.serve(&mut Echo);
        })
    }

    #[test]
    fn what_is_asked_is_answered() {
        let mut link = echo("echo").unwrap();
        assert_eq!(link.reset().unwrap(), [0x3B]);
        assert_eq!(link.transmit(&[1, 2]).unwrap(), [1, 2]);
    }

    #[test]
    fn a_mute_card_is_given_up_and_its_reader_not_used_again() {
        let mut link = echo("mute").unwrap();
        assert!(matches!(link.transmit(&[0xFF]), Err(LinkError::Mute { .. })));
        assert!(matches!(link.transmit(&[1]), Err(LinkError::CardLost(_))));
        assert!(matches!(echo("mute"), Err(LinkError::Quarantined(_))));
        assert!(echo("another").is_ok());
    }

    /// Each exchange is quick; the command that they belong to is not.
    #[test]
    fn command_timeout_covers_all_exchanges_of_a_command() {
        let mut link = echo("drip").unwrap();
        link.begin_command();
        let slow = loop {
            std::thread::sleep(Duration::from_millis(5));
            if let Err(error) = link.transmit(&[1]) {
                break error;
            }
        };
        assert!(matches!(slow, LinkError::Mute { .. }), "{slow}");
        // Nothing was under way: the reader can be used again.
        drop(link);
        assert!(echo("drip").is_ok());
    }

    #[test]
    fn job_timeout_covers_all_commands() {
        let limits = Limits { command: Duration::from_secs(10), job: Duration::from_millis(50) };
        let mut link = limited("job", limits).unwrap();
        let slow = loop {
            link.begin_command();
            std::thread::sleep(Duration::from_millis(5));
            if let Err(error) = link.transmit(&[1]) {
                break error;
            }
        };
        assert!(matches!(slow, LinkError::Slow { .. }), "{slow}");
        assert_eq!(slow.code(), crate::base::Code::ReaderMute);
    }

    #[test]
    fn a_link_that_does_not_open_says_why() {
        let refused = Watched::start("refused", Limits::STANDARD, |requests| requests.opened(Err(LinkError::Busy)));
        assert!(matches!(refused, Err(LinkError::Busy)));
        let silent = Watched::start("silent", Limits::STANDARD, |_| ());
        assert!(matches!(silent, Err(LinkError::CardLost(_))));
    }
}
