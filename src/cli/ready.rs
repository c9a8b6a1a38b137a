//! From files to what is ready for a card: record, profile and keys opened, checked against each other, and planned.

use std::path::Path;

use super::args::{ProfileArgs, Sources};
use super::common::{self, CliError, Out, Problem};
use super::profiles;
use crate::issuance::check;
use crate::issuance::file_kind::FileKind;
use crate::issuance::plan::Plan;
use crate::keys::AnyStore;
use crate::profile::Profile;
use crate::record::{self, Record};

/// Everything that is ready before a card is asked for.
pub struct Ready {
    /// The keys.
    pub store: AnyStore,
    /// The record.
    pub record: Record,
    /// Its profile.
    pub profile: Profile,
    /// What the two mean.
    pub plan: Plan,
}

/// Opens and checks everything.
///
/// # Errors
/// Whatever is wrong, all problems of record and profile together.
pub fn ready(path: &Path, sources: &Sources, out: &mut Out) -> Result<Ready, CliError> {
    ready_from(path, common::keys(&sources.keys, &sources.passphrase, out)?, &sources.profiles)
}

/// As [`ready`], with keys that are at hand already.
///
/// # Errors
/// As [`ready`].
pub fn ready_from(path: &Path, store: AnyStore, profiles: &ProfileArgs) -> Result<Ready, CliError> {
    ready_of(path, &common::read_kind(path, &[FileKind::Record])?, store, profiles)
}

/// As [`ready_from`], of a record that was read already.
///
/// # Errors
/// As [`ready`].
pub fn ready_of(path: &Path, bytes: &[u8], store: AnyStore, profiles: &ProfileArgs) -> Result<Ready, CliError> {
    let refused = |problems: Vec<Problem>| CliError::Refused { what: common::shown(path), problems };

    let header = record::peek(bytes).map_err(|problems| refused(record_problems(problems)))?;
    let profile = profiles::profile(header.profile_name(), profiles)?;
    let record = Record::open(bytes, &store).map_err(|problems| refused(record_problems(problems)))?;
    let plan = check::plan(&record, &profile, &store).map_err(|problems| {
        refused(problems.into_iter().map(|it| Problem::new(it.path, it.code, it.message)).collect())
    })?;
    Ok(Ready { store, record, profile, plan })
}

/// Refuses a profile whose security level is below what the site asks for.
///
/// # Errors
/// [`CliError::Refused`].
pub fn minimum_level(path: &Path, profile: &Profile, minimum: u8) -> Result<(), CliError> {
    check::minimum_level(profile, minimum).map_err(|it| CliError::Refused {
        what: common::shown(path),
        problems: vec![Problem::new(it.path, it.code, it.message)],
    })
}

/// A record's problems as they are shown.
pub fn record_problems(problems: record::RecordProblems) -> Vec<Problem> {
    problems.into_iter().map(|problem| Problem::new(problem.path, problem.code, problem.message)).collect()
}
