//! From entries of the configuration, and of the environment, to the defaults of options.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::builder::{ArgPredicate, Resettable};
use clap::error::{ContextKind, ContextValue, Error};
use clap::{Arg, ArgAction, Command};

use crate::base::suggest;

/// Where a default comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The configuration: dotted key and number of its line.
    File { key: String, line: Option<usize> },
    /// A variable of the environment.
    Environment(&'static str),
}

/// The default of an option, of one command or of all.
#[derive(Debug, Clone)]
pub(super) struct Default {
    /// The command; none: every command that has the option.
    pub(super) command: Option<String>,
    /// The option's long name.
    pub(super) long: String,
    /// Its values.
    pub(super) values: Vec<OsString>,
    /// Where it comes from.
    pub(super) origin: Origin,
    /// Some command must have such an option.
    pub(super) must_fit: bool,
    /// It counts only together with this value of `--keys`.
    pub(super) only_with_keys: Option<OsString>,
}

/// A default that the option of a command cannot have.
#[derive(Debug, Clone)]
pub(super) struct Misfit {
    /// The command's path, such as `keys kcv`.
    pub(super) command: String,
    /// The option.
    pub(super) id: clap::Id,
    /// Where the default comes from.
    pub(super) origin: Origin,
    /// What is wrong with it.
    pub(super) why: String,
}

/// A default that the option of a command has.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// The command's path.
    pub(super) command: String,
    /// The option.
    pub(super) id: clap::Id,
    /// The default.
    pub(super) default: Default,
}

/// What became of the defaults.
pub(super) struct Applied {
    /// The program's commands with their defaults.
    pub(super) command: Command,
    /// Values that an option cannot have.
    pub(super) misfits: Vec<Misfit>,
    /// Defaults that fit no option, and why.
    pub(super) unknown: Vec<(Origin, String)>,
    /// Defaults that an option has.
    pub(super) taken: Vec<Taken>,
}

impl Default {
    /// Whether it is for this option of this command.
    fn is_for(&self, path: &str, arg: &Arg) -> bool {
        self.command.as_ref().is_none_or(|command| command == path) && is_name_of(arg, &self.long)
    }

    /// Whether the option can be given in this way.
    fn fits(&self, arg: &Arg) -> bool {
        let several = matches!(arg.get_action(), ArgAction::Append);
        let flag = matches!(arg.get_action(), ArgAction::SetTrue);
        match self.values.as_slice() {
            [one] if flag => one == "true" || one == "false",
            [_] => matches!(arg.get_action(), ArgAction::Set) || several,
            values => several && !values.is_empty(),
        }
    }

    /// Why a value of it is not one of this option.
    fn misfit(&self, arg: &Arg) -> Option<String> {
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            return None;
        }
        let alone =
            Arg::new("value").long("value").allow_hyphen_values(true).value_parser(arg.get_value_parser().clone());
        let alone = Command::new("perso").disable_help_flag(true).arg(alone.action(ArgAction::Set));
        self.values.iter().find_map(|value| {
            let mut argument = OsString::from("--value=");
            argument.push(value);
            let error = alone.clone().try_get_matches_from([OsString::from("perso"), argument]).err()?;
            let why = range(&alone).map_or_else(|| reason(&error), |range| format!("must be {range}"));
            Some(format!("{:?} is not a value of --{}: {why}", value.to_string_lossy(), self.long))
        })
    }
}

/// What clap says of a value, without the option that it was tried with.
fn reason(error: &Error) -> String {
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) {
        let meant = match error.get(ContextKind::SuggestedValue) {
            Some(ContextValue::String(meant)) => format!("; did you mean {meant}?"),
            _ => String::new(),
        };
        return format!("must be one of {}{meant}", values.join(", "));
    }
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.kind().to_string(),
    }
}

/// The range of an option that takes a whole number, in words. Only its parser knows it, and tells when it refuses one.
fn range(alone: &Command) -> Option<String> {
    let refused = |number: &str| {
        let error = alone.clone().try_get_matches_from(["perso", &format!("--value={number}")]).err()?;
        let why = reason(&error);
        let (from, to) = why.strip_prefix(number)?.strip_prefix(" is not in ")?.split_once("..")?;
        Some((from.to_owned(), to.strip_prefix('=').unwrap_or(to).to_owned()))
    };
    let (from, to) = refused(&i64::MIN.to_string()).or_else(|| refused(&i64::MAX.to_string()))?;
    Some(format!("a whole number from {from} to {to}"))
}

/// Its long name, or an old one that is still accepted.
fn is_name_of(arg: &Arg, long: &str) -> bool {
    arg.get_long() == Some(long) || arg.get_all_aliases().unwrap_or_default().contains(&long)
}

/// Gives the defaults to the options of every command.
pub(super) fn apply(command: Command, defaults: &[Default]) -> Applied {
    if defaults.is_empty() {
        return Applied { command, misfits: Vec::new(), unknown: Vec::new(), taken: Vec::new() };
    }
    let mut seen = Seen { defaults, known: vec![false; defaults.len()], misfits: Vec::new(), taken: Vec::new() };
    let bare = command.clone();
    let command = with_defaults(command, "", &mut seen);
    let Seen { known, misfits, taken, .. } = seen;
    let unknown = defaults.iter().zip(known).filter(|(default, known)| default.must_fit && !known);
    let unknown = unknown.map(|(default, _)| (default.origin.clone(), why_unknown(&bare, default))).collect();
    Applied { command, misfits, unknown, taken }
}

struct Seen<'a> {
    defaults: &'a [Default],
    /// Whether some option takes each of them.
    known: Vec<bool>,
    misfits: Vec<Misfit>,
    taken: Vec<Taken>,
}

fn with_defaults(mut command: Command, path: &str, seen: &mut Seen<'_>) -> Command {
    let mut changes = Vec::new();
    for arg in command.get_arguments() {
        let fitting = || seen.defaults.iter().enumerate().filter(|(_, it)| it.is_for(path, arg) && it.fits(arg));
        let taken: Vec<usize> = fitting().map(|(at, _)| at).collect();
        // One command's own default before that of all; the environment before the file.
        let rank = |it: &Default| (it.command.is_some(), matches!(it.origin, Origin::Environment(_)));
        let chosen = fitting().max_by_key(|(_, default)| rank(default)).map(|(_, default)| default.clone());
        taken.into_iter().for_each(|at| seen.known.iter_mut().skip(at).take(1).for_each(|it| *it = true));
        let Some(default) = chosen else { continue };
        match default.misfit(arg) {
            Some(why) => {
                let (command, id) = (path.to_owned(), arg.get_id().clone());
                seen.misfits.push(Misfit { command, id, origin: default.origin, why });
            }
            None => {
                let id = arg.get_id().clone();
                seen.taken.push(Taken { command: path.to_owned(), id: id.clone(), default: default.clone() });
                changes.push((id, excluded(&command, arg), default));
            }
        }
    }
    for (id, excluded, default) in changes {
        let has_keys = command.get_arguments().any(|arg| arg.get_long() == Some("keys"));
        command = command.mut_arg(id, |arg| {
            let arg = arg.required(false).required_unless_present(Resettable::Reset);
            // What the command line rules out is not brought back by a default.
            let unset = |arg: Arg, other| arg.default_value_if(other, ArgPredicate::IsPresent, None::<&str>);
            let arg = excluded.into_iter().fold(arg, unset);
            let arg = match (&default.only_with_keys, default.values.first()) {
                (Some(keys), Some(value)) if has_keys => unset(
                    arg.default_value_if("keys", ArgPredicate::Equals(keys.into()), clap::builder::OsStr::from(value)),
                    "keys".into(),
                ),
                _ => arg,
            };
            arg.default_values(default.values)
        });
    }
    let subcommands: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in subcommands {
        let below = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(&name, |sub| with_defaults(sub, &below, seen));
    }
    command
}

/// The options that do not go together with this one.
fn excluded(command: &Command, arg: &Arg) -> Vec<clap::Id> {
    let against = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|conflict| conflict.get_id() == other.get_id())
    };
    let others = command.get_arguments().filter(|other| against(arg, other) || against(other, arg));
    others.map(|other| other.get_id().clone()).collect()
}

/// Why no option takes a default, and what was probably meant.
fn why_unknown(program: &Command, default: &Default) -> String {
    let mut all = Vec::new();
    options(program, "", &mut all);
    let long = default.long.as_str();
    let names =
        |of: &str| all.iter().filter(|(path, ..)| path == of).map(|(_, long, _)| *long).collect::<BTreeSet<_>>();
    let form = |flag: bool| match flag {
        true => format!("--{long} is a switch: give true or false"),
        false => format!("--{long} is not given in this form: give one value, or a list if it can be repeated"),
    };
    match &default.command {
        None => match all.iter().find(|(_, own, _)| *own == long) {
            Some((_, _, flag)) => form(*flag),
            None => format!("no command has an option --{long}{}", suggest::hint(long, all.iter().map(|it| it.1))),
        },
        Some(path) if all.iter().all(|(own, ..)| own != path) => {
            format!("there is no command {path:?}{}", suggest::hint(path, all.iter().map(|it| it.0.as_str())))
        }
        Some(path) => match all.iter().find(|(own_path, own, _)| own_path == path && *own == long) {
            Some((_, _, flag)) => form(*flag),
            None => format!("`perso {path}` has no option --{long}{}", suggest::hint(long, names(path))),
        },
    }
}

/// Every option of every command: the command's path, the option's long name, whether it is a switch.
fn options<'a>(command: &'a Command, path: &str, out: &mut Vec<(String, &'a str, bool)>) {
    for arg in command.get_arguments() {
        let flag = matches!(arg.get_action(), ArgAction::SetTrue);
        out.extend(arg.get_long().map(|long| (path.to_owned(), long, flag)));
    }
    for sub in command.get_subcommands() {
        let below = if path.is_empty() { sub.get_name().to_owned() } else { format!("{path} {}", sub.get_name()) };
        options(sub, &below, out);
    }
}
