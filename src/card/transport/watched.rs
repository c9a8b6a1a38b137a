//! A link on a thread of its own, with a ceiling for every exchange.
//!
//! A mute card blocks the PC/SC library for ever, and nothing wakes it. So the thread that calls the library does
//! nothing else, and whoever waits for it stops waiting at the ceiling: the thread is abandoned, and its reader is not
//! used again by this process.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use super::{LinkError, Transport};

/// Longest time for one exchange where nobody says otherwise. A card that makes an RSA key takes tens of seconds.
pub const CEILING: Duration = Duration::from_secs(60);

/// Readers whose thread was abandoned.
static QUARANTINE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The near end of a link: asks, and waits no longer than the ceiling.
pub struct Watched {
    reader: String,
    ceiling: Duration,
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
    /// within the ceiling.
    pub fn start(
        reader: &str,
        ceiling: Duration,
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
        let mut watched = Self { reader: reader.to_owned(), ceiling, link: Some((ask, hear)) };
        watched.hear()?;
        Ok(watched)
    }

    fn ask(&mut self, request: Request) -> Answer {
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
        match hear.recv_timeout(self.ceiling) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => {
                self.link = None;
                Err(LinkError::CardLost("the link's thread has ended".into()))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.link = None;
                quarantine().insert(self.reader.clone());
                Err(LinkError::Mute { seconds: self.ceiling.as_secs_f64() })
            }
        }
    }
}

impl Transport for Watched {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.ask(Request::Transmit(Zeroizing::new(command.to_vec())))
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.ask(Request::Reset)
    }
}

impl Drop for Watched {
    /// Returns when the reader is free again, or at the ceiling.
    fn drop(&mut self) {
        if let Some((ask, hear)) = self.link.take() {
            drop(ask);
            while hear.recv_timeout(self.ceiling).is_ok() {}
        }
    }
}

impl Requests {
    /// Tells that the link is open, or why it is not. To be called once, before [`Requests::serve`].
    pub fn opened(&mut self, opened: Result<(), LinkError>) {
        // Nobody listens any more where the ceiling was reached; then the thread ends at its next request.
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
        Watched::start(reader, Duration::from_millis(50), |requests| {
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

    #[test]
    fn a_link_that_does_not_open_says_why() {
        let refused = Watched::start("refused", CEILING, |requests| requests.opened(Err(LinkError::Busy)));
        assert!(matches!(refused, Err(LinkError::Busy)));
        let silent = Watched::start("silent", CEILING, |_| ());
        assert!(matches!(silent, Err(LinkError::CardLost(_))));
    }
}
