//! `perso card apps`: the registry, read over a secure channel.

use std::path::Path;

use super::{marked, open};
use crate::card::gp;
use crate::cli::args::AppsArgs;
use crate::cli::common::{self, CliError, Out};
use crate::cli::profiles;
use crate::issuance::login::{self, LoginError};
use crate::issuance::registry_view::{CardAppsView, EntryView, card_apps};
use crate::keys::{KeyError, KeyStore};

/// Logs in, reads the registry, and prints.
///
/// # Errors
/// Keys or profile are wrong, there is no card, it refuses, or no key fits; an authentication is never tried twice.
pub fn run(args: &AppsArgs, out: &mut Out) -> Result<u8, CliError> {
    let store = common::keys(&args.keys, &args.passphrase, out)?;
    // A login is a job's, and jobs with live keys need a ledger.
    if let Some(live) = store.keys().iter().find(|key| !key.test) {
        return Err(KeyError::Live(live.name.clone()).into());
    }
    let profile = args.profile.as_deref().map(|name| match Path::new(name) {
        file if file.is_file() => profiles::profile_file(file),
        _ => profiles::profile(name, &args.profiles),
    });
    let profile = profile.transpose()?;
    let test_keys = store.keys().iter().all(|key| key.test);
    let mut card = open(&args.reader)?.with_test_keys(test_keys);
    let mut chance = common::chance();
    let (mut session, login) = match &profile {
        Some(profile) => {
            card.reset()?;
            login::with_profile(&mut card, profile, &store, &mut chance)?
        }
        None => {
            let told = gp::look(&mut card)?;
            login::with_any_key(&mut card, args.key_version, told.recognition(), &store, &mut chance)?
        }
    };
    let registry = gp::registry(&mut session).map_err(LoginError::from)?;
    session.close();
    let view = card_apps(&registry, login, args.reader.is_simulated());
    if !out.json(&view) {
        print(&view, out);
    }
    Ok(0)
}

fn print(view: &CardAppsView, out: &mut Out) {
    let login = &view.login;
    let aid = if login.aid.is_empty() { "the domain selected by default" } else { &login.aid };
    out.line(format!(
        "Channel  {} to {aid}, level {}, key version {}, master key {}, {}{}",
        login.protocol,
        login.level,
        login.key_version,
        login.master,
        login.diversification,
        marked(view.simulated)
    ));
    if let Some(challenge) = &login.challenge {
        out.line(format!("         {challenge}"));
    }
    for (title, entries) in
        [("Card", &view.card), ("Applications", &view.applications), ("Load files", &view.load_files)]
    {
        let refused = view.not_told.iter().any(|list| list.starts_with(&title_of_list(title)));
        let none = match (entries.is_empty(), refused) {
            (_, true) => ": not returned by the card",
            (true, false) => ": none",
            (false, false) => "",
        };
        out.line(format!("{title}{none}"));
        for entry in entries {
            print_entry(entry, out);
        }
    }
    for list in &view.not_told {
        out.line(format!("Not returned by the card: {list}"));
    }
}

/// How a list begins among those that the card did not return.
fn title_of_list(title: &str) -> String {
    if title == "Card" { "the issuer security domain:".to_owned() } else { format!("{}:", title.to_lowercase()) }
}

fn print_entry(entry: &EntryView, out: &mut Out) {
    let kind = if entry.kind == "domain" { ", security domain" } else { "" };
    out.line(format!("  {}  {} {}{kind}", entry.aid, entry.life_cycle, entry.life_cycle_name));
    if !entry.privilege_names.is_empty() {
        out.line(format!("      privileges {}: {}", entry.privileges, entry.privilege_names.join(", ")));
    }
    for (name, value) in
        [("belongs to", &entry.domain), ("from load file", &entry.load_file), ("version", &entry.version)]
    {
        if let Some(value) = value {
            out.line(format!("      {name} {value}"));
        }
    }
    for module in &entry.modules {
        out.line(format!("      module {module}"));
    }
}
