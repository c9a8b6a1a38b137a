//! `perso run`: one record, one card, one verdict.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::args::RunArgs;
use super::ca;
use super::claimed::{self, Access, ClaimedFile, Existing};
use super::common::{self, CliError, Out, warn};
use super::exit::{self, FINDINGS};
use super::file_names::FileNames;
use super::prepare::{Preparation, Prepare, ready_from};
use super::progress;
use super::reader::{self, Place};
use super::ready;
use super::signals::{self, Response};
use super::verify::not_proven;
use crate::base::{Chance, Clock, Interrupted, StopRequest, Warning};
use crate::card::Recorder;
use crate::card::sim::{FaultRule, SimTransport};
use crate::card::trace::Writer;
use crate::card::transport::{LinkError, Transport};
use crate::issuance::blank;
use crate::issuance::intake::Ready;
use crate::issuance::job::Job;
use crate::issuance::journal::Journal;
use crate::issuance::outcome::Outcome;
use crate::issuance::report::{self, Report};
use crate::issuance::result::{FaultRef, ProgramRef, RunResult};
use crate::issuance::state::State;
use crate::keys::KeyStore;

/// Makes one card.
///
/// # Errors
/// What keeps the job from beginning. What happens in the job is its result.
pub fn run(args: &RunArgs, out: &mut Out) -> Result<u8, CliError> {
    if matches!(args.reader.place(), Place::Trace(_)) {
        return Err(no_card_from_a_trace());
    }
    let clock = common::clock();
    let started = Clock::fixed(clock.now());
    let existing = args.replace.existing();
    let result_file = ResultFile::default();
    signals::respond(Response::Verdict(interrupted(args, &started, &result_file, out)));
    let journal = journal_path(args);
    let named = [
        ("--record", args.keep.record.as_deref()),
        ("--fulfilment", args.preparation.fulfilment.as_deref()),
        ("--journal", journal.as_deref()),
        ("--trace", args.trace.as_deref()),
        ("--result", args.result.as_deref()),
    ];
    common::distinct(&named)?;
    let ca_keys = args.ca_keys.as_deref().map(ca::ca_keys).transpose()?;
    let preparation = Preparation { from: &args.preparation, minimum_level: Some(args.level.minimum_level) };
    let prepared = ready_from(&args.record, &args.sources, (&preparation, ca_keys), &args.keep, existing, out)?;
    let Prepare { mut setup, ready, keep } = prepared;
    let mut report = Report::new(args.reader.is_simulated(), &started);
    report.subject(&ready.record, &ready.plan, &*setup.keys);
    let mut notes = Vec::new();
    let ruled = ready.rules(&setup, &mut notes);
    ready::print_notes(notes, None, out);
    report.rules(&ruled.map_err(|error| ready::fault(error, &args.record, None))?);

    // All that can fail for reasons of its own fails before a card is asked for.
    let rules = faults(&args.fault)?;
    // A simulated card is there or is not: a mistyped name leaves no journal behind. Its serial number is no part of the
    // job, and so not of its trace.
    let stop = StopRequest::default();
    let keys = Arc::clone(&setup.keys);
    let open = |args: &RunArgs| open(args, &ready, &*keys, rules.clone(), &stop);
    let simulated = args.reader.is_simulated().then(|| open(args)).transpose()?;
    let mut journal = match &journal {
        Some(path) => claimed::journal_kind(path).and_then(|()| Ok(Journal::open(path)?))?,
        None => Journal::in_memory(),
    };
    let names = FileNames {
        id: ready.record.id().to_owned(),
        attempt: Some(journal.next_attempt(ready.record.id())),
        started: report::timestamp(started.now()),
    };
    let (events, progress) = mpsc::channel();
    let mut job = Job::new(&ready, &mut setup, &mut journal);
    (job.progress, job.stop) = (events, stop.clone());
    let result = args.result.as_deref().map(|path| names.fill("--result", path)).transpose()?;
    if let Err(refusal) = job.may_begin() {
        // The result of the card that was made is not replaced by a refusal to make it again.
        let claim = |path: &PathBuf| ClaimedFile::claim(path, Existing::Refuse, Access::Umask);
        let claimed = result.as_ref().map(claim).transpose();
        let outcome = job.end(&refusal, State::Refused, report);
        let claimed = claimed.map_err(|error| claimed::kept_from_refusal(&error, || out.fault(&error).message));
        return Ok(finish(&outcome, common::program, claimed, &[], out));
    }
    let trace = args.trace.as_deref().map(|path| names.fill("--trace", path)).transpose()?;
    let [record, fulfilment] = keep.names();
    common::distinct(&[record, fulfilment, named[2], ("--trace", trace.as_deref()), ("--result", result.as_deref())])?;
    if let Some(path) = &result {
        result_file.claim(path, existing)?;
    }
    let trace = trace.map(|path| begin_trace(&path, existing, &mut job)).transpose()?;
    keep.write(existing)?;

    // From here on a signal is a request, and the job says what it led to.
    let grace = Duration::from_secs(args.grace.into());
    signals::respond(Response::Stop { stop: stop.clone(), say: signals::say_for_card, grace });
    let quiet = out.is_quiet();
    let screen = std::thread::spawn(move || progress::show(&progress, quiet));
    let asked = job.clock.now();
    let opened = simulated.map_or_else(|| open(args), Ok);
    report.waited(job.clock.now().since(asked));
    let outcome = match opened {
        Ok(transport) => job.run(transport, report),
        Err(CliError::Link(LinkError::Interrupted(interrupted))) => job.end(&interrupted, State::Untouched, report),
        Err(error) => return Err(error),
    };
    // The job has dropped its end, so the screen ends by itself; were it to panic, the result would still be printed.
    let _ = screen.join();
    let silent: Vec<&FaultRule> = rules.iter().filter(|rule| !rule.has_fired()).collect();
    for rule in &silent {
        out.warning(never_fired(rule));
    }
    let code = finish(&outcome, common::program, Ok(result_file.take()), &silent, out);
    if let Some((writer, file)) = trace {
        let broken = writer.lock().is_ok_and(|writer| writer.is_broken());
        match file.finish() {
            Ok(()) if !broken => {}
            Ok(()) => warn("perso: the trace is not complete: its file could not be written"),
            Err(error) => warn(&format!("perso: the trace is not kept: {}", out.fault(&error).message)),
        }
    }
    Ok(code)
}

/// Prints the result, writes it into its file, and gives its exit code. `program` tells of this program; it is asked only for
/// a result that programs read, and after the card has its verdict.
fn finish(
    outcome: &Outcome,
    program: fn() -> ProgramRef,
    file: Result<Option<ClaimedFile>, String>,
    silent: &[&FaultRule],
    out: &mut Out,
) -> u8 {
    let mut result = RunResult { warnings: out.warnings().to_vec(), ..RunResult::from(outcome) };
    // To hash the executable takes longer than all that comes before the first command: people see the verdict first.
    let json = out.is_json();
    if json {
        result.program = program();
    }
    print(outcome.state, &result, out);
    if !json && matches!(file, Ok(Some(_))) {
        result.program = program();
    }
    // The card is what it is, whatever becomes of the files about it: they have no say in the exit code.
    let written = file.and_then(|file| {
        let written = file.map_or(Ok(()), |file| file.write_json(&result));
        written.map_err(|error| out.fault(&error).message)
    });
    if let Err(why) = written {
        warn(&format!("perso: the result is not kept: {why}"));
    }
    match exit::of_job(outcome) {
        // A test whose fault never came has tested nothing.
        0 if !silent.is_empty() => FINDINGS,
        code => code,
    }
}

/// The claimed file of `--result`. A signal that comes before the card is touched writes it too.
#[derive(Clone, Default)]
struct ResultFile(Arc<Mutex<Option<ClaimedFile>>>);

impl ResultFile {
    /// A signal that comes meanwhile waits for the file, unless it is a pipe, which may have no reader.
    fn claim(&self, path: &Path, existing: Existing) -> Result<(), CliError> {
        let claim = || ClaimedFile::claim(path, existing, Access::Umask);
        let pipe = if claimed::is_pipe(path) { Some(claim()?) } else { None };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(pipe.map_or_else(claim, Ok)?);
        Ok(())
    }

    fn take(&self) -> Option<ClaimedFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a signal leads to while no card is touched: the verdict UNTOUCHED, with its result.
fn interrupted(
    args: &RunArgs,
    started: &Clock,
    file: &ResultFile,
    out: &Out,
) -> Box<dyn FnOnce(Interrupted) -> u8 + Send> {
    let (started, file, format) = (started.clone(), file.clone(), out.format());
    let (path, existing, simulated) = (args.result.clone(), args.replace.existing(), args.reader.is_simulated());
    Box::new(move |interrupted| {
        let mut report = Report::new(simulated, &started);
        let state = report.fault(&interrupted, State::Untouched);
        let outcome = report.finish(state, Vec::new(), &common::clock());
        let file = match (file.take(), path) {
            (Some(file), _) => Ok(Some(file)),
            (None, None) => Ok(None),
            (None, Some(path)) if path.to_string_lossy().contains('{') => {
                Err("its name holds the record's id, which is not known yet".to_owned())
            }
            (None, Some(path)) if claimed::is_pipe(&path) => Err("it is a pipe, and may have no reader".to_owned()),
            (None, Some(path)) => ClaimedFile::claim(&path, existing, Access::Umask)
                .map(Some)
                .map_err(|error| FaultRef::of(&error).message),
        };
        finish(&outcome, ProgramRef::unhashed, file, &[], &mut Out::new(format))
    })
}

/// The warning about a fault rule that never fired.
pub(super) fn never_fired(rule: &FaultRule) -> Warning {
    let message = format!("rule {:?} never fired: compare its exchange, DGI or byte with a trace", rule.text());
    Warning::new("--fault", message)
}

fn no_card_from_a_trace() -> CliError {
    let why = "a trace makes no card; `perso trace replay` runs a job against one".into();
    CliError::Option { option: "--reader", why }
}

/// Where the journal is when nobody says it: beside a simulated card's file; with the process where the card is gone
/// with it; in the working folder for real cards.
fn journal_path(args: &RunArgs) -> Option<PathBuf> {
    match (&args.journal, args.reader.place()) {
        (Some(path), _) => Some(path.clone()),
        (None, Place::FreshBlank) => None,
        (None, Place::CardFile(card)) => Some(PathBuf::from(format!("{}.journal", card.display()))),
        (None, Place::Trace(_) | Place::Reader(_)) => {
            Some(args.station_journal.clone().unwrap_or_else(|| PathBuf::from("perso.journal")))
        }
    }
}

fn open(
    args: &RunArgs,
    ready: &Ready,
    keys: &dyn KeyStore,
    faults: Vec<FaultRule>,
    stop: &StopRequest,
) -> Result<Box<dyn Transport>, CliError> {
    let (card, lock) = match args.reader.place() {
        Place::Reader(_) if !faults.is_empty() => {
            return Err(CliError::Option {
                option: "--fault",
                why: "only a simulated card shows faults on demand".into(),
            });
        }
        Place::Reader(_) => return reader::open_until(&args.reader, "the blank", stop),
        Place::Trace(_) => return Err(no_card_from_a_trace()),
        Place::CardFile(path) => reader::claimed_card_file(path)?,
        Place::FreshBlank => {
            let aids = blank::aids(&ready.record);
            let wanted = blank::Wanted { profile: &ready.profile, aids, master: None, serial: None };
            (SimTransport::memory(blank::make(&wanted, keys, &mut common::chance())?), None)
        }
    };
    let card = card.with_faults(faults).approach(args.reader.is_contactless())?;
    Ok(reader::held(reader::limited(card, args.reader.limits())?, lock))
}

pub(super) fn faults(rules: &[String]) -> Result<Vec<FaultRule>, CliError> {
    let mut parsed = Vec::new();
    for rule in rules {
        let text = match rule.strip_prefix('@') {
            Some(path) => common::read_text(Path::new(path))?,
            None => rule.clone(),
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let rule = FaultRule::parse(line)
                .map_err(|error| CliError::Option { option: "--fault", why: format!("{line:?}: {error}") })?;
            parsed.push(rule);
        }
    }
    Ok(parsed)
}

type Traced = (Arc<Mutex<Writer<std::fs::File>>>, ClaimedFile);

/// Begins a job's trace, with the random bytes that the host draws: a replay needs them.
fn begin_trace(path: &Path, existing: Existing, job: &mut Job<'_>) -> Result<Traced, CliError> {
    let full = job.store.keys().iter().all(|key| key.test);
    let access = if full { Access::Owner } else { Access::Umask };
    let file = ClaimedFile::claim(path, existing, access)?;
    let meta = [
        ("program", env!("CARGO_PKG_VERSION").to_owned()),
        ("record", job.record.id().to_owned()),
        ("profile", format!("{} {}", job.plan.profile, hex::encode(job.plan.profile_hash))),
    ];
    let writer = Arc::new(Mutex::new(Writer::new(file.stream()?, full, &meta)));
    let drawn = Arc::clone(&writer);
    let mut source = std::mem::replace(job.chance, Chance::fixed(Vec::new()));
    *job.chance = Chance::new(move |buffer| {
        source.fill(buffer)?;
        if let Ok(mut writer) = drawn.lock() {
            writer.chance(buffer);
        }
        Ok(())
    });
    let kept = Arc::clone(&writer);
    job.recorder = Some(Recorder::new(move |event| {
        if let Ok(mut writer) = writer.lock() {
            writer.event(&event);
        }
    }));
    Ok((kept, file))
}

/// The result for people: the verdict, what to do with the card, and why.
fn print(state: State, result: &RunResult, out: &mut Out) {
    if out.json(result) {
        return;
    }
    let simulated = if result.simulated { " (simulated card)" } else { "" };
    out.state(state, &format!("{simulated}. {}", result.action));
    if let Some(record) = &result.record {
        let pan = record.pan.as_deref().unwrap_or("not stated");
        out.line(format!("Record   {}, PAN {pan}{}", record.id, record.mark()));
    }
    if let Some(chip) = &result.chip {
        out.line(format!("Chip     {}", chip.id));
    }
    if let Some(same) = result.same_card.as_ref().filter(|same| !same.one_card_once) {
        out.line(format!("         note: {}", same.rests_on));
    }
    for channel in &result.channels {
        out.line(format!(
            "Channel  {} to {}, level {}, key version {}, master key {}",
            channel.protocol, channel.aid, channel.level, channel.kvn, channel.master
        ));
        if let Some(note) = &channel.challenge {
            out.line(format!("         note: {note}"));
        }
    }
    if let Some(fault) = &result.fault {
        out.line(format!("Fault    {} [{}]", fault.message, fault.code));
        out.line(format!("         {}", fault.next));
    }
    for finding in &result.findings {
        out.line(format!(
            "Finding  {} {} at {}: {} [{}]",
            finding.tag, finding.name, finding.at, finding.what, finding.code
        ));
    }
    if !result.proven.is_empty() {
        out.line(format!("Proven   {} groupings; --format json lists how each", result.proven.len()));
    }
    for counter in &result.counters {
        let atc = counter.atc.as_deref().unwrap_or("not returned by the card");
        out.line(format!("Counter  {}: {atc}, used to prove the card", counter.aid));
    }
    not_proven(&result.loaded_not_proven, out);
    if let Some(stripe) = &result.stripe {
        out.line(format!("Stripe   {stripe}"));
    }
    for job in &result.feeder {
        out.line(format!("To do    {}, by a feeder or another station: {}", job.kind, job.parts.join(", ")));
    }
    let card: u64 = result.steps.iter().map(|step| step.micros).sum();
    out.line(format!(
        "Took     {} APDUs in {:.1} ms ({:.1} ms on the card)",
        result.steps.len(),
        result.micros as f64 / 1000.0,
        card as f64 / 1000.0
    ));
}
