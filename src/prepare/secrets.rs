//! Secret groupings: derived, and sealed under the record's transport key before anybody sees them.

use super::authentication::CardRsa;
use super::{PrepareError, assemble};
use crate::base::crypto::KcvMethod;
use crate::base::{Chance, Secret};
use crate::keys::issuer::icc_master_key_to_seal;
use crate::keys::pin::{CardPin, Pin, PinFormat};
use crate::keys::{KeyHandle, KeyStore, Purpose, Sealed};
use crate::order::{IndexUse, Order};
use crate::profile::prepare::{AppRecipe, Content, GroupingDerived, Recipe, Role, Secrets as Wanted};
use crate::record::{CryptogramKey, DraftValue};

/// What secret groupings are made of.
pub(super) struct Secrets<'a> {
    pub(super) order: &'a Order,
    pub(super) recipe: &'a Recipe,
    pub(super) store: &'a dyn KeyStore,
    pub(super) pin: Option<&'a Pin>,
    pub(super) rsa: &'a CardRsa,
    /// The card's symmetric keys come in prepared blocks: no master key of ours gave them.
    pub(super) foreign_keys: bool,
}

impl Secrets<'_> {
    /// A value that came in a prepared block, under the transport key.
    pub(super) fn sealed_value(
        &self,
        value: &Secret<Vec<u8>>,
        chance: &mut Chance,
    ) -> Result<DraftValue, PrepareError> {
        let (transport, iv) = self.transport(chance)?;
        let ciphertext = self.store.seal(&transport, &iv, value)?;
        Ok(DraftValue::Sealed { key: transport.name().to_owned(), iv, ciphertext, length: value.len() })
    }

    fn transport(&self, chance: &mut Chance) -> Result<(KeyHandle, Vec<u8>), PrepareError> {
        let transport = self.store.open(self.recipe.transport_key(), Purpose::Transport)?;
        let cipher = transport.algorithm().cipher().ok_or(PrepareError::NoKey("a transport key of DES or AES"))?;
        let mut iv = vec![0; cipher.block()];
        chance.fill(&mut iv)?;
        Ok((transport, iv))
    }

    /// A grouping under the transport key.
    pub(super) fn sealed(
        &self,
        wanted: Wanted,
        app: &AppRecipe,
        chance: &mut Chance,
    ) -> Result<DraftValue, PrepareError> {
        let name = self.recipe.transport_key();
        let (transport, iv) = self.transport(chance)?;
        let (ciphertext, length) = match wanted {
            Wanted::IccKeys => {
                let keys = self.icc_keys(app)?;
                let handles: Vec<&KeyHandle> = keys.iter().collect();
                self.keys(&handles, &transport, &iv)?
            }
            Wanted::CvcKey => {
                let key = self.card_key(app, Role::ImkCvc)?;
                self.keys(&[&key], &transport, &iv)?
            }
            Wanted::PinBlock => {
                let pin = self.pin.ok_or(PrepareError::NoPin("a PIN block for the card"))?;
                let format = if self.recipe.pin_block_is_iso1() { PinFormat::Iso1 } else { PinFormat::Iso2 };
                let form = CardPin { format, wide: self.recipe.pin_block_is_wide() };
                self.store.seal_pin(pin, form, &transport, &iv, chance)?
            }
            part => {
                let value = self.part(part)?;
                (self.store.seal(&transport, &iv, &value)?, value.len())
            }
        };
        Ok(DraftValue::Sealed { key: name.to_owned(), iv, ciphertext, length })
    }

    /// A clear grouping that is computed from what is around it.
    pub(super) fn derived(
        &self,
        derived: GroupingDerived,
        app: &AppRecipe,
        before: Option<&(u16, DraftValue)>,
    ) -> Result<Secret<Vec<u8>>, PrepareError> {
        let value = match derived {
            GroupingDerived::Locator => assemble::locator(app, false)?,
            GroupingDerived::LocatorContactless => assemble::locator(app, true)?,
            GroupingDerived::PinTries => vec![self.recipe.pin_tries(); 2],
            GroupingDerived::CheckValues => self.check_values(app, before)?,
        };
        Ok(Secret::new(value))
    }

    /// Three bytes of each key in the grouping before. // CPS 1.1 annex A
    fn check_values(&self, app: &AppRecipe, before: Option<&(u16, DraftValue)>) -> Result<Vec<u8>, PrepareError> {
        if let (true, Some((0x8000..=0x800F, DraftValue::Sealed { key, iv, ciphertext, length }))) =
            (self.foreign_keys, before)
        {
            let transport = self.store.open(key, Purpose::Transport)?;
            let sealed = Sealed { iv: Some(iv), ciphertext, length: *length };
            return Ok(self.store.sealed_check_values(&transport, &sealed, 3)?);
        }
        let sealed = before.filter(|(_, value)| matches!(value, DraftValue::Sealed { .. }));
        let recipe = sealed.and_then(|(dgi, _)| app.groupings.iter().find(|grouping| grouping.dgi == *dgi));
        let keys = match recipe.map(|recipe| &recipe.content) {
            Some(Content::Secret(Wanted::IccKeys)) => self.icc_keys(app)?,
            Some(Content::Secret(Wanted::CvcKey)) => vec![self.card_key(app, Role::ImkCvc)?],
            _ => {
                let aid = hex::encode_upper(&app.aid);
                return Err(PrepareError::Recipe { aid, what: "check values stand behind the keys that they are for" });
            }
        };
        let values = keys.iter().map(|key| self.store.kcv(key, KcvMethod::DesZero, 3));
        Ok(values.collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn icc_keys(&self, app: &AppRecipe) -> Result<Vec<KeyHandle>, PrepareError> {
        Recipe::ICC_KEYS.into_iter().map(|role| self.card_key(app, role)).collect()
    }

    /// A card's key under an issuer master key. // EMV B2 annex A1.4
    fn card_key(&self, app: &AppRecipe, role: Role) -> Result<KeyHandle, PrepareError> {
        let (master, chip) = (self.master(app, role)?, self.order.chip());
        let psn = super::larder::bcd(app.psn.unwrap_or(chip.psn()));
        Ok(icc_master_key_to_seal(self.store, &master, chip.pan(), psn, self.recipe.icc_key())?)
    }

    /// What the card's keys for cryptograms are derived with, so that who proves the card goes by the same.
    pub(super) fn cryptogram_key(&self) -> Result<Option<CryptogramKey>, PrepareError> {
        let common = self.recipe.applications().iter().find(|app| app.key(Role::ImkAc).is_none() && has_keys(app));
        common.map_or(Ok(None), |app| self.cryptogram_key_in(app))
    }

    /// The same of an application that has a key of its own.
    pub(super) fn own_cryptogram_key(&self, app: &AppRecipe) -> Result<Option<CryptogramKey>, PrepareError> {
        if app.key(Role::ImkAc).is_none() { Ok(None) } else { self.cryptogram_key_in(app) }
    }

    fn cryptogram_key_in(&self, app: &AppRecipe) -> Result<Option<CryptogramKey>, PrepareError> {
        if !has_keys(app) || self.foreign_keys {
            return Ok(None);
        }
        let imk_ac = self.master(app, Role::ImkAc)?.name().to_owned();
        Ok(Some(CryptogramKey { imk_ac, method: self.recipe.icc_key() }))
    }

    /// The issuer master key in a role: the application's own, or the one that the order names by index, or the product's.
    pub(super) fn master(&self, app: &AppRecipe, role: Role) -> Result<KeyHandle, PrepareError> {
        let (purpose, what) = match role {
            Role::ImkSmi => (Purpose::ImkSmi, "an issuer master key for the MAC of scripts"),
            Role::ImkSmc => (Purpose::ImkSmc, "an issuer master key for the encipherment of scripts"),
            Role::ImkCvc => (Purpose::ImkCvc, "an issuer master key for dynamic card verification codes"),
            _ => (Purpose::ImkAc, "an issuer master key for application cryptograms"),
        };
        let named = self.order.product().keys(IndexUse::Derivation);
        let of_purpose =
            |name: &&String| self.store.keys().iter().any(|key| key.name == **name && key.purpose == purpose);
        let indexed = named.and_then(|key| key.names.iter().find(of_purpose)).map(String::as_str);
        let name = app.key(role).or(indexed).or_else(|| self.recipe.key(role)).ok_or(PrepareError::NoKey(what))?;
        Ok(self.store.open(name, purpose)?)
    }

    fn keys(&self, keys: &[&KeyHandle], transport: &KeyHandle, iv: &[u8]) -> Result<(Vec<u8>, usize), PrepareError> {
        Ok(self.store.seal_keys(keys, transport, iv)?)
    }

    /// A part of an RSA key. // CPS 1.1 annex A: 8201 to 8205
    fn part(&self, wanted: Wanted) -> Result<Secret<Vec<u8>>, PrepareError> {
        let missing = || PrepareError::Rsa("a grouping holds a part of a key that no certificate asks for".into());
        let icc = || self.rsa.icc.as_ref().ok_or_else(missing);
        let pin = || self.rsa.pin.as_ref().ok_or_else(missing);
        let part = match wanted {
            Wanted::IccInverse => icc()?.q_inverse(),
            Wanted::IccExponentQ => icc()?.dq(),
            Wanted::IccExponentP => icc()?.dp(),
            Wanted::IccPrimeQ => icc()?.q(),
            Wanted::IccPrimeP => icc()?.p(),
            Wanted::PinInverse => pin()?.q_inverse(),
            Wanted::PinExponentQ => pin()?.dq(),
            Wanted::PinExponentP => pin()?.dp(),
            Wanted::PinPrimeQ => pin()?.q(),
            Wanted::PinPrimeP => pin()?.p(),
            Wanted::IccKeys | Wanted::CvcKey | Wanted::PinBlock => return Err(missing()),
        };
        part.map_err(|error| PrepareError::Rsa(error.to_string()))
    }
}

/// Whether one of its groupings holds the card's keys for cryptograms.
fn has_keys(app: &AppRecipe) -> bool {
    app.groupings.iter().any(|grouping| grouping.content == Content::Secret(Wanted::IccKeys))
}
