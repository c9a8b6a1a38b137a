//! The logins of a job. A sequence counter that does not rise between two of them shows another card with the same keys.

use super::error::JobError;
use crate::profile::SequenceCounter;

/// The logins of one job, and how many INITIALIZE UPDATE commands it has sent.
#[derive(Debug, Default)]
pub struct Logins {
    seen: Vec<Login>,
    sent: u32,
    compared: u32,
    untold: u32,
}

/// A login, as the card's answer to INITIALIZE UPDATE tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetId {
    /// AID of the application or security domain.
    pub aid: Vec<u8>,
    /// Key version number.
    pub version: u8,
    /// Key diversification data.
    pub kdd: [u8; 10],
}

#[derive(Debug)]
struct Login {
    key_set: KeySetId,
    counter: u32,
    /// INITIALIZE UPDATE commands up to this login.
    sent: u32,
}

/// What the comparison of sequence counters has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterCheck {
    /// It rose between all logins to one key set.
    Risen,
    /// There were no two logins to one key set.
    OneLogin,
    /// The card does not return a sequence counter.
    NotReturned,
    /// The profile says that it does not rise.
    Constant,
}

impl Logins {
    /// INITIALIZE UPDATE was sent so many times.
    pub fn sent(&mut self, times: u32) {
        self.sent += times;
    }

    /// Compares a login with the last one to the same key set. Cards differ in when they count: at INITIALIZE UPDATE, or at
    /// EXTERNAL AUTHENTICATE. // GPC 2.3.1 §E.1.2.1, GPC-D §6.2.2.1
    ///
    /// # Errors
    /// The counter has not risen, or has risen by more than the INITIALIZE UPDATE commands sent since.
    pub fn compare(&mut self, key_set: KeySetId, counter: &[u8], quirk: SequenceCounter) -> Result<(), JobError> {
        if counter.is_empty() {
            self.untold += 1;
            return Ok(());
        }
        let now = counter.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        let same = |login: &&Login| match quirk {
            SequenceCounter::Shared => (login.key_set.version, login.key_set.kdd) == (key_set.version, key_set.kdd),
            SequenceCounter::PerApplication => login.key_set == key_set,
            SequenceCounter::Constant => false,
        };
        if let Some(last) = self.seen.iter().rfind(same) {
            let most = self.sent - last.sent;
            if now <= last.counter || now - last.counter > most {
                return Err(JobError::Cloned {
                    aid: hex::encode_upper(&key_set.aid),
                    before: last.counter,
                    now,
                    sent: most,
                });
            }
            self.compared += 1;
        }
        self.seen.push(Login { key_set, counter: now, sent: self.sent });
        Ok(())
    }

    /// What the comparisons have come to.
    pub fn check(&self, quirk: SequenceCounter) -> CounterCheck {
        match (quirk, self.compared) {
            (SequenceCounter::Constant, _) => CounterCheck::Constant,
            (_, 0) if self.untold > 0 => CounterCheck::NotReturned,
            (_, 0) => CounterCheck::OneLogin,
            _ => CounterCheck::Risen,
        }
    }
}

impl CounterCheck {
    /// As results have it.
    pub fn name(self) -> &'static str {
        match self {
            CounterCheck::Risen => "risen",
            CounterCheck::OneLogin => "one-login",
            CounterCheck::NotReturned => "not-returned",
            CounterCheck::Constant => "constant",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            CounterCheck::Risen => "the sequence counter rose from login to login",
            CounterCheck::OneLogin => "no key set was used twice, so no sequence counter was compared",
            CounterCheck::NotReturned => "the card returns no sequence counter",
            CounterCheck::Constant => "the profile says that the sequence counter does not rise",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::{Code, Fault};

    fn key_set(aid: u8, version: u8, kdd: u8) -> KeySetId {
        KeySetId { aid: vec![aid; 5], version, kdd: [kdd; 10] }
    }

    /// Two logins with so many INITIALIZE UPDATE commands from the first to the second.
    fn two(
        first: &[u8],
        second: &[u8],
        sent: u32,
        quirk: SequenceCounter,
        other: KeySetId,
    ) -> Result<Logins, JobError> {
        let mut logins = Logins::default();
        logins.sent(1);
        logins.compare(key_set(1, 1, 1), first, quirk)?;
        logins.sent(sent);
        logins.compare(other, second, quirk)?;
        Ok(logins)
    }

    #[test]
    fn sequence_counter_must_rise_by_one_to_the_number_of_initialize_updates() {
        let shared = SequenceCounter::Shared;
        for sent in 1..=3u32 {
            for rise in -2i32..=5 {
                let second = u16::try_from(0x0100 + rise).unwrap().to_be_bytes();
                let login = two(&[1, 0], &second, sent, shared, key_set(1, 1, 1));
                let fits = (1..=i32::try_from(sent).unwrap()).contains(&rise);
                assert_eq!(login.is_ok(), fits, "rise {rise} after {sent}");
                match login {
                    Ok(logins) => assert_eq!(logins.check(shared), CounterCheck::Risen),
                    Err(error) => assert_eq!(error.code(), Code::CardSwapped),
                }
            }
        }
        // SCP03: three bytes.
        assert!(two(&[0, 0xFF, 0xFF], &[1, 0, 0], 1, shared, key_set(1, 1, 1)).is_ok());
        assert!(two(&[0, 0xFF, 0xFF], &[0, 0, 0], 1, shared, key_set(1, 1, 1)).is_err());
    }

    #[test]
    fn applications_share_a_counter_unless_the_profile_says_otherwise() {
        let (shared, own) = (SequenceCounter::Shared, SequenceCounter::PerApplication);
        assert!(two(&[0, 5], &[0, 5], 1, shared, key_set(2, 1, 1)).is_err());
        let logins = two(&[0, 5], &[0, 5], 1, own, key_set(2, 1, 1)).unwrap();
        assert_eq!(logins.check(own), CounterCheck::OneLogin);
        assert!(two(&[0, 5], &[0, 5], 1, own, key_set(1, 1, 1)).is_err());
        for other in [key_set(1, 2, 1), key_set(1, 1, 2)] {
            assert!(two(&[0, 5], &[0, 5], 1, shared, other).is_ok(), "another key set");
        }
    }

    #[test]
    fn what_was_not_compared_is_said() {
        let constant = SequenceCounter::Constant;
        let logins = two(&[0, 5], &[0, 5], 1, constant, key_set(1, 1, 1)).unwrap();
        assert_eq!(logins.check(constant), CounterCheck::Constant);
        let logins = two(&[], &[], 1, SequenceCounter::Shared, key_set(1, 1, 1)).unwrap();
        assert_eq!(logins.check(SequenceCounter::Shared), CounterCheck::NotReturned);
    }
}
