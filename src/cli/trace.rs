//! `perso trace`: explaining traces, and running the host against one.

use std::sync::atomic::Ordering;

use super::args::TraceCommand;
use super::ca;
use super::common::{self, CliError, Out};
use super::exit::FINDINGS;
use super::reader;
use super::ready::ready;
use crate::base::{Chance, Code};
use crate::card::transport::Replay;
use crate::issuance::job::Job;
use crate::issuance::journal::Journal;
use crate::issuance::report::Report;
use crate::issuance::result::RunResult;
use crate::keys::KeyStore;

/// Shows or replays.
///
/// # Errors
/// The trace, or what it is replayed with, cannot be used.
pub fn run(command: &TraceCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        TraceCommand::Show { trace, keys, passphrase } => {
            let trace = reader::trace(trace)?;
            let store = keys.as_deref().map(|keys| common::keys(keys, passphrase, out)).transpose()?;
            let view = trace.view(store.as_ref().map(|store| store as &dyn KeyStore));
            if !out.json(&view) {
                view.about.iter().for_each(|about| out.line(format!("{}: {}", about.key, about.value)));
                view.lines().iter().for_each(|line| out.line(line));
            }
            Ok(0)
        }
        TraceCommand::Replay { trace, record, ca_keys, sources, level } => {
            let ca_keys = ca_keys.as_deref().map(ca::ca_keys).transpose()?;
            let trace = reader::trace(trace)?;
            let (mut setup, ready) = ready(record, sources, Some(level.minimum_level), out)?;
            (setup.ca_keys, setup.chance) = (ca_keys, Chance::fixed(trace.chance()));
            let mut report = Report::new(true, &setup.clock);
            report.subject(&ready.record, &ready.plan, &*setup.keys);
            // A replay makes no card, so it leaves no mark.
            let mut journal = Journal::in_memory();
            let job = Job::new(&ready, &mut setup, &mut journal);
            let replay = Replay::new(&trace);
            let left = replay.left();
            let outcome = job.run(Box::new(replay), report);
            let differs = outcome.fault.as_ref().is_some_and(|fault| fault.code == Code::ReplayDiffers);
            let mut result = RunResult { program: common::program(), ..RunResult::from(&outcome) };
            of_replay(&mut result);
            if !out.json(&result) {
                print(&result, out);
            }
            let left = left.load(Ordering::Relaxed);
            let verdict = match (differs, left) {
                (true, _) => "The replay differs from the trace.".to_owned(),
                (false, 0) => "The replay equals the trace.".to_owned(),
                (false, left) => format!("The replay differs: the host has ended, the trace holds {left} lines more."),
            };
            out.aside(&verdict);
            Ok(if differs || left > 0 { FINDINGS } else { 0 })
        }
    }
}

/// There is no card in a replay: nothing is said of what to do with one.
fn of_replay(result: &mut RunResult) {
    result.action = "Replay: no card was used.".into();
    result.feeder.clear();
    if let Some(fault) = &mut result.fault {
        fault.message = format!("in the trace: {}", fault.message);
        fault.next = "Compare the trace with record, profile and keys; `perso trace show` explains its lines.".into();
    }
}

fn print(result: &RunResult, out: &mut Out) {
    out.line(format!("Replay   the job ends {}. {}", result.state, result.action));
    if let Some(record) = &result.record {
        let pan = record.pan.as_deref().unwrap_or("not stated");
        out.line(format!("Record   {}, PAN {pan}{}", record.id, record.mark()));
    }
    for channel in &result.channels {
        out.line(format!(
            "Channel  {} to {}, level {}, key version {}, master key {}",
            channel.protocol, channel.aid, channel.level, channel.kvn, channel.master
        ));
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
    let exchanges = if result.steps.len() == 1 { "exchange" } else { "exchanges" };
    out.line(format!("Took     {} {exchanges} of the trace", result.steps.len()));
}
