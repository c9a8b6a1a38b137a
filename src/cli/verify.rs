//! `perso verify`: what a terminal and an issuer host would say of a card.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::VerifyArgs;
use super::ca;
use super::common::{self, CliError, Out};
use super::exit::{FINDINGS, SET_UP};
use super::profiles;
use super::reader;
use super::ready::{self, record_file};
use super::screen;
use crate::base::{Fault, Secret, StopRequest};
use crate::issuance::intake::Ready;
use crate::issuance::proof::result::{CheckRef, VerifyResult};
use crate::issuance::proof::{Consent, Verification};
use crate::issuance::result::Evidence;
use crate::keys::{AnyStore, KeyStore};
use crate::profile::Profile;

/// Verifies one card.
///
/// # Errors
/// What keeps the verification from its end: files, keys, the reader, a broken link. What the card does wrong is a
/// finding.
pub fn run(args: &VerifyArgs, out: &mut Out) -> Result<u8, CliError> {
    // All that can fail for reasons of its own fails before a card is asked for.
    let sources = sources(args, out)?;
    let ca_keys = args.ca_keys.as_deref().map(ca::ca_keys).transpose()?;
    let aids = args.aid.iter().map(|aid| common::aid("--aid", aid)).collect::<Result<_, _>>()?;
    let pin = args.pin_from.as_deref().map(pin).transpose()?;
    let (store, profile, record) = match &sources {
        Source::Record(keys, ready) => (Some(&**keys), Some(&*ready.profile), Some((&ready.record, &ready.plan))),
        Source::Other { store, profile } => (store.as_ref().map(|it| it as &dyn KeyStore), profile.as_deref(), None),
    };
    let (transport, mut chance) = reader::open_with_chance(&args.reader, "the card", &StopRequest::default())?;
    let verification = Verification {
        profile,
        record,
        store,
        ca_keys: ca_keys.as_ref(),
        aids,
        consent: Consent { generate_ac: args.generate_ac, pin },
        clock: common::clock(),
        chance: &mut chance,
        program: common::program(),
        simulated: args.reader.is_simulated(),
    };
    let result = verification.run(transport)?;
    print(&result, args.all, out);
    Ok(if result.verdict == "passed" { 0 } else { FINDINGS })
}

/// The exit code of an error: a verification settles nothing, so that a card that is gone in its midst is a matter of
/// the set-up, neither spoiled nor in doubt.
pub fn exit(error: &CliError) -> u8 {
    match error.code().entry().exit {
        6..=8 => SET_UP,
        exit => exit,
    }
}

/// What the card is held against.
enum Source {
    Record(Arc<dyn KeyStore>, Box<Ready>),
    Other { store: Option<AnyStore>, profile: Option<Arc<Profile>> },
}

fn sources(args: &VerifyArgs, out: &mut Out) -> Result<Source, CliError> {
    let store = args.keys.as_deref().map(|path| common::keys(path, &args.passphrase, out)).transpose()?;
    if args.record.is_some() {
        common::named_keys(args.keys.as_ref(), "a record")?;
    }
    match (&args.record, store) {
        (Some(record), Some(store)) => {
            let setup = ready::setup(store, &args.profiles);
            let ready = record_file(record, &setup)?;
            Ok(Source::Record(setup.keys, Box::new(ready)))
        }
        (_, store) => {
            let named = |name: &String| match Path::new(name) {
                path if path.extension().is_some() => profiles::profile_file(path),
                _ => profiles::profile(name, &args.profiles),
            };
            Ok(Source::Other { store, profile: args.profile.as_ref().map(named).transpose()? })
        }
    }
}

/// The digits on the first line of a file or of an open descriptor.
fn pin(from: &str) -> Result<Secret<Vec<u8>>, CliError> {
    let path = match from.strip_prefix("fd:") {
        None => PathBuf::from(from),
        Some(number) if number.parse::<u32>().is_ok() => PathBuf::from(format!("/dev/fd/{number}")),
        Some(_) => return Err(wrong("fd: is followed by the number of an open descriptor")),
    };
    let bytes = Secret::new(common::read(&path)?);
    let line = bytes.expose().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !(4..=12).contains(&line.len()) || !line.iter().all(u8::is_ascii_digit) {
        return Err(wrong("the first line there is no PIN of 4 to 12 digits"));
    }
    Ok(Secret::new(line.to_vec()))
}

fn wrong(why: &str) -> CliError {
    CliError::Option { option: "--pin-from", why: why.into() }
}

/// What was loaded and is not proven: groupings of one name and one reason share a line.
pub(super) fn not_proven(items: &[Evidence], out: &mut Out) {
    let mut lines: Vec<(Vec<&str>, &Evidence)> = Vec::new();
    for item in items {
        match lines.iter_mut().find(|(_, first)| (&first.name, &first.how) == (&item.name, &item.how)) {
            Some((groupings, _)) => groupings.push(&item.dgi),
            None => lines.push((vec![&item.dgi], item)),
        }
    }
    if !lines.is_empty() {
        out.line("Loaded, not proven:");
    }
    for (groupings, item) in lines {
        out.line(format!("         {} {}: {}", groupings.join(", "), item.name, item.how));
    }
}

/// One line for each reason that checks were skipped for, with the checks that share it.
fn skipped(checks: &[CheckRef]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>, usize)> = Vec::new();
    for check in checks.iter().filter(|check| check.outcome == "skipped") {
        let why = check.why.as_deref().unwrap_or_default();
        let at = reasons.iter().position(|(reason, ..)| *reason == why).unwrap_or_else(|| {
            reasons.push((why, Vec::new(), 0));
            reasons.len() - 1
        });
        let Some((_, names, count)) = reasons.get_mut(at) else { continue };
        *count += 1;
        if !names.contains(&check.check.as_str()) {
            names.push(&check.check);
        }
    }
    let line = |(why, names, count): (&str, Vec<&str>, usize)| {
        let of = if count == names.len() { String::new() } else { format!(" ({count} checks)") };
        format!("Skipped  {}{of}: {why}", names.join(", "))
    };
    reasons.into_iter().map(line).collect()
}

/// The result for people: the verdict, what has failed, what could not be checked and why.
fn print(result: &VerifyResult, all: bool, out: &mut Out) {
    if out.json(result) {
        return;
    }
    let simulated = if result.simulated { " (simulated card)" } else { "" };
    let (style, word, verdict) = match result.verdict.as_str() {
        "passed" => (screen::GOOD, "PASSED", "PASSED: nothing has failed"),
        _ => (screen::BAD, "FINDINGS", "FINDINGS"),
    };
    out.styled(style, word, format!("{verdict}{simulated}, {} interface", result.interface));
    for app in &result.applications {
        let atc = app.atc.as_deref().unwrap_or("not returned by the card");
        let mut line = format!("Application {} ({}), ATC {atc}", app.aid, app.found);
        line += if app.cryptogram_made { ", a cryptogram was made" } else { "" };
        line += if app.pin_tried { ", one PIN try was made" } else { "" };
        line += if app.test_ca == Some(true) { ", TEST CA" } else { "" };
        out.line(line);
    }
    if result.applications.is_empty() {
        out.line("No application was found; --aid AID, a record or --profile names more to look for.");
    }
    out.line(format!(
        "Transactions begun (GET PROCESSING OPTIONS), each moving an ATC by one: {}",
        result.transactions
    ));
    let why = |check: &CheckRef| check.why.clone().unwrap_or_default();
    for check in &result.checks {
        match (check.outcome.as_str(), check.severity.as_deref()) {
            ("failed", Some("warning")) => {
                let text = format!("Warning  {} {}: {}", check.check, check.subject, why(check));
                out.styled(screen::WARNING, "Warning", text);
            }
            ("failed", _) => {
                let code = check.code.as_deref().unwrap_or_default();
                let text = format!("Failed   {} {}: {} [{code}]", check.check, check.subject, why(check));
                out.styled(screen::BAD, "Failed", text);
            }
            ("skipped", _) if all => {
                out.line(format!("Skipped  {} {}: {}", check.check, check.subject, why(check)));
            }
            _ => {}
        }
    }
    if !all {
        skipped(&result.checks).iter().for_each(|line| out.line(line));
    }
    for finding in &result.findings {
        let place = format!("{} {} at {}", finding.tag, finding.name, finding.at);
        out.styled(screen::BAD, "Finding", format!("Finding  {place}: {} [{}]", finding.what, finding.code));
    }
    let count = |outcome: &str| result.checks.iter().filter(|check| check.outcome == outcome).count();
    out.line(format!("Passed   {} checks; not applicable {}", count("passed"), count("not applicable")));
    let Some(record) = &result.record else {
        out.line("Not compared with a record: none was given.");
        return;
    };
    out.line(format!("Record   {}, PAN {}{}", record.id, record.pan.as_deref().unwrap_or("not stated"), record.mark()));
    out.line(format!("Proven   {} groupings; --format json lists how each", result.proven.len()));
    not_proven(&result.loaded_not_proven, out);
}
