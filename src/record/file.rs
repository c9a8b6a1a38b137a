//! The shapes of the files. The schemas in `docs/schemas` are made from them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::CryptogramKey;

/// A prepared record.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordFile {
    /// Version of this format: 1.
    pub(super) perso_record: u32,
    /// The clear part; its canonical JSON (RFC 8785) is the associated data of the body's seal.
    pub(super) header: HeaderFile,
    /// The sealed part.
    pub(super) body: SealedBodyFile,
}

/// The clear part.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderFile {
    /// The record's id: 1 to 64 letters, digits and - . _ :
    pub(super) id: String,
    /// The profile it was prepared for.
    pub(super) profile: ProfileFile,
    /// The key of the body's seal.
    pub(super) record_key: KeyFile,
    /// The keys of the groupings' seals.
    pub(super) transport_keys: Vec<KeyFile>,
    /// Whether it was made with test keys.
    pub(super) test: bool,
}

/// A profile by name and hash.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    /// Name.
    pub(super) name: String,
    /// SHA-256 of the parsed profile as canonical JSON, hexadecimal.
    pub(super) sha256: String,
}

/// A key by name and check value.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    /// Name.
    pub(super) name: String,
    /// Check value, hexadecimal, at least three bytes.
    pub(super) kcv: String,
    /// `des-zero`, `aes-zero`, `aes-ones` or `cmac`.
    pub(super) kcv_method: String,
}

/// The sealed part: AES-256-GCM.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedBodyFile {
    /// Twelve bytes, hexadecimal.
    pub(super) nonce: String,
    /// Hexadecimal.
    pub(super) ciphertext: String,
    /// Sixteen bytes, hexadecimal.
    pub(super) tag: String,
}

/// What the body holds once it is opened.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyFile {
    /// The applications in the order of personalization.
    pub(super) applications: Vec<ApplicationFile>,
    /// The magnetic stripe.
    pub(super) stripe: StripeFile,
    /// What is printed.
    #[serde(default)]
    pub(super) print: PrintFile,
    /// Facts that stand in the profile too, and must be equal there.
    #[serde(default)]
    pub(super) stated: StatedFile,
    /// What the card's keys for cryptograms were derived with, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cryptogram_key: Option<CryptogramKey>,
    /// The card's keys for cryptograms came with the order: no issuer master key here gave them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) foreign_keys: bool,
    /// The card is a sample: it is never used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) sample: bool,
    /// How the product's rule gave the expiry, in words; absent if the order states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expiry_rule: Option<String>,
    /// SHA-256 of the order that it was prepared from, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) order_sha256: Option<String>,
}

/// Facts that may be stated beside the profile.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StatedFile {
    /// `SCP02` or `SCP03`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The `i` parameter, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub i: Option<String>,
    /// Security level, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

/// An application.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicationFile {
    /// AID, 5 to 16 bytes, hexadecimal.
    pub(super) aid: String,
    /// How it is reached.
    pub(super) method: MethodFile,
    /// The groupings in order.
    pub(super) groupings: Vec<GroupingFile>,
    /// Lists of groupings that travel in one command.
    #[serde(default)]
    pub(super) groups: Vec<Vec<String>>,
    /// Groupings that the card may refuse with 6A88.
    #[serde(default)]
    pub(super) tolerate: Vec<String>,
    /// What its keys for cryptograms were derived with, if not with the record's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cryptogram_key: Option<CryptogramKey>,
}

/// How an application is reached.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum MethodFile {
    /// It opens the secure channel itself.
    Direct,
    /// Through the security domain with this AID.
    Through(String),
}

/// A grouping: exactly one of `value`, `sealed` and (in a clear record only) `secret`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupingFile {
    /// Its number, four hexadecimal digits.
    pub(super) dgi: String,
    /// Its value, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// Its value under a transport key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sealed: Option<SealedFile>,
    /// Its value, hexadecimal, to be sealed: in clear records for test keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<SecretFile>,
}

/// A value under a transport key.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedFile {
    /// Name of the transport key.
    pub(super) key: String,
    /// Initial value of CBC, one block, hexadecimal; absent for ECB (records of older sites).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iv: Option<String>,
    /// Length of the clear value.
    pub(super) length: usize,
    /// Hexadecimal.
    pub(super) ciphertext: String,
}

/// A value to be sealed.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretFile {
    /// Name of the transport key.
    pub(super) key: String,
    /// The clear value, hexadecimal.
    pub(super) value: String,
}

/// The magnetic stripe.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StripeFile {
    /// Where it is made: `here`, `elsewhere` or `none`.
    pub(super) made: MadeFile,
    /// Track 1, with or without sentinels, without LRC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) track1: Option<String>,
    /// Track 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) track2: Option<String>,
    /// Track 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) track3: Option<String>,
}

/// Where a stripe is made.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum MadeFile {
    Here,
    Elsewhere,
    None,
}

/// What is printed.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PrintFile {
    /// PAN, digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pan: Option<String>,
    /// Expiry, MM/YY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expiry: Option<String>,
    /// Effective date, MM/YY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effective: Option<String>,
    /// Lines of names.
    #[serde(default)]
    pub(super) names: Vec<String>,
    /// The printed card verification value, three or four digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cvv2: Option<String>,
    /// The card's design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) design: Option<String>,
    /// Free fields.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, String>,
}

/// A clear record, from which `perso record seal` makes a prepared one.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearFile {
    /// Version of this format: 1.
    pub(super) perso_clear_record: u32,
    /// The record's id.
    pub(super) id: String,
    /// Name of the profile.
    pub(super) profile: String,
    /// Name of the record key.
    pub(super) record_key: String,
    /// What the body shall hold.
    pub(super) body: BodyFile,
}

impl Drop for GroupingFile {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl Drop for StripeFile {
    fn drop(&mut self) {
        self.track1.zeroize();
        self.track2.zeroize();
        self.track3.zeroize();
    }
}

impl Drop for PrintFile {
    fn drop(&mut self) {
        self.pan.zeroize();
        self.cvv2.zeroize();
        self.names.zeroize();
    }
}
