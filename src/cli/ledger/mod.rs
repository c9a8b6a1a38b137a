//! `perso ledger …`: the ledger made, listed, shown and checked.

mod acts;
pub(super) mod view;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::view::{CheckView, JobLine, LedgerView, ListView, OrderLine, ShowView};
use super::args::{LedgerArgs, LedgerCommand, LedgerListArgs, LedgerShowArgs};
use super::common::{CliError, Out};
use super::machine;
use crate::ledger::{Bounded, DEADLINE, Difference, JobState, LedgerStore, OrderId, OrderState, Query, SqliteStore};

/// Exit code of findings.
const FINDINGS: u8 = 10;
/// Fewest digits that name an order.
const FEWEST_DIGITS: usize = 4;
/// Orders that are listed if digits name several.
const NAMED: usize = 5;

/// Runs a command.
///
/// # Errors
/// No ledger is named, or it cannot be used.
pub fn run(command: &LedgerCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        LedgerCommand::Init { file, ledger } => init(file.as_deref(), ledger, out),
        LedgerCommand::List(args) => list(args, out),
        LedgerCommand::Show(args) => show(args, out),
        LedgerCommand::Check { ledger } => check(ledger, out),
        LedgerCommand::Act(command) => acts::run(command, out),
    }
}

fn init(file: Option<&Path>, args: &LedgerArgs, out: &mut Out) -> Result<u8, CliError> {
    let path = match file {
        Some(path) => path.to_owned(),
        None => named(args)?,
    };
    let facts = SqliteStore::create_test(&path, machine::origin(), &mut machine::ports(patience(args)))?;
    let shown = path.display().to_string();
    if !out.json(&LedgerView::new(&shown, facts)) {
        out.line(format!(
            "Made a test ledger in {shown}. Its identity key is in the file: live keys are refused with it."
        ));
        out.line("Name it with --ledger, PERSO_LEDGER, or as ledger.file in perso.toml.");
    }
    Ok(0)
}

fn list(args: &LedgerListArgs, out: &mut Out) -> Result<u8, CliError> {
    let mut store = open(&args.ledger)?;
    let (from, until) = match &args.day {
        Some(day) => day_of(day)?,
        None => (None, None),
    };
    let view = if args.jobs {
        let states =
            states(&args.state, JobState::find, &JobState::ALL.iter().map(|it| it.name()).collect::<Vec<_>>())?;
        let query = Query { states, held: false, station: args.station.clone(), from, until, limit: args.limit };
        let jobs = store.jobs(&query)?;
        ListView::Jobs { jobs: jobs.iter().map(JobLine::of).collect() }
    } else {
        let all = OrderState::ALL.iter().map(|it| it.name()).collect::<Vec<_>>();
        let states = states(&args.state, OrderState::find, &all)?;
        let query = Query { states, held: args.held, station: None, from, until, limit: args.limit };
        let orders = store.orders(&query)?;
        ListView::Orders { orders: orders.iter().map(OrderLine::of).collect() }
    };
    if args.csv {
        out.raw(&view.csv());
    } else if !out.json(&view) {
        view.print(out);
    }
    Ok(0)
}

fn show(args: &LedgerShowArgs, out: &mut Out) -> Result<u8, CliError> {
    let mut store = open(&args.ledger)?;
    let (order, _) = find(store.as_mut(), &args.order)?;
    let missing = || CliError::LedgerName { text: args.order.clone(), why: "is not in the ledger".into() };
    let row = store.order(&order)?.ok_or_else(missing)?;
    let jobs = store.jobs_of(&order)?;
    let events = store.events(0, Some(&order), usize::MAX)?;
    let view = ShowView::new(&row, &jobs, &events);
    if args.csv {
        out.raw(&view.csv());
    } else if !out.json(&view) {
        view.print(out);
    }
    Ok(0)
}

fn check(args: &LedgerArgs, out: &mut Out) -> Result<u8, CliError> {
    // Reads every event: no deadline.
    let mut store = SqliteStore::open(&named(args)?, machine::ports(patience(args)))?;
    let found = store.verify()?;
    let words = found.iter().map(|difference| match difference {
        Difference::Row(what) => what.clone(),
        Difference::Rule(breach) => format!("{:?}: {}", breach.invariant, breach.what),
    });
    let view = CheckView::new(words.collect());
    if !out.json(&view) {
        view.print(out);
    }
    Ok(if found.is_empty() { 0 } else { FINDINGS })
}

/// The ledger's file.
fn named(args: &LedgerArgs) -> Result<PathBuf, CliError> {
    args.ledger.clone().ok_or(CliError::NoLedger)
}

fn patience(args: &LedgerArgs) -> Duration {
    Duration::from_secs(args.wait.into())
}

/// The ledger, each of its calls with a deadline.
fn open(args: &LedgerArgs) -> Result<Box<dyn LedgerStore>, CliError> {
    let path = named(args)?;
    let store = SqliteStore::open(&path, machine::ports(patience(args)))?;
    let deadline = DEADLINE + patience(args);
    Ok(Box::new(Bounded::new(Box::new(store), &path.display().to_string(), deadline)))
}

/// The order that digits or a job name, and the number of the attempt if it is a job.
fn find(store: &mut dyn LedgerStore, text: &str) -> Result<(OrderId, Option<u32>), CliError> {
    let named = |why: String| CliError::LedgerName { text: text.to_owned(), why };
    let (digits, attempt) = match text.split_once('-').map(|(digits, attempt)| (digits, attempt.parse::<u32>())) {
        Some((digits, Ok(attempt))) => (digits, Some(attempt)),
        Some(_) => return Err(named("is neither an order nor a job".into())),
        None => (text, None),
    };
    let digits = digits.to_ascii_lowercase();
    if digits.len() < FEWEST_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(named(format!("must be at least {FEWEST_DIGITS} hexadecimal digits, or a job")));
    }
    let found = store.find(&digits, NAMED)?;
    match found.as_slice() {
        [] => Err(named("is not in the ledger".into())),
        [order] => Ok((*order, attempt)),
        several => {
            let longer = |order: &OrderId| order.to_string().chars().take(digits.len() + 8).collect::<String>();
            let short: Vec<String> = several.iter().map(longer).collect();
            Err(named(format!("names several orders: {}", short.join(", "))))
        }
    }
}

/// States by their names.
fn states<S>(names: &[String], find: fn(&str) -> Option<S>, all: &[&str]) -> Result<Vec<S>, CliError> {
    let state = |name: &String| {
        let why =
            || format!("must be one of {}{}", all.join(", "), crate::base::suggest::hint(name, all.iter().copied()));
        find(name).ok_or_else(|| CliError::Option { option: "--state", why: why() })
    };
    names.iter().map(state).collect()
}

/// A day of UTC in microseconds: its begin, and that of the next one.
fn day_of(day: &str) -> Result<(Option<u64>, Option<u64>), CliError> {
    let begin = day.parse::<jiff::civil::Date>().ok().and_then(|date| {
        let midnight = |date: jiff::civil::Date| {
            let moment: jiff::Timestamp = format!("{date}T00:00:00Z").parse().ok()?;
            u64::try_from(moment.as_microsecond()).ok()
        };
        Some((midnight(date)?, midnight(date.tomorrow().ok()?)?))
    });
    match begin {
        Some((begin, end)) => Ok((Some(begin), Some(end))),
        None => Err(CliError::Option { option: "--day", why: format!("{day:?} is not a day as 2026-01-31") }),
    }
}
