//! What a product's cards allow to be proven on them, beyond reading: `[verify]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prepare::{Recipe, Role};
use crate::base::emv::Family;
use crate::keys::issuer::CardKeyMethod;

/// What may be proven on a card of the product.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VerifyFile {
    /// A transaction may be made on the card (GENERATE AC), where the operator asks for it too.
    pub(super) generate_ac: bool,
    /// One offline PIN try may be made, where the operator asks for it too and gives the PIN.
    pub(super) pin_try: bool,
    /// Name of the issuer master key for application cryptograms (purpose imk-ac). Where it is absent, as `[prepare.keys] imk_ac`
    /// says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) imk_ac: Option<String>,
    /// How the card's key comes from it: option `a` or `b`. Where it is absent, as `[prepare.make] icc_key` says; without
    /// that, `a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) card_key: Option<CardKeyMethod>,
    /// Whose cryptograms they are, where the issuer application data (9F10) do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cryptogram: Option<CryptogramKind>,
}

/// Whose cryptograms an application makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CryptogramKind {
    /// As Visa's: the version stands in the third byte of 9F10, or in the second of its form of 32 bytes.
    Vsdc,
    /// As Mastercard's: the version stands in its second byte.
    Mchip,
    /// EMV's common session keys over all that CDOL1 asks for.
    Plain,
}

impl CryptogramKind {
    /// As the reader of issuer application data takes it.
    pub fn family(self) -> Family {
        match self {
            Self::Vsdc => Family::Vsdc,
            Self::Mchip => Family::Mchip,
            Self::Plain => Family::Plain,
        }
    }
}

impl VerifyFile {
    pub(super) fn is_default(&self) -> bool {
        let nothing = self.imk_ac.is_none() && self.cryptogram.is_none() && self.card_key.is_none();
        !self.generate_ac && !self.pin_try && nothing
    }
}

/// What may be proven on a card of the product, and how.
#[derive(Debug, Clone, Copy)]
pub struct Verification<'a> {
    file: &'a VerifyFile,
    recipe: Option<&'a Recipe>,
    imk_ac: Option<&'a str>,
    card_key: CardKeyMethod,
}

impl<'a> Verification<'a> {
    pub(super) fn of(file: &'a VerifyFile, recipe: Option<&'a Recipe>) -> Self {
        let prepared = recipe.map(Recipe::icc_key);
        let key = recipe.filter(|_| file.generate_ac).and_then(Recipe::any_imk_ac);
        let imk_ac = file.imk_ac.as_deref().or(key);
        Self { file, recipe, imk_ac, card_key: file.card_key.or(prepared).unwrap_or(CardKeyMethod::A) }
    }

    /// A transaction may be made.
    pub fn may_generate_ac(self) -> bool {
        self.file.generate_ac
    }

    /// One PIN try may be made.
    pub fn may_try_pin(self) -> bool {
        self.file.pin_try
    }

    /// Name of the issuer master key for cryptograms.
    pub fn imk_ac(self) -> Option<&'a str> {
        self.imk_ac
    }

    /// Name of the issuer master key for cryptograms of an application, which may have one of its own.
    pub fn imk_ac_of(self, aid: &[u8]) -> Option<&'a str> {
        let app = self.recipe.and_then(|recipe| recipe.applications().iter().find(|app| app.aid == aid));
        self.imk_ac.map(|common| app.and_then(|app| app.key(Role::ImkAc)).unwrap_or(common))
    }

    /// AIDs of the applications with an issuer master key of their own.
    pub fn own_keys(self) -> impl Iterator<Item = &'a [u8]> {
        let apps = self.recipe.into_iter().flat_map(Recipe::applications);
        apps.filter(|app| app.key(Role::ImkAc).is_some()).map(|app| app.aid.as_slice())
    }

    /// How a card's key comes from it.
    pub fn card_key(self) -> CardKeyMethod {
        self.card_key
    }

    /// Whose cryptograms they are, where the profile says it.
    pub fn cryptogram(self) -> Option<CryptogramKind> {
        self.file.cryptogram
    }
}
