//! What has become of the order and of the card (design: states).

use std::fmt;

use crate::base::fault::Code;

/// Where a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// One good card: everything that can be read back was, and is equal.
    Good,
    /// Nothing that changes a card was handed to the transport. The blank stays a blank.
    Untouched,
    /// The card must be destroyed. The order can be made again on new stock.
    Spoiled,
    /// The last state-changing command was handed over and the read-back has not ended.
    InDoubt,
    /// The record, its profile or its keys are wrong. No card was touched.
    Refused,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] = [State::Good, State::Untouched, State::Spoiled, State::InDoubt, State::Refused];

    /// As it is written in results and journals.
    pub fn name(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Untouched => "untouched",
            State::Spoiled => "spoiled",
            State::InDoubt => "in-doubt",
            State::Refused => "refused",
        }
    }

    /// The state of this name.
    pub fn find(name: &str) -> Option<State> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// What the person at the reader does with the card. `fault` is what the job has ended with: an untouched card goes back
    /// to the blanks only where nothing says that it is none, or none of ours, and a card is destroyed only if it is the one
    /// that was spoiled and not somebody's finished card.
    pub fn action(self, fault: Option<Code>) -> &'static str {
        match self {
            State::Good => "Take the card.",
            State::Untouched if fault.is_some_and(is_no_blank) => KEEP_ASIDE,
            State::Untouched => "Put the blank back.",
            // The card in the reader is not the one that was spoiled, or it may be somebody's.
            State::Spoiled if matches!(fault, Some(Code::CardSwapped | Code::CardPersonalized)) => KEEP_ASIDE,
            State::Spoiled => "Destroy the card.",
            State::InDoubt => KEEP_ASIDE,
            State::Refused => "No card was touched.",
        }
    }
}

const KEEP_ASIDE: &str = "Keep the card aside and call.";

/// Whether this fault shows a card that must not come to another order by way of the stock: it is somebody's, it is not made
/// for our keys, or it has been left at work.
fn is_no_blank(fault: Code) -> bool {
    matches!(
        fault,
        Code::CardPersonalized
            | Code::CardCryptogram
            | Code::CardChallenge
            | Code::CardLogin
            | Code::CardSwapped
            | Code::LedgerCard
            | Code::LedgerFence
            | Code::LedgerUnknown
            | Code::LedgerDoubt
            | Code::ReaderMute
    )
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Good => "GOOD",
            State::Untouched => "UNTOUCHED",
            State::Spoiled => "SPOILED",
            State::InDoubt => "IN DOUBT",
            State::Refused => "REFUSED",
        })
    }
}

/// Counts the state-changing commands of a job as they are handed to the transport, and says what a failure means now.
///
/// The counting is by intent: a command counts from the moment before it is handed over, since from then on nobody
/// can know whether the card has seen it.
#[derive(Debug, Clone)]
pub struct Progress {
    planned: u32,
    handed: u32,
}

impl Progress {
    /// A job that will hand over `planned` state-changing commands.
    pub fn new(planned: u32) -> Self {
        Self { planned, handed: 0 }
    }

    /// Call directly before a state-changing command is handed to the transport.
    pub fn hand_over(&mut self) {
        self.handed += 1;
    }

    /// State-changing commands handed over so far.
    pub fn handed(&self) -> u32 {
        self.handed
    }

    /// The state of a job that fails at this moment, its read-back not having ended.
    pub fn state_on_failure(&self) -> State {
        match self.handed {
            0 => State::Untouched,
            handed if handed < self.planned => State::Spoiled,
            _ => State::InDoubt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fault::CATALOGUE;

    #[test]
    fn a_failure_means_what_the_last_command_handed_over_says() {
        let mut progress = Progress::new(3);
        let mut seen = vec![progress.state_on_failure()];
        for _ in 0..3 {
            progress.hand_over();
            seen.push(progress.state_on_failure());
        }
        assert_eq!(seen, [State::Untouched, State::Spoiled, State::Spoiled, State::InDoubt]);
    }

    #[test]
    fn an_untouched_card_goes_back_to_the_blanks_only_where_the_catalogue_lets_it() {
        assert_eq!(State::Untouched.action(None), "Put the blank back.");
        for (code, entry) in CATALOGUE {
            let keeps = ["aside", "Do not try the card again"].iter().any(|words| entry.next.contains(words));
            let action = State::Untouched.action(Some(*code));
            assert!(!keeps || action == KEEP_ASIDE, "{code}: {action} {}", entry.next);
            let goes_back = entry.next.contains("Put the card back");
            assert!(!goes_back || action != KEEP_ASIDE, "{code}: {action} {}", entry.next);
            let somebodys = matches!(code, Code::CardSwapped | Code::CardPersonalized);
            let spoiled = if somebodys { KEEP_ASIDE } else { "Destroy the card." };
            assert_eq!(State::Spoiled.action(Some(*code)), spoiled);
        }
    }

    #[test]
    fn names_are_read_back() {
        assert!(State::ALL.iter().all(|state| State::find(state.name()) == Some(*state)));
    }
}
