//! The software key file: sealed under a passphrase, or unsealed and marked as holding test keys only.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

pub use super::file_error::{KeyFileError, LEAST_PASSPHRASE, MARK};
pub use super::ring::{NewKey, Unsealed};

use super::header::{KeyHeader, OptionalBlock};
use super::ring::Wrong;
use super::{Algorithm, Kcv, KeyInfo, Purpose, SoftwareStore};
use crate::base::crypto::{self, CryptoError, KcvMethod, NONCE, TAG};
use crate::base::{Chance, Secret};
use crate::keys::KeyError;

/// Memory of argon2id for new files, in KiB.
const MEMORY: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// A hostile file must not take the machine's memory.
const MOST_MEMORY: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 16;
/// Nor its time: KiB of memory, times passes. A few seconds.
const MOST_WORK: u64 = 4 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileShape {
    perso_keys: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_keys: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<KeyShape>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<SealedShape>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedShape {
    kdf: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    nonce: String,
    ciphertext: String,
    tag: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyShape {
    name: String,
    zone: String,
    purpose: String,
    version: u8,
    algorithm: String,
    kcv: String,
    kcv_method: String,
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    kmcid: Option<String>,
    /// Absent in files of older versions, and for keys that came without a key block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<HeaderShape>,
    value: String,
}

/// The header of the key block that a key came in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderShape {
    usage: String,
    mode: char,
    key_version: String,
    exportability: char,
    context: char,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<BlockShape>,
}

/// An optional block of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockShape {
    id: String,
    data: String,
}

impl Drop for KeyShape {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// Whether a file is sealed, and so needs a passphrase.
///
/// # Errors
/// It is not a key file.
pub fn is_sealed(bytes: &[u8]) -> Result<bool, KeyFileError> {
    shape(bytes).map(|shape| shape.sealed.is_some())
}

/// Opens a key file. Every symmetric key's check value is compared; a private key's is where it is opened.
///
/// # Errors
/// The file, its passphrase or one of its keys is wrong.
pub fn load(bytes: &[u8], passphrase: Option<&Secret<Vec<u8>>>) -> Result<SoftwareStore, KeyFileError> {
    let store = keys_of(shape(bytes)?, passphrase)?.into_store();
    store.compare_check_values()?;
    Ok(store)
}

/// Opens a key file to change it. Every symmetric key's check value is compared; a private key's is where it is opened.
///
/// # Errors
/// The file or its passphrase is wrong.
pub fn read(bytes: &[u8], passphrase: Option<&Secret<Vec<u8>>>) -> Result<Unsealed, KeyFileError> {
    let keys = keys_of(shape(bytes)?, passphrase)?;
    keys.to_store().compare_check_values()?;
    Ok(keys)
}

fn keys_of(shape: FileShape, passphrase: Option<&Secret<Vec<u8>>>) -> Result<Unsealed, KeyFileError> {
    match (&shape.sealed, passphrase) {
        (None, _) => unsealed(shape),
        (Some(_), None) => Err(KeyFileError::Sealed),
        (Some(sealed), Some(passphrase)) => open(sealed, passphrase),
    }
}

/// Opens a key file that was just written, and compares its keys with those that were meant, before it replaces
/// another file.
///
/// # Errors
/// [`KeyFileError::NotTheSame`], and as [`read`].
pub fn verify(bytes: &[u8], passphrase: Option<&Secret<Vec<u8>>>, meant: &Unsealed) -> Result<(), KeyFileError> {
    if read(bytes, passphrase)?.same(meant) { Ok(()) } else { Err(KeyFileError::NotTheSame) }
}

/// Reads an unsealed file of test keys.
///
/// # Errors
/// It is not one, or one of its keys is not marked as a test key.
pub fn read_unsealed(bytes: &[u8]) -> Result<Unsealed, KeyFileError> {
    unsealed(shape(bytes)?)
}

fn unsealed(shape: FileShape) -> Result<Unsealed, KeyFileError> {
    if shape.test_keys.as_deref() != Some(MARK) {
        return Err(KeyFileError::Unmarked);
    }
    let keys = shape.keys.ok_or(KeyFileError::Field { path: "keys".into(), why: "it is missing".into() })?;
    match keys.iter().position(|key| !key.test) {
        Some(at) => Err(KeyFileError::Field {
            path: format!("keys[{at}].test"),
            why: "an unsealed file holds test keys only".into(),
        }),
        None => read_keys(keys),
    }
}

/// Seals keys under a passphrase: argon2id, then AES-256-GCM.
///
/// # Errors
/// The random source failed, or the passphrase is empty.
pub fn seal(keys: &Unsealed, passphrase: &Secret<Vec<u8>>, chance: &mut Chance) -> Result<String, KeyFileError> {
    if passphrase.is_empty() {
        return Err(KeyFileError::Field { path: "(passphrase)".into(), why: "it is empty".into() });
    }
    if keys.infos().any(|info| !info.test) && is_short(passphrase) {
        return Err(KeyFileError::ShortPassphrase);
    }
    let shapes: Vec<KeyShape> = keys.each().map(|(info, value)| key_shape(info, value)).collect();
    let clear = Secret::of_json(&shapes).map_err(|_| KeyFileError::Unwritable)?;
    let salt: [u8; 16] = chance.bytes()?;
    let nonce: [u8; NONCE] = chance.bytes()?;
    let mut sealed = SealedShape {
        kdf: "argon2id".into(),
        memory_kib: MEMORY,
        passes: PASSES,
        lanes: LANES,
        salt: hex::encode_upper(salt),
        nonce: hex::encode_upper(nonce),
        ciphertext: String::new(),
        tag: String::new(),
    };
    let key = stretch(&sealed, passphrase, &salt)?;
    let (ciphertext, tag) = crypto::gcm_seal(key.expose(), &nonce, header(&sealed).as_bytes(), clear.expose())
        .map_err(|_| KeyFileError::Passphrase)?;
    sealed.ciphertext = hex::encode_upper(ciphertext);
    sealed.tag = hex::encode_upper(tag);
    text(&FileShape { perso_keys: 1, test_keys: None, keys: None, sealed: Some(sealed) })
}

/// The text of an unsealed file, which says that it is one.
///
/// # Errors
/// A key that is no test key.
pub fn mark(keys: &Unsealed) -> Result<String, KeyFileError> {
    if let Some(at) = keys.infos().position(|info| !info.test) {
        return Err(KeyFileError::Field {
            path: format!("keys[{at}].test"),
            why: "an unsealed file holds test keys only; live keys need a sealed file".into(),
        });
    }
    let shapes = keys.each().map(|(info, value)| key_shape(info, value)).collect();
    text(&FileShape { perso_keys: 1, test_keys: Some(MARK.into()), keys: Some(shapes), sealed: None })
}

fn text(shape: &FileShape) -> Result<String, KeyFileError> {
    let text = serde_json::to_string_pretty(shape).map_err(|_| KeyFileError::Unwritable)?;
    Ok(text + "\n")
}

/// Whether a passphrase is shorter than live keys need.
pub fn is_short(passphrase: &Secret<Vec<u8>>) -> bool {
    let characters = std::str::from_utf8(passphrase.expose()).map(|text| text.chars().count());
    characters.unwrap_or(passphrase.len()) < LEAST_PASSPHRASE
}

fn shape(bytes: &[u8]) -> Result<FileShape, KeyFileError> {
    let shape: FileShape = serde_json::from_slice(bytes)
        .map_err(|error| KeyFileError::Syntax { line: error.line(), column: error.column() })?;
    if shape.perso_keys != 1 {
        return Err(KeyFileError::Field {
            path: "perso_keys".into(),
            why: format!("version {} is not known; this program reads version 1", shape.perso_keys),
        });
    }
    Ok(shape)
}

/// What the seal covers beside the keys: everything that says how to open it.
fn header(sealed: &SealedShape) -> String {
    let SealedShape { kdf, memory_kib, passes, lanes, salt, .. } = sealed;
    format!("perso_keys 1 {kdf} {memory_kib} {passes} {lanes} {salt}")
}

fn stretch(sealed: &SealedShape, passphrase: &Secret<Vec<u8>>, salt: &[u8]) -> Result<Secret<Vec<u8>>, KeyFileError> {
    let wrong = |path: &str, why: &str| KeyFileError::Field { path: format!("sealed.{path}"), why: why.into() };
    if sealed.kdf != "argon2id" {
        return Err(wrong("kdf", "only argon2id is known"));
    }
    if sealed.lanes > MOST_LANES {
        return Err(wrong("lanes", "more than 16 lanes"));
    }
    if sealed.passes > MOST_PASSES {
        return Err(wrong("passes", "more than 64 passes"));
    }
    if sealed.memory_kib > MOST_MEMORY {
        return Err(wrong("memory_kib", "more than 1 GiB (1048576)"));
    }
    if u64::from(sealed.memory_kib) * u64::from(sealed.passes) > MOST_WORK {
        return Err(wrong("passes", "memory_kib times passes is more than 4194304"));
    }
    let params = argon2::Params::new(sealed.memory_kib, sealed.passes, sealed.lanes, Some(32))
        .map_err(|_| wrong("memory_kib", "argon2id does not take these parameters"))?;
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    // The library wipes neither; the last block of the memory gives the key.
    let mut memory = Zeroizing::new(vec![argon2::Block::default(); argon2.params().block_count()].into_boxed_slice());
    let mut key = Zeroizing::new(vec![0; 32]);
    argon2
        .hash_password_into_with_memory(passphrase.expose(), salt, &mut key, &mut **memory)
        .map_err(|_| wrong("salt", "argon2id does not take this salt"))?;
    Ok(Secret::new(std::mem::take(&mut *key)))
}

fn open(sealed: &SealedShape, passphrase: &Secret<Vec<u8>>) -> Result<Unsealed, KeyFileError> {
    let field = |path: &str, text: &str| {
        hex::decode(text)
            .map_err(|_| KeyFileError::Field { path: format!("sealed.{path}"), why: "it is not hexadecimal".into() })
    };
    let length =
        |path: &str| KeyFileError::Field { path: format!("sealed.{path}"), why: "it has another length".into() };
    let salt = field("salt", &sealed.salt)?;
    let nonce: [u8; NONCE] = field("nonce", &sealed.nonce)?.try_into().map_err(|_| length("nonce"))?;
    let tag: [u8; TAG] = field("tag", &sealed.tag)?.try_into().map_err(|_| length("tag"))?;
    let ciphertext = field("ciphertext", &sealed.ciphertext)?;
    let key = stretch(sealed, passphrase, &salt)?;
    let clear = crypto::gcm_open(key.expose(), &nonce, header(sealed).as_bytes(), &ciphertext, &tag)
        .map(Secret::new)
        .map_err(|_: CryptoError| KeyFileError::Passphrase)?;
    let shapes: Vec<KeyShape> = serde_json::from_slice(clear.expose())
        .map_err(|error| KeyFileError::Syntax { line: error.line(), column: error.column() })?;
    read_keys(shapes)
}

fn read_keys(shapes: Vec<KeyShape>) -> Result<Unsealed, KeyFileError> {
    let mut keys = Unsealed::default();
    for (at, shape) in shapes.iter().enumerate() {
        let wrong = |(field, why): (&str, &str)| KeyFileError::Field {
            path: format!("keys[{at}].{field}"),
            why: why.to_owned(),
        };
        let (info, value) = shape.read().map_err(wrong)?;
        keys.push(info, value).map_err(wrong)?;
    }
    Ok(keys)
}

impl KeyShape {
    fn read(&self) -> Result<(KeyInfo, Secret<Vec<u8>>), Wrong> {
        let algorithm = Algorithm::find(&self.algorithm)
            .ok_or(("algorithm", "tdes2, tdes3, aes128, aes192, aes256, rsa or p256"))?;
        let purpose = Purpose::find(&self.purpose).ok_or(("purpose", "no such purpose; docs/keys.md lists them"))?;
        let method = KcvMethod::ALL.into_iter().find(|it| it.name() == self.kcv_method);
        let method = method.ok_or(("kcv_method", "des-zero, aes-zero, aes-ones, cmac or spki-sha256"))?;
        let kcv = hex::decode(&self.kcv).map_err(|_| ("kcv", "3 to 8 bytes in hexadecimal"))?;
        let value = Secret::from_hex(&self.value).ok_or(("value", "it is not hexadecimal"))?;
        let kmcid = self.kmcid.as_ref().map(|text| hex::decode(text).ok().and_then(|kmcid| kmcid.try_into().ok()));
        let kmcid = kmcid.map(|kmcid| kmcid.ok_or(("kmcid", "six bytes in hexadecimal"))).transpose()?;
        let info = KeyInfo {
            name: self.name.clone(),
            zone: self.zone.clone(),
            purpose,
            version: self.version,
            algorithm,
            kcv: Kcv { method, value: kcv },
            test: self.test,
            kmcid,
            header: self.header.as_ref().map(HeaderShape::read),
        };
        Ok((info, value))
    }
}

impl HeaderShape {
    fn read(&self) -> KeyHeader {
        let block = |block: &BlockShape| OptionalBlock { id: block.id.clone(), data: block.data.clone() };
        KeyHeader {
            usage: self.usage.clone(),
            mode: self.mode,
            key_version: self.key_version.clone(),
            exportability: self.exportability,
            context: self.context,
            blocks: self.blocks.iter().map(block).collect(),
        }
    }

    fn of(header: &KeyHeader) -> Self {
        let block = |block: &OptionalBlock| BlockShape { id: block.id.clone(), data: block.data.clone() };
        Self {
            usage: header.usage.clone(),
            mode: header.mode,
            key_version: header.key_version.clone(),
            exportability: header.exportability,
            context: header.context,
            blocks: header.blocks.iter().map(block).collect(),
        }
    }
}

/// What may be told of a key, as a text of its own.
///
/// # Errors
/// [`KeyError::Undescribed`] if it cannot be written.
pub(super) fn describe(info: &KeyInfo) -> Result<String, KeyError> {
    serde_json::to_string(&key_shape(info, &Secret::new(Vec::new())))
        .map_err(|_| KeyError::Undescribed(info.name.clone()))
}

/// The inverse of [`describe`].
pub(super) fn described(text: &[u8]) -> Result<KeyInfo, KeyFileError> {
    let shape: KeyShape = serde_json::from_slice(text)
        .map_err(|error| KeyFileError::Syntax { line: error.line(), column: error.column() })?;
    let field = |(field, why): Wrong| KeyFileError::Field { path: field.to_owned(), why: why.to_owned() };
    shape.read().map(|(info, _)| info).map_err(field)
}

fn key_shape(info: &KeyInfo, value: &Secret<Vec<u8>>) -> KeyShape {
    KeyShape {
        name: info.name.clone(),
        zone: info.zone.clone(),
        purpose: info.purpose.name().into(),
        version: info.version,
        algorithm: info.algorithm.name().into(),
        kcv: hex::encode_upper(&info.kcv.value),
        kcv_method: info.kcv.method.name().into(),
        test: info.test,
        kmcid: info.kmcid.map(hex::encode_upper),
        header: info.header.as_ref().map(HeaderShape::of),
        value: hex::encode_upper(value.expose()),
    }
}
