//! SIGINT, SIGTERM and SIGHUP. No command leaves a half-written file; `run` always ends with a verdict.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::claimed;
use super::common::{CliError, warn};
use crate::base::{Interrupted, StopRequest};

/// What a signal does.
pub enum Response {
    /// Temporary files are removed, and the signal ends the process.
    End,
    /// Temporary files are removed after this was called, and the process ends with the exit code that it gives.
    Verdict(Box<dyn FnOnce(Interrupted) -> u8 + Send>),
    /// The first signal asks to stop, the next one insists. SIGTERM and SIGHUP insist by themselves after the grace time.
    Stop {
        /// The request.
        stop: StopRequest,
        /// What is said when the first signal comes: its name, and its grace time.
        say: fn(&StopRequest, &str, Option<Duration>),
        /// The grace time.
        grace: Duration,
    },
    /// This is called.
    Notify(Box<dyn FnMut() + Send>),
}

static RESPONSE: Mutex<Response> = Mutex::new(Response::End);

/// Starts the thread that receives signals.
///
/// # Errors
/// The system allows no handlers for signals.
pub fn start() -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::Option { option: "(signals)", why: error.to_string() };
    let mut wanted = vec![SIGINT, SIGTERM];
    // `nohup` has a program go on when its terminal is closed.
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted).map_err(failed)?;
    let receive = move || signals.forever().for_each(received);
    std::thread::Builder::new().name("signals".into()).spawn(receive).map(drop).map_err(failed)
}

/// What a signal does from now on.
pub fn respond(response: Response) {
    *current() = response;
}

/// Waits for a verdict that a signal has asked for: the process ends with it, and the command says nothing more.
pub fn wait_for_verdict() {
    drop(current());
}

fn current() -> MutexGuard<'static, Response> {
    RESPONSE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The response stays locked: the command cannot go on to something else while the program ends.
fn received(signal: i32) {
    let mut current = current();
    let name = name(signal);
    match &mut *current {
        Response::End => {
            let _none_is_renamed = claimed::discard_temporary_files();
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        Response::Verdict(_) => {
            if let Response::Verdict(verdict) = std::mem::replace(&mut *current, Response::End) {
                let code = verdict(Interrupted(name.to_owned()));
                let _none_is_renamed = claimed::discard_temporary_files();
                std::process::exit(code.into());
            }
        }
        Response::Stop { stop, say, grace } => {
            if stop.request(name) {
                say(stop, name, Some(*grace).filter(|_| signal != SIGINT));
                if signal != SIGINT {
                    insist_after(stop.clone(), name, *grace);
                }
            } else {
                stop.insist(&format!("a second signal, {name}"));
            }
        }
        Response::Notify(notify) => notify(),
    }
}

fn insist_after(stop: StopRequest, name: &'static str, grace: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(grace);
        stop.insist_if_changed(&format!("{name}: the card was not finished within {} s (--grace)", grace.as_secs()));
    });
}

/// Says what the first signal leads to.
pub fn say_for_card(stop: &StopRequest, name: &str, grace: Option<Duration>) {
    warn(&match (stop.is_committed(), grace) {
        (true, Some(grace)) => format!(
            "perso: {name}: finishing the card within {} s (--grace); then, or at a second signal, the job stops after the \
             command in hand",
            grace.as_secs()
        ),
        (true, None) => format!("perso: {name}: finishing the card; a second signal stops after the command in hand"),
        (false, _) => format!("perso: {name}: stopping before the card is changed"),
    });
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}

/// Whether the process was started with this signal ignored, as Linux says.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal - 1)) != 0
}
