//! `perso prepare`: from an order to a prepared record.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{KeepArgs, PreparationArgs, PrepareArgs, Sources};
use super::ca;
use super::claimed::{self, Access, ClaimedFile, Existing};
use super::common::{self, CliError, Out, warn};
use super::file_names::FileNames;
use super::pool::PoolFile;
use super::preparation_error::PreparationError;
use super::ready;
use crate::issuance::file_kind::FileKind;
use crate::issuance::intake::{self, FromOrder, Ready};
use crate::issuance::jobs::Jobs;
use crate::issuance::report;
use crate::issuance::result::RuleRef;
use crate::issuance::setup::{CardKeyPool, Setup};
use crate::keys::KeyStore;
use crate::keys::ca_keys::CaKeys;
use crate::order::Order;
use crate::prepare::{IssuerCertificate, record_id};

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
    let preparation = Preparation { from: &args.preparation, minimum_level: None };
    let mut setup = preparation.setup(&args.sources, out)?;
    let bytes = zeroize::Zeroizing::new(common::read_kind(&args.order, &[FileKind::Order])?);
    let (output, fulfilment) = (common::output_file(&args.output), args.preparation.fulfilment.as_deref());
    common::distinct(&[("--output", output), ("--fulfilment", fulfilment)])?;
    // Before a key is taken out of a pool.
    [output, fulfilment].into_iter().flatten().try_for_each(|path| claimed::check(path, args.replace.existing()))?;
    let named = args.profile.as_deref();
    setup.ca_keys = args.ca_keys.as_deref().map(ca::ca_keys).transpose()?;
    let order = preparation.order(&args.order, &bytes, &mut setup)?;
    let made = preparation.of_order(&args.order, &order, named, &mut setup, out)?;
    let FromOrder { profile, prepared } = made;
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
    /// Keys, profiles, and what else the job works with.
    pub setup: Setup,
    /// Record, profile and plan.
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
/// As [`run`], and as [`record_file`]; a file to be kept is the record of something else, or is requested for a record.
pub fn ready_from(
    path: &Path,
    sources: &Sources,
    (preparation, ca_keys): (&Preparation<'_>, Option<CaKeys>),
    keep: &KeepArgs,
    existing: Existing,
    out: &mut Out,
) -> Result<Prepare, CliError> {
    let from = preparation.from;
    let fault = |error| ready::fault(error, path, from.issuer_certificate.as_deref());
    let bytes = zeroize::Zeroizing::new(common::read(path)?);
    if intake::kind(&bytes).map_err(fault)? != FileKind::Order {
        for (option, file) in [("--record", &keep.record), ("--fulfilment", &from.fulfilment)] {
            if file.is_some() {
                let why = format!("{} is a record already; only an order gives such a file", common::shown(path));
                return Err(CliError::Advised { option, why, next: format!("Leave {option} out.") });
            }
        }
        let setup = Setup { ca_keys, ..preparation.setup(sources, out)? };
        let ready = intake::record(&bytes, &setup).map_err(fault)?;
        return Ok(Prepare { setup, ready, keep: Keep::default() });
    }
    let mut setup = Setup { ca_keys, ..preparation.setup(sources, out)? };
    let order = preparation.order(path, &bytes, &mut setup)?;
    let started = report::timestamp(setup.clock.now());
    let names = FileNames { id: record_id(&order), attempt: None, started };
    let name = |option, path: &Option<PathBuf>| path.as_deref().map(|path| names.fill(option, path)).transpose();
    let (record, fulfilment) = (name("--record", &keep.record)?, name("--fulfilment", &from.fulfilment)?);
    // Before a key is taken out of a pool.
    let kept = record.as_deref().filter(|path| path.is_file());
    let ready = match kept {
        Some(kept) => {
            let bytes = common::read_kind(kept, &[FileKind::Record])?;
            let ready = intake::kept_record(&bytes, &order, &setup).map_err(|error| ready::fault(error, kept, None))?;
            warn(&format!("perso: making the card from the record of this order in {}", common::shown(kept)));
            ready
        }
        None => {
            record.iter().try_for_each(|path| claimed::check(path, Existing::Keep))?;
            fulfilment.iter().try_for_each(|path| claimed::check(path, existing))?;
            preparation.of_order(path, &order, None, &mut setup, out)?.ready(&setup).map_err(fault)?
        }
    };
    // An earlier run of this order has written the same.
    let is_there = |(path, jobs): &(PathBuf, Jobs)| kept.is_some() && is_written(path, jobs);
    let fulfilment = fulfilment.map(|path| (path, Jobs::of(&order, &ready.record))).filter(|it| !is_there(it));
    let keep = Keep { record: record.zip(ready.text.clone()), fulfilment };
    Ok(Prepare { setup, ready, keep })
}

/// Whether a file holds this already.
fn is_written(path: &Path, jobs: &Jobs) -> bool {
    let held = common::read(path).ok().and_then(|held| serde_json::from_slice::<serde_json::Value>(&held).ok());
    path.is_file() && held.is_some() && held == serde_json::to_value(jobs).ok()
}

/// How a record is prepared of an order.
pub(super) struct Preparation<'a> {
    /// What was typed.
    pub(super) from: &'a PreparationArgs,
    /// The site's least security level, if the record is made into a card now.
    pub(super) minimum_level: Option<u8>,
}

impl Preparation<'_> {
    /// The set-up, without what only orders need.
    fn setup(&self, sources: &Sources, out: &mut Out) -> Result<Setup, CliError> {
        let keys = common::keys(&sources.keys, &sources.passphrase, out)?;
        Ok(Setup { minimum_level: self.minimum_level, ..ready::setup(keys, &sources.profiles) })
    }

    /// Reads the order.
    fn order(&self, path: &Path, bytes: &[u8], setup: &mut Setup) -> Result<Order, CliError> {
        setup.site = self.from.site.as_deref().map(common::site).transpose()?;
        intake::order(bytes, setup).map_err(|error| ready::fault(error, path, None))
    }

    /// Prepares the record of an order, which must be for the profile that is named, if one is.
    fn of_order(
        &self,
        path: &Path,
        order: &Order,
        named: Option<&str>,
        setup: &mut Setup,
        out: &mut Out,
    ) -> Result<FromOrder, CliError> {
        let issuer = self.from.issuer_certificate.as_deref();
        setup.issuer = issuer.map(certificate).transpose()?;
        setup.pool = self.from.pool.clone().map(|path| Box::new(PoolFile(path)) as Box<dyn CardKeyPool>);
        let mut notes = Vec::new();
        let made = intake::from_order(order, named, setup, &mut notes);
        ready::print_notes(notes, issuer, out);
        made.map_err(|error| ready::fault(error, path, issuer))
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
    keys: &dyn KeyStore,
    out: &mut Out,
) -> Result<IssuerCertificate, CliError> {
    let failed = |source| PreparationError::Issuer { path: path.to_owned(), source };
    let certificate = certificate(path)?;
    if !intake::issuer_is_pinned(&certificate, ca_keys, keys).map_err(failed)? {
        out.warning(ready::not_pinned(Some(path)));
    }
    Ok(certificate)
}
