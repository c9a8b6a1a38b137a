//! `perso check`: every problem with its path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::args::CheckArgs;
use super::check_files::{Total, below};
use super::common::{self, CliError, Out, Problem};
use super::config;
use super::exit::FINDINGS;
use super::file_advice;
use super::profiles;
use super::ready::{record_problems, shown};
use super::screen;
use super::stores;
use crate::base::emv::rules::Stage;
use crate::base::{Code, Fault, Warning};
use crate::issuance::check;
use crate::issuance::file_kind::FileKind;
use crate::issuance::intake;
use crate::issuance::report;
use crate::issuance::result::{FaultRef, RuleRef};
use crate::issuance::setup::{ProfileFolder, Profiles};
use crate::keys::{AnyStore, KeyStore, file};
use crate::order::{self, D1Answer, OrderView, Site, Source};
use crate::prepare::{self, IssuerCertificate};
use crate::profile::Profile;
use crate::record::{self, Record};

/// The place of a card on its carrier, in an order of D1.
const PLACE: &str = "body.cardCarrierConfig.multiCardOrder";

/// A file of no kind that is checked.
const UNKNOWN: &str = "unknown";

/// Of a folder that was named.
const NOTHING: &str = "no order, record, profile or key file is in it or below it; links to folders are not followed";

/// What was found in one file.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Checked {
    /// The file, as it was named.
    file: String,
    /// `order`, `record`, `clear record`, `profile`, `keys` or `unknown`.
    kind: &'static str,
    /// Everything that is wrong with it.
    problems: Vec<Problem>,
    /// What the consistency rules say; records only.
    rules: Vec<RuleRef>,
    /// The order, masked, where it is right and all of it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderView>,
    /// What the one who sent a faulty D1 order is answered: its first fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<D1Answer>,
    /// What could not be checked, and why. It does not count as passed.
    skipped: Vec<String>,
    /// Warnings; they are no problems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    /// The place on a carrier of several cards: card group and number.
    #[serde(skip)]
    place: Option<(String, String)>,
    /// It could not be read.
    #[serde(skip)]
    unreadable: bool,
}

impl Checked {
    /// A file in which so much is wrong.
    fn of(file: String, kind: &'static str, problems: Vec<Problem>) -> Self {
        Self {
            file,
            kind,
            problems,
            rules: Vec::new(),
            order: None,
            answer: None,
            skipped: Vec::new(),
            warnings: Vec::new(),
            place: None,
            unreadable: false,
        }
    }

    /// Whether nothing was skipped.
    fn is_whole(&self) -> bool {
        self.skipped.is_empty() && self.rules.iter().all(|rule| rule.verdict != "skipped")
    }
}

/// Checks every file.
///
/// # Errors
/// The key file that records are opened with cannot be used.
pub fn run(args: &CheckArgs, out: &mut Out) -> Result<u8, CliError> {
    let store = args.keys.as_ref().map(|path| common::keys(path, &args.passphrase, out)).transpose()?;
    let site = args.site.as_deref().map(common::site).transpose()?;
    let ca_keys = args.ca_keys.as_deref().map(super::ca::ca_keys).transpose()?;
    let issuer = match (&args.issuer_certificate, &store) {
        (Some(path), Some(store)) => Some(super::prepare::issuer(path, ca_keys.as_ref(), store, out)?),
        _ => None,
    };
    let profiles = profiles::folder(&args.profiles);
    let (store, site, issuer) = (store.as_ref(), site.as_ref(), issuer.as_ref());
    let sources = OrderSources { store, site, issuer, profiles: &profiles, minimum_level: args.level.minimum_level };
    let (mut all, mut total) = (Vec::new(), Total::default());
    let mut places = BTreeSet::new();
    for given in &args.files {
        let files = if given.is_dir() { below(given) } else { vec![Ok(given.clone())] };
        let before = all.len();
        for file in files {
            let mut checked = match file {
                Ok(path) => one((&path, !given.is_dir()), args, &sources, out),
                Err((path, error)) => unreadable(&path, &error),
            };
            // A folder holds other files too; a file that was named must be of a known kind.
            if checked.kind == UNKNOWN && given.is_dir() && !checked.unreadable {
                total.others += 1;
                continue;
            }
            place_on_carrier(&mut checked, &mut places);
            take(checked, &mut all, &mut total, out);
        }
        if all.len() == before {
            let problem = Problem::new("(folder)", Code::OperatorInput, NOTHING);
            take(Checked::of(common::shown(given), UNKNOWN, vec![problem]), &mut all, &mut total, out);
        }
    }
    if !out.json(&all) && (all.len() > 1 || args.files.iter().any(|given| given.is_dir())) {
        total.print(out);
    }
    Ok(if total.faulty > 0 { FINDINGS } else { 0 })
}

/// Each is printed as soon as it is checked: a folder may hold many.
fn take(checked: Checked, all: &mut Vec<Checked>, total: &mut Total, out: &mut Out) {
    for warning in &checked.warnings {
        out.warning(Warning::new(format!("{}: {}", checked.file, warning.path), &warning.message));
    }
    total.count(checked.problems.len(), checked.is_whole());
    print(&checked, out);
    all.push(checked);
}

fn unreadable(path: &Path, error: &std::io::Error) -> Checked {
    let problem = Problem::new("(file)", Code::OperatorInput, format!("it cannot be read: {error}"));
    Checked { unreadable: true, ..Checked::of(path.display().to_string(), UNKNOWN, vec![problem]) }
}

/// Two cards of one carrier have two places on it. // D1 cardCarrierConfig.multiCardOrder
fn place_on_carrier(checked: &mut Checked, earlier: &mut BTreeSet<(String, String)>) {
    let Some(place @ (_, number)) = &checked.place else { return };
    if !earlier.insert(place.clone()) {
        let message = format!("number {number} repeats that of an earlier order with the same multiCardId");
        checked.warnings.push(Warning::new(PLACE, message));
    }
}

fn print(checked: &Checked, out: &mut Out) {
    let skipped = skipped_rules(&checked.rules);
    let (style, verdict) = match (checked.problems.len(), checked.is_whole()) {
        (0, true) => (screen::GOOD, "ok".to_owned()),
        (0, false) => (screen::WARNING, "ok as far as it was checked".to_owned()),
        (1, _) => (screen::BAD, "one problem".to_owned()),
        (n, _) => (screen::BAD, format!("{n} problems")),
    };
    out.headed(format!("{} ({}): ", checked.file, checked.kind), style, &verdict);
    for problem in &checked.problems {
        out.line(format!("  {}: {} [{}]", problem.path, problem.message, problem.code));
    }
    if let Some(order) = &checked.order {
        let sample = if order.sample { ", a SAMPLE" } else { "" };
        out.line(format!(
            "  {} of {} by {} for {}: PAN {}, PSN {}{sample}",
            order.issuance, order.card, order.issuer, order.profile, order.pan, order.psn
        ));
    }
    for (why, rules) in skipped {
        out.line(format!("  skipped: {rules}: {why}"));
    }
    for skipped in &checked.skipped {
        out.line(format!("  skipped: {skipped}"));
    }
}

/// The rules that were skipped for the same reason, together.
fn skipped_rules(rules: &[RuleRef]) -> BTreeMap<&str, String> {
    let mut together: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.verdict == "skipped") {
        let named = together.entry(rule.why.as_deref().unwrap_or_default()).or_default();
        if !named.contains(&rule.rule.as_str()) {
            named.push(&rule.rule);
        }
    }
    together.into_iter().map(|(why, named)| (why, named.join(", "))).collect()
}

/// What an order is checked with.
struct OrderSources<'a> {
    store: Option<&'a AnyStore>,
    site: Option<&'a Site>,
    issuer: Option<&'a IssuerCertificate>,
    profiles: &'a ProfileFolder,
    minimum_level: u8,
}

/// Checks a file, which was named, or was found in a folder.
fn one((path, named): (&Path, bool), args: &CheckArgs, sources: &OrderSources<'_>, out: &mut Out) -> Checked {
    let file = common::shown(path);
    let bytes = match common::read(path).map(zeroize::Zeroizing::new) {
        Ok(bytes) => bytes,
        // The others are checked all the same.
        Err(error) => {
            let problems = vec![Problem::new("(file)", error.code(), FaultRef::of(&error).message)];
            return Checked { unreadable: true, ..Checked::of(file, UNKNOWN, problems) };
        }
    };
    let (mut skipped, mut rules) = (Vec::new(), Vec::new());
    let toml = is_profile(path, named);
    let mut warnings = Vec::new();
    let (kind, problems) = match FileKind::of(&bytes) {
        FileKind::Order => return order(path, &bytes, sources),
        FileKind::KeyFile => ("keys", keys(&bytes, args, &mut skipped, out)),
        FileKind::Record => ("record", record(&bytes, sources, &mut skipped, (&mut rules, &mut warnings))),
        FileKind::ClearRecord => ("clear record", clear(&bytes, sources, &mut skipped, (&mut rules, &mut warnings))),
        FileKind::Profile => ("profile", profile(&bytes, sources, &mut skipped, &mut warnings)),
        // A profile whose faults hide what it is.
        FileKind::Toml | FileKind::Text if toml => ("profile", profile(&bytes, sources, &mut skipped, &mut warnings)),
        other => {
            let message = format!(
                "it is {}; this command examines orders, records, clear records, profiles and key files. {}",
                other.what(),
                file_advice::advice(&other)
            );
            (UNKNOWN, vec![Problem::new("(file)", Code::FileKind, message.trim_end_matches('.'))])
        }
    };
    Checked { rules, skipped, warnings, ..Checked::of(file, kind, problems) }
}

fn order(path: &Path, bytes: &[u8], sources: &OrderSources<'_>) -> Checked {
    let OrderSources { store, site, issuer, profiles, .. } = *sources;
    let store = store.map(|store| store as &dyn KeyStore);
    let order::Checked { source, order, mut problems, mut skipped, mut warnings } = order::check(bytes, site, store);
    match (&order, store) {
        (Some(order), Some(store)) => {
            let profile = profiles.profile(order.product().profile()).ok();
            let today = report::day(common::clock().now());
            let examined = prepare::examine(order, profile.as_deref(), store, issuer, &mut common::chance(), today);
            problems.extend(examined.problems);
            skipped.extend(examined.skipped);
            warnings.extend(examined.warnings);
        }
        _ if problems.is_empty() => {
            let without = if site.is_none() { "no --site was given" } else { "no --keys were given" };
            skipped.push(format!("the PIN block and the MACs of prepared blocks: {without}"));
        }
        _ => {}
    }
    let value = |name: &str| {
        let line = order.as_ref()?.fulfilment().iter().find(|line| line.name == name)?;
        Some(line.value.expose().clone())
    };
    let number =
        value("cardCarrierConfig.multiCardOrder").map(|text| text.parse().map_or(text, |it: u8| it.to_string()));
    Checked {
        warnings,
        place: value("cardCarrierConfig.multiCardId").zip(number),
        order: order.as_ref().filter(|_| problems.is_empty()).map(order::view),
        answer: order::d1_answer(&problems).filter(|_| source == Some(Source::D1)),
        skipped,
        ..Checked::of(common::shown(path), "order", shown(intake::order_problems(source, problems)))
    }
}

/// A *.toml file that was named should be a profile; a folder may hold other TOML files.
fn is_profile(path: &Path, named: bool) -> bool {
    named && path.extension().is_some_and(|extension| extension == "toml")
}

fn profile(
    bytes: &[u8],
    sources: &OrderSources<'_>,
    skipped: &mut Vec<String>,
    warnings: &mut Vec<Warning>,
) -> Vec<Problem> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return vec![Problem::new("(file)", Code::ProfileSyntax, "it is not UTF-8 text")];
    };
    match Profile::parse(text) {
        Ok(profile) => {
            warnings.extend(profile.warnings());
            let unprotected = check::protection(None, &profile, sources.minimum_level).into_iter();
            let mut problems: Vec<_> = unprotected.map(|it| Problem::new(it.path, it.code, it.message)).collect();
            match sources.store {
                Some(store) => config::keys_of(&profile, store, &mut |problem| problems.push(problem)),
                None => skipped.push("whether the keys that it names exist: no --keys were given".into()),
            }
            problems
        }
        Err(problems) => {
            problems.into_iter().map(|problem| Problem::new(problem.path, problem.code, problem.message)).collect()
        }
    }
}

fn keys(bytes: &[u8], args: &CheckArgs, skipped: &mut Vec<String>, out: &mut Out) -> Vec<Problem> {
    let wrong = |error: file::KeyFileError| vec![Problem::new("(file)", error.code(), error.to_string())];
    let passphrase = match file::is_sealed(bytes) {
        Err(error) => return wrong(error),
        Ok(false) => None,
        Ok(true) if args.passphrase.passphrase_file.is_none() && args.passphrase.passphrase_fd.is_none() => {
            skipped.push("the keys: the file is sealed, and --passphrase-file was not given".into());
            return Vec::new();
        }
        Ok(true) => match common::ask(&args.passphrase, false, out) {
            Ok(passphrase) => Some(passphrase),
            Err(error) => return vec![Problem::new("(passphrase)", error.code(), error.to_string())],
        },
    };
    let store = match file::load(bytes, passphrase.as_ref()) {
        Ok(store) => store,
        Err(error) => return wrong(error),
    };
    let live = store.is_live();
    if let Err(error) = stores::guard(&args.passphrase, Path::new("(file)"), passphrase.as_ref(), live, out) {
        return vec![Problem::new("(passphrase)", error.code(), error.to_string())];
    }
    store.warnings().into_iter().for_each(|warning| out.warning(warning));
    store.open_each().map_or_else(|error| wrong(error.into()), |()| Vec::new())
}

/// A clear record is sealed as `perso record seal` would, and what comes of it is checked.
fn clear(
    bytes: &[u8],
    sources: &OrderSources<'_>,
    skipped: &mut Vec<String>,
    (rules, warnings): (&mut Vec<RuleRef>, &mut Vec<Warning>),
) -> Vec<Problem> {
    let name = match record::clear_profile_name(bytes) {
        Ok(name) => name,
        Err(problems) => return record_problems(problems),
    };
    let Some(store) = sources.store else {
        skipped.push("everything in the body: no --keys were given".into());
        return Vec::new();
    };
    let profile = match sources.profiles.profile(&name).map_err(CliError::from) {
        Ok(profile) => profile,
        Err(error) => return vec![Problem::new("profile", error.code(), error.to_string())],
    };
    match record::seal(bytes, store, &hex::encode(profile.hash()), &mut common::chance()) {
        Ok(sealed) => record(sealed.as_bytes(), sources, skipped, (rules, warnings)),
        Err(problems) => record_problems(problems),
    }
}

fn record(
    bytes: &[u8],
    sources: &OrderSources<'_>,
    skipped: &mut Vec<String>,
    (rules, warnings): (&mut Vec<RuleRef>, &mut Vec<Warning>),
) -> Vec<Problem> {
    let header = match record::peek(bytes) {
        Ok(header) => header,
        Err(problems) => return record_problems(problems),
    };
    let Some(store) = sources.store else {
        skipped.push("the seal and everything in the body: no --keys were given".into());
        return Vec::new();
    };
    let store: &dyn KeyStore = store;
    let record = match Record::open(bytes, store) {
        Ok(record) => record,
        Err(problems) => return record_problems(problems),
    };
    let profile = sources.profiles.profile(header.profile_name()).map_err(CliError::from);
    let today = report::day(common::clock().now());
    let outcomes = check::rules(Stage::Check, &record, profile.as_deref().ok(), today);
    rules.extend(outcomes.iter().map(RuleRef::of));
    warnings.extend(record.warnings(&outcomes));
    let mut problems = check::refusals(&outcomes);
    let missing = match profile {
        Ok(profile) => {
            problems.extend(check::minimum_level(&profile, sources.minimum_level).err());
            problems.extend(check::plan(&record, &profile, store).err().unwrap_or_default());
            None
        }
        Err(error) => Some(Problem::new("header.profile.name", error.code(), error.to_string())),
    };
    missing.into_iter().chain(problems.into_iter().map(|it| Problem::new(it.path, it.code, it.message))).collect()
}
