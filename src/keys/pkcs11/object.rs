//! A key object in a token, while somebody uses it.

use std::sync::{Arc, OnceLock};

use cryptoki::object::ObjectHandle;

use super::token::Token;

/// A key object. One that was made for a session is destroyed with its last handle.
pub(in crate::keys) struct TokenObject {
    pub(super) token: Arc<Token>,
    pub(super) key: ObjectHandle,
    pub(super) mac: Mac,
    pub(super) for_session: bool,
    /// Modulus and public exponent of an RSA key, once they were read.
    pub(super) rsa: OnceLock<(Vec<u8>, Vec<u8>)>,
}

/// By what a key makes ISO 9797-1 algorithm 3.
#[derive(Clone, Copy)]
pub(super) enum Mac {
    /// By nothing.
    None,
    /// By the token's own mechanism.
    Own,
    /// By a companion: the left half of the key, twice.
    Left(ObjectHandle),
}

impl TokenObject {
    /// A key object that stays in the token.
    pub(super) fn in_token(token: &Arc<Token>, key: ObjectHandle, mac: Mac) -> Self {
        Self { token: token.clone(), key, mac, for_session: false, rsa: OnceLock::new() }
    }

    /// A key object that lives as long as its handles.
    pub(super) fn for_session(token: &Arc<Token>, key: ObjectHandle) -> Self {
        Self { token: token.clone(), key, mac: Mac::None, for_session: true, rsa: OnceLock::new() }
    }

    /// Whether it is in this store's token.
    pub(super) fn is_of(&self, token: &Arc<Token>) -> bool {
        Arc::ptr_eq(&self.token, token)
    }
}

impl Drop for TokenObject {
    fn drop(&mut self) {
        if self.for_session {
            let left = if let Mac::Left(left) = self.mac { Some(left) } else { None };
            for object in [Some(self.key), left].into_iter().flatten() {
                // It goes with the session at the latest.
                let _ = self.token.with(|session| session.destroy_object(object));
            }
        }
    }
}
