//! TR-31 key blocks.

use perso::base::Chance;
use perso::base::crypto::{self, Cipher, KcvMethod};
use perso::keys::tr31::{Header, KeyBlock, Version};
use perso::keys::{KeyError, KeyHandle, KeyStore, Purpose, SoftwareStore};
use serde_json::{Map, Value, json};

use super::custody::{one_key_of, one_key_with};
use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] =
    &[("tr31_unwrap", unwrap), ("tr31_wrap", wrap), ("tr31_derive", derive), ("tr31_reject", reject)];

fn kbpk(inputs: &Inputs<'_>, version: Version) -> Result<(SoftwareStore, KeyHandle), String> {
    one_key_of(version.cipher(), Purpose::Kbpk, inputs.bytes("kbpk")?)
}

fn version(text: &str) -> Result<Version, String> {
    text.chars().next().and_then(Version::find).ok_or_else(|| format!("version {text}"))
}

fn keys(store: &SoftwareStore, kbpk: &KeyHandle, version: Version, out: &mut Map<String, Value>) -> Result<(), String> {
    let (kbek, kbak) = store.tr31_keys(kbpk, version).map_err(text)?;
    for (name, key) in [("kbek", kbek), ("kbak", kbak)] {
        out.insert(name.into(), upper(store.expose_test_key(&key).map_err(text)?.expose()));
    }
    Ok(())
}

fn derive(inputs: &Inputs<'_>) -> Outputs {
    let version = version(inputs.text("version")?)?;
    let (store, kbpk) = kbpk(inputs, version)?;
    let mut out = Map::new();
    keys(&store, &kbpk, version, &mut out)?;
    Ok(Value::Object(out))
}

fn unwrap(inputs: &Inputs<'_>) -> Outputs {
    let block = inputs.text("key_block")?;
    let version = version(block)?;
    let (store, kbpk) = kbpk(inputs, version)?;
    let mut out = Map::new();
    keys(&store, &kbpk, version, &mut out)?;
    let parsed = KeyBlock::parse(block).map_err(text)?;
    let arrived = store.tr31_unwrap(&kbpk, &parsed).map_err(text)?;
    let key = arrived.expose_test_key().map_err(text)?;
    // The header says it too.
    inputs.known(&["key_algorithm"]);
    let is_aes = arrived.header().algorithm == 'A';
    let method = if is_aes { KcvMethod::Cmac } else { KcvMethod::DesZero };
    if let Ok(kcv) = crypto::kcv(key.expose(), method, false, 3) {
        out.insert("kcv3".into(), upper(kcv));
    }
    out.insert("key".into(), upper(key.expose()));
    let header = arrived.header();
    let (text, padding) = taken_apart(&store, &kbpk, block, header, key.expose())?;
    out.insert("header".into(), text.into());
    out.insert("padding".into(), padding);
    Ok(Value::Object(out))
}

/// The header as text and the padding, which the product does not give out: found by an own look at the block.
fn taken_apart(
    store: &SoftwareStore,
    kbpk: &KeyHandle,
    block: &str,
    header: &Header,
    key: &[u8],
) -> Result<(String, Value), String> {
    let version = header.version;
    let (kbek, _) = store.tr31_keys(kbpk, version).map_err(text)?;
    let kbek = store.expose_test_key(&kbek).map_err(text)?;
    let mac_at = block.len() - version.mac() * 2;
    let unit = version.cipher().block();
    // The body begins where deciphering from there gives the key behind its length.
    for at in (16..mac_at).step_by(unit) {
        let Ok(ciphertext) = hex::decode(&block[at..mac_at]) else { continue };
        if ciphertext.len() % unit != 0 {
            continue;
        }
        let mac = hex::decode(&block[mac_at..]).map_err(text)?;
        let iv = if version.is_variant() { &block.as_bytes()[..8] } else { &mac };
        let clear = version.cipher().cbc_decrypt(kbek.expose(), iv, &ciphertext).map_err(text)?;
        let start = [&(key.len() as u16 * 8).to_be_bytes(), key].concat();
        if let Some(padding) = clear.strip_prefix(start.as_slice()) {
            return Ok((block[..at].to_owned(), upper(padding)));
        }
    }
    Err("the body was not found".to_owned())
}

/// The key goes into custody by another block, made of the header in question, then out again.
fn wrap(inputs: &Inputs<'_>) -> Outputs {
    let header = inputs.text("header")?;
    let version = version(header)?;
    let (store, kbpk) = kbpk(inputs, version)?;
    let parsed = read_header(header)?;
    let cipher = if parsed.algorithm == 'A' { Cipher::Aes } else { Cipher::Tdes };
    // A key leaves with S if it came with S; one that came with E may leave with E or N.
    let exportability = if parsed.exportability == 'S' { 'S' } else { 'E' };
    let came = Header { mode: 'N', exportability, ..parsed.clone() }.kept();
    let (_, key) = one_key_with(cipher, Purpose::Data, inputs.bytes("key")?, Some(came))?;
    let padding = inputs.bytes("padding")?;
    let least = (key.algorithm().key_length() + 2).next_multiple_of(version.cipher().block());
    let hide = padding.len() + 2 + key.algorithm().key_length() > least;
    let block = store.tr31_wrap(&kbpk, &parsed, &key, hide, &mut Chance::fixed(padding)).map_err(text)?;
    Ok(json!({ "key_block": block }))
}

/// A header alone is no block: with some body behind it, it is.
fn read_header(header: &str) -> Result<Header, String> {
    let version = version(header)?;
    let body = "0".repeat(32 + version.mac() * 2);
    let mut text_block = format!("{header}{body}");
    let length = format!("{:04}", text_block.len());
    text_block.replace_range(1..5, &length);
    KeyBlock::parse(&text_block).map(|block| block.header().clone()).map_err(text)
}

fn reject(inputs: &Inputs<'_>) -> Outputs {
    let block = inputs.text("key_block")?;
    // A block whose header is refused needs no key; why it is refused is said in words.
    inputs.known(&["kbpk", "reason"]);
    let opened = || -> Result<(), KeyError> {
        let parsed = KeyBlock::parse(block)?;
        // A key of no length that a KBPK has is no KBPK at all.
        if let Ok((store, kbpk)) = kbpk(inputs, parsed.header().version) {
            store.tr31_unwrap(&kbpk, &parsed)?;
        } else {
            return Err(KeyError::Unknown("kbpk".into()));
        }
        Ok(())
    };
    Ok(json!({ "rejected": opened().is_err() }))
}
