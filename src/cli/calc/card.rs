//! What an issuer computes for a card: verification values, keys, cryptograms.

use super::input::{CalculatorStore, Inputs, KeySource, Opened, wrong};
use super::shown::Calculated;
use crate::base::crypto::{Cipher, KcvMethod};
use crate::cli::args::{ArpcArgs, ArqcArgs, CardArgs, CvvArgs, IccKeyArgs, SessionArgs};
use crate::cli::common::{self, CliError};
use crate::keys::card_values::{self, CVV2_SERVICE_CODE, CvvInput, ICVV_SERVICE_CODE};
use crate::keys::issuer::{
    AcPadding, CardKeyMethod, IssuerError, Parity, SessionMethod, WorkingKey, application_cryptogram, arpc_1, arpc_2,
    icc_master_key, icc_master_key_to_seal, is_application_cryptogram, is_arpc_1, is_arpc_2, session_key, with_parity,
};
use crate::keys::{KeyError, KeyHandle, KeyStore, Purpose, Verb};

/// Issuer master keys; the first is what a key in the clear counts as.
const MASTERS: &[Purpose] =
    &[Purpose::ImkAc, Purpose::ImkSmc, Purpose::ImkSmi, Purpose::ImkDac, Purpose::ImkIdn, Purpose::ImkCvc];

/// Why a cryptogram is not shown.
const COMPARED: &str = "live key: give the whole cryptogram with --expect, and it is compared";

/// CVV, iCVV or CVV2.
pub fn cvv(args: &CvvArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("cvv");
    let pan = inputs.pan("--pan", &args.pan)?;
    for (option, digits, length) in [("--expiry", &args.expiry, 4), ("--service-code", &args.service_code, 3)] {
        if digits.len() != length || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong(option, format!("give {length} digits")));
        }
    }
    let Opened { store, key } = inputs.key(&KeySource::of(&args.key), &[Purpose::Cvk], Some(Cipher::Tdes))?;
    key.may(Verb::Mac)?;
    shown.used(&key);
    let name = match args.service_code.as_str() {
        ICVV_SERVICE_CODE => "iCVV",
        CVV2_SERVICE_CODE => "CVV2",
        _ => "CVV",
    };
    shown.step("data", format!("{pan} {} {}, filled with 0 to 32 digits", args.expiry, args.service_code));
    shown.step("MAC", "ISO 9797-1 algorithm 3 over both blocks");
    shown.step("digits", "the decimal ones of the MAC; then letters, A as 0 to F as 5");
    let input = CvvInput { pan: &pan, expiry: &args.expiry, service_code: &args.service_code };
    let value = card_values::cvv(&store, &key, &input, usize::from(args.length))?;
    shown.result(name, String::from_utf8_lossy(value.expose()));
    Ok(shown)
}

/// A card's key.
pub fn icc_key(args: &IccKeyArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("icc-key");
    let (store, key) = card_key(&args.card, MASTERS, inputs, &mut shown)?;
    match key.is_test() {
        true => {
            shown.step("parity", "odd");
            shown.bytes("card key", with_parity(store.expose_test_key(&key)?, Parity::Odd).expose());
        }
        false => shown.withheld("card key", "a key that comes from a live key"),
    }
    shown.bytes("card key KCV", store.kcv(&key, KcvMethod::DesZero, 3)?);
    Ok(shown)
}

/// An application cryptogram.
pub fn arqc(args: &ArqcArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("arqc");
    let data = inputs.bytes("--data", &args.data)?;
    if data.is_empty() {
        return Err(wrong("--data", "a cryptogram is computed over some bytes at least"));
    }
    let expected = args.expect.as_ref().map(|value| inputs.array::<8>("--expect", value)).transpose()?;
    let method = session_method(&args.session, inputs)?;
    let (store, card) = card_key(&args.card, &[Purpose::ImkAc], inputs, &mut shown)?;
    let session = working_key(&store, &card, method, &mut shown)?;
    let (padding, words) = match args.padding {
        1 => (AcPadding::Zeros, "zeros, where the data are not whole blocks"),
        _ => (AcPadding::Always80, "80 and zeros, always"),
    };
    shown.step("data", format!("{} bytes, filled with {words}", data.len()));
    shown.step("MAC", "ISO 9797-1 algorithm 3, eight bytes");
    match shown.is_test() {
        true => shown.bytes("cryptogram", application_cryptogram(&store, &session, &data, padding).map_err(refused)?),
        false => shown.withheld("cryptogram", COMPARED),
    }
    if let Some(expected) = expected {
        let right = is_application_cryptogram(&store, &session, &data, padding, expected).map_err(refused)?;
        compared(&mut shown, "the card's", right);
    }
    Ok(shown)
}

/// The issuer's answer to a cryptogram.
pub fn arpc(args: &ArpcArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let mut shown = Calculated::new("arpc");
    let arqc = inputs.array("--arqc", &args.arqc)?;
    let method = session_method(&args.session, inputs)?;
    let code = args.arc.as_ref().map(|code| inputs.array::<2>("--arc", code)).transpose()?;
    let update = args.csu.as_ref().map(|update| inputs.array::<4>("--csu", update)).transpose()?;
    let expected = match (&args.expect, code) {
        (None, _) => None,
        (Some(value), Some(_)) => Some(Expected::Eight(inputs.array("--expect", value)?)),
        (Some(value), None) => Some(Expected::Four(inputs.array("--expect", value)?)),
    };
    let proprietary = args.authentication_data.as_deref().unwrap_or_default();
    let proprietary = inputs.bytes("--authentication-data", proprietary)?;
    let (store, card) = card_key(&args.card, &[Purpose::ImkAc], inputs, &mut shown)?;
    let session = working_key(&store, &card, method, &mut shown)?;
    if let Some(code) = code {
        shown.step("method 1", "the cryptogram, the response code added to its first two bytes, enciphered");
        match shown.is_test() {
            true => {
                let made = arpc_1(&store, &session, arqc, code).map_err(refused)?;
                shown.bytes("ARPC", made);
                shown.bytes("tag 91", [made.as_slice(), &code].concat());
            }
            false => shown.withheld("ARPC", COMPARED),
        }
        if let Some(Expected::Eight(expected)) = expected {
            let right = is_arpc_1(&store, &session, arqc, code, expected).map_err(refused)?;
            compared(&mut shown, "the expected one", right);
        }
    }
    if let Some(update) = update {
        shown.step("method 2", "four bytes of a MAC over cryptogram, card status update and proprietary data");
        match shown.is_test() {
            true => {
                let made = arpc_2(&store, &session, arqc, update, &proprietary).map_err(refused)?;
                shown.bytes("ARPC", made);
                shown.bytes("tag 91", [made.as_slice(), &update, &proprietary].concat());
            }
            false => shown.withheld("ARPC", COMPARED),
        }
        if let Some(Expected::Four(expected)) = expected {
            let right = is_arpc_2(&store, &session, arqc, update, &proprietary, expected).map_err(refused)?;
            compared(&mut shown, "the expected one", right);
        }
    }
    Ok(shown)
}

/// A whole ARPC.
enum Expected {
    /// Of method 1.
    Eight([u8; 8]),
    /// Of method 2.
    Four([u8; 4]),
}

fn compared(shown: &mut Calculated, name: &str, right: bool) {
    shown.result(name, if right { "the same" } else { "another" });
    shown.is_right(right);
}

fn card_key(
    args: &CardArgs,
    purposes: &[Purpose],
    inputs: &mut Inputs,
    shown: &mut Calculated,
) -> Result<(CalculatorStore, KeyHandle), CliError> {
    let pan = inputs.pan("--pan", &args.pan)?;
    let psn = common::byte("--psn", &args.psn)?;
    let Opened { store, key } = inputs.key(&KeySource::of(&args.key), purposes, Some(Cipher::Tdes))?;
    shown.used(&key);
    let hashed = args.option == "B" && pan.digits().len() > 16;
    let method = if args.option == "B" { CardKeyMethod::B } else { CardKeyMethod::A };
    let data = match hashed {
        true => "sixteen decimal digits of SHA-1 over PAN and PSN",
        false => "the rightmost sixteen digits of PAN and PSN",
    };
    shown.step("PAN and PSN", format!("{pan} {}", args.psn));
    shown.step(format!("card key, option {}", args.option), format!("{data}, and their complement, enciphered"));
    // A test key's value is shown, also from a token.
    let derive = if key.is_test() { icc_master_key_to_seal } else { icc_master_key };
    let card = derive(&store, &key, &pan, psn, method).map_err(refused)?;
    Ok((store, card))
}

fn session_method(args: &SessionArgs, inputs: &mut Inputs) -> Result<SessionMethod, CliError> {
    let missing = |option| wrong(option, format!("--session {} needs it", args.session));
    let mut atc = || inputs.array::<2>("--atc", args.atc.as_deref().ok_or_else(|| missing("--atc"))?);
    Ok(match (args.session.as_str(), &args.diversification) {
        ("none", _) => SessionMethod::None,
        ("mastercard", _) => {
            let atc = atc()?;
            let unpredictable = inputs.array("--un", args.un.as_deref().ok_or_else(|| missing("--un"))?)?;
            SessionMethod::Mastercard { atc, unpredictable }
        }
        (_, Some(value)) => SessionMethod::Common(inputs.array("--diversification", value)?),
        (_, None) => SessionMethod::of_atc(atc()?),
    })
}

fn working_key(
    store: &CalculatorStore,
    card: &KeyHandle,
    method: SessionMethod,
    shown: &mut Calculated,
) -> Result<WorkingKey, CliError> {
    shown.bytes("card key KCV", store.kcv(card, KcvMethod::DesZero, 3)?);
    let data = match method {
        SessionMethod::None => None,
        SessionMethod::Common(data) => Some(data),
        SessionMethod::Mastercard { atc: [high, low], unpredictable: [a, b, c, d] } => {
            Some([high, low, 0, 0, a, b, c, d])
        }
    };
    let session = session_key(store, card, method).map_err(refused)?;
    match data {
        None => shown.step("session key", "none: the card's key itself"),
        Some(data) => {
            let data = hex::encode_upper(data);
            shown.step(
                "session key",
                format!("{data} enciphered, its third byte F0 for the left half, 0F for the right; odd parity"),
            );
            match &session {
                WorkingKey::InCustody(key) if key.is_test() => match store.expose_test_key(key) {
                    Ok(value) => shown.bytes("session key", with_parity(value, Parity::Odd).expose()),
                    Err(KeyError::Unable { .. }) => shown.withheld("session key", "a key that its token keeps"),
                    Err(error) => return Err(error.into()),
                },
                _ => shown.withheld("session key", "a key that comes from a live key"),
            }
            shown.bytes("session key KCV", session.kcv(store, 3).map_err(refused)?);
        }
    }
    Ok(session)
}

/// Names the option that is to blame.
fn refused(error: IssuerError) -> CliError {
    match error {
        IssuerError::Key(error) => CliError::Key(error),
        IssuerError::Psn => wrong("--psn", error.to_string()),
        IssuerError::AuthenticationData(_) => wrong("--authentication-data", error.to_string()),
        IssuerError::Crypto(source) => CliError::Key(KeyError::Crypto { name: "session key".into(), source }),
        error => wrong("--session", error.to_string()),
    }
}
