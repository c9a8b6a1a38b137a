//! A request to stop, made from another thread: by a signal, for example.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::fault::{Code, Fault};

/// A request to stop. Clones share it.
///
/// The first request stops the work as long as nothing was changed; the second one stops it at once, after the exchange
/// in hand.
///
/// ```
/// use perso::base::StopRequest;
///
/// let stop = StopRequest::default();
/// assert!(stop.check().is_ok());
/// stop.request("SIGINT");
/// assert!(stop.check().is_err());
/// // The card has been changed: it is finished, unless a second request comes.
/// stop.commit();
/// assert!(stop.check().is_ok());
/// stop.insist("SIGTERM");
/// assert!(stop.check().is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct StopRequest(Arc<Requested>);

#[derive(Debug, Default)]
struct Requested {
    first: OnceLock<String>,
    second: OnceLock<String>,
    committed: AtomicBool,
}

/// The work was stopped on request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("interrupted by {0}")]
pub struct Interrupted(pub String);

impl Fault for Interrupted {
    fn code(&self) -> Code {
        Code::OperatorInterrupted
    }
}

impl StopRequest {
    /// Asks to stop, unless something has been changed already. `by` names who asks: `SIGINT`. False if that was asked
    /// before.
    pub fn request(&self, by: &str) -> bool {
        self.0.first.set(by.to_owned()).is_ok()
    }

    /// Asks to stop after the exchange in hand.
    pub fn insist(&self, by: &str) {
        // The first one who insists is named.
        let _ = self.0.second.set(by.to_owned());
    }

    /// Asks to stop after the exchange in hand if something was changed: the first request has not ended the work in time.
    /// Otherwise that request stops it, and no time has to do with it.
    pub fn insist_if_changed(&self, by: &str) {
        if self.is_committed() {
            self.insist(by);
        }
    }

    /// Says that something is about to be changed: from now on only [`StopRequest::insist`] stops the work.
    pub fn commit(&self) {
        self.0.committed.store(true, Ordering::SeqCst);
    }

    /// Whether something was changed.
    pub fn is_committed(&self) -> bool {
        self.0.committed.load(Ordering::SeqCst)
    }

    /// Whether the work goes on.
    ///
    /// # Errors
    /// It must stop now.
    pub fn check(&self) -> Result<(), Interrupted> {
        let first = self.0.first.get().filter(|_| !self.is_committed());
        match self.0.second.get().or(first) {
            Some(by) => Err(Interrupted(by.clone())),
            None => Ok(()),
        }
    }
}
