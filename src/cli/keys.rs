//! `perso keys`: what is in custody, and sealing it. Never prints a key.

use std::path::Path;

use super::args::KeysCommand;
use super::claimed::{self, Access, Existing};
use super::common::{self, CliError, Out};
use super::custody;
use super::listed_keys::{Listed, ListedKeys};
use super::{keys_needed, keys_passphrase, keys_public, stores};
use crate::issuance::file_kind::FileKind;
use crate::keys::{KeyStore, file};

/// The columns of the list.
const COLUMNS: &[&str] = &["NAME", "PURPOSE", "VER", "ALGORITHM", "KCV", "METHOD", "KIND", "ZONE", "LIMITS", "KMCID"];

/// Lists, seals, brings in, makes, follows, gives out.
///
/// # Errors
/// The key file or its passphrase is wrong, or what is asked for cannot be.
pub fn run(command: &KeysCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        KeysCommand::List { file, keys, passphrase } => {
            let keys = common::named_keys(file.as_ref().or(keys.as_ref()), "`perso keys list`")?;
            let store = common::keys(keys, passphrase, out)?;
            list(&store, out);
        }
        KeysCommand::Seal { keys, passphrase, output } => {
            let failed = |source| CliError::Keys { path: keys.clone(), source };
            let bytes = zeroize::Zeroizing::new(common::read_kind(keys, &[FileKind::KeyFile])?);
            let unsealed = file::read_unsealed(&bytes).map_err(failed)?;
            drop(bytes);
            let phrase = common::ask(passphrase, true, out)?;
            stores::guard_pin(passphrase, false, out)?;
            let sealed = file::seal(&unsealed, &phrase, &mut common::chance()).map_err(failed)?;
            seal(output, &sealed)?;
            out.written(output, format!("Sealed into {}.", output.display()));
        }
        KeysCommand::Import(args) => custody::import(args, out)?,
        KeysCommand::Generate(args) => custody::generate(args, out)?,
        KeysCommand::Rotate(args) => custody::rotate(args, out)?,
        KeysCommand::Export(args) => custody::export(args, out)?,
        KeysCommand::Load(args) => custody::load(args, out)?,
        KeysCommand::Kcv(args) => custody::kcv(args, out)?,
        KeysCommand::Needed(args) => return keys_needed::run(args, out),
        KeysCommand::Public(args) => keys_public::public(args, out)?,
        KeysCommand::Remove(args) => keys_public::remove(args, out)?,
        KeysCommand::Passphrase(args) => keys_passphrase::run(args, out)?,
    }
    Ok(0)
}

/// A new key file never replaces another, not even one that another process makes at the same time.
fn seal(output: &Path, sealed: &str) -> Result<(), CliError> {
    claimed::write(output, sealed, Existing::Keep, Access::Owner)
}

fn list(store: &dyn KeyStore, out: &mut Out) {
    let listed = ListedKeys { keys: store.keys().iter().map(Listed::of).collect() };
    if out.json(&listed) {
        return;
    }
    let rows: Vec<_> = listed.keys.iter().map(Listed::row).collect();
    out.table(COLUMNS, &rows);
}
