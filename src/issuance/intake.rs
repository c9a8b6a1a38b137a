//! From bytes to what is ready for a card: a record, or an order from which one is prepared; opened, checked against its
//! profile, and planned.

use std::sync::Arc;

use super::check;
use super::file_kind::FileKind;
pub use super::intake_error::{IntakeError, order_problems};
use super::plan::{Plan, Problem};
use super::report;
use super::setup::Setup;
use crate::base::Warning;
use crate::base::emv::rules::{Outcome, Stage};
use crate::keys::KeyStore;
use crate::keys::ca_keys::CaKeys;
use crate::order::{Order, source_of};
use crate::prepare::{IssuerCertificate, IssuerFileError, Materials, PrepareError, Prepared, prepare, problem_of};
use crate::profile::Profile;
use crate::record::{self, Record};

/// The kinds of files that a card is made from.
pub const KINDS: &[FileKind] = &[FileKind::Record, FileKind::Order];

/// Everything that is ready before a card is asked for.
pub struct Ready {
    /// The record.
    pub record: Record,
    /// Its profile.
    pub profile: Arc<Profile>,
    /// The commands that the record means on this profile.
    pub plan: Plan,
    /// The text of the record's file, if it was prepared from an order now.
    pub text: Option<String>,
}

/// Something to know before the job runs; it does not stop the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A warning about order, profile or record.
    Warning(Warning),
    /// The issuer's certificate was opened with the CA key in its own file: no CA keys were given.
    IssuerNotPinned,
}

impl From<Warning> for Note {
    fn from(warning: Warning) -> Self {
        Note::Warning(warning)
    }
}

/// Takes a record, or an order, which is prepared first.
///
/// ```
/// use std::sync::Arc;
///
/// use perso::base::chance::Instant;
/// use perso::base::{Chance, Clock};
/// use perso::issuance::intake;
/// use perso::issuance::setup::{ProfileFolder, Setup};
/// use perso::keys::file;
///
/// let keys = file::load(&std::fs::read("tests/samples/keys.test.json")?, None)?;
/// let profiles = ProfileFolder::new("card-profiles".as_ref());
/// let (clock, chance) = (Clock::fixed(Instant(1_700_000_000_000_000)), Chance::fixed(Vec::new()));
/// let mut setup = Setup::new(Arc::new(keys), Arc::new(profiles), clock, chance);
///
/// let record = std::fs::read("tests/samples/debit-aes-scp03.record.json")?;
/// let ready = intake::take(&record, &mut setup, &mut Vec::new())?;
/// assert_eq!(ready.plan.profile, "debit-aes-scp03");
///
/// let error = intake::take(b"{\"perso_keys\": 1}", &mut setup, &mut Vec::new()).err();
/// assert_eq!(error.map(|it| it.to_string()).as_deref(), Some("a key file is neither a record nor an order"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`IntakeError`]. A pool of card keys is as it was, unless a key was taken out of it; no key goes into two cards.
pub fn take(bytes: &[u8], setup: &mut Setup, notes: &mut Vec<Note>) -> Result<Ready, IntakeError> {
    match kind(bytes)? {
        FileKind::Order => {
            let order = order(bytes, setup)?;
            from_order(&order, None, setup, notes)?.ready(setup)
        }
        _ => record(bytes, setup),
    }
}

/// Whether it is an order or a record. A file that may be a faulty record counts as one.
///
/// # Errors
/// [`IntakeError::Kind`].
pub fn kind(bytes: &[u8]) -> Result<FileKind, IntakeError> {
    match FileKind::other_than(KINDS, bytes) {
        Some(found) => Err(IntakeError::Kind(found)),
        None if FileKind::of(bytes) == FileKind::Order => Ok(FileKind::Order),
        None => Ok(FileKind::Record),
    }
}

/// Opens a record, checks it against its profile and the site's minimum level, and plans it.
///
/// # Errors
/// All problems of the record and its profile; [`IntakeError::Profiles`].
pub fn record(bytes: &[u8], setup: &Setup) -> Result<Ready, IntakeError> {
    let header = record::peek(bytes).map_err(IntakeError::record)?;
    let profile = setup.profiles.profile(header.profile_name())?;
    let record = Record::open(bytes, &*setup.keys).map_err(IntakeError::record)?;
    let plan = check::plan(&record, &profile, &*setup.keys).map_err(IntakeError::Refused)?;
    level(setup, &profile)?;
    Ok(Ready { record, profile, plan, text: None })
}

/// As [`record()`], of a record that was prepared from this order earlier.
///
/// # Errors
/// As [`record()`]; [`IntakeError::OtherOrder`].
pub fn kept_record(bytes: &[u8], order: &Order, setup: &Setup) -> Result<Ready, IntakeError> {
    let ready = record(bytes, setup)?;
    if ready.record.is_of_order(order.digest()) { Ok(ready) } else { Err(IntakeError::OtherOrder) }
}

/// Reads an order for the site.
///
/// # Errors
/// [`IntakeError::NoSite`]; [`IntakeError::Order`] with everything that is wrong with it.
pub fn order(bytes: &[u8], setup: &Setup) -> Result<Order, IntakeError> {
    let site = setup.site.as_ref().ok_or(IntakeError::NoSite)?;
    Order::read(bytes, site, &*setup.keys).map_err(|problems| IntakeError::order(source_of(bytes), problems))
}

/// A record that was prepared from an order, and its profile.
pub struct FromOrder {
    /// The profile.
    pub profile: Arc<Profile>,
    /// The record, its file's text, and what the consistency rules say.
    pub prepared: Prepared,
}

impl FromOrder {
    /// Plans the record.
    ///
    /// # Errors
    /// All problems of the record on this profile.
    pub fn ready(self, setup: &Setup) -> Result<Ready, IntakeError> {
        let FromOrder { profile, prepared } = self;
        let plan = check::plan(&prepared.record, &profile, &*setup.keys).map_err(IntakeError::Refused)?;
        Ok(Ready { record: prepared.record, profile, plan, text: Some(prepared.text) })
    }
}

/// Prepares the record of an order, which must be for profile `named`, if one is named. A card key that is taken out of the
/// pool is gone from it, durably, before the record is given out.
///
/// # Errors
/// [`IntakeError`].
pub fn from_order(
    order: &Order,
    named: Option<&str>,
    setup: &mut Setup,
    notes: &mut Vec<Note>,
) -> Result<FromOrder, IntakeError> {
    let profile = setup.profiles.profile(order.product().profile())?;
    notes.extend(order.warnings().iter().cloned().chain(profile.warnings()).map(Note::from));
    if named.is_some_and(|name| name != profile.name()) {
        return Err(IntakeError::OtherProfile(profile.name().to_owned()));
    }
    level(setup, &profile)?;
    if let Some(issuer) = &setup.issuer {
        let pinned = issuer_is_pinned(issuer, setup.ca_keys.as_ref(), &*setup.keys).map_err(IntakeError::Issuer)?;
        notes.extend((!pinned).then_some(Note::IssuerNotPinned));
    }
    let mut pool = setup.pool.as_ref().map(|pool| pool.hold(&*setup.keys)).transpose().map_err(IntakeError::Pool)?;
    let prepared = prepare(Materials {
        order,
        profile: &profile,
        store: &*setup.keys,
        issuer: setup.issuer.as_ref(),
        pool: pool.as_mut().map(|pool| pool.keys()),
        chance: &mut setup.chance,
        today: report::day(setup.clock.now()),
    })
    .map_err(|error| match error {
        PrepareError::Record(problems) => IntakeError::record(problems),
        other => match problem_of(order, &other) {
            Some(problem) => IntakeError::order(Some(order.source()), vec![problem]),
            None => IntakeError::Prepare(other),
        },
    })?;
    // A key that was taken is gone from the pool before the record is: no key goes into two cards.
    if let Some(pool) = pool {
        pool.save(&*setup.keys).map_err(IntakeError::Pool)?;
    }
    Ok(FromOrder { profile, prepared })
}

/// Compares an issuer certificate with the CA keys. Test keys may do without: then the answer is `false`, and the certificate
/// was opened with the CA key in its own file.
///
/// # Errors
/// No CA key fits, or none is given for live keys.
pub fn issuer_is_pinned(
    certificate: &IssuerCertificate,
    ca_keys: Option<&CaKeys>,
    keys: &dyn KeyStore,
) -> Result<bool, IssuerFileError> {
    let live = keys.keys().iter().any(|key| !key.test);
    match ca_keys {
        Some(trusted) => certificate.pinned(trusted, live).map(|()| true),
        None if live => Err(IssuerFileError::NotPinned),
        None => Ok(false),
    }
}

impl Ready {
    /// What the consistency rules say of the record before a card is made, with the warnings of record and profile.
    ///
    /// # Errors
    /// A rule refuses the record; `notes` are complete then too.
    pub fn rules(&self, setup: &Setup, notes: &mut Vec<Note>) -> Result<Vec<Outcome>, IntakeError> {
        notes.extend(check::unprotected(&self.profile).map(Note::from));
        let today = report::day(setup.clock.now());
        let outcomes = check::rules(Stage::Run, &self.record, Some(&self.profile), today);
        notes.extend(self.record.warnings(&outcomes).into_iter().map(Note::from));
        // An order that was prepared now has said so itself.
        if let (None, Some(rule)) = (&self.text, self.record.expiry_rule()) {
            notes.push(Warning::new("body.expiry_rule", rule).into());
        }
        match check::refusals(&outcomes) {
            refusals if refusals.is_empty() => Ok(outcomes),
            refusals => Err(IntakeError::Refused(refusals)),
        }
    }
}

/// Refuses a profile whose security level is below the site's minimum.
fn level(setup: &Setup, profile: &Profile) -> Result<(), IntakeError> {
    let checked = setup.minimum_level.map_or(Ok(()), |minimum| check::minimum_level(profile, minimum));
    checked.map_err(|problem: Problem| IntakeError::Refused(vec![problem]))
}
