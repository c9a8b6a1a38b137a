//! Certificates and signatures of offline data authentication, opened as a terminal does.

use super::input::{Inputs, wrong};
use super::shown::Calculated;
use crate::base::crypto::RsaPublic;
use crate::base::emv::Pan;
use crate::base::emv::certificate::{CertificateError, open_card, open_cda, open_dda, open_issuer, open_static};
use crate::cli::args::CertificateArgs;
use crate::cli::ca::ca_keys;
use crate::cli::common::CliError;

/// A hash over data with the PAN gives the PAN back: so few numbers have the digits that are shown.
const OVER_PAN: &str = "not shown: made over the PAN";

/// Opens what is given, from the first key on, as far as it goes.
pub fn open(args: &CertificateArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("certificate");
    let pan = args.pan.as_ref().map(|pan| inputs.pan("--pan", pan)).transpose()?;
    let static_data = args.static_data.as_ref().map(|data| inputs.bytes("--static-data", data)).transpose()?;
    let Some(issuer) = issuer(args, inputs, pan.as_ref(), &mut shown)? else { return Ok(shown) };
    if let (Some(ssad), Some(data)) = (&args.ssad, &static_data) {
        match open_static(&issuer, &inputs.bytes("--ssad", ssad)?, data) {
            Ok(opened) => {
                good(&mut shown, "signed static data");
                shown.bytes("  data authentication code", opened.dac);
                shown.result("  hash", OVER_PAN);
            }
            Err(error) => bad(&mut shown, "signed static data", error),
        }
    }
    let Some(icc) = icc(args, inputs, &issuer, static_data.as_deref(), pan.as_ref(), &mut shown)? else {
        return Ok(shown);
    };
    if let Some(sdad) = &args.sdad {
        let sdad = inputs.bytes("--sdad", sdad)?;
        match (&args.ddol_data, &args.un) {
            (Some(data), _) => dda(&icc, &sdad, &inputs.bytes("--ddol-data", data)?, &mut shown),
            (None, Some(un)) => cda(&icc, &sdad, inputs.array("--un", un)?, &mut shown),
            (None, None) => return Err(wrong("--sdad", "it needs --ddol-data (DDA) or --un (CDA)")),
        }
    }
    Ok(shown)
}

/// The issuer's key: given, or out of its certificate. None where that does not open.
fn issuer(
    args: &CertificateArgs,
    inputs: &mut Inputs,
    pan: Option<&Pan>,
    shown: &mut Calculated,
) -> Result<Option<RsaPublic>, CliError> {
    let exponent = inputs.bytes("--issuer-exponent", &args.issuer_exponent)?;
    if let Some(modulus) = &args.issuer_modulus {
        let modulus = inputs.bytes("--issuer-modulus", modulus)?;
        let key = public("--issuer-modulus, --issuer-exponent", &modulus, &exponent)?;
        shown.step("issuer's key", format!("given, {} bits", key.bits()));
        return Ok(Some(key));
    }
    let ca = ca(args, inputs, shown)?;
    let certificate = inputs.bytes("--issuer-certificate", args.issuer_certificate.as_deref().unwrap_or_default())?;
    let remainder = inputs.bytes("--issuer-remainder", &args.issuer_remainder)?;
    shown.step("issuer certificate", "raised with the CA's exponent; 6A 02 … hash BC");
    let opened = match open_issuer(&ca, &certificate, &remainder, &exponent) {
        Ok(opened) => opened,
        Err(error) => {
            bad(shown, "issuer certificate", error);
            return Ok(None);
        }
    };
    good(shown, "issuer certificate");
    shown.bytes("  issuer identifier", opened.issuer_id);
    shown.result("  expiry", opened.expiry.to_string());
    shown.bytes("  serial number", opened.serial);
    key_lines(shown, &opened.key);
    shown.bytes("  hash", opened.hash);
    if let Some(error) = pan.and_then(|pan| opened.is_for(pan).err()) {
        bad(shown, "issuer identifier", error);
    }
    Ok(Some(opened.key))
}

fn ca(args: &CertificateArgs, inputs: &mut Inputs, shown: &mut Calculated) -> Result<RsaPublic, CliError> {
    if let (Some(path), Some(rid), Some(index)) = (&args.ca_keys, &args.rid, &args.index) {
        let (rid, [index]) = (inputs.array("--rid", rid)?, inputs.array("--index", index)?);
        let keys = ca_keys(path)?;
        let key =
            keys.find(rid, index).ok_or_else(|| wrong("--index", "the file holds no key of this RID and index"))?;
        let kind = if key.is_test() { "test key" } else { "live key" };
        shown.step("CA's key", format!("{} {index:02X}, {} bits, {kind}", hex::encode_upper(rid), key.key().bits()));
        return Ok(key.key().clone());
    }
    let missing = || wrong("--ca-keys", "give the CA's key: --ca-keys with --rid and --index, or --ca-modulus");
    let modulus = inputs.bytes("--ca-modulus", args.ca_modulus.as_deref().ok_or_else(missing)?)?;
    let exponent = inputs.bytes("--ca-exponent", &args.ca_exponent)?;
    let key = public("--ca-modulus, --ca-exponent", &modulus, &exponent)?;
    shown.step("CA's key", format!("given, {} bits", key.bits()));
    Ok(key)
}

/// The card's key out of its certificate. None where there is no certificate, or it does not open.
fn icc(
    args: &CertificateArgs,
    inputs: &mut Inputs,
    issuer: &RsaPublic,
    static_data: Option<&[u8]>,
    pan: Option<&Pan>,
    shown: &mut Calculated,
) -> Result<Option<RsaPublic>, CliError> {
    let Some(certificate) = &args.icc_certificate else { return Ok(None) };
    let certificate = inputs.bytes("--icc-certificate", certificate)?;
    let remainder = inputs.bytes("--icc-remainder", &args.icc_remainder)?;
    let exponent = inputs.bytes("--icc-exponent", &args.icc_exponent)?;
    shown.step("card's certificate", "raised with the issuer's exponent; 6A 04 … hash BC");
    let opened = open_card(issuer, &certificate, &remainder, &exponent);
    let proven = opened.and_then(|card| match static_data {
        Some(data) => card.prove(data).map(|card| (card, true)),
        None => Ok((card.unproven(), false)),
    });
    let (card, proven) = match proven {
        Ok(proven) => proven,
        Err(error) => {
            bad(shown, "card's certificate", error);
            return Ok(None);
        }
    };
    match proven {
        true => good(shown, "card's certificate"),
        false => shown.result("card's certificate", "opens; its hash was skipped: there are no --static-data"),
    }
    let recovered = Pan::from_cn(card.pan_field());
    shown.result("  PAN", recovered.map_or_else(|_| "none".to_owned(), |pan| pan.to_string()));
    shown.result("  expiry", card.expiry.to_string());
    shown.bytes("  serial number", card.serial);
    key_lines(shown, &card.key);
    shown.result("  hash", OVER_PAN);
    if let Some(error) = pan.and_then(|pan| card.is_for(pan).err()) {
        bad(shown, "PAN of the certificate", error);
    }
    Ok(Some(card.key))
}

fn dda(icc: &RsaPublic, sdad: &[u8], data: &[u8], shown: &mut Calculated) {
    shown.step("signed dynamic data", "raised with the card's exponent; 6A 05 … hash BC; DDOL data in the hash");
    match open_dda(icc, sdad, data) {
        Ok(opened) => {
            good(shown, "signed dynamic data");
            shown.bytes("  ICC dynamic number", opened.number);
            shown.bytes("  hash", opened.hash);
        }
        Err(error) => bad(shown, "signed dynamic data", error),
    }
}

fn cda(icc: &RsaPublic, sdad: &[u8], un: [u8; 4], shown: &mut Calculated) {
    shown.step(
        "signed dynamic data",
        "raised with the card's exponent; 6A 05 … hash BC; unpredictable number in the hash",
    );
    match open_cda(icc, sdad, un) {
        Ok(opened) => {
            good(shown, "signed dynamic data");
            shown.bytes("  ICC dynamic number", opened.number);
            shown.bytes("  cryptogram information", [opened.cid]);
            shown.bytes("  cryptogram", opened.cryptogram);
            shown.bytes("  transaction data hash", opened.transaction_hash);
            shown.bytes("  hash", opened.hash);
            shown.note("the transaction data hash is not compared: that takes the whole exchange");
        }
        Err(error) => bad(shown, "signed dynamic data", error),
    }
}

fn key_lines(shown: &mut Calculated, key: &RsaPublic) {
    shown.result("  key", format!("{} bits, exponent {}", key.bits(), hex::encode_upper(key.exponent())));
    shown.bytes("  modulus", key.modulus());
}

fn public(option: &'static str, modulus: &[u8], exponent: &[u8]) -> Result<RsaPublic, CliError> {
    RsaPublic::new(modulus, exponent).map_err(|error| wrong(option, error.to_string()))
}

fn good(shown: &mut Calculated, what: &str) {
    shown.result(what, "right");
    shown.is_right(true);
}

fn bad(shown: &mut Calculated, what: &str, error: CertificateError) {
    shown.result(what, format!("wrong: {error}"));
    shown.is_right(false);
}
