//! Check values, diversification, session keys, key blocks.

use super::input::{CalculatorStore, Inputs, KeySource, Opened, store_of, wrong};
use super::shown::Calculated;
use crate::base::Secret;
use crate::base::crypto::{Cipher, KcvMethod};
use crate::card::channel::{Answered, Handshake, Protocol, Scp02Keys, Scp03Keys, SessionInCustody};
use crate::cli::args::{DiversifyArgs, KeyCheckArgs, SessionKeysArgs, Tr31Args};
use crate::cli::common::{self, CliError};
use crate::cli::stores;
use crate::keys::tr31::{KeyBlock, purposes};
use crate::keys::{
    CardKeys, Diversification, KeyError, KeyHandle, KeySet, KeyStore, Purpose, card_keys, card_keys_to_show,
};

const LIVE: &str = "a key that comes from a live key";
/// Length of the check values that stand beside derived keys, in bytes.
const KCV: usize = 3;
/// Length of a single DES key, in bytes.
const DES: usize = 8;

/// Check values by every method that the key has.
pub fn kcv(args: &KeyCheckArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let cipher = if args.aes { Cipher::Aes } else { Cipher::Tdes };
    let source = KeySource::of(&args.key);
    // A named key keeps its own purpose.
    let (Opened { store, key }, single) = match source.from {
        Some(path) => clear_key(&source, path, cipher, inputs)?,
        None => (inputs.key(&source, &[], Some(cipher))?, false),
    };
    let mut shown = Calculated::new("kcv");
    shown.used(&key);
    shown.step("algorithm", if single { "des, single length" } else { key.algorithm().name() });
    // Of a live record or data key, aes-zero would give away bytes of its GHASH key.
    let hidden = |method| {
        method == KcvMethod::AesZero && !key.is_test() && !key.is_derived() && key.purpose().hides_aes_zero(false)
    };
    let methods = KcvMethod::ALL.into_iter().filter(|method| key.algorithm().has_check_value(*method));
    for method in methods.filter(|method| !hidden(*method)) {
        shown.step(method.name(), how(method));
        shown.bytes(format!("KCV {}", method.name()), store.kcv(&key, method, usize::from(args.length))?);
    }
    Ok(shown)
}

/// A key in the clear, and whether it is single DES: the same as triple DES with equal halves. Purpose `data` takes a key
/// of every length.
fn clear_key(
    source: &KeySource<'_>,
    path: &str,
    cipher: Cipher,
    inputs: &mut Inputs,
) -> Result<(Opened, bool), CliError> {
    let Ok([value]) = <[Secret<Vec<u8>>; 1]>::try_from(inputs.clear_keys(source, path)?) else {
        return Err(wrong(source.from_option, "give one key, in one line"));
    };
    let single = cipher == Cipher::Tdes && value.len() == DES;
    let value = if single { Secret::new(value.expose().repeat(2)) } else { value };
    let store = store_of(source.from_option, vec![("clear-key", value)], Purpose::Data, Some(cipher))?;
    let key = store.open("clear-key", Purpose::Data)?;
    Ok((Opened { store, key }, single))
}

fn how(method: KcvMethod) -> &'static str {
    match method {
        KcvMethod::DesZero => "triple DES over eight bytes 00",
        KcvMethod::AesZero => "AES over sixteen bytes 00",
        KcvMethod::AesOnes => "AES over sixteen bytes 01 (GlobalPlatform)",
        KcvMethod::Cmac => "CMAC over one block of 00",
        KcvMethod::SpkiSha256 => "SHA-256 over the public key as X.509 writes it",
    }
}

/// A card's keys.
pub fn diversify(args: &DiversifyArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let method = method(&args.method)?;
    let kdd = inputs.array("--kdd", &args.kdd)?;
    let cipher = if method.suits(Cipher::Tdes) { Cipher::Tdes } else { Cipher::Aes };
    let Opened { store, key } = inputs.key(&KeySource::of(&args.key), &[Purpose::Kmc], Some(cipher))?;
    suits(method, &key)?;
    let mut shown = Calculated::new("diversify");
    shown.used(&key);
    shown.step("method", explained(method));
    shown.step("KDD", hex::encode_upper(kdd));
    if let Some(six) = six(method, &kdd) {
        for (number, name) in [(1u8, "K-ENC"), (2, "K-MAC"), (3, "K-DEK")] {
            let half = |mark: u8| hex::encode_upper([six.as_slice(), &[mark, number]].concat());
            shown.step(format!("data of {name}"), format!("{} {}", half(0xF0), half(0x0F)));
        }
    }
    // A test key's values are shown, also from a token.
    let keys = if key.is_test() { card_keys_to_show } else { card_keys };
    let CardKeys { enc, mac, dek } = keys(&store, &key, &method, &kdd)?;
    for (name, key) in [("K-ENC", &enc), ("K-MAC", &mac), ("K-DEK", &dek)] {
        derived(&mut shown, &store, name, key)?;
    }
    Ok(shown)
}

/// A derived key: its value under a test key, its check value always.
fn derived(shown: &mut Calculated, store: &CalculatorStore, name: &str, key: &KeyHandle) -> Result<(), CliError> {
    match key.is_test() {
        true => shown.bytes(name, store.expose_test_key(key)?.expose()),
        false => shown.withheld(name, LIVE),
    }
    let method = if key.algorithm().cipher() == Some(Cipher::Aes) { KcvMethod::AesOnes } else { KcvMethod::DesZero };
    shown.result(format!("{name} KCV"), described(&store.kcv(key, method, KCV)?, method));
    Ok(())
}

fn described(kcv: &[u8], method: KcvMethod) -> String {
    format!("{} ({})", hex::encode_upper(kcv), method.name())
}

fn method(name: &str) -> Result<Diversification, CliError> {
    let names = || Diversification::ALL.map(Diversification::name).join(", ");
    Diversification::find(name).ok_or_else(|| wrong("--method", format!("{name:?} is none of {}", names())))
}

fn suits(method: Diversification, key: &KeyHandle) -> Result<(), CliError> {
    if key.algorithm().cipher().is_some_and(|cipher| method.suits(cipher)) {
        return Ok(());
    }
    Err(wrong("--method", format!("{} is not for a key of {}", method.name(), key.algorithm())))
}

fn explained(method: Diversification) -> String {
    match method {
        Diversification::None => "none: the master key is all three keys".into(),
        Diversification::EmvCps { offset } => {
            format!("EMV CPS: triple DES over KDD bytes {} to {}", offset + 1, offset + 6)
        }
        Diversification::Visa1 => "VISA: triple DES over KDD bytes 1 to 4, 9 and 10".into(),
        Diversification::Visa2 => "VISA2: triple DES over KDD bytes 1, 2 and 5 to 8".into(),
        Diversification::Kdf3 => "KDF3: SP 800-108 with AES-CMAC over the KDD".into(),
    }
}

/// The six bytes of the KDD that triple DES methods take.
fn six(method: Diversification, kdd: &[u8; 10]) -> Option<Vec<u8>> {
    let [a, b, c, d, e, f, g, h, i, j] = *kdd;
    match method {
        Diversification::EmvCps { offset } => kdd.get(offset..offset + 6).map(<[u8]>::to_vec),
        Diversification::Visa1 => Some(vec![a, b, c, d, i, j]),
        Diversification::Visa2 => Some(vec![a, b, e, f, g, h]),
        Diversification::None | Diversification::Kdf3 => None,
    }
}

/// What is known of an exchange.
enum Exchange {
    Whole(Handshake),
    Sequence([u8; 2]),
    Challenges { host: Vec<u8>, card: Vec<u8> },
}

/// Session keys, and the cryptograms where the exchange is known.
pub fn session_keys(args: &SessionKeysArgs, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let exchange = exchange(args, inputs)?;
    let (cipher, kdd) = match &exchange {
        Exchange::Whole(handshake) => (handshake.protocol.cipher(), Some(handshake.kdd)),
        Exchange::Sequence(_) => (Cipher::Tdes, None),
        Exchange::Challenges { .. } => (Cipher::Aes, None),
    };
    let method = method(&args.method)?;
    if method != Diversification::None && kdd.is_none() {
        return Err(wrong("--method", "key diversification data stand in the answer: give --command and --answer"));
    }
    let mut shown = Calculated::new("session-keys");
    let (store, keys) = static_keys(args, inputs, cipher, method, kdd.unwrap_or_default(), &mut shown)?;
    let session = match &exchange {
        Exchange::Whole(handshake) if handshake.protocol == Answered::Scp02 => {
            scp02(args, &store, &keys, handshake.counter(), &mut shown)?
        }
        Exchange::Sequence(sequence) => scp02(args, &store, &keys, *sequence, &mut shown)?,
        Exchange::Whole(handshake) => scp03(&store, &keys, &handshake.host, &handshake.challenge, &mut shown)?,
        Exchange::Challenges { host, card } => scp03(&store, &keys, host, card, &mut shown)?,
    };
    if let Exchange::Whole(handshake) = &exchange {
        let right = session.is_of(&store, handshake)?;
        cryptograms(args, &store, &keys, (handshake, right), &mut shown)?;
    }
    Ok(shown)
}

fn exchange(args: &SessionKeysArgs, inputs: &mut Inputs) -> Result<Exchange, CliError> {
    if let (Some(command), Some(answer)) = (&args.command, &args.answer) {
        let (command, answer) = (inputs.bytes("--command", command)?, inputs.bytes("--answer", answer)?);
        let read =
            Handshake::read(&command, &answer).map_err(|error| wrong("--command, --answer", error.to_string()))?;
        return Ok(Exchange::Whole(read));
    }
    if let Some(sequence) = &args.sequence {
        return Ok(Exchange::Sequence(inputs.array("--sequence", sequence)?));
    }
    let mut challenge = |option, value: &Option<String>| inputs.bytes(option, value.as_deref().unwrap_or_default());
    let card = challenge("--card-challenge", &args.card_challenge)?;
    let host = challenge("--host-challenge", &args.host_challenge)?;
    Ok(Exchange::Challenges { host, card })
}

fn static_keys(
    args: &SessionKeysArgs,
    inputs: &mut Inputs,
    cipher: Cipher,
    method: Diversification,
    kdd: [u8; 10],
    shown: &mut Calculated,
) -> Result<(CalculatorStore, CardKeys), CliError> {
    let source = KeySource::of(&args.key);
    let (store, name) = match (source.from, source.name, source.keys) {
        (Some(path), ..) => {
            let values = inputs.clear_keys(&source, path)?;
            let (names, name) = match values.len() {
                1 => (["clear-key"].as_slice(), "clear-key"),
                3 => (["clear-enc", "clear-mac", "clear-dek"].as_slice(), "clear"),
                _ => return Err(wrong(source.from_option, "give one key, or ENC, MAC and DEK in three lines")),
            };
            let named = names.iter().copied().zip(values).collect();
            (store_of(source.from_option, named, Purpose::Kmc, Some(cipher))?, name)
        }
        (None, Some(name), Some(file)) => {
            (stores::calculator_keys(file, source.passphrase, &mut inputs.warnings)?, name)
        }
        _ => return Err(wrong("--key", "name a key of the key file, with --keys")),
    };
    let set = KeySet::find(&store, name)?;
    shown.used_as(name, set.is_test());
    if set.parts().iter().any(|part| part.algorithm.cipher() != Some(cipher)) {
        return Err(wrong("--key", "the protocol is for keys of another cipher: SCP02 triple DES, SCP03 AES"));
    }
    if !method.suits(cipher) || (set.is_three() && method != Diversification::None) {
        return Err(wrong("--method", "it is not for keys of this kind"));
    }
    let own = "ENC, MAC and DEK as given".to_owned();
    shown.step("card's keys", if set.is_three() { own } else { explained(method) });
    let keys = set.card_keys(&store, method, &kdd)?;
    Ok((store, keys))
}

fn scp02(
    args: &SessionKeysArgs,
    store: &CalculatorStore,
    keys: &CardKeys,
    sequence: [u8; 2],
    shown: &mut Calculated,
) -> Result<SessionInCustody, CliError> {
    let i = option(args)?;
    let counter = hex::encode_upper(sequence);
    shown.step("protocol", format!("SCP02 i={i:02X}, sequence counter {counter}"));
    let session = SessionInCustody::scp02(store, keys, i, sequence)?;
    let SessionInCustody { enc, mac, rmac, dek } = &session;
    let all = [("S-ENC", "0182", enc), ("S-MAC", "0101", mac), ("S-RMAC", "0102", rmac), ("S-DEK", "0181", dek)];
    for (name, constant, key) in all {
        shown.step(format!("data of {name}"), format!("{constant}{counter}{:0<24}", ""));
        derived(shown, store, name, key)?;
    }
    Ok(session)
}

fn option(args: &SessionKeysArgs) -> Result<u8, CliError> {
    let i = common::byte("--option", &args.option)?;
    Protocol::scp02(i).map_err(|error| wrong("--option", error.to_string()))?;
    Ok(i)
}

fn scp03(
    store: &CalculatorStore,
    keys: &CardKeys,
    host: &[u8],
    card: &[u8],
    shown: &mut Calculated,
) -> Result<SessionInCustody, CliError> {
    shown.step("protocol", "SCP03, SP 800-108 with AES-CMAC over both challenges");
    shown.step("context", hex::encode_upper([host, card].concat()));
    shown.step("constants", "S-ENC 04, S-MAC 06, S-RMAC 07; card cryptogram 00, host cryptogram 01");
    let session = SessionInCustody::scp03(store, keys, host, card)?;
    let SessionInCustody { enc, mac, rmac, dek } = &session;
    for (name, key) in [("S-ENC", enc), ("S-MAC", mac), ("S-RMAC", rmac), ("DEK", dek)] {
        derived(shown, store, name, key)?;
    }
    Ok(session)
}

/// Cryptograms are shown for test keys only: of a live key the card's, with the challenges swapped, is the host's, and
/// with that somebody could log in to the card. The host's is never shown if the card's is wrong.
fn cryptograms(
    args: &SessionKeysArgs,
    store: &CalculatorStore,
    keys: &CardKeys,
    (handshake, right): (&Handshake, bool),
    shown: &mut Calculated,
) -> Result<(), CliError> {
    const COMPARED: &str = "live keys: the card's answer is compared, and no cryptogram is shown";
    let made = if shown.is_test() { Some(both(args, store, keys, handshake)?) } else { None };
    match &made {
        Some((theirs, _)) => shown.bytes("card cryptogram", theirs),
        None => shown.withheld("card cryptogram", COMPARED),
    }
    shown.result("the card's answer", if right { "the same" } else { "another: these are not the card's keys" });
    match (right, &made) {
        (true, Some((_, ours))) => shown.bytes("host cryptogram", ours),
        (true, None) => shown.withheld("host cryptogram", "live keys: it would log in to the card"),
        (false, _) => shown.withheld("host cryptogram", "the card's cryptogram is wrong: never authenticate"),
    }
    shown.is_right(right);
    Ok(())
}

/// The card's cryptogram and the host's, of test keys.
fn both(
    args: &SessionKeysArgs,
    store: &CalculatorStore,
    keys: &CardKeys,
    handshake: &Handshake,
) -> Result<(Vec<u8>, Vec<u8>), CliError> {
    let Handshake { host, challenge, .. } = handshake;
    let crypto = |source| KeyError::Crypto { name: keys.enc.name().to_owned(), source };
    Ok(match handshake.protocol {
        Answered::Scp02 => {
            let counter = handshake.counter();
            let (session, _) = Scp02Keys::derive(store, keys, option(args)?, counter)?;
            let card = session.card_cryptogram(host, counter, challenge).map_err(crypto)?;
            (card.to_vec(), session.host_cryptogram(host, counter, challenge).map_err(crypto)?.to_vec())
        }
        Answered::Scp03 { mode, .. } => {
            let session = Scp03Keys::derive(store, keys, host, challenge)?;
            let card = session.card_cryptogram(host, challenge, mode).map_err(crypto)?;
            (card, session.host_cryptogram(host, challenge, mode).map_err(crypto)?)
        }
    })
}

/// A key block's header, and what is inside.
pub fn tr31(args: &Tr31Args, inputs: &mut Inputs) -> Result<Calculated, CliError> {
    let text = inputs.text("BLOCK", &args.block)?;
    let block = KeyBlock::parse(text.trim()).map_err(|error| wrong("BLOCK", error.to_string()))?;
    let mut shown = Calculated::new("tr31");
    let header = block.header();
    shown.result("version", header.version.to_string());
    let serves: Vec<&str> = purposes(&header.usage).iter().map(|purpose| purpose.name()).collect();
    let serves = if serves.is_empty() { "nothing here".to_owned() } else { serves.join(", ") };
    shown.result("usage", format!("{} (serves as {serves})", header.usage));
    shown.result("algorithm", header.algorithm.to_string());
    shown.result("mode of use", header.mode.to_string());
    let component = if header.is_component() { " (a component of a key, not a key)" } else { "" };
    shown.result("key version", format!("{}{component}", header.key_version));
    shown.result("exportability", header.exportability.to_string());
    shown.result("key context", header.context.to_string());
    for optional in &header.blocks {
        shown.result(format!("optional block {}", optional.id), optional.data.as_str());
    }
    let Some(source) = KeySource::of_pin(&args.key) else {
        shown.note("without a key block protection key nothing of this is proven");
        return Ok(shown);
    };
    let Opened { store, key } = inputs.key(&source, &[Purpose::Kbpk], Some(header.version.cipher()))?;
    shown.used(&key);
    shown.step("order", "KBEK and KBAK are made of the KBPK, the MAC is compared, then the key is read");
    let arrived = store.tr31_unwrap(&key, &block)?;
    shown.result("MAC", "right");
    arrived.warnings().iter().for_each(|warning| shown.note(warning.to_string()));
    match arrived.is_test() {
        true => shown.bytes("key", arrived.expose_test_key()?.expose()),
        false => shown.withheld("key", "it came under a live key"),
    }
    let values = arrived.check_values(KCV);
    if values.is_empty() {
        shown.note("a key of this kind has no check value here");
    }
    for (method, value) in values {
        shown.bytes(format!("KCV {}", method.name()), value);
    }
    if let Err(error) = arrived.purpose(None) {
        shown.note(format!("it is not taken in here: {error}"));
    }
    Ok(shown)
}
