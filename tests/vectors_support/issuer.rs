//! What an issuer's host computes: card keys, session keys, cryptograms, scripts.

use perso::base::Secret;
use perso::base::crypto::{Cipher, KcvMethod};
use perso::base::emv::Pan;
use perso::keys::issuer::{
    self, AcPadding, CardKeyMethod, Parity, PinCipher, SessionMethod, Tree, WorkingKey, icc_master_key,
    icc_master_key_value, session_key, tree_session_key, visa_session_key, with_parity,
};
use perso::keys::{KeyHandle, KeyStore, Purpose, SoftwareStore};
use serde_json::{Value, json};

use super::diversification::test_store;
use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[
    ("emv_icc_mk", icc_mk),
    ("emv_ac", ac),
    ("emv2000_tree_sk", tree),
    ("emv_script_mac", script_mac),
    ("emv_pin_change", pin_change),
];

/// A card's key under one issuer master key.
struct Card {
    store: SoftwareStore,
    key: KeyHandle,
    /// With odd parity.
    value: Secret<Vec<u8>>,
}

impl Card {
    fn new(inputs: &Inputs<'_>, imk: &str, purpose: Purpose) -> Result<Self, String> {
        let store = test_store(Cipher::Tdes, &[(purpose.name(), inputs.bytes(imk)?)])?;
        let master = store.open(purpose.name(), purpose).map_err(text)?;
        let pan = Pan::parse(inputs.text("pan")?).map_err(text)?;
        let psn = inputs.byte("psn")?;
        let method = match inputs.text("option")? {
            "A" => CardKeyMethod::A,
            "B" => CardKeyMethod::B,
            other => return Err(format!("option {other}")),
        };
        let key = icc_master_key(&store, &master, &pan, psn, method).map_err(text)?;
        let value = icc_master_key_value(&store, &master, &pan, psn, method, Parity::Odd).map_err(text)?;
        Ok(Self { store, key, value })
    }

    fn session_key(&self, inputs: &Inputs<'_>) -> Result<WorkingKey, String> {
        let method = match inputs.text("sk_method")? {
            "none" => SessionMethod::None,
            "common" => SessionMethod::Common(inputs.array("r")?),
            "mastercard" => SessionMethod::Mastercard { atc: inputs.array("atc")?, unpredictable: inputs.array("un")? },
            "visa" => return Ok(visa_session_key(&self.value, inputs.array("atc")?)),
            other => return Err(format!("session key method {other}")),
        };
        session_key(&self.store, &self.key, method).map_err(text)
    }

    fn kcv(&self, key: &WorkingKey, length: usize) -> Result<Value, String> {
        key.kcv(&self.store, length).map(upper).map_err(text)
    }
}

/// The value of a key as these sources state it: with odd parity.
fn value(store: &dyn KeyStore, key: &WorkingKey) -> Result<Value, String> {
    let value = match key {
        WorkingKey::InCustody(key) => store.expose_test_key(key).map_err(text)?,
        WorkingKey::Held(value) => Secret::new(value.expose().clone()),
    };
    Ok(upper(with_parity(value, Parity::Odd).expose()))
}

fn icc_mk(inputs: &Inputs<'_>) -> Outputs {
    let card = Card::new(inputs, "imk", Purpose::ImkAc)?;
    let kcv = card.store.kcv(&card.key, KcvMethod::DesZero, 2).map_err(text)?;
    Ok(json!({ "icc_mk": upper(card.value.expose()), "icc_mk_kcv2": upper(kcv) }))
}

fn ac(inputs: &Inputs<'_>) -> Outputs {
    let card = Card::new(inputs, "imk", Purpose::ImkAc)?;
    let store = &card.store;
    let key = card.session_key(inputs)?;
    let padding = match inputs.text("padding")? {
        "1" => AcPadding::Zeros,
        "2" => AcPadding::Always80,
        other => return Err(format!("padding {other}")),
    };
    let ac = issuer::application_cryptogram(store, &key, &inputs.bytes("data")?, padding).map_err(text)?;
    let own = session_key(store, &card.key, SessionMethod::None).map_err(text)?;
    let answering = match inputs.optional_text("arpc_key")? {
        Some("icc_mk") => &own,
        Some("sk") | None => &key,
        Some(other) => return Err(format!("ARPC key {other}")),
    };
    let arpc = if inputs.optional_text("csu")?.is_some() {
        let data =
            if inputs.optional_text("prop_auth_data")?.is_some() { inputs.bytes("prop_auth_data")? } else { vec![] };
        upper(issuer::arpc_2(store, answering, ac, inputs.array("csu")?, &data).map_err(text)?)
    } else {
        upper(issuer::arpc_1(store, answering, ac, inputs.array("arpc_rc")?).map_err(text)?)
    };
    Ok(json!({
        "icc_mk": upper(card.value.expose()), "icc_mk_kcv2": card.kcv(&own, 2)?,
        "sk": value(store, &key)?, "sk_kcv2": card.kcv(&key, 2)?,
        "ac": upper(ac), "arpc": arpc,
    }))
}

fn tree(inputs: &Inputs<'_>) -> Outputs {
    let byte = |name| inputs.number(name).and_then(|number| u8::try_from(number).map_err(text));
    let tree = Tree { height: byte("height")?, branch: byte("branch")?, iv: inputs.array("iv")? };
    let card_key = Secret::new(inputs.bytes("icc_mk")?);
    let key = tree_session_key(&card_key, inputs.array("atc")?, tree).map_err(text)?;
    Ok(json!({ "sk": value(&test_store(Cipher::Tdes, &[])?, &key)? }))
}

fn script_mac(inputs: &Inputs<'_>) -> Outputs {
    let card = Card::new(inputs, "imk", Purpose::ImkSmi)?;
    let key = card.session_key(inputs)?;
    let mac = issuer::script_mac(&card.store, &key, &inputs.bytes("mac_input")?, 8).map_err(text)?;
    Ok(json!({ "sk": value(&card.store, &key)?, "sk_kcv2": card.kcv(&key, 2)?, "mac": upper(mac) }))
}

fn pin_change(inputs: &Inputs<'_>) -> Outputs {
    // Of the card's key for cryptograms VIS alone takes something.
    inputs.known(&["imk_ac"]);
    let pin = |name: &str| inputs.text(name).map(|digits| Secret::new(digits.as_bytes().to_vec()));
    let block = match inputs.text("pin_format")? {
        "iso2" => issuer::pin_block_iso2(&pin("pin")?),
        "vis" => {
            let current = inputs.optional_text("current_pin")?.map(|_| pin("current_pin")).transpose()?;
            issuer::pin_block_vis(&pin("pin")?, current.as_ref(), &Card::new(inputs, "imk_ac", Purpose::ImkAc)?.value)
        }
        other => return Err(format!("PIN format {other}")),
    }
    .map_err(text)?;
    let cipher = match inputs.text("encryption")? {
        "visa" => PinCipher::Visa,
        "mastercard" => PinCipher::Mastercard,
        "emv" => PinCipher::Emv,
        other => return Err(format!("encryption {other}")),
    };
    let (smc, smi) = (Card::new(inputs, "imk_smc", Purpose::ImkSmc)?, Card::new(inputs, "imk_smi", Purpose::ImkSmi)?);
    let (smc_key, smi_key) = (smc.session_key(inputs)?, smi.session_key(inputs)?);
    let enciphered = issuer::encipher_pin(&smc.store, &smc_key, &block, cipher).map_err(text)?;
    let header = inputs.bytes("header")?;
    let prefix = if inputs.optional_text("mac_prefix")?.is_some() { inputs.bytes("mac_prefix")? } else { vec![] };
    let input = [header.as_slice(), &prefix, &enciphered].concat();
    let mac = issuer::script_mac(&smi.store, &smi_key, &input, 8).map_err(text)?;
    Ok(json!({
        "pin_block": upper(block.expose()), "encrypted_data": upper(&enciphered), "mac": upper(&mac),
        "command": upper([header, enciphered, mac].concat()),
        "sk_smc_kcv2": smc.kcv(&smc_key, 2)?, "sk_smc_kcv3": smc.kcv(&smc_key, 3)?,
        "sk_smi_kcv2": smi.kcv(&smi_key, 2)?, "sk_smi_kcv3": smi.kcv(&smi_key, 3)?,
    }))
}
