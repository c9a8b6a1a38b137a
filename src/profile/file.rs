//! The shape of a profile's file. `docs/schemas/profile.schema.json` is made from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prepare::file::PrepareFile;
use super::verification::VerifyFile;
use super::{CheckChallenge, Identity, Interface, SequenceCounter};

/// A card profile.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// Version of this format: 1.
    pub(super) perso_profile: u32,
    /// Name; records refer to it.
    pub(super) name: String,
    /// What it is, in a few words.
    pub(super) title: String,
    /// The secure channel.
    pub(super) channel: ChannelFile,
    /// The card's keys.
    pub(super) keys: KeysFile,
    /// How STORE DATA is sent.
    #[serde(default)]
    pub(super) store_data: StoreDataFile,
    /// The data groupings that the application takes.
    pub(super) dgi: Vec<DgiFile>,
    /// The applications that a card of this product has; none where any will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) application: Vec<ApplicationFile>,
    /// What a blank looks like.
    #[serde(default)]
    pub(super) blank: BlankFile,
    /// What is read back beside what was loaded.
    #[serde(default)]
    pub(super) expect: ExpectFile,
    /// Where every value of a card comes from; absent: records of this product come from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) prepare: Option<PrepareFile>,
    /// What the data of this product's cards may be, for the consistency rules.
    #[serde(default, skip_serializing_if = "RulesFile::is_empty")]
    pub(super) rules: RulesFile,
    /// What `perso verify` may do on this product's cards beyond reading.
    #[serde(default, skip_serializing_if = "VerifyFile::is_default")]
    pub(super) verify: VerifyFile,
    /// What this product's cards do differently; the card that has it is named in a comment.
    #[serde(default)]
    pub(super) quirks: QuirksFile,
    /// What is done after an equal read-back.
    #[serde(default, rename = "final")]
    pub(super) end: FinalFile,
}

/// The secure channel.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelFile {
    /// `SCP02` or `SCP03`.
    pub(super) protocol: ProtocolName,
    /// The `i` parameter, two hexadecimal digits.
    pub(super) i: String,
    /// SCP03 only: `S8` or `S16`.
    pub(super) mode: Option<ModeName>,
    /// Security level, two hexadecimal digits: P1 of EXTERNAL AUTHENTICATE.
    pub(super) level: String,
    /// Key version to ask for, two hexadecimal digits; `00` asks for the card's first.
    #[serde(default = "zero")]
    pub(super) key_version: String,
    /// What to do where the card's challenge is not the pseudo-random one.
    #[serde(default)]
    pub(super) check_challenge: CheckChallenge,
    /// AID of the issuer security domain; absent where the card selects it by default.
    pub(super) domain: Option<String>,
}

fn zero() -> String {
    "00".into()
}

/// Protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum ProtocolName {
    #[serde(rename = "SCP02")]
    Scp02,
    #[serde(rename = "SCP03")]
    Scp03,
}

/// Modes of SCP03.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum ModeName {
    S8,
    S16,
}

/// The card's keys.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeysFile {
    /// Names of master keys; exactly one must fit the card's KMCID and key version.
    pub(super) master: Vec<String>,
    /// How the card's keys come from the master key.
    pub(super) diversification: Method,
    /// EMV CPS only: first of the six bytes of the key diversification data, 0 to 4. Default 4.
    pub(super) offset: Option<usize>,
}

/// Diversification methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Method {
    None,
    EmvCps,
    Visa1,
    Visa2,
    Kdf3,
}

/// How STORE DATA is sent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreDataFile {
    /// `cps`: P1 tells last and encryption only. `gp`: and that the data is in DGI format.
    pub(super) p1: P1Coding,
    /// `one`: a command for each grouping, but for groups. `packed`: as many as fit.
    pub(super) packing: Packing,
    /// A grouping may go on in the next command.
    pub(super) spanning: bool,
    /// Most bytes of a command's data field, MAC and padding included: 32 to 65,535; over 255 takes extended APDUs.
    pub(super) max_command: usize,
    /// The card expects an Le.
    pub(super) le: bool,
}

impl Default for StoreDataFile {
    fn default() -> Self {
        Self { p1: P1Coding::Cps, packing: Packing::One, spanning: true, max_command: 255, le: false }
    }
}

/// Codings of P1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum P1Coding {
    Cps,
    Gp,
}

/// Packings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Packing {
    One,
    Packed,
}

/// A data grouping.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DgiFile {
    /// Its number, four hexadecimal digits, or a range such as `0101-0AFF`.
    pub(super) id: String,
    /// What it holds.
    pub(super) name: String,
    /// Enciphered under the card's DEK.
    #[serde(default)]
    pub(super) sealed: bool,
    /// Sealed groupings only: the padding that the card expects. Default `none`.
    pub(super) padding: Option<PaddingName>,
    /// Every record must hold it.
    #[serde(default)]
    pub(super) mandatory: bool,
    /// Most bytes of its value.
    #[serde(default = "most")]
    pub(super) max: usize,
    /// How it is read back: `record`, `fci`, `fci-contactless`, `gpo`, `gpo-contactless`, `get-data`, `pin-try-counter`,
    /// `none`, or `tag:82` if it is the bare value of that tag. Default: by its number.
    #[schemars(regex(
        pattern = r"^(record|fci|fci-contactless|gpo|gpo-contactless|get-data|pin-try-counter|none|tag:([0-9A-F]{2}){1,2})$"
    ))]
    pub(super) read_back: Option<String>,
    /// It holds the check values of the keys in this grouping, which the card compares.
    pub(super) kcv_of: Option<String>,
    /// AIDs of the applications that the line is for; none: for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) applications: Vec<String>,
}

/// An application of the product.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicationFile {
    /// Its AID, hexadecimal.
    pub(super) aid: String,
    /// A name for it, which may stand wherever the profile wants its AID: small letters, digits and hyphens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9-]+$"))]
    pub(super) id: Option<String>,
    /// What it is.
    pub(super) name: String,
    /// The interface over which it can be selected once it is personalized.
    #[serde(default)]
    pub(super) interface: Interface,
    /// The contactless kernel that processes it, 1 to 63; absent: as 9F2A of the PPSE's entry or the RID tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kernel: Option<u8>,
    /// AID of the application whose transaction counter (9F36) it uses; absent: it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counter: Option<String>,
}

fn most() -> usize {
    65_535
}

/// Paddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PaddingName {
    None,
    Always,
    IfNeeded,
}

/// What a blank looks like.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BlankFile {
    /// Answer to reset, hexadecimal, `..` for any byte.
    pub(super) atr: Option<String>,
    /// The same in a contactless reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contactless_atr: Option<String>,
    /// The card's life cycle, as GET STATUS tells it in a channel with the issuer security domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) life_cycle: Option<LifeCycle>,
    /// Every application of the record can be selected before the first is begun. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) applets: Option<bool>,
    /// What tells one chip from another. Default: the CPLC, else the key data of GET DATA CF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Identity>,
    /// CPLC fields by name: hexadecimal, `..` for any byte.
    pub(super) cplc: BTreeMap<String, String>,
}

/// What is read back beside what was loaded.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExpectFile {
    /// Tags that GET DATA must answer, hexadecimal.
    pub(super) get_data: Vec<String>,
}

/// What the data of this product's cards may be.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RulesFile {
    /// How PANs begin, one to eleven digits each; none: the product does not say.
    pub(super) pan_prefixes: Vec<String>,
    /// Application versions (9F08) beside those that every kernel knows, four hexadecimal digits each.
    pub(super) versions: Vec<String>,
}

impl RulesFile {
    fn is_empty(&self) -> bool {
        self.pan_prefixes.is_empty() && self.versions.is_empty()
    }
}

/// What this product's cards do differently.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QuirksFile {
    /// SCP03: the counter advances for commands without data too, as specified. Default true.
    pub(super) counter_without_data: bool,
    /// How the sequence counter of the secure channel moves between two logins. Default `shared`.
    #[serde(skip_serializing_if = "SequenceCounter::is_default")]
    pub(super) sequence_counter: SequenceCounter,
}

impl Default for QuirksFile {
    fn default() -> Self {
        Self { counter_without_data: true, sequence_counter: SequenceCounter::Shared }
    }
}

/// What is done after an equal read-back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FinalFile {
    /// The card's life cycle.
    pub(super) life_cycle: Option<LifeCycle>,
}

/// Life cycles of a card. // GPC 2.3.1 table 11-6
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum LifeCycle {
    #[serde(rename = "OP_READY")]
    OpReady,
    Initialized,
    Secured,
}

impl LifeCycle {
    pub(super) fn byte(self) -> u8 {
        match self {
            LifeCycle::OpReady => 0x01,
            LifeCycle::Initialized => 0x07,
            LifeCycle::Secured => 0x0F,
        }
    }
}
