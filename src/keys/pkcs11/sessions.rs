//! The sessions of an open token: threads that work at the same time have one each, up to a few.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use cryptoki::context::Pkcs11;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

/// The most sessions that are opened beyond the first. Tokens limit them too.
const MORE: usize = 7;

/// Logged-in sessions. All of them see the same objects. None is closed before the others: an object that was made in a
/// session ends with it. // PKCS#11 v2.40 §2.6.2
pub(super) struct Sessions {
    context: Pkcs11,
    slot: Slot,
    first: Mutex<Session>,
    more: [OnceLock<Mutex<Session>>; MORE],
    /// The token has refused a further session.
    full: AtomicBool,
}

impl Sessions {
    /// With the session that has logged in. The login counts for all sessions of the process. // PKCS#11 v2.40 §2.6.3
    pub(super) fn new(context: Pkcs11, slot: Slot, first: Session) -> Self {
        let more = [const { OnceLock::new() }; MORE];
        Self { context, slot, first: Mutex::new(first), more, full: AtomicBool::new(false) }
    }

    /// Calls `use_it` with a session that no other thread uses meanwhile.
    pub(super) fn with<T>(&self, use_it: impl FnOnce(&Session) -> T) -> T {
        use_it(&self.free())
    }

    fn free(&self) -> MutexGuard<'_, Session> {
        if let Some(session) = free(&self.first) {
            return session;
        }
        for place in &self.more {
            if let Some(session) = place.get().or_else(|| self.open(place)).and_then(free) {
                return session;
            }
        }
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open<'a>(&self, place: &'a OnceLock<Mutex<Session>>) -> Option<&'a Mutex<Session>> {
        if self.full.load(Ordering::Relaxed) {
            return None;
        }
        match self.context.open_rw_session(self.slot) {
            Ok(session) => Some(place.get_or_init(|| Mutex::new(session))),
            Err(_) => {
                self.full.store(true, Ordering::Relaxed);
                None
            }
        }
    }
}

fn free(session: &Mutex<Session>) -> Option<MutexGuard<'_, Session>> {
    match session.try_lock() {
        Ok(session) => Some(session),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
