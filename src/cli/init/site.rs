//! The site of a laboratory: its file, and what the file says.

use super::SITE;
use super::product::Product;
use crate::cli::common::CliError;
use crate::keys::Purpose;
use crate::order::{IndexUse, Site, SiteError, SiteFile};

const SITE_TEXT: &str = include_str!("templates/site.toml");
pub(super) const STATION: &str = "station-1";
pub(super) const CENTER: &str = "center-1";
/// The embossing group that `select` has for Pismo.
pub(super) const GROUP: &str = "branch-1";
/// The index of all keys that orders name.
pub(super) const INDEX: &str = "01";

/// The site of a laboratory.
pub(super) struct LabSite {
    text: String,
    file: SiteFile,
    site: Site,
}

impl LabSite {
    /// Its file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What the file says.
    pub(super) fn file(&self) -> &SiteFile {
        &self.file
    }

    /// The site.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }
}

/// The site that makes this product.
///
/// # Errors
/// The site is not one.
pub(super) fn site(product: &Product) -> Result<LabSite, CliError> {
    let failed = |source: SiteError| CliError::Site { path: SITE.into(), source };
    let text = filled(SITE_TEXT, product).replace("{INDEX}", index(product).trim_end());
    let site = Site::parse(&text).map_err(failed)?;
    let file = toml::from_str(&text)
        .map_err(|error| CliError::Option { option: "(site)", why: error.message().to_owned() })?;
    Ok(LabSite { text, file, site })
}

/// The keys that orders name by an index.
fn index(product: &Product) -> String {
    let uses = [
        (IndexUse::Oda, &[Purpose::IssuerRsa][..]),
        (IndexUse::Derivation, &[Purpose::ImkAc, Purpose::ImkSmi, Purpose::ImkSmc, Purpose::ImkCvc]),
        (IndexUse::Pv, &[Purpose::Pvk]),
        (IndexUse::Cv, &[Purpose::Cvk]),
    ];
    let entry = |(usage, purposes): &(IndexUse, &[Purpose])| {
        let keys: Vec<String> = product.key_names(purposes).iter().map(|name| format!("\"{name}\"")).collect();
        let (usage, keys) = (usage.name(), keys.join(", "));
        format!("[[index]]\nuse = \"{usage}\"\nindex = \"{INDEX}\"\nkeys = [{keys}]\n\n")
    };
    uses.iter().map(entry).collect()
}

/// A text with the facts of the product in it.
pub(super) fn filled(text: &str, product: &Product) -> String {
    let aid = product.aids().first().map(hex::encode_upper).unwrap_or_default();
    let (contactless, applications) = (product.is_contactless().to_string(), product.aids().len().to_string());
    [
        ("{NAME}", product.name()),
        ("{SAMPLE}", product.sample()),
        ("{AID}", &aid),
        ("{PAN_RANGE}", product.pan_range()),
        ("{CONTACTLESS_FLAG}", &contactless),
        ("{APPLICATIONS}", &applications),
        ("{STATION}", STATION),
        ("{CENTER}", CENTER),
        ("{GROUP}", GROUP),
    ]
    .iter()
    .fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
}
