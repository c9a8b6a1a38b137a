//! `perso sim serve`: simulated cards behind virtual PC/SC readers.

use std::io::BufRead;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::args::{Interface, ServeArgs, Wire};
use super::claimed::{Access, ClaimedFile};
use super::common::{CliError, Out, warn};
use super::reader::{claimed_card_file, held};
use super::run::{faults, never_fired};
use super::signals::{self, Response};
use crate::card::sim::{FaultRule, SimTransport};
use crate::card::trace::Writer;
use crate::card::transport::vpcd::{self, Ended, Hand, Pace, Trick};
use crate::card::transport::{SharedWriter, Tap, Transport};
use crate::issuance::wire::{self, Link};

/// How long a reader that is not there is waited for before it is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// After so many tries it is said what is waited for.
const QUIET_TRIES: u32 = 10;
/// pcscd looks at a reader every 400 ms. A card that comes before it has seen the last one go is missed for good.
const POLL: Duration = Duration::from_millis(450);

/// Serves until it is told to end, by `quit` or by a signal.
///
/// # Errors
/// A card's file, an address or a fault rule is wrong; or there can be no handler for signals.
pub fn run(args: &ServeArgs, out: &mut Out) -> Result<u8, CliError> {
    let rules = faults(&args.fault)?;
    let mut locks = Vec::new();
    for (number, card) in args.cards.iter().enumerate() {
        let place = |card: &PathBuf| card.canonicalize().unwrap_or_else(|_| card.clone());
        if args.cards.iter().take(number).any(|earlier| place(earlier) == place(card)) {
            let why = format!("{} is given twice; one card cannot be in two readers", card.display());
            return Err(CliError::Option { option: "CARD", why });
        }
        let (opened, lock) = claimed_card_file(card)?;
        opened.approach(args.interface == Interface::Contactless)?;
        locks.push(lock);
    }
    // Each card is locked again when it comes into its reader.
    drop(locks);
    let (tell, heard) = mpsc::channel();
    let slots: Vec<Slot> = args
        .cards
        .iter()
        .enumerate()
        .map(|(number, card)| Slot::start(number, card, args, rules.clone(), &tell))
        .collect::<Result<_, _>>()?;
    let signal = tell.clone();
    signals::respond(Response::Notify(Box::new(move || drop(signal.send(Heard::Quit)))));
    std::thread::spawn(move || listen(&tell));
    attend(&heard, &slots, out);
    // All hang up at once, then each card finishes what it has in hand.
    slots.iter().for_each(Slot::end);
    slots.into_iter().try_for_each(Slot::finish)?;
    for rule in rules.iter().filter(|rule| !rule.has_fired()) {
        out.warning(never_fired(rule));
    }
    Ok(0)
}

enum Heard {
    Typed(String),
    Event(String),
    Quit,
}

fn listen(tell: &Sender<Heard>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if tell.send(Heard::Typed(line)).is_err() {
            return;
        }
    }
}

fn attend(heard: &Receiver<Heard>, slots: &[Slot], out: &mut Out) {
    for heard in heard {
        match heard {
            Heard::Quit => return,
            Heard::Event(text) => out.event(&text),
            Heard::Typed(line) => {
                let words: Vec<&str> = line.split_whitespace().collect();
                match words.as_slice() {
                    [] => {}
                    ["quit"] => return,
                    words => match obey(words, slots) {
                        Ok(None) => {}
                        Ok(Some(event)) => out.event(&event),
                        Err(why) => warn(&format!("{line:?}: {why}")),
                    },
                }
            }
        }
    }
}

const COMMANDS: &str = "insert N [FILE], remove N, swap N FILE, tear N before|after|within, mute N, quit";

/// Carries a command out. What is to be printed of it at once, or why it is refused.
fn obey(words: &[&str], slots: &[Slot]) -> Result<Option<String>, String> {
    let [name, number, rest @ ..] = words else { return Err(format!("unknown command; the commands are: {COMMANDS}")) };
    let slot = || {
        let slot = number.parse::<usize>().ok().and_then(|number| slots.get(number));
        slot.ok_or_else(|| format!("there is no card {number}; they are counted from 0 to {}", slots.len() - 1))
    };
    match (*name, rest) {
        ("insert", []) => slot()?.insert(None)?,
        ("insert", [file]) => slot()?.insert(Some(Path::new(file)))?,
        ("remove", []) => slot()?.remove(),
        ("swap", [file]) => {
            slot()?.swap(Path::new(file))?;
            return Ok(Some(format!("swapped {number} {file}")));
        }
        ("tear", ["before"]) => slot()?.hand().play(Trick::TearBefore),
        ("tear", ["after"]) => slot()?.hand().play(Trick::TearAfter),
        ("tear", ["within"]) => slot()?.hand().play(Trick::TearWithin),
        ("mute", []) => slot()?.hand().play(Trick::Mute),
        _ => return Err(format!("unknown command; the commands are: {COMMANDS}")),
    }
    Ok(None)
}

/// How long a card may take for the command in hand when the program ends.
const IN_HAND: Duration = Duration::from_secs(5);

/// One virtual reader.
struct Slot {
    desk: Arc<Desk>,
    thread: JoinHandle<()>,
    trace: Option<ClaimedFile>,
}

struct Desk {
    place: Mutex<Place>,
    changed: Condvar,
    ended: AtomicBool,
    contactless: bool,
    trace: Option<SharedWriter>,
}

struct Place {
    /// The card that was put in last, also when it is out now.
    card: PathBuf,
    /// Counts insertions: another card is another count.
    inserted: Option<u32>,
    count: u32,
    hand: Hand,
}

impl Slot {
    fn start(
        number: usize,
        card: &Path,
        args: &ServeArgs,
        rules: Vec<FaultRule>,
        tell: &Sender<Heard>,
    ) -> Result<Self, CliError> {
        let wrong = |option, why: String| CliError::Option { option, why };
        let address = |first: SocketAddr| {
            let port = first.port().checked_add(number as u16).filter(|_| number < 256);
            port.map(|port| SocketAddr::new(first.ip(), port))
                .ok_or_else(|| wrong("--connect", format!("there is no port for card {number}")))
        };
        let link = match args.listen {
            Some(first) => {
                let address = address(first)?;
                let listener = TcpListener::bind(address)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                    .map_err(|error| wrong("--listen", format!("{address} cannot be listened on: {error}")))?;
                Reader::Listens(listener)
            }
            None => Reader::Connects(address(args.connect)?),
        };
        let trace = args.trace.as_ref().map(|path| begin_trace(path, number, card, args)).transpose()?;
        let (trace, file) = trace.unzip();
        let place = Place { card: card.to_owned(), inserted: Some(0), count: 0, hand: Hand::default() };
        let desk = Arc::new(Desk {
            place: Mutex::new(place),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
            contactless: args.interface == Interface::Contactless,
            trace,
        });
        let (mine, pace, tell) = (Arc::clone(&desk), pace(args), tell.clone());
        let thread = std::thread::spawn(move || {
            let mut rules = rules;
            while let Some((card, count, hand)) = mine.until_inserted() {
                // Whoever hears has gone when the program ends.
                let say = |event| drop(tell.send(Heard::Event(event)));
                say(mine.attend(number, &card, count, &link, &pace, &hand, &mut rules, &say));
                // Also where the next card has been ordered in already.
                if mine.lock().inserted != Some(count) && !mine.ended.load(Ordering::Relaxed) {
                    std::thread::sleep(POLL);
                }
            }
        });
        Ok(Self { desk, thread, trace: file })
    }

    fn insert(&self, card: Option<&Path>) -> Result<(), String> {
        let mut place = self.desk.lock();
        if place.inserted.is_some() {
            return Err("a card is in this reader; remove it first, or swap it".into());
        }
        if let Some(card) = card {
            card.clone_into(&mut place.card);
        }
        place.count += 1;
        place.inserted = Some(place.count);
        place.hand = Hand::default();
        self.desk.changed.notify_all();
        Ok(())
    }

    /// Another card answers from the next command on; the reader notices nothing.
    fn swap(&self, card: &Path) -> Result<(), String> {
        let mut place = self.desk.lock();
        if place.inserted.is_none() {
            return Err("there is no card in this reader; insert one".into());
        }
        let (other, lock) = claimed_card_file(card).map_err(|error| error.to_string())?;
        let other = other.approach(self.desk.contactless).map_err(|error| error.to_string())?;
        place.hand.swap(held(self.desk.traced(other), lock));
        card.clone_into(&mut place.card);
        Ok(())
    }

    fn remove(&self) {
        self.desk.lock().inserted = None;
        self.hand().remove();
    }

    fn hand(&self) -> Hand {
        self.desk.lock().hand.clone()
    }

    /// Waits for the command in hand, and gives the trace its name.
    fn finish(self) -> Result<(), CliError> {
        let until = Instant::now() + IN_HAND;
        while !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.trace.map_or(Ok(()), ClaimedFile::finish)
    }

    fn end(&self) {
        self.desk.ended.store(true, Ordering::Relaxed);
        self.remove();
        self.desk.changed.notify_all();
    }
}

/// How the two ends of the line find each other.
enum Reader {
    Connects(SocketAddr),
    Listens(TcpListener),
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The card that is in the slot; none when the program ends.
    fn until_inserted(&self) -> Option<(PathBuf, u32, Hand)> {
        let mut place = self.lock();
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(count) = place.inserted {
                return Some((place.card.clone(), count, place.hand.clone()));
            }
            place = self.changed.wait(place).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One insertion, from the reader being found to the card being out. What has happened, in words.
    #[allow(clippy::too_many_arguments)]
    fn attend(
        &self,
        number: usize,
        path: &Path,
        count: u32,
        link: &Reader,
        pace: &Pace,
        hand: &Hand,
        rules: &mut Vec<FaultRule>,
        say: &dyn Fn(String),
    ) -> String {
        let shown = path.display();
        let opened = claimed_card_file(path).and_then(|(card, lock)| Ok((card.approach(self.contactless)?, lock)));
        let mut card = match opened {
            // The faults are those of the first card: one that comes later has its own life.
            Ok((card, lock)) => held(self.traced(card.with_faults(std::mem::take(rules))), lock),
            Err(error) => {
                self.out(count);
                return format!("failed {number} {shown}: {error}");
            }
        };
        let Some(stream) =
            self.reach(link, count, &|address| say(format!("waiting {number} {shown} for vpcd at {address}")))
        else {
            return format!("removed {number} {shown}");
        };
        say(format!("inserted {number} {shown}"));
        let ended = vpcd::serve(stream, card.as_mut(), pace, hand);
        // It may have been swapped meanwhile.
        let last = self.last(count).unwrap_or_else(|| path.to_owned());
        let shown = last.display();
        match ended {
            Ended::Removed => {
                self.out(count);
                format!("removed {number} {shown}")
            }
            // The service may come back, and finds the card where it was.
            Ended::ReaderGone(error) => format!("reader-gone {number} {shown}: {error}"),
            Ended::Card(error) => {
                self.out(count);
                format!("failed {number} {shown}: {error}")
            }
        }
    }

    fn out(&self, count: u32) {
        let mut place = self.lock();
        if place.inserted == Some(count) {
            place.inserted = None;
        }
    }

    /// The card of this insertion, unless the next one has begun.
    fn last(&self, count: u32) -> Option<PathBuf> {
        let place = self.lock();
        (place.count == count).then(|| place.card.clone())
    }

    /// The card's link, written into the trace if there is one.
    fn traced(&self, card: SimTransport) -> Box<dyn Transport> {
        match &self.trace {
            Some(writer) => Box::new(Tap::new(card, Arc::clone(writer))),
            None => Box::new(card),
        }
    }

    fn reach(&self, link: &Reader, count: u32, waiting: &dyn Fn(&str)) -> Option<TcpStream> {
        for tries in 0u32.. {
            if tries == QUIET_TRIES {
                waiting(&link.address());
            }
            if self.lock().inserted != Some(count) {
                return None;
            }
            let found = match link {
                Reader::Connects(address) => TcpStream::connect(address),
                // Not waited for in the kernel: the card may be taken out before a reader comes.
                Reader::Listens(listener) => {
                    listener.accept().and_then(|(stream, _)| stream.set_nonblocking(false).map(|()| stream))
                }
            };
            match found {
                Ok(stream) => return Some(stream),
                Err(_) => std::thread::sleep(AGAIN),
            }
        }
        None
    }
}

impl Reader {
    /// Where vpcd is expected.
    fn address(&self) -> String {
        match self {
            Reader::Connects(address) => address.to_string(),
            Reader::Listens(listener) => {
                listener.local_addr().map_or_else(|error| error.to_string(), |it| it.to_string())
            }
        }
    }
}

/// The trace of one card. Simulated cards hold test keys alone, so it holds all data.
fn begin_trace(
    path: &Path,
    number: usize,
    card: &Path,
    args: &ServeArgs,
) -> Result<(SharedWriter, ClaimedFile), CliError> {
    let mut name = path.as_os_str().to_owned();
    if args.cards.len() > 1 {
        name.push(format!(".{number}"));
    }
    let meta = [("program", env!("CARGO_PKG_VERSION").to_owned()), ("card", card.display().to_string())];
    let file = ClaimedFile::claim(Path::new(&name), args.replace.existing(), Access::Owner)?;
    Ok((Arc::new(Mutex::new(Writer::new(file.stream()?, true, &meta))), file))
}

/// The card's own time, and the time on the wire.
fn pace(args: &ServeArgs) -> Pace {
    let card = Duration::from_millis(args.card_time.into());
    let wire = match args.wire {
        Wire::T0 => wire::Wire::T0,
        Wire::T1 => wire::Wire::T1,
        Wire::Contactless => wire::Wire::Contactless,
    };
    let link = args.speed.map(|bits_per_second| Link { wire, bits_per_second });
    Box::new(move |command, answer| {
        card + link.map_or(Duration::ZERO, |link| Duration::from_micros(link.micros(command, answer)))
    })
}
