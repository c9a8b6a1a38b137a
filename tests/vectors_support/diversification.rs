//! From a master key to a card's keys.

use perso::base::Secret;
use perso::base::crypto::{self, Cipher, KcvMethod};
use perso::keys::{
    Algorithm, CardKeys, Diversification, Kcv, KeyHandle, KeyInfo, KeyStore, Purpose, SoftwareStore, card_keys,
};
use serde_json::json;

use super::scp::exposed;
use super::{Inputs, Kind, Outputs, scp02, scp03, text, upper};

pub const KINDS: &[Kind] =
    &[("div_emv_cps", emv_cps), ("div_visa2", visa2), ("div_kdf3", kdf3), ("div_then_scp", then_scp)];

fn emv_cps(inputs: &Inputs<'_>) -> Outputs {
    outputs(inputs, Cipher::Tdes, &Diversification::EmvCps { offset: 4 })
}

fn visa2(inputs: &Inputs<'_>) -> Outputs {
    outputs(inputs, Cipher::Tdes, &Diversification::Visa2)
}

fn kdf3(inputs: &Inputs<'_>) -> Outputs {
    outputs(inputs, Cipher::Aes, &Diversification::Kdf3)
}

/// From the master key to the card's keys, and on to the cryptograms of INITIALIZE UPDATE's answer.
fn then_scp(inputs: &Inputs<'_>) -> Outputs {
    let method = match inputs.text("scheme")? {
        "emv" | "emv_cps" => Diversification::EmvCps { offset: 4 },
        "visa2" => Diversification::Visa2,
        "kdf3" => Diversification::Kdf3,
        other => return Err(format!("there is no scheme {other}")),
    };
    let cipher = match inputs.text("scp")? {
        "02" => Cipher::Tdes,
        "03" => Cipher::Aes,
        other => return Err(format!("SCP{other} is not supported")),
    };
    let answer = inputs.bytes("init_update_rsp")?;
    let kdd = answer.first_chunk().ok_or("the answer is too short")?;
    let store = test_store(cipher, &[("master", inputs.bytes("master")?)])?;
    let master = store.open("master", Purpose::Kmc).map_err(text)?;
    let keys = card_keys(&store, &master, &method, kdd).map_err(text)?;
    let mut out = match cipher {
        Cipher::Tdes => scp02::greeted(inputs, &store, &keys)?,
        Cipher::Aes => scp03::greeted(inputs, &store, &keys)?,
    };
    for (name, key) in [("k_enc", &keys.enc), ("k_mac", &keys.mac), ("k_dek", &keys.dek)] {
        out[name] = exposed(&store, key)?;
        out[format!("{name}_kcv")] = upper(store.kcv(key, kcv_method(cipher), 3).map_err(text)?);
    }
    Ok(out)
}

fn outputs(inputs: &Inputs<'_>, cipher: Cipher, method: &Diversification) -> Outputs {
    let store = test_store(cipher, &[("master", inputs.bytes("master")?)])?;
    let master = store.open("master", Purpose::Kmc).map_err(text)?;
    let CardKeys { enc, mac, dek } = card_keys(&store, &master, method, &inputs.array("kdd")?).map_err(text)?;
    let key = |key: &KeyHandle| store.expose_test_key(key).map(|key| upper(key.expose())).map_err(text);
    let kcv = |key: &KeyHandle| store.kcv(key, kcv_method(cipher), 3).map(upper).map_err(text);
    Ok(json!({
        "k_enc": key(&enc)?, "k_mac": key(&mac)?, "k_dek": key(&dek)?,
        "k_enc_kcv": kcv(&enc)?, "k_mac_kcv": kcv(&mac)?, "k_dek_kcv": kcv(&dek)?,
    }))
}

/// The check value that GlobalPlatform uses with this cipher.
pub fn kcv_method(cipher: Cipher) -> KcvMethod {
    match cipher {
        Cipher::Tdes => KcvMethod::DesZero,
        Cipher::Aes => KcvMethod::AesOnes,
    }
}

/// A key named by a purpose is for it; all others are personalization master keys.
fn purpose_of(name: &str) -> Purpose {
    Purpose::find(name).unwrap_or(Purpose::Kmc)
}

/// A key store with these test keys.
pub fn test_store(cipher: Cipher, keys: &[(&str, Vec<u8>)]) -> Result<SoftwareStore, String> {
    let key = |(name, value): &(&str, Vec<u8>)| {
        let algorithm = Algorithm::of(cipher, value.len()).ok_or_else(|| format!("{name}: {} bytes", value.len()))?;
        let method = kcv_method(cipher);
        let kcv = crypto::kcv(value, method, cipher == Cipher::Tdes, 3).map_err(text)?;
        let info = KeyInfo {
            name: (*name).to_owned(),
            zone: String::new(),
            purpose: purpose_of(name),
            version: 1,
            algorithm,
            kcv: Kcv { method, value: kcv },
            test: true,
            kmcid: None,
            header: None,
        };
        Ok::<_, String>((info, Secret::new(value.clone())))
    };
    keys.iter().map(key).collect::<Result<_, _>>().map(SoftwareStore::new)
}
