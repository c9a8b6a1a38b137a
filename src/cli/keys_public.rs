//! `perso keys public` and `perso keys remove`.

use serde::Serialize;

use super::args::{PublicArgs, PublicForm, RemoveArgs};
use super::claimed::{self, Access};
use super::common::{self, CliError, Out};
use super::ring::Ring;
use super::{stores, token_uri};
use crate::keys::{KeyError, KeyStore};

/// The public half of a key pair.
#[derive(Serialize, schemars::JsonSchema)]
pub struct PublicShown<'a> {
    /// Name of the key.
    name: &'a str,
    /// What it is for.
    purpose: &'static str,
    /// rsa or p256.
    algorithm: &'static str,
    /// SubjectPublicKeyInfo in PEM.
    pem: String,
    /// JSON Web Key.
    jwk: serde_json::Value,
    /// Of an RSA key: its modulus, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    modulus: Option<String>,
    /// Of an RSA key: its exponent, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    exponent: Option<String>,
}

/// Shows the public half of a key pair.
///
/// # Errors
/// There is no such key, or it is no key pair.
pub fn public(args: &PublicArgs, out: &mut Out) -> Result<(), CliError> {
    let store = common::keys(&args.file.keys, &args.file.passphrase, out)?;
    let info = store.keys().iter().find(|info| info.name == args.key);
    let info = info.ok_or_else(|| KeyError::unknown(&args.key, store.keys()))?.clone();
    let public = store.public_key(&store.open(&info.name, info.purpose)?)?;
    let broken = || KeyError::Value { name: info.name.clone() };
    let pem = public.pem().ok_or_else(broken)?;
    let jwk = public.jwk(&info.name, info.purpose).ok_or_else(broken)?;
    let numbers = public.modulus_and_exponent();
    let (modulus, exponent) = match &numbers {
        Some((modulus, exponent)) => (Some(hex::encode_upper(modulus)), Some(hex::encode_upper(exponent))),
        None => (None, None),
    };
    let text = match args.form {
        PublicForm::Pem => pem.clone(),
        PublicForm::Jwk => format!("{jwk:#}\n"),
        PublicForm::Numbers => match (&modulus, &exponent) {
            (Some(modulus), Some(exponent)) => format!("modulus {modulus}\nexponent {exponent}\n"),
            _ => {
                let why = "only an RSA key has modulus and exponent; give pem or jwk".to_owned();
                return Err(CliError::Option { option: "--form", why });
            }
        },
    };
    if let Some(path) = common::output_file(&args.output) {
        claimed::write(path, &text, args.replace.existing(), Access::Umask)?;
        out.written(path, format!("Wrote the public key of {} into {}.", info.name, path.display()));
        return Ok(());
    }
    let shown = PublicShown {
        name: &info.name,
        purpose: info.purpose.name(),
        algorithm: info.algorithm.name(),
        pem,
        jwk,
        modulus,
        exponent,
    };
    if !out.json(&shown) {
        out.raw(&text);
    }
    Ok(())
}

/// A key that was removed.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Removed<'a> {
    /// Its name.
    removed: &'a str,
}

/// Removes a key from its file or token.
///
/// # Errors
/// There is no such key, or the file or token cannot be changed; then it is as it was.
pub fn remove(args: &RemoveArgs, out: &mut Out) -> Result<(), CliError> {
    match token_uri::read(&args.file.keys)? {
        Some(place) => stores::remove_from_token(&place, &args.file.passphrase, &args.key, out)?,
        None => {
            // A file that is not there is no new one.
            common::read(&args.file.keys).map(zeroize::Zeroizing::new)?;
            let mut ring = Ring::open(&args.file, false, out)?;
            ring.keys.remove(&args.key)?;
            ring.write()?;
        }
    }
    if !out.json(&Removed { removed: &args.key }) {
        out.line(format!("Removed: {}", args.key));
    }
    Ok(())
}
