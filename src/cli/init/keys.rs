//! The test keys of a laboratory: those that its product needs, and those that its site names.

use super::BITS;
use super::product::Product;
use super::site::LabSite;
use crate::base::crypto::RsaPublic;
use crate::base::{Chance, Secret};
use crate::cli::common::CliError;
use crate::cli::keys_needed::{self, WantedKey};
use crate::keys::file::{self, NewKey, Unsealed};
use crate::keys::{Algorithm, AnyStore, ForCalculator, KeyStore, PublicKey, Purpose, SoftwareStore, random};

/// RSA keys of issuers and of recipients of encrypted orders: bits and public exponent. // RFC 7518 §4.3
const ISSUER: (usize, u32) = (BITS, 3);
const RECIPIENT: (usize, u32) = (2048, 65537);

/// Test keys, drawn for one laboratory.
pub(super) struct LabKeys {
    keys: Unsealed,
    store: SoftwareStore,
    /// The same keys, as the sender of a PIN block has them.
    sender: AnyStore<ForCalculator>,
}

impl LabKeys {
    /// Draws every key that profile and site name.
    ///
    /// # Errors
    /// The random source fails.
    pub(super) fn draw(product: &Product, site: &LabSite, chance: &mut Chance) -> Result<Self, CliError> {
        let mut keys = Unsealed::default();
        let of_product = keys_needed::wanted(product.profile());
        let of_site = of_site(site).into_iter().filter(|key| of_product.iter().all(|it| it.name != key.name));
        for wanted in of_product.iter().chain(&of_site.collect::<Vec<_>>()) {
            let new = NewKey {
                name: wanted.name.clone(),
                zone: product.name().to_owned(),
                purpose: wanted.purpose,
                version: wanted.version.unwrap_or(1),
                kmcid: None,
                kcv_method: None,
                expected: None,
                test: true,
            };
            let rsa = if wanted.purpose == Purpose::IssuerRsa { ISSUER } else { RECIPIENT };
            keys.add(&new, wanted.algorithm, random(wanted.algorithm, rsa, chance)?)?;
        }
        let store = keys.to_store();
        let sender = keys.to_store().into();
        Ok(Self { keys, store, sender })
    }

    /// The key file, marked as holding test keys.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub(super) fn text(&self) -> Result<Secret<String>, CliError> {
        let failed = |source| CliError::Keys { path: super::KEYS.into(), source };
        file::mark(&self.keys).map(Secret::new).map_err(failed)
    }

    /// Names of the keys.
    pub(super) fn names(&self) -> Vec<String> {
        self.keys.infos().map(|info| info.name.clone()).collect()
    }

    /// Whole blocks under a zone key, as the sender of a PIN makes them.
    ///
    /// # Errors
    /// There is no such key, or these are not whole blocks.
    pub(super) fn under_zone_key(&self, name: &str, block: &[u8]) -> Result<Secret<Vec<u8>>, CliError> {
        let key = KeyStore::open(&self.sender, name, Purpose::Zpk)?;
        Ok(self.sender.encipher(&key, block, false)?)
    }

    /// The public half of the issuer's key.
    ///
    /// # Errors
    /// The product names none.
    pub(super) fn issuer(&self, product: &Product) -> Result<RsaPublic, CliError> {
        let names = product.key_names(&[Purpose::IssuerRsa]);
        let name = names.first().map(String::as_str).unwrap_or_default();
        Ok(self.store.rsa_public(&self.store.open(name, Purpose::IssuerRsa)?)?)
    }

    /// The public half of a recipient's key pair.
    ///
    /// # Errors
    /// There is no such key pair.
    pub(super) fn recipient(&self, name: &str) -> Result<PublicKey, CliError> {
        Ok(self.store.public_key(&self.store.open(name, Purpose::Jwe)?)?)
    }

    /// The public halves of the recipients' key pairs as files: name and text.
    ///
    /// # Errors
    /// As [`LabKeys::recipient`].
    pub(super) fn public_files(&self, site: &LabSite) -> Result<Vec<(String, String)>, CliError> {
        let mut files = Vec::new();
        for rule in &site.file().jwe {
            let public = self.recipient(&rule.key)?;
            files.extend(public.pem().map(|text| (format!("{}.pem", rule.kid), text)));
            let jwk = public.jwk(&rule.kid, Purpose::Jwe);
            files.extend(jwk.map(|jwk| (format!("{}.jwk.json", rule.kid), format!("{jwk:#}\n"))));
        }
        Ok(files)
    }
}

/// The keys that the site names.
fn of_site(site: &LabSite) -> Vec<WantedKey> {
    let file = site.file();
    let mut keys: Vec<WantedKey> = Vec::new();
    for key in site.site().named_keys() {
        let Some(&purpose) = key.purposes.first() else { continue };
        let agreed = file.jwe.iter().any(|rule| rule.key == key.name && rule.alg == "ECDH-ES");
        let wide = file.pin.iter().any(|rule| rule.key == key.name && rule.form == "ISO4");
        let algorithm = match purpose {
            Purpose::Jwe if agreed => Algorithm::P256,
            Purpose::Jwe => Algorithm::Rsa,
            Purpose::Zpk if wide => Algorithm::Aes128,
            _ => Algorithm::Tdes2,
        };
        if keys.iter().all(|it| it.name != key.name) {
            let (name, named_at) = (key.name.to_owned(), vec![key.path]);
            keys.push(WantedKey { name, purpose, algorithm, version: None, named_at });
        }
    }
    keys
}
