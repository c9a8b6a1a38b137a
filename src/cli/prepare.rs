//! `perso prepare`: from an order to a prepared record.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{KeepArgs, PreparationArgs, PrepareArgs, Sources};
use super::ca;
use super::common::{self, CliError, Out, Problem, warn};
use super::kept::Kept;
use super::orders::{self, is_order};
use super::pool::HeldPool;
use super::ready::{Ready, minimum_level, ready_of, record_problems};
use crate::base::Warning;
use crate::base::fault::{Code, Fault};
use crate::issuance::check;
use crate::issuance::jobs::Jobs;
use crate::issuance::report;
use crate::issuance::result::RuleRef;
use crate::keys::ca_keys::CaKeys;
use crate::keys::{AnyStore, KeyStore};
use crate::order::Order;
use crate::prepare::{
    IssuerCertificate, IssuerFileError, Materials, PoolError, PrepareError, Prepared, prepare, problem_of,
};
use crate::profile::Profile;

/// What can go wrong before a record is prepared.
#[derive(Debug, thiserror::Error)]
pub enum PreparationError {
    /// Data preparation itself.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The issuer's certificate.
    #[error("issuer's certificate {path}: {source}")]
    Issuer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: IssuerFileError,
    },
    /// The pool.
    #[error("pool {path}: {source}")]
    Pool {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PoolError,
    },
    /// Another process holds the pool.
    #[error("pool {0} is in use by another perso: nothing was taken from it; wait until that one has ended")]
    PoolInUse(PathBuf),
    /// The pool cannot be locked.
    #[error("pool {path} cannot be locked through {lock}")]
    PoolLock {
        /// The pool.
        path: PathBuf,
        /// The file that is locked for it.
        lock: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Fault for PreparationError {
    fn code(&self) -> Code {
        match self {
            PreparationError::Prepare(error) => error.code(),
            PreparationError::Issuer { .. } => Code::PrepareIssuer,
            PreparationError::Pool { source, .. } => source.code(),
            PreparationError::PoolInUse(_) => Code::PoolBusy,
            PreparationError::PoolLock { .. } => Code::OperatorInput,
        }
    }
}

/// What was prepared, as it is shown.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct PreparedView {
    /// Version of this shape: 1.
    perso_prepared: u32,
    /// The record's id.
    record: String,
    /// PAN, first six and last four digits.
    pan: Option<String>,
    /// The profile.
    profile: String,
    /// Whether the card is a sample.
    sample: bool,
    /// What the consistency rules say.
    rules: Vec<RuleRef>,
    /// Where the record was written; none: it went to standard output.
    file: Option<String>,
    /// Where the jobs were written, if they were asked for.
    jobs: Option<String>,
}

/// Prepares a record.
///
/// # Errors
/// Whatever is wrong with the order, the profile, the keys or the certificate. Nothing is written then.
pub fn run(args: &PrepareArgs, out: &mut Out) -> Result<u8, CliError> {
    let store = common::keys(&args.sources.keys, &args.sources.passphrase, out)?;
    let bytes = zeroize::Zeroizing::new(common::read(&args.order)?);
    let jobs = args.preparation.jobs.as_deref();
    common::distinct(&[("--output", common::output_file(&args.output)), ("--jobs", jobs)])?;
    let jobs = jobs.map(Kept::claim).transpose()?;
    let named = args.profile.as_deref();
    let ca_keys = args.ca_keys.as_deref().map(ca::ca_keys).transpose()?;
    let preparation = Preparation { from: &args.preparation, ca_keys: ca_keys.as_ref(), minimum_level: None };
    let (order, profile, prepared) = of_order(&args.order, &bytes, named, &args.sources, &preparation, &store, out)?;
    let output = common::output_file(&args.output);
    match output {
        Some(path) => common::write(path, &prepared.text)?,
        None => out.raw(&prepared.text),
    }
    if let Some(jobs) = jobs {
        jobs.write_json(&Jobs::of(&order, &prepared.record))?;
    }
    let view = PreparedView {
        perso_prepared: 1,
        record: prepared.record.id().to_owned(),
        pan: prepared.record.masked_pan(),
        profile: profile.name().to_owned(),
        sample: order.product().is_sample(),
        rules: prepared.outcomes.iter().map(RuleRef::of).collect(),
        jobs: args.preparation.jobs.as_ref().map(|path| path.display().to_string()),
        file: output.map(|path| path.display().to_string()),
    };
    prepared.record.warnings(&prepared.outcomes).into_iter().for_each(|warning| out.warning(warning));
    show(&view, output.is_some(), out);
    Ok(0)
}

/// Standard output is the record's where no file was named.
fn show(view: &PreparedView, on_screen: bool, out: &mut Out) {
    let lines = text(view);
    match on_screen {
        true if out.json(view) => {}
        true => lines.iter().for_each(|line| out.line(line)),
        false => lines.iter().for_each(|line| warn(line)),
    }
}

fn text(view: &PreparedView) -> Vec<String> {
    let sample = if view.sample { ", a SAMPLE" } else { "" };
    let pan = view.pan.as_deref().unwrap_or("not stated");
    let mut lines = vec![format!("Record {} for profile {}, PAN {pan}{sample}", view.record, view.profile)];
    lines.extend(view.file.iter().map(|file| format!("Written to {file}")));
    lines.extend(view.jobs.iter().map(|file| format!("Jobs for the feeder and for fulfilment written to {file}")));
    lines
}

/// A record, or an order from which one is prepared now.
///
/// # Errors
/// As [`run`], and as [`ready_of`]; what is to be kept is there already, or is asked of a record.
pub fn ready_from(
    path: &Path,
    sources: &Sources,
    preparation: &Preparation<'_>,
    keep: &KeepArgs,
    out: &mut Out,
) -> Result<Ready, CliError> {
    let from = preparation.from;
    let bytes = zeroize::Zeroizing::new(common::read(path)?);
    if !is_order(&bytes) {
        for (option, file) in [("--record", &keep.record), ("--jobs", &from.jobs)] {
            if file.is_some() {
                let why = format!("it is for orders, and {} is a record already", common::shown(path));
                return Err(CliError::Option { option, why });
            }
        }
        let store = common::keys(&sources.keys, &sources.passphrase, out)?;
        let ready = ready_of(path, &bytes, store, &sources.profiles)?;
        preparation.level(path, &ready.profile)?;
        return Ok(ready);
    }
    let kept = keep.record.as_deref().map(Kept::claim).transpose()?;
    let jobs = from.jobs.as_deref().map(Kept::claim).transpose()?;
    let store = common::keys(&sources.keys, &sources.passphrase, out)?;
    let (order, profile, prepared) = of_order(path, &bytes, None, sources, preparation, &store, out)?;
    let plan = check::plan(&prepared.record, &profile, &store).map_err(|problems| CliError::Refused {
        what: common::shown(path),
        problems: problems.into_iter().map(|it| Problem::new(it.path, it.code, it.message)).collect(),
    })?;
    if let Some(kept) = kept {
        kept.write(&prepared.text)?;
    }
    if let Some(jobs) = jobs {
        jobs.write_json(&Jobs::of(&order, &prepared.record))?;
    }
    Ok(Ready { store, record: prepared.record, profile, plan })
}

/// Prepares a record of an order, which must be for the profile that is named, if one is.
fn of_order(
    path: &Path,
    bytes: &[u8],
    named: Option<&str>,
    sources: &Sources,
    preparation: &Preparation<'_>,
    store: &AnyStore,
    out: &mut Out,
) -> Result<(Order, Profile, Prepared), CliError> {
    let refused = |problems| CliError::Refused { what: common::shown(path), problems };
    let from = preparation.from;
    let site = from.site.as_deref().ok_or_else(|| CliError::Option {
        option: "--site",
        why: "an order is for a site: name its configuration".into(),
    })?;
    let site = common::site(site)?;
    let source = crate::order::source_of(bytes);
    let order = Order::read(bytes, &site, store).map_err(|problems| orders::refused(path, source, problems))?;
    let profile = common::profile(order.product().profile(), &sources.profiles)?;
    order.warnings().iter().cloned().chain(profile.warnings()).for_each(|warning| out.warning(warning));
    if named.is_some_and(|name| name != profile.name()) {
        let why = format!("the order is for profile {:?}", profile.name());
        return Err(CliError::Option { option: "--profile", why });
    }
    preparation.level(path, &profile)?;
    let issuer =
        from.issuer_certificate.as_deref().map(|path| issuer(path, preparation.ca_keys, store, out)).transpose()?;
    let mut chance = common::chance();
    let mut pool = from.pool.as_deref().map(|path| HeldPool::open(path, store)).transpose()?;
    let materials = Materials {
        order: &order,
        profile: &profile,
        store,
        issuer: issuer.as_ref(),
        pool: pool.as_mut().map(HeldPool::keys),
        chance: &mut chance,
        today: report::day(common::clock().now()),
    };
    let prepared = prepare(materials).map_err(|error| match error {
        PrepareError::Record(problems) => refused(record_problems(problems)),
        other => match problem_of(&order, &other) {
            Some(problem) => orders::refused(path, source, vec![problem]),
            None => PreparationError::from(other).into(),
        },
    })?;
    // A key that was taken is gone from the pool before the record is: no key goes into two cards.
    if let Some(pool) = pool {
        pool.save(store)?;
    }
    Ok((order, profile, prepared))
}

/// How a record is prepared of an order.
pub(super) struct Preparation<'a> {
    /// What was typed.
    pub(super) from: &'a PreparationArgs,
    /// The CA keys that the issuer's certificate is opened with.
    pub(super) ca_keys: Option<&'a CaKeys>,
    /// The site's least security level, if the record is made into a card now.
    pub(super) minimum_level: Option<u8>,
}

impl Preparation<'_> {
    fn level(&self, path: &Path, profile: &Profile) -> Result<(), CliError> {
        let Some(minimum) = self.minimum_level else { return Ok(()) };
        minimum_level(path, profile, minimum)
    }
}

/// The issuer's certificate, opened with a pinned CA key. Test keys may do without: then with the one in its own file.
///
/// # Errors
/// It cannot be read, or is not signed by a pinned key.
pub(super) fn issuer(
    path: &Path,
    ca_keys: Option<&CaKeys>,
    store: &AnyStore,
    out: &mut Out,
) -> Result<IssuerCertificate, CliError> {
    let failed = |source| PreparationError::Issuer { path: path.to_owned(), source };
    let live = store.keys().iter().any(|key| !key.test);
    let certificate = IssuerCertificate::parse(&common::read(path)?).map_err(failed)?;
    match ca_keys {
        Some(keys) => certificate.pinned(keys, live).map_err(failed)?,
        None if live => return Err(failed(IssuerFileError::NotPinned).into()),
        None => {
            let message = "opened with the CA key in its own file; give --ca-keys to open it with a key that you trust";
            out.warning(Warning::new(path.display().to_string(), message));
        }
    }
    Ok(certificate)
}
