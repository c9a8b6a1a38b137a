//! What both secure channels share: keys in custody, INITIALIZE UPDATE, steps of a session, PUT KEY.

use perso::base::Secret;
use perso::base::crypto::Cipher;
use perso::card::apdu::{Command, Response};
use perso::keys::{CardForm, CardKeys, CardPadding, KeyHandle, KeyStore, Purpose, Sealed, SoftwareStore};
use serde_json::{Value, json};

use super::diversification::{kcv_method, test_store};
use super::scp02::session;
use super::{Inputs, Kind, Outputs, text, upper};

pub const KINDS: &[Kind] = &[("put_key", put_key)];

/// The card's three static keys in a key store.
pub fn card_keys(inputs: &Inputs<'_>, cipher: Cipher) -> Result<(SoftwareStore, CardKeys), String> {
    let names = ["key_enc", "key_mac", "key_dek"];
    let values = names.map(|name| inputs.bytes(name).map(|value| (name, value)));
    let store = test_store(cipher, &values.into_iter().collect::<Result<Vec<_>, _>>()?)?;
    let open = |name| store.open(name, Purpose::Kmc).map_err(text);
    let keys = CardKeys { enc: open("key_enc")?, mac: open("key_mac")?, dek: open("key_dek")? };
    Ok((store, keys))
}

/// INITIALIZE UPDATE and its answer, cut into what a cryptogram is made of.
pub struct Greeting {
    pub i: u8,
    pub host: Vec<u8>,
    pub sequence: Vec<u8>,
    pub challenge: Vec<u8>,
    /// As the card answered; none where the vector has the challenges alone.
    cryptogram: Option<Vec<u8>>,
}

impl Greeting {
    /// An answer of SCP02: counter and challenge. `i` is not in it.
    pub fn scp02(inputs: &Inputs<'_>) -> Result<Self, String> {
        let (host, answer) = Self::exchange(inputs, 0x02)?;
        let (Some(sequence), Some(challenge), 28) = (answer.get(12..14), answer.get(14..20), answer.len()) else {
            return Err("the answer has not 28 bytes".to_owned());
        };
        let cryptogram = answer.get(20..).map(<[u8]>::to_vec);
        let i = if inputs.optional_text("option")?.is_some() { inputs.byte("option")? } else { 0x15 };
        Ok(Self { i, host, sequence: sequence.to_vec(), challenge: challenge.to_vec(), cryptogram })
    }

    /// An answer of SCP03: `i`, challenge, cryptogram and, where there is one, the counter.
    pub fn scp03(inputs: &Inputs<'_>, length: usize) -> Result<Self, String> {
        if inputs.optional_text("init_update_cmd")?.is_none() {
            let (host, challenge) = (inputs.bytes("host_challenge")?, inputs.bytes("card_challenge")?);
            return Ok(Self { i: 0, host, sequence: Vec::new(), challenge, cryptogram: None });
        }
        let (host, answer) = Self::exchange(inputs, 0x03)?;
        let (Some(&i), Some(challenge), Some(sequence)) =
            (answer.get(12), answer.get(13..13 + length), answer.get(13 + 2 * length..))
        else {
            return Err("the answer is too short".to_owned());
        };
        let cryptogram = answer.get(13 + length..13 + 2 * length).map(<[u8]>::to_vec);
        Ok(Self { i, host, sequence: sequence.to_vec(), challenge: challenge.to_vec(), cryptogram })
    }

    /// Compares the cryptogram that the keys give with the card's.
    pub fn check(&self, ours: &[u8]) -> Result<(), String> {
        match &self.cryptogram {
            Some(theirs) if theirs != ours => Err("the card's cryptogram is another".to_owned()),
            _ => Ok(()),
        }
    }

    fn exchange(inputs: &Inputs<'_>, scp: u8) -> Result<(Vec<u8>, Vec<u8>), String> {
        let command = Command::parse(&inputs.bytes("init_update_cmd")?).map_err(text)?;
        let answer = inputs.bytes("init_update_rsp")?;
        if command.ins != 0x50 || answer.get(11) != Some(&scp) {
            return Err(format!("not an INITIALIZE UPDATE of SCP{scp:02X}"));
        }
        Ok((command.into_data(), answer))
    }
}

/// Runs the steps of a session in order.
pub fn steps<S>(
    inputs: &Inputs<'_>,
    state: &mut S,
    wrap: impl Fn(&mut S, &Command) -> Result<Command, String>,
    unwrap: impl Fn(&mut S, Response) -> Result<Response, String>,
) -> Outputs {
    let mut out = Vec::new();
    for (at, step) in inputs.objects("steps")?.iter().enumerate() {
        let plain = Command::parse(&step.bytes("cmd_plain")?).map_err(text)?;
        let wrapped = wrap(state, &plain)?.to_bytes().map_err(text)?;
        let mut seen = json!({ "cmd_wrapped": upper(wrapped) });
        if step.optional_text("rsp_wrapped")?.is_some() {
            let answer = Response::parse(&step.bytes("rsp_wrapped")?).map_err(text)?;
            let plain = unwrap(state, answer).map_err(|why| format!("step {at}: {why}"))?;
            seen["rsp_plain"] = upper(plain.to_bytes());
        }
        out.push(seen);
    }
    Ok(json!({ "steps": out }))
}

/// A key as a card takes it: enciphered under the DEK of the session. The way is that of a sealed grouping, from a
/// transport key to the DEK.
pub fn under_dek(store: &dyn KeyStore, dek: &KeyHandle, key: &[u8], form: CardForm) -> Result<Vec<u8>, String> {
    let transport = test_store(Cipher::Aes, &[("transport", vec![0x5A; 16])])?;
    let from = transport.open("transport", Purpose::Transport).map_err(text)?;
    let iv = [0xC3; 16];
    let ciphertext = store.seal(&from, &iv, &Secret::new(key.to_vec())).map_err(text)?;
    let sealed = Sealed { iv: Some(&iv), ciphertext: &ciphertext, length: key.len() };
    store.reseal(&from, &sealed, dek, form).map_err(text)
}

/// How SCP02 enciphers keys: ECB, whole blocks. // GPC 2.3.1 §E.4.7
pub const SCP02_FORM: CardForm = CardForm { padding: CardPadding::None, cbc: false };
/// How SCP03 enciphers keys: CBC, filled where needed. // GPC-D §6.2.8
pub const SCP03_FORM: CardForm = CardForm { padding: CardPadding::IfNeeded, cbc: true };

/// The data field of PUT KEY: the new version, then type, value and check value of every key. // GPC 2.3.1 §11.8.2.3
fn put_key(inputs: &Inputs<'_>) -> Outputs {
    let (store, dek, form) = match inputs.text("scp")? {
        "02" => {
            let (store, _, dek) = session(inputs, 0x15, inputs.array("seq")?)?;
            (store, dek, SCP02_FORM)
        }
        "03" => {
            let store = test_store(Cipher::Aes, &[("key_dek", inputs.bytes("key_dek")?)])?;
            let dek = store.open("key_dek", Purpose::Kmc).map_err(text)?;
            (store, dek, SCP03_FORM)
        }
        other => return Err(format!("there is no SCP{other}")),
    };
    // What fills up a key is free (GPC-D 6.2.8); we take 80 and zeros, and so does this vector.
    if inputs.optional_text("padding")?.is_some_and(|padding| padding != "8000000000000000") {
        return Err("the vector fills up its keys in another way than 80 and zeros".to_owned());
    }
    let mut data = vec![inputs.byte("new_kvn")?];
    for new in inputs.objects("new_keys")? {
        let (kind, cipher) = match new.text("type")? {
            "DES" => (0x80, Cipher::Tdes),
            "AES" => (0x88, Cipher::Aes),
            other => return Err(format!("there is no key type {other}")),
        };
        let key = new.bytes("key")?;
        let mut value = under_dek(&store, &dek, &key, form)?;
        if kind == 0x88 {
            value.insert(0, u8::try_from(key.len()).map_err(text)?);
        }
        let new = test_store(cipher, &[("new", key)])?;
        let new = store.kcv(&new.open("new", Purpose::Kmc).map_err(text)?, kcv_method(cipher), 3).map_err(text)?;
        data.extend([kind, u8::try_from(value.len()).map_err(text)?]);
        data.extend(value);
        data.push(3);
        data.extend(new);
    }
    Ok(json!({ "put_key_data": upper(data) }))
}

/// A derived key in custody, as hexadecimal: all keys here are test keys.
pub fn exposed(store: &dyn KeyStore, key: &KeyHandle) -> Result<Value, String> {
    store.expose_test_key(key).map(|key| upper(key.expose())).map_err(text)
}
