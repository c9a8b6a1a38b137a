//! A card behind a virtual PC/SC reader: the card's end of vsmartcard's vpcd.
//!
//! Frames are two bytes of length, big-endian, and the bytes. One byte alone is an order of the reader: 00 power off,
//! 01 power on, 02 reset, 04 tell the ATR, which is how the reader asks whether the card is still there. Everything
//! longer is a command APDU.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{LinkError, Transport};

/// What a card without power answers: it cannot, so this stands for silence that does not block the reader.
const NO_POWER: [u8; 2] = [0x6F, 0x00];

/// What is done to a served card from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// The link is cut when the next command arrives; the card does not see it.
    TearBefore,
    /// The card executes the next command; the link is cut before its answer.
    TearAfter,
    /// The card executes the next command; the link is cut in the middle of its answer.
    TearWithin,
    /// The next command is never answered.
    Mute,
}

/// How long a command and its answer of so many bytes take, the card's own time included.
pub type Pace = Box<dyn Fn(usize, usize) -> Duration + Send>;

/// Why a card is no longer served.
#[derive(Debug)]
pub enum Ended {
    /// It was taken out, or torn.
    Removed,
    /// The reader has hung up.
    ReaderGone(io::Error),
    /// The card itself cannot go on.
    Card(LinkError),
}

/// Takes the card out of its reader, puts another into its place, and plays tricks. Clones act on the same reader.
#[derive(Clone, Default)]
pub struct Hand(Arc<Grip>);

#[derive(Default)]
struct Grip {
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    stream: Option<TcpStream>,
    removed: bool,
    trick: Option<Trick>,
    other: Option<Box<dyn Transport>>,
}

impl Hand {
    /// Takes the card out.
    pub fn remove(&self) {
        let mut held = self.lock();
        held.removed = true;
        hang_up(&mut held);
        self.0.changed.notify_all();
    }

    /// Plays a trick on the next command.
    pub fn play(&self, trick: Trick) {
        self.lock().trick = Some(trick);
    }

    /// Puts another card into the place of the one that is served, without the reader's noticing: from its next order or
    /// command on the other one answers behind the same connection, with power where the first had it.
    pub fn swap(&self, other: Box<dyn Transport>) {
        self.lock().other = Some(other);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, stream: &TcpStream) -> io::Result<bool> {
        let mut held = self.lock();
        if !held.removed {
            held.stream = Some(stream.try_clone()?);
        }
        Ok(!held.removed)
    }

    /// Returns once the card was taken out.
    fn until_removed(&self) {
        let mut held = self.lock();
        while !held.removed {
            held = self.0.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The other end sees the connection closed, which for a reader means that the card is gone.
fn hang_up(held: &mut Held) {
    if let Some(stream) = held.stream.take() {
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Serves a card over a connection with vpcd until one of them goes.
pub fn serve(stream: TcpStream, card: &mut dyn Transport, pace: &Pace, hand: &Hand) -> Ended {
    let mut served = Served { stream, card, other: None, pace, hand, atr: Vec::new(), power: false };
    let ended = served.run();
    hang_up(&mut hand.lock());
    ended
}

struct Served<'a> {
    stream: TcpStream,
    card: &'a mut dyn Transport,
    /// In the place of `card`, once that was swapped.
    other: Option<Box<dyn Transport>>,
    pace: &'a Pace,
    hand: &'a Hand,
    atr: Vec<u8>,
    power: bool,
}

/// What one frame leads to.
enum Next {
    Answer(Vec<u8>),
    Nothing,
    End(Ended),
}

impl Served<'_> {
    fn run(&mut self) -> Ended {
        match self.hand.take(&self.stream) {
            Ok(true) => {}
            Ok(false) => return Ended::Removed,
            Err(error) => return Ended::ReaderGone(error),
        }
        if let Err(error) = self.stream.set_nodelay(true) {
            return Ended::ReaderGone(error);
        }
        // The reader asks for the ATR before it gives power.
        match self.card().reset() {
            Ok(atr) => self.atr = atr,
            Err(error) => return Ended::Card(error),
        }
        loop {
            let frame = match self.read() {
                Ok(frame) => frame,
                Err(error) => return self.gone(error),
            };
            if let Err(error) = self.swapped() {
                return Ended::Card(error);
            }
            let began = Instant::now();
            match self.frame(&frame, began) {
                Next::Nothing => {}
                Next::End(ended) => return ended,
                Next::Answer(answer) => {
                    if let Err(error) = self.write(&answer) {
                        return self.gone(error);
                    }
                }
            }
        }
    }

    /// The card that is in the reader now.
    fn card(&mut self) -> &mut dyn Transport {
        match &mut self.other {
            Some(other) => other.as_mut(),
            None => &mut *self.card,
        }
    }

    /// Takes the other card in, where the hand has swapped it.
    fn swapped(&mut self) -> Result<(), LinkError> {
        let other = self.hand.lock().other.take();
        if let Some(mut other) = other {
            self.atr = other.reset()?;
            self.other = Some(other);
        }
        Ok(())
    }

    fn frame(&mut self, frame: &[u8], began: Instant) -> Next {
        match frame {
            [] => Next::Nothing,
            [0x00] => {
                self.power = false;
                Next::Nothing
            }
            [0x01 | 0x02] => match self.card().reset() {
                Ok(atr) => {
                    (self.atr, self.power) = (atr, true);
                    Next::Nothing
                }
                Err(error) => Next::End(Ended::Card(error)),
            },
            [0x04] => Next::Answer(self.atr.clone()),
            [_] => Next::Nothing,
            _ if !self.power => Next::Answer(NO_POWER.to_vec()),
            command => self.command(command, began),
        }
    }

    fn command(&mut self, command: &[u8], began: Instant) -> Next {
        let trick = self.hand.lock().trick.take();
        match trick {
            Some(Trick::TearBefore) => return Next::End(Ended::Removed),
            Some(Trick::Mute) => {
                self.hand.until_removed();
                return Next::End(Ended::Removed);
            }
            _ => {}
        }
        let answer = match self.card().transmit(command) {
            Ok(answer) => answer,
            Err(LinkError::CardLost(_)) => return Next::End(Ended::Removed),
            Err(error) => return Next::End(Ended::Card(error)),
        };
        match trick {
            Some(Trick::TearAfter) => Next::End(Ended::Removed),
            Some(Trick::TearWithin) => {
                // The length of all, and half of it.
                let half = answer.get(..answer.len() / 2).unwrap_or_default();
                let frame = [&(answer.len() as u16).to_be_bytes(), half].concat();
                let _ = self.stream.write_all(&frame);
                Next::End(Ended::Removed)
            }
            _ => {
                let due = (self.pace)(command.len(), answer.len());
                if let Some(left) = due.checked_sub(began.elapsed()) {
                    std::thread::sleep(left);
                }
                Next::Answer(answer)
            }
        }
    }

    /// The end of a connection that the hand has cut is no fault of the reader.
    fn gone(&self, error: io::Error) -> Ended {
        if self.hand.lock().removed { Ended::Removed } else { Ended::ReaderGone(error) }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 2];
        self.read_exact(&mut length)?;
        let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
        self.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Without it each exchange waits 40 ms for a delayed acknowledgement; the kernel forgets it after each read.
    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        std::os::linux::net::TcpStreamExt::set_quickack(&self.stream, true)?;
        self.stream.read_exact(buffer)
    }

    /// One write for length and data, for the same reason.
    fn write(&mut self, answer: &[u8]) -> io::Result<()> {
        let length = u16::try_from(answer.len()).map_err(|_| io::Error::other("an answer has at most 65,535 bytes"))?;
        self.stream.write_all(&[&length.to_be_bytes(), answer].concat())
    }
}
