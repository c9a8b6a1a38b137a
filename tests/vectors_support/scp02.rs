//! SCP02.

use perso::base::Secret;
use perso::base::crypto::{self, Cipher, KcvMethod};
use perso::card::channel::{Protocol, Scp02, Scp02Keys, SecurityLevel};
use perso::keys::{CardKeys, KeyHandle, KeyStore, Purpose, SoftwareStore};
use serde_json::json;

use super::diversification::{kcv_method, test_store};
use super::scp::{Greeting, SCP02_FORM, card_keys, exposed, steps, under_dek};
use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[
    ("scp02_handshake", handshake),
    ("scp02_wrap", wrap),
    ("scp02_session_keys", session_keys),
    ("scp02_cryptograms", cryptograms),
    ("scp02_cmac_only", cmac_only),
    ("scp02_encrypt_key", encrypt_key),
];

/// The session keys of a counter; the DEK stays in custody.
pub fn session(inputs: &Inputs<'_>, i: u8, sequence: [u8; 2]) -> Result<(SoftwareStore, Scp02Keys, KeyHandle), String> {
    let (store, keys) = card_keys(inputs, Cipher::Tdes)?;
    let (keys, dek) = Scp02Keys::derive(&store, &keys, i, sequence).map_err(text)?;
    Ok((store, keys, dek))
}

fn handshake(inputs: &Inputs<'_>) -> Outputs {
    let (store, card) = card_keys(inputs, Cipher::Tdes)?;
    greeted(inputs, &store, &card)
}

/// The same with these keys of the card.
pub fn greeted(inputs: &Inputs<'_>, store: &SoftwareStore, card: &CardKeys) -> Outputs {
    let greeting = Greeting::scp02(inputs)?;
    let sequence = greeting.sequence.as_slice().try_into().map_err(text)?;
    let (keys, dek) = Scp02Keys::derive(store, card, greeting.i, sequence).map_err(text)?;
    greeting.check(&keys.card_cryptogram(&greeting.host, sequence, &greeting.challenge).map_err(text)?)?;
    let mut out = json!({
        "s_enc": upper(keys.enc.expose()),
        "s_mac": upper(keys.mac.expose()),
        "s_rmac": upper(keys.rmac.expose()),
        "s_dek": exposed(store, &dek)?,
        "card_cryptogram":
            upper(keys.card_cryptogram(&greeting.host, sequence, &greeting.challenge).map_err(text)?),
        "host_cryptogram":
            upper(keys.host_cryptogram(&greeting.host, sequence, &greeting.challenge).map_err(text)?),
    });
    if inputs.optional_text("aid")?.is_some() {
        out["card_challenge"] = upper(keys.expected_challenge(&inputs.bytes("aid")?).map_err(text)?);
    }
    if inputs.optional_text("security_level")?.is_some() {
        let (_, command) = authenticated(inputs, &greeting, keys)?;
        out["ext_auth_cmd"] = upper(command);
    }
    Ok(out)
}

fn wrap(inputs: &Inputs<'_>) -> Outputs {
    let greeting = Greeting::scp02(inputs)?;
    let sequence = greeting.sequence.as_slice().try_into().map_err(text)?;
    let (_, keys, _) = session(inputs, greeting.i, sequence)?;
    greeting.check(&keys.card_cryptogram(&greeting.host, sequence, &greeting.challenge).map_err(text)?)?;
    let (mut state, _) = authenticated(inputs, &greeting, keys)?;
    steps(
        inputs,
        &mut state,
        |state, plain| state.wrap(plain).map_err(text),
        |state, answer| state.unwrap(answer).map_err(text),
    )
}

/// The state after EXTERNAL AUTHENTICATE, and that command.
fn authenticated(inputs: &Inputs<'_>, greeting: &Greeting, keys: Scp02Keys) -> Result<(Scp02, Vec<u8>), String> {
    let protocol = Protocol::scp02(greeting.i).map_err(text)?;
    let level = SecurityLevel::new(inputs.byte("security_level")?, protocol).map_err(text)?;
    let sequence = greeting.sequence.as_slice().try_into().map_err(text)?;
    let cryptogram = keys.host_cryptogram(&greeting.host, sequence, &greeting.challenge).map_err(text)?;
    let mut state = Scp02::new(keys, greeting.i, level);
    let command = state.external_authenticate(&cryptogram).map_err(text)?.to_bytes().map_err(text)?;
    Ok((state, command))
}

fn session_keys(inputs: &Inputs<'_>) -> Outputs {
    let (store, keys, dek) = session(inputs, 0x15, inputs.array("seq")?)?;
    let kcv = |key: &[u8]| crypto::kcv(key, KcvMethod::DesZero, true, 3).map(upper).map_err(text);
    Ok(json!({
        "s_enc": upper(keys.enc.expose()),
        "s_mac": upper(keys.mac.expose()),
        "s_rmac": upper(keys.rmac.expose()),
        "s_dek": exposed(&store, &dek)?,
        "s_enc_kcv": kcv(keys.enc.expose())?,
        "s_mac_kcv": kcv(keys.mac.expose())?,
        "s_rmac_kcv": kcv(keys.rmac.expose())?,
        "s_dek_kcv": upper(store.kcv(&dek, KcvMethod::DesZero, 3).map_err(text)?),
    }))
}

fn cryptograms(inputs: &Inputs<'_>) -> Outputs {
    let none = || Secret::new(Vec::new());
    let keys = Scp02Keys { enc: Secret::new(inputs.bytes("s_enc")?), mac: none(), rmac: none() };
    let (host, card) = (inputs.bytes("host_challenge")?, inputs.bytes("card_challenge")?);
    let sequence = inputs.array("seq")?;
    Ok(json!({
        "card_cryptogram": upper(keys.card_cryptogram(&host, sequence, &card).map_err(text)?),
        "host_cryptogram": upper(keys.host_cryptogram(&host, sequence, &card).map_err(text)?),
    }))
}

fn cmac_only(inputs: &Inputs<'_>) -> Outputs {
    let input = crypto::pad_80(&inputs.bytes("mac_input")?, 8);
    Ok(json!({ "c_mac": upper(crypto::retail_mac(&inputs.bytes("s_mac")?, &[0; 8], &input).map_err(text)?) }))
}

fn encrypt_key(inputs: &Inputs<'_>) -> Outputs {
    let (store, _, dek) = session(inputs, 0x15, inputs.array("seq")?)?;
    let key = inputs.bytes("new_key")?;
    let encrypted = under_dek(&store, &dek, &key, SCP02_FORM)?;
    let new = test_store(Cipher::Tdes, &[("new", key)])?;
    let new = new.open("new", Purpose::Kmc).map_err(text)?;
    let kcv = store.kcv(&new, kcv_method(Cipher::Tdes), 3).map_err(text)?;
    Ok(json!({ "encrypted_key": upper(encrypted), "kcv": upper(kcv) }))
}
