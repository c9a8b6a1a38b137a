//! Another card comes into the reader in the middle of a job: one that the reader notices, and one that it does not.

use std::sync::{Arc, Mutex};

use perso::card::sim::{CardFile, Entry, SimCard};
use perso::card::transport::{LinkError, Transport};
use perso::issuance::journal::Journal;
use perso::issuance::result::RunResult;

use super::readers::{How, Inserted, insert};
use super::support::swap::{identifications, others, state_after};
use super::support::{Bench, PROFILES, changes_card};
use super::{changing, on_all_readers};

/// From `n` on another card answers behind the same connection.
pub fn unnoticed() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]).card;
        let (diary, planned) = (&whole.state.diary, changing(&whole));
        let known = identifications(diary)[0];
        let cases: Vec<(usize, &str, CardFile)> = others(&bench)
            .into_iter()
            .flat_map(|(which, other)| (known + 1..=diary.len()).map(move |n| (n, which, other.clone())))
            .collect();
        let swaps = on_all_readers(cases, |reader, (n, which, other)| {
            let before = changing(&other);
            let how = How { swap: Some((n, SimCard::of(other))), ..How::default() };
            let card = insert(reader, bench.blank(), how);
            let result = bench.run_over(card.link().unwrap(), &mut Journal::in_memory());
            let handed = changing(&card.file()) + changing(&card.other()) - before;
            let what = format!("{name}: {which} from exchange {n} on: {:?} {:?}", result.fault, result.findings);
            assert_eq!(result.state, state_after(handed, planned), "{what}");
            let code = result.fault.expect(&what).code;
            if is_told_by_its_identity(diary, n) {
                assert_eq!(code, "CARD-SWAPPED", "{what}");
            } else {
                assert!(TOLD_OTHERWISE.contains(&code.as_str()), "{what}");
            }
            usize::from(code == "CARD-SWAPPED")
        });
        println!("{name}: {} swaps, {} of them told by the identity", swaps.len(), swaps.iter().sum::<usize>());
    }
}

/// Whether no secure channel is open at the exchange, nor opened before the chip is identified the next time: then nothing
/// else can tell.
fn is_told_by_its_identity(diary: &[Entry], n: usize) -> bool {
    let next = identifications(diary).into_iter().find(|at| *at >= n).unwrap();
    diary[n - 1..next].iter().all(|entry| matches!(entry.ins, 0xA4 | 0xCA | 0xA8 | 0xB2))
}

/// What else may be seen first of a card that does not know the channel, or is no blank.
const TOLD_OTHERWISE: [&str; 6] =
    ["CARD-SWAPPED", "CARD-LOGIN", "CARD-REFUSED", "CARD-MAC", "CARD-PERSONALIZED", "CARD-BLANK"];

/// The card is taken out and another one put in, while the host is between two exchanges: the reader sees both.
pub fn noticed() {
    for name in PROFILES {
        let bench = Bench::new(name);
        let whole = bench.run(&[]).card;
        let (diary, planned) = (&whole.state.diary, changing(&whole));
        let [_, (_, other), _] = others(&bench);
        on_all_readers((2..=diary.len()).collect(), |reader, n| {
            let (result, second) = changed_before(&bench, reader, n, other.clone());
            let what = format!("{name}: before exchange {n}: {:?}", result.fault);
            // A command counts from the moment that it is handed over.
            let handed = diary[..n].iter().filter(|entry| changes_card(entry.ins)).count();
            assert_eq!(result.state, state_after(handed, planned), "{what}");
            // Only a reset reaches the other card, and the reset comes where the chip is identified again.
            let reset = identifications(diary).contains(&(n + 1));
            assert_eq!(result.fault.unwrap().code, if reset { "CARD-SWAPPED" } else { "READER-LOST" }, "{what}");
            assert_eq!(changing(&second), 0, "{what}");
        });
    }
}

/// A job whose card is changed for another before this exchange. Its result, and the other card.
fn changed_before(bench: &Bench, reader: usize, n: usize, other: CardFile) -> (RunResult, CardFile) {
    let first = insert(reader, bench.blank(), How::default());
    let link = first.link().unwrap();
    let second: Arc<Mutex<Option<Inserted>>> = Arc::default();
    let place = Arc::clone(&second);
    let change = move || {
        // Returns once the reader has seen it go.
        drop(first);
        *place.lock().unwrap() = Some(insert(reader, SimCard::of(other), How::default()));
    };
    let link = Disturbed { link, left: n - 1, act: Some(change) };
    let result = bench.run_over(Box::new(link), &mut Journal::in_memory());
    let second = second.lock().unwrap().take().expect("the exchange never came");
    (result, second.file())
}

/// The near end of a link: before one exchange, or the reset that goes before it, something is done to the card.
struct Disturbed<F> {
    link: Box<dyn Transport>,
    /// Exchanges until then.
    left: usize,
    act: Option<F>,
}

impl<F: FnOnce() + Send> Disturbed<F> {
    fn act(&mut self) {
        if self.left == 0
            && let Some(act) = self.act.take()
        {
            act();
        }
    }
}

impl<F: FnOnce() + Send> Transport for Disturbed<F> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.act();
        self.left = self.left.saturating_sub(1);
        self.link.transmit(command)
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.act();
        self.link.reset()
    }
}
