//! `perso prepare`: from an order to a prepared record.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{KeepArgs, PreparationArgs, PrepareArgs, Sources};
use super::ca;
use super::claimed::{self, Access, ClaimedFile, Existing};
use super::common::{self, CliError, Out, Problem, warn};
use super::file_names::FileNames;
use super::orders;
use super::pool::HeldPool;
use super::preparation_error::PreparationError;
use super::profiles;
use super::ready::{Ready, minimum_level, ready_of, record_problems};
use crate::base::Warning;
use crate::issuance::check;
use crate::issuance::file_kind::FileKind;
use crate::issuance::jobs::Jobs;
use crate::issuance::report;
use crate::issuance::result::RuleRef;
use crate::keys::ca_keys::CaKeys;
use crate::keys::{AnyStore, KeyStore};
use crate::order::Order;
use crate::prepare::{
    IssuerCertificate, IssuerFileError, Materials, PrepareError, Prepared, prepare, problem_of, record_id,
};
use crate::profile::Profile;
use crate::record::Record;

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
    /// Where the fulfilment data was written, if it was asked for.
    jobs: Option<String>,
}

/// Prepares a record.
///
/// # Errors
/// Whatever is wrong with the order, the profile, the keys or the certificate. Nothing is written then.
pub fn run(args: &PrepareArgs, out: &mut Out) -> Result<u8, CliError> {
    let store = common::keys(&args.sources.keys, &args.sources.passphrase, out)?;
    let bytes = zeroize::Zeroizing::new(common::read_kind(&args.order, &[FileKind::Order])?);
    let (output, fulfilment) = (common::output_file(&args.output), args.preparation.fulfilment.as_deref());
    common::distinct(&[("--output", output), ("--fulfilment", fulfilment)])?;
    // Before a key is taken out of a pool.
    [output, fulfilment].into_iter().flatten().try_for_each(|path| claimed::check(path, args.replace.existing()))?;
    let named = args.profile.as_deref();
    let ca_keys = args.ca_keys.as_deref().map(ca::ca_keys).transpose()?;
    let preparation = Preparation { from: &args.preparation, ca_keys: ca_keys.as_ref(), minimum_level: None };
    let order = read_order(&args.order, &bytes, &preparation, &store)?;
    let (profile, prepared) = of_order(&args.order, &order, named, &args.sources, &preparation, &store, out)?;
    let claim = |path| ClaimedFile::claim(path, args.replace.existing(), Access::Owner);
    let mut files = Vec::new();
    match output {
        Some(path) => {
            let mut file = claim(path)?;
            file.put(&prepared.text)?;
            files.push(file);
        }
        None => out.raw(&prepared.text),
    }
    if let Some(path) = fulfilment {
        let mut file = claim(path)?;
        file.put_json(&Jobs::of(&order, &prepared.record))?;
        files.push(file);
    }
    ClaimedFile::finish_all(files)?;
    let view = PreparedView {
        perso_prepared: 1,
        record: prepared.record.id().to_owned(),
        pan: prepared.record.masked_pan(),
        profile: profile.name().to_owned(),
        sample: order.product().is_sample(),
        rules: prepared.outcomes.iter().map(RuleRef::of).collect(),
        jobs: args.preparation.fulfilment.as_ref().map(|path| path.display().to_string()),
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
    lines.extend(view.jobs.iter().map(|file| format!("Fulfilment data written to {file}")));
    lines
}

/// What is ready for a card, and what is kept of its preparation.
pub struct Prepare {
    /// Record, profile, keys and plan.
    pub ready: Ready,
    /// The files that are still to be written.
    pub keep: Keep,
}

/// Files about the preparation of an order. They are written before the card is touched.
#[derive(Default)]
pub struct Keep {
    record: Option<(PathBuf, String)>,
    fulfilment: Option<(PathBuf, Jobs)>,
}

impl Keep {
    /// The names of the files.
    pub fn names(&self) -> [(&'static str, Option<&Path>); 2] {
        let record = self.record.as_ref().map(|(path, _)| path.as_path());
        [("--record", record), ("--fulfilment", self.fulfilment.as_ref().map(|(path, _)| path.as_path()))]
    }

    /// Claims the files and writes them, all or none.
    ///
    /// # Errors
    /// One exists and must not be replaced, or cannot be written.
    pub fn write(self, existing: Existing) -> Result<(), CliError> {
        let mut files = Vec::new();
        if let Some((path, text)) = &self.record {
            let mut file = ClaimedFile::claim(path, Existing::Keep, Access::Owner)?;
            file.put(text)?;
            files.push(file);
        }
        if let Some((path, jobs)) = &self.fulfilment {
            let mut file = ClaimedFile::claim(path, existing, Access::Owner)?;
            file.put_json(jobs)?;
            files.push(file);
        }
        ClaimedFile::finish_all(files)
    }
}

/// A record; or an order, from which one is prepared now, unless its record is kept already.
///
/// # Errors
/// As [`run`], and as [`ready_of`]; a file to be kept is the record of something else, or is asked of a record.
pub fn ready_from(
    path: &Path,
    sources: &Sources,
    preparation: &Preparation<'_>,
    keep: &KeepArgs,
    existing: Existing,
    out: &mut Out,
) -> Result<Prepare, CliError> {
    let from = preparation.from;
    let bytes = zeroize::Zeroizing::new(common::read_kind(path, &[FileKind::Record, FileKind::Order])?);
    if FileKind::of(&bytes) != FileKind::Order {
        for (option, file) in [("--record", &keep.record), ("--fulfilment", &from.fulfilment)] {
            if file.is_some() {
                let why = format!("{} is a record already; only an order gives such a file", common::shown(path));
                return Err(CliError::Advised { option, why, next: format!("Leave {option} out.") });
            }
        }
        let store = common::keys(&sources.keys, &sources.passphrase, out)?;
        let ready = ready_of(path, &bytes, store, &sources.profiles)?;
        preparation.level(path, &ready.profile)?;
        return Ok(Prepare { ready, keep: Keep::default() });
    }
    let store = common::keys(&sources.keys, &sources.passphrase, out)?;
    let order = read_order(path, &bytes, preparation, &store)?;
    let started = report::timestamp(common::clock().now());
    let names = FileNames { id: record_id(&order), attempt: None, started };
    let name = |option, path: &Option<PathBuf>| path.as_deref().map(|path| names.fill(option, path)).transpose();
    let (record, fulfilment) = (name("--record", &keep.record)?, name("--fulfilment", &from.fulfilment)?);
    // Before a key is taken out of a pool.
    let kept = record.as_deref().filter(|path| path.is_file());
    let jobs = |record: &Record| fulfilment.clone().map(|path| (path, Jobs::of(&order, record)));
    let (ready, record) = match kept {
        Some(kept) => {
            let ready = super::ready::ready_from(kept, store, &sources.profiles)?;
            if !ready.record.is_of_order(order.digest()) {
                let why = format!("{} exists and is not the record of this order", common::shown(kept));
                let next = "Name another file with --record.".to_owned();
                return Err(CliError::Advised { option: "--record", why, next });
            }
            preparation.level(path, &ready.profile)?;
            warn(&format!("perso: making the card from the record of this order in {}", common::shown(kept)));
            (ready, None)
        }
        None => {
            record.iter().try_for_each(|path| claimed::check(path, Existing::Keep))?;
            fulfilment.iter().try_for_each(|path| claimed::check(path, existing))?;
            let (profile, prepared) = of_order(path, &order, None, sources, preparation, &store, out)?;
            let plan = check::plan(&prepared.record, &profile, &store).map_err(|problems| CliError::Refused {
                what: common::shown(path),
                problems: problems.into_iter().map(|it| Problem::new(it.path, it.code, it.message)).collect(),
            })?;
            let ready = Ready { store, record: prepared.record, profile, plan };
            (ready, record.clone().map(|path| (path, prepared.text)))
        }
    };
    // An earlier run of this order has written the same.
    let is_there = |(path, jobs): &(PathBuf, Jobs)| kept.is_some() && is_written(path, jobs);
    let fulfilment = jobs(&ready.record).filter(|it| !is_there(it));
    Ok(Prepare { ready, keep: Keep { record, fulfilment } })
}

/// Whether a file holds this already.
fn is_written(path: &Path, jobs: &Jobs) -> bool {
    let held = common::read(path).ok().and_then(|held| serde_json::from_slice::<serde_json::Value>(&held).ok());
    path.is_file() && held.is_some() && held == serde_json::to_value(jobs).ok()
}

/// Reads an order of a site.
fn read_order(path: &Path, bytes: &[u8], preparation: &Preparation<'_>, store: &AnyStore) -> Result<Order, CliError> {
    let site = preparation.from.site.as_deref().ok_or_else(|| CliError::NoSite(common::shown(path)))?;
    let site = common::site(site)?;
    let source = crate::order::source_of(bytes);
    Order::read(bytes, &site, store).map_err(|problems| orders::refused(path, source, problems))
}

/// Prepares a record of an order, which must be for the profile that is named, if one is.
fn of_order(
    path: &Path,
    order: &Order,
    named: Option<&str>,
    sources: &Sources,
    preparation: &Preparation<'_>,
    store: &AnyStore,
    out: &mut Out,
) -> Result<(Profile, Prepared), CliError> {
    let refused = |problems| CliError::Refused { what: path.display().to_string(), problems };
    let (from, source) = (preparation.from, Some(order.source()));
    let profile = profiles::profile(order.product().profile(), &sources.profiles)?;
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
        order,
        profile: &profile,
        store,
        issuer: issuer.as_ref(),
        pool: pool.as_mut().map(HeldPool::keys),
        chance: &mut chance,
        today: report::day(common::clock().now()),
    };
    let prepared = prepare(materials).map_err(|error| match error {
        PrepareError::Record(problems) => refused(record_problems(problems)),
        other => match problem_of(order, &other) {
            Some(problem) => orders::refused(path, source, vec![problem]),
            None => PreparationError::from(other).into(),
        },
    })?;
    // A key that was taken is gone from the pool before the record is: no key goes into two cards.
    if let Some(pool) = pool {
        pool.save(store)?;
    }
    Ok((profile, prepared))
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

/// Reads the issuer's certificate.
///
/// # Errors
/// It cannot be read, or does not open with the CA key in its own file.
pub(super) fn certificate(path: &Path) -> Result<IssuerCertificate, CliError> {
    let failed = |source| PreparationError::Issuer { path: path.to_owned(), source };
    let bytes = common::read_kind(path, &[FileKind::IssuerCertificate])?;
    Ok(IssuerCertificate::parse(&bytes).map_err(failed)?)
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
    let certificate = certificate(path)?;
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
