//! Sample orders of each format for a laboratory's product, their card data encrypted for its keys.

use serde_json::{Value, json};

use super::dates::Dates;
use super::keys::LabKeys;
use super::pin::{LENGTH, LabPin};
use super::product::Product;
use super::site::{CENTER, GROUP, INDEX, LabSite, STATION};
use crate::base::{Chance, Secret};
use crate::cli::common::CliError;
use crate::order::encrypt;

/// Who is on the cards.
const NAME: &str = "JANE DOE";
const PRINTED_NAME: &str = "Jane Doe";
const ENCODED_NAME: &str = "DOE/JANE";
const ISSUER: &str = "issuer-1";

/// A sample order.
pub(super) struct LabOrder {
    name: &'static str,
    about: &'static str,
    text: Secret<String>,
}

impl LabOrder {
    /// Its file.
    pub(super) fn path(&self) -> String {
        format!("orders/{}.json", self.name)
    }

    /// What it is, in words.
    pub(super) fn about(&self) -> &'static str {
        self.about
    }

    /// Its text.
    pub(super) fn text(&self) -> &Secret<String> {
        &self.text
    }
}

/// How an order is protected.
#[derive(Clone, Copy)]
enum Protection {
    /// ECDH-ES, and a PIN block of format 0.
    EcIso0,
    /// RSA-OAEP-256, and a PIN block of format 0.
    RsaIso0,
    /// ECDH-ES, and a PIN block of format 4.
    EcIso4,
}

struct Maker<'a> {
    product: &'a Product,
    site: &'a LabSite,
    keys: &'a LabKeys,
    pin: &'a LabPin,
    dates: &'a Dates,
}

/// One order of each format; of D1 one of each channel.
///
/// # Errors
/// The random source fails.
pub(super) fn make(
    product: &Product,
    site: &LabSite,
    keys: &LabKeys,
    pin: &LabPin,
    dates: &Dates,
    chance: &mut Chance,
) -> Result<Vec<LabOrder>, CliError> {
    use Protection::{EcIso0, EcIso4, RsaIso0};
    let maker = Maker { product, site, keys, pin, dates };
    let mut orders = Vec::new();
    // Each order is another card of the account: its own PAN sequence number.
    for (psn, (name, protection, about)) in (1u8..).zip([
        ("own", EcIso0, "our own format; ECDH-ES, PIN block ISO0"),
        ("d1-instant", EcIso0, "Thales D1, INSTANT; ECDH-ES, PIN block ISO0"),
        ("d1-central", RsaIso0, "Thales D1, CENTRAL; RSA-OAEP-256, PIN block ISO0"),
        ("d1-thales", EcIso4, "Thales D1, THALES; ECDH-ES, PIN block ISO4"),
        ("pismo", RsaIso0, "Pismo reissue; RSA-OAEP-256, PIN block ISO0"),
        ("mastercard", EcIso4, "Mastercard-shaped reissue; ECDH-ES, PIN block ISO4"),
    ]) {
        let psn = format!("{psn:02}");
        let order = match name {
            "own" => maker.own(&psn, protection, chance)?,
            "pismo" => maker.pismo(&psn, protection, chance)?,
            "mastercard" => maker.mastercard(&psn, protection, chance)?,
            _ => maker.d1(name, &psn, protection, chance)?,
        };
        let failed = |source: serde_json::Error| CliError::Write { path: name.into(), source: source.into() };
        let text = serde_json::to_string_pretty(&order).map_err(failed)? + "\n";
        orders.push(LabOrder { name, about, text: Secret::new(text) });
    }
    Ok(orders)
}

impl Maker<'_> {
    fn own(&self, psn: &str, protection: Protection, chance: &mut Chance) -> Result<Value, CliError> {
        let mut card = self.card(psn, protection, chance)?;
        let more = json!({
            "plastic_sequence": 1, "track_number": 1, "effective": self.dates.today(), "encoded_name": ENCODED_NAME,
            "service_code": "201", "stripe": true,
        });
        if let (Some(card), Value::Object(more)) = (card.as_object_mut(), more) {
            card.extend(more);
        }
        Ok(json!({
            "perso_order": 1,
            "test": true,
            "identity": {
                "issuer": ISSUER, "card": "card-own", "operation": "operation-own", "received_at": self.dates.moment(),
            },
            "issuance": "creation",
            "channel": "instant",
            "station": STATION,
            "product": {
                "profile": self.product.name(), "oda_key": INDEX, "derivation_key": INDEX, "pv_key": INDEX,
                "cv_key": INDEX, "pin_required": true,
            },
            "fulfilment": { "counter": "1" },
            "encrypted_data": self.encrypted(&card, protection, chance)?,
        }))
    }

    fn d1(&self, name: &str, psn: &str, protection: Protection, chance: &mut Chance) -> Result<Value, CliError> {
        let year = self.dates.last_year() % 100;
        let (form, block, kid) = self.pin(protection, chance)?;
        let card = json!({
            "cardProductionType": "MAG_AND_CHIP_CARD",
            "pan": self.product.pan(),
            "exp": format!("12{year:02}"),
            "name": NAME,
            "panSequenceNumber": psn,
            "effectiveDate": self.dates.today(),
            "encodedName": ENCODED_NAME,
            "pin": { "type": form, "encryptedPin": block, "kid": kid },
        });
        let channel = name.trim_start_matches("d1-").to_ascii_uppercase();
        let mut body = json!({
            "distributionChannel": channel,
            "consumerId": "consumer-1",
            "cardProductId": self.product.name(),
            "services": { "issuance": "CREATION", "priority": "P1", "alphaCard": false },
            "paymentApplication": {
                "config": self.product.name(), "odaKeyIndex": INDEX, "derivationKeyIndex": INDEX, "pvKeyIndex": INDEX,
                "cvKeyIndex": INDEX,
            },
            "encryptedData": self.encrypted(&card, protection, chance)?,
        });
        let bulk = json!({
            "type": "BULK", "groupId": "group-1", "orderId": "order-1",
            "deliveryAddress": {
                "companyName": "Sample Bank", "lastName": "Doe", "line1": "1 Sample Road", "zipCode": "00001",
                "city": "Sampleton", "countryCode": "FR",
            },
        });
        let more = match channel.as_str() {
            "INSTANT" => json!({ "persoStation": STATION }),
            "CENTRAL" => json!({ "persoCenter": CENTER, "shipment": bulk }),
            _ => json!({ "issuerRequestId": "request-1", "shipment": bulk }),
        };
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        Ok(json!({
            "issuerId": ISSUER,
            "cardId": format!("card-{name}"),
            "operationId": format!("operation-{name}"),
            "receivedAt": self.dates.moment(),
            "body": body,
        }))
    }

    fn pismo(&self, psn: &str, protection: Protection, chance: &mut Chance) -> Result<Value, CliError> {
        let card = self.card(psn, protection, chance)?;
        let year = self.dates.last_year();
        let two = self.product.aids().len() > 1;
        Ok(json!({
            "perso_pismo": 1,
            "test": true,
            "orgId": "TN-1",
            "customerId": "765476676",
            "accountId": 7_654_776,
            "cardId": "6743051",
            "operationId": "operation-pismo",
            "receivedAt": self.dates.moment(),
            "x-idempotency-key": "key-1",
            "request": {
                "reason_id": 7,
                "printed_name": PRINTED_NAME,
                "pin_length": LENGTH,
                "embossing_group": GROUP,
                "contactless_enabled": self.product.is_contactless(),
                "mode_type": if two { "COMBO" } else { "SINGLE" },
                "brand": self.product.brand(),
                "generate_pvv": false,
                "expiration_date": format!("{:02}12", year % 100),
            },
            "response": {
                "program": { "id": "8519" },
                "account": { "id": 7_654_776 },
                "customer": { "id": 765_476_676 },
                "org": { "id": "TN-1" },
                "id": 6_743_052,
                "status": "CREATED",
                "issuing_date": self.dates.moment(),
                "expiration_date": format!("{year}-12-31T00:00:00Z"),
                "printed_name": PRINTED_NAME,
                "name": "PLASTIC",
                "mode": if two { "COMBO" } else { "DEBIT" },
                "track_number": 2,
                "contactless_enabled": self.product.is_contactless(),
                "type": "PLASTIC",
            },
            "encryptedData": self.encrypted(&card, protection, chance)?,
        }))
    }

    fn mastercard(&self, psn: &str, protection: Protection, chance: &mut Chance) -> Result<Value, CliError> {
        let card = self.card(psn, protection, chance)?;
        let year = self.dates.last_year();
        Ok(json!({
            "perso_mastercard": 1,
            "test": true,
            "issuerId": ISSUER,
            "cardContractId": "contract-1",
            "operationId": "operation-mastercard",
            "receivedAt": self.dates.moment(),
            "productCode": "DEBIT-1",
            "productionStatus": "Marked",
            "request": { "reissueType": "REISSUE" },
            "response": {
                "newCardExpiryDate": format!("{year}-12-31"), "plasticId": "plastic-2", "newSequenceNumber": 2,
            },
            "client": {
                "firstName": "Jane", "lastName": "Doe", "addressLine1": "1 Sample Road", "postalCode": "00001",
                "city": "Sampleton", "country": "FRA",
            },
            "encryptedData": self.encrypted(&card, protection, chance)?,
        }))
    }

    /// Card data in our own form.
    fn card(&self, psn: &str, protection: Protection, chance: &mut Chance) -> Result<Value, CliError> {
        let (form, block, kid) = self.pin(protection, chance)?;
        Ok(json!({
            "pan": self.product.pan(),
            "psn": psn,
            "expiry": format!("{:02}12", self.dates.last_year() % 100),
            "name": NAME,
            "pin": { "form": form, "block": block, "kid": kid },
        }))
    }

    /// Form, block and key id of the PIN, as the site lists them.
    fn pin(&self, protection: Protection, chance: &mut Chance) -> Result<(&str, String, &str), CliError> {
        let form = if matches!(protection, Protection::EcIso4) { "ISO4" } else { "ISO0" };
        let rules = self.site.file().pin.iter();
        let rule = rules.clone().find(|rule| rule.form == form).ok_or_else(|| missing("pin"))?;
        let pan = self.product.pan();
        let block = match form {
            "ISO4" => self.pin.iso4(self.keys, &rule.key, pan, chance)?,
            _ => self.pin.iso0(self.keys, &rule.key, pan)?,
        };
        Ok((form, block, &rule.kid))
    }

    fn encrypted(&self, card: &Value, protection: Protection, chance: &mut Chance) -> Result<String, CliError> {
        let alg = if matches!(protection, Protection::RsaIso0) { "RSA-OAEP-256" } else { "ECDH-ES" };
        let rule = self.site.file().jwe.iter().find(|rule| rule.alg == alg).ok_or_else(|| missing("jwe"))?;
        let failed = |source: serde_json::Error| CliError::Write { path: "orders".into(), source: source.into() };
        let text = Secret::of_json(card).map_err(failed)?;
        Ok(encrypt(&text, &rule.kid, &self.keys.recipient(&rule.key)?, chance)?)
    }
}

/// The site of a laboratory names keys of each kind.
fn missing(table: &'static str) -> CliError {
    CliError::Option { option: "(site)", why: format!("it has no such [[{table}]]") }
}
