//! Virtual readers, and simulated cards that are put into them in this process.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use perso::card::sim::{FaultRule, SimCard, SimTransport};
use perso::card::transport::vpcd::{self, Hand, Pace, Trick};
use perso::card::transport::{Limits, LinkError, Transport, pcsc};

/// pcscd looks at a reader every 400 ms, and misses a card for good that comes before it has seen the last one go.
pub const POLL: Duration = Duration::from_millis(450);

/// The address of the first virtual reader; none where there are no virtual readers.
pub fn vpcd_address() -> Option<SocketAddr> {
    std::env::var("PERSO_VPCD").ok()?.parse().ok()
}

/// Name of a virtual reader, counted from 0. `scripts/virtual-readers.sh` makes them two by two.
pub fn name(reader: usize) -> String {
    format!("Virtual {} 00 {:02}", reader / 2, reader % 2)
}

/// A card in a reader.
pub struct Inserted {
    reader: usize,
    hand: Hand,
    card: Arc<Mutex<SimCard>>,
    other: Option<Arc<Mutex<SimCard>>>,
    served: Option<JoinHandle<Counting>>,
}

/// How a card is put in.
#[derive(Default)]
pub struct How {
    /// Fault rules.
    pub faults: Vec<String>,
    /// A trick at this command, counted from 1.
    pub trick: Option<(usize, Trick)>,
    /// Another card is in the reader from this command on, or from a reset that comes before it: the reader does not
    /// notice.
    pub swap: Option<(usize, SimCard)>,
    /// Milliseconds for each command.
    pub millis: u64,
}

/// Puts a card into a reader, and waits until PC/SC sees it.
pub fn insert(reader: usize, card: SimCard, how: How) -> Inserted {
    let rules = how.faults.iter().map(|rule| FaultRule::parse(rule).unwrap()).collect();
    let transport = SimTransport::memory(card).with_faults(rules);
    let card = transport.card();
    let swap = how.swap.map(|(at, card)| (at, SimTransport::memory(card)));
    let other = swap.as_ref().map(|(_, card)| card.card());
    let mut served = Counting { inner: transport, seen: 0, hand: Hand::default(), trick: how.trick, swap };
    served.prepare();
    for _ in 0..3 {
        let (stream, hand) = (connect(reader), served.hand.clone());
        let serving = std::thread::spawn(move || {
            let pace: Pace = Box::new(move |_, _| Duration::from_millis(how.millis));
            let mine = served.hand.clone();
            vpcd::serve(stream, &mut served, &pace, &mine);
            served
        });
        if sees(reader, true, Duration::from_secs(10)) {
            return Inserted { reader, hand, card, other, served: Some(serving) };
        }
        // A busy machine: the service has missed it. Out again, and in again.
        println!("reader {reader}: the card was not seen; once more");
        hand.remove();
        served = serving.join().unwrap();
        served.hand = Hand::default();
        if let (0, Some((1, trick))) = (served.seen, served.trick) {
            served.hand.play(trick);
        }
        std::thread::sleep(POLL * 2);
    }
    panic!("reader {}: no card is seen: {:?}", name(reader), pcsc::readers());
}

impl Inserted {
    /// The card's own file, as it is now.
    pub fn file(&self) -> perso::card::sim::CardFile {
        self.card.lock().unwrap().file().clone()
    }

    /// That of the card which was to take its place.
    pub fn other(&self) -> perso::card::sim::CardFile {
        self.other.as_ref().unwrap().lock().unwrap().file().clone()
    }

    /// The link to it.
    pub fn link(&self) -> Result<Box<dyn Transport>, LinkError> {
        pcsc::connect(&name(self.reader), Limits::of_command(Duration::from_secs(10)))
    }
}

impl Drop for Inserted {
    fn drop(&mut self) {
        self.hand.remove();
        if let Some(served) = self.served.take() {
            // A panic over there has been seen already.
            let _ = served.join();
        }
        until(self.reader, false);
        std::thread::sleep(POLL);
    }
}

/// Serves a card to the reader at the other end until that hangs up.
pub fn serve_until_gone(stream: TcpStream, card: SimCard) {
    let pace: Pace = Box::new(|_, _| Duration::ZERO);
    vpcd::serve(stream, &mut SimTransport::memory(card), &pace, &Hand::default());
}

/// A connection to the slot of a virtual reader.
pub fn connect(reader: usize) -> TcpStream {
    let mut address = vpcd_address().unwrap();
    address.set_port(address.port() + reader as u16);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) if Instant::now() > until => panic!("reader {reader}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Waits until PC/SC sees a card in the reader, or none.
pub fn until(reader: usize, present: bool) {
    let seen = sees(reader, present, Duration::from_secs(10));
    assert!(seen, "reader {}: card present is not {present} after ten seconds: {:?}", name(reader), pcsc::readers());
}

/// Whether PC/SC comes to see a card in the reader, or none, within this time.
pub fn sees(reader: usize, present: bool, wait: Duration) -> bool {
    let (end, name) = (Instant::now() + wait, name(reader));
    while Instant::now() < end {
        let seen = pcsc::readers().unwrap_or_default().into_iter().find(|it| it.name == name);
        if seen.is_some_and(|seen| seen.card_present == present && (!present || seen.atr.is_some())) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Counts commands, and does something at one of them.
struct Counting {
    inner: SimTransport,
    seen: usize,
    hand: Hand,
    trick: Option<(usize, Trick)>,
    swap: Option<(usize, SimTransport)>,
}

impl Counting {
    /// What is to happen with the next command.
    fn prepare(&mut self) {
        if let Some((at, trick)) = self.trick
            && at == self.seen + 1
        {
            self.hand.play(trick);
        }
        if let Some((_, other)) = self.swap.take_if(|(at, _)| *at == self.seen + 1) {
            self.hand.swap(Box::new(other));
        }
    }
}

impl Transport for Counting {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.seen += 1;
        let answer = self.inner.transmit(command);
        self.prepare();
        answer
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.inner.reset()
    }
}
