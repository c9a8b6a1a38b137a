//! What every key store must do with the sample keys.
#![allow(dead_code)]

mod arrivals;
mod pairs;

use perso::base::Secret;
use perso::base::crypto::{self, CryptoError, KcvMethod};
use perso::base::emv::Pan;
use perso::keys::card_values::{CvvInput, cvc3, cvv, ivcvc3};
use perso::keys::issuer::{CardKeyMethod, icc_master_key, icc_master_key_to_seal};
use perso::keys::pin::{Ibm3624, Pin, pin_offset, pvv};
use perso::keys::{
    CardForm, CardPadding, Computation, Derivation, Diversification, KeyError, KeyHandle, KeyStore, Purpose, Sealed,
    Verb, card_keys,
};

/// In what kinds of store differ.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Test master keys can be shown, and leave in key blocks.
    pub masters_leave: bool,
    /// Key blocks of versions A and C can be opened.
    pub variants: bool,
}

/// Runs all of it.
pub fn run(store: &dyn KeyStore, kind: Kind) {
    check_values(store);
    purposes(store);
    diversification(store);
    session_keys(store);
    macs(store);
    issuer_values(store);
    sealed_groupings(store);
    derived_keys_for_the_card(store);
    bodies(store);
    masters(store, kind);
    arrivals::run(store, kind);
    pairs::run(store);
}

pub fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

pub fn pan(digits: &str) -> Pan {
    Pan::parse(digits).unwrap()
}

pub fn open(store: &dyn KeyStore, name: &str) -> KeyHandle {
    let purpose = store.keys().iter().find(|key| key.name == name).unwrap_or_else(|| panic!("{name}")).purpose;
    store.open(name, purpose).unwrap()
}

fn text(digits: &Secret<Vec<u8>>) -> &str {
    std::str::from_utf8(digits.expose()).unwrap()
}

/// Opening compares the check value of each; the reference states some of them by other methods.
fn check_values(store: &dyn KeyStore) {
    assert!(store.keys().len() >= 25);
    for key in store.keys() {
        assert!(key.test);
        store.open(&key.name, key.purpose).unwrap();
    }
    let kcv = |name: &str, method, length| hex::encode_upper(store.kcv(&open(store, name), method, length).unwrap());
    assert_eq!(kcv("lab-zpk", KcvMethod::DesZero, 3), "EF9351");
    assert_eq!(kcv("lab-kek", KcvMethod::DesZero, 3), "08D7B4");
    assert_eq!(kcv("lab-pek", KcvMethod::AesOnes, 3), "3544E0");
    assert_eq!(kcv("lab-pek", KcvMethod::AesZero, 3), "FDE4FB");
    assert_eq!(kcv("lab-pek", KcvMethod::Cmac, 5), "53E107B36E");
    let wrong = store.kcv(&open(store, "lab-zpk"), KcvMethod::AesOnes, 3);
    assert!(matches!(wrong, Err(KeyError::Kind { .. })));
}

/// No key for another purpose, whatever the verb.
fn purposes(store: &dyn KeyStore) {
    for key in store.keys() {
        for purpose in Purpose::ALL.into_iter().filter(|purpose| *purpose != key.purpose) {
            let refused = store.open(&key.name, purpose).err();
            assert!(matches!(refused, Some(KeyError::Purpose { .. })), "{} as {purpose}", key.name);
        }
    }
    assert!(matches!(store.open("nobody", Purpose::Kek), Err(KeyError::Unknown(_))));
    let kek = open(store, "lab-kek");
    let sealed = Sealed { iv: None, ciphertext: &[0; 8], length: 1 };
    let form = CardForm { padding: CardPadding::None, cbc: false };
    let refused = [
        store.reseal(&kek, &sealed, &kek, form).err(),
        store.seal(&kek, &[0; 8], &Secret::new(vec![1])).err(),
        store.open_body(&kek, &[0; 12], b"", b"", &[0; 16]).err(),
        store.seal_body(&kek, &[0; 12], b"", &Secret::new(vec![])).err(),
        store.rsa_sign(&kek, &[0; 8]).err(),
        store.tr31_keys(&kek, perso::keys::tr31::Version::B).err(),
        cvv(store, &kek, &CvvInput { pan: &pan("4123456789012345"), expiry: "8701", service_code: "101" }, 3).err(),
        pvv(store, &kek, &pan("4123456789012345"), 1, &pin("1234")).err(),
        ivcvc3(store, &kek, &[0; 8]).err(),
    ];
    for (at, error) in refused.into_iter().enumerate() {
        assert!(matches!(error, Some(KeyError::Purpose { .. })), "{at}: {error:?}");
    }
    // Keys are derived from master keys only, and what was derived is no master key.
    let refused = store.derive(&open(store, "lab-tk-des"), &Derivation::Ecb(&[7; 16])).err();
    assert!(matches!(refused, Some(KeyError::Verb { verb: Verb::Derive, .. })), "{refused:?}");
    let imk = open(store, "lab-imk-ac");
    let derived = store.derive(&imk, &Derivation::Ecb(&[7; 16])).unwrap();
    let how = Computation::Ecb(&[0; 8]);
    for (at, refused) in [
        store.session_key(&derived, &Derivation::Ecb(&[7; 16])).err(),
        store.retail_mac(&imk, &[0; 8]).err(),
        store.encipher(&imk, &[0; 8], false).err(),
        store.compare(&imk, &how, &[0; 8]).err(),
        store.session_key(&kek, &Derivation::Ecb(&[0; 8])).err(),
        store.rsa_public(&kek).err(),
        store.public_key(&kek).err(),
        store.encipher(&open(store, "lab-zpk"), &[0; 8], false).err(),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(matches!(refused, Some(KeyError::Verb { .. })), "{at}: {refused:?}");
    }
}

pub fn pin(digits: &str) -> Pin {
    Pin::from_ascii(&Secret::new(digits.as_bytes().to_vec())).unwrap()
}

/// KMC to card keys: all three methods, against a computation with the values themselves.
fn diversification(store: &dyn KeyStore) {
    let kdd: [u8; 10] = bytes("00004761730112345678").try_into().unwrap();
    let master = bytes("404142434445464748494A4B4C4D4E4F");
    let left = |number: u8| [&kdd[4..], &[0xF0, number], &kdd[4..], &[0x0F, number]].concat();
    let keys = card_keys(store, &open(store, "lab-kmc-des"), &Diversification::EmvCps { offset: 4 }, &kdd).unwrap();
    for (number, key) in [(1, &keys.enc), (2, &keys.mac), (3, &keys.dek)] {
        let value = crypto::tdes_ecb_encrypt(&master, &left(number)).unwrap();
        let kcv = crypto::kcv(&value, KcvMethod::DesZero, true, 8).unwrap();
        assert_eq!(store.kcv(key, KcvMethod::DesZero, 8).unwrap(), kcv);
        assert!(key.is_derived() && key.purpose() == Purpose::Kmc && key.is_test());
    }
    let keys = card_keys(store, &open(store, "lab-kmc-aes"), &Diversification::Kdf3, &kdd).unwrap();
    for (number, key) in [(1, &keys.enc), (2, &keys.mac), (3, &keys.dek)] {
        let message = [&[1, 0, 0, 0, number, 0], kdd.as_slice()].concat();
        let value = crypto::aes_cmac(&master, &message).unwrap();
        let kcv = crypto::kcv(&value, KcvMethod::AesOnes, false, 16).unwrap();
        assert_eq!(store.kcv(key, KcvMethod::AesOnes, 16).unwrap(), kcv);
    }
}

/// What comes out for a session, and what stays inside, is the same key.
fn session_keys(store: &dyn KeyStore) {
    let (des, aes) = (open(store, "lab-kmc-des"), open(store, "lab-kmc-aes"));
    let messages = vec![vec![1; 32], vec![2; 21]];
    let derivations = [
        (&des, Derivation::Ecb(&[0x5A; 16])),
        (&des, Derivation::CbcZero(&[0xA5; 16])),
        (&aes, Derivation::Ecb(&[0x5A; 32])),
        (&aes, Derivation::CbcZero(&[0xA5; 16])),
        (&aes, Derivation::Cmac { messages: &messages, length: 24 }),
    ];
    for (key, how) in derivations {
        let value = store.session_key(key, &how).unwrap();
        let inside = store.derive(key, &how).unwrap();
        let tdes = key.name() == "lab-kmc-des";
        let method = if tdes { KcvMethod::DesZero } else { KcvMethod::AesZero };
        let kcv = crypto::kcv(value.expose(), method, tdes, 8).unwrap();
        assert_eq!(store.kcv(&inside, method, 8).unwrap(), kcv, "{how:?}");
        let again = store.duplicate(&inside).unwrap();
        drop(inside);
        assert_eq!(store.kcv(&again, method, 8).unwrap(), kcv, "{how:?}");
    }
    let bad = store.session_key(&des, &Derivation::Ecb(&[0; 7])).err();
    assert!(matches!(bad, Some(KeyError::Crypto { source: CryptoError::DataLength(7), .. })), "{bad:?}");
}

/// The application cryptogram of emv-data.md §8.
fn macs(store: &dyn KeyStore) {
    let mac = open(store, "lab-mac");
    let data = crypto::pad_80(&bytes("0123456789ABCDEF0123456789ABCDEF"), 8);
    assert_eq!(hex::encode_upper(store.retail_mac(&mac, &data).unwrap()), "FA624250B008B59A");
    // One block is the whole cipher.
    assert!(
        store.retail_mac(&mac, &[1; 8]).unwrap()
            == *crypto::tdes_ecb_encrypt(&bytes("29B33180E567CE38EA4CBC9D753B0E61"), &[1; 8]).unwrap().as_slice()
    );
    for data in [&[][..], &[0; 9]] {
        assert!(matches!(store.retail_mac(&mac, data), Err(KeyError::Crypto { .. })));
    }
    assert!(matches!(store.retail_mac(&open(store, "lab-pek"), &[0; 16]), Err(KeyError::Verb { .. })));
}

/// pin-and-track.md §4, emv-data.md §8.
fn issuer_values(store: &dyn KeyStore) {
    let card = pan("2222222222222222");
    let input = CvvInput { pan: &card, expiry: "3333", service_code: "111" };
    assert_eq!(text(&cvv(store, &open(store, "lab-cvk"), &input, 3).unwrap()), "361");
    for (expiry, service_code, length) in [("333", "111", 3), ("3333", "11", 3), ("33x3", "111", 3), ("3333", "111", 6)]
    {
        let input = CvvInput { pan: &card, expiry, service_code };
        assert!(matches!(cvv(store, &open(store, "lab-cvk"), &input, length), Err(KeyError::Input(_))));
    }
    let card = pan("1122334455667788");
    let pvk = open(store, "lab-pvk");
    assert_eq!(text(&pvv(store, &pvk, &card, 1, &pin("4524")).unwrap()), "8523");
    assert_eq!(text(&pvv(store, &pvk, &card, 3, &pin("4524")).unwrap()), "4021");
    assert!(pvv(store, &pvk, &card, 10, &pin("4524")).is_err());
    let method = Ibm3624 { validation: "1122334455667788", table: "1234567890123456" };
    let pvk = open(store, "lab-pvk-3624");
    assert_eq!(&text(&method.natural(store, &pvk).unwrap())[..4], "4524");
    assert_eq!(text(&pin_offset(store, &pvk, &method, &pin("1234")).unwrap()), "7710");
    let key =
        icc_master_key(store, &open(store, "lab-imk-cvc"), &pan("5123456789012345"), 0, CardKeyMethod::A).unwrap();
    // Track 2 as the contactless table of emv-data.md has it.
    let iv = ivcvc3(store, &key, &bytes("5123456789012345D35121010000000000000F")).unwrap();
    assert_eq!(hex::encode_upper(iv.expose()), "11BA");
    let value = cvc3(store, &key, &iv, bytes("00000899").try_into().unwrap(), [0, 0x5E]).unwrap();
    assert_eq!(text(&value), "29488");
}

/// From a transport key to a card's DEK: the chain of pin-and-track.md §3.2.
fn sealed_groupings(store: &dyn KeyStore) {
    let tk = open(store, "lab-tk-des");
    let dek = arrivals::under_kek(store, "D873CA939E94E84A21E45AF19AD72423", Purpose::Kmc);
    let block = Secret::new(bytes("241234FFFFFFFFFF"));
    let ciphertext = store.seal(&tk, &[9; 8], &block).unwrap();
    assert_eq!(ciphertext.len(), 16);
    let form = CardForm { padding: CardPadding::None, cbc: false };
    let sealed = Sealed { iv: Some(&[9; 8]), ciphertext: &ciphertext, length: 8 };
    assert_eq!(hex::encode_upper(store.reseal(&tk, &sealed, &dek, form).unwrap()), "E73E47CAE8B77E5B");
    let broken = [
        Sealed { iv: Some(&[8; 8]), ..sealed },
        Sealed { length: 7, ..sealed },
        Sealed { ciphertext: &ciphertext[..15], ..sealed },
        Sealed { ciphertext: &ciphertext[..8], ..sealed },
        Sealed { iv: Some(&[9; 7]), ..sealed },
    ];
    for (at, sealed) in broken.into_iter().enumerate() {
        // Another IV changes the value only: there is nothing in it that tells.
        let refused = store.reseal(&tk, &sealed, &dek, form);
        assert!(at == 0 || matches!(refused, Err(KeyError::Seal { .. })), "{at}: {refused:?}");
    }
}

/// A card's keys, sealed for DGI 8000, and opened by somebody who has the transport key's value.
fn derived_keys_for_the_card(store: &dyn KeyStore) {
    let card = pan("4123456789012345");
    let key = icc_master_key_to_seal(store, &open(store, "lab-imk-ac"), &card, 1, CardKeyMethod::A).unwrap();
    let other = icc_master_key_to_seal(store, &open(store, "lab-imk-smi"), &card, 1, CardKeyMethod::A).unwrap();
    let tk = open(store, "lab-tk-aes");
    let (sealed, length) = store.seal_keys(&[&key, &other], &tk, &[3; 16]).unwrap();
    assert_eq!((length, sealed.len()), (32, 48));
    let clear = crypto::aes_cbc_decrypt(&bytes("00112233445566778899AABBCCDDEEFF"), &[3; 16], &sealed).unwrap();
    assert_eq!(hex::encode_upper(&clear[..16]), "0275CDC8570E3BDFF231619285D3649D");
    assert!(clear[16..32].iter().all(|byte| byte.count_ones() % 2 == 1));
    assert_eq!(clear[32], 0x80);
    // The check values of what is sealed are those of the keys before they were.
    let kcv = |key: &KeyHandle| store.kcv(key, KcvMethod::DesZero, 3).unwrap();
    let within = Sealed { iv: Some(&[3; 16]), ciphertext: &sealed, length };
    assert_eq!(store.sealed_check_values(&tk, &within, 3).unwrap(), [kcv(&key), kcv(&other)].concat());
    let short = store.seal(&tk, &[3; 16], &Secret::new(vec![1; 15])).unwrap();
    let short = Sealed { iv: Some(&[3; 16]), ciphertext: &short, length: 15 };
    assert!(matches!(store.sealed_check_values(&tk, &short, 3), Err(KeyError::Seal { .. })));
    let other_purpose = store.sealed_check_values(&open(store, "lab-kek"), &within, 3);
    assert!(matches!(other_purpose, Err(KeyError::Purpose { .. })));
    let refused = store.seal_keys(&[&open(store, "lab-imk-ac")], &tk, &[3; 16]);
    assert!(matches!(refused, Err(KeyError::Static(_))));
    assert!(store.seal_keys(&[&key], &tk, &[3; 8]).is_err());
}

fn bodies(store: &dyn KeyStore) {
    let key = open(store, "lab-record");
    let value: Vec<u8> = (0..32).collect();
    let (body, tag) = store.seal_body(&key, &[1; 12], b"header", &Secret::new(b"body".to_vec())).unwrap();
    assert_eq!(crypto::gcm_open(&value, &[1; 12], b"header", &body, &tag).unwrap(), b"body");
    assert!(store.open_body(&key, &[1; 12], b"header", &body, &tag).unwrap().equals(b"body"));
    let mut other = tag;
    other[0] ^= 1;
    for (header, tag) in [(&b"Header"[..], tag), (b"header", other)] {
        let refused = store.open_body(&key, &[1; 12], header, &body, &tag).err();
        assert!(matches!(refused, Some(KeyError::Crypto { source: CryptoError::Tag, .. })), "{refused:?}");
    }
}

/// Whether a master key can be seen. What is derived from a test key can, for simulated blanks.
fn masters(store: &dyn KeyStore, kind: Kind) {
    let master = open(store, "lab-kmc-des");
    match store.expose_test_key(&master) {
        Ok(value) => {
            assert!(kind.masters_leave && value.equals(&bytes("404142434445464748494A4B4C4D4E4F")));
        }
        Err(error) => assert!(!kind.masters_leave && matches!(error, KeyError::Unable { .. }), "{error}"),
    }
    let how = Derivation::Ecb(&[0x5A; 16]);
    let kept = store.expose_test_key(&store.derive(&master, &how).unwrap());
    assert_eq!(kept.is_ok(), kind.masters_leave);
    let derived = store.expose_test_key(&store.derive_to_seal(&master, &how).unwrap()).unwrap();
    let known = store.session_key(&master, &how).unwrap();
    let same = derived.expose().iter().zip(known.expose()).all(|(a, b)| a & 0xFE == b & 0xFE);
    assert!(same && derived.len() == 16, "apart from parity");
}
