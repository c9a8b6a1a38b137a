//! `perso doctor`: is this machine ready? Looks, and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::{DoctorArgs, PassphraseArgs};
use super::claimed;
use super::common::{self, CliError, Out};
use super::config::Settings;
use super::screen;
use super::token_uri;
use crate::base::Fault;
use crate::base::chance::Instant;
use crate::card::transport::pcsc::Reader;
use crate::card::transport::{LinkError, pcsc};
use crate::issuance::report::timestamp;
use crate::keys::{AnyStore, KeyStore, file};
use crate::profile::Profile;

/// Version of the shape.
const VERSION: u32 = 1;
/// Exit code where there is a problem.
const SET_UP: u8 = 4;
/// Where pcscd listens, unless the environment says otherwise.
const SOCKET: &str = "/run/pcscd/pcscd.comm";
/// This program did not exist before: 2026-01-01, UTC, in microseconds.
const EARLIEST: u64 = 1_767_225_600_000_000;
/// Certificates and expiry dates have two digits for the year, and 50 stands for 1950. // EMV B4 §6.7.3
const LATEST: u64 = 2_524_608_000_000_000;

/// What `perso doctor --format json` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DoctorReport {
    /// Version of this shape: 1.
    pub perso_doctor: u32,
    /// Whether there is no problem. What was skipped is not known to be well.
    pub ok: bool,
    /// The checks, in order.
    pub checks: Vec<CheckView>,
}

/// One check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckView {
    /// What was looked at.
    pub name: String,
    /// `ok`, `problem` or `skipped`.
    pub state: &'static str,
    /// What was seen.
    pub message: String,
    /// What to do about a problem, or to have the check made.
    pub remedy: Option<String>,
}

impl CheckView {
    fn ok(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.into(), state: "ok", message: message.into(), remedy: None }
    }

    fn problem(name: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), state: "problem", message: message.into(), remedy: Some(remedy.into()) }
    }

    fn skipped(name: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), state: "skipped", message: message.into(), remedy: Some(remedy.into()) }
    }
}

/// Makes all checks, and prints.
///
/// # Errors
/// None: what is wrong is what it tells.
pub fn run(args: &DoctorArgs, settings: &Settings, out: &mut Out) -> Result<u8, CliError> {
    let mut checks = service();
    checks.push(CheckView::ok("configuration", settings.sources()));
    checks.push(of_entry(keys(args, out), "keys", out));
    checks.extend(profiles(&args.profiles.profiles).into_iter().map(|check| of_entry(check, "profiles", out)));
    checks.push(clock(common::clock().now(), built()));
    checks.push(of_entry(journal(&args.journal), "journal", out));
    let ok = checks.iter().all(|check| check.state != "problem");
    let report = DoctorReport { perso_doctor: VERSION, ok, checks };
    if !out.json(&report) {
        for check in &report.checks {
            let style = match check.state {
                "ok" => screen::GOOD,
                "problem" => screen::BAD,
                _ => screen::WARNING,
            };
            out.styled(style, check.state, format!("{:<9}{:<15}  {}", check.state, check.name, check.message));
            if let Some(remedy) = &check.remedy {
                out.line(format!("{:<26}→ {remedy}", ""));
            }
        }
    }
    Ok(if ok { 0 } else { SET_UP })
}

/// If the configuration or the environment gave the value, the remedy names that entry.
fn of_entry(check: CheckView, long: &str, out: &Out) -> CheckView {
    match (check.remedy, out.entry(long)) {
        (Some(remedy), Some(entry)) if check.state == "problem" => {
            let advice = entry.advice();
            let advice = advice.trim_end_matches('.').replacen("Correct", "correct", 1);
            let names_option = remedy.contains(&format!("--{long}"));
            let remedy = if names_option { advice } else { format!("{}; or {advice}", remedy.trim_end_matches('.')) };
            CheckView { remedy: Some(remedy), ..check }
        }
        (remedy, _) => CheckView { remedy, ..check },
    }
}

/// PC/SC library, service, rights, readers.
fn service() -> Vec<CheckView> {
    if !pcsc::BUILT {
        let remedy = "build it with the cargo feature `pcsc` for real readers; the simulated card works without";
        return vec![CheckView::skipped("PC/SC library", "this program was built without it", remedy)];
    }
    // It is linked: where it were missing, the program would not have started.
    let library = CheckView::ok("PC/SC library", "there");
    match pcsc::readers() {
        Ok(found) => {
            let mut checks = vec![
                library,
                CheckView::ok("PC/SC service", "it answers"),
                CheckView::ok("rights", "this user may use the service"),
            ];
            checks.extend(readers(&found));
            checks
        }
        Err(error) => {
            let skipped = CheckView::skipped("readers", "the service cannot be asked", "see the service");
            let mut checks = vec![library];
            checks.extend(silent(&error, &socket_path()));
            checks.push(skipped);
            checks
        }
    }
}

fn socket_path() -> std::path::PathBuf {
    std::env::var_os("PCSCLITE_CSOCK_NAME").map_or_else(|| SOCKET.into(), Into::into)
}

/// Why the service does not answer: not installed, not running, or not for this user.
fn silent(error: &LinkError, socket: &Path) -> [CheckView; 2] {
    let rights = |remedy| CheckView::skipped("rights", "the service does not answer", remedy);
    let failed = |remedy: &str| CheckView::problem("PC/SC service", error.to_string(), remedy);
    match reached(socket) {
        Err(std::io::ErrorKind::PermissionDenied) => [
            CheckView::ok("PC/SC service", format!("its socket {} is there", socket.display())),
            CheckView::problem(
                "rights",
                format!("this user may not use {}", socket.display()),
                "have the user added to the group that owns the socket, or a polkit rule for org.debian.pcsc-lite",
            ),
        ],
        Err(std::io::ErrorKind::NotFound) => [
            failed(
                "start the PC/SC service: `systemctl start pcscd.socket`; if it is not installed, `apt-get install pcscd`",
            ),
            rights("start the service"),
        ],
        Err(_) => [
            failed("its socket is stale: restart the PC/SC service, `systemctl restart pcscd.socket`"),
            rights("start the service"),
        ],
        Ok(()) => [
            CheckView::ok("PC/SC service", format!("its socket {} is there", socket.display())),
            CheckView::problem(
                "rights",
                error.to_string(),
                "a polkit rule may keep this user out: allow org.debian.pcsc-lite.access_pcsc",
            ),
        ],
    }
}

#[cfg(unix)]
fn reached(socket: &Path) -> Result<(), std::io::ErrorKind> {
    std::os::unix::net::UnixStream::connect(socket).map(drop).map_err(|error| error.kind())
}

#[cfg(not(unix))]
fn reached(_socket: &Path) -> Result<(), std::io::ErrorKind> {
    Err(std::io::ErrorKind::Unsupported)
}

fn readers(found: &[Reader]) -> Vec<CheckView> {
    if found.is_empty() {
        let remedy = "plug a reader in, and install its driver (`apt-get install libccid`)";
        return vec![CheckView::problem("readers", "the service knows no reader", remedy)];
    }
    found.iter().map(reader).collect()
}

fn reader(reader: &Reader) -> CheckView {
    let name = format!("{:?}", reader.name);
    match (reader.mute, reader.exclusive, reader.card_present) {
        (true, ..) => CheckView::problem(
            "reader",
            format!("{name}: the card in it does not answer to reset"),
            "turn the card over or take another; plug the reader in again",
        ),
        (_, true, _) => CheckView::problem(
            "reader",
            format!("{name}: another program has its card to itself"),
            "close the other program (gpg-agent's scdaemon and browsers take cards)",
        ),
        (_, _, true) => CheckView::ok("reader", format!("{name}, with a card")),
        (_, _, false) => CheckView::ok("reader", format!("{name}, empty")),
    }
}

fn keys(args: &DoctorArgs, out: &mut Out) -> CheckView {
    let Some(path) = &args.keys else {
        return CheckView::skipped("key file", "none was named", "name it with --keys");
    };
    let wrong = |error: &dyn Fault| CheckView::problem("key file", error.to_string(), error.next());
    if token_uri::is_token(path) {
        return token(path, args, out);
    }
    let bytes = match common::read(path).map(zeroize::Zeroizing::new) {
        Ok(bytes) => bytes,
        Err(error) => return CheckView::problem("key file", whole(&error), "name the right file with --keys"),
    };
    let sealed = match file::is_sealed(&bytes) {
        Ok(sealed) => sealed,
        Err(error) => return wrong(&error),
    };
    if sealed && let Some(why) = open_to_others(path) {
        return CheckView::problem("key file", why, format!("chmod 600 {}", path.display()));
    }
    let PassphraseArgs { passphrase_file, passphrase_fd, .. } = &args.passphrase;
    if sealed && passphrase_file.is_none() && passphrase_fd.is_none() {
        return CheckView::skipped(
            "key file",
            format!("{} is sealed", path.display()),
            "name --passphrase-file to have it opened",
        );
    }
    let store = match common::keys(path, &args.passphrase, out) {
        Ok(store) => store,
        Err(error) => return wrong(&error),
    };
    match store.open_each() {
        Ok(()) => CheckView::ok("key file", told(path, sealed, &store)),
        Err(error) => wrong(&error),
    }
}

/// Opened only where its PIN is at hand: nobody waits for an answer here, and a wrong one counts.
fn token(uri: &Path, args: &DoctorArgs, out: &mut Out) -> CheckView {
    let PassphraseArgs { passphrase_file, passphrase_fd, .. } = &args.passphrase;
    if passphrase_file.is_none() && passphrase_fd.is_none() {
        let why = format!("{} needs its PIN", uri.display());
        return CheckView::skipped("key file", why, "name --passphrase-file to have it opened");
    }
    let opened = common::keys(uri, &args.passphrase, out).and_then(|store| {
        store.open_each()?;
        Ok(store.keys().len())
    });
    match opened {
        Ok(count) => CheckView::ok("key file", format!("{}: {count} keys; every check value fits", uri.display())),
        Err(error) => CheckView::problem("key file", error.to_string(), error.next()),
    }
}

fn told(path: &Path, sealed: bool, store: &AnyStore) -> String {
    let live = store.keys().iter().filter(|key| !key.test).count();
    let seal = if sealed { "sealed" } else { "unsealed" };
    format!("{}: {seal}, {} keys, {live} of them live; every check value fits", path.display(), store.keys().len())
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| format!("{} can be used by others than its owner (mode {mode:o})", path.display()))
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> Option<String> {
    None
}

fn profiles(folder: &Path) -> Vec<CheckView> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("folder {}: {error}", folder.display());
            return vec![CheckView::problem("profiles", message, "name the folder of profiles with --profiles")];
        }
    };
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let (mut names, mut checks) = (BTreeMap::<String, usize>::new(), Vec::new());
    for path in &paths {
        let parsed = common::read_text(path)
            .map_err(|error| whole(&error))
            .and_then(|text| Profile::parse(&text).map_err(|problems| format!("{} problems", problems.len())));
        match parsed {
            Ok(profile) => *names.entry(profile.name().to_owned()).or_default() += 1,
            Err(why) => checks.push(CheckView::problem(
                "profile",
                format!("{}: {why}", path.display()),
                format!("perso check {}", path.display()),
            )),
        }
    }
    for (name, _) in names.iter().filter(|(_, count)| **count > 1) {
        let message = format!("several files in {} are named {name:?}", folder.display());
        checks.push(CheckView::problem("profile", message, "leave one of them; a record names its profile by name"));
    }
    if paths.is_empty() {
        let message = format!("{} holds no profile (*.toml)", folder.display());
        checks.push(CheckView::problem("profiles", message, "name the folder of profiles with --profiles"));
    } else if checks.is_empty() {
        checks.push(CheckView::ok("profiles", format!("{} in {}", names.len(), folder.display())));
    }
    checks
}

/// When this program's file was written: the clock cannot be before that.
fn built() -> Option<u64> {
    let written = std::env::current_exe().and_then(std::fs::metadata).and_then(|data| data.modified()).ok()?;
    let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_micros()).ok()
}

fn clock(now: Instant, built: Option<u64>) -> CheckView {
    let earliest = built.unwrap_or(EARLIEST).clamp(EARLIEST, LATEST);
    let shown = timestamp(now);
    if (earliest..LATEST).contains(&now.0) {
        return CheckView::ok("clock", shown);
    }
    let message = format!("{shown} cannot be: this program was made at {}", timestamp(Instant(earliest)));
    CheckView::problem("clock", message, "set the clock: `timedatectl set-ntp true`, or `date --set`")
}

/// Looks at rights only: a file that was made to try would be a change.
fn journal(path: &Path) -> CheckView {
    let named = |what: &str| format!("{}: {what}", path.display());
    let remedy = "name a journal in a folder of yours with --journal, or have the rights corrected";
    if path.exists() {
        return match std::fs::OpenOptions::new().append(true).open(path) {
            Ok(_) => CheckView::ok("journal", named("there, and can be written")),
            Err(error) => CheckView::problem("journal", named(&error.to_string()), remedy),
        };
    }
    let folder = claimed::folder(path);
    match writable(folder) {
        Ok(()) => CheckView::ok("journal", named("not there yet, its folder can be written")),
        Err(error) => CheckView::problem("journal", format!("folder {}: {error}", folder.display()), remedy),
    }
}

#[cfg(unix)]
fn writable(folder: &Path) -> std::io::Result<()> {
    use rustix::fs::Access;
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(std::io::ErrorKind::NotADirectory.into());
    }
    Ok(rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(not(unix))]
fn writable(folder: &Path) -> std::io::Result<()> {
    let read_only = std::fs::metadata(folder)?.permissions().readonly();
    if read_only { Err(std::io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}

/// An error with its cause.
fn whole(error: &CliError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_program_or_after_the_century_is_wrong() {
        let state = |now, built| clock(Instant(now), built).state;
        assert_eq!(state(EARLIEST, None), "ok");
        assert_eq!(state(0, None), "problem");
        assert_eq!(state(EARLIEST, Some(EARLIEST + 1)), "problem");
        assert_eq!(state(LATEST, None), "problem");
        // A file from before the program cannot make the clock right.
        assert_eq!(state(EARLIEST - 1, Some(0)), "problem");
    }

    #[test]
    fn readers_are_told_with_what_is_in_their_way() {
        let reader = |mute, exclusive| Reader { name: "R".into(), card_present: true, exclusive, mute, atr: None };
        let states: Vec<&str> = readers(&[reader(false, false), reader(true, false), reader(false, true)])
            .iter()
            .map(|check| check.state)
            .collect();
        assert_eq!(states, ["ok", "problem", "problem"]);
        assert_eq!(readers(&[]).first().map(|check| check.state), Some("problem"));
    }

    #[cfg(unix)]
    #[test]
    #[allow(clippy::unwrap_used)]
    fn a_silent_service_is_told_apart_by_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("pcscd.comm");
        let error = LinkError::Service("none".into());
        let states = |socket: &Path| silent(&error, socket).map(|check| check.state);
        assert_eq!(states(&socket), ["problem", "skipped"]);
        let listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(states(&socket), ["ok", "problem"]);
        drop(listening);
        let stale = silent(&error, &socket);
        assert!(stale.iter().any(|check| check.remedy.as_ref().is_some_and(|remedy| remedy.contains("stale"))));
    }
}
