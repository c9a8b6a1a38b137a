//! Bytes out, bytes in, reset: the seam below which a card is a reader, a simulated card, or a trace.

mod chosen;
pub mod pcsc;
mod replay;
mod tap;
pub mod vpcd;
mod watched;

pub use replay::Replay;
pub use tap::{SharedWriter, Tap};
pub use watched::{Limits, Watched};

use crate::base::Interrupted;
use crate::base::fault::{Code, Fault};

/// A link to one card.
///
/// ```
/// use perso::card::transport::{LinkError, Transport};
///
/// /// A card without any application.
/// struct Empty;
///
/// impl Transport for Empty {
///     fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, LinkError> {
///         Ok(vec![0x6A, 0x82])
///     }
///
///     fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
///         Ok(vec![0x3B, 0x00])
///     }
/// }
///
/// let mut link: Box<dyn Transport> = Box::new(Empty);
/// assert_eq!(link.reset()?, [0x3B, 0x00]);
/// assert_eq!(link.transmit(&[0x00, 0xA4, 0x04, 0x00, 0x00])?, [0x6A, 0x82]);
/// # Ok::<(), LinkError>(())
/// ```
pub trait Transport: Send {
    /// Sends one command APDU and returns the response APDU, at least two bytes. The transport hides nothing: 61xx
    /// and 6Cxx come back as they are.
    ///
    /// # Errors
    /// When the link broke. Whether the card has seen the command is then unknown.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError>;

    /// Resets the card (or powers it on) and returns its ATR.
    ///
    /// # Errors
    /// When there is no card, or the link broke.
    fn reset(&mut self) -> Result<Vec<u8>, LinkError>;

    /// Called before the first exchange of a command. The exchanges that follow, until the next call, belong to it:
    /// GET RESPONSE after 61xx, the command again after 6Cxx. A transport that limits the time of a command counts from
    /// here; the others do nothing.
    fn begin_command(&mut self) {}
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        (**self).transmit(command)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        (**self).reset()
    }

    fn begin_command(&mut self) {
        (**self).begin_command();
    }
}

/// The link broke.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The card is gone: removed, torn, mute.
    #[error("the card is lost: {0}")]
    CardLost(String),
    /// There is no card, or no such reader.
    #[error("no card: {0}")]
    NoCard(String),
    /// No complete answer to a command within the command timeout. The card may still be at work, so nobody can know
    /// what has become of it.
    #[error(
        "the card has not answered a command completely within {seconds} s (--command-timeout); its reader is not used \
         again until this program is started anew"
    )]
    Mute {
        /// The command timeout, in seconds.
        seconds: f64,
    },
    /// All commands together have taken longer than the job timeout.
    #[error("the card has not finished within {seconds} s (--job-timeout)")]
    Slow {
        /// The job timeout, in seconds.
        seconds: f64,
    },
    /// A reader that was given up.
    #[error("reader {0:?} was given up after a card in it did not answer")]
    Quarantined(String),
    /// Another program holds the reader.
    #[error("the reader is in use by another program")]
    Busy,
    /// The PC/SC service is not there.
    #[error("the PC/SC service cannot be used: {0}")]
    Service(String),
    /// A request to stop came before the next command.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The simulated card's file cannot be used.
    #[error("the simulated card cannot be used: {0}")]
    Simulator(String),
    /// A replayed trace holds another command here.
    #[error("exchange {exchange}: {difference}")]
    Replay {
        /// Number of the exchange, from 1.
        exchange: u32,
        /// The first difference, in words.
        difference: String,
    },
}

impl Fault for LinkError {
    fn code(&self) -> Code {
        match self {
            LinkError::CardLost(_) => Code::ReaderLost,
            LinkError::NoCard(_) => Code::ReaderNone,
            LinkError::Mute { .. } | LinkError::Slow { .. } => Code::ReaderMute,
            LinkError::Busy | LinkError::Quarantined(_) => Code::ReaderBusy,
            LinkError::Service(_) => Code::ReaderService,
            LinkError::Interrupted(interrupted) => interrupted.code(),
            LinkError::Simulator(_) => Code::ReaderSim,
            LinkError::Replay { .. } => Code::ReplayDiffers,
        }
    }
}
