//! `perso ca`: CA public keys, and a CA for tests.

use std::path::Path;

use serde::Serialize;

use super::args::{CaCommand, ReplaceArgs};
use super::ca_error::CaError;
use super::claimed::{self, Access, ClaimedFile, Existing};
use super::common::{self, CliError, Out};
use crate::base::crypto::RsaPublic;
use crate::base::emv::certificate::{Issued, MonthYear, Subject};
use crate::issuance::file_kind::FileKind;
use crate::keys::ca_keys::CaKeys;
use crate::keys::test_ca::{TestCa, TestCaError};
use crate::keys::{AnyStore, KeyStore, Purpose};
use crate::prepare::IssuerFile;

/// Lists CA keys, makes a test CA, or has one certify.
///
/// # Errors
/// A file or an option is wrong.
pub fn run(command: &CaCommand, out: &mut Out) -> Result<u8, CliError> {
    match command {
        CaCommand::List { keys } => list(&ca_keys(keys)?, out),
        CaCommand::NewTest { rid, index, expiry, bits, output, public, replace } => {
            new_test(
                (array("--rid", rid)?, array("--index", index)?),
                month(expiry)?,
                *bits,
                (output, public, *replace),
                out,
            )?;
        }
        CaCommand::Certify {
            ca,
            modulus,
            exponent,
            issuer,
            expiry,
            serial,
            key,
            keys,
            passphrase,
            output,
            replace,
        } => {
            let failed = |source| CaError::Test { path: ca.clone(), source: Box::new(source) };
            let test_ca =
                TestCa::parse(&zeroize::Zeroizing::new(common::read_kind(ca, &[FileKind::TestCa])?)).map_err(failed)?;
            let key = match (modulus, key) {
                (None, Some(name)) => {
                    let keys = common::named_keys(keys.as_ref(), "--key")?;
                    issuer_key(name, &common::keys(keys, passphrase, out)?)?
                }
                (Some(modulus), _) => public_key(modulus, exponent)?,
                _ => return Err(wrong("--modulus", "give the issuer's modulus, or --key and --keys".into())),
            };
            let subject = Subject { expiry: month(expiry)?, serial: array("--serial", serial)? };
            let issued = test_ca.certify(issuer_id(issuer)?, subject, &key).map_err(failed)?;
            let public = test_ca.ca_keys();
            if let (Some(path), Some(ca)) = (output, public.keys().first()) {
                let file = IssuerFile::of(ca.rid(), ca.index(), ca.key(), &issued);
                ClaimedFile::claim(path, replace.existing(), Access::Umask)?.write_json(&file)?;
            }
            certified(&issued, out);
        }
    }
    Ok(0)
}

/// Reads a file of CA keys.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn ca_keys(path: &Path) -> Result<CaKeys, CliError> {
    let failed = |source| CaError::Keys { path: path.to_owned(), source: Box::new(source) };
    Ok(CaKeys::parse(&common::read_kind(path, &[FileKind::CaKeys])?).map_err(failed)?)
}

/// A CA key as it is listed.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Listed {
    /// The scheme: the first five bytes of its AIDs.
    rid: String,
    /// Index (tag 8F).
    index: String,
    /// Length of the modulus.
    bits: usize,
    /// Public exponent, hexadecimal.
    exponent: String,
    /// SHA-1 over RID, index, modulus and exponent, hexadecimal.
    // EMV B2 §11.2.2
    hash: String,
    /// Last month in which the key is valid, YYYY-MM.
    expiry: Option<String>,
    /// A test key.
    test: bool,
}

fn list(keys: &CaKeys, out: &mut Out) {
    let listed: Vec<Listed> = keys
        .keys()
        .iter()
        .map(|key| Listed {
            rid: hex::encode_upper(key.rid()),
            index: hex::encode_upper([key.index()]),
            bits: key.key().bits(),
            exponent: hex::encode_upper(key.key().exponent()),
            hash: hex::encode_upper(key.hash()),
            expiry: key.expiry().map(|expiry| expiry.to_string()),
            test: key.is_test(),
        })
        .collect();
    if out.json(&listed) {
        return;
    }
    let row = |key: &Listed| {
        let kind = if key.test { "test" } else { "live" };
        let expiry = key.expiry.as_deref().unwrap_or("none");
        vec![key.rid.clone(), key.index.clone(), key.bits.to_string(), kind.into(), expiry.into(), key.hash.clone()]
    };
    let rows: Vec<_> = listed.iter().map(row).collect();
    out.table(&["RID", "INDEX", "BITS", "KIND", "EXPIRY", "SHA-1"], &rows);
}

fn new_test(
    (rid, [index]): ([u8; 5], [u8; 1]),
    expiry: MonthYear,
    bits: usize,
    (output, public, replace): (&Path, &Path, ReplaceArgs),
    out: &mut Out,
) -> Result<(), CliError> {
    // Nobody can make a lost key again.
    if output.exists() {
        return Err(claimed::never_overwritten(output, "a new test CA"));
    }
    let failed = |source: TestCaError| match source {
        TestCaError::Key(source) => wrong("--bits", source.to_string()),
        TestCaError::Field { why, .. } => wrong("--bits", why),
        source => CaError::Test { path: output.to_owned(), source: Box::new(source) }.into(),
    };
    let ca = TestCa::generate(rid, index, expiry, bits, &mut common::chance()).map_err(failed)?;
    let text = ca.to_text().map_err(failed)?;
    let mut secret = ClaimedFile::claim(output, Existing::Keep, Access::Owner)?;
    let mut shown = ClaimedFile::claim(public, replace.existing(), Access::Umask)?;
    secret.put(text.expose())?;
    shown.put_json(&ca.ca_keys().to_file())?;
    ClaimedFile::finish_all(vec![secret, shown])?;
    out.line(format!("Test CA in {}, its public key in {}.", output.display(), public.display()));
    list(&ca.ca_keys(), out);
    Ok(())
}

/// A certificate that a test CA made.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Certified {
    /// Issuer public key certificate, hexadecimal.
    #[serde(rename = "90")]
    certificate: String,
    /// Issuer public key remainder, hexadecimal; absent if there is none.
    #[serde(rename = "92", default, skip_serializing_if = "String::is_empty")]
    remainder: String,
    /// Issuer public key exponent, hexadecimal.
    #[serde(rename = "9F32")]
    exponent: String,
}

fn certified(issued: &Issued, out: &mut Out) {
    let certified = Certified {
        certificate: hex::encode_upper(&issued.certificate),
        remainder: hex::encode_upper(&issued.remainder),
        exponent: hex::encode_upper(&issued.exponent),
    };
    if out.json(&certified) {
        return;
    }
    let objects = [("90", &certified.certificate), ("92", &certified.remainder), ("9F32", &certified.exponent)];
    for (tag, value) in objects.into_iter().filter(|(_, value)| !value.is_empty()) {
        out.line(format!("{tag:<4}  {value}"));
    }
}

fn issuer_key(name: &str, store: &AnyStore) -> Result<RsaPublic, CliError> {
    let key = store.open(name, Purpose::IssuerRsa)?;
    Ok(KeyStore::rsa_public(store, &key)?)
}

fn public_key(path: &Path, exponent: &str) -> Result<RsaPublic, CliError> {
    let modulus = common::bytes("--modulus", &common::read_text_kind(path, &[FileKind::Text])?)?;
    let exponent = common::bytes("--exponent", exponent)?;
    RsaPublic::new(&modulus, &exponent).map_err(|error| wrong("--modulus, --exponent", error.to_string()))
}

/// The digits, filled with F.
fn issuer_id(digits: &str) -> Result<[u8; 4], CliError> {
    if !(3..=8).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong("--issuer", "give 3 to 8 digits".to_owned()));
    }
    array("--issuer", &format!("{digits:F<8}"))
}

fn array<const N: usize>(option: &'static str, text: &str) -> Result<[u8; N], CliError> {
    let bytes = common::bytes(option, text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| wrong(option, format!("give {} hexadecimal digits", 2 * N)))
}

fn month(text: &str) -> Result<MonthYear, CliError> {
    text.parse().map_err(|()| wrong("--expiry", "give a month as YYYY-MM, of 1950 to 2049".to_owned()))
}

fn wrong(option: &'static str, why: String) -> CliError {
    CliError::Option { option, why }
}
