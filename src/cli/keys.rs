//! `perso keys`: what is in custody, and sealing it. Never prints a key.

use std::path::Path;

use serde::Serialize;

use super::args::KeysCommand;
use super::claimed::{self, Access, Existing};
use super::common::{self, CliError, Out};
use super::custody;
use super::{keys_passphrase, keys_public};
use crate::issuance::file_kind::FileKind;
use crate::keys::{KeyHeader, KeyInfo, KeyStore, file};

/// The columns of the list.
const COLUMNS: &[&str] = &["NAME", "PURPOSE", "VER", "ALGORITHM", "KCV", "METHOD", "KIND", "ZONE", "LIMITS", "KMCID"];

/// A key as it is listed.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Listed<'a> {
    /// Name.
    name: &'a str,
    /// Whose key it is.
    zone: &'a str,
    /// What it is for.
    purpose: &'static str,
    /// Version; of a card's master key the key version number.
    version: u8,
    /// Cipher and length.
    algorithm: &'static str,
    /// Check value, hexadecimal.
    kcv: String,
    /// How the check value is made.
    kcv_method: &'static str,
    /// A test key.
    test: bool,
    /// KMCID of the cards that a master key is for.
    kmcid: Option<String>,
    /// The limits of the key block that it came in; absent if it came without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<ListedHeader<'a>>,
}

/// The keys of a key file or token.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ListedKeys<'a> {
    /// The keys, in the order of the file.
    pub keys: Vec<Listed<'a>>,
}

/// The header of a key block as it is listed.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ListedHeader<'a> {
    /// Key usage.
    usage: &'a str,
    /// Mode of use; N sets no limits.
    mode: char,
    /// Key version number; 00 if none.
    key_version: &'a str,
    /// Exportability: E, N or S.
    exportability: char,
    /// Key context: 0 or 2.
    context: char,
    /// Ids of the optional blocks.
    blocks: Vec<&'a str>,
}

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
            let phrase = common::ask(passphrase, true, out)?;
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

impl<'a> ListedHeader<'a> {
    fn of(header: &'a KeyHeader) -> Self {
        Self {
            usage: &header.usage,
            mode: header.mode,
            key_version: &header.key_version,
            exportability: header.exportability,
            context: header.context,
            blocks: header.blocks.iter().map(|block| block.id.as_str()).collect(),
        }
    }

    fn text(&self) -> String {
        format!(" {}/{}/{}", self.usage, self.mode, self.exportability)
    }
}

impl<'a> Listed<'a> {
    /// What is shown of a key.
    pub fn of(key: &'a KeyInfo) -> Self {
        Self {
            name: &key.name,
            zone: &key.zone,
            purpose: key.purpose.name(),
            version: key.version,
            algorithm: key.algorithm.name(),
            kcv: hex::encode_upper(&key.kcv.value),
            kcv_method: key.kcv.method.name(),
            test: key.test,
            kmcid: key.kmcid.map(hex::encode_upper),
            header: key.header.as_ref().map(ListedHeader::of),
        }
    }

    /// The cells of [`COLUMNS`].
    fn row(&self) -> Vec<String> {
        vec![
            self.name.to_owned(),
            self.purpose.to_owned(),
            format!("{:02X}", self.version),
            self.algorithm.to_owned(),
            self.kcv.clone(),
            self.kcv_method.to_owned(),
            if self.test { "test" } else { "live" }.to_owned(),
            self.zone.to_owned(),
            self.header.as_ref().map(|header| header.text().trim().to_owned()).unwrap_or_default(),
            self.kmcid.clone().unwrap_or_default(),
        ]
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let zone = if self.zone.is_empty() { String::new() } else { format!(", zone {}", self.zone) };
        format!(
            "{}, {}{zone}, version {:02X}, {}, KCV {} ({}){}{}, {}",
            self.name,
            self.purpose,
            self.version,
            self.algorithm,
            self.kcv,
            self.kcv_method,
            self.kmcid.as_ref().map(|id| format!(", KMCID {id}")).unwrap_or_default(),
            self.header.as_ref().map(|header| format!(",{}", header.text())).unwrap_or_default(),
            if self.test { "test key" } else { "live key" },
        )
    }
}
