//! `perso keys needed`: which keys a product takes, which of them are there, and how the others are made.

use std::path::Path;

use serde::Serialize;

use super::args::NeededArgs;
use super::common::{self, CliError, Out};
use super::exit::FINDINGS;
use super::profiles;
use crate::keys::{Algorithm, KeySet, KeyStore, Purpose};
use crate::profile::{Profile, Protocol};

const YES: &str = "yes";
const NO: &str = "no";
const NOT_NEEDED: &str = "not needed";

/// The keys of a product.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Needed {
    /// Name of the profile.
    profile: String,
    /// Its keys.
    keys: Vec<NeededKey>,
}

/// A key that a product takes.
#[derive(Serialize, schemars::JsonSchema)]
pub struct NeededKey {
    /// Its name.
    name: String,
    /// What it is for.
    purpose: &'static str,
    /// Where the profile names it.
    named_at: Vec<String>,
    /// Whether it is there: `yes`, `no`, `other purpose`, `other version`, or `not needed`: another master key is there.
    there: &'static str,
    /// The command that makes a test key of this name; none if there is a key of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    make: Option<String>,
}

/// Lists the keys that a profile names. Exit code 10 if one is missing.
///
/// # Errors
/// There is no such profile, or the key file is wrong. A key file that does not exist yet holds nothing.
pub fn run(args: &NeededArgs, out: &mut Out) -> Result<u8, CliError> {
    let profile = match Path::new(&args.profile) {
        file if file.is_file() => profiles::profile_file(file)?,
        _ => profiles::profile(&args.profile, &args.profiles)?,
    };
    let is_new = super::token_uri::read(&args.keys)?.is_none() && !args.keys.exists();
    let store = if is_new { None } else { Some(common::keys(&args.keys, &args.passphrase, out)?) };
    let needed = Needed {
        profile: profile.name().to_owned(),
        keys: keys_of(&profile, store.as_ref().map(|store| store as &dyn KeyStore), &args.keys),
    };
    let missing = needed.keys.iter().any(|key| !matches!(key.there, YES | NOT_NEEDED));
    if !out.json(&needed) {
        let rows: Vec<_> = needed.keys.iter().map(NeededKey::row).collect();
        out.table(&["NAME", "PURPOSE", "THERE", "NAMED AT"], &rows);
        let lines: Vec<_> = needed.keys.iter().filter_map(|key| key.make.as_ref()).collect();
        if !lines.is_empty() {
            out.line("");
            out.line("Make the missing ones (test keys):");
            lines.iter().for_each(|line| out.line(format!("  {line}")));
        }
        if needed.keys.iter().any(|key| key.there.starts_with("other")) {
            out.line("");
            out.line("A key of another purpose or version has that name: name another key in the profile.");
        }
    }
    Ok(if missing { FINDINGS } else { 0 })
}

impl NeededKey {
    fn row(&self) -> Vec<String> {
        vec![self.name.clone(), self.purpose.to_owned(), self.there.to_owned(), self.named_at.join(", ")]
    }
}

/// A key as a profile names it.
pub(super) struct WantedKey {
    /// Its name.
    pub(super) name: String,
    /// What it is for.
    pub(super) purpose: Purpose,
    /// Its kind.
    pub(super) algorithm: Algorithm,
    /// The version that the product's cards ask for, if they do.
    pub(super) version: Option<u8>,
    /// Where the profile names it.
    pub(super) named_at: Vec<String>,
}

/// A profile's keys in the order in which it names them, the master keys first; each name and purpose once.
pub(super) fn wanted(profile: &Profile) -> Vec<WantedKey> {
    let mut keys: Vec<WantedKey> = Vec::new();
    let masters = profile.masters().iter().map(|name| ("keys.master".to_owned(), name.as_str(), Purpose::Kmc));
    let others = profile.named_keys().into_iter().map(|key| (key.path, key.name, key.purpose));
    for (path, name, purpose) in masters.chain(others) {
        if let Some(known) = keys.iter_mut().find(|key| key.name == name && key.purpose == purpose) {
            known.named_at.push(path);
            continue;
        }
        let version = Some(profile.channel().key_version).filter(|&it| it != 0 && purpose == Purpose::Kmc);
        let (name, algorithm) = (name.to_owned(), algorithm(profile, purpose));
        keys.push(WantedKey { name, purpose, algorithm, version, named_at: vec![path] });
    }
    keys
}

/// The keys of a profile, and which of them are there.
fn keys_of(profile: &Profile, store: Option<&dyn KeyStore>, file: &Path) -> Vec<NeededKey> {
    let needed = |wanted: WantedKey| {
        let there = there(profile, store, &wanted.name, wanted.purpose);
        let make = (there == NO).then(|| make(&wanted, file));
        NeededKey { name: wanted.name, purpose: wanted.purpose.name(), named_at: wanted.named_at, there, make }
    };
    let mut keys: Vec<NeededKey> = wanted(profile).into_iter().map(needed).collect();
    // One master key is enough.
    let is_master = |key: &NeededKey| key.purpose == Purpose::Kmc.name();
    if keys.iter().any(|key| is_master(key) && key.there == YES) {
        for key in keys.iter_mut().filter(|key| is_master(key) && key.there != YES) {
            (key.there, key.make) = (NOT_NEEDED, None);
        }
    }
    keys
}

fn there(profile: &Profile, store: Option<&dyn KeyStore>, name: &str, purpose: Purpose) -> &'static str {
    let Some(store) = store else { return NO };
    let version = profile.channel().key_version;
    // A master key may be a set of three.
    if purpose == Purpose::Kmc {
        return match KeySet::find(store, name) {
            Ok(set) if version == 0 || set.parts().iter().all(|part| part.version == version) => YES,
            Ok(_) => "other version",
            Err(_) if store.keys().iter().any(|key| key.name == name) => "other purpose",
            Err(_) => NO,
        };
    }
    match store.keys().iter().find(|key| key.name == name) {
        Some(key) if key.purpose == purpose => YES,
        Some(_) => "other purpose",
        None => NO,
    }
}

/// The command that makes a test key of this name.
fn make(wanted: &WantedKey, file: &Path) -> String {
    let version = wanted.version.map(|version| format!(" --key-version {version}")).unwrap_or_default();
    let (name, file) = (&wanted.name, file.display());
    let (purpose, algorithm) = (wanted.purpose.name(), wanted.algorithm.name());
    format!(
        "perso keys generate --keys {file} --test --name {name} --purpose {purpose} --algorithm {algorithm}{version}"
    )
}

/// The kind of key that a purpose takes on this product: card keys of the channel's cipher, AES-256 for records, two-key
/// triple DES for what issuers' hosts compute.
fn algorithm(profile: &Profile, purpose: Purpose) -> Algorithm {
    let aes_card = matches!(profile.channel().protocol, Protocol::Scp03 { .. });
    match purpose {
        Purpose::Kmc | Purpose::Transport if aes_card => Algorithm::Aes128,
        Purpose::Record => Algorithm::Aes256,
        Purpose::IssuerRsa => Algorithm::Rsa,
        _ => Algorithm::Tdes2,
    }
}
