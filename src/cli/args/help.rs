//! Help as it is printed: examples, summaries, the global options in one line.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, Command};

use super::examples::EXAMPLES;
use crate::base::suggest;

/// How the commands of `calc` take values.
pub const VALUES: &str = "\
A VALUE that is not secret is typed, or read with @FILE or - (standard input). Do not type a full PAN or track: the list of \
processes and the shell's history would show it; give @FILE or -.
Keys and PINs are never typed. A key is named (--key NAME --keys FILE), or comes in hexadecimal from --key-from FILE (- for \
standard input, /dev/fd/N for a descriptor); a clear key or PIN is taken with --test-keys only, which says that it is for \
tests. Of live keys only check values are shown (3 bytes), and of a key block its header. arqc, arpc and session-keys compare \
a whole cryptogram under live keys, and show none; pin-block, cvv, pvv and offset refuse live keys.";

/// The global options in the help of every command.
const GLOBAL: &str = "Global options: --config FILE, --format text|json, --color auto|always|never, -q, -v, --log LEVEL; \
`perso --help` explains them.";

/// Options that stand together in the help.
const GROUPS: &[(&str, &[&str])] = &[
    ("Orders", &["kept-record", "site", "issuer-certificate", "pool", "fulfilment", "jobs"]),
    (
        "Keys and profiles",
        &[
            "key",
            "keys",
            "passphrase-file",
            "passphrase-fd",
            "last-try",
            "token-retail-mac",
            "allow-left-half",
            "profiles",
        ],
    ),
    ("Card", &["reader", "interface", "timeout", "command-timeout", "job-timeout"]),
];
/// Columns of an example; a longer one is broken as a shell allows it.
const LONGEST: usize = 76;

/// The command with its help: examples, a summary of each option for `-h`.
pub fn dressed(command: Command) -> Command {
    let globals: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    let root = below(command.mut_args(summarized), "", &globals);
    root.after_help(text("", None))
}

fn below(mut command: Command, path: &str, globals: &[Arg]) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(name, |sub| {
            let notes = sub.get_after_help().map(ToString::to_string);
            let hidden = globals.iter().map(|arg| arg.clone().hide(true));
            let sub = sub.mut_args(|arg| summarized(grouped(arg))).args(hidden);
            let sub = abridged(below(sub, &path, globals));
            sub.after_help(text(&path, None)).after_long_help(text(&path, notes.as_deref()))
        });
    }
    command
}

/// The examples of a command; of a group of commands the first of each of its first three.
fn examples(path: &str) -> Vec<&'static str> {
    let own: Vec<&str> = EXAMPLES.iter().filter(|(of, _)| *of == path).flat_map(|(_, lines)| *lines).copied().collect();
    if !own.is_empty() {
        return own;
    }
    let within = EXAMPLES.iter().filter(|(of, _)| of.strip_prefix(path).is_some_and(|rest| rest.starts_with(' ')));
    within.filter_map(|(_, lines)| lines.first().copied()).take(3).collect()
}

/// What stands below the options.
fn text(path: &str, notes: Option<&str>) -> String {
    let examples: Vec<String> = examples(path).iter().map(|line| format!("  {}", folded(line))).collect();
    let mut parts = Vec::new();
    if !examples.is_empty() {
        let title = if examples.len() == 1 { "Example:" } else { "Examples:" };
        parts.push(format!("{title}\n{}", examples.join("\n")));
    }
    parts.extend(notes.map(String::from));
    parts.push(if path.is_empty() { super::EXIT_CODES.to_owned() } else { GLOBAL.to_owned() });
    parts.join("\n\n")
}

/// An option that stands with others of its kind. `sim new --record` is not that of orders, so that one goes by its id.
fn grouped(arg: Arg) -> Arg {
    let Some(long) = arg.get_long() else { return arg };
    let name = if arg.get_id() == "kept-record" { "kept-record" } else { long };
    match GROUPS.iter().find(|(_, options)| options.contains(&name)) {
        Some((heading, _)) => arg.help_heading(*heading),
        None => arg,
    }
}

/// An example in lines of [`LONGEST`] columns, broken in front of an option.
fn folded(line: &str) -> String {
    let mut lines = vec![String::new()];
    for (at, part) in line.split(" -").enumerate() {
        let part = if at == 0 { part.to_owned() } else { format!(" -{part}") };
        let Some(last) = lines.last_mut() else { continue };
        match last.len() + part.len() {
            length if last.is_empty() || length <= LONGEST => last.push_str(&part),
            _ => lines.push(format!("    {}", part.trim_start())),
        }
    }
    lines.join(" \\\n  ")
}

/// The summary of a command, also in the list of commands, is its first sentence.
fn abridged(command: Command) -> Command {
    let Some(text) = command.get_long_about().or(command.get_about()).map(ToString::to_string) else { return command };
    match first_sentence(&text) {
        short if short.len() < text.len() => command.about(short.to_owned()).long_about(text),
        _ => command,
    }
}

/// The summary of an option is its first sentence.
fn summarized(arg: Arg) -> Arg {
    let Some(text) = arg.get_long_help().or(arg.get_help()).map(ToString::to_string) else { return arg };
    match first_sentence(&text) {
        short if short.len() < text.len() => arg.help(short.to_owned()).long_help(text),
        _ => arg,
    }
}

/// Up to the first full stop that a sentence follows.
fn first_sentence(text: &str) -> &str {
    let ends = text.match_indices(". ").map(|(at, _)| at);
    let end = ends.filter(|at| text.get(at + 2..).is_some_and(|rest| rest.starts_with(char::is_uppercase))).min();
    end.and_then(|at| text.get(..at)).unwrap_or(text)
}

/// Whether the arguments ask for JSON, looked up before they are understood.
pub fn wants_json(arguments: &[OsString]) -> bool {
    let mut rest = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    let mut json = false;
    while let Some(argument) = rest.next() {
        if argument == "--format" {
            json = rest.next().is_some_and(|value| value == "json");
        } else if let Some(value) = argument.to_str().and_then(|text| text.strip_prefix("--format=")) {
            json = value == "json";
        }
    }
    json
}

/// Words of other programs, and the subcommand of the same meaning.
const SYNONYMS: &[(&str, &str)] = &[
    ("delete", "remove"),
    ("rm", "remove"),
    ("del", "remove"),
    ("ls", "list"),
    ("dir", "list"),
    ("create", "new"),
    ("make", "new"),
    ("init", "new"),
    ("add", "import"),
    ("view", "show"),
    ("cat", "show"),
    ("validate", "check"),
    ("test", "check"),
    ("cards", "readers"),
];

/// A usage error with the subcommand or option that was probably meant, or without a tip.
pub fn with_tip(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    use clap::error::{ContextKind as Kind, ContextValue};
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    let (command, _) = command_of(arguments);
    let tip = match (text(Kind::InvalidSubcommand), text(Kind::InvalidArg), error.kind()) {
        (Some("version"), ..) => Some("a similar option exists: 'perso --version'".to_owned()),
        (Some(word), ..) => {
            let synonyms = SYNONYMS.iter().filter(|(other, _)| *other == word).map(|(_, own)| *own);
            let own = synonyms.map(String::from).find(|own| command.find_subcommand(own).is_some());
            let names = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(Command::get_name);
            let near = || suggest::nearest(word, names).map(String::from);
            own.or_else(near).map(|name| format!("a similar subcommand exists: '{name}'"))
        }
        (None, Some(option), ErrorKind::UnknownArgument) if option.starts_with("--") => {
            let root = <super::Cli as clap::CommandFactory>::command();
            let all = command.get_arguments().chain(root.get_arguments().filter(|arg| arg.is_global_set()));
            let names: Vec<&str> = all.filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_long).collect();
            let word = option.trim_start_matches('-').split('=').next().unwrap_or_default();
            suggest::nearest(word, names).map(|name| format!("a similar argument exists: '--{name}'"))
        }
        (None, Some(_), ErrorKind::UnknownArgument) => None,
        _ => return error,
    };
    let tips = [Kind::SuggestedSubcommand, Kind::SuggestedArg, Kind::Suggested];
    let mut meant = clap::Error::new(error.kind()).with_cmd(&<super::Cli as clap::CommandFactory>::command());
    for (kind, value) in error.context().filter(|(kind, _)| !tips.contains(kind)) {
        meant.insert(kind, value.clone());
    }
    if let Some(tip) = tip {
        meant.insert(Kind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    meant
}

/// The command that arguments name, and the words that name it.
fn command_of(arguments: &[OsString]) -> (Command, Vec<String>) {
    let mut command = <super::Cli as clap::CommandFactory>::command();
    let mut path = vec!["perso".to_owned()];
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if let Some(sub) = command.find_subcommand(argument).cloned() {
            path.push(argument.to_owned());
            command = sub;
        }
    }
    (command, path)
}

/// The message of a usage error, without its usage and tips, in one line.
pub fn usage_message(rendered: &str) -> String {
    let left_out = |line: &str| line.is_empty() || line.starts_with("tip:") || line.starts_with("For more information");
    let lines = rendered.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !left_out(line));
    let text = lines.collect::<Vec<_>>().join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}

/// What to do after a usage error: what was probably meant, and the help of the command.
pub fn usage_of(rendered: &str, arguments: &[OsString]) -> String {
    let tips = rendered.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let similar: String = tips.filter(|tip| tip.contains("similar")).map(|tip| format!("{tip}. ")).collect();
    let (_, path) = command_of(arguments);
    format!("{similar}Run `{} --help`: it shows every option, with examples.", path.join(" "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    fn each(command: &Command, path: &str, visit: &mut dyn FnMut(&Command, &str)) {
        visit(command, path);
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            each(sub, format!("{path} {}", sub.get_name()).trim(), visit);
        }
    }

    #[test]
    fn every_command_has_examples_and_every_example_is_of_a_command() {
        let command = dressed(super::super::Cli::command());
        let mut paths = vec![String::new()];
        each(&command, "", &mut |command, path| {
            assert!(!examples(path).is_empty(), "{path} shows no example");
            if !command.has_subcommands() {
                paths.push(path.to_owned());
                let examples = EXAMPLES.iter().find(|(of, _)| *of == path);
                assert!(examples.is_some_and(|(_, lines)| !lines.is_empty()), "{path} has no example");
            }
        });
        for (of, _) in EXAMPLES {
            assert!(paths.iter().any(|path| path == of), "{of:?} is no command");
        }
    }

    #[test]
    fn a_long_example_is_broken_as_a_shell_allows_it() {
        let line = format!("perso run {} --keys k --reader \"A B\" -o x < y", "a".repeat(60));
        let shown = folded(&line);
        assert!(shown.lines().all(|line| line.len() <= LONGEST + 4), "{shown}");
        assert_eq!(shown.replace(" \\\n      ", " "), line);
        assert_eq!(folded("perso readers --watch"), "perso readers --watch");
    }

    #[test]
    fn an_option_is_summarized_by_its_first_sentence() {
        assert_eq!(first_sentence("The key file. Or a token"), "The key file");
        assert_eq!(first_sentence("Such as sim: one. of two"), "Such as sim: one. of two");
        assert_eq!(first_sentence("One"), "One");
    }

    #[test]
    fn json_is_asked_for_by_the_last_format() {
        let wants = |line: &str| wants_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(wants("perso run --format json --nonsense"));
        assert!(wants("perso --format=json"));
        assert!(!wants("perso --format text"));
        assert!(!wants("perso check -- --format json"));
        assert!(!wants("perso"));
    }
}
