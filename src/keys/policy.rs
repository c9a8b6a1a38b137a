//! Which key may do what: purpose × verb × test or live, for jobs and for the calculator.
//!
//! Every verb of a key store asks `allowed` before it uses a key. `docs/keys.md` shows the same table.

use super::usage::{Operation, header_allows_one};
pub use super::verb::{Use, Verb};
use super::{KeyError, KeyHandle, Purpose};

/// How far an verb is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    /// Not at all.
    No,
    /// Check values, 3 bytes at most.
    ThreeBytes,
    /// Without a limit.
    Yes,
}

/// Which keys of a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The key in custody.
    Master,
    /// A key that was derived from it.
    Derived,
    /// Either.
    Any,
}

/// One line of the table: what these keys may do. What no line allows is refused.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What is done.
    pub verb: Verb,
    /// Keys of these purposes.
    pub purposes: &'static [Purpose],
    /// The key itself, or keys derived from it.
    pub stage: Stage,
    /// A test key in a job.
    pub job_test: Grant,
    /// A live key in a job.
    pub job_live: Grant,
    /// A test key in the calculator.
    pub calculator_test: Grant,
    /// A live key in the calculator.
    pub calculator_live: Grant,
}

impl Row {
    /// The column of a use, for a test key or a live one.
    pub fn grant(&self, serves: Use, test: bool) -> Grant {
        match (serves, test) {
            (Use::Job, true) => self.job_test,
            (Use::Job, false) => self.job_live,
            (Use::Calculator, true) => self.calculator_test,
            (Use::Calculator, false) => self.calculator_live,
        }
    }
}

const MASTERS: &[Purpose] =
    &[Purpose::ImkAc, Purpose::ImkSmc, Purpose::ImkSmi, Purpose::ImkDac, Purpose::ImkIdn, Purpose::ImkCvc];

const fn row(
    verb: Verb,
    purposes: &'static [Purpose],
    stage: Stage,
    [job_test, job_live, calculator_test, calculator_live]: [Grant; 4],
) -> Row {
    Row { verb, purposes, stage, job_test, job_live, calculator_test, calculator_live }
}

/// Jobs with test and live keys; the calculator not at all.
const JOBS: [Grant; 4] = [Grant::Yes, Grant::Yes, Grant::No, Grant::No];
/// Everybody, but the calculator with test keys only.
const NO_LIVE_CALCULATION: [Grant; 4] = [Grant::Yes, Grant::Yes, Grant::Yes, Grant::No];
/// Everybody: nothing comes out by it, or it is public.
const ALWAYS: [Grant; 4] = [Grant::Yes; 4];
/// Test keys only.
const TEST: [Grant; 4] = [Grant::Yes, Grant::No, Grant::Yes, Grant::No];
/// The calculator with test keys, and nobody else.
const TEST_CALCULATION: [Grant; 4] = [Grant::No, Grant::No, Grant::Yes, Grant::No];
const CHECK_VALUE: [Grant; 4] = [Grant::Yes, Grant::Yes, Grant::Yes, Grant::ThreeBytes];

/// The table.
pub const TABLE: &[Row] = &[
    row(Verb::CheckValue, &Purpose::ALL, Stage::Any, CHECK_VALUE),
    row(Verb::Derive, &[Purpose::Kmc], Stage::Any, ALWAYS),
    row(Verb::Derive, MASTERS, Stage::Any, ALWAYS),
    row(Verb::SessionKey, &[Purpose::Kmc], Stage::Any, NO_LIVE_CALCULATION),
    // A card key in the clear: two methods of session keys need one, and no job uses either.
    row(Verb::SessionKey, MASTERS, Stage::Master, TEST),
    row(Verb::Encipher, &[Purpose::Pvk, Purpose::Pvk3624], Stage::Master, NO_LIVE_CALCULATION),
    row(Verb::Encipher, &[Purpose::ImkAc, Purpose::ImkSmc, Purpose::ImkCvc], Stage::Derived, NO_LIVE_CALCULATION),
    row(Verb::Encipher, &[Purpose::Zpk], Stage::Master, TEST_CALCULATION),
    row(Verb::Mac, &[Purpose::Cvk, Purpose::Mac], Stage::Master, NO_LIVE_CALCULATION),
    row(Verb::Mac, &[Purpose::ImkAc, Purpose::ImkSmi, Purpose::ImkCvc], Stage::Derived, NO_LIVE_CALCULATION),
    row(Verb::CheckMac, &[Purpose::Cvk, Purpose::Mac], Stage::Master, JOBS),
    row(Verb::Compare, &[Purpose::Kmc, Purpose::ImkAc], Stage::Derived, ALWAYS),
    row(Verb::Seal, &[Purpose::Transport], Stage::Master, JOBS),
    row(Verb::OpenSealed, &[Purpose::Transport], Stage::Master, JOBS),
    row(Verb::EncipherForCard, &[Purpose::Kmc], Stage::Any, JOBS),
    row(Verb::GoSealed, MASTERS, Stage::Derived, JOBS),
    row(Verb::UnwrapKey, &[Purpose::Kek], Stage::Master, JOBS),
    row(Verb::OpenCardBlock, &[Purpose::Kek], Stage::Master, JOBS),
    row(Verb::OpenPin, &[Purpose::Zpk], Stage::Master, NO_LIVE_CALCULATION),
    row(Verb::OpenKeyBlock, &[Purpose::Kbpk], Stage::Master, ALWAYS),
    row(Verb::MakeKeyBlock, &[Purpose::Kbpk], Stage::Master, JOBS),
    row(Verb::LeaveInKeyBlock, &Purpose::ALL, Stage::Master, JOBS),
    row(Verb::OpenBody, &[Purpose::Record], Stage::Master, JOBS),
    row(Verb::SealBody, &[Purpose::Record], Stage::Master, JOBS),
    row(Verb::OpenContentKey, &[Purpose::Jwe], Stage::Master, JOBS),
    row(Verb::Sign, &[Purpose::IssuerRsa], Stage::Master, JOBS),
    row(Verb::PublicKey, &[Purpose::IssuerRsa, Purpose::Jwe], Stage::Master, JOBS),
    row(Verb::Expose, &Purpose::ALL, Stage::Any, TEST),
];

/// The line for a purpose; none if nobody may.
pub fn find(verb: Verb, purpose: Purpose, derived: bool) -> Option<&'static Row> {
    let stage = if derived { Stage::Derived } else { Stage::Master };
    TABLE.iter().find(|row| {
        row.verb == verb && row.purposes.contains(&purpose) && (row.stage == stage || row.stage == Stage::Any)
    })
}

impl KeyHandle {
    /// Asks the table whether the key may do this, before anything is done with it.
    ///
    /// # Errors
    /// It may not: [`KeyError::Purpose`], [`KeyError::Verb`], [`KeyError::LiveCalculation`], [`KeyError::Live`].
    pub fn may(&self, verb: Verb) -> Result<(), KeyError> {
        allowed(self, verb).map(drop)
    }
}

/// Asks the table for a key.
///
/// # Errors
/// [`KeyError::Purpose`] or [`KeyError::Verb`] for a key of another purpose, [`KeyError::LiveCalculation`] for a
/// live key in the calculator, [`KeyError::Live`] if the verb is for test keys only, [`KeyError::Limited`] if the header
/// that the key came with does not allow it.
pub(super) fn allowed(key: &KeyHandle, verb: Verb) -> Result<Grant, KeyError> {
    let Some(row) = find(verb, key.purpose(), key.is_derived()) else { return Err(wrong_purpose(key, verb)) };
    match row.grant(key.serves(), key.is_test()) {
        Grant::No => Err(not_for_this_use(key, verb)),
        grant => {
            header_allows_one(key, operations(verb, key.purpose()))?;
            Ok(grant)
        }
    }
}

/// The operations of key block headers, of which one must be allowed for a verb. Derived keys have no limits.
fn operations(verb: Verb, purpose: Purpose) -> &'static [Operation] {
    match verb {
        // PVVs and offsets are made by it; nothing here checks one.
        Verb::Encipher if matches!(purpose, Purpose::Pvk | Purpose::Pvk3624) => &[Operation::Make],
        Verb::Encipher | Verb::Seal | Verb::SealBody => &[Operation::Encrypt],
        Verb::Mac => &[Operation::Make],
        Verb::CheckMac => &[Operation::Verify],
        Verb::Compare => &[Operation::Verify, Operation::Derive],
        Verb::Derive | Verb::SessionKey => &[Operation::Derive],
        // Without diversification a master key is the card's own key.
        Verb::EncipherForCard => &[Operation::Encrypt, Operation::Derive],
        Verb::OpenSealed | Verb::OpenPin | Verb::OpenBody => &[Operation::Decrypt],
        Verb::UnwrapKey | Verb::OpenCardBlock | Verb::OpenKeyBlock => &[Operation::Unwrap],
        Verb::MakeKeyBlock => &[Operation::Wrap],
        Verb::LeaveInKeyBlock => &[Operation::Export],
        Verb::OpenContentKey => &[Operation::Agree],
        Verb::Sign => &[Operation::Sign],
        // No export, or nothing secret.
        Verb::CheckValue | Verb::GoSealed | Verb::PublicKey | Verb::Expose => &[Operation::CheckValue],
    }
}

fn wrong_purpose(key: &KeyHandle, verb: Verb) -> KeyError {
    let (name, is) = (key.name().to_owned(), key.purpose());
    let mut purposes = TABLE.iter().filter(|row| row.verb == verb).flat_map(|row| row.purposes);
    match (purposes.next(), purposes.next()) {
        (Some(only), None) => KeyError::Purpose { name, is, wanted: *only },
        _ => KeyError::Verb { name, is, verb },
    }
}

fn not_for_this_use(key: &KeyHandle, verb: Verb) -> KeyError {
    let (name, is) = (key.name().to_owned(), key.purpose());
    match (key.serves(), key.is_test()) {
        (Use::Calculator, false) => KeyError::LiveCalculation { name, verb },
        (Use::Job, false) => KeyError::Live(name),
        _ => KeyError::Verb { name, is, verb },
    }
}
