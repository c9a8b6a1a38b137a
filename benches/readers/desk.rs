//! A virtual reader whose card can be exchanged for a fresh one without the reader's noticing, which would take it a second.

use std::ffi::CString;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};
use perso::card::sim::{SimCard, SimTransport};
use perso::card::transport::vpcd::{self, Hand, Pace};
use perso::card::transport::{LinkError, Transport, pcsc as ours};

use crate::readers;

/// A card in a reader.
pub struct Desk {
    reader: usize,
    card: Arc<Mutex<SimCard>>,
    heard: Arc<Mutex<Option<Instant>>>,
    hand: Hand,
}

/// What went over a link.
pub enum Exchange {
    Reset,
    Command(Vec<u8>, Vec<u8>),
}

impl Desk {
    /// Puts a card into a reader, and waits until PC/SC sees it.
    pub fn new(reader: usize, card: SimCard, pace: Pace) -> Self {
        let transport = SimTransport::memory(card);
        let (card, heard, hand) = (transport.card(), Arc::default(), Hand::default());
        let mut served = Hearing(transport, Arc::clone(&heard));
        let (stream, mine) = (readers::connect(reader), hand.clone());
        std::thread::spawn(move || vpcd::serve(stream, &mut served, &pace, &mine));
        readers::until(reader, true);
        Self { reader, card, heard, hand }
    }

    /// From now on another card is in the reader; it was without power.
    pub fn put(&self, card: SimCard) {
        *self.card.lock().unwrap() = card;
        *self.heard.lock().unwrap() = None;
    }

    /// When the card has heard its first command.
    pub fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap()
    }

    /// The reader's name.
    pub fn name(&self) -> String {
        readers::name(self.reader)
    }

    /// Our link to it. Of a program that has just ended, the service lets go a little later.
    pub fn link(&self) -> Box<dyn Transport> {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            match ours::connect(&self.name(), perso::card::transport::Limits::of_command(Duration::from_secs(30))) {
                Err(LinkError::Busy) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
                opened => return opened.unwrap(),
            }
        }
    }

    /// Nobody's link to it: the library alone.
    pub fn bare(&self) -> pcsc::Card {
        let name = CString::new(self.name()).unwrap();
        Context::establish(Scope::User).unwrap().connect(&name, ShareMode::Exclusive, Protocols::ANY).unwrap()
    }

    /// Sends what was once sent, and holds the answers against those of then.
    pub fn replay(&self, script: &[Exchange]) -> Duration {
        let mut card = self.bare();
        let mut buffer = vec![0; 65_538];
        let began = Instant::now();
        let mut held = card.transaction().unwrap();
        for exchange in script {
            match exchange {
                Exchange::Reset => {
                    held.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard).unwrap();
                }
                Exchange::Command(command, answer) => {
                    assert!(held.transmit(command, &mut buffer).unwrap() == answer.as_slice(), "another answer");
                }
            }
        }
        drop(held);
        card.disconnect(Disposition::UnpowerCard).map_err(|(_, error)| error).unwrap();
        began.elapsed()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.hand.remove();
        readers::until(self.reader, false);
        std::thread::sleep(Duration::from_millis(450));
    }
}

/// Notes when the first command comes.
struct Hearing(SimTransport, Arc<Mutex<Option<Instant>>>);

impl Transport for Hearing {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.1.lock().unwrap().get_or_insert_with(Instant::now);
        self.0.transmit(command)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.0.reset()
    }
}

/// Writes down what goes over a link.
pub struct Listening(pub Box<dyn Transport>, pub Arc<Mutex<Vec<Exchange>>>);

impl Transport for Listening {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        let answer = self.0.transmit(command)?;
        self.1.lock().unwrap().push(Exchange::Command(command.to_vec(), answer.clone()));
        Ok(answer)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.1.lock().unwrap().push(Exchange::Reset);
        self.0.reset()
    }
}
