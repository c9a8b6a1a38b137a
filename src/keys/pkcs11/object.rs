//! A key object in a token, while somebody uses it.

use std::sync::Arc;

use cryptoki::object::ObjectHandle;

use super::Token;

/// A key object. One that was made for a session is destroyed with its last handle.
pub(in crate::keys) struct TokenObject {
    pub(super) token: Arc<Token>,
    pub(super) key: ObjectHandle,
    /// The left half of a two-key triple DES key, twice.
    pub(super) left: Option<ObjectHandle>,
    pub(super) for_session: bool,
}

impl TokenObject {
    /// Whether it is in this store's token.
    pub(super) fn is_of(&self, token: &Arc<Token>) -> bool {
        Arc::ptr_eq(&self.token, token)
    }
}

impl Drop for TokenObject {
    fn drop(&mut self) {
        if self.for_session {
            for object in [Some(self.key), self.left].into_iter().flatten() {
                // It goes with the session at the latest.
                let _ = self.token.with(|session| session.destroy_object(object));
            }
        }
    }
}
