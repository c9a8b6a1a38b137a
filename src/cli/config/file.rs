//! The form of a configuration, `perso.toml`. docs/config.md describes it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Formatter;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A station's configuration. Paths are relative to the file's own folder.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Version of this format: 1.
    pub(super) perso_config: u32,
    /// The site: which stations and centers orders may name, and from whom encrypted orders are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<SiteConfig>,
    /// Where keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<KeysConfig>,
    /// What is settled for tokens, by their labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tokens: BTreeMap<String, TokenConfig>,
    /// Card profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profiles: Option<ProfilesConfig>,
    /// The journal of cards that real readers make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) journal: Option<JournalConfig>,
    /// The ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ledger: Option<LedgerConfig>,
    /// Readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) readers: Option<ReadersConfig>,
    /// Files that `perso run` writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunConfig>,
    /// Defaults of any other option, by its long name without dashes; below the name of a command
    /// (`[options."keys export"]`) for that command only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) options: BTreeMap<String, OptionValue>,
}

/// The site.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// The file that describes it; `--site`.
    pub(super) file: PathBuf,
}

/// Where keys are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The key file, or a token as `pkcs11:token=LABEL?module-path=FILE`; `--keys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    /// A file with its passphrase, or the token's PIN, which nobody else may read; `--passphrase-file`. Without it the
    /// passphrase is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) passphrase_file: Option<PathBuf>,
}

/// A token, by its label.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The number of the mechanism by which the token makes retail MACs (ISO 9797-1 algorithm 3); `--token-retail-mac`.
    /// PKCS#11 standardizes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retail_mac: Option<u64>,
    /// Whether live keys that make such MACs may have a companion of their left half, which makes them as weak as single
    /// DES for whoever has the PIN; `--allow-left-half`.
    #[serde(default)]
    pub(super) allow_left_half: bool,
}

/// Card profiles.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilesConfig {
    /// Their folder; `--profiles`.
    pub(super) folder: PathBuf,
}

/// The journal.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// Its file, for cards in real readers where `--journal` names no other.
    pub(super) file: PathBuf,
}

/// The ledger.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerConfig {
    /// Its file; `--ledger`.
    pub(super) file: PathBuf,
}

/// Readers.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadersConfig {
    /// The reader that is taken where none is named; `--reader`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
}

/// Files that `perso run` writes. `{id}`, `{attempt}`, `{date}` and `{time}` in their names stand for the record's id, the
/// number of the attempt, and when it began.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The result; `--result`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<PathBuf>,
    /// The trace; `--trace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<PathBuf>,
}

/// The default of an option.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OptionValue {
    /// Yes or no: an option without a value.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// Of an option that may be given several times.
    List(Vec<String>),
    /// Of one command.
    Command(BTreeMap<String, OptionValue>),
}

impl OptionValue {
    pub(super) fn values(&self) -> Vec<OsString> {
        match self {
            OptionValue::Flag(flag) => vec![flag.to_string().into()],
            OptionValue::Number(number) => vec![number.to_string().into()],
            OptionValue::Text(text) => vec![text.into()],
            OptionValue::List(list) => list.iter().map(OsString::from).collect(),
            // A command within a command: there is no such option.
            OptionValue::Command(_) => Vec::new(),
        }
    }
}

impl<'de> Deserialize<'de> for OptionValue {
    /// In plain words: what serde says of an untagged enum names its types.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OptionVisitor)
    }
}

struct OptionVisitor;

impl<'de> Visitor<'de> for OptionVisitor {
    type Value = OptionValue;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("true or false, a whole number, a text in quotes, or a list of texts")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<OptionValue, E> {
        Ok(OptionValue::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<OptionValue, E> {
        Ok(OptionValue::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<OptionValue, E> {
        Ok(OptionValue::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OptionValue, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(OptionValue::List(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<OptionValue, A::Error> {
        let mut options = BTreeMap::new();
        while let Some(name) = table.next_key::<String>()? {
            // How the parser hands on a date.
            if name.starts_with("$__toml_private") {
                return Err(serde::de::Error::invalid_type(Unexpected::Other("a date"), &self));
            }
            options.insert(name, table.next_value()?);
        }
        Ok(OptionValue::Command(options))
    }
}
