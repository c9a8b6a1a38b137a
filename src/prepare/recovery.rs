//! R11 over a finished record: its certificates and signatures are opened as a terminal opens those of the card.
//! // EMV B2 §5, §6; B3 §10.3

use super::authentication::{CardRsa, IssuerCertificate};
use crate::base::codec::tlv::{self, Tag, Tlv};
use crate::base::crypto::RsaPublic;
use crate::base::emv::certificate::{
    IssuerCertificate as Opened, MonthYear, ProvenCard, open_card, open_issuer, open_static,
};
use crate::base::emv::rules::{Certificates, Certified, Subject};
use crate::base::emv::{Afl, Pan, static_data};

/// Certificate, remainder, exponent.
const ISSUER: [u32; 3] = [0x90, 0x92, 0x9F32];
const ICC: [u32; 3] = [0x9F46, 0x9F48, 0x9F47];
const PIN: [u32; 3] = [0x9F2D, 0x9F2F, 0x9F2E];

/// Bits of the first byte of the AIP. // EMV B3 annex C1
const SDA: u8 = 0x40;
const DDA_OR_CDA: u8 = 0x21;

/// What recovering shows; none where the application claims no offline data authentication, or is of another scheme than
/// the issuer's certificate. A finding never quotes a value.
pub(super) fn recover(
    subject: &Subject<'_>,
    issuer: &IssuerCertificate,
    rsa: &CardRsa,
    month: Option<MonthYear>,
) -> Option<Certificates> {
    let located = subject.locator.as_ref()?.as_ref()?;
    if located.aip[0] & (SDA | DDA_OR_CDA) == 0 || !subject.aid.starts_with(&issuer.rid()) {
        return None;
    }
    let mut found = Certificates { ca: issuer.ca().length(), ..Certificates::default() };
    let Ok(afl) = Afl::parse(&located.afl) else {
        found.faults.push("the AFL is malformed".into());
        return Some(found);
    };
    let work = Recovery { subject, aip: located.aip, objects: subject.objects(), afl, month };
    if let Err(why) = work.all(issuer, rsa, &mut found) {
        found.faults.push(why);
    }
    Some(found)
}

struct Recovery<'a> {
    subject: &'a Subject<'a>,
    aip: [u8; 2],
    objects: Vec<Tlv>,
    afl: Afl,
    month: Option<MonthYear>,
}

impl Recovery<'_> {
    /// Up to the first thing that ends it for a terminal.
    fn all(&self, issuer: &IssuerCertificate, rsa: &CardRsa, found: &mut Certificates) -> Result<(), String> {
        if self.object(0x8F)? != [issuer.ca_index()] {
            return Err("8F is not the index of the CA key that the issuer's certificate opens with".into());
        }
        let opened = self.issuer(issuer.ca()).map_err(|why| format!("issuer certificate: {why}"))?;
        found.issuer = Some(certified(&opened.key, opened.expiry));
        let data = self.static_data()?;
        if self.aip[0] & SDA != 0 {
            let opens = self
                .object(0x93)
                .and_then(|signed| open_static(&opened.key, &signed, &data).map_err(|why| why.to_string()));
            opens.map_err(|why| format!("signed static data: {why}"))?;
        }
        if self.aip[0] & DDA_OR_CDA != 0 {
            let card = self.card(&opened.key, ICC, &data, rsa.icc.as_ref().map(|key| key.public()));
            let card = card.map_err(|why| format!("card certificate: {why}"))?;
            found.icc.push(certified(&card.key, card.expiry));
        }
        if self.object(PIN[0]).is_ok() {
            let card = self.card(&opened.key, PIN, &[], rsa.pin.as_ref().map(|key| key.public()));
            let card = card.map_err(|why| format!("PIN encipherment certificate: {why}"))?;
            found.icc.push(certified(&card.key, card.expiry));
        }
        Ok(())
    }

    fn issuer(&self, ca: &RsaPublic) -> Result<Opened, String> {
        let [certificate, remainder, exponent] = self.certificate(ISSUER)?;
        let opened = open_issuer(ca, &certificate, &remainder, &exponent).map_err(|why| why.to_string())?;
        opened.is_for(&self.pan()?).map_err(|why| why.to_string())?;
        self.month.map_or(Ok(()), |month| opened.is_valid_in(month)).map_err(|why| why.to_string())?;
        Ok(opened)
    }

    fn static_data(&self) -> Result<Vec<u8>, String> {
        let record = |sfi, number| self.subject.records.get(&(sfi, number)).map(|record| record.to_vec());
        let tag_list = self.object(0x9F4A).unwrap_or_default();
        static_data(&self.afl, record, &tag_list, self.aip).map_err(|why| why.to_string())
    }

    /// A certificate of a key of the card's; `own` is the key that the card gets.
    fn card(
        &self,
        issuer: &RsaPublic,
        tags: [u32; 3],
        data: &[u8],
        own: Option<&RsaPublic>,
    ) -> Result<ProvenCard, String> {
        let [certificate, remainder, exponent] = self.certificate(tags)?;
        let card = open_card(issuer, &certificate, &remainder, &exponent)
            .and_then(|card| card.prove(data))
            .map_err(|why| why.to_string())?;
        card.is_for(&self.pan()?).map_err(|why| why.to_string())?;
        self.month.map_or(Ok(()), |month| card.is_valid_in(month)).map_err(|why| why.to_string())?;
        match own {
            Some(own) if *own != card.key => Err("it certifies another key than the one that the card gets".into()),
            _ => Ok(card),
        }
    }

    /// Certificate, remainder (empty where there is none) and exponent.
    fn certificate(&self, [certificate, remainder, exponent]: [u32; 3]) -> Result<[Vec<u8>; 3], String> {
        Ok([self.object(certificate)?, self.object(remainder).unwrap_or_default(), self.object(exponent)?])
    }

    fn pan(&self) -> Result<Pan, String> {
        Pan::from_cn(&self.object(0x5A)?).map_err(|_| "5A is malformed".into())
    }

    fn object(&self, tag: u32) -> Result<Vec<u8>, String> {
        let tag = Tag::of(tag);
        tlv::find(&self.objects, tag).map(Tlv::value_bytes).ok_or_else(|| format!("the card does not give {tag}"))
    }
}

fn certified(key: &RsaPublic, expiry: MonthYear) -> Certified {
    Certified { modulus: key.length(), expiry: (expiry.year(), expiry.month()) }
}
