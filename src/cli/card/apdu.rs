//! `perso card apdu`: APDUs from a script or the command line, in the clear or through a secure channel with test keys.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::{Chance, Code, Fault, StopRequest};
use crate::card::channel::{ChallengeCheck, ChannelSpec, Greeting, Mode, Protocol, SecurityLevel, Session, begin};
use crate::card::script::{self, Script, Way};
use crate::card::trace::Writer;
use crate::card::transport::Transport;
use crate::card::{Card, Recorder, gp};
use crate::cli::args::{ApduArgs, ChannelArgs};
use crate::cli::claimed::{Access, ClaimedFile};
use crate::cli::common::{self, CliError, Out, warn};
use crate::cli::profiles;
use crate::cli::reader;
use crate::cli::signals::{self, Response};
use crate::issuance::file_kind::FileKind;
use crate::issuance::login::{self, ChosenKeys};
use crate::issuance::options;
use crate::issuance::result::FaultRef;
use crate::keys::{AnyStore, Diversification, KeyError, KeySet, KeyStore};
use crate::profile::Profile;

/// Sends, compares, and prints. Exit code 10 where an answer is not the expected one.
///
/// # Errors
/// The arguments, the script, the keys, the link or the card.
pub fn run(args: &ApduArgs, out: &mut Out) -> Result<u8, CliError> {
    let script = script(args)?;
    if args.secure {
        common::named_keys(args.keys.as_ref(), "--secure")?;
    }
    // In the clear, keys only decide whether a trace may be full: nobody is asked for a passphrase for less.
    let needed = args.secure || args.trace.is_some();
    let keys = args.keys.as_deref().filter(|_| needed);
    let store = keys.map(|keys| common::keys(keys, &args.passphrase, out)).transpose()?;
    let test_keys = store.as_ref().is_some_and(|store| store.keys().iter().all(|key| key.test));
    let wanted = match &store {
        Some(store) if args.secure => Some((store, Wanted::of(args, store)?)),
        _ => None,
    };
    // A full trace of a script that carries a PIN or a key would keep it.
    let full = test_keys && !script.carries_secret();
    let access = if full { Access::Owner } else { Access::Umask };
    let claim = |path| ClaimedFile::claim(path, args.replace.existing(), access);
    let trace = args.trace.as_deref().map(claim).transpose()?;
    // A signal stops the script before its next command, and what was done is reported.
    let stop = StopRequest::default();
    signals::respond(Response::Stop { stop: stop.clone(), say: say_for_script, grace: Duration::ZERO });
    let (transport, chance) = reader::open_with_chance(&args.reader, "the card", &stop)?;
    let gate = move |_| stop.check();
    let (card, mut chance) = card(transport, chance, test_keys, (trace.as_ref(), full))?;
    let mut card = card.with_gate(gate);
    if !args.no_reset {
        card.reset()?;
    }
    let (mut report, error) = match &wanted {
        None => script::run(&script, Way::Clear(&mut card), args.keep_going),
        Some((store, wanted)) => {
            let (mut session, keys) = open(&mut card, wanted, store, &mut chance)?;
            let channel = format!("{}, level {:02X}, keys {keys}", wanted.spec.protocol, wanted.spec.level.byte());
            let (mut report, error) = script::run(&script, Way::Secure(&mut session), args.keep_going);
            report.channel = Some(channel);
            (report, error)
        }
    };
    drop(card);
    if let Some(Err(error)) = trace.map(ClaimedFile::finish) {
        warn(&format!("perso: the trace is not kept: {}", FaultRef::of(&error).message));
    }
    // A fault is told beside what was done up to it.
    if let Some(error) = &error {
        report.fault = report.fault.map(|fault| format!("{fault} [{}]", error.code()));
    }
    if !out.json(&report) {
        report.lines().iter().for_each(|line| out.line(line));
    }
    match (error, report.verdict.as_str()) {
        (Some(error), _) => {
            let entry = error.code().entry();
            let next = match error.code() {
                Code::OperatorInterrupted => "Compare what was sent with the script before you send it again.",
                _ => entry.next,
            };
            warn(&format!("{next} [{}]", entry.code));
            Ok(entry.exit)
        }
        (None, "as-expected") => Ok(0),
        (None, "differs") => Ok(10),
        (None, _) => Ok(2),
    }
}

fn say_for_script(_: &StopRequest, name: &str, _: Option<Duration>) {
    warn(&format!("perso: {name}: stopping after the command in hand"));
}

/// One file, standard input, or commands in hexadecimal, each a line.
fn script(args: &ApduArgs) -> Result<Script, CliError> {
    let (text, from) = match args.what.as_slice() {
        [one] if one == "-" => (common::standard_input()?, "standard input".to_owned()),
        [one] if Path::new(one).is_file() => (common::read_text_kind(Path::new(one), &[FileKind::Text])?, one.clone()),
        several => {
            let is_command = |text: &String| {
                let digits = common::compact(text);
                !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit())
            };
            if !several.iter().all(is_command) {
                let why = "name one script file that exists, or - alone for standard input, or commands in hexadecimal"
                    .into();
                return Err(CliError::Option { option: "FILE|HEX", why });
            }
            (several.join("\n"), "the command line".to_owned())
        }
    };
    let script =
        Script::parse(&text).map_err(|error| CliError::Option { option: "script", why: format!("{from}, {error}") })?;
    if script.is_empty() && !args.secure {
        return Err(CliError::Option { option: "script", why: format!("{from} holds no command") });
    }
    match script.resets().filter(|_| args.secure) {
        Some(line) => Err(CliError::Option {
            option: "script",
            why: format!("{from}, line {line}: a reset ends the secure channel; leave out one of the two"),
        }),
        None => Ok(script),
    }
}

/// The card, with what goes over the wire written into a trace where one is asked for.
fn card(
    transport: Box<dyn Transport>,
    mut chance: Chance,
    test_keys: bool,
    (trace, full): (Option<&ClaimedFile>, bool),
) -> Result<(Card, Chance), CliError> {
    let card = Card::new(transport, common::clock()).with_test_keys(test_keys);
    let Some(trace) = trace else { return Ok((card, chance)) };
    let file = trace.stream()?;
    let meta = [("program", env!("CARGO_PKG_VERSION").to_owned()), ("command", "card apdu".to_owned())];
    let writer = Arc::new(Mutex::new(Writer::new(file, full, &meta)));
    let drawn = Arc::clone(&writer);
    let chance = Chance::new(move |buffer| {
        chance.fill(buffer)?;
        if let Ok(mut writer) = drawn.lock() {
            writer.chance(buffer);
        }
        Ok(())
    });
    let recorder = Recorder::new(move |event| {
        if let Ok(mut writer) = writer.lock() {
            writer.event(&event);
        }
    });
    Ok((card.with_recorder(recorder), chance))
}

/// The channel that is wanted.
struct Wanted<'a> {
    spec: ChannelSpec,
    select: Option<Vec<u8>>,
    profile: Option<Arc<Profile>>,
    set: Option<KeySet<'a>>,
    method: Option<Diversification>,
}

impl<'a> Wanted<'a> {
    fn of(args: &ApduArgs, store: &'a AnyStore) -> Result<Self, CliError> {
        let ChannelArgs { profile, profiles, protocol, level, key_version, key, diversification } = &args.channel;
        let profile = match profile.as_deref() {
            Some(file) if Path::new(file).is_file() => Some(profiles::profile_file(Path::new(file))?),
            Some(name) => Some(profiles::profile(name, profiles)?),
            None => None,
        };
        let aid = args.aid.as_deref().map(|aid| common::aid("--aid", aid)).transpose()?;
        let select = aid.or_else(|| profile.as_ref().map(|profile| profile.domain().to_vec()));
        let wrong = |option, why: String| CliError::Option { option, why };
        let mut spec = match (&profile, protocol) {
            (Some(profile), _) => options::spec(profile, select.as_deref().unwrap_or_default())
                .map_err(|error| wrong("--profile", error.to_string()))?,
            (None, Some(protocol)) => by_name(protocol, select.as_deref().unwrap_or_default())?,
            (None, None) => {
                return Err(wrong("--secure", "name the channel with --profile, or with --protocol and --key".into()));
            }
        };
        if let Some(level) = level {
            spec.level = SecurityLevel::new(common::byte("--level", level)?, spec.protocol)
                .map_err(|error| wrong("--level", error.to_string()))?;
        }
        if let Some(version) = key_version {
            spec.key_version = common::byte("--key-version", version)?;
        }
        let method = diversification.as_deref().map(|name| {
            Diversification::find(name).ok_or_else(|| {
                wrong("--diversification", format!("{name:?} is none of none, emv-cps:N, visa1, visa2, kdf3"))
            })
        });
        let set = key.as_deref().map(|name| KeySet::find(store, name)).transpose()?;
        match &set {
            Some(set) if !set.is_test() => return Err(KeyError::Live(set.name().to_owned()).into()),
            None if profile.is_none() => {
                return Err(wrong("--key", "name the key set; `perso explain-auth` finds it".into()));
            }
            _ => {}
        }
        let stated = if set.is_none() { profile.as_deref().map(Profile::masters).unwrap_or_default() } else { &[] };
        match store.keys().iter().find(|key| !key.test && stated.contains(&key.name)) {
            Some(live) => Err(KeyError::Live(live.name.clone()).into()),
            None => Ok(Self { spec, select, method: method.transpose()?, set, profile }),
        }
    }

    /// The card's keys, and what they come from.
    fn keys(&self, store: &AnyStore, greeting: &Greeting<'_>) -> Result<ChosenKeys, CliError> {
        let stated = self.profile.as_deref().map(Profile::diversification);
        let method = self.method.or(stated).unwrap_or(Diversification::None);
        if let Some(set) = &self.set {
            let master = set.name().to_owned();
            let by = if set.is_three() { Diversification::None } else { method };
            return Ok(ChosenKeys { master, method, keys: set.card_keys(store, by, greeting.kdd())? });
        }
        let names = self.profile.as_deref().map(Profile::masters).unwrap_or_default();
        Ok(login::keys_for(greeting, names, method, store)?)
    }
}

/// `scp02:55`, `scp03:70`, `scp03:71:s16`.
fn by_name(text: &str, aid: &[u8]) -> Result<ChannelSpec, CliError> {
    let wrong = |why: String| CliError::Option { option: "--protocol", why };
    let parts: Vec<&str> = text.split(':').collect();
    let protocol = match parts.as_slice() {
        ["scp02", i] => Protocol::scp02(common::byte("--protocol", i)?),
        ["scp03", i] => Protocol::scp03(common::byte("--protocol", i)?, Mode::S8),
        ["scp03", i, "s16"] => Protocol::scp03(common::byte("--protocol", i)?, Mode::S16),
        _ => return Err(wrong(format!("{text:?} is not of the form scp02:55, scp03:70 or scp03:71:s16"))),
    };
    let protocol = protocol.map_err(|error| wrong(error.to_string()))?;
    Ok(ChannelSpec {
        protocol,
        level: SecurityLevel::new(0x01, protocol).map_err(|error| wrong(error.to_string()))?,
        key_version: 0,
        check_challenge: ChallengeCheck::Off,
        aid: aid.to_vec(),
        counter_without_data: true,
    })
}

/// Opens the channel. The card's cryptogram is compared first, and a wrong one ends it all: there is one attempt.
fn open<'c>(
    card: &'c mut Card,
    wanted: &Wanted<'_>,
    store: &AnyStore,
    chance: &mut Chance,
) -> Result<(Session<'c>, String), CliError> {
    if let Some(aid) = &wanted.select {
        let answer = gp::select(card, aid)?;
        if !answer.sw.is_ok() {
            let refused = crate::card::CardError::Refused { command: "SELECT", ins: 0xA4, sw: answer.sw };
            return Err(refused.into());
        }
    }
    let greeting = begin(card, &wanted.spec, chance)?;
    let chosen = wanted.keys(store, &greeting)?;
    let keys = &chosen.keys;
    if let Some(live) = [&keys.enc, &keys.mac, &keys.dek].into_iter().find(|key| !key.is_test()) {
        return Err(KeyError::Live(live.name().to_owned()).into());
    }
    let name = format!("{}, diversification {}", chosen.master, chosen.method.name());
    Ok((login::log_in(greeting, store, chosen)?.0, name))
}
