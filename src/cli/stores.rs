//! From what `--keys` names to a key store: a key file, or a token by its PKCS#11 URI.

use std::path::{Path, PathBuf};

use super::args::PassphraseArgs;
use super::common::{self, CliError};
use crate::base::Secret;
use crate::keys::AnyStore;
use crate::keys::file;
use crate::keys::pkcs11::{Pkcs11Store, TokenPlace};

/// What a token's URI begins with. // RFC 7512 §2.3
const SCHEME: &str = "pkcs11:";

/// A token as `--keys` names it: `pkcs11:token=LABEL?module-path=FILE`.
pub struct TokenUri {
    label: String,
    module: PathBuf,
}

impl TokenUri {
    /// Whether it names a token and no file.
    pub fn is_one(path: &Path) -> bool {
        path.to_str().is_some_and(|text| text.starts_with(SCHEME))
    }

    /// Reads a URI; none where `path` is a file. // RFC 7512 §2.3
    ///
    /// # Errors
    /// It is a URI, and lacks or has what it must or may not.
    pub fn read(path: &Path) -> Result<Option<Self>, CliError> {
        let wrong = |why: &str| CliError::Option { option: "--keys", why: format!("a token's URI: {why}") };
        let Some(text) = path.to_str().and_then(|text| text.strip_prefix(SCHEME)) else { return Ok(None) };
        let (mut label, mut module) = (None, None);
        for part in text.split([';', '?', '&']).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| wrong("a part of it has no value"))?;
            let value = decoded(value).ok_or_else(|| wrong("a %-escape in it is none"))?;
            match name {
                "token" if label.is_none() => label = Some(value),
                "module-path" if module.is_none() => module = Some(PathBuf::from(value)),
                "pin-value" => return Err(wrong("no PIN in an argument; use --passphrase-file, or type it")),
                _ => return Err(wrong("it has token and module-path once each, and nothing else")),
            }
        }
        match (label, module) {
            (Some(label), Some(module)) => Ok(Some(Self { label, module })),
            _ => Err(wrong("it needs token and module-path, as in pkcs11:token=perso?module-path=/usr/lib/module.so")),
        }
    }

    /// Opens the token. Its PIN comes as a passphrase does.
    ///
    /// # Errors
    /// The PIN cannot be read; module, token or PIN is wrong.
    pub fn open(&self, passphrase: &PassphraseArgs) -> Result<Pkcs11Store, CliError> {
        let pin = secret(passphrase, "PIN of the token: ", false)?;
        Ok(Pkcs11Store::open(TokenPlace { module: &self.module, label: &self.label }, &pin)?)
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// Opens a key file, asking for its passphrase only if it is sealed; or a token.
///
/// # Errors
/// The file, the token or its secret is wrong.
pub fn keys(path: &Path, passphrase: &PassphraseArgs) -> Result<AnyStore, CliError> {
    if let Some(token) = TokenUri::read(path)? {
        return Ok(AnyStore::Token(token.open(passphrase)?));
    }
    let bytes = common::read(path)?;
    let failed = |source| CliError::Keys { path: path.to_owned(), source };
    let phrase = if file::is_sealed(&bytes).map_err(failed)? { Some(ask(passphrase, false)?) } else { None };
    Ok(AnyStore::File(file::load(&bytes, phrase.as_ref()).map_err(failed)?))
}

/// The passphrase of a key file: from a file, a descriptor, or the terminal, where a new one is asked for twice.
///
/// # Errors
/// It cannot be read.
pub fn ask(from: &PassphraseArgs, new: bool) -> Result<Secret<Vec<u8>>, CliError> {
    secret(from, "Passphrase of the key file: ", new)
}

fn secret(from: &PassphraseArgs, question: &str, new: bool) -> Result<Secret<Vec<u8>>, CliError> {
    let path = match (&from.passphrase_file, from.passphrase_fd) {
        (_, Some(descriptor)) => Some(PathBuf::from(format!("/dev/fd/{descriptor}"))),
        (Some(path), None) => Some(path.clone()),
        (None, None) => None,
    };
    if let Some(path) = path {
        let bytes = Secret::new(common::read(&path)?);
        let line = bytes.expose().split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        return Ok(Secret::new(line.to_vec()));
    }
    let prompt = |text: &str| {
        rpassword::prompt_password(text).map(String::into_bytes).map(Secret::new).map_err(CliError::Passphrase)
    };
    let first = prompt(question)?;
    if new && !prompt("Once more: ")?.equals(first.expose()) {
        return Err(CliError::Passphrase(std::io::Error::other("the two differ")));
    }
    Ok(first)
}
