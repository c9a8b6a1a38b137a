//! GlobalPlatform secure channels: SCP02 (explicit initiation) and SCP03.
//!
//! The way to a [`Session`] leads through [`begin`] (INITIALIZE UPDATE), a compared card cryptogram, and an accepted
//! EXTERNAL AUTHENTICATE, in this order; nothing else makes one. There is no fallback and no retry.

mod error;
mod explain;
mod handshake;
mod in_custody;
mod scp02;
mod scp03;
mod session;
mod spec;
mod verdict;

pub use error::{ChannelError, Mismatch};
pub use explain::{Comparison, Fit};
pub use handshake::{Answered, Asked, Handshake, HandshakeError, initialize_update};
pub use in_custody::SessionInCustody;
pub use scp02::{Scp02, Scp02Keys};
pub use scp03::{Scp03, Scp03Keys, expected_challenge, kdf};
pub use session::{Greeting, Session, begin};
pub use spec::{ChallengeCheck, ChannelSpec, Mode, Protocol, SecurityLevel, SpecError};
pub use verdict::{AnswerView, AuthReport, FitView, Refusal};
