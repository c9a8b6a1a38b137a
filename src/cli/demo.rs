//! `perso demo`: an order becomes a card, and the power fails during another one. Each step is a command of this program, on
//! simulated cards, in a folder that is removed at the end.

use std::process::{Command, Output, Stdio};

use serde::Serialize;

use super::common::{self, CliError, Out, warn};
use super::init::NewFolder;

/// Exit code if a step does not end as it must: a fault of this program.
const FAULT: u8 = 1;
const LAB: &str = "lab";

/// A step.
struct Step {
    /// What happens, in words.
    about: &'static str,
    command: &'static [&'static str],
    /// The exit code with which it must end.
    exit: u8,
    /// How many lines of its output are shown.
    lines: usize,
}

const fn step(about: &'static str, command: &'static [&'static str], exit: u8, lines: usize) -> Step {
    Step { about, command, exit, lines }
}

const STEPS: &[Step] = &[
    step(
        "A laboratory: a product, its test keys, a test CA, and orders that are encrypted for its keys.",
        &["init", "lab", LAB],
        0,
        2,
    ),
    step(
        "An order. Its card data is encrypted, its PIN is in a block under a zone key; what is shown is masked.",
        &["check", "orders/own.json"],
        0,
        2,
    ),
    step(
        "Data preparation: card keys, certificates, PIN and tracks become a sealed record.",
        &["prepare", "orders/own.json", "-o", "own.record.json"],
        0,
        2,
    ),
    step(
        "A blank as the card maker delivers it: a simulated card in a file.",
        &["sim", "new", "my-card", "--record", "own.record.json", "-o", "card.json"],
        0,
        1,
    ),
    step(
        "The card: a secure channel, the application's data, then everything is read back and proven.",
        &["run", "own.record.json", "--reader", "sim:card.json"],
        0,
        3,
    ),
    step(
        "The same record again: one record, one card.",
        &["run", "own.record.json", "--reader", "sim:card.json"],
        9,
        4,
    ),
    step(
        "Another order: a reissue in another format.",
        &["prepare", "orders/pismo.json", "-o", "pismo.record.json"],
        0,
        2,
    ),
    step("Its blank.", &["sim", "new", "my-card", "--record", "pismo.record.json", "-o", "second.json"], 0, 1),
    step(
        "The power fails during the twelfth exchange: the card was changed, and is not finished.",
        &["run", "pismo.record.json", "--reader", "sim:second.json", "--fault", "cut after 12"],
        7,
        6,
    ),
    step("The spoiled card is never used again.", &["run", "pismo.record.json", "--reader", "sim:second.json"], 9, 5),
    step(
        "The order is still open. The next command: a new blank …",
        &["sim", "new", "my-card", "--record", "pismo.record.json", "-o", "third.json"],
        0,
        1,
    ),
    step("… becomes its card.", &["run", "pismo.record.json", "--reader", "sim:third.json"], 0, 3),
];

/// What `perso demo --format json` prints.
#[derive(Serialize, schemars::JsonSchema)]
pub struct DemoView {
    /// The steps, in their order.
    steps: Vec<StepView>,
}

/// A step that was made.
#[derive(Serialize, schemars::JsonSchema)]
struct StepView {
    /// What happened, in words.
    about: &'static str,
    /// The command.
    command: String,
    /// Its exit code.
    exit: u8,
}

/// Shows each step. Exit code 1 if one does not end as it must.
///
/// # Errors
/// The folder for temporary files cannot be used, or this program cannot be started again.
pub fn run(out: &mut Out) -> Result<u8, CliError> {
    let name = format!("perso-demo-{}", hex::encode(common::chance().bytes::<8>()?));
    let folder = NewFolder::begin(&std::env::temp_dir().join(name))?;
    let mut view = DemoView { steps: Vec::new() };
    for (number, step) in (1..).zip(STEPS) {
        let shown = shown(step.command);
        if !out.is_json() {
            out.line(format!("{number:>2}. {}", step.about));
            out.line(format!("    $ {shown}"));
        }
        let output = start(step, &folder)?;
        let seen = output.status.code().and_then(|code| u8::try_from(code).ok());
        if seen != Some(step.exit) {
            warn(String::from_utf8_lossy(&output.stderr).trim_end());
            let seen = seen.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
            warn(&format!("perso: `{shown}` ended with {seen} instead of exit code {}", step.exit));
            return Ok(FAULT);
        }
        if !out.is_json() {
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().take(step.lines).for_each(|line| out.line(format!("    {line}")));
            out.line(format!("    (exit code {})", step.exit));
            out.line("");
        }
        view.steps.push(StepView { about: step.about, command: shown, exit: step.exit });
    }
    if !out.json(&view) {
        out.line("Two orders, two good cards, one destroyed card. Your own product: `perso init lab my-lab`.");
    }
    Ok(0)
}

/// Runs a step's command to its end, without the settings of this station.
fn start(step: &Step, folder: &NewFolder) -> Result<Output, CliError> {
    let failed = |source| CliError::Read { path: "perso".into(), source };
    let program = std::env::current_exe().map_err(failed)?;
    let lab = folder.path(LAB);
    let (place, config) = if lab.exists() { (lab, "perso.toml") } else { (folder.path(""), "none") };
    let mut command = Command::new(program);
    for name in ["PERSO_KEYS", "PERSO_LEDGER"] {
        command.env_remove(name);
    }
    command.env("PERSO_CONFIG", config).args(step.command).current_dir(place).stdin(Stdio::null());
    command.output().map_err(failed)
}

/// The command as it is typed.
fn shown(command: &[&str]) -> String {
    let quoted = |word: &&str| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() };
    format!("perso {}", command.iter().map(quoted).collect::<Vec<_>>().join(" "))
}
