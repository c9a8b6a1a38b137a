//! Our own order: the shape that the others are mapped to. `docs/schemas/order.schema.json` is made from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// An order for one card.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderFile {
    /// Version of this format: 1.
    pub(super) perso_order: u32,
    /// Whether it is test data. Only then may `card` stand in the clear.
    #[serde(default)]
    pub(super) test: bool,
    /// Who ordered what.
    pub(super) identity: IdentityFile,
    /// `creation`, `renewal` or `replacement`.
    pub(super) issuance: String,
    /// The word of the source for it, if the source has words of its own.
    #[serde(skip)]
    pub(super) issuance_word: Option<String>,
    /// `instant`, `central` or `factory`.
    pub(super) channel: String,
    /// The station that makes the card; required with `instant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) station: Option<String>,
    /// The center that makes the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) center: Option<String>,
    /// What product it becomes.
    pub(super) product: ProductFile,
    /// What is printed beside names, PAN and expiry, by name.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub(super) print: Values,
    /// How it reaches the cardholder, by name.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub(super) fulfilment: Values,
    /// What is only told back, by name.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub(super) report: Values,
    /// The card data in the clear: test data only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) card: Option<CardFile>,
    /// The card data, encrypted: a JWE in compact serialization, whose plaintext is a `card` object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encrypted_data: Option<String>,
}

/// Who ordered what.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityFile {
    /// The issuer: 1 to 64 letters, digits, _ and -
    pub(super) issuer: String,
    /// The card: 1 to 64 letters, digits, _ and -
    pub(super) card: String,
    /// The operation: one order. 1 to 64 letters, digits, _ and -
    pub(super) operation: String,
    /// When it was received, such as 2026-11-24T08:30:00Z.
    pub(super) received_at: String,
}

/// What product it becomes.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductFile {
    /// Name of the card profile.
    pub(super) profile: String,
    /// `VISA`, `MASTERCARD`, `AMEX`, …: where it is not the one that the PAN says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) brand: Option<String>,
    /// Whether it works without contacts; what the profile says where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) contactless: Option<bool>,
    /// How many payment applications it has; what the profile says where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) applications: Option<u32>,
    /// Whether it is a sample: it is marked as one everywhere.
    #[serde(default)]
    pub(super) sample: bool,
    /// Index of the issuer's RSA key that certifies the card's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) oda_key: Option<String>,
    /// Index of the issuer master keys that the card's keys are derived from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) derivation_key: Option<String>,
    /// Index of the PIN verification key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pv_key: Option<String>,
    /// Index of the card verification key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cv_key: Option<String>,
    /// Digits of the PIN; what the profile says where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pin_length: Option<u32>,
    /// Whether the PIN must be there.
    #[serde(default)]
    pub(super) pin_required: bool,
    /// Whether a PIN verification value is computed.
    #[serde(default)]
    pub(super) generate_pvv: bool,
}

/// The card data: everything that is secret.
#[derive(Default, Serialize, Deserialize, JsonSchema, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(super) struct CardFile {
    /// 12 to 19 digits.
    pub(super) pan: String,
    /// PAN sequence number (5F34), two digits; 00 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) psn: Option<String>,
    /// Which plastic of this card it is. No PAN sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plastic_sequence: Option<u32>,
    /// How often the card was issued again. Neither of the two above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) track_number: Option<u32>,
    /// Last month, YYMM; without it `old_expiry` and the product's expiry rule give it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) expiry: String,
    /// How the product's rule gave the expiry, in words.
    #[serde(skip)]
    pub(super) expiry_rule: Option<String>,
    /// Last month, YYMM, of the card that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) old_expiry: Option<String>,
    /// First day, YYYY-MM-DD; the day of receipt where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effective: Option<String>,
    /// The name that is printed.
    pub(super) name: String,
    /// The second line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) second_name: Option<String>,
    /// The name on track 1 and in the chip; the one of a given track 1 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encoded_name: Option<String>,
    /// Three digits; the product's where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) service_code: Option<String>,
    /// The PIN as it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pin: Option<PinFile>,
    /// Card verification value of the stripe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cvv: Option<String>,
    /// The printed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cvv2: Option<String>,
    /// The chip's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) icvv: Option<String>,
    /// PIN verification value; 0000 where it is absent and none is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pvv: Option<String>,
    /// With its sentinels, used as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) track1: Option<String>,
    /// With its sentinels, used as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) track2: Option<String>,
    /// With its sentinels, used as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) track3: Option<String>,
    /// Whether the card must have a stripe.
    #[serde(default)]
    pub(super) stripe: bool,
    /// Payment account reference (9F24), 29 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) par: Option<String>,
    /// Prepared TLV blocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) blocks: Vec<BlockFile>,
}

/// A PIN block as it arrives.
#[derive(Default, Serialize, Deserialize, JsonSchema, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(super) struct PinFile {
    /// `ISO0`, `ISO0TK` (under a transport key that comes along) or `ISO4`.
    pub(super) form: String,
    /// The enciphered block, hexadecimal.
    pub(super) block: String,
    /// Which key: of the block, or with `ISO0TK` of the transport key.
    pub(super) kid: String,
    /// With `ISO0TK`: the transport key under that key, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transport_key: Option<String>,
    /// With `ISO0TK`: its check value, three bytes, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transport_kcv: Option<String>,
}

/// A prepared TLV block.
#[derive(Default, Serialize, Deserialize, JsonSchema, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockFile {
    /// The application's AID, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aid: Option<String>,
    /// The application's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<String>,
    /// The application's start code, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start_code: Option<String>,
    /// Which key encryption key.
    pub(super) kek: String,
    /// The MAC key under it, 8 or 16 bytes, hexadecimal.
    pub(super) mac_key: String,
    /// Bytes of the data, decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) length: Option<String>,
    /// The data, hexadecimal.
    pub(super) data: String,
    /// Its MAC, four bytes, hexadecimal.
    pub(super) mac: String,
}

/// Values by name, wiped when they go.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Values(pub(super) BTreeMap<String, String>);

impl Values {
    /// Takes the others in.
    pub(super) fn extend(&mut self, mut others: Values) {
        self.0.append(&mut others.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}
