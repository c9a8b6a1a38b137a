//! `perso keys import`, `generate`, `rotate`, `export` and `kcv`: keys in and out of the key file. Never prints a key.

use serde::Serialize;

use super::args::{
    ExportArgs, GenerateArgs, ImportArgs, KcvArgs, KeyFileArgs, LoadArgs, NamedArgs, PassphraseArgs, RotateArgs,
};
use super::claimed::{self, Access};
use super::common::{self, CliError, Out};
use super::listed_keys::{Listed, ListedKeys};
use super::ring::Ring;
use super::{stores, token_uri};
use crate::base::Secret;
use crate::base::crypto::{Cipher, KcvMethod};
use crate::base::{Warning, suggest};
use crate::issuance::file_kind::FileKind;
use crate::keys::file::NewKey;
use crate::keys::tr31::{self, Header, KeyBlock, Version, mode_of, usage_of};
use crate::keys::{Algorithm, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose, Weakness, from_components, random};

/// Brings a key in.
///
/// # Errors
/// The block, the components, the key file or an option is wrong; then the file is as it was.
pub fn import(args: &ImportArgs, out: &mut Out) -> Result<(), CliError> {
    let mut ring = Ring::open(&args.file, args.lab, out)?;
    let mut new = new_key(&args.named, Purpose::Kek, args.lab)?;
    new.expected = args.kcv.as_deref().map(|text| bytes("--kcv", text)).transpose()?;
    match &args.block {
        Some(path) => {
            let text = Secret::new(common::read(path)?);
            common::expect(path, text.expose(), &[FileKind::KeyBlock])?;
            let text = std::str::from_utf8(text.expose()).map_err(|_| CliError::NotText(path.clone()))?;
            let block = KeyBlock::parse(text.trim()).map_err(KeyError::from)?;
            let kbpk = args.kbpk.as_deref().unwrap_or_default();
            let arrived = ring.with(|store| store.tr31_unwrap(&store.open(kbpk, Purpose::Kbpk)?, &block))?;
            let wanted = args.purpose.as_deref().map(purpose).transpose()?;
            new.purpose = arrived.purpose(wanted).map_err(KeyError::from)?;
            let path = format!("keys/{}", new.name);
            let told: Vec<_> = arrived.warnings().iter().map(|it| Warning::new(&path, it.to_string())).collect();
            // What is refused is not told before.
            let info = ring.keys.add_arrived(&new, arrived, args.accept_weak_kbpk)?.clone();
            told.into_iter().for_each(|warning| out.warning(warning));
            ring.tell(out);
            ring.write()?;
            show("Imported", &info, out);
        }
        None => {
            // A key in a block is as live as the key that it is under, which was guarded when it was opened.
            guard_live(&args.file, args.lab, out)?;
            new.purpose = purpose(args.purpose.as_deref().unwrap_or_default())?;
            let algorithm = algorithm(args.algorithm.as_deref().unwrap_or_default())?;
            let value = from_components(algorithm, &components(args)?)?;
            let info = ring.keys.add(&new, algorithm, value)?.clone();
            ring.tell(out);
            ring.write()?;
            show("Imported", &info, out);
        }
    }
    Ok(())
}

/// Makes a key.
///
/// # Errors
/// The key file or an option is wrong; then the file is as it was.
pub fn generate(args: &GenerateArgs, out: &mut Out) -> Result<(), CliError> {
    // What was typed is checked before a passphrase is asked for.
    let algorithm = algorithm(&args.algorithm)?;
    let new = new_key(&args.named, purpose(&args.purpose)?, args.test)?;
    guard_live(&args.file, args.test, out)?;
    let mut ring = Ring::open(&args.file, args.test, out)?;
    let value = random(algorithm, (args.bits, args.exponent), &mut common::chance())?;
    let info = ring.keys.add(&new, algorithm, value)?.clone();
    ring.tell(out);
    ring.write()?;
    show("Made", &info, out);
    Ok(())
}

/// Makes a key's successor.
///
/// # Errors
/// There is no such key, it has no version left, or its file cannot be written.
pub fn rotate(args: &RotateArgs, out: &mut Out) -> Result<(), CliError> {
    let mut ring = Ring::open(&args.file, false, out)?;
    let (key, old) = ring.with(|store| opened(store, &args.key))?;
    let version = old.version.checked_add(1).ok_or_else(|| option("KEY", "its version is 255 already"))?;
    let stem =
        old.name.rsplit_once(".v").filter(|(_, digits)| digits.parse::<u8>().is_ok()).map_or(&*old.name, |it| it.0);
    let new = NewKey {
        name: args.name.clone().unwrap_or_else(|| format!("{stem}.v{version}")),
        zone: old.zone.clone(),
        purpose: old.purpose,
        version,
        kmcid: old.kmcid,
        // A successor of an old record key has no check value by aes-zero.
        kcv_method: Some(old.kcv.method)
            .filter(|it| !old.purpose.hides_aes_zero(old.test) || *it != KcvMethod::AesZero),
        expected: None,
        test: old.test,
    };
    let rsa = match old.algorithm {
        Algorithm::Rsa if old.purpose == Purpose::IssuerRsa => {
            let public = ring.with(|store| store.rsa_public(&key))?;
            (public.bits(), if public.exponent() == [3] { 3 } else { 65537 })
        }
        _ => (2048, 65537),
    };
    let value = random(old.algorithm, rsa, &mut common::chance())?;
    let info = ring.keys.add(&new, old.algorithm, value)?.clone();
    ring.write()?;
    show("Made", &info, out);
    Ok(())
}

/// A live key goes neither into a file nor into a token, even an empty one, whose passphrase or PIN others can read.
fn guard_live(file: &KeyFileArgs, test: bool, out: &mut Out) -> Result<(), CliError> {
    if test { Ok(()) } else { stores::guard_pin(&file.passphrase, true, out) }
}

/// Puts the keys of a key file into a token.
///
/// # Errors
/// File or token is wrong, or the token holds a key of such a name.
pub fn load(args: &LoadArgs, out: &mut Out) -> Result<(), CliError> {
    let token = token_uri::read(&args.into)?
        .ok_or_else(|| option("--into", "it is no token's URI, which begins with pkcs11:"))?;
    let keys = Ring::read(&args.file, out)?;
    let pin =
        PassphraseArgs { passphrase_file: args.pin_file.clone(), passphrase_fd: None, ..args.file.passphrase.clone() };
    if keys.infos().any(|info| !info.test) {
        stores::guard_pin(&pin, true, out)?;
    }
    let (mut token, _lock) = stores::token_to_change(&token, &pin, out)?;
    keys.put_into(&mut token)?;
    // Each is opened where it is now: its check value is computed by the token.
    let infos: Vec<&KeyInfo> = keys.infos().collect();
    for info in &infos {
        token.open(&info.name, info.purpose)?;
    }
    let listed = ListedKeys { keys: infos.iter().map(|info| Listed::of(info)).collect() };
    if !out.json(&listed) {
        listed.keys.iter().for_each(|key| out.line(format!("Loaded: {}", key.line())));
    }
    Ok(())
}

/// A key that was exported.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Exported<'a> {
    /// The key.
    key: Listed<'a>,
    /// Name of the key block protection key.
    kbpk: &'a str,
    /// The key block.
    block: &'a str,
}

/// Writes a key as a key block.
///
/// # Errors
/// A key is not there or not for it, or the block cannot be written.
pub fn export(args: &ExportArgs, out: &mut Out) -> Result<(), CliError> {
    let store = common::keys(&args.file.keys, &args.file.passphrase, out)?;
    let (key, info) = opened(&store, &args.key)?;
    let kbpk = store.open(&args.kbpk, Purpose::Kbpk)?;
    let version = match args.block_version {
        Some(letter) => {
            Version::find(letter.to_ascii_uppercase()).ok_or_else(|| option("--block-version", "A to E"))?
        }
        None if kbpk.algorithm().cipher() == Some(Cipher::Aes) => Version::D,
        None => Version::B,
    };
    let letter = match info.algorithm {
        Algorithm::Rsa => 'R',
        Algorithm::P256 => 'E',
        other if other.cipher() == Some(Cipher::Aes) => 'A',
        _ => 'T',
    };
    let exportability = args.exportability.to_ascii_uppercase();
    let header = match &info.header {
        // A key leaves with the limits that it came with.
        Some(kept) => Header {
            key_version: kept.key_version.clone(),
            context: kept.context,
            blocks: kept.blocks.clone(),
            ..Header::new(version, &kept.usage, letter, kept.mode, exportability)
        },
        None => Header::new(version, usage_of(info.purpose), letter, mode_of(info.purpose), exportability),
    };
    let block = store.tr31_wrap(&kbpk, &header, &key, true, &mut common::chance())?;
    let modulus = match info.algorithm {
        Algorithm::Rsa => Some(store.rsa_public(&key)?.bits()),
        _ => None,
    };
    for warning in tr31::warnings(&kbpk, &KeyBlock::parse(&block).map_err(KeyError::from)?, info.algorithm, modulus) {
        out.warning(Warning::new(format!("keys/{}", info.name), warning.to_string()));
    }
    let output = common::output_file(&args.output);
    if let Some(path) = output {
        claimed::write(path, &format!("{block}\n"), args.replace.existing(), Access::Owner)?;
    }
    if !out.json(&Exported { key: Listed::of(&info), kbpk: &args.kbpk, block: &block }) {
        match output {
            Some(path) => out.line(format!("Exported into {}: {}", path.display(), Listed::of(&info).line())),
            None => out.raw(&block),
        }
    }
    Ok(())
}

/// A check value.
#[derive(Serialize, schemars::JsonSchema)]
pub struct KcvShown<'a> {
    /// Name of the key.
    name: &'a str,
    /// Its check value, hexadecimal.
    kcv: String,
    /// How it is made.
    kcv_method: &'static str,
}

/// Shows a check value.
///
/// # Errors
/// There is no such key, or its kind has no such check value.
pub fn kcv(args: &KcvArgs, out: &mut Out) -> Result<(), CliError> {
    let store = common::keys(&args.file.keys, &args.file.passphrase, out)?;
    let (key, info) = opened(&store, &args.key)?;
    let method = args.kcv_method.as_deref().map(kcv_method).transpose()?.unwrap_or(info.kcv.method);
    let length = args.length.map_or(info.kcv.value.len(), usize::from);
    if info.purpose.hides_aes_zero(info.test) && method == KcvMethod::AesZero {
        if !info.test {
            return Err(KeyError::Weak { name: info.name, weakness: Weakness::GhashKey }.into());
        }
        out.warning(Warning::new(format!("keys/{}", info.name), Weakness::GhashKey.to_string()));
    }
    let kcv = hex::encode_upper(store.kcv(&key, method, length)?);
    if !out.json(&KcvShown { name: &info.name, kcv: kcv.clone(), kcv_method: method.name() }) {
        out.line(format!("{}: KCV {kcv} ({})", info.name, method.name()));
    }
    Ok(())
}

fn opened(store: &dyn KeyStore, name: &str) -> Result<(KeyHandle, KeyInfo), CliError> {
    let info = store.keys().iter().find(|info| info.name == name);
    let info = info.ok_or_else(|| KeyError::unknown(name, store.keys()))?;
    Ok((store.open(name, info.purpose)?, info.clone()))
}

fn new_key(args: &NamedArgs, purpose: Purpose, test: bool) -> Result<NewKey, CliError> {
    let kmcid = args.kmcid.as_deref().map(|text| bytes("--kmcid", text)).transpose()?;
    let kmcid = kmcid.map(|kmcid| kmcid.try_into().map_err(|_| option("--kmcid", "it has six bytes"))).transpose()?;
    Ok(NewKey {
        name: args.name.clone(),
        zone: args.zone.clone(),
        purpose,
        version: args.key_version,
        kmcid,
        kcv_method: args.kcv_method.as_deref().map(kcv_method).transpose()?,
        expected: None,
        test,
    })
}

/// The components: of files, or asked for one by one without being shown.
fn components(args: &ImportArgs) -> Result<Vec<Secret<Vec<u8>>>, CliError> {
    let read = |text: Secret<Vec<u8>>| {
        let wrong = || option("component", "it is not hexadecimal");
        let digits = common::compact(std::str::from_utf8(text.expose()).map_err(|_| wrong())?);
        Secret::from_hex(digits.as_bytes()).ok_or_else(wrong)
    };
    if !args.component.is_empty() {
        return args.component.iter().map(|path| read(Secret::new(common::read(path)?))).collect();
    }
    (1..=args.components)
        .map(|number| {
            let asked = rpassword::prompt_password(format!("Component {number}: ")).map_err(CliError::Passphrase)?;
            read(Secret::new(asked.into_bytes()))
        })
        .collect()
}

fn show(what: &str, info: &KeyInfo, out: &mut Out) {
    if !out.json(&Listed::of(info)) {
        out.line(format!("{what}: {}", Listed::of(info).line()));
    }
}

fn purpose(name: &str) -> Result<Purpose, CliError> {
    Purpose::find(name).ok_or_else(|| one_of("--purpose", name, &Purpose::ALL.map(Purpose::name)))
}

fn algorithm(name: &str) -> Result<Algorithm, CliError> {
    Algorithm::find(name).ok_or_else(|| one_of("--algorithm", name, &Algorithm::ALL.map(Algorithm::name)))
}

fn kcv_method(name: &str) -> Result<KcvMethod, CliError> {
    let found = KcvMethod::ALL.into_iter().find(|method| method.name() == name);
    found.ok_or_else(|| one_of("--kcv-method", name, &KcvMethod::ALL.map(KcvMethod::name)))
}

fn bytes(name: &'static str, text: &str) -> Result<Vec<u8>, CliError> {
    common::bytes(name, text)
}

fn one_of(name: &'static str, given: &str, names: &[&str]) -> CliError {
    let meant = suggest::hint(given, names.iter().copied());
    option(name, &format!("{given:?} must be one of {}{meant}", names.join(", ")))
}

fn option(option: &'static str, why: &str) -> CliError {
    CliError::Option { option, why: why.to_owned() }
}
