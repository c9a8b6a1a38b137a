//! `perso run`: one record, one card, one verdict.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use super::args::RunArgs;
use super::ca;
use super::common::{self, CliError, Out, Problem, warn};
use super::prepare::{Preparation, ready_from};
use super::progress;
use super::reader::{self, Place};
use super::ready::Ready;
use super::verify::not_proven;
use crate::base::emv::rules::Stage;
use crate::base::{Chance, Clock, Code, Warning};
use crate::card::Recorder;
use crate::card::sim::{FaultRule, SimTransport};
use crate::card::trace::Writer;
use crate::card::transport::Transport;
use crate::issuance::blank;
use crate::issuance::check;
use crate::issuance::job::Job;
use crate::issuance::journal::Journal;
use crate::issuance::report::{self, Report};
use crate::issuance::result::{FaultRef, ProgramRef, RunResult};
use crate::issuance::state::State;
use crate::keys::KeyStore;

/// Exit code of findings.
const FINDINGS: u8 = 10;

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
    let (result, trace, journal) = (args.result.as_deref(), args.trace.as_deref(), journal_path(args));
    let (record, jobs) = (args.keep.record.as_deref(), args.preparation.jobs.as_deref());
    let kept = [("--record", record), ("--jobs", jobs)];
    let written = [("--journal", journal.as_deref()), ("--trace", trace), ("--result", result)];
    common::distinct(&[&kept[..], &written].concat())?;
    let ca_keys = args.ca_keys.as_deref().map(ca::ca_keys).transpose()?;
    let minimum_level = Some(args.level.minimum_level);
    let preparation = Preparation { from: &args.preparation, ca_keys: ca_keys.as_ref(), minimum_level };
    let ready = ready_from(&args.record, &args.sources, &preparation, &args.keep, out)?;
    check::unprotected(&ready.profile).into_iter().for_each(|warning| out.warning(warning));
    let mut report = Report::new(ProgramRef::unhashed(), args.reader.is_simulated(), &started);
    report.subject(&ready.record, &ready.plan, &ready.store);
    let outcomes = check::rules(Stage::Run, &ready.record, Some(&ready.profile), report::day(clock.now()));
    report.rules(&outcomes);
    ready.record.warnings(&outcomes).into_iter().for_each(|warning| out.warning(warning));
    let refusals = check::refusals(&outcomes);
    if !refusals.is_empty() {
        let problems = refusals.into_iter().map(|it| Problem::new(it.path, it.code, it.message)).collect();
        return Err(CliError::Refused { what: common::shown(&args.record), problems });
    }

    // All that can fail for reasons of its own fails before a card is asked for.
    let rules = faults(&args.fault)?;
    let result_file = result.map(common::create).transpose()?;
    let mut chance = common::chance();
    // A simulated card is there or is not: a mistyped name leaves no journal behind. Its serial number is no part of the
    // job, and so not of its trace.
    let open = |args: &RunArgs| open(args, &ready, rules.clone(), &mut common::chance());
    let simulated = args.reader.is_simulated().then(|| open(args)).transpose()?;
    let mut journal = match journal {
        Some(path) => Journal::open(&path)?,
        None => Journal::in_memory(),
    };
    let (recorder, traced) =
        args.trace.as_deref().map(|path| begin_trace(path, &ready, &mut chance)).transpose()?.unzip();
    let asked = clock.now();
    let transport = simulated.map_or_else(|| open(args), Ok)?;
    report.waited(clock.now().since(asked));

    let (events, progress) = mpsc::channel();
    let quiet = out.is_quiet();
    let screen = std::thread::spawn(move || progress::show(&progress, quiet));
    let job = Job {
        record: &ready.record,
        profile: &ready.profile,
        plan: &ready.plan,
        store: &ready.store,
        ca_keys: ca_keys.as_ref(),
        journal: &mut journal,
        clock,
        chance: &mut chance,
        progress: events,
        recorder,
    };
    // While the card works: to hash the executable takes longer than all that comes before.
    let program = common::program_meanwhile();
    let mut result = job.run(transport, report);
    result.program = program();
    // The job has dropped its end, so the screen ends by itself; were it to panic, the result would still be printed.
    let _ = screen.join();
    let silent: Vec<&FaultRule> = rules.iter().filter(|rule| !rule.has_fired()).collect();
    for rule in &silent {
        out.warning(never_fired(rule));
    }
    result.warnings = out.warnings().to_vec();

    print(&result, out);
    // The card is what it is, whatever becomes of the files about it: they have no say in the exit code.
    if let Some(Err(error)) = result_file.map(|file| file.write(&result)) {
        warn(&format!("perso: the result is not kept: {}", FaultRef::of(&error).message));
    }
    if traced.is_some_and(|writer| writer.lock().is_ok_and(|writer| writer.is_broken())) {
        warn("perso: the trace is not complete: its file could not be written");
    }
    Ok(match exit_code(&result) {
        // A test whose fault never came has tested nothing.
        0 if !silent.is_empty() => FINDINGS,
        code => code,
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
    faults: Vec<FaultRule>,
    chance: &mut Chance,
) -> Result<Box<dyn Transport>, CliError> {
    let card = match args.reader.place() {
        Place::Reader(_) if !faults.is_empty() => {
            return Err(CliError::Option {
                option: "--fault",
                why: "only a simulated card shows faults on demand".into(),
            });
        }
        Place::Reader(_) => return reader::open(&args.reader, "the blank"),
        Place::Trace(_) => return Err(no_card_from_a_trace()),
        Place::CardFile(path) => SimTransport::file(path)?,
        Place::FreshBlank => SimTransport::memory(blank::make(
            &blank::Wanted { profile: &ready.profile, aids: blank::aids(&ready.record), master: None, serial: None },
            &ready.store,
            chance,
        )?),
    };
    let card = card.with_faults(faults).approach(args.reader.is_contactless())?;
    Ok(reader::limited(card, args.reader.limits())?)
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

type Traced = Arc<Mutex<Writer<std::fs::File>>>;

/// Begins a trace, and has the randomness that the host draws written into it: a replay needs it.
fn begin_trace(path: &Path, ready: &Ready, chance: &mut Chance) -> Result<(Recorder, Traced), CliError> {
    let full = ready.store.keys().iter().all(|key| key.test);
    let file = common::create(path)?;
    let meta = [
        ("program", env!("CARGO_PKG_VERSION").to_owned()),
        ("record", ready.record.id().to_owned()),
        ("profile", format!("{} {}", ready.plan.profile, hex::encode(ready.plan.profile_hash))),
    ];
    let writer = Arc::new(Mutex::new(Writer::new(file.into_file(), full, &meta)));
    let drawn = Arc::clone(&writer);
    let mut source = std::mem::replace(chance, Chance::fixed(Vec::new()));
    *chance = Chance::new(move |buffer| {
        source.fill(buffer)?;
        if let Ok(mut writer) = drawn.lock() {
            writer.chance(buffer);
        }
        Ok(())
    });
    let kept = Arc::clone(&writer);
    let recorder = Recorder::new(move |event| {
        if let Ok(mut writer) = writer.lock() {
            writer.event(&event);
        }
    });
    Ok((recorder, kept))
}

/// The result for people: the verdict, what to do with the card, and why.
pub fn print(result: &RunResult, out: &mut Out) {
    if out.json(result) {
        return;
    }
    let state = State::find(&result.state).unwrap_or(State::InDoubt);
    let simulated = if result.simulated { " (simulated card)" } else { "" };
    out.state(state, &format!("{simulated}. {}", result.action));
    if let Some(record) = &result.record {
        let pan = record.pan.as_deref().unwrap_or("not stated");
        out.line(format!("Record   {}, PAN {pan}{}", record.id, record.mark()));
    }
    if let Some(chip) = &result.chip {
        out.line(format!("Chip     {}", chip.id));
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
        let atc = counter.atc.as_deref().unwrap_or("not told by the card");
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

/// Exit codes are part of the contract.
pub fn exit_code(result: &RunResult) -> u8 {
    let of_fault = || result.fault.as_ref().and_then(|fault| Code::find(&fault.code)).map(|code| code.entry().exit);
    match State::find(&result.state) {
        Some(State::Good) => 0,
        Some(State::Untouched) => match of_fault() {
            // The journal's own faults have a code of their own, as long as no card was touched.
            Some(9) => 9,
            _ => 6,
        },
        Some(State::Spoiled) => 7,
        Some(State::InDoubt) | None => 8,
        Some(State::Refused) => of_fault().unwrap_or(3),
    }
}
