//! `perso config show`: every setting, and where it comes from.

use serde::Serialize;

use super::defaults::{Default, Origin};
use super::find::{CONFIG_VARIABLE, KEYS_VARIABLE, LEDGER_VARIABLE};
use super::{Found, Settings};
use crate::cli::out::Out;

/// What every command has without a configuration: key, option, value.
const PROGRAM: &[(&str, &str, Option<&str>)] = &[
    ("keys.file", "keys", None),
    ("profiles.folder", "profiles", Some("card-profiles")),
    ("journal.file", "station-journal", Some("perso.journal")),
    ("ledger.file", "ledger", None),
    ("readers.default", "reader", None),
    ("site.file", "site", None),
];

/// What `perso config show --format json` prints.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(title = "ConfigView")]
pub struct ConfigView {
    /// Version of this shape: 1.
    perso_config_view: u32,
    /// The configuration; null if there is none.
    file: Option<String>,
    /// How it was found: `option`, `environment`, `folder`, `above` or `user`.
    found: Option<&'static str>,
    /// The files that were looked for; the last one is the configuration, if there is one.
    searched: Vec<String>,
    /// The settings.
    settings: Vec<SettingView>,
}

/// One setting.
#[derive(Serialize, schemars::JsonSchema)]
struct SettingView {
    /// Dotted key of the configuration, or the variable of the environment.
    key: String,
    /// The option that takes it, without a command: of every command that has it.
    option: String,
    /// The values; empty if there is none.
    values: Vec<String>,
    /// `configuration`, `environment` or `program`.
    from: &'static str,
    /// Line of the configuration.
    line: Option<usize>,
    /// Whether the environment replaces it.
    replaced: bool,
}

/// Shows the settings.
pub(super) fn run(settings: &Settings, out: &mut Out) -> u8 {
    let view = view(settings);
    if !out.json(&view) {
        lines(&view, settings).iter().for_each(|line| out.line(line));
    }
    0
}

fn view(settings: &Settings) -> ConfigView {
    let config = settings.config();
    let defaults = settings.defaults();
    let mut rows: Vec<SettingView> = Vec::new();
    for row in defaults.iter().map(|it| setting(it, settings)) {
        // One entry may serve options of several names.
        if row.from == "environment" || rows.iter().all(|earlier| earlier.key != row.key) {
            rows.push(row);
        }
    }
    let is_set = |long: &str| defaults.iter().any(|it| it.command.is_none() && it.long == long);
    rows.extend(PROGRAM.iter().filter(|(_, long, _)| !is_set(long)).map(|(key, long, value)| SettingView {
        key: (*key).to_owned(),
        option: option(long),
        values: value.iter().map(|value| (*value).to_owned()).collect(),
        from: "program",
        line: None,
        replaced: false,
    }));
    ConfigView {
        perso_config_view: 1,
        file: config.map(|config| config.path.display().to_string()),
        found: config.map(|config| match config.found {
            Found::Option => "option",
            Found::Environment => "environment",
            Found::Here => "folder",
            Found::Above => "above",
            Found::User => "user",
        }),
        searched: settings.searched.iter().map(|path| path.display().to_string()).collect(),
        settings: rows,
    }
}

/// An option as it is typed. The journal of a station has none that is shown.
fn option(long: &str) -> String {
    match long {
        "station-journal" => "--journal".to_owned(),
        long => format!("--{long}"),
    }
}

fn setting(default: &Default, settings: &Settings) -> SettingView {
    let command = default.command.as_ref().map(|command| format!("perso {command} ")).unwrap_or_default();
    let (key, from, line) = match &default.origin {
        Origin::File { key, line } => (key.clone(), "configuration", *line),
        Origin::Environment(variable) => ((*variable).to_owned(), "environment", None),
    };
    SettingView {
        key,
        option: format!("{command}{}", option(&default.long)),
        values: default.values.iter().map(|value| value.display().to_string()).collect(),
        from,
        line,
        replaced: from == "configuration" && replacing(&default.long, settings).is_some(),
    }
}

fn lines(view: &ConfigView, settings: &Settings) -> Vec<String> {
    let mut lines = vec![format!("Configuration: {}", settings.sources())];
    if view.file.is_none() {
        lines.extend(view.searched.iter().map(|path| format!("  not there: {path}")));
        let variables = format!("{CONFIG_VARIABLE} or {KEYS_VARIABLE}");
        lines.push(format!("  docs/config.md shows one; --config FILE or {variables} name files elsewhere"));
    }
    let width = |of: fn(&SettingView) -> usize| view.settings.iter().map(of).max().unwrap_or_default();
    let (keys, values) = (width(|row| row.key.chars().count()), width(|row| shown(row).chars().count().min(48)));
    for row in &view.settings {
        let from = match (row.from, row.line) {
            ("configuration", Some(line)) => format!("line {line}"),
            ("program", _) => "built in".to_owned(),
            (from, _) => from.to_owned(),
        };
        let variable = replacing(row.option.trim_start_matches('-'), settings).filter(|_| row.replaced);
        let replaced = variable.map(|variable| format!(", replaced by {variable}")).unwrap_or_default();
        lines.push(format!("{:<keys$}  {:<values$}  {from}{replaced}", row.key, shown(row)));
    }
    lines.push("The command line overrides the environment, the environment overrides the configuration.".to_owned());
    lines
}

/// The variable of the environment that replaces the configuration's value of an option.
fn replacing(long: &str, settings: &Settings) -> Option<&'static str> {
    match long {
        "keys" => settings.keys.as_ref().map(|_| KEYS_VARIABLE),
        "ledger" => settings.ledger.as_ref().map(|_| LEDGER_VARIABLE),
        _ => None,
    }
}

fn shown(row: &SettingView) -> String {
    if row.values.is_empty() { "not set".to_owned() } else { row.values.join(", ") }
}
