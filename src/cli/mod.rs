//! What the user types and reads. Nothing is decided here: a command is turned into a call, and its answer printed.

mod args;
mod ca;
mod ca_error;
mod calc;
mod card;
mod check;
mod check_files;
mod claimed;
mod common;
pub mod config;
mod custody;
mod demo;
mod doctor;
mod error;
mod error_words;
mod exit;
mod explain;
mod explain_auth;
pub mod file_advice;
mod file_names;
mod init;
mod keys;
mod keys_needed;
mod keys_passphrase;
mod keys_public;
mod ledger;
mod listed_keys;
mod lock;
mod machine;
mod out;
mod paths;
mod plan;
mod pool;
mod preparation_error;
mod prepare;
mod problem;
mod profiles;
mod progress;
mod protect;
mod reader;
mod readers;
mod reading;
mod ready;
mod record;
mod replaced;
mod ring;
mod run;
#[cfg(test)]
mod schemas;
mod screen;
mod serve;
mod signals;
mod sim;
mod stores;
mod token_uri;
mod trace;
mod trust;
mod verify;

pub use doctor::{CheckView, DoctorReport};
pub use readers::{ReaderView, ReadersEvent};

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use serde::Serialize;

use self::args::{Cli, Color, Command, Format, LogLevel};
use self::common::{CliError, Problem, warn};
use self::config::Settings;
use self::out::Out;
use self::screen::harmless;
use crate::base::{Code, Fault};
use crate::issuance::result::FaultRef;
use crate::order::D1Answer;

/// Runs the program. `version` is printed by `--version`.
pub fn main(version: &'static str) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Until the arguments are understood, this is how results and errors are printed.
    let format = if args::wants_json(&arguments) { Format::Json } else { Format::Text };
    // Most runs show no help: its examples and summaries are not made for them.
    let plain = || Cli::command().long_version(version);
    let bare = || args::dressed(plain());
    let mut settings = match Settings::find(&arguments) {
        Ok(settings) => settings,
        // Help, and what explains errors, are there whatever the configuration is.
        Err(error) => match bare().try_get_matches_from(&arguments) {
            Err(shown) if shown.exit_code() == 0 => return usage(&shown, &arguments, &mut Out::new(format)),
            Ok(matches) if matches.subcommand_name() == Some("explain") => Settings::none(),
            _ => {
                let entries = Settings::entry_of_environment(&arguments);
                return ExitCode::from(report(&error, &mut Out::new(format).entries(entries)));
            }
        },
    };
    let mut parse = |command: clap::Command| {
        let matches = settings.apply(command).try_get_matches_from(&arguments)?;
        Ok((Cli::from_arg_matches(&matches)?, matches))
    };
    let (cli, matches) = match parse(plain()).or_else(|_: clap::Error| parse(bare())) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&args::with_tip(error, &arguments), &arguments, &mut Out::new(format)),
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::AlwaysAnsi.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    log_to_standard_error(cli.level());
    let mut out = Out::new(cli.format).quiet(cli.quiet);
    let (command, entries) = settings.entries(&matches);
    out = out.of_command(command, entries);
    if let Err(error) = signals::start() {
        return ExitCode::from(report(&error, &mut out));
    }
    let allowed = match cli.command {
        Command::Config(_) | Command::Explain { .. } => Ok(()),
        _ => settings.allow(&matches),
    };
    if let Err(error) = allowed {
        return ExitCode::from(report(&error, &mut out));
    }
    // What became of a card is told whatever becomes of standard output.
    let makes_card = matches!(cli.command, Command::Run(_));
    let ended = dispatch(cli.command, &settings, &mut out);
    signals::wait_for_verdict();
    let code = ended.unwrap_or_else(|error| report(&error, &mut out));
    drop(claimed::discard_temporary_files());
    match code {
        0 if out.is_lost() && !makes_card => ExitCode::from(Code::OperatorInput.entry().exit),
        code => ExitCode::from(code),
    }
}

/// Help and version as they were asked for; else a usage error, in the shape of all errors if JSON is asked for.
fn usage(error: &clap::Error, arguments: &[OsString], out: &mut Out) -> ExitCode {
    let exit = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
    if error.exit_code() == 0 {
        // The reader of a pipe may close it before the end.
        let _ = error.print();
        return exit;
    }
    let text = error.render().to_string();
    if out.is_json() {
        let fault = FaultRef {
            next: args::usage_of(&text, arguments),
            ..FaultRef::of(&UsageError(args::usage_message(&text)))
        };
        out.json(&Failed { fault, problems: &[], answer: None });
    } else if *harmless(&text.replace('\n', "")) != *text.replace('\n', "") {
        // Clap prints arguments as they came.
        warn(text.trim_end());
    } else {
        let _ = error.print();
    }
    exit
}

/// What was typed is not understood.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

impl Fault for UsageError {
    fn code(&self) -> Code {
        Code::OperatorInput
    }
}

fn dispatch(command: Command, settings: &Settings, out: &mut Out) -> Result<u8, CliError> {
    match command {
        Command::Init(command) => init::run(&command, out),
        Command::Demo => demo::run(out),
        Command::Config(command) => config::run(command, settings, out),
        Command::Run(args) => run::run(&args, out),
        Command::Verify(args) => verify::run(&args, out).or_else(|error| {
            report(&error, out);
            Ok(verify::exit(&error))
        }),
        Command::Check(args) => check::run(&args, out),
        Command::Plan(args) => plan::run(&args, out),
        Command::Record(command) => record::run(&command, out),
        Command::Keys(command) => keys::run(&command, out),
        Command::Ca(command) => ca::run(&command, out),
        Command::Ledger(command) => ledger::run(&command, out),
        Command::Sim(command) => sim::run(&command, out),
        Command::Trace(command) => trace::run(&command, out),
        Command::ExplainAuth(args) => explain_auth::run(&args, out).or_else(|error| {
            report(&error, out);
            let entry = error.code().entry();
            Ok(card::exit_of_looking(entry.exit, entry.family))
        }),
        Command::Readers(args) => readers::run(&args, out),
        Command::Card(command) => card::run(&command, out).or_else(|error| {
            report(&error, out);
            Ok(card::exit(&command, &error))
        }),
        Command::Prepare(args) => prepare::run(&args, out),
        Command::Pool(command) => pool::run(&command, out),
        Command::Calc(command) => calc::run(&command, out),
        Command::Doctor(args) => doctor::run(&args, settings, out),
        Command::Explain { code } => explain::run(&code, out),
    }
}

/// What is printed for a program where a command could not do its work.
#[derive(Serialize, schemars::JsonSchema)]
struct Failed<'a> {
    /// What has happened, and what to do next.
    fault: FaultRef,
    /// Everything that is wrong with an input that was refused.
    problems: &'a [Problem],
    /// What the one who sent a faulty D1 order is answered: its first fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a D1Answer>,
}

fn report(error: &CliError, out: &mut Out) -> u8 {
    let fault = out.fault(error);
    let (problems, answer) = match error {
        CliError::Refused { problems, .. } => (problems.as_slice(), None),
        CliError::Order { problems, answer, .. } => (problems.as_slice(), answer.as_ref()),
        _ => (&[][..], None),
    };
    let entry = error.code().entry();
    if !out.json(&Failed { fault: fault.clone(), problems, answer }) {
        warn(&format!("perso: {}", fault.message));
        for problem in problems {
            warn(&format!("  {}: {} [{}]", problem.path, problem.message, problem.code));
        }
        warn(&format!("{} [{}]", fault.next, fault.code));
    }
    entry.exit
}

fn log_to_standard_error(level: LogLevel) {
    use tracing_subscriber::filter::LevelFilter;
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false).init();
}
