//! Card verification values, PIN verification value, and the tracks that they stand in.

use std::cell::OnceCell;

use super::{PrepareError, pattern};
use crate::base::Secret;
use crate::base::emv::track::Fields;
use crate::keys::card_values::{self, CVV2_SERVICE_CODE, CvvInput, ICVV_SERVICE_CODE};
use crate::keys::pin::{self, Ibm3624, Pin};
use crate::keys::{KeyStore, Purpose};
use crate::order::{IndexUse, Order, Pvv};
use crate::profile::prepare::{Pattern, Recipe, Role};

/// Digits of the card verification values of stripe and chip where the order gives none: as the product says, or else as
/// the PAN's network has them.
pub(super) fn encoded_digits(order: &Order, recipe: &Recipe) -> usize {
    recipe.cvv_digits().unwrap_or(order.product().scheme().encoded_digits())
}

/// The values of one card, each computed when it is first asked for.
pub(super) struct Values<'a> {
    order: &'a Order,
    recipe: &'a Recipe,
    store: &'a dyn KeyStore,
    pin: Option<&'a Pin>,
    service_code: Option<String>,
    cvv: OnceCell<Secret<String>>,
    icvv: OnceCell<Secret<String>>,
    pvv: OnceCell<Secret<String>>,
    offset: OnceCell<Secret<String>>,
}

/// The stripe's card verification value and the chip's.
type StripeAndChip<'v> = (&'v Secret<String>, &'v Secret<String>);

impl<'a> Values<'a> {
    pub(super) fn new(order: &'a Order, recipe: &'a Recipe, store: &'a dyn KeyStore, pin: Option<&'a Pin>) -> Self {
        let service_code = order.chip().service_code().or(recipe.service_code()).map(str::to_owned);
        Self {
            order,
            recipe,
            store,
            pin,
            service_code,
            cvv: OnceCell::new(),
            icvv: OnceCell::new(),
            pvv: OnceCell::new(),
            offset: OnceCell::new(),
        }
    }

    /// Service code, where order or product give one.
    pub(super) fn service_code(&self) -> Option<&str> {
        self.service_code.as_deref()
    }

    /// A track: as the order gives it, or composed from the product's pattern; with its sentinels. None where there is
    /// neither.
    ///
    /// # Errors
    /// A value that the pattern asks for cannot be had, or what comes out is no track.
    pub(super) fn track(&self, number: u8) -> Result<Option<Secret<String>>, PrepareError> {
        if let Some((_, given)) = self.order.stripe().tracks().iter().find(|(held, _)| *held == number) {
            return Ok(Some(Secret::new(given.expose().clone())));
        }
        let (pattern, start) = match number {
            1 => (self.recipe.pattern(Pattern::Track1), '%'),
            2 => (self.recipe.pattern(Pattern::Track2), ';'),
            _ => return Ok(None),
        };
        let Some(pattern) = pattern else { return Ok(None) };
        let content = self.fill(pattern)?;
        let track = Secret::new(format!("{start}{}?", content.expose()));
        let read = if number == 1 { Fields::track1(track.expose()) } else { Fields::track2(track.expose()) };
        match read {
            Ok(_) => Ok(Some(track)),
            Err(error) => Err(PrepareError::Track { number, why: error.to_string() }),
        }
    }

    /// 57: PAN, expiry, service code, and the product's pattern of the rest. // EMV B3 annex A
    ///
    /// # Errors
    /// As [`Values::track`].
    pub(super) fn track_equivalent(&self) -> Result<Option<Secret<Vec<u8>>>, PrepareError> {
        let Some(pattern) = self.recipe.pattern(Pattern::Chip2) else { return Ok(None) };
        let service_code = self.service_code.clone().ok_or(PrepareError::ServiceCode)?;
        let fields = Fields {
            pan: self.order.chip().pan().clone(),
            name: None,
            expiry: self.order.chip().expiry().to_owned(),
            service_code,
            discretionary: self.fill(pattern)?.expose().clone(),
        };
        let value = fields.to_tag57().map_err(|error| PrepareError::Track { number: 2, why: error.to_string() })?;
        Ok(Some(Secret::new(value)))
    }

    /// 9F1F: discretionary data of track 1 on the chip.
    ///
    /// # Errors
    /// As [`Values::track`].
    pub(super) fn track_one_discretionary(&self) -> Result<Option<Secret<Vec<u8>>>, PrepareError> {
        let Some(pattern) = self.recipe.pattern(Pattern::Chip1) else { return Ok(None) };
        Ok(Some(Secret::new(self.fill(pattern)?.expose().clone().into_bytes())))
    }

    /// 56: track 1 as the antenna shows it, without sentinels.
    ///
    /// # Errors
    /// As [`Values::track`]; the PAN or the expiry in it is not the order's.
    pub(super) fn track_one_contactless(&self) -> Result<Option<Secret<Vec<u8>>>, PrepareError> {
        let Some(pattern) = self.recipe.pattern(Pattern::Contactless1) else { return Ok(None) };
        let content = self.fill(pattern)?;
        let track = Secret::new(format!("%{}?", content.expose()));
        let wrong = |why: String| PrepareError::Track { number: 1, why: format!("as the antenna shows it: {why}") };
        let fields = Fields::track1(track.expose()).map_err(|error| wrong(error.to_string()))?;
        if fields.pan != *self.order.chip().pan() || fields.expiry != self.order.chip().expiry() {
            return Err(wrong("PAN or expiry are not the order's".into()));
        }
        Ok(Some(Secret::new(content.expose().clone().into_bytes())))
    }

    /// The printed card verification value: the order's, or computed where the product has a key for it.
    ///
    /// # Errors
    /// The key cannot be used.
    pub(super) fn printed(&self) -> Result<Option<Secret<String>>, PrepareError> {
        if let Some(given) = self.order.print().cvv2() {
            return Ok(Some(Secret::new(given.expose().clone())));
        }
        if self.key(IndexUse::Cv, Role::Cvk).is_none() {
            return Ok(None);
        }
        let yymm = self.order.chip().expiry();
        let expiry = match yymm.split_at_checked(2) {
            Some((year, month)) if self.recipe.cvv2_over_mmyy() => format!("{month}{year}"),
            _ => yymm.to_owned(),
        };
        let digits = self.recipe.cvv2_digits().unwrap_or(self.order.product().scheme().printed_digits());
        self.verification_value(&expiry, CVV2_SERVICE_CODE, digits).map(Some)
    }

    fn fill(&self, pattern: &str) -> Result<Secret<String>, PrepareError> {
        pattern::fill(pattern, |name| self.placeholder(name))
    }

    fn placeholder(&self, name: &str) -> Result<Option<Secret<String>>, PrepareError> {
        let chip = self.order.chip();
        let text = |text: &str| Some(Secret::new(text.to_owned()));
        Ok(match name {
            "pan" => text(chip.pan().digits()),
            "name" => text(chip.encoded_name().map_or(" /", |name| name.expose())),
            "expiry" => text(chip.expiry()),
            "service_code" => self.service_code.as_deref().and_then(text),
            "pvki" => text(&self.recipe.pvki().to_string()),
            "pvv" => Some(again(self.pvv()?)),
            "offset" => Some(again(self.offset()?)),
            "cvv" => Some(again(self.cvv()?)),
            "icvv" => Some(again(self.icvv()?)),
            _ => None,
        })
    }

    /// The stripe's card verification value and the chip's. None where neither a key nor the order gives them.
    ///
    /// # Errors
    /// The key cannot be used, or there is no service code.
    pub(super) fn of_stripe_and_chip(&self) -> Result<Option<StripeAndChip<'_>>, PrepareError> {
        let given = self.order.stripe().cvv().is_some() && self.order.chip().icvv().is_some();
        if !given && self.key(IndexUse::Cv, Role::Cvk).is_none() {
            return Ok(None);
        }
        Ok(Some((self.cvv()?, self.icvv()?)))
    }

    fn cvv(&self) -> Result<&Secret<String>, PrepareError> {
        once(&self.cvv, || match self.order.stripe().cvv() {
            Some(given) => Ok(again(given)),
            None => {
                let code = self.service_code.clone().ok_or(PrepareError::ServiceCode)?;
                self.verification_value(self.order.chip().expiry(), &code, encoded_digits(self.order, self.recipe))
            }
        })
    }

    fn icvv(&self) -> Result<&Secret<String>, PrepareError> {
        once(&self.icvv, || match self.order.chip().icvv() {
            Some(given) => Ok(again(given)),
            None => {
                let digits = encoded_digits(self.order, self.recipe);
                self.verification_value(self.order.chip().expiry(), ICVV_SERVICE_CODE, digits)
            }
        })
    }

    fn pvv(&self) -> Result<&Secret<String>, PrepareError> {
        once(&self.pvv, || match self.order.stripe().pvv() {
            Pvv::Given(given) => Ok(again(given)),
            Pvv::Zero if !self.recipe.computes_pvv() => Ok(Secret::new("0000".to_owned())),
            Pvv::Zero | Pvv::Computed => {
                let pin = self.pin.ok_or(PrepareError::NoPin("a PIN verification value"))?;
                let name = self.pvv_key().ok_or(PrepareError::NoKey("a PIN verification key"))?;
                let key = self.store.open(name, Purpose::Pvk)?;
                digits(pin::pvv(self.store, &key, self.order.chip().pan(), self.recipe.pvki(), pin)?)
            }
        })
    }

    /// How far the PIN is from the natural one, digit by digit. // IBM 3624
    fn offset(&self) -> Result<&Secret<String>, PrepareError> {
        once(&self.offset, || {
            let pin = self.pin.ok_or(PrepareError::NoPin("an offset"))?;
            let how = self.recipe.offset().ok_or(PrepareError::Placeholder("offset".to_owned()))?;
            let validation = how.validation(self.order.chip().pan()).ok_or(PrepareError::Validation)?;
            let name = self.indexed(Purpose::Pvk3624).or_else(|| self.recipe.key(Role::Pvk3624));
            let name = name.ok_or(PrepareError::NoKey("a PIN verification key of the IBM 3624 method (pvk_3624)"))?;
            let key = self.store.open(name, Purpose::Pvk3624)?;
            let method = Ibm3624 { validation: &validation, table: how.table() };
            digits(pin::pin_offset(self.store, &key, &method, pin)?)
        })
    }

    /// The key of a PVV: the order's, or else the product's where it computes one always. An index that has keys of another
    /// purpose only gives the first of them, which is refused by its purpose.
    fn pvv_key(&self) -> Option<&str> {
        let of_product = || self.recipe.key(Role::Pvk).filter(|_| self.recipe.computes_pvv());
        self.indexed(Purpose::Pvk).or_else(of_product).or_else(|| self.key(IndexUse::Pv, Role::Pvk))
    }

    /// The key for a purpose among those that the order's PIN verification index names.
    fn indexed(&self, purpose: Purpose) -> Option<&str> {
        let of_purpose =
            |name: &&String| self.store.keys().iter().any(|key| key.name == **name && key.purpose == purpose);
        let key = self.order.product().keys(IndexUse::Pv)?;
        key.names.iter().find(of_purpose).map(String::as_str)
    }

    fn verification_value(
        &self,
        expiry: &str,
        service_code: &str,
        length: usize,
    ) -> Result<Secret<String>, PrepareError> {
        let name = self.key(IndexUse::Cv, Role::Cvk).ok_or(PrepareError::NoKey("a card verification key"))?;
        let key = self.store.open(name, Purpose::Cvk)?;
        let input = CvvInput { pan: self.order.chip().pan(), expiry, service_code };
        digits(card_values::cvv(self.store, &key, &input, length)?)
    }

    /// The key that the order names by index, or else the product's.
    fn key(&self, index: IndexUse, role: Role) -> Option<&str> {
        key(self.order, self.recipe, index, role)
    }
}

/// The key that the order names by index, or else the product's.
pub(super) fn key<'a>(order: &'a Order, recipe: &'a Recipe, index: IndexUse, role: Role) -> Option<&'a str> {
    let named = order.product().keys(index).and_then(|key| key.names.first());
    named.map(String::as_str).or_else(|| recipe.key(role))
}

/// Digits in ASCII as text.
fn digits(ascii: Secret<Vec<u8>>) -> Result<Secret<String>, PrepareError> {
    String::from_utf8(ascii.expose().clone()).map(Secret::new).map_err(|_| PrepareError::ServiceCode)
}

fn again(text: &Secret<String>) -> Secret<String> {
    Secret::new(text.expose().clone())
}

fn once(
    cell: &OnceCell<Secret<String>>,
    make: impl FnOnce() -> Result<Secret<String>, PrepareError>,
) -> Result<&Secret<String>, PrepareError> {
    if let Some(held) = cell.get() {
        return Ok(held);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
