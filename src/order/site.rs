//! What this site is and does, as far as an order can name it: an argument of every intake.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalogue::CatalogueFile;
use super::pin_form::PinForm;
use super::problem::SiteError;
use super::{Channel, Issuance, Source};

/// The longest validity of a card, in months.
const MOST_MONTHS: u32 = 240;
/// Card statuses of Pismo whose cards are made if the site lists none.
const STATUSES: [&str; 2] = ["CREATED", "NORMAL"];

/// A site as it is configured: `[site]` of a station's configuration, or a file of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SiteFile {
    /// Ids of the stations here (`persoStation`).
    pub stations: Vec<String>,
    /// Ids of this center (`persoCenter`).
    pub centers: Vec<String>,
    /// Channels that are served: `instant`, `central`, `factory`.
    pub channels: Vec<String>,
    /// Whether orders register consumer and card (D1): `consumerId` and `cardProductId` are required then.
    pub implicit_registration: bool,
    /// Card statuses of Pismo whose cards are made. Empty: `CREATED` and `NORMAL`.
    pub card_status: Vec<String>,
    /// Where magnetic stripes are written: `here`, `elsewhere` or `none`.
    pub stripe: String,
    /// Keys that encrypted orders may come under. Nothing else is tried.
    pub jwe: Vec<JweFile>,
    /// Keys that PIN blocks come under.
    pub pin: Vec<PinKeyFile>,
    /// Key encryption keys of prepared TLV blocks, by their id: name of a key.
    pub kek: BTreeMap<String, String>,
    /// Refuse prepared TLV blocks whose MAC key has 8 bytes (single DES); otherwise they are told.
    pub refuse_single_des_macs: bool,
    /// Keys by the index that orders name them with.
    pub index: Vec<IndexFile>,
    /// The products that are made here.
    pub profile: Vec<ProductRule>,
    /// Which product an order becomes that names none itself. The first that fits counts.
    pub select: Vec<SelectFile>,
    /// Identifiers that orders may name. Absent: identifiers are not checked, and a warning says so.
    pub catalogue: Option<CatalogueFile>,
    /// What a Pismo `reason_id` stands for: `renewal` or `replacement`. Others are replacements.
    pub reason: BTreeMap<String, String>,
}

/// An entry of the allow-list for encrypted orders: all three must be those of the order's header.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JweFile {
    /// `kid` of the header.
    pub kid: String,
    /// `ECDH-ES` or `RSA-OAEP-256`.
    pub alg: String,
    /// `A256GCM`.
    pub enc: String,
    /// Name of the private key in the key store.
    pub key: String,
}

/// A key that PIN blocks come under.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinKeyFile {
    /// `ISO0`, `ISO0TK` or `ISO4`.
    pub form: String,
    /// As orders name it.
    pub kid: String,
    /// Name in the key store.
    pub key: String,
}

/// Keys by index.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexFile {
    /// `oda`, `derivation`, `pv` or `cv`.
    pub r#use: String,
    /// Two hexadecimal digits.
    pub index: String,
    /// Names in the key store.
    pub keys: Vec<String>,
}

/// A product that is made here: what an order must know of its profile.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductRule {
    /// Name of the profile; `paymentApplication.config` of a D1 order.
    pub name: String,
    /// Whether it works without contacts.
    pub contactless: bool,
    /// How many payment applications it has.
    pub applications: u32,
    /// Whether a card of it needs a PIN.
    pub pin_required: bool,
    /// The expiry of a card whose order states none. Absent: such an order is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<ExpiryRule>,
}

/// The expiry of a card whose order states only the old card's. // Mastercard Processing: Expiry Date Rule
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpiryRule {
    /// The old expiry is kept if the order is received more than this many months before it.
    pub keep_if_more_than: u32,
    /// Otherwise the card is valid for this many months from the month of receipt: 1 to 240.
    pub months: u32,
}

/// Which product an order becomes. What is not stated fits everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SelectFile {
    /// `pismo` or `mastercard`.
    pub source: Option<String>,
    /// The card network.
    pub brand: Option<String>,
    /// Pismo's `template_id`.
    pub template: Option<String>,
    /// Pismo's `embossing_group`.
    pub embossing_group: Option<String>,
    /// Name of the profile.
    pub profile: String,
    /// Name of the profile without contactless.
    pub contact_only: Option<String>,
    /// Name of the profile with two applications.
    pub combo: Option<String>,
    /// The station that makes it.
    pub station: String,
    /// Index of the PIN verification key, where a PVV is asked for.
    pub pv_key: Option<String>,
}

/// A site whose configuration makes sense.
#[derive(Debug, Clone)]
pub struct Site {
    file: SiteFile,
    channels: Vec<Channel>,
    has_stripe: bool,
}

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexUse {
    /// The issuer's RSA key.
    Oda,
    /// Issuer master keys.
    Derivation,
    /// The PIN verification key.
    Pv,
    /// The card verification key.
    Cv,
}

impl IndexUse {
    /// All of them.
    pub const ALL: [IndexUse; 4] = [IndexUse::Oda, IndexUse::Derivation, IndexUse::Pv, IndexUse::Cv];

    /// As it is configured.
    pub fn name(self) -> &'static str {
        match self {
            IndexUse::Oda => "oda",
            IndexUse::Derivation => "derivation",
            IndexUse::Pv => "pv",
            IndexUse::Cv => "cv",
        }
    }
}

impl Site {
    /// Reads a site's own file (TOML).
    ///
    /// # Errors
    /// It is no TOML of this shape, or does not make sense.
    pub fn parse(text: &str) -> Result<Self, SiteError> {
        let file: SiteFile = toml::from_str(text)
            .map_err(|error| SiteError { path: "(file)".into(), message: error.message().to_owned() })?;
        Self::of(file)
    }

    /// A site from its configuration.
    ///
    /// # Errors
    /// A word that is not known, or a name that nothing has.
    pub fn of(file: SiteFile) -> Result<Self, SiteError> {
        let wrong = |path: String, message: &str| Err(SiteError { path, message: message.into() });
        let mut channels = Vec::new();
        for (at, word) in file.channels.iter().enumerate() {
            match Channel::find(word) {
                Some(channel) => channels.push(channel),
                None => return wrong(format!("channels[{at}]"), "must be instant, central or factory"),
            }
        }
        let has_stripe = match file.stripe.as_str() {
            "here" | "elsewhere" => true,
            "none" | "" => false,
            _ => return wrong("stripe".into(), "must be here, elsewhere or none"),
        };
        for (at, rule) in file.jwe.iter().enumerate() {
            if !["ECDH-ES", "RSA-OAEP-256"].contains(&rule.alg.as_str()) {
                return wrong(format!("jwe[{at}].alg"), "only ECDH-ES and RSA-OAEP-256 are accepted");
            }
            if rule.enc != "A256GCM" {
                return wrong(format!("jwe[{at}].enc"), "only A256GCM is accepted");
            }
            if rule.kid.is_empty() || rule.key.is_empty() {
                return wrong(format!("jwe[{at}]"), "kid and key must have names");
            }
            if file.jwe.iter().take(at).any(|earlier| earlier.kid == rule.kid && earlier.alg == rule.alg) {
                return wrong(format!("jwe[{at}]"), "this kid and alg stand twice");
            }
        }
        for (at, rule) in file.pin.iter().enumerate() {
            if PinForm::find(&rule.form).is_none() {
                return wrong(format!("pin[{at}].form"), "must be ISO0, ISO0TK or ISO4");
            }
        }
        for (at, rule) in file.index.iter().enumerate() {
            if !IndexUse::ALL.iter().any(|it| it.name() == rule.r#use) {
                return wrong(format!("index[{at}].use"), "must be oda, derivation, pv or cv");
            }
            if rule.keys.is_empty() {
                return wrong(format!("index[{at}].keys"), "it names no key");
            }
        }
        for (at, rule) in file.profile.iter().enumerate() {
            if rule.expiry.is_some_and(|rule| !(1..=MOST_MONTHS).contains(&rule.months)) {
                return wrong(format!("profile[{at}].expiry.months"), "must be 1 to 240");
            }
            if rule.expiry.is_some_and(|rule| rule.keep_if_more_than > MOST_MONTHS) {
                return wrong(format!("profile[{at}].expiry.keep_if_more_than"), "must be 0 to 240");
            }
        }
        if let Some(catalogue) = &file.catalogue {
            let profiles: Vec<&str> = file.profile.iter().map(|rule| rule.name.as_str()).collect();
            catalogue.validate(&profiles)?;
        }
        for (at, rule) in file.select.iter().enumerate() {
            let named = [Some(&rule.profile), rule.contact_only.as_ref(), rule.combo.as_ref()];
            if named.into_iter().flatten().any(|name| !file.profile.iter().any(|it| it.name == *name)) {
                return wrong(format!("select[{at}]"), "it names a profile that is not listed");
            }
            if !file.stations.contains(&rule.station) {
                return wrong(format!("select[{at}].station"), "there is no such station");
            }
        }
        for (id, word) in &file.reason {
            if Issuance::find(word).is_none() || word == "creation" {
                return wrong(format!("reason.{id}"), "it is neither renewal nor replacement");
            }
        }
        Ok(Self { file, channels, has_stripe })
    }

    pub(super) fn file(&self) -> &SiteFile {
        &self.file
    }

    /// What it says of a product.
    pub fn product(&self, name: &str) -> Option<&ProductRule> {
        self.file.profile.iter().find(|rule| rule.name == name)
    }

    pub(super) fn catalogue(&self) -> Option<&CatalogueFile> {
        self.file.catalogue.as_ref()
    }

    /// Whether cards of this Pismo status are made.
    pub(super) fn makes_status(&self, status: &str) -> bool {
        match self.file.card_status.is_empty() {
            true => STATUSES.contains(&status),
            false => self.file.card_status.iter().any(|own| own == status),
        }
    }

    /// Whether orders register consumer and card.
    pub(super) fn registers(&self) -> bool {
        self.file.implicit_registration
    }

    /// Whether orders of this channel are served.
    pub fn serves(&self, channel: Channel) -> bool {
        self.channels.contains(&channel)
    }

    /// Whether a stripe can be written, here or elsewhere.
    pub fn has_stripe(&self) -> bool {
        self.has_stripe
    }

    pub(super) fn has_station(&self, id: &str) -> bool {
        self.file.stations.iter().any(|own| own == id)
    }

    pub(super) fn has_center(&self, id: &str) -> bool {
        self.file.centers.iter().any(|own| own == id)
    }

    /// Names of the keys with this index.
    pub fn keys_of(&self, wanted: IndexUse, index: &str) -> Option<&[String]> {
        let rule = self.file.index.iter().find(|rule| rule.r#use == wanted.name() && rule.index == index);
        rule.map(|rule| rule.keys.as_slice())
    }

    pub(super) fn pin_key(&self, form: PinForm, kid: &str) -> Option<&str> {
        let rule = self.file.pin.iter().find(|rule| rule.form == form.name() && rule.kid == kid);
        rule.map(|rule| rule.key.as_str())
    }

    pub(super) fn kek(&self, id: &str) -> Option<&str> {
        self.file.kek.get(id).map(String::as_str)
    }

    pub(super) fn refuses_single_des_macs(&self) -> bool {
        self.file.refuse_single_des_macs
    }

    pub(super) fn jwe(&self) -> &[JweFile] {
        &self.file.jwe
    }

    pub(super) fn reason(&self, id: i64) -> Issuance {
        let word = self.file.reason.get(&id.to_string());
        word.and_then(|word| Issuance::find(word)).unwrap_or(Issuance::Replacement)
    }

    /// The first rule that fits.
    pub(super) fn select(
        &self,
        source: Source,
        brand: Option<&str>,
        template: Option<&str>,
        group: Option<&str>,
    ) -> Option<&SelectFile> {
        let fits = |rule: &Option<String>, value: Option<&str>| rule.is_none() || rule.as_deref() == value;
        self.file.select.iter().find(|rule| {
            fits(&rule.source, Some(source.name()))
                && fits(&rule.brand, brand)
                && fits(&rule.template, template)
                && fits(&rule.embossing_group, group)
        })
    }
}
