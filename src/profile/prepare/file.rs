//! The shape of a profile's part on data preparation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::offset::OffsetFile;
use crate::profile::Interface;

/// Where every value of a card comes from: what data preparation does for this product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct PrepareFile {
    /// Name of the key that seals records.
    pub(in crate::profile) record_key: String,
    /// Name of the key that seals secret groupings.
    pub(in crate::profile) transport_key: String,
    /// Names of the keys by role.
    #[serde(default)]
    pub(in crate::profile) keys: RolesFile,
    /// How keys, PIN and card values are made.
    #[serde(default)]
    pub(in crate::profile) make: MakeFile,
    /// How an offset is made, where a pattern has `{offset}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) offset: Option<OffsetFile>,
    /// The stripe: patterns with `{pan}`, `{name}`, `{expiry}`, `{service_code}`, `{pvki}`, `{pvv}`, `{offset}`, `{cvv}`,
    /// `{icvv}`.
    #[serde(default)]
    pub(in crate::profile) patterns: PatternsFile,
    /// The applications in the order of personalization.
    pub(in crate::profile) application: Vec<ApplicationFile>,
    /// Where the tags of prepared TLV blocks go: grouping by tag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::profile) blocks: BTreeMap<String, String>,
    /// Whether the data of prepared TLV blocks is enciphered under the key that comes with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::profile) blocks_enciphered: bool,
    /// What the MAC of prepared TLV blocks is over: their `clear` data, or the `enciphered` data.
    #[serde(default, skip_serializing_if = "BlocksMac::is_default")]
    pub(in crate::profile) blocks_mac: BlocksMac,
    /// The data was padded before it was enciphered: ISO 9797-1 method 2. Otherwise it is whole blocks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::profile) blocks_padded: bool,
}

/// What the MAC of prepared TLV blocks is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::profile) enum BlocksMac {
    #[default]
    Clear,
    Enciphered,
}

impl BlocksMac {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Names of the keys by role; a role that no grouping asks for needs none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::profile) struct RolesFile {
    /// Issuer master key for application cryptograms.
    pub(in crate::profile) imk_ac: Option<String>,
    /// Issuer master key for the MAC of scripts.
    pub(in crate::profile) imk_smi: Option<String>,
    /// Issuer master key for the encipherment of scripts.
    pub(in crate::profile) imk_smc: Option<String>,
    /// Issuer master key for dynamic card verification codes.
    pub(in crate::profile) imk_cvc: Option<String>,
    /// Card verification key.
    pub(in crate::profile) cvk: Option<String>,
    /// PIN verification key, for a PVV.
    pub(in crate::profile) pvk: Option<String>,
    /// PIN verification key of the IBM 3624 method, for an offset.
    pub(in crate::profile) pvk_3624: Option<String>,
    /// The issuer's RSA key.
    pub(in crate::profile) issuer: Option<String>,
}

/// Names of the issuer master keys of one application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::profile) struct OwnKeysFile {
    /// For application cryptograms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) imk_ac: Option<String>,
    /// For the MAC of scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) imk_smi: Option<String>,
    /// For the encipherment of scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) imk_smc: Option<String>,
    /// For dynamic card verification codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) imk_cvc: Option<String>,
}

impl OwnKeysFile {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How keys, PIN and card values are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::profile) struct MakeFile {
    /// `A`, or `B` for PANs of more than 16 digits. // EMV B2 annex A1.4
    pub(in crate::profile) icc_key: OptionName,
    /// Bits of the card's RSA keys.
    pub(in crate::profile) rsa_bits: usize,
    /// Public exponent of the card's RSA keys: 3 or 65537.
    pub(in crate::profile) rsa_exponent: u32,
    /// The PIN block that the card stores: `iso2` or `iso1`.
    pub(in crate::profile) pin_block: PinBlockName,
    /// Eight random bytes stand behind the PIN block: cards with AES keys.
    pub(in crate::profile) pin_block_wide: bool,
    /// PIN tries.
    pub(in crate::profile) pin_tries: u8,
    /// PIN verification key index, 0 to 6.
    pub(in crate::profile) pvki: u8,
    /// Whose PVV it is where the order has none: `ordered`: computed if the order names a key, else 0000; `computed`:
    /// always, under the role's key where the order names none.
    pub(in crate::profile) pvv: PvvName,
    /// Digits of the card verification values of stripe and chip, 3 to 5; absent: as the PAN's network has them.
    pub(in crate::profile) cvv_digits: Option<usize>,
    /// Digits of the printed one, 3 or 4; absent: as the PAN's network has them.
    pub(in crate::profile) cvv2_digits: Option<usize>,
    /// Data authentication code in signed static data, hexadecimal, two bytes; absent: drawn for each card.
    pub(in crate::profile) dac: Option<String>,
    /// Service code of the stripe where the order has none.
    pub(in crate::profile) service_code: Option<String>,
    /// Where the stripe is made.
    pub(in crate::profile) stripe: StripeName,
    /// Expiry digits of the printed value: `yymm` or `mmyy`.
    pub(in crate::profile) cvv2_expiry: DateOrder,
}

impl Default for MakeFile {
    fn default() -> Self {
        Self {
            icc_key: OptionName::A,
            rsa_bits: 1024,
            rsa_exponent: 3,
            pin_block: PinBlockName::Iso2,
            pin_block_wide: false,
            pin_tries: 3,
            pvki: 1,
            pvv: PvvName::Ordered,
            cvv_digits: None,
            cvv2_digits: None,
            dac: None,
            service_code: None,
            stripe: StripeName::Elsewhere,
            cvv2_expiry: DateOrder::Yymm,
        }
    }
}

/// Derivations of card keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(in crate::profile) enum OptionName {
    A,
    B,
}

/// PIN blocks that a card stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::profile) enum PinBlockName {
    Iso1,
    Iso2,
}

/// When a PVV is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::profile) enum PvvName {
    Ordered,
    Computed,
}

/// Where the stripe is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::profile) enum StripeName {
    Elsewhere,
    Here,
    None,
}

/// Order of year and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::profile) enum DateOrder {
    Yymm,
    Mmyy,
}

/// Patterns of the stripe and of the chip's image of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::profile) struct PatternsFile {
    /// Track 1 between the sentinels, from `B` on.
    pub(in crate::profile) track1: Option<String>,
    /// Track 2 between the sentinels.
    pub(in crate::profile) track2: Option<String>,
    /// Discretionary data of 57, the chip's image of track 2.
    pub(in crate::profile) chip2: Option<String>,
    /// Discretionary data of track 1 on the chip (9F1F).
    pub(in crate::profile) chip1: Option<String>,
    /// Track 1 as the antenna shows it (56), from `B` on; a name of ` /` where none is to be shown.
    pub(in crate::profile) contactless1: Option<String>,
}

/// An application's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct ApplicationFile {
    /// Its AID, hexadecimal.
    pub(in crate::profile) aid: String,
    /// AID of the security domain that it is personalized through; absent: it opens the channel itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) through: Option<String>,
    /// Application interchange profile over the contacts, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) aip: Option<String>,
    /// Application interchange profile over the antenna.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) aip_contactless: Option<String>,
    /// PAN sequence number of this application, 0 to 99; absent: the order's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) psn: Option<u8>,
    /// Issuer master keys of this application alone. They take precedence over the order's key index and `[prepare.keys]`.
    #[serde(default, skip_serializing_if = "OwnKeysFile::is_empty")]
    pub(in crate::profile) keys: OwnKeysFile,
    /// The groupings in order.
    pub(in crate::profile) grouping: Vec<GroupingFile>,
}

/// One grouping: `put` (objects, within `template` where one is named), or one of `fixed`, `derive`, `secret`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct GroupingFile {
    /// Its number, four hexadecimal digits.
    pub(in crate::profile) dgi: String,
    /// Tag of the template that the objects stand in, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) template: Option<String>,
    /// Objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::profile) put: Vec<ObjectFile>,
    /// A value, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) fixed: Option<String>,
    /// A value that is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) derive: Option<GroupingDerived>,
    /// A secret, sealed under the transport key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) secret: Option<Secrets>,
    /// Records only: what makes a terminal see it. A list of `contact` (the AFL over the contacts names it), `contactless`
    /// (the AFL over the contactless interface) and `answer` (the contactless answer to GET PROCESSING OPTIONS carries its
    /// objects); `[]`: nothing does. Or one word: `contact`, `contactless`, `both`.
    #[serde(default)]
    pub(in crate::profile) read: ReadFile,
    /// Records only: it takes part in offline data authentication.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::profile) signed: bool,
    /// Left out where the card has no PIN of its own, or no contactless interface, and the grouping is about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) only: Option<Only>,
}

/// What makes a terminal see a record: a list, or one word for the interfaces whose AFL names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::profile) enum ReadFile {
    Word(Interface),
    List(Vec<ReadPlace>),
}

impl Default for ReadFile {
    fn default() -> Self {
        Self::Word(Interface::Both)
    }
}

/// A place in which a terminal finds a record's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::profile) enum ReadPlace {
    /// The record, by the AFL over the contacts.
    Contact,
    /// The record, by the AFL over the contactless interface.
    Contactless,
    /// The contactless answer to GET PROCESSING OPTIONS.
    Answer,
}

/// When a grouping is made at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    /// The order brings a PIN.
    WithPin,
}

/// One object: its tag, and exactly one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct ObjectFile {
    /// Its tag, hexadecimal.
    pub(in crate::profile) tag: String,
    /// Its value, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) fixed: Option<String>,
    /// The `id` of an application, whose AID is the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) aid: Option<String>,
    /// Its value as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) text: Option<String>,
    /// A field of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) order: Option<OrderField>,
    /// A value that is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::profile) derive: Option<Derived>,
    /// Objects within a template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::profile) put: Vec<ObjectFile>,
    /// The object is left out where its source has nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::profile) optional: bool,
}

/// Fields of an order, in the form that EMV wants. // EMV B3 annex A
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderField {
    /// PAN, compressed numeric.
    Pan,
    /// PAN sequence number, one byte.
    Psn,
    /// Expiry, YYMMDD, the last day of the month.
    Expiry,
    /// Effective date, YYMMDD, the first day of the month.
    Effective,
    /// The encoded name.
    Name,
    /// Service code, 0 and three digits.
    ServiceCode,
    /// Payment account reference.
    Par,
}

/// Values that are computed for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Derived {
    /// 57: track 2 equivalent data with the chip's own card verification value.
    TrackEquivalent,
    /// 9F1F: discretionary data of track 1 with the chip's own card verification value.
    TrackOneDiscretionary,
    /// 56: track 1 as the antenna shows it, without sentinels.
    TrackOneContactless,
    /// 8F: index of the CA's key.
    CaIndex,
    /// 90: issuer public key certificate.
    IssuerCertificate,
    /// 92: what of the issuer's modulus the certificate does not hold; left out where it holds all.
    IssuerRemainder,
    /// 9F32: the issuer's public exponent.
    IssuerExponent,
    /// 93: signed static application data.
    SignedStaticData,
    /// 9F46: ICC public key certificate.
    IccCertificate,
    /// 9F48: what of the card's modulus the certificate does not hold; left out where it holds all.
    IccRemainder,
    /// 9F47: the card's public exponent.
    IccExponent,
    /// 9F4B: room for the signature of fDDA in a record of the contactless AFL; left out if the answer to GET PROCESSING
    /// OPTIONS has room for the signature.
    FastSignature,
    /// 9F2D: ICC PIN encipherment public key certificate.
    PinCertificate,
    /// 9F2F: the rest of that key's modulus; left out where the certificate holds all.
    PinRemainder,
    /// 9F2E: its public exponent.
    PinExponent,
}

/// Values that are computed for a whole grouping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupingDerived {
    /// AIP and AFL over the contacts, computed from the records.
    Locator,
    /// AIP and AFL over the antenna.
    LocatorContactless,
    /// Check values of the keys that `kcv_of` of its `[[dgi]]` names, if they stand before; else of the grouping just before.
    CheckValues,
    /// PIN try counter and limit.
    PinTries,
}

/// Secrets that fill a grouping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Secrets {
    /// Card keys for cryptogram, script MAC and script encipherment. // CPS 1.1 annex A
    IccKeys,
    /// Card key for dynamic card verification codes.
    CvcKey,
    /// The PIN block.
    PinBlock,
    /// q⁻¹ mod p of the card's RSA key.
    IccInverse,
    /// d mod (q − 1).
    IccExponentQ,
    /// d mod (p − 1).
    IccExponentP,
    /// q.
    IccPrimeQ,
    /// p.
    IccPrimeP,
    /// The same of the PIN encipherment key: q⁻¹ mod p.
    PinInverse,
    /// d mod (q − 1).
    PinExponentQ,
    /// d mod (p − 1).
    PinExponentP,
    /// q.
    PinPrimeQ,
    /// p.
    PinPrimeP,
}
