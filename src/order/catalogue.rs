//! The site's catalogue: the identifiers that an order may name, and which of them each card product allows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::OrderFile;
use super::problem::Findings;
use super::problem::SiteError;
use super::{Issuance, Source};
use crate::base::emv::Pan;

/// What an order gets if it names no shipment, packaging or carrier; always allowed. // D1 services
const NOTHING: [(&str, &str); 3] =
    [("delivery", "NO_SHIPMENT"), ("packaging", "NO_PACK"), ("cardCarrier", "NO_CARRIER")];
/// Digits of a PAN range: at least the shortest issuer identifier. // ISO/IEC 7812-1
const RANGE_DIGITS: std::ops::RangeInclusive<usize> = 4..=19;

/// The catalogue: `[catalogue]` of the site file.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogueFile {
    /// Meaning of each issuance word: `creation`, `renewal` or `replacement`. Empty: these three words.
    pub issuance: BTreeMap<String, String>,
    /// Priorities, each with its lead time in working days.
    pub priority: BTreeMap<String, u32>,
    /// Shipment methods. `NO_SHIPMENT` is always allowed.
    pub delivery: Vec<String>,
    /// Packagings. `NO_PACK` is always allowed.
    pub packaging: Vec<String>,
    /// Card carriers. `NO_CARRIER` is always allowed.
    pub carrier: Vec<String>,
    /// Inserts.
    pub insert: Vec<String>,
    /// Artworks.
    pub artwork: Vec<String>,
    /// Plastics.
    pub plastic: Vec<String>,
    /// Whether sample cards (`alphaCard`) may be ordered.
    pub samples: bool,
    /// Card products.
    pub product: Vec<CatalogueProduct>,
}

/// A card product of the catalogue. An absent list allows everything that the catalogue lists.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogueProduct {
    /// Identifier: `cardProductId` of an order.
    pub id: String,
    /// Name of the card profile.
    pub profile: String,
    /// PAN ranges: leading digits, such as `476173`, or from-to, such as `476173-476175`.
    pub pan_ranges: Vec<String>,
    /// The plastic that the card is made of; named to those who make the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plastic: Option<String>,
    /// Allowed issuance words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuance: Option<Vec<String>>,
    /// Allowed priorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Vec<String>>,
    /// Allowed shipment methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Vec<String>>,
    /// Allowed packagings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packaging: Option<Vec<String>>,
    /// Allowed card carriers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Vec<String>>,
    /// Allowed inserts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert: Option<Vec<String>>,
    /// Allowed artworks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artwork: Option<Vec<String>>,
    /// Whether samples of it may be ordered; what the catalogue says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<bool>,
}

impl CatalogueFile {
    /// Checks that words, ranges and references make sense. `profiles` are the names of the site's profiles.
    ///
    /// # Errors
    /// The first fault, with its path.
    pub(super) fn validate(&self, profiles: &[&str]) -> Result<(), SiteError> {
        let fault = |path: String, message: &str| Err(SiteError { path, message: message.into() });
        for (word, kind) in &self.issuance {
            if Issuance::find(kind).is_none() {
                return fault(format!("catalogue.issuance.{word}"), "must be creation, renewal or replacement");
            }
        }
        for (at, product) in self.product.iter().enumerate() {
            let path = |name: &str| format!("catalogue.product[{at}].{name}");
            if self.product.iter().take(at).any(|earlier| earlier.id == product.id) {
                return fault(path("id"), "duplicate product identifier");
            }
            if !profiles.contains(&product.profile.as_str()) {
                return fault(path("profile"), "the site lists no [[profile]] of this name");
            }
            if product.pan_ranges.is_empty() {
                return fault(path("pan_ranges"), "needs at least one PAN range");
            }
            if let Some(at) = product.pan_ranges.iter().position(|range| bounds(range).is_none()) {
                return fault(
                    path(&format!("pan_ranges[{at}]")),
                    "must be 4 to 19 leading digits, or two of equal length in ascending order with a hyphen between",
                );
            }
            if product.plastic.as_ref().is_some_and(|plastic| !self.plastic.contains(plastic)) {
                return fault(path("plastic"), "not listed in catalogue.plastic");
            }
            for list in LISTS {
                let named = (list.of_product)(product).unwrap_or_default();
                if let Some(name) = named.iter().position(|name| !self.lists(list, name)) {
                    let message = format!("not listed in catalogue.{}", list.name);
                    return fault(path(&format!("{}[{name}]", list.name)), &message);
                }
            }
        }
        Ok(())
    }

    fn lists(&self, list: &List, name: &str) -> bool {
        NOTHING.contains(&(list.member, name)) || (list.known)(self, name)
    }

    /// The kind of issuance that a word stands for.
    pub(super) fn issuance(&self, word: &str) -> Option<Issuance> {
        if self.issuance.is_empty() {
            return Issuance::find(word);
        }
        self.issuance.get(word).and_then(|kind| Issuance::find(kind))
    }

    /// Checks the identifiers of an order against the catalogue. Returns what is added for those who make the card.
    pub(super) fn check(
        &self,
        order: &OrderFile,
        source: Source,
        pan: Option<&Pan>,
        path: &dyn Fn(&str) -> String,
        found: &mut Findings,
    ) -> Vec<(&'static str, String)> {
        let product = self.product(order, source, pan, path, found);
        if let Some(word) = &order.issuance_word
            && let Some(product) = product
            && product.issuance.as_ref().is_some_and(|allowed| !allowed.contains(word))
        {
            found.refuse(path("issuance"), not_allowed("this kind of issuance", product));
        }
        for list in LISTS.iter().filter(|list| list.name != "issuance") {
            for (own, name) in list.named(order) {
                if !self.lists(list, name) {
                    found.value(path(&own), format!("not listed in the site's catalogue.{}", list.name));
                } else if let Some(product) = product
                    && !NOTHING.contains(&(list.member, name))
                    && (list.of_product)(product).is_some_and(|allowed| !allowed.iter().any(|it| it == name))
                {
                    found.refuse(path(&own), not_allowed(list.what, product));
                }
            }
        }
        if order.product.sample {
            match product {
                Some(product) if !product.samples.unwrap_or(self.samples) => {
                    found.refuse(path("product.sample"), not_allowed("a sample card", product));
                }
                None if !self.samples && !found.is_faulty(&path("report.cardProductId")) => {
                    found.refuse(path("product.sample"), "this site makes no sample cards (catalogue.samples)");
                }
                _ => {}
            }
        }
        let lead = order.fulfilment.0.get("priority").and_then(|name| self.priority.get(name));
        let lead = lead.map(|days| ("leadTimeDays", days.to_string()));
        let plastic = product.and_then(|product| product.plastic.clone()).map(|plastic| ("plastic", plastic));
        lead.into_iter().chain(plastic).collect()
    }

    /// The product that an order names, or else the one of its profile and PAN.
    fn product(
        &self,
        order: &OrderFile,
        source: Source,
        pan: Option<&Pan>,
        path: &dyn Fn(&str) -> String,
        found: &mut Findings,
    ) -> Option<&CatalogueProduct> {
        let profile = order.product.profile.as_str();
        if let Some(id) = order.report.0.get("cardProductId").filter(|_| source == Source::D1) {
            let Some(product) = self.product.iter().find(|product| product.id == *id) else {
                found.value(path("report.cardProductId"), "not listed in the site's catalogue.product");
                return None;
            };
            if product.profile != profile {
                found.refuse(path("product.profile"), not_allowed("this profile", product));
            }
            if pan.is_some_and(|pan| !product.takes(pan)) {
                found.refuse(path("card.pan"), not_allowed("a PAN outside its pan_ranges", product));
            }
            return Some(product);
        }
        let of_profile: Vec<&CatalogueProduct> =
            self.product.iter().filter(|product| product.profile == profile).collect();
        let pan = pan.filter(|_| !of_profile.is_empty())?;
        let product = of_profile.into_iter().find(|product| product.takes(pan));
        if product.is_none() {
            found
                .value(path("card.pan"), "no product of the catalogue with this profile has the PAN in its pan_ranges");
        }
        product
    }
}

fn not_allowed(what: &str, product: &CatalogueProduct) -> String {
    format!("product {:?} does not allow {what}", product.id)
}

impl CatalogueProduct {
    /// Whether a PAN is in one of its ranges.
    fn takes(&self, pan: &Pan) -> bool {
        let fits = |range: &String| {
            let Some((from, to)) = bounds(range) else { return false };
            pan.digits().get(..from.len()).is_some_and(|digits| (from..=to).contains(&digits))
        };
        self.pan_ranges.iter().any(fits)
    }
}

/// First and last leading digits of a range: as many digits each.
fn bounds(range: &str) -> Option<(&str, &str)> {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let digits = |text: &str| RANGE_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(from) && digits(to) && from.len() == to.len() && from <= to).then_some((from, to))
}

/// A list of the catalogue.
struct List {
    /// Its name in the catalogue and in a product.
    name: &'static str,
    /// The member of an order, by its name among the values of the order's part.
    member: &'static str,
    what: &'static str,
    known: fn(&CatalogueFile, &str) -> bool,
    of_product: fn(&CatalogueProduct) -> Option<&[String]>,
}

/// The lists that orders name entries of.
const LISTS: &[List] = &[
    List {
        name: "issuance",
        member: "issuance",
        what: "this kind of issuance",
        known: |it, name| it.issuance(name).is_some(),
        of_product: |it| it.issuance.as_deref(),
    },
    List {
        name: "priority",
        member: "priority",
        what: "this priority",
        known: |it, name| it.priority.contains_key(name),
        of_product: |it| it.priority.as_deref(),
    },
    List {
        name: "delivery",
        member: "delivery",
        what: "this shipment method",
        known: |it, name| it.delivery.iter().any(|own| own == name),
        of_product: |it| it.delivery.as_deref(),
    },
    List {
        name: "packaging",
        member: "packaging",
        what: "this packaging",
        known: |it, name| it.packaging.iter().any(|own| own == name),
        of_product: |it| it.packaging.as_deref(),
    },
    List {
        name: "carrier",
        member: "cardCarrier",
        what: "this card carrier",
        known: |it, name| it.carrier.iter().any(|own| own == name),
        of_product: |it| it.carrier.as_deref(),
    },
    List {
        name: "insert",
        member: "packagingConfig.inserts[]",
        what: "this insert",
        known: |it, name| it.insert.iter().any(|own| own == name),
        of_product: |it| it.insert.as_deref(),
    },
    List {
        name: "artwork",
        member: "cardDesign.artworkId",
        what: "this artwork",
        known: |it, name| it.artwork.iter().any(|own| own == name),
        of_product: |it| it.artwork.as_deref(),
    },
];

impl List {
    /// What an order names of this list, with its path in our own shape.
    fn named<'a>(&self, order: &'a OrderFile) -> Vec<(String, &'a str)> {
        let (part, values) =
            if self.name == "artwork" { ("print", &order.print) } else { ("fulfilment", &order.fulfilment) };
        let fits = |name: &str| match self.member.strip_suffix("[]") {
            Some(start) => name.strip_prefix(start).is_some_and(|rest| rest.starts_with('[')),
            None => name == self.member,
        };
        let fitting = values.0.iter().filter(|(name, _)| fits(name));
        fitting.map(|(name, value)| (format!("{part}.{name}"), value.as_str())).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pan_ranges_are_leading_digits_or_from_to() {
        let product = |range: &str| CatalogueProduct {
            id: "p".into(),
            profile: "p".into(),
            pan_ranges: vec![range.into()],
            plastic: None,
            issuance: None,
            priority: None,
            delivery: None,
            packaging: None,
            carrier: None,
            insert: None,
            artwork: None,
            samples: None,
        };
        let pan = Pan::parse("4761739001010119").unwrap();
        for range in ["4761", "476173", "476170-476179", "476173-476173", "4761739001010119"] {
            assert!(product(range).takes(&pan), "{range}");
        }
        for range in ["4762", "476174-476179", "476100-476172", "47617390010101190"] {
            assert!(!product(range).takes(&pan), "{range}");
        }
        for range in ["", "476", "47617x", "476179-476170", "4761-476179", "4761-", "47617390010101190000"] {
            assert_eq!(bounds(range), None, "{range}");
        }
    }
}
