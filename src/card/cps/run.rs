//! STORE DATA within a session. // GPC 2.3.1 §11.11, CPS 1.1 §4.3.4

use super::{Block, PackError};
use crate::base::fault::{Code, Fault};
use crate::card::apdu::{Command, StatusWord};
use crate::card::channel::{ChannelError, Session};

/// STORE DATA could not be sent, or the session broke. What the card says to it is a status word, not an error.
#[derive(Debug, thiserror::Error)]
pub enum CpsError {
    /// The channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The packing.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A block flagged as the last that is not, or the reverse.
    #[error("the last command must be sent by finish, and no other")]
    Last,
}

impl Fault for CpsError {
    fn code(&self) -> Code {
        match self {
            CpsError::Channel(error) => error.code(),
            CpsError::Pack(_) | CpsError::Last => Code::ProgramFault,
        }
    }
}

/// One application being personalized. Made from a session, so that nothing is stored outside one.
pub struct Personalization<'s, 'c> {
    session: &'s mut Session<'c>,
    le: bool,
}

impl<'s, 'c> Personalization<'s, 'c> {
    /// Begins. `le`: the card expects an Le in STORE DATA, as case 4.
    pub fn new(session: &'s mut Session<'c>, le: bool) -> Self {
        Self { session, le }
    }

    /// Sends a block that is not the last. Nothing is retried, whatever the card answers.
    ///
    /// # Errors
    /// The session broke.
    pub fn store(&mut self, block: &Block, data: &[u8]) -> Result<StatusWord, CpsError> {
        if block.p1 & 0x80 != 0 {
            return Err(CpsError::Last);
        }
        self.send(block, data)
    }

    /// Sends the last block, which ends the personalization of the application.
    ///
    /// # Errors
    /// The session broke.
    pub fn finish(mut self, block: &Block, data: &[u8]) -> Result<StatusWord, CpsError> {
        if block.p1 & 0x80 == 0 {
            return Err(CpsError::Last);
        }
        self.send(block, data)
    }

    fn send(&mut self, block: &Block, data: &[u8]) -> Result<StatusWord, CpsError> {
        let mut command = Command::new(0x80, 0xE2, block.p1, block.p2).with_data(data);
        // An R-MAC is an answer, and an answer takes an Le. // ISO 7816-4 §5.1, case 4
        if self.le || self.session.spec().level.r_mac() {
            command.le = Some(256);
        }
        Ok(self.session.transmit(&command)?.sw)
    }
}
