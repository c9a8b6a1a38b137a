//! SCP03.

use perso::base::crypto::{self, Cipher, KcvMethod};
use perso::card::channel::{Mode, Protocol, Scp03, Scp03Keys, SecurityLevel, expected_challenge, kdf};
use perso::keys::{CardKeys, Derivation, KeyStore, Purpose, SoftwareStore};
use serde_json::json;

use super::diversification::test_store;
use super::scp::{Greeting, card_keys, steps};
use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[
    ("scp03_handshake", handshake),
    ("scp03_wrap", wrap),
    ("scp03_kdf", key_derivation),
    ("scp03_kdf_kcv", key_derivation_kcv),
];

fn handshake(inputs: &Inputs<'_>) -> Outputs {
    let (store, card) = card_keys(inputs, Cipher::Aes)?;
    greeted(inputs, &store, &card)
}

/// The same with these keys of the card.
pub fn greeted(inputs: &Inputs<'_>, store: &SoftwareStore, card: &CardKeys) -> Outputs {
    let mode = mode(inputs)?;
    let greeting = Greeting::scp03(inputs, mode.length())?;
    let keys = Scp03Keys::derive(store, card, &greeting.host, &greeting.challenge).map_err(text)?;
    greeting.check(&keys.card_cryptogram(&greeting.host, &greeting.challenge, mode).map_err(text)?)?;
    let mut out = json!({
        "s_enc": upper(keys.enc.expose()),
        "s_mac": upper(keys.mac.expose()),
        "s_rmac": upper(keys.rmac.expose()),
        "card_cryptogram": upper(keys.card_cryptogram(&greeting.host, &greeting.challenge, mode).map_err(text)?),
        "host_cryptogram": upper(keys.host_cryptogram(&greeting.host, &greeting.challenge, mode).map_err(text)?),
    });
    if inputs.optional_text("aid")?.is_some() {
        let sequence = greeting.sequence.as_slice().try_into().map_err(text)?;
        let challenge = expected_challenge(store, card, sequence, &inputs.bytes("aid")?, mode).map_err(text)?;
        out["card_challenge"] = upper(challenge);
    }
    if inputs.optional_text("security_level")?.is_some() {
        let (_, command) = authenticated(inputs, &greeting, keys, mode)?;
        out["ext_auth_cmd"] = upper(command);
    }
    Ok(out)
}

fn wrap(inputs: &Inputs<'_>) -> Outputs {
    let mode = mode(inputs)?;
    let greeting = Greeting::scp03(inputs, mode.length())?;
    let (store, card) = card_keys(inputs, Cipher::Aes)?;
    let keys = Scp03Keys::derive(&store, &card, &greeting.host, &greeting.challenge).map_err(text)?;
    greeting.check(&keys.card_cryptogram(&greeting.host, &greeting.challenge, mode).map_err(text)?)?;
    let (mut state, _) = authenticated(inputs, &greeting, keys, mode)?;
    steps(
        inputs,
        &mut state,
        |state, plain| state.wrap(plain).map_err(text),
        |state, answer| state.unwrap(answer).map_err(text),
    )
}

/// The state after EXTERNAL AUTHENTICATE, and that command.
fn authenticated(
    inputs: &Inputs<'_>,
    greeting: &Greeting,
    keys: Scp03Keys,
    mode: Mode,
) -> Result<(Scp03, Vec<u8>), String> {
    let protocol = Protocol::scp03(greeting.i, mode).map_err(text)?;
    let level = SecurityLevel::new(inputs.byte("security_level")?, protocol).map_err(text)?;
    let cryptogram = keys.host_cryptogram(&greeting.host, &greeting.challenge, mode).map_err(text)?;
    let mut state = Scp03::new(keys, mode, level, true);
    let command = state.external_authenticate(&cryptogram).map_err(text)?.to_bytes().map_err(text)?;
    Ok((state, command))
}

fn key_derivation(inputs: &Inputs<'_>) -> Outputs {
    let store = test_store(Cipher::Aes, &[("key", inputs.bytes("key")?)])?;
    let key = store.open("key", Purpose::Kmc).map_err(text)?;
    let length = inputs.number("length_bits")? / 8;
    let messages = kdf(inputs.byte("constant")?, length, &inputs.bytes("context")?);
    let out = store.session_key(&key, &Derivation::Cmac { messages: &messages, length }).map_err(text)?;
    Ok(json!({ "out": upper(out.expose()) }))
}

fn key_derivation_kcv(inputs: &Inputs<'_>) -> Outputs {
    let (store, card) = card_keys(inputs, Cipher::Aes)?;
    let keys = Scp03Keys::derive(&store, &card, &inputs.bytes("context")?, &[]).map_err(text)?;
    let kcv = |key: &[u8]| crypto::kcv(key, KcvMethod::AesOnes, false, 3).map(upper).map_err(text);
    Ok(json!({
        "s_enc": upper(keys.enc.expose()),
        "s_mac": upper(keys.mac.expose()),
        "s_rmac": upper(keys.rmac.expose()),
        "s_enc_kcv": kcv(keys.enc.expose())?,
        "s_mac_kcv": kcv(keys.mac.expose())?,
        "s_rmac_kcv": kcv(keys.rmac.expose())?,
        "dek_kcv": upper(store.kcv(&card.dek, KcvMethod::AesOnes, 3).map_err(text)?),
    }))
}

fn mode(inputs: &Inputs<'_>) -> Result<Mode, String> {
    match inputs.text("mode")? {
        "S8" => Ok(Mode::S8),
        "S16" => Ok(Mode::S16),
        other => Err(format!("there is no mode {other}")),
    }
}
