//! `perso trace`: explaining traces, and running the host against one.

use std::sync::atomic::Ordering;
use std::sync::mpsc;

use super::args::TraceCommand;
use super::ca;
use super::common::{self, CliError, Out};
use super::ready::ready;
use super::{reader, run};
use crate::base::Chance;
use crate::card::transport::Replay;
use crate::issuance::job::Job;
use crate::issuance::journal::Journal;
use crate::issuance::report::Report;
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
        TraceCommand::Replay { trace, record, ca_keys, sources } => {
            let ca_keys = ca_keys.as_deref().map(ca::ca_keys).transpose()?;
            let trace = reader::trace(trace)?;
            let ready = ready(record, sources, out)?;
            let clock = common::clock();
            let mut report = Report::new(common::program(), true, &clock);
            report.subject(&ready.record, &ready.plan, &ready.store);
            let (told, _nobody) = mpsc::channel();
            let mut chance = Chance::fixed(trace.chance());
            let job = Job {
                record: &ready.record,
                profile: &ready.profile,
                plan: &ready.plan,
                store: &ready.store,
                ca_keys: ca_keys.as_ref(),
                // A replay makes no card, so it leaves no mark.
                journal: &mut Journal::in_memory(),
                clock,
                chance: &mut chance,
                progress: told,
                recorder: None,
            };
            let replay = Replay::new(&trace);
            let left = replay.left();
            let result = job.run(Box::new(replay), report);
            let differs = result.fault.as_ref().is_some_and(|fault| fault.code == "REPLAY-DIFFERS");
            run::print(&result, out);
            let left = left.load(Ordering::Relaxed);
            let verdict = match (differs, left) {
                (true, _) => "The replay differs from the trace.".to_owned(),
                (false, 0) => "The replay equals the trace.".to_owned(),
                (false, left) => format!("The replay differs: the host has ended, the trace holds {left} lines more."),
            };
            out.aside(&verdict);
            Ok(if differs || left > 0 { 10 } else { 0 })
        }
    }
}
